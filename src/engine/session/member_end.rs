//! The member's end: dials, catches up, asks, and comes back by itself.
//!
//! Promises: events are applied in order, each once; an intent is asked until it
//! is answered, always under the same counter, and its answer is told once;
//! nothing that moves the film is sent before the tail is applied; after a loss
//! it dials again, later each time, and goes on from its cursor. It ends only
//! when the room says that coming back is useless, or when told to leave.

use std::collections::VecDeque;

use crate::engine::clock::offset::{Exchange, OffsetClock};
use crate::engine::clock::stamp::Lamport;
use crate::engine::event::{Body, Client, Event, Via};
use crate::engine::fold::RoomState;
use crate::engine::frame::{
    Closing, Hello, Knock, Refused, Resume, ToMember, ToRoom, VERSION, Welcome,
};
use crate::engine::id::{MemberId, Seq, SessionId};
use crate::engine::intent::{Aim, Ask, Intent, Refusal};
use crate::engine::presence::{Known, Presence, Report, Vitals};
use crate::engine::replay::{Replay, Step};
use crate::engine::session::bucket::Bucket;
use crate::engine::session::room_end;
use crate::engine::text::{Passcode, Secret};
use crate::engine::unit::{LocalTime, Micros};

/// The wait before the first redial; doubles up to [`REDIAL_MAX`]. A host that
/// restarts is back within a few seconds, so begin short.
const REDIAL_MIN: Micros = Micros::from_millis(500);
/// The longest wait between two dials: a laptop that wakes should not need patience.
const REDIAL_MAX: Micros = Micros::from_secs(15);
/// How often somebody who was never let in is tried for: once for the network's
/// bad moment, once for the host's; then the link or the host is wrong.
const FIRST_DIALS_MAX: u32 = 3;
/// Failed dials after which it is said that the host may be somewhere else by now: longer than a
/// restart takes, and than most networks are away.
const STRANDED_AFTER: u32 = 5;
/// What a machine cannot find out by itself, where a router gave the host another address.
const ELSEWHERE: &str = "If the host's address has changed, ask for the link as it is now.";
/// How long dialling and being let in may take, together.
const ENTER_WAIT_MAX: Micros = Micros::from_secs(8);
/// Silence of the room after which the connection counts as lost. Its pongs come
/// at least every [`HEARTBEAT`].
const SILENCE_MAX: Micros = Micros::from_secs(10);
/// The longest a member is silent.
const HEARTBEAT: Micros = Micros::from_secs(3);
/// Control that waited longer than this for a connection is no longer meant.
const CONTROL_AGE_MAX: Micros = Micros::from_secs(10);
/// What is said of such control: who pressed a key and saw nothing happen should hear what became of it.
pub const NOT_DONE: &str =
    "The connection was gone for too long, so that was not done. Do it again if you still want it.";
/// Intents that may wait for an answer; more than anybody types during an outage.
const PENDING_MAX: usize = 64;
/// A member asks a little slower than the room allows, so that a script that
/// types fast is slowed down instead of refused.
const ASKS_BURST: u32 = room_end::ASKS_BURST * 3 / 4;
/// See [`ASKS_BURST`].
const ASKS_PER_SEC: u32 = room_end::ASKS_PER_SEC * 3 / 4;

/// Who wants in, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which session.
    pub session: SessionId,
    /// The secret out of the link.
    pub secret: Secret,
    /// What the member wants to be called.
    pub name: String,
    /// By what they take part.
    pub client: Client,
    /// Proof of having been here before, kept from an earlier run.
    pub resume: Option<Resume>,
}

/// What the shell around the machine must do or know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make a connection; answer with [`MemberEnd::connected`] or [`MemberEnd::disconnected`].
    Dial,
    /// Send this.
    Send(ToRoom),
    /// Drop the connection without waiting for the other end.
    HangUp,
    /// This happened; the state already includes it.
    Applied(Event),
    /// An intent was accepted.
    Accepted {
        /// Which.
        counter: u64,
        /// Its first event, or the latest one when everything was already so.
        seq: Seq,
    },
    /// An intent, or coming in, was refused.
    Refused(Refused),
    /// What everybody's players do.
    Presence(Vec<Presence>),
    /// The party can be reached there too.
    Moved(String),
    /// Let in.
    Welcomed(Welcome),
    /// Knocked: a moderator has to let this member in.
    Waiting,
    /// Who is at the door, all of them.
    Knocks(Vec<Knock>),
    /// A link this member asked for.
    Secret {
        /// Which; 0 is the party's own.
        invite: Seq,
        /// What opens it.
        secret: Secret,
    },
    /// Everything that had happened by the time of joining is applied.
    CaughtUp,
    /// The connection is lost; it will be dialled again.
    Lost(String),
    /// It is over; dialling again is useless. One sentence.
    Over(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Waiting { until: LocalTime },
    Dialling { since: LocalTime },
    Greeting { since: LocalTime },
    Knocking,
    Live { tail: Seq, caught_up: bool },
    Over,
}

