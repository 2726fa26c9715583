//! A session's trace on disk: a file beside the log, which no session needs.
//!
//! ```text
//! magic · { length u16 · check u32 · observation }*        integers little-endian
//! ```
//!
//! Observations are appended whole, by a thread of their own behind a bounded
//! queue, so that a slow disk costs samples and never a room's time. When the
//! file has grown by what a full [`Trace`] holds, it is read back, thinned as
//! [`Trace`] thins, written aside and put in its place: its size is bounded by
//! about twice that, however long a session lasts.
//!
//! It is never synced and never trusted: reading ends at the first record that
//! is not whole, and what does not read at all counts as no trace. Opening a
//! session does not open it. A trace is its owner's alone, like the log.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::files::create_private;
use crate::engine::trace::{Observation, Trace};

/// Names the form, and its version.
const MAGIC: &[u8] = b"seance trace 1\n";
/// Observations that may wait for the disk: a hundred members' for half a minute. More are lost.
const QUEUE_MAX: usize = 4_096;
/// How long an observation may stay in this program before the system has it.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// The least growth that is worth thinning: some hours of two people.
const GROWTH_MIN: u64 = 1 << 20;
/// No observation is this long; a refusal's sentence might be.
const RECORD_MAX: usize = 1_024;
/// What is longer than any trace that this writes is not read into memory.
const FILE_MAX: u64 = 64 << 20;
/// Length and check before each record.
const FRAME: usize = 2 + 4;

/// Writes a session's trace for as long as it lives.
#[derive(Debug)]
pub struct TraceWriter {
    queue: SyncSender<Observation>,
    thread: JoinHandle<()>,
}

impl TraceWriter {
    /// Goes on with the file at `path`, or begins it.
    ///
    /// # Errors
    /// What the system says; the room goes on without.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = TraceFile::open(path)?;
        let (queue, inbox) = mpsc::sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new()
            .name("trace".to_owned())
            .spawn(move || {
                if let Err(error) = file.write_all(&inbox) {
                    tracing::warn!(path = %file.path.display(), %error, "the trace ends here");
                }
            })?;
        Ok(Self { queue, thread })
    }

    /// What takes observations for it. Dropping this and the writer ends the file.
    pub fn sink(&self) -> impl FnMut(Observation) + Send + 'static {
        let queue = self.queue.clone();
        // Full means that the disk hangs, closed that it failed, which was said.
        move |seen| drop(queue.try_send(seen))
    }

    /// Waits until all that was taken is written. Its sinks must be gone.
    pub fn finish(self) {
        drop(self.queue);
        if self.thread.join().is_err() {
            tracing::warn!("the trace's thread failed");
        }
    }
}

struct TraceFile {
    path: PathBuf,
    out: BufWriter<File>,
    /// Bytes in the file, and when they are too many.
    length: u64,
    length_max: u64,
}

impl TraceFile {
    fn open(path: &Path) -> io::Result<Self> {
        // Whatever is there is read and written anew: that drops a torn end.
        let (out, length) = rewrite(path)?;
        Ok(Self {
            path: path.to_owned(),
            out,
            length,
            length_max: length * 2 + GROWTH_MIN,
        })
    }

    /// Writes what comes until nothing can come any more.
    fn write_all(&mut self, inbox: &Receiver<Observation>) -> io::Result<()> {
        loop {
            match inbox.recv_timeout(FLUSH_EVERY) {
                Ok(seen) => self.write(&seen)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.out.flush(),
            }
            // All that came by now, then one write to the system.
            while let Ok(seen) = inbox.try_recv() {
                self.write(&seen)?;
            }
            self.out.flush()?;
        }
    }

    fn write(&mut self, seen: &Observation) -> io::Result<()> {
        if let Some(record) = encode(seen) {
            self.out.write_all(&record)?;
            self.length += record.len() as u64;
        }
        if self.length > self.length_max {
            self.out.flush()?;
            let (out, length) = rewrite(&self.path)?;
            self.out = out;
            self.length = length;
            self.length_max = length * 2 + GROWTH_MIN;
        }
        Ok(())
    }
}

/// Thins the file at `path` into a new one in its place, open at its end.
fn rewrite(path: &Path) -> io::Result<(BufWriter<File>, u64)> {
    let trace = read(path);
    let part = path.with_extension("part");
    let mut out = BufWriter::new(create_private(&part)?);
    out.write_all(MAGIC)?;
    let mut length = MAGIC.len() as u64;
    for record in trace.iter().filter_map(encode) {
        out.write_all(&record)?;
        length += record.len() as u64;
    }
    out.flush()?;
    fs::rename(&part, path)?;
    Ok((out, length))
}

/// What is whole of the trace at `path`; nothing where there is none or nothing of it reads.
pub(super) fn read(path: &Path) -> Trace {
    let bytes = File::open(path).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(FILE_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    match bytes {
        Ok(bytes) => decode(&bytes).collect(),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(path = %path.display(), %error, "the trace cannot be read");
            }
            Trace::default()
        }
    }
}

fn encode(seen: &Observation) -> Option<Vec<u8>> {
    let mut record = vec![0; FRAME];
    record = postcard::to_extend(seen, record).expect("an observation always encodes into memory");
    let length = record.len() - FRAME;
    if length > RECORD_MAX {
        return None;
    }
    let check = check(&record[FRAME..]);
    record[..2].copy_from_slice(&(length as u16).to_le_bytes());
    record[2..FRAME].copy_from_slice(&check);
    Some(record)
}

