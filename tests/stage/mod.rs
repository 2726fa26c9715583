//! What tests of the driven Chrome have in common: waiting, looking, and a user's hands.

#![allow(dead_code, reason = "every test file uses another part of the stage")]

use std::path::PathBuf;
use std::time::Duration;

use chromiumoxide::Page;
use chromiumoxide::cdp::browser_protocol::input::{
    DispatchKeyEventParams, DispatchKeyEventType, DispatchMouseEventParams, DispatchMouseEventType,
    MouseButton,
};
use chromiumoxide::cdp::browser_protocol::target::CloseTargetParams;
use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use seance::engine::unit::{LocalTime, MediaTime, Micros};
use seance::player::browser::{BrowserPlayer, LaunchOptions, find_chrome};
use seance::player::contract::Hand;
use seance::player::{Activity, Player, Sample};

use super::doubles::or_skip;

/// How long anything here may take before the test says that it hangs: on a busy machine, the start of
/// a Chrome takes many seconds.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Chrome, or `None` with a printed reason.
pub fn found_chrome() -> Option<PathBuf> {
    or_skip(find_chrome().ok_or("no Chrome or Chromium (set SEANCE_CHROME)"))
}

/// A player without a window, with these flags.
pub async fn launch(extra_args: Vec<String>) -> BrowserPlayer {
    let options = LaunchOptions {
        headless: true,
        no_sandbox: true,
        extra_args,
        ..LaunchOptions::default()
    };
    within(BrowserPlayer::launch(options)).await.unwrap()
}

/// Waits for work that must not hang.
pub async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work)
        .await
        .expect("it hangs")
}

/// Samples until `wanted` holds; says the last sample when it never does.
pub async fn until(player: &mut BrowserPlayer, wanted: impl Fn(&Sample) -> bool) -> Sample {
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

/// Samples until a film that could not be shown stands ready.
pub async fn until_healed(player: &mut BrowserPlayer) -> Sample {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    loop {
        tick.tick().await;
        let sample = player.sample().await;
        match sample {
            Ok(sample) if sample.activity == Activity::Paused => return sample,
            _ => assert!(
                tokio::time::Instant::now() < deadline,
                "it never healed; last {sample:?}"
            ),
        }
    }
}

/// Whether a sample is of this activity.
pub fn is(activity: Activity) -> impl Fn(&Sample) -> bool {
    move |sample| sample.activity == activity
}

/// Whether two positions are one but for so many milliseconds.
pub fn near(position: MediaTime, expected: MediaTime, millis: i64) -> bool {
    (position - expected).abs() <= Micros::from_millis(millis)
}

/// Whether a film plays that was told, at `told`, to play from `from`: nothing of it passed over, and
/// no further than time has carried it since, however late a busy machine looks.
pub fn plays_from(sample: &Sample, from: MediaTime, told: LocalTime, slack_millis: i64) -> bool {
    let slack = Micros::from_millis(slack_millis);
    sample.activity == Activity::Playing
        && sample.position + slack >= from
        && sample.position <= from + (sample.at - told) + slack
}

/// A trusted click, as a user's.
pub async fn click(player: &BrowserPlayer, x: f64, y: f64) {
    mouse(player, DispatchMouseEventType::MouseMoved, x, y).await;
    mouse(player, DispatchMouseEventType::MousePressed, x, y).await;
    mouse(player, DispatchMouseEventType::MouseReleased, x, y).await;
}

/// One trusted event of the mouse.
pub async fn mouse(player: &BrowserPlayer, kind: DispatchMouseEventType, x: f64, y: f64) {
    let mut event = DispatchMouseEventParams::new(kind, x, y);
    event.button = Some(MouseButton::Left);
    event.buttons = Some(1);
    event.click_count = Some(1);
    within(player.page().execute(event)).await.unwrap();
}

/// A trusted key, as a user's.
pub async fn press(player: &BrowserPlayer, key: &str, code: &str, number: i64) {
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

/// The space bar, as a user's.
pub async fn space(player: &BrowserPlayer) {
    press(player, " ", "Space", 32).await;
}

/// Runs a script in the page's own world, as the page itself would.
pub async fn script(player: &BrowserPlayer, expression: &str) -> serde_json::Value {
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

/// Waits until an expression of the page's own world is true.
pub async fn until_page(player: &BrowserPlayer, expression: &str) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while script(player, expression).await != true {
        assert!(
            tokio::time::Instant::now() < deadline,
            "never: {expression}"
        );
    }
}

/// The film's user, with a keyboard and a mouse.
pub struct User {
    page: Page,
    /// How this page's film is moved to a second: `double.drag(@)`.
    drag: &'static str,
}

impl User {
    /// The user of this player's page.
    pub fn of(player: &BrowserPlayer, drag: &'static str) -> Self {
        Self {
            page: player.page().clone(),
            drag,
        }
    }

    async fn space(&self) {
        for kind in [
            DispatchKeyEventType::RawKeyDown,
            DispatchKeyEventType::KeyUp,
        ] {
            let mut event = DispatchKeyEventParams::new(kind);
            event.key = Some(" ".into());
            event.code = Some("Space".into());
            event.windows_virtual_key_code = Some(32);
            within(self.page.execute(event)).await.unwrap();
        }
    }
}

impl Hand for User {
    async fn press_pause(&mut self) {
        self.space().await;
    }

    async fn press_play(&mut self) {
        self.space().await;
    }

    async fn drag_to(&mut self, to: MediaTime) {
        // Control bars are closed to scripts; what a drag does to a page is this:
        // the pointer goes down on the film, its time changes, the pointer comes up.
        let mut event =
            DispatchMouseEventParams::new(DispatchMouseEventType::MousePressed, 300.0, 200.0);
        event.button = Some(MouseButton::Right);
        within(self.page.execute(event.clone())).await.unwrap();
        let moved = self.drag.replace('@', &(to.get() as f64 / 1e6).to_string());
        within(self.page.execute(EvaluateParams::new(moved)))
            .await
            .unwrap();
        event.r#type = DispatchMouseEventType::MouseReleased;
        within(self.page.execute(event)).await.unwrap();
    }

    async fn close_window(&mut self) {
        let close = CloseTargetParams::new(self.page.target_id().clone());
        // The answer may be lost with the window.
        let _ = tokio::time::timeout(PATIENCE, self.page.execute(close)).await;
    }
}
