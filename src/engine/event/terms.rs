//! The small closed vocabularies inside events: what may be done, why the room waits, how a queue goes on.
//!
//! Each is stored by its place in the list: append only.

use serde::{Deserialize, Serialize};

use super::Role;
use crate::engine::id::MemberId;
use crate::engine::media::Media;
use crate::engine::text::{Reaction, Title};
use crate::engine::unit::MediaTime;

/// What can be granted or taken away, one by one. The order is the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Play, pause, ready checks.
    Play,
    /// Move the film.
    Seek,
    /// Change its speed.
    Rate,
    /// Choose what plays, now and next.
    Queue,
    /// Vote.
    Vote,
    /// Talk and react.
    Chat,
    /// Hand out links.
    Invite,
    /// Grant, revoke, mute, kick and ban.
    Moderate,
}

impl Action {
    /// All of them, in the order of the wire.
    pub const ALL: [Self; 8] = [
        Self::Play,
        Self::Seek,
        Self::Rate,
        Self::Queue,
        Self::Vote,
        Self::Chat,
        Self::Invite,
        Self::Moderate,
    ];

    /// What people say for it: "you may not …".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Play => "play or pause",
            Self::Seek => "move the film",
            Self::Rate => "change the speed",
            Self::Queue => "choose what plays",
            Self::Vote => "vote",
            Self::Chat => "talk",
            Self::Invite => "invite people",
            Self::Moderate => "moderate",
        }
    }

    /// The word that stands for it in commands and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Play => "play",
            Self::Seek => "seek",
            Self::Rate => "rate",
            Self::Queue => "queue",
            Self::Vote => "vote",
            Self::Chat => "chat",
            Self::Invite => "invite",
            Self::Moderate => "moderate",
        }
    }
}

impl Role {
    /// What a role may do while nobody ruled otherwise: everybody who watches
    /// controls, for that is what guests of other programs asked for most.
    pub const fn may(self, action: Action) -> bool {
        match self {
            Self::Host | Self::CoHost => true,
            Self::Guest => !matches!(action, Action::Moderate),
            Self::Viewer => matches!(action, Action::Vote | Action::Chat),
        }
    }
}

/// Why the room waits. The order is the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// A film is being loaded.
    Load,
    /// Players are on their way to another place.
    Seek,
    /// Somebody's player ran out of data.
    Stall,
    /// Somebody's site shows an advertisement.
    Ad,
    /// Everybody is asked whether they are ready.
    ReadyCheck,
}

/// How a wait ended. The order is the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldEnd {
    /// Everybody waited for is ready, or gone.
    Ready,
    /// Its deadline passed.
    Expired,
    /// Somebody pressed play again.
    Forced,
    /// The host restarted meanwhile.
    Restarted,
}

/// Why a member's player does not follow the room for now. The order is the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suspension {
    /// The site shows an advertisement.
    Ad,
    /// Too little data arrives.
    Stall,
    /// The browser wants a click before it plays.
    NeedsClick,
    /// "I watch on my own."
    Detached,
    /// The item cannot be shown there; ends with the item.
    CannotPlay,
}

/// Why a member's player does not show the item. The order is the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inability {
    /// Removed, private, or never there.
    Unavailable,
    /// Not shown in the viewer's country.
    Region,
    /// The viewer's age has to be proven first.
    Age,
    /// Shown on its own site only, and not within other pages.
    NotEmbeddable,
    /// The site wants its viewer to sign in, to say who is watching, or to pay.
    SignIn,
    /// The site asks something else before it plays.
    Asks,
    /// A live stream or a première that has not begun, or is over.
    NotLive,
    /// The site cannot be reached from there, or answers with an error.
    Unreachable,
    /// The player cannot decode it.
    Format,
    /// The player cannot open protected films.
    Protected,
    /// A film on somebody's disk, of which the viewer has no copy.
    NoCopy,
    /// What the viewer watches by does not show films of this site at all.
    OtherPlayer,
    /// The viewer's player went elsewhere.
    Left,
    /// Something else; the words that come with it say what.
    Other,
}

impl Inability {
    /// What is the matter, as the end of a sentence about somebody else.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unavailable => "it is not available there",
            Self::Region => "it is not shown in their country",
            Self::Age => "the site wants to know their age",
            Self::NotEmbeddable => "it plays on its own site only",
            Self::SignIn => "the site wants them to sign in",
            Self::Asks => "the site asks them something first",
            Self::NotLive => "it has not begun, or is over",
            Self::Unreachable => "the site does not answer them",
            Self::Format => "their player cannot play this kind of film",
            Self::Protected => "their browser cannot open protected films",
            Self::NoCopy => "they have no copy of it",
            Self::OtherPlayer => "it needs another player than theirs",
            Self::Left => "their player went elsewhere",
            Self::Other => "it does not play there",
        }
    }
}

/// In which order the queue is played. The order is the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueMode {
    /// As it stands.
    #[default]
    Manual,
    /// Most votes first; as it stands where they are equal.
    Vote,
    /// Members take turns.
    RoundRobin,
}

/// What happens when an item has ended. The order is the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// The queue goes on, and is over some time.
    #[default]
    Off,
    /// The item begins again.
    One,
    /// The item goes to the queue's end.
    All,
}

/// One reaction's count within one second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The reaction.
    pub reaction: Reaction,
    /// How often it was sent.
    pub count: u32,
    /// The first members who sent it, at most eight, in order.
    pub by: Vec<MemberId>,
}

/// One thing a poll offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What people read.
    pub label: Title,
    /// What is queued first when it wins, if it is something to watch.
    pub media: Option<Media>,
    /// Where that begins.
    pub start: MediaTime,
}
