//! The room's end: who is speaking, and whether they may speak yet.
//!
//! It does not decide what becomes of intents (the sequencer does) nor read or
//! write a socket (the pump does).

use crate::engine::frame::{Closing, Hello, Refused, ToMember, ToRoom, VERSION, Welcome};
use crate::engine::id::{MemberId, Seq};
use crate::engine::intent::{Ask, Refusal};
use crate::engine::presence::{Report, Vitals};
use crate::engine::session::bucket::Bucket;
use crate::engine::text::Passcode;
use crate::engine::unit::{LocalTime, Micros, SessionTime};

/// How long a connection may take to say hello: a slow phone on a slow network, not a squatter.
pub const HELLO_WAIT_MAX: Micros = Micros::from_secs(10);

/// How long a member may be silent before they count as gone. Clients ping every
/// few seconds; Syncplay's 12.5 s is known to bear bad Wi-Fi.
pub const SILENCE_MAX: Micros = Micros::from_secs(12);

/// Silence after which a member is asked whether they are there. Longer than clients that run
/// are silent, and with time for an answer before [`SILENCE_MAX`].
const PROBE_AFTER: Micros = Micros::from_secs(6);

/// How long answers to that are believed without a word of the client's own. A browser wakes the
/// scripts of a tab that was hidden for five minutes once a minute (measured in Chromium: its member
/// was lost and back every 19 s while a film stood), while it answers a WebSocket's ping at once.
const SPEECH_WAIT_MAX: Micros = Micros::from_secs(150);

/// Intents a member may have at once, and how many come back per second: more than
/// a person makes, less than a flood. A guess, generous on purpose.
pub(super) const ASKS_BURST: u32 = 40;
/// See [`ASKS_BURST`].
pub(super) const ASKS_PER_SEC: u32 = 20;

/// The same for pings and reports; past it the connection is closed, for no honest client gets there.
const CHATTER_BURST: u32 = 200;
/// See [`CHATTER_BURST`].
const CHATTER_PER_SEC: u32 = 50;

/// Frames that are none: a script's typos while it is being written; then the connection is closed.
const TYPOS_BURST: u32 = 30;
/// See [`TYPOS_BURST`].
const TYPOS_PER_SEC: u32 = 1;

/// What the pump must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask the room to let this one in; answer with [`RoomEnd::admitted`] or [`RoomEnd::refused`].
    Admit(Hello, Option<Passcode>),
    /// Give the room this intent of this member.
    Ask(MemberId, Ask),
    /// Tell the room what this member's player does.
    Note(MemberId, Report),
    /// Give the room this for its trace.
    Trace(MemberId, Vitals),
    /// Send this now.
    Send(ToMember),
    /// Send a WebSocket's own ping; tell of its answer by [`RoomEnd::answered`].
    Probe,
    /// Start sending events from here on.
    Follow(Seq),
    /// Say why, stop reading, close.
    Close(Closing),
    /// The member said goodbye: close without another word.
    Leave,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Connected, silent so far.
    Greeting,
    /// Their hello lies with the room.
    Entering { cursor: Seq },
    /// In.
    Live(MemberId),
    /// Nothing more is said or heard.
    Closed,
}

/// The room's end of one connection.
#[derive(Clone, Debug)]
pub struct RoomEnd {
    phase: Phase,
    /// When something was last heard from the member.
    heard: LocalTime,
    /// When that was a frame: the client's own word, not its browser's.
    spoke: LocalTime,
    /// Whether they were asked since whether they are there.
    probed: bool,
    asks: Bucket,
    chatter: Bucket,
    typos: Bucket,
    /// What they said they know, before their hello.
    passcode: Option<Passcode>,
}

impl RoomEnd {
    /// A connection that was just made.
    pub fn new(now: LocalTime) -> Self {
        Self {
            phase: Phase::Greeting,
            heard: now,
            spoke: now,
            probed: false,
            asks: Bucket::new(ASKS_BURST, ASKS_PER_SEC, now),
            chatter: Bucket::new(CHATTER_BURST, CHATTER_PER_SEC, now),
            typos: Bucket::new(TYPOS_BURST, TYPOS_PER_SEC, now),
            passcode: None,
        }
    }

