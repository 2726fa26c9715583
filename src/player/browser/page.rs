//! What the agent says, read strictly.
//!
//! The agent runs beside a page we do not trust. Whatever arrives is bounded
//! in size, parsed into closed sets and range-checked before anything acts on
//! it; what does not fit is dropped. No text of a page is ever shown to
//! people: a page names a [`Reason`], the sentence is ours.

use serde::Deserialize;

use crate::engine::event::Inability;
use crate::engine::unit::{MICROS_MAX, MediaTime, Micros};
use crate::player::Activity;

/// The longest message of an agent that is read. Its longest honest one carries
/// an address of the page, which Chrome caps at 2 MiB and we at 2 KiB.
const BYTES_MAX: usize = 4_096;

/// What the agent reports without being asked.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Told {
    /// A document began; `href` is its address.
    Hello { href: String },
    /// The film of this load shows a frame at its start (or an advertisement runs before it).
    Ready { load: u32 },
    /// It cannot be shown.
    Failed { load: u32, why: Reason },
    /// The user pressed play.
    Played { load: u32 },
    /// The user pressed pause.
    Paused { load: u32, at: Seconds },
    /// The user moved.
    Seeked { load: u32, to: Seconds },
    /// The user chose a rate.
    Rated { load: u32, rate: Factor },
    /// The film is over.
    Ended { load: u32 },
    /// The browser refuses to start before a click.
    NeedsClick { load: u32 },
}

/// One measurement as the agent makes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Measured {
    /// `performance.now()` at the measurement, in milliseconds.
    pub now: PageMillis,
    /// Where the film stands.
    pub position: Seconds,
    /// The rate the player reports.
    pub rate: Factor,
    /// What it does.
    pub activity: Doing,
    /// How long the film is, where the page knows.
    pub duration: Option<Seconds>,
}

/// An agent's answer to an order: its clock, for free.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Done {
    /// `performance.now()` when it was done, in milliseconds.
    pub now: PageMillis,
    /// Whether the film has not run since it was last moved.
    pub sought: bool,
}

/// [`Activity`] as the agent spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Doing {
    Loading,
    Playing,
    Paused,
    Seeking,
    Stalled,
    Ended,
    Advert,
    NeedsClick,
}

impl From<Doing> for Activity {
    fn from(doing: Doing) -> Self {
        match doing {
            Doing::Loading => Self::Loading,
            Doing::Playing => Self::Playing,
            Doing::Paused => Self::Paused,
            Doing::Seeking => Self::Seeking,
            Doing::Stalled => Self::Stalled,
            Doing::Ended => Self::Ended,
            Doing::Advert => Self::Advert,
            Doing::NeedsClick => Self::NeedsClick,
        }
    }
}

/// Why something cannot be shown, from the agent or from ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    /// The page moved on to something else.
    Left,
    /// The server could not be reached.
    Unreachable,
    /// The server has no such film (404, 410).
    Gone,
    /// The server wants a login or forbids it (401, 403).
    Forbidden,
    /// The server answered with another error.
    ServerError,
    /// What the server sent is no film.
    NotAFilm,
    /// Chrome cannot decode it.
    Undecodable,
    /// Loading broke off.
    Broken,
    /// The page holds no video.
    NoVideo,
    /// The site: removed, blocked or never there.
    Unavailable,
    /// The site wants its viewer to sign in.
    Login,
    /// The site asks who of an account is watching.
    Profile,
    /// The site wants a proof of age.
    Age,
    /// The site does not show it in this country.
    Region,
    /// A live stream or première that has not begun.
    NotYet,
    /// The site asks for consent to cookies.
    Consent,
    /// The site asks something else before it shows the film, such as whether its viewer is grown up.
    Gate,
    /// YouTube's wall against ad blockers.
    Wall,
    /// The page describes the film and waits for its viewer to start it, to buy it, or to subscribe.
    Press,
    /// This Chrome cannot open protected films.
    NoDrm,
    /// The site shows an error instead of the film.
    SiteError,
    /// The site opened another film than the link names.
    Other,
}

impl Reason {
    /// The same in a word for the room.
    pub const fn inability(self) -> Inability {
        match self {
            Self::Left | Self::Other => Inability::Left,
            Self::Unreachable | Self::ServerError | Self::Broken | Self::SiteError => {
                Inability::Unreachable
            }
            Self::Gone | Self::Unavailable | Self::NoVideo => Inability::Unavailable,
            Self::Forbidden | Self::Login | Self::Profile | Self::Press => Inability::SignIn,
            Self::NotAFilm | Self::Undecodable => Inability::Format,
            Self::Age => Inability::Age,
            Self::Region => Inability::Region,
            Self::NotYet => Inability::NotLive,
            Self::Consent | Self::Gate | Self::Wall => Inability::Asks,
            Self::NoDrm => Inability::Protected,
        }
    }

