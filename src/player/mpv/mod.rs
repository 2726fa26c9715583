//! The mpv player: local files, film addresses, and what yt-dlp can open.
//!
//! mpv is driven over its JSON IPC (a line each way, <https://mpv.io/manual/stable/#json-ipc>)
//! on a socket pair that it inherits as its standard input: no file in a shared
//! folder, nobody else can speak on it, and when we are gone mpv hears the end
//! and goes too. One task, the [`wire`], owns the socket and the process;
//! [`MpvPlayer`] is the handle, each call some requests with a deadline.
//!
//! Whose doing a change was follows from [`Echo`](crate::engine::sync::echo::Echo): mpv executes requests in
//! order and answers each when it is done, so an answer is as good as seeing
//! the state. mpv runs with nobody's scripts and nobody's configuration, so
//! that nothing in it moves by itself: stalls and ends are states of their own
//! there, and what is unlike everything written was its user's hand.
//!
//! Where the film stands is `audio-pts`, what the sound card plays now; it
//! strays by some 0.05 ms (measured), where `time-pos` moves a frame at a
//! time. A film without sound is measured at the moment each frame is shown.
//! `scaletempo2` stands in the chain for good: adding it for a correction
//! would cost 4 to 9 ms of film each time, having it costs 0.2 ms.
//!
//! Exact seeks land on a frame, up to one frame after where they were asked
//! to; the next start is moved by so much, so that the film is on the line
//! from its first moment. `SEANCE_MPV` names another mpv, `SEANCE_MPV_FLAGS`
//! adds options.

mod local;
mod wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::engine::event::Inability;
use crate::engine::media::{Media, Provider};
use crate::engine::sync::controller::{Footing, Habits};
use crate::engine::sync::echo::Act;
use crate::engine::unit::{LocalTime, MediaTime, Micros};
use crate::player::{Notice, Player, PlayerError, Sample};

pub use local::{Claim, Found, address_of, claim_of, find, is_local};
use wire::{Answer, Ask, Seen, Stage, Wire};

/// The sentence for people without mpv.
const NOT_FOUND: &str =
    "mpv was not found. Install mpv, or choose the browser as your player instead.";

/// A healthy mpv answers within a millisecond; one that decodes a large frame in some ten.
const CALL_DEADLINE: Duration = Duration::from_secs(2);
/// Reading a film's length may take so long: a disk that has to wake up.
const LENGTH_DEADLINE: Duration = Duration::from_secs(5);
/// Opening a film on a slow line, or yt-dlp on a slow site. The driver's own limit is the same.
const LOAD_DEADLINE: Duration = Duration::from_secs(30);
/// How long mpv may take from its start to its first answer. A guess; measured: 0.1 s.
const START_DEADLINE: Duration = Duration::from_secs(10);
/// How long mpv may take to go.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);
/// Requests that may wait for the wire; callers wait for room.
const ASKS_MAX: usize = 64;
/// Notices that may wait for the driver, which reads them at once.
const NOTICES_MAX: usize = 64;
/// A standing film is moved only when it is further off: a start makes good the rest.
const FRAME: Micros = Micros::from_millis(60);
/// A start is moved by at most this much for where the film stands; more is no landing.
const SHIFT_MAX: Micros = Micros::from_millis(150);
/// The rates mpv accepts.
const RATES: std::ops::RangeInclusive<f64> = 0.01..=100.0;

/// How mpv is started.
#[derive(Clone, Debug, Default)]
pub struct MpvOptions {
    /// The program; `None` looks in `SEANCE_MPV`, then on the `PATH`.
    pub mpv: Option<PathBuf>,
    /// Without a window and without sound, for tests and machines without either.
    pub headless: bool,
    /// Where this viewer's own copies of films lie.
    pub films: Vec<PathBuf>,
    /// Further options, after ours.
    pub extra_args: Vec<String>,
}

/// The user's mpv, if there is one.
pub fn find_mpv() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("SEANCE_MPV") {
        return Some(PathBuf::from(named)).filter(|path| path.is_file());
    }
    on_path("mpv")
}

