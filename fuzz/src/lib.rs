//! What the fuzz targets do with their bytes; `tests/fuzz_corpus.rs` does the same with the committed corpora.
//!
//! Each target takes any bytes and holds a promise of what reads them: it never
//! panics, and what it accepts it writes back to something that reads the same.
//! It returns whether the bytes were accepted, so that the ordinary test can
//! tell a corpus that still means something from one that is refused at the door.
//!
//! A stable toolchain is enough (without the sanitizer, which has nothing to
//! find where no code is `unsafe`):
//!
//! ```text
//! scripts/fuzz                                  # every target for some seconds, counted
//! scripts/fuzz 60 media                         # one of ALL for a minute
//! cargo fuzz run --sanitizer none media         # the same, where cargo-fuzz is installed
//! ```

use seance::engine::event::{Body, Client, Departure, Event, Header, Role, Via, codec};
use seance::engine::fold::RoomState;
use seance::engine::frame::{
    FROM_MEMBER_BYTES_MAX, FROM_ROOM_BYTES_MAX, ToMember, ToRoom, from_json, from_postcard,
    to_json, to_postcard,
};
use seance::engine::id::{Epoch, MemberId, Seq, SessionId, Stamp};
use seance::engine::intent::{Aim, Ask, Intent};
use seance::engine::presence::Report;
use seance::engine::replay::Replay;
use seance::engine::sequencer::{Answer, Entrant, Moment, Sequencer};
use seance::engine::text::{Name, Title};
use seance::engine::unit::{MediaTime, Micros, SessionTime};
use seance::engine::{media, snapshot};

// What `outer` includes of the program calls it by these paths.
#[cfg(feature = "server")]
#[allow(unused_imports)]
use seance::{engine, player};

#[cfg(feature = "server")]
mod outer;
#[cfg(feature = "server")]
pub use outer::{agent, capsule, commit, secret, wire};

/// A target: true if it accepted the bytes.
pub type Target = fn(&[u8]) -> bool;

/// Every target by the name of its corpus.
pub const ALL: &[(&str, Target)] = &[
    #[cfg(feature = "server")]
    ("agent", agent),
    #[cfg(feature = "server")]
    ("capsule", capsule),
    #[cfg(feature = "server")]
    ("commit", commit),
    ("event", event),
    ("fold", fold),
    ("frame_json", frame_json),
    ("frame_postcard", frame_postcard),
    ("intents", intents),
    #[cfg(feature = "server")]
    ("link", link),
    ("media", media),
    #[cfg(feature = "sim")]
    ("schedule", schedule),
    ("snapshot", snapshots),
    #[cfg(feature = "server")]
    ("wire", wire),
    #[cfg(feature = "server")]
    ("words", words),
];

/// The event decoder: what it reads is written back to bytes, and to JSON, that read the same.
pub fn event(data: &[u8]) -> bool {
    let Ok(event) = codec::decode(data) else {
        return false;
    };
    let bytes = codec::encode(&event);
    assert_eq!(codec::decode(&bytes).as_ref(), Ok(&event));
    let (header, _) = codec::split(&bytes).expect("what reads splits");
    assert_eq!(header, event.header);
    assert_eq!(
        from_json::<Event>(&to_json(&event), usize::MAX).as_ref(),
        Ok(&event)
    );
    true
}

/// Binary frames, from both sides.
pub fn frame_postcard(data: &[u8]) -> bool {
    let to_room = from_postcard::<ToRoom>(data, FROM_MEMBER_BYTES_MAX);
    if let Ok(frame) = &to_room {
        assert_eq!(
            from_postcard(&to_postcard(frame), usize::MAX).as_ref(),
            Ok(frame)
        );
    }
    let to_member = from_postcard::<ToMember>(data, FROM_ROOM_BYTES_MAX);
    if let Ok(frame) = &to_member {
        assert_eq!(
            from_postcard(&to_postcard(frame), usize::MAX).as_ref(),
            Ok(frame)
        );
    }
    to_room.is_ok() || to_member.is_ok()
}

