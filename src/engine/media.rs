//! Media references: the only place that understands URLs.
//!
//! A log holds `(provider, id)` and never a URL to be followed:
//! [`parse`] turns what a person pasted into a [`Found`], [`Media::url`] builds
//! the canonical address back from a template. What stands between them is a
//! closed table: one small file per site with its forms, sources in `docs/sites.md`.
//!
//! Promises:
//! - `parse(media.url(start))` gives `media` back, for every media that `parse` ever gave.
//! - For the sites of the table, the rebuilt address is `https` on a host of the table.
//! - What pretends to be a site of the table is refused, not offered as a page.
//! - No text makes anything here panic.
//!
//! An id may carry, behind a colon, what picks the version: `392479337:a52724358e`
//! (Vimeo's hash of an unlisted video), `110371-000-A:fr` (Arte's language),
//! `B08F5Z3RK5:fr` (the Amazon shop), `140921:france-2/…/slug` (France.tv, whose
//! pages are only known to open by their whole path).
//!
//! Deserialising a [`Media`] checks nothing: a rule here that grows stricter
//! must not make an old log unreadable. Whoever takes a `Media` from outside
//! asks [`Media::is_valid`] once, before it becomes an event and before a
//! player opens it.
//!
//! Deliberately absent: the network. Whether a video exists, or a page has one,
//! is the player's to find out; short links are refused because only following
//! them would tell where they lead.

mod address;
mod arte;
mod crunchyroll;
mod dailymotion;
mod disney;
mod francetv;
mod hbomax;
mod hulu;
mod lookalike;
mod netflix;
mod peertube;
mod plain;
mod prime;
mod shape;
mod start;
#[cfg(test)]
mod tests;
mod twitch;
mod vimeo;
mod youtube;

use serde::{Deserialize, Serialize};

use crate::engine::text::for_terminal;
use crate::engine::unit::MediaTime;
use address::Address;

/// The longest link taken, in bytes: what every browser and server accepts, and
/// short enough for an event.
pub const URL_BYTES_MAX: usize = 2_000;

/// Whose player shows it. The order is the wire: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// youtube.com and its relatives.
    Youtube,
    /// A film file fetched directly: mp4, webm and the like.
    File,
    /// Any other page with a video on it, on a host the party's host allowed.
    Page,
    /// vimeo.com.
    Vimeo,
    /// dailymotion.com.
    Dailymotion,
    /// A recording on twitch.tv.
    TwitchVod,
    /// A clip on twitch.tv.
    TwitchClip,
    /// A channel on twitch.tv, live: no common timeline.
    TwitchLive,
    /// netflix.com.
    Netflix,
    /// Prime Video, on primevideo.com or an Amazon shop.
    Prime,
    /// disneyplus.com.
    Disney,
    /// HBO Max, on hbomax.com or max.com.
    HboMax,
    /// hulu.com.
    Hulu,
    /// crunchyroll.com.
    Crunchyroll,
    /// arte.tv.
    Arte,
    /// france.tv.
    FranceTv,
    /// A video on any PeerTube instance the party's host allowed.
    PeerTube,
}

impl Provider {
    /// All of them, in the order of the wire.
    pub const ALL: [Self; 17] = [
        Self::Youtube,
        Self::File,
        Self::Page,
        Self::Vimeo,
        Self::Dailymotion,
        Self::TwitchVod,
        Self::TwitchClip,
        Self::TwitchLive,
        Self::Netflix,
        Self::Prime,
        Self::Disney,
        Self::HboMax,
        Self::Hulu,
        Self::Crunchyroll,
        Self::Arte,
        Self::FranceTv,
        Self::PeerTube,
    ];

    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Youtube => "YouTube",
            Self::File => "file",
            Self::Page => "page",
            Self::Vimeo => "Vimeo",
            Self::Dailymotion => "Dailymotion",
            Self::TwitchVod | Self::TwitchClip | Self::TwitchLive => "Twitch",
            Self::Netflix => "Netflix",
            Self::Prime => "Prime Video",
            Self::Disney => "Disney+",
            Self::HboMax => "HBO Max",
            Self::Hulu => "Hulu",
            Self::Crunchyroll => "Crunchyroll",
            Self::Arte => "Arte",
            Self::FranceTv => "France.tv",
            Self::PeerTube => "PeerTube",
        }
    }
}

