//! HBO Max.

use super::address::Address;
use super::shape::read_uuid;
use super::{Found, Media, Provider, Site};
use crate::engine::unit::MediaTime;

pub(super) const SITE: Site = Site {
    name: "HBO Max",
    domains: &["hbomax.com", "max.com"],
    read,
};

/// `/video/watch/{uuid}[/{uuid}]`. Which of the two names the film is not
/// settled, so both stay.
fn read(address: &Address) -> Option<Found> {
    if !matches!(address.host(), "play.hbomax.com" | "play.max.com") {
        return None;
    }
    let id = match address.path().as_slice() {
        ["video", "watch", id] => read_uuid(id)?,
        ["video", "watch", id, edit] => format!("{}/{}", read_uuid(id)?, read_uuid(edit)?),
        _ => return None,
    };
    Some(Found {
        media: Media::new(Provider::HboMax, id),
        start: MediaTime::ZERO,
    })
}

pub(super) fn url(id: &str) -> String {
    format!("https://play.hbomax.com/video/watch/{id}")
}
