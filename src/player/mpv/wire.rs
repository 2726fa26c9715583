//! The one task that speaks with mpv: requests out, answers and events in.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};

use super::position;
use crate::engine::sync::echo::{Act, Echo, Kinds, Ticket, Whose};
use crate::engine::unit::{LocalTime, MediaTime, Micros};
use crate::os;
use crate::player::{Activity, Notice};

/// Why a player without a window is gone.
pub(super) const CLOSED: &str = "Its window was closed.";

/// How far from its target one of our seeks may land: a frame, and what plays until we look.
const LANDING: Micros = Micros::from_millis(500);
/// A seek that has not landed by then never will: the film cannot be moved.
const LANDING_DEADLINE: Micros = Micros::from_secs(10);
/// A hand that drags the bar asks for many places; the one it rests on so long is meant.
const HAND_RESTS: Micros = Micros::from_millis(150);
/// Timers are late by up to so much; the rest is waited for awake.
const AWAKE: Micros = Micros::from_millis(2);
/// How long mpv may take to go by itself.
const QUIT_WAIT: Duration = Duration::from_secs(3);
/// How often mpv is asked whether it plays. It tells of a change when it comes to it, and so tells
/// nothing of two in between: our start, and its user's pause right after.
const CHECK_EVERY: Micros = Micros::from_secs(1);

/// What the wire watches, by the numbers its events carry.
const WATCHED: [&str; 6] = [
    "pause",
    "speed",
    "paused-for-cache",
    "eof-reached",
    "duration",
    "time-pos",
];

/// One request.
#[derive(Debug)]
pub struct Ask {
    command: Value,
    /// What it does, if it is one of ours that does something.
    act: Option<Act>,
    /// Not before.
    at: Option<LocalTime>,
    answer: oneshot::Sender<Answer>,
}

impl Ask {
    pub(super) fn new(command: Value, act: Option<Act>) -> (Self, oneshot::Receiver<Answer>) {
        let (answer, heard) = oneshot::channel();
        let ask = Self {
            command,
            act,
            at: None,
            answer,
        };
        (ask, heard)
    }

    /// The same, at this moment. The next request that plays or pauses calls it off.
    pub(super) fn at(self, at: LocalTime) -> Self {
        Self {
            at: Some(at),
            ..self
        }
    }
}

/// What came of a request.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub value: Value,
    /// `success`, or mpv's words for what went wrong.
    pub error: String,
    pub asked: LocalTime,
    pub heard: LocalTime,
}

/// How far the film has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Empty,
    Opening,
    Shown,
    /// With a sentence for people.
    Failed(String),
}

/// What was seen of mpv so far.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub stage: Stage,
    /// Which entry of its list `stage` is about.
    pub entry: Option<u64>,
    pub paused: bool,
    pub stalled: bool,
    pub ended: bool,
    /// A seek is under way.
    pub seeking: bool,
    pub rate: f64,
    pub duration: Option<Micros>,
    /// The frame on the screen, and when it came.
    pub frame: Option<(LocalTime, MediaTime)>,
    pub lost: Option<String>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            stage: Stage::Empty,
            entry: None,
            paused: true,
            stalled: false,
            ended: false,
            seeking: false,
            rate: 1.0,
            duration: None,
            frame: None,
            lost: None,
        }
    }
}

impl Seen {
    pub fn activity(&self) -> Activity {
        match self {
            Self { stage, .. } if *stage != Stage::Shown => Activity::Loading,
            Self { seeking: true, .. } => Activity::Seeking,
            Self { ended: true, .. } => Activity::Ended,
            Self { paused: true, .. } => Activity::Paused,
            Self { stalled: true, .. } => Activity::Stalled,
            _ => Activity::Playing,
        }
    }
}

/// What an answer is for.
#[derive(Debug)]
enum Purpose {
    Caller {
        act: Option<(Ticket, Act)>,
        answer: oneshot::Sender<Answer>,
    },
    /// Something changed that was not written: is it still so?
    Confirm(Doubt),
    /// Is the film still paused, or still not?
    Check,
    /// A seek came to its end: where?
    Landing,
    /// Nothing waits for it.
    Nobody,
}

