//! Vimeo.
//!
//! The id is digits, and behind a colon the hash that opens an unlisted video.

use super::address::Address;
use super::start::with_secs;
use super::{Found, Media, Provider, Site};
use crate::engine::unit::MediaTime;

pub(super) const SITE: Site = Site {
    name: "Vimeo",
    domains: &["vimeo.com"],
    read,
};

/// | form | host |
/// |---|---|
/// | `/N`, `/N/{hash}` | vimeo.com |
/// | `/channels/{c}/N`, `/groups/{g}/videos/N`, `/album/{a}/video/N`, `/showcase/{s}/video/N`, `/ondemand/{o}/N` | vimeo.com |
/// | `/video/N?h={hash}` | player.vimeo.com |
///
/// A review link's hash is of another kind and an event's number is no video's: refused.
fn read(address: &Address) -> Option<Found> {
    let path = address.path();
    let (id, hash) = match (address.host(), path.as_slice()) {
        ("player.vimeo.com", ["video", id]) => (*id, None),
        ("vimeo.com" | "www.vimeo.com", path) => match path {
            [id] | ["channels" | "ondemand", _, id] => (*id, None),
            ["groups", _, "videos", id] | ["album" | "showcase", _, "video", id] => (*id, None),
            [id, hash] => (*id, Some(*hash)),
            _ => return None,
        },
        _ => return None,
    };
    let asked = address.query("h");
    let hash = hash.or(asked.as_deref());
    let sound = (1..=12).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_digit())
        // Never dropped: without its hash the video does not open.
        && hash.is_none_or(is_hash);
    let id = match hash {
        Some(hash) => format!("{id}:{hash}"),
        None => id.to_owned(),
    };
    sound.then(|| Found {
        media: Media::new(Provider::Vimeo, id),
        start: address.start(&["t"]),
    })
}

fn is_hash(hash: &str) -> bool {
    hash.len() == 10
        && hash
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

pub(super) fn url(id: &str, start: MediaTime) -> String {
    let page = format!("https://vimeo.com/{}", id.replacen(':', "/", 1));
    with_secs(page, "#t=", start, "s")
}
