//! Drift: measured minus target position; positive is ahead.

use crate::engine::clock::offset::Estimate;
use crate::engine::fold::timeline::Anchor;
use crate::engine::unit::{LocalTime, MediaTime, Micros};

/// How far a film that stood at `measured` at local time `at` is from the room's line.
///
/// `None` where the line says nothing a player could be held to: before a
/// scheduled start, and at the film's end, where every position past it is the
/// same. While the room is paused it is the distance from the frame.
pub fn drift(
    anchor: &Anchor,
    duration: Option<Micros>,
    clock: &Estimate,
    at: LocalTime,
    measured: MediaTime,
) -> Option<Micros> {
    let now = clock.session(at);
    if anchor.playing && now < anchor.at {
        return None;
    }
    let target = anchor.position(now, duration);
    if anchor.playing && duration.is_some_and(|length| target >= MediaTime::ZERO + length) {
        return None;
    }
    Some(measured - target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::unit::SessionTime;

    fn line(playing: bool) -> Anchor {
        Anchor {
            at: SessionTime::from_secs(10),
            position: MediaTime::from_secs(60),
            playing,
            ..Anchor::default()
        }
    }

    /// Drift at `secs` of the session, on a machine whose clock started 5 s earlier.
    fn at(anchor: Anchor, secs: u64, measured: u64) -> Option<Micros> {
        let clock = Estimate::exact(LocalTime::from_secs(5), SessionTime::ZERO);
        let length = Some(Micros::from_secs(100));
        let now = LocalTime::from_secs(secs + 5);
        drift(&anchor, length, &clock, now, MediaTime::from_secs(measured))
    }

    #[test]
    fn ahead_is_positive_and_behind_is_negative() {
        assert_eq!(at(line(true), 20, 71), Some(Micros::from_secs(1)));
        assert_eq!(at(line(true), 20, 68), Some(Micros::from_secs(-2)));
        assert_eq!(at(line(false), 20, 61), Some(Micros::from_secs(1)));
    }

    #[test]
    fn nothing_is_asked_before_the_start_and_past_the_end() {
        assert_eq!(at(line(true), 9, 61), None);
        assert_eq!(at(line(true), 51, 99), None);
    }
}
