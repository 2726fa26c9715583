//! The controller: hold, slew or step, from drift alone.
//!
//! DESIGN §5's table as a small state machine, to be ported to the page line by
//! line: all it keeps are integers of microseconds and a few flags, all its
//! floats are one division and one multiplication of [`Controller::pulse`],
//! which IEEE 754 makes the same everywhere.
//!
//! ```text
//!             a full window says: outside the dead zone
//!  Settling ──► Watching ─────────────► Pulsing ──► Settling     (up to 1 s)
//!     ▲            └── beyond 1 s: Step ─► Settling, cool-down
//!     └── whatever disturbs: start, seek, stall, ad, a new line
//! ```
//!
//! Rules it keeps:
//! - It decides on the median of [`WINDOW`] samples, never on one, and never on
//!   a difference smaller than their spread: noise is not chased.
//! - A slew is one dead-beat pulse: a rate and a time whose product is the
//!   error, then rest at the room's rate. There is no loop that never rests.
//! - After everything it did it waits until the player's clock has calmed and
//!   looks afresh; what it then sees also *teaches* it: the player's start
//!   latency, seek latency, and whether it honours fine rates.
//! - Steps are spaced by a cool-down of 5 s that doubles to 40 s; three steps in
//!   a row that did not at least halve the error end stepping, and it says so.

use crate::engine::unit::{LocalTime, Micros, Rate};

/// Samples a decision rests on. Five: the median then survives two wild ones.
pub const WINDOW: usize = 5;
/// Drift that is left alone. A guess for Chromium's media clock, until the
/// benchmark speaks; a noisier player widens it by its own spread.
const DEAD_ZONE: Micros = Micros::from_millis(2);
/// Beyond it rates would take too long: 1 s at 5 % are 20 s (DESIGN §5).
const STEP_PAST: Micros = Micros::from_secs(1);
/// The same where slewing is impossible: what viewers of iframe players bear
/// (Bili-SyncPlay's 0.45 s), rather than a second for ever.
const STEP_PAST_SLEWLESS: Micros = Micros::from_millis(450);
/// The largest change of rate: at 5 % pitch-preserved speech still sounds natural.
const SLEW_MAX: f64 = 0.05;
/// The smallest: players round finer ones away (a guess from Chromium's 20 ms
/// audio window, which copies audio unchanged below 0.1 %).
const SLEW_MIN: f64 = 0.005;
/// The time a pulse takes when neither limit bends it: quick enough to be
/// useful, slow enough that a timer's millisecond is a thousandth of it.
const PULSE: Micros = Micros::from_secs(1);
/// After a start, seek, pulse or stall a player's clock jitters so long. A guess.
const SETTLE: Micros = Micros::from_millis(300);
/// A rate is read back no earlier than this into a pulse: setting it takes time.
const READ_BACK_AFTER: Micros = Micros::from_millis(250);
/// A sample so far from where a pulse should have brought the film means that
/// something else happened; the pulse ends and all is measured anew.
const PULSE_ASTRAY: Micros = Micros::from_millis(100);
/// Only pulses that should have moved the film this far are judged by their effect.
const JUDGED_PAST: Micros = Micros::from_millis(10);
/// The first cool-down after a step …
const COOL_MIN: Micros = Micros::from_secs(5);
/// … and the longest.
const COOL_MAX: Micros = Micros::from_secs(40);
/// So long without a step makes the next cool-down short again.
const CALM: Micros = Micros::from_secs(60);
/// Useless steps in a row until stepping ends.
const USELESS_MAX: u8 = 3;
/// Pulses in a row without effect, or broken by a stall, until slewing ends.
const BAD_PULSES_MAX: u8 = 2;
/// No player needs longer to start from a standing, loaded frame.
const START_MAX: Micros = Micros::from_secs(1);
/// A start worse than this was a stall and teaches nothing.
const START_LESSON_MAX: Micros = Micros::from_millis(500);
/// The longest seek allowed for; a slower player cannot keep up by seeking.
const SEEK_MAX: Micros = Micros::from_secs(5);
/// A seek's latency before any was seen. A guess.
const SEEK_FIRST: Micros = Micros::from_millis(150);
/// Time set aside for a late start (seek, then start on time) before any was seen. A guess.
const PRIME_FIRST: Micros = Micros::from_millis(400);
/// The least set aside: calls to the player take time too.
const PRIME_MIN: Micros = Micros::from_millis(100);

