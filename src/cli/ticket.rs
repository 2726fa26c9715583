//! Tickets: what lets a member come back as themselves after their program ended.
//!
//! One small file per session and name, readable by its owner alone. It is
//! proof of a seat, not a copy of anything: losing it means joining as somebody new.

use std::path::PathBuf;

use crate::engine::frame::{Resume, Welcome};
use crate::engine::id::SessionId;
use crate::log::files;

/// A member's seat in one session, kept on disk.
#[derive(Clone, Debug)]
pub struct Ticket {
    path: PathBuf,
}

impl Ticket {
    /// The ticket of whoever is called `name` in `session`, kept under `root`.
    pub fn new(root: &std::path::Path, session: SessionId, name: &str) -> Self {
        // Names make no good file names; their hash does.
        let name = blake3::hash(name.as_bytes()).to_hex();
        Self {
            path: root
                .join("tickets")
                .join(format!("{session}-{}", &name[..16])),
        }
    }

    /// The proof, if there is one that reads.
    pub fn load(&self) -> Option<Resume> {
        serde_json::from_slice(&std::fs::read(&self.path).ok()?).ok()
    }

    /// Keeps what a welcome gave. Failing means joining as somebody new next time, no more.
    pub fn save(&self, welcome: &Welcome) {
        let resume = Resume {
            member: welcome.member,
            token: welcome.token.clone(),
        };
        if let Err(error) = self.write(&resume) {
            tracing::warn!(%error, "the seat could not be kept for a later return");
        }
    }

    fn write(&self, resume: &Resume) -> std::io::Result<()> {
        let folder = self.path.parent().expect("a ticket lies in a folder");
        files::create_dir(folder)?;
        files::replace_private(&self.path, &serde_json::to_vec(resume)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::frame::VERSION;
    use crate::engine::id::{MemberId, Seq};

    #[test]
    fn a_ticket_belongs_to_one_name_in_one_session() {
        let folder = tempfile::tempdir().unwrap();
        let session = SessionId::new(7);
        let ana = Ticket::new(folder.path(), session, "Ana");
        assert_eq!(ana.load(), None);
        let welcome = Welcome {
            version: VERSION,
            session,
            member: MemberId::new(2),
            token: "t".into(),
            tail: Seq::FIRST,
        };
        ana.save(&welcome);
        assert_eq!(
            ana.load().map(|resume| resume.member),
            Some(MemberId::new(2))
        );
        assert_eq!(Ticket::new(folder.path(), session, "Bo").load(), None);
        assert_eq!(
            Ticket::new(folder.path(), SessionId::new(8), "Ana").load(),
            None
        );
    }
}
