//! What was said lately: enough for a newcomer to follow the talk.
//!
//! The whole talk is in the log; the state keeps the last [`LINES_KEPT`] lines,
//! so that a snapshot stays small however long the evening.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::engine::event::Header;
use crate::engine::id::{MemberId, Seq};
use crate::engine::text::Line;
use crate::engine::unit::{MediaTime, SessionTime};

/// How many lines a state keeps: a screenful and a little scrolling.
pub const LINES_KEPT: usize = 100;

/// One line of talk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoken {
    /// The event that carried it.
    pub seq: Seq,
    /// When.
    pub at: SessionTime,
    /// Where the film stood.
    pub moment: MediaTime,
    /// Who; `None` is the room itself.
    pub by: Option<MemberId>,
    /// What; `None` once it was redacted.
    pub text: Option<Line>,
    /// The line it answers.
    pub reply_to: Option<Seq>,
}

/// The last lines of talk, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Transcript {
    lines: VecDeque<Spoken>,
}

impl Transcript {
    /// The lines, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Spoken> {
        self.lines.iter()
    }

    /// The line that event carried, if it is kept still.
    pub fn get(&self, seq: Seq) -> Option<&Spoken> {
        let place = self
            .lines
            .binary_search_by_key(&seq, |line| line.seq)
            .ok()?;
        self.lines.get(place)
    }

    pub(super) fn redacted(&mut self, seq: Seq) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.seq == seq) {
            line.text = None;
        }
    }

    pub(super) fn said(
        &mut self,
        header: &Header,
        text: &Line,
        moment: MediaTime,
        reply_to: Option<Seq>,
    ) {
        if self.lines.len() == LINES_KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(Spoken {
            seq: header.seq,
            at: header.at,
            moment,
            by: header.by,
            text: Some(text.clone()),
            reply_to,
        });
    }
}