/// Text frames, from both sides; what reads in one form travels in the other.
pub fn frame_json(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let to_room = from_json::<ToRoom>(text, FROM_MEMBER_BYTES_MAX);
    if let Ok(frame) = &to_room {
        assert_eq!(from_json(&to_json(frame), usize::MAX).as_ref(), Ok(frame));
        assert_eq!(
            from_postcard(&to_postcard(frame), usize::MAX).as_ref(),
            Ok(frame)
        );
    }
    let to_member = from_json::<ToMember>(text, FROM_ROOM_BYTES_MAX);
    if let Ok(frame) = &to_member {
        assert_eq!(from_json(&to_json(frame), usize::MAX).as_ref(), Ok(frame));
    }
    to_room.is_ok() || to_member.is_ok()
}

/// What somebody pasted as a film: the rebuilt address names the same film.
pub fn media(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let Ok(found) = media::parse(text) else {
        return false;
    };
    assert!(found.media.is_valid(), "{found:?}");
    let url = found.media.url(found.start);
    let again = media::parse(&url).unwrap_or_else(|no| panic!("{no}: {url} from {found:?}"));
    assert_eq!(again.media, found.media, "by {url}");
    true
}

/// What somebody pasted as a link to a party.
#[cfg(feature = "server")]
pub fn link(data: &[u8]) -> bool {
    use seance::net::link::JoinLink;
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let Ok(link) = text.parse::<JoinLink>() else {
        return false;
    };
    let again: JoinLink = link.to_string().parse().expect("a printed link reads");
    assert!(link == again, "{text}");
    assert!(!link.host_port().is_empty() && link.socket().starts_with("ws"));
    true
}

/// A line typed into the terminal, as words and as JSON.
#[cfg(feature = "server")]
pub fn words(data: &[u8]) -> bool {
    use seance::projection::terminal::words::{parse, parse_json};
    let Ok(line) = std::str::from_utf8(data) else {
        return false;
    };
    let asked = parse(line, MediaTime::from_secs(60), &RoomState::default());
    assert!(asked.as_ref().err().is_none_or(|no| !no.is_empty()));
    asked.is_ok() || parse_json(line).is_ok()
}

/// Any history at all: folding it never fails, twice gives the same bytes, and a snapshot goes on like the original.
pub fn fold(data: &[u8]) -> bool {
    let events = history(data);
    let mut state = RoomState::default();
    let mut halfway = RoomState::default();
    for (number, event) in events.iter().enumerate() {
        if number == events.len() / 2 {
            halfway = snapshot::decode(&snapshot::encode(&state)).expect("what we wrote reads");
        }
        state.apply(event);
        // A length below zero was in a finding: no room writes one, and the film then stands at its beginning.
        let end = state
            .timeline
            .duration()
            .map(|length| MediaTime::ZERO + length);
        let position = state.timeline.position(state.at);
        assert!(
            end.is_none_or(|end| position <= end),
            "{position:?} of {end:?}"
        );
    }
    for event in &events[events.len() / 2..] {
        halfway.apply(event);
    }
    assert_eq!(halfway.digest(), state.digest());
    let mut replay = Replay::new();
    let whole = events.iter().all(|event| replay.take(event).is_ok());
    assert!(!whole || replay.state().digest() == state.digest());
    events.len() > 1
}

/// Bytes as a dense history: per event an author, a step of time and a body, until the bytes make no sense.
pub fn history(data: &[u8]) -> Vec<Event> {
    let mut rest = data;
    let mut at = SessionTime::ZERO;
    let mut events = Vec::new();
    let mut seq = Seq::FIRST;
    while let Ok(((by, step, body), behind)) = postcard::take_from_bytes::<(u8, u32, Body)>(rest) {
        rest = behind;
        at = at + Micros::new(i64::from(step));
        events.push(Event {
            header: Header {
                seq,
                epoch: Epoch::new(1),
                stamp: Stamp::new(seq.get()),
                at,
                wall: 0,
                by: (by > 0).then(|| MemberId::new(by.into())),
                via: Via::Auto,
                cause: None,
                intent: (by > 0).then_some(seq.get()),
            },
            body,
        });
        seq = seq.next();
    }
    events
}