/// Whether mpv can open pages of sites here.
pub fn has_ytdl() -> bool {
    ["yt-dlp", "yt-dlp_x86", "youtube-dl"]
        .iter()
        .any(|name| on_path(name).is_some())
}

/// How long the film at `path` is, as mpv reads it; `None` where it does not say so soon.
pub async fn length_of(path: &Path) -> Option<Micros> {
    let mut mpv = tokio::process::Command::new(find_mpv()?);
    mpv.args([
        "--no-config",
        "--load-scripts=no",
        "--ytdl=no",
        "--vo=null",
        "--ao=null",
        "--frames=1",
        "--msg-level=all=no,term-msg=info,cplayer=info",
        "--term-playing-msg=seance-length=${=duration}",
        "--",
    ])
    .arg(path)
    .stdin(std::process::Stdio::null())
    .kill_on_drop(true);
    let output = tokio::time::timeout(LENGTH_DEADLINE, mpv.output()).await;
    let said = output.ok()?.ok()?.stdout;
    let said = String::from_utf8_lossy(&said);
    let secs = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("seance-length="))?;
    let secs: f64 = secs.parse().ok()?;
    (secs > 0.0 && secs < 1e6).then(|| Micros::new((secs * 1e6).round() as i64))
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// mpv's command line. Each option is here for a reason.
fn arguments(options: &MpvOptions) -> Vec<String> {
    let mut args: Vec<String> = [
        // The wire: its standard input is our socket.
        "--input-ipc-client=fd://0",
        "--no-terminal",
        // Scripts and settings of its user's would move the film behind our back.
        "--no-config",
        "--load-scripts=no",
        // It waits for films, paused, and stays at their end.
        "--idle=yes",
        "--pause=yes",
        "--keep-open=yes",
        "--keep-open-pause=no",
        "--resume-playback=no",
        "--save-position-on-quit=no",
        // Seeks go where they are told, by keys too.
        "--hr-seek=yes",
        // Always there, so that a correction neither adds nor removes it.
        "--af=scaletempo2",
        "--title=Séance",
    ]
    .map(String::from)
    .into();
    if options.headless {
        args.extend(["--vo=null", "--ao=null"].map(String::from));
    } else {
        args.push("--force-window=yes".to_owned());
    }
    args.extend(options.extra_args.iter().cloned());
    args
}

/// A film in an mpv window.
#[derive(Debug)]
pub struct MpvPlayer {
    asks: mpsc::Sender<Ask>,
    seen: watch::Receiver<Seen>,
    notices: mpsc::Receiver<Notice>,
    own_notices: mpsc::Sender<Notice>,
    lost_said: bool,
    films: Vec<PathBuf>,
    /// Why the last film was not opened, where mpv was not even asked.
    unable: Option<Inability>,
    /// The frame the film was asked to stand on.
    aim: Option<MediaTime>,
    footing: Footing,
    wire: JoinHandle<()>,
}

