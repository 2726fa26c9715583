use super::*;
use std::collections::BTreeMap;

fn text(name: &str) -> &'static str {
    let (_, _, bytes) = FILES.iter().find(|(file, _, _)| *file == name).unwrap();
    std::str::from_utf8(bytes).unwrap()
}

/// The files whose text a browser obeys.
fn sources() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().map(|(name, _, _)| (*name, text(name)))
}

/// What stands between `before` and the next `after`, everywhere in `text`.
fn between<'a>(
    text: &'static str,
    before: &'a str,
    after: char,
) -> impl Iterator<Item = &'static str> + use<'a> {
    text.split(before)
        .skip(1)
        .filter_map(move |rest| rest.split(after).next())
}

#[test]
fn every_file_in_the_folder_is_served_and_no_other() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/projection/web/assets");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).unwrap();
                found.push(name.to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    found.sort();
    let mut served: Vec<&str> = FILES.iter().map(|(name, _, _)| *name).collect();
    served.sort_unstable();
    assert_eq!(found, served);
}

#[test]
fn everything_the_page_refers_to_is_served() {
    for before in ["src=\"", "href=\""] {
        for path in between(text(INDEX), before, '"') {
            assert!(asset(path).is_some(), "index.html refers to {path}");
        }
    }
    for (name, source) in sources().filter(|(name, _)| name.ends_with(".js")) {
        for import in between(source, " from \"", '"') {
            let inner = name.starts_with("player/");
            let file = match (import.strip_prefix("../"), import.strip_prefix("./")) {
                (Some(up), _) if inner => up.to_owned(),
                (None, Some(beside)) if inner => format!("player/{beside}"),
                (None, Some(beside)) => beside.to_owned(),
                _ => panic!("{name} imports {import}"),
            };
            assert!(
                asset(&format!("/assets/{file}")).is_some(),
                "{name} imports {import}"
            );
        }
    }
}

#[test]
fn every_element_asked_for_by_name_is_in_the_page() {
    let ids: Vec<&str> = between(text(INDEX), " id=\"", '"').collect();
    for (name, source) in sources() {
        for id in between(source, "$(\"", '"') {
            assert!(ids.contains(&id), "{name} asks for #{id}");
        }
    }
}

#[test]
fn nothing_outside_the_table_is_served() {
    for path in [
        "",
        "/index.html",
        "/assets/",
        "/assets/index.html",
        "/assets/../mod.rs",
        "/assets//app.js",
        "/assets/player/",
        "app.js",
        "/app.js",
    ] {
        assert_eq!(asset(path), None, "{path}");
    }
    assert_eq!(asset("/").unwrap().content_type, HTML);
    assert_eq!(asset("/assets/app.js").unwrap().content_type, JS);
    assert_eq!(asset("/assets/player/file.js").unwrap().content_type, JS);
}

#[test]
fn tags_differ_where_bytes_do() {
    let app = asset("/assets/app.js").unwrap();
    assert_eq!(Some(app), asset("/assets/app.js"));
    assert_ne!(app.etag, asset("/assets/net.js").unwrap().etag);
    assert!(app.etag.starts_with('"') && app.etag.ends_with('"') && app.etag.len() == 34);
}

#[test]
fn no_text_becomes_markup_or_code() {
    const BANNED: &[&str] = &[
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "DOMParser",
        "createContextualFragment",
        "setHTML",
        "srcdoc",
        "eval(",
        "new Function",
        "import(",
        "javascript:",
        "style=\"",
        " onclick=",
        " onload=",
        "document.cookie",
    ];
    for (name, source) in sources() {
        for banned in BANNED {
            assert!(!source.contains(banned), "{name} has {banned}");
        }
    }
    for script in between(text(INDEX), "<script", '>') {
        assert!(script.contains(" src=\""), "an inline script: {script}");
    }
}

