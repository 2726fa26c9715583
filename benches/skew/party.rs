//! A party of real players: the program's own room, server, client and driver in one process.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use chromiumoxide::Page;
use seance::broadcast::door::Door;
use seance::broadcast::hub::Hub;
use seance::broadcast::room::{self, AliveMark, Beginning, RoomHandle};
use seance::cli::hosting::fold_all;
use seance::engine::event::{Client, Role, Via};
use seance::engine::fold::timeline::Anchor;
use seance::engine::frame::Closing;
use seance::engine::id::SessionId;
use seance::engine::intent::Intent;
use seance::engine::media::{self, Media};
use seance::engine::presence::Report;
use seance::engine::sync::controller::{Footing, Habits};
use seance::engine::text::Title;
use seance::engine::unit::{LocalTime, MediaTime, Rate};
use seance::log::EventLog;
use seance::log::memory::MemoryLog;
use seance::net::client::{self, Member, Order};
use seance::net::link::JoinLink;
use seance::net::server::{self, Page as Served, Site};
use seance::os;
use seance::player::browser::{BrowserPlayer, LaunchOptions};
use seance::player::driver::{DriverNews, Goal, drive};
use seance::player::mpv::{MpvOptions, MpvPlayer};
use seance::player::{Notice, Player, PlayerError, Sample};
use seance::projection::view::View;
use seance::projection::web::{self, MediaHosts};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::slow::SlowFilm;
use super::track::{Line, MpvTracker, SAMPLER, Track};
use super::wan::{self, Weather};

/// Nothing here takes longer on a machine that works at all.
const DEADLINE: Duration = Duration::from_secs(40);

/// A line that stays so long is the one to be on: a wait of the room is an event of its own,
/// right behind the one that called for it.
const SETTLED: Duration = Duration::from_millis(150);

/// By what somebody watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Chrome that the program drives.
    Chrome,
    /// A guest's page in a Chrome of its own.
    Page,
    /// An mpv that the program drives, without a window and without sound.
    Mpv,
}

/// A world: who takes part, and what is hard about it.
#[derive(Clone, Debug)]
pub struct Setting {
    /// How many.
    pub players: usize,
    /// By what each of them watches, in turn; the first is no guest's page.
    pub kinds: Vec<Kind>,
    /// What dice start from.
    pub seed: u64,
    /// By how many millionths each player's film runs too fast, in turn.
    pub film_ppm: Vec<f64>,
    /// The network between members and the host, if it is not loopback.
    pub weather: Option<Weather>,
}

/// The film at an address.
pub fn media_of(url: &str) -> Result<Media> {
    Ok(media::parse(url)?.media)
}

/// A headless Chrome.
pub async fn launch() -> Result<BrowserPlayer> {
    let flags = std::env::var("SEANCE_CHROME_FLAGS").unwrap_or_default();
    let options = LaunchOptions {
        headless: true,
        no_sandbox: rustix::process::geteuid().is_root(),
        extra_args: flags.split_whitespace().map(str::to_owned).collect(),
        ..LaunchOptions::default()
    };
    Ok(BrowserPlayer::launch(options).await?)
}

/// Begins to note what a loaded film does.
pub async fn start_sampling(page: &Page) -> Result<()> {
    page.evaluate(SAMPLER).await?;
    Ok(())
}

/// An mpv without a window.
async fn launch_mpv() -> Result<MpvPlayer> {
    let options = MpvOptions {
        headless: true,
        ..MpvOptions::default()
    };
    Ok(MpvPlayer::launch(options).await?)
}

/// A player whose film runs a little fast, as one does whose sound card has a crystal of its own.
struct Detuned<P> {
    inner: P,
    /// Times every rate.
    pace: f64,
}

impl<P: Player> Player for Detuned<P> {
    async fn load(&mut self, media: &Media, start: MediaTime) -> Result<(), PlayerError> {
        self.inner.load(media, start).await?;
        self.set_rate(1.0).await
    }

    async fn play(&mut self, at: LocalTime) -> Result<(), PlayerError> {
        self.inner.play(at).await
    }

    async fn pause(&mut self, position: MediaTime) -> Result<(), PlayerError> {
        self.inner.pause(position).await
    }

