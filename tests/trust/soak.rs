//! Five hundred guests, one in ten of whom misbehaves in every way there is: the others lose nothing,
//! the server's memory stays where it was, and how late lines come is told beside a run without them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use seance::engine::frame::FROM_MEMBER_BYTES_MAX;
use seance::os::local_now;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::party::within;
use crate::support::{Home, Program, address_of, host_words, opened};
use crate::tried;

const GUESTS: usize = 450;
const ATTACKERS: usize = 50;
/// How long each half of it lasts.
const LASTS: Duration = Duration::from_secs(8);
/// A line every so often, by guests in turn.
const LINE_EVERY: Duration = Duration::from_millis(200);

fn hello(link: &str, name: &str, resume: &str) -> String {
    let (session, secret) = link.split_once('#').unwrap().1.split_once('.').unwrap();
    format!(
        r#"{{"hello":{{"version":1,"session":"{session}","secret":"{secret}","name":"{name}","client":"script","resume":{resume},"cursor":1}}}}"#
    )
}

/// A socket that only frames and counts: five hundred whole clients in a test build would take
/// more of the machine than the server, and their own lateness would be measured.
struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
    begin: usize,
}

impl Raw {
    async fn dial(address: SocketAddr) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: seance.v1.json\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut raw = Self {
            stream,
            read: Vec::new(),
            begin: 0,
        };
        loop {
            if let Some(end) = raw.read.windows(4).position(|four| four == b"\r\n\r\n") {
                raw.begin = end + 4;
                return Ok(raw);
            }
            raw.more().await?;
        }
    }

    async fn more(&mut self) -> std::io::Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next text frame that was read whole already.
    fn frame(&mut self) -> Option<String> {
        loop {
            let rest = &self.read[self.begin..];
            let (&[first, short], rest) = rest.split_first_chunk::<2>()?;
            let (len, rest) = match short {
                126 => {
                    let (len, rest) = rest.split_first_chunk()?;
                    (usize::from(u16::from_be_bytes(*len)), rest)
                }
                127 => {
                    let (len, rest) = rest.split_first_chunk()?;
                    (u64::from_be_bytes(*len) as usize, rest)
                }
                len => (usize::from(len), rest),
            };
            let text = rest.get(..len)?;
            let text = (first == 0x81).then(|| String::from_utf8(text.to_vec()).unwrap());
            self.begin = self.read.len() - rest.len() + len;
            if self.begin == self.read.len() {
                self.read.clear();
                self.begin = 0;
            }
            if text.is_some() {
                return text;
            }
        }
    }

    /// The next text frame.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(frame) = self.frame() {
                return Some(frame);
            }
            self.more().await.ok()?;
        }
    }

    async fn send(&mut self, text: &str) -> std::io::Result<()> {
        self.stream.write_all(&framed(text)).await
    }
}

/// A text frame, masked with zeros.
fn framed(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        len @ ..126 => frame.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}

/// What a well-behaved guest saw.
#[derive(Default)]
struct Seen {
    seq: u64,
    lines: Vec<u64>,
    /// When each was said, and how much later it came.
    late_micros: Vec<(i64, i64)>,
    /// When every other event came.
    others: Vec<i64>,
    ended: bool,
}

/// A guest who reads everything in order, pings, and says what they are told to.
struct Guest {
    seen: Arc<Mutex<Seen>>,
    say: tokio::sync::mpsc::Sender<String>,
}

async fn guest(address: SocketAddr, link: String, number: usize) -> Guest {
    let mut socket = Raw::dial(address).await.unwrap();
    let text = hello(&link, &format!("Guest number {number}"), "null");
    socket.send(&text).await.unwrap();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (say, mut told) = tokio::sync::mpsc::channel::<String>(16);
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut ping = tokio::time::interval(Duration::from_secs(3));
        loop {
            let text = tokio::select! {
                _ = ping.tick() => {
                    let text = format!(r#"{{"ping":{{"t0":{}}}}}"#, micros());
                    let _ = socket.send(&text).await;
                    continue;
                }
                Some(text) = told.recv() => {
                    let _ = socket.send(&text).await;
                    continue;
                }
                text = socket.next() => text,
            };
            let Some(text) = text else { break };
            let Some(rest) = text.strip_prefix(r#"{"event":{"seq":"#) else {
                continue;
            };
            let seq: u64 = rest.split(',').next().unwrap().parse().unwrap();
            let mut seen = shared.lock().await;
            assert_eq!(seq, seen.seq + 1, "an event is missing, or came twice");
            seen.seq = seq;
            if let Some(rest) = text.split(r#""text":"line "#).nth(1) {
                let mut words = rest.split([' ', '"']);
                seen.lines.push(words.next().unwrap().parse().unwrap());
                let sent: i64 = words.next().unwrap().parse().unwrap();
                seen.late_micros.push((sent, micros() - sent));
            } else {
                seen.others.push(micros());
            }
        }
        shared.lock().await.ended = true;
    });
    Guest { seen, say }
}

