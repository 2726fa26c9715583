//! Where the film stands and how long it is, ticking on the film's own seconds.

use std::time::Duration;

use druid::piet::TextLayout;
use druid::{
    BoxConstraints, Env, Event, EventCtx, LayoutCtx, LifeCycle, LifeCycleCtx, PaintCtx, Point,
    RenderContext, Size, TimerToken, UpdateCtx, Widget,
};

use super::super::data::{App, clock_face};
use super::super::theme::{palette, size};
use super::words::{Face, set_line};
use crate::engine::unit::MediaTime;
use crate::os::local_now;

const FACE: Face = Face {
    size: size::BODY,
    bold: false,
};

/// See the module. As wide as its widest reading, so that nothing beside it moves.
#[derive(Default)]
pub(in super::super) struct Clock {
    timer: Option<TimerToken>,
}

impl Clock {
    fn reading(app: &App) -> (String, String) {
        let end = app.duration().map(|length| MediaTime::ZERO + length);
        let total = end.map_or_else(String::new, |end| {
            format!(" / {}", clock_face(end, Some(end)))
        });
        (clock_face(app.position(local_now()), end), total)
    }

    /// How long until the film's next whole second, or nothing while it stands.
    fn next_tick(app: &App) -> Option<Duration> {
        if !app.playing() {
            return None;
        }
        let into = app.position(local_now()).get() % 1_000_000;
        let film_left = 1_000_000 - into;
        let left = film_left * 1_000 / u64::from(app.rate().get());
        // A little late rather than a little early: early would paint the old second again.
        Some(Duration::from_micros(left + 5_000))
    }
}

impl Widget<App> for Clock {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, app: &mut App, _: &Env) {
        if let Event::Timer(token) = event
            && Some(*token) == self.timer
        {
            ctx.request_paint();
            self.timer = Self::next_tick(app).map(|wait| ctx.request_timer(wait));
        }
    }

    fn lifecycle(&mut self, ctx: &mut LifeCycleCtx, event: &LifeCycle, app: &App, _: &Env) {
        if let LifeCycle::WidgetAdded = event {
            self.timer = Self::next_tick(app).map(|wait| ctx.request_timer(wait));
        }
    }

    fn update(&mut self, ctx: &mut UpdateCtx, was: &App, app: &App, _: &Env) {
        if was.duration() != app.duration() || ctx.env_changed() {
            ctx.request_layout();
        }
        if was.anchor() != app.anchor()
            || was.view().map(|v| v.clock) != app.view().map(|v| v.clock)
        {
            ctx.request_paint();
            self.timer = Self::next_tick(app).map(|wait| ctx.request_timer(wait));
        }
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, app: &App, env: &Env) -> Size {
        let (at, total) = Self::reading(app);
        let widest: String = format!("{at}{total}")
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        let laid = set_line(ctx.text(), &widest, FACE, palette(env).text);
        bc.constrain((laid.size().width.ceil(), laid.size().height.ceil()))
    }

    fn paint(&mut self, ctx: &mut PaintCtx, app: &App, env: &Env) {
        let colors = palette(env);
        let (at, total) = Self::reading(app);
        let mut draw = |text: &str, color, x| {
            let laid = set_line(ctx.text(), text, FACE, color);
            ctx.draw_text(&laid, Point::new(x, 0.0));
            laid.size().width
        };
        let width = draw(&at, colors.text, 0.0);
        draw(&total, colors.muted, width);
    }
}
