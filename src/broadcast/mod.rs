//! The living room: one owner that decides, and any number of readers that follow.
//!
//! ```text
//! intents ─► room (sequencer) ─► log (durable) ─► feed ─► subscription ─► each connection
//! ```
//!
//! [`room`] is the only writer. What it publishes into the [`feed`] is durable
//! already (law 1); what a [`feed::Subscription`] misses there it reads from the
//! log (law 2).

pub mod door;
pub mod feed;
pub mod hub;
pub mod passcode;
pub mod room;
pub mod visits;
pub mod wire;
