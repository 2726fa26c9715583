//! Under the stage: what the room waits for, the seek bar and the buttons everybody knows, and what comes next.

use std::sync::Arc;

use druid::widget::{CrossAxisAlignment, Flex, List, Scroll, ViewSwitcher};
use druid::{Env, EventCtx, LensExt, Widget, WidgetExt};

use crate::engine::event::{Action, Via};
use crate::engine::id::ItemId;
use crate::engine::intent::Intent;
use crate::projection::gui::cmd;
use crate::projection::gui::data::{App, Draft, Queued};
use crate::projection::gui::delegate::LEAP_SECS;
use crate::projection::gui::theme::{CONTROL, Tone, size, space};
use crate::projection::gui::widget::button::{Button, Kind};
use crate::projection::gui::widget::card::{banner_with, surface};
use crate::projection::gui::widget::chips;
use crate::projection::gui::widget::clock::Clock;
use crate::projection::gui::widget::field::Field;
use crate::projection::gui::widget::icon::Icon;
use crate::projection::gui::widget::seekbar::SeekBar;
use crate::projection::gui::widget::shown::shown;
use crate::projection::gui::widget::words::Words;

/// The field for a film's address, with its button.
pub(super) fn load() -> impl Widget<App> {
    Flex::row()
        .with_flex_child(
            Field::new(
                cmd::ADDRESS,
                "Paste a video link",
                App::draft.then(Draft::address),
                Some(cmd::LOAD),
            ),
            1.0,
        )
        .with_spacer(space::S)
        .with_child(
            Button::new(
                Kind::Plain,
                |_| "Load now".to_owned(),
                |ctx: &mut EventCtx, _| ctx.submit_command(cmd::LOAD),
            )
            .enabled(|app: &App| app.may_load() && !app.draft.address.trim().is_empty()),
        )
        .with_spacer(space::XS)
        .with_child(
            Button::new(
                Kind::Plain,
                |_| "Add to queue".to_owned(),
                |ctx: &mut EventCtx, _| ctx.submit_command(cmd::QUEUE),
            )
            .enabled(|app: &App| app.may(Action::Queue) && !app.draft.address.trim().is_empty()),
        )
}

/// What comes next.
pub(super) fn queue() -> impl Widget<App> {
    ViewSwitcher::new(
        |app: &App, _: &Env| app.queue().is_empty(),
        |empty, _, _| {
            if *empty {
                return Words::fixed("Nothing is queued. What is added plays when the film ends.")
                    .size(size::SMALL)
                    .tone(Tone::Muted)
                    .padding((space::XS, 0.0))
                    .boxed();
            }
            let rows = druid::lens::Map::new(
                |app: &App| Arc::new(app.queue()),
                // Rows change nothing: what they want, they submit.
                |_: &mut App, _| {},
            );
            Scroll::new(List::new(queued).lens(rows))
                .vertical()
                .padding((space::M, 0.0, space::XS, 0.0))
                .background(surface())
                .boxed()
        },
    )
}

/// How tall one row of the queue is.
pub(super) const QUEUED_ROW: f64 = CONTROL;

fn queued() -> impl Widget<Queued> {
    let tool = |icon, what: fn(ItemId) -> Intent| {
        Button::new(
            Kind::Quiet,
            |_| String::new(),
            move |ctx: &mut EventCtx, row: &Queued| {
                let ask = App::ask(what(row.item), Via::Gui);
                ctx.submit_command(cmd::REQUEST.with(ask));
            },
        )
        .icon(move |_| Some(icon))
    };
    Flex::row()
        .with_flex_child(
            Words::new(|row: &Queued| {
                let next = if row.next { "Next: " } else { "" };
                format!("{next}{}", row.title)
            })
            .expand_width(),
            3.0,
        )
        .with_spacer(space::S)
        .with_flex_child(
            Words::new(|row: &Queued| row.by.clone())
                .size(size::SMALL)
                .tone(Tone::Muted)
                .align_right(),
            1.0,
        )
        .with_spacer(space::XS)
        .with_child(tool(Icon::Play, |item| Intent::PlayNow { item }).enabled(|row| row.playable))
        .with_child(
            tool(Icon::Close, |item| Intent::QueueRemove { item }).enabled(|row| row.removable),
        )
        .fix_height(QUEUED_ROW)
}

fn button(words: &'static str, act: fn(&mut EventCtx)) -> Button<App> {
    Button::new(
        Kind::Plain,
        move |_| words.to_owned(),
        move |ctx: &mut EventCtx, _: &App| act(ctx),
    )
}

/// Whom the room waits for.
pub(super) fn hold() -> impl Widget<App> {
    let ready = move || {
        button("I am ready", |ctx| {
            let ready = App::ask(Intent::SayReady {}, Via::Gui);
            ctx.submit_command(cmd::REQUEST.with(ready));
        })
    };
    let start = move || button("Start anyway", |ctx| ctx.submit_command(cmd::TOGGLE));
    banner_with(
        |app: &App| Some((Tone::Accent, app.hold_line()?)),
        move || {
            Flex::row()
                .with_child(shown(App::asked_ready, 0.0, ready))
                .with_spacer(space::XS)
                .with_child(shown(|app| app.may(Action::Play), 0.0, start))
        },
    )
}

/// What somebody did a moment ago, to be taken back.
pub(super) fn offer() -> impl Widget<App> {
    let undo = || button("Undo", |ctx| ctx.submit_command(cmd::UNDO));
    banner_with(
        |app: &App| Some((Tone::Info, app.undo_line()?.0)),
        move || shown(|app| app.undo_line().is_some_and(|(_, may)| may), 0.0, undo),
    )
}

/// Seek bar and buttons.
pub(super) fn transport() -> impl Widget<App> {
    let buttons = Flex::row()
        .with_child(
            Button::new(
                Kind::Primary,
                |app: &App| if app.playing() { "Pause" } else { "Play" }.to_owned(),
                |ctx: &mut EventCtx, _| ctx.submit_command(cmd::TOGGLE),
            )
            .icon(|app| {
                Some(if app.playing() {
                    Icon::Pause
                } else {
                    Icon::Play
                })
            })
            .enabled(|app| app.controllable(Action::Play))
            .width_min(104.0)
            .with_id(cmd::PLAY),
        )
        .with_spacer(space::S)
        .with_child(leap("10", Icon::Back, -LEAP_SECS))
        .with_spacer(space::XS)
        .with_child(leap("10", Icon::Forward, LEAP_SECS))
        .with_spacer(space::XS)
        .with_child(
            Button::new(
                Kind::Quiet,
                |_| String::new(),
                |ctx: &mut EventCtx, _: &App| ctx.submit_command(cmd::NEXT),
            )
            .icon(|_| Some(Icon::Next))
            .enabled(|app: &App| app.next().is_some()),
        )
        .with_spacer(space::M)
        .with_child(Clock::default())
        .with_spacer(space::M)
        .with_flex_child(chips::rates().align_right(), 1.0);
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(SeekBar::default().with_id(cmd::SEEK_BAR))
        .with_spacer(space::XS)
        .with_child(buttons)
        .padding((space::L, space::XS, space::L, space::M))
        .background(surface())
}

fn leap(words: &'static str, icon: Icon, seconds: f64) -> Button<App> {
    Button::new(
        Kind::Quiet,
        move |_| words.to_owned(),
        move |ctx: &mut EventCtx, _: &App| ctx.submit_command(cmd::SKIP.with(seconds)),
    )
    .icon(move |_| Some(icon))
    .enabled(|app| app.controllable(Action::Seek))
}
