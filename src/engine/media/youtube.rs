//! YouTube.

use super::address::Address;
use super::start::with_secs;
use super::{Found, Media, Provider, Site};
use crate::engine::unit::MediaTime;

pub(super) const SITE: Site = Site {
    name: "YouTube",
    domains: &["youtube.com", "youtube-nocookie.com", "youtu.be"],
    read,
};

/// | form | hosts |
/// |---|---|
/// | `/watch?v=ID` | youtube.com, www., m., music. |
/// | `/shorts/ID`, `/live/ID`, `/embed/ID`, `/v/ID`, `/e/ID` | the same and youtube-nocookie.com |
/// | `/ID` | youtu.be |
/// | `/m?continue=<one of the above>` | consent.youtube.com |
fn read(address: &Address) -> Option<Found> {
    if address.host() != "consent.youtube.com" {
        return read_video(address);
    }
    // The consent page names the video it stands in front of; unwrapped once,
    // so that nested pages cannot make the reader recurse.
    let wrapped = Address::read(&address.query("continue")?).ok()?;
    let honest = SITE.owns(wrapped.host()) && !wrapped.has_port();
    honest.then(|| read_video(&wrapped))?
}

fn read_video(address: &Address) -> Option<Found> {
    let path = address.path();
    let full = address.is_on(&["youtube.com", "m.youtube.com", "music.youtube.com"]);
    let framed = full || address.is_on(&["youtube-nocookie.com"]);
    let watched = address.query("v");
    let id = match path.as_slice() {
        ["watch"] if full => watched.as_deref()?,
        ["shorts" | "live" | "embed" | "v" | "e", id] if framed => id,
        [id] if address.is_on(&["youtu.be"]) => id,
        _ => return None,
    };
    is_id(id).then(|| Found {
        media: Media::new(Provider::Youtube, id),
        start: address.start(&["t", "start", "time_continue"]),
    })
}

/// Exactly eleven letters; a longer one is never cut, it would name another video.
fn is_id(id: &str) -> bool {
    id.len() == 11
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        // Two pages of the embed happen to have names of this shape.
        && !matches!(id, "live_stream" | "videoseries")
}

pub(super) fn url(id: &str, start: MediaTime) -> String {
    with_secs(
        format!("https://www.youtube.com/watch?v={id}"),
        "&t=",
        start,
        "s",
    )
}
