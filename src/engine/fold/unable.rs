//! Whose player does not show what is on, and why.
//!
//! It is about the item that is on and nothing else: it ends when the member's player shows it
//! after all, when something else is on, and when the member goes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::event::Inability;
use crate::engine::id::MemberId;
use crate::engine::text::Line;

/// What is known of one member's trouble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Why the item is not shown.
    pub why: Inability,
    /// What the player said about it.
    pub words: Option<Line>,
}

impl Trouble {
    /// Why, as the end of a sentence: what the player said, or else what its reason means.
    pub fn reason(&self) -> &str {
        reason(self.why, self.words.as_ref())
    }
}

/// Why, as the end of a sentence: what the player said, or else what its reason means.
pub fn reason(why: Inability, words: Option<&Line>) -> &str {
    words.map_or_else(|| why.words(), Line::as_str)
}

/// Those who do not see what is on, by rising number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unable {
    members: BTreeMap<MemberId, Trouble>,
}

impl Unable {
    /// Why that member does not see it, if they do not.
    pub fn get(&self, member: MemberId) -> Option<&Trouble> {
        self.members.get(&member)
    }

    /// Whether that member does not see it.
    pub fn contains(&self, member: MemberId) -> bool {
        self.members.contains_key(&member)
    }

    /// Whether everybody sees it, as far as is known.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn set(&mut self, member: MemberId, trouble: Option<Trouble>) {
        match trouble {
            Some(trouble) => drop(self.members.insert(member, trouble)),
            None => drop(self.members.remove(&member)),
        }
    }

    pub(super) fn clear(&mut self) {
        self.members.clear();
    }
}
