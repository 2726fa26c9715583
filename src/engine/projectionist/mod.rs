//! Watching an evening again: its clock, its waits, and the state at any moment of it.
//!
//! A past session is a log and nothing else, so watching it again is a fold up
//! to a moment. The [`Projector`] says which moment that is: a clock over
//! session time that runs at a [`Pace`], stands, and jumps. [`Waits`] are the
//! stretches in which nobody did anything and no film ran; who does not want to
//! sit through them leaves them out. The [`Reel`] finds the state at a moment
//! from the nearest snapshot, so that the end of a long evening is as near as
//! its beginning.
//!
//! Promises: the state at a moment is the fold of all events up to it, whatever
//! was looked at before; nothing here can write an event. It deliberately knows
//! no log: whoever has one hands in the reading.

pub mod projector;
pub mod reel;
pub mod waits;

pub use projector::{Pace, Projector};
pub use reel::{Point, Reel, Torn, causes, wind};
pub use waits::{Wait, Waits};
