//! The world: true time, a heap of what is due, and everybody in it.
//!
//! One step takes the earliest thing due and lets whom it concerns act. Nothing
//! reads a clock or a die of its own, nothing runs beside it: the same seed and
//! schedule give the same steps, byte for byte. The first broken law ends it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::Write as _;

use crate::engine::id::SessionId;
use crate::sim::check::{Broken, Ledger};
use crate::sim::clock::{MS, SEC, True};
use crate::sim::dice::Dice;
use crate::sim::fault::Fault;
use crate::sim::guest::Guest;
use crate::sim::host::{Host, Machine};
use crate::sim::hostile::Mallory;
use crate::sim::net::{Conn, Line};
use crate::sim::report::Tally;

/// The session everybody is in.
pub const SESSION: SessionId = SessionId::new(0x5ea2ce);
/// How long members may take to come back once all faults are over: the silence after which a line
/// counts as lost, the longest wait before a redial, and the time that being let in may take
/// (`engine/session/member_end.rs`: 10 s, 15 s, 8 s), twice over for whoever dials in between.
const BACK_MAX: True = 50 * SEC;
/// How long the party may take after that to be one again.
pub const TOGETHER_MAX: True = 5 * SEC;

/// What one run is.
#[derive(Clone, Debug)]
pub struct Plan {
    /// From which everything follows.
    pub seed: u64,
    /// How long the evening is; 0 for a short one of about a minute.
    pub minutes: u64,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

/// Something due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A member's machine wants to run.
    Guest(usize),
    /// A host's sequencer wants to be ticked.
    Room(u64),
    /// The host's half-second: gap, alive mark, presence.
    Beat(u64),
    /// A room's end of a connection wants to be ticked.
    End(u64),
    /// A connection that was dialled stands, or does not.
    Stands(usize, u64),
    /// A dial found nobody.
    Nobody(usize, u64),
    /// The head of a pipe to the room is there.
    Up(u64),
    /// The head of a pipe to the member is there.
    Down(u64),
    /// A sync came back.
    Synced(u64),
    /// The host's program starts.
    HostUp,
    /// A fault begins.
    Begin(usize),
    /// It is over.
    Over(usize),
    /// It does something in between.
    Again(usize, u32),
    /// All faults are over.
    Calm,
    /// A hostile client's next trick.
    Mallory(usize),
}

/// Where in the run we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Things go wrong.
    Trouble,
    /// All faults are over since then; members come back.
    Returning(True),
    /// All are back since then; the party comes together.
    Gathering(True),
    /// Done.
    Done,
}

/// Everything there is.
#[derive(Debug)]
pub struct World {
    pub(super) now: True,
    order: u64,
    heap: BinaryHeap<Reverse<(True, u64, Due)>>,
    pub(super) plan: Plan,
    pub(super) stage: Stage,
    pub(super) machine: Machine,
    pub(super) hosts: BTreeMap<u64, Host>,
    pub(super) guests: Vec<Guest>,
    pub(super) mallories: Vec<Mallory>,
    pub(super) lines: Vec<Line>,
    pub(super) conns: BTreeMap<u64, Conn>,
    pub(super) next_conn: u64,
    pub(super) ledger: Ledger,
    pub(super) tally: Tally,
    pub(super) net_dice: Dice,
    /// When an event was published last.
    pub(super) last_published: True,
    /// What happened, as text, when somebody wants to read it.
    trace: Option<String>,
    /// What happened, as one number.
    print: u64,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// What it did.
    pub tally: Tally,
    /// What happened, as one number: equal for equal runs.
    pub print: u64,
    /// What happened, as text, if it was asked for.
    pub trace: Option<String>,
    /// Which law was broken and when, if any was.
    pub broken: Option<(True, Broken)>,
}

/// How long the trouble of a seed lasts.
pub fn span(seed: u64, minutes: u64) -> True {
    match minutes {
        0 => Dice::new(seed, 2).between(20 * SEC, 70 * SEC),
        _ => minutes * 60 * SEC,
    }
}

/// How many members a seed has.
pub fn members(seed: u64) -> usize {
    Dice::new(seed, 3).between(2, 6) as usize
}

