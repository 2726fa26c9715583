//! What can go wrong, each with a name, and the schedule of one seed.

use crate::sim::clock::{MS, SEC, True};
use crate::sim::dice::Dice;

/// Defines the kinds of fault with their words.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What a report calls it.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }
        }
    };
}

kinds! {
    // Links.
    /// The connection breaks; both ends hear of it.
    Cut = "cut",
    /// Packets are lost: each is late by a retransmission, and all behind it wait.
    Loss = "loss",
    /// The line is far.
    Delay = "delay",
    /// The line is restless.
    Jitter = "jitter",
    /// Some frames arrive twice.
    Duplicate = "duplicate",
    /// The connection breaks, and what was under way on it arrives after the next one stands.
    LateOldFrames = "late old frames",
    /// Nothing passes either way.
    Partition = "partition",
    /// Nothing passes towards the room.
    PartitionUp = "partition up",
    /// Nothing passes towards the member.
    PartitionDown = "partition down",
    /// The line comes and goes.
    Flapping = "flapping",
    /// The member's end is gone, and the room does not hear of it.
    HalfOpen = "half-open",
    /// Few bytes a second.
    SlowLine = "slow line",
    /// The member's program does not read.
    NeverReads = "never reads",
    // Clocks.
    /// A crystal at the edge of what the clock promises to bear.
    Skew = "skew",
    /// A crystal that warms up and cools down.
    ClockDrift = "clock drift",
    /// A crystal far worse than promised.
    BadCrystal = "bad crystal",
    /// A member's clock jumps ahead.
    StepForward = "clock step forward",
    /// A member's clock jumps back.
    StepBack = "clock step back",
    /// The host's wall clock jumps ahead, and the host restarts.
    WallForward = "wall clock forward",
    /// The host's wall clock jumps back, and the host restarts.
    WallBack = "wall clock back",
    /// A member's machine sleeps: nothing runs, its clock does.
    Suspend = "suspend",
    /// A background tab: its timers fire on whole seconds only.
    CoarseTimers = "coarse timers",
    /// The host's machine sleeps.
    HostSuspend = "host suspend",
    // Disks.
    /// Syncing takes its time.
    SlowSync = "slow sync",
    /// A sync fails; the host is restarted on a good disk.
    FailedSync = "failed sync",
    /// The disk is full; the host is restarted once there is space.
    DiskFull = "disk full",
    /// Power cut: half of what was not synced is there.
    TornTail = "torn tail",
    /// Power cut: nothing of what was not synced is there.
    LostSuffix = "lost suffix",
    /// A bit of a stored commit is wrong when the log is opened.
    BitFlip = "bit flip",
    // Processes.
    /// The host's program is killed and started again soon.
    HostCrash = "host crash",
    /// The same, and it stays away for long.
    HostAway = "host away",
    /// The host stops for less than a gap.
    HostPause = "host pause",
    /// The host closes the party politely and opens it again.
    HostReopens = "host reopens",
    /// The host's program dies again and again.
    RestartLoop = "restart loop",
    /// A member's program is killed and started again.
    GuestCrash = "guest crash",
    /// The same, and it has forgotten who it was.
    GuestForgets = "guest forgets",
    /// A member's program is stopped for a moment.
    GuestPause = "guest pause",
    /// Another process takes the session over while the old one lives on.
    HandOver = "hand-over",
    // Players.
    /// A player runs out of data.
    Stall = "stall",
    /// A site shows an advertisement.
    Ad = "ad",
    /// A player starts much later than told.
    LateStart = "late start",
    /// A player does not honour fine rates.
    IgnoredRate = "ignored rate",
    /// A player pauses by itself.
    SpuriousPause = "spurious pause",
    /// A browser wants a click before it plays.
    RefusesToPlay = "refuses to play",
    /// A player does not know how long the film is.
    UnknownDuration = "unknown duration",
    /// A player dies and is opened again.
    PlayerLost = "player lost",
    /// Somebody clicks inside the player while it is being corrected.
    ClickInside = "click inside",
    // Hostile clients.
    /// Bytes that are no frames.
    Garbage = "garbage",
    /// A frame beyond the limit.
    Oversize = "oversize",
    /// More intents than a person makes.
    Flood = "flood",
    /// Somebody claims to be somebody else.
    ForgedAuthor = "forged author",
    /// Events of an epoch that is over, offered to the log and to a member.
    StaleEpoch = "stale epoch",
    /// Control aimed at a film that has moved on.
    StaleAim = "stale aim",
    /// An intent is sent again with another content under the same number.
    ReusedCounter = "reused counter",
    /// Somebody claims to have seen more than there is.
    FarCursor = "far cursor",
    /// Connections that never say a word.
    Silent = "silent connections",
}

/// One step of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When it begins.
    pub at: True,
    /// How long it lasts, where that means something.
    pub lasts: True,
    /// What it is.
    pub kind: Kind,
    /// Whom it concerns, where that means something: a number to be taken modulo the members.
    pub who: u8,
    /// How bad it is, from 0 to 999.
    pub size: u16,
}

impl Fault {
    /// As a person reads it in a minimised schedule.
    pub fn words(&self) -> String {
        format!(
            "{:>9.3} s  {:<20} of member {} for {:.3} s (size {})",
            self.at as f64 / SEC as f64,
            self.kind.word(),
            self.who + 1,
            self.lasts as f64 / SEC as f64,
            self.size
        )
    }
}

/// The faults of one seed, in order of time.
pub fn schedule(seed: u64, minutes: u64, members: usize, span: True) -> Vec<Fault> {
    let mut dice = Dice::new(seed, 1);
    let count = if minutes == 0 {
        dice.between(3, 10)
    } else {
        // A bad evening: something every minute or two.
        minutes * dice.between(500, 1_200) / 1_000 + 4
    };
    let mut faults: Vec<_> = (0..count)
        .map(|_| Fault {
            at: dice.between(SEC, span),
            lasts: match dice.roll(3) {
                0 => dice.between(50 * MS, SEC),
                1 => dice.between(SEC, 5 * SEC),
                _ => dice.between(3 * SEC, 12 * SEC),
            },
            kind: dice.pick(Kind::ALL),
            who: dice.roll(members as u64) as u8,
            size: dice.roll(1_000) as u16,
        })
        .collect();
    faults.sort_by_key(|fault| fault.at);
    faults
}
