//! The feed: durable events, encoded once, for everyone who follows.
//!
//! The room puts each commit in; a [`Subscription`] is a cursor over it. The
//! newest events stay in memory for those who keep up; whoever is further
//! behind reads the log, at its own pace, and nobody waits for it.
//!
//! A commit's events become bytes at most once per form, when the first reader
//! of that form asks, as they stand on the wire and behind one another: a
//! thousand connections write the same bytes, and a room without a page in it
//! never writes JSON.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, OnceLock, RwLock};

use bytes::Bytes;
use tokio::sync::watch;

use crate::broadcast::wire;
use crate::engine::event::Event;
use crate::engine::frame::{Form, ToMember};
use crate::engine::id::Seq;
use crate::engine::presence::Told;
use crate::engine::reader::{Cursor, Want};
use crate::log::{self, EventLog, ReadError};

/// How many events stay in memory: some minutes of the busiest room, well under a megabyte.
const RECENT_KEPT: usize = 1_024;

/// How many events are read from the log at a time, for one reader.
const SCAN_STEP: usize = 256;

/// Events that were published together, and what they are on the wire.
#[derive(Debug)]
struct Batch {
    /// One or more, dense.
    events: Box<[Event]>,
    /// See [`place`].
    forms: [OnceLock<Framed>; 2],
}

/// Where a form's bytes are kept.
const fn place(form: Form) -> usize {
    match form {
        Form::Postcard => 0,
        Form::Json => 1,
    }
}

/// A batch's frames behind one another, and where each ends.
#[derive(Debug)]
struct Framed {
    bytes: Bytes,
    ends: Box<[usize]>,
}

impl Batch {
    fn new(events: Vec<Event>) -> Arc<Self> {
        assert!(!events.is_empty(), "a batch holds an event");
        Arc::new(Self {
            events: events.into(),
            forms: Default::default(),
        })
    }

    fn first(&self) -> Seq {
        self.events[0].header.seq
    }

    fn end(&self) -> Seq {
        Seq::new(self.first().get() + self.events.len() as u64)
    }

    fn framed(&self, form: Form) -> &Framed {
        self.forms[place(form)].get_or_init(|| {
            let mut bytes = Vec::new();
            let ends = self.events.iter().map(|event| {
                wire::put(&mut bytes, form, &ToMember::Event(event.clone()));
                bytes.len()
            });
            Framed {
                ends: ends.collect(),
                bytes: bytes.into(),
            }
        })
    }
}

/// Events in order, for one reader: a batch, or the part of one that the reader did not have.
#[derive(Clone, Debug)]
pub struct Run {
    batch: Arc<Batch>,
    /// Places in the batch; never empty.
    part: Range<usize>,
}

impl Run {
    /// The events.
    pub fn events(&self) -> &[Event] {
        &self.batch.events[self.part.clone()]
    }

    /// Them as they stand on the wire: encoded once, shared by every connection.
    pub fn bytes(&self, form: Form) -> Bytes {
        let framed = self.batch.framed(form);
        let start = match self.part.start {
            0 => 0,
            place => framed.ends[place - 1],
        };
        framed.bytes.slice(start..framed.ends[self.part.end - 1])
    }

    fn next_seq(&self) -> Seq {
        Seq::new(self.batch.first().get() + self.part.end as u64)
    }
}

/// What stays in memory.
#[derive(Debug, Default)]
struct Recent {
    batches: VecDeque<Arc<Batch>>,
    events: usize,
}

impl Recent {
    fn first(&self) -> Option<Seq> {
        self.batches.front().map(|batch| batch.first())
    }

    fn push(&mut self, batch: Arc<Batch>) {
        self.events += batch.events.len();
        self.batches.push_back(batch);
        while let Some(oldest) = self.batches.front()
            && self.events - oldest.events.len() >= RECENT_KEPT
        {
            self.events -= oldest.events.len();
            self.batches.pop_front();
        }
    }

    /// What is held of `[from, to)`; empty when `from` is no longer held.
    fn runs(&self, from: Seq, to: Seq) -> Vec<Run> {
        if self.first().is_none_or(|first| from < first) {
            return Vec::new();
        }
        let begin = self.batches.partition_point(|batch| batch.end() <= from);
        let wanted = self.batches.range(begin..);
        let wanted = wanted.take_while(|batch| batch.first() < to);
        wanted
            .map(|batch| {
                let place = |seq: Seq| (seq.get() - batch.first().get()) as usize;
                Run {
                    part: place(from.max(batch.first()))..place(to.min(batch.end())),
                    batch: Arc::clone(batch),
                }
            })
            .collect()
    }
}

