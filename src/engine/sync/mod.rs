//! What a player should do to stay in step: pure, one player at a time.
//!
//! [`drift`] measures how far a film stands from the timeline, [`controller`]
//! decides between holding, slewing and stepping, [`echo`] tells what a
//! player's user did from what it was told to do. Nothing here is ever an
//! event (law 5).

pub mod controller;
pub mod drift;
pub mod echo;
