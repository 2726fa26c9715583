//! `docs/protocol.md` is true and complete: each example is what the program's own types read and
//! write, and every name those types have is in it.

#![cfg(feature = "server")]

use std::collections::{BTreeMap, BTreeSet};

use seance::engine::event::{
    Action, Body, Client, Departure, Event, Header, HoldEnd, HoldReason, QueueMode, Repeat, Role,
    Suspension, Via,
};
use seance::engine::fold::RoomState;
use seance::engine::frame::{
    Closing, FROM_MEMBER_BYTES_MAX, FROM_ROOM_BYTES_MAX, ToMember, ToRoom, from_json,
};
use seance::engine::id::MemberId;
use seance::engine::intent::{Intent, Refusal};
use seance::engine::media::Provider;
use seance::engine::presence::Activity;
use seance::engine::sequencer::authorise;
use seance::engine::unit::MediaTime;
use seance::projection::terminal::words::{Command, parse, parse_json};
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde_json::Value;

const PAGE: &str = include_str!("../docs/protocol.md");

/// The names of an enum's variants, as serde knows them.
fn names<T: DeserializeOwned>() -> BTreeSet<&'static str> {
    /// Asked for an enum, it notes what that may be, and gives up.
    struct Names<'a>(&'a mut &'static [&'static str]);
    impl<'de> Deserializer<'de> for Names<'_> {
        type Error = serde::de::value::Error;
        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(serde::de::Error::custom("not an enum"))
        }
        fn deserialize_enum<V: Visitor<'de>>(
            self,
            _: &'static str,
            variants: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = variants;
            Err(serde::de::Error::custom("noted"))
        }
        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
            option unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier
            ignored_any
        }
    }
    let mut variants: &[&str] = &[];
    assert!(T::deserialize(Names(&mut variants)).is_err());
    assert!(!variants.is_empty(), "not an enum");
    variants.iter().copied().collect()
}

/// The lines of every code block with this label.
fn examples(label: &str) -> Vec<&'static str> {
    let fence = format!("```{label}");
    let mut inside = false;
    let mut found = Vec::new();
    for line in PAGE.lines() {
        match line {
            "```" => inside = false,
            line if line.starts_with("```") => inside = line == fence,
            line if inside => found.push(line),
            _ => {}
        }
    }
    found
}

/// The rows of every table whose first column has this head, cell by cell.
fn rows(head: &str) -> Vec<Vec<String>> {
    let head = format!("| {head} |");
    let mut inside = false;
    let mut found = Vec::new();
    for line in PAGE.lines() {
        inside = line.starts_with(&head) || (inside && line.starts_with('|'));
        if inside && !line.starts_with(&head) && !line.starts_with("|---") {
            // A bar inside a cell is written `\|`.
            let line = line.replace("\\|", "\0");
            let cells = line.trim_matches('|').split('|');
            found.push(cells.map(|cell| cell.trim().replace('\0', "|")).collect());
        }
    }
    found
}

/// What stands in backticks in a cell.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn first_quoted(cells: &[String]) -> &str {
    quoted(&cells[0])
        .next()
        .unwrap_or_else(|| panic!("no example in {cells:?}"))
}

