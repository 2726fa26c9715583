//! Whose doing was it: ours, the user's, or nobody's?
//!
//! For players driven over a pipe (mpv and its kin), which report every change
//! alike, whoever made it. Bili-SyncPlay's post-mortem shows that no time
//! window tells an echo from a hand; so this goes by identity. What is written
//! is recorded as an expectation *at the write*. An observation equal to an
//! expectation acknowledges it; an unlike one is the user's only if a trusted
//! input that can do such a thing preceded it; otherwise it is a deviation, to
//! be corrected and traced and never told to the room.
//!
//! An input stays answerable until it is used or *fenced*: requests are
//! answered in order, so once the first request written after the input is
//! answered, all that the input did has been seen.

use std::collections::VecDeque;

use crate::engine::unit::{MediaTime, Micros};

/// Unanswered writes of one kind; of more, the oldest are given up, which can
/// only cause a correction.
const OUTSTANDING_MAX: usize = 8;

/// A state, as written to a player or observed on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It plays (`true`) or is paused.
    Playing(bool),
    /// It moved to a position.
    Position(MediaTime),
    /// It changed its rate, in millionths of the film's own speed.
    RatePpm(i64),
}

/// What a trusted input can have been about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Play or pause.
    pub playing: bool,
    /// A seek.
    pub position: bool,
    /// A rate.
    pub rate: bool,
}

impl Kinds {
    /// An input that could be about anything: a click whose target is not known.
    pub const ANY: Self = Self {
        playing: true,
        position: true,
        rate: true,
    };
}

/// Whose doing an observation was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Ours: an acknowledgement.
    Ours,
    /// The user's: an intent.
    Users,
    /// Nobody's: correct it, trace it, tell nobody.
    Deviation,
}

/// Names one request, in the order of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// Expectations about one kind of state.
#[derive(Clone, Debug, Default)]
struct Track<T> {
    /// Written, not yet seen; oldest first.
    outstanding: VecDeque<(Ticket, T)>,
    /// What was seen last and accepted.
    settled: Option<T>,
    /// A trusted input that may explain one unlike observation: heard before this ticket.
    input: Option<Ticket>,
}

impl<T: Copy> Track<T> {
    fn wrote(&mut self, ticket: Ticket, value: T, same: impl Fn(T, T) -> bool) {
        let stands = self.settled.is_some_and(|settled| same(settled, value));
        if self.outstanding.is_empty() && stands {
            return; // nothing will change, so nothing will be seen
        }
        if self.outstanding.len() == OUTSTANDING_MAX {
            self.outstanding.pop_front();
        }
        self.outstanding.push_back((ticket, value));
    }

    fn observed(&mut self, value: T, same: impl Fn(T, T) -> bool) -> Whose {
        let known = self
            .outstanding
            .iter()
            .position(|&(_, expected)| same(expected, value));
        if let Some(place) = known {
            // Later states were reached through the earlier ones, seen or not.
            self.outstanding.drain(..=place);
            self.settled = Some(value);
            return Whose::Ours;
        }
        let repeats = self.settled.is_some_and(|settled| same(settled, value));
        if self.outstanding.is_empty() && repeats {
            return Whose::Ours;
        }
        if self.input.take().is_some() {
            self.settled = Some(value);
            return Whose::Users;
        }
        Whose::Deviation
    }

    fn answered(&mut self, ticket: Ticket) {
        if self.input.is_some_and(|heard| heard <= ticket) {
            self.input = None;
        }
    }

    fn failed(&mut self, ticket: Ticket) {
        self.outstanding.retain(|&(written, _)| written != ticket);
    }
}

/// The expected state of one player element.
#[derive(Clone, Debug)]
pub struct Echo {
    playing: Track<bool>,
    position: Track<MediaTime>,
    rate: Track<i64>,
    next: u64,
    /// How far from its target a seek may land and still be ours.
    landing: Micros,
}

