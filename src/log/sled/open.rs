//! Opening a database: locked, proven, repaired by nobody, and durable as a file.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::thread;

use super::mark::Mark;
use super::{
    BALLAST_BYTES, BALLAST_FILE, CACHE_BYTES, CLOSING_TRIES, DB_FILE, Disk, Durable, Fault,
    LOCK_FILE, LOCK_PAUSE, LOCK_TRIES, OpenError, RECENT_LEN, Value, failed, guarded,
};
use crate::engine::event::Event;
use crate::engine::event::codec;
use crate::engine::id::{Seq, SessionId};
use crate::log::commit::{Commit, NotACommit};
use crate::log::files::{private, sync_dir};
use crate::log::{Edge, key, salvage};

/// Reads the chain in the file itself, before sled may "repair" it.
pub(super) fn verify_file(dir: &Path, mark: Mark) -> Result<(), OpenError> {
    if mark.tail == Seq::FIRST {
        return Ok(());
    }
    let path = dir.join(DB_FILE);
    let goal = (mark.tail, mark.link);
    let salvage = match salvage::scan(&path, Some(goal)) {
        Ok(salvage) => salvage,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::Damaged {
                seq: Seq::FIRST,
                reason: "its database is missing".into(),
            });
        }
        Err(e) => return Err(failed(dir, e)),
    };
    if salvage.tail_link() == goal {
        return Ok(());
    }
    let (seq, _) = salvage.tail_link();
    Err(OpenError::Damaged {
        seq: seq.min(mark.tail),
        reason: salvage
            .broken()
            .map_or("it is missing", |b| b.reason)
            .into(),
    })
}