/// What a sample shows the controller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sight {
    /// The film runs, and its place is known.
    Running {
        /// Measured − target.
        drift: Micros,
        /// The rate the player reports, as a factor.
        rate: f64,
    },
    /// It does not run, as expected for a while: it starts, seeks, loads.
    Busy,
    /// It does not run though it should: stall, advertisement, a click needed, ended.
    Broken,
}

/// What the player is to do now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    /// Nothing.
    Hold,
    /// Play at `factor` times the room's rate for `lasts`; then [`Controller::tick`] says [`Order::Rest`].
    Slew {
        /// Times the room's rate; within ±5 % of 1.
        factor: f64,
        /// For exactly so long.
        lasts: Micros,
    },
    /// Back to the room's rate.
    Rest,
    /// Seek to where the line will be `lead` from the moment of asking.
    Step {
        /// How long this player's seeks take, as learned.
        lead: Micros,
    },
    /// Nothing any more: three steps did not help. Said once for each disturbance; say it to the viewer.
    GiveUp,
}

/// What the room, not the controller, just did to the player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// A start from a standing frame, on time: its drift teaches the start latency.
    Start,
    /// A start that had to seek first: its drift teaches the time to set aside.
    LateStart,
    /// A seek while playing: its drift teaches the seek latency.
    Seek,
    /// Anything else: a pause, a new rate, a new film, the user's hand.
    Other,
}

/// What the next full window will teach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lesson {
    Start,
    LateStart,
    Seek,
    /// A step taken at this drift.
    Step(Micros),
    /// A pulse run to its end from this drift.
    Pulse(Micros),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Samples are not trusted yet.
    Settling { until: LocalTime },
    /// The window fills, or slides.
    Watching,
    /// A pulse is under way.
    Pulsing(Pulse),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Pulse {
    from: LocalTime,
    until: LocalTime,
    /// Times the room's rate.
    factor: f64,
    /// The drift it cancels.
    drift: Micros,
    /// Samples that read back another rate.
    unlike: u8,
}

/// A latency that is learned: wholly from the first measurement, then by halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Latency {
    micros: Micros,
    known: bool,
}

impl Latency {
    const fn guess(micros: Micros) -> Self {
        Self {
            micros,
            known: false,
        }
    }

    /// `late`: how much longer than allowed for it took; negative: shorter.
    fn learn(&mut self, late: Micros, longest: Micros) {
        let share = if self.known { 2 } else { 1 };
        let learned = self.micros + Micros::new(late.get() / share);
        self.micros = learned.max(Micros::ZERO).min(longest);
        self.known = true;
    }
}

/// One player's controller. Made with the player and kept as long as it.
#[derive(Clone, Debug)]
pub struct Controller {
    state: State,
    /// The last drifts, newest last; at most [`WINDOW`].
    window: Vec<Micros>,
    /// Whether the newest sample lay outside the dead zone: then the next comes soon.
    uneasy: bool,
    lesson: Option<Lesson>,
    room: Rate,
    start: Latency,
    seek: Latency,
    prime: Micros,
    slewless: bool,
    bad_pulses: u8,
    cool: Micros,
    /// No step before.
    step_from: LocalTime,
    stepped_at: Option<LocalTime>,
    useless: u8,
    gave_up: bool,
}

impl Default for Controller {
    fn default() -> Self {
        Self::new()
    }
}

impl Controller {
    /// Knows nothing of its player yet.
    pub fn new() -> Self {
        Self {
            state: State::Watching,
            window: Vec::with_capacity(WINDOW),
            uneasy: false,
            lesson: None,
            room: Rate::NORMAL,
            start: Latency::guess(Micros::ZERO),
            seek: Latency::guess(SEEK_FIRST),
            prime: PRIME_FIRST,
            slewless: false,
            bad_pulses: 0,
            cool: COOL_MIN,
            step_from: LocalTime::ZERO,
            stepped_at: None,
            useless: 0,
            gave_up: false,
        }
    }

    /// The room did something to the player at `now`: what was seen before no longer counts.
    ///
    /// A pulse under way is over; the caller sets the room's rate.
    pub fn disturbed(&mut self, now: LocalTime, by: Disturbance, room: Rate) {
        self.room = room;
        self.lesson = match by {
            Disturbance::Start => Some(Lesson::Start),
            Disturbance::LateStart => Some(Lesson::LateStart),
            Disturbance::Seek => Some(Lesson::Seek),
            Disturbance::Other => None,
        };
        self.cool = COOL_MIN;
        self.step_from = now;
        self.stepped_at = None;
        self.useless = 0;
        self.gave_up = false;
        self.settle(now);
    }

