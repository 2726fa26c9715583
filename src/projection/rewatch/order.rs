//! What a person can ask of a replay. None of it reaches a room or a log.

use super::Programme;
use crate::engine::projectionist::{Pace, Projector};
use crate::engine::unit::{LocalTime, Micros, SessionTime};

/// So long behind an event, at the evening's own speed, "previous" means the one before it: as on
/// every player of records.
const GRACE: Micros = Micros::from_secs(1);

/// Something to do with the replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Let it run; from the beginning, at the end.
    Play,
    /// Let it stand.
    Pause,
    /// Whichever of the two it is not.
    Toggle,
    /// Go to this moment.
    Seek(SessionTime),
    /// Go on by so much of what is shown, or back.
    Skip(Micros),
    /// Go to what happened next.
    Next,
    /// Go back to what happened before.
    Previous,
    /// Run at this pace.
    Pace(Pace),
    /// Leave the waits out, or sit through them.
    SkipWaits(bool),
}

impl Order {
    /// Does it.
    pub fn apply(self, projector: &mut Projector, programme: &Programme, now: LocalTime) {
        let waits = programme.waits();
        let moment = projector.session(now, waits);
        match self {
            Self::Play => projector.play(now, waits),
            Self::Pause => projector.pause(now, waits),
            Self::Toggle if projector.runs(now, waits) => projector.pause(now, waits),
            Self::Toggle => projector.play(now, waits),
            Self::Seek(to) => projector.seek(now, to, waits),
            Self::Skip(by) => {
                let to = if projector.skips() {
                    waits.moment((waits.shown(moment) + by).max(Micros::ZERO))
                } else {
                    moment + by
                };
                projector.seek(now, to, waits);
            }
            Self::Next => {
                let to = programme.next_line(moment).map(|entry| entry.at);
                projector.seek(now, to.unwrap_or(programme.end()), waits);
            }
            Self::Previous => {
                let grace = if projector.runs(now, waits) {
                    projector.pace().evening_in(GRACE)
                } else {
                    Micros::ZERO
                };
                let to = programme.line_before(moment - grace).map(|entry| entry.at);
                projector.seek(now, to.unwrap_or_default(), waits);
            }
            Self::Pace(pace) => projector.set_pace(now, pace, waits),
            Self::SkipWaits(skip) => projector.set_skipping(now, skip, waits),
        }
    }

    /// Whether it goes elsewhere, instead of on from here.
    pub const fn jumps(self) -> bool {
        matches!(
            self,
            Self::Seek(_) | Self::Skip(_) | Self::Next | Self::Previous
        )
    }
}
