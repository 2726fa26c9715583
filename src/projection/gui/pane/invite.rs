//! The link to hand out, as words and as a picture a phone can read, and how the ways to it stand.

use std::sync::Arc;

use druid::widget::{CrossAxisAlignment, Flex, ViewSwitcher};
use druid::{Env, EventCtx, Widget, WidgetExt};

use crate::engine::event::{Role, Via};
use crate::engine::fold::entrance::OWN_LINK;
use crate::engine::intent::Intent;
use crate::projection::gui::cmd;
use crate::projection::gui::data::{App, Note};
use crate::projection::gui::theme::{Tone, size, space};
use crate::projection::gui::widget::button::{Button, Kind};
use crate::projection::gui::widget::code::Code;
use crate::projection::gui::widget::icon::Icon;
use crate::projection::gui::widget::shown::shown;
use crate::projection::gui::widget::words::Words;
use crate::projection::view::Link;

/// How wide the button is that copies, whatever it says.
pub(super) const COPY_WIDTH: f64 = 136.0;
/// How wide and tall the picture is.
const CODE: f64 = 180.0;

/// The link to hand out. One to a party that is over would only disappoint.
pub(super) fn link(app: &App) -> Option<Arc<str>> {
    let view = app.view()?;
    view.invite
        .clone()
        .filter(|_| !matches!(view.link, Link::Over(_)))
}

/// A quiet button that asks for something.
fn ask_button(words: &'static str, intent: impl Fn(&App) -> Intent + 'static) -> Button<App> {
    Button::new(
        Kind::Quiet,
        move |_| words.to_owned(),
        move |ctx: &mut EventCtx, app: &App| {
            ctx.submit_command(cmd::REQUEST.with(App::ask(intent(app), Via::Gui)));
        },
    )
}

/// Asks for a link for guests.
pub(super) fn make() -> Button<App> {
    ask_button("Make a link", |_| Intent::Invite {
        role: Role::Guest,
        lasts: None,
        uses: None,
    })
}

/// Ends the link that is shown.
pub(super) fn revoke() -> Button<App> {
    ask_button("Revoke", |app| Intent::RevokeInvite {
        invite: app.shared_link().unwrap_or(OWN_LINK),
    })
}

/// Puts the link on the clipboard.
pub(super) fn copy() -> Button<App> {
    let copied = |app: &App| app.note == Some(Note::Copied);
    Button::new(
        Kind::Plain,
        move |app| {
            if copied(app) {
                "Link copied"
            } else {
                "Copy link"
            }
            .to_owned()
        },
        |ctx: &mut EventCtx, app| {
            if let Some(link) = link(app) {
                ctx.submit_command(cmd::COPY.with(link));
            }
        },
    )
    .icon(move |app| Some(if copied(app) { Icon::Check } else { Icon::Copy }))
    .width_min(COPY_WIDTH)
}

/// The sheet.
pub(super) fn invite() -> impl Widget<App> {
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(shown(|app| link(app).is_some(), 0.0, shared))
        .with_child(shown(
            |app| link(app).is_none(),
            0.0,
            || {
                Flex::row()
                    .with_flex_child(
                        Words::fixed("There is no link to hand out.")
                            .tone(Tone::Muted)
                            .expand_width(),
                        1.0,
                    )
                    .with_child(make())
            },
        ))
        .with_child(ways())
}

fn shared() -> impl Widget<App> {
    let words = Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(
            Words::fixed("Scan this with a phone, or send the link. It opens in any browser.")
                .lines(3),
        )
        .with_spacer(space::S)
        .with_child(
            Words::new(|app: &App| link(app).map_or_else(String::new, |link| link.to_string()))
                .size(size::SMALL)
                .tone(Tone::Muted)
                .lines(4),
        )
        .with_spacer(space::S)
        .with_child(Flex::row().with_child(copy()).with_child(revoke()));
    Flex::row()
        .cross_axis_alignment(CrossAxisAlignment::Start)
        .with_child(Code::new(link).fix_size(CODE, CODE))
        .with_spacer(space::L)
        .with_flex_child(words, 1.0)
        .padding((0.0, 0.0, 0.0, space::M))
}

/// How the ways stand, for those who keep them: a sentence each.
fn ways() -> impl Widget<App> {
    ViewSwitcher::new(
        |app: &App, _: &Env| app.ways_lines().len(),
        |lines, _, _| {
            let mut column = Flex::column().cross_axis_alignment(CrossAxisAlignment::Fill);
            for line in 0..*lines {
                let said = move |app: &App| {
                    let mut lines = app.ways_lines().into_iter();
                    lines.nth(line)
                };
                column.add_child(
                    Words::new(move |app: &App| said(app).map_or_else(String::new, |(_, it)| it))
                        .toned(move |app: &App| said(app).map_or(Tone::Info, |(tone, _)| tone))
                        .lines(4),
                );
                column.add_spacer(space::XS);
            }
            column.boxed()
        },
    )
}
