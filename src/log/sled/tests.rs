//! The contract on sled, and what only a disk can do: fill up, fail, lie, be cut off.

#![expect(
    clippy::disallowed_methods,
    reason = "these tests are about a real disk, real time and sled itself"
)]

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use proptest::prelude::*;

use super::mark::MARK_BODY_BYTES;
use super::*;
use crate::engine::event::codec;
use crate::log::contract::{Backend, contract, holds, lines, of_bytes, read_all, said};

/// A database in a folder that vanishes with it.
struct OnDisk(tempfile::TempDir);

const SESSION: SessionId = SessionId::new(7);

impl OnDisk {
    fn dir(&self) -> PathBuf {
        self.0.path().join("db")
    }
}

impl Backend for OnDisk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn open(&self) -> Arc<dyn EventLog> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match SledLog::open(&self.dir(), SESSION) {
                // A program that another test is just starting holds all our files until it begins.
                Err(OpenError::InUse) if Instant::now() < deadline => {}
                log => return Arc::new(log.unwrap()),
            }
        }
    }
}

contract!(a_sled_log, OnDisk, 24);

/// A disk that does what a test tells it to.
#[derive(Debug, Default)]
struct BadDisk {
    fails: AtomicBool,
    free: AtomicU64,
}

impl BadDisk {
    fn good() -> Arc<Self> {
        Arc::new(Self {
            fails: AtomicBool::new(false),
            free: AtomicU64::new(1 << 40),
        })
    }
}

impl Disk for BadDisk {
    fn sync(&self, file: &File) -> io::Result<()> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("the cable came loose"));
        }
        file.sync_data()
    }
    fn free(&self, _: &Path) -> io::Result<u64> {
        Ok(self.free.load(Ordering::SeqCst))
    }
}

#[test]
fn a_failed_sync_is_final_and_nothing_acknowledged_is_lost() {
    let place = OnDisk::new();
    let disk = BadDisk::good();
    let log = SledLog::open_on(&place.dir(), SESSION, disk.clone()).unwrap();
    log.append(lines(1..2_000)).wait().unwrap();
    disk.fails.store(true, Ordering::SeqCst);
    let refused = log.append(lines(2_000..2_004)).wait().unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the session can no longer be saved: the cable came loose"
    );
    disk.fails.store(false, Ordering::SeqCst);
    let still = log.append(lines(2_000..2_004)).wait().unwrap_err();
    assert_eq!(
        still, refused,
        "a disk that lied once is not believed again"
    );
    holds(&log, &lines(1..2_000));
    drop(log);
    let log = place.open();
    let found = read_all(&*log, 500);
    assert!(found == lines(1..2_000) || found == lines(1..2_004));
}

#[test]
fn a_full_disk_makes_the_session_read_only_and_gives_the_ballast_back() {
    let place = OnDisk::new();
    let ballast = place.dir().join(BALLAST_FILE);
    let disk = BadDisk::good();
    let log = SledLog::open_on(&place.dir(), SESSION, disk.clone()).unwrap();
    assert_eq!(fs::metadata(&ballast).unwrap().len(), BALLAST_BYTES);
    log.append(lines(1..1_500)).wait().unwrap();
    disk.free.store(FREE_BYTES_MIN - 1, Ordering::SeqCst);
    let answers = [
        log.append(lines(1_500..1_501)),
        log.append(lines(1_501..1_502)),
    ];
    for answer in answers {
        assert_eq!(answer.wait(), Err(AppendError::Full));
    }
    assert!(!ballast.exists());
    holds(&log, &lines(1..1_500));
    drop(log);
    let log = place.open();
    holds(&*log, &lines(1..1_500));
    log.append(lines(1_500..1_501)).wait().unwrap();
}