    /// Another film, perhaps from another site: fine rates are worth trying again.
    pub fn new_film(&mut self, now: LocalTime, room: Rate) {
        self.disturbed(now, Disturbance::Other, room);
        self.slewless = false;
        self.bad_pulses = 0;
    }

    /// How long before its time a start must be ordered.
    pub const fn start_latency(&self) -> Micros {
        self.start.micros
    }

    /// How long a seek while playing takes.
    pub const fn seek_latency(&self) -> Micros {
        self.seek.micros
    }

    /// How far ahead of the line to aim when a start comes late: seek there, then start on time.
    pub const fn prime_latency(&self) -> Micros {
        self.prime
    }

    /// Whether this player ignores fine rates, or stutters at them.
    pub const fn is_slewless(&self) -> bool {
        self.slewless
    }

    /// The rate to play at now: the room's, times the pulse's factor.
    pub fn rate(&self) -> f64 {
        let room = f64::from(self.room.get()) / 1_000.0;
        match self.state {
            State::Pulsing(pulse) => room * pulse.factor,
            _ => room,
        }
    }

    /// When [`Self::tick`] must be called: the end of the pulse under way.
    pub const fn deadline(&self) -> Option<LocalTime> {
        match self.state {
            State::Pulsing(pulse) => Some(pulse.until),
            _ => None,
        }
    }

    /// How soon the next sample is wanted: often while deciding, seldom at rest.
    pub fn cadence(&self) -> Micros {
        match self.state {
            State::Settling { .. } => Micros::from_millis(100),
            State::Pulsing(_) => Micros::from_millis(250),
            State::Watching if self.uneasy || self.window.len() < WINDOW => {
                Micros::from_millis(100)
            }
            State::Watching => Micros::from_millis(500),
        }
    }

    /// Ends a pulse whose time has come.
    pub fn tick(&mut self, now: LocalTime) -> Order {
        match self.state {
            State::Pulsing(pulse) if now >= pulse.until => {
                self.lesson = Some(Lesson::Pulse(pulse.drift));
                self.settle(now);
                Order::Rest
            }
            _ => Order::Hold,
        }
    }

    /// One sample, taken at `now`; what to do about it.
    pub fn observe(&mut self, now: LocalTime, sight: Sight) -> Order {
        if self.deadline().is_some_and(|until| now >= until) {
            return self.tick(now);
        }
        let (drift, rate) = match sight {
            Sight::Running { drift, rate } => (drift, rate),
            Sight::Busy => return self.interrupted(now, false),
            Sight::Broken => return self.interrupted(now, true),
        };
        match self.state {
            State::Settling { until } if now < until => Order::Hold,
            State::Settling { .. } => {
                self.state = State::Watching;
                self.window.clear();
                self.watch(now, drift)
            }
            State::Watching => self.watch(now, drift),
            State::Pulsing(pulse) => self.during(now, pulse, drift, rate),
        }
    }

    fn settle(&mut self, now: LocalTime) {
        self.window.clear();
        self.uneasy = false;
        self.state = State::Settling {
            until: now + SETTLE,
        };
    }

    fn interrupted(&mut self, now: LocalTime, broken: bool) -> Order {
        let pulsing = matches!(self.state, State::Pulsing(_));
        if pulsing && broken {
            self.bad_pulse();
        }
        // A seek's latency includes refilling; a start's and a pulse's effect do not.
        if broken && matches!(self.lesson, Some(Lesson::Start | Lesson::Pulse(_))) {
            self.lesson = None;
        }
        self.settle(now);
        if pulsing { Order::Rest } else { Order::Hold }
    }

    fn watch(&mut self, now: LocalTime, drift: Micros) -> Order {
        if self.window.len() == WINDOW {
            self.window.remove(0);
        }
        self.window.push(drift);
        if self.window.len() < WINDOW {
            return Order::Hold;
        }
        let mut sorted = self.window.clone();
        sorted.sort_unstable();
        let median = sorted[WINDOW / 2];
        let spread = sorted[WINDOW - 1] - sorted[0];
        let zone = DEAD_ZONE.max(spread);
        if let Some(lesson) = self.lesson.take() {
            self.learn(lesson, median, zone);
        }
        self.uneasy = drift.abs() > DEAD_ZONE && (drift.abs() > zone || spread > DEAD_ZONE);
        if median.abs() <= zone {
            self.calm(now);
            return Order::Hold;
        }
        let step_past = if self.slewless {
            STEP_PAST_SLEWLESS
        } else {
            STEP_PAST
        };
        if median.abs() > step_past {
            self.step(now, median)
        } else if self.slewless {
            self.calm(now);
            Order::Hold
        } else {
            self.pulse(now, median)
        }
    }

