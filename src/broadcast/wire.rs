//! Frames as they stand on the wire, so that what goes to many is written down once.
//!
//! A server's WebSocket message is two to ten bytes and the payload (RFC 6455
//! §5.2; only clients mask). The library in `net` writes the same for one
//! connection at a time; made here, the bytes are shared by all of them.

use serde::Serialize;

use crate::engine::frame::{self, Form};

/// The end of a message, and that it is text, or binary.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

/// A ping of the WebSocket itself, which a browser answers without asking the page.
pub const PING: &[u8] = &[0x89, 0];

/// Writes a frame behind `out`, as one unmasked WebSocket message.
pub fn put<F: Serialize>(out: &mut Vec<u8>, form: Form, frame: &F) {
    match form {
        Form::Postcard => message(out, BINARY, &frame::to_postcard(frame)),
        Form::Json => message(out, TEXT, frame::to_json(frame).as_bytes()),
    }
}

fn message(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.reserve(payload.len() + 10);
    out.push(kind);
    let len = payload.len();
    if let (true, Ok(len)) = (len < 126, u8::try_from(len)) {
        out.push(len);
    } else if let Ok(len) = u16::try_from(len) {
        out.push(126);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(127);
        out.extend_from_slice(&(len as u64).to_be_bytes());
    }
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt as _, StreamExt as _};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::protocol::Role;

    #[tokio::test]
    async fn a_client_reads_messages_of_every_length() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536, 200_000] {
            let text = "é".repeat(len / 2) + &"x".repeat(len % 2);
            let mut out = Vec::new();
            put(&mut out, Form::Json, &text);
            put(&mut out, Form::Postcard, &text);
            let mut socket =
                WebSocketStream::from_raw_socket(std::io::Cursor::new(out), Role::Client, None)
                    .await;
            let mut next = || socket.next().now_or_never().flatten().unwrap().unwrap();
            assert_eq!(next().into_text().unwrap(), frame::to_json(&text), "{len}");
            assert_eq!(next().into_data(), frame::to_postcard(&text), "{len}");
        }
    }

    #[tokio::test]
    async fn a_ping_is_read_as_one_and_answered_by_the_library() {
        let ping = std::io::Cursor::new(PING.to_vec());
        let mut socket = WebSocketStream::from_raw_socket(ping, Role::Client, None).await;
        let read = socket.next().now_or_never().flatten().unwrap().unwrap();
        assert!(read.is_ping() && read.is_empty(), "{read:?}");
        let _ = futures_util::SinkExt::flush(&mut socket).await;
        let sent = socket.into_inner().into_inner();
        assert_eq!(sent[2] & 0x0f, 0xa, "a pong behind what was read: {sent:?}");
    }
}