#[test]
fn one_log_is_open_once() {
    let place = OnDisk::new();
    assert!(!SledLog::is_open(&place.dir()));
    let log = place.open();
    assert!(SledLog::is_open(&place.dir()));
    let second = SledLog::open(&place.dir(), SESSION).unwrap_err();
    assert!(matches!(second, OpenError::InUse), "{second}");
    drop(log);
    assert!(!SledLog::is_open(&place.dir()));
    place.open();
}

#[test]
fn the_whole_chain_verifies_and_the_file_stays_in_bounds() {
    let place = OnDisk::new();
    let log = SledLog::open(&place.dir(), SESSION).unwrap();
    // 116 bytes a record, 64 a commit, is what `docs/performance.md` speaks of.
    let frame = codec::encode(&said(30_000, "x")).len() - 1;
    let text = "x".repeat(116 - frame);
    for first in (1..32_000).step_by(64) {
        let events = (first..first + 64).map(|seq| said(seq, &text)).collect();
        log.append(events).wait().unwrap();
    }
    let last = log.records(Seq::new(32_000), 1).unwrap();
    assert_eq!(last[0].len(), 116);
    let edge = log.verify_all().unwrap();
    assert_eq!(edge.tail, Seq::new(32_001));
    drop(log);
    let files: u64 = walk(&place.dir())
        .iter()
        .map(|file| fs::metadata(file).unwrap().len())
        .sum();
    let each = files / 32_000;
    // 121 of them are ours. The rest is sled's: it writes a value once alone and once or
    // twice more with its page, and only collects segments that are more than half garbage.
    assert!(each <= 260, "{each} bytes a record");
    assert!(
        fs::read_dir(place.dir().join("blobs"))
            .unwrap()
            .next()
            .is_none()
    );
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect()
}

#[test]
fn a_later_format_is_named_not_guessed() {
    let place = OnDisk::new();
    place.open().append(lines(1..4)).wait().unwrap();
    let mark = place.dir().join(MARK_FILE);
    let mut bytes = fs::read(&mark).unwrap();
    bytes[4] = commit::FORMAT + 1;
    let digest = blake3::hash(&bytes[..MARK_BODY_BYTES]);
    bytes[MARK_BODY_BYTES..].copy_from_slice(&digest.as_bytes()[..8]);
    fs::write(&mark, bytes).unwrap();
    let refused = SledLog::open(&place.dir(), SESSION).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "this session was written by a newer Séance (log format 2, this one knows 1); please update"
    );
}

#[test]
fn a_later_kind_of_event_does_not_keep_the_session_shut() {
    let place = OnDisk::new();
    let log = SledLog::open(&place.dir(), SESSION).unwrap();
    log.append(lines(1..3)).wait().unwrap();
    let known = log.records(Seq::new(2), 1).unwrap();
    let (_, parts) = codec::split(&known[0]).unwrap();
    let (_, link) = log.tail_link();
    drop(log);
    // The third event: our second's header with the next seq, and a body of a kind yet to come.
    let mut bytes = codec::encode(&said(3, "x"));
    let body_at = bytes.len() - codec::split(&bytes).unwrap().1.body.len();
    bytes[body_at] = 100;
    let (_, third) = codec::split(&bytes).unwrap();
    let record = Record {
        link: link.then(third.header, third.body),
        bytes: bytes.clone().into(),
    };
    assert_ne!(parts.header, third.header);
    let db = sled::open(place.dir()).unwrap();
    let value = commit::encode(std::slice::from_ref(&record));
    db.insert(key::encode(SESSION, Seq::new(3)), value).unwrap();
    drop(db);
    let log = place.open();
    assert_eq!(log.tail_link(), (Seq::new(4), record.link));
    assert_eq!(log.read(Seq::FIRST, 2).unwrap(), lines(1..3));
    assert_eq!(
        log.read(Seq::FIRST, 9).unwrap_err().to_string(),
        "a newer Séance wrote this session, and this one cannot go on from event 3: event 3 is of a kind (100) that this Séance does not know; please update"
    );
    assert_eq!(log.records(Seq::new(3), 1).unwrap(), [bytes.into()]);
}

