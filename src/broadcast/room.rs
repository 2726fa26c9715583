//! The room: the single owner of a session while it is on air.
//!
//! One task holds the sequencer and the log. It takes what is queued, decides
//! it all, appends it as one commit, waits until that is durable, and only then
//! publishes and answers (law 1). It never awaits a member: answers go into
//! mailboxes that were made for them, events into the feed.
//!
//! What it also keeps, beside the log and never in it: which connection speaks
//! for which member, and what everybody's players last reported.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use crate::broadcast::door::Door;
use crate::broadcast::feed::{Feed, Subscription};
use crate::broadcast::passcode::{self, Guesses};
use crate::engine::event::{Action, Body, Departure, Event, Role};
use crate::engine::fold::RoomState;
use crate::engine::fold::entrance::OWN_LINK;
use crate::engine::frame::{Closing, Hello, Knock, VERSION, Welcome};
use crate::engine::id::{MemberId, Seq, SessionId};
use crate::engine::intent::{Ask, Intent, Refusal};
use crate::engine::presence::{Presence, Report};
use crate::engine::sequencer::{
    Answer, Entrant, KnockAnswer, Moment, Sequencer, Way, authorise, gate,
};
use crate::engine::text::{Name, Passcode, Title};
use crate::engine::trace::Trace;
use crate::engine::unit::{LocalTime, Micros, SessionTime};
use crate::log::{AppendError, EventLog};
use crate::os;

/// Requests that may wait for the room; past it a connection waits its turn.
const QUEUE_MAX: usize = 1_024;
/// Requests decided together and committed as one: what a burst brings, bounded so that the first does not wait long.
const BATCH_MAX: usize = 256;
/// How often what players report goes out, at most: quick enough to see a stall, slow enough to cost nothing.
const PRESENCE_EVERY: Duration = Duration::from_millis(250);
/// How often the alive mark is written (DESIGN §3: at most a second old).
const ALIVE_EVERY: Duration = Duration::from_millis(500);
/// The shortest sleep until time brings something: less than anybody notices.
const DUE_MIN_MICROS: i64 = 1_000;
/// The room may be late by this much; more is a gap: the machine slept or was stopped, and
/// everybody else's film ran on without its host's.
const GAP_MIN: Micros = Micros::from_secs(5);

/// Passcodes tried or sealed at once: each takes a processor some 20 ms and 19 MiB.
const TRYING_MAX: usize = 2;
/// Passcodes that wait to be tried: a full house at the same moment.
const UNTRIED_MAX: usize = 256;
/// How long somebody may wait at the door: longer, and nobody is looking.
const KNOCK_WAIT_MAX: Micros = Micros::from_secs(600);

/// One connection of one member: a member has at most one that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(u64);

/// What became of an intent, for its asker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Durable; the first event, or the latest one when everything was already so.
    Accepted {
        /// Which intent.
        counter: u64,
        /// Its event.
        seq: Seq,
    },
    /// Not done, and why.
    Refused {
        /// Which intent.
        counter: u64,
        /// Why.
        refusal: Refusal,
    },
    /// The secret of a link they asked for.
    Secret {
        /// Which link.
        invite: Seq,
        /// What opens it.
        secret: String,
    },
    /// Who is at the door.
    Knocks(Arc<Vec<Knock>>),
    /// The connection is to end.
    Close(Closing),
}

/// Somebody who was let in.
#[derive(Debug)]
pub struct Admission {
    /// What to tell them.
    pub welcome: Welcome,
    /// By which to speak for them.
    pub connection: ConnectionId,
}

/// How far somebody has come who wants in. The last one is an admission or a refusal.
#[derive(Debug)]
pub enum Entry {
    /// They knocked, and wait for a moderator.
    Waiting,
    /// They are in.
    In(Admission),
    /// They are not.
    Refused(Refusal),
}

/// What is told to somebody who wants in: at most that they wait, and then how it ended.
const ENTRIES_MAX: usize = 2;

/// Somebody who wants in.
#[derive(Debug)]
struct Newcomer {
    hello: Hello,
    passcode: Option<Passcode>,
    /// Whether that was found to be right.
    is_known: bool,
    replies: mpsc::Sender<Reply>,
    answer: mpsc::Sender<Entry>,
}

impl Newcomer {
    fn tell(&self, entry: Entry) {
        // An error means they hung up meanwhile; there is room for all that is ever told.
        let _ = self.answer.try_send(entry);
    }
}