#[test]
fn the_page_reaches_no_host_but_its_own_and_the_players() {
    // What files may name: the picture language, and the frames they open. Addresses that
    // are only ever links to click (media.js) stand apart.
    const KNOWN: &[&str] = &[
        "http://www.w3.org/2000/svg",
        "https://www.youtube-nocookie.com",
    ];
    for (name, source) in sources().filter(|(name, _)| *name != "media.js") {
        for scheme in ["https://", "http://", "wss://", "ws://"] {
            for (place, _) in source.match_indices(scheme) {
                let rest = &source[place..];
                let literal =
                    rest[scheme.len()..].starts_with(|first: char| first.is_ascii_alphanumeric());
                // `http://host:port/#…` explains the link's shape in a comment.
                let known = KNOWN.iter().any(|known| rest.starts_with(known))
                    || rest.starts_with("http://host:port");
                assert!(
                    !literal || known,
                    "{name}: {}",
                    rest.lines().next().unwrap()
                );
            }
        }
    }
}

#[test]
fn the_policy_lets_in_the_page_its_socket_and_the_players_only() {
    let headers: BTreeMap<_, _> = headers(
        "seance.lan:8080",
        MediaHosts::These(&["films.example", "bad host; script-src *"]),
    )
    .into_iter()
    .collect();
    let policy = &headers["content-security-policy"];
    let directives: BTreeMap<&str, &str> = policy
        .split("; ")
        .map(|directive| directive.split_once(' ').unwrap())
        .collect();
    assert_eq!(directives["default-src"], "'none'");
    assert_eq!(directives["script-src"], "'self'");
    assert_eq!(directives["style-src"], "'self'");
    assert_eq!(
        directives["connect-src"],
        "'self' ws://seance.lan:8080 wss://seance.lan:8080"
    );
    assert_eq!(
        directives["media-src"],
        "'self' blob: https://films.example http://films.example"
    );
    assert_eq!(directives["frame-src"], PLAYERS.join(" "));
    assert_eq!(directives["frame-ancestors"], "'none'");
    assert_eq!(directives["require-trusted-types-for"], "'script'");
    assert_eq!(directives["trusted-types"], "'none'");
    assert_eq!(headers["referrer-policy"], "no-referrer");
    assert!(
        headers["permissions-policy"]
            .contains("autoplay=(self \"https://www.youtube-nocookie.com\"")
    );
}

#[test]
fn a_host_that_is_none_changes_no_policy() {
    for host in [
        "a b",
        "x; script-src *",
        "'unsafe-inline'",
        "h\r\nset-cookie: a",
        "",
    ] {
        let headers = headers(host, MediaHosts::These(&[]));
        let (_, policy) = &headers[0];
        assert!(
            policy.contains("connect-src 'self'; media-src 'self' blob:; "),
            "{host:?}: {policy}"
        );
    }
}

mod contrast {
    use super::*;

    const SURFACES: [&str; 3] = ["room", "panel", "raised"];