/// A database with several runs behind it: snapshots, and commits of many sizes.
fn lived_in() -> (OnDisk, Vec<Event>) {
    let place = OnDisk::new();
    let mut next = 1;
    for run in 0..4 {
        let log = place.open();
        for commit in 0..40 {
            let count = 1 + (run * 7 + commit * 3) % 23;
            log.append(lines(next..next + count)).wait().unwrap();
            next += count;
        }
    }
    (place, lines(1..next))
}

/// Copies a database, as after the process was killed: without the ballast.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in walk(from) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

/// Opens a damaged copy: what is there is the truth or an error names where it ends.
fn check_damaged(dir: &Path, truth: &[Event], has_mark: bool) {
    let whole = Seq::new(truth.len() as u64 + 1);
    match SledLog::open(dir, SESSION) {
        Ok(log) => {
            let tail = log.tail();
            assert!(tail <= whole);
            assert!(
                !has_mark || tail == whole,
                "a loss that nobody noticed: {tail:?}"
            );
            let mut cursor = 1;
            while cursor < tail.get() {
                match log.read(Seq::new(cursor), 50) {
                    Ok(events) => {
                        let at = cursor as usize - 1;
                        assert_eq!(events, truth[at..at + events.len()]);
                        cursor += events.len() as u64;
                    }
                    Err(ReadError::Damaged { seq, .. }) => {
                        assert!(seq >= Seq::new(cursor) && seq < tail);
                        break;
                    }
                    Err(other) => panic!("{other}"),
                }
            }
        }
        Err(OpenError::Damaged { seq, .. }) => {
            assert!(seq <= whole, "{seq} was never there");
            if let Ok(found) = salvage::scan(&dir.join(DB_FILE), None) {
                let saved = found.records(Seq::FIRST, usize::MAX).unwrap();
                let tail = found.tail_link().0;
                assert_eq!(saved.len() as u64 + 1, tail.get());
                for (record, event) in saved.iter().zip(truth) {
                    assert_eq!(*record.bytes, codec::encode(event));
                }
            }
        }
        Err(OpenError::Failed { source, .. }) => assert!(!source.to_string().is_empty()),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn flipped_bits_and_cut_files_are_noticed_and_never_shown_as_truth() {
    let (place, truth) = lived_in();
    let files: Vec<PathBuf> = walk(&place.dir());
    let strategy = (
        prop::sample::select(files),
        any::<prop::sample::Index>(),
        0u8..8,
        prop::bool::weighted(0.2),
        any::<bool>(),
    );
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&strategy, |(file, offset, bit, is_cut, keep_mark)| {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path().join("db");
        copy(&place.dir(), &dir);
        let target = dir.join(file.file_name().unwrap());
        let mut bytes = fs::read(&target).unwrap();
        if bytes.is_empty() {
            return Ok(());
        }
        // Most of a young database file is zeros: aim at what is written.
        let written = bytes
            .iter()
            .rposition(|&b| b != 0)
            .map_or(1, |last| last + 1);
        let offset = offset.index(written);
        if is_cut {
            bytes.truncate(offset);
        } else {
            bytes[offset] ^= 1 << bit;
        }
        fs::write(&target, bytes).unwrap();
        if !keep_mark {
            let _ = fs::remove_file(dir.join(MARK_FILE));
        }
        let has_mark = keep_mark && !file.ends_with(MARK_FILE);
        check_damaged(&dir, &truth, has_mark);
        Ok(())
    });
    if let Err(found) = outcome {
        panic!("{found}");
    }
}

#[test]
fn a_damaged_session_is_left_as_it_is_and_saved_up_to_the_damage() {
    let (place, truth) = lived_in();
    let db = place.dir().join(DB_FILE);
    let mut bytes = fs::read(&db).unwrap();
    // Damage every copy of one line in the last run.
    let victim = truth.len() - 20;
    let needle = codec::encode(&truth[victim]);
    let places: Vec<usize> = bytes
        .windows(needle.len())
        .enumerate()
        .filter_map(|(at, window)| (window == needle).then_some(at))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at + needle.len() - 3] ^= 1;
    }
    fs::write(&db, &bytes).unwrap();
    let refused = SledLog::open(&place.dir(), SESSION).unwrap_err();
    let seq = victim + 1;
    assert_eq!(
        refused.to_string(),
        format!(
            "this session is damaged from event {seq} on (the chain breaks here). Save what is whole \
             with `seance export`, then bring it back with `seance import`"
        )
    );
    assert!(fs::read(&db).unwrap() == bytes, "the evidence is untouched");
    let found = salvage::scan(&db, None).unwrap();
    assert_eq!(found.tail_link().0, Seq::new(seq as u64));
    let saved = found.records(Seq::FIRST, usize::MAX).unwrap();
    assert!(
        saved
            .iter()
            .map(|r| &*r.bytes)
            .eq(truth[..victim].iter().map(codec::encode))
    );
    let few = found.records(Seq::new(5), 30).unwrap();
    assert_eq!(few, saved[4..34]);
}

