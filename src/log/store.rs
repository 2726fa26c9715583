//! Where sessions live on this machine.
//!
//! ```text
//! <home>/sessions/<session id>/
//!     session.json   what it is: title, birth, last address, protocol (schema-versioned)
//!     key            32 random bytes; the secrets of invites derive from it
//!     passcode       the Argon2id hash of what newcomers must know, while there is such a thing
//!     alive          when the room was last alive, overwritten, never synced
//!     trace          what was observed beside the log, see [`super::trace`]; may be lost
//!     db/            the log, see [`super::sled`]
//! ```
//!
//! `<home>` is `SEANCE_HOME`, else the platform's data folder. Folders are
//! their owner's alone (0700), and so are our files in them (0600). A broken session never hides
//! the others: it is listed with what is wrong with it.
//!
//! Deliberately absent: an index of sessions. The folders are the truth; a
//! listing reads two small files each.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::EventLog;
use super::capsule::{self, CapsuleHeader, ExportError, ImportError, Summary};
use super::files::{create_dir, create_private, private, sync_dir};
use super::salvage;
use super::sled::{OpenError, SledLog};
use super::trace::{self, TraceWriter};
use crate::engine::id::{Seq, SessionId};
use crate::engine::media::Media;
use crate::engine::trace::Trace;
use crate::engine::unit::SessionTime;
use crate::os;

/// The variable that moves the home: for tests, portable installs and servers.
pub const HOME_VARIABLE: &str = "SEANCE_HOME";

/// The schema of `session.json` written by this version.
pub const SCHEMA: u32 = 1;

const INFO_FILE: &str = "session.json";
const KEY_FILE: &str = "key";
const PASSCODE_FILE: &str = "passcode";
const ALIVE_FILE: &str = "alive";
const TRACE_FILE: &str = "trace";
pub(super) const DB_DIR: &str = "db";

/// Folders that are not (yet, or any longer) a session begin with this.
const UNFINISHED: &str = ".unfinished-";

/// The fewest characters of an id that name a session: what fits a line of a list.
const ID_PREFIX_MIN: usize = 4;

/// The folder of all sessions.
#[derive(Clone, Debug)]
pub struct Home {
    sessions: PathBuf,
}

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no home folder to be found.
    #[error("this system names no folder for data; set SEANCE_HOME to one")]
    NoHome,
    /// The system said no.
    #[error("{} cannot be used: {source}", path.display())]
    Failed {
        /// Which file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// No such session here.
    #[error("there is no session {0} here; `seance sessions` lists them")]
    Unknown(SessionId),
    /// It is here already.
    #[error("session {0} is here already")]
    Exists(SessionId),
    /// One of a session's small files is not what was written.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A later version wrote it.
    #[error(
        "this session was written by a newer Séance (schema {0}, this one knows {SCHEMA}); please update"
    )]
    Newer(u32),
    /// Its log does not open.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// It did not become a capsule.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A capsule did not become a session.
    #[error(transparent)]
    Import(#[from] ImportError),
}

/// Why a text names no session.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Nothing fits.
    #[error("no session is called {0:?}; `seance sessions` lists them")]
    None(String),
    /// More than one fits.
    #[error(
        "{text:?} could be any of {}; give enough of the id you mean",
        ids(found)
    )]
    Several {
        /// What was asked.
        text: String,
        /// What fits.
        found: Vec<SessionId>,
    },
    /// The sessions could not be listed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The first few of them: whoever calls every session “Film night” has many.
fn ids(found: &[SessionId]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = found.iter().take(SHOWN).map(SessionId::to_string).collect();
    match found.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What `session.json` holds: for people and lists, never for the fold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// The schema it is written in.
    schema: u32,
    /// Which session; the folder's name says the same.
    pub session: SessionId,
    /// What people call it.
    pub title: String,
    /// When it was opened, in milliseconds since 1970.
    pub created: u64,
    /// Where it last listened, to try the same place again after a restart.
    #[serde(default)]
    pub bind: Option<String>,
    /// The protocol it was last hosted with.
    #[serde(default)]
    pub protocol: u16,
    /// What was watched, in order; as of its last orderly end.
    #[serde(default)]
    pub watched: Vec<Media>,
    /// How many people took part; as of its last orderly end.
    #[serde(default)]
    pub people: usize,
}

