//! Ways by which friends reach a party from elsewhere.
//!
//! A [`Tunnel`] is one way, a file each: the addresses on this network
//! ([`direct`]), ngrok's service ([`ngrok`]), a domain of one's own ([`public`]),
//! a port of one's own router ([`mapping`]).
//! It keeps the way open while the party is on, says at every moment how it
//! stands ([`State`]), and carries what arrives to the party's own port on this
//! machine. Several may be open at once; none of them knows the party.
//!
//! Guests of most tunnels arrive *from loopback*: no right follows from a peer's
//! address, and the server asks everybody for the same secret. What a tunnel
//! gives the party is a name ([`Place`]), which must become one of those the
//! server answers to; the caller sees to that.

pub mod acme;
pub mod addresses;
pub mod direct;
pub mod firewall;
pub mod mapping;
pub mod nearby;
pub mod ngrok;
pub mod public;
pub mod token;

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::net::link::Place;
use crate::os;

/// How long a tunnel may take to say goodbye to its service.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(4);

/// The task of a tunnel: ends soon after it is told to stop.
pub type Keeping = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One way to a party.
pub trait Tunnel: fmt::Debug + Send + 'static {
    /// Which way it is, as people call it: "ngrok".
    fn name(&self) -> &'static str;

    /// Keeps the way open until told to stop. A way that can come back by itself does; one that
    /// needs somebody to do something reports [`State::Failed`] and waits to be told to stop.
    fn keep(self: Box<Self>, ground: Ground) -> Keeping;
}

/// What a tunnel stands on.
#[derive(Debug)]
pub struct Ground {
    /// Where the party listens on this machine.
    pub local: SocketAddr,
    /// Where to say how the way stands.
    pub report: Report,
    /// Becomes true when the tunnel is to end.
    pub stop: watch::Receiver<bool>,
}

impl Ground {
    /// Returns when the tunnel is to end.
    pub async fn stopped(&mut self) {
        // An error means that whoever could tell us is gone: the same.
        let _ = self.stop.wait_for(|stop| *stop).await;
    }
}

/// How a way stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Being opened for the first time.
    #[default]
    Connecting,
    /// Open: friends come in at these places, the likeliest first.
    Online(Vec<Place>),
    /// Not open now; it is tried again by itself.
    Reconnecting {
        /// Where friends came in before, and perhaps will again.
        places: Vec<Place>,
        /// What is the matter.
        trouble: Trouble,
    },
    /// Not open, and nothing changes that until somebody does something.
    Failed(Trouble),
    /// Told to end.
    Closed,
}

impl State {
    /// Where friends can come in now.
    pub fn places(&self) -> &[Place] {
        match self {
            Self::Online(places) => places,
            _ => &[],
        }
    }

    /// What is the matter, if something is.
    pub fn trouble(&self) -> Option<&Trouble> {
        match self {
            Self::Reconnecting { trouble, .. } | Self::Failed(trouble) => Some(trouble),
            _ => None,
        }
    }

    /// One word for it, for scripts.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Online(_) => "online",
            Self::Reconnecting { .. } => "reconnecting",
            Self::Failed(_) => "failed",
            Self::Closed => "closed",
        }
    }
}

/// What is the matter with a way, and what to do about it: two sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What happened, with the service's own reason where it gave one.
    pub what: String,
    /// What to do.
    pub todo: String,
    /// The service's own name for it, to look it up.
    pub code: Option<String>,
}

impl Trouble {
    /// A trouble without a name.
    pub fn new(what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            todo: todo.into(),
            code: None,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(
                f,
                "{} ({code}). {}",
                self.what.trim_end_matches('.'),
                self.todo
            ),
            None => write!(f, "{} {}", self.what, self.todo),
        }
    }
}

/// Where a tunnel says how it stands. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Report {
    name: &'static str,
    state: watch::Sender<State>,
}

impl Report {
    /// Says it. Saying the same again is no news.
    pub fn say(&self, state: State) {
        self.state.send_if_modified(|known| {
            let news = *known != state;
            if news {
                tracing::debug!(
                    tunnel = self.name,
                    state = state.word(),
                    trouble = state.trouble().map(|trouble| trouble.to_string()),
                    "tunnel"
                );
                *known = state;
            }
            news
        });
    }

    /// What was said last.
    pub fn last(&self) -> State {
        self.state.borrow().clone()
    }
}

