//! Opens the window with canned data, to look at it: `cargo run --example window -- room`.
//!
//! Nothing is hosted, stored or sent; what the window asks for is printed. The
//! first argument names the scene, the second is `light` or `dark`. A scene can
//! be looked at for its whole life or photographed under a virtual display.

use std::collections::BTreeMap;
use std::sync::Arc;

use seance::engine::event::{
    Action, Body, Choice, Client, Event, Header, HoldReason, QueueMode, Role, Suspension, Via,
};
use seance::engine::fold::RoomState;
use seance::engine::id::{Epoch, ItemId, MemberId, SessionId, Stamp};
use seance::engine::media::{Media, Provider};
use seance::engine::presence::{Activity, Report};
use seance::engine::projectionist::{Point, Projector};
use seance::engine::text::{Line, Name, Title};
use seance::engine::unit::{MediaTime, Micros, SessionTime};
use seance::os::{local_now, wall_millis};
use seance::projection::gui::{
    self, Backend, NearbyRow, PlayerState, Remembered, Replay, ReplayAsk, Request, Room, Screen,
    Start, Theme, WayRow, Ways,
};
use seance::projection::rewatch::{About, Order, Programme};
use seance::projection::view::{self, Link, SessionRow, View};

const SCENES: &str = "start, sessions, nearby, ways, error, busy, room, empty, crowd, long, lost, over, trouble, waiting, queue, knock, opening, stopped, alone, votes, poll, polled, ready, asking, viewer, replay, why, week, export, damaged, crowd-again, single";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let scene = arguments.next().unwrap_or_else(|| "room".to_owned());
    let theme = match arguments.next().as_deref() {
        Some("light") => Theme::Light,
        _ => Theme::Dark,
    };
    let screen =
        scene_named(&scene).ok_or_else(|| format!("no scene {scene}; there are {SCENES}"))?;
    let (requests, mut asked) = tokio::sync::mpsc::channel(64);
    // A waiting party begins a moment earlier, so that what was done last happens on the screen.
    let (first, later) = match scene.as_str() {
        "waiting" => (Screen::Room(party(4, "Film night")), Some(screen)),
        _ => (screen, None),
    };
    let (publish, screen) = tokio::sync::watch::channel(first);
    let later = later.map(|later| {
        let publish = publish.clone();
        std::thread::spawn(move || {
            #[expect(
                clippy::disallowed_methods,
                reason = "there is nothing to await: it is to be seen as something that happens later"
            )]
            std::thread::sleep(std::time::Duration::from_secs(2));
            publish.send_replace(later);
        })
    });
    let printer = std::thread::spawn(move || {
        while let Some(request) = asked.blocking_recv() {
            println!("{request:?}");
            match request {
                Request::Quit => break,
                Request::Watch { .. } => {
                    publish.send_replace(again(tale_of(4, "Film night"), 1_000));
                }
                Request::Replay(ReplayAsk::Leave) => {
                    publish.send_replace(sessions_screen());
                }
                Request::Replay(asked) => publish.send_modify(|screen| {
                    if let Screen::Replay(replay) = screen {
                        answer(replay, asked);
                    }
                }),
                Request::Wish(seance::projection::view::Wish::Leave) => {
                    publish.send_replace(sessions_screen());
                }
                Request::Host { .. } | Request::Join { .. } | Request::Reopen { .. } => {
                    publish.send_replace(Screen::Room(party(4, "Film night")));
                }
                _ => {}
            }
        }
    });
    let name = if scene == "start" { "" } else { "Ana" };
    gui::run(Backend {
        requests,
        screen,
        remembered: Remembered {
            name: name.to_owned(),
            theme,
            ways: Ways {
                ngrok: scene == "ways" || scene == "start",
                port: scene == "ways",
                domain: (scene == "ways").then(|| "film-night.ngrok.app".to_owned()),
                region: None,
                own: (scene == "ways").then(|| "https://party.example.org".to_owned()),
            },
            mpv: Some(false),
        },
    })?;
    printer.join().map_err(|_| "the printer panicked")?;
    if let Some(later) = later {
        later.join().map_err(|_| "the second scene panicked")?;
    }
    Ok(())
}

