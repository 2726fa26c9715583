//! The druid window: the same party as in the terminal and on the page, with a pointer.
//!
//! It knows nothing of sockets, logs or players. All it has is a [`Backend`]:
//!
//! ```text
//!            Screen (watch: last value wins)
//!  runtime ──────────────────────────────────► bridge ──► App.screen ──► panes
//!  threads ◄────────────────────────────────── Desk  ◄── commands  ◄──┘
//!            Request (mpsc: bounded)
//! ```
//!
//! The caller runs its tokio runtime on threads of its own, keeps the sender of
//! the [`Screen`] and the receiver of the [`Request`]s, and calls [`run`] on the
//! main thread, where windows must live. For each request it does what was asked
//! and publishes the next screen; the window never waits for an answer and never
//! guesses one. `run` returns when the window is closed, after one last
//! [`Request::Quit`].
//!
//! druid is discontinued, so this layer is thin and can be replaced: nothing
//! outside this folder names druid. [`App`] keeps two halves apart: `screen`,
//! which only the bridge writes, and the draft, which only the person writes.

pub mod cmd;
pub mod data;
pub mod film;
pub mod leaving;
pub mod replay;
pub mod theme;
pub mod together;

mod bridge;
mod delegate;
mod pane;
mod widget;

use std::sync::Arc;

use druid::{AppLauncher, Widget, WindowDesc};
use tokio::sync::{mpsc, watch};

use crate::engine::text::{Passcode, Secret};
use crate::projection::view::{SessionRow, View, Wish};

pub use data::{App, Draft};
pub use delegate::root;
pub use replay::{Replay, ReplayAsk};
pub use theme::Theme;

/// The window's two wires to the rest of the program, and what it remembers from last time.
#[derive(Debug)]
pub struct Backend {
    /// Where everything the person asks for goes. A capacity of 64 is plenty; when it is full, or
    /// nobody listens any more, the window says so and drops the request.
    pub requests: mpsc::Sender<Request>,
    /// What to show. Publish as often as anything changed; the window takes the latest, at most
    /// 30 times a second. Keep `Arc`s that did not change: they are compared by pointer.
    pub screen: watch::Receiver<Screen>,
    /// What the person chose last time.
    pub remembered: Remembered,
}

/// What the caller keeps for the window between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The name last used; empty the first time.
    pub name: String,
    /// The face last chosen; each choice arrives as a [`Request::Theme`].
    pub theme: Theme,
    /// How friends elsewhere came in last.
    pub ways: Ways,
    /// Whether films are watched in mpv; `None` where there is no choice.
    pub mpv: Option<bool>,
}

/// What a person asks of the program by the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Open a party and enter it. Answer with a busy [`Start`], then a [`Room`] or a [`Start`] with an error.
    Host {
        /// What people will call it; never empty.
        title: String,
        /// What the host is called; never empty.
        name: String,
        /// Whether people on this network can join without a tunnel.
        lan: bool,
        /// A film to load at once, as pasted.
        media: Option<String>,
        /// By what friends elsewhere come in.
        ways: Ways,
    },
    /// Enter somebody's party; answered like [`Request::Host`].
    Join {
        /// The link, as pasted.
        link: String,
        /// What the guest is called; never empty.
        name: String,
        /// What the party asks newcomers for, if it does.
        passcode: Option<Passcode>,
    },
    /// Open a past session again and host it; answered like [`Request::Host`].
    Reopen {
        /// Its [`SessionRow::id`].
        session: String,
        /// What the host is called; never empty.
        name: String,
    },
    /// Show a past session again; answer with a busy [`Start`], then a [`Replay`] or a [`Start`]
    /// with an error. It must not be written to.
    Watch {
        /// Its [`SessionRow::id`].
        session: String,
    },
    /// Something about the replay that is shown; answer with the next [`Replay`], and
    /// [`ReplayAsk::Leave`] with a [`Start`].
    Replay(ReplayAsk),
    /// Something for the room. Control intents are aimed at what the latest published [`View`]
    /// showed: take the aim from its timeline. Answer [`Wish::Leave`] with a [`Start`].
    Wish(Wish),
    /// Read the list of past sessions again.
    RefreshSessions,
    /// Keep this as the token of the way through ngrok.
    KeepToken(Secret),
    /// Forget the token.
    ForgetToken,
    /// Open the ways from elsewhere again that do not stand.
    RetryWays,
    /// Open the window's own film player.
    OpenPlayer,
    /// Close it; the party goes on.
    ClosePlayer,
    /// Remember this face for the next start.
    Theme(Theme),
    /// Watch in mpv, or not, from the next party on. Comes before the request that enters it.
    Mpv(bool),
    /// The window is gone: shut everything down. Always the last request.
    Quit,
}

