//! Holds the room's timeline in front of one player: measure, compare, correct.
//!
//! [`drive`] owns a [`Player`] for the length of its life. The room reaches it
//! as [`Goal`]s, of which only the newest counts; what it has to say goes out
//! as [`DriverNews`]. Corrections stay here (law 5): only what the player's
//! *user* did is asked of the room, and while the room makes up its mind the
//! driver lets the user's hand rest, at most [`YIELD`].
//!
//! Promises: every await on the player has a deadline; a lost connection leaves
//! the film running on the last known clock; when the goals' sender is dropped
//! the player is closed and the task ends; after [`DriverNews::Lost`] it has
//! ended too, and a new player needs a new driver.
//!
//! It reads no clock of its own: local time is an argument, timers are tokio's.

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tracing::{debug, warn};

use crate::engine::clock::offset::Estimate;
use crate::engine::fold::timeline::Anchor;
use crate::engine::id::{Generation, ItemId};
use crate::engine::sync::controller::{Controller, Disturbance, Footing, Order, Sight};
use crate::engine::sync::drift::drift;
use crate::engine::unit::{LocalTime, MediaTime, Micros, Rate};
use crate::player::{Activity, Notice, Player, PlayerError, Sample};

pub use crate::player::goal::{DriverNews, Film, Goal, Wish};

/// How long the room may take to answer its member's wish before the player is
/// put back: the longest lead of a scheduled start.
pub const YIELD: Micros = Micros::from_millis(1_500);
/// A player that takes longer to answer a simple call is stuck.
const CALL_DEADLINE: Micros = Micros::from_secs(2);
/// Opening a film on a slow line; the room itself waits 8 s, then goes ahead.
const LOAD_DEADLINE: Micros = Micros::from_secs(30);
/// Closing a browser politely.
const CLOSE_DEADLINE: Micros = Micros::from_secs(10);
/// So long without an answer, and the player counts as lost.
const SILENCE_MAX: Micros = Micros::from_secs(15);
/// The owner's queue of news stands full for so long: it has stopped listening.
const NEWS_DEADLINE: Duration = Duration::from_secs(5);
/// Between two samples while nothing runs.
const IDLE_EVERY: Micros = Micros::from_millis(500);
/// Between two samples while the room waits to hear that the player is ready.
const READY_EVERY: Micros = Micros::from_millis(100);
/// Between two reports of presence.
const REPORT_EVERY: Micros = Micros::from_secs(1);
/// A start this late is made good by slewing; a later one by seeking first.
const LATE_MAX: Micros = Micros::from_millis(250);
/// After its moment a start may take so long before the player counts as having paused by itself.
const START_GRACE: Micros = Micros::from_millis(1_500);
/// Between two corrections of a player that does what it was not told.
const PUT_BACK_EVERY: Micros = Micros::from_secs(2);
/// Corrections of the same standing frame or rate: coarse players never get closer.
const PUT_BACK_MAX: u8 = 3;
/// A paused film this far from the room's frame is moved once more.
const FRAME_MAX: Micros = Micros::from_millis(150);
/// The same sentence is not said again within this.
const TROUBLE_EVERY: Micros = Micros::from_secs(60);

/// Drives `player` towards the newest of `goals` until their sender is dropped or the player is lost.
///
/// `now` is the clock that [`Sample::at`] and [`Goal::clock`] speak of. News
/// wait for room in `out`, except reports, which are skipped when it is full.
pub async fn drive<P: Player>(
    player: P,
    goals: watch::Receiver<Goal>,
    out: mpsc::Sender<DriverNews>,
    now: impl Fn() -> LocalTime + Send + Sync,
) {
    let mut driver = Driver::new(player, goals, out, now);
    let end = loop {
        if let Err(end) = driver.turn().await {
            break end;
        }
    };
    if let End::Lost(why) = end {
        // Nobody left to hear it is no reason to leave the player open.
        let _ = driver.say(DriverNews::Lost(why)).await;
    }
    let close = driver.player.close();
    if tokio::time::timeout(duration(CLOSE_DEADLINE), close)
        .await
        .is_err()
    {
        warn!("the player did not close in time");
    }
}

/// Why driving ends.
#[derive(Debug)]
enum End {
    /// Nobody drives, or nobody listens, any more.
    Left,
    /// The player is gone, for this reason.
    Lost(String),
}

type Flow<T = ()> = Result<T, End>;

/// What the driver believes the player does, because it told it so or heard it from the user.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stance {
    /// Nothing is loaded.
    Empty,
    /// It could not be shown. Its user may yet find the way, through a login or
    /// a consent; then samples succeed again.
    Failed,
    /// It stands on this frame.
    Standing(MediaTime),
    /// It runs, or will from `due` on.
    Running { due: LocalTime },
    /// It reached its end.
    Ended,
    /// A call failed: whatever the line says must be said again.
    Unknown,
}

struct Driver<P, N> {
    player: P,
    now: N,
    goals: watch::Receiver<Goal>,
    out: mpsc::Sender<DriverNews>,
    /// The goal being followed; `None` before the first.
    goal: Option<Goal>,
    /// The newest clock ever known: losing the connection does not unset it.
    clock: Option<Estimate>,
    stance: Stance,
    controller: Controller,
    /// The generation that `stance` is about.
    generation: Generation,
    /// The rate last ordered, as a factor.
    rate_told: f64,
    /// The player did not answer when it was told a rate: it is told again.
    rate_missed: bool,
    next_sample: LocalTime,
    /// The user's hand rests until then.
    yielding: Option<LocalTime>,
    /// No correction of a deviation before.
    put_back_from: LocalTime,
    frames_put_back: u8,
    rates_put_back: u8,
    last_heard: LocalTime,
    ready_said: Option<(ItemId, Generation)>,
    ended_said: Option<(ItemId, Generation)>,
    duration_said: Option<ItemId>,
    reported: Option<(LocalTime, DriverNews)>,
    trouble_said: Option<(LocalTime, String)>,
    slews: u32,
    steps: u32,
}

/// What woke the driver.
enum Wake {
    Goal,
    Gone,
    Noticed(Notice),
    Timer,
}

impl<P: Player, N: Fn() -> LocalTime + Send + Sync> Driver<P, N> {
    fn new(player: P, goals: watch::Receiver<Goal>, out: mpsc::Sender<DriverNews>, now: N) -> Self {
        let started = now();
        let controller = Controller::new(player.habits());
        Self {
            player,
            now,
            goals,
            out,
            goal: None,
            clock: None,
            stance: Stance::Empty,
            controller,
            generation: Generation::default(),
            rate_told: 1.0,
            rate_missed: false,
            next_sample: started,
            yielding: None,
            put_back_from: started,
            frames_put_back: 0,
            rates_put_back: 0,
            last_heard: started,
            ready_said: None,
            ended_said: None,
            duration_said: None,
            reported: None,
            trouble_said: None,
            slews: 0,
            steps: 0,
        }
    }

