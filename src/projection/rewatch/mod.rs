//! An evening watched again, as plain data for any screen.
//!
//! A [`Programme`] is the whole evening, read once: every line people read, the
//! marks of its scrub bar, the waits in it, and whether its log is whole. Which
//! moment is shown a [`Projector`](crate::engine::projectionist::Projector)
//! says; what was true then, [`Programme::state`]; why something happened,
//! [`Programme::why`]; where a driven player belongs, an [`Aim`].
//!
//! It only reads: nothing here knows how to write to a log. A line that was
//! taken back is not shown again, not even for the minutes in which it stood;
//! the log has it, and `seance replay` prints it.

mod aim;
mod order;
mod why;

use std::fmt;

pub use aim::Aim;
pub use order::Order;
pub use why::{Reason, Why, input_words};

use crate::engine::event::chain::Link;
use crate::engine::event::{Body, Event};
use crate::engine::fold::{Digest, RoomState};
use crate::engine::id::{MemberId, Seq, SessionId};
use crate::engine::projectionist::{Point, Reel, Torn, Waits, wind};
use crate::engine::unit::{Micros, SessionTime};
use crate::log::ReadError;
use crate::log::past::Past;
use crate::projection::view::{self, Entry, Kind};

/// How many of the last lines a screen is given: a few screens full. All are in the [`Programme`].
pub const STORY_MAX: usize = 200;

/// How a programme reads its log again.
type Reading = dyn Fn(Seq, usize) -> Result<Vec<Event>, ReadError> + Send + Sync;

/// What is known of an evening besides its events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// What people called it.
    pub title: String,
    /// When it was opened, in milliseconds since 1970.
    pub opened_wall: u64,
    /// When its room was last alive, where that is known: the film may have run on behind the last event.
    pub alive: Option<SessionTime>,
    /// From which event on the log is damaged, and how.
    pub lost: Option<(Seq, String)>,
    /// What the last whole event commits to.
    pub link: Option<Link>,
}

/// Why there is nothing to watch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwatchable {
    /// Nothing ever happened.
    #[error("“{0}” is empty: it was opened and nothing happened in it. There is nothing to watch.")]
    Empty(String),
    /// Not even its first event can be read.
    #[error("“{title}” cannot be watched: {reason}")]
    Unreadable {
        /// What people called it.
        title: String,
        /// What is wrong.
        reason: String,
    },
}

/// What kind of thing a mark of the scrub bar stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MarkKind {
    /// Somebody said something.
    Talk,
    /// Somebody came.
    Came,
    /// Somebody went.
    Went,
    /// Anything else people were told.
    Other,
    /// The film ran on.
    Play,
    /// The film stood, or the room waited.
    Pause,
    /// The film moved, or changed its speed.
    Seek,
    /// Another film.
    Film,
    /// The host was away.
    Gap,
}

/// One event on the scrub bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where.
    pub at: SessionTime,
    /// Which event.
    pub seq: Seq,
    /// Whose.
    pub by: Option<MemberId>,
    /// What it stands for.
    pub kind: MarkKind,
}

/// See the module. Large; share it.
pub struct Programme {
    about: About,
    session: Option<SessionId>,
    entries: Vec<Entry>,
    marks: Vec<Mark>,
    reel: Reel,
    digest: Digest,
    end: SessionTime,
    /// Why it ends before its log does, as a sentence.
    torn: Option<String>,
    read: Box<Reading>,
}

impl fmt::Debug for Programme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Programme")
            .field("title", &self.about.title)
            .field("events", &self.events())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

