//! The window without a display: commands in, requests out, and layouts that must not break.
//!
//! druid's harness runs the whole tree. Its timers never fire and layout and
//! paint happen when asked for, so nothing here waits.
#![cfg(feature = "gui")]

use std::collections::BTreeMap;
use std::sync::Arc;

use druid::tests::harness::Harness;
use druid::tests::move_mouse;
use druid::{Event, KbKey, KeyEvent, Modifiers, MouseButton, MouseEvent, Size};
use tokio::sync::mpsc;

use seance::engine::event::{self, Body, Client, Header, Role, Via};
use seance::engine::fold::RoomState;
use seance::engine::id::{Epoch, ItemId, MemberId, SessionId, Stamp};
use seance::engine::intent::Intent;
use seance::engine::media::{Media, Provider};
use seance::engine::presence::{Activity, Report};
use seance::engine::text::{Line, Name, Title};
use seance::engine::unit::{MediaTime, Micros, SessionTime};
use seance::projection::gui::data::{DEAF, LINK_MISSING, NAME_MISSING, Note};
use seance::projection::gui::{App, Remembered, Request, Room, Screen, Start, Theme, cmd, root};
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
    let mut view = party.view();
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
    });
    // The smallest is less than the window manager lets anybody choose.
    for size in [
        (300.0, 200.0),
        (720.0, 520.0),
        (959.0, 700.0),
        (2_560.0, 1_440.0),
    ] {
        for screen in [room(view.clone()), start.clone()] {
            sized_window(app(screen), size.into(), 64, |harness, _| {
                harness.paint();
                // And again in another face, so that everything is laid out anew.
                harness.submit_command(cmd::FLIP_THEME);
                harness.just_layout();
                harness.paint();
            });
        }
    }
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
