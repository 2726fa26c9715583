//! The host's machine, and the programs that host on it one after the other.
//!
//! A program is the real [`Room`] with what the tokio shell adds to it: a disk,
//! a feed of recent events, and a pump for each connection around the real
//! [`RoomEnd`]. The machine outlives its programs: its disk, its clocks and the
//! alive mark are what they leave behind.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::engine::event::{Body, Departure, Event, Role};
use crate::engine::fold::RoomState;
use crate::engine::frame::{
    self, Closing, Form, FrameError, Hello, Refused, ToMember, ToRoom, VERSION, Welcome,
};
use crate::engine::id::{MemberId, Seq};
use crate::engine::intent::{Ask, Refusal};
use crate::engine::presence::{Report, Told};
use crate::engine::reader::{Cursor, Want};
use crate::engine::replay::Replay;
use crate::engine::room::{AliveMark, Beginning, ConnectionId, Deed, Now, Reply, Room};
use crate::engine::sequencer::Entrant;
use crate::engine::session::room_end::{Action, RoomEnd};
use crate::engine::snapshot;
use crate::engine::text::{Name, Title};
use crate::engine::unit::{LocalTime, SessionTime};
use crate::sim::check::Broken;
use crate::sim::clock::{Clock, MS, SEC, True};
use crate::sim::dice::Dice;
use crate::sim::disk::{Cut, Disk};
use crate::sim::fault::Kind;
use crate::sim::net::{BUFFER_BYTES, Far, Line, Parcel, WRITE_WAIT_MAX, Way};
use crate::sim::world::{Due, SESSION, World};

/// Events kept in memory for those who keep up: few, so that many readers must scan.
const RECENT_KEPT: usize = 24;
/// Events read from the log at a time.
const SCAN_STEP: usize = 32;
/// The half-second after which the alive mark is written (as `broadcast/room.rs`).
const BEAT: True = 500 * MS;
/// The wall clock as the world begins, in milliseconds since 1970.
pub const WALL_ZERO: u64 = 1_795_000_000_000;

/// The secret that lets its bearer in as the host, and as a guest.
pub const SECRETS: [&str; 2] = ["the host's secret", "a guest's secret"];

/// How the disk answers a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// After a while.
    Fine {
        /// After how long.
        takes: True,
    },
    /// With an error, after which nothing is certain.
    Fails,
    /// Nothing more can be written.
    Full,
}

/// A sync that takes as long as a good disk's.
pub const GOOD_SYNC: Sync = Sync::Fine { takes: 400 };

/// What outlives the programs.
#[derive(Debug)]
pub struct Machine {
    pub(super) clock: Clock,
    /// How much the wall clock was moved, in milliseconds.
    pub(super) wall_moved: i64,
    pub(super) disk: Disk,
    pub(super) sync: Sync,
    alive: Option<AliveMark>,
    /// The program that hosts, counted from 1.
    pub(super) life: u64,
    /// Nothing runs; what is due waits.
    pub(super) frozen: bool,
    deferred: Vec<Due>,
    /// What the next start finds on the disk.
    pub(super) cut: Cut,
    /// A stored bit is wrong at the next start.
    pub(super) flips: bool,
    pub(super) dice: Dice,
}

impl Machine {
    /// A machine without a program.
    pub fn new(dice: &mut Dice) -> Self {
        Self {
            clock: Clock::new(dice.between(1_000 * SEC, 900_000 * SEC), honest_ppm(dice)),
            wall_moved: 0,
            disk: Disk::new(),
            sync: GOOD_SYNC,
            alive: None,
            life: 0,
            frozen: false,
            deferred: Vec::new(),
            cut: Cut::Nothing,
            flips: false,
            dice: Dice::new(dice.any(), 7),
        }
    }

    /// Both its clocks.
    pub fn now(&self, now: True) -> Now {
        let wall = (WALL_ZERO + now / 1_000).saturating_add_signed(self.wall_moved);
        Now {
            local: self.clock.read(now),
            wall,
        }
    }
}

/// A crystal as good as the clock filter is promised: two of them part by less than 100 ppm.
pub fn honest_ppm(dice: &mut Dice) -> i64 {
    dice.roll(81) as i64 - 40
}

/// Something for the mind, while a commit is under way.
#[derive(Debug)]
enum Request {
    Enter(u64, Hello),
    Ask(u64, MemberId, ConnectionId, Ask),
    Note(MemberId, ConnectionId, Report),
    Leave(MemberId, ConnectionId, Departure),
}

