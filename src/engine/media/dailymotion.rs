//! Dailymotion.

use super::address::Address;
use super::start::with_secs;
use super::{Found, Media, Provider, Site};
use crate::engine::unit::MediaTime;

pub(super) const SITE: Site = Site {
    name: "Dailymotion",
    domains: &["dailymotion.com", "dai.ly"],
    read,
};

/// | form | host |
/// |---|---|
/// | `/video/ID[_slug]`, `/embed/video/ID` | dailymotion.com |
/// | `/ID` | dai.ly |
/// | `/player.html?video=ID`, `/player/{pid}.html?video=ID` | geo.dailymotion.com |
fn read(address: &Address) -> Option<Found> {
    let path = address.path();
    let asked = address.query("video");
    let id = match path.as_slice() {
        ["video", id] | ["embed", "video", id] if address.is_on(&["dailymotion.com"]) => id,
        [id] if address.is_on(&["dai.ly"]) => id,
        ["player.html"] if address.is_on(&["geo.dailymotion.com"]) => asked.as_deref()?,
        ["player", player]
            if address.is_on(&["geo.dailymotion.com"]) && player.ends_with(".html") =>
        {
            asked.as_deref()?
        }
        _ => return None,
    };
    let id = id.split_once('_').map_or(id, |(id, _)| id);
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let sound = (2..=16).contains(&id.len()) && id.starts_with('x') && id.bytes().all(word);
    sound.then(|| Found {
        media: Media::new(Provider::Dailymotion, id),
        start: address.start(&["start"]),
    })
}

pub(super) fn url(id: &str, start: MediaTime) -> String {
    with_secs(
        format!("https://www.dailymotion.com/video/{id}"),
        "?start=",
        start,
        "",
    )
}
