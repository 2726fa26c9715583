//! The Chromium player: a film in a Chrome window of its own.
//!
//! Four parts. `launch` starts Chrome. The *agent* (`agent.js`) lives beside
//! every page Chrome opens, does as it is told, measures, and tells the user's
//! acts apart from its own echoes. The *supervisor* is the one task that
//! listens to Chrome: it reads the agent's reports, guards the address in the
//! window, and notices Chrome's end. [`BrowserPlayer`] is the handle: each call
//! is one order to the agent, with a deadline of ours (the library's own are
//! fixed at 30 s, mattsse/chromiumoxide#332, or seconds with a constant of milliseconds).
//!
//! What it promises beyond [`Player`]: the window shows the loaded film's page
//! or says so ([`Notice::Failed`]); times of samples and starts are this
//! machine's [`os::local_now`], mapped onto the page's clock by `clock`.
//! When the user finds the way back to the film's page (after a login, a
//! consent, a reload), the film is made ready again by itself, paused where it
//! stood, and samples go on; nobody has to load it anew.
//!
//! What it does not do: correct drift (the driver's), follow a film inside a
//! frame of another document, or relaunch Chrome (the driver makes a new
//! player) or learn how long Chrome's starts take (the driver's, too; they vary
//! by some 10 ms with the sound output's buffers). Chrome's
//! debugger listens on loopback, where other users of the machine could find
//! it; chromiumoxide knows no other wire.

mod clock;
mod film;
mod launch;
mod page;
mod sites;
mod supervisor;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::fetch;
use chromiumoxide::cdp::js_protocol::runtime::{EvaluateParams, ExecutionContextId};
use chromiumoxide::error::CdpError;
use chromiumoxide::{Command, Page};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::engine::event::Inability;
use crate::engine::media::{Media, Provider};
use crate::engine::sync::controller::{Footing, Habits};
use crate::engine::unit::{LocalTime, MediaTime, Micros};
use crate::os;
use crate::player::{Activity, Notice, ON_A_DISK, Player, PlayerError, Sample};

use clock::{Exchange, PageClock};
pub use launch::{LaunchOptions, find_chrome};
use page::{Done, Measured};
use sites::Place;
use supervisor::Supervisor;

/// The sentence for whoever cannot see a film because a browser shows it.
const DISK_FILM: &str = "This film lies on somebody's disk, where no browser may look. Watch your own copy of it with mpv as your player.";

/// How long Chrome may take to answer one order. A healthy one takes a
/// millisecond, one busy with opening a page some hundred.
const CALL_DEADLINE: Duration = Duration::from_secs(2);

/// How long a film may take to show a frame. A slow site on a slow line; the
/// room itself waits far shorter (`engine::sequencer::LOAD_WAIT_MAX`). A guess.
const LOAD_DEADLINE: Duration = Duration::from_secs(30);

/// How long a polite end may take before the supervisor is left to itself.
const CLOSE_DEADLINE: Duration = Duration::from_secs(10);

/// How many notices wait for the driver, which reads them at once. Past this
/// something floods us, and what is dropped is logged.
const NOTICES_MAX: usize = 64;

/// The rates Chrome accepts; others throw.
const RATE_MIN: f64 = 0.0625;
const RATE_MAX: f64 = 16.0;

/// How long Chrome's starts take from a frame it was just moved to: 65 to 95 ms in
/// all measurements. From a frame it paused on they took less than 15.
const SEEK_START: Micros = Micros::from_millis(80);

/// A task that ends with its handle.
#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Task {
    fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How far the loaded film has come.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// Its page opens.
    Opening,
    /// It showed a frame.
    Shown,
    /// It cannot be shown; the sentence for people.
    Failed(String),
}

