//! Decides: an intent becomes events, or a refusal.
//!
//! There is one sequencer per session at a time. It owns the state it decides
//! on, stamps and numbers what it accepts, and remembers what it refused, so
//! that a retried intent gets the same answer and never a second event. It does
//! no IO: its caller appends what it returns, and publishes only after that.
//!
//! [`authorise`] is a pure function of (state, author, intent), [`decide()`] one
//! of (scene, author, ask); every intent goes through both. What time alone
//! brings (a wait that expires, a grant that ends, a host who stays away) comes
//! out of [`Sequencer::tick`], which wants to be called at
//! [`Sequencer::deadline`] and calls itself before everything else.

mod audience;
mod authority;
mod decide;
mod entry;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
mod unable;

pub use audience::{Audience, BUDGET_HOLDS, BUDGET_TIME, BUDGET_WINDOW, STABLE_MIN, STALL_MIN};
pub use authority::authorise;
pub use decide::{
    AD_WAIT_MAX, CHOICES, COUNTDOWN, Decision, LOAD_WAIT_MAX, QUEUE_MAX, READY_WAIT_MAX,
    SEEK_WAIT_MAX, STALL_WAIT_MAX, Scene, decide,
};

pub use entry::{Gate, KNOCKS_MAX, KnockAnswer, Way, gate};

use std::collections::BTreeMap;

use crate::engine::clock::stamp::Lamport;
use crate::engine::event::{
    Body, Client, Departure, Event, Header, HoldEnd, HoldReason, Role, Suspension, Tally, Via,
};
use crate::engine::fold::RoomState;
use crate::engine::fold::entrance::OWN_LINK;
use crate::engine::fold::roster::Known;
use crate::engine::id::{Epoch, IntentId, MemberId, Seq, SessionId, Stamp};
use crate::engine::intent::{Aim, Ask, Intent, Refusal};
use crate::engine::presence::{Activity, Report};
use crate::engine::text::{Name, Reaction, Title};
use crate::engine::unit::{MediaTime, Micros, SessionTime};
use decide::name_is_free;
use entry::Knocks;

/// A host that was gone no longer than this finds its film still running: a restart, not a walk.
pub const RESTART_GAP_MAX: Micros = Micros::from_secs(30);

/// A host who stays away longer is followed by the co-host who is here longest: what a
/// restart may take.
pub const SUCCESSION_WAIT: Micros = Micros::from_secs(30);

/// The least and the most a start is scheduled ahead: room for a
/// quiet LAN's jitter; and the longest wait that still feels like pressing play.
pub const LEAD_MIN: Micros = Micros::from_millis(100);
/// See [`LEAD_MIN`].
pub const LEAD_MAX: Micros = Micros::from_millis(1_500);

/// Reactions are told once for so long: a party that cheers is one event a second.
pub const REACTIONS_EVERY: Micros = Micros::from_secs(1);
/// Reactions of one member within that time; more is a cat on the keyboard.
pub const REACTIONS_EACH: u32 = 5;
/// Different reactions within that time.
const REACTION_KINDS: usize = 24;
/// Members named beside a reaction.
const REACTION_NAMES: usize = 8;

/// Answers without an event remembered for retries, per member: more than a client has in flight.
const MEMOS_KEPT: usize = 32;

/// The moment of a decision: session time to decide with, wall time to write beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Now, in the session.
    pub at: SessionTime,
    /// Now, in milliseconds since 1970, for people.
    pub wall: u64,
}

/// What the room answers to an intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Accepted, now or before: its first event, or the latest one when everything was already so.
    Accepted(Seq),
    /// Refused.
    Refused(Refusal),
}

/// What became of an intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Append these, then publish them; they hold what time brought meanwhile, too.
    pub events: Vec<Event>,
    /// Then answer this.
    pub answer: Answer,
}

