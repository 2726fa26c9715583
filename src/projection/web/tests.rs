use super::*;
use crate::engine;
use std::collections::BTreeMap;

#[path = "../../../tests/support/evenings.rs"]
mod evenings;

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
fn every_module_is_fetched_with_the_page() {
    let early: Vec<&str> = between(text(INDEX), "\"modulepreload\" href=\"/assets/", '"').collect();
    // The first runs before the page is drawn, and the second is what asks for the others.
    let modules: Vec<&str> = (FILES.iter().map(|(name, _, _)| *name))
        .filter(|name| name.ends_with(".js") && !["theme.js", "app.js"].contains(name))
        .collect();
    assert_eq!(early.len(), modules.len());
    for module in modules {
        assert!(
            early.contains(&module),
            "{module} waits for the one that imports it"
        );
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
        "https://player.vimeo.com",
        "https://player.twitch.tv",
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

/// Runs a script with the page's modules at hand, as `load("story.js")`, feeds it these lines
/// and gives back what it printed, a value a line; `None` where there is no engine for it.
fn node(script: &str, lines: &[String]) -> Option<Vec<serde_json::Value>> {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let root = format!(
        "file://{}/src/projection/web/assets/",
        env!("CARGO_MANIFEST_DIR")
    );
    let script = format!("const load = (name) => import(process.argv[1] + name);\n{script}");
    let spawned = Command::new("node")
        .args(["--no-warnings", "--experimental-default-type=module"])
        .args(["--input-type=module", "-e", &script, &root])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut node) = spawned else {
        // The browser tests run the same code in Chromium.
        eprintln!("skipped: no node to run the page's code");
        return None;
    };
    let mut input = node.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // Beside it: a pipe is shorter than what both have to say.
        scope.spawn(move || {
            for line in lines {
                // A script that stopped reading has failed, which its end tells.
                let _ = writeln!(input, "{line}");
            }
        });
        node.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "the page's code failed");
    let answers = String::from_utf8(output.stdout).unwrap();
    let values = answers
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    Some(values.collect())
}

/// What a script prints once, for scripts that are told nothing.
fn node_once(script: &str) -> Option<serde_json::Value> {
    let mut printed = node(script, &[])?;
    assert_eq!(printed.len(), 1, "one line is expected");
    printed.pop()
}

/// What the page's code makes of these traces, step by step.
fn played_by_the_page(
    script: &str,
    traces: &[Vec<serde_json::Value>],
) -> Option<Vec<Vec<serde_json::Value>>> {
    let lines: Vec<String> = (traces.iter())
        .map(|trace| serde_json::to_string(trace).unwrap())
        .collect();
    let answers = node(script, &lines)?;
    assert_eq!(answers.len(), traces.len());
    let steps = (answers.into_iter()).map(|answer| serde_json::from_value(answer).unwrap());
    Some(steps.collect())
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
        const trouble = (item, why) => ({ item, why, words: null });
        out.unable = step("loading", null, line(2, 3), trouble(2, "sign_in"));
        out.otherwise = step("loading", null, line(2, 3), trouble(2, "region"));
        witness.forget();
        hears = false;
        out.unable_unheard = step("loading", null, line(2, 3), trouble(2, "region"));
        hears = true;
        out.unable_again = step("loading", null, line(2, 3), trouble(2, "region"));
        out.able = step("paused", { item: 2, generation: 3 }, line(2, 3));
        out.unable_later = step("loading", { item: 2, generation: 3 }, line(2, 3), trouble(2, "unreachable"));
        out.other_film = step("loading", null, line(3, 4));
        out.no_player = step(null, null, line(3, 4), trouble(3, "other_player"));
        console.log(JSON.stringify(out));
    "#;
    let Some(told) = node_once(SCRIPT) else {
        return;
    };
    let ready = |item: u32, generation: u32| serde_json::json!({ "ready": { "item": item, "generation": generation } });
    let ended = serde_json::json!({ "ended": { "item": 1 } });
    let unable = |item: u32, why: &str| serde_json::json!({ "unable": { "item": item, "why": why, "words": null } });
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
            "unable": [unable(2, "sign_in")],
            "otherwise": [unable(2, "region")],
            "unable_unheard": [],
            "unable_again": [unable(2, "region"), ready(0, 0)],
            "able": [serde_json::json!({ "unable": { "item": 2, "why": null, "words": null } }), ready(2, 3)],
            "unable_later": [unable(2, "unreachable")],
            "other_film": [],
            "no_player": [unable(3, "other_player")],
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

/// The page's connection in a world of our own: its clock runs when told to, and its sockets
/// are answered by hand. Also in Chromium, in real time, in `tests/page.rs`.
const NETWORK: &str = r#"
    let now = 1_000_000, timers = [], serial = 0;
    globalThis.performance = { now: () => now };
    Date.now = () => now;
    Math.random = () => 0;
    globalThis.setTimeout = (run, wait = 0) => { timers.push({ id: ++serial, at: now + wait, run }); return serial; };
    globalThis.setInterval = (run, every) => { timers.push({ id: ++serial, at: now + every, run, every }); return serial; };
    globalThis.clearTimeout = globalThis.clearInterval = (id) => { timers = timers.filter((one) => one.id !== id); };
    const pass = (millis) => {
        for (const end = now + millis; ;) {
            const next = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at || a.id - b.id)[0];
            now = next ? next.at : end;
            if (!next) return;
            if (next.every) next.at += next.every;
            else clearTimeout(next.id);
            next.run();
        }
    };
    const kept = new Map();
    globalThis.sessionStorage = {
        getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key),
    };
    globalThis.location = { protocol: "http:", host: "party.test" };
    globalThis.addEventListener = () => {};
    globalThis.document = { addEventListener() {}, visibilityState: "visible" };
    const sockets = [];
    globalThis.WebSocket = class {
        static OPEN = 1;
        readyState = 0; sent = []; on = {};
        constructor() { sockets.push(this); }
        addEventListener(kind, run) { this.on[kind] = run; }
        send(text) { this.sent.push(JSON.parse(text)); }
        close() { this.readyState = 3; }
        opens() { this.readyState = 1; this.on.open(); }
        breaks() { this.readyState = 3; this.on.close(); }
        hears(frame) { this.on.message({ data: JSON.stringify(frame) }); }
        asked() { return this.sent.flatMap(({ ask }) => ask ?? []); }
    };
    const { Connection } = await load("net.js");
    const told = [], refused = [], accepted = [];
    const connection = new Connection({ session: "s", secret: "x" }, {
        cursor: () => 1, stamp: () => 0, event() {}, presence() {}, moved() {}, knocks() {}, secret() {}, clock() {}, start_over() {},
        refused: ({ refusal, sentence }, ask) => refused.push([Object.keys(ask.intent)[0], refusal, sentence]),
        accepted: (ask) => accepted.push(ask.counter),
        status: () => {
            const line = [connection.status, connection.reason].join(": ");
            if (told.at(-1) !== line) told.push(line);
        },
    });
    const lets_in = () => {
        sockets.at(-1).opens();
        sockets.at(-1).hears({ welcome: { member: 2, token: "t", tail: 1 } });
    };
    /** Waits until it dials again. */
    const redials = () => { for (const { length } = sockets; sockets.length === length;) pass(100); };
    const print = (value) => console.log(JSON.stringify(value));
