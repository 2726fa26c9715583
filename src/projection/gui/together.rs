//! What people settle among themselves: votes, polls, whether everybody is ready, and who may what.
//!
//! Sentences and arithmetic only, like [`data`](super::data); the panes draw
//! what is said here and submit the intents it names.

use druid::Data;

use super::data::App;
use super::theme::Tone;
use crate::engine::event::{Action, HoldReason, Role, Suspension};
use crate::engine::fold::hold::Hold;
use crate::engine::fold::poll::Poll;
use crate::engine::id::MemberId;
use crate::engine::intent::Intent;
use crate::engine::sequencer::authorise;
use crate::engine::unit::{LocalTime, Micros};
use crate::os::local_now;
use crate::projection::view::{self, Link, View};

/// What can be laid over the stage: what is wanted once in a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// In which order the queue is played.
    Queue,
    /// The poll that is open or was last, or a new one.
    Poll,
    /// What this party agreed on.
    Rules,
    /// The link, to be scanned, and how the ways to the party stand.
    Invite,
    /// What this member may do.
    Person(MemberId),
}

impl Data for Sheet {
    fn same(&self, other: &Self) -> bool {
        self == other
    }
}

/// The fewest and the most things a poll lets people choose from.
const CHOICES_MIN: usize = 2;
/// See [`CHOICES_MIN`].
pub const CHOICES_MAX: usize = 8;
/// What a poll without a question is answered with.
pub const QUESTION_MISSING: &str = "Type what the poll asks first.";
/// What a poll with nothing to choose is answered with.
pub const CHOICES_MISSING: &str = "Type at least two things to choose from.";

/// How long what is allowed or forbidden can last.
pub const LASTS: [(&str, Option<Micros>); 4] = [
    ("for good", None),
    ("10 min", Some(Micros::from_secs(600))),
    ("1 h", Some(Micros::from_secs(3_600))),
    ("1 day", Some(Micros::from_secs(86_400))),
];
/// How long somebody who asked and heard “Not now” is to wait: long enough for a scene, and then
/// their role says again what they may.
pub const NOT_NOW: Micros = Micros::from_secs(600);
/// How much time there can be between two lines of one person, in seconds.
pub const SLOWS: [i64; 5] = [0, 5, 10, 30, 60];
/// More than which share of those present can skip a film, in percent.
pub const SHARES: [u8; 3] = [33, 50, 66];
/// The regions in which ngrok can be entered.
pub const REGIONS: [&str; 7] = ["us", "eu", "ap", "au", "sa", "jp", "in"];

/// What is asked for in one breath: to control the film.
const CONTROL: [Action; 3] = [Action::Play, Action::Seek, Action::Rate];

/// A start that far away is counted down to; an ordinary one is nearer.
const COUNTED_FROM: Micros = Micros::from_secs(1);

/// One choice of a poll.
#[derive(Clone, Debug, PartialEq, Eq, Data)]
pub struct PollRow {
    /// What people read.
    pub label: String,
    /// Who chose it: "Ana, you".
    pub names: String,
    /// How many they are.
    pub count: usize,
    /// Of how many who answered.
    pub answered: usize,
    /// Whether it won, or is ahead.
    pub ahead: bool,
    /// What pressing its button does, and says: nothing where nobody can answer.
    #[data(eq)]
    pub deed: Option<(&'static str, Intent)>,
}

/// One thing a member may do, or not.
#[derive(Clone, Debug, PartialEq, Eq, Data)]
pub struct Permission {
    /// What, as people say it: "Move the film".
    pub words: String,
    /// Whether, and for how long: "yes, for 9 min".
    pub state: String,
    /// Whether it is allowed.
    pub allowed: bool,
    /// What can be done about it.
    #[data(eq)]
    pub deed: Option<(&'static str, Intent)>,
}

/// A ready check, as a screen tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Whether the viewer is asked and has not answered.
    pub me: bool,
    /// Whether the viewer was asked and said yes.
    pub ready: bool,
    /// Whether they said “Not yet”.
    pub later: bool,
    /// Who is ready, and who is not: "Ready: Ana · Not yet: you and Lou".
    pub line: String,
}

/// `Ana`, `Ana and Bo`, `Ana, Bo and 3 others`; the viewer is "you", and first.
fn names(view: &View, mut members: Vec<MemberId>) -> String {
    members.sort_by_key(|member| (Some(*member) != view.me, *member));
    let called = |member: &MemberId| match Some(*member) == view.me {
        true => "you",
        false => view.state.roster.name(*member),
    };
    match members.as_slice() {
        [] => String::new(),
        [one] => called(one).to_owned(),
        [one, two] => format!("{} and {}", called(one), called(two)),
        [one, two, three] => format!("{}, {} and {}", called(one), called(two), called(three)),
        [one, two, rest @ ..] => {
            format!("{}, {} and {} others", called(one), called(two), rest.len())
        }
    }
}

/// `Move the film`: as the first words of a line.
fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

impl App {
    fn live(&self) -> Option<(&View, MemberId)> {
        let view = self.view().filter(|view| view.link == Link::Live)?;
        Some((view, view.me?))
    }

