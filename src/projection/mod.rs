//! Projections: everything anyone sees, rebuilt from the stream and droppable.
//!
//! [`view`] folds events into what people read; the window, the terminal and
//! the page each show it in their own way. [`web`] is the page. [`rewatch`] is an
//! evening that is over, for any of them; [`plot`] draws what the trace holds.

#[cfg(feature = "gui")]
pub mod gui;
pub mod plot;
pub mod rewatch;
pub mod terminal;
pub mod view;
pub mod web;
