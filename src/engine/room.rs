//! The room's mind: who speaks for whom, what waits for the disk, and what may be said when.
//!
//! The single owner of a session while it is on air, without the runtime around
//! it. Requests and time go in, [`Deed`]s come out, in the order in which they
//! must be done. Law 1 stands here and nowhere else: what was decided leaves
//! first as [`Deed::Append`]; only [`Room::saved`] turns it into
//! [`Deed::Publish`] and answers. The tokio room does the deeds in earnest, the
//! simulator on a disk that fails on purpose.
//!
//! What it keeps beside the log and never in it: which connection speaks for
//! which member, what everybody's players last reported, and the trace. What it
//! does not know: secrets (the door's), bytes (the pump's), the disk (the log's).

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::event::{Action, Body, Departure, Event, Role};
use crate::engine::fold::RoomState;
use crate::engine::fold::entrance::OWN_LINK;
use crate::engine::frame::{Closing, Knock};
use crate::engine::id::{MemberId, Seq, SessionId};
use crate::engine::intent::{Ask, Refusal};
use crate::engine::presence::{Board, Report, Told, Vitals};
use crate::engine::sequencer::{Answer, Entrant, KnockAnswer, Moment, Sequencer};
use crate::engine::text::{Name, Secret, Title};
use crate::engine::trace::{Observation, Trace};
use crate::engine::unit::{LocalTime, Micros, SessionTime};

/// The room may be late by this much; more is a gap: the machine slept or was stopped, and
/// everybody else's film ran on without its host's.
pub const GAP_MIN: Micros = Micros::from_secs(5);

/// Observations that wait to be kept elsewhere; of more, nobody keeps any.
const FRESH_MAX: usize = 1_024;

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
        secret: Secret,
    },
    /// Who is at the door.
    Knocks(Vec<Knock>),
    /// The connection is to end.
    Close(Closing),
}

/// This machine's two clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The one that only goes forward.
    pub local: LocalTime,
    /// The one people read, in milliseconds since 1970.
    pub wall: u64,
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
}

/// Where a session was last known to be alive: survives the host's death, is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AliveMark {
    /// The session's clock then.
    pub at: SessionTime,
    /// The wall clock then, in milliseconds since 1970.
    pub wall: u64,
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

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Make these durable, as one commit; tell [`Room::saved`] how it went before anything else.
    Append(Vec<Event>),
    /// Show these to everybody who follows: they are durable.
    Publish(Vec<Event>),
    /// Tell this connection that its member is in.
    Admit(ConnectionId),
    /// Tell this connection that its member is not in after all.
    TurnAway(ConnectionId, Refusal),
    /// Answer on this connection.
    Reply(ConnectionId, Reply),
}

/// An answer that must wait until its commit is durable.
#[derive(Debug)]
enum Due {
    Reply(MemberId, Reply),
    Admission(MemberId, ConnectionId),
    /// The same member came in again elsewhere; true whatever becomes of the commit.
    Replaced(ConnectionId),
}

/// What was decided together and becomes durable together.
#[derive(Debug, Default)]
struct Turn {
    events: Vec<Event>,
    due: Vec<Due>,
}

/// A session on air.
#[derive(Debug)]
pub struct Room {
    sequencer: Sequencer,
    clock: SessionClock,
    connections: BTreeMap<MemberId, ConnectionId>,
    next_connection: u64,
    board: Board,
    /// Who was at the door as moderators were told last, and on which connections they were.
    door_told: (Vec<Knock>, BTreeSet<ConnectionId>),
    /// What was observed beside the log.
    trace: Trace,
    /// What of it nobody has taken yet.
    fresh: Vec<Observation>,
    /// Why nothing more can be written, once that is so.
    read_only: Option<String>,
    alive_at: LocalTime,
    /// Decided, not yet given to the log.
    turn: Turn,
    /// Given to the log, not yet known to be durable.
    under_way: Option<Turn>,
}

