//! The scrub bar of a replay: the whole evening, what happened in it, and where one is.
//!
//! Above the line stand the film's events, each with a shape of its own; below
//! it the talk, in the speakers' colours. Where waits are skipped, the line is as
//! long as what is shown, and a gap in it tells where something is left out. The
//! knob is read off the projector whenever the bar is painted; a drag shows each
//! moment as it goes.

use std::sync::Arc;
use std::time::Duration;

use druid::kurbo::{BezPath, Circle};
use druid::{
    BoxConstraints, Cursor, Env, Event, EventCtx, LayoutCtx, LifeCycle, LifeCycleCtx, PaintCtx,
    Point, Rect, RenderContext, Size, TimerToken, UpdateCtx, Widget,
};

use super::super::data::App;
use super::super::replay::{ORDER, Replay, WHY, moment_face};
use super::super::theme::{Palette, RING, Tone, palette, size, space};
use super::track::{self, BUBBLE, TRACK, Track, share_at, x_of};
use super::words::{Face, fit};
use crate::engine::id::Seq;
use crate::engine::projectionist::Projector;
use crate::engine::unit::{LocalTime, Micros, SessionTime};
use crate::os::local_now;
use crate::projection::rewatch::{Mark, MarkKind, Order};

/// How often it moves while the replay runs: finer than a pixel at any usual pace.
const TICK: Duration = Duration::from_millis(100);
/// Between two moments of a drag: as many as are worth drawing.
const DRAG_EVERY: Micros = Micros::from_millis(60);
/// The rows: the film's events, the line, the talk.
const EVENTS: f64 = 16.0;
const LINE: f64 = 18.0;
const TALK: f64 = 14.0;
const HEIGHT: f64 = EVENTS + LINE + TALK;
/// As near as this to a mark and it is meant.
const NEAR: f64 = 6.0;
/// The film's events nearer to each other than this are one mark, the weightiest: where more
/// happened than fits, what moved the film tells most.
const APART: f64 = 9.0;
/// The gap that stands for a wait that is left out.
const GAP: f64 = 3.0;

/// A mark with its place on this bar.
#[derive(Clone, Copy)]
struct Placed {
    x: f64,
    mark: Mark,
}

/// What the marks were placed for: the evening, the width, and whether waits are left out.
type For = (usize, f64, bool);

/// See the module.
#[derive(Default)]
pub(in super::super) struct Scrub {
    timer: Option<TimerToken>,
    pointer: Option<Point>,
    /// Where a press began, and whether it became a drag.
    pressed: Option<(Point, bool)>,
    /// The moment asked for, and the projector that had not yet heard of it.
    asked: Option<(SessionTime, Projector)>,
    asked_at: LocalTime,
    placed_for: Option<For>,
    above: Vec<Placed>,
    below: Vec<Placed>,
}

/// How long the bar stands for.
fn length(replay: &Replay) -> Micros {
    if replay.projector.skips() {
        replay.programme.shown_length()
    } else {
        replay.programme.end() - SessionTime::ZERO
    }
}

fn x_at(replay: &Replay, at: SessionTime, width: f64) -> f64 {
    let part = if replay.projector.skips() {
        replay.programme.waits().shown(at)
    } else {
        at - SessionTime::ZERO
    };
    x_of(part.get() as f64, length(replay).get() as f64, width)
}

fn at_x(replay: &Replay, x: f64, width: f64) -> SessionTime {
    let share = share_at(x, width);
    let part = Micros::new((share * length(replay).get() as f64) as i64);
    let at = if replay.projector.skips() {
        replay.programme.waits().moment(part)
    } else {
        SessionTime::ZERO + part
    };
    at.min(replay.programme.end())
}

impl Scrub {
    fn place(&mut self, replay: &Replay, width: f64) {
        let programme = Arc::as_ptr(&replay.programme) as usize;
        let wanted = (programme, width, replay.projector.skips());
        if self.placed_for == Some(wanted) {
            return;
        }
        self.placed_for = Some(wanted);
        self.above.clear();
        self.below.clear();
        for mark in replay.programme.marks() {
            let placed = Placed {
                x: x_at(replay, mark.at, width).round(),
                mark: *mark,
            };
            let (row, apart) = match mark.kind {
                MarkKind::Talk => (&mut self.below, 3.0),
                _ => (&mut self.above, APART),
            };
            match row.last_mut() {
                Some(last) if placed.x - last.x < apart => {
                    if mark.kind > last.mark.kind {
                        last.mark = *mark;
                    }
                }
                _ => row.push(placed),
            }
        }
    }

    /// The mark that a point means.
    fn mark_at(&self, point: Point) -> Option<Placed> {
        let row = if point.y < EVENTS {
            &self.above
        } else if point.y > EVENTS + LINE {
            &self.below
        } else {
            return None;
        };
        let after = row.partition_point(|placed| placed.x < point.x);
        let beside = row[after.saturating_sub(1)..].iter().take(2);
        let nearest = beside.min_by(|a, b| {
            let off = |placed: &Placed| (placed.x - point.x).abs();
            off(a).total_cmp(&off(b))
        })?;
        ((nearest.x - point.x).abs() <= NEAR).then_some(*nearest)
    }