/// Somebody whose link and name were checked, at the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrant {
    /// Who they are, when they came back with proof; `None` for a newcomer.
    pub member: Option<MemberId>,
    /// What they want to be called; one who comes back keeps the name they had.
    pub name: Name,
    /// What their link lets them do.
    pub role: Role,
    /// By what they take part.
    pub client: Client,
}

/// How far ahead a start is scheduled: twice the worst round trip of those waited for, and a little.
pub fn lead(worst_round_trip: Micros) -> Micros {
    let lead = worst_round_trip + worst_round_trip + Micros::from_millis(50);
    lead.clamp(LEAD_MIN, LEAD_MAX)
}

/// Reactions since `since`, not yet written.
#[derive(Clone, Debug)]
struct Cheer {
    since: SessionTime,
    moment: MediaTime,
    tallies: Vec<Tally>,
    by_member: BTreeMap<MemberId, u32>,
}

/// The single writer of one session's order.
#[derive(Clone, Debug)]
pub struct Sequencer {
    state: RoomState,
    epoch: Epoch,
    lamport: Lamport,
    /// Answers that left no event: refusals, and accepted intents that found everything as they wanted it.
    memos: BTreeMap<MemberId, BTreeMap<u64, Option<Refusal>>>,
    audience: Audience,
    cheer: Option<Cheer>,
    knocks: Knocks,
    /// How far ahead a start was scheduled last; what time brings uses the same.
    lead: Micros,
    /// When time brings something next, once it was looked up since the last change.
    due: Option<Option<SessionTime>>,
    /// What present members' names look like, as far as it was worked out: a party that comes in
    /// at once would work it out for each of them again.
    looks: BTreeMap<MemberId, (Name, String)>,
}

impl Sequencer {
    fn new(state: RoomState, epoch: Epoch, lamport: Lamport) -> Self {
        Self {
            state,
            epoch,
            lamport,
            memos: BTreeMap::new(),
            audience: Audience::default(),
            cheer: None,
            knocks: Knocks::default(),
            lead: LEAD_MIN,
            due: None,
            looks: BTreeMap::new(),
        }
    }

    /// Opens a new session.
    pub fn open(session: SessionId, title: Title, now: Moment) -> (Self, Vec<Event>) {
        let mut this = Self::new(RoomState::default(), Epoch::new(1), Lamport::default());
        let bodies = vec![
            Body::Opened { session, title },
            Body::EpochStarted { gap: Micros::ZERO },
        ];
        let events = this.record(None, None, None, bodies, now);
        (this, events)
    }

    /// Takes over a session whose log folds to `state` and that was last alive at `alive`.
    ///
    /// `now.at` must continue the session's time by the gap. A film that ran goes on as
    /// if nothing had happened when the gap is at most [`RESTART_GAP_MAX`]; else it
    /// stands where it was when the session was last alive. A wait ends either way: its
    /// players are gone.
    pub fn resume(state: RoomState, alive: SessionTime, now: Moment) -> (Self, Vec<Event>) {
        let alive = alive.max(state.at);
        let now = Moment {
            at: now.at.max(alive),
            ..now
        };
        let gap = now.at - alive;
        let (epoch, lamport) = (state.epoch.next(), Lamport::after(state.stamp));
        let mut this = Self::new(state, epoch, lamport);
        let mut bodies = vec![Body::EpochStarted { gap }];
        let timeline = &this.state.timeline;
        match &this.state.hold {
            Some(hold) => {
                let goes_on = gap <= RESTART_GAP_MAX && hold.reason != HoldReason::ReadyCheck;
                bodies.push(Body::HoldEnded {
                    how: HoldEnd::Restarted,
                    start: goes_on.then_some(now.at + LEAD_MAX),
                    missing: hold.waiting.clone(),
                });
            }
            None if gap > RESTART_GAP_MAX && timeline.anchor.playing => {
                bodies.push(Body::Paused {
                    position: timeline.position(alive),
                });
            }
            None => {}
        }
        let events = this.record(None, None, None, bodies, now);
        (this, events)
    }

