//! `seance doctor`: what works on this machine, from the disk to friends far away, and what to do
//! where it does not.
//!
//! Each finding is one thing somebody could put right. What can be tried is tried: the player is
//! opened and closed, a port is opened and dialled by this machine's own address, a token is shown
//! to its service. What nobody asked for is left alone: without a token ngrok hears nothing of us.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::cli::hosting::PORT;
use crate::cli::tunnel::{NgrokChoice, ngrok_of, router as router_asked};
use crate::engine::id::SessionId;
use crate::engine::text::for_terminal;
use crate::log::store::Home;
use crate::os;
use crate::projection::terminal::Style;
use crate::tunnel::nearby::{Announced, Looking, Notice};
use crate::tunnel::token::{Source, TokenStore, VARIABLE};
use crate::tunnel::{addresses, firewall, mapping};

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    fine: bool,
    says: String,
}

impl Finding {
    fn fine(what: &'static str, says: impl Into<String>) -> Self {
        Self {
            what,
            fine: true,
            says: says.into(),
        }
    }

    fn to_do(what: &'static str, says: impl Into<String>) -> Self {
        Self {
            what,
            fine: false,
            says: says.into(),
        }
    }
}

/// How long this machine may take to reach itself.
const DIAL_WAIT_MAX: Duration = Duration::from_secs(3);
/// How long a notice may take to come back from the network.
const NOTICE_WAIT_MAX: Duration = Duration::from_secs(3);
/// How long the player may take to open and close.
#[cfg(feature = "browser")]
const PLAYER_WAIT_MAX: Duration = Duration::from_secs(30);
/// A wall clock before this is wrong: 1 January 2026, before this program was written.
const WALL_MILLIS_MIN: u64 = 1_767_225_600_000;

