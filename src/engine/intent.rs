//! What was asked: intents, and the room's "no".
//!
//! An [`Intent`] is untrusted and may be refused; what becomes of it is decided
//! in [`crate::engine::sequencer`] alone. A [`Refusal`] is an answer for people,
//! not an error: each says what to do.

use serde::{Deserialize, Serialize};

use crate::engine::event::{
    Action, HoldReason, Inability, QueueMode, Repeat, Role, Suspension, Via,
};
use crate::engine::id::{Generation, ItemId, MemberId, Seq, Stamp};
use crate::engine::text::Passcode;
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
    /// Go on to what comes next.
    Next {
        /// What was on for the asker; when it is not any more, the room went on already.
        item: ItemId,
    },
    /// Tell that the item ended: each player does, the room goes on once.
    Ended {
        /// Which item.
        item: ItemId,
    },
    /// Take something back, by doing the opposite.
    Undo {
        /// The event; `None` for the last one that can be.
        #[serde(default)]
        seq: Option<Seq>,
    },
    /// Tell that the player stands where the room does. Whoever tells it once is waited for from
    /// then on; a player with nothing to show yet tells it of item 0.
    Ready {
        /// The item shown.
        item: ItemId,
        /// Its generation.
        generation: Generation,
    },
    /// Ask everybody whether they are ready, then start with a 3-2-1.
    ReadyCheck {},
    /// Answer that with yes.
    SayReady {},
    /// Not follow the room for now.
    Suspend {
        /// Why.
        reason: Suspension,
    },
    /// Follow the room again.
    Return {},
    /// Put something into the queue.
    QueueAdd {
        /// As pasted.
        url: String,
        /// In front of everything else.
        #[serde(default)]
        front: bool,
    },
    /// Take an item out of the queue.
    QueueRemove {
        /// Which.
        item: ItemId,
    },
    /// Move an item within the queue.
    QueueMove {
        /// Which.
        item: ItemId,
        /// Its new place, from 0.
        place: u32,
    },
    /// Play an item of the queue, or one that was on before, at once.
    PlayNow {
        /// Which.
        item: ItemId,
    },
    /// Give the queue a random order.
    Shuffle {},
    /// Choose how the queue goes on.
    SetMode {
        /// How.
        mode: QueueMode,
    },
    /// Choose what happens when an item has ended.
    SetRepeat {
        /// What.
        repeat: Repeat,
    },
    /// Want an item soon.
    Vote {
        /// Which.
        item: ItemId,
    },
    /// Take a vote back.
    Unvote {
        /// From which.
        item: ItemId,
    },
    /// Want what is on to be skipped.
    Skip {
        /// What is on for the asker.
        item: ItemId,
    },
    /// Take that back.
    Unskip {
        /// What is on for the asker.
        item: ItemId,
    },
    /// Choose how many skip votes are enough: more than this share of those present.
    SetSkipShare {
        /// In percent.
        percent: u8,
    },
    /// Ask everybody.
    OpenPoll {
        /// What.
        question: String,
        /// What there is to choose: words, or addresses of what to watch.
        choices: Vec<String>,
    },
    /// Choose.
    AnswerPoll {
        /// In which poll.
        poll: Seq,
        /// Which, from 0; `None` takes it back.
        #[serde(default)]
        choice: Option<u8>,
    },
    /// End a poll.
    ClosePoll {
        /// Which.
        poll: Seq,
    },
    /// Answer a line.
    Reply {
        /// The event that carried it.
        to: Seq,
        /// The answer.
        text: String,
    },
    /// Show a feeling.
    React {
        /// One emoji.
        reaction: String,
    },
    /// Have a line no longer shown.
    Redact {
        /// The event that carried it.
        seq: Seq,
    },
    /// Ask to be allowed something.
    Request {
        /// What.
        action: Action,
    },
    /// Allow a member something.
    Grant {
        /// Whom.
        member: MemberId,
        /// What.
        action: Action,
        /// For how long; `None` for good.
        #[serde(default)]
        lasts: Option<Micros>,
    },
    /// Forbid a member something: of `chat`, a mute.
    Revoke {
        /// Whom.
        member: MemberId,
        /// What.
        action: Action,
        /// For how long; `None` for good.
        #[serde(default)]
        lasts: Option<Micros>,
    },
    /// Give a member another role.
    SetRole {
        /// Whom.
        member: MemberId,
        /// Which; not host.
        role: Role,
    },
    /// Make another member the host.
    HandOver {
        /// Whom.
        member: MemberId,
    },
    /// Send a member out.
    Kick {
        /// Whom.
        member: MemberId,
    },
    /// Shut a member out.
    Ban {
        /// Whom.
        member: MemberId,
    },
    /// Forgive a member.
    Unban {
        /// Whom.
        member: MemberId,
    },
    /// Choose what a role may do.
    Permit {
        /// Which role.
        role: Role,
        /// What.
        action: Action,
        /// Yes or no.
        allow: bool,
    },
    /// Choose how long guests wait between two lines.
    SetSlow {
        /// How long; zero for no wait.
        every: Micros,
    },
    /// Choose whether the room waits for stalls, or for advertisements.
    SetWait {
        /// `Stall` or `Ad`.
        reason: HoldReason,
        /// Whether it waits.
        wait: bool,
    },
    /// Make a link that lets people in. Its secret comes to its maker alone.
    Invite {
        /// As what; not host.
        role: Role,
        /// For how long; `None` for good.
        #[serde(default)]
        lasts: Option<Micros>,
        /// How many people; `None` for any number.
        #[serde(default)]
        uses: Option<u32>,
    },
    /// Be told a link's secret again.
    ShowInvite {
        /// Which; 0 is the party's own.
        invite: Seq,
    },
    /// Have a link no longer open.
    RevokeInvite {
        /// Which; 0 is the party's own.
        invite: Seq,
    },
    /// Choose whether newcomers knock and wait.
    SetApproval {
        /// Whether they do.
        on: bool,
    },
    /// Choose what newcomers must know besides the link.
    SetPasscode {
        /// The passcode; `None` for none.
        #[serde(default)]
        passcode: Option<Passcode>,
    },
    /// Answer somebody at the door.
    AnswerKnock {
        /// Which knock.
        knock: u64,
        /// In, or away.
        let_in: bool,
    },
    /// Tell that one's player does not show the item, or shows it after all.
    Unable {
        /// Which item.
        item: ItemId,
        /// Why it does not; `None` when it does.
        #[serde(default)]
        why: Option<Inability>,
        /// What the player says about it, where the reason alone says too little.
        #[serde(default)]
        words: Option<String>,
    },
}

