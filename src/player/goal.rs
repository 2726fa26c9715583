//! What the room wants of a player, and what its driver has to say.

use crate::engine::clock::offset::Estimate;
use crate::engine::event::Inability;
use crate::engine::fold::timeline::Anchor;
use crate::engine::id::{Generation, ItemId};
use crate::engine::media::Media;
use crate::engine::unit::{MediaTime, Micros, Rate};
use crate::player::Activity;

/// A film to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Film {
    /// Which item of the session it is.
    pub item: ItemId,
    /// What it is.
    pub media: Media,
    /// Where to open it, until the anchor is about this item.
    pub start: MediaTime,
}

/// What the room wants of the player.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goal {
    /// What to show; `None` while nothing is set.
    pub film: Option<Film>,
    /// The line to stay on.
    pub anchor: Anchor,
    /// How long the film is, as the room knows it.
    pub duration: Option<Micros>,
    /// The session's clock as last read. `None` never unsets what was known.
    pub clock: Option<Estimate>,
}

/// What a user did inside the player, and now wishes of the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// That the film runs.
    Play,
    /// That it pauses on the frame the user sees.
    Pause {
        /// That frame.
        at: MediaTime,
    },
    /// That it goes on elsewhere.
    Seek {
        /// There.
        to: MediaTime,
    },
    /// Another rate.
    Rate {
        /// This.
        rate: Rate,
    },
}

/// What the driver has to say.
#[derive(Clone, Debug, PartialEq)]
pub enum DriverNews {
    /// The player's user did something that the room should decide about.
    Asked {
        /// What.
        wish: Wish,
        /// On this item.
        item: ItemId,
        /// In this generation of the timeline.
        generation: Generation,
    },
    /// The film is loaded and stands, or runs, in this generation: what a hold waits for.
    Ready {
        /// This item.
        item: ItemId,
        /// This generation.
        generation: Generation,
    },
    /// The item cannot be shown here; a sentence for people.
    Failed {
        /// The item.
        item: ItemId,
        /// Why, in a word for the room.
        reason: Inability,
        /// Why, and what to do about it, for its viewer.
        why: String,
    },
    /// How the player is doing, for presence: once a second at most, and at once when what it does changes.
    Report {
        /// Measured − target, where that means something.
        drift: Option<Micros>,
        /// What it is doing.
        activity: Activity,
        /// The rate it plays at, as a factor; not the room's while it slews.
        rate: f64,
        /// Where it stands.
        position: MediaTime,
        /// Pulses begun so far.
        slews: u32,
        /// Corrections by a jump so far.
        steps: u32,
    },
    /// The film reached its end; once for each generation.
    Ended {
        /// The item that ended.
        item: ItemId,
    },
    /// How long the film turned out to be; once for each item.
    Duration {
        /// The item.
        item: ItemId,
        /// So long.
        length: Micros,
    },
    /// Something is wrong and the viewer should know; a sentence for people.
    Trouble(String),
    /// The player is gone and the driver has ended; a sentence for people.
    Lost(String),
}
