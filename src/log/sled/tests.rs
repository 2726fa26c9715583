//! The contract on sled, and what only a disk can do: fill up, fail, lie, be cut off.

use super::*;
use crate::log::contract::{Backend, contract};

/// A database in a folder that vanishes with it.
struct OnDisk(tempfile::TempDir);

const SESSION: SessionId = SessionId::new(7);

impl OnDisk {
    fn dir(&self) -> PathBuf {
        self.0.path().join("db")
    }
}

impl Backend for OnDisk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn open(&self) -> Arc<dyn EventLog> {
        Arc::new(SledLog::open(&self.dir(), SESSION).unwrap())
    }
}

contract!(a_sled_log, OnDisk, 24);
