//! What is true now: the one fold from events to room state.
//!
//! [`RoomState::apply`] is total and infallible: any event in any order gives
//! some state, the same on every machine. It reads no clock, uses no float and
//! iterates no hash map (law 3). Whether the order is right is not its business
//! but [`crate::engine::replay`]'s.

pub mod entrance;
pub mod history;
pub mod hold;
pub mod poll;
pub mod queue;
pub mod roster;
pub mod rules;
pub mod timeline;
pub mod transcript;
pub mod unable;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::event::{Action, Body, Event, Header, HoldReason, Role};
use crate::engine::id::{Epoch, ItemId, MemberId, Seq, SessionId, Stamp};
use crate::engine::media::Media;
use crate::engine::text::{Line, Title};
use crate::engine::unit::{MediaTime, SessionTime};
use entrance::{Entrance, Invite};
use history::{History, Remedy};
use hold::Hold;
use poll::Poll;
use queue::Queue;
use roster::{Roster, Ruling};
use rules::Rules;
use timeline::Timeline;
use transcript::Transcript;
use unable::{Trouble, Unable};

/// Everything that is true of a room after some event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomState {
    /// The seq of the last event folded in; 0 before the first.
    pub seq: Seq,
    /// The epoch of that event.
    pub epoch: Epoch,
    /// The highest stamp so far.
    pub stamp: Stamp,
    /// The session time of that event.
    pub at: SessionTime,
    /// The session's name; `None` before it was opened.
    pub session: Option<SessionId>,
    /// What people call it.
    pub title: Option<Title>,
    /// Who opened it: the first member who came as its host.
    pub opener: Option<MemberId>,
    /// Who is and was here.
    pub roster: Roster,
    /// What this party agreed on.
    pub rules: Rules,
    /// What plays and where.
    pub timeline: Timeline,
    /// Why the film waits, if it does.
    pub hold: Option<Hold>,
    /// What comes next.
    pub queue: Queue,
    /// The poll that is open, or was last.
    pub poll: Option<Poll>,
    /// What can be taken back.
    pub history: History,
    /// What was said lately.
    pub transcript: Transcript,
    /// How one comes in. Last but one, see [`RoomState::digest`].
    #[serde(default)]
    pub entrance: Entrance,
    /// Who does not see what is on. Last, see [`RoomState::digest`].
    #[serde(default)]
    pub unable: Unable,
}

