//! What people settle among themselves: votes, polls, ready checks, grants, and the sheet they are in.

use super::*;
use seance::engine::event::{Choice, QueueMode, Suspension};
use seance::engine::id::Seq;
use seance::projection::gui::together::{CHOICES_MISSING, NOT_NOW, QUESTION_MISSING, Sheet};

fn three() -> Party {
    Party::open("One")
        .join("Bo", Role::Guest)
        .join("Lou", Role::Viewer)
        .load("A film")
        .pause(60)
}

/// The window as that member has it.
fn seen_by(member: u32, party: Party) -> App {
    let mut view = party.view();
    view.me = Some(MemberId::new(member));
    app(room(view))
}

fn poll(party: Party, by: u32) -> (Party, Seq) {
    let poll = party.state.tail();
    let choice = |label: &str| Choice {
        label: Title::new(label).unwrap(),
        media: None,
        start: MediaTime::ZERO,
    };
    let opened = Body::PollOpened {
        question: Line::new("What next?").unwrap(),
        choices: vec![choice("A walk"), choice("Tea")],
    };
    (party.tell(Some(by), opened), poll)
}

#[test]
fn a_queue_that_is_voted_on_shows_its_votes_and_takes_one() {
    let queued = || three().queue(1, "First").queue(2, "Second");
    assert_eq!(
        app(queued().screen()).queue()[0].votes,
        None,
        "nothing is voted on while the queue plays as it stands"
    );
    let mode = QueueMode::Vote;
    let party = || queued().tell(Some(1), Body::ModeSet { mode });
    let item = ItemId::new(3);
    let voted = || party().tell(Some(2), Body::VoteCast { item });
    let rows = app(voted().screen()).queue();
    assert_eq!((rows[0].votes, rows[1].votes), (Some(0), Some(1)));
    assert!(rows[1].next && !rows[1].voted && rows[1].votable);
    let bo = seen_by(2, voted()).queue();
    assert!(bo[1].voted, "Bo did");
    with_window(app(voted().screen()), |harness, asked| {
        let columns = (540..640).step_by(20);
        let vote = Intent::Vote { item };
        assert!(click_until_asked(harness, asked, columns, 500, &vote));
    });
}

#[test]
fn who_wants_to_skip_is_counted_and_anybody_who_votes_can_join_them() {
    let item = ItemId::new(1);
    assert_eq!(app(three().screen()).skip_line(), None);
    let party = || three().tell(Some(2), Body::SkipVoted { item });
    let ana = app(party().screen());
    let line = "1 of 3 wants to skip, 1 more needed";
    assert_eq!(ana.skip_line().as_deref(), Some(line));
    let withdraw = ("Do not skip", Intent::Unskip { item });
    assert_eq!(seen_by(2, party()).skip_vote(), Some(withdraw));
    with_window(seen_by(3, party()), |harness, asked| {
        let columns = (980..1_080).step_by(20);
        let skip = Intent::Skip { item };
        assert!(click_until_asked(harness, asked, columns, 60, &skip));
    });
}

#[test]
fn a_poll_is_asked_with_what_was_typed_and_nothing_else() {
    with_window(app(three().screen()), |harness, asked| {
        harness.submit_command(cmd::SHEET.with(Some(Sheet::Poll)));
        harness.just_layout();
        harness.submit_command(cmd::OPEN_POLL);
        let said = harness.data().note.clone();
        assert_eq!(said, Some(Note::Problem(QUESTION_MISSING)));
        assert_eq!(harness.data().choice_fields(), 2);
        assert_eq!(intents(asked), []);
    });
    let mut asking = app(three().screen());
    asking.draft.question = " What next? ".to_owned();
    asking.draft.choices[0] = "A walk".to_owned();
    assert_eq!(asking.new_poll(), Err(CHOICES_MISSING));
    assert_eq!(asking.choice_fields(), 2);
    asking.draft.choices[1] = "https://films.example/b.mp4".to_owned();
    assert_eq!(asking.choice_fields(), 3, "there is room for one more");
    asking.draft.choices[7] = "  ".to_owned();
    with_window(asking, |harness, asked| {
        harness.submit_command(cmd::OPEN_POLL);
        let open = Intent::OpenPoll {
            question: "What next?".to_owned(),
            choices: vec![
                "A walk".to_owned(),
                "https://films.example/b.mp4".to_owned(),
            ],
        };
        assert_eq!(intents(asked), [(open, Via::Gui)]);
        assert_eq!(harness.data().draft.question, "");
        assert_eq!(harness.data().draft.choices, <[String; 8]>::default());
    });
}

