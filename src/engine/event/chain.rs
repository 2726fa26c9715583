//! The hash chain: each record commits to all before it.
//!
//! `link = BLAKE3(previous ‖ header bytes ‖ BLAKE3(body bytes))`. The body goes
//! in by its own digest, so that a body can later be removed on request and the
//! chain over what remains still verifies. The chain proves that a log was not
//! altered since a link was written down elsewhere; it does not prove that what
//! members claimed was true.

use std::fmt;

use blake3::Hasher;
use blake3::hazmat::{ContextKey, HasherExt as _};
use serde::{Deserialize, Serialize};

/// Domain separation: a link never equals any other hash we make. This is the key that BLAKE3
/// derives from the context `seance 2026 event chain v1`, derived once and written down: a log
/// is verified record by record, and deriving it each time was a fifth of that.
const CONTEXT_KEY: ContextKey = [
    110, 132, 222, 65, 122, 25, 5, 212, 20, 19, 186, 241, 31, 19, 235, 253, 211, 141, 239, 37, 227,
    139, 48, 11, 160, 27, 239, 68, 13, 60, 80, 127,
];

/// A header that is hashed in one go with what stands around it; longer ones there are none yet.
const HEADER_LEN_USUAL: usize = 88;

/// What a record commits to: itself and everything before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Link([u8; 32]);

impl Link {
    /// The link before a session's first record.
    pub const GENESIS: Self = Self([0; 32]);

    /// A link read back from storage.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bare hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The link of a record with these header and body bytes, behind `self`.
    #[must_use]
    pub fn then(&self, header: &[u8], body: &[u8]) -> Self {
        let mut hasher = Hasher::new_from_context_key(&CONTEXT_KEY);
        let (len, body) = ((header.len() as u64).to_be_bytes(), blake3::hash(body));
        if header.len() <= HEADER_LEN_USUAL {
            // The same bytes, handed over at once.
            let mut all = [0; 32 + 8 + HEADER_LEN_USUAL + 32];
            let end = 40 + header.len();
            all[..32].copy_from_slice(&self.0);
            all[32..40].copy_from_slice(&len);
            all[40..end].copy_from_slice(header);
            all[end..end + 32].copy_from_slice(body.as_bytes());
            hasher.update(&all[..end + 32]);
        } else {
            hasher.update(&self.0).update(&len);
            hasher.update(header).update(body.as_bytes());
        }
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({}…)", &self.to_string()[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_what_its_module_says_whatever_the_header_s_length() {
        let context = "seance 2026 event chain v1";
        for len in [0, 1, 33, HEADER_LEN_USUAL, HEADER_LEN_USUAL + 1, 300] {
            let (header, body) = (vec![7; len], [8; 90]);
            let mut hasher = Hasher::new_derive_key(context);
            hasher.update(Link::GENESIS.as_bytes());
            hasher.update(&(len as u64).to_be_bytes());
            hasher.update(&header);
            hasher.update(blake3::hash(&body).as_bytes());
            let link = Link::GENESIS.then(&header, &body);
            assert_eq!(link.as_bytes(), hasher.finalize().as_bytes(), "{len}");
        }
    }

    #[test]
    fn a_link_depends_on_order_header_and_body() {
        let first = Link::GENESIS.then(b"h1", b"b1");
        assert_ne!(first, Link::GENESIS.then(b"h1", b"b2"));
        assert_ne!(first, Link::GENESIS.then(b"h2", b"b1"));
        assert_ne!(
            first,
            Link::GENESIS.then(b"h1b", b"1"),
            "the border between header and body counts"
        );
        assert_ne!(
            first.then(b"h2", b"b2"),
            Link::GENESIS.then(b"h2", b"b2").then(b"h1", b"b1")
        );
    }
}