impl RoomState {
    /// Folds one event in.
    pub fn apply(&mut self, event: &Event) {
        let Event { header, body } = event;
        self.seq = header.seq;
        self.epoch = header.epoch;
        self.stamp = self.stamp.max(header.stamp);
        self.at = header.at;
        if let Some(id) = header.intent_id() {
            self.roster.remember(id, header.seq);
        }
        match body {
            Body::Opened { session, title } => {
                self.session = Some(*session);
                self.title = Some(title.clone());
            }
            Body::EpochStarted { .. } => {
                self.roster.everybody_away(header.at);
                self.unable.clear();
            }
            Body::Joined {
                member,
                name,
                role,
                client,
            } => {
                if *role == Role::Host {
                    self.opener = self.opener.or(Some(*member));
                }
                self.roster.joined(*member, name, *role, *client, header.at);
                self.unable.set(*member, None);
            }
            Body::Left { member, .. } | Body::Kicked { member } => self.gone(*member),
            Body::Banned { member, banned } => {
                self.roster
                    .change(*member, |member| member.banned = *banned);
                if *banned {
                    self.gone(*member);
                }
            }
            Body::Renamed { member, name } => {
                self.roster
                    .change(*member, |member| member.name = name.clone());
            }
            Body::RoleSet { member, role } => {
                self.roster.change(*member, |member| member.role = *role);
            }
            Body::HostChanged { member } => self.roster.host_changed(*member),
            Body::Ruled {
                member,
                action,
                allow,
                until,
            } => self.roster.change(*member, |member| {
                member.requests.remove(action);
                let until = *until;
                match *allow {
                    Some(allow) => drop(member.rulings.insert(*action, Ruling { allow, until })),
                    None => drop(member.rulings.remove(action)),
                }
            }),
            Body::Requested { action } => self.by(header, |member| {
                member.requests.insert(*action);
            }),
            Body::Suspended { member, reason } => {
                self.roster
                    .change(*member, |member| member.suspended = Some(*reason));
            }
            Body::Returned { member } => {
                self.roster
                    .change(*member, |member| member.suspended = None);
            }
            Body::Awaited { member, awaited } => {
                self.roster
                    .change(*member, |member| member.awaited = *awaited);
            }
            Body::Permitted {
                role,
                action,
                allow,
            } => self.rules.permit(*role, *action, *allow),
            Body::SlowSet { every } => self.rules.slow = *every,
            Body::WaitSet { reason, wait } => self.rules.wait(*reason, *wait),
            Body::SkipShareSet { percent } => self.rules.skip_percent = *percent,
            Body::HostGap { .. } | Body::Reacted { .. } => {}
            Body::Said { text, moment } => self.said(header, text, *moment, None),
            Body::Replied { to, text, moment } => self.said(header, text, *moment, Some(*to)),
            Body::Redacted { seq } => self.transcript.redacted(*seq),
            Body::PollOpened { question, choices } => {
                self.poll = Some(Poll {
                    id: header.seq,
                    by: header.by,
                    question: question.clone(),
                    choices: choices.clone(),
                    answers: BTreeMap::new(),
                    open: true,
                    winner: None,
                });
            }
            Body::PollAnswered { poll, choice } => self.answered(header, *poll, *choice),
            Body::PollClosed { poll, winner } => {
                if let Some(known) = self.poll.as_mut().filter(|known| known.id == *poll) {
                    known.open = false;
                    known.winner = *winner;
                }
            }
            Body::VoteCast { item } => self.voted(header, *item, true),
            Body::VoteWithdrawn { item } => self.voted(header, *item, false),
            Body::SkipVoted { item } => {
                if let Some(by) = header.by
                    && *item == self.timeline.anchor.item
                {
                    self.queue.skips.insert(by);
                }
            }
            Body::SkipWithdrawn { .. } => {
                if let Some(by) = header.by {
                    self.queue.skips.remove(&by);
                }
            }
            Body::InviteMade { role, until, uses } => {
                let invite = Invite {
                    by: header.by,
                    role: *role,
                    until: *until,
                    uses: *uses,
                    used: 0,
                };
                self.entrance.made(header, invite);
            }
            Body::InviteRevoked { invite } => self.entrance.revoked(*invite),
            Body::InviteUsed { invite, member } => self.entrance.used(*invite, *member),
            Body::ApprovalSet { on } => self.entrance.approval = *on,
            Body::PasscodeSet { on } => self.entrance.passcode = *on,
            // What it told is who may come; who came, `Joined` tells.
            Body::KnockAnswered { .. } => {}
            Body::Unable { item, why, words } => {
                let trouble = why.map(|why| Trouble {
                    why,
                    words: words.clone(),
                });
                let known = |by: &MemberId| self.roster.get(*by).is_some_and(|by| by.present);
                if let Some(by) = header.by.filter(known)
                    && *item == self.timeline.anchor.item
                {
                    self.unable.set(by, trouble);
                }
            }
            Body::ModeSet { mode } => self.queue.mode = *mode,
            Body::RepeatSet { repeat } => self.queue.repeat = *repeat,
            Body::MediaSet { .. }
            | Body::Cued { .. }
            | Body::Measured { .. }
            | Body::Played { .. }
            | Body::Paused { .. }
            | Body::Seeked { .. }
            | Body::RateSet { .. }
            | Body::HoldStarted { .. }
            | Body::HoldEnded { .. }
            | Body::SaidReady {}
            | Body::Queued { .. }
            | Body::Requeued { .. }
            | Body::Unqueued { .. }
            | Body::QueueMoved { .. }
            | Body::Shuffled { .. }
            | Body::Reordered { .. } => self.apply_to_film(header, body),
        }
    }

