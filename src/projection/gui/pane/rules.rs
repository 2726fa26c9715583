//! In which order the queue is played, and what the party agreed on.

use druid::widget::{CrossAxisAlignment, Flex};
use druid::{EventCtx, Widget};

use super::sheet::{asks, group};
use crate::engine::event::{Action, HoldReason, QueueMode, Repeat, Via};
use crate::engine::fold::rules::Rules;
use crate::engine::intent::Intent;
use crate::engine::unit::Micros;
use crate::projection::gui::cmd;
use crate::projection::gui::data::App;
use crate::projection::gui::theme::{Tone, size, space};
use crate::projection::gui::together::{SHARES, SLOWS};
use crate::projection::gui::widget::button::{Button, Kind};
use crate::projection::gui::widget::chips::Chips;
use crate::projection::gui::widget::icon::Icon;
use crate::projection::gui::widget::words::Words;

/// How wide chips of words are here.
const WORD: f64 = 78.0;
/// The queue's modes, with the protocol's words.
const MODES: [(&str, QueueMode); 3] = [
    ("manual", QueueMode::Manual),
    ("vote", QueueMode::Vote),
    ("turns", QueueMode::RoundRobin),
];
/// What can repeat.
const REPEATS: [(&str, Repeat); 3] = [
    ("off", Repeat::Off),
    ("one", Repeat::One),
    ("all", Repeat::All),
];

fn ask(ctx: &mut EventCtx, intent: Intent, via: Via) {
    ctx.submit_command(cmd::REQUEST.with(App::ask(intent, via)));
}

fn queue_of(app: &App) -> (QueueMode, Repeat) {
    app.view().map_or_else(Default::default, |view| {
        (view.state.queue.mode, view.state.queue.repeat)
    })
}

fn rules_of(app: &App) -> Rules {
    app.view()
        .map_or_else(Rules::default, |view| view.state.rules.clone())
}

/// The sheet on the queue's order.
pub(super) fn order() -> impl Widget<App> {
    let modes = Chips::new(
        |app| {
            let modes = MODES.into_iter();
            modes
                .map(|(words, mode)| (words.to_owned(), mode == queue_of(app).0))
                .collect()
        },
        |app| app.may(Action::Moderate),
        |ctx, _, index, via| {
            if let Some((_, mode)) = MODES.get(index) {
                ask(ctx, Intent::SetMode { mode: *mode }, via);
            }
        },
    );
    let repeats = Chips::new(
        |app| {
            let repeats = REPEATS.into_iter();
            repeats
                .map(|(words, repeat)| (words.to_owned(), repeat == queue_of(app).1))
                .collect()
        },
        |app| app.may(Action::Queue),
        |ctx, _, index, via| {
            if let Some((_, repeat)) = REPEATS.get(index) {
                ask(ctx, Intent::SetRepeat { repeat: *repeat }, via);
            }
        },
    );
    let shuffle = asks(
        |_| "Shuffle the queue".to_owned(),
        |app: &App| {
            let many = app.queue().len() > 1 && app.may(Action::Queue);
            many.then_some(Intent::Shuffle {}).into_iter().collect()
        },
    );
    let skip = asks(
        |app| {
            let words = app.skip_vote().map_or("Vote to skip", |(words, _)| words);
            words.to_owned()
        },
        |app: &App| app.skip_vote().into_iter().map(|(_, it)| it).collect(),
    );
    let says = Words::new(|app: &App| {
        match queue_of(app).0 {
            QueueMode::Manual => "The queue plays as it stands.",
            QueueMode::Vote => "The queue plays what has most votes.",
            QueueMode::RoundRobin => "Everybody\u{2019}s films take turns.",
        }
        .to_owned()
    });
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(group("Order", modes.wide(WORD)))
        .with_child(group("", says.size(size::SMALL).tone(Tone::Muted).lines(2)))
        .with_spacer(space::S)
        .with_child(group("Repeat", repeats.wide(WORD)))
        .with_spacer(space::S)
        .with_child(group(
            "",
            Flex::row()
                .with_child(shuffle)
                .with_spacer(space::S)
                .with_child(skip),
        ))
}

/// What one of them is set to, and a press for the other.
fn toggle(words: &'static str, on: fn(&App) -> bool, set: fn(bool) -> Intent) -> Button<App> {
    Button::new(
        Kind::Quiet,
        move |_| words.to_owned(),
        move |ctx: &mut EventCtx, app: &App| ask(ctx, set(!on(app)), Via::Gui),
    )
    .icon(move |app| {
        Some(if on(app) {
            Icon::Checked
        } else {
            Icon::Unchecked
        })
    })
    .enabled(|app: &App| app.may(Action::Moderate))
}

/// The sheet on what the party agreed on.
pub(super) fn rules() -> impl Widget<App> {
    let slow = Chips::new(
        |app| {
            let now = rules_of(app).slow;
            let words = |secs| match secs {
                0 => "off".to_owned(),
                secs => format!("{secs}\u{a0}s"),
            };
            SLOWS
                .into_iter()
                .map(|secs| (words(secs), now == Micros::from_secs(secs)))
                .collect()
        },
        |app| app.may(Action::Moderate),
        |ctx, _, index, via| {
            if let Some(secs) = SLOWS.get(index) {
                let every = Micros::from_secs(*secs);
                ask(ctx, Intent::SetSlow { every }, via);
            }
        },
    );
    let share = Chips::new(
        |app| {
            let now = rules_of(app).skip_percent;
            let shares = SHARES.into_iter();
            shares
                .map(|percent| (format!("{percent}\u{a0}%"), percent == now))
                .collect()
        },
        |app| app.may(Action::Moderate),
        |ctx, _, index, via| {
            if let Some(percent) = SHARES.get(index) {
                ask(ctx, Intent::SetSkipShare { percent: *percent }, via);
            }
        },
    );
    let stalls = toggle(
        "the room waits for who ran out of data",
        |app| rules_of(app).wait_stalls,
        |wait| Intent::SetWait {
            reason: HoldReason::Stall,
            wait,
        },
    );
    let ads = toggle(
        "the room waits for advertisements",
        |app| rules_of(app).wait_ads,
        |wait| Intent::SetWait {
            reason: HoldReason::Ad,
            wait,
        },
    );
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(group("Slow mode", slow))
        .with_child(group(
            "",
            Words::fixed("How long one waits between two lines of chat.")
                .size(size::SMALL)
                .tone(Tone::Muted)
                .lines(2),
        ))
        .with_spacer(space::S)
        .with_child(group("Skip with over", share))
        .with_spacer(space::S)
        .with_child(group("Waiting", stalls))
        .with_child(group("", ads))
}
