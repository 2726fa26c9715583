//! The committed fuzz corpora, replayed: what once was a finding stays fixed, without a fuzzer.

// The targets and what they include call the crate by these paths.
#[cfg(feature = "server")]
use seance::{engine, player};

#[path = "../fuzz/src/lib.rs"]
mod targets;

#[allow(dead_code)]
#[path = "support/dice.rs"]
mod dice;

use std::fs;
use std::path::{Path, PathBuf};

use dice::{Dice, base_seed, cases};

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn seeds(corpus: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(corpus)
        .unwrap_or_else(|error| panic!("{}: {error}", corpus.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    all.sort();
    all
}

/// Runs a target; when its promise breaks, names the seed, which the target does not know, and the bytes.
fn run(target: targets::Target, bytes: &[u8], seed: &Path) -> bool {
    std::panic::catch_unwind(|| target(bytes))
        .unwrap_or_else(|_| panic!("from {}: {bytes:x?}", seed.display()))
}

#[test]
fn every_seed_keeps_its_targets_promise() {
    for (name, target) in targets::ALL {
        let seeds = seeds(&corpora().join(name));
        let mut accepted = 0;
        for seed in &seeds {
            accepted += usize::from(run(*target, &fs::read(seed).unwrap(), seed));
        }
        assert!(
            accepted * 2 > seeds.len() && accepted < seeds.len(),
            "{name}: {accepted} of {} seeds are accepted; most should be, some should not",
            seeds.len()
        );
    }
}

#[test]
fn every_target_survives_its_seeds_cut_short_and_bent() {
    for (name, target) in targets::ALL {
        for seed in seeds(&corpora().join(name)) {
            let whole = fs::read(&seed).unwrap();
            for at in 0..whole.len() {
                run(*target, &whole[..at], &seed);
                let mut bent = whole.clone();
                bent[at] ^= 1 << (at % 8);
                run(*target, &bent, &seed);
            }
        }
    }
}

/// A seed, bent as fuzzers bend: bits, bytes, pieces left out, doubled, and taken from elsewhere.
fn bend(seed: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    const ODD: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'\n', b'9'];
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.below(6) {
        let at = dice.index(bytes.len() + 1);
        let end = (at + 1 + dice.index(16)).min(bytes.len());
        match dice.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 if at < bytes.len() => bytes[at] = ODD[dice.index(ODD.len())],
            2 if at < bytes.len() => drop(bytes.drain(at..end)),
            3 => bytes.insert(at, dice.roll() as u8),
            4 => {
                let piece = bytes[at.min(end)..end].to_vec();
                bytes.splice(at..at, piece);
            }
            5 => {
                let from = dice.index(other.len() + 1);
                let piece = &other[from..(from + dice.index(64)).min(other.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
            _ => bytes.truncate(at),
        }
    }
    bytes
}

#[test]
fn every_target_survives_its_seeds_bent_at_random() {
    let each = cases(500, 20_000);
    let seed = base_seed();
    let (mut all, mut names) = (0, 0);
    for (name, target) in targets::ALL {
        // A connection, or a whole party, a time.
        let each = match *name {
            "wire" => each / 10,
            "schedule" => each / 100,
            _ => each,
        };
        let corpus: Vec<Vec<u8>> = seeds(&corpora().join(name))
            .iter()
            .map(|seed| fs::read(seed).unwrap())
            .collect();
        let mut dice = Dice::new(seed);
        for _ in 0..each {
            let one = &corpus[dice.index(corpus.len())];
            let other = &corpus[dice.index(corpus.len())];
            run(*target, &bend(one, other, &mut dice), Path::new(name));
        }
        (all, names) = (all + each, names + 1);
    }
    println!("proved: {all} bent seeds of {names} targets from seed {seed}, no promise broken");
}

#[test]
fn every_corpus_has_a_target() {
    let mut found: Vec<String> = seeds(&corpora())
        .iter()
        .map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    if cfg!(not(feature = "server")) {
        let outer = [
            "agent", "capsule", "commit", "link", "schedule", "wire", "words",
        ];
        found.retain(|name| !outer.contains(&name.as_str()));
    }
    let known: Vec<&str> = targets::ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(found, known);
}

/// Writes the seeds that are made rather than found, with `SEANCE_BLESS=1`: where they came from.
#[cfg(feature = "server")]
#[test]
fn made_seeds_are_in_their_corpora() {
    for (target, name, bytes) in made() {
        let seed = corpora().join(target).join(name);
        if std::env::var_os("SEANCE_BLESS").is_some() {
            fs::create_dir_all(corpora().join(target)).unwrap();
            fs::write(&seed, &bytes).unwrap();
        }
        // What is there stays, even where this would be written otherwise by now: it is a seed.
        assert!(
            seed.is_file(),
            "{} is missing; SEANCE_BLESS=1 makes it",
            seed.display()
        );
    }
}

#[cfg(feature = "server")]
fn made() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    use engine::event::{Client, Departure, Role};
    use engine::fold::RoomState;
    use engine::frame::{Hello, ToRoom, VERSION, to_json, to_postcard};
    use engine::id::{Seq, SessionId};
    use engine::intent::Intent;
    use seance::log::memory::MemoryLog;
    use seance::log::{EventLog, capsule, commit};
    use targets::Op;

    let mut seeds: Vec<(&str, &str, Vec<u8>)> = Vec::new();
    for (name, text) in [
        ("paused", r#"{"say":"paused","load":3,"at":12.5}"#),
        ("failed", r#"{"say":"failed","load":1,"why":"not_yet"}"#),
        ("ready", r#"{"say":"ready","load":1,"length":5400.25}"#),
        ("done", r#"{"now":1.5,"sought":true}"#),
        ("forged", r#"{"say":"paused","load":-1,"at":"NaN"}"#),
    ] {
        seeds.push(("agent", name, text.into()));
    }

    // Two short stories out of the fold's own corpus.
    let fold = corpora().join("fold");
    let evening = fs::read(fold.join("an_evening")).unwrap();
    let bent = [&[9], &evening[..]].concat();
    seeds.push(("capsule", "bent", bent.clone()));
    seeds.push(("snapshot", "bent", bent));
    let events = targets::history(&evening);
    let log = MemoryLog::new();
    log.append(events.clone()).wait().unwrap();
    let header = capsule::CapsuleHeader {
        session: SessionId::new(7),
        title: "Friday".into(),
        created: 1_790_000_000_000,
    };
    let mut whole = Vec::new();
    capsule::export(&log as &dyn EventLog, &header, &mut whole).unwrap();
    seeds.push(("capsule", "whole", whole));
    seeds.push(("capsule", "another_file", b"PK\x03\x04".to_vec()));
    let mut edge = seance::log::Edge::EMPTY;
    let records = edge.admit(&events).unwrap();
    let run = commit::split(&records).next().unwrap();
    seeds.push(("commit", "a_run", commit::encode(run)));
    seeds.push(("commit", "one", commit::encode(&records[..1])));
    seeds.push(("commit", "newer", vec![commit::MAGIC, 9, 1]));
    let mut state = RoomState::default();
    seeds.push(("snapshot", "empty", engine::snapshot::encode(&state)));
    events.iter().for_each(|event| state.apply(event));
    seeds.push(("snapshot", "an_evening", engine::snapshot::encode(&state)));
    seeds.push(("snapshot", "newer", vec![9, 9, 9]));

    let story = |ops: Vec<Op>| -> Vec<u8> {
        let steps = ops
            .iter()
            .map(|op| postcard::to_stdvec(&(700u16, op)).unwrap());
        steps.flatten().collect()
    };
    let ask = |member, intent| Op::Ask {
        member,
        aim: None,
        intent,
    };
    let load = || Intent::Load {
        url: "https://youtu.be/YE7VzlLtp-4".into(),
    };
    seeds.push((
        "intents",
        "a_film",
        story(vec![
            ask(1, load()),
            ask(1, Intent::Play {}),
            ask(2, Intent::Pause { at: None }),
            ask(2, Intent::Undo { seq: None }),
            Op::Gap { millis: 9_000 },
            ask(1, Intent::Say { text: "hi".into() }),
        ]),
    ));
    seeds.push((
        "intents",
        "a_restart",
        story(vec![
            ask(1, load()),
            ask(1, Intent::Play {}),
            Op::Restart { millis: 40_000 },
            Op::Join {
                name: 1,
                again: Some(2),
                role: Role::Guest,
            },
            ask(2, Intent::ReadyCheck {}),
            Op::Wait {},
        ]),
    ));
    seeds.push((
        "intents",
        "a_crowd",
        story(vec![
            Op::Join {
                name: 2,
                again: None,
                role: Role::Viewer,
            },
            Op::Join {
                name: 3,
                again: None,
                role: Role::Guest,
            },
            ask(
                3,
                Intent::QueueAdd {
                    url: "https://films.example/a.mp4".into(),
                    front: false,
                },
            ),
            ask(
                4,
                Intent::OpenPoll {
                    question: "?".into(),
                    choices: vec!["a".into(), "b".into()],
                },
            ),
            Op::Leave {
                member: 1,
                reason: Departure::Lost,
            },
            ask(
                2,
                Intent::React {
                    reaction: "🎉".into(),
                },
            ),
        ]),
    ));
    seeds.push(("intents", "nothing", vec![0xff]));

    // Seed 7, and three faults in eight bytes each.
    let faults = [
        [200, 10, 200, 5, 0, 0, 9, 1],
        [0, 30, 0, 9, 7, 1, 0, 2],
        [9, 50, 0, 4, 12, 2, 7, 0],
    ];
    seeds.push((
        "schedule",
        "three_faults",
        [&[7, 0], faults.as_flattened()].concat(),
    ));
    seeds.push(("schedule", "one_fault", [&[9, 1], &faults[1][..]].concat()));
    seeds.push(("schedule", "no_seed", vec![1]));

    let hello = ToRoom::Hello(Hello {
        version: VERSION,
        session: SessionId::new(7),
        secret: targets::secret().into(),
        name: "Fay".into(),
        client: Client::Script,
        resume: None,
        cursor: Seq::FIRST,
    });
    // A client's frame: final, masked, and the mask is zero so that what is inside stays readable.
    let frame = |opcode: u8, payload: &[u8]| {
        let mut bytes = vec![0x80 | opcode];
        match payload.len() {
            short @ 0..126 => bytes.push(0x80 | short as u8),
            long => bytes.extend([0xfe, (long >> 8) as u8, long as u8]),
        }
        bytes.extend([0; 4]);
        bytes.extend_from_slice(payload);
        bytes
    };
    let bye = to_json(&ToRoom::Bye {});
    let json = [
        vec![1],
        frame(1, to_json(&hello).as_bytes()),
        frame(9, b"ping"),
        frame(1, bye.as_bytes()),
        frame(8, &[]),
    ];
    seeds.push(("wire", "hello_json", json.concat()));
    let postcard = [
        vec![3],
        frame(2, &to_postcard(&hello)),
        frame(2, &to_postcard(&ToRoom::Bye {})),
    ];
    seeds.push(("wire", "hello_postcard", postcard.concat()));
    let endless = [&[1, 0x82, 0xff], &[0x7f; 8][..], &[0; 8]].concat();
    seeds.push(("wire", "endless_frame", endless));
    seeds.push((
        "wire",
        "page",
        b"\0GET / HTTP/1.1\r\nHost: HOST\r\n\r\n".to_vec(),
    ));
    seeds.push((
        "wire",
        "other_host",
        b"\0GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_vec(),
    ));
    seeds.push(("wire", "no_http", b"\0\x16\x03\x01\x02\x00".to_vec()));
    seeds
}
