//! What players are doing right now: observations, which are never events (law 5).

use serde::{Deserialize, Serialize};

use crate::engine::id::MemberId;
use crate::engine::unit::Micros;

/// What a player is doing at one moment. The order is the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Nothing is loaded, or it still loads.
    Loading,
    /// The film advances.
    Playing,
    /// The film stands still because somebody wanted it to.
    Paused,
    /// A seek is under way.
    Seeking,
    /// The film should advance and cannot: too little data.
    Stalled,
    /// The film is over.
    Ended,
    /// The site shows an advertisement instead of the film.
    Advert,
    /// The browser wants a click before it plays with sound.
    NeedsClick,
}

/// What a member tells the others about their player.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What the player does; `None` without a player.
    pub activity: Option<Activity>,
    /// How far ahead of the timeline it is; negative is behind; `None` while that means nothing.
    pub drift: Option<Micros>,
    /// The round trip to the host, as the member measures it.
    pub round_trip: Option<Micros>,
}

/// A report, and what only the trace wants beside it: told to the host alone, passed on to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vitals {
    /// What the player does.
    pub report: Report,
    /// How far the member's reading of the session's clock can be off.
    pub clock_error: Option<Micros>,
    /// How fast the film plays, in millionths of its own speed: off the room's rate while it is corrected.
    pub rate_ppm: Option<u32>,
    /// Pulses begun since the player opened; a smaller number than before is another player.
    pub slews: u32,
    /// Corrections by a jump since the player opened.
    pub steps: u32,
}

/// What one member last told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Who.
    pub member: MemberId,
    /// What.
    pub report: Report,
}
