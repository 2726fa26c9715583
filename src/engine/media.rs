//! Media references: the only place that understands URLs.
//!
//! A log holds `(provider, id)` and never a URL to be followed (DESIGN §7):
//! [`parse`] turns what a person pasted into a [`Found`], [`Media::url`] builds
//! the canonical address back from a template.

use serde::{Deserialize, Serialize};

use crate::engine::unit::MediaTime;

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
}

/// One thing to watch, as the log names it.
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
/// Not media.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not media")]
pub struct NotMedia;
/// Parse.
pub fn parse(text: &str) -> Result<Found, NotMedia> {
    if text.starts_with("http") {
        Ok(Found {
            media: Media {
                provider: Provider::File,
                id: text.into(),
            },
            start: MediaTime::ZERO,
        })
    } else {
        Err(NotMedia)
    }
}
impl Media {
    /// Host.
    pub fn host(&self) -> Option<&str> {
        self.id.split('/').nth(2)
    }
    /// Url.
    pub fn url(&self, _start: MediaTime) -> String {
        self.id.clone()
    }
    /// Label.
    pub fn label(&self) -> String {
        self.id.clone()
    }
}
