//! An evening watched again in the window: what is shown of it, and every sentence made of it.
//!
//! The counterpart of [`Room`](super::Room). The view is that of the moment
//! that is shown; which moment that is, the window reads from the projector
//! itself, so that the bar moves without anybody sending anything.

use std::path::PathBuf;
use std::sync::Arc;

use druid::{Command, EventCtx, KbKey, KeyEvent, Selector};

use super::data::{App, day};
use super::theme::Tone;
use super::{PlayerState, Request, cmd};
use crate::engine::id::Seq;
use crate::engine::projectionist::{Pace, Projector};
use crate::engine::unit::{LocalTime, MediaTime, Micros, SessionTime};
use crate::os::wall_millis;
use crate::projection::rewatch::{Order, Programme, Reason, Why};
use crate::projection::view::{self, View};

/// An evening that is over, at one moment of it.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What there is to draw of that moment.
    pub view: View,
    /// The whole evening.
    pub programme: Arc<Programme>,
    /// Which moment is shown.
    pub projector: Projector,
    /// How the film player stands that follows along.
    pub player: PlayerState,
    /// Why something happened, for as long as that is asked.
    pub why: Option<Arc<Why>>,
    /// Where a copy would be put if nothing else is said.
    pub export_to: Arc<str>,
    /// What became of the last copy: where it is, or why there is none; each a sentence.
    pub exported: Option<Result<Arc<str>, Arc<str>>>,
}

/// What a person asks of a replay by the window. Nothing of it reaches a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayAsk {
    /// To show another moment, or run otherwise.
    Order(Order),
    /// Why this event happened.
    Why(Seq),
    /// That the answer is put away, and the word on the last copy, too.
    PutAway,
    /// To write the session into this new file.
    Export(PathBuf),
    /// To end it.
    Leave,
}

/// From a row: watch the session of this id again.
pub const WATCH: Selector<String> = Selector::new("seance.watch");
/// From a pane: show another moment, or run otherwise.
pub const ORDER: Selector<Order> = Selector::new("seance.replay.order");
/// From a pane: say why this event happened.
pub const WHY: Selector<Seq> = Selector::new("seance.replay.why");
/// From a pane: put away what was said.
pub const PUT_AWAY: Selector = Selector::new("seance.replay.put-away");
/// From a pane: ask where to put a copy, or no longer.
pub const EXPORT: Selector = Selector::new("seance.replay.export");
/// From a pane: put the copy where the draft says.
pub const EXPORT_NOW: Selector = Selector::new("seance.replay.export-now");

/// The paces offered.
pub const PACES: [u8; 4] = [1, 2, 4, 16];
/// What the arrow keys move by.
const ARROW: Micros = Micros::from_secs(5);
/// What `j` and `l` and the buttons move by.
pub(super) const LEAP: Micros = Micros::from_secs(10);

impl App {
    /// The evening that is watched again, if one is.
    pub fn replay(&self) -> Option<&Replay> {
        match &*self.screen {
            super::Screen::Replay(replay) => Some(replay),
            _ => None,
        }
    }

    /// The moment of the evening that is shown at `now`.
    pub fn moment(&self, now: LocalTime) -> SessionTime {
        self.replay().map_or(SessionTime::ZERO, |replay| {
            replay.projector.session(now, replay.programme.waits())
        })
    }

    /// Whether the replay runs.
    pub fn replaying(&self, now: LocalTime) -> bool {
        self.replay()
            .is_some_and(|replay| replay.projector.runs(now, replay.programme.waits()))
    }

    /// Whether there is anything to run through.
    pub fn replayable(&self) -> bool {
        self.replay()
            .is_some_and(|replay| replay.programme.end() > SessionTime::ZERO)
    }

    /// How fast the replay runs.
    pub fn pace(&self) -> Pace {
        self.replay()
            .map_or(Pace::NORMAL, |replay| replay.projector.pace())
    }

    /// `Replay of “Film night”, Thu 12 Nov`.
    pub fn replay_title(&self) -> Option<String> {
        let programme = &self.replay()?.programme;
        let zone = jiff::tz::TimeZone::system();
        let day = day(programme.opened_wall(), wall_millis(), &zone);
        Some(format!("Replay of “{}”, {day}", programme.title()))
    }

