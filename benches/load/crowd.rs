//! A thousand members on one thread: as little work for each as shows what arrives and when.
//!
//! A member here is a socket and a few numbers. What comes is cut into frames and counted; only
//! the first copy of each event is decoded, with the program's own types, to know whose it is.
//! Everything sent goes through the program's own types as well. Frames are masked with zeros,
//! which RFC 6455 allows and which costs the server the same.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use seance::engine::event::{Client, Via};
use seance::engine::frame::{self, Form, Hello, ToMember, ToRoom, VERSION};
use seance::engine::id::{Seq, Stamp};
use seance::engine::intent::{Ask, Intent};
use seance::engine::presence::{Activity, Report};
use seance::engine::unit::{LocalTime, Micros};
use seance::os;

use super::servers::{Place, Target};

/// Nothing here takes longer on the slowest machine that can run a party.
const WAIT_MAX: Micros = Micros::from_secs(60);
/// A member's asks, a little below what the room allows (`engine/session/room_end.rs`).
const ASKS_BURST: f64 = 39.0;
/// See [`ASKS_BURST`].
const ASKS_PER_SEC: f64 = 19.5;
/// Between two reports of a program's player, and of a page's.
const REPORT_EVERY: [Micros; 2] = [Micros::from_secs(1), Micros::from_secs(5)];
/// Between two questions for the time.
const PING_EVERY: Micros = Micros::from_secs(10);

/// How far into its life a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Dialling,
    Upgrading,
    Entering,
    In,
    Gone,
}

#[derive(Debug)]
struct Member {
    stream: TcpStream,
    room: usize,
    stage: Stage,
    /// What came of a frame that is not whole yet.
    rest: Vec<u8>,
    /// The seq of the last event that came.
    seen: u64,
    /// The seq up to which it had to catch up when it was let in.
    tail: u64,
    tokens: f64,
    filled: LocalTime,
    report_at: LocalTime,
    ping_at: LocalTime,
    reports: u64,
    /// It was told to read no more.
    deaf: bool,
}

/// One ask on its way to everybody.
#[derive(Clone, Copy, Debug)]
struct Flight {
    sent: LocalTime,
    room: usize,
    seq: Option<u64>,
}

/// What is known of the events of one room.
#[derive(Debug, Default)]
struct Tally {
    members: u32,
    /// How many members have which event, from `base` on.
    have: std::collections::VecDeque<u32>,
    base: u64,
}

/// What came in some time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// Events, each counted for everybody who got it.
    pub deliveries: u64,
    /// Bytes read, frames and handshakes and all.
    pub bytes: u64,
    /// Refusals.
    pub refused: u64,
}

/// The members.
#[derive(Debug)]
pub struct Crowd {
    target: Target,
    places: Vec<Place>,
    poll: Poll,
    members: Vec<Member>,
    tallies: Vec<Tally>,
    flights: BTreeMap<u64, Flight>,
    /// Which ask became which event.
    asked: BTreeMap<(usize, u64), u64>,
    /// How long asks took until the last member had them.
    pub took: Vec<Micros>,
    /// What came so far.
    pub count: Count,
    counter: u64,
    next_sender: usize,
    buffer: Vec<u8>,
    /// Whether everybody's player reports, as with a film on.
    pub reporting: bool,
}

impl Crowd {
    /// Nobody yet.
    pub fn new(target: Target, places: Vec<Place>) -> Result<Self> {
        Ok(Self {
            target,
            tallies: places.iter().map(|_| Tally::default()).collect(),
            places,
            poll: Poll::new()?,
            members: Vec::new(),
            flights: BTreeMap::new(),
            asked: BTreeMap::new(),
            took: Vec::new(),
            count: Count::default(),
            // Above any that an earlier crowd used.
            counter: os::wall_millis(),
            next_sender: 0,
            buffer: vec![0; 256 * 1024],
            reporting: false,
        })
    }