    async fn seek(&mut self, position: MediaTime) -> Result<(), PlayerError> {
        self.inner.seek(position).await
    }

    async fn set_rate(&mut self, rate: f64) -> Result<(), PlayerError> {
        self.inner.set_rate(rate * self.pace).await
    }

    async fn sample(&mut self) -> Result<Sample, PlayerError> {
        let sample = self.inner.sample().await?;
        Ok(Sample {
            rate: sample.rate / self.pace,
            ..sample
        })
    }

    async fn notice(&mut self) -> Notice {
        self.inner.notice().await
    }

    fn habits(&self) -> Habits {
        self.inner.habits()
    }

    fn footing(&self) -> Footing {
        self.inner.footing()
    }

    async fn close(self) {
        self.inner.close().await;
    }
}

/// The guest page, as the program serves it.
struct GuestPage;

impl Site for GuestPage {
    fn page(&self, path: &str, host: &str) -> Option<Served> {
        let asset = web::asset(path)?;
        Some(Served {
            content_type: asset.content_type,
            bytes: asset.bytes.into(),
            headers: web::headers(host, MediaHosts::Any),
        })
    }
}

/// A member with a player of their own.
#[derive(Debug)]
struct Seat {
    orders: mpsc::Sender<Order>,
    screen: Screen,
    anchor: watch::Receiver<Anchor>,
    task: JoinHandle<()>,
}

/// Where a member's film is seen.
#[derive(Debug)]
enum Screen {
    Chrome {
        page: Page,
        /// The folder that is this Chrome's alone, by which its processes are found.
        profile: std::path::PathBuf,
    },
    Mpv(MpvTracker),
}

