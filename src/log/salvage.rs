//! Reading a session out of its database file without the database.
//!
//! sled repairs on opening: what follows a damaged place it zeroes. So what a
//! damaged session still holds must be read before, and by other means: commits
//! carry a magic byte, dense seqs and the chain ([`super::commit`]), and stand
//! verbatim in sled's file, so [`scan`] finds them wherever they lie and joins
//! those that follow from one another, from the first event on. Nothing is ever
//! written, no byte can panic it, and memory is bounded by the number of commits.
//!
//! Old copies of pages leave duplicates and, after a crash, commits that never
//! were acknowledged and whose seqs were given out again. The chain tells them
//! apart: a scan prefers the line that passes through the known end of the log
//! ([`super::sled`] keeps it beside the database), else the longest.
//!
//! Hashing is what a scan costs, so commits are proven [beside each other](super::beside), some
//! thousand at a time: [`Ahead`] follows what they *claim* to end in, and nothing joins a line
//! by a claim alone.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::beside;
use super::commit::{self, Broken, Commit, VALUE_BYTES_MAX};
use super::{ReadError, Record};
use crate::engine::event::chain::Link;
use crate::engine::id::Seq;

/// How much of the file is in memory at once.
const WINDOW_BYTES: usize = 1 << 20;

/// How many commits are proven beside each other at once: enough that starting threads for them
/// does not show.
const AHEAD_MAX: usize = 2_048;
/// And of a line of which nothing is known yet.
const AHEAD_FIRST: usize = 512;

/// The longest valid beginning of a session that its file holds.
#[derive(Debug)]
pub struct Salvage {
    file: Mutex<File>,
    /// The commits of the chosen line, in order.
    line: Vec<Piece>,
    tail: Seq,
    link: Link,
    /// Why the line ends there, if a next commit was found and is damaged.
    broken: Option<Broken>,
}

/// One commit's place in the file.
#[derive(Clone, Copy, Debug)]
struct Piece {
    first: Seq,
    /// Records that count; fewer than the commit holds where the damage is inside it.
    count: u64,
    offset: u64,
    len: usize,
    /// The link its last record claims.
    link: Link,
    /// The link before its first record, once it is on a line.
    before: Link,
}

/// An end of a line: the seq behind it, and what its last record commits to.
type End = (Seq, Link);

/// Everything that reads as a commit, by the seq it begins at.
type Found = BTreeMap<Seq, Vec<Piece>>;

/// Reads a database file; `goal` is the end that the log is known to have had.
///
/// # Errors
/// When the file cannot be read at all.
pub fn scan(path: &Path, goal: Option<End>) -> io::Result<Salvage> {
    let mut file = File::open(path)?;
    let found = find(&mut file)?;
    let file = Mutex::new(file);
    let mut lines = Lines::default();
    lines.grow(&file, &found)?;
    let end = goal
        .filter(|goal| lines.reached.contains_key(goal))
        .or_else(|| lines.reached.keys().next_back().copied())
        .unwrap_or((Seq::FIRST, Link::GENESIS));
    let mut line = lines.walk_back(end);
    let (mut tail, mut link) = end;
    let mut broken = None;
    if goal != Some(end)
        && let Some(damage) = lines.broken.remove(&end)
    {
        broken = Some(damage.why);
        if damage.piece.count > 0 {
            (tail, link) = damage.whole_to;
            line.push(damage.piece);
        }
    }
    Ok(Salvage {
        file,
        line,
        tail,
        link,
        broken,
    })
}

/// Finds everything in the file that reads as a commit, by the seq it begins at.
fn find(file: &mut File) -> io::Result<Found> {
    let mut found = Found::new();
    let mut window = Vec::with_capacity(WINDOW_BYTES + VALUE_BYTES_MAX);
    let mut start: u64 = 0;
    file.seek(SeekFrom::Start(0))?;
    loop {
        let kept = window.len();
        file.by_ref()
            .take((WINDOW_BYTES) as u64)
            .read_to_end(&mut window)?;
        let last = window.len() == kept;
        // A commit that begins before this border is in the window whole.
        let border = if last {
            window.len()
        } else {
            window.len().saturating_sub(VALUE_BYTES_MAX)
        };
        let mut at = 0;
        while let Some(step) = window[at..border].iter().position(|&b| b == commit::MAGIC) {
            at += step;
            let candidate = &window[at..window.len().min(at + VALUE_BYTES_MAX)];
            let Some(piece) = piece_at(candidate, start + at as u64) else {
                at += 1;
                continue;
            };
            at += piece.len;
            // sled leaves a copy or two; a new vector would take places for four.
            let copies = found.entry(piece.first);
            copies.or_insert_with(|| Vec::with_capacity(1)).push(piece);
            if at >= border {
                break;
            }
        }
        if last {
            return Ok(found);
        }
        // What a commit found at the border took is behind us as well.
        let done = at.max(border).min(window.len());
        start += done as u64;
        window.drain(..done);
    }
}

