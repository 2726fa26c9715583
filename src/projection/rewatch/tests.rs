use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::*;
use crate::engine::event::codec;
use crate::engine::event::{Client, Header, Role, Via};
use crate::engine::id::{Epoch, ItemId, Stamp};
use crate::engine::media::{Media, Provider};
use crate::engine::projectionist::{Pace, Projector};
use crate::engine::text::{Line, Name, Title};
use crate::engine::unit::{LocalTime, MediaTime};
use crate::player::driver::drive;
use crate::player::mock::{Manner, MockPlayer, Told, tokio_clock};

/// An evening told event by event.
#[derive(Default)]
struct Tale(Vec<Event>);

impl Tale {
    fn tell(mut self, at_secs: u64, by: Option<u32>, cause: Option<u64>, body: Body) -> Self {
        let seq = self.0.len() as u64 + 1;
        let header = Header {
            seq: Seq::new(seq),
            epoch: Epoch::new(1),
            stamp: Stamp::new(seq),
            at: SessionTime::from_secs(at_secs),
            wall: 1_795_000_000_000 + at_secs * 1_000,
            by: by.map(MemberId::new),
            via: if by.is_some() { Via::Key } else { Via::Auto },
            cause: cause.map(Seq::new),
            intent: None,
        };
        self.0.push(Event { header, body });
        self
    }

    /// Opened at 0, Ana there at 1 s, a film of ten minutes at 2 s, running from 10 s on.
    fn evening() -> Self {
        let title = Title::new("Friday").unwrap();
        let session = SessionId::new(7);
        let media = Media {
            provider: Provider::File,
            id: "https://films.example/a.mp4".to_owned(),
        };
        let item = ItemId::new(1);
        let start = MediaTime::ZERO;
        let joined = Body::Joined {
            member: MemberId::new(1),
            name: Name::new("Ana").unwrap(),
            role: Role::Host,
            client: Client::Window,
        };
        Self::default()
            .tell(0, None, None, Body::Opened { session, title })
            .tell(1, Some(1), None, joined)
            .tell(
                2,
                Some(1),
                None,
                Body::MediaSet {
                    item,
                    media,
                    title: None,
                    start,
                },
            )
            .tell(
                2,
                Some(1),
                None,
                Body::Measured {
                    item,
                    duration: Micros::from_secs(600),
                },
            )
            .tell(10, Some(1), None, played(0, 10))
    }

    fn say(self, at_secs: u64, text: &str) -> Self {
        let said = Body::Said {
            text: Line::new(text).unwrap(),
            moment: MediaTime::ZERO,
        };
        self.tell(at_secs, Some(1), None, said)
    }

    fn programme(self) -> Programme {
        self.known(About {
            title: "Friday".to_owned(),
            ..About::default()
        })
    }

    fn known(self, about: About) -> Programme {
        wound(about, self.0).unwrap()
    }
}

fn played(position_secs: u64, start_secs: u64) -> Body {
    Body::Played {
        position: MediaTime::from_secs(position_secs),
        start: SessionTime::from_secs(start_secs),
    }
}

fn paused(position_secs: u64) -> Body {
    Body::Paused {
        position: MediaTime::from_secs(position_secs),
    }
}

fn wound(about: About, events: Vec<Event>) -> Result<Programme, Unwatchable> {
    Programme::wind(
        about,
        Box::new(move |from, limit| {
            let from = (from.get() as usize - 1).min(events.len());
            Ok(events[from..(from + limit).min(events.len())].to_vec())
        }),
    )
}

/// The evening that every version reads.
fn golden() -> (Vec<Event>, String) {
    let text = include_str!("../../../tests/fixtures/session-v1.txt");
    let mut events = Vec::new();
    for line in text.lines() {
        if let Some(digest) = line.strip_prefix("digest ") {
            return (events, digest.to_owned());
        }
        let pairs = (0..line.len()).step_by(2);
        let bytes: Vec<u8> = pairs
            .map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap())
            .collect();
        events.push(codec::decode(&bytes).unwrap());
    }
    panic!("the fixture ends without a digest");
}

