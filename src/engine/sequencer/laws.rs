//! The laws of `lib.rs` over random evenings: many members who ask for anything at any time, ask
//! again, come and go, and a host that sleeps and restarts.

use super::tests::{Party, film};
use super::*;
use crate::engine::event::{Action, Inability, QueueMode, Repeat, codec};
use crate::engine::id::{Generation, ItemId};
use crate::engine::replay::{Replay, ReplayError, Step as Taken};
use crate::engine::snapshot;
use crate::engine::unit::Rate;
use proptest::prelude::*;
use proptest::sample::{Index, select};

#[derive(Clone, Debug)]
enum Step {
    Ask(u32, Intent),
    /// A member asks for what is on their screen right now.
    AskOfNow(u32, u8, Index),
    /// Something asked before arrives once more.
    Again(Index),
    Join(u32, Role),
    Leave(u32),
    Does(u32, Activity),
    Later(i64),
    Sleep(i64),
    Restart(i64),
}

fn intent() -> impl Strategy<Value = Intent> {
    let item = || (0u32..12).prop_map(ItemId::new);
    let seq = || (0u64..200).prop_map(Seq::new);
    let member = || (0u32..9).prop_map(MemberId::new);
    let action = || select(&Action::ALL[..]);
    let role = || select(vec![Role::Host, Role::CoHost, Role::Guest, Role::Viewer]);
    let micros = || prop_oneof![any::<i64>(), -5_000_000i64..90_000_000].prop_map(Micros::new);
    let place = || prop_oneof![any::<u64>(), 0u64..4_000_000_000].prop_map(MediaTime::new);
    let text = || prop_oneof!["[a-z ]{0,20}", ".{0,8}", Just("x".repeat(3_000))];
    let film = || (0u32..9).prop_map(film);
    let lasts = move || proptest::option::of(micros());
    let film_of = prop_oneof![
        film().prop_map(|url| Intent::Load { url }),
        Just(Intent::Play {}),
        proptest::option::of(place()).prop_map(|at| Intent::Pause { at }),
        place().prop_map(|to| Intent::Seek { to }),
        (250u16..=4_000).prop_map(|rate| Intent::Rate {
            rate: Rate::from_millis(rate).unwrap()
        }),
        (item(), micros()).prop_map(|(item, duration)| Intent::Measure { item, duration }),
        item().prop_map(|item| Intent::Next { item }),
        item().prop_map(|item| Intent::Ended { item }),
        proptest::option::of(seq()).prop_map(|seq| Intent::Undo { seq }),
        (item(), 0u32..30).prop_map(|(item, generation)| Intent::Ready {
            item,
            generation: Generation::new(generation)
        }),
        Just(Intent::ReadyCheck {}),
        Just(Intent::SayReady {}),
        select(vec![
            Suspension::Ad,
            Suspension::Stall,
            Suspension::Detached,
            Suspension::CannotPlay
        ])
        .prop_map(|reason| Intent::Suspend { reason }),
        Just(Intent::Return {}),
        (
            item(),
            proptest::option::of(select(vec![Inability::Region, Inability::Other])),
            proptest::option::of(text())
        )
            .prop_map(|(item, why, words)| Intent::Unable { item, why, words }),
    ];
    let queue_of = prop_oneof![
        (film(), any::<bool>()).prop_map(|(url, front)| Intent::QueueAdd { url, front }),
        (film(), any::<bool>()).prop_map(|(url, front)| Intent::QueueAdd { url, front }),
        item().prop_map(|item| Intent::QueueRemove { item }),
        (item(), any::<u32>()).prop_map(|(item, place)| Intent::QueueMove { item, place }),
        item().prop_map(|item| Intent::PlayNow { item }),
        Just(Intent::Shuffle {}),
        select(vec![
            QueueMode::Manual,
            QueueMode::Vote,
            QueueMode::RoundRobin
        ])
        .prop_map(|mode| Intent::SetMode { mode }),
        select(vec![Repeat::Off, Repeat::One, Repeat::All])
            .prop_map(|repeat| Intent::SetRepeat { repeat }),
        item().prop_map(|item| Intent::Vote { item }),
        item().prop_map(|item| Intent::Unvote { item }),
        item().prop_map(|item| Intent::Skip { item }),
        item().prop_map(|item| Intent::Unskip { item }),
        any::<u8>().prop_map(|percent| Intent::SetSkipShare { percent }),
        (text(), prop::collection::vec(text(), 0..4))
            .prop_map(|(question, choices)| Intent::OpenPoll { question, choices }),
        (seq(), any::<Option<u8>>()).prop_map(|(poll, choice)| Intent::AnswerPoll { poll, choice }),
        seq().prop_map(|poll| Intent::ClosePoll { poll }),
    ];
    let people_of = prop_oneof![
        text().prop_map(|text| Intent::Say { text }),
        text().prop_map(|name| Intent::Rename { name }),
        (seq(), text()).prop_map(|(to, text)| Intent::Reply { to, text }),
        prop_oneof!["🎉", ".{0,3}"].prop_map(|reaction| Intent::React { reaction }),
        seq().prop_map(|seq| Intent::Redact { seq }),
        action().prop_map(|action| Intent::Request { action }),
        (member(), action(), lasts()).prop_map(|(member, action, lasts)| Intent::Grant {
            member,
            action,
            lasts
        }),
        (member(), action(), lasts()).prop_map(|(member, action, lasts)| Intent::Revoke {
            member,
            action,
            lasts
        }),
        (member(), role()).prop_map(|(member, role)| Intent::SetRole { member, role }),
        member().prop_map(|member| Intent::HandOver { member }),
        member().prop_map(|member| Intent::Unban { member }),
        (role(), action(), any::<bool>()).prop_map(|(role, action, allow)| Intent::Permit {
            role,
            action,
            allow
        }),
        (role(), lasts(), proptest::option::of(0u32..3))
            .prop_map(|(role, lasts, uses)| Intent::Invite { role, lasts, uses }),
        seq().prop_map(|invite| Intent::ShowInvite { invite }),
        seq().prop_map(|invite| Intent::RevokeInvite { invite }),
        any::<bool>().prop_map(|on| Intent::SetApproval { on }),
        proptest::option::of(text()).prop_map(|text| Intent::SetPasscode {
            passcode: text.and_then(|text| crate::engine::text::Passcode::new(&text).ok()),
        }),
        (0u64..9, any::<bool>()).prop_map(|(knock, let_in)| Intent::AnswerKnock { knock, let_in }),
        micros().prop_map(|every| Intent::SetSlow { every }),
        (
            select(vec![HoldReason::Stall, HoldReason::Ad, HoldReason::Seek]),
            any::<bool>()
        )
            .prop_map(|(reason, wait)| Intent::SetWait { reason, wait }),
    ];
    let rare = prop_oneof![
        member().prop_map(|member| Intent::Kick { member }),
        member().prop_map(|member| Intent::Ban { member }),
    ];
    prop_oneof![30 => film_of, 20 => queue_of, 20 => people_of, 1 => rare]
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 1u32..8;
    let activity = select(vec![
        Activity::Playing,
        Activity::Paused,
        Activity::Stalled,
        Activity::Advert,
        Activity::NeedsClick,
    ]);
    let role = select(vec![Role::CoHost, Role::Guest, Role::Guest, Role::Viewer]);
    prop_oneof![
        12 => (prop_oneof![Just(1), who()], intent()).prop_map(|(who, it)| Step::Ask(who, it)),
        12 => (who(), any::<u8>(), any::<Index>()).prop_map(|(who, what, which)| Step::AskOfNow(who, what, which)),
        3 => any::<Index>().prop_map(Step::Again),
        3 => (who(), role).prop_map(|(who, role)| Step::Join(who, role)),
        1 => who().prop_map(Step::Leave),
        3 => (who(), activity).prop_map(|(who, activity)| Step::Does(who, activity)),
        6 => (0i64..9_000).prop_map(Step::Later),
        1 => (20_000i64..700_000).prop_map(Step::Later),
        1 => (-5_000i64..900_000).prop_map(Step::Sleep),
        1 => (0i64..90_000).prop_map(Step::Restart),
    ]
}

