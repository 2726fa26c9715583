//! The mpv player against a real mpv: without a window and without sound, in real time.
//!
//! Without mpv or ffmpeg the tests say so and skip.

#![cfg(all(feature = "browser", unix))]

mod doubles;
mod support;

use std::path::PathBuf;
use std::time::Duration;

use doubles::{FILM_SECS, Film, Server, or_skip, think_aloud};
use seance::engine::clock::offset::Estimate;
use seance::engine::fold::timeline::Anchor;
use seance::engine::id::{Generation, ItemId};
use seance::engine::media::{self, Media, Provider};
use seance::engine::unit::{LocalTime, MediaTime, Micros, SessionTime};
use seance::os::local_now;
use seance::player::contract::{self, Hand};
use seance::player::driver::{self, DriverNews, Goal, drive};
use seance::player::mpv::{MpvHand, MpvOptions, MpvPlayer, address_of, find_mpv, length_of};
use seance::player::{Activity, Notice, Player, PlayerError};
use serde_json::{Value, json};
use support::{Home, opened};
use tokio::sync::{Mutex, MutexGuard, mpsc, watch};

/// How long anything here may take before the test says that it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

static STAGE: Mutex<()> = Mutex::const_new(());

/// One test's hold of the machine, its film and its film server.
struct Stage {
    films: Server,
    folder: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Stage {
    /// The stage, or `None` with a printed reason.
    async fn enter() -> Option<Self> {
        think_aloud();
        or_skip(find_mpv().ok_or("no mpv (install it, or set SEANCE_MPV)"))?;
        let alone = STAGE.lock().await;
        let film = or_skip(Film::made())?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("film.mp4"), &film.mp4).unwrap();
        Some(Self {
            films: Server::films(film).await,
            folder,
            _alone: alone,
        })
    }

    async fn player(&self, films: Vec<PathBuf>) -> MpvPlayer {
        let options = MpvOptions {
            headless: true,
            films,
            ..MpvOptions::default()
        };
        MpvPlayer::launch(options).await.unwrap()
    }
}

/// What the keys of mpv's window do.
struct User(MpvHand);

impl Hand for User {
    async fn press_pause(&mut self) {
        self.0.press(json!(["keypress", "SPACE"])).await;
    }

    async fn press_play(&mut self) {
        self.0.press(json!(["keypress", "SPACE"])).await;
    }

    async fn drag_to(&mut self, to: MediaTime) {
        let secs = to.get() as f64 / 1e6;
        self.0.press(json!(["seek", secs, "absolute"])).await;
    }

    async fn close_window(&mut self) {
        self.0.press(json!(["keypress", "q"])).await;
    }
}

impl contract::Stage for Stage {
    type Player = MpvPlayer;
    type Hand = User;

    async fn open(&self) -> (MpvPlayer, User) {
        let player = self.player(Vec::new()).await;
        let user = User(player.hand());
        (player, user)
    }

    fn media(&self) -> Media {
        media::parse(&self.films.url("/film.mp4")).unwrap().media
    }

    fn length(&self) -> Micros {
        Micros::from_secs(FILM_SECS as i64)
    }

    fn now(&self) -> LocalTime {
        local_now()
    }

    fn slack(&self) -> Micros {
        // A frame of the film is 40 ms, and this machine is busy.
        Micros::from_millis(120)
    }
}

#[tokio::test]
async fn mpv_keeps_every_promise_of_a_player() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    contract::every_promise(&stage).await;
}

#[tokio::test]
async fn a_copy_on_this_disk_is_played_and_a_wrong_one_is_warned_of() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let copy = stage.folder.path().join("film.mp4");
    let mut player = stage.player(vec![stage.folder.path().to_owned()]).await;
    let length = length_of(&copy).await;
    assert_eq!(length, Some(Micros::from_secs(FILM_SECS as i64)));
    let address = address_of(&copy, None).unwrap();
    let media = |address: &str| media::parse(address).unwrap().media;
    let start = MediaTime::from_secs(10);
    player.load(&media(&address), start).await.unwrap();
    let sample = player.sample().await.unwrap();
    assert_eq!(
        (sample.activity, sample.position),
        (Activity::Paused, start)
    );
    let quiet = tokio::time::timeout(Duration::from_millis(300), player.notice()).await;
    assert!(quiet.is_err(), "the right copy needs no words: {quiet:?}");

    let others = format!("{address}0&secs={}", FILM_SECS + 60);
    player.load(&media(&others), start).await.unwrap();
    for words in ["not the one the others watch", "60 s shorter"] {
        let told = tokio::time::timeout(PATIENCE, player.notice()).await;
        assert!(
            matches!(&told, Ok(Notice::Trouble(why)) if why.contains(words)),
            "{told:?}"
        );
    }
    let missing = media("https://film.invalid/other.mp4?bytes=5");
    let refused = player.load(&missing, start).await;
    assert!(
        matches!(&refused, Err(PlayerError::Media(why)) if why.contains("other.mp4")),
        "{refused:?}"
    );
    player.close().await;
}

