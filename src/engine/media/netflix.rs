//! Netflix.

use super::address::Address;
use super::shape::is_locale;
use super::start::with_secs;
use super::{Found, Media, Provider, Site};
use crate::engine::unit::MediaTime;

pub(super) const SITE: Site = Site {
    name: "Netflix",
    domains: &["netflix.com"],
    read,
};

/// `/watch/{digits}`, perhaps behind a locale. `/title/…` and `browse?jbv=…`
/// name a title, which may be a whole series.
fn read(address: &Address) -> Option<Found> {
    let path = address.path();
    let id = match path.as_slice() {
        ["watch", id] => id,
        [locale, "watch", id] if is_locale(locale) => id,
        _ => return None,
    };
    let sound = address.is_on(&["netflix.com"])
        && (5..=12).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| Found {
        media: Media::new(Provider::Netflix, *id),
        start: address.start(&["t"]),
    })
}

pub(super) fn url(id: &str, start: MediaTime) -> String {
    with_secs(
        format!("https://www.netflix.com/watch/{id}"),
        "?t=",
        start,
        "",
    )
}