    fn form(&self) -> Form {
        if self.target == Target::Json {
            Form::Json
        } else {
            Form::Postcard
        }
    }

    /// Everybody dials at once; returns when each holds all that had happened when it was let in.
    pub fn join(&mut self, each: usize) -> Result<()> {
        let now = os::local_now();
        for room in 0..self.places.len() {
            for _ in 0..each {
                let mut stream = TcpStream::connect(self.places[room].address)?;
                let number = self.members.len();
                self.poll.registry().register(
                    &mut stream,
                    Token(number),
                    Interest::READABLE | Interest::WRITABLE,
                )?;
                // Spread evenly, so that nobody reports in step.
                let share =
                    |every: Micros| Micros::new(every.get() * number as i64 % every.get().max(1));
                self.members.push(Member {
                    stream,
                    room,
                    stage: Stage::Dialling,
                    rest: Vec::new(),
                    seen: 0,
                    tail: u64::MAX,
                    tokens: ASKS_BURST,
                    filled: now,
                    report_at: now + share(Micros::from_millis(7_919)),
                    ping_at: now + share(Micros::from_millis(17_389)),
                    reports: 0,
                    deaf: false,
                });
            }
        }
        self.until("everybody is in", |crowd| {
            crowd
                .members
                .iter()
                .all(|one| one.stage == Stage::In && one.seen + 1 >= one.tail)
        })?;
        for tally in &mut self.tallies {
            *tally = Tally {
                members: u32::try_from(each)?,
                ..Tally::default()
            };
        }
        Ok(())
    }

    /// Returns when everybody in a room holds the same events.
    pub fn settle(&mut self) -> Result<()> {
        self.until("everybody holds the same", |crowd| {
            (0..crowd.places.len()).all(|room| {
                let mut seen = crowd
                    .members
                    .iter()
                    .filter(|one| one.room == room && !one.deaf)
                    .map(|one| one.seen);
                let first = seen.next();
                seen.all(|one| Some(one) == first)
            })
        })?;
        let ends: Vec<_> = (0..self.places.len())
            .map(|room| {
                self.members
                    .iter()
                    .filter(|one| one.room == room)
                    .map(|one| one.seen)
                    .max()
            })
            .collect();
        for (tally, end) in self.tallies.iter_mut().zip(ends) {
            tally.base = end.unwrap_or(0) + 1;
            tally.have.clear();
        }
        Ok(())
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Micros) -> Result<()> {
        let until = os::local_now() + time;
        while os::local_now() < until {
            self.turn(Duration::from_millis(5))?;
        }
        Ok(())
    }

    /// Asks `count` times with at most `window` on their way, and waits until all arrived.
    pub fn ask_all(
        &mut self,
        count: usize,
        window: usize,
        intent: impl Fn(u64) -> Intent,
    ) -> Result<()> {
        let since = os::local_now();
        let mut sent = 0;
        self.took.clear();
        while self.took.len() < count {
            while sent < count && self.flights.len() < window && self.ask(&intent)? {
                sent += 1;
            }
            self.turn(Duration::from_millis(5))?;
            if os::local_now() - since > WAIT_MAX {
                bail!(
                    "{} of {count} asks never reached everybody",
                    count - self.took.len()
                );
            }
        }
        Ok(())
    }

    /// Asks as much as the window allows for so long, then waits until all arrived.
    pub fn saturate(
        &mut self,
        time: Micros,
        window: usize,
        intent: impl Fn(u64) -> Intent,
    ) -> Result<Micros> {
        let since = os::local_now();
        self.took.clear();
        while os::local_now() - since < time {
            while self.flights.len() < window && self.ask(&intent)? {}
            self.turn(Duration::from_millis(5))?;
        }
        self.until("all has arrived", |crowd| crowd.flights.is_empty())?;
        Ok(os::local_now() - since)
    }

    /// One member reads no more, and nobody waits for it.
    pub fn one_goes_deaf(&mut self) -> Result<()> {
        let last = self.members.len() - 1;
        let member = &mut self.members[last];
        member.deaf = true;
        self.poll.registry().deregister(&mut member.stream)?;
        self.tallies[member.room].members -= 1;
        Ok(())
    }