/// What somebody who looks at the room would ask for.
fn of_now(state: &RoomState, what: u8, which: Index) -> Intent {
    let item = state.timeline.anchor.item;
    let Aim { generation, .. } = state.timeline.aim();
    let entries = &state.queue.entries;
    let queued = if entries.is_empty() {
        item
    } else {
        which.get(entries).item
    };
    let lines: Vec<_> = state.transcript.iter().map(|line| line.seq).collect();
    let line = if lines.is_empty() {
        Seq::FIRST
    } else {
        *which.get(&lines)
    };
    let poll = state.poll.as_ref().map_or(Seq::FIRST, |poll| poll.id);
    match what % 14 {
        0..=2 => Intent::Ready { item, generation },
        3 => Intent::Next { item },
        4 => Intent::Skip { item },
        5 => Intent::Vote { item: queued },
        6 => Intent::PlayNow { item: queued },
        7 => Intent::QueueRemove { item: queued },
        8 => Intent::Redact { seq: line },
        9 => Intent::Reply {
            to: line,
            text: "yes".into(),
        },
        10 => Intent::AnswerPoll {
            poll,
            choice: Some(which.index(3) as u8),
        },
        11 => Intent::Undo { seq: None },
        12 => Intent::SayReady {},
        _ => Intent::Play {},
    }
}

