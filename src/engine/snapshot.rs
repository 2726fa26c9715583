//! A state at a seq, written down so that a reader need not start from event 1.
//!
//! A snapshot is droppable: it carries its digest and its format, and one that
//! does not read or does not match is thrown away and rebuilt from the log.

use serde::{Deserialize, Serialize};

use crate::engine::fold::{Digest, RoomState};

/// The format of snapshots written by this version; any other is rebuilt.
pub const FORMAT: u8 = 3;

/// Why a snapshot is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Another version wrote it.
    #[error("snapshot of format {0}")]
    OtherFormat(u8),
    /// Damaged, or not one.
    #[error("damaged snapshot")]
    Damaged,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    digest: Digest,
    state: RoomState,
}

/// Writes a state down.
pub fn encode(state: &RoomState) -> Vec<u8> {
    let stored = Stored {
        digest: state.digest(),
        state: state.clone(),
    };
    postcard::to_extend(&stored, vec![FORMAT]).expect("a state always encodes into memory")
}

/// Reads a state back.
///
/// # Errors
/// [`SnapshotError`]: rebuild it from the log.
pub fn decode(bytes: &[u8]) -> Result<RoomState, SnapshotError> {
    let (&format, stored) = bytes.split_first().ok_or(SnapshotError::Damaged)?;
    if format != FORMAT {
        return Err(SnapshotError::OtherFormat(format));
    }
    let (stored, rest) =
        postcard::take_from_bytes::<Stored>(stored).map_err(|_| SnapshotError::Damaged)?;
    if !rest.is_empty() || stored.state.digest() != stored.digest {
        return Err(SnapshotError::Damaged);
    }
    Ok(stored.state)
}
