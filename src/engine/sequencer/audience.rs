//! Whom the room waits for: what players tell, and how much patience each has left.
//!
//! Observations, never folded (law 5); a restarted room asks anew. A member
//! counts from the moment their player first said that it is ready for
//! something: people without a player, and programs that never say so, are
//! never waited for.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::fold::RoomState;
use crate::engine::id::MemberId;
use crate::engine::intent::Aim;
use crate::engine::presence::Activity;
use crate::engine::unit::{Micros, SessionTime};

/// A stall shorter than this heals by itself more often than not (Bili-SyncPlay waits as long).
pub const STALL_MIN: Micros = Micros::from_millis(1_500);
/// The window over which patience is counted. A guess that nobody contradicted.
pub const BUDGET_WINDOW: Micros = Micros::from_secs(600);
/// Waits for one member within the window.
pub const BUDGET_HOLDS: usize = 3;
/// Time spent waiting for one member within the window.
pub const BUDGET_TIME: Micros = Micros::from_secs(20);
/// How long somebody must play without a stall until the room waits for them again.
pub const STABLE_MIN: Micros = Micros::from_secs(60);

/// One member's player.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    /// What it stands ready for.
    pub ready: Aim,
    /// What it last said it does.
    pub activity: Option<Activity>,
    /// Since when it is stalled.
    pub stalled: Option<SessionTime>,
    /// Whether that stall was already dealt with.
    pub judged: bool,
    /// Since when it did not stall.
    pub stable: SessionTime,
    /// When the room waited for it, and for how long.
    charges: VecDeque<(SessionTime, Micros)>,
}

/// Everybody's players.
#[derive(Clone, Debug, Default)]
pub struct Audience {
    seats: BTreeMap<MemberId, Seat>,
}

impl Audience {
    /// Those the room waits for: they have a player that shows the film and follows, and patience left.
    pub fn waited_for(&self, state: &RoomState) -> Vec<MemberId> {
        self.seats
            .keys()
            .copied()
            .filter(|member| {
                state.roster.get(*member).is_some_and(|known| {
                    known.present && known.awaited && known.suspended.is_none()
                }) && !state.unable.contains(*member)
            })
            .collect()
    }

    /// Those of them whose players do not stand at this place of this item yet.
    pub fn missing(&self, state: &RoomState, aim: Aim) -> Vec<MemberId> {
        let mut members = self.waited_for(state);
        members.retain(|member| self.seats[member].ready != aim);
        members
    }

    /// Whether this one's player has the item at all, wherever in it.
    pub fn has_item(&self, member: MemberId, aim: Aim) -> bool {
        self.seats
            .get(&member)
            .is_some_and(|seat| seat.ready.item == aim.item)
    }

    /// Whether the member has a player that tells when it is ready.
    pub fn has_player(&self, member: MemberId) -> bool {
        self.seats.contains_key(&member)
    }

    pub(super) fn get(&self, member: MemberId) -> Option<&Seat> {
        self.seats.get(&member)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (MemberId, &Seat)> {
        self.seats.iter().map(|(member, seat)| (*member, seat))
    }

    pub(super) fn ready(&mut self, member: MemberId, aim: Aim, now: SessionTime) {
        let seat = self.seats.entry(member).or_insert_with(|| Seat {
            ready: aim,
            activity: None,
            stalled: None,
            judged: false,
            stable: now,
            charges: VecDeque::new(),
        });
        seat.ready = aim;
    }

    /// Takes in what a player does. Returns what it did before, if that was something else.
    pub(super) fn observe(
        &mut self,
        member: MemberId,
        activity: Option<Activity>,
        now: SessionTime,
    ) -> Option<Option<Activity>> {
        if activity.is_none() {
            // The player is gone; whoever opens another one tells so again.
            return self.seats.remove(&member).map(|seat| seat.activity);
        }
        let seat = self.seats.get_mut(&member)?;
        if seat.activity == activity {
            return None;
        }
        let before = std::mem::replace(&mut seat.activity, activity);
        if activity == Some(Activity::Stalled) {
            seat.stalled = Some(now);
            seat.judged = false;
        } else if seat.stalled.take().is_some() {
            seat.stable = now;
        }
        Some(before)
    }

    pub(super) fn judged(&mut self, member: MemberId) {
        if let Some(seat) = self.seats.get_mut(&member) {
            seat.judged = true;
        }
    }

    /// The room runs on: whoever still stalls gets the same moment of grace again.
    pub(super) fn judge_anew(&mut self, now: SessionTime) {
        for seat in self
            .seats
            .values_mut()
            .filter(|seat| seat.stalled.is_some())
        {
            seat.stalled = Some(now);
            seat.judged = false;
        }
    }

    pub(super) fn gone(&mut self, member: MemberId) {
        self.seats.remove(&member);
    }

    pub(super) fn clear(&mut self) {
        self.seats.clear();
    }

    /// The room waited for this one. Returns whether that used their patience up.
    pub(super) fn charge(&mut self, member: MemberId, waited: Micros, now: SessionTime) -> bool {
        let Some(seat) = self.seats.get_mut(&member) else {
            return false;
        };
        seat.charges.push_back((now, waited));
        while seat
            .charges
            .front()
            .is_some_and(|(at, _)| now - *at > BUDGET_WINDOW)
        {
            seat.charges.pop_front();
        }
        let time = seat
            .charges
            .iter()
            .fold(Micros::ZERO, |sum, (_, waited)| sum + *waited);
        let used_up = seat.charges.len() >= BUDGET_HOLDS || time >= BUDGET_TIME;
        if used_up {
            seat.stable = now;
            seat.charges.clear();
        }
        used_up
    }
}
