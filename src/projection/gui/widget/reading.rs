//! What the clocks of a replay read: the evening's, and the film's.

use std::time::Duration;

use druid::piet::TextLayout;
use druid::{
    BoxConstraints, Env, Event, EventCtx, LayoutCtx, LifeCycle, LifeCycleCtx, PaintCtx, Point,
    RenderContext, Size, TimerToken, UpdateCtx, Widget,
};

use super::super::data::App;
use super::super::replay::moment_face;
use super::super::theme::{palette, size};
use super::words::{Face, set_line};
use crate::engine::unit::LocalTime;
use crate::os::local_now;

/// How often it is looked at while the replay runs: no second of it is missed at its own pace.
const TICK: Duration = Duration::from_millis(100);

const EVENING: Face = Face {
    size: size::BODY,
    bold: true,
};
const FILM: Face = Face {
    size: size::SMALL,
    bold: false,
};

/// See the module. Two lines, as wide as their widest reading, so that nothing beside them moves.
#[derive(Default)]
pub(in super::super) struct Reading {
    timer: Option<TimerToken>,
    shown: (String, String),
}

impl Reading {
    fn read(app: &App, now: LocalTime) -> (String, String) {
        let evening = app.replay().map_or_else(String::new, |replay| {
            let end = replay.programme.end();
            let at = moment_face(app.moment(now), end);
            format!("{at} / {}", moment_face(end, end))
        });
        (evening, app.film_reading(now))
    }
}

impl Widget<App> for Reading {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, app: &mut App, _: &Env) {
        if let Event::Timer(token) = event
            && Some(*token) == self.timer
        {
            let now = local_now();
            if Self::read(app, now) != self.shown {
                ctx.request_paint();
            }
            let runs = app.replaying(now);
            self.timer = runs.then(|| ctx.request_timer(TICK));
        }
    }

    fn lifecycle(&mut self, ctx: &mut LifeCycleCtx, event: &LifeCycle, app: &App, _: &Env) {
        if let LifeCycle::WidgetAdded = event
            && app.replaying(local_now())
        {
            self.timer = Some(ctx.request_timer(TICK));
        }
    }

    fn update(&mut self, ctx: &mut UpdateCtx, was: &App, app: &App, _: &Env) {
        let now = local_now();
        if was.duration() != app.duration() || was.loaded() != app.loaded() || ctx.env_changed() {
            ctx.request_layout();
        }
        if Self::read(app, now) != self.shown {
            ctx.request_paint();
        }
        if self.timer.is_none() && app.replaying(now) {
            self.timer = Some(ctx.request_timer(TICK));
        }
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, app: &App, env: &Env) -> Size {
        let (evening, film) = Self::read(app, local_now());
        let text = palette(env).text;
        let mut widest = |words: &str, face| {
            if words.is_empty() {
                return Size::ZERO;
            }
            let digits = |c: char| if c.is_ascii_digit() { '0' } else { c };
            let zeros: String = words.chars().map(digits).collect();
            let laid = set_line(ctx.text(), &zeros, face, text);
            laid.size()
        };
        let (evening, film) = (widest(&evening, EVENING), widest(&film, FILM));
        let width = evening.width.max(film.width).ceil();
        bc.constrain((width, (evening.height + film.height).ceil()))
    }

    fn paint(&mut self, ctx: &mut PaintCtx, app: &App, env: &Env) {
        let colors = palette(env);
        self.shown = Self::read(app, local_now());
        let lines = [
            (&self.shown.0, EVENING, colors.text),
            (&self.shown.1, FILM, colors.muted),
        ];
        let mut top = 0.0;
        for (words, face, color) in lines {
            if words.is_empty() {
                continue;
            }
            let laid = set_line(ctx.text(), words, face, color);
            ctx.draw_text(&laid, Point::new(0.0, top));
            top += laid.size().height;
        }
    }
}
