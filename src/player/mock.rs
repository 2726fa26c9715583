//! A player without a screen, whose latencies and faults are chosen, and whose user is a test.
//!
//! [`MockPlayer`] computes where its film stands from the times of what was
//! done to it; nothing runs in the background. Give it [`tokio_clock`] and a
//! paused runtime, and an evening passes in milliseconds; give it
//! [`crate::os::local_now`], and it is a real player that shows nothing.
//! [`MockHandle`] is everybody else: the user in front of it, the network
//! under it, the test that looks at it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use crate::engine::media::Media;
use crate::engine::unit::{LocalTime, MediaTime, Micros};
use crate::player::contract::Hand;
use crate::player::{Activity, Notice, Player, PlayerError, Sample};

/// A source of local time.
pub type Now = Arc<dyn Fn() -> LocalTime + Send + Sync>;

/// Local time by tokio's clock, which stands still and jumps when a test pauses it.
///
/// It starts at 1,000 s, so that moments before now exist.
pub fn tokio_clock() -> Now {
    let zero = tokio::time::Instant::now();
    Arc::new(move || LocalTime::from_secs(1_000) + micros(zero.elapsed()))
}

fn micros(length: Duration) -> Micros {
    Micros::new(i64::try_from(length.as_micros()).unwrap_or(i64::MAX))
}

/// What the mock does with rates that are not whole quarters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FineRates {
    /// It plays them.
    #[default]
    Honoured,
    /// It plays the nearest quarter and says so.
    Rounded,
    /// It plays the nearest quarter and says it plays them.
    Pretended,
}

/// How a mock behaves: latencies and faults that stay.
#[derive(Clone, Debug, PartialEq)]
pub struct Manner {
    /// How long the film is.
    pub duration: Option<Micros>,
    /// From `load` to its answer.
    pub load: Micros,
    /// From the moment of a start to the first moving frame.
    pub start: Micros,
    /// From a seek to its landing.
    pub seek: Micros,
    /// Seeks land on the last multiple of this before their target: sparse keyframes.
    pub seek_grid: Option<Micros>,
    /// How much faster than this machine's clock the film runs, in millionths.
    pub skew_ppm: i32,
    /// What becomes of fine rates.
    pub fine_rates: FineRates,
    /// Positions are reported up to this much off, either way.
    pub noise: Micros,
    /// Media are refused, with this sentence.
    pub refuses: Option<String>,
    /// The first start waits for a click.
    pub needs_click: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            duration: Some(Micros::from_secs(7_200)),
            load: Micros::from_millis(50),
            start: Micros::ZERO,
            seek: Micros::from_millis(100),
            seek_grid: None,
            skew_ppm: 0,
            fine_rates: FineRates::Honoured,
            noise: Micros::ZERO,
            refuses: None,
            needs_click: false,
        }
    }
}

/// What the mock was told, for tests to look at.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// To load this.
    Load(Media, MediaTime),
    /// To play at this local time.
    Play(LocalTime),
    /// To pause on this frame.
    Pause(MediaTime),
    /// To seek.
    Seek(MediaTime),
    /// To play at this rate.
    Rate(f64),
    /// To close.
    Close,
}

struct Film {
    manner: Manner,
    /// The position below was true then.
    at: LocalTime,
    /// In microseconds; a float, so that skew does not round away.
    position: f64,
    rate: f64,
    loaded: bool,
    /// Somebody wants it to run.
    wanted: bool,
    /// It begins to run then.
    starts: Option<LocalTime>,
    /// When a seek lands; the position is already its target.
    lands: Option<LocalTime>,
    stalled_until: Option<LocalTime>,
    advert_until: Option<LocalTime>,
    waits_for_click: bool,
    ended: bool,
    silent: bool,
    lost: Option<String>,
    notices: VecDeque<Notice>,
    told: Vec<(LocalTime, Told)>,
    noise: u64,
}

impl Film {
    fn speed(&self) -> f64 {
        let quarters = (self.rate * 4.0).round() / 4.0;
        let played = match self.manner.fine_rates {
            FineRates::Honoured => self.rate,
            FineRates::Rounded | FineRates::Pretended => quarters,
        };
        played * (1.0 + f64::from(self.manner.skew_ppm) / 1e6)
    }

    fn reported_rate(&self) -> f64 {
        match self.manner.fine_rates {
            FineRates::Rounded => (self.rate * 4.0).round() / 4.0,
            FineRates::Honoured | FineRates::Pretended => self.rate,
        }
    }

    fn runs(&self) -> bool {
        self.loaded
            && self.wanted
            && !self.ended
            && !self.waits_for_click
            && self.starts.is_none()
            && self.lands.is_none()
            && self.stalled_until.is_none()
            && self.advert_until.is_none()
    }

