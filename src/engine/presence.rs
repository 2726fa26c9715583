//! What players are doing right now: observations, which are never events (law 5).
//!
//! A report a second from each of a thousand would be a million rows a second
//! if everybody heard everything. So a [`Board`] tells what changed, and of
//! that at once only what somebody would notice: another activity, or a drift
//! of another size. The rest, milliseconds that wander, goes round in turn, a
//! few rows a second, which keeps small rooms exact and big ones quiet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::id::MemberId;
use crate::engine::unit::{LocalTime, Micros};

/// What a player is doing at one moment. The order is the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Nothing is loaded, or it still loads.
    Loading,
    /// The film advances.
    Playing,
    /// The film stands still because somebody wanted it to.
    Paused,
    /// A seek is under way.
    Seeking,
    /// The film should advance and cannot: too little data.
    Stalled,
    /// The film is over.
    Ended,
    /// The site shows an advertisement instead of the film.
    Advert,
    /// The browser wants a click before it plays with sound.
    NeedsClick,
}

/// What a member tells the others about their player.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What the player does; `None` without a player.
    pub activity: Option<Activity>,
    /// How far ahead of the timeline it is; negative is behind; `None` while that means nothing.
    pub drift: Option<Micros>,
    /// The round trip to the host, as the member measures it.
    pub round_trip: Option<Micros>,
}

/// A report, and what only the trace wants beside it: told to the host alone, passed on to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vitals {
    /// What the player does.
    pub report: Report,
    /// How far the member's reading of the session's clock can be off.
    pub clock_error: Option<Micros>,
    /// How fast the film plays, in millionths of its own speed: off the room's rate while it is corrected.
    pub rate_ppm: Option<u32>,
    /// Pulses begun since the player opened; a smaller number than before is another player.
    pub slews: u32,
    /// Corrections by a jump since the player opened.
    pub steps: u32,
}

/// What one member last told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Who.
    pub member: MemberId,
    /// What.
    pub report: Report,
}

/// A drift is told at once when it moved by more than this and a quarter of itself: less is
/// below what a player corrects within a second or two anyway.
const DRIFT_NOTICED: Micros = Micros::from_millis(20);
/// Between two rounds of what nobody would notice.
const ROUND_EVERY: Micros = Micros::from_secs(1);
/// Rows of such a round: some twenty bytes a second for each member, however many there are.
const ROUND_ROWS: usize = 2;

impl Report {
    /// Whether somebody who was told `before` would notice the difference.
    fn is_news_after(&self, before: &Self) -> bool {
        if self.activity != before.activity {
            return true;
        }
        match (self.drift, before.drift) {
            (None, None) => false,
            (Some(now), Some(then)) => {
                let quarter = Micros::new(then.abs().get() / 4);
                (now - then).abs() > DRIFT_NOTICED + quarter
            }
            _ => true,
        }
    }
}

/// What everybody last reported, and what of it was told.
#[derive(Clone, Debug, Default)]
pub struct Board {
    rows: BTreeMap<MemberId, Row>,
    /// Rises each time something is told.
    version: u64,
    /// When a round of small differences was told last.
    round: LocalTime,
    is_changed: bool,
}

#[derive(Clone, Debug)]
struct Row {
    latest: Report,
    told: Option<Report>,
    /// The version that told it last.
    version: u64,
}

impl Board {
    /// Takes in what a member reports.
    pub fn note(&mut self, member: MemberId, report: Report) {
        let row = self.rows.entry(member).or_insert(Row {
            latest: report,
            told: None,
            version: 0,
        });
        row.latest = report;
        self.is_changed |= row.told != Some(report);
    }

    /// A member went: whoever follows the events knows.
    pub fn forget(&mut self, member: MemberId) {
        self.rows.remove(&member);
    }

    /// What everybody last reported, told or not.
    pub fn reports(&self) -> impl Iterator<Item = &Report> {
        self.rows.values().map(|row| &row.latest)
    }

    /// Decides what is told now; `None` when that is nothing.
    pub fn tell(&mut self, now: LocalTime) -> Option<Told> {
        if !self.is_changed {
            return None;
        }
        let version = self.version + 1;
        let mut is_told = false;
        for row in self.rows.values_mut() {
            if row.told.is_none_or(|told| row.latest.is_news_after(&told)) {
                (row.told, row.version, is_told) = (Some(row.latest), version, true);
            }
        }
        if now - self.round >= ROUND_EVERY {
            self.round = now;
            let stale = self.rows.values_mut();
            let mut stale: Vec<_> = stale.filter(|row| row.told != Some(row.latest)).collect();
            stale.sort_by_key(|row| row.version);
            self.is_changed = stale.len() > ROUND_ROWS;
            for row in stale.into_iter().take(ROUND_ROWS) {
                (row.told, row.version, is_told) = (Some(row.latest), version, true);
            }
        }
        if !is_told {
            return None;
        }
        self.version = version;
        let rows = self.rows.iter().filter_map(|(member, row)| {
            let presence = Presence {
                member: *member,
                report: row.told?,
            };
            Some((row.version, presence))
        });
        Some(Told {
            version,
            rows: rows.collect(),
        })
    }
}

