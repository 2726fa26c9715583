//! A party of real players in one process: the program's own room, server, client and driver.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use chromiumoxide::Page;
use seance::broadcast::door::Door;
use seance::broadcast::hub::Hub;
use seance::broadcast::room::{self, Beginning, RoomHandle};
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
use seance::log::memory::MemoryLog;
use seance::net::client::{self, Member, Order};
use seance::net::link::JoinLink;
use seance::net::server::{self, Page as Served, Site};
use seance::os;
use seance::player::browser::{BrowserPlayer, LaunchOptions};
use seance::player::driver::{DriverNews, Goal, drive};
use seance::player::{Notice, Player, PlayerError, Sample};
use seance::projection::view::View;
use seance::projection::web::{self, MediaHosts};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::track::{Line, SAMPLER, Track};
use super::wan::{self, Weather};

/// Nothing here takes longer on a machine that works at all.
const DEADLINE: Duration = Duration::from_secs(40);

/// A world: who takes part, and what is hard about it.
#[derive(Clone, Debug)]
pub struct Setting {
    /// How many.
    pub players: usize,
    /// Whether every second one is a guest's page instead of a driven player.
    pub mixed: bool,
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

/// A Chrome whose film runs a little fast, as one does whose sound card has a crystal of its own.
struct Detuned {
    inner: BrowserPlayer,
    /// Times every rate.
    pace: f64,
}

impl Player for Detuned {
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
    page: Page,
    anchor: watch::Receiver<Anchor>,
    task: JoinHandle<()>,
}

/// Everybody. The first is the host.
#[derive(Debug)]
pub struct Party {
    room: RoomHandle,
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
        let log = Arc::new(MemoryLog::new());
        let room = room::open(log, door.clone(), beginning, Box::new(|_| {})).await?;
        let hub = Hub::default();
        hub.insert(room.clone());
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(server::serve(listener, hub, Arc::new(GuestPage), stopped));
        let mut party = Self {
            room,
            seats: Vec::new(),
            guests: Vec::new(),
            stop,
            server,
        };
        for number in 0..setting.players {
            let seed = setting.seed.wrapping_mul(97).wrapping_add(number as u64);
            let way = match setting.weather {
                Some(weather) => wan::open(address, weather, seed).await?,
                None => address,
            };
            let role = if number == 0 { Role::Host } else { Role::Guest };
            let link = JoinLink::new(&way.to_string(), session, door.invite(role));
            if setting.mixed && number % 2 == 1 {
                party.guests.push(visit(&link, number).await?);
                continue;
            }
            let member = client::join(&link, format!("Player {number}"), Client::Script, None);
            let ppm = setting.film_ppm[number % setting.film_ppm.len()];
            let player = Detuned {
                inner: launch().await?,
                pace: 1.0 + ppm / 1e6,
            };
            party.seats.push(Seat::take(member, player));
        }
        party
            .ask(Intent::Load {
                url: url.to_owned(),
            })
            .await?;
        for page in party.pages() {
            stands(&page).await?;
            start_sampling(&page).await?;
        }
        Ok(party)
    }

    fn pages(&self) -> Vec<Page> {
        let driven = self.seats.iter().map(|seat| seat.page.clone());
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
        Ok(())
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
        within(anchor.wait_for(|now| *now != before && now.playing == plays)).await?;
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
    fn take(member: Member, player: Detuned) -> Self {
        let page = player.inner.page().clone();
        let (anchor_out, anchor) = watch::channel(Anchor::default());
        let orders = member.orders.clone();
        let task = tokio::spawn(sit(member, player, anchor_out));
        Self {
            orders,
            page,
            anchor,
            task,
        }
    }
}

/// Folds what happens and holds it in front of the player, as `seance join` does.
async fn sit(mut member: Member, player: Detuned, anchor: watch::Sender<Anchor>) {
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
            if page.evaluate(expression).await?.into_value::<bool>()? {
                return anyhow::Ok(());
            }
        }
    };
    match tokio::time::timeout(DEADLINE, look).await {
        Ok(done) => done,
        Err(_) => Err(anyhow!("never came true: {what}")),
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
