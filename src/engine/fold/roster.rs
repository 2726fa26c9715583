//! Who is and was here, what they may do, and which of their intents were done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::engine::event::{Action, Client, Role, Suspension};
use crate::engine::id::{IntentId, MemberId, Seq};
use crate::engine::text::Name;
use crate::engine::unit::SessionTime;

/// How many accepted intents of a member keep their answer: more than a client has in flight.
pub const ANSWERS_KEPT: usize = 32;

/// One member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// What they are called.
    pub name: Name,
    /// What they may do.
    pub role: Role,
    /// By what they take part, the last time they came.
    pub client: Client,
    /// Whether they are here.
    pub present: bool,
    /// Since when they are here, or away.
    pub since: SessionTime,
    /// What was ruled for them, whatever their role says.
    pub rulings: BTreeMap<Action, Ruling>,
    /// What they ask to be allowed.
    pub requests: BTreeSet<Action>,
    /// Why their player does not follow the room, if it does not.
    pub suspended: Option<Suspension>,
    /// Whether the room waits for them at all.
    pub awaited: bool,
    /// Whether they are shut out.
    pub banned: bool,
    /// When they said something last.
    pub spoke: Option<SessionTime>,
    /// Their last accepted intents with the seq of the first event each became, by rising counter.
    pub answers: VecDeque<(u64, Seq)>,
}

/// What was ruled about one action of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// Yes or no.
    pub allow: bool,
    /// Until when; `None` is for good.
    pub until: Option<SessionTime>,
}

/// All members there ever were in this session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Roster {
    members: BTreeMap<MemberId, Member>,
}

/// What is known of an intent by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Never seen.
    New,
    /// Done; its first event has this seq.
    Done(Seq),
    /// Older than the answers kept.
    Forgotten,
}

impl Roster {
    /// The member of that number.
    pub fn get(&self, member: MemberId) -> Option<&Member> {
        self.members.get(&member)
    }

    /// What that member may do.
    pub fn role(&self, member: MemberId) -> Option<Role> {
        self.get(member).map(|member| member.role)
    }

    /// What that member is called; a plain word for one who is not known.
    pub fn name(&self, member: MemberId) -> &str {
        self.get(member)
            .map_or("somebody", |member| member.name.as_str())
    }

    /// Everybody there ever was, in order of first joining.
    pub fn iter(&self) -> impl Iterator<Item = (MemberId, &Member)> {
        self.members.iter().map(|(id, member)| (*id, member))
    }

    /// Everybody who is here.
    pub fn present(&self) -> impl Iterator<Item = (MemberId, &Member)> {
        self.iter().filter(|(_, member)| member.present)
    }

    /// The number the next new member gets.
    pub fn next_id(&self) -> MemberId {
        self.members
            .last_key_value()
            .map_or(MemberId::new(1), |(last, _)| last.next())
    }

    /// Who, of those present and other than `except`, has this name or one that looks like it.
    pub fn holder_of(&self, name: &Name, except: Option<MemberId>) -> Option<MemberId> {
        let skeleton = name.skeleton();
        self.present()
            .find(|(id, member)| Some(*id) != except && member.name.skeleton() == skeleton)
            .map(|(id, _)| id)
    }

    /// What is known of that intent.
    pub fn known(&self, id: IntentId) -> Known {
        let Some(member) = self.get(id.member) else {
            return Known::New;
        };
        match member
            .answers
            .binary_search_by_key(&id.counter, |(counter, _)| *counter)
        {
            Ok(index) => Known::Done(member.answers[index].1),
            Err(0) if member.answers.len() >= ANSWERS_KEPT => Known::Forgotten,
            Err(_) => Known::New,
        }
    }

    pub(super) fn remember(&mut self, id: IntentId, seq: Seq) {
        let Some(member) = self.members.get_mut(&id.member) else {
            return;
        };
        member.remember(id.counter, seq);
    }

    /// Whoever of those present was told so longest ago, and is of that role.
    pub fn longest_here(&self, role: Role) -> Option<MemberId> {
        self.present()
            .filter(|(_, member)| member.role == role)
            .min_by_key(|(id, member)| (member.since, *id))
            .map(|(id, _)| id)
    }

    /// The host, whether here or not.
    pub fn host(&self) -> Option<(MemberId, &Member)> {
        self.iter().find(|(_, member)| member.role == Role::Host)
    }

    pub(super) fn joined(
        &mut self,
        id: MemberId,
        name: &Name,
        role: Role,
        client: Client,
        at: SessionTime,
    ) {
        let member = self.members.entry(id).or_insert_with(|| Member {
            name: name.clone(),
            role,
            client,
            present: true,
            since: at,
            rulings: BTreeMap::new(),
            requests: BTreeSet::new(),
            suspended: None,
            awaited: true,
            banned: false,
            spoke: None,
            answers: VecDeque::new(),
        });
        member.name = name.clone();
        member.role = role;
        member.client = client;
        member.present = true;
        member.since = at;
        // A new connection, maybe a new player: what was known of the old one says nothing about it.
        member.suspended = None;
        member.awaited = true;
    }

    pub(super) fn left(&mut self, id: MemberId, at: SessionTime) {
        if let Some(member) = self.members.get_mut(&id) {
            member.leave(at);
        }
    }

    pub(super) fn everybody_away(&mut self, at: SessionTime) {
        for member in self.members.values_mut().filter(|member| member.present) {
            member.leave(at);
        }
    }

    /// Changes a member, if there is one of that number.
    pub(super) fn change(&mut self, id: MemberId, change: impl FnOnce(&mut Member)) {
        if let Some(member) = self.members.get_mut(&id) {
            change(member);
        }
    }

    /// One host at a time: whoever was it before is a co-host.
    pub(super) fn host_changed(&mut self, id: MemberId) {
        if !self.members.contains_key(&id) {
            return;
        }
        for (other, member) in &mut self.members {
            if *other == id {
                member.role = Role::Host;
            } else if member.role == Role::Host {
                member.role = Role::CoHost;
            }
        }
    }

    /// Another item is on: what could not be shown says nothing about it.
    pub(super) fn item_changed(&mut self) {
        for member in self.members.values_mut() {
            if member.suspended == Some(Suspension::CannotPlay) {
                member.suspended = None;
            }
        }
    }
}

impl Member {
    fn remember(&mut self, counter: u64, seq: Seq) {
        // Counters rise; only retries and tests look further than the end.
        if self.answers.back().is_none_or(|(last, _)| *last < counter) {
            if self.answers.len() == ANSWERS_KEPT {
                self.answers.pop_front();
            }
            self.answers.push_back((counter, seq));
            return;
        }
        let place = self
            .answers
            .binary_search_by_key(&counter, |(counter, _)| *counter);
        let Err(place) = place else { return };
        self.answers.insert(place, (counter, seq));
        if self.answers.len() > ANSWERS_KEPT {
            self.answers.pop_front();
        }
    }

    fn leave(&mut self, at: SessionTime) {
        self.present = false;
        self.since = at;
        self.requests.clear();
        self.suspended = None;
    }
}
