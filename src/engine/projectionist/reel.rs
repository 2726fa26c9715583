//! The state at any moment of an evening: the nearest snapshot, and the events behind it.

use super::waits::Waits;
use crate::engine::event::Event;
use crate::engine::fold::RoomState;
use crate::engine::id::Seq;
use crate::engine::replay::{Replay, ReplayError, Step};
use crate::engine::snapshot;
use crate::engine::unit::SessionTime;

/// Events read at a time.
const PAGE: usize = 512;
/// Snapshots kept at most. Twice as many and every other is dropped: a week's talk costs as much
/// memory as an evening's, and each moment is still a short fold away.
const SNAPSHOTS_MAX: usize = 256;
/// Events between two snapshots at first: folding so many takes well below a millisecond.
const EVERY_MIN: u64 = 256;
/// The longest chain of causes that is followed; longer ones were written by nobody.
const CAUSES_MAX: usize = 32;

/// Why an evening ends before its log does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Torn<E> {
    /// The log did not give the next events.
    #[error(transparent)]
    Unreadable(E),
    /// They do not follow.
    #[error(transparent)]
    Order(ReplayError),
}

/// A point of an evening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// After this event.
    After(Seq),
    /// At this moment, with all that had happened by then.
    At(SessionTime),
}

impl Point {
    fn is_behind(self, event: &Event) -> bool {
        match self {
            Self::After(seq) => event.header.seq <= seq,
            Self::At(moment) => event.header.at <= moment,
        }
    }

    fn reaches(self, state: (Seq, SessionTime)) -> bool {
        match self {
            Self::After(seq) => state.0 <= seq,
            Self::At(moment) => state.1 <= moment,
        }
    }
}

#[derive(Clone, Debug)]
struct Snapshot {
    seq: Seq,
    at: SessionTime,
    bytes: Vec<u8>,
}

/// An evening that was wound once, from its beginning to its end. See the module.
#[derive(Clone, Debug)]
pub struct Reel {
    snapshots: Vec<Snapshot>,
    every: u64,
    last: RoomState,
    /// The waits of it, up to the last event.
    pub waits: Waits,
}

/// Reads an evening through, showing each event and the state before it.
///
/// What cannot be read, or does not follow, ends it: the reel holds what is
/// whole, and the second answer says why there is no more.
pub fn wind<E>(
    mut read: impl FnMut(Seq, usize) -> Result<Vec<Event>, E>,
    mut each: impl FnMut(&RoomState, &Event),
) -> (Reel, Option<Torn<E>>) {
    let mut reel = Reel {
        snapshots: Vec::new(),
        every: EVERY_MIN,
        last: RoomState::default(),
        waits: Waits::default(),
    };
    let mut replay = Replay::new();
    let torn = loop {
        let events = match read(replay.cursor(), PAGE) {
            Ok(events) if events.is_empty() => break None,
            Ok(events) => events,
            Err(error) => break Some(Torn::Unreadable(error)),
        };
        let taken = events.iter().try_for_each(|event| {
            if replay.check(event)? == Step::Applied {
                let before = replay.state();
                reel.keep(before);
                reel.waits.take(before, event);
                each(before, event);
            }
            replay.take(event).map(drop)
        });
        if let Err(error) = taken {
            break Some(Torn::Order(error));
        }
    };
    reel.last = replay.into_state();
    (reel, torn)
}

impl Reel {
    /// What was true in the end.
    pub fn last(&self) -> &RoomState {
        &self.last
    }

    /// Keeps a snapshot of `state` when one is due.
    fn keep(&mut self, state: &RoomState) {
        if state.seq.get() == 0 || !state.seq.get().is_multiple_of(self.every) {
            return;
        }
        self.snapshots.push(Snapshot {
            seq: state.seq,
            at: state.at,
            bytes: snapshot::encode(state),
        });
        if self.snapshots.len() > SNAPSHOTS_MAX {
            self.every *= 2;
            let every = self.every;
            self.snapshots
                .retain(|kept| kept.seq.get().is_multiple_of(every));
        }
    }