impl Room {
    /// Begins; its first events are the first [`Room::turn`].
    pub fn begin(beginning: Beginning, now: Now) -> Self {
        let Now { local, wall } = now;
        let (clock, sequencer, events) = match beginning {
            Beginning::Open { session, title } => {
                let at = SessionTime::ZERO;
                let clock = SessionClock::new(local, at);
                let (sequencer, events) = Sequencer::open(session, title, Moment { at, wall });
                (clock, sequencer, events)
            }
            Beginning::Resume { state, alive } => {
                let alive = alive.unwrap_or(AliveMark { at: state.at, wall });
                // Session time goes on by what the wall clock says has passed; a wall clock set back says nothing has.
                let gap = wall.saturating_sub(alive.wall);
                let gap = Micros::from_millis(gap.try_into().unwrap_or(i64::MAX));
                let at = alive.at.max(state.at) + gap;
                let (sequencer, events) = Sequencer::resume(*state, alive.at, Moment { at, wall });
                (SessionClock::new(local, at), sequencer, events)
            }
        };
        Self {
            sequencer,
            clock,
            connections: BTreeMap::new(),
            next_connection: 0,
            board: Board::default(),
            door_told: Default::default(),
            trace: Trace::default(),
            fresh: Vec::new(),
            read_only: None,
            alive_at: local,
            turn: Turn {
                events,
                due: Vec::new(),
            },
            under_way: None,
        }
    }

    /// The same room, whose trace goes on where an earlier one ended.
    #[must_use]
    pub fn with_trace(self, trace: Trace) -> Self {
        Self { trace, ..self }
    }

    /// The session's name.
    pub fn session(&self) -> SessionId {
        self.state().session.unwrap_or(SessionId::new(0))
    }

    /// The session's clock.
    pub fn clock(&self) -> SessionClock {
        self.clock
    }

    /// What is true after everything decided so far, durable or about to be.
    pub fn state(&self) -> &RoomState {
        self.sequencer.state()
    }

    /// What was observed beside the log.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What was observed since this was last asked, for whoever keeps it beyond this room.
    pub fn observed(&mut self) -> Vec<Observation> {
        std::mem::take(&mut self.fresh)
    }

    /// Why nothing more can be written, if that is so.
    pub fn read_only(&self) -> Option<&str> {
        self.read_only.as_deref()
    }

    /// How many connections speak for somebody.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Whether this connection is the one that speaks for that member.
    pub fn speaks_for(&self, connection: ConnectionId, member: MemberId) -> bool {
        self.connections.get(&member) == Some(&connection)
    }

    /// Lets somebody in whose secret and name were checked; [`Deed::Admit`] says when that is durable.
    ///
    /// # Errors
    /// The [`Refusal`] to tell them; nothing happened.
    pub fn enter(
        &mut self,
        entrant: Entrant,
        now: Now,
    ) -> Result<(MemberId, ConnectionId), Refusal> {
        self.enter_by(entrant, OWN_LINK, None, now)
    }

    /// Like [`Room::enter`], by a link that was made for it, and maybe let in by `cause`.
    ///
    /// # Errors
    /// As [`Room::enter`].
    pub fn enter_by(
        &mut self,
        entrant: Entrant,
        link: Seq,
        cause: Option<Seq>,
        now: Now,
    ) -> Result<(MemberId, ConnectionId), Refusal> {
        if let Some(reason) = &self.read_only {
            return Err(read_only(reason));
        }
        let moment = self.moment(now);
        let (member, joined) = self.sequencer.join_by(entrant, link, cause, moment)?;
        self.turn.events.extend(joined);
        self.next_connection += 1;
        let connection = ConnectionId(self.next_connection);
        if let Some(old) = self.connections.insert(member, connection) {
            // The old line hangs or was left open elsewhere.
            self.turn.due.push(Due::Replaced(old));
        }
        self.turn.due.push(Due::Admission(member, connection));
        Ok((member, connection))
    }

    /// Judges what a member asks for, if this connection speaks for them.
    pub fn ask(&mut self, connection: ConnectionId, member: MemberId, ask: &Ask, now: Now) {
        self.hear(connection, member, ask, now);
    }

    /// The same; says what will be answered, for those who have more to say with it.
    pub fn hear(
        &mut self,
        connection: ConnectionId,
        member: MemberId,
        ask: &Ask,
        now: Now,
    ) -> Option<Reply> {
        if !self.speaks_for(connection, member) {
            return None;
        }
        let reply = self.judge(member, ask, now);
        self.tell(member, reply.clone());
        Some(reply)
    }

    /// Tells a member something beside the log, once what was decided before it is durable.
    pub fn tell(&mut self, member: MemberId, reply: Reply) {
        self.turn.due.push(Due::Reply(member, reply));
    }

