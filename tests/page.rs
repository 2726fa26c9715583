//! The guest page in a real Chromium, served by a real host, operated as by hand.

#![cfg(feature = "browser")]

mod doubles;
#[path = "support/evenings.rs"]
mod evenings;
mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use seance::engine;
use seance::engine::fold::RoomState;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use doubles::youtube_embed::{self, FORBIDDEN, MARKUP, PLAIN};
use doubles::{Film, Server, embeds, or_skip};
use support::chrome::{Chrome, Visitor};
use support::proxy::Cable;
use support::{Home, Program, address_of, found_chrome, host_words, join_words, live, opened};

/// How far from the timeline a player may stand when things have settled (the issue's number).
const IN_STEP_MICROS: i64 = 100_000;
/// The same where it takes no other rate: less is left in peace, as a jump would show more.
const LEFT_IN_PEACE_MICROS: i64 = 450_000;

static STAGE: Mutex<()> = Mutex::const_new(());

/// One test's hold of the machine: two Chromiums on two cores would measure each other.
struct Stage {
    film: Film,
    films: Server,
    _alone: MutexGuard<'static, ()>,
}

impl Stage {
    /// The stage, or `None` with a printed reason.
    async fn enter() -> Option<Self> {
        or_skip(found_chrome())?;
        let film = or_skip(Film::made())?;
        Some(Self {
            _alone: STAGE.lock().await,
            films: Server::films(film.clone()).await,
            film,
        })
    }
}

/// A host on air.
struct Host {
    program: Program,
    session: String,
    link: String,
}

impl Host {
    /// Where it listens.
    fn address(&self) -> String {
        address_of(&self.link)
    }
}

/// Starts a host called Ana; `more` are arguments beside the usual.
fn host(home: &Home, more: &[&str]) -> Host {
    let program = home.start("Ana (host)", &host_words(more));
    let (session, link) = opened(&program);
    live(&program);
    Host {
        program,
        session,
        link,
    }
}

/// Starts a member in a terminal, without a player, and waits until it is in.
fn terminal(home: &Home, link: &str, name: &str) -> Program {
    let member = home.start(name, &join_words(link, name));
    live(&member);
    member
}

/// Types a name at the door and presses the button; returns the member's number.
async fn join(visitor: &Visitor, name: &str) -> u64 {
    visitor
        .until("!document.querySelector('#join-form').hidden")
        .await;
    visitor.click("#name-input").await;
    visitor
        .eval("document.querySelector('#name-input').select()")
        .await;
    visitor.write(name).await;
    visitor.click("#join-button").await;
    visitor.until("seance.status === 'live'").await;
    visitor
        .eval("seance.member")
        .await
        .as_u64()
        .expect("a member has a number")
}

/// Says something in the chat.
async fn say(visitor: &Visitor, text: &str) {
    visitor.click("#say-input").await;
    visitor.write(text).await;
    visitor.press("Enter").await;
}

/// Waits until the page's player runs on the room's line.
async fn until_in_step(visitor: &Visitor) {
    until_within(visitor, IN_STEP_MICROS).await;
}

/// Waits until the page's player runs so near the room's line.
async fn until_within(visitor: &Visitor, micros: i64) {
    visitor
        .until(&format!(
            "seance.activity === 'playing' && seance.drift !== null && Math.abs(seance.drift) <= {micros}"
        ))
        .await;
}

/// The events of a kind that a member made, out of what somebody saw.
fn made_by<'a>(events: &'a [Value], member: u64, kind: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| event["by"] == member && !event["body"][kind].is_null())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_opens_the_link_watches_in_step_talks_and_has_a_hand_on_the_film() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let (home, guests) = (Home::new(), Home::new());
    let mut ana = host(
        &home,
        &[
            "--player",
            "browser",
            "--headless",
            "--title",
            "Film night",
            "--media",
            &stage.films.url("/film.mp4"),
        ],
    );
    let mut bo = terminal(&guests, &ana.link, "Bo");
    let chrome = Chrome::start(&[]).await;
    let kim = chrome.visitor("Kim").await;
    kim.open(&ana.link).await;
    let number = join(&kim, "Kim").await;
    assert_eq!(number, 3);
    assert_eq!(
        bo.wait("Kim", |line| {
            let joined = &line["event"]["body"]["joined"];
            (joined["name"] == "Kim").then(|| joined["client"].clone())
        }),
        "page"
    );
    kim.until("document.title === 'Film night · Séance'").await;

    // Play, by the button; everybody runs in step.
    kim.until("seance.activity === 'paused'").await;
    let mark = bo.mark();
    kim.click("#play").await;
    let played = bo.wait_event(mark, "played");
    assert_eq!((&played["by"], &played["via"]), (&3.into(), &"page".into()));
    until_in_step(&kim).await;
    bo.wait_from(mark, "Ana and Kim in step", |line| {
        let in_step = |member: u64| {
            line["presence"].as_array()?.iter().find(|one| {
                one["member"] == member
                    && one["report"]["activity"] == "playing"
                    && one["report"]["drift"]
                        .as_i64()
                        .is_some_and(|drift| drift.abs() <= IN_STEP_MICROS)
            })
        };
        in_step(1).and(in_step(3)).map(drop)
    });

    // Talk, both ways; what looks like markup or turns the line is text.
    for text in [
        "<b>bold</b> & <img src=x>",
        "🎬🍿 ¡olé!",
        "שלום עולם, مرحبا",
    ] {
        let mark = bo.mark();
        say(&kim, text).await;
        assert_eq!(bo.wait_event(mark, "said")["body"]["said"]["text"], text);
        let answer = format!("re: {text}");
        bo.say(&format!("say {answer}"));
        let shown = format!(
            "[...document.querySelectorAll('#lines .words')].some((line) => line.lastChild.nodeType === 3 && line.lastChild.data === {})",
            Value::from(answer.as_str())
        );
        kim.until(&shown).await;
    }
    let inside = "document.querySelectorAll('#lines b, #lines img').length";
    assert_eq!(kim.eval(inside).await, 0);

    // Pause by the button is one event, by her, through the page.
    let mark = bo.mark();
    kim.click("#play").await;
    let paused = bo.wait_event(mark, "paused");
    assert_eq!((&paused["by"], &paused["via"]), (&3.into(), &"page".into()));
    kim.until("seance.activity === 'paused'").await;

    // The keyboard: space, and arrows that add up to one seek.
    kim.click("#film").await;
    let mark = bo.mark();
    kim.press(" ").await;
    assert_eq!(bo.wait_event(mark, "played")["via"], "key");
    until_in_step(&kim).await;
    kim.press("ArrowRight").await;
    kim.press("ArrowRight").await;
    let seeked = bo.wait_event(mark, "seeked");
    assert_eq!((&seeked["by"], &seeked["via"]), (&3.into(), &"key".into()));
    until_in_step(&kim).await;

    // A click on the bar seeks there.
    let mark = bo.mark();
    kim.click_across("#seek", 0.5).await;
    let seeked = bo.wait_event(mark, "seeked");
    assert_eq!(seeked["via"], "page");
    let to = seeked["body"]["seeked"]["position"].as_u64().unwrap();
    assert!(
        (57_000_000..=63_000_000).contains(&to),
        "the middle, not {to}"
    );
    until_in_step(&kim).await;

    // What is refused says so in a sentence, and leaves no event.
    kim.click("#load-open").await;
    kim.write("http://192.0.2.1/other.mp4").await;
    kim.press("Enter").await;
    let sentence = kim
        .until("document.querySelector('#toasts li span')?.textContent")
        .await;
    assert!(
        sentence.as_str().unwrap().contains("Ask the host"),
        "{sentence}"
    );

    // The room moves on; nothing she did echoed into a second event.
    let mark = bo.mark();
    ana.program.say("pause");
    assert_eq!(bo.wait_event(mark, "paused")["by"], 1);
    kim.until("seance.activity === 'paused'").await;
    let mark = bo.mark();
    bo.say("say Good night");
    bo.wait_event(mark, "said");
    let events = bo.events();
    assert_eq!(made_by(&events, 3, "paused").len(), 1);
    assert_eq!(made_by(&events, 3, "played").len(), 2);
    assert_eq!(made_by(&events, 3, "seeked").len(), 2);
    assert_eq!(made_by(&events, 3, "media_set").len(), 0);
    kim.assert_no_troubles();
    chrome.close().await;
}

