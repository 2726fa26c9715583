//! An evening watched again, by real processes: told in its time, explained, followed by a player,
//! and not changed by a byte.

#![cfg(feature = "server")]

#[cfg(feature = "browser")]
mod doubles;
mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;

use seance::engine::event::{Body, Client, Event, Header, Role, Via};
use seance::engine::id::{Epoch, ItemId, MemberId, Seq, Stamp};
use seance::engine::media;
use seance::engine::text::{Line, Name, Title};
use seance::engine::unit::{MediaTime, SessionTime};
use seance::log::EventLog as _;
use seance::log::store::Home as Sessions;

use support::{Home, Program, host_words, opened};

/// A minute of an evening, as a host's disk has it: a film at `url` that plays from its third second,
/// a word, a pause of a while, and a word after. Gives its id.
fn evening(home: &Home, url: &str) -> String {
    let item = ItemId::new(1);
    let ana = Some(MemberId::new(1));
    let at = |secs: u64| MediaTime::from_secs(secs);
    let sessions = Sessions::at(home.path()).unwrap();
    let session = sessions.create_session("Friday", WALL).unwrap();
    let media = media::parse(url).unwrap().media;
    let said = |text: &str, secs| Body::Said {
        text: Line::new(text).unwrap(),
        moment: at(secs),
    };
    let bodies = [
        (
            0,
            None,
            Body::Opened {
                session: session.id(),
                title: Title::new("Friday").unwrap(),
            },
        ),
        (
            0,
            ana,
            Body::Joined {
                member: MemberId::new(1),
                name: Name::new("Ana").unwrap(),
                role: Role::Host,
                client: Client::Terminal,
            },
        ),
        (
            1,
            ana,
            Body::MediaSet {
                item,
                media,
                title: None,
                start: at(0),
            },
        ),
        (
            2,
            ana,
            Body::Played {
                position: at(3),
                start: SessionTime::from_secs(2),
            },
        ),
        (10, ana, said("hello there", 11)),
        (32, ana, Body::Paused { position: at(33) }),
        (60, ana, said("good night", 33)),
    ];
    let events = (1..).zip(bodies).map(|(seq, (secs, by, body))| Event {
        header: Header {
            seq: Seq::new(seq),
            epoch: Epoch::new(1),
            stamp: Stamp::new(seq),
            at: SessionTime::from_secs(secs),
            wall: WALL + secs * 1_000,
            by,
            via: Via::Cli,
            cause: None,
            intent: None,
        },
        body,
    });
    session.log.append(events.collect()).wait().unwrap();
    session.id().to_string()
}

/// A Saturday evening.
const WALL: u64 = 1_795_290_000_000;
/// A film that no test here fetches.
const NO_FILM: &str = "http://127.0.0.1:9/film.mp4";

fn quit(mut program: Program) {
    program.say("quit");
    assert!(program.wait_end(), "it ends cleanly: {}", program.errors());
}

/// Every file of the home's sessions with what it holds.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            all.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

