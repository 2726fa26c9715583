//! The controller: hold, slew or step, from drift alone.
//!
//! The table of `docs/in-step.md` as a small state machine, ported to the page line by line
//! (`projection/web/assets/sync.js`; a test runs both on the same traces): all it
//! keeps are integers of microseconds and a few flags, all its floats are those
//! of [`Controller::pulse`], which IEEE 754 makes the same everywhere.
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
//!   a difference smaller than their spread or the player's noise. What is only
//!   a little larger is looked at again: [`LONG_WINDOW`] fresh samples decide,
//!   whose median strays half as far, so that noise near the dead zone's size
//!   is neither chased nor bought off with a wide zone.
//! - It does not follow the line closer than the line is known
//!   ([`Controller::doubts`]): a far clock's estimate trembles, and a player
//!   that followed each tremble would turn for nothing.
//! - A slew is one dead-beat pulse: a rate and a time whose product is the
//!   error, then rest at the room's rate. There is no loop that never rests.
//! - Up to 50 ms the pulse is *fine*: at most 1 %, a sixth of a semitone, so that a
//!   player need not preserve the pitch for it. Preserving it costs Chromium some
//!   20 ms of film at each change of rate, which fine pulses would never win back.
//! - After everything it did it waits until the player's clock has calmed and
//!   looks afresh; what it then sees also *teaches* it: the player's start
//!   latencies, seek latency, what a coarse pulse costs, and whether fine rates
//!   are honoured.
//! - Steps are spaced by a cool-down of 5 s that doubles to 40 s; three steps in
//!   a row that did not bring the film within a step's limit end stepping, and
//!   it says so.

use crate::engine::unit::{LocalTime, Micros, Rate};

/// Samples a decision rests on. Five: the median then survives two wild ones.
pub const WINDOW: usize = 5;
/// Samples that decide where the player's noise might. Fifteen: their median
/// strays by a fifth of uniform noise, 0.2 ms of ±0.8 ms; at [`LOOK_EVERY`] they take 0.6 s.
pub const LONG_WINDOW: usize = 15;
/// Within so many noises of the zone it might be noise.
const MIGHT_BE_NOISE: i64 = 3;
/// The share of the clock's doubt that is left alone. Its bound is what cannot be
/// excluded; what the estimate really strays by is far less (measured: 2 ms of 22).
const DOUBT_SHARE: i64 = 8;
/// Drift that is left alone. Chromium's media clock strays 0.1 ms at a steady
/// rate (measured); a noisier player widens the zone by its own spread.
const DEAD_ZONE: Micros = Micros::from_millis(1);
/// Beyond it rates would take too long: 1 s at 5 % are 20 s.
const STEP_PAST: Micros = Micros::from_secs(1);
/// The same where slewing is impossible: what viewers of iframe players bear
/// (Bili-SyncPlay's 0.45 s), rather than a second for ever.
const STEP_PAST_SLEWLESS: Micros = Micros::from_millis(450);
/// The largest change of rate: at 5 % pitch-preserved speech still sounds natural.
const SLEW_MAX: f64 = 0.05;
/// The smallest: players round finer ones away (a guess from Chromium's 20 ms
/// audio window, which copies audio unchanged below 0.1 %).
const SLEW_MIN: f64 = 0.005;
/// Up to this drift a pulse is fine …
const FINE_PAST: Micros = Micros::from_millis(50);
/// … at most so much, and then the pitch may change with the rate: 1 % is a sixth
/// of a semitone (17 cents), short, and near the least that listeners tell apart when
/// they compare tones (about 10 cents; T. J. W. Hill and I. R. Summers, 2007).
pub const FINE_MAX: f64 = 0.01;
/// What a coarse pulse is believed to cost at most, in film.
const COST_MAX: Micros = Micros::from_millis(40);
/// The time a pulse takes when neither limit bends it: quick enough to be
/// useful, slow enough that a timer's millisecond is a thousandth of it.
const PULSE: Micros = Micros::from_secs(1);
/// After a start, seek, pulse or stall a player's clock jitters so long:
/// Chromium's for 100 ms (measured) …
const SETTLE: Micros = Micros::from_millis(150);
/// … and that of a player that speaks some times a second, longer. A guess.
const SETTLE_COARSE: Micros = Micros::from_millis(300);
/// Between two samples while deciding …
const LOOK_EVERY: Micros = Micros::from_millis(40);
/// … and where samples come from a few ticks a second.
const LOOK_EVERY_COARSE: Micros = Micros::from_millis(100);
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
/// Pulses in a row without effect until slewing ends.
const IDLE_PULSES_MAX: u8 = 2;
/// Pulses in a row that met a stall until slewing ends: one more than chance explains.
const STUTTERS_MAX: u8 = 3;
/// So long after that, or after pulses without effect, slewing is tried once more: the stalls may
/// have been the line's, and a rate that was not set a busy machine's. Not to slew means to bear
/// up to [`STEP_PAST_SLEWLESS`] for as long …
const SLEW_AGAIN_MIN: Micros = Micros::from_secs(20);
/// … and twice as long each further time, up to this.
const SLEW_AGAIN_MAX: Micros = Micros::from_secs(960);
/// No player needs longer to start from a standing, loaded frame.
const START_MAX: Micros = Micros::from_secs(1);
/// A start worse than this was a stall and teaches nothing.
const START_LESSON_MAX: Micros = Micros::from_millis(500);
/// A latency this far from the learned one is believed at once.
const SURPRISE: Micros = Micros::from_millis(500);
/// The longest seek allowed for; a slower player cannot keep up by seeking.
const SEEK_MAX: Micros = Micros::from_secs(5);
/// A seek's latency before any was seen. A guess.
const SEEK_FIRST: Micros = Micros::from_millis(150);
/// Time set aside for a late start (seek, then start on time) before any was seen. A guess.
const PRIME_FIRST: Micros = Micros::from_millis(400);
/// The least set aside: calls to the player take time too.
const PRIME_MIN: Micros = Micros::from_millis(100);

