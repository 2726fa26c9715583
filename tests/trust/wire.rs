//! The wire: what strangers and members send that no honest program would.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::SinkExt as _;
use seance::engine::event::Role;
use seance::engine::frame::{Closing, FROM_MEMBER_BYTES_MAX, Form, ToRoom};
use seance::engine::intent::{Ask, Intent, Refusal};
use seance::engine::sequencer::authorise;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::party::{self, Card, Knocker, Party, next, within};
use crate::tried;

/// Sends these bytes on a connection of its own and reads what comes until it ends or is quiet.
fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // The other end may close in the middle of what we say.
    let _ = socket.write_all(bytes);
    let mut answer = vec![0; 2_048];
    let count = socket.read(&mut answer).unwrap_or(0);
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

fn status(answer: &str) -> u16 {
    let number = answer.split(' ').nth(1).and_then(|text| text.parse().ok());
    number.unwrap_or(0)
}

fn handshake(host: &str, more: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: seance.v1.json\r\n{more}\r\n"
    )
}

/// DNS rebinding, other sites' pages, requests smuggled in requests: none gets page or socket.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_foreign_host_origin_or_request_gets_a_page_or_a_socket() {
    let party = Party::open().await;
    let address = party.address;
    let ours = address.to_string();
    let port = address.port();
    let mut requests: Vec<(String, &[u16])> = Vec::new();
    let get = |host: &str, more: &str| {
        format!("GET / HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n")
    };
    for host in [
        "evil.example",
        "evil.example:80",
        &format!("evil.example:{port}"),
        &format!("127.0.0.1.evil.example:{port}"),
        &format!("localhost.evil.example:{port}"),
        &format!("127.0.0.1:{port}.evil.example"),
        &format!("127.0.0.1@evil.example:{port}"),
        &format!("evil.example@127.0.0.1:{port}"),
        "localhost.",
        "localhostt",
        "local",
        "xlocal",
        "party.local.evil.example",
        "party.local/evil",
        "ba d.local",
        "7f.0.0.1.nip.io",
        "127.0.0.1.",
        "0x7f.1",
        "2130706433",
        "[::1",
        "[::1]x",
        "[::ffff:127.0.0.1]evil",
        ":80",
        "",
        "%31%32%37.0.0.1",
    ] {
        requests.push((get(host, ""), &[421, 400]));
        let origin = format!("Origin: http://{host}\r\n");
        requests.push((handshake(host, &origin), &[421, 400]));
    }
    // No host, two hosts, and a target that names another.
    requests.push(("GET / HTTP/1.1\r\n\r\n".into(), &[421, 400]));
    requests.push((get(&ours, "Host: evil.example\r\n"), &[421, 400]));
    requests.push((
        get("evil.example", &format!("Host: {ours}\r\n")),
        &[421, 400],
    ));
    for origin in [
        "http://evil.example".to_owned(),
        format!("http://evil.example:{port}"),
        format!("http://{ours}.evil.example"),
        format!("http://{ours}@evil.example"),
        format!("http://{ours}/"),
        format!("http://{ours} http://evil.example"),
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1:{}", port.wrapping_add(1)),
        "http://127.0.0.1".into(),
        format!("ws://{ours}"),
        format!("file://{ours}"),
        format!("chrome-extension://{ours}"),
        format!("HTTP://{ours}"),
        "null".into(),
        String::new(),
        "http://".into(),
        "//".into(),
    ] {
        let line = format!("Origin: {origin}\r\n");
        requests.push((handshake(&ours, &line), &[403]));
        requests.push((get(&ours, &line), &[403]));
    }
    let twice = format!("Origin: http://{ours}\r\nOrigin: http://evil.example\r\n");
    requests.push((handshake(&ours, &twice), &[403]));
    for (method, path) in [
        ("POST", "/"),
        ("PUT", "/ws"),
        ("OPTIONS", "/"),
        ("CONNECT", "evil.example:443"),
        ("TRACE", "/"),
        ("GET", "/ws"),
        ("GET", "/../../etc/passwd"),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd"),
        ("GET", "/assets/..%2f..%2fkey"),
        ("GET", "//evil.example/"),
        ("GET", "/\\..\\key"),
        ("GET", "/key"),
        ("GET", "/session.json"),
        ("GET", "http://evil.example/"),
    ] {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {ours}\r\nConnection: close\r\n\r\n");
        requests.push((request, &[400, 403, 404, 405, 421]));
    }
    for broken in [
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        "\0\0\0\0\r\n\r\n".into(),
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03".into(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(),
        format!(
            "GET / HTTP/1.1\r\nHost: {ours}\r\nX: {}\r\n\r\n",
            "x".repeat(70_000)
        ),
        format!(
            "GET /{} HTTP/1.1\r\nHost: {ours}\r\n\r\n",
            "x".repeat(70_000)
        ),
        format!(
            "GET / HTTP/1.1\r\nHost: {ours}\r\n{}\r\n",
            "X: 1\r\n".repeat(500)
        ),
        format!(
            "POST / HTTP/1.1\r\nHost: {ours}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"
        ),
        format!(
            "POST / HTTP/1.1\r\nHost: {ours}\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n"
        ),
        format!("GET / HTTP/1.1\r\nHost: {ours}\r\nEvil\r\n: x\r\n\r\n"),
    ] {
        requests.push((broken, &[0, 400, 404, 405, 413, 414, 421, 431, 505]));
    }
    let count = requests.len();
    let checked = tokio::task::spawn_blocking(move || {
        for (request, wanted) in requests {
            let answer = raw(address, request.as_bytes());
            let shown: String = request.chars().take(120).collect();
            assert!(
                wanted.contains(&status(&answer)),
                "{shown:?} got {answer:?}"
            );
            assert!(!answer.contains("party"), "{shown:?} got the page");
        }
    });
    checked.await.unwrap();
    party.guest("Bo").await;
    tried(
        "no_foreign_host_origin_or_request_gets_a_page_or_a_socket",
        count,
    );
}