/// The observations at the beginning of `bytes`, as far as they are whole.
fn decode(bytes: &[u8]) -> impl Iterator<Item = Observation> {
    let mut rest = bytes.strip_prefix(MAGIC).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (expected, after) = after.split_first_chunk::<4>()?;
        let (record, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        if check(record) != *expected {
            return None;
        }
        rest = after;
        postcard::from_bytes(record).ok()
    })
}

fn check(record: &[u8]) -> [u8; 4] {
    let hash = blake3::hash(record);
    let [a, b, c, d, ..] = *hash.as_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::id::MemberId;
    use crate::engine::intent::Refusal;
    use crate::engine::presence::{Activity, Report, Vitals};
    use crate::engine::trace::{THIN_MAX, WHOLE_MAX, What};
    use crate::engine::unit::{Micros, SessionTime};
    use proptest::prelude::*;

    fn vitals(second: u64, member: u32) -> Observation {
        Observation {
            at: SessionTime::from_secs(second),
            member: MemberId::new(member),
            what: What::Vitals(Vitals {
                report: Report {
                    activity: Some(Activity::Playing),
                    drift: Some(Micros::new(-700)),
                    round_trip: Some(Micros::from_millis(31)),
                },
                clock_error: Some(Micros::from_millis(4)),
                rate_ppm: Some(1_005_000),
                slews: 3,
                steps: 1,
            }),
        }
    }

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace");
        (dir, path)
    }

    fn write(path: &Path, seen: impl IntoIterator<Item = Observation>) {
        let mut file = TraceFile::open(path).unwrap();
        for seen in seen {
            file.write(&seen).unwrap();
        }
        file.out.flush().unwrap();
    }

    #[test]
    fn a_trace_goes_on_where_the_last_host_left_it() {
        let (_dir, path) = place();
        let refused = Observation {
            what: What::Refused {
                counter: 4,
                refusal: Refusal::NothingLoaded,
            },
            ..vitals(2, 7)
        };
        let seen = [vitals(1, 1), refused, vitals(3, 2)];
        for one in &seen {
            let writer = TraceWriter::open(&path).unwrap();
            let mut sink = writer.sink();
            sink(one.clone());
            drop(sink);
            writer.finish();
        }
        let trace = read(&path);
        assert!(trace.iter().eq(&seen), "{trace:?}");
    }

    #[test]
    fn the_file_stays_small_however_long_the_session() {
        let (_dir, path) = place();
        write(
            &path,
            (0..300_000).map(|count| vitals(count / 4, count as u32 % 4)),
        );
        let record = encode(&vitals(75_000, 3)).unwrap().len() as u64;
        let most = (THIN_MAX + WHOLE_MAX) as u64 * record;
        let length = fs::metadata(&path).unwrap().len();
        assert!(length <= 2 * most + GROWTH_MIN, "{length} bytes");
        let trace = read(&path);
        assert_eq!(
            trace.iter().next(),
            Some(&vitals(0, 0)),
            "from its beginning"
        );
        assert_eq!(trace.iter().last(), Some(&vitals(74_999, 3)), "to its end");
    }

    #[test]
    fn what_is_no_trace_is_none_and_gives_way_to_one() {
        let (_dir, path) = place();
        for garbage in [&b""[..], b"seance trace 2\nfrom the future", &[0xff; 5_000]] {
            fs::write(&path, garbage).unwrap();
            assert!(read(&path).is_empty());
            write(&path, [vitals(1, 1)]);
            assert_eq!(read(&path).len(), 1);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_trace_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_dir, path) = place();
        fs::write(&path, "somebody made it readable for all").unwrap();
        write(&path, [vitals(1, 1)]);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_disk_that_hangs_costs_samples_and_no_time() {
        let (queue, _nobody_reads) = mpsc::sync_channel(2);
        let writer = TraceWriter {
            queue,
            thread: std::thread::spawn(|| {}),
        };
        let mut sink = writer.sink();
        for second in 0..1_000 {
            sink(vitals(second, 1)); // would never return if it waited
        }
    }

    proptest! {
        /// Torn or flipped anywhere: what was whole before the damage is read, nothing panics.
        #[test]
        fn damage_costs_only_what_comes_after_it(cut in 0usize..800, flip in 0usize..800, bit in 0u8..8) {
            let seen: Vec<Observation> = (0..20).map(|second| vitals(second, 1)).collect();
            let mut bytes = MAGIC.to_vec();
            for seen in &seen {
                bytes.extend(encode(seen).unwrap());
            }
            let record = (bytes.len() - MAGIC.len()) / seen.len();
            let cut = cut.min(bytes.len());
            let torn: Vec<Observation> = decode(&bytes[..cut]).collect();
            prop_assert_eq!(&torn[..], &seen[..torn.len()]);
            prop_assert!(torn.len() + 1 >= cut.saturating_sub(MAGIC.len()) / (record + 2));
            let flip = flip.min(bytes.len() - 1);
            bytes[flip] ^= 1 << bit;
            let read: Vec<Observation> = decode(&bytes).collect();
            prop_assert!(read.len() < seen.len());
            prop_assert_eq!(&read[..], &seen[..read.len()]);
        }
    }
}
