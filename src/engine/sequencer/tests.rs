//! A small party in a row: members, time, and what becomes of what they ask.

use super::*;
use crate::engine::event::{Action, Inability, QueueMode, Repeat};
use crate::engine::fold::roster::ANSWERS_KEPT;
use crate::engine::id::{Generation, ItemId};
use crate::engine::unit::Rate;

/// A room driven by hand.
pub(super) struct Party {
    pub room: Sequencer,
    pub log: Vec<Event>,
    pub now: Moment,
    counters: BTreeMap<MemberId, u64>,
}

pub(super) const HOST: MemberId = MemberId::new(1);
pub(super) const ANA: MemberId = MemberId::new(2);
pub(super) const BOB: MemberId = MemberId::new(3);
pub(super) const CY: MemberId = MemberId::new(4);

pub(super) fn film(number: u32) -> String {
    format!("https://www.youtube.com/watch?v=abcdefg{number:04}")
}

impl Party {
    /// The host alone.
    pub(super) fn open() -> Self {
        let now = Moment {
            at: SessionTime::ZERO,
            wall: 1_790_000_000_000,
        };
        let title = Title::new("Friday").unwrap();
        let (room, log) = Sequencer::open(SessionId::new(7), title, now);
        let counters = BTreeMap::new();
        let mut this = Self {
            room,
            log,
            now,
            counters,
        };
        this.join("Hana", Role::Host);
        this
    }

    /// The host and so many guests: Ana, Bob, Cy, and guests with numbers.
    pub(super) fn of(guests: usize) -> Self {
        let mut this = Self::open();
        for number in 0..guests {
            let name = ["Ana", "Bob", "Cy"].get(number).map(ToString::to_string);
            this.join(
                &name.unwrap_or_else(|| format!("Guest {number}x")),
                Role::Guest,
            );
        }
        this
    }

    /// The same, with an hour of film on, measured, and playing.
    pub(super) fn watching(guests: usize) -> Self {
        let mut this = Self::of(guests);
        this.load(1);
        this.ask(HOST, Intent::Play {}).unwrap();
        this.later(1_000);
        this
    }

    /// The same, where everybody has a player that tells when it is ready.
    pub(super) fn waiting(guests: usize) -> Self {
        let mut this = Self::of(guests);
        this.load(1);
        this.all_ready();
        this.ask(HOST, Intent::Play {}).unwrap();
        this.later(1_000);
        assert!(this.playing());
        this
    }

    pub(super) fn load(&mut self, number: u32) -> ItemId {
        let url = film(number);
        self.ask(HOST, Intent::Load { url }).unwrap();
        let item = self.state().timeline.anchor.item;
        let duration = Micros::from_secs(3_600);
        self.ask(HOST, Intent::Measure { item, duration }).unwrap();
        item
    }

    pub(super) fn join(&mut self, name: &str, role: Role) -> MemberId {
        let entrant = Entrant {
            member: None,
            name: Name::new(name).unwrap(),
            role,
            client: Client::Page,
        };
        let (member, events) = self.room.join(entrant, self.now).unwrap();
        self.log.extend(events);
        member
    }

    pub(super) fn back(&mut self, member: MemberId) -> Result<(), Refusal> {
        let entrant = Entrant {
            member: Some(member),
            name: Name::new("Back").unwrap(),
            role: Role::Guest,
            client: Client::Page,
        };
        let (_, events) = self.room.join(entrant, self.now)?;
        self.log.extend(events);
        Ok(())
    }

    pub(super) fn leave(&mut self, member: MemberId) {
        let events = self.room.leave(member, Departure::Lost, self.now);
        self.log.extend(events);
    }

    pub(super) fn later(&mut self, millis: i64) {
        self.now.at = self.now.at + Micros::from_millis(millis);
        self.now.wall += millis.unsigned_abs();
        let events = self.room.tick(self.now);
        self.log.extend(events);
    }

    pub(super) fn next_ask(&mut self, by: MemberId, intent: Intent) -> Ask {
        let counter = self.counters.entry(by).or_default();
        *counter += 1;
        let aim = intent
            .is_control()
            .then(|| self.room.state().timeline.aim());
        Ask {
            counter: *counter,
            stamp: self.room.state().stamp,
            via: Via::Key,
            aim,
            intent,
        }
    }

    pub(super) fn send(&mut self, by: MemberId, ask: &Ask) -> Result<Vec<Body>, Refusal> {
        let outcome = self.room.ask(by, ask, self.now, Micros::from_millis(40));
        let bodies = outcome.events.iter().map(|it| it.body.clone()).collect();
        self.log.extend(outcome.events);
        match outcome.answer {
            Answer::Accepted(_) => Ok(bodies),
            Answer::Refused(refusal) => Err(refusal),
        }
    }

    pub(super) fn ask(&mut self, by: MemberId, intent: Intent) -> Result<Vec<Body>, Refusal> {
        let ask = self.next_ask(by, intent);
        self.send(by, &ask)
    }

    pub(super) fn does(&mut self, member: MemberId, activity: Activity) -> Vec<Body> {
        let report = Report {
            activity: Some(activity),
            drift: None,
            round_trip: None,
        };
        let events = self.room.observe(member, &report, self.now);
        let bodies = events.iter().map(|it| it.body.clone()).collect();
        self.log.extend(events);
        bodies
    }

    pub(super) fn ready(&mut self, member: MemberId) -> Vec<Body> {
        let Aim { item, generation } = self.state().timeline.aim();
        self.ask(member, Intent::Ready { item, generation })
            .unwrap()
    }

    pub(super) fn all_ready(&mut self) {
        let here: Vec<_> = self.state().roster.present().map(|(id, _)| id).collect();
        for member in here {
            self.ready(member);
        }
    }

    pub(super) fn queue(&mut self, by: MemberId, number: u32) -> ItemId {
        let url = film(number);
        let bodies = self.ask(by, Intent::QueueAdd { url, front: false });
        match bodies.unwrap()[0] {
            Body::Queued { item, .. } => item,
            ref other => panic!("{other:?}"),
        }
    }

    pub(super) fn state(&self) -> &RoomState {
        self.room.state()
    }

