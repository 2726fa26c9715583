//! The one thread that writes: it takes what is queued, commits it as one, and answers.

use std::fs;
use std::sync::{Arc, PoisonError};

use tokio::sync::mpsc;

use super::mark::MarkFile;
use super::{BALLAST_FILE, Fault, GROUP_BYTES_MAX, Job, Store};
use crate::engine::event::Event;
use crate::log::{AppendError, Edge, Record};

/// The thread that commits. Ends when every sender of its queue is gone.
pub(super) struct Writer {
    pub(super) store: Arc<Store>,
    pub(super) jobs: mpsc::Receiver<Job>,
    /// The end of what was admitted; the durable edge once the group is committed.
    pub(super) edge: Edge,
    pub(super) mark: MarkFile,
    /// Set once and for all: what every further asker hears.
    pub(super) end: Option<AppendError>,
}

impl Writer {
    pub(super) fn run(mut self) {
        while let Some(job) = self.jobs.blocking_recv() {
            self.turn(job);
        }
    }

    /// Takes what is queued, commits it as one, and answers.
    fn turn(&mut self, first: Job) {
        let start = self.edge;
        let mut records: Vec<Record> = Vec::new();
        let mut bytes = 0;
        let mut taken: Vec<Job> = Vec::new();
        let mut next = Some(first);
        while let Some(job) = next {
            match self.admit(&job.events) {
                Ok(admitted) => {
                    bytes += admitted
                        .iter()
                        .map(|record| record.bytes.len())
                        .sum::<usize>();
                    records.extend(admitted);
                    taken.push(job);
                }
                // The asker may have gone; its events are refused all the same.
                Err(refused) => drop(job.answer.send(Err(refused))),
            }
            next = if bytes < GROUP_BYTES_MAX {
                self.jobs.try_recv().ok()
            } else {
                None
            };
        }
        if records.is_empty() {
            // Appends of nothing: done.
            taken
                .into_iter()
                .for_each(|job| drop(job.answer.send(Ok(()))));
            return;
        }
        match self.store.write(start.tail, &records) {
            Ok(()) => self.publish(taken),
            Err(fault) => self.fail(start, fault, taken),
        }
    }

    fn admit(&mut self, events: &[Event]) -> Result<Vec<Record>, AppendError> {
        match &self.end {
            Some(end) => Err(end.clone()),
            None => self.edge.admit(events),
        }
    }

    fn publish(&mut self, taken: Vec<Job>) {
        let mut answers = Vec::with_capacity(taken.len());
        let events = taken.into_iter().flat_map(|job| {
            answers.push(job.answer);
            job.events
        });
        self.store
            .durable
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .advance(self.edge, events);
        self.mark.write(self.edge);
        for answer in answers {
            let _ = answer.send(Ok(()));
        }
    }

    fn fail(&mut self, start: Edge, fault: Fault, taken: Vec<Job>) {
        let end = match fault {
            Fault::Full => {
                let _ = fs::remove_file(self.store.dir.join(BALLAST_FILE));
                AppendError::Full
            }
            Fault::Damaged(reason) | Fault::Failed(reason) => AppendError::Failed(reason.into()),
        };
        tracing::error!(session = ?self.store.session, tail = %start.tail, "the log stops: {end}");
        self.edge = start;
        self.end = Some(end.clone());
        for job in taken {
            let _ = job.answer.send(Err(end.clone()));
        }
    }
}
