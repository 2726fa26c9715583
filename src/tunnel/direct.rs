//! The way on this network: this machine's own addresses.
//!
//! Nothing is opened, because the party's port is open already; what this way
//! does is to know which addresses lead to it, and to notice when they change,
//! as a laptop that goes from one network to another has it.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Ground, Keeping, State, Trouble, Tunnel, addresses};
use crate::net::link::Place;

/// How often the interfaces are looked at: a moved laptop's new link should not need patience.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// This machine's own addresses.
#[derive(Clone, Copy, Debug)]
pub struct Direct {
    bound: SocketAddr,
}

impl Direct {
    /// The way to a server that listens at `bound`.
    pub const fn new(bound: SocketAddr) -> Self {
        Self { bound }
    }

    /// The addresses that lead to it now, likeliest first; only this machine's own where there
    /// is no network.
    pub fn places(self) -> Vec<Place> {
        addresses::all_for_others(self.bound)
            .into_iter()
            .map(|address| Place::plain(address.to_string()))
            .collect()
    }

    fn state(self) -> State {
        let places = self.places();
        if places.is_empty() {
            State::Reconnecting {
                places,
                trouble: Trouble::new(
                    "This computer is in no network.",
                    "Connect it to one, and the link appears by itself.",
                ),
            }
        } else {
            State::Online(places)
        }
    }
}

impl Tunnel for Direct {
    fn name(&self) -> &'static str {
        "this network"
    }

    fn keep(self: Box<Self>, mut ground: Ground) -> Keeping {
        Box::pin(async move {
            loop {
                ground.report.say(self.state());
                tokio::select! {
                    () = ground.stopped() => return,
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_party_that_only_this_machine_reaches_says_so_and_no_other_address() {
        let bound: SocketAddr = "127.0.0.1:7878".parse().unwrap();
        let opened = super::super::open(Box::new(Direct::new(bound)), bound);
        let mut watch = opened.watch();
        let state = opened.settled().await;
        assert_eq!(state.places(), [Place::plain("127.0.0.1:7878")]);
        opened.close().await;
        assert!(
            watch
                .wait_for(|state| *state == State::Closed)
                .await
                .is_ok()
        );
    }
}