    fn shown(&self, app: &App, now: LocalTime) -> SessionTime {
        match (&self.asked, app.replay()) {
            (Some((to, before)), Some(replay)) if *before == replay.projector => *to,
            _ => app.moment(now),
        }
    }

    fn seek(&mut self, ctx: &mut EventCtx, replay: &Replay, to: SessionTime) {
        self.asked = Some((to, replay.projector));
        self.asked_at = local_now();
        ctx.submit_command(ORDER.with(Order::Seek(to)));
        ctx.request_paint();
    }

    fn released(&mut self, ctx: &mut EventCtx, app: &App, at: Point) {
        let width = ctx.size().width;
        let (Some(replay), Some((_, dragged))) = (app.replay(), self.pressed.take()) else {
            return;
        };
        match self.mark_at(at).filter(|_| !dragged) {
            Some(placed) => {
                self.seek(ctx, replay, placed.mark.at);
                ctx.submit_command(WHY.with(placed.mark.seq));
            }
            None => self.seek(ctx, replay, at_x(replay, at.x, width)),
        }
    }
}

/// A mark of the upper row: a shape for each kind, so that none needs its colour.
fn paint_mark(ctx: &mut PaintCtx, placed: &Placed, asked: Option<Seq>, colors: &Palette) {
    let tone = match placed.mark.kind {
        MarkKind::Play => Tone::Good,
        MarkKind::Pause => Tone::Warn,
        MarkKind::Seek => Tone::Info,
        MarkKind::Film => Tone::Accent,
        MarkKind::Gap => Tone::Bad,
        MarkKind::Came | MarkKind::Went => placed.mark.by.map_or(Tone::Muted, Tone::Member),
        MarkKind::Talk | MarkKind::Other => Tone::Muted,
    };
    let color = colors.tone(tone).color();
    let center = Point::new(placed.x, EVENTS / 2.0);
    let at = |dx: f64, dy: f64| Point::new(center.x + dx, center.y + dy);
    let path = |points: &[Point]| {
        let mut path = BezPath::new();
        path.move_to(points[0]);
        points[1..].iter().for_each(|point| path.line_to(*point));
        path.close_path();
        path
    };
    if asked == Some(placed.mark.seq) {
        ctx.stroke(Circle::new(center, 7.0), &colors.accent.color(), 1.5);
    }
    match placed.mark.kind {
        MarkKind::Play => ctx.fill(path(&[at(-3.0, -4.0), at(4.0, 0.0), at(-3.0, 4.0)]), &color),
        MarkKind::Pause => {
            for x in [-3.5, 1.0] {
                let bar = Rect::from_points(at(x, -4.0), at(x + 2.5, 4.0));
                ctx.fill(bar, &color);
            }
        }
        MarkKind::Seek => {
            let points = [at(0.0, -4.5), at(4.0, 0.0), at(0.0, 4.5), at(-4.0, 0.0)];
            ctx.fill(path(&points), &color);
        }
        MarkKind::Film => ctx.fill(Rect::from_center_size(center, (8.0, 8.0)), &color),
        MarkKind::Gap => {
            ctx.stroke(
                druid::kurbo::Line::new(at(-3.0, -3.0), at(3.0, 3.0)),
                &color,
                1.8,
            );
            ctx.stroke(
                druid::kurbo::Line::new(at(3.0, -3.0), at(-3.0, 3.0)),
                &color,
                1.8,
            );
        }
        MarkKind::Came => ctx.fill(Circle::new(center, 3.5), &color),
        MarkKind::Went => ctx.stroke(Circle::new(center, 3.0), &color, 1.5),
        MarkKind::Talk | MarkKind::Other => ctx.fill(Circle::new(center, 1.6), &color),
    }
}

