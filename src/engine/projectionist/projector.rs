//! The clock of a replay: which moment of the evening is shown now.
//!
//! A [`Projector`] is a few numbers and can be copied: whoever holds one and the
//! evening's [`Waits`] knows the moment at any time of this machine's clock,
//! without asking anybody. It reads no clock; the time is an argument.

use std::fmt;

use super::waits::Waits;
use crate::engine::unit::{LocalTime, Micros, SessionTime};

/// How fast an evening is watched again, in thousandths of its own speed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pace(u32);

impl Pace {
    /// As fast as it was.
    pub const NORMAL: Self = Self(1_000);
    /// The slowest: to see two events apart that came in one second.
    pub const MIN: Self = Self(100);
    /// The fastest: an evening of four hours in four minutes.
    pub const MAX: Self = Self(64_000);

    /// So many times as fast.
    pub const fn times(times: u8) -> Self {
        Self::held(times as u32 * 1_000)
    }

    /// A pace in thousandths; `None` outside [`Pace::MIN`]..=[`Pace::MAX`].
    pub const fn from_millis(thousandths: u32) -> Option<Self> {
        if thousandths < Self::MIN.0 || thousandths > Self::MAX.0 {
            None
        } else {
            Some(Self(thousandths))
        }
    }

    const fn held(thousandths: u32) -> Self {
        if thousandths < Self::MIN.0 {
            Self::MIN
        } else if thousandths > Self::MAX.0 {
            Self::MAX
        } else {
            Self(thousandths)
        }
    }

    /// Thousandths of the evening's own speed.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Reads what a person types: `4`, `0.5`, `16x`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches(['x', '×']);
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str, most: usize| {
            !part.is_empty() && part.len() <= most && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(whole, 3) || !digits(fraction, 3) {
            return None;
        }
        let whole: u32 = whole.parse().ok()?;
        let fraction: u32 = format!("{fraction:0<3}").parse().ok()?;
        Self::from_millis(whole * 1_000 + fraction)
    }

    /// How much of the evening passes in `elapsed`, rounded down.
    pub fn evening_in(self, elapsed: Micros) -> Micros {
        let passed = i128::from(elapsed.get()) * i128::from(self.0) / 1_000;
        Micros::new(i64::try_from(passed).unwrap_or(i64::MAX))
    }

    /// How long so much of the evening takes, rounded up, so that it has passed by then.
    pub fn time_for(self, evening: Micros) -> Micros {
        let thousandths = i128::from(evening.get()) * 1_000;
        let takes = (thousandths + i128::from(self.0) - 1).div_euclid(i128::from(self.0));
        Micros::new(i64::try_from(takes).unwrap_or(i64::MAX))
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::NORMAL
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// As people read it: `1×`, `0.5×`, `16×`.
impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 1_000, self.0 % 1_000);
        match fraction {
            0 => write!(f, "{whole}×"),
            _ => write!(
                f,
                "{whole}.{}×",
                format!("{fraction:03}").trim_end_matches('0')
            ),
        }
    }
}

/// See the module. Equal projectors show the same moment for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Projector {
    /// At this time of this machine's clock …
    since: LocalTime,
    /// … this moment was shown.
    from: SessionTime,
    /// The evening's last moment: no projector shows a later one.
    end: SessionTime,
    pace: Pace,
    running: bool,
    skipping: bool,
}

impl Projector {
    /// Stands at the beginning of an evening that ends at `end`, and leaves the waits out.
    pub fn new(end: SessionTime) -> Self {
        Self {
            end,
            skipping: true,
            ..Self::default()
        }
    }

    /// The moment shown at `now`.
    pub fn session(&self, now: LocalTime, waits: &Waits) -> SessionTime {
        let elapsed = now - self.since;
        if !self.running || elapsed <= Micros::ZERO {
            return self.from;
        }
        let passed = self.pace.evening_in(elapsed);
        let moment = if self.skipping {
            waits.moment(waits.shown(self.from) + passed)
        } else {
            self.from + passed
        };
        moment.clamp(self.from, self.end)
    }

