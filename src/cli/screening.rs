//! A past session being watched again: its clock, what is shown, and the player that follows.
//!
//! The counterpart of [`Party`](super::party::Party), for an evening that is
//! over: the window and the terminal both hold one, give it
//! [`Order`]s and show what it says. It has a log to read and none to write.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::cli::party::{PlayerChoice, PlayerState, launch_player};
use crate::engine::event::Suspension;
use crate::engine::fold::RoomState;
use crate::engine::id::{MemberId, Seq};
use crate::engine::presence::{Activity, Report};
use crate::engine::projectionist::{Point, Projector};
use crate::engine::unit::{LocalTime, MediaTime, Micros, SessionTime};
use crate::log::store::{Exported, Home};
use crate::player::Player;
use crate::player::driver::{DriverNews, Goal, Wish, drive};
use crate::projection::rewatch::{Aim, Order, Programme, Why};
use crate::projection::view::{Entry, Link, View};

/// News of the player that may wait: it reports once a second.
const DRIVER_NEWS_MAX: usize = 64;
/// How long the player may take to close.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(12);
/// The longest sleep: this machine's clock runs on through suspend, and timers do not.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// This machine's clock.
pub type Now = Arc<dyn Fn() -> LocalTime + Send + Sync>;

/// Something to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scene {
    /// The replay ran over events: over those behind the first seq, up to the second.
    Ran(Seq, Seq),
    /// The player did or said something; its sentence, if there is one.
    Player(Option<String>),
    /// The replay reached its end and stands there.
    End,
}

/// See the module.
pub struct Screening {
    programme: Arc<Programme>,
    projector: Projector,
    now: Now,
    state: Arc<RoomState>,
    /// When the next event happens that `state` does not hold.
    upcoming: Option<SessionTime>,
    /// The last event that was told.
    told: Seq,
    story: Arc<Vec<Entry>>,
    /// The end was announced, and nobody went elsewhere since.
    ended: bool,
    trouble: Option<Arc<str>>,
    aim: Aim,
    choice: PlayerChoice,
    player: PlayerState,
    player_says: Option<Arc<str>>,
    goals: Option<watch::Sender<Goal>>,
    driver: Option<JoinHandle<()>>,
    driver_in: mpsc::Sender<DriverNews>,
    driver_news: mpsc::Receiver<DriverNews>,
}

impl fmt::Debug for Screening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screening")
            .field("programme", &self.programme)
            .field("projector", &self.projector)
            .field("seq", &self.state.seq)
            .field("player", &self.player)
            .finish_non_exhaustive()
    }
}

/// Reads a past session through, found as a person names it.
///
/// # Errors
/// A sentence: there is no such session, it is on air, it is empty, it cannot be read.
pub async fn programme(home: &Home, session: &str) -> Result<Arc<Programme>> {
    let (home, session) = (home.clone(), session.to_owned());
    let reading = tokio::task::spawn_blocking(move || -> Result<Programme> {
        Ok(Programme::of(home.open_past(home.find(&session)?)?)?)
    });
    Ok(Arc::new(reading.await??))
}

impl Screening {
    /// Stands at the beginning.
    pub async fn new(programme: Arc<Programme>, choice: PlayerChoice, now: Now) -> Self {
        let (driver_in, driver_news) = mpsc::channel(DRIVER_NEWS_MAX);
        let mut screening = Self {
            projector: Projector::new(programme.end()),
            programme,
            now,
            state: Arc::default(),
            upcoming: None,
            told: Seq::default(),
            story: Arc::default(),
            ended: false,
            trouble: None,
            aim: Aim::default(),
            choice,
            player: PlayerState::Waiting,
            player_says: None,
            goals: None,
            driver: None,
            driver_in,
            driver_news,
        };
        screening.look(SessionTime::ZERO).await;
        screening
    }

    /// What is being watched.
    pub fn programme(&self) -> &Arc<Programme> {
        &self.programme
    }