/// The state a member in a terminal holds once it is the one after event `seq`.
fn state_after(member: &mut Program, seq: u64) -> Value {
    let told = member.state_at_least(seq);
    assert_eq!(told["seq"], seq, "nothing happened since");
    told["state"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_busy_evening_the_page_holds_the_very_state_the_host_holds() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let (home, guests) = (Home::new(), Home::new());
    let mut ana = host(&home, &["--media", &stage.films.url("/film.mp4")]);
    let mut bo = terminal(&guests, &ana.link, "Bo");
    let mut cy = terminal(&guests, &ana.link, "Cy");
    let chrome = Chrome::start(&[]).await;
    let kim = chrome.visitor("Kim").await;
    // Her browser keeps nothing for pages, and says so by an error.
    kim.page
        .evaluate_on_new_document(
            "for (const name of ['localStorage', 'sessionStorage']) {
                Object.defineProperty(window, name, { get() { throw new DOMException('no', 'SecurityError'); } });
            }",
        )
        .await
        .unwrap();
    kim.open(&ana.link).await;
    join(&kim, "Kim").await;
    kim.until("seance.activity === 'paused'").await;

    // Everybody at once, with more lines and more answers than a state keeps.
    const ROUNDS: usize = 36;
    for round in 0..ROUNDS {
        ana.program.say(&format!("say <i>{round}</i> “Ana” 🎬"));
        ana.program.say(&format!("say and then {round}"));
        bo.say(&format!("seek 0:{:02}", 10 + round));
        bo.say(&format!("say line {round} \\ \"quoted\" שלום"));
        cy.say(if round % 2 == 0 { "play" } else { "pause" });
        cy.say(&format!(r#"{{"rate":{{"rate":{}}}}}"#, 750 + 7 * round));
        if round % 6 == 0 {
            cy.say(&format!("name Cyrus {round}"));
            say(&kim, &format!("round {round}")).await;
            kim.click("#play").await;
        }
    }
    for member in [&mut ana.program, &mut bo, &mut cy] {
        let mark = member.mark();
        member.say("say that was all");
        member.wait_from(mark, "its own last word", |line| {
            (line["event"]["body"]["said"]["text"] == "that was all").then_some(())
        });
    }
    ana.program
        .say("load https://www.netflix.com/watch/80057281?t=83");
    ana.program.wait("the other film", |line| {
        (line["event"]["body"]["media_set"]["item"] == 2).then_some(())
    });
    cy.say("quit");
    assert!(cy.wait_end(), "{}", cy.errors());
    ana.program.wait("that Cy left", |line| {
        (!line["event"]["body"]["left"].is_null()).then_some(())
    });
    let mark = ana.program.mark();
    ana.program.say("say the end");
    let last = ana.program.wait_event(mark, "said")["seq"]
        .as_u64()
        .unwrap();
    let lines = made_by(&ana.program.events(), 1, "said").len()
        + made_by(&ana.program.events(), 2, "said").len();
    assert!(
        lines > 100,
        "only {lines} lines of talk among {last} events"
    );

    let theirs = state_after(&mut ana.program, last);
    kim.until(&format!("seance.seq === {last}")).await;
    let text = kim.eval("JSON.stringify(seance.state)").await;
    let hers: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
    assert_eq!(hers, theirs);
    assert_eq!(state_after(&mut bo, last), theirs);
    chrome.close().await;
}

/// Folds events in the page's own code, as a page does that is told them one by one.
const FOLD: &str = r#"(async (events) => {
    const { Replay } = await import("/assets/fold.js");
    const replay = new Replay();
    for (const event of events) {
        if (!replay.take(event) || replay.take(event)) throw new Error(`event ${event.seq} is taken twice or not at all`);
    }
    return JSON.stringify(replay.state);
})"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chromium_folds_every_evening_to_the_programs_bytes() {
    let Some(_stage) = Stage::enter().await else {
        return;
    };
    let home = Home::new();
    let ana = host(&home, &[]);
    let chrome = Chrome::start(&[]).await;
    let page = chrome.visitor("a page").await;
    page.open(&ana.link).await;
    for seed in 101..=108 {
        let events = evenings::evening(seed);
        assert!(events.len() > 100, "evening({seed}) is short");
        let mut state = RoomState::default();
        for event in &events {
            state.apply(event);
        }
        let events = serde_json::to_string(&events).unwrap();
        let folded = page.eval(&format!("{FOLD}({events})")).await;
        assert_eq!(
            folded.as_str().unwrap(),
            serde_json::to_string(&state).unwrap(),
            "evening({seed})"
        );
    }
    page.assert_no_troubles();
    chrome.close().await;
}