fn scene_named(name: &str) -> Option<Screen> {
    let start = |change: fn(&mut Start)| {
        let mut start = Start {
            sessions: Arc::new(sessions()),
            ..Start::default()
        };
        change(&mut start);
        Screen::Start(start)
    };
    Some(match name {
        "start" => Screen::default(),
        "sessions" => sessions_screen(),
        "error" => start(|start| {
            start.error = Some(
                "The party did not answer at 192.168.1.20:7878. Ask the host whether it is still on, and whether both of you are on the same network."
                    .to_owned(),
            );
        }),
        "nearby" => start(|start| {
            let row = |title: &str, host: &str, place: &str| NearbyRow {
                title: title.to_owned(),
                host: host.to_owned(),
                place: place.to_owned(),
            };
            start.nearby = Arc::new(vec![
                row("Film night", "Bo", "http://192.168.1.20:7878"),
                row(
                    "The whole film club, every last one of them, and their friends",
                    "Lou",
                    "http://10.0.0.7:7878",
                ),
            ]);
        }),
        "ways" => start(|start| start.token = true),
        "opening" => reaching("connecting", None, false),
        "stopped" => reaching(
            "failed",
            Some(
                "ngrok says: The authtoken you specified is properly formed, but it is invalid (ERR_NGROK_107). Enter the token again, as it stands at https://dashboard.ngrok.com/get-started/your-authtoken.",
            ),
            true,
        ),
        "alone" => {
            let mut room = Tale::new("Film night").room();
            room.hint = Some("Nobody has come in yet. Friends who try and cannot must be on this network, and this computer must let TCP port 7878 in: sudo ufw allow 7878/tcp.".into());
            Screen::Room(room)
        }
        "busy" => start(|start| start.busy = Some("Opening the party…".to_owned())),
        "room" => Screen::Room(party(4, "Film night")),
        "empty" => Screen::Room(Tale::new("Film night").room()),
        "waiting" => Screen::Room(waiting()),
        "queue" => Screen::Room(queued()),
        "votes" => Screen::Room(voted()),
        "poll" => Screen::Room(polled(true)),
        "polled" => Screen::Room(polled(false)),
        "ready" => Screen::Room(asked_ready(4)),
        "ready-crowd" => Screen::Room(asked_ready(11)),
        "asking" => Screen::Room(asking_for()),
        "viewer" => {
            let mut room = asking_for();
            room.view.me = Some(MemberId::new(3));
            room.hosting = false;
            Screen::Room(room)
        }
        "crowd" => Screen::Room(party(23, "The whole film club, every last one of them")),
        "long" => Screen::Room(long_names()),
        "lost" => {
            let mut room = party(4, "Film night");
            room.view.link = Link::Lost("Trying again every few seconds.".to_owned());
            room.hosting = false;
            room.view.invite = None;
            Screen::Room(room)
        }
        "knock" => {
            let mut room = party(4, "Film night");
            let knock = |knock, name: &str| seance::engine::frame::Knock {
                knock,
                name: Name::new(name).expect("a name"),
                client: Client::Page,
                invite: Default::default(),
            };
            room.view.knocks = Arc::new(vec![knock(1, "Cy"), knock(2, "Dee")]);
            Screen::Room(room)
        }
        "over" => {
            let mut room = party(4, "Film night");
            room.view.link = Link::Over(
                "The host ended it. The session is kept under Past sessions.".to_owned(),
            );
            Screen::Room(room)
        }
        "trouble" => {
            let mut room = party(4, "Film night");
            room.view.trouble = Some(
                "Videos from example.org are not allowed in this party. Ask the host to load one first."
                    .into(),
            );
            Screen::Room(room)
        }
        "replay" => again(tale_of(4, "Film night"), 1_960),
        "why" => asking(again(tale_of(4, "Film night"), 1_960)),
        "week" => again(week(), 1_960),
        "crowd-again" => asking(again(
            tale_of(
                23,
                "The whole film club, every last one of them, and all their friends",
            ),
            2_420,
        )),
        "single" => again(Tale::new("A try"), 0),
        "export" => {
            let mut screen = asking(again(tale_of(4, "Film night"), 1_960));
            if let Screen::Replay(replay) = &mut screen {
                replay.exported = Some(Ok("Written: /home/ana/Downloads/film-night-2026-11-21.seance. It holds the whole session; whoever has it can add it with `seance import`.".into()));
            }
            screen
        }
        "damaged" => again_known(
            tale_of(4, "Film night"),
            2_000,
            About {
                title: "Film night".to_owned(),
                lost: Some((
                    seance::engine::id::Seq::new(40),
                    "the chain breaks here".to_owned(),
                )),
                ..About::default()
            },
        ),
        _ => return None,
    })
}