    fn activity(&self) -> Activity {
        match self {
            Self { loaded: false, .. } => Activity::Loading,
            Self {
                advert_until: Some(_),
                ..
            } => Activity::Advert,
            Self {
                waits_for_click: true,
                ..
            } => Activity::NeedsClick,
            Self { lands: Some(_), .. } => Activity::Seeking,
            Self { ended: true, .. } => Activity::Ended,
            Self { wanted: false, .. }
            | Self {
                starts: Some(_), ..
            } => Activity::Paused,
            Self {
                stalled_until: Some(_),
                ..
            } => Activity::Stalled,
            _ => Activity::Playing,
        }
    }

    /// When the film reaches its end, if it runs.
    fn ends_at(&self) -> Option<LocalTime> {
        let length = self.manner.duration?.get() as f64;
        let left = ((length - self.position) / self.speed()).max(0.0);
        self.runs()
            .then(|| self.at + Micros::new(left.ceil() as i64))
    }

    /// When something next happens by itself.
    fn next_change(&self) -> Option<LocalTime> {
        let changes = [
            self.starts,
            self.lands,
            self.stalled_until,
            self.advert_until,
            self.ends_at(),
        ];
        changes.into_iter().flatten().min()
    }

    /// Brings everything up to `now`.
    fn advance(&mut self, now: LocalTime) {
        while let Some(change) = self.next_change().filter(|&change| change <= now) {
            self.run_to(change);
            let past = |moment: Option<LocalTime>| moment.is_some_and(|at| at <= change);
            if past(self.starts) {
                self.starts = None;
                if self.manner.needs_click {
                    self.manner.needs_click = false;
                    self.waits_for_click = true;
                    self.notices.push_back(Notice::NeedsClick);
                }
            } else if past(self.lands) {
                self.lands = None;
            } else if past(self.stalled_until) {
                self.stalled_until = None;
            } else if past(self.advert_until) {
                self.advert_until = None;
            } else {
                self.ended = true;
                self.notices.push_back(Notice::Ended);
            }
        }
        self.run_to(now);
    }

    fn run_to(&mut self, now: LocalTime) {
        if now <= self.at {
            return;
        }
        if self.runs() {
            self.position += (now - self.at).get() as f64 * self.speed();
        }
        self.at = now;
        if let Some(length) = self.manner.duration {
            self.position = self.position.min(length.get() as f64);
        }
    }

    fn position(&self) -> MediaTime {
        MediaTime::new(self.position.max(0.0) as u64)
    }

    fn move_to(&mut self, to: MediaTime) {
        let grid = self
            .manner
            .seek_grid
            .map_or(1, |grid| grid.get().max(1) as u64);
        let end = self
            .manner
            .duration
            .map_or(u64::MAX, |length| length.get() as u64);
        self.position = (to.get() / grid * grid).min(end) as f64;
        self.lands = Some(self.at + self.manner.seek);
        self.ended = false;
    }

    /// Deterministic noise in ±`manner.noise`.
    fn noise(&mut self) -> Micros {
        self.noise = self
            .noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let width = 2 * self.manner.noise.get() as u64 + 1;
        Micros::new(((self.noise >> 33) % width) as i64) - self.manner.noise
    }
}

struct Shared {
    now: Now,
    film: Mutex<Film>,
    /// Wakes whoever waits for a notice.
    changed: Notify,
}

impl Shared {
    /// The film, brought up to now.
    fn film(&self) -> MutexGuard<'_, Film> {
        let mut film = self
            .film
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        film.advance((self.now)());
        film
    }

    fn act(&self, act: impl FnOnce(&mut Film)) {
        act(&mut self.film());
        self.changed.notify_one();
    }
}

/// The player; see the module.
pub struct MockPlayer {
    shared: Arc<Shared>,
    lost_told: bool,
}

/// Everybody else's hands on a [`MockPlayer`]: its user's, the world's, the test's.
#[derive(Clone)]
pub struct MockHandle {
    shared: Arc<Shared>,
}

impl fmt::Debug for MockPlayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockPlayer").finish_non_exhaustive()
    }
}

impl fmt::Debug for MockHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockHandle").finish_non_exhaustive()
    }
}

