//! The choice of the room's speed: a row of chips, the chosen one lit and underlined.

use druid::piet::TextLayout;
use druid::{
    BoxConstraints, Cursor, Env, Event, EventCtx, KbKey, LayoutCtx, LifeCycle, LifeCycleCtx,
    PaintCtx, Point, Rect, RenderContext, Size, UpdateCtx, Widget,
};

use super::super::cmd;
use super::super::data::{App, RATES};
use super::super::theme::{CONTROL, RADIUS_FIELD, RING, palette, size};
use super::icon::focus_ring;
use super::words::{Face, set};
use crate::engine::event::{Action, Via};
use crate::engine::intent::Intent;
use crate::engine::unit::Rate;

/// How wide a chip is where there is room for it.
const CHIP: f64 = 46.0;

/// See the module. A room set to another speed from elsewhere shows that as one more chip.
#[derive(Default)]
pub(in super::super) struct Rates {
    hot: Option<usize>,
    /// How wide a chip is here.
    chip: f64,
}

/// The speeds offered: the usual ones, and the room's own if it is none of them.
fn offered(app: &App) -> Vec<Rate> {
    let mut rates: Vec<Rate> = RATES
        .into_iter()
        .filter_map(Rate::from_millis)
        .chain([app.rate()])
        .collect();
    rates.sort_unstable();
    rates.dedup();
    rates
}

impl Rates {
    fn chip_at(&self, point: Point, count: usize) -> Option<usize> {
        let index = (point.x / self.chip).floor();
        (index >= 0.0 && (index as usize) < count).then_some(index as usize)
    }

    fn choose(ctx: &mut EventCtx, app: &App, rate: Option<&Rate>, via: Via) {
        if let Some(&rate) = rate
            && rate != app.rate()
        {
            ctx.submit_command(cmd::REQUEST.with(App::ask(Intent::Rate { rate }, via)));
        }
    }
}

impl Widget<App> for Rates {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, app: &mut App, _: &Env) {
        if ctx.is_disabled() {
            return;
        }
        let rates = offered(app);
        match event {
            Event::MouseMove(mouse) => {
                self.hot = self.chip_at(mouse.pos, rates.len());
                ctx.set_cursor(&Cursor::Pointer);
                ctx.request_paint();
            }
            Event::MouseDown(mouse) if mouse.button.is_left() => {
                ctx.set_active(true);
                ctx.set_focus(cmd::DESK);
                ctx.set_handled();
            }
            Event::MouseUp(mouse) if ctx.is_active() => {
                ctx.set_active(false);
                if ctx.is_hot() {
                    let chosen = self.chip_at(mouse.pos, rates.len());
                    Self::choose(ctx, app, chosen.and_then(|i| rates.get(i)), Via::Gui);
                }
                ctx.set_handled();
            }
            Event::KeyDown(key) if ctx.is_focused() => {
                let here = rates.iter().position(|rate| *rate == app.rate());
                match &key.key {
                    KbKey::ArrowLeft => {
                        let before = here.and_then(|here| here.checked_sub(1));
                        Self::choose(ctx, app, before.and_then(|i| rates.get(i)), Via::Key);
                    }
                    KbKey::ArrowRight => {
                        let after = here.map(|here| here + 1);
                        Self::choose(ctx, app, after.and_then(|i| rates.get(i)), Via::Key);
                    }
                    KbKey::Tab if key.mods.shift() => ctx.focus_prev(),
                    KbKey::Tab => ctx.focus_next(),
                    _ => return,
                }
                ctx.set_handled();
            }
            _ => {}
        }
    }

    fn lifecycle(&mut self, ctx: &mut LifeCycleCtx, event: &LifeCycle, app: &App, _: &Env) {
        match event {
            LifeCycle::WidgetAdded => ctx.set_disabled(!app.controllable(Action::Rate)),
            LifeCycle::BuildFocusChain => ctx.register_for_focus(),
            LifeCycle::HotChanged(hot) => {
                if !hot {
                    self.hot = None;
                }
                ctx.request_paint();
            }
            LifeCycle::FocusChanged(_) | LifeCycle::DisabledChanged(_) => ctx.request_paint(),
            _ => {}
        }
    }

    fn update(&mut self, ctx: &mut UpdateCtx, was: &App, app: &App, _: &Env) {
        ctx.set_disabled(!app.controllable(Action::Rate));
        if was.rate() != app.rate() || ctx.env_changed() {
            ctx.request_layout();
        }
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, app: &App, _: &Env) -> Size {
        ctx.set_paint_insets(RING);
        let count = offered(app).len() as f64;
        self.chip = (bc.max().width / count).clamp(1.0, CHIP);
        bc.constrain((self.chip * count, CONTROL))
    }

    fn paint(&mut self, ctx: &mut PaintCtx, app: &App, env: &Env) {
        let colors = palette(env);
        let disabled = ctx.is_disabled();
        for (index, rate) in offered(app).into_iter().enumerate() {
            let chip =
                Rect::from_origin_size((self.chip * index as f64, 0.0), (self.chip, CONTROL));
            let chosen = rate == app.rate();
            if self.hot == Some(index) && !disabled {
                let shape = chip.inset(-1.0).to_rounded_rect(RADIUS_FIELD);
                ctx.fill(shape, &colors.raised.color());
            }
            let color = match (chosen, disabled) {
                (true, false) => colors.accent,
                (false, false) if self.hot == Some(index) => colors.text,
                _ => colors.muted,
            };
            let face = Face {
                size: size::SMALL,
                bold: chosen,
            };
            let words = rate.to_string();
            let laid = set(
                ctx.text(),
                &words,
                face,
                color,
                f64::INFINITY,
                Default::default(),
            );
            let center = chip.center() - laid.size().to_vec2() / 2.0;
            ctx.draw_text(&laid, Point::new(center.x.round(), center.y.round()));
            if chosen {
                let line = Rect::new(chip.x0 + 12.0, chip.y1 - 5.0, chip.x1 - 12.0, chip.y1 - 3.0);
                ctx.fill(line, &color.color());
            }
        }
        if ctx.is_focused() {
            let bounds = ctx.size().to_rect();
            focus_ring(ctx, bounds, &colors.accent.color());
        }
    }
}
