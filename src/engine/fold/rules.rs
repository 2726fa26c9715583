//! What this party agreed on: slow mode, whom to wait for, what roles may do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::event::{Action, HoldReason, Role};
use crate::engine::unit::Micros;

/// The room's rules, as moderators set them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// How long guests wait between two lines.
    pub slow: Micros,
    /// Whether the room waits for somebody who ran out of data.
    pub wait_stalls: bool,
    /// Whether the room waits for somebody in an advertisement.
    pub wait_ads: bool,
    /// More than this share of those present skips an item, in percent.
    pub skip_percent: u8,
    /// What roles may do other than by default.
    pub permits: BTreeMap<Role, BTreeMap<Action, bool>>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            slow: Micros::ZERO,
            // A stall is rare and short, an advertisement is neither.
            wait_stalls: true,
            wait_ads: false,
            skip_percent: 50,
            permits: BTreeMap::new(),
        }
    }
}

impl Rules {
    /// Whether a role may do that here.
    pub fn allow(&self, role: Role, action: Action) -> bool {
        role == Role::Host
            || self
                .permits
                .get(&role)
                .and_then(|of_role| of_role.get(&action))
                .copied()
                .unwrap_or(role.may(action))
    }

    /// Whether the room waits for that at all.
    pub const fn waits_for(&self, reason: HoldReason) -> bool {
        match reason {
            HoldReason::Stall => self.wait_stalls,
            HoldReason::Ad => self.wait_ads,
            HoldReason::Load | HoldReason::Seek | HoldReason::ReadyCheck => true,
        }
    }

    pub(super) fn permit(&mut self, role: Role, action: Action, allow: bool) {
        self.permits.entry(role).or_default().insert(action, allow);
    }

    pub(super) fn wait(&mut self, reason: HoldReason, wait: bool) {
        match reason {
            HoldReason::Stall => self.wait_stalls = wait,
            HoldReason::Ad => self.wait_ads = wait,
            HoldReason::Load | HoldReason::Seek | HoldReason::ReadyCheck => {}
        }
    }
}