#[derive(Clone, Debug)]
struct Pending {
    ask: Ask,
    asked: LocalTime,
    sent: bool,
}

/// The member's end of a session, across as many connections as it takes.
#[derive(Clone, Debug)]
pub struct MemberEnd {
    identity: Identity,
    me: Option<MemberId>,
    replay: Replay,
    presence: Known,
    lamport: Lamport,
    clock: OffsetClock,
    phase: Phase,
    counter: u64,
    pending: VecDeque<Pending>,
    pace: Bucket,
    heard: LocalTime,
    sent: LocalTime,
    /// When this connection was let in; what was read of the clock before may be another sequencer's.
    entered: LocalTime,
    attempts: u32,
    passcode: Option<Passcode>,
}

impl MemberEnd {
    /// A member who holds nothing yet. `counter` must lie above any this member used before;
    /// the wall clock's milliseconds do.
    pub fn new(identity: Identity, counter: u64, now: LocalTime) -> Self {
        Self {
            me: None,
            identity,
            replay: Replay::new(),
            presence: Known::default(),
            lamport: Lamport::default(),
            clock: OffsetClock::new(now),
            phase: Phase::Idle,
            counter,
            pending: VecDeque::new(),
            pace: Bucket::new(ASKS_BURST, ASKS_PER_SEC, now),
            heard: now,
            sent: now,
            entered: now,
            attempts: 0,
            passcode: None,
        }
    }

    /// The same, who knows the party's passcode.
    #[must_use]
    pub fn knowing(mut self, passcode: Option<Passcode>) -> Self {
        self.passcode = passcode;
        self
    }

    /// What is true in the room, as far as this member knows.
    pub fn state(&self) -> &RoomState {
        self.replay.state()
    }

    /// What this member knows of the room's clock.
    pub fn clock(&self) -> &OffsetClock {
        &self.clock
    }

    /// Who this member is, once let in.
    pub fn me(&self) -> Option<MemberId> {
        self.me
    }

    /// Whether one more intent may be asked before others are answered.
    pub fn may_ask(&self) -> bool {
        self.pending.len() < PENDING_MAX
    }

    /// Whether the room's tail is applied and the connection stands.
    pub fn is_live(&self) -> bool {
        matches!(
            self.phase,
            Phase::Live {
                caught_up: true,
                ..
            }
        )
    }

    /// Begins.
    pub fn start(&mut self, now: LocalTime) -> Vec<Effect> {
        self.phase = Phase::Dialling { since: now };
        vec![Effect::Dial]
    }

    /// The connection stands.
    pub fn connected(&mut self, now: LocalTime) -> Vec<Effect> {
        if self.phase == Phase::Over {
            return vec![Effect::HangUp];
        }
        self.phase = Phase::Greeting { since: now };
        self.heard = now;
        let mut effects = Vec::new();
        // Whoever can prove who they are is not asked, and need not say it again.
        if let Some(passcode) = self.passcode.clone().filter(|_| self.me.is_none()) {
            effects.push(self.send(now, ToRoom::Passcode { passcode }));
        }
        effects.push(self.send(
            now,
            ToRoom::Hello(Hello {
                version: VERSION,
                session: self.identity.session,
                secret: self.identity.secret.clone(),
                name: self.identity.name.clone(),
                client: self.identity.client,
                resume: self.identity.resume.clone(),
                cursor: self.replay.cursor(),
            }),
        ));
        effects
    }

    /// The connection ended, or could not be made. `dice` is a random number.
    pub fn disconnected(&mut self, now: LocalTime, why: String, dice: u64) -> Vec<Effect> {
        match self.phase {
            Phase::Over | Phase::Idle | Phase::Waiting { .. } => Vec::new(),
            Phase::Dialling { .. }
            | Phase::Greeting { .. }
            | Phase::Knocking
            | Phase::Live { .. } => {
                for pending in &mut self.pending {
                    pending.sent = false;
                }
                if self.me.is_none() && self.attempts + 1 >= FIRST_DIALS_MAX {
                    self.phase = Phase::Over;
                    return vec![Effect::Over(why)];
                }
                self.phase = Phase::Waiting {
                    until: now + self.redial_wait(dice),
                };
                self.attempts = self.attempts.saturating_add(1);
                if self.me.is_some() && self.attempts >= STRANDED_AFTER {
                    return vec![Effect::Lost(format!("{why} {ELSEWHERE}"))];
                }
                vec![Effect::Lost(why)]
            }
        }
    }