impl MockPlayer {
    /// A player of this manner, on this clock, and the handle to it.
    pub fn new(manner: Manner, now: Now) -> (Self, MockHandle) {
        let film = Film {
            manner,
            at: now(),
            position: 0.0,
            rate: 1.0,
            loaded: false,
            wanted: false,
            starts: None,
            lands: None,
            stalled_until: None,
            advert_until: None,
            waits_for_click: false,
            ended: false,
            silent: false,
            lost: None,
            notices: VecDeque::new(),
            told: Vec::new(),
            noise: 1,
        };
        let shared = Arc::new(Shared {
            now,
            film: Mutex::new(film),
            changed: Notify::new(),
        });
        let handle = MockHandle {
            shared: Arc::clone(&shared),
        };
        let player = Self {
            shared,
            lost_told: false,
        };
        (player, handle)
    }

    /// Does as told, unless the player is lost or answers nobody.
    async fn obey<T>(
        &self,
        told: Option<Told>,
        act: impl FnOnce(&mut Film, LocalTime) -> T,
    ) -> Result<T, PlayerError> {
        let silent = self.shared.film().silent;
        if silent {
            std::future::pending::<()>().await;
        }
        let mut film = self.shared.film();
        if let Some(why) = &film.lost {
            return Err(PlayerError::Lost(why.clone()));
        }
        let now = film.at;
        film.told.extend(told.map(|told| (now, told)));
        let done = act(&mut film, now);
        drop(film);
        // What was told moves the moment at which the next thing happens by itself.
        self.shared.changed.notify_one();
        Ok(done)
    }
}

impl Player for MockPlayer {
    async fn load(&mut self, media: &Media, start: MediaTime) -> Result<(), PlayerError> {
        let told = Told::Load(media.clone(), start);
        let (wait, refusal) = self
            .obey(Some(told), |film, _| {
                film.loaded = false;
                film.wanted = false;
                film.starts = None;
                film.ended = false;
                (film.manner.load, film.manner.refuses.clone())
            })
            .await?;
        tokio::time::sleep(Duration::from_micros(wait.get().max(0) as u64)).await;
        if let Some(why) = refusal {
            return Err(PlayerError::Media(why));
        }
        self.obey(None, |film, _| {
            film.move_to(start);
            film.lands = None;
            film.loaded = true;
        })
        .await
    }

    async fn play(&mut self, at: LocalTime) -> Result<(), PlayerError> {
        self.obey(Some(Told::Play(at)), |film, now| {
            if film.ended {
                film.move_to(MediaTime::ZERO); // as a video element does
            }
            if !film.wanted || film.starts.is_some() {
                film.wanted = true;
                film.starts = Some(at.max(now) + film.manner.start);
            }
        })
        .await
    }

    async fn pause(&mut self, position: MediaTime) -> Result<(), PlayerError> {
        self.obey(Some(Told::Pause(position)), |film, _| {
            film.wanted = false;
            film.starts = None;
            film.waits_for_click = false;
            if film.position() != position {
                film.move_to(position);
            }
        })
        .await
    }

    async fn seek(&mut self, position: MediaTime) -> Result<(), PlayerError> {
        self.obey(Some(Told::Seek(position)), |film, _| film.move_to(position))
            .await
    }

    async fn set_rate(&mut self, rate: f64) -> Result<(), PlayerError> {
        self.obey(Some(Told::Rate(rate)), |film, _| film.rate = rate)
            .await
    }

    async fn sample(&mut self) -> Result<Sample, PlayerError> {
        self.obey(None, |film, now| Sample {
            at: now,
            position: film.position() + film.noise(),
            rate: film.reported_rate(),
            activity: film.activity(),
            duration: film.manner.duration.filter(|_| film.loaded),
        })
        .await
    }

    async fn notice(&mut self) -> Notice {
        loop {
            let wait = {
                let mut film = self.shared.film();
                if let Some(notice) = film.notices.pop_front() {
                    return notice;
                }
                match film.lost.clone() {
                    Some(why) if !self.lost_told => {
                        self.lost_told = true;
                        return Notice::Lost(why);
                    }
                    Some(_) => None,
                    None => film.next_change().map(|change| change - film.at),
                }
            };
            let changed = self.shared.changed.notified();
            match wait {
                Some(wait) => {
                    let wait = Duration::from_micros(wait.get().max(0) as u64);
                    // Whether it was woken or waited, the film is looked at again.
                    let _ = tokio::time::timeout(wait, changed).await;
                }
                None => changed.await,
            }
        }
    }

    async fn close(self) {
        let mut film = self.shared.film();
        let now = film.at;
        film.told.push((now, Told::Close));
        film.lost.get_or_insert_with(|| "it was closed".to_owned());
    }
}

impl MockHandle {
    /// Its user presses pause.
    pub fn press_pause(&self) {
        self.shared.act(|film| {
            film.wanted = false;
            film.starts = None;
            let at = film.position();
            film.notices.push_back(Notice::UserPaused(at));
        });
    }