    /// Tells every moderator with a connection who is at the door, unless they were told the same
    /// before: whoever knocks must not make each line of talk an answer to each moderator.
    pub fn tell_moderators(&mut self, knocks: &[Knock]) {
        let (known, told) = &mut self.door_told;
        let is_news = known.as_slice() != knocks;
        if is_news {
            *known = knocks.to_vec();
        }
        let state = self.sequencer.state();
        let connections = self.connections.iter();
        let moderators = connections.filter(|(member, _)| state.may(**member, Action::Moderate));
        let mut now_told = BTreeSet::new();
        for (member, connection) in moderators {
            now_told.insert(*connection);
            if is_news || !told.contains(connection) {
                let reply = Reply::Knocks(knocks.to_vec());
                self.turn.due.push(Due::Reply(*member, reply));
            }
        }
        *told = now_told;
    }

    /// Somebody at the door wants to be let in. Returns the number they are answered by.
    ///
    /// # Errors
    /// [`Refusal::DoorCrowded`].
    pub fn knock(&mut self, name: Name) -> Result<u64, Refusal> {
        self.sequencer.knock(name)
    }

    /// Somebody at the door went away.
    pub fn unknock(&mut self, knock: u64) {
        self.sequencer.unknock(knock);
    }

    /// What moderators answered those at the door since this was asked last.
    pub fn knocks_answered(&mut self) -> Vec<KnockAnswer> {
        self.sequencer.knocks_answered()
    }

    /// Whether a newcomer of that name is refused because somebody of it was shut out.
    pub fn is_shut_out(&self, name: &Name) -> bool {
        self.sequencer.is_shut_out(name)
    }

    /// Whether anything was decided since the last turn.
    pub fn has_news(&self) -> bool {
        !self.turn.events.is_empty()
    }

    /// Takes in what a member's player does, if this connection speaks for them.
    pub fn note(&mut self, connection: ConnectionId, member: MemberId, report: Report, now: Now) {
        if !self.speaks_for(connection, member) {
            return;
        }
        self.board.note(member, report);
        let now = self.moment(now);
        let seen = self.trace.observe(now.at, member, &report);
        self.keep(seen);
        if self.read_only.is_none() {
            let events = self.sequencer.observe(member, &report, now);
            self.turn.events.extend(events);
        }
    }

    /// Takes into the trace how a member's player and clock do, if this connection speaks for them.
    pub fn vitals(
        &mut self,
        connection: ConnectionId,
        member: MemberId,
        vitals: &Vitals,
        now: Now,
    ) {
        if self.speaks_for(connection, member) {
            let at = self.moment(now).at;
            let seen = self.trace.vitals(at, member, vitals);
            self.keep(Some(seen));
        }
    }

    fn keep(&mut self, seen: Option<Observation>) {
        if self.fresh.len() < FRESH_MAX {
            self.fresh.extend(seen);
        }
    }

    /// A member's connection ended. Means nothing when another one speaks for them by now.
    pub fn leave(
        &mut self,
        connection: ConnectionId,
        member: MemberId,
        reason: Departure,
        now: Now,
    ) {
        if self.speaks_for(connection, member) {
            self.goes(member, reason, now);
        }
    }

    /// The party closes: the log says who was there until the end.
    pub fn close(&mut self, now: Now) {
        let present = self.state().roster.present();
        let here: Vec<_> = present.map(|(id, member)| (id, member.role)).collect();
        for (member, role) in here {
            let reason = if role == Role::Host {
                Departure::Quit
            } else {
                Departure::Ended
            };
            self.goes(member, reason, now);
        }
    }

    /// What time alone brings: a machine that stood still, a wait that expired, a grant that ended.
    pub fn tick(&mut self, now: Now) {
        if self.read_only.is_some() {
            return;
        }
        self.notice_gap(now);
        let events = self.sequencer.tick(self.moment(now));
        self.turn.events.extend(events);
    }

    /// Finds out whether this machine slept or was stopped since the last look.
    pub fn notice_gap(&mut self, now: Now) {
        let alive = self.alive_at;
        if self.read_only.is_some() || now.local - alive <= GAP_MIN {
            return;
        }
        self.alive_at = now.local;
        let events = self.sequencer.gap(self.clock.at(alive), self.moment(now));
        self.turn.events.extend(events);
    }

