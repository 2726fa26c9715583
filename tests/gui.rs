//! The window without a display: commands in, requests out, and layouts that must not break.
//!
//! druid's harness runs the whole tree. Its timers never fire and layout and
//! paint happen when asked for, so nothing here waits.
#![cfg(feature = "gui")]

#[path = "gui/again.rs"]
mod again;
#[path = "gui/leaving.rs"]
mod leaving;
#[path = "gui/together.rs"]
mod together;

use std::collections::BTreeMap;
use std::sync::Arc;

use druid::tests::harness::Harness;
use druid::tests::move_mouse;
use druid::{Event, KbKey, KeyEvent, Modifiers, MouseButton, MouseEvent, Size};
use tokio::sync::mpsc;

use seance::engine::event::{self, Action, Body, Client, Header, HoldReason, Role, Via};
use seance::engine::fold::RoomState;
use seance::engine::id::{Epoch, ItemId, MemberId, SessionId, Stamp};
use seance::engine::intent::Intent;
use seance::engine::media::{Media, Provider};
use seance::engine::presence::{Activity, Report};
use seance::engine::text::{Line, Name, Title};
use seance::engine::unit::{MediaTime, Micros, SessionTime};
use seance::projection::gui::data::{DEAF, LINK_MISSING, NAME_MISSING, Note};
use seance::projection::gui::film;
use seance::projection::gui::{
    App, NearbyRow, Remembered, Request, Room, Screen, Start, Theme, WayRow, cmd, root,
};
use seance::projection::view::{Link, SessionRow, View, Wish, line};

const WINDOW: Size = Size::new(1100.0, 720.0);

/// A party told event by event.
#[derive(Default)]
struct Party {
    state: RoomState,
    story: Vec<seance::projection::view::Entry>,
}

/// As much of a text as the engine takes: what members can really make a screen show.
fn longest<T, E>(text: &str, new: impl Fn(&str) -> Result<T, E>) -> T {
    let ends = text.char_indices().map(|(end, _)| end).rev();
    std::iter::once(text.len())
        .chain(ends)
        .find_map(|end| new(&text[..end]).ok())
        .expect("some beginning of it is fine")
}

impl Party {
    fn tell(mut self, by: Option<u32>, body: Body) -> Self {
        let event = event::Event {
            header: Header {
                seq: self.state.tail(),
                epoch: Epoch::new(1),
                stamp: Stamp::new(1),
                at: SessionTime::from_secs(10),
                wall: 0,
                by: by.map(MemberId::new),
                via: Via::Gui,
                cause: None,
                intent: None,
            },
            body,
        };
        self.story.extend(line(&self.state, &event));
        self.state.apply(&event);
        self
    }

    fn open(title: &str) -> Self {
        Self::default()
            .tell(
                None,
                Body::Opened {
                    session: SessionId::new(1),
                    title: longest(title, Title::new),
                },
            )
            .join("Ana", Role::Host)
    }

    fn join(self, name: &str, role: Role) -> Self {
        let member = self.state.roster.next_id();
        self.tell(
            Some(member.get()),
            Body::Joined {
                member,
                name: longest(name, Name::new),
                role,
                client: Client::Window,
            },
        )
    }

    fn load(self, title: &str) -> Self {
        let item = ItemId::new(1);
        let media = Media {
            provider: Provider::File,
            id: "https://films.example/a.mp4".to_owned(),
        };
        self.tell(
            Some(1),
            Body::MediaSet {
                item,
                media,
                title: Some(longest(title, Title::new)),
                start: MediaTime::ZERO,
            },
        )
        .tell(
            Some(1),
            Body::Measured {
                item,
                duration: Micros::from_secs(7_200),
            },
        )
    }

    fn play(self, from_secs: u64) -> Self {
        self.tell(
            Some(1),
            Body::Played {
                position: MediaTime::from_secs(from_secs),
                start: SessionTime::from_secs(10),
            },
        )
    }

    fn pause(self, at_secs: u64) -> Self {
        self.tell(
            Some(1),
            Body::Paused {
                position: MediaTime::from_secs(at_secs),
            },
        )
    }

    /// What somebody but the viewer did; the state it leaves is shown next.
    fn seek(self, by: u32, to_secs: u64) -> Self {
        self.tell(
            Some(by),
            Body::Seeked {
                position: MediaTime::from_secs(to_secs),
                start: SessionTime::from_secs(10),
            },
        )
    }

    fn hold(self, reason: HoldReason, waiting: &[u32]) -> Self {
        let position = self.state.timeline.position(self.state.at);
        self.tell(
            None,
            Body::HoldStarted {
                reason,
                position,
                deadline: SessionTime::from_secs(18),
                waiting: waiting.iter().copied().map(MemberId::new).collect(),
            },
        )
    }