    /// A long time without a step forgives the earlier ones.
    fn calm(&mut self, now: LocalTime) {
        if self.stepped_at.is_some_and(|at| now - at >= CALM) {
            self.cool = COOL_MIN;
            self.stepped_at = None;
            self.useless = 0;
        }
    }

    fn step(&mut self, now: LocalTime, drift: Micros) -> Order {
        if self.gave_up {
            return Order::Hold;
        }
        if self.useless >= USELESS_MAX {
            self.gave_up = true;
            return Order::GiveUp;
        }
        if now < self.step_from {
            return Order::Hold;
        }
        self.step_from = now + self.cool;
        self.cool = (self.cool + self.cool).min(COOL_MAX);
        self.stepped_at = Some(now);
        self.lesson = Some(Lesson::Step(drift));
        self.settle(now);
        Order::Step {
            lead: self.seek.micros,
        }
    }

    /// One dead-beat pulse: `(factor − 1) · room rate · time = −drift`.
    fn pulse(&mut self, now: LocalTime, drift: Micros) -> Order {
        let room = f64::from(self.room.get()) / 1_000.0;
        let error = drift.get() as f64;
        let wanted = (error.abs() / (room * PULSE.get() as f64)).clamp(SLEW_MIN, SLEW_MAX);
        let change = if error > 0.0 { -wanted } else { wanted };
        let lasts = Micros::new((-error / (room * change)).floor() as i64);
        let factor = 1.0 + change;
        self.state = State::Pulsing(Pulse {
            from: now,
            until: now + lasts,
            factor,
            drift,
            unlike: 0,
        });
        self.window.clear();
        Order::Slew { factor, lasts }
    }

    fn during(&mut self, now: LocalTime, mut pulse: Pulse, drift: Micros, rate: f64) -> Order {
        let ran = now - pulse.from;
        if ran < READ_BACK_AFTER {
            return Order::Hold;
        }
        let room = f64::from(self.room.get()) / 1_000.0;
        let change = room * (pulse.factor - 1.0);
        if (rate - room - change).abs() > change.abs() / 2.0 {
            pulse.unlike += 1;
            if pulse.unlike >= 2 {
                self.slewless = true;
                self.settle(now);
                return Order::Rest;
            }
        }
        self.state = State::Pulsing(pulse);
        let cancelled = Micros::new((change * ran.get() as f64) as i64);
        let astray = (drift - (pulse.drift + cancelled)).abs();
        // A player that ignores rates drifts from the plan as the pulse goes on;
        // its effect is judged at the end.
        let ignored = (drift - pulse.drift).abs() <= JUDGED_PAST;
        if astray > PULSE_ASTRAY && !ignored {
            self.settle(now);
            return Order::Rest;
        }
        Order::Hold
    }

    fn bad_pulse(&mut self) {
        self.bad_pulses = self.bad_pulses.saturating_add(1);
        if self.bad_pulses >= BAD_PULSES_MAX {
            self.slewless = true;
        }
    }

    fn learn(&mut self, lesson: Lesson, drift: Micros, zone: Micros) {
        // Behind by `drift` of film means late by so much time.
        let late = Micros::new(-drift.get() * 1_000 / i64::from(self.room.get()));
        match lesson {
            Lesson::Start => {
                if drift.abs() <= START_LESSON_MAX {
                    self.start.learn(late, START_MAX);
                }
            }
            Lesson::LateStart => {
                // Too little time set aside shows as a late start; too much does
                // not show, so it is given back bit by bit.
                self.prime = if late > zone {
                    (self.prime + late).min(SEEK_MAX)
                } else {
                    Micros::new(self.prime.get() - self.prime.get() / 10).max(PRIME_MIN)
                };
            }
            Lesson::Seek => self.seek.learn(late, SEEK_MAX),
            Lesson::Step(before) => {
                if drift.abs().get() * 2 > before.abs().get() {
                    self.useless = self.useless.saturating_add(1);
                } else {
                    self.useless = 0;
                }
                self.seek.learn(late, SEEK_MAX);
            }
            Lesson::Pulse(before) => {
                if before.abs() < JUDGED_PAST || before.abs().get() < 4 * zone.get() {
                    return;
                }
                let cancelled = (before - drift).get() * before.get().signum();
                if cancelled * 4 < before.abs().get() {
                    self.bad_pulse();
                } else if cancelled * 2 > before.abs().get() {
                    self.bad_pulses = 0;
                }
            }
        }
    }
}
