//! What reading a long session costs: our decoding and folding beside a bare loop.
//!
//! `scripts/bench replay` runs it. "bare" is a postcard loop over the same headers and bodies
//! without format, length, chain or state: what any reader of such events pays at least. Every
//! round runs everything once, in turn, so that ratios hold on a busy machine; `benches/engine.rs`
//! measures the same parts one by one for whoever works on them. Time is this thread's of the processor.

#[path = "shared/evening.rs"]
mod evening;
mod shared;

use std::hint::black_box;

use anyhow::Result;
use clap::Parser;
use rustix::time::{ClockId, clock_gettime};
use seance::engine::event::{Body, Event, Header, codec};
use seance::engine::fold::RoomState;
use seance::engine::replay::Replay;
use seance::engine::snapshot;

use evening::{EVENTS, Mix, Packed, SNAPSHOT_EVERY, events};
use shared::Figures;

/// Events that somebody missed who comes back.
const MISSED: usize = 1_000;
/// Places in the session that are visited in each round.
const PLACES: u64 = 100;

/// What reading a long session costs.
#[derive(Debug, Parser)]
struct Args {
    /// How often everything is measured.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// One JSON object a figure instead of tables.
    #[arg(long)]
    json: bool,
    /// `cargo bench` says so.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A million events in every shape that is read here.
struct Session {
    name: &'static str,
    ours: Packed,
    bare: Packed,
    events: Vec<Event>,
    snapshots: Vec<Vec<u8>>,
}

impl Session {
    fn new(name: &'static str, mix: Mix) -> Self {
        let mut snapshots = Vec::new();
        let mut state = RoomState::default();
        for event in events(mix) {
            state.apply(&event);
            if state.seq.get().is_multiple_of(SNAPSHOT_EVERY) {
                snapshots.push(snapshot::encode(&state));
            }
        }
        let pair = |event: Event| postcard::to_stdvec(&(event.header, event.body));
        Self {
            name,
            ours: Packed::new(events(mix).map(|event| codec::encode(&event))),
            bare: Packed::new(events(mix).map(|event| pair(event).expect("it encodes"))),
            events: events(mix).collect(),
            snapshots,
        }
    }
}

/// Seconds of the processor that something took: it is one thread that waits for nothing, and
/// what else the machine is busy with is no part of it.
fn timed<T>(work: impl FnOnce() -> T) -> f64 {
    let used = || {
        let used = clock_gettime(ClockId::ThreadCPUTime);
        used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
    };
    let before = used();
    black_box(work());
    used() - before
}

fn main() -> Result<()> {
    let args = Args::parse();
    shared::tell_machine("replay", args.json);
    let mut figures = Figures::default();
    let sessions = [
        Session::new("control", Mix::Control),
        Session::new("evening", Mix::Evening),
    ];
    for session in &sessions {
        let bytes = |packed: &Packed| packed.bytes.len() as f64 / EVENTS as f64;
        let title = format!("Encoded, {}", session.name);
        let mut note =
            |row, value| figures.note(&title, "bytes an event", Some("bare"), row, value);
        note("bare", bytes(&session.bare));
        note("séance", bytes(&session.ours));
    }
    for round in 0..args.rounds {
        for session in &sessions {
            whole(&mut figures, session);
            places(&mut figures, session, round as u64);
        }
    }
    figures.tell("replay", args.json);
    Ok(())
}

/// A million events from the first to the last.
fn whole(figures: &mut Figures, session: &Session) {
    let title = format!("A million events, {}", session.name);
    let mut note = |row, seconds: f64| {
        let rate = EVENTS as f64 / seconds;
        figures.note(&title, "events a second", Some("bare"), row, rate);
    };
    note(
        "bare",
        timed(|| {
            for record in session.bare.iter() {
                black_box(postcard::from_bytes::<(Header, Body)>(record).expect("it decodes"));
            }
        }),
    );
    note(
        "decode",
        timed(|| {
            for record in session.ours.iter() {
                black_box(codec::decode(record).expect("it decodes"));
            }
        }),
    );
    note(
        "decode and fold",
        timed(|| {
            let mut state = RoomState::default();
            for record in session.ours.iter() {
                state.apply(&codec::decode(record).expect("it decodes"));
            }
            state
        }),
    );
    note(
        "fold alone",
        timed(|| {
            let mut state = RoomState::default();
            session.events.iter().for_each(|event| state.apply(event));
            state
        }),
    );
}

/// Any place of the session, by the snapshot before it; a return after an absence; digests.
fn places(figures: &mut Figures, session: &Session, round: u64) {
    let mut note = |title: &str, unit, row: &str, value| {
        figures.note(
            &format!("{title}, {}", session.name),
            unit,
            None,
            row,
            value,
        );
    };
    let mut worst: f64 = 0.0;
    let all = timed(|| {
        for place in 0..PLACES {
            // Steps that visit near and far of snapshots alike.
            let seq = ((round * PLACES + place) * 618_033) % EVENTS;
            worst = worst.max(timed(|| state_at(session, seq)));
        }
    });
    let unit = "ms";
    note(
        "The state at any event of a million",
        unit,
        "mean",
        all * 1e3 / PLACES as f64,
    );
    note(
        "The state at any event of a million",
        unit,
        "worst",
        worst * 1e3,
    );

    let held = state_at(session, EVENTS - MISSED as u64);
    let missed = &session.events[session.events.len() - MISSED..];
    let mut frames = Vec::new();
    let room = timed(|| {
        frames = missed.iter().map(codec::encode).collect();
    });
    let member = timed(|| {
        let mut replay = Replay::from_state(held);
        for record in &frames {
            let event = codec::decode(record).expect("it decodes");
            replay.take(&event).expect("it follows");
        }
        replay
    });
    note(
        "Back after 1,000 events: work",
        unit,
        "room, encoding",
        room * 1e3,
    );
    note(
        "Back after 1,000 events: work",
        unit,
        "member, decoding and folding",
        member * 1e3,
    );

    let state = state_at(session, EVENTS - 1);
    note("A state", "µs", "digest", timed(|| state.digest()) * 1e6);
    let mut bytes = Vec::new();
    note(
        "A state",
        "µs",
        "snapshot",
        timed(|| bytes = snapshot::encode(&state)) * 1e6,
    );
    note(
        "A state",
        "µs",
        "snapshot read back",
        timed(|| snapshot::decode(&bytes).expect("it reads")) * 1e6,
    );
}

fn state_at(session: &Session, seq: u64) -> RoomState {
    let nearest = usize::try_from(seq / SNAPSHOT_EVERY).expect("a place fits");
    let mut state = match nearest.checked_sub(1) {
        Some(at) => snapshot::decode(&session.snapshots[at]).expect("it reads"),
        None => RoomState::default(),
    };
    let from = nearest * SNAPSHOT_EVERY as usize;
    let tail = session.ours.iter().skip(from).take(seq as usize - from);
    for record in tail {
        state.apply(&codec::decode(record).expect("it decodes"));
    }
    assert_eq!(state.seq.get(), seq);
    state
}
