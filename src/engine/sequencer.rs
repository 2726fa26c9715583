//! Decides: an intent becomes events, or a refusal.
//!
//! There is one sequencer per session at a time. It owns the state it decides
//! on, stamps and numbers what it accepts, and remembers what it refused, so
//! that a retried intent gets the same answer and never a second event. It does
//! no IO: its caller appends what it returns, and publishes only after that.
//!
//! [`authorise`] and [`decide`] are pure functions of (state, author, intent,
//! time); every path into the log goes through them.

use std::collections::BTreeMap;

use crate::engine::clock::stamp::Lamport;
use crate::engine::event::{Body, Client, Departure, Event, Header, Role, Via};
use crate::engine::fold::RoomState;
use crate::engine::fold::roster::Known;
use crate::engine::id::{Epoch, IntentId, MemberId, Seq, SessionId, Stamp};
use crate::engine::intent::{Ask, Intent, Refusal};
use crate::engine::media;
use crate::engine::text::{Line, Name, Title};
use crate::engine::unit::{MediaTime, Micros, SessionTime};

/// A host that was gone no longer than this finds its film still running (DESIGN §3).
pub const RESTART_GAP_MAX: Micros = Micros::from_secs(30);

/// The least and the most a start is scheduled ahead (DESIGN §4): room for a
/// quiet LAN's jitter; and the longest wait that still feels like pressing play.
pub const LEAD_MIN: Micros = Micros::from_millis(100);
/// See [`LEAD_MIN`].
pub const LEAD_MAX: Micros = Micros::from_millis(1_500);

/// Answers without an event remembered for retries, per member: more than a client has in flight.
const MEMOS_KEPT: usize = 32;

/// Films longer than this are a mistake or an attack; live streams have no length at all.
const DURATION_MAX: Micros = Micros::from_secs(48 * 3_600);

/// The moment of a decision: session time to decide with, wall time to write beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Now, in the session.
    pub at: SessionTime,
    /// Now, in milliseconds since 1970, for people.
    pub wall: u64,
}

/// What became of an intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Accepted: append these, then publish them. May be empty: it was so already.
    Accepted(Vec<Event>),
    /// Accepted before, with this first event.
    Repeated(Seq),
    /// Refused.
    Refused(Refusal),
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

/// Whether this author may have this at all. Rules of sense are [`decide`]'s.
///
/// # Errors
/// [`Refusal::NotHere`] for strangers and the absent, [`Refusal::NotAllowed`] by role.
pub fn authorise(state: &RoomState, by: MemberId, intent: &Intent) -> Result<(), Refusal> {
    let member = state
        .roster
        .get(by)
        .filter(|member| member.present)
        .ok_or(Refusal::NotHere)?;
    let (least, action) = match intent {
        Intent::Load { .. } => (Role::Guest, "choose what plays"),
        Intent::Play {} | Intent::Pause { .. } => (Role::Guest, "play or pause"),
        Intent::Seek { .. } => (Role::Guest, "move the film"),
        Intent::Rate { .. } => (Role::Guest, "change the speed"),
        Intent::Measure { .. } => (Role::Guest, "measure the film"),
        Intent::Say { .. } | Intent::Rename { .. } => (Role::Viewer, "talk"),
    };
    if member.role <= least {
        Ok(())
    } else {
        Err(Refusal::NotAllowed {
            action: action.to_owned(),
            role: member.role,
        })
    }
}

