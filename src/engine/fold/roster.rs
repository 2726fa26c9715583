//! Who is and was here, what they may do, and which of their intents were done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::event::{Client, Role};
use crate::engine::id::{IntentId, MemberId, Seq};
use crate::engine::text::Name;

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
    /// Their last accepted intents with the seq of the first event each became, by rising counter.
    pub answers: Vec<(u64, Seq)>,
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
        if let Err(index) = member
            .answers
            .binary_search_by_key(&id.counter, |(counter, _)| *counter)
        {
            member.answers.insert(index, (id.counter, seq));
            if member.answers.len() > ANSWERS_KEPT {
                member.answers.remove(0);
            }
        }
    }

    pub(super) fn joined(&mut self, id: MemberId, name: &Name, role: Role, client: Client) {
        let member = self.members.entry(id).or_insert_with(|| Member {
            name: name.clone(),
            role,
            client,
            present: true,
            answers: Vec::new(),
        });
        member.name = name.clone();
        member.role = role;
        member.client = client;
        member.present = true;
    }

    pub(super) fn left(&mut self, id: MemberId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.present = false;
        }
    }

    pub(super) fn renamed(&mut self, id: MemberId, name: &Name) {
        if let Some(member) = self.members.get_mut(&id) {
            member.name = name.clone();
        }
    }

    pub(super) fn everybody_away(&mut self) {
        for member in self.members.values_mut() {
            member.present = false;
        }
    }
}
