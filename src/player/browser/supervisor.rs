//! The one task that listens to Chrome.
//!
//! It owns the process, reads what the agents say, guards the address in the
//! window, and is the only one to say that the player is lost. It ends when it
//! is told to or when Chrome is gone, and leaves neither a process nor a
//! temporary profile behind.

use std::sync::Arc;
use std::time::Duration;

use chromiumoxide::cdp::IntoEventKind;
use chromiumoxide::cdp::browser_protocol::browser::{
    SetDownloadBehaviorBehavior, SetDownloadBehaviorParams,
};
use chromiumoxide::cdp::browser_protocol::fetch::{ContinueRequestParams, EventRequestPaused};
use chromiumoxide::cdp::browser_protocol::inspector::{self, EventTargetCrashed};
use chromiumoxide::cdp::browser_protocol::network;
use chromiumoxide::cdp::browser_protocol::page::{
    AddScriptToEvaluateOnNewDocumentParams, EventFrameNavigated, EventJavascriptDialogOpening,
    EventNavigatedWithinDocument, HandleJavaScriptDialogParams,
};
use chromiumoxide::cdp::browser_protocol::target::{CloseTargetParams, EventTargetCreated};
use chromiumoxide::cdp::js_protocol::runtime::{
    AddBindingParams, EvaluateParams, EventBindingCalled, ExecutionContextId,
};
use chromiumoxide::listeners::EventStream;
use chromiumoxide::{Browser, Page};
use futures_util::StreamExt as _;
use tempfile::TempDir;
use tokio::process::{Child, ChildStdin};
use tokio::sync::{mpsc, oneshot};

use super::film;
use super::launch::Launched;
use super::page::{self, Reason, Told};
use super::sites::{self, Standing};
use super::{CALL_DEADLINE, Fault, Film, Shared, Stage, Task, lock};
use crate::engine::media::Provider;
use crate::os;
use crate::player::Notice;

/// The sentence for a window the user closed, and for a Chrome that died.
pub(super) const CLOSED: &str = "Chrome was closed.";
const CRASHED: &str = "The film's page crashed in Chrome.";
const SILENT: &str = "Chrome stopped answering.";

/// The agent's world and the function it reports by. Only that world has the function.
const WORLD: &str = "seance";
const TELL: &str = "seanceTell";

/// How often Chrome is asked whether it lives, and how often it may not answer
/// in a row: a page may be busy for some seconds, not for twenty.
const PULSE: Duration = Duration::from_secs(5);
const SILENCES_MAX: u32 = 3;

/// How many exchanges fix a fresh page's clock before it is used.
const CLOCK_BURST: usize = 6;

/// How long each step of the end may take: the polite request, then the process.
const END_DEADLINE: Duration = Duration::from_secs(3);

/// What Chrome tells us, each in a stream of its own (few and rare: the library's queues have no bound).
struct Streams {
    told: EventStream<EventBindingCalled>,
    navigated: EventStream<EventFrameNavigated>,
    /// New addresses without a new document: how many sites go from their sign-in to their front page.
    moved: EventStream<EventNavigatedWithinDocument>,
    requests: EventStream<EventRequestPaused>,
    dialogs: EventStream<EventJavascriptDialogOpening>,
    crashed: EventStream<EventTargetCrashed>,
    windows: EventStream<EventTargetCreated>,
}

/// The task's state.
pub(super) struct Supervisor {
    shared: Arc<Shared>,
    /// Dropped as soon as the player is lost, which is how the handle hears of it.
    notices: Option<mpsc::Sender<Notice>>,
    streams: Streams,
    child: Child,
    browser: Browser,
    profile: Option<TempDir>,
    /// The pipe whose end is Chrome's end, however this program ends.
    leash: Option<ChildStdin>,
    silences: u32,
    /// Moves the library's messages; ends with this task.
    _handler: Task,
}

