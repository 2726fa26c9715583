//! The network: one port for the page and the WebSocket, and the way in from elsewhere.

pub mod link;
pub mod pump;
pub mod server;