fn reaching(state: &'static str, trouble: Option<&str>, failed: bool) -> Screen {
    let mut room = party(4, "Film night");
    room.ways = Arc::new(vec![WayRow {
        name: "ngrok",
        state,
        trouble: trouble.map(str::to_owned),
        failed,
    }]);
    Screen::Room(room)
}

fn again(tale: Tale, at_secs: u64) -> Screen {
    let title = tale
        .state
        .title
        .as_ref()
        .map_or("", Title::as_str)
        .to_owned();
    let about = About {
        title,
        opened_wall: wall_millis().saturating_sub(20 * 3_600_000),
        ..About::default()
    };
    again_known(tale, at_secs, about)
}

/// A party that is over, at one moment of it.
fn again_known(tale: Tale, at_secs: u64, about: About) -> Screen {
    let events = tale.events;
    let programme = Programme::wind(
        about,
        Box::new(move |from, limit| {
            let from = (from.get() as usize - 1).min(events.len());
            Ok(events[from..(from + limit).min(events.len())].to_vec())
        }),
    );
    let programme = Arc::new(programme.expect("something happened"));
    let mut replay = Replay {
        view: View::default(),
        projector: Projector::new(programme.end()),
        programme,
        player: PlayerState::Closed,
        why: None,
        export_to: "/home/ana/Downloads/film-night-2026-11-21.seance".into(),
        exported: None,
    };
    answer(
        &mut replay,
        ReplayAsk::Order(Order::Seek(SessionTime::from_secs(at_secs))),
    );
    Screen::Replay(replay)
}

/// The screen, asked why its last line happened.
fn asking(mut screen: Screen) -> Screen {
    if let Screen::Replay(replay) = &mut screen
        && let Some(last) = replay.view.story.last()
    {
        answer(replay, ReplayAsk::Why(last.seq));
    }
    screen
}

/// Does to a replay what the program would.
fn answer(replay: &mut Replay, asked: ReplayAsk) {
    match asked {
        ReplayAsk::Order(order) => {
            order.apply(&mut replay.projector, &replay.programme, local_now())
        }
        ReplayAsk::Why(seq) => replay.why = replay.programme.why(seq).ok().map(Arc::new),
        ReplayAsk::PutAway => {
            if replay.exported.take().is_none() {
                replay.why = None;
            }
        }
        ReplayAsk::Export(file) => {
            replay.exported = Some(Ok(format!("Written: {}.", file.display()).into()));
        }
        ReplayAsk::Leave => {}
    }
    let moment = replay
        .projector
        .session(local_now(), replay.programme.waits());
    let state = replay.programme.state(Point::At(moment), None);
    replay.view = View {
        state: Arc::new(state.expect("it is in memory")),
        story: Arc::new(replay.programme.story(moment).to_vec()),
        link: Link::Over(String::new()),
        ..View::default()
    };
}

/// A party that was reopened a week later.
fn week() -> Tale {
    let mut tale = tale_of(4, "Film night");
    let week = 7 * 86_400;
    let gap = Micros::from_secs(604_800 - 2_500);
    tale.tell(week, None, Body::EpochStarted { gap });
    for (member, name) in [(1, "Ana"), (2, "Bo")] {
        tale.tell(
            week + 2,
            Some(member),
            Body::Joined {
                member: MemberId::new(member),
                name: Name::new(name).expect("the name is plain"),
                role: Role::Guest,
                client: Client::Window,
            },
        );
    }
    tale.say(week + 30, 2, "Where were we?");
    tale.say(week + 1_500, 1, "At the end of the zone.");
    tale
}

fn sessions_screen() -> Screen {
    Screen::Start(Start {
        sessions: Arc::new(sessions()),
        ..Start::default()
    })
}

fn film(id: &str) -> Media {
    Media {
        provider: Provider::File,
        id: id.to_owned(),
    }
}

