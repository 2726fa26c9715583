//! A past session, to be read and nothing else.
//!
//! Opening a session to host it starts a database, which repairs, compacts and
//! writes. Whoever only wants to watch an evening again must not change a byte
//! of it, so [`Past`] never opens the database: it reads the commits where they
//! lie ([`super::salvage`]), each proven by the chain, and has no way to append.
//! A damaged session can be read as far as it is whole.
//!
//! While one is open nobody can host the session, but others can read it too:
//! readers share the lock that a host holds alone.

use std::fs::File;
use std::path::Path;

use super::capsule::CapsuleHeader;
use super::salvage::{self, Salvage};
use super::sled::SledLog;
use super::store::{
    Alive, DB_DIR, Exported, Home, Info, NO_LOG, StoreError, export_to, failed, has_log,
    read_alive, read_info,
};
use super::{ReadError, decode_at};
use crate::engine::event::Event;
use crate::engine::event::chain::Link;
use crate::engine::id::{Seq, SessionId};

/// The database's own file.
const DB_FILE: &str = "db";

/// See the module.
#[derive(Debug)]
pub struct Past {
    session: SessionId,
    /// What it is; `None` when that is lost.
    pub info: Option<Info>,
    /// When its room was last alive.
    pub alive: Option<Alive>,
    /// From which event on it is damaged, and how.
    pub lost: Option<(Seq, String)>,
    records: Salvage,
    /// Held while open: keeps hosts out. `None` where there never was one.
    _lock: Option<File>,
}

impl Home {
    /// Opens a session to read it. Nothing of it is written, then or later.
    ///
    /// Blocks for the time of reading its file once.
    ///
    /// # Errors
    /// [`StoreError::Unknown`], [`StoreError::Failed`], and `InUse` while it is on air.
    pub fn open_past(&self, session: SessionId) -> Result<Past, StoreError> {
        let dir = self.dir(session);
        if !dir.is_dir() {
            return Err(StoreError::Unknown(session));
        }
        let db = dir.join(DB_DIR);
        if !has_log(&db) {
            return Err(StoreError::Damaged {
                path: db,
                reason: NO_LOG.into(),
            });
        }
        let lock = SledLog::keep_hosts_out(&db)?;
        let file = db.join(DB_FILE);
        let mark = SledLog::mark_hint(&db);
        let (records, lost) = read_line(&file, mark)?;
        Ok(Past {
            session,
            info: read_info(&dir, session).ok(),
            alive: read_alive(&dir),
            lost,
            records,
            _lock: lock,
        })
    }
}

/// The session's line of events, and where it is damaged, if it is.
fn read_line(
    file: &Path,
    mark: Option<(Seq, Link)>,
) -> Result<(Salvage, Option<(Seq, String)>), StoreError> {
    let scan = |goal| salvage::scan(file, goal).map_err(|error| failed(file, error));
    let found = scan(None)?;
    let Some(mark) = mark else {
        let lost = found
            .broken()
            .map(|broken| (broken.seq, broken.reason.to_owned()));
        return Ok((found, lost));
    };
    // After a power cut the log may be longer than its mark; but it must pass through it.
    if passes(&found, mark) {
        return Ok((found, None));
    }
    let found = scan(Some(mark))?;
    if found.tail_link() == mark {
        return Ok((found, None));
    }
    let reason = found
        .broken()
        .map_or("it is missing", |broken| broken.reason);
    let lost = (found.tail_link().0, reason.to_owned());
    Ok((found, Some(lost)))
}

/// Whether the line goes through this end: the seq behind an event, and what that event commits to.
fn passes(line: &Salvage, (tail, link): (Seq, Link)) -> bool {
    if tail == Seq::FIRST {
        return true;
    }
    let last = line.records(Seq::new(tail.get() - 1), 1);
    last.is_ok_and(|records| records.first().is_some_and(|record| record.link == link))
}

impl Past {
    /// Which session it is.
    pub const fn id(&self) -> SessionId {
        self.session
    }

    /// The seq behind its last whole event, and what that event commits to.
    pub const fn tail_link(&self) -> (Seq, Link) {
        self.records.tail_link()
    }

