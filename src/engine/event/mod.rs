//! What happened: facts, in the past tense, never changed.
//!
//! An [`Event`] is a [`Header`] (who, when, why) and a [`Body`] (what). Both are
//! stored and sent, so both are append-only formats: a new kind of event is a
//! new last variant of `Body`; a changed payload is a new variant (`SeekedV2`),
//! never an edited one; the golden bytes in `codec` hold us to it.

pub mod chain;
pub mod codec;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::engine::id::{Epoch, IntentId, ItemId, MemberId, Seq, SessionId, Stamp};
use crate::engine::media::Media;
use crate::engine::text::{Line, Name, Title};
use crate::engine::unit::{MediaTime, Micros, Rate, SessionTime};

/// Who, when, by what input and why: the part every event has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The event's place in its session: dense, from 1.
    pub seq: Seq,
    /// The reign of the sequencer that accepted it.
    pub epoch: Epoch,
    /// Lamport stamp: above everything its author had seen.
    pub stamp: Stamp,
    /// When it was accepted; never less than the event before.
    pub at: SessionTime,
    /// The same moment in milliseconds since 1970, for people. The fold does not read it.
    pub wall: u64,
    /// Its author, as the server knows them; `None` is the room itself.
    pub by: Option<MemberId>,
    /// The input it came by.
    pub via: Via,
    /// The earlier event that called for this one.
    pub cause: Option<Seq>,
    /// The counter of the author's intent behind it; see [`Header::intent_id`].
    pub intent: Option<u64>,
}

impl Header {
    /// The intent this event answers, if a member asked for it.
    pub fn intent_id(&self) -> Option<IntentId> {
        Some(IntentId {
            member: self.by?,
            counter: self.intent?,
        })
    }
}

/// The input an intent came by, so that "why did it pause?" has an answer. The order is the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// Nobody pressed anything: the room's own rules.
    #[default]
    Auto,
    /// The window.
    Gui,
    /// The guest page's own controls.
    Page,
    /// The film's player itself: somebody clicked inside it.
    Player,
    /// A word typed in a terminal.
    Cli,
    /// A program, by JSON.
    Script,
    /// A key of the window or the page.
    Key,
    /// A media key of the keyboard, a headset or a lock screen.
    MediaKey,
}

/// What a member may do; per-action grants refine it. The order is the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Opened the session; may do everything.
    Host,
    /// Trusted by the host.
    CoHost,
    /// Watches, controls and talks.
    Guest,
    /// Watches and talks.
    Viewer,
}

/// By what somebody takes part. The order is the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Client {
    /// The desktop window.
    Window,
    /// The guest page in a browser.
    Page,
    /// A terminal.
    Terminal,
    /// Somebody's own program.
    Script,
}

/// Why a member is no longer here. The order is the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Departure {
    /// They said goodbye.
    Quit,
    /// Their connection ended without a word, or fell silent.
    Lost,
    /// They broke the protocol's limits, or came in again from somewhere else.
    Dropped,
    /// The host closed the party, and they were still there.
    Ended,
}

/// What happened. **The order of variants is the stored format: append only, never edit.**
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// The session began.
    Opened {
        /// Its name, everywhere and for ever.
        session: SessionId,
        /// What people call it.
        title: Title,
    },
    /// A sequencer took over: the first start, a restart, a hand-over. Whoever was here must come back.
    EpochStarted {
        /// How long nobody sequenced; zero at the first start.
        gap: Micros,
    },
    /// A member came, or came back.
    Joined {
        /// Who; the same number each time they come back.
        member: MemberId,
        /// What they are called.
        name: Name,
        /// What they may do.
        role: Role,
        /// By what they take part.
        client: Client,
    },
    /// A member went.
    Left {
        /// Who.
        member: MemberId,
        /// Why.
        reason: Departure,
    },
    /// A member changed their name.
    Renamed {
        /// Who.
        member: MemberId,
        /// What they are called from now on.
        name: Name,
    },
    /// Something new to watch; it stands at `start`, paused, in a new generation.
    MediaSet {
        /// Its number in this session.
        item: ItemId,
        /// What it is.
        media: Media,
        /// What people call it, where known.
        title: Option<Title>,
        /// Where it begins.
        start: MediaTime,
    },
    /// How long an item is became known.
    Measured {
        /// Which item.
        item: ItemId,
        /// Its length.
        duration: Micros,
    },
    /// The film runs from `position`, starting at `start`.
    Played {
        /// Where it starts from.
        position: MediaTime,
        /// When: a moment ahead, so that everybody can start together.
        start: SessionTime,
    },
    /// The film stands at `position`.
    Paused {
        /// The frame everybody settles on: the one its originator saw.
        position: MediaTime,
    },
    /// The film moved, into a new generation; if it ran, it runs again from `start`.
    Seeked {
        /// Where to.
        position: MediaTime,
        /// When it runs on, if it ran.
        start: SessionTime,
    },
    /// The film runs at another speed from here on.
    RateSet {
        /// How fast.
        rate: Rate,
        /// Where the film stood when the speed changed.
        position: MediaTime,
    },
    /// A member said something.
    Said {
        /// What.
        text: Line,
        /// Where the film stood.
        moment: MediaTime,
    },
}

/// How many kinds of [`Body`] this version knows; a larger tag on the wire is from the future.
pub const BODY_KINDS: u32 = 12;

/// One fact of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Who, when and why.
    pub header: Header,
    /// What.
    pub body: Body,
}

/// The form people and scripts read: the header's fields and the body side by side.
#[derive(Serialize, Deserialize)]
struct Readable<H, B> {
    #[serde(flatten)]
    header: H,
    body: B,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        if sink.is_human_readable() {
            Readable {
                header: &self.header,
                body: &self.body,
            }
            .serialize(sink)
        } else {
            // Behind a length and its own format byte, so that an older reader can count what it cannot read.
            sink.serialize_bytes(&codec::encode(self))
        }
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        if source.is_human_readable() {
            let Readable { header, body } = Readable::deserialize(source)?;
            return Ok(Self { header, body });
        }
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Event;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an encoded event")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Event, E> {
                codec::decode(bytes).map_err(E::custom)
            }
        }
        source.deserialize_bytes(Bytes)
    }
}
