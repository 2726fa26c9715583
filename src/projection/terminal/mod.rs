//! The terminal: one line per event for people, one JSON object per line for scripts.
//!
//! [`words`] reads what is typed; this module writes what happened. The JSON
//! forms are those of the protocol's frames ([`crate::engine::frame`]), so a
//! script that understands one understands the other. Nothing a member typed
//! reaches a terminal unescaped.

pub mod words;

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::json;

use crate::engine::event::{Event, Role};
use crate::engine::fold::RoomState;
use crate::engine::fold::entrance::OWN_LINK;
use crate::engine::id::Seq;
use crate::engine::presence::{Activity, Report};
use crate::engine::text::for_terminal;
use crate::net::client::News;
use crate::projection::view::{Entry, Kind, drift, invite_terms, role_people};

/// How a terminal is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Lines for people.
    Words,
    /// One JSON object a line.
    Json,
}

/// An event's line for people: when in the session, when in the film, who and what.
///
/// `  0:12  [42:10]  Ana paused at 42:10`
pub fn entry(entry: &Entry) -> String {
    let told = match entry.kind {
        Kind::Talk => format!("{}: {}", entry.name, entry.text),
        Kind::System => format!("· {}", entry.text),
    };
    format!(
        "{:>8}  {:>9}  {}",
        entry.at.to_string(),
        format!("[{}]", entry.moment),
        for_terminal(&told)
    )
}

/// An event as a script reads it.
pub fn event_json(event: &Event) -> String {
    object("event", event)
}

/// One JSON object with one key; what is inside keeps its fields' order.
pub fn object(key: &str, value: &impl Serialize) -> String {
    let value = serde_json::to_string(value).expect("what we print always encodes");
    format!("{{\"{key}\":{value}}}")
}

/// A state as a script reads it, with the digest that proves it.
pub fn state_json(state: &RoomState) -> String {
    let body = serde_json::to_string(state).expect("a state always encodes");
    format!(
        "{{\"state\":{body},\"seq\":{},\"digest\":\"{}\"}}",
        state.seq,
        state.digest()
    )
}

/// A state as people read it.
pub fn state_words(state: &RoomState) -> String {
    let mut text = String::new();
    let timeline = &state.timeline;
    let title = state
        .title
        .as_ref()
        .map_or("A session", |title| title.as_str());
    let _ = writeln!(
        text,
        "{}  (event {}, session time {})",
        for_terminal(title),
        state.seq,
        state.at
    );
    match timeline.current() {
        None => text.push_str("  Nothing is loaded.\n"),
        Some((_, item)) => {
            let doing = if timeline.anchor.playing {
                "playing"
            } else {
                "paused"
            };
            let _ = write!(
                text,
                "  {} {doing} at {}",
                for_terminal(&item.label()),
                timeline.position(state.at)
            );
            if let Some(length) = timeline.duration() {
                let _ = write!(
                    text,
                    " of {}",
                    crate::engine::unit::MediaTime::ZERO + length
                );
            }
            let _ = writeln!(text, ", {}", timeline.anchor.rate);
        }
    }
    if let Some(hold) = &state.hold {
        let names: Vec<_> = hold
            .waiting
            .iter()
            .map(|id| for_terminal(state.roster.name(*id)))
            .collect();
        let _ = writeln!(text, "  The room waits for {}.", names.join(", "));
    }
    for entry in &state.queue.entries {
        let label = state
            .timeline
            .item(entry.item)
            .map_or_else(String::new, |item| item.label());
        let votes = match entry.votes.len() {
            0 => String::new(),
            1 => ", 1 vote".to_owned(),
            votes => format!(", {votes} votes"),
        };
        let _ = writeln!(
            text,
            "  queued: item {} {}{votes}",
            entry.item,
            for_terminal(&label)
        );
    }
    if let Some(poll) = state.poll.as_ref().filter(|poll| poll.open) {
        let _ = writeln!(text, "  poll: {}", for_terminal(poll.question.as_str()));
        for (place, choice) in (0..).zip(&poll.choices) {
            let _ = writeln!(
                text,
                "    {}. {}  {}",
                place + 1,
                for_terminal(choice.label.as_str()),
                poll.count(place)
            );
        }
    }
    for (id, member) in state.roster.iter() {
        let role = match member.role {
            Role::Host => ", host",
            Role::CoHost => ", co-host",
            Role::Viewer => ", viewer",
            Role::Guest => "",
        };
        let here = if member.present { "here" } else { "away" };
        let _ = writeln!(
            text,
            "  {id}. {}{role}, {here}",
            for_terminal(member.name.as_str())
        );
    }
    let _ = write!(text, "  digest {}", state.digest());
    text
}

