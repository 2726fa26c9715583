//! Who is here: colour, name, role, and what their player does.

use druid::kurbo::{Circle, CircleSegment};
use druid::piet::TextLayout;
use druid::{
    BoxConstraints, Env, Event, EventCtx, LayoutCtx, LifeCycle, LifeCycleCtx, PaintCtx, Point,
    RenderContext, Size, UpdateCtx, Widget,
};

use super::super::data::{App, Person};
use super::super::theme::{Palette, Tone, palette, size, space};
use super::avatar;
use super::words::{Face, fit};

const ROW: f64 = 44.0;
/// Before the presence words stands a shape that says the same without colour.
const SHAPE: f64 = 4.0;

/// See the module.
#[derive(Default)]
pub(in super::super) struct People {
    people: Vec<Person>,
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
    fn event(&mut self, _: &mut EventCtx, _: &Event, _: &mut App, _: &Env) {}

    fn lifecycle(&mut self, _: &mut LifeCycleCtx, event: &LifeCycle, app: &App, _: &Env) {
        if let LifeCycle::WidgetAdded = event {
            self.people = app.people();
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
        for (index, person) in self.people.iter().enumerate() {
            let top = ROW * index as f64;
            if top > visible.y1 || top + ROW < visible.y0 {
                continue;
            }
            let middle = top + ROW / 2.0;
            let disc = Point::new(space::L + avatar::DIAMETER / 2.0, middle);
            avatar::paint(ctx, disc, person.id, &person.name, colors);
            let left = space::L + avatar::DIAMETER + space::M;
            let room = (width - left - space::L).max(0.0);
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
                let laid = fit(ctx.text(), person.role, small, colors.muted, room, 1);
                ctx.draw_text(&laid, Point::new(x, below.round()));
            }
        }
    }
}
