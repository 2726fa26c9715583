//! A double of www.youtube-nocookie.com: the embedded player and the messages it speaks (EMBEDS.md §1, §7).
//!
//! Chrome is told to look for it on our port and to accept our certificate; both
//! are flags of the test only. What a video does, its id says.

use hyper::StatusCode;

use super::{Certificate, Film, Server, html, status};

/// A video that just plays.
pub const PLAIN: &str = "plainfilm01";
/// A video whose owner forbids embedding: error 150.
pub const FORBIDDEN: &str = "noembedding";
/// A video whose title tries to be markup.
pub const MARKUP: &str = "markuptitle";

/// The double, listening.
#[derive(Debug)]
pub struct EmbedDouble {
    /// Its server.
    pub server: Server,
    fingerprint: String,
}

impl EmbedDouble {
    /// Starts it.
    pub async fn start(film: Film) -> Self {
        let certificate = Certificate::of(&["www.youtube-nocookie.com"]);
        let server = Server::start(Some(certificate.acceptor), move |request| {
            match request.uri().path() {
                path if path.starts_with("/embed/") => html(include_str!("youtube_embed.html")),
                "/film.mp4" => film.answer(request),
                _ => status(StatusCode::NOT_FOUND),
            }
        })
        .await;
        Self {
            server,
            fingerprint: certificate.fingerprint,
        }
    }

    /// The flags by which Chrome finds it.
    pub fn chrome_args(&self) -> Vec<String> {
        let port = self.server.address.port();
        vec![
            format!("--host-resolver-rules=MAP www.youtube-nocookie.com 127.0.0.1:{port}"),
            format!("--ignore-certificate-errors-spki-list={}", self.fingerprint),
        ]
    }
}