    fn now(&self) -> LocalTime {
        (self.now)()
    }

    async fn turn(&mut self) -> Flow {
        if self.goal.is_none() {
            return self.follow().await;
        }
        let wait = duration(self.wake_at() - self.now());
        let wake = tokio::select! {
            biased;
            changed = self.goals.changed() => if changed.is_ok() { Wake::Goal } else { Wake::Gone },
            notice = self.player.notice() => Wake::Noticed(notice),
            () = self.out.closed() => Wake::Gone,
            () = tokio::time::sleep(wait) => Wake::Timer,
        };
        match wake {
            Wake::Goal => self.follow().await,
            Wake::Gone => Err(End::Left),
            Wake::Noticed(notice) => self.noticed(notice).await,
            Wake::Timer => self.timer().await,
        }
    }

    fn wake_at(&self) -> LocalTime {
        let times = [
            Some(self.next_sample),
            self.controller.deadline(),
            self.yielding,
        ];
        times
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.next_sample)
    }

    // -- what the room wants --------------------------------------------------

    /// Takes up the newest goal.
    async fn follow(&mut self) -> Flow {
        let goal = self.goals.borrow_and_update().clone();
        let before = self.goal.replace(goal.clone());
        let clock_came = self.clock.is_none() && goal.clock.is_some();
        self.clock = goal.clock.or(self.clock);
        let film_changed = before.as_ref().map(|before| &before.film) != Some(&goal.film);
        let line_changed = before.as_ref().map(|before| before.anchor) != Some(goal.anchor);
        if film_changed && !self.load(goal.film.as_ref()).await? {
            return Ok(());
        }
        if film_changed || line_changed || clock_came {
            self.yielding = None;
            self.frames_put_back = 0;
            self.rates_put_back = 0;
            self.take_line().await?;
        }
        Ok(())
    }

    /// Opens the film; `false` when there is nothing to go on with.
    async fn load(&mut self, film: Option<&Film>) -> Flow<bool> {
        self.stance = Stance::Empty;
        self.yielding = None;
        let Some(film) = film else {
            let frame = self.anchor().position;
            let paused = within(CALL_DEADLINE, self.player.pause(frame)).await;
            self.done(paused).await?;
            return Ok(false);
        };
        let start = self.position_wanted().unwrap_or(film.start);
        self.controller.new_film(self.now(), Rate::NORMAL);
        let loading = within(LOAD_DEADLINE, self.player.load(&film.media, start));
        // Another film, or the end, is not kept waiting by this one.
        let goals = &mut self.goals;
        let superseded = async {
            loop {
                if goals.changed().await.is_err() {
                    return;
                }
                if goals.borrow().film.as_ref() != Some(film) {
                    goals.mark_changed();
                    return;
                }
            }
        };
        let loaded = tokio::select! {
            loaded = loading => loaded,
            () = superseded => {
                debug!(item = film.item.get(), "loading was overtaken");
                if let Some(goal) = &mut self.goal {
                    goal.film = None; // should it come back, it must be loaded again
                }
                return Ok(false);
            }
        };
        self.last_heard = self.now();
        self.next_sample = self.now();
        match loaded {
            Ok(()) => {
                self.stance = Stance::Standing(start);
                self.rate_told = 1.0;
                // Goals that came meanwhile count: the film stays, the line may have moved.
                self.goals.mark_changed();
                Ok(true)
            }
            Err(PlayerError::Lost(why) | PlayerError::Missing(why)) => Err(End::Lost(why)),
            Err(PlayerError::Media(why)) => self.failed(why).await.map(|()| false),
            Err(late @ PlayerError::Late(_)) => self.failed(late.to_string()).await.map(|()| false),
        }
    }

    async fn failed(&mut self, why: String) -> Flow {
        self.stance = Stance::Failed;
        // Whoever sees it after all says so again.
        self.ready_said = None;
        let reason = self.player.inability();
        match self.item() {
            Some(item) => self.say(DriverNews::Failed { item, reason, why }).await,
            None => Ok(()),
        }
    }

    fn anchor(&self) -> Anchor {
        self.goal
            .as_ref()
            .map(|goal| goal.anchor)
            .unwrap_or_default()
    }

    fn item(&self) -> Option<ItemId> {
        Some(self.goal.as_ref()?.film.as_ref()?.item)
    }

    fn duration(&self) -> Option<Micros> {
        self.goal.as_ref()?.duration
    }

    /// The anchor, if it is about the film shown.
    fn line(&self) -> Option<Anchor> {
        let anchor = self.anchor();
        (self.item() == Some(anchor.item)).then_some(anchor)
    }

    /// Where the line stands now.
    fn position_wanted(&self) -> Option<MediaTime> {
        let line = self.line()?;
        match self.clock {
            Some(clock) => Some(line.position(clock.session(self.now()), self.duration())),
            None => Some(line.position),
        }
    }

    /// Brings the player onto the line, whatever it does now.
    async fn take_line(&mut self) -> Flow {
        if matches!(self.stance, Stance::Empty | Stance::Failed) {
            return Ok(());
        }
        let Some(line) = self.line() else {
            // Loaded ahead of its anchor: it stands where it was opened.
            return Ok(());
        };
        self.next_sample = self.now();
        let room_rate = f64::from(line.rate.get()) / 1_000.0;
        if self.rate_told != room_rate {
            self.tell_rate(room_rate).await?;
        }
        match (line.playing, self.clock) {
            (true, Some(clock)) => self.run(line, clock).await?,
            (true, None) => return Ok(()),
            (false, _) => self.stand(line.position).await?,
        }
        self.generation = line.generation;
        Ok(())
    }

    async fn stand(&mut self, frame: MediaTime) -> Flow {
        self.disturb(Disturbance::Other);
        let paused = within(CALL_DEADLINE, self.player.pause(frame)).await;
        self.stance = if self.done(paused).await? {
            Stance::Standing(frame)
        } else {
            Stance::Unknown
        };
        Ok(())
    }

    async fn run(&mut self, line: Anchor, clock: Estimate) -> Flow {
        let now = self.now();
        let due = clock.local(line.at);
        if let Stance::Running { due: moving } = self.stance
            && moving <= now
            && due <= now
        {
            if self.generation == line.generation {
                self.disturb(Disturbance::Other); // drift shows what is left to do
                return Ok(());
            }
            let lands = now + self.controller.seek_latency();
            let to = line.position(clock.session(lands), self.duration());
            self.disturb(Disturbance::Seek);
            let sought = within(CALL_DEADLINE, self.player.seek(to)).await;
            if !self.done(sought).await? {
                self.stance = Stance::Unknown;
            }
            return Ok(());
        }
        let start = due - self.controller.start_latency(self.player.footing());
        if now - start <= LATE_MAX {
            self.start_on_time(line, due).await
        } else {
            self.start_late(line, clock).await
        }
    }

    /// From the line's own frame, at the line's own moment.
    async fn start_on_time(&mut self, line: Anchor, due: LocalTime) -> Flow {
        if self.stance != Stance::Standing(line.position) {
            self.stand(line.position).await?;
            if self.stance == Stance::Unknown {
                return Ok(());
            }
        }
        let footing = self.player.footing();
        let start = due - self.controller.start_latency(footing);
        let late = self.now() > start;
        self.start(start, due).await?;
        // From the moment it should run: what a sample shows before that teaches nothing.
        self.disturb_at(
            due,
            if late {
                Disturbance::Other
            } else {
                Disturbance::Start(footing)
            },
        );
        Ok(())
    }

    /// From a frame a little ahead of the line, when the line gets there.
    async fn start_late(&mut self, line: Anchor, clock: Estimate) -> Flow {
        let due = self.now() + self.controller.prime_latency();
        let frame = line.position(clock.session(due), self.duration());
        self.stand(frame).await?;
        if self.stance == Stance::Unknown || self.is_end(frame) {
            return Ok(());
        }
        let start = due - self.controller.start_latency(Footing::Sought);
        self.start(start, due).await?;
        self.disturb_at(due, Disturbance::LateStart);
        Ok(())
    }

    fn is_end(&self, frame: MediaTime) -> bool {
        self.duration()
            .is_some_and(|length| frame >= MediaTime::ZERO + length)
    }

    async fn start(&mut self, at: LocalTime, due: LocalTime) -> Flow {
        // A player may answer only once it has started.
        let patience = CALL_DEADLINE + (at - self.now()).max(Micros::ZERO);
        let played = within(patience, self.player.play(at)).await;
        self.stance = if self.done(played).await? {
            Stance::Running { due }
        } else {
            Stance::Unknown
        };
        Ok(())
    }

    fn disturb(&mut self, by: Disturbance) {
        self.disturb_at(self.now(), by);
    }

    /// The same, of something that takes effect at a moment to come.
    fn disturb_at(&mut self, at: LocalTime, by: Disturbance) {
        let rate = self.anchor().rate;
        self.controller.disturbed(at.max(self.now()), by, rate);
    }

    /// Calls a pulse off: the user, or the film's end, comes first.
    async fn rest(&mut self) -> Flow {
        let pulse = self.controller.deadline().map(|_| self.controller.rate());
        self.disturb(Disturbance::Other);
        // Unless the user just chose another.
        if pulse == Some(self.rate_told) {
            let room = self.controller.rate();
            self.tell_rate(room).await?;
        }
        Ok(())
    }

    async fn tell_rate(&mut self, rate: f64) -> Flow {
        let set = within(CALL_DEADLINE, self.player.set_rate(rate)).await;
        self.rate_missed = matches!(set, Err(PlayerError::Late(_)));
        if self.done(set).await? {
            self.rate_told = rate;
        }
        Ok(())
    }

    // -- what the player's user does ------------------------------------------

    async fn noticed(&mut self, notice: Notice) -> Flow {
        self.last_heard = self.now();
        match notice {
            Notice::UserPlayed => self.user_played().await,
            Notice::UserPaused(at) => self.user_paused(at).await,
            Notice::UserSeeked(to) => {
                if let Stance::Standing(_) | Stance::Ended = self.stance {
                    self.stance = Stance::Standing(to);
                }
                self.ask(Wish::Seek { to }).await
            }
            Notice::UserRated(factor) => self.user_rated(factor).await,
            Notice::Ended => self.ended().await,
            Notice::NeedsClick => {
                self.rest().await?;
                self.trouble(
                    "Click the film once: the browser wants that before it plays with sound.",
                )
                .await
            }
            Notice::Failed(why) => self.failed(why).await,
            Notice::Trouble(why) => self.trouble(&why).await,
            Notice::Lost(why) => Err(End::Lost(why)),
        }
    }

    async fn user_played(&mut self) -> Flow {
        let playing = self.line().is_some_and(|line| line.playing);
        self.stance = Stance::Running { due: self.now() };
        if playing && self.yielding.is_none() {
            // Not a wish: the room plays already, and its member is back.
            self.stance = Stance::Unknown;
            return self.put_back().await;
        }
        self.ask(Wish::Play).await
    }

    async fn user_paused(&mut self, at: MediaTime) -> Flow {
        let playing = self.line().is_some_and(|line| line.playing);
        self.stance = Stance::Standing(at);
        if !playing && self.yielding.is_none() {
            return Ok(()); // the room is paused already
        }
        self.ask(Wish::Pause { at }).await
    }

    async fn user_rated(&mut self, factor: f64) -> Flow {
        let thousandths = (factor * 1_000.0).round();
        let rate = if (0.0..=f64::from(u16::MAX)).contains(&thousandths) {
            Rate::from_millis(thousandths as u16)
        } else {
            None
        };
        self.rate_told = factor;
        match rate {
            Some(rate) if rate == self.anchor().rate && self.yielding.is_none() => Ok(()),
            Some(rate) => self.ask(Wish::Rate { rate }).await,
            None => {
                self.trouble("A room plays between 0.25× and 4×; the rate was put back.")
                    .await?;
                self.put_back().await
            }
        }
    }

    /// Tells the room, and lets the user's hand rest until it answers.
    async fn ask(&mut self, wish: Wish) -> Flow {
        let Some(line) = self.line() else {
            return Ok(());
        };
        self.rest().await?;
        self.yielding = Some(self.now() + YIELD);
        let (item, generation) = (line.item, line.generation);
        self.say(DriverNews::Asked {
            wish,
            item,
            generation,
        })
        .await
    }

    async fn ended(&mut self) -> Flow {
        let Some(line) = self.line() else {
            return Ok(());
        };
        self.stance = Stance::Ended;
        self.rest().await?;
        let said = Some((line.item, line.generation));
        if self.ended_said == said {
            return Ok(());
        }
        self.ended_said = said;
        self.say(DriverNews::Ended { item: line.item }).await
    }

    // -- what time brings -----------------------------------------------------

    async fn timer(&mut self) -> Flow {
        let now = self.now();
        if self.controller.deadline().is_some_and(|until| now >= until) {
            let order = self.controller.tick(now);
            self.obey(order).await?;
        }
        if self.yielding.is_some_and(|until| now >= until) {
            debug!("the room did not answer its member; the player is put back");
            self.put_back().await?;
        }
        if now >= self.next_sample {
            self.measure().await?;
        }
        Ok(())
    }

    async fn put_back(&mut self) -> Flow {
        self.yielding = None;
        self.put_back_from = self.now() + PUT_BACK_EVERY;
        self.take_line().await
    }

    async fn measure(&mut self) -> Flow {
        self.next_sample = self.now() + IDLE_EVERY;
        if self.stance == Stance::Empty {
            return Ok(());
        }
        let sampled = within(CALL_DEADLINE, self.player.sample()).await;
        let sample = match sampled {
            Ok(sample) if self.stance == Stance::Failed => {
                return self.recover(&sample).await;
            }
            Ok(sample) => sample,
            // Said when it failed.
            Err(PlayerError::Media(_)) if self.stance == Stance::Failed => {
                self.last_heard = self.now();
                return Ok(());
            }
            Err(error) => {
                self.done(Err(error)).await?;
                return Ok(());
            }
        };
        self.last_heard = self.now();
        self.tell_duration(&sample).await?;
        self.tell_ready(&sample).await?;
        if sample.activity == Activity::Ended && self.stance != Stance::Ended {
            self.ended().await?;
        }
        let measured = self.drift(&sample);
        if self.yielding.is_none() {
            self.compare(&sample, measured).await?;
        }
        let every = match self.stance {
            _ if self.ready_said != self.line().map(|line| (line.item, line.generation)) => {
                READY_EVERY
            }
            Stance::Running { due } => {
                // The first look at a film that just started must not wait.
                let ahead = (due - self.now()).max(Micros::ZERO);
                self.controller.cadence() + ahead.min(IDLE_EVERY)
            }
            _ => IDLE_EVERY,
        };
        self.next_sample = self.now() + every;
        self.report(&sample, measured);
        Ok(())
    }

    /// A film that could not be shown is there after all: onto the line with it.
    async fn recover(&mut self, sample: &Sample) -> Flow {
        self.last_heard = self.now();
        if sample.activity == Activity::Loading {
            return Ok(());
        }
        debug!("the film can be shown after all");
        self.stance = Stance::Unknown;
        self.put_back().await
    }

    fn drift(&self, sample: &Sample) -> Option<Micros> {
        let (line, clock) = (self.line()?, self.clock?);
        let tells = matches!(
            sample.activity,
            Activity::Playing | Activity::Paused | Activity::Stalled | Activity::Advert
        );
        if !tells {
            return None;
        }
        drift(&line, self.duration(), &clock, sample.at, sample.position)
    }

    /// Holds a sample against what the player was told.
    async fn compare(&mut self, sample: &Sample, measured: Option<Micros>) -> Flow {
        let now = self.now();
        let may_put_back = now >= self.put_back_from;
        match (self.stance, sample.activity) {
            (Stance::Unknown, _) if may_put_back => self.put_back().await,
            (Stance::Standing(frame), Activity::Playing) if may_put_back => {
                debug!(?frame, "the player started by itself");
                self.put_back().await
            }
            (Stance::Standing(frame), Activity::Paused) => {
                self.settle(frame, sample.position).await
            }
            (Stance::Running { due }, Activity::Paused) if now > due + START_GRACE => {
                self.stance = Stance::Standing(sample.position);
                if may_put_back {
                    debug!("the player paused by itself");
                    return self.put_back().await;
                }
                Ok(())
            }
            (Stance::Running { due }, activity) if now >= due => {
                self.correct(activity, sample, measured).await
            }
            _ => Ok(()),
        }
    }

    /// A paused film that stands on another frame than the room's is moved there.
    async fn settle(&mut self, frame: MediaTime, at: MediaTime) -> Flow {
        let line_runs = self.line().is_some_and(|line| line.playing) && self.clock.is_some();
        if line_runs && !self.is_end(frame) {
            // The room plays and this player stands: paused by itself, not put back yet.
            if self.now() >= self.put_back_from {
                return self.put_back().await;
            }
            return Ok(());
        }
        let wanted = self
            .line()
            .filter(|line| !line.playing)
            .map_or(frame, |line| line.position);
        let off = (at - wanted).abs() > FRAME_MAX;
        if off && self.now() >= self.put_back_from && self.frames_put_back < PUT_BACK_MAX {
            self.frames_put_back += 1;
            self.put_back_from = self.now() + PUT_BACK_EVERY;
            self.stand(wanted).await?;
        }
        Ok(())
    }

    async fn correct(
        &mut self,
        activity: Activity,
        sample: &Sample,
        measured: Option<Micros>,
    ) -> Flow {
        let sight = match (activity, measured) {
            (Activity::Playing, Some(drift)) => Sight::Running {
                drift,
                rate: sample.rate,
            },
            (Activity::Playing | Activity::Paused | Activity::Seeking | Activity::Loading, _) => {
                Sight::Busy
            }
            (Activity::Stalled, _) => Sight::Stalled,
            (Activity::Advert | Activity::NeedsClick | Activity::Ended, _) => Sight::Away,
        };
        if self.rate_missed {
            // It answers again. A pulse it never heard of is over, and says nothing about the player.
            self.disturb(Disturbance::Other);
            let room = self.controller.rate();
            self.tell_rate(room).await?;
        } else if activity == Activity::Playing {
            self.watch_rate(sample.rate).await?;
        }
        if let Some(clock) = self.clock {
            self.controller.doubts(clock.bound(sample.at));
        }
        let order = self.controller.observe(self.now(), sight);
        self.obey(order).await
    }

    /// A player that left the room's rate by itself is told again.
    async fn watch_rate(&mut self, reported: f64) -> Flow {
        let resting = self.controller.deadline().is_none();
        let off = (reported - self.rate_told).abs() > 0.02;
        if resting && off && self.now() >= self.put_back_from && self.rates_put_back < PUT_BACK_MAX
        {
            self.rates_put_back += 1;
            self.put_back_from = self.now() + PUT_BACK_EVERY;
            if self.rates_put_back == PUT_BACK_MAX {
                let rate = self.anchor().rate;
                self.trouble(&format!(
                    "This player does not play at {rate}; it will fall out of step."
                ))
                .await?;
            }
            self.tell_rate(self.rate_told).await?;
        }
        Ok(())
    }

    async fn obey(&mut self, order: Order) -> Flow {
        match order {
            Order::Hold => Ok(()),
            Order::Rest | Order::Slew { .. } => {
                debug!(?order, "correcting");
                if let Order::Slew { .. } = order {
                    self.slews += 1;
                }
                let rate = self.controller.rate();
                self.tell_rate(rate).await
            }
            Order::Step { lead } => {
                let (Some(line), Some(clock)) = (self.line(), self.clock) else { return Ok(()) };
                let to = line.position(clock.session(self.now() + lead), self.duration());
                debug!(?to, ?lead, "stepping");
                self.steps += 1;
                let sought = within(CALL_DEADLINE, self.player.seek(to)).await;
                if !self.done(sought).await? {
                    self.stance = Stance::Unknown;
                }
                Ok(())
            }
            Order::GiveUp => {
                self.trouble("This player cannot stay in step: three jumps did not help. A lower quality may, or pausing for everybody.").await
            }
        }
    }

    // -- what it says ---------------------------------------------------------

    async fn tell_duration(&mut self, sample: &Sample) -> Flow {
        let (Some(item), Some(length)) = (self.item(), sample.duration) else {
            return Ok(());
        };
        if self.duration_said == Some(item) {
            return Ok(());
        }
        self.duration_said = Some(item);
        self.say(DriverNews::Duration { item, length }).await
    }

    async fn tell_ready(&mut self, sample: &Sample) -> Flow {
        let Some(line) = self.line() else {
            return Ok(());
        };
        let told = matches!(
            self.stance,
            Stance::Standing(_) | Stance::Running { .. } | Stance::Ended
        );
        let landed = matches!(
            sample.activity,
            Activity::Paused | Activity::Playing | Activity::Ended | Activity::NeedsClick
        );
        let ready = Some((line.item, line.generation));
        if !told || !landed || self.ready_said == ready || self.generation != line.generation {
            return Ok(());
        }
        self.ready_said = ready;
        let (item, generation) = (line.item, line.generation);
        self.say(DriverNews::Ready { item, generation }).await
    }

    fn report(&mut self, sample: &Sample, drift: Option<Micros>) {
        let now = self.now();
        let news = DriverNews::Report {
            drift,
            activity: sample.activity,
            rate: sample.rate,
            position: sample.position,
            slews: self.slews,
            steps: self.steps,
        };
        let due = match &self.reported {
            None => true,
            Some((_, DriverNews::Report { activity, .. })) if *activity != sample.activity => true,
            Some((at, last)) => now - *at >= REPORT_EVERY && *last != news,
        };
        if !due {
            return;
        }
        match self.out.try_send(news.clone()) {
            Ok(()) => self.reported = Some((now, news)),
            // The next sample is a fresher report; the next turn sees the closed queue.
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {}
        }
    }

    async fn trouble(&mut self, sentence: &str) -> Flow {
        let now = self.now();
        if let Some((at, said)) = &self.trouble_said
            && said == sentence
            && now - *at < TROUBLE_EVERY
        {
            return Ok(());
        }
        self.trouble_said = Some((now, sentence.to_owned()));
        self.say(DriverNews::Trouble(sentence.to_owned())).await
    }

    async fn say(&mut self, news: DriverNews) -> Flow {
        match tokio::time::timeout(NEWS_DEADLINE, self.out.send(news)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Left),
            Err(_) => {
                warn!("news of the player were not taken in time");
                Ok(())
            }
        }
    }

    /// Whether a call was done; a lost player ends everything, a late one is tried again.
    async fn done(&mut self, result: Result<(), PlayerError>) -> Flow<bool> {
        match result {
            Ok(()) => {
                self.last_heard = self.now();
                Ok(true)
            }
            Err(PlayerError::Lost(why) | PlayerError::Missing(why)) => Err(End::Lost(why)),
            Err(late @ PlayerError::Late(_)) => {
                if self.now() - self.last_heard >= SILENCE_MAX {
                    return Err(End::Lost("it stopped answering".to_owned()));
                }
                debug!(%late, "the player is late");
                Ok(false)
            }
            Err(PlayerError::Media(why)) => {
                self.trouble(&why).await?;
                Ok(false)
            }
        }
    }
}