/// Whether there is a screen to open windows on.
pub fn has_display() -> bool {
    if cfg!(any(target_os = "macos", target_os = "windows")) {
        return true;
    }
    ["WAYLAND_DISPLAY", "DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Looks at everything a party needs, and says each thing as soon as it is known.
pub(super) async fn run(style: Style) -> Result<()> {
    show(style, &data_folder());
    show(style, &clock());
    show(style, &display());
    show(style, &chrome());
    show(style, &player().await);
    show(style, &mpv());
    show(style, &certificates().await);
    show(style, &network());
    show(style, &port().await);
    show(style, &reachable().await);
    show(style, &by_name().await);
    show(style, &router().await);
    for finding in tunnel().await {
        show(style, &finding);
    }
    Ok(())
}

fn show(style: Style, finding: &Finding) {
    match style {
        Style::Json => println!(
            "{}",
            json!({ "check": finding.what, "fine": finding.fine, "says": finding.says })
        ),
        Style::Words => {
            let mark = if finding.fine { "fine" } else { "TO DO" };
            println!(
                "{mark:>6}  {}: {}",
                finding.what,
                for_terminal(&finding.says)
            );
        }
    }
}

fn data_folder() -> Finding {
    const WHAT: &str = "data folder";
    let counted = Home::open().and_then(|home| Ok((home.list()?.len(), home)));
    match counted {
        Ok((count, home)) => Finding::fine(
            WHAT,
            format!("{count} sessions in {}", home.root().display()),
        ),
        Err(error) => Finding::to_do(WHAT, error.to_string()),
    }
}

/// Another choice of player, and nobody's duty.
fn mpv() -> Finding {
    #[cfg(unix)]
    let says = {
        use crate::player::mpv::{find_mpv, has_ytdl};
        match (find_mpv(), has_ytdl()) {
            (Some(path), true) => format!("{}, with yt-dlp for sites", path.display()),
            (Some(path), false) => {
                format!("{}; sites such as YouTube want yt-dlp too", path.display())
            }
            (None, _) => "not found; only `--player mpv` wants it".to_owned(),
        }
    };
    #[cfg(not(unix))]
    let says = "cannot be driven on this system yet".to_owned();
    Finding::fine("mpv", says)
}

fn clock() -> Finding {
    const WHAT: &str = "clock";
    let (wall, local) = (os::wall_millis(), os::local_now());
    if wall < WALL_MILLIS_MIN {
        return Finding::to_do(
            WHAT,
            "this computer's date is in the past, so no certificate is believed; set it, or let the network set it",
        );
    }
    if os::local_now() < local {
        return Finding::to_do(
            WHAT,
            "this computer's clock runs backwards; restart it, and if that does not help tell us which system it is",
        );
    }
    Finding::fine(WHAT, "it runs, and the date is plausible")
}

fn display() -> Finding {
    const WHAT: &str = "display";
    if has_display() {
        Finding::fine(WHAT, "there is one")
    } else {
        Finding::to_do(
            WHAT,
            "none; use `seance host` and `seance join` in the terminal",
        )
    }
}

#[cfg(feature = "browser")]
fn chrome() -> Finding {
    const WHAT: &str = "Chrome";
    match crate::player::browser::find_chrome() {
        Some(path) => Finding::fine(WHAT, path.display().to_string()),
        None => Finding::to_do(
            WHAT,
            "not found. Install Chrome or Chromium, or watch in the guest page instead",
        ),
    }
}

#[cfg(not(feature = "browser"))]
fn chrome() -> Finding {
    Finding::fine("Chrome", "this Séance was built without the Chrome player")
}

#[cfg(feature = "browser")]
async fn player() -> Finding {
    use crate::player::Player as _;
    const WHAT: &str = "player";
    if crate::player::browser::find_chrome().is_none() {
        return Finding::to_do(WHAT, "none without Chrome");
    }
    let began = os::local_now();
    let options = crate::cli::party::browser_options(true, None);
    let tried = async {
        let player = crate::player::browser::BrowserPlayer::launch(options).await?;
        player.close().await;
        Ok::<_, crate::player::PlayerError>(())
    };
    match timeout(PLAYER_WAIT_MAX, tried).await {
        Ok(Ok(())) => Finding::fine(
            WHAT,
            format!(
                "Chrome opens and closes as told, in {} ms",
                (os::local_now() - began).get() / 1_000
            ),
        ),
        Ok(Err(error)) => Finding::to_do(WHAT, error.to_string()),
        Err(_) => Finding::to_do(
            WHAT,
            "Chrome takes too long to open. Close other programs and try again, or watch in the guest page",
        ),
    }
}

#[cfg(not(feature = "browser"))]
async fn player() -> Finding {
    Finding::fine("player", "watch in the guest page")
}

async fn certificates() -> Finding {
    const WHAT: &str = "certificates";
    let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let count = found.map_or(0, |found| found.certs.len());
    if count > 0 {
        Finding::fine(WHAT, format!("{count} authorities vouch for https links"))
    } else {
        Finding::to_do(
            WHAT,
            "this system trusts nobody, so no https link can be joined; install the package ca-certificates",
        )
    }
}

fn network() -> Finding {
    const WHAT: &str = "network";
    let all: Vec<_> = addresses::reachable()
        .iter()
        .map(ToString::to_string)
        .collect();
    if all.is_empty() {
        Finding::to_do(WHAT, "none: only this computer can join. Connect it to one")
    } else {
        Finding::fine(
            WHAT,
            format!(
                "others on your network reach this machine at {}",
                all.join(", ")
            ),
        )
    }
}

async fn port() -> Finding {
    const WHAT: &str = "port";
    match TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await {
        Ok(_) => Finding::fine(WHAT, format!("{PORT} is free")),
        Err(_) => Finding::fine(
            WHAT,
            format!("{PORT} is taken; the next party takes another one by itself"),
        ),
    }
}

/// Whether a port that is opened here answers at this machine's own address. What a firewall does
/// with others cannot be seen from inside; the way to open it is said for the day it is needed.
async fn reachable() -> Finding {
    const WHAT: &str = "reach";
    let advice = firewall::advice(PORT);
    let Some(ip) = addresses::reachable().into_iter().next() else {
        return Finding::to_do(WHAT, "no network to be reached by");
    };
    match dial_ourselves(ip).await {
        Ok(()) => Finding::fine(
            WHAT,
            format!(
                "this computer answers at {ip}. If a friend on this network cannot come in, {advice}"
            ),
        ),
        Err(why) => Finding::to_do(
            WHAT,
            format!("this computer does not answer at {ip} ({why}); {advice}"),
        ),
    }
}

async fn dial_ourselves(ip: IpAddr) -> std::io::Result<()> {
    let listener = TcpListener::bind(SocketAddr::new(ip, 0)).await?;
    let address = listener.local_addr()?;
    let dialled = async { tokio::try_join!(TcpStream::connect(address), listener.accept()) };
    timeout(DIAL_WAIT_MAX, dialled)
        .await
        .map_err(|_| std::io::ErrorKind::TimedOut)??;
    Ok(())
}

/// Whether what is announced on this network comes back from it.
async fn by_name() -> Finding {
    const WHAT: &str = "by name";
    let notice = Notice {
        session: SessionId::new(u128::from_be_bytes(os::random_bytes())),
        title: "seance doctor".to_owned(),
        host: "doctor".to_owned(),
        bound: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), PORT),
    };
    let tried = async {
        let looking = Looking::start(None)?;
        let _announced = Announced::start(&notice)?;
        let mut found = looking.found();
        let is = |all: &Vec<_>| {
            all.iter()
                .any(|one: &crate::tunnel::nearby::Found| one.session == notice.session)
        };
        let came = timeout(NOTICE_WAIT_MAX, found.wait_for(is)).await;
        Ok::<_, crate::tunnel::nearby::NearbyError>(came.is_ok())
    };
    match tried.await {
        Ok(true) => Finding::fine(
            WHAT,
            "friends on this network find your party in their list",
        ),
        Ok(false) => Finding::to_do(
            WHAT,
            "friends will not find your party in their list: multicast does not come through. Let UDP port 5353 in, or share the link",
        ),
        Err(error) => Finding::to_do(WHAT, error.to_string()),
    }
}