    pub(super) fn playing(&self) -> bool {
        self.state().timeline.anchor.playing
    }

    pub(super) fn position(&self) -> MediaTime {
        self.state().timeline.position(self.now.at)
    }

    pub(super) fn waiting_for(&self) -> Option<(HoldReason, Vec<MemberId>)> {
        let hold = self.state().hold.as_ref()?;
        Some((hold.reason, hold.waiting.clone()))
    }

    pub(super) fn count(&self, of: impl Fn(&Body) -> bool) -> usize {
        self.log.iter().filter(|it| of(&it.body)).count()
    }

    pub(super) fn order(&self) -> Vec<u32> {
        let entries = &self.state().queue.entries;
        entries.iter().map(|it| it.item.get()).collect()
    }

    pub(super) fn restart(&mut self, away_millis: i64) {
        let alive = self.now.at;
        self.now.at = alive + Micros::from_millis(away_millis);
        let (room, events) = Sequencer::resume(self.state().clone(), alive, self.now);
        self.room = room;
        self.log.extend(events);
    }
}

fn seek(secs: u64) -> Intent {
    Intent::Seek {
        to: MediaTime::from_secs(secs),
    }
}

mod film {
    use super::*;

    #[test]
    fn without_players_that_tell_they_are_ready_nobody_waits() {
        let mut party = Party::watching(3);
        assert!(party.playing());
        party.ask(ANA, seek(600)).unwrap();
        assert!(party.playing() && party.state().hold.is_none());
        party.later(1_000);
        assert!(party.position() > MediaTime::from_secs(600));
    }

    #[test]
    fn ten_players_that_end_an_item_advance_once() {
        let mut party = Party::watching(9);
        let second = party.queue(HOST, 2);
        party.queue(HOST, 3);
        party.ask(HOST, seek(3_599)).unwrap();
        party.later(2_000);
        let first = ItemId::new(1);
        for member in 1..=10 {
            let item = first;
            party
                .ask(MemberId::new(member), Intent::Ended { item })
                .unwrap();
        }
        assert_eq!(party.count(|it| matches!(it, Body::Cued { .. })), 1);
        assert_eq!(party.state().timeline.anchor.item, second);
        assert!(party.playing(), "the evening goes on by itself");
        assert_eq!(party.order(), [3]);
    }

    #[test]
    fn nobody_ends_a_film_early_by_saying_so() {
        let mut party = Party::watching(1);
        party.queue(HOST, 2);
        let item = ItemId::new(1);
        assert_eq!(party.ask(ANA, Intent::Ended { item }), Ok(vec![]));
        assert_eq!(party.state().timeline.anchor.item, item);
    }

    #[test]
    fn two_who_press_next_go_on_once() {
        let mut party = Party::watching(2);
        party.queue(HOST, 2);
        party.queue(HOST, 3);
        let item = ItemId::new(1);
        party.ask(ANA, Intent::Next { item }).unwrap();
        assert_eq!(party.ask(BOB, Intent::Next { item }), Ok(vec![]));
        assert_eq!(party.order(), [3]);
    }

    #[test]
    fn next_needs_something_that_comes_next() {
        let mut party = Party::watching(1);
        let item = ItemId::new(1);
        assert_eq!(
            party.ask(ANA, Intent::Next { item }),
            Err(Refusal::QueueEmpty)
        );
        let item = ItemId::new(77);
        assert_eq!(
            party.ask(ANA, Intent::Next { item }),
            Err(Refusal::UnknownItem { item })
        );
    }

    #[test]
    fn stale_control_is_refused_and_pause_always_honoured() {
        let mut party = Party::watching(2);
        let (late_seek, late_pause) = (
            party.next_ask(ANA, seek(10)),
            party.next_ask(
                ANA,
                Intent::Pause {
                    at: Some(MediaTime::from_secs(1)),
                },
            ),
        );
        party.ask(BOB, seek(600)).unwrap();
        assert!(matches!(
            party.send(ANA, &late_seek),
            Err(Refusal::Stale { .. })
        ));
        // Trap: a pause that arrives behind a newer seek stops the room where it is now.
        party.send(ANA, &late_pause).unwrap();
        assert!(!party.playing());
        assert_eq!(party.position(), MediaTime::from_secs(600));
    }

    #[test]
    fn two_seeks_at_once_end_in_one_order_everywhere() {
        let mut party = Party::watching(2);
        let (one, other) = (
            party.next_ask(ANA, seek(100)),
            party.next_ask(BOB, seek(200)),
        );
        party.send(ANA, &one).unwrap();
        party.now.at = party.now.at + Micros::from_millis(60);
        let refused = party.send(BOB, &other);
        assert!(matches!(refused, Err(Refusal::Stale { .. })));
        let mut replay = crate::engine::replay::Replay::new();
        replay.take_all(&party.log).unwrap();
        assert_eq!(replay.state().digest(), party.state().digest());
        assert_eq!(
            replay.state().timeline.anchor.position,
            MediaTime::from_secs(100)
        );
    }

    #[test]
    fn a_seek_before_the_scheduled_start_starts_there() {
        let mut party = Party::of(1);
        party.load(1);
        party.ask(HOST, Intent::Play {}).unwrap();
        assert!(party.state().timeline.anchor.at > party.now.at);
        party.ask(ANA, seek(600)).unwrap();
        assert_eq!(party.position(), MediaTime::from_secs(600));
        party.later(5_000);
        let run = party.position() - MediaTime::from_secs(600);
        assert!(run > Micros::from_secs(4) && run < Micros::from_secs(5));
    }

    #[test]
    fn undo_takes_back_what_was_done_and_can_be_undone() {
        let mut party = Party::watching(1);
        party.later(59_000);
        let before = party.position();
        party.ask(ANA, seek(1_800)).unwrap();
        let sought = party.state().seq;
        party.later(500);
        party.ask(HOST, Intent::Undo { seq: None }).unwrap();
        let event = party.log.last().unwrap();
        assert_eq!(event.header.cause, Some(sought), "says what it takes back");
        assert!((party.state().timeline.anchor.position - before).abs() < Micros::from_millis(1));
        party.ask(HOST, Intent::Undo { seq: None }).unwrap();
        assert!(party.state().timeline.anchor.position >= MediaTime::from_secs(1_800));
        assert_eq!(
            party.ask(ANA, Intent::Undo { seq: Some(sought) }),
            Err(Refusal::UndoTooLate)
        );
    }

