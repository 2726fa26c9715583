//! The network: one port for the page and the WebSocket, and the way in from elsewhere.

pub mod client;
pub mod link;
pub mod pump;
pub mod server;
pub mod tls;

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

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

/// A timer for a deadline that mostly moves away: a runtime's timer is set when it rings, not
/// each time the deadline moves.
struct Alarm {
    sleep: Pin<Box<Sleep>>,
    /// When it rings; `None` while it is not set.
    due: Option<LocalTime>,
}

impl Alarm {
    fn new() -> Self {
        Self {
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            due: None,
        }
    }

    /// Waits until that deadline; for ever without one. Cancelling it loses nothing.
    async fn until(&mut self, deadline: Option<LocalTime>) {
        let Some(deadline) = deadline else {
            return std::future::pending().await;
        };
        loop {
            if self.due.is_none_or(|due| deadline < due) {
                let left = (deadline - os::local_now()).get().max(0);
                let left = Duration::from_micros(left.unsigned_abs());
                self.sleep.as_mut().reset(Instant::now() + left);
                self.due = Some(deadline);
            }
            self.sleep.as_mut().await;
            self.due = None;
            if os::local_now() >= deadline {
                return;
            }
        }
    }
}
