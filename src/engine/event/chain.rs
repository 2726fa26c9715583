//! The hash chain: each record commits to all before it.
//!
//! `link = BLAKE3(previous ‖ header bytes ‖ BLAKE3(body bytes))`. The body goes
//! in by its own digest, so that a body can later be removed on request and the
//! chain over what remains still verifies. The chain proves that a log was not
//! altered since a link was written down elsewhere; it does not prove that what
//! members claimed was true.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Domain separation: a link never equals any other hash we make.
const CONTEXT: &str = "seance 2026 event chain v1";

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
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&self.0);
        hasher.update(&(header.len() as u64).to_be_bytes());
        hasher.update(header);
        hasher.update(blake3::hash(body).as_bytes());
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