    /// The state after everything accepted so far, durable or about to be.
    pub fn state(&self) -> &RoomState {
        &self.state
    }

    /// Judges one intent of one member, as their connection proves them to be.
    pub fn ask(
        &mut self,
        by: MemberId,
        ask: &Ask,
        now: Moment,
        worst_round_trip: Micros,
    ) -> Outcome {
        let now = self.not_before(now);
        let mut events = self.tick(now);
        self.lead = lead(worst_round_trip);
        let answer = match self.answered(by, ask.counter) {
            Some(answer) => answer,
            None => self.judge(by, ask, now, &mut events),
        };
        Outcome { events, answer }
    }

    /// The answer an intent of that number was given before.
    fn answered(&self, member: MemberId, counter: u64) -> Option<Answer> {
        match self.state.roster.known(IntentId { member, counter }) {
            Known::Done(seq) => return Some(Answer::Accepted(seq)),
            Known::Forgotten => return Some(Answer::Refused(Refusal::TooOld)),
            Known::New => {}
        }
        let memo = self.memos.get(&member)?.get(&counter)?;
        Some(
            memo.clone()
                .map_or(Answer::Accepted(self.state.seq), Answer::Refused),
        )
    }

    fn judge(&mut self, by: MemberId, ask: &Ask, now: Moment, events: &mut Vec<Event>) -> Answer {
        let decided = authorise(&self.state, by, &ask.intent)
            .and_then(|()| match ask.intent {
                Intent::AnswerKnock { knock, let_in } => self.knocks.answer(knock, let_in),
                _ => decide(&self.scene(now.at), by, ask),
            })
            .and_then(|decision| self.note(by, &ask.intent, now.at).map(|()| decision));
        let id = IntentId {
            member: by,
            counter: ask.counter,
        };
        match decided {
            Ok(decision) => {
                let first = self.state.tail();
                let Decision { cause, bodies } = decision;
                let is_new = !bodies.is_empty();
                if is_new {
                    events.extend(self.record(Some(by), Some(ask), cause, bodies, now));
                } else {
                    self.remember(id, None);
                }
                if let Intent::AnswerKnock { knock, let_in } = ask.intent {
                    self.knocks.answered(knock, let_in, first);
                }
                self.settle(now, events);
                Answer::Accepted(if is_new { first } else { self.state.seq })
            }
            Err(refusal) => {
                self.remember(id, Some(refusal.clone()));
                Answer::Refused(refusal)
            }
        }
    }

    /// Takes in what an accepted intent tells besides its events.
    fn note(&mut self, by: MemberId, intent: &Intent, now: SessionTime) -> Result<(), Refusal> {
        match intent {
            Intent::Ready { item, generation } => {
                let aim = Aim {
                    item: *item,
                    generation: *generation,
                };
                self.audience.ready(by, aim, now);
                self.due = None;
                Ok(())
            }
            Intent::React { reaction } => self.cheer(by, reaction, now),
            _ => Ok(()),
        }
    }

    fn cheer(&mut self, by: MemberId, reaction: &str, now: SessionTime) -> Result<(), Refusal> {
        let reaction = Reaction::new(reaction).map_err(|bad| Refusal::BadText {
            sentence: bad.to_string(),
        })?;
        let moment = self.state.timeline.position(now);
        let cheer = self.cheer.get_or_insert_with(|| Cheer {
            since: now,
            moment,
            tallies: Vec::new(),
            by_member: BTreeMap::new(),
        });
        let mine = cheer.by_member.entry(by).or_default();
        if *mine >= REACTIONS_EACH {
            return Err(Refusal::TooFast);
        }
        let place = cheer.tallies.iter().position(|it| it.reaction == reaction);
        match place {
            Some(place) => {
                let tally = &mut cheer.tallies[place];
                tally.count += 1;
                if tally.by.len() < REACTION_NAMES && !tally.by.contains(&by) {
                    tally.by.push(by);
                }
            }
            None if cheer.tallies.len() >= REACTION_KINDS => return Err(Refusal::TooFast),
            None => cheer.tallies.push(Tally {
                reaction,
                count: 1,
                by: vec![by],
            }),
        }
        *mine += 1;
        self.due = None;
        Ok(())
    }

