//! Everything that goes wrong in a real evening: one clear sentence each, and the party goes on.

#![cfg(feature = "server")]

mod doubles;
mod support;

use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use seance::engine::event::codec;
use seance::log::{self, EventLog as _};
use serde_json::Value;

use doubles::{Film, Server, or_skip};
use support::{
    Home, Program, close_chrome_of, found_chrome, host_words, join_words, live, opened, pause,
};

/// A host without a player, and its link.
fn host(home: &Home, more: &[&str]) -> (Program, String, String) {
    let host = home.start("Ana (host)", &host_words(more));
    let (session, link) = opened(&host);
    live(&host);
    (host, session, link)
}

/// Types a line and returns the sentence it is refused with.
fn refused(program: &mut Program, line: &str) -> String {
    let mark = program.mark();
    program.say(line);
    program.wait_from(mark, "a refusal", |line| {
        line["refused"]["sentence"].as_str().map(str::to_owned)
    })
}

/// The party still works: something said comes out.
fn goes_on(program: &mut Program) {
    let mark = program.mark();
    program.say("say still here");
    program.wait_event(mark, "said");
}

fn quit(mut program: Program) {
    program.say("quit");
    assert!(program.wait_end(), "it ends cleanly: {}", program.errors());
}

/// One sentence for people: no debug output, no backtrace.
fn is_a_sentence(text: &str) {
    assert!(
        text.len() < 400 && text.lines().count() == 1,
        "not one sentence: {text}"
    );
    assert!(
        !text.contains("Error") && !text.contains("panicked") && !text.contains("::"),
        "not for people: {text}"
    );
}

#[test]
fn a_wrong_link_says_what_is_wrong_with_it() {
    let home = Home::new();
    for (link, hint) in [
        ("film night", "not a link"),
        ("http://127.0.0.1:7878/", "names no party"),
        ("http://127.0.0.1:7878/#abc.def", "names no party"),
        ("ftp://127.0.0.1/#abc", "not a link"),
    ] {
        let said = home.run(&["join", link, "--player", "none"]).refusal();
        assert!(said.contains(hint), "{link}: {said}");
        is_a_sentence(&said);
    }
}

#[test]
fn a_dead_host_a_closed_party_and_a_wrong_secret_are_told_apart() {
    let (home, guests) = (Home::new(), Home::new());
    let (ana, session, link) = host(&home, &[]);
    let join = |link: &str| {
        guests
            .run(&["join", link, "--name", "Bo", "--player", "none"])
            .refusal()
    };

    let secret = link
        .split_once('.')
        .map(|_| link.rsplit('.').next().unwrap())
        .unwrap();
    let other_secret = link.replace(secret, "00000000000000000000000000");
    let said = join(&other_secret);
    assert!(said.contains("does not open the party"), "{said}");
    let other_session = link.replace(&session, "00000000000000000000000000");
    let said = join(&other_session);
    assert!(said.contains("No such party"), "{said}");
    quit(ana);
    let said = join(&link);
    assert!(said.contains("is the host running"), "{said}");
    is_a_sentence(&said);
}

#[test]
fn a_port_in_use_and_a_foreign_address_say_what_to_choose() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = home
        .run(&["host", "--bind", &address, "--player", "none"])
        .refusal();
    assert!(said.contains("in use") && said.contains("--bind"), "{said}");
    is_a_sentence(&said);
    let said = home
        .run(&["host", "--bind", "203.0.113.7:7878", "--player", "none"])
        .refusal();
    assert!(said.contains("no address of this machine"), "{said}");
    is_a_sentence(&said);
}

