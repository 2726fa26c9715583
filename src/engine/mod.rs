//! The pure core: what was asked, what happened, what is true now.

pub mod event;
pub mod fold;
pub mod frame;
pub mod id;
pub mod intent;
pub mod media;
pub mod presence;
pub mod reader;
pub mod replay;
pub mod sequencer;
pub mod session;
pub mod snapshot;
pub mod text;
pub mod unit;