impl MpvPlayer {
    /// Starts mpv with an empty window.
    ///
    /// # Errors
    /// [`PlayerError::Missing`] when there is no mpv, or it does not start.
    pub async fn launch(options: MpvOptions) -> Result<Self, PlayerError> {
        let missing = || PlayerError::Missing(NOT_FOUND.to_owned());
        let program = options.mpv.clone().or_else(find_mpv).ok_or_else(missing)?;
        let (notices_in, notices) = mpsc::channel(NOTICES_MAX);
        let (asks, inbox) = mpsc::channel(ASKS_MAX);
        let (seen_in, seen) = watch::channel(Seen::default());
        let wire = Wire::spawn(&program, &arguments(&options), notices_in.clone(), seen_in)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => missing(),
                _ => did_not_start(&error),
            })?;
        let player = Self {
            asks,
            seen,
            notices,
            own_notices: notices_in,
            lost_said: false,
            films: options.films,
            unable: None,
            aim: None,
            footing: Footing::Sought,
            wire: tokio::spawn(wire.run(inbox)),
        };
        let asked = player.ask(json!(["get_property", "mpv-version"]), None);
        match tokio::time::timeout(START_DEADLINE, asked).await {
            Ok(Ok(answer)) => {
                tracing::debug!(version = %answer.value, "mpv is open");
                Ok(player)
            }
            Ok(Err(error)) => Err(did_not_start(&error)),
            Err(_) => Err(did_not_start(&"it does not answer")),
        }
    }

    /// Plays a user's part, for tests: a command as a key of its window would give it.
    #[doc(hidden)]
    pub fn hand(&self) -> MpvHand {
        MpvHand(self.asks.clone())
    }

    /// Asks mpv for something and waits for its answer.
    async fn ask(&self, command: Value, act: Option<Act>) -> Result<Answer, PlayerError> {
        let (ask, answer) = Ask::new(command, act);
        // An error means that the wire has ended, which `lost` says.
        let _ = self.asks.send(ask).await;
        match tokio::time::timeout(CALL_DEADLINE, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(PlayerError::Lost(self.why_lost())),
            Err(_) => Err(PlayerError::Late(Micros::from_secs(2))),
        }
    }

    fn why_lost(&self) -> String {
        let lost = self.seen.borrow().lost.clone();
        lost.unwrap_or_else(|| wire::CLOSED.to_owned())
    }

    fn alive(&self) -> Result<(), PlayerError> {
        match &self.seen.borrow().lost {
            Some(why) => Err(PlayerError::Lost(why.clone())),
            None => Ok(()),
        }
    }

    /// That there is a film to do something with.
    fn playable(&self) -> Result<(), PlayerError> {
        self.alive()?;
        match &self.seen.borrow().stage {
            Stage::Empty => Err(PlayerError::Media("No film is loaded.".to_owned())),
            Stage::Failed(why) => Err(PlayerError::Media(why.clone())),
            Stage::Opening | Stage::Shown => Ok(()),
        }
    }

    async fn set_pause(&self, pause: bool) -> Result<(), PlayerError> {
        let command = json!(["set_property", "pause", pause]);
        self.ask(command, Some(Act::Playing(!pause))).await?;
        Ok(())
    }

    async fn move_to(&mut self, position: MediaTime) -> Result<(), PlayerError> {
        // Its end is as far as a seek gets.
        let end = self
            .seen
            .borrow()
            .duration
            .map(|length| MediaTime::ZERO + length);
        let to = end.map_or(position, |end| position.min(end));
        let command = json!(["seek", seconds(to), "absolute+exact"]);
        self.footing = Footing::Sought;
        self.ask(command, Some(Act::Position(to))).await?;
        Ok(())
    }

    /// Where the film stands, and when it did.
    async fn place(&self) -> Result<(LocalTime, MediaTime), PlayerError> {
        let (sound, picture) = tokio::join!(
            self.ask(json!(["get_property", "audio-pts"]), None),
            self.ask(json!(["get_property", "time-pos"]), None),
        );
        let (sound, picture) = (sound?, picture?);
        // Moved to where it stands, the film's sound is not with the card yet.
        let unplayed = self.footing == Footing::Sought && self.seen.borrow().paused;
        if let Some(position) = sound.position().filter(|_| !unplayed) {
            return Ok((sound.middle(), position));
        }
        // A film without sound: the last frame, and when it was shown.
        let seen = self.seen.borrow();
        match (picture.position(), seen.frame) {
            (Some(position), Some((at, frame))) if frame == position && !seen.paused => {
                Ok((at, frame))
            }
            (Some(position), _) => Ok((picture.middle(), position)),
            (None, _) => Ok((picture.middle(), self.aim.unwrap_or(MediaTime::ZERO))),
        }
    }

    /// What mpv is to open for `media`, and what to tell its viewer about it.
    async fn source(&self, media: &Media) -> Result<(String, Option<String>), PlayerError> {
        if media.provider == Provider::File {
            // Folders of films lie on disks that sleep and on machines elsewhere.
            let (wanted, films) = (media.clone(), self.films.clone());
            let found = tokio::task::spawn_blocking(move || find(&wanted, &films)).await;
            return match found.expect("looking for a file does not panic") {
                Found::Copy { path, warning } => Ok((path.display().to_string(), warning)),
                Found::Missing(sentence) => Err(PlayerError::Media(sentence)),
                Found::Remote => Ok((media.url(MediaTime::ZERO), None)),
            };
        }
        if !has_ytdl() {
            return Err(PlayerError::Media(format!(
                "mpv needs yt-dlp to open {}. Install yt-dlp, or choose the browser as your player.",
                media.provider.name()
            )));
        }
        Ok((media.url(MediaTime::ZERO), None))
    }

    /// Compares the length of a viewer's own copy with what its address says.
    fn check_length(&self, media: &Media) -> Option<String> {
        let claimed = claim_of(media)?.length?;
        let own = self.seen.borrow().duration?;
        let off = own - claimed;
        (off.abs() > local::LENGTH_SLACK).then(|| local::other_length(&media.label(), off))
    }

    async fn warn(&self, sentence: Option<String>) {
        if let Some(sentence) = sentence {
            // An error means that nobody listens.
            let _ = self.own_notices.send(Notice::Trouble(sentence)).await;
        }
    }
}

