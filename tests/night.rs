//! A film night from beginning to end, with real processes, real Chromium and a real film.

#![cfg(feature = "browser")]
#![expect(
    clippy::disallowed_methods,
    reason = "other processes live in real time; every wait has a deadline"
)]

mod doubles;
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::input::{
    DispatchMouseEventParams, DispatchMouseEventType, MouseButton,
};
use chromiumoxide::{Browser, Page};
use futures_util::StreamExt as _;
use serde_json::Value;

use doubles::{Film, Server, or_skip};
use support::proxy::Cable;
use support::{
    DEADLINE, Home, Program, address_of, found_chrome, host_words, join_words, live, live_from,
    opened,
};

/// How far from the timeline a player may stand when things have settled (the issue's number).
const IN_STEP_MICROS: i64 = 100_000;

/// The film server, or the printed reason why this test cannot run here.
async fn films() -> Option<Server> {
    or_skip(found_chrome())?;
    Some(Server::films(or_skip(Film::made())?).await)
}

/// Waits until `watcher` has seen every one of `members` playing within [`IN_STEP_MICROS`] of the line.
fn wait_in_step(watcher: &Program, from: usize, members: &[u64]) {
    let drifts = |line: &Value| -> Option<BTreeMap<u64, i64>> {
        let all = line["presence"].as_array()?;
        Some(
            all.iter()
                .filter(|one| one["report"]["activity"] == "playing")
                .filter_map(|one| Some((one["member"].as_u64()?, one["report"]["drift"].as_i64()?)))
                .collect(),
        )
    };
    watcher.wait_from(from, &format!("members {members:?} in step"), |line| {
        let drifts = drifts(line)?;
        members
            .iter()
            .all(|member| {
                drifts
                    .get(member)
                    .is_some_and(|drift| drift.abs() <= IN_STEP_MICROS)
            })
            .then_some(())
    });
}

fn wait_activity(watcher: &Program, from: usize, member: u64, activity: &str) {
    watcher.wait_from(from, &format!("member {member} {activity}"), |line| {
        line["presence"]
            .as_array()?
            .iter()
            .find(|one| one["member"] == member && one["report"]["activity"] == activity)
            .map(drop)
    });
}