fn secs(secs: u64) -> SessionTime {
    SessionTime::from_secs(secs)
}

#[test]
fn the_oldest_evening_is_watched_to_the_digest_it_ended_with() {
    let (events, digest) = golden();
    let count = events.len();
    let causes = events.iter().filter(|event| event.header.cause.is_some());
    let caused: Vec<Seq> = causes.map(|event| event.header.seq).collect();
    let programme = wound(About::default(), events).unwrap();
    assert_eq!(programme.digest().to_string(), digest);
    assert_eq!(
        programme.verdict(),
        format!("{count} events, whole and in order")
    );
    assert_eq!(programme.entries().len(), programme.marks().len());
    let end = programme.state(Point::At(programme.end()), None).unwrap();
    assert_eq!(end.digest(), programme.digest());
    for seq in caused {
        let why = programme.why(seq).unwrap();
        assert_eq!(why.asked().event.header.seq, seq);
        assert!(!why.causes().is_empty());
        assert!(why.chain.iter().all(|reason| !reason.sentence.is_empty()));
    }
}

#[test]
fn why_did_it_pause_has_an_answer() {
    let programme = Tale::evening()
        .tell(30, Some(1), None, paused(20))
        .tell(31, None, Some(6), played(20, 31))
        .programme();
    let why = programme.why(Seq::new(7)).unwrap();
    assert_eq!(
        (&*why.asked().by, why.asked().input),
        ("The room", "by the room's own rules")
    );
    let [cause] = why.causes() else {
        panic!("one cause: {why:?}")
    };
    assert_eq!(cause.sentence, "Ana paused at 0:20");
    assert_eq!((&*cause.by, cause.input), ("Ana", "with a key"));
    assert_eq!(why.digest, programme.digest());
    assert_eq!(
        programme.why(Seq::new(4)).unwrap().asked().sentence,
        "Film 1 is 10:00 long"
    );
    let refused = programme.why(Seq::new(8)).unwrap_err();
    assert_eq!(
        refused,
        "There is no event 8. This session has events 1 to 7."
    );
}

#[test]
fn a_line_taken_back_is_not_shown_again() {
    let programme = Tale::evening()
        .say(20, "my password is hunter2")
        .tell(40, Some(1), None, Body::Redacted { seq: Seq::new(6) })
        .programme();
    let shown = programme.story(secs(25));
    assert_eq!(shown.last().unwrap().text, "…");
    let why = programme.why(Seq::new(6)).unwrap();
    assert_eq!(why.asked().sentence, "Ana: …");
}

#[test]
fn an_evening_without_events_says_so_and_one_with_a_single_event_is_watched() {
    let about = About {
        title: "Friday".to_owned(),
        ..About::default()
    };
    let empty = wound(about.clone(), Vec::new()).unwrap_err();
    assert_eq!(
        empty.to_string(),
        "“Friday” is empty: it was opened and nothing happened in it. There is nothing to watch."
    );
    let damaged = About {
        lost: Some((Seq::FIRST, "the chain breaks here".to_owned())),
        ..about.clone()
    };
    assert_eq!(
        wound(damaged, Vec::new()).unwrap_err().to_string(),
        "“Friday” cannot be watched: event 1 is damaged (the chain breaks here)"
    );
    let mut events = Tale::evening().0;
    events.truncate(1);
    let single = wound(about, events).unwrap();
    assert_eq!(
        (single.end(), single.verdict()),
        (secs(0), "1 event, whole and in order".to_owned())
    );
    assert_eq!(single.story(single.end()).len(), 1);
}

