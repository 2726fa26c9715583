//! Icons, drawn as paths on a 20 px grid with a 1.5 px stroke.

use druid::kurbo::{Arc, BezPath, Circle, Line, Rect, RoundedRect, Shape};
use druid::piet::{LineCap, LineJoin, StrokeStyle};
use druid::{Affine, Color, PaintCtx, Point, RenderContext};

/// The grid's side, in px.
pub(in super::super) const GRID: f64 = 20.0;
const STROKE: f64 = 1.5;

/// What an icon shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Icon {
    /// Let the film run.
    Play,
    /// Let it stand.
    Pause,
    /// Back by a little.
    Back,
    /// Forward by a little.
    Forward,
    /// Put on the clipboard.
    Copy,
    /// It is done.
    Check,
    /// The light face.
    Sun,
    /// The dark face.
    Moon,
    /// Out of the room.
    Leave,
    /// Read again.
    Refresh,
    /// A strip of film.
    Film,
    /// Something is wrong.
    Alert,
    /// Something is going on.
    Info,
    /// Put away.
    Close,
    /// Send what was typed.
    Send,
    /// On to what comes next.
    Next,
    /// Back to what came before.
    Previous,
    /// A box with its check.
    Checked,
    /// A box without.
    Unchecked,
    /// There is more to do here.
    More,
}

impl Icon {
    /// Draws it around `center`.
    pub(in super::super) fn paint(self, ctx: &mut PaintCtx, center: Point, color: &Color) {
        self.paint_scaled(ctx, center, 1.0, color);
    }

    /// Draws it around `center`, so many times as large.
    pub(in super::super) fn paint_scaled(
        self,
        ctx: &mut PaintCtx,
        center: Point,
        scale: f64,
        color: &Color,
    ) {
        let style = StrokeStyle::new()
            .line_cap(LineCap::Round)
            .line_join(LineJoin::Round);
        ctx.with_save(|ctx| {
            ctx.transform(
                Affine::translate(center.to_vec2())
                    * Affine::scale(scale)
                    * Affine::translate((-GRID / 2.0, -GRID / 2.0)),
            );
            for part in self.parts() {
                match part {
                    Part::Stroke(path) => ctx.stroke_styled(path, color, STROKE, &style),
                    Part::Fill(path) => ctx.fill(path, color),
                }
            }
        });
    }

