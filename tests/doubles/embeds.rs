//! Doubles of player.vimeo.com and player.twitch.tv: embedded players and the messages they speak.
//!
//! Chrome is told to look for them on our port and to accept our certificate; both
//! are flags of the test only. What a video does, its id says.

use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue};

use super::{Film, Namesakes, header, html, status};

/// A Vimeo video that just plays; its hash must come along.
pub const VIMEO: &str = "392479337/a52724358e";
/// One that its owner shows on chosen sites only.
pub const VIMEO_PRIVATE: &str = "98044404";
/// A Twitch recording that just plays.
pub const TWITCH: &str = "6528877";

/// Starts them.
pub async fn start(film: Film) -> Namesakes {
    Namesakes::start(&["player.vimeo.com", "player.twitch.tv"], move |request| {
        match (header(request, "host"), request.uri().path()) {
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
    .await
}
