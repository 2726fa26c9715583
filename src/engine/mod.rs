//! The pure core: what was asked, what happened, what is true now.

pub mod event;
pub mod fold;
pub mod id;
pub mod intent;
pub mod media;
pub mod text;
pub mod unit;
