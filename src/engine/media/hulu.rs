//! Hulu.

use super::address::Address;
use super::shape::read_uuid;
use super::{Found, Media, Provider, Site};
use crate::engine::unit::MediaTime;

pub(super) const SITE: Site = Site {
    name: "Hulu",
    domains: &["hulu.com"],
    read,
};

/// `/watch/{uuid}`. `/series/…`, `/movie/…` and `/live` are pages about it.
fn read(address: &Address) -> Option<Found> {
    let path = address.path();
    let ["watch", id] = path.as_slice() else {
        return None;
    };
    let id = read_uuid(id)?;
    address.is_on(&["hulu.com"]).then(|| Found {
        media: Media::new(Provider::Hulu, id),
        start: MediaTime::ZERO,
    })
}

pub(super) fn url(id: &str) -> String {
    format!("https://www.hulu.com/watch/{id}")
}