#[derive(Debug)]
enum Request {
    Admit(Box<Newcomer>),
    /// Their passcode was tried.
    Tried {
        newcomer: Box<Newcomer>,
        link: Seq,
        fits: bool,
    },
    /// A new passcode was sealed.
    Sealed {
        connection: ConnectionId,
        member: MemberId,
        ask: Ask,
        sealed: String,
    },
    Ask {
        connection: ConnectionId,
        member: MemberId,
        ask: Ask,
    },
    Note {
        connection: ConnectionId,
        member: MemberId,
        report: Report,
    },
    Leave {
        connection: ConnectionId,
        member: MemberId,
        reason: Departure,
    },
    Trace {
        answer: oneshot::Sender<Trace>,
    },
    Close {
        why: Closing,
        done: oneshot::Sender<()>,
    },
}

/// The session's clock: this machine's, shifted.
#[derive(Clone, Copy, Debug)]
pub struct SessionClock {
    started: LocalTime,
    at_start: SessionTime,
}

impl SessionClock {
    /// A clock that reads `at_start` at the local time `started`.
    pub const fn new(started: LocalTime, at_start: SessionTime) -> Self {
        Self { started, at_start }
    }

    /// The session time at a local time.
    pub fn at(&self, local: LocalTime) -> SessionTime {
        self.at_start + (local - self.started)
    }

    /// The session time now.
    pub fn now(&self) -> SessionTime {
        self.at(os::local_now())
    }
}

/// Where a session was last known to be alive: survives the host's death, is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AliveMark {
    /// The session's clock then.
    pub at: SessionTime,
    /// The wall clock then, in milliseconds since 1970.
    pub wall: u64,
}

/// Writes the alive mark down, quickly and without waiting for a disk.
pub type MarkAlive = Box<dyn FnMut(AliveMark) + Send>;

/// How a session begins on this host.
#[derive(Debug)]
pub enum Beginning {
    /// A new session.
    Open {
        /// Its name.
        session: SessionId,
        /// What people call it.
        title: Title,
    },
    /// One that was on air before; its log folds to this state.
    Resume {
        /// The state at the log's tail.
        state: Box<RoomState>,
        /// When it was last alive, if that is known.
        alive: Option<AliveMark>,
    },
}

/// A room, as connections see it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RoomHandle {
    session: SessionId,
    requests: mpsc::Sender<Request>,
    feed: Arc<Feed>,
    clock: SessionClock,
    presence: watch::Receiver<Arc<Vec<Presence>>>,
    ended: watch::Receiver<Option<Closing>>,
}

/// Why a room did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The first events could not be saved.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// Opens a room on a log and starts its task, which ends when told to close or when the log fails.
///
/// # Errors
/// [`OpenError`] when the session's first events cannot be made durable.
pub async fn open(
    log: Arc<dyn EventLog>,
    door: Door,
    beginning: Beginning,
    mark_alive: MarkAlive,
) -> Result<RoomHandle, OpenError> {
    let (local, wall) = (os::local_now(), os::wall_millis());
    let feed = Feed::new(Arc::clone(&log));
    let (clock, sequencer, events) = match beginning {
        Beginning::Open { session, title } => {
            let clock = SessionClock::new(local, SessionTime::ZERO);
            let (sequencer, events) = Sequencer::open(
                session,
                title,
                Moment {
                    at: SessionTime::ZERO,
                    wall,
                },
            );
            (clock, sequencer, events)
        }
        Beginning::Resume { state, alive } => {
            let alive = alive.unwrap_or(AliveMark { at: state.at, wall });
            // Session time goes on by what the wall clock says has passed; a wall clock set back says nothing has.
            let gap = Micros::from_millis(
                wall.saturating_sub(alive.wall)
                    .try_into()
                    .unwrap_or(i64::MAX),
            );
            let now = alive.at.max(state.at) + gap;
            let (sequencer, events) = Sequencer::resume(*state, alive.at, Moment { at: now, wall });
            (SessionClock::new(local, now), sequencer, events)
        }
    };
    let session = sequencer.state().session.unwrap_or(SessionId::new(0));
    log.append(events.clone()).await?;
    feed.publish(&events);

    let (requests, inbox) = mpsc::channel(QUEUE_MAX);
    let (presence_out, presence) = watch::channel(Arc::default());
    let (ended_out, ended) = watch::channel(None);
    if sequencer.state().entrance.passcode && door.passcode().is_none() {
        tracing::warn!(%session, "the passcode is not on this machine: set it again to let newcomers in");
    }
    let room = Room {
        requests: requests.downgrade(),
        guesses: Guesses::new(local),
        trying: 0,
        untried: VecDeque::new(),
        knocking: BTreeMap::new(),
        knocks_changed: false,
        session,
        sequencer,
        log,
        feed: Arc::clone(&feed),
        door,
        clock,
        mark_alive,
        connections: BTreeMap::new(),
        next_connection: 0,
        reports: BTreeMap::new(),
        reports_changed: false,
        trace: Trace::default(),
        presence: presence_out,
        read_only: None,
        alive_at: local,
    };
    tokio::spawn(room.run(inbox, ended_out));
    Ok(RoomHandle {
        session,
        requests,
        feed,
        clock,
        presence,
        ended,
    })
}

