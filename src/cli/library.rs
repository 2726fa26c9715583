//! Past sessions: list, replay, verify, export, import.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::engine::event::Event;
use crate::engine::fold::RoomState;
use crate::engine::id::Seq;
use crate::engine::replay::Replay;
use crate::engine::text::for_terminal;
use crate::engine::unit::{MediaTime, Micros, SessionTime};
use crate::log::store::{Home, Listed, Session, State};
use crate::log::{EventLog, ReadError};
use crate::projection::terminal::{self, Style};
use crate::projection::view::{self, SessionRow, span};

/// Events read at a time.
const STEP: usize = 4_096;

/// The past sessions, newest first, as any screen lists them.
pub fn rows(home: &Home) -> Result<Vec<SessionRow>> {
    let mut listed = home.list()?;
    listed.sort_by_key(|one| std::cmp::Reverse(one.info.as_ref().map_or(0, |info| info.created)));
    Ok(listed.into_iter().map(row).collect())
}

fn row(listed: Listed) -> SessionRow {
    let trouble = match listed.state {
        State::Idle => None,
        State::OnAir => Some("On air in another Séance right now.".to_owned()),
        State::Broken(reason) => Some(reason),
    };
    let (title, opened_wall, watched, people) = match listed.info {
        Some(info) => (info.title, info.created, info.watched, info.people),
        None => (String::new(), 0, Vec::new(), 0),
    };
    SessionRow {
        id: listed.session.to_string(),
        title,
        opened_wall,
        length: listed
            .alive
            .map_or(Micros::ZERO, |alive| alive.session_time - SessionTime::ZERO),
        watched,
        people,
        events: listed.events.unwrap_or(0),
        trouble,
    }
}

