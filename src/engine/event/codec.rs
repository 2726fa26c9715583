//! The only place where bytes become events.
//!
//! Layout: `[format][postcard header][body length, varint][postcard body]`.
//! postcard is positional and cannot skip what it does not know, so
//! the format stands outside and the body behind its length: an older reader
//! that meets a newer body can still name the event's seq and say "please
//! upgrade" instead of guessing.

use super::varint::{take_u32, take_u64};
use super::{BODY_KINDS, Body, Event, Header, Via};
use crate::engine::id::{Epoch, MemberId, Seq, Stamp};
use crate::engine::unit::{MICROS_MAX, SessionTime};

/// The format written by this version.
pub const FORMAT: u8 = 1;

/// The longest encoded event a reader accepts: far above what limits on names and lines allow.
pub const EVENT_BYTES_MAX: usize = 8 * 1024;

/// Why bytes are no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a later version of the program.
    #[error("event format {0} is newer than this Séance knows (it knows {FORMAT}); please update")]
    NewerFormat(u8),
    /// A kind of event that a later version added.
    #[error("event {seq} is of a kind ({kind}) that this Séance does not know; please update")]
    NewerKind {
        /// Which event.
        seq: Seq,
        /// The kind's number.
        kind: u32,
    },
    /// A known kind with something in it that no version up to this one writes.
    #[error(
        "event {seq} holds something (kind {kind}) that this Séance does not know; please update"
    )]
    NewerPart {
        /// Which event.
        seq: Seq,
        /// The kind's number.
        kind: u32,
    },
    /// Not the bytes of an event, or damaged ones.
    #[error("damaged event: {0}")]
    Damaged(&'static str),
}

/// An event's bytes, split where the chain and redaction need them split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Format byte and header.
    pub header: &'a [u8],
    /// The body, without its length.
    pub body: &'a [u8],
}

/// Writes an event.
pub fn encode(event: &Event) -> Vec<u8> {
    // What most events need, in one piece.
    let mut bytes = Vec::with_capacity(128);
    bytes.push(FORMAT);
    let mut bytes =
        postcard::to_extend(&event.header, bytes).expect("a header always encodes into memory");
    // The length stands before the body and is known behind it: nearly always it is one byte.
    let at = bytes.len();
    bytes.push(0);
    let mut bytes =
        postcard::to_extend(&event.body, bytes).expect("a body always encodes into memory");
    let len = bytes.len() - at - 1;
    match u8::try_from(len) {
        Ok(short) if short < 0x80 => bytes[at] = short,
        _ => {
            let len = postcard::to_stdvec(&(len as u32)).expect("a length encodes into memory");
            bytes.splice(at..=at, len);
        }
    }
    bytes
}

/// Reads an event; the whole of `bytes` must be one.
///
/// # Errors
/// [`DecodeError`]; never panics and never allocates more than `bytes` could hold.
pub fn decode(bytes: &[u8]) -> Result<Event, DecodeError> {
    let (header, parts) = split(bytes)?;
    let kind = match parts.body.first() {
        // One byte for as long as there are fewer than 128 kinds.
        Some(&kind) if kind < 0x80 => u32::from(kind),
        _ => {
            postcard::take_from_bytes::<u32>(parts.body)
                .map_err(|_| DecodeError::Damaged("no kind"))?
                .0
        }
    };
    if kind >= BODY_KINDS {
        return Err(DecodeError::NewerKind {
            seq: header.seq,
            kind,
        });
    }
    let (body, rest) =
        postcard::take_from_bytes::<Body>(parts.body).map_err(|error| match error {
            // The bytes read as far as they go, and what they say is none of the values there are:
            // a variant that was added inside, or a limit that was moved.
            postcard::Error::SerdeDeCustom => DecodeError::NewerPart {
                seq: header.seq,
                kind,
            },
            _ => DecodeError::Damaged("the body does not read"),
        })?;
    if !rest.is_empty() {
        return Err(DecodeError::Damaged("bytes behind the body"));
    }
    Ok(Event { header, body })
}

