//! A double of www.youtube-nocookie.com: the embedded player and the messages it speaks.
//!
//! Chrome is told to look for it on our port and to accept our certificate; both
//! are flags of the test only. What a video does, its id says.

use hyper::StatusCode;

use super::{Film, Namesakes, html, status};

/// A video that just plays.
pub const PLAIN: &str = "plainfilm01";
/// A video whose owner forbids embedding: error 150.
pub const FORBIDDEN: &str = "noembedding";
/// A video whose title tries to be markup.
pub const MARKUP: &str = "markuptitle";

/// Starts it.
pub async fn start(film: Film) -> Namesakes {
    Namesakes::start(
        &["www.youtube-nocookie.com"],
        move |request| match request.uri().path() {
            path if path.starts_with("/embed/") => html(include_str!("youtube_embed.html")),
            "/film.mp4" => film.answer(request),
            _ => status(StatusCode::NOT_FOUND),
        },
    )
    .await
}