/// When a room was last known to be alive: a mark, not an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alive {
    /// The session's time then.
    pub session_time: SessionTime,
    /// The same moment in milliseconds since 1970.
    pub wall_millis: u64,
}

/// 32 random bytes from which a session's secrets derive. Shows itself nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey([u8; 32]);

impl SessionKey {
    /// The bare bytes, to derive from.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

/// One line of the list.
#[derive(Debug)]
pub struct Listed {
    /// Which session.
    pub session: SessionId,
    /// What it is; `None` when that cannot be read.
    pub info: Option<Info>,
    /// Events it holds, as far as known without opening it.
    pub events: Option<u64>,
    /// When its room was last alive.
    pub alive: Option<Alive>,
    /// What can be done with it.
    pub state: State,
}

/// What can be done with a listed session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has it open.
    Idle,
    /// Some process has it open.
    OnAir,
    /// It cannot be opened as it is.
    Broken(String),
}

/// A session that this process holds open.
#[derive(Debug)]
pub struct Session {
    dir: PathBuf,
    /// What it is.
    pub info: Info,
    /// What its secrets derive from.
    pub key: SessionKey,
    /// Its events. The session is on air until the last clone of this is dropped.
    pub log: Arc<SledLog>,
}

impl Home {
    /// The home of this machine's user: `SEANCE_HOME`, else the platform's data folder.
    ///
    /// # Errors
    /// [`StoreError::NoHome`], [`StoreError::Failed`].
    pub fn open() -> Result<Self, StoreError> {
        let chosen = std::env::var_os(HOME_VARIABLE).filter(|path| !path.is_empty());
        let root = match chosen {
            Some(path) => PathBuf::from(path),
            None => directories::ProjectDirs::from("", "", "seance")
                .ok_or(StoreError::NoHome)?
                .data_dir()
                .to_owned(),
        };
        Self::at(&root)
    }

