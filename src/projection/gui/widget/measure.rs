//! A page's measure: content no wider than is comfortable, in the middle, with room around.

use druid::{
    BoxConstraints, Env, Event, EventCtx, LayoutCtx, LifeCycle, LifeCycleCtx, PaintCtx, Size,
    UpdateCtx, Widget, WidgetPod,
};

use super::super::data::App;
use super::super::theme::space;

/// The widest a page gets, in px.
const WIDTH_MAX: f64 = 860.0;

/// See the module.
pub(in super::super) struct Measure {
    inner: WidgetPod<App, Box<dyn Widget<App>>>,
}

impl Measure {
    /// Holds `page` to the measure.
    pub(in super::super) fn new(page: impl Widget<App> + 'static) -> Self {
        Self {
            inner: WidgetPod::new(Box::new(page)),
        }
    }
}

impl Widget<App> for Measure {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, app: &mut App, env: &Env) {
        self.inner.event(ctx, event, app, env);
    }

    fn lifecycle(&mut self, ctx: &mut LifeCycleCtx, event: &LifeCycle, app: &App, env: &Env) {
        self.inner.lifecycle(ctx, event, app, env);
    }

    fn update(&mut self, ctx: &mut UpdateCtx, _: &App, app: &App, env: &Env) {
        self.inner.update(ctx, app, env);
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, app: &App, env: &Env) -> Size {
        let whole = bc.max().width;
        let width = (whole - 2.0 * space::XXL).clamp(0.0, WIDTH_MAX);
        let inner = BoxConstraints::new(Size::new(width, 0.0), Size::new(width, f64::INFINITY));
        let size = self.inner.layout(ctx, &inner, app, env);
        let left = ((whole - width) / 2.0).round();
        self.inner.set_origin(ctx, (left, space::XXL).into());
        bc.constrain((whole, size.height + 2.0 * space::XXL))
    }

    fn paint(&mut self, ctx: &mut PaintCtx, app: &App, env: &Env) {
        self.inner.paint(ctx, app, env);
    }
}