    /// Whether that can be laid over the stage here.
    pub fn offers(&self, sheet: Sheet) -> bool {
        self.room().is_some()
            && match sheet {
                Sheet::Queue | Sheet::Poll => true,
                Sheet::Rules => self.may(Action::Moderate),
                Sheet::Invite => self.may(Action::Invite),
                Sheet::Person(member) => self.has_menu(member),
            }
    }

    /// The sheets a person can turn to, with the words for each.
    pub fn tabs(&self) -> Vec<(&'static str, Sheet)> {
        let all = [
            ("Queue", Sheet::Queue),
            ("Poll", Sheet::Poll),
            ("Rules", Sheet::Rules),
            ("Invite", Sheet::Invite),
        ];
        all.into_iter()
            .filter(|(_, sheet)| self.offers(*sheet))
            .collect()
    }

    /// How many want what is on to be skipped, while somebody does: "1 of 4 wants to skip, 2 more needed"
    pub fn skip_line(&self) -> Option<String> {
        let (view, _) = self.live().filter(|_| self.loaded())?;
        let state = &view.state;
        let cast = state.skips_cast();
        if cast == 0 {
            return None;
        }
        let here = state.roster.present().count();
        let want = if cast == 1 { "wants" } else { "want" };
        let more = match state.skips_needed().saturating_sub(cast) {
            0 => String::new(),
            missing => format!(", {missing} more needed"),
        };
        Some(format!("{cast} of {here} {want} to skip{more}"))
    }

    /// Voting to skip what is on, or taking that back.
    pub fn skip_vote(&self) -> Option<(&'static str, Intent)> {
        let (view, me) = self.live().filter(|_| self.may(Action::Vote))?;
        let (item, _) = view.state.timeline.current()?;
        Some(if view.state.queue.skips.contains(&me) {
            ("Do not skip", Intent::Unskip { item })
        } else {
            ("Vote to skip", Intent::Skip { item })
        })
    }

    /// The poll that is open, or was last.
    pub fn poll(&self) -> Option<&Poll> {
        self.view()?.state.poll.as_ref()
    }

    /// Whether a poll waits for answers.
    pub fn polling(&self) -> bool {
        self.poll().is_some_and(|poll| poll.open)
    }

    /// What the poll that is open asks, and how far it is: "Bo asks: What next? 2 of 4 answered."
    pub fn poll_line(&self) -> Option<String> {
        let (view, me) = self.live()?;
        let poll = self.poll().filter(|poll| poll.open)?;
        let by = match poll.by {
            Some(by) if by == me => "You ask".to_owned(),
            Some(by) => format!("{} asks", view.state.roster.name(by)),
            None => "The room asks".to_owned(),
        };
        let here = view.state.roster.present();
        let answered = here.filter(|(id, _)| poll.answers.contains_key(id)).count();
        let here = view.state.roster.present().count();
        let mine = poll.answers.get(&me).and_then(|choice| {
            let choice = poll.choices.get(usize::from(*choice))?;
            Some(format!(" You chose {}.", choice.label))
        });
        Some(format!(
            "{by}: {} {answered} of {here} answered.{}",
            poll.question,
            mine.unwrap_or_default()
        ))
    }