// What follows runs this test binary again as a child, at one of the tests named `child_…`,
// which do nothing unless the parent says where.

const CHILD_DIR: &str = "SEANCE_TEST_LOG_DIR";

fn child(test: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture", "--ignored"])
        .arg(format!("log::sled::tests::{test}"))
        .env(CHILD_DIR, dir)
        .stdin(Stdio::null());
    command
}

#[test]
#[ignore = "run as a child by the tests below"]
fn child_appends_for_ever_and_prints_what_was_acknowledged() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else {
        return;
    };
    let log = SledLog::open(Path::new(&dir), SESSION).unwrap();
    let mut pending = VecDeque::new();
    let mut next = log.tail().get();
    loop {
        let count = 1 + next % 5;
        pending.push_back((next + count, log.append(lines(next..next + count))));
        next += count;
        if pending.len() > 8 {
            let (tail, answer) = pending.pop_front().unwrap();
            answer.wait().unwrap();
            // One write call a line: what was printed was acknowledged.
            io::stdout()
                .write_all(format!("acknowledged {tail}\n").as_bytes())
                .unwrap();
        }
    }
}

#[test]
fn a_killed_program_loses_no_acknowledged_event() {
    use std::io::{BufRead, BufReader};
    let place = OnDisk::new();
    let mut acknowledged = 1;
    for round in 0..10 {
        let mut running = child(
            "child_appends_for_ever_and_prints_what_was_acknowledged",
            &place.dir(),
        )
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
        let mut output = BufReader::new(running.stdout.take().unwrap());
        let mut seen = 0;
        let mut line = String::new();
        while output.read_line(&mut line).unwrap() > 0 {
            if let Some(tail) = line.trim_end().strip_prefix("acknowledged ") {
                acknowledged = tail.parse::<u64>().unwrap();
                seen += 1;
            }
            line.clear();
            if seen == 1 {
                let second = SledLog::open(&place.dir(), SESSION).unwrap_err();
                assert!(matches!(second, OpenError::InUse), "{second}");
            }
            if seen == 20 + round * 17 {
                running.kill().unwrap(); // SIGKILL; what is in the pipe is still read
            }
        }
        assert!(seen >= 20 + round * 17, "the child ended by itself");
        running.wait().unwrap();
        let log = SledLog::open(&place.dir(), SESSION).unwrap();
        let tail = log.tail().get();
        assert!(
            tail >= acknowledged,
            "{acknowledged} was acknowledged, {tail} is the tail"
        );
        assert_eq!(log.verify_all().unwrap().tail.get(), tail);
        assert_eq!(read_all(&log, 1_000), lines(1..tail));
        acknowledged = tail;
    }
}