#[test]
fn addresses_that_are_no_videos_and_words_that_mean_nothing_are_refused_and_the_party_goes_on() {
    let home = Home::new();
    let (mut ana, _, _) = host(&home, &[]);
    for line in [
        "load file:///etc/passwd",
        "load javascript:alert(1)",
        "load data:text/html,x",
        "load https://www.youtube.com/playlist?list=PLBB231211A4F62143",
        "load https://youtube.com.evil.example/watch?v=YE7VzlLtp-4",
        "load just some words",
        "play",
        "seek 1:00",
        "rate 9",
        "dance",
        r#"{"seek":{"to":-1}}"#,
        r#"{"seek":{"to":1e300}}"#,
        r#"{"fly":{}}"#,
        r#"{"say":{"text":""}}"#,
        "{",
    ] {
        is_a_sentence(&refused(&mut ana, line));
    }
    let long = "x".repeat(20_000);
    is_a_sentence(&refused(&mut ana, &format!("say {}", &long[..3_000])));
    is_a_sentence(&refused(&mut ana, &format!("name {}", &long[..3_000])));
    goes_on(&mut ana);
    let kinds: Vec<_> = ana
        .events()
        .iter()
        .map(|event| {
            event["body"]
                .as_object()
                .unwrap()
                .keys()
                .next()
                .unwrap()
                .clone()
        })
        .collect();
    assert_eq!(
        kinds,
        ["opened", "epoch_started", "joined", "said"],
        "nothing refused left a trace in the log"
    );
    quit(ana);
}

#[test]
fn a_guest_may_not_open_addresses_on_new_hosts_and_names_are_taken_once() {
    let (home, guests) = (Home::new(), Home::new());
    let (mut ana, _, link) = host(&home, &[]);
    let mut bo = guests.start("Bo", &join_words(&link, "Bo"));
    live(&bo);
    let said = refused(&mut bo, "load http://127.0.0.1:9/film.mp4");
    assert!(said.contains("Ask the host"), "{said}");
    let others = Home::new();
    let said = others
        .run(&["join", &link, "--name", "b0", "--player", "none"])
        .refusal();
    assert!(said.contains("already called Bo"), "{said}");
    ana.say("load http://127.0.0.1:9/film.mp4");
    bo.wait_event(0, "media_set");
    let mark = bo.mark();
    bo.say("load http://127.0.0.1:9/other.mp4");
    bo.wait_event(mark, "media_set");
    quit(bo);
    quit(ana);
}

#[test]
fn the_end_of_input_does_not_end_the_party_but_a_signal_does() {
    let home = Home::new();
    let guests = Home::new();
    let (mut ana, session, link) = host(&home, &[]);
    ana.say("say before the end");
    ana.wait_event(0, "said");
    ana.end_input();
    let bo = guests.start("Bo", &join_words(&link, "Bo"));
    ana.wait("Bo", |line| {
        (line["event"]["body"]["joined"]["name"] == "Bo").then_some(())
    });
    ana.terminate();
    assert!(ana.wait_end(), "a signal is a clean end: {}", ana.errors());
    bo.wait("that the host closed", |line| {
        line["connection"]["reason"]
            .as_str()
            .filter(|reason| reason.contains("closed the party"))
            .map(drop)
    });
    let lines = home.run(&["replay", "--json", &session]).json();
    let last = lines
        .iter()
        .rev()
        .find_map(|line| line.get("event"))
        .unwrap();
    assert!(
        !last["body"]["left"].is_null(),
        "the log says who was there until the end: {last}"
    );
}

#[test]
fn without_chrome_the_party_goes_on_and_says_what_to_install() {
    let Some(film) = or_skip(Film::made()) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let films = runtime.block_on(Server::films(film));
    let home = Home::new();
    let film = films.url("/film.mp4");
    let words = host_words(&["--player", "browser", "--headless", "--media", &film]);
    let mut command = home.command(&words);
    command
        .env("SEANCE_CHROME", "/nowhere/chrome")
        .env("PATH", "/nowhere");
    let mut ana = Program::start("Ana (host)", command);
    let said = ana.wait("a word about Chrome", |line| {
        line["player"].as_str().map(str::to_owned)
    });
    assert!(
        said.contains("Chrome was not found") && said.contains("Install"),
        "{said}"
    );
    goes_on(&mut ana);
    quit(ana);
}

