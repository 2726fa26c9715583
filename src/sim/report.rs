//! What happened in all runs, as counts.

use std::fmt;

use crate::sim::clock::True;
use crate::sim::fault::Kind;

/// What one run or many did.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Seeds run.
    pub seeds: u64,
    /// Simulated time, with a party on.
    pub simulated: True,
    /// Steps of the world.
    pub steps: u64,
    /// Events made durable.
    pub events: u64,
    /// Events applied by members' machines.
    pub applied: u64,
    /// Intents asked by people.
    pub asked: u64,
    /// Comings back to a party one was in before.
    pub rejoins: u64,
    /// Sequencers that took over from another: restarts and hand-overs.
    pub epochs: u64,
    /// Hosts that followed another, and processes that took a session over.
    pub hand_overs: u64,
    /// Logs opened again.
    pub recoveries: u64,
    /// Claims of a player to be in step, each compared with the truth.
    pub claims: u64,
    /// Comparisons of digests.
    pub folds: u64,
    /// The longest that a party needed, once all faults were over, until everybody was back, in microseconds.
    pub back_max: True,
    /// The farthest a player was from the line five seconds after that.
    pub off_max: u64,
    /// How often each kind of fault took effect.
    pub faults: Vec<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            seeds: 0,
            simulated: 0,
            steps: 0,
            events: 0,
            applied: 0,
            asked: 0,
            rejoins: 0,
            epochs: 0,
            hand_overs: 0,
            recoveries: 0,
            claims: 0,
            folds: 0,
            back_max: 0,
            off_max: 0,
            faults: vec![0; Kind::ALL.len()],
        }
    }
}

impl Tally {
    /// A fault took effect.
    pub fn hit(&mut self, kind: Kind) {
        self.faults[kind as usize] += 1;
    }

    /// Adds another one up.
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.simulated += other.simulated;
        self.steps += other.steps;
        self.events += other.events;
        self.applied += other.applied;
        self.asked += other.asked;
        self.rejoins += other.rejoins;
        self.epochs += other.epochs;
        self.hand_overs += other.hand_overs;
        self.recoveries += other.recoveries;
        self.claims += other.claims;
        self.folds += other.folds;
        self.back_max = self.back_max.max(other.back_max);
        self.off_max = self.off_max.max(other.off_max);
        for (mine, theirs) in self.faults.iter_mut().zip(&other.faults) {
            *mine += theirs;
        }
    }

    /// Against vacuity: what so many runs must have done at the least, or they proved nothing.
    ///
    /// # Errors
    /// A sentence for the first thing that happened too seldom.
    pub fn gates(&self) -> Result<(), String> {
        let least = |what: &str, count: u64, wanted: u64| {
            if count < wanted {
                return Err(format!(
                    "only {count} {what} in {} seeds, {wanted} at the least",
                    self.seeds
                ));
            }
            Ok(())
        };
        least("events", self.events, 40 * self.seeds)?;
        least("events applied", self.applied, 80 * self.seeds)?;
        least("intents", self.asked, 15 * self.seeds)?;
        least("rejoins", self.rejoins, self.seeds / 2)?;
        least("hand-overs", self.hand_overs, self.seeds / 40)?;
        least("recoveries", self.recoveries, self.seeds / 4)?;
        least("claims to be in step", self.claims, 4 * self.seeds)?;
        for (kind, count) in Kind::ALL.iter().zip(&self.faults) {
            // A kind comes up about once in eight seeds; a run too short for that is not held to it.
            if self.seeds >= 400 {
                least(
                    &format!("faults of kind “{}”", kind.word()),
                    *count,
                    self.seeds / 200,
                )?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.simulated as f64 / 3.6e9;
        writeln!(f, "seeds            {:>12}", self.seeds)?;
        writeln!(f, "party-hours      {hours:>12.1}")?;
        writeln!(f, "steps            {:>12}", self.steps)?;
        writeln!(f, "events           {:>12}", self.events)?;
        writeln!(f, "events applied   {:>12}", self.applied)?;
        writeln!(f, "intents          {:>12}", self.asked)?;
        writeln!(f, "rejoins          {:>12}", self.rejoins)?;
        writeln!(f, "epochs           {:>12}", self.epochs)?;
        writeln!(f, "hand-overs       {:>12}", self.hand_overs)?;
        writeln!(f, "recoveries       {:>12}", self.recoveries)?;
        writeln!(f, "in-step claims   {:>12}", self.claims)?;
        writeln!(f, "whole-log folds  {:>12}", self.folds)?;
        writeln!(
            f,
            "all back after   {:>10} ms, at the longest",
            self.back_max / 1_000
        )?;
        writeln!(
            f,
            "off 5 s later    {:>10} ms, at the farthest",
            self.off_max / 1_000
        )?;
        let all: u64 = self.faults.iter().sum();
        writeln!(
            f,
            "faults           {all:>12}, of {} kinds:",
            Kind::ALL.len()
        )?;
        for pair in Kind::ALL.chunks(3) {
            for kind in pair {
                write!(f, "  {:<22}{:>9}", kind.word(), self.faults[*kind as usize])?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
