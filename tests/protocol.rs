//! `docs/protocol.md` is true: each example is what the program's own types read and write.

#![cfg(feature = "server")]

use std::collections::BTreeMap;

use seance::engine::fold::RoomState;
use seance::engine::frame::{
    FROM_MEMBER_BYTES_MAX, FROM_ROOM_BYTES_MAX, ToMember, ToRoom, from_json,
};
use seance::projection::terminal::words::parse_json;
use serde_json::Value;

const PAGE: &str = include_str!("../docs/protocol.md");

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

fn value(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn what_members_send_is_understood() {
    let lines = examples("json to-room");
    assert!(lines.len() >= 6);
    for line in lines {
        from_json::<ToRoom>(line, FROM_MEMBER_BYTES_MAX)
            .unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

#[test]
fn what_the_room_sends_is_written_exactly_so() {
    let lines = examples("json to-member");
    assert!(lines.len() >= 12);
    for line in lines {
        let frame: ToMember =
            from_json(line, FROM_ROOM_BYTES_MAX).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(serde_json::to_value(&frame).unwrap(), value(line), "{line}");
    }
}

#[test]
fn what_is_typed_is_understood() {
    let lines = examples("json typed");
    assert!(lines.len() >= 5);
    for line in lines {
        parse_json(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

#[test]
fn every_intent_of_the_table_is_understood() {
    let intents: Vec<_> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| `{")?.split('`').next())
        .collect();
    assert_eq!(intents.len(), 8);
    for intent in intents {
        let line = format!("{{{intent}");
        parse_json(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

#[test]
fn a_printed_state_has_the_digest_it_claims() {
    for line in examples("json state") {
        let mut printed: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
        let state: RoomState = serde_json::from_value(printed.remove("state").unwrap()).unwrap();
        assert_eq!(printed["digest"], state.digest().to_string());
        assert_eq!(printed["seq"], state.seq.get());
    }
    assert_eq!(examples("json state").len(), 1);
}

#[test]
fn every_other_example_is_json() {
    let lines = examples("json");
    assert!(lines.len() >= 10);
    for line in lines {
        assert!(value(line).is_object(), "{line}");
    }
}
