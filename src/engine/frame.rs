//! What travels between a member and the room: one set of types, two forms.
//!
//! Programs speak [`Form::Postcard`], pages and scripts [`Form::Json`]; the form
//! is agreed as the WebSocket's subprotocol. One message is one frame. A JSON
//! frame is an object with one key, the frame's name: `{"ask": {…}}`,
//! `{"event": {…}}`.

use serde::{Deserialize, Serialize};

use crate::engine::event::codec::{self, DecodeError};
use crate::engine::event::{Client, Event};
use crate::engine::id::{MemberId, Seq, SessionId};
use crate::engine::intent::{Ask, Refusal};
use crate::engine::presence::{Presence, Report, Vitals};
use crate::engine::text::{Name, Passcode, Secret};
use crate::engine::unit::{LocalTime, SessionTime};

/// The protocol this version speaks. Rises when an older peer could no longer follow.
pub const VERSION: u16 = 1;

/// The longest frame a room reads from a member: a long chat line is a tenth of it.
pub const FROM_MEMBER_BYTES_MAX: usize = 16 * 1024;

/// The longest frame a member reads from a room: one event, or everybody's presence.
pub const FROM_ROOM_BYTES_MAX: usize = 256 * 1024;

/// How frames are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Binary, for programs.
    Postcard,
    /// Text, for pages and scripts.
    Json,
}

impl Form {
    /// Every form, in the order a room prefers them.
    pub const ALL: [Self; 2] = [Self::Postcard, Self::Json];

    /// The WebSocket subprotocol that stands for it.
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Postcard => "seance.v1.postcard",
            Self::Json => "seance.v1.json",
        }
    }
}

/// The first frame of every connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol the member speaks.
    pub version: u16,
    /// Which session.
    pub session: SessionId,
    /// The secret out of the link.
    pub secret: Secret,
    /// What the member wants to be called.
    pub name: String,
    /// By what they take part.
    pub client: Client,
    /// Proof of having been here before.
    #[serde(default)]
    pub resume: Option<Resume>,
    /// The first seq the member does not hold; 1 for everything.
    pub cursor: Seq,
}

/// Proof that a member is who they were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// Who.
    pub member: MemberId,
    /// The token their [`Welcome`] gave them.
    pub token: Secret,
}

/// The room's answer to a good [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The protocol the room speaks.
    pub version: u16,
    /// Which session.
    pub session: SessionId,
    /// Who the member is here.
    pub member: MemberId,
    /// What lets them come back as themselves.
    pub token: Secret,
    /// The seq the next event gets: whoever holds everything before it has caught up.
    pub tail: Seq,
}

/// From a member to the room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToRoom {
    /// Let me in.
    Hello(Hello),
    /// I want this.
    Ask(Ask),
    /// What time is it?
    Ping {
        /// The member's clock as this was sent.
        t0: LocalTime,
    },
    /// What my player does.
    Report(Report),
    /// I am going.
    Bye {},
    /// How my player and my clock do, for the trace.
    Vitals(Vitals),
    /// I know this: before the hello, to a party that asks for a passcode.
    Passcode {
        /// The passcode.
        passcode: Passcode,
    },
}

/// Somebody at the door, as moderators see them. Not an event: strangers write nothing into the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knock {
    /// By which to answer them; rises with each knock.
    pub knock: u64,
    /// What they want to be called.
    pub name: Name,
    /// By what they take part.
    pub client: Client,
    /// The link they came by; 0 is the party's own.
    pub invite: Seq,
}

/// From the room to a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToMember {
    /// You are in.
    Welcome(Welcome),
    /// This happened.
    Event(Event),
    /// Your intent was accepted.
    Accepted {
        /// Which.
        counter: u64,
        /// Its first event, or the latest one when everything was already so.
        seq: Seq,
    },
    /// Your intent, or your hello, was refused.
    Refused(Refused),
    /// It is this late.
    Pong {
        /// The member's clock, given back.
        t0: LocalTime,
        /// The session's clock as the ping arrived.
        t1: SessionTime,
        /// The session's clock as this was sent.
        t2: SessionTime,
    },
    /// What everybody's players do.
    Presence(Vec<Presence>),
    /// The connection ends now.
    Closing(Closing),
    /// The party can be reached at this address too, from now on: a scheme, a host, perhaps a
    /// port. What follows in the link stays as it is. No event: where a party is changes
    /// nothing in it, and addresses have no business in a log that is handed around.
    Moved {
        /// `https://host` or `http://host:port`.
        to: String,
    },
    /// You knocked; somebody has to let you in. Go on pinging meanwhile.
    Waiting {},
    /// Who is at the door, all of them; for moderators.
    Knocks(Vec<Knock>),
    /// The secret of a link; for whoever asked for it, after that was accepted.
    Secret {
        /// Which; 0 is the party's own.
        invite: Seq,
        /// What opens it: for behind the `#` of a link.
        secret: Secret,
    },
}