/// What is known of a kind of player before it was seen to do anything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Habits {
    /// The finest change of rate worth asking it for. Above [`SLEW_MIN`] the
    /// player counts as coarse, and is looked at more slowly.
    pub slew_min: f64,
    /// How long a start from a standing frame takes; a guess, corrected by the first one.
    pub start: Micros,
    /// The same right after a seek, which takes a decoder longer.
    pub seek_start: Micros,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            slew_min: SLEW_MIN,
            start: Micros::ZERO,
            seek_start: Micros::ZERO,
        }
    }
}

/// From what a start begins: each takes a player another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footing {
    /// A frame the player paused on.
    Still,
    /// A frame it was just moved to.
    Sought,
}

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
    /// It should run and has too little data.
    Stalled,
    /// Something else is in the way: an advertisement, a click needed, the end.
    Away,
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
    /// A start from a standing frame, on time: its drift teaches that start latency.
    Start(Footing),
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
    Start(Footing),
    LateStart,
    Seek,
    /// A step.
    Step,
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

/// A latency that is learned: wholly from the first measurement and from big
/// surprises, because halving those would cost another step; else by halves.
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
    fn learn(&mut self, late: Micros, shortest: Micros, longest: Micros) {
        let share = if self.known && late.abs() <= SURPRISE {
            2
        } else {
            1
        };
        let learned = self.micros + Micros::new(late.get() / share);
        self.micros = learned.max(shortest).min(longest);
        self.known = true;
    }
}

/// One player's controller. Made with the player and kept as long as it.
#[derive(Clone, Debug)]
pub struct Controller {
    state: State,
    /// The last drifts, newest last; at most [`WINDOW`], while doubting [`LONG_WINDOW`].
    window: Vec<Micros>,
    /// Whether a long window is being filled, because a short one might have been noise.
    doubting: bool,
    /// How far the line itself may be off.
    doubt: Micros,
    /// Whether the newest sample lay outside the dead zone: then the next comes soon.
    uneasy: bool,
    /// How much neighbouring samples of this player differ: its noise.
    noise: Micros,
    lesson: Option<Lesson>,
    room: Rate,
    habits: Habits,
    start: Latency,
    seek_start: Latency,
    seek: Latency,
    prime: Micros,
    /// How much film a coarse pulse gains (negative: loses) beside what it is for.
    cost: Latency,
    slewless: bool,
    /// Pulses in a row that moved nothing.
    idle_pulses: u8,
    /// Pulses in a row in which the player stalled.
    stutters: u8,
    /// When a slewless player is slewed again, and how long it is left alone next.
    slew_again_at: Option<LocalTime>,
    slew_again_after: Micros,
    cool: Micros,
    /// No step before.
    step_from: LocalTime,
    stepped_at: Option<LocalTime>,
    useless: u8,
    gave_up: bool,
}

impl Default for Controller {
    fn default() -> Self {
        Self::new(Habits::default())
    }
}

