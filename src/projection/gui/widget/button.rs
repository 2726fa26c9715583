//! A button: one primary a screen, the others plain or quiet; works by pointer and by keys.

use druid::{
    BoxConstraints, Cursor, Data, Env, Event, EventCtx, KbKey, LayoutCtx, LifeCycle, LifeCycleCtx,
    PaintCtx, Point, RenderContext, Size, UpdateCtx, Widget,
};

use super::super::theme::{CONTROL, RADIUS_FIELD, RING, Rgb, Tone, palette, size, space};
use super::icon::{GRID, Icon, focus_ring};
use super::press;
use super::words::{Face, fit};
use druid::piet::TextLayout;

/// How loud a button is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// The one thing to do on this screen.
    Primary,
    /// One of the things to do.
    Plain,
    /// Something to do once in a while.
    Quiet,
}

/// What the data say of one side of a button.
type Told<T, Side> = Box<dyn Fn(&T) -> Side>;
/// What pressing it does.
type Act<T> = dyn Fn(&mut EventCtx, &T);

/// See the module.
pub(in super::super) struct Button<T> {
    kind: Kind,
    words: Told<T, String>,
    icon: Told<T, Option<Icon>>,
    enabled: Told<T, bool>,
    act: Box<Act<T>>,
    shown: (String, Option<Icon>),
    width_min: f64,
    laid: Option<druid::piet::PietTextLayout>,
}

impl<T: Data> Button<T> {
    /// A button that says this and does that.
    pub(in super::super) fn new(
        kind: Kind,
        words: impl Fn(&T) -> String + 'static,
        act: impl Fn(&mut EventCtx, &T) + 'static,
    ) -> Self {
        Self {
            kind,
            words: Box::new(words),
            icon: Box::new(|_| None),
            enabled: Box::new(|_| true),
            act: Box::new(act),
            shown: (String::new(), None),
            width_min: 0.0,
            laid: None,
        }
    }

    /// With an icon in front; an icon alone is a square.
    pub(in super::super) fn icon(mut self, icon: impl Fn(&T) -> Option<Icon> + 'static) -> Self {
        self.icon = Box::new(icon);
        self
    }

    /// Resting while this is false.
    pub(in super::super) fn enabled(mut self, enabled: impl Fn(&T) -> bool + 'static) -> Self {
        self.enabled = Box::new(enabled);
        self
    }

    /// At least so wide, so that neighbours stay where they are when the words change.
    pub(in super::super) fn width_min(mut self, px: f64) -> Self {
        self.width_min = px;
        self
    }

    fn ink(&self, env: &Env, disabled: bool) -> Rgb {
        let colors = palette(env);
        colors.tone(match (self.kind, disabled) {
            (_, true) => Tone::Muted,
            (Kind::Primary, false) => Tone::Ink,
            (Kind::Plain | Kind::Quiet, false) => Tone::Text,
        })
    }
}