/// What was seen and not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    Playing,
    Rate,
}

struct Pending {
    asked: LocalTime,
    purpose: Purpose,
}

/// See the module.
pub(super) struct Wire {
    lines: Lines<BufReader<OwnedReadHalf>>,
    out: OwnedWriteHalf,
    child: Child,
    notices: mpsc::Sender<Notice>,
    seen: watch::Sender<Seen>,
    echo: Echo,
    pending: BTreeMap<u64, Pending>,
    next_id: u64,
    /// A start that waits for its time.
    start: Option<(LocalTime, Ask)>,
    /// When a seek of ours was asked that has not landed yet.
    sought: Option<(LocalTime, Ticket)>,
    /// Where the user's hand moved the film, and when that counts.
    hand: Option<(LocalTime, MediaTime)>,
    /// Where the film stands, for the user's pause.
    place: MediaTime,
    ended_said: bool,
    /// When mpv was last asked whether it plays.
    checked: LocalTime,
}

/// Why the wire ends.
enum End {
    /// The player was closed by us.
    Left,
    Lost(String),
}

impl Wire {
    /// Starts mpv with our socket as its standard input.
    pub fn spawn(
        program: &Path,
        args: &[String],
        notices: mpsc::Sender<Notice>,
        seen: watch::Sender<Seen>,
    ) -> io::Result<Self> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (read, out) = UnixStream::from_std(ours)?.into_split();
        Ok(Self {
            lines: BufReader::new(read).lines(),
            out,
            child,
            notices,
            seen,
            echo: Echo::new(LANDING),
            pending: BTreeMap::new(),
            next_id: 0,
            start: None,
            sought: None,
            hand: None,
            place: MediaTime::ZERO,
            ended_said: false,
            checked: os::local_now(),
        })
    }

    /// Serves until the player is dropped or mpv is gone.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Ask>) {
        let end = match self.watch_all().await {
            Ok(()) => self.serve(&mut inbox).await,
            Err(end) => end,
        };
        if let End::Lost(why) = end {
            self.seen.send_modify(|seen| seen.lost = Some(why));
        }
        // Whoever still waits for an answer hears that there will be none.
        self.pending.clear();
        inbox.close();
        let _ = self.send(json!({ "command": ["quit"] })).await;
        if tokio::time::timeout(QUIT_WAIT, self.child.wait())
            .await
            .is_err()
        {
            // It went meanwhile, or will now.
            let _ = self.child.kill().await;
        }
    }

    async fn watch_all(&mut self) -> Result<(), End> {
        for (number, name) in WATCHED.iter().enumerate() {
            let command = json!(["observe_property", number, name]);
            self.request(command, Purpose::Nobody).await?;
        }
        Ok(())
    }

    async fn serve(&mut self, inbox: &mut mpsc::Receiver<Ask>) -> End {
        loop {
            let due = self.due();
            let wait = due.map_or(Micros::from_secs(3_600), |due| due - os::local_now());
            let timer = tokio::time::sleep(Duration::from_micros(wait.get().max(0) as u64));
            let turn = tokio::select! {
                biased;
                line = self.lines.next_line() => match line {
                    Ok(Some(line)) => self.hear(&line).await,
                    Ok(None) => Err(End::Lost(CLOSED.to_owned())),
                    Err(error) => Err(End::Lost(format!("mpv went away ({error})"))),
                },
                ask = inbox.recv() => match ask {
                    Some(ask) => self.take(ask).await,
                    None => Err(End::Left),
                },
                () = timer => self.tick().await,
            };
            if let Err(end) = turn {
                return end;
            }
        }
    }

    /// When time brings something.
    fn due(&self) -> Option<LocalTime> {
        let start = self.start.as_ref().map(|(at, _)| *at - AWAKE);
        let landing = self.sought.map(|(asked, _)| asked + LANDING_DEADLINE);
        let hand = self.hand.map(|(at, _)| at);
        let shown = self.seen.borrow().stage == Stage::Shown;
        let check = shown.then(|| self.checked + CHECK_EVERY);
        [start, landing, hand, check].into_iter().flatten().min()
    }

    async fn tick(&mut self) -> Result<(), End> {
        let now = os::local_now();
        if let Some((at, ask)) = self.start.take_if(|(at, _)| *at - AWAKE <= now) {
            while os::local_now() < at {
                tokio::task::yield_now().await;
            }
            self.write(ask).await?;
        }
        if let Some((_, ticket)) = self
            .sought
            .take_if(|(asked, _)| *asked + LANDING_DEADLINE <= now)
        {
            tracing::debug!("a seek never landed");
            self.echo.failed(ticket);
            self.seen.send_modify(|seen| seen.seeking = false);
        }
        if let Some((_, place)) = self.hand.take_if(|(at, _)| *at <= now) {
            self.tell(Notice::UserSeeked(place));
        }
        if self.checked + CHECK_EVERY <= now {
            self.checked = now;
            if self.seen.borrow().stage == Stage::Shown {
                let command = json!(["get_property", "pause"]);
                self.request(command, Purpose::Check).await?;
            }
        }
        Ok(())
    }

    async fn take(&mut self, ask: Ask) -> Result<(), End> {
        if let Some(Act::Playing(_)) = ask.act {
            self.start = None; // a later word on it counts alone
        }
        match ask.at.filter(|at| *at > os::local_now()) {
            Some(at) => {
                self.start = Some((at, ask));
                Ok(())
            }
            None => self.write(ask).await,
        }
    }

    async fn write(&mut self, ask: Ask) -> Result<(), End> {
        let act = ask.act.map(|act| (self.echo.wrote(act), act));
        if let Some((ticket, Act::Position(_))) = act {
            self.sought = Some((os::local_now(), ticket));
            self.hand = None; // the room moved the film away from there
            self.seen.send_modify(|seen| {
                seen.seeking = true;
                seen.ended = false;
            });
            self.ended_said = false;
        }
        let answer = ask.answer;
        self.request(ask.command, Purpose::Caller { act, answer })
            .await
    }

    async fn request(&mut self, command: Value, purpose: Purpose) -> Result<(), End> {
        self.next_id += 1;
        let id = self.next_id;
        let asked = os::local_now();
        self.pending.insert(id, Pending { asked, purpose });
        self.send(json!({ "command": command, "request_id": id }))
            .await
    }

    async fn send(&mut self, message: Value) -> Result<(), End> {
        let line = format!("{message}\n");
        // mpv reads as long as it lives; a stopped one fills some hundred kilobytes of socket first.
        let written = tokio::time::timeout(QUIT_WAIT, self.out.write_all(line.as_bytes()));
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Lost(CLOSED.to_owned())),
            Err(_) => Err(End::Lost("mpv stopped answering".to_owned())),
        }
    }

    async fn hear(&mut self, line: &str) -> Result<(), End> {
        let heard = os::local_now();
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            tracing::warn!(line, "mpv said what is no JSON");
            return Ok(());
        };
        match message["event"].as_str() {
            Some(event) => self.event(event, &message, heard).await,
            None => self.answered(message, heard).await,
        }
    }

    async fn answered(&mut self, mut message: Value, heard: LocalTime) -> Result<(), End> {
        let id = message["request_id"].as_u64();
        let Some(Pending { asked, purpose }) = id.and_then(|id| self.pending.remove(&id)) else {
            return Ok(());
        };
        let error = message["error"].as_str().unwrap_or("no answer").to_owned();
        let value = message["data"].take();
        match purpose {
            Purpose::Caller { act, answer } => {
                if let Some((ticket, act)) = act {
                    self.done(ticket, act, error == "success");
                }
                let answered = Answer {
                    value,
                    error,
                    asked,
                    heard,
                };
                // An error means that the caller gave up.
                let _ = answer.send(answered);
            }
            Purpose::Confirm(doubt) => self.confirmed(doubt, &value),
            Purpose::Check => {
                // Answers come in order: what was written before has been noted.
                let paused = self.seen.borrow().paused;
                if value.as_bool().is_some_and(|is| is != paused) {
                    self.confirmed(Doubt::Playing, &value);
                }
            }
            Purpose::Landing => {
                if let Some(place) = position(&value) {
                    self.landed(place, heard);
                }
            }
            Purpose::Nobody => {}
        }
        Ok(())
    }

    /// An answer to a write is as good as seeing what it did. A seek is only begun by it.
    fn done(&mut self, ticket: Ticket, act: Act, well: bool) {
        if !well {
            self.echo.failed(ticket);
            if matches!(act, Act::Position(_)) {
                self.sought = None;
                self.seen.send_modify(|seen| seen.seeking = false);
            }
            return;
        }
        self.echo.answered(ticket);
        if !matches!(act, Act::Position(_)) {
            self.echo.observed(act);
            self.note(act);
        }
    }

    /// Remembers a state that holds.
    fn note(&mut self, act: Act) {
        self.seen.send_modify(|seen| match act {
            Act::Playing(playing) => seen.paused = !playing,
            Act::RatePpm(ppm) => seen.rate = ppm as f64 / 1e6,
            Act::Position(_) => {}
        });
    }

    async fn event(&mut self, event: &str, message: &Value, heard: LocalTime) -> Result<(), End> {
        match event {
            "property-change" => self.changed(message, heard).await,
            "start-file" => {
                let entry = message["playlist_entry_id"].as_u64();
                self.sought = None;
                self.hand = None;
                self.ended_said = false;
                self.seen.send_modify(|seen| {
                    *seen = Seen {
                        stage: Stage::Opening,
                        entry,
                        paused: seen.paused,
                        rate: seen.rate,
                        lost: seen.lost.take(),
                        ..Seen::default()
                    };
                });
                Ok(())
            }
            "end-file" => {
                self.over(message);
                Ok(())
            }
            "seek" => {
                self.hand = None; // it moves on
                self.seen.send_modify(|seen| {
                    seen.seeking = true;
                    seen.ended = false;
                });
                self.ended_said = false;
                Ok(())
            }
            "playback-restart" => {
                let opening = self.seen.borrow().stage == Stage::Opening;
                if opening {
                    self.seen.send_modify(|seen| {
                        seen.stage = Stage::Shown;
                        seen.seeking = false;
                    });
                    return Ok(());
                }
                let command = json!(["get_property", "time-pos"]);
                self.request(command, Purpose::Landing).await
            }
            _ => Ok(()),
        }
    }

    /// A film that ended before it showed a frame cannot be shown.
    fn over(&mut self, message: &Value) {
        let entry = message["playlist_entry_id"].as_u64();
        if message["reason"] == "error" || message["reason"] == "redirect" {
            let why = sentence(message["file_error"].as_str().unwrap_or_default());
            let shown = self.seen.borrow().stage == Stage::Shown;
            self.seen.send_if_modified(|seen| {
                let current = seen.entry == entry;
                if current {
                    seen.stage = Stage::Failed(why.clone());
                }
                current
            });
            if shown {
                self.tell(Notice::Failed(why));
            }
        }
    }

    async fn changed(&mut self, message: &Value, heard: LocalTime) -> Result<(), End> {
        let value = &message["data"];
        match message["name"].as_str().unwrap_or_default() {
            "pause" => {
                if let Some(paused) = value.as_bool() {
                    return self.doubt(Act::Playing(!paused), Doubt::Playing).await;
                }
            }
            "speed" => {
                if let Some(rate) = value.as_f64() {
                    let act = Act::RatePpm((rate * 1e6).round() as i64);
                    return self.doubt(act, Doubt::Rate).await;
                }
            }
            "paused-for-cache" => {
                let stalled = value.as_bool().unwrap_or(false);
                self.seen.send_modify(|seen| seen.stalled = stalled);
            }
            "eof-reached" => {
                let ended = value.as_bool().unwrap_or(false);
                self.seen.send_modify(|seen| seen.ended = ended);
                let runs = !self.seen.borrow().paused;
                if ended && runs && !self.ended_said {
                    self.ended_said = true;
                    self.tell(Notice::Ended);
                }
            }
            "duration" => {
                let length = value.as_f64().filter(|secs| *secs > 0.0 && *secs < 1e9);
                let length = length.map(|secs| Micros::new((secs * 1e6).round() as i64));
                self.seen
                    .send_modify(|seen| seen.duration = length.or(seen.duration));
            }
            "time-pos" => {
                if let Some(place) = position(value) {
                    self.place = place;
                    // Nobody waits for a frame.
                    self.seen.send_if_modified(|seen| {
                        seen.frame = Some((heard, place));
                        false
                    });
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A change that was seen: ours, or to be asked back. Changes are told late and at times
    /// not at all; what mpv answers holds.
    async fn doubt(&mut self, act: Act, doubt: Doubt) -> Result<(), End> {
        if self.echo.observed(act) == Whose::Ours {
            self.note(act);
            return Ok(());
        }
        let name = match doubt {
            Doubt::Playing => "pause",
            Doubt::Rate => "speed",
        };
        self.request(json!(["get_property", name]), Purpose::Confirm(doubt))
            .await
    }

    /// What holds and was not written is the user's: nothing in this mpv moves by itself.
    fn confirmed(&mut self, doubt: Doubt, value: &Value) {
        let act = match doubt {
            Doubt::Playing => value.as_bool().map(|paused| Act::Playing(!paused)),
            Doubt::Rate => value
                .as_f64()
                .map(|rate| Act::RatePpm((rate * 1e6).round() as i64)),
        };
        let Some(act) = act else { return };
        self.note(act);
        if self.echo.observed(act) == Whose::Ours {
            return;
        }
        let (playing, rate) = (doubt == Doubt::Playing, doubt == Doubt::Rate);
        self.echo.input(Kinds {
            playing,
            rate,
            ..Kinds::default()
        });
        if self.echo.observed(act) != Whose::Users || self.seen.borrow().stage != Stage::Shown {
            return;
        }
        // The user's word on playing counts, and not what we had arranged.
        match act {
            Act::Playing(true) => self.tell(Notice::UserPlayed),
            Act::Playing(false) => self.tell(Notice::UserPaused(self.place)),
            Act::RatePpm(ppm) => self.tell(Notice::UserRated(ppm as f64 / 1e6)),
            Act::Position(_) => {}
        }
    }

    fn landed(&mut self, place: MediaTime, heard: LocalTime) {
        self.place = place;
        match self.echo.observed(Act::Position(place)) {
            Whose::Ours => self.sought = None,
            Whose::Users | Whose::Deviation => {
                self.echo.input(Kinds {
                    position: true,
                    ..Kinds::default()
                });
                if self.echo.observed(Act::Position(place)) == Whose::Users {
                    self.hand = Some((heard + HAND_RESTS, place));
                }
            }
        }
        let under_way = self.sought.is_some();
        self.seen.send_modify(|seen| seen.seeking = under_way);
    }

    fn tell(&mut self, notice: Notice) {
        if self.notices.try_send(notice).is_err() {
            tracing::warn!("a notice of mpv found no room");
        }
    }
}

/// mpv's words for what went wrong, for people.
fn sentence(error: &str) -> String {
    match error {
        "loading failed" => {
            "mpv could not open this film. Its address may be wrong, or the site needs a newer yt-dlp."
                .to_owned()
        }
        "unrecognized file format" | "no audio or video data played" => {
            "mpv found no film in this. Check the address, or choose the browser as your player."
                .to_owned()
        }
        "" => "mpv stopped showing this film.".to_owned(),
        other => format!("mpv could not show this film: {other}."),
    }
}
