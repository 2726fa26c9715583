//! The stretches of an evening in which nothing was to be seen.
//!
//! A party paused for supper, a host who came back a week later: session time
//! ran on, and nobody who watches again wants to sit through it. A [`Wait`] is
//! such a stretch; what is left without them is *shown* time. Both ways between
//! session time and shown time are here, so that a clock and a scrub bar agree.

use crate::engine::event::{Body, Event};
use crate::engine::fold::RoomState;
use crate::engine::unit::{MediaTime, Micros, SessionTime};

/// A shorter stretch is a breath, not a wait: a guess at what feels like nothing happening.
pub const WAIT_MIN: Micros = Micros::from_secs(20);
/// What stays of a wait at its beginning, to read the line before it …
const STAYS_AFTER: Micros = Micros::from_secs(3);
/// … and at its end, so that what comes next does not come out of nowhere.
const STAYS_BEFORE: Micros = Micros::from_secs(2);

/// A stretch of session time that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// It begins here …
    pub from: SessionTime,
    /// … and ends here, later.
    pub to: SessionTime,
}

impl Wait {
    /// How long it is.
    pub fn length(self) -> Micros {
        self.to - self.from
    }

    /// What can be left out between two moments with nothing between them, if anything.
    fn between(from: SessionTime, to: SessionTime) -> Option<Self> {
        (to - from >= WAIT_MIN).then(|| Self {
            from: from + STAYS_AFTER,
            to: to - STAYS_BEFORE,
        })
    }
}

/// All waits of an evening, in order; none touches another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// Each wait with the shown time at which it stands.
    list: Vec<(Wait, Micros)>,
}

impl Waits {
    /// Looks at the stretch before `event`, when `before` was true; call it for each event in order.
    pub fn take(&mut self, before: &RoomState, event: &Event) {
        let now = event.header.at;
        let from = match &event.body {
            // The clock counted on while the program was gone or slept: nothing ran, whatever the line says.
            Body::EpochStarted { gap } | Body::HostGap { gap } if *gap >= WAIT_MIN => {
                (now - *gap).max(before.at)
            }
            _ => match stands_from(before) {
                Some(from) => from,
                None => return,
            },
        };
        self.end(from, now);
    }

    /// Looks at what follows the last event, up to the end of the evening.
    pub fn close(&mut self, last: &RoomState, end: SessionTime) {
        if let Some(from) = stands_from(last) {
            self.end(from, end);
        }
    }

    fn end(&mut self, from: SessionTime, to: SessionTime) {
        if let Some(wait) = Wait::between(from, to) {
            let shown = (wait.from - SessionTime::ZERO) - self.total();
            self.list.push((wait, shown));
        }
    }

    /// The waits, in order.
    pub fn iter(&self) -> impl Iterator<Item = Wait> {
        self.list.iter().map(|(wait, _)| *wait)
    }

    /// How long all of them are together.
    pub fn total(&self) -> Micros {
        self.list.last().map_or(Micros::ZERO, |(wait, shown)| {
            (wait.to - SessionTime::ZERO) - *shown
        })
    }

    /// How much of the evening is shown before `at`.
    pub fn shown(&self, at: SessionTime) -> Micros {
        let before = self.list.partition_point(|(wait, _)| wait.from < at);
        match before.checked_sub(1).map(|last| self.list[last]) {
            None => at - SessionTime::ZERO,
            Some((wait, shown)) if at < wait.to => shown,
            Some((wait, shown)) => shown + (at - wait.to),
        }
    }

    /// The moment before which so much is shown; the end of a wait rather than its beginning.
    pub fn moment(&self, shown: Micros) -> SessionTime {
        let before = self.list.partition_point(|(_, at)| *at <= shown);
        match before.checked_sub(1).map(|last| self.list[last]) {
            None => SessionTime::ZERO + shown,
            Some((wait, at)) => wait.to + (shown - at),
        }
    }

    /// The last wait that ends behind `from` and not behind `to`, if one does.
    pub(super) fn last_within(&self, from: SessionTime, to: SessionTime) -> Option<Wait> {
        let before = self.list.partition_point(|(wait, _)| wait.to <= to);
        let (wait, _) = *self.list.get(before.checked_sub(1)?)?;
        (wait.to > from).then_some(wait)
    }
}

/// From when on nothing moves in this state, if nothing happens; `None` while the film runs for good.
fn stands_from(state: &RoomState) -> Option<SessionTime> {
    let anchor = state.timeline.anchor;
    if !anchor.playing || state.timeline.current().is_none() {
        return Some(state.at);
    }
    // A film that reached its end stands, though its line was never told to.
    let left = state.timeline.duration()? - (anchor.position - MediaTime::ZERO);
    let rate = i64::from(anchor.rate.get());
    let lasts = Micros::new(left.get().max(0).saturating_mul(1_000).div_euclid(rate));
    Some(state.at.max(anchor.at + lasts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(secs: u64) -> SessionTime {
        SessionTime::from_secs(secs)
    }

    fn waits(stretches: &[(u64, u64)]) -> Waits {
        let mut waits = Waits::default();
        for (from, to) in stretches {
            waits.end(at(*from), at(*to));
        }
        waits
    }

    #[test]
    fn a_week_between_two_halves_leaves_five_seconds() {
        let waits = waits(&[(3_600, 3_600 + 604_800)]);
        assert_eq!(waits.total(), Micros::from_secs(604_800 - 5));
        assert_eq!(waits.shown(at(3_600)), Micros::from_secs(3_600));
        assert_eq!(waits.shown(at(608_400)), Micros::from_secs(3_605));
        assert_eq!(waits.moment(Micros::from_secs(3_605)), at(608_400));
        assert_eq!(waits.shown(at(100_000)), Micros::from_secs(3_603), "inside");
    }

    #[test]
    fn a_breath_is_no_wait() {
        assert_eq!(waits(&[(10, 29)]), Waits::default());
    }

    proptest! {
        #[test]
        fn shown_time_and_session_time_agree(gaps in prop::collection::vec((0u64..90, 0u64..90), 0..20), secs in 0u64..4_000) {
            let (mut clock, mut waits) = (0, Waits::default());
            for (runs, stands) in gaps {
                waits.end(at(clock + runs), at(clock + runs + stands));
                clock += runs + stands;
            }
            let shown = Micros::from_secs(secs as i64);
            prop_assert_eq!(waits.shown(waits.moment(shown)), shown);
            let inside = waits.iter().any(|wait| wait.from <= at(secs) && at(secs) < wait.to);
            if !inside {
                prop_assert_eq!(waits.moment(waits.shown(at(secs))), at(secs));
            }
            let all: Micros = waits.iter().fold(Micros::ZERO, |sum, wait| sum + wait.length());
            prop_assert_eq!(waits.total(), all);
        }
    }
}