impl<T: Data> Widget<T> for Button<T> {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, data: &mut T, _: &Env) {
        match event {
            Event::MouseDown(mouse) if mouse.button.is_left() && !ctx.is_disabled() => {
                press(ctx);
                ctx.request_paint();
            }
            Event::MouseUp(_) if ctx.is_active() => {
                ctx.set_active(false);
                ctx.request_paint();
                if ctx.is_hot() && !ctx.is_disabled() {
                    (self.act)(ctx, data);
                }
                ctx.set_handled();
            }
            Event::MouseMove(_) if !ctx.is_disabled() => ctx.set_cursor(&Cursor::Pointer),
            Event::KeyDown(key) if ctx.is_focused() => match &key.key {
                KbKey::Enter => {
                    (self.act)(ctx, data);
                    ctx.set_handled();
                }
                KbKey::Character(space) if space == " " => {
                    (self.act)(ctx, data);
                    ctx.set_handled();
                }
                KbKey::Tab if key.mods.shift() => {
                    ctx.focus_prev();
                    ctx.set_handled();
                }
                KbKey::Tab => {
                    ctx.focus_next();
                    ctx.set_handled();
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn lifecycle(&mut self, ctx: &mut LifeCycleCtx, event: &LifeCycle, data: &T, _: &Env) {
        match event {
            LifeCycle::WidgetAdded => {
                self.shown = ((self.words)(data), (self.icon)(data));
                ctx.set_disabled(!(self.enabled)(data));
            }
            LifeCycle::BuildFocusChain => ctx.register_for_focus(),
            LifeCycle::HotChanged(_) | LifeCycle::FocusChanged(_) => ctx.request_paint(),
            LifeCycle::DisabledChanged(_) => ctx.request_layout(),
            _ => {}
        }
    }

    fn update(&mut self, ctx: &mut UpdateCtx, _: &T, data: &T, _: &Env) {
        ctx.set_disabled(!(self.enabled)(data));
        let shown = ((self.words)(data), (self.icon)(data));
        if shown != self.shown || ctx.env_changed() {
            self.shown = shown;
            ctx.request_layout();
        }
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, data: &T, env: &Env) -> Size {
        ctx.set_paint_insets(RING);
        let (words, icon) = &self.shown;
        if words.is_empty() {
            self.laid = None;
            return bc.constrain((CONTROL, CONTROL));
        }
        let beside = 2.0 * space::M + icon.map_or(0.0, |_| GRID + space::S);
        let laid = fit(
            ctx.text(),
            words,
            Face {
                size: size::BODY,
                bold: self.kind == Kind::Primary,
            },
            self.ink(env, !(self.enabled)(data)),
            (bc.max().width - beside).max(0.0),
            1,
        );
        let width = (laid.size().width.ceil() + beside).max(self.width_min);
        self.laid = Some(laid);
        bc.constrain((width, CONTROL))
    }

    fn paint(&mut self, ctx: &mut PaintCtx, _: &T, env: &Env) {
        let colors = palette(env);
        let disabled = ctx.is_disabled();
        let pressed = ctx.is_active() && ctx.is_hot();
        let bounds = ctx.size().to_rect();
        let shape = bounds.inset(-0.5).to_rounded_rect(RADIUS_FIELD);
        match (self.kind, disabled) {
            (Kind::Primary, false) => {
                ctx.fill(shape, &colors.accent_fill.color());
                if ctx.is_hot() {
                    // A pressed primary darkens towards its own ink, a hovered one half as much.
                    let veil = if pressed { 0.20 } else { 0.10 };
                    ctx.fill(shape, &colors.accent_ink.color().with_alpha(veil));
                }
            }
            (Kind::Primary | Kind::Plain, _) => {
                let fill = if pressed { colors.line } else { colors.raised };
                ctx.fill(shape, &fill.color());
                let edge = if ctx.is_hot() && !disabled {
                    colors.muted
                } else {
                    colors.line
                };
                ctx.stroke(shape, &edge.color(), 1.0);
            }
            (Kind::Quiet, _) => {
                if ctx.is_hot() && !disabled {
                    let fill = if pressed { colors.line } else { colors.raised };
                    ctx.fill(shape, &fill.color());
                }
            }
        }
        if ctx.is_focused() {
            focus_ring(ctx, bounds, &colors.accent.color());
        }
        let ink = self.ink(env, disabled).color();
        let icon = self.shown.1;
        let words_width = self.laid.as_ref().map_or(0.0, |laid| laid.size().width);
        let whole = match (icon, &self.laid) {
            (Some(_), Some(_)) => GRID + space::S + words_width,
            (Some(_), None) => GRID,
            (None, _) => words_width,
        };
        let mut x = ((bounds.width() - whole) / 2.0).round();
        if let Some(icon) = icon {
            let center = Point::new(x + GRID / 2.0, bounds.center().y);
            icon.paint(ctx, center, &ink);
            x += GRID + space::S;
        }
        if let Some(laid) = &self.laid {
            let y = ((bounds.height() - laid.size().height) / 2.0).round();
            ctx.draw_text(laid, Point::new(x, y));
        }
    }
}
