//! Lines and connections: what carries frames, late, twice, in part or not at all.
//!
//! A connection is what TCP gives: in order or not at all. Loss is therefore
//! lateness, for the lost packet and for all behind it; a partition is a pipe
//! that stands still. Frames are reordered only from one connection to the next.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::engine::frame::Form;
use crate::engine::id::MemberId;
use crate::engine::reader::Cursor;
use crate::engine::room::ConnectionId;
use crate::engine::session::room_end::RoomEnd;
use crate::sim::clock::{MS, SEC, True};
use crate::sim::dice::Dice;

/// What a socket's buffers take before a writer must wait.
pub const BUFFER_BYTES: usize = 48 * 1024;
/// How long a member may take to read before they count as too slow (as `net/pump.rs`).
pub const WRITE_WAIT_MAX: True = 10 * SEC;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// To the room.
    Up,
    /// To the member.
    Down,
}

/// The line between one member's machine and the host's.
#[derive(Clone, Debug)]
pub struct Line {
    /// The least time a frame takes, either way.
    pub delay: True,
    /// The most it takes longer.
    pub jitter: True,
    /// Lost packets in a thousand.
    pub loss: u64,
    /// Doubled frames in a thousand.
    pub doubles: u64,
    /// Microseconds a byte takes.
    pub byte_micros: u64,
    /// Nothing passes up.
    pub cut_up: bool,
    /// Nothing passes down.
    pub cut_down: bool,
    /// The member's program reads.
    pub reads: bool,
}

impl Line {
    /// A good line of that length.
    pub const fn good(delay: True) -> Self {
        Self {
            delay,
            jitter: 300,
            loss: 0,
            doubles: 0,
            byte_micros: 0,
            cut_up: false,
            cut_down: false,
            reads: true,
        }
    }

    /// Whether a frame at the far end may be taken there.
    pub const fn passes(&self, way: Way) -> bool {
        match way {
            Way::Up => !self.cut_up,
            Way::Down => !self.cut_down && self.reads,
        }
    }
}

/// What travels.
#[derive(Clone, Debug)]
pub enum Parcel {
    /// A frame's bytes.
    Frame(Rc<[u8]>),
    /// The end of the stream.
    Fin,
}

/// One direction of a connection.
#[derive(Clone, Debug, Default)]
pub struct Pipe {
    /// When each parcel is there, in order.
    pub flight: VecDeque<(True, Parcel)>,
    /// What it holds.
    pub bytes: usize,
    /// Its head arrived and was not taken.
    pub parked: bool,
    last: True,
}

impl Pipe {
    /// Puts a parcel in. Says when to look, if nothing was under way before.
    pub fn ship(
        &mut self,
        now: True,
        line: &Line,
        dice: &mut Dice,
        parcel: Parcel,
    ) -> (Option<True>, Effects) {
        let mut effects = Effects::default();
        let size = match &parcel {
            Parcel::Frame(bytes) => bytes.len(),
            Parcel::Fin => 0,
        };
        let mut takes = line.delay + dice.roll(line.jitter + 1) + size as u64 * line.byte_micros;
        if line.loss > 0 && dice.chance(line.loss) {
            effects.lost = true;
            takes += dice.between(200 * MS, 900 * MS);
        }
        // A slow line is busy with what is in front; any line keeps the order.
        let free = self.last + size as u64 * line.byte_micros;
        self.last = (now + takes).max(free);
        let idle = self.flight.is_empty();
        if line.doubles > 0 && matches!(parcel, Parcel::Frame(_)) && dice.chance(line.doubles) {
            effects.doubled = true;
            self.bytes += size;
            self.flight.push_back((self.last, parcel.clone()));
        }
        self.bytes += size;
        self.flight.push_back((self.last, parcel));
        (idle.then_some(self.last), effects)
    }

    /// Takes the head out, if it has arrived.
    pub fn take(&mut self, now: True) -> Option<Parcel> {
        let (_, parcel) = self.flight.pop_front_if(|(at, _)| *at <= now)?;
        if let Parcel::Frame(bytes) = &parcel {
            self.bytes -= bytes.len();
        }
        Some(parcel)
    }

    /// Everything under way comes so much later.
    pub fn hold_back(&mut self, by: True) {
        self.flight.iter_mut().for_each(|(at, _)| *at += by);
        self.last += by;
    }

    /// The line is as quick as this from `now` on, for what waits in it too.
    pub fn quicken(&mut self, now: True, line: &Line) {
        let there = now + line.delay + line.jitter;
        self.flight
            .iter_mut()
            .for_each(|(at, _)| *at = there.min(*at));
        self.last = there.min(self.last);
    }

    /// Whether something under way comes later than this line would bring it now.
    pub fn is_behind(&self, now: True, line: &Line) -> bool {
        self.last > now + line.delay + line.jitter
    }

    /// When its head is there.
    pub fn next(&self) -> Option<True> {
        self.flight.front().map(|(at, _)| *at)
    }
}

/// What the line did to a parcel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effects {
    /// It was lost and sent again.
    pub lost: bool,
    /// It arrives twice.
    pub doubled: bool,
}

/// Who is at the far end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Far {
    /// A member's machine.
    Guest(usize),
    /// A hostile client.
    Mallory(usize),
}

/// One connection, as both ends and the line between them hold it.
#[derive(Debug)]
pub struct Conn {
    /// Who dialled.
    pub far: Far,
    /// Which life of the host answered.
    pub life: u64,
    /// How frames are written on it.
    pub form: Form,
    /// The room's end.
    pub end: RoomEnd,
    /// Whether the room's end of the socket is open.
    pub room_open: bool,
    /// Whether the member's end is.
    pub far_open: bool,
    /// To the room.
    pub up: Pipe,
    /// To the member.
    pub down: Pipe,
    /// Who they are in the room, once let in.
    pub inside: Option<(MemberId, ConnectionId)>,
    /// The next event they are sent.
    pub feed: Option<Cursor>,
    /// Since when the room's writer waits for them.
    pub stuck: Option<True>,
    /// The cursor they came with: the first event they are to be sent.
    pub from: Option<u64>,
    /// The version of presence they were told last.
    pub told: u64,
    /// When the room's end is to be looked at.
    pub wake: True,
}