    /// The state at a point, by the shortest way: on from `near` where that lies before it, else from a snapshot.
    ///
    /// # Errors
    /// [`Torn`], if the log does not give again what it gave before.
    pub fn state<E>(
        &self,
        point: Point,
        near: Option<&RoomState>,
        mut read: impl FnMut(Seq, usize) -> Result<Vec<Event>, E>,
    ) -> Result<RoomState, Torn<E>> {
        if point.reaches((self.last.seq, self.last.at)) {
            return Ok(self.last.clone());
        }
        let behind = self
            .snapshots
            .partition_point(|kept| point.reaches((kept.seq, kept.at)));
        let kept = behind.checked_sub(1).map(|place| &self.snapshots[place]);
        let near = near.filter(|state| {
            point.reaches((state.seq, state.at)) && kept.is_none_or(|kept| kept.seq <= state.seq)
        });
        let start = match (near, kept) {
            (Some(state), _) => state.clone(),
            // It was encoded here; should it not read, the fold from the beginning does.
            (None, Some(kept)) => snapshot::decode(&kept.bytes).unwrap_or_default(),
            (None, None) => RoomState::default(),
        };
        let mut replay = Replay::from_state(start);
        while replay.cursor() <= self.last.seq {
            let left = self.last.seq.get() + 1 - replay.cursor().get();
            let page = usize::try_from(left).unwrap_or(PAGE).min(PAGE);
            let events = read(replay.cursor(), page).map_err(Torn::Unreadable)?;
            if events.is_empty() {
                break;
            }
            for event in &events {
                if !point.is_behind(event) {
                    return Ok(replay.into_state());
                }
                replay.take(event).map_err(Torn::Order)?;
            }
        }
        Ok(replay.into_state())
    }
}