    /// A frame came. `dice` is a random number.
    pub fn frame(&mut self, now: LocalTime, frame: ToMember, dice: u64) -> Vec<Effect> {
        self.heard = now;
        match frame {
            ToMember::Welcome(welcome) => self.welcomed(now, welcome),
            ToMember::Event(event) => self.happened(now, event, dice),
            ToMember::Accepted { counter, seq } => match self.answered(counter) {
                Some(_) => vec![Effect::Accepted { counter, seq }],
                None => Vec::new(),
            },
            ToMember::Refused(refused) => self.refused(now, refused, dice),
            ToMember::Waiting {} => match self.phase {
                Phase::Greeting { .. } => {
                    self.phase = Phase::Knocking;
                    vec![Effect::Waiting]
                }
                _ => Vec::new(),
            },
            ToMember::Knocks(knocks) => vec![Effect::Knocks(knocks)],
            ToMember::Secret { invite, secret } => vec![Effect::Secret { invite, secret }],
            // At the door a pong is a sign of life; the party's clock is told inside.
            ToMember::Pong { .. } if self.phase == Phase::Knocking => Vec::new(),
            ToMember::Pong { t0, t1, t2 } => {
                // An answer that cannot be believed changes nothing; the next one will do.
                let _ = self.clock.pong(Exchange {
                    t0,
                    t1,
                    t2,
                    t3: now,
                });
                Vec::new()
            }
            ToMember::Presence(told) => {
                self.presence.take(&told);
                vec![Effect::Presence(self.presence.all())]
            }
            ToMember::Closing(why) => self.closing(now, why, dice),
            ToMember::Moved { to } => vec![Effect::Moved(to)],
        }
    }

    /// The room said something that only a newer program understands. Guessing would show another
    /// evening than everybody else's, and dialling again would meet the same: it is over.
    pub fn outdated(&mut self, what: &str) -> Vec<Effect> {
        self.phase = Phase::Over;
        vec![
            Effect::HangUp,
            Effect::Over(format!("The host's Séance is newer than this one: {what}.")),
        ]
    }

    /// This member wants something. Returns the counter its answer will carry.
    ///
    /// # Errors
    /// [`Refusal::TooFast`] when too many intents wait already, [`Refusal::NotHere`] after the end.
    pub fn ask(
        &mut self,
        now: LocalTime,
        via: Via,
        aim: Option<Aim>,
        intent: Intent,
    ) -> Result<(u64, Vec<Effect>), Refusal> {
        if self.phase == Phase::Over {
            return Err(Refusal::NotHere);
        }
        if !self.may_ask() {
            return Err(Refusal::TooFast);
        }
        self.counter += 1;
        let counter = self.counter;
        let stamp = self.lamport.next(self.state().stamp);
        let aim = aim.or_else(|| intent.is_control().then(|| self.state().timeline.aim()));
        let ask = Ask {
            counter,
            stamp,
            via,
            aim,
            intent,
        };
        self.pending.push_back(Pending {
            ask,
            asked: now,
            sent: false,
        });
        Ok((counter, self.flush(now)))
    }

    /// Tells the others what this member's player does; dropped while there is no connection.
    pub fn report(&mut self, now: LocalTime, mut report: Report) -> Vec<Effect> {
        if !self.is_live() {
            return Vec::new();
        }
        let clock = self.clock.estimate();
        report.round_trip = clock.map(|best| best.delay());
        // Whatever the player measured by, it was not this room's clock.
        report.drift = report.drift.filter(|_| clock.is_some());
        vec![self.send(now, ToRoom::Report(report))]
    }

    /// Tells the room's trace how this member's player and clock do; dropped while there is no connection.
    pub fn vitals(&mut self, now: LocalTime, mut vitals: Vitals) -> Vec<Effect> {
        if !self.is_live() {
            return Vec::new();
        }
        let clock = self.clock.estimate();
        vitals.report.round_trip = clock.map(|best| best.delay());
        vitals.clock_error = clock.map(|best| best.bound(now));
        vec![self.send(now, ToRoom::Vitals(vitals))]
    }

    /// This member leaves for good.
    pub fn leave(&mut self, now: LocalTime) -> Vec<Effect> {
        let was_connected = matches!(
            self.phase,
            Phase::Greeting { .. } | Phase::Knocking | Phase::Live { .. }
        );
        self.phase = Phase::Over;
        if was_connected {
            vec![self.send(now, ToRoom::Bye {})]
        } else {
            Vec::new()
        }
    }

    /// When [`MemberEnd::tick`] wants to be called, if nothing else happens before.
    pub fn deadline(&self) -> Option<LocalTime> {
        match self.phase {
            Phase::Idle | Phase::Over => None,
            Phase::Waiting { until } => Some(until),
            Phase::Dialling { since } | Phase::Greeting { since } => Some(since + ENTER_WAIT_MAX),
            Phase::Knocking => Some((self.sent + HEARTBEAT).min(self.heard + SILENCE_MAX)),
            Phase::Live { .. } => {
                let next_word = self.clock.next_ping_at().min(self.sent + HEARTBEAT);
                let waits = self.is_live() && self.pending.iter().any(|pending| !pending.sent);
                let next_ask = waits.then(|| self.pace.next_at());
                Some(
                    next_ask
                        .into_iter()
                        .fold(next_word.min(self.heard + SILENCE_MAX), LocalTime::min),
                )
            }
        }
    }