/// The numbers of the events a member printed: each must come once, in order, from 1.
fn assert_dense(who: &str, program: &Program) {
    let seqs: Vec<u64> = program
        .events()
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    let wanted: Vec<u64> = (1..=seqs.len() as u64).collect();
    assert_eq!(seqs, wanted, "{who} missed or doubled an event");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_film_night_with_a_cut_cable_a_late_guest_and_a_killed_host_loses_nothing() {
    let Some(films) = films().await else { return };
    let (home, guests) = (Home::new(), Home::new());
    let url = films.url("/film.mp4");
    let mut ana = home.start(
        "Ana (host)",
        &host_words(&[
            "--title",
            "Film night",
            "--player",
            "browser",
            "--headless",
            "--media",
            &url,
        ]),
    );
    let (session, link) = opened(&ana);
    let address = address_of(&link);

    // Bo has a player of his own; Cy has none and a cable that can be pulled.
    let mut bo = guests.start(
        "Bo",
        &[
            "join",
            "--json",
            &link,
            "--name",
            "Bo",
            "--player",
            "browser",
            "--headless",
        ],
    );
    live(&bo);
    let cable = Cable::to(address.parse().unwrap()).await;
    let through_cable = link.replace(&address, &cable.address().to_string());
    let mut cy = guests.start("Cy", &join_words(&through_cable, "Cy"));
    cy.wait_event(0, "measured");
    wait_activity(&cy, 0, 1, "paused");
    wait_activity(&cy, 0, 2, "paused");

    // Bo starts it; both players run in step.
    let mark = cy.mark();
    bo.say("play");
    assert_eq!(cy.wait_event(mark, "played")["by"], 2);
    wait_in_step(&cy, mark, &[1, 2]);

    // Everybody has a hand on it.
    let mark = cy.mark();
    cy.say("seek 0:40");
    cy.wait_event(mark, "seeked");
    ana.say("say Look at that bridge");
    assert_eq!(
        bo.wait_event(0, "said")["body"]["said"]["text"],
        "Look at that bridge"
    );
    let mark = cy.mark();
    ana.say(r#"{"rate":{"rate":1250}}"#);
    cy.wait_event(mark, "rate_set");
    wait_in_step(&cy, mark, &[1, 2]);
    let mark = cy.mark();
    bo.say("pause");
    cy.wait_event(mark, "paused");
    wait_activity(&cy, mark, 1, "paused");
    let mark = cy.mark();
    ana.say("rate 1");
    cy.wait_event(mark, "rate_set");
    ana.say("play");
    cy.wait_event(mark, "played");

    // Cy is cut off; the film goes on; what happened meanwhile reaches him by replay.
    let (mark, ana_mark) = (cy.mark(), ana.mark());
    cable.cut();
    cy.wait_from(mark, "that it is cut off", |line| {
        (line["connection"]["state"] == "lost").then_some(())
    });
    assert_eq!(
        ana.wait_event(ana_mark, "left")["body"]["left"]["reason"],
        "lost"
    );
    let missed = ana.mark();
    bo.say("say Cy is gone");
    bo.say("seek 1:00");
    ana.wait_event(missed, "said");
    ana.wait_event(missed, "seeked");
    cable.mend();
    let back = cy.wait_event(mark, "seeked");
    assert_eq!(back["body"]["seeked"]["position"], 60_000_000);
    live_from(&cy, mark);
    assert_dense("Cy", &cy);

    // Dee joins late and holds the same state at once.
    let mut dee = guests.start("Dee", &join_words(&link, "Dee"));
    live(&dee);
    assert_dense("Dee", &dee);

    // The host is killed in the middle of the film and started again.
    let mark = cy.mark();
    wait_in_step(&cy, mark, &[1, 2]);
    let before = cy.state_at_least(1);
    ana.kill();
    let mut ana = home.start(
        "Ana (host, again)",
        &host_words(&[
            "--session",
            &session,
            "--bind",
            &address,
            "--player",
            "browser",
            "--headless",
        ]),
    );
    let (_, link_again) = opened(&ana);
    assert_eq!(link_again, link, "a restart keeps the link");
    for member in [&cy, &dee, &bo] {
        member.wait("the new epoch", |line| {
            (line["event"]["epoch"] == 2).then_some(())
        });
    }
    let mark = cy.mark();
    wait_in_step(&cy, mark, &[1, 2]);
    let after = cy.state_at_least(1);
    assert_eq!(
        before["state"]["timeline"]["anchor"], after["state"]["timeline"]["anchor"],
        "a playing room plays on"
    );
    assert_eq!(after["state"]["timeline"]["anchor"]["playing"], true);

    // The end: everybody stands on the same state, and nobody missed or doubled an event.
    let mark = ana.mark();
    cy.say("pause");
    ana.wait_event(mark, "paused");
    let mark = ana.mark();
    dee.say("say Good night");
    let last = ana.wait_event(mark, "said")["seq"].as_u64().unwrap();
    let members = [
        ("Ana", &mut ana),
        ("Bo", &mut bo),
        ("Cy", &mut cy),
        ("Dee", &mut dee),
    ];
    let mut ends: Vec<(&str, Value, Vec<Value>)> = Vec::new();
    for (who, member) in members {
        let state = member.state_at_least(last);
        assert_dense(who, member);
        ends.push((who, state, member.events()));
    }
    let (_, state, events) = &ends[0];
    for (who, other, seen) in &ends[1..] {
        assert_eq!(other["seq"], state["seq"], "{who}");
        assert_eq!(
            other["digest"], state["digest"],
            "{who} folds to another state"
        );
        assert_eq!(seen, events, "{who} saw other events");
    }

    // Afterwards, the log says the same.
    ana.say("quit");
    assert!(ana.wait_end(), "the host ends cleanly: {}", ana.errors());
    let told = home.run(&["replay", "--json", &session]).json();
    let replayed: Vec<&Value> = told.iter().filter_map(|line| line.get("event")).collect();
    assert_eq!(
        &replayed[..events.len()],
        events.iter().collect::<Vec<_>>(),
        "replay tells what happened"
    );
    let at = home
        .run(&["replay", "--json", &session, "--at", &last.to_string()])
        .json();
    assert_eq!(
        at.last().unwrap()["digest"],
        state["digest"],
        "replay rebuilds what members held"
    );
    let verified = home.run(&["verify", "--json", &session]).json();
    assert_eq!(verified[0]["verified"]["events"], replayed.len() as u64);
    assert_eq!(
        verified[0]["verified"]["digest"],
        told.last().unwrap()["digest"]
    );
    let words = home.run(&["replay", "Film night"]).stdout();
    for sentence in [
        "Bo pressed play",
        "Cy lost the connection",
        "Cy is back",
        "Ana: Look at that bridge",
        "The host was away",
    ] {
        assert!(
            words.contains(sentence),
            "{sentence:?} is missing in:\n{words}"
        );
    }

    // The trace outlived the killed host: each player's film was seen to run before and after.
    let gap = told
        .iter()
        .filter_map(|line| line.get("event"))
        .filter(|event| event["body"].get("epoch_started").is_some())
        .filter_map(|event| event["at"].as_u64())
        .next_back()
        .expect("the restart is an event");
    let traced = home.run(&["replay", "--json", &session, "--trace"]).json();
    let running = |member: u64, after: bool| {
        let seen = traced.iter().map(|line| &line["observed"]).filter(|seen| {
            seen["member"] == member
                && (seen["at"].as_u64() >= Some(gap)) == after
                && seen["what"]["vitals"]["report"]["activity"] == "playing"
                && seen["what"]["vitals"]["clock_error"].is_u64()
        });
        seen.count()
    };
    for who in [1, 2] {
        for after in [false, true] {
            let count = running(who, after);
            assert!(
                count >= 1,
                "member {who}, after the restart {after}: {count}"
            );
        }
    }
    let plot = home.run(&["replay", &session, "--plot", "Bo"]).stdout();
    assert!(
        plot.starts_with("Bo: ") && plot.contains("±1 ms ┤"),
        "{plot}"
    );
}

/// The only Chrome that runs with this home.
async fn chrome_of(home: &Home) -> Browser {
    let began = std::time::Instant::now();
    loop {
        let folder = std::fs::read_dir(home.path().join("tmp"))
            .into_iter()
            .flatten()
            .flatten()
            .find_map(|one| std::fs::read_to_string(one.path().join("DevToolsActivePort")).ok());
        if let Some((port, path)) = folder.as_deref().and_then(|text| text.split_once('\n')) {
            let (browser, mut handler) =
                Browser::connect(format!("ws://127.0.0.1:{}{}", port, path.trim()))
                    .await
                    .expect("Chrome answers");
            tokio::spawn(async move { while handler.next().await.is_some() {} });
            return browser;
        }
        assert!(began.elapsed() < DEADLINE, "Chrome never opened its port");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The window of that Chrome which shows an address that ends so.
///
/// Chrome tells of its windows by itself; asking for them as well attaches to each a second time,
/// and one of the two sessions is gone before it can be used.
async fn page_of(chrome: &Browser, ending: &str) -> Page {
    let began = std::time::Instant::now();
    loop {
        for page in chrome.pages().await.expect("Chrome lists its pages") {
            let shown = page.url().await.ok().flatten();
            if shown.is_some_and(|address| address.ends_with(ending)) {
                return page;
            }
        }
        assert!(began.elapsed() < DEADLINE, "Chrome shows no {ending}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_click_inside_the_player_is_one_event_by_that_member() {
    let Some(films) = films().await else { return };
    let (home, guests) = (Home::new(), Home::new());
    let mut ana = home.start(
        "Ana (host)",
        &[
            "host",
            "--json",
            "--name",
            "Ana",
            "--bind",
            "127.0.0.1:0",
            "--player",
            "none",
            "--media",
            &films.url("/film.mp4"),
        ],
    );
    let (_, link) = opened(&ana);
    let bo = guests.start(
        "Bo",
        &[
            "join",
            "--json",
            &link,
            "--name",
            "Bo",
            "--player",
            "browser",
            "--headless",
        ],
    );
    wait_activity(&ana, 0, 2, "paused");
    let mark = ana.mark();
    ana.say("play");
    wait_in_step(&ana, mark, &[2]);

    // Bo clicks on the film in his Chrome window, as a person would.
    let chrome = chrome_of(&guests).await;
    let page = page_of(&chrome, "/film.mp4").await;
    let mark = ana.mark();
    for kind in [
        DispatchMouseEventType::MouseMoved,
        DispatchMouseEventType::MousePressed,
        DispatchMouseEventType::MouseReleased,
    ] {
        let mut event = DispatchMouseEventParams::new(kind, 300.0, 200.0);
        event.button = Some(MouseButton::Left);
        event.click_count = Some(1);
        page.execute(event).await.expect("the mouse moves");
    }
    let paused = ana.wait_event(mark, "paused");
    assert_eq!(
        (&paused["by"], &paused["via"]),
        (&Value::from(2), &Value::from("player"))
    );

    // Give an echo every chance: the room moves on twice, and still there was one pause by Bo.
    wait_activity(&ana, mark, 2, "paused");
    let later = ana.mark();
    ana.say("seek 1:00");
    ana.wait_event(later, "seeked");
    ana.say("play");
    wait_in_step(&ana, later, &[2]);
    let pauses = ana
        .events()
        .iter()
        .filter(|event| !event["body"]["paused"].is_null())
        .count();
    assert_eq!(pauses, 1, "one click, one event");
    let by_bo = ana
        .events()
        .iter()
        .filter(|event| event["by"] == 2 && event["via"] == "player")
        .count();
    let measured = ana
        .events()
        .iter()
        .filter(|event| !event["body"]["measured"].is_null())
        .count();
    assert_eq!(
        by_bo,
        1 + measured,
        "and nothing else came out of Bo's player"
    );
    drop(bo);
}