    #[test]
    fn every_deed_has_its_opposite() {
        let mut party = Party::watching(1);
        let undo = |party: &mut Party| party.ask(HOST, Intent::Undo { seq: None }).unwrap();
        party.ask(HOST, Intent::Pause { at: None }).unwrap();
        undo(&mut party);
        assert!(party.playing());
        undo(&mut party);
        assert!(!party.playing(), "the undo of an undo");
        let rate = Rate::from_millis(1_500).unwrap();
        party.ask(HOST, Intent::Rate { rate }).unwrap();
        undo(&mut party);
        assert_eq!(party.state().timeline.anchor.rate, Rate::NORMAL);
        party.ask(HOST, Intent::Play {}).unwrap();
        party.later(30_000);
        let stood = party.position();
        party.ask(HOST, Intent::Load { url: film(2) }).unwrap();
        undo(&mut party);
        assert_eq!(party.state().timeline.anchor.item, ItemId::new(1));
        assert_eq!(party.state().timeline.anchor.position, stood);
        assert!(party.playing(), "it ran, it runs again");
        let (three, four) = (party.queue(HOST, 3), party.queue(HOST, 4));
        party
            .ask(
                HOST,
                Intent::QueueMove {
                    item: four,
                    place: 0,
                },
            )
            .unwrap();
        undo(&mut party);
        assert_eq!(party.order(), [three.get(), four.get()]);
        party
            .ask(HOST, Intent::QueueRemove { item: three })
            .unwrap();
        undo(&mut party);
        assert_eq!(party.order(), [three.get(), four.get()]);
        party.ask(HOST, Intent::Shuffle {}).unwrap();
        undo(&mut party);
        assert_eq!(party.order(), [three.get(), four.get()]);
        let item = party.state().timeline.anchor.item;
        party.ask(HOST, Intent::Next { item }).unwrap();
        undo(&mut party);
        assert_eq!(party.state().timeline.anchor.item, item);
        assert_eq!(party.order(), [three.get(), four.get()]);
    }

    #[test]
    fn an_undo_needs_the_grant_of_what_it_does() {
        let mut party = Party::watching(1);
        party.ask(HOST, seek(600)).unwrap();
        party
            .ask(
                HOST,
                Intent::Revoke {
                    member: ANA,
                    action: Action::Seek,
                    lasts: None,
                },
            )
            .unwrap();
        assert!(matches!(
            party.ask(ANA, Intent::Undo { seq: None }),
            Err(Refusal::NotAllowed { .. })
        ));
    }

    #[test]
    fn a_host_whose_machine_slept_finds_the_film_where_it_was() {
        let mut party = Party::watching(1);
        party.later(10_000);
        let (alive, stood) = (party.now.at, party.position());
        party.now.at = alive + Micros::from_secs(20 * 60);
        let events = party.room.gap(alive, party.now);
        assert!(matches!(events[0].body, Body::HostGap { gap } if gap == Micros::from_secs(1_200)));
        assert!(!party.playing());
        assert_eq!(party.position(), stood);
        party.ask(ANA, Intent::Play {}).unwrap();
        assert!(party.playing());
    }
}

mod holds {
    use super::*;

    #[test]
    fn a_seek_waits_until_everybody_is_there_and_then_runs() {
        let mut party = Party::waiting(2);
        party.ask(ANA, seek(600)).unwrap();
        assert_eq!(
            party.waiting_for(),
            Some((HoldReason::Seek, vec![HOST, ANA, BOB]))
        );
        assert!(!party.playing());
        party.ready(HOST);
        party.ready(BOB);
        party.later(300);
        assert!(!party.playing());
        let bodies = party.ready(ANA);
        assert!(matches!(
            bodies[0],
            Body::HoldEnded {
                how: HoldEnd::Ready,
                ..
            }
        ));
        party.later(1_000);
        assert!(party.playing() && party.position() > MediaTime::from_secs(600));
    }

    #[test]
    fn a_wait_ends_at_its_deadline_and_names_who_was_missing() {
        let mut party = Party::waiting(1);
        party.ask(HOST, seek(600)).unwrap();
        party.ready(HOST);
        party.later(3_900);
        assert!(!party.playing());
        party.later(200);
        assert!(party.playing());
        assert!(party.log.iter().any(|it| matches!(&it.body,
            Body::HoldEnded { how: HoldEnd::Expired, missing, .. } if *missing == [ANA])));
    }

    #[test]
    fn a_second_play_starts_anyway() {
        let mut party = Party::waiting(1);
        party.ask(HOST, seek(600)).unwrap();
        let bodies = party.ask(HOST, Intent::Play {}).unwrap();
        assert!(matches!(
            bodies[0],
            Body::HoldEnded {
                how: HoldEnd::Forced,
                ..
            }
        ));
        assert!(party.playing());
    }

    #[test]
    fn a_pause_ends_a_wait_and_whoever_goes_is_not_waited_for() {
        let mut party = Party::waiting(2);
        party.ask(HOST, seek(600)).unwrap();
        party.ask(ANA, Intent::Pause { at: None }).unwrap();
        assert!(party.state().hold.is_none() && !party.playing());
        party.ask(HOST, Intent::Play {}).unwrap();
        assert!(party.state().hold.is_some(), "they are still on their way");
        party.ready(HOST);
        party.ready(BOB);
        party.leave(ANA);
        assert!(party.state().hold.is_none() && party.playing());
    }

    #[test]
    fn ready_with_the_wrong_item_is_not_ready() {
        let mut party = Party::waiting(1);
        party.ask(HOST, seek(600)).unwrap();
        party.ready(HOST);
        let item = party.state().timeline.anchor.item;
        let generation = Generation::new(1);
        party.ask(ANA, Intent::Ready { item, generation }).unwrap();
        assert!(party.state().hold.is_some());
        party.later(4_100);
        assert!(party.playing(), "and nobody is stuck for ever");
    }