/// A "no", with its sentence beside it for those who only show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The intent it answers; `None` for a hello or for something that was no intent.
    pub counter: Option<u64>,
    /// Why, for programs.
    pub refusal: Refusal,
    /// Why, for people.
    pub sentence: String,
}

impl Refused {
    /// The answer that carries this refusal.
    pub fn new(counter: Option<u64>, refusal: Refusal) -> Self {
        Self {
            counter,
            sentence: refusal.to_string(),
            refusal,
        }
    }
}

/// Why a connection ends. The order is the wire: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// The host ended the party for now.
    #[error("The host closed the party.")]
    HostLeft,
    /// Too slow, or silent: come back with your cursor.
    #[error("The connection was too slow.")]
    Slow,
    /// The same member came in again elsewhere.
    #[error("You joined again from somewhere else.")]
    Replaced,
    /// More or other than the protocol allows.
    #[error("The connection broke the protocol.")]
    Unruly,
    /// The hello was refused; the refusal came before this.
    #[error("The host did not let you in.")]
    NotAdmitted,
    /// The host cannot go on; its log failed.
    #[error("The host's disk failed; the party cannot go on there.")]
    LogFailed,
    /// A moderator sent the member out.
    #[error("A moderator sent you out of the party.")]
    Kicked,
}

impl Closing {
    /// Whether dialling again can help.
    pub const fn may_return(self) -> bool {
        match self {
            Self::HostLeft | Self::Slow | Self::LogFailed => true,
            Self::Replaced | Self::Unruly | Self::NotAdmitted | Self::Kicked => false,
        }
    }
}

/// Why a frame could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than a frame may be.
    #[error("a frame of {0} bytes is too long")]
    TooLong(usize),
    /// Not a frame of this protocol.
    #[error("not a frame: {0}")]
    Unreadable(String),
    /// Of a later version of the program: what it means is not guessed.
    #[error("{0}")]
    Newer(String),
}

/// Writes a frame in postcard.
pub fn to_postcard<F: Serialize>(frame: &F) -> Vec<u8> {
    postcard::to_stdvec(frame).expect("a frame always encodes into memory")
}

/// Writes a frame in JSON.
pub fn to_json<F: Serialize>(frame: &F) -> String {
    serde_json::to_string(frame).expect("a frame always encodes into memory")
}

/// Reads a postcard frame of at most `bytes_max`.
///
/// # Errors
/// [`FrameError`]; never panics, never allocates more than the bytes could hold.
pub fn from_postcard<'a, F: Deserialize<'a>>(
    bytes: &'a [u8],
    bytes_max: usize,
) -> Result<F, FrameError> {
    if bytes.len() > bytes_max {
        return Err(FrameError::TooLong(bytes.len()));
    }
    match postcard::take_from_bytes(bytes) {
        Ok((frame, [])) => Ok(frame),
        Ok((_, rest)) => Err(FrameError::Unreadable(format!(
            "{} bytes behind it",
            rest.len()
        ))),
        Err(error) => Err(FrameError::Unreadable(error.to_string())),
    }
}

/// How many kinds of [`ToMember`] this version knows; a larger tag is from the future.
const TO_MEMBER_KINDS: u32 = 11;
/// The tag of [`ToMember::Event`].
const EVENT_TAG: u32 = 1;

/// Reads a room's postcard frame, and tells one of a newer room from a damaged one: postcard's own
/// error drops what the codec of events said.
///
/// # Errors
/// [`FrameError`], as [`from_postcard`].
pub fn from_room(bytes: &[u8]) -> Result<ToMember, FrameError> {
    from_postcard(bytes, FROM_ROOM_BYTES_MAX).map_err(|error| newer(bytes).unwrap_or(error))
}