    /// Notes that the room is awake; what to write down, unless nothing can be written.
    pub fn mark(&mut self, now: Now) -> Option<AliveMark> {
        self.alive_at = now.local;
        let mark = AliveMark {
            at: self.clock.at(now.local),
            wall: now.wall,
        };
        self.read_only.is_none().then_some(mark)
    }

    /// When [`Room::tick`] wants to be called, if nothing else happens before.
    pub fn deadline(&mut self) -> Option<SessionTime> {
        if self.read_only.is_some() {
            return None;
        }
        self.sequencer.deadline()
    }

    /// What everybody's players do, if there is something to tell of it now.
    pub fn presence(&mut self, now: Now) -> Option<Told> {
        self.board.tell(now.local)
    }

    /// Ends a turn: what follows from all that came in since the last one.
    ///
    /// # Panics
    /// While a commit is under way: a bug of the caller.
    pub fn turn(&mut self) -> Vec<Deed> {
        assert!(self.under_way.is_none(), "one commit at a time");
        let turn = std::mem::take(&mut self.turn);
        if turn.events.is_empty() {
            return self.answers(turn.due);
        }
        if let Some(reason) = self.read_only.clone() {
            return self.refusals(turn.due, &reason);
        }
        let events = turn.events.clone();
        self.under_way = Some(turn);
        vec![Deed::Append(events)]
    }

    /// The commit under way is durable, or failed for this reason. Law 1: append, then publish.
    ///
    /// # Panics
    /// When none is under way: a bug of the caller.
    pub fn saved(&mut self, outcome: Result<(), String>, now: Now) -> Vec<Deed> {
        let turn = self.under_way.take().expect("a commit was under way");
        match outcome {
            Ok(()) => {
                // The time a disk took is no gap: the room was awake all along.
                self.alive_at = now.local;
                let sent_out = sent_out(&turn.events);
                let mut deeds = vec![Deed::Publish(turn.events)];
                deeds.extend(self.answers(turn.due));
                for member in sent_out {
                    deeds.extend(self.reply(member, Reply::Close(Closing::Kicked)));
                }
                deeds
            }
            // The log took nothing: what was decided did not happen, and nothing more will.
            Err(reason) => {
                let deeds = self.refusals(turn.due, &reason);
                self.read_only.get_or_insert(reason);
                deeds
            }
        }
    }

    fn moment(&self, now: Now) -> Moment {
        Moment {
            at: self.clock.at(now.local),
            wall: now.wall,
        }
    }

    fn judge(&mut self, member: MemberId, ask: &Ask, now: Now) -> Reply {
        let counter = ask.counter;
        if let Some(reason) = &self.read_only {
            let refusal = read_only(reason);
            return Reply::Refused { counter, refusal };
        }
        let worst = self.worst_round_trip();
        let now = self.moment(now);
        let outcome = self.sequencer.ask(member, ask, now, worst);
        self.turn.events.extend(outcome.events);
        match outcome.answer {
            Answer::Accepted(seq) => Reply::Accepted { counter, seq },
            Answer::Refused(refusal) => {
                let seen = self.trace.refused(now.at, member, counter, &refusal);
                self.keep(Some(seen));
                Reply::Refused { counter, refusal }
            }
        }
    }

    fn goes(&mut self, member: MemberId, reason: Departure, now: Now) {
        self.connections.remove(&member);
        self.board.forget(member);
        if self.read_only.is_none() {
            let events = self.sequencer.leave(member, reason, self.moment(now));
            self.turn.events.extend(events);
        }
    }

    /// The slowest of those who have a player and are here.
    fn worst_round_trip(&self) -> Micros {
        self.board
            .reports()
            .filter(|report| report.activity.is_some())
            .filter_map(|report| report.round_trip)
            .max()
            .unwrap_or(Micros::ZERO)
    }

    fn answers(&self, due: Vec<Due>) -> Vec<Deed> {
        due.into_iter()
            .filter_map(|due| match due {
                Due::Reply(member, reply) => self.reply(member, reply),
                Due::Admission(_, connection) => Some(Deed::Admit(connection)),
                Due::Replaced(old) => Some(Deed::Reply(old, Reply::Close(Closing::Replaced))),
            })
            .collect()
    }