/// Watches how far the player's clock strays from running evenly; `smooth.stray()` tells, in microseconds.
const WATCH_EVENLY: &str = "window.smooth = (() => {
    let [least, most, seen] = [Infinity, -Infinity, 0];
    setInterval(() => {
        const sample = seance.position;
        if (sample === null) return;
        const off = sample.position - sample.at;
        [least, most, seen] = [Math.min(least, off), Math.max(most, off), seen + 1];
    }, 20);
    return { stray: () => most - least, seen: () => seen };
})(), true";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_a_cut_cable_and_a_killed_host_lose_neither_the_member_nor_the_film() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let (home, guests) = (Home::new(), Home::new());
    let mut ana = host(&home, &["--media", &stage.films.url("/film.mp4")]);
    let address = ana.address();
    let mut bo = terminal(&guests, &ana.link, "Bo");
    let cable = Cable::to(address.parse().unwrap()).await;
    let chrome = Chrome::start(&[]).await;
    let kim = chrome.visitor("Kim").await;
    kim.open(&ana.link.replace(&address, &cable.address().to_string()))
        .await;
    let number = join(&kim, "Kim").await;
    kim.until("seance.activity === 'paused'").await;
    bo.say("play");
    until_in_step(&kim).await;

    // A reload: the name is still there, one press, and she is the same member.
    let mark = bo.mark();
    kim.reload().await;
    kim.until("document.activeElement.id === 'join-button'")
        .await;
    kim.click("#join-button").await;
    kim.until("seance.status === 'live'").await;
    assert_eq!(kim.eval("seance.member").await, number);
    assert_eq!(
        bo.wait_event(mark, "joined")["body"]["joined"]["member"],
        number
    );
    until_in_step(&kim).await;
    kim.assert_no_troubles();

    // A cut cable: a word about it, the film goes on, and what she missed is told when it is mended.
    kim.eval(WATCH_EVENLY).await;
    let mark = bo.mark();
    cable.cut();
    let words = kim
        .until("!document.querySelector('#banner').hidden && document.querySelector('#banner-text').textContent")
        .await;
    assert!(words.as_str().unwrap().contains("still playing"), "{words}");
    assert_eq!(
        bo.wait_event(mark, "left")["body"]["left"]["member"],
        number
    );
    bo.say("say Kim is gone");
    ana.program.say("say She will be back");
    bo.wait_from(mark, "what Ana said", |line| {
        (line["event"]["body"]["said"]["text"] == "She will be back").then_some(())
    });
    let missed = bo.wait_event(mark, "said")["seq"].as_u64().unwrap();
    assert!(kim.eval("seance.seq").await.as_u64().unwrap() < missed);
    cable.mend();
    kim.until("seance.status === 'live' && document.querySelector('#banner').hidden")
        .await;
    kim.until("document.querySelector('#lines').textContent.includes('She will be back')")
        .await;
    assert_eq!(kim.eval("seance.member").await, number);
    until_in_step(&kim).await;

    // The host dies in the middle of the film and is started again: the picture never jumps.
    let mark = bo.mark();
    ana.program.kill();
    kim.until("seance.status === 'lost'").await;
    assert_eq!(kim.eval("seance.activity").await, "playing");
    // What she writes in the meantime is kept, and said when the host is back.
    say(&kim, "Where did you go?").await;
    kim.until("document.querySelector('#toasts').textContent.includes('sent when it is back')")
        .await;
    assert_eq!(
        kim.eval("document.querySelector('#say-input').value").await,
        ""
    );
    let mut ana = host(&home, &["--session", &ana.session, "--bind", &address]);
    kim.until("seance.status === 'live' && seance.state.epoch === 2")
        .await;
    assert_eq!(kim.eval("seance.member").await, number);
    bo.wait_from(mark, "Kim again", |line| {
        (line["event"]["epoch"] == 2 && line["event"]["body"]["joined"]["member"] == number)
            .then_some(())
    });
    bo.wait_from(mark, "what Kim said meanwhile", |line| {
        (line["event"]["body"]["said"]["text"] == "Where did you go?").then_some(())
    });
    until_in_step(&kim).await;
    let stray = kim.eval("smooth.stray()").await.as_f64().unwrap();
    assert!(stray <= 500_000.0, "the picture jumped by {stray} µs");
    assert!(kim.eval("smooth.seen()").await.as_u64().unwrap() > 50);

    // Nobody counts her twice, and she holds what everybody holds.
    let mark = ana.program.mark();
    bo.say("say Still here");
    ana.program.wait_from(mark, "Bo", |line| {
        (line["event"]["body"]["said"]["text"] == "Still here").then_some(())
    });
    // Her player may measure the film only now: both are asked until they speak of the same event.
    let mut seq = 1;
    loop {
        let told = ana.program.state_at_least(seq);
        kim.until(&format!("seance.seq >= {}", told["seq"])).await;
        let text = kim
            .eval("JSON.stringify({ seq: seance.seq, state: seance.state })")
            .await;
        let hers: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
        if hers["seq"] == told["seq"] {
            assert_eq!(hers["state"], told["state"]);
            let present = told["state"]["roster"].as_object().unwrap().len();
            assert_eq!(present, 3, "Ana, Bo and Kim");
            break;
        }
        seq = hers["seq"].as_u64().unwrap();
    }

    // The host goes home: the film ends with the party, and the page says which of both it is.
    ana.program.say("quit");
    kim.until(
        "document.querySelector('#screen-title').textContent === 'The host closed the party'",
    )
    .await;
    kim.until("seance.activity === null && document.querySelector('#banner-text').textContent.startsWith('The host closed')")
        .await;
    let other: Vec<String> = kim
        .troubles()
        .into_iter()
        .filter(|trouble| !trouble.contains("WebSocket"))
        .collect();
    assert!(other.is_empty(), "beside the lost connections: {other:#?}");
    chrome.close().await;
}

/// A click on the middle of the embedded film.
async fn click_into_the_film(visitor: &Visitor) {
    let at = visitor
        .eval("(({ left, top, width, height }) => [left + width / 2, top + height / 2])(document.querySelector('.embed').getBoundingClientRect())")
        .await;
    visitor
        .click_at(at[0].as_f64().unwrap(), at[1].as_f64().unwrap())
        .await;
}

