//! Disney+. Forms: SITES.md §4.

use super::address::Address;
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

/// `fr`, `nl-nl`, `es-419`: the language that sites put in front of a path.
pub(super) fn is_locale(piece: &str) -> bool {
    let (language, region) = piece.split_once('-').unwrap_or((piece, "xx"));
    language.len() == 2
        && (2..=3).contains(&region.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && region.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A uuid in lower case; `None` for anything of another shape.
pub(super) fn read_uuid(text: &str) -> Option<String> {
    let shape = text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    shape.then(|| text.to_ascii_lowercase())
}
