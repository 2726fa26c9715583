//! What any power cut could leave of a log's files, opened by the thousand.
//!
//! One writer's trace is recorded: at every sync of the log, which sectors of
//! its database had been written since the sync before, and what its small files
//! held. Between two syncs a disk may have kept any part of what was written, in
//! any order, so an image is the state at a sync plus some of the sectors
//! written since: none, all, a torn tail, only the end, any subset, whole pages,
//! a sector half old and half new. Files that are never synced are current, old,
//! torn, zeroed or gone. Each image must open, hold every event acknowledged by
//! then, end where an append ended, and verify from its first event on.
//!
//! The trace's writer is closed, killed between a write and its sync, and opened
//! again, so that what opening itself writes is cut as well. A sector written
//! twice between two syncs is known by its last content only.

#![cfg(feature = "server")]

mod support;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use seance::engine::event::chain::Link;
use seance::engine::event::{Body, Event, Header, Via};
use seance::engine::id::{Epoch, MemberId, Seq, SessionId, Stamp};
use seance::engine::text::Line;
use seance::engine::unit::{MediaTime, SessionTime};
use seance::log::EventLog as _;
use seance::log::sled::{Disk, SledLog};
use support::dice::{Dice, base_seed, cases};

const SESSION: SessionId = SessionId::new(7);
/// What a disk writes as one, or tears.
const SECTOR: usize = 512;
/// Sectors of a page of the file system's cache.
const PAGE_SECTORS: usize = 8;
/// Runs of the recorded writer, and appends in each.
const RUNS: usize = 6;
const APPENDS: usize = 40;

type Edge = (Seq, Link);

/// Files beside the database: a few kilobytes, written whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Beside {
    conf: Vec<u8>,
    mark: Option<Vec<u8>>,
    snapshots: BTreeMap<String, Vec<u8>>,
}

impl Beside {
    fn read(dir: &Path) -> Self {
        let mut beside = Self {
            conf: fs::read(dir.join("conf")).unwrap(),
            mark: fs::read(dir.join("mark")).ok(),
            ..Self::default()
        };
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if name.starts_with("snap.") {
                beside
                    .snapshots
                    .insert(name, fs::read(entry.path()).unwrap());
            }
        }
        let mut blobs = fs::read_dir(dir.join("blobs")).unwrap();
        assert!(blobs.next().is_none(), "blob files are never synced");
        beside
    }
}

/// What was written between two syncs.
struct Between {
    /// Each written sector's new content.
    sectors: Vec<(usize, [u8; SECTOR])>,
    len_before: usize,
    len_after: usize,
    beside_before: Beside,
    beside_after: Beside,
    /// Where the log may end after a cut: before what was under way, or behind it.
    allowed: Vec<Edge>,
}

#[derive(Default)]
struct Trace {
    /// The database as it was first synced.
    base: Vec<u8>,
    /// The database and its small files as last synced.
    db: Vec<u8>,
    beside: Beside,
    between: Vec<Between>,
    /// Every mark there ever was: each may be what a cut leaves.
    marks: Vec<Vec<u8>>,
}

impl Trace {
    /// A sync: everything written up to here is on the disk for sure.
    fn point(&mut self, dir: &Path) {
        let mut db = fs::read(dir.join("db")).unwrap();
        db.resize(db.len().next_multiple_of(SECTOR), 0);
        let beside = Beside::read(dir);
        let zeros = [0; SECTOR];
        let sectors = db
            .chunks_exact(SECTOR)
            .enumerate()
            .filter(|(at, new)| self.db.chunks_exact(SECTOR).nth(*at).unwrap_or(&zeros) != *new)
            .map(|(at, new)| (at, new.try_into().unwrap()))
            .collect();
        if let Some(mark) = &beside.mark
            && self.marks.last() != Some(mark)
        {
            self.marks.push(mark.clone());
        }
        self.between.push(Between {
            sectors,
            len_before: self.db.len(),
            len_after: db.len(),
            beside_before: std::mem::replace(&mut self.beside, beside.clone()),
            beside_after: beside,
            allowed: Vec::new(),
        });
        self.db = db;
    }

    /// Everything recorded since the last call may end here or there.
    fn ends(&mut self, allowed: &[Edge]) {
        for between in self.between.iter_mut().rev() {
            if !between.allowed.is_empty() {
                break;
            }
            between.allowed = allowed.to_vec();
        }
    }
}

/// A disk that notes what each sync makes sure of, and where a process may be killed before one.
#[derive(Clone)]
struct Recorder {
    dir: PathBuf,
    trace: Arc<Mutex<Trace>>,
    /// Where to copy the files at the next sync, as a process killed before it leaves them.
    kill_to: Arc<Mutex<Option<PathBuf>>>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recorder")
    }
}