/// An event, what called for it, what called for that, and so on: "why did it pause?".
///
/// # Errors
/// Those of `read`. No events at all when there is none of that number.
pub fn causes<E>(
    seq: Seq,
    mut read: impl FnMut(Seq, usize) -> Result<Vec<Event>, E>,
) -> Result<Vec<Event>, E> {
    let mut chain: Vec<Event> = Vec::new();
    let mut wanted = Some(seq);
    while let Some(seq) = wanted {
        let Some(event) = read(seq, 1)?.pop().filter(|event| event.header.seq == seq) else {
            break;
        };
        // A cause lies before what it calls for: whatever else is written there leads nowhere.
        wanted = event.header.cause.filter(|cause| *cause < seq);
        chain.push(event);
        if chain.len() == CAUSES_MAX {
            break;
        }
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::codec;
    use proptest::prelude::*;

    /// The evening that every version reads: hundreds of events of nearly every kind.
    fn evening() -> Vec<Event> {
        let text = include_str!("../../../tests/fixtures/session-v1.txt");
        let hex = text.lines().filter(|line| !line.starts_with("digest"));
        let bytes = hex.map(|line| {
            let pairs = (0..line.len()).step_by(2);
            let byte = |at| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
            pairs.map(byte).collect::<Vec<u8>>()
        });
        bytes.map(|bytes| codec::decode(&bytes).unwrap()).collect()
    }

    /// The same evening so many times over, as one: for a reel that has to thin its snapshots.
    fn evenings(times: u64) -> Vec<Event> {
        let once = evening();
        let (count, length) = (once.len() as u64, once[once.len() - 1].header.at);
        (0..times)
            .flat_map(|time| {
                once.iter().cloned().map(move |mut event| {
                    let header = &mut event.header;
                    header.seq = Seq::new(header.seq.get() + time * count);
                    header.epoch =
                        crate::engine::id::Epoch::new(header.epoch.get() + time as u32 * 1_000);
                    header.at = SessionTime::new(header.at.get() + time * length.get());
                    header.cause = header.cause.map(|it| Seq::new(it.get() + time * count));
                    event
                })
            })
            .collect()
    }

    fn reader(events: &[Event]) -> impl FnMut(Seq, usize) -> Result<Vec<Event>, String> + '_ {
        |from, limit| {
            let from = (from.get() as usize - 1).min(events.len());
            Ok(events[from..(from + limit).min(events.len())].to_vec())
        }
    }

    fn fold(events: &[Event], until: Point) -> RoomState {
        let mut replay = Replay::new();
        let behind = events.iter().take_while(|event| until.is_behind(event));
        replay.take_all(behind).unwrap();
        replay.into_state()
    }

    #[test]
    fn a_reel_of_many_evenings_thins_its_snapshots_and_stays_exact() {
        let events = evenings(150);
        let (reel, torn) = wind(reader(&events), |_, _| {});
        assert_eq!(torn, None);
        assert!(reel.snapshots.len() <= SNAPSHOTS_MAX && reel.every > EVERY_MIN);
        let mut asked = 0;
        let somewhere = Seq::new(events.len() as u64 * 2 / 3);
        let state = reel.state(Point::After(somewhere), None, |from, limit| {
            asked += limit;
            reader(&events)(from, limit)
        });
        assert_eq!(
            state.unwrap().digest(),
            fold(&events, Point::After(somewhere)).digest()
        );
        assert!(
            asked as u64 <= reel.every + PAGE as u64,
            "{asked} events were read for one state"
        );
    }

    #[test]
    fn an_evening_that_breaks_off_is_whole_up_to_there() {
        let events = evening();
        let mut told = 0;
        let (reel, torn) = wind(
            |from, limit| match from.get() {
                300.. => Err("the disk says no"),
                _ => Ok(reader(&events)(from, limit.min(299)).unwrap()),
            },
            |_, _| told += 1,
        );
        assert_eq!(torn, Some(Torn::Unreadable("the disk says no")));
        assert_eq!((reel.last().seq, told), (Seq::new(299), 299));
        let (short, torn) = wind(reader(&events[..1]), |_, _| {});
        assert_eq!((short.last().seq, torn), (Seq::FIRST, None));
        let (empty, torn) = wind(reader(&[]), |_, _| {});
        assert_eq!((empty.last(), torn), (&RoomState::default(), None));
        let state = empty.state(Point::At(SessionTime::MAX), None, reader(&[]));
        assert_eq!(state, Ok(RoomState::default()));
    }

    #[test]
    fn an_event_out_of_order_ends_the_evening_untold() {
        let mut events = evening();
        events.swap(40, 41);
        let mut told = Vec::new();
        let (reel, torn) = wind(reader(&events), |_, event| told.push(event.header.seq));
        assert!(matches!(torn, Some(Torn::Order(ReplayError::Gap { .. }))));
        assert_eq!(reel.last().seq, Seq::new(40));
        assert_eq!(told.len(), 40, "what does not follow is not shown");
    }

    #[test]
    fn a_chain_of_causes_ends_and_never_turns() {
        let mut events = evening();
        let caused = events
            .iter()
            .find(|event| event.header.cause.is_some())
            .unwrap();
        let (seq, cause) = (caused.header.seq, caused.header.cause);
        let chain = causes(seq, reader(&events)).unwrap();
        assert!(chain.len() >= 2 && Some(chain[1].header.seq) == cause);
        let place = seq.get() as usize - 1;
        events[place].header.cause = Some(seq);
        assert_eq!(causes(seq, reader(&events)).unwrap().len(), 1);
        assert!(
            causes(Seq::new(99_999), reader(&events))
                .unwrap()
                .is_empty()
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Scrubbing here and there gives what a fold from zero gives, digest for digest.
        #[test]
        fn a_moment_is_the_same_from_wherever_one_comes(
            seeks in prop::collection::vec((any::<bool>(), 0u64..=1_000, any::<bool>()), 1..12),
        ) {
            let events = evenings(2);
            let (reel, torn) = wind(reader(&events), |_, _| {});
            prop_assert_eq!(torn, None);
            let end = events[events.len() - 1].header.at.get();
            let mut near: Option<RoomState> = None;
            for (by_time, share, forget) in seeks {
                let point = if by_time {
                    Point::At(SessionTime::new((u128::from(end) * u128::from(share) / 990) as u64))
                } else {
                    Point::After(Seq::new(events.len() as u64 * share / 990))
                };
                let state = reel.state(point, near.as_ref(), reader(&events)).unwrap();
                prop_assert_eq!(state.digest(), fold(&events, point).digest(), "{:?}", point);
                near = (!forget).then_some(state);
            }
        }
    }
}
