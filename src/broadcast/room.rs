//! The room: the single owner of a session while it is on air.
//!
//! One task holds the room's mind ([`crate::engine::room`]) and the log. It takes
//! what is queued, lets it be decided as one turn, and does what follows: append
//! as one commit, wait until that is durable, then publish and answer (law 1). It never awaits a member: answers go into
//! mailboxes that were made for them, events into the feed.
//!
//! What it adds to the mind: the runtime, the door's secrets, and where each
//! connection's answers go.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use crate::broadcast::door::Door;
use crate::broadcast::feed::{Bulletin, Feed, Subscription};
use crate::broadcast::passcode::{self, Guesses};
use crate::broadcast::visits::Visits;
use crate::engine::event::{Departure, Role};
use crate::engine::fold::entrance::OWN_LINK;
use crate::engine::frame::{Closing, Hello, Knock, VERSION, Welcome};
use crate::engine::id::{MemberId, Seq, SessionId};
use crate::engine::intent::{Ask, Intent, Refusal};
use crate::engine::presence::{Report, Vitals};
use crate::engine::room::{self, Deed, Now};
use crate::engine::sequencer::{Entrant, KnockAnswer, Way, authorise, gate};
use crate::engine::text::{Name, Passcode};
use crate::engine::trace::{Observation, Trace};
use crate::engine::unit::{LocalTime, Micros};
use crate::log::{AppendError, EventLog};
use crate::os;

pub use crate::engine::room::{AliveMark, Beginning, ConnectionId, Reply, SessionClock};

/// Requests that may wait for the room; past it a connection waits its turn.
const QUEUE_MAX: usize = 1_024;
/// Requests decided together and committed as one: what a burst brings, bounded so that the first does not wait long.
const BATCH_MAX: usize = 256;
/// How often what players report goes out, at most: quick enough to see a stall, slow enough to cost nothing.
const PRESENCE_EVERY: Duration = Duration::from_millis(250);
/// How often the alive mark is written: after a crash it is at most a second old, disk and timer included.
const ALIVE_EVERY: Duration = Duration::from_millis(500);
/// The shortest sleep until time brings something: less than anybody notices.
const DUE_MIN_MICROS: i64 = 1_000;
/// Passcodes tried or sealed at once: each takes a processor some 20 ms and 19 MiB.
const TRYING_MAX: usize = 2;
/// Passcodes that wait to be tried: a full house at the same moment.
const UNTRIED_MAX: usize = 256;
/// How long somebody may wait at the door: longer, and nobody is looking.
const KNOCK_WAIT_MAX: Micros = Micros::from_secs(600);

/// Where the answers to a member go; when the room lets go of it, the connection is over. In boxes,
/// because a channel sets places aside for thirty-two of what it carries, and a connection mostly
/// waits for none.
pub type Replies = mpsc::Sender<Box<Reply>>;

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

/// Where somebody who wants in hears of it; in boxes as [`Replies`] are, because a thousand may
/// stand before the door at once.
type Answer = mpsc::Sender<Box<Entry>>;

/// What is told to somebody who wants in: at most that they wait, and then how it ended.
const ENTRIES_MAX: usize = 2;

/// Somebody who wants in.
#[derive(Debug)]
struct Newcomer {
    hello: Hello,
    passcode: Option<Passcode>,
    /// Whether that was found to be right.
    is_known: bool,
    replies: Replies,
    answer: Answer,
}