/// The grants without which this could not have been somebody's own doing.
fn grants(before: &RoomState, event: &Event) -> &'static [Action] {
    const BOTH: &[Action] = &[Action::Play, Action::Queue];
    let by = event.header.by;
    match &event.body {
        Body::MediaSet { .. } => BOTH,
        Body::Cued { .. } => {
            let timeline = &before.timeline;
            let end = timeline.duration().map(|length| MediaTime::ZERO + length);
            let over = end.is_some_and(|end| {
                end - timeline.position(event.header.at) <= Micros::from_secs(3)
            });
            if over { &[] } else { BOTH }
        }
        Body::Played { .. }
        | Body::Paused { .. }
        | Body::HoldStarted { .. }
        | Body::HoldEnded { .. } => &[Action::Play],
        Body::Seeked { .. } => &[Action::Seek],
        Body::RateSet { .. } => &[Action::Rate],
        Body::Queued { .. }
        | Body::Unqueued { .. }
        | Body::Requeued { .. }
        | Body::QueueMoved { .. }
        | Body::Shuffled { .. }
        | Body::Reordered { .. }
        | Body::RepeatSet { .. }
        | Body::PollOpened { .. } => &[Action::Queue],
        Body::VoteCast { .. }
        | Body::VoteWithdrawn { .. }
        | Body::SkipVoted { .. }
        | Body::SkipWithdrawn { .. }
        | Body::PollAnswered { .. } => &[Action::Vote],
        Body::Said { .. } | Body::Replied { .. } => &[Action::Chat],
        Body::Redacted { seq } => {
            let line = before.transcript.get(*seq);
            match line.is_some_and(|line| line.by == by) {
                true => &[],
                false => &[Action::Moderate],
            }
        }
        Body::PollClosed { .. } => match before.poll.as_ref().is_some_and(|poll| poll.by == by) {
            true => &[],
            false => &[Action::Moderate],
        },
        Body::InviteMade { .. } => &[Action::Invite],
        Body::InviteRevoked { invite } => {
            let made = before.entrance.invites.get(invite);
            match made.is_some_and(|made| made.by == by) {
                true => &[Action::Invite],
                false => &[Action::Moderate],
            }
        }
        Body::ApprovalSet { .. }
        | Body::PasscodeSet { .. }
        | Body::KnockAnswered { .. }
        | Body::Ruled { .. }
        | Body::RoleSet { .. }
        | Body::Kicked { .. }
        | Body::Banned { .. }
        | Body::Permitted { .. }
        | Body::SlowSet { .. }
        | Body::WaitSet { .. }
        | Body::ModeSet { .. }
        | Body::SkipShareSet { .. } => &[Action::Moderate],
        _ => &[],
    }
}

/// Whose standing an event lowers or raises.
fn target(body: &Body) -> Option<MemberId> {
    match body {
        Body::Ruled { member, .. }
        | Body::RoleSet { member, .. }
        | Body::Kicked { member }
        | Body::Banned { member, .. } => Some(*member),
        _ => None,
    }
}