    fn queue(self, by: u32, title: &str) -> Self {
        let item = self.state.timeline.next_item();
        self.tell(
            Some(by),
            Body::Queued {
                item,
                media: Media {
                    provider: Provider::File,
                    id: format!("https://films.example/{item}.mp4"),
                },
                title: Some(longest(title, Title::new)),
                start: MediaTime::ZERO,
                place: None,
            },
        )
    }

    fn say(self, by: u32, text: &str) -> Self {
        let moment = MediaTime::from_secs(4_000);
        self.tell(
            Some(by),
            Body::Said {
                text: longest(text, Line::new),
                moment,
            },
        )
    }

    fn view(self) -> View {
        View {
            state: Arc::new(self.state),
            story: Arc::new(self.story),
            me: Some(MemberId::new(1)),
            link: Link::Live,
            ..View::default()
        }
    }

    fn screen(self) -> Screen {
        room(self.view())
    }
}

fn room(view: View) -> Screen {
    Screen::Room(Room {
        view,
        hosting: true,
        ..Room::default()
    })
}

/// The same with a way that failed.
fn failing(view: View) -> Screen {
    Screen::Room(Room {
        view,
        hosting: true,
        ways: Arc::new(vec![WayRow {
            name: "ngrok",
            state: "failed",
            trouble: Some("Enter the token again.".to_owned()),
            failed: true,
        }]),
        ..Room::default()
    })
}

#[test]
fn a_way_that_failed_can_be_opened_again_and_a_token_forgotten() {
    let screen = failing(Party::open("One").view());
    with_window(app(screen), |harness, asked| {
        harness.submit_command(cmd::REQUEST.with(Request::RetryWays));
        assert_eq!(asked.try_recv(), Ok(Request::RetryWays));
        assert!(harness.data().may_paste_token());
    });
    let secret = Request::KeepToken("not to be seen".into());
    assert!(!format!("{secret:?}").contains("seen"));
}

fn app(screen: Screen) -> App {
    let mut app = App::new(screen, Remembered::default());
    app.draft.name = "Ana".to_owned();
    app
}

/// The whole window over `app`, laid out, with what it asks for.
fn with_window(app: App, act: impl FnMut(&mut Harness<App>, &mut mpsc::Receiver<Request>)) {
    sized_window(app, WINDOW, 64, act);
}

fn sized_window(
    app: App,
    size: Size,
    capacity: usize,
    mut act: impl FnMut(&mut Harness<App>, &mut mpsc::Receiver<Request>),
) {
    let (requests, mut asked) = mpsc::channel(capacity);
    Harness::create_with_render(
        app,
        root(requests),
        size,
        |harness| {
            harness.set_initial_size(size);
            harness.send_initial_events();
            harness.just_layout();
            act(harness, &mut asked);
        },
        |_| {},
    );
}

fn strike(harness: &mut Harness<App>, character: &str) {
    press(harness, KbKey::Character(character.to_owned()));
}

fn press(harness: &mut Harness<App>, key: KbKey) {
    harness.event(Event::KeyDown(KeyEvent::for_test(
        Modifiers::default(),
        key,
    )));
}

fn click(harness: &mut Harness<App>, x: f64, y: f64) {
    let left = |event: MouseEvent| MouseEvent {
        button: MouseButton::Left,
        ..event
    };
    harness.event(Event::MouseMove(move_mouse((x, y))));
    harness.event(Event::MouseDown(left(move_mouse((x, y)))));
    harness.event(Event::MouseUp(left(move_mouse((x, y)))));
}

/// The intents asked for so far.
fn intents(asked: &mut mpsc::Receiver<Request>) -> Vec<(Intent, Via)> {
    std::iter::from_fn(|| asked.try_recv().ok())
        .map(|request| match request {
            Request::Wish(Wish::Ask(intent, via)) => (intent, via),
            other => panic!("not an intent: {other:?}"),
        })
        .collect()
}

#[test]
fn a_new_screen_replaces_the_view_and_never_the_draft() {
    let mut app = app(Party::open("One").screen());
    app.draft.message = "half a sen".to_owned();
    app.draft.address = "https://".to_owned();
    with_window(app, |harness, asked| {
        let next = Arc::new(Party::open("Two").screen());
        harness.submit_command(cmd::SHOW.with(Arc::clone(&next)));
        harness.just_layout();
        assert_eq!(harness.data().room_title(), Some("Two"));
        assert_eq!(harness.data().draft.message, "half a sen");
        assert_eq!(harness.data().draft.address, "https://");
        // Back to the start and in again: the panes were rebuilt, the draft was not.
        harness.submit_command(cmd::SHOW.with(Arc::new(Screen::default())));
        harness.submit_command(cmd::SHOW.with(next));
        harness.just_layout();
        assert_eq!(harness.data().draft.message, "half a sen");
        assert!(asked.try_recv().is_err(), "showing asks for nothing");
    });
}