/// One thing to watch, as the log names it.
///
/// Untrusted until [`Media::is_valid`] said yes; see the module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Media {
    /// Whose player shows it.
    pub provider: Provider,
    /// What that provider calls it.
    pub id: String,
}

/// What a pasted address names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The thing to watch.
    pub media: Media,
    /// Where the address says to begin.
    pub start: MediaTime,
}

/// Why a pasted text names nothing to watch. Each sentence is for the person who pasted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMedia {
    /// No web address at all, or one written in a way no browser writes it.
    #[error("That is not a web address. Paste one link, such as https://youtu.be/…")]
    NotAnAddress,
    /// Longer than [`URL_BYTES_MAX`].
    #[error("That link is too long. Paste one of at most {URL_BYTES_MAX} characters.")]
    TooLong,
    /// Control, bidirectional or invisible characters inside.
    #[error("That link hides characters. Copy it anew from the address bar.")]
    Hidden,
    /// `file:`, `javascript:`, `data:`, `blob:`, `chrome:` …
    #[error(
        "Only http and https links can be watched together. Paste the address of a web page or film."
    )]
    Scheme,
    /// A user name or password in front of the host.
    #[error("That link holds a user name. Remove everything from // to @ and paste it again.")]
    UserInfo,
    /// A host that does not stand in the link the way a browser writes it: `0x7f.1`, `%79outube.com`, `example.com.`
    #[error("That link writes its host in an unusual way. Copy it anew from the address bar.")]
    Host,
    /// A host dressed up as the site whose name is given.
    #[error(
        "That link looks like {0} and leads elsewhere. Open {0} yourself and copy the link there."
    )]
    LookAlike(&'static str),
    /// A port on a site that has none; the site's name is given.
    #[error("{0} has no port in its links. Copy the link anew from {0}.")]
    Port(&'static str),
    /// A short or forwarding link.
    #[error(
        "That link only leads to another one. Open it, then paste the address where you arrive."
    )]
    Redirector,
    /// A page of a known site that is no single video: search, list, channel, shop item. The site's name is given.
    #[error("That {0} link names no single video. Start the video there and copy its link.")]
    NoVideo(&'static str),
    /// A film in a form that browsers do not play.
    #[error(
        "Browsers do not play that kind of file. Paste an mp4 or webm, or the page that shows the film."
    )]
    Unplayable,
}

/// One site of the closed table.
struct Site {
    /// What people call it.
    name: &'static str,
    /// Its registrable domains. Everything under them is the site's: a subdomain
    /// that the table does not know names no video, it is no page.
    domains: &'static [&'static str],
    /// Reads one of its addresses; `None` where it names no single video.
    read: fn(&Address) -> Option<Found>,
}

