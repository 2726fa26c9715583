//! What the fuzz targets do with their bytes; `tests/fuzz_corpus.rs` does the same with the committed corpora.
//!
//! Each target takes any bytes and holds a promise of what reads them: it never
//! panics, and what it accepts it writes back to something that reads the same.
//! It returns whether the bytes were accepted, so that the ordinary test can
//! tell a corpus that still means something from one that is refused at the door.
//!
//! A stable toolchain is enough (without the sanitizer, which has nothing to
//! find where no code is `unsafe`):
//!
//! ```text
//! cargo install cargo-fuzz
//! cargo fuzz run --sanitizer none media        # any of ALL, from the crate's root
//! ```

use seance::engine::event::{Body, Event, Header, Via, codec};
use seance::engine::fold::RoomState;
use seance::engine::frame::{
    FROM_MEMBER_BYTES_MAX, FROM_ROOM_BYTES_MAX, ToMember, ToRoom, from_json, from_postcard,
    to_json, to_postcard,
};
use seance::engine::id::{Epoch, MemberId, Seq, Stamp};
use seance::engine::replay::Replay;
use seance::engine::unit::{MediaTime, Micros, SessionTime};
use seance::engine::{media, snapshot};

/// A target: true if it accepted the bytes.
pub type Target = fn(&[u8]) -> bool;

/// Every target by the name of its corpus.
pub const ALL: &[(&str, Target)] = &[
    ("event", event),
    ("fold", fold),
    ("frame_json", frame_json),
    ("frame_postcard", frame_postcard),
    #[cfg(feature = "server")]
    ("link", link),
    ("media", media),
    #[cfg(feature = "server")]
    ("words", words),
];

/// The event decoder: what it reads is written back to bytes, and to JSON, that read the same.
pub fn event(data: &[u8]) -> bool {
    let Ok(event) = codec::decode(data) else {
        return false;
    };
    let bytes = codec::encode(&event);
    assert_eq!(codec::decode(&bytes).as_ref(), Ok(&event));
    let (header, _) = codec::split(&bytes).expect("what reads splits");
    assert_eq!(header, event.header);
    assert_eq!(
        from_json::<Event>(&to_json(&event), usize::MAX).as_ref(),
        Ok(&event)
    );
    true
}

/// Binary frames, from both sides.
pub fn frame_postcard(data: &[u8]) -> bool {
    let to_room = from_postcard::<ToRoom>(data, FROM_MEMBER_BYTES_MAX);
    if let Ok(frame) = &to_room {
        assert_eq!(
            from_postcard(&to_postcard(frame), usize::MAX).as_ref(),
            Ok(frame)
        );
    }
    let to_member = from_postcard::<ToMember>(data, FROM_ROOM_BYTES_MAX);
    if let Ok(frame) = &to_member {
        assert_eq!(
            from_postcard(&to_postcard(frame), usize::MAX).as_ref(),
            Ok(frame)
        );
    }
    to_room.is_ok() || to_member.is_ok()
}

/// Text frames, from both sides; what reads in one form travels in the other.
pub fn frame_json(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let to_room = from_json::<ToRoom>(text, FROM_MEMBER_BYTES_MAX);
    if let Ok(frame) = &to_room {
        assert_eq!(from_json(&to_json(frame), usize::MAX).as_ref(), Ok(frame));
        assert_eq!(
            from_postcard(&to_postcard(frame), usize::MAX).as_ref(),
            Ok(frame)
        );
    }
    let to_member = from_json::<ToMember>(text, FROM_ROOM_BYTES_MAX);
    if let Ok(frame) = &to_member {
        assert_eq!(from_json(&to_json(frame), usize::MAX).as_ref(), Ok(frame));
    }
    to_room.is_ok() || to_member.is_ok()
}

/// What somebody pasted as a film: the rebuilt address names the same film.
pub fn media(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let Ok(found) = media::parse(text) else {
        return false;
    };
    assert!(found.media.is_valid(), "{found:?}");
    let url = found.media.url(found.start);
    let again = media::parse(&url).unwrap_or_else(|no| panic!("{no}: {url} from {found:?}"));
    assert_eq!(again.media, found.media, "by {url}");
    true
}

/// What somebody pasted as a link to a party.
#[cfg(feature = "server")]
pub fn link(data: &[u8]) -> bool {
    use seance::net::link::JoinLink;
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let Ok(link) = text.parse::<JoinLink>() else {
        return false;
    };
    let again: JoinLink = link.to_string().parse().expect("a printed link reads");
    assert!(link == again, "{text}");
    assert!(!link.host_port().is_empty() && link.socket().starts_with("ws"));
    true
}

/// A line typed into the terminal, as words and as JSON.
#[cfg(feature = "server")]
pub fn words(data: &[u8]) -> bool {
    use seance::projection::terminal::words::{parse, parse_json};
    let Ok(line) = std::str::from_utf8(data) else {
        return false;
    };
    let asked = parse(line, MediaTime::from_secs(60), &RoomState::default());
    assert!(asked.as_ref().err().is_none_or(|no| !no.is_empty()));
    asked.is_ok() || parse_json(line).is_ok()
}

/// Any history at all: folding it never fails, twice gives the same bytes, and a snapshot goes on like the original.
pub fn fold(data: &[u8]) -> bool {
    let events = history(data);
    let mut state = RoomState::default();
    let mut halfway = RoomState::default();
    for (number, event) in events.iter().enumerate() {
        if number == events.len() / 2 {
            halfway = snapshot::decode(&snapshot::encode(&state)).expect("what we wrote reads");
        }
        state.apply(event);
        // A length below zero was in a finding: no room writes one, and the film then stands at its beginning.
        let end = state
            .timeline
            .duration()
            .map(|length| MediaTime::ZERO + length);
        let position = state.timeline.position(state.at);
        assert!(
            end.is_none_or(|end| position <= end),
            "{position:?} of {end:?}"
        );
    }
    for event in &events[events.len() / 2..] {
        halfway.apply(event);
    }
    assert_eq!(halfway.digest(), state.digest());
    let mut replay = Replay::new();
    let whole = events.iter().all(|event| replay.take(event).is_ok());
    assert!(!whole || replay.state().digest() == state.digest());
    events.len() > 1
}

/// Bytes as a dense history: per event an author, a step of time and a body, until the bytes make no sense.
pub fn history(data: &[u8]) -> Vec<Event> {
    let mut rest = data;
    let mut at = SessionTime::ZERO;
    let mut events = Vec::new();
    let mut seq = Seq::FIRST;
    while let Ok(((by, step, body), behind)) = postcard::take_from_bytes::<(u8, u32, Body)>(rest) {
        rest = behind;
        at = at + Micros::new(i64::from(step));
        events.push(Event {
            header: Header {
                seq,
                epoch: Epoch::new(1),
                stamp: Stamp::new(seq.get()),
                at,
                wall: 0,
                by: (by > 0).then(|| MemberId::new(by.into())),
                via: Via::Auto,
                cause: None,
                intent: (by > 0).then_some(seq.get()),
            },
            body,
        });
        seq = seq.next();
    }
    events
}
