//! What durability costs: our log beside the least that keeps the same promise.
//!
//! `scripts/bench log` runs it. The floor is a plain file that the same encoded records are
//! written to, with `fdatasync` before each answer: no database, no chain, no index, no tail to
//! read back. Both are on the disk the program was built on, in rounds that take turns.

mod shared;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Parser;
use seance::cli::hosting::fold_all;
use seance::engine::event::{Body, Event, Header, Via, codec};
use seance::engine::fold::RoomState;
use seance::engine::id::{Epoch, MemberId, Seq, SessionId, Stamp};
use seance::engine::text::Line;
use seance::engine::unit::{MediaTime, SessionTime};
use seance::log::EventLog;
use seance::log::sled::SledLog;
use seance::os;

use shared::{Figures, memory_kib};

/// A line that makes a record of 116 bytes.
const LINE: &str =
    "did you see who stood behind the door when the light went out for good, or was it you";
const SESSION: SessionId = SessionId::new(7);
/// How many events are in one commit, and how many commits are timed.
const SHAPES: [(usize, usize); 4] = [(1, 1_500), (16, 600), (64, 300), (1_024, 60)];
/// What is opened and read at once.
const MANY: u64 = 1_000_000;
/// How many events a commit of the long session has.
const MANY_COMMIT: u64 = 64;

/// What durability costs.
#[derive(Debug, Parser)]
struct Args {
    /// How often everything is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How often a million events are opened and read; 0 for never.
    #[arg(long, default_value_t = 3)]
    scans: usize,
    /// One JSON object a figure instead of tables.
    #[arg(long)]
    json: bool,
    /// The process that opens and reads, so that its memory is its own; started by the bench.
    #[arg(long, hide = true)]
    scan: Option<std::path::PathBuf>,
    /// `cargo bench` says so.
    #[arg(long, hide = true)]
    bench: bool,
}

fn event(seq: u64) -> Event {
    Event {
        header: Header {
            seq: Seq::new(seq),
            epoch: Epoch::new(1),
            stamp: Stamp::new(seq * 2),
            at: SessionTime::from_millis(seq * 7),
            wall: 1_790_000_000_000 + seq * 7,
            by: Some(MemberId::new(1 + (seq % 10) as u32)),
            via: Via::Key,
            cause: None,
            intent: Some(1_790_000_000_000 + seq),
        },
        body: Body::Said {
            text: Line::new(LINE).expect("a line"),
            moment: MediaTime::from_millis(seq * 7 % 7_200_000),
        },
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(dir) = &args.scan {
        return scan(dir);
    }
    shared::tell_machine("log", args.json);
    let mut figures = Figures::default();
    for _ in 0..args.rounds {
        for (each, commits) in SHAPES {
            file(&mut figures, each, commits)?;
            sled_alone(&mut figures, each, commits)?;
            ours(&mut figures, each, commits)?;
        }
    }
    if args.scans > 0 {
        million(&mut figures, args.scans)?;
    }
    figures.tell("log", args.json);
    Ok(())
}

fn batches(each: usize, commits: usize) -> Vec<Vec<Event>> {
    let mut seqs = 1..;
    (0..commits)
        .map(|_| seqs.by_ref().take(each).map(event).collect())
        .collect()
}

/// Where our own commits are split, too.
const VALUE_BYTES_MAX: usize = 7_900;
const APPENDS: &str = "Durable appends";
const ON_DISK: &str = "On disk";

fn note(
    figures: &mut Figures,
    who: &str,
    each: usize,
    events: usize,
    since: seance::engine::unit::LocalTime,
) {
    let took = (os::local_now() - since).get() as f64 / 1e6;
    let title = format!("{APPENDS}, {each} a commit");
    figures.note(
        &title,
        "events a second",
        Some("file + fdatasync"),
        who,
        events as f64 / took,
    );
}

fn file(figures: &mut Figures, each: usize, commits: usize) -> Result<()> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut file = File::create(dir.path().join("log"))?;
    let batches = batches(each, commits);
    let since = os::local_now();
    for batch in &batches {
        let mut bytes = Vec::new();
        for event in batch {
            let record = codec::encode(event);
            bytes.extend((record.len() as u32).to_le_bytes());
            bytes.extend(record);
        }
        file.write_all(&bytes)?;
        file.sync_data()?;
    }
    note(figures, "file + fdatasync", each, each * commits, since);
    Ok(())
}

