//! Whether everybody is ready: who is, a button to say so, and the countdown.

use druid::widget::{CrossAxisAlignment, Flex, Painter};
use druid::{EventCtx, RenderContext, Widget, WidgetExt};

use super::sheet::asks;
use crate::engine::event::Action;
use crate::engine::intent::Intent;
use crate::projection::gui::cmd;
use crate::projection::gui::data::App;
use crate::projection::gui::theme::{RADIUS_FIELD, Tone, palette, size, space};
use crate::projection::gui::together::Asked;
use crate::projection::gui::widget::button::{Button, Kind};
use crate::projection::gui::widget::card::banner;
use crate::projection::gui::widget::shown::shown;
use crate::projection::gui::widget::words::Words;

/// The bar of a ready check, or the countdown after it; nothing otherwise.
pub(super) fn ready() -> impl Widget<App> {
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(shown(
            |app: &App| app.ready_check().is_some(),
            0.0,
            || bar().padding((0.0, 0.0, 0.0, space::M)),
        ))
        .with_child(banner(App::countdown))
}

fn is(app: &App, what: impl Fn(&Asked) -> bool) -> bool {
    app.ready_check().is_some_and(|asked| what(&asked))
}

fn bar() -> impl Widget<App> {
    let head = Words::new(|app: &App| {
        let says = if is(app, |asked| asked.me && asked.later) {
            "Take your time. Say so when you are ready."
        } else if is(app, |asked| asked.me) {
            "Are you ready?"
        } else if is(app, |asked| asked.ready) {
            "You are ready. Waiting for the others."
        } else {
            "Everybody is asked whether they are ready."
        };
        match app.waiting_secs {
            Some(secs) => format!("{says} ({secs}\u{a0}s)"),
            None => says.to_owned(),
        }
    });
    let line = Words::new(|app: &App| app.ready_check().map_or_else(String::new, |it| it.line));
    let ready = || {
        Button::new(
            Kind::Primary,
            |_| "I\u{2019}m ready".to_owned(),
            |ctx: &mut EventCtx, _: &App| {
                let ready = App::ask(Intent::SayReady {}, crate::engine::event::Via::Gui);
                ctx.submit_command(cmd::REQUEST.with(ready));
            },
        )
    };
    let later = || {
        Button::new(
            Kind::Plain,
            |_| "Not yet".to_owned(),
            |ctx: &mut EventCtx, _: &App| ctx.submit_command(cmd::NOT_YET),
        )
    };
    let start = || {
        asks(
            |_| "Start anyway".to_owned(),
            |_: &App| vec![Intent::Play {}],
        )
    };
    let words = Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Start)
        .with_child(head.size(size::HEAD).bold().lines(2))
        .with_child(line.lines(2));
    let buttons = Flex::row()
        .with_child(shown(|app| is(app, |asked| asked.me), 0.0, ready))
        .with_spacer(space::XS)
        .with_child(shown(
            |app| is(app, |asked| asked.me && !asked.later),
            0.0,
            later,
        ))
        .with_spacer(space::XS)
        .with_child(shown(|app| app.may(Action::Play), 0.0, start));
    let ground = Painter::new(|ctx, _: &App, env| {
        let colors = palette(env);
        let shape = ctx.size().to_rect().inset(-0.75);
        let shape = shape.to_rounded_rect(RADIUS_FIELD);
        ctx.fill(shape, &colors.raised.color());
        ctx.stroke(shape, &colors.tone(Tone::Accent).color(), 1.5);
    });
    Flex::row()
        .with_flex_child(words.expand_width(), 1.0)
        .with_spacer(space::S)
        .with_child(buttons)
        .padding((space::L, space::S, space::S, space::S))
        .background(ground)
}