"#;

#[test]
fn joining_in_a_bad_moment_of_the_network_needs_no_second_press() {
    let script = format!(
        "{NETWORK}
        connection.open('Kim');
        redials();
        sockets.at(-1).opens();
        sockets.at(-1).breaks();
        redials();
        lets_in();
        print([sockets.length, told]);"
    );
    let Some(answer) = node_once(&script) else {
        return;
    };
    let not_yet = "lost: The host does not answer yet.";
    let dials = "connecting: ";
    assert_eq!(
        answer,
        serde_json::json!([
            3,
            [
                dials,
                not_yet,
                dials,
                not_yet,
                dials,
                "catching_up: ",
                "live: "
            ]
        ])
    );
}

#[test]
fn a_page_that_nobody_answers_says_so_after_three_tries_and_one_that_shall_wait_waits() {
    let script = format!(
        "{NETWORK}
        connection.open('Kim');
        pass(60_000);
        print([sockets.length, told.at(-1)]);
        connection.open('Kim');
        for (let times = 0; times < 5; times += 1) {{
            sockets.at(-1).opens();
            sockets.at(-1).hears({{ refused: {{ counter: null, refusal: 'too_fast', sentence: 'Wait a moment.' }} }});
            print(told.at(-1));
            redials();
        }}
        redials();
        lets_in();
        print([sockets.length, told.at(-1)]);"
    );
    let Some(answers) = node(&script, &[]) else {
        return;
    };
    let wait = || serde_json::json!("lost: Wait a moment.");
    let nobody =
        "idle: The host does not answer. Check the link, or ask whether the party is still on.";
    assert_eq!(
        answers,
        [
            serde_json::json!([3, nobody]),
            wait(),
            wait(),
            wait(),
            wait(),
            wait(),
            // One of these was not answered at all.
            serde_json::json!([10, "live: "]),
        ]
    );
}

#[test]
fn after_an_outage_the_page_says_what_was_said_and_drops_the_control_nobody_means_any_more() {
    let script = format!(
        "{NETWORK}
        connection.open('Kim');
        lets_in();
        const ask = (intent) => connection.ask(intent, 'page');
        const out = [ask({{ pause: {{ at: 5 }} }}), ask({{ say: {{ text: 'one' }} }}), ask({{ seek: {{ to: 7 }} }})];
        // The room did the last of them; only its answer was lost.
        connection.seenCounter(sockets[0].asked()[2].counter);
        pass(14_000);
        out.push(connection.status, ask({{ say: {{ text: 'two' }} }}), ask({{ pause: {{ at: 6 }} }}));
        pass(2_000);
        lets_in();
        out.push(sockets.at(-1).asked().map(({{ intent }}) => intent), refused, accepted.length);
        print(out);"
    );
    let Some(answer) = node_once(&script) else {
        return;
    };
    let not_done = engine::session::member_end::NOT_DONE;
    let said = |text: &str| serde_json::json!({ "say": { "text": text } });
    assert_eq!(
        answer,
        serde_json::json!([
            true,
            true,
            true,
            "lost",
            true,
            false,
            [said("one"), said("two")],
            [["pause", "too_old", not_done]],
            1
        ])
    );
}

#[test]
fn a_start_that_a_pause_and_a_seek_overtook_leaves_the_next_one_as_early_as_after_a_seek() {
    const SCRIPT: &str = r#"
        // A clock that runs by being read, and timers that are due when it says so.
        let now = 1_000, timers = [];
        globalThis.performance = { now: () => (now += 0.01) };
        globalThis.setTimeout = (run, wait = 0) => { timers.push({ at: now + wait, run }); };
        globalThis.clearTimeout = () => {};
        const settle = () => new Promise((done) => setImmediate(done));
        const pass = async (millis) => {
            for (const end = now + millis; ;) {
                await settle();
                timers.sort((a, b) => a.at - b.at);
                if (timers.length === 0 || timers[0].at > end) { now = Math.max(now, end); return; }
                now = Math.max(now, timers[0].at);
                timers.shift().run();
            }
        };
        const { Driver } = await load("driver.js");
        const clock = { estimate: () => ({ bound: () => 100 }), session: (local) => local, local: (session) => session };
        const players = () => ({
            frameMicros: 4_000, habits: { seekStart: 80_000 }, ready: true, activity: "paused", actedAt: -Infinity,
            position: 0, ordered: [], abort: null,
            sample(at) { return { at, position: this.position, rate: 1 }; },
            // As slow as a busy browser's.
            play() {
                this.ordered.push(now * 1000);
                return new Promise((done) => {
                    this.abort = done;
                    setTimeout(() => { if (this.abort === done) { this.activity = "playing"; done(); } }, this.slow ?? 1);
                });
            },
            pause() { const abort = this.abort; this.abort = null; this.activity = "paused"; abort?.(); },
            async seek(micros) { this.position = micros; },
            setRate() {},
        });
        const line = (generation, playing, position, at = 0) => ({ item: 1, generation, playing, rate: 1000, position, at });
        const driver = new Driver(clock, () => {});
        const early = async (player, generation, position) => {
            const moment = now * 1000 + 500_000;
            driver.line(line(generation, true, position, moment), null);
            await pass(600);
            return Math.round((moment - player.ordered.at(-1)) / 10_000) * 10;
        };
        const out = [];
        const first = players();
        first.slow = 300;
        driver.line(line(1, false, 0), null);
        driver.mount(first);
        await pass(50);
        out.push(await early(first, 2, 0));
        driver.line(line(3, false, 9e6), null); // before it runs
        await pass(50);
        first.slow = 1;
        out.push(await early(first, 4, 9e6));
        driver.line(line(5, false, 9e6), null); // where it stands: nothing is sought
        await pass(50);
        out.push(await early(first, 6, 9e6));
        const second = players();
        driver.mount(null);
        driver.line(line(7, false, 0), null);
        driver.mount(second);
        await pass(50);
        out.push(await early(second, 8, 0));
        console.log(JSON.stringify(out));
        process.exit(0);
    "#;
    let Some(early) = node_once(SCRIPT) else {
        return;
    };
    // In milliseconds: from a seek, from a seek again, from a standing frame, and another player's first.
    assert_eq!(early, serde_json::json!([80, 80, 0, 80]));
}

