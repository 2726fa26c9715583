//! Disney+.

use super::address::Address;
use super::shape::{is_locale, read_uuid};
use super::{Found, Media, Provider, Site};
use crate::engine::unit::MediaTime;

pub(super) const SITE: Site = Site {
    name: "Disney+",
    domains: &["disneyplus.com"],
    read,
};

/// `/play/{uuid}` and the older `/video/{uuid}`, perhaps behind a locale.
/// `/browse/entity-…`, `/series/…` and `/movies/…` are pages about it.
fn read(address: &Address) -> Option<Found> {
    let path = address.path();
    let id = match path.as_slice() {
        ["play" | "video", id] => id,
        [locale, "play" | "video", id] if is_locale(locale) => id,
        _ => return None,
    };
    let id = read_uuid(id)?;
    address.is_on(&["disneyplus.com"]).then(|| Found {
        media: Media::new(Provider::Disney, id),
        start: MediaTime::ZERO,
    })
}

pub(super) fn url(id: &str) -> String {
    format!("https://www.disneyplus.com/play/{id}")
}
