//! The trace: what was observed beside the log, bounded, and never folded (law 5).
//!
//! It answers what the log cannot: how far off was Bob when it stuttered, and
//! why did nothing happen when Eve pressed play? The last [`WHOLE_FOR`] are kept
//! whole, up to [`WHOLE_MAX`] entries; what falls out of that is thinned to one
//! report in [`THIN_EVERY`] per member and kept for the session, up to
//! [`THIN_MAX`]. Refusals are rare and small and are kept like reports.
//!
//! It is exported with a session on request and may be lost with the host.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::engine::id::MemberId;
use crate::engine::intent::Refusal;
use crate::engine::presence::Report;
use crate::engine::unit::{Micros, SessionTime};

/// How much is kept whole: what somebody who says "just now" means.
pub const WHOLE_FOR: Micros = Micros::from_secs(300);
/// Entries kept whole: thirty members who report once a second. More members, less time.
pub const WHOLE_MAX: usize = 9_000;
/// How far apart one member's reports are behind that.
pub const THIN_EVERY: Micros = Micros::from_secs(5);
/// Entries kept behind that: ten members over five hours.
pub const THIN_MAX: usize = 36_000;

/// One thing that was observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// When.
    pub at: SessionTime,
    /// About whom.
    pub member: MemberId,
    /// What.
    pub what: What,
}

/// What can be observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// What their player does, how far off it is, and how far away.
    Report(Report),
    /// What they asked for and did not get.
    Refused {
        /// The number of their intent.
        counter: u64,
        /// Why not.
        refusal: Refusal,
    },
}

/// The trace of one session.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    whole: VecDeque<Observation>,
    thin: VecDeque<Observation>,
    /// When each member's last thinned report was.
    thinned: BTreeMap<MemberId, SessionTime>,
}

impl Trace {
    /// Notes what a player does.
    pub fn observe(&mut self, at: SessionTime, member: MemberId, report: &Report) {
        let what = What::Report(*report);
        self.push(Observation { at, member, what });
    }

    /// Notes a refusal.
    pub fn refused(&mut self, at: SessionTime, member: MemberId, counter: u64, refusal: &Refusal) {
        let refusal = refusal.clone();
        let what = What::Refused { counter, refusal };
        self.push(Observation { at, member, what });
    }

    /// Everything kept, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Observation> {
        self.thin.iter().chain(&self.whole)
    }

    /// How many observations are kept.
    pub fn len(&self) -> usize {
        self.thin.len() + self.whole.len()
    }

    /// Whether nothing was observed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&mut self, new: Observation) {
        let now = new.at;
        self.whole.push_back(new);
        while let Some(oldest) = self
            .whole
            .pop_front_if(|it| now - it.at > WHOLE_FOR)
            .or_else(|| {
                (self.whole.len() > WHOLE_MAX)
                    .then(|| self.whole.pop_front())
                    .flatten()
            })
        {
            self.keep_thin(oldest);
        }
    }

    fn keep_thin(&mut self, old: Observation) {
        if matches!(old.what, What::Report(_)) {
            let last = self.thinned.get(&old.member);
            if last.is_some_and(|last| old.at - *last < THIN_EVERY) {
                return;
            }
            self.thinned.insert(old.member, old.at);
        }
        if self.thin.len() == THIN_MAX {
            self.thin.pop_front();
        }
        self.thin.push_back(old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::presence::Activity;

    fn report(drift: i64) -> Report {
        Report {
            activity: Some(Activity::Playing),
            drift: Some(Micros::new(drift)),
            round_trip: None,
        }
    }

    #[test]
    fn five_minutes_are_kept_whole_and_the_rest_thinned() {
        let mut trace = Trace::default();
        for second in 0..3_600 {
            for member in [1, 2] {
                trace.observe(
                    SessionTime::from_secs(second),
                    MemberId::new(member),
                    &report(7),
                );
            }
        }
        let of = |member, from, to| {
            let member = MemberId::new(member);
            let within = SessionTime::from_secs(from)..SessionTime::from_secs(to);
            trace
                .iter()
                .filter(|it| it.member == member && within.contains(&it.at))
                .count()
        };
        assert_eq!(of(1, 3_300, 3_600), 300, "the last five minutes, whole");
        assert_eq!(of(2, 0, 3_000), 600, "one in five seconds, each member");
        assert!(trace.iter().is_sorted_by_key(|it| it.at));
    }

    #[test]
    fn a_flood_stays_within_bounds_and_refusals_survive_it() {
        let mut trace = Trace::default();
        let refusal = Refusal::NothingLoaded;
        trace.refused(SessionTime::ZERO, MemberId::new(9), 4, &refusal);
        for number in 0..200_000u64 {
            trace.observe(
                SessionTime::from_millis(number),
                MemberId::new(number as u32 % 100),
                &report(1),
            );
        }
        assert!(trace.len() <= WHOLE_MAX + THIN_MAX);
        let first = trace.iter().next().map(|it| it.what.clone());
        assert_eq!(
            first,
            Some(What::Refused {
                counter: 4,
                refusal
            })
        );
    }
}
