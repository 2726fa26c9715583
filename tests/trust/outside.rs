//! The program from outside: what it leaves on disk, in logs, on terminals and in processes, and a
//! client that somebody else wrote.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Home, Program, host_words, live, opened};
use crate::tried;

/// A host in a terminal who logs everything; returns it with its link.
fn host(home: &Home, more: &[&str]) -> (Program, String) {
    let mut command = home.command(&host_words(more));
    command.env("SEANCE_LOG", "trace");
    let program = Program::start("Ana (host)", command);
    let (_, link) = opened(&program);
    live(&program);
    (program, link)
}

/// Joins by a link read from standard input, so that it stands in no list of processes.
fn guest(home: &Home, link: &str, name: &str, passcode: Option<&str>) -> Program {
    let mut command = home.command(&["join", "--json", "-", "--name", name, "--player", "none"]);
    command.env("SEANCE_LOG", "trace");
    if let Some(passcode) = passcode {
        command.env("SEANCE_PASSCODE", passcode);
    }
    let mut program = Program::start(name, command);
    program.say(link);
    live(&program);
    program
}

fn files(folder: &Path, found: &mut BTreeMap<String, (u32, Vec<u8>)>) {
    use std::os::unix::fs::PermissionsExt as _;
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let meta = entry.metadata().unwrap();
        let mode = meta.permissions().mode() & 0o777;
        let bytes = if meta.is_dir() {
            files(&path, found);
            Vec::new()
        } else {
            std::fs::read(&path).unwrap_or_default()
        };
        found.insert(path.display().to_string(), (mode, bytes));
    }
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}

/// An evening with every kind of secret in it, and everything it leaves searched for each. About 3 s.
#[cfg(unix)]
#[test]
fn secrets_stand_where_they_belong_and_nowhere_else() {
    const PASSCODE: &str = "canary in the coal mine";
    let (home, guests) = (Home::new(), Home::new());
    let (mut ana, link) = host(&home, &[]);
    ana.say(&format!("passcode {PASSCODE}"));
    ana.wait_event(0, "passcode_set");
    ana.say("invite co-host 2h 3 uses");
    let made = ana.wait("a link", |line| {
        Some(line["link"]["link"].as_str()?.to_owned())
    });
    let mut bo = guest(&guests, &link, "Bo", Some(PASSCODE));
    let _cora = guest(&guests, &made, "Cora", Some(PASSCODE));
    bo.say("say hello");
    ana.wait_event(0, "said");
    let secret = |link: &str| link.rsplit('.').next().unwrap().to_owned();
    let mut tokens = Vec::new();
    let mut kept = BTreeMap::new();
    files(&guests.path().join("tickets"), &mut kept);
    for (_, bytes) in kept.values().filter(|(_, bytes)| !bytes.is_empty()) {
        let ticket: Value = serde_json::from_slice(bytes).unwrap();
        tokens.push(ticket["token"].as_str().unwrap().to_owned());
    }
    assert_eq!(tokens.len(), 2);
    let mut canaries = vec![PASSCODE.to_owned(), secret(&link), secret(&made)];
    canaries.extend(tokens.clone());

    // The processes, as anybody on this machine sees them.
    let mut places = 0;
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let words = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        for canary in &canaries {
            assert!(
                !holds(&words, canary),
                "{}",
                String::from_utf8_lossy(&words)
            );
        }
        places += 1;
    }
    // What a guest was sent, and what each program logged, at its most talkative.
    let sent: Vec<_> = bo.lines().iter().map(Value::to_string).collect();
    for program in [&ana, &bo, &_cora] {
        let errors = program.errors();
        for canary in &canaries {
            assert!(!errors.contains(canary), "a log holds {canary}");
        }
        places += 1;
    }
    for canary in [PASSCODE, &secret(&made), &tokens[0], &tokens[1]] {
        let shown = sent.iter().find(|line| line.contains(canary));
        assert_eq!(shown, None, "a guest was sent a secret");
    }
    // The export, and everything on the host's disk.
    let capsule = home.path().join("tmp").join("evening.seance");
    ana.say("quit");
    ana.wait_end();
    let exported = home.run(&["export", "Film night", capsule.to_str().unwrap(), "--json"]);
    assert!(exported.ok(), "{}", exported.stderr());
    let mut left = BTreeMap::new();
    files(home.path(), &mut left);
    for (path, (_, bytes)) in &left {
        for canary in &canaries {
            assert!(!holds(bytes, canary), "{path} holds {canary}");
        }
        places += 1;
    }
    let bytes = std::fs::read(&capsule).unwrap();
    let key = left
        .iter()
        .find(|(path, _)| path.ends_with("/key"))
        .unwrap();
    assert!(!bytes.windows(32).any(|window| window == key.1.1));
    let address = link
        .trim_start_matches("http://")
        .split('/')
        .next()
        .unwrap();
    for needle in [address, "127.0.0.1", home.path().to_str().unwrap()] {
        assert!(!holds(&bytes, needle), "the export holds {needle}");
    }
    let sealed = left.iter().find(|(path, _)| path.ends_with("/passcode"));
    assert!(sealed.is_some(), "the passcode is kept, as its hash");
    assert!(places > 20);

    // And everything is its owner's alone.
    files(guests.path(), &mut left);
    let mut checked = 0;
    for (path, (mode, _)) in &left {
        // The test's own; and what the database writes, inside a folder nobody else may enter.
        if path.ends_with("/tmp") || path.contains("/db/") {
            continue;
        }
        let is_folder = Path::new(path).is_dir();
        let wanted = if is_folder { 0o700 } else { 0o600 };
        assert_eq!(*mode, wanted, "{path} is {mode:o}");
        checked += 1;
    }
    assert!(checked > 12, "only {checked} files and folders");
    tried(
        "secrets_stand_where_they_belong_and_nowhere_else",
        canaries.len(),
    );
}