fn mark_kind(event: &Event) -> MarkKind {
    match &event.body {
        Body::Said { .. } | Body::Replied { .. } | Body::Reacted { .. } => MarkKind::Talk,
        Body::Joined { .. } | Body::Returned { .. } | Body::Unable { why: None, .. } => {
            MarkKind::Came
        }
        Body::Left { .. } | Body::Kicked { .. } | Body::Suspended { .. } | Body::Unable { .. } => {
            MarkKind::Went
        }
        Body::Played { .. } => MarkKind::Play,
        Body::HoldEnded { start, .. } if start.is_some() => MarkKind::Play,
        Body::Paused { .. } | Body::HoldStarted { .. } | Body::HoldEnded { .. } => MarkKind::Pause,
        Body::Seeked { .. } | Body::RateSet { .. } => MarkKind::Seek,
        Body::MediaSet { .. } | Body::Cued { .. } => MarkKind::Film,
        Body::EpochStarted { .. } | Body::HostGap { .. } => MarkKind::Gap,
        _ => MarkKind::Other,
    }
}

impl Programme {
    /// Reads a past session through. Touches the disk.
    ///
    /// # Errors
    /// [`Unwatchable`], as a sentence for people.
    pub fn of(past: Past) -> Result<Self, Unwatchable> {
        let info = past.info.as_ref();
        let about = About {
            title: info.map_or_else(|| past.id().to_string(), |info| info.title.clone()),
            opened_wall: info.map_or(0, |info| info.created),
            alive: past.alive.map(|alive| alive.session_time),
            lost: past.lost.clone(),
            link: Some(past.tail_link().1),
        };
        Self::wind(about, Box::new(move |from, limit| past.read(from, limit)))
    }

    /// Reads an evening through, wherever its events are.
    ///
    /// # Errors
    /// [`Unwatchable`], as a sentence for people.
    pub fn wind(mut about: About, read: Box<Reading>) -> Result<Self, Unwatchable> {
        let (mut entries, mut marks) = (Vec::<Entry>::new(), Vec::new());
        let (mut reel, torn) = wind(&read, |before, event| {
            if let Body::Redacted { seq } = event.body {
                hide(&mut entries, seq);
            }
            let Some(entry) = view::line(before, event) else {
                return;
            };
            marks.push(Mark {
                at: event.header.at,
                seq: event.header.seq,
                by: event.header.by,
                kind: mark_kind(event),
            });
            if about.opened_wall == 0 {
                about.opened_wall = event.header.wall;
            }
            entries.push(entry);
        });
        let torn = torn.map(|torn| match torn {
            Torn::Unreadable(error) => error.to_string(),
            Torn::Order(error) => error.to_string(),
        });
        let last = reel.last();
        if last.seq == Seq::default() {
            let title = about.title.clone();
            let damaged = about
                .lost
                .take()
                .map(|(seq, why)| format!("event {seq} is damaged ({why})"));
            return Err(match torn.or(damaged) {
                Some(reason) => Unwatchable::Unreadable { title, reason },
                None => Unwatchable::Empty(title),
            });
        }
        let (digest, session) = (last.digest(), last.session);
        let end = about.alive.map_or(last.at, |alive| alive.max(last.at));
        let last = last.clone();
        reel.waits.close(&last, end);
        Ok(Self {
            about,
            session,
            entries,
            marks,
            reel,
            digest,
            end,
            torn,
            read,
        })
    }

    /// What people called it.
    pub fn title(&self) -> &str {
        &self.about.title
    }

    /// When it was opened, in milliseconds since 1970.
    pub fn opened_wall(&self) -> u64 {
        self.about.opened_wall
    }

    /// Which session it is, where its log says so.
    pub fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// Its last moment.
    pub fn end(&self) -> SessionTime {
        self.end
    }

    /// The stretches in which nothing happened.
    pub fn waits(&self) -> &Waits {
        &self.reel.waits
    }

    /// Every line people read, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What stands on the scrub bar, in order.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// How many events it holds.
    pub fn events(&self) -> Seq {
        self.reel.last().seq
    }

    /// The digest of what was true in the end.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What its last whole event commits to, where the log says so.
    pub fn link(&self) -> Option<Link> {
        self.about.link
    }

    /// What is wrong with its log, as a sentence; `None` for a whole one.
    pub fn damage(&self) -> Option<String> {
        let seq = self.events().next();
        let reason = match (&self.torn, &self.about.lost) {
            (Some(torn), _) => torn.trim_end_matches('.').to_owned(),
            (None, Some((_, why))) => why.clone(),
            (None, None) => return None,
        };
        Some(format!(
            "From event {seq} on the log cannot be read ({reason}). What is whole before it is shown."
        ))
    }