impl Player for MpvPlayer {
    async fn load(&mut self, media: &Media, start: MediaTime) -> Result<(), PlayerError> {
        self.alive()?;
        let (source, warning) = self.source(media).await.inspect_err(|_| {
            self.unable = Some(if claim_of(media).is_some() {
                Inability::NoCopy
            } else {
                Inability::OtherPlayer
            });
        })?;
        self.unable = None;
        self.aim = Some(start);
        self.footing = Footing::Sought;
        self.set_pause(true).await?;
        self.ask(
            json!(["set_property", "speed", 1.0]),
            Some(Act::RatePpm(1_000_000)),
        )
        .await?;
        let from = json!(["set_property", "options/start", seconds(start).to_string()]);
        self.ask(from, None).await?;
        let load = self
            .ask(json!(["loadfile", source, "replace"]), None)
            .await?;
        let Some(entry) = load.entry() else {
            return Err(PlayerError::Media(format!(
                "mpv does not open this film ({}).",
                load.error
            )));
        };
        let mut seen = self.seen.clone();
        let opened = seen.wait_for(|seen| {
            seen.lost.is_some() || (seen.entry == Some(entry) && seen.stage != Stage::Opening)
        });
        let late = tokio::time::timeout(LOAD_DEADLINE, opened).await.is_err();
        if late {
            return Err(PlayerError::Late(Micros::from_secs(30)));
        }
        self.playable()?;
        self.warn(warning).await;
        self.warn(self.check_length(media)).await;
        Ok(())
    }

    async fn play(&mut self, at: LocalTime) -> Result<(), PlayerError> {
        self.playable()?;
        let mut at = at;
        if let Some(aim) = self.aim.take() {
            let (_, stands) = self.place().await?;
            let rate = self.seen.borrow().rate;
            let ahead = Micros::new(((stands - aim).get() as f64 / rate) as i64);
            if ahead.abs() <= SHIFT_MAX {
                at = at + ahead;
            }
        }
        let command = json!(["set_property", "pause", false]);
        let (ask, _answer) = Ask::new(command, Some(Act::Playing(true)));
        let ask = ask.at(at);
        let gone = self.asks.send(ask).await.is_err();
        if gone {
            return Err(PlayerError::Lost(self.why_lost()));
        }
        Ok(())
    }

    async fn pause(&mut self, position: MediaTime) -> Result<(), PlayerError> {
        self.playable()?;
        let ran = !self.seen.borrow().paused;
        self.set_pause(true).await?;
        if ran {
            self.footing = Footing::Still;
        }
        let (_, stands) = self.place().await?;
        if (stands - position).abs() > FRAME {
            self.move_to(position).await?;
        }
        self.aim = Some(position);
        Ok(())
    }

    async fn seek(&mut self, position: MediaTime) -> Result<(), PlayerError> {
        self.playable()?;
        self.move_to(position).await?;
        self.aim = self.seen.borrow().paused.then_some(position);
        Ok(())
    }

    async fn set_rate(&mut self, rate: f64) -> Result<(), PlayerError> {
        self.playable()?;
        if !RATES.contains(&rate) {
            return Err(PlayerError::Media(format!(
                "mpv plays at {} to {} times the film's speed, not {rate}.",
                RATES.start(),
                RATES.end()
            )));
        }
        let act = Act::RatePpm((rate * 1e6).round() as i64);
        let command = json!(["set_property", "speed", rate]);
        self.ask(command, Some(act)).await?;
        Ok(())
    }