#[test]
fn an_open_poll_is_answered_changed_withdrawn_and_closed() {
    let (party, id) = poll(three(), 2);
    let tea = Body::PollAnswered {
        poll: id,
        choice: Some(1),
    };
    let party = party.tell(Some(1), tea.clone()).tell(Some(2), tea);
    let told = || Party {
        state: party.state.clone(),
        story: party.story.clone(),
    };
    let ana = app(told().screen());
    let line = "Bo asks: What next? 2 of 3 answered. You chose Tea.";
    assert_eq!(ana.poll_line().as_deref(), Some(line));
    let answer = |choice| Intent::AnswerPoll { poll: id, choice };
    let rows = ana.poll_rows();
    assert_eq!(rows[0].deed, Some(("Choose", answer(Some(0)))));
    assert_eq!(rows[1].deed, Some(("Withdraw", answer(None))));
    assert_eq!((rows[1].count, rows[1].names.as_str()), (2, "you and Bo"));
    assert!(rows[1].ahead && !rows[0].ahead);
    let close = Intent::ClosePoll { poll: id };
    assert_eq!(ana.poll_end(), Some(close.clone()), "the host moderates");
    assert_eq!(seen_by(2, told()).poll_end(), Some(close), "it is Bo's own");
    assert_eq!(seen_by(3, told()).poll_end(), None);
    with_window(app(told().screen()), |harness, asked| {
        // The banner leads to the sheet.
        for y in (50..120).step_by(8) {
            click(harness, 1_020.0, f64::from(y));
        }
        assert_eq!(harness.data().sheet, Some(Sheet::Poll));
        harness.just_layout();
        let columns = (640..720).step_by(20);
        let walk = answer(Some(0));
        assert!(click_until_asked(harness, asked, columns, 80, &walk));
        let over = told().tell(
            Some(2),
            Body::PollClosed {
                poll: id,
                winner: Some(1),
            },
        );
        harness.submit_command(cmd::SHOW.with(Arc::new(over.screen())));
        harness.just_layout();
        let result = harness.data().poll_result();
        assert_eq!(result.as_deref(), Some("The poll is over: Tea"));
        assert_eq!(harness.data().poll_line(), None);
        let rows = harness.data().poll_rows();
        assert!(rows.iter().all(|row| row.deed.is_none()));
    });
}

#[test]
fn a_ready_check_tells_who_is_ready_and_lets_everybody_take_their_time() {
    let asked_all = || three().hold(HoldReason::ReadyCheck, &[1, 2]);
    let apart = Body::Suspended {
        member: MemberId::new(3),
        reason: Suspension::Detached,
    };
    let party = || asked_all().tell(Some(3), apart.clone());
    with_window(app(party().screen()), |harness, asked| {
        let line = |harness: &Harness<App>| harness.data().ready_check().unwrap().line;
        assert_eq!(line(harness), "Not yet: you and Bo · Not waiting for: Lou");
        harness.submit_command(cmd::NOT_YET);
        assert!(harness.data().ready_check().unwrap().later);
        assert_eq!(intents(asked), [], "that is nobody else's business");
        harness.just_layout();
        let columns = (480..640).step_by(16);
        let ready = Intent::SayReady {};
        assert!(click_until_asked(harness, asked, columns, 80, &ready));
        let said = party().tell(Some(1), Body::SaidReady {});
        harness.submit_command(cmd::SHOW.with(Arc::new(said.screen())));
        harness.just_layout();
        assert!(!harness.data().ready_check().unwrap().me);
        assert_eq!(
            line(harness),
            "Ready: you · Not yet: Bo · Not waiting for: Lou"
        );
        let columns = (600..740).step_by(16);
        let start = Intent::Play {};
        assert!(click_until_asked(harness, asked, columns, 80, &start));
    });
}

