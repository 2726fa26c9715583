//! Where a session's events are: append, then publish (law 1).
//!
//! [`EventLog`] is the promise, over plain events; [`memory`] is its reference,
//! [`sled`] keeps it through crashes and power cuts. One contract suite runs on
//! both, so nothing above this module knows which one it holds.
//!
//! ```text
//!  room ── append ─► queue ─► writer thread ─► disk ─► sync ─► tail moves ─► room publishes
//!  readers ── read [from, tail) ◄── recent events in memory, else the disk
//! ```
//!
//! Promises: an append that answered `Ok` survives a crash of the program and a
//! power cut; appends land in the order of the calls; readers see durable
//! events only, without gaps; what is stored is the exact bytes that
//! [`crate::engine::event::codec`] wrote, each under the hash chain.
//!
//! Deliberately absent: subscriptions (publishing is the room's, after the log
//! answered; sled's own stop its writer while one is not read), snapshots,
//! truncation, and any rewriting of what was appended.
//!
//! The contract, the edge and the commit's form need neither disk nor runtime and
//! are built for the simulator too; the rest comes with the feature `server`.

#[cfg(feature = "server")]
mod beside;
#[cfg(feature = "server")]
pub mod capsule;
pub mod commit;
#[cfg(feature = "server")]
pub(crate) mod files;
#[cfg(feature = "server")]
pub mod key;
pub mod memory;
#[cfg(feature = "server")]
pub mod past;
#[cfg(feature = "server")]
pub mod salvage;
#[cfg(feature = "server")]
pub mod sled;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
pub mod trace;

#[cfg(all(test, feature = "server"))]
pub(crate) mod contract;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

#[cfg(feature = "server")]
use tokio::sync::oneshot;

use crate::engine::event::Event;
use crate::engine::event::chain::Link;
use crate::engine::event::codec::{self, DecodeError};
use crate::engine::id::{Epoch, Seq};

/// The longest event a log takes, in encoded bytes.
///
/// Limits on names, lines and addresses keep events far below it. It is what
/// fits one stored value of [`commit::VALUE_BYTES_MAX`] bytes with that value's frame.
pub const RECORD_BYTES_MAX: usize = 7_900;

/// What recovers a damaged session, as every sentence about damage ends.
pub(crate) const RECOVERY: &str =
    "Save what is whole with `seance export`, then bring it back with `seance import`";

/// One session's events, on some medium.
///
/// Shared as `Arc<dyn EventLog>`: the room appends, any number of readers read;
/// no call takes a lock that another holds across a disk access, so a slow
/// reader never stops the room nor the room a reader.
pub trait EventLog: Send + Sync + fmt::Debug + 'static {
    /// Puts `events` behind the tail; the answer comes when they are durable.
    ///
    /// The call itself queues them and never blocks: the order of calls is the
    /// order in the log, several may be under way, and dropping the answer does
    /// not take the events back. One call is one unit for readers: they see all
    /// of its events or none. Events must continue densely at the tail (behind
    /// those still under way).
    ///
    /// # Errors
    /// [`AppendError`]; then none of `events` was accepted. After
    /// [`AppendError::Full`] and [`AppendError::Failed`] the log takes nothing
    /// more until it is opened anew, and what was under way may or may not be
    /// found then; nothing that was acknowledged is lost.
    fn append(&self, events: Vec<Event>) -> Appending;

    /// The seq the next event gets, counting durable events only.
    fn tail(&self) -> Seq {
        self.edge().tail
    }

    /// The end of the durable part: its tail, its epoch and what it commits to.
    fn edge(&self) -> Edge;

    /// The tail, and the link of the record before it ([`Link::GENESIS`] on an empty log).
    fn tail_link(&self) -> (Seq, Link) {
        let edge = self.edge();
        (edge.tail, edge.link)
    }

    /// Durable events `[from, from + limit)`, as many as there are; none at or behind the tail.
    ///
    /// May touch the disk: from async code use [`read`], the one door for that.
    ///
    /// # Errors
    /// [`ReadError`], if an event in that range cannot be had.
    fn read(&self, from: Seq, limit: usize) -> Result<Vec<Event>, ReadError> {
        let from = from.max(Seq::FIRST);
        self.records(from, limit)?
            .iter()
            .zip(from.get()..)
            .map(|(bytes, seq)| decode_at(Seq::new(seq), bytes))
            .collect()
    }

    /// The same range as stored: what a capsule carries, even of kinds this version does not know.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] or [`ReadError::Failed`].
    fn records(&self, from: Seq, limit: usize) -> Result<Vec<Box<[u8]>>, ReadError>;

    /// The link of the durable record at `seq`: what it and all before it commit to.
    ///
    /// `Seq(0)` is [`Link::GENESIS`]; `None` at or behind the tail. May touch the disk.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] or [`ReadError::Failed`].
    fn link_at(&self, seq: Seq) -> Result<Option<Link>, ReadError>;

    /// As [`EventLog::read`] if that can be answered from memory, else `None`. Never blocks.
    fn recent(&self, from: Seq, limit: usize) -> Option<Vec<Event>>;
}

