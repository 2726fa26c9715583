//! The chat's lines: talk in its speaker's colour, what the room tells muted, times in a gutter.

use std::sync::Arc;

use druid::piet::{PietTextLayout, Text, TextAttribute, TextLayout, TextLayoutBuilder};
use druid::text::FontFamily;
use druid::{
    BoxConstraints, Env, Event, EventCtx, LayoutCtx, LifeCycle, LifeCycleCtx, PaintCtx, Point,
    Rect, RenderContext, Size, UpdateCtx, Widget,
};

use super::super::data::{App, clock_face};
use super::super::replay::WHY;
use super::super::theme::{Palette, RADIUS_FIELD, hue, palette, size, space};
use super::words::{Face, set_line, weight};
use super::{point, press};
use crate::engine::id::Seq;
use crate::projection::view::{Entry, Kind};

/// Lines kept laid out: some hours of lively talk. Older ones are in the log, and laying ten
/// thousand out would stop the window for a second.
const LINES_MAX: usize = 600;
const GAP: f64 = 6.0;

struct Laid {
    seq: Seq,
    time: PietTextLayout,
    words: PietTextLayout,
    top: f64,
}

/// See the module.
#[derive(Default)]
pub(in super::super) struct Story {
    lines: Vec<Laid>,
    /// What `lines` were laid out for; another of any of these and they are stale.
    width: f64,
    gutter: f64,
    hours: bool,
    stale: bool,
    /// The line under the pointer, where lines can be pressed.
    hot: Option<Seq>,
}

fn entries(app: &App) -> &[Entry] {
    let all = app.view().map_or(&[][..], |view| &view.story[..]);
    &all[all.len().saturating_sub(LINES_MAX)..]
}

fn words_of(
    factory: &mut druid::piet::PietText,
    entry: &Entry,
    colors: &Palette,
    width: f64,
) -> PietTextLayout {
    let mut builder = |text: String| {
        factory
            .new_text_layout(text)
            .font(FontFamily::SYSTEM_UI, size::BODY)
            .max_width(width)
    };
    let built = match entry.kind {
        Kind::System => builder(entry.text.clone())
            .text_color(colors.muted.color())
            .build(),
        Kind::Talk => {
            let name = entry.name.len();
            let color = entry
                .by
                .map_or(colors.text, |member| colors.members[hue(member)]);
            builder(format!("{}  {}", entry.name, entry.text))
                .text_color(colors.text.color())
                .range_attribute(..name, TextAttribute::Weight(weight(true)))
                .range_attribute(..name, TextAttribute::TextColor(color.color()))
                .build()
        }
    };
    built.expect("the ranges end inside the text")
}

impl Story {
    fn line_at(&self, y: f64) -> Option<Seq> {
        let after = self.lines.partition_point(|line| line.top <= y);
        let line = &self.lines[after.checked_sub(1)?];
        (y < line.top + line.words.size().height + GAP).then_some(line.seq)
    }

    fn lay_out(&mut self, ctx: &mut LayoutCtx, app: &App, env: &Env, width: f64) -> f64 {
        let colors = palette(env);
        let entries = entries(app);
        let small = Face {
            size: size::SMALL,
            bold: false,
        };
        let hours = entries
            .iter()
            .any(|entry| entry.moment.get() >= 3_600_000_000);
        if self.stale || width != self.width || hours != self.hours {
            self.lines.clear();
            (self.width, self.hours, self.stale) = (width, hours, false);
            let widest = if hours { "0:00:00" } else { "00:00" };
            let laid = set_line(ctx.text(), widest, small, colors.muted);
            self.gutter = space::L + laid.size().width.ceil() + space::S;
        }
        let first = entries.first().map(|entry| entry.seq);
        self.lines.retain(|line| Some(line.seq) >= first);
        let known = self.lines.len();
        let same = known <= entries.len()
            && self.lines.last().map(|line| line.seq)
                == known.checked_sub(1).map(|last| entries[last].seq);
        if !same {
            // A story told anew after a gap.
            self.lines.clear();
        }
        let end = hours.then(|| crate::engine::unit::MediaTime::from_secs(3_600));
        let words_width = (width - self.gutter - space::L).max(40.0);
        for entry in &entries[self.lines.len()..] {
            let time = set_line(
                ctx.text(),
                &clock_face(entry.moment, end),
                small,
                colors.muted,
            );
            self.lines.push(Laid {
                seq: entry.seq,
                time,
                words: words_of(ctx.text(), entry, colors, words_width),
                top: 0.0,
            });
        }
        let mut top = GAP;
        for line in &mut self.lines {
            line.top = top;
            top += line.words.size().height.ceil() + GAP;
        }
        top
    }
}