fn value(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// The name of what serde wrote of an enum: a string, or an object's one key.
fn name_of(value: &Value) -> String {
    match value {
        Value::String(name) => name.clone(),
        Value::Object(object) => object.keys().next().expect("a name").clone(),
        _ => panic!("{value} has no name"),
    }
}

/// Reads every row's example as a `T`, written back the same, and returns their names.
fn covered<T: DeserializeOwned + serde::Serialize>(head: &str) -> BTreeSet<String> {
    let rows = rows(head);
    let read = rows.iter().map(|cells| {
        let example = first_quoted(cells);
        let read: T =
            serde_json::from_str(example).unwrap_or_else(|error| panic!("{error}: {example}"));
        let written = serde_json::to_value(&read).unwrap();
        assert_eq!(written, value(example), "{example}");
        name_of(&written)
    });
    read.collect()
}

fn check_complete<T: DeserializeOwned>(covered: &BTreeSet<String>) {
    let covered: BTreeSet<&str> = covered.iter().map(String::as_str).collect();
    let missing: Vec<_> = names::<T>().difference(&covered).copied().collect();
    assert!(
        missing.is_empty(),
        "docs/protocol.md has no row for {missing:?}"
    );
}

#[test]
fn what_members_send_is_understood() {
    let lines = examples("json to-room");
    let mut kinds = BTreeSet::new();
    for line in lines {
        from_json::<ToRoom>(line, FROM_MEMBER_BYTES_MAX)
            .unwrap_or_else(|error| panic!("{error}: {line}"));
        kinds.insert(name_of(&value(line)));
    }
    check_complete::<ToRoom>(&kinds);
}

#[test]
fn what_the_room_sends_is_written_exactly_so() {
    let lines = examples("json to-member");
    let mut kinds = BTreeSet::new();
    for line in lines {
        let frame: ToMember =
            from_json(line, FROM_ROOM_BYTES_MAX).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(serde_json::to_value(&frame).unwrap(), value(line), "{line}");
        kinds.insert(name_of(&value(line)));
    }
    check_complete::<ToMember>(&kinds);
}

#[test]
fn what_is_typed_is_understood() {
    let lines = examples("json typed");
    assert!(lines.len() >= 6);
    for line in lines {
        parse_json(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

#[test]
fn every_intent_has_a_row_and_the_words_in_it_mean_it() {
    let state = printed_state();
    let bodies = names::<Body>();
    let mut intents = BTreeSet::new();
    for cells in rows("intent") {
        let example = first_quoted(&cells);
        let meant = parse_json(example).unwrap_or_else(|error| panic!("{error}: {example}"));
        assert!(matches!(meant, Command::Ask(_)), "{example} is no intent");
        for words in quoted(&cells[1]) {
            let typed = parse(words, MediaTime::ZERO, &state);
            assert_eq!(typed.as_ref(), Ok(&meant), "{words}");
        }
        let intent = name_of(&value(example));
        let is_observation = ["measure", "ready", "ended"].contains(&&*intent);
        assert!(
            is_observation || !cells[1].is_empty(),
            "no words for {intent}"
        );
        let becomes = quoted(&cells[2]).filter(|word| word.ends_with("ed"));
        for body in becomes.filter(|word| !word.contains(' ')) {
            assert!(
                bodies.contains(body),
                "{intent} becomes {body}, which is no event"
            );
        }
        intents.insert(intent);
    }
    check_complete::<Intent>(&intents);
}

/// The printed state, but its guest may do everything except this.
fn without(action: Action) -> (RoomState, MemberId) {
    let (mut state, member) = (printed_state(), MemberId::new(2));
    for ruled in Action::ALL {
        let header = Header {
            seq: state.tail(),
            epoch: state.epoch,
            stamp: state.stamp,
            at: state.at,
            wall: 0,
            by: None,
            via: Via::Auto,
            cause: None,
            intent: None,
        };
        let body = Body::Ruled {
            member,
            action: ruled,
            allow: Some(ruled != action),
            until: None,
        };
        state.apply(&Event { header, body });
    }
    (state, member)
}

#[test]
fn every_intent_is_refused_without_the_grants_its_row_says_it_needs() {
    let mut checked = 0;
    for cells in rows("intent") {
        // Rows whose need depends on whose it is, or on what is undone, say so in words.
        if ["what", "same", "unless"]
            .iter()
            .any(|word| cells[3].contains(word))
        {
            continue;
        }
        let example = first_quoted(&cells);
        let Ok(Command::Ask(intent)) = parse_json(example) else {
            panic!("{example}");
        };
        let words: Vec<_> = cells[3].split([',', ';', ' ']).collect();
        for action in Action::ALL {
            let (state, guest) = without(action);
            let is_refused = matches!(
                authorise(&state, guest, &intent),
                Err(Refusal::NotAllowed { action: what, .. }) if what == action.words()
            );
            assert_eq!(
                is_refused,
                words.contains(&action.word()),
                "{example} without {}",
                action.word()
            );
        }
        checked += 1;
    }
    assert!(checked > 35, "only {checked} rows were checked");
}

#[test]
fn every_kind_of_event_has_a_row_that_the_program_printed() {
    check_complete::<Body>(&covered::<Body>("body"));
}

#[test]
fn every_refusal_has_a_row_with_the_sentence_it_says() {
    check_complete::<Refusal>(&covered::<Refusal>("refusal"));
    for cells in rows("refusal") {
        let refusal: Refusal = serde_json::from_str(first_quoted(&cells)).unwrap();
        assert_eq!(refusal.to_string(), cells[1]);
    }
}

#[test]
fn every_closing_has_a_row_and_those_to_return_after_come_first() {
    let closings: Vec<Closing> = rows("closing")
        .iter()
        .map(|cells| serde_json::from_value(first_quoted(cells).into()).unwrap())
        .collect();
    let known = names::<Closing>();
    assert_eq!(closings.len(), known.len(), "of {known:?}");
    let may_return: Vec<_> = closings
        .iter()
        .map(|closing| closing.may_return())
        .collect();
    assert_eq!(may_return, [true, true, true, false, false, false, false]);
}

#[test]
fn every_word_of_the_closed_lists_is_named() {
    let lists = [
        names::<Action>(),
        names::<Activity>(),
        names::<Client>(),
        names::<Departure>(),
        names::<HoldEnd>(),
        names::<HoldReason>(),
        names::<Provider>(),
        names::<QueueMode>(),
        names::<Repeat>(),
        names::<Role>(),
        names::<Suspension>(),
        names::<Via>(),
    ];
    for name in lists.iter().flatten() {
        assert!(
            PAGE.contains(&format!("`{name}`")),
            "docs/protocol.md does not name `{name}`"
        );
    }
}

fn printed() -> BTreeMap<String, Value> {
    let lines = examples("json state");
    assert_eq!(lines.len(), 1);
    serde_json::from_str(lines[0]).unwrap()
}

fn printed_state() -> RoomState {
    serde_json::from_value(printed().remove("state").unwrap()).unwrap()
}

#[test]
fn a_printed_state_has_the_digest_it_claims() {
    let (printed, state) = (printed(), printed_state());
    assert_eq!(printed["digest"], state.digest().to_string());
    assert_eq!(printed["seq"], state.seq.get());
    assert_eq!(printed["state"], serde_json::to_value(&state).unwrap());
}

#[test]
fn every_other_example_is_json() {
    let lines = examples("json");
    assert!(lines.len() >= 10);
    for line in lines {
        assert!(value(line).is_object(), "{line}");
    }
}
