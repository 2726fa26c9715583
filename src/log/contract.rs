//! What every log must do, as tests that run on each backend, and the events they run on.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::memory::MemoryLog;
use super::{AppendError, EventLog, RECORD_BYTES_MAX};
use crate::engine::event::chain::Link;
use crate::engine::event::{Body, Client, Departure, Event, Header, Role, Via, codec};
use crate::engine::id::{Epoch, ItemId, MemberId, Seq, SessionId, Stamp};
use crate::engine::media::{Media, Provider};
use crate::engine::text::{Line, Name, Title};
use crate::engine::unit::{MediaTime, Micros, Rate, SessionTime};

/// A backend under test: something that can be opened, closed and opened again.
pub(crate) trait Backend {
    /// Nothing appended yet.
    fn new() -> Self;
    /// The log, for as long as the handle lives; all handles are dropped before the next call.
    fn open(&self) -> Arc<dyn EventLog>;
}

impl Backend for Arc<MemoryLog> {
    fn new() -> Self {
        Arc::default()
    }
    fn open(&self) -> Arc<dyn EventLog> {
        self.clone()
    }
}

/// An event at this place in epoch 1.
pub(crate) fn event(seq: u64, body: Body) -> Event {
    Event {
        header: Header {
            seq: Seq::new(seq),
            epoch: Epoch::new(1),
            stamp: Stamp::new(seq * 2),
            at: SessionTime::from_millis(seq * 40),
            wall: 1_790_000_000_000 + seq * 40,
            by: Some(MemberId::new(1)),
            via: Via::Key,
            cause: None,
            intent: Some(seq),
        },
        body,
    }
}

/// A line of chat at this place.
pub(crate) fn said(seq: u64, text: &str) -> Event {
    event(
        seq,
        Body::Said {
            text: Line::new(text).expect("a line"),
            moment: MediaTime::from_millis(seq),
        },
    )
}

/// An event of exactly so many encoded bytes: longer than lines may be, as a body of later days might.
pub(crate) fn of_bytes(seq: u64, bytes: usize) -> Event {
    let loaded = |id: String| {
        let media = Media {
            provider: Provider::Page,
            id,
        };
        let (item, title, start) = (ItemId::new(1), None, MediaTime::ZERO);
        event(
            seq,
            Body::MediaSet {
                item,
                media,
                title,
                start,
            },
        )
    };
    let frame = codec::encode(&loaded("x".repeat(1_000))).len() - 1_000;
    let event = loaded("x".repeat(bytes - frame));
    assert_eq!(codec::encode(&event).len(), bytes);
    event
}

/// Dense chat lines `[from, to)`.
pub(crate) fn lines(range: Range<u64>) -> Vec<Event> {
    range
        .map(|seq| said(seq, &format!("line {seq}, and it goes on a little")))
        .collect()
}

fn body() -> impl Strategy<Value = Body> {
    let place = || (0u64..4 * 3_600_000_000).prop_map(MediaTime::new);
    let member = || (1u32..40).prop_map(MemberId::new);
    let item = || (1u32..9).prop_map(ItemId::new);
    prop_oneof![
        (any::<u128>(), "[A-Z][a-z ]{0,30}[a-z]").prop_map(|(id, title)| Body::Opened {
            session: SessionId::new(id),
            title: Title::new(&title).expect("a title"),
        }),
        (0i64..1 << 40).prop_map(|gap| Body::EpochStarted {
            gap: Micros::new(gap)
        }),
        (member(), "[A-Z][a-zé]{1,20}").prop_map(|(member, name)| Body::Joined {
            member,
            name: Name::new(&name).expect("a name"),
            role: Role::Guest,
            client: Client::Page,
        }),
        member().prop_map(|member| Body::Left {
            member,
            reason: Departure::Lost
        }),
        (item(), "[a-zA-Z0-9_-]{11}", place()).prop_map(|(item, id, start)| Body::MediaSet {
            item,
            media: Media {
                provider: Provider::Youtube,
                id,
            },
            title: None,
            start,
        }),
        (place(), any::<u32>()).prop_map(|(position, start)| Body::Played {
            position,
            start: SessionTime::new(start.into()),
        }),
        place().prop_map(|position| Body::Paused { position }),
        (250u16..=4_000, place()).prop_map(|(rate, position)| Body::RateSet {
            rate: Rate::from_millis(rate).expect("a rate"),
            position,
        }),
        ("[a-z][a-z é!?]{0,300}", place()).prop_map(|(text, moment)| Body::Said {
            text: Line::new(&text).expect("a line"),
            moment,
        }),
    ]
}