    #[test]
    fn a_join_never_stops_a_running_room() {
        let mut party = Party::waiting(1);
        let late = party.join("Late", Role::Guest);
        assert!(party.playing());
        party.ready(late);
        assert!(party.playing());
        party.leave(late);
        assert!(party.playing());
    }

    #[test]
    fn one_who_stalls_again_and_again_is_waited_for_three_times() {
        let mut party = Party::waiting(2);
        for round in 0..6 {
            party.does(ANA, Activity::Stalled);
            party.later(1_600);
            assert_eq!(party.state().hold.is_some(), round < 3, "round {round}");
            party.later(1_400);
            party.does(ANA, Activity::Playing);
            party.later(17_000);
            assert!(party.playing(), "round {round}");
        }
        let waits = party.count(|it| matches!(it, Body::HoldStarted { .. }));
        assert_eq!(waits, 3);
        assert!(!party.state().roster.get(ANA).unwrap().awaited);
        party.later(61_000);
        assert!(party.state().roster.get(ANA).unwrap().awaited, "forgiven");
    }

    #[test]
    fn a_short_stall_stops_nobody_and_half_a_room_that_stalls_neither() {
        let mut party = Party::waiting(3);
        party.does(ANA, Activity::Stalled);
        party.later(1_000);
        party.does(ANA, Activity::Playing);
        party.later(1_000);
        assert_eq!(party.count(|it| matches!(it, Body::Suspended { .. })), 0);
        let no = Intent::SetWait {
            reason: HoldReason::Stall,
            wait: false,
        };
        party.ask(HOST, no).unwrap();
        party.does(ANA, Activity::Stalled);
        party.does(BOB, Activity::Stalled);
        party.later(1_600);
        assert_eq!(party.count(|it| matches!(it, Body::Suspended { .. })), 2);
        assert!(party.playing());
    }

    #[test]
    fn an_advert_for_one_of_three_suspends_them_and_nobody_else() {
        let mut party = Party::waiting(2);
        let bodies = party.does(ANA, Activity::Advert);
        let reason = Suspension::Ad;
        assert_eq!(
            bodies,
            [Body::Suspended {
                member: ANA,
                reason
            }]
        );
        assert!(party.playing());
        party.later(15_000);
        let bodies = party.does(ANA, Activity::Playing);
        assert_eq!(bodies, [Body::Returned { member: ANA }]);
        let wait = Intent::SetWait {
            reason: HoldReason::Ad,
            wait: true,
        };
        party.ask(HOST, wait).unwrap();
        party.does(BOB, Activity::Advert);
        assert_eq!(party.waiting_for(), Some((HoldReason::Ad, vec![BOB])));
        party.does(BOB, Activity::Paused);
        assert!(party.playing(), "the room waited, as it was told to");
    }

    #[test]
    fn whoever_watches_on_their_own_is_not_waited_for() {
        let mut party = Party::waiting(1);
        let reason = Suspension::Detached;
        party.ask(ANA, Intent::Suspend { reason }).unwrap();
        party.ask(HOST, seek(600)).unwrap();
        party.ready(HOST);
        assert!(party.playing());
        party.does(ANA, Activity::Playing);
        let known = party.state().roster.get(ANA).unwrap().suspended;
        assert_eq!(known, Some(reason), "only they themselves end it");
        party.ask(ANA, Intent::Return {}).unwrap();
        assert_eq!(party.state().roster.get(ANA).unwrap().suspended, None);
    }

    fn cannot(item: u32, why: Option<Inability>) -> Intent {
        Intent::Unable {
            item: ItemId::new(item),
            why,
            words: Some("mpv could not show this film".to_owned()),
        }
    }

    #[test]
    fn whoever_cannot_see_the_film_is_named_once_and_not_waited_for() {
        let mut party = Party::waiting(1);
        let item = party.state().timeline.anchor.item.get();
        party.ask(HOST, seek(600)).unwrap();
        party.ready(HOST);
        assert!(!party.playing(), "the room waits for Ana");
        party
            .ask(ANA, cannot(item, Some(Inability::Region)))
            .unwrap();
        let trouble = party.state().unable.get(ANA).unwrap();
        assert_eq!(trouble.why, Inability::Region);
        assert_eq!(trouble.words, None, "a reason that says enough");
        assert!(party.playing(), "nobody is waited for any more");
        let told = |party: &Party| party.count(|it| matches!(it, Body::Unable { .. }));
        party
            .ask(ANA, cannot(item, Some(Inability::Region)))
            .unwrap();
        assert_eq!(told(&party), 1, "the same again is no news");
        party.ask(HOST, seek(700)).unwrap();
        assert_eq!(party.waiting_for(), Some((HoldReason::Seek, vec![HOST])));
        party.ready(ANA);
        assert!(
            party.state().unable.is_empty(),
            "whose player stands ready sees it"
        );
        assert_eq!(told(&party), 2);
        party.ready(HOST);
        assert!(party.playing());
    }

    #[test]
    fn it_ends_with_the_item_with_going_and_when_taken_back() {
        let mut party = Party::waiting(1);
        let on = |party: &Party| party.state().timeline.anchor.item.get();
        let (first, other) = (on(&party), Some(Inability::Other));
        party.ask(ANA, cannot(first, other)).unwrap();
        let words = &party.state().unable.get(ANA).unwrap().words;
        assert_eq!(
            words.as_ref().unwrap().as_str(),
            "mpv could not show this film"
        );
        party.ask(ANA, cannot(first, None)).unwrap();
        assert!(party.state().unable.is_empty());
        party.ask(ANA, cannot(first, other)).unwrap();
        party.load(9);
        assert!(party.state().unable.is_empty());
        party.ask(ANA, cannot(first, other)).unwrap();
        assert!(party.state().unable.is_empty(), "of a film that is over");
        let unknown = party.ask(ANA, cannot(77, other)).unwrap_err();
        assert!(
            matches!(unknown, Refusal::UnknownItem { .. }),
            "{unknown:?}"
        );
        let second = on(&party);
        party.ask(ANA, cannot(second, other)).unwrap();
        party.leave(ANA);
        assert!(party.state().unable.is_empty());
    }

