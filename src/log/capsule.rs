//! One session as one file: to hand on, to keep, and to recover with.
//!
//! ```text
//! ["séance capsule\n"][format][header length, varint][header]
//! ([length, varint][record][tag: 4])×          the exact bytes of the log, dense from 1
//! [0][tail: 8][link of the last record: 32][BLAKE3 of the header: 32]
//! ```
//!
//! Written and read as a stream, in bounded memory. The tags say which event is
//! damaged, the link proves all of them, the zero says that nothing was cut off.
//! Inside is what every member saw: no keys, no invites, no addresses of machines.
//! Import writes nothing before the whole file has been read and proven.

use std::io::{self, BufReader, Read, Write};

use serde::{Deserialize, Serialize};

use super::commit::{self, Broken, put_varint};
use super::salvage::Salvage;
use super::{AppendError, EventLog, RECORD_BYTES_MAX, ReadError, Record, decode_at};
use crate::engine::event::chain::Link;
use crate::engine::event::codec;
use crate::engine::id::{Seq, SessionId};

/// The format written by this version.
pub const FORMAT: u8 = 1;

/// How a capsule begins.
pub const MAGIC: &[u8; 16] = b"s\xc3\xa9ance capsule\n";

/// Longer headers are none: a title has at most a few hundred bytes.
const HEADER_BYTES_MAX: usize = 4_096;

/// Records read or appended at once: a few hundred KiB of memory.
const PAGE: usize = 512;

/// What a capsule says about itself. Positional, like an event: a change is a new [`FORMAT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapsuleHeader {
    /// Which session.
    pub session: SessionId,
    /// What people call it.
    pub title: String,
    /// When it was opened, in milliseconds since 1970, for people.
    pub created: u64,
}

/// What a whole capsule holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What it says about itself.
    pub header: CapsuleHeader,
    /// The seq behind its last event.
    pub tail: Seq,
    /// What its last event commits to.
    pub link: Link,
}

/// Why a capsule could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file could not be written.
    #[error("the capsule could not be written: {0}")]
    Write(#[from] io::Error),
}

/// Why a capsule was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Not a capsule at all.
    #[error("this file is no Séance capsule; `seance export` makes one")]
    NotACapsule,
    /// Written by a later version.
    #[error(
        "this capsule was written by a newer Séance (format {0}, this one knows {FORMAT}); please update"
    )]
    Newer(u8),
    /// An event of a later version.
    #[error(transparent)]
    NewerEvent(ReadError),
    /// Not what was exported.
    #[error("this capsule is damaged at event {seq} ({reason}); ask for it again")]
    Damaged {
        /// The first event that cannot be trusted.
        seq: Seq,
        /// What is wrong.
        reason: String,
    },
    /// The file ends too early.
    #[error("this capsule is cut off behind event {last}; ask for it again")]
    Cut {
        /// The last whole event.
        last: Seq,
    },
    /// The file could not be read.
    #[error("the capsule could not be read: {0}")]
    Read(io::Error),
    /// The log did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Where a capsule's records come from: a log, or what was saved of a damaged one.
pub trait Source {
    /// Records `[from, from + limit)` with their links; fewer only at the end.
    ///
    /// # Errors
    /// [`ReadError`].
    fn page(&self, from: Seq, limit: usize) -> Result<Vec<Record>, ReadError>;
}

impl Source for Salvage {
    fn page(&self, from: Seq, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.records(from, limit)
    }
}

impl Source for dyn EventLog {
    fn page(&self, from: Seq, limit: usize) -> Result<Vec<Record>, ReadError> {
        let before = Seq::new(from.get() - 1);
        let mut link = self.link_at(before)?.unwrap_or(Link::GENESIS);
        let mut records = Vec::new();
        for (bytes, seq) in self.records(from, limit)?.into_iter().zip(from.get()..) {
            let (_, parts) = codec::split(&bytes).map_err(|e| ReadError::Damaged {
                seq: Seq::new(seq),
                reason: e.to_string(),
            })?;
            link = link.then(parts.header, parts.body);
            records.push(Record { bytes, link });
        }
        Ok(records)
    }
}

/// Writes everything that `source` holds now.
///
/// The caller buffers, syncs and renames: see [`super::store::Home::export`].
///
/// # Errors
/// [`ExportError`]; what was written then is no whole capsule, and says so when read.
pub fn export<S: Source + ?Sized>(
    source: &S,
    header: &CapsuleHeader,
    into: &mut impl Write,
) -> Result<Summary, ExportError> {
    let header_bytes = encode_header(header)?;
    let mut bytes = MAGIC.to_vec();
    bytes.push(FORMAT);
    put_varint(&mut bytes, header_bytes.len());
    bytes.extend_from_slice(&header_bytes);
    into.write_all(&bytes)?;
    let (mut tail, mut link) = (Seq::FIRST, Link::GENESIS);
    loop {
        let page = source.page(tail, PAGE)?;
        for record in &page {
            bytes.clear();
            put_varint(&mut bytes, record.bytes.len());
            bytes.extend_from_slice(&record.bytes);
            bytes.extend_from_slice(commit::tag(&record.link));
            into.write_all(&bytes)?;
            (tail, link) = (tail.next(), record.link);
        }
        if page.is_empty() {
            break;
        }
    }
    bytes.clear();
    bytes.push(0);
    bytes.extend_from_slice(&tail.get().to_be_bytes());
    bytes.extend_from_slice(link.as_bytes());
    bytes.extend_from_slice(blake3::hash(&header_bytes).as_bytes());
    into.write_all(&bytes)?;
    into.flush()?;
    Ok(Summary {
        header: header.clone(),
        tail,
        link,
    })
}