    /// Its clock.
    pub fn projector(&self) -> Projector {
        self.projector
    }

    /// How the player stands.
    pub fn player(&self) -> PlayerState {
        self.player
    }

    /// The moment that is shown now.
    pub fn moment(&self) -> SessionTime {
        self.projector.session((self.now)(), self.programme.waits())
    }

    /// What is shown now, as any screen draws it.
    pub fn view(&self) -> View {
        View {
            state: Arc::clone(&self.state),
            story: Arc::clone(&self.story),
            presence: Arc::new(presence(&self.state).collect()),
            link: Link::Over(String::new()),
            player: self.player_sentence(),
            trouble: self.trouble.clone(),
            ..View::default()
        }
    }

    fn player_sentence(&self) -> Option<Arc<str>> {
        let open = self.player == PlayerState::Open;
        if open && !Aim::follows(&self.state, &self.projector) && self.runs() {
            return Some("The film rests while the evening runs faster than it can play.".into());
        }
        self.player_says.clone()
    }

    fn runs(&self) -> bool {
        self.projector.runs((self.now)(), self.programme.waits())
    }

    /// Does what was asked.
    pub async fn order(&mut self, order: Order) {
        let before = self.moment();
        order.apply(&mut self.projector, &self.programme, (self.now)());
        let moment = self.moment();
        // Running on from the end is a jump, too.
        if order.jumps() || moment < before {
            self.ended = false;
            self.jumped(moment).await;
        }
        self.aim_player();
    }

    /// Shows another moment; what happens exactly then is told next.
    async fn jumped(&mut self, moment: SessionTime) {
        self.told = match moment.get().checked_sub(1) {
            None => Seq::default(),
            Some(before) => {
                self.look(SessionTime::new(before)).await;
                self.state.seq
            }
        };
        self.look(moment).await;
    }