    /// Lets somebody in. One who comes back keeps their number, name and role.
    ///
    /// # Errors
    /// [`Refusal::NameTaken`] and [`Refusal::Banned`]; nothing happened.
    pub fn join(
        &mut self,
        entrant: Entrant,
        now: Moment,
    ) -> Result<(MemberId, Vec<Event>), Refusal> {
        self.join_by(entrant, OWN_LINK, None, now)
    }

    /// Like [`Sequencer::join`], by a link that was made for it, and maybe let in by `cause`.
    ///
    /// # Errors
    /// As [`Sequencer::join`].
    pub fn join_by(
        &mut self,
        entrant: Entrant,
        link: Seq,
        cause: Option<Seq>,
        now: Moment,
    ) -> Result<(MemberId, Vec<Event>), Refusal> {
        let returning = entrant
            .member
            .and_then(|id| Some((id, self.state.roster.get(id)?.clone())));
        let shut_out = match &returning {
            Some((_, member)) => member.banned,
            None => self.is_shut_out(&entrant.name),
        };
        if shut_out {
            return Err(Refusal::Banned);
        }
        let (id, name, role) = match returning {
            // Still here: their old connection hangs; the new one takes its place without a word.
            Some((id, member)) if member.present => return Ok((id, Vec::new())),
            Some((id, member)) => {
                let name = if name_is_free(&self.state, &member.name, Some(id)).is_ok() {
                    member.name
                } else {
                    entrant.name
                };
                (id, name, member.role)
            }
            // One host at a time: the key that hosts opens the door once, then its member has it.
            None if entrant.role == Role::Host && self.state.roster.host().is_some() => {
                (self.state.roster.next_id(), entrant.name, Role::CoHost)
            }
            None => (self.state.roster.next_id(), entrant.name, entrant.role),
        };
        self.name_is_free(&name, id)?;
        // Nothing refuses from here on: what time brings is in the state now and must be written.
        let mut events = self.tick(now);
        let is_new = self.state.roster.get(id).is_none();
        let mut bodies = vec![Body::Joined {
            member: id,
            name,
            // Time may just have given the party another host.
            role: self.state.roster.role(id).unwrap_or(role),
            client: entrant.client,
        }];
        if is_new && link != OWN_LINK {
            let (invite, member) = (link, id);
            bodies.push(Body::InviteUsed { invite, member });
        }
        events.extend(self.record(Some(id), None, cause, bodies, now));
        Ok((id, events))
    }

    /// As [`name_is_free`], with what names look like remembered.
    fn name_is_free(&mut self, name: &Name, except: MemberId) -> Result<(), Refusal> {
        let look = name.skeleton();
        for (id, member) in self.state.roster.present() {
            if id == except {
                continue;
            }
            let known = self.looks.get(&id).filter(|known| known.0 == member.name);
            let is_alike = match known {
                Some((_, known)) => *known == look,
                None => {
                    let found = member.name.skeleton();
                    let is_alike = found == look;
                    self.looks.insert(id, (member.name.clone(), found));
                    is_alike
                }
            };
            if is_alike {
                return Err(Refusal::NameTaken {
                    name: member.name.to_string(),
                });
            }
        }
        Ok(())
    }

    /// Whether a newcomer of that name is refused: without their token somebody shut out is a
    /// stranger, and the name they were known by stays shut out.
    pub fn is_shut_out(&self, name: &Name) -> bool {
        let skeleton = name.skeleton();
        let mut all = self.state.roster.iter();
        all.any(|(_, member)| member.banned && member.name.skeleton() == skeleton)
    }