#[test]
fn enter_in_the_message_field_says_the_draft_and_clears_it() {
    let party = || Party::open("One");
    let mut lost = party().view();
    lost.link = Link::Lost(String::new());
    let mut app = app(room(lost));
    app.draft.message = "  hello there ".to_owned();
    with_window(app, |harness, asked| {
        // Nobody hears it yet, but the field is focused now, as after every message.
        harness.submit_command(cmd::SEND);
        harness.submit_command(cmd::SHOW.with(Arc::new(party().screen())));
        press(harness, KbKey::Enter);
        let said = Intent::Say {
            text: "hello there".to_owned(),
        };
        assert_eq!(intents(asked), [(said, Via::Gui)]);
        assert_eq!(harness.data().draft.message, "");
        press(harness, KbKey::Enter);
        assert_eq!(intents(asked), [], "an empty line is not said");
    });
}

#[test]
fn a_message_nobody_would_hear_stays_in_the_field() {
    let mut view = Party::open("One").view();
    view.link = Link::Lost(String::new());
    let mut app = app(room(view));
    app.draft.message = "still here?".to_owned();
    with_window(app, |harness, asked| {
        harness.submit_command(cmd::SEND);
        press(harness, KbKey::Enter);
        assert_eq!(intents(asked), []);
        assert_eq!(harness.data().draft.message, "still here?");
    });
}

#[test]
fn a_caller_who_takes_nothing_is_named_and_nothing_typed_is_lost() {
    let mut app = app(Party::open("One").screen());
    app.draft.message = "hello".to_owned();
    sized_window(app, WINDOW, 1, |harness, asked| {
        harness.submit_command(cmd::REQUEST.with(Request::RefreshSessions));
        harness.submit_command(cmd::SEND);
        assert_eq!(harness.data().note, Some(Note::Problem(DEAF)));
        assert_eq!(harness.data().draft.message, "hello");
        assert_eq!(asked.try_recv(), Ok(Request::RefreshSessions));
        harness.submit_command(cmd::SEND);
        assert_eq!(harness.data().note, None);
        assert_eq!(harness.data().draft.message, "");
    });
}

/// Clicks down the column through the play button until something answers.
fn play_button_asks(screen: Screen) -> Vec<Intent> {
    let mut answer = Vec::new();
    with_window(app(screen), |harness, asked| {
        for y in (0..720).rev().step_by(6) {
            click(harness, 84.0, f64::from(y));
            let asked = intents(asked);
            if !asked.is_empty() {
                answer = asked.into_iter().map(|(intent, _)| intent).collect();
                return;
            }
        }
    });
    answer
}

#[test]
fn the_play_button_asks_for_what_the_film_does_not_do() {
    let standing = Party::open("One").load("A film").pause(60).screen();
    assert_eq!(play_button_asks(standing), [Intent::Play {}]);
    // No clock is measured yet, so the frame on the screen is the anchor's.
    let running = Party::open("One").load("A film").play(60).screen();
    let frame = Intent::Pause {
        at: Some(MediaTime::from_secs(60)),
    };
    assert_eq!(play_button_asks(running), [frame]);
    let empty = Party::open("One").screen();
    assert_eq!(play_button_asks(empty), [], "there is nothing to play");
}

#[test]
fn keys_move_the_film_while_nobody_types() {
    let party = Party::open("One").load("A film").pause(60);
    with_window(app(party.screen()), |harness, asked| {
        let to = |secs| Intent::Seek {
            to: MediaTime::from_secs(secs),
        };
        strike(harness, " ");
        strike(harness, "k");
        press(harness, KbKey::ArrowRight);
        press(harness, KbKey::ArrowLeft);
        strike(harness, "j");
        strike(harness, "l");
        let expected = [
            Intent::Play {},
            Intent::Play {},
            to(65),
            to(55),
            to(50),
            to(70),
        ];
        let expected: Vec<_> = expected.into_iter().map(|i| (i, Via::Key)).collect();
        assert_eq!(intents(asked), expected);
    });
}