fn sessions() -> Vec<SessionRow> {
    let hours_ago = |hours: u64| wall_millis().saturating_sub(hours * 3_600_000);
    let row = |title: &str, hours, minutes: i64, people, watched: &[&str]| SessionRow {
        id: SessionId::new(u128::from(hours)).to_string(),
        title: title.to_owned(),
        opened_wall: hours_ago(hours),
        length: Micros::from_secs(minutes * 60),
        watched: watched.iter().map(|id| film(id)).collect(),
        people,
        events: 812,
        trouble: None,
    };
    let mut rows = vec![
        row("Film night", 20, 161, 5, &["Stalker"]),
        row(
            "Sunday shorts",
            160,
            48,
            3,
            &["La Jetée", "Le Ballon rouge", "Neighbours", "Powers of Ten"],
        ),
        row("", 700, 1, 1, &[]),
        row(
            "The evening on which we meant to watch only the first part and then watched all of them until it was light outside",
            9_000,
            540,
            11,
            &[
                "A very long film title that goes on and on: the director's cut, restored, with commentary by everybody involved",
            ],
        ),
    ];
    rows[2].title = "A try".to_owned();
    rows[2].trouble = Some(
        "This session was cut short by a full disk and cannot be read past event 40.".to_owned(),
    );
    rows
}

/// A party told event by event, as a real one is.
struct Tale {
    state: RoomState,
    story: Vec<seance::projection::view::Entry>,
    presence: BTreeMap<MemberId, Report>,
    events: Vec<Event>,
    wall: u64,
}

impl Tale {
    fn new(title: &str) -> Self {
        let mut tale = Self {
            state: RoomState::default(),
            story: Vec::new(),
            presence: BTreeMap::new(),
            events: Vec::new(),
            wall: wall_millis(),
        };
        tale.tell(
            0,
            None,
            Body::Opened {
                session: SessionId::new(7),
                title: Title::new(title).expect("the title is plain"),
            },
        );
        tale.join("Ana", Role::Host);
        tale
    }

    fn tell(&mut self, at_secs: u64, by: Option<u32>, body: Body) {
        let event = Event {
            header: Header {
                seq: self.state.tail(),
                epoch: Epoch::new(1),
                stamp: Stamp::new(self.state.tail().get()),
                at: SessionTime::from_secs(at_secs).max(self.state.at),
                wall: self.wall,
                by: by.map(MemberId::new),
                via: Via::Gui,
                cause: None,
                intent: None,
            },
            body,
        };
        self.story.extend(view::line(&self.state, &event));
        self.state.apply(&event);
        self.events.push(event);
    }

    fn join(&mut self, name: &str, role: Role) {
        let member = self.state.roster.next_id();
        self.tell(
            1,
            Some(member.get()),
            Body::Joined {
                member,
                name: Name::new(name).expect("the name is plain"),
                role,
                client: Client::Window,
            },
        );
        let number = member.get();
        let activity = match number % 7 {
            3 => Activity::Loading,
            5 => Activity::Advert,
            _ => Activity::Playing,
        };
        let drift = Micros::from_millis(i64::from(number * 37 % 23) - 9);
        self.presence.insert(
            member,
            Report {
                activity: Some(activity),
                drift: Some(if number == 6 {
                    Micros::from_millis(-640)
                } else {
                    drift
                }),
                round_trip: None,
            },
        );
    }

    fn load(&mut self, title: &str) {
        self.tell(
            20,
            Some(1),
            Body::MediaSet {
                item: ItemId::new(1),
                media: film("https://films.example/stalker.mp4"),
                title: Some(Title::new(title).expect("the title is plain")),
                start: MediaTime::ZERO,
            },
        );
        self.tell(
            21,
            Some(1),
            Body::Measured {
                item: ItemId::new(1),
                duration: Micros::from_secs(9_663),
            },
        );
        self.tell(
            25,
            Some(1),
            Body::Played {
                position: MediaTime::ZERO,
                start: SessionTime::from_secs(25),
            },
        );
    }

    fn queue(&mut self, title: &str, by: u32) {
        let item = self.state.timeline.next_item();
        self.tell(
            2_400,
            Some(by),
            Body::Queued {
                item,
                media: film(&format!("https://films.example/{item}.mp4")),
                title: Some(Title::new(title).expect("the title is plain")),
                start: MediaTime::ZERO,
                place: None,
            },
        );
    }

    fn say(&mut self, at_secs: u64, by: u32, text: &str) {
        let moment = self
            .state
            .timeline
            .position(SessionTime::from_secs(at_secs));
        self.tell(
            at_secs,
            Some(by),
            Body::Said {
                text: Line::new(text).expect("the line is plain"),
                moment,
            },
        );
    }

