//! The door: which secrets open a session, and by which way.
//!
//! A session has one random key, kept in a file only its host can read. The
//! secrets in links and the tokens that let members come back are derived from
//! it, so nothing that opens anything stands in the log, in an export or in
//! memory dumps of guests, and a restarted host knows every link it ever gave
//! out. All comparisons take the same time whatever they compare. What a link
//! is worth by now (expired, used up, revoked) is not known here: the log
//! tells, and [`gate`](crate::engine::sequencer::gate) decides.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use subtle::ConstantTimeEq;

use crate::engine::event::Role;
use crate::engine::fold::entrance::OWN_LINK;
use crate::engine::frame::Resume;
use crate::engine::id::{MemberId, Seq, decode_base32, encode_base32};
use crate::engine::sequencer::Way;

/// Keeps the sealed passcode where only the host reads it; `None` forgets it.
pub type KeepPasscode = Box<dyn Fn(Option<&str>) -> std::io::Result<()> + Send + Sync>;

/// The secrets of one session. Its clones share the passcode.
#[derive(Clone)]
pub struct Door {
    key: [u8; 32],
    passcode: Arc<Mutex<Option<String>>>,
    keep: Arc<KeepPasscode>,
}

impl Door {
    /// The door to the session whose key this is; its passcode lasts as long as the process.
    pub fn new(key: [u8; 32]) -> Self {
        Self {
            key,
            passcode: Arc::default(),
            keep: Arc::new(Box::new(|_| Ok(()))),
        }
    }

    /// The same, with the passcode as it was kept, and how to keep the next.
    #[must_use]
    pub fn with_passcode(self, sealed: Option<String>, keep: KeepPasscode) -> Self {
        Self {
            passcode: Arc::new(Mutex::new(sealed)),
            keep: Arc::new(keep),
            ..self
        }
    }

    /// The secret of whoever opened the session (`Host`), or of the party's own link (anybody else).
    pub fn invite(&self, role: Role) -> String {
        self.secret(match role {
            Role::Host => Way::Key,
            Role::CoHost | Role::Guest | Role::Viewer => Way::Link(OWN_LINK),
        })
    }

    /// The secret that opens this way: 128 bits, for a link's fragment.
    pub fn secret(&self, way: Way) -> String {
        encode_base32(match way {
            Way::Key => self.derive(b"invite host"),
            Way::Link(OWN_LINK) => self.derive(b"invite guest"),
            Way::Link(link) => self.derive_numbered(b"link ", &link.get().to_be_bytes()),
        })
    }

    /// Which way `secret` opens, of the key, the party's own link and `links`; `None` if none.
    pub fn opens(&self, secret: &str, links: impl Iterator<Item = Seq>) -> Option<Way> {
        let given = decode_base32(secret)?;
        let ways = [Way::Key, Way::Link(OWN_LINK)]
            .into_iter()
            .chain(links.map(Way::Link));
        // Look at every way, so that the time says nothing about which one matched.
        ways.fold(None, |found, way| {
            let wanted =
                decode_base32(&self.secret(way)).expect("what was just written reads back");
            if same(given, wanted) {
                found.or(Some(way))
            } else {
                found
            }
        })
    }

    /// The passcode as it is kept, if there is one.
    pub fn passcode(&self) -> Option<String> {
        self.lock().clone()
    }

    /// Keeps another passcode, or none. Blocks for a small file.
    ///
    /// # Errors
    /// When it could not be written down; then the old one stays.
    pub fn keep_passcode(&self, sealed: Option<String>) -> std::io::Result<()> {
        (self.keep)(sealed.as_deref())?;
        *self.lock() = sealed;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.passcode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token by which `member` proves later who they are.
    pub fn token(&self, member: MemberId) -> String {
        encode_base32(self.derive_numbered(b"member ", &member.get().to_be_bytes()))
    }

    /// Whether this proof is good.
    pub fn proves(&self, resume: &Resume) -> bool {
        let wanted =
            decode_base32(&self.token(resume.member)).expect("what was just written reads back");
        decode_base32(resume.token.reveal()).is_some_and(|given| same(given, wanted))
    }

    fn derive_numbered(&self, label: &[u8], number: &[u8]) -> u128 {
        self.derive(&[label, number].concat())
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
    fn each_secret_opens_the_way_it_was_made_for_and_no_other() {
        let (door, other) = (Door::new([7; 32]), Door::new([8; 32]));
        let made = || [12, 40].into_iter().map(Seq::new);
        let ways = [
            Way::Key,
            Way::Link(OWN_LINK),
            Way::Link(Seq::new(12)),
            Way::Link(Seq::new(40)),
        ];
        for way in ways {
            assert_eq!(door.opens(&door.secret(way), made()), Some(way));
            assert_eq!(other.opens(&door.secret(way), made()), None);
        }
        let never_made = door.secret(Way::Link(Seq::new(13)));
        assert_eq!(door.opens(&never_made, made()), None);
        assert_eq!(door.opens(&door.token(MemberId::new(12)), made()), None);
        assert_eq!(door.opens("", made()), None);
        assert_eq!(door.opens("👻", made()), None);
    }

    #[test]
    fn a_passcode_that_could_not_be_kept_is_not_set() {
        let fails = || Box::new(|_: Option<&str>| Err(std::io::Error::other("full")));
        let door = Door::new([7; 32]).with_passcode(Some("old".into()), fails());
        assert!(door.keep_passcode(None).is_err());
        assert_eq!(door.passcode().as_deref(), Some("old"));
    }

    #[test]
    fn a_token_proves_one_member_only() {
        let door = Door::new([7; 32]);
        let resume = |member, token: String| Resume {
            member: MemberId::new(member),
            token: token.into(),
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
