//! A cable that can be pulled: a TCP proxy on loopback, with weather.
//!
//! TCP hides what networks do to packets and shows its ends four things: bytes
//! come late, in other portions than they were sent, not at all for a while, or
//! never again. A [`Cable`] does those four, each way on its own, from a seed.
//! What it carries is never changed or reordered, because TCP never does that.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::dice::Dice;

/// What a cable does to the bytes in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// Nothing gets through to the far end; the connection stands all the same.
    pub stuck_up: bool,
    /// Nothing gets through from the far end.
    pub stuck_down: bool,
    /// How long a portion takes at most, in milliseconds; each takes a random part of it.
    pub delay_millis_max: u64,
    /// How many bytes travel together at most; frames arrive in pieces.
    pub portion_bytes_max: usize,
}

impl Weather {
    /// A cable one does not notice.
    pub const FINE: Self = Self {
        stuck_up: false,
        stuck_down: false,
        delay_millis_max: 0,
        portion_bytes_max: 16 * 1024,
    };
}

#[derive(Clone, Copy, Debug)]
struct State {
    whole: bool,
    weather: Weather,
    to: SocketAddr,
}

/// Carries connections to one place until it is cut; then again once it is mended.
pub struct Cable {
    address: SocketAddr,
    state: watch::Sender<State>,
    carried: Arc<AtomicU64>,
}

impl Cable {
    /// A cable to `to`, in fine weather.
    pub async fn to(to: SocketAddr) -> Self {
        Self::seeded(to, Dice::new(0)).await
    }

    /// A cable to `to`, whose delays and portions follow these dice.
    pub async fn seeded(to: SocketAddr, mut dice: Dice) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        let (state, watched) = watch::channel(State {
            whole: true,
            weather: Weather::FINE,
            to,
        });
        let carried = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&carried);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if !watched.borrow().whole {
                    continue; // dropped at once: nobody answers
                }
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(carry(near, watched.clone(), dice.split()));
            }
        });
        Self {
            address,
            state,
            carried,
        }
    }

    /// Where to dial to go through it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections went through it so far.
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }

    /// Pulls the plug: every connection ends, new ones find nobody.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.whole = false);
    }

    /// Plugs it in again, in fine weather.
    pub fn mend(&self) {
        self.state.send_modify(|state| {
            state.whole = true;
            state.weather = Weather::FINE;
        });
    }

    /// Changes the weather, for connections that stand and those to come.
    pub fn weather(&self, weather: Weather) {
        self.state.send_modify(|state| state.weather = weather);
    }

    /// Lays it to another place: connections to come go there.
    pub fn reroute(&self, to: SocketAddr) {
        self.state.send_modify(|state| state.to = to);
    }
}

/// One connection through the cable, until either end or the cable ends it.
async fn carry(near: TcpStream, mut watched: watch::Receiver<State>, mut dice: Dice) {
    // A SYN that nobody answers: the dialler waits.
    let unstuck = watched.wait_for(|state| !state.whole || !state.weather.stuck_up);
    let to = match unstuck.await {
        Ok(state) if state.whole => state.to,
        _ => return,
    };
    let Ok(far) = TcpStream::connect(to).await else {
        return;
    };
    // Portions are ours to choose, not the system's.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let (up, down) = (watched.clone(), watched.clone());
    tokio::select! {
        () = pump(near_in, far_out, up, |weather| weather.stuck_up, dice.split()) => {}
        () = pump(far_in, near_out, down, |weather| weather.stuck_down, dice.split()) => {}
        _ = watched.wait_for(|state| !state.whole) => {}
    }
}

/// One way of a connection.
async fn pump(
    mut from: OwnedReadHalf,
    mut into: OwnedWriteHalf,
    mut watched: watch::Receiver<State>,
    stuck: fn(&Weather) -> bool,
    mut dice: Dice,
) {
    let mut buffer = vec![0; Weather::FINE.portion_bytes_max];
    loop {
        let weather = match watched.wait_for(|state| !stuck(&state.weather)).await {
            Ok(state) => state.weather,
            Err(_) => return,
        };
        let portion = weather.portion_bytes_max.clamp(1, buffer.len());
        let count = match from.read(&mut buffer[..portion]).await {
            Ok(count @ 1..) => count,
            Ok(_) | Err(_) => return,
        };
        if weather.delay_millis_max > 0 {
            let millis = dice.below(weather.delay_millis_max + 1);
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        // It may have got stuck while this portion was read: it goes no further either.
        if watched
            .wait_for(|state| !stuck(&state.weather))
            .await
            .is_err()
            || into.write_all(&buffer[..count]).await.is_err()
        {
            return;
        }
    }
}