/// What the database itself asks for: the same bytes under rising keys, flushed and synced, and
/// neither chain, nor admission, nor a thread between who asks and who writes.
fn sled_alone(figures: &mut Figures, each: usize, commits: usize) -> Result<()> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let db = sled::Config::new()
        .path(dir.path())
        .flush_every_ms(None)
        .open()?;
    let file = File::options().write(true).open(dir.path().join("db"))?;
    let batches = batches(each, commits);
    let since = os::local_now();
    for (number, batch) in batches.iter().enumerate() {
        let mut bytes = Vec::new();
        for event in batch {
            let record = codec::encode(event);
            bytes.extend((record.len() as u32).to_le_bytes());
            bytes.extend(record);
        }
        // A value of more than this sled keeps in a file of its own, which it never syncs.
        for (part, value) in bytes.chunks(VALUE_BYTES_MAX).enumerate() {
            db.insert(((number as u64) << 16 | part as u64).to_be_bytes(), value)?;
        }
        db.flush()?;
        file.sync_data()?;
    }
    note(figures, "sled + fdatasync", each, each * commits, since);
    Ok(())
}

fn ours(figures: &mut Figures, each: usize, commits: usize) -> Result<()> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let db = dir.path().join("db");
    let log = SledLog::open(&db, SESSION)?;
    let batches = batches(each, commits);
    let records: usize = batches
        .iter()
        .flatten()
        .map(|event| codec::encode(event).len())
        .sum();
    let since = os::local_now();
    for batch in batches {
        log.append(batch).wait()?;
    }
    note(figures, "séance", each, each * commits, since);
    drop(log);
    if each * commits > 10_000 {
        let events = (each * commits) as f64;
        let title = format!("{ON_DISK}, {each} a commit");
        figures.note(
            &title,
            "bytes an event",
            Some("its record"),
            "its record",
            records as f64 / events,
        );
        figures.note(
            &title,
            "bytes an event",
            Some("its record"),
            "séance",
            bytes_in(&db)? / events,
        );
    }
    Ok(())
}

/// What a folder holds, as the disk accounts it.
fn bytes_in(dir: &Path) -> Result<f64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() {
            bytes_in(&entry.path())? as u64
        } else {
            about.blocks() * 512
        };
    }
    Ok(bytes as f64)
}

fn million(figures: &mut Figures, scans: usize) -> Result<()> {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let db = dir.path().join("db");
    let plain = dir.path().join("plain");
    let log = SledLog::open(&db, SESSION)?;
    let mut file = std::io::BufWriter::new(File::create(&plain)?);
    let mut seqs = (1..=MANY).map(event).peekable();
    while seqs.peek().is_some() {
        let commit: Vec<Event> = seqs.by_ref().take(MANY_COMMIT as usize).collect();
        for event in &commit {
            let record = codec::encode(event);
            file.write_all(&(record.len() as u32).to_le_bytes())?;
            file.write_all(&record)?;
        }
        log.append(commit).wait()?;
    }
    file.flush()?;
    drop(log);
    figures.note(
        &format!("{ON_DISK}, a session of 1,000,000"),
        "bytes an event",
        None,
        "séance",
        bytes_in(&db)? / MANY as f64,
    );
    for _ in 0..scans {
        for (who, path) in [
            ("file, decoded and folded", &plain),
            ("séance, opened, verified, decoded and folded", &db),
        ] {
            let said = Command::new(std::env::current_exe()?)
                .arg("--scan")
                .arg(path)
                .output()?;
            let said = String::from_utf8(said.stdout)?;
            let mut numbers = said.split_whitespace().map(str::parse::<f64>);
            let mut next = || {
                numbers
                    .next()
                    .context("the reading process failed")?
                    .context("not a number")
            };
            let base = Some("file, decoded and folded");
            let seconds = next()?;
            figures.note("A session of 1,000,000, from cold", "s", base, who, seconds);
            figures.note(
                "A session of 1,000,000: peak memory",
                "MiB",
                base,
                who,
                next()?,
            );
            if let Ok(open) = next() {
                figures.note(
                    "A session of 1,000,000, from cold",
                    "s",
                    base,
                    "séance, opened and verified only",
                    open,
                );
            }
        }
    }
    Ok(())
}

/// Opens, reads and folds all of a log as a host that resumes it does, in a process of its own, and says how long it took.
fn scan(path: &Path) -> Result<()> {
    let since = os::local_now();
    let mut opened = None;
    let state = if path.is_dir() {
        let log: Arc<dyn EventLog> = Arc::new(SledLog::open(path, SESSION)?);
        opened = Some(os::local_now() - since);
        let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
        runtime.block_on(fold_all(&log))?.into_state()
    } else {
        let bytes = fs::read(path)?;
        let mut state = RoomState::default();
        let mut rest = bytes.as_slice();
        while let Some((len, behind)) = rest.split_first_chunk::<4>() {
            let (record, behind) = behind.split_at(u32::from_le_bytes(*len) as usize);
            state.apply(&codec::decode(record)?);
            rest = behind;
        }
        state
    };
    let took = os::local_now() - since;
    assert_eq!(state.seq.get(), MANY);
    print!(
        "{} {}",
        took.get() as f64 / 1e6,
        memory_kib(std::process::id(), "VmHWM") / 1024.0
    );
    println!(
        " {}",
        opened.map_or(String::new(), |opened| (opened.get() as f64 / 1e6)
            .to_string())
    );
    Ok(())
}
