//! Frozen forms: what this version wrote, every later one reads, and writes the same way.
//!
//! Each line of `tests/golden/*.txt` is one event or frame: its bytes in hex, then its JSON. A line
//! that stands is never edited: a log on somebody's disk holds those bytes. A new kind gets a new
//! line, with `?` in place of the bytes; `SEANCE_BLESS=1 cargo test --test golden` fills it in.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use seance::engine::event::codec::{self, DecodeError};
use seance::engine::event::{BODY_KINDS, Event};
use seance::engine::frame::{self, FROM_ROOM_BYTES_MAX, ToMember, ToRoom};
use seance::engine::intent::{Intent, Refusal};
use seance::engine::replay::Replay;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// Checks every line of a golden file; gives back its bytes and values.
fn golden<T: Serialize + DeserializeOwned>(
    name: &str,
    write: impl Fn(&T) -> Vec<u8>,
    read: impl Fn(&[u8]) -> T,
) -> Vec<(Vec<u8>, T)> {
    let file = path("golden").join(name);
    let text = std::fs::read_to_string(&file).unwrap();
    let bless = std::env::var_os("SEANCE_BLESS").is_some();
    let (mut told, mut found) = (String::new(), Vec::new());
    for line in text.lines() {
        let (bytes, json) = line.split_once(' ').expect("bytes, then JSON");
        let value: T = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        let written = write(&value);
        if bytes == "?" && bless {
            let json = serde_json::to_string(&value).unwrap();
            writeln!(told, "{} {json}", hex(&written)).unwrap();
        } else {
            assert_eq!(
                hex(&written),
                bytes,
                "{name}: this kind is written another way now: {json}"
            );
            let again = read(&unhex(bytes));
            assert_eq!(serde_json::to_string(&again).unwrap(), json, "{name}");
            writeln!(told, "{line}").unwrap();
        }
        found.push((written, value));
    }
    if bless {
        std::fs::write(&file, told).unwrap();
    }
    found
}

#[test]
fn every_kind_of_event_is_written_as_ever() {
    let events = golden::<Event>("events.txt", codec::encode, |bytes| {
        codec::decode(bytes).unwrap()
    });
    let kinds: BTreeSet<u8> = events
        .iter()
        .map(|(bytes, _)| codec::split(bytes).unwrap().1.body[0])
        .collect();
    let all: BTreeSet<u8> = (0..BODY_KINDS as u8).collect();
    assert_eq!(kinds, all, "a kind of event without a golden line");
}

#[test]
fn an_event_of_a_later_kind_is_named_and_not_guessed() {
    let events = golden::<Event>("events.txt", codec::encode, |bytes| {
        codec::decode(bytes).unwrap()
    });
    let (bytes, event) = events
        .iter()
        .find(|(bytes, _)| codec::split(bytes).unwrap().1.body.len() == 1)
        .unwrap();
    let mut later = bytes.clone();
    *later.last_mut().unwrap() = BODY_KINDS as u8;
    assert_eq!(
        codec::decode(&later),
        Err(DecodeError::NewerKind {
            seq: event.header.seq,
            kind: BODY_KINDS
        })
    );
    later[0] += 1;
    let newer = codec::decode(&later).unwrap_err();
    assert!(matches!(newer, DecodeError::NewerFormat(_)), "{newer}");
    assert!(newer.to_string().contains("update"));
}

/// Every variant from the first to the last has a line, and there is none behind the last.
fn complete<T: DeserializeOwned>(first_bytes: BTreeSet<u8>, what: &str) {
    let count = first_bytes.len() as u8;
    let all: BTreeSet<u8> = (0..count).collect();
    assert_eq!(first_bytes, all, "{what} without a golden line");
    // A variant behind the last would read from zeros, as empty text and small numbers.
    let mut next = vec![0; 64];
    next[0] = count;
    assert!(
        postcard::take_from_bytes::<T>(&next).is_err(),
        "{what} {count} has no golden line"
    );
}

#[test]
fn every_frame_is_written_as_ever() {
    let to_room = golden::<ToRoom>("to_room.txt", frame::to_postcard, |bytes| {
        frame::from_postcard(bytes, FROM_ROOM_BYTES_MAX).unwrap()
    });
    complete::<ToRoom>(
        to_room.iter().map(|(bytes, _)| bytes[0]).collect(),
        "a frame to the room",
    );
    let intents = to_room.iter().filter_map(|(_, frame)| match frame {
        ToRoom::Ask(ask) => Some(postcard::to_stdvec(&ask.intent).unwrap()[0]),
        _ => None,
    });
    complete::<Intent>(intents.collect(), "an intent");
    let to_member = golden::<ToMember>("to_member.txt", frame::to_postcard, |bytes| {
        frame::from_postcard(bytes, FROM_ROOM_BYTES_MAX).unwrap()
    });
    complete::<ToMember>(
        to_member.iter().map(|(bytes, _)| bytes[0]).collect(),
        "a frame to a member",
    );
    let refusals = to_member.iter().filter_map(|(_, frame)| match frame {
        ToMember::Refused(refused) => Some(postcard::to_stdvec(&refused.refusal).unwrap()[0]),
        _ => None,
    });
    complete::<Refusal>(refusals.collect(), "a refusal");
}

/// Trap: a log of version N−1. This one was written by the first version with every rule.
#[test]
fn an_old_session_replays_to_the_same_digest_for_ever() {
    let text = std::fs::read_to_string(path("fixtures/session-v1.txt")).unwrap();
    let mut replay = Replay::new();
    let mut kinds = BTreeSet::new();
    for line in text.lines() {
        if let Some(digest) = line.strip_prefix("digest ") {
            assert!(replay.state().seq.get() > 500);
            assert!(kinds.len() > 35, "only {} kinds of event", kinds.len());
            assert_eq!(replay.state().digest().to_string(), digest);
            return;
        }
        let bytes = unhex(line);
        kinds.insert(codec::split(&bytes).unwrap().1.body[0]);
        let event = codec::decode(&bytes).unwrap();
        assert_eq!(codec::encode(&event), bytes);
        replay.take(&event).unwrap();
    }
    panic!("the fixture ends without a digest");
}
