//! The feed: durable events, encoded once, for everyone who follows.
//!
//! The room puts each committed event in; a [`Subscription`] is a cursor over
//! it. The newest events stay in memory for those who keep up; whoever is
//! further behind reads the log, at its own pace, and nobody waits for it.

use std::collections::VecDeque;
use std::sync::{Arc, RwLock};

use bytes::Bytes;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::engine::event::Event;
use crate::engine::frame::{self, ToMember};
use crate::engine::id::Seq;
use crate::engine::reader::{Cursor, Want};
use crate::log::{self, EventLog, ReadError};

/// How many events stay in memory: some minutes of the busiest room, well under a megabyte.
const RECENT_KEPT: usize = 1_024;

/// How many events are read from the log at a time, for one reader.
const SCAN_STEP: usize = 256;

/// An event as frames, in both forms: encoded once, shared by every connection.
///
/// The text is kept as the WebSocket library wants it, proven UTF-8, so that a
/// thousand connections do not prove it a thousand times.
#[derive(Clone, Debug)]
pub struct Published {
    /// The event's place.
    pub seq: Seq,
    /// The frame in [`frame::Form::Postcard`].
    pub postcard: Bytes,
    /// The frame in [`frame::Form::Json`].
    pub json: Utf8Bytes,
}

impl Published {
    /// Encodes an event as the frames that carry it.
    pub fn new(event: &Event) -> Self {
        let frame = ToMember::Event(event.clone());
        Self {
            seq: event.header.seq,
            postcard: frame::to_postcard(&frame).into(),
            json: frame::to_json(&frame).into(),
        }
    }
}

/// The published part of a session.
#[derive(Debug)]
pub struct Feed {
    log: Arc<dyn EventLog>,
    recent: RwLock<VecDeque<Arc<Published>>>,
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
    pub fn publish(&self, events: &[Event]) {
        let Some(last) = events.last() else { return };
        let fresh: Vec<_> = events
            .iter()
            .map(|event| Arc::new(Published::new(event)))
            .collect();
        {
            let mut recent = self
                .recent
                .write()
                .expect("no reader or writer panics while holding the feed");
            assert_eq!(*self.tail.borrow(), fresh[0].seq, "the feed is dense");
            recent.extend(fresh);
            let surplus = recent.len().saturating_sub(RECENT_KEPT);
            recent.drain(..surplus);
        }
        self.tail.send_replace(last.header.seq.next());
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

    /// Copies what memory holds of `[from, to)`; empty when it no longer holds `from`.
    fn copy_recent(&self, from: Seq, to: Seq) -> Vec<Arc<Published>> {
        let recent = self
            .recent
            .read()
            .expect("no reader or writer panics while holding the feed");
        let Some(first) = recent.front().map(|published| published.seq) else {
            return Vec::new();
        };
        if from < first {
            return Vec::new();
        }
        let skip = (from.get() - first.get()) as usize;
        let count = (to.get() - from.get()) as usize;
        recent.iter().skip(skip).take(count).cloned().collect()
    }

    fn recent_from(&self, tail: Seq) -> Seq {
        let recent = self
            .recent
            .read()
            .expect("no reader or writer panics while holding the feed");
        recent.front().map_or(tail, |published| published.seq)
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

    /// Waits for events and returns the next ones in order, at least one; none once the room is
    /// gone and everything was delivered. Cancelling it loses none.
    ///
    /// # Errors
    /// [`ReadError`] when the log cannot give back what it holds.
    pub async fn next(&mut self) -> Result<Vec<Arc<Published>>, ReadError> {
        loop {
            let tail = *self.tail.borrow_and_update();
            let batch = match self.cursor.want(self.feed.recent_from(tail), tail) {
                Want::Wait => {
                    if self.tail.changed().await.is_err() {
                        return Ok(Vec::new());
                    }
                    continue;
                }
                Want::Follow(range) => self.feed.copy_recent(range.start, range.end),
                Want::Scan(range) => {
                    let wanted =
                        (range.end.get() - range.start.get()).min(SCAN_STEP as u64) as usize;
                    let events = log::read(&self.feed.log, range.start, wanted).await?;
                    events
                        .iter()
                        .map(|event| Arc::new(Published::new(event)))
                        .collect()
                }
            };
            // Empty when the room moved on between looking and copying: look again.
            if let Some(last) = batch.last() {
                self.cursor.advance(last.seq.next(), tail);
                return Ok(batch);
            }
        }
    }
}
