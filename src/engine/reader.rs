//! One subscriber: a cursor that catches up, follows, and falls back when it lags.
//!
//! A subscriber is not a channel (law 2). It holds the next seq it wants and
//! asks, each time it is woken, where that lies: in the log, among the recent
//! events still in memory, or not yet written. Channels and memory only make
//! the answer faster; a slow reader is late, never wrong. The caller does the
//! reading and tells the cursor what it got.

use std::ops::Range;

use crate::engine::id::Seq;

/// Where the next events are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// In the log only: read this range there, or the first part of it.
    Scan(Range<Seq>),
    /// In memory: copy this range from there.
    Follow(Range<Seq>),
    /// Nowhere yet: wait until the tail moves.
    Wait,
}

/// A reader's place in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    next: Seq,
}

impl Cursor {
    /// A reader that wants `next` first.
    pub const fn at(next: Seq) -> Self {
        Self { next }
    }

    /// The seq wanted next.
    pub const fn next(self) -> Seq {
        self.next
    }

    /// Where to get it, when events before `tail` are durable and those from `recent` on are in memory.
    pub fn want(self, recent: Seq, tail: Seq) -> Want {
        if self.next >= tail {
            Want::Wait
        } else if self.next >= recent {
            Want::Follow(self.next..tail)
        } else {
            Want::Scan(self.next..recent.min(tail))
        }
    }

    /// Notes that everything before `next` was delivered.
    ///
    /// # Panics
    /// When that would take events back or skip some that were not read: a bug of the caller.
    pub fn advance(&mut self, next: Seq, tail: Seq) {
        assert!(
            next >= self.next && next <= tail,
            "a cursor goes forward, up to the tail"
        );
        self.next = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the memory holds and however little is read at a time, each event comes once, in order.
        #[test]
        fn a_reader_gets_each_event_once_however_late(steps in prop::collection::vec((0u64..20, 0u64..30, 1u64..9), 1..60)) {
            let (mut cursor, mut tail, mut got) = (Cursor::at(Seq::FIRST), 1u64, Vec::new());
            let mut settle = |tail: u64, memory: u64, chunk: u64, once: bool| {
                let recent = Seq::new(tail.saturating_sub(memory).max(1));
                loop {
                    let range = match cursor.want(recent, Seq::new(tail)) {
                        Want::Wait => break,
                        Want::Scan(range) => { assert!(range.end <= recent); range }
                        Want::Follow(range) => { assert!(range.start >= recent); range }
                    };
                    let end = range.end.get().min(range.start.get() + chunk);
                    got.extend(range.start.get()..end);
                    cursor.advance(Seq::new(end), Seq::new(tail));
                    if once { break; }
                }
            };
            for (appended, memory, chunk) in steps {
                tail += appended;
                settle(tail, memory, chunk, true);
            }
            settle(tail, 3, 7, false);
            prop_assert_eq!(got, (1..tail).collect::<Vec<_>>());
        }
    }
}