    /// Events `[from, from + limit)`, as many as there are. Touches the disk.
    ///
    /// # Errors
    /// [`ReadError`], if one of them cannot be had.
    pub fn read(&self, from: Seq, limit: usize) -> Result<Vec<Event>, ReadError> {
        let from = from.max(Seq::FIRST);
        let records = self.records.records(from, limit)?;
        let mut events = Vec::with_capacity(records.len());
        for (record, seq) in records.iter().zip(from.get()..) {
            match decode_at(Seq::new(seq), &record.bytes) {
                Ok(event) => events.push(event),
                // What was read before it counts; the next reading begins with it and says what it is.
                Err(_) if !events.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(events)
    }

    /// Writes it as one file: all of it, or of a damaged one its longest whole beginning.
    ///
    /// # Errors
    /// [`StoreError::Export`], [`StoreError::Failed`].
    pub fn export(&self, to: &Path) -> Result<Exported, StoreError> {
        let info = self.info.as_ref();
        let header = CapsuleHeader {
            session: self.session,
            title: info.map_or_else(|| self.session.to_string(), |info| info.title.clone()),
            created: info.map_or(0, |info| info.created),
        };
        Ok(Exported {
            summary: export_to(&self.records, &header, to)?,
            lost: self.lost.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::log::EventLog as _;
    use crate::log::contract::lines;

    /// A home with a session of these many lines, closed again.
    fn home(count: u64) -> (tempfile::TempDir, Home, SessionId) {
        let place = tempfile::tempdir().unwrap();
        let home = Home::at(place.path()).unwrap();
        let session = home.create_session("Friday", 1_000).unwrap();
        for first in (1..=count).step_by(3) {
            let next = (first + 3).min(count + 1);
            session.log.append(lines(first..next)).wait().unwrap();
        }
        let id = session.id();
        (place, home, id)
    }

    /// Every file under a folder with what it holds.
    fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                all.extend(contents(&path));
            } else {
                let bytes = std::fs::read(&path).unwrap();
                all.push((path, bytes));
            }
        }
        all.sort();
        all
    }

    #[test]
    fn reading_an_evening_changes_not_a_byte_of_it() {
        let (place, home, id) = home(40);
        let before = contents(place.path());
        let past = home.open_past(id).unwrap();
        assert_eq!(past.lost, None);
        assert_eq!(past.tail_link().0, Seq::new(41));
        assert_eq!(past.read(Seq::FIRST, 100).unwrap(), lines(1..41));
        assert_eq!(past.read(Seq::new(7), 5).unwrap(), lines(7..12));
        assert_eq!(past.read(Seq::new(41), 5).unwrap(), []);
        assert!(contents(place.path()) == before, "a file changed");
        let capsule = place.path().join("kept.seance");
        assert_eq!(past.export(&capsule).unwrap().summary.tail, Seq::new(41));
        std::fs::remove_file(capsule).unwrap();
        drop(past);
        assert!(contents(place.path()) == before, "a file changed");
    }

    #[test]
    fn readers_share_an_evening_and_a_host_has_it_alone() {
        let (_place, home, id) = home(3);
        let hosted = home.open_session(id).unwrap();
        let refused = home.open_past(id).unwrap_err().to_string();
        assert_eq!(
            refused,
            "this session is already open in another Séance; close it there first"
        );
        drop(hosted);
        let readers = (home.open_past(id).unwrap(), home.open_past(id).unwrap());
        assert!(home.open_session(id).is_err(), "no host while it is read");
        drop(readers);
        assert_eq!(home.open_session(id).unwrap().log.tail(), Seq::new(4));
    }

    #[test]
    fn an_empty_evening_and_a_damaged_one_open_as_far_as_they_are_whole() {
        let (_place, empty, id) = home(0);
        let past = empty.open_past(id).unwrap();
        assert_eq!((past.tail_link().0, &past.lost), (Seq::FIRST, &None));

        let (_other, home, id) = home(300);
        let db = home.dir(id).join(DB_DIR).join(DB_FILE);
        let mut bytes = std::fs::read(&db).unwrap();
        let needle = b"line 200,";
        let places = (0..bytes.len() - needle.len()).filter(|at| bytes[*at..].starts_with(needle));
        for at in places.collect::<Vec<_>>() {
            bytes[at + 6] ^= 1;
        }
        std::fs::write(&db, bytes).unwrap();
        let past = home.open_past(id).unwrap();
        assert_eq!(past.lost.as_ref().unwrap().0, Seq::new(200));
        assert_eq!(past.read(Seq::new(190), 100).unwrap(), lines(190..200));
    }

    #[test]
    fn an_old_mark_hides_nothing() {
        let (place, home, id) = home(9);
        let mark = home.dir(id).join(DB_DIR).join("mark");
        let old = std::fs::read(&mark).unwrap();
        let session = home.open_session(id).unwrap();
        session.log.append(lines(10..13)).wait().unwrap();
        drop(session);
        std::fs::write(&mark, old).unwrap();
        let past = home.open_past(id).unwrap();
        assert_eq!((past.tail_link().0, &past.lost), (Seq::new(13), &None));
        drop((past, place));
    }
}
