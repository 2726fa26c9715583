//! The floor: a server that only hands on bytes, framed once and shared.
//!
//! It knows no members, no rights, no session and no handshake. A client's eight bytes are a
//! number; an event that carries it, framed as ours are, goes to everybody. With a file it is
//! written and `fdatasync`ed first, whatever is queued at once, as a log that publishes only
//! what is durable must.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use anyhow::Result;
use bytes::Bytes;
use seance::engine::event::{Body, Event, Header, Via};
use seance::engine::frame::{self, ToMember};
use seance::engine::id::{Epoch, MemberId, Seq, Stamp};
use seance::engine::text::Line;
use seance::engine::unit::{MediaTime, SessionTime};
use seance::net::server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use super::LINE;

/// Frames kept for those who are behind; nobody of the bench ever is further.
const KEPT: usize = 65_536;

/// What everybody follows.
#[derive(Debug)]
struct Shared {
    /// The place of the first frame, and the frames.
    frames: RwLock<(u64, VecDeque<Bytes>)>,
    tail: watch::Sender<u64>,
}

/// Serves until its end of standard input is closed.
pub async fn serve(log: Option<PathBuf>) -> Result<()> {
    let listener = server::listen("127.0.0.1:0".parse()?)?;
    println!(
        "{}",
        serde_json::json!({ "links": [format!("http://{}/", listener.local_addr()?)] })
    );
    let shared = Arc::new(Shared {
        frames: RwLock::new((0, VecDeque::new())),
        tail: watch::Sender::new(0),
    });
    let (numbers_in, numbers) = mpsc::channel(1_024);
    let file = log.map(File::create).transpose()?;
    let writer = Arc::clone(&shared);
    std::thread::spawn(move || write(numbers, file, &writer));
    let accepting = async {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                break;
            };
            tokio::spawn(follow(stream, Arc::clone(&shared), numbers_in.clone()));
        }
    };
    let (mut input, mut nowhere) = (tokio::io::stdin(), tokio::io::sink());
    tokio::select! {
        () = accepting => {}
        _ = tokio::io::copy(&mut input, &mut nowhere) => {}
    }
    Ok(())
}

/// Takes what is queued, makes it durable if asked to, and shows it to everybody.
fn write(mut numbers: mpsc::Receiver<u64>, mut file: Option<File>, shared: &Shared) {
    let mut seq = 0;
    let mut taken = Vec::new();
    while numbers.blocking_recv_many(&mut taken, 256) > 0 {
        let frames: Vec<Bytes> = taken
            .drain(..)
            .map(|number| {
                seq += 1;
                framed(seq, number)
            })
            .collect();
        if let Some(file) = &mut file {
            let saved = file
                .write_all(&frames.concat())
                .and_then(|()| file.sync_data());
            saved.expect("the bench's disk takes what it is given");
        }
        let mut kept = shared
            .frames
            .write()
            .expect("nobody panics while holding it");
        kept.1.extend(frames);
        while kept.1.len() > KEPT {
            kept.1.pop_front();
            kept.0 += 1;
        }
        let tail = kept.0 + kept.1.len() as u64;
        drop(kept);
        shared.tail.send_replace(tail);
    }
}

fn framed(seq: u64, number: u64) -> Bytes {
    let event = Event {
        header: Header {
            seq: Seq::new(seq),
            epoch: Epoch::new(1),
            stamp: Stamp::new(seq * 2),
            at: SessionTime::from_millis(seq * 7),
            wall: 1_790_000_000_000 + seq,
            by: Some(MemberId::new(1)),
            via: Via::Auto,
            cause: None,
            intent: Some(number),
        },
        body: Body::Said {
            text: Line::new(LINE).expect("a line"),
            moment: MediaTime::from_secs(600),
        },
    };
    let payload = frame::to_postcard(&ToMember::Event(event));
    let mut bytes = vec![0x82, u8::try_from(payload.len()).expect("short")];
    bytes.extend(payload);
    bytes.into()
}

async fn follow(mut stream: TcpStream, shared: Arc<Shared>, numbers: mpsc::Sender<u64>) {
    let _ = stream.set_nodelay(true);
    let (mut reads, mut writes) = stream.split();
    let mut tail = shared.tail.subscribe();
    let mut next = *tail.borrow_and_update();
    // From here on nothing is missed.
    if writes.write_all(&super::WELCOME).await.is_err() {
        return;
    }
    let reading = async {
        while let Ok(number) = reads.read_u64_le().await {
            if numbers.send(number).await.is_err() {
                break;
            }
        }
    };
    let writing = async {
        let mut out = Vec::new();
        while tail.changed().await.is_ok() {
            tail.borrow_and_update();
            {
                let kept = shared
                    .frames
                    .read()
                    .expect("nobody panics while holding it");
                let from = usize::try_from(next - kept.0).expect("nobody is that far behind");
                for frame in kept.1.range(from..) {
                    out.extend_from_slice(frame);
                }
                next = kept.0 + kept.1.len() as u64;
            }
            if writes.write_all(&out).await.is_err() {
                break;
            }
            out.clear();
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}