    #[test]
    fn who_may_not_talk_is_heard_by_the_reason_alone() {
        let mut party = Party::waiting(1);
        let item = party.state().timeline.anchor.item.get();
        let mute = Intent::Revoke {
            member: ANA,
            action: Action::Chat,
            lasts: None,
        };
        party.ask(HOST, mute).unwrap();
        party
            .ask(ANA, cannot(item, Some(Inability::Other)))
            .unwrap();
        let trouble = party.state().unable.get(ANA).unwrap();
        assert_eq!((trouble.why, &trouble.words), (Inability::Other, &None));
    }

    #[test]
    fn a_ready_check_counts_down_when_all_said_yes_and_starts_nothing_otherwise() {
        let mut party = Party::of(1);
        party.load(1);
        party.ask(ANA, Intent::ReadyCheck {}).unwrap();
        party.ask(HOST, Intent::SayReady {}).unwrap();
        assert_eq!(
            party.waiting_for(),
            Some((HoldReason::ReadyCheck, vec![ANA]))
        );
        party.ask(ANA, Intent::SayReady {}).unwrap();
        assert!(party.playing());
        assert_eq!(party.state().timeline.anchor.at, party.now.at + COUNTDOWN);
        party.ask(ANA, Intent::Pause { at: None }).unwrap();
        party.ask(ANA, Intent::ReadyCheck {}).unwrap();
        party.later(61_000);
        assert!(!party.playing() && party.state().hold.is_none());
        assert_eq!(
            party.ask(ANA, Intent::SayReady {}),
            Err(Refusal::NoReadyCheck)
        );
    }

    #[test]
    fn a_host_that_restarts_while_the_room_waits_leaves_nobody_waiting() {
        let mut party = Party::waiting(1);
        party.ask(HOST, seek(600)).unwrap();
        party.restart(5_000);
        assert!(party.state().hold.is_none() && party.playing());
        let mut party = Party::waiting(1);
        party.ask(HOST, seek(600)).unwrap();
        party.restart(60_000);
        assert!(party.state().hold.is_none() && !party.playing());
        assert_eq!(party.position(), MediaTime::from_secs(600));
    }
}

mod people {
    use super::*;

    fn rule(member: MemberId, action: Action, lasts: Option<i64>) -> (Intent, Intent) {
        let lasts = lasts.map(Micros::from_secs);
        let grant = Intent::Grant {
            member,
            action,
            lasts,
        };
        let revoke = Intent::Revoke {
            member,
            action,
            lasts,
        };
        (grant, revoke)
    }

    #[test]
    fn a_grant_ends_by_itself_and_the_log_says_so() {
        let mut party = Party::watching(0);
        let viewer = party.join("Vi", Role::Viewer);
        assert!(matches!(
            party.ask(viewer, Intent::Play {}),
            Err(Refusal::NotAllowed { .. })
        ));
        let action = Action::Play;
        party.ask(viewer, Intent::Request { action }).unwrap();
        let (grant, _) = rule(viewer, Action::Play, Some(60));
        party.ask(HOST, grant).unwrap();
        assert!(
            party
                .state()
                .roster
                .get(viewer)
                .unwrap()
                .requests
                .is_empty()
        );
        party.ask(viewer, Intent::Pause { at: None }).unwrap();
        party.later(60_000);
        assert!(matches!(
            party.ask(viewer, Intent::Play {}),
            Err(Refusal::NotAllowed { .. })
        ));
        assert!(
            party
                .log
                .iter()
                .any(|it| it.header.by.is_none()
                    && matches!(it.body, Body::Ruled { allow: None, .. }))
        );
    }

    #[test]
    fn a_grant_that_ended_is_over_even_before_anybody_looked() {
        let mut party = Party::watching(0);
        let viewer = party.join("Vi", Role::Viewer);
        let (grant, _) = rule(viewer, Action::Seek, Some(60));
        party.ask(HOST, grant).unwrap();
        // Time passes without a tick: the ask itself brings it.
        party.now.at = party.now.at + Micros::from_secs(60);
        assert!(matches!(
            party.ask(viewer, seek(5)),
            Err(Refusal::NotAllowed { .. })
        ));
    }

    #[test]
    fn a_mute_is_for_talk_alone() {
        let mut party = Party::watching(1);
        let (_, mute) = rule(ANA, Action::Chat, None);
        party.ask(HOST, mute).unwrap();
        let say = Intent::Say { text: "hi".into() };
        assert!(matches!(
            party.ask(ANA, say),
            Err(Refusal::NotAllowed { .. })
        ));
        let reaction = "🎉".to_owned();
        assert!(party.ask(ANA, Intent::React { reaction }).is_err());
        party.ask(ANA, Intent::Pause { at: None }).unwrap();
    }

    #[test]
    fn nobody_rises_by_their_own_hand() {
        let mut party = Party::watching(2);
        for action in Action::ALL {
            let (grant, _) = rule(ANA, action, None);
            assert!(party.ask(ANA, grant).is_err());
        }
        let role = Role::CoHost;
        party
            .ask(HOST, Intent::SetRole { member: ANA, role })
            .unwrap();
        let member = BOB;
        assert_eq!(
            party.ask(ANA, Intent::SetRole { member, role }),
            Err(Refusal::HostOnly)
        );
        let (grant, _) = rule(BOB, Action::Moderate, None);
        assert_eq!(party.ask(ANA, grant), Err(Refusal::HostOnly));
        assert_eq!(
            party.ask(ANA, Intent::HandOver { member: ANA }),
            Err(Refusal::HostOnly)
        );
        for victim in [HOST, ANA] {
            let member = victim;
            let protected = party.ask(ANA, Intent::Kick { member });
            assert!(matches!(protected, Err(Refusal::Protected { .. })));
        }
        party.ask(ANA, Intent::Kick { member: BOB }).unwrap();
        assert!(!party.state().roster.get(BOB).unwrap().present);
    }

