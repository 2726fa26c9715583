//! Evenings out of a seed: logs that a room could have written, for comparing folds.
//!
//! Shared by the library's own tests and those outside it; who includes this
//! file brings `engine` into sight.

use super::engine::event::{
    Action, Client, Departure, Event, HoldReason, Inability, QueueMode, Repeat, Role, Suspension,
};
use super::engine::fold::RoomState;
use super::engine::fold::entrance::OWN_LINK;
use super::engine::id::{Generation, ItemId, MemberId, Seq, SessionId};
use super::engine::intent::{Aim, Ask, Intent};
use super::engine::presence::{Activity, Report};
use super::engine::sequencer::{Entrant, Moment, Sequencer};
use super::engine::text::{Name, Passcode, Title};
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
    match dice.roll(24) {
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
        12 | 13 => Intent::Say {
            text: format!("“{}” ✓ <b>&amp;</b>", dice.roll(1_000)),
        },
        14..=17 => of_the_queue(dice),
        _ => of_people(dice),
    }
}

fn of_the_queue(dice: &mut Dice) -> Intent {
    let item = ItemId::new(dice.roll(60) as u32);
    match dice.roll(17) {
        0..=3 => Intent::QueueAdd {
            url: LINKS[dice.roll(LINKS.len() as u64) as usize].to_owned(),
            front: dice.roll(3) == 0,
        },
        4 => Intent::QueueRemove { item },
        5 | 6 => Intent::QueueMove {
            item,
            place: dice.roll(9) as u32,
        },
        7 => Intent::PlayNow { item },
        8 => Intent::Shuffle {},
        9 => Intent::SetMode {
            mode: [QueueMode::Manual, QueueMode::Vote, QueueMode::RoundRobin]
                [dice.roll(3) as usize],
        },
        10 => Intent::SetRepeat {
            repeat: [Repeat::Off, Repeat::One, Repeat::All][dice.roll(3) as usize],
        },
        11 | 12 => Intent::Vote { item },
        13 => Intent::Unvote { item },
        14 => Intent::Skip { item },
        15 => Intent::Unskip { item },
        _ => Intent::Next { item },
    }
}

fn of_people(dice: &mut Dice) -> Intent {
    let member = MemberId::new(1 + dice.roll(7) as u32);
    let action = Action::ALL[dice.roll(8) as usize];
    let role = [Role::CoHost, Role::Guest, Role::Viewer][dice.roll(3) as usize];
    let lasts = (dice.roll(2) == 0).then(|| Micros::from_secs(1 + dice.roll(900) as i64));
    let seq = Seq::new(dice.roll(1_500));
    let allow = dice.roll(2) == 0;
    match dice.roll(38) {
        0..=2 => Intent::Grant {
            member,
            action,
            lasts,
        },
        3 => Intent::Revoke {
            member,
            action,
            lasts,
        },
        4 => Intent::SetRole { member, role },
        5 => Intent::Kick { member },
        6 => Intent::Ban { member },
        7 => Intent::Unban { member },
        8 => Intent::HandOver { member },
        9 => Intent::Permit {
            role,
            action,
            allow,
        },
        10 => Intent::Request { action },
        11 => Intent::SetSlow {
            every: Micros::from_secs(dice.roll(4) as i64),
        },
        12 => Intent::SetWait {
            reason: [HoldReason::Stall, HoldReason::Ad][dice.roll(2) as usize],
            wait: allow,
        },
        13 => Intent::SetSkipShare {
            percent: dice.roll(101) as u8,
        },
        14 => Intent::OpenPoll {
            question: "What next?".to_owned(),
            choices: vec!["a walk".to_owned(), LINKS[0].to_owned()],
        },
        15..=17 => Intent::AnswerPoll {
            poll: seq,
            choice: Some(dice.roll(2) as u8).filter(|_| allow),
        },
        18 => Intent::ClosePoll { poll: seq },
        19 | 20 => Intent::React {
            reaction: ["🎉", "😂", "é"][dice.roll(3) as usize].to_owned(),
        },
        21 => Intent::Reply {
            to: seq,
            text: "indeed".to_owned(),
        },
        22 => Intent::Redact { seq },
        23 | 24 => Intent::Undo { seq: None },
        25 => Intent::ReadyCheck {},
        26 | 27 => Intent::SayReady {},
        28 => Intent::Suspend {
            reason: [Suspension::Ad, Suspension::Detached, Suspension::CannotPlay]
                [dice.roll(3) as usize],
        },
        29 => Intent::Return {},
        32 | 33 => Intent::Invite {
            role,
            lasts,
            uses: allow.then(|| dice.roll(4) as u32),
        },
        34 => Intent::RevokeInvite { invite: seq },
        35 => Intent::SetApproval { on: allow },
        36 => Intent::SetPasscode {
            passcode: allow.then(|| Passcode::new("open sesame").unwrap()),
        },
        37 => Intent::Unable {
            item: ItemId::new(dice.roll(40) as u32),
            why: [
                None,
                Some(Inability::Region),
                Some(Inability::SignIn),
                Some(Inability::Other),
            ][dice.roll(4) as usize],
            words: allow.then(|| "mpv could not show this film".to_owned()),
        },
        _ => Intent::Ready {
            item: ItemId::new(dice.roll(40) as u32),
            generation: Generation::new(dice.roll(90) as u32),
        },
    }
}