    /// When `moment` will be shown; `None` while it stands, and for moments that are past or never come.
    pub fn local(&self, moment: SessionTime, waits: &Waits) -> Option<LocalTime> {
        if !self.running || moment < self.from || moment > self.end {
            return None;
        }
        let ahead = if self.skipping {
            waits.shown(moment) - waits.shown(self.from)
        } else {
            moment - self.from
        };
        Some(self.since + self.pace.time_for(ahead))
    }

    /// Where the stretch shown at `now` began that has no wait in it: a time, and the moment shown then.
    pub fn stretch(&self, now: LocalTime, waits: &Waits) -> (LocalTime, SessionTime) {
        let moment = self.session(now, waits);
        let jumped = (self.running && self.skipping)
            .then(|| waits.last_within(self.from, moment))
            .flatten()
            // One that began before is left at once: what is shown of it has passed already.
            .and_then(|wait| Some((self.local(wait.to, waits)?, wait.to)));
        jumped.unwrap_or((self.since, self.from))
    }

    /// Whether it runs at `now`: not at the end.
    pub fn runs(&self, now: LocalTime, waits: &Waits) -> bool {
        self.running && self.session(now, waits) < self.end
    }

    /// The evening's last moment.
    pub fn end(&self) -> SessionTime {
        self.end
    }

    /// How fast it runs when it runs.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Whether it leaves the waits out.
    pub fn skips(&self) -> bool {
        self.skipping
    }

    fn settle(&mut self, now: LocalTime, waits: &Waits) {
        self.from = self.session(now, waits);
        self.since = now;
        self.running = self.running && self.from < self.end;
    }

    /// Runs from where it stands; from the beginning when it stands at the end.
    pub fn play(&mut self, now: LocalTime, waits: &Waits) {
        self.settle(now, waits);
        if self.from >= self.end {
            self.from = SessionTime::ZERO;
        }
        self.running = self.from < self.end;
    }

    /// Stands on the moment shown at `now`.
    pub fn pause(&mut self, now: LocalTime, waits: &Waits) {
        self.settle(now, waits);
        self.running = false;
    }

    /// Goes to a moment, held inside the evening; goes on running if it ran.
    pub fn seek(&mut self, now: LocalTime, to: SessionTime, waits: &Waits) {
        self.settle(now, waits);
        self.from = to.min(self.end);
        self.running = self.running && self.from < self.end;
    }

    /// Runs at another pace from `now` on.
    pub fn set_pace(&mut self, now: LocalTime, pace: Pace, waits: &Waits) {
        self.settle(now, waits);
        self.pace = pace;
    }

