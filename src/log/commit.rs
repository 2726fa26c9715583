//! The value of one stored commit: events that became durable together.
//!
//! ```text
//! [magic e9][format][count, varint] ([length, varint][record][tag: 4])× [link of the last record: 32]
//! ```
//!
//! One value per commit and not per event: half the bytes on disk and 2.5 times
//! the durable rate, as measured. The full link stands once, at the end; in
//! between each record carries the first four bytes of its own, enough to say
//! *which* record is damaged while the end proves them all. Magic, density and
//! links make a commit recognisable anywhere in a damaged file, see
//! [`super::salvage`].

use super::Record;
use crate::engine::event::chain::Link;
use crate::engine::event::codec;
use crate::engine::id::{Epoch, Seq};

/// Values are split below this: from 16,000 bytes sled writes blob files, which it never syncs.
pub const VALUE_BYTES_MAX: usize = 8_000;

/// The format written by this version. Whoever raises it raises that of `sled`'s mark too.
pub const FORMAT: u8 = 1;

/// The first byte of every commit: `é`, and no byte that zeroed or free space holds.
pub const MAGIC: u8 = 0xe9;

/// How much of its link each record carries.
const TAG_BYTES: usize = 4;
const LINK_BYTES: usize = 32;
/// Magic, format, count and link.
const FRAME_BYTES: usize = 2 + 3 + LINK_BYTES;
/// Length and tag; a length below 16,384 takes two bytes.
const RECORD_FRAME_BYTES: usize = 2 + TAG_BYTES;

const _: () =
    assert!(super::RECORD_BYTES_MAX + FRAME_BYTES + RECORD_FRAME_BYTES <= VALUE_BYTES_MAX);

/// Cuts records that become durable together into runs that each fit one value.
pub fn split(records: &[Record]) -> impl Iterator<Item = &[Record]> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let mut bytes = FRAME_BYTES;
        let fitting = rest.iter().take_while(|record| {
            bytes += record.bytes.len() + RECORD_FRAME_BYTES;
            bytes <= VALUE_BYTES_MAX
        });
        let (run, behind) = rest.split_at(fitting.count());
        rest = behind;
        (!run.is_empty()).then_some(run)
    })
}

/// Writes one value; `records` is a run of [`split`].
///
/// # Panics
/// On an empty run, or one that does not fit a value.
pub fn encode(records: &[Record]) -> Vec<u8> {
    let last = records.last().expect("a commit holds an event");
    let mut value = vec![MAGIC, FORMAT];
    put_varint(&mut value, records.len());
    for record in records {
        put_varint(&mut value, record.bytes.len());
        value.extend_from_slice(&record.bytes);
        value.extend_from_slice(tag(&record.link));
    }
    value.extend_from_slice(last.link.as_bytes());
    assert!(value.len() <= VALUE_BYTES_MAX, "a run fits its value");
    value
}

/// The part of a link that stands beside its record.
pub fn tag(link: &Link) -> &[u8] {
    &link.as_bytes()[..TAG_BYTES]
}

/// A value's parts, not yet verified.
#[derive(Clone, Debug)]
pub struct Commit<'a> {
    /// Each record with its tag.
    records: Vec<(&'a [u8], &'a [u8])>,
    /// What the last record commits to.
    link: Link,
    /// How many bytes the value has.
    len: usize,
}

/// Why bytes are no commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotACommit {
    /// Written by a later version.
    Newer(u8),
    /// Not a commit's bytes.
    Damaged(&'static str),
}