/// The film this player is to show.
#[derive(Debug)]
struct Film {
    /// The number of the load that asked for it; what the agent says of another is stale.
    load: u32,
    place: Place,
    /// Where it stands, for a page that opens again.
    at: MediaTime,
    rate: f64,
    /// Where a page's address led to within its own origin.
    landed: Option<String>,
    /// The server has no film; the page in the window is our apology.
    refused: bool,
    /// Why it is not shown, if it is not.
    unable: Option<page::Reason>,
    /// The site asked something, such as to sign in, before it showed the film.
    asked: bool,
    /// The film before this one: its page may still speak for a moment.
    before: Option<Place>,
}

/// What the handle and the supervisor share.
#[derive(Debug)]
struct Shared {
    page: Page,
    film: Mutex<Option<Film>>,
    clock: Mutex<PageClock>,
    /// Where the film's agent answers; `None` while there is none.
    agent: watch::Sender<Option<ExecutionContextId>>,
    /// From what the next start begins, as the agent last said.
    footing: Mutex<Footing>,
    /// How far which load has come.
    stage: watch::Sender<(u32, Stage)>,
    /// Why the player is gone, once it is.
    lost: watch::Sender<Option<String>>,
}

/// Why a call to Chrome came to nothing.
#[derive(Debug)]
enum Fault {
    /// Chrome is gone.
    Lost(String),
    /// No answer in time.
    Late,
    /// The document that was asked is no more.
    Elsewhere,
    /// Chrome or the page answered with something else.
    Odd(String),
}

impl Fault {
    fn into_error(self) -> PlayerError {
        match self {
            Self::Lost(why) => PlayerError::Lost(why),
            // A document just replaced, or an answer that is none: the next try may work.
            Self::Late | Self::Elsewhere => late(CALL_DEADLINE),
            Self::Odd(what) => {
                tracing::warn!(what, "chrome gave an odd answer");
                late(CALL_DEADLINE)
            }
        }
    }
}

fn late(deadline: Duration) -> PlayerError {
    PlayerError::Late(Micros::new(deadline.as_micros() as i64))
}