impl Newcomer {
    fn tell(&self, entry: Entry) {
        // An error means they hung up meanwhile; there is room for all that is ever told.
        let _ = self.answer.try_send(Box::new(entry));
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

/// Opens a room on a log and starts its task, which ends when told to close or with its last
/// handle. A log that fails leaves it read-only.
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
    if mind.state().entrance.passcode && door.passcode().is_none() {
        tracing::warn!(%session, "the passcode is not on this machine: set it again to let newcomers in");
    }
    let room = Room {
        requests: requests.downgrade(),
        guesses: Guesses::new(os::local_now()),
        visits: Visits::new(os::local_now()),
        trying: 0,
        untried: VecDeque::new(),
        knocking: BTreeMap::new(),
        knocks_changed: false,
        turned_away: Vec::new(),
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
    pub async fn admit(&self, hello: Hello, replies: Replies) -> Result<Admission, Refusal> {
        let mut entries = self.knock(hello, None, replies).await;
        loop {
            match entries.recv().await.map(|entry| *entry) {
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
        replies: Replies,
    ) -> mpsc::Receiver<Box<Entry>> {
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
type AtTheDoor = BTreeMap<ConnectionId, (Answer, Admission)>;

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
    visits: Visits,
    /// Passcodes that are being tried or sealed just now.
    trying: usize,
    /// Those whose passcode is tried next.
    untried: VecDeque<(Box<Newcomer>, Passcode, Seq)>,
    /// Who waits at the door, by knock.
    knocking: BTreeMap<u64, Knocking>,
    knocks_changed: bool,
    /// Who is told so once it is written.
    turned_away: Vec<Newcomer>,
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
    mailboxes: BTreeMap<ConnectionId, Replies>,
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
                _ = presence_tick.tick() => {
                    self.send_presence();
                    self.look_at_the_door().await;
                }
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
                Request::Admit(newcomer) => self.enter(newcomer, &mut at_the_door),
                Request::Tried {
                    newcomer,
                    link,
                    fits,
                } => self.tried(newcomer, link, fits, &mut at_the_door),
                Request::Sealed {
                    connection,
                    member,
                    ask,
                    sealed,
                } => {
                    self.trying -= 1;
                    self.set_passcode(connection, member, &ask, Some(sealed));
                }
                Request::Ask {
                    connection,
                    member,
                    ask,
                } => self.ask(connection, member, ask, &mut at_the_door),
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
                    self.forget(connection);
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
        // Who may look after the door may have changed with any of it.
        self.knocks_changed |= self.mind.has_news() && !self.knocking.is_empty();
        self.tell_knocks();
        self.act(at_the_door).await;
        for newcomer in self.turned_away.drain(..) {
            newcomer.tell(Entry::Refused(Refusal::TurnedAway));
        }
        closing
    }

    /// Ends the turn and does the deeds that follow, each in its place.
    async fn act(&mut self, mut at_the_door: AtTheDoor) {
        let mut gone = self.do_turn(&mut at_the_door).await;
        // Who was let in and had hung up meanwhile is gone again; that is a turn of its own.
        while !gone.is_empty() {
            for (connection, member) in gone {
                self.forget(connection);
                (self.mind).leave(connection, member, Departure::Lost, now());
            }
            gone = self.do_turn(&mut at_the_door).await;
        }
    }

    async fn do_turn(&mut self, at_the_door: &mut AtTheDoor) -> Vec<(ConnectionId, MemberId)> {
        let mut gone = Vec::new();
        for deed in self.mind.turn() {
            if let Deed::Append(events) = deed {
                let saved = self.log.append(events).await;
                let saved = saved.map_err(|error| error.to_string());
                if let (Err(reason), None) = (&saved, self.mind.read_only()) {
                    tracing::error!(session = %self.session, reason, "the log takes nothing more; the room is read-only");
                }
                for deed in self.mind.saved(saved, now()) {
                    gone.extend(self.perform(deed, at_the_door));
                }
            } else {
                gone.extend(self.perform(deed, at_the_door));
            }
        }
        gone
    }

    /// Does one deed; returns whom it let in and found gone.
    fn perform(
        &mut self,
        deed: Deed,
        at_the_door: &mut AtTheDoor,
    ) -> Option<(ConnectionId, MemberId)> {
        match deed {
            Deed::Append(_) => unreachable!("a commit is followed by no other"),
            Deed::Publish(events) => self.feed.publish(events),
            Deed::Admit(connection) => {
                let (answer, admission) = at_the_door.remove(&connection)?;
                let member = admission.welcome.member;
                if answer.try_send(Box::new(Entry::In(admission))).is_err() {
                    return Some((connection, member));
                }
            }
            Deed::TurnAway(connection, refusal) => {
                self.forget(connection);
                if let Some((answer, _)) = at_the_door.remove(&connection) {
                    // An error means they hung up meanwhile.
                    drop(answer.try_send(Box::new(Entry::Refused(refusal))));
                }
            }
            Deed::Reply(connection, reply) => self.reply(connection, reply),
        }
        None
    }

    /// A connection is over, for whatever reason.
    fn forget(&mut self, connection: ConnectionId) {
        self.mailboxes.remove(&connection);
        self.visits.went(connection, os::local_now());
    }

    fn reply(&mut self, connection: ConnectionId, reply: Reply) {
        if let Reply::Refused { counter, refusal } = &reply {
            tracing::debug!(?connection, counter, %refusal, "refused");
        }
        let Some(replies) = self.mailboxes.get(&connection) else {
            return;
        };
        // Full means they ask faster than they read. No answer may be lost in the middle, and least
        // of all the word that they are sent out: the mailbox goes, so that the connection ends
        // behind what is in it. Who comes back asks again, and gets the same answers.
        if replies.try_send(Box::new(reply)).is_err() {
            tracing::debug!(?connection, "an answer found no reader");
            self.mailboxes.remove(&connection);
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

    /// Somebody wants in: they come in, are refused, or are sent on to a next step.
    fn enter(&mut self, newcomer: Box<Newcomer>, at_the_door: &mut AtTheDoor) {
        match self.next_step(&newcomer) {
            Ok(Step::In { member, role, link }) => {
                self.let_in(*newcomer, member, role, link, None, at_the_door);
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
        if let Some(reason) = self.mind.read_only() {
            let reason = reason.to_owned();
            return Err(Refusal::ReadOnly { reason });
        }
        let (hello, state) = (&newcomer.hello, self.mind.state());
        let links = state.entrance.invites.keys().copied();
        let way = self.door.opens(hello.secret.reveal(), links);
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
            self.visits.may_come_back(resume.member, os::local_now())?;
            return Ok(Step::In {
                member: Some(resume.member),
                role: Role::Viewer,
                link: OWN_LINK,
            });
        }
        let Some(Way::Link(link)) = way else {
            return Err(Refusal::BadInvite);
        };
        let gate = gate(state, Way::Link(link), self.clock.at(os::local_now()))?;
        if self.mind.is_shut_out(&name) {
            return Err(Refusal::Banned);
        }
        self.visits.may_come(link, os::local_now())?;
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
        at_the_door: &mut AtTheDoor,
    ) {
        self.trying -= 1;
        if fits {
            newcomer.is_known = true;
            self.enter(newcomer, at_the_door);
        } else {
            self.guesses.wrong(link, os::local_now());
            tracing::info!(session = %self.session, %link, "a wrong passcode was tried");
            newcomer.tell(Entry::Refused(Refusal::PasscodeWrong));
        }
        self.try_next();
    }

    fn wait_at_the_door(&mut self, newcomer: Box<Newcomer>, link: Seq) {
        let knock = name_of(&newcomer.hello).and_then(|name| self.mind.knock(name));
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
    fn answer_knocks(&mut self, at_the_door: &mut AtTheDoor) {
        for KnockAnswer { knock, let_in, seq } in self.mind.knocks_answered() {
            self.knocks_changed = true;
            let Some(Knocking { newcomer, link, .. }) = self.knocking.remove(&knock) else {
                continue;
            };
            if !let_in {
                self.turned_away.push(*newcomer);
                continue;
            }
            // The link may have been revoked or used up while they waited.
            match gate(
                self.mind.state(),
                Way::Link(link),
                self.clock.at(os::local_now()),
            ) {
                Ok(gate) => {
                    self.let_in(*newcomer, None, gate.role, link, Some(seq), at_the_door);
                }
                Err(refusal) => newcomer.tell(Entry::Refused(refusal)),
            }
        }
    }

    /// Forgets those at the door who went, or waited in vain.
    async fn look_at_the_door(&mut self) {
        let now = os::local_now();
        let (mind, changed) = (&mut self.mind, &mut self.knocks_changed);
        self.knocking.retain(|knock, waiting| {
            let is_over = now - waiting.since > KNOCK_WAIT_MAX;
            if is_over {
                waiting.newcomer.tell(Entry::Refused(Refusal::TurnedAway));
            }
            let stays = !is_over && !waiting.newcomer.answer.is_closed();
            if !stays {
                mind.unknock(*knock);
                *changed = true;
            }
            stays
        });
        if self.knocks_changed {
            self.tell_knocks();
            self.act(AtTheDoor::new()).await;
        }
    }

    /// Tells moderators who is at the door, when that changed.
    fn tell_knocks(&mut self) {
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
        let all: Vec<_> = all.collect();
        self.mind.tell_moderators(&all);
    }

    /// Lets somebody in; [`Deed::Admit`] says when that is durable.
    fn let_in(
        &mut self,
        newcomer: Newcomer,
        member: Option<MemberId>,
        role: Role,
        link: Seq,
        cause: Option<Seq>,
        at_the_door: &mut AtTheDoor,
    ) {
        let entered = name_of(&newcomer.hello).and_then(|name| {
            let client = newcomer.hello.client;
            let entrant = Entrant {
                member,
                name,
                role,
                client,
            };
            self.mind.enter_by(entrant, link, cause, now())
        });
        let is_new = member.is_none();
        let (member, connection) = match entered {
            Ok(entered) => entered,
            Err(refusal) => return newcomer.tell(Entry::Refused(refusal)),
        };
        let welcome = Welcome {
            version: VERSION,
            session: self.session,
            member,
            token: self.door.token(member).into(),
            tail: self.mind.state().tail(),
        };
        let admission = Admission {
            welcome,
            connection,
        };
        let Newcomer {
            replies, answer, ..
        } = newcomer;
        self.mailboxes.insert(connection, replies);
        let new_by = is_new.then_some(link);
        (self.visits).came(connection, member, new_by, os::local_now());
        at_the_door.insert(connection, (answer, admission));
    }

    /// An intent, and what belongs to it beside its events: secrets, the passcode, the door.
    fn ask(
        &mut self,
        connection: ConnectionId,
        member: MemberId,
        ask: Ask,
        at_the_door: &mut AtTheDoor,
    ) {
        if !self.mind.speaks_for(connection, member) {
            return;
        }
        if let Intent::SetPasscode { passcode } = &ask.intent
            && authorise(self.mind.state(), member, &ask.intent).is_ok()
            && self.mind.read_only().is_none()
        {
            match passcode.clone() {
                Some(passcode) if passcode.is_long_enough() => {
                    self.seal(connection, member, ask, passcode);
                }
                // Too short is refused in its place like any other intent.
                Some(_) => self.mind.ask(connection, member, &ask, now()),
                None => self.set_passcode(connection, member, &ask, None),
            }
            return;
        }
        let reply = self.mind.hear(connection, member, &ask, now());
        if let Some(invite) = reply.and_then(|it| self.secret_asked_for(member, &ask.intent, &it)) {
            let secret = self.door.secret(Way::Link(invite)).into();
            self.mind.tell(member, Reply::Secret { invite, secret });
        }
        self.answer_knocks(at_the_door);
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
        let state = self.mind.state();
        let is_there = invite == OWN_LINK || state.entrance.invites.contains_key(&invite);
        let may = authorise(state, member, &Intent::ShowInvite { invite }).is_ok();
        (is_there && may).then_some(invite)
    }

    /// Hashes a new passcode beside the room; it comes back as [`Request::Sealed`].
    fn seal(&mut self, connection: ConnectionId, member: MemberId, ask: Ask, passcode: Passcode) {
        if self.trying >= TRYING_MAX {
            let (counter, refusal) = (ask.counter, Refusal::TooFast);
            self.mind.tell(member, Reply::Refused { counter, refusal });
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
        connection: ConnectionId,
        member: MemberId,
        ask: &Ask,
        sealed: Option<String>,
    ) {
        // They may have gone, or lost the grant, while it was hashed.
        let allowed = self.mind.speaks_for(connection, member)
            && authorise(self.mind.state(), member, &ask.intent).is_ok();
        if allowed && let Err(error) = self.door.keep_passcode(sealed) {
            let (counter, reason) = (ask.counter, error.to_string());
            let refusal = Refusal::ReadOnly { reason };
            self.mind.tell(member, Reply::Refused { counter, refusal });
        } else {
            self.mind.ask(connection, member, ask, now());
        }
        self.try_next();
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

fn name_of(hello: &Hello) -> Result<Name, Refusal> {
    Name::new(&hello.name).map_err(|bad| Refusal::BadText {
        sentence: bad.to_string(),
    })
}
