//! Film files and pages on any other host.
//!
//! The id is the address as the parser writes it, without its fragment; a media
//! fragment (`#t=83.5`) is the start. Plain http is fine here: a film on a NAS
//! or on this machine has no certificate.

use super::address::Address;
use super::{Found, Media, NotMedia, Provider, URL_BYTES_MAX};
use crate::engine::unit::MediaTime;

/// Endings of what a bare `<video>` plays. Chromium, Firefox and Safari agree on
/// the MP4 and MP3 families; Chromium also plays the inside of an `mkv` or
/// `mov` it knows (it looks at the bytes, not the name), and both are what
/// people have on disk.
const PLAYABLE: &[&str] = &[
    "mp4", "m4v", "webm", "mkv", "mov", "ogv", "ogg", "mp3", "m4a", "oga", "opus", "flac", "wav",
];

/// Endings of films that it does not play. A stream's list (`m3u8`, `mpd`) is
/// among them: Safari plays the first, Chrome says "maybe" and often fails
/// (hls.js#7827), so half a party would see nothing. Its page plays.
const UNPLAYABLE: &[&str] = &[
    "m3u8", "m3u", "mpd", "avi", "wmv", "flv", "mpg", "mpeg", "vob", "iso", "ts", "m2ts", "rmvb",
    "torrent",
];

/// Hosts that only lead on to another address, which nobody reads before it opens.
const REDIRECTORS: &[&str] = &[
    "a.co",
    "amzn.eu",
    "amzn.to",
    "bit.ly",
    "buff.ly",
    "cutt.ly",
    "goo.gl",
    "is.gd",
    "l.facebook.com",
    "l.instagram.com",
    "lnkd.in",
    "ow.ly",
    "rb.gy",
    "rebrand.ly",
    "shorturl.at",
    "t.co",
    "t.ly",
    "tinyurl.com",
    "youtube.app.goo.gl",
];

/// Room that a start takes behind an id (`#t=9007199254.740991`), so that an
/// address with one still fits [`URL_BYTES_MAX`].
const START_BYTES_MAX: usize = 24;

/// Reads any address as a file or a page.
pub(super) fn read(address: &Address) -> Result<Found, NotMedia> {
    let google = address.is_on(&["google.com"]) && address.raw_path() == "/url";
    if google || address.is_on(REDIRECTORS) {
        return Err(NotMedia::Redirector);
    }
    let ending = ending(address.raw_path());
    if UNPLAYABLE.contains(&ending.as_str()) {
        return Err(NotMedia::Unplayable);
    }
    let provider = if PLAYABLE.contains(&ending.as_str()) {
        Provider::File
    } else {
        Provider::Page
    };
    // Writing an address out can lengthen it: each letter past ASCII becomes three or more.
    let id = address.without_fragment();
    if id.len() > URL_BYTES_MAX - START_BYTES_MAX {
        return Err(NotMedia::TooLong);
    }
    Ok(Found {
        media: Media::new(provider, id),
        start: address.fragment_start(&["t"]).unwrap_or_default(),
    })
}

/// The path's ending in lower case, without its dot; empty where it has none.
fn ending(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase())
        .unwrap_or_default()
}

pub(super) fn url(id: &str, start: MediaTime) -> String {
    let (secs, micros) = (start.get() / 1_000_000, start.get() % 1_000_000);
    match (secs, micros) {
        (0, 0) => id.to_owned(),
        (_, 0) => format!("{id}#t={secs}"),
        _ => {
            let fraction = format!("{micros:06}");
            format!("{id}#t={secs}.{}", fraction.trim_end_matches('0'))
        }
    }
}

/// The `host` or `host:port` of an id.
pub(super) fn authority(id: &str) -> Option<&str> {
    let (_, rest) = id.split_once("://")?;
    rest.split(['/', '?', '#']).next()
}

/// A file's own name, as its owner wrote it.
pub(super) fn file_label(id: &str) -> String {
    let name = path(id).rsplit('/').next().unwrap_or_default();
    decode(name)
}

/// A page's host and path: two pages of one host must look different.
pub(super) fn page_label(id: &str) -> String {
    let path = path(id).trim_end_matches('/');
    format!("{}{}", authority(id).unwrap_or_default(), decode(path))
}

fn path(id: &str) -> &str {
    let rest = id.split_once("://").map_or(id, |(_, rest)| rest);
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let begin = rest[..end].find('/').unwrap_or(end);
    &rest[begin..end]
}

/// Undoes percent-encoding, for reading only; bytes that are no text become `�`.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let hex = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        match (first, after) {
            (b'%', [high, low, tail @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                bytes.push(hex(*high).unwrap_or_default() << 4 | hex(*low).unwrap_or_default());
                rest = tail;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