/// Plays an evening; checks each event as it is made.
fn play(steps: &[Step]) -> Party {
    let mut party = Party::of(3);
    let mut asked: Vec<(MemberId, Ask)> = Vec::new();
    let mut checked = RoomState::default();
    let mut from = 0;
    for step in steps {
        match step {
            Step::Ask(who, intent) => {
                let by = MemberId::new(*who);
                let ask = party.next_ask(by, intent.clone());
                asked.push((by, ask.clone()));
                let before = party.state().digest();
                let len = party.log.len();
                if party.send(by, &ask).is_err() && party.log.len() == len {
                    assert_eq!(party.state().digest(), before, "a refusal changes nothing");
                }
            }
            Step::AskOfNow(who, what, which) => {
                let by = MemberId::new(*who);
                let intent = of_now(party.state(), *what, *which);
                let ask = party.next_ask(by, intent);
                asked.push((by, ask.clone()));
                let _ = party.send(by, &ask);
            }
            Step::Again(which) if !asked.is_empty() => {
                let (by, ask) = which.get(&asked).clone();
                let _ = party.send(by, &ask);
            }
            Step::Again(_) => {}
            Step::Join(who, role) => {
                let known = party.state().roster.get(MemberId::new(*who)).is_some();
                let entrant = Entrant {
                    member: known.then(|| MemberId::new(*who)),
                    name: Name::new(&format!("Guest {who}q{}", party.log.len())).unwrap(),
                    role: *role,
                    client: Client::Page,
                };
                if let Ok((_, events)) = party.room.join(entrant, party.now) {
                    party.log.extend(events);
                }
            }
            Step::Leave(who) => party.leave(MemberId::new(*who)),
            Step::Does(who, activity) => {
                party.does(MemberId::new(*who), *activity);
            }
            Step::Later(millis) => party.later(*millis),
            Step::Sleep(millis) => {
                let alive = party.now.at;
                party.now.at = alive + Micros::from_millis(*millis);
                let events = party.room.gap(alive, party.now);
                party.log.extend(events);
            }
            Step::Restart(millis) => {
                let here: Vec<_> = party.state().roster.present().map(|(id, _)| id).collect();
                party.restart(*millis);
                for member in here {
                    let _ = party.back(member);
                }
            }
        }
        for event in &party.log[from..] {
            check(&checked, event);
            checked.apply(event);
        }
        from = party.log.len();
    }
    assert_eq!(checked, *party.state());
    party
}

fn check(before: &RoomState, event: &Event) {
    let Event { header, body } = event;
    assert_eq!(header.seq, before.tail(), "dense");
    assert!(header.at >= before.at, "time goes on");
    assert!(header.stamp > before.stamp, "stamps rise");
    assert!(header.epoch >= before.epoch);
    assert!(codec::encode(event).len() <= codec::EVENT_BYTES_MAX);
    // What nobody asked for, and what one intent calls for besides its first event, is the room's.
    let Some(by) = header.by.filter(|_| header.intent.is_some()) else {
        return;
    };
    let id = header.intent_id().expect("both are there");
    if let Known::Done(first) = before.roster.known(id) {
        // The rest of one batch, never a second one.
        assert_eq!(header.cause, Some(first), "{body:?}");
        return;
    }
    let author = before.roster.get(by).expect("a member");
    assert!(author.present && !author.banned);
    for action in grants(before, event) {
        assert!(before.may(by, *action), "{by} did {body:?}");
    }
    if let Some(member) = target(body) {
        let other = before.roster.get(member).expect("known").role;
        assert!(other != Role::Host, "nobody moderates the host");
        assert!(author.role == Role::Host || other > Role::CoHost);
    }
    if let Body::InviteMade { role, .. } = body {
        assert!(
            *role >= author.role,
            "nobody lets in somebody above themselves"
        );
        assert!(*role > Role::CoHost || author.role == Role::Host);
    }
    if let Body::HostChanged { .. } = body {
        assert!(author.role == Role::Host || before.opener == Some(by));
    }
}