#[test]
fn keys_are_text_while_somebody_types_and_keys_again_after_escape() {
    // druid routes by the numbers widgets get, and has lost the focus for some of them: so many windows.
    for _ in 0..24 {
        let party = Party::open("One").load("A film").pause(60);
        with_window(app(party.screen()), |harness, asked| {
            harness.submit_command(cmd::SEND); // focuses the message field
            for key in [" ", "k", "j", "l"] {
                strike(harness, key);
            }
            press(harness, KbKey::ArrowLeft);
            assert_eq!(intents(asked), []);
            press(harness, KbKey::Escape);
            strike(harness, " ");
            assert_eq!(intents(asked), [(Intent::Play {}, Via::Key)]);
        });
    }
}

#[test]
fn keys_move_the_film_right_after_the_field_that_had_them_is_gone() {
    let mut app = app(Screen::default());
    app.draft.name.clear();
    with_window(app, |harness, asked| {
        harness.submit_command(cmd::HOST); // no name, so its field is focused
        strike(harness, "k");
        let party = Party::open("One").load("A film").pause(60);
        harness.submit_command(cmd::SHOW.with(Arc::new(party.screen())));
        strike(harness, "k");
        assert_eq!(intents(asked), [(Intent::Play {}, Via::Key)]);
    });
}

#[test]
fn a_skip_never_leaves_the_film() {
    let near_end = Party::open("One").load("A film").pause(7_195);
    with_window(app(near_end.screen()), |harness, asked| {
        harness.submit_command(cmd::SKIP.with(10.0));
        let end = Intent::Seek {
            to: MediaTime::from_secs(7_200),
        };
        assert_eq!(intents(asked), [(end, Via::Gui)]);
    });
    let near_start = Party::open("One").load("A film").pause(3);
    with_window(app(near_start.screen()), |harness, asked| {
        harness.submit_command(cmd::SKIP.with(-10.0));
        let start = Intent::Seek {
            to: MediaTime::ZERO,
        };
        assert_eq!(intents(asked), [(start, Via::Gui)]);
    });
}

#[test]
fn hosting_and_joining_say_what_is_missing_and_ask_for_nothing() {
    let mut app = app(Screen::default());
    app.draft.name.clear();
    with_window(app, |harness, asked| {
        for incomplete in [cmd::HOST, cmd::JOIN] {
            harness.submit_command(incomplete);
            assert_eq!(harness.data().problem(), Some(NAME_MISSING));
        }
        assert!(asked.try_recv().is_err());
    });
    with_window(self::app(Screen::default()), |harness, asked| {
        harness.submit_command(cmd::JOIN);
        assert_eq!(harness.data().problem(), Some(LINK_MISSING));
        harness.submit_command(cmd::HOST);
        assert!(matches!(asked.try_recv(), Ok(Request::Host { .. })));
        assert_eq!(harness.data().problem(), None);
    });
}

#[test]
fn who_is_new_types_their_name_at_once_and_others_have_the_keys_to_themselves() {
    // Tab and Enter reach the first button unless they are typed into a field.
    let flipped = |name: &str| {
        let (mut app, mut flipped) = (app(Screen::default()), false);
        app.draft.name = name.to_owned();
        with_window(app, |harness, asked| {
            harness.event(Event::WindowConnected);
            press(harness, KbKey::Tab);
            press(harness, KbKey::Enter);
            flipped = matches!(asked.try_recv(), Ok(Request::Theme(_)));
        });
        flipped
    };
    assert!(!flipped(""));
    assert!(flipped("Ana"));
}

#[test]
fn what_is_no_film_opens_no_party_and_stays_to_be_mended() {
    let mut app = app(Screen::default());
    app.draft.film = " this is nonsense ".to_owned();
    with_window(app, |harness, asked| {
        harness.submit_command(cmd::HOST);
        assert!(asked.try_recv().is_err(), "no party for a slip of the hand");
        let problem = harness.data().problem().map(str::to_owned);
        assert!(problem.is_some_and(|it| it.starts_with("That is not a web address.")));
        assert_eq!(harness.data().draft.film, " this is nonsense ");
        // The next thing asked for puts it away; Enter, in the field that is led to, brings it back.
        harness.submit_command(cmd::REQUEST.with(Request::RefreshSessions));
        assert_eq!(harness.data().problem(), None);
        press(harness, KbKey::Enter);
        assert!(harness.data().problem().is_some());
    });
}

#[test]
fn what_is_no_film_stays_in_the_room_s_field_too() {
    let mut app = app(Party::open("One").screen());
    app.draft.address = "/home/ana/Stalker.mkv".to_owned();
    with_window(app, |harness, asked| {
        for command in [cmd::LOAD, cmd::QUEUE] {
            harness.submit_command(command);
            assert_eq!(intents(asked), []);
            assert_eq!(harness.data().problem(), Some(film::NEED_MPV));
            assert_eq!(harness.data().draft.address, "/home/ana/Stalker.mkv");
        }
    });
}

