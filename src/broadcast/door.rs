//! The door: which secrets open a session, and as what.
//!
//! A session has one random key, kept in a file only its host can read. The
//! secrets in links and the tokens that let members come back are derived from
//! it, so nothing that opens anything stands in the log, in an export or in
//! memory dumps of guests, and a restarted host knows every link it ever gave
//! out. All comparisons take the same time whatever they compare.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::engine::event::Role;
use crate::engine::frame::Resume;
use crate::engine::id::{MemberId, decode_base32, encode_base32};

/// The secrets of one session.
#[derive(Clone)]
pub struct Door {
    key: [u8; 32],
}

impl Door {
    /// The door to the session whose key this is.
    pub const fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// The secret that lets its bearer in as `role`: 128 bits, for a link.
    pub fn invite(&self, role: Role) -> String {
        let label: &[u8] = match role {
            Role::Host => b"invite host",
            Role::CoHost => b"invite co-host",
            Role::Guest => b"invite guest",
            Role::Viewer => b"invite viewer",
        };
        encode_base32(self.derive(label))
    }

    /// What `secret` opens the door as; `None` if nothing.
    pub fn opens(&self, secret: &str) -> Option<Role> {
        let given = decode_base32(secret)?;
        // Look at every role, so that the time says nothing about which one matched.
        [Role::Host, Role::Guest]
            .into_iter()
            .fold(None, |found, role| {
                let wanted =
                    decode_base32(&self.invite(role)).expect("what was just written reads back");
                if same(given, wanted) {
                    found.or(Some(role))
                } else {
                    found
                }
            })
    }

    /// The token by which `member` proves later who they are.
    pub fn token(&self, member: MemberId) -> String {
        let mut label = b"member ".to_vec();
        label.extend_from_slice(&member.get().to_be_bytes());
        encode_base32(self.derive(&label))
    }

    /// Whether this proof is good.
    pub fn proves(&self, resume: &Resume) -> bool {
        let wanted =
            decode_base32(&self.token(resume.member)).expect("what was just written reads back");
        decode_base32(&resume.token).is_some_and(|given| same(given, wanted))
    }

    fn derive(&self, label: &[u8]) -> u128 {
        let hash = blake3::keyed_hash(&self.key, label);
        let (first, _) = hash
            .as_bytes()
            .split_first_chunk::<16>()
            .expect("a hash is longer than a secret");
        u128::from_be_bytes(*first)
    }
}

fn same(a: u128, b: u128) -> bool {
    a.to_be_bytes().ct_eq(&b.to_be_bytes()).into()
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Door(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_opens_the_door_it_was_made_for_and_no_other() {
        let (door, other) = (Door::new([7; 32]), Door::new([8; 32]));
        assert_eq!(door.opens(&door.invite(Role::Host)), Some(Role::Host));
        assert_eq!(door.opens(&door.invite(Role::Guest)), Some(Role::Guest));
        assert_eq!(door.opens(&other.invite(Role::Guest)), None);
        assert_eq!(door.opens(&door.token(MemberId::new(1))), None);
        assert_eq!(door.opens(""), None);
        assert_eq!(door.opens("👻"), None);
    }

    #[test]
    fn a_token_proves_one_member_only() {
        let door = Door::new([7; 32]);
        let resume = |member, token: String| Resume {
            member: MemberId::new(member),
            token,
        };
        assert!(door.proves(&resume(1, door.token(MemberId::new(1)))));
        assert!(!door.proves(&resume(2, door.token(MemberId::new(1)))));
        assert!(!door.proves(&resume(1, String::new())));
    }

    #[test]
    fn a_door_never_prints_its_key() {
        assert_eq!(format!("{:?}", Door::new([65; 32])), "Door(secret)");
    }
}