    /// How a poll that is over came out.
    pub fn poll_result(&self) -> Option<String> {
        let poll = self.poll().filter(|poll| !poll.open)?;
        let won = poll
            .winner
            .and_then(|winner| poll.choices.get(usize::from(winner)));
        Some(match won {
            Some(choice) => format!("The poll is over: {}", choice.label),
            None => "The poll is over; nobody answered".to_owned(),
        })
    }

    /// What there is to choose, who chose it, and what the viewer can do about it.
    pub fn poll_rows(&self) -> Vec<PollRow> {
        let (Some(view), Some(poll)) = (self.view(), self.poll()) else {
            return Vec::new();
        };
        let leader = if poll.open {
            poll.leader()
        } else {
            poll.winner
        };
        let rows = (0_u8..).zip(&poll.choices).map(|(number, choice)| {
            let by = poll.answers.iter().filter(|(_, chosen)| **chosen == number);
            let by: Vec<MemberId> = by.map(|(member, _)| *member).collect();
            let mine = view.me.is_some_and(|me| by.contains(&me));
            let answer = |choice| Intent::AnswerPoll {
                poll: poll.id,
                choice,
            };
            let deed = match mine {
                true => ("Withdraw", answer(None)),
                false => ("Choose", answer(Some(number))),
            };
            PollRow {
                label: choice.label.to_string(),
                count: by.len(),
                answered: poll.answers.len(),
                names: names(view, by),
                ahead: leader == Some(number),
                deed: (poll.open && self.may(Action::Vote)).then_some(deed),
            }
        });
        rows.collect()
    }

    /// Ending the poll that is open, for those who may.
    pub fn poll_end(&self) -> Option<Intent> {
        let (view, me) = self.live()?;
        let poll = self.poll().filter(|poll| poll.open)?.id;
        let end = Intent::ClosePoll { poll };
        authorise(&view.state, me, &end).is_ok().then_some(end)
    }

    /// How many fields for choices are shown: one more than are filled.
    pub fn choice_fields(&self) -> usize {
        let filled = self
            .draft
            .choices
            .iter()
            .rposition(|choice| !choice.trim().is_empty());
        filled.map_or(CHOICES_MIN, |last| {
            (last + 2).clamp(CHOICES_MIN, CHOICES_MAX)
        })
    }

    /// What the draft asks everybody.
    ///
    /// # Errors
    /// The sentence to show when something is missing.
    pub fn new_poll(&self) -> Result<Intent, &'static str> {
        let question = self.draft.question.trim();
        if question.is_empty() {
            return Err(QUESTION_MISSING);
        }
        let choices = self.draft.choices.iter().map(|choice| choice.trim());
        let choices: Vec<String> = choices
            .filter(|choice| !choice.is_empty())
            .map(str::to_owned)
            .collect();
        if choices.len() < CHOICES_MIN {
            return Err(CHOICES_MISSING);
        }
        Ok(Intent::OpenPoll {
            question: question.to_owned(),
            choices,
        })
    }

    fn ready_hold(&self) -> Option<(&View, MemberId, &Hold)> {
        let (view, me) = self.live()?;
        let hold = view.state.hold.as_ref()?;
        (hold.reason == HoldReason::ReadyCheck).then_some((view, me, hold))
    }

    /// Whether everybody can be asked now: a film stands, and somebody else is here.
    pub fn may_ask_ready(&self) -> bool {
        self.controllable(Action::Play)
            && !self.playing()
            && self.view().is_some_and(|view| {
                view.state.hold.is_none() && view.state.roster.present().count() > 1
            })
    }