#[test]
#[ignore = "run as a child by the tests below"]
fn child_appends_until_the_system_refuses() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else {
        return;
    };
    let log = SledLog::open(Path::new(&dir), SESSION).unwrap();
    loop {
        let next = log.tail().get();
        if let Err(refused) = log.append(lines(next..next + 50)).wait() {
            assert_eq!(refused, AppendError::Full);
            assert_eq!(
                log.append(lines(next..next + 1)).wait(),
                Err(AppendError::Full)
            );
            assert_eq!(log.tail().get(), next);
            // What memory holds and what must come from the file.
            assert_eq!(read_all(&log, 700), lines(1..next));
            assert!(log.link_at(Seq::new(2)).unwrap().is_some());
            println!("acknowledged {next}");
            return;
        }
    }
}

/// The system refuses sled's own write: the door that asks for free space did not see it coming.
#[cfg(target_os = "linux")]
#[test]
fn a_write_that_sled_could_not_do_ends_in_a_readable_session() {
    let place = OnDisk::new();
    // Files may have 4 MiB and no more: a disk quota in small.
    let inner = child("child_appends_until_the_system_refuses", &place.dir());
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8192; exec \"$0\" \"$@\""])
        .arg(inner.get_program())
        .args(inner.get_args())
        .env(CHILD_DIR, place.dir())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    let (_, tail) = text.split_once("acknowledged ").unwrap();
    let tail: u64 = tail.split_whitespace().next().unwrap().parse().unwrap();
    assert!(tail > 10_000);
    let log = place.open();
    assert!(log.tail().get() >= tail);
    assert_eq!(
        log.read(Seq::FIRST, tail as usize - 1).unwrap(),
        lines(1..tail)
    );
}

#[test]
#[ignore = "run as a child by the test below"]
fn child_is_refused_a_folder_it_may_not_write() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else {
        return;
    };
    let refused = SledLog::open(&Path::new(&dir).join("db"), SESSION).unwrap_err();
    assert!(matches!(refused, OpenError::NoAccess(_)), "{refused:?}");
    println!("{refused}");
}

#[cfg(unix)]
#[test]
fn a_folder_without_write_access_is_named() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = child("child_is_refused_a_folder_it_may_not_write", place.path());
    if rustix::process::geteuid().is_root() {
        command.uid(65_534); // rights do not stop root
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("Séance may not write in"), "{text}");
}

#[test]
fn a_slow_disk_is_met_by_a_refusal_not_by_memory() {
    /// A disk that syncs when told to.
    #[derive(Debug)]
    struct SlowDisk(std::sync::Mutex<()>, AtomicU64);
    impl Disk for SlowDisk {
        fn sync(&self, file: &File) -> io::Result<()> {
            let _turn = self.0.lock().unwrap();
            self.1.fetch_add(1, Ordering::SeqCst);
            file.sync_data()
        }
    }
    let place = OnDisk::new();
    let disk = Arc::new(SlowDisk(std::sync::Mutex::new(()), AtomicU64::new(0)));
    let log = SledLog::open_on(&place.dir(), SESSION, disk.clone()).unwrap();
    let stuck = disk.0.lock().unwrap();
    let mut pending = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut next = 1;
    let busy = loop {
        assert!(Instant::now() < deadline);
        match log.append(lines(next..next + 1)) {
            Appending(crate::log::Answer::Known(Some(Err(refused)))) => break refused,
            coming => pending.push(coming),
        }
        next += 1;
    };
    assert_eq!(busy, AppendError::Busy);
    assert_eq!(
        log.tail(),
        Seq::FIRST,
        "nothing is seen before it is durable"
    );
    assert!(log.read(Seq::FIRST, 10).unwrap().is_empty());
    drop(stuck);
    for answer in pending {
        answer.wait().unwrap();
    }
    holds(&log, &lines(1..next));
    let syncs = disk.1.load(Ordering::SeqCst);
    assert!(
        next > 1_000 && syncs <= 3,
        "{next} appends took {syncs} syncs"
    );
}

