//! The simulator: a party in a world where everything goes wrong, the same way each time.
//!
//! Real in it: the room's mind and its sequencer, the fold, replay and
//! snapshots, both session machines, the reader's cursor, frames in both forms
//! as bytes, the log's edge and commit form under their chain, the clock
//! filter, the controller, drift and echo. Played: true time, machines' clocks,
//! lines, a disk, films, people and [`fault::Kind::ALL`]. There is no runtime,
//! no thread, no clock and no randomness but the seed's.
//!
//! A run is a party under trouble, then calm: all faults end, everybody comes
//! back, and five seconds later there must be one state and one film. After
//! every step the laws of `check` hold: events dense, ordered, each once and of
//! a living epoch; nothing published before it was durable; nothing
//! acknowledged missing from any later recovery; every member's list a prefix
//! of the log; equal seq, equal digest, however folded; one event for each
//! intent, by whoever asked; no claim to be in step that is not so, no clock
//! outside its bound; nothing that grows without end.
//!
//! What it does not show: the tokio shell, sockets, sled and browsers. Those
//! have their own tests (`docs/proving.md`).

pub mod campaign;
pub mod check;
pub mod clock;
pub mod dice;
pub mod disk;
pub mod fault;
mod guest;
mod host;
mod hostile;
mod net;
mod player;
pub mod report;
mod trouble;
mod wish;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use fault::Fault;
pub use report::Tally;
pub use world::{Ending, Plan, World, members, span};

/// The plan a seed stands for; `minutes` 0 is a party of about a minute.
pub fn plan(seed: u64, minutes: u64) -> Plan {
    let (members, span) = (world::members(seed), world::span(seed, minutes));
    Plan {
        seed,
        minutes,
        faults: fault::schedule(seed, minutes, members, span),
    }
}

/// Runs a plan. A panic in the engine is a broken law like any other.
pub fn run(plan: Plan, traced: bool) -> Ending {
    let world = World::new(plan, traced);
    catch_unwind(AssertUnwindSafe(|| world.run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Ending {
            tally: Tally::default(),
            print: 0,
            trace: None,
            broken: Some((0, format!("panicked: {}", text.unwrap_or("without a word")))),
        }
    })
}

/// A seed that broke a law, and the least of its faults that still breaks one.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// How long its evening was.
    pub minutes: u64,
    /// The law, of the whole schedule.
    pub broken: String,
    /// What is left of the schedule.
    pub faults: Vec<Fault>,
    /// The law that the rest breaks.
    pub least_broken: String,
}

/// Takes faults out of a failing plan for as long as it fails (Zeller's delta debugging,
/// by halves, then quarters, then one by one).
pub fn minimise(plan: Plan, broken: String) -> Failure {
    let (seed, minutes) = (plan.seed, plan.minutes);
    let mut least = plan.faults;
    let mut least_broken = broken.clone();
    let mut size = least.len().div_ceil(2).max(1);
    loop {
        let (mut from, mut shrunk) = (0, false);
        while from < least.len() {
            let mut faults = least.clone();
            faults.drain(from..(from + size).min(least.len()));
            let plan = Plan {
                seed,
                minutes,
                faults: faults.clone(),
            };
            match run(plan, false).broken {
                Some((_, broken)) => (least, least_broken, shrunk) = (faults, broken, true),
                None => from += size,
            }
        }
        if size == 1 && !shrunk {
            break;
        }
        if !shrunk {
            size = size.div_ceil(2);
        }
    }
    Failure {
        seed,
        minutes,
        broken,
        faults: least,
        least_broken,
    }
}