/// A tunnel at work. Dropping it tells it to end; [`Opened::close`] waits until it has.
#[derive(Debug)]
pub struct Opened {
    name: &'static str,
    state: watch::Receiver<State>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Opens a way to the party that listens at `local`.
pub fn open(tunnel: Box<dyn Tunnel>, local: SocketAddr) -> Opened {
    let name = tunnel.name();
    let (state_in, state) = watch::channel(State::default());
    let (stop, stopped) = watch::channel(false);
    let report = Report {
        name,
        state: state_in,
    };
    let keeping = tunnel.keep(Ground {
        local,
        report: report.clone(),
        stop: stopped,
    });
    let task = tokio::spawn(async move {
        keeping.await;
        report.say(State::Closed);
    });
    Opened {
        name,
        state,
        stop,
        task,
    }
}

impl Opened {
    /// Which way it is.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How it stands.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// To follow how it stands.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// How it stands once it is no longer on its way.
    #[cfg(test)]
    async fn settled(&self) -> State {
        let mut watch = self.watch();
        let state = watch
            .wait_for(|state| *state != State::Connecting)
            .await
            .unwrap();
        state.clone()
    }

    /// Ends it, and waits until its service knows or that took too long.
    pub async fn close(mut self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(CLOSE_WAIT_MAX, &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
        }
    }
}

/// Carries one guest's connection to the party's own port, until either side ends it.
///
/// Nothing is read in between: limits and deadlines are the server's, the same for everybody.
async fn carry<S: AsyncRead + AsyncWrite + Unpin>(mut guest: S, local: SocketAddr) {
    match TcpStream::connect(local).await {
        Ok(mut party) => {
            let _ = party.set_nodelay(true);
            // Either side ends it as it likes; there is nothing to do about it.
            let _ = tokio::io::copy_bidirectional(&mut guest, &mut party).await;
        }
        Err(error) => {
            tracing::warn!(%error, "a guest came, and the party's own port does not answer")
        }
    }
}

/// The waits between attempts: short at first, because most breaks are; then longer, so that a
/// service that is down is not hammered. Each is varied by a quarter, so that not everybody
/// comes back in the same instant.
#[derive(Clone, Copy, Debug)]
struct Backoff {
    least: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    const fn new(least: Duration, most: Duration) -> Self {
        Self {
            least,
            most,
            next: least,
        }
    }

    /// It worked: the next wait is short again.
    fn reset(&mut self) {
        self.next = self.least;
    }

    fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.most);
        let [dice] = os::random_bytes::<1>();
        wait.mul_f64(0.75 + f64::from(dice) / 512.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Stubborn;

    impl Tunnel for Stubborn {
        fn name(&self) -> &'static str {
            "stubborn"
        }

        fn keep(self: Box<Self>, ground: Ground) -> Keeping {
            Box::pin(async move {
                ground.report.say(State::Online(vec![Place::plain("a:1")]));
                std::future::pending().await
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_that_does_not_end_is_ended() {
        let opened = open(Box::new(Stubborn), "127.0.0.1:1".parse().unwrap());
        let mut watch = opened.watch();
        watch
            .wait_for(|state| !state.places().is_empty())
            .await
            .unwrap();
        opened.close().await;
        assert!(
            watch
                .wait_for(|state| *state == State::Closed)
                .await
                .is_err(),
            "its task is gone"
        );
    }

    #[test]
    fn waits_grow_to_their_bound_and_begin_again() {
        let (least, most) = (Duration::from_millis(500), Duration::from_secs(4));
        let mut backoff = Backoff::new(least, most);
        let waits: Vec<_> = (0..6).map(|_| backoff.next()).collect();
        assert!(
            waits[0] >= least * 3 / 4 && waits[0] <= least * 5 / 4,
            "{waits:?}"
        );
        assert!(
            waits[5] >= most * 3 / 4 && waits[5] <= most * 5 / 4,
            "{waits:?}"
        );
        backoff.reset();
        assert!(backoff.next() <= least * 5 / 4);
    }

    #[test]
    fn a_trouble_says_what_happened_its_code_and_what_to_do() {
        let mut trouble = Trouble::new("The token is refused.", "Enter another.");
        assert_eq!(trouble.to_string(), "The token is refused. Enter another.");
        trouble.code = Some("ERR_1".to_owned());
        assert_eq!(
            trouble.to_string(),
            "The token is refused (ERR_1). Enter another."
        );
    }
}
