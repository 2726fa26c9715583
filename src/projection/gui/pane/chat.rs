//! Beside the stage: who is here, and what is said.

use druid::widget::{CrossAxisAlignment, Flex, Scroll, ViewSwitcher};
use druid::{Env, EventCtx, LensExt, Widget, WidgetExt};

use crate::engine::event::{Action, Via};
use crate::engine::intent::Intent;
use crate::projection::gui::cmd;
use crate::projection::gui::data::{App, Draft};
use crate::projection::gui::theme::{CONTROL, Tone, size, space};
use crate::projection::gui::together::Sheet;
use crate::projection::gui::widget::button::{Button, Kind};
use crate::projection::gui::widget::card::surface;
use crate::projection::gui::widget::field::Field;
use crate::projection::gui::widget::follow::Follow;
use crate::projection::gui::widget::icon::Icon;
use crate::projection::gui::widget::people::People;
use crate::projection::gui::widget::shown::shown;
use crate::projection::gui::widget::story::Story;
use crate::projection::gui::widget::words::Words;

pub(super) fn head(words: &'static str, end: impl Widget<App> + 'static) -> impl Widget<App> {
    Flex::row()
        .with_flex_child(
            Words::fixed(words)
                .size(size::SMALL)
                .bold()
                .tone(Tone::Muted)
                .expand_width(),
            1.0,
        )
        .with_child(end)
}

/// Who is here.
pub(super) fn people() -> impl Widget<App> {
    let count = Words::new(|app: &App| {
        app.view()
            .map_or(0, |view| view.state.roster.present().count())
            .to_string()
    })
    .size(size::SMALL)
    .tone(Tone::Muted);
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(head("People", count).padding((space::L, space::S)))
        .with_flex_child(
            Scroll::new(People::default()).vertical().expand_height(),
            1.0,
        )
        .with_child(deeds())
        .with_child(shown(
            |app: &App| app.may(Action::Moderate),
            0.0,
            || door().padding((space::M, 0.0)),
        ))
        .padding((0.0, 0.0, 0.0, space::S))
        .background(surface())
}

/// Whether newcomers knock: what is, and a press for the other.
fn door() -> Button<App> {
    let knocks = |app: &App| app.view().is_some_and(|view| view.state.entrance.approval);
    Button::new(
        Kind::Quiet,
        move |app| {
            if knocks(app) {
                "Newcomers knock"
            } else {
                "Newcomers walk in"
            }
            .to_owned()
        },
        move |ctx: &mut EventCtx, app: &App| {
            let on = !knocks(app);
            ctx.submit_command(cmd::REQUEST.with(App::ask(Intent::SetApproval { on }, Via::Gui)));
        },
    )
    .icon(move |app| Some(if knocks(app) { Icon::Check } else { Icon::Info }))
}

/// How tall that is.
pub(super) fn door_height(app: &App) -> f64 {
    if app.may(Action::Moderate) {
        CONTROL
    } else {
        0.0
    }
}

/// How many buttons of what can be done about somebody stand on one line, and how tall it all is.
const DEEDS_BESIDE: usize = 2;

/// How tall what can be done about the chosen member is.
pub(super) fn deeds_height(app: &App) -> f64 {
    let deeds = deed_words(app).len();
    match deeds.div_ceil(DEEDS_BESIDE) {
        0 => 0.0,
        lines => lines as f64 * (CONTROL + space::XS) + space::S,
    }
}

/// The button that shows what the chosen member may do.
const PERMISSIONS: &str = "Permissions";

/// The words on the buttons of the chosen member.
fn deed_words(app: &App) -> Vec<&'static str> {
    let deeds = app.chosen_deeds();
    let permissions = app.chosen.filter(|chosen| app.has_permissions(*chosen));
    let mut words: Vec<_> = permissions.map(|_| PERMISSIONS).into_iter().collect();
    words.extend(deeds.iter().map(|deed| deed.0));
    words
}

/// What can be done about the chosen member.
fn deeds() -> impl Widget<App> {
    // The words say which buttons there are; what each does, it looks up when it is pressed.
    let words = |app: &App| deed_words(app).join("\n");
    ViewSwitcher::new(
        move |app: &App, _: &Env| words(app),
        |words: &String, _, _| {
            let words: Vec<String> = words.lines().map(str::to_owned).collect();
            if words.is_empty() {
                return druid::widget::SizedBox::empty().boxed();
            }
            let mut lines = Flex::column().cross_axis_alignment(CrossAxisAlignment::Fill);
            for beside in words.chunks(DEEDS_BESIDE) {
                let mut line = Flex::row();
                for (place, words) in beside.iter().enumerate() {
                    if place > 0 {
                        line.add_spacer(space::XS);
                    }
                    line.add_flex_child(deed(words.clone()).expand_width(), 1.0);
                }
                lines.add_child(line);
                lines.add_spacer(space::XS);
            }
            lines.padding((space::M, space::S, space::M, 0.0)).boxed()
        },
    )
}

fn deed(words: String) -> Button<App> {
    let named = words.clone();
    Button::new(
        Kind::Plain,
        move |_| words.clone(),
        move |ctx: &mut EventCtx, app: &App| {
            if named == PERMISSIONS {
                ctx.submit_command(cmd::SHEET.with(app.chosen.map(Sheet::Person)));
                return;
            }
            let deeds = app.chosen_deeds();
            let Some((_, deed)) = deeds.into_iter().find(|(words, _)| *words == named) else {
                return;
            };
            ctx.submit_command(cmd::REQUEST.with(App::ask(deed, Via::Gui)));
            if let Some(member) = app.chosen {
                ctx.submit_command(cmd::CHOOSE.with(member));
            }
            // The button goes with the choice.
            ctx.set_focus(cmd::DESK);
        },
    )
}

/// The five that say most of what is felt in front of a film.
const REACTIONS: [&str; 5] = ["👍", "😂", "😮", "😢", "🎉"];

fn reactions() -> impl Widget<App> {
    let mut row = Flex::row();
    for reaction in REACTIONS {
        row.add_child(
            Button::new(
                Kind::Quiet,
                move |_| reaction.to_owned(),
                move |ctx: &mut EventCtx, _: &App| {
                    let react = Intent::React {
                        reaction: reaction.to_owned(),
                    };
                    ctx.submit_command(cmd::REQUEST.with(App::ask(react, Via::Gui)));
                },
            )
            .enabled(|app: &App| app.may(Action::Chat)),
        );
    }
    row
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
            .enabled(|app: &App| app.may(Action::Chat) && !app.draft.message.trim().is_empty()),
        )
        .padding(space::M);
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(head("Chat", reactions()).padding((space::L, 0.0, space::XS, 0.0)))
        .with_flex_child(
            Follow::new(Story::default().with_id(cmd::STORY)).expand_height(),
            1.0,
        )
        .with_child(write)
        .background(surface())
}