impl World {
    /// A world in which nothing has happened.
    pub fn new(plan: Plan, traced: bool) -> Self {
        let seed = plan.seed;
        let mut dice = Dice::new(seed, 4);
        let members = members(seed);
        let span = span(seed, plan.minutes);
        let machine = Machine::new(&mut dice);
        let lines = (0..members)
            .map(|member| match member {
                0 => Line::good(40),
                _ => Line::good(dice.between(300, 60 * MS)),
            })
            .collect();
        let guests = (0..members)
            .map(|number| Guest::new(number, seed, plan.minutes > 0, &mut dice))
            .collect();
        let mut world = Self {
            now: 0,
            order: 0,
            heap: BinaryHeap::new(),
            stage: Stage::Trouble,
            machine,
            hosts: BTreeMap::new(),
            guests,
            mallories: Vec::new(),
            lines,
            conns: BTreeMap::new(),
            next_conn: 0,
            ledger: Ledger::default(),
            tally: Tally {
                seeds: 1,
                ..Tally::default()
            },
            net_dice: Dice::new(seed, 5),
            last_published: 0,
            trace: traced.then(String::new),
            print: 0xcbf2_9ce4_8422_2325,
            plan,
        };
        world.at(0, Due::HostUp);
        for number in 0..members {
            // The first is the host's own; the others drop in.
            let comes = world.guests[number].wake;
            world.at(comes, Due::Guest(number));
        }
        for index in 0..world.plan.faults.len() {
            let fault = world.plan.faults[index];
            if fault.at < span {
                world.at(fault.at, Due::Begin(index));
                world.at(fault.at + fault.lasts, Due::Over(index));
            }
        }
        world.at(span, Due::Calm);
        world
    }

    /// Lives it to its end.
    pub fn run(mut self) -> Ending {
        let broken = loop {
            match self.step() {
                Ok(true) => {}
                Ok(false) => break None,
                Err(broken) => break Some((self.now, broken)),
            }
        };
        self.tally.simulated = self.now;
        self.tally.events = self.ledger.count() as u64;
        Ending {
            tally: self.tally,
            print: self.print,
            trace: self.trace,
            broken,
        }
    }

    /// Something is due then.
    pub(super) fn at(&mut self, when: True, due: Due) {
        self.order += 1;
        self.heap
            .push(Reverse((when.max(self.now), self.order, due)));
    }

    /// Notes what happened.
    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            // Writing into a String cannot fail.
            let _ = writeln!(trace, "{:>13} {}", self.now, what());
        }
    }

    /// Mixes a number into what this run amounts to.
    pub(super) fn mix(&mut self, number: u64) {
        self.print = (self.print ^ number)
            .wrapping_mul(0x0000_0100_0000_01b3)
            .rotate_left(23);
    }

    fn step(&mut self) -> Result<bool, Broken> {
        if self.stage == Stage::Done {
            return Ok(false);
        }
        let Some(Reverse((when, _, due))) = self.heap.pop() else {
            return Err("the world stands still".to_owned());
        };
        self.now = when;
        self.tally.steps += 1;
        self.mix(when);
        match due {
            Due::Guest(number) => self.guest_wakes(number, when)?,
            Due::Room(life) => self.room_wakes(life, when)?,
            Due::Beat(life) => self.host_beats(life)?,
            Due::End(conn) => self.end_wakes(conn, when)?,
            Due::Stands(number, conn) => self.conn_stands(number, conn)?,
            Due::Nobody(number, dial) => self.nobody_there(number, dial)?,
            Due::Up(conn) => self.arrives_up(conn)?,
            Due::Down(conn) => self.arrives_down(conn)?,
            Due::Synced(life) => self.synced(life)?,
            Due::HostUp => self.host_up()?,
            Due::Begin(index) => self.fault_begins(index)?,
            Due::Over(index) => self.fault_ends(index)?,
            Due::Again(index, round) => self.fault_again(index, round)?,
            Due::Calm => self.calm()?,
            Due::Mallory(index) => self.mallory_acts(index)?,
        }
        self.watch_bounds()?;
        self.watch_stage()
    }

    /// Bounded memory, wherever something could pile up.
    fn watch_bounds(&mut self) -> Result<(), Broken> {
        let conns = self.conns.len();
        let most = 12 * self.guests.len() + 4 * self.mallories.len() + 40;
        if conns > most {
            return Err(format!("{conns} connections are open, {most} at the most"));
        }
        Ok(())
    }

    fn watch_stage(&mut self) -> Result<bool, Broken> {
        match self.stage {
            Stage::Trouble => {}
            Stage::Done => return Ok(false),
            Stage::Returning(since) => {
                if self.all_back() {
                    self.tally.back_max = self.now - since;
                    self.stage = Stage::Gathering(self.now);
                    self.note(|| "all are back".to_owned());
                    self.at(self.now + 700 * MS, Due::Again(usize::MAX, 0));
                } else if self.now > since + BACK_MAX {
                    let away: Vec<_> = self.away();
                    return Err(format!(
                        "{} s after the last fault these are not back: {}",
                        BACK_MAX / SEC,
                        away.join(", ")
                    ));
                }
            }
            Stage::Gathering(since) => {
                // What was published this moment is still on its way.
                let is_quiet = self.now >= self.last_published + 500 * MS;
                if self.now >= since + TOGETHER_MAX && is_quiet {
                    self.must_be_together(since)?;
                    self.finish()?;
                    self.stage = Stage::Done;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The costly checks, once.
    fn finish(&mut self) -> Result<(), Broken> {
        let at = Dice::new(self.plan.seed, 6).roll(self.ledger.count() as u64) as usize;
        self.ledger.fold_every_way(at)?;
        self.ledger.nothing_amplified()?;
        self.tally.folds += 3;
        Ok(())
    }
}
