//! `seance` without a subcommand: the window, and the desk that serves it.
//!
//! The window owns the main thread and asks; the desk lives on the runtime,
//! does what was asked, and publishes what there is to show. Neither waits for
//! the other.

mod booth;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use crate::cli::evening::{ALONE_FOR, CHROME_PROFILE, account_name};
use crate::cli::hosting::{self, HostOptions, Hosting};
use crate::cli::library;
use crate::cli::party::{self, Happening, Party, PlayerChoice};
use crate::cli::reach::Way;
use crate::cli::ticket::Ticket;
use crate::cli::tunnel;
use crate::engine::event::{Client, Via};
use crate::engine::intent::Intent;
use crate::engine::text::{Passcode, Secret};
use crate::log::files;
use crate::log::store::Home;
use crate::net::client::{self, News};
use crate::net::link::JoinLink;
use crate::projection::gui::together::REGIONS;
use crate::projection::gui::{
    self, Backend, NearbyRow, Remembered, Request, Room, Screen, Start, Theme, WayRow,
};
use crate::projection::view::{SessionRow, Wish};
use crate::tunnel::mapping::Mapping;
use crate::tunnel::nearby::{Found, Looking};
use crate::tunnel::ngrok::Region;
use crate::tunnel::public::{Front, Public};
use crate::tunnel::token::{Token, TokenStore};
use crate::tunnel::{State, Tunnel};

/// Requests that may wait: more than anybody clicks.
const REQUESTS_MAX: usize = 64;
/// How long the desk may take to put everything away after the window closed.
const GOODBYE_WAIT_MAX: Duration = Duration::from_secs(15);

/// Opens the window and stays in it until it is closed.
pub(super) fn open() -> Result<()> {
    let home = Home::open()?;
    let settings = Settings::load(&home);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let (requests, inbox) = mpsc::channel(REQUESTS_MAX);
    let (screen_in, screen) = watch::channel(Screen::default());
    let remembered = Remembered {
        name: if settings.name.is_empty() {
            // Else the window asks: a party of several Somebodies helps nobody.
            account_name().unwrap_or_default()
        } else {
            settings.name.clone()
        },
        theme: if settings.light {
            Theme::Light
        } else {
            Theme::Dark
        },
        ways: settings.ways.clone().into(),
        mpv: has_mpv().then_some(settings.mpv),
    };
    let desk = Desk {
        home,
        settings,
        screen: screen_in,
        sessions: Arc::default(),
        nearby: Arc::default(),
        error: None,
    };
    let served = runtime.spawn(desk.serve(inbox));
    let outcome = gui::run(Backend {
        requests,
        screen,
        remembered,
    });
    // The window is gone; the desk leaves the party, closes the player and puts the log in order.
    let _ = runtime.block_on(async { tokio::time::timeout(GOODBYE_WAIT_MAX, served).await });
    runtime.shutdown_timeout(Duration::from_millis(500));
    Ok(outcome?)
}

/// A player's state as the window shows it.
fn player_shown(player: party::PlayerState) -> gui::PlayerState {
    match player {
        party::PlayerState::Waiting | party::PlayerState::Dismissed => gui::PlayerState::Closed,
        party::PlayerState::Opening => gui::PlayerState::Opening,
        party::PlayerState::Open => gui::PlayerState::Open,
    }
}

/// What the window remembers between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Settings {
    #[serde(default)]
    name: String,
    #[serde(default)]
    light: bool,
    #[serde(default)]
    ways: ChosenWays,
    #[serde(default)]
    mpv: bool,
}

/// Whether there is an mpv to choose.
fn has_mpv() -> bool {
    #[cfg(unix)]
    return crate::player::mpv::find_mpv().is_some();
    #[cfg(not(unix))]
    return false;
}

/// How friends elsewhere came in last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct ChosenWays {
    #[serde(default)]
    ngrok: bool,
    #[serde(default)]
    domain: Option<String>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    port: bool,
    #[serde(default)]
    own: Option<String>,
}

impl From<ChosenWays> for gui::Ways {
    fn from(ways: ChosenWays) -> Self {
        let region = ways.region.as_deref();
        Self {
            ngrok: ways.ngrok,
            domain: ways.domain,
            region: REGIONS.into_iter().find(|known| Some(*known) == region),
            port: ways.port,
            own: ways.own,
        }
    }
}

