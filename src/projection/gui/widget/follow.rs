//! A scrolled view that stays at its end until somebody scrolls up.

use druid::kurbo::Rect;
use druid::piet::TextLayout;
use druid::widget::{Axis, Scroll};
use druid::{
    BoxConstraints, Cursor, Data, Env, Event, EventCtx, LayoutCtx, LifeCycle, LifeCycleCtx,
    PaintCtx, Point, RenderContext, Size, UpdateCtx, Widget,
};

use super::super::theme::{palette, size, space};
use super::words::{Face, set_line};

/// How near the end still counts as the end, in px: about a line.
const NEAR: f64 = 24.0;

/// See the module. Scrolled up, it offers the way back.
pub(in super::super) struct Follow<T, W> {
    inner: Scroll<T, W>,
    following: bool,
    way_back: Rect,
}

impl<T: Data, W: Widget<T>> Follow<T, W> {
    /// Follows the end of `child`.
    pub(in super::super) fn new(child: W) -> Self {
        Self {
            inner: Scroll::new(child).vertical(),
            following: true,
            way_back: Rect::ZERO,
        }
    }

    fn distance_to_end(&self) -> f64 {
        self.inner.child_size().height - self.inner.viewport_rect().y1
    }
}

impl<T: Data, W: Widget<T>> Widget<T> for Follow<T, W> {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, data: &mut T, env: &Env) {
        if !self.following {
            match event {
                Event::MouseMove(mouse) if self.way_back.contains(mouse.pos) => {
                    ctx.set_cursor(&Cursor::Pointer);
                }
                Event::MouseDown(mouse) if self.way_back.contains(mouse.pos) => {
                    self.following = true;
                    ctx.request_layout();
                    ctx.set_handled();
                    return;
                }
                _ => {}
            }
        }
        let before = self.inner.offset();
        self.inner.event(ctx, event, data, env);
        if self.inner.offset() != before {
            self.following = self.distance_to_end() < NEAR;
            ctx.request_paint();
        }
    }

    fn lifecycle(&mut self, ctx: &mut LifeCycleCtx, event: &LifeCycle, data: &T, env: &Env) {
        self.inner.lifecycle(ctx, event, data, env);
    }

    fn update(&mut self, ctx: &mut UpdateCtx, was: &T, data: &T, env: &Env) {
        self.inner.update(ctx, was, data, env);
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, data: &T, env: &Env) -> Size {
        let size = self.inner.layout(ctx, &bc.loosen(), data, env);
        if self.following {
            let end = self.inner.child_size().height;
            self.inner.scroll_to_on_axis(ctx, Axis::Vertical, end);
        }
        bc.constrain(Size::new(bc.max().width, size.height))
    }

    fn paint(&mut self, ctx: &mut PaintCtx, data: &T, env: &Env) {
        self.inner.paint(ctx, data, env);
        if self.following || self.distance_to_end() < NEAR {
            self.way_back = Rect::ZERO;
            return;
        }
        let colors = palette(env);
        let face = Face {
            size: size::SMALL,
            bold: true,
        };
        let laid = set_line(ctx.text(), "Latest ↓", face, colors.accent);
        let pill = Size::new(laid.size().width + 2.0 * space::M, 26.0);
        let bounds = ctx.size();
        let origin = Point::new(
            ((bounds.width - pill.width) / 2.0).round(),
            bounds.height - pill.height - space::S,
        );
        self.way_back = Rect::from_origin_size(origin, pill);
        let shape = self.way_back.to_rounded_rect(13.0);
        ctx.fill(shape, &colors.raised.color());
        ctx.stroke(shape, &colors.line.color(), 1.0);
        let inner = origin + (pill - laid.size()).to_vec2() / 2.0;
        ctx.draw_text(&laid, Point::new(inner.x.round(), inner.y.round()));
    }
}