/// The chain breaks at a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The first record that does not follow from what stands before it.
    pub seq: Seq,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl<'a> Commit<'a> {
    /// Reads the commit at the start of `bytes`; there may be more behind it.
    ///
    /// # Errors
    /// [`NotACommit`]; never panics, never allocates more than `bytes` could hold.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NotACommit> {
        const CUT: NotACommit = NotACommit::Damaged("it is cut short");
        match bytes {
            [MAGIC, FORMAT, ..] => {}
            [MAGIC, newer, ..] if *newer > FORMAT => return Err(NotACommit::Newer(*newer)),
            _ => return Err(NotACommit::Damaged("it is no commit")),
        }
        let (count, mut rest) = take_varint(&bytes[2..]).ok_or(CUT)?;
        if count == 0 || count > VALUE_BYTES_MAX / RECORD_FRAME_BYTES {
            return Err(NotACommit::Damaged("its count is wrong"));
        }
        let mut records = Vec::with_capacity(count.min(rest.len() / RECORD_FRAME_BYTES));
        for _ in 0..count {
            let (len, behind) = take_varint(rest).ok_or(CUT)?;
            let (record, behind) = behind.split_at_checked(len).ok_or(CUT)?;
            let (tag, behind) = behind.split_at_checked(TAG_BYTES).ok_or(CUT)?;
            records.push((record, tag));
            rest = behind;
        }
        let (link, rest) = rest.split_first_chunk::<LINK_BYTES>().ok_or(CUT)?;
        Ok(Self {
            records,
            link: Link::from_bytes(*link),
            len: bytes.len() - rest.len(),
        })
    }

    /// Reads a stored value, which must be one commit and nothing more.
    ///
    /// # Errors
    /// As [`Commit::parse`].
    pub fn parse_whole(value: &'a [u8]) -> Result<Self, NotACommit> {
        let commit = Self::parse(value)?;
        if commit.len == value.len() {
            Ok(commit)
        } else {
            Err(NotACommit::Damaged("there are bytes behind it"))
        }
    }

    /// How many events it holds; at least one.
    pub fn count(&self) -> u64 {
        self.records.len() as u64
    }

    /// How many bytes it takes.
    pub const fn byte_len(&self) -> usize {
        self.len
    }

    /// What its last record commits to, as it says itself.
    pub const fn link(&self) -> Link {
        self.link
    }

    /// The records' bytes.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> + Clone {
        self.records.iter().map(|(record, _)| *record)
    }

    /// The seq its first record claims.
    pub fn first(&self) -> Option<Seq> {
        let (record, _) = self.records.first()?;
        codec::split(record).ok().map(|(header, _)| header.seq)
    }

    /// The epoch of its last record.
    pub fn epoch(&self) -> Option<Epoch> {
        let (record, _) = self.records.last()?;
        codec::split(record).ok().map(|(header, _)| header.epoch)
    }

    /// Recomputes the chain behind `before` and hands every record's link to `seen`.
    ///
    /// # Errors
    /// [`Broken`] at the first record that does not follow.
    pub fn verify(
        &self,
        first: Seq,
        before: Link,
        mut seen: impl FnMut(Seq, Link),
    ) -> Result<Link, Broken> {
        let (mut seq, mut link) = (first, before);
        for (record, tagged) in &self.records {
            link = follow(seq, link, record, tagged)?;
            seen(seq, link);
            seq = seq.next();
        }
        if link == self.link {
            Ok(link)
        } else {
            Err(Broken {
                seq: first,
                reason: "its commit's link is wrong",
            })
        }
    }
}

/// The link of `record` behind `before`, if it is the record at `seq` and matches its tag.
///
/// # Errors
/// [`Broken`] with this seq.
pub fn follow(seq: Seq, before: Link, record: &[u8], tagged: &[u8]) -> Result<Link, Broken> {
    let broken = |reason| Broken { seq, reason };
    let (header, parts) = codec::split(record).map_err(|_| broken("its header does not read"))?;
    if header.seq != seq {
        return Err(broken("another event stands in its place"));
    }
    let link = before.then(parts.header, parts.body);
    if tag(&link) == tagged {
        Ok(link)
    } else {
        Err(broken("the chain breaks here"))
    }
}

/// Writes a length as postcard would: seven bits a byte, low ones first.
pub(super) fn put_varint(into: &mut Vec<u8>, number: usize) {
    let number = u32::try_from(number).expect("a length here stays far below 2^32");
    *into = postcard::to_extend(&number, std::mem::take(into))
        .expect("a number always encodes into memory");
}

fn take_varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = postcard::take_from_bytes::<u32>(bytes).ok()?;
    Some((usize::try_from(number).ok()?, rest))
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use super::*;
    use crate::log::Edge;
    use crate::log::contract::history;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_commit_reads_back_with_its_chain(events in history(1..200)) {
            let records = { Edge::EMPTY }.admit(&events).unwrap();
            let (mut seq, mut link) = (Seq::FIRST, Link::GENESIS);
            for run in split(&records) {
                let value = encode(run);
                prop_assert!(value.len() <= VALUE_BYTES_MAX);
                let commit = Commit::parse_whole(&value).unwrap();
                prop_assert_eq!(commit.first(), Some(seq));
                link = commit.verify(seq, link, |_, _| {}).unwrap();
                seq = Seq::new(seq.get() + commit.count());
            }
            prop_assert_eq!(link, records.last().unwrap().link);
            prop_assert_eq!(seq.get(), 1 + events.len() as u64);
        }

        #[test]
        fn a_changed_byte_never_passes(events in history(1..20), place: prop::sample::Index, flip in 1u8..) {
            let records = { Edge::EMPTY }.admit(&events).unwrap();
            let mut value = encode(split(&records).next().unwrap());
            let place = place.index(value.len());
            value[place] ^= flip;
            if let Ok(commit) = Commit::parse_whole(&value) {
                let verified = commit.verify(Seq::FIRST, Link::GENESIS, |_, _| {});
                prop_assert!(verified.is_err(), "{:?} passed", verified);
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Commit::parse(&bytes);
            bytes.splice(..bytes.len().min(2), [MAGIC, FORMAT]);
            let _ = Commit::parse(&bytes);
        }
    }
}