impl Disk for Recorder {
    fn sync(&self, _: &File) -> io::Result<()> {
        if let Some(to) = self.kill_to.lock().unwrap().take() {
            copy(&self.dir, &to);
        } else {
            self.trace.lock().unwrap().point(&self.dir);
        }
        Ok(())
    }
    fn free(&self, _: &Path) -> io::Result<u64> {
        Ok(1 << 40)
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("blobs")).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_file() && name != "ballast" {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

fn lines(first: Seq, count: u64, dice: &mut Dice) -> Vec<Event> {
    (first.get()..first.get() + count)
        .map(|seq| {
            let long = if dice.happens(5) { 480 } else { 60 };
            let text: String = (0..1 + dice.below(long))
                .map(|_| char::from(b'a' + dice.below(26) as u8))
                .collect();
            Event {
                header: Header {
                    seq: Seq::new(seq),
                    epoch: Epoch::new(1),
                    stamp: Stamp::new(seq),
                    at: SessionTime::ZERO,
                    wall: dice.below(1 << 40),
                    by: Some(MemberId::new(1)),
                    via: Via::Script,
                    cause: None,
                    intent: Some(seq),
                },
                body: Body::Said {
                    text: Line::new(&text).unwrap(),
                    moment: MediaTime::ZERO,
                },
            }
        })
        .collect()
}

/// A folder on a disk whose syncs cost nothing: what is tested does not depend on them.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn record(dice: &mut Dice) -> Trace {
    let place = scratch();
    let trace = Arc::new(Mutex::new(Trace::default()));
    let kill_to = Arc::new(Mutex::new(None));
    let mut before: Option<Edge> = None;
    // Behind what a killed writer had under way.
    let mut killed_at: Option<Edge> = None;
    let mut dir = place.path().join("0");
    for run in 0..RUNS {
        let recorder = Recorder {
            dir: dir.clone(),
            trace: Arc::clone(&trace),
            kill_to: Arc::clone(&kill_to),
        };
        let log = SledLog::open_on(&dir, SESSION, Arc::new(recorder)).unwrap();
        let opened = log.tail_link();
        {
            // Opening ends with everything synced.
            let mut trace = trace.lock().unwrap();
            trace.point(&dir);
            if let Some(before) = before {
                trace.ends(&[before, killed_at.take().unwrap_or(before)]);
            } else {
                // Creation: a session is made aside and shows when it is whole.
                trace.between.clear();
                trace.base = trace.db.clone();
            }
        }
        let mut edge = opened;
        for _ in 0..APPENDS {
            let count = 1 + if dice.happens(10) {
                dice.below(300)
            } else {
                dice.below(12)
            };
            log.append(lines(edge.0, count, dice)).wait().unwrap();
            trace.lock().unwrap().ends(&[edge, log.tail_link()]);
            edge = log.tail_link();
        }
        before = Some(edge);
        if run % 2 == 1 {
            let next = place.path().join((run + 1).to_string());
            *kill_to.lock().unwrap() = Some(next.clone());
            let count = 1 + dice.below(40);
            log.append(lines(edge.0, count, dice)).wait().unwrap();
            killed_at = Some(log.tail_link());
            dir = next;
        }
        drop(log);
    }
    Arc::into_inner(trace).unwrap().into_inner().unwrap()
}

/// Which of the sectors written since the sync a cut leaves.
fn survivors(
    between: &Between,
    dice: &mut Dice,
) -> (&'static str, Vec<(usize, [u8; SECTOR], bool)>) {
    let count = between.sectors.len();
    let kind = dice.below(8);
    let cut = dice.index(count + 1);
    let page_seed = dice.roll();
    let torn = dice.index(count.max(1));
    let keeps = |place: usize, at: usize, dice: &mut Dice| match kind {
        0 => false,
        1 => true,
        2 => place < cut,
        3 => place >= cut,
        4 => place != cut,
        5 => Dice::new(page_seed ^ (at / PAGE_SECTORS) as u64).happens(50),
        _ => dice.happens(50),
    };
    let name = [
        "nothing of it",
        "all of it",
        "a torn tail",
        "only the end",
        "all but one sector",
        "some pages",
        "some sectors",
        "some sectors, one torn",
    ][kind as usize];
    let mut kept = Vec::new();
    for (place, (at, new)) in between.sectors.iter().enumerate() {
        let is_torn = kind == 7 && place == torn;
        if is_torn || keeps(place, *at, dice) {
            kept.push((*at, *new, is_torn));
        }
    }
    (name, kept)
}

/// Writes one image; says what kind it is.
fn develop(db: &[u8], trace: &Trace, between: &Between, dir: &Path, dice: &mut Dice) -> String {
    let (kind, kept) = survivors(between, dice);
    let mut image = db.to_vec();
    // Its length may have arrived without its content, or grown as far as that did.
    let grown = dice.happens(50);
    image.resize(
        if grown {
            between.len_after
        } else {
            between.len_before
        },
        0,
    );
    for (at, new, is_torn) in kept {
        let (start, end) = (at * SECTOR, (at + 1) * SECTOR);
        if image.len() < end {
            image.resize(end, 0);
        }
        let len = if is_torn {
            1 + dice.index(SECTOR - 1)
        } else {
            SECTOR
        };
        image[start..start + len].copy_from_slice(&new[..len]);
    }
    fs::create_dir_all(dir.join("blobs")).unwrap();
    fs::write(dir.join("db"), image).unwrap();
    fs::write(dir.join("conf"), &between.beside_after.conf).unwrap();

    // sled writes and syncs a snapshot, renames it, and removes the old ones.
    let (old, new) = (
        &between.beside_before.snapshots,
        &between.beside_after.snapshots,
    );
    let stage = if old == new { 0 } else { dice.below(4) };
    let mut snapshots = old.clone();
    match stage {
        0 => {}
        1 => snapshots.extend(new.iter().map(|(name, bytes)| {
            let bytes = bytes[..dice.index(bytes.len() + 1)].to_vec();
            (format!("{name}.generating"), bytes)
        })),
        2 => snapshots.extend(new.clone()),
        _ => snapshots = new.clone(),
    }
    for (name, bytes) in snapshots {
        fs::write(dir.join(name), bytes).unwrap();
    }

    // Never synced: whatever it ever was up to this cut, or a part of that, or nothing.
    // What was written before the sync that did not end may have arrived by itself.
    let latest = between.beside_after.mark.as_ref();
    let known = latest.map_or(0, |latest| {
        1 + trace.marks.iter().position(|mark| mark == latest).unwrap()
    });
    let mark = match dice.below(6) {
        0 | 1 => latest.cloned(),
        2 => trace.marks[..known].get(dice.index(known)).cloned(),
        3 => latest.map(|mark| mark[..dice.index(mark.len())].to_vec()),
        4 => latest.map(|mark| vec![0; mark.len()]),
        _ => None,
    };
    if let Some(mark) = mark {
        fs::write(dir.join("mark"), mark).unwrap();
    }
    format!("{kind}, snapshots at stage {stage}")
}

/// Opens an image and holds it to the promise.
fn examine(dir: &Path, between: &Between, dice: &mut Dice) -> Result<(), String> {
    let log = SledLog::open(dir, SESSION).map_err(|no| format!("it does not open: {no}"))?;
    let end = log.tail_link();
    if !between.allowed.contains(&end) {
        let tails: Vec<_> = between.allowed.iter().map(|(tail, _)| tail.get()).collect();
        return Err(format!(
            "it ends before event {}, not one of {tails:?}",
            end.0
        ));
    }
    log.verify_all().map_err(|no| no.to_string())?;
    if dice.happens(5) {
        // And the evening goes on.
        let more = log.append(lines(end.0, 3, dice)).wait();
        more.map_err(|no| format!("it takes nothing more: {no}"))?;
    }
    Ok(())
}

#[test]
fn every_image_a_power_cut_could_leave_opens_with_all_that_was_acknowledged() {
    let images = cases(300, 5_000);
    let seed = base_seed();
    let mut dice = Dice::new(seed);
    let trace = record(&mut dice);
    let each = images.div_ceil(trace.between.len());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let opened: usize = std::thread::scope(|scope| {
        let trace = &trace;
        let examined: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let mut db = trace.base.clone();
                    let mut opened = 0;
                    for (number, between) in trace.between.iter().enumerate() {
                        for image in 0..each {
                            if (number * each + image) % threads != thread {
                                continue;
                            }
                            let mut dice = Dice::new(seed ^ ((number * each + image) as u64) << 20);
                            let place = scratch();
                            let dir = place.path().join("db");
                            let kind = develop(&db, trace, between, &dir, &mut dice);
                            if let Err(broken) = examine(&dir, between, &mut dice) {
                                let kept = place.keep();
                                panic!(
                                    "image {image} after sync {number} of seed {seed} ({kind}): \
                                     {broken}; it is kept in {}",
                                    kept.display()
                                );
                            }
                            opened += 1;
                        }
                        db.resize(between.len_after, 0);
                        for (at, new) in &between.sectors {
                            db[at * SECTOR..(at + 1) * SECTOR].copy_from_slice(new);
                        }
                    }
                    opened
                })
            })
            .collect();
        let ended = examined
            .into_iter()
            .map(std::thread::ScopedJoinHandle::join);
        ended
            .map(|one| one.unwrap_or_else(|failed| std::panic::resume_unwind(failed)))
            .sum()
    });
    let sectors: usize = trace
        .between
        .iter()
        .map(|between| between.sectors.len())
        .sum();
    println!(
        "proved: {opened} crash images from seed {seed}, cut from {} syncs and {sectors} sectors: \
         0 acknowledged events lost, 0 that do not open",
        trace.between.len(),
    );
    assert!(opened >= images && sectors > 1_000);
}