#[test]
fn chrome_closed_by_its_user_is_said_once_and_opens_again() {
    let found = or_skip(found_chrome()).and_then(|()| or_skip(Film::made()));
    let Some(film) = found else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let films = runtime.block_on(Server::films(film));
    let home = Home::new();
    let film = films.url("/film.mp4");
    let words = host_words(&["--player", "browser", "--headless", "--media", &film]);
    let mut ana = home.start("Ana (host)", &words);
    let paused = |line: &Value| {
        line["presence"]
            .as_array()?
            .iter()
            .find(|one| one["report"]["activity"] == "paused")
            .map(drop)
    };
    ana.wait("a film that stands ready", paused);
    assert_eq!(
        close_chrome_of(&home),
        1,
        "Chrome is running and can be closed"
    );
    let mark = ana.mark();
    let said = ana.wait("a word about Chrome", |line| {
        line["player"].as_str().map(str::to_owned)
    });
    assert!(said.contains("closed"), "{said}");
    goes_on(&mut ana);
    ana.say("player");
    ana.wait_from(mark, "the film again", paused);
    let words = ana
        .lines()
        .iter()
        .filter(|line| !line["player"].is_null())
        .count();
    assert_eq!(words, 1, "said once");
    quit(ana);
}

#[test]
fn a_folder_that_cannot_be_written_says_which_and_what_to_do() {
    let home = Home::new();
    let file = home.path().join("a-file");
    fs::write(&file, "not a folder").unwrap();
    for place in [file.as_path(), Path::new("/proc/seance")] {
        let output = home
            .command(&["host", "--player", "none"])
            .env("SEANCE_HOME", place)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        assert!(!output.status.success());
        assert!(said.contains(&*place.to_string_lossy()), "{said}");
        is_a_sentence(&said);
    }
}

/// A past session with something in it.
fn past_session(home: &Home) -> (String, PathBuf) {
    let (mut ana, session, _) = host(home, &[]);
    for number in 0..50 {
        ana.say(&format!("say line {number}, which is remembered"));
    }
    ana.wait("the last line", |line| {
        line["event"]["body"]["said"]["text"]
            .as_str()?
            .starts_with("line 49")
            .then_some(())
    });
    quit(ana);
    let folder = home.path().join("sessions").join(&session);
    (session, folder)
}

#[test]
fn a_session_that_nobody_knows_and_one_that_could_be_many_are_told_apart() {
    let home = Home::new();
    let said = home.run(&["verify", "Film night"]).refusal();
    assert!(said.contains("seance sessions"), "{said}");
    is_a_sentence(&said);

    let (first, _) = past_session(&home);
    for _ in 0..4 {
        let (ana, _, _) = host(&home, &[]);
        quit(ana);
    }
    let file = home.path().join("one.seance");
    let file = file.to_str().unwrap();
    let ask = |session: &str| {
        [
            home.run(&["replay", session]).refusal(),
            home.run(&["verify", session]).refusal(),
            home.run(&["export", session, file]).refusal(),
            home.run(&["host", "--session", session, "--player", "none"])
                .refusal(),
        ]
    };
    // All five carry the title that nobody chose another one for.
    for said in ask("Film night") {
        assert!(
            said.contains("any of") && said.contains("and 2 more") && said.contains("id"),
            "{said}"
        );
        is_a_sentence(&said);
    }
    // The beginning of an id must be long enough to mean something.
    let unknown = ["", &first[..2], "zzzz", "no\nsuch", "../etc"];
    for said in unknown.into_iter().flat_map(ask) {
        assert!(
            said.contains("no session") && said.contains("seance sessions"),
            "{said}"
        );
        is_a_sentence(&said);
    }
    assert!(home.run(&["verify", &first[..12]]).ok());
}

#[test]
fn a_point_that_is_not_in_a_session_is_named() {
    let home = Home::new();
    let (session, _) = past_session(&home);
    for (point, hint) in [
        ("yesterday", "1:02:03"),
        ("1:99", "1:02:03"),
        ("-1", "1:02:03"),
        ("9999", "has only"),
    ] {
        let said = home
            .run(&["replay", &session, &format!("--at={point}")])
            .refusal();
        assert!(said.contains(hint), "{point}: {said}");
        is_a_sentence(&said);
    }
}

