//! A text field: druid's, with our look, a focus ring and an Enter that does something.

use druid::widget::TextBox;
use druid::{
    BoxConstraints, Env, Event, EventCtx, InternalLifeCycle, KbKey, LayoutCtx, Lens, LifeCycle,
    LifeCycleCtx, PaintCtx, Point, Selector, Size, UpdateCtx, Widget, WidgetExt, WidgetId,
    WidgetPod,
};

use super::super::cmd;
use super::super::data::App;
use super::super::theme::{RING, palette};
use super::icon::focus_ring;

/// See the module.
pub(in super::super) struct Field {
    inner: WidgetPod<App, Box<dyn Widget<App>>>,
    on_enter: Option<Selector>,
    enabled: Box<dyn Fn(&App) -> bool>,
}

impl Field {
    /// A field named `id` for the text behind `lens`; Enter submits `on_enter`.
    pub(in super::super) fn new(
        id: WidgetId,
        placeholder: &'static str,
        lens: impl Lens<App, String> + 'static,
        on_enter: Option<Selector>,
    ) -> Self {
        let text = TextBox::new()
            .with_placeholder(placeholder)
            .with_id(id)
            .expand_width()
            .lens(lens);
        Self {
            inner: WidgetPod::new(text.boxed()),
            on_enter,
            enabled: Box::new(|app| !app.busy()),
        }
    }
}

impl Widget<App> for Field {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, app: &mut App, env: &Env) {
        if let Event::KeyDown(key) = event {
            // Every key typed here is text, even those the field itself makes nothing of.
            app.typing = true;
            match (&key.key, self.on_enter) {
                (KbKey::Enter, Some(on_enter)) => {
                    ctx.submit_command(on_enter);
                    ctx.set_handled();
                    return;
                }
                (KbKey::Escape, _) => {
                    ctx.set_focus(cmd::DESK);
                    ctx.set_handled();
                    return;
                }
                _ => {}
            }
        }
        self.inner.event(ctx, event, app, env);
        if let Event::MouseDown(_) = event
            && self.inner.is_hot()
        {
            // Ours: the desk must not take the focus back.
            ctx.set_handled();
        }
    }

    fn lifecycle(&mut self, ctx: &mut LifeCycleCtx, event: &LifeCycle, app: &App, env: &Env) {
        match event {
            LifeCycle::WidgetAdded => ctx.set_disabled(!(self.enabled)(app)),
            // The ring comes and goes with the focus of the field inside.
            LifeCycle::Internal(InternalLifeCycle::RouteFocusChanged { .. }) => {
                ctx.request_paint();
            }
            _ => {}
        }
        self.inner.lifecycle(ctx, event, app, env);
    }

    fn update(&mut self, ctx: &mut UpdateCtx, _: &App, app: &App, env: &Env) {
        ctx.set_disabled(!(self.enabled)(app));
        self.inner.update(ctx, app, env);
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, app: &App, env: &Env) -> Size {
        ctx.set_paint_insets(RING);
        let size = self.inner.layout(ctx, bc, app, env);
        self.inner.set_origin(ctx, Point::ZERO);
        ctx.set_baseline_offset(self.inner.baseline_offset());
        size
    }

    fn paint(&mut self, ctx: &mut PaintCtx, app: &App, env: &Env) {
        self.inner.paint(ctx, app, env);
        if ctx.has_focus() {
            let bounds = ctx.size().to_rect();
            focus_ring(ctx, bounds, &palette(env).accent.color());
        }
    }
}