fn bytes(state: &RoomState) -> Vec<u8> {
    postcard::to_stdvec(state).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Grants, density, monotone time, idempotence: checked at each event of each evening.
    /// Then the three ways to a state agree byte for byte.
    #[test]
    fn every_evening_keeps_the_laws(steps in prop::collection::vec(step(), 1..160), cut in any::<Index>()) {
        let party = play(&steps);
        let log = &party.log;
        let mut whole = Replay::new();
        whole.take_all(log).unwrap();
        prop_assert_eq!(bytes(whole.state()), bytes(party.state()));
        let cut = cut.index(log.len() + 1);
        let mut head = Replay::new();
        head.take_all(&log[..cut]).unwrap();
        let kept = snapshot::decode(&snapshot::encode(head.state())).unwrap();
        let mut tail = Replay::from_state(kept);
        tail.take_all(&log[cut..]).unwrap();
        prop_assert_eq!(bytes(tail.state()), bytes(party.state()));
        for event in log {
            prop_assert_eq!(&codec::decode(&codec::encode(event)).unwrap(), event);
            let json = serde_json::to_string(event).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Event>(&json).unwrap(), event);
        }
        let hosts = party.state().roster.iter().filter(|(_, it)| it.role == Role::Host).count();
        prop_assert_eq!(hosts, 1);
    }

    /// Duplicates and reorderings on the way to a reader: each event is applied once and in order.
    #[test]
    fn a_reader_applies_each_event_once_however_it_comes(steps in prop::collection::vec(step(), 1..40), order in prop::collection::vec(any::<Index>(), 200)) {
        let party = play(&steps);
        let mut reader = Replay::new();
        for place in order {
            let event = place.get(&party.log);
            let (wanted, before) = (reader.cursor(), reader.state().digest());
            match reader.take(event) {
                Ok(Taken::Applied) => prop_assert_eq!(event.header.seq, wanted),
                Ok(Taken::Duplicate) => {
                    prop_assert!(event.header.seq < wanted);
                    prop_assert_eq!(reader.state().digest(), before);
                }
                Err(ReplayError::Gap { .. }) => prop_assert_eq!(reader.state().digest(), before),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
        let rest: Vec<_> = party.log.iter().collect();
        reader.take_all(rest).unwrap();
        prop_assert_eq!(reader.state().digest(), party.state().digest());
    }

    /// The fold is total: events of several evenings in any order, under any author, seq and time.
    #[test]
    fn any_event_in_any_order_gives_some_state(steps in prop::collection::vec(step(), 1..60), order in prop::collection::vec((any::<Index>(), 0u32..9, any::<u64>()), 100)) {
        let party = play(&steps);
        let mut state = RoomState::default();
        for (place, by, number) in order {
            let mut event = place.get(&party.log).clone();
            event.header.by = Some(MemberId::new(by));
            event.header.seq = Seq::new(number);
            event.header.at = SessionTime::new(number.rotate_left(17));
            state.apply(&event);
        }
        let again: RoomState = postcard::from_bytes(&bytes(&state)).unwrap();
        prop_assert_eq!(again.digest(), state.digest());
    }

    /// And whatever bytes read as an event fold too.
    #[test]
    fn whatever_reads_as_an_event_folds(bodies in prop::collection::vec((0u8..56, prop::collection::vec(any::<u8>(), 0..40)), 1..60)) {
        let mut state = RoomState::default();
        for (kind, rest) in bodies {
            let mut body = vec![kind];
            body.extend(rest);
            if let Ok((body, _)) = postcard::take_from_bytes::<Body>(&body) {
                let header = Header {
                    seq: state.tail(), epoch: Epoch::new(1), stamp: Stamp::new(1), at: state.at, wall: 0,
                    by: Some(MemberId::new(1)), via: Via::Auto, cause: None, intent: None,
                };
                state.apply(&Event { header, body });
            }
        }
        state.digest();
    }

    #[test]
    fn an_older_epoch_is_refused_by_every_reader(steps in prop::collection::vec(step(), 1..30)) {
        let party = play(&steps);
        let mut reader = Replay::new();
        reader.take_all(&party.log).unwrap();
        let (restarted, events) = Sequencer::resume(party.state().clone(), party.now.at, party.now);
        reader.take_all(&events).unwrap();
        // The old host, still alive somewhere, goes on numbering.
        let mut old = party;
        old.ask(super::tests::HOST, Intent::Say { text: "still here".into() }).ok();
        let mut stale = old.log.last().unwrap().clone();
        stale.header.seq = reader.cursor();
        stale.header.at = reader.state().at;
        let before = reader.state().digest();
        let forked = matches!(reader.take(&stale), Err(ReplayError::Fork { .. }));
        prop_assert!(forked);
        prop_assert_eq!(reader.state().digest(), before);
        prop_assert_eq!(restarted.state().digest(), before);
    }
}

/// Writes the fixture that `tests/golden.rs` replays for ever: an evening in which everything happens.
#[test]
#[ignore = "writes tests/fixtures/session-v1.txt; run by hand when there is none"]
fn write_the_fixture() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let steps = prop::collection::vec(step(), 3_000..3_001);
    let steps = steps.new_tree(&mut runner).unwrap().current();
    let party = play(&steps);
    let mut text = String::new();
    for event in &party.log {
        for byte in codec::encode(event) {
            text.push_str(&format!("{byte:02x}"));
        }
        text.push('\n');
    }
    text.push_str(&format!("digest {}\n", party.state().digest()));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/session-v1.txt");
    std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
