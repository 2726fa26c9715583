//! A network between a member and the host: a proxy that delays and keeps order.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How a network treats what is sent through it.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The middle of the delay on the way to the host, in milliseconds.
    pub there_millis: f64,
    /// The same on the way back.
    pub back_millis: f64,
    /// How far a single delay lies from it at most, in milliseconds.
    pub jitter_millis: f64,
    /// How often in a thousand a packet is lost on the way to the host; thrice as often on the way back.
    pub lost_per_mille: u64,
}

impl Weather {
    /// The goal's network: 40 ms ± 20 ms a way and one packet in a hundred lost.
    pub const WAN: Self = Self {
        there_millis: 40.0,
        back_millis: 40.0,
        jitter_millis: 20.0,
        lost_per_mille: 10,
    };
    /// One way is longer than the other, which no exchange of messages can see: half the
    /// difference, 5 ms, is the least error there is, and twice that between two such members.
    pub const UNEVEN: Self = Self {
        there_millis: 35.0,
        back_millis: 45.0,
        jitter_millis: 5.0,
        lost_per_mille: 0,
    };

    /// The same seen from the other end.
    pub const fn turned(self) -> Self {
        Self {
            there_millis: self.back_millis,
            back_millis: self.there_millis,
            ..self
        }
    }
}

/// TCP notices a lost packet no sooner than this on Linux (`TCP_RTO_MIN`).
const RETRANSMISSION: Duration = Duration::from_millis(200);

/// Seeded dice (splitmix64).
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From −1 to 1.
    fn swing(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// Opens a way to `to` with this weather; returns where to dial.
pub async fn open(to: SocketAddr, weather: Weather, seed: u64) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let mut dice = Dice(seed);
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(to).await else {
                continue;
            };
            // The proxy's own batching is not part of the weather.
            let (_, _) = (near.set_nodelay(true), far.set_nodelay(true));
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            let back = weather.turned();
            let back = Weather {
                lost_per_mille: weather.lost_per_mille * 3,
                ..back
            };
            carry(near_in, far_out, weather, Dice(dice.next()));
            carry(far_in, near_out, back, Dice(dice.next()));
        }
    });
    Ok(address)
}

/// Carries one direction, `weather`'s way there; each read is a packet.
fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, weather: Weather, mut dice: Dice) {
    let (out, mut queue) = mpsc::channel::<(Instant, Vec<u8>)>(1_024);
    tokio::spawn(async move {
        let mut packet = vec![0; 1_400];
        let mut last = Instant::now();
        while let Ok(length) = from.read(&mut packet).await {
            if length == 0 {
                break;
            }
            let millis = weather.there_millis + weather.jitter_millis * dice.swing();
            let mut arrives = Instant::now() + Duration::from_secs_f64(millis / 1e3);
            if dice.next() % 1_000 < weather.lost_per_mille {
                arrives += RETRANSMISSION;
            }
            last = last.max(arrives); // TCP keeps order
            if out.send((last, packet[..length].to_vec())).await.is_err() {
                break;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((arrives, packet)) = queue.recv().await {
            tokio::time::sleep_until(arrives).await;
            if to.write_all(&packet).await.is_err() {
                break;
            }
        }
    });
}
