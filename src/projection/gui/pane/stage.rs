//! The stage: what plays, where it is shown, and whom the others miss.
//!
//! The film itself is in the player's window. Here stands what tells it apart
//! from every other film: tall, in the middle; in a low window, on one line.

use druid::{
    BoxConstraints, Env, Event, EventCtx, LayoutCtx, LifeCycle, LifeCycleCtx, PaintCtx, Point,
    Size, UpdateCtx, Widget,
};

use druid::WidgetExt;
use druid::widget::Flex;

use super::sheet::asks;
use super::{Pod, pod};
use crate::engine::intent::Intent;
use crate::projection::gui::data::App;
use crate::projection::gui::theme::{Tone, palette, size, space};
use crate::projection::gui::widget::button::{Button, Kind};
use crate::projection::gui::widget::card::surface;
use crate::projection::gui::widget::icon::{GRID, Icon};
use crate::projection::gui::widget::shown::shown;
use crate::projection::gui::widget::words::Words;
use crate::projection::gui::{PlayerState, Request, cmd};

/// Below this height everything stands on one line.
const TALL_FROM: f64 = 190.0;
/// What one line of the film's name is given on a low stage; two do not fit.
const FILM_LINE: f64 = 32.0;
/// How many times its grid the icon is drawn.
const ICON_SCALE: f64 = 2.4;

/// See the module.
pub(super) struct Stage {
    ground: druid::widget::Painter<App>,
    film: Pod,
    place: Pod,
    waiting: Pod,
    button: Pod,
    icon: Point,
    icon_scale: f64,
}

/// The stage.
pub(super) fn stage() -> Stage {
    Stage {
        ground: surface(),
        film: pod(Words::new(|app: &App| {
            app.film().unwrap_or_else(|| {
                let nothing = match app.replay() {
                    Some(_) => "Nothing was on yet.",
                    None => "Nothing is loaded yet. Paste a video link below.",
                };
                nothing.to_owned()
            })
        })
        .size(size::TITLE)
        .bold()
        .lines(2)
        .centered()),
        place: pod(Words::new(|app: &App| {
            if app.loaded() {
                app.shown_where()
            } else {
                String::new()
            }
        })
        .tone(Tone::Muted)
        .lines(2)
        .centered()),
        waiting: pod(Words::new(App::waiting).tone(Tone::Warn)),
        button: pod(buttons()),
        icon: Point::ZERO,
        icon_scale: 1.0,
    }
}

/// What can be done about the film here: show it, ask for it, ask who is ready.
fn buttons() -> impl Widget<App> {
    let ready = || {
        asks(
            |_| "Ready?".to_owned(),
            |_: &App| vec![Intent::ReadyCheck {}],
        )
        .padding((space::S, 0.0, 0.0, 0.0))
    };
    let may_i = || {
        asks(
            |app: &App| {
                match app.may_i() {
                    Some(asked) if asked.is_empty() => "Asked to control the film",
                    _ => "May I control the film?",
                }
                .to_owned()
            },
            |app: &App| app.may_i().unwrap_or_default(),
        )
        .padding((space::S, 0.0, 0.0, 0.0))
    };
    Flex::row()
        .with_child(player_button())
        .with_child(shown(App::may_ask_ready, 0.0, ready))
        .with_child(shown(|app: &App| app.may_i().is_some(), 0.0, may_i))
}

fn player_button() -> Button<App> {
    let state = App::player;
    Button::new(
        Kind::Plain,
        move |app| {
            match state(app) {
                PlayerState::Closed => "Open the film",
                PlayerState::Opening => "Opening…",
                PlayerState::Open => "Close the player",
            }
            .to_owned()
        },
        move |ctx: &mut EventCtx, app| {
            let request = match state(app) {
                PlayerState::Closed => Request::OpenPlayer,
                PlayerState::Opening => return,
                PlayerState::Open => Request::ClosePlayer,
            };
            ctx.submit_command(cmd::REQUEST.with(request));
        },
    )
    .enabled(move |app| app.loaded() && state(app) != PlayerState::Opening)
}

impl Stage {
    fn pods(&mut self) -> [&mut Pod; 4] {
        [
            &mut self.film,
            &mut self.place,
            &mut self.waiting,
            &mut self.button,
        ]
    }

