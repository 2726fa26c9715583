//! Under the stage: the next film's link, the seek bar, and the buttons everybody knows.

use druid::widget::{CrossAxisAlignment, Flex};
use druid::{EventCtx, LensExt, Widget, WidgetExt};

use crate::projection::gui::cmd;
use crate::projection::gui::data::{App, Draft};
use crate::projection::gui::delegate::LEAP_SECS;
use crate::projection::gui::theme::space;
use crate::projection::gui::widget::button::{Button, Kind};
use crate::projection::gui::widget::card::surface;
use crate::projection::gui::widget::clock::Clock;
use crate::projection::gui::widget::field::Field;
use crate::projection::gui::widget::icon::Icon;
use crate::projection::gui::widget::rates::Rates;
use crate::projection::gui::widget::seekbar::SeekBar;

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
                |_| "Load".to_owned(),
                |ctx: &mut EventCtx, _| ctx.submit_command(cmd::LOAD),
            )
            .enabled(|app: &App| app.connected() && !app.draft.address.trim().is_empty()),
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
            .enabled(App::controllable)
            .width_min(104.0)
            .with_id(cmd::PLAY),
        )
        .with_spacer(space::S)
        .with_child(leap("10", Icon::Back, -LEAP_SECS))
        .with_spacer(space::XS)
        .with_child(leap("10", Icon::Forward, LEAP_SECS))
        .with_spacer(space::M)
        .with_child(Clock::default())
        .with_spacer(space::M)
        .with_flex_child(Rates::default().align_right(), 1.0);
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
    .enabled(App::controllable)
}