    /// The strip that says where one is.
    pub fn replay_banner(&self) -> Option<(Tone, String)> {
        let title = self.replay_title()?;
        Some((
            Tone::Info,
            format!("{title}. Nothing you do here changes it."),
        ))
    }

    /// What is wrong with the log, or with reading it.
    pub fn replay_damage(&self) -> Option<(Tone, String)> {
        let replay = self.replay()?;
        let trouble = replay.view.trouble.as_ref();
        let sentence = trouble
            .map(|trouble| trouble.to_string())
            .or_else(|| replay.programme.damage())?;
        Some((Tone::Warn, sentence))
    }

    /// What became of the last copy.
    pub fn exported(&self) -> Option<(Tone, String)> {
        Some(match self.replay()?.exported.as_ref()? {
            Ok(sentence) => (Tone::Good, sentence.to_string()),
            Err(sentence) => (Tone::Bad, sentence.to_string()),
        })
    }

    /// Why the room of that moment waited, in one sentence.
    pub fn replay_hold(&self) -> Option<(Tone, String)> {
        Some((Tone::Accent, self.replay()?.view.waiting()?))
    }

    /// The foot: which event is shown, whether the log is whole, and what proves it.
    pub fn replay_status(&self) -> (Tone, String) {
        let Some(replay) = self.replay() else {
            return (Tone::Muted, String::new());
        };
        let programme = &replay.programme;
        let tone = match programme.damage() {
            None => Tone::Good,
            Some(_) => Tone::Bad,
        };
        let digest = programme.digest().to_string();
        let at = replay.view.state.seq;
        (
            tone,
            format!(
                "{} · digest {} · now at event {at}",
                programme.verdict(),
                &digest[..12]
            ),
        )
    }

    /// The name of the switch over the waits: how much it saves.
    pub fn waits_words(&self) -> String {
        let left_out = self
            .replay()
            .map_or(Micros::ZERO, |replay| replay.programme.waits().total());
        match left_out {
            Micros::ZERO => "Skip the waiting".to_owned(),
            left_out => format!("Skip the waiting ({})", long_span(left_out)),
        }
    }

    fn why(&self) -> Option<&Why> {
        self.replay()?.why.as_deref()
    }

    /// The event that is asked about.
    pub fn asked(&self) -> Option<&Reason> {
        Some(self.why()?.asked())
    }

    /// What happened, for the head of the answer.
    pub fn why_head(&self) -> String {
        self.asked()
            .map_or_else(String::new, |reason| reason.sentence.clone())
    }

    /// Who did it, by what input, and when.
    pub fn why_line(&self) -> String {
        let Some(reason) = self.asked() else {
            return String::new();
        };
        let header = &reason.event.header;
        format!("{} · at {}", doer(reason), header.at)
    }

    /// What called for it; that nothing did, too.
    pub fn why_causes(&self) -> String {
        let Some(why) = self.why() else {
            return String::new();
        };
        if why.causes().is_empty() {
            return "No earlier event called for it.".to_owned();
        }
        let lines: Vec<String> = why
            .causes()
            .iter()
            .map(|reason| {
                let seq = reason.event.header.seq;
                format!(
                    "Because: {} (event {seq}, {})",
                    reason.sentence,
                    doer(reason)
                )
            })
            .collect();
        lines.join("\n")
    }

    /// The proof: the event's number, stamp, and what was true after it.
    pub fn why_proof(&self) -> String {
        let Some(why) = self.why() else {
            return String::new();
        };
        let header = &why.asked().event.header;
        let digest = why.digest.to_string();
        format!(
            "event {} · epoch {} · stamp {} · digest then {}",
            header.seq,
            header.epoch,
            header.stamp,
            &digest[..16]
        )
    }

