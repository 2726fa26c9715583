//! The window's own controls: what druid's do not do, or not well enough.

pub(super) mod avatar;
pub(super) mod button;
pub(super) mod card;
pub(super) mod check;
pub(super) mod chips;
pub(super) mod clock;
pub(super) mod code;
pub(super) mod field;
pub(super) mod follow;
pub(super) mod icon;
pub(super) mod measure;
pub(super) mod people;
pub(super) mod reading;
pub(super) mod scrub;
pub(super) mod seekbar;
pub(super) mod shown;
pub(super) mod story;
mod track;
pub(super) mod words;

use druid::{Cursor, EventCtx};

use super::cmd;

/// The mouse is over `now` of several things: says by its shape whether a press does anything there.
fn point<T: PartialEq>(ctx: &mut EventCtx, hot: &mut Option<T>, now: Option<T>) {
    if now.is_some() {
        ctx.set_cursor(&Cursor::Pointer);
    } else {
        ctx.clear_cursor();
    }
    if now != *hot {
        *hot = now;
        ctx.request_paint();
    }
}

/// The mouse went down on something to press. A click leaves the keys to the desk, so that the
/// space bar still means the film after a click on something else.
fn press(ctx: &mut EventCtx) {
    ctx.set_active(true);
    ctx.set_focus(cmd::DESK);
    ctx.set_handled();
}