    #[test]
    fn kicked_may_return_and_banned_may_not_under_their_name_either() {
        let mut party = Party::watching(2);
        party.ask(HOST, Intent::Kick { member: ANA }).unwrap();
        assert_eq!(party.ask(ANA, Intent::Play {}), Err(Refusal::NotHere));
        party.back(ANA).unwrap();
        party.ask(HOST, Intent::Ban { member: ANA }).unwrap();
        assert_eq!(party.back(ANA), Err(Refusal::Banned));
        let again = Entrant {
            member: None,
            name: Name::new("ANA").unwrap(),
            role: Role::Guest,
            client: Client::Page,
        };
        assert_eq!(party.room.join(again, party.now), Err(Refusal::Banned));
        party.ask(HOST, Intent::Unban { member: ANA }).unwrap();
        party.back(ANA).unwrap();
    }

    #[test]
    fn a_host_who_stays_away_is_followed_by_the_co_host_here_longest() {
        let mut party = Party::watching(3);
        let role = Role::CoHost;
        for member in [BOB, CY] {
            party.ask(HOST, Intent::SetRole { member, role }).unwrap();
        }
        party.leave(HOST);
        party.later(29_000);
        assert_eq!(party.state().roster.role(HOST), Some(Role::Host));
        party.later(1_500);
        assert_eq!(party.state().roster.role(BOB), Some(Role::Host));
        assert_eq!(party.state().roster.role(HOST), Some(Role::CoHost));
        assert!(party.playing(), "and the film never noticed");
        party.back(HOST).unwrap();
        party.ask(HOST, Intent::HandOver { member: HOST }).unwrap();
        assert_eq!(party.state().roster.role(HOST), Some(Role::Host));
        assert_eq!(party.state().roster.role(BOB), Some(Role::CoHost));
    }

    #[test]
    fn a_host_who_returns_as_their_time_runs_out_is_not_host_twice() {
        let mut party = Party::watching(1);
        let (member, role) = (ANA, Role::CoHost);
        party.ask(HOST, Intent::SetRole { member, role }).unwrap();
        party.leave(HOST);
        // Nobody looked at the clock meanwhile: the return itself does.
        party.now.at = party.now.at + SUCCESSION_WAIT;
        party.back(HOST).unwrap();
        assert_eq!(party.state().roster.role(ANA), Some(Role::Host));
        assert_eq!(party.state().roster.role(HOST), Some(Role::CoHost));
    }

    #[test]
    fn a_host_who_is_back_in_time_stays_host_and_guests_never_follow() {
        let mut party = Party::watching(1);
        party.leave(HOST);
        party.later(60_000);
        assert_eq!(party.state().roster.role(ANA), Some(Role::Guest));
        party.back(HOST).unwrap();
        assert_eq!(party.state().roster.role(HOST), Some(Role::Host));
    }

    #[test]
    fn a_role_can_be_locked_and_a_grant_stands_above_it() {
        let mut party = Party::watching(2);
        let permit = Intent::Permit {
            role: Role::Guest,
            action: Action::Seek,
            allow: false,
        };
        party.ask(HOST, permit).unwrap();
        assert!(party.ask(ANA, seek(5)).is_err());
        let (grant, _) = rule(ANA, Action::Seek, None);
        party.ask(HOST, grant).unwrap();
        party.ask(ANA, seek(5)).unwrap();
        assert!(party.ask(BOB, seek(5)).is_err());
    }

    #[test]
    fn slow_mode_makes_guests_wait_and_not_the_host() {
        let mut party = Party::watching(1);
        let every = Micros::from_secs(10);
        party.ask(HOST, Intent::SetSlow { every }).unwrap();
        let say = || Intent::Say { text: "hi".into() };
        party.ask(ANA, say()).unwrap();
        party.later(4_000);
        assert_eq!(
            party.ask(ANA, say()),
            Err(Refusal::Slow {
                wait: Micros::from_secs(6)
            })
        );
        party.ask(HOST, say()).unwrap();
        party.ask(HOST, say()).unwrap();
        party.later(6_000);
        party.ask(ANA, say()).unwrap();
    }

    #[test]
    fn playing_now_needs_both_grants() {
        let mut party = Party::watching(1);
        let item = party.queue(HOST, 2);
        for action in [Action::Play, Action::Queue] {
            let (grant, revoke) = rule(ANA, action, None);
            party.ask(HOST, revoke).unwrap();
            assert!(party.ask(ANA, Intent::PlayNow { item }).is_err());
            assert!(party.ask(ANA, Intent::Load { url: film(9) }).is_err());
            party.ask(HOST, grant).unwrap();
        }
        party.ask(ANA, Intent::PlayNow { item }).unwrap();
    }
}

mod queue {
    use super::*;

    #[test]
    fn votes_choose_what_comes_next_and_can_be_taken_back() {
        let mut party = Party::watching(2);
        let (one, two) = (party.queue(ANA, 2), party.queue(BOB, 3));
        let mode = QueueMode::Vote;
        party.ask(HOST, Intent::SetMode { mode }).unwrap();
        party.ask(ANA, Intent::Vote { item: two }).unwrap();
        assert_eq!(party.ask(ANA, Intent::Vote { item: two }), Ok(vec![]));
        let next = |party: &Party| party.state().queue.upcoming().map(|it| it.item);
        assert_eq!(next(&party), Some(two));
        party.ask(ANA, Intent::Unvote { item: two }).unwrap();
        assert_eq!(next(&party), Some(one));
    }

    #[test]
    fn a_skip_needs_more_than_half_of_those_present() {
        let mut party = Party::watching(3);
        let (item, next) = (ItemId::new(1), party.queue(HOST, 2));
        party.ask(ANA, Intent::Skip { item }).unwrap();
        party.ask(BOB, Intent::Skip { item }).unwrap();
        assert_eq!(party.state().timeline.anchor.item, item, "two of four");
        party.ask(BOB, Intent::Unskip { item }).unwrap();
        party.ask(BOB, Intent::Skip { item }).unwrap();
        // One of those who did not vote goes: two of three are enough.
        party.leave(CY);
        assert_eq!(party.state().timeline.anchor.item, next);
        assert!(party.state().queue.skips.is_empty());
    }