/// Locks what is never held across an await, and so never poisoned by more than a panic elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Gives one command to the page, within [`CALL_DEADLINE`].
    async fn call<C: Command>(&self, command: C) -> Result<C::Response, Fault> {
        let mut lost = self.lost.subscribe();
        tokio::select! {
            biased;
            why = lost.wait_for(Option::is_some) => Err(Fault::Lost(
                why.ok().and_then(|why| why.clone()).unwrap_or_default(),
            )),
            answer = tokio::time::timeout(CALL_DEADLINE, self.page.execute(command)) => match answer {
                Err(_) | Ok(Err(CdpError::Timeout)) => Err(Fault::Late),
                Ok(Ok(answer)) => Ok(answer.result),
                Ok(Err(CdpError::Chrome(error))) if error.message.contains("context") => {
                    Err(Fault::Elsewhere)
                }
                Ok(Err(error)) => Err(Fault::Odd(error.to_string())),
            },
        }
    }

    /// Evaluates an expression that yields JSON text in one of the agent's documents.
    async fn evaluate(
        &self,
        context: ExecutionContextId,
        expression: String,
    ) -> Result<(String, LocalTime, LocalTime), Fault> {
        let mut command = EvaluateParams::new(expression);
        command.context_id = Some(context);
        command.return_by_value = Some(true);
        command.silent = Some(true);
        let asked = os::local_now();
        let answer = self.call(command).await?;
        let heard = os::local_now();
        if let Some(exception) = answer.exception_details {
            return Err(Fault::Odd(exception.text));
        }
        match answer.result.value {
            Some(serde_json::Value::String(text)) => Ok((text, asked, heard)),
            _ => Err(Fault::Odd("no text".into())),
        }
    }

    /// Gives the agent in `context` an order.
    async fn order(
        &self,
        context: ExecutionContextId,
        name: &str,
        order: serde_json::Value,
    ) -> Result<(), Fault> {
        let expression = format!("seance.order({name:?},{order})");
        let (text, asked, heard) = self.evaluate(context, expression).await?;
        let done: Done =
            page::read(&text).ok_or_else(|| Fault::Odd("an order without an end".into()))?;
        self.learn(asked, done.now.get(), heard);
        *lock(&self.footing) = if done.sought {
            Footing::Sought
        } else {
            Footing::Still
        };
        Ok(())
    }

    /// Takes a measurement from the agent in `context`.
    async fn measure(&self, context: ExecutionContextId) -> Result<Sample, Fault> {
        let (text, asked, heard) = self.evaluate(context, "seance.sample()".into()).await?;
        let measured: Measured =
            page::read(&text).ok_or_else(|| Fault::Odd("no measurement".into()))?;
        self.learn(asked, measured.now.get(), heard);
        let at = lock(&self.clock).local(measured.now.get()).unwrap_or(heard);
        Ok(Sample {
            at,
            position: measured.position.time(),
            rate: measured.rate.get(),
            activity: measured.activity.into(),
            duration: measured.duration.map(page::Seconds::length),
        })
    }

    fn learn(&self, asked: LocalTime, page_millis: f64, heard: LocalTime) {
        lock(&self.clock).learn(Exchange {
            asked,
            page_millis,
            heard,
        });
    }

    /// Why the player is gone, if it is.
    fn alive(&self) -> Result<(), PlayerError> {
        match &*self.lost.borrow() {
            None => Ok(()),
            Some(why) => Err(PlayerError::Lost(why.clone())),
        }
    }

    /// Why the film in the window cannot be handled, if it cannot.
    fn playable(&self) -> Result<(), PlayerError> {
        self.alive()?;
        if lock(&self.film).is_none() {
            return Err(PlayerError::Media("No film is loaded.".into()));
        }
        match &self.stage.borrow().1 {
            Stage::Failed(why) => Err(PlayerError::Media(why.clone())),
            Stage::Opening | Stage::Shown => Ok(()),
        }
    }

    /// Gives the film's agent an order; while the page opens anew, waits for it.
    async fn command(
        &self,
        name: &str,
        order: impl Fn(&PageClock) -> serde_json::Value,
    ) -> Result<(), PlayerError> {
        self.playable()?;
        let mut agent = self.agent.subscribe();
        let attempt = async {
            loop {
                let context = match agent.wait_for(Option::is_some).await {
                    Ok(context) => (*context).expect("it was waited for"),
                    Err(_) => return Err(Fault::Late),
                };
                let order = order(&lock(&self.clock));
                match self.order(context, name, order).await {
                    Err(Fault::Elsewhere) => {
                        self.agent.send_if_modified(|now| {
                            let stale = *now == Some(context);
                            if stale {
                                *now = None;
                            }
                            stale
                        });
                    }
                    other => return other,
                }
            }
        };
        let mut lost = self.lost.subscribe();
        tokio::select! {
            biased;
            _ = lost.wait_for(Option::is_some) => {
                self.alive()?;
                Err(late(CALL_DEADLINE))
            }
            done = tokio::time::timeout(CALL_DEADLINE, attempt) => match done {
                Ok(done) => done.map_err(Fault::into_error),
                Err(_) => {
                    self.playable()?;
                    Err(late(CALL_DEADLINE))
                }
            },
        }
    }

    fn note_place(&self, at: MediaTime) {
        if let Some(film) = lock(&self.film).as_mut() {
            film.at = at;
        }
    }
}

/// A film in a Chrome window of its own.
#[derive(Debug)]
pub struct BrowserPlayer {
    shared: Arc<Shared>,
    /// What the user did; filled by the supervisor.
    notices: mpsc::Receiver<Notice>,
    /// Whether [`Notice::Lost`] was said.
    lost_said: bool,
    /// The number of the last load.
    load: u32,
    /// Whether the last film asked for lies on somebody's disk.
    on_a_disk: bool,
    profile: PathBuf,
    /// Dropped or used, it tells the supervisor to close Chrome.
    stop: oneshot::Sender<()>,
    /// Ends when Chrome is gone and cleaned up after.
    supervisor: JoinHandle<()>,
}