    /// The ready check that is on.
    pub fn ready_check(&self) -> Option<Asked> {
        let (view, me, hold) = self.ready_hold()?;
        let here = || view.state.roster.present();
        let apart = |member: &crate::engine::fold::roster::Member| {
            member.suspended == Some(Suspension::Detached)
        };
        let missing = |id| hold.waiting.contains(&id);
        // Who came after the question was not asked.
        let ready = here()
            .filter(|(id, member)| !missing(*id) && !apart(member) && member.since <= hold.since);
        let ready: Vec<MemberId> = ready.map(|(id, _)| id).collect();
        let late = here().filter(|(id, _)| missing(*id));
        let spared = here().filter(|(id, member)| !missing(*id) && apart(member));
        let is_ready = ready.contains(&me);
        let parts = [
            ("Ready", names(view, ready)),
            ("Not yet", names(view, late.map(|(id, _)| id).collect())),
            (
                "Not waiting for",
                names(view, spared.map(|(id, _)| id).collect()),
            ),
        ];
        let parts = parts.iter().filter(|(_, who)| !who.is_empty());
        let parts: Vec<String> = parts.map(|(word, who)| format!("{word}: {who}")).collect();
        Some(Asked {
            me: missing(me),
            ready: is_ready,
            later: self.not_yet == Some(hold.seq),
            line: parts.join(" · "),
        })
    }

    /// How many seconds are left to a start that is counted down to.
    pub fn counting_down(&self, now: LocalTime) -> Option<u64> {
        let (view, _) = self.live()?;
        let anchor = view.state.timeline.anchor;
        let left = anchor.at - view.session_time(now)?;
        let begins = anchor.playing && view.state.hold.is_none() && left > Micros::ZERO;
        let counts = left > COUNTED_FROM || self.starting_secs.is_some();
        (begins && counts).then(|| left.get().unsigned_abs().div_ceil(1_000_000))
    }

    /// What is counted down: "Everybody is ready. Starting in 3".
    pub fn countdown(&self) -> Option<(Tone, String)> {
        let secs = self.starting_secs?;
        Some((Tone::Accent, format!("Starting in {secs}")))
    }

    /// Whether there is anything to see or do about that member.
    pub fn has_menu(&self, member: MemberId) -> bool {
        !self.deeds(member).is_empty() || self.has_permissions(member)
    }

    /// Whether the viewer can see what that member may do: of themselves, and as a moderator.
    pub fn has_permissions(&self, member: MemberId) -> bool {
        let Some((view, me)) = self.live() else {
            return false;
        };
        let known = view.state.roster.get(member);
        known.is_some_and(|known| {
            known.present
                && known.role != Role::Host
                && (member == me || self.may(Action::Moderate))
        })
    }

    /// What that member may do, and what the viewer can do about it.
    pub fn permissions(&self, member: MemberId) -> Vec<Permission> {
        let Some((view, me)) = self.live() else {
            return Vec::new();
        };
        let Some(known) = view.state.roster.get(member) else {
            return Vec::new();
        };
        let lasts = self.draft.lasts;
        let row = |action: Action| {
            let allowed = view.state.may(member, action);
            let asked = known.requests.contains(&action);
            let until = known.rulings.get(&action).and_then(|ruling| ruling.until);
            let left = until.and_then(|until| Some(until - view.session_time(local_now())?));
            let left = left.map_or(String::new(), |left| {
                format!(", for {}", view::span(left.max(Micros::ZERO)))
            });
            let state = match (allowed, asked) {
                (true, _) => format!("yes{left}"),
                (false, true) => format!("no{left}; asked for"),
                (false, false) => format!("no{left}"),
            };
            let deed = if member == me {
                ("Ask for it", Intent::Request { action })
            } else if allowed {
                let forbid = Intent::Revoke {
                    member,
                    action,
                    lasts,
                };
                ("Forbid", forbid)
            } else {
                let allow = Intent::Grant {
                    member,
                    action,
                    lasts,
                };
                ("Allow", allow)
            };
            let sensible = member != me || !(allowed || asked);
            let may = sensible && authorise(&view.state, me, &deed.1).is_ok();
            Permission {
                words: capital(action.words()),
                state,
                allowed,
                deed: may.then_some(deed),
            }
        };
        Action::ALL.into_iter().map(row).collect()
    }

