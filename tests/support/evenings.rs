//! Evenings out of a seed: logs that a room could have written, for comparing folds.
//!
//! Shared by the library's own tests and those outside it; who includes this
//! file brings `engine` into sight.

use super::engine::event::{Client, Departure, Event, Role};
use super::engine::id::{ItemId, MemberId, SessionId};
use super::engine::intent::{Ask, Intent};
use super::engine::sequencer::{Answer, Entrant, Moment, Sequencer};
use super::engine::text::{Name, Title};
use super::engine::unit::{MediaTime, Micros, Rate, SessionTime};

/// A small generator of evenings: the same seed, the same evening.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // Knuth's MMIX constants; the high bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

const LINKS: &[&str] = &[
    "https://youtu.be/YE7VzlLtp-4?t=83",
    "https://films.example/Caf%C3%A9%20noir.mp4#t=12.5",
    "http://192.168.1.7:8000/a/film.webm",
    "https://player.example/watch/some/page?x=1",
    "https://www.netflix.com/watch/80057281",
    "https://vimeo.com/392479337/a52724358e",
    "https://www.arte.tv/fr/videos/110371-000-A/",
    "https://www.twitch.tv/videos/123456789",
    "https://www.disneyplus.com/play/6f1a3c2e-0b5d-4a7e-9c1f-2d3e4f5a6b7c",
    "nonsense",
];

fn intent(dice: &mut Dice) -> Intent {
    let time = |dice: &mut Dice| MediaTime::new(dice.roll(7_200_000_000));
    match dice.roll(14) {
        0 => Intent::Load {
            url: LINKS[dice.roll(LINKS.len() as u64) as usize].to_owned(),
        },
        1..=3 => Intent::Play {},
        4 | 5 => Intent::Pause { at: None },
        6 => Intent::Pause {
            at: Some(time(dice)),
        },
        7 | 8 => Intent::Seek { to: time(dice) },
        9 => Intent::Rate {
            rate: Rate::from_millis(250 + dice.roll(3_750) as u16).unwrap(),
        },
        10 => Intent::Rename {
            name: format!("Guest {}", dice.roll(30)),
        },
        11 => Intent::Measure {
            item: ItemId::new(dice.roll(6) as u32),
            duration: Micros::new(1 + dice.roll(9_000_000_000) as i64),
        },
        _ => Intent::Say {
            text: format!("“{}” ✓ <b>&amp;</b>", dice.roll(1_000)),
        },
    }
}

/// One evening: its events, in order.
pub fn evening(seed: u64) -> Vec<Event> {
    let mut dice = Dice(seed);
    let mut micros = 0;
    let mut now = |dice: &mut Dice| {
        micros += dice.roll(90_000_000);
        Moment {
            at: SessionTime::new(micros),
            wall: 1_795_000_000_000 + micros / 1_000,
        }
    };
    let entrant = |member, number: u64, role| Entrant {
        member,
        name: Name::new(&format!("Member {number}")).unwrap(),
        role,
        client: Client::Page,
    };
    let title = Title::new("Film night").unwrap();
    let start = now(&mut dice);
    let (mut room, mut events) = Sequencer::open(SessionId::new(7), title, start);
    let at = now(&mut dice);
    events.extend(room.join(entrant(None, 0, Role::Host), at).unwrap().1);
    for counter in 1..1_500 {
        let member = MemberId::new(1 + dice.roll(6) as u32);
        let at = now(&mut dice);
        match dice.roll(20) {
            0 => {
                let known = room.state().roster.get(member).map(|_| member);
                let role = [Role::Guest, Role::Viewer, Role::CoHost][dice.roll(3) as usize];
                if let Ok((_, new)) = room.join(entrant(known, counter, role), at) {
                    events.extend(new);
                }
            }
            1 => {
                let reason = [
                    Departure::Quit,
                    Departure::Lost,
                    Departure::Dropped,
                    Departure::Ended,
                ][dice.roll(4) as usize];
                // The host stays, so that the evening goes on.
                if member != MemberId::new(1) {
                    events.extend(room.leave(member, reason, at));
                }
            }
            2 => {
                let (next, new) = Sequencer::resume(room.state().clone(), room.state().at, at);
                room = next;
                events.extend(new);
                let host = entrant(Some(MemberId::new(1)), 0, Role::Host);
                events.extend(room.join(host, at).unwrap().1);
            }
            _ => {
                let ask = Ask {
                    // Out of order now and then, as retries are.
                    counter: counter * 2 - dice.roll(7).min(counter),
                    stamp: Default::default(),
                    via: Default::default(),
                    aim: None,
                    intent: intent(&mut dice),
                };
                if let Answer::Accepted(new) = room.ask(member, &ask, at, Micros::ZERO) {
                    events.extend(new);
                }
            }
        }
    }
    events
}