    /// The home in this folder, which is created if need be.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub fn at(root: &Path) -> Result<Self, StoreError> {
        let sessions = root.join("sessions");
        create_dir(&sessions).map_err(|e| failed(&sessions, e))?;
        Ok(Self { sessions })
    }

    /// The folder everything lies in.
    pub fn root(&self) -> &Path {
        self.sessions.parent().unwrap_or(&self.sessions)
    }

    pub(super) fn dir(&self, session: SessionId) -> PathBuf {
        self.sessions.join(session.to_string())
    }

    /// Makes a new session with an empty log, and opens it.
    ///
    /// # Errors
    /// [`StoreError`]; then there is no such session.
    pub fn create_session(&self, title: &str, created: u64) -> Result<Session, StoreError> {
        let session = SessionId::new(u128::from_be_bytes(os::random_bytes()));
        self.create(session, title, created, |_| Ok(()))?;
        self.open_session(session)
    }

    /// Makes a session aside and shows it under its name only when it is whole.
    fn create(
        &self,
        session: SessionId,
        title: &str,
        created: u64,
        fill: impl FnOnce(&SledLog) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let dir = self.dir(session);
        if dir.exists() {
            return Err(StoreError::Exists(session));
        }
        let aside = self.sessions.join(format!("{UNFINISHED}{session}"));
        // What an import that was killed left behind. If it stays, making it anew says why.
        let _ = fs::remove_dir_all(&aside);
        let made = (|| {
            create_dir(&aside).map_err(|e| failed(&aside, e))?;
            let info = Info {
                schema: SCHEMA,
                session,
                title: title.to_owned(),
                created,
                bind: None,
                protocol: 0,
                watched: Vec::new(),
                people: 0,
            };
            write_info(&aside, &info)?;
            write_whole(&aside.join(KEY_FILE), &os::random_bytes::<32>())?;
            fill(&SledLog::open(&aside.join(DB_DIR), session)?)?;
            fs::rename(&aside, &dir).map_err(|e| failed(&dir, e))?;
            sync_dir(&self.sessions).map_err(|e| failed(&self.sessions, e))
        })();
        if made.is_err() {
            // No session bears this name; the next try removes it too.
            let _ = fs::remove_dir_all(&aside);
        }
        made
    }

    /// Opens a session, for hosting or for reading.
    ///
    /// # Errors
    /// [`StoreError::Unknown`], `Damaged`, `Newer`, `Log` (open elsewhere, damaged …).
    pub fn open_session(&self, session: SessionId) -> Result<Session, StoreError> {
        let dir = self.dir(session);
        if !dir.is_dir() {
            return Err(StoreError::Unknown(session));
        }
        let info = read_info(&dir, session)?;
        let key = read_key(&dir)?;
        let db = dir.join(DB_DIR);
        // A session is born with its log: without one it must not come up empty.
        if !has_log(&db) {
            return Err(StoreError::Damaged {
                path: db,
                reason: NO_LOG.into(),
            });
        }
        let log = Arc::new(SledLog::open(&db, session)?);
        Ok(Session {
            dir,
            info,
            key,
            log,
        })
    }

    /// All sessions, the youngest first. Reads two small files each and opens no log.
    ///
    /// # Errors
    /// [`StoreError::Failed`], when the folder itself cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let entries = fs::read_dir(&self.sessions).map_err(|e| failed(&self.sessions, e))?;
        let mut listed: Vec<Listed> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .map(|session| self.look(session))
            .collect();
        listed.sort_by_key(|one| {
            let created = one.info.as_ref().map_or(0, |info| info.created);
            (std::cmp::Reverse(created), one.session)
        });
        Ok(listed)
    }

    fn look(&self, session: SessionId) -> Listed {
        let dir = self.dir(session);
        let db = dir.join(DB_DIR);
        let info = read_info(&dir, session);
        let state = match &info {
            Err(error) => State::Broken(error.to_string()),
            Ok(_) if SledLog::is_open(&db) => State::OnAir,
            Ok(_) => match read_key(&dir) {
                Err(error) => State::Broken(error.to_string()),
                Ok(_) if !has_log(&db) => State::Broken(NO_LOG.into()),
                Ok(_) => State::Idle,
            },
        };
        Listed {
            session,
            info: info.ok(),
            events: SledLog::tail_hint(&db).map(|tail| tail.get() - 1),
            alive: read_alive(&dir),
            state,
        }
    }

    /// The session that a person means: by its id, the beginning of its id, or its title.
    ///
    /// # Errors
    /// [`FindError`].
    pub fn find(&self, text: &str) -> Result<SessionId, FindError> {
        let wanted = text.trim();
        let listed = self.list()?;
        let exact = wanted.parse::<SessionId>().ok();
        if let Some(one) = listed.iter().find(|one| Some(one.session) == exact) {
            return Ok(one.session);
        }
        let lower = wanted.to_lowercase();
        let by_id = |one: &&Listed| {
            lower.len() >= ID_PREFIX_MIN && one.session.to_string().starts_with(&lower)
        };
        let by_title = |one: &&Listed| {
            let info = one.info.as_ref();
            info.is_some_and(|info| info.title.to_lowercase() == lower)
        };
        let mut found: Vec<SessionId> = listed
            .iter()
            .filter(|one| by_id(one) || by_title(one))
            .map(|one| one.session)
            .collect();
        match found.len() {
            0 => Err(FindError::None(wanted.to_owned())),
            1 => Ok(found.remove(0)),
            _ => Err(FindError::Several {
                text: wanted.to_owned(),
                found,
            }),
        }
    }

    /// Writes a session as one file: all of it, or of a damaged one its longest whole beginning.
    ///
    /// The file appears under its name only when it is whole. For a session that
    /// this process holds open use [`Session::export`].
    ///
    /// # Errors
    /// [`StoreError`]; a session open elsewhere is [`OpenError::InUse`].
    pub fn export(&self, session: SessionId, to: &Path) -> Result<Exported, StoreError> {
        let dir = self.dir(session);
        if !dir.is_dir() {
            return Err(StoreError::Unknown(session));
        }
        // A session whose small files are lost still has its events.
        let info = read_info(&dir, session);
        let header = CapsuleHeader {
            session,
            title: info
                .as_ref()
                .map_or_else(|_| session.to_string(), |i| i.title.clone()),
            created: info.as_ref().map_or(0, |info| info.created),
        };
        let db = dir.join(DB_DIR);
        match SledLog::open(&db, session) {
            Ok(log) => {
                let whole = export_to(&log as &dyn EventLog, &header, to);
                match whole {
                    Err(StoreError::Export(ExportError::Read(_))) => {
                        drop(log);
                        salvage_to(&db, &header, to)
                    }
                    other => other.map(|summary| Exported {
                        summary,
                        lost: None,
                    }),
                }
            }
            Err(OpenError::Damaged { .. } | OpenError::Failed { .. }) => {
                salvage_to(&db, &header, to)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Takes a capsule in as a session, which must not be here yet.
    ///
    /// The whole file is proven before anything is written. The session gets a
    /// key of its own: invites of the original do not open it.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was kept.
    pub fn import(&self, from: &Path) -> Result<Summary, StoreError> {
        let open = || File::open(from).map_err(|e| failed(from, e));
        let summary = capsule::verify(open()?)?;
        let header = &summary.header;
        self.create(header.session, &header.title, header.created, |log| {
            capsule::import(open()?, log)?;
            Ok(())
        })?;
        Ok(summary)
    }

    /// Puts a session's folder out of the list, under a name that says so; nothing is deleted.
    ///
    /// What an import of the same session's capsule needs first.
    ///
    /// # Errors
    /// [`StoreError::Unknown`], [`StoreError::Failed`], or [`OpenError::InUse`].
    pub fn set_aside(&self, session: SessionId) -> Result<PathBuf, StoreError> {
        let dir = self.dir(session);
        if !dir.is_dir() {
            return Err(StoreError::Unknown(session));
        }
        if SledLog::is_open(&dir.join(DB_DIR)) {
            return Err(OpenError::InUse.into());
        }
        let aside = (1..)
            .map(|copy| self.sessions.join(format!("{session}.damaged-{copy}")))
            .find(|path| !path.exists())
            .expect("some number is free");
        fs::rename(&dir, &aside).map_err(|e| failed(&dir, e))?;
        Ok(aside)
    }
}

/// What an export wrote.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The capsule's content.
    pub summary: Summary,
    /// Of a damaged session: the first event that is not in the capsule, and why.
    pub lost: Option<(Seq, String)>,
}

fn salvage_to(db: &Path, header: &CapsuleHeader, to: &Path) -> Result<Exported, StoreError> {
    let file = db.join("db");
    let found = salvage::scan(&file, SledLog::mark_hint(db)).map_err(|e| failed(&file, e))?;
    let summary = export_to(&found, header, to)?;
    let reason = found
        .broken()
        .map_or("it is missing", |broken| broken.reason);
    let lost = Some((summary.tail, reason.to_owned()));
    Ok(Exported { summary, lost })
}

pub(super) fn export_to<S: capsule::Source + ?Sized>(
    source: &S,
    header: &CapsuleHeader,
    to: &Path,
) -> Result<Summary, StoreError> {
    let mut summary = None;
    replace(to, |file| {
        let mut file = BufWriter::new(file);
        summary = Some(capsule::export(source, header, &mut file)?);
        Ok(())
    })?;
    Ok(summary.expect("set by the closure above"))
}

impl Session {
    /// Which session it is.
    pub const fn id(&self) -> SessionId {
        self.info.session
    }

    /// Remembers what changed about it, for the list and the next start.
    ///
    /// # Errors
    /// [`StoreError::Failed`]; then the old file still stands.
    pub fn save_info(&self) -> Result<(), StoreError> {
        write_info(&self.dir, &self.info)
    }

    /// When its room was last alive; `None` if it never was, or the mark is torn.
    pub fn last_alive(&self) -> Option<Alive> {
        read_alive(&self.dir)
    }

    /// The file for what newcomers must know.
    pub fn passcode_file(&self) -> PasscodeFile {
        PasscodeFile(self.dir.join(PASSCODE_FILE))
    }

    /// The file for the marks of its room's life, held open: a mark costs one small write.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub fn alive_file(&self) -> Result<AliveFile, StoreError> {
        let path = self.dir.join(ALIVE_FILE);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        private(&mut options);
        let file = options.open(&path).map_err(|e| failed(&path, e))?;
        Ok(AliveFile(file))
    }

    /// What was observed beside its log; of a damaged trace, its beginning.
    pub fn trace(&self) -> Trace {
        trace::read(&self.dir.join(TRACE_FILE))
    }

    /// Goes on with its trace.
    ///
    /// # Errors
    /// [`StoreError::Failed`]; the session is whole without.
    pub fn trace_writer(&self) -> Result<TraceWriter, StoreError> {
        let path = self.dir.join(TRACE_FILE);
        TraceWriter::open(&path).map_err(|e| failed(&path, e))
    }

    /// Writes it as one file, while it is open; see [`Home::export`].
    ///
    /// # Errors
    /// [`StoreError::Export`], [`StoreError::Failed`].
    pub fn export(&self, to: &Path) -> Result<Summary, StoreError> {
        let header = CapsuleHeader {
            session: self.info.session,
            title: self.info.title.clone(),
            created: self.info.created,
        };
        export_to(&*self.log as &dyn EventLog, &header, to)
    }
}

