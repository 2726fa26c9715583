//! How friends reach a hosted party: its ways, all of them, and what each of them gives.
//!
//! A way that comes or goes has three consequences, and they are drawn here and
//! nowhere else: the server answers to its name or no longer does, those inside
//! hear where the party is too, and the host's screen has another link to share.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::broadcast::room::RoomHandle;
use crate::net::link::{JoinLink, Place};
use crate::net::server::Names;
use crate::tunnel::direct::Direct;
use crate::tunnel::{self, Opened, State, Tunnel, addresses, firewall, mapping};

/// How long the consequences of a tunnel's end may take: no time, since nothing waits in them.
const FOLLOW_WAIT_MAX: Duration = Duration::from_millis(500);

/// One way, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Which, as people call it.
    pub name: &'static str,
    /// How it stands.
    pub state: State,
}

/// What a way's own task needs to draw its consequences.
#[derive(Clone, Debug)]
struct Consequences {
    room: RoomHandle,
    names: Names,
    ways: Arc<watch::Sender<Vec<Way>>>,
}

/// A tunnel and the task that follows it.
#[derive(Debug)]
struct Kept {
    tunnel: Opened,
    follower: JoinHandle<()>,
}

/// The ways to one hosted party. The first is always this network.
#[derive(Debug)]
pub struct Reach {
    consequences: Consequences,
    bound: SocketAddr,
    share: JoinLink,
    kept: Vec<Kept>,
}

impl Reach {
    /// The ways to the party that listens at `bound` and is shared by `share`: this network, so far.
    pub fn open(room: RoomHandle, names: Names, bound: SocketAddr, share: JoinLink) -> Self {
        let direct = Direct::new(bound);
        let first = Way {
            name: direct.name(),
            // Known without waiting, so that there is a link to show at once.
            state: State::Online(direct.places()),
        };
        let mut reach = Self {
            consequences: Consequences {
                room,
                names,
                ways: Arc::new(watch::Sender::new(vec![first])),
            },
            bound,
            share,
            kept: Vec::new(),
        };
        reach.keep(Box::new(direct));
        reach
    }

    /// Opens another way. One of the same name that is there already is closed first.
    pub async fn add(&mut self, tunnel: Box<dyn Tunnel>) {
        self.remove(tunnel.name()).await;
        self.keep(tunnel);
    }

    /// Closes a way; nothing if there is none of that name.
    pub async fn remove(&mut self, name: &str) {
        if let Some(index) = self.kept.iter().position(|kept| kept.tunnel.name() == name) {
            self.kept.remove(index).close().await;
            self.consequences
                .ways
                .send_modify(|ways| ways.retain(|way| way.name != name));
        }
    }

    fn keep(&mut self, tunnel: Box<dyn Tunnel>) {
        let tunnel = tunnel::open(tunnel, addresses::for_us(self.bound));
        let follower = tokio::spawn(follow(
            tunnel.name(),
            tunnel.watch(),
            self.consequences.clone(),
        ));
        self.kept.push(Kept { tunnel, follower });
    }

    /// How every way stands; the receiver follows changes.
    pub fn ways(&self) -> watch::Receiver<Vec<Way>> {
        self.consequences.ways.subscribe()
    }

    /// The link to share now.
    pub fn link(&self) -> JoinLink {
        let ways = self.consequences.ways.borrow();
        best(&ways).map_or_else(|| self.share.clone(), |place| self.share.at(place))
    }

    /// The party's link at a place.
    pub fn link_at(&self, place: &Place) -> JoinLink {
        self.share.at(place)
    }