/// What an authorised ask becomes.
///
/// # Errors
/// The [`Refusal`] to answer with; then nothing happened.
pub fn decide(
    state: &RoomState,
    by: MemberId,
    ask: &Ask,
    now: SessionTime,
    lead: Micros,
) -> Result<Vec<Body>, Refusal> {
    let timeline = &state.timeline;
    if ask.intent.is_control() {
        aimed_at_now(state, ask)?;
    }
    let one = |body| Ok(vec![body]);
    match &ask.intent {
        Intent::Load { url } => {
            let found = media::parse(url).map_err(|no| Refusal::BadMedia {
                sentence: no.to_string(),
            })?;
            if let Some(host) = found.media.host()
                && state.roster.role(by) != Some(Role::Host)
                && !timeline.allows_host(host)
            {
                return Err(Refusal::HostNotAllowed {
                    host: host.to_owned(),
                });
            }
            one(Body::MediaSet {
                item: timeline.next_item(),
                media: found.media,
                title: None,
                start: found.start,
            })
        }
        Intent::Play {} => {
            if timeline.anchor.playing {
                return Ok(Vec::new());
            }
            one(Body::Played {
                position: timeline.position(now),
                start: now + lead,
            })
        }
        Intent::Pause { at } => {
            if !timeline.anchor.playing {
                return Ok(Vec::new());
            }
            let here = timeline.position(now);
            // The originator's frame, if it can be one: nobody's clock is further off than this.
            let position = at
                .filter(|frame| (*frame - here).abs() <= Micros::from_secs(2))
                .unwrap_or(here);
            one(Body::Paused { position })
        }
        Intent::Seek { to } => {
            within(*to, timeline.duration())?;
            let start = if timeline.anchor.playing {
                now + lead
            } else {
                now
            };
            one(Body::Seeked {
                position: *to,
                start,
            })
        }
        Intent::Rate { rate } => {
            if timeline.anchor.rate == *rate {
                return Ok(Vec::new());
            }
            one(Body::RateSet {
                rate: *rate,
                position: timeline.position(now),
            })
        }
        Intent::Say { text } => {
            let text = Line::new(text).map_err(|bad| Refusal::BadText {
                sentence: bad.to_string(),
            })?;
            one(Body::Said {
                text,
                moment: timeline.position(now),
            })
        }
        Intent::Rename { name } => {
            let name = Name::new(name).map_err(|bad| Refusal::BadText {
                sentence: bad.to_string(),
            })?;
            if state.roster.name(by) == name.as_str() {
                return Ok(Vec::new());
            }
            free(state, &name, Some(by))?;
            one(Body::Renamed { member: by, name })
        }
        Intent::Measure { item, duration } => {
            let known = timeline
                .item(*item)
                .ok_or(Refusal::UnknownItem { item: *item })?;
            if *duration < Micros::from_millis(1) || *duration > DURATION_MAX {
                return Err(Refusal::OutOfRange);
            }
            // The first player to tell is believed; later ones differ by ads and rounding.
            if known.duration.is_some() {
                Ok(Vec::new())
            } else {
                one(Body::Measured {
                    item: *item,
                    duration: *duration,
                })
            }
        }
    }
}

/// Refuses control over a film that is not on any more. Pause is always honoured: it is safe.
fn aimed_at_now(state: &RoomState, ask: &Ask) -> Result<(), Refusal> {
    let current = state.timeline.aim();
    if state.timeline.current().is_none() {
        return Err(Refusal::NothingLoaded);
    }
    match (&ask.intent, ask.aim) {
        (Intent::Pause { .. }, _) | (_, None) => Ok(()),
        (_, Some(aim)) if aim == current => Ok(()),
        (_, Some(aim)) => Err(Refusal::Stale {
            aimed: aim.generation,
            current: current.generation,
        }),
    }
}

fn within(position: MediaTime, duration: Option<Micros>) -> Result<(), Refusal> {
    let end = duration.map_or(MediaTime::ZERO + DURATION_MAX, |length| {
        MediaTime::ZERO + length
    });
    if position > end {
        Err(Refusal::PastEnd { end })
    } else {
        Ok(())
    }
}

fn free(state: &RoomState, name: &Name, except: Option<MemberId>) -> Result<(), Refusal> {
    match state.roster.holder_of(name, except) {
        Some(holder) => Err(Refusal::NameTaken {
            name: state.roster.name(holder).to_owned(),
        }),
        None => Ok(()),
    }
}

/// The single writer of one session's order.
#[derive(Clone, Debug)]
pub struct Sequencer {
    state: RoomState,
    epoch: Epoch,
    lamport: Lamport,
    /// Answers that left no event: refusals, and accepted intents that found everything as they wanted it.
    memos: BTreeMap<MemberId, BTreeMap<u64, Option<Refusal>>>,
}

impl Sequencer {
    /// Opens a new session.
    pub fn open(session: SessionId, title: Title, now: Moment) -> (Self, Vec<Event>) {
        let mut this = Self {
            state: RoomState::default(),
            epoch: Epoch::new(1),
            lamport: Lamport::default(),
            memos: BTreeMap::new(),
        };
        let bodies = vec![
            Body::Opened { session, title },
            Body::EpochStarted { gap: Micros::ZERO },
        ];
        let events = this.record(None, None, bodies, now);
        (this, events)
    }

