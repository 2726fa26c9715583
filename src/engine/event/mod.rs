//! What happened: facts, in the past tense, never changed.
//!
//! An [`Event`] is a [`Header`] (who, when, why) and a [`Body`] (what). Both are
//! stored and sent, so both are append-only formats: a new kind of event is a
//! new last variant of `Body`; a changed payload is a new variant (`SeekedV2`),
//! never an edited one; the golden bytes in `codec` hold us to it.

pub mod chain;
pub mod codec;
mod terms;
mod varint;

pub use terms::{
    Action, Choice, HoldEnd, HoldReason, Inability, QueueMode, Repeat, Suspension, Tally,
};

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

impl Via {
    /// Every input, by its number on the wire.
    pub const ALL: [Self; 8] = [
        Self::Auto,
        Self::Gui,
        Self::Page,
        Self::Player,
        Self::Cli,
        Self::Script,
        Self::Key,
        Self::MediaKey,
    ];
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
    /// The room waits: the film stands at `position`, and runs on when the wait ends.
    HoldStarted {
        /// Why.
        reason: HoldReason,
        /// Where it stands meanwhile.
        position: MediaTime,
        /// When the room stops waiting at the latest.
        deadline: SessionTime,
        /// For whom, by rising number.
        waiting: Vec<MemberId>,
    },
    /// The wait is over.
    HoldEnded {
        /// How.
        how: HoldEnd,
        /// When the film runs on; `None` if it stays where it stands.
        start: Option<SessionTime>,
        /// Who was still not ready.
        missing: Vec<MemberId>,
    },
    /// A member answered the ready check with yes.
    SaidReady {},
    /// A member's player does not follow for now.
    Suspended {
        /// Who.
        member: MemberId,
        /// Why.
        reason: Suspension,
    },
    /// A member's player follows again.
    Returned {
        /// Who.
        member: MemberId,
    },
    /// Whether the room waits for a member changed: their budget is used up, or they were stable for a while.
    Awaited {
        /// Who.
        member: MemberId,
        /// Whether it waits for them from now on.
        awaited: bool,
    },
    /// The host's machine stood still for a while, without a restart.
    HostGap {
        /// For how long.
        gap: Micros,
    },
    /// Somebody ruled what one member may do, whatever their role says.
    Ruled {
        /// Who.
        member: MemberId,
        /// What.
        action: Action,
        /// Yes or no; `None` is what their role says again.
        allow: Option<bool>,
        /// Until when; `None` is for good.
        until: Option<SessionTime>,
    },
    /// A member asks to be allowed something.
    Requested {
        /// What.
        action: Action,
    },
    /// A member has another role. Never host: see `HostChanged`.
    RoleSet {
        /// Who.
        member: MemberId,
        /// Which.
        role: Role,
    },
    /// The party has another host; the one before is a co-host.
    HostChanged {
        /// Who.
        member: MemberId,
    },
    /// A member was sent out; they may come back.
    Kicked {
        /// Who.
        member: MemberId,
    },
    /// A member was shut out, or forgiven.
    Banned {
        /// Who.
        member: MemberId,
        /// Shut out or forgiven.
        banned: bool,
    },
    /// Somebody ruled what a role may do.
    Permitted {
        /// Which role.
        role: Role,
        /// What.
        action: Action,
        /// Yes or no.
        allow: bool,
    },
    /// How long a member waits between two lines changed; zero is no wait.
    SlowSet {
        /// How long.
        every: Micros,
    },
    /// Whether the room waits for stalls, or for advertisements, changed.
    WaitSet {
        /// `Stall` or `Ad`.
        reason: HoldReason,
        /// Whether it waits.
        wait: bool,
    },
    /// Something to watch was put into the queue.
    Queued {
        /// Its number in this session.
        item: ItemId,
        /// What it is.
        media: Media,
        /// What people call it, where known.
        title: Option<Title>,
        /// Where it begins.
        start: MediaTime,
        /// Its place from 0; `None` is the end.
        place: Option<u32>,
    },
    /// An item was taken out of the queue.
    Unqueued {
        /// Which.
        item: ItemId,
    },
    /// An item has another place in the queue.
    QueueMoved {
        /// Which.
        item: ItemId,
        /// Its place from 0, once it is taken out.
        place: u32,
    },
    /// An item that was there before is in the queue again.
    Requeued {
        /// Which.
        item: ItemId,
        /// Its place from 0; `None` is the end.
        place: Option<u32>,
        /// Whose it is.
        by: Option<MemberId>,
    },
    /// A known item is on; it stands at `position`, in a new generation.
    Cued {
        /// Which.
        item: ItemId,
        /// Where it stands.
        position: MediaTime,
    },
    /// The queue has a random order; the seed gives it, the same everywhere.
    Shuffled {
        /// The seed.
        seed: u32,
    },
    /// The queue has this order.
    Reordered {
        /// The items, first first.
        items: Vec<ItemId>,
    },
    /// How the queue goes on changed.
    ModeSet {
        /// How.
        mode: QueueMode,
    },
    /// What happens when an item has ended changed.
    RepeatSet {
        /// What.
        repeat: Repeat,
    },
    /// A member wants an item soon.
    VoteCast {
        /// Which.
        item: ItemId,
    },
    /// A member took their vote back.
    VoteWithdrawn {
        /// From which.
        item: ItemId,
    },
    /// A member wants what is on to be skipped.
    SkipVoted {
        /// What is on.
        item: ItemId,
    },
    /// A member took that back.
    SkipWithdrawn {
        /// What is on.
        item: ItemId,
    },
    /// More than this share of those present skips an item.
    SkipShareSet {
        /// In percent.
        percent: u8,
    },
    /// A member asks everybody; the event's seq is the poll's number.
    PollOpened {
        /// What.
        question: Line,
        /// What there is to choose.
        choices: Vec<Choice>,
    },
    /// A member chose, chose anew, or took their choice back.
    PollAnswered {
        /// In which poll.
        poll: Seq,
        /// Which, from 0; `None` takes it back.
        choice: Option<u8>,
    },
    /// A poll is over.
    PollClosed {
        /// Which.
        poll: Seq,
        /// What won, from 0, if anything was chosen.
        winner: Option<u8>,
    },
    /// A member answered a line.
    Replied {
        /// The event that carried it.
        to: Seq,
        /// What.
        text: Line,
        /// Where the film stood.
        moment: MediaTime,
    },
    /// What viewers felt within one second.
    Reacted {
        /// Where the film stood.
        moment: MediaTime,
        /// How often what was sent, in order of first sending.
        tallies: Vec<Tally>,
    },
    /// A line is no longer to be shown. What carried it stays in its place in the chain.
    Redacted {
        /// The event that carried it.
        seq: Seq,
    },
    /// A link was made; the event's seq is its number. Its secret is derived, and in no log.
    InviteMade {
        /// What it lets people in as; never host.
        role: Role,
        /// Until when it opens; `None` is for good.
        until: Option<SessionTime>,
        /// How many people it lets in; `None` is any number.
        uses: Option<u32>,
    },
    /// A link no longer opens. Those who came by it stay.
    InviteRevoked {
        /// Which; 0 is the party's own.
        invite: Seq,
    },
    /// A newcomer came by a link that was made for it; by the party's own otherwise.
    InviteUsed {
        /// Which.
        invite: Seq,
        /// Who.
        member: MemberId,
    },
    /// Whether newcomers knock and wait for a moderator changed.
    ApprovalSet {
        /// Whether they do.
        on: bool,
    },
    /// Whether newcomers give a passcode changed, or the passcode did. What it is stands in no log.
    PasscodeSet {
        /// Whether they do.
        on: bool,
    },
    /// A moderator answered somebody at the door.
    KnockAnswered {
        /// What they wanted to be called.
        name: Name,
        /// Let in, or turned away.
        let_in: bool,
    },
    /// A member's player does not show the item, or shows it after all.
    Unable {
        /// Which item.
        item: ItemId,
        /// Why it does not; `None` when it does.
        why: Option<Inability>,
        /// What the player said about it, where the reason alone says too little.
        words: Option<Line>,
    },
}

/// How many kinds of [`Body`] this version knows; a larger tag on the wire is from the future.
pub const BODY_KINDS: u32 = 55;

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
