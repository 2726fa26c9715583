//! A member's mark: a disc of their colour with the first letter of their name.

use druid::kurbo::Circle;
use druid::piet::TextLayout;
use druid::{PaintCtx, Point, RenderContext};
use unicode_segmentation::UnicodeSegmentation;

use super::super::theme::{Palette, hue};
use super::words::{Face, set_line};
use crate::engine::id::MemberId;

/// The disc's diameter, in px.
pub(in super::super) const DIAMETER: f64 = 28.0;

/// Draws the mark of `member` around `center`.
pub(in super::super) fn paint(
    ctx: &mut PaintCtx,
    center: Point,
    member: MemberId,
    name: &str,
    colors: &Palette,
) {
    let disc = Circle::new(center, DIAMETER / 2.0);
    ctx.fill(disc, &colors.members[hue(member)].color());
    let initial = name
        .graphemes(true)
        .next()
        .map_or_else(String::new, str::to_uppercase);
    let face = Face {
        size: 13.0,
        bold: true,
    };
    // The panel's colour is as far from the disc's as the disc's is from the panel.
    let laid = set_line(ctx.text(), &initial, face, colors.panel);
    let at = center - laid.size().to_vec2() / 2.0;
    ctx.draw_text(&laid, Point::new(at.x.round(), at.y.round()));
}