/// Clicks into the film, while the page shows it in this `activity`, until an event of that kind comes of it.
async fn clicked_until(page: &Visitor, watcher: &Program, kind: &str, activity: &str) -> Value {
    for _ in 0..6 {
        page.until(&format!("seance.activity === '{activity}'"))
            .await;
        if activity == "playing" {
            // Near enough to be nobody's doing; some sites have no rates to come nearer with.
            until_within(page, LEFT_IN_PEACE_MICROS).await;
        }
        let mark = watcher.mark();
        click_into_the_film(page).await;
        let event = watcher.wait_briefly(Duration::from_secs(8), mark, |line| {
            let event = line.get("event")?;
            (!event["body"][kind].is_null()).then(|| event.clone())
        });
        if let Some(event) = event {
            return event;
        }
    }
    panic!("six clicks and nothing {kind}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn youtube_in_its_frame_follows_the_room_and_a_click_in_it_is_one_pause_by_that_member() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let double = youtube_embed::start(stage.film.clone()).await;
    let (home, guests) = (Home::new(), Home::new());
    let mut ana = host(&home, &["--media", &format!("https://youtu.be/{MARKUP}")]);
    let mut bo = terminal(&guests, &ana.link, "Bo");
    let chrome = Chrome::start(&double.chrome_args()).await;
    let kim = chrome.visitor("Kim").await;
    // By name: YouTube refuses pages that were opened by number.
    kim.open(&ana.link.replace("127.0.0.1", "localhost")).await;
    let number = join(&kim, "Kim").await;
    kim.until("seance.activity === 'paused'").await;
    bo.wait_event(0, "measured");
    let title = "<img src=x onerror=alert(1)> </title><b>Film</b>";
    kim.until(&format!(
        "document.querySelector('#film').textContent === {}",
        Value::from(title)
    ))
    .await;
    assert_eq!(
        kim.eval("document.querySelector('#film').children.length")
            .await,
        0
    );

    // It plays, stands and moves with the room.
    bo.say("play");
    until_in_step(&kim).await;
    bo.say("seek 0:47.5");
    kim.until("seance.target >= 47.5e6").await;
    until_in_step(&kim).await;
    let mark = bo.mark();
    bo.say("pause");
    bo.wait_event(mark, "paused");
    kim.until("seance.activity === 'paused'").await;
    let off = kim
        .eval("Math.abs(seance.position.position - seance.target)")
        .await
        .as_f64()
        .unwrap();
    assert!(off <= 1_000_000.0, "it stands {off} µs off the frame");
    bo.say("play");
    until_in_step(&kim).await;

    // A click inside the frame: the page sees only that the film stands, and asks once. Next to
    // a stall, which a busy machine has, it is the stall's and put back: then one clicks again.
    let paused = clicked_until(&kim, &bo, "paused", "playing").await;
    assert_eq!(
        (&paused["by"], &paused["via"]),
        (&number.into(), &"player".into())
    );
    kim.until("seance.activity === 'paused'").await;
    let played = clicked_until(&kim, &bo, "played", "paused").await;
    assert_eq!(
        (&played["by"], &played["via"]),
        (&number.into(), &"player".into())
    );
    until_in_step(&kim).await;

    // An owner's no is a sentence and a way out; then the next film plays.
    bo.say(&format!("load https://youtu.be/{FORBIDDEN}"));
    kim.until("document.querySelector('#screen-text').textContent.includes('does not show this video outside its own site')").await;
    assert_eq!(
        kim.eval("document.querySelector('#screen-link').href")
            .await,
        format!("https://www.youtube.com/watch?v={FORBIDDEN}")
    );
    bo.say(&format!("load https://youtu.be/{PLAIN}"));
    kim.until(
        "seance.activity === 'paused' && document.querySelector('#film').textContent === 'A film'",
    )
    .await;
    bo.say("play");
    until_in_step(&kim).await;
    let mark = ana.program.mark();
    ana.program.say("say Good night");
    ana.program.wait_event(mark, "said");

    // Nothing else came out of the frame.
    let events = ana.program.events();
    assert_eq!(made_by(&events, number, "paused").len(), 1);
    assert_eq!(made_by(&events, number, "played").len(), 1);
    assert_eq!(made_by(&events, number, "seeked").len(), 0);
    kim.assert_no_troubles();

    // A page opened by number is told so.
    let lee = chrome.visitor("Lee").await;
    lee.open(&ana.link).await;
    join(&lee, "Lee").await;
    lee.until("document.querySelector('#screen-text').textContent.includes('refuses pages opened by number (127.0.0.1)')")
        .await;
    chrome.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vimeo_and_twitch_in_their_frames_follow_the_room_and_subscriptions_send_to_the_program() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let double = embeds::start(stage.film.clone()).await;
    let (home, guests) = (Home::new(), Home::new());
    let vimeo = format!("https://vimeo.com/{}", embeds::VIMEO);
    let ana = host(&home, &["--media", &vimeo]);
    let mut bo = terminal(&guests, &ana.link, "Bo");
    let chrome = Chrome::start(&double.chrome_args()).await;
    let kim = chrome.visitor("Kim").await;
    // By name: Twitch shows its player to localhost, not to a number.
    kim.open(&ana.link.replace("127.0.0.1", "localhost")).await;
    let number = join(&kim, "Kim").await;
    let twitch = format!("https://www.twitch.tv/videos/{}", embeds::TWITCH);
    for next in [None, Some(&twitch)] {
        // Twitch's frame has no rates.
        let near = next.map_or(IN_STEP_MICROS, |_| LEFT_IN_PEACE_MICROS);
        if let Some(next) = next {
            bo.say(&format!("load {next}"));
            kim.until("document.querySelector('#film').textContent.includes('Twitch')")
                .await;
        }
        kim.until("seance.activity === 'paused'").await;
        bo.say("play");
        until_within(&kim, near).await;
        bo.say("seek 0:47");
        kim.until("seance.target >= 47e6").await;
        until_within(&kim, near).await;
        let mark = bo.mark();
        bo.say("pause");
        bo.wait_event(mark, "paused");
        kim.until("seance.activity === 'paused'").await;
        bo.say("play");
        until_within(&kim, near).await;
        let paused = clicked_until(&kim, &bo, "paused", "playing").await;
        assert_eq!(
            (&paused["by"], &paused["via"]),
            (&number.into(), &"player".into())
        );
        kim.until("seance.activity === 'paused'").await;
    }
    // One click, one pause, in each frame; nothing else came out of them.
    let events = bo.events();
    assert_eq!(made_by(&events, number, "paused").len(), 2);
    assert_eq!(made_by(&events, number, "seeked").len(), 0);
    kim.assert_no_troubles();

    // A channel that is live: the room's line is a clock, and play and pause are shared.
    bo.say("load https://www.twitch.tv/riotgames");
    kim.until("document.querySelector('#film').textContent.includes('riotgames')")
        .await;
    kim.until("seance.activity === 'paused'").await;
    bo.say("play");
    until_within(&kim, LEFT_IN_PEACE_MICROS).await;

    // What an owner forbids, and what needs the viewer's own account, is a sentence each.
    bo.say(&format!("load https://vimeo.com/{}", embeds::VIMEO_PRIVATE));
    kim.until("document.querySelector('#screen-text').textContent.includes('Vimeo does not show this video outside its own site')")
        .await;
    // The room hears who does not see it, and why.
    let said = bo.wait("that somebody cannot see it", |line| {
        let event = line.get("event")?;
        let theirs = event["body"]["unable"]["why"] == "not_embeddable";
        theirs.then(|| event.clone())
    });
    assert_eq!(
        (&said["by"], &said["via"], &said["body"]["unable"]["why"]),
        (&number.into(), &"player".into(), &"not_embeddable".into())
    );
    kim.until("document.querySelector('#people').textContent.includes('cannot see it')")
        .await;
    bo.say("load https://www.netflix.com/watch/81040344");
    kim.until("document.querySelector('#screen-text').textContent.includes('Netflix needs the Séance program on your computer')")
        .await;
    // A page opened by number is told before Twitch refuses it.
    let lee = chrome.visitor("Lee").await;
    lee.open(&ana.link).await;
    join(&lee, "Lee").await;
    bo.say(&format!("load {twitch}"));
    lee.until("document.querySelector('#screen-text').textContent.includes('only on pages opened by https')")
        .await;
    lee.assert_no_troubles();
    chrome.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_lines_and_titles_with_markup_stay_text_and_long_ones_stay_in_their_place() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let film = stage.film.clone();
    let films = Server::start(None, move |request| film.answer(request)).await;
    let (home, guests) = (Home::new(), Home::new());
    let title = "<img src=x onerror=alert(1)>";
    let mut ana = host(
        &home,
        &[
            "--title",
            title,
            "--media",
            &films.url("/%3Cscript%3Ealert(1)%3C%2Fscript%3E.mp4"),
        ],
    );
    let marked = "<b onclick=alert(1)>Bo</b>";
    let mut bo = terminal(&guests, &ana.link, marked);
    let long = "W".repeat(32);
    let mut cy = terminal(&guests, &ana.link, &long);
    let chrome = Chrome::start(&[]).await;
    let kim = chrome.visitor("Kim").await;
    kim.open(&ana.link).await;
    let markup = "document.querySelectorAll('script, img, b, i, iframe, style, object, [onclick], [onerror]').length";
    let before = kim.eval(markup).await;
    join(&kim, "Kim").await;
    kim.until("seance.activity === 'paused'").await;

    let lines = [
        "</li></ol><script>alert(1)</script>".to_owned(),
        "<iframe src=javascript:alert(1)></iframe>".to_owned(),
        "&lt;b&gt; ${alert(1)} {{7*7}}".to_owned(),
        "W".repeat(500),
        "long but broken ".repeat(31),
    ];
    for line in &lines {
        bo.say(&format!("say {line}"));
    }
    // A line with an address in it, answered, and taken back: gone from both places.
    let mark = bo.mark();
    bo.say("say My door: https://example.org/42?key=7, come in");
    let seq = bo.wait_from(mark, "the address", |line| {
        let text = line["event"]["body"]["said"]["text"].as_str()?;
        text.starts_with("My door")
            .then(|| line["event"]["seq"].clone())
    });
    bo.say(&format!("reply {seq} Which key?"));
    kim.until("document.querySelector('#lines .quoted')?.textContent.includes('key=7')")
        .await;
    assert_eq!(
        kim.eval("[...document.querySelectorAll('#lines a')].map((one) => `${one.href} ${one.rel}`).join()")
            .await,
        "https://example.org/42?key=7 noopener noreferrer"
    );
    bo.say(&format!("redact {seq}"));
    kim.until(
        "document.querySelector('#lines .quoted').textContent === 'This line was taken back.'",
    )
    .await;
    assert_eq!(
        kim.eval("document.querySelector('#lines').innerHTML.includes('key=7')")
            .await,
        false
    );
    ana.program.say(&format!("name {}", "Ж".repeat(32)));
    cy.say("seek 0:30"); // the undo shows a long name, too
    kim.until("!document.querySelector('#undo').hidden").await;
    let mark = bo.mark();
    bo.say("say the end");
    let last = bo.wait_event(mark, "said")["seq"].clone();
    kim.until(&format!("seance.seq >= {last}")).await;
    kim.until("document.querySelector('#lines').textContent.includes('the end')")
        .await;

    // Every text that somebody chose is one text node, and nothing became an element.
    let told: Vec<String> = serde_json::from_value(
        kim.eval("[...document.querySelectorAll('#lines .words:not(:has(.muted))')].map((line) => line.lastChild.nodeType === 3 && line.lastChild.data)")
            .await,
    )
    .unwrap();
    let said: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    assert_eq!(told[..said.len()], said[..]);
    let names: Vec<String> = serde_json::from_value(
        kim.eval("[...document.querySelectorAll('#people .name')].map((name) => name.childNodes.length === 1 && name.firstChild.data)")
            .await,
    )
    .unwrap();
    assert_eq!(names, ["Ж".repeat(32).as_str(), marked, &long, "Kim"]);
    assert_eq!(
        kim.text("#film").await,
        "<script>alert(1)</script>.mp4",
        "the film's label"
    );
    assert_eq!(
        kim.eval("document.title").await,
        format!("{title} · Séance")
    );
    assert_eq!(kim.eval(markup).await, before, "nothing became an element");

    // A press on a line picks it, to be answered; her own, found by the arrow up, she takes back.
    let mark = bo.mark();
    kim.click("#lines :nth-last-child(1 of .talk) .words").await;
    kim.until("document.querySelector('#answering-text').textContent.startsWith('Answering')")
        .await;
    let picked = kim
        .eval("Number(document.querySelector('#lines .picked').dataset.seq)")
        .await;
    say(&kim, "So it is").await;
    let replied = bo.wait_event(mark, "replied");
    assert_eq!(replied["body"]["replied"]["to"], picked);
    kim.until("document.querySelector('#answering').hidden")
        .await;
    kim.until("document.querySelector('#lines').textContent.includes('So it is')")
        .await;
    kim.press("ArrowUp").await;
    kim.click("#take-back").await;
    let redacted = bo.wait_event(mark, "redacted");
    assert_eq!(redacted["body"]["redacted"]["seq"], replied["seq"]);

    // Over a film that fills the screen, the talk is shown for a while, and what passes as well.
    kim.click("#full").await;
    kim.until("document.fullscreenElement !== null").await;
    bo.say("say <i>Who is that?</i>");
    kim.until("document.querySelector('#overheard').textContent.includes('<i>Who is that?</i>')")
        .await;
    ana.program.say("role Kim co-host");
    kim.until("seance.state.roster[seance.member].role === 'co_host'")
        .await;
    bo.say("request moderate");
    kim.until("document.fullscreenElement.contains(document.querySelector('#toasts li'))")
        .await;
    kim.press("f").await;
    kim.until("document.fullscreenElement === null").await;

    // With a phone's keyboard up there is film, talk, and what is written.
    kim.resize(390, 470, 1.0).await;
    kim.click("#say-input").await;
    kim.until(
        "['#stage', '#story', '#say-input'].every((one) => {
            const { height, top, bottom } = document.querySelector(one).getBoundingClientRect();
            return height >= 40 && top >= 0 && bottom <= 470;
        }) && document.querySelector('#stage').offsetWidth === 390",
    )
    .await;

    // On a desk and on a phone, nothing is wider than the window, and the controls are in it.
    for (width, height) in [(1280, 800), (390, 844), (320, 568), (844, 390)] {
        kim.resize(width, height, 1.0).await;
        kim.until(&format!("innerWidth === {width}")).await;
        let wide = kim
            .eval("document.documentElement.scrollWidth - innerWidth")
            .await;
        assert_eq!(wide, 0, "at {width} × {height} the page is too wide");
        for control in [
            "#play",
            "#seek",
            "#mute",
            "#full",
            "#say-input",
            "#say-send",
            "#leave",
        ] {
            let inside = kim
                .eval(&format!(
                    "(({{ left, top, right, bottom }}) => left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight && right > left)(document.querySelector('{control}').getBoundingClientRect())"
                ))
                .await;
            assert_eq!(inside, true, "at {width} × {height} {control} is in sight");
        }
    }
    kim.assert_no_troubles();
    chrome.close().await;
}

