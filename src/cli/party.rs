//! One member's evening: the member, their player and what they see, held together.
//!
//! [`Party`] is what every way of taking part shares, hosted or joined, window
//! or terminal: it folds news into a [`View`], shows the player where to be, and
//! turns what its user does in the player into intents. It owns the player's
//! task and ends it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::engine::event::{Inability, Via};
use crate::engine::id::{ItemId, Seq};
use crate::engine::intent::{Aim, Intent};
use crate::engine::presence::{Report, Vitals};
use crate::net::client::{Member, News, Order};
use crate::net::link::JoinLink;
use crate::os;
#[cfg(any(unix, feature = "browser"))]
use crate::player::driver::drive;
use crate::player::driver::{DriverNews, Goal, Wish};
use crate::projection::view::{Entry, View};

/// News of the player that may wait: it reports once a second.
const DRIVER_NEWS_MAX: usize = 64;
/// How long leaving may take before the program ends anyway.
const LEAVE_WAIT_MAX: Duration = Duration::from_secs(3);
/// The most letters of a player's own sentence that the room is told.
const WORDS_MAX: usize = 160;
/// How long the player may take to close.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(12);

/// What shows the film.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlayerChoice {
    /// Nothing: talk and control only.
    None,
    /// The user's Chrome or Chromium.
    Browser {
        /// Without a window, for tests and machines without a screen.
        headless: bool,
        /// Where its profile lives, so that logins last; `None` for one that vanishes.
        profile: Option<PathBuf>,
    },
    /// The user's mpv.
    Mpv {
        /// Without window and sound, for tests and machines without either.
        headless: bool,
        /// Where this viewer's own copies of films lie.
        films: Vec<PathBuf>,
    },
}

/// How this member's player stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayerState {
    /// None yet: it opens with the first film.
    Waiting,
    /// It is starting.
    Opening,
    /// It does as it is told.
    Open,
    /// It is gone: lost, or closed on purpose. It opens again when told to.
    Dismissed,
}

/// What a member without a player reports.
const NO_PLAYER: Report = Report {
    activity: None,
    drift: None,
    round_trip: None,
};

/// Something that happened; the view includes it already.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "taken apart where it is handed over, never kept"
)]
pub enum Happening {
    /// In the room or on the way there, with the line it added to the story.
    News(News, Option<Entry>),
    /// With this member's own player; one sentence.
    Player(String),
    /// With the member's knowledge of the room's clock.
    Clock,
}

/// A member's evening.
#[derive(Debug)]
pub struct Party {
    member: Member,
    view: View,
    choice: PlayerChoice,
    player: PlayerState,
    goals: Option<watch::Sender<Goal>>,
    driver: Option<JoinHandle<()>>,
    driver_in: mpsc::Sender<DriverNews>,
    driver_news: mpsc::Receiver<DriverNews>,
    /// What this member's player stands ready for.
    ready: Option<Aim>,
    /// What it cannot show, as the room is told.
    unable: Option<Intent>,
}

impl Party {
    /// Begins with a member who was just told to join. `invite` is the link a host shares.
    pub fn new(member: Member, choice: PlayerChoice, invite: Option<String>) -> Self {
        let (driver_in, driver_news) = mpsc::channel(DRIVER_NEWS_MAX);
        let view = View {
            invite: invite.map(Arc::from),
            ..View::default()
        };
        Self {
            member,
            view,
            choice,
            player: PlayerState::Waiting,
            goals: None,
            driver: None,
            driver_in,
            driver_news,
            ready: None,
            unable: None,
        }
    }

    /// The same, who can make links: those of others begin like this one.
    #[must_use]
    pub fn reached_by(mut self, way: &JoinLink) -> Self {
        self.view.way = Some(way.clone());
        self
    }