impl Controller {
    /// Knows of its player only what is said of its kind.
    pub fn new(habits: Habits) -> Self {
        Self {
            state: State::Watching,
            window: Vec::with_capacity(LONG_WINDOW),
            doubting: false,
            doubt: Micros::ZERO,
            uneasy: false,
            noise: Micros::ZERO,
            lesson: None,
            room: Rate::NORMAL,
            habits,
            start: Latency::guess(habits.start),
            seek_start: Latency::guess(habits.seek_start),
            seek: Latency::guess(SEEK_FIRST),
            prime: PRIME_FIRST,
            cost: Latency::guess(Micros::ZERO),
            slewless: false,
            idle_pulses: 0,
            stutters: 0,
            slew_again_at: None,
            slew_again_after: SLEW_AGAIN_MIN,
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
            Disturbance::Start(from) => Some(Lesson::Start(from)),
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
        self.idle_pulses = 0;
        self.stutters = 0;
        self.slew_again_at = None;
        self.slew_again_after = SLEW_AGAIN_MIN;
        self.noise = Micros::ZERO;
    }

    /// How far the line may be off from now on, for what the clock knows.
    pub const fn doubts(&mut self, doubt: Micros) {
        self.doubt = doubt;
    }

    /// How long before its time a start must be ordered.
    pub const fn start_latency(&self, from: Footing) -> Micros {
        match from {
            Footing::Still => self.start.micros,
            Footing::Sought => self.seek_start.micros,
        }
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
            State::Settling { .. } => self.look_every(),
            State::Pulsing(_) => Micros::from_millis(250),
            State::Watching if self.uneasy || self.doubting || self.window.len() < WINDOW => {
                self.look_every()
            }
            State::Watching => Micros::from_millis(500),
        }
    }

    fn is_coarse(&self) -> bool {
        self.habits.slew_min > SLEW_MIN
    }

    fn look_every(&self) -> Micros {
        if self.is_coarse() {
            LOOK_EVERY_COARSE
        } else {
            LOOK_EVERY
        }
    }

    /// Ends a pulse whose time has come.
    pub fn tick(&mut self, now: LocalTime) -> Order {
        match self.state {
            State::Pulsing(pulse) if now >= pulse.until => {
                self.lesson = Some(Lesson::Pulse(pulse.drift));
                self.stutters = 0;
                if self.idle_pulses == 0 {
                    self.slew_again_after = SLEW_AGAIN_MIN;
                }
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
            Sight::Busy | Sight::Stalled | Sight::Away => return self.interrupted(now, sight),
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
        self.doubting = false;
        let settle = if self.is_coarse() {
            SETTLE_COARSE
        } else {
            SETTLE
        };
        self.state = State::Settling {
            until: now + settle,
        };
    }

    fn interrupted(&mut self, now: LocalTime, by: Sight) -> Order {
        let pulsing = matches!(self.state, State::Pulsing(_));
        if pulsing && by == Sight::Stalled {
            self.stutters = self.stutters.saturating_add(1);
            if self.stutters >= STUTTERS_MAX {
                self.stop_slewing(now);
            }
        }
        self.lesson = match (by, self.lesson) {
            (Sight::Away, _) => None,
            // A start's and a pulse's effect are spoilt; a seek's latency
            // includes refilling, but whether it helped can no longer be told.
            (Sight::Stalled, Some(Lesson::Start(_) | Lesson::Pulse(_))) => None,
            (Sight::Stalled, Some(Lesson::Step)) => Some(Lesson::Seek),
            (_, lesson) => lesson,
        };
        self.settle(now);
        if pulsing { Order::Rest } else { Order::Hold }
    }

    /// Rates do not help for now.
    fn stop_slewing(&mut self, now: LocalTime) {
        self.slewless = true;
        self.slew_again_at = Some(now + self.slew_again_after);
        self.slew_again_after = (self.slew_again_after + self.slew_again_after).min(SLEW_AGAIN_MAX);
    }

    fn watch(&mut self, now: LocalTime, drift: Micros) -> Order {
        if self.slew_again_at.is_some_and(|at| now >= at) {
            self.slew_again_at = None;
            self.slewless = false;
            // One stall or one idle pulse more, and it is left alone again.
            self.stutters = STUTTERS_MAX - 1;
            self.idle_pulses = IDLE_PULSES_MAX - 1;
        }
        let enough = if self.doubting { LONG_WINDOW } else { WINDOW };
        if self.window.len() == enough {
            self.window.remove(0);
        }
        self.window.push(drift);
        if self.window.len() >= WINDOW {
            self.hear_noise();
        }
        if self.window.len() < enough {
            return Order::Hold;
        }
        let mut sorted = self.window.clone();
        sorted.sort_unstable();
        let median = sorted[enough / 2];
        let least = DEAD_ZONE.max(Micros::new(self.doubt.get() / DOUBT_SHARE));
        let zone = if self.doubting {
            least.max(self.noise)
        } else {
            let spread = sorted[enough - 1] - sorted[0];
            least.max(spread).max(self.noise + self.noise)
        };
        if let Some(lesson) = self.lesson.take() {
            self.learn(now, lesson, median, zone);
        }
        // Also where noise hides it: only further looks tell whether the noise is over.
        self.uneasy = drift.abs() > least;
        if median.abs() <= zone {
            self.stop_doubting();
            self.calm(now);
            return Order::Hold;
        }
        let clear = zone + Micros::new(MIGHT_BE_NOISE * self.noise.get());
        if !self.doubting && median.abs() <= clear {
            self.doubting = true;
            self.window.clear();
            return Order::Hold;
        }
        self.stop_doubting();
        if median.abs() > self.step_past() {
            self.step(now)
        } else if self.slewless {
            self.calm(now);
            Order::Hold
        } else {
            self.pulse(now, median)
        }
    }

    /// Back to the short window, with the newest of the long one.
    fn stop_doubting(&mut self) {
        self.doubting = false;
        let surplus = self.window.len().saturating_sub(WINDOW);
        self.window.drain(..surplus);
    }

    /// About how much neighbouring samples differ, by the median of the last four differences.
    ///
    /// It rises by a quarter of what is new and falls by a sixteenth, because
    /// five noisy samples now and then agree by chance. A single jump is one
    /// difference of four and does not count as noise.
    fn hear_noise(&mut self) {
        let recent = &self.window[self.window.len() - WINDOW..];
        let mut steps: Vec<Micros> = recent
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).abs())
            .collect();
        steps.sort_unstable();
        let more = (steps[steps.len() / 2] - self.noise).get();
        let share = if more > 0 { 4 } else { 16 };
        self.noise = self.noise + Micros::new(more / share);
    }