/// Everybody. The first is the host.
#[derive(Debug)]
pub struct Party {
    room: RoomHandle,
    log: Arc<dyn EventLog>,
    door: Door,
    address: std::net::SocketAddr,
    seats: Vec<Seat>,
    /// Those who came by the guest page; their Chrome only holds it.
    guests: Vec<BrowserPlayer>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Party {
    /// Opens a room, lets everybody in and loads the film.
    pub async fn open(setting: Setting, url: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let session = SessionId::new(u128::from(setting.seed) + 1);
        let door = Door::new([7; 32]);
        let beginning = Beginning::Open {
            session,
            title: Title::new("Skew")?,
        };
        let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
        let room = room::open(Arc::clone(&log), door.clone(), beginning, Box::new(|_| {})).await?;
        let hub = Hub::default();
        hub.insert(room.clone());
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(server::serve(listener, hub, Arc::new(GuestPage), stopped));
        let mut party = Self {
            room,
            log,
            door: door.clone(),
            address,
            seats: Vec::new(),
            guests: Vec::new(),
            stop,
            server,
        };
        for number in 0..setting.players {
            let seed = setting.seed.wrapping_mul(97).wrapping_add(number as u64);
            let way = match setting.weather {
                // Uneven for the second the other way round.
                Some(weather) if number % 2 == 1 => {
                    wan::open(address, weather.turned(), seed).await?
                }
                Some(weather) => wan::open(address, weather, seed).await?,
                None => address,
            };
            let role = if number == 0 { Role::Host } else { Role::Guest };
            let link = JoinLink::new(&way.to_string(), session, door.invite(role));
            let kind = setting.kinds[number % setting.kinds.len()];
            if kind == Kind::Page {
                party.guests.push(visit(&link, number).await?);
                continue;
            }
            let member = client::join(&link, format!("Player {number}"), Client::Script, None);
            let ppm = setting.film_ppm[number % setting.film_ppm.len()];
            let pace = 1.0 + ppm / 1e6;
            let seat = match kind {
                Kind::Mpv => {
                    let inner = launch_mpv().await?;
                    let screen = Screen::Mpv(MpvTracker::start(inner.hand()));
                    Seat::take(member, Detuned { inner, pace }, screen)
                }
                Kind::Chrome | Kind::Page => {
                    let inner = launch().await?;
                    let screen = Screen::Chrome {
                        page: inner.page().clone(),
                        profile: inner.profile().to_owned(),
                    };
                    Seat::take(member, Detuned { inner, pace }, screen)
                }
            };
            party.seats.push(seat);
        }
        party.show(url).await?;
        Ok(party)
    }

    /// Loads a film and waits until it stands everywhere.
    pub async fn show(&mut self, url: &str) -> Result<()> {
        let mut anchor = self.seats[0].anchor.clone();
        let before = anchor.borrow_and_update().item;
        let name = url.rsplit('/').next().unwrap_or_default().to_owned();
        let url = url.to_owned();
        self.ask(Intent::Load { url }).await?;
        within(anchor.wait_for(|now| now.item != before)).await?;
        let there = format!(
            "(location.href + document.querySelector('video')?.currentSrc).includes('/{name}')"
        );
        for page in self.pages() {
            until(&page, &there, "the film is in the page").await?;
            stands(&page).await?;
            start_sampling(&page).await?;
        }
        self.mpvs_stand().await
    }

    /// Holds back one viewer's data for `secs`; answers the line on which everybody goes on.
    pub async fn stall(&mut self, slow: &SlowFilm, secs: u64) -> Result<Line> {
        anyhow::ensure!(slow.hold(), "nobody is being sent the slow film");
        tokio::time::sleep(Duration::from_secs(secs)).await;
        slow.release();
        let mut anchor = self.seats[0].anchor.clone();
        settled(&mut anchor, |now| now.playing).await?;
        Ok(self.line().from(os::local_now().max(self.line().from)))
    }

    async fn mpvs_stand(&self) -> Result<()> {
        for seat in &self.seats {
            if let Screen::Mpv(tracker) = &seat.screen {
                tracker.stands(DEADLINE).await?;
            }
        }
        Ok(())
    }

    /// Stops the last driven Chrome for `secs`, as a machine does that swaps; answers when it went on.
    pub async fn stop_a_chrome(&self, secs: u64) -> Result<LocalTime> {
        let profile = self.seats.iter().rev().find_map(|seat| match &seat.screen {
            Screen::Chrome { profile, .. } => Some(profile),
            Screen::Mpv(_) => None,
        });
        let profile = profile.context("nobody here watches in a driven Chrome")?;
        let processes = processes_of(profile)?;
        signal(&processes, "-STOP")?;
        tokio::time::sleep(Duration::from_secs(secs)).await;
        signal(&processes, "-CONT")?;
        Ok(os::local_now())
    }

    /// The host's program ends and is started again, a second later, on the same log and port.
    pub async fn restart_host(&mut self) -> Result<LocalTime> {
        let alive = AliveMark {
            at: self.room.clock().at(os::local_now()),
            wall: os::wall_millis(),
        };
        let state = fold_all(&self.log).await?.into_state();
        self.room.close(Closing::HostLeft).await;
        self.stop.send_replace(true);
        (&mut self.server).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        // What members' leaving added is what a killed host's log would not hold.
        let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new());
        let events = self
            .log
            .read(seance::engine::id::Seq::FIRST, usize::MAX >> 1)?;
        let kept = events
            .into_iter()
            .filter(|event| event.header.seq <= state.seq);
        log.append(kept.collect()).await?;
        let beginning = Beginning::Resume {
            state: Box::new(state),
            alive: Some(alive),
        };
        let room = room::open(
            Arc::clone(&log),
            self.door.clone(),
            beginning,
            Box::new(|_| {}),
        )
        .await?;
        let listener = TcpListener::bind(self.address).await?;
        let hub = Hub::default();
        hub.insert(room.clone());
        let (stop, stopped) = watch::channel(false);
        self.server = tokio::spawn(server::serve(listener, hub, Arc::new(GuestPage), stopped));
        (self.room, self.log, self.stop) = (room, log, stop);
        Ok(os::local_now())
    }

    fn pages(&self) -> Vec<Page> {
        let driven = self.seats.iter().filter_map(|seat| match &seat.screen {
            Screen::Chrome { page, .. } => Some(page.clone()),
            Screen::Mpv(_) => None,
        });
        let guests = self.guests.iter().map(|guest| guest.page().clone());
        driven.chain(guests).collect()
    }

    /// Starts the film; answers the line it then runs on.
    pub async fn play(&mut self) -> Result<Line> {
        self.act(Intent::Play {}, true).await
    }

