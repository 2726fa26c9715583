//! The Chromium player against a real Chromium and local doubles of sites.
//!
//! Each test takes the stage alone: two Chromiums on two cores would measure
//! each other. Without Chromium or ffmpeg the tests say so and skip.

#![cfg(feature = "browser")]

mod doubles;

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::input::{
    DispatchKeyEventParams, DispatchKeyEventType, DispatchMouseEventParams, DispatchMouseEventType,
    MouseButton,
};
use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use doubles::{FILM_SECS, Film, Server};
use seance::engine::media::{Media, Provider};
use seance::engine::unit::{MediaTime, Micros};
use seance::os::local_now;
use seance::player::browser::{BrowserPlayer, LaunchOptions, find_chrome};
use seance::player::{Activity, Notice, Player, PlayerError, Sample};
use tokio::sync::{Mutex, MutexGuard};

/// How long anything here may take before the test says that it hangs.
const PATIENCE: Duration = Duration::from_secs(15);

static STAGE: Mutex<()> = Mutex::const_new(());

/// One test's hold of the machine, its film and its film server.
struct Stage {
    films: Server,
    _alone: MutexGuard<'static, ()>,
}

impl Stage {
    /// The stage, or `None` with a printed reason.
    async fn enter() -> Option<Self> {
        // RUST_LOG=seance=debug tells what the player thinks.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        if find_chrome().is_none() {
            eprintln!("skipped: no Chromium (set SEANCE_CHROME)");
            return None;
        }
        match Film::made() {
            Err(why) => {
                eprintln!("skipped: {why}");
                None
            }
            Ok(film) => Some(Self {
                _alone: STAGE.lock().await,
                films: Server::films(film).await,
            }),
        }
    }

    async fn player(&self) -> BrowserPlayer {
        launch(Vec::new()).await
    }

    /// A player with the film loaded at `start`.
    async fn playing(&self, start: MediaTime) -> BrowserPlayer {
        let mut player = self.player().await;
        let film = file(self.films.url("/film.mp4"));
        within(player.load(&film, start)).await.unwrap();
        player
    }
}

async fn launch(extra_args: Vec<String>) -> BrowserPlayer {
    let options = LaunchOptions {
        headless: true,
        no_sandbox: true,
        extra_args,
        ..LaunchOptions::default()
    };
    within(BrowserPlayer::launch(options)).await.unwrap()
}

fn file(id: String) -> Media {
    Media {
        provider: Provider::File,
        id,
    }
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("it hangs")
}

/// Samples until `wanted` holds; says the last sample when it never does.
async fn until(player: &mut BrowserPlayer, wanted: impl Fn(&Sample) -> bool) -> Sample {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    loop {
        tick.tick().await;
        let sample = player.sample().await.unwrap();
        if wanted(&sample) {
            return sample;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "it never came to it; last {sample:?}"
        );
    }
}

fn is(activity: Activity) -> impl Fn(&Sample) -> bool {
    move |sample| sample.activity == activity
}

fn near(position: MediaTime, expected: MediaTime, millis: i64) -> bool {
    (position - expected).abs() <= Micros::from_millis(millis)
}

/// A trusted click, as a user's.
async fn click(player: &BrowserPlayer, x: f64, y: f64) {
    for kind in [
        DispatchMouseEventType::MouseMoved,
        DispatchMouseEventType::MousePressed,
        DispatchMouseEventType::MouseReleased,
    ] {
        let mut event = DispatchMouseEventParams::new(kind, x, y);
        event.button = Some(MouseButton::Left);
        event.click_count = Some(1);
        within(player.page().execute(event)).await.unwrap();
    }
}

/// A trusted key, as a user's.
async fn press(player: &BrowserPlayer, key: &str, code: &str, number: i64) {
    for kind in [
        DispatchKeyEventType::RawKeyDown,
        DispatchKeyEventType::KeyUp,
    ] {
        let mut event = DispatchKeyEventParams::new(kind);
        event.key = Some(key.into());
        event.code = Some(code.into());
        event.windows_virtual_key_code = Some(number);
        within(player.page().execute(event)).await.unwrap();
    }
}

async fn space(player: &BrowserPlayer) {
    press(player, " ", "Space", 32).await;
}

/// Runs a script in the page's own world, as the page itself would.
async fn script(player: &BrowserPlayer, expression: &str) -> serde_json::Value {
    let mut evaluate = EvaluateParams::new(expression);
    evaluate.return_by_value = Some(true);
    within(player.page().execute(evaluate))
        .await
        .unwrap()
        .result
        .result
        .value
        .unwrap_or_default()
}

#[tokio::test]
async fn a_film_starts_at_the_moment_it_is_told_to() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let start = MediaTime::from_secs(30);
    let mut player = stage.playing(start).await;
    let ready = player.sample().await.unwrap();
    assert_eq!(ready.activity, Activity::Paused);
    assert!(near(ready.position, start, 1), "{ready:?}");
    assert!(
        (ready.duration.unwrap() - Micros::from_secs(FILM_SECS as i64)).abs()
            < Micros::from_millis(200)
    );

    let at = local_now() + Micros::from_millis(400);
    player.play(at).await.unwrap();
    let before = player.sample().await.unwrap();
    assert!(before.at < at && before.activity == Activity::Paused);
    let second = until(&mut player, |sample| sample.at > at + Micros::from_secs(1)).await;
    let expected = start + (second.at - at);
    assert_eq!(second.activity, Activity::Playing);
    assert!(
        near(second.position, expected, 100),
        "{second:?}, expected {expected:?}"
    );
    player.close().await;
}
