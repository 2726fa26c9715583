//! "Why did it pause?": an event, who did it by what input, and what called for it.

use super::Programme;
use crate::engine::event::{Body, Event, Via};
use crate::engine::fold::{Digest, RoomState};
use crate::engine::id::Seq;
use crate::engine::projectionist::{Point, causes};
use crate::engine::unit::MediaTime;
use crate::projection::view;

/// One event of a chain of causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The event itself.
    pub event: Event,
    /// What happened, as people read it.
    pub sentence: String,
    /// Who did it; the room itself, where nobody did.
    pub by: String,
    /// By what input: "with a key".
    pub input: &'static str,
}

/// The answer. See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The event asked about, then what called for it, and so on.
    pub chain: Vec<Reason>,
    /// The digest of what was true after it.
    pub digest: Digest,
}

impl Why {
    /// The event asked about.
    pub fn asked(&self) -> &Reason {
        self.chain.first().expect("a chain begins with its event")
    }

    /// What called for it, nearest first.
    pub fn causes(&self) -> &[Reason] {
        &self.chain[1..]
    }
}

/// By what input something came, as people say it.
pub const fn input_words(via: Via) -> &'static str {
    match via {
        Via::Auto => "by the room's own rules",
        Via::Gui => "in the window",
        Via::Page => "on the guest page",
        Via::Player => "in the film's own player",
        Via::Cli => "typed in a terminal",
        Via::Script => "by a program",
        Via::Key => "with a key",
        Via::MediaKey => "with a media key",
    }
}

pub(super) fn why(programme: &Programme, seq: Seq) -> Result<Why, String> {
    if seq == Seq::default() || seq > programme.events() {
        return Err(format!(
            "There is no event {seq}. This session has events 1 to {}.",
            programme.events()
        ));
    }
    let events = causes(seq, |from, limit| programme.read(from, limit))?;
    let mut chain = Vec::with_capacity(events.len());
    for event in events {
        let before = Point::After(Seq::new(event.header.seq.get() - 1));
        let before = programme.state(before, None)?;
        chain.push(reason(programme, &before, event));
    }
    if chain.is_empty() {
        return Err(format!("Event {seq} cannot be read any more."));
    }
    let digest = programme.state(Point::After(seq), None)?.digest();
    Ok(Why { chain, digest })
}

fn reason(programme: &Programme, before: &RoomState, event: Event) -> Reason {
    let entries = programme.entries();
    // The line as it is shown, where there is one: what was taken back stays so.
    let line = entries
        .binary_search_by_key(&event.header.seq, |entry| entry.seq)
        .map(|place| &entries[place]);
    let (sentence, by) = match line {
        Ok(entry) if entry.kind == view::Kind::Talk => (
            format!("{}: {}", entry.name, entry.text),
            entry.name.clone(),
        ),
        Ok(entry) => (entry.text.clone(), entry.name.clone()),
        Err(_) => {
            let name = event.header.by.map(|by| before.roster.name(by).to_owned());
            (quiet(&event), name.unwrap_or_default())
        }
    };
    let by = if event.header.by.is_none() {
        "The room".to_owned()
    } else {
        by
    };
    Reason {
        input: input_words(event.header.via),
        event,
        sentence,
        by,
    }
}

/// What is said of an event that a running party passes over.
fn quiet(event: &Event) -> String {
    match &event.body {
        Body::EpochStarted { .. } => {
            format!("The host's program began (epoch {})", event.header.epoch)
        }
        Body::Measured { item, duration } => {
            format!("Film {item} is {} long", MediaTime::ZERO + *duration)
        }
        Body::HoldEnded { .. } => "The wait began anew".to_owned(),
        _ => "Something nobody was told of".to_owned(),
    }
}
