//! The keys of stored commits.
//!
//! Per session and commit: `[session: 16 bytes][first seq: 8 bytes]`, both
//! big-endian, so that sled's order of bytes is the order of events. The value
//! is a [`super::commit`]. The prefix lets one database hold many sessions;
//! the desktop opens one database a session.

use std::ops::RangeInclusive;

use crate::engine::id::{Seq, SessionId};

/// How long a key is.
pub const KEY_BYTES: usize = 24;

/// The key of the commit that begins at `first`.
pub fn encode(session: SessionId, first: Seq) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    key[..16].copy_from_slice(&session.get().to_be_bytes());
    key[16..].copy_from_slice(&first.get().to_be_bytes());
    key
}

/// Reads a key back; `None` for bytes that are none.
pub fn decode(key: &[u8]) -> Option<(SessionId, Seq)> {
    let key: &[u8; KEY_BYTES] = key.try_into().ok()?;
    let (session, first) = key.split_at(16);
    Some((
        SessionId::new(u128::from_be_bytes(session.try_into().ok()?)),
        Seq::new(u64::from_be_bytes(first.try_into().ok()?)),
    ))
}

/// All keys of a session whose commits begin in `[first, last]`.
pub fn range(session: SessionId, first: Seq, last: Seq) -> RangeInclusive<[u8; KEY_BYTES]> {
    encode(session, first)..=encode(session, last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_key_reads_back(session: u128, first: u64) {
            let (session, first) = (SessionId::new(session), Seq::new(first));
            prop_assert_eq!(decode(&encode(session, first)), Some((session, first)));
        }

        #[test]
        fn keys_sort_by_session_then_by_number(a: (u128, u64), b: (u128, u64)) {
            let key = |(session, first)| encode(SessionId::new(session), Seq::new(first));
            prop_assert_eq!(a.cmp(&b), key(a).cmp(&key(b)));
        }

        #[test]
        fn other_bytes_are_no_key(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(decode(&bytes).is_some(), bytes.len() == KEY_BYTES);
        }
    }
}