fn micros() -> i64 {
    (local_now() - seance::engine::unit::LocalTime::ZERO).get()
}

/// One attacker's life: a different way each time, as fast as it goes.
async fn attack(
    address: SocketAddr,
    link: String,
    number: usize,
    go: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
    came: Arc<AtomicU64>,
) {
    let mut turn = number;
    let (mut held, mut token) = (Vec::new(), "null".to_owned());
    while go.load(Ordering::Relaxed) {
        turn += 1;
        count.fetch_add(1, Ordering::Relaxed);
        let name = format!("Attacker {number} of {turn}");
        let tried = tokio::time::timeout(Duration::from_secs(2), async {
            match turn % 12 {
                // A half-open socket; a request that never ends.
                0 => {
                    let socket = TcpStream::connect(address).await.ok();
                    held.extend(socket);
                }
                1 => {
                    if let Ok(mut socket) = TcpStream::connect(address).await {
                        let _ = socket.write_all(b"GET / HTTP/1.1\r\nHost: ").await;
                        held.push(socket);
                    }
                }
                // Garbage, depth, size; a guess; another site's page.
                2..=5 => {
                    let mut socket = Raw::dial(address).await.ok()?;
                    let text = match turn % 12 {
                        2 => "{\"hello\"".to_owned(),
                        3 => "[".repeat(9_000),
                        4 => "x".repeat(FROM_MEMBER_BYTES_MAX + 1),
                        _ => hello(&link, &name, "null").replace("\"secret\":\"", "\"secret\":\"0"),
                    };
                    let _ = socket.send(&text).await;
                    while socket.next().await.is_some() {}
                }
                // In by the link, or by the token of an earlier time; and out again at once.
                6 | 7 => {
                    let mut socket = Raw::dial(address).await.ok()?;
                    socket.send(&hello(&link, &name, &token)).await.ok()?;
                    let answer = socket.next().await?;
                    if let Some((_, rest)) = answer.split_once(r#""member":"#) {
                        let (member, rest) = rest.split_once(',')?;
                        let secret = rest.split_once(r#""token":""#)?.1.split('"').next()?;
                        token = format!(r#"{{"member":{member},"token":"{secret}"}}"#);
                        came.fetch_add(1, Ordering::Relaxed);
                    }
                }
                // Inside: floods of asks and pings, what they may not, and not a word read.
                kind => {
                    let mut socket = Raw::dial(address).await.ok()?;
                    socket.send(&hello(&link, &name, "null")).await.ok()?;
                    socket.next().await?;
                    for counter in 1..=120 {
                        let text = match kind {
                            8 => format!(
                                r#"{{"ask":{{"counter":{counter},"intent":{{"kick":{{"member":{counter}}}}}}}}}"#
                            ),
                            9 => format!(r#"{{"ping":{{"t0":{counter}}}}}"#),
                            10 => "{\"nonsense\":1}".to_owned(),
                            _ => format!(
                                r#"{{"ask":{{"counter":1,"intent":{{"react":{{"reaction":"{}"}}}}}}}}"#,
                                "x".repeat(9_000)
                            ),
                        };
                        socket.send(&text).await.ok()?;
                    }
                }
            }
            Some(())
        });
        let _ = tried.await;
        if held.len() > 20 {
            held.clear();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Says lines for a while; returns how many.
async fn talk(guests: &[Guest], first: u64) -> u64 {
    let mut number = first;
    let end = tokio::time::Instant::now() + LASTS;
    let mut every = tokio::time::interval(LINE_EVERY);
    while tokio::time::Instant::now() < end {
        every.tick().await;
        number += 1;
        let speaker = &guests[number as usize % guests.len()];
        let text = format!(
            r#"{{"ask":{{"counter":{number},"intent":{{"say":{{"text":"line {number} {}"}}}}}}}}"#,
            micros()
        );
        speaker.say.send(text).await.unwrap();
    }
    number
}

/// Waits until everybody has every line, and gives when each was said and how late it came.
async fn heard(guests: &[Guest], last: u64) -> Vec<(i64, i64)> {
    let mut late = Vec::new();
    for guest in guests {
        let all = async {
            loop {
                let seen = guest.seen.lock().await;
                assert!(!seen.ended, "a guest who did nothing wrong was cut off");
                if seen.lines.len() as u64 >= last {
                    break;
                }
                drop(seen);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within("every line", all).await;
        let mut seen = guest.seen.lock().await;
        let mut lines = seen.lines.clone();
        lines.sort_unstable();
        assert!(
            lines.iter().copied().eq(1..=last),
            "a line was lost or doubled"
        );
        late.append(&mut seen.late_micros);
    }
    late
}

/// The delay that so many percent of deliveries kept, in milliseconds.
fn part(late: &[(i64, i64)], percent: usize) -> f64 {
    let mut late: Vec<_> = late.iter().map(|(_, late)| late).collect();
    late.sort_unstable();
    *late[(late.len() - 1) * percent / 100] as f64 / 1_000.0
}

/// How many of these moments lie in each second since `begin`.
fn count_by_second(moments: &[i64], begin: i64) -> String {
    let seconds = (moments.iter()).map(|at| (at - begin).div_euclid(1_000_000));
    let counts = (0..=LASTS.as_secs() as i64).map(|second| {
        let inside = seconds.clone().filter(|at| *at == second);
        inside.count().to_string()
    });
    counts.collect::<Vec<_>>().join(" ")
}

/// The same of each second since `begin`, in which lines were said.
fn part_by_second(late: &[(i64, i64)], percent: usize, begin: i64) -> String {
    let mut seconds = std::collections::BTreeMap::<i64, Vec<_>>::new();
    for &(said, late) in late {
        let second = (said - begin) / 1_000_000;
        seconds.entry(second).or_default().push((said, late));
    }
    let parts = seconds
        .values()
        .map(|late| format!("{:.0}", part(late, percent)));
    parts.collect::<Vec<_>>().join(" ")
}

fn resident_kib(program: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

/// What a process worked so far, in seconds.
fn worked(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let behind = stat.rsplit_once(") ").unwrap().1;
    let ticks = behind.split(' ').skip(11).take(2);
    ticks.map(|word| word.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// About 25 s. `SEANCE_PROGRAM` names another build of the program to be attacked.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_guests_lose_nothing_to_the_one_in_ten_who_misbehaves() {
    let home = Home::new();
    let program = home.start("Ana (host)", &host_words(&[]));
    let (_, link) = opened(&program);
    let address: SocketAddr = address_of(&link).parse().unwrap();
    let mut guests = Vec::new();
    for number in 0..GUESTS {
        guests.push(guest(address, link.clone(), number).await);
    }
    // Warm before it is measured: half a run, of which only the second half counts.
    let work = || (worked(&program.id().to_string()), worked("self"));
    let start = work();
    let quiet_last = talk(&guests, 0).await;
    let quiet = heard(&guests, quiet_last).await;
    let (middle, told) = (work(), guests[0].seen.lock().await.seq);
    let before = resident_kib(&program);

    let begin = micros();
    let go = Arc::new(AtomicBool::new(true));
    let (count, came) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut attackers = tokio::task::JoinSet::new();
    for number in 0..ATTACKERS {
        attackers.spawn(attack(
            address,
            link.clone(),
            number,
            Arc::clone(&go),
            Arc::clone(&count),
            Arc::clone(&came),
        ));
    }
    let last = talk(&guests, quiet_last).await;
    go.store(false, Ordering::Relaxed);
    let attacked = heard(&guests, last).await;
    let end = work();
    let others = guests[0].seen.lock().await.others.clone();
    let noise = guests[0].seen.lock().await.seq - told - (last - quiet_last);
    while attackers.join_next().await.is_some() {}
    let after = resident_kib(&program);

    println!(
        "{GUESTS} guests, {} deliveries each way; delivery p50/p99 ms without attackers {:.1}/{:.1}, with {ATTACKERS} of them {:.1}/{:.1}, and p99 of each second of it {}; \
         {} attacks, {} in by token or link, {noise} events of theirs told to everybody ({} by the second); \
         processor seconds of the server {:.1} and {:.1}, of all others {:.1} and {:.1}; resident memory {:.1} MiB before, {:.1} MiB after",
        quiet.len(),
        part(&quiet, 50),
        part(&quiet, 99),
        part(&attacked, 50),
        part(&attacked, 99),
        part_by_second(&attacked, 99, begin),
        count.load(Ordering::Relaxed),
        came.load(Ordering::Relaxed),
        count_by_second(&others, begin),
        middle.0 - start.0,
        end.0 - middle.0,
        middle.1 - start.1,
        end.1 - middle.1,
        before as f64 / 1024.0,
        after as f64 / 1024.0,
    );
    assert!(count.load(Ordering::Relaxed) > ATTACKERS as u64);
    // A bound that no busy machine moves: what attackers made everybody else read.
    assert!(
        noise < 600,
        "attackers made {noise} events that everybody was told"
    );
    // Each attack that got in left its coming and going in the log and in everybody's state; nothing else stays.
    assert!(
        after < before + 48 * 1024,
        "memory grew from {before} to {after} KiB under attack"
    );
    tried(
        "five_hundred_guests_lose_nothing_to_the_one_in_ten_who_misbehaves",
        GUESTS + ATTACKERS,
    );
}