impl RoomHandle {
    /// The session's name.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The session's clock.
    pub fn clock(&self) -> SessionClock {
        self.clock
    }

    /// Lets somebody in, if their secret and name allow it. Answers to what they ask go to `replies`.
    ///
    /// # Errors
    /// The [`Refusal`] to tell them.
    pub async fn admit(
        &self,
        hello: Hello,
        replies: mpsc::Sender<Reply>,
    ) -> Result<Admission, Refusal> {
        let mut entries = self.knock(hello, None, replies).await;
        loop {
            match entries.recv().await {
                Some(Entry::Waiting) => {}
                Some(Entry::In(admission)) => return Ok(admission),
                Some(Entry::Refused(refusal)) => return Err(refusal),
                None => return Err(Refusal::UnknownSession),
            }
        }
    }

    /// Like [`RoomHandle::admit`], for somebody who may have to wait at the door meanwhile. The
    /// last entry says how it ended; none means that the room did.
    pub async fn knock(
        &self,
        hello: Hello,
        passcode: Option<Passcode>,
        replies: mpsc::Sender<Reply>,
    ) -> mpsc::Receiver<Entry> {
        let (answer, entries) = mpsc::channel(ENTRIES_MAX);
        self.tell(Request::Admit(Box::new(Newcomer {
            hello,
            passcode,
            is_known: false,
            replies,
            answer,
        })))
        .await;
        entries
    }

    /// Passes an intent on; the answer comes as a [`Reply`].
    pub async fn ask(&self, connection: ConnectionId, member: MemberId, ask: Ask) {
        self.tell(Request::Ask {
            connection,
            member,
            ask,
        })
        .await;
    }

    /// Passes on what a member's player does.
    pub async fn note(&self, connection: ConnectionId, member: MemberId, report: Report) {
        self.tell(Request::Note {
            connection,
            member,
            report,
        })
        .await;
    }

    /// A member's connection ended.
    pub async fn leave(&self, connection: ConnectionId, member: MemberId, reason: Departure) {
        self.tell(Request::Leave {
            connection,
            member,
            reason,
        })
        .await;
    }

    /// Ends the room: everybody is told why, the alive mark is written, the log is left in order.
    pub async fn close(&self, why: Closing) {
        let (done, finished) = oneshot::channel();
        self.tell(Request::Close { why, done }).await;
        // An error means it was closed already.
        let _ = finished.await;
    }

    /// What the room observed beside its log; empty once it has ended.
    pub async fn trace(&self) -> Trace {
        let (answer, answered) = oneshot::channel();
        self.tell(Request::Trace { answer }).await;
        answered.await.unwrap_or_default()
    }

    /// Follows the room's events from `from` on.
    pub fn subscribe(&self, from: Seq) -> Subscription {
        self.feed.subscribe(from)
    }

    /// What everybody's players do, when it changes.
    pub fn presence(&self) -> watch::Receiver<Arc<Vec<Presence>>> {
        self.presence.clone()
    }

    /// Becomes `Some` when the room ends.
    pub fn ended(&self) -> watch::Receiver<Option<Closing>> {
        self.ended.clone()
    }

    async fn tell(&self, request: Request) {
        // A room that ended answers by dropping what was asked of it.
        let _ = self.requests.send(request).await;
    }
}

/// Who speaks for a member, and where answers go.
struct Connection {
    id: ConnectionId,
    replies: mpsc::Sender<Reply>,
}

/// An answer that must wait until its commit is durable.
enum Due {
    Reply(MemberId, Reply),
    Admission {
        answer: mpsc::Sender<Entry>,
        admission: Admission,
    },
    TurnedAway(Box<Newcomer>),
}

/// Somebody who waits at the door.
struct Knocking {
    newcomer: Box<Newcomer>,
    link: Seq,
    since: LocalTime,
}

/// What becomes of somebody who wants in.
enum Step {
    /// They come in; as whom, if they were here before, and by which link.
    In {
        member: Option<MemberId>,
        role: Role,
        link: Seq,
    },
    /// Their passcode is tried first.
    Try { passcode: Passcode, link: Seq },
    /// They wait for a moderator.
    Knock { link: Seq },
}

