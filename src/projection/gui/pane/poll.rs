//! A poll: what is asked, who chose what, and a new one when none is open.

use std::sync::Arc;

use druid::widget::{CrossAxisAlignment, Flex, List};
use druid::{EventCtx, LensExt, Widget, WidgetExt, WidgetId};

use super::sheet::{asks, share_of};
use crate::engine::event::{Action, Via};
use crate::projection::gui::cmd;
use crate::projection::gui::data::{App, Draft};
use crate::projection::gui::theme::{CONTROL, Tone, size, space};
use crate::projection::gui::together::{CHOICES_MAX, PollRow};
use crate::projection::gui::widget::button::{Button, Kind};
use crate::projection::gui::widget::card::label;
use crate::projection::gui::widget::field::Field;
use crate::projection::gui::widget::shown::shown;
use crate::projection::gui::widget::words::Words;

/// How wide the button of a choice is, whatever it says.
const CHOOSE: f64 = 92.0;

/// The sheet.
pub(super) fn poll() -> impl Widget<App> {
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(shown(|app: &App| app.poll().is_some(), 0.0, known))
        .with_child(shown(
            |app: &App| !app.polling() && app.may(Action::Queue),
            0.0,
            new,
        ))
        .with_child(shown(
            |app: &App| app.poll().is_none() && !app.may(Action::Queue),
            0.0,
            || Words::fixed("Nobody asked anything yet.").tone(Tone::Muted),
        ))
}

fn known() -> impl Widget<App> {
    let question = Words::new(|app: &App| {
        app.poll()
            .map_or_else(String::new, |poll| poll.question.to_string())
    });
    let result = || {
        Words::new(|app: &App| app.poll_result().unwrap_or_default())
            .tone(Tone::Muted)
            .lines(2)
    };
    let rows = druid::lens::Map::new(
        |app: &App| Arc::new(app.poll_rows()),
        // Rows change nothing: what they want, they submit.
        |_: &mut App, _| {},
    );
    let end = || {
        asks(
            |_| "Close the poll".to_owned(),
            |app: &App| app.poll_end().into_iter().collect(),
        )
        .align_right()
    };
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(question.size(size::HEAD).bold().lines(3))
        .with_child(shown(|app: &App| !app.polling(), 0.0, result))
        .with_spacer(space::S)
        .with_child(List::new(row).lens(rows))
        .with_spacer(space::S)
        .with_child(shown(|app: &App| app.poll_end().is_some(), 0.0, end))
}

fn row() -> impl Widget<PollRow> {
    let choose = || {
        Button::new(
            Kind::Plain,
            |row: &PollRow| {
                let words = row.deed.as_ref().map_or("", |deed| deed.0);
                words.to_owned()
            },
            |ctx: &mut EventCtx, row: &PollRow| {
                if let Some((_, intent)) = &row.deed {
                    ctx.submit_command(cmd::REQUEST.with(App::ask(intent.clone(), Via::Gui)));
                }
            },
        )
        .width_min(CHOOSE)
    };
    let share = |row: &PollRow| row.count as f64 / row.answered.max(1) as f64;
    Flex::row()
        .with_flex_child(
            Words::new(|row: &PollRow| row.label.clone())
                .toned(|row: &PollRow| if row.ahead { Tone::Accent } else { Tone::Text })
                .expand_width(),
            3.0,
        )
        .with_spacer(space::S)
        .with_flex_child(
            Words::new(|row: &PollRow| row.names.clone())
                .size(size::SMALL)
                .tone(Tone::Muted)
                .align_right(),
            2.0,
        )
        .with_spacer(space::S)
        .with_child(Words::new(|row: &PollRow| row.count.to_string()).bold())
        .with_spacer(space::S)
        .with_child(shown(|row: &PollRow| row.deed.is_some(), CONTROL, choose))
        .fix_height(CONTROL)
        .background(share_of(share))
        .padding((0.0, 0.0, 0.0, space::XS))
}

/// A poll to be asked.
fn new() -> impl Widget<App> {
    let mut choices = Flex::column().cross_axis_alignment(CrossAxisAlignment::Fill);
    for index in 0..CHOICES_MAX {
        // One by one, so that the field that is typed in stays as the next appears below it.
        choices.add_child(shown(
            move |app: &App| index < app.choice_fields(),
            0.0,
            move || choice(index).padding((0.0, 0.0, 0.0, space::XS)),
        ));
    }
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(label("Ask everybody"))
        .with_spacer(space::XS)
        .with_child(Field::new(
            cmd::QUESTION,
            "What next?",
            App::draft.then(Draft::question),
            Some(cmd::OPEN_POLL),
        ))
        .with_spacer(space::S)
        .with_child(label("What to choose from; a link that wins comes next"))
        .with_spacer(space::XS)
        .with_child(choices)
        .with_spacer(space::XS)
        .with_child(
            Button::new(
                Kind::Plain,
                |_| "Open the poll".to_owned(),
                |ctx: &mut EventCtx, _: &App| ctx.submit_command(cmd::OPEN_POLL),
            )
            .enabled(|app: &App| app.new_poll().is_ok())
            .align_left(),
        )
}

fn choice(index: usize) -> Field {
    Field::new(
        WidgetId::next(),
        "A choice, or a video link",
        App::draft.then(Draft::choices).index(index),
        Some(cmd::OPEN_POLL),
    )
}