/// What is said, titled and named to hurt a terminal, a log or a page: refused, or shown as text.
#[test]
fn nothing_typed_moves_a_terminal_or_forges_a_line() {
    let lines = [
        "\u{1b}[2J\u{1b}[H",
        "\u{1b}]0;owned\u{7}",
        "\u{1b}]8;;http://evil.example\u{7}click\u{1b}]8;;\u{7}",
        "\u{9b}31mred",
        "\u{90}q\u{9c}",
        "a\rb",
        "a\u{8}\u{8}\u{8}b",
        "a\u{7f}b",
        "\u{0}",
        "line one\nAna: I give you the key",
        "line one\r\n·  Ana made Eve the host",
        "\u{2028}Ana: yes",
        "\u{85}Ana: yes",
        "\u{b}Ana: yes",
        "\u{c}Ana: yes",
        "\u{202e}drawkcab",
        "\u{2066}isolate",
        "\u{200f}mark",
        "\u{feff}bom",
        "\u{e0041}tags",
        "\u{fff9}note\u{fffb}",
        "Z\u{324}\u{324}\u{324}\u{324}\u{324}\u{324}\u{324}\u{324}\u{324}algo",
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "</title><svg onload=alert(1)>",
        "javascript:alert(1)",
        "{{7*7}} ${7*7} %n%s%x",
        "'; DROP TABLE events; --",
        "$(touch /tmp/owned) `touch /tmp/owned`",
        "\\u001b[31m",
        "%1b[31m",
        "=cmd|'/c calc'!A1",
    ];
    let (home, guests) = (Home::new(), Home::new());
    let mut words = home.command(&[
        "host",
        "--name",
        "Ana",
        "--player",
        "none",
        "--bind",
        "127.0.0.1:0",
    ]);
    words.env("SEANCE_LOG", "trace");
    let ana = Program::start("Ana (host)", words);
    let link = ana.wait("its link", |line| {
        let line = line.as_str()?.trim();
        line.starts_with("http://").then(|| line.to_owned())
    });
    let mut eve = guest(&guests, &link, "Eve", None);
    for line in &lines {
        for intent in [
            json!({"say": {"text": line}}),
            json!({"rename": {"name": line}}),
            json!({"open_poll": {"question": line, "choices": [line, "b"]}}),
            json!({"react": {"reaction": line}}),
            json!({"load": {"url": line}}),
        ] {
            let from = eve.mark();
            eve.say(&intent.to_string());
            eve.wait_from(from, "an answer", |line| {
                (line.get("accepted").is_some() || line.get("refused").is_some()).then_some(())
            });
        }
        crate::support::pause(std::time::Duration::from_millis(100)); // the rate a member has
    }
    let from = eve.mark();
    eve.say(&json!({"say": {"text": "the end of it"}}).to_string());
    eve.wait_event(from, "said");
    ana.wait("the last line", |line| {
        line.as_str()?.contains("the end of it").then_some(())
    });
    let printed: Vec<String> = ana
        .lines()
        .iter()
        .map(|line| {
            line.as_str()
                .map_or_else(|| line.to_string(), str::to_owned)
        })
        .collect();
    let hurts = |char: char| {
        char.is_control()
            || matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
    };
    for line in &printed {
        assert!(!line.chars().any(hurts), "the terminal was told {line:?}");
        assert!(!line.starts_with("Ana:"), "a forged line: {line:?}");
    }
    for line in ana.errors().lines() {
        assert!(!line.chars().any(hurts), "the log was told {line:?}");
    }
    tried(
        "nothing_typed_moves_a_terminal_or_forges_a_line",
        lines.len() * 5,
    );
}

/// Somebody's own program, written from `docs/protocol.md` and nothing else.
#[test]
fn a_client_written_from_the_documentation_joins_acts_and_is_refused() {
    let python = Command::new("python3").arg("--version").output();
    if python.is_err() {
        eprintln!("skipped: no python3");
        return;
    }
    let home = Home::new();
    let (ana, link) = host(&home, &[]);
    let mut client = Command::new("python3")
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/external/client.py"
        ))
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(client.stdin.take().unwrap(), "{link}").unwrap();
    let output = client.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}\n{said}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut told = serde_json::Map::new();
    for line in said.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        told.extend(line.as_object().unwrap().clone());
    }
    let expected = json!({
        "stranger": ["refused", "bad_invite"],
        "hello": ["welcome", 2],
        "caught_up": true,
        "pong": true,
        "say": "accepted",
        "load": "accepted",
        "kick": {"not_allowed": {"action": "moderate", "role": "guest"}},
        "fly": "not_understood",
        "once": true,
        "secret": ["accepted", true],
        "viewer": ["welcome", {"not_allowed": {"action": "move the film", "role": "viewer"}}],
        "used_up": "invite_over",
        "back": ["welcome", true],
        "replaced": "replaced",
        "nonsense": "refused",
    });
    for (what, wanted) in expected.as_object().unwrap() {
        assert_eq!(told.get(what), Some(wanted), "{what} of {said}");
    }
    assert_eq!(told["play"][1]["refusal"], "nothing_loaded");
    let said = ana.wait_event(0, "said");
    assert_eq!(said["body"]["said"]["text"], "Hello from the documentation");
}