fn duration(length: Micros) -> Duration {
    Duration::from_micros(length.get().max(0) as u64)
}

/// A call to the player, with its deadline.
async fn within<T>(
    deadline: Micros,
    call: impl Future<Output = Result<T, PlayerError>>,
) -> Result<T, PlayerError> {
    match tokio::time::timeout(duration(deadline), call).await {
        Ok(result) => result,
        Err(_) => Err(PlayerError::Late(deadline)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::Inability;
    use crate::engine::media::{Media, Provider};
    use crate::engine::unit::SessionTime;
    use crate::player::mock::{FineRates, Manner, MockHandle, MockPlayer, Now, Told, tokio_clock};
    use proptest::prelude::*;
    use std::sync::Arc;
    use tokio::task::JoinHandle;

    /// A room of one player, whose sequencer is the test.
    struct House {
        goals: watch::Sender<Goal>,
        news: mpsc::Receiver<DriverNews>,
        hand: MockHandle,
        now: Now,
        clock: Estimate,
        task: JoinHandle<()>,
    }

    fn film(number: u32) -> Film {
        Film {
            item: ItemId::new(number),
            media: Media {
                provider: Provider::File,
                id: format!("https://films.example/{number}.mp4"),
            },
            start: MediaTime::ZERO,
        }
    }

    impl House {
        /// A player of this manner, driven from a room that has set nothing yet.
        fn empty(manner: Manner) -> Self {
            let now = tokio_clock();
            let (player, hand) = MockPlayer::new(manner, Arc::clone(&now));
            let (goals, followed) = watch::channel(Goal::default());
            let (out, news) = mpsc::channel(1_000);
            let clock = Estimate::exact(now(), SessionTime::from_secs(500));
            let task = tokio::spawn(drive(player, followed, out, reading(&now)));
            Self {
                goals,
                news,
                hand,
                now,
                clock,
                task,
            }
        }

        /// With film 1 loaded, paused at its start.
        async fn with_film(manner: Manner) -> Self {
            let house = Self::empty(manner);
            house.set(|goal, clock, _| {
                goal.film = Some(film(1));
                goal.clock = Some(clock);
                goal.anchor.item = ItemId::new(1);
                goal.anchor.generation = Generation::new(1);
            });
            pass(2_000).await;
            house
        }

        /// With film 1 running in step since a while.
        async fn running(manner: Manner) -> Self {
            let mut house = Self::with_film(manner).await;
            house.play();
            pass(15_000).await;
            house.drain();
            house
        }

        fn set(&self, change: impl FnOnce(&mut Goal, Estimate, SessionTime)) {
            let session = self.session();
            self.goals
                .send_modify(|goal| change(goal, self.clock, session));
        }

        fn session(&self) -> SessionTime {
            self.clock.session((self.now)())
        }

        /// The room plays from where it stands, 300 ms from now.
        fn play(&self) {
            self.set(|goal, _, now| {
                goal.anchor.position = goal.anchor.position(now, goal.duration);
                goal.anchor.at = now + Micros::from_millis(300);
                goal.anchor.playing = true;
            });
        }

        fn pause(&self, at: MediaTime) {
            self.set(|goal, _, now| {
                goal.anchor = Anchor {
                    at: now,
                    position: at,
                    playing: false,
                    ..goal.anchor
                };
            });
        }

        /// How far the film truly is from the room's line, in milliseconds.
        fn drift(&self) -> f64 {
            let goal = self.goals.borrow();
            let target = goal.anchor.position(self.session(), goal.duration);
            (self.hand.position() - target).get() as f64 / 1e3
        }

        fn drain(&mut self) -> Vec<DriverNews> {
            std::iter::from_fn(|| self.news.try_recv().ok()).collect()
        }

        fn asked(&mut self) -> Vec<Wish> {
            let asked = |news| match news {
                DriverNews::Asked { wish, .. } => Some(wish),
                _ => None,
            };
            self.drain().into_iter().filter_map(asked).collect()
        }

        fn seeks(&self) -> usize {
            self.hand
                .told()
                .iter()
                .filter(|(_, told)| matches!(told, Told::Seek(_)))
                .count()
        }

        fn assert_in_step(&self) {
            assert_eq!(self.hand.activity(), Activity::Playing);
            assert!(self.drift().abs() <= 3.0, "{} ms off", self.drift());
        }
    }

    /// The clock as a function of the driver's own.
    fn reading(now: &Now) -> impl Fn() -> LocalTime + Send + Sync + 'static {
        let now = Arc::clone(now);
        move || now()
    }

    /// Lets time pass; the clock is paused, so it takes none.
    async fn pass(millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    fn slow_to_start() -> Manner {
        Manner {
            start: Micros::from_millis(120),
            seek: Micros::from_millis(700),
            ..Manner::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_scheduled_start_happens_at_its_moment() {
        let house = House::with_film(Manner::default()).await;
        house.play();
        pass(250).await;
        assert_eq!(
            house.hand.position(),
            MediaTime::ZERO,
            "it waits for its moment"
        );
        pass(100).await;
        house.assert_in_step();
        assert_eq!(
            house
                .hand
                .told()
                .iter()
                .filter(|(_, told)| matches!(told, Told::Play(_)))
                .count(),
            1
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_start_allows_for_what_the_first_one_taught() {
        let house = House::with_film(slow_to_start()).await;
        house.play();
        pass(500).await;
        assert!((house.drift() + 120.0).abs() < 3.0, "{} ms", house.drift());
        pass(6_000).await;
        house.assert_in_step();
        house.pause(house.hand.position());
        pass(3_000).await;
        house.play();
        pass(500).await;
        house.assert_in_step();
        assert_eq!(house.seeks(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_settles_on_the_rooms_frame() {
        let house = House::running(Manner::default()).await;
        let frame = house.hand.position() - Micros::from_millis(400);
        house.pause(frame);
        pass(1_000).await;
        assert_eq!(
            (house.hand.activity(), house.hand.position()),
            (Activity::Paused, frame)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_joiner_falls_into_step_without_asking_anything() {
        let mut house = House::empty(slow_to_start());
        house.set(|goal, clock, now| {
            goal.film = Some(film(1));
            goal.clock = Some(clock);
            goal.anchor = Anchor {
                item: ItemId::new(1),
                generation: Generation::new(4),
                at: now - Micros::from_secs(300),
                position: MediaTime::from_secs(60),
                playing: true,
                ..Anchor::default()
            };
        });
        pass(12_000).await;
        house.assert_in_step();
        assert_eq!(house.asked(), []);
        // The next late start has learned how long this player needs.
        house.hand.pause_spuriously();
        pass(6_000).await;
        house.assert_in_step();
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_who_pauses_asks_once_and_is_not_fought_while_the_room_decides() {
        let mut house = House::running(Manner::default()).await;
        house.hand.press_pause();
        let frame = house.hand.position();
        pass(1_400).await;
        assert_eq!(
            house.hand.activity(),
            Activity::Paused,
            "the room may still agree"
        );
        assert_eq!(house.asked(), [Wish::Pause { at: frame }]);
        house.pause(frame);
        pass(10_000).await;
        assert_eq!(
            (house.hand.activity(), house.hand.position()),
            (Activity::Paused, frame)
        );
        assert_eq!(house.asked(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_whose_pause_is_refused_is_put_back_into_step() {
        let mut house = House::running(Manner::default()).await;
        house.hand.press_pause();
        pass(10_000).await;
        house.assert_in_step();
        assert_eq!(house.asked().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wish_names_the_item_and_generation_it_was_aimed_at() {
        let mut house = House::running(Manner::default()).await;
        let to = MediaTime::from_secs(900);
        house.hand.drag_to(to);
        pass(100).await;
        let asked = DriverNews::Asked {
            wish: Wish::Seek { to },
            item: ItemId::new(1),
            generation: Generation::new(1),
        };
        assert!(house.drain().contains(&asked));
        pass(10_000).await;
        house.assert_in_step();
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_may_play_and_choose_a_rate() {
        let mut house = House::with_film(Manner::default()).await;
        house.hand.press_play();
        pass(100).await;
        assert_eq!(house.asked(), [Wish::Play]);
        house.play();
        pass(5_000).await;
        house.assert_in_step();
        house.hand.choose_rate(1.25);
        pass(100).await;
        let rate = Rate::from_millis(1_250).unwrap();
        assert_eq!(house.asked(), [Wish::Rate { rate }]);
        house.set(|goal, _, now| {
            goal.anchor = Anchor {
                rate,
                ..goal.anchor.rebased(now, None)
            }
        });
        pass(10_000).await;
        assert_eq!(house.hand.rate(), 1.25);
        house.assert_in_step();
        house.hand.choose_rate(16.0);
        pass(10_000).await;
        assert_eq!(house.asked(), [], "no room plays that fast");
        house.assert_in_step();
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_player_does_by_itself_is_corrected_and_never_asked() {
        let mut house = House::running(Manner::default()).await;
        house.hand.pause_spuriously();
        pass(8_000).await;
        house.assert_in_step();
        house.hand.jolt(Micros::from_secs(30));
        pass(8_000).await;
        house.assert_in_step();
        house.hand.jolt(Micros::from_millis(-300));
        pass(12_000).await;
        house.assert_in_step();
        house.hand.stall(Micros::from_secs(5));
        pass(15_000).await;
        house.assert_in_step();
        house.hand.advert(Micros::from_secs(20));
        pass(35_000).await;
        house.assert_in_step();
        assert_eq!(house.seeks(), 3, "one step each for jolt, stall and advert");
        assert_eq!(house.asked(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_player_that_starts_while_the_room_is_paused_is_paused_again() {
        let mut house = House::with_film(Manner::default()).await;
        house.hand.press_play();
        pass(10_000).await;
        assert_eq!(house.asked(), [Wish::Play]);
        assert_eq!(
            (house.hand.activity(), house.hand.position()),
            (Activity::Paused, MediaTime::ZERO)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn losing_the_connection_leaves_the_film_running() {
        let house = House::running(Manner {
            skew_ppm: 200,
            ..Manner::default()
        })
        .await;
        house.set(|goal, _, _| goal.clock = None);
        pass(60_000).await;
        house.assert_in_step();
    }

    #[tokio::test(start_paused = true)]
    async fn dropping_the_goals_closes_the_player() {
        let house = House::running(Manner::default()).await;
        drop(house.goals);
        tokio::time::timeout(Duration::from_secs(1), house.task)
            .await
            .unwrap()
            .unwrap();
        assert!(house.hand.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn dropping_the_goals_while_a_film_loads_closes_the_player() {
        let house = House::empty(Manner {
            load: Micros::from_secs(20),
            ..Manner::default()
        });
        house.set(|goal, _, _| goal.film = Some(film(1)));
        pass(100).await;
        drop(house.goals);
        tokio::time::timeout(Duration::from_secs(1), house.task)
            .await
            .unwrap()
            .unwrap();
        assert!(house.hand.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_player_is_told_once_and_ends_the_driver() {
        let mut house = House::running(Manner::default()).await;
        house.hand.close_window();
        pass(1_000).await;
        let lost = DriverNews::Lost("its window was closed".to_owned());
        assert_eq!(house.drain(), [lost]);
        assert!(house.task.is_finished() && house.hand.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_player_that_stops_answering_counts_as_lost() {
        let mut house = House::running(Manner::default()).await;
        house.hand.fall_silent(true);
        pass(10_000).await;
        assert!(!house.task.is_finished(), "it gets a chance");
        pass(15_000).await;
        assert!(matches!(house.drain().last(), Some(DriverNews::Lost(_))));
        assert!(house.task.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn a_player_that_was_silent_for_a_moment_catches_up() {
        let house = House::running(Manner::default()).await;
        house.hand.fall_silent(true);
        pass(1_000).await;
        house.pause(MediaTime::from_secs(70));
        pass(5_000).await;
        house.hand.fall_silent(false);
        pass(5_000).await;
        assert_eq!(
            (house.hand.activity(), house.hand.position()),
            (Activity::Paused, MediaTime::from_secs(70))
        );
    }

    /// A stopped or swapping machine, in the middle of a correction.
    #[tokio::test(start_paused = true)]
    async fn a_player_that_is_silent_during_its_pulses_is_in_step_soon_after() {
        let house = House::running(Manner::default()).await;
        for _ in 0..3 {
            house.hand.jolt(Micros::from_millis(-200));
            pass(1_200).await;
            house.hand.fall_silent(true);
            pass(6_000).await;
            house.hand.fall_silent(false);
            pass(4_000).await;
        }
        pass(10_000).await;
        house.assert_in_step();
    }

    #[tokio::test(start_paused = true)]
    async fn a_film_that_cannot_be_shown_is_said_and_the_next_one_plays() {
        let mut house = House::empty(Manner {
            refuses: Some("This video is private.".to_owned()),
            ..Manner::default()
        });
        house.set(|goal, _, _| goal.film = Some(film(1)));
        pass(1_000).await;
        let why = "This video is private.".to_owned();
        assert_eq!(
            house.drain(),
            [DriverNews::Failed {
                item: ItemId::new(1),
                reason: Inability::Other,
                why
            }]
        );
        house.hand.behave(|manner| manner.refuses = None);
        house.set(|goal, clock, _| {
            goal.film = Some(film(2));
            goal.clock = Some(clock);
            goal.anchor.item = ItemId::new(2);
        });
        house.play();
        pass(3_000).await;
        house.assert_in_step();
    }

    #[tokio::test(start_paused = true)]
    async fn a_film_that_its_user_makes_playable_after_all_joins_the_room() {
        let mut house = House::running(Manner::default()).await;
        house.hand.fail("Log in to see this film.");
        pass(5_000).await;
        let failed = |news: &DriverNews| matches!(news, DriverNews::Failed { .. });
        assert_eq!(house.drain().iter().filter(|news| failed(news)).count(), 1);
        house.hand.recover();
        pass(5_000).await;
        house.assert_in_step();
    }

    #[tokio::test(start_paused = true)]
    async fn a_film_that_loads_for_ever_does_not_hold_up_the_next() {
        let house = House::empty(Manner {
            load: Micros::from_secs(25),
            ..Manner::default()
        });
        house.set(|goal, _, _| goal.film = Some(film(1)));
        pass(1_000).await;
        house
            .hand
            .behave(|manner| manner.load = Micros::from_millis(50));
        house.set(|goal, _, _| goal.film = Some(film(2)));
        pass(100).await;
        house.set(|goal, _, _| goal.film = Some(film(1)));
        pass(1_000).await;
        assert_eq!(house.hand.activity(), Activity::Paused);
        let told = house.hand.told();
        let last = told.iter().rev().find_map(|(_, told)| match told {
            Told::Load(media, _) => Some(media.clone()),
            _ => None,
        });
        assert_eq!(last, Some(film(1).media));
    }

    #[tokio::test(start_paused = true)]
    async fn length_readiness_and_end_are_told_once_each() {
        let length = Micros::from_secs(20);
        let mut house = House::with_film(Manner {
            duration: Some(length),
            ..Manner::default()
        })
        .await;
        house.set(|goal, _, _| goal.duration = Some(length));
        house.play();
        pass(60_000).await;
        let item = ItemId::new(1);
        let told: Vec<DriverNews> = house
            .drain()
            .into_iter()
            .filter(|news| !matches!(news, DriverNews::Report { .. }))
            .collect();
        let generation = Generation::new(1);
        assert_eq!(
            told,
            [
                DriverNews::Duration { item, length },
                DriverNews::Ready { item, generation },
                DriverNews::Ended { item },
            ]
        );
        // Somebody goes back: the film runs again, and may end again.
        house.set(|goal, _, now| {
            goal.anchor.generation = Generation::new(2);
            goal.anchor.position = MediaTime::from_secs(5);
            goal.anchor.at = now;
        });
        pass(5_000).await;
        house.assert_in_step();
        pass(20_000).await;
        assert!(house.drain().contains(&DriverNews::Ended { item }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_seek_of_the_room_is_followed_and_readiness_told() {
        let mut house = House::running(slow_to_start()).await;
        house.set(|goal, _, now| {
            goal.anchor = Anchor {
                generation: Generation::new(2),
                at: now,
                position: MediaTime::from_secs(1_800),
                playing: false,
                ..goal.anchor
            };
        });
        pass(500).await;
        let ready = DriverNews::Ready {
            item: ItemId::new(1),
            generation: Generation::new(2),
        };
        assert!(!house.drain().contains(&ready), "the seek has not landed");
        pass(500).await;
        assert!(house.drain().contains(&ready));
        house.play();
        pass(1_000).await;
        house.assert_in_step();
    }

    #[tokio::test(start_paused = true)]
    async fn reports_come_once_a_second_and_at_once_when_something_changes() {
        let mut house = House::running(Manner::default()).await;
        pass(10_000).await;
        let reports = house.drain();
        assert!(
            (9..=11).contains(&reports.len()),
            "{} reports",
            reports.len()
        );
        let Some(DriverNews::Report {
            drift: Some(drift),
            activity: Activity::Playing,
            rate,
            position,
            ..
        }) = reports.last()
        else {
            panic!("{reports:?}");
        };
        assert!(
            drift.abs() < Micros::from_millis(3)
                && *rate == 1.0
                && *position > MediaTime::from_secs(20)
        );
        house.pause(house.hand.position());
        pass(10_000).await;
        assert!(house.drain().len() <= 3, "a paused film is no news");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wish_during_a_pulse_leaves_the_rooms_rate_behind() {
        let mut house = House::running(Manner::default()).await;
        house.hand.jolt(Micros::from_millis(900));
        pass(3_000).await;
        assert!(house.hand.rate() < 1.0, "a pulse is under way");
        house.hand.drag_to(MediaTime::from_secs(700));
        pass(100).await;
        assert_eq!(house.asked().len(), 1);
        assert_eq!(house.hand.rate(), 1.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_player_that_cannot_keep_up_is_given_up_with_a_sentence() {
        let manner = Manner {
            fine_rates: FineRates::Rounded,
            seek_grid: Some(Micros::from_secs(60)),
            ..Manner::default()
        };
        let mut house = House::running(manner).await;
        house.hand.jolt(Micros::from_secs(-40));
        pass(120_000).await;
        let troubles = house
            .drain()
            .into_iter()
            .filter(|news| matches!(news, DriverNews::Trouble(_)))
            .count();
        assert_eq!(troubles, 1);
        let seeks = house.seeks();
        pass(120_000).await;
        assert_eq!(house.seeks(), seeks, "it has given up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_browser_that_wants_a_click_is_explained_and_then_falls_into_step() {
        let mut house = House::with_film(Manner {
            needs_click: true,
            ..Manner::default()
        })
        .await;
        house.play();
        pass(5_000).await;
        assert!(
            house
                .drain()
                .iter()
                .any(|news| matches!(news, DriverNews::Trouble(why) if why.contains("Click")))
        );
        house.hand.click();
        pass(8_000).await;
        house.assert_in_step();
        assert_eq!(house.asked(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn an_owner_that_does_not_listen_does_not_stop_the_corrections() {
        let now = tokio_clock();
        let (player, hand) = MockPlayer::new(Manner::default(), Arc::clone(&now));
        let (goals, followed) = watch::channel(Goal::default());
        let (out, news) = mpsc::channel(1);
        let clock = Estimate::exact(now(), SessionTime::from_secs(500));
        let task = tokio::spawn(drive(player, followed, out, reading(&now)));
        let house = House {
            goals,
            news,
            hand,
            now,
            clock,
            task,
        };
        house.set(|goal, clock, _| {
            goal.film = Some(film(1));
            goal.clock = Some(clock);
            goal.anchor.item = ItemId::new(1);
        });
        house.play();
        pass(40_000).await;
        house.assert_in_step();
    }

    #[derive(Clone, Debug)]
    enum Fault {
        Pause,
        Jolt(i64),
        Stall(i64),
        Advert(i64),
        UserPause,
        UserSeek(u64),
        RoomPause,
        RoomPlay,
        RoomSeek(u64),
        ClockLost,
    }

    fn fault() -> impl Strategy<Value = Fault> {
        prop_oneof![
            Just(Fault::Pause),
            (-20_000i64..20_000).prop_map(Fault::Jolt),
            (100i64..4_000).prop_map(Fault::Stall),
            (1_000i64..9_000).prop_map(Fault::Advert),
            Just(Fault::UserPause),
            (0u64..3_000).prop_map(Fault::UserSeek),
            Just(Fault::RoomPause),
            Just(Fault::RoomPlay),
            (0u64..3_000).prop_map(Fault::RoomSeek),
            Just(Fault::ClockLost),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Whatever happened, in whatever order: left alone, the player comes
        /// into step with what the room wants, and only its user ever asks.
        #[test]
        fn every_evening_ends_in_step(
            faults in prop::collection::vec((fault(), 10u64..6_000), 0..12),
            start in 0i64..200, seek in 0i64..800, skew_ppm in -300i32..=300,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let manner = Manner {
                    start: Micros::from_millis(start),
                    seek: Micros::from_millis(seek),
                    skew_ppm,
                    ..Manner::default()
                };
                let mut house = House::running(manner).await;
                let mut acts = 0;
                for (fault, wait) in faults {
                    match fault {
                        Fault::Pause => house.hand.pause_spuriously(),
                        Fault::Jolt(millis) => house.hand.jolt(Micros::from_millis(millis)),
                        Fault::Stall(millis) => house.hand.stall(Micros::from_millis(millis)),
                        Fault::Advert(millis) => house.hand.advert(Micros::from_millis(millis)),
                        Fault::UserPause => { acts += 1; house.hand.press_pause() }
                        Fault::UserSeek(secs) => { acts += 1; house.hand.drag_to(MediaTime::from_secs(secs)) }
                        Fault::RoomPause => house.pause(house.hand.position()),
                        Fault::RoomPlay => house.play(),
                        Fault::RoomSeek(secs) => house.set(|goal, _, now| {
                            goal.anchor.generation = goal.anchor.generation.next();
                            goal.anchor.position = MediaTime::from_secs(secs);
                            goal.anchor.at = now;
                        }),
                        Fault::ClockLost => house.set(|goal, _, _| goal.clock = None),
                    }
                    pass(wait).await;
                }
                // Long enough for a player that stuttered to be slewed again, twice.
                pass(200_000).await;
                let playing = house.goals.borrow().anchor.playing;
                let wanted = if playing { Activity::Playing } else { Activity::Paused };
                prop_assert_eq!(house.hand.activity(), wanted);
                let allowed = if playing { 4.0 } else { 150.0 };
                prop_assert!(house.drift().abs() <= allowed, "{} ms off", house.drift());
                let asked = house.asked().len();
                prop_assert!(asked <= acts, "{asked} wishes from {acts} acts");
                Ok(())
            })?;
        }
    }
}