impl Widget<App> for Scrub {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, app: &mut App, _: &Env) {
        if let Event::Timer(token) = event
            && Some(*token) == self.timer
        {
            ctx.request_paint();
            let runs = app.replaying(local_now());
            self.timer = runs.then(|| ctx.request_timer(TICK));
            return;
        }
        if !app.replayable() {
            return;
        }
        let width = ctx.size().width;
        if let Some(replay) = app.replay() {
            self.place(replay, width);
        }
        match event {
            Event::MouseDown(mouse) if mouse.button.is_left() => {
                self.pointer = Some(mouse.pos);
                self.pressed = Some((mouse.pos, false));
                track::hold(ctx);
            }
            Event::MouseMove(mouse) if track::is_pointed(ctx, event) => {
                self.pointer = Some(mouse.pos);
                ctx.set_cursor(&Cursor::Pointer);
                ctx.request_paint();
                if let (Some((from, dragged)), Some(replay)) = (&mut self.pressed, app.replay()) {
                    *dragged |= (mouse.pos.x - from.x).abs() > 3.0;
                    if *dragged && local_now() - self.asked_at >= DRAG_EVERY {
                        self.seek(ctx, replay, at_x(replay, mouse.pos.x, width));
                    }
                }
            }
            Event::MouseUp(mouse) if ctx.is_active() => {
                track::release(ctx, &mut self.pointer);
                self.released(ctx, app, mouse.pos);
            }
            // The arrows, Home and End mean the same here as anywhere: the desk knows.
            Event::KeyDown(key) if ctx.is_focused() => track::tab(ctx, key),
            _ => {}
        }
    }

    fn lifecycle(&mut self, ctx: &mut LifeCycleCtx, event: &LifeCycle, app: &App, _: &Env) {
        track::lifecycle(ctx, event, &mut self.pointer);
        if matches!(event, LifeCycle::WidgetAdded) && app.replaying(local_now()) {
            self.timer = Some(ctx.request_timer(TICK));
        }
    }

    fn update(&mut self, ctx: &mut UpdateCtx, was: &App, app: &App, _: &Env) {
        if !Arc::ptr_eq(&was.screen, &app.screen) || ctx.env_changed() {
            ctx.request_paint();
        }
        if self.timer.is_none() && app.replaying(local_now()) {
            self.timer = Some(ctx.request_timer(TICK));
        }
    }

    fn layout(&mut self, ctx: &mut LayoutCtx, bc: &BoxConstraints, _: &App, _: &Env) -> Size {
        ctx.set_paint_insets((RING, BUBBLE + 4.0, RING, RING));
        bc.constrain((bc.max().width, HEIGHT))
    }

    fn paint(&mut self, ctx: &mut PaintCtx, app: &App, env: &Env) {
        let colors = palette(env);
        let width = ctx.size().width;
        let Some(replay) = app.replay() else { return };
        self.place(replay, width);
        let middle = EVENTS + LINE / 2.0;
        let track = Track { middle };
        track.line(ctx, width, &colors.line.color());
        let usable = app.replayable();
        let lit = if usable { colors.accent } else { colors.muted }.color();
        let x = x_at(replay, self.shown(app, local_now()), width);
        track.line(ctx, x, &lit);
        let mut last_gap = f64::NEG_INFINITY;
        for wait in replay.programme.waits().iter() {
            let from = x_at(replay, wait.from, width);
            let to = x_at(replay, wait.to, width);
            let (from, to) = if to - from < GAP {
                (from - GAP / 2.0, from + GAP / 2.0)
            } else {
                (from, to)
            };
            // A hundred waits side by side are not a bar of gaps.
            if from - last_gap > 2.0 * GAP {
                let gap = Rect::new(from, middle - TRACK, to, middle + TRACK);
                ctx.fill(gap, &colors.panel.color());
                last_gap = to;
            }
        }
        let asked = app.asked().map(|reason| reason.event.header.seq);
        for placed in &self.above {
            paint_mark(ctx, placed, asked, colors);
        }
        for placed in &self.below {
            let tone = placed.mark.by.map_or(Tone::Muted, Tone::Member);
            let top = EVENTS + LINE + 1.0;
            let high = if asked == Some(placed.mark.seq) {
                12.0
            } else {
                8.0
            };
            let tick = Rect::new(placed.x - 1.0, top, placed.x + 1.0, top + high);
            ctx.fill(tick, &colors.tone(tone).color());
        }
        track.ring(ctx, colors);
        track.knob(ctx, x, &lit);
        if let Some(pointer) = self.pointer.filter(|_| usable) {
            self.paint_bubble(ctx, replay, pointer, colors);
        }
    }
}

impl Scrub {
    /// The pointer's moment, and what happened there.
    fn paint_bubble(&self, ctx: &mut PaintCtx, replay: &Replay, pointer: Point, colors: &Palette) {
        let width = ctx.size().width;
        let end = replay.programme.end();
        let meant = self.mark_at(pointer);
        let at = meant.map_or_else(|| at_x(replay, pointer.x, width), |placed| placed.mark.at);
        let mut words = moment_face(at, end);
        let entries = replay.programme.entries();
        if let Some(placed) = meant
            && let Ok(place) = entries.binary_search_by_key(&placed.mark.seq, |entry| entry.seq)
        {
            let entry = &entries[place];
            words = match placed.mark.kind {
                MarkKind::Talk if placed.mark.by.is_some() => {
                    format!("{words}  {}: {}", entry.name, entry.text)
                }
                _ => format!("{words}  {}", entry.text),
            };
        }
        let face = Face {
            size: size::SMALL,
            bold: false,
        };
        let most = (width - 2.0 * space::S).clamp(40.0, 420.0);
        let laid = fit(ctx.text(), &words, face, colors.text, most, 1);
        let x = meant.map_or(pointer.x, |placed| placed.x);
        track::bubble(ctx, &laid, x, -BUBBLE - 2.0, colors);
    }
}
