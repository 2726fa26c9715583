//! The log people have: sled under one writer thread.
//!
//! What sled 0.34 promises and does not was read in its source and seen when the power was cut
//! (`tests/crash.rs`), and this file is what makes it durable:
//!
//! - One writer thread takes whatever is queued and commits it as one: batch,
//!   `flush()`, then `sync_data()` on our own descriptor of `<db>/db`, because
//!   sled's flush ends in `sync_file_range`, which a power cut forgets. Only then
//!   the tail moves and the askers get their answer.
//! - A commit is one value, see [`super::commit`], below 8,000 bytes.
//! - A failed sync or write is final. sled may then wait for ever on what it
//!   could not write, so it is not touched again: reads go on from memory and
//!   from the file itself ([`super::salvage`]), and its threads, memory and lock
//!   are left to the process's end, before which the session does not open again.
//! - The disk is asked for its free space before each commit, so that sled never
//!   meets a full one; a ballast file is then given back, so that there is room
//!   to export and to close.
//! - sled's snapshots are written while it opens. One that a killed program left
//!   half written would shut the session for good: it is removed first. One that
//!   speaks of commits which a killed program wrote and never synced would do the
//!   same after a power cut: the file is synced before sled reads it.
//! - sled repairs on opening and panics on some damage. So the file's chain is
//!   read first, against the mark of where the log had been (`<db>/mark`): a
//!   damaged one is not opened at all. What still panics is caught at this door;
//!   the panic hook may have printed it by then.
//!
//! Deliberately absent: sled's subscriptions (one idle subscriber stops the
//! writer), `generate_id` (it jumps), its background flusher.

mod mark;
mod open;
mod writer;

use std::collections::VecDeque;
use std::fs::{self, File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use self::mark::{Mark, MarkFile};
use self::open::{create_ballast, load_tail, lock, open_db, settle, sync_new, verify_file};
use self::writer::Writer;
use super::beside;
use super::commit::{self, Commit, NotACommit};
use super::files::create_dir;
use super::salvage::{self, Salvage};
use super::{AppendError, Appending, Edge, EventLog, RECOVERY, ReadError, Record, decode_at, key};
use crate::engine::event::Event;
use crate::engine::event::chain::Link;
use crate::engine::id::{Seq, SessionId};

/// Pages that sled keeps in memory: a whole evening, many times over.
const CACHE_BYTES: u64 = 32 << 20;

/// Appends that may be under way. The room asks once a turn; a disk that is a
/// thousand turns behind is better met by a refusal than by memory.
const QUEUE_LEN: usize = 1_024;

/// Where a group commit stops taking more: some hundred commits' worth, a few
/// milliseconds of disk, so that the first in the group does not wait for the last.
const GROUP_BYTES_MAX: usize = 1 << 20;

/// Commits that [`SledLog::verify_all`] reads and proves at once: two megabytes at most.
const VERIFY_STEP: usize = 256;

/// Recent events kept decoded: what readers that follow, or lag a little, ask for.
const RECENT_LEN: usize = 1_024;

/// A file that is given back when the disk is full.
const BALLAST_BYTES: u64 = 16 << 20;

/// The disk counts as full below this: room for a group ([`GROUP_BYTES_MAX`] and
/// sled's own segments) and for the snapshot sled writes at its next opening.
const FREE_BYTES_MIN: u64 = 8 << 20;

/// A lock is waited for this many times before its session counts as open elsewhere: a process that only
/// asks holds it a moment, and a player that we are just starting holds all our files until it runs,
/// which on a busy machine takes longer than a tenth of a second.
const LOCK_TRIES: u32 = 400;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// sled's threads may hold its file for a moment after it was closed in this process.
const CLOSING_TRIES: u32 = 400;

const DB_FILE: &str = "db";
const LOCK_FILE: &str = "lock";
const MARK_FILE: &str = "mark";
const BALLAST_FILE: &str = "ballast";

/// The disk under a log, where tests put a worse one.
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// Makes all that was written to `file` survive a power cut.
    ///
    /// # Errors
    /// Whatever the disk says; the log takes it as final.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// How many bytes may still be written in the folder of the database.
    ///
    /// # Errors
    /// When the system does not say; the log then writes and sees.
    fn free(&self, dir: &Path) -> io::Result<u64> {
        free_bytes(dir)
    }
}