    /// Waits for the next thing to show. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Scene {
        loop {
            let now = (self.now)();
            let moment = self.moment();
            if self.upcoming.is_some_and(|at| at <= moment) {
                self.look(moment).await;
            }
            if self.state.seq > self.told {
                let ran = Scene::Ran(self.told, self.state.seq);
                self.told = self.state.seq;
                self.aim_player();
                return ran;
            }
            if moment >= self.programme.end() && !self.ended {
                self.ended = true;
                self.aim_player();
                return Scene::End;
            }
            // The player's line bends where a wait is left out.
            self.aim_player();
            let waits = self.programme.waits();
            let marks = [self.upcoming, Some(self.programme.end())];
            let due = marks
                .into_iter()
                .flatten()
                .filter_map(|at| self.projector.local(at, waits))
                .min()
                .filter(|_| self.projector.runs(now, waits));
            let left = due.map_or(LOOK_AGAIN, |due| {
                Duration::from_micros((due - now).get().max(0).unsigned_abs()).min(LOOK_AGAIN)
            });
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                Some(news) = self.driver_news.recv() => {
                    if let Some(scene) = self.hear_player(news).await {
                        self.aim_player();
                        return scene;
                    }
                }
            }
        }
    }

    /// Brings the state to a moment.
    async fn look(&mut self, moment: SessionTime) {
        let (programme, near) = (Arc::clone(&self.programme), Arc::clone(&self.state));
        let looking = tokio::task::spawn_blocking(move || {
            let state = programme.state(Point::At(moment), Some(&near))?;
            let upcoming = programme.next_at(state.seq);
            Ok::<_, String>((state, upcoming))
        });
        match looking.await {
            Ok(Ok((state, upcoming))) => {
                self.state = Arc::new(state);
                self.upcoming = upcoming;
                self.trouble = None;
            }
            Ok(Err(sentence)) => self.fail(sentence),
            Err(error) => self.fail(error.to_string()),
        }
        let story = self.programme.story(moment);
        let same = self.story.last().map(|line| line.seq) == story.last().map(|line| line.seq);
        if !same {
            self.story = Arc::new(story.to_vec());
        }
    }

    /// A log that does not give again what it gave before: it stands, and says why.
    fn fail(&mut self, sentence: String) {
        tracing::warn!(%sentence, "the replay stands");
        self.trouble = Some(sentence.into());
        self.upcoming = None;
        self.projector.pause((self.now)(), self.programme.waits());
    }

    /// Why an event happened.
    ///
    /// # Errors
    /// A sentence.
    pub async fn why(&self, seq: Seq) -> Result<Why> {
        let programme = Arc::clone(&self.programme);
        let asking = tokio::task::spawn_blocking(move || programme.why(seq));
        asking.await?.map_err(|sentence| anyhow!(sentence))
    }

    /// Opens the player, where one was chosen and none is open.
    pub fn open_player(&mut self) {
        if matches!(self.player, PlayerState::Opening | PlayerState::Open) {
            return;
        }
        self.aim = Aim::default();
        let (goals, watched) = watch::channel(self.goal());
        let launched = launch_player(&self.choice, watched, self.driver_in.clone());
        self.attach(goals, launched);
    }

    /// Has this player follow, instead of one that is launched.
    pub fn open_with<P: Player>(&mut self, player: P) {
        self.aim = Aim::default();
        let (goals, watched) = watch::channel(self.goal());
        let (out, now) = (self.driver_in.clone(), Arc::clone(&self.now));
        let driver = tokio::spawn(drive(player, watched, out, move || now()));
        self.attach(goals, Some(driver));
    }

    fn attach(&mut self, goals: watch::Sender<Goal>, driver: Option<JoinHandle<()>>) {
        self.player_says = None;
        if driver.is_some() {
            self.goals = Some(goals);
            self.driver = driver;
            self.player = PlayerState::Opening;
        }
    }

    /// Closes the player; the replay goes on without.
    pub async fn close_player(&mut self) {
        drop(self.goals.take());
        if let Some(driver) = self.driver.take() {
            // One that does not close in time is left to its own end.
            let _ = tokio::time::timeout(CLOSE_WAIT_MAX, driver).await;
        }
        self.player = PlayerState::Dismissed;
        self.player_says = None;
    }

    fn goal(&mut self) -> Goal {
        let now = (self.now)();
        let waits = self.programme.waits();
        self.aim.goal(&self.state, &self.projector, waits, now)
    }

    fn aim_player(&mut self) {
        if self.goals.is_none() {
            return;
        }
        let goal = self.goal();
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

    /// What the player's own user does there is done to the replay: there is no room to ask.
    async fn hear_player(&mut self, news: DriverNews) -> Option<Scene> {
        match news {
            DriverNews::Asked { wish, .. } => {
                let order = match wish {
                    Wish::Play => Order::Play,
                    Wish::Pause { .. } => Order::Pause,
                    Wish::Seek { to } => Order::Skip(self.evening_until(to)?),
                    Wish::Rate { .. } => return None,
                };
                self.order(order).await;
                Some(Scene::Player(None))
            }
            DriverNews::Report { .. } => {
                let opened = self.player != PlayerState::Open;
                self.player = PlayerState::Open;
                opened.then_some(Scene::Player(None))
            }
            DriverNews::Ready { .. } => {
                self.player_says = None;
                None
            }
            DriverNews::Failed { why, .. } | DriverNews::Trouble(why) => {
                self.player_says = Some(why.as_str().into());
                Some(Scene::Player(Some(why)))
            }
            DriverNews::Lost(why) => {
                self.player = PlayerState::Dismissed;
                self.goals = None;
                self.player_says = Some(why.as_str().into());
                Some(Scene::Player(Some(why)))
            }
            DriverNews::Ended { .. } | DriverNews::Duration { .. } => None,
        }
    }

    /// How much of the evening lies between the film's frame now and another; `None` while the film stood.
    fn evening_until(&self, to: MediaTime) -> Option<Micros> {
        let timeline = &self.state.timeline;
        if !timeline.anchor.playing {
            return None;
        }
        let film = (to - timeline.position(self.moment())).get();
        let rate = i64::from(timeline.anchor.rate.get());
        Some(Micros::new(film.saturating_mul(1_000) / rate))
    }

    /// Closes the player and lets the log go.
    pub async fn leave(mut self) {
        self.close_player().await;
    }
}