    /// What moves the film or the queue, and so can be taken back.
    fn apply_to_film(&mut self, header: &Header, body: &Body) {
        let before = self.timeline.anchor;
        let was_running = before.playing || self.hold.is_some();
        let place = |queue: &Queue, item| queue.place(item).map(|place| place as u32);
        let remedy = match body {
            Body::MediaSet {
                item,
                media,
                title,
                start,
            } => {
                let remedy = self.cue_back(header, None);
                self.item_added(header, *item, media, title.as_ref(), *start);
                self.cued(header, *item, *start);
                remedy
            }
            Body::Cued { item, position } => {
                let remedy = self.cue_back(header, place(&self.queue, *item));
                self.cued(header, *item, *position);
                remedy
            }
            Body::Measured { item, duration } => {
                self.timeline.measured(*item, *duration);
                None
            }
            Body::Played { position, start } => {
                self.hold = None;
                self.timeline.played(*position, *start);
                (!was_running).then_some(Remedy::Pause {
                    position: before.position,
                })
            }
            Body::Paused { position } => {
                self.hold = None;
                self.timeline.paused(*position, header.at);
                was_running.then_some(Remedy::Play {})
            }
            Body::Seeked { position, start } => {
                let to = self.timeline.position(header.at);
                // The film of a hold stands; what follows says whether it waits on or runs.
                self.hold = None;
                self.timeline.seeked(*position, *start);
                Some(Remedy::Seek { to })
            }
            Body::RateSet { rate, position } => {
                self.timeline.rate_set(*rate, *position, header.at);
                Some(Remedy::Rate { rate: before.rate })
            }
            Body::HoldStarted {
                reason,
                position,
                deadline,
                waiting,
            } => {
                self.timeline.paused(*position, header.at);
                self.hold = Some(Hold {
                    seq: header.seq,
                    reason: *reason,
                    since: header.at,
                    deadline: *deadline,
                    waiting: waiting.clone(),
                });
                (!was_running).then_some(Remedy::Pause {
                    position: *position,
                })
            }
            Body::HoldEnded { start, .. } => {
                if self.hold.take().is_some()
                    && let Some(start) = start
                {
                    self.timeline.played(before.position, *start);
                }
                None
            }
            Body::SaidReady {} => {
                if let Some(hold) = &mut self.hold
                    && hold.reason == HoldReason::ReadyCheck
                {
                    hold.waiting.retain(|member| header.by != Some(*member));
                }
                None
            }
            Body::Queued {
                item,
                media,
                title,
                start,
                place,
            } => {
                self.item_added(header, *item, media, title.as_ref(), *start);
                self.queue.put(*item, header.by, *place);
                let queue = &self.queue;
                self.timeline.forget(|item| queue.place(item).is_some());
                Some(Remedy::Unqueue { item: *item })
            }
            Body::Requeued { item, place, by } => {
                self.queue.put(*item, *by, *place);
                Some(Remedy::Unqueue { item: *item })
            }
            Body::Unqueued { item } => {
                let place = place(&self.queue, *item);
                let by = self.queue.take(*item).and_then(|entry| entry.by);
                place.map(|place| Remedy::Requeue {
                    item: *item,
                    place,
                    by,
                })
            }
            Body::QueueMoved { item, place: to } => {
                let place = place(&self.queue, *item);
                self.queue.moved(*item, *to);
                place.map(|place| Remedy::Move { item: *item, place })
            }
            Body::Shuffled { seed } => {
                let items = self.queue_order();
                self.queue.shuffled(*seed);
                Some(Remedy::Reorder { items })
            }
            Body::Reordered { items: order } => {
                let items = self.queue_order();
                self.queue.reordered(order);
                Some(Remedy::Reorder { items })
            }
            _ => None,
        };
        if let Some(remedy) = remedy {
            self.history.note(header, self.timeline.anchor.item, remedy);
        }
    }

    /// Whether that member may do that, here and now. Says nothing about whether they are here.
    pub fn may(&self, member: MemberId, action: Action) -> bool {
        self.roster.get(member).is_some_and(|member| {
            member.role == Role::Host
                || member
                    .rulings
                    .get(&action)
                    .map_or_else(|| self.rules.allow(member.role, action), |it| it.allow)
        })
    }