/// The machine's own disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {}

#[cfg(unix)]
fn free_bytes(dir: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(dir)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Some process has it open: this one or another.
    #[error("this session is already open in another Séance; close it there first")]
    InUse,
    /// The folder cannot be written.
    #[error("Séance may not write in {}; check the folder's owner and rights", .0.display())]
    NoAccess(PathBuf),
    /// A later version wrote it.
    #[error(
        "this session was written by a newer Séance (log format {0}, this one knows {known}); please update",
        known = commit::FORMAT
    )]
    Newer(u8),
    /// What is on disk is not what was acknowledged.
    #[error("this session is damaged from event {seq} on ({reason}). {RECOVERY}")]
    Damaged {
        /// The first event that cannot be trusted.
        seq: Seq,
        /// What is wrong.
        reason: String,
    },
    /// The disk or the system said no.
    #[error("the session in {} cannot be opened: {source}", path.display())]
    Failed {
        /// The database's folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// One session's log in a sled database of its own.
///
/// Dropping it finishes what is queued and closes the database, and blocks for
/// the few milliseconds which that takes.
#[derive(Debug)]
pub struct SledLog {
    /// `None` only while dropping: its end is what ends the writer.
    queue: Option<mpsc::Sender<Job>>,
    /// Owned here; ends when the queue does.
    writer: Option<JoinHandle<()>>,
    store: Arc<Store>,
}

/// One append on its way to the writer.
#[derive(Debug)]
struct Job {
    events: Vec<Event>,
    answer: oneshot::Sender<Result<(), AppendError>>,
}

/// What the writer and the readers share.
#[derive(Debug)]
struct Store {
    dir: PathBuf,
    session: SessionId,
    /// `None` only while dropping.
    db: Option<sled::Db>,
    /// Our own descriptor of sled's file, for the sync that counts.
    file: File,
    disk: Arc<dyn Disk>,
    /// What readers see. Held for copies in memory only, never across a disk access.
    durable: RwLock<Durable>,
    /// sled failed: it must not be touched again.
    broken: AtomicBool,
    /// Reads past the memory once sled is broken.
    fallback: OnceLock<Result<Salvage, String>>,
    /// Held while open, dropped last: another process knows by it.
    _lock: File,
}

#[derive(Debug)]
struct Durable {
    edge: Edge,
    /// The last events, up to the edge.
    recent: VecDeque<Event>,
}

impl SledLog {
    /// Opens or creates the log of `session` in the folder `dir`, which is the database's own.
    ///
    /// Verifies the file's chain up to where the log is known to have been, and the
    /// chain of the last commit. Blocks for the time of reading the file once.
    ///
    /// # Errors
    /// [`OpenError`]; a damaged database is left as it is.
    pub fn open(dir: &Path, session: SessionId) -> Result<Self, OpenError> {
        Self::open_on(dir, session, Arc::new(RealDisk))
    }

    /// As [`SledLog::open`], on a disk of the caller's.
    ///
    /// # Errors
    /// As [`SledLog::open`].
    pub fn open_on(dir: &Path, session: SessionId, disk: Arc<dyn Disk>) -> Result<Self, OpenError> {
        create_dir(dir).map_err(|e| failed(dir, e))?;
        let lock = lock(dir)?;
        let mark = Mark::read(dir)?;
        if let Some(mark) = mark {
            verify_file(dir, mark)?;
        }
        settle(dir, &*disk).map_err(|e| failed(dir, e))?;
        // Before the database, so that it is gone first when the disk is already full.
        let _ = fs::remove_file(dir.join(BALLAST_FILE));
        let db = open_db(dir)?;
        let file = File::open(dir.join(DB_FILE)).map_err(|e| failed(dir, e))?;
        sync_new(dir).map_err(|e| failed(dir, e))?;
        let durable = load_tail(&db, session)?;
        if let Some(mark) = mark
            && durable.edge.tail < mark.tail
        {
            return Err(OpenError::Damaged {
                seq: durable.edge.tail,
                reason: format!(
                    "the log had reached event {} and ends before",
                    mark.tail.get() - 1
                ),
            });
        }
        create_ballast(dir);
        let edge = durable.edge;
        let store = Arc::new(Store {
            dir: dir.to_owned(),
            session,
            db: Some(db),
            file,
            disk,
            durable: RwLock::new(durable),
            broken: AtomicBool::new(false),
            fallback: OnceLock::new(),
            _lock: lock,
        });
        let (queue, jobs) = mpsc::channel(QUEUE_LEN);
        let writer = Writer {
            store: Arc::clone(&store),
            jobs,
            edge,
            mark: MarkFile::open(dir).map_err(|e| failed(dir, e))?,
            end: None,
        };
        let writer = thread::Builder::new()
            .name("seance-log".into())
            .spawn(move || writer.run())
            .map_err(|e| failed(dir, e))?;
        Ok(Self {
            queue: Some(queue),
            writer: Some(writer),
            store,
        })
    }

    /// Whether some process has the log in `dir` open: this one or another.
    pub fn is_open(dir: &Path) -> bool {
        File::open(dir.join(LOCK_FILE))
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Keeps hosts out of the log in `dir` while the answer lives, and lets other readers in.
    ///
    /// # Errors
    /// [`OpenError::InUse`] while it is on air.
    pub(super) fn keep_hosts_out(dir: &Path) -> Result<Option<File>, OpenError> {
        match File::open(dir.join(LOCK_FILE)) {
            Ok(file) => match file.try_lock_shared() {
                Err(TryLockError::WouldBlock) => Err(OpenError::InUse),
                _ => Ok(Some(file)),
            },
            // Nobody ever had it open, or the folder is somebody else's backup.
            Err(_) => Ok(None),
        }
    }

    /// Where the log in `dir` is known to have been, without opening it; lags a
    /// running log by one commit at most.
    pub fn tail_hint(dir: &Path) -> Option<Seq> {
        Mark::read(dir).ok().flatten().map(|mark| mark.tail)
    }

    /// As [`SledLog::tail_hint`], with the link that stood there: where a salvage should end.
    pub(super) fn mark_hint(dir: &Path) -> Option<(Seq, Link)> {
        let mark = Mark::read(dir).ok().flatten()?;
        Some((mark.tail, mark.link))
    }

    /// Recomputes the whole chain, from the first event to the tail.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] at the first event that does not follow.
    pub fn verify_all(&self) -> Result<Edge, ReadError> {
        let edge = self.edge();
        let (mut seq, mut link) = (Seq::FIRST, Link::GENESIS);
        while seq < edge.tail {
            let values = self.store.values(seq, VERIFY_STEP)?;
            // Each behind what the one before it claims. A commit that does not read ends the
            // row, and is the one to name only when all before it hold.
            let (mut claims, mut unread) = (Vec::with_capacity(values.len()), None);
            for value in &values {
                if seq >= edge.tail {
                    break; // what is behind was appended, in commits of its own, since we began
                }
                match self.store.commit(seq, value) {
                    Ok(commit) => {
                        let next = (Seq::new(seq.get() + commit.count()), commit.link());
                        claims.push((seq, link, commit));
                        (seq, link) = next;
                    }
                    Err(error) => {
                        unread = Some(error);
                        break;
                    }
                }
            }
            let proofs = beside::map(&claims, |(seq, link, commit)| {
                commit.verify(*seq, *link, |_, _| {})
            });
            for proof in proofs {
                proof.map_err(damaged)?;
            }
            unread.map_or(Ok(()), Err)?;
        }
        if (seq, link) != (edge.tail, edge.link) {
            return Err(ReadError::Damaged {
                seq: Seq::new(edge.tail.get() - 1),
                reason: "the chain ends elsewhere".into(),
            });
        }
        Ok(edge)
    }
}

impl EventLog for SledLog {
    fn append(&self, events: Vec<Event>) -> Appending {
        let (answer, coming) = oneshot::channel();
        let queue = self.queue.as_ref().expect("the queue lives until drop");
        match queue.try_send(Job { events, answer }) {
            Ok(()) => Appending::coming(coming),
            Err(mpsc::error::TrySendError::Full(_)) => Appending::ready(Err(AppendError::Busy)),
            Err(mpsc::error::TrySendError::Closed(_)) => Appending::ready(Err(
                AppendError::Failed("the log's writer has stopped; open the session again".into()),
            )),
        }
    }

    fn edge(&self) -> Edge {
        self.store.read_durable().edge
    }

    fn read(&self, from: Seq, limit: usize) -> Result<Vec<Event>, ReadError> {
        let from = from.max(Seq::FIRST);
        if let Some(events) = self.recent(from, limit) {
            return Ok(events);
        }
        let mut events = Vec::with_capacity(self.store.count(from, limit));
        let read = self.store.each_record(from, limit, |seq, bytes| {
            events.push(decode_at(seq, bytes)?);
            Ok(())
        });
        if let Err(ReadError::Newer { seq, .. }) = &read {
            // Bytes that rotted can look newer than we are: only what the chain proves is.
            self.link_at(*seq)?;
        }
        read.map(|()| events)
    }

    fn records(&self, from: Seq, limit: usize) -> Result<Vec<Box<[u8]>>, ReadError> {
        self.store.records(from.max(Seq::FIRST), limit)
    }

    fn link_at(&self, seq: Seq) -> Result<Option<Link>, ReadError> {
        let edge = self.edge();
        if seq == Seq::new(0) {
            return Ok(Some(Link::GENESIS));
        }
        if seq >= edge.tail {
            return Ok(None);
        }
        if seq.next() == edge.tail {
            return Ok(Some(edge.link));
        }
        self.store.link_at(seq).map(Some)
    }

    fn recent(&self, from: Seq, limit: usize) -> Option<Vec<Event>> {
        let from = from.max(Seq::FIRST);
        self.store.read_durable().recent_from(from, limit)
    }
}

impl Drop for SledLog {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take() {
            // A panic of the writer was printed where it happened; its askers know.
            let _ = writer.join();
        }
    }
}

impl Durable {
    fn first_recent(&self) -> Seq {
        Seq::new(self.edge.tail.get() - self.recent.len() as u64)
    }

    fn recent_from(&self, from: Seq, limit: usize) -> Option<Vec<Event>> {
        let skipped = from.get().checked_sub(self.first_recent().get())?;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        Some(
            self.recent
                .iter()
                .skip(skipped)
                .take(limit)
                .cloned()
                .collect(),
        )
    }

    /// Moves the edge over `events`, which are durable now.
    fn advance(&mut self, edge: Edge, events: impl Iterator<Item = Event>) {
        self.recent.extend(events);
        let surplus = self.recent.len().saturating_sub(RECENT_LEN);
        self.recent.drain(..surplus);
        self.edge = edge;
    }
}

impl Store {
    fn read_durable(&self) -> std::sync::RwLockReadGuard<'_, Durable> {
        // Written by one method that cannot panic half-way.
        self.durable.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database, unless it must not be touched any more.
    fn db(&self) -> Option<&sled::Db> {
        self.db
            .as_ref()
            .filter(|_| !self.broken.load(Ordering::Acquire))
    }

    /// Durable records `[from, from + limit)`.
    fn records(&self, from: Seq, limit: usize) -> Result<Vec<Box<[u8]>>, ReadError> {
        let mut records = Vec::with_capacity(self.count(from, limit));
        self.each_record(from, limit, |_, bytes| {
            records.push(bytes.into());
            Ok(())
        })?;
        Ok(records)
    }

    /// How many of the durable records `[from, from + limit)` there are.
    fn count(&self, from: Seq, limit: usize) -> usize {
        let tail = self.read_durable().edge.tail;
        let wanted = tail.get().saturating_sub(from.get());
        limit.min(usize::try_from(wanted).unwrap_or(usize::MAX))
    }

    /// Shows durable records `[from, from + limit)` where they lie, until `see` says no.
    fn each_record(
        &self,
        from: Seq,
        limit: usize,
        mut see: impl FnMut(Seq, &[u8]) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let limit = self.count(from, limit);
        let (mut seq, end) = (from, Seq::new(from.get() + limit as u64));
        if seq == end {
            return Ok(());
        }
        if self.db().is_none() {
            for record in self.fallback()?.records(from, limit)? {
                see(seq, &record.bytes)?;
                seq = seq.next();
            }
            return if seq == end {
                Ok(())
            } else {
                Err(ReadError::Failed("the disk no longer answers".into()))
            };
        }
        while seq < end {
            // A value holds at least one record, so this never asks for more than is needed.
            let left = usize::try_from(end.get() - seq.get()).unwrap_or(usize::MAX);
            for value in self.values(seq, left.min(64))? {
                if seq == end {
                    break; // what is behind was not asked for, and may be damaged
                }
                let first = value.0;
                if first > seq {
                    return Err(missing(seq));
                }
                let commit = self.commit(first, &value)?;
                let skipped = usize::try_from(seq.get() - first.get()).unwrap_or(usize::MAX);
                let before = seq;
                for bytes in commit.records().skip(skipped) {
                    if seq == end {
                        return Ok(());
                    }
                    see(seq, bytes)?;
                    seq = seq.next();
                }
                if seq == before {
                    return Err(missing(seq));
                }
            }
        }
        Ok(())
    }

    /// Up to `limit` stored values: that which holds `from`, and those behind it; at least one.
    fn values(&self, from: Seq, limit: usize) -> Result<Vec<Value>, ReadError> {
        let Some(db) = self.db() else {
            return Err(ReadError::Failed("the disk no longer answers".into()));
        };
        let read = || -> sled::Result<Vec<Value>> {
            let last = Seq::new(u64::MAX);
            let mut before = db.range(key::range(self.session, Seq::FIRST, from));
            let start = before.next_back().transpose()?;
            let start = start.and_then(|(key, _)| key::decode(&key));
            let start = start.map_or(from, |(_, first)| first);
            db.range(key::range(self.session, start, last))
                .take(limit)
                .map(|pair| pair.map(|(key, value)| Value::new(&key, value)))
                .collect()
        };
        let values = guarded(read).map_err(|e| match e {
            Fault::Full => ReadError::Failed("the disk is full".into()),
            Fault::Damaged(reason) => ReadError::Damaged { seq: from, reason },
            Fault::Failed(reason) => ReadError::Failed(reason),
        })?;
        if values.is_empty() {
            return Err(missing(from));
        }
        Ok(values)
    }

    fn commit<'a>(&self, first: Seq, value: &'a Value) -> Result<Commit<'a>, ReadError> {
        if value.0 != first {
            return Err(missing(first));
        }
        Commit::parse_whole(&value.1).map_err(|e| ReadError::Damaged {
            seq: first,
            reason: reason_of(e),
        })
    }

    fn link_at(&self, seq: Seq) -> Result<Link, ReadError> {
        if self.db().is_none() {
            let found = self.fallback()?.records(seq, 1)?;
            let record = found.first().ok_or_else(|| missing(seq))?;
            return Ok(record.link);
        }
        let values = self.values(seq, 1)?;
        let value = &values[0];
        let first = value.0;
        let before = self.link_before(first)?;
        let mut found = None;
        let commit = self.commit(first, value)?;
        commit
            .verify(first, before, |at, link| {
                if at == seq {
                    found = Some(link);
                }
            })
            .map_err(damaged)?;
        found.ok_or_else(|| missing(seq))
    }

    /// What the commit that begins at `first` follows.
    fn link_before(&self, first: Seq) -> Result<Link, ReadError> {
        if first == Seq::FIRST {
            return Ok(Link::GENESIS);
        }
        let values = self.values(Seq::new(first.get() - 1), 1)?;
        let before = self.commit(values[0].0, &values[0])?;
        Ok(before.link())
    }

    /// The file read without sled, once and only when sled is broken.
    fn fallback(&self) -> Result<&Salvage, ReadError> {
        self.fallback
            .get_or_init(|| {
                let edge = self.read_durable().edge;
                salvage::scan(&self.dir.join(DB_FILE), Some((edge.tail, edge.link)))
                    .map_err(|e| e.to_string())
            })
            .as_ref()
            .map_err(|e| ReadError::Failed(e.clone()))
    }

    /// Writes records and returns when they are durable.
    fn write(&self, first: Seq, records: &[Record]) -> Result<(), Fault> {
        if self
            .disk
            .free(&self.dir)
            .is_ok_and(|free| free < FREE_BYTES_MIN)
        {
            return Err(Fault::Full);
        }
        let db = self
            .db()
            .ok_or_else(|| Fault::Failed("the database failed before".into()))?;
        let mut batch = sled::Batch::default();
        let mut seq = first;
        for run in commit::split(records) {
            batch.insert(&key::encode(self.session, seq), commit::encode(run));
            seq = Seq::new(seq.get() + run.len() as u64);
        }
        guarded(|| db.apply_batch(batch).and_then(|()| db.flush())).inspect_err(|_| {
            // Whatever sled could not write it may wait for, for ever.
            self.broken.store(true, Ordering::Release);
        })?;
        self.disk.sync(&self.file).map_err(|e| Fault::of_io(&e))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.dir.join(BALLAST_FILE));
        let db = self.db.take();
        if *self.broken.get_mut() {
            // Its own drop would flush, and wait for ever; the process's end closes it.
            std::mem::forget(db);
        } else {
            // Its own drop syncs once more and panics if that fails.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
        }
    }
}

