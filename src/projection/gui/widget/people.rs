//! Who is here: colour, name, role, and what their player does.
//!
//! A moderator chooses a row, by pointer or by arrow keys, to see what can be
//! done about that person; three dots tell which rows those are.

use druid::kurbo::{Circle, CircleSegment};
use druid::piet::TextLayout;
use druid::{
    BoxConstraints, Env, Event, EventCtx, KbKey, LayoutCtx, LifeCycle, LifeCycleCtx, PaintCtx,
    Point, Rect, RenderContext, Size, UpdateCtx, Widget,
};

use super::super::cmd;
use super::super::data::{App, Person};
use super::super::theme::{Palette, RADIUS_FIELD, RING, Tone, palette, size, space};
use super::avatar;
use super::icon::{GRID, Icon, focus_ring};
use super::words::{Face, fit};
use super::{point, press};

const ROW: f64 = 44.0;
/// Before the presence words stands a shape that says the same without colour.
const SHAPE: f64 = 4.0;

/// See the module.
#[derive(Default)]
pub(in super::super) struct People {
    people: Vec<Person>,
    hot: Option<usize>,
}

impl People {
    /// The row there, if something can be done about who it shows.
    fn row_at(&self, point: Point) -> Option<usize> {
        let row = (point.y / ROW).floor();
        let person = self.people.get(row as usize).filter(|_| row >= 0.0)?;
        person.governable.then_some(row as usize)
    }

    /// Chooses the next row that can be chosen, downwards or upwards.
    fn choose_beside(&self, ctx: &mut EventCtx, up: bool) {
        let mut rows: Vec<&Person> = self.people.iter().filter(|it| it.governable).collect();
        if up {
            rows.reverse();
        }
        let here = rows.iter().position(|person| person.chosen);
        let beside = here.map_or(0, |here| here + 1);
        if let Some(person) = rows.get(beside) {
            ctx.submit_command(cmd::CHOOSE.with(person.id));
        }
    }
}

/// Filled: in step. Half: not ready.
fn shape(ctx: &mut PaintCtx, center: Point, tone: Tone, colors: &Palette) {
    let color = colors.tone(tone).color();
    if tone == Tone::Warn {
        let half = std::f64::consts::FRAC_PI_2;
        ctx.stroke(Circle::new(center, SHAPE - 0.5), &color, 1.0);
        ctx.fill(
            CircleSegment::new(center, SHAPE, 0.0, half, 2.0 * half),
            &color,
        );
    } else {
        ctx.fill(Circle::new(center, SHAPE), &color);
    }
}

impl Widget<App> for People {
    fn event(&mut self, ctx: &mut EventCtx, event: &Event, _: &mut App, _: &Env) {
        match event {
            Event::MouseMove(mouse) => {
                let hot = self.row_at(mouse.pos);
                point(ctx, &mut self.hot, hot);
            }
            Event::MouseDown(mouse)
                if mouse.button.is_left() && self.row_at(mouse.pos).is_some() =>
            {
                press(ctx);
            }
            Event::MouseUp(mouse) if ctx.is_active() => {
                ctx.set_active(false);
                if let Some(row) = self.row_at(mouse.pos).filter(|_| ctx.is_hot()) {
                    ctx.submit_command(cmd::CHOOSE.with(self.people[row].id));
                }
                ctx.set_handled();
            }
            Event::KeyDown(key) if ctx.is_focused() => {
                match &key.key {
                    KbKey::ArrowDown => self.choose_beside(ctx, false),
                    KbKey::ArrowUp => self.choose_beside(ctx, true),
                    KbKey::Tab if key.mods.shift() => ctx.focus_prev(),
                    KbKey::Tab => ctx.focus_next(),
                    _ => return,
                }
                ctx.set_handled();
            }
            _ => {}
        }
    }

