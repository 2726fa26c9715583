//! An evening watched again: what is pressed asks for moments and reasons, and never for a room.

use std::path::PathBuf;

use super::*;
use seance::engine::id::Seq;
use seance::engine::projectionist::{Pace, Point, Projector};
use seance::os::local_now;
use seance::projection::gui::replay::{EXPORT_NOW, WATCH};
use seance::projection::gui::{Replay, ReplayAsk};
use seance::projection::rewatch::{About, Order, Programme};

/// An evening of a hundred minutes: Ana and Bo, a film, ten words, a pause and a play.
fn evening(title: &str) -> Arc<Programme> {
    let item = ItemId::new(1);
    let joined = |member: u32, name: &str| Body::Joined {
        member: MemberId::new(member),
        name: longest(name, Name::new),
        role: Role::Guest,
        client: Client::Window,
    };
    let at = |secs: u64| MediaTime::from_secs(secs);
    let mut told = vec![
        (
            0,
            None,
            Body::Opened {
                session: SessionId::new(1),
                title: longest(title, Title::new),
            },
        ),
        (0, Some(1), joined(1, "Ana")),
        (0, Some(2), joined(2, title)),
        (
            0,
            Some(1),
            Body::MediaSet {
                item,
                media: Media {
                    provider: Provider::File,
                    id: "https://films.example/a.mp4".to_owned(),
                },
                title: Some(longest(title, Title::new)),
                start: MediaTime::ZERO,
            },
        ),
        (
            0,
            Some(1),
            Body::Played {
                position: at(0),
                start: SessionTime::ZERO,
            },
        ),
    ];
    for line in 1..=10 {
        let text = longest(&format!("{line}. {title}"), Line::new);
        let moment = at(line * 60);
        told.push((line * 60, Some(2), Body::Said { text, moment }));
    }
    told.push((
        3_000,
        Some(1),
        Body::Paused {
            position: at(3_000),
        },
    ));
    told.push((
        3_010,
        None,
        Body::Played {
            position: at(3_000),
            start: SessionTime::from_secs(3_010),
        },
    ));
    let text = longest("the end", Line::new);
    let moment = at(5_990);
    told.push((6_000, Some(1), Body::Said { text, moment }));
    let events: Vec<event::Event> = (1..)
        .zip(told)
        .map(|(seq, (secs, by, body))| event::Event {
            header: Header {
                seq: Seq::new(seq),
                epoch: Epoch::new(1),
                stamp: Stamp::new(seq),
                at: SessionTime::from_secs(secs),
                wall: 1_795_000_000_000 + secs * 1_000,
                by: by.map(MemberId::new),
                via: Via::Key,
                // The room played on because of the pause.
                cause: by.is_none().then(|| Seq::new(seq - 1)).filter(|_| seq > 1),
                intent: None,
            },
            body,
        })
        .collect();
    let about = About {
        title: title.to_owned(),
        ..About::default()
    };
    let programme = Programme::wind(
        about,
        Box::new(move |from, limit| {
            let from = (from.get() as usize - 1).min(events.len());
            Ok(events[from..(from + limit).min(events.len())].to_vec())
        }),
    );
    Arc::new(programme.unwrap())
}

/// The evening at one moment of it, standing.
fn shown(programme: Arc<Programme>, secs: u64) -> Replay {
    let mut projector = Projector::new(programme.end());
    let moment = SessionTime::from_secs(secs);
    projector.seek(local_now(), moment, programme.waits());
    let state = programme.state(Point::At(moment), None).unwrap();
    let view = View {
        state: Arc::new(state),
        story: Arc::new(programme.story(moment).to_vec()),
        link: Link::Over(String::new()),
        ..View::default()
    };
    Replay {
        view,
        programme,
        projector,
        player: seance::projection::gui::PlayerState::Closed,
        why: None,
        export_to: "/tmp/friday.seance".into(),
        exported: None,
    }
}

fn friday(secs: u64) -> App {
    app(Screen::Replay(shown(evening("Friday"), secs)))
}

/// What was asked of the replay so far; anything else but the player and the face is a bug.
fn asks(asked: &mut mpsc::Receiver<Request>) -> Vec<ReplayAsk> {
    let mut asks = Vec::new();
    while let Ok(request) = asked.try_recv() {
        match request {
            Request::Replay(ask) => asks.push(ask),
            Request::OpenPlayer | Request::ClosePlayer | Request::Theme(_) => {}
            other => panic!("this would reach beyond the replay: {other:?}"),
        }
    }
    asks
}