#[test]
fn a_program_killed_while_opening_leaves_a_session_that_opens() {
    // Found by tests/images.rs, seed 1: sled reads the file it was still writing as a snapshot.
    let (place, truth) = lived_in();
    for length in [0, 7, 40] {
        let half = place.dir().join("snap.FFFFFFFFFFFFFFFF.generating");
        fs::write(half, vec![1; length]).unwrap();
        holds(&*place.open(), &truth);
    }
}

#[test]
fn what_a_killed_program_left_unsynced_is_synced_before_sled_speaks_of_it() {
    /// Notes the snapshots there were at each sync.
    #[derive(Debug)]
    struct Noting(PathBuf, std::sync::Mutex<Vec<Vec<PathBuf>>>);
    fn snapshots(dir: &Path) -> Vec<PathBuf> {
        let mut found = walk(dir);
        found.retain(|file| {
            file.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("snap.")
        });
        found.sort();
        found
    }
    impl Disk for Noting {
        fn sync(&self, file: &File) -> io::Result<()> {
            self.1.lock().unwrap().push(snapshots(&self.0));
            file.sync_data()
        }
    }
    let (place, _) = lived_in();
    let before = snapshots(&place.dir());
    let disk = Arc::new(Noting(place.dir(), std::sync::Mutex::default()));
    let log = SledLog::open_on(&place.dir(), SESSION, disk.clone()).unwrap();
    drop(log);
    let noted = disk.1.lock().unwrap();
    assert_eq!(
        *noted,
        std::slice::from_ref(&before),
        "one sync, before the new snapshot"
    );
    assert_ne!(before, snapshots(&place.dir()), "there was a new snapshot");
}

#[test]
fn what_is_acknowledged_is_in_the_file_as_its_sync_left_it() {
    /// Keeps a copy of the database as of each sync: all that a power cut leaves for sure.
    #[derive(Debug)]
    struct KeepingDisk(PathBuf, PathBuf, AtomicU64);
    impl Disk for KeepingDisk {
        fn sync(&self, file: &File) -> io::Result<()> {
            file.sync_data()?;
            let number = self.2.fetch_add(1, Ordering::SeqCst);
            copy(&self.0, &self.1.join(number.to_string()));
            Ok(())
        }
    }
    let place = OnDisk::new();
    let copies = place.0.path().join("copies");
    let disk = KeepingDisk(place.dir(), copies.clone(), AtomicU64::new(0));
    let log = SledLog::open_on(&place.dir(), SESSION, Arc::new(disk)).unwrap();
    let mut acknowledged = Vec::new();
    for commit in 0..25 {
        let next = log.tail().get();
        log.append(lines(next..next + 1 + commit * 5))
            .wait()
            .unwrap();
        acknowledged.push(log.tail_link());
    }
    drop(log);
    for (number, tail_link) in acknowledged.into_iter().enumerate() {
        let log = SledLog::open(&copies.join(number.to_string()), SESSION).unwrap();
        assert_eq!(log.tail_link(), tail_link);
        log.verify_all().unwrap();
    }
}

#[test]
fn the_longest_events_make_no_blob_files() {
    let place = OnDisk::new();
    let log = SledLog::open(&place.dir(), SESSION).unwrap();
    let long = |seq| of_bytes(seq, crate::log::RECORD_BYTES_MAX - 40);
    for first in (1..120).step_by(3) {
        log.append((first..first + 3).map(long).collect())
            .wait()
            .unwrap();
        // sled writes such a file first and forgets to sync it: it may never exist at all.
        assert!(
            fs::read_dir(place.dir().join("blobs"))
                .unwrap()
                .next()
                .is_none()
        );
    }
    drop(log);
    holds(&*place.open(), &(1..121).map(long).collect::<Vec<_>>());
}
