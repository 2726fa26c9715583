//! Before the party: one's name, host, join, and the evenings that were.

use druid::widget::{CrossAxisAlignment, Either, Flex, Scroll, SizedBox};
use druid::{EventCtx, LensExt, Widget, WidgetExt};

use super::sessions::sessions;
use super::theme_button;
use crate::projection::gui::cmd;
use crate::projection::gui::data::{App, Draft, TITLE_DEFAULT};
use crate::projection::gui::theme::{Tone, size, space};
use crate::projection::gui::widget::button::{Button, Kind};
use crate::projection::gui::widget::card::{banner, card, heading, label};
use crate::projection::gui::widget::check::Check;
use crate::projection::gui::widget::field::Field;
use crate::projection::gui::widget::measure::Measure;
use crate::projection::gui::widget::words::Words;

/// The whole screen.
pub(in super::super) fn start() -> impl Widget<App> {
    let page = Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(header())
        .with_spacer(space::XL)
        .with_child(banner(wrong))
        .with_child(banner(under_way))
        .with_child(name())
        .with_spacer(space::L)
        .with_child(
            Flex::row()
                .cross_axis_alignment(CrossAxisAlignment::Fill)
                .with_flex_child(host(), 1.0)
                .with_spacer(space::L)
                .with_flex_child(join(), 1.0),
        )
        .with_spacer(space::L)
        .with_child(sessions());
    Scroll::new(Measure::new(page)).vertical().expand()
}

fn wrong(app: &App) -> Option<(Tone, String)> {
    match (app.problem(), app.start()?.error.as_ref()) {
        (Some(missing), _) => Some((Tone::Warn, missing.to_owned())),
        (_, Some(error)) => Some((Tone::Bad, error.clone())),
        _ => None,
    }
}

fn under_way(app: &App) -> Option<(Tone, String)> {
    Some((Tone::Info, app.start()?.busy.clone()?))
}

fn header() -> impl Widget<App> {
    Flex::row()
        .with_flex_child(
            Flex::column()
                .cross_axis_alignment(CrossAxisAlignment::Start)
                .with_child(Words::fixed("Séance").size(size::DISPLAY).bold())
                .with_spacer(2.0)
                .with_child(Words::fixed("Watch together, in step.").tone(Tone::Muted))
                .expand_width(),
            1.0,
        )
        .with_child(theme_button())
}

fn name() -> impl Widget<App> {
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Start)
        .with_child(label("Your name"))
        .with_spacer(space::XS)
        .with_child(
            Flex::row()
                .with_child(
                    Field::new(
                        cmd::NAME,
                        "What the others call you",
                        App::draft.then(Draft::name),
                        None,
                    )
                    .fix_width(320.0),
                )
                .with_spacer(space::L)
                .with_child(player()),
        )
}

/// The choice of player, where there is one.
fn player() -> impl Widget<App> {
    Either::new(
        |app: &App, _| app.draft.has_mpv,
        Check::new("Watch in mpv, not in Chrome")
            .lens(App::draft.then(Draft::mpv))
            .disabled_if(|app: &App, _| app.busy()),
        SizedBox::empty(),
    )
}

fn host() -> impl Widget<App> {
    let column = Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(heading("Host a party"))
        .with_spacer(space::M)
        .with_child(label("Title"))
        .with_spacer(space::XS)
        .with_child(Field::new(
            druid::WidgetId::next(),
            TITLE_DEFAULT,
            App::draft.then(Draft::title),
            Some(cmd::HOST),
        ))
        .with_spacer(space::M)
        .with_child(label("Film link, if you have it at hand"))
        .with_spacer(space::XS)
        .with_child(Field::new(
            druid::WidgetId::next(),
            "https://…",
            App::draft.then(Draft::film),
            Some(cmd::HOST),
        ))
        .with_spacer(space::M)
        .with_child(
            Check::new("People on this network can join")
                .lens(App::draft.then(Draft::lan))
                .disabled_if(|app: &App, _| app.busy()),
        )
        .with_spacer(space::L)
        .with_child(
            Button::new(
                Kind::Primary,
                |_| "Host a party".to_owned(),
                |ctx: &mut EventCtx, _| ctx.submit_command(cmd::HOST),
            )
            .enabled(|app: &App| !app.busy())
            .with_id(cmd::HOST_BUTTON),
        );
    card(column)
}

fn join() -> impl Widget<App> {
    let column = Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(heading("Join a party"))
        .with_spacer(space::M)
        .with_child(label("Link from the host"))
        .with_spacer(space::XS)
        .with_child(Field::new(
            cmd::LINK,
            "Paste a link",
            App::draft.then(Draft::link),
            Some(cmd::JOIN),
        ))
        .with_spacer(space::M)
        .with_child(label("Passcode, if the party asks for one"))
        .with_spacer(space::XS)
        .with_child(Field::new(
            druid::WidgetId::next(),
            "",
            App::draft.then(Draft::passcode),
            Some(cmd::JOIN),
        ))
        .with_spacer(space::M)
        .with_child(
            Button::new(
                Kind::Plain,
                |_| "Join".to_owned(),
                |ctx: &mut EventCtx, _| ctx.submit_command(cmd::JOIN),
            )
            .enabled(|app: &App| !app.busy()),
        )
        .with_spacer(space::M)
        .with_child(
            Words::fixed("The same link opens in any browser, for friends without this program.")
                .tone(Tone::Muted)
                .lines(3),
        );
    card(column)
}