#[test]
fn a_damaged_end_is_said_and_what_is_whole_is_shown() {
    let about = About {
        lost: Some((Seq::new(7), "the chain breaks here".to_owned())),
        ..About::default()
    };
    let programme = Tale::evening().say(20, "hello").known(about);
    assert_eq!(
        programme.damage().unwrap(),
        "From event 7 on the log cannot be read (the chain breaks here). What is whole before it is shown."
    );
    assert_eq!(programme.verdict(), "6 events, damaged behind them");
    assert_eq!(
        programme.story(programme.end()).last().unwrap().text,
        "hello"
    );
}

#[test]
fn a_session_of_a_week_is_as_long_as_what_happened_in_it() {
    let week = 7 * 86_400;
    let began = Body::EpochStarted {
        gap: Micros::from_secs(week as i64 - 700),
    };
    let programme = Tale::evening()
        .say(600, "good night")
        .tell(week, None, None, began)
        .say(week + 60, "hello again")
        .programme();
    assert_eq!(programme.end(), secs(week + 60));
    // The film ran for ten minutes; then a minute of talk.
    let shown = programme.shown_length();
    assert!(shown < Micros::from_secs(800), "{shown:?}");
    let mut projector = Projector::new(programme.end());
    projector.play(LocalTime::ZERO, programme.waits());
    let later = LocalTime::from_secs(720);
    assert!(projector.session(later, programme.waits()) >= secs(week - 10));
}

#[test]
fn next_and_previous_stop_at_every_line() {
    let programme = Tale::evening().say(20, "a").say(50, "b").programme();
    let mut moment = SessionTime::ZERO;
    let mut stops = Vec::new();
    while let Some(entry) = programme.next_line(moment) {
        moment = entry.at;
        stops.push(moment.get() / 1_000_000);
    }
    assert_eq!(stops, [1, 2, 10, 20, 50]);
    let back = programme.line_before(secs(20)).unwrap();
    assert_eq!(back.at, secs(10));
    assert!(programme.line_before(secs(0)).is_none());
}

// -- the player ---------------------------------------------------------------

/// What an aim says at seconds of the local clock, for a projector that ran from 1,000 s on.
fn goals(programme: &Programme, projector: &Projector, at: &[u64]) -> Vec<(bool, u64, u16)> {
    let mut aim = Aim::default();
    at.iter()
        .map(|at| {
            let now = LocalTime::from_secs(*at);
            let moment = projector.session(now, programme.waits());
            let state = programme.state(Point::At(moment), None).unwrap();
            let goal = aim.goal(&state, projector, programme.waits(), now);
            let position = goal
                .anchor
                .position(SessionTime::new(now.get()), goal.duration);
            let rate = goal.anchor.rate.get();
            (goal.anchor.playing, position.get() / 1_000_000, rate)
        })
        .collect()
}

#[test]
fn a_player_is_aimed_at_the_line_as_it_was() {
    let programme = Tale::evening()
        .tell(40, Some(1), None, paused(30))
        .tell(50, Some(1), None, played(30, 50))
        .say(100, "the end")
        .programme();
    let mut projector = Projector::new(programme.end());
    projector.play(LocalTime::from_secs(1_000), programme.waits());
    assert_eq!(
        goals(&programme, &projector, &[1_005, 1_025, 1_045, 1_060]),
        [
            (false, 0, 1_000),
            (true, 15, 1_000),
            (false, 30, 1_000),
            (true, 40, 1_000)
        ]
    );
    projector.set_pace(
        LocalTime::from_secs(1_000),
        Pace::times(2),
        programme.waits(),
    );
    assert_eq!(
        goals(&programme, &projector, &[1_010, 1_012]),
        [(true, 10, 2_000), (true, 14, 2_000)]
    );
    // Too fast: it stands where it was.
    projector.set_pace(
        LocalTime::from_secs(1_000),
        Pace::times(16),
        programme.waits(),
    );
    let state = programme.state(Point::At(secs(20)), None).unwrap();
    assert!(!Aim::follows(&state, &projector));
    assert!(
        goals(&programme, &projector, &[1_001, 1_002])
            .iter()
            .all(|goal| !goal.0)
    );
    // Standing on a moment shows its frame, at any pace.
    projector.seek(LocalTime::from_secs(1_003), secs(35), programme.waits());
    projector.pause(LocalTime::from_secs(1_003), programme.waits());
    assert_eq!(
        goals(&programme, &projector, &[1_009])[0],
        (false, 25, 1_000)
    );
}