    fn lay_tall(&mut self, ctx: &mut LayoutCtx, whole: Size, app: &App, env: &Env) {
        let room = BoxConstraints::new(
            Size::ZERO,
            Size::new(whole.width - 2.0 * space::XL, whole.height),
        );
        let icon = GRID * ICON_SCALE;
        let loaded = app.loaded();
        let sizes = [
            self.film.layout(ctx, &room, app, env),
            self.place.layout(ctx, &room, app, env),
            self.waiting.layout(ctx, &room, app, env),
            self.button.layout(ctx, &room, app, env),
        ];
        let gaps = [space::M, space::XS, space::S, space::L];
        let shown = |index: usize| sizes[index].height > 0.0 && (index < 3 || loaded);
        let content: f64 = icon
            + (0..4)
                .filter(|index| shown(*index))
                .map(|index| gaps[index] + sizes[index].height)
                .sum::<f64>();
        let mut y = ((whole.height - content) / 2.0).max(space::S);
        self.icon = Point::new(whole.width / 2.0, y + icon / 2.0);
        self.icon_scale = ICON_SCALE;
        y += icon;
        for (index, pod) in self.pods().into_iter().enumerate() {
            if shown(index) {
                y += gaps[index];
            }
            let x = (whole.width - sizes[index].width) / 2.0;
            pod.set_origin(ctx, Point::new(x.round(), y.round()));
            if shown(index) {
                y += sizes[index].height;
            }
        }
    }

    fn lay_low(&mut self, ctx: &mut LayoutCtx, whole: Size, app: &App, env: &Env) {
        let loose = BoxConstraints::new(Size::ZERO, whole);
        let button = self.button.layout(ctx, &loose, app, env);
        let right = whole.width - space::L - if app.loaded() { button.width } else { 0.0 };
        let at = Point::new(right, ((whole.height - button.height) / 2.0).round());
        self.button.set_origin(ctx, at);
        let left = space::L + GRID * 1.4 + space::M;
        self.icon = Point::new(space::L + GRID * 0.7, whole.height / 2.0);
        self.icon_scale = 1.4;
        let room = BoxConstraints::new(
            Size::ZERO,
            Size::new((right - left - space::L).max(0.0), whole.height),
        );
        // One line each; the film's second line is for tall stages.
        let line = BoxConstraints::new(Size::ZERO, Size::new(room.max().width, FILM_LINE));
        let heights = [
            self.film.layout(ctx, &line, app, env).height,
            self.place.layout(ctx, &room, app, env).height,
            self.waiting.layout(ctx, &room, app, env).height,
        ];
        let mut y = ((whole.height - heights.iter().sum::<f64>()) / 2.0).max(space::XS);
        let lines: [&mut Pod; 3] = [&mut self.film, &mut self.place, &mut self.waiting];
        for (pod, height) in lines.into_iter().zip(heights) {
            pod.set_origin(ctx, Point::new(left, y.round()));
            y += height;
        }
    }
}

impl Widget<App> for Stage {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, app: &mut App, env: &Env) {
        if app.loaded() || !matches!(event, Event::MouseDown(_)) {
            self.button.event(ctx, event, app, env);
        }
        for pod in [&mut self.film, &mut self.place, &mut self.waiting] {
            pod.event(ctx, event, app, env);
        }
    }

    fn lifecycle(&mut self, ctx: &mut LifeCycleCtx, event: &LifeCycle, app: &App, env: &Env) {
        self.ground.lifecycle(ctx, event, app, env);
        for pod in self.pods() {
            pod.lifecycle(ctx, event, app, env);
        }
    }

    fn update(&mut self, ctx: &mut UpdateCtx, was: &App, app: &App, env: &Env) {
        if was.loaded() != app.loaded() {
            ctx.request_layout();
        }
        if was.playing() != app.playing() || ctx.env_changed() {
            ctx.request_paint();
        }
        for pod in self.pods() {
            pod.update(ctx, app, env);
        }
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, app: &App, env: &Env) -> Size {
        let whole = bc.max();
        if whole.height < TALL_FROM {
            self.lay_low(ctx, whole, app, env);
        } else {
            self.lay_tall(ctx, whole, app, env);
        }
        whole
    }

    fn paint(&mut self, ctx: &mut PaintCtx, app: &App, env: &Env) {
        self.ground.paint(ctx, app, env);
        let colors = palette(env);
        // Projector light while it runs.
        let tone = if app.playing() {
            Tone::Accent
        } else {
            Tone::Muted
        };
        Icon::Film.paint_scaled(ctx, self.icon, self.icon_scale, &colors.tone(tone).color());
        for pod in [&mut self.film, &mut self.place, &mut self.waiting] {
            pod.paint(ctx, app, env);
        }
        if app.loaded() {
            self.button.paint(ctx, app, env);
        }
    }
}