    /// Who is at the other end, once they are in.
    pub fn member(&self) -> Option<MemberId> {
        match self.phase {
            Phase::Live(member) => Some(member),
            _ => None,
        }
    }

    /// When [`RoomEnd::tick`] wants to be called, if nothing else happens before.
    pub fn deadline(&self) -> Option<LocalTime> {
        match self.phase {
            Phase::Greeting => Some(self.heard + HELLO_WAIT_MAX),
            Phase::Entering { .. } | Phase::Live(_) if self.probed => {
                Some(self.heard + SILENCE_MAX)
            }
            Phase::Entering { .. } | Phase::Live(_) => Some(self.heard + PROBE_AFTER),
            Phase::Closed => None,
        }
    }

    fn hear(&mut self, now: LocalTime) {
        self.heard = self.heard.max(now);
        self.spoke = self.heard;
        self.probed = false;
    }

    /// A probe's answer came. It proves a way to a browser, and not for ever that a page is there.
    pub fn answered(&mut self, now: LocalTime) {
        if now - self.spoke < SPEECH_WAIT_MAX {
            self.heard = self.heard.max(now);
            self.probed = false;
        }
    }

    /// A frame came. `session` is the session's clock as it arrived.
    pub fn frame(&mut self, now: LocalTime, session: SessionTime, frame: ToRoom) -> Vec<Action> {
        self.hear(now);
        let action = match (self.phase, frame) {
            (Phase::Closed, _) => return Vec::new(),
            (Phase::Greeting, ToRoom::Hello(hello)) => return self.greeted(hello),
            // Once: a connection is one try.
            (Phase::Greeting, ToRoom::Passcode { passcode }) if self.passcode.is_none() => {
                self.passcode = Some(passcode);
                return Vec::new();
            }
            (Phase::Live(member), ToRoom::Ask(ask)) if self.asks.take(now) => {
                Action::Ask(member, ask)
            }
            // Each is answered, for whoever types fast; a flood of them ends like any other.
            (Phase::Live(_), ToRoom::Ask(ask)) => {
                let refused = Refused::new(Some(ask.counter), Refusal::TooFast);
                self.chatter(now, Action::Send(ToMember::Refused(refused)))
            }
            (Phase::Entering { .. } | Phase::Live(_), ToRoom::Ping { t0 }) => self.chatter(
                now,
                Action::Send(ToMember::Pong {
                    t0,
                    t1: session,
                    t2: session,
                }),
            ),
            (Phase::Live(member), ToRoom::Report(report)) => {
                self.chatter(now, Action::Note(member, report))
            }
            (Phase::Live(member), ToRoom::Vitals(vitals)) => {
                self.chatter(now, Action::Trace(member, vitals))
            }
            (_, ToRoom::Bye {}) => {
                self.phase = Phase::Closed;
                Action::Leave
            }
            // A second hello, or anything before the first: not this protocol.
            (_, _) => self.close(Closing::Unruly),
        };
        vec![action]
    }

    /// Something came that was no frame.
    pub fn unreadable(&mut self, now: LocalTime, reason: String) -> Option<Action> {
        self.hear(now);
        match self.phase {
            Phase::Closed => None,
            // A script's typo deserves its sentence; a stranger's garbage does not.
            Phase::Live(_) if self.typos.take(now) => {
                let refused = Refused::new(None, Refusal::NotUnderstood { reason });
                Some(Action::Send(ToMember::Refused(refused)))
            }
            _ => Some(self.close(Closing::Unruly)),
        }
    }