    /// Time passed. `dice` is a random number.
    pub fn tick(&mut self, now: LocalTime, dice: u64) -> Vec<Effect> {
        match self.phase {
            Phase::Idle | Phase::Over => Vec::new(),
            Phase::Waiting { until } if now >= until => {
                self.phase = Phase::Dialling { since: now };
                vec![Effect::Dial]
            }
            Phase::Waiting { .. } => Vec::new(),
            Phase::Dialling { since } | Phase::Greeting { since }
                if now >= since + ENTER_WAIT_MAX =>
            {
                self.give_up(now, "The host does not answer.", dice)
            }
            Phase::Dialling { .. } | Phase::Greeting { .. } => Vec::new(),
            Phase::Knocking | Phase::Live { .. } if now >= self.heard + SILENCE_MAX => {
                self.give_up(now, "The host fell silent.", dice)
            }
            Phase::Knocking if now >= self.sent + HEARTBEAT => {
                vec![self.send(now, ToRoom::Ping { t0: now })]
            }
            Phase::Knocking => Vec::new(),
            Phase::Live { .. } => self.keep_alive(now),
        }
    }

    fn keep_alive(&mut self, now: LocalTime) -> Vec<Effect> {
        let mut effects = self.flush(now);
        let due = self.clock.ping(now).map(|ping| ping.t0);
        let heartbeat = (now >= self.sent + HEARTBEAT).then_some(now);
        if let Some(t0) = due.or(heartbeat) {
            effects.push(self.send(now, ToRoom::Ping { t0 }));
        }
        effects
    }

    fn give_up(&mut self, now: LocalTime, why: &str, dice: u64) -> Vec<Effect> {
        let mut effects = vec![Effect::HangUp];
        effects.extend(self.disconnected(now, why.to_owned(), dice));
        effects
    }

    fn welcomed(&mut self, now: LocalTime, welcome: Welcome) -> Vec<Effect> {
        self.me = Some(welcome.member);
        self.identity.resume = Some(Resume {
            member: welcome.member,
            token: welcome.token.clone(),
        });
        self.attempts = 0;
        self.entered = now;
        // A room tells a newcomer everything anew.
        self.presence.forget_all();
        self.clock.hurry(now);
        self.phase = Phase::Live {
            tail: welcome.tail,
            caught_up: false,
        };
        let mut effects = vec![Effect::Welcomed(welcome)];
        effects.extend(self.check_caught_up(now));
        effects
    }

    fn happened(&mut self, now: LocalTime, event: Event, dice: u64) -> Vec<Effect> {
        match self.replay.take(&event) {
            Ok(Step::Duplicate) => Vec::new(),
            Ok(Step::Applied) => {
                if matches!(event.body, Body::EpochStarted { .. }) {
                    // Another sequencer's clock: what was known of the old one says nothing about it.
                    if self.is_live() {
                        self.clock.discard(now);
                    } else {
                        // It began while we were away; what this connection told is about the new one.
                        self.clock.forget_before(self.entered);
                    }
                }
                // A player goes with its member, and who comes back has another one.
                let is_less = match &event.body {
                    Body::Joined { member, .. }
                    | Body::Left { member, .. }
                    | Body::Kicked { member }
                    | Body::Banned {
                        member,
                        banned: true,
                    } => self.presence.forget(*member),
                    Body::EpochStarted { .. } => self.presence.forget_all(),
                    _ => false,
                };
                let mut effects = vec![Effect::Applied(event)];
                if is_less {
                    effects.push(Effect::Presence(self.presence.all()));
                }
                effects.extend(self.check_caught_up(now));
                effects
            }
            Err(error) => self.give_up(
                now,
                &format!("The host sent events out of order ({error})."),
                dice,
            ),
        }
    }

    fn check_caught_up(&mut self, now: LocalTime) -> Vec<Effect> {
        match self.phase {
            Phase::Live {
                tail,
                caught_up: false,
            } if self.replay.cursor() >= tail => {
                self.phase = Phase::Live {
                    tail,
                    caught_up: true,
                };
                let mut effects = vec![Effect::CaughtUp];
                effects.extend(self.flush(now));
                effects
            }
            _ => Vec::new(),
        }
    }