/// The mark of a room's life: overwritten in place and never synced, so it
/// survives the process, however that ends, and costs no disk time.
#[derive(Debug)]
pub struct AliveFile(File);

const ALIVE_BYTES: usize = 8 + 8 + 8;

impl AliveFile {
    /// Overwrites the mark.
    ///
    /// # Errors
    /// What the system says; the room goes on without.
    pub fn write(&mut self, alive: Alive) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(0))?;
        self.0.write_all(&encode_alive(alive))
    }
}

fn encode_alive(alive: Alive) -> [u8; ALIVE_BYTES] {
    let mut bytes = [0; ALIVE_BYTES];
    bytes[..8].copy_from_slice(&alive.session_time.get().to_be_bytes());
    bytes[8..16].copy_from_slice(&alive.wall_millis.to_be_bytes());
    let digest = blake3::hash(&bytes[..16]);
    bytes[16..].copy_from_slice(&digest.as_bytes()[..8]);
    bytes
}

/// Where a session's sealed passcode lies: beside its key, for its owner alone.
#[derive(Clone, Debug)]
pub struct PasscodeFile(PathBuf);

impl PasscodeFile {
    /// What is kept; `None` if nothing is, or it does not read.
    pub fn read(&self) -> Option<String> {
        fs::read_to_string(&self.0).ok()
    }