impl Echo {
    /// A fresh element, of which nothing is known; `landing` is how far from
    /// its target one of our seeks may land.
    pub fn new(landing: Micros) -> Self {
        Self {
            playing: Track::default(),
            position: Track::default(),
            rate: Track::default(),
            next: 0,
            landing,
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.next += 1;
        Ticket(self.next)
    }

    /// Records a write, in the moment of writing it. Its reply goes to
    /// [`Self::answered`] or [`Self::failed`].
    pub fn wrote(&mut self, act: Act) -> Ticket {
        let ticket = self.ticket();
        let landing = self.landing;
        match act {
            Act::Playing(playing) => self.playing.wrote(ticket, playing, |a, b| a == b),
            // Each seek is seen, even one to where the film stands.
            Act::Position(to) => {
                self.position.settled = None;
                self.position.wrote(ticket, to, near(landing));
            }
            Act::RatePpm(ppm) => self.rate.wrote(ticket, ppm, like),
        }
        ticket
    }

    /// Records a request that changes nothing, written only to fence inputs.
    pub fn fence(&mut self) -> Ticket {
        self.ticket()
    }

    /// A trusted input was heard on this element.
    pub fn input(&mut self, kinds: Kinds) {
        // Retired by any request written from now on.
        let heard = Some(Ticket(self.next + 1));
        if kinds.playing {
            self.playing.input = heard;
        }
        if kinds.position {
            self.position.input = heard;
        }
        if kinds.rate {
            self.rate.input = heard;
        }
    }

    /// The player answered a request: it was done, and so was all before it.
    pub fn answered(&mut self, ticket: Ticket) {
        self.playing.answered(ticket);
        self.position.answered(ticket);
        self.rate.answered(ticket);
    }

    /// The player refused a request: nothing will be seen of it.
    pub fn failed(&mut self, ticket: Ticket) {
        self.answered(ticket);
        self.playing.failed(ticket);
        self.position.failed(ticket);
        self.rate.failed(ticket);
    }

    /// Whose doing the observed change was.
    pub fn observed(&mut self, act: Act) -> Whose {
        match act {
            Act::Playing(playing) => self.playing.observed(playing, |a, b| a == b),
            Act::Position(at) => {
                let whose = self.position.observed(at, near(self.landing));
                // A position passes; it is no state that could be repeated.
                self.position.settled = None;
                whose
            }
            Act::RatePpm(ppm) => self.rate.observed(ppm, like),
        }
    }

    /// Whether all that was written has been seen.
    pub fn is_settled(&self) -> bool {
        self.playing.outstanding.is_empty()
            && self.position.outstanding.is_empty()
            && self.rate.outstanding.is_empty()
    }
}

/// Two places near enough to be one landing.
fn near(landing: Micros) -> impl Fn(MediaTime, MediaTime) -> bool {
    move |a, b| (a - b).abs() <= landing
}

/// Two rates that differ by a player's rounding.
fn like(a: i64, b: i64) -> bool {
    (a - b).abs() <= 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn echo() -> Echo {
        Echo::new(Micros::from_millis(100))
    }

    #[test]
    fn what_was_written_is_ours_and_what_nobody_asked_for_is_a_deviation() {
        let mut echo = echo();
        echo.wrote(Act::Playing(true));
        assert_eq!(echo.observed(Act::Playing(true)), Whose::Ours);
        assert_eq!(echo.observed(Act::Playing(false)), Whose::Deviation);
        echo.wrote(Act::Position(MediaTime::from_secs(9)));
        let landed = MediaTime::from_secs(9) - Micros::from_millis(80);
        assert_eq!(echo.observed(Act::Position(landed)), Whose::Ours);
        assert_eq!(
            echo.observed(Act::Position(landed)),
            Whose::Deviation,
            "one seek, one landing"
        );
    }

    #[test]
    fn an_input_explains_one_change_of_its_kind() {
        let mut echo = echo();
        echo.wrote(Act::Playing(true));
        echo.observed(Act::Playing(true));
        echo.input(Kinds {
            playing: true,
            ..Kinds::default()
        });
        assert_eq!(echo.observed(Act::RatePpm(2_000_000)), Whose::Deviation);
        assert_eq!(echo.observed(Act::Playing(false)), Whose::Users);
        assert_eq!(echo.observed(Act::Playing(true)), Whose::Deviation);
    }

    #[test]
    fn an_input_that_did_nothing_does_not_excuse_what_comes_later() {
        let mut echo = echo();
        echo.wrote(Act::Playing(true));
        echo.observed(Act::Playing(true));
        echo.input(Kinds::ANY);
        let fence = echo.fence();
        echo.answered(fence);
        assert_eq!(echo.observed(Act::Playing(false)), Whose::Deviation);
    }

    #[test]
    fn an_answer_to_a_request_from_before_the_input_retires_nothing() {
        let mut echo = echo();
        echo.wrote(Act::Playing(true));
        echo.observed(Act::Playing(true));
        let early = echo.fence();
        echo.input(Kinds::ANY);
        echo.answered(early);
        assert_eq!(echo.observed(Act::Playing(false)), Whose::Users);
    }

    #[test]
    fn a_refused_write_is_no_longer_expected() {
        let mut echo = echo();
        let ticket = echo.wrote(Act::Playing(true));
        echo.failed(ticket);
        assert!(echo.is_settled());
        assert_eq!(echo.observed(Act::Playing(true)), Whose::Deviation);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Write(Act),
        Deliver,
        Skip,
        User(Act),
        Stray(Act),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            any::<bool>().prop_map(Act::Playing),
            (0u64..5).prop_map(|place| Act::Position(MediaTime::from_secs(place * 10))),
            (1i64..5).prop_map(|quarters| Act::RatePpm(quarters * 250_000)),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => act().prop_map(Step::Write),
            4 => Just(Step::Deliver),
            1 => Just(Step::Skip),
            2 => act().prop_map(Step::User),
            1 => act().prop_map(Step::Stray),
        ]
    }