    /// Somebody at the door wants to be let in. Returns the number they are answered by.
    ///
    /// # Errors
    /// [`Refusal::DoorCrowded`].
    pub fn knock(&mut self, name: Name) -> Result<u64, Refusal> {
        self.knocks.arrive(name)
    }

    /// Somebody at the door went away.
    pub fn unknock(&mut self, knock: u64) {
        self.knocks.go(knock);
    }

    /// What moderators answered those at the door since this was asked last.
    pub fn knocks_answered(&mut self) -> Vec<KnockAnswer> {
        self.knocks.take_answers()
    }

    /// Notes that somebody went. Nothing happens when they already had.
    pub fn leave(&mut self, member: MemberId, reason: Departure, now: Moment) -> Vec<Event> {
        if self
            .state
            .roster
            .get(member)
            .is_none_or(|member| !member.present)
        {
            return Vec::new();
        }
        let mut events = self.tick(now);
        let left = vec![Body::Left { member, reason }];
        events.extend(self.record(Some(member), None, None, left, now));
        self.settle(now, &mut events);
        events
    }

    /// Takes in what a member's player does. Most of the time nothing follows from it.
    pub fn observe(&mut self, member: MemberId, report: &Report, now: Moment) -> Vec<Event> {
        let now = self.not_before(now);
        let Some(before) = self.audience.observe(member, report.activity, now.at) else {
            return Vec::new();
        };
        self.due = None;
        let mut events = self.tick(now);
        let known = self.state.roster.get(member);
        let Some(suspended) = known.filter(|it| it.present).map(|it| it.suspended) else {
            return events;
        };
        let by_player = |activity| match activity {
            Some(Activity::Advert) => Some(Suspension::Ad),
            Some(Activity::NeedsClick) => Some(Suspension::NeedsClick),
            // A stall counts only once it lasts: that is the clock's to bring.
            _ => None,
        };
        let body = match (suspended, by_player(report.activity)) {
            // What people chose, only people end.
            (Some(Suspension::Detached | Suspension::CannotPlay), _) => None,
            (known, Some(reason)) if known != Some(reason) => {
                Some(Body::Suspended { member, reason })
            }
            (Some(Suspension::Ad | Suspension::NeedsClick), None) => {
                Some(Body::Returned { member })
            }
            (Some(Suspension::Stall), None) if before == Some(Activity::Stalled) => {
                Some(Body::Returned { member })
            }
            _ => None,
        };
        if let Some(body) = body {
            let is_ad = matches!(
                body,
                Body::Suspended {
                    reason: Suspension::Ad,
                    ..
                }
            );
            events.extend(self.record(Some(member), None, None, vec![body], now));
            if is_ad {
                self.wait_for(member, HoldReason::Ad, now, &mut events);
            }
        }
        self.settle(now, &mut events);
        events
    }

    /// The host's machine stood still from `alive` to `now`: its film stands where it was then.
    pub fn gap(&mut self, alive: SessionTime, now: Moment) -> Vec<Event> {
        let now = self.not_before(now);
        let gap = now.at - alive.min(now.at);
        let mut bodies = vec![Body::HostGap { gap }];
        if self.state.timeline.anchor.playing || self.state.hold.is_some() {
            bodies.push(Body::Paused {
                position: self.state.timeline.position(alive),
            });
        }
        self.record(None, None, None, bodies, now)
    }

    /// When [`Sequencer::tick`] wants to be called, if nothing else happens before.
    pub fn deadline(&mut self) -> Option<SessionTime> {
        if let Some(due) = self.due {
            return due;
        }
        let due = self.find_due();
        self.due = Some(due);
        due
    }

