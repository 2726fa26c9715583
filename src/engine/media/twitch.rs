//! Twitch: recordings, clips, live channels.

use super::address::Address;
use super::start::with_secs;
use super::{Found, Media, Provider, Site};
use crate::engine::unit::MediaTime;

pub(super) const SITE: Site = Site {
    name: "Twitch",
    domains: &["twitch.tv"],
    read,
};

/// First words of a path that are pages of the site and no channel's name.
const RESERVED: &[&str] = &[
    "activate",
    "bits",
    "clips",
    "collections",
    "dashboard",
    "directory",
    "downloads",
    "drops",
    "embed",
    "following",
    "friends",
    "inventory",
    "jobs",
    "login",
    "logout",
    "messages",
    "moderator",
    "p",
    "popout",
    "prime",
    "products",
    "redeem",
    "schedule",
    "search",
    "settings",
    "signup",
    "store",
    "subs",
    "subscriptions",
    "team",
    "teams",
    "turbo",
    "user",
    "video",
    "videos",
    "wallet",
    "watch",
];

/// | form | host |
/// |---|---|
/// | `/videos/N`, `/{user}/v/N`, `/{user}/video/N`, `/{user}/schedule?vodID=N` | twitch.tv, www., m. |
/// | `/?video=vN`, `/?channel={login}` | player.twitch.tv |
/// | `/{slug}`, `/embed?clip={slug}` | clips.twitch.tv |
/// | `/{user}/clip/{slug}`, `/clip/{slug}`, `/{login}` | twitch.tv, www., m. |
fn read(address: &Address) -> Option<Found> {
    let path = address.path();
    let path = path.as_slice();
    match address.host() {
        "player.twitch.tv" if path.is_empty() => {
            match (address.query("video"), address.query("channel")) {
                (Some(id), None) => vod(address, id.strip_prefix('v').unwrap_or(&id)),
                (None, Some(login)) => live(&login),
                _ => None,
            }
        }
        "clips.twitch.tv" => match path {
            ["embed"] => clip(&address.query("clip")?),
            [slug] => clip(slug),
            _ => None,
        },
        "twitch.tv" | "www.twitch.tv" | "m.twitch.tv" => match path {
            ["videos", id] | [_, "v" | "video", id] => vod(address, id),
            [_, "schedule"] => vod(address, &address.query("vodID")?),
            ["clip", slug] | [_, "clip", slug] => clip(slug),
            [login] => live(login),
            _ => None,
        },
        _ => None,
    }
}

fn vod(address: &Address, id: &str) -> Option<Found> {
    let sound = (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| Found {
        media: Media::new(Provider::TwitchVod, id),
        start: address.start(&["t"]),
    })
}

fn clip(slug: &str) -> Option<Found> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    // Longest seen is under 70; the bound keeps an id out of the kilobytes.
    let sound = (1..=128).contains(&slug.len()) && slug.bytes().all(word) && slug != "embed";
    sound.then(|| Found {
        media: Media::new(Provider::TwitchClip, slug),
        start: MediaTime::ZERO,
    })
}

/// A live channel; the site ignores the case of its name.
fn live(login: &str) -> Option<Found> {
    let login = login.to_ascii_lowercase();
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let sound = (3..=25).contains(&login.len())
        && login.bytes().all(word)
        && !RESERVED.contains(&login.as_str());
    sound.then(|| Found {
        media: Media::new(Provider::TwitchLive, login),
        start: MediaTime::ZERO,
    })
}

pub(super) fn vod_url(id: &str, start: MediaTime) -> String {
    with_secs(
        format!("https://www.twitch.tv/videos/{id}"),
        "?t=",
        start,
        "s",
    )
}

pub(super) fn clip_url(id: &str) -> String {
    format!("https://clips.twitch.tv/{id}")
}

pub(super) fn live_url(id: &str) -> String {
    format!("https://www.twitch.tv/{id}")
}
