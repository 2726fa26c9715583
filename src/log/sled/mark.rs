//! The mark beside a database: where its log had been.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use super::{MARK_FILE, OpenError};
use crate::engine::event::chain::Link;
use crate::engine::id::Seq;
use crate::log::files::private;
use crate::log::{Edge, commit};

/// Where the log had been, as `<db>/mark` tells: `[magic][format][tail][link][digest: 8]`.
///
/// Overwritten after each commit and never synced: it is never ahead of the
/// log, survives a crash of the program, and may be lost or old after a power
/// cut, which costs nothing but the check it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) tail: Seq,
    pub(super) link: Link,
}

const MARK_MAGIC: &[u8; 4] = b"mark";
pub(super) const MARK_BODY_BYTES: usize = 4 + 1 + 8 + 32;

impl Mark {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = MARK_MAGIC.to_vec();
        bytes.push(commit::FORMAT);
        bytes.extend_from_slice(&self.tail.get().to_be_bytes());
        bytes.extend_from_slice(self.link.as_bytes());
        let digest = blake3::hash(&bytes);
        bytes.extend_from_slice(&digest.as_bytes()[..8]);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Option<Self>, OpenError> {
        let Some((body, digest)) = bytes.split_at_checked(MARK_BODY_BYTES) else {
            return Ok(None);
        };
        if !body.starts_with(MARK_MAGIC) || digest != &blake3::hash(body).as_bytes()[..8] {
            return Ok(None);
        }
        if body[4] > commit::FORMAT {
            return Err(OpenError::Newer(body[4]));
        }
        let (tail, link) = body[5..].split_at(8);
        let (Ok(tail), Ok(link)) = (tail.try_into(), link.try_into()) else {
            return Ok(None);
        };
        Ok(Some(Self {
            tail: Seq::new(u64::from_be_bytes(tail)),
            link: Link::from_bytes(link),
        }))
    }

    /// The mark beside a database; `None` if there is none that can be trusted.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, OpenError> {
        match fs::read(dir.join(MARK_FILE)) {
            Ok(bytes) => Self::decode(&bytes),
            Err(_) => Ok(None),
        }
    }
}

/// The mark's file, held open so that a commit costs one small write more.
#[derive(Debug)]
pub(super) struct MarkFile(File);

impl MarkFile {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        private(&mut options);
        options.open(dir.join(MARK_FILE)).map(Self)
    }

    pub(super) fn write(&mut self, edge: Edge) {
        let mark = Mark {
            tail: edge.tail,
            link: edge.link,
        };
        let written = self
            .0
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.0.write_all(&mark.encode()));
        if let Err(error) = written {
            // An old mark is a weaker check at the next opening, nothing more.
            tracing::debug!(%error, "the log's mark was not written");
        }
    }
}