#[test]
fn a_film_that_breaks_off_is_opened_again_by_itself_until_it_plays() {
    const SCRIPT: &str = r#"
        let timer = null;
        globalThis.setTimeout = (run, wait) => { timer = { run, wait }; return 1; };
        globalThis.clearTimeout = () => { timer = null; };
        globalThis.location = { protocol: "http:" };
        globalThis.MediaError = { MEDIA_ERR_NETWORK: 2, MEDIA_ERR_DECODE: 3 };
        const { FilePlayer } = await load("player/file.js");
        const video = Object.assign(new EventTarget(), {
            loads: 0, paused: true, duration: 60, currentTime: 0, error: null,
            load() { this.loads += 1; }, pause() {}, removeAttribute() {},
        });
        const told = [];
        const player = new FilePlayer(video, { provider: "file", id: "http://films.test/a.mp4" }, {
            ready: () => told.push("ready"), changed() {}, duration() {}, act() {}, failed: (_, why) => told.push(why),
        });
        const breaks = (code) => {
            video.error = { code };
            video.dispatchEvent(new Event("error"));
            told.push(timer?.wait ?? null);
            const again = timer;
            timer = null;
            again?.run();
        };
        const opens = () => {
            video.error = null;
            video.dispatchEvent(new Event("loadedmetadata"));
            told.push(player.activity);
        };
        breaks(4);
        opens();
        breaks(2);
        // It was open: what a dead network says now is not about its address.
        for (let times = 0; times < 4; times += 1) breaks(4);
        opens();
        breaks(3);
        breaks(2);
        player.destroy();
        told.push(player.failed !== null, video.loads);
        console.log(JSON.stringify(told));
    "#;
    let Some(told) = node_once(SCRIPT) else {
        return;
    };
    let away = "unreachable";
    assert_eq!(
        told,
        serde_json::json!([
            "unavailable",
            2_000,
            "ready",
            "paused",
            away,
            2_000,
            away,
            4_000,
            away,
            8_000,
            away,
            15_000,
            away,
            15_000,
            "ready",
            "paused",
            "format",
            null,
            away,
            2_000,
            true,
            9
        ])
    );
}

/// A room in which these are present, member by member.
fn party(roles: impl IntoIterator<Item = engine::event::Role>) -> engine::fold::RoomState {
    let mut state = Default::default();
    for (number, role) in (1..).zip(roles) {
        let member = engine::id::MemberId::new(number);
        let name = engine::text::Name::new(&format!("Member {number}")).unwrap();
        let client = engine::event::Client::Page;
        let joined = engine::event::Body::Joined {
            member,
            name,
            role,
            client,
        };
        happen(&mut state, number, joined);
    }
    state
}

/// The next event of a room, by that member.
fn happen(state: &mut engine::fold::RoomState, by: u32, body: engine::event::Body) {
    state.apply(&engine::event::Event {
        header: engine::event::Header {
            seq: state.tail(),
            epoch: Default::default(),
            stamp: Default::default(),
            at: Default::default(),
            wall: 0,
            by: Some(engine::id::MemberId::new(by)),
            via: Default::default(),
            cause: None,
            intent: None,
        },
        body,
    });
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
    use crate::engine::event::Role;
    use crate::engine::intent::Intent;
    use crate::engine::sequencer::authorise;
    let Some(offers) = node_once(SCRIPT) else {
        return;
    };
    let offers: Vec<Vec<Vec<serde_json::Value>>> = serde_json::from_value(offers).unwrap();
    let words = |me: usize, other: usize| -> Vec<&str> {
        let deeds = offers[me - 1][other - 1].iter();
        deeds.map(|deed| deed["words"].as_str().unwrap()).collect()
    };
    let none: [&str; 0] = [];
    assert_eq!(
        words(1, 2),
        [
            "Make guest",
            "Make viewer",
            "No moving the film",
            "No choosing films",
            "Mute",
            "Send out",
            "Shut out"
        ]
    );
    assert_eq!(
        words(1, 5),
        [
            "Make co-host",
            "Make guest",
            "Let them move the film",
            "Let them choose films",
            "Unmute",
            "Send out",
            "Shut out"
        ]
    );
    assert_eq!(
        words(2, 4),
        [
            "Make viewer",
            "No moving the film",
            "No choosing films",
            "Mute",
            "Send out",
            "Shut out"
        ]
    );
    for (me, other) in [(1, 1), (2, 1), (2, 3), (4, 5), (5, 4)] {
        assert_eq!(words(me, other), none, "{me} about {other}");
    }
    let state = party([
        Role::Host,
        Role::CoHost,
        Role::CoHost,
        Role::Guest,
        Role::Viewer,
    ]);
    for (me, row) in (1..).zip(&offers) {
        for deed in row.iter().flatten() {
            let intent: Intent = serde_json::from_value(deed["intent"].clone()).unwrap();
            let answer = authorise(&state, crate::engine::id::MemberId::new(me), &intent);
            assert_eq!(answer, Ok(()), "{me}: {deed}");
        }
    }
}

/// What people decide together, as the page offers it to each of them.
mod together {
    use super::{happen, node, node_once, party};
    use crate::engine::event::{Action, Body, Choice, Role};
    use crate::engine::fold::RoomState;
    use crate::engine::id::MemberId;
    use crate::engine::intent::Intent;
    use crate::engine::sequencer::authorise;
    use crate::engine::text::{Line, Title};
    use serde_json::{Value, json};

