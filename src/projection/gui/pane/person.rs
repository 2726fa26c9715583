//! What one member may do: allowed or forbidden one by one, for a time or for good; or asked for.

use std::sync::Arc;

use druid::widget::{CrossAxisAlignment, Flex, List};
use druid::{EventCtx, Widget, WidgetExt};

use super::sheet::group;
use crate::engine::event::{Action, Via};
use crate::projection::gui::cmd;
use crate::projection::gui::data::App;
use crate::projection::gui::theme::{CONTROL, Tone, size, space};
use crate::projection::gui::together::{LASTS, Permission, Sheet};
use crate::projection::gui::widget::button::{Button, Kind};
use crate::projection::gui::widget::chips::Chips;
use crate::projection::gui::widget::shown::shown;
use crate::projection::gui::widget::words::Words;

/// How wide a chip of a time is.
const TIME: f64 = 72.0;
/// How wide the button of a permission is, whatever it says.
const DEED: f64 = 92.0;

/// The sheet.
pub(super) fn person() -> impl Widget<App> {
    let rows = druid::lens::Map::new(
        |app: &App| {
            Arc::new(match app.sheet {
                Some(Sheet::Person(member)) => app.permissions(member),
                _ => Vec::new(),
            })
        },
        // Rows change nothing: what they want, they submit.
        |_: &mut App, _| {},
    );
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(shown(
            |app: &App| app.may(Action::Moderate),
            0.0,
            || group("What you set lasts", lasts()),
        ))
        .with_child(List::new(permission).lens(rows))
}

fn lasts() -> Chips {
    Chips::new(
        |app| {
            let lasts = LASTS.into_iter();
            lasts
                .map(|(words, lasts)| (words.to_owned(), app.draft.lasts == lasts))
                .collect()
        },
        |_| true,
        |_, app, index, _| {
            if let Some((_, lasts)) = LASTS.get(index) {
                app.draft.lasts = *lasts;
            }
        },
    )
    .wide(TIME)
}

fn permission() -> impl Widget<Permission> {
    let deed = || {
        Button::new(
            Kind::Plain,
            |row: &Permission| {
                let words = row.deed.as_ref().map_or("", |deed| deed.0);
                words.to_owned()
            },
            |ctx: &mut EventCtx, row: &Permission| {
                if let Some((_, intent)) = &row.deed {
                    ctx.submit_command(cmd::REQUEST.with(App::ask(intent.clone(), Via::Gui)));
                }
            },
        )
        .width_min(DEED)
    };
    Flex::row()
        .with_flex_child(
            Words::new(|row: &Permission| row.words.clone()).expand_width(),
            1.0,
        )
        .with_spacer(space::S)
        .with_flex_child(
            Words::new(|row: &Permission| row.state.clone())
                .size(size::SMALL)
                .toned(|row: &Permission| match row.allowed {
                    true => Tone::Good,
                    false => Tone::Muted,
                })
                .expand_width(),
            1.0,
        )
        .with_spacer(space::S)
        .with_child(shown(|row: &Permission| row.deed.is_some(), CONTROL, deed).fix_width(DEED))
        .fix_height(CONTROL)
        .padding((0.0, 0.0, 0.0, space::XS))
}
