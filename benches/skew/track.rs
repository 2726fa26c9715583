//! What a film's page noted: its media clock, on this machine's clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use chromiumoxide::Page;
use seance::engine::unit::{LocalTime, MediaTime};
use seance::os;
use seance::player::mpv::MpvHand;
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinHandle;

/// Notes the media clock at every refresh of the screen, and each seek and change of rate.
pub const SAMPLER: &str = r#"(() => {
  if (globalThis.skew) return;
  const video = document.querySelector("video");
  const fresh = () => ({ clock: [], screen: [], rates: [], seeks: [] });
  let kept = fresh();
  globalThis.skew = () => { const full = kept; kept = fresh(); return JSON.stringify(full); };
  video.addEventListener("ratechange", () => kept.rates.push([performance.now(), video.playbackRate]));
  video.addEventListener("seeking", () => kept.seeks.push([performance.now(), video.currentTime]));
  const note = () => {
    requestAnimationFrame(note);
    if (!video.paused && !video.seeking) kept.clock.push([performance.now(), video.currentTime]);
  };
  note();
  const frame = (_now, { expectedDisplayTime, mediaTime }) => {
    video.requestVideoFrameCallback(frame);
    if (!video.paused) kept.screen.push([expectedDisplayTime, mediaTime]);
  };
  video.requestVideoFrameCallback(frame);
})()"#;

/// Exchanges with a page that fix its clock: enough that some are short on a busy machine.
const EXCHANGES: usize = 30;

#[derive(Deserialize)]
struct Noted {
    clock: Vec<[f64; 2]>,
    screen: Vec<[f64; 2]>,
    rates: Vec<[f64; 2]>,
    seeks: Vec<[f64; 2]>,
}

/// A line to be on, in this machine's time.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// From this moment …
    pub from: LocalTime,
    /// … and place on …
    pub position: MediaTime,
    /// … at this rate.
    pub rate: f64,
}

impl Line {
    /// The same line, looked at from a later moment on.
    pub fn from(self, from: LocalTime) -> Self {
        Self {
            from,
            position: MediaTime::new(self.at(from.get() as f64).max(0.0) as u64),
            ..self
        }
    }

    /// Where a film should stand, in microseconds.
    pub fn at(&self, local: f64) -> f64 {
        // Before its beginning a line stands.
        self.position.get() as f64 + (local - self.from.get() as f64).max(0.0) * self.rate
    }
}

/// One player's notes. Times and places in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// The media clock.
    pub clock: Vec<(f64, f64)>,
    /// Which frame was shown when.
    pub screen: Vec<(f64, f64)>,
    /// Changes of rate.
    pub rates: Vec<(f64, f64)>,
    /// Seeks.
    pub seeks: Vec<(f64, f64)>,
}

impl Track {
    /// Takes what a page noted since the last time.
    pub async fn drain(page: &Page) -> Result<Self> {
        let zero = zero(page).await?;
        let text: String = page.evaluate("skew()").await?.into_value()?;
        let noted: Noted = serde_json::from_str(&text)?;
        let places = |noted: Vec<[f64; 2]>| {
            noted
                .into_iter()
                .map(|[at, place]| (zero + at * 1e3, place * 1e6))
                .collect()
        };
        // A page says twice that it changed when the default rate changes with it.
        let values = |mut noted: Vec<[f64; 2]>| {
            noted.dedup_by_key(|noted| noted[1].to_bits());
            noted
                .into_iter()
                .map(|[at, value]| (zero + at * 1e3, value))
                .collect()
        };
        Ok(Self {
            clock: places(noted.clock),
            screen: places(noted.screen),
            rates: values(noted.rates),
            seeks: places(noted.seeks),
        })
    }

    /// Where the film was at `at`, from the note before it; `None` without a recent one.
    pub fn place(&self, at: f64, rate: f64) -> Option<f64> {
        let after = self.clock.partition_point(|&(noted, _)| noted <= at);
        let (noted, place) = *self.clock.get(after.checked_sub(1)?)?;
        (at - noted < 100_000.0).then_some(place + (at - noted) * rate)
    }
}