    /// A script's answer to each of these states, for the members 1 to 5 in turn.
    fn offered(script: &str, states: &[&RoomState]) -> Option<Vec<Vec<Value>>> {
        let script = format!(
            "const {{ may }} = await load(\"fold.js\");
             const {{ createInterface }} = await import(\"node:readline\");
             {script}
             for await (const line of createInterface({{ input: process.stdin }})) {{
                 const state = JSON.parse(line);
                 console.log(JSON.stringify([1, 2, 3, 4, 5].map((me) => offer(state, me, (action) => may(state, me, action)))));
             }}"
        );
        let lines: Vec<String> = (states.iter())
            .map(|state| serde_json::to_string(state).unwrap())
            .collect();
        let answers = node(&script, &lines)?;
        assert_eq!(answers.len(), states.len());
        let rows = answers
            .into_iter()
            .map(|row| serde_json::from_value(row).unwrap());
        Some(rows.collect())
    }

    fn everybody() -> RoomState {
        party([
            Role::Host,
            Role::CoHost,
            Role::CoHost,
            Role::Guest,
            Role::Viewer,
        ])
    }

    #[test]
    fn a_grant_is_asked_for_by_who_lacks_it_and_answered_by_who_may() {
        const SCRIPT: &str = r#"
            const { requestWords, requestsFor, wishesOf } = await load("wishes.js");
            const offer = (state, me) => ({
                wishes: wishesOf(state, me, 1).map(({ id, actions, asked, denied }) => [id, actions, asked, denied]),
                requests: requestsFor(state, me).map((request) => ({ ...request, words: requestWords(request) })),
            });
        "#;
        let before = everybody();
        let mut asked = everybody();
        for action in [Action::Play, Action::Seek, Action::Rate, Action::Invite] {
            happen(&mut asked, 5, Body::Requested { action });
        }
        let action = Action::Moderate;
        happen(&mut asked, 4, Body::Requested { action });
        let mut answered = everybody();
        let not_now = Body::Ruled {
            member: MemberId::new(5),
            action: Action::Queue,
            allow: Some(false),
            until: Some(crate::engine::unit::SessionTime::from_secs(600)),
        };
        happen(&mut answered, 2, not_now);
        let Some(seen) = offered(SCRIPT, &[&before, &asked, &answered]) else {
            return;
        };
        let none = json!({ "wishes": [], "requests": [] });
        let lacks_nothing = &seen[0][..4];
        assert_eq!(lacks_nothing, vec![none; 4]);
        let control = ["play", "seek", "rate"];
        let (queue, invite) = (json!(["queue"]), json!(["invite"]));
        assert_eq!(
            seen[0][4]["wishes"],
            json!([
                ["control", control, false, false],
                ["choose", queue, false, false],
                ["invite", invite, false, false]
            ])
        );
        assert_eq!(
            seen[1][4]["wishes"],
            json!([
                ["control", [], true, false],
                ["choose", queue, false, false],
                ["invite", [], true, false]
            ])
        );
        assert_eq!(
            seen[2][4]["wishes"][1],
            json!(["choose", queue, false, true])
        );
        let words = |me: usize| -> Vec<(&str, usize)> {
            let requests = seen[1][me - 1]["requests"].as_array().unwrap();
            let each = requests.iter().map(|request| {
                let allow = request["allow"].as_array().unwrap().len();
                (request["words"].as_str().unwrap(), allow)
            });
            each.collect()
        };
        let of_five = [
            ("Member 5 asks to control the film", 3),
            ("Member 5 asks to invite people", 1),
        ];
        let to_host = [&[("Member 4 asks to moderate", 1)], &of_five[..]].concat();
        // Only the host makes moderators; a co-host can but say "not now" to that.
        let to_co_host = [&[("Member 4 asks to moderate", 0)], &of_five[..]].concat();
        assert_eq!(words(1), to_host);
        assert_eq!(words(2), to_co_host);
        assert_eq!([words(4), words(5)], [[]; 2]);
        for (me, row) in (1..).zip(&seen[1]) {
            for request in row["requests"].as_array().unwrap() {
                let [allow, refuse] =
                    ["allow", "refuse"].map(|answer| request[answer].as_array().unwrap().iter());
                for intent in allow.chain(refuse) {
                    let meant: Intent = serde_json::from_value(intent.clone()).unwrap();
                    let answer = authorise(&asked, MemberId::new(me), &meant);
                    assert_eq!(answer, Ok(()), "{me}: {intent}");
                }
            }
        }
    }

    #[test]
    fn a_line_is_offered_to_whom_the_room_lets_answer_it_or_take_it_back() {
        const SCRIPT: &str = r#"
            const { lineToAnswer } = await load("answer.js");
            const offer = (state, me, can) => lineToAnswer(state, me, can, state.transcript[0].seq);
        "#;
        let mut said = everybody();
        let seq = said.tail();
        let text = || Line::new("Who is that?").unwrap();
        let moment = Default::default();
        happen(
            &mut said,
            4,
            Body::Said {
                text: text(),
                moment,
            },
        );
        let mute = Body::Ruled {
            member: MemberId::new(5),
            action: Action::Chat,
            allow: Some(false),
            until: None,
        };
        happen(&mut said, 1, mute);
        let mut gone = said.clone();
        happen(&mut gone, 4, Body::Redacted { seq });
        let Some(seen) = offered(SCRIPT, &[&said, &gone]) else {
            return;
        };
        for (me, line) in (1..).zip(&seen[0]) {
            let may = |intent: Intent| authorise(&said, MemberId::new(me), &intent).is_ok();
            let answer = may(Intent::Reply {
                to: seq,
                text: text().to_string(),
            });
            let take_back = may(Intent::Redact { seq });
            let line_told = |key: &str| line.get(key).and_then(Value::as_bool) == Some(true);
            assert_eq!(
                (line_told("answer"), line_told("takeBack")),
                (answer, take_back),
                "{me}"
            );
        }
        assert_eq!(seen[0][3]["name"], "yourself");
        assert_eq!(seen[0][4], Value::Null, "muted, and no moderator");
        assert_eq!(seen[1], vec![Value::Null; 5], "nobody reads it any more");
    }

    #[test]
    fn a_poll_shows_its_counts_and_is_closed_by_who_may() {
        const SCRIPT: &str = r#"
            const { pollView } = await load("poll.js");
            const offer = pollView;
        "#;
        let nothing = everybody();
        let mut open = everybody();
        let line = |text: &str| Line::new(text).unwrap();
        let choices = ["A walk", "Bed", "Soup"].map(|label| Choice {
            label: Title::new(label).unwrap(),
            media: None,
            start: Default::default(),
        });
        let poll = open.tail();
        let opened = Body::PollOpened {
            question: line("What next?"),
            choices: choices.to_vec(),
        };
        happen(&mut open, 4, opened);
        for (by, choice) in [(1, 1), (4, 0), (5, 1)] {
            let choice = Some(choice);
            happen(&mut open, by, Body::PollAnswered { poll, choice });
        }
        let mut over = open.clone();
        let winner = Some(1);
        happen(&mut over, 4, Body::PollClosed { poll, winner });
        let Some(seen) = offered(SCRIPT, &[&nothing, &open, &over]) else {
            return;
        };
        assert_eq!(seen[0], vec![Value::Null; 5]);
        for (me, view) in (1..).zip(&seen[1]) {
            let counts: Vec<_> = (0..3).map(|row| &view["rows"][row]["count"]).collect();
            assert_eq!(counts, [1, 2, 0]);
            assert_eq!(view["told"], "3 of 5 answered");
            assert_eq!(view["mayAnswer"], true);
            let may = authorise(&open, MemberId::new(me), &Intent::ClosePoll { poll }).is_ok();
            assert_eq!(view["mayClose"], may, "{me}");
        }
        assert_eq!(seen[1][3]["asks"], "You ask");
        assert_eq!(seen[1][4]["asks"], "Member 4 asks");
        let mine = |me: usize| (0..3).find(|row| seen[1][me - 1]["rows"][*row]["mine"] == true);
        assert_eq!([mine(1), mine(2), mine(4)], [Some(1), None, Some(0)]);
        let may_take_back = |me: usize| &seen[1][me - 1]["mayTakeBack"];
        assert_eq!([may_take_back(1), may_take_back(2)], [true, false]);
        for view in &seen[2] {
            assert_eq!(view["told"], "“Bed” won");
            assert_eq!(view["rows"][1]["won"], true);
            for deed in ["mayAnswer", "mayTakeBack", "mayClose", "open"] {
                assert_eq!(view[deed], false, "{deed}");
            }
        }
    }

    #[test]
    fn what_is_typed_makes_a_poll_of_two_to_eight_choices() {
        const SCRIPT: &str = r#"
            const { choicesOf } = await load("poll.js");
            const typed = [["a", " "], ["a", "", " b "], Array(8).fill("c"), Array(9).fill("c")];
            console.log(JSON.stringify(typed.map((texts) => choicesOf(texts)?.join() ?? null)));
        "#;
        let Some(choices) = node_once(SCRIPT) else {
            return;
        };
        assert_eq!(choices, json!([null, "a,b", "c,c,c,c,c,c,c,c", null]));
    }

    #[test]
    fn a_ready_check_names_who_is_asked_and_its_start_is_counted_down() {
        const SCRIPT: &str = r#"
            const { emptyState } = await load("fold.js");
            const { askedOf, countAt } = await load("ready.js");
            const state = emptyState();
            const member = (name, since, more) => ({ name, since, present: true, suspended: null, ...more });
            Object.assign(state.roster, {
                1: member("Ana", 0), 2: member("Bo", 0), 3: member("Cy", 99), 4: member("Di", 0, { suspended: "detached" }),
                5: member("Ed", 0, { present: false }), 6: member("Fe", 0),
            });
            const asked = (me) => askedOf(state, me)?.map(({ name, ready }) => [name, ready]) ?? null;
            const out = [asked(1)];
            state.hold = { seq: 7, reason: "load", since: 50, deadline: 90, waiting: [1] };
            out.push(asked(1));
            state.hold = { seq: 7, reason: "ready_check", since: 50, deadline: 90, waiting: [1, 6] };
            out.push(asked(6));
            const line = { playing: true, at: 10e6 };
            const at = (now, start = 10e6, anchor = line) => countAt(anchor, start, now);
            out.push([at(7e6), at(7.9e6), at(8.1e6), at(9.5e6), at(10e6), at(2e6)]);
            // Paused, or sought, or never asked, in between: nothing is counted.
            out.push([at(8e6, null), at(8e6, 10e6, { playing: false, at: 10e6 }), at(8e6, 9e6), at(null)]);
            console.log(JSON.stringify(out));
        "#;
        let Some(seen) = node_once(SCRIPT) else {
            return;
        };
        let asked = json!([["you", false], ["Ana", false], ["Bo", true]]);
        let counted = json!([3, 3, 2, 1, 0, 0]);
        assert_eq!(seen, json!([null, null, asked, counted, [0, 0, 0, 0]]));
    }

    #[test]
    fn who_wants_to_skip_is_said_with_how_many_are_missing() {
        const SCRIPT: &str = r#"
            const { emptyState } = await load("fold.js");
            const { queueWords, skipOffer, skipWords } = await load("queue.js");
            const state = emptyState();
            for (const id of [1, 2, 3, 4]) state.roster[id] = { present: true };
            const words = () => { const offer = skipOffer(state, 2); return offer && [skipWords(offer), offer.mine]; };
            const out = [words()];
            state.timeline.items[1] = {};
            state.timeline.anchor.item = 1;
            out.push(words());
            state.queue.repeat = "all";
            state.queue.skips = [3];
            out.push(words());
            state.queue.skips = [2, 3, 9];
            state.queue.mode = "vote";
            out.push(words(), queueWords(state));
            console.log(JSON.stringify(out));
        "#;
        let Some(seen) = node_once(SCRIPT) else {
            return;
        };
        assert_eq!(
            seen,
            json!([
                null,
                null,
                ["1 of 4 wants to skip, 2 more needed", false],
                ["2 of 4 want to skip, 1 more needed", true],
                "The queue plays what has most votes. The queue repeats."
            ])
        );
    }
}

/// The page's own fold against the program's, by the JavaScript engine at hand.
mod parity {
    use super::evenings::evening;
    use crate::engine::event::{BODY_KINDS, Body, Event, Header};
    use crate::engine::fold::RoomState;
    use crate::engine::id::{MemberId, Seq};
    use crate::engine::media::Provider;
    use crate::engine::unit::{MediaTime, SessionTime};
    use crate::projection::view::{self, Kind};
    use serde_json::{Value, json};
    use std::collections::{BTreeMap, BTreeSet};

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
            let skips = (state.skips_cast(), state.skips_needed());
            offers.push(json!([waiting, undo, still, skips]));
        }
        json!({ "offers": offers, "state": serde_json::to_string(&state).unwrap(), "lines": lines, "links": links })
    }

    /// Folds in the page's own code: reads events, one evening a line, and answers each with a line.
    const SCRIPT: &str = r#"
        const { Replay, skipsCast, skipsNeeded } = await load("fold.js");
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
                const skips = [skipsCast(replay.state), skipsNeeded(replay.state)];
                offers.push([waitingLine(replay.state, new Map(), 1), undo, still, skips]);
            }
            console.log(JSON.stringify({ state: JSON.stringify(replay.state), lines, links, offers }));
        }
    "#;

    /// What the page makes of these histories; `None` on a machine without node.
    fn told_by_the_page(histories: &[Vec<Event>]) -> Option<Vec<Value>> {
        let histories: Vec<String> = (histories.iter())
            .map(|events| serde_json::to_string(events).unwrap())
            .collect();
        let told = super::node(SCRIPT, &histories)?;
        assert_eq!(told.len(), histories.len());
        Some(told)
    }

    #[test]
    fn the_page_stops_at_an_event_it_does_not_know_and_says_so() {
        const SCRIPT: &str = r#"
            const { Replay } = await load("fold.js");
            const at = { epoch: 1, stamp: 1, at: 5, by: null, intent: null, cause: null };
            for (const body of [{ levitated: { member: 1 } }, {}, { toString: {} }, { played: {}, levitated: {} }]) {
                const replay = new Replay();
                const before = JSON.stringify(replay.state);
                let told = "taken";
                try { replay.take({ seq: 1, ...at, body }); } catch (error) { told = `${error.why}: ${error.message}`; }
                console.log(JSON.stringify([told, before === JSON.stringify(replay.state)]));
            }
        "#;
        let Some(told) = super::node(SCRIPT, &[]) else {
            return;
        };
        let newer = "newer: The host's Séance is newer than this page (event 1). Reload the page.";
        assert_eq!(told, vec![json!([newer, true]); 4]);
    }

    #[test]
    fn the_page_folds_and_tells_every_evening_as_the_program_does() {
        let evenings: Vec<Vec<Event>> = (1..=24).map(evening).collect();
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
        let Some(told_by_page) = told_by_the_page(&evenings) else {
            return;
        };
        for (seed, (page, events)) in (1..).zip(told_by_page.iter().zip(&evenings)) {
            let program = told(events);
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

    /// What no sequencer writes, but a log might hold: lengths below zero or without end, members and
    /// items that never were, places behind the last.
    const STRANGE: &str = r#"
        {"joined":{"member":1,"name":"Ana","role":"host","client":"page"}}
        {"measured":{"item":1,"duration":-5}}
        {"played":{"position":7,"start":5}}
        {"media_set":{"item":1,"media":{"provider":"youtube","id":"YE7VzlLtp-4"},"title":null,"start":9000000}}
        {"played":{"position":9000000,"start":4000000}}
        {"measured":{"item":1,"duration":-5}}
        {"seeked":{"position":3000000,"start":6000000}}
        {"said":{"text":"where are we?","moment":9007199254740991}}
        {"measured":{"item":1,"duration":-9007199254740991}}
        {"seeked":{"position":9007199254740991,"start":9007199254740991}}
        {"rate_set":{"rate":4000,"position":9007199254740991}}
        {"measured":{"item":1,"duration":9007199254740991}}
        {"played":{"position":9007199254740990,"start":0}}
        {"measured":{"item":1,"duration":0}}
        {"seeked":{"position":1,"start":0}}
        {"hold_ended":{"how":"ready","start":null,"missing":[9]}}
        {"hold_started":{"reason":"load","position":1,"deadline":0,"waiting":[9,1]}}
        {"said_ready":{}}
        {"hold_ended":{"how":"forced","start":9007199254740991,"missing":[9,1]}}
        {"renamed":{"member":9,"name":"Nobody"}}
        {"role_set":{"member":9,"role":"co_host"}}
        {"host_changed":{"member":9}}
        {"suspended":{"member":9,"reason":"ad"}}
        {"returned":{"member":9}}
        {"ruled":{"member":9,"action":"seek","allow":true,"until":0}}
        {"kicked":{"member":9}}
        {"banned":{"member":9,"banned":true}}
        {"left":{"member":9,"reason":"lost"}}
        {"host_gap":{"gap":-9007199254740991}}
        {"slow_set":{"every":-1}}
        {"epoch_started":{"gap":-1}}
        {"queued":{"item":4,"media":{"provider":"vimeo","id":"392479337"},"title":"Film","start":0,"place":4294967295}}
        {"queue_moved":{"item":4,"place":4294967295}}
        {"queue_moved":{"item":8,"place":0}}
        {"requeued":{"item":8,"place":7,"by":9}}
        {"unqueued":{"item":77}}
        {"reordered":{"items":[8,8,99]}}
        {"shuffled":{"seed":4294967295}}
        {"vote_cast":{"item":77}}
        {"skip_voted":{"item":77}}
        {"cued":{"item":77,"position":5}}
        {"cued":{"item":8,"position":5}}
        {"measured":{"item":8,"duration":-1}}
        {"paused":{"position":5}}
        {"poll_answered":{"poll":3,"choice":7}}
        {"poll_opened":{"question":"?","choices":[]}}
        {"poll_answered":{"poll":46,"choice":7}}
        {"poll_closed":{"poll":46,"winner":7}}
        {"replied":{"to":9999,"text":"to what?","moment":0}}
        {"redacted":{"seq":9999}}
        {"reacted":{"moment":0,"tallies":[]}}
        {"invite_used":{"invite":77,"member":9}}
        {"invite_made":{"role":"host","until":0,"uses":0}}
        {"invite_used":{"invite":53,"member":1}}
        {"invite_made":{"role":"viewer","until":9007199254740991,"uses":1}}
        {"invite_used":{"invite":55,"member":9}}
        {"invite_used":{"invite":55,"member":9}}
        {"invite_revoked":{"invite":77}}
        {"invite_revoked":{"invite":53}}
        {"invite_revoked":{"invite":0}}
        {"invite_revoked":{"invite":0}}
        {"approval_set":{"on":true}}
        {"passcode_set":{"on":true}}
        {"knock_answered":{"name":"Nobody","let_in":false}}
        {"unable":{"item":8,"why":"region","words":null}}
        {"joined":{"member":1,"name":"Ana","role":"host","client":"page"}}
        {"unable":{"item":8,"why":"other","words":"by somebody, or nobody"}}
        {"unable":{"item":8,"why":"other","words":"by somebody, or nobody"}}
        {"unable":{"item":77,"why":"region","words":null}}
        {"unable":{"item":8,"why":"not_live","words":null}}
        {"unable":{"item":77,"why":null,"words":null}}
        {"unable":{"item":8,"why":"left","words":null}}
        {"unable":{"item":8,"why":null,"words":"not at all"}}
        {"unable":{"item":8,"why":null,"words":null}}
        {"unable":{"item":8,"why":"age","words":null}}
        {"unable":{"item":8,"why":"asks","words":null}}
        {"left":{"member":1,"reason":"lost"}}
        {"unable":{"item":8,"why":"asks","words":null}}
        {"unable":{"item":8,"why":"asks","words":null}}
        {"joined":{"member":1,"name":"Ana","role":"host","client":"page"}}
        {"unable":{"item":8,"why":"sign_in","words":null}}
        {"unable":{"item":8,"why":"sign_in","words":null}}
        {"cued":{"item":8,"position":5}}
    "#;

    #[test]
    fn the_page_folds_and_tells_what_no_room_writes_as_the_program_does() {
        let header = |seq: u64| Header {
            seq: Seq::new(seq),
            epoch: Default::default(),
            stamp: Default::default(),
            at: SessionTime::from_secs(seq),
            wall: 1_795_000_000_000,
            by: (!seq.is_multiple_of(3)).then(|| MemberId::new(1)),
            via: Default::default(),
            cause: None,
            intent: None,
        };
        let bodies = STRANGE
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        let events: Vec<Event> = (1..)
            .zip(bodies)
            .map(|(seq, line)| Event {
                header: header(seq),
                body: serde_json::from_str(line).unwrap_or_else(|no| panic!("{no}: {line}")),
            })
            .collect();
        // Every beginning of it, so that the first difference is the one shown.
        let beginnings: Vec<_> = (1..=events.len()).map(|n| events[..n].to_vec()).collect();
        let Some(told_by_page) = told_by_the_page(&beginnings) else {
            return;
        };
        for (page, events) in told_by_page.iter().zip(&beginnings) {
            let (program, last) = (told(events), events.last().unwrap());
            assert_eq!(page["state"], program["state"], "after {last:?}");
            assert_eq!(page["lines"], program["lines"], "after {last:?}");
        }
    }
}

/// The page's controller beside the program's: one contract, two implementations.
mod controller {
    use super::*;
    use crate::engine::sync::controller::{Controller, Disturbance, Footing, Habits, Order, Sight};
    use crate::engine::unit::{LocalTime, Micros, Rate};
    use serde_json::{Value, json};

    /// How many players, and how long each is watched.
    const TRACES: u64 = 60;
    const INPUTS: usize = 1_500;

    /// Splitmix64: a trace is its seed.
    struct Dice(u64);

    impl Dice {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }

        fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
            choices[(self.next() % choices.len() as u64) as usize]
        }

        /// From `low` to `high`, both included.
        fn range(&mut self, low: i64, high: i64) -> i64 {
            low + (self.next() % (high - low + 1) as u64) as i64
        }

        fn one_in(&mut self, many: u64) -> bool {
            self.next().is_multiple_of(many)
        }
    }

    /// A player somewhat like real ones, so that traces reach every corner of the controller:
    /// it obeys, or not; it seeks well, or badly; now and then the room or the network interferes.
    struct Watched {
        dice: Dice,
        controller: Controller,
        now: i64,
        /// Measured − target, in microseconds.
        drift: f64,
        ppm: f64,
        noise: i64,
        honours: bool,
        /// Whether seeks do anything at all.
        seeks: bool,
        seek_takes: i64,
        coarse_costs: f64,
        room: Rate,
        steps: Vec<Value>,
    }

    impl Watched {
        fn new(seed: u64) -> Self {
            let mut dice = Dice(seed);
            let habits = match dice.range(0, 2) {
                0 => Habits::default(),
                1 => Habits {
                    start: Micros::from_millis(70),
                    seek_start: Micros::from_millis(80),
                    ..Habits::default()
                },
                _ => Habits {
                    slew_min: 0.05,
                    ..Habits::default()
                },
            };
            Self {
                controller: Controller::new(habits),
                now: 50_000_000,
                drift: dice.range(-3_000_000, 3_000_000) as f64 * dice.range(0, 1) as f64,
                ppm: dice.range(-300, 300) as f64,
                noise: dice.one_of(&[0, 200, 900, 2_000, 30_000]),
                honours: !dice.one_in(5),
                seeks: !dice.one_in(5),
                seek_takes: dice.range(0, 900_000),
                coarse_costs: dice.one_of(&[0.0, -22_000.0, 15_000.0]),
                room: Rate::NORMAL,
                steps: vec![json!({
                    "slewMin": habits.slew_min, "start": habits.start.get(), "seekStart": habits.seek_start.get(),
                })],
                dice,
            }
        }

        fn local(&self) -> LocalTime {
            LocalTime::new(self.now as u64)
        }

        fn pass(&mut self, micros: i64) {
            self.now += micros;
            let room = f64::from(self.room.get()) / 1e3;
            let off = if self.honours {
                self.controller.rate() - room
            } else {
                0.0
            };
            self.drift += micros as f64 * (off + self.ppm / 1e6);
        }

        /// One input: what it was, and all that can be seen of the controller after it.
        fn note(&mut self, input: Value, order: Order) {
            let c = &self.controller;
            let told = match order {
                Order::Hold => json!({ "order": "hold" }),
                Order::Rest => json!({ "order": "rest" }),
                Order::Slew { factor, lasts } => {
                    json!({ "order": "slew", "factor": factor.to_string(), "lasts": lasts.get() })
                }
                Order::Step { lead } => json!({ "order": "step", "lead": lead.get() }),
                Order::GiveUp => json!({ "order": "give_up" }),
            };
            let seen = json!({
                "told": told, "rate": c.rate().to_string(), "deadline": c.deadline().map(LocalTime::get),
                "cadence": c.cadence().get(), "slewless": c.is_slewless(),
                "start": c.start_latency(Footing::Still).get(), "seek_start": c.start_latency(Footing::Sought).get(),
                "seek": c.seek_latency().get(), "prime": c.prime_latency().get(),
            });
            self.steps.push(json!([input, seen]));
        }

        fn disturb(&mut self) {
            let (by, name) = self.dice.one_of(&[
                (Disturbance::Start(Footing::Still), "start"),
                (Disturbance::Start(Footing::Sought), "seek_start"),
                (Disturbance::LateStart, "late_start"),
                (Disturbance::Seek, "seek"),
                (Disturbance::Other, "other"),
            ]);
            if self.dice.one_in(4) {
                let rate = self.dice.one_of(&[250, 1_000, 1_250, 4_000]);
                self.room = Rate::from_millis(rate).unwrap();
            }
            self.drift = match self.dice.range(0, 5) {
                0 => self.dice.range(-30_000_000, 30_000_000) as f64,
                1 => self.dice.range(-600_000, 600_000) as f64,
                _ => self.dice.range(-60_000, 60_000) as f64,
            };
            if self.dice.one_in(6) {
                self.controller.new_film(self.local(), self.room);
                self.note(
                    json!({ "film": self.now, "room": self.room.get() }),
                    Order::Hold,
                );
            } else {
                self.controller.disturbed(self.local(), by, self.room);
                let input = json!({ "disturbed": self.now, "by": name, "room": self.room.get() });
                self.note(input, Order::Hold);
            }
        }

        fn step(&mut self) {
            if self.dice.one_in(150) {
                return self.disturb();
            }
            if self.dice.one_in(40) {
                let doubt = self.dice.one_of(&[300, 4_000, 22_000, 90_000]);
                self.controller.doubts(Micros::new(doubt));
                self.note(json!({ "doubts": doubt }), Order::Hold);
                return;
            }
            let due = self
                .controller
                .deadline()
                .map(|due| due.get() as i64 - self.now);
            let cadence = self.controller.cadence().get();
            if let Some(due) = due.filter(|due| *due <= cadence) {
                let late = self.dice.range(0, 2_000);
                self.pass(due.max(0) + late);
                let order = self.controller.tick(self.local());
                self.note(json!({ "tick": self.now }), order);
                return;
            }
            let late = self.dice.range(0, 5_000);
            self.pass(cadence + late);
            let (sight, shown) = match self.dice.range(0, 200) {
                0 => (Sight::Busy, json!("busy")),
                1 | 2 => (Sight::Stalled, json!("stalled")),
                3 => (Sight::Away, json!("away")),
                _ => {
                    let noise = self.noise;
                    let drift = self.drift as i64 + self.dice.range(-noise, noise);
                    let room = f64::from(self.room.get()) / 1e3;
                    let rate = if self.honours {
                        self.controller.rate()
                    } else {
                        room
                    };
                    let sight = Sight::Running {
                        drift: Micros::new(drift),
                        rate,
                    };
                    (sight, json!({ "drift": drift, "rate": rate.to_string() }))
                }
            };
            let order = self.controller.observe(self.local(), sight);
            match order {
                Order::Slew { factor, .. } if (factor - 1.0).abs() > 0.01 => {
                    self.drift += self.coarse_costs
                }
                Order::Step { lead } if self.seeks => {
                    self.drift = (lead.get() - self.seek_takes) as f64;
                }
                _ => {}
            }
            self.note(json!({ "sight": shown, "at": self.now }), order);
        }
    }

    fn trace(seed: u64) -> Vec<Value> {
        let mut watched = Watched::new(seed);
        for _ in 0..INPUTS {
            watched.step();
        }
        watched.steps
    }

    /// Runs traces in the page's own code and answers what it saw, a trace a line.
    const SCRIPT: &str = r#"
        const { Controller } = await load("sync.js");
        const { createInterface } = await import("node:readline");
        const HOLD = { order: "hold" };
        for await (const line of createInterface({ input: process.stdin })) {
            const [habits, ...steps] = JSON.parse(line);
            const c = new Controller(habits);
            const act = (input) => {
                if ("film" in input) { c.newFilm(input.film, input.room); return HOLD; }
                if ("disturbed" in input) { c.disturbed(input.disturbed, input.by, input.room); return HOLD; }
                if ("doubts" in input) { c.doubts(input.doubts); return HOLD; }
                if ("tick" in input) return c.tick(input.tick);
                const { sight } = input;
                return c.observe(input.at, typeof sight === "string" ? sight : { drift: sight.drift, rate: Number(sight.rate) });
            };
            console.log(JSON.stringify(steps.map(([input]) => {
                const order = { ...act(input) };
                if ("factor" in order) order.factor = String(order.factor);
                return {
                    told: order, rate: String(c.rate), deadline: c.deadline, cadence: c.cadence, slewless: c.slewless,
                    start: c.startLatency("start"), seek_start: c.startLatency("seek_start"),
                    seek: c.seekLatency, prime: c.primeLatency,
                };
            })));
        }
    "#;

    #[test]
    fn the_page_corrects_every_player_as_the_program_does() {
        let traces: Vec<Vec<Value>> = (1..=TRACES).map(trace).collect();
        let Some(answers) = played_by_the_page(SCRIPT, &traces) else {
            return;
        };
        let mut orders: BTreeMap<String, usize> = BTreeMap::new();
        for ((seed, trace), page) in (1..).zip(&traces).zip(&answers) {
            for (step, (ours, theirs)) in trace[1..].iter().zip(page).enumerate() {
                assert_eq!(theirs, &ours[1], "trace({seed}), input {step}: {}", ours[0]);
                let told = ours[1]["told"]["order"].as_str().unwrap();
                *orders.entry(told.to_owned()).or_default() += 1;
            }
        }
        // Equal silence would prove nothing.
        for (order, least) in [("slew", 500), ("rest", 300), ("step", 100), ("give_up", 1)] {
            let given = orders.get(order).copied().unwrap_or(0);
            assert!(given >= least, "only {given} of {order}: {orders:?}");
        }
    }
}

