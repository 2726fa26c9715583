//! What the hot paths ask of the allocator: counted, not timed, so that it is the same on every
//! machine, and failing when it has grown by more than a fifth.
//!
//! A count is the cheapest thing that moves when a path gets slower by accident: a clone too many,
//! a vector that grows step by step, an encoding done per reader. When one fails on purpose,
//! write down the new figure beside it and say in the commit what it buys. A count that has
//! fallen by as much fails too, so that what was won is kept.

use std::hint::black_box;

use seance::engine::event::{Client, Event, Role, Via, codec};
use seance::engine::fold::RoomState;
use seance::engine::frame::{self, ToMember, ToRoom};
use seance::engine::id::{MemberId, SessionId, Stamp};
use seance::engine::intent::{Ask, Intent};
use seance::engine::sequencer::{Entrant, Moment, Sequencer};
use seance::engine::snapshot;
use seance::engine::text::{Name, Title};
use seance::engine::unit::{MediaTime, Micros, SessionTime};

/// How often each path is walked: growing containers even out.
const TIMES: u64 = 1_000;

/// Allocations that `work` made for one of [`TIMES`], in hundredths.
fn hundredths(work: impl FnOnce()) -> u64 {
    let info = allocation_counter::measure(work);
    info.count_total * 100 / TIMES
}

/// Holds a count to what is written down, give or take a fifth.
fn check(path: &str, found: u64, written_down: u64) {
    let (low, high) = (written_down * 4 / 5, written_down * 6 / 5);
    assert!(
        (low..=high).contains(&found),
        "{path}: {found} hundredths of an allocation each, {written_down} are written down"
    );
}

/// A room of ten in the middle of an evening, and what happened in it.
fn evening() -> (Sequencer, Vec<Event>, Moment) {
    let mut now = Moment {
        at: SessionTime::ZERO,
        wall: 1_790_000_000_000,
    };
    let title = Title::new("Film night").unwrap();
    let (mut room, mut events) = Sequencer::open(SessionId::new(7), title, now);
    for number in 0..10 {
        let entrant = Entrant {
            member: None,
            name: Name::new(&format!("Member {number}")).unwrap(),
            role: if number == 0 { Role::Host } else { Role::Guest },
            client: Client::Page,
        };
        events.extend(room.join(entrant, now).unwrap().1);
    }
    let url = "https://youtu.be/YE7VzlLtp-4".to_owned();
    events.extend(ask(&mut room, 1, now, Intent::Load { url }));
    for counter in 2..TIMES {
        now.at = now.at + Micros::from_secs(1);
        let to = MediaTime::from_secs(counter);
        let intent = match counter % 3 {
            0 => Intent::Seek { to },
            _ => say(),
        };
        events.extend(ask(&mut room, counter, now, intent));
    }
    (room, events, now)
}

fn say() -> Intent {
    Intent::Say {
        text: "did you see who stood behind the door?".to_owned(),
    }
}

fn asked(counter: u64, intent: Intent) -> Ask {
    Ask {
        counter,
        stamp: Stamp::default(),
        via: Via::Key,
        aim: None,
        intent,
    }
}

fn ask(room: &mut Sequencer, counter: u64, now: Moment, intent: Intent) -> Vec<Event> {
    let member = MemberId::new(1 + (counter % 10) as u32);
    let ask = asked(counter, intent);
    let outcome = room.ask(member, &ask, now, Micros::from_millis(30));
    outcome.events
}

#[test]
fn the_hot_paths_allocate_what_is_written_down() {
    let (mut room, events, mut now) = evening();
    let events: Vec<Event> = events.into_iter().cycle().take(TIMES as usize).collect();
    let records: Vec<Vec<u8>> = events.iter().map(codec::encode).collect();
    let mut found = Vec::new();

    let decode = hundredths(|| {
        for record in &records {
            black_box(codec::decode(record).unwrap());
        }
    });
    found.push(("decode", decode, DECODE));
    let mut state = RoomState::default();
    let fold = hundredths(|| events.iter().for_each(|event| state.apply(event)));
    found.push(("fold", fold, FOLD));

    let asks: Vec<Ask> = (0..TIMES).map(|at| asked(5_000 + at, say())).collect();
    let decide = hundredths(|| {
        for ask in &asks {
            now.at = now.at + Micros::from_secs(1);
            black_box(room.ask(MemberId::new(2), ask, now, Micros::from_millis(30)));
        }
    });
    found.push(("decide, a line", decide, DECIDE_SAY));
    let seeks = (0..TIMES).map(|at| Intent::Seek {
        to: MediaTime::from_secs(at),
    });
    let asks: Vec<Ask> = seeks
        .zip(9_000..)
        .map(|(seek, at)| asked(at, seek))
        .collect();
    let decide = hundredths(|| {
        for ask in &asks {
            now.at = now.at + Micros::from_secs(1);
            black_box(room.ask(MemberId::new(3), ask, now, Micros::from_millis(30)));
        }
    });
    found.push(("decide, a seek", decide, DECIDE_SEEK));

    let frames: Vec<ToMember> = events.into_iter().map(ToMember::Event).collect();
    let postcard = hundredths(|| {
        for frame in &frames {
            black_box(frame::to_postcard(frame));
        }
    });
    found.push(("frame, postcard", postcard, FRAME_POSTCARD));
    let json = hundredths(|| {
        for frame in &frames {
            black_box(frame::to_json(frame));
        }
    });
    found.push(("frame, JSON", json, FRAME_JSON));
    let asks: Vec<Vec<u8>> = (0..TIMES)
        .map(|at| frame::to_postcard(&ToRoom::Ask(asked(at, say()))))
        .collect();
    let read = hundredths(|| {
        for ask in &asks {
            black_box(frame::from_postcard::<ToRoom>(ask, frame::FROM_MEMBER_BYTES_MAX).unwrap());
        }
    });
    found.push(("an ask, read", read, ASK_READ));
    let snapshots = hundredths(|| {
        for _ in 0..TIMES {
            black_box(snapshot::encode(&state));
        }
    });
    found.push(("snapshot", snapshots, SNAPSHOT));

    for (path, count, _) in &found {
        println!("{path}: {count}");
    }
    for (path, count, written_down) in found {
        check(path, count, written_down);
    }
}

const DECODE: u64 = 67;
const FOLD: u64 = 74;
const DECIDE_SAY: u64 = 500;
const DECIDE_SEEK: u64 = 300;
const FRAME_POSTCARD: u64 = 300;
const FRAME_JSON: u64 = 200;
const ASK_READ: u64 = 100;
const SNAPSHOT: u64 = 14900;
