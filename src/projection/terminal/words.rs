//! What is typed: plain words, one command a line, or JSON objects.
//!
//! ```text
//! play · pause · seek 1:23 · rate 1.25 · load URL · next · undo · ready · say Hello
//! queue add URL · vote 3 · skip · poll What next? | a | b · react 🎉 · reply 42 Indeed
//! invite co-host 2h 3 uses · revoke 12 · approve on · admit 3 · passcode 4711
//! grant Ana play · mute Bob 10 · kick Bob · role Ana co-host · host Ana · slow 10
//! state · who · player · help · quit
//! ```
//! People are named as they are called, or by the number `state` prints; items
//! and lines by their numbers. With JSON: any intent as the protocol has it,
//! `{"seek":{"to":83000000}}`, and `{"state":{}}`, `{"invites":{}}`, `{"quit":{}}`.

use serde::Deserialize;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error, StrDeserializer};

use crate::engine::event::{Action, HoldReason, Inability, QueueMode, Repeat, Role, Suspension};
use crate::engine::fold::RoomState;
use crate::engine::fold::entrance::OWN_LINK;
use crate::engine::id::{ItemId, MemberId, Seq};
use crate::engine::intent::Intent;
use crate::engine::text::Passcode;
use crate::engine::unit::{MediaTime, Micros, Rate};

/// One typed line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Ask the room.
    Ask(Intent),
    /// Print the folded state.
    State,
    /// Print who is here and how their players do.
    Who,
    /// Print the links there are.
    Invites,
    /// Open the player again.
    Player,
    /// Print the words.
    Help,
    /// Leave.
    Quit,
}

/// The words, for people.
pub const HELP: &str = "\
The film
play               let the film run; again while the room waits: start anyway
pause              let it stand
seek 1:23          move it; also 83, 1:02:03, +10, -10
rate 1.25          change its speed, 0.25 to 4
load URL           watch something else
next               go on to what comes next
undo               take back what was done last; undo 42 takes back event 42
ready check        ask everybody, then start with a 3-2-1
ready              say that you are
away               watch on your own; back follows the room again
The queue
queue add URL      put something into it; queue first URL puts it in front
queue remove 3     take item 3 out
queue move 3 1     give item 3 the first place
queue shuffle      any order
now 3              play item 3 at once
mode vote          play what has most votes; also manual, turns
repeat all         go round; also one, off
vote 3             want item 3 soon; unvote 3 takes that back
skip               want what is on to be skipped; unskip takes that back
skip share 50      skip when more than 50 % of those here want it
poll What? | a | b ask everybody; choices may be addresses
answer 2           choose the second; answer none takes that back
poll close         end it; an address that won is queued
Talk
say Hello          talk to the others
reply 42 Indeed    answer line 42
react 🎉           show a feeling
redact 42          have line 42 no longer shown
name Ana           be called something else
People
request seek       ask to be allowed something
grant Ana seek     allow it: play seek rate queue vote chat invite moderate
grant Ana seek 10  allow it for 10 minutes
revoke Ana seek    forbid it, also for so many minutes
mute Ana 10        no talk for 10 minutes; unmute Ana
allow guest seek   what a role may do; forbid guest seek
role Ana co-host   also guest, viewer
host Ana           make her the host
kick Ana           send her out; ban Ana, unban Ana
slow 10            a line every 10 seconds; slow 0 is off
wait ads on        wait for advertisements; wait stalls off
The door
invite             make a link for guests; invite viewer, invite co-host
invite 2h 3 uses   one for two hours (also 30m, 7d) and three people
invites            the links there are; link 12 shows one again, link 0 the party's own
revoke 12          link 12 no longer opens; revoke 0: the party's own
approve on         newcomers knock and wait; approve off
admit 3            let knock 3 in; deny 3 turns it away
passcode 4711      newcomers must know it; passcode off
Yourself
unable region      your own player cannot show the film, and why; able takes that back
state              what is true right now
who                who is here, and how far from in step
player             open the player again after it was closed
quit               leave";