#[test]
fn a_goal_changes_only_when_the_line_does() {
    let programme = Tale::evening()
        .say(20, "a")
        .say(30, "b")
        .say(300, "c")
        .programme();
    let mut projector = Projector::new(programme.end());
    projector.play(LocalTime::from_secs(1_000), programme.waits());
    let mut aim = Aim::default();
    let at = |aim: &mut Aim, projector: &Projector, secs: u64| {
        let now = LocalTime::from_secs(secs);
        let moment = projector.session(now, programme.waits());
        let state = programme.state(Point::At(moment), None).unwrap();
        aim.goal(&state, projector, programme.waits(), now)
    };
    let first = at(&mut aim, &projector, 1_012);
    assert_eq!(
        at(&mut aim, &projector, 1_025),
        first,
        "talk moves no player"
    );
    projector.set_pace(
        LocalTime::from_secs(1_030),
        Pace::times(2),
        programme.waits(),
    );
    let faster = at(&mut aim, &projector, 1_030);
    assert_eq!(faster.anchor.generation, first.anchor.generation, "no jump");
    projector.seek(LocalTime::from_secs(1_032), secs(200), programme.waits());
    let jumped = at(&mut aim, &projector, 1_032);
    assert_eq!(
        jumped.anchor.generation,
        first.anchor.generation.next(),
        "a jump"
    );
}

/// The same driver as on the evening itself holds a player on the bent line.
#[tokio::test(start_paused = true)]
async fn a_driven_player_stands_runs_and_jumps_with_the_replay() {
    let programme = Tale::evening()
        .tell(40, Some(1), None, paused(30))
        .say(55, "the end")
        .programme();
    let clock = tokio_clock();
    let (player, hand) = MockPlayer::new(Manner::default(), Arc::clone(&clock));
    let (goals, watched) = watch::channel(Default::default());
    let (out, mut news) = mpsc::channel(64);
    let (now, drained) = (Arc::clone(&clock), async move {
        while news.recv().await.is_some() {}
    });
    tokio::spawn(drained);
    let driven = tokio::spawn(drive(player, watched, out, move || now()));
    let mut aim = Aim::default();
    let mut projector = Projector::new(programme.end());
    projector.seek(clock(), secs(20), programme.waits());
    projector.play(clock(), programme.waits());
    let began = clock();
    let mut follow = |projector: &Projector| {
        let moment = projector.session(clock(), programme.waits());
        let state = programme.state(Point::At(moment), None).unwrap();
        goals.send_replace(aim.goal(&state, projector, programme.waits(), clock()));
        moment
    };
    while clock() - began < Micros::from_secs(12) {
        follow(&projector);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    // 12 s in, the evening is at 32 s, the film at 22 s.
    let off = hand.position() - MediaTime::from_secs(22);
    assert!(off.abs() < Micros::from_millis(60), "{off:?}");
    while clock() - began < Micros::from_secs(25) {
        follow(&projector);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(
        hand.position(),
        MediaTime::from_secs(30),
        "paused, as it was"
    );
    projector.seek(clock(), secs(15), programme.waits());
    let sought = clock();
    while clock() - sought < Micros::from_secs(5) {
        follow(&projector);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let off = hand.position() - MediaTime::from_secs(10);
    assert!(off.abs() < Micros::from_millis(60), "{off:?}");
    projector.pause(clock(), programme.waits());
    follow(&projector);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let stood = hand.position();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(hand.position(), stood, "it stands with the replay");
    let loads = hand
        .told()
        .iter()
        .filter(|(_, told)| matches!(told, Told::Load(..)))
        .count();
    assert_eq!(loads, 1);
    drop(goals);
    driven.await.unwrap();
}
