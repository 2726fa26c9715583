//! How one comes in: which links open, for how long and for how many, and what else newcomers need.
//!
//! What opens a link, and what the passcode is, stands nowhere here: the host's key and a file beside
//! it know. A log may be handed to anybody.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::event::{Header, Role};
use crate::engine::id::{MemberId, Seq};
use crate::engine::unit::SessionTime;

/// The number of the party's own link, the one every session has from its beginning.
pub const OWN_LINK: Seq = Seq::new(0);
/// Links kept besides the party's own: a big evening's worth.
pub const INVITES_MAX: usize = 64;

/// One link that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// Who made it.
    pub by: Option<MemberId>,
    /// What it lets people in as.
    pub role: Role,
    /// Until when it opens; `None` is for good.
    pub until: Option<SessionTime>,
    /// How many people it lets in; `None` is any number.
    pub uses: Option<u32>,
    /// How many came by it.
    pub used: u32,
}

impl Invite {
    /// Whether it opens at this time.
    pub fn opens(&self, now: SessionTime) -> bool {
        self.until.is_none_or(|until| now < until) && self.uses.is_none_or(|uses| self.used < uses)
    }
}

/// The party's door, as the log tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entrance {
    /// The links that were made and not revoked, by number.
    pub invites: BTreeMap<Seq, Invite>,
    /// Whether the party's own link no longer opens.
    pub own_revoked: bool,
    /// Whether newcomers knock and wait for a moderator.
    pub approval: bool,
    /// Whether newcomers give a passcode.
    pub passcode: bool,
    /// Who came by which link, where it was not the party's own.
    pub came_by: BTreeMap<MemberId, Seq>,
}

impl Entrance {
    /// The link that member came by first.
    pub fn link_of(&self, member: MemberId) -> Seq {
        self.came_by.get(&member).copied().unwrap_or(OWN_LINK)
    }

    pub(super) fn made(&mut self, header: &Header, invite: Invite) {
        if self.invites.len() >= INVITES_MAX {
            // Links that are over make room; the sequencer makes no more than fit.
            self.invites.retain(|_, old| old.opens(header.at));
        }
        self.invites.insert(header.seq, invite);
    }

    pub(super) fn revoked(&mut self, invite: Seq) {
        if invite == OWN_LINK {
            self.own_revoked = true;
        } else {
            self.invites.remove(&invite);
        }
    }

    pub(super) fn used(&mut self, invite: Seq, member: MemberId) {
        if let Some(known) = self.invites.get_mut(&invite) {
            known.used = known.used.saturating_add(1);
        }
        self.came_by.insert(member, invite);
    }
}