/// The page's reading of the session's clock beside the program's.
mod reading {
    use crate::engine::clock::offset::{Exchange, OffsetClock};
    use crate::engine::unit::{LocalTime, Micros, SessionTime};
    use serde_json::{Value, json};

    const TRACES: u64 = 40;
    const INPUTS: usize = 300;

    fn roll(seed: &mut u64, low: i64, high: i64) -> i64 {
        *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        low + ((mixed ^ (mixed >> 31)) % (high - low + 1) as u64) as i64
    }

    /// A link of some asymmetry, jitter and skew, whose clocks now and then step or sleep: every
    /// input, and what the program then knows. The truth is checked on the way.
    fn trace(number: u64) -> Vec<Value> {
        let mut seed = number;
        let skew_ppm = roll(&mut seed, -90, 90);
        let (there, back) = (roll(&mut seed, 0, 60_000), roll(&mut seed, 0, 60_000));
        let jitter = roll(&mut seed, 0, 1) * roll(&mut seed, 0, 40_000);
        let (mut now, mut apart) = (5_000_000i64, roll(&mut seed, 0, 1 << 40));
        let mut slept = 0;
        let mut clock = OffsetClock::new(LocalTime::ZERO);
        let mut steps = Vec::new();
        for _ in 0..INPUTS {
            now += roll(&mut seed, 50_000, 4_000_000);
            // A clock that stands while the machine sleeps shows as a step of the other one.
            match roll(&mut seed, 0, 60) {
                0 => apart += roll(&mut seed, 1_000_000, 900_000_000),
                1 => slept += roll(&mut seed, 1_000_000, 900_000_000),
                _ => {}
            }
            let local = |now: i64| {
                let ran = now + (now as i128 * i128::from(skew_ppm) / 1_000_000) as i64;
                LocalTime::new(ran as u64)
            };
            let session = |now: i64| SessionTime::new((now + apart + slept) as u64);
            let mut note = |input: Value, clock: &OffsetClock, at: LocalTime| {
                let known = clock.estimate().map(|best| {
                    json!([
                        best.offset().get(),
                        best.delay().get(),
                        best.bound(at).get()
                    ])
                });
                steps.push(json!([input, at.get(), known]));
            };
            clock.hurry(local(now));
            note(json!({ "hurry": local(now).get() }), &clock, local(now));
            let t0 = local(now);
            clock.ping(t0).expect("it hurries");
            note(json!({ "ping": t0.get() }), &clock, t0);
            if roll(&mut seed, 0, 9) == 0 {
                continue; // lost
            }
            let ways = [there, back].map(|way| way + roll(&mut seed, 0, jitter));
            let held = roll(&mut seed, 0, 300);
            let (t1, t2) = (session(now + ways[0]), session(now + ways[0] + held));
            let t3 = local(now + ways[0] + held + ways[1]);
            let believed = clock.pong(Exchange { t0, t1, t2, t3 }).is_ok();
            now += ways[0] + held + ways[1];
            if believed {
                let (read, bound) = clock.session_time(t3).expect("it was just read");
                let error = (read - session(now)).abs();
                assert!(
                    error <= bound,
                    "trace({number}): off by {error:?}, bound {bound:?}"
                );
            }
            let pong = json!({ "pong": { "t0": t0.get(), "t1": t1.get(), "t2": t2.get() } });
            note(pong, &clock, t3);
            // And as it ages.
            let later = t3 + Micros::new(roll(&mut seed, 0, 60_000_000));
            note(json!("look"), &clock, later);
        }
        steps
    }

