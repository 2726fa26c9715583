//! The only place where bytes become events.
//!
//! Layout: `[format][postcard header][body length, varint][postcard body]`.
//! postcard is positional and cannot skip what it does not know (PITFALLS), so
//! the format stands outside and the body behind its length: an older reader
//! that meets a newer body can still name the event's seq and say "please
//! upgrade" instead of guessing.

use super::{BODY_KINDS, Body, Event, Header};
use crate::engine::id::Seq;

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
    let (header, rest) = postcard::take_from_bytes::<Header>(behind_format)
        .map_err(|_| DecodeError::Damaged("the header does not read"))?;
    let header_len = bytes.len() - rest.len();
    let (length, body) =
        postcard::take_from_bytes::<u32>(rest).map_err(|_| DecodeError::Damaged("no length"))?;
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