    /// What this member sees.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Waits for the next thing to happen; `None` once the party is over for this member.
    /// Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<Happening> {
        loop {
            tokio::select! {
                news = self.member.news.recv() => {
                    let news = news?;
                    let entry = self.view.take(&news);
                    self.aim_player();
                    if matches!(news, News::CaughtUp) {
                        self.tell_again().await;
                    }
                    return Some(Happening::News(news, entry));
                }
                Ok(()) = self.member.clock.changed() => {
                    let now = os::local_now();
                    self.view.clock = self.member.clock.borrow_and_update().map(|best| (best.offset(), best.bound(now)));
                    self.aim_player();
                    return Some(Happening::Clock);
                }
                Some(news) = self.driver_news.recv() => {
                    if let Some(sentence) = self.hear_player(news).await {
                        self.view.player = Some(sentence.as_str().into());
                        return Some(Happening::Player(sentence));
                    }
                }
            }
        }
    }

    /// The link a host shares is this one from now on.
    pub fn share(&mut self, link: &str) {
        match link.parse() {
            Ok(link) => self.view.reached_at(link),
            Err(error) => tracing::error!(%error, "a link of our own does not read"),
        }
    }

    /// Asks the room for something; the answer comes as news. A film on this disk goes by an
    /// address under which everybody's mpv finds its own copy.
    pub async fn ask(&mut self, via: Via, intent: Intent) {
        let intent = match intent {
            Intent::Load { url } => Intent::Load {
                url: self.addressed(url).await,
            },
            Intent::QueueAdd { url, front } => Intent::QueueAdd {
                url: self.addressed(url).await,
                front,
            },
            other => other,
        };
        self.order(Order::Ask {
            via,
            aim: None,
            intent,
        })
        .await;
    }

    /// Opens the player again after it was lost; nothing when one is open.
    pub fn open_player(&mut self) {
        if matches!(self.player, PlayerState::Opening | PlayerState::Open) {
            return;
        }
        self.goals = None;
        self.view.player = None;
        self.start_player();
    }

    /// Closes the player; the party goes on without one until it is opened again.
    pub async fn close_player(&mut self) {
        drop(self.goals.take());
        if let Some(driver) = self.driver.take() {
            // One that does not close in time is left to its own end.
            let _ = tokio::time::timeout(CLOSE_WAIT_MAX, driver).await;
        }
        self.player = PlayerState::Dismissed;
        self.ready = None;
        self.order(Order::Report(NO_PLAYER)).await;
    }

    /// How the player stands.
    pub fn player(&self) -> PlayerState {
        self.player
    }

    /// Leaves, closes the player, and returns when both are done or took too long.
    pub async fn leave(mut self) {
        self.order(Order::Leave).await;
        let gone = async { while self.member.news.recv().await.is_some() {} };
        // Whoever does not hear us go notices our silence.
        let _ = tokio::time::timeout(LEAVE_WAIT_MAX, gone).await;
        drop(self.goals.take());
        if let Some(driver) = self.driver.take() {
            let _ = tokio::time::timeout(CLOSE_WAIT_MAX, driver).await;
        }
    }

    /// What was applied so far.
    pub fn seq(&self) -> Seq {
        self.view.state.seq
    }

    /// Tells the room what this member's player knows; nobody pressed anything.
    async fn tell(&self, intent: Intent) {
        let (via, aim) = (Via::Player, None);
        self.order(Order::Ask { via, aim, intent }).await;
    }

    /// Another connection, and the room knows nothing of this member's player: what still holds is told anew.
    async fn tell_again(&self) {
        if let Some(Aim { item, generation }) = self.ready {
            self.tell(Intent::Ready { item, generation }).await;
        }
        if let Some(unable) = self.unable.clone() {
            self.tell(unable).await;
        }
    }

    async fn order(&self, order: Order) {
        // An error means the party is over, which the news say.
        let _ = self.member.orders.send(order).await;
    }

    /// Holds the newest timeline in front of the player; opens it with the first film.
    fn aim_player(&mut self) {
        if self.player == PlayerState::Waiting
            && self.view.state.timeline.current().is_some()
            && self.view.clock.is_some()
        {
            self.start_player();
        }
        let goal = self.view.goal(*self.member.clock.borrow());
        if let Some(goals) = &self.goals {
            goals.send_if_modified(|known| {
                let news = *known != goal;
                if news {
                    *known = goal;
                }
                news
            });
        }
    }

    /// The address of a film on this disk, whose folder is remembered; of anything else, as it is.
    #[cfg(unix)]
    async fn addressed(&mut self, url: String) -> String {
        use crate::player::mpv::{address_of, is_local, length_of};
        let PlayerChoice::Mpv { films, .. } = &mut self.choice else {
            return url;
        };
        if !is_local(&url) {
            return url;
        }
        let Ok(path) = PathBuf::from(&url).canonicalize() else {
            return url; // what cannot be read is refused by the room as no address
        };
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        if !films.contains(&folder) {
            films.push(folder);
        }
        let length = length_of(&path).await;
        address_of(&path, length).unwrap_or(url)
    }

    #[cfg(not(unix))]
    async fn addressed(&mut self, url: String) -> String {
        url
    }

    fn start_player(&mut self) {
        let (goals, _goals_out) = watch::channel(self.view.goal(*self.member.clock.borrow()));
        let launched = launch_player(&self.choice, goals.subscribe(), self.driver_in.clone());
        if launched.is_none() {
            return;
        }
        self.driver = launched;
        self.goals = Some(goals);
        self.player = PlayerState::Opening;
    }

    /// Takes what the driver says; returns a sentence the viewer should read, if it is one.
    async fn hear_player(&mut self, news: DriverNews) -> Option<String> {
        match news {
            DriverNews::Asked {
                wish,
                item,
                generation,
            } => {
                let aim = Some(Aim { item, generation });
                let intent = match wish {
                    Wish::Play => Intent::Play {},
                    Wish::Pause { at } => Intent::Pause { at: Some(at) },
                    Wish::Seek { to } => Intent::Seek { to },
                    Wish::Rate { rate } => Intent::Rate { rate },
                };
                self.order(Order::Ask {
                    via: Via::Player,
                    aim,
                    intent,
                })
                .await;
                None
            }
            DriverNews::Duration { item, length } => {
                let known = self
                    .view
                    .state
                    .timeline
                    .item(item)
                    .is_some_and(|item| item.duration.is_some());
                if !known {
                    let duration = length;
                    self.tell(Intent::Measure { item, duration }).await;
                }
                None
            }
            DriverNews::Report {
                drift,
                activity,
                rate,
                slews,
                steps,
                ..
            } => {
                self.player = PlayerState::Open;
                let report = Report {
                    activity: Some(activity),
                    drift,
                    round_trip: None,
                };
                // First, so that the trace knows the report for a repetition.
                self.order(Order::Vitals(Vitals {
                    report,
                    clock_error: None,
                    rate_ppm: Some((rate * 1e6).round() as u32),
                    slews,
                    steps,
                }))
                .await;
                self.order(Order::Report(report)).await;
                None
            }
            DriverNews::Ready { item, generation } => {
                self.view.player = None;
                self.ready = Some(Aim { item, generation });
                self.unable = None;
                self.tell(Intent::Ready { item, generation }).await;
                None
            }
            DriverNews::Ended { item } => {
                self.tell(Intent::Ended { item }).await;
                None
            }
            DriverNews::Failed { item, reason, why } => {
                let intent = unable(item, reason, &why);
                self.ready = None;
                self.unable = Some(intent.clone());
                self.tell(intent).await;
                Some(why)
            }
            DriverNews::Trouble(why) => Some(why),
            DriverNews::Lost(why) => {
                self.player = PlayerState::Dismissed;
                self.goals = None;
                self.ready = None;
                self.order(Order::Report(NO_PLAYER)).await;
                Some(why)
            }
        }
    }
}