    #[test]
    fn a_film_that_repeats_begins_again_and_a_queue_that_repeats_goes_round() {
        let mut party = Party::watching(0);
        let (first, second) = (ItemId::new(1), party.queue(HOST, 2));
        let end = |party: &mut Party, item| {
            let duration = Micros::from_secs(3_600);
            party.ask(HOST, Intent::Measure { item, duration }).unwrap();
            party.ask(HOST, seek(3_599)).unwrap();
            party.later(2_000);
            party.ask(HOST, Intent::Ended { item }).unwrap();
        };
        let repeat = Repeat::One;
        party.ask(HOST, Intent::SetRepeat { repeat }).unwrap();
        end(&mut party, first);
        assert_eq!(party.state().timeline.anchor.item, first);
        assert!(party.position() < MediaTime::from_secs(1) && party.playing());
        let repeat = Repeat::All;
        party.ask(HOST, Intent::SetRepeat { repeat }).unwrap();
        end(&mut party, first);
        assert_eq!(party.state().timeline.anchor.item, second);
        assert_eq!(party.order(), [first.get()]);
        end(&mut party, second);
        assert_eq!(party.state().timeline.anchor.item, first);
    }

    #[test]
    fn a_film_that_ends_with_nothing_behind_it_stands_at_its_end() {
        let mut party = Party::watching(0);
        party.ask(HOST, seek(3_599)).unwrap();
        party.later(60_000);
        let item = ItemId::new(1);
        assert_eq!(party.ask(HOST, Intent::Ended { item }), Ok(vec![]));
        assert_eq!(party.position(), MediaTime::from_secs(3_600));
    }

    #[test]
    fn a_queue_outlives_its_host() {
        let mut party = Party::watching(1);
        party.queue(ANA, 2);
        party.queue(HOST, 3);
        let before = party.state().queue.clone();
        party.restart(3_600_000);
        assert_eq!(party.state().queue, before);
    }

    #[test]
    fn a_full_queue_says_so() {
        let mut party = Party::watching(0);
        for number in 0..QUEUE_MAX as u32 {
            party.queue(HOST, number);
        }
        let url = film(9_999);
        assert_eq!(
            party.ask(HOST, Intent::QueueAdd { url, front: false }),
            Err(Refusal::QueueFull {
                max: QUEUE_MAX as u32
            })
        );
    }

    #[test]
    fn a_poll_puts_what_wins_first_into_the_queue() {
        let mut party = Party::watching(3);
        party.queue(HOST, 2);
        let open = Intent::OpenPoll {
            question: "What next?".into(),
            choices: vec![film(5), film(6), "a walk".into()],
        };
        party.ask(ANA, open.clone()).unwrap();
        let poll = party.state().seq;
        assert_eq!(party.ask(BOB, open), Err(Refusal::PollOpen));
        for (member, choice) in [(ANA, 0), (BOB, 1), (CY, 1), (HOST, 2)] {
            let choice = Some(choice);
            party
                .ask(member, Intent::AnswerPoll { poll, choice })
                .unwrap();
        }
        let choice = Some(3);
        assert_eq!(
            party.ask(BOB, Intent::AnswerPoll { poll, choice }),
            Err(Refusal::OutOfRange)
        );
        assert!(
            party.ask(BOB, Intent::ClosePoll { poll }).is_err(),
            "not his"
        );
        party.ask(ANA, Intent::ClosePoll { poll }).unwrap();
        let first = party.state().queue.entries[0].item;
        let media = &party.state().timeline.item(first).unwrap().media;
        assert_eq!(media.id, "abcdefg0006");
        assert_eq!(
            party.ask(CY, Intent::AnswerPoll { poll, choice: None }),
            Err(Refusal::NoPoll)
        );
    }
}

mod talk {
    use super::*;

    #[test]
    fn a_flood_of_reactions_is_one_event_a_second() {
        let mut party = Party::watching(3);
        let before = party.log.len();
        let mut refused = 0;
        for round in 0..100 {
            let reaction = if round % 2 == 0 { "🎉" } else { "😂" }.to_owned();
            let member = MemberId::new(1 + round % 4);
            if party.ask(member, Intent::React { reaction }) == Err(Refusal::TooFast) {
                refused += 1;
            }
        }
        assert_eq!(party.log.len(), before);
        party.later(1_000);
        assert_eq!(party.log.len(), before + 1);
        let Body::Reacted { tallies, .. } = &party.log[before].body else {
            panic!("{:?}", party.log[before])
        };
        let sum: u32 = tallies.iter().map(|it| it.count).sum();
        assert_eq!((sum, refused), (4 * REACTIONS_EACH, 80));
    }

    #[test]
    fn a_reaction_is_one_character() {
        let mut party = Party::watching(0);
        for bad in ["", "hello", "🎉🎉", "\u{202e}"] {
            let reaction = bad.to_owned();
            let refused = party.ask(HOST, Intent::React { reaction });
            assert!(matches!(refused, Err(Refusal::BadText { .. })), "{bad:?}");
        }
    }

    #[test]
    fn a_line_taken_back_is_gone_from_the_state_and_the_chain_still_stands() {
        let mut party = Party::watching(2);
        let text = "secret".to_owned();
        party.ask(ANA, Intent::Say { text }).unwrap();
        let seq = party.state().seq;
        let reply = Intent::Reply {
            to: seq,
            text: "what?".into(),
        };
        party.ask(BOB, reply.clone()).unwrap();
        assert!(party.ask(BOB, Intent::Redact { seq }).is_err(), "not his");
        party.ask(ANA, Intent::Redact { seq }).unwrap();
        let line = party.state().transcript.get(seq).unwrap();
        assert_eq!(line.text, None);
        assert_eq!(party.ask(BOB, reply), Err(Refusal::UnknownLine { seq }));
        let json = serde_json::to_string(party.state()).unwrap();
        assert!(!json.contains("secret"));
        let seq = Seq::new(9_999);
        assert_eq!(
            party.ask(HOST, Intent::Redact { seq }),
            Err(Refusal::UnknownLine { seq })
        );
    }
}

mod retries {
    use super::*;