/// A stored value: the seq of its key, and its bytes, which are sled's page for as long as it lives.
#[derive(Debug)]
struct Value(Seq, sled::IVec);

impl Value {
    fn new(key: &[u8], value: sled::IVec) -> Self {
        // A key that is none can only be damage: seq 0 stands nowhere and is reported as missing.
        Self(key::decode(key).map_or(Seq::new(0), |(_, seq)| seq), value)
    }
}

/// What went wrong below.
#[derive(Debug)]
enum Fault {
    Full,
    Damaged(String),
    Failed(String),
}

impl Fault {
    fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::Full,
            _ => Self::Failed(error.to_string()),
        }
    }

    fn of_sled(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => Self::of_io(&error),
            sled::Error::Corruption { .. } => {
                Self::Damaged("the database's checksums do not match".into())
            }
            other => Self::Failed(other.to_string()),
        }
    }
}

/// The one door to sled: its errors and its panics become [`Fault`]s.
fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, Fault> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(answer) => answer.map_err(Fault::of_sled),
        Err(panic) => Err(Fault::Damaged(format!(
            "the database stopped: {}",
            panic_text(panic.as_ref())
        ))),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .and_then(|text| text.lines().next())
        .unwrap_or("it did not say why")
}

fn damaged(broken: commit::Broken) -> ReadError {
    ReadError::Damaged {
        seq: broken.seq,
        reason: broken.reason.into(),
    }
}

fn missing(seq: Seq) -> ReadError {
    ReadError::Damaged {
        seq,
        reason: "it is missing".into(),
    }
}

fn reason_of(error: NotACommit) -> String {
    match error {
        NotACommit::Newer(format) => format!("format {format} is newer than this Séance knows"),
        NotACommit::Damaged(reason) => reason.into(),
    }
}

fn failed(dir: &Path, source: io::Error) -> OpenError {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            OpenError::NoAccess(dir.to_owned())
        }
        _ => OpenError::Failed {
            path: dir.to_owned(),
            source,
        },
    }
}

#[cfg(test)]
mod tests;