/// Reads one line of words. `position` is where the film stands, for `seek +10`; `state` knows
/// who is called what and what is on.
///
/// # Errors
/// One sentence that says what was wrong and what to type instead.
pub fn parse(line: &str, position: MediaTime, state: &RoomState) -> Result<Command, String> {
    let (word, rest) = first_word(line);
    let typed = Typed { word, rest, state };
    match word.to_ascii_lowercase().as_str() {
        "state" | "queue" if rest.is_empty() => Ok(Command::State),
        "state" => typed.bare(Command::State),
        "who" => typed.bare(Command::Who),
        "invites" => typed.bare(Command::Invites),
        "player" => typed.bare(Command::Player),
        "help" | "?" => typed.bare(Command::Help),
        "quit" | "exit" => typed.bare(Command::Quit),
        word => typed.intent(word, position).map(Command::Ask),
    }
}

/// A typed line in two halves, and what its names and numbers may stand for.
struct Typed<'a> {
    word: &'a str,
    rest: &'a str,
    state: &'a RoomState,
}

impl Typed<'_> {
    fn intent(&self, word: &str, position: MediaTime) -> Result<Intent, String> {
        let on = self.state.timeline.anchor.item;
        match word {
            "play" => self.bare(Intent::Play {}),
            "pause" => self.bare(Intent::Pause { at: None }),
            "seek" => match seek_target(self.rest, position) {
                Some(to) => Ok(Intent::Seek { to }),
                None => self.needs("a place in the film, such as 83, 1:23, 1:02:03, +10 or -10"),
            },
            "rate" => match Rate::parse(self.rest) {
                Some(rate) => Ok(Intent::Rate { rate }),
                None => self.needs("a speed from 0.25 to 4, such as 1.25"),
            },
            "load" => self
                .text("the address of a video")
                .map(|url| Intent::Load { url }),
            "next" => self.bare(Intent::Next { item: on }),
            "undo" if self.rest.is_empty() => Ok(Intent::Undo { seq: None }),
            "undo" => self
                .line(self.rest)
                .map(|seq| Intent::Undo { seq: Some(seq) }),
            "ready" if self.rest.eq_ignore_ascii_case("check") => Ok(Intent::ReadyCheck {}),
            "ready" => self.bare(Intent::SayReady {}),
            "away" => self.bare(Intent::Suspend {
                reason: Suspension::Detached,
            }),
            "back" => self.bare(Intent::Return {}),
            "unable" => {
                let (why, said) = first_word(self.rest);
                let Some(why) = inability(why) else {
                    return self.needs("a reason, such as region, sign_in or other");
                };
                Ok(Intent::Unable {
                    item: on,
                    why: Some(why),
                    words: (!said.is_empty()).then(|| said.to_owned()),
                })
            }
            "able" => self.bare(Intent::Unable {
                item: on,
                why: None,
                words: None,
            }),
            "queue" => self.queue(),
            "now" => self.item(self.rest).map(|item| Intent::PlayNow { item }),
            "mode" => self.one_of(&[
                (
                    "manual",
                    Intent::SetMode {
                        mode: QueueMode::Manual,
                    },
                ),
                (
                    "vote",
                    Intent::SetMode {
                        mode: QueueMode::Vote,
                    },
                ),
                (
                    "turns",
                    Intent::SetMode {
                        mode: QueueMode::RoundRobin,
                    },
                ),
            ]),
            "repeat" => self.one_of(&[
                (
                    "off",
                    Intent::SetRepeat {
                        repeat: Repeat::Off,
                    },
                ),
                (
                    "one",
                    Intent::SetRepeat {
                        repeat: Repeat::One,
                    },
                ),
                (
                    "all",
                    Intent::SetRepeat {
                        repeat: Repeat::All,
                    },
                ),
            ]),
            "vote" => self.item(self.rest).map(|item| Intent::Vote { item }),
            "unvote" => self.item(self.rest).map(|item| Intent::Unvote { item }),
            "skip" => match first_word(self.rest) {
                ("share", percent) => self
                    .number(
                        percent.trim_end_matches([' ', '%']),
                        "a share in percent, such as 50",
                    )
                    .map(|percent| Intent::SetSkipShare { percent }),
                _ => self.bare(Intent::Skip { item: on }),
            },
            "unskip" => self.bare(Intent::Unskip { item: on }),
            "poll" => self.poll(),
            "answer" => self.answer(),
            _ => self.talk_or_people(word),
        }
    }

    fn talk_or_people(&self, word: &str) -> Result<Intent, String> {
        match word {
            "say" => self
                .text("something to say")
                .map(|text| Intent::Say { text }),
            "name" => self.text("a name").map(|name| Intent::Rename { name }),
            "react" => self
                .text("one emoji")
                .map(|reaction| Intent::React { reaction }),
            "reply" => {
                let (number, text) = first_word(self.rest);
                let to = self.line(number)?;
                if text.is_empty() {
                    return self.needs("something to say behind the line's number");
                }
                let text = text.to_owned();
                Ok(Intent::Reply { to, text })
            }
            "redact" => self.line(self.rest).map(|seq| Intent::Redact { seq }),
            "request" => action(self.rest)
                .map(|action| Intent::Request { action })
                .ok_or_else(|| self.sentence(ACTIONS)),
            "invite" => self.invite(),
            "link" if self.rest.is_empty() => Ok(Intent::ShowInvite { invite: OWN_LINK }),
            "link" => self
                .invite_number(self.rest)
                .map(|invite| Intent::ShowInvite { invite }),
            "approve" => self.one_of(&[
                ("on", Intent::SetApproval { on: true }),
                ("off", Intent::SetApproval { on: false }),
            ]),
            "admit" | "deny" => {
                let knock = self.number(self.rest, "the number of a knock, such as 3")?;
                let let_in = word == "admit";
                Ok(Intent::AnswerKnock { knock, let_in })
            }
            "passcode" if self.rest.eq_ignore_ascii_case("off") => {
                Ok(Intent::SetPasscode { passcode: None })
            }
            "passcode" => {
                let typed = self.text("what newcomers must know, or off")?;
                let passcode = Passcode::new(&typed).map_err(str::to_owned)?;
                Ok(Intent::SetPasscode {
                    passcode: Some(passcode),
                })
            }
            // Of somebody something, or a link: a number alone is no member and an action.
            "revoke"
                if self
                    .rest
                    .strip_prefix('#')
                    .unwrap_or(self.rest)
                    .parse::<u64>()
                    .is_ok() =>
            {
                self.invite_number(self.rest)
                    .map(|invite| Intent::RevokeInvite { invite })
            }
            "grant" | "revoke" => {
                let (whom, action, lasts) = self.ruling()?;
                let member = self.member(whom)?;
                Ok(if word == "grant" {
                    Intent::Grant {
                        member,
                        action,
                        lasts,
                    }
                } else {
                    Intent::Revoke {
                        member,
                        action,
                        lasts,
                    }
                })
            }
            "mute" | "unmute" => {
                let (whom, lasts) = minutes(self.rest);
                let (member, action) = (self.member(whom)?, Action::Chat);
                Ok(if word == "mute" {
                    Intent::Revoke {
                        member,
                        action,
                        lasts,
                    }
                } else {
                    Intent::Grant {
                        member,
                        action,
                        lasts,
                    }
                })
            }
            "allow" | "forbid" => {
                let (of, what) = first_word(self.rest);
                match (role(of), action(what)) {
                    (Some(role), Some(action)) => Ok(Intent::Permit {
                        role,
                        action,
                        allow: word == "allow",
                    }),
                    _ => self.needs("a role and an action, such as guest seek"),
                }
            }
            "role" => {
                let (whom, last) = last_word(self.rest);
                match role(last) {
                    Some(role) => Ok(Intent::SetRole {
                        member: self.member(whom)?,
                        role,
                    }),
                    None => self.needs("somebody and a role: co-host, guest or viewer"),
                }
            }
            "host" => self
                .member(self.rest)
                .map(|member| Intent::HandOver { member }),
            "kick" => self.member(self.rest).map(|member| Intent::Kick { member }),
            "ban" => self.member(self.rest).map(|member| Intent::Ban { member }),
            "unban" => self
                .member(self.rest)
                .map(|member| Intent::Unban { member }),
            "slow" => {
                let secs: i64 = self.number(self.rest, "a number of seconds, such as 10")?;
                Ok(Intent::SetSlow {
                    every: Micros::from_secs(secs),
                })
            }
            "wait" => {
                let (what, on) = first_word(self.rest);
                let reason = match what {
                    "stalls" => Some(HoldReason::Stall),
                    "ads" => Some(HoldReason::Ad),
                    _ => None,
                };
                match (reason, on) {
                    (Some(reason), "on" | "off") => Ok(Intent::SetWait {
                        reason,
                        wait: on == "on",
                    }),
                    _ => self.needs("stalls or ads, then on or off"),
                }
            }
            _ => Err(format!(
                "“{}” is not a word I know. Type help for those I do.",
                self.word
            )),
        }
    }

    fn queue(&self) -> Result<Intent, String> {
        let (what, rest) = first_word(self.rest);
        let add = |front| {
            if rest.is_empty() {
                return self.needs("the address of a video");
            }
            let url = rest.to_owned();
            Ok(Intent::QueueAdd { url, front })
        };
        match what {
            "add" => add(false),
            "first" => add(true),
            "remove" => self.item(rest).map(|item| Intent::QueueRemove { item }),
            "move" => {
                let (item, place) = first_word(rest);
                let item = self.item(item)?;
                // People count places from one.
                let place: u32 = self.number(place, "an item and its new place, such as 3 1")?;
                let place = place.saturating_sub(1);
                Ok(Intent::QueueMove { item, place })
            }
            "shuffle" if rest.is_empty() => Ok(Intent::Shuffle {}),
            // An address pasted right behind the word can only mean one thing.
            url if url.contains("://") && rest.is_empty() => Ok(Intent::QueueAdd {
                url: url.to_owned(),
                front: false,
            }),
            _ => self.needs("add, first, remove, move or shuffle"),
        }
    }

    fn poll(&self) -> Result<Intent, String> {
        if self.rest == "close" {
            let poll = self.open_poll()?;
            return Ok(Intent::ClosePoll { poll });
        }
        let mut parts = self.rest.split('|').map(|part| part.trim().to_owned());
        let question = parts.next().unwrap_or_default();
        let choices: Vec<_> = parts.collect();
        if question.is_empty() || choices.is_empty() {
            return self.needs("a question and choices, such as What next? | a | b");
        }
        Ok(Intent::OpenPoll { question, choices })
    }

    fn answer(&self) -> Result<Intent, String> {
        let poll = self.open_poll()?;
        if self.rest == "none" {
            return Ok(Intent::AnswerPoll { poll, choice: None });
        }
        let choice: u8 = self.number(self.rest, "a choice's number, such as 2")?;
        match choice.checked_sub(1) {
            Some(choice) => Ok(Intent::AnswerPoll {
                poll,
                choice: Some(choice),
            }),
            None => self.needs("a choice's number, from 1"),
        }
    }

    fn open_poll(&self) -> Result<Seq, String> {
        let poll = self.state.poll.as_ref().filter(|poll| poll.open);
        poll.map(|poll| poll.id)
            .ok_or_else(|| "No poll is open.".to_owned())
    }

    /// `Ana Maria seek 10`: who, what, and for how many minutes.
    fn ruling(&self) -> Result<(&str, Action, Option<Micros>), String> {
        let (rest, lasts) = minutes(self.rest);
        let (whom, what) = last_word(rest);
        match action(what) {
            Some(action) if !whom.is_empty() => Ok((whom, action, lasts)),
            _ => Err(self.sentence(ACTIONS)),
        }
    }

    /// Somebody, by what they are called or by number; whoever is here comes first.
    fn member(&self, typed: &str) -> Result<MemberId, String> {
        if typed.is_empty() {
            return self.needs("somebody's name");
        }
        let roster = &self.state.roster;
        let called = |name: &str| name.eq_ignore_ascii_case(typed) || name == typed;
        let by_name = roster
            .present()
            .chain(roster.iter())
            .find(|(_, member)| called(member.name.as_str()))
            .map(|(id, _)| id);
        let by_number = || {
            let number = typed.strip_prefix('#').unwrap_or(typed).parse().ok()?;
            let id = MemberId::new(number);
            roster.get(id).map(|_| id)
        };
        by_name.or_else(by_number).ok_or_else(|| {
            format!("Nobody here is called “{typed}”. Type who for those who are here.")
        })
    }

    fn item(&self, typed: &str) -> Result<ItemId, String> {
        self.number(typed, "an item's number, as state prints it")
            .map(ItemId::new)
    }

    fn invite_number(&self, typed: &str) -> Result<Seq, String> {
        self.number(typed, "a link's number, as invites prints it")
            .map(Seq::new)
    }

    /// `co-host 2h 3 uses`: each part may be missing.
    fn invite(&self) -> Result<Intent, String> {
        let (mut of, mut lasts, mut uses) = (Role::Guest, None, None);
        let mut words = self.rest.split_whitespace().peekable();
        if let Some(known) = words.peek().and_then(|word| role(word)) {
            of = known;
            words.next();
        }
        while let Some(word) = words.next() {
            if let Ok(count) = word.parse::<u32>()
                && let Some("use" | "uses") = words.peek().copied()
            {
                words.next();
                uses = Some(count);
            } else if let Some(micros) = duration(word) {
                lasts = Some(micros);
            } else {
                return self
                    .needs("whom it is for, how long and for how many, such as guest 2h 3 uses");
            }
        }
        Ok(Intent::Invite {
            role: of,
            lasts,
            uses,
        })
    }

    fn line(&self, typed: &str) -> Result<Seq, String> {
        self.number(typed, "an event's number").map(Seq::new)
    }

    fn number<N: std::str::FromStr>(&self, typed: &str, what: &str) -> Result<N, String> {
        let typed = typed.strip_prefix('#').unwrap_or(typed);
        typed.parse().map_err(|_| self.sentence(what))
    }

    fn text(&self, what: &str) -> Result<String, String> {
        if self.rest.is_empty() {
            return self.needs(what);
        }
        Ok(self.rest.to_owned())
    }

    fn one_of(&self, words: &[(&str, Intent)]) -> Result<Intent, String> {
        let known = words
            .iter()
            .find(|(word, _)| self.rest.eq_ignore_ascii_case(word));
        known.map(|(_, intent)| intent.clone()).ok_or_else(|| {
            let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.sentence(&all.join(", "))
        })
    }

    fn bare<T>(&self, meant: T) -> Result<T, String> {
        if self.rest.is_empty() {
            Ok(meant)
        } else {
            Err(format!("“{}” takes nothing behind it.", self.word))
        }
    }

    fn needs<T>(&self, what: &str) -> Result<T, String> {
        Err(self.sentence(what))
    }

    fn sentence(&self, what: &str) -> String {
        format!("“{}” needs {what}.", self.word)
    }
}