/// A schedule of faults for the simulator: whatever goes wrong when, no law is broken.
#[cfg(feature = "sim")]
pub fn schedule(data: &[u8]) -> bool {
    use seance::sim::fault::{Fault, Kind};
    use seance::sim::{members, plan, run, span};
    const MILLI: u64 = 1_000;
    let Some((seed, faults)) = data.split_first_chunk::<2>() else {
        return false;
    };
    let mut plan = plan(u16::from_le_bytes(*seed).into(), 0);
    let span = span(plan.seed, 0);
    let number = |low: u8, high: u8| u64::from(u16::from_le_bytes([low, high]));
    // Not more at once than the simulator's own schedules have.
    let faults = faults.as_chunks::<8>().0.iter().take(10);
    plan.faults = faults
        .map(
            |&[at0, at1, lasts0, lasts1, kind, who, size0, size1]| Fault {
                at: 1_000 * MILLI + number(at0, at1) * MILLI % (span - 1_000 * MILLI),
                lasts: 50 * MILLI + number(lasts0, lasts1) % 12_000 * MILLI,
                kind: Kind::ALL[usize::from(kind) % Kind::ALL.len()],
                who: who % members(plan.seed) as u8,
                size: (number(size0, size1) % 1_000) as u16,
            },
        )
        .collect();
    plan.faults.sort_by_key(|fault| fault.at);
    let is_some = !plan.faults.is_empty();
    let ending = run(plan.clone(), false);
    if let Some((_, law)) = ending.broken {
        let faults: Vec<String> = plan.faults.iter().map(Fault::words).collect();
        panic!("seed {}: {law}, with\n{}", plan.seed, faults.join("\n"));
    }
    is_some
}

/// A snapshot: any bytes are read or refused, and what is read is what was written.
pub fn snapshots(data: &[u8]) -> bool {
    if let Ok(state) = snapshot::decode(data) {
        assert_eq!(
            snapshot::decode(&snapshot::encode(&state)).as_ref(),
            Ok(&state)
        );
        return true;
    }
    // Its digest keeps strangers' bytes out, so write an honest one and bend it.
    let Some((&place, history_bytes)) = data.split_first() else {
        return false;
    };
    let mut state = RoomState::default();
    for event in history(history_bytes) {
        state.apply(&event);
    }
    let mut bytes = snapshot::encode(&state);
    let place = usize::from(place) * 31 % bytes.len();
    bytes[place] ^= 1 + (place % 255) as u8;
    // A bent number may still be one, and then the digest must tell.
    assert!(
        snapshot::decode(&bytes).is_ok_and(|read| read == state)
            || snapshot::decode(&bytes).is_err()
    );
    history_bytes.len() > 40
}

/// One thing that happens to a room.
#[derive(serde::Serialize, serde::Deserialize)]
#[allow(missing_docs, clippy::missing_docs_in_private_items)]
pub enum Op {
    Ask {
        member: u8,
        aim: Option<Aim>,
        intent: Intent,
    },
    Join {
        name: u8,
        again: Option<u8>,
        role: Role,
    },
    Leave {
        member: u8,
        reason: Departure,
    },
    Observe {
        member: u8,
        report: Report,
    },
    Gap {
        millis: u32,
    },
    Restart {
        millis: u32,
    },
    Wait {},
}

/// Intents and all else that happens to a room, in any order: what it writes is dense, dated and
/// folds to what it holds; the same intent again gets the same answer and writes nothing.
pub fn intents(data: &[u8]) -> bool {
    let mut rest = data;
    let mut room = Rehearsal::open();
    let mut ops = 0;
    while let Ok(((step, op), behind)) = postcard::take_from_bytes::<(u16, Op)>(rest) {
        rest = behind;
        ops += 1;
        room.perform(step, op);
    }
    room.hold();
    ops > 1
}

struct Rehearsal {
    sequencer: Sequencer,
    truth: RoomState,
    at: SessionTime,
    counter: u64,
}

