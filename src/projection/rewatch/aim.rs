//! Where a driven player belongs while an evening is watched again.
//!
//! The driver holds a player on a line over session time. In a replay that line
//! is bent: it runs at the replay's pace, stands when the replay stands, and
//! jumps where the replay jumps. An [`Aim`] draws it over this machine's own
//! clock instead, so that the same driver measures and corrects as on the
//! evening itself.

use crate::engine::clock::offset::Estimate;
use crate::engine::fold::RoomState;
use crate::engine::fold::timeline::Anchor;
use crate::engine::projectionist::{Projector, Waits};
use crate::engine::unit::{LocalTime, Micros, Rate, SessionTime};
use crate::player::driver::{Film, Goal};

/// The fastest a player follows: above it browsers mute, and nobody follows a film.
pub const RATE_MAX: u32 = 2_000;
/// Two lines this near are one: the player's own corrections take care of the rest.
const SAME_LINE: Micros = Micros::from_millis(30);

/// See the module. Keeps what it said last, so that a goal changes only when the line does.
#[derive(Debug, Default)]
pub struct Aim {
    last: Goal,
}

/// A local time as the bent line has it: this machine's clock is its own session time.
const fn moment(local: LocalTime) -> SessionTime {
    SessionTime::new(local.get())
}

impl Aim {
    /// Whether a player could follow at this pace.
    pub fn follows(state: &RoomState, projector: &Projector) -> bool {
        rate(state, projector).is_some()
    }

    /// What the player should do, when `state` is what is shown at `now`.
    pub fn goal(
        &mut self,
        state: &RoomState,
        projector: &Projector,
        waits: &Waits,
        now: LocalTime,
    ) -> Goal {
        let runs = projector.runs(now, waits);
        let goal = if runs && rate(state, projector).is_none() {
            self.resting(now)
        } else {
            self.following(state, projector, waits, now)
        };
        self.last = goal.clone();
        goal
    }

    /// The replay is too fast to follow: the player stands on the frame it got to.
    fn resting(&self, now: LocalTime) -> Goal {
        let mut goal = self.last.clone();
        if goal.anchor.playing {
            goal.anchor.position = goal.anchor.position(moment(now), goal.duration);
            goal.anchor.playing = false;
        }
        goal
    }

    fn following(
        &self,
        state: &RoomState,
        projector: &Projector,
        waits: &Waits,
        now: LocalTime,
    ) -> Goal {
        let timeline = &state.timeline;
        let (line, duration) = (timeline.anchor, timeline.duration());
        let mut anchor = Anchor {
            item: line.item,
            generation: self.last.anchor.generation,
            at: SessionTime::ZERO,
            position: timeline.position(projector.session(now, waits)),
            rate: rate(state, projector).unwrap_or_default(),
            playing: false,
        };
        if line.playing && projector.runs(now, waits) {
            let (since, from) = projector.stretch(now, waits);
            anchor.playing = true;
            (anchor.at, anchor.position) = if line.at >= from {
                let ahead = projector.pace().time_for(line.at - from);
                (moment(since + ahead), line.position)
            } else {
                (moment(since), line.position(from, duration))
            };
        }
        let film = timeline.current().map(|(item, known)| Film {
            item,
            media: known.media.clone(),
            start: known.start,
        });
        let goal = Goal {
            film,
            anchor,
            duration,
            clock: Some(Estimate::exact(LocalTime::ZERO, SessionTime::ZERO)),
        };
        self.numbered(goal, now)
    }

    /// A line that does not go on where the last one was is a new generation, which players seek to.
    fn numbered(&self, mut goal: Goal, now: LocalTime) -> Goal {
        let at = |goal: &Goal| goal.anchor.position(moment(now), goal.duration);
        let same = self.last.anchor.item == goal.anchor.item
            && (at(&self.last) - at(&goal)).abs() <= SAME_LINE;
        if !same {
            goal.anchor.generation = goal.anchor.generation.next();
        } else if self.last.anchor.playing
            && goal.anchor.playing
            && self.last.anchor.rate == goal.anchor.rate
            && self.last.film == goal.film
        {
            // The same line, drawn from another point of it: nothing to tell the player.
            let clock = self.last.clock;
            return Goal {
                anchor: self.last.anchor,
                clock,
                ..goal
            };
        }
        goal
    }
}

/// How fast the film runs when the replay does; `None` where no player follows.
fn rate(state: &RoomState, projector: &Projector) -> Option<Rate> {
    let thousandths =
        u64::from(state.timeline.anchor.rate.get()) * u64::from(projector.pace().get()) / 1_000;
    if thousandths > u64::from(RATE_MAX) {
        return None;
    }
    Rate::from_millis(u16::try_from(thousandths).ok()?)
}
