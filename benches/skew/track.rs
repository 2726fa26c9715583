//! What a film's page noted: its media clock, on this machine's clock.

use anyhow::{Context as _, Result};
use chromiumoxide::Page;
use seance::engine::unit::{LocalTime, MediaTime};
use seance::os;
use serde::Deserialize;

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