impl From<gui::Ways> for ChosenWays {
    fn from(ways: gui::Ways) -> Self {
        Self {
            ngrok: ways.ngrok,
            domain: ways.domain,
            region: ways.region.map(str::to_owned),
            port: ways.port,
            own: ways.own,
        }
    }
}

impl Settings {
    fn path(home: &Home) -> PathBuf {
        home.root().join("window.json")
    }

    /// What was kept; nothing when that does not read.
    fn load(home: &Home) -> Self {
        let kept = std::fs::read(Self::path(home)).ok();
        kept.and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    fn save(&self, home: &Home) {
        let bytes = serde_json::to_vec(self).expect("settings always encode");
        if let Err(error) = files::replace_private(&Self::path(home), &bytes) {
            tracing::warn!(%error, "the window's settings could not be kept");
        }
    }
}

/// A party in the window.
struct Evening {
    party: Party,
    hosting: Option<Hosting>,
    ticket: Option<Ticket>,
    /// What may be in the way of those who try to come in.
    hint: Option<Arc<str>>,
}

struct Desk {
    home: Home,
    settings: Settings,
    screen: watch::Sender<Screen>,
    sessions: Arc<Vec<SessionRow>>,
    nearby: Arc<Vec<NearbyRow>>,
    /// What went wrong last, until the next thing is asked for.
    error: Option<String>,
}

/// Whether the desk goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Serve,
    Close,
}

impl Desk {
    async fn serve(mut self, mut inbox: mpsc::Receiver<Request>) {
        self.read_sessions();
        self.lobby(None, None);
        let looking = Looking::start(None);
        if let Err(error) = &looking {
            tracing::warn!(%error, "the list of parties on this network stays empty");
        }
        let mut found = looking.as_ref().ok().map(Looking::found);
        loop {
            let request = tokio::select! {
                request = inbox.recv() => match request {
                    Some(request) => request,
                    None => return,
                },
                parties = changed(&mut found) => {
                    self.nearby = Arc::new(parties.iter().map(nearby_row).collect());
                    self.refresh_lobby(None);
                    continue;
                }
            };
            let asked = match request {
                Request::Quit => return,
                Request::RefreshSessions => {
                    self.read_sessions();
                    self.refresh_lobby(None);
                    continue;
                }
                Request::Theme(theme) => {
                    self.remember_theme(theme);
                    continue;
                }
                Request::Mpv(mpv) => {
                    self.settings.mpv = mpv;
                    self.settings.save(&self.home);
                    continue;
                }
                Request::Host {
                    title,
                    name,
                    lan,
                    media,
                    ways,
                } => {
                    let options = HostOptions {
                        title: Some(title),
                        local_only: !lan,
                        ..HostOptions::default()
                    };
                    self.lobby(Some("Opening the party…"), None);
                    self.remember_ways(ways);
                    self.host(options, name, media).await
                }
                Request::Reopen { session, name } => {
                    let options = HostOptions {
                        session: Some(session),
                        ..HostOptions::default()
                    };
                    self.lobby(Some("Opening the session again…"), None);
                    self.host(options, name, None).await
                }
                Request::Join {
                    link,
                    name,
                    passcode,
                } => {
                    self.lobby(Some("Joining…"), None);
                    self.join(&link, name, passcode)
                }
                Request::KeepToken(secret) => {
                    let kept = self.keep_token(&secret);
                    self.lobby(None, kept.err().map(|error| error.to_string()));
                    continue;
                }
                Request::ForgetToken => {
                    let gone = self.tokens().forget();
                    self.lobby(None, gone.err().map(|error| error.to_string()));
                    continue;
                }
                Request::Watch { session } => {
                    self.lobby(Some("Reading the session…"), None);
                    match self.open_past(session).await {
                        Ok(showing) => {
                            if self.rewatch(showing, &mut inbox).await == Next::Close {
                                return;
                            }
                        }
                        Err(error) => self.lobby(None, Some(format!("{error:#}"))),
                    }
                    continue;
                }
                Request::Wish(_)
                | Request::RetryWays
                | Request::Replay(_)
                | Request::OpenPlayer
                | Request::ClosePlayer => continue,
            };
            match asked {
                Ok(evening) => {
                    if self.attend(evening, &mut inbox).await == Next::Close {
                        return;
                    }
                }
                Err(error) => self.lobby(None, Some(format!("{error:#}"))),
            }
        }
    }