impl BrowserPlayer {
    /// Starts Chrome with an empty window.
    ///
    /// # Errors
    /// [`PlayerError::Missing`] when there is no Chrome, or it does not start.
    pub async fn launch(options: LaunchOptions) -> Result<Self, PlayerError> {
        let launched = launch::launch(&options).await?;
        let profile = launched.folder.clone();
        let (notices_in, notices) = mpsc::channel(NOTICES_MAX);
        let shared = Arc::new(Shared {
            page: launched.page.clone(),
            film: Mutex::default(),
            clock: Mutex::default(),
            agent: watch::Sender::new(None),
            footing: Mutex::new(Footing::Sought),
            stage: watch::Sender::new((0, Stage::Opening)),
            lost: watch::Sender::new(None),
        });
        let (stop, stopped) = oneshot::channel();
        let supervisor = Supervisor::attach(launched, Arc::clone(&shared), notices_in)
            .await
            .map_err(|fault| match fault.into_error() {
                PlayerError::Lost(why) | PlayerError::Media(why) => PlayerError::Missing(why),
                other => PlayerError::Missing(format!("Chrome did not start: {other}")),
            })?;
        Ok(Self {
            shared,
            notices,
            lost_said: false,
            load: 0,
            on_a_disk: false,
            profile,
            stop,
            supervisor: tokio::spawn(supervisor.run(stopped)),
        })
    }

    /// Where this Chrome keeps its logins; gone with the player if none was named.
    pub fn profile(&self) -> &Path {
        &self.profile
    }

    /// The page in the window, for tests that act as its user.
    #[doc(hidden)]
    pub fn page(&self) -> &Page {
        &self.shared.page
    }

    /// Names the film that is to be shown from now on.
    fn expect_film(&mut self, place: Place, start: MediaTime) {
        self.load += 1;
        let mut film = lock(&self.shared.film);
        let before = film.take().map(|film| film.place);
        *film = Some(Film {
            load: self.load,
            place,
            at: start,
            rate: 1.0,
            landed: None,
            refused: false,
            unable: None,
            asked: false,
            before,
        });
        drop(film);
        self.shared.agent.send_replace(None);
        self.shared.stage.send_replace((self.load, Stage::Opening));
    }
}

impl Player for BrowserPlayer {
    async fn load(&mut self, media: &Media, start: MediaTime) -> Result<(), PlayerError> {
        self.shared.alive()?;
        self.on_a_disk = media.host() == Some(ON_A_DISK);
        if self.on_a_disk {
            return Err(PlayerError::Media(DISK_FILM.to_owned()));
        }
        let place = Place::of(media)?;
        let address = place.url.to_string();
        let interception = (place.kind == Provider::File).then(|| film::interception(&place.url));
        self.expect_film(place, start);
        let shared = &self.shared;
        match interception {
            Some(enable) => shared.call(enable).await.map(|_| ()),
            None => shared
                .call(fetch::DisableParams::default())
                .await
                .map(|_| ()),
        }
        .map_err(Fault::into_error)?;
        let load = self.load;
        let mut stage = shared.stage.subscribe();
        let settled = stage.wait_for(|(of, stage)| *of == load && *stage != Stage::Opening);
        let opened = async {
            // Its answer is of no use: the library keeps it back until the page's last
            // picture is there. A page that cannot be opened shows as a navigation.
            if let Err(error) = shared.page.goto(address).await {
                tracing::debug!(%error, "the page did not finish");
            }
            std::future::pending::<()>().await;
        };
        let mut lost = shared.lost.subscribe();
        let outcome = tokio::select! {
            biased;
            _ = lost.wait_for(Option::is_some) => None,
            settled = settled => settled.ok().map(|settled| settled.1.clone()),
            () = opened => None,
            () = tokio::time::sleep(LOAD_DEADLINE) => return Err(late(LOAD_DEADLINE)),
        };
        match outcome {
            Some(Stage::Failed(why)) => Err(PlayerError::Media(why)),
            Some(_) => Ok(()),
            None => {
                shared.alive()?;
                Err(late(LOAD_DEADLINE))
            }
        }
    }