#[test]
fn a_start_three_seconds_away_is_counted_down_and_an_ordinary_one_is_not() {
    let starting = |millis: u64| {
        let position = MediaTime::from_secs(60);
        let start = SessionTime::from_millis(10_000 + millis);
        let mut view = three()
            .tell(Some(1), Body::Played { position, start })
            .view();
        let now = seance::os::local_now() - seance::engine::unit::LocalTime::ZERO;
        let session = SessionTime::from_millis(10_000) - SessionTime::ZERO;
        view.clock = Some((session - now, Micros::from_millis(1)));
        Arc::new(room(view))
    };
    with_window(app(three().screen()), |harness, _| {
        harness.submit_command(cmd::SHOW.with(starting(100)));
        assert_eq!(harness.data().countdown(), None);
        // So long that a slow machine does not see the end of it.
        harness.submit_command(cmd::SHOW.with(starting(600_000)));
        let (_, words) = harness.data().countdown().unwrap();
        assert!(words.starts_with("Starting in "), "{words}");
        assert!(harness.data().starting_secs.unwrap() > 3);
        harness.submit_command(cmd::SHOW.with(Arc::new(three().screen())));
        assert_eq!(harness.data().countdown(), None, "it was paused");
    });
}

#[test]
fn readiness_is_asked_only_where_somebody_else_could_answer() {
    assert!(app(three().screen()).may_ask_ready());
    let alone = Party::open("One").load("A film").pause(60);
    assert!(!app(alone.screen()).may_ask_ready());
    assert!(!app(three().play(60).screen()).may_ask_ready());
    assert!(
        !seen_by(3, three()).may_ask_ready(),
        "a viewer may not play"
    );
}

#[test]
fn a_moderator_gives_and_takes_one_thing_at_a_time_and_for_a_time() {
    let lou = MemberId::new(3);
    with_window(app(three().screen()), |harness, asked| {
        harness.submit_command(cmd::SHEET.with(Some(Sheet::Person(lou))));
        harness.just_layout();
        let title = harness.data().permissions_title();
        assert_eq!(title.as_deref(), Some("What Lou may do"));
        let rows = harness.data().permissions(lou);
        assert_eq!(rows.len(), Action::ALL.len());
        assert_eq!(rows[0].words, "Play or pause");
        let play = Intent::Grant {
            member: lou,
            action: Action::Play,
            lasts: None,
        };
        assert_eq!(rows[0].deed, Some(("Allow", play.clone())));
        let columns = (640..720).step_by(20);
        assert!(click_until_asked(harness, asked, columns, 80, &play));
    });
    let mut ana = app(three().screen());
    ana.draft.lasts = Some(Micros::from_secs(600));
    let mute = Intent::Revoke {
        member: lou,
        action: Action::Chat,
        lasts: Some(Micros::from_secs(600)),
    };
    assert_eq!(ana.permissions(lou)[5].deed, Some(("Forbid", mute)));
    // What was asked for and what is over soon are told.
    let told = three()
        .tell(
            Some(3),
            Body::Requested {
                action: Action::Seek,
            },
        )
        .tell(
            Some(1),
            Body::Ruled {
                member: lou,
                action: Action::Rate,
                allow: Some(true),
                until: Some(SessionTime::from_secs(900)),
            },
        );
    let rows = app(told.screen()).permissions(lou);
    assert_eq!(rows[1].state, "no; asked for");
    assert!(rows[2].allowed);
    // Others' permissions are no business of a guest.
    let bo = seen_by(2, three());
    assert!(!bo.has_permissions(lou));
    assert!(bo.has_permissions(MemberId::new(2)), "one's own are");
    assert!(!bo.offers(Sheet::Rules));
}