/// A whole history as a room would write it: dense, stamps and times rising, now and then a new epoch.
pub(crate) fn history(len: Range<usize>) -> impl Strategy<Value = Vec<Event>> {
    let step = (body(), 0u64..5_000_000, 1u64..9, prop::bool::weighted(0.03));
    prop::collection::vec(step, len).prop_map(|steps| {
        let (mut at, mut stamp, mut epoch) = (0, 0, 1);
        steps
            .into_iter()
            .zip(1..)
            .map(|((body, later, above, reign), seq)| {
                at += later;
                stamp += above;
                epoch += u32::from(reign);
                let mut event = event(seq, body);
                event.header.epoch = Epoch::new(epoch);
                event.header.stamp = Stamp::new(stamp);
                event.header.at = SessionTime::new(at);
                event
            })
            .collect()
    })
}

/// All events of a log, read in pages of `page`.
pub(crate) fn read_all(log: &dyn EventLog, page: usize) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let from = Seq::new(events.len() as u64 + 1);
        let more = log.read(from, page).expect("the log reads");
        if more.is_empty() {
            return events;
        }
        events.extend(more);
    }
}

/// Whether the log holds exactly these events, byte for byte and link for link.
pub(crate) fn holds(log: &dyn EventLog, events: &[Event]) {
    let tail = Seq::new(events.len() as u64 + 1);
    assert_eq!(log.tail(), tail);
    assert_eq!(read_all(log, 7), events);
    assert_eq!(log.read(Seq::FIRST, usize::MAX).unwrap(), events);
    let records = log.records(Seq::FIRST, usize::MAX).unwrap();
    assert!(
        records
            .iter()
            .map(Box::as_ref)
            .eq(events.iter().map(codec::encode))
    );
    let mut link = Link::GENESIS;
    assert_eq!(log.link_at(Seq::new(0)).unwrap(), Some(link));
    for (seq, record) in (1..).zip(&records) {
        let (_, parts) = codec::split(record).unwrap();
        link = link.then(parts.header, parts.body);
        assert_eq!(
            log.link_at(Seq::new(seq)).unwrap(),
            Some(link),
            "link {seq}"
        );
    }
    assert_eq!(log.tail_link(), (tail, link));
    assert_eq!(log.link_at(tail).unwrap(), None);
}

pub(crate) fn an_empty_log_begins_at_one<B: Backend>() {
    let log = B::new().open();
    holds(&*log, &[]);
    assert_eq!(log.read(Seq::new(0), 9).unwrap(), []);
    assert_eq!(log.read(Seq::new(u64::MAX), 9).unwrap(), []);
    assert_eq!(log.append(Vec::new()).wait(), Ok(()));
    assert_eq!(log.tail(), Seq::FIRST);
}

pub(crate) fn appends_are_dense_or_refused_whole<B: Backend>() {
    let backend = B::new();
    let log = backend.open();
    log.append(lines(1..4)).wait().unwrap();
    let gap = |expected, found| {
        Err(AppendError::Gap {
            expected: Seq::new(expected),
            found: Seq::new(found),
        })
    };
    assert_eq!(log.append(lines(5..6)).wait(), gap(4, 5));
    let hole = [lines(4..6), lines(7..8)].concat();
    assert_eq!(
        log.append(hole).wait(),
        gap(6, 7),
        "and 4 and 5 are not taken"
    );
    holds(&*log, &lines(1..4));
    log.append(lines(4..6)).wait().unwrap();
    holds(&*log, &lines(1..6));
}