/// What is newer than this program about a frame it cannot read.
fn newer(bytes: &[u8]) -> Option<FrameError> {
    let (tag, rest) = postcard::take_from_bytes::<u32>(bytes).ok()?;
    if tag >= TO_MEMBER_KINDS {
        return Some(FrameError::Newer(format!(
            "a frame is of a kind ({tag}) that this Séance does not know; please update"
        )));
    }
    if tag != EVENT_TAG {
        // It reads as far as it goes, and says something that is none of the values there are.
        let unknown = postcard::take_from_bytes::<ToMember>(bytes).err();
        return (unknown == Some(postcard::Error::SerdeDeCustom)).then(|| {
            FrameError::Newer(format!(
                "a frame (kind {tag}) holds something that this Séance does not know; please update"
            ))
        });
    }
    let event = postcard::from_bytes::<&[u8]>(rest).ok()?;
    match codec::decode(event) {
        Ok(_) | Err(DecodeError::Damaged(_)) => None,
        Err(newer) => Some(FrameError::Newer(newer.to_string())),
    }
}

/// Reads a JSON frame of at most `bytes_max`.
///
/// # Errors
/// [`FrameError`]; never panics, and nesting is bounded by the parser.
pub fn from_json<'a, F: Deserialize<'a>>(text: &'a str, bytes_max: usize) -> Result<F, FrameError> {
    if text.len() > bytes_max {
        return Err(FrameError::TooLong(text.len()));
    }
    serde_json::from_str(text).map_err(|error| FrameError::Unreadable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_a_party_is_never_printed_by_accident() {
        let secret = || Secret::from("0123abc");
        let (session, member, invite) = (SessionId::new(1), MemberId::new(1), Seq::new(0));
        let resume = Resume {
            member,
            token: secret(),
        };
        let hello = Hello {
            version: VERSION,
            session,
            secret: secret(),
            name: "Kim".into(),
            client: Client::Page,
            resume: Some(resume),
            cursor: Seq::FIRST,
        };
        let welcome = Welcome {
            version: VERSION,
            session,
            member,
            token: secret(),
            tail: Seq::FIRST,
        };
        let told = ToMember::Secret {
            invite,
            secret: secret(),
        };
        let printed = format!("{hello:?} {welcome:?} {told:?}");
        assert!(!printed.contains("0123abc"), "{printed}");
        assert!(to_json(&told).contains("0123abc"), "but sent it is");
    }

    #[test]
    fn a_newer_rooms_frames_are_told_from_damaged_ones() {
        let secret = ToMember::Secret {
            invite: Seq::new(1),
            secret: "".into(),
        };
        let last = to_postcard(&secret);
        assert_eq!(u32::from(last[0]), TO_MEMBER_KINDS - 1, "the last kind");
        let mut newer = last.clone();
        newer[0] += 1;
        assert!(matches!(from_room(&newer), Err(FrameError::Newer(_))));
        assert!(matches!(
            from_room(&last[..1]),
            Err(FrameError::Unreadable(_))
        ));
        let mut nested = to_postcard(&ToMember::Closing(Closing::Kicked));
        nested[1] += 1;
        let sentence =
            "a frame (kind 6) holds something that this Séance does not know; please update";
        assert_eq!(
            from_room(&nested),
            Err(FrameError::Newer(sentence.to_owned()))
        );
        let golden = include_str!("../../tests/golden/events.txt");
        let json = golden
            .lines()
            .find_map(|line| line.split_once(' '))
            .unwrap()
            .1;
        let event: Event = serde_json::from_str(json).unwrap();
        let frame = to_postcard(&ToMember::Event(event.clone()));
        assert_eq!(u32::from(frame[0]), EVENT_TAG);
        assert_eq!(from_room(&frame), Ok(ToMember::Event(event.clone())));
        let body = codec::split(&codec::encode(&event)).unwrap().1.body.len();
        let mut newer = frame.clone();
        newer[frame.len() - body] = 100;
        let sentence = format!(
            "event {} is of a kind (100) that this Séance does not know; please update",
            event.header.seq
        );
        assert_eq!(from_room(&newer), Err(FrameError::Newer(sentence)));
        let cut = &frame[..frame.len() - 1];
        assert!(matches!(from_room(cut), Err(FrameError::Unreadable(_))));
    }
}