    /// The colours of one block of the stylesheet by token.
    fn palette(selector: &str) -> BTreeMap<&'static str, [f64; 3]> {
        let css = text("style.css");
        let block = between(css, selector, '}').next().unwrap();
        block
            .lines()
            .filter_map(|line| {
                line.trim()
                    .strip_prefix("--")?
                    .strip_suffix(';')?
                    .split_once(": #")
            })
            .map(|(token, hex)| {
                let channel = |from: usize| {
                    f64::from(u8::from_str_radix(&hex[from..from + 2], 16).unwrap()) / 255.0
                };
                (token, [channel(0), channel(2), channel(4)])
            })
            .collect()
    }

    /// WCAG 2.2's relative luminance.
    fn luminance(colour: [f64; 3]) -> f64 {
        let [red, green, blue] = colour.map(|value| {
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn the_formula_is_the_standards() {
        assert_eq!(contrast([0.0; 3], [1.0; 3]), 21.0);
        assert_eq!(contrast([1.0; 3], [1.0; 3]), 1.0);
    }

    #[test]
    fn every_text_can_be_read_on_every_surface_in_both_themes() {
        for theme in [":root {", ":root[data-theme=\"light\"] {"] {
            let palette = palette(theme);
            let members: Vec<String> = (0..12).map(|number| format!("member-{number}")).collect();
            let coloured = ["accent", "good", "warn", "bad", "info"];
            let coloured = coloured
                .into_iter()
                .chain(members.iter().map(String::as_str));
            let wanted = [("text", 13.0), ("muted", 6.0)]
                .into_iter()
                .chain(coloured.map(|token| (token, 5.0)));
            for (token, least) in wanted {
                for surface in SURFACES {
                    let found = contrast(palette[token], palette[surface]);
                    assert!(
                        found >= least,
                        "{theme} {token} on {surface}: {found:.2} < {least}"
                    );
                }
            }
            let button = contrast(palette["accent-ink"], palette["accent-fill"]);
            assert!(button >= 7.0, "{theme} the primary button: {button:.2}");
        }
    }
}

/// Runs a script with the page's modules at hand, as `load("story.js")`; `None` where there is no engine for it.
fn node(script: &str) -> Option<std::process::Child> {
    let root = format!(
        "file://{}/src/projection/web/assets/",
        env!("CARGO_MANIFEST_DIR")
    );
    let script = format!("const load = (name) => import(process.argv[1] + name);\n{script}");
    std::process::Command::new("node")
        .args([
            "--no-warnings",
            "--experimental-default-type=module",
            "--input-type=module",
            "-e",
            &script,
            &root,
        ])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .ok()
}

#[test]
fn a_player_tells_each_thing_it_saw_once_and_again_to_a_new_connection() {
    const SCRIPT: &str = r#"
        const { Witness } = await load("witness.js");
        let hears = true, told = [];
        const witness = new Witness((intent) => hears && told.push(intent) > 0);
        const line = (item, generation, playing = false) => ({ item, generation, playing });
        const step = (...seen) => {
            told = [];
            witness.look(...seen);
            witness.look(...seen);
            return told;
        };
        const out = {};
        out.none = step(null, null, line(1, 1));
        out.loading = step("loading", null, line(1, 1));
        out.elsewhere = step("paused", { item: 1, generation: 0 }, line(1, 1));
        out.landed = step("paused", { item: 1, generation: 1 }, line(1, 1));
        out.playing = step("playing", { item: 1, generation: 1 }, line(1, 1, true));
        out.seeking = step("seeking", { item: 1, generation: 2 }, line(1, 2, true));
        hears = false;
        out.unheard = step("playing", { item: 1, generation: 2 }, line(1, 2, true));
        hears = true;
        out.heard = step("playing", { item: 1, generation: 2 }, line(1, 2, true));
        out.paused_at_end = step("ended", { item: 1, generation: 2 }, line(1, 2));
        out.ended = step("ended", { item: 1, generation: 2 }, line(1, 2, true));
        witness.forget();
        out.again = step("ended", { item: 1, generation: 2 }, line(1, 2, true));
        console.log(JSON.stringify(out));
    "#;
    let Some(node) = node(SCRIPT) else { return };
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let ready = |item: u32, generation: u32| serde_json::json!({ "ready": { "item": item, "generation": generation } });
    let ended = serde_json::json!({ "ended": { "item": 1 } });
    assert_eq!(
        told,
        serde_json::json!({
            "none": [],
            "loading": [ready(0, 0)],
            "elsewhere": [],
            "landed": [ready(1, 1)],
            "playing": [],
            "seeking": [],
            "unheard": [],
            "heard": [ready(1, 2)],
            "paused_at_end": [],
            "ended": [ended],
            "again": [ready(1, 2), ended],
        })
    );
}

#[test]
fn the_page_has_the_program_s_sentence_for_every_closing_and_comes_back_from_the_same() {
    use crate::engine::frame::Closing;
    let (_, last) = text("net.js").split_once("const FINAL").unwrap();
    let last = last.lines().next().unwrap();
    for why in [
        Closing::HostLeft,
        Closing::Slow,
        Closing::Replaced,
        Closing::Unruly,
        Closing::NotAdmitted,
        Closing::LogFailed,
        Closing::Kicked,
    ] {
        let name = serde_json::to_value(why).unwrap();
        let name = name.as_str().unwrap();
        let line = format!("{name}: \"{why}\",");
        assert!(text("net.js").contains(&line), "net.js lacks {line}");
        let is_final = last.contains(&format!("\"{name}\""));
        assert_eq!(is_final, !why.may_return(), "{name}");
    }
}

#[test]
fn moderators_are_offered_what_the_room_would_grant_them_and_nobody_else_anything() {
    const SCRIPT: &str = r#"
        const { emptyState } = await load("fold.js");
        const { deedsFor } = await load("people.js");
        const state = emptyState();
        const roles = ["host", "co_host", "co_host", "guest", "viewer"];
        roles.forEach((role, place) => { state.roster[place + 1] = { name: role, role, present: true, rulings: {} }; });
        state.roster[5].rulings.chat = { allow: false, until: null };
        const offers = roles.map((_, me) => roles.map((_, other) => deedsFor(state, me + 1, other + 1)));
        console.log(JSON.stringify(offers));
    "#;
    use crate::engine::event::{Body, Client, Role};
    use crate::engine::fold::RoomState;
    use crate::engine::intent::Intent;
    use crate::engine::sequencer::authorise;
    let Some(node) = node(SCRIPT) else { return };
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    let offers: Vec<Vec<Vec<serde_json::Value>>> = serde_json::from_slice(&output.stdout).unwrap();
    let words = |me: usize, other: usize| -> Vec<&str> {
        let deeds = offers[me - 1][other - 1].iter();
        deeds.map(|deed| deed["words"].as_str().unwrap()).collect()
    };
    let none: [&str; 0] = [];
    assert_eq!(
        words(1, 2),
        ["Make guest", "Make viewer", "Mute", "Send out"]
    );
    assert_eq!(
        words(1, 5),
        ["Make co-host", "Make guest", "Unmute", "Send out"]
    );
    assert_eq!(words(2, 4), ["Make viewer", "Mute", "Send out"]);
    for (me, other) in [(1, 1), (2, 1), (2, 3), (4, 5), (5, 4)] {
        assert_eq!(words(me, other), none, "{me} about {other}");
    }
    let mut state = RoomState::default();
    let roles = [
        Role::Host,
        Role::CoHost,
        Role::CoHost,
        Role::Guest,
        Role::Viewer,
    ];
    for (number, role) in (1..).zip(roles) {
        let member = crate::engine::id::MemberId::new(number);
        let name = crate::engine::text::Name::new(&format!("Member {number}")).unwrap();
        let client = Client::Page;
        state.apply(&crate::engine::event::Event {
            header: crate::engine::event::Header {
                seq: state.tail(),
                epoch: Default::default(),
                stamp: Default::default(),
                at: Default::default(),
                wall: 0,
                by: Some(member),
                via: Default::default(),
                cause: None,
                intent: None,
            },
            body: Body::Joined {
                member,
                name,
                role,
                client,
            },
        });
    }
    for (me, row) in (1..).zip(&offers) {
        for deed in row.iter().flatten() {
            let intent: Intent = serde_json::from_value(deed["intent"].clone()).unwrap();
            let answer = authorise(&state, crate::engine::id::MemberId::new(me), &intent);
            assert_eq!(answer, Ok(()), "{me}: {deed}");
        }
    }
}

/// The page's own fold against the program's, by the JavaScript engine at hand.
mod parity {
    use crate::engine::event::{
        Action, BODY_KINDS, Body, Client, Departure, Event, HoldReason, QueueMode, Repeat, Role,
        Suspension,
    };
    use crate::engine::fold::RoomState;
    use crate::engine::id::{Generation, ItemId, MemberId, Seq, SessionId};
    use crate::engine::intent::{Aim, Ask, Intent};
    use crate::engine::media::Provider;
    use crate::engine::presence::{Activity, Report};
    use crate::engine::sequencer::{Entrant, Moment, Sequencer};
    use crate::engine::text::{Name, Title};
    use crate::engine::unit::{MediaTime, Micros, Rate, SessionTime};
    use crate::projection::view::{self, Kind};
    use serde_json::{Value, json};
    use std::collections::{BTreeMap, BTreeSet};
    use std::io::Write as _;

    /// A small generator of evenings: the same seed, the same evening.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> u64 {
            // Knuth's MMIX constants; the high bits are the good ones.
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % sides
        }
    }

    const LINKS: &[&str] = &[
        "https://youtu.be/YE7VzlLtp-4?t=83",
        "https://films.example/Caf%C3%A9%20noir.mp4#t=12.5",
        "http://192.168.1.7:8000/a/film.webm",
        "https://player.example/watch/some/page?x=1",
        "https://www.netflix.com/watch/80057281",
        "https://vimeo.com/392479337/a52724358e",
        "https://www.arte.tv/fr/videos/110371-000-A/",
        "https://www.twitch.tv/videos/123456789",
        "https://www.disneyplus.com/play/6f1a3c2e-0b5d-4a7e-9c1f-2d3e4f5a6b7c",
        "nonsense",
    ];

    fn intent(dice: &mut Dice) -> Intent {
        let time = |dice: &mut Dice| MediaTime::new(dice.roll(7_200_000_000));
        match dice.roll(24) {
            0 => Intent::Load {
                url: LINKS[dice.roll(LINKS.len() as u64) as usize].to_owned(),
            },
            1..=3 => Intent::Play {},
            4 | 5 => Intent::Pause { at: None },
            6 => Intent::Pause {
                at: Some(time(dice)),
            },
            7 | 8 => Intent::Seek { to: time(dice) },
            9 => Intent::Rate {
                rate: Rate::from_millis(250 + dice.roll(3_750) as u16).unwrap(),
            },
            10 => Intent::Rename {
                name: format!("Guest {}", dice.roll(30)),
            },
            11 => Intent::Measure {
                item: ItemId::new(dice.roll(6) as u32),
                duration: Micros::new(1 + dice.roll(9_000_000_000) as i64),
            },
            12 | 13 => Intent::Say {
                text: format!("“{}” ✓ <b>&amp;</b>", dice.roll(1_000)),
            },
            14..=17 => of_the_queue(dice),
            _ => of_people(dice),
        }
    }

    fn of_the_queue(dice: &mut Dice) -> Intent {
        let item = ItemId::new(dice.roll(60) as u32);
        match dice.roll(17) {
            0..=3 => Intent::QueueAdd {
                url: LINKS[dice.roll(LINKS.len() as u64) as usize].to_owned(),
                front: dice.roll(3) == 0,
            },
            4 => Intent::QueueRemove { item },
            5 | 6 => Intent::QueueMove {
                item,
                place: dice.roll(9) as u32,
            },
            7 => Intent::PlayNow { item },
            8 => Intent::Shuffle {},
            9 => Intent::SetMode {
                mode: [QueueMode::Manual, QueueMode::Vote, QueueMode::RoundRobin]
                    [dice.roll(3) as usize],
            },
            10 => Intent::SetRepeat {
                repeat: [Repeat::Off, Repeat::One, Repeat::All][dice.roll(3) as usize],
            },
            11 | 12 => Intent::Vote { item },
            13 => Intent::Unvote { item },
            14 => Intent::Skip { item },
            15 => Intent::Unskip { item },
            _ => Intent::Next { item },
        }
    }

    fn of_people(dice: &mut Dice) -> Intent {
        let member = MemberId::new(1 + dice.roll(7) as u32);
        let action = Action::ALL[dice.roll(8) as usize];
        let role = [Role::CoHost, Role::Guest, Role::Viewer][dice.roll(3) as usize];
        let lasts = (dice.roll(2) == 0).then(|| Micros::from_secs(1 + dice.roll(900) as i64));
        let seq = Seq::new(dice.roll(1_500));
        let allow = dice.roll(2) == 0;
        match dice.roll(32) {
            0..=2 => Intent::Grant {
                member,
                action,
                lasts,
            },
            3 => Intent::Revoke {
                member,
                action,
                lasts,
            },
            4 => Intent::SetRole { member, role },
            5 => Intent::Kick { member },
            6 => Intent::Ban { member },
            7 => Intent::Unban { member },
            8 => Intent::HandOver { member },
            9 => Intent::Permit {
                role,
                action,
                allow,
            },
            10 => Intent::Request { action },
            11 => Intent::SetSlow {
                every: Micros::from_secs(dice.roll(4) as i64),
            },
            12 => Intent::SetWait {
                reason: [HoldReason::Stall, HoldReason::Ad][dice.roll(2) as usize],
                wait: allow,
            },
            13 => Intent::SetSkipShare {
                percent: dice.roll(101) as u8,
            },
            14 => Intent::OpenPoll {
                question: "What next?".to_owned(),
                choices: vec!["a walk".to_owned(), LINKS[0].to_owned()],
            },
            15..=17 => Intent::AnswerPoll {
                poll: seq,
                choice: Some(dice.roll(2) as u8).filter(|_| allow),
            },
            18 => Intent::ClosePoll { poll: seq },
            19 | 20 => Intent::React {
                reaction: ["🎉", "😂", "é"][dice.roll(3) as usize].to_owned(),
            },
            21 => Intent::Reply {
                to: seq,
                text: "indeed".to_owned(),
            },
            22 => Intent::Redact { seq },
            23 | 24 => Intent::Undo { seq: None },
            25 => Intent::ReadyCheck {},
            26 | 27 => Intent::SayReady {},
            28 => Intent::Suspend {
                reason: [Suspension::Ad, Suspension::Detached, Suspension::CannotPlay]
                    [dice.roll(3) as usize],
            },
            29 => Intent::Return {},
            _ => Intent::Ready {
                item: ItemId::new(dice.roll(40) as u32),
                generation: Generation::new(dice.roll(90) as u32),
            },
        }
    }

    /// Numbers that a member would have read off their screen.
    fn sensible(intent: Intent, state: &RoomState, dice: &mut Dice) -> Intent {
        let waiting = &state.queue.entries;
        let pick = |dice: &mut Dice| match waiting.len() as u64 {
            0 => ItemId::new(1),
            some => waiting[dice.roll(some) as usize].item,
        };
        let spoken: Vec<_> = state.transcript.iter().map(|line| line.seq).collect();
        let asked = state.hold.as_ref().map(|hold| hold.reason) == Some(HoldReason::ReadyCheck);
        let item = state.timeline.anchor.item;
        match intent {
            _ if asked && dice.roll(2) == 0 => Intent::SayReady {},
            _ if !state.queue.skips.is_empty() && dice.roll(4) == 0 => Intent::Unskip { item },
            Intent::QueueRemove { .. } => Intent::QueueRemove { item: pick(dice) },
            Intent::QueueMove { place, .. } => Intent::QueueMove {
                item: pick(dice),
                place,
            },
            Intent::Vote { .. } => Intent::Vote { item: pick(dice) },
            Intent::Unvote { .. } => Intent::Unvote { item: pick(dice) },
            Intent::PlayNow { .. } => Intent::PlayNow { item: pick(dice) },
            Intent::Skip { .. } => Intent::Skip { item },
            Intent::Unskip { .. } => Intent::Unskip { item },
            Intent::Next { .. } => Intent::Next { item },
            Intent::Ready { .. } if dice.roll(4) > 0 => {
                let Aim { item, generation } = state.timeline.aim();
                Intent::Ready { item, generation }
            }
            Intent::AnswerPoll { choice, .. } => Intent::AnswerPoll {
                poll: state.poll.as_ref().map_or(Seq::new(0), |poll| poll.id),
                choice,
            },
            Intent::ClosePoll { .. } => Intent::ClosePoll {
                poll: state.poll.as_ref().map_or(Seq::new(0), |poll| poll.id),
            },
            Intent::Reply { text, .. } if !spoken.is_empty() => Intent::Reply {
                to: spoken[dice.roll(spoken.len() as u64) as usize],
                text,
            },
            Intent::Redact { .. } if !spoken.is_empty() => Intent::Redact {
                seq: spoken[dice.roll(spoken.len() as u64) as usize],
            },
            other => other,
        }
    }

    /// One evening: its events, in order.
    fn evening(seed: u64) -> Vec<Event> {
        let mut dice = Dice(seed);
        let mut micros = 0;
        let mut now = |dice: &mut Dice| {
            let longest = [800_000, 5_000_000, 90_000_000][dice.roll(3) as usize];
            micros += dice.roll(longest);
            Moment {
                at: SessionTime::new(micros),
                wall: 1_795_000_000_000 + micros / 1_000,
            }
        };
        let entrant = |member, number: u64, role| Entrant {
            member,
            name: Name::new(&format!("Member {number}")).unwrap(),
            role,
            client: Client::Page,
        };
        let title = Title::new("Film night").unwrap();
        let start = now(&mut dice);
        let (mut room, mut events) = Sequencer::open(SessionId::new(7), title, start);
        let at = now(&mut dice);
        events.extend(room.join(entrant(None, 0, Role::Host), at).unwrap().1);
        for counter in 1..2_500 {
            let member = MemberId::new([1, 1 + dice.roll(6) as u32][dice.roll(2) as usize]);
            let at = now(&mut dice);
            match dice.roll(20) {
                0 => {
                    let known = room.state().roster.get(member).map(|_| member);
                    let role = [Role::Guest, Role::Viewer, Role::CoHost][dice.roll(3) as usize];
                    if let Ok((_, new)) = room.join(entrant(known, counter, role), at) {
                        events.extend(new);
                    }
                }
                1 => {
                    let reason = [
                        Departure::Quit,
                        Departure::Lost,
                        Departure::Dropped,
                        Departure::Ended,
                    ][dice.roll(4) as usize];
                    // The host stays, so that the evening goes on.
                    if member != MemberId::new(1) {
                        events.extend(room.leave(member, reason, at));
                    }
                }
                2 => {
                    let (next, new) = Sequencer::resume(room.state().clone(), room.state().at, at);
                    room = next;
                    events.extend(new);
                    let host = entrant(Some(MemberId::new(1)), 0, Role::Host);
                    if let Ok((_, new)) = room.join(host, at) {
                        events.extend(new);
                    }
                }
                3 => {
                    let activities = [Activity::Stalled, Activity::Advert, Activity::Playing];
                    let report = Report {
                        activity: Some(activities[dice.roll(3) as usize]),
                        drift: None,
                        round_trip: None,
                    };
                    events.extend(room.observe(member, &report, at));
                }
                4 if dice.roll(9) == 0 => {
                    let alive = room.state().at;
                    events.extend(room.gap(alive, at));
                }
                _ => {
                    let ask = Ask {
                        // Out of order now and then, as retries are.
                        counter: counter * 2 - dice.roll(7).min(counter),
                        stamp: Default::default(),
                        via: Default::default(),
                        aim: None,
                        intent: sensible(intent(&mut dice), room.state(), &mut dice),
                    };
                    events.extend(room.ask(member, &ask, at, Micros::ZERO).events);
                }
            }
        }
        events
    }

    /// What the program makes of an evening: the state, the lines, and where its films are.
    fn told(events: &[Event]) -> Value {
        let mut state = RoomState::default();
        let mut lines = Vec::new();
        let mut links = Vec::new();
        let mut offers = Vec::new();
        for event in events {
            if let Body::MediaSet { media, .. } = &event.body {
                let plain = matches!(media.provider, Provider::File | Provider::Page);
                let start = MediaTime::new(if plain { 0 } else { 83_500_000 });
                links.push(media.url(start));
            }
            lines.extend(view::line(&state, event).map(|entry| {
                json!({
                    "seq": entry.seq, "at": entry.at, "moment": entry.moment, "wall": entry.wall, "by": entry.by,
                    "name": entry.name, "kind": if entry.kind == Kind::Talk { "talk" } else { "system" },
                    "text": entry.text,
                })
            }));
            state.apply(event);
            let waiting = view::waiting(&state, &BTreeMap::new(), Some(MemberId::new(1)));
            let undo = view::undoable(&state).map(|deed| {
                let may = |action| state.may(MemberId::new(2), action);
                (deed.seq, deed.remedy.needs().iter().copied().all(may))
            });
            let before = Seq::new(event.header.seq.get().saturating_sub(3));
            let still = view::undo_of(&state, before).is_some();
            offers.push(json!([waiting, undo, still]));
        }
        json!({ "offers": offers, "state": serde_json::to_string(&state).unwrap(), "lines": lines, "links": links })
    }

    /// Folds in the page's own code: reads events, one evening a line, and answers each with a line.
    const SCRIPT: &str = r#"
        const { Replay } = await load("fold.js");
        const { lineOf, mayUndo, undoOf, undoable, waitingLine } = await load("story.js");
        const { pageUrl } = await load("media.js");
        const { createInterface } = await import("node:readline");
        for await (const evening of createInterface({ input: process.stdin })) {
            const replay = new Replay(), lines = [], links = [], offers = [];
            for (const event of JSON.parse(evening)) {
                const media = event.body.media_set?.media;
                if (media) links.push(pageUrl(media, ["file", "page"].includes(media.provider) ? 0 : 83.5e6));
                const line = lineOf(replay.state, event);
                if (line) lines.push(line);
                if (!replay.take(event) || replay.take(event)) throw new Error("taken twice or not at all");
                const deed = undoable(replay.state);
                const undo = deed && [deed.seq, mayUndo(replay.state, 2, deed)];
                const still = undoOf(replay.state, event.seq - 3) !== null;
                offers.push([waitingLine(replay.state, new Map(), 1), undo, still]);
            }
            console.log(JSON.stringify({ state: JSON.stringify(replay.state), lines, links, offers }));
        }
    "#;

    #[test]
    fn the_page_folds_and_tells_every_evening_as_the_program_does() {
        let Some(mut node) = super::node(SCRIPT) else {
            // The browser tests make the same comparison in Chromium.
            eprintln!("no node on this machine: the page's fold is not compared here");
            return;
        };
        let evenings: Vec<Vec<Event>> = (1..=12).map(evening).collect();
        let mut input = node.stdin.take().unwrap();
        for events in &evenings {
            writeln!(input, "{}", serde_json::to_string(events).unwrap()).unwrap();
        }
        drop(input);
        let output = node.wait_with_output().unwrap();
        assert!(output.status.success(), "the page's fold failed");
        let kinds: BTreeSet<String> = evenings
            .iter()
            .flatten()
            .filter_map(|event| match serde_json::to_value(&event.body) {
                Ok(Value::Object(body)) => body.keys().next().cloned(),
                _ => None,
            })
            .collect();
        assert_eq!(
            kinds.len(),
            BODY_KINDS as usize,
            "every kind of event takes part: {kinds:?}"
        );
        let answers = String::from_utf8(output.stdout).unwrap();
        assert_eq!(answers.lines().count(), evenings.len());
        for (seed, (answer, events)) in answers.lines().zip(&evenings).enumerate() {
            let seed = seed + 1;
            let (page, program) = (serde_json::from_str::<Value>(answer).unwrap(), told(events));
            assert!(
                events.len() > 100,
                "evening({seed}) has only {} events",
                events.len()
            );
            assert_eq!(page["state"], program["state"], "evening({seed})");
            assert_eq!(page["lines"], program["lines"], "evening({seed})");
            assert_eq!(page["links"], program["links"], "evening({seed})");
            assert_eq!(page["offers"], program["offers"], "evening({seed})");
        }
    }
}