/// Reads like [`EventLog::read`] without ever blocking the runtime.
///
/// Readers that follow or lag a little are answered in place, from memory; one
/// that catches up from far goes through the runtime's blocking threads. This
/// is the only way from async code to a log's disk.
///
/// # Errors
/// As [`EventLog::read`].
///
/// # Panics
/// Outside a tokio runtime.
#[cfg(feature = "server")]
pub async fn read(
    log: &Arc<dyn EventLog>,
    from: Seq,
    limit: usize,
) -> Result<Vec<Event>, ReadError> {
    if let Some(events) = log.recent(from, limit) {
        return Ok(events);
    }
    let log = Arc::clone(log);
    tokio::task::spawn_blocking(move || log.read(from, limit))
        .await
        .unwrap_or_else(|_| Err(ReadError::Failed("the reading thread ended early".into())))
}

/// The end of a log: where it goes on, in whose reign, and what it commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The seq the next event gets.
    pub tail: Seq,
    /// The epoch of the last event; `Epoch(0)` on an empty log.
    pub epoch: Epoch,
    /// The link of the last record; [`Link::GENESIS`] on an empty log.
    pub link: Link,
}

/// One event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The bytes the codec wrote.
    pub bytes: Box<[u8]>,
    /// What they and all before them commit to.
    pub link: Link,
}

impl Edge {
    /// The end of a log that holds nothing.
    pub const EMPTY: Self = Self {
        tail: Seq::FIRST,
        epoch: Epoch::new(0),
        link: Link::GENESIS,
    };

    /// Judges an append: the one place for density and fencing, the same for every backend.
    ///
    /// Moves the edge behind `events` and returns them as records, or leaves it
    /// where it is.
    ///
    /// # Errors
    /// [`AppendError::Fenced`], [`AppendError::Gap`], [`AppendError::TooLong`].
    pub fn admit(&mut self, events: &[Event]) -> Result<Vec<Record>, AppendError> {
        let mut edge = *self;
        let mut records = Vec::with_capacity(events.len());
        for event in events {
            records.push(edge.admit_one(event)?);
        }
        *self = edge;
        Ok(records)
    }

    fn admit_one(&mut self, event: &Event) -> Result<Record, AppendError> {
        let (epoch, seq) = (event.header.epoch, event.header.seq);
        // Another sequencer's reign began, or its event already stands there: ours is over.
        if epoch < self.epoch || seq < self.tail {
            return Err(AppendError::Fenced {
                epoch,
                seq,
                log_epoch: self.epoch,
                tail: self.tail,
            });
        }
        if seq > self.tail {
            return Err(AppendError::Gap {
                expected: self.tail,
                found: seq,
            });
        }
        let bytes = codec::encode(event).into_boxed_slice();
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(AppendError::TooLong {
                seq,
                bytes: bytes.len(),
            });
        }
        let (_, parts) = codec::split(&bytes).expect("what was just encoded splits");
        let link = self.link.then(parts.header, parts.body);
        *self = Self {
            tail: self.tail.next(),
            epoch,
            link,
        };
        Ok(Record { bytes, link })
    }
}

/// The answer to an append, when it comes: a future, or [`Appending::wait`] on a plain thread.
#[derive(Debug)]
pub struct Appending(Answer);

#[derive(Debug)]
enum Answer {
    Known(Option<Result<(), AppendError>>),
    #[cfg(feature = "server")]
    Coming(oneshot::Receiver<Result<(), AppendError>>),
}

impl Appending {
    /// An answer that is known at once.
    pub const fn ready(answer: Result<(), AppendError>) -> Self {
        Self(Answer::Known(Some(answer)))
    }

