//! Under the stage: what the room waits for, the seek bar and the buttons everybody knows, and what comes next.

use std::sync::Arc;

use druid::widget::{CrossAxisAlignment, Flex, List, Scroll, ViewSwitcher};
use druid::{Env, EventCtx, LensExt, Widget, WidgetExt};

use super::ready::ready;
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
        .with_spacer(space::S)
        .with_child(shown(|row: &Queued| row.votes.is_some(), CONTROL, votes))
        .with_child(tool(Icon::Play, |item| Intent::PlayNow { item }).enabled(|row| row.playable))
        .with_child(
            tool(Icon::Close, |item| Intent::QueueRemove { item }).enabled(|row| row.removable),
        )
        .fix_height(QUEUED_ROW)
}

/// How wide the button of a vote is, whatever it says.
const VOTE: f64 = 120.0;

/// How many want that item soon, and a button to be one of them.
fn votes() -> impl Widget<Queued> {
    let vote = Button::new(
        Kind::Quiet,
        |row: &Queued| if row.voted { "Withdraw" } else { "Vote" }.to_owned(),
        |ctx: &mut EventCtx, row: &Queued| {
            let item = row.item;
            let vote = if row.voted {
                Intent::Unvote { item }
            } else {
                Intent::Vote { item }
            };
            ctx.submit_command(cmd::REQUEST.with(App::ask(vote, Via::Gui)));
        },
    )
    .icon(|row: &Queued| {
        Some(if row.voted {
            Icon::Checked
        } else {
            Icon::Unchecked
        })
    })
    .enabled(|row: &Queued| row.votable)
    .width_min(VOTE);
    Flex::row()
        .with_child(Words::new(|row: &Queued| match row.votes {
            Some(1) => "1 vote".to_owned(),
            Some(votes) => format!("{votes} votes"),
            None => String::new(),
        }))
        .with_spacer(space::XS)
        .with_child(vote)
}

fn button(words: &'static str, act: fn(&mut EventCtx)) -> Button<App> {
    Button::new(
        Kind::Plain,
        move |_| words.to_owned(),
        move |ctx: &mut EventCtx, _: &App| act(ctx),
    )
}

/// Whom the room waits for, or who is ready.
pub(super) fn hold() -> impl Widget<App> {
    let start = move || button("Start anyway", |ctx| ctx.submit_command(cmd::TOGGLE));
    let wait = banner_with(
        |app: &App| Some((Tone::Accent, app.hold_line()?)),
        move || shown(|app| app.may(Action::Play), 0.0, start),
    );
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(wait)
        .with_child(ready())
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
