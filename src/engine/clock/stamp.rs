//! The Lamport clock: a number larger than that of anything an event could have followed.
//!
//! Lamport, *Time, Clocks, and the Ordering of Events in a Distributed System*
//! (1978), rule IR2. Stamps order two logs of one party after a fork; inside
//! one log the seq already does.

use crate::engine::id::Stamp;

/// How far one peer's claim may move the clock: so that a lying peer needs two
/// million claims, not one, to use up the numbers a double counts exactly. No
/// honest party comes near it.
const CLAIM_MAX: u64 = 1 << 32;
/// The last stamp: what the page's doubles still count exactly.
const STAMP_MAX: u64 = (1 << 53) - 1;

/// One party's Lamport clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lamport {
    last: Stamp,
}

impl Lamport {
    /// A clock that goes on after `last`, as a log read back has it.
    pub const fn after(last: Stamp) -> Self {
        Self { last }
    }

    /// The stamp given out last.
    pub const fn last(self) -> Stamp {
        self.last
    }

    /// The stamp of the next event, whose author had seen `seen`: `max(last, seen) + 1`.
    pub fn next(&mut self, seen: Stamp) -> Stamp {
        let believed = seen.get().min(self.last.get().saturating_add(CLAIM_MAX));
        let next = believed.max(self.last.get()).saturating_add(1);
        self.last = Stamp::new(next.min(STAMP_MAX));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stamp_follows_both_what_was_given_out_and_what_was_seen() {
        let mut clock = Lamport::default();
        assert_eq!(clock.next(Stamp::new(0)), Stamp::new(1));
        assert_eq!(clock.next(Stamp::new(7)), Stamp::new(8));
        assert_eq!(clock.next(Stamp::new(3)), Stamp::new(9));
        assert_eq!(
            Lamport::after(Stamp::new(9)).next(Stamp::new(0)),
            Stamp::new(10)
        );
    }

    #[test]
    fn a_lying_peer_does_not_use_up_the_numbers() {
        let mut clock = Lamport::default();
        let first = clock.next(Stamp::new(u64::MAX));
        assert!(first.get() <= CLAIM_MAX + 1);
        assert!(clock.next(Stamp::new(0)) > first);
    }

    proptest! {
        #[test]
        fn stamps_rise_past_everything_seen(claims in prop::collection::vec(0u64..1 << 30, 1..50)) {
            let mut clock = Lamport::default();
            for seen in claims {
                let before = clock.last();
                let stamp = clock.next(Stamp::new(seen));
                prop_assert!(stamp > before && stamp.get() > seen);
            }
        }
    }
}