    async fn host(
        &mut self,
        options: HostOptions,
        name: String,
        media: Option<String>,
    ) -> Result<Evening> {
        self.remember_name(&name);
        // What is missing for a tunnel is said before anything is opened.
        let tunnels = self.tunnels()?;
        let mut hosting = hosting::start(&self.home, options).await?;
        hosting.announce(&name);
        tunnel::open_all(hosting.reach(), tunnels).await;
        let member = client::join(hosting.own_link(), name, Client::Window, None);
        let mut party = Party::new(member, self.player(), Some(hosting.link().to_string()))
            .reached_by(&hosting.link());
        if let Some(url) = media {
            party.ask(Via::Gui, Intent::Load { url }).await;
        }
        Ok(Evening {
            party,
            hosting: Some(hosting),
            ticket: None,
            hint: None,
        })
    }

    fn join(&mut self, link: &str, name: String, passcode: Option<Passcode>) -> Result<Evening> {
        self.remember_name(&name);
        let link: JoinLink = link.parse()?;
        let ticket = Ticket::new(self.home.root(), link.session, &name);
        let member = client::join_knowing(&link, name, Client::Window, ticket.load(), passcode);
        Ok(Evening {
            party: Party::new(member, self.player(), None).reached_by(&link),
            hosting: None,
            ticket: Some(ticket),
            hint: None,
        })
    }

    /// Stays in a party until it is left or over.
    async fn attend(&mut self, mut evening: Evening, inbox: &mut mpsc::Receiver<Request>) -> Next {
        let mut reason = None;
        let mut ways = evening
            .hosting
            .as_mut()
            .map(|hosting| hosting.reach().ways());
        let mut alone = std::pin::pin!(tokio::time::sleep(ALONE_FOR));
        self.show(&mut evening);
        let next = loop {
            tokio::select! {
                _ = changed(&mut ways) => {}
                () = &mut alone, if !alone.is_elapsed() => if let Some(hosting) = &mut evening.hosting {
                    let people = evening.party.view().state.roster.iter().count();
                    evening.hint = hosting.reach().hint(people).map(Arc::from);
                },
                happening = evening.party.next() => match happening {
                    None => break Next::Serve,
                    Some(Happening::News(News::Over(why), _)) => {
                        reason = Some(why);
                        break Next::Serve;
                    }
                    Some(Happening::News(News::Welcomed(welcome), _)) => {
                        if let Some(ticket) = &evening.ticket {
                            ticket.save(&welcome);
                        }
                    }
                    Some(_) => {
                        if let Some(hosting) = &mut evening.hosting {
                            hosting.remember(&evening.party.view().state);
                        }
                    }
                },
                request = inbox.recv() => match request {
                    None | Some(Request::Quit) => break Next::Close,
                    Some(Request::Wish(Wish::Leave)) => break Next::Serve,
                    Some(Request::Wish(Wish::Ask(intent, via))) => evening.party.ask(via, intent).await,
                    Some(Request::OpenPlayer) => evening.party.open_player(),
                    Some(Request::ClosePlayer) => evening.party.close_player().await,
                    Some(Request::Theme(theme)) => self.remember_theme(theme),
                    Some(Request::RetryWays) => self.retry(&mut evening).await,
                    Some(Request::KeepToken(secret)) => match self.keep_token(&secret) {
                        Ok(()) => self.retry(&mut evening).await,
                        Err(error) => evening.hint = Some(error.to_string().into()),
                    },
                    Some(Request::Host { .. } | Request::Join { .. } | Request::Reopen { .. } | Request::Mpv(_) | Request::Watch { .. } | Request::Replay(_) | Request::RefreshSessions | Request::ForgetToken) => {}
                },
            }
            if evening.party.view().state.roster.iter().count() > 1 {
                evening.hint = None;
            }
            self.show(&mut evening);
        };
        if next == Next::Serve {
            self.lobby(Some("Leaving the party…"), None);
        }
        evening.party.leave().await;
        if let Some(hosting) = evening.hosting {
            hosting.stop().await;
        }
        self.read_sessions();
        self.lobby(None, reason);
        next
    }

    fn show(&self, evening: &mut Evening) {
        let mut ways = Vec::new();
        if let Some(hosting) = &mut evening.hosting {
            let link = hosting.link();
            if evening.party.view().way.as_ref() != Some(&link) {
                evening.party.share(&link.to_string());
            }
            // The first is this network, which the invite is of anyway.
            let all = hosting.reach().ways();
            ways.extend(all.borrow().iter().skip(1).map(way_row));
        }
        self.screen.send_replace(Screen::Room(Room {
            view: evening.party.view().clone(),
            hosting: evening.hosting.is_some(),
            player: player_shown(evening.party.player()),
            ways: Arc::new(ways),
            hint: evening.hint.clone(),
        }));
    }

