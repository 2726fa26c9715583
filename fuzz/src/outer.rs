//! Targets outside the engine: files, sockets and the browser's agent.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use seance::broadcast::door::Door;
use seance::broadcast::hub::Hub;
use seance::broadcast::room::{self, Beginning};
use seance::engine::event::Role;
use seance::engine::event::chain::Link;
use seance::engine::id::{Seq, SessionId};
use seance::engine::text::Title;
use seance::log::EventLog;
use seance::log::capsule::{self as file, CapsuleHeader};
use seance::log::commit::Commit;
use seance::log::memory::MemoryLog;
use seance::net::server::{self, Page, Site};

/// What the driven browser's page may say; the module needs nothing of Chromium.
#[allow(dead_code, unused_imports)]
#[path = "../../src/player/browser/page.rs"]
mod page;

/// A message of the agent in the driven page, which a site's own scripts can forge.
pub fn agent(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let told = page::told(text);
    let measured = page::read::<page::Measured>(text);
    let done = page::read::<page::Done>(text);
    told.is_some() || measured.is_some() || done.is_some()
}

/// A commit, found anywhere in a damaged file.
pub fn commit(data: &[u8]) -> bool {
    let Ok(commit) = Commit::parse(data) else {
        return false;
    };
    assert!(commit.byte_len() <= data.len());
    assert_eq!(commit.records().count() as u64, commit.count());
    assert!(Commit::parse_whole(&data[..commit.byte_len()]).is_ok());
    let first = commit.first().unwrap_or(Seq::FIRST);
    let mut seen = 0;
    let verified = commit.verify(first, Link::GENESIS, |_, _| seen += 1);
    assert!(
        seen <= commit.count()
            && verified.is_ok_and(|link| link == commit.link()) == verified.is_ok()
    );
    true
}

/// A capsule that somebody sent: read or refused, and what is imported exports to the same session.
pub fn capsule(data: &[u8]) -> bool {
    if check_capsule(data) {
        return true;
    }
    // Its digests keep strangers' bytes out, so write an honest one and bend it.
    let Some((&place, history_bytes)) = data.split_first() else {
        return false;
    };
    let log = MemoryLog::new();
    let events = super::history(history_bytes);
    let count = events.len();
    if log.append(events).wait().is_err() {
        return false;
    }
    let header = CapsuleHeader {
        session: SessionId::new(7),
        title: "Friday".into(),
        created: 0,
    };
    let mut bytes = Vec::new();
    let log: &dyn EventLog = &log;
    file::export(log, &header, &mut bytes).expect("what is in memory exports");
    assert!(check_capsule(&bytes), "an honest capsule is refused");
    let place = usize::from(place) * 31 % bytes.len();
    bytes[place] ^= 1 << (place % 8);
    assert!(!check_capsule(&bytes), "a bent capsule passes");
    count > 1
}

fn check_capsule(bytes: &[u8]) -> bool {
    let proven = file::verify(bytes);
    let log = MemoryLog::new();
    let imported = file::import(bytes, &log);
    // What is proven may still hold events of a later version.
    assert!(proven.is_ok() || imported.is_err());
    let Ok(summary) = imported else {
        return false;
    };
    let mut again = Vec::new();
    let log: &dyn EventLog = &log;
    let exported = file::export(log, &summary.header, &mut again).expect("it exports");
    assert!((exported.tail, exported.link) == (summary.tail, summary.link));
    assert!(file::verify(&again[..]).is_ok());
    true
}

struct NoPages;

impl Site for NoPages {
    fn page(&self, path: &str, _: &str) -> Option<Page> {
        (path == "/").then(|| Page {
            content_type: "text/plain",
            bytes: "a page".into(),
            headers: Vec::new(),
        })
    }
}

/// Panics in the server's tasks, which tokio keeps to itself.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// A real server with one room, for as long as this process lives.
fn served() -> SocketAddr {
    static SERVED: OnceLock<SocketAddr> = OnceLock::new();
    *SERVED.get_or_init(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            before(panic);
        }));
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let beginning = Beginning::Open {
                    session: SessionId::new(7),
                    title: Title::new("Film night").expect("a title"),
                };
                let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
                let door = Door::new([7; 32]);
                let room = room::open(log, door, beginning, Box::new(|_| {})).await;
                let hub = Hub::default();
                hub.insert(room.expect("a room on a log in memory"));
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
                let listener = listener.expect("a free port");
                let address = listener.local_addr().expect("a bound port");
                tell.send(address).expect("somebody waits for it");
                let (_stop, stopped) = tokio::sync::watch::channel(false);
                server::serve(listener, hub, Arc::new(NoPages), stopped).await;
            });
        });
        told.recv().expect("the server starts")
    })
}

/// The secret that a hello in the corpus may use.
pub fn secret() -> String {
    Door::new([7; 32]).invite(Role::Guest)
}

/// Bytes on a socket: an HTTP head, or behind a good handshake WebSocket frames. The server
/// answers or hangs up; it never panics, and what it answers is bounded and well begun.
pub fn wire(data: &[u8]) -> bool {
    const ANSWER_BYTES_MAX: u64 = 1 << 20;
    let Some((&kind, bytes)) = data.split_first() else {
        return false;
    };
    let address = served();
    let panics = PANICS.load(Ordering::SeqCst);
    let mut socket = TcpStream::connect(address).expect("the server listens");
    let wait = Some(Duration::from_secs(20));
    socket.set_read_timeout(wait).expect("a timeout");
    socket.set_nodelay(true).expect("no delay");
    let handshake = format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: {}\r\n\r\n",
        if kind & 2 == 0 {
            "seance.v1.json"
        } else {
            "seance.v1.postcard"
        },
    );
    let mut sent = if kind & 1 == 0 {
        Vec::new()
    } else {
        handshake.into_bytes()
    };
    // The corpus cannot know the port.
    let host = address.to_string();
    match bytes.windows(4).position(|four| four == b"HOST") {
        Some(at) if kind & 1 == 0 => {
            sent.extend_from_slice(&bytes[..at]);
            sent.extend_from_slice(host.as_bytes());
            sent.extend_from_slice(&bytes[at + 4..]);
        }
        _ => sent.extend_from_slice(bytes),
    }
    // An error means that it hung up early, which it may.
    let _ = socket
        .write_all(&sent)
        .and_then(|()| socket.shutdown(Shutdown::Write));
    let mut answer = Vec::new();
    let read = socket.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
    if let Err(error) = read {
        let is_timeout = matches!(
            error.kind(),
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
        );
        assert!(!is_timeout, "it neither answers nor hangs up");
    }
    assert!(
        (answer.len() as u64) < ANSWER_BYTES_MAX,
        "an endless answer"
    );
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1."),
        "no HTTP: {answer:x?}"
    );
    assert_eq!(PANICS.load(Ordering::SeqCst), panics, "the server panicked");
    let is_upgraded = answer.starts_with(b"HTTP/1.1 101");
    is_upgraded || answer.starts_with(b"HTTP/1.1 200")
}
