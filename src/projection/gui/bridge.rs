//! The thread between the runtime and the window: the latest screen, thirty times a second at most.
//!
//! druid's queue is unbounded and its wake-up comes before the item it
//! announces, so an item may lie there until the next wake-up. Hence the whole
//! latest screen, never a delta, and the same one again every quarter of a
//! second: what was missed is shown then.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use druid::{ExtEventSink, Target};
use tokio::sync::{oneshot, watch};

use super::{Screen, cmd};

/// The least time between two screens: thirty a second is as much as anybody sees in text.
const PACE: Duration = Duration::from_millis(33);
/// How long a screen may lie unseen in druid's queue before it is sent again.
const AGAIN: Duration = Duration::from_millis(250);

/// The running bridge; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Bridge {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bridge {
    /// Carries `screen` to the window behind `sink` from now on.
    pub(super) fn start(sink: ExtEventSink, screen: watch::Receiver<Screen>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("gui-bridge".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build();
                match runtime {
                    Ok(runtime) => runtime.block_on(async {
                        tokio::select! {
                            _ = stopped => {}
                            () = carry(screen, |screen| {
                                // Fails only on a poisoned lock, when the window is lost anyway.
                                let _ = sink.submit_command(cmd::SHOW, screen, Target::Global);
                            }) => {}
                        }
                    }),
                    Err(error) => tracing::error!(%error, "the window gets no news"),
                }
            });
        if let Err(error) = &thread {
            tracing::error!(%error, "the window gets no news");
        }
        Self {
            stop: Some(stop),
            thread: thread.ok(),
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

/// Hands each new screen on, paced, and the latest again whenever nothing new came for a while.
async fn carry(mut screen: watch::Receiver<Screen>, hand_on: impl Fn(Arc<Screen>)) {
    loop {
        let latest = Arc::new(screen.borrow_and_update().clone());
        hand_on(Arc::clone(&latest));
        tokio::time::sleep(PACE).await;
        loop {
            match tokio::time::timeout(AGAIN, screen.changed()).await {
                Ok(Ok(())) => break,
                Err(_late) => hand_on(Arc::clone(&latest)),
                // Nobody will change it any more, but what is queued must still be seen.
                Ok(Err(_closed)) => {
                    tokio::time::sleep(AGAIN).await;
                    hand_on(Arc::clone(&latest));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projection::gui::Start;
    use std::sync::Mutex;

    fn sentence(screen: &Screen) -> Option<String> {
        match screen {
            Screen::Start(start) => start.busy.clone(),
            Screen::Room(_) | Screen::Replay(_) => None,
        }
    }

    fn busy(number: u32) -> Screen {
        Screen::Start(Start {
            busy: Some(number.to_string()),
            ..Start::default()
        })
    }

    #[tokio::test]
    async fn a_burst_shows_as_its_last_screen_which_then_comes_again() {
        tokio::time::timeout(Duration::from_secs(20), async {
            let (publish, screen) = watch::channel(busy(0));
            let (out, mut shown) = tokio::sync::mpsc::channel(1_000);
            let carried = tokio::spawn(carry(screen, move |screen| {
                let _ = out.try_send(screen);
            }));
            shown.recv().await.unwrap();
            for number in 1..=500 {
                publish.send_replace(busy(number));
            }
            let mut seen = Vec::new();
            let last = loop {
                let screen = shown.recv().await.unwrap();
                let done = sentence(&screen).as_deref() == Some("500");
                seen.push(sentence(&screen));
                if done {
                    break screen;
                }
            };
            assert!(seen.len() <= 3, "a burst was not coalesced: {seen:?}");
            let again = shown.recv().await.unwrap();
            assert!(Arc::ptr_eq(&last, &again), "the same screen, not a copy");
            carried.abort();
        })
        .await
        .unwrap();
    }

    #[test]
    fn a_dropped_bridge_is_a_finished_thread() {
        let (_publish, screen) = watch::channel(Screen::default());
        let handed = Arc::new(Mutex::new(0));
        let (stop, stopped) = oneshot::channel();
        let count = Arc::clone(&handed);
        let thread = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap()
                .block_on(async {
                    tokio::select! {
                        _ = stopped => {}
                        () = carry(screen, |_| *count.lock().unwrap() += 1) => {}
                    }
                });
        });
        drop(Bridge {
            stop: Some(stop),
            thread: Some(thread),
        });
        assert_eq!(Arc::strong_count(&handed), 1, "the thread still runs");
    }
}