    /// Time passed: what it brings, if anything.
    pub fn tick(&mut self, now: Moment) -> Vec<Event> {
        let now = self.not_before(now);
        let mut events = Vec::new();
        while self.deadline().is_some_and(|due| due <= now.at) {
            self.due = None;
            let before = (self.state.seq, self.find_due());
            self.rulings_end(now, &mut events);
            self.wait_expires(now, &mut events);
            self.cheer_is_told(now, &mut events);
            self.stalls_are_judged(now, &mut events);
            self.patience_returns(now, &mut events);
            self.host_is_followed(now, &mut events);
            self.settle(now, &mut events);
            if before == (self.state.seq, self.find_due()) {
                debug_assert!(false, "what is due was not done: {before:?}");
                break; // never spin
            }
        }
        events
    }

    fn find_due(&self) -> Option<SessionTime> {
        let people = self.state.roster.iter().flat_map(|(id, member)| {
            let rulings = member.rulings.values().filter_map(|ruling| ruling.until);
            let seat = self.audience.get(id).filter(|_| member.present);
            let patience = seat
                .filter(|seat| !member.awaited && seat.stalled.is_none())
                .map(|seat| seat.stable + STABLE_MIN);
            rulings.chain(patience)
        });
        let stalls = self
            .audience
            .iter()
            .filter(|(_, seat)| !seat.judged)
            .filter_map(|(_, seat)| Some(seat.stalled? + STALL_MIN));
        let hold = self.state.hold.as_ref().map(|hold| hold.deadline);
        let cheer = self
            .cheer
            .as_ref()
            .map(|cheer| cheer.since + REACTIONS_EVERY);
        let succession = self.heir().map(|(since, _)| since + SUCCESSION_WAIT);
        people
            .chain(stalls)
            .chain(hold)
            .chain(cheer)
            .chain(succession)
            .min()
    }

    fn rulings_end(&mut self, now: Moment, events: &mut Vec<Event>) {
        let ended: Vec<_> = self
            .state
            .roster
            .iter()
            .flat_map(|(member, known)| {
                known
                    .rulings
                    .iter()
                    .filter(|(_, ruling)| ruling.until.is_some_and(|until| until <= now.at))
                    .map(move |(action, _)| Body::Ruled {
                        member,
                        action: *action,
                        allow: None,
                        until: None,
                    })
            })
            .collect();
        for body in ended {
            events.extend(self.record(None, None, None, vec![body], now));
        }
    }

    fn wait_expires(&mut self, now: Moment, events: &mut Vec<Event>) {
        let Some(hold) = &self.state.hold else { return };
        if hold.deadline > now.at {
            return;
        }
        // Nobody wants a film to start without those who did not answer: it stays where it stands.
        let goes_on = hold.reason != HoldReason::ReadyCheck;
        self.end_wait(HoldEnd::Expired, goes_on, now, events);
    }

    fn cheer_is_told(&mut self, now: Moment, events: &mut Vec<Event>) {
        let due = |cheer: &Cheer| cheer.since + REACTIONS_EVERY <= now.at;
        let Some(cheer) = self.cheer.take_if(|cheer| due(cheer)) else {
            return;
        };
        if cheer.tallies.is_empty() {
            return;
        }
        let told = Body::Reacted {
            moment: cheer.moment,
            tallies: cheer.tallies,
        };
        events.extend(self.record(None, None, None, vec![told], now));
    }

    fn stalls_are_judged(&mut self, now: Moment, events: &mut Vec<Event>) {
        let lasting: Vec<_> = self
            .audience
            .iter()
            .filter(|(_, seat)| !seat.judged)
            .filter(|(_, seat)| {
                seat.stalled
                    .is_some_and(|since| since + STALL_MIN <= now.at)
            })
            .map(|(member, _)| member)
            .collect();
        for member in lasting {
            self.audience.judged(member);
            self.due = None;
            let anchor = self.state.timeline.anchor;
            let known = self.state.roster.get(member);
            let follows = known.is_some_and(|it| it.present && it.suspended.is_none())
                && !self.state.unable.contains(member);
            // While the film stands nobody misses anything.
            if !follows || !anchor.playing || now.at < anchor.at {
                continue;
            }
            let reason = Suspension::Stall;
            let body = Body::Suspended { member, reason };
            events.extend(self.record(Some(member), None, None, vec![body], now));
            self.wait_for(member, HoldReason::Stall, now, events);
        }
    }