    fn lifecycle(&mut self, ctx: &mut LifeCycleCtx, event: &LifeCycle, app: &App, _: &Env) {
        match event {
            LifeCycle::WidgetAdded => self.people = app.people(),
            LifeCycle::BuildFocusChain => ctx.register_for_focus(),
            LifeCycle::HotChanged(hot) => {
                if !hot {
                    self.hot = None;
                }
                ctx.request_paint();
            }
            LifeCycle::FocusChanged(_) => ctx.request_paint(),
            _ => {}
        }
    }

    fn update(&mut self, ctx: &mut UpdateCtx, _: &App, app: &App, _: &Env) {
        let people = app.people();
        if people != self.people {
            if people.len() == self.people.len() {
                ctx.request_paint();
            } else {
                ctx.request_layout();
            }
            self.people = people;
        } else if ctx.env_changed() {
            ctx.request_paint();
        }
    }

    fn layout(&mut self, _: &mut LayoutCtx, bc: &BoxConstraints, _: &App, _: &Env) -> Size {
        bc.constrain((bc.max().width, ROW * self.people.len() as f64))
    }

    fn paint(&mut self, ctx: &mut PaintCtx, _: &App, env: &Env) {
        let colors = palette(env);
        let width = ctx.size().width;
        let visible = ctx.region().bounding_box();
        if ctx.is_focused() {
            let inner = ctx.size().to_rect().inset(-2.0 * RING);
            focus_ring(ctx, inner, &colors.accent.color());
        }
        for (index, person) in self.people.iter().enumerate() {
            let top = ROW * index as f64;
            if top > visible.y1 || top + ROW < visible.y0 {
                continue;
            }
            let middle = top + ROW / 2.0;
            let disc = Point::new(space::L + avatar::DIAMETER / 2.0, middle);
            avatar::paint(ctx, disc, person.id, &person.name, colors);
            let left = space::L + avatar::DIAMETER + space::M;
            let mut right = width - space::L;
            if person.governable {
                let hot = self.hot == Some(index);
                if hot || person.chosen {
                    let row = Rect::new(space::XS, top, width - space::XS, top + ROW);
                    ctx.fill(row.to_rounded_rect(RADIUS_FIELD), &colors.raised.color());
                    // The disc lies on it.
                    avatar::paint(ctx, disc, person.id, &person.name, colors);
                }
                let tone = if person.chosen {
                    Tone::Accent
                } else {
                    Tone::Muted
                };
                right -= GRID;
                let dots = Point::new(right + GRID / 2.0, middle);
                Icon::More.paint(ctx, dots, &colors.tone(tone).color());
            }
            let room = (right - left).max(0.0);
            let name = fit(
                ctx.text(),
                &person.name,
                Face {
                    size: size::BODY,
                    bold: true,
                },
                colors.text,
                room,
                1,
            );
            let small = Face {
                size: size::SMALL,
                bold: false,
            };
            let mut x = left;
            let below = middle + 1.0;
            if person.role.is_empty() && person.presence.is_empty() {
                let y = (middle - name.size().height / 2.0).round();
                ctx.draw_text(&name, Point::new(left, y));
                continue;
            }
            let y = (middle - name.size().height).round();
            ctx.draw_text(&name, Point::new(left, y));
            if !person.presence.is_empty() {
                let room = (left + room - x - 2.0 * SHAPE - 6.0).max(0.0);
                let words = if person.role.is_empty() {
                    person.presence.clone()
                } else {
                    format!("{} · {}", person.presence, person.role)
                };
                let laid = fit(ctx.text(), &words, small, colors.tone(person.tone), room, 1);
                let center = Point::new(x + SHAPE, (below + laid.size().height / 2.0).round());
                shape(ctx, center, person.tone, colors);
                x += 2.0 * SHAPE + 6.0;
                ctx.draw_text(&laid, Point::new(x, below.round()));
            } else {
                let laid = fit(ctx.text(), &person.role, small, colors.muted, room, 1);
                ctx.draw_text(&laid, Point::new(x, below.round()));
            }
        }
    }
}