    /// Keeps this, durably, or nothing.
    ///
    /// # Errors
    /// When the disk does not take it; then what was kept stays.
    pub fn write(&self, sealed: Option<&str>) -> io::Result<()> {
        match sealed {
            Some(sealed) => write_whole(&self.0, sealed.as_bytes()).map_err(|error| match error {
                StoreError::Failed { source, .. } => source,
                other => io::Error::other(other.to_string()),
            }),
            None => match fs::remove_file(&self.0) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        }
    }
}

pub(super) fn read_alive(dir: &Path) -> Option<Alive> {
    let bytes: [u8; ALIVE_BYTES] = fs::read(dir.join(ALIVE_FILE)).ok()?.try_into().ok()?;
    let number = |at: usize| Some(u64::from_be_bytes(bytes[at..at + 8].try_into().ok()?));
    let alive = Alive {
        session_time: SessionTime::new(number(0)?),
        wall_millis: number(8)?,
    };
    (encode_alive(alive) == bytes).then_some(alive)
}

pub(super) const NO_LOG: &str = "its log is missing";

pub(super) fn has_log(db: &Path) -> bool {
    db.join("db").is_file()
}

fn read_key(dir: &Path) -> Result<SessionKey, StoreError> {
    let path = dir.join(KEY_FILE);
    let bytes = fs::read(&path).map_err(|e| failed(&path, e))?;
    let key = bytes.try_into().map_err(|_| StoreError::Damaged {
        path,
        reason: "a key has 32 bytes".into(),
    })?;
    Ok(SessionKey(key))
}

