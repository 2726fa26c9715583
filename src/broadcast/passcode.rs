//! Passcodes: kept as an Argon2id hash beside the session's key, never in its log.
//!
//! A passcode is short, so its hash can be guessed by whoever holds it: that is why it lies in the
//! host's own 0600 file and not in a log, which is made to be handed on. Over the network it cannot
//! be guessed faster than the room's limits ([`Guesses`]) allow, which count per link and per
//! party and never per address: behind a tunnel everybody has the same one.

use std::collections::BTreeMap;

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::engine::id::Seq;
use crate::engine::session::bucket::Bucket;
use crate::engine::text::Passcode;
use crate::engine::unit::{LocalTime, Micros};
use crate::os;

/// What one hash costs: 19 MiB, two passes (OWASP's first choice for Argon2id): some 20 ms.
const MEMORY_KIB: u32 = 19 * 1024;
/// See [`MEMORY_KIB`].
const PASSES: u32 = 2;

/// Wrong passcodes by one link: a few typing errors of a few people, then one a minute. An
/// evening of guessing by one link tries 250 of the ten thousand four-digit codes.
const WRONG_BY_LINK: (u32, Micros) = (10, Micros::from_secs(60));
/// Wrong passcodes in one party, by all links together.
const WRONG_IN_ROOM: (u32, Micros) = (30, Micros::from_secs(20));
/// Links whose count is kept; links that are over are forgotten first.
const LINKS_COUNTED: usize = 256;

/// A passcode as it lies on disk.
#[derive(Serialize, Deserialize)]
struct Sealed {
    memory_kib: u32,
    passes: u32,
    salt: [u8; 16],
    hash: [u8; 32],
}

/// Hashes a passcode for keeping. Takes some 20 ms of a processor: not for the room's own task.
pub fn seal(passcode: &Passcode) -> String {
    let salt = os::random_bytes();
    let sealed = Sealed {
        memory_kib: MEMORY_KIB,
        passes: PASSES,
        salt,
        hash: hash(passcode, salt, MEMORY_KIB, PASSES).expect("our own parameters are in range"),
    };
    serde_json::to_string(&sealed).expect("numbers always encode")
}

/// Whether this is the passcode that was sealed. As slow as [`seal`].
pub fn fits(sealed: &str, passcode: &Passcode) -> bool {
    let Ok(sealed) = serde_json::from_str::<Sealed>(sealed) else {
        tracing::error!("the kept passcode cannot be read; set it again");
        return false;
    };
    hash(passcode, sealed.salt, sealed.memory_kib, sealed.passes)
        .is_some_and(|hash| hash.ct_eq(&sealed.hash).into())
}

fn hash(passcode: &Passcode, salt: [u8; 16], memory_kib: u32, passes: u32) -> Option<[u8; 32]> {
    let params = Params::new(memory_kib, passes, 1, Some(32)).ok()?;
    let mut hash = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passcode.reveal().as_bytes(), &salt, &mut hash)
        .ok()?;
    Some(hash)
}

/// How many wrong passcodes may still come, by each link and in all.
#[derive(Debug)]
pub struct Guesses {
    room: Bucket,
    links: BTreeMap<Seq, Bucket>,
}

impl Guesses {
    /// Nobody guessed yet.
    pub fn new(now: LocalTime) -> Self {
        let (burst, each) = WRONG_IN_ROOM;
        Self {
            room: Bucket::every(burst, each, now),
            links: BTreeMap::new(),
        }
    }

    /// How long this link has to wait before it may try one; `None` if not at all.
    pub fn wait(&mut self, link: Seq, now: LocalTime) -> Option<Micros> {
        let room = self.room.wait(now);
        let link = self.link(link, now).wait(now);
        room.max(link)
    }

    /// One was wrong.
    pub fn wrong(&mut self, link: Seq, now: LocalTime) {
        self.room.take(now);
        self.link(link, now).take(now);
    }

    fn link(&mut self, link: Seq, now: LocalTime) -> &mut Bucket {
        if self.links.len() >= LINKS_COUNTED && !self.links.contains_key(&link) {
            self.links.pop_first();
        }
        let (burst, each) = WRONG_BY_LINK;
        (self.links)
            .entry(link)
            .or_insert_with(|| Bucket::every(burst, each, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passcode(text: &str) -> Passcode {
        Passcode::new(text).unwrap()
    }

    #[test]
    fn a_sealed_passcode_fits_itself_and_shows_nothing() {
        let sealed = seal(&passcode("  open sésame "));
        assert!(!sealed.contains("same"));
        assert_ne!(sealed, seal(&passcode("open sésame")), "salted");
        assert!(
            fits(&sealed, &passcode("open se\u{301}same")),
            "NFC, trimmed"
        );
        assert!(!fits(&sealed, &passcode("Open sésame")));
        assert!(!fits(&sealed, &passcode("")));
        assert!(!fits("{}", &passcode("open sésame")));
    }

    #[test]
    fn one_links_guesses_shut_that_link_and_many_links_the_party() {
        let start = LocalTime::from_secs(9);
        let mut guesses = Guesses::new(start);
        let guess = |guesses: &mut Guesses, link, now| {
            let may = guesses.wait(Seq::new(link), now).is_none();
            if may {
                guesses.wrong(Seq::new(link), now);
            }
            may
        };
        let by_one = (0..100).filter(|_| guess(&mut guesses, 1, start)).count();
        assert_eq!(by_one, 10);
        assert!(guess(&mut guesses, 2, start), "another link is not shut");
        let by_many = (0..1_000)
            .filter(|n| guess(&mut guesses, 3 + n, start))
            .count();
        assert_eq!(by_many, 19, "thirty in all");
        let hour = start + Micros::from_secs(3_600);
        let later = (0..100).filter(|_| guess(&mut guesses, 1, hour)).count();
        assert_eq!(later, 10, "patience comes back, and is not saved up");
    }
}