    /// Changes a running film's speed, in thousandths.
    pub async fn rate(&mut self, thousandths: u16) -> Result<Line> {
        let rate = Rate::from_millis(thousandths).context("no rate of a room")?;
        self.act(Intent::Rate { rate }, true).await
    }

    /// Moves a running film.
    pub async fn seek(&mut self, to: MediaTime) -> Result<Line> {
        self.act(Intent::Seek { to }, true).await
    }

    /// Pauses, as the host's player shows it.
    pub async fn pause(&mut self) -> Result<()> {
        let at = self.seats[0]
            .anchor
            .borrow()
            .position(self.room.clock().at(os::local_now()), None);
        self.act(Intent::Pause { at: Some(at) }, false).await?;
        for page in self.pages() {
            stands(&page).await?;
        }
        self.mpvs_stand().await
    }

    /// The line now.
    pub fn line(&self) -> Line {
        let anchor = *self.seats[0].anchor.borrow();
        let clock = self.room.clock();
        let zero = os::local_now();
        let from = zero + (anchor.at - clock.at(zero));
        Line {
            from,
            position: anchor.position,
            rate: f64::from(anchor.rate.get()) / 1e3,
        }
    }

    /// What every page noted since the last time.
    pub async fn tracks(&mut self) -> Result<Vec<Track>> {
        let mut tracks = Vec::new();
        for page in self.pages() {
            tracks.push(Track::drain(&page).await?);
        }
        for seat in &self.seats {
            if let Screen::Mpv(tracker) = &seat.screen {
                tracks.push(tracker.drain());
            }
        }
        Ok(tracks)
    }

    /// Ends it all.
    pub async fn close(self) {
        for seat in self.seats {
            // An error means it is over already.
            let _ = seat.orders.send(Order::Leave).await;
            let _ = tokio::time::timeout(DEADLINE, seat.task).await;
        }
        for guest in self.guests {
            guest.close().await;
        }
        self.room.close(Closing::HostLeft).await;
        self.stop.send_replace(true);
        let _ = self.server.await;
    }

    async fn act(&mut self, intent: Intent, plays: bool) -> Result<Line> {
        let mut anchor = self.seats[0].anchor.clone();
        let before = *anchor.borrow_and_update();
        self.ask(intent).await?;
        settled(&mut anchor, |now| *now != before && now.playing == plays).await?;
        Ok(self.line())
    }

    async fn ask(&self, intent: Intent) -> Result<()> {
        let order = Order::Ask {
            via: Via::Script,
            aim: None,
            intent,
        };
        self.seats[0]
            .orders
            .send(order)
            .await
            .context("the host has left")
    }
}

impl Seat {
    fn take<P: Player>(member: Member, player: Detuned<P>, screen: Screen) -> Self {
        let (anchor_out, anchor) = watch::channel(Anchor::default());
        let orders = member.orders.clone();
        let task = tokio::spawn(sit(member, player, anchor_out));
        Self {
            orders,
            screen,
            anchor,
            task,
        }
    }
}

/// Folds what happens and holds it in front of the player, as `seance join` does.
async fn sit<P: Player>(mut member: Member, player: Detuned<P>, anchor: watch::Sender<Anchor>) {
    let mut view = View::default();
    let (goals, mut watched) = watch::channel(Goal::default());
    let (said, mut driver_news) = mpsc::channel(64);
    let driver = tokio::spawn(async move {
        // As in the program: the player is driven from the first film on.
        if watched.wait_for(|goal| goal.film.is_some()).await.is_ok() {
            drive(player, watched, said, os::local_now).await;
        }
    });
    loop {
        tokio::select! {
            news = member.news.recv() => {
                let Some(news) = news else { break };
                view.take(&news);
            }
            Ok(()) = member.clock.changed() => {
                member.clock.borrow_and_update();
            }
            Some(news) = driver_news.recv() => {
                let order = match news {
                    DriverNews::Report { drift, activity, .. } => {
                        Order::Report(Report { activity: Some(activity), drift, round_trip: None })
                    }
                    DriverNews::Duration { item, length } => Order::Ask {
                        via: Via::Player,
                        aim: None,
                        intent: Intent::Measure { item, duration: length },
                    },
                    // As in the program: the room waits for who is not there yet.
                    DriverNews::Ready { item, generation } => Order::Ask {
                        via: Via::Player,
                        aim: None,
                        intent: Intent::Ready { item, generation },
                    },
                    DriverNews::Trouble(why) | DriverNews::Failed { why, .. } | DriverNews::Lost(why) => {
                        eprintln!("a player says: {why}");
                        continue;
                    }
                    _ => continue,
                };
                // An error means the party is over, which the news say.
                let _ = member.orders.send(order).await;
            }
        }
        let goal = view.goal(*member.clock.borrow());
        goals.send_if_modified(|known| std::mem::replace(known, goal.clone()) != goal);
        anchor.send_if_modified(|known| {
            let now = view.state.timeline.anchor;
            std::mem::replace(known, now) != now
        });
    }
    drop(goals);
    // The player is closed by then, or is left to its own end.
    let _ = driver.await;
}

