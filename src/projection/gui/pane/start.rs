//! Before the party: one's name, host, join, and the evenings that were.

use druid::widget::{CrossAxisAlignment, Flex, Scroll};
use druid::{EventCtx, LensExt, Widget, WidgetExt};

use super::nearby::nearby;
use super::sessions::sessions;
use super::theme_button;
use crate::projection::gui::Request;
use crate::projection::gui::cmd;
use crate::projection::gui::data::{App, Draft, TITLE_DEFAULT};
use crate::projection::gui::theme::{Tone, size, space};
use crate::projection::gui::together::REGIONS;
use crate::projection::gui::widget::button::{Button, Kind};
use crate::projection::gui::widget::card::{banner, card, heading, label};
use crate::projection::gui::widget::check::Check;
use crate::projection::gui::widget::chips::Chips;
use crate::projection::gui::widget::field::Field;
use crate::projection::gui::widget::icon::GRID;
use crate::projection::gui::widget::measure::Measure;
use crate::projection::gui::widget::shown::shown;
use crate::projection::gui::widget::words::Words;

/// Where the words of a check box begin: what belongs to it stands under them.
const INDENT: f64 = GRID + space::S;
/// How wide the word of a region is.
const REGION: f64 = 54.0;

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
        .with_child(nearby())
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
    shown(
        |app: &App| app.draft.has_mpv,
        0.0,
        || {
            Check::new("Watch in mpv, not in Chrome")
                .lens(App::draft.then(Draft::mpv))
                .disabled_if(|app: &App, _| app.busy())
        },
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
            cmd::FILM,
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
        .with_spacer(space::S)
        .with_child(
            Check::new("Friends elsewhere can join")
                .lens(App::draft.then(Draft::elsewhere))
                .disabled_if(|app: &App, _| app.busy()),
        )
        .with_child(shown(|app: &App| app.draft.elsewhere, 0.0, elsewhere))
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

/// By what friends elsewhere come in: the way most can go first.
fn elsewhere() -> impl Widget<App> {
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(
            Check::new("Through ngrok, with an account there")
                .lens(App::draft.then(Draft::ngrok))
                .disabled_if(|app: &App, _| app.busy()),
        )
        .with_child(shown(|app: &App| app.draft.ngrok, 0.0, token))
        .with_spacer(space::S)
        .with_child(
            Check::new("By a port that the router opens")
                .lens(App::draft.then(Draft::port))
                .disabled_if(|app: &App, _| app.busy()),
        )
        .with_child(shown(
            |app: &App| app.draft.port,
            0.0,
            || {
                hint("The router closes it at the end. Who stands along the way can read what passes.")
                    .padding((INDENT, space::XS, 0.0, 0.0))
            },
        ))
        .with_spacer(space::S)
        .with_child(
            Check::new("By an address of mine")
                .lens(App::draft.then(Draft::own))
                .disabled_if(|app: &App, _| app.busy()),
        )
        .with_child(shown(|app: &App| app.draft.own, 0.0, place))
        .padding((INDENT, space::S, 0.0, 0.0))
}

/// ngrok's token: whether it is kept, and how to keep it. It goes from the clipboard to its file
/// without being shown.
fn token() -> impl Widget<App> {
    let says = |app: &App| {
        if app.has_token() {
            "Your ngrok token is kept on this computer."
        } else {
            "Copy your token at dashboard.ngrok.com/get-started/your-authtoken, then:"
        }
        .to_owned()
    };
    let paste = Button::new(
        Kind::Plain,
        |_| "Paste token".to_owned(),
        |ctx: &mut EventCtx, _: &App| ctx.submit_command(cmd::PASTE_TOKEN),
    )
    .enabled(|app: &App| !app.busy());
    let forget = || {
        Button::new(
            Kind::Quiet,
            |_| "Forget it".to_owned(),
            |ctx: &mut EventCtx, _: &App| {
                ctx.submit_command(cmd::REQUEST.with(Request::ForgetToken));
            },
        )
        .enabled(|app: &App| !app.busy())
    };
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Start)
        .with_child(
            Words::new(says)
                .size(size::SMALL)
                .tone(Tone::Muted)
                .lines(2),
        )
        .with_spacer(space::XS)
        .with_child(
            Flex::row()
                .with_child(paste)
                .with_spacer(space::S)
                .with_child(shown(App::has_token, 0.0, forget)),
        )
        .with_spacer(space::S)
        .with_child(
            Check::new("At an address of mine, or by another region")
                .lens(App::draft.then(Draft::ngrok_more))
                .disabled_if(|app: &App, _| app.busy()),
        )
        .with_child(shown(|app: &App| app.draft.ngrok_more, 0.0, at_ngrok))
        .padding((INDENT, space::XS, 0.0, 0.0))
}

fn hint(words: &'static str) -> impl Widget<App> {
    Words::fixed(words)
        .size(size::SMALL)
        .tone(Tone::Muted)
        .lines(2)
}

/// Where at ngrok: the account's own address, and the region in which it is entered.
fn at_ngrok() -> impl Widget<App> {
    let regions = Chips::new(
        |app| {
            let nearest = ("nearest".to_owned(), app.draft.region.is_none());
            let others = REGIONS.into_iter();
            let others = others.map(|region| (region.to_owned(), app.draft.region == Some(region)));
            std::iter::once(nearest).chain(others).collect()
        },
        |app| !app.busy(),
        |_, app, index, _| {
            app.draft.region = index.checked_sub(1).map(|index| REGIONS[index]);
        },
    );
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_spacer(space::XS)
        .with_child(Field::new(
            druid::WidgetId::next(),
            "film-night.ngrok.app",
            App::draft.then(Draft::domain),
            Some(cmd::HOST),
        ))
        .with_spacer(space::XS)
        .with_child(regions.wide(REGION))
}

/// An address of the host's own.
fn place() -> impl Widget<App> {
    Flex::column()
        .cross_axis_alignment(CrossAxisAlignment::Fill)
        .with_child(Field::new(
            cmd::PLACE,
            "https://party.example.org",
            App::draft.then(Draft::place),
            Some(cmd::HOST),
        ))
        .with_spacer(space::XS)
        .with_child(hint(
            "Your own reverse proxy passes it on to this computer.",
        ))
        .padding((INDENT, space::XS, 0.0, 0.0))
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