#[test]
fn files_that_cannot_be_written_or_read_say_which_and_why_once() {
    let home = Home::new();
    let (session, _) = past_session(&home);
    let capsule = home.path().join("night.seance");
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let words = path("words.seance");
    fs::write(&words, "only words").unwrap();
    let empty = path("empty.seance");
    fs::write(&empty, "").unwrap();
    assert!(
        home.run(&["export", &session, capsule.to_str().unwrap()])
            .ok()
    );

    let folder = home.path().to_str().unwrap();
    for (file, hint) in [
        (capsule.to_str().unwrap(), "exists already"),
        (folder, "exists already"),
        (&*path("no/such/night.seance"), "There is no folder"),
        ("/proc/night.seance", "/proc/night.seance"),
    ] {
        let said = home.run(&["export", &session, file]).refusal();
        assert!(said.contains(hint), "{file}: {said}");
        is_a_sentence(&said);
        assert!(said.matches("os error").count() < 2, "said twice: {said}");
    }

    for (file, hint) in [
        (&*path("missing.seance"), "There is no file"),
        (folder, "is a folder"),
        (&*words, "no Séance capsule"),
        (&*empty, "no Séance capsule"),
        (capsule.to_str().unwrap(), "is here already"),
        ("/proc/self/mem", "could not be read"),
    ] {
        let said = home.run(&["import", file]).refusal();
        assert!(said.contains(hint), "{file}: {said}");
        is_a_sentence(&said);
        assert!(said.matches("os error").count() < 2, "said twice: {said}");
    }
    // Nothing of all that left a half-written file or session behind.
    let sessions = home.run(&["sessions", "--json"]).json();
    assert_eq!(sessions.len(), 1);
    assert!(
        fs::read_dir(home.path())
            .unwrap()
            .flatten()
            .all(|entry| { !entry.file_name().to_string_lossy().contains(".part") })
    );
}

#[test]
fn a_session_on_air_is_left_alone() {
    let home = Home::new();
    let (ana, session, _) = host(&home, &[]);
    let file = home.path().join("one.seance");
    for args in [
        vec!["replay", &session],
        vec!["verify", &session],
        vec!["export", &session, file.to_str().unwrap()],
        vec!["host", "--session", &session, "--player", "none"],
    ] {
        let said = home.run(&args).refusal();
        assert!(said.contains("already open in another"), "{said}");
        is_a_sentence(&said);
    }
    assert!(!file.exists());
    let listed = home.run(&["sessions", "--json"]).json();
    let trouble = listed[0]["session"]["trouble"].as_str().unwrap();
    assert!(trouble.contains("On air"), "{trouble}");
    quit(ana);
}

#[test]
fn a_host_without_a_name_opens_nothing() {
    let home = Home::new();
    let words = ["host", "--name", " ", "--player", "none", "--unlisted"];
    let said = home.run(&words).refusal();
    assert!(said.contains("needs at least one visible"), "{said}");
    is_a_sentence(&said);
    assert_eq!(home.run(&["sessions", "--json"]).json().len(), 0);
}

#[test]
fn a_home_that_is_no_folder_stops_every_command_in_one_sentence() {
    let home = Home::new();
    let file = home.path().join("a-file");
    fs::write(&file, "not a folder").unwrap();
    for args in [
        vec!["sessions"],
        vec!["replay", "x"],
        vec!["verify", "x"],
        vec!["export", "x", "x.seance"],
        vec!["import", file.to_str().unwrap()],
    ] {
        let output = home
            .command(&args)
            .env("SEANCE_HOME", &file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains(&*file.to_string_lossy()), "{said}");
        assert_eq!(said.matches("os error").count(), 1, "{said}");
        is_a_sentence(&said);
    }
}