    /// Leaves the waits out from `now` on, or sits through them.
    pub fn set_skipping(&mut self, now: LocalTime, skipping: bool, waits: &Waits) {
        self.settle(now, waits);
        self.skipping = skipping;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::{Body, Event, Header};
    use crate::engine::fold::RoomState;
    use proptest::prelude::*;

    fn secs(secs: u64) -> SessionTime {
        SessionTime::from_secs(secs)
    }

    fn local(secs: u64) -> LocalTime {
        LocalTime::from_secs(1_000 + secs)
    }

    /// Events at these seconds, with nothing on: every gap of twenty seconds is a wait.
    fn quiet(at: &[u64]) -> Waits {
        let (mut state, mut waits) = (RoomState::default(), Waits::default());
        for at in at {
            let event = Event {
                header: Header {
                    seq: state.tail(),
                    epoch: Default::default(),
                    stamp: Default::default(),
                    at: secs(*at),
                    wall: 0,
                    by: None,
                    via: Default::default(),
                    cause: None,
                    intent: None,
                },
                body: Body::SaidReady {},
            };
            waits.take(&state, &event);
            state.apply(&event);
        }
        waits
    }

    #[test]
    fn it_runs_at_its_pace_stands_and_jumps() {
        let none = Waits::default();
        let mut projector = Projector::new(secs(3_600));
        assert_eq!(projector.session(local(9), &none), secs(0), "it stands");
        projector.play(local(10), &none);
        assert_eq!(projector.session(local(15), &none), secs(5));
        projector.set_pace(local(15), Pace::times(16), &none);
        assert_eq!(projector.session(local(20), &none), secs(85));
        projector.pause(local(20), &none);
        assert_eq!(projector.session(local(900), &none), secs(85));
        projector.seek(local(900), secs(600), &none);
        assert_eq!(
            projector.session(local(901), &none),
            secs(600),
            "still standing"
        );
        projector.play(local(901), &none);
        assert_eq!(
            projector.session(local(9_000), &none),
            secs(3_600),
            "the end"
        );
        assert!(!projector.runs(local(9_000), &none));
        projector.play(local(9_000), &none);
        assert_eq!(
            projector.session(local(9_001), &none),
            secs(16),
            "from the beginning"
        );
    }

    #[test]
    fn it_leaves_a_wait_out_and_says_where_it_went_on() {
        let waits = quiet(&[10, 1_010]);
        let mut projector = Projector::new(secs(1_010));
        projector.play(local(0), &waits);
        assert_eq!(projector.session(local(12), &waits), secs(12));
        assert_eq!(projector.session(local(14), &waits), secs(1_009));
        assert_eq!(projector.stretch(local(12), &waits), (local(0), secs(0)));
        assert_eq!(
            projector.stretch(local(14), &waits),
            (local(13), secs(1_008))
        );
        projector.set_skipping(local(12), false, &waits);
        assert_eq!(projector.session(local(14), &waits), secs(14));
    }

    #[test]
    fn an_evening_of_no_length_never_runs() {
        let mut projector = Projector::new(SessionTime::ZERO);
        projector.play(local(0), &Waits::default());
        assert!(!projector.runs(local(1), &Waits::default()));
        assert_eq!(
            projector.session(local(5), &Waits::default()),
            SessionTime::ZERO
        );
    }

    #[test]
    fn a_pace_reads_and_prints_as_people_write_it() {
        for (typed, shown) in [
            ("4", "4×"),
            ("0.5", "0.5×"),
            ("16x", "16×"),
            ("1.25", "1.25×"),
        ] {
            assert_eq!(Pace::parse(typed).unwrap().to_string(), shown);
        }
        for bad in ["", "0", "-1", "65", "x", "1e3", "1.", "0.05", "99999"] {
            assert_eq!(Pace::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        /// Whatever is pressed: the moment never leaves the evening, never runs back by itself, and
        /// comes exactly when it was said to come.
        #[test]
        fn a_moment_comes_when_it_was_said_to(
            events in prop::collection::vec(0u64..120, 1..12),
            pressed in prop::collection::vec((0u8..6, 0u64..900, 0u64..40_000_000), 1..30),
            ask in 0u64..900_000_000,
        ) {
            let at: Vec<u64> = events.iter().scan(0, |sum, gap| { *sum += gap; Some(*sum) }).collect();
            let waits = quiet(&at);
            let end = secs(*at.last().unwrap());
            let mut projector = Projector::new(end);
            let mut now = local(0);
            for (key, to, later) in pressed {
                let shown = projector.session(now, &waits);
                now = now + Micros::new(later as i64);
                let then = projector.session(now, &waits);
                prop_assert!(shown <= then && then <= end);
                let before = projector.session(now, &waits);
                match key {
                    0 => projector.play(now, &waits),
                    1 => projector.pause(now, &waits),
                    2 => projector.seek(now, secs(to), &waits),
                    3 => projector.set_pace(now, Pace::times([1, 2, 4, 16][to as usize % 4]), &waits),
                    4 => projector.set_skipping(now, to % 2 == 0, &waits),
                    _ => {}
                }
                if matches!(key, 1 | 3 | 4 | 5) {
                    prop_assert_eq!(projector.session(now, &waits), before, "it does not jump");
                }
            }
            let moment = SessionTime::new(ask);
            let skipped = projector.skips() && waits.iter().any(|wait| wait.from <= moment && moment < wait.to);
            if let Some(due) = projector.local(moment, &waits) && !skipped {
                prop_assert!(projector.session(due, &waits) >= moment);
                let before = due - Micros::new(1);
                prop_assert!(due <= now || projector.session(before, &waits) <= moment);
            }
            // Along a stretch the moment follows from where it began.
            let later = now + Micros::from_secs(30);
            let (since, from) = projector.stretch(later, &waits);
            prop_assert!(since <= later.max(now) && from <= projector.session(later, &waits).max(from));
            if projector.runs(later, &waits) {
                let passed = projector.pace().evening_in(later - since);
                let off = projector.session(later, &waits) - (from + passed);
                prop_assert!(off.abs() <= Micros::new(65), "{off:?}");
            }
        }
    }
}