/// Puts in order what a killed program left, before sled reads it and writes its snapshot.
pub(super) fn settle(dir: &Path, disk: &dyn Disk) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // sled takes it for a snapshot, though it only becomes one by losing this ending.
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    match File::open(dir.join(DB_FILE)) {
        Ok(file) => disk.sync(&file),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

pub(super) fn open_db(dir: &Path) -> Result<sled::Db, OpenError> {
    let config = || {
        sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
    };
    let mut tries = 0;
    loop {
        match guarded(|| config().open()) {
            Ok(db) => return Ok(db),
            // Our own lock is held, so this is a database that this process is still closing.
            Err(Fault::Failed(reason)) if reason.contains("could not acquire lock") => {
                tries += 1;
                if tries > CLOSING_TRIES {
                    return Err(OpenError::InUse);
                }
                pause();
            }
            Err(Fault::Damaged(reason)) => {
                return Err(OpenError::Damaged {
                    seq: salvage::scan(&dir.join(DB_FILE), None)
                        .map_or(Seq::FIRST, |found| found.tail_link().0),
                    reason,
                });
            }
            Err(Fault::Full) => return Err(failed(dir, io::ErrorKind::StorageFull.into())),
            Err(Fault::Failed(reason)) => {
                // sled keeps the kind in words only.
                return Err(if reason.contains("PermissionDenied") {
                    OpenError::NoAccess(dir.to_owned())
                } else {
                    failed(dir, io::Error::other(reason))
                });
            }
        }
    }
}

/// Makes a new database's files themselves survive a power cut; an old one's cost nothing.
pub(super) fn sync_new(dir: &Path) -> io::Result<()> {
    for name in [DB_FILE, "conf"] {
        File::open(dir.join(name))?.sync_all()?;
    }
    sync_dir(dir)?;
    dir.parent().map_or(Ok(()), sync_dir)
}

/// Reads the end of the log and verifies the chain of its last commits.
pub(super) fn load_tail(db: &sled::Db, session: SessionId) -> Result<Durable, OpenError> {
    let all = key::range(session, Seq::FIRST, Seq::new(u64::MAX));
    let mut values: VecDeque<Value> = VecDeque::new();
    let mut events = 0;
    let read = guarded(|| {
        // One commit more than is kept, for the link the first of them follows.
        for pair in db.range(all).rev() {
            let (key, value) = pair?;
            let value = Value::new(&key, value);
            events += Commit::parse_whole(&value.1).map_or(1, |commit| commit.count());
            values.push_front(value);
            if events > RECENT_LEN as u64 && values.len() > 1 {
                break;
            }
        }
        Ok(())
    });
    read.map_err(|e| OpenError::Damaged {
        seq: values.front().map_or(Seq::FIRST, |value| value.0),
        reason: match e {
            Fault::Damaged(reason) | Fault::Failed(reason) => reason,
            Fault::Full => "the disk is full".into(),
        },
    })?;
    let mut durable = Durable {
        edge: Edge::EMPTY,
        recent: VecDeque::new(),
    };
    for (index, value) in values.iter().enumerate() {
        let first = value.0;
        let commit = Commit::parse_whole(&value.1).map_err(|e| match e {
            NotACommit::Newer(format) => OpenError::Newer(format),
            NotACommit::Damaged(reason) => OpenError::Damaged {
                seq: first,
                reason: reason.into(),
            },
        })?;
        let is_known = index > 0 || first == Seq::FIRST;
        if is_known {
            load_commit(&mut durable, first, &commit)?;
        } else {
            durable.edge = Edge {
                tail: Seq::new(first.get() + commit.count()),
                epoch: commit.epoch().unwrap_or_default(),
                link: commit.link(),
            };
        }
    }
    Ok(durable)
}

fn load_commit(durable: &mut Durable, first: Seq, commit: &Commit<'_>) -> Result<(), OpenError> {
    let damaged = |seq, reason: &str| OpenError::Damaged {
        seq,
        reason: reason.into(),
    };
    if first != durable.edge.tail {
        return Err(damaged(durable.edge.tail, "it is missing"));
    }
    let link = commit
        .verify(first, durable.edge.link, |_, _| {})
        .map_err(|broken| damaged(broken.seq, broken.reason))?;
    let edge = Edge {
        tail: Seq::new(first.get() + commit.count()),
        epoch: commit.epoch().unwrap_or_default(),
        link,
    };
    let events: Result<Vec<Event>, _> = commit.records().map(codec::decode).collect();
    match events {
        Ok(events) => durable.advance(edge, events.into_iter()),
        Err(codec::DecodeError::NewerFormat(format)) => return Err(OpenError::Newer(format)),
        // A kind that a later version added: readers from here on meet it on disk and say so.
        Err(_) => {
            durable.recent.clear();
            durable.edge = edge;
        }
    }
    Ok(())
}

/// Waits a little for whoever still closes the same database.
#[expect(
    clippy::disallowed_methods,
    reason = "neither a lock file nor sled tells when it is let go; the tries are counted"
)]
fn pause() {
    thread::sleep(LOCK_PAUSE);
}

pub(super) fn lock(dir: &Path) -> Result<File, OpenError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    private(&mut options);
    let file = options
        .open(dir.join(LOCK_FILE))
        .map_err(|e| failed(dir, e))?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => pause(),
            Err(TryLockError::Error(e)) => return Err(failed(dir, e)),
        }
    }
    Err(OpenError::InUse)
}

/// Puts the ballast aside; a disk too full for it goes without.
pub(super) fn create_ballast(dir: &Path) {
    let path = dir.join(BALLAST_FILE);
    let made = File::create(&path).and_then(|file| reserve(&file));
    if let Err(error) = made {
        tracing::warn!(%error, "no room for the log's ballast file");
        let _ = fs::remove_file(path);
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn reserve(file: &File) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    fallocate(file, FallocateFlags::empty(), 0, BALLAST_BYTES).map_err(io::Error::from)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn reserve(mut file: &File) -> io::Result<()> {
    io::copy(&mut io::Read::take(io::repeat(0), BALLAST_BYTES), &mut file).map(drop)
}