/// mpv tells of neither when a start and a pause come this close together, three times in ten.
#[tokio::test]
async fn a_pause_in_the_same_breath_as_a_start_is_heard() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage.player(Vec::new()).await;
    let film = contract::Stage::media(&stage);
    player.load(&film, MediaTime::from_secs(3)).await.unwrap();
    let mut hand = User(player.hand());
    // The first start after a load looks first where the film stands.
    player.play(local_now()).await.unwrap();
    let began = tokio::time::Instant::now();
    while player.sample().await.unwrap().activity != Activity::Playing {
        assert!(began.elapsed() < PATIENCE, "it never plays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    hand.press_pause().await;
    let heard = tokio::time::timeout(PATIENCE, player.notice()).await;
    assert!(matches!(heard, Ok(Notice::UserPaused(_))), "{heard:?}");
    for round in 0..10 {
        let (started, ()) = tokio::join!(player.play(local_now()), hand.press_pause());
        started.unwrap();
        let heard = tokio::time::timeout(PATIENCE, player.notice()).await;
        assert!(
            matches!(heard, Ok(Notice::UserPaused(_))),
            "round {round}: {heard:?}"
        );
        assert_eq!(player.sample().await.unwrap().activity, Activity::Paused);
    }
    player.close().await;
}

#[tokio::test]
async fn what_cannot_be_shown_is_said_and_the_next_film_plays() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage.player(Vec::new()).await;
    let gone = media::parse(&stage.films.url("/no-such-film.mp4"))
        .unwrap()
        .media;
    let refused = tokio::time::timeout(PATIENCE, player.load(&gone, MediaTime::ZERO)).await;
    assert!(
        matches!(&refused, Ok(Err(PlayerError::Media(_)))),
        "{refused:?}"
    );
    let good = contract::Stage::media(&stage);
    player.load(&good, MediaTime::from_secs(3)).await.unwrap();
    let sample = player.sample().await.unwrap();
    assert_eq!(sample.position, MediaTime::from_secs(3));
    if !seance::player::mpv::has_ytdl() {
        let site = Media {
            provider: Provider::Youtube,
            id: "YE7VzlLtp-4".into(),
        };
        let refused = player.load(&site, MediaTime::ZERO).await;
        assert!(
            matches!(&refused, Err(PlayerError::Media(why)) if why.contains("yt-dlp")),
            "{refused:?}"
        );
    }
    player.close().await;
}

/// One room's line in front of a real mpv.
struct House {
    goals: watch::Sender<Goal>,
    news: mpsc::Receiver<DriverNews>,
    hand: MpvHand,
    clock: Estimate,
}

impl House {
    async fn open(stage: &Stage) -> Self {
        let player = stage.player(Vec::new()).await;
        let hand = player.hand();
        let (goals, followed) = watch::channel(Goal::default());
        let (out, news) = mpsc::channel(1_024);
        tokio::spawn(drive(player, followed, out, local_now));
        let clock = Estimate::exact(local_now(), SessionTime::from_secs(500));
        let mut house = Self {
            goals,
            news,
            hand,
            clock,
        };
        let film = driver::Film {
            item: ItemId::new(1),
            media: contract::Stage::media(stage),
            start: MediaTime::ZERO,
        };
        house.goals.send_modify(|goal| {
            goal.film = Some(film);
            goal.clock = Some(clock);
            goal.anchor.item = ItemId::new(1);
            goal.anchor.position = MediaTime::from_secs(5);
        });
        house
            .hear("ready", |news| matches!(news, DriverNews::Ready { .. }))
            .await;
        house
    }

    async fn hear(&mut self, what: &str, wanted: impl Fn(&DriverNews) -> bool) -> DriverNews {
        let heard = tokio::time::timeout(PATIENCE, async {
            while let Some(news) = self.news.recv().await {
                if wanted(&news) {
                    return news;
                }
            }
            panic!("the driver ended");
        });
        heard.await.unwrap_or_else(|_| panic!("never {what}"))
    }

    /// A new line from `lead` on.
    fn line(&self, playing: bool, position: MediaTime, lead: Micros) -> Anchor {
        let at = self.clock.session(local_now() + lead);
        self.goals.send_modify(|goal| {
            goal.anchor = Anchor {
                generation: Generation::new(goal.anchor.generation.get() + 1),
                at,
                position,
                playing,
                ..goal.anchor
            };
        });
        self.goals.borrow().anchor
    }

    /// Waits for a report of a film that runs, this near to the line.
    async fn in_step(&mut self, within: Micros) -> (Micros, u32, u32) {
        let news = self
            .hear(&format!("within {within:?}"), |news| {
                matches!(news, DriverNews::Report { drift: Some(drift), activity: Activity::Playing, .. } if drift.abs() <= within)
            })
            .await;
        let DriverNews::Report {
            drift: Some(drift),
            slews,
            steps,
            ..
        } = news
        else {
            unreachable!("it was waited for")
        };
        (drift, slews, steps)
    }
}