    /// How many skip votes of those present skip what is on.
    pub fn skips_needed(&self) -> usize {
        let present = self.roster.present().count();
        (present * usize::from(self.rules.skip_percent) / 100 + 1)
            .min(present)
            .max(1)
    }

    /// How many of those present want what is on to be skipped.
    pub fn skips_cast(&self) -> usize {
        let skips = &self.queue.skips;
        self.roster
            .present()
            .filter(|(id, _)| skips.contains(id))
            .count()
    }

    fn by(&mut self, header: &Header, change: impl FnOnce(&mut roster::Member)) {
        if let Some(by) = header.by {
            self.roster.change(by, change);
        }
    }

    fn gone(&mut self, member: MemberId) {
        self.roster.left(member, self.at);
        self.unable.set(member, None);
        self.queue.skips.remove(&member);
    }

    fn said(&mut self, header: &Header, text: &Line, moment: MediaTime, to: Option<Seq>) {
        self.transcript.said(header, text, moment, to);
        self.by(header, |member| member.spoke = Some(header.at));
    }

    fn voted(&mut self, header: &Header, item: ItemId, wants: bool) {
        if let Some(by) = header.by {
            self.queue.voted(item, by, wants);
        }
    }

    fn answered(&mut self, header: &Header, poll: Seq, choice: Option<u8>) {
        let Some(by) = header.by else { return };
        let known = self.poll.as_mut();
        if let Some(known) = known.filter(|known| known.id == poll && known.open) {
            match choice.filter(|choice| usize::from(*choice) < known.choices.len()) {
                Some(choice) => drop(known.answers.insert(by, choice)),
                None => drop(known.answers.remove(&by)),
            }
        }
    }

    fn queue_order(&self) -> Vec<ItemId> {
        self.queue.entries.iter().map(|entry| entry.item).collect()
    }

    fn item_added(
        &mut self,
        header: &Header,
        item: ItemId,
        media: &Media,
        title: Option<&Title>,
        start: MediaTime,
    ) {
        let by_host = header
            .by
            .is_none_or(|by| self.roster.role(by) == Some(Role::Host));
        self.timeline.add(item, media, title, start, by_host);
    }

    /// What brings back the item that is about to be replaced, if one is on.
    fn cue_back(&self, header: &Header, place: Option<u32>) -> Option<Remedy> {
        let anchor = self.timeline.anchor;
        self.timeline.current()?;
        Some(Remedy::Cue {
            item: anchor.item,
            position: self.timeline.position(header.at),
            playing: anchor.playing || self.hold.is_some(),
            place,
        })
    }

    fn cued(&mut self, header: &Header, item: ItemId, position: MediaTime) {
        self.hold = None;
        self.timeline.cued(item, position, header.at);
        self.queue.cued(item);
        self.roster.item_changed();
        self.unable.clear();
        let queue = &self.queue;
        self.timeline.forget(|item| queue.place(item).is_some());
    }

    /// The seq the next event gets.
    pub fn tail(&self) -> Seq {
        self.seq.next()
    }

    /// The order-sensitive hash of this state: equal seq, equal digest, everywhere.
    ///
    /// A state whose entrance nobody touched hashes as it did before there was one, so that old
    /// sessions keep their digest: it is left off then, and so is the field behind it where
    /// everybody sees the film. Two states cannot hash alike by that, for the fields before end
    /// where they end, and the last is only ever left off when it is empty.
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new_derive_key("seance 2026 room state v1");
        let mut bytes = postcard::to_stdvec(self).expect("a state always encodes into memory");
        if self.unable.is_empty() {
            bytes.truncate(bytes.len() - UNABLE_EMPTY_BYTES);
            if self.entrance == Entrance::default() {
                bytes.truncate(bytes.len() - ENTRANCE_EMPTY_BYTES);
            }
        }
        hasher.update(&bytes);
        Digest(*hasher.finalize().as_bytes())
    }
}

/// What an untouched [`Entrance`] takes: two empty maps and three noes.
const ENTRANCE_EMPTY_BYTES: usize = 5;

/// What an empty [`Unable`] takes: an empty map.
const UNABLE_EMPTY_BYTES: usize = 1;

/// A hash of folded state; two folds that agree have the same one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({}…)", &self.to_string()[..8])
    }
}