pub(crate) fn an_old_host_is_fenced<B: Backend>() {
    let log = B::new().open();
    let mut taken_over = lines(1..4);
    taken_over[2].header.epoch = Epoch::new(2);
    log.append(taken_over.clone()).wait().unwrap();
    let fenced = |epoch, seq| {
        Err(AppendError::Fenced {
            epoch: Epoch::new(epoch),
            seq: Seq::new(seq),
            log_epoch: Epoch::new(2),
            tail: Seq::new(4),
        })
    };
    assert_eq!(
        log.append(lines(3..4)).wait(),
        fenced(1, 3),
        "its place is taken"
    );
    assert_eq!(
        log.append(lines(4..5)).wait(),
        fenced(1, 4),
        "its reign is over"
    );
    let mut twice = lines(3..4);
    twice[0].header.epoch = Epoch::new(2);
    assert_eq!(
        log.append(twice).wait(),
        fenced(2, 3),
        "the same reign writes a place once"
    );
    holds(&*log, &taken_over);
}

pub(crate) fn fencing_outlives_a_restart<B: Backend>() {
    let backend = B::new();
    let mut events = lines(1..3);
    events[1].header.epoch = Epoch::new(7);
    backend.open().append(events).wait().unwrap();
    let log = backend.open();
    assert_eq!(log.edge().epoch, Epoch::new(7));
    let refused = log.append(lines(3..4)).wait();
    assert!(
        matches!(refused, Err(AppendError::Fenced { .. })),
        "{refused:?}"
    );
}

pub(crate) fn an_event_is_stored_up_to_the_limit_and_no_further<B: Backend>() {
    let backend = B::new();
    let log = backend.open();
    let longest = of_bytes(1, RECORD_BYTES_MAX);
    let too_long = of_bytes(2, RECORD_BYTES_MAX + 1);
    log.append(vec![longest.clone()]).wait().unwrap();
    assert_eq!(
        log.append(vec![too_long]).wait(),
        Err(AppendError::TooLong {
            seq: Seq::new(2),
            bytes: RECORD_BYTES_MAX + 1
        })
    );
    holds(&*log, &[longest]);
}

pub(crate) fn answers_come_in_the_order_of_the_calls<B: Backend>() {
    let backend = B::new();
    let log = backend.open();
    let pending: Vec<_> = (1..200)
        .map(|seq| log.append(lines(seq..seq + 1)))
        .collect();
    for (answer, seq) in pending.into_iter().zip(1..) {
        answer.wait().unwrap();
        assert!(log.tail() > Seq::new(seq), "acknowledged means visible");
    }
    holds(&*log, &lines(1..200));
}

pub(crate) fn a_refusal_does_not_hold_up_those_behind_it<B: Backend>() {
    let log = B::new().open();
    let answers = [
        log.append(lines(1..3)),
        log.append(lines(9..10)),
        log.append(lines(3..5)),
    ];
    let answers = answers.map(super::Appending::wait);
    assert_eq!(answers[0], Ok(()));
    assert!(matches!(answers[1], Err(AppendError::Gap { .. })));
    assert_eq!(answers[2], Ok(()));
    holds(&*log, &lines(1..5));
}

pub(crate) fn dropping_the_answer_takes_nothing_back<B: Backend>() {
    let log = B::new().open();
    drop(log.append(lines(1..4)));
    log.append(lines(4..5)).wait().unwrap();
    holds(&*log, &lines(1..5));
}

pub(crate) fn many_readers_see_whole_appends_while_it_grows<B: Backend>() {
    const EVENTS: u64 = 2_000;
    let backend = B::new();
    let log = backend.open();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for reader in 0..8 {
            let (log, done) = (&log, &done);
            scope.spawn(move || {
                let mut cursor = 1;
                loop {
                    let is_last = done.load(Ordering::Acquire);
                    let events = log.read(Seq::new(cursor), 100 + reader).unwrap();
                    assert!(
                        events
                            .iter()
                            .eq(&lines(cursor..cursor + events.len() as u64))
                    );
                    cursor += events.len() as u64;
                    let tail = log.tail().get();
                    assert_eq!(tail % 4, 1, "appends of four are seen whole");
                    if is_last && cursor == tail {
                        assert_eq!(cursor, EVENTS + 1);
                        return;
                    }
                }
            });
        }
        for first in (1..EVENTS).step_by(4) {
            log.append(lines(first..first + 4)).wait().unwrap();
        }
        done.store(true, Ordering::Release);
    });
}