struct Room {
    /// For what is worked out beside the room and comes back to it; holds nothing open.
    requests: mpsc::WeakSender<Request>,
    guesses: Guesses,
    /// Passcodes that are being tried or sealed just now.
    trying: usize,
    /// Those whose passcode is tried next.
    untried: VecDeque<(Box<Newcomer>, Passcode, Seq)>,
    /// Who waits at the door, by knock.
    knocking: BTreeMap<u64, Knocking>,
    knocks_changed: bool,
    session: SessionId,
    sequencer: Sequencer,
    log: Arc<dyn EventLog>,
    feed: Arc<Feed>,
    door: Door,
    clock: SessionClock,
    mark_alive: MarkAlive,
    connections: BTreeMap<MemberId, Connection>,
    next_connection: u64,
    reports: BTreeMap<MemberId, Report>,
    reports_changed: bool,
    /// What was observed beside the log.
    trace: Trace,
    presence: watch::Sender<Arc<Vec<Presence>>>,
    /// Why nothing more can be written, once that is so.
    read_only: Option<String>,
    alive_at: LocalTime,
}

impl Room {
    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Request>,
        ended: watch::Sender<Option<Closing>>,
    ) {
        let mut presence_tick = tokio::time::interval(PRESENCE_EVERY);
        let mut alive_tick = tokio::time::interval(ALIVE_EVERY);
        presence_tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        alive_tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            let due = self.until_due();
            tokio::select! {
                count = inbox.recv_many(&mut batch, BATCH_MAX) => {
                    if count == 0 {
                        break; // every handle is gone
                    }
                    if let Some((why, done)) = self.serve(&mut batch).await {
                        self.mark();
                        ended.send_replace(Some(why));
                        // An error means nobody waits for it.
                        let _ = done.send(());
                        return;
                    }
                }
                _ = presence_tick.tick() => {
                    self.send_presence();
                    self.look_at_the_door();
                }
                _ = alive_tick.tick() => {
                    let events = self.notice_gap();
                    self.mark();
                    self.write_down(events).await;
                }
                () = tokio::time::sleep(due), if self.read_only.is_none() => {
                    let events = self.time_passed();
                    self.write_down(events).await;
                }
            }
        }
        self.mark();
        ended.send_replace(Some(Closing::HostLeft));
    }

    /// Decides a batch, makes it durable, publishes it, answers. Returns whoever asked for the end.
    async fn serve(&mut self, batch: &mut Vec<Request>) -> Option<(Closing, oneshot::Sender<()>)> {
        let (mut events, mut due, mut closing) = (self.time_passed(), Vec::new(), None);
        for request in batch.drain(..) {
            match request {
                Request::Admit(newcomer) => self.enter(newcomer, &mut events, &mut due),
                Request::Tried {
                    newcomer,
                    link,
                    fits,
                } => {
                    self.tried(newcomer, link, fits, &mut events, &mut due);
                }
                Request::Sealed {
                    connection,
                    member,
                    ask,
                    sealed,
                } => {
                    self.trying -= 1;
                    if self.speaks_for(connection, member) {
                        self.set_passcode(member, &ask, Some(sealed), &mut events, &mut due);
                    }
                }
                Request::Ask {
                    connection,
                    member,
                    ask,
                } => {
                    if self.speaks_for(connection, member) {
                        self.take(connection, member, ask, &mut events, &mut due);
                    }
                }
                Request::Note {
                    connection,
                    member,
                    report,
                } => {
                    if self.speaks_for(connection, member) {
                        self.reports.insert(member, report);
                        self.reports_changed = true;
                        let now = self.now();
                        self.trace.observe(now.at, member, &report);
                        if self.read_only.is_none() {
                            events.extend(self.sequencer.observe(member, &report, now));
                        }
                    }
                }
                Request::Leave {
                    connection,
                    member,
                    reason,
                } => {
                    if self.speaks_for(connection, member) {
                        self.goes(member, reason, &mut events);
                    }
                }
                Request::Trace { answer } => {
                    // An error means they hung up meanwhile.
                    let _ = answer.send(self.trace.clone());
                }
                Request::Close { why, done } => {
                    self.everybody_goes(&mut events);
                    closing = Some((why, done));
                }
            }
        }
        let sent_out = sent_out(&events);
        // Who may look after the door may have changed with any of these.
        self.knocks_changed |= !events.is_empty() && !self.knocking.is_empty();
        match self.commit(events).await {
            Ok(()) => {
                let mut left = Vec::new();
                for member in self.answer(due) {
                    self.goes(member, Departure::Lost, &mut left);
                }
                self.write_down(left).await;
            }
            Err(reason) => self.go_read_only(due, &reason),
        }
        for member in sent_out {
            self.reply(member, Reply::Close(Closing::Kicked));
        }
        self.send_knocks();
        closing
    }

    /// What time alone brings: a machine that stood still, a wait that expired, a grant that ended.
    fn time_passed(&mut self) -> Vec<Event> {
        if self.read_only.is_some() {
            return Vec::new();
        }
        let mut events = self.notice_gap();
        events.extend(self.sequencer.tick(self.now()));
        events
    }

    /// Finds out whether this machine slept or was stopped since the last look.
    fn notice_gap(&mut self) -> Vec<Event> {
        let alive = self.alive_at;
        let local = os::local_now();
        let late = local - alive;
        if late <= GAP_MIN {
            return Vec::new();
        }
        tracing::warn!(
            late_micros = late.get(),
            "this machine stood still for a while"
        );
        self.alive_at = local;
        self.sequencer.gap(self.clock.at(alive), self.now())
    }

    /// How long until time brings something; a while, when it does not.
    fn until_due(&mut self) -> Duration {
        let due = self.sequencer.deadline();
        let wait = due.map_or(Micros::from_secs(3_600), |due| due - self.clock.now());
        // Never zero: what is due and stays due must not keep a processor busy.
        Duration::from_micros(wait.get().max(DUE_MIN_MICROS).unsigned_abs())
    }

    /// Commits what time brought.
    async fn write_down(&mut self, events: Vec<Event>) {
        if let Err(reason) = self.commit(events).await {
            self.go_read_only(Vec::new(), &reason);
        }
    }

    /// Law 1: append, then publish.
    async fn commit(&mut self, events: Vec<Event>) -> Result<(), String> {
        if events.is_empty() {
            return Ok(());
        }
        if let Some(reason) = &self.read_only {
            return Err(reason.clone());
        }
        self.log
            .append(events.clone())
            .await
            .map_err(|error| error.to_string())?;
        self.feed.publish(&events);
        // The time a disk took is no gap: the room was awake all along.
        self.alive_at = os::local_now();
        Ok(())
    }

    /// Answers everybody; returns who was let in and had hung up meanwhile.
    fn answer(&mut self, due: Vec<Due>) -> Vec<MemberId> {
        let mut gone = Vec::new();
        for due in due {
            match due {
                Due::Reply(member, reply) => self.reply(member, reply),
                Due::Admission { answer, admission } => {
                    let member = admission.welcome.member;
                    if answer.try_send(Entry::In(admission)).is_err() {
                        gone.push(member);
                    }
                }
                Due::TurnedAway(newcomer) => newcomer.tell(Entry::Refused(Refusal::TurnedAway)),
            }
        }
        gone
    }

    /// The log took nothing: what was decided did not happen, and nothing more will.
    fn go_read_only(&mut self, due: Vec<Due>, reason: &str) {
        if self.read_only.is_none() {
            tracing::error!(session = %self.session, reason, "the log takes nothing more; the room is read-only");
            self.read_only = Some(reason.to_owned());
        }
        let refusal = Refusal::ReadOnly {
            reason: reason.to_owned(),
        };
        for due in due {
            match due {
                Due::Reply(member, Reply::Accepted { counter, .. }) => {
                    self.reply(
                        member,
                        Reply::Refused {
                            counter,
                            refusal: refusal.clone(),
                        },
                    );
                }
                // A link that was never made has no secret.
                Due::Reply(_, Reply::Secret { .. }) => {}
                Due::Reply(member, reply) => self.reply(member, reply),
                Due::Admission { answer, admission } => {
                    self.connections.remove(&admission.welcome.member);
                    drop(answer.try_send(Entry::Refused(refusal.clone())));
                }
                Due::TurnedAway(newcomer) => newcomer.tell(Entry::Refused(refusal.clone())),
            }
        }
    }

    fn reply(&mut self, member: MemberId, reply: Reply) {
        let Some(connection) = self.connections.get(&member) else {
            return;
        };
        // Full means they ask faster than they read: their connection is closed by its own limits,
        // and the same counter asked again gets the same answer.
        if connection.replies.try_send(reply).is_err() {
            tracing::debug!(%member, "an answer found no reader");
        }
    }

    fn speaks_for(&self, connection: ConnectionId, member: MemberId) -> bool {
        self.connections
            .get(&member)
            .is_some_and(|current| current.id == connection)
    }

    fn now(&self) -> Moment {
        Moment {
            at: self.clock.now(),
            wall: os::wall_millis(),
        }
    }

    /// Somebody wants in: they come in, are refused, or are sent on to a next step.
    fn enter(&mut self, newcomer: Box<Newcomer>, events: &mut Vec<Event>, due: &mut Vec<Due>) {
        match self.next_step(&newcomer) {
            Ok(Step::In { member, role, link }) => {
                self.let_in(newcomer, member, role, link, None, events, due);
            }
            Ok(Step::Try { passcode, link }) => {
                if self.untried.len() >= UNTRIED_MAX {
                    newcomer.tell(Entry::Refused(Refusal::TooFast));
                    return;
                }
                self.untried.push_back((newcomer, passcode, link));
                self.try_next();
            }
            Ok(Step::Knock { link }) => self.wait_at_the_door(newcomer, link),
            Err(refusal) => newcomer.tell(Entry::Refused(refusal)),
        }
    }

    /// What somebody who wants in has to do next.
    fn next_step(&self, newcomer: &Newcomer) -> Result<Step, Refusal> {
        if let Some(reason) = &self.read_only {
            return Err(Refusal::ReadOnly {
                reason: reason.clone(),
            });
        }
        let (hello, state) = (&newcomer.hello, self.sequencer.state());
        let links = state.entrance.invites.keys().copied();
        let way = self.door.opens(&hello.secret, links);
        let name = name_of(hello)?;
        if way == Some(Way::Key) {
            // The key belongs to one member: whoever opened the session, whatever they are by now.
            return Ok(Step::In {
                member: state.opener,
                role: Role::Host,
                link: OWN_LINK,
            });
        }
        let back = hello
            .resume
            .as_ref()
            .filter(|resume| self.door.proves(resume))
            .filter(|resume| state.roster.get(resume.member).is_some());
        if let Some(resume) = back {
            // Whoever was let in before needs no link for it: a link that is revoked, used up or
            // over turns newcomers away, and nobody who is at home.
            return Ok(Step::In {
                member: Some(resume.member),
                role: Role::Viewer,
                link: OWN_LINK,
            });
        }
        let Some(Way::Link(link)) = way else {
            return Err(Refusal::BadInvite);
        };
        let gate = gate(state, Way::Link(link), self.clock.now())?;
        if self.sequencer.is_shut_out(&name) {
            return Err(Refusal::Banned);
        }
        if gate.passcode && !newcomer.is_known {
            let passcode = newcomer.passcode.clone().ok_or(Refusal::PasscodeNeeded)?;
            return Ok(Step::Try { passcode, link });
        }
        if gate.knock {
            return Ok(Step::Knock { link });
        }
        Ok(Step::In {
            member: None,
            role: gate.role,
            link,
        })
    }

    /// Tries waiting passcodes beside the room, a few at a time: each costs a processor some 20 ms.
    fn try_next(&mut self) {
        while self.trying < TRYING_MAX
            && let Some((newcomer, passcode, link)) = self.untried.pop_front()
        {
            if let Some(wait) = self.guesses.wait(link, os::local_now()) {
                newcomer.tell(Entry::Refused(Refusal::PasscodeWait { wait }));
                continue;
            }
            let (sealed, back) = (self.door.passcode(), self.requests.clone());
            self.trying += 1;
            tokio::task::spawn_blocking(move || {
                let fits = sealed.is_some_and(|sealed| passcode::fits(&sealed, &passcode));
                let request = Request::Tried {
                    newcomer,
                    link,
                    fits,
                };
                // Nobody to come back to: the room is gone, and so is the door.
                if let Some(back) = back.upgrade() {
                    let _ = back.blocking_send(request);
                }
            });
        }
    }

    fn tried(
        &mut self,
        mut newcomer: Box<Newcomer>,
        link: Seq,
        fits: bool,
        events: &mut Vec<Event>,
        due: &mut Vec<Due>,
    ) {
        self.trying -= 1;
        if fits {
            newcomer.is_known = true;
            self.enter(newcomer, events, due);
        } else {
            self.guesses.wrong(link, os::local_now());
            tracing::info!(session = %self.session, %link, "a wrong passcode was tried");
            newcomer.tell(Entry::Refused(Refusal::PasscodeWrong));
        }
        self.try_next();
    }

    fn wait_at_the_door(&mut self, newcomer: Box<Newcomer>, link: Seq) {
        let knock = name_of(&newcomer.hello).and_then(|name| self.sequencer.knock(name));
        match knock {
            Ok(knock) => {
                newcomer.tell(Entry::Waiting);
                self.knocks_changed = true;
                let since = os::local_now();
                let knocking = Knocking {
                    newcomer,
                    link,
                    since,
                };
                self.knocking.insert(knock, knocking);
            }
            Err(refusal) => newcomer.tell(Entry::Refused(refusal)),
        }
    }

    /// Moderators answered: in, or away.
    fn answer_knocks(&mut self, events: &mut Vec<Event>, due: &mut Vec<Due>) {
        for KnockAnswer { knock, let_in, seq } in self.sequencer.knocks_answered() {
            self.knocks_changed = true;
            let Some(Knocking { newcomer, link, .. }) = self.knocking.remove(&knock) else {
                continue;
            };
            if !let_in {
                due.push(Due::TurnedAway(newcomer));
                continue;
            }
            // The link may have been revoked or used up while they waited.
            match gate(self.sequencer.state(), Way::Link(link), self.clock.now()) {
                Ok(gate) => {
                    self.let_in(newcomer, None, gate.role, link, Some(seq), events, due);
                }
                Err(refusal) => newcomer.tell(Entry::Refused(refusal)),
            }
        }
    }

    /// Forgets those at the door who went, or waited in vain.
    fn look_at_the_door(&mut self) {
        let now = os::local_now();
        let (sequencer, changed) = (&mut self.sequencer, &mut self.knocks_changed);
        self.knocking.retain(|knock, waiting| {
            let is_over = now - waiting.since > KNOCK_WAIT_MAX;
            if is_over {
                waiting.newcomer.tell(Entry::Refused(Refusal::TurnedAway));
            }
            let stays = !is_over && !waiting.newcomer.answer.is_closed();
            if !stays {
                sequencer.unknock(*knock);
                *changed = true;
            }
            stays
        });
        self.send_knocks();
    }

    /// Tells moderators who is at the door, when that changed.
    fn send_knocks(&mut self) {
        if !std::mem::take(&mut self.knocks_changed) {
            return;
        }
        let all = self.knocking.iter().filter_map(|(knock, waiting)| {
            Some(Knock {
                knock: *knock,
                name: name_of(&waiting.newcomer.hello).ok()?,
                client: waiting.newcomer.hello.client,
                invite: waiting.link,
            })
        });
        let all = Arc::new(all.collect::<Vec<_>>());
        let state = self.sequencer.state();
        for (member, line) in &self.connections {
            if state.may(*member, Action::Moderate) {
                // A full mailbox is a moderator who does not read; the next change tells them all.
                let _ = line.replies.try_send(Reply::Knocks(Arc::clone(&all)));
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "who, as what, by which way, let in by whom: and two places to put what follows"
    )]
    fn let_in(
        &mut self,
        newcomer: Box<Newcomer>,
        member: Option<MemberId>,
        role: Role,
        link: Seq,
        cause: Option<Seq>,
        events: &mut Vec<Event>,
        due: &mut Vec<Due>,
    ) {
        let now = self.now();
        let joined = name_of(&newcomer.hello).and_then(|name| {
            let client = newcomer.hello.client;
            let entrant = Entrant {
                member,
                name,
                role,
                client,
            };
            self.sequencer.join_by(entrant, link, cause, now)
        });
        let (member, joined) = match joined {
            Ok(joined) => joined,
            Err(refusal) => return newcomer.tell(Entry::Refused(refusal)),
        };
        events.extend(joined);
        self.next_connection += 1;
        let connection = ConnectionId(self.next_connection);
        let line = Connection {
            id: connection,
            replies: newcomer.replies,
        };
        if let Some(old) = self.connections.insert(member, line) {
            // The old line hangs or was left open elsewhere; a full mailbox means it is dead anyway.
            let _ = old.replies.try_send(Reply::Close(Closing::Replaced));
        }
        let welcome = Welcome {
            version: VERSION,
            session: self.session,
            member,
            token: self.door.token(member),
            tail: self.sequencer.state().tail(),
        };
        let admission = Admission {
            welcome,
            connection,
        };
        due.push(Due::Admission {
            answer: newcomer.answer,
            admission,
        });
    }

    /// An intent, and what belongs to it beside its events: secrets, the passcode, the door.
    fn take(
        &mut self,
        connection: ConnectionId,
        member: MemberId,
        ask: Ask,
        events: &mut Vec<Event>,
        due: &mut Vec<Due>,
    ) {
        if let Intent::SetPasscode { passcode } = &ask.intent
            && authorise(self.sequencer.state(), member, &ask.intent).is_ok()
            && self.read_only.is_none()
        {
            match passcode.clone().filter(Passcode::is_long_enough) {
                Some(passcode) => self.seal(connection, member, ask, passcode, due),
                // Too short is refused in its place like any other intent.
                None if passcode.is_some() => {
                    let reply = self.ask(member, &ask, events);
                    due.push(Due::Reply(member, reply));
                }
                None => self.set_passcode(member, &ask, None, events, due),
            }
            return;
        }
        let reply = self.ask(member, &ask, events);
        let secret = self.secret_asked_for(member, &ask.intent, &reply);
        due.push(Due::Reply(member, reply));
        if let Some(invite) = secret {
            let secret = self.door.secret(Way::Link(invite));
            due.push(Due::Reply(member, Reply::Secret { invite, secret }));
        }
        self.answer_knocks(events, due);
    }

    /// The link whose secret an accepted intent asked for.
    ///
    /// Judged anew: an intent that was answered before is answered again without being judged, and
    /// must not open what its asker may not have.
    fn secret_asked_for(&self, member: MemberId, intent: &Intent, reply: &Reply) -> Option<Seq> {
        let invite = match (intent, reply) {
            (Intent::Invite { .. }, Reply::Accepted { seq, .. }) => *seq,
            (Intent::ShowInvite { invite }, Reply::Accepted { .. }) => *invite,
            _ => return None,
        };
        let state = self.sequencer.state();
        let is_there = invite == OWN_LINK || state.entrance.invites.contains_key(&invite);
        let may = authorise(state, member, &Intent::ShowInvite { invite }).is_ok();
        (is_there && may).then_some(invite)
    }

    /// Hashes a new passcode beside the room; it comes back as [`Request::Sealed`].
    fn seal(
        &mut self,
        connection: ConnectionId,
        member: MemberId,
        ask: Ask,
        passcode: Passcode,
        due: &mut Vec<Due>,
    ) {
        if self.trying >= TRYING_MAX {
            let (counter, refusal) = (ask.counter, Refusal::TooFast);
            due.push(Due::Reply(member, Reply::Refused { counter, refusal }));
            return;
        }
        self.trying += 1;
        let back = self.requests.clone();
        tokio::task::spawn_blocking(move || {
            let sealed = passcode::seal(&passcode);
            let request = Request::Sealed {
                connection,
                member,
                ask,
                sealed,
            };
            if let Some(back) = back.upgrade() {
                let _ = back.blocking_send(request);
            }
        });
    }

    /// Keeps the passcode, then has it told: a party that says it asks for one must know it.
    fn set_passcode(
        &mut self,
        member: MemberId,
        ask: &Ask,
        sealed: Option<String>,
        events: &mut Vec<Event>,
        due: &mut Vec<Due>,
    ) {
        // They may have lost the grant while it was hashed.
        let allowed = authorise(self.sequencer.state(), member, &ask.intent).is_ok();
        if allowed && let Err(error) = self.door.keep_passcode(sealed) {
            let (counter, reason) = (ask.counter, error.to_string());
            let refusal = Refusal::ReadOnly { reason };
            due.push(Due::Reply(member, Reply::Refused { counter, refusal }));
            return;
        }
        let reply = self.ask(member, ask, events);
        due.push(Due::Reply(member, reply));
        self.try_next();
    }

    fn ask(&mut self, member: MemberId, ask: &Ask, events: &mut Vec<Event>) -> Reply {
        let counter = ask.counter;
        if let Some(reason) = &self.read_only {
            return Reply::Refused {
                counter,
                refusal: Refusal::ReadOnly {
                    reason: reason.clone(),
                },
            };
        }
        let outcome = self
            .sequencer
            .ask(member, ask, self.now(), self.worst_round_trip());
        events.extend(outcome.events);
        match outcome.answer {
            Answer::Accepted(seq) => Reply::Accepted { counter, seq },
            Answer::Refused(refusal) => {
                tracing::debug!(%member, counter, %refusal, "refused");
                let at = self.clock.now();
                self.trace.refused(at, member, counter, &refusal);
                Reply::Refused { counter, refusal }
            }
        }
    }

    fn goes(&mut self, member: MemberId, reason: Departure, events: &mut Vec<Event>) {
        self.connections.remove(&member);
        self.reports_changed |= self.reports.remove(&member).is_some();
        if self.read_only.is_none() {
            events.extend(self.sequencer.leave(member, reason, self.now()));
        }
    }

    /// The party closes: the log says who was there until the end.
    fn everybody_goes(&mut self, events: &mut Vec<Event>) {
        let here: Vec<_> = self
            .sequencer
            .state()
            .roster
            .present()
            .map(|(id, member)| (id, member.role))
            .collect();
        for (member, role) in here {
            let reason = if role == Role::Host {
                Departure::Quit
            } else {
                Departure::Ended
            };
            self.goes(member, reason, events);
        }
    }

    /// The slowest of those who have a player and are here.
    fn worst_round_trip(&self) -> Micros {
        self.reports
            .values()
            .filter(|report| report.activity.is_some())
            .filter_map(|report| report.round_trip)
            .max()
            .unwrap_or(Micros::ZERO)
    }

    fn send_presence(&mut self) {
        if !std::mem::take(&mut self.reports_changed) {
            return;
        }
        let all = self
            .reports
            .iter()
            .map(|(member, report)| Presence {
                member: *member,
                report: *report,
            })
            .collect();
        self.presence.send_replace(Arc::new(all));
    }

    fn mark(&mut self) {
        let local = os::local_now();
        self.alive_at = local;
        if self.read_only.is_none() {
            (self.mark_alive)(AliveMark {
                at: self.clock.at(local),
                wall: os::wall_millis(),
            });
        }
    }
}

fn name_of(hello: &Hello) -> Result<Name, Refusal> {
    Name::new(&hello.name).map_err(|bad| Refusal::BadText {
        sentence: bad.to_string(),
    })
}

/// Whom these events send out of the room.
fn sent_out(events: &[Event]) -> Vec<MemberId> {
    let gone = events.iter().filter_map(|event| match event.body {
        Body::Kicked { member }
        | Body::Banned {
            member,
            banned: true,
        } => Some(member),
        _ => None,
    });
    gone.collect()
}