#[test]
fn a_row_is_watched_again_without_a_name() {
    let mut app = app(Screen::default());
    app.draft.name.clear();
    with_window(app, |harness, asked| {
        harness.submit_command(WATCH.with("7m3k".to_owned()));
        let session = "7m3k".to_owned();
        assert_eq!(asked.try_recv(), Ok(Request::Watch { session }));
    });
}

#[test]
fn the_window_says_that_it_is_a_replay_and_of_which_evening() {
    let app = friday(60);
    assert!(app.window_title().starts_with("Replay of “Friday”, "));
    let (_, banner) = app.replay_banner().unwrap();
    assert!(
        banner.starts_with("Replay of “Friday”, ")
            && banner.ends_with("Nothing you do here changes it.")
    );
    let (_, status) = app.replay_status();
    assert!(
        status.starts_with("18 events, whole and in order · digest "),
        "{status}"
    );
    assert!(status.ends_with("now at event 6"), "{status}");
}

#[test]
fn keys_run_stop_and_move_the_replay() {
    with_window(friday(60), |harness, asked| {
        for (key, order) in [
            (KbKey::Character(" ".to_owned()), Order::Toggle),
            (KbKey::Character("n".to_owned()), Order::Next),
            (KbKey::Character("p".to_owned()), Order::Previous),
            (KbKey::ArrowRight, Order::Skip(Micros::from_secs(5))),
            (KbKey::ArrowLeft, Order::Skip(Micros::from_secs(-5))),
            (KbKey::Home, Order::Seek(SessionTime::ZERO)),
        ] {
            press(harness, key.clone());
            assert_eq!(asks(asked), [ReplayAsk::Order(order)], "{key:?}");
        }
        strike(harness, "w");
        assert_eq!(
            asks(asked),
            [ReplayAsk::Why(Seq::new(6))],
            "why is it like this?"
        );
        press(harness, KbKey::Escape);
        assert_eq!(asks(asked), [ReplayAsk::PutAway]);
        harness.submit_command(cmd::LEAVE);
        assert_eq!(asks(asked), [ReplayAsk::Leave]);
    });
}

/// How far down in the window the bar's line is.
fn bar(harness: &mut Harness<App>, asked: &mut mpsc::Receiver<Request>) -> f64 {
    for y in (400..700).step_by(4) {
        click(harness, 400.0, f64::from(y));
        let sought = |ask: &ReplayAsk| matches!(ask, ReplayAsk::Order(Order::Seek(_)));
        let asked = asks(asked);
        if asked.iter().any(sought) && asked.len() == 1 {
            // That was the row of the film's events, where there are none; the line is below it.
            return f64::from(y) + 22.0;
        }
    }
    panic!("no click found the bar");
}

#[test]
fn a_click_on_the_bar_goes_there_and_one_on_a_mark_asks_why() {
    with_window(friday(60), |harness, asked| {
        let y = bar(harness, asked);
        let sought = |asks: Vec<ReplayAsk>| match asks.as_slice() {
            [ReplayAsk::Order(Order::Seek(to))] => to.get() / 1_000_000,
            other => panic!("not a move: {other:?}"),
        };
        click(harness, 60.0, y);
        let early = sought(asks(asked));
        click(harness, 700.0, y);
        let late = sought(asks(asked));
        assert!(early < 400 && late > 5_300, "{early} {late}");
        // The talk below the line: ten words in the first ten minutes.
        let mut reasons = Vec::new();
        for x in 32..140 {
            click(harness, f64::from(x), y + 18.0);
            for ask in asks(asked) {
                if let ReplayAsk::Why(seq) = ask {
                    reasons.push(seq.get());
                }
            }
        }
        reasons.dedup();
        assert!(reasons.len() >= 8 && reasons.is_sorted(), "{reasons:?}");
        assert!(
            reasons.iter().all(|seq| (6..=15).contains(seq)),
            "{reasons:?}"
        );
    });
}

#[test]
fn a_click_on_a_line_asks_why_it_happened() {
    with_window(friday(3_010), |harness, asked| {
        let mut reasons = Vec::new();
        for y in (340..690).step_by(6) {
            click(harness, 900.0, f64::from(y));
            reasons.extend(asks(asked));
        }
        reasons.dedup();
        let last = reasons.last().expect("some line was hit");
        assert_eq!(last, &ReplayAsk::Why(Seq::new(17)), "{reasons:?}");
        assert!(reasons.contains(&ReplayAsk::Why(Seq::new(16))));
    });
}