/// An answer of the host's server, read by hand.
#[derive(Debug)]
struct Answered {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Sends a request as it stands and reads what comes until the server is done with it.
fn asked(address: &str, request: &str) -> Answered {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(support::DEADLINE)).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        let before = headers.insert(name.to_ascii_lowercase(), value.to_owned());
        assert_eq!(before, None, "{name} comes once");
    }
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Answered {
        status,
        headers,
        body: String::from_utf8(body).unwrap(),
    }
}

fn get(address: &str, path: &str) -> Answered {
    asked(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
    )
}

/// A WebSocket handshake; `more` are whole header lines.
fn shake(address: &str, host: &str, more: &[&str]) -> Answered {
    let more: String = more.iter().map(|line| format!("{line}\r\n")).collect();
    asked(
        address,
        &format!(
            "GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
        ),
    )
}

#[test]
fn every_file_of_the_page_travels_under_the_same_strict_headers() {
    let home = Home::new();
    let ana = host(&home, &[]);
    let address = ana.address();
    // What a browser would fetch, from the document on.
    let mut found = vec!["/".to_owned()];
    let mut seen = 0;
    while seen < found.len() {
        let path = found[seen].clone();
        seen += 1;
        let file = get(&address, &path);
        assert_eq!(file.status, 200, "{path}");
        let policy: BTreeMap<&str, &str> = file.headers["content-security-policy"]
            .split("; ")
            .map(|directive| directive.split_once(' ').unwrap())
            .collect();
        let sockets = format!("'self' ws://{address} wss://{address}");
        for (directive, wanted) in [
            ("default-src", "'none'"),
            ("script-src", "'self'"),
            ("style-src", "'self'"),
            ("connect-src", &sockets),
            (
                "frame-src",
                "https://www.youtube-nocookie.com https://www.youtube.com https://player.vimeo.com https://player.twitch.tv",
            ),
            ("frame-ancestors", "'none'"),
            ("base-uri", "'none'"),
            ("form-action", "'none'"),
            ("object-src", "'none'"),
            ("require-trusted-types-for", "'script'"),
            ("trusted-types", "'none'"),
        ] {
            assert_eq!(policy[directive], wanted, "{path}: {directive}");
        }
        for (header, wanted) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(file.headers[header], wanted, "{path}: {header}");
        }
        assert!(
            file.headers["permissions-policy"].contains("camera=()"),
            "{path}"
        );
        assert!(!file.headers.contains_key("set-cookie"), "{path}");
        let folder = path.rsplit_once('/').unwrap().0;
        for mark in ["src=\"", "href=\"", "from \""] {
            for rest in file.body.split(mark).skip(1) {
                let name = rest.split('"').next().unwrap();
                let whole = match (name.strip_prefix("./"), name.strip_prefix("../")) {
                    (Some(beside), _) => format!("{folder}/{beside}"),
                    (_, Some(above)) => format!("{}/{above}", folder.rsplit_once('/').unwrap().0),
                    _ if name.starts_with("/assets/") => name.to_owned(),
                    _ => continue,
                };
                if !found.contains(&whole) {
                    found.push(whole);
                }
            }
        }
    }
    assert!(found.len() > 15, "only {found:?}");
    assert_eq!(get(&address, "/assets/../Cargo.toml").status, 404);
    assert_eq!(get(&address, "/session.json").status, 404);
}