fn encode_header(header: &CapsuleHeader) -> io::Result<Vec<u8>> {
    let bytes = postcard::to_stdvec(header).expect("a header always encodes into memory");
    if bytes.len() > HEADER_BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the session's title is too long",
        ));
    }
    Ok(bytes)
}

/// Reads a whole capsule and proves it, without writing anything.
///
/// # Errors
/// [`ImportError`], all but `Append`.
pub fn verify(from: impl Read) -> Result<Summary, ImportError> {
    let mut reader = CapsuleReader::open(from)?;
    while reader.next_record()?.is_some() {}
    reader.finish()
}

/// Appends a whole capsule to an empty log. Prove the file by [`verify`] first.
///
/// # Errors
/// [`ImportError`]; then the log holds a part and must be thrown away.
pub fn import(from: impl Read, log: &dyn EventLog) -> Result<Summary, ImportError> {
    let mut reader = CapsuleReader::open(from)?;
    let mut more = true;
    while more {
        let mut events = Vec::with_capacity(PAGE);
        while more && events.len() < PAGE {
            match reader.next_event()? {
                Some(event) => events.push(event),
                None => more = false,
            }
        }
        log.append(events).wait()?;
    }
    let summary = reader.finish()?;
    if log.tail_link() == (summary.tail, summary.link) {
        Ok(summary)
    } else {
        Err(ImportError::Damaged {
            seq: Seq::new(log.tail().get() - 1),
            reason: "the log was not empty, or took something else".into(),
        })
    }
}

/// A capsule as a stream of records, each proven against the one before.
#[derive(Debug)]
pub struct CapsuleReader<R> {
    from: BufReader<R>,
    header: CapsuleHeader,
    header_digest: blake3::Hash,
    next: Seq,
    link: Link,
    record: Vec<u8>,
}