#[test]
fn a_busy_start_takes_no_second_order() {
    let busy = Screen::Start(Start {
        busy: Some("Opening the party…".to_owned()),
        ..Start::default()
    });
    with_window(app(busy), |harness, asked| {
        harness.submit_command(cmd::HOST);
        harness.submit_command(cmd::REOPEN.with("x".to_owned()));
        assert!(asked.try_recv().is_err());
    });
}

#[test]
fn trouble_put_away_stays_away_until_there_is_new_trouble() {
    let mut view = Party::open("One").view();
    view.trouble = Some("The film ends at 2:00:00.".into());
    with_window(app(room(view.clone())), |harness, _| {
        assert!(harness.data().trouble().is_some());
        harness.submit_command(cmd::DISMISS);
        harness.submit_command(cmd::SHOW.with(Arc::new(room(view.clone()))));
        assert_eq!(harness.data().trouble(), None, "the same one came back");
        // The same words again, but a new event.
        let mut again = view.clone();
        again.trouble = Some("The film ends at 2:00:00.".into());
        harness.submit_command(cmd::SHOW.with(Arc::new(room(again))));
        assert!(harness.data().trouble().is_some());
    });
}

#[test]
fn the_chosen_face_is_worn_and_remembered() {
    with_window(app(Screen::default()), |harness, asked| {
        harness.submit_command(cmd::FLIP_THEME);
        assert_eq!(harness.data().draft.theme, Theme::Light);
        assert_eq!(asked.try_recv(), Ok(Request::Theme(Theme::Light)));
    });
}

#[test]
fn both_faces_paint_their_own_room() {
    for face in [Theme::Dark, Theme::Light] {
        for screen in [
            Screen::default(),
            Party::open("One").load("A film").screen(),
        ] {
            let mut app = app(screen);
            app.draft.theme = face;
            let (requests, _asked) = mpsc::channel(1);
            let mut corner = [0; 3];
            Harness::create_with_render(
                app,
                root(requests),
                WINDOW,
                |harness| {
                    harness.send_initial_events();
                    harness.just_layout();
                    harness.paint();
                },
                |target| corner.copy_from_slice(&target.into_raw()[..3]),
            );
            assert_eq!(corner, face.palette().room.channels(), "{face:?}");
        }
    }
}

#[test]
fn text_of_any_length_fits_in_windows_of_any_size() {
    let long = "Donaudampfschiffahrtselektrizitätenhauptbetriebswerk".repeat(6);
    let mixed = "إبراهيم 今夜はみんなと 👩‍👩‍👧‍👦 e\u{301}\u{301} ".repeat(20);
    let mut party = Party::open(&long)
        .join(&long, Role::CoHost)
        .join(&mixed, Role::Guest)
        .load(&mixed)
        .play(0);
    for index in 0..60 {
        party = party.join(&format!("Guest {index}"), Role::Viewer);
    }
    for index in 0..60 {
        party = party.say(1 + index % 3, if index % 2 == 0 { &long } else { &mixed });
    }
    let mut view = party
        .queue(2, &long)
        .queue(3, &mixed)
        .seek(2, 60)
        .hold(HoldReason::ReadyCheck, &[1, 2, 3])
        .view();
    let offer = view.state.history.last().map(|deed| deed.seq);
    let report = |activity| Report {
        activity: Some(activity),
        drift: Some(Micros::from_millis(-1_234)),
        round_trip: None,
    };
    view.presence = Arc::new(BTreeMap::from([
        (MemberId::new(2), report(Activity::Playing)),
        (MemberId::new(3), report(Activity::Stalled)),
    ]));
    view.trouble = Some(long.as_str().into());
    view.invite = Some(long.as_str().into());
    view.player = Some(mixed.as_str().into());
    view.link = Link::Lost(mixed.clone());
    let start = Screen::Start(Start {
        busy: Some(long.clone()),
        error: Some(mixed.clone()),
        sessions: Arc::new(vec![
            SessionRow {
                id: "one".to_owned(),
                title: long.clone(),
                opened_wall: u64::MAX,
                length: Micros::from_secs(i64::MAX / 2_000_000),
                watched: Vec::new(),
                people: usize::MAX,
                events: u64::MAX,
                trouble: Some(mixed.clone()),
            };
            3
        ]),
        nearby: Arc::new(vec![
            NearbyRow {
                title: long.clone(),
                host: mixed.clone(),
                place: long.clone(),
            };
            9
        ]),
        token: true,
    });
    // The smallest is less than the window manager lets anybody choose.
    for size in [
        (300.0, 200.0),
        (720.0, 520.0),
        (959.0, 700.0),
        (2_560.0, 1_440.0),
    ] {
        for screen in [room(view.clone()), failing(view.clone()), start.clone()] {
            let mut app = app(screen);
            app.offer = offer;
            app.chosen = Some(MemberId::new(2));
            app.draft.elsewhere = true;
            (app.draft.ngrok, app.draft.own) = (true, true);
            sized_window(app, size.into(), 64, |harness, _| {
                harness.paint();
                // And again in another face, so that everything is laid out anew.
                harness.submit_command(cmd::FLIP_THEME);
                harness.just_layout();
                harness.paint();
            });
        }
    }
}

