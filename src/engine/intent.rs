//! What was asked: intents, and the room's "no".
//!
//! An [`Intent`] is untrusted and may be refused; what becomes of it is decided
//! in [`crate::engine::sequencer`] alone. A [`Refusal`] is an answer for people,
//! not an error: each says what to do.

use serde::{Deserialize, Serialize};

use crate::engine::event::{Role, Via};
use crate::engine::id::{Generation, ItemId, Seq, Stamp};
use crate::engine::unit::{MediaTime, Micros, Rate};

/// What a member wants. The order of variants is the wire: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Intent {
    /// Watch what this address names.
    Load {
        /// As pasted; read by [`crate::engine::media::parse`].
        url: String,
    },
    /// Let the film run.
    Play {},
    /// Let the film stand.
    Pause {
        /// The frame the asker saw, so that all settle on it; `None` for wherever the room is.
        #[serde(default)]
        at: Option<MediaTime>,
    },
    /// Move the film.
    Seek {
        /// Where to.
        to: MediaTime,
    },
    /// Change the film's speed.
    Rate {
        /// How fast, in thousandths.
        rate: Rate,
    },
    /// Say something.
    Say {
        /// The line.
        text: String,
    },
    /// Be called something else.
    Rename {
        /// The new name.
        name: String,
    },
    /// Tell how long the item is: players know, the room does not.
    Measure {
        /// Which item.
        item: ItemId,
        /// Its length.
        duration: Micros,
    },
}

impl Intent {
    /// Whether the intent moves the film, and so must name what it was aimed at.
    pub const fn is_control(&self) -> bool {
        matches!(
            self,
            Self::Play {} | Self::Pause { .. } | Self::Seek { .. } | Self::Rate { .. }
        )
    }
}

/// What a control intent was aimed at: what the asker saw on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aim {
    /// The item that was on.
    pub item: ItemId,
    /// Its generation.
    pub generation: Generation,
}

/// An intent as it travels: with everything that makes it safe to retry and to judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Rises with each intent of this member; the same again is the same intent.
    pub counter: u64,
    /// The asker's Lamport clock.
    #[serde(default)]
    pub stamp: Stamp,
    /// The input it came by.
    #[serde(default)]
    pub via: Via,
    /// What it was aimed at; without one the room takes it as aimed at now.
    #[serde(default)]
    pub aim: Option<Aim>,
    /// What is wanted.
    pub intent: Intent,
}

/// Why the room said no. The order of variants is the wire: append only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The asker's role does not include it.
    #[error("As a {role:?} you may not {action}. Ask the host.")]
    NotAllowed {
        /// What was wanted.
        action: String,
        /// What the asker is.
        role: Role,
    },
    /// The film moved on before the intent arrived.
    #[error("The film had moved on; look again and retry.")]
    Stale {
        /// What the intent was aimed at.
        aimed: Generation,
        /// What is now.
        current: Generation,
    },
    /// There is no film yet.
    #[error("Nothing is loaded yet. Load a video first.")]
    NothingLoaded,
    /// The film is shorter than that.
    #[error("The film ends at {end}.")]
    PastEnd {
        /// Where it ends.
        end: MediaTime,
    },
    /// The address names no video.
    #[error("{sentence}")]
    BadMedia {
        /// What is wrong with it and what to do.
        sentence: String,
    },
    /// Only the host opens addresses on new hosts.
    #[error("Videos from {host} are not allowed in this party. Ask the host to load one first.")]
    HostNotAllowed {
        /// Which host.
        host: String,
    },
    /// A name or a line that cannot be shown.
    #[error("{sentence}")]
    BadText {
        /// What is wrong with it and what to do.
        sentence: String,
    },
    /// Somebody here has that name, or one that looks like it.
    #[error("Somebody here is already called {name}. Choose another name.")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// No such item, or not the one that is on.
    #[error("There is no item {item} to do that with.")]
    UnknownItem {
        /// Which.
        item: ItemId,
    },
    /// A number no film has.
    #[error("That number is outside what a film can have.")]
    OutOfRange,
    /// The asker is not here.
    #[error("You are not in this party. Join again.")]
    NotHere,
    /// A counter from long ago: its answer is no longer known, and it will not be done twice.
    #[error("That request is too old to answer again.")]
    TooOld,
    /// More intents than a person makes.
    #[error("Too many requests; wait a moment.")]
    TooFast,
    /// The link's secret does not open this session.
    #[error("This link does not open the party. Ask the host for a new one.")]
    BadInvite,
    /// No session of that name is open here.
    #[error("No such party is open at this address. Ask the host whether it is still on.")]
    UnknownSession,
    /// The client speaks another version of the protocol.
    #[error("This program speaks protocol {theirs}, the host speaks {ours}. Update the older one.")]
    WrongVersion {
        /// What the host speaks.
        ours: u16,
        /// What the client speaks.
        theirs: u16,
    },
    /// The client claims to have seen more than there is: another log, or a rolled-back one.
    #[error("You hold events up to {cursor}, this party has only {tail}. Join anew.")]
    Ahead {
        /// What the client holds.
        cursor: Seq,
        /// What there is.
        tail: Seq,
    },
    /// The log cannot take more.
    #[error(
        "The host cannot save anything more ({reason}). The party can be watched but not changed."
    )]
    ReadOnly {
        /// Why.
        reason: String,
    },
    /// The bytes or words were not an intent.
    #[error("That was not understood: {reason}")]
    NotUnderstood {
        /// Why.
        reason: String,
    },
}