fn digest_of(home: &Home, session: &str) -> String {
    let verified = home.run(&["verify", session, "--json"]).json();
    verified[0]["verified"]["digest"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn an_evening_is_told_again_to_the_same_digest_and_not_changed_by_a_byte() {
    let home = Home::new();
    let session = evening(&home, NO_FILM);
    let printed = home.run(&["replay", &session, "--json"]).json();
    let wanted = digest_of(&home, &session);
    let before = contents(&home.path().join("sessions"));
    let told = home
        .run(&["replay", &session, "--watch", "--speed", "64", "--json"])
        .json();
    let events = |lines: &[Value]| -> Vec<Value> {
        let events = lines.iter().filter(|line| line.get("event").is_some());
        events.cloned().collect()
    };
    assert_eq!(events(&told), events(&printed), "each event once, in order");
    assert_eq!(told[0]["replay"]["digest"], Value::from(wanted.clone()));
    let last = told.last().unwrap();
    assert_eq!(last["replay"]["digest"], Value::from(wanted));
    assert!(last["replay"]["ended"].is_u64());

    let words = home
        .run(&["replay", "Friday", "--watch", "--speed", "64"])
        .stdout();
    assert!(words.starts_with("Replay of “Friday”, "), "{words}");
    for part in [
        "whole and in order",
        "Ana: hello there",
        "Ana paused at",
        "The end.",
    ] {
        assert!(words.contains(part), "{part:?} is missing in:\n{words}");
    }
    assert!(
        contents(&home.path().join("sessions")) == before,
        "a file changed"
    );
}

#[test]
fn why_it_paused_has_an_answer() {
    let home = Home::new();
    let session = evening(&home, NO_FILM);
    let printed = home.run(&["replay", &session, "--json"]).json();
    let paused = printed
        .iter()
        .find(|line| !line["event"]["body"]["paused"].is_null());
    let seq = paused.unwrap()["event"]["seq"].to_string();
    let words = home.run(&["replay", &session, "--why", &seq]).stdout();
    for part in ["Ana paused at", "Ana, typed in a terminal", "digest then "] {
        assert!(words.contains(part), "{part:?} is missing in:\n{words}");
    }
    let why = &home
        .run(&["replay", &session, "--why", &seq, "--json"])
        .json()[0]["why"];
    assert_eq!(why["chain"][0]["event"]["seq"].to_string(), seq);
    assert_eq!(why["chain"][0]["input"], "typed in a terminal");
    // The digest is that of the state at this point.
    let at = &home
        .run(&["replay", &session, "--at", &seq, "--json"])
        .json()[0];
    assert_eq!(why["digest"], at["digest"]);
    let none = home.run(&["replay", &session, "--why", "999"]).refusal();
    assert!(none.contains("There is no event 999"), "{none}");
}

#[test]
fn an_evening_on_air_an_empty_one_and_wrong_words_are_refused_with_a_sentence() {
    let home = Home::new();
    let host = home.start("Ana (host)", &host_words(&[]));
    let (session, _) = opened(&host);
    let on_air = home.run(&["replay", &session, "--watch"]).refusal();
    assert!(
        on_air.contains("already open in another Séance; close it there first"),
        "{on_air}"
    );
    quit(host);
    let far = home
        .run(&["replay", &session, "--watch", "--from", "soon"])
        .refusal();
    assert!(far.contains("no session time, such as 1:02"), "{far}");
    let fast = home
        .run(&["replay", &session, "--watch", "--speed", "1000"])
        .refusal();
    assert!(fast.contains("no speed between 0.1 and 64"), "{fast}");
}

#[test]
fn a_damaged_evening_is_watched_as_far_as_it_is_whole() {
    let home = Home::new();
    let session = evening(&home, NO_FILM);
    let db = home.path().join("sessions").join(&session).join("db/db");
    let mut bytes = std::fs::read(&db).unwrap();
    let needle = b"hello there";
    let places = (0..bytes.len() - needle.len()).filter(|at| bytes[*at..].starts_with(needle));
    for at in places.collect::<Vec<_>>() {
        bytes[at] ^= 1;
    }
    std::fs::write(&db, bytes).unwrap();
    let told = home
        .run(&["replay", &session, "--watch", "--speed", "64"])
        .stdout();
    assert!(told.contains("the log cannot be read"), "{told}");
    assert!(
        told.contains("Ana pressed play") && !told.contains("hello"),
        "{told}"
    );
}

#[test]
fn a_replay_takes_words_while_it_runs() {
    let home = Home::new();
    let session = evening(&home, NO_FILM);
    let mut watching = home.start("a watcher", &["replay", &session, "--watch", "--json"]);
    watching.wait("the beginning", |line| {
        line["replay"]["digest"].as_str().map(drop)
    });
    watching.say("pause");
    watching.say("dance");
    watching.wait("a refusal", |line| {
        let sentence = line["refused"]["sentence"].as_str()?;
        sentence
            .contains("“dance” means nothing here")
            .then_some(())
    });
    watching.say("why 1");
    watching.wait("a reason", |line| line["why"]["digest"].as_str().map(drop));
    watching.say("speed 64");
    watching.say("seek 0:00");
    watching.say("play");
    watching.wait("the end", |line| line["replay"]["ended"].as_u64().map(drop));
    assert!(watching.wait_end());
}

/// A real Chromium follows the line as it was: it plays where the room played.
#[cfg(feature = "browser")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_player_follows_an_evening_that_is_over() {
    use doubles::{Film, Server, or_skip};
    let found = or_skip(support::found_chrome()).and_then(|()| or_skip(Film::made()));
    let Some(film) = found else { return };
    let films = Server::films(film).await;
    let home = Home::new();
    let url = films.url("/film.mp4");
    let session = tokio::task::block_in_place(|| evening(&home, &url));
    let before = contents(&home.path().join("sessions"));
    let args = [
        "replay",
        &session,
        "--watch",
        "--player",
        "--headless",
        "--json",
    ];
    // On a machine too busy to show it smoothly, a film less than 450 ms off is left in peace.
    let follows_within = |line: &serde_json::Value, micros: i64| {
        let follows = &line["following"];
        let drift = follows["drift"].as_i64()?;
        (follows["activity"] == "playing" && drift.abs() <= micros).then_some(())
    };
    let mut watching = home.start("a watcher", &args);
    watching.wait("that the player follows", |line| {
        follows_within(line, 450_000)
    });
    let mark = watching.mark();
    watching.say("pause");
    watching.wait_from(mark, "that the player stands with the replay", |line| {
        (line["following"]["activity"] == "paused").then_some(())
    });
    let mark = watching.mark();
    watching.say("seek 0:20");
    watching.say("speed 2");
    watching.say("play");
    watching.wait_from(mark, "that it follows at twice the speed", |line| {
        follows_within(line, 450_000)
    });
    quit(watching);
    assert!(
        contents(&home.path().join("sessions")) == before,
        "a file changed"
    );
}
