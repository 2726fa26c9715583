//! The trace: what was observed beside the log, bounded, and never folded (law 5).
//!
//! It answers what the log cannot: how far off was Bob when it stuttered, and
//! why did nothing happen when Eve pressed play? The last [`WHOLE_FOR`] are kept
//! whole, up to [`WHOLE_MAX`] entries; what falls out of that is thinned to one
//! sample in [`THIN_EVERY`] per member and kept for the whole session. Should
//! even that come to [`THIN_MAX`] entries, every member's samples are thinned to
//! half, again and again: a very long evening is seen more coarsely, but from
//! its beginning. Refusals are rare and small and are kept like samples.
//!
//! The host writes it beside the log (`log/trace.rs`); it may be lost without
//! the session losing anything.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::engine::id::MemberId;
use crate::engine::intent::Refusal;
use crate::engine::presence::{Report, Vitals};
use crate::engine::unit::{Micros, SessionTime};

/// How much is kept whole: what somebody who says "just now" means.
pub const WHOLE_FOR: Micros = Micros::from_secs(300);
/// Entries kept whole: thirty members who report once a second. More members, less time.
pub const WHOLE_MAX: usize = 9_000;
/// How far apart one member's samples are behind that.
pub const THIN_EVERY: Micros = Micros::from_secs(5);
/// Entries kept behind that: ten members over five hours.
pub const THIN_MAX: usize = 36_000;
/// A report adds nothing to vitals of the same player from so short a time ago.
const VITALS_STAND: Micros = Micros::from_secs(10);

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

/// What can be observed. The order is that of the trace's file: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// What their player does, how far off it is, and how far away; of members who tell no more.
    Report(Report),
    /// What they asked for and did not get.
    Refused {
        /// The number of their intent.
        counter: u64,
        /// Why not.
        refusal: Refusal,
    },
    /// The same as a report, and how they correct and read the clock.
    Vitals(Vitals),
}

impl What {
    /// What a player did, if this is about one.
    pub const fn report(&self) -> Option<&Report> {
        match self {
            Self::Report(report) => Some(report),
            Self::Vitals(vitals) => Some(&vitals.report),
            Self::Refused { .. } => None,
        }
    }
}

/// The trace of one session.
#[derive(Clone, Debug)]
pub struct Trace {
    whole: VecDeque<Observation>,
    thin: VecDeque<Observation>,
    /// When each member's last thinned sample was.
    thinned: BTreeMap<MemberId, SessionTime>,
    /// How far apart thinned samples are by now.
    thin_every: Micros,
    /// When each member last told their vitals.
    vitals_at: BTreeMap<MemberId, SessionTime>,
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            whole: VecDeque::new(),
            thin: VecDeque::new(),
            thinned: BTreeMap::new(),
            thin_every: THIN_EVERY,
            vitals_at: BTreeMap::new(),
        }
    }
}

impl FromIterator<Observation> for Trace {
    fn from_iter<I: IntoIterator<Item = Observation>>(observations: I) -> Self {
        let mut trace = Self::default();
        for observation in observations {
            trace.push(observation);
        }
        trace
    }
}

impl Trace {
    /// Notes what a player does, unless its member's vitals say so already.
    pub fn observe(
        &mut self,
        at: SessionTime,
        member: MemberId,
        report: &Report,
    ) -> Option<Observation> {
        let told = self.vitals_at.get(&member);
        if told.is_some_and(|told| at - *told < VITALS_STAND) {
            return None;
        }
        let what = What::Report(*report);
        Some(self.note(Observation { at, member, what }))
    }

    /// Notes how a player and its member's clock do.
    pub fn vitals(&mut self, at: SessionTime, member: MemberId, vitals: &Vitals) -> Observation {
        self.vitals_at.insert(member, at);
        let what = What::Vitals(*vitals);
        self.note(Observation { at, member, what })
    }

    /// Notes a refusal.
    pub fn refused(
        &mut self,
        at: SessionTime,
        member: MemberId,
        counter: u64,
        refusal: &Refusal,
    ) -> Observation {
        let refusal = refusal.clone();
        let what = What::Refused { counter, refusal };
        self.note(Observation { at, member, what })
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

    fn note(&mut self, new: Observation) -> Observation {
        self.push(new.clone());
        new
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
        if !self.is_due(&old) {
            return;
        }
        self.thin.push_back(old);
        // Half of it, so that this is rare; a flood of refusals alone yields its oldest.
        while self.thin.len() >= THIN_MAX {
            let before = self.thin.len();
            self.thin_every = self.thin_every + self.thin_every;
            self.thinned.clear();
            for kept in std::mem::take(&mut self.thin) {
                if self.is_due(&kept) {
                    self.thin.push_back(kept);
                }
            }
            if self.thin.len() == before {
                self.thin.drain(..before / 2);
            }
        }
    }

    /// Whether it is kept for good: everything but samples too near to their member's last.
    fn is_due(&mut self, sample: &Observation) -> bool {
        if sample.what.report().is_none() {
            return true;
        }
        let last = self.thinned.get(&sample.member);
        if last.is_some_and(|last| sample.at - *last < self.thin_every) {
            return false;
        }
        self.thinned.insert(sample.member, sample.at);
        true
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

    #[test]
    fn a_very_long_session_is_seen_from_its_beginning() {
        let mut trace = Trace::default();
        for second in 0..400_000u64 {
            trace.observe(SessionTime::from_secs(second), MemberId::new(1), &report(7));
        }
        assert!(trace.len() <= WHOLE_MAX + THIN_MAX);
        let times: Vec<SessionTime> = trace.iter().map(|it| it.at).collect();
        assert_eq!(times[0], SessionTime::ZERO);
        let thin = &times[..times.len() - 301];
        let gaps = thin.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.max() <= Some(Micros::from_secs(21)), "evenly");
        let again: Trace = trace.iter().cloned().collect();
        assert_eq!(again.len(), trace.len(), "reading it back loses nothing");
    }

    #[test]
    fn a_report_beside_vitals_is_not_kept_twice() {
        let mut trace = Trace::default();
        let (at, member) = (SessionTime::from_secs(1), MemberId::new(1));
        let vitals = Vitals {
            report: report(7),
            clock_error: Some(Micros::new(900)),
            rate_ppm: Some(1_000_000),
            slews: 1,
            steps: 0,
        };
        trace.vitals(at, member, &vitals);
        assert_eq!(trace.observe(at, member, &report(7)), None);
        let other = trace.observe(at, MemberId::new(2), &report(7));
        assert!(other.is_some(), "another member tells only reports");
        let silent = at + VITALS_STAND;
        assert!(trace.observe(silent, member, &report(8)).is_some());
    }
}