impl Supervisor {
    /// Listens to a started Chrome and plants the agent in it.
    pub async fn attach(
        launched: Launched,
        shared: Arc<Shared>,
        notices: mpsc::Sender<Notice>,
    ) -> Result<Self, Fault> {
        let Launched {
            child,
            browser,
            page,
            handler,
            profile,
            leash,
            ..
        } = launched;
        let streams = Streams {
            told: listen(&page).await?,
            navigated: listen(&page).await?,
            moved: listen(&page).await?,
            requests: listen(&page).await?,
            dialogs: listen(&page).await?,
            crashed: listen(&page).await?,
            windows: browser.event_listener().await.map_err(odd)?,
        };
        let mut binding = AddBindingParams::new(TELL);
        binding.execution_context_name = Some(WORLD.into());
        shared.call(binding).await?;
        // Unguessable, so that a page cannot answer in its player's stead by accident or whim.
        let nonce: String = os::random_bytes::<16>()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let fill = |script: &str| script.replace("@NONCE@", &nonce).replace("@TELL@", TELL);
        shared
            .call(AddScriptToEvaluateOnNewDocumentParams::new(fill(
                &sites::script(),
            )))
            .await?;
        let mut agent = AddScriptToEvaluateOnNewDocumentParams::new(fill(include_str!("agent.js")));
        agent.world_name = Some(WORLD.into());
        shared.call(agent).await?;
        shared.call(inspector::EnableParams::default()).await?;
        // The library listens to every request of the page; a film's are many and no use to us.
        shared.call(network::DisableParams::default()).await?;
        let deny = SetDownloadBehaviorParams::new(SetDownloadBehaviorBehavior::Deny);
        tokio::time::timeout(CALL_DEADLINE, browser.execute(deny))
            .await
            .map_err(|_| Fault::Late)?
            .map_err(odd)?;
        Ok(Self {
            shared,
            notices: Some(notices),
            streams,
            child,
            browser,
            profile,
            leash,
            silences: 0,
            _handler: handler,
        })
    }