impl Site {
    fn owns(&self, host: &str) -> bool {
        self.domains.iter().any(|domain| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}

/// The closed table. PeerTube is not in it: it has no domains of its own.
const SITES: &[Site] = &[
    youtube::SITE,
    netflix::SITE,
    prime::SITE,
    disney::SITE,
    hbomax::SITE,
    hulu::SITE,
    twitch::SITE,
    crunchyroll::SITE,
    vimeo::SITE,
    dailymotion::SITE,
    arte::SITE,
    francetv::SITE,
];

/// Reads what a person pasted.
///
/// White space around it is ignored and a missing scheme means `https`. A start
/// that cannot be read is no start: a film from its beginning is a smaller
/// disappointment than a refused link.
///
/// # Errors
/// [`NotMedia`], a sentence saying what to paste instead.
pub fn parse(text: &str) -> Result<Found, NotMedia> {
    let address = Address::read(text)?;
    if let Some(site) = SITES.iter().find(|site| site.owns(address.host())) {
        if address.has_port() {
            return Err(NotMedia::Port(site.name));
        }
        return (site.read)(&address).ok_or(NotMedia::NoVideo(site.name));
    }
    if let Some(name) = lookalike::pretends_to_be(&address) {
        return Err(NotMedia::LookAlike(name));
    }
    match peertube::read(&address) {
        Some(found) => found,
        None => plain::read(&address),
    }
}

impl Media {
    fn new(provider: Provider, id: impl Into<String>) -> Self {
        let id = id.into();
        Self { provider, id }
    }

    /// The canonical address, beginning at `start` where the site has a form for it.
    ///
    /// Sites count whole seconds, so `start` is rounded down; files and pages
    /// (`#t=83.5`) keep it exact. Of a media that is not valid this is only some
    /// text: follow it after [`Media::is_valid`] alone.
    pub fn url(&self, start: MediaTime) -> String {
        let id = self.id.as_str();
        match self.provider {
            Provider::Youtube => youtube::url(id, start),
            Provider::File | Provider::Page => plain::url(id, start),
            Provider::Vimeo => vimeo::url(id, start),
            Provider::Dailymotion => dailymotion::url(id, start),
            Provider::TwitchVod => twitch::vod_url(id, start),
            Provider::TwitchClip => twitch::clip_url(id),
            Provider::TwitchLive => twitch::live_url(id),
            Provider::Netflix => netflix::url(id, start),
            Provider::Prime => prime::url(id),
            Provider::Disney => disney::url(id),
            Provider::HboMax => hbomax::url(id),
            Provider::Hulu => hulu::url(id),
            Provider::Crunchyroll => crunchyroll::url(id),
            Provider::Arte => arte::url(id),
            Provider::FranceTv => francetv::url(id),
            Provider::PeerTube => peertube::url(id, start),
        }
    }

    /// The `host` or `host:port` that the party's host must have allowed; `None`
    /// for the closed table, which needs no leave.
    ///
    /// A default port is left out, so `https://nas.example:443/` and
    /// `https://nas.example/` ask for the same leave.
    pub fn host(&self) -> Option<&str> {
        match self.provider {
            Provider::File | Provider::Page => plain::authority(&self.id),
            Provider::PeerTube => self.id.split_once('/').map(|(host, _)| host),
            _ => None,
        }
    }

    /// What to call it until its title is known: `YouTube YE7VzlLtp-4`, a file's name.
    ///
    /// Short and safe to show, also for a media that is not valid.
    pub fn label(&self) -> String {
        let bare = self.id.split(':').next().unwrap_or_default();
        let text = match self.provider {
            Provider::File => plain::file_label(&self.id),
            Provider::Page => plain::page_label(&self.id),
            Provider::PeerTube => self.id.clone(),
            Provider::TwitchLive => format!("Twitch {bare} live"),
            Provider::TwitchClip => format!("Twitch clip {bare}"),
            // A uuid tells people nothing; its beginning tells two of them apart.
            Provider::Disney | Provider::HboMax | Provider::Hulu => {
                let short: String = bare.chars().take(8).collect();
                format!("{} {short}", self.provider.name())
            }
            _ => format!("{} {bare}", self.provider.name()),
        };
        shorten(&for_terminal(&text))
    }

    /// Whether [`parse`] could have given this: its address reads back as itself.
    ///
    /// The one question to ask of a `Media` from the wire, a foreign log or a page.
    pub fn is_valid(&self) -> bool {
        parse(&self.url(MediaTime::ZERO)).is_ok_and(|found| found.media == *self)
    }
}

/// Cuts a label to what fits one row of a list, saying that it did.
fn shorten(text: &str) -> String {
    const LETTERS_MAX: usize = 60;
    if text.chars().count() <= LETTERS_MAX {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LETTERS_MAX - 1).collect();
    short.push('…');
    short
}