/// The published part of a session.
#[derive(Debug)]
pub struct Feed {
    log: Arc<dyn EventLog>,
    recent: RwLock<Recent>,
    tail: watch::Sender<Seq>,
}

impl Feed {
    /// A feed over a log; what the log holds already counts as published.
    pub fn new(log: Arc<dyn EventLog>) -> Arc<Self> {
        let tail = watch::Sender::new(log.tail());
        Arc::new(Self {
            log,
            recent: RwLock::default(),
            tail,
        })
    }

    /// Publishes events the log has acknowledged, in order.
    ///
    /// # Panics
    /// When they do not follow what was published: a bug of the room.
    pub fn publish(&self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let batch = Batch::new(events);
        let (first, end) = (batch.first(), batch.end());
        {
            let mut recent = self
                .recent
                .write()
                .expect("no reader or writer panics while holding the feed");
            assert_eq!(*self.tail.borrow(), first, "the feed is dense");
            recent.push(batch);
        }
        self.tail.send_replace(end);
    }

    /// The seq the next event gets, counting published ones only.
    pub fn tail(&self) -> Seq {
        *self.tail.borrow()
    }

    /// A reader that wants `from` first.
    pub fn subscribe(self: &Arc<Self>, from: Seq) -> Subscription {
        Subscription {
            feed: Arc::clone(self),
            tail: self.tail.subscribe(),
            cursor: Cursor::at(from.max(Seq::FIRST)),
        }
    }

    fn copy_recent(&self, from: Seq, to: Seq) -> Vec<Run> {
        let recent = self
            .recent
            .read()
            .expect("no reader or writer panics while holding the feed");
        recent.runs(from, to)
    }

    fn recent_from(&self, tail: Seq) -> Seq {
        let recent = self
            .recent
            .read()
            .expect("no reader or writer panics while holding the feed");
        recent.first().unwrap_or(tail)
    }
}

/// One reader of a feed.
#[derive(Debug)]
pub struct Subscription {
    feed: Arc<Feed>,
    tail: watch::Receiver<Seq>,
    cursor: Cursor,
}

impl Subscription {
    /// The seq this reader gets next.
    pub fn next_seq(&self) -> Seq {
        self.cursor.next()
    }

    /// Waits for events and returns the next ones in order, at least one. Cancelling it loses none.
    /// Once the room is gone it waits for ever: that a room ended is for
    /// [`RoomHandle::ended`](super::room::RoomHandle::ended) to say.
    ///
    /// # Errors
    /// [`ReadError`] when the log cannot give back what it holds.
    pub async fn next(&mut self) -> Result<Vec<Run>, ReadError> {
        loop {
            let tail = *self.tail.borrow_and_update();
            let runs = match self.cursor.want(self.feed.recent_from(tail), tail) {
                Want::Wait => {
                    let changed = self.tail.changed().await;
                    changed.expect("this reader holds the feed, and the feed the sender");
                    continue;
                }
                Want::Follow(range) => self.feed.copy_recent(range.start, range.end),
                Want::Scan(range) => {
                    let wanted =
                        (range.end.get() - range.start.get()).min(SCAN_STEP as u64) as usize;
                    let events = log::read(&self.feed.log, range.start, wanted).await?;
                    let part = 0..events.len();
                    if part.is_empty() {
                        continue; // cannot be: the tail said that there is something
                    }
                    let batch = Batch::new(events);
                    vec![Run { batch, part }]
                }
            };
            // Empty when the room moved on between looking and copying: look again.
            if let Some(last) = runs.last() {
                self.cursor.advance(last.next_seq(), tail);
                return Ok(runs);
            }
        }
    }
}

/// What everybody's players do, as the room told it last.
///
/// Whoever heard the version before gets the same bytes as everybody else in
/// that place; whoever comes late or lags gets what they miss.
#[derive(Debug, Default)]
pub struct Bulletin {
    told: Told,
    forms: [OnceLock<Bytes>; 2],
}

impl Bulletin {
    /// What there is to write down at most once per form.
    pub fn new(told: Told) -> Self {
        Self {
            told,
            forms: Default::default(),
        }
    }

    /// The version that whoever was sent this has heard.
    pub fn version(&self) -> u64 {
        self.told.version()
    }

    /// The frame for somebody who heard `version`, as it stands on the wire.
    pub fn bytes(&self, form: Form, version: u64) -> Bytes {
        let write = |version| {
            let mut bytes = Vec::new();
            let fresh = self.told.since(version);
            if !fresh.is_empty() {
                wire::put(&mut bytes, form, &ToMember::Presence(fresh));
            }
            Bytes::from(bytes)
        };
        if version + 1 == self.told.version() {
            self.forms[place(form)]
                .get_or_init(|| write(version))
                .clone()
        } else {
            write(version)
        }
    }
}