pub(super) fn sessions(style: Style) -> Result<()> {
    let rows = rows(&Home::open()?)?;
    let zone = TimeZone::system();
    let mut out = std::io::stdout().lock();
    if rows.is_empty() && style == Style::Words {
        writeln!(out, "No sessions yet. `seance host` opens the first one.")?;
    }
    for row in rows {
        match style {
            Style::Json => writeln!(
                out,
                "{}",
                json!({ "session": {
                "id": row.id, "title": row.title, "opened": row.opened_wall, "length": row.length,
                "watched": row.watched, "people": row.people, "events": row.events, "trouble": row.trouble,
            } })
            )?,
            Style::Words => {
                let mut line = format!(
                    "{}  {}  {}  {} events, {}",
                    &row.id[..8],
                    date(row.opened_wall, &zone),
                    for_terminal(&row.title),
                    row.events,
                    span(row.length),
                );
                if let Some(trouble) = &row.trouble {
                    line.push_str("  ! ");
                    line.push_str(&for_terminal(trouble));
                }
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(())
}

/// A point of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    After(Seq),
    At(SessionTime),
}

impl Point {
    /// A bare number is an event, anything with a colon a session time.
    fn parse(text: &str) -> Result<Self> {
        if let Ok(seq) = text.parse::<u64>() {
            return Ok(Self::After(Seq::new(seq)));
        }
        match MediaTime::parse(text) {
            Some(time) if text.contains(':') => Ok(Self::At(SessionTime::new(time.get()))),
            _ => bail!(
                "“{text}” is no point of a session. Give an event's number, such as 120, or a time, such as 1:02:03."
            ),
        }
    }

    fn includes(self, event: &Event) -> bool {
        match self {
            Self::After(seq) => event.header.seq <= seq,
            Self::At(time) => event.header.at <= time,
        }
    }
}

pub(super) fn replay(session: &str, at: Option<&str>, style: Style) -> Result<()> {
    let point = at.map(Point::parse).transpose()?;
    let home = Home::open()?;
    let session = home.open_session(home.find(session)?)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let state = fold(&session, |before, event| {
        if point.is_some_and(|point| !point.includes(event)) {
            return Ok(Folding::Stop);
        }
        if point.is_none() {
            match style {
                Style::Json => writeln!(out, "{}", terminal::event_json(event))?,
                Style::Words => writeln!(out, "{}", told(before, event))?,
            }
        }
        // What follows is not asked for, and may be such as this Séance cannot read.
        let is_last = point == Some(Point::After(event.header.seq));
        Ok(if is_last {
            Folding::Last
        } else {
            Folding::GoOn
        })
    })?;
    if let Some(Point::After(seq)) = point
        && seq > state.seq
    {
        bail!("This session has only {} events.", state.seq);
    }
    match style {
        Style::Json => writeln!(out, "{}", terminal::state_json(&state))?,
        Style::Words => writeln!(out, "\n{}", terminal::state_words(&state))?,
    }
    Ok(out.flush()?)
}

/// An event's line: its number, then when and where in the film, then what happened.
fn told(before: &RoomState, event: &Event) -> String {
    let seq = event.header.seq.to_string();
    match view::line(before, event) {
        Some(entry) => format!("{seq:>6}  {}", terminal::entry(&entry)),
        None => format!(
            "{seq:>6}  {:>8}  {:>9}  · {}",
            event.header.at.to_string(),
            "",
            quiet(event)
        ),
    }
}

/// What a replay says of events that a running party passes over.
fn quiet(event: &Event) -> String {
    use crate::engine::event::Body;
    match &event.body {
        Body::EpochStarted { .. } => format!("epoch {} began", event.header.epoch),
        Body::Measured { item, duration } => {
            format!("item {item} is {} long", MediaTime::ZERO + *duration)
        }
        _ => String::new(),
    }
}

pub(super) fn verify(session: &str, style: Style) -> Result<()> {
    let home = Home::open()?;
    let session = home.open_session(home.find(session)?)?;
    let edge = session.log.verify_all()?;
    let state = state(&session)?;
    let events = state.seq;
    match style {
        Style::Json => println!(
            "{}",
            json!({ "verified": {
            "session": session.id(), "events": events, "epoch": edge.epoch,
            "link": edge.link.to_string(), "digest": state.digest().to_string(),
        } })
        ),
        Style::Words => {
            println!("{events} events, whole and in order.");
            println!("  chain  {}", edge.link);
            println!("  digest {}", state.digest());
        }
    }
    Ok(())
}

/// Whether a new file can be put there.
pub(super) fn check_target(file: &Path) -> Result<()> {
    if file.exists() {
        bail!("{} exists already. Name another file.", file.display());
    }
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder
        && !folder.is_dir()
    {
        bail!(
            "There is no folder {}. Create it, or name another file.",
            folder.display()
        );
    }
    Ok(())
}

pub(super) fn export(session: &str, file: &Path, style: Style) -> Result<()> {
    check_target(file)?;
    let home = Home::open()?;
    let exported = home.export(home.find(session)?, file)?;
    let events = exported.summary.tail.get() - 1;
    match style {
        Style::Json => println!(
            "{}",
            json!({ "exported": {
            "file": file.display().to_string(), "events": events, "link": exported.summary.link.to_string(),
            "lost": exported.lost.as_ref().map(|(seq, reason)| json!({ "from": seq, "reason": reason })),
        } })
        ),
        Style::Words => println!("{events} events written to {}.", file.display()),
    }
    if let Some((seq, reason)) = &exported.lost
        && style == Style::Words
    {
        println!("The session is damaged: from event {seq} on nothing could be saved ({reason}).");
    }
    Ok(())
}

pub(super) fn import(file: &Path, style: Style) -> Result<()> {
    // What is typed wrong most often; everything else the store says.
    if file.is_dir() {
        bail!(
            "{} is a folder. Name the file that `seance export` wrote.",
            file.display()
        );
    }
    if matches!(file.try_exists(), Ok(false)) {
        bail!(
            "There is no file {}. Check its name and folder.",
            file.display()
        );
    }
    let summary = Home::open()?.import(file)?;
    let (session, title) = (summary.header.session, &summary.header.title);
    let events = summary.tail.get() - 1;
    match style {
        Style::Json => println!(
            "{}",
            json!({ "imported": { "session": session, "title": title, "events": events } })
        ),
        Style::Words => println!(
            "“{}” is among your past sessions now: {events} events, {session}.",
            for_terminal(title)
        ),
    }
    Ok(())
}

/// How far to go with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Folding {
    GoOn,
    /// This event is the last one wanted.
    Last,
    /// This event is wanted no more.
    Stop,
}

/// The state at a session's end.
pub(super) fn state(session: &Session) -> Result<RoomState> {
    fold(session, |_, _| Ok(Folding::GoOn))
}

/// Folds a session from its beginning, showing each event and the state before it, until told to stop.
fn fold(
    session: &Session,
    mut each: impl FnMut(&RoomState, &Event) -> Result<Folding>,
) -> Result<RoomState> {
    let log = Arc::clone(&session.log);
    let mut replay = Replay::new();
    loop {
        let events = match log.read(replay.cursor(), STEP) {
            // What stands before it is shown; the next reading begins with it and says what it is.
            Err(ReadError::Newer { seq, .. }) if seq > replay.cursor() => {
                let known = seq.get() - replay.cursor().get();
                log.read(replay.cursor(), usize::try_from(known)?)?
            }
            read => read?,
        };
        if events.is_empty() {
            return Ok(replay.into_state());
        }
        for event in &events {
            let folding = each(replay.state(), event)?;
            if folding == Folding::Stop {
                return Ok(replay.into_state());
            }
            replay
                .take(event)
                .with_context(|| format!("session {}", session.id()))?;
            if folding == Folding::Last {
                return Ok(replay.into_state());
            }
        }
    }
}

/// A day and a time of day, where the reader is: `2026-11-21 20:15`.
pub(super) fn date(wall_millis: u64, zone: &TimeZone) -> String {
    let stamp = i64::try_from(wall_millis)
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let there = stamp.to_zoned(zone.clone());
    there.strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_evening_is_dated_where_its_reader_is() {
        let evening = 1_795_349_700_000;
        assert_eq!(date(evening, &TimeZone::UTC), "2026-11-22 12:15");
        let tokyo = TimeZone::fixed(jiff::tz::offset(9));
        assert_eq!(date(evening, &tokyo), "2026-11-22 21:15");
        assert!(
            !date(u64::MAX, &tokyo).is_empty(),
            "no date breaks the list"
        );
    }

    #[test]
    fn a_point_is_an_event_or_a_time() {
        assert_eq!(Point::parse("120").unwrap(), Point::After(Seq::new(120)));
        assert_eq!(
            Point::parse("2:00").unwrap(),
            Point::At(SessionTime::from_secs(120))
        );
        for bad in ["", "x", "-1", "1.5", "1:99"] {
            assert!(Point::parse(bad).is_err(), "{bad}");
        }
    }
}
