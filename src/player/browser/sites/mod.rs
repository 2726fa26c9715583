//! One file per site: where its film lives, and what its page needs beside the agent.
//!
//! The agent alone handles every page whose `<video>` is its film. A site with
//! a player of its own gets a script in the page's main world that speaks with
//! that player; the agent asks it by events of the document (`bridge.js`, which
//! says what a site's file gives). What is known of each site, and from where,
//! is in `docs/sites.md`; none could be reached from where this was written.

use url::Url;

use super::page::Reason;
use crate::engine::media::{self, Media, NotMedia, Provider};
use crate::engine::unit::MediaTime;
use crate::player::PlayerError;

/// What the sites' files are put into.
const BRIDGE: &str = include_str!("bridge.js");

/// The players of sites that have one of their own.
const PLAYERS: &[&str] = &[
    include_str!("youtube.js"),
    include_str!("netflix.js"),
    include_str!("prime.js"),
    include_str!("disney.js"),
    include_str!("vimeo.js"),
    include_str!("dailymotion.js"),
    include_str!("twitch.js"),
];

/// The script of the page's main world: the bridge with every site's player in it.
pub(super) fn script() -> String {
    BRIDGE.replace("/*@SITES@*/", &PLAYERS.concat())
}

/// Where one film is, and what of the web belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The address to open.
    pub url: Url,
    /// What kind of page it is.
    pub kind: Provider,
    /// The site's own name for the film; empty where it has none.
    pub id: String,
    /// The film, as the log names it.
    media: Media,
}

/// How an address in the window relates to the film.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The film's own page.
    There,
    /// On the site, but not the film's page.
    Elsewhere,
    /// The site's own question before the film.
    Asking(Reason),
    /// Another origin.
    Away,
}

impl Place {
    /// Where `media` is.
    ///
    /// # Errors
    /// [`PlayerError::Media`] for an address that is not plain http(s).
    pub fn of(media: &Media) -> Result<Self, PlayerError> {
        let not_a_place =
            || PlayerError::Media("This is not an address Chrome may open.".to_owned());
        let mut url = Url::parse(&media.url(MediaTime::ZERO)).map_err(|_| not_a_place())?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none();
        if !plain {
            return Err(not_a_place());
        }
        url.set_fragment(None);
        if media.provider == Provider::Prime {
            // Its addresses name the page about a film; so asked, that page starts it.
            url.set_query(Some("autoplay=1"));
        }
        let place = Self {
            url,
            kind: media.provider,
            id: String::new(),
            media: media.clone(),
        };
        // What stands behind the colon picks a version or a shop; the players do not know it.
        let id = match place.agent_kind() {
            "site" => media.id.split(':').next().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        Ok(Self { id, ..place })
    }

    /// What people call the place, for sentences: a site's name, else the host.
    pub fn name(&self) -> &str {
        match self.kind {
            Provider::File | Provider::Page | Provider::PeerTube => {
                self.url.host_str().unwrap_or("The site")
            }
            site => site.name(),
        }
    }

    /// What the agent calls this kind of page.
    pub fn agent_kind(&self) -> &'static str {
        match self.kind {
            Provider::File => "file",
            Provider::Youtube
            | Provider::Netflix
            | Provider::Prime
            | Provider::Disney
            | Provider::Vimeo
            | Provider::Dailymotion
            | Provider::TwitchVod
            | Provider::TwitchClip
            | Provider::TwitchLive => "site",
            Provider::Page
            | Provider::HboMax
            | Provider::Hulu
            | Provider::Crunchyroll
            | Provider::Arte
            | Provider::FranceTv
            | Provider::PeerTube => "page",
        }
    }

    /// How the window's address relates to the film.
    pub fn standing(&self, address: &str) -> Standing {
        let Ok(mut at) = Url::parse(address) else {
            return Standing::Away;
        };
        let at_home = at.origin() == self.url.origin();
        if matches!(self.kind, Provider::File | Provider::Page) {
            at.set_fragment(None);
            return match at_home {
                true if at == self.url => Standing::There,
                true => Standing::Elsewhere,
                false => Standing::Away,
            };
        }
        if let Some(reason) = self.asks(&at) {
            return Standing::Asking(reason);
        }
        // Locales, slugs and tracking come and go in a site's addresses; the film they name counts.
        // YouTube's other hosts show it in players of other kinds.
        let elsewhere_too = at.scheme() == "https" && self.kind != Provider::Youtube;
        let found = media::parse(address);
        let there = found.as_ref().is_ok_and(|found| found.media == self.media);
        let of_the_site = match found {
            Ok(found) => found.media.provider.name() == self.kind.name(),
            Err(NotMedia::NoVideo(site)) => site == self.kind.name(),
            Err(_) => false,
        };
        match (at_home || elsewhere_too, there) {
            (true, true) => Standing::There,
            (true, false) if at_home || of_the_site => Standing::Elsewhere,
            _ => Standing::Away,
        }
    }