#[test]
fn no_other_site_opens_a_socket_or_reads_the_page() {
    const JSON: &str = "Sec-WebSocket-Protocol: seance.v1.json";
    let home = Home::new();
    let mut ana = host(&home, &[]);
    let address = ana.address();
    let shaken = |host: &str, more: &[&str]| shake(&address, host, more).status;

    let ours = format!("Origin: http://{address}");
    assert_eq!(shaken(&address, &[JSON, &ours]), 101);
    assert_eq!(shaken(&address, &[JSON]), 101, "programs send no origin");
    for origin in [
        "http://evil.example",
        "null",
        "",
        "http://127.0.0.1:1",
        "file://",
    ] {
        let line = format!("Origin: {origin}");
        assert_eq!(shaken(&address, &[JSON, &line]), 403, "{origin:?}");
    }
    assert_eq!(
        shaken(&address, &[JSON, &ours, "Origin: http://evil.example"]),
        403,
        "two origins are none"
    );
    // A name of somebody else's that resolves to us.
    for host in ["evil.example", "127.0.0.1.evil.example:80"] {
        let own = format!("Origin: http://{host}");
        assert_eq!(shaken(host, &[JSON, &own]), 421, "{host}");
        let page = asked(
            &address,
            &format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        );
        assert_eq!(page.status, 421, "{host}");
        assert!(!page.body.contains("<script"), "{}", page.body);
    }
    // Without a form that both speak there is no connection.
    assert_eq!(shaken(&address, &[]), 400);
    assert_eq!(shaken(&address, &["Sec-WebSocket-Protocol: chat"]), 400);
    assert_eq!(get(&address, "/ws").status, 400);

    // All that left no trace, and the party goes on.
    let mark = ana.program.mark();
    ana.program.say("say still here");
    ana.program.wait_event(mark, "said");
    assert_eq!(made_by(&ana.program.events(), 2, "joined").len(), 0);
}

