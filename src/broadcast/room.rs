//! The room: the single owner of a session while it is on air.
//!
//! One task holds the room's mind ([`crate::engine::room`]) and the log. It takes
//! what is queued, lets it be decided as one turn, and does what follows: append
//! as one commit, wait until that is durable, then publish and answer (law 1). It never awaits a member: answers go into
//! mailboxes that were made for them, events into the feed.
//!
//! What it adds to the mind: the runtime, the door's secrets, and where each
//! connection's answers go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use crate::broadcast::door::Door;
use crate::broadcast::feed::{Bulletin, Feed, Subscription};
use crate::engine::event::{Departure, Role};
use crate::engine::frame::{Closing, Hello, VERSION, Welcome};
use crate::engine::id::{MemberId, Seq, SessionId};
use crate::engine::intent::{Ask, Refusal};
use crate::engine::presence::{Report, Vitals};
use crate::engine::room::{self, Deed, Now};
use crate::engine::sequencer::Entrant;
use crate::engine::text::Name;
use crate::engine::trace::{Observation, Trace};
use crate::engine::unit::Micros;
use crate::log::{AppendError, EventLog};
use crate::os;

pub use crate::engine::room::{AliveMark, Beginning, ConnectionId, Reply, SessionClock};

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

/// Writes the alive mark down, quickly and without waiting for a disk.
pub type MarkAlive = Box<dyn FnMut(AliveMark) + Send>;

/// Takes one observation to wherever a trace outlives its host, and waits for nothing.
pub type KeepTrace = Box<dyn FnMut(Observation) + Send>;

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