    /// Takes over a session whose log folds to `state` and that was last alive at `alive`.
    ///
    /// `now.at` must continue the session's time by the gap. A film that ran goes on as
    /// if nothing had happened when the gap is at most [`RESTART_GAP_MAX`]; else it
    /// stands where it was when the session was last alive.
    pub fn resume(state: RoomState, alive: SessionTime, now: Moment) -> (Self, Vec<Event>) {
        let alive = alive.max(state.at);
        let now = Moment {
            at: now.at.max(alive),
            ..now
        };
        let gap = now.at - alive;
        let mut this = Self {
            epoch: state.epoch.next(),
            lamport: Lamport::after(state.stamp),
            state,
            memos: BTreeMap::new(),
        };
        let mut bodies = vec![Body::EpochStarted { gap }];
        if gap > RESTART_GAP_MAX && this.state.timeline.anchor.playing {
            bodies.push(Body::Paused {
                position: this.state.timeline.position(alive),
            });
        }
        let events = this.record(None, None, bodies, now);
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
    ) -> Answer {
        let id = IntentId {
            member: by,
            counter: ask.counter,
        };
        match self.state.roster.known(id) {
            Known::Done(seq) => return Answer::Repeated(seq),
            Known::Forgotten => return Answer::Refused(Refusal::TooOld),
            Known::New => {}
        }
        if let Some(memo) = self
            .memos
            .get(&by)
            .and_then(|of_member| of_member.get(&ask.counter))
        {
            return memo
                .clone()
                .map_or(Answer::Accepted(Vec::new()), Answer::Refused);
        }
        let lead = lead(worst_round_trip);
        let now = self.not_before(now);
        let decided = authorise(&self.state, by, &ask.intent)
            .and_then(|()| decide(&self.state, by, ask, now.at, lead));
        match decided {
            Ok(bodies) if bodies.is_empty() => {
                self.remember(id, None);
                Answer::Accepted(Vec::new())
            }
            Ok(bodies) => Answer::Accepted(self.record(Some(by), Some(ask), bodies, now)),
            Err(refusal) => {
                self.remember(id, Some(refusal.clone()));
                Answer::Refused(refusal)
            }
        }
    }

    /// Lets somebody in. One who comes back keeps their number, name and role.
    ///
    /// # Errors
    /// [`Refusal::NameTaken`]; nothing happened.
    pub fn join(
        &mut self,
        entrant: Entrant,
        now: Moment,
    ) -> Result<(MemberId, Vec<Event>), Refusal> {
        let returning = entrant
            .member
            .and_then(|id| Some((id, self.state.roster.get(id)?.clone())));
        let (id, name, role) = match returning {
            // Still here: their old connection hangs; the new one takes its place without a word.
            Some((id, member)) if member.present => return Ok((id, Vec::new())),
            Some((id, member)) => {
                let name = if free(&self.state, &member.name, Some(id)).is_ok() {
                    member.name
                } else {
                    entrant.name
                };
                (id, name, member.role)
            }
            None => (self.state.roster.next_id(), entrant.name, entrant.role),
        };
        free(&self.state, &name, Some(id))?;
        let body = Body::Joined {
            member: id,
            name,
            role,
            client: entrant.client,
        };
        let events = self.record(Some(id), None, vec![body], now);
        Ok((id, events))
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
        self.record(Some(member), None, vec![Body::Left { member, reason }], now)
    }

    /// Session time never runs backwards, whatever the caller's clock does.
    fn not_before(&self, now: Moment) -> Moment {
        Moment {
            at: now.at.max(self.state.at),
            ..now
        }
    }

    fn remember(&mut self, id: IntentId, memo: Option<Refusal>) {
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
        bodies: Vec<Body>,
        now: Moment,
    ) -> Vec<Event> {
        let now = self.not_before(now);
        let mut first: Option<Seq> = None;
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
                    // What one intent calls for besides its first event is caused by that.
                    cause: first,
                    intent: ask.map(|ask| ask.counter),
                };
                first = first.or(Some(seq));
                let event = Event { header, body };
                self.state.apply(&event);
                event
            })
            .collect()
    }
}
