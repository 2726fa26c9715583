//! The real window on a real screen, with a hand on its mouse and its keys.
//!
//! Needs a display, xdotool and a window manager; `scripts/test` brings them
//! with `xvfb-run`. Places are those of the window at its first size.

#![cfg(all(feature = "gui", feature = "browser"))]

mod support;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use seance::broadcast::door::Door;
use seance::engine::event::Role;
use seance::engine::id::SessionId;
use seance::net::link::JoinLink;
use serde_json::Value;

use support::{DEADLINE, Home, Program, join_words, live};

/// Where things are in a window of 1100 × 720.
mod place {
    pub const NAME: (u32, u32) = (278, 156);
    pub const TITLE: (u32, u32) = (330, 282);
    pub const FILM: (u32, u32) = (330, 353);
    pub const HOST: (u32, u32) = (330, 467);
    pub const STAGE: (u32, u32) = (300, 120);
    pub const PLAY: (u32, u32) = (84, 563);
    pub const MESSAGE: (u32, u32) = (880, 637);
    pub const LEAVE: (u32, u32) = (1040, 27);
    /// The answer to what is asked while others are in; nothing is there before and after.
    pub const END: (u32, u32) = (1029, 80);
    /// The column of the past sessions' "Watch again"; above it are the cards to host and join.
    pub const WATCH_AGAIN: (u32, std::ops::Range<u32>) = (806, 532..716);
}

/// Why the window cannot be tested here; `None` when it can.
fn no_screen() -> Option<&'static str> {
    let has = |program: &str| {
        Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if std::env::var_os("DISPLAY").is_none_or(|display| display.is_empty()) {
        Some("no display (scripts/test brings one)")
    } else if !has("xdotool") || !has("openbox") {
        Some("no xdotool or openbox")
    } else {
        None
    }
}

/// Ends with its value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What xdotool prints; `None` when it fails, as a search without a find does.
fn xdotool(args: &[&str]) -> Option<String> {
    let output = Command::new("xdotool")
        .args(args)
        .output()
        .expect("xdotool runs");
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Asks until there is an answer.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let step = Duration::from_millis(100);
    for _ in 0..(DEADLINE.as_millis() / step.as_millis()) {
        if let Some(answer) = ask() {
            return answer;
        }
        support::pause(step);
    }
    panic!("{what} never came");
}

/// The window, by its number.
struct Window(String);

impl Window {
    fn named(name: &str) -> Self {
        Self(until(&format!("a window called {name}"), || {
            let found = xdotool(&["search", "--onlyvisible", "--name", name])?;
            found.lines().last().map(str::to_owned)
        }))
    }

    fn click(&self, (x, y): (u32, u32)) {
        let (x, y) = (x.to_string(), y.to_string());
        xdotool(&["mousemove", "--window", &self.0, &x, &y, "click", "1"])
            .expect("the mouse works");
    }

    fn type_into(&self, place: (u32, u32), text: &str) {
        self.click(place);
        xdotool(&["key", "ctrl+a"]).expect("the keys work");
        xdotool(&["type", "--delay", "20", text]).expect("the keys work");
    }

    fn title(&self) -> String {
        xdotool(&["getwindowname", &self.0]).unwrap_or_default()
    }
}

/// The link to the only session of this home: the window shows it, and its key gives it.
fn link_of(home: &Home) -> (SessionId, JoinLink) {
    until("a session on air", || {
        let folder = std::fs::read_dir(home.path().join("sessions"))
            .ok()?
            .flatten()
            .next()?
            .path();
        let info: Value =
            serde_json::from_slice(&std::fs::read(folder.join("session.json")).ok()?).ok()?;
        let port = info["bind"].as_str()?.rsplit(':').next()?.to_owned();
        let key = std::fs::read(folder.join("key")).ok()?;
        let session: SessionId = info["session"].as_str()?.parse().ok()?;
        let door = Door::new(key.try_into().ok()?);
        Some((
            session,
            JoinLink::new(
                &format!("127.0.0.1:{port}"),
                session,
                door.invite(Role::Guest),
            ),
        ))
    })
}

#[test]
fn an_evening_in_the_window_is_hosted_controlled_left_and_remembered() {
    if let Some(reason) = no_screen() {
        return eprintln!("skipped: {reason}");
    }
    let manager = Command::new("openbox")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _manager = Running(manager.expect("openbox starts"));
    let (home, guests) = (Home::new(), Home::new());
    let display = std::env::var("DISPLAY").expect("looked at above");
    let mut command = home.command(&[]);
    // Chrome has its own tests; here it is missing, and the party goes on without.
    command
        .env("DISPLAY", display)
        .env("SEANCE_CHROME", "/nowhere/chrome")
        .env("PATH", "/nowhere");
    let mut program = Program::start("The window", command);

    let window = Window::named("Séance");
    window.type_into(place::NAME, "Ana");
    window.type_into(place::TITLE, "Stalker");
    window.type_into(place::FILM, "http://127.0.0.1:9/film.mp4");
    window.click(place::HOST);
    until("the room", || {
        (window.title() == "Stalker · Séance").then_some(())
    });
    let (session, link) = link_of(&home);

    let mut bo = guests.start("Bo", &join_words(&link.to_string(), "Bo"));
    live(&bo);
    assert_eq!(bo.wait_event(0, "media_set")["by"], 1);

    window.click(place::PLAY);
    assert_eq!(bo.wait_event(0, "played")["via"], "gui");
    window.click(place::STAGE);
    xdotool(&["key", "space"]).expect("the keys work");
    assert_eq!(bo.wait_event(0, "paused")["via"], "key");
    window.type_into(place::MESSAGE, "hello from the window");
    xdotool(&["key", "Return"]).expect("the keys work");
    assert_eq!(
        bo.wait_event(0, "said")["body"]["said"]["text"],
        "hello from the window"
    );
    bo.say("say and hello to it");
    bo.wait("his line", |line| {
        (line["event"]["body"]["said"]["text"] == "and hello to it").then_some(())
    });

    // Bo is still there, so that it is asked first.
    window.click(place::LEAVE);
    until("the start screen", || {
        window.click(place::END);
        (window.title() == "Séance").then_some(())
    });
    bo.wait("that the host closed", |line| {
        line["connection"]["reason"]
            .as_str()
            .filter(|reason| reason.contains("closed the party"))
            .map(drop)
    });
    // The evening is among the past ones, and can be watched again.
    let replaying = || window.title().starts_with("Replay of “Stalker”, ");
    until("the replay", || {
        let (x, rows) = place::WATCH_AGAIN;
        rows.step_by(16).find_map(|y| {
            window.click((x, y));
            support::pause(Duration::from_millis(100));
            replaying().then_some(())
        })
    });
    xdotool(&["key", "End"]).expect("the keys work");
    xdotool(&["key", "space"]).expect("the keys work");
    window.click(place::LEAVE);
    until("the start screen", || {
        (window.title() == "Séance").then_some(())
    });
    xdotool(&["windowclose", &window.0]).expect("the window closes");
    program.wait_end();

    let told = home.run(&["replay", &session.to_string()]).stdout();
    for sentence in [
        "Ana joined",
        "Ana pressed play",
        "Ana: hello from the window",
        "Bo: and hello to it",
        "Ana left",
    ] {
        assert!(
            told.contains(sentence),
            "{sentence:?} is missing in:\n{told}"
        );
    }
    let listed = home.run(&["sessions", "--json"]).json();
    assert_eq!(
        (
            &listed[0]["session"]["title"],
            &listed[0]["session"]["people"]
        ),
        (&Value::from("Stalker"), &Value::from(2))
    );
}