/// An event as frames, in both forms.
#[derive(Debug)]
struct Published {
    seq: Seq,
    postcard: Rc<[u8]>,
    json: Rc<[u8]>,
}

impl Published {
    fn new(event: &Event) -> Self {
        let frame = ToMember::Event(event.clone());
        Self {
            seq: event.header.seq,
            postcard: frame::to_postcard(&frame).into(),
            json: frame::to_json(&frame).into_bytes().into(),
        }
    }

    fn bytes(&self, form: Form) -> Rc<[u8]> {
        match form {
            Form::Postcard => Rc::clone(&self.postcard),
            Form::Json => Rc::clone(&self.json),
        }
    }
}

/// A program that hosts.
#[derive(Debug)]
pub struct Host {
    pub(super) mind: Room,
    recent: VecDeque<Published>,
    pub(super) tail: Seq,
    inbox: VecDeque<Request>,
    /// A commit is under way.
    saving: Option<Vec<Event>>,
    mailboxes: BTreeMap<ConnectionId, u64>,
    doors: BTreeMap<ConnectionId, Welcome>,
    wake: True,
    beats: u64,
}

impl Host {
    /// Whether a commit is under way.
    pub(super) fn is_saving(&self) -> bool {
        self.saving.is_some()
    }
}

impl World {
    /// The program that hosts now, if one does.
    pub(super) fn on_air(&self) -> Option<&Host> {
        self.hosts.get(&self.machine.life)
    }

    /// Starts the host's program on what the last one left.
    pub(super) fn host_up(&mut self) -> Result<(), Broken> {
        if self.on_air().is_some() {
            return Ok(());
        }
        let cut = std::mem::replace(&mut self.machine.cut, Cut::Nothing);
        let before = self.machine.disk.commits();
        self.machine.disk.cut(cut, &mut self.machine.dice);
        if std::mem::take(&mut self.machine.flips)
            && let Some(place) = self.machine.disk.flip(&mut self.machine.dice)
        {
            self.bit_flipped(place)?;
        }
        let count = self.machine.disk.open();
        match cut {
            Cut::Torn if self.machine.disk.commits() >= before => self.tally.hit(Kind::TornTail),
            Cut::Suffix => self.tally.hit(Kind::LostSuffix),
            _ => {}
        }
        self.take_the_log(count)
    }

    /// A stored bit is wrong: opening says so by ending there, and never shows something else.
    fn bit_flipped(&mut self, place: (usize, usize)) -> Result<(), Broken> {
        self.tally.hit(Kind::BitFlip);
        let mut copy = self.machine.disk.copy();
        let count = copy.open();
        let read = copy
            .read(Seq::FIRST, count)
            .map_err(|error| format!("a log that opened does not read: {error}"))?;
        if copy.commits() > place.0 {
            return Err("a log with a flipped bit opened as if nothing had happened".to_owned());
        }
        let same = read.iter().zip(self.ledger.events()).all(|(a, b)| a == b);
        if !same {
            return Err("a log with a flipped bit shows other events".to_owned());
        }
        // The disk has a spare copy; without one the session would go on at the break, and say so.
        self.machine.disk.mend(place);
        Ok(())
    }

    /// Takes the session over: as the log folds, in a new epoch.
    pub(super) fn take_the_log(&mut self, count: usize) -> Result<(), Broken> {
        let read = self.machine.disk.read(Seq::FIRST, count);
        let events = read.map_err(|error| format!("a log that opened does not read: {error}"))?;
        self.ledger.recovered(&events)?;
        self.machine.life += 1;
        let life = self.machine.life;
        let now = self.machine.now(self.now);
        let beginning = if events.is_empty() {
            Beginning::Open {
                session: SESSION,
                title: Title::new("Film night").expect("a plain title"),
            }
        } else {
            self.tally.recoveries += 1;
            Beginning::Resume {
                state: Box::new(self.fold(&events)?),
                alive: self.machine.alive,
            }
        };
        self.ledger.occasions += 4;
        self.tally.epochs += u64::from(!events.is_empty());
        self.note(|| format!("host {life} starts with {} events", events.len()));
        let host = Host {
            mind: Room::begin(beginning, now),
            recent: VecDeque::new(),
            tail: Seq::new(count as u64 + 1),
            inbox: VecDeque::new(),
            saving: None,
            mailboxes: BTreeMap::new(),
            doors: BTreeMap::new(),
            wake: True::MAX,
            beats: 0,
        };
        self.hosts.insert(life, host);
        self.at(self.now + BEAT, Due::Beat(life));
        self.turn(life)
    }