    const SCRIPT: &str = r#"
        globalThis.performance ??= { now: () => 0 };
        const { OffsetClock } = await load("clock.js");
        const { createInterface } = await import("node:readline");
        for await (const line of createInterface({ input: process.stdin })) {
            const clock = new OffsetClock(0);
            console.log(JSON.stringify(JSON.parse(line).map(([input, at]) => {
                if ("hurry" in Object(input)) clock.hurry(input.hurry);
                if ("ping" in Object(input)) clock.ping(input.ping);
                if ("pong" in Object(input)) clock.pong(input.pong, at);
                const best = clock.estimate();
                return best && [best.offset, best.delay, best.bound(at)];
            })));
        }
    "#;

    #[test]
    fn the_page_reads_every_clock_as_the_program_does() {
        let traces: Vec<Vec<Value>> = (1..=TRACES).map(trace).collect();
        let Some(answers) = super::played_by_the_page(SCRIPT, &traces) else {
            return;
        };
        for ((number, trace), page) in (1..).zip(&traces).zip(&answers) {
            for (step, (ours, theirs)) in trace.iter().zip(page).enumerate() {
                assert_eq!(
                    theirs, &ours[2],
                    "trace({number}), input {step}: {}",
                    ours[0]
                );
            }
        }
    }
}
