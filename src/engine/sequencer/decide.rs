//! What an authorised intent becomes: pure, given the state, the players and the time.

use crate::engine::event::{Action, Body, Choice, HoldEnd, HoldReason, Repeat, Role};
use crate::engine::fold::RoomState;
use crate::engine::fold::entrance::{INVITES_MAX, OWN_LINK};
use crate::engine::fold::history::Remedy;
use crate::engine::id::{ItemId, MemberId, Seq};
use crate::engine::intent::{Ask, Intent, Refusal};
use crate::engine::media::{self, Found};
use crate::engine::text::{Line, Name, Reaction, Title};
use crate::engine::unit::{MediaTime, Micros, SessionTime};

use super::audience::Audience;
use super::unable;

/// How long the room waits for a film to load. A guess.
pub const LOAD_WAIT_MAX: Micros = Micros::from_secs(8);
/// How long it waits for players to reach another place.
pub const SEEK_WAIT_MAX: Micros = Micros::from_secs(4);
/// How long it waits for a stall to heal (Silo).
pub const STALL_WAIT_MAX: Micros = Micros::from_secs(10);
/// How long it waits for an advertisement to pass.
pub const AD_WAIT_MAX: Micros = Micros::from_secs(60);
/// How long people have to say that they are ready.
pub const READY_WAIT_MAX: Micros = Micros::from_secs(60);
/// Three, two, one.
pub const COUNTDOWN: Micros = Micros::from_secs(3);
/// Items that wait at most: a long weekend.
pub const QUEUE_MAX: usize = 200;
/// What a poll offers, at least and at most.
pub const CHOICES: std::ops::RangeInclusive<usize> = 2..=8;
/// A poll's bytes at most, so that its event stays below what a reader accepts.
const POLL_BYTES_MAX: usize = 6 * 1024;
/// The longest a grant, a mute or slow mode is given for: past it, it is for good.
const RULING_MAX: Micros = Micros::from_secs(7 * 24 * 3_600);
/// The longest slow mode: a line every five minutes is silence.
const SLOW_MAX: Micros = Micros::from_secs(300);
/// Players tell the end of a film a little before or after its length says so.
const END_NEAR: Micros = Micros::from_secs(3);
/// A pause's frame is believed when it is this near to where the room is: no clock is further off.
const FRAME_NEAR: Micros = Micros::from_secs(2);
/// Films longer than this are a mistake or an attack; live streams have no length at all.
const DURATION_MAX: Micros = Micros::from_secs(48 * 3_600);
/// The longest a link is made for: past it, it is for good.
const INVITE_LASTS_MAX: Micros = Micros::from_secs(30 * 24 * 3_600);
/// Open links of one guest: nobody fills the list for everybody.
const INVITES_EACH_MAX: usize = 4;
/// Members named in one wait at most, so that its event stays small.
const WAITING_MAX: usize = 1_000;

/// What decisions depend on besides the intent.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What is true.
    pub state: &'a RoomState,
    /// What players do.
    pub audience: &'a Audience,
    /// When.
    pub now: SessionTime,
    /// How far ahead a start is scheduled.
    pub lead: Micros,
}

/// What to write: nothing, when everything is so already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The event that the first of them answers: of an undo, the one taken back.
    pub cause: Option<Seq>,
    /// What happens, in order.
    pub bodies: Vec<Body>,
}

impl From<Vec<Body>> for Decision {
    fn from(bodies: Vec<Body>) -> Self {
        Self {
            cause: None,
            bodies,
        }
    }
}

/// What an authorised ask becomes.
///
/// # Errors
/// The [`Refusal`] to answer with; then nothing happened.
pub fn decide(scene: &Scene<'_>, by: MemberId, ask: &Ask) -> Result<Decision, Refusal> {
    if let Intent::Undo { seq } = &ask.intent {
        return scene.undo(*seq);
    }
    scene.bodies(by, ask).map(Decision::from)
}

