//! What the pure core costs, beside the least it could cost in the same run.
//!
//! `cargo bench --bench engine`, or with a part's name: `decode+fold`, `fold`, `decide`, `digest`,
//! `seek`. "bare" is a postcard loop over the same header and body without format, length, chain or
//! state: what any reader of such events pays at least.

#[path = "shared/evening.rs"]
mod evening;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use seance::engine::event::{Body, Client, Header, Role, Via, codec};
use seance::engine::fold::RoomState;
use seance::engine::id::{MemberId, SessionId, Stamp};
use seance::engine::intent::{Ask, Intent};
use seance::engine::sequencer::{Entrant, Moment, Sequencer};
use seance::engine::snapshot;
use seance::engine::text::{Name, Title};
use seance::engine::unit::{MediaTime, Micros, SessionTime};

use evening::{EVENTS, Mix, Packed, SNAPSHOT_EVERY, events};

fn decode_and_fold(c: &mut Criterion) {
    for (name, mix) in [("control", Mix::Control), ("evening", Mix::Evening)] {
        let ours = Packed::new(events(mix).map(|event| codec::encode(&event)));
        let bare = Packed::new(
            events(mix).map(|event| postcard::to_stdvec(&(event.header, event.body)).unwrap()),
        );
        let mut group = c.benchmark_group(format!("decode+fold/{name}"));
        println!(
            "{name}: {:.1} bytes an event, bare {:.1}",
            ours.bytes.len() as f64 / EVENTS as f64,
            bare.bytes.len() as f64 / EVENTS as f64
        );
        group
            .throughput(Throughput::Elements(EVENTS))
            .sample_size(10)
            .measurement_time(Duration::from_secs(5));
        group.bench_function("bare", |b| {
            b.iter(|| {
                for record in bare.iter() {
                    black_box(postcard::from_bytes::<(Header, Body)>(record).unwrap());
                }
            });
        });
        group.bench_function("decode", |b| {
            b.iter(|| {
                for record in ours.iter() {
                    black_box(codec::decode(record).unwrap());
                }
            });
        });
        group.bench_function("decode+fold", |b| {
            b.iter(|| {
                let mut state = RoomState::default();
                for record in ours.iter() {
                    state.apply(&codec::decode(record).unwrap());
                }
                state
            });
        });
        let all: Vec<_> = events(mix).collect();
        group.bench_function("fold", |b| {
            b.iter(|| {
                let mut state = RoomState::default();
                all.iter().for_each(|event| state.apply(event));
                state
            });
        });
        group.finish();
    }
}

/// A room in the middle of an evening, `members` strong.
fn room(members: u32) -> (Sequencer, Moment) {
    let now = Moment {
        at: SessionTime::ZERO,
        wall: 1_790_000_000_000,
    };
    let (mut room, _) = Sequencer::open(SessionId::new(7), Title::new("Film night").unwrap(), now);
    for number in 0..members {
        let entrant = Entrant {
            member: None,
            name: Name::new(&format!("Member {number}")).unwrap(),
            role: if number == 0 { Role::Host } else { Role::Guest },
            client: Client::Page,
        };
        room.join(entrant, now).unwrap();
    }
    let url = "https://youtu.be/YE7VzlLtp-4".to_owned();
    ask(&mut room, 1, 1, now, Intent::Load { url });
    for counter in 2..200 {
        let text = "did you see who stood behind the door?".to_owned();
        ask(&mut room, 1, counter, now, Intent::Say { text });
    }
    (room, now)
}

fn ask(room: &mut Sequencer, by: u32, counter: u64, now: Moment, intent: Intent) {
    let ask = Ask {
        counter,
        stamp: Stamp::default(),
        via: Via::Key,
        aim: None,
        intent,
    };
    black_box(room.ask(MemberId::new(by), &ask, now, Micros::from_millis(30)));
}

fn decide(c: &mut Criterion) {
    for members in [10, 1_000] {
        let mut group = c.benchmark_group(format!("decide/{members} members"));
        group.throughput(Throughput::Elements(1));
        let (mut say, mut now) = room(members);
        let mut counter = 1_000;
        group.bench_function("say", |b| {
            b.iter(|| {
                counter += 1;
                now.at = now.at + Micros::from_millis(1);
                let text = "did you see who stood behind the door?".to_owned();
                ask(&mut say, 1, counter, now, Intent::Say { text });
            });
        });
        let (mut seek, mut now) = room(members);
        group.bench_function("seek", |b| {
            b.iter(|| {
                counter += 1;
                now.at = now.at + Micros::from_millis(1);
                let to = MediaTime::from_millis(counter % 3_600_000);
                ask(&mut seek, 1, counter, now, Intent::Seek { to });
            });
        });
        group.finish();
    }
}

fn digest(c: &mut Criterion) {
    let mut group = c.benchmark_group("digest");
    for members in [10, 1_000] {
        let (room, _) = room(members);
        let state = room.state().clone();
        let bytes = postcard::to_stdvec(&state).unwrap();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(format!("bare blake3/{members} members"), |b| {
            b.iter(|| blake3::hash(black_box(&bytes)));
        });
        group.bench_function(format!("digest/{members} members"), |b| {
            b.iter(|| black_box(&state).digest());
        });
    }
    group.finish();
}

fn seek(c: &mut Criterion) {
    let log = Packed::new(events(Mix::Evening).map(|event| codec::encode(&event)));
    let mut snapshots = Vec::new();
    let mut state = RoomState::default();
    for (record, seq) in log.iter().zip(1u64..) {
        state.apply(&codec::decode(record).unwrap());
        if seq.is_multiple_of(SNAPSHOT_EVERY) {
            snapshots.push(snapshot::encode(&state));
        }
    }
    let kept: usize = snapshots.iter().map(Vec::len).sum();
    println!(
        "{} snapshots, {:.1} KiB each; a state of {} events takes {:.1} KiB",
        snapshots.len(),
        kept as f64 / snapshots.len() as f64 / 1024.0,
        EVENTS,
        postcard::to_stdvec(&state).unwrap().len() as f64 / 1024.0
    );
    let mut group = c.benchmark_group("seek");
    let mut place = 0;
    group.bench_function("any of 1,000,000", |b| {
        b.iter_batched(
            || {
                // A step through the session that visits near and far of snapshots alike.
                place = (place + 618_033) % EVENTS;
                place
            },
            |seq| {
                let nearest = (seq / SNAPSHOT_EVERY) as usize;
                let mut state = match nearest.checked_sub(1) {
                    Some(at) => snapshot::decode(&snapshots[at]).unwrap(),
                    None => RoomState::default(),
                };
                let from = nearest as u64 * SNAPSHOT_EVERY;
                let tail = log.iter().skip(from as usize).take((seq - from) as usize);
                for record in tail {
                    state.apply(&codec::decode(record).unwrap());
                }
                assert_eq!(state.seq.get(), seq);
                state
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, decode_and_fold, decide, digest, seek);
criterion_main!(benches);