    /// Listens until told to stop or until Chrome is gone, then cleans up.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut pulse = tokio::time::interval(PULSE);
        pulse.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let why = loop {
            tokio::select! {
                biased;
                _ = &mut stop => break CLOSED,
                _ = self.child.wait() => break CLOSED,
                crashed = self.streams.crashed.next() => {
                    break if crashed.is_some() { CRASHED } else { CLOSED };
                }
                told = self.streams.told.next() => match told {
                    Some(told) => self.hear(&told).await,
                    // The library drops a closed window's streams.
                    None => break CLOSED,
                },
                Some(navigated) = self.streams.navigated.next() => self.guard(&navigated),
                Some(moved) = self.streams.moved.next() => self.follow(&moved).await,
                Some(request) = self.streams.requests.next() => self.answer(&request).await,
                Some(_) = self.streams.dialogs.next() => self.dismiss().await,
                Some(window) = self.streams.windows.next() => self.close_popup(&window).await,
                _ = pulse.tick() => {
                    if !self.feel_pulse().await {
                        break SILENT;
                    }
                }
            }
        };
        self.shared.lost.send_replace(Some(why.to_owned()));
        self.notices = None;
        self.end().await;
    }

    /// Acts on one report of an agent.
    async fn hear(&mut self, event: &EventBindingCalled) {
        if event.name != TELL {
            return;
        }
        let Some(told) = page::told(&event.payload) else {
            return;
        };
        let notice = match told {
            Told::Hello { href } => return self.greet(event.execution_context_id, &href).await,
            Told::Ready { load } => return self.set_stage(load, Stage::Shown),
            Told::Failed { load, why } => {
                return if self.is_current(load) {
                    self.fail(why)
                };
            }
            Told::Played { load } => (load, Notice::UserPlayed),
            Told::Paused { load, at } => (load, Notice::UserPaused(at.time())),
            Told::Seeked { load, to } => (load, Notice::UserSeeked(to.time())),
            Told::Rated { load, rate } => (load, Notice::UserRated(rate.get())),
            Told::Ended { load } => (load, Notice::Ended),
            Told::NeedsClick { load } => (load, Notice::NeedsClick),
        };
        let current = *self.shared.agent.borrow() == Some(event.execution_context_id);
        if current && self.is_current(notice.0) {
            self.say(notice.1);
        }
    }

    /// A document began: the film's own gets its orders, another is kept silent.
    async fn greet(&mut self, context: ExecutionContextId, href: &str) {
        if href.starts_with("chrome-error:") {
            return; // the navigation itself said what could not be reached
        }
        let opening = self.shared.stage.borrow().1 == Stage::Opening;
        let (standing, back) = {
            let mut film = lock(&self.shared.film);
            let Some(film) = film.as_mut() else { return };
            if opening && film.is_leftover(href) {
                return;
            }
            let standing = film.arrive(href, opening);
            (standing, film.way_back(standing))
        };
        match standing {
            Standing::There => {
                if let Err(fault) = self.instruct(context).await {
                    // The document is gone already, and the next one will say hello.
                    tracing::debug!(?fault, "the film's page did not take its orders");
                }
            }
            Standing::Asking(reason) => self.fail(reason),
            Standing::Elsewhere if back.is_some() => {
                // Signed in, and led to the site's front page: on to the film.
                let go = serde_json::json!({ "to": back }).to_string();
                let gone = self
                    .shared
                    .evaluate(context, format!("seance.order('go',{go})"));
                if let Err(fault) = gone.await {
                    tracing::debug!(?fault, "the way back to the film was not taken");
                }
            }
            Standing::Elsewhere | Standing::Away => {
                self.fail(Reason::Left);
                let halt = self
                    .shared
                    .evaluate(context, "seance.order('halt',{})".into());
                if let Err(fault) = halt.await {
                    tracing::debug!(?fault, "the strange page did not halt");
                }
            }
        }
    }

    /// Learns the fresh document's clock and tells its agent what to show.
    async fn instruct(&mut self, context: ExecutionContextId) -> Result<(), Fault> {
        *lock(&self.shared.clock) = super::PageClock::default();
        for _ in 0..CLOCK_BURST {
            self.shared
                .order(context, "clock", serde_json::json!({}))
                .await?;
        }
        let order = {
            let film = lock(&self.shared.film);
            let Some(film) = film.as_ref().filter(|film| !film.refused) else {
                return Ok(());
            };
            serde_json::json!({
                "load": film.load,
                "kind": film.place.agent_kind(),
                "id": film.place.id,
                "start": super::seconds(film.at),
                "rate": film.rate,
                "url": film.place.url.as_str(),
            })
        };
        self.shared.agent.send_replace(Some(context));
        self.shared.order(context, "load", order).await
    }

    /// Checks the window's address after a navigation, before its document says anything.
    fn guard(&mut self, event: &EventFrameNavigated) {
        if event.frame.parent_id.is_some() {
            return;
        }
        let opening = self.shared.stage.borrow().1 == Stage::Opening;
        let reason = {
            let mut film = lock(&self.shared.film);
            let Some(film) = film.as_mut() else { return };
            if let Some(unreachable) = &event.frame.unreachable_url {
                (!film.is_leftover(unreachable)).then_some(Reason::Unreachable)
            } else if opening && film.is_leftover(&event.frame.url) {
                None
            } else {
                match film.place.standing(&event.frame.url) {
                    Standing::Away => Some(Reason::Left),
                    Standing::Asking(reason) => Some(reason),
                    // Which page of the site it is, its agent says.
                    Standing::There | Standing::Elsewhere => None,
                }
            }
        };
        if let Some(reason) = reason {
            self.shared.agent.send_replace(None);
            self.fail(reason);
        }
    }

    /// The same document shows another address: signed in there, it is sent on to the film.
    async fn follow(&mut self, event: &EventNavigatedWithinDocument) {
        let back = {
            let mut film = lock(&self.shared.film);
            let Some(film) = film.as_mut().filter(|film| film.asked) else {
                return;
            };
            let standing = film.place.standing(&event.url);
            let back = film.place.url.to_string();
            let on = matches!(standing, Standing::There | Standing::Elsewhere);
            film.asked &= !on;
            on.then_some(back)
        };
        let Some(back) = back else { return };
        // The document has no agent of the film's to tell: it was none of the film.
        let go = format!("location.assign({})", serde_json::Value::from(back));
        if let Err(fault) = self.shared.call(EvaluateParams::new(go)).await {
            tracing::debug!(?fault, "the way back to the film was not taken");
        }
    }

    /// Answers the held document of a film file.
    async fn answer(&mut self, event: &EventRequestPaused) {
        let verdict = {
            let mut film = lock(&self.shared.film);
            film.as_mut()
                .filter(|film| {
                    film.place.kind == Provider::File
                        && film.place.standing(&event.request.url) == Standing::There
                })
                .map(|film| {
                    let verdict = film::verdict(event);
                    film.refused = verdict.is_err();
                    verdict.map_err(|reason| (reason, reason.sentence(film.place.name())))
                })
        };
        let done = match verdict {
            None | Some(Err((Reason::Unreachable, _))) => {
                let go_on = ContinueRequestParams::new(event.request_id.clone());
                self.shared.call(go_on).await.map(|_| ())
            }
            Some(Ok(())) => self.shared.call(film::window(event)).await.map(|_| ()),
            Some(Err((_, ref sentence))) => self
                .shared
                .call(film::apology(event, sentence))
                .await
                .map(|_| ()),
        };
        if let Err(fault) = done {
            tracing::debug!(?fault, "the film's document could not be answered");
        }
        if let Some(Err((reason, _))) = verdict {
            self.fail(reason);
        }
    }

    /// The film cannot be shown: an opening load fails, one that was shown says so once.
    fn fail(&mut self, reason: Reason) {
        let Some((load, sentence)) = lock(&self.shared.film).as_mut().map(|film| {
            film.unable = Some(reason);
            (film.load, reason.sentence(film.place.name()))
        }) else {
            return;
        };
        let before = self.shared.stage.borrow().1.clone();
        self.set_stage(load, Stage::Failed(sentence.clone()));
        if before == Stage::Shown {
            self.say(Notice::Failed(sentence));
        }
    }

    fn set_stage(&mut self, load: u32, stage: Stage) {
        if self.is_current(load) {
            self.shared.stage.send_replace((load, stage));
        }
    }

    fn is_current(&self, load: u32) -> bool {
        lock(&self.shared.film)
            .as_ref()
            .is_some_and(|film| film.load == load)
    }

    fn say(&mut self, notice: Notice) {
        let said = self.notices.as_ref().map(|queue| queue.try_send(notice));
        if let Some(Err(unsaid)) = said {
            tracing::warn!(%unsaid, "a notice found no reader");
        }
    }

    /// An alert box would stop the page, and with it the film, until somebody clicks.
    async fn dismiss(&mut self) {
        let answer = HandleJavaScriptDialogParams::new(true);
        if let Err(fault) = self.shared.call(answer).await {
            tracing::debug!(?fault, "a dialog stayed open");
        }
    }

    /// A film page's pop-up is an advertisement or worse.
    async fn close_popup(&mut self, event: &EventTargetCreated) {
        let window = &event.target_info;
        let ours = window.opener_id.as_ref() == Some(self.shared.page.target_id());
        if window.r#type != "page" || !ours {
            return;
        }
        let close = CloseTargetParams::new(window.target_id.clone());
        let closed = tokio::time::timeout(CALL_DEADLINE, self.browser.execute(close)).await;
        if !matches!(closed, Ok(Ok(_))) {
            tracing::debug!("a pop-up stayed open");
        }
    }

    /// Whether the page still answers, or may be forgiven once more.
    async fn feel_pulse(&mut self) -> bool {
        match self.shared.call(EvaluateParams::new("0")).await {
            Err(Fault::Late) => self.silences += 1,
            Err(Fault::Lost(_)) => return false,
            // Any answer is a sign of life.
            Ok(_) | Err(Fault::Elsewhere | Fault::Odd(_)) => self.silences = 0,
        }
        self.silences <= SILENCES_MAX
    }

    /// Asks Chrome to leave, waits, insists; then removes what it left. chromiumoxide's own
    /// drop only warns.
    async fn end(mut self) {
        let exited = matches!(self.child.try_wait(), Ok(Some(_)));
        if !exited {
            let _ = tokio::time::timeout(END_DEADLINE, self.browser.close()).await;
        }
        let polite = tokio::time::timeout(END_DEADLINE, self.child.wait()).await;
        self.leash = None;
        if polite.is_err() {
            // The leash ends it; what even that does not end is killed.
            let ended = tokio::time::timeout(END_DEADLINE, self.child.wait()).await;
            if ended.is_err()
                && let Err(error) = self.child.kill().await
            {
                tracing::warn!(%error, "chrome could not be ended");
            }
        }
        if let Some(profile) = self.profile.take() {
            let removed = tokio::task::spawn_blocking(move || profile.close()).await;
            if let Ok(Err(error)) = removed {
                tracing::warn!(%error, "chrome's temporary profile stayed behind");
            }
        }
    }
}