fn piece_at(bytes: &[u8], offset: u64) -> Option<Piece> {
    let commit = Commit::parse(bytes).ok()?;
    Some(Piece {
        first: commit.first()?,
        count: commit.count(),
        offset,
        len: commit.byte_len(),
        link: commit.link(),
        before: Link::GENESIS,
    })
}

/// Every end that a chain of found commits reaches from the first event on.
#[derive(Default)]
struct Lines {
    /// Each end with the commit that leads there.
    reached: BTreeMap<End, Piece>,
    /// Per end, the damaged commit that gets furthest behind it.
    broken: BTreeMap<End, Damage>,
}

/// A commit that follows, but not as a whole.
struct Damage {
    /// It, with the count of its whole records.
    piece: Piece,
    /// The end that those records reach.
    whole_to: End,
    why: Broken,
}

impl Lines {
    fn grow(&mut self, file: &Mutex<File>, found: &Found) -> io::Result<()> {
        let mut ahead = Ahead::default();
        let mut ends = BTreeSet::from([(Seq::FIRST, Link::GENESIS)]);
        while let Some(end) = ends.pop_first() {
            ahead.look(file, found, end);
            for piece in found.get(&end.0).into_iter().flatten() {
                let next = piece.claims(end.0);
                if self.reached.contains_key(&next) {
                    continue;
                }
                if ahead.has_proven(end, piece) {
                    let before = end.1;
                    self.reached.insert(next, Piece { before, ..*piece });
                    ends.insert(next);
                } else if self.join(file, end, *piece)? {
                    ahead.credit = ahead.credit.saturating_add(1);
                    ends.insert(next);
                }
            }
        }
        Ok(())
    }

    /// Whether `piece` follows from `end`; if not, how far it does and why no further.
    fn join(&mut self, file: &Mutex<File>, end: End, piece: Piece) -> io::Result<bool> {
        let mut piece = Piece {
            before: end.1,
            ..piece
        };
        let bytes = load(file, &piece)?;
        let Ok(commit) = Commit::parse_whole(&bytes) else {
            return Ok(false); // the file changed under us
        };
        let mut whole_to = end;
        match commit.verify(end.0, end.1, |seq, link| whole_to = (seq.next(), link)) {
            Ok(link) => {
                let end = (Seq::new(end.0.get() + piece.count), link);
                self.reached.insert(end, piece);
                Ok(true)
            }
            Err(why) => {
                piece.count = whole_to.0.get() - end.0.get();
                // All records may be whole under a wrong link: then only that is damaged.
                let damage = Damage {
                    piece,
                    whole_to,
                    why,
                };
                match self.broken.entry(end) {
                    btree_map::Entry::Vacant(none) => {
                        none.insert(damage);
                    }
                    btree_map::Entry::Occupied(mut other) => {
                        if other.get().whole_to.0 < whole_to.0 {
                            other.insert(damage);
                        }
                    }
                }
                Ok(false)
            }
        }
    }

    fn walk_back(&self, mut end: End) -> Vec<Piece> {
        let mut line = Vec::new();
        while let Some(piece) = self.reached.get(&end) {
            line.push(*piece);
            end = (piece.first, piece.before);
        }
        line.reverse();
        line
    }
}

/// Commits that were proven before a line has come to them.
#[derive(Debug)]
struct Ahead {
    /// The end each was held against, and where it lies. Taken out as the line comes by.
    proven: BTreeSet<(End, u64)>,
    /// How many may be looked at for nothing: grows by what proved right and shrinks by what did
    /// not, so that a file full of false trails costs little more than walking them.
    credit: usize,
}

