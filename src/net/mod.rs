//! The network: one port for the page and the WebSocket, and the way in from elsewhere.

pub mod client;
pub mod link;
pub mod pump;
pub mod server;