fn ctrl(harness: &mut Harness<App>, character: &str) {
    harness.event(Event::KeyDown(KeyEvent::for_test(
        druid::RawMods::Ctrl,
        KbKey::Character(character.to_owned()),
    )));
}

/// Clicks over these columns of the window, downwards from `top`, until that is asked for.
fn click_until_asked(
    harness: &mut Harness<App>,
    asked: &mut mpsc::Receiver<Request>,
    columns: impl Iterator<Item = u32> + Clone,
    top: u32,
    wanted: &Intent,
) -> bool {
    for y in (top..700).step_by(8) {
        for x in columns.clone() {
            click(harness, f64::from(x), f64::from(y));
            harness.just_layout();
            if intents(asked).iter().any(|(intent, _)| intent == wanted) {
                return true;
            }
        }
    }
    false
}

#[test]
fn what_somebody_did_is_offered_to_be_taken_back_and_only_while_it_can_be() {
    let party = || {
        Party::open("One")
            .join("Bo", Role::Guest)
            .load("A film")
            .pause(46)
    };
    let done = || party().seek(2, 51);
    let seq = done().state.seq;
    with_window(app(party().screen()), |harness, asked| {
        assert_eq!(
            harness.data().undo_line(),
            None,
            "that was before we looked"
        );
        harness.submit_command(cmd::SHOW.with(Arc::new(done().screen())));
        let line = Some(("Bo went from 0:46 to 0:51".to_owned(), true));
        assert_eq!(harness.data().undo_line(), line);
        harness.submit_command(cmd::UNDO);
        assert_eq!(
            intents(asked),
            [(Intent::Undo { seq: Some(seq) }, Via::Gui)]
        );
        assert_eq!(harness.data().undo_line(), None, "it was asked for");
        // Without an offer the keys take back whatever was last.
        strike(harness, "u");
        ctrl(harness, "z");
        let last = || (Intent::Undo { seq: None }, Via::Key);
        assert_eq!(intents(asked), [last(), last()]);
    });
    with_window(app(party().screen()), |harness, _| {
        harness.submit_command(cmd::SHOW.with(Arc::new(done().screen())));
        assert!(harness.data().undo_line().is_some());
        let other = done().queue(1, "Next").tell(
            Some(1),
            Body::Cued {
                item: ItemId::new(2),
                position: MediaTime::ZERO,
            },
        );
        harness.submit_command(cmd::SHOW.with(Arc::new(other.screen())));
        let line = harness.data().undo_line().map(|(line, _)| line);
        assert_eq!(
            line.as_deref(),
            Some("Now on: Next"),
            "the seek is of another film"
        );
    });
    // What was missed while the connection was lost is no news.
    let mut lost = party().view();
    lost.link = Link::Lost(String::new());
    with_window(app(room(lost)), |harness, _| {
        harness.submit_command(cmd::SHOW.with(Arc::new(done().screen())));
        assert_eq!(harness.data().undo_line(), None);
    });
    // A viewer sees what was done, and is not offered what the room would refuse.
    let viewer = |party: Party| {
        let mut view = party.join("Vi", Role::Viewer).view();
        view.me = Some(MemberId::new(3));
        room(view)
    };
    with_window(app(viewer(party())), |harness, asked| {
        let Screen::Room(Room {
            view: mut later, ..
        }) = viewer(party())
        else {
            unreachable!("a viewer is in the room");
        };
        let state = Party {
            state: (*later.state).clone(),
            story: (*later.story).clone(),
        };
        let state = state.seek(2, 51);
        later.state = Arc::new(state.state);
        later.story = Arc::new(state.story);
        harness.submit_command(cmd::SHOW.with(Arc::new(room(later))));
        let line = harness.data().undo_line();
        assert_eq!(line, Some(("Bo went from 0:46 to 0:51".to_owned(), false)));
        strike(harness, " ");
        press(harness, KbKey::ArrowRight);
        assert_eq!(intents(asked), [], "a viewer's keys move nothing");
    });
}

