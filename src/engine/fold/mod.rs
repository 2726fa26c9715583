//! What is true now: the one fold from events to room state.
//!
//! [`RoomState::apply`] is total and infallible: any event in any order gives
//! some state, the same on every machine. It reads no clock, uses no float and
//! iterates no hash map (law 3). Whether the order is right is not its business
//! but [`crate::engine::replay`]'s.

pub mod roster;
pub mod timeline;
pub mod transcript;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::event::{Body, Event, Role};
use crate::engine::id::{Epoch, Seq, SessionId, Stamp};
use crate::engine::text::Title;
use crate::engine::unit::SessionTime;
use roster::Roster;
use timeline::Timeline;
use transcript::Transcript;

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
    /// Who is and was here.
    pub roster: Roster,
    /// What plays and where.
    pub timeline: Timeline,
    /// What was said lately.
    pub transcript: Transcript,
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
            Body::EpochStarted { .. } => self.roster.everybody_away(),
            Body::Joined {
                member,
                name,
                role,
                client,
            } => self.roster.joined(*member, name, *role, *client),
            Body::Left { member, .. } => self.roster.left(*member),
            Body::Renamed { member, name } => self.roster.renamed(*member, name),
            Body::MediaSet {
                item,
                media,
                title,
                start,
            } => {
                let by_host = header
                    .by
                    .is_none_or(|by| self.roster.role(by) == Some(Role::Host));
                self.timeline
                    .set(*item, media, title.as_ref(), *start, header.at, by_host);
            }
            Body::Measured { item, duration } => self.timeline.measured(*item, *duration),
            Body::Played { position, start } => self.timeline.played(*position, *start),
            Body::Paused { position } => self.timeline.paused(*position, header.at),
            Body::Seeked { position, start } => self.timeline.seeked(*position, *start),
            Body::RateSet { rate, position } => self.timeline.rate_set(*rate, *position, header.at),
            Body::Said { text, moment } => self.transcript.said(header, text, *moment),
        }
    }

    /// The seq the next event gets.
    pub fn tail(&self) -> Seq {
        self.seq.next()
    }

    /// The order-sensitive hash of this state: equal seq, equal digest, everywhere.
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new_derive_key("seance 2026 room state v1");
        let bytes = postcard::to_stdvec(self).expect("a state always encodes into memory");
        hasher.update(&bytes);
        Digest(*hasher.finalize().as_bytes())
    }
}

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