impl Scene<'_> {
    fn bodies(&self, by: MemberId, ask: &Ask) -> Result<Vec<Body>, Refusal> {
        let Self { state, now, .. } = *self;
        let timeline = &state.timeline;
        if ask.intent.is_control() {
            self.aimed_at_now(ask)?;
        }
        let nothing = Ok(Vec::new());
        let one = |body| Ok(vec![body]);
        match &ask.intent {
            Intent::Load { url } => {
                let found = self.found(by, url)?;
                one(Body::MediaSet {
                    item: timeline.next_item(),
                    media: found.media,
                    title: None,
                    start: found.start,
                })
            }
            Intent::Play {} => Ok(self.play()),
            Intent::Pause { at } => {
                if !self.is_running() {
                    return nothing;
                }
                // A frame of another generation says nothing about this one.
                let current = ask.aim.is_none_or(|aim| aim == timeline.aim());
                let here = timeline.position(now);
                let position = at
                    .filter(|frame| current && (*frame - here).abs() <= FRAME_NEAR)
                    .unwrap_or(here);
                one(Body::Paused { position })
            }
            Intent::Seek { to } => {
                self.within(*to)?;
                Ok(self.seek(*to))
            }
            Intent::Rate { rate } if timeline.anchor.rate == *rate => nothing,
            Intent::Rate { rate } => one(Body::RateSet {
                rate: *rate,
                position: timeline.position(now),
            }),
            Intent::Say { text } => {
                self.not_too_soon(by)?;
                one(Body::Said {
                    text: line(text)?,
                    moment: timeline.position(now),
                })
            }
            Intent::Reply { to, text } => {
                self.not_too_soon(by)?;
                let answered = state.transcript.get(*to);
                if answered.is_none_or(|line| line.text.is_none()) {
                    return Err(Refusal::UnknownLine { seq: *to });
                }
                one(Body::Replied {
                    to: *to,
                    text: line(text)?,
                    moment: timeline.position(now),
                })
            }
            // Reactions are collected for a second; the sequencer writes them then.
            Intent::React { reaction } => match Reaction::new(reaction) {
                Ok(_) => nothing,
                Err(bad) => Err(Refusal::BadText {
                    sentence: bad.to_string(),
                }),
            },
            Intent::Redact { seq } => match state.transcript.get(*seq) {
                Some(line) if line.text.is_none() => nothing,
                Some(_) => one(Body::Redacted { seq: *seq }),
                // Said too long ago for the state to know: the log still holds it.
                None if *seq < state.tail() && *seq >= Seq::FIRST => {
                    one(Body::Redacted { seq: *seq })
                }
                None => Err(Refusal::UnknownLine { seq: *seq }),
            },
            Intent::Rename { name } => {
                let name = Name::new(name).map_err(|bad| Refusal::BadText {
                    sentence: bad.to_string(),
                })?;
                if state.roster.name(by) == name.as_str() {
                    return nothing;
                }
                name_is_free(state, &name, Some(by))?;
                one(Body::Renamed { member: by, name })
            }
            Intent::Measure { item, duration } => {
                let known = self.item(*item)?;
                if *duration < Micros::from_millis(1) || *duration > DURATION_MAX {
                    return Err(Refusal::OutOfRange);
                }
                // The first player to tell is believed; later ones differ by ads and rounding.
                if known.is_some() {
                    return nothing;
                }
                one(Body::Measured {
                    item: *item,
                    duration: *duration,
                })
            }
            Intent::Next { item } => {
                self.item(*item)?;
                if *item != timeline.anchor.item {
                    return nothing; // the room went on already
                }
                self.go_on(self.is_running())
            }
            Intent::Ended { item } => {
                self.item(*item)?;
                if *item != timeline.anchor.item || !self.has_ended() {
                    return nothing;
                }
                if state.queue.repeat == Repeat::One {
                    return Ok(self.begin_again());
                }
                // With nothing left the film just stands at its end.
                Ok(self.go_on(true).unwrap_or_default())
            }
            Intent::Undo { .. } => nothing,
            // Whose player stands ready sees it after all.
            Intent::Ready { item, .. }
                if *item == timeline.anchor.item && state.unable.contains(by) =>
            {
                one(unable::seen(*item))
            }
            Intent::Ready { item, .. } => match timeline.item(*item) {
                None if *item != ItemId::default() => Err(Refusal::UnknownItem { item: *item }),
                _ => nothing, // an observation: the sequencer notes it
            },
            Intent::ReadyCheck {} => self.ready_check(),
            Intent::SayReady {} => match &state.hold {
                Some(hold) if hold.reason == HoldReason::ReadyCheck => {
                    if hold.waiting.contains(&by) {
                        one(Body::SaidReady {})
                    } else {
                        nothing
                    }
                }
                _ => Err(Refusal::NoReadyCheck),
            },
            Intent::Suspend { reason } => {
                let known = state.roster.get(by).and_then(|member| member.suspended);
                if known == Some(*reason) {
                    return nothing;
                }
                one(Body::Suspended {
                    member: by,
                    reason: *reason,
                })
            }
            Intent::Return {} => {
                if state
                    .roster
                    .get(by)
                    .is_none_or(|member| member.suspended.is_none())
                {
                    return nothing;
                }
                one(Body::Returned { member: by })
            }
            Intent::Unable { item, why, words } => self.unable(by, *item, *why, words.as_deref()),
            Intent::QueueAdd { url, front } => {
                let found = self.found(by, url)?;
                self.room_in_queue()?;
                one(queued(self, found, None, front.then_some(0)))
            }
            Intent::QueueRemove { item } => {
                self.waits(*item)?;
                one(Body::Unqueued { item: *item })
            }
            Intent::QueueMove { item, place } => {
                let here = self.waits(*item)?;
                let last = (state.queue.entries.len() as u32).saturating_sub(1);
                let place = (*place).min(last);
                if here as u32 == place {
                    return nothing;
                }
                one(Body::QueueMoved { item: *item, place })
            }
            Intent::PlayNow { item } => {
                self.item(*item)?;
                if *item == timeline.anchor.item {
                    return Ok(self.play());
                }
                Ok(self.cue(*item, self.start_of(*item), true))
            }
            Intent::Shuffle {} if state.queue.entries.len() < 2 => nothing,
            Intent::Shuffle {} => one(Body::Shuffled {
                seed: seed(state, now),
            }),
            Intent::SetMode { mode } if state.queue.mode == *mode => nothing,
            Intent::SetMode { mode } => one(Body::ModeSet { mode: *mode }),
            Intent::SetRepeat { repeat } if state.queue.repeat == *repeat => nothing,
            Intent::SetRepeat { repeat } => one(Body::RepeatSet { repeat: *repeat }),
            Intent::Vote { item } => {
                let place = self.waits(*item)?;
                if state.queue.entries[place].votes.contains(&by) {
                    return nothing;
                }
                one(Body::VoteCast { item: *item })
            }
            Intent::Unvote { item } => {
                let place = self.waits(*item)?;
                if !state.queue.entries[place].votes.contains(&by) {
                    return nothing;
                }
                one(Body::VoteWithdrawn { item: *item })
            }
            Intent::Skip { item } => self.vote_to_skip(by, *item),
            Intent::Unskip { item } => {
                self.item(*item)?;
                if *item != timeline.anchor.item || !state.queue.skips.contains(&by) {
                    return nothing;
                }
                one(Body::SkipWithdrawn { item: *item })
            }
            Intent::SetSkipShare { percent } if *percent > 100 => Err(Refusal::OutOfRange),
            Intent::SetSkipShare { percent } if *percent == state.rules.skip_percent => nothing,
            Intent::SetSkipShare { percent } => one(Body::SkipShareSet { percent: *percent }),
            Intent::OpenPoll { question, choices } => self.open_poll(by, question, choices),
            Intent::AnswerPoll { poll, choice } => {
                let known = self.poll(*poll)?;
                if choice.is_some_and(|choice| usize::from(choice) >= known.choices.len()) {
                    return Err(Refusal::OutOfRange);
                }
                if known.answers.get(&by) == choice.as_ref() {
                    return nothing;
                }
                one(Body::PollAnswered {
                    poll: *poll,
                    choice: *choice,
                })
            }
            Intent::ClosePoll { poll } => self.close_poll(*poll),
            Intent::Request { action } => {
                let asked = state
                    .roster
                    .get(by)
                    .is_some_and(|member| member.requests.contains(action));
                if asked || state.may(by, *action) {
                    return nothing;
                }
                one(Body::Requested { action: *action })
            }
            Intent::Grant {
                member,
                action,
                lasts,
            } => self.rule(*member, *action, true, *lasts),
            Intent::Revoke {
                member,
                action,
                lasts,
            } => self.rule(*member, *action, false, *lasts),
            Intent::SetRole { member, role } => {
                if state.roster.role(*member) == Some(*role) {
                    return nothing;
                }
                one(Body::RoleSet {
                    member: *member,
                    role: *role,
                })
            }
            Intent::HandOver { member } => {
                if state.roster.role(*member) == Some(Role::Host) {
                    return nothing;
                }
                self.here(*member)?;
                one(Body::HostChanged { member: *member })
            }
            Intent::Kick { member } => {
                self.here(*member)?;
                one(Body::Kicked { member: *member })
            }
            Intent::Ban { member } => self.ban(*member, true),
            Intent::Unban { member } => self.ban(*member, false),
            Intent::Permit {
                role,
                action,
                allow,
            } => {
                if state.rules.allow(*role, *action) == *allow {
                    return nothing;
                }
                one(Body::Permitted {
                    role: *role,
                    action: *action,
                    allow: *allow,
                })
            }
            Intent::SetSlow { every } => {
                if *every < Micros::ZERO || *every > SLOW_MAX {
                    return Err(Refusal::OutOfRange);
                }
                if *every == state.rules.slow {
                    return nothing;
                }
                one(Body::SlowSet { every: *every })
            }
            Intent::Invite { role, lasts, uses } => self.invite(by, *role, *lasts, *uses),
            Intent::ShowInvite { invite } => self.invite_known(*invite).map(|_| Vec::new()),
            Intent::RevokeInvite { invite } => {
                if *invite == OWN_LINK && state.entrance.own_revoked {
                    return nothing;
                }
                self.invite_known(*invite)?;
                one(Body::InviteRevoked { invite: *invite })
            }
            Intent::SetApproval { on } if state.entrance.approval == *on => nothing,
            Intent::SetApproval { on } => one(Body::ApprovalSet { on: *on }),
            Intent::SetPasscode { passcode: None } if !state.entrance.passcode => nothing,
            Intent::SetPasscode { passcode } => match passcode {
                Some(passcode) if !passcode.is_long_enough() => Err(Refusal::BadText {
                    sentence: "A passcode has at least 4 characters. Choose a longer one."
                        .to_owned(),
                }),
                // Another passcode is news even where there was one: those who knew the old one do not know it.
                passcode => one(Body::PasscodeSet {
                    on: passcode.is_some(),
                }),
            },
            // Who knocks is no state: the sequencer knows, and answers before this is asked.
            Intent::AnswerKnock { .. } => Err(Refusal::NoKnock),
            Intent::SetWait { reason, wait } => match reason {
                HoldReason::Stall | HoldReason::Ad => {
                    if state.rules.waits_for(*reason) == *wait {
                        return nothing;
                    }
                    one(Body::WaitSet {
                        reason: *reason,
                        wait: *wait,
                    })
                }
                HoldReason::Load | HoldReason::Seek | HoldReason::ReadyCheck => {
                    Err(Refusal::OutOfRange)
                }
            },
        }
    }

    /// Whether the film runs, or waits to run on.
    fn is_running(&self) -> bool {
        self.state.timeline.anchor.playing || self.state.hold.is_some()
    }

    fn play(&self) -> Vec<Body> {
        let timeline = &self.state.timeline;
        if let Some(hold) = &self.state.hold {
            // A second play while the room waits: start anyway (Jellyfin).
            let lead = if hold.reason == HoldReason::ReadyCheck {
                COUNTDOWN
            } else {
                self.lead
            };
            return vec![Body::HoldEnded {
                how: HoldEnd::Forced,
                start: Some(self.now + lead),
                missing: self.still_missing(),
            }];
        }
        if timeline.anchor.playing {
            return Vec::new();
        }
        let aim = timeline.aim();
        vec![self.run(
            timeline.position(self.now),
            self.audience.missing(self.state, aim),
        )]
    }

    /// Runs from here, or waits for these first.
    fn run(&self, position: MediaTime, mut waiting: Vec<MemberId>) -> Body {
        if waiting.is_empty() {
            return Body::Played {
                position,
                start: self.now + self.lead,
            };
        }
        let aim = self.state.timeline.aim();
        let loading = waiting
            .iter()
            .any(|member| !self.audience.has_item(*member, aim));
        let (reason, wait) = if loading {
            (HoldReason::Load, LOAD_WAIT_MAX)
        } else {
            (HoldReason::Seek, SEEK_WAIT_MAX)
        };
        waiting.truncate(WAITING_MAX);
        Body::HoldStarted {
            reason,
            position,
            deadline: self.now + wait,
            waiting,
        }
    }

    fn seek(&self, to: MediaTime) -> Vec<Body> {
        let seeked = |start| Body::Seeked {
            position: to,
            start,
        };
        if let Some(hold) = &self.state.hold
            && hold.reason == HoldReason::ReadyCheck
        {
            // People are still asked; the film only stands elsewhere meanwhile.
            let check = Body::HoldStarted {
                reason: hold.reason,
                position: to,
                deadline: hold.deadline,
                waiting: hold.waiting.clone(),
            };
            return vec![seeked(self.now), check];
        }
        if !self.is_running() {
            return vec![seeked(self.now)];
        }
        let waiting = self.audience.waited_for(self.state);
        if waiting.is_empty() && self.state.hold.is_none() {
            return vec![seeked(self.now + self.lead)];
        }
        vec![seeked(self.now), self.run(to, waiting)]
    }

    /// Puts a known item on, and lets it run if it should.
    pub(super) fn cue(&self, item: ItemId, position: MediaTime, run: bool) -> Vec<Body> {
        let mut bodies = vec![Body::Cued { item, position }];
        if run {
            let waiting = self.audience.waited_for(self.state);
            bodies.push(if waiting.is_empty() {
                self.run(position, waiting)
            } else {
                Body::HoldStarted {
                    reason: HoldReason::Load,
                    position,
                    deadline: self.now + LOAD_WAIT_MAX,
                    waiting: waiting.into_iter().take(WAITING_MAX).collect(),
                }
            });
        }
        bodies
    }

    /// Goes on to what comes next.
    ///
    /// # Errors
    /// [`Refusal::QueueEmpty`] when nothing does.
    pub(super) fn go_on(&self, run: bool) -> Result<Vec<Body>, Refusal> {
        let queue = &self.state.queue;
        let current = self.state.timeline.current().map(|(item, _)| item);
        let Some(next) = queue.upcoming().map(|entry| entry.item) else {
            return match (queue.repeat, current) {
                (Repeat::All, Some(_)) => Ok(self.begin_again()),
                _ => Err(Refusal::QueueEmpty),
            };
        };
        let mut bodies = self.cue(next, self.start_of(next), run);
        if let (Repeat::All, Some(item)) = (queue.repeat, current) {
            let again = Body::Requeued {
                item,
                place: None,
                by: None,
            };
            bodies.insert(1, again);
        }
        Ok(bodies)
    }

    /// The item that is on begins again.
    fn begin_again(&self) -> Vec<Body> {
        let item = self.state.timeline.anchor.item;
        self.cue(item, self.start_of(item), true)
    }

    /// Whether the film is over by the room's own reckoning: nobody ends it early by saying so.
    fn has_ended(&self) -> bool {
        let timeline = &self.state.timeline;
        let Some(length) = timeline.duration() else {
            return false; // a player that knows the end has told the length before
        };
        let end = MediaTime::ZERO + length;
        timeline.anchor.playing && end - timeline.position(self.now) <= END_NEAR
    }

    fn vote_to_skip(&self, by: MemberId, item: ItemId) -> Result<Vec<Body>, Refusal> {
        self.item(item)?;
        let queue = &self.state.queue;
        if item != self.state.timeline.anchor.item || queue.skips.contains(&by) {
            return Ok(Vec::new());
        }
        let on = self.go_on(self.is_running())?;
        let mut bodies = vec![Body::SkipVoted { item }];
        if self.state.skips_cast() + 1 >= self.state.skips_needed() {
            bodies.extend(on);
        }
        Ok(bodies)
    }

    fn ready_check(&self) -> Result<Vec<Body>, Refusal> {
        if let Some(hold) = &self.state.hold
            && hold.reason == HoldReason::ReadyCheck
        {
            return Ok(Vec::new());
        }
        let people = self.state.roster.present();
        let waiting = people
            .filter(|(_, member)| {
                member.suspended != Some(crate::engine::event::Suspension::Detached)
            })
            .map(|(id, _)| id)
            .take(WAITING_MAX)
            .collect();
        Ok(vec![Body::HoldStarted {
            reason: HoldReason::ReadyCheck,
            position: self.state.timeline.position(self.now),
            deadline: self.now + READY_WAIT_MAX,
            waiting,
        }])
    }

    /// Whom the room's wait is still for.
    pub(super) fn still_missing(&self) -> Vec<MemberId> {
        let Some(hold) = &self.state.hold else {
            return Vec::new();
        };
        let aim = self.state.timeline.aim();
        let mut waiting = hold.waiting.clone();
        waiting.retain(|id| {
            let Some(member) = self.state.roster.get(*id).filter(|it| it.present) else {
                return false;
            };
            let Some(seat) = self.audience.get(*id) else {
                return hold.reason == HoldReason::ReadyCheck;
            };
            use crate::engine::presence::Activity;
            match hold.reason {
                HoldReason::ReadyCheck => true,
                HoldReason::Load | HoldReason::Seek => {
                    member.awaited
                        && member.suspended.is_none()
                        && !self.state.unable.contains(*id)
                        && seat.ready != aim
                }
                HoldReason::Stall => member.awaited && seat.activity == Some(Activity::Stalled),
                HoldReason::Ad => member.awaited && seat.activity == Some(Activity::Advert),
            }
        });
        waiting
    }

    fn undo(&self, seq: Option<Seq>) -> Result<Decision, Refusal> {
        let state = self.state;
        let deed = match seq {
            None => state.history.last().ok_or(Refusal::NothingToUndo)?,
            Some(seq) if seq >= state.tail() || seq < Seq::FIRST => {
                return Err(Refusal::NothingToUndo);
            }
            Some(seq) => state.history.get(seq).ok_or(Refusal::UndoTooLate)?,
        };
        if deed.remedy.is_of_the_film() && deed.item != state.timeline.anchor.item {
            return Err(Refusal::UndoTooLate);
        }
        let bodies = match &deed.remedy {
            Remedy::Pause { position } if self.is_running() => vec![Body::Paused {
                position: *position,
            }],
            Remedy::Pause { .. } => Vec::new(),
            Remedy::Play {} if self.is_running() => Vec::new(),
            Remedy::Play {} => self.play(),
            Remedy::Seek { to } => self.seek(*to),
            Remedy::Rate { rate } => vec![Body::RateSet {
                rate: *rate,
                position: state.timeline.position(self.now),
            }],
            Remedy::Cue {
                item,
                position,
                playing,
                place,
            } => {
                if state.timeline.item(*item).is_none() {
                    return Err(Refusal::UndoTooLate);
                }
                let mut bodies = self.cue(*item, *position, *playing);
                if let Some(place) = place {
                    let back = Body::Requeued {
                        item: deed.item,
                        place: Some(*place),
                        by: deed.by,
                    };
                    bodies.insert(1, back);
                }
                bodies
            }
            Remedy::Unqueue { item } => {
                self.waits(*item).map_err(|_| Refusal::UndoTooLate)?;
                vec![Body::Unqueued { item: *item }]
            }
            Remedy::Requeue { item, place, by } => {
                if state.timeline.item(*item).is_none() || state.queue.get(*item).is_some() {
                    return Err(Refusal::UndoTooLate);
                }
                self.room_in_queue()?;
                vec![Body::Requeued {
                    item: *item,
                    place: Some(*place),
                    by: *by,
                }]
            }
            Remedy::Move { item, place } => {
                self.waits(*item).map_err(|_| Refusal::UndoTooLate)?;
                vec![Body::QueueMoved {
                    item: *item,
                    place: *place,
                }]
            }
            Remedy::Reorder { items } => vec![Body::Reordered {
                items: items.clone(),
            }],
        };
        Ok(Decision {
            cause: Some(deed.seq),
            bodies,
        })
    }

    fn open_poll(
        &self,
        by: MemberId,
        question: &str,
        choices: &[String],
    ) -> Result<Vec<Body>, Refusal> {
        if self.state.poll.as_ref().is_some_and(|poll| poll.open) {
            return Err(Refusal::PollOpen);
        }
        if !CHOICES.contains(&choices.len()) {
            return Err(Refusal::BadPoll {
                sentence: format!(
                    "A poll offers {} to {} choices.",
                    CHOICES.start(),
                    CHOICES.end()
                ),
            });
        }
        let question = line(question)?;
        let choices = choices
            .iter()
            .map(|text| self.choice(by, text))
            .collect::<Result<Vec<_>, _>>()?;
        let size: usize = choices
            .iter()
            .map(|choice| {
                choice.label.as_str().len() + choice.media.as_ref().map_or(0, |it| it.id.len())
            })
            .sum();
        if size > POLL_BYTES_MAX {
            return Err(Refusal::BadPoll {
                sentence: "That poll is too long. Use shorter links.".to_owned(),
            });
        }
        Ok(vec![Body::PollOpened { question, choices }])
    }

    /// What a poll offers: something to watch if it reads as an address, words otherwise.
    fn choice(&self, by: MemberId, text: &str) -> Result<Choice, Refusal> {
        let is_address = text.trim_start().starts_with("http");
        let (label, media, start) = if is_address {
            let found = self.found(by, text)?;
            (found.media.label(), Some(found.media), found.start)
        } else {
            (text.to_owned(), None, MediaTime::ZERO)
        };
        let label: String = label.chars().take(Title::GRAPHEMES_MAX).collect();
        let label = Title::new(&label).map_err(|bad| Refusal::BadPoll {
            sentence: bad.to_string(),
        })?;
        Ok(Choice {
            label,
            media,
            start,
        })
    }

    fn close_poll(&self, poll: Seq) -> Result<Vec<Body>, Refusal> {
        let known = self.poll(poll)?;
        let winner = known.leader();
        let mut bodies = vec![Body::PollClosed { poll, winner }];
        let choice = winner.and_then(|winner| known.choices.get(usize::from(winner)));
        if let Some(choice) = choice
            && let Some(media) = &choice.media
            && self.room_in_queue().is_ok()
        {
            let found = Found {
                media: media.clone(),
                start: choice.start,
            };
            bodies.push(queued(self, found, Some(choice.label.clone()), Some(0)));
        }
        Ok(bodies)
    }

    fn rule(
        &self,
        member: MemberId,
        action: Action,
        allow: bool,
        lasts: Option<Micros>,
    ) -> Result<Vec<Body>, Refusal> {
        if lasts.is_some_and(|lasts| lasts <= Micros::ZERO || lasts > RULING_MAX) {
            return Err(Refusal::OutOfRange);
        }
        let until = lasts.map(|lasts| self.now + lasts);
        let known = self.state.roster.get(member);
        let ruling = known.and_then(|member| member.rulings.get(&action));
        let is_so = match ruling {
            Some(ruling) => ruling.allow == allow && ruling.until == until,
            None => until.is_none() && self.state.may(member, action) == allow,
        };
        let asked = known.is_some_and(|member| member.requests.contains(&action));
        if is_so && !asked {
            return Ok(Vec::new());
        }
        Ok(vec![Body::Ruled {
            member,
            action,
            allow: Some(allow),
            until,
        }])
    }

    fn ban(&self, member: MemberId, banned: bool) -> Result<Vec<Body>, Refusal> {
        let known = self.state.roster.get(member);
        if known.is_some_and(|member| member.banned == banned) {
            return Ok(Vec::new());
        }
        Ok(vec![Body::Banned { member, banned }])
    }

    fn invite(
        &self,
        by: MemberId,
        role: Role,
        lasts: Option<Micros>,
        uses: Option<u32>,
    ) -> Result<Vec<Body>, Refusal> {
        let fits = |lasts: Micros| lasts > Micros::ZERO && lasts <= INVITE_LASTS_MAX;
        if !lasts.is_none_or(fits) || uses == Some(0) {
            return Err(Refusal::OutOfRange);
        }
        let open = || {
            let all = self.state.entrance.invites.values();
            all.filter(|invite| invite.opens(self.now))
        };
        let moderates = self.state.may(by, Action::Moderate);
        let mine = open().filter(|invite| invite.by == Some(by)).count();
        let too_many = |max: usize| Refusal::TooManyInvites { max: max as u32 };
        if !moderates && mine >= INVITES_EACH_MAX {
            return Err(too_many(INVITES_EACH_MAX));
        }
        if open().count() >= INVITES_MAX {
            return Err(too_many(INVITES_MAX));
        }
        Ok(vec![Body::InviteMade {
            role,
            until: lasts.map(|lasts| self.now + lasts),
            uses,
        }])
    }

    /// Refuses numbers that are no link's, or no longer.
    fn invite_known(&self, invite: Seq) -> Result<(), Refusal> {
        let entrance = &self.state.entrance;
        let known = match invite {
            OWN_LINK => !entrance.own_revoked,
            other => entrance.invites.contains_key(&other),
        };
        known.then_some(()).ok_or(Refusal::UnknownInvite { invite })
    }

    /// Refuses control over a film that is not on any more. Pause is always honoured: it is safe.
    fn aimed_at_now(&self, ask: &Ask) -> Result<(), Refusal> {
        let current = self.state.timeline.aim();
        if self.state.timeline.current().is_none() {
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

    fn within(&self, position: MediaTime) -> Result<(), Refusal> {
        let length = self.state.timeline.duration().unwrap_or(DURATION_MAX);
        let end = MediaTime::ZERO + length;
        if position > end {
            Err(Refusal::PastEnd { end })
        } else {
            Ok(())
        }
    }

    fn not_too_soon(&self, by: MemberId) -> Result<(), Refusal> {
        let Some(member) = self.state.roster.get(by) else {
            return Err(Refusal::NotHere);
        };
        let every = self.state.rules.slow;
        match member.spoke {
            // Moderators answer everybody; slow mode is not for them.
            Some(spoke)
                if member.role > Role::CoHost
                    && every > Micros::ZERO
                    && self.now - spoke < every =>
            {
                Err(Refusal::Slow {
                    wait: every - (self.now - spoke),
                })
            }
            _ => Ok(()),
        }
    }

    fn found(&self, by: MemberId, url: &str) -> Result<Found, Refusal> {
        let found = media::parse(url).map_err(|no| Refusal::BadMedia {
            sentence: no.to_string(),
        })?;
        if let Some(host) = found.media.host()
            && self.state.roster.role(by) != Some(Role::Host)
            && !self.state.timeline.allows_host(host)
        {
            return Err(Refusal::HostNotAllowed {
                host: host.to_owned(),
            });
        }
        Ok(found)
    }

    pub(super) fn item(&self, item: ItemId) -> Result<Option<Micros>, Refusal> {
        self.state
            .timeline
            .item(item)
            .map(|known| known.duration)
            .ok_or(Refusal::UnknownItem { item })
    }

    fn start_of(&self, item: ItemId) -> MediaTime {
        self.state
            .timeline
            .item(item)
            .map_or(MediaTime::ZERO, |known| known.start)
    }

    /// The place at which the item waits.
    fn waits(&self, item: ItemId) -> Result<usize, Refusal> {
        self.state
            .queue
            .place(item)
            .ok_or(Refusal::UnknownItem { item })
    }

    fn room_in_queue(&self) -> Result<(), Refusal> {
        if self.state.queue.entries.len() >= QUEUE_MAX {
            return Err(Refusal::QueueFull {
                max: QUEUE_MAX as u32,
            });
        }
        Ok(())
    }

    fn poll(&self, poll: Seq) -> Result<&crate::engine::fold::poll::Poll, Refusal> {
        let known = self.state.poll.as_ref();
        known
            .filter(|known| known.id == poll && known.open)
            .ok_or(Refusal::NoPoll)
    }

    fn here(&self, member: MemberId) -> Result<(), Refusal> {
        match self.state.roster.get(member) {
            None => Err(Refusal::UnknownMember { member }),
            Some(known) if !known.present => Err(Refusal::Absent {
                name: known.name.as_str().to_owned(),
            }),
            Some(_) => Ok(()),
        }
    }
}

pub(super) fn line(text: &str) -> Result<Line, Refusal> {
    Line::new(text).map_err(|bad| Refusal::BadText {
        sentence: bad.to_string(),
    })
}

fn queued(scene: &Scene<'_>, found: Found, title: Option<Title>, place: Option<u32>) -> Body {
    Body::Queued {
        item: scene.state.timeline.next_item(),
        media: found.media,
        title,
        start: found.start,
        place,
    }
}

/// Not secret, only different each time: the order of a queue is nobody's gain.
fn seed(state: &RoomState, now: SessionTime) -> u32 {
    let mixed = (now.get() ^ state.seq.get().rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as u32
}

/// Refuses a name that somebody here has, or that looks like it.
pub(super) fn name_is_free(
    state: &RoomState,
    name: &Name,
    except: Option<MemberId>,
) -> Result<(), Refusal> {
    match state.roster.holder_of(name, except) {
        Some(holder) => Err(Refusal::NameTaken {
            name: state.roster.name(holder).to_owned(),
        }),
        None => Ok(()),
    }
}