    /// The room waits for a member in trouble, if its rules, its size and their patience allow.
    fn wait_for(
        &mut self,
        member: MemberId,
        reason: HoldReason,
        now: Moment,
        events: &mut Vec<Event>,
    ) {
        let state = &self.state;
        let trouble = match reason {
            HoldReason::Ad => Suspension::Ad,
            _ => Suspension::Stall,
        };
        let players = |wanted: Option<Suspension>| {
            let present = state.roster.present();
            present
                .filter(|(id, _)| self.audience.has_player(*id))
                .filter(|(_, known)| wanted.is_none() || known.suspended == wanted)
                .count()
        };
        // A quarter of the players may hold up the rest by stalling, half by advertisements: else most never see a film.
        let cap = match reason {
            HoldReason::Ad => players(None) / 2,
            _ => players(None) / 4,
        };
        let awaited = state.roster.get(member).is_some_and(|it| it.awaited);
        let runs = state.timeline.anchor.playing && state.hold.is_none();
        if !awaited
            || !runs
            || state.unable.contains(member)
            || !state.rules.waits_for(reason)
            || players(Some(trouble)) > cap.max(1)
        {
            return;
        }
        let wait = match reason {
            HoldReason::Ad => AD_WAIT_MAX,
            _ => STALL_WAIT_MAX,
        };
        let body = Body::HoldStarted {
            reason,
            position: state.timeline.position(now.at),
            deadline: now.at + wait,
            waiting: vec![member],
        };
        let cause = Some(self.state.seq);
        events.extend(self.record(None, None, cause, vec![body], now));
    }

    fn patience_returns(&mut self, now: Moment, events: &mut Vec<Event>) {
        let stable: Vec<_> = self
            .state
            .roster
            .present()
            .filter(|(_, known)| !known.awaited)
            .filter_map(|(id, _)| Some((id, self.audience.get(id)?)))
            .filter(|(_, seat)| seat.stalled.is_none() && seat.stable + STABLE_MIN <= now.at)
            .map(|(id, _)| id)
            .collect();
        for member in stable {
            let awaited = true;
            let body = Body::Awaited { member, awaited };
            events.extend(self.record(None, None, None, vec![body], now));
        }
    }

    /// Since when the host is away, and who follows: the co-host who is here longest.
    fn heir(&self) -> Option<(SessionTime, MemberId)> {
        let (_, host) = self.state.roster.host()?;
        let heir = self.state.roster.longest_here(Role::CoHost)?;
        (!host.present).then_some((host.since, heir))
    }

    fn host_is_followed(&mut self, now: Moment, events: &mut Vec<Event>) {
        if let Some((since, member)) = self.heir()
            && since + SUCCESSION_WAIT <= now.at
        {
            let body = Body::HostChanged { member };
            events.extend(self.record(None, None, None, vec![body], now));
        }
    }

    /// What follows at once from what just happened: a wait nobody is waited for in, a skip that has its votes.
    fn settle(&mut self, now: Moment, events: &mut Vec<Event>) {
        let now = self.not_before(now);
        if self.state.hold.is_some() && self.scene(now.at).still_missing().is_empty() {
            self.end_wait(HoldEnd::Ready, true, now, events);
        }
        let cast = self.state.skips_cast();
        if cast > 0 && cast >= self.state.skips_needed() {
            let running = self.state.timeline.anchor.playing || self.state.hold.is_some();
            if let Ok(bodies) = self.scene(now.at).go_on(running) {
                let cause = Some(self.state.seq);
                events.extend(self.record(None, None, cause, bodies, now));
            }
        }
    }