impl Intent {
    /// Whether a player tells it by itself: nobody pressed anything, so nobody need hear of a "no".
    pub const fn is_observation(&self) -> bool {
        matches!(
            self,
            Self::Measure { .. } | Self::Ready { .. } | Self::Ended { .. } | Self::Unable { .. }
        )
    }

    /// Whether the intent moves the film, and so must name what it was aimed at.
    pub const fn is_control(&self) -> bool {
        matches!(
            self,
            Self::Play {}
                | Self::Pause { .. }
                | Self::Seek { .. }
                | Self::Rate { .. }
                | Self::ReadyCheck {}
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
    /// Nobody of that number was ever here.
    #[error("There is no member {member}.")]
    UnknownMember {
        /// Which number.
        member: MemberId,
    },
    /// The member is not here now.
    #[error("{name} is not here now.")]
    Absent {
        /// Who.
        name: String,
    },
    /// The host, or another co-host: not the asker's to moderate.
    #[error("Only the host may do that to {name}.")]
    Protected {
        /// Who.
        name: String,
    },
    /// Only the host may do it at all.
    #[error("Only the host may do that.")]
    HostOnly,
    /// Shut out by a moderator.
    #[error("You were shut out of this party. Ask the host.")]
    Banned,
    /// Slow mode.
    #[error("Slow mode is on; say it again in {} s.", .wait.get() / 1_000_000 + 1)]
    Slow {
        /// How long to wait.
        wait: Micros,
    },
    /// Nothing was done that could be taken back.
    #[error("There is nothing to undo.")]
    NothingToUndo,
    /// Too much happened since.
    #[error("Too much has happened since; that can no longer be undone.")]
    UndoTooLate,
    /// The queue holds as much as it can.
    #[error("The queue is full ({max} items). Remove one first.")]
    QueueFull {
        /// How many it holds.
        max: u32,
    },
    /// Nothing comes next.
    #[error("Nothing is queued to go on with. Add something first.")]
    QueueEmpty,
    /// No line of that number, or too long ago.
    #[error("There is no line {seq} to do that with.")]
    UnknownLine {
        /// Which.
        seq: Seq,
    },
    /// No such poll is open.
    #[error("No such poll is open.")]
    NoPoll,
    /// One poll at a time.
    #[error("A poll is open already. Close it first.")]
    PollOpen,
    /// A poll nobody could answer.
    #[error("{sentence}")]
    BadPoll {
        /// What is wrong with it and what to do.
        sentence: String,
    },
    /// Nobody asked whether people are ready.
    #[error("No ready check is on.")]
    NoReadyCheck,
    /// The link opened once: it has expired, was used up, or was revoked.
    #[error("This link no longer opens the party. Ask for a new one.")]
    InviteOver,
    /// No link of that number opens, or ever did.
    #[error("There is no link {invite}.")]
    UnknownInvite {
        /// Which.
        invite: Seq,
    },
    /// More links than one party, or one guest, needs.
    #[error("There are {max} links already. Revoke one first.")]
    TooManyInvites {
        /// How many there may be.
        max: u32,
    },
    /// The party asks for a passcode, and none was given.
    #[error("This party asks for a passcode. Ask the host for it.")]
    PasscodeNeeded,
    /// The passcode was another.
    #[error("That is not the passcode. Try again.")]
    PasscodeWrong,
    /// Too many wrong ones, by this link or in this party.
    #[error("Too many passcodes were tried. Wait {} s and try again.", .wait.get() / 1_000_000 + 1)]
    PasscodeWait {
        /// How long to wait.
        wait: Micros,
    },
    /// A moderator said no at the door.
    #[error("The host did not let you in this time.")]
    TurnedAway,
    /// More people at the door than a host can look at.
    #[error("Too many people are waiting to be let in. Try again in a while.")]
    DoorCrowded,
    /// Nobody is at the door by that number any more.
    #[error("Nobody waits at the door by that number any more.")]
    NoKnock,
}
