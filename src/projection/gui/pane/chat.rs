//! Beside the stage: who is here, and what is said.

use druid::widget::{CrossAxisAlignment, Flex, Scroll};
use druid::{EventCtx, LensExt, Widget, WidgetExt};

use crate::projection::gui::cmd;
use crate::projection::gui::data::{App, Draft};
use crate::projection::gui::theme::{Tone, size, space};
use crate::projection::gui::widget::button::{Button, Kind};
use crate::projection::gui::widget::card::surface;
use crate::projection::gui::widget::field::Field;
use crate::projection::gui::widget::follow::Follow;
use crate::projection::gui::widget::icon::Icon;
use crate::projection::gui::widget::people::People;
use crate::projection::gui::widget::story::Story;
use crate::projection::gui::widget::words::Words;

fn head(words: &'static str, count: impl Fn(&App) -> String + 'static) -> impl Widget<App> {
    Flex::row()
        .with_flex_child(
            Words::fixed(words)
                .size(size::SMALL)
                .bold()
                .tone(Tone::Muted)
                .expand_width(),
            1.0,
        )
        .with_child(Words::new(count).size(size::SMALL).tone(Tone::Muted))
        .padding((space::L, space::S))
}

/// Who is here.
pub(super) fn people() -> impl Widget<App> {
    let count = |app: &App| {
        app.view()
            .map_or(0, |view| view.state.roster.present().count())
            .to_string()
    };
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(head("People", count))
        .with_flex_child(
            Scroll::new(People::default()).vertical().expand_height(),
            1.0,
        )
        .padding((0.0, 0.0, 0.0, space::S))
        .background(surface())
}

/// What is said.
pub(super) fn chat() -> impl Widget<App> {
    let write = Flex::row()
        .with_flex_child(
            Field::new(
                cmd::MESSAGE,
                "Write a message",
                App::draft.then(Draft::message),
                Some(cmd::SEND),
            ),
            1.0,
        )
        .with_spacer(space::S)
        .with_child(
            Button::new(
                Kind::Plain,
                |_| String::new(),
                |ctx: &mut EventCtx, _| ctx.submit_command(cmd::SEND),
            )
            .icon(|_| Some(Icon::Send))
            .enabled(|app: &App| app.connected() && !app.draft.message.trim().is_empty()),
        )
        .padding(space::M);
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(head("Chat", |_| String::new()))
        .with_flex_child(
            Follow::new(Story::default().with_id(cmd::STORY)).expand_height(),
            1.0,
        )
        .with_child(write)
        .background(surface())
}