    /// Sends what waits to be asked, once the tail is applied.
    fn flush(&mut self, now: LocalTime) -> Vec<Effect> {
        if !self.is_live() {
            return Vec::new();
        }
        let mut effects = Vec::new();
        let mut waiting = std::mem::take(&mut self.pending);
        waiting.retain_mut(|pending| {
            if pending.sent {
                return true;
            }
            if pending.ask.intent.is_control() && now - pending.asked > CONTROL_AGE_MAX {
                effects.push(Effect::Refused(Refused {
                    counter: Some(pending.ask.counter),
                    refusal: Refusal::TooOld,
                    sentence: NOT_DONE.to_owned(),
                }));
                return false;
            }
            if !self.pace.take(now) {
                return true;
            }
            pending.sent = true;
            effects.push(self.send(now, ToRoom::Ask(pending.ask.clone())));
            true
        });
        self.pending = waiting;
        effects
    }

    /// Takes what was answered off the waiting list. Nothing waits for an answer that comes a second
    /// time, after an outage, nor for one that an earlier run of this member was owed.
    fn answered(&mut self, counter: u64) -> Option<Ask> {
        let place = self
            .pending
            .iter()
            .position(|pending| pending.ask.counter == counter)?;
        self.pending.remove(place).map(|pending| pending.ask)
    }

    fn refused(&mut self, now: LocalTime, refused: Refused, dice: u64) -> Vec<Effect> {
        if let Some(counter) = refused.counter {
            return match self.answered(counter) {
                Some(ask) if !ask.intent.is_observation() => vec![Effect::Refused(refused)],
                _ => Vec::new(),
            };
        }
        if matches!(self.phase, Phase::Live { .. }) {
            return vec![Effect::Refused(refused)];
        }
        let passes = matches!(
            refused.refusal,
            Refusal::ReadOnly { .. } | Refusal::UnknownSession
        );
        if self.me.is_some() && passes {
            // The host's disk is full or failed, or something else answers at its address until it
            // is back: not our stay is over, and once that is mended, the evening goes on.
            return self.give_up(now, &refused.sentence, dice);
        }
        if matches!(refused.refusal, Refusal::TooFast) {
            // Too many came and went just now; the redials wait longer each time.
            return self.give_up(now, &refused.sentence, dice);
        }
        self.phase = Phase::Over;
        let sentence = refused.sentence.clone();
        vec![
            Effect::Refused(refused),
            Effect::HangUp,
            Effect::Over(sentence),
        ]
    }

    fn closing(&mut self, now: LocalTime, why: Closing, dice: u64) -> Vec<Effect> {
        if self.phase == Phase::Over {
            return Vec::new();
        }
        if why.may_return() {
            return self.give_up(now, &why.to_string(), dice);
        }
        self.phase = Phase::Over;
        vec![Effect::HangUp, Effect::Over(why.to_string())]
    }

    fn send(&mut self, now: LocalTime, frame: ToRoom) -> Effect {
        self.sent = now;
        Effect::Send(frame)
    }