/// Whether a router opens ports on request, and whether one of its ports would be of use. Only its
/// address is asked for.
async fn router() -> Finding {
    const WHAT: &str = "router";
    let asked = match router_asked() {
        Ok(router) => router,
        Err(error) => return Finding::to_do(WHAT, error.to_string()),
    };
    match mapping::look(&asked).await {
        Ok(Some(seen)) => Finding::fine(
            WHAT,
            format!(
                "it answers by {}, and its public address is {}: `seance host --open-port` lets friends elsewhere in",
                seen.by, seen.ip
            ),
        ),
        Ok(None) => Finding::fine(
            WHAT,
            "none answers to UPnP or NAT-PMP, so --open-port will not help; friends elsewhere come in by `seance host --tunnel ngrok`",
        ),
        Err(trouble) => Finding::to_do(WHAT, trouble.to_string()),
    }
}

/// The token, and the tunnel it opens.
async fn tunnel() -> Vec<Finding> {
    const TOKEN: &str = "token";
    const TUNNEL: &str = "tunnel";
    let home = match Home::open() {
        Ok(home) => home,
        Err(error) => return vec![Finding::to_do(TOKEN, error.to_string())],
    };
    let store = TokenStore::new(home.root());
    let source = match store.load() {
        Ok(Some((_, source))) => source,
        Ok(None) => {
            return vec![Finding::fine(
                TOKEN,
                "none is kept, so ngrok was not asked; for friends far away, `seance tunnel login` keeps one",
            )];
        }
        Err(error) => return vec![Finding::to_do(TOKEN, error.to_string())],
    };
    let place = match source {
        Source::Environment => VARIABLE.to_owned(),
        Source::File => format!("{}, for you alone", store.path().display()),
    };
    let token = Finding::fine(TOKEN, place);
    let reached = match ngrok_of(home.root(), NgrokChoice::default()) {
        Ok(ngrok) => ngrok.check().await.map_err(|trouble| trouble.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let tunnel = match reached {
        Ok(()) => Finding::fine(TUNNEL, "ngrok is there and takes the token"),
        Err(says) => Finding::to_do(TUNNEL, says),
    };
    vec![token, tunnel]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_machine_reaches_itself_and_says_when_it_does_not() {
        assert!(dial_ourselves(Ipv4Addr::LOCALHOST.into()).await.is_ok());
        // An address for documentation is nobody's.
        assert!(
            dial_ourselves(Ipv4Addr::new(192, 0, 2, 1).into())
                .await
                .is_err()
        );
    }

    #[test]
    fn a_clock_that_runs_is_fine() {
        assert!(clock().fine);
    }
}