/// Reads the header and finds the borders, without reading the body.
///
/// # Errors
/// As [`decode`], but a newer kind of body is fine.
pub fn split(bytes: &[u8]) -> Result<(Header, Parts<'_>), DecodeError> {
    if bytes.len() > EVENT_BYTES_MAX {
        return Err(DecodeError::Damaged("too long"));
    }
    let (&format, behind_format) = bytes.split_first().ok_or(DecodeError::Damaged("empty"))?;
    match format {
        FORMAT => {}
        0 => return Err(DecodeError::Damaged("format 0")),
        newer => return Err(DecodeError::NewerFormat(newer)),
    }
    let (header, rest) =
        take_header(behind_format).ok_or(DecodeError::Damaged("the header does not read"))?;
    let header_len = bytes.len() - rest.len();
    let (length, body) = take_u32(rest).ok_or(DecodeError::Damaged("no length"))?;
    if body.len() != length as usize {
        return Err(DecodeError::Damaged("the length is wrong"));
    }
    Ok((
        header,
        Parts {
            header: &bytes[..header_len],
            body,
        },
    ))
}

/// Reads what postcard writes of a [`Header`], field by field.
#[inline]
fn take_header(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let (seq, rest) = take_u64(bytes)?;
    let (epoch, rest) = take_u32(rest)?;
    let (stamp, rest) = take_u64(rest)?;
    let (at, rest) = take_u64(rest)?;
    let (wall, rest) = take_u64(rest)?;
    let (by, rest) = take_option(rest, take_u32)?;
    let (via, rest) = take_u32(rest)?;
    let (cause, rest) = take_option(rest, take_u64)?;
    let (intent, rest) = take_option(rest, take_u64)?;
    let header = Header {
        seq: Seq::new(seq),
        epoch: Epoch::new(epoch),
        stamp: Stamp::new(stamp),
        at: (at <= MICROS_MAX as u64).then(|| SessionTime::new(at))?,
        wall,
        by: by.map(MemberId::new),
        via: *Via::ALL.get(via as usize)?,
        cause: cause.map(Seq::new),
        intent,
    };
    Some((header, rest))
}

#[inline]
fn take_option<T>(
    bytes: &[u8],
    take: impl FnOnce(&[u8]) -> Option<(T, &[u8])>,
) -> Option<(Option<T>, &[u8])> {
    match bytes.split_first()? {
        (0, rest) => Some((None, rest)),
        (1, rest) => take(rest).map(|(value, rest)| (Some(value), rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Numbers of every length, the edges among them.
    fn number() -> impl Strategy<Value = u64> {
        (0..=64u32, any::<u64>())
            .prop_map(|(bits, number)| number & u64::MAX.checked_shr(64 - bits).unwrap_or(0))
    }

    prop_compose! {
        fn header()(
            seq in number(), epoch: u32, stamp in number(), at in number(), wall in number(),
            by: Option<u8>, via in 0..Via::ALL.len(), cause in prop::option::of(number()),
            intent in prop::option::of(number()),
        ) -> Header {
            Header {
                seq: Seq::new(seq),
                epoch: Epoch::new(epoch),
                stamp: Stamp::new(stamp),
                at: SessionTime::new(at),
                wall,
                by: by.map(|by| MemberId::new(by.into())),
                via: Via::ALL[via],
                cause: cause.map(Seq::new),
                intent,
            }
        }
    }

    fn with_postcard(bytes: &[u8]) -> Option<(Header, &[u8])> {
        postcard::take_from_bytes(bytes).ok()
    }

    proptest! {
        #[test]
        fn a_header_is_read_as_postcard_writes_it(header in header(), behind: Vec<u8>) {
            let mut bytes = postcard::to_stdvec(&header).unwrap();
            bytes.extend(&behind);
            prop_assert_eq!(take_header(&bytes), Some((header, behind.as_slice())));
        }

        #[test]
        fn what_postcard_refuses_is_refused(header in header(), place: prop::sample::Index, byte: u8, cut: bool) {
            let mut bytes = postcard::to_stdvec(&header).unwrap();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            if cut {
                bytes.truncate(place);
            }
            prop_assert_eq!(take_header(&bytes), with_postcard(&bytes));
        }

        #[test]
        fn any_bytes_are_the_header_that_postcard_sees(bytes: [u8; 40]) {
            prop_assert_eq!(take_header(&bytes), with_postcard(&bytes));
        }
    }

    #[test]
    fn every_input_has_its_number() {
        for number in 0..=Via::ALL.len() as u32 {
            let bytes = postcard::to_stdvec(&number).unwrap();
            let via = postcard::from_bytes::<Via>(&bytes).ok();
            assert_eq!(Via::ALL.get(number as usize).copied(), via);
        }
    }
}