/// This machine's time of the page's zero: every exchange bounds it from both sides.
async fn zero(page: &Page) -> Result<f64> {
    let (mut least, mut most) = (f64::MIN, f64::MAX);
    for _ in 0..EXCHANGES {
        let asked = os::local_now().get() as f64;
        let page_micros: f64 = page
            .evaluate("performance.now()")
            .await?
            .into_value::<f64>()?
            * 1e3;
        let heard = os::local_now().get() as f64;
        least = least.max(asked - page_micros);
        most = most.min(heard - page_micros);
    }
    // A page's clock moves in steps of 0.1 ms, so bounds may cross by that much.
    (most - least > -300.0)
        .then_some((least + most) / 2.0)
        .context("a page's clock jumped")
}

/// Between two looks at an mpv: as often as a screen refreshes.
const LOOK_EVERY: Duration = Duration::from_millis(16);
/// A film that is this far from where it was going to be has jumped.
const JUMP: f64 = 200_000.0;

/// Notes what an mpv does, from outside its player.
#[derive(Debug)]
pub struct MpvTracker {
    kept: Arc<Mutex<Track>>,
    hand: MpvHand,
    task: JoinHandle<()>,
}

impl MpvTracker {
    /// Begins to look.
    pub fn start(hand: MpvHand) -> Self {
        let kept = Arc::new(Mutex::new(Track::default()));
        let (notes, looks) = (Arc::clone(&kept), hand.clone());
        let task = tokio::spawn(async move {
            let mut every = tokio::time::interval(LOOK_EVERY);
            let (mut rate_was, mut last): (f64, Option<(f64, f64)>) = (1.0, None);
            loop {
                every.tick().await;
                let asked = |name| looks.ask(json!(["get_property", name]));
                let (Some(place), Some(rate), Some(paused)) = (
                    asked("audio-pts").await,
                    asked("speed").await,
                    asked("pause").await,
                ) else {
                    continue;
                };
                let at = (place.0.get() as f64 + place.1.get() as f64) / 2.0;
                let rate = rate.2.as_f64().unwrap_or(rate_was);
                let mut kept = notes.lock().unwrap_or_else(PoisonError::into_inner);
                if (rate - rate_was).abs() > 1e-6 {
                    kept.rates.push((at, rate));
                }
                let place = place.2.as_f64().map(|secs| secs * 1e6);
                let runs = paused.2 == json!(false);
                if let (Some(place), true) = (place, runs) {
                    let jumped = last.is_some_and(|(then, from)| {
                        (place - from - (at - then) * rate_was).abs() > JUMP
                    });
                    if jumped {
                        kept.seeks.push((at, place));
                    }
                    kept.clock.push((at, place));
                    last = Some((at, place));
                } else {
                    last = None; // what happens while it stands is no correction
                }
                rate_was = rate;
            }
        });
        Self { kept, hand, task }
    }

    /// What was noted since the last time.
    pub fn drain(&self) -> Track {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *kept)
    }

    /// Waits until its film stands on a frame.
    pub async fn stands(&self, deadline: Duration) -> Result<()> {
        let look = async {
            loop {
                let place = self.hand.ask(json!(["get_property", "time-pos"])).await;
                let paused = self.hand.ask(json!(["get_property", "pause"])).await;
                let seeking = self.hand.ask(json!(["get_property", "seeking"])).await;
                let is = |answer: &Option<_>, wanted: bool| matches!(answer, Some((_, _, value)) if *value == json!(wanted));
                let shown = matches!(&place, Some((_, _, value)) if value.is_number());
                if shown && is(&paused, true) && is(&seeking, false) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let stood = tokio::time::timeout(deadline, look).await;
        stood.map_err(|_| anyhow!("never came true: an mpv's film stands on a frame"))
    }
}

impl Drop for MpvTracker {
    fn drop(&mut self) {
        self.task.abort();
    }
}
