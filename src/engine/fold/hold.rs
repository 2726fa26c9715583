//! The wait the room is in, if it is in one.
//!
//! While a hold stands, the film stands too, and it runs on when the hold ends:
//! there is no hold over a paused film. Whether players are ready is observed,
//! not folded (law 5); the fold only knows who was not ready as the wait began.

use serde::{Deserialize, Serialize};

use crate::engine::event::HoldReason;
use crate::engine::id::{MemberId, Seq};
use crate::engine::unit::SessionTime;

/// One wait of the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The event that began it.
    pub seq: Seq,
    /// Why.
    pub reason: HoldReason,
    /// Since when.
    pub since: SessionTime,
    /// Until when at the latest.
    pub deadline: SessionTime,
    /// For whom, by rising number; of a ready check, who has not answered yet.
    pub waiting: Vec<MemberId>,
}