    proptest! {
        /// A faithful player reports what it was told, in order, late or never
        /// (when a later write overtook it).
        #[test]
        fn echoes_of_our_own_writes_are_always_ours(steps in prop::collection::vec(step(), 0..60)) {
            let mut echo = echo();
            let mut queue = VecDeque::new();
            let mut expected: usize = 0;
            for step in steps {
                match step {
                    Step::Write(act) if queue.len() < OUTSTANDING_MAX => {
                        let before = echo.clone();
                        echo.wrote(act);
                        // A write that changes nothing is not reported by the player.
                        if outstanding(&echo) > outstanding(&before) { queue.push_back(act); expected += 1; }
                    }
                    Step::Deliver => if let Some(act) = queue.pop_front() {
                        prop_assert_eq!(echo.observed(act), Whose::Ours);
                    },
                    _ => {}
                }
            }
            prop_assert!(queue.len() <= expected);
        }

        #[test]
        fn without_an_input_nothing_is_ever_the_users(steps in prop::collection::vec(step(), 0..60)) {
            let mut echo = echo();
            for step in steps {
                match step {
                    Step::Write(act) => { echo.wrote(act); }
                    Step::User(act) | Step::Stray(act) => prop_assert_ne!(echo.observed(act), Whose::Users),
                    Step::Deliver | Step::Skip => {}
                }
            }
        }

        /// One input, one intent: however many changes follow it.
        #[test]
        fn an_input_is_used_at_most_once_for_each_kind(steps in prop::collection::vec(step(), 0..60)) {
            let mut echo = echo();
            let (mut inputs, mut intents) = (0, 0);
            for step in steps {
                let seen = match step {
                    Step::Write(act) => { echo.wrote(act); continue }
                    Step::User(act) => { inputs += 3; echo.input(Kinds::ANY); act }
                    Step::Stray(act) => act,
                    Step::Deliver | Step::Skip => continue,
                };
                if echo.observed(seen) == Whose::Users { intents += 1; }
                prop_assert!(intents <= inputs);
            }
        }
    }

    fn outstanding(echo: &Echo) -> usize {
        echo.playing.outstanding.len()
            + echo.position.outstanding.len()
            + echo.rate.outstanding.len()
    }
}