/// What people may be allowed, for those who typed something else.
const ACTIONS: &str = "an action: play, seek, rate, queue, vote, chat, invite or moderate; of somebody, where it is for them";

/// A reason as JSON spells it.
fn inability(text: &str) -> Option<Inability> {
    let spelled: StrDeserializer<'_, Error> = text.into_deserializer();
    Inability::deserialize(spelled).ok()
}

fn action(typed: &str) -> Option<Action> {
    Action::ALL
        .into_iter()
        .find(|action| action.word().eq_ignore_ascii_case(typed))
}

fn role(typed: &str) -> Option<Role> {
    match typed.to_ascii_lowercase().as_str() {
        "co-host" | "cohost" => Some(Role::CoHost),
        "guest" => Some(Role::Guest),
        "viewer" => Some(Role::Viewer),
        _ => None,
    }
}

/// `30m`, `2h`, `7d`.
fn duration(typed: &str) -> Option<Micros> {
    let unit = typed.chars().last()?;
    let each = match unit.to_ascii_lowercase() {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u32 = typed[..typed.len() - unit.len_utf8()].parse().ok()?;
    Some(Micros::from_secs(i64::from(count) * each))
}

/// Splits a number of minutes off the end.
fn minutes(text: &str) -> (&str, Option<Micros>) {
    match last_word(text) {
        (rest, number) if !rest.is_empty() => match number.parse::<u32>() {
            Ok(minutes) => (rest, Some(Micros::from_secs(i64::from(minutes) * 60))),
            Err(_) => (text, None),
        },
        _ => (text, None),
    }
}

fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

fn last_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (rest, word) = text.rsplit_once(char::is_whitespace).unwrap_or(("", text));
    (rest.trim(), word)
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
        Invites {},
        Player {},
        Quit {},
    }
    if let Ok(own) = serde_json::from_str::<Own>(line) {
        return Ok(match own {
            Own::State {} => Command::State,
            Own::Who {} => Command::Who,
            Own::Invites {} => Command::Invites,
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
        parse(text, MediaTime::from_secs(60), &RoomState::default())
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
        let url = "https://youtu.be/YE7VzlLtp-4";
        assert_eq!(
            at(&format!("queue {url}")),
            at(&format!("queue add {url}")),
            "an address pasted behind the word is meant to be added"
        );
    }

    #[test]
    fn every_word_of_the_help_is_understood() {
        use crate::engine::event::{Body, Client, Event, Header};
        let mut state = RoomState::default();
        let bodies = [
            Body::Joined {
                member: MemberId::new(7),
                name: "Ana".parse().unwrap(),
                role: Role::Guest,
                client: Client::Page,
            },
            Body::PollOpened {
                question: "?".parse().unwrap(),
                choices: Vec::new(),
            },
        ];
        for (seq, body) in (1..).zip(bodies) {
            let header = Header {
                seq: Seq::new(seq),
                epoch: Default::default(),
                stamp: Default::default(),
                at: Default::default(),
                wall: 0,
                by: None,
                via: Default::default(),
                cause: None,
                intent: None,
            };
            state.apply(&Event { header, body });
        }
        let commands = HELP.lines().filter(|line| line.len() > 19);
        for line in commands {
            let typed = line[..line.floor_char_boundary(19)].trim();
            let typed = typed.replace("URL", "https://youtu.be/YE7VzlLtp-4");
            let meant = parse(&typed, MediaTime::ZERO, &state);
            assert!(meant.is_ok(), "{typed}: {meant:?}");
        }
        let member = MemberId::new(7);
        let action = Action::Seek;
        let lasts = Some(Micros::from_secs(600));
        assert_eq!(
            parse("grant ana seek 10", MediaTime::ZERO, &state),
            Ok(Command::Ask(Intent::Grant {
                member,
                action,
                lasts
            }))
        );
        assert_eq!(
            parse("kick #7", MediaTime::ZERO, &state),
            Ok(Command::Ask(Intent::Kick { member }))
        );
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
            ("kick Nobody", "who"),
            ("grant Ana everything", "moderate"),
            ("mode chaos", "turns"),
            ("vote", "number"),
            ("vote -1", "number"),
            ("queue 3", "remove"),
            ("poll What?", "choices"),
            ("answer 1", "No poll"),
            ("slow soon", "seconds"),
            ("undo yesterday", "number"),
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
