//! France.tv.
//!
//! The number alone is not known to open a page, so the rest of the path rides
//! behind a colon: `140921:france-2/13h15-le-dimanche/les-mysteres-de-jesus`.

use super::address::Address;
use super::{Found, Media, Provider, Site};
use crate::engine::unit::MediaTime;

pub(super) const SITE: Site = Site {
    name: "France.tv",
    domains: &["france.tv"],
    read,
};

/// `/{folders…}/{digits}-{slug}.html`. `/{channel}/direct.html` is a live channel and no film.
fn read(address: &Address) -> Option<Found> {
    let path = address.path();
    let (page, folders) = path.split_last()?;
    let (id, slug) = page.strip_suffix(".html")?.split_once('-')?;
    let word = |piece: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !piece.is_empty() && piece.bytes().all(plain)
    };
    let sound = address.is_on(&["france.tv"])
        && (1..=12).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_digit())
        && word(slug)
        && folders.iter().all(|folder| word(folder));
    let mut rest = folders.to_vec();
    rest.push(slug);
    sound.then(|| Found {
        media: Media::new(Provider::FranceTv, format!("{id}:{}", rest.join("/"))),
        start: MediaTime::ZERO,
    })
}

pub(super) fn url(id: &str) -> String {
    let (id, path) = id.split_once(':').unwrap_or((id, ""));
    match path.rsplit_once('/') {
        Some((folders, slug)) => format!("https://www.france.tv/{folders}/{id}-{slug}.html"),
        None => format!("https://www.france.tv/{id}-{path}.html"),
    }
}
