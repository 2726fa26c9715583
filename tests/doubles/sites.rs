//! Doubles of the sites whose players Séance drives, each a page under the site's own host name.
//!
//! They imitate what is known of each site in public (`docs/sites.md` names the sources), with its
//! traps: `tests/doubles/sites/*.html` say which. Chrome is told to look for the hosts on our
//! port and to accept our certificate; both are flags of the test only. What a film does, its
//! id says.

use hyper::StatusCode;
use seance::engine::media::{Media, Provider};

use super::{Film, Namesakes, header, html, redirect, status, text};

/// A Netflix film that just plays.
pub const NETFLIX: &str = "81040344";
/// One that a browser without Widevine gets an error for.
pub const NETFLIX_PROTECTED: &str = "80100404";
/// One behind "Who is watching?".
pub const NETFLIX_PROFILE: &str = "80100111";
/// One that only an account sees.
pub const NETFLIX_ACCOUNT: &str = "80100222";
/// A Prime Video title whose player counts as the element does.
pub const PRIME: &str = "0PLAIN00000000000000000000";
/// One whose player counts as the clock on the screen does.
pub const PRIME_SCREEN: &str = "0SCREEN0000000000000000000";
/// One whose player cannot be found, so that the element must do.
pub const PRIME_ELEMENT: &str = "0N0PLAYER00000000000000000";
/// One that waits for a press.
pub const PRIME_PRESS: &str = "0ASKSME0000000000000000000";
/// A Disney+ film that just plays.
pub const DISNEY: &str = "f3f11053-d810-4b92-9c95-567bef5f215d";
/// One that only an account sees.
pub const DISNEY_ACCOUNT: &str = "00000000-0000-4000-8000-000000000001";
/// A Vimeo film that just plays.
pub const VIMEO: &str = "98044508";
/// One behind a password.
pub const VIMEO_PRIVATE: &str = "98044404";
/// A Dailymotion film that just plays.
pub const DAILYMOTION: &str = "x5kesuj";
/// One with an advertisement before it.
pub const DAILYMOTION_PREROLL: &str = "xpreroll1";
/// A Twitch recording that just plays.
pub const TWITCH: &str = "6528877";
/// One that asks first whether its viewer is grown up.
pub const TWITCH_GATE: &str = "6528404";
/// A Twitch channel that is live.
pub const TWITCH_LIVE: &str = "riotgames";
/// A Twitch clip; its own host leads on to the channel's.
pub const TWITCH_CLIP: &str = "FaintLight-TiZ_-ixAGYR3y2Uy";

/// Every host the doubles answer for.
const HOSTS: &[&str] = &[
    "www.netflix.com",
    "www.primevideo.com",
    "www.disneyplus.com",
    "vimeo.com",
    "www.dailymotion.com",
    "www.twitch.tv",
    "clips.twitch.tv",
];

/// Starts all of them.
pub async fn start(film: Film, fragments: Film, advert: Film) -> Namesakes {
    Namesakes::start(HOSTS, move |request| {
        let signed_in = header(request, "cookie").contains("account=");
        match (header(request, "host"), request.uri().path()) {
            (_, "/film.mp4") => film.answer(request),
            (_, "/fragments.mp4") => fragments.answer(request),
            (_, "/advert.mp4") => advert.answer(request),
            (_, "/double.js") => text(
                StatusCode::OK,
                "text/javascript",
                include_str!("sites/double.js"),
            ),
            ("www.netflix.com", "/login") => html(NETFLIX_LOGIN),
            ("www.netflix.com", "/browse") => html("<!doctype html><title>Netflix</title>"),
            ("www.netflix.com", path) if path.ends_with(NETFLIX_ACCOUNT) && !signed_in => {
                redirect("/login?nextpage=x")
            }
            ("www.netflix.com", _) => html(include_str!("sites/netflix.html")),
            // It finds a locale for everybody.
            ("www.primevideo.com", path) if path.starts_with("/detail/") => {
                let query = request.uri().query().unwrap_or_default();
                redirect(&format!("/region/eu{path}/ref=atv_dp?{query}"))
            }
            ("www.primevideo.com", _) => html(include_str!("sites/prime.html")),
            ("www.disneyplus.com", _) => html(include_str!("sites/disney.html")),
            ("vimeo.com", _) => html(include_str!("sites/vimeo.html")),
            ("www.dailymotion.com", _) => html(include_str!("sites/dailymotion.html")),
            ("clips.twitch.tv", path) => {
                redirect(&format!("https://www.twitch.tv/someone/clip{path}"))
            }
            ("www.twitch.tv", _) => html(include_str!("sites/twitch.html")),
            _ => status(StatusCode::NOT_FOUND),
        }
    })
    .await
}

/// A film of one of them.
pub fn media(provider: Provider, id: &str) -> Media {
    Media {
        provider,
        id: id.into(),
    }
}

/// Netflix's door; signed in, it leads to the front page.
const NETFLIX_LOGIN: &str = r#"<!doctype html><title>Netflix</title>
<button style="position:fixed;inset:0;width:100%;height:100%"
 onclick="document.cookie='account=ana; path=/; max-age=600'; location.href='/browse'">Sign in</button>"#;