#[test]
fn the_room_s_wait_is_told_with_its_seconds_and_can_be_ended() {
    let party = Party::open("One")
        .join("Lou", Role::Guest)
        .join("Bo", Role::Guest)
        .load("A film")
        .play(60)
        .hold(HoldReason::Seek, &[2, 3]);
    let mut view = party.view();
    let report = |activity| Report {
        activity: Some(activity),
        drift: None,
        round_trip: None,
    };
    let line = |harness: &Harness<App>| harness.data().hold_line().unwrap();
    with_window(app(Screen::default()), |harness, asked| {
        harness.submit_command(cmd::SHOW.with(Arc::new(room(view.clone()))));
        assert_eq!(line(harness), "Waiting for Lou and Bo: seeking");
        // The clock is read, and Bo has arrived.
        let left = seance::os::local_now() - seance::engine::unit::LocalTime::ZERO;
        let now = SessionTime::from_millis(15_500) - SessionTime::ZERO;
        view.clock = Some((now - left, Micros::from_millis(1)));
        view.presence = Arc::new(BTreeMap::from([
            (MemberId::new(2), report(Activity::Seeking)),
            (MemberId::new(3), report(Activity::Paused)),
        ]));
        harness.submit_command(cmd::SHOW.with(Arc::new(room(view.clone()))));
        assert_eq!(line(harness), "Waiting for Lou: seeking (3\u{a0}s)");
        harness.just_layout();
        let right = (640..740).step_by(20);
        assert!(click_until_asked(
            harness,
            asked,
            right,
            80,
            &Intent::Play {}
        ));
    });
}

#[test]
fn the_field_that_loads_also_adds_to_the_queue() {
    let mut app = app(Party::open("One").screen());
    app.draft.address = " https://films.example/b.mp4 ".to_owned();
    with_window(app, |harness, asked| {
        harness.submit_command(cmd::QUEUE);
        let add = Intent::QueueAdd {
            url: "https://films.example/b.mp4".to_owned(),
            front: false,
        };
        assert_eq!(intents(asked), [(add, Via::Gui)]);
        assert_eq!(harness.data().draft.address, "");
    });
}

#[test]
fn the_queue_plays_on_and_gives_back_what_one_put_there() {
    let two = || {
        Party::open("One")
            .join("Bo", Role::Guest)
            .queue(1, "First")
            .queue(2, "Second")
    };
    let items = |app: &App| -> Vec<_> {
        let rows = app.queue().into_iter();
        rows.map(|row| (row.title, row.by, row.next, row.removable))
            .collect()
    };
    let row =
        |title: &str, by: &str, next, removable| (title.to_owned(), by.to_owned(), next, removable);
    with_window(app(two().screen()), |harness, asked| {
        assert_eq!(
            items(harness.data()),
            [
                row("First", "you", true, true),
                row("Second", "Bo", false, true)
            ]
        );
        // Nothing is on yet, so the first is put on; then it is gone on from that.
        strike(harness, "n");
        let first = Intent::PlayNow {
            item: ItemId::new(1),
        };
        assert_eq!(intents(asked), [(first, Via::Key)]);
        let on = two().tell(
            Some(1),
            Body::Cued {
                item: ItemId::new(1),
                position: MediaTime::ZERO,
            },
        );
        harness.submit_command(cmd::SHOW.with(Arc::new(on.screen())));
        harness.submit_command(cmd::NEXT);
        let next = Intent::Next {
            item: ItemId::new(1),
        };
        assert_eq!(intents(asked), [(next, Via::Gui)]);
        harness.just_layout();
        let second = Intent::QueueRemove {
            item: ItemId::new(2),
        };
        assert!(click_until_asked(
            harness,
            asked,
            (720..745).step_by(8),
            80,
            &second
        ));
    });
    let mut guest = two().view();
    guest.me = Some(MemberId::new(2));
    let rows = items(&app(room(guest)));
    assert_eq!(
        rows,
        [
            row("First", "Ana", true, false),
            row("Second", "you", false, true)
        ]
    );
}