    /// From zero, or from a snapshot and the tail behind it: which one must not matter.
    fn fold(&mut self, events: &[Event]) -> Result<RoomState, Broken> {
        let mut replay = Replay::new();
        let snapshot_at = self.machine.dice.roll(2 * events.len() as u64) as usize;
        for (index, event) in events.iter().enumerate() {
            replay.take(event).map_err(|error| error.to_string())?;
            if index == snapshot_at {
                let read = snapshot::decode(&snapshot::encode(replay.state()));
                replay = Replay::from_state(read.map_err(|bad| format!("a snapshot: {bad}"))?);
            }
        }
        Ok(replay.into_state())
    }

    /// The host's program is gone. `told` says whether the members' systems hear of it.
    pub(super) fn host_dies(&mut self, life: u64, told: bool) -> Result<(), Broken> {
        self.hosts.remove(&life);
        let conns: Vec<_> = self.conns_of(life);
        for conn in conns {
            self.room_side_gone(conn, told);
        }
        Ok(())
    }

    pub(super) fn conns_of(&self, life: u64) -> Vec<u64> {
        let of_life = self.conns.iter().filter(|(_, conn)| conn.life == life);
        of_life.map(|(id, _)| *id).collect()
    }

    fn room_side_gone(&mut self, id: u64, told: bool) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        conn.room_open = false;
        conn.up.flight.clear();
        if told {
            self.ship(id, Way::Down, Parcel::Fin);
        } else {
            // The cable is silent: nothing more comes, not even an end.
            conn.down.flight.clear();
        }
        self.forget_if_dead(id);
    }

    pub(super) fn forget_if_dead(&mut self, id: u64) {
        let dead = self
            .conns
            .get(&id)
            .is_some_and(|conn| !conn.room_open && !conn.far_open);
        if dead {
            self.conns.remove(&id);
        }
    }

    /// While the machine sleeps everything waits; says whether it does.
    fn sleeps(&mut self, due: Due) -> bool {
        if self.machine.frozen {
            self.machine.deferred.push(due);
        }
        self.machine.frozen
    }

    /// The machine wakes.
    pub(super) fn thaw_host(&mut self) {
        if std::mem::take(&mut self.machine.frozen) {
            for due in std::mem::take(&mut self.machine.deferred) {
                // A wake-up counts by its time, and this is a new one.
                match due {
                    Due::End(id) => {
                        if let Some(conn) = self.conns.get_mut(&id) {
                            conn.wake = self.now;
                        }
                    }
                    Due::Room(life) => {
                        if let Some(host) = self.hosts.get_mut(&life) {
                            host.wake = self.now;
                        }
                    }
                    _ => {}
                }
                self.at(self.now, due);
            }
        }
    }

    pub(super) fn host_beats(&mut self, life: u64) -> Result<(), Broken> {
        if !self.hosts.contains_key(&life) || self.sleeps(Due::Beat(life)) {
            return Ok(());
        }
        let now = self.machine.now(self.now);
        let current = life == self.machine.life;
        let Some(host) = self.hosts.get_mut(&life) else {
            return Ok(());
        };
        host.beats += 1;
        let presence = host.beats.is_multiple_of(2);
        if host.saving.is_none() {
            host.mind.notice_gap(now);
            if let Some(mark) = host.mind.mark(now).filter(|_| current) {
                self.machine.alive = Some(mark);
            }
        }
        if presence && let Some(told) = host.mind.presence(now) {
            for conn in self.conns_of(life) {
                self.tell(conn, &told);
            }
        }
        self.at(self.now + BEAT, Due::Beat(life));
        self.turn(life)
    }

    pub(super) fn room_wakes(&mut self, life: u64, when: True) -> Result<(), Broken> {
        let due = self.hosts.get(&life).is_some_and(|host| host.wake == when);
        if !due || self.sleeps(Due::Room(life)) {
            return Ok(());
        }
        if let Some(host) = self.hosts.get_mut(&life) {
            host.wake = True::MAX;
        }
        self.turn(life)
    }

    /// Lets the mind decide on everything that came, and does what follows.
    pub(super) fn turn(&mut self, life: u64) -> Result<(), Broken> {
        let now = self.machine.now(self.now);
        let Some(host) = self.hosts.get_mut(&life) else {
            return Ok(());
        };
        if host.saving.is_some() || self.machine.frozen {
            return Ok(());
        }
        host.mind.tick(now);
        let requests = std::mem::take(&mut host.inbox);
        for request in requests {
            self.serve(life, request, now)?;
        }
        let Some(host) = self.hosts.get_mut(&life) else {
            return Ok(());
        };
        let deeds = host.mind.turn();
        self.perform(life, deeds)?;
        self.wake_room(life);
        Ok(())
    }

    fn wake_room(&mut self, life: u64) {
        let local = self.machine.clock.read(self.now);
        let Some(host) = self.hosts.get_mut(&life) else {
            return;
        };
        let Some(due) = host.mind.deadline() else {
            return;
        };
        let session = host.mind.clock().at(local);
        let when = self.machine.clock.when(local + (due - session), self.now);
        // Never at once again: what is due and stays due would stop the world.
        let when = when.max(self.now + MS);
        if when < host.wake || host.wake <= self.now {
            host.wake = when;
            self.at(when, Due::Room(life));
        }
    }

    fn serve(&mut self, life: u64, request: Request, now: Now) -> Result<(), Broken> {
        match request {
            Request::Enter(conn, hello) => self.enter(life, conn, hello, now)?,
            Request::Ask(conn, member, connection, ask) => {
                if let Some(host) = self.hosts.get_mut(&life)
                    && host.mind.speaks_for(connection, member)
                {
                    self.ledger.heard(member, &ask);
                    host.mind.ask(connection, member, &ask, now);
                }
                let _ = conn;
            }
            Request::Note(member, connection, report) => {
                self.ledger.occasions += 1;
                if let Some(host) = self.hosts.get_mut(&life) {
                    host.mind.note(connection, member, report, now);
                }
            }
            Request::Leave(member, connection, reason) => {
                self.ledger.occasions += 1;
                if let Some(host) = self.hosts.get_mut(&life) {
                    host.mailboxes.remove(&connection);
                    host.mind.leave(connection, member, reason, now);
                }
            }
        }
        Ok(())
    }

    /// The door, in plain words instead of keys; who proves what is decided as in `broadcast/room.rs`.
    fn enter(&mut self, life: u64, conn: u64, hello: Hello, now: Now) -> Result<(), Broken> {
        self.ledger.occasions += 2;
        let Some(host) = self.hosts.get_mut(&life) else {
            return Ok(());
        };
        let role = match SECRETS
            .iter()
            .position(|secret| *secret == hello.secret.reveal())
        {
            Some(0) => Ok(Role::Host),
            Some(_) => Ok(Role::Guest),
            None => Err(Refusal::BadInvite),
        };
        let state = host.mind.state();
        let proven = hello.resume.as_ref();
        let proven = proven.filter(|resume| resume.token.reveal() == token(resume.member));
        let entrant = role.and_then(|role| {
            let name = Name::new(&hello.name).map_err(|bad| Refusal::BadText {
                sentence: bad.to_string(),
            })?;
            let member = match role {
                Role::Host => state.opener,
                _ => proven
                    .map(|resume| resume.member)
                    .filter(|id| state.roster.get(*id).is_some()),
            };
            Ok(Entrant {
                member,
                name,
                role,
                client: hello.client,
            })
        });
        match entrant.and_then(|entrant| host.mind.enter(entrant, now)) {
            Ok((member, connection)) => {
                let welcome = Welcome {
                    version: VERSION,
                    session: SESSION,
                    member,
                    token: token(member).into(),
                    tail: host.mind.state().tail(),
                };
                host.mailboxes.insert(connection, conn);
                host.doors.insert(connection, welcome);
                Ok(())
            }
            Err(refusal) => self.refuse_entry(conn, refusal),
        }
    }

    fn refuse_entry(&mut self, conn: u64, refusal: Refusal) -> Result<(), Broken> {
        let Some(it) = self.conns.get_mut(&conn) else {
            return Ok(());
        };
        let actions = it.end.refused(refusal);
        self.act(conn, actions)
    }

    pub(super) fn perform(&mut self, life: u64, deeds: Vec<Deed>) -> Result<(), Broken> {
        for deed in deeds {
            match deed {
                Deed::Append(events) => self.append(life, events)?,
                Deed::Publish(events) => self.publish(life, &events)?,
                Deed::Admit(connection) => self.let_in(life, connection)?,
                Deed::TurnAway(connection, refusal) => {
                    if let Some(host) = self.hosts.get_mut(&life) {
                        host.doors.remove(&connection);
                        if let Some(conn) = host.mailboxes.remove(&connection) {
                            self.refuse_entry(conn, refusal)?;
                        }
                    }
                }
                Deed::Reply(connection, reply) => self.reply(life, connection, reply)?,
            }
        }
        Ok(())
    }

    fn append(&mut self, life: u64, events: Vec<Event>) -> Result<(), Broken> {
        let written = match self.machine.sync {
            Sync::Full => {
                self.tally.hit(Kind::DiskFull);
                Err("the disk is full".to_owned())
            }
            _ => self
                .machine
                .disk
                .write(&events)
                .map_err(|error| error.to_string()),
        };
        self.note(|| format!("host {life} appends {} events: {written:?}", events.len()));
        let Some(host) = self.hosts.get_mut(&life) else {
            return Ok(());
        };
        match written {
            Ok(()) => {
                host.saving = Some(events);
                let takes = match self.machine.sync {
                    Sync::Fine { takes } => takes,
                    Sync::Fails | Sync::Full => 5 * MS,
                };
                self.at(self.now + takes, Due::Synced(life));
                Ok(())
            }
            Err(reason) => {
                let now = self.machine.now(self.now);
                let deeds = host.mind.saved(Err(reason), now);
                self.perform(life, deeds)
            }
        }
    }

    pub(super) fn synced(&mut self, life: u64) -> Result<(), Broken> {
        if !self.hosts.contains_key(&life) || self.sleeps(Due::Synced(life)) {
            return Ok(());
        }
        let saved = if self.machine.sync == Sync::Fails {
            self.tally.hit(Kind::FailedSync);
            Err("the disk failed to sync".to_owned())
        } else {
            self.machine.disk.sync();
            Ok(())
        };
        let now = self.machine.now(self.now);
        let Some(host) = self.hosts.get_mut(&life) else {
            return Ok(());
        };
        host.saving = None;
        let deeds = host.mind.saved(saved, now);
        self.perform(life, deeds)?;
        self.turn(life)
    }

    fn publish(&mut self, life: u64, events: &[Event]) -> Result<(), Broken> {
        self.ledger
            .published(events, self.machine.disk.durable_events())?;
        self.last_published = self.now;
        for event in events {
            self.mix(event.header.seq.get() ^ event.header.at.get());
            self.note(|| format!("published {} {:?}", event.header.seq, event.body));
            if matches!(event.body, Body::HostChanged { .. }) {
                self.tally.hand_overs += 1;
            }
        }
        let Some(host) = self.hosts.get_mut(&life) else {
            return Ok(());
        };
        host.recent.extend(events.iter().map(Published::new));
        let surplus = host.recent.len().saturating_sub(RECENT_KEPT);
        host.recent.drain(..surplus);
        if let Some(last) = events.last() {
            host.tail = last.header.seq.next();
        }
        for conn in self.conns_of(life) {
            self.feed(conn)?;
        }
        Ok(())
    }

    fn let_in(&mut self, life: u64, connection: ConnectionId) -> Result<(), Broken> {
        let Some(host) = self.hosts.get_mut(&life) else {
            return Ok(());
        };
        let (Some(welcome), Some(&id)) = (
            host.doors.remove(&connection),
            host.mailboxes.get(&connection),
        ) else {
            return Ok(());
        };
        let member = welcome.member;
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| conn.room_open) else {
            // They hung up meanwhile; their end says so to the room.
            let leave = Request::Leave(member, connection, Departure::Lost);
            host.inbox.push_back(leave);
            return Ok(());
        };
        conn.inside = Some((member, connection));
        let actions = conn.end.admitted(welcome);
        self.act(id, actions)
    }

    fn reply(&mut self, life: u64, connection: ConnectionId, reply: Reply) -> Result<(), Broken> {
        let Some(host) = self.hosts.get_mut(&life) else {
            return Ok(());
        };
        let Some(&conn) = host.mailboxes.get(&connection) else {
            return Ok(());
        };
        match reply {
            Reply::Accepted { counter, seq } => {
                if let Some((member, _)) = self.conns.get(&conn).and_then(|conn| conn.inside) {
                    self.ledger.accepted(member, counter, seq)?;
                }
                self.send(conn, &ToMember::Accepted { counter, seq });
            }
            Reply::Refused { counter, refusal } => {
                self.send(
                    conn,
                    &ToMember::Refused(Refused::new(Some(counter), refusal)),
                );
            }
            Reply::Secret { invite, secret } => {
                self.send(conn, &ToMember::Secret { invite, secret });
            }
            Reply::Knocks(knocks) => self.send(conn, &ToMember::Knocks(knocks.to_vec())),
            Reply::Close(why) => {
                let Some(it) = self.conns.get_mut(&conn) else {
                    return Ok(());
                };
                let action = it.end.close(why);
                self.act(conn, vec![action])?;
            }
        }
        Ok(())
    }

    // -- the pump of one connection -------------------------------------------

    /// Sends what the connection's reader wants next, as far as its line takes it.
    pub(super) fn feed(&mut self, id: u64) -> Result<(), Broken> {
        loop {
            let Some(conn) = self.conns.get_mut(&id).filter(|conn| conn.room_open) else {
                return Ok(());
            };
            let Some(host) = self.hosts.get(&conn.life) else {
                return Ok(());
            };
            let Some(mut cursor) = conn.feed else {
                return Ok(());
            };
            if conn.down.bytes > BUFFER_BYTES {
                if conn.stuck.is_none() {
                    conn.stuck = Some(self.now);
                    if matches!(conn.far, Far::Guest(number) if !self.lines[number].reads) {
                        self.tally.hit(Kind::NeverReads);
                    }
                    self.wake_end(id);
                }
                return Ok(());
            }
            let form = conn.form;
            let recent = host.recent.front().map_or(host.tail, |first| first.seq);
            let (next, frames): (Seq, Vec<Rc<[u8]>>) = match cursor.want(recent, host.tail) {
                Want::Wait => return Ok(()),
                Want::Follow(range) => {
                    let skip = (range.start.get() - recent.get()) as usize;
                    let count = (range.end.get() - range.start.get()) as usize;
                    let shown = host.recent.iter().skip(skip).take(count);
                    (range.end, shown.map(|it| it.bytes(form)).collect())
                }
                Want::Scan(range) => {
                    let count = (range.end.get() - range.start.get()) as usize;
                    let read = self.machine.disk.read(range.start, count.min(SCAN_STEP));
                    let events = read.map_err(|error| format!("a reader: {error}"))?;
                    let next = Seq::new(range.start.get() + events.len() as u64);
                    let frames = events.iter().map(|event| Published::new(event).bytes(form));
                    (next, frames.collect())
                }
            };
            cursor.advance(next, host.tail);
            conn.feed = Some(cursor);
            for bytes in frames {
                self.ship(id, Way::Down, Parcel::Frame(bytes));
            }
        }
    }

    pub(super) fn send(&mut self, id: u64, frame: &ToMember) {
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        let bytes = match conn.form {
            Form::Postcard => frame::to_postcard(frame).into(),
            Form::Json => frame::to_json(frame).into_bytes().into(),
        };
        self.ship(id, Way::Down, Parcel::Frame(bytes));
    }

    /// What everybody's players do, as far as this member was not told yet.
    fn tell(&mut self, id: u64, told: &Told) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        // Presence that is not read is replaced, not queued.
        if conn.inside.is_none() || !conn.room_open || conn.stuck.is_some() {
            return;
        }
        let fresh = told.since(conn.told);
        conn.told = told.version();
        if !fresh.is_empty() {
            self.send(id, &ToMember::Presence(fresh));
        }
    }

    pub(super) fn ship(&mut self, id: u64, way: Way, parcel: Parcel) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let line = match conn.far {
            Far::Guest(number) => &self.lines[number],
            Far::Mallory(_) => &crate::sim::hostile::LINE,
        };
        let pipe = match way {
            Way::Up => &mut conn.up,
            Way::Down => &mut conn.down,
        };
        let (due, effects) = pipe.ship(self.now, line, &mut self.net_dice, parcel);
        if effects.lost {
            self.tally.hit(Kind::Loss);
        }
        if effects.doubled {
            self.tally.hit(Kind::Duplicate);
        }
        if let Some(due) = due {
            self.at(due, look(way, id));
        }
    }

    /// The next parcel of this pipe, if it may be taken; looks again when the one behind it is there.
    pub(super) fn unship(&mut self, id: u64, way: Way) -> Option<Parcel> {
        let conn = self.conns.get_mut(&id)?;
        let line = match conn.far {
            Far::Guest(number) => &self.lines[number],
            Far::Mallory(_) => &crate::sim::hostile::LINE,
        };
        let waits = !line.passes(way) || (way == Way::Up && conn.stuck.is_some());
        let pipe = match way {
            Way::Up => &mut conn.up,
            Way::Down => &mut conn.down,
        };
        if waits {
            pipe.parked = true;
            return None;
        }
        let parcel = pipe.take(self.now)?;
        if let Some(next) = pipe.next() {
            self.at(next, look(way, id));
        }
        Some(parcel)
    }

    /// A line is as good as this again, for what waits in it too.
    pub(super) fn quicken(&mut self, id: u64, line: &Line) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let mut looks = Vec::new();
        for (pipe, way) in [(&mut conn.up, Way::Up), (&mut conn.down, Way::Down)] {
            pipe.quicken(self.now, line);
            looks.extend(pipe.next().map(|next| (next, look(way, id))));
        }
        for (next, due) in looks {
            self.at(next, due);
        }
    }

    /// A line passes again: what stood still moves on.
    pub(super) fn unpark(&mut self, id: u64) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let mut looks = Vec::new();
        for (pipe, way) in [(&mut conn.up, Way::Up), (&mut conn.down, Way::Down)] {
            if std::mem::take(&mut pipe.parked)
                && let Some(next) = pipe.next()
            {
                looks.push((next, look(way, id)));
            }
        }
        for (next, due) in looks {
            self.at(next, due);
        }
    }

    pub(super) fn arrives_up(&mut self, id: u64) -> Result<(), Broken> {
        if !self.conns.get(&id).is_some_and(|conn| conn.room_open) || self.sleeps(Due::Up(id)) {
            return Ok(());
        }
        let Some(parcel) = self.unship(id, Way::Up) else {
            return Ok(());
        };
        match parcel {
            Parcel::Fin => self.room_end_gone(id, Departure::Lost),
            Parcel::Frame(bytes) => self.room_reads(id, &bytes),
        }
    }

    fn room_reads(&mut self, id: u64, bytes: &[u8]) -> Result<(), Broken> {
        let local = self.machine.clock.read(self.now);
        let Some(conn) = self.conns.get_mut(&id) else {
            return Ok(());
        };
        let Some(host) = self.hosts.get(&conn.life) else {
            return Ok(());
        };
        let most = frame::FROM_MEMBER_BYTES_MAX;
        let read: Result<ToRoom, FrameError> = match conn.form {
            Form::Postcard => frame::from_postcard(bytes, most),
            Form::Json => match std::str::from_utf8(bytes) {
                Ok(text) => frame::from_json(text, most),
                // The library under a real pump closes on this.
                Err(_) => return self.room_closes(id, Closing::Unruly),
            },
        };
        let actions = match read {
            Ok(frame) => {
                let session = match conn.inside {
                    Some(_) => host.mind.clock().at(local),
                    None => SessionTime::ZERO,
                };
                conn.end.frame(local, session, frame)
            }
            // Past the limit a real pump never sees the frame: the library closes.
            Err(FrameError::TooLong(_)) => return self.room_closes(id, Closing::Unruly),
            Err(error) => conn
                .end
                .unreadable(local, error.to_string())
                .into_iter()
                .collect(),
        };
        self.act(id, actions)?;
        self.wake_end(id);
        Ok(())
    }

    fn room_closes(&mut self, id: u64, why: Closing) -> Result<(), Broken> {
        let Some(conn) = self.conns.get_mut(&id) else {
            return Ok(());
        };
        let action = conn.end.close(why);
        self.act(id, vec![action])
    }

    pub(super) fn act(&mut self, id: u64, actions: Vec<Action>) -> Result<(), Broken> {
        for action in actions {
            let Some(conn) = self.conns.get_mut(&id) else {
                return Ok(());
            };
            let (life, inside) = (conn.life, conn.inside);
            let request = match (action, inside) {
                // No party here asks for a passcode.
                (Action::Admit(hello, _), _) => {
                    conn.from = Some(hello.cursor.get().max(1));
                    if hello.session == SESSION {
                        Some(Request::Enter(id, hello))
                    } else {
                        self.refuse_entry(id, Refusal::UnknownSession)?;
                        None
                    }
                }
                (Action::Ask(member, ask), Some((_, connection))) => {
                    Some(Request::Ask(id, member, connection, ask))
                }
                (Action::Note(member, report), Some((_, connection))) => {
                    Some(Request::Note(member, connection, report))
                }
                (Action::Send(frame), _) => {
                    self.send(id, &frame);
                    None
                }
                (Action::Follow(from), _) => {
                    conn.feed = Some(Cursor::at(from));
                    self.feed(id)?;
                    None
                }
                (Action::Close(why), _) => {
                    self.send(id, &ToMember::Closing(why));
                    self.ship(id, Way::Down, Parcel::Fin);
                    self.room_end_gone(id, departure(why))?;
                    None
                }
                (Action::Leave, _) => {
                    self.room_end_gone(id, Departure::Quit)?;
                    None
                }
                // The trace stands beside the log, and beside what is simulated.
                (Action::Trace(..), _) | (Action::Ask(..) | Action::Note(..), None) => None,
                // Answered below what is simulated, by whom is there; and who is there speaks sooner.
                (Action::Probe, _) => None,
            };
            if let Some(request) = request
                && let Some(host) = self.hosts.get_mut(&life)
            {
                host.inbox.push_back(request);
                self.turn(life)?;
            }
        }
        Ok(())
    }

    /// The room's end of a connection is over.
    pub(super) fn room_end_gone(&mut self, id: u64, reason: Departure) -> Result<(), Broken> {
        let Some(conn) = self.conns.get_mut(&id) else {
            return Ok(());
        };
        conn.room_open = false;
        conn.feed = None;
        let (life, inside) = (conn.life, conn.inside.take());
        conn.up.flight.clear();
        self.forget_if_dead(id);
        if let Some((member, connection)) = inside
            && let Some(host) = self.hosts.get_mut(&life)
        {
            let leave = Request::Leave(member, connection, reason);
            host.inbox.push_back(leave);
            self.turn(life)?;
        }
        Ok(())
    }

    /// When the room's end of a connection wants to be looked at next.
    pub(super) fn wake_end(&mut self, id: u64) {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| conn.room_open) else {
            return;
        };
        let silent = conn
            .end
            .deadline()
            .map(|due| self.machine.clock.when(due, self.now));
        let stuck = conn.stuck.map(|since| since + WRITE_WAIT_MAX);
        let Some(when) = silent.into_iter().chain(stuck).min() else {
            return;
        };
        // An earlier look finds out that there is time left, and comes again.
        if conn.wake <= self.now || when < conn.wake {
            conn.wake = when;
            self.at(when, Due::End(id));
        }
    }

    pub(super) fn end_wakes(&mut self, id: u64, when: True) -> Result<(), Broken> {
        let due = self
            .conns
            .get(&id)
            .is_some_and(|conn| conn.room_open && conn.wake == when);
        if !due || self.sleeps(Due::End(id)) {
            return Ok(());
        }
        let local: LocalTime = self.machine.clock.read(self.now);
        let Some(conn) = self.conns.get_mut(&id) else {
            return Ok(());
        };
        conn.wake = 0;
        let stuck = conn
            .stuck
            .is_some_and(|since| self.now >= since + WRITE_WAIT_MAX);
        let action = if stuck {
            Some(conn.end.close(Closing::Slow))
        } else {
            conn.end.tick(local)
        };
        self.act(id, action.into_iter().collect())?;
        self.wake_end(id);
        Ok(())
    }

    /// A connection is dialled; its room's end begins.
    pub(super) fn room_end(&self) -> RoomEnd {
        RoomEnd::new(self.machine.clock.read(self.now))
    }
}

fn look(way: Way, id: u64) -> Due {
    match way {
        Way::Up => Due::Up(id),
        Way::Down => Due::Down(id),
    }
}

/// The proof of having been somebody here.
pub fn token(member: MemberId) -> String {
    format!("member {member} of this session")
}

/// As `net/pump.rs` has it.
fn departure(why: Closing) -> Departure {
    match why {
        Closing::Slow => Departure::Lost,
        Closing::HostLeft | Closing::LogFailed => Departure::Quit,
        Closing::Replaced | Closing::Unruly | Closing::NotAdmitted | Closing::Kicked => {
            Departure::Dropped
        }
    }
}