    fn lobby(&mut self, busy: Option<&str>, error: Option<String>) {
        self.error = error;
        self.refresh_lobby(busy);
    }

    /// The start again, for what changed by itself: a party nearby comes and goes, and must not take
    /// along the sentence that is being read.
    fn refresh_lobby(&self, busy: Option<&str>) {
        self.screen.send_replace(Screen::Start(Start {
            busy: busy.map(str::to_owned),
            error: self.error.clone(),
            sessions: Arc::clone(&self.sessions),
            nearby: Arc::clone(&self.nearby),
            token: matches!(self.tokens().load(), Ok(Some(_))),
        }));
    }

    fn tokens(&self) -> TokenStore {
        TokenStore::new(self.home.root())
    }

    fn keep_token(&self, secret: &Secret) -> Result<()> {
        self.tokens().save(&Token::read(secret.reveal())?)?;
        Ok(())
    }

    /// Opens the ways again that failed.
    async fn retry(&self, evening: &mut Evening) {
        let Some(hosting) = &mut evening.hosting else {
            return;
        };
        match self.tunnels() {
            Ok(tunnels) => hosting.reach().reopen_failed(tunnels).await,
            Err(error) => evening.hint = Some(error.to_string().into()),
        }
    }

    /// The ways from elsewhere that were chosen.
    fn tunnels(&self) -> Result<Vec<Box<dyn Tunnel>>> {
        let mut all: Vec<Box<dyn Tunnel>> = Vec::new();
        let ways = &self.settings.ways;
        if ways.ngrok {
            let region = ways.region.as_deref();
            let choice = tunnel::NgrokChoice {
                domain: ways.domain.clone(),
                region: region.and_then(|word| Region::from_str(word, false).ok()),
            };
            all.push(Box::new(tunnel::ngrok_of(self.home.root(), choice)?));
        }
        if ways.port {
            all.push(Box::new(Mapping::new(tunnel::router()?)));
        }
        if let Some(own) = &ways.own {
            let place = own.parse().map_err(|_| {
                anyhow::anyhow!("{own} is no address. Type it as https://party.example.org.")
            })?;
            all.push(Box::new(Public::new(place, Front::Proxy)));
        }
        Ok(all)
    }

    fn remember_ways(&mut self, ways: gui::Ways) {
        let ways = ChosenWays::from(ways);
        if self.settings.ways != ways {
            self.settings.ways = ways;
            self.settings.save(&self.home);
        }
    }

    fn read_sessions(&mut self) {
        match library::rows(&self.home).context("the past sessions could not be listed") {
            Ok(rows) => self.sessions = Arc::new(rows),
            Err(error) => tracing::warn!(%error, "the list of sessions is the old one"),
        }
    }

    fn player(&self) -> PlayerChoice {
        if self.settings.mpv && has_mpv() {
            PlayerChoice::Mpv {
                headless: false,
                films: Vec::new(),
            }
        } else if cfg!(feature = "browser") {
            PlayerChoice::Browser {
                headless: false,
                profile: Some(self.home.root().join(CHROME_PROFILE)),
            }
        } else {
            PlayerChoice::None
        }
    }

    fn remember_name(&mut self, name: &str) {
        if self.settings.name != name {
            self.settings.name = name.to_owned();
            self.settings.save(&self.home);
        }
    }

    fn remember_theme(&mut self, theme: Theme) {
        self.settings.light = theme == Theme::Light;
        self.settings.save(&self.home);
    }
}

/// Waits until what is watched changed; for ever where nothing is.
async fn changed<T: Clone>(watched: &mut Option<watch::Receiver<T>>) -> T {
    if let Some(watched) = watched
        && watched.changed().await.is_ok()
    {
        return watched.borrow_and_update().clone();
    }
    std::future::pending().await
}

fn nearby_row(found: &Found) -> NearbyRow {
    NearbyRow {
        title: found.title.clone(),
        host: found.host.clone(),
        place: found
            .places
            .first()
            .map(ToString::to_string)
            .unwrap_or_default(),
    }
}

fn way_row(way: &Way) -> WayRow {
    WayRow {
        name: way.name,
        state: way.state.word(),
        trouble: way.state.trouble().map(ToString::to_string),
        failed: matches!(way.state, State::Failed(_)),
    }
}
