//! The window around a film file.
//!
//! Chrome's own page for a video file starts by itself, is not made when the
//! server says `application/octet-stream` or `attachment` (that is a download)
//! and looks the same for a film as for an error. So the *document* of a
//! file's address is answered by us, in Chrome, before any of it is shown: a
//! black page with one `<video>`, which then fetches the very same address as
//! media. The page's origin stays the film's, cookies and address checks
//! included, and no server of ours is needed.

use chromiumoxide::cdp::browser_protocol::fetch::{
    EnableParams, EventRequestPaused, FulfillRequestParams, HeaderEntry, RequestPattern,
    RequestStage,
};
use chromiumoxide::cdp::browser_protocol::network::ResourceType;
use url::Url;

use super::page::Reason;

/// Asks Chrome to hold the answer to `film`'s document for us.
pub(super) fn interception(film: &Url) -> EnableParams {
    let mut exact = String::new();
    for letter in film.as_str().chars() {
        // The pattern's wildcards are letters of ordinary addresses.
        if matches!(letter, '*' | '?' | '\\') {
            exact.push('\\');
        }
        exact.push(letter);
    }
    EnableParams::builder()
        .pattern(
            RequestPattern::builder()
                .url_pattern(exact)
                .resource_type(ResourceType::Document)
                .request_stage(RequestStage::Response)
                .build(),
        )
        .build()
}

/// What the server's answer means for the film.
///
/// A redirect is followed by the `<video>`, as media: the page stays where the film's address is.
pub(super) fn verdict(answer: &EventRequestPaused) -> Result<(), Reason> {
    if answer.response_error_reason.is_some() {
        return Err(Reason::Unreachable);
    }
    match answer.response_status_code.unwrap_or(0) {
        200..=299 => match content_type(answer) {
            Some(kind) if !may_be_film(&kind) => Err(Reason::NotAFilm),
            _ => Ok(()),
        },
        300..=399 => Ok(()),
        401 | 403 | 407 => Err(Reason::Forbidden),
        404 | 410 => Err(Reason::Gone),
        _ => Err(Reason::ServerError),
    }
}

fn content_type(answer: &EventRequestPaused) -> Option<String> {
    answer
        .response_headers
        .iter()
        .flatten()
        .find(|header| header.name.eq_ignore_ascii_case("content-type"))
        .map(|header| header.value.to_ascii_lowercase())
}

/// Whether a server that says so may still be sending a film: many call a film
/// `application/octet-stream`, none calls one a text or a picture.
fn may_be_film(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or("").trim();
    !(kind.starts_with("text/")
        || kind.starts_with("image/")
        || kind.starts_with("font/")
        || matches!(
            kind,
            "application/json" | "application/pdf" | "application/xhtml+xml" | "application/xml"
        ))
}

/// Answers the held document with the film's window.
pub(super) fn window(answer: &EventRequestPaused) -> FulfillRequestParams {
    fulfil(
        answer,
        "<!doctype html><meta charset=utf-8><title>S\u{e9}ance</title><style>\
         html,body,video{margin:0;width:100%;height:100%;background:#000;display:block}\
         html{overflow:hidden}video{object-fit:contain;outline:none}</style>\
         <video controls playsinline controlslist=nodownload></video>",
    )
}

/// Answers the held document with a sentence.
pub(super) fn apology(answer: &EventRequestPaused, sentence: &str) -> FulfillRequestParams {
    let escaped = sentence.replace('&', "&amp;").replace('<', "&lt;");
    fulfil(
        answer,
        &format!(
            "<!doctype html><meta charset=utf-8><title>S\u{e9}ance</title><style>\
             html{{background:#000;color:#ccc;font:1.2rem system-ui}}\
             p{{position:fixed;inset:0;margin:auto;height:2em;text-align:center}}</style>\
             <p>{escaped}</p>"
        ),
    )
}

fn fulfil(answer: &EventRequestPaused, page: &str) -> FulfillRequestParams {
    let mut params = FulfillRequestParams::new(answer.request_id.clone(), 200);
    params.response_headers = Some(vec![
        HeaderEntry::new("Content-Type", "text/html; charset=utf-8"),
        HeaderEntry::new("Cache-Control", "no-store"),
        HeaderEntry::new(
            "Content-Security-Policy",
            "default-src 'none'; media-src *; style-src 'unsafe-inline'",
        ),
    ]);
    params.body = Some(base64(page.as_bytes()).into());
    params
}

/// Base64 (RFC 4648 §4), the form in which CDP carries bytes.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three
            .iter()
            .chain([0, 0].iter())
            .take(3)
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        for place in 0..4 {
            if place <= three.len() {
                text.push(char::from(
                    ALPHABET[(bits >> (18 - 6 * place) & 63) as usize],
                ));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn texts_and_pictures_are_no_films() {
        for film in [
            "video/mp4",
            "video/x-matroska",
            "application/octet-stream",
            "audio/mp4",
            "",
        ] {
            assert!(may_be_film(film), "{film}");
        }
        for other in [
            "text/html; charset=utf-8",
            "text/plain",
            "image/png",
            "application/json",
        ] {
            assert!(!may_be_film(other), "{other}");
        }
    }

    #[test]
    fn an_address_with_a_question_mark_is_meant_literally() {
        let url = Url::parse("https://example.org/film.mp4?key=a*b").unwrap();
        let pattern = interception(&url).patterns.unwrap().remove(0);
        assert_eq!(
            pattern.url_pattern.unwrap(),
            r"https://example.org/film.mp4\?key=a\*b"
        );
    }
}
