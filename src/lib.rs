//! Séance: a watch party whose only truth is its log.
#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations)]

#[cfg(feature = "server")]
pub mod broadcast;
#[cfg(feature = "server")]
pub mod cli;
pub mod engine;
#[cfg(feature = "server")]
pub mod log;
#[cfg(feature = "server")]
pub mod net;
#[cfg(feature = "server")]
pub mod os;
#[cfg(feature = "server")]
pub mod player;
#[cfg(feature = "server")]
pub mod projection;