    fn room(self) -> Room {
        // The room has been running until now.
        let offset = SessionTime::from_secs(2_555)
            - SessionTime::ZERO
            - (local_now() - seance::engine::unit::LocalTime::ZERO);
        let loaded = self.state.timeline.current().is_some();
        Room {
            view: View {
                state: Arc::new(self.state),
                story: Arc::new(self.story),
                presence: Arc::new(self.presence),
                me: Some(MemberId::new(1)),
                link: Link::Live,
                clock: Some((offset, Micros::new(1_700))),
                invite: Some("http://192.168.1.20:7878/#6h3r1qv8t9zk2mwx0c5d7fgjna".into()),
                place: None,
                player: loaded.then(|| "Playing in your Chrome window.".into()),
                ..View::default()
            },
            hosting: true,
            player: if loaded {
                PlayerState::Open
            } else {
                PlayerState::Closed
            },
            ..Room::default()
        }
    }
}

fn party(people: usize, title: &str) -> Room {
    tale_of(people, title).room()
}

fn tale_of(people: usize, title: &str) -> Tale {
    let names = [
        "Bo",
        "Lou",
        "Marguerite",
        "Zoë",
        "Ilya",
        "Nour",
        "Pim",
        "Sacha",
        "Ayo",
        "Mei",
        "Tomás",
    ];
    let mut tale = Tale::new(title);
    for index in 1..people {
        let name = names[(index - 1) % names.len()];
        let name = match (index - 1) / names.len() {
            0 => name.to_owned(),
            again => format!("{name} {}", again + 1),
        };
        let role = match index {
            4 => Role::CoHost,
            7 => Role::Viewer,
            _ => Role::Guest,
        };
        tale.join(&name, role);
    }
    tale.load("Stalker (1979)");
    let talk = [
        (60, 2, "Sound is good here."),
        (75, 3, "Mine too, finally."),
        (300, 1, "Watch the colour change when they cross over."),
        (
            420,
            2,
            "That shot lasts four minutes and not a second of it is too long, I had forgotten how patient this film is with everybody in it.",
        ),
        (900, 3, "Tea?"),
        (1_300, 1, "Ten minutes."),
    ];
    for (at, by, text) in talk {
        tale.say(at, by, text);
    }
    let position = tale.state.timeline.position(SessionTime::from_secs(1_900));
    tale.tell(1_900, Some(1), Body::Paused { position });
    tale.tell(
        1_930,
        Some(2),
        Body::Played {
            position,
            start: SessionTime::from_secs(1_930),
        },
    );
    tale.say(2_000, 2, "Back. https://example.org/a-very-long-link-without-a-single-space-in-it-anywhere-at-all/1234567890");
    tale.say(2_400, 3, "👏👏 c'était beau");
    tale
}

/// A party that waits, over a queue; what is done to it next can be taken back.
fn waiting() -> Room {
    let mut tale = tale_of(4, "Film night");
    tale.queue("La Jetée (1962)", 2);
    let at = tale.state.timeline.position(SessionTime::from_secs(2_500));
    tale.tell(
        2_500,
        Some(2),
        Body::Seeked {
            position: at + Micros::from_secs(5),
            start: SessionTime::from_secs(2_500),
        },
    );
    tale.tell(
        2_500,
        Some(2),
        Body::HoldStarted {
            reason: HoldReason::Seek,
            position: at + Micros::from_secs(5),
            deadline: SessionTime::from_secs(2_568),
            waiting: vec![MemberId::new(2), MemberId::new(3)],
        },
    );
    tale.room()
}

fn queued() -> Room {
    let mut tale = tale_of(4, "Film night");
    tale.queue("La Jetée (1962)", 2);
    tale.queue(
        "Le Ballon rouge (1956), restored, with a long introduction by somebody",
        1,
    );
    tale.queue("Neighbours (1952)", 3);
    tale.queue("Powers of Ten (1977)", 3);
    tale.tell(
        2_410,
        Some(1),
        Body::Ruled {
            member: MemberId::new(3),
            action: Action::Chat,
            allow: Some(false),
            until: None,
        },
    );
    tale.room()
}