/// What everybody was told, for those who come late or lag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    version: u64,
    /// Each row with the version that told it last.
    rows: Vec<(u64, Presence)>,
}

impl Told {
    /// How often something was told so far.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// What was told after that version; everything after 0.
    pub fn since(&self, version: u64) -> Vec<Presence> {
        let fresh = self.rows.iter().filter(|(told, _)| *told > version);
        fresh.map(|(_, presence)| *presence).collect()
    }
}

/// What one member knows of everybody's players: rows come one by one, and go with their member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    reports: BTreeMap<MemberId, Report>,
}

impl Known {
    /// Takes in what the room tells.
    pub fn take(&mut self, told: &[Presence]) {
        let rows = told.iter().map(|one| (one.member, one.report));
        self.reports.extend(rows);
    }

    /// Everybody's, by rising number.
    pub fn all(&self) -> Vec<Presence> {
        let rows = self.reports.iter();
        rows.map(|(&member, &report)| Presence { member, report })
            .collect()
    }

    /// That member's player is gone, or is another one. Whether that changes anything.
    pub fn forget(&mut self, member: MemberId) -> bool {
        self.reports.remove(&member).is_some()
    }

    /// Nobody's is known any more. Whether that changes anything.
    pub fn forget_all(&mut self) -> bool {
        !std::mem::take(&mut self.reports).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn report(activity: Activity, drift_millis: i64) -> Report {
        Report {
            activity: Some(activity),
            drift: Some(Micros::from_millis(drift_millis)),
            round_trip: None,
        }
    }

    fn at(millis: i64) -> LocalTime {
        LocalTime::ZERO + Micros::from_millis(millis)
    }

    #[test]
    fn what_somebody_would_notice_is_told_at_once_and_the_rest_in_turn() {
        let mut board = Board::default();
        for number in 1..=100 {
            board.note(MemberId::new(number), report(Activity::Playing, 0));
        }
        let all = board.tell(at(0)).unwrap();
        assert_eq!(all.since(0).len(), 100);
        assert_eq!(board.tell(at(250)), None, "nothing changed");
        for number in 1..=100 {
            board.note(MemberId::new(number), report(Activity::Playing, 3));
        }
        board.note(MemberId::new(7), report(Activity::Stalled, 0));
        let stall = board.tell(at(500)).unwrap();
        assert_eq!(stall.since(all.version()).len(), 1);
        let mut version = stall.version();
        let mut heard = 0;
        for second in 1..=50 {
            let told = board.tell(at(500 + second * 1_000)).unwrap();
            let fresh = told.since(version).len();
            assert!(fresh <= ROUND_ROWS);
            (version, heard) = (told.version(), heard + fresh);
        }
        assert_eq!(heard, 99, "everybody's turn comes");
        assert_eq!(board.tell(at(100_000)), None);
    }

    proptest! {
        /// However a reader lags, and whoever comes and goes: once all is told it knows what is so.
        #[test]
        fn a_reader_who_lags_knows_the_same(steps in prop::collection::vec((1u32..6, -200i64..200, 0u8..4), 1..80)) {
            let (mut board, mut known, mut version) = (Board::default(), Known::default(), 0);
            let mut last = Told::default();
            let mut now = 0;
            for (member, drift, what) in steps {
                let member = MemberId::new(member);
                match what {
                    0 => { board.forget(member); known.forget(member); }
                    1 => board.note(member, report(Activity::Paused, drift)),
                    _ => board.note(member, report(Activity::Playing, drift)),
                }
                now += 250;
                if let Some(told) = board.tell(at(now)) { last = told; }
                if what == 3 {
                    known.take(&last.since(version));
                    version = last.version();
                }
            }
            for _ in 0..10 {
                now += 1_000;
                if let Some(told) = board.tell(at(now)) { last = told; }
            }
            known.take(&last.since(version));
            for presence in known.all() {
                if let Some(row) = board.rows.get(&presence.member) {
                    prop_assert_eq!(presence.report, row.latest);
                }
            }
            prop_assert!(board.rows.keys().all(|member| known.reports.contains_key(member)));
        }
    }
}
