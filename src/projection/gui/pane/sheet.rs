//! What is wanted once in a while, laid over the stage: one thing at a time, behind one button.

use druid::widget::{CrossAxisAlignment, Flex, Painter, Scroll, ViewSwitcher};
use druid::{Env, EventCtx, Widget, WidgetExt};

use super::close;
use super::invite::invite;
use super::person::person;
use super::poll::poll;
use super::rules::{order, rules};
use crate::engine::event::Via;
use crate::engine::intent::Intent;
use crate::projection::gui::cmd;
use crate::projection::gui::data::App;
use crate::projection::gui::theme::{Tone, size, space};
use crate::projection::gui::together::Sheet;
use crate::projection::gui::widget::button::{Button, Kind};
use crate::projection::gui::widget::card::surface;
use crate::projection::gui::widget::chips::Chips;
use crate::projection::gui::widget::icon::Icon;
use crate::projection::gui::widget::words::Words;

/// How wide the word of a tab is.
const TAB: f64 = 72.0;
/// How wide the words over a group are.
pub(super) const GROUP: f64 = 108.0;

/// The button that opens it, and closes it again.
pub(super) fn more() -> Button<App> {
    Button::new(
        Kind::Quiet,
        |_| "More".to_owned(),
        |ctx: &mut EventCtx, app: &App| {
            let first = app.tabs().first().map(|(_, sheet)| *sheet);
            let sheet = first.filter(|_| app.sheet.is_none());
            ctx.submit_command(cmd::SHEET.with(sheet));
        },
    )
    .icon(|_| Some(Icon::More))
}

/// The sheet, while one is open.
pub(super) fn sheet() -> impl Widget<App> {
    ViewSwitcher::new(
        |app: &App, _: &Env| app.sheet,
        |sheet, _, _| {
            let inside = match sheet {
                None => return druid::widget::SizedBox::empty().boxed(),
                Some(Sheet::Queue) => order().boxed(),
                Some(Sheet::Poll) => poll().boxed(),
                Some(Sheet::Rules) => rules().boxed(),
                Some(Sheet::Invite) => invite().boxed(),
                Some(Sheet::Person(_)) => person().boxed(),
            };
            let head = match sheet {
                Some(Sheet::Person(_)) => {
                    Words::new(|app: &App| app.permissions_title().unwrap_or_default())
                        .bold()
                        .expand_width()
                        .boxed()
                }
                _ => tabs().align_left().boxed(),
            };
            let head = Flex::row()
                .with_flex_child(head, 1.0)
                .with_child(close(|ctx| ctx.submit_command(cmd::SHEET.with(None))))
                .padding((space::L, space::XS, space::XS, 0.0));
            Flex::column()
                .cross_axis_alignment(CrossAxisAlignment::Fill)
                .with_child(head)
                .with_flex_child(
                    Scroll::new(inside.padding((space::L, space::S, space::L, space::M)))
                        .vertical()
                        .expand(),
                    1.0,
                )
                .background(surface())
                .boxed()
        },
    )
}

fn tabs() -> Chips {
    Chips::new(
        |app| {
            let tabs = app.tabs().into_iter();
            tabs.map(|(words, sheet)| (words.to_owned(), app.sheet == Some(sheet)))
                .collect()
        },
        |_| true,
        |ctx, app, index, _| {
            if let Some((_, sheet)) = app.tabs().get(index) {
                ctx.submit_command(cmd::SHEET.with(Some(*sheet)));
            }
        },
    )
    .wide(TAB)
}

/// One line of a sheet: what it is about, and its control.
pub(super) fn group(words: &'static str, control: impl Widget<App> + 'static) -> impl Widget<App> {
    Flex::row()
        .with_child(
            Words::fixed(words)
                .size(size::SMALL)
                .tone(Tone::Muted)
                .fix_width(GROUP),
        )
        .with_spacer(space::S)
        .with_flex_child(control.align_left(), 1.0)
}

/// A button that asks the room for something, where the viewer can.
pub(super) fn asks(
    words: impl Fn(&App) -> String + 'static,
    deed: impl Fn(&App) -> Vec<Intent> + Clone + 'static,
) -> Button<App> {
    let wanted = deed.clone();
    Button::new(Kind::Plain, words, move |ctx: &mut EventCtx, app: &App| {
        for intent in deed(app) {
            ctx.submit_command(cmd::REQUEST.with(App::ask(intent, Via::Gui)));
        }
    })
    .enabled(move |app: &App| !wanted(app).is_empty())
}

/// A thin line of light, so long as this share.
pub(super) fn share_of<T: druid::Data>(share: impl Fn(&T) -> f64 + 'static) -> Painter<T> {
    use druid::RenderContext;
    Painter::new(move |ctx, data: &T, env| {
        let bounds = ctx.size().to_rect();
        let width = bounds.width() * share(data).clamp(0.0, 1.0);
        let bar = druid::Rect::new(0.0, bounds.y1 - 3.0, width, bounds.y1 - 1.0);
        ctx.fill(
            bar,
            &crate::projection::gui::theme::palette(env).accent.color(),
        );
    })
}
