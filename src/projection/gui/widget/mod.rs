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