    fn parts(self) -> Vec<Part> {
        match self {
            Self::Play => vec![fill(closed(&[(6.0, 4.0), (16.0, 10.0), (6.0, 16.0)]))],
            Self::Pause => vec![
                fill(RoundedRect::new(5.5, 4.0, 8.5, 16.0, 1.0)),
                fill(RoundedRect::new(11.5, 4.0, 14.5, 16.0, 1.0)),
            ],
            Self::Back => vec![
                stroke(Arc::new((10.0, 10.5), (6.0, 6.0), -2.2, 5.2, 0.0)),
                stroke(open(&[(6.3, 2.4), (6.3, 6.0), (9.9, 6.0)])),
            ],
            Self::Forward => vec![
                stroke(Arc::new((10.0, 10.5), (6.0, 6.0), -0.94, -5.2, 0.0)),
                stroke(open(&[(13.7, 2.4), (13.7, 6.0), (10.1, 6.0)])),
            ],
            Self::Copy => vec![
                stroke(RoundedRect::new(7.5, 7.5, 16.5, 16.5, 2.0)),
                stroke(open(&[
                    (12.5, 5.0),
                    (12.5, 3.5),
                    (3.5, 3.5),
                    (3.5, 12.5),
                    (5.0, 12.5),
                ])),
            ],
            Self::Check => vec![stroke(open(&[(4.0, 10.5), (8.5, 15.0), (16.0, 5.5)]))],
            Self::Sun => {
                let ray = |turn: f64| {
                    let (sin, cos) = turn.sin_cos();
                    stroke(Line::new(
                        (10.0 + 5.6 * cos, 10.0 + 5.6 * sin),
                        (10.0 + 8.0 * cos, 10.0 + 8.0 * sin),
                    ))
                };
                (0..8)
                    .map(|eighth| ray(f64::from(eighth) * std::f64::consts::FRAC_PI_4))
                    .chain([stroke(Circle::new((10.0, 10.0), 3.2))])
                    .collect()
            }
            Self::Moon => {
                let mut path = BezPath::new();
                path.move_to((15.8, 12.2));
                path.curve_to((11.0, 14.0), (6.4, 9.4), (8.0, 4.2));
                path.curve_to((2.6, 6.4), (3.0, 15.4), (9.6, 16.4));
                path.curve_to((12.4, 16.8), (14.9, 14.9), (15.8, 12.2));
                path.close_path();
                vec![stroke(path)]
            }
            Self::Leave => vec![
                stroke(open(&[(8.0, 3.5), (4.0, 3.5), (4.0, 16.5), (8.0, 16.5)])),
                stroke(Line::new((8.5, 10.0), (16.5, 10.0))),
                stroke(open(&[(13.0, 6.5), (16.5, 10.0), (13.0, 13.5)])),
            ],
            Self::Refresh => vec![
                stroke(Arc::new((10.0, 10.0), (6.0, 6.0), -0.6, 5.2, 0.0)),
                stroke(open(&[(15.6, 2.8), (15.2, 6.6), (11.6, 6.2)])),
            ],
            Self::Film => {
                let hole = |x: f64, y: f64| stroke(Line::new((x, y), (x + 1.0, y)));
                vec![
                    stroke(RoundedRect::new(2.5, 4.0, 17.5, 16.0, 2.0)),
                    stroke(Line::new((6.5, 4.0), (6.5, 16.0))),
                    stroke(Line::new((13.5, 4.0), (13.5, 16.0))),
                    hole(4.0, 8.0),
                    hole(4.0, 12.0),
                    hole(15.0, 8.0),
                    hole(15.0, 12.0),
                ]
            }
            Self::Alert => vec![
                stroke(closed(&[(10.0, 3.0), (17.5, 16.5), (2.5, 16.5)])),
                stroke(Line::new((10.0, 8.5), (10.0, 11.5))),
                fill(Circle::new((10.0, 14.0), 1.0)),
            ],
            Self::Info => vec![
                stroke(Circle::new((10.0, 10.0), 7.0)),
                stroke(Line::new((10.0, 9.5), (10.0, 13.5))),
                fill(Circle::new((10.0, 6.7), 1.0)),
            ],
            Self::Close => vec![
                stroke(Line::new((5.5, 5.5), (14.5, 14.5))),
                stroke(Line::new((14.5, 5.5), (5.5, 14.5))),
            ],
            Self::Next => vec![
                fill(closed(&[(4.0, 4.5), (12.5, 10.0), (4.0, 15.5)])),
                stroke(Line::new((15.0, 4.5), (15.0, 15.5))),
            ],
            Self::Previous => vec![
                fill(closed(&[(16.0, 4.5), (7.5, 10.0), (16.0, 15.5)])),
                stroke(Line::new((5.0, 4.5), (5.0, 15.5))),
            ],
            Self::Checked => vec![
                stroke(RoundedRect::new(3.0, 3.0, 17.0, 17.0, 3.0)),
                stroke(open(&[(6.5, 10.5), (9.0, 13.0), (13.5, 7.0)])),
            ],
            Self::Unchecked => vec![stroke(RoundedRect::new(3.0, 3.0, 17.0, 17.0, 3.0))],
            Self::More => [4.5, 10.0, 15.5]
                .map(|x| fill(Circle::new((x, 10.0), 1.4)))
                .into(),
            Self::Send => vec![
                stroke(closed(&[
                    (3.0, 4.0),
                    (17.5, 10.0),
                    (3.0, 16.0),
                    (5.5, 10.0),
                ])),
                stroke(Line::new((5.5, 10.0), (10.5, 10.0))),
            ],
        }
    }
}

enum Part {
    Stroke(BezPath),
    Fill(BezPath),
}

fn stroke(shape: impl Shape) -> Part {
    Part::Stroke(shape.to_path(0.05))
}

fn fill(shape: impl Shape) -> Part {
    Part::Fill(shape.to_path(0.05))
}

fn open(points: &[(f64, f64)]) -> BezPath {
    let mut path = BezPath::new();
    for (index, point) in points.iter().enumerate() {
        if index == 0 {
            path.move_to(*point);
        } else {
            path.line_to(*point);
        }
    }
    path
}

fn closed(points: &[(f64, f64)]) -> BezPath {
    let mut path = open(points);
    path.close_path();
    path
}

/// The ring around a focused control: 2 px of gap, then 2 px of accent.
pub(in super::super) fn focus_ring(ctx: &mut PaintCtx, around: Rect, accent: &Color) {
    let ring = around
        .inset(3.0)
        .to_rounded_rect(super::super::theme::RADIUS_FIELD + 3.0);
    ctx.stroke(ring, accent, 2.0);
}
