//! Who and what things are: small identities that cannot be confused with one another.
//!
//! Numbers are dense and given out by the sequencer, so they are short on the
//! wire and stable in tests. Only a [`SessionId`] is global.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Crockford's base 32: no letter that a person could take for another.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters that hold 128 bits, five at a time.
const TEXT_LEN: usize = 26;

/// Writes 128 bits as 26 characters.
pub fn encode_base32(bits: u128) -> String {
    (0..TEXT_LEN)
        .map(|place| {
            let shift = 5 * (TEXT_LEN - 1 - place);
            char::from(ALPHABET[(bits >> shift & 31) as usize])
        })
        .collect()
}

/// Reads what [`encode_base32`] wrote; upper case and the look-alikes `o i l` are understood.
pub fn decode_base32(text: &str) -> Option<u128> {
    if text.len() != TEXT_LEN {
        return None;
    }
    let mut bits: u128 = 0;
    for (place, byte) in text.bytes().enumerate() {
        let byte = match byte.to_ascii_lowercase() {
            b'o' => b'0',
            b'i' | b'l' => b'1',
            other => other,
        };
        let value = ALPHABET.iter().position(|&letter| letter == byte)? as u128;
        // 26 × 5 = 130 bits: the first character may only hold three of them.
        if place == 0 && value > 7 {
            return None;
        }
        bits = bits << 5 | value;
    }
    Some(bits)
}

/// The name of one session, everywhere and for ever: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u128);

impl SessionId {
    /// A session named by these bits, which the caller drew at random.
    pub const fn new(bits: u128) -> Self {
        Self(bits)
    }

    /// The bare bits.
    pub const fn get(self) -> u128 {
        self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode_base32(self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_string();
        write!(f, "Session({}…)", &text[..6])
    }
}

impl FromStr for SessionId {
    type Err = NotASessionId;
    fn from_str(text: &str) -> Result<Self, NotASessionId> {
        decode_base32(text).map(Self).ok_or(NotASessionId)
    }
}

/// The text does not name a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a session id is 26 letters and digits, as `seance sessions` prints it")]
pub struct NotASessionId;

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        if sink.is_human_readable() {
            sink.collect_str(self)
        } else {
            self.0.to_be_bytes().serialize(sink)
        }
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        if source.is_human_readable() {
            let text = String::deserialize(source)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            Ok(Self(u128::from_be_bytes(<[u8; 16]>::deserialize(source)?)))
        }
    }
}

/// Defines a counted identity: a newtype over an integer with a short Debug form.
macro_rules! counted {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name($int);

        impl $name {
            /// The one with this number.
            pub const fn new(number: $int) -> Self {
                Self(number)
            }

            /// The bare number.
            pub const fn get(self) -> $int {
                self.0
            }

            /// The one after this.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counted! {
    /// An event's place in its session: dense, from 1. As a *tail* it is the seq the next event gets.
    Seq(u64)
}
counted! {
    /// One reign of one sequencer; rises at each start and hand-over. `(epoch, seq)` fences an old host.
    Epoch(u32)
}
counted! {
    /// A Lamport stamp: larger than that of anything its event could have followed.
    Stamp(u64)
}
counted! {
    /// A member of one session, numbered from 1 in order of first joining. The host is 1.
    MemberId(u32)
}
counted! {
    /// A thing to watch, numbered from 1 in order of being set. 0 stands for nothing yet.
    ItemId(u32)
}
counted! {
    /// Rises whenever positions before and after do not compare: a load or a seek.
    Generation(u32)
}

impl Seq {
    /// The seq of a session's first event.
    pub const FIRST: Self = Self(1);
}

/// One intent of one member, for ever: the key that makes a retry harmless.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IntentId {
    /// Whose intent.
    pub member: MemberId,
    /// Rises with each intent of that member; never reused.
    pub counter: u64,
}

impl fmt::Debug for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Intent({}#{})", self.member.0, self.counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_session_id_reads_back_from_its_text(bits: u128) {
            let id = SessionId::new(bits);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,40}") {
            let _ = text.parse::<SessionId>();
        }
    }

    #[test]
    fn text_past_128_bits_is_no_id() {
        assert_eq!(
            "zzzzzzzzzzzzzzzzzzzzzzzzzz".parse::<SessionId>(),
            Err(NotASessionId)
        );
        assert_eq!(
            "7zzzzzzzzzzzzzzzzzzzzzzzzz".parse(),
            Ok(SessionId::new(u128::MAX))
        );
    }
}