    #[test]
    fn the_same_intent_again_gets_the_same_answer_and_no_second_event() {
        let mut party = Party::watching(1);
        let said = party.next_ask(ANA, Intent::Say { text: "hi".into() });
        party.send(ANA, &said).unwrap();
        let refused = party.next_ask(ANA, seek(1 << 40));
        let no = party.send(ANA, &refused).unwrap_err();
        let reacted = party.next_ask(
            ANA,
            Intent::React {
                reaction: "🎉".into(),
            },
        );
        party.send(ANA, &reacted).unwrap();
        let len = party.log.len();
        assert_eq!(party.send(ANA, &said), Ok(vec![]));
        assert_eq!(party.send(ANA, &refused), Err(no));
        assert_eq!(party.send(ANA, &reacted), Ok(vec![]));
        party.later(1_000);
        assert_eq!(party.log.len(), len + 1, "one reaction, told once");
        // Even a restart does not do it twice.
        party.restart(1_000);
        party.back(ANA).unwrap();
        let len = party.log.len();
        party.send(ANA, &said).unwrap();
        assert_eq!(party.log.len(), len);
    }

    #[test]
    fn an_answer_too_old_to_be_known_is_not_done_again() {
        let mut party = Party::watching(1);
        let first = party.next_ask(ANA, Intent::Say { text: "hi".into() });
        party.send(ANA, &first).unwrap();
        for _ in 0..ANSWERS_KEPT {
            party.ask(ANA, Intent::Say { text: "yo".into() }).unwrap();
        }
        assert_eq!(party.send(ANA, &first), Err(Refusal::TooOld));
    }
}

mod bad_input {
    use super::*;

    /// Every way to be wrong is refused with its reason and changes nothing.
    #[test]
    fn what_makes_no_sense_is_refused_and_changes_nothing() {
        let mut party = Party::watching(1);
        let nobody = MemberId::new(99);
        let (no_item, no_seq) = (ItemId::new(99), Seq::new(9_999));
        let long = "x".repeat(10_000);
        let enormous = Micros::new(i64::MAX);
        let negative = Micros::new(-1);
        let action = Action::Play;
        let intents = [
            seek(u64::MAX / 1_000_000),
            Intent::Measure {
                item: no_item,
                duration: enormous,
            },
            Intent::Measure {
                item: ItemId::new(1),
                duration: enormous,
            },
            Intent::Measure {
                item: ItemId::new(1),
                duration: negative,
            },
            Intent::Say { text: long.clone() },
            Intent::Say { text: "  ".into() },
            Intent::Rename { name: long.clone() },
            Intent::Rename {
                name: String::new(),
            },
            Intent::Load { url: long.clone() },
            Intent::Load {
                url: "file:///etc/passwd".into(),
            },
            Intent::QueueAdd {
                url: "javascript:alert(1)".into(),
                front: true,
            },
            Intent::QueueRemove { item: no_item },
            Intent::QueueMove {
                item: no_item,
                place: u32::MAX,
            },
            Intent::PlayNow { item: no_item },
            Intent::Vote { item: no_item },
            Intent::Unvote { item: no_item },
            Intent::Skip { item: no_item },
            Intent::Next { item: no_item },
            Intent::Ended { item: no_item },
            Intent::Ready {
                item: no_item,
                generation: Generation::new(u32::MAX),
            },
            Intent::Undo { seq: Some(no_seq) },
            Intent::Undo {
                seq: Some(Seq::new(0)),
            },
            Intent::Reply {
                to: no_seq,
                text: "hi".into(),
            },
            Intent::Redact { seq: no_seq },
            Intent::React { reaction: long },
            Intent::SayReady {},
            Intent::AnswerPoll {
                poll: no_seq,
                choice: Some(255),
            },
            Intent::ClosePoll { poll: no_seq },
            Intent::OpenPoll {
                question: "?".into(),
                choices: vec!["one".into()],
            },
            Intent::OpenPoll {
                question: "?".into(),
                choices: vec![String::new(); 2],
            },
            Intent::Grant {
                member: nobody,
                action,
                lasts: None,
            },
            Intent::Grant {
                member: ANA,
                action,
                lasts: Some(negative),
            },
            Intent::Revoke {
                member: ANA,
                action,
                lasts: Some(enormous),
            },
            Intent::Kick { member: nobody },
            Intent::Ban { member: nobody },
            Intent::HandOver { member: nobody },
            Intent::SetRole {
                member: ANA,
                role: Role::Host,
            },
            Intent::SetSlow { every: negative },
            Intent::SetSlow { every: enormous },
            Intent::SetSkipShare { percent: 101 },
            Intent::SetWait {
                reason: HoldReason::Seek,
                wait: false,
            },
            Intent::Permit {
                role: Role::Host,
                action,
                allow: false,
            },
        ];
        let before = party.state().digest();
        for intent in intents {
            let refused = party.ask(HOST, intent.clone()).expect_err("refused");
            assert!(!refused.to_string().is_empty());
            assert_eq!(party.state().digest(), before, "{intent:?}");
        }
    }

    #[test]
    fn strangers_and_the_absent_are_not_heard() {
        let mut party = Party::watching(1);
        party.leave(ANA);
        for by in [ANA, MemberId::new(0), MemberId::new(u32::MAX)] {
            assert_eq!(
                party.ask(by, Intent::Pause { at: None }),
                Err(Refusal::NotHere)
            );
        }
    }

    #[test]
    fn numbers_no_film_has_do_not_read_from_json() {
        for bad in [
            r#"{"seek":{"to":-1}}"#,
            r#"{"seek":{"to":1.5}}"#,
            r#"{"seek":{"to":NaN}}"#,
            r#"{"seek":{"to":1e400}}"#,
            r#"{"seek":{"to":9007199254740993}}"#,
            r#"{"rate":{"rate":0}}"#,
            r#"{"kick":{"member":-1}}"#,
            r#"{"kick":{"member":4294967296}}"#,
            r#"{"grant":{"member":1,"action":"everything"}}"#,
            r#"{"play":{"by":1}}"#,
            r#"{"set_slow":{"every":"ten"}}"#,
        ] {
            assert!(serde_json::from_str::<Intent>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_author_is_who_the_connection_says_whatever_the_ask_says() {
        let mut party = Party::watching(1);
        let forged = r#"{"counter":50,"by":1,"member":1,"intent":{"kick":{"member":1}}}"#;
        let ask: Ask = serde_json::from_str(forged).unwrap();
        assert!(party.send(ANA, &ask).is_err());
    }
}