    /// The sentence for people; `site` is what they call it.
    pub fn sentence(self, site: &str) -> String {
        match self {
            Self::Left => format!(
                "Chrome left the film on {site}. Go back in the Séance browser window, or load the film again."
            ),
            Self::Unreachable => {
                format!("{site} could not be reached. Check the address and your connection.")
            }
            Self::Gone => format!("{site} has no film at this address. Check the address."),
            Self::Forbidden => {
                format!(
                    "{site} does not let this browser see the film. Sign in there, then load it again."
                )
            }
            Self::ServerError => {
                format!("{site} answered with an error. Load the film again in a while.")
            }
            Self::NotAFilm => {
                format!("What {site} sent is not a film. Use the address of the video file itself.")
            }
            Self::Undecodable => {
                "Chrome cannot play this kind of file. An MP4 (H.264) or WebM film works.".into()
            }
            Self::Broken => {
                format!("Loading the film from {site} broke off. Load it again.")
            }
            Self::NoVideo => format!("No video was found on this page of {site}."),
            Self::Unavailable => format!("This video is not available on {site}."),
            Self::Login => format!(
                "{site} wants you to sign in. Sign in in the Séance browser window; the film opens after that."
            ),
            Self::Profile => format!(
                "{site} asks who is watching. Choose in the Séance browser window; the film opens after that."
            ),
            Self::Age => format!(
                "{site} wants to know your age. Sign in in the Séance browser window; the film opens after that."
            ),
            Self::Region => format!("{site} does not show this video in your country."),
            Self::NotYet => format!("This video has not begun yet on {site}."),
            Self::Consent => format!(
                "{site} asks about cookies. Answer it in the Séance browser window; the film opens after that."
            ),
            Self::Gate => format!(
                "{site} asks something before it plays. Answer it in the Séance browser window; the film opens after that."
            ),
            Self::Wall => format!(
                "{site} refuses to play in this browser. Look at its message in the Séance browser window."
            ),
            Self::Press => format!(
                "{site} shows the page about the film. Start it there, in the Séance browser window; signing in, renting or subscribing may come first."
            ),
            Self::NoDrm => format!(
                "This browser cannot open {site}'s protected films. Install Google Chrome (it brings Widevine) and start Séance again."
            ),
            Self::SiteError => format!(
                "{site} shows an error instead of the film. Look at its message in the Séance browser window."
            ),
            Self::Other => format!(
                "{site} opened another film than the link names. Start the right episode there, and load the link its window then shows."
            ),
        }
    }
}

/// Seconds into a film: finite and on the line of [`MediaTime`].
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct Seconds(f64);

/// A rate: what Chrome accepts, 0.0625 to 16.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct Factor(f64);

/// A page's clock: finite, not negative, below a year.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct PageMillis(f64);

/// Defines how a bounded float is read: `min..=max`, which refuses NaN as well.
macro_rules! bounded {
    ($name:ident, $min:expr, $max:expr) => {
        impl TryFrom<f64> for $name {
            type Error = &'static str;
            fn try_from(value: f64) -> Result<Self, Self::Error> {
                if ($min..=$max).contains(&value) {
                    Ok(Self(value))
                } else {
                    Err(concat!(stringify!($name), " out of range"))
                }
            }
        }
    };
}

bounded!(Seconds, 0.0, MICROS_MAX as f64 / 1e6);
bounded!(Factor, 0.0625, 16.0);
bounded!(PageMillis, 0.0, 366.0 * 86_400_000.0);

impl Factor {
    /// The bare factor.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl PageMillis {
    /// The bare number of milliseconds.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Seconds {
    /// The place in the film.
    pub fn time(self) -> MediaTime {
        MediaTime::new((self.0 * 1e6).round() as u64)
    }

    /// The length of the film.
    pub fn length(self) -> Micros {
        Micros::new((self.0 * 1e6).round() as i64)
    }
}

/// Reads a report of the agent; `None` for anything that is none.
pub(super) fn told(payload: &str) -> Option<Told> {
    read(payload)
}

/// Reads an answer of the agent; `None` for anything that is none.
pub(super) fn read<'a, T: Deserialize<'a>>(payload: &'a str) -> Option<T> {
    if payload.len() > BYTES_MAX {
        tracing::debug!(bytes = payload.len(), "the page said too much");
        return None;
    }
    serde_json::from_str(payload)
        .inspect_err(|error| tracing::debug!(%error, "the page said what is no message"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn honest_messages_are_read() {
        assert_eq!(
            told(r#"{"say":"paused","load":3,"at":12.5}"#),
            Some(Told::Paused {
                load: 3,
                at: Seconds(12.5)
            })
        );
        assert_eq!(
            told(r#"{"say":"failed","load":1,"why":"not_yet"}"#),
            Some(Told::Failed {
                load: 1,
                why: Reason::NotYet
            })
        );
        let measured: Measured = read(
            r#"{"now":812.3,"position":1.25,"rate":1,"activity":"needs_click","duration":null}"#,
        )
        .unwrap();
        assert_eq!(measured.activity, Doing::NeedsClick);
        assert_eq!(measured.position.time(), MediaTime::from_millis(1_250));
    }

    #[test]
    fn everything_else_is_dropped() {
        for bad in [
            "",
            "null",
            "[]",
            r#"{"say":"paused","load":3}"#,
            r#"{"say":"paused","load":3,"at":-1}"#,
            r#"{"say":"paused","load":3,"at":1e300}"#,
            r#"{"say":"paused","load":3,"at":"12"}"#,
            r#"{"say":"paused","load":-3,"at":1}"#,
            r#"{"say":"paused","load":4294967296,"at":1}"#,
            r#"{"say":"paused","load":3,"at":1,"more":1}"#,
            r#"{"say":"rated","load":3,"rate":0}"#,
            r#"{"say":"rated","load":3,"rate":17}"#,
            r#"{"say":"lost","load":3}"#,
            r#"{"say":"failed","load":3,"why":"Call +1 555 0100"}"#,
        ] {
            assert_eq!(told(bad), None, "{bad}");
        }
        let endless = format!(
            r#"{{"say":"hello","href":"https://{}"}}"#,
            "a".repeat(5_000)
        );
        assert_eq!(told(&endless), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,200}") {
            let _ = told(&text);
            let _ = read::<Measured>(&text);
        }
    }
}
