//! A double of youtube.com: the watch page, its player and its ways.
//!
//! Chrome is told to look for www.youtube.com and consent.youtube.com on our
//! port and to accept our certificate; both are flags of the test only. What a
//! video does, its id says, see [`media`] and `youtube.html`.

use super::{Film, Namesakes, header, html, redirect, status};
use hyper::StatusCode;
use seance::engine::media::{Media, Provider};

/// A video that just plays.
pub const PLAIN: &str = "plainfilm01";
/// A video with an advertisement before it.
pub const PREROLL: &str = "prerolladv1";
/// A video that is not there.
pub const UNAVAILABLE: &str = "unavailabl1";
/// A video only its owner sees.
pub const PRIVATE: &str = "privatefil1";
/// A video for grown-ups.
pub const AGE: &str = "agecheckfi1";
/// A video that is shown in other countries.
pub const REGION: &str = "regionlock1";
/// A live stream that has not begun.
pub const NOT_YET: &str = "notyetlive1";
/// A live stream.
pub const LIVE: &str = "livestream1";
/// A video behind a question about cookies that lies over its own page.
pub const CONSENT_ABOVE: &str = "consentbum1";
/// A video that shows only after the question about cookies, on a page of its own.
pub const CONSENT: &str = "askconsent1";

/// Starts it.
pub async fn start(film: Film, advert: Film) -> Namesakes {
    Namesakes::start(
        &["www.youtube.com", "consent.youtube.com"],
        move |request| {
            let query = request.uri().query().unwrap_or_default();
            match (header(request, "host"), request.uri().path()) {
                ("consent.youtube.com", _) => html(CONSENT_PAGE),
                (_, "/watch") if query.contains(CONSENT) && !query.contains("agreed") => {
                    redirect("https://consent.youtube.com/m?continue=x")
                }
                (_, "/watch") => html(include_str!("youtube.html")),
                (_, "/film.mp4") => film.answer(request),
                (_, "/advert.mp4") => advert.answer(request),
                _ => status(StatusCode::NOT_FOUND),
            }
        },
    )
    .await
}

/// A video on it.
pub fn media(id: &str) -> Media {
    Media {
        provider: Provider::Youtube,
        id: id.into(),
    }
}

/// The question before the site: its button leads on to the video.
const CONSENT_PAGE: &str = r#"<!doctype html><title>Before you continue</title>
<button style="position:fixed;inset:0;width:100%;height:100%"
 onclick="location.href='https://www.youtube.com/watch?v=askconsent1&agreed=1'">Accept all</button>"#;
