//! Surfaces: cards, banners and hairlines.

use druid::widget::{Flex, Painter, SizedBox};
use druid::{
    BoxConstraints, Data, Env, Event, EventCtx, LayoutCtx, LifeCycle, LifeCycleCtx, PaintCtx,
    Point, RenderContext, Size, UpdateCtx, Widget, WidgetExt, WidgetPod,
};

use super::super::data::App;

use super::super::theme::{RADIUS_CARD, RADIUS_FIELD, Tone, palette, size, space};
use super::icon::Icon;
use super::shown::shown;
use super::words::Words;

/// A panel with a hairline around `child`.
///
/// Unlike druid's containers it grows to the least height it is given, so that
/// cards side by side end on one line.
pub(in super::super) struct Card {
    ground: Painter<App>,
    inner: WidgetPod<App, Box<dyn Widget<App>>>,
}

/// A [`Card`] around `child`.
pub(in super::super) fn card(child: impl Widget<App> + 'static) -> Card {
    Card {
        ground: surface(),
        inner: WidgetPod::new(child.boxed()),
    }
}

impl Widget<App> for Card {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, app: &mut App, env: &Env) {
        self.inner.event(ctx, event, app, env);
    }

    fn lifecycle(&mut self, ctx: &mut LifeCycleCtx, event: &LifeCycle, app: &App, env: &Env) {
        self.ground.lifecycle(ctx, event, app, env);
        self.inner.lifecycle(ctx, event, app, env);
    }

    fn update(&mut self, ctx: &mut UpdateCtx, _: &App, app: &App, env: &Env) {
        if ctx.env_changed() {
            ctx.request_paint();
        }
        self.inner.update(ctx, app, env);
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, app: &App, env: &Env) -> Size {
        let edges = Size::new(2.0 * space::L, 2.0 * space::L);
        let width = (bc.max().width - edges.width).max(0.0);
        let height = (bc.max().height - edges.height).max(0.0);
        let room = BoxConstraints::new(Size::new(width, 0.0), Size::new(width, height));
        let size = self.inner.layout(ctx, &room, app, env);
        self.inner.set_origin(ctx, Point::new(space::L, space::L));
        bc.constrain(size + edges)
    }

    fn paint(&mut self, ctx: &mut PaintCtx, app: &App, env: &Env) {
        self.ground.paint(ctx, app, env);
        self.inner.paint(ctx, app, env);
    }
}

/// The panel itself.
pub(in super::super) fn surface<T: Data>() -> Painter<T> {
    Painter::new(|ctx, _: &T, env| {
        let colors = palette(env);
        let shape = ctx
            .size()
            .to_rect()
            .inset(-0.5)
            .to_rounded_rect(RADIUS_CARD);
        ctx.fill(shape, &colors.panel.color());
        ctx.stroke(shape, &colors.line.color(), 1.0);
    })
}

/// A heading of a card.
pub(in super::super) fn heading<T: Data>(words: &'static str) -> impl Widget<T> {
    Words::fixed(words).size(size::HEAD).bold()
}

/// The name over a field.
pub(in super::super) fn label<T: Data>(words: &'static str) -> impl Widget<T> {
    Words::fixed(words).size(size::SMALL).tone(Tone::Muted)
}

/// One sentence with its icon on a raised strip, coloured bar in front; nothing at all when there
/// is nothing to say.
pub(in super::super) fn banner<T: Data>(
    what: impl Fn(&T) -> Option<(Tone, String)> + Clone + 'static,
) -> impl Widget<T> {
    banner_with(what, SizedBox::empty)
}

/// A [`banner`] with a control at its end.
pub(in super::super) fn banner_with<T: Data, W: Widget<T> + 'static>(
    what: impl Fn(&T) -> Option<(Tone, String)> + Clone + 'static,
    end: impl Fn() -> W + 'static,
) -> impl Widget<T> {
    let said = what.clone();
    shown(
        move |data: &T| said(data).is_some(),
        0.0,
        move || strip(what.clone(), end()).padding((0.0, 0.0, 0.0, space::M)),
    )
}

fn strip<T: Data>(
    what: impl Fn(&T) -> Option<(Tone, String)> + Clone + 'static,
    end: impl Widget<T> + 'static,
) -> impl Widget<T> {
    let said = what.clone();
    let words = Words::new(move |data: &T| said(data).map_or_else(String::new, |(_, words)| words));
    let tone = move |data: &T| what(data).map_or(Tone::Info, |(tone, _)| tone);
    let of_icon = tone.clone();
    let icon = Painter::new(move |ctx, data: &T, env| {
        let tone = of_icon(data);
        let icon = match tone {
            Tone::Bad | Tone::Warn => Icon::Alert,
            _ => Icon::Info,
        };
        let center = ctx.size().to_rect().center();
        icon.paint(ctx, center, &palette(env).tone(tone).color());
    });
    let ground = Painter::new(move |ctx, data: &T, env| {
        let colors = palette(env);
        let bounds = ctx.size().to_rect();
        let shape = bounds.to_rounded_rect(RADIUS_FIELD);
        ctx.fill(shape, &colors.raised.color());
        ctx.with_save(|ctx| {
            ctx.clip(shape);
            let bar = druid::Rect::new(0.0, 0.0, 4.0, bounds.height());
            ctx.fill(bar, &colors.tone(tone(data)).color());
        });
    });
    Flex::row()
        .with_child(icon.fix_size(20.0, 20.0))
        .with_spacer(space::S)
        .with_flex_child(words.lines(3).expand_width(), 1.0)
        .with_child(end)
        .padding((space::L, space::S, space::S, space::S))
        .background(ground)
}