/// Starts the player that was chosen, and the task that drives it; `None` when that is none.
pub(super) fn launch_player(
    choice: &PlayerChoice,
    goals: watch::Receiver<Goal>,
    out: mpsc::Sender<DriverNews>,
) -> Option<JoinHandle<()>> {
    match choice {
        PlayerChoice::None => None,
        #[cfg(feature = "browser")]
        PlayerChoice::Browser { headless, profile } => {
            let options = browser_options(*headless, profile.clone());
            Some(tokio::spawn(async move {
                match crate::player::browser::BrowserPlayer::launch(options).await {
                    Ok(player) => drive(player, goals, out, os::local_now).await,
                    // An error means that nobody listens any more.
                    Err(error) => drop(out.send(DriverNews::Lost(error.to_string())).await),
                }
            }))
        }
        #[cfg(unix)]
        PlayerChoice::Mpv { headless, films } => {
            let options = mpv_options(*headless, films.clone());
            Some(tokio::spawn(async move {
                match crate::player::mpv::MpvPlayer::launch(options).await {
                    Ok(player) => drive(player, goals, out, os::local_now).await,
                    // An error means that nobody listens any more.
                    Err(error) => drop(out.send(DriverNews::Lost(error.to_string())).await),
                }
            }))
        }
        #[cfg(not(unix))]
        PlayerChoice::Mpv { .. } => Some(tokio::spawn(async move {
            let sentence = "mpv cannot be driven on this system yet. Choose the browser as your player instead.";
            let _ = out.send(DriverNews::Lost(sentence.to_owned())).await;
            drop(goals);
        })),
        #[cfg(not(feature = "browser"))]
        PlayerChoice::Browser { .. } => Some(tokio::spawn(async move {
            let sentence =
                "This Séance was built without the Chrome player. Join from a browser instead.";
            let _ = out.send(DriverNews::Lost(sentence.to_owned())).await;
            drop(goals);
        })),
    }
}

