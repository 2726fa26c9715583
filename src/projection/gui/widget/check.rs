//! A check box whose whole line can be pressed.

use druid::piet::TextLayout;
use druid::{
    BoxConstraints, Cursor, Env, Event, EventCtx, KbKey, LayoutCtx, LifeCycle, LifeCycleCtx,
    PaintCtx, Point, Rect, RenderContext, Size, UpdateCtx, Widget,
};

use super::super::theme::{RING, palette, size, space};
use super::icon::{GRID, Icon, focus_ring};
use super::words::{Face, fit};

/// See the module.
pub(in super::super) struct Check {
    words: &'static str,
    laid: Option<druid::piet::PietTextLayout>,
}

impl Check {
    /// A box with these words behind it.
    pub(in super::super) fn new(words: &'static str) -> Self {
        Self { words, laid: None }
    }
}

impl Widget<bool> for Check {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, on: &mut bool, _: &Env) {
        match event {
            Event::MouseDown(mouse) if mouse.button.is_left() && !ctx.is_disabled() => {
                ctx.set_active(true);
                ctx.set_handled();
            }
            Event::MouseUp(_) if ctx.is_active() => {
                ctx.set_active(false);
                if ctx.is_hot() {
                    *on = !*on;
                }
                ctx.set_handled();
            }
            Event::MouseMove(_) if !ctx.is_disabled() => ctx.set_cursor(&Cursor::Pointer),
            Event::KeyDown(key) if ctx.is_focused() => match &key.key {
                KbKey::Enter => *on = !*on,
                KbKey::Character(space) if space == " " => {
                    *on = !*on;
                    ctx.set_handled();
                }
                KbKey::Tab if key.mods.shift() => ctx.focus_prev(),
                KbKey::Tab => ctx.focus_next(),
                _ => {}
            },
            _ => {}
        }
    }

    fn lifecycle(&mut self, ctx: &mut LifeCycleCtx, event: &LifeCycle, _: &bool, _: &Env) {
        match event {
            LifeCycle::BuildFocusChain => ctx.register_for_focus(),
            LifeCycle::HotChanged(_) | LifeCycle::FocusChanged(_) => ctx.request_paint(),
            _ => {}
        }
    }

    fn update(&mut self, ctx: &mut UpdateCtx, was: &bool, on: &bool, _: &Env) {
        if ctx.env_changed() {
            ctx.request_layout();
        } else if was != on {
            ctx.request_paint();
        }
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, _: &bool, env: &Env) -> Size {
        ctx.set_paint_insets(RING);
        let face = Face {
            size: size::BODY,
            bold: false,
        };
        let width = (bc.max().width - GRID - space::S).max(0.0);
        let laid = fit(ctx.text(), self.words, face, palette(env).text, width, 2);
        let size = laid.size();
        self.laid = Some(laid);
        bc.constrain((
            GRID + space::S + size.width.ceil(),
            size.height.ceil().max(GRID),
        ))
    }

    fn paint(&mut self, ctx: &mut PaintCtx, on: &bool, env: &Env) {
        let colors = palette(env);
        let middle = ctx.size().height / 2.0;
        let square = Rect::from_center_size((GRID / 2.0, middle), (17.0, 17.0));
        let shape = square.to_rounded_rect(4.0);
        if *on {
            ctx.fill(shape, &colors.accent_fill.color());
            let center = square.center();
            Icon::Check.paint_scaled(ctx, center, 0.75, &colors.accent_ink.color());
        } else {
            ctx.fill(shape, &colors.raised.color());
            ctx.stroke(shape, &colors.muted.color(), 1.0);
        }
        if ctx.is_focused() {
            focus_ring(ctx, square, &colors.accent.color());
        }
        if let Some(laid) = &self.laid {
            let y = ((ctx.size().height - laid.size().height) / 2.0).round();
            ctx.draw_text(laid, Point::new(GRID + space::S, y));
        }
    }
}
