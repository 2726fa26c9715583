//! A film server that sends no faster than a film runs, and can hold one player's data back.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::doubles::FILM_SECS;

/// What a viewer has before the pace counts, in seconds of film.
const AHEAD: f64 = 2.0;
/// How much faster than the film its data comes then.
const PACE: f64 = 1.1;
/// Between two portions.
const EVERY: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
struct Gate {
    /// The connections that are being sent to, by the order in which they came.
    open: BTreeSet<u64>,
    next: u64,
    held: Option<u64>,
}

/// The server; ends with its value.
#[derive(Debug)]
pub struct SlowFilm {
    address: SocketAddr,
    gate: Arc<Mutex<Gate>>,
    task: JoinHandle<()>,
}

impl Drop for SlowFilm {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SlowFilm {
    /// Serves this film.
    pub async fn start(mp4: Bytes) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let gate = Arc::new(Mutex::new(Gate::default()));
        let shared = Arc::clone(&gate);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (gate, mp4) = (Arc::clone(&shared), mp4.clone());
                tokio::spawn(async move {
                    // A browser breaks connections off as it likes.
                    let _ = serve(socket, &gate, &mp4).await;
                });
            }
        });
        Ok(Self {
            address,
            gate,
            task,
        })
    }

    /// The film's address.
    pub fn url(&self) -> String {
        format!("http://{}/slow.mp4", self.address)
    }

    /// Sends the viewer who asked last nothing more. Whether there is one.
    pub fn hold(&self) -> bool {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        gate.held = gate.open.last().copied();
        gate.held.is_some()
    }

    /// Goes on.
    pub fn release(&self) {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        gate.held = None;
    }
}

/// Answers one request and closes.
async fn serve(socket: TcpStream, gate: &Mutex<Gate>, mp4: &Bytes) -> std::io::Result<()> {
    let mut socket = BufReader::new(socket);
    let mut from = 0;
    loop {
        let mut line = String::new();
        if socket.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            let first = range.split('-').next().and_then(|it| it.parse().ok());
            from = first.unwrap_or(0).min(mp4.len() - 1);
        }
    }
    let (whole, rest) = (mp4.len(), mp4.len() - from);
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Type: video/mp4\r\nAccept-Ranges: bytes\r\n\
         Content-Range: bytes {from}-{}/{whole}\r\nContent-Length: {rest}\r\nConnection: close\r\n\r\n",
        whole - 1
    );
    socket.write_all(head.as_bytes()).await?;
    let number = {
        let mut gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
        gate.next += 1;
        let number = gate.next;
        gate.open.insert(number);
        number
    };
    let sent = pour(&mut socket, gate, number, &mp4[from..]).await;
    let mut gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
    gate.open.remove(&number);
    sent
}

async fn pour(
    socket: &mut BufReader<TcpStream>,
    gate: &Mutex<Gate>,
    number: u64,
    film: &[u8],
) -> std::io::Result<()> {
    let a_second = film.len() as f64 / FILM_SECS as f64;
    let first = ((AHEAD * a_second) as usize).clamp(64 * 1024, film.len().max(64 * 1024));
    let (now, later) = film.split_at(first.min(film.len()));
    socket.write_all(now).await?;
    let portion = (a_second * PACE * EVERY.as_secs_f64()) as usize;
    let mut every = tokio::time::interval(EVERY);
    for portion in later.chunks(portion.max(1)) {
        every.tick().await;
        loop {
            let held = gate.lock().unwrap_or_else(PoisonError::into_inner).held;
            if held != Some(number) {
                break;
            }
            tokio::time::sleep(EVERY).await;
            every.reset(); // what was held back does not come at once
        }
        socket.write_all(portion).await?;
    }
    socket.flush().await
}
