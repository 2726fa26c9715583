//! The log contract over a simulated disk: what is synced stays, what is not may tear.
//!
//! Bytes are written by the real [`commit`] form under the real chain, and
//! appends are judged by the real [`Edge`]; only the medium is played. A write
//! is cached until a sync makes it durable; a power cut leaves of the cache
//! what it likes, a killed program leaves it all.

use std::rc::Rc;

use crate::engine::event::Event;
use crate::engine::event::chain::Link;
use crate::engine::id::Seq;
use crate::log::commit::{self, Commit};
use crate::log::{AppendError, Edge, ReadError, decode_at};
use crate::sim::dice::Dice;

/// What a power cut does to what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It was only the program that died: the system still writes everything.
    Nothing,
    /// Everything not synced is gone.
    Suffix,
    /// Some of it is there, the last of it in part.
    Torn,
}

/// One session's disk.
#[derive(Debug)]
pub struct Disk {
    /// Durable commits, as stored.
    durable: Vec<Vec<u8>>,
    /// Written, not synced.
    cached: Vec<Vec<u8>>,
    /// Where an append continues; moves as it is taken, not as it is synced.
    edge: Edge,
    /// Durable records, by seq, for readers.
    records: Vec<Rc<[u8]>>,
    /// Records of what is cached.
    coming: Vec<Rc<[u8]>>,
}

impl Disk {
    /// A disk that holds nothing.
    pub const fn new() -> Self {
        Self {
            durable: Vec::new(),
            cached: Vec::new(),
            edge: Edge::EMPTY,
            records: Vec::new(),
            coming: Vec::new(),
        }
    }

    /// Takes an append into the cache.
    ///
    /// # Errors
    /// What [`Edge::admit`] says against it.
    pub fn write(&mut self, events: &[Event]) -> Result<(), AppendError> {
        let records = self.edge.admit(events)?;
        self.cached
            .extend(commit::split(&records).map(commit::encode));
        let bytes = records.into_iter().map(|record| record.bytes.into());
        self.coming.extend(bytes);
        Ok(())
    }

    /// Whether an append would be taken; nothing is written.
    pub fn would_take(&self, events: &[Event]) -> bool {
        { self.edge }.admit(events).is_ok()
    }

    /// Makes everything written durable.
    pub fn sync(&mut self) {
        self.durable.append(&mut self.cached);
        self.records.append(&mut self.coming);
    }

    /// Durable events `[from, from + limit)`.
    ///
    /// # Errors
    /// [`ReadError`] when one does not read.
    pub fn read(&self, from: Seq, limit: usize) -> Result<Vec<Event>, ReadError> {
        let skipped = (from.get() - 1) as usize;
        let wanted = self.records.iter().skip(skipped).take(limit);
        wanted
            .zip(from.get()..)
            .map(|(bytes, seq)| decode_at(Seq::new(seq), bytes))
            .collect()
    }

    /// The program that wrote is gone; the power perhaps too.
    pub fn cut(&mut self, how: Cut, dice: &mut Dice) {
        let mut cached = std::mem::take(&mut self.cached);
        match how {
            Cut::Nothing => {}
            Cut::Suffix => cached.clear(),
            Cut::Torn => {
                cached.truncate(dice.roll(cached.len() as u64 + 1) as usize);
                if let Some(last) = cached.last_mut() {
                    last.truncate(dice.roll(last.len() as u64) as usize);
                    // What a sector held before stands where it was not written.
                    last.resize(last.len() + dice.roll(40) as usize, 0);
                }
            }
        }
        self.durable.append(&mut cached);
    }

    /// Flips a bit of a durable commit; says where, so that a spare copy can mend it.
    pub fn flip(&mut self, dice: &mut Dice) -> Option<(usize, usize)> {
        let value = dice.roll(self.durable.len() as u64) as usize;
        let byte = dice.roll(self.durable.get(value)?.len() as u64) as usize;
        self.mend((value, byte));
        Some((value, byte))
    }

    /// Flips it again.
    pub fn mend(&mut self, (value, byte): (usize, usize)) {
        if let Some(byte) = self.durable[value].get_mut(byte) {
            *byte ^= 0x10;
        }
    }

    /// Opens what is there: whole commits from the first on; what follows a broken one was
    /// never acknowledged, and goes. Says how many events are left.
    pub fn open(&mut self) -> usize {
        let (mut edge, mut whole) = (Edge::EMPTY, 0);
        self.records.clear();
        self.coming.clear();
        for value in &self.durable {
            let Ok(read) = Commit::parse_whole(value) else {
                break;
            };
            let Ok(link) = read.verify(edge.tail, edge.link, |_, _: Link| {}) else {
                break;
            };
            let tail = Seq::new(edge.tail.get() + read.count());
            let epoch = read.epoch().unwrap_or(edge.epoch);
            edge = Edge { tail, epoch, link };
            self.records.extend(read.records().map(Rc::from));
            whole += 1;
        }
        self.durable.truncate(whole);
        self.edge = edge;
        self.records.len()
    }

    /// Another program opens it while the one that writes lives on: what that wrote is there.
    pub fn reopen(&mut self) -> usize {
        self.durable.append(&mut self.cached);
        self.open()
    }

    /// How many events a reader finds.
    pub fn durable_events(&self) -> usize {
        self.records.len()
    }

    /// The same bytes on another disk: to look at without touching these.
    pub fn copy(&self) -> Self {
        Self {
            durable: self.durable.clone(),
            ..Self::new()
        }
    }

    /// How many durable commits there are.
    pub fn commits(&self) -> usize {
        self.durable.len()
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}
