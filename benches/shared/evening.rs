//! A million events as a party makes them, for benches that fold them.

use seance::engine::event::{Body, Client, Event, Header, Role, Via};
use seance::engine::id::{Epoch, ItemId, MemberId, Seq, SessionId, Stamp};
use seance::engine::media::{Media, Provider};
use seance::engine::text::{Line, Name, Title};
use seance::engine::unit::{MediaTime, Rate, SessionTime};

/// An evening of an evening's length times two hundred.
pub const EVENTS: u64 = 1_000_000;
/// Members who take part.
const MEMBERS: u32 = 10;
/// How far snapshots stand apart.
pub const SNAPSHOT_EVERY: u64 = 4_096;

/// What the log is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// The film is moved, nothing is said: the small events that the goal speaks of.
    Control,
    /// Two lines of talk for each move of the film, as people are.
    Evening,
}

/// Who, when and why.
pub fn header(seq: u64) -> Header {
    Header {
        seq: Seq::new(seq),
        epoch: Epoch::new(1),
        stamp: Stamp::new(seq * 2),
        at: SessionTime::from_millis(seq * 7),
        wall: 1_790_000_000_000 + seq * 7,
        by: Some(MemberId::new(1 + (seq * 7 % u64::from(MEMBERS)) as u32)),
        via: Via::Key,
        cause: None,
        intent: Some(1_790_000_000_000 + seq),
    }
}

/// What.
pub fn body(seq: u64, mix: Mix) -> Body {
    let place = MediaTime::from_millis(seq * 7 % 7_200_000);
    if seq == 1 {
        return Body::Opened {
            session: SessionId::new(7),
            title: Title::new("Film night").unwrap(),
        };
    }
    if seq <= 1 + u64::from(MEMBERS) {
        let number = seq as u32 - 1;
        return Body::Joined {
            member: MemberId::new(number),
            name: Name::new(&format!("Member {number}")).unwrap(),
            role: if number == 1 { Role::Host } else { Role::Guest },
            client: Client::Page,
        };
    }
    if seq % 5_000 == 12 {
        return Body::MediaSet {
            item: ItemId::new((seq / 5_000) as u32 + 1),
            media: Media {
                provider: Provider::Youtube,
                id: "YE7VzlLtp-4".to_owned(),
            },
            title: None,
            start: MediaTime::ZERO,
        };
    }
    if mix == Mix::Evening && !seq.is_multiple_of(3) {
        return Body::Said {
            text: Line::new("did you see who stood behind the door?").unwrap(),
            moment: place,
        };
    }
    match seq % 8 {
        0..=2 => Body::Played {
            position: place,
            start: SessionTime::from_millis(seq * 7 + 130),
        },
        3..=5 => Body::Paused { position: place },
        6 => Body::Seeked {
            position: place,
            start: SessionTime::from_millis(seq * 7),
        },
        _ => Body::RateSet {
            rate: Rate::from_millis(1_000 + (seq % 500) as u16).unwrap(),
            position: place,
        },
    }
}

/// All of them, in order.
pub fn events(mix: Mix) -> impl Iterator<Item = Event> {
    (1..=EVENTS).map(move |seq| Event {
        header: header(seq),
        body: body(seq, mix),
    })
}

/// Records behind one another, with where each ends: as a log's reader has them.
pub struct Packed {
    /// All of them.
    pub bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Packed {
    /// Packs them.
    pub fn new(records: impl Iterator<Item = Vec<u8>>) -> Self {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for record in records {
            bytes.extend(record);
            ends.push(bytes.len());
        }
        Self { bytes, ends }
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, end)| &self.bytes[start..*end])
    }
}
