//! Crunchyroll.

use super::address::Address;
use super::shape::is_locale;
use super::{Found, Media, Provider, Site};
use crate::engine::unit::MediaTime;

pub(super) const SITE: Site = Site {
    name: "Crunchyroll",
    domains: &["crunchyroll.com"],
    read,
};

/// `/[locale/]watch/{ID}[/slug]`. A dub is another id. `/series/…` and the
/// lower-case `/watch/musicvideo/…`, `/watch/concert/…` are refused.
fn read(address: &Address) -> Option<Found> {
    let path = address.path();
    let id = match path.as_slice() {
        ["watch", id] | ["watch", id, _] => id,
        [locale, "watch", id] | [locale, "watch", id, _] if is_locale(locale) => id,
        _ => return None,
    };
    let capital = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let sound = address.is_on(&["crunchyroll.com"])
        && (9..=14).contains(&id.len())
        && id.bytes().all(capital);
    sound.then(|| Found {
        media: Media::new(Provider::Crunchyroll, *id),
        start: MediaTime::ZERO,
    })
}

pub(super) fn url(id: &str) -> String {
    format!("https://www.crunchyroll.com/watch/{id}")
}
