//! The guest page: its files, built into the program, and the headers they travel under.
//!
//! Plain data: the server decides how to send it. The page is ES modules without
//! a build step, works from `http://192.168.x.x`, and loads nothing from anywhere
//! but its own host and the players a film needs (the tests below hold it to that).
//!
//! Deliberately absent: templates, cookies, inline scripts, inline styles, and
//! anything that would turn text into markup.

use std::sync::LazyLock;

/// One file of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
    /// Its `ETag`, quotes included: a hash of the bytes, so that a new program's page is fetched anew.
    pub etag: &'static str,
}

/// Lists the page's files: the path each is served at, its type and its bytes.
macro_rules! files {
    ($($path:literal $content_type:ident,)*) => {
        &[$(($path, $content_type, include_bytes!(concat!("assets/", $path)))),*]
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The page itself; every other file is served under `/assets/`.
const INDEX: &str = "index.html";

const FILES: &[(&str, &str, &[u8])] = files! {
    "index.html" HTML,
    "style.css" CSS,
    "icon.svg" SVG,
    "answer.js" JS,
    "app.js" JS,
    "chat.js" JS,
    "clock.js" JS,
    "dom.js" JS,
    "door.js" JS,
    "driver.js" JS,
    "fold.js" JS,
    "icons.js" JS,
    "link.js" JS,
    "media.js" JS,
    "net.js" JS,
    "people.js" JS,
    "poll.js" JS,
    "queue.js" JS,
    "ready.js" JS,
    "rules.js" JS,
    "ways.js" JS,
    "wishes.js" JS,
    "story.js" JS,
    "sync.js" JS,
    "theme.js" JS,
    "toast.js" JS,
    "transport.js" JS,
    "witness.js" JS,
    "player/file.js" JS,
    "player/framed.js" JS,
    "player/twitch.js" JS,
    "player/vimeo.js" JS,
    "player/youtube.js" JS,
};

static ETAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let tag = |bytes: &[u8]| format!("\"{}\"", &blake3::hash(bytes).to_hex()[..32]);
    FILES.iter().map(|(_, _, bytes)| tag(bytes)).collect()
});

/// The file served at this path of a URL: `/`, `/assets/app.js`; `None` for any other.
///
/// The path is compared, never opened, so nothing outside the table can be reached.
pub fn asset(path: &str) -> Option<Asset> {
    let name = match path {
        "/" => INDEX,
        _ => path
            .strip_prefix("/assets/")
            .filter(|name| *name != INDEX)?,
    };
    let index = FILES.iter().position(|(file, _, _)| *file == name)?;
    let (_, content_type, bytes) = FILES[index];
    Some(Asset {
        content_type,
        bytes,
        etag: &ETAGS[index],
    })
}

/// From where the page may fetch film files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaHosts<'a> {
    /// From these hosts (`host` or `host:port`), by https, or by http where the page itself is http.
    /// A host allowed later needs a reload, which the page asks its viewer for.
    These(&'a [&'a str]),
    /// From anywhere: which films are opened is then the room's decision alone, event by event.
    Any,
}

/// The origins of the players that the page embeds, each in a frame of its own.
/// The first is where YouTube's is asked for; redirects to the second are checked too.
const PLAYERS: &[&str] = &[
    "https://www.youtube-nocookie.com",
    "https://www.youtube.com",
    "https://player.vimeo.com",
    "https://player.twitch.tv",
];

/// The headers every answer of the page's server carries, beside its type and length.
///
/// `host` is the `Host` the request named, checked by the caller against its own
/// set: it is what the page's WebSocket is allowed to reach, spelled out because
/// older Safari does not count `ws:` to `'self'`. A host or media host with a
/// character that no host has is left out rather than quoted.
pub fn headers(host: &str, media: MediaHosts<'_>) -> Vec<(&'static str, String)> {
    let sockets = if is_host(host) {
        format!(" ws://{host} wss://{host}")
    } else {
        String::new()
    };
    let films = match media {
        MediaHosts::Any => " https: http:".to_owned(),
        MediaHosts::These(hosts) => hosts
            .iter()
            .filter(|host| is_host(host))
            .map(|host| format!(" https://{host} http://{host}"))
            .collect(),
    };
    let players = PLAYERS.join(" ");
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
         manifest-src 'self'; connect-src 'self'{sockets}; media-src 'self' blob:{films}; worker-src 'self'; \
         frame-src {players}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    );
    let allowed = PLAYERS
        .iter()
        .map(|origin| format!("\"{origin}\""))
        .collect::<Vec<_>>()
        .join(" ");
    let permissions = format!(
        "autoplay=(self {allowed}), fullscreen=(self {allowed}), picture-in-picture=(self {allowed}), \
         encrypted-media=(self {allowed}), camera=(), microphone=(), geolocation=(), payment=(), usb=()"
    );
    let fixed = |name, value: &str| (name, value.to_owned());
    vec![
        ("content-security-policy", policy),
        ("permissions-policy", permissions),
        // The page's address holds a secret in its fragment; the frames that need a referrer ask for their own.
        fixed("referrer-policy", "no-referrer"),
        fixed("x-content-type-options", "nosniff"),
        fixed("x-frame-options", "DENY"),
        fixed("cross-origin-opener-policy", "same-origin"),
        fixed("cross-origin-resource-policy", "same-origin"),
        // Kept, but asked about each time: after an update no guest runs half an old page.
        fixed("cache-control", "no-cache"),
    ]
}

/// Whether the text can stand in a policy as a host, perhaps with a port: no blanks, no `;`, no quotes.
fn is_host(text: &str) -> bool {
    let of_a_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
    !text.is_empty() && text.bytes().all(of_a_host)
}

#[cfg(test)]
mod tests;
