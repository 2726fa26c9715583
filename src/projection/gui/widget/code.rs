//! A link as a picture that a phone can read.
//!
//! Dark on light in both faces: readers of such codes expect it.

use std::sync::Arc;

use druid::{
    BoxConstraints, Color, Env, Event, EventCtx, LayoutCtx, LifeCycle, LifeCycleCtx, PaintCtx,
    Rect, RenderContext, Size, UpdateCtx, Widget,
};

use super::super::data::App;
use super::super::theme::RADIUS_FIELD;

/// How many modules of light stand around it, as readers need it.
const QUIET: usize = 4;

/// See the module.
pub(in super::super) struct Code {
    link: fn(&App) -> Option<Arc<str>>,
    shown: Option<Arc<str>>,
    /// How many modules a side has, and which of them are dark, row by row.
    modules: (usize, Vec<bool>),
}

/// The modules of `link`; none where it is too long for any code.
fn modules(link: Option<&str>) -> (usize, Vec<bool>) {
    let code = link.and_then(|link| qrcode::QrCode::new(link.as_bytes()).ok());
    code.map_or((0, Vec::new()), |code| {
        let dark = code.to_colors().into_iter();
        let dark = dark.map(|color| color == qrcode::Color::Dark);
        (code.width(), dark.collect())
    })
}

impl Code {
    /// The picture of this link.
    pub(in super::super) fn new(link: fn(&App) -> Option<Arc<str>>) -> Self {
        Self {
            link,
            shown: None,
            modules: (0, Vec::new()),
        }
    }

    fn show(&mut self, link: Option<Arc<str>>) {
        self.modules = modules(link.as_deref());
        self.shown = link;
    }
}

impl Widget<App> for Code {
    fn event(&mut self, _: &mut EventCtx, _: &Event, _: &mut App, _: &Env) {}

    fn lifecycle(&mut self, _: &mut LifeCycleCtx, event: &LifeCycle, app: &App, _: &Env) {
        if let LifeCycle::WidgetAdded = event {
            self.show((self.link)(app));
        }
    }

    fn update(&mut self, ctx: &mut UpdateCtx, _: &App, app: &App, _: &Env) {
        let link = (self.link)(app);
        if link != self.shown {
            self.show(link);
            ctx.request_paint();
        }
    }

    fn layout(&mut self, _: &mut LayoutCtx, bc: &BoxConstraints, _: &App, _: &Env) -> Size {
        let side = bc.max().width.min(bc.max().height);
        bc.constrain((side, side))
    }

    fn paint(&mut self, ctx: &mut PaintCtx, _: &App, _: &Env) {
        let (count, dark) = &self.modules;
        if *count == 0 {
            return;
        }
        let bounds = ctx.size().to_rect();
        ctx.fill(bounds.to_rounded_rect(RADIUS_FIELD), &Color::WHITE);
        // Whole pixels, so that no hair of light runs between two dark modules.
        let side = (bounds.width() / (count + 2 * QUIET) as f64)
            .floor()
            .max(1.0);
        let margin = ((bounds.width() - side * *count as f64) / 2.0).floor();
        for (place, _) in dark.iter().enumerate().filter(|(_, dark)| **dark) {
            let x = margin + side * (place % count) as f64;
            let y = margin + side * (place / count) as f64;
            ctx.fill(Rect::new(x, y, x + side, y + side), &Color::BLACK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_the_three_corners_by_which_readers_find_it() {
        let (count, dark) = modules(Some("http://192.168.1.20:7878/#6h3r1qv8t9zk2mwx0c5d7fgjna"));
        assert_eq!(dark.len(), count * count);
        for (x, y) in [(0, 0), (count - 7, 0), (0, count - 7)] {
            for step in 0..7 {
                assert!(dark[y * count + x + step], "the upper edge is dark");
                assert!(dark[(y + step) * count + x], "so is the left one");
            }
            assert!(!dark[(y + 1) * count + x + 1]);
        }
    }

    #[test]
    fn without_a_link_there_is_no_picture() {
        assert_eq!(modules(None).0, 0);
    }
}
