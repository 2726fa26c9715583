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

    /// Opens those again that failed; what stands is left alone.
    pub async fn reopen_failed(&mut self, tunnels: Vec<Box<dyn Tunnel>>) {
        let ways = self.ways().borrow().clone();
        for tunnel in tunnels {
            let name = tunnel.name();
            let failed = |way: &Way| way.name == name && matches!(way.state, State::Failed(_));
            if ways.iter().any(failed) {
                self.add(tunnel).await;
            }
        }
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

    /// A way that needs somebody, or stands; counts how often it was opened.
    #[derive(Clone, Debug)]
    struct Stub {
        name: &'static str,
        stands: bool,
        opened: Arc<std::sync::atomic::AtomicUsize>,
    }

    impl Stub {
        fn new(name: &'static str, stands: bool) -> Self {
            let opened = Arc::default();
            Self {
                name,
                stands,
                opened,
            }
        }

        fn opened(&self) -> usize {
            self.opened.load(std::sync::atomic::Ordering::SeqCst)
        }
    }

    impl Tunnel for Stub {
        fn name(&self) -> &'static str {
            self.name
        }

        fn keep(self: Box<Self>, mut ground: tunnel::Ground) -> tunnel::Keeping {
            Box::pin(async move {
                self.opened
                    .fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let place: Place = "https://abc.ngrok.app".parse().unwrap();
                ground.report.say(if self.stands {
                    State::Online(vec![place])
                } else {
                    State::Failed(tunnel::Trouble::new(
                        "The token is refused.",
                        "Enter another.",
                    ))
                });
                ground.stopped().await;
            })
        }
    }

    /// A party that listens there, in a home that goes with it.
    async fn hosted(bind: &str) -> (tempfile::TempDir, crate::cli::hosting::Hosting) {
        let folder = tempfile::tempdir().unwrap();
        let home = crate::log::store::Home::at(folder.path()).unwrap();
        let options = crate::cli::hosting::HostOptions {
            bind: Some(bind.parse().unwrap()),
            ..Default::default()
        };
        let hosting = crate::cli::hosting::start(&home, options).await.unwrap();
        (folder, hosting)
    }

    async fn until(reach: &Reach, name: &str, state: &str) {
        let mut ways = reach.ways();
        let so = ways.wait_for(|ways| {
            ways.iter()
                .any(|way| way.name == name && way.state.word() == state)
        });
        let wait = Duration::from_secs(60);
        tokio::time::timeout(wait, so).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_host_who_stays_alone_hears_what_may_be_in_the_way_and_nobody_else_does() {
        let (_folder, mut hosting) = hosted("0.0.0.0:0").await;
        let reach = hosting.reach();
        let port = reach.bound().port().to_string();
        let hint = reach.hint(1).unwrap();
        assert!(
            hint.contains(&port) && hint.contains("--tunnel ngrok"),
            "{hint}"
        );
        assert_eq!(reach.hint(2), None, "somebody came in");
        reach.add(Box::new(Stub::new("ngrok", true))).await;
        until(reach, "ngrok", "online").await;
        assert_eq!(reach.hint(1), None, "no firewall here is in a tunnel's way");
        reach.remove("ngrok").await;
        assert!(reach.hint(1).is_some());
        hosting.stop().await;

        let (_folder, mut hosting) = hosted("127.0.0.1:0").await;
        assert_eq!(
            hosting.reach().hint(1),
            None,
            "nobody else was meant to come"
        );
        hosting.stop().await;
    }

    #[tokio::test]
    async fn what_failed_is_opened_again_when_asked_and_what_stands_is_left_alone() {
        let (_folder, mut hosting) = hosted("127.0.0.1:0").await;
        let reach = hosting.reach();
        let (refused, own) = (Stub::new("ngrok", false), Stub::new("own address", true));
        reach.add(Box::new(refused.clone())).await;
        reach.add(Box::new(own.clone())).await;
        until(reach, "ngrok", "failed").await;
        until(reach, "own address", "online").await;
        // As after another token was pasted.
        let taken = Stub::new("ngrok", true);
        let again: Vec<Box<dyn Tunnel>> = vec![Box::new(taken.clone()), Box::new(own.clone())];
        reach.reopen_failed(again).await;
        until(reach, "ngrok", "online").await;
        assert_eq!((refused.opened(), taken.opened(), own.opened()), (1, 1, 1));
        assert_eq!(reach.ways().borrow().len(), 3, "one way of each name");
        hosting.stop().await;
    }

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