    async fn sample(&mut self) -> Result<Sample, PlayerError> {
        self.alive()?;
        if self.seen.borrow().stage != Stage::Empty {
            self.playable()?;
        }
        let (at, position) = self.place().await?;
        let seen = self.seen.borrow();
        Ok(Sample {
            at,
            position,
            rate: seen.rate,
            activity: seen.activity(),
            duration: seen.duration,
        })
    }

    async fn notice(&mut self) -> Notice {
        if self.lost_said {
            return std::future::pending().await;
        }
        let lost = async {
            let mut seen = self.seen.clone();
            // An error means that the wire has ended, and it says why before.
            let _ = seen.wait_for(|seen| seen.lost.is_some()).await;
        };
        tokio::select! {
            biased;
            Some(notice) = self.notices.recv() => return notice,
            () = lost => {}
        }
        self.lost_said = true;
        Notice::Lost(self.why_lost())
    }

    fn inability(&self) -> Inability {
        self.unable.unwrap_or(Inability::Other)
    }

    fn habits(&self) -> Habits {
        Habits::default()
    }

    fn footing(&self) -> Footing {
        self.footing
    }

    async fn close(self) {
        let Self { asks, wire, .. } = self;
        drop(asks);
        if tokio::time::timeout(CLOSE_DEADLINE, wire).await.is_err() {
            tracing::warn!("mpv took too long to close");
        }
    }
}

/// A test's hand on an mpv: what the keys of its window do.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct MpvHand(mpsc::Sender<Ask>);

impl MpvHand {
    /// Gives mpv a command that did not come from the player.
    pub async fn press(&self, command: Value) {
        // A player that is gone has no keys.
        let _ = self.ask(command).await;
    }

    /// The same, and what came of it: when it was asked, when it was answered, and what with.
    pub async fn ask(&self, command: Value) -> Option<(LocalTime, LocalTime, Value)> {
        let (ask, answer) = Ask::new(command, None);
        self.0.send(ask).await.ok()?;
        let answer = tokio::time::timeout(CALL_DEADLINE, answer).await;
        let answer = answer.ok()?.ok()?;
        Some((answer.asked, answer.heard, answer.value))
    }
}

impl Answer {
    /// The answer as a position, if it is one.
    fn position(&self) -> Option<MediaTime> {
        position(&self.value)
    }

    /// The middle between asking and hearing: when it was most likely true.
    fn middle(&self) -> LocalTime {
        self.asked + Micros::new((self.heard - self.asked).get() / 2)
    }

    /// Which entry of its list mpv took a film in as.
    fn entry(&self) -> Option<u64> {
        self.value.get("playlist_entry_id")?.as_u64()
    }
}

fn seconds(position: MediaTime) -> f64 {
    position.get() as f64 / 1e6
}

/// Seconds as a position. A film may begin a little before zero; it stands at zero then.
fn position(value: &Value) -> Option<MediaTime> {
    let micros = value.as_f64()? * 1e6;
    (micros.is_finite() && micros < 9e15).then(|| MediaTime::new(micros.max(0.0).round() as u64))
}

fn did_not_start(why: &dyn std::fmt::Display) -> PlayerError {
    PlayerError::Missing(format!(
        "mpv did not start ({why}). Try again, or choose the browser as your player."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_mpv_says_what_to_do() {
        let options = MpvOptions {
            mpv: Some("/nowhere/mpv".into()),
            ..MpvOptions::default()
        };
        let missing = MpvPlayer::launch(options).await.map(|_| ()).unwrap_err();
        assert_eq!(missing, PlayerError::Missing(NOT_FOUND.into()));
    }

    #[test]
    fn nobody_elses_settings_move_the_film() {
        let args = arguments(&MpvOptions::default());
        for wanted in ["--no-config", "--load-scripts=no", "--force-window=yes"] {
            assert!(args.contains(&wanted.to_owned()), "{wanted}");
        }
        assert!(!args.iter().any(|arg| arg.contains("null")));
    }
}
