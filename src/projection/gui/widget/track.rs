//! A bar with a knob on it: where a share of it lies, and how line, knob and bubble are painted.
//!
//! What it stands for is told by those who use it, the seek bar of a film and
//! the scrub bar of an evening.

use druid::kurbo::Circle;
use druid::piet::{PietTextLayout, TextLayout};
use druid::{
    Color, Event, EventCtx, KbKey, KeyEvent, LifeCycle, LifeCycleCtx, PaintCtx, Point, Rect,
    RenderContext, Size,
};

use super::super::cmd;
use super::super::theme::{Palette, space};
use super::icon::focus_ring;

/// Half the knob's width: so far the ends of the line are from those of the bar.
pub(super) const KNOB: f64 = 7.0;
/// How thick the line is.
pub(super) const TRACK: f64 = 4.0;
/// Height of the bubble that floats over the bar with what the pointer points at.
pub(super) const BUBBLE: f64 = 22.0;

/// Which share of a bar this wide lies before a point.
pub(super) fn share_at(x: f64, width: f64) -> f64 {
    let span = (width - 2.0 * KNOB).max(1.0);
    ((x - KNOB) / span).clamp(0.0, 1.0)
}

/// Where on a bar this wide the first `part` of `whole` ends.
pub(super) fn x_of(part: f64, whole: f64, width: f64) -> f64 {
    let share = part / whole.max(1.0);
    KNOB + share.clamp(0.0, 1.0) * (width - 2.0 * KNOB).max(1.0)
}

/// The line of a bar, on this height of its widget.
#[derive(Clone, Copy, Debug)]
pub(super) struct Track {
    /// Where its middle is.
    pub(super) middle: f64,
}

impl Track {
    /// Paints the line from its beginning to `x`.
    pub(super) fn line(self, ctx: &mut PaintCtx, x: f64, color: &Color) {
        let (top, foot) = (self.middle - TRACK / 2.0, self.middle + TRACK / 2.0);
        let line = Rect::new(0.0, top, x.max(0.0), foot).to_rounded_rect(TRACK / 2.0);
        ctx.fill(line, color);
    }

    /// Paints the knob, larger while it is held.
    pub(super) fn knob(self, ctx: &mut PaintCtx, x: f64, color: &Color) {
        let knob = if ctx.is_active() { KNOB + 1.0 } else { KNOB };
        ctx.fill(Circle::new((x, self.middle), knob), color);
    }

    /// Paints the ring around the bar, while keys go there.
    pub(super) fn ring(self, ctx: &mut PaintCtx, colors: &Palette) {
        if ctx.is_focused() {
            let width = ctx.size().width;
            let around = Rect::new(0.0, self.middle - KNOB, width, self.middle + KNOB);
            focus_ring(ctx, around, &colors.accent.color());
        }
    }
}

/// Paints `words` in a bubble over `x`, its upper edge at `above`, inside the bar's width.
pub(super) fn bubble(
    ctx: &mut PaintCtx,
    words: &PietTextLayout,
    x: f64,
    above: f64,
    colors: &Palette,
) {
    let width = ctx.size().width;
    let size = Size::new(words.size().width + 2.0 * space::S, BUBBLE);
    let left = (x - size.width / 2.0).clamp(0.0, (width - size.width).max(0.0));
    let shape = Rect::from_origin_size((left, above), size).to_rounded_rect(4.0);
    ctx.fill(shape, &colors.raised.color());
    ctx.stroke(shape, &colors.line.color(), 1.0);
    let top = above + ((size.height - words.size().height) / 2.0).round();
    ctx.draw_text(words, Point::new(left + space::S, top));
}

/// A press on a bar: it is held from now on, and the keys go to the desk.
pub(super) fn hold(ctx: &mut EventCtx) {
    ctx.set_active(true);
    ctx.set_focus(cmd::DESK);
    ctx.request_paint();
    ctx.set_handled();
}

/// Whether the pointer is of any interest to a bar: over it, or holding it.
pub(super) fn is_pointed(ctx: &EventCtx, event: &Event) -> bool {
    matches!(event, Event::MouseMove(_)) && (ctx.is_hot() || ctx.is_active())
}

/// Lets go of a bar, and of the pointer if that has left it.
pub(super) fn release<P>(ctx: &mut EventCtx, pointer: &mut Option<P>) {
    ctx.set_active(false);
    if !ctx.is_hot() {
        *pointer = None;
    }
    ctx.set_handled();
}

/// Goes to the control before or behind, if that is what the key is for.
pub(super) fn tab(ctx: &mut EventCtx, key: &KeyEvent) {
    match &key.key {
        KbKey::Tab if key.mods.shift() => ctx.focus_prev(),
        KbKey::Tab => ctx.focus_next(),
        _ => return,
    }
    ctx.set_handled();
}

/// What happens to every bar: it takes keys, and forgets a pointer that left.
pub(super) fn lifecycle<P>(ctx: &mut LifeCycleCtx, event: &LifeCycle, pointer: &mut Option<P>) {
    match event {
        LifeCycle::BuildFocusChain => ctx.register_for_focus(),
        LifeCycle::HotChanged(hot) => {
            if !hot && !ctx.is_active() {
                *pointer = None;
            }
            ctx.request_paint();
        }
        LifeCycle::FocusChanged(_) => ctx.request_paint(),
        _ => {}
    }
}