/// A queue that is voted on, and somebody who wants the next film now.
fn voted() -> Room {
    let mut tale = tale_of(4, "Film night");
    tale.queue("La Jetée (1962)", 2);
    tale.queue(
        "Le Ballon rouge (1956), restored, with a long introduction by somebody",
        1,
    );
    tale.queue("Neighbours (1952)", 3);
    let mode = QueueMode::Vote;
    tale.tell(2_410, Some(1), Body::ModeSet { mode });
    for (by, item) in [(1, 3), (2, 3), (3, 2)] {
        let item = ItemId::new(item);
        tale.tell(2_420, Some(by), Body::VoteCast { item });
    }
    let item = ItemId::new(1);
    tale.tell(2_430, Some(2), Body::SkipVoted { item });
    tale.room()
}

/// A poll with answers, still open or over.
fn polled(open: bool) -> Room {
    let mut tale = tale_of(4, "Film night");
    let choice = |label: &str| Choice {
        label: Title::new(label).expect("the label is plain"),
        media: None,
        start: MediaTime::ZERO,
    };
    let poll = tale.state.tail();
    tale.tell(
        2_410,
        Some(2),
        Body::PollOpened {
            question: Line::new("What do we watch after this?").expect("a line"),
            choices: vec![
                choice("La Jetée (1962)"),
                choice("Le Ballon rouge (1956), restored, with a long introduction by somebody"),
                choice("A walk, and bed"),
            ],
        },
    );
    for (by, chosen) in [(1, 2), (2, 0), (3, 2)] {
        let choice = Some(chosen);
        tale.tell(2_420, Some(by), Body::PollAnswered { poll, choice });
    }
    if !open {
        let winner = Some(2);
        tale.tell(2_430, Some(2), Body::PollClosed { poll, winner });
    }
    tale.room()
}

/// A party that is asked whether it is ready; one watches apart.
fn asked_ready(people: usize) -> Room {
    let mut tale = tale_of(people, "Film night");
    let position = tale.state.timeline.position(SessionTime::from_secs(2_500));
    tale.tell(2_500, Some(1), Body::Paused { position });
    let member = MemberId::new(4);
    let reason = Suspension::Detached;
    tale.tell(2_510, Some(4), Body::Suspended { member, reason });
    let waiting = tale.state.roster.present().map(|(id, _)| id);
    let waiting = waiting.filter(|id| *id != member).collect();
    tale.tell(
        2_540,
        Some(2),
        Body::HoldStarted {
            reason: HoldReason::ReadyCheck,
            position,
            deadline: SessionTime::from_secs(2_600),
            waiting,
        },
    );
    tale.tell(2_545, Some(2), Body::SaidReady {});
    tale.room()
}

/// A viewer who asks to move the film, which stands.
fn asking_for() -> Room {
    let mut tale = tale_of(4, "Film night");
    let position = tale.state.timeline.position(SessionTime::from_secs(2_500));
    tale.tell(2_500, Some(1), Body::Paused { position });
    let (member, role) = (MemberId::new(3), Role::Viewer);
    tale.tell(2_510, Some(1), Body::RoleSet { member, role });
    for action in [Action::Play, Action::Seek] {
        tale.tell(2_520, Some(3), Body::Requested { action });
    }
    let (allow, until) = (Some(true), Some(SessionTime::from_secs(3_100)));
    tale.tell(
        2_530,
        Some(1),
        Body::Ruled {
            member,
            action: Action::Rate,
            allow,
            until,
        },
    );
    tale.room()
}

fn long_names() -> Room {
    let mut tale =
        Tale::new("An evening with a title somebody typed without a thought for those who read it");
    tale.join("Wolfeschlegelsteinhausenbergerdo", Role::CoHost);
    tale.join("إبراهيم عبد الرحمن الطويل", Role::Guest);
    tale.join("Ｗｉｄｅ Ｎａｍｅ ＷＷＷＷＷＷＷＷＷＷＷＷＷ", Role::Viewer);
    tale.load("Donaudampfschiffahrtselektrizitätenhauptbetriebswerk, in seven parts, with music");
    tale.say(400, 2, "DonaudampfschiffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaftDonaudampfschiffahrt");
    tale.say(500, 3, "مساء الخير جميعا، الصورة واضحة جدا عندي هذه الليلة");
    tale.say(
        600,
        4,
        "今夜はみんなと一緒に見られて嬉しいです。音もきれいに聞こえます。",
    );
    let mut room = tale.room();
    room.view.trouble = Some("Chrome was not found. Install Chrome or Chromium, or join from the browser instead; a sentence this long must wrap and must not push the close button out of the window.".into());
    room
}