/// A room, as connections see it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RoomHandle {
    session: SessionId,
    requests: mpsc::Sender<Request>,
    feed: Arc<Feed>,
    clock: SessionClock,
    presence: watch::Receiver<Arc<Bulletin>>,
    ended: watch::Receiver<Option<Closing>>,
    /// Where else the party is, for those inside to be told.
    place: Arc<watch::Sender<Option<Arc<str>>>>,
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
    let feed = Feed::new(Arc::clone(&log));
    let mut mind = room::Room::begin(beginning, now()).with_trace(traced.earlier);
    let (session, clock) = (mind.session(), mind.clock());
    for deed in mind.turn() {
        let Deed::Append(events) = deed else { continue };
        log.append(events).await?;
        for deed in mind.saved(Ok(()), now()) {
            if let Deed::Publish(events) = deed {
                feed.publish(events);
            }
        }
    }

    let (requests, inbox) = mpsc::channel(QUEUE_MAX);
    let (presence_out, presence) = watch::channel(Arc::default());
    let (ended_out, ended) = watch::channel(None);
    let room = Room {
        session,
        mind,
        log,
        feed: Arc::clone(&feed),
        door,
        clock,
        mark_alive,
        keep_trace: traced.keep,
        mailboxes: BTreeMap::new(),
        presence: presence_out,
    };
    tokio::spawn(room.run(inbox, ended_out));
    Ok(RoomHandle {
        session,
        requests,
        feed,
        clock,
        presence,
        ended,
        place: Arc::new(watch::Sender::new(None)),
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

    /// Whether the room is over, so that whatever is asked of it comes to nothing.
    pub fn has_ended(&self) -> bool {
        self.requests.is_closed()
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
    pub fn presence(&self) -> watch::Receiver<Arc<Bulletin>> {
        self.presence.clone()
    }

    /// Tells everybody inside, and whoever comes in later, where else the party can be reached:
    /// a scheme, a host, perhaps a port. The latest word counts.
    pub fn move_to(&self, place: &str) {
        self.place.send_if_modified(|known| {
            let news = known.as_deref() != Some(place);
            if news {
                *known = Some(place.into());
            }
            news
        });
    }

    /// Where else the party can be reached; a word from before counts as news.
    pub fn place(&self) -> watch::Receiver<Option<Arc<str>>> {
        let mut place = self.place.subscribe();
        if place.borrow().is_some() {
            place.mark_changed();
        }
        place
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

/// Both clocks of this machine.
fn now() -> Now {
    Now {
        local: os::local_now(),
        wall: os::wall_millis(),
    }
}

/// Those who wait to hear whether they are in.
type AtTheDoor = BTreeMap<ConnectionId, (oneshot::Sender<Result<Admission, Refusal>>, Admission)>;

struct Room {
    session: SessionId,
    /// Decides; everything else here only does what it says.
    mind: room::Room,
    log: Arc<dyn EventLog>,
    feed: Arc<Feed>,
    door: Door,
    clock: SessionClock,
    mark_alive: MarkAlive,
    keep_trace: Option<KeepTrace>,
    /// Where each connection's answers go, until it leaves or is replaced.
    mailboxes: BTreeMap<ConnectionId, mpsc::Sender<Reply>>,
    presence: watch::Sender<Arc<Bulletin>>,
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
                    self.mind.notice_gap(now());
                    self.mark();
                    self.act(AtTheDoor::new()).await;
                }
                () = tokio::time::sleep(due), if self.mind.read_only().is_none() => {
                    self.mind.tick(now());
                    self.act(AtTheDoor::new()).await;
                }
            }
        }
        self.mark();
        ended.send_replace(Some(Closing::HostLeft));
    }

    /// Decides a batch as one turn and does what follows. Returns whoever asked for the end.
    async fn serve(&mut self, batch: &mut Vec<Request>) -> Option<(Closing, oneshot::Sender<()>)> {
        let (mut at_the_door, mut closing) = (AtTheDoor::new(), None);
        self.mind.tick(now());
        for request in batch.drain(..) {
            match request {
                Request::Admit {
                    hello,
                    replies,
                    answer,
                } => match self.admit(&hello) {
                    Ok(admission) => {
                        let connection = admission.connection;
                        self.mailboxes.insert(connection, replies);
                        at_the_door.insert(connection, (answer, admission));
                    }
                    // An error means they hung up meanwhile.
                    Err(refusal) => drop(answer.send(Err(refusal))),
                },
                Request::Ask {
                    connection,
                    member,
                    ask,
                } => self.mind.ask(connection, member, &ask, now()),
                Request::Note {
                    connection,
                    member,
                    report,
                } => self.mind.note(connection, member, report, now()),
                Request::Vitals {
                    connection,
                    member,
                    vitals,
                } => self.mind.vitals(connection, member, &vitals, now()),
                Request::Leave {
                    connection,
                    member,
                    reason,
                } => {
                    self.mailboxes.remove(&connection);
                    self.mind.leave(connection, member, reason, now());
                }
                Request::Trace { answer } => {
                    // An error means they hung up meanwhile.
                    let _ = answer.send(self.mind.trace().clone());
                }
                Request::Close { why, done } => {
                    self.mind.close(now());
                    closing = Some((why, done));
                }
            }
        }
        for seen in self.mind.observed() {
            if let Some(keep) = &mut self.keep_trace {
                keep(seen);
            }
        }
        self.act(at_the_door).await;
        closing
    }

    /// Ends the turn and does the deeds that follow, each in its place.
    async fn act(&mut self, mut at_the_door: AtTheDoor) {
        for deed in self.mind.turn() {
            if let Deed::Append(events) = deed {
                let saved = self.log.append(events).await;
                let saved = saved.map_err(|error| error.to_string());
                if let (Err(reason), None) = (&saved, self.mind.read_only()) {
                    tracing::error!(session = %self.session, reason, "the log takes nothing more; the room is read-only");
                }
                for deed in self.mind.saved(saved, now()) {
                    self.perform(deed, &mut at_the_door);
                }
            } else {
                self.perform(deed, &mut at_the_door);
            }
        }
    }

    fn perform(&mut self, deed: Deed, at_the_door: &mut AtTheDoor) {
        match deed {
            Deed::Append(_) => unreachable!("a commit is followed by no other"),
            Deed::Publish(events) => self.feed.publish(events),
            Deed::Admit(connection) => {
                if let Some((answer, admission)) = at_the_door.remove(&connection) {
                    // An error means they hung up meanwhile; their connection's end says so too.
                    drop(answer.send(Ok(admission)));
                }
            }
            Deed::TurnAway(connection, refusal) => {
                self.mailboxes.remove(&connection);
                if let Some((answer, _)) = at_the_door.remove(&connection) {
                    drop(answer.send(Err(refusal)));
                }
            }
            Deed::Reply(connection, reply) => self.reply(connection, reply),
        }
    }

    fn reply(&mut self, connection: ConnectionId, reply: Reply) {
        if let Reply::Refused { counter, refusal } = &reply {
            tracing::debug!(?connection, counter, %refusal, "refused");
        }
        let Some(replies) = self.mailboxes.get(&connection) else {
            return;
        };
        // Full means they ask faster than they read: their connection is closed by its own limits,
        // and the same counter asked again gets the same answer.
        if replies.try_send(reply).is_err() {
            tracing::debug!(?connection, "an answer found no reader");
        }
    }

    /// How long until time brings something; a while, when it does not.
    fn until_due(&mut self) -> Duration {
        let due = self.mind.deadline();
        let now = self.clock.at(os::local_now());
        let wait = due.map_or(Micros::from_secs(3_600), |due| due - now);
        // Never zero: what is due and stays due must not keep a processor busy.
        Duration::from_micros(wait.get().max(DUE_MIN_MICROS).unsigned_abs())
    }

    fn admit(&mut self, hello: &Hello) -> Result<Admission, Refusal> {
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
            Role::Host => self.mind.state().opener,
            _ => resume
                .map(|resume| resume.member)
                .filter(|id| self.mind.state().roster.get(*id).is_some()),
        };
        let entrant = Entrant {
            member,
            name,
            role,
            client: hello.client,
        };
        let (member, connection) = self.mind.enter(entrant, now())?;
        let welcome = Welcome {
            version: VERSION,
            session: self.session,
            member,
            token: self.door.token(member),
            tail: self.mind.state().tail(),
        };
        Ok(Admission {
            welcome,
            connection,
        })
    }

    fn send_presence(&mut self) {
        if let Some(told) = self.mind.presence(now()) {
            self.presence.send_replace(Arc::new(Bulletin::new(told)));
        }
    }

    fn mark(&mut self) {
        if let Some(mark) = self.mind.mark(now()) {
            (self.mark_alive)(mark);
        }
    }
}