pub(super) fn read_info(dir: &Path, session: SessionId) -> Result<Info, StoreError> {
    /// Read first: of a later schema nothing else is known.
    #[derive(Deserialize)]
    struct Versioned {
        schema: u32,
    }
    let path = dir.join(INFO_FILE);
    let damaged = |reason: String| StoreError::Damaged {
        path: path.clone(),
        reason,
    };
    let text = fs::read(&path).map_err(|e| failed(&path, e))?;
    let Versioned { schema } = serde_json::from_slice(&text).map_err(|e| damaged(e.to_string()))?;
    if schema > SCHEMA {
        return Err(StoreError::Newer(schema));
    }
    let info: Info = serde_json::from_slice(&text).map_err(|e| damaged(e.to_string()))?;
    if info.session != session {
        return Err(damaged(format!("it describes session {}", info.session)));
    }
    Ok(info)
}

fn write_info(dir: &Path, info: &Info) -> Result<(), StoreError> {
    let mut text = serde_json::to_vec_pretty(info).expect("plain fields always become JSON");
    text.push(b'\n');
    write_whole(&dir.join(INFO_FILE), &text)
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    replace(path, |mut file| {
        file.write_all(bytes).map_err(|e| failed(path, e))
    })
}

/// Writes a file aside, makes it durable, and only then gives it its name.
fn replace(
    path: &Path,
    write: impl FnOnce(&File) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = (|| {
        let file = create_private(&part).map_err(|e| failed(path, e))?;
        write(&file)?;
        file.sync_all().map_err(|e| failed(path, e))?;
        fs::rename(&part, path).map_err(|e| failed(path, e))
    })();
    if let Err(error) = written {
        // Half a file under a name of its own: in nobody's way if it stays.
        let _ = fs::remove_file(&part);
        return Err(error);
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    sync_dir(dir.unwrap_or(Path::new("."))).map_err(|e| failed(path, e))
}

pub(super) fn failed(path: &Path, source: io::Error) -> StoreError {
    StoreError::Failed {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::contract::{holds, lines};
    use proptest::prelude::*;

    fn home() -> (tempfile::TempDir, Home) {
        let place = tempfile::tempdir().unwrap();
        let home = Home::at(&place.path().join("deep/er")).unwrap();
        (place, home)
    }

    fn states(home: &Home) -> Vec<(SessionId, State)> {
        let listed = home.list().unwrap();
        listed
            .into_iter()
            .map(|one| (one.session, one.state))
            .collect()
    }

    #[test]
    fn a_session_is_found_again_with_all_it_had() {
        let (_place, home) = home();
        let mut session = home.create_session("Friday", 1_000).unwrap();
        session.log.append(lines(1..10)).wait().unwrap();
        session.info.bind = Some("0.0.0.0:4321".into());
        session.info.protocol = 3;
        session.save_info().unwrap();
        let alive = Alive {
            session_time: SessionTime::from_secs(5),
            wall_millis: 77,
        };
        assert_eq!(session.last_alive(), None);
        session.alive_file().unwrap().write(alive).unwrap();
        let (id, info, key) = (session.id(), session.info.clone(), session.key.clone());
        drop(session);
        let session = home.open_session(id).unwrap();
        assert_eq!(session.info, info);
        assert!(session.key == key);
        assert_eq!(session.last_alive(), Some(alive));
        holds(&*session.log, &lines(1..10));
        assert!(!format!("{session:?}").contains(&format!("{:?}", key.as_bytes())));
    }

    #[test]
    fn the_list_shows_the_youngest_first_and_who_is_on_air() {
        let (_place, home) = home();
        let old = home.create_session("old", 1_000).unwrap().id();
        let on_air = home.create_session("new", 2_000).unwrap();
        on_air.log.append(lines(1..6)).wait().unwrap();
        assert_eq!(
            states(&home),
            [(on_air.id(), State::OnAir), (old, State::Idle)]
        );
        assert_eq!(home.list().unwrap()[0].events, Some(5));
        let second = home.open_session(on_air.id()).unwrap_err();
        assert_eq!(
            second.to_string(),
            "this session is already open in another Séance; close it there first"
        );
    }

    #[test]
    fn one_broken_session_hides_no_other() {
        let (_place, home) = home();
        let make = || home.create_session("x", 1).unwrap().id();
        let (whole, no_info, bad_info, newer, no_key, no_log) =
            (make(), make(), make(), make(), make(), make());
        fs::remove_file(home.dir(no_info).join(INFO_FILE)).unwrap();
        fs::write(home.dir(bad_info).join(INFO_FILE), "{").unwrap();
        fs::write(home.dir(newer).join(INFO_FILE), r#"{"schema": 9}"#).unwrap();
        fs::remove_file(home.dir(no_key).join(KEY_FILE)).unwrap();
        fs::remove_dir_all(home.dir(no_log).join(DB_DIR)).unwrap();
        fs::write(home.sessions.join("a stray file"), "").unwrap();
        let states = states(&home);
        assert_eq!(states.len(), 6);
        for (session, state) in states {
            assert_eq!(state == State::Idle, session == whole, "{state:?}");
            assert_eq!(home.open_session(session).is_ok(), session == whole);
        }
    }

    #[test]
    fn a_session_is_named_by_id_beginning_or_title() {
        let (_place, home) = home();
        let friday = home.create_session("Friday Night", 1).unwrap().id();
        let other = home.create_session("Twice", 2).unwrap().id();
        let again = home.create_session("Twice", 3).unwrap().id();
        let text = friday.to_string();
        for name in [&text, &text.to_uppercase(), &text[..12], " friday night "] {
            assert_eq!(home.find(name).unwrap(), friday, "{name}");
        }
        assert!(matches!(home.find(&text[..3]), Err(FindError::None(_))));
        assert!(matches!(home.find(""), Err(FindError::None(_))));
        match home.find("twice") {
            Err(FindError::Several { found, .. }) => assert_eq!(found, [again, other]),
            found => panic!("{found:?}"),
        }
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_look_in() {
        use std::os::unix::fs::PermissionsExt;
        let (_place, home) = home();
        let session = home.create_session("x", 1).unwrap();
        session.alive_file().unwrap();
        session.passcode_file().write(Some("sealed")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&home.sessions), 0o700);
        assert_eq!(mode(&session.dir), 0o700);
        assert_eq!(mode(&session.dir.join(DB_DIR)), 0o700);
        session.trace_writer().unwrap().finish();
        for file in [INFO_FILE, KEY_FILE, ALIVE_FILE, PASSCODE_FILE, TRACE_FILE] {
            assert_eq!(mode(&session.dir.join(file)), 0o600, "{file}");
        }
    }

    #[test]
    fn a_session_moves_to_another_machine_without_its_secrets() {
        let (place, home) = home();
        let session = home.create_session("Friday", 1_000).unwrap();
        session.log.append(lines(1..1_500)).wait().unwrap();
        let capsule = place.path().join("friday.seance");
        let summary = session.export(&capsule).unwrap();
        let bytes = fs::read(&capsule).unwrap();
        assert!(
            !bytes
                .windows(32)
                .any(|window| window == session.key.as_bytes())
        );
        let there = Home::at(&place.path().join("there")).unwrap();
        assert_eq!(there.import(&capsule).unwrap(), summary);
        let moved = there.open_session(session.id()).unwrap();
        assert_eq!((&*moved.info.title, moved.info.created), ("Friday", 1_000));
        holds(&*moved.log, &lines(1..1_500));
        assert!(moved.key != session.key);
        assert!(matches!(there.import(&capsule), Err(StoreError::Exists(_))));
    }

    #[test]
    fn a_refused_capsule_leaves_nothing_behind() {
        let (place, home) = home();
        let session = home.create_session("Friday", 1_000).unwrap();
        session.log.append(lines(1..50)).wait().unwrap();
        let capsule = place.path().join("friday.seance");
        session.export(&capsule).unwrap();
        let mut bytes = fs::read(&capsule).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&capsule, bytes).unwrap();
        let there = Home::at(&place.path().join("there")).unwrap();
        let refused = there.import(&capsule).unwrap_err().to_string();
        assert!(
            refused.starts_with("this capsule is damaged at event 2"),
            "{refused}"
        );
        assert_eq!(fs::read_dir(&there.sessions).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_session_comes_back_through_a_capsule_up_to_the_damage() {
        let (place, home) = home();
        let session = home.create_session("Friday", 1_000).unwrap();
        for first in (1..300).step_by(3) {
            session.log.append(lines(first..first + 3)).wait().unwrap();
        }
        let id = session.id();
        drop(session);
        let db = home.dir(id).join(DB_DIR).join("db");
        let mut bytes = fs::read(&db).unwrap();
        let needle = b"line 200,";
        let places: Vec<usize> = (0..bytes.len() - needle.len())
            .filter(|&at| bytes[at..].starts_with(needle))
            .collect();
        places.into_iter().for_each(|at| bytes[at + 6] ^= 1);
        fs::write(&db, bytes).unwrap();
        let refused = home.open_session(id).unwrap_err().to_string();
        assert!(
            refused.starts_with("this session is damaged from event 200 on"),
            "{refused}"
        );
        let capsule = place.path().join("saved.seance");
        let exported = home.export(id, &capsule).unwrap();
        assert_eq!(exported.lost.unwrap().0, Seq::new(200));
        home.set_aside(id).unwrap();
        home.import(&capsule).unwrap();
        holds(&*home.open_session(id).unwrap().log, &lines(1..200));
        assert_eq!(states(&home), [(id, State::Idle)]);
    }

    proptest! {
        #[test]
        fn a_torn_mark_of_life_reads_as_none(time in 0u64..1 << 53, wall: u64, cut in 0usize..ALIVE_BYTES, bit in 0usize..ALIVE_BYTES * 8) {
            let dir = tempfile::tempdir().unwrap();
            let alive = Alive { session_time: SessionTime::new(time), wall_millis: wall };
            let mut bytes = encode_alive(alive);
            let file = dir.path().join(ALIVE_FILE);
            fs::write(&file, bytes).unwrap();
            prop_assert_eq!(read_alive(dir.path()), Some(alive));
            fs::write(&file, &bytes[..cut]).unwrap();
            prop_assert_eq!(read_alive(dir.path()), None);
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, bytes).unwrap();
            prop_assert_eq!(read_alive(dir.path()), None);
        }
    }
}