pub(crate) fn async_readers_reach_near_and_far_events<B: Backend>() {
    let backend = B::new();
    let log = backend.open();
    log.append(lines(1..3_000)).wait().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        log.append(lines(3_000..3_001)).await.unwrap();
        for from in [1, 1_500, 2_999, 3_000, 3_001] {
            let events = super::read(&log, Seq::new(from), 10).await.unwrap();
            assert_eq!(events, lines(from..3_001.min(from + 10)));
        }
    });
}

/// One step of a random history, as the caller of a log might take it.
#[derive(Clone, Debug)]
enum Step {
    Append(usize),
    Skip,
    Repeat,
    OldEpoch,
    Reopen,
    Read(prop::sample::Index, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0usize..90).prop_map(Step::Append),
        1 => Just(Step::Skip),
        1 => Just(Step::Repeat),
        1 => Just(Step::OldEpoch),
        1 => Just(Step::Reopen),
        3 => (any::<prop::sample::Index>(), 0usize..300).prop_map(|(from, limit)| Step::Read(from, limit)),
    ]
}

pub(crate) fn random_histories_match_the_reference<B: Backend>(cases: u32) {
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    });
    let inputs = (history(400..401), prop::collection::vec(step(), 1..25));
    let outcome = runner.run(&inputs, |(events, steps)| {
        let (backend, reference) = (B::new(), MemoryLog::new());
        let mut log = backend.open();
        let mut kept: Vec<Event> = Vec::new();
        for step in steps {
            let next = kept.len();
            let asked = match step {
                Step::Append(count) => events[next..events.len().min(next + count)].to_vec(),
                Step::Skip => events.get(next + 1..next + 2).unwrap_or_default().to_vec(),
                Step::Repeat => events[next.saturating_sub(1)..next].to_vec(),
                Step::OldEpoch => {
                    let mut old = events[next..events.len().min(next + 1)].to_vec();
                    old.iter_mut()
                        .for_each(|event| event.header.epoch = Epoch::new(0));
                    old
                }
                Step::Reopen => {
                    drop(log);
                    log = backend.open();
                    continue;
                }
                Step::Read(from, limit) => {
                    let from = Seq::new(from.index(next + 3) as u64);
                    prop_assert_eq!(log.read(from, limit), reference.read(from, limit));
                    prop_assert_eq!(log.link_at(from), reference.link_at(from));
                    continue;
                }
            };
            let answer = log.append(asked.clone()).wait();
            prop_assert_eq!(&answer, &reference.append(asked.clone()).wait());
            if answer.is_ok() {
                kept.extend(asked);
            }
            prop_assert_eq!(log.edge(), reference.edge());
        }
        drop(log);
        holds(&*backend.open(), &kept);
        Ok(())
    });
    if let Err(found) = outcome {
        panic!("{found}\n{runner}");
    }
}

/// Runs the whole contract on one backend.
macro_rules! contract {
    ($module:ident, $backend:ty, $cases:expr) => {
        mod $module {
            use super::*;
            $crate::log::contract::contract!(@each $backend,
                an_empty_log_begins_at_one
                appends_are_dense_or_refused_whole
                an_old_host_is_fenced
                fencing_outlives_a_restart
                an_event_is_stored_up_to_the_limit_and_no_further
                answers_come_in_the_order_of_the_calls
                a_refusal_does_not_hold_up_those_behind_it
                dropping_the_answer_takes_nothing_back
                many_readers_see_whole_appends_while_it_grows
                async_readers_reach_near_and_far_events
            );
            #[test]
            fn random_histories_match_the_reference() {
                $crate::log::contract::random_histories_match_the_reference::<$backend>($cases);
            }
        }
    };
    (@each $backend:ty, $($name:ident)*) => {
        $(#[test]
        fn $name() {
            $crate::log::contract::$name::<$backend>();
        })*
    };
}
pub(crate) use contract;