/// Numbers that a member would have read off their screen.
fn sensible(intent: Intent, state: &RoomState, dice: &mut Dice) -> Intent {
    let waiting = &state.queue.entries;
    let pick = |dice: &mut Dice| match waiting.len() as u64 {
        0 => ItemId::new(1),
        some => waiting[dice.roll(some) as usize].item,
    };
    let spoken: Vec<_> = state.transcript.iter().map(|line| line.seq).collect();
    let asked = state.hold.as_ref().map(|hold| hold.reason) == Some(HoldReason::ReadyCheck);
    let item = state.timeline.anchor.item;
    match intent {
        _ if asked && dice.roll(2) == 0 => Intent::SayReady {},
        _ if !state.queue.skips.is_empty() && dice.roll(4) == 0 => Intent::Unskip { item },
        Intent::QueueRemove { .. } => Intent::QueueRemove { item: pick(dice) },
        Intent::QueueMove { place, .. } => Intent::QueueMove {
            item: pick(dice),
            place,
        },
        Intent::Vote { .. } => Intent::Vote { item: pick(dice) },
        Intent::Unvote { .. } => Intent::Unvote { item: pick(dice) },
        Intent::PlayNow { .. } => Intent::PlayNow { item: pick(dice) },
        Intent::Skip { .. } => Intent::Skip { item },
        Intent::Unskip { .. } => Intent::Unskip { item },
        Intent::Next { .. } => Intent::Next { item },
        Intent::Ready { .. } if dice.roll(4) > 0 => {
            let Aim { item, generation } = state.timeline.aim();
            Intent::Ready { item, generation }
        }
        Intent::Unable { why, words, .. } if dice.roll(4) > 0 => {
            Intent::Unable { item, why, words }
        }
        Intent::RevokeInvite { .. } if !state.entrance.invites.is_empty() => {
            let made: Vec<_> = state.entrance.invites.keys().collect();
            Intent::RevokeInvite {
                invite: *made[dice.roll(made.len() as u64) as usize],
            }
        }
        Intent::AnswerPoll { choice, .. } => Intent::AnswerPoll {
            poll: state.poll.as_ref().map_or(Seq::new(0), |poll| poll.id),
            choice,
        },
        Intent::ClosePoll { .. } => Intent::ClosePoll {
            poll: state.poll.as_ref().map_or(Seq::new(0), |poll| poll.id),
        },
        Intent::Reply { text, .. } if !spoken.is_empty() => Intent::Reply {
            to: spoken[dice.roll(spoken.len() as u64) as usize],
            text,
        },
        Intent::Redact { .. } if !spoken.is_empty() => Intent::Redact {
            seq: spoken[dice.roll(spoken.len() as u64) as usize],
        },
        other => other,
    }
}

/// One evening: its events, in order.
pub fn evening(seed: u64) -> Vec<Event> {
    let mut dice = Dice(seed);
    let mut micros = 0;
    let mut now = |dice: &mut Dice| {
        let longest = [800_000, 5_000_000, 90_000_000][dice.roll(3) as usize];
        micros += dice.roll(longest);
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
    for counter in 1..2_500 {
        let member = MemberId::new([1, 1 + dice.roll(6) as u32][dice.roll(2) as usize]);
        let at = now(&mut dice);
        match dice.roll(20) {
            0 => {
                let known = room.state().roster.get(member).map(|_| member);
                let role = [Role::Guest, Role::Viewer, Role::CoHost][dice.roll(3) as usize];
                let made: Vec<_> = room.state().entrance.invites.keys().copied().collect();
                let link = match made.len() as u64 {
                    0 => OWN_LINK,
                    some => made[dice.roll(some) as usize],
                };
                if let Ok((_, new)) = room.join_by(entrant(known, counter, role), link, None, at) {
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
                if let Ok((_, new)) = room.join(host, at) {
                    events.extend(new);
                }
            }
            3 => {
                let activities = [Activity::Stalled, Activity::Advert, Activity::Playing];
                let report = Report {
                    activity: Some(activities[dice.roll(3) as usize]),
                    drift: None,
                    round_trip: None,
                };
                events.extend(room.observe(member, &report, at));
            }
            4 if dice.roll(5) == 0 => {
                let name = Name::new(&format!("Knocker {counter}")).unwrap();
                if let Ok(knock) = room.knock(name) {
                    let ask = Ask {
                        counter: counter * 2,
                        stamp: Default::default(),
                        via: Default::default(),
                        aim: None,
                        intent: Intent::AnswerKnock {
                            knock,
                            let_in: dice.roll(2) == 0,
                        },
                    };
                    events.extend(room.ask(member, &ask, at, Micros::ZERO).events);
                }
            }
            4 if dice.roll(9) == 0 => {
                let alive = room.state().at;
                events.extend(room.gap(alive, at));
            }
            _ => {
                let ask = Ask {
                    // Out of order now and then, as retries are.
                    counter: counter * 2 - dice.roll(7).min(counter),
                    stamp: Default::default(),
                    via: Default::default(),
                    aim: None,
                    intent: sensible(intent(&mut dice), room.state(), &mut dice),
                };
                events.extend(room.ask(member, &ask, at, Micros::ZERO).events);
            }
        }
    }
    events
}
