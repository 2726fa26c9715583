//! One file per site: where its film lives, and what its page needs beside the agent.
//!
//! The agent alone handles every page whose `<video>` is its film. A site with
//! a player of its own gets a script in the page's main world that speaks with
//! that player; the agent asks it by events of the document (`youtube.js`).

use url::Url;

use super::page::Reason;
use crate::engine::media::{Media, Provider};
use crate::engine::unit::MediaTime;
use crate::player::PlayerError;

/// The player of youtube.com, as the agent sees it.
pub(super) const YOUTUBE: &str = include_str!("youtube.js");

/// Where one film is, and what of the web belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The address to open.
    pub url: Url,
    /// What kind of page it is.
    pub kind: Provider,
    /// The site's own name for the film; empty where it has none.
    pub id: String,
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
        if let Some(name) = needs_its_own_player(media.provider) {
            let sentence =
                format!("Séance cannot drive {name}'s player yet. Watch something else together.");
            return Err(PlayerError::Media(sentence));
        }
        let mut url = Url::parse(&media.url(MediaTime::ZERO)).map_err(|_| not_a_place())?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none();
        if !plain {
            return Err(not_a_place());
        }
        url.set_fragment(None);
        Ok(Self {
            url,
            kind: media.provider,
            id: match media.provider {
                Provider::Youtube => media.id.clone(),
                _ => String::new(),
            },
        })
    }

    /// The host, for sentences.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or("The site")
    }

    /// What the agent calls this kind of page.
    pub fn agent_kind(&self) -> &'static str {
        match self.kind {
            Provider::Youtube => "youtube",
            Provider::File => "file",
            _ => "page",
        }
    }

    /// How the window's address relates to the film.
    pub fn standing(&self, address: &str) -> Standing {
        let Ok(mut at) = Url::parse(address) else {
            return Standing::Away;
        };
        if at.origin() != self.url.origin() {
            let asking = self.kind == Provider::Youtube
                && at.scheme() == "https"
                && at.host_str() == Some("consent.youtube.com");
            return if asking {
                Standing::Asking(Reason::Consent)
            } else {
                Standing::Away
            };
        }
        at.set_fragment(None);
        let there = match self.kind {
            Provider::Youtube => {
                at.path() == "/watch"
                    && at
                        .query_pairs()
                        .any(|(key, id)| key == "v" && id == self.id)
            }
            _ => at == self.url,
        };
        if there {
            Standing::There
        } else {
            Standing::Elsewhere
        }
    }
}

/// The sites on which writing to the `<video>` breaks playback; each needs its adapter first.
fn needs_its_own_player(provider: Provider) -> Option<&'static str> {
    match provider {
        Provider::Netflix | Provider::Prime | Provider::Disney => Some(provider.name()),
        _ => None,
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
}