/// News as a script reads it; `None` for what scripts are not told.
pub fn news_json(news: &News) -> Option<String> {
    let connection = |state: &str| Some(json!({ "connection": { "state": state } }).to_string());
    let because = |state: &str, reason: &str| {
        Some(json!({ "connection": { "state": state, "reason": reason } }).to_string())
    };
    match news {
        News::Dialling => connection("dialling"),
        News::Welcomed(welcome) => Some(
            json!({ "connection": { "state": "joined", "member": welcome.member, "tail": welcome.tail } }).to_string(),
        ),
        News::Waiting => connection("waiting"),
        News::Knocks(all) => Some(object("knocks", all)),
        News::Secret { invite, secret } => {
            Some(json!({ "secret": { "invite": invite, "secret": secret } }).to_string())
        }
        News::CaughtUp => connection("live"),
        News::Applied(event) => Some(event_json(event)),
        News::Accepted { counter, seq } => Some(json!({ "accepted": { "counter": counter, "seq": seq } }).to_string()),
        News::Refused(refused) => Some(object("refused", refused)),
        News::Presence(all) => Some(object("presence", all)),
        News::Moved(to) => Some(json!({ "moved": { "to": to } }).to_string()),
        News::Lost(why) => because("lost", why),
        News::Over(why) => because("over", why),
    }
}

/// A link as people read it: `Link 12, for co-hosts, for 2 h 0 min: http://…`.
pub fn link_words(state: &RoomState, invite: Seq, link: &str) -> String {
    format!("  {}: {link}", invite_words(state, invite))
}

/// A link as a script reads it.
pub fn link_json(invite: Seq, link: &str) -> String {
    json!({ "link": { "invite": invite, "link": link } }).to_string()
}

/// What a link is: its number, whom it lets in, and how much of it is left.
fn invite_words(state: &RoomState, invite: Seq) -> String {
    let Some(known) = state.entrance.invites.get(&invite) else {
        return "The party's own link (0), for guests".to_owned();
    };
    let terms = invite_terms(known.until.map(|until| until - state.at), known.uses);
    let came = match known.used {
        0 => String::new(),
        used => format!(", {used} came"),
    };
    let over = if known.opens(state.at) { "" } else { ", over" };
    format!(
        "Link {invite}, for {}{terms}{came}{over}",
        role_people(known.role)
    )
}

/// The ways into the party, as people read them.
pub fn invites_words(state: &RoomState) -> String {
    let entrance = &state.entrance;
    let own = (!entrance.own_revoked).then_some(OWN_LINK);
    let mut lines: Vec<_> = own
        .into_iter()
        .chain(entrance.invites.keys().copied())
        .map(|invite| format!("  {}", invite_words(state, invite)))
        .collect();
    if lines.is_empty() {
        lines.push("  No link opens: newcomers cannot come in.".to_owned());
    }
    if entrance.passcode {
        lines.push("  Newcomers give a passcode.".to_owned());
    }
    if entrance.approval {
        lines.push("  Newcomers knock.".to_owned());
    }
    lines.join("\n")
}

/// What everybody is told as they come in.
pub const RECORDING_NOTICE: &str =
    "This party is recorded: what is said and done stays in its log, for everybody who was there.";

/// News, other than events, as people read it; `None` for what needs no words.
pub fn news_words(news: &News) -> Option<String> {
    match news {
        News::Moved(to) => Some(format!(
            "The party can be reached at {} too; the rest of the link stays as it is.",
            for_terminal(to)
        )),
        News::Lost(why) => Some(format!("! {} Trying again.", for_terminal(why))),
        News::Over(why) => Some(for_terminal(why)),
        News::Refused(refused) => Some(format!("! {}", for_terminal(&refused.sentence))),
        News::Welcomed(_) => Some(RECORDING_NOTICE.to_owned()),
        News::Waiting => Some("You knocked. Waiting for the host to let you in.".to_owned()),
        News::Knocks(all) => {
            let words = all.iter().map(|knock| {
                let (name, number) = (for_terminal(knock.name.as_str()), knock.knock);
                format!("! {name} knocks: admit {number} lets them in, deny {number} does not")
            });
            let words: Vec<_> = words.collect();
            (!words.is_empty()).then(|| words.join("\n"))
        }
        // With the whole link, which the view knows.
        News::Secret { .. }
        | News::CaughtUp
        | News::Dialling
        | News::Applied(_)
        | News::Accepted { .. }
        | News::Presence(_) => None,
    }
}

/// What a member's player does, in a few letters: `+12 ms`, `loading`, `in an ad`.
pub fn report_words(report: &Report) -> String {
    match (report.activity, report.drift) {
        (None, _) => "no player".to_owned(),
        (Some(Activity::Playing), Some(off)) => drift(off),
        (Some(Activity::Playing), None) => "playing".to_owned(),
        (Some(Activity::Paused), _) => "paused".to_owned(),
        (Some(Activity::Loading), _) => "loading".to_owned(),
        (Some(Activity::Seeking), _) => "seeking".to_owned(),
        (Some(Activity::Stalled), _) => "waiting for data".to_owned(),
        (Some(Activity::Ended), _) => "at the end".to_owned(),
        (Some(Activity::Advert), _) => "in an ad".to_owned(),
        (Some(Activity::NeedsClick), _) => "needs a click".to_owned(),
    }
}