#[test]
fn a_session_of_a_newer_seance_asks_for_an_update() {
    let home = Home::new();
    let (session, folder) = past_session(&home);
    let info = folder.join("session.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&info).unwrap()).unwrap();
    json["schema"] = 99.into();
    fs::write(&info, json.to_string()).unwrap();
    for command in ["replay", "verify"] {
        let said = home.run(&[command, &session]).refusal();
        assert!(said.contains("newer") && said.contains("update"), "{said}");
        is_a_sentence(&said);
    }
}

/// A past session whose ninth event is the known one with its body changed, rightly chained.
#[expect(
    clippy::disallowed_methods,
    reason = "no Séance of today writes what one of tomorrow does"
)]
fn session_with_a_ninth(home: &Home, change: impl FnOnce(&mut [u8])) -> String {
    let fixture = include_str!("fixtures/session-v1.txt");
    let mut stored: Vec<Vec<u8>> = fixture.lines().take(9).map(unhex).collect();
    let mut ninth = stored.pop().expect("nine lines");
    let known = stored.iter().map(|bytes| codec::decode(bytes).unwrap());
    let store = log::store::Home::at(home.path()).unwrap();
    let session = store.create_session("Friday", 1_000).unwrap();
    session.log.append(known.collect()).wait().unwrap();
    let (tail, link) = session.log.tail_link();
    let id = session.id();
    drop(session);

    let body = codec::split(&ninth).unwrap().1.body.len();
    let at = ninth.len() - body;
    change(&mut ninth[at..]);
    let (header, parts) = codec::split(&ninth).unwrap();
    assert_eq!(header.seq, tail);
    let record = log::Record {
        link: link.then(parts.header, parts.body),
        bytes: ninth.clone().into(),
    };
    let folder = home.path().join("sessions").join(id.to_string()).join("db");
    let file = fs::File::open(folder.join("db")).unwrap();
    let is_closed = || {
        for _ in 0..600 {
            if file.try_lock().is_ok() {
                return file.unlock().unwrap();
            }
            pause(Duration::from_millis(100));
        }
        panic!("the database is never closed");
    };
    is_closed();
    let db = sled::open(&folder).unwrap();
    let value = log::commit::encode(std::slice::from_ref(&record));
    db.insert(log::key::encode(id, tail), value).unwrap();
    drop(db);
    is_closed();
    id.to_string()
}

fn unhex(line: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
    (0..line.len()).step_by(2).map(byte).collect()
}

/// Trap: a log of version N+1. A tenth of a second, and no party.
#[test]
fn an_event_of_a_newer_seance_is_named_and_what_stands_before_it_is_shown() {
    type Change = fn(&mut [u8]);
    let changes: [(&str, Change); 2] = [
        ("of a kind (100)", |body| body[0] = 100),
        // Somebody came in by a client that does not exist yet.
        ("holds something (kind 2)", |body| {
            *body.last_mut().unwrap() = 100;
        }),
    ];
    for (what, change) in changes {
        let home = Home::new();
        let session = session_with_a_ninth(&home, change);
        for command in ["verify", "replay"] {
            let ran = home.run(&[command, &session, "--json"]);
            let said = ran.refusal();
            assert_eq!(ran.code(), Some(1), "{command}: {said}");
            assert!(
                said.contains("a newer Séance wrote this session")
                    && said.contains("cannot go on from event 9")
                    && said.contains(what)
                    && said.contains("please update"),
                "{command}: {said}"
            );
            is_a_sentence(&said);
            let shown = ran.stdout();
            let shown: Vec<Value> = shown
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            let seqs = shown.iter().map(|line| line["event"]["seq"].as_u64());
            let wanted = if command == "replay" { 8 } else { 0 };
            assert!(seqs.eq((1..=wanted).map(Some)), "{command}: {shown:?}");
        }
        for at in ["7", "8"] {
            let ran = home.run(&["replay", &session, "--at", at, "--json"]);
            assert!(ran.ok(), "at {at}: {}", ran.stderr());
            assert_eq!(ran.json()[0]["state"]["seq"].to_string(), at);
        }
        for beyond in ["9", "12"] {
            let said = home.run(&["replay", &session, "--at", beyond]).refusal();
            assert!(said.contains("from event 9"), "at {beyond}: {said}");
        }
    }
}