    /// Its user presses play.
    pub fn press_play(&self) {
        self.shared.act(|film| {
            film.wanted = true;
            film.starts = None;
            film.notices.push_back(Notice::UserPlayed);
        });
    }

    /// Its user moves the film to `to`.
    pub fn drag_to(&self, to: MediaTime) {
        self.shared.act(|film| {
            film.move_to(to);
            film.notices.push_back(Notice::UserSeeked(to));
        });
    }

    /// Its user chooses a rate.
    pub fn choose_rate(&self, rate: f64) {
        self.shared.act(|film| {
            film.rate = rate;
            film.notices.push_back(Notice::UserRated(rate));
        });
    }

    /// Its user clicks, so that it may play with sound.
    pub fn click(&self) {
        self.shared.act(|film| film.waits_for_click = false);
    }

    /// Its user closes it.
    pub fn close_window(&self) {
        self.crash("its window was closed");
    }

    /// It dies, with this explanation.
    pub fn crash(&self, why: &str) {
        self.shared.act(|film| film.lost = Some(why.to_owned()));
    }

    /// The network gives out for so long.
    pub fn stall(&self, length: Micros) {
        self.shared
            .act(|film| film.stalled_until = Some(film.at + length));
    }

    /// The site shows an advertisement for so long.
    pub fn advert(&self, length: Micros) {
        self.shared
            .act(|film| film.advert_until = Some(film.at + length));
    }

    /// It pauses, and nobody asked it to.
    pub fn pause_spuriously(&self) {
        self.shared.act(|film| {
            film.wanted = false;
            film.starts = None;
        });
    }

    /// Its film jumps by so much, and nobody asked it to.
    pub fn jolt(&self, by: Micros) {
        self.shared.act(|film| film.position += by.get() as f64);
    }

    /// Its media turns out not to be playable.
    pub fn fail(&self, why: &str) {
        self.shared.act(|film| {
            film.loaded = false;
            film.notices.push_back(Notice::Failed(why.to_owned()));
        });
    }

    /// Its user finds the way to the film after all: it stands there, paused.
    pub fn recover(&self) {
        self.shared.act(|film| {
            film.loaded = true;
            film.wanted = false;
        });
    }

    /// It stops answering, or answers again.
    pub fn fall_silent(&self, silent: bool) {
        self.shared.act(|film| film.silent = silent);
    }

    /// Behaves differently from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Manner)) {
        self.shared.act(|film| change(&mut film.manner));
    }

    /// Where its film truly stands now.
    pub fn position(&self) -> MediaTime {
        self.shared.film().position()
    }

    /// What it is doing now.
    pub fn activity(&self) -> Activity {
        self.shared.film().activity()
    }

    /// The rate it was last told.
    pub fn rate(&self) -> f64 {
        self.shared.film().rate
    }

    /// All it was told so far, and when.
    pub fn told(&self) -> Vec<(LocalTime, Told)> {
        self.shared.film().told.clone()
    }

    /// Whether it was closed properly.
    pub fn is_closed(&self) -> bool {
        self.told().iter().any(|(_, told)| *told == Told::Close)
    }
}

impl Hand for MockHandle {
    async fn press_pause(&mut self) {
        Self::press_pause(self);
    }

    async fn press_play(&mut self) {
        Self::press_play(self);
    }

    async fn drag_to(&mut self, to: MediaTime) {
        Self::drag_to(self, to);
    }

    async fn close_window(&mut self) {
        Self::close_window(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::media::Provider;
    use crate::player::contract::{self, Stage};

    struct Mocks {
        manner: Manner,
        now: Now,
    }

    impl Stage for Mocks {
        type Player = MockPlayer;
        type Hand = MockHandle;

        async fn open(&self) -> (MockPlayer, MockHandle) {
            MockPlayer::new(self.manner.clone(), Arc::clone(&self.now))
        }

        fn media(&self) -> Media {
            Media {
                provider: Provider::File,
                id: "https://films.example/one.mp4".to_owned(),
            }
        }

        fn length(&self) -> Micros {
            self.manner.duration.unwrap()
        }

        fn now(&self) -> LocalTime {
            (self.now)()
        }

        fn slack(&self) -> Micros {
            self.manner.start + Micros::from_millis(2)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_mock_keeps_every_promise_of_a_player() {
        for (start, seek) in [(0, 0), (0, 100), (80, 900)] {
            let manner = Manner {
                duration: Some(Micros::from_secs(90)),
                start: Micros::from_millis(start),
                seek: Micros::from_millis(seek),
                ..Manner::default()
            };
            let now = tokio_clock();
            contract::every_promise(&Mocks { manner, now }).await;
        }
    }
}