impl Rehearsal {
    fn open() -> Self {
        let title = Title::new("Film night").expect("a title");
        let at = SessionTime::ZERO;
        let (sequencer, events) = Sequencer::open(SessionId::new(7), title, Moment { at, wall: 0 });
        let mut room = Self {
            sequencer,
            truth: RoomState::default(),
            at,
            counter: 0,
        };
        room.write(&events);
        for (name, role) in [(0, Role::Host), (1, Role::Guest)] {
            room.perform(
                0,
                Op::Join {
                    name,
                    again: None,
                    role,
                },
            );
        }
        room
    }

    fn now(&self) -> Moment {
        Moment {
            at: self.at,
            wall: 0,
        }
    }

    fn perform(&mut self, step: u16, op: Op) {
        // Up to a minute a step: holds, grants and polls run out.
        self.at = self.at + Micros::from_millis(i64::from(step));
        let now = self.now();
        let events = match op {
            Op::Ask {
                member,
                aim,
                intent,
            } => return self.ask(member, aim, intent),
            Op::Join { name, again, role } => {
                let names = ["Ana", "Bo", "Cy", "Di", "Bo 2", "Eve"];
                let entrant = Entrant {
                    member: again.map(|member| MemberId::new(member.into())),
                    name: Name::new(names[usize::from(name) % names.len()]).expect("a name"),
                    role,
                    client: Client::Script,
                };
                self.sequencer
                    .join(entrant, now)
                    .map_or_else(|_| Vec::new(), |(_, events)| events)
            }
            Op::Leave { member, reason } => {
                self.sequencer
                    .leave(MemberId::new(member.into()), reason, now)
            }
            Op::Observe { member, report } => {
                self.sequencer
                    .observe(MemberId::new(member.into()), &report, now)
            }
            Op::Gap { millis } => {
                let alive = self.at;
                self.at = self.at + Micros::from_millis(millis.into());
                self.sequencer.gap(alive, self.now())
            }
            Op::Restart { millis } => {
                let alive = self.at;
                self.at = self.at + Micros::from_millis(millis.into());
                let now = self.now();
                let (sequencer, events) = Sequencer::resume(self.truth.clone(), alive, now);
                self.sequencer = sequencer;
                events
            }
            Op::Wait {} => self.sequencer.tick(now),
        };
        self.write(&events);
    }

    fn ask(&mut self, member: u8, aim: Option<Aim>, intent: Intent) {
        let by = MemberId::new(member.into());
        self.counter += 1;
        let ask = Ask {
            counter: self.counter,
            stamp: Stamp::default(),
            via: Via::Script,
            aim,
            intent,
        };
        let now = self.now();
        let first = self.sequencer.ask(by, &ask, now, Micros::ZERO);
        self.write(&first.events);
        if let Answer::Accepted(seq) = first.answer {
            assert!(
                seq < self.truth.tail(),
                "promised an event that is not there"
            );
        }
        let again = self.sequencer.ask(by, &ask, now, Micros::ZERO);
        assert!(
            again
                .events
                .iter()
                .all(|event| event.header.intent != Some(ask.counter)),
            "done twice: {:?}",
            again.events
        );
        // A stranger is remembered nowhere: they are refused anew, as whatever they are then.
        if self.truth.roster.get(by).is_some() {
            let is_same =
                std::mem::discriminant(&again.answer) == std::mem::discriminant(&first.answer);
            assert!(is_same, "{:?}, then {:?}", first.answer, again.answer);
        }
        self.write(&again.events);
    }

    fn write(&mut self, events: &[Event]) {
        for event in events {
            let header = &event.header;
            assert_eq!(header.seq, self.truth.tail(), "events are dense");
            assert!(header.at >= self.truth.at, "time runs backwards");
            assert_eq!(codec::decode(&codec::encode(event)).as_ref(), Ok(event));
            self.truth.apply(event);
        }
    }

    fn hold(&self) {
        assert_eq!(self.truth.digest(), self.sequencer.state().digest());
        let read = snapshot::decode(&snapshot::encode(&self.truth));
        assert_eq!(read.as_ref(), Ok(&self.truth));
    }
}
