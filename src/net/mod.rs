//! The network: one port for the page and the WebSocket, and the way in from elsewhere.

pub mod client;
pub mod link;
pub mod pump;
pub mod server;
pub mod tls;

use std::time::Duration;

use crate::engine::unit::LocalTime;
use crate::os;

/// Waits until a machine's deadline; for ever without one.
async fn sleep_until(due: Option<LocalTime>) {
    match due {
        Some(due) => {
            let left = (due - os::local_now()).get().max(0);
            tokio::time::sleep(Duration::from_micros(left.unsigned_abs())).await;
        }
        None => std::future::pending().await,
    }
}