#[test]
fn a_host_finds_what_may_be_done_about_somebody_behind_their_row() {
    let party = || {
        Party::open("One")
            .join("Bo", Role::Guest)
            .join("Vi", Role::Viewer)
    };
    let (bo, vi) = (MemberId::new(2), MemberId::new(3));
    let words = |app: &App| -> Vec<_> { app.chosen_deeds().iter().map(|deed| deed.0).collect() };
    with_window(app(party().screen()), |harness, asked| {
        // The rows lie beside the stage; the one above is the host's own, and opens nothing.
        for y in (100..260).step_by(8) {
            click(harness, 900.0, f64::from(y));
            if harness.data().chosen.is_some() {
                break;
            }
        }
        assert_eq!(harness.data().chosen, Some(bo));
        let of_a_guest = [
            "Make co-host",
            "Make viewer",
            "Mute",
            "Make host",
            "Send out",
            "Shut out",
        ];
        assert_eq!(words(harness.data()), of_a_guest);
        harness.just_layout();
        let beside = (930..1_060).step_by(40);
        // The third line of buttons: each of them closes what it stands in.
        let kick = Intent::Kick { member: bo };
        assert!(click_until_asked(harness, asked, beside, 316, &kick));
        assert_eq!(harness.data().chosen, None, "it was chosen");
        harness.submit_command(cmd::CHOOSE.with(vi));
        let of_a_viewer = [
            "Make co-host",
            "Make guest",
            "Mute",
            "Make host",
            "Send out",
            "Shut out",
        ];
        assert_eq!(words(harness.data()), of_a_viewer);
        // Whoever is gone is no longer chosen.
        let gone = party().tell(Some(1), Body::Kicked { member: vi });
        harness.submit_command(cmd::SHOW.with(Arc::new(gone.screen())));
        assert_eq!(harness.data().chosen, None);
    });
    let mut view = party().view();
    view.me = Some(bo);
    let guest = app(room(view));
    for member in [MemberId::new(1), bo, vi] {
        assert_eq!(guest.deeds(member), [], "a guest governs nobody");
    }
}

#[test]
fn whoever_was_muted_is_seen_to_be_and_cannot_send() {
    let party = Party::open("One").join("Bo", Role::Guest).tell(
        Some(1),
        Body::Ruled {
            member: MemberId::new(2),
            action: Action::Chat,
            allow: Some(false),
            until: None,
        },
    );
    let mut view = party.view();
    view.me = Some(MemberId::new(2));
    let mut app = app(room(view));
    app.draft.message = "let me".to_owned();
    assert_eq!(app.people()[0].role, "you, muted");
    with_window(app, |harness, asked| {
        // Neither the button beside the field nor a reaction beside the heading.
        for x in (770..1_090).step_by(16) {
            for y in (160..690).step_by(16) {
                click(harness, f64::from(x), f64::from(y));
            }
        }
        // A link for a friend is no talk.
        let mut talk = intents(asked);
        talk.retain(|(intent, _)| !matches!(intent, Intent::Invite { .. }));
        assert_eq!(talk, []);
    });
}

#[test]
fn a_reaction_is_one_click() {
    with_window(app(Party::open("One").screen()), |harness, asked| {
        let react = Intent::React {
            reaction: "👍".to_owned(),
        };
        assert!(click_until_asked(
            harness,
            asked,
            (850..900).step_by(10),
            80,
            &react
        ));
    });
}

/// What the window looks like after it was shown these screens one after another.
fn painted(screens: Vec<Screen>) -> Vec<u8> {
    let mut screens = screens.into_iter();
    let (requests, _asked) = mpsc::channel(1);
    let mut pixels = Vec::new();
    Harness::create_with_render(
        app(screens.next().unwrap()),
        root(requests),
        WINDOW,
        |harness| {
            harness.send_initial_events();
            harness.just_layout();
            for screen in screens.by_ref() {
                harness.submit_command(cmd::SHOW.with(Arc::new(screen)));
                harness.just_layout();
                harness.paint();
            }
            harness.paint();
        },
        |target| pixels = target.into_raw().to_vec(),
    );
    pixels
}

#[test]
fn a_party_that_grew_on_the_screen_looks_like_one_entered_late() {
    let mut party = Party::open("One").load("A film").pause(60);
    let mut grown = vec![
        Screen::default(),
        Party::open("Another").say(1, "x").screen(),
    ];
    for index in 0..9 {
        party = party.say(1, &format!("line {index}"));
        if index % 3 == 0 {
            party = party.join(&format!("Guest {index}"), Role::Guest);
        }
        let so_far = Party {
            state: party.state.clone(),
            story: party.story.clone(),
        };
        grown.push(so_far.screen());
    }
    let early = painted(grown[..5].to_vec());
    let grown = painted(grown);
    assert!(early != grown, "nothing was painted of what came");
    assert!(grown == painted(vec![party.screen()]), "the windows differ");
}