    /// One intent by whoever is next and may; false while nobody may.
    pub fn ask(&mut self, intent: &impl Fn(u64) -> Intent) -> Result<bool> {
        let now = os::local_now();
        for _ in 0..self.members.len() {
            let number = self.next_sender;
            self.next_sender = (number + 1) % self.members.len();
            let member = &mut self.members[number];
            let passed = (now - member.filled).get() as f64 / 1e6;
            member.tokens = (member.tokens + passed * ASKS_PER_SEC).min(ASKS_BURST);
            member.filled = now;
            if member.deaf || (self.target.is_ours() && member.tokens < 1.0) {
                continue;
            }
            member.tokens -= 1.0;
            self.counter += 1;
            let counter = self.counter;
            let room = member.room;
            self.flights.insert(
                counter,
                Flight {
                    sent: now,
                    room,
                    seq: None,
                },
            );
            if self.target.is_ours() {
                let ask = Ask {
                    counter,
                    stamp: Stamp::default(),
                    via: Via::Script,
                    aim: None,
                    intent: intent(counter),
                };
                self.send(number, &ToRoom::Ask(ask))?;
            } else {
                member.stream.write_all(&counter.to_le_bytes())?;
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// One member of each room asks for something and nobody measures it.
    pub fn just_ask(&mut self, intent: &Intent) -> Result<()> {
        for room in 0..self.places.len() {
            self.counter += 1;
            let ask = Ask {
                counter: self.counter,
                stamp: Stamp::default(),
                via: Via::Script,
                aim: None,
                intent: intent.clone(),
            };
            let first = self.members.iter().position(|one| one.room == room);
            self.send(first.context("nobody is in a room")?, &ToRoom::Ask(ask))?;
        }
        Ok(())
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<()> {
        let since = os::local_now();
        while !done(self) {
            self.turn(Duration::from_millis(5))?;
            if os::local_now() - since > WAIT_MAX {
                let stages: Vec<_> = self
                    .members
                    .iter()
                    .map(|one| (one.stage, one.seen, one.tail))
                    .collect();
                let stuck = stages.iter().filter(|stage| stage.0 != Stage::In).count();
                bail!(
                    "waited in vain until {what}; {stuck} of {} are not in",
                    stages.len()
                );
            }
        }
        Ok(())
    }

    /// Handles what has come, or waits a little for it.
    fn turn(&mut self, wait: Duration) -> Result<()> {
        let mut events = Events::with_capacity(1_024);
        self.poll.poll(&mut events, Some(wait))?;
        for event in &events {
            let number = event.token().0;
            if self.members[number].stage == Stage::Dialling && event.is_writable() {
                self.connected(number)?;
            }
            if event.is_readable() {
                self.read(number)?;
            }
        }
        if self.reporting && self.target.is_ours() {
            self.chatter()?;
        }
        Ok(())
    }

    fn connected(&mut self, number: usize) -> Result<()> {
        let member = &mut self.members[number];
        if let Some(error) = member.stream.take_error()? {
            return Err(error).context("a member could not dial");
        }
        member.stream.set_nodelay(true)?;
        if !self.target.is_ours() {
            member.stage = Stage::Entering;
            return Ok(());
        }
        member.stage = Stage::Upgrading;
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2VhbmNlIGlzIGEgbG9nIQ==\r\n\
             Sec-WebSocket-Protocol: {}\r\n\r\n",
            self.places[member.room].address,
            if self.target == Target::Json {
                "seance.v1.json"
            } else {
                "seance.v1.postcard"
            },
        );
        member.stream.write_all(request.as_bytes())?;
        Ok(())
    }

    /// Reads until nothing is left, as an edge-triggered poll wants it.
    fn read(&mut self, number: usize) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let outcome = loop {
            let member = &mut self.members[number];
            let kept = member.rest.len();
            buffer[..kept].copy_from_slice(&member.rest);
            match member.stream.read(&mut buffer[kept..]) {
                Ok(0) => {
                    member.stage = Stage::Gone;
                    break if member.deaf {
                        Ok(())
                    } else {
                        Err(anyhow!("member {number} was hung up on"))
                    };
                }
                Ok(len) => {
                    self.count.bytes += len as u64;
                    let filled = kept + len;
                    let used = match self.take(number, &buffer[..filled]) {
                        Ok(used) => used,
                        Err(error) => break Err(error),
                    };
                    let member = &mut self.members[number];
                    member.rest.clear();
                    member.rest.extend_from_slice(&buffer[used..filled]);
                    if filled < buffer.len() {
                        break Ok(()); // the socket is empty, or will say so again
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error.into()),
            }
        };
        self.buffer = buffer;
        outcome
    }

    /// Takes whole frames off the front; returns how many bytes they had.
    fn take(&mut self, number: usize, bytes: &[u8]) -> Result<usize> {
        let mut used = 0;
        if self.members[number].stage == Stage::Upgrading {
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                return Ok(0);
            };
            if !bytes.starts_with(b"HTTP/1.1 101") {
                bail!("not let in: {}", String::from_utf8_lossy(bytes));
            }
            used = end + 4;
            self.greet(number)?;
        }
        while let Some((opcode, payload, len)) = framed(&bytes[used..]) {
            match opcode {
                1 | 2 => self.heard(number, payload)?,
                8 => bail!(
                    "member {number} was closed: {}",
                    String::from_utf8_lossy(payload)
                ),
                _ => {}
            }
            used += len;
        }
        Ok(used)
    }

    fn greet(&mut self, number: usize) -> Result<()> {
        self.members[number].stage = Stage::Entering;
        let place = &self.places[self.members[number].room];
        let hello = ToRoom::Hello(Hello {
            version: VERSION,
            session: place.session,
            secret: place.secret.as_str().into(),
            name: format!("Kim {number}"),
            client: if self.target == Target::Json {
                Client::Page
            } else {
                Client::Window
            },
            resume: None,
            cursor: Seq::new(super::CURSOR),
        });
        self.send(number, &hello)
    }

    fn heard(&mut self, number: usize, payload: &[u8]) -> Result<()> {
        if let Some(seq) = event_seq(payload) {
            self.count.deliveries += 1;
            self.members[number].seen = seq;
            return self.arrived(number, seq, payload);
        }
        if !self.target.is_ours() {
            let member = &mut self.members[number];
            (member.stage, member.tail) = (Stage::In, 0);
            return Ok(());
        }
        match self.decode(payload)? {
            ToMember::Welcome(welcome) => {
                let member = &mut self.members[number];
                member.stage = Stage::In;
                member.tail = welcome.tail.get();
            }
            ToMember::Accepted { counter, seq } => {
                // An ask that found everything as it wanted has no event of its own.
                if let Some(flight) = self.flights.get(&counter)
                    && flight.seq.is_none()
                    && seq.get() < self.members[number].seen
                    && !self.asked.contains_key(&(flight.room, seq.get()))
                {
                    self.land(counter);
                }
            }
            ToMember::Refused(refused) => {
                self.count.refused += 1;
                bail!("member {number} was refused: {}", refused.sentence);
            }
            ToMember::Closing(why) => bail!("member {number} was closed: {why}"),
            _ => {}
        }
        Ok(())
    }

    fn decode(&self, payload: &[u8]) -> Result<ToMember> {
        let max = frame::FROM_ROOM_BYTES_MAX;
        Ok(match self.form() {
            Form::Postcard => frame::from_postcard(payload, max)?,
            Form::Json => frame::from_json(std::str::from_utf8(payload)?, max)?,
        })
    }

    /// Counts who has an event; the last one ends its ask's flight.
    fn arrived(&mut self, number: usize, seq: u64, payload: &[u8]) -> Result<()> {
        let room = self.members[number].room;
        let tally = &mut self.tallies[room];
        if self.members[number].deaf || tally.base == 0 || seq < tally.base {
            return Ok(());
        }
        let place = usize::try_from(seq - tally.base)?;
        if place >= tally.have.len() {
            tally.have.resize(place + 1, 0);
        }
        tally.have[place] += 1;
        let (first, last) = (tally.have[place] == 1, tally.have[place] == tally.members);
        if first
            && let ToMember::Event(event) = self.decode(payload)?
            && let Some(counter) = event.header.intent
            && let Some(flight) = self.flights.get_mut(&counter)
            && flight.seq.is_none()
        {
            flight.seq = Some(seq);
            self.asked.insert((room, seq), counter);
        }
        if last && let Some(counter) = self.asked.remove(&(room, seq)) {
            self.land(counter);
        }
        let tally = &mut self.tallies[room];
        while tally.have.front() == Some(&tally.members) {
            tally.have.pop_front();
            tally.base += 1;
        }
        Ok(())
    }

    fn land(&mut self, counter: u64) {
        if let Some(flight) = self.flights.remove(&counter) {
            self.took.push(os::local_now() - flight.sent);
        }
    }

    /// What players tell by themselves while a film runs.
    fn chatter(&mut self) -> Result<()> {
        let now = os::local_now();
        let every = REPORT_EVERY[usize::from(self.target == Target::Json)];
        for number in 0..self.members.len() {
            if self.members[number].deaf {
                continue;
            }
            if now >= self.members[number].report_at {
                let member = &mut self.members[number];
                member.report_at = member.report_at.max(now - every) + every;
                member.reports += 1;
                // A player in step: a few milliseconds to either side.
                let drift = (member.reports * 7_919 + number as u64 * 104_729) % 7_000;
                let report = Report {
                    activity: Some(Activity::Playing),
                    drift: Some(Micros::new(drift as i64 - 3_500)),
                    round_trip: Some(Micros::new(900 + drift as i64 / 10)),
                };
                self.send(number, &ToRoom::Report(report))?;
            }
            if now >= self.members[number].ping_at {
                self.members[number].ping_at = now + PING_EVERY;
                self.send(number, &ToRoom::Ping { t0: now })?;
            }
        }
        Ok(())
    }

    fn send(&mut self, number: usize, frame: &ToRoom) -> Result<()> {
        let (opcode, payload) = match self.form() {
            Form::Postcard => (0x82, frame::to_postcard(frame)),
            Form::Json => (0x81, frame::to_json(frame).into_bytes()),
        };
        let mut bytes = vec![opcode];
        match payload.len() {
            short if short < 126 => bytes.push(0x80 | u8::try_from(short)?),
            long => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(long)?.to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes.extend(payload);
        self.members[number]
            .stream
            .write_all(&bytes)
            .context("a member's socket takes no more")
    }
}

/// The first frame of `bytes`, if it is whole: opcode, payload, length with its head.
fn framed(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (head, len) = match second {
        126 => (
            4,
            usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
        ),
        127 => (
            10,
            usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?,
        ),
        short => (2, usize::from(short)),
    };
    let payload = bytes.get(head..head + len)?;
    Some((first & 0x0f, payload, head + len))
}

/// The seq of the event that a frame carries, if it carries one.
fn event_seq(payload: &[u8]) -> Option<u64> {
    const JSON: &[u8] = b"{\"event\":{\"seq\":";
    if let Some(rest) = payload.strip_prefix(JSON) {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
        return Some(digits.fold(0, |seq, digit| seq * 10 + u64::from(digit - b'0')));
    }
    // Frame 1, the event's length, its format; then its header begins with the seq.
    let rest = payload.strip_prefix(&[1])?;
    let (_, rest) = varint(rest)?;
    Some(varint(rest.get(1..)?)?.0)
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[place + 1..]));
        }
    }
    None
}
