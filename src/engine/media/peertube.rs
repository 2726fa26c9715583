//! PeerTube: one program on thousands of hosts, known by the shape of its addresses.
//!
//! The id is `host[:port]/{id}`. The party's host must allow the instance, as any foreign host.

use super::address::Address;
use super::shape::read_uuid;
use super::start::with_secs;
use super::{Found, Media, NotMedia, Provider};
use crate::engine::unit::MediaTime;

/// `/w/ID`, `/videos/watch/ID`, `/videos/embed/ID`; `None` where it has not that shape.
///
/// Over plain http it stays a page, because the rebuilt address is https.
///
/// # Errors
/// [`NotMedia::NoVideo`] for `/w/p/ID` and `/videos/watch/playlist/ID`, which are lists.
pub(super) fn read(address: &Address) -> Option<Result<Found, NotMedia>> {
    let path = address.path();
    let id = match path.as_slice() {
        ["w", "p", id] | ["videos", "watch" | "embed", "playlist", id] => {
            read_id(id)?;
            return Some(Err(NotMedia::NoVideo(Provider::PeerTube.name())));
        }
        ["w", id] | ["videos", "watch" | "embed", id] => read_id(id)?,
        _ => return None,
    };
    if !address.is_secure() {
        return None;
    }
    Some(Ok(Found {
        media: Media::new(Provider::PeerTube, format!("{}/{id}", address.authority())),
        start: address.start(&["start"]),
    }))
}

/// A uuid or its short spelling of 22 letters; `;threadId=…`, a comment's place, is dropped.
fn read_id(piece: &str) -> Option<String> {
    let id = piece.split_once(';').map_or(piece, |(id, _)| id);
    let short = id.len() == 22 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    read_uuid(id).or_else(|| short.then(|| id.to_owned()))
}

pub(super) fn url(id: &str, start: MediaTime) -> String {
    let (host, id) = id.split_once('/').unwrap_or((id, ""));
    with_secs(format!("https://{host}/w/{id}"), "?start=", start, "s")
}