/// By what friends elsewhere come in, as chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// Through ngrok, with the token that is kept.
    pub ngrok: bool,
    /// At this address of the account's.
    pub domain: Option<String>,
    /// Entered in this region, one of [`together::REGIONS`].
    pub region: Option<&'static str>,
    /// By a port that the router opens.
    pub port: bool,
    /// By an address of the host's own, as typed.
    pub own: Option<String>,
}

/// A party somebody on this network announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearbyRow {
    /// What people call it.
    pub title: String,
    /// Who hosts it.
    pub host: String,
    /// Where it is.
    pub place: String,
}

/// How a way from elsewhere stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayRow {
    /// Which: "ngrok".
    pub name: &'static str,
    /// One word: "online".
    pub state: &'static str,
    /// What is the matter and what to do, while something is.
    pub trouble: Option<String>,
    /// Whether only a person can put that right.
    pub failed: bool,
}

/// All that the window shows at one moment.
#[derive(Clone, Debug)]
pub enum Screen {
    /// Before and after parties.
    Start(Start),
    /// In a party.
    Room(Room),
    /// In a past one.
    Replay(Replay),
}

impl Default for Screen {
    fn default() -> Self {
        Self::Start(Start::default())
    }
}

/// The screen from which one hosts, joins or reopens.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// What is being done, as a sentence: "Opening the party…". Buttons rest meanwhile.
    pub busy: Option<String>,
    /// What went wrong last, as a sentence that says what to do.
    pub error: Option<String>,
    /// Past sessions, newest first.
    pub sessions: Arc<Vec<SessionRow>>,
    /// Parties on this network.
    pub nearby: Arc<Vec<NearbyRow>>,
    /// Whether a token for ngrok is kept.
    pub token: bool,
}

/// A party, as this member sees it.
#[derive(Clone, Debug, Default)]
pub struct Room {
    /// What there is to draw.
    pub view: View,
    /// Whether this program hosts it.
    pub hosting: bool,
    /// How this program's own film player stands.
    pub player: PlayerState,
    /// How the ways from elsewhere stand; none for those who do not host.
    pub ways: Arc<Vec<WayRow>>,
    /// What may be in the way of those who try to come in, after a while of nobody.
    pub hint: Option<Arc<str>>,
}

/// How the window's own film player stands; the sentence for people is [`View::player`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlayerState {
    /// None is open.
    #[default]
    Closed,
    /// One is being opened.
    Opening,
    /// One is open.
    Open,
}

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum GuiError {
    /// The platform gave none: no display, or no toolkit.
    #[error(
        "The window could not be opened ({0}). Use `seance host` or `seance join` in the terminal instead."
    )]
    Platform(String),
}

/// Opens the window and stays in it until it is closed. Call it on the main thread.
///
/// # Errors
/// When the platform gives no window.
pub fn run(backend: Backend) -> Result<(), GuiError> {
    let Backend {
        requests,
        screen,
        remembered,
    } = backend;
    let app = App::new(screen.borrow().clone(), remembered);
    let face = app.draft.theme;
    let window = WindowDesc::new(root(requests.clone()))
        .title(|app: &App, _: &druid::Env| app.window_title())
        .window_size((1100.0, 720.0))
        .with_min_size((720.0, 520.0));
    let launcher = AppLauncher::with_window(window)
        .configure_env(move |env, _| theme::dress(env, face))
        .delegate(delegate::Life::new(screen));
    let outcome = launcher
        .launch(app)
        .map_err(|error| GuiError::Platform(error.to_string()));
    // The loop is over and nothing else will ask, so waiting for a free place is safe, and a
    // caller that is gone already needs no goodbye.
    let _ = requests.blocking_send(Request::Quit);
    outcome
}

/// The window's whole tree, for tests and other shells: see [`root`].
pub type Root = Box<dyn Widget<App>>;