    /// Exponential, and between half and the whole of that, so that a room's members do not dial in step.
    fn redial_wait(&self, dice: u64) -> Micros {
        let doubled = REDIAL_MIN.get() << self.attempts.min(10);
        let longest = doubled.min(REDIAL_MAX.get());
        let half = longest / 2;
        Micros::new(half + (dice % (half as u64 + 1)) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::{Header, Role};
    use crate::engine::id::{Epoch, Stamp};
    use crate::engine::text::{Name, Title};
    use crate::engine::unit::SessionTime;

    fn at(millis: u64) -> LocalTime {
        LocalTime::from_millis(millis)
    }

    fn member() -> MemberEnd {
        let identity = Identity {
            session: SessionId::new(1),
            secret: "s".into(),
            name: "Ana".into(),
            client: Client::Script,
            resume: None,
        };
        MemberEnd::new(identity, 100, at(0))
    }

    fn event(seq: u64, body: Body) -> ToMember {
        let header = Header {
            seq: Seq::new(seq),
            epoch: Epoch::new(1),
            stamp: Stamp::new(seq),
            at: SessionTime::ZERO,
            wall: 0,
            by: None,
            via: Via::Auto,
            cause: None,
            intent: None,
        };
        ToMember::Event(Event { header, body })
    }

    fn opened() -> ToMember {
        event(
            1,
            Body::Opened {
                session: SessionId::new(1),
                title: Title::new("Film night").unwrap(),
            },
        )
    }

    fn joined() -> ToMember {
        joined_at(2)
    }

    fn joined_at(seq: u64) -> ToMember {
        let name = Name::new("Ana").unwrap();
        event(
            seq,
            Body::Joined {
                member: MemberId::new(1),
                name,
                role: Role::Guest,
                client: Client::Script,
            },
        )
    }

    fn welcome(tail: u64) -> ToMember {
        ToMember::Welcome(Welcome {
            version: VERSION,
            session: SessionId::new(1),
            member: MemberId::new(1),
            token: "t".into(),
            tail: Seq::new(tail),
        })
    }

    fn sent_asks(effects: &[Effect]) -> Vec<u64> {
        effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Send(ToRoom::Ask(ask)) => Some(ask.counter),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn who_came_and_went_too_often_tries_again_later_each_time() {
        let mut end = member();
        end.start(at(0));
        end.connected(at(0));
        end.frame(at(0), welcome(1), 0);
        end.disconnected(at(0), "lost".into(), 0);
        let mut now = LocalTime::ZERO;
        let mut waits = Vec::new();
        for _ in 0..4 {
            let due = end.deadline().unwrap();
            waits.push(due - now);
            now = due;
            assert_eq!(end.tick(now, 0), [Effect::Dial]);
            end.connected(now);
            let refused = ToMember::Refused(Refused::new(None, Refusal::TooFast));
            let effects = end.frame(now, refused, 0);
            assert_eq!(effects[0], Effect::HangUp);
            assert!(matches!(effects[1], Effect::Lost(_)), "{effects:?}");
        }
        assert!(waits.is_sorted() && waits[3] > waits[0], "{waits:?}");
    }

    #[test]
    fn a_newer_room_is_the_end_and_says_to_update() {
        let mut end = member();
        end.start(at(0));
        end.connected(at(0));
        end.frame(at(0), welcome(5), 0);
        let newer = "event 3 is of a kind (100) that this Séance does not know; please update";
        let effects = end.outdated(newer);
        let told = format!("The host's Séance is newer than this one: {newer}.");
        assert_eq!(effects, [Effect::HangUp, Effect::Over(told)]);
        assert_eq!(end.deadline(), None, "nothing is dialled again");
    }

    #[test]
    fn nothing_is_asked_before_the_tail_is_applied() {
        let mut end = member();
        end.start(at(0));
        end.connected(at(1));
        end.frame(at(2), welcome(3), 0);
        let (counter, effects) = end.ask(at(3), Via::Cli, None, Intent::Play {}).unwrap();
        assert!(sent_asks(&effects).is_empty());
        assert!(sent_asks(&end.frame(at(4), opened(), 0)).is_empty());
        let effects = end.frame(at(5), joined(), 0);
        assert!(effects.contains(&Effect::CaughtUp));
        assert_eq!(sent_asks(&effects), [counter]);
    }

    #[test]
    fn an_unanswered_intent_is_asked_again_under_the_same_counter() {
        let mut end = member();
        end.start(at(0));
        end.connected(at(1));
        end.frame(at(2), welcome(1), 0);
        let (counter, first) = end
            .ask(at(3), Via::Cli, None, Intent::Say { text: "hi".into() })
            .unwrap();
        assert_eq!(sent_asks(&first), [counter]);
        end.disconnected(at(4), "cable".into(), 0);
        let until = end.deadline().unwrap();
        assert_eq!(end.tick(until, 0), [Effect::Dial]);
        end.connected(until);
        assert_eq!(sent_asks(&end.frame(until, welcome(1), 0)), [counter]);
        end.frame(
            until,
            ToMember::Accepted {
                counter,
                seq: Seq::new(1),
            },
            0,
        );
        end.disconnected(until, "cable".into(), 0);
        let until = end.deadline().unwrap();
        end.tick(until, 0);
        end.connected(until);
        assert!(
            sent_asks(&end.frame(until, welcome(1), 0)).is_empty(),
            "answered is answered"
        );
    }

    /// Found by tests/chaos.rs (seed 133634570): what a run had asked just before another program
    /// took its place was answered to that program, which passed it on as an answer of its own.
    #[test]
    fn an_answer_is_told_once_and_only_to_the_run_that_asked() {
        let mut end = member();
        end.start(at(0));
        end.connected(at(1));
        end.frame(at(2), welcome(1), 0);
        let line = Intent::Say { text: "hi".into() };
        let (counter, _) = end.ask(at(3), Via::Cli, None, line.clone()).unwrap();
        let accepted = |counter| ToMember::Accepted {
            counter,
            seq: Seq::new(1),
        };
        let refused = |counter| ToMember::Refused(Refused::new(Some(counter), Refusal::TooFast));
        assert_eq!(end.frame(at(4), accepted(counter - 50), 0), []);
        assert_eq!(end.frame(at(4), refused(counter - 51), 0), []);
        let told = end.frame(at(5), accepted(counter), 0);
        assert!(
            matches!(told[..], [Effect::Accepted { counter: one, .. }] if one == counter),
            "{told:?}"
        );
        assert_eq!(end.frame(at(6), accepted(counter), 0), []);
        assert_eq!(end.frame(at(6), refused(counter), 0), []);
        let (counter, _) = end.ask(at(7), Via::Cli, None, line).unwrap();
        let told = end.frame(at(8), refused(counter), 0);
        assert!(matches!(told[..], [Effect::Refused(_)]), "{told:?}");
    }

    #[test]
    fn who_cannot_come_back_for_long_is_told_that_the_host_may_have_another_address() {
        let mut end = member();
        end.start(at(0));
        end.connected(at(0));
        end.frame(at(0), welcome(1), 0);
        let mut told = Vec::new();
        let mut now = at(1);
        for _ in 0..6 {
            told.extend(end.disconnected(now, "Nobody answers.".into(), 0));
            now = end.deadline().unwrap();
            assert_eq!(end.tick(now, 0), [Effect::Dial]);
        }
        let is_short = |effect: &Effect| *effect == Effect::Lost("Nobody answers.".into());
        assert!(told[..4].iter().all(is_short), "{told:?}");
        let long = Effect::Lost(format!("Nobody answers. {ELSEWHERE}"));
        assert!(told[4..].iter().all(|effect| *effect == long), "{told:?}");
    }

    #[test]
    fn control_that_waited_out_an_outage_is_no_longer_meant() {
        let mut end = member();
        end.start(at(0));
        let (play, _) = end.ask(at(0), Via::Cli, None, Intent::Play {}).unwrap();
        let (say, _) = end
            .ask(at(0), Via::Cli, None, Intent::Say { text: "hi".into() })
            .unwrap();
        end.connected(at(60_000));
        let effects = end.frame(at(60_000), welcome(1), 0);
        assert_eq!(sent_asks(&effects), [say]);
        assert!(
            effects
                .iter()
                .any(|effect| matches!(effect, Effect::Refused(no) if no.counter == Some(play)))
        );
    }

    #[test]
    fn a_member_comes_back_from_their_cursor_as_themselves() {
        let mut end = member();
        end.start(at(0));
        end.connected(at(1));
        end.frame(at(2), welcome(3), 0);
        end.frame(at(3), opened(), 0);
        end.disconnected(at(4), "cable".into(), 0);
        end.tick(end.deadline().unwrap(), 0);
        let effects = end.connected(at(9_000));
        let Effect::Send(ToRoom::Hello(hello)) = &effects[0] else {
            panic!("{effects:?}")
        };
        assert_eq!(hello.cursor, Seq::new(2));
        assert_eq!(
            hello.resume.as_ref().map(|resume| resume.member),
            Some(MemberId::new(1))
        );
    }

    #[test]
    fn a_hole_in_the_events_is_never_applied_but_fetched_again() {
        let mut end = member();
        end.start(at(0));
        end.connected(at(1));
        end.frame(at(2), welcome(3), 0);
        let effects = end.frame(at(3), joined(), 0);
        assert_eq!(effects[0], Effect::HangUp);
        assert_eq!(end.state().seq, Seq::new(0));
    }

    #[test]
    fn waits_between_dials_grow_but_stay_bounded_and_jittered() {
        let mut end = member();
        end.start(at(0));
        end.connected(at(0));
        end.frame(at(0), welcome(1), 0);
        let mut now = at(0);
        let mut waits = Vec::new();
        for dice in [0, u64::MAX / 3, 7, 0, 0, 0, 0, 0, 0, 0] {
            end.disconnected(now, "no route".into(), dice);
            let until = end.deadline().unwrap();
            waits.push((until - now).get());
            now = until;
            end.tick(now, 0);
        }
        assert!(waits[0] >= REDIAL_MIN.get() / 2);
        assert!(waits.iter().all(|wait| *wait <= REDIAL_MAX.get()));
        assert_eq!(waits[9], REDIAL_MAX.get() / 2);
    }

    #[test]
    fn a_fast_script_is_slowed_down_and_loses_nothing() {
        let mut end = member();
        end.start(at(0));
        end.connected(at(0));
        end.frame(at(0), welcome(1), 0);
        let mut room = Bucket::new(room_end::ASKS_BURST, room_end::ASKS_PER_SEC, at(0));
        let (mut now, mut sent) = (at(0), Vec::new());
        for number in 0..200 {
            while !end.may_ask() {
                now = end.deadline().unwrap();
                end.frame(now, ToMember::Presence(Vec::new()), 0);
                for counter in sent_asks(&end.tick(now, 0)) {
                    assert!(room.take(now), "the room refuses nothing");
                    sent.push(counter);
                }
                for counter in &sent {
                    end.frame(
                        now,
                        ToMember::Accepted {
                            counter: *counter,
                            seq: Seq::FIRST,
                        },
                        0,
                    );
                }
            }
            let (_, effects) = end
                .ask(
                    now,
                    Via::Cli,
                    None,
                    Intent::Say {
                        text: number.to_string(),
                    },
                )
                .unwrap();
            for counter in sent_asks(&effects) {
                assert!(room.take(now), "the room refuses nothing");
                sent.push(counter);
            }
        }
        assert!(
            sent.windows(2).all(|pair| pair[0] < pair[1]),
            "in order, each once"
        );
        assert!(sent.len() >= 200 - PENDING_MAX);
    }

    /// Found by the simulator (seed 1): a member who came back to a restarted host went on
    /// by the clock of the one before, and told the others how far off they were by it.
    #[test]
    fn a_clock_read_before_a_restart_says_nothing_after_it() {
        let epoch = |seq| {
            event(
                seq,
                Body::EpochStarted {
                    gap: Micros::from_secs(3),
                },
            )
        };
        let pong = |end: &mut MemberEnd, sent: u64, session: u64| {
            let t1 = SessionTime::from_millis(session);
            let ping = end.tick(at(sent), 0);
            assert!(!ping.is_empty(), "a ping is due");
            let t0 = at(sent);
            end.frame(at(sent + 2), ToMember::Pong { t0, t1, t2: t1 }, 0);
        };
        let report = Report {
            activity: None,
            drift: Some(Micros::ZERO),
            round_trip: None,
        };
        let mut end = member();
        end.start(at(0));
        end.connected(at(0));
        end.frame(at(0), welcome(4), 0);
        for frame in [opened(), epoch(2), joined_at(3)] {
            end.frame(at(1), frame, 0);
        }
        pong(&mut end, 10, 500);
        assert!(end.clock().estimate().is_some());
        end.disconnected(at(100), "gone".into(), 0);
        end.tick(at(20_000), 0);
        end.connected(at(20_000));
        end.frame(at(20_001), welcome(5), 0);
        end.frame(at(20_001), epoch(4), 0);
        assert!(end.is_live() && end.clock().estimate().is_none());
        let told = end.report(at(20_002), report);
        assert!(
            matches!(
                told[..],
                [Effect::Send(ToRoom::Report(Report { drift: None, .. }))]
            ),
            "{told:?}"
        );
        pong(&mut end, 20_010, 90_000);
        let told = end.report(at(20_020), report);
        assert!(
            matches!(
                told[..],
                [Effect::Send(ToRoom::Report(Report { drift: Some(_), .. }))]
            ),
            "{told:?}"
        );
    }

    #[test]
    fn a_host_nobody_ever_reached_is_given_up_soon() {
        let mut end = member();
        end.start(at(0));
        for _ in 1..FIRST_DIALS_MAX {
            let effects = end.disconnected(at(0), "nobody".into(), 0);
            assert_eq!(effects, [Effect::Lost("nobody".into())]);
            end.tick(end.deadline().unwrap(), 0);
        }
        let effects = end.disconnected(at(0), "nobody".into(), 0);
        assert_eq!(effects, [Effect::Over("nobody".into())]);
    }

    #[test]
    fn a_silent_room_is_dialled_again_and_an_idle_member_keeps_speaking() {
        let mut end = member();
        end.start(at(0));
        end.connected(at(0));
        end.frame(at(0), welcome(1), 0);
        let mut pings = 0;
        loop {
            let due = end.deadline().unwrap();
            let effects = end.tick(due, 0);
            if effects.contains(&Effect::HangUp) {
                assert_eq!(due, at(0) + SILENCE_MAX);
                break;
            }
            pings += effects
                .iter()
                .filter(|effect| matches!(effect, Effect::Send(ToRoom::Ping { .. })))
                .count();
            assert!(pings < 100, "a busy loop");
        }
        assert!(
            pings >= 10,
            "a burst for the clock, then heartbeats: {pings}"
        );
    }

    #[test]
    fn a_member_waits_for_a_host_whose_disk_is_full() {
        // Found by tests/crash.rs, power cuts from seed 1: they were gone for good.
        let mut end = member();
        end.start(at(0));
        end.connected(at(0));
        end.frame(at(1), welcome(2), 0);
        end.disconnected(at(2), "gone".into(), 0);
        end.tick(end.deadline().unwrap(), 0);
        end.connected(at(1_000));
        let reason = "the disk is full".into();
        let full = Refused::new(None, Refusal::ReadOnly { reason });
        let effects = end.frame(at(1_001), ToMember::Refused(full.clone()), 0);
        assert_eq!(effects, [Effect::HangUp, Effect::Lost(full.sentence)]);
        let effects = end.tick(end.deadline().unwrap(), 0);
        assert_eq!(effects, [Effect::Dial]);
    }

    #[test]
    fn a_refused_hello_ends_it_with_the_reason() {
        let mut end = member();
        end.start(at(0));
        end.connected(at(0));
        let effects = end.frame(
            at(1),
            ToMember::Refused(Refused::new(None, Refusal::BadInvite)),
            0,
        );
        assert!(matches!(effects.last(), Some(Effect::Over(_))));
        assert_eq!(end.deadline(), None);
    }
}