#[tokio::test]
async fn mpv_is_driven_onto_the_line_and_its_latencies_are_learned() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut house = House::open(&stage).await;
    house.line(true, MediaTime::from_secs(5), Micros::from_millis(300));
    house.in_step(Micros::from_millis(3)).await;
    // The room seeks while the film runs, and pauses and starts again.
    for to in [40, 20] {
        house.line(true, MediaTime::from_secs(to), Micros::ZERO);
        house.in_step(Micros::from_millis(3)).await;
    }
    house.line(false, MediaTime::from_secs(31), Micros::ZERO);
    house
        .hear("a pause", |news| {
            matches!(
                news,
                DriverNews::Report {
                    activity: Activity::Paused,
                    ..
                }
            )
        })
        .await;
    house.line(true, MediaTime::from_secs(31), Micros::from_millis(400));
    let (_, _, steps) = house.in_step(Micros::from_millis(3)).await;
    assert_eq!(steps, 0, "a room's own acts need no correcting jumps");
    // Knocked off by what is nobody's key, a long way, it is brought back.
    house.hand.press(json!(["seek", -20, "relative"])).await;
    let asked = house
        .hear("the user's wish", |news| {
            matches!(news, DriverNews::Asked { .. })
        })
        .await;
    assert!(
        matches!(
            asked,
            DriverNews::Asked {
                wish: driver::Wish::Seek { .. },
                ..
            }
        ),
        "{asked:?}"
    );
    // The room does not answer; after a while the player is put back.
    house.in_step(Micros::from_millis(3)).await;
}

/// Whether a line says that both members do this, near the line where that is asked.
fn both(line: &Value, activity: &str, within_micros: Option<i64>) -> Option<()> {
    let all = line["presence"].as_array()?;
    let fits = |member: u64| {
        all.iter().any(|one| {
            let report = &one["report"];
            let near = within_micros.is_none_or(|limit| {
                report["drift"]
                    .as_i64()
                    .is_some_and(|drift| drift.abs() <= limit)
            });
            one["member"] == member && report["activity"] == activity && near
        })
    };
    (fits(1) && fits(2)).then_some(())
}

#[tokio::test]
async fn two_people_watch_their_own_copies_of_a_film_on_disk() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let (home, guests, own) = (Home::new(), Home::new(), tempfile::tempdir().unwrap());
    let theirs = stage.folder.path().join("film.mp4");
    let below = own.path().join("films");
    std::fs::create_dir(&below).unwrap();
    std::fs::copy(&theirs, below.join("film.mp4")).unwrap();
    let (film, folder) = (theirs.to_str().unwrap(), own.path().to_str().unwrap());
    let player = ["--player", "mpv", "--headless", "--json"];
    let mut host = vec![
        "host",
        "--name",
        "Ana",
        "--bind",
        "127.0.0.1:0",
        "--media",
        film,
    ];
    host.extend(player);
    let mut ana = home.start("Ana", &host);
    let (session, link) = opened(&ana);
    let mut join = vec!["join", &link, "--name", "Bo", "--films", folder];
    join.extend(player);
    let mut bo = guests.start("Bo", &join);
    bo.wait("both have the film", |line| both(line, "paused", None));
    bo.say("play");
    bo.wait("both play in step", |line| {
        both(line, "playing", Some(5_000))
    });
    bo.say("quit");
    assert!(bo.wait_end(), "Bo ends cleanly: {}", bo.errors());
    ana.say("quit");
    assert!(ana.wait_end(), "the host ends cleanly: {}", ana.errors());
    let told = home.run(&["replay", &session]).stdout();
    assert!(
        told.contains("film.mp4"),
        "the story names the film: {told}"
    );
    assert!(!told.contains(film), "and no path: {told}");
    let claimed = format!("&secs={FILM_SECS}");
    let events = home.run(&["replay", &session, "--json"]).stdout();
    assert!(events.contains(&claimed), "its address says how long it is");
    // Watched again, mpv follows it as it did then.
    let films = stage.folder.path().to_str().unwrap();
    let again = ["replay", &session, "--watch", "--player=mpv", "--headless"];
    let slowly = ["--films", films, "--speed", "0.25", "--json"];
    let mut again = home.start("again", &[&again[..], &slowly[..]].concat());
    again.wait("mpv follows the film again", |line| {
        (line["following"]["activity"] == "playing").then_some(())
    });
    again.say("quit");
    assert!(again.wait_end(), "it ends cleanly: {}", again.errors());
    let plot = home.run(&["replay", &session, "--plot", "Bo"]).stdout();
    assert!(
        plot.starts_with("Bo: ") && plot.contains("±1 ms ┤"),
        "{plot}"
    );
}