impl Widget<App> for Story {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, app: &mut App, _: &Env) {
        // Of an evening that is over one asks why; in a room there is nothing to press.
        if app.replay().is_none() {
            return;
        }
        match event {
            Event::MouseMove(mouse) => {
                let hot = self.line_at(mouse.pos.y);
                point(ctx, &mut self.hot, hot);
            }
            Event::MouseDown(mouse) if mouse.button.is_left() => {
                press(ctx);
            }
            Event::MouseUp(mouse) if ctx.is_active() => {
                ctx.set_active(false);
                if let Some(seq) = self.line_at(mouse.pos.y).filter(|_| ctx.is_hot()) {
                    ctx.submit_command(WHY.with(seq));
                }
                ctx.set_handled();
            }
            _ => {}
        }
    }

    fn lifecycle(&mut self, ctx: &mut LifeCycleCtx, event: &LifeCycle, _: &App, _: &Env) {
        if let LifeCycle::HotChanged(false) = event
            && self.hot.take().is_some()
        {
            ctx.request_paint();
        }
    }

    fn update(&mut self, ctx: &mut UpdateCtx, was: &App, app: &App, _: &Env) {
        let story = |app: &App| app.view().map(|view| Arc::clone(&view.story));
        let same = match (story(was), story(app)) {
            (Some(was), Some(is)) => Arc::ptr_eq(&was, &is),
            (was, is) => was.is_none() && is.is_none(),
        };
        let session = |app: &App| app.view().and_then(|view| view.state.session);
        if ctx.env_changed() || session(was) != session(app) {
            self.stale = true;
        }
        if !same || self.stale {
            ctx.request_layout();
        }
        let asked = |app: &App| app.asked().map(|reason| reason.event.header.seq);
        if asked(was) != asked(app) {
            ctx.request_paint();
        }
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, app: &App, env: &Env) -> Size {
        let width = bc.max().width;
        let height = self.lay_out(ctx, app, env, width);
        bc.constrain((width, height))
    }

    fn paint(&mut self, ctx: &mut PaintCtx, app: &App, env: &Env) {
        let asked = app.asked().map(|reason| reason.event.header.seq);
        let visible = ctx.region().bounding_box();
        let from = self
            .lines
            .partition_point(|line| line.top + line.words.size().height < visible.y0);
        for line in &self.lines[from..] {
            if line.top > visible.y1 {
                break;
            }
            if asked == Some(line.seq) || self.hot == Some(line.seq) {
                let high = line.words.size().height + GAP;
                let row = Rect::from_origin_size(
                    (space::XS, line.top - GAP / 2.0),
                    (ctx.size().width - 2.0 * space::XS, high),
                );
                let ground = &palette(env).raised.color();
                ctx.fill(row.to_rounded_rect(RADIUS_FIELD), ground);
            }
            // Two sizes on one baseline.
            let baseline =
                |laid: &PietTextLayout| laid.line_metric(0).map_or(0.0, |metric| metric.baseline);
            let drop = baseline(&line.words) - baseline(&line.time);
            let right = self.gutter - space::S - line.time.size().width;
            ctx.draw_text(&line.time, Point::new(right, line.top + drop));
            ctx.draw_text(&line.words, Point::new(self.gutter, line.top));
        }
    }
}