#[test]
fn a_cut_or_flipped_log_names_the_event_and_what_is_whole_can_be_saved() {
    let home = Home::new();
    let (session, folder) = past_session(&home);
    let db = folder.join("db").join("db");
    let whole = fs::read(&db).unwrap();
    let needle = b"line 30, which";
    let place = whole
        .windows(needle.len())
        .rposition(|window| window == needle)
        .expect("the line lies in the file");

    // One bit.
    let file = fs::OpenOptions::new().write(true).open(&db).unwrap();
    file.write_all_at(&[whole[place] ^ 1], place as u64)
        .unwrap();
    let said = home.run(&["verify", &session]).refusal();
    assert!(
        said.contains("event") && said.contains("seance export"),
        "{said}"
    );
    is_a_sentence(&said);
    let said = home
        .run(&["host", "--session", &session, "--player", "none"])
        .refusal();
    assert!(said.contains("seance export"), "{said}");

    // Everything before it is saved, and comes back.
    let capsule = home.path().join("saved.seance");
    let exported = home
        .run(&["export", "--json", &session, capsule.to_str().unwrap()])
        .json();
    let saved = exported[0]["exported"]["events"].as_u64().unwrap();
    assert!(saved >= 30, "only {saved} events saved: {exported:?}");
    let other = Home::new();
    other
        .run(&["import", "--json", capsule.to_str().unwrap()])
        .json();
    let verified = other.run(&["verify", "--json", &session]).json();
    assert_eq!(verified[0]["verified"]["events"], saved);

    // A file cut off in the middle.
    fs::write(&db, &whole[..place]).unwrap();
    let said = home.run(&["verify", &session]).refusal();
    is_a_sentence(&said);

    // A capsule that was tampered with.
    let mut bytes = fs::read(&capsule).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&capsule, bytes).unwrap();
    let said = Home::new()
        .run(&["import", capsule.to_str().unwrap()])
        .refusal();
    assert!(said.contains("damaged"), "{said}");
    is_a_sentence(&said);
}

/// A small disk of its own, unmounted with its value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf, mebibytes: u32) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(&at)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_makes_the_party_read_only_and_nothing_acknowledged_is_lost() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount(home.path().join("small"), 48) else {
        return eprintln!("skipped: no small disk of our own: mounting one needs root");
    };
    let mut command = home.command(&host_words(&[]));
    command.env("SEANCE_HOME", &disk.0);
    let mut ana = Program::start("Ana (host)", command);
    let (session, _) = opened(&ana);
    ana.say("say saved");
    ana.wait_event(0, "said");
    // Somebody else fills the disk to the brim.
    let mut filler = fs::File::create(disk.0.join("filler")).unwrap();
    filler.seek(SeekFrom::Start(0)).unwrap();
    while filler.write_all(&[7; 64 * 1024]).is_ok() {}
    drop(filler);
    let mut number = 0;
    let said = loop {
        number += 1;
        assert!(number < 20_000, "the disk never filled up");
        let mark = ana.mark();
        ana.say(&format!("say line {number} {}", "x".repeat(400)));
        let answer = ana.wait_from(mark, "an answer", |line| {
            let refused = line["refused"]["sentence"].as_str().map(str::to_owned);
            refused
                .map(Err)
                .or_else(|| (!line["accepted"].is_null()).then_some(Ok(())))
        });
        match answer {
            Ok(()) => {}
            // Typing faster than a person is refused for another reason; wait for the next.
            Err(sentence) if sentence.contains("wait a moment") => {}
            Err(sentence) => break sentence,
        }
    };
    assert!(said.contains("cannot save"), "{said}");
    is_a_sentence(&said);
    let acknowledged = ana.events().len();
    let mark = ana.mark();
    ana.say(r#"{"state":{}}"#);
    ana.wait_from(mark, "that it can still be watched", |line| {
        line.get("state").map(drop)
    });
    ana.say("quit");
    ana.wait_end();
    fs::remove_file(disk.0.join("filler")).unwrap();
    let output = home
        .command(&["replay", "--json", &session])
        .env("SEANCE_HOME", &disk.0)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let kept = text
        .lines()
        .filter(|line| line.contains("\"event\""))
        .count();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        kept >= acknowledged,
        "{acknowledged} events were acknowledged, {kept} are there"
    );
}