impl Film {
    /// Whether `href` is of a document that was in the window before this film was asked for.
    fn is_leftover(&self, href: &str) -> bool {
        href.starts_with("data:")
            || href == "about:blank"
            || (self.place.standing(href) != Standing::There
                && self
                    .before
                    .as_ref()
                    .is_some_and(|before| before.standing(href) == Standing::There))
    }

    /// The film's address, when the site's question was answered and something else of it shows.
    /// Asked for once a question, so that a site that keeps leading elsewhere is not fought.
    fn way_back(&mut self, standing: Standing) -> Option<String> {
        match standing {
            Standing::Asking(_) => {
                self.asked = true;
                None
            }
            Standing::There | Standing::Elsewhere => std::mem::take(&mut self.asked)
                .then(|| self.place.url.to_string())
                .filter(|_| standing == Standing::Elsewhere),
            Standing::Away => None,
        }
    }

    /// How a document's address relates to the film; the first one of a page's own origin is where it led.
    fn arrive(&mut self, href: &str, opening: bool) -> Standing {
        let standing = self.place.standing(href);
        if standing != Standing::Elsewhere || self.place.kind != Provider::Page {
            return standing;
        }
        if opening && self.landed.is_none() {
            self.landed = Some(href.to_owned());
        }
        if self.landed.as_deref() == Some(href) {
            Standing::There
        } else {
            Standing::Elsewhere
        }
    }
}

async fn listen<T: IntoEventKind>(page: &Page) -> Result<EventStream<T>, Fault> {
    page.event_listener().await.map_err(odd)
}

fn odd(error: chromiumoxide::error::CdpError) -> Fault {
    Fault::Odd(error.to_string())
}
