//! What people want: any intent there is, aimed at what they see.

use crate::engine::event::{Action, HoldReason, QueueMode, Repeat, Role, Suspension};
use crate::engine::fold::RoomState;
use crate::engine::id::{MemberId, Seq};
use crate::engine::intent::Intent;
use crate::engine::unit::{MediaTime, Micros, Rate};
use crate::sim::clock::SEC;
use crate::sim::dice::Dice;

/// What somebody who looks at the room wants.
pub(super) fn wish(dice: &mut Dice, state: &RoomState, others: &[MemberId]) -> Intent {
    let timeline = &state.timeline;
    let item = timeline.anchor.item;
    let films = [
        "https://films.example/a.mp4",
        "https://youtu.be/YE7VzlLtp-4",
        "https://vimeo.com/392479337",
        "https://films.example/b.webm",
    ];
    let url = |dice: &mut Dice| dice.pick(&films).to_owned();
    if item.get() == 0 && dice.chance(600) {
        return Intent::Load { url: url(dice) };
    }
    let member = match others {
        [] => MemberId::new(1),
        some => dice.pick(some),
    };
    let queued = match state.queue.entries.len() as u64 {
        0 => item,
        some => state.queue.entries[dice.roll(some) as usize].item,
    };
    let lines = state.transcript.iter().rev().take(5);
    let line = lines.last().map_or(Seq::FIRST, |line| line.seq);
    let poll = state.poll.as_ref().map_or(Seq::FIRST, |poll| poll.id);
    let action = dice.pick(&[Action::Chat, Action::Vote, Action::Queue, Action::Rate]);
    let lasts = Some(Micros::from_secs(dice.between(1, 20) as i64));
    let allow = dice.chance(500);
    match dice.roll(100) {
        0..=12 => Intent::Play {},
        13..=22 => Intent::Pause { at: None },
        23..=34 => Intent::Seek {
            to: MediaTime::new(dice.roll(240 * SEC)),
        },
        35..=38 => Intent::Load { url: url(dice) },
        39..=41 => Intent::Rate {
            rate: Rate::from_millis(dice.pick(&[500, 1_000, 1_000, 1_250, 2_000]))
                .unwrap_or_default(),
        },
        42..=56 => Intent::Say {
            text: format!("“{}” ✓ <b>&amp;</b>", dice.roll(1_000)),
        },
        57..=60 => Intent::QueueAdd {
            url: url(dice),
            front: allow,
        },
        61 => Intent::QueueRemove { item: queued },
        62 => Intent::QueueMove {
            item: queued,
            place: dice.roll(5) as u32,
        },
        63 | 64 => Intent::Next { item },
        65 => Intent::Vote { item: queued },
        66 => Intent::Unvote { item: queued },
        67 => Intent::Skip { item },
        68 => Intent::Unskip { item },
        69 => Intent::Shuffle {},
        70 => Intent::SetMode {
            mode: dice.pick(&[QueueMode::Manual, QueueMode::Vote, QueueMode::RoundRobin]),
        },
        71 => Intent::SetRepeat {
            repeat: dice.pick(&[Repeat::Off, Repeat::One, Repeat::All]),
        },
        72..=75 => Intent::React {
            reaction: dice.pick(&["🎉", "😂"]).to_owned(),
        },
        76 | 77 => Intent::Reply {
            to: line,
            text: "indeed".to_owned(),
        },
        78 => Intent::Redact { seq: line },
        79..=81 => Intent::Undo { seq: None },
        82 => Intent::ReadyCheck {},
        83 | 84 => Intent::SayReady {},
        85 => Intent::OpenPoll {
            question: "What next?".to_owned(),
            choices: vec!["a walk".to_owned(), url(dice)],
        },
        86 | 87 => Intent::AnswerPoll {
            poll,
            choice: Some(dice.roll(2) as u8).filter(|_| allow),
        },
        88 => Intent::ClosePoll { poll },
        89 => Intent::Request { action },
        90 => Intent::Grant {
            member,
            action,
            lasts,
        },
        91 => Intent::Revoke {
            member,
            action,
            lasts,
        },
        92 => Intent::SetRole {
            member,
            role: dice.pick(&[Role::CoHost, Role::Guest]),
        },
        93 => Intent::HandOver { member },
        94 => Intent::SetWait {
            reason: dice.pick(&[HoldReason::Stall, HoldReason::Ad]),
            wait: allow,
        },
        95 => Intent::Suspend {
            reason: Suspension::Detached,
        },
        96 => Intent::Return {},
        97 => Intent::Rename {
            name: format!("Somebody {}", dice.roll(500)),
        },
        98 => Intent::Kick { member },
        _ => Intent::SetSlow {
            every: Micros::from_secs(dice.roll(3) as i64),
        },
    }
}
