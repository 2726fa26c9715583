//! What is typed: plain words, one command a line, or JSON objects.
//!
//! ```text
//! play · pause · seek 1:23 · rate 1.25 · load URL · say Hello · name Ana
//! state · who · player · help · quit
//! ```
//! With JSON: any intent as the protocol has it, `{"seek":{"to":83000000}}`,
//! and `{"state":{}}`, `{"quit":{}}`.

use serde::Deserialize;

use crate::engine::intent::Intent;
use crate::engine::unit::{MediaTime, Rate};

/// One typed line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Ask the room.
    Ask(Intent),
    /// Print the folded state.
    State,
    /// Print who is here and how their players do.
    Who,
    /// Open the player again.
    Player,
    /// Print the words.
    Help,
    /// Leave.
    Quit,
}

/// The words, for people.
pub const HELP: &str = "\
play               let the film run
pause              let it stand
seek 1:23          move it; also 83, 1:02:03, +10, -10
rate 1.25          change its speed, 0.25 to 4
load URL           watch something else
say Hello          talk to the others
name Ana           be called something else
state              what is true right now
who                who is here, and how far from in step
player             open the player again after it was closed
quit               leave";

/// Reads one line of words. `position` is where the film stands, for `seek +10`.
///
/// # Errors
/// One sentence that says what was wrong and what to type instead.
pub fn parse(line: &str, position: MediaTime) -> Result<Command, String> {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let bare = |command| {
        if rest.is_empty() {
            Ok(command)
        } else {
            Err(format!("“{word}” takes nothing behind it."))
        }
    };
    let needs = |what: &str| Err(format!("“{word}” needs {what}."));
    match word.to_ascii_lowercase().as_str() {
        "play" => bare(Command::Ask(Intent::Play {})),
        "pause" => bare(Command::Ask(Intent::Pause { at: None })),
        "seek" => match seek_target(rest, position) {
            Some(to) => Ok(Command::Ask(Intent::Seek { to })),
            None => needs("a place in the film, such as 83, 1:23, 1:02:03, +10 or -10"),
        },
        "rate" => match Rate::parse(rest) {
            Some(rate) => Ok(Command::Ask(Intent::Rate { rate })),
            None => needs("a speed from 0.25 to 4, such as 1.25"),
        },
        "load" if rest.is_empty() => needs("the address of a video"),
        "load" => Ok(Command::Ask(Intent::Load {
            url: rest.to_owned(),
        })),
        "say" if rest.is_empty() => needs("something to say"),
        "say" => Ok(Command::Ask(Intent::Say {
            text: rest.to_owned(),
        })),
        "name" if rest.is_empty() => needs("a name"),
        "name" => Ok(Command::Ask(Intent::Rename {
            name: rest.to_owned(),
        })),
        "state" => bare(Command::State),
        "who" => bare(Command::Who),
        "player" => bare(Command::Player),
        "help" | "?" => bare(Command::Help),
        "quit" | "exit" => bare(Command::Quit),
        _ => Err(format!(
            "“{word}” is not a word I know. Type help for those I do."
        )),
    }
}

/// Reads one line of JSON.
///
/// # Errors
/// One sentence with the parser's reason.
pub fn parse_json(line: &str) -> Result<Command, String> {
    /// What is not an intent.
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case", deny_unknown_fields)]
    enum Own {
        State {},
        Who {},
        Player {},
        Quit {},
    }
    if let Ok(own) = serde_json::from_str::<Own>(line) {
        return Ok(match own {
            Own::State {} => Command::State,
            Own::Who {} => Command::Who,
            Own::Player {} => Command::Player,
            Own::Quit {} => Command::Quit,
        });
    }
    serde_json::from_str(line)
        .map(Command::Ask)
        .map_err(|error| {
            // The parser lists every intent there is; the documentation does that better.
            let error = error.to_string();
            let reason = error.split(", expected one of").next().unwrap_or(&error);
            format!("That JSON is no intent: {reason}.")
        })
}

fn seek_target(text: &str, position: MediaTime) -> Option<MediaTime> {
    let from_here = |rest: &str| MediaTime::parse(rest).map(|by| by - MediaTime::ZERO);
    if let Some(rest) = text.strip_prefix('+') {
        return Some(position + from_here(rest)?);
    }
    if let Some(rest) = text.strip_prefix('-') {
        return Some(position - from_here(rest)?);
    }
    MediaTime::parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Result<Command, String> {
        parse(text, MediaTime::from_secs(60))
    }

    #[test]
    fn words_become_intents() {
        let seek = |secs| {
            Ok(Command::Ask(Intent::Seek {
                to: MediaTime::from_secs(secs),
            }))
        };
        assert_eq!(at("play"), Ok(Command::Ask(Intent::Play {})));
        assert_eq!(at("  PAUSE "), Ok(Command::Ask(Intent::Pause { at: None })));
        assert_eq!(at("seek 1:23"), seek(83));
        assert_eq!(at("seek +10"), seek(70));
        assert_eq!(at("seek -90"), seek(0));
        assert_eq!(
            at("say  hello there "),
            Ok(Command::Ask(Intent::Say {
                text: "hello there".into()
            }))
        );
        assert_eq!(at("quit"), Ok(Command::Quit));
    }

    #[test]
    fn what_is_not_understood_says_what_to_type() {
        for (text, hint) in [
            ("seek", "place"),
            ("seek NaN", "place"),
            ("rate 9", "0.25"),
            ("load", "address"),
            ("dance", "help"),
            ("", "help"),
            ("play now", "nothing"),
        ] {
            let sentence = at(text).unwrap_err();
            assert!(sentence.contains(hint), "{text}: {sentence}");
        }
    }

    #[test]
    fn json_objects_are_intents_or_our_own_words() {
        assert_eq!(
            parse_json(r#"{"seek":{"to":83000000}}"#),
            Ok(Command::Ask(Intent::Seek {
                to: MediaTime::from_secs(83)
            }))
        );
        assert_eq!(
            parse_json(r#"{"pause":{}}"#),
            Ok(Command::Ask(Intent::Pause { at: None }))
        );
        assert_eq!(parse_json(r#"{"state":{}}"#), Ok(Command::State));
        for bad in [
            r#"{"seek":{"to":-1}}"#,
            r#"{"seek":{"to":1e99}}"#,
            r#"{"seek":{"to":NaN}}"#,
            r#"{"fly":{}}"#,
            "{",
            r#"{"play":{"now":1}}"#,
        ] {
            assert!(parse_json(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_the_reader_panic(line in ".{0,80}") {
            let _ = at(&line);
            let _ = parse_json(&line);
        }
    }
}