    /// Whose permissions the sheet shows: "What Lou may do".
    pub fn permissions_title(&self) -> Option<String> {
        let Some(Sheet::Person(member)) = self.sheet else {
            return None;
        };
        let (view, me) = self.live()?;
        Some(match member == me {
            true => "What you may do".to_owned(),
            false => format!("What {} may do", view.state.roster.name(member)),
        })
    }

    /// Asking for what moves the film, for those who may not: what to ask, nothing where it was
    /// asked already.
    pub fn may_i(&self) -> Option<Vec<Intent>> {
        let (view, me) = self.live().filter(|_| self.loaded())?;
        let known = view.state.roster.get(me)?;
        let lacked = CONTROL.into_iter().filter(|action| !self.may(*action));
        let lacked: Vec<Action> = lacked.collect();
        let ask = lacked
            .iter()
            .filter(|action| !known.requests.contains(action));
        let ask = ask.map(|action| Intent::Request { action: *action });
        (!lacked.is_empty()).then(|| ask.collect())
    }

    /// Who asks to be allowed something, for those who may allow it: first who joined first, and what.
    fn asking(&self) -> Option<(&View, MemberId, Vec<Action>)> {
        let (view, me) = self.live()?;
        view.state.roster.present().find_map(|(member, known)| {
            let granted = |action: &Action| {
                let grant = Intent::Grant {
                    member,
                    action: *action,
                    lasts: None,
                };
                authorise(&view.state, me, &grant).is_ok()
            };
            let asked = known.requests.iter().copied().filter(granted);
            let asked: Vec<Action> = asked.collect();
            (!asked.is_empty()).then_some((view, member, asked))
        })
    }

    /// That in a sentence: "Lou asks to control the film".
    pub fn asking_line(&self) -> Option<String> {
        let (view, member, actions) = self.asking()?;
        let (control, others): (Vec<Action>, Vec<Action>) = actions
            .into_iter()
            .partition(|action| CONTROL.contains(action));
        let words = match control.as_slice() {
            [] => None,
            [one] => Some(one.words()),
            _ => Some("control the film"),
        };
        let others = others.iter().map(|action| action.words());
        let what: Vec<String> = words
            .into_iter()
            .chain(others)
            .map(|words| format!("to {words}"))
            .collect();
        let name = view.state.roster.name(member);
        Some(format!("\u{200E}{name} asks {}", what.join(" and ")))
    }

    /// Giving them what they ask for, or saying “Not now”.
    pub fn answer_asking(&self, allow: bool) -> Vec<Intent> {
        let Some((_, member, actions)) = self.asking() else {
            return Vec::new();
        };
        let answer = |action| match allow {
            true => Intent::Grant {
                member,
                action,
                lasts: None,
            },
            false => Intent::Revoke {
                member,
                action,
                lasts: Some(NOT_NOW),
            },
        };
        actions.into_iter().map(answer).collect()
    }

    /// How each way to the party stands. What the banner says of the first in trouble is not said twice.
    pub fn ways_lines(&self) -> Vec<(Tone, String)> {
        let Some(room) = self.room() else {
            return Vec::new();
        };
        let first = room.ways.iter().position(|way| way.trouble.is_some());
        let line = |(place, way): (usize, &super::WayRow)| {
            let tone = match (way.failed, way.state) {
                (true, _) => Tone::Bad,
                (false, "online") => Tone::Good,
                (false, "reconnecting") => Tone::Warn,
                _ => Tone::Info,
            };
            let trouble = way.trouble.as_ref().filter(|_| Some(place) != first);
            let more = trouble.map_or(String::new(), |trouble| format!(". {trouble}"));
            (tone, format!("{}: {}{more}", capital(way.name), way.state))
        };
        room.ways.iter().enumerate().map(line).collect()
    }
}
