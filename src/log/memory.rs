//! The reference: a log in memory, for the simulator, for tests and as the contract's yardstick.
//!
//! Promises what [`EventLog`] promises, except that it ends with the process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Appending, Edge, EventLog, ReadError, Record};
use crate::engine::event::Event;
use crate::engine::event::chain::Link;
use crate::engine::id::Seq;

/// A log in memory. Appends are "durable" at once.
#[derive(Debug)]
pub struct MemoryLog(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    edge: Edge,
    records: Vec<Record>,
}

impl MemoryLog {
    /// An empty log.
    pub const fn new() -> Self {
        Self(Mutex::new(Kept {
            edge: Edge::EMPTY,
            records: Vec::new(),
        }))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Every change is one assignment or one extend: a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self::new()
    }
}

impl EventLog for MemoryLog {
    fn append(&self, events: Vec<Event>) -> Appending {
        let mut kept = self.kept();
        let admitted = kept.edge.admit(&events);
        Appending::ready(admitted.map(|records| kept.records.extend(records)))
    }

    fn edge(&self) -> Edge {
        self.kept().edge
    }

    fn records(&self, from: Seq, limit: usize) -> Result<Vec<Box<[u8]>>, ReadError> {
        let kept = self.kept();
        let skipped = usize::try_from(from.max(Seq::FIRST).get() - 1).unwrap_or(usize::MAX);
        let range = kept.records.iter().skip(skipped).take(limit);
        Ok(range.map(|record| record.bytes.clone()).collect())
    }

    fn link_at(&self, seq: Seq) -> Result<Option<Link>, ReadError> {
        let Some(index) = seq.get().checked_sub(1) else {
            return Ok(Some(Link::GENESIS));
        };
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        Ok(self.kept().records.get(index).map(|record| record.link))
    }

    fn recent(&self, from: Seq, limit: usize) -> Option<Vec<Event>> {
        self.read(from, limit).ok()
    }
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use super::*;
    use std::sync::Arc;

    crate::log::contract::contract!(a_memory_log, Arc<MemoryLog>, 64);
}
