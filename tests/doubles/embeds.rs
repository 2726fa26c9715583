//! Doubles of player.vimeo.com and player.twitch.tv: embedded players and the messages they speak (EMBEDS.md §2, §7).
//!
//! Chrome is told to look for them on our port and to accept our certificate; both
//! are flags of the test only. What a video does, its id says.

use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue};

use super::{Certificate, Film, Server, html, status};

/// A Vimeo video that just plays; its hash must come along.
pub const VIMEO: &str = "392479337/a52724358e";
/// One that its owner shows on chosen sites only.
pub const VIMEO_PRIVATE: &str = "98044404";
/// A Twitch recording that just plays.
pub const TWITCH: &str = "6528877";

/// The doubles, listening.
#[derive(Debug)]
pub struct FrameDoubles {
    /// Their server.
    pub server: Server,
    fingerprint: String,
}

impl FrameDoubles {
    /// Starts them.
    pub async fn start(film: Film) -> Self {
        let certificate = Certificate::of(&["player.vimeo.com", "player.twitch.tv"]);
        let server = Server::start(Some(certificate.acceptor), move |request| {
            let header = |name| {
                let value = request.headers().get(name);
                value
                    .and_then(|value| value.to_str().ok())
                    .unwrap_or_default()
            };
            match (header("host"), request.uri().path()) {
                (_, "/film.mp4") => film.answer(request),
                ("player.vimeo.com", path) if path.starts_with("/video/") => {
                    html(include_str!("vimeo_embed.html"))
                }
                ("player.twitch.tv", "/") => {
                    let mut answer = html(include_str!("twitch_embed.html"));
                    // It names the page that may frame it, by https alone but for the developer's own machine.
                    let query = request.uri().query().unwrap_or_default();
                    let parent = query
                        .split('&')
                        .find_map(|pair| pair.strip_prefix("parent="))
                        .unwrap_or("none.invalid");
                    let ancestors = if parent == "localhost" {
                        "frame-ancestors http://localhost:*".to_owned()
                    } else {
                        format!("frame-ancestors https://{parent}")
                    };
                    let ancestors = HeaderValue::from_str(&ancestors).unwrap();
                    answer
                        .headers_mut()
                        .insert(CONTENT_SECURITY_POLICY, ancestors);
                    answer
                }
                _ => status(StatusCode::NOT_FOUND),
            }
        })
        .await;
        Self {
            server,
            fingerprint: certificate.fingerprint,
        }
    }

    /// The flags by which Chrome finds them.
    pub fn chrome_args(&self) -> Vec<String> {
        let port = self.server.address.port();
        vec![
            format!(
                "--host-resolver-rules=MAP player.vimeo.com 127.0.0.1:{port},\
                 MAP player.twitch.tv 127.0.0.1:{port}"
            ),
            format!("--ignore-certificate-errors-spki-list={}", self.fingerprint),
        ]
    }
}