    /// Whether the log is whole, in a few words: `812 events, whole and in order`.
    pub fn verdict(&self) -> String {
        let events = match self.events().get() {
            1 => "1 event".to_owned(),
            events => format!("{events} events"),
        };
        match self.damage() {
            None => format!("{events}, whole and in order"),
            Some(_) => format!("{events}, damaged behind them"),
        }
    }

    /// When the first event behind that one happened.
    ///
    /// Touches the disk.
    pub fn next_at(&self, seq: Seq) -> Option<SessionTime> {
        if seq >= self.events() {
            return None;
        }
        let next = self.read(seq.next(), 1).ok()?;
        Some(next.first()?.header.at)
    }

    /// What was true at a point; fast from a state that lies before it.
    ///
    /// Touches the disk.
    ///
    /// # Errors
    /// A sentence, when the log does not give again what it gave before.
    pub fn state(&self, point: Point, near: Option<&RoomState>) -> Result<RoomState, String> {
        self.reel
            .state(point, near, &self.read)
            .map_err(|torn| match torn {
                Torn::Unreadable(error) => error.to_string(),
                Torn::Order(error) => error.to_string(),
            })
    }

    /// How many lines had been written at a moment.
    pub fn lines_at(&self, moment: SessionTime) -> usize {
        self.entries.partition_point(|entry| entry.at <= moment)
    }

    /// The last lines at a moment.
    pub fn story(&self, moment: SessionTime) -> &[Entry] {
        let end = self.lines_at(moment);
        &self.entries[end.saturating_sub(STORY_MAX)..end]
    }

    /// The lines of the events behind one seq, up to another.
    pub fn entries_in(&self, behind: Seq, to: Seq) -> &[Entry] {
        let place = |seq: Seq| self.entries.partition_point(|entry| entry.seq <= seq);
        &self.entries[place(behind)..place(to.max(behind))]
    }

    /// The events behind one seq, up to another.
    ///
    /// Touches the disk.
    ///
    /// # Errors
    /// A sentence, when they cannot be read again.
    pub fn events_in(&self, behind: Seq, to: Seq) -> Result<Vec<Event>, String> {
        let mut events: Vec<Event> = Vec::new();
        let mut next = behind.next();
        while next <= to {
            let left = usize::try_from(to.get() + 1 - next.get()).unwrap_or(usize::MAX);
            let page = self.read(next, left.min(512))?;
            let Some(last) = page.last() else { break };
            next = last.header.seq.next();
            events.extend(page);
        }
        Ok(events)
    }

    /// The first line behind a moment.
    pub fn next_line(&self, moment: SessionTime) -> Option<&Entry> {
        self.entries.get(self.lines_at(moment))
    }

    /// The last line before a moment.
    pub fn line_before(&self, moment: SessionTime) -> Option<&Entry> {
        let before = self.entries.partition_point(|entry| entry.at < moment);
        self.entries.get(before.checked_sub(1)?)
    }

    /// How long it is without its waits.
    pub fn shown_length(&self) -> Micros {
        self.waits().shown(self.end)
    }

    /// Why an event happened: who, by what input, what called for it, and what was true then.
    ///
    /// Touches the disk.
    ///
    /// # Errors
    /// A sentence: there is no such event, or it cannot be read again.
    pub fn why(&self, seq: Seq) -> Result<Why, String> {
        why::why(self, seq)
    }

    fn read(&self, from: Seq, limit: usize) -> Result<Vec<Event>, String> {
        (self.read)(from, limit).map_err(|error| error.to_string())
    }
}

/// A line that was taken back is no longer shown.
fn hide(entries: &mut [Entry], seq: Seq) {
    if let Ok(place) = entries.binary_search_by_key(&seq, |entry| entry.seq)
        && entries[place].kind == Kind::Talk
    {
        entries[place].text = "…".to_owned();
    }
}

#[cfg(test)]
mod tests;
