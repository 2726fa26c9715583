//! The room: the single owner of a session while it is on air.
//!
//! One task holds the sequencer and the log. It takes what is queued, decides
//! it all, appends it as one commit, waits until that is durable, and only then
//! publishes and answers (law 1). It never awaits a member: answers go into
//! mailboxes that were made for them, events into the feed.
//!
//! What it also keeps, beside the log and never in it: which connection speaks
//! for which member, and what everybody's players last reported.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use crate::broadcast::door::Door;
use crate::broadcast::feed::{Feed, Subscription};
use crate::engine::event::{Body, Departure, Event, Role};
use crate::engine::fold::RoomState;
use crate::engine::frame::{Closing, Hello, VERSION, Welcome};
use crate::engine::id::{MemberId, Seq, SessionId};
use crate::engine::intent::{Ask, Refusal};
use crate::engine::presence::{Presence, Report, Vitals};
use crate::engine::sequencer::{Answer, Entrant, Moment, Sequencer};
use crate::engine::text::{Name, Title};
use crate::engine::trace::{Observation, Trace};
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

#[derive(Debug)]
enum Request {
    Admit {
        hello: Hello,
        replies: mpsc::Sender<Reply>,
        answer: oneshot::Sender<Result<Admission, Refusal>>,
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
    Vitals {
        connection: ConnectionId,
        member: MemberId,
        vitals: Vitals,
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

/// Takes one observation to wherever a trace outlives its host, and waits for nothing.
pub type KeepTrace = Box<dyn FnMut(&Observation) + Send>;

/// Where a room's trace comes from and goes to; nothing and nowhere by default.
#[derive(Default)]
pub struct Tracing {
    /// What was observed of this session before.
    pub earlier: Trace,
    /// What is done with each new observation.
    pub keep: Option<KeepTrace>,
}

impl std::fmt::Debug for Tracing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracing")
            .field("earlier", &self.earlier.len())
            .field("kept", &self.keep.is_some())
            .finish()
    }
}

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
/// Its trace is lost with it; [`open_traced`] keeps it.
///
/// # Errors
/// [`OpenError`] when the session's first events cannot be made durable.
pub async fn open(
    log: Arc<dyn EventLog>,
    door: Door,
    beginning: Beginning,
    mark_alive: MarkAlive,
) -> Result<RoomHandle, OpenError> {
    open_traced(log, door, beginning, mark_alive, Tracing::default()).await
}

/// Opens a room whose trace goes on where an earlier one ended.
///
/// # Errors
/// [`OpenError`] when the session's first events cannot be made durable.
pub async fn open_traced(
    log: Arc<dyn EventLog>,
    door: Door,
    beginning: Beginning,
    mark_alive: MarkAlive,
    traced: Tracing,
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
    let room = Room {
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
        trace: traced.earlier,
        keep_trace: traced.keep,
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
        let (answer, answered) = oneshot::channel();
        self.tell(Request::Admit {
            hello,
            replies,
            answer,
        })
        .await;
        answered.await.unwrap_or(Err(Refusal::UnknownSession))
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

    /// Notes in the trace how a member's player and clock do.
    pub async fn trace_of(&self, connection: ConnectionId, member: MemberId, vitals: Vitals) {
        self.tell(Request::Vitals {
            connection,
            member,
            vitals,
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
        answer: oneshot::Sender<Result<Admission, Refusal>>,
        admission: Admission,
    },
}

struct Room {
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
    keep_trace: Option<KeepTrace>,
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
                _ = presence_tick.tick() => self.send_presence(),
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
                Request::Admit {
                    hello,
                    replies,
                    answer,
                } => match self.admit(&hello, replies, &mut events) {
                    Ok(admission) => due.push(Due::Admission { answer, admission }),
                    // An error means they hung up meanwhile.
                    Err(refusal) => drop(answer.send(Err(refusal))),
                },
                Request::Ask {
                    connection,
                    member,
                    ask,
                } => {
                    if self.speaks_for(connection, member) {
                        due.push(Due::Reply(member, self.ask(member, &ask, &mut events)));
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
                        let seen = self.trace.observe(now.at, member, &report);
                        self.keep(seen);
                        if self.read_only.is_none() {
                            events.extend(self.sequencer.observe(member, &report, now));
                        }
                    }
                }
                Request::Vitals {
                    connection,
                    member,
                    vitals,
                } => {
                    if self.speaks_for(connection, member) {
                        let seen = self.trace.vitals(self.clock.now(), member, &vitals);
                        self.keep(Some(seen));
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
        match self.commit(events).await {
            Ok(()) => self.answer(due),
            Err(reason) => self.go_read_only(due, &reason),
        }
        for member in sent_out {
            self.reply(member, Reply::Close(Closing::Kicked));
        }
        closing
    }

    /// Hands an observation on to where it outlives this room.
    fn keep(&mut self, seen: Option<Observation>) {
        if let (Some(keep), Some(seen)) = (&mut self.keep_trace, seen) {
            keep(&seen);
        }
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

    fn answer(&mut self, due: Vec<Due>) {
        for due in due {
            match due {
                Due::Reply(member, reply) => self.reply(member, reply),
                // An error means they hung up meanwhile; their connection's end says so too.
                Due::Admission { answer, admission } => drop(answer.send(Ok(admission))),
            }
        }
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
                Due::Reply(member, reply) => self.reply(member, reply),
                Due::Admission { answer, admission } => {
                    self.connections.remove(&admission.welcome.member);
                    drop(answer.send(Err(refusal.clone())));
                }
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

    fn admit(
        &mut self,
        hello: &Hello,
        replies: mpsc::Sender<Reply>,
        events: &mut Vec<Event>,
    ) -> Result<Admission, Refusal> {
        if let Some(reason) = &self.read_only {
            return Err(Refusal::ReadOnly {
                reason: reason.clone(),
            });
        }
        let resume = hello
            .resume
            .as_ref()
            .filter(|resume| self.door.proves(resume));
        let role = match self.door.opens(&hello.secret) {
            // The key that hosts belongs to one member: whoever opened the session.
            Some(Role::Host) => Role::Host,
            Some(role) => role,
            None => return Err(Refusal::BadInvite),
        };
        let name = Name::new(&hello.name).map_err(|bad| Refusal::BadText {
            sentence: bad.to_string(),
        })?;
        let member = match role {
            // Whatever they are by now: the party may have another host.
            Role::Host => self.sequencer.state().opener,
            _ => resume
                .map(|resume| resume.member)
                .filter(|id| self.sequencer.state().roster.get(*id).is_some()),
        };
        let entrant = Entrant {
            member,
            name,
            role,
            client: hello.client,
        };
        let (member, joined) = self.sequencer.join(entrant, self.now())?;
        events.extend(joined);
        self.next_connection += 1;
        let connection = ConnectionId(self.next_connection);
        if let Some(old) = self.connections.insert(
            member,
            Connection {
                id: connection,
                replies,
            },
        ) {
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
        Ok(Admission {
            welcome,
            connection,
        })
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
                let seen = self.trace.refused(at, member, counter, &refusal);
                self.keep(Some(seen));
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