    /// A long time without a step forgives the earlier ones.
    fn calm(&mut self, now: LocalTime) {
        if self.stepped_at.is_some_and(|at| now - at >= CALM) {
            self.cool = COOL_MIN;
            self.stepped_at = None;
            self.useless = 0;
        }
    }

    const fn step_past(&self) -> Micros {
        if self.slewless {
            STEP_PAST_SLEWLESS
        } else {
            STEP_PAST
        }
    }

    fn step(&mut self, now: LocalTime) -> Order {
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
        self.lesson = Some(Lesson::Step);
        self.settle(now);
        Order::Step {
            lead: self.seek.micros,
        }
    }

    /// One dead-beat pulse: `(factor − 1) · room rate · time = −drift`.
    fn pulse(&mut self, now: LocalTime, drift: Micros) -> Order {
        let room = f64::from(self.room.get()) / 1_000.0;
        let coarse = drift.abs() > FINE_PAST;
        let least = self.habits.slew_min.max(SLEW_MIN);
        let most = least.max(if coarse { SLEW_MAX } else { FINE_MAX });
        // What the pulse itself will cost is made good with it.
        let error = if coarse {
            (drift + self.cost.micros).get() as f64
        } else {
            drift.get() as f64
        };
        let wanted = (error.abs() / (room * PULSE.get() as f64)).clamp(least, most);
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
                self.stop_slewing(now);
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

    fn learn_seek(&mut self, late: Micros) {
        // Farther off than the longest seek, it was no seek at all.
        if late.abs() <= SEEK_MAX {
            self.seek.learn(late, Micros::ZERO, SEEK_MAX);
        }
    }

    fn learn(&mut self, now: LocalTime, lesson: Lesson, drift: Micros, zone: Micros) {
        // Behind by `drift` of film means late by so much time.
        let late = Micros::new(-drift.get() * 1_000 / i64::from(self.room.get()));
        match lesson {
            Lesson::Start(from) => {
                if drift.abs() <= START_LESSON_MAX {
                    let latency = match from {
                        Footing::Still => &mut self.start,
                        Footing::Sought => &mut self.seek_start,
                    };
                    latency.learn(late, Micros::ZERO, START_MAX);
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
            Lesson::Seek => self.learn_seek(late),
            Lesson::Step => {
                let useless = drift.abs() > self.step_past();
                self.useless = if useless {
                    self.useless.saturating_add(1)
                } else {
                    0
                };
                self.learn_seek(late);
            }
            Lesson::Pulse(before) => {
                if before.abs() < JUDGED_PAST || before.abs().get() < 4 * zone.get() {
                    return;
                }
                let cancelled = (before - drift).get() * before.get().signum();
                if cancelled * 4 < before.abs().get() {
                    self.idle_pulses = self.idle_pulses.saturating_add(1);
                    if self.idle_pulses >= IDLE_PULSES_MAX {
                        self.stop_slewing(now);
                    }
                } else if cancelled * 2 > before.abs().get() {
                    self.idle_pulses = 0;
                    if before.abs() > FINE_PAST {
                        self.cost.learn(drift, -COST_MAX, COST_MAX);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a simulated player does with fine rates.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Fine {
        Honoured,
        /// It plays at the room's rate and says so.
        Ignored,
        /// It plays at the room's rate and claims otherwise.
        Pretended,
    }

    /// A player and its room, in microseconds of true time; the room's line is `position = time`.
    struct World {
        controller: Controller,
        fine: Fine,
        skew_ppm: f64,
        seek_takes: i64,
        /// Seeks land on the last multiple of this.
        grid: i64,
        noise: i64,
        /// Whether seeks do anything at all.
        seeks: bool,
        now: i64,
        /// The film's position.
        film: f64,
        factor: f64,
        lands: i64,
        stalled_until: i64,
        random: u64,
        orders: Vec<(i64, Order)>,
    }

    impl World {
        fn new() -> Self {
            Self {
                controller: Controller::default(),
                fine: Fine::Honoured,
                skew_ppm: 0.0,
                seek_takes: 100_000,
                grid: 1,
                noise: 0,
                seeks: true,
                now: 100_000_000,
                film: 100_000_000.0,
                factor: 1.0,
                lands: 0,
                stalled_until: 0,
                random: 7,
                orders: Vec::new(),
            }
        }

        fn behind(mut self, micros: i64) -> Self {
            self.film -= micros as f64;
            self
        }

        fn local(&self) -> LocalTime {
            LocalTime::new(self.now as u64)
        }

        fn drift(&self) -> i64 {
            self.film as i64 - self.now
        }

        fn advance(&mut self, to: i64) {
            // The film stands still until the later of landing and the stall's end.
            let from = self.now.max(self.lands).max(self.stalled_until).min(to);
            let factor = if self.fine == Fine::Honoured {
                self.factor
            } else {
                1.0
            };
            self.film += (to - from) as f64 * factor * (1.0 + self.skew_ppm / 1e6);
            self.now = to;
        }

        fn obey(&mut self, order: Order) {
            match order {
                Order::Hold => return,
                Order::Slew { .. } | Order::Rest => self.factor = self.controller.rate(),
                Order::Step { lead } => {
                    if self.seeks {
                        let to = self.now + lead.get();
                        self.film = (to / self.grid * self.grid) as f64;
                    }
                    self.lands = self.now + self.seek_takes;
                }
                Order::GiveUp => {}
            }
            self.orders.push((self.now, order));
        }

        /// Lets `secs` pass, sampling as often as the controller wants.
        fn run(&mut self, secs: i64) -> &mut Self {
            let end = self.now + secs * 1_000_000;
            while self.now < end {
                let sample = self.now + self.controller.cadence().get();
                let deadline = self.controller.deadline().map(|at| at.get() as i64);
                if let Some(deadline) = deadline.filter(|&at| at <= sample) {
                    self.advance(deadline.max(self.now));
                    let order = self.controller.tick(self.local());
                    self.obey(order);
                    continue;
                }
                self.advance(sample);
                let sight = self.sight();
                let order = self.controller.observe(self.local(), sight);
                self.obey(order);
            }
            self
        }

        fn sight(&mut self) -> Sight {
            if self.now < self.stalled_until {
                return Sight::Stalled;
            }
            if self.now < self.lands {
                return Sight::Busy;
            }
            self.random = self
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let noise = (self.random >> 33) as i64 % (2 * self.noise + 1) - self.noise;
            let rate = if self.fine == Fine::Ignored {
                1.0
            } else {
                self.factor
            };
            Sight::Running {
                drift: Micros::new(self.drift() + noise),
                rate,
            }
        }

        fn count(&self, which: impl Fn(&Order) -> bool) -> usize {
            self.orders.iter().filter(|(_, order)| which(order)).count()
        }

        fn steps(&self) -> usize {
            self.count(|order| matches!(order, Order::Step { .. }))
        }

        fn pulses(&self) -> usize {
            self.count(|order| matches!(order, Order::Slew { .. }))
        }
    }

    #[test]
    fn a_player_in_step_is_left_alone() {
        let mut world = World::new();
        world.noise = 900;
        world.run(600);
        assert_eq!(world.orders, []);
    }

    #[test]
    fn one_pulse_cancels_an_error_and_then_the_player_rests() {
        for behind in [-900_000, -40_000, -3_000, 3_000, 250_000, 999_000] {
            let mut world = World::new().behind(behind);
            world.run(30);
            assert_eq!(
                (world.pulses(), world.steps()),
                (1, 0),
                "{behind}: {:?}",
                world.orders
            );
            assert!(
                world.drift().abs() <= 10,
                "{behind}: left {}",
                world.drift()
            );
            assert_eq!(world.factor, 1.0);
        }
    }

    #[test]
    fn rates_stay_within_five_per_cent_at_any_room_rate() {
        for thousandths in [250, 1_000, 2_000, 4_000] {
            let mut controller = Controller::default();
            let room = Rate::from_millis(thousandths).unwrap();
            let now = LocalTime::from_secs(10);
            controller.disturbed(now, Disturbance::Other, room);
            let drift = Micros::from_millis(600);
            let order = (0..20)
                .map(|n| {
                    let rate = f64::from(thousandths) / 1_000.0;
                    let at = now + Micros::from_millis(400 + 100 * n);
                    controller.observe(at, Sight::Running { drift, rate })
                })
                .find(|order| *order != Order::Hold);
            let Some(Order::Slew { factor, lasts }) = order else {
                panic!("{order:?}")
            };
            assert!((0.95..1.0).contains(&factor), "{factor}");
            let film = (factor - 1.0) * f64::from(thousandths) / 1_000.0 * lasts.get() as f64;
            assert!((film + 600_000.0).abs() < 10.0, "cancels {film}");
        }
    }

    #[test]
    fn a_jump_is_answered_by_one_step_that_allows_for_the_seek() {
        let mut world = World::new();
        world.seek_takes = 700_000;
        world.film += 30e6;
        world.run(60);
        assert_eq!(world.steps(), 1, "{:?}", world.orders);
        assert!(world.drift().abs() < 2_000);
        assert_eq!(world.controller.seek_latency(), Micros::from_millis(700));
        // The second time it is known how long this player seeks.
        world.film -= 20e6;
        world.orders.clear();
        world.run(3);
        assert_eq!(
            (world.steps(), world.pulses()),
            (1, 0),
            "{:?}",
            world.orders
        );
        assert!(world.drift().abs() < 2_000);
    }

    #[test]
    fn a_player_that_ignores_fine_rates_is_found_out_and_no_longer_slewed() {
        for fine in [Fine::Ignored, Fine::Pretended] {
            let mut world = World::new().behind(300_000);
            world.fine = fine;
            world.run(60);
            assert!(world.controller.is_slewless(), "{fine:?}");
            let pulses = world.pulses();
            assert!(pulses <= 3, "{fine:?}: {pulses}");
            // Tried again after 20 s, and then twice as long each time.
            world.run(3_600);
            let later = world.pulses() - pulses;
            assert!((1..=9).contains(&later), "{fine:?}: {later}");
            assert_eq!(world.steps(), 0, "{fine:?}");
            assert_eq!(world.factor, 1.0, "it rests at the room's rate");
        }
    }

    #[test]
    fn three_useless_steps_end_stepping_and_it_says_so_once() {
        let mut world = World::new().behind(60_000_000);
        world.seeks = false;
        world.run(600);
        assert_eq!(world.steps(), 3);
        assert_eq!(world.count(|order| *order == Order::GiveUp), 1);
        let steps: Vec<i64> = world
            .orders
            .iter()
            .filter(|(_, order)| matches!(order, Order::Step { .. }))
            .map(|&(at, _)| at)
            .collect();
        assert!(steps[1] - steps[0] >= 5_000_000);
        assert!(steps[2] - steps[1] >= 10_000_000, "the cool-down doubles");
        // What the room does next is a new beginning.
        world
            .controller
            .disturbed(world.local(), Disturbance::Other, Rate::NORMAL);
        world.seeks = true;
        world.run(30);
        assert_eq!(world.steps(), 4);
        assert!(world.drift().abs() < 2_000);
    }

    #[test]
    fn a_stall_right_after_a_step_is_not_held_against_the_step() {
        let mut world = World::new().behind(20_000_000);
        for _ in 0..4 {
            // Every step meets a stall of its own, whose length nothing foretells.
            for _ in 0..60 {
                if world.steps() > 0 {
                    break;
                }
                world.run(1);
            }
            assert_eq!(world.steps(), 1);
            world.orders.clear();
            world.stalled_until = world.now + 1_000_000;
            world.run(1);
            world.film -= 20e6;
        }
        world.run(120);
        assert_eq!(world.count(|order| *order == Order::GiveUp), 0);
        assert!(world.drift().abs() <= 2_100, "{}", world.drift());
    }

    #[test]
    fn an_advertisement_teaches_nothing_about_the_player() {
        let mut world = World::new().behind(20_000_000);
        world.run(1);
        assert_eq!(world.steps(), 1);
        let learned = world.controller.seek_latency();
        world.controller.observe(world.local(), Sight::Away);
        world.film -= 4e6;
        world.run(2);
        assert_eq!(world.controller.seek_latency(), learned);
        world.run(30);
        assert!(world.drift().abs() <= 2_100, "{}", world.drift());
    }

    #[test]
    fn a_late_start_teaches_how_long_starting_takes() {
        let mut world = World::new().behind(120_000);
        world.controller.disturbed(
            world.local(),
            Disturbance::Start(Footing::Still),
            Rate::NORMAL,
        );
        world.run(2);
        assert_eq!(
            world.controller.start_latency(Footing::Still),
            Micros::from_millis(120)
        );
    }

    #[test]
    fn nothing_is_corrected_while_the_player_cannot_run() {
        let mut world = World::new();
        world.stalled_until = world.now + 20_000_000;
        world.run(20);
        assert_eq!(world.orders, []);
        world.run(20);
        assert_eq!(world.steps(), 1, "20 s behind");
        assert!(world.drift().abs() < 2_000);
    }

    #[test]
    fn a_pulse_broken_by_a_stall_is_ended_at_once() {
        let mut world = World::new().behind(900_000);
        world.run(3);
        assert!(world.factor > 1.0);
        world.stalled_until = world.now + 900_000;
        world.run(1);
        assert_eq!(world.factor, 1.0);
        world.run(40);
        assert!(world.drift().abs() < 2_100, "{}", world.drift());
    }

    #[test]
    fn a_player_that_stutters_at_every_fine_rate_is_no_longer_slewed() {
        let mut world = World::new().behind(100_000);
        for _ in 0..40 {
            world.run(1);
            if world.factor != 1.0 {
                world.stalled_until = world.now + 300_000;
            }
        }
        assert!(world.controller.is_slewless());
        assert!(world.pulses() <= 5, "{}", world.pulses());
        world.controller.new_film(world.local(), Rate::NORMAL);
        world.run(60);
        assert!(world.drift().abs() <= 2_000, "another film, another chance");
    }

    #[test]
    fn a_player_that_stuttered_by_chance_is_slewed_again_after_a_while() {
        let mut world = World::new().behind(100_000);
        for _ in 0..20 {
            world.run(1);
            if world.factor != 1.0 {
                world.stalled_until = world.now + 300_000;
            }
        }
        assert!(world.controller.is_slewless());
        world.run(80);
        assert!(!world.controller.is_slewless());
        assert!(world.drift().abs() <= 2_000, "{}", world.drift());
    }

    #[test]
    fn a_player_whose_rate_was_not_set_for_a_while_is_brought_back_after_it() {
        for fine in [Fine::Ignored, Fine::Pretended] {
            let mut world = World::new().behind(80_000);
            world.fine = fine;
            world.run(10);
            assert!(world.controller.is_slewless(), "{fine:?}");
            world.fine = Fine::Honoured;
            world.run(60);
            assert!(!world.controller.is_slewless(), "{fine:?}");
            assert!(world.drift().abs() <= 2_000, "{fine:?}: {}", world.drift());
        }
    }

    #[test]
    fn noise_is_not_chased() {
        let mut world = World::new();
        world.noise = 40_000;
        world.run(600);
        assert!(
            world.pulses() <= 6,
            "{} pulses in ten minutes",
            world.pulses()
        );
        assert!(world.drift().abs() < 80_000);
    }

    #[test]
    fn noise_near_the_dead_zone_is_neither_chased_nor_a_reason_to_stand_off() {
        for noise in [700, 800, 1_000] {
            let mut world = World::new().behind(1_400);
            world.noise = noise;
            world.run(10);
            assert!(world.drift().abs() < 900, "±{noise}: {}", world.drift());
            world.orders.clear();
            world.run(600);
            assert_eq!(world.pulses(), 0, "±{noise}: {:?}", world.orders);
        }
    }

    #[test]
    fn a_far_clocks_tremble_is_not_followed() {
        // What the clock's estimate did over 40 ± 20 ms each way: every two seconds up to
        // 2 ms off the truth, within a bound of 22 ms.
        let pulses = |doubt: i64| {
            let mut world = World::new();
            world.controller.doubts(Micros::from_millis(doubt));
            let mut off = 0;
            for second in 0..30 {
                let next = [1_800, -900, 300, -1_900, 1_200, -200][second % 6];
                world.film += f64::from(next - off);
                off = next;
                world.run(2);
            }
            world.pulses()
        };
        assert!(pulses(0) > 10, "a near clock is followed: {}", pulses(0));
        assert_eq!(pulses(22), 0);
    }

    proptest! {
        /// Whatever the player is like within reason: it ends in step, after one
        /// step at most, and stays there without swinging.
        #[test]
        fn every_ordinary_player_is_brought_into_step_and_kept_there(
            behind in -5_000_000i64..5_000_000,
            skew_ppm in -300i32..=300,
            seek_takes in 0i64..900_000,
            // A real player's clock trembles by 100 µs.
            noise in 0i64..1_000,
        ) {
            let mut world = World::new().behind(behind);
            world.skew_ppm = f64::from(skew_ppm);
            world.seek_takes = seek_takes;
            world.noise = noise;
            world.run(45);
            prop_assert!(world.steps() <= 1, "{:?}", world.orders);
            prop_assert!(world.drift().abs() <= 12_000, "after 45 s: {}", world.drift());
            world.run(30);
            world.orders.clear();
            let (mut worst, mut signs) = (0, Vec::new());
            for _ in 0..240 {
                world.run(1);
                worst = worst.max(world.drift().abs());
            }
            for (_, order) in &world.orders {
                if let Order::Slew { factor, .. } = order { signs.push(*factor > 1.0); }
            }
            prop_assert!(worst <= 5_000, "strays to {worst}");
            prop_assert_eq!(world.steps(), 0);
            // A loop that swings corrects both ways in turn; skew pulls one way only.
            let turns = signs.windows(2).filter(|pair| pair[0] != pair[1]).count();
            prop_assert!(turns <= 1, "{turns} turns: {:?}", world.orders);
            // 300 ppm carry a player out of the dead zone every 3.3 s at the soonest.
            prop_assert!(signs.len() <= 72, "{} pulses in 4 min", signs.len());
        }

        /// Sparse keyframes may cost a second step, never a dance.
        #[test]
        fn a_player_with_sparse_keyframes_settles(
            behind in 2_000_000i64..60_000_000, grid in 1i64..2_000_000, seek_takes in 0i64..900_000,
        ) {
            let mut world = World::new().behind(behind);
            world.grid = grid;
            world.seek_takes = seek_takes;
            world.run(240);
            prop_assert!(world.steps() <= 3, "{:?}", world.orders);
            world.orders.clear();
            world.run(600);
            prop_assert_eq!(world.steps(), 0, "{:?}", world.orders);
        }

        /// No sequence of sights makes it leave its limits.
        #[test]
        fn orders_never_leave_their_limits(
            sights in prop::collection::vec((1u32..3_000, -3_000_000i64..3_000_000, 0u8..10), 1..300),
        ) {
            let mut controller = Controller::default();
            let mut now = LocalTime::from_secs(1);
            let mut last_step: Option<LocalTime> = None;
            for (millis, drift, kind) in sights {
                now = now + Micros::from_millis(i64::from(millis));
                let sight = match kind {
                    0 => Sight::Busy,
                    1 => Sight::Stalled,
                    2 => Sight::Away,
                    _ => Sight::Running { drift: Micros::new(drift), rate: controller.rate() },
                };
                match controller.observe(now, sight) {
                    Order::Slew { factor, lasts } => {
                        prop_assert!((0.95..=1.05).contains(&factor), "{factor}");
                        prop_assert!(lasts > Micros::ZERO && lasts <= Micros::from_secs(20), "{lasts:?}");
                        prop_assert_eq!(sight_is_running(sight), true);
                    }
                    Order::Step { lead } => {
                        prop_assert!((Micros::ZERO..=SEEK_MAX).contains(&lead));
                        prop_assert!(sight_is_running(sight));
                        if let Some(last) = last_step {
                            prop_assert!(now - last >= COOL_MIN, "two steps within {:?}", now - last);
                        }
                        last_step = Some(now);
                    }
                    Order::Hold | Order::Rest | Order::GiveUp => {}
                }
                prop_assert!((0.95..=1.05).contains(&controller.rate()));
                prop_assert!(controller.start_latency(Footing::Still) >= Micros::ZERO);
            }
        }
    }

    fn sight_is_running(sight: Sight) -> bool {
        matches!(sight, Sight::Running { .. })
    }
}