    /// The room let them in as `member`; events up to `tail` are there for them.
    pub fn admitted(&mut self, welcome: Welcome) -> Vec<Action> {
        let Phase::Entering { cursor } = self.phase else {
            return Vec::new();
        };
        if cursor > welcome.tail {
            let refusal = Refusal::Ahead {
                cursor,
                tail: welcome.tail,
            };
            return self.refused(refusal);
        }
        self.phase = Phase::Live(welcome.member);
        vec![
            Action::Send(ToMember::Welcome(welcome)),
            Action::Follow(cursor),
        ]
    }

    /// The room did not let them in.
    pub fn refused(&mut self, refusal: Refusal) -> Vec<Action> {
        vec![
            Action::Send(ToMember::Refused(Refused::new(None, refusal))),
            self.close(Closing::NotAdmitted),
        ]
    }

    /// Time passed.
    pub fn tick(&mut self, now: LocalTime) -> Option<Action> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        let greets = self.phase == Phase::Greeting;
        if greets || self.probed || now >= self.heard + SILENCE_MAX {
            return Some(self.close(Closing::Slow));
        }
        self.probed = true;
        Some(Action::Probe)
    }

    /// The room wants this connection gone.
    pub fn close(&mut self, why: Closing) -> Action {
        self.phase = Phase::Closed;
        Action::Close(why)
    }

    fn greeted(&mut self, hello: Hello) -> Vec<Action> {
        if hello.version != VERSION {
            return self.refused(Refusal::WrongVersion {
                ours: VERSION,
                theirs: hello.version,
            });
        }
        self.phase = Phase::Entering {
            cursor: hello.cursor.max(Seq::FIRST),
        };
        vec![Action::Admit(hello, self.passcode.take())]
    }

    /// Lets a ping or a report pass, unless there are too many.
    fn chatter(&mut self, now: LocalTime, action: Action) -> Action {
        if self.chatter.take(now) {
            action
        } else {
            self.close(Closing::Unruly)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::Client;
    use crate::engine::id::SessionId;
    use crate::engine::intent::Intent;

    const START: LocalTime = LocalTime::ZERO;

    fn hello(cursor: u64) -> ToRoom {
        ToRoom::Hello(Hello {
            version: VERSION,
            session: SessionId::new(1),
            secret: "".into(),
            name: "Ana".into(),
            client: Client::Script,
            resume: None,
            cursor: Seq::new(cursor),
        })
    }

    fn welcome(tail: u64) -> Welcome {
        Welcome {
            version: VERSION,
            session: SessionId::new(1),
            member: MemberId::new(2),
            token: "".into(),
            tail: Seq::new(tail),
        }
    }

    fn live() -> RoomEnd {
        let mut end = RoomEnd::new(START);
        end.frame(START, SessionTime::ZERO, hello(1));
        end.admitted(welcome(5));
        end
    }

    fn play(counter: u64) -> ToRoom {
        ToRoom::Ask(Ask {
            counter,
            stamp: Default::default(),
            via: Default::default(),
            aim: None,
            intent: Intent::Play {},
        })
    }

    #[test]
    fn nothing_is_heard_before_a_hello() {
        let mut end = RoomEnd::new(START);
        assert_eq!(
            end.frame(START, SessionTime::ZERO, play(1)),
            [Action::Close(Closing::Unruly)]
        );
        assert_eq!(
            end.frame(START, SessionTime::ZERO, hello(1)),
            [],
            "closed is closed"
        );
    }

    #[test]
    fn a_member_follows_from_their_cursor() {
        let mut end = RoomEnd::new(START);
        end.frame(START, SessionTime::ZERO, hello(3));
        let actions = end.admitted(welcome(5));
        assert_eq!(actions[1], Action::Follow(Seq::new(3)));
        assert_eq!(end.member(), Some(MemberId::new(2)));
    }

    #[test]
    fn a_cursor_past_the_tail_is_another_log() {
        let mut end = RoomEnd::new(START);
        end.frame(START, SessionTime::ZERO, hello(9));
        let actions = end.admitted(welcome(5));
        assert!(
            matches!(&actions[0], Action::Send(ToMember::Refused(no)) if matches!(no.refusal, Refusal::Ahead { .. }))
        );
        assert_eq!(actions[1], Action::Close(Closing::NotAdmitted));
        assert_eq!(end.member(), None);
    }

    #[test]
    fn another_version_is_told_so() {
        let mut end = RoomEnd::new(START);
        let ToRoom::Hello(mut stranger) = hello(1) else {
            unreachable!()
        };
        stranger.version = VERSION + 1;
        let actions = end.frame(START, SessionTime::ZERO, ToRoom::Hello(stranger));
        assert!(
            matches!(&actions[0], Action::Send(ToMember::Refused(no)) if matches!(no.refusal, Refusal::WrongVersion { .. }))
        );
        assert_eq!(actions[1], Action::Close(Closing::NotAdmitted));
    }

    #[test]
    fn silence_ends_a_connection_and_any_frame_postpones_that() {
        let mut end = live();
        let almost = START + SILENCE_MAX - Micros::new(1);
        assert_eq!(end.tick(almost), Some(Action::Probe));
        assert_eq!(end.tick(almost), None);
        end.frame(almost, SessionTime::ZERO, ToRoom::Ping { t0: START });
        assert_eq!(end.tick(START + SILENCE_MAX), None);
        assert_eq!(
            end.tick(almost + SILENCE_MAX),
            Some(Action::Close(Closing::Slow))
        );
        assert_eq!(end.deadline(), None);
    }

    #[test]
    fn a_hidden_tab_stays_while_its_browser_answers_and_its_page_wakes_now_and_then() {
        let mut end = live();
        let (mut now, mut probes) = (START, 0);
        // Ten minutes, in which the page speaks once in each.
        while now < START + Micros::from_secs(600) {
            now = end.deadline().unwrap();
            assert_eq!(end.tick(now), Some(Action::Probe), "{now:?}");
            probes += 1;
            now = now + Micros::from_millis(300);
            if probes % 10 == 0 {
                end.frame(now, SessionTime::ZERO, ToRoom::Ping { t0: now });
            } else {
                end.answered(now);
            }
        }
        // Whose page never wakes is gone, whatever their browser says.
        let asleep = now;
        end.frame(asleep, SessionTime::ZERO, ToRoom::Ping { t0: asleep });
        now = end.deadline().unwrap();
        while let Some(Action::Probe) = end.tick(now) {
            end.answered(now + Micros::from_millis(300));
            now = end.deadline().unwrap();
        }
        let waited = now - asleep;
        let longest = SPEECH_WAIT_MAX + SILENCE_MAX;
        assert!(
            waited > SPEECH_WAIT_MAX - SILENCE_MAX && waited <= longest,
            "{waited:?}"
        );
        assert_eq!(end.member(), None);
    }

    #[test]
    fn a_flood_of_intents_is_refused_one_by_one_and_ends() {
        let mut end = live();
        let refused =
            |actions: Vec<Action>| matches!(actions[0], Action::Send(ToMember::Refused(_)));
        let count = (1..=100)
            .filter(|counter| refused(end.frame(START, SessionTime::ZERO, play(*counter))))
            .count();
        assert_eq!(count, 100 - ASKS_BURST as usize);
        assert!(!refused(end.frame(
            START + Micros::from_secs(1),
            SessionTime::ZERO,
            play(101)
        )));
    }

    #[test]
    fn a_typo_is_answered_and_garbage_ends() {
        let mut end = live();
        let mut unreadable = |at| end.unreadable(at, "no".into());
        let answered = (0..100)
            .take_while(|_| matches!(unreadable(START), Some(Action::Send(_))))
            .count();
        assert_eq!(answered, TYPOS_BURST as usize);
        assert_eq!(unreadable(START), None, "closed is closed");
    }

    #[test]
    fn a_flood_of_pings_closes_the_connection() {
        let mut end = live();
        let last = (0..=CHATTER_BURST)
            .flat_map(|_| end.frame(START, SessionTime::ZERO, ToRoom::Ping { t0: START }))
            .last();
        assert_eq!(last, Some(Action::Close(Closing::Unruly)));
    }
}
