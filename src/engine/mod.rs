//! The pure core: what was asked, what happened, what is true now.
//!
//! Everything here is a function of its arguments: no runtime, no network, no
//! disk, no clock, no randomness (law 7). Time and random numbers are
//! arguments; maps are ordered; what is folded is integers. The build proves
//! it: `cargo check --no-default-features` builds this folder alone.
//!
//! ```text
//! intent ─► sequencer ─► event ─► fold ─► state          (the room)
//!                          └─► frame ─► member end ─► replay ─► state   (everybody else)
//! ```

pub mod clock;
pub mod event;
pub mod fold;
pub mod frame;
pub mod id;
pub mod intent;
pub mod media;
pub mod presence;
pub mod projectionist;
pub mod reader;
pub mod replay;
pub mod room;
pub mod sequencer;
pub mod session;
pub mod snapshot;
pub mod sync;
pub mod talk;
pub mod text;
pub mod trace;
pub mod unit;