/// A WebSocket frame as a client writes it, or as none should.
fn frame(first: u8, mask: bool, length: u64, payload: &[u8]) -> Vec<u8> {
    let bit = if mask { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(bit | length as u8),
        126..=65_535 => {
            bytes.push(bit | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(bit | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    if mask {
        bytes.extend([0; 4]);
    }
    bytes.extend(payload);
    bytes
}

fn text(payload: &str) -> Vec<u8> {
    frame(0x81, true, payload.len() as u64, payload.as_bytes())
}

/// Opens a WebSocket by hand, sends this behind it, and waits until the room ends the connection.
async fn ends(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let hello = handshake(&address.to_string(), "");
    socket.write_all(hello.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within("the handshake", socket.read_u8()).await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    // The room may be gone before all of it is.
    let _ = socket.write_all(bytes).await;
    let mut rest = Vec::new();
    // A reset is an end, too.
    let _ = within("the end of the connection", socket.read_to_end(&mut rest)).await;
    rest
}

fn hello(party: &Party, name: &str) -> String {
    let (secret, session) = (party.door.invite(Role::Guest), party::SESSION);
    format!(
        r#"{{"hello":{{"version":1,"session":"{session}","secret":"{secret}","name":"{name}","client":"script","resume":null,"cursor":1}}}}"#
    )
}

/// Garbage, depth, size, wrong forms and broken framing, before and after the hello: that connection
/// ends, the log holds no more than its coming and going, and the room goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_no_client_writes_end_their_own_connection() {
    let party = Party::open().await;
    let mut bo = party.guest("Bo").await;
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(7_000), close.repeat(7_000));
    let big = "x".repeat(FROM_MEMBER_BYTES_MAX + 1);
    let ask = |intent: &str| format!(r#"{{"ask":{{"counter":1,"intent":{intent}}}}}"#);
    // Before the hello, nothing but a hello or a passcode is heard.
    let strangers: Vec<Vec<u8>> = [
        "".to_owned(),
        "{".into(),
        "null".into(),
        "[]".into(),
        "{}".into(),
        "\"hello\"".into(),
        "{\"hello\":{}}".into(),
        "{\"hello\":null}".into(),
        "{\"HELLO\":{}}".into(),
        "{\"__proto__\":{}}".into(),
        deep("[", "]"),
        deep("{\"a\":", "}"),
        format!("{{\"hello\":{}}}", "[".repeat(7_000)),
        big.clone(),
        ask(r#"{"play":{}}"#),
        r#"{"report":{"activity":null,"drift":null,"round_trip":null}}"#.into(),
        r#"{"ping":{"t0":1}}"#.into(),
        r#"{"welcome":{"version":1}}"#.into(),
        r#"{"passcode":{"passcode":"a"}}"#.to_owned() + "x",
        r#"{"passcode":{"passcode":7}}"#.into(),
        format!(r#"{{"passcode":{{"passcode":"{}"}}}}"#, "x".repeat(300)),
        hello(&party, "Eve").replace("\"version\":1", "\"version\":-1"),
        hello(&party, "Eve").replace("\"version\":1", "\"version\":1e999"),
        hello(&party, "Eve").replace("\"cursor\":1", "\"cursor\":1.5"),
        hello(&party, "Eve").replace("\"cursor\":1", "\"cursor\":-1"),
        hello(&party, "Eve").replace("\"cursor\":1", "\"cursor\":18446744073709551616"),
        hello(&party, "Eve").replace("\"cursor\":1", "\"cursor\":99999999"),
        hello(&party, "Eve").replace("script", "root"),
        hello(&party, "Eve").replace("\"version\":1", "\"version\":9"),
        hello(&party, ""),
        hello(&party, &"x".repeat(9_000)),
        hello(&party, "\\u0000"),
        hello(&party, "\\u202eevE"),
        hello(&party, "Bo"),
        hello(&party, "ＢＯ"),
        hello(&party, "\\ud800"),
    ]
    .iter()
    .map(|line| text(line))
    .chain([
        // Framing: no mask, reserved bits, unknown codes, fragments that never were begun or are too many,
        // controls that are too long or in pieces, lengths without end, text that is none.
        frame(0x81, false, 2, b"{}"),
        frame(0xc1, true, 2, b"{}"),
        frame(0xf1, true, 2, b"{}"),
        frame(0x83, true, 0, b""),
        frame(0x8b, true, 0, b""),
        frame(0x80, true, 2, b"{}"),
        frame(0x09, true, 0, b""),
        frame(0x89, true, 126, &[0; 126]),
        frame(0x88, true, 1, b"x"),
        frame(0x88, true, 2, &[0, 0]),
        frame(0x81, true, u64::MAX, b"{}"),
        frame(0x81, true, 1 << 40, b"{}"),
        frame(0x81, true, 1 << 20, &[b'x'; 1 << 16]),
        frame(0x81, true, 2, &[0xff, 0xfe]),
        frame(0x82, true, 2, b"{}"),
        [
            frame(0x01, true, 9_000, &[b'x'; 9_000]),
            frame(0x80, true, 9_000, &[b'x'; 9_000]),
        ]
        .concat(),
        [frame(0x01, true, 1, b"{"), frame(0x81, true, 1, b"}")].concat(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        (0..=255).collect(),
    ])
    .collect();
    let before = party.events().len();
    for bytes in &strangers {
        ends(party.address, bytes).await;
    }
    assert_eq!(party.events().len(), before, "no stranger left a trace");

    // Of a member: what cannot be read is refused and they stay; what breaks the protocol ends it.
    let inside = [
        "{",
        "null",
        "[]",
        "{}",
        "\"play\"",
        r#"{"ask":{}}"#,
        r#"{"ask":{"counter":1}}"#,
        r#"{"ask":{"counter":-1,"intent":{"play":{}}}}"#,
        r#"{"ask":{"counter":1.5,"intent":{"play":{}}}}"#,
        r#"{"ask":{"counter":1e400,"intent":{"play":{}}}}"#,
        r#"{"ask":{"counter":NaN,"intent":{"play":{}}}}"#,
        r#"{"ask":{"counter":1,"by":1,"intent":{"fly":{}}}}"#,
        r#"{"ask":{"counter":1,"intent":{"play":{"by":1}}}}"#,
        r#"{"ask":{"counter":1,"intent":{"seek":{"to":-1}}}}"#,
        r#"{"ask":{"counter":1,"intent":{"seek":{"to":1e300}}}}"#,
        r#"{"ask":{"counter":1,"intent":{"rate":{"rate":0}}}}"#,
        r#"{"ask":{"counter":1,"intent":{"rate":{"rate":65535}}}}"#,
        r#"{"ask":{"counter":1,"intent":{"kick":{"member":4294967296}}}}"#,
        r#"{"ask":{"counter":1,"intent":{"answer_poll":{"poll":1,"choice":256}}}}"#,
        r#"{"ask":{"counter":1,"intent":{"set_role":{"member":1,"role":"god"}}}}"#,
        r#"{"ask":{"counter":1,"intent":{"invite":{"role":"guest","uses":-1}}}}"#,
        r#"{"ask":{"counter":1,"intent":{"play":{}},"intent":{"pause":{}}}}"#,
        r#"{"event":{}}"#,
    ];
    for line in inside {
        bo.socket.send(Message::Text(line.into())).await.unwrap();
        bo.until("a refusal", |bo| bo.refused_unasked() > 0).await;
        bo.forget_refusals();
    }
    for line in [&deep("[", "]"), &deep("{\"ask\":", "}")] {
        bo.socket
            .send(Message::Text(line.clone().into()))
            .await
            .unwrap();
        bo.until("a refusal", |bo| bo.refused_unasked() > 0).await;
        bo.forget_refusals();
    }
    assert_eq!(party.events().len(), before, "nothing of that was done");
    let mut ended = 0;
    for (number, line) in [
        hello(&party, "Again"),
        big,
        r#"{"passcode":{"passcode":"x"}}"#.into(),
    ]
    .into_iter()
    .enumerate()
    {
        let mut eve = party.guest(&format!("Eve {number}")).await;
        let _ = eve.socket.send(Message::Text(line.into())).await;
        while eve.read().await {}
        assert_eq!(eve.closing, Some(Closing::Unruly));
        ended += 1;
    }
    let text = "the room goes on".to_owned();
    bo.ask(Intent::Say { text }).await.unwrap();
    let count = strangers.len() + inside.len() + 2 + ended;
    tried("frames_no_client_writes_end_their_own_connection", count);
}

/// Every intent there is, by every role, over both forms, and after coming back: exactly what
/// `authorise` forbids is refused, and nothing refused is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_is_held_to_its_grants_on_every_path() {
    let intents: Vec<Intent> = include_str!("../golden/to_room.txt")
        .lines()
        .filter_map(|line| {
            let json = line.split_once(' ')?.1;
            match serde_json::from_str(json).ok()? {
                ToRoom::Ask(Ask { intent, .. }) => Some(intent),
                _ => None,
            }
        })
        // These end the member they are aimed at; the next would be asked of nobody.
        .filter(|intent| !matches!(intent, Intent::Kick { .. } | Intent::Ban { .. }))
        .collect();
    let mut count = 0;
    for form in Form::ALL {
        let party = Party::open().await;
        let mut host = party.host().await;
        let mut links = Vec::new();
        for role in [Role::Viewer, Role::Guest, Role::CoHost] {
            links.push((role, host.invite(role, None).await.unwrap().1));
        }
        for (role, secret) in links {
            for coming in ["new", "back"] {
                // A party of their own for each: what one role did must not permit the next.
                let name = format!("{role:?} {coming}");
                let Ok(Ok(mut guest)) =
                    Knocker::come_by(&party, Card::new(&secret, &name), form).await
                else {
                    panic!("the link opens")
                };
                if coming == "back" {
                    let card = Card::new("", &name).as_before(&guest);
                    let Ok(Ok(again)) = Knocker::come_by(&party, card, form).await else {
                        panic!("the token opens")
                    };
                    guest = again;
                }
                for intent in &intents {
                    tokio::time::sleep(Duration::from_millis(55)).await; // within the rate a member has
                    guest.catch_up_to(party.log.tail()).await;
                    let state = party.state();
                    let allowed = authorise(&state, guest.id(), intent);
                    let tail = party.log.tail();
                    let answer = guest.ask(intent.clone()).await;
                    if let Err(refusal) = allowed {
                        assert_eq!(answer, Err(refusal), "{name}: {intent:?}");
                        assert_eq!(party.log.tail(), tail, "{name}: {intent:?}");
                        count += 1;
                    } else {
                        let denied = matches!(answer, Err(Refusal::NotAllowed { .. }));
                        assert!(!denied, "{name}: {intent:?}");
                    }
                }
            }
        }
    }
    tried("every_role_is_held_to_its_grants_on_every_path", count);
}

/// Asks and reports beyond what a person makes: refused or cut off, and a neighbour's line is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_drowns_its_sender_only() {
    const ASKS: u64 = 2_000;
    const PINGS: u64 = 1_000;
    let party = Party::open().await;
    let mut bo = party.guest("Bo").await;
    let mut eve = party.guest("Eve").await;
    let mut fay = party.guest("Fay").await;
    let flood = async {
        for counter in 1..=ASKS {
            let text = format!("flood {counter}");
            eve.say_ask(counter, Intent::Say { text }).await;
            if counter % 50 == 0 {
                eve.drain().await;
            }
        }
        for _ in 0..PINGS {
            let t0 = seance::os::local_now();
            party::send(&mut fay.socket, Form::Json, &ToRoom::Ping { t0 }).await;
        }
    };
    let honest = async {
        for number in 0..20 {
            let text = format!("line {number}");
            bo.ask(Intent::Say { text }).await.unwrap();
        }
    };
    tokio::join!(flood, honest);
    while fay.read().await {}
    assert_eq!(fay.closing, Some(Closing::Unruly));
    let by_eve = party
        .events()
        .iter()
        .filter(|event| event.header.by == Some(eve.id()) && event.header.intent.is_some())
        .count() as u64;
    assert!(by_eve < ASKS / 4, "{by_eve} of a flood were taken");
    tried("a_flood_drowns_its_sender_only", (ASKS + PINGS) as usize);
}

/// Thousands of connections that say nothing, a byte at a time, or half a request: somebody who comes
/// properly is let in meanwhile, and the others are gone by their deadlines. About 12 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_sockets_and_slow_ones_keep_nobody_out_and_end() {
    const SILENT: usize = 2_000;
    const SLOW: usize = 100;
    const UPGRADED: usize = 100;
    const IDLE: usize = 50;
    let party = Party::open().await;
    let ours = party.address.to_string();
    let mut sockets = Vec::new();
    for _ in 0..SILENT {
        sockets.push(TcpStream::connect(party.address).await.unwrap());
    }
    for _ in 0..SLOW {
        let mut socket = TcpStream::connect(party.address).await.unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
        sockets.push(socket);
    }
    for _ in 0..UPGRADED {
        let mut socket = TcpStream::connect(party.address).await.unwrap();
        socket
            .write_all(handshake(&ours, "").as_bytes())
            .await
            .unwrap();
        sockets.push(socket);
    }
    // A request answered, and the line kept.
    for _ in 0..IDLE {
        let mut socket = TcpStream::connect(party.address).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: {ours}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        sockets.push(socket);
    }
    let began = Instant::now();
    let mut bo = party.guest("Bo").await;
    let text = "hello".to_owned();
    bo.ask(Intent::Say { text }).await.unwrap();
    println!(
        "in and answered after {:?} behind {} sockets",
        began.elapsed(),
        sockets.len()
    );
    let count = sockets.len();
    // The slow ones go on, a byte a second, and end all the same.
    let ended = async {
        for (number, mut socket) in sockets.into_iter().enumerate() {
            let slow = (SILENT..SILENT + SLOW).contains(&number);
            let mut buffer = [0; 4_096];
            loop {
                let read = tokio::time::timeout(Duration::from_secs(1), socket.read(&mut buffer));
                match read.await {
                    Ok(Ok(0) | Err(_)) => break,
                    Ok(Ok(_)) => {}
                    Err(_) if slow => {
                        if socket.write_all(b"1").await.is_err() {
                            break;
                        }
                    }
                    Err(_) => {}
                }
            }
        }
    };
    // The member in the middle of it stays.
    let member = async {
        loop {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let t0 = seance::os::local_now();
            party::send(&mut bo.socket, Form::Json, &ToRoom::Ping { t0 }).await;
            if next(&mut bo.socket).await.is_none() {
                panic!("a member was cut off");
            }
        }
    };
    tokio::select! {
        () = within("the end of all of them", ended) => {}
        () = member => {}
    }
    tried(
        "half_open_sockets_and_slow_ones_keep_nobody_out_and_end",
        count,
    );
}

/// A page asked for over and over by somebody who reads nothing of it holds its connection no longer
/// than the others. About 30 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_pages_and_never_reads_is_cut_off() {
    const DEAF: usize = 20;
    let party = Party::open().await;
    let ours = party.address.to_string();
    let request = format!("GET / HTTP/1.1\r\nHost: {ours}\r\n\r\n").repeat(2_000);
    let mut deaf = Vec::new();
    for _ in 0..DEAF {
        let mut socket = TcpStream::connect(party.address).await.unwrap();
        // Until nothing more goes in: their answers fill every buffer on the way.
        let full = async {
            loop {
                let written = socket.write_all(request.as_bytes());
                match tokio::time::timeout(Duration::from_secs(1), written).await {
                    Ok(Ok(())) => {}
                    _ => break,
                }
            }
        };
        full.await;
        deaf.push(socket);
    }
    let cut = async {
        for socket in &mut deaf {
            // Writing to a connection that is gone fails, whatever lies unread in front of it.
            while socket.try_write(b"x").is_ok_and(|_| true)
                || socket
                    .try_write(b"x")
                    .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
            {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    };
    within("their end", cut).await;
    party.guest("Bo").await;
    tried("who_asks_for_pages_and_never_reads_is_cut_off", DEAF);
}

/// The same name in other letters, with invisible or bidirectional ones, or in another script.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_called_like_somebody_here() {
    let party = Party::open().await;
    let _paul = party.guest("Paul Scott").await;
    let own = party.door.invite(Role::Guest);
    let names = [
        "Paul Scott",
        " Paul  Scott ",
        "paul scott",
        "PAUL SCOTT",
        "PauI Scott",
        "Pau1 Scott",
        "Pаul Scott",
        "Раul Ѕсоtt",
        "Paul Ѕcott",
        "Ｐａｕｌ Ｓｃｏｔｔ",
        "𝐏𝐚𝐮𝐥 𝐒𝐜𝐨𝐭𝐭",
        "𝓟𝓪𝓾𝓵 𝓢𝓬𝓸𝓽𝓽",
        "Ⓟⓐⓤⓛ Ⓢⓒⓞⓣⓣ",
        "Pau\u{200b}l Scott",
        "Pau\u{200d}l Scott",
        "Pau\u{2060}l Scott",
        "Pau\u{ad}l Scott",
        "\u{202e}ttocS luaP",
        "Paul Scott\u{202c}",
        "\u{2067}Paul Scott\u{2069}",
        "Paul\u{a0}Scott",
        "Paul\u{2003}Scott",
        "Paul\u{3000}Scott",
        "Paul\tScott",
        "Paul\nScott",
        "Paul\u{7f}Scott",
        "Paul\u{1b}[31mScott",
        "Paul Scott\u{0}",
        "Paul Scott\u{e0041}",
        "Paul Scott\u{fe0f}",
        "Paul Sc0tt",
        "Pa\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}ul Scott",
        "\u{e000}",
        "\u{200b}",
        "",
        "   ",
    ];
    let tail = party.log.tail();
    for name in names {
        let no = Knocker::come(&party, Card::new(&own, name)).await.err();
        let refused = matches!(
            no,
            Some(Refusal::NameTaken { .. } | Refusal::BadText { .. })
        );
        assert!(refused, "{name:?} came in: {no:?}");
    }
    assert_eq!(party.log.tail(), tail);
    // By renaming, too.
    let mut bo = party.guest("Bo").await;
    let mut renamed = 0;
    for name in names.iter().take(30) {
        let name = (*name).to_owned();
        let no = bo.ask(Intent::Rename { name: name.clone() }).await;
        assert!(
            matches!(no, Err(Refusal::NameTaken { .. } | Refusal::BadText { .. })),
            "{name:?}: {no:?}"
        );
        renamed += 1;
    }
    tried("nobody_is_called_like_somebody_here", names.len() + renamed);
}
