//! What can be taken back, and how.
//!
//! Nothing is ever taken out of a log: an undo is an event of its own that does
//! the opposite, and its cause is the event it takes back. So the state keeps,
//! for the last few deeds, what their opposite is. An undo is a deed too, and
//! can be undone.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::engine::event::{Action, Header};
use crate::engine::id::{ItemId, MemberId, Seq};
use crate::engine::unit::{MediaTime, Rate};

/// How many deeds can be taken back: what a person remembers having done, and a little.
pub const DEEDS_KEPT: usize = 20;

/// What takes a deed back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Of a play: the film stands again.
    Pause {
        /// Where it stood.
        position: MediaTime,
    },
    /// Of a pause: it runs again.
    Play {},
    /// Of a seek: back to where it stood.
    Seek {
        /// There.
        to: MediaTime,
    },
    /// Of a change of speed.
    Rate {
        /// The speed before.
        rate: Rate,
    },
    /// Of a load, or a going on: the item before is on again.
    Cue {
        /// It.
        item: ItemId,
        /// Where it stood.
        position: MediaTime,
        /// Whether it ran.
        playing: bool,
        /// Where the item that replaced it waited in the queue, if it did.
        place: Option<u32>,
    },
    /// Of a putting into the queue.
    Unqueue {
        /// The item.
        item: ItemId,
    },
    /// Of a taking out of the queue.
    Requeue {
        /// The item.
        item: ItemId,
        /// Where it waited.
        place: u32,
        /// Whose it was.
        by: Option<MemberId>,
    },
    /// Of a move within the queue.
    Move {
        /// The item.
        item: ItemId,
        /// Where it waited.
        place: u32,
    },
    /// Of a shuffle.
    Reorder {
        /// The order before.
        items: Vec<ItemId>,
    },
}

impl Remedy {
    /// What somebody must be allowed to do it.
    pub const fn needs(&self) -> &'static [Action] {
        match self {
            Self::Pause { .. } | Self::Play {} => &[Action::Play],
            Self::Seek { .. } => &[Action::Seek],
            Self::Rate { .. } => &[Action::Rate],
            Self::Cue { .. } => &[Action::Play, Action::Queue],
            Self::Unqueue { .. }
            | Self::Requeue { .. }
            | Self::Move { .. }
            | Self::Reorder { .. } => &[Action::Queue],
        }
    }

    /// Whether it makes sense only while the item of the deed is on.
    pub const fn is_of_the_film(&self) -> bool {
        matches!(
            self,
            Self::Pause { .. }
                | Self::Play {}
                | Self::Seek { .. }
                | Self::Rate { .. }
                | Self::Cue { .. }
        )
    }
}

/// Something somebody did that can be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// The event.
    pub seq: Seq,
    /// Who did it.
    pub by: Option<MemberId>,
    /// By which of their intents.
    pub intent: Option<u64>,
    /// What was on afterwards.
    pub item: ItemId,
    /// What takes it back.
    pub remedy: Remedy,
}

/// The last deeds, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History {
    deeds: VecDeque<Deed>,
}

impl History {
    /// The deed of that event, if it can still be taken back.
    pub fn get(&self, seq: Seq) -> Option<&Deed> {
        self.deeds.iter().rev().find(|deed| deed.seq == seq)
    }

    /// The last deed.
    pub fn last(&self) -> Option<&Deed> {
        self.deeds.back()
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Deed> {
        self.deeds.iter()
    }

    pub(super) fn note(&mut self, header: &Header, item: ItemId, remedy: Remedy) {
        if let Some(cause) = header.cause {
            let undone = self
                .deeds
                .iter()
                .position(|deed| deed.seq == cause)
                .filter(|place| {
                    let deed = &self.deeds[*place];
                    (deed.by, deed.intent) != (header.by, header.intent)
                });
            match undone {
                Some(place) => drop(self.deeds.remove(place)),
                // What one intent calls for besides its first event is taken back with that.
                None => return,
            }
        }
        if self.deeds.len() == DEEDS_KEPT {
            self.deeds.pop_front();
        }
        self.deeds.push_back(Deed {
            seq: header.seq,
            by: header.by,
            intent: header.intent,
            item,
            remedy,
        });
    }
}
