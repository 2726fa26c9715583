//! Arte.
//!
//! The id is the programme and, behind a colon, the language, which picks the version.

use super::address::Address;
use super::{Found, Media, Provider, Site};
use crate::engine::unit::MediaTime;

pub(super) const SITE: Site = Site {
    name: "Arte",
    domains: &["arte.tv"],
    read,
};

/// The languages arte.tv speaks.
const LANGUAGES: &[&str] = &["fr", "de", "en", "es", "it", "pl"];

/// `/{language}/videos/{programme}[/slug]`. `RC-…` is a collection, `/live` a channel.
fn read(address: &Address) -> Option<Found> {
    let path = address.path();
    let (language, id) = match path.as_slice() {
        [language, "videos", id] | [language, "videos", id, _] => (*language, *id),
        _ => return None,
    };
    let sound = address.is_on(&["arte.tv"]) && LANGUAGES.contains(&language) && is_programme(id);
    sound.then(|| Found {
        media: Media::new(Provider::Arte, format!("{id}:{language}")),
        start: MediaTime::ZERO,
    })
}

/// `110371-000-A`: six digits, three digits, one letter.
fn is_programme(id: &str) -> bool {
    id.len() == 12
        && id.bytes().enumerate().all(|(place, byte)| match place {
            6 | 10 => byte == b'-',
            11 => matches!(byte, b'A'..=b'F'),
            _ => byte.is_ascii_digit(),
        })
}

pub(super) fn url(id: &str) -> String {
    let (programme, language) = id.split_once(':').unwrap_or((id, ""));
    format!("https://www.arte.tv/{language}/videos/{programme}/")
}
