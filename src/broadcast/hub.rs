//! The hub: which sessions are on air in this process.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use crate::broadcast::room::RoomHandle;
use crate::engine::id::SessionId;

/// The rooms of this process, by their session's name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Hub {
    rooms: Arc<RwLock<BTreeMap<SessionId, RoomHandle>>>,
}

impl Hub {
    /// Puts a room on air.
    pub fn insert(&self, room: RoomHandle) {
        let mut rooms = self
            .rooms
            .write()
            .expect("nobody panics while holding the hub");
        rooms.insert(room.session(), room);
    }

    /// Takes a room off air; connections that are in it stay until it closes.
    pub fn remove(&self, session: SessionId) -> Option<RoomHandle> {
        self.rooms
            .write()
            .expect("nobody panics while holding the hub")
            .remove(&session)
    }

    /// The room of that session, if it is on air here.
    pub fn room(&self, session: SessionId) -> Option<RoomHandle> {
        self.rooms
            .read()
            .expect("nobody panics while holding the hub")
            .get(&session)
            .cloned()
    }
}