    async fn play(&mut self, at: LocalTime) -> Result<(), PlayerError> {
        self.shared
            .command(
                "play",
                |clock| serde_json::json!({ "at": clock.page_millis(at).unwrap_or(0.0) }),
            )
            .await
    }

    async fn pause(&mut self, position: MediaTime) -> Result<(), PlayerError> {
        self.shared.note_place(position);
        self.shared
            .command("pause", |_| serde_json::json!({ "at": seconds(position) }))
            .await
    }

    async fn seek(&mut self, position: MediaTime) -> Result<(), PlayerError> {
        self.shared.note_place(position);
        self.shared
            .command("seek", |_| serde_json::json!({ "to": seconds(position) }))
            .await
    }

    async fn set_rate(&mut self, rate: f64) -> Result<(), PlayerError> {
        if !(RATE_MIN..=RATE_MAX).contains(&rate) {
            return Err(PlayerError::Media(format!(
                "Chrome plays at {RATE_MIN} to {RATE_MAX} times the film's speed, not {rate}."
            )));
        }
        if let Some(film) = lock(&self.shared.film).as_mut() {
            film.rate = rate;
        }
        self.shared
            .command("rate", |_| serde_json::json!({ "rate": rate }))
            .await
    }

    async fn sample(&mut self) -> Result<Sample, PlayerError> {
        self.shared.alive()?;
        let opening = || Sample {
            at: os::local_now(),
            position: lock(&self.shared.film)
                .as_ref()
                .map_or(MediaTime::ZERO, |film| film.at),
            rate: 1.0,
            activity: Activity::Loading,
            duration: None,
        };
        if lock(&self.shared.film).is_none() {
            return Ok(opening());
        }
        self.shared.playable()?;
        let context = *self.shared.agent.borrow();
        let Some(context) = context else {
            return Ok(opening());
        };
        match self.shared.measure(context).await {
            Ok(sample) => {
                if sample.activity != Activity::Loading && sample.activity != Activity::Advert {
                    self.shared.note_place(sample.position);
                }
                Ok(sample)
            }
            Err(Fault::Elsewhere) => Ok(opening()),
            Err(fault) => Err(fault.into_error()),
        }
    }

    async fn notice(&mut self) -> Notice {
        if self.lost_said {
            return std::future::pending().await;
        }
        // The supervisor's end closes the channel, after its last notice was read.
        if let Some(notice) = self.notices.recv().await {
            return notice;
        }
        let why = self.shared.lost.borrow().clone();
        self.lost_said = true;
        Notice::Lost(why.unwrap_or_else(|| supervisor::CLOSED.to_owned()))
    }

    fn inability(&self) -> Inability {
        if self.on_a_disk {
            return Inability::OtherPlayer;
        }
        let film = lock(&self.shared.film);
        film.as_ref()
            .and_then(|film| film.unable)
            .map_or(Inability::Other, page::Reason::inability)
    }

    fn habits(&self) -> Habits {
        Habits {
            seek_start: SEEK_START,
            ..Habits::default()
        }
    }

    fn footing(&self) -> Footing {
        *lock(&self.shared.footing)
    }

    async fn close(self) {
        let _ = self.stop.send(());
        if tokio::time::timeout(CLOSE_DEADLINE, self.supervisor)
            .await
            .is_err()
        {
            tracing::warn!("chrome took too long to close");
        }
    }
}

fn seconds(position: MediaTime) -> f64 {
    position.get() as f64 / 1e6
}
