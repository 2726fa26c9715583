//! A row of chips of which one is chosen: lit and underlined. The room's speed, the pace of a replay,
//! and whatever else is one of a few.

use druid::piet::TextLayout;
use druid::{
    BoxConstraints, Cursor, Env, Event, EventCtx, KbKey, LayoutCtx, LifeCycle, LifeCycleCtx,
    PaintCtx, Point, Rect, RenderContext, Size, UpdateCtx, Widget,
};

use super::super::cmd;
use super::super::data::{App, RATES};
use super::super::replay::{ORDER, PACES};
use super::super::theme::{CONTROL, RADIUS_FIELD, RING, palette, size};
use super::icon::focus_ring;
use super::press;
use super::words::{Face, set_line};
use crate::engine::event::{Action, Via};
use crate::engine::intent::Intent;
use crate::engine::projectionist::Pace;
use crate::engine::unit::Rate;
use crate::projection::rewatch::Order;

/// How wide a chip is where there is room for it.
const CHIP: f64 = 46.0;

/// See the module.
pub(in super::super) struct Chips {
    /// What is offered, and whether it is chosen.
    offered: fn(&App) -> Vec<(String, bool)>,
    enabled: fn(&App) -> bool,
    /// Chooses the chip of that number.
    choose: fn(&mut EventCtx, &mut App, usize, Via),
    shown: Vec<(String, bool)>,
    hot: Option<usize>,
    /// How wide a chip is here.
    chip: f64,
    /// How wide it would be with room enough.
    chip_max: f64,
}

/// The usual speeds, and the room's own if it is none of them.
fn rates_offered(app: &App) -> Vec<Rate> {
    let mut rates: Vec<Rate> = RATES
        .into_iter()
        .filter_map(Rate::from_millis)
        .chain([app.rate()])
        .collect();
    rates.sort_unstable();
    rates.dedup();
    rates
}

/// The choice of the room's speed.
pub(in super::super) fn rates() -> Chips {
    let offered = |app: &App| {
        let rates = rates_offered(app).into_iter();
        rates
            .map(|rate| (rate.to_string(), rate == app.rate()))
            .collect()
    };
    let choose = |ctx: &mut EventCtx, app: &mut App, index: usize, via: Via| {
        if let Some(&rate) = rates_offered(app).get(index) {
            ctx.submit_command(cmd::REQUEST.with(App::ask(Intent::Rate { rate }, via)));
        }
    };
    Chips::new(offered, |app| app.controllable(Action::Rate), choose)
}

/// The choice of a replay's pace.
pub(in super::super) fn paces() -> Chips {
    let offered = |app: &App| {
        let paces = PACES.into_iter().map(Pace::times);
        paces
            .map(|pace| (pace.to_string(), pace == app.pace()))
            .collect()
    };
    let choose = |ctx: &mut EventCtx, _: &mut App, index: usize, _: Via| {
        if let Some(times) = PACES.get(index) {
            ctx.submit_command(ORDER.with(Order::Pace(Pace::times(*times))));
        }
    };
    Chips::new(offered, App::replayable, choose)
}

impl Chips {
    /// A row that offers this; choosing a chip that is not chosen yet does that.
    pub(in super::super) fn new(
        offered: fn(&App) -> Vec<(String, bool)>,
        enabled: fn(&App) -> bool,
        choose: fn(&mut EventCtx, &mut App, usize, Via),
    ) -> Self {
        Self {
            offered,
            enabled,
            choose,
            shown: Vec::new(),
            hot: None,
            chip: CHIP,
            chip_max: CHIP,
        }
    }

    /// With chips as wide as this, for words rather than numbers.
    pub(in super::super) fn wide(mut self, px: f64) -> Self {
        self.chip_max = px;
        self
    }

    fn chip_at(&self, point: Point) -> Option<usize> {
        let index = (point.x / self.chip).floor();
        (index >= 0.0 && (index as usize) < self.shown.len()).then_some(index as usize)
    }

    fn chosen(&self) -> Option<usize> {
        self.shown.iter().position(|chip| chip.1)
    }

    fn choose(&self, ctx: &mut EventCtx, app: &mut App, index: Option<usize>, via: Via) {
        if let Some(index) = index.filter(|index| Some(*index) != self.chosen()) {
            (self.choose)(ctx, app, index, via);
        }
    }
}

impl Widget<App> for Chips {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, app: &mut App, _: &Env) {
        if ctx.is_disabled() {
            return;
        }
        match event {
            Event::MouseMove(mouse) => {
                self.hot = self.chip_at(mouse.pos);
                ctx.set_cursor(&Cursor::Pointer);
                ctx.request_paint();
            }
            Event::MouseDown(mouse) if mouse.button.is_left() => {
                press(ctx);
            }
            Event::MouseUp(mouse) if ctx.is_active() => {
                ctx.set_active(false);
                if ctx.is_hot() {
                    self.choose(ctx, app, self.chip_at(mouse.pos), Via::Gui);
                }
                ctx.set_handled();
            }
            Event::KeyDown(key) if ctx.is_focused() => {
                let here = self.chosen();
                match &key.key {
                    KbKey::ArrowLeft => {
                        let before = here.and_then(|here| here.checked_sub(1));
                        self.choose(ctx, app, before, Via::Key);
                    }
                    KbKey::ArrowRight => {
                        let after = here.map(|here| here + 1);
                        let after = after.filter(|after| *after < self.shown.len());
                        self.choose(ctx, app, after, Via::Key);
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
            LifeCycle::WidgetAdded => {
                self.shown = (self.offered)(app);
                ctx.set_disabled(!(self.enabled)(app));
            }
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

    fn update(&mut self, ctx: &mut UpdateCtx, _: &App, app: &App, _: &Env) {
        ctx.set_disabled(!(self.enabled)(app));
        let shown = (self.offered)(app);
        if shown != self.shown || ctx.env_changed() {
            self.shown = shown;
            ctx.request_layout();
        }
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, _: &App, _: &Env) -> Size {
        ctx.set_paint_insets(RING);
        let count = self.shown.len() as f64;
        self.chip = (bc.max().width / count.max(1.0)).clamp(1.0, self.chip_max);
        bc.constrain((self.chip * count, CONTROL))
    }

    fn paint(&mut self, ctx: &mut PaintCtx, _: &App, env: &Env) {
        let colors = palette(env);
        let disabled = ctx.is_disabled();
        for (index, (words, chosen)) in self.shown.iter().enumerate() {
            let chip =
                Rect::from_origin_size((self.chip * index as f64, 0.0), (self.chip, CONTROL));
            if self.hot == Some(index) && !disabled {
                let shape = chip.inset(-1.0).to_rounded_rect(RADIUS_FIELD);
                ctx.fill(shape, &colors.raised.color());
            }
            let color = match (*chosen, disabled) {
                (true, false) => colors.accent,
                (false, false) if self.hot == Some(index) => colors.text,
                _ => colors.muted,
            };
            let face = Face {
                size: size::SMALL,
                bold: *chosen,
            };
            let laid = set_line(ctx.text(), words, face, color);
            let center = chip.center() - laid.size().to_vec2() / 2.0;
            ctx.draw_text(&laid, Point::new(center.x.round(), center.y.round()));
            if *chosen {
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