/// About 8 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_gives_the_passcode_knocks_and_is_let_in_by_a_moderator_on_the_page() {
    let Some(_stage) = Stage::enter().await else {
        return;
    };
    let home = Home::new();
    let mut ana = host(&home, &[]);
    let chrome = Chrome::start(&[]).await;
    let kim = chrome.visitor("Kim").await;
    kim.open(&ana.link).await;
    let kims = join(&kim, "Kim").await;
    // Live comes before the first drawing.
    kim.until("document.querySelectorAll('#people li').length === 2")
        .await;
    assert_eq!(
        kim.eval("document.querySelector('#way-knock-line').hidden")
            .await,
        true,
        "guests do not set the door"
    );
    ana.program.say("role Kim co-host");
    ana.program.say("passcode open sesame");
    ana.program.wait_event(0, "passcode_set");
    kim.until("!document.querySelector('#way-knock-line').hidden")
        .await;
    kim.eval("document.querySelector('#ways').open = true")
        .await;
    kim.click("#way-knock").await;
    ana.program.wait_event(0, "approval_set");

    let bo = chrome.visitor("Bo").await;
    bo.open(&ana.link).await;
    bo.until("!document.querySelector('#join-form').hidden")
        .await;
    bo.click("#name-input").await;
    bo.write("Bo <b>ld").await;
    bo.click("#join-button").await;
    bo.until("!document.querySelector('#passcode-field').hidden")
        .await;
    let said = bo.text("#join-problem").await;
    assert_eq!(said, "This party asks for a passcode. Ask the host for it.");
    for (typed, answer) in [
        ("guess", "That is not the passcode. Try again."),
        ("open sesame", ""),
    ] {
        bo.click("#passcode-input").await;
        bo.eval("document.querySelector('#passcode-input').select()")
            .await;
        bo.write(typed).await;
        bo.click("#join-button").await;
        let wanted = serde_json::to_string(answer).unwrap();
        bo.until(&format!(
            "document.querySelector('#join-problem').textContent === {wanted} \
             || (!{wanted} && seance.status === 'waiting')"
        ))
        .await;
    }
    kim.until("document.querySelectorAll('#knocks li').length === 1")
        .await;
    let knock = kim.text("#knocks li span").await;
    assert_eq!(knock, "Bo <b>ld wants to come in");
    picture(&kim, "door.png").await;
    picture(&bo, "waiting.png").await;
    kim.click("#knocks li button").await;
    bo.until("seance.status === 'live'").await;
    // Who came in has a row, and what stands below it has moved down.
    kim.until("document.querySelector('#knocks').hidden && document.querySelectorAll('#people li').length === 3")
        .await;

    // A link made on the page opens, and is gone when it is revoked.
    kim.click("#way-form button").await;
    kim.until("document.querySelectorAll('#way-list li').length === 2")
        .await;
    let made = ana.program.wait_event(0, "invite_made");
    assert_eq!(made["by"], kims);
    picture(&kim, "ways.png").await;
    kim.click("#way-list li:last-child button:last-child").await;
    let gone = ana.program.wait_event(0, "invite_revoked");
    assert_eq!(gone["body"]["invite_revoked"]["invite"], made["seq"]);
    kim.until("document.querySelectorAll('#way-list li').length === 1")
        .await;

    // Shut out, and the page does not come back as a stranger by itself.
    kim.eval("[...document.querySelectorAll('.more')].at(-1).click()")
        .await;
    kim.eval(
        "[...document.querySelectorAll('.deeds:not([hidden]) button')] \
         .find((one) => one.textContent === 'Shut out').click()",
    )
    .await;
    bo.until("!document.querySelector('#over').hidden").await;
    let why = bo.text("#over-why").await;
    assert_eq!(why, "A moderator sent you out of the party.");
    bo.click("#over-again").await;
    bo.until("!document.querySelector('#join-form').hidden")
        .await;
    bo.click("#join-button").await;
    bo.until("document.querySelector('#join-problem').textContent.includes('shut out')")
        .await;
    kim.assert_no_troubles();
    bo.assert_no_troubles();
    chrome.close().await;
}