/// What was known of people's players, as far as the log tells it.
fn presence(state: &RoomState) -> impl Iterator<Item = (MemberId, Report)> + '_ {
    state.roster.present().filter_map(|(id, member)| {
        let activity = match member.suspended? {
            Suspension::Ad => Activity::Advert,
            Suspension::Stall => Activity::Stalled,
            Suspension::NeedsClick => Activity::NeedsClick,
            Suspension::Detached | Suspension::CannotPlay => return None,
        };
        let report = Report {
            activity: Some(activity),
            drift: None,
            round_trip: None,
        };
        Some((id, report))
    })
}

/// Writes a programme's session into a file that must not exist yet.
pub async fn export(home: &Home, session: &str, file: &Path) -> Result<Exported> {
    let (home, session, file) = (home.clone(), session.to_owned(), file.to_owned());
    let writing = tokio::task::spawn_blocking(move || -> Result<Exported> {
        super::library::check_target(&file)?;
        Ok(home.open_past(home.find(&session)?)?.export(&file)?)
    });
    writing.await?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::{Body, Event, Header};
    use crate::engine::id::{Epoch, ItemId, SessionId, Stamp};
    use crate::engine::media::{Media, Provider};
    use crate::engine::projectionist::Pace;
    use crate::engine::text::{Line, Title};
    use crate::player::mock::{Manner, MockPlayer, tokio_clock};
    use crate::projection::rewatch::About;

    /// Opened at 0, a film from 10 s on, a word at 30 s, paused at 40 s, a word at 200 s.
    fn evening() -> Arc<Programme> {
        let title = Title::new("Friday").unwrap();
        let session = SessionId::new(7);
        let media = Media {
            provider: Provider::File,
            id: "https://films.example/a.mp4".to_owned(),
        };
        let said = |text: &str| Body::Said {
            text: Line::new(text).unwrap(),
            moment: MediaTime::ZERO,
        };
        let (item, start) = (ItemId::new(1), MediaTime::ZERO);
        let bodies = [
            (0, Body::Opened { session, title }),
            (
                10,
                Body::MediaSet {
                    item,
                    media,
                    title: None,
                    start,
                },
            ),
            (
                10,
                Body::Played {
                    position: MediaTime::ZERO,
                    start: SessionTime::from_secs(10),
                },
            ),
            (30, said("hello")),
            (
                40,
                Body::Paused {
                    position: MediaTime::from_secs(30),
                },
            ),
            (200, said("good night")),
        ];
        let events: Vec<Event> = (1..)
            .zip(bodies)
            .map(|(seq, (at, body))| Event {
                header: Header {
                    seq: Seq::new(seq),
                    epoch: Epoch::new(1),
                    stamp: Stamp::new(seq),
                    at: SessionTime::from_secs(at),
                    wall: 1,
                    by: None,
                    via: Default::default(),
                    cause: None,
                    intent: None,
                },
                body,
            })
            .collect();
        let programme = Programme::wind(
            About::default(),
            Box::new(move |from, limit| {
                let from = (from.get() as usize - 1).min(events.len());
                Ok(events[from..(from + limit).min(events.len())].to_vec())
            }),
        );
        Arc::new(programme.unwrap())
    }

    /// Runs until something other than the player is to be shown, and says when that was.
    async fn shown(screening: &mut Screening) -> (Scene, u64) {
        loop {
            let scene = screening.next().await;
            if !matches!(scene, Scene::Player(_)) {
                return (scene, screening.moment().get() / 1_000_000);
            }
        }
    }

    fn ran(from: u64, to: u64) -> Scene {
        Scene::Ran(Seq::new(from), Seq::new(to))
    }

    #[tokio::test(start_paused = true)]
    async fn every_event_is_told_once_at_its_time_and_waits_are_left_out() {
        let now = tokio_clock();
        let mut screening = Screening::new(evening(), PlayerChoice::None, Arc::clone(&now)).await;
        assert_eq!(
            shown(&mut screening).await,
            (ran(0, 1), 0),
            "what stands at the beginning"
        );
        let began = now();
        screening.order(Order::Play).await;
        assert_eq!(shown(&mut screening).await, (ran(1, 3), 10));
        assert_eq!(shown(&mut screening).await, (ran(3, 4), 30));
        screening.order(Order::Pace(Pace::times(2))).await;
        assert_eq!(shown(&mut screening).await, (ran(4, 5), 40));
        assert_eq!(shown(&mut screening).await, (ran(5, 6), 200));
        assert_eq!(shown(&mut screening).await, (Scene::End, 200));
        // 30 s at once, 10 s at twice, five seconds of the wait at twice.
        let took = now() - began;
        assert!(
            (took - Micros::from_millis(37_500)).abs() < Micros::from_millis(50),
            "{took:?}"
        );
        assert_eq!(
            screening.view().state.digest(),
            screening.programme().digest()
        );
        screening.order(Order::Play).await;
        assert_eq!(
            shown(&mut screening).await,
            (ran(0, 1), 0),
            "from the beginning"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_jump_shows_the_moment_and_tells_what_happens_in_it() {
        let mut screening = Screening::new(evening(), PlayerChoice::None, tokio_clock()).await;
        screening
            .order(Order::Seek(SessionTime::from_secs(35)))
            .await;
        assert!(screening.view().state.timeline.anchor.playing);
        assert_eq!(screening.view().story.last().unwrap().text, "hello");
        screening.order(Order::Next).await;
        assert_eq!(shown(&mut screening).await, (ran(4, 5), 40));
        screening.order(Order::Previous).await;
        assert_eq!(shown(&mut screening).await, (ran(3, 4), 30));
        screening.order(Order::Seek(SessionTime::MAX)).await;
        assert_eq!(shown(&mut screening).await, (ran(5, 6), 200));
        assert_eq!(shown(&mut screening).await, (Scene::End, 200));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hand_on_the_player_is_a_hand_on_the_replay() {
        let now = tokio_clock();
        let mut screening = Screening::new(evening(), PlayerChoice::None, Arc::clone(&now)).await;
        screening
            .order(Order::Seek(SessionTime::from_secs(12)))
            .await;
        screening.order(Order::Play).await;
        let (player, hand) = MockPlayer::new(Manner::default(), Arc::clone(&now));
        screening.open_with(player);
        let until =
            |screening: &Screening, secs: u64| screening.moment() >= SessionTime::from_secs(secs);
        while !until(&screening, 20) {
            let _ = tokio::time::timeout(Duration::from_millis(100), screening.next()).await;
        }
        let off =
            hand.position() - (MediaTime::ZERO + (screening.moment() - SessionTime::from_secs(10)));
        assert!(off.abs() < Micros::from_millis(60), "{off:?}");
        hand.press_pause();
        for _ in 0..20 {
            let _ = tokio::time::timeout(Duration::from_millis(100), screening.next()).await;
        }
        let stood = screening.moment();
        assert!(!screening.runs(), "the replay stands with its player");
        hand.press_play();
        for _ in 0..20 {
            let _ = tokio::time::timeout(Duration::from_millis(100), screening.next()).await;
        }
        assert!(screening.moment() > stood, "and goes on with it");
        screening.order(Order::Pace(Pace::times(16))).await;
        assert!(screening.view().player.unwrap().contains("rests"));
        let leaving = screening.leave();
        leaving.await;
        assert!(hand.is_closed());
    }
}
