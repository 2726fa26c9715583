//! Leaving one's own party while others are in it.

use super::*;
use seance::projection::gui::leaving::Leaving;

fn with_bo() -> Party {
    Party::open("One").join("Bo", Role::Guest)
}

/// Whether the desk lets the window close.
fn closes(harness: &mut Harness<App>) -> bool {
    harness.event(Event::WindowCloseRequested);
    harness.data().leaving.is_none()
}

#[test]
fn a_host_is_asked_before_the_party_ends_for_others() {
    with_window(app(with_bo().screen()), |harness, asked| {
        harness.submit_command(cmd::LEAVE);
        let (_, line) = harness.data().leaving_line().expect("it is asked");
        assert!(line.contains("Bo is still here"), "{line}");
        assert!(asked.try_recv().is_err(), "nothing is done before");
        harness.submit_command(cmd::LEAVE_SURELY.with(false));
        assert_eq!(harness.data().leaving_line(), None);
        assert!(asked.try_recv().is_err(), "they stay");
        harness.submit_command(cmd::LEAVE);
        press(harness, KbKey::Escape);
        assert_eq!(harness.data().leaving, None, "Escape stays, too");
        harness.submit_command(cmd::LEAVE);
        harness.submit_command(cmd::LEAVE_SURELY.with(true));
        assert_eq!(asked.try_recv(), Ok(Request::Wish(Wish::Leave)));
    });
}

#[test]
fn the_question_has_an_answer_to_click_and_goes_with_the_last_guest() {
    let end = Request::Wish(Wish::Leave);
    with_window(app(with_bo().screen()), |harness, asked| {
        harness.submit_command(cmd::LEAVE);
        harness.just_layout();
        let columns = (900..1_080).rev().step_by(20);
        let answered = columns.into_iter().any(|x| {
            click(harness, f64::from(x), 72.0);
            asked.try_recv().is_ok_and(|request| request == end)
        });
        assert!(answered, "“End the party” is where it is looked for");
    });
    with_window(app(with_bo().screen()), |harness, asked| {
        harness.submit_command(cmd::LEAVE);
        let alone = Party::open("One").screen();
        harness.submit_command(cmd::SHOW.with(Arc::new(alone)));
        assert_eq!(harness.data().leaving, None);
        harness.submit_command(cmd::LEAVE);
        assert_eq!(asked.try_recv(), Ok(end.clone()), "nobody is let down");
    });
}

#[test]
fn closing_the_window_is_asked_about_only_where_it_ends_a_party_for_others() {
    with_window(app(with_bo().screen()), |harness, _| {
        assert!(!closes(harness));
        assert_eq!(harness.data().leaving, Some(Leaving::CloseWindow));
        assert!(!closes(harness), "and again: it is still asked");
        harness.submit_command(cmd::LEAVE_SURELY.with(true));
        assert!(closes(harness));
    });
    let guest = Screen::Room(Room {
        view: with_bo().view(),
        ..Room::default()
    });
    let mut over = with_bo().view();
    over.link = Link::Over(String::new());
    for screen in [
        guest,
        room(over),
        Party::open("One").screen(),
        Screen::default(),
    ] {
        with_window(app(screen), |harness, _| assert!(closes(harness)));
    }
}