    fn end_wait(&mut self, how: HoldEnd, goes_on: bool, now: Moment, events: &mut Vec<Event>) {
        let missing = self.scene(now.at).still_missing();
        let Some(hold) = self.state.hold.clone() else {
            return;
        };
        let lead = match hold.reason {
            HoldReason::ReadyCheck => COUNTDOWN,
            _ => self.lead,
        };
        let body = Body::HoldEnded {
            how,
            start: goes_on.then_some(now.at + lead),
            missing: missing.clone(),
        };
        events.extend(self.record(None, None, Some(hold.seq), vec![body], now));
        // Loading takes everybody a while; only who lets the room wait in vain, or in the middle of a film, pays for it.
        let charged = match hold.reason {
            HoldReason::Stall | HoldReason::Ad => hold.waiting,
            HoldReason::Load | HoldReason::Seek => missing,
            HoldReason::ReadyCheck => Vec::new(),
        };
        let cause = Some(self.state.seq);
        for member in charged {
            let known = self.state.roster.get(member);
            let is_awaited = known.is_some_and(|it| it.present && it.awaited);
            if self.audience.charge(member, now.at - hold.since, now.at) && is_awaited {
                let awaited = false;
                let body = Body::Awaited { member, awaited };
                events.extend(self.record(None, None, cause, vec![body], now));
            }
        }
        self.audience.judge_anew(now.at);
    }

    fn scene(&self, now: SessionTime) -> Scene<'_> {
        Scene {
            state: &self.state,
            audience: &self.audience,
            now,
            lead: self.lead,
        }
    }

    /// Session time never runs backwards, whatever the caller's clock does.
    fn not_before(&self, now: Moment) -> Moment {
        Moment {
            at: now.at.max(self.state.at),
            ..now
        }
    }

    fn remember(&mut self, id: IntentId, memo: Option<Refusal>) {
        // Only for those who are or were here: a stranger leaves no trace.
        if self.state.roster.get(id.member).is_none() {
            return;
        }
        let of_member = self.memos.entry(id.member).or_default();
        of_member.insert(id.counter, memo);
        if of_member.len() > MEMOS_KEPT {
            of_member.pop_first();
        }
    }

    /// Numbers, stamps and folds each body: the only place where events are made.
    fn record(
        &mut self,
        by: Option<MemberId>,
        ask: Option<&Ask>,
        cause: Option<Seq>,
        bodies: Vec<Body>,
        now: Moment,
    ) -> Vec<Event> {
        let now = self.not_before(now);
        let mut cause = cause;
        let mut first = None;
        bodies
            .into_iter()
            .map(|body| {
                let seen = ask.map_or(Stamp::default(), |ask| ask.stamp);
                let seq = self.state.tail();
                let header = Header {
                    seq,
                    epoch: self.epoch,
                    stamp: self.lamport.next(seen),
                    at: now.at,
                    wall: now.wall,
                    by,
                    via: ask.map_or(Via::Auto, |ask| ask.via),
                    cause,
                    intent: ask.map(|ask| ask.counter),
                };
                // What one intent calls for besides its first event is caused by that.
                first = first.or(Some(seq));
                cause = first;
                self.watch(&body);
                let event = Event { header, body };
                self.state.apply(&event);
                event
            })
            .collect()
    }

    /// Keeps what is known of players in step with who is here, and looks up what is due anew where it may have changed.
    fn watch(&mut self, body: &Body) {
        match body {
            Body::EpochStarted { .. } => self.audience.clear(),
            Body::Left { member, .. }
            | Body::Kicked { member }
            | Body::Joined { member, .. }
            | Body::Banned { member, .. } => self.audience.gone(*member),
            Body::Said { .. } | Body::Replied { .. } | Body::Measured { .. } => return,
            _ => {}
        }
        self.due = None;
    }
}