impl<R: Read> CapsuleReader<R> {
    /// Reads up to the first record.
    ///
    /// # Errors
    /// [`ImportError::NotACapsule`], `Newer`, `Cut`, `Read`.
    pub fn open(from: R) -> Result<Self, ImportError> {
        let mut from = BufReader::new(from);
        let mut start = [0; MAGIC.len() + 1];
        match from.read_exact(&mut start) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(ImportError::NotACapsule);
            }
            Err(e) => return Err(ImportError::Read(e)),
        }
        match start.strip_prefix(MAGIC.as_slice()) {
            Some([FORMAT]) => {}
            Some([newer]) if *newer > FORMAT => return Err(ImportError::Newer(*newer)),
            _ => return Err(ImportError::NotACapsule),
        }
        let mut reader = Self {
            from,
            header: CapsuleHeader {
                session: SessionId::new(0),
                title: String::new(),
                created: 0,
            },
            header_digest: blake3::hash(&[]),
            next: Seq::FIRST,
            link: Link::GENESIS,
            record: Vec::new(),
        };
        let len = reader.varint()?;
        if len > HEADER_BYTES_MAX {
            return Err(reader.damaged("its header is too long"));
        }
        let bytes = reader.bytes(len)?;
        reader.header_digest = blake3::hash(&bytes);
        reader.header = match postcard::take_from_bytes(&bytes) {
            Ok((header, [])) => header,
            _ => return Err(reader.damaged("its header does not read")),
        };
        Ok(reader)
    }

    /// What the capsule says about itself; proven only by [`CapsuleReader::finish`].
    pub const fn header(&self) -> &CapsuleHeader {
        &self.header
    }

    /// The next record's bytes; `None` behind the last one.
    ///
    /// # Errors
    /// [`ImportError::Damaged`], `Cut`, `Read`.
    pub fn next_record(&mut self) -> Result<Option<&[u8]>, ImportError> {
        let len = self.varint()?;
        if len == 0 {
            return Ok(None);
        }
        if len > RECORD_BYTES_MAX {
            return Err(self.damaged("it is too long"));
        }
        let mut record = std::mem::take(&mut self.record);
        record.resize(len, 0);
        let read = self.exact(&mut record);
        self.record = record;
        read?;
        let mut tag = [0; 4];
        self.exact(&mut tag)?;
        self.link = commit::follow(self.next, self.link, &self.record, &tag).map_err(
            |Broken { seq, reason }| ImportError::Damaged {
                seq,
                reason: reason.into(),
            },
        )?;
        self.next = self.next.next();
        Ok(Some(&self.record))
    }

    /// The next record as an event of this version.
    fn next_event(&mut self) -> Result<Option<crate::engine::event::Event>, ImportError> {
        let seq = self.next;
        let Some(bytes) = self.next_record()? else {
            return Ok(None);
        };
        let event = decode_at(seq, bytes).map_err(|e| match e {
            ReadError::Damaged { seq, reason } => ImportError::Damaged { seq, reason },
            newer => ImportError::NewerEvent(newer),
        })?;
        // The log writes events, not bytes: what it would write must be what was read.
        if codec::encode(&event) != bytes {
            return Err(ImportError::Damaged {
                seq,
                reason: "no Séance writes it like this".into(),
            });
        }
        Ok(Some(event))
    }

    /// Proves the end; to be called once [`CapsuleReader::next_record`] said `None`.
    ///
    /// # Errors
    /// [`ImportError::Damaged`], `Cut`, `Read`.
    pub fn finish(mut self) -> Result<Summary, ImportError> {
        let mut end = [0; 8 + 32 + 32];
        self.exact(&mut end)?;
        let proven = end[..8] == self.next.get().to_be_bytes()
            && end[8..40] == *self.link.as_bytes()
            && end[40..] == *self.header_digest.as_bytes();
        if !proven {
            return Err(self.damaged("its end does not match what stands before"));
        }
        if self.from.read(&mut [0]).map_err(ImportError::Read)? != 0 {
            return Err(self.damaged("there are bytes behind its end"));
        }
        Ok(Summary {
            header: self.header,
            tail: self.next,
            link: self.link,
        })
    }

    fn damaged(&self, reason: &str) -> ImportError {
        ImportError::Damaged {
            seq: self.next,
            reason: reason.into(),
        }
    }

    fn exact(&mut self, into: &mut [u8]) -> Result<(), ImportError> {
        self.from.read_exact(into).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => ImportError::Cut {
                last: Seq::new(self.next.get() - 1),
            },
            _ => ImportError::Read(e),
        })
    }

    fn bytes(&mut self, len: usize) -> Result<Vec<u8>, ImportError> {
        let mut bytes = vec![0; len];
        self.exact(&mut bytes)?;
        Ok(bytes)
    }

    fn varint(&mut self) -> Result<usize, ImportError> {
        let mut number = 0;
        // Three bytes hold more than any length here.
        for shift in [0, 7, 14] {
            let mut byte = [0];
            self.exact(&mut byte)?;
            number |= usize::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.damaged("its length does not read"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::contract::{history, holds, lines};
    use crate::log::memory::MemoryLog;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn header() -> CapsuleHeader {
        CapsuleHeader {
            session: SessionId::new(42),
            title: "Friday".into(),
            created: 1_790_000_000_000,
        }
    }

    fn capsule_of(events: &[crate::engine::event::Event]) -> Vec<u8> {
        let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
        log.append(events.to_vec()).wait().unwrap();
        let mut bytes = Vec::new();
        let summary = export(&*log, &header(), &mut bytes).unwrap();
        assert_eq!((summary.tail, summary.link), log.tail_link());
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_session_survives_the_way_through_a_capsule(events in history(0..200)) {
            let bytes = capsule_of(&events);
            let copy = MemoryLog::new();
            let summary = import(&bytes[..], &copy).unwrap();
            prop_assert_eq!(summary.header, header());
            holds(&copy, &events);
            prop_assert_eq!(capsule_of(&events), bytes, "the same session makes the same file");
        }

        #[test]
        fn a_changed_bit_is_refused(events in history(1..30), place: prop::sample::Index, bit in 0u8..8) {
            let mut bytes = capsule_of(&events);
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            let read = verify(&bytes[..]);
            prop_assert!(read.is_err(), "{:?} passed", read);
        }

        #[test]
        fn a_cut_capsule_names_the_last_whole_event(events in history(1..30), place: prop::sample::Index) {
            let bytes = capsule_of(&events);
            let cut = &bytes[..place.index(bytes.len())];
            let ends: Vec<u64> = (0..=events.len() as u64).filter(|&count| {
                // The capsule's length up to and with each event, without the end's 73 bytes.
                capsule_of(&events[..count as usize]).len() - 73 <= cut.len()
            }).collect();
            match verify(cut) {
                Err(ImportError::Cut { last }) => prop_assert_eq!(Some(&last.get()), ends.last().or(Some(&0))),
                Err(ImportError::NotACapsule) => prop_assert!(cut.len() <= MAGIC.len()),
                other => prop_assert!(false, "{:?}", other),
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = verify(&bytes[..]);
            bytes.splice(..bytes.len().min(17), [MAGIC.as_slice(), &[FORMAT]].concat());
            let _ = verify(&bytes[..]);
        }
    }

    #[test]
    fn a_later_format_and_another_file_are_told_apart() {
        let mut bytes = capsule_of(&lines(1..3));
        assert_eq!(
            verify(&b"PK\x03\x04 something else entirely"[..])
                .unwrap_err()
                .to_string(),
            "this file is no Séance capsule; `seance export` makes one"
        );
        bytes[MAGIC.len()] = 2;
        assert_eq!(
            verify(&bytes[..]).unwrap_err().to_string(),
            "this capsule was written by a newer Séance (format 2, this one knows 1); please update"
        );
    }
}