    /// What the site asks at this address before it shows a film.
    ///
    /// Where sites sign people in is common knowledge, not documented: a page that
    /// is missed here counts as "left the film", and the way back heals as well.
    fn asks(&self, at: &Url) -> Option<Reason> {
        let host = at.host_str()?;
        let of_the_site = at.origin() == self.url.origin()
            || matches!(media::parse(at.as_str()), Err(NotMedia::NoVideo(site)) if site == self.kind.name());
        if at.scheme() != "https" || !of_the_site && host != "accounts.google.com" {
            return None;
        }
        if self.kind == Provider::Youtube {
            return match host {
                "consent.youtube.com" => Some(Reason::Consent),
                "accounts.google.com" => Some(Reason::Login),
                _ => None,
            };
        }
        let mut words = at.path_segments()?.map(str::to_ascii_lowercase);
        // auth.hbomax.com, auth.hulu.com, id.twitch.tv
        let door = host.starts_with("auth.") || host.starts_with("id.");
        words
            .find_map(|word| match word.as_str() {
                "login" | "log_in" | "signin" | "sign-in" | "sign_in" | "signup" | "identity"
                | "ap" => Some(Reason::Login),
                "profiles" | "profilesgate" | "select-profile" => Some(Reason::Profile),
                _ => None,
            })
            .or(door.then_some(Reason::Login))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(provider: Provider, id: &str) -> Place {
        Place::of(&Media {
            provider,
            id: id.into(),
        })
        .unwrap()
    }

    #[test]
    fn only_plain_web_addresses_are_places() {
        for bad in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "chrome://settings",
            "data:text/html,x",
            "https://user:pw@example.org/film.mp4",
            "film.mp4",
        ] {
            let media = Media {
                provider: Provider::File,
                id: bad.into(),
            };
            assert!(Place::of(&media).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_is_the_film_or_it_is_not() {
        let film = place(Provider::Youtube, "YE7VzlLtp-4");
        let check = |address, standing| assert_eq!(film.standing(address), standing, "{address}");
        check(
            "https://www.youtube.com/watch?v=YE7VzlLtp-4",
            Standing::There,
        );
        check(
            "https://www.youtube.com/watch?app=desktop&v=YE7VzlLtp-4#x",
            Standing::There,
        );
        check(
            "https://www.youtube.com/watch?v=YE7VzlLtp-5",
            Standing::Elsewhere,
        );
        check("https://www.youtube.com/", Standing::Elsewhere);
        check("http://www.youtube.com/watch?v=YE7VzlLtp-4", Standing::Away);
        check(
            "https://www.youtube.com.evil.example/watch?v=YE7VzlLtp-4",
            Standing::Away,
        );
        check(
            "https://www.youtube.com:8443/watch?v=YE7VzlLtp-4",
            Standing::Away,
        );
        check("chrome-error://chromewebdata/", Standing::Away);
        check(
            "https://consent.youtube.com/m?continue=x",
            Standing::Asking(Reason::Consent),
        );
        let file = place(Provider::File, "http://127.0.0.1:8000/film.mp4#t=5");
        assert_eq!(
            file.standing("http://127.0.0.1:8000/film.mp4"),
            Standing::There
        );
        assert_eq!(
            file.standing("http://127.0.0.1:8000/other.mp4"),
            Standing::Elsewhere
        );
    }
    #[test]
    fn a_site_may_dress_its_addresses_and_ask_who_you_are() {
        let check = |provider, id: &str, cases: &[(&str, Standing)]| {
            let film = place(provider, id);
            for (address, standing) in cases {
                assert_eq!(film.standing(address), *standing, "{address}");
            }
        };
        let (login, profile) = (
            Standing::Asking(Reason::Login),
            Standing::Asking(Reason::Profile),
        );
        check(
            Provider::Netflix,
            "80100172",
            &[
                (
                    "https://www.netflix.com/watch/80100172?trackId=1",
                    Standing::There,
                ),
                (
                    "https://www.netflix.com/fr-en/watch/80100172",
                    Standing::There,
                ),
                (
                    "https://www.netflix.com/watch/80100173",
                    Standing::Elsewhere,
                ),
                ("https://www.netflix.com/browse", Standing::Elsewhere),
                ("https://www.netflix.com/login?nextpage=x", login),
                ("https://www.netflix.com/fr-en/login", login),
                ("https://www.netflix.com/ProfilesGate", profile),
                ("http://www.netflix.com/watch/80100172", Standing::Away),
                ("https://www.netflix.com.evil.example/login", Standing::Away),
                ("https://accounts.google.com/", Standing::Away),
            ],
        );
        let uuid = "f3f11053-d810-4b92-9c95-567bef5f215d";
        check(
            Provider::Disney,
            uuid,
            &[
                (
                    &format!("https://www.disneyplus.com/nl-nl/play/{uuid}"),
                    Standing::There,
                ),
                ("https://www.disneyplus.com/home", Standing::Elsewhere),
                ("https://www.disneyplus.com/identity/login", login),
                ("https://www.disneyplus.com/select-profile", profile),
            ],
        );
        let title = "0T1R1MXA75ZCR0C3247CHPIS3X";
        check(
            Provider::Prime,
            title,
            &[
                (
                    &format!("https://www.primevideo.com/region/eu/detail/Slug/{title}/ref=x"),
                    Standing::There,
                ),
                ("https://www.amazon.com/ap/signin?x=y", login),
                ("https://www.amazon.com/gp/cart", Standing::Elsewhere),
                ("https://www.amazon.example/ap/signin", Standing::Away),
            ],
        );
        check(
            Provider::TwitchClip,
            "FaintLight",
            &[
                (
                    "https://www.twitch.tv/someone/clip/FaintLight",
                    Standing::There,
                ),
                ("https://clips.twitch.tv/OtherLight", Standing::Elsewhere),
                ("https://id.twitch.tv/oauth2/authorize", login),
            ],
        );
        check(
            Provider::Youtube,
            "YE7VzlLtp-4",
            &[("https://accounts.google.com/v3/signin", login)],
        );
    }

    #[test]
    fn every_player_of_a_site_is_in_the_script_once() {
        let script = script();
        assert_eq!(script.matches("\nsite(\n").count(), PLAYERS.len());
        assert!(!script.contains("@SITES@*/"));
    }
}