/// Waits until nothing is wider than a window of these sizes, and keeps a picture of each.
async fn fits(visitor: &Visitor, name: &str) {
    for (width, height) in [(360, 640), (390, 844), (1280, 800)] {
        visitor.resize(width, height, 1.0).await;
        visitor
            .until(&format!(
                "innerWidth === {width} && document.documentElement.scrollWidth <= {width}"
            ))
            .await;
        if let Some(folder) = std::env::var_os("SEANCE_PICTURES") {
            let picture = visitor.screenshot().await;
            std::fs::write(
                Path::new(&folder).join(format!("{name}-{width}.png")),
                picture,
            )
            .unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_votes_answers_gets_ready_and_hands_out_the_controls_on_the_page() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let (home, guests) = (Home::new(), Home::new());
    let mut ana = host(&home, &["--media", &stage.films.url("/film.mp4")]);
    let long = "W".repeat(32);
    let mut bo = terminal(&guests, &ana.link, &long);
    let chrome = Chrome::start(&[]).await;
    let kim = chrome.visitor("Kim").await;
    kim.open(&ana.link).await;
    let markup = "document.querySelectorAll('script, img, b, i, iframe, style, object').length";
    let before = kim.eval(markup).await;
    let kims = join(&kim, "Kim").await;
    kim.until("seance.activity === 'paused'").await;

    // Votes: the second of two is put first, by her and by Bo; she takes hers back.
    ana.program.say("mode vote");
    bo.say("queue add https://youtu.be/aqz-KE-bpKQ");
    bo.say("queue add https://vimeo.com/392479337");
    kim.until("document.querySelectorAll('#queue .vote').length === 2")
        .await;
    kim.click("#queue-open").await;
    kim.click("#queue li:last-child .vote").await;
    let vote = ana.program.wait_event(0, "vote_cast");
    assert_eq!((&vote["by"], &vote["via"]), (&kims.into(), &"page".into()));
    bo.say("vote 3");
    kim.until("document.querySelector('#queue li:last-child .vote .count').textContent === '2'")
        .await;
    kim.until("document.querySelector('#queue-open').textContent.includes('Vimeo')")
        .await;
    bo.say("skip");
    kim.until(
        "document.querySelector('#skips').textContent === '1 of 3 wants to skip, 1 more needed'",
    )
    .await;
    fits(&kim, "votes").await;
    kim.click("#queue li:last-child .vote[aria-pressed=true]")
        .await;
    ana.program.wait_event(0, "vote_withdrawn");
    bo.say("unskip");
    kim.until("document.querySelector('#skips').hidden").await;

    // A poll, with what looks like markup in it.
    kim.click("#queue-open").await;
    kim.until("document.querySelector('#chooser').hidden").await;
    kim.click("#asking-open").await;
    for (field, text) in [
        ("#poll-question", "<b>What</b> next?"),
        ("#poll-choices li:nth-child(1) input", "<img src=x>"),
        ("#poll-choices li:nth-child(2) input", &"W".repeat(60)),
        ("#poll-choices li:nth-child(3) input", "Bed"),
    ] {
        kim.click(field).await;
        kim.write(text).await;
    }
    fits(&kim, "asking").await;
    kim.press("Enter").await;
    let opened = ana.program.wait_event(0, "poll_opened");
    assert_eq!(opened["body"]["poll_opened"]["choices"][2]["label"], "Bed");
    // A terminal understands the word only once it knows of the poll.
    bo.wait_event(0, "poll_opened");
    bo.say("answer 3");
    kim.click("#poll-list li:nth-child(2) button").await;
    kim.until("document.querySelector('#poll-told').textContent === '2 of 3 answered'")
        .await;
    kim.click("#poll-list li:nth-child(3) button").await;
    kim.until("document.querySelector('#poll-list li:nth-child(3) .tally').textContent === '2'")
        .await;
    fits(&kim, "poll").await;
    assert_eq!(kim.text("#poll-question-text").await, "<b>What</b> next?");
    assert_eq!(
        kim.text("#poll-list li:first-child .label").await,
        "<img src=x>"
    );
    assert_eq!(kim.eval(markup).await, before, "nothing became an element");
    kim.click("#poll-back").await;
    kim.until("document.querySelector('#poll-list li:nth-child(3) .tally').textContent === '1'")
        .await;
    kim.click("#poll-close").await;
    kim.until("document.querySelector('#poll-told').textContent === '“Bed” won'")
        .await;
    kim.click("#poll-done").await;
    kim.until("document.querySelector('#poll').hidden").await;

    // Is everybody ready? Three say so, and the film is counted down.
    kim.click("#asking-open").await;
    kim.click("#ready-ask").await;
    kim.until("document.querySelectorAll('#hold-people li').length === 3")
        .await;
    bo.say("ready");
    kim.until("document.querySelectorAll('#hold-people li.ready').length === 1")
        .await;
    fits(&kim, "ready").await;
    kim.eval(
        "window.counted = [], new MutationObserver(() => counted.push(document.querySelector('#count').textContent))
            .observe(document.querySelector('#count'), { childList: true }), true",
    )
    .await;
    kim.click("#hold-ready").await;
    kim.until("document.querySelector('#hold-ready').hidden")
        .await;
    ana.program.say("ready");
    until_in_step(&kim).await;
    // A machine that stood still may have missed some of it, but never counts upwards.
    let down = "counted.every((one, place) => place === 0 || one < counted[place - 1])";
    assert_eq!(kim.eval(down).await, true);
    kim.until("document.querySelector('#count').hidden").await;

    // Who may not control the film asks, and is told; a moderator on the page answers.
    ana.program.say("role Kim viewer");
    kim.click("#may-i").await;
    kim.until("seance.state.roster[seance.member].requests.length === 3")
        .await;
    fits(&kim, "wishes").await;
    ana.program.say("role Kim co-host");
    ana.program.say("role #2 viewer");
    kim.until("document.querySelector('#may-i').hidden").await;
    ana.program.wait("that Bo is a viewer", |line| {
        (line["event"]["body"]["role_set"]["member"] == 2).then_some(())
    });
    let mark = bo.mark();
    bo.say("request seek");
    kim.until("document.querySelectorAll('#requests li').length === 1")
        .await;
    fits(&kim, "request").await;
    kim.click("#requests li button").await;
    let ruled = bo.wait_event(mark, "ruled");
    assert_eq!(
        (&ruled["by"], &ruled["body"]["ruled"]["allow"]),
        (&kims.into(), &true.into())
    );
    kim.until("document.querySelector('#requests').hidden")
        .await;
    kim.assert_no_troubles();
    chrome.close().await;
}

/// Keeps what a visitor sees, where `SEANCE_PICTURES` names a folder for it.
async fn picture(visitor: &Visitor, name: &str) {
    if let Some(folder) = std::env::var_os("SEANCE_PICTURES") {
        visitor.resize(1280, 800, 1.0).await;
        let picture = visitor.screenshot().await;
        std::fs::write(Path::new(&folder).join(name), picture).unwrap();
    }
}

/// Writes the README's pictures; run it after the page's looks changed:
/// `cargo test --test page -- --ignored picture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "writes docs/page.png and docs/page-phone.png"]
async fn the_picture_of_an_evening_for_the_readme() {
    let Some(_stage) = Stage::enter().await else {
        return;
    };
    let film = Film::landscape().expect("ffmpeg makes a film");
    let films = Server::start(None, move |request| film.answer(request)).await;
    let (home, guests) = (Home::new(), Home::new());
    let mut ana = host(
        &home,
        &[
            "--title",
            "Film night",
            "--player",
            "browser",
            "--headless",
            "--media",
            &films.url("/The%20Long%20Way%20Home.mp4"),
        ],
    );
    let mut bo = terminal(&guests, &ana.link, "Bo");
    let chrome = Chrome::start(&[]).await;
    let kim = chrome.visitor("Kim").await;
    kim.open(&ana.link).await;
    join(&kim, "Kim").await;
    kim.until("seance.activity === 'paused'").await;
    bo.say("seek 12:07");
    kim.until("seance.target === 727e6 && seance.activity === 'paused'")
        .await;
    let told = async |line: &str| {
        kim.until(&format!(
            "document.querySelector('#lines').textContent.includes({})",
            Value::from(line)
        ))
        .await;
    };
    ana.program.say("say Is everybody ready?");
    told("Is everybody ready?").await;
    bo.say("say Popcorn is ready 🍿");
    told("Popcorn is ready").await;
    say(&kim, "Press play, I have the good seat").await;
    told("the good seat").await;
    bo.say("play");
    until_in_step(&kim).await;
    ana.program.say("say Look at that light");
    told("Look at that light").await;
    say(&kim, "Who painted those hills?").await;
    told("Who painted those hills?").await;
    bo.say("say Nobody knows");
    told("Nobody knows").await;
    // Dark, whatever this machine likes; the mouse away; the offer to undo gone by; and on the line.
    kim.click("#theme").await;
    assert_eq!(
        kim.eval("document.documentElement.dataset.theme").await,
        "dark"
    );
    kim.click("#chat-title").await;
    kim.until("document.querySelector('#undo').hidden").await;
    kim.until("Math.abs(seance.drift) < 5000").await;
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for (name, width, height, scale) in [
        ("page.png", 1280, 800, 1.0),
        ("page-phone.png", 390, 780, 2.0),
    ] {
        kim.resize(width, height, scale).await;
        kim.until(&format!("innerWidth === {width}")).await;
        let picture = kim.screenshot().await;
        assert!(
            picture.len() <= 300 * 1024,
            "{name}: {} bytes",
            picture.len()
        );
        std::fs::write(docs.join(name), picture).unwrap();
    }
    chrome.close().await;
}