    /// What may be in the way of those who try, where nobody but the host was ever there:
    /// `people` is how many were. Nothing while a tunnel is open, which no firewall here is in
    /// the way of (it is of the router's port), or where only this machine is meant to come in.
    pub fn hint(&self, people: usize) -> Option<String> {
        let tunnelled = {
            let ways = self.consequences.ways.borrow();
            ways.iter()
                .skip(1)
                .any(|way| way.name != mapping::NAME && !way.state.places().is_empty())
        };
        (people <= 1 && !tunnelled && !self.bound.ip().is_loopback()).then(|| {
            format!(
                "Nobody has come in yet. Friends who try and cannot must be on this network, and this computer must {}. From elsewhere they come in through a tunnel: `seance host --tunnel ngrok`.",
                firewall::advice(self.bound.port())
            )
        })
    }

    /// Where the party listens.
    pub fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Closes every way, and waits until the services behind them know.
    pub async fn close(&mut self) {
        for kept in self.kept.drain(..) {
            kept.close().await;
        }
    }
}

impl Kept {
    async fn close(mut self) {
        self.tunnel.close().await;
        // It ends with its tunnel. One whose tunnel had to be ended may never hear of it.
        if tokio::time::timeout(FOLLOW_WAIT_MAX, &mut self.follower)
            .await
            .is_err()
        {
            self.follower.abort();
        }
    }
}

/// The place to share: one that works from everywhere before one of this network.
fn best(ways: &[Way]) -> Option<&Place> {
    let (network, others) = ways.split_first()?;
    others
        .iter()
        .chain([network])
        .find_map(|way| way.state.places().first())
}

/// Draws the consequences of how one tunnel stands, until it ends.
async fn follow(name: &'static str, mut state: watch::Receiver<State>, so: Consequences) {
    let mut known = BTreeSet::new();
    loop {
        let now = state.borrow_and_update().clone();
        known = so.draw(name, &now, known);
        if now == State::Closed {
            return;
        }
        if state.changed().await.is_err() {
            // It ended without a word.
            so.draw(name, &State::Closed, known);
            return;
        }
    }
}

impl Consequences {
    /// Returns the places that are the tunnel's now.
    fn draw(&self, name: &'static str, state: &State, known: BTreeSet<Place>) -> BTreeSet<Place> {
        let places: BTreeSet<Place> = match state {
            // It may come back there, and somebody may be on the way.
            State::Reconnecting { places, .. } | State::Online(places) => {
                places.iter().cloned().collect()
            }
            State::Connecting | State::Failed(_) | State::Closed => BTreeSet::new(),
        };
        for place in known.difference(&places) {
            self.names.remove(place.authority());
        }
        for place in places.difference(&known) {
            self.names.insert(place.authority());
        }
        let is_this_network = self
            .ways
            .borrow()
            .first()
            .is_some_and(|way| way.name == name);
        // Whoever is inside by another way learns nothing from addresses of this network.
        if let (State::Online(places), false) = (state, is_this_network)
            && let Some(place) = places.first()
        {
            self.room.move_to(&place.to_string());
        }
        // The start of this network's way is known before it is told.
        let told = !(is_this_network && *state == State::Connecting);
        self.ways.send_if_modified(|ways| {
            let way = Way {
                name,
                state: state.clone(),
            };
            match ways.iter_mut().find(|known| known.name == name) {
                _ if !told => false,
                Some(known) if *known == way => false,
                Some(known) => {
                    *known = way;
                    true
                }
                None => {
                    ways.push(way);
                    true
                }
            }
        });
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_works_from_everywhere_is_shared_first() {
        let way = |name, state| Way { name, state };
        let lan = Place::plain("192.168.1.7:7878");
        let tunnel: Place = "https://abc.ngrok.app".parse().unwrap();
        let network = way("this network", State::Online(vec![lan.clone()]));
        let mut ways = vec![network, way("ngrok", State::Connecting)];
        assert_eq!(best(&ways), Some(&lan));
        ways[1].state = State::Online(vec![tunnel.clone()]);
        assert_eq!(best(&ways), Some(&tunnel));
        ways[1].state = State::Reconnecting {
            places: vec![tunnel],
            trouble: tunnel::Trouble::new("", ""),
        };
        assert_eq!(best(&ways), Some(&lan));
    }
}