/// Opens the guest page in a Chrome and joins as a person would.
async fn visit(link: &JoinLink, number: usize) -> Result<BrowserPlayer> {
    let player = launch().await?;
    let page = player.page();
    page.goto(link.to_string()).await?;
    let join = format!(
        r#"(() => {{
            const name = document.getElementById("name-input");
            if (!name || document.getElementById("join-form").hidden) return false;
            name.value = "Guest {number}";
            document.getElementById("join-form").requestSubmit();
            return true;
        }})()"#
    );
    until(page, &join, "the guest page offers to join").await?;
    Ok(player)
}

/// Waits until a page's film stands on a frame.
async fn stands(page: &Page) -> Result<()> {
    let stands = r#"(() => {
        const video = document.querySelector("video");
        return video !== null && video.readyState >= 2 && video.paused && !video.seeking;
    })()"#;
    until(page, stands, "a film stands on a frame").await
}

/// Evaluates until it is true.
async fn until(page: &Page, expression: &str, what: &str) -> Result<()> {
    let look = async {
        let mut every = tokio::time::interval(Duration::from_millis(50));
        loop {
            every.tick().await;
            // A page on its way to another film answers nothing.
            let answer = page.evaluate(expression).await;
            if answer.is_ok_and(|answer| answer.into_value::<bool>().is_ok_and(|it| it)) {
                return anyhow::Ok(());
            }
        }
    };
    match tokio::time::timeout(DEADLINE, look).await {
        Ok(done) => done,
        Err(_) => Err(anyhow!("never came true: {what}")),
    }
}

/// Waits until the line is as wanted and stays.
async fn settled(
    anchor: &mut watch::Receiver<Anchor>,
    wanted: impl Fn(&Anchor) -> bool,
) -> Result<()> {
    loop {
        within(anchor.wait_for(&wanted)).await?;
        if tokio::time::timeout(SETTLED, anchor.changed())
            .await
            .is_err()
        {
            return Ok(());
        }
    }
}

async fn within<T, E: std::error::Error + Send + Sync + 'static>(
    wait: impl Future<Output = Result<T, E>>,
) -> Result<()> {
    match tokio::time::timeout(DEADLINE, wait).await {
        Ok(done) => done.map(drop).map_err(Into::into),
        Err(_) => Err(anyhow!("the party came to a standstill")),
    }
}

/// The processes of the Chrome whose profile this is: ours alone, for the folder is.
fn processes_of(profile: &std::path::Path) -> Result<Vec<String>> {
    let mark = profile.to_str().context("a profile's path is text")?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_process = name.bytes().all(|byte| byte.is_ascii_digit());
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if is_process && String::from_utf8_lossy(&line).contains(mark) {
            found.push(name);
        }
    }
    anyhow::ensure!(!found.is_empty(), "no process has the profile {mark}");
    Ok(found)
}

fn signal(processes: &[String], signal: &str) -> Result<()> {
    // Some of Chrome's helpers come and go; those that went need no signal.
    std::process::Command::new("kill")
        .arg(signal)
        .args(processes)
        .stderr(std::process::Stdio::null())
        .status()?;
    Ok(())
}