/// What the room is told of an item that a member's player does not show: the reason, and where
/// that says too little the sentence's first half. What to do about it, its second, is the
/// member's business.
fn unable(item: ItemId, reason: Inability, sentence: &str) -> Intent {
    let first = sentence.split_once(". ").map_or(sentence, |(it, _)| it);
    let words = first.trim_end_matches('.').chars().take(WORDS_MAX);
    Intent::Unable {
        item,
        why: Some(reason),
        words: (reason == Inability::Other).then(|| words.collect()),
    }
}

/// How the program starts mpv.
#[cfg(unix)]
fn mpv_options(headless: bool, films: Vec<PathBuf>) -> crate::player::mpv::MpvOptions {
    let extra = std::env::var("SEANCE_MPV_FLAGS").unwrap_or_default();
    crate::player::mpv::MpvOptions {
        mpv: None,
        headless,
        films,
        extra_args: extra.split_whitespace().map(str::to_owned).collect(),
    }
}

/// How the program starts Chrome.
#[cfg(feature = "browser")]
pub(super) fn browser_options(
    headless: bool,
    profile: Option<PathBuf>,
) -> crate::player::browser::LaunchOptions {
    let extra = std::env::var("SEANCE_CHROME_FLAGS").unwrap_or_default();
    crate::player::browser::LaunchOptions {
        chrome: None,
        profile,
        headless,
        // Chrome refuses to run as root with its sandbox, and only containers and tests have
        // a headless root. With a window, a person browses: never without the sandbox.
        no_sandbox: headless && rustix::process::geteuid().is_root(),
        extra_args: extra.split_whitespace().map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_hears_the_reason_and_not_what_to_do_about_it() {
        let item = ItemId::new(3);
        let told = |reason, sentence: &str| match unable(item, reason, sentence) {
            Intent::Unable {
                item: of,
                why,
                words,
            } if of == item => (why, words),
            other => panic!("{other:?}"),
        };
        let sentence = "Netflix wants you to sign in. Sign in in the Séance browser window.";
        assert_eq!(
            told(Inability::SignIn, sentence),
            (Some(Inability::SignIn), None)
        );
        let words = "mpv could not show this film: no demuxer".to_owned();
        assert_eq!(
            told(Inability::Other, &format!("{words}.")),
            (Some(Inability::Other), Some(words))
        );
        let long = "x".repeat(5_000);
        assert_eq!(
            told(Inability::Other, &long).1.map(|it| it.len()),
            Some(160)
        );
    }
}
