//! The three screens and the parts they are made of.

pub(super) mod chat;
mod nearby;
pub(super) mod replay;
pub(super) mod room;
pub(super) mod sessions;
pub(super) mod stage;
pub(super) mod start;
pub(super) mod transport;

use druid::EventCtx;

use super::cmd;
use super::data::App;
use super::theme::Theme;
use super::widget::button::{Button, Kind};
use super::widget::icon::Icon;

/// The button that changes the face; it shows the one you would get.
fn theme_button() -> Button<App> {
    Button::new(
        Kind::Quiet,
        |_| String::new(),
        |ctx: &mut EventCtx, _| ctx.submit_command(cmd::FLIP_THEME),
    )
    .icon(|app: &App| {
        Some(match app.draft.theme {
            Theme::Dark => Icon::Sun,
            Theme::Light => Icon::Moon,
        })
    })
}