#[test]
fn a_viewer_asks_for_the_controls_and_the_host_answers() {
    let request = |action| Intent::Request { action };
    let viewer = seen_by(3, three());
    let control = [Action::Play, Action::Seek, Action::Rate];
    let asks = control.map(request).to_vec();
    assert_eq!(viewer.may_i(), Some(asks));
    assert_eq!(seen_by(2, three()).may_i(), None, "a guest has them");
    let party = || {
        let asked = |action| Body::Requested { action };
        three()
            .tell(Some(3), asked(Action::Play))
            .tell(Some(3), asked(Action::Seek))
            .tell(Some(3), asked(Action::Rate))
    };
    assert_eq!(
        seen_by(3, party()).may_i(),
        Some(Vec::new()),
        "once is enough"
    );
    let ana = app(party().screen());
    let line = ana.asking_line().unwrap();
    assert!(line.ends_with("Lou asks to control the film"));
    assert_eq!(seen_by(2, party()).asking_line(), None);
    let member = MemberId::new(3);
    let no = |action| Intent::Revoke {
        member,
        action,
        lasts: Some(NOT_NOW),
    };
    assert_eq!(ana.answer_asking(false), control.map(no));
    with_window(ana, |harness, asked| {
        let allow = Intent::Grant {
            member,
            action: Action::Seek,
            lasts: None,
        };
        let columns = (880..1_000).step_by(20);
        assert!(click_until_asked(harness, asked, columns, 60, &allow));
    });
}

#[test]
fn hosting_is_handed_over_and_taken_back_by_whoever_opened_the_party() {
    let member = MemberId::new(2);
    let to_bo = ("Make host", Intent::HandOver { member });
    assert!(app(three().screen()).deeds(member).contains(&to_bo));
    let handed = || three().tell(Some(1), Body::HostChanged { member });
    let ana = app(handed().screen());
    let member = MemberId::new(1);
    let back = ("Be the host again", Intent::HandOver { member });
    assert_eq!(ana.deeds(member), [back]);
    let lou = seen_by(3, handed());
    assert_eq!(lou.deeds(MemberId::new(3)), [], "she never was");
}

#[test]
fn a_sheet_takes_the_stage_s_place_in_any_window_and_goes_with_what_it_is_about() {
    let all = [Sheet::Queue, Sheet::Poll, Sheet::Rules, Sheet::Invite];
    let person = Sheet::Person(MemberId::new(2));
    for size in [Size::new(1_280.0, 800.0), Size::new(720.0, 520.0)] {
        for sheet in all.into_iter().chain([person]) {
            let mut view = three().view();
            view.invite = Some("http://192.168.1.20:7878/#6h3r.1qv8".into());
            sized_window(app(room(view)), size, 8, |harness, asked| {
                harness.submit_command(cmd::SHEET.with(Some(sheet)));
                harness.just_layout();
                harness.paint();
                assert_eq!(harness.data().sheet, Some(sheet));
                assert_eq!(intents(asked), [], "looking asks for nothing");
                harness.submit_command(cmd::SHEET.with(None));
                harness.just_layout();
                harness.paint();
            });
        }
    }
    with_window(app(three().screen()), |harness, _| {
        harness.submit_command(cmd::SHEET.with(Some(person)));
        let member = MemberId::new(2);
        let gone = three().tell(Some(1), Body::Kicked { member });
        harness.submit_command(cmd::SHOW.with(Arc::new(gone.screen())));
        assert_eq!(harness.data().sheet, None, "nobody is left to speak of");
        harness.submit_command(cmd::SHEET.with(Some(Sheet::Queue)));
        harness.submit_command(cmd::SHOW.with(Arc::new(Screen::default())));
        assert_eq!(harness.data().sheet, None, "there is no party any more");
    });
}

#[test]
fn the_ways_are_asked_for_as_they_were_chosen() {
    let mut app = app(Screen::Start(Start {
        token: true,
        ..Start::default()
    }));
    app.draft.elsewhere = true;
    app.draft.port = true;
    app.draft.domain = " film-night.ngrok.app ".to_owned();
    app.draft.region = Some("eu");
    let ways = |app: &App| match app.host() {
        Ok(Request::Host { ways, .. }) => ways,
        other => panic!("not hosted: {other:?}"),
    };
    let plain = ways(&app);
    assert!(plain.port && !plain.ngrok);
    assert_eq!((plain.domain, plain.region), (None, None));
    app.draft.ngrok = true;
    app.draft.ngrok_more = true;
    let chosen = ways(&app);
    assert_eq!(chosen.domain.as_deref(), Some("film-night.ngrok.app"));
    assert_eq!(chosen.region, Some("eu"));
}