    fn refusals(&mut self, due: Vec<Due>, reason: &str) -> Vec<Deed> {
        due.into_iter()
            .filter_map(|due| match due {
                Due::Reply(member, Reply::Accepted { counter, .. }) => {
                    let refusal = read_only(reason);
                    self.reply(member, Reply::Refused { counter, refusal })
                }
                // A link that was never made has no secret.
                Due::Reply(_, Reply::Secret { .. }) => None,
                Due::Reply(member, reply) => self.reply(member, reply),
                Due::Admission(member, connection) => {
                    if self.speaks_for(connection, member) {
                        self.connections.remove(&member);
                    }
                    Some(Deed::TurnAway(connection, read_only(reason)))
                }
                Due::Replaced(old) => Some(Deed::Reply(old, Reply::Close(Closing::Replaced))),
            })
            .collect()
    }

    fn reply(&self, member: MemberId, reply: Reply) -> Option<Deed> {
        let connection = self.connections.get(&member)?;
        Some(Deed::Reply(*connection, reply))
    }
}

fn read_only(reason: &str) -> Refusal {
    Refusal::ReadOnly {
        reason: reason.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::{Client, Via};
    use crate::engine::intent::Intent;
    use crate::engine::text::Name;

    fn at(millis: u64) -> Now {
        Now {
            local: LocalTime::from_millis(1_000 + millis),
            wall: 1_795_000_000_000 + millis,
        }
    }

    fn append(room: &mut Room) -> Vec<Event> {
        match room.turn().as_slice() {
            [Deed::Append(events)] => events.clone(),
            other => panic!("not one append: {other:?}"),
        }
    }

    /// A room with its host in it.
    fn open() -> (Room, MemberId, ConnectionId) {
        let beginning = Beginning::Open {
            session: SessionId::new(7),
            title: Title::new("Film night").unwrap(),
        };
        let mut room = Room::begin(beginning, at(0));
        append(&mut room);
        room.saved(Ok(()), at(1));
        let entrant = Entrant {
            member: None,
            name: Name::new("Ana").unwrap(),
            role: Role::Host,
            client: Client::Window,
        };
        let (member, connection) = room.enter(entrant, at(2)).unwrap();
        append(&mut room);
        let deeds = room.saved(Ok(()), at(3));
        assert_eq!(deeds.last(), Some(&Deed::Admit(connection)));
        (room, member, connection)
    }

    fn say(counter: u64) -> Ask {
        Ask {
            counter,
            stamp: Default::default(),
            via: Via::Cli,
            aim: None,
            intent: Intent::Say {
                text: "hello".into(),
            },
        }
    }

    #[test]
    fn nothing_is_published_or_answered_before_it_is_durable() {
        let (mut room, member, connection) = open();
        room.ask(connection, member, &say(1), at(10));
        let events = append(&mut room);
        let deeds = room.saved(Ok(()), at(20));
        assert_eq!(deeds[0], Deed::Publish(events));
        let answer = matches!(deeds[1], Deed::Reply(_, Reply::Accepted { counter: 1, .. }));
        assert!(answer, "{deeds:?}");
    }

    #[test]
    fn what_could_not_be_saved_is_refused_and_never_published() {
        let (mut room, member, connection) = open();
        room.ask(connection, member, &say(1), at(10));
        append(&mut room);
        let deeds = room.saved(Err("full".into()), at(20));
        assert!(
            matches!(deeds[..], [Deed::Reply(_, Reply::Refused { .. })]),
            "{deeds:?}"
        );
        room.ask(connection, member, &say(2), at(30));
        let deeds = room.turn();
        assert!(
            matches!(deeds[..], [Deed::Reply(_, Reply::Refused { .. })]),
            "{deeds:?}"
        );
        assert_eq!(
            room.mark(at(40)),
            None,
            "a session that cannot be saved is not alive"
        );
    }

    fn guest(room: &mut Room, name: &str, millis: u64) -> (MemberId, ConnectionId) {
        let entrant = Entrant {
            member: None,
            name: Name::new(name).unwrap(),
            role: Role::Guest,
            client: Client::Page,
        };
        let entered = room.enter(entrant, at(millis)).unwrap();
        append(room);
        room.saved(Ok(()), at(millis));
        entered
    }

    fn intent(counter: u64, intent: Intent) -> Ask {
        Ask {
            intent,
            ..say(counter)
        }
    }

    #[test]
    fn who_is_sent_out_hears_it_once_it_is_durable_and_speaks_no_more() {
        let (mut room, host, connection) = open();
        let (bo, bos) = guest(&mut room, "Bo", 5);
        let kick = intent(1, Intent::Kick { member: bo });
        room.ask(connection, host, &kick, at(10));
        append(&mut room);
        let closed = Deed::Reply(bos, Reply::Close(Closing::Kicked));
        assert_eq!(room.saved(Ok(()), at(11)).last(), Some(&closed));
        room.ask(bos, bo, &say(1), at(12));
        let refused = |deeds: &[Deed]| {
            let no = |deed: &Deed| matches!(deed, Deed::Reply(_, Reply::Refused { .. }));
            deeds.iter().all(no)
        };
        assert!(refused(&room.turn()), "they are not here any more");
    }

    #[test]
    fn a_machine_that_stood_still_says_so_and_the_film_stands_where_it_was() {
        let (mut room, host, connection) = open();
        let url = "https://youtu.be/YE7VzlLtp-4".to_owned();
        room.ask(connection, host, &intent(1, Intent::Load { url }), at(10));
        room.ask(connection, host, &intent(2, Intent::Play {}), at(20));
        append(&mut room);
        room.saved(Ok(()), at(1_000));
        room.mark(at(2_000));
        room.tick(at(2_000 + 60_000));
        let events = append(&mut room);
        let bodies: Vec<_> = events.iter().map(|event| &event.body).collect();
        let gap = matches!(bodies[0], Body::HostGap { gap } if gap.get() == 60_000_000);
        assert!(gap, "{bodies:?}");
        let Some(Body::Paused { position }) = bodies.get(1) else {
            panic!("{bodies:?}");
        };
        assert!(
            position.get() < 3_000_000,
            "not where a clock says: {position}"
        );
    }

    #[test]
    fn what_was_refused_is_in_the_trace_with_its_reason_and_in_no_event() {
        let (mut room, _, _) = open();
        let (bo, bos) = guest(&mut room, "Bo", 5);
        let tail = room.state().tail();
        let member = MemberId::new(1);
        room.ask(bos, bo, &intent(7, Intent::Kick { member }), at(10));
        room.turn();
        assert_eq!(room.state().tail(), tail);
        let seen = room.trace().iter().any(|observed| {
            observed.member == bo
                && matches!(
                    &observed.what,
                    crate::engine::trace::What::Refused {
                        counter: 7,
                        refusal: Refusal::NotAllowed { .. }
                    }
                )
        });
        assert!(seen, "{:?}", room.trace());
    }

    #[test]
    fn moderators_hear_of_the_door_when_it_changed_or_when_they_are_new_to_it() {
        let (mut room, host, connection) = open();
        let (bo, _) = guest(&mut room, "Bo", 5);
        let knock = |number| Knock {
            knock: number,
            name: Name::new("Cy").unwrap(),
            client: Client::Page,
            invite: OWN_LINK,
        };
        let told = |room: &mut Room, knocks: &[Knock]| {
            room.tell_moderators(knocks);
            room.turn().len()
        };
        assert_eq!(told(&mut room, &[knock(1)]), 1, "a guest is none");
        assert_eq!(told(&mut room, &[knock(1)]), 0);
        assert_eq!(told(&mut room, &[knock(1), knock(2)]), 1);
        let role = Role::CoHost;
        let promote = intent(1, Intent::SetRole { member: bo, role });
        room.ask(connection, host, &promote, at(10));
        append(&mut room);
        room.saved(Ok(()), at(10));
        assert_eq!(told(&mut room, &[knock(1), knock(2)]), 1, "Bo alone");
        assert_eq!(told(&mut room, &[]), 2);
        assert_eq!(told(&mut room, &[]), 0);
    }

    #[test]
    fn a_replaced_connection_no_longer_speaks() {
        let (mut room, member, old) = open();
        let entrant = Entrant {
            member: Some(member),
            name: Name::new("Ana").unwrap(),
            role: Role::Host,
            client: Client::Window,
        };
        let (_, new) = room.enter(entrant, at(10)).unwrap();
        let closed = Deed::Reply(old, Reply::Close(Closing::Replaced));
        assert_eq!(room.turn(), [closed, Deed::Admit(new)]);
        room.ask(old, member, &say(1), at(20));
        room.leave(old, member, Departure::Lost, at(20));
        assert_eq!(room.turn(), []);
        assert_eq!(room.state().roster.present().count(), 1);
    }
}
