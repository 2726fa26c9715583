//! The poll that is open, or was last.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::event::Choice;
use crate::engine::id::{MemberId, Seq};
use crate::engine::text::Line;

/// One poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// Its number: the seq of the event that opened it.
    pub id: Seq,
    /// Who asks.
    pub by: Option<MemberId>,
    /// What.
    pub question: Line,
    /// What there is to choose.
    pub choices: Vec<Choice>,
    /// What each member chose, from 0.
    pub answers: BTreeMap<MemberId, u8>,
    /// Whether it can still be answered.
    pub open: bool,
    /// What won, from 0, once it is over.
    pub winner: Option<u8>,
}

impl Poll {
    /// How many members chose this one.
    pub fn count(&self, choice: u8) -> usize {
        self.answers
            .values()
            .filter(|chosen| **chosen == choice)
            .count()
    }

    /// The first of those chosen most; `None` while nothing is.
    pub fn leader(&self) -> Option<u8> {
        (0..self.choices.len() as u8)
            .rev()
            .max_by_key(|choice| self.count(*choice))
            .filter(|choice| self.count(*choice) > 0)
    }
}