    /// Where the film stood at `now`, and how long it is: `film 0:38:01 / 2:41:03`.
    pub fn film_reading(&self, now: LocalTime) -> String {
        if !self.loaded() {
            return String::new();
        }
        let end = self.duration().map(|length| MediaTime::ZERO + length);
        let at = super::data::clock_face(self.position(now), end);
        match end {
            Some(end) => format!("film {at} / {}", super::data::clock_face(end, Some(end))),
            None => format!("film {at}"),
        }
    }
}

/// `Ana, with a key`; `by the room's own rules`.
fn doer(reason: &Reason) -> String {
    match reason.event.header.by {
        Some(_) => format!("{}, {}", reason.by, reason.input),
        None => reason.input.to_owned(),
    }
}

/// A length of time that may be days: `6 d 21 h`.
fn long_span(length: Micros) -> String {
    const DAY: i64 = 86_400;
    let secs = length.get() / 1_000_000;
    match secs / DAY {
        0 => view::span(length),
        days => format!("{days} d {} h", secs % DAY / 3_600),
    }
}

/// A moment with as many digits as the evening's end has.
pub fn moment_face(at: SessionTime, end: SessionTime) -> String {
    let media = |time: SessionTime| MediaTime::new(time.get());
    super::data::clock_face(media(at), Some(media(end)))
}

/// What a command asks of the caller, if it is one about replays; the draft it needs is `app`'s.
pub(super) fn command(
    ctx: &mut EventCtx,
    app: &mut App,
    command: &Command,
) -> Option<Option<Request>> {
    let ask = |ask| Some(Some(Request::Replay(ask)));
    if let Some(session) = command.get(WATCH) {
        let session = session.clone();
        return Some((!app.busy()).then_some(Request::Watch { session }));
    }
    let replay = app.replay()?;
    if let Some(order) = command.get(ORDER) {
        ask(ReplayAsk::Order(*order))
    } else if let Some(seq) = command.get(WHY) {
        ask(ReplayAsk::Why(*seq))
    } else if command.is(PUT_AWAY) {
        // The button that asked for it goes with what was said.
        ctx.set_focus(cmd::DESK);
        ask(ReplayAsk::PutAway)
    } else if command.is(EXPORT) {
        if app.exporting {
            app.exporting = false;
        } else {
            app.draft.export = replay.export_to.to_string();
            app.exporting = true;
        }
        ctx.set_focus(cmd::DESK);
        Some(None)
    } else if command.is(EXPORT_NOW) {
        let file = app.draft.export.trim().to_owned();
        if file.is_empty() {
            return Some(None);
        }
        app.exporting = false;
        ctx.set_focus(cmd::DESK);
        ask(ReplayAsk::Export(PathBuf::from(file)))
    } else if command.is(cmd::LEAVE) {
        app.exporting = false;
        ask(ReplayAsk::Leave)
    } else {
        None
    }
}

/// What a key asks of a replay.
pub(super) fn key(app: &App, key: &KeyEvent) -> Option<ReplayAsk> {
    let order = match &key.key {
        KbKey::Character(c) if (c == " " || c == "k") && !key.repeat => Order::Toggle,
        KbKey::MediaPlayPause => Order::Toggle,
        KbKey::ArrowLeft => Order::Skip(-ARROW),
        KbKey::ArrowRight => Order::Skip(ARROW),
        KbKey::Character(c) if c == "j" => Order::Skip(-LEAP),
        KbKey::Character(c) if c == "l" => Order::Skip(LEAP),
        KbKey::Character(c) if c == "n" || c == "." => Order::Next,
        KbKey::Character(c) if c == "p" || c == "," => Order::Previous,
        KbKey::ArrowUp => Order::Previous,
        KbKey::ArrowDown => Order::Next,
        KbKey::Home => Order::Seek(SessionTime::ZERO),
        KbKey::End => Order::Seek(SessionTime::MAX),
        // What happened last: "why is it like this now?".
        KbKey::Character(c) if c == "w" => {
            let last = app.replay()?.view.story.last()?.seq;
            return Some(ReplayAsk::Why(last));
        }
        KbKey::Escape => return Some(ReplayAsk::PutAway),
        _ => return None,
    };
    Some(ReplayAsk::Order(order))
}