impl Default for Ahead {
    fn default() -> Self {
        Self {
            proven: BTreeSet::new(),
            credit: AHEAD_FIRST,
        }
    }
}

impl Ahead {
    fn has_proven(&mut self, end: End, piece: &Piece) -> bool {
        self.proven.remove(&(end, piece.offset))
    }

    /// Proves what lies behind `end`, unless that was done already.
    fn look(&mut self, file: &Mutex<File>, found: &Found, end: End) {
        let mut here = found.get(&end.0).into_iter().flatten();
        if here.any(|piece| self.proven.contains(&(end, piece.offset))) {
            return;
        }
        let claims = self.claims(found, end);
        if claims.len() < 2 {
            return; // the line itself will prove that one, and say what is wrong with it
        }
        let proofs = beside::map(&claims, |(end, piece)| follows(file, *end, piece));
        self.credit -= claims.len();
        for ((end, piece), holds) in claims.into_iter().zip(proofs) {
            if holds {
                self.proven.insert((end, piece.offset));
                self.credit = self.credit.saturating_add(2);
            }
        }
    }

    /// The commits behind `end`, each behind what the one before it claims.
    ///
    /// Of several at the same place the first is believed: copies of one commit claim the same.
    fn claims(&self, found: &Found, mut end: End) -> Vec<(End, Piece)> {
        let mut claims = Vec::new();
        while claims.len() < self.credit.min(AHEAD_MAX) {
            let Some(piece) = found.get(&end.0).and_then(|pieces| pieces.first()) else {
                break;
            };
            if self.proven.contains(&(end, piece.offset)) {
                break; // and what is behind it was looked at then
            }
            claims.push((end, *piece));
            end = piece.claims(end.0);
        }
        claims
    }
}

/// Whether all of `piece` follows from `end`. What cannot be read does not.
fn follows(file: &Mutex<File>, end: End, piece: &Piece) -> bool {
    let Ok(bytes) = load(file, piece) else {
        return false;
    };
    Commit::parse_whole(&bytes).is_ok_and(|commit| {
        piece.claims(end.0) == (Seq::new(end.0.get() + commit.count()), commit.link())
            && commit.verify(end.0, end.1, |_, _| {}).is_ok()
    })
}

impl Piece {
    /// The end it leads to from `first`, if it is as it says.
    const fn claims(&self, first: Seq) -> End {
        (Seq::new(first.get().saturating_add(self.count)), self.link)
    }
}

fn load(file: &Mutex<File>, piece: &Piece) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; piece.len];
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(piece.offset))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

impl Salvage {
    /// The seq behind the last event that was saved, and what that event commits to.
    pub const fn tail_link(&self) -> End {
        (self.tail, self.link)
    }

    /// Why it ends there, where that is known.
    pub const fn broken(&self) -> Option<Broken> {
        self.broken
    }

    /// The records `[from, from + limit)` with their links, verified anew.
    ///
    /// # Errors
    /// [`ReadError`], when the file changed or cannot be read.
    pub fn records(&self, from: Seq, limit: usize) -> Result<Vec<Record>, ReadError> {
        let from = from.max(Seq::FIRST);
        let start = self.line.partition_point(|piece| piece.first <= from);
        let mut records = Vec::new();
        for piece in &self.line[start.saturating_sub(1)..] {
            if records.len() >= limit {
                break;
            }
            let bytes = load(&self.file, piece).map_err(|e| ReadError::Failed(e.to_string()))?;
            let commit = Commit::parse_whole(&bytes).map_err(|_| ReadError::Damaged {
                seq: piece.first,
                reason: "it changed while it was read".into(),
            })?;
            let mut links = Vec::new();
            // A commit that is damaged further on still yields its whole beginning.
            let _ = commit.verify(piece.first, piece.before, |_, link| links.push(link));
            let count = usize::try_from(piece.count).unwrap_or(usize::MAX);
            let skipped = from.get().saturating_sub(piece.first.get());
            records.extend(
                commit
                    .records()
                    .zip(links)
                    .take(count)
                    .skip(usize::try_from(skipped).unwrap_or(usize::MAX))
                    .take(limit - records.len())
                    .map(|(bytes, link)| Record {
                        bytes: bytes.into(),
                        link,
                    }),
            );
        }
        Ok(records)
    }
}
