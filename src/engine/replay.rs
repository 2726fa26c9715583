//! Replay: a range of events folded in order, with every break in the order found.
//!
//! A [`Replay`] is what every reader of a session is: state so far, and the seq
//! it wants next. It takes events as they come, drops what it already holds,
//! and refuses what does not follow.

use crate::engine::event::Event;
use crate::engine::fold::RoomState;
use crate::engine::id::{Epoch, Seq};

/// Why an event does not follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// Events are missing in between.
    #[error("events are missing: wanted {wanted}, got {got}")]
    Gap {
        /// The seq that comes next.
        wanted: Seq,
        /// The seq that came.
        got: Seq,
    },
    /// It was written by a sequencer that was already replaced.
    #[error("event {seq} comes from epoch {got}, which ended before epoch {current}")]
    Fork {
        /// Which event.
        seq: Seq,
        /// Its epoch.
        got: Epoch,
        /// The epoch that had begun.
        current: Epoch,
    },
    /// Its session time lies before that of the event it follows.
    #[error("event {seq} lies before the one it follows")]
    Backwards {
        /// Which event.
        seq: Seq,
    },
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Folded in.
    Applied,
    /// Held already; nothing changed.
    Duplicate,
}

/// A fold in progress.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    state: RoomState,
}

impl Replay {
    /// Begins with nothing: wants event 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on from a state, for instance out of a snapshot.
    pub fn from_state(state: RoomState) -> Self {
        Self { state }
    }

    /// The next seq wanted.
    pub fn cursor(&self) -> Seq {
        self.state.tail()
    }

    /// What is true so far.
    pub fn state(&self) -> &RoomState {
        &self.state
    }

    /// Gives the state away.
    pub fn into_state(self) -> RoomState {
        self.state
    }

    /// What taking this event would come to.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn check(&self, event: &Event) -> Result<Step, ReplayError> {
        let header = &event.header;
        let wanted = self.cursor();
        if header.seq < wanted {
            return Ok(Step::Duplicate);
        }
        if header.seq > wanted {
            return Err(ReplayError::Gap {
                wanted,
                got: header.seq,
            });
        }
        if header.epoch < self.state.epoch {
            return Err(ReplayError::Fork {
                seq: header.seq,
                got: header.epoch,
                current: self.state.epoch,
            });
        }
        if header.at < self.state.at {
            return Err(ReplayError::Backwards { seq: header.seq });
        }
        Ok(Step::Applied)
    }

    /// Takes one event.
    ///
    /// # Errors
    /// [`ReplayError`]; the state is unchanged.
    pub fn take(&mut self, event: &Event) -> Result<Step, ReplayError> {
        let step = self.check(event)?;
        if step == Step::Applied {
            self.state.apply(event);
        }
        Ok(step)
    }

    /// Takes events in order until one does not follow.
    ///
    /// # Errors
    /// [`ReplayError`] of the first that does not; those before it are folded in.
    pub fn take_all<'a>(
        &mut self,
        events: impl IntoIterator<Item = &'a Event>,
    ) -> Result<(), ReplayError> {
        events
            .into_iter()
            .try_for_each(|event| self.take(event).map(drop))
    }
}