#[test]
fn the_answer_names_who_by_what_input_and_what_called_for_it() {
    let mut replay = shown(evening("Friday"), 3_010);
    replay.why = Some(Arc::new(replay.programme.why(Seq::new(17)).unwrap()));
    let app = app(Screen::Replay(replay));
    assert_eq!(app.why_line(), "with a key · at 50:10");
    assert_eq!(
        app.why_causes(),
        "Because: Ana paused at 50:00 (event 16, Ana, with a key)"
    );
    assert!(
        app.why_proof()
            .starts_with("event 17 · epoch 1 · stamp 17 · digest then ")
    );
}

/// The whole window pressed everywhere, and every key: nothing of it can reach a room.
#[test]
fn nothing_in_a_replay_asks_anything_of_a_room() {
    let mut replay = shown(evening("Friday"), 3_010);
    replay.why = Some(Arc::new(replay.programme.why(Seq::new(17)).unwrap()));
    let mut heard = 0;
    sized_window(
        app(Screen::Replay(replay)),
        WINDOW,
        4_096,
        |harness, asked| {
            for y in (10..720).step_by(18) {
                for x in (10..1_100).step_by(18) {
                    click(harness, f64::from(x), f64::from(y));
                    heard += asks(asked).len();
                    harness.just_layout();
                }
            }
            for key in ('!'..='~').chain([' ', 'é']) {
                strike(harness, &key.to_string());
                heard += asks(asked).len();
            }
            for command in [cmd::SEND, cmd::LOAD, cmd::QUEUE, cmd::NEXT, cmd::TOGGLE] {
                harness.submit_command(command);
                heard += asks(asked).len();
            }
            harness.submit_command(cmd::SKIP.with(10.0));
            assert_eq!(asks(asked), []);
            ctrl(harness, "z");
            let undone = asked.try_recv();
            assert!(undone.is_err(), "there is nothing to take back: {undone:?}");
        },
    );
    assert!(heard > 50, "only {heard} presses did anything");
}

#[test]
fn a_copy_is_written_where_the_field_says() {
    with_window(friday(60), |harness, asked| {
        // The button at the foot opens the field with a proposal.
        click(harness, 1_045.0, 694.0);
        harness.just_layout();
        assert!(harness.data().exporting);
        assert_eq!(harness.data().draft.export, "/tmp/friday.seance");
        assert_eq!(asks(asked), []);
        harness.submit_command(EXPORT_NOW);
        let file = PathBuf::from("/tmp/friday.seance");
        assert_eq!(asks(asked), [ReplayAsk::Export(file)]);
        assert!(!harness.data().exporting);
    });
}

#[test]
fn a_pace_is_chosen_and_the_bar_runs_by_itself() {
    let mut replay = shown(evening("Friday"), 60);
    let waits = replay.programme.waits().clone();
    replay
        .projector
        .set_pace(local_now(), Pace::times(16), &waits);
    replay.projector.play(local_now(), &waits);
    let app = app(Screen::Replay(replay));
    assert_eq!(app.pace(), Pace::times(16));
    let now = local_now();
    let passed = app.moment(now + Micros::from_secs(10)) - app.moment(now);
    assert_eq!(passed, Micros::from_secs(160), "without another screen");
    assert!(app.playing() && app.replaying(now));
}

#[test]
fn a_replay_of_any_length_and_text_fits_in_windows_of_any_size() {
    let mixed = "إبراهيم 今夜はみんなと 👩‍👩‍👧‍👦 Donaudampfschiffahrtselektrizität ".repeat(9);
    for size in [
        (300.0, 200.0),
        (720.0, 520.0),
        (1_000.0, 600.0),
        (2_560.0, 1_440.0),
    ] {
        let mut replay = shown(evening(&mixed), 3_010);
        replay.why = Some(Arc::new(replay.programme.why(Seq::new(17)).unwrap()));
        replay.exported = Some(Err(mixed.as_str().into()));
        replay.view.trouble = Some(mixed.as_str().into());
        let mut app = app(Screen::Replay(replay));
        app.exporting = true;
        sized_window(app, size.into(), 64, |harness, _| {
            harness.paint();
            harness.submit_command(cmd::FLIP_THEME);
            harness.just_layout();
            harness.paint();
        });
    }
}