    /// An answer that another thread will send.
    #[cfg(feature = "server")]
    pub const fn coming(answer: oneshot::Receiver<Result<(), AppendError>>) -> Self {
        Self(Answer::Coming(answer))
    }

    /// Blocks until the answer is there: for commands and tests, which have a thread to spare.
    ///
    /// # Errors
    /// As [`EventLog::append`].
    ///
    /// # Panics
    /// Inside a runtime's async code, which must await instead.
    pub fn wait(self) -> Result<(), AppendError> {
        match self.0 {
            Answer::Known(answer) => answer.expect("an answer is taken once"),
            #[cfg(feature = "server")]
            Answer::Coming(answer) => answer.blocking_recv().unwrap_or_else(|_| Err(gone())),
        }
    }
}

impl Future for Appending {
    type Output = Result<(), AppendError>;

    #[cfg_attr(
        not(feature = "server"),
        expect(unused_variables, reason = "without a writer every answer is known")
    )]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Answer::Known(answer) => Poll::Ready(answer.take().expect("polled after its end")),
            #[cfg(feature = "server")]
            Answer::Coming(answer) => Pin::new(answer)
                .poll(cx)
                .map(|sent| sent.unwrap_or_else(|_| Err(gone()))),
        }
    }
}

/// The writer ended without an answer, which only a bug or a closing log does.
#[cfg(feature = "server")]
fn gone() -> AppendError {
    AppendError::Failed("the log was closed".into())
}

/// Why events were not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Another sequencer took over: the asker's reign is over, and a retry is wrong.
    #[error(
        "another host has taken over: event {seq} of epoch {epoch} came to a log at event {tail} of epoch {log_epoch}"
    )]
    Fenced {
        /// The refused event's epoch.
        epoch: Epoch,
        /// The refused event's seq.
        seq: Seq,
        /// The log's epoch.
        log_epoch: Epoch,
        /// The log's tail, with what is under way.
        tail: Seq,
    },
    /// Events were skipped: a bug of the caller, or the echo of a refusal before.
    #[error("the log goes on at event {expected}, not at {found}")]
    Gap {
        /// Where the log goes on.
        expected: Seq,
        /// What came.
        found: Seq,
    },
    /// An event beyond [`RECORD_BYTES_MAX`].
    #[error("event {seq} has {bytes} bytes; an event has at most {RECORD_BYTES_MAX}")]
    TooLong {
        /// Which event.
        seq: Seq,
        /// Its encoded length.
        bytes: usize,
    },
    /// More appends under way than the queue holds. Nothing was taken; a retry after an answer helps.
    #[error("the disk is behind; wait for earlier events to be saved")]
    Busy,
    /// The disk is full: the session is read-only from here on.
    #[error("the disk is full; free some space and open the session again")]
    Full,
    /// The disk failed: the session is read-only from here on. The text says how.
    #[error("the session can no longer be saved: {0}")]
    Failed(Arc<str>),
}

impl AppendError {
    /// Whether this log takes nothing more until it is opened anew.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Full | Self::Failed(_))
    }
}

/// Why events could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// What is stored is not what was appended.
    #[error("event {seq} is damaged on disk ({reason}). {RECOVERY}")]
    Damaged {
        /// The first event that cannot be trusted.
        seq: Seq,
        /// What is wrong with it.
        reason: String,
    },
    /// Written by a later version of the program.
    #[error(
        "a newer Séance wrote this session, and this one cannot go on from event {seq}: {source}"
    )]
    Newer {
        /// Which event.
        seq: Seq,
        /// What is new about it.
        source: DecodeError,
    },
    /// The disk did not answer; a retry may help.
    #[error("the session could not be read: {0}")]
    Failed(String),
}

/// Reads stored bytes as the event at `seq`.
pub(crate) fn decode_at(seq: Seq, bytes: &[u8]) -> Result<Event, ReadError> {
    match codec::decode(bytes) {
        Ok(event) if event.header.seq == seq => Ok(event),
        Ok(event) => Err(ReadError::Damaged {
            seq,
            reason: format!("event {} stands in its place", event.header.seq),
        }),
        Err(DecodeError::Damaged(reason)) => Err(ReadError::Damaged {
            seq,
            reason: reason.into(),
        }),
        Err(source) => Err(ReadError::Newer { seq, source }),
    }
}
