//! The Chromium player against a real Chromium and local doubles of sites.
//!
//! Each test takes the stage alone: two Chromiums on two cores would measure
//! each other. Without Chromium or ffmpeg the tests say so and skip.

#![cfg(feature = "browser")]

mod doubles;
mod stage;

use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::browser::{
    PermissionDescriptor, PermissionSetting, SetDownloadBehaviorBehavior,
    SetDownloadBehaviorParams, SetPermissionParams,
};
use chromiumoxide::cdp::browser_protocol::input::DispatchMouseEventType;
use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use doubles::{FILM_SECS, Film, Namesakes, Server, or_skip, think_aloud, youtube};
use seance::engine::media::{Media, Provider};
use seance::engine::unit::{MediaTime, Micros};
use seance::os::local_now;
use seance::player::browser::{BrowserPlayer, LaunchOptions};
use seance::player::{Activity, Notice, Player, PlayerError};
use stage::{
    PATIENCE, User, click, found_chrome, is, launch, mouse, near, plays_from, press, script, space,
    until, until_healed, until_page, within,
};
use tokio::sync::{Mutex, MutexGuard};

static STAGE: Mutex<()> = Mutex::const_new(());

/// One test's hold of the machine, its film and its film server.
struct Stage {
    films: Server,
    _alone: MutexGuard<'static, ()>,
}

impl Stage {
    /// The stage, or `None` with a printed reason.
    async fn enter() -> Option<Self> {
        think_aloud();
        found_chrome()?;
        let film = or_skip(Film::made())?;
        Some(Self {
            _alone: STAGE.lock().await,
            films: Server::films(film).await,
        })
    }

    async fn player(&self) -> BrowserPlayer {
        launch(Vec::new()).await
    }

    /// A player with the film loaded at `start`.
    async fn playing(&self, start: MediaTime) -> BrowserPlayer {
        let mut player = self.player().await;
        let film = file(self.films.url("/film.mp4"));
        within(player.load(&film, start)).await.unwrap();
        player
    }
}

fn file(id: String) -> Media {
    Media {
        provider: Provider::File,
        id,
    }
}

/// A film that stands at `start` begins there at the moment it is told to.
async fn starts_on_time(player: &mut BrowserPlayer, start: MediaTime) {
    // A machine busy with other things may miss a start; it does not miss five.
    let mut misses = Vec::new();
    while misses.len() < 5 {
        let stands = until(player, |sample| {
            sample.activity == Activity::Paused && near(sample.position, start, 500)
        })
        .await;
        let at = local_now() + Micros::from_millis(400);
        player.play(at).await.unwrap();
        let before = player.sample().await.unwrap();
        let early = before.at < at && before.activity == Activity::Playing;
        assert!(!early, "{before:?}, told {at:?}");
        let second = until(player, |sample| {
            sample.at > at + Micros::from_secs(1) && sample.activity == Activity::Playing
        })
        .await;
        let miss = second.position - (stands.position + (second.at - at));
        if miss.abs() < Micros::from_millis(100) {
            return;
        }
        misses.push(miss);
        player.pause(start).await.unwrap();
    }
    panic!("it starts too early or too late: {misses:?}");
}

#[tokio::test]
async fn a_film_starts_at_the_moment_it_is_told_to() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let start = MediaTime::from_secs(30);
    let mut player = stage.playing(start).await;
    let ready = player.sample().await.unwrap();
    assert_eq!(ready.activity, Activity::Paused);
    assert!(near(ready.position, start, 1), "{ready:?}");
    assert!(
        (ready.duration.unwrap() - Micros::from_secs(FILM_SECS as i64)).abs()
            < Micros::from_millis(200)
    );

    starts_on_time(&mut player, start).await;
    player.close().await;
}

#[tokio::test]
async fn a_pause_settles_on_its_frame_and_a_seek_lands() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage.playing(MediaTime::ZERO).await;
    player.play(local_now()).await.unwrap();
    until(&mut player, |sample| {
        sample.position > MediaTime::from_millis(300)
    })
    .await;

    let frame = MediaTime::from_millis(2_520);
    player.pause(frame).await.unwrap();
    let settled = until(&mut player, is(Activity::Paused)).await;
    assert!(near(settled.position, frame, 1), "{settled:?}");

    let far = MediaTime::from_secs(90);
    player.seek(far).await.unwrap();
    let landed = until(&mut player, is(Activity::Paused)).await;
    assert!(near(landed.position, far, 1), "{landed:?}");

    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    let (told, back) = (local_now(), MediaTime::from_secs(10));
    player.seek(back).await.unwrap();
    // It goes on playing from there.
    let landed = until(&mut player, is(Activity::Playing)).await;
    assert!(plays_from(&landed, back, told, 500), "{landed:?}");
    player.close().await;
}

#[tokio::test]
async fn a_rate_bends_the_film_and_not_its_pitch() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage.playing(MediaTime::ZERO).await;
    player.set_rate(2.0).await.unwrap();
    player.play(local_now()).await.unwrap();
    let mut from = until(&mut player, |sample| {
        sample.position > MediaTime::from_secs(2)
    })
    .await;
    // A busy machine drops a beat; one that plays the rate does so for a second soon.
    let mut seconds = Vec::new();
    loop {
        let to = until(&mut player, |sample| {
            sample.at > from.at + Micros::from_secs(1)
        })
        .await;
        assert_eq!(to.rate, 2.0);
        let film = (to.position - from.position).get() as f64;
        seconds.push(film / (to.at - from.at).get() as f64);
        if (seconds[seconds.len() - 1] - 2.0).abs() < 0.1 {
            break;
        }
        assert!(seconds.len() < 10, "never at twice its pace: {seconds:?}");
        from = to;
    }
    let pitch = script(&player, "document.querySelector('video').preservesPitch").await;
    assert_eq!(pitch, true);
    assert!(matches!(
        player.set_rate(100.0).await,
        Err(PlayerError::Media(_))
    ));
    player.close().await;
}

#[tokio::test]
async fn each_act_of_the_user_is_told_once_and_ours_never() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage.playing(MediaTime::ZERO).await;
    // All that we do ourselves comes first: were any of it told, it would be the first notice.
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    player.seek(MediaTime::from_secs(20)).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    player.set_rate(1.05).await.unwrap();
    player.pause(MediaTime::from_secs(21)).await.unwrap();
    until(&mut player, is(Activity::Paused)).await;
    player.set_rate(1.0).await.unwrap();
    player.play(local_now()).await.unwrap();
    until(&mut player, |sample| {
        sample.activity == Activity::Playing && sample.position > MediaTime::from_millis(21_200)
    })
    .await;

    // A click on the film pauses it.
    click(&player, 300.0, 200.0).await;
    let Notice::UserPaused(at) = within(player.notice()).await else {
        panic!("a click on the film pauses it");
    };
    let stands = player.sample().await.unwrap();
    assert_eq!(stands.activity, Activity::Paused);
    assert!(near(stands.position, at, 60), "{stands:?}, told {at:?}");

    // The space key plays it.
    space(&player).await;
    assert_eq!(within(player.notice()).await, Notice::UserPlayed);
    until(&mut player, is(Activity::Playing)).await;

    // A click on the control bar's timeline moves it, and it goes on playing.
    let size = script(&player, "[innerWidth, innerHeight]").await;
    let (width, height) = (size[0].as_f64().unwrap(), size[1].as_f64().unwrap());
    click(&player, width / 2.0, height - 18.0).await;
    let Notice::UserSeeked(to) = within(player.notice()).await else {
        panic!("a click on the timeline moves the film");
    };
    assert!(near(to, MediaTime::from_secs(60), 5_000), "{to:?}");
    let landed = until(&mut player, is(Activity::Playing)).await;
    assert!(near(landed.position, to, 1_500), "{landed:?}, told {to:?}");

    // The room answers at once, while the user's hand is still on the mouse: our writes are ours.
    player.pause(to).await.unwrap();
    until(&mut player, is(Activity::Paused)).await;
    player.seek(to + Micros::from_secs(3)).await.unwrap();
    player.set_rate(1.1).await.unwrap();
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    player.set_rate(1.0).await.unwrap();
    player.seek(to).await.unwrap();
    // Long enough for a wrong notice to be on its way.
    until(&mut player, |sample| {
        sample.activity == Activity::Playing
            && sample.position > to + Micros::from_millis(500)
            && sample.position < to + Micros::from_secs(3)
    })
    .await;

    // Dragging it is one act, too, though Chrome pauses, seeks many times and plays.
    let bar = height - 18.0;
    mouse(
        &player,
        DispatchMouseEventType::MousePressed,
        width / 2.0,
        bar,
    )
    .await;
    for step in 1..=10 {
        let x = width / 2.0 - width / 40.0 * f64::from(step);
        mouse(&player, DispatchMouseEventType::MouseMoved, x, bar).await;
    }
    until_page(&player, "document.querySelector('video').paused").await;
    mouse(
        &player,
        DispatchMouseEventType::MouseReleased,
        width / 4.0,
        bar,
    )
    .await;
    let Notice::UserSeeked(to) = within(player.notice()).await else {
        panic!("a drag on the timeline moves the film");
    };
    assert!(near(to, MediaTime::from_secs(30), 5_000), "{to:?}");
    until(&mut player, is(Activity::Playing)).await;

    // Nothing was told twice: the next notice is the next act's, on the bar's button.
    click(&player, 32.0, height - 50.0).await;
    assert!(matches!(
        within(player.notice()).await,
        Notice::UserPaused(_)
    ));
    // The keys work wherever the focus is.
    press(&player, "ArrowRight", "ArrowRight", 39).await;
    assert!(matches!(
        within(player.notice()).await,
        Notice::UserSeeked(_)
    ));
    until(&mut player, is(Activity::Paused)).await;
    space(&player).await;
    assert_eq!(within(player.notice()).await, Notice::UserPlayed);
    player.close().await;
}

#[tokio::test]
async fn what_the_page_does_by_itself_shows_in_samples_only() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage.playing(MediaTime::ZERO).await;
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    script(&player, "document.querySelector('video').pause()").await;
    until(&mut player, is(Activity::Paused)).await;
    let told = local_now();
    script(
        &player,
        "document.querySelector('video').currentTime = 50; document.querySelector('video').play(), 0",
    )
    .await;
    until(&mut player, |sample| {
        plays_from(sample, MediaTime::from_secs(50), told, 500)
    })
    .await;
    // The first notice of all is the user's.
    space(&player).await;
    assert!(matches!(
        within(player.notice()).await,
        Notice::UserPaused(_)
    ));
    player.close().await;
}

#[tokio::test]
async fn a_film_whose_data_stays_away_stalls_and_nobody_paused_it() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage.player().await;
    let film = file(stage.films.url("/stalls.mp4"));
    within(player.load(&film, MediaTime::from_secs(8)))
        .await
        .unwrap();
    player.set_rate(4.0).await.unwrap();
    player.play(local_now()).await.unwrap();
    let stalled = until(&mut player, is(Activity::Stalled)).await;
    assert!(stalled.position > MediaTime::from_secs(8), "{stalled:?}");
    space(&player).await;
    assert!(matches!(
        within(player.notice()).await,
        Notice::UserPaused(_)
    ));
    player.close().await;
}

#[tokio::test]
async fn the_end_of_the_film_is_told_once() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage
        .playing(MediaTime::from_millis(FILM_SECS * 1_000 - 700))
        .await;
    player.play(local_now()).await.unwrap();
    assert_eq!(within(player.notice()).await, Notice::Ended);
    assert_eq!(player.sample().await.unwrap().activity, Activity::Ended);
    // It can be played again, and then the next notice is the user's.
    player.seek(MediaTime::from_secs(5)).await.unwrap();
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    space(&player).await;
    assert!(matches!(
        within(player.notice()).await,
        Notice::UserPaused(_)
    ));
    player.close().await;
}

#[tokio::test]
async fn what_is_no_film_says_why() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage.player().await;
    for (path, sentence) in [
        (
            "/nothing.mp4",
            "127.0.0.1 has no film at this address. Check the address.",
        ),
        (
            "/readme.txt",
            "What 127.0.0.1 sent is not a film. Use the address of the video file itself.",
        ),
        (
            "/torn.mp4",
            "Chrome cannot play this kind of file. An MP4 (H.264) or WebM film works.",
        ),
    ] {
        let media = file(stage.films.url(path));
        let refused = within(player.load(&media, MediaTime::ZERO)).await;
        assert_eq!(refused, Err(PlayerError::Media(sentence.into())), "{path}");
        // What cannot be shown cannot be played either, and says the same.
        let played = player.play(local_now()).await;
        assert_eq!(played, Err(PlayerError::Media(sentence.into())), "{path}");
    }
    let nobody = file("http://127.0.0.1:9/film.mp4".into());
    let refused = within(player.load(&nobody, MediaTime::ZERO)).await;
    let Err(PlayerError::Media(sentence)) = refused else {
        panic!("nobody listens there: {refused:?}");
    };
    assert!(sentence.contains("could not be reached"), "{sentence}");
    let local = file("file:///etc/passwd".into());
    assert!(matches!(
        within(player.load(&local, MediaTime::ZERO)).await,
        Err(PlayerError::Media(_))
    ));
    // None of it spoilt the player.
    for path in ["/download", "/moved.mp4"] {
        let media = file(stage.films.url(path));
        within(player.load(&media, MediaTime::from_secs(3)))
            .await
            .unwrap();
        let ready = player.sample().await.unwrap();
        assert!(
            near(ready.position, MediaTime::from_secs(3), 1),
            "{path}: {ready:?}"
        );
    }
    player.close().await;
}

#[tokio::test]
async fn a_page_shows_its_largest_video() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage.player().await;
    let media = Media {
        provider: Provider::Page,
        id: stage.films.url("/page"),
    };
    within(player.load(&media, MediaTime::from_secs(12)))
        .await
        .unwrap();
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    let playing = script(
        &player,
        "[...document.querySelectorAll('video')].filter(v => !v.paused).map(v => v.id).join()",
    )
    .await;
    assert_eq!(playing, "film");
    player.close().await;
}

#[tokio::test]
async fn a_page_without_a_video_says_so_and_takes_one_that_comes_late() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage.player().await;
    let media = Media {
        provider: Provider::Page,
        id: stage.films.url("/empty"),
    };
    let empty = within(player.load(&media, MediaTime::ZERO)).await;
    assert_eq!(
        empty,
        Err(PlayerError::Media(
            "No video was found on this page of 127.0.0.1.".into()
        ))
    );
    script(
        &player,
        "const film = document.createElement('video'); film.src = '/film.mp4';
         film.style = 'width:320px;height:180px'; document.body.append(film)",
    )
    .await;
    until_healed(&mut player).await;
    player.close().await;
}

#[tokio::test]
async fn chromes_own_bar_on_a_page_is_the_users_hand() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage.player().await;
    let media = Media {
        provider: Provider::Page,
        id: stage.films.url("/page"),
    };
    within(player.load(&media, MediaTime::ZERO)).await.unwrap();
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    let bar = script(
        &player,
        "const b = film.getBoundingClientRect(); [b.left + 32, b.bottom - 50]",
    )
    .await;
    click(&player, bar[0].as_f64().unwrap(), bar[1].as_f64().unwrap()).await;
    assert!(matches!(
        within(player.notice()).await,
        Notice::UserPaused(_)
    ));
    player.close().await;
}

#[tokio::test]
async fn leaving_the_film_is_told_and_the_way_back_heals() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let elsewhere = Server::films(Film::made().unwrap()).await;
    let mut player = stage.playing(MediaTime::from_secs(7)).await;
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    let away = elsewhere.url("/page");
    script(&player, &format!("location.href = {away:?}")).await;
    let Notice::Failed(why) = within(player.notice()).await else {
        panic!("the film was left");
    };
    assert_eq!(
        why,
        "Chrome left the film on 127.0.0.1. Go back in the Séance browser window, or load the film again."
    );
    let refused = player.play(local_now()).await;
    assert_eq!(refused, Err(PlayerError::Media(why)));

    script(&player, "history.back()").await;
    let back = until_healed(&mut player).await;
    assert!(
        near(back.position, MediaTime::from_secs(7), 5_000),
        "{back:?}"
    );
    player.close().await;
}

#[tokio::test]
async fn a_closed_window_is_told_once_and_then_nothing_works() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage.playing(MediaTime::ZERO).await;
    let page = player.page().clone();
    within(page.close()).await.unwrap();
    assert_eq!(
        within(player.notice()).await,
        Notice::Lost("Chrome was closed.".into())
    );
    let lost = Err(PlayerError::Lost("Chrome was closed.".into()));
    assert_eq!(player.play(local_now()).await, lost);
    assert_eq!(player.sample().await.map(|_| ()), lost);
    let film = file(stage.films.url("/film.mp4"));
    assert_eq!(player.load(&film, MediaTime::ZERO).await, lost);
    // It has no more to say.
    assert!(futures_util::FutureExt::now_or_never(player.notice()).is_none());
    within(player.close()).await;
}

#[tokio::test]
async fn a_temporary_profile_vanishes_with_the_player() {
    let Some(_stage) = Stage::enter().await else {
        return;
    };
    let player = launch(Vec::new()).await;
    let profile = player.profile().to_owned();
    assert!(profile.exists());
    within(player.close()).await;
    assert!(!profile.exists(), "{}", profile.display());
}

#[tokio::test]
async fn a_killed_chrome_is_told() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage.playing(MediaTime::ZERO).await;
    // Chrome's own way to die in the middle of things.
    let crash = chromiumoxide::cdp::browser_protocol::browser::CrashParams::default();
    let _ = tokio::time::timeout(Duration::from_secs(1), player.page().execute(crash)).await;
    assert_eq!(
        within(player.notice()).await,
        Notice::Lost("Chrome was closed.".into())
    );
    player.close().await;
}

#[tokio::test]
async fn chrome_does_not_outlive_a_program_that_just_ends() {
    let Some(_stage) = Stage::enter().await else {
        return;
    };
    // A runtime of its own, thrown away with everything in it, as by a panic.
    let (port_in, port) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let doomed = tokio::runtime::Runtime::new().unwrap();
        let player = doomed.block_on(launch(Vec::new()));
        let debugger = std::fs::read_to_string(player.profile().join("DevToolsActivePort"));
        let port: u16 = debugger.unwrap().lines().next().unwrap().parse().unwrap();
        port_in.send(port).unwrap();
        doomed.shutdown_background();
        std::mem::forget(player);
    });
    let port = within(port).await.unwrap();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .is_ok()
    {
        assert!(tokio::time::Instant::now() < deadline, "Chrome lives on");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_crashed_page_is_told() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage.playing(MediaTime::ZERO).await;
    let crash = chromiumoxide::cdp::browser_protocol::page::CrashParams::default();
    let _ = tokio::time::timeout(Duration::from_secs(1), player.page().execute(crash)).await;
    assert_eq!(
        within(player.notice()).await,
        Notice::Lost("The film's page crashed in Chrome.".into())
    );
    player.close().await;
}

#[tokio::test]
async fn a_reload_by_the_user_heals_by_itself() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage.playing(MediaTime::from_secs(33)).await;
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    script(&player, "window.old = true; location.reload()").await;
    until_page(&player, "window.old !== true").await;
    let back = until_healed(&mut player).await;
    assert!(
        near(back.position, MediaTime::from_secs(33), 5_000),
        "{back:?}"
    );
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    player.close().await;
}

#[tokio::test]
async fn a_chrome_that_wants_a_click_says_so_and_starts_with_it() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let strict = "--autoplay-policy=document-user-activation-required";
    let mut player = launch(vec![strict.into()]).await;
    let film = file(stage.films.url("/film.mp4"));
    within(player.load(&film, MediaTime::ZERO)).await.unwrap();
    player.play(local_now()).await.unwrap();
    assert_eq!(within(player.notice()).await, Notice::NeedsClick);
    assert_eq!(
        player.sample().await.unwrap().activity,
        Activity::NeedsClick
    );
    click(&player, 300.0, 200.0).await;
    until(&mut player, is(Activity::Playing)).await;
    // The click did what was asked before: it is no act of its own.
    space(&player).await;
    assert!(matches!(
        within(player.notice()).await,
        Notice::UserPaused(_)
    ));
    player.close().await;
}

#[tokio::test]
async fn a_page_may_swap_its_element_and_neither_ask_nor_open_windows() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let mut player = stage.player().await;
    let media = Media {
        provider: Provider::Page,
        id: stage.films.url("/swap"),
    };
    within(player.load(&media, MediaTime::from_secs(5)))
        .await
        .unwrap();
    // The new element starts by itself; the room's pause holds for it.
    script(&player, "swap()").await;
    until_page(&player, "document.querySelector('video').readyState > 2").await;
    until_page(&player, "document.querySelector('video').paused").await;
    // An alert does not stop the film, and a pop-up does not live.
    let popup = stage.films.url("/empty");
    let mut open = EvaluateParams::new(format!(
        "window.w = window.open({popup:?}); alert('hello'); 1"
    ));
    open.user_gesture = Some(true);
    within(player.page().execute(open)).await.unwrap();
    until_page(&player, "window.w === null || window.w.closed").await;
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    player.close().await;
}

/// Every file below a folder, by name.
fn files_below(folder: &std::path::Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files_below(&entry.path(), found);
        } else {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
}

/// A film's page cannot put a file on the disk, look, listen or ask where we are, and plays on.
/// About 6 s.
#[tokio::test]
async fn a_hostile_page_saves_nothing_and_is_given_no_permission() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let (folder, taken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let options = LaunchOptions {
        headless: true,
        no_sandbox: true,
        profile: Some(folder.path().to_owned()),
        // A camera there is, and a microphone: what is refused is the right to use them.
        extra_args: vec!["--use-fake-device-for-media-stream".into()],
        ..LaunchOptions::default()
    };
    let mut player = within(BrowserPlayer::launch(options)).await.unwrap();
    let media = Media {
        provider: Provider::Page,
        id: stage.films.url("/page"),
    };
    within(player.load(&media, MediaTime::from_secs(2)))
        .await
        .unwrap();
    let by_hand = async |player: &BrowserPlayer, code: String| {
        let mut evaluate = EvaluateParams::new(code);
        evaluate.user_gesture = Some(true);
        within(player.page().execute(evaluate)).await.unwrap();
    };
    let save = |name: &str| {
        format!(
            "{{ const a = document.createElement('a'); a.download = {name:?};
               a.href = URL.createObjectURL(new Blob(['#!/bin/sh']));
               document.body.append(a); a.click(); a.remove(); }} 1"
        )
    };
    let hostile = format!("seance-hostile-{}.txt", std::process::id());
    by_hand(&player, save(&hostile)).await;

    by_hand(
        &player,
        "window.told = {};
         navigator.geolocation.getCurrentPosition(() => told.place = 'given', e => told.place = e.code);
         for (const what of ['video', 'audio'])
           navigator.mediaDevices.getUserMedia({ [what]: true })
             .then(() => told[what] = 'given', e => told[what] = e.name);
         Notification.requestPermission().then(answer => told.notices = answer);
         navigator.clipboard.readText().then(() => told.clipboard = 'given', e => told.clipboard = e.name);
         1"
        .to_owned(),
    )
    .await;
    until_page(&player, "Object.keys(told).length === 5").await;
    let told = script(&player, "JSON.stringify(told)").await;
    let told: serde_json::Value = serde_json::from_str(told.as_str().unwrap()).unwrap();
    assert_eq!(told["place"], 1, "PERMISSION_DENIED: {told}");
    for what in ["video", "audio", "clipboard"] {
        assert_eq!(told[what], "NotAllowedError", "{told}");
    }
    assert_eq!(told["notices"], "denied", "{told}");

    // The same page asks for the same and is given it, once the person is made to say yes: what
    // refused it was no missing camera, and no page that may not ask.
    for name in ["camera", "microphone", "notifications"] {
        let yes =
            SetPermissionParams::new(PermissionDescriptor::new(name), PermissionSetting::Granted);
        within(player.page().execute(yes)).await.unwrap();
    }
    by_hand(
        &player,
        "window.given = {};
         for (const what of ['video', 'audio'])
           navigator.mediaDevices.getUserMedia({ [what]: true })
             .then(stream => { stream.getTracks().forEach(it => it.stop()); given[what] = true; },
                   e => given[what] = e.name);
         Notification.requestPermission().then(answer => given.notices = answer === 'granted');
         1"
        .to_owned(),
    )
    .await;
    until_page(&player, "Object.keys(given).length === 3").await;
    let given = script(&player, "JSON.stringify(given)").await;
    let given: serde_json::Value = serde_json::from_str(given.as_str().unwrap()).unwrap();
    for what in ["video", "audio", "notices"] {
        assert_eq!(given[what], true, "{given}");
    }

    // The same click saves a file where that is allowed: so the first one was refused, and is over.
    let mut allow = SetDownloadBehaviorParams::new(SetDownloadBehaviorBehavior::Allow);
    allow.download_path = Some(taken.path().to_string_lossy().into_owned());
    within(player.page().execute(allow)).await.unwrap();
    by_hand(&player, save("allowed.txt")).await;
    let there = async {
        while !taken.path().join("allowed.txt").exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(there).await;
    let mut found = Vec::new();
    files_below(folder.path(), &mut found);
    files_below(taken.path(), &mut found);
    let home = std::env::home_dir().unwrap_or_default();
    for place in [
        home.join("Downloads"),
        home.join("Desktop"),
        std::env::temp_dir(),
    ] {
        let names = std::fs::read_dir(place).into_iter().flatten().flatten();
        found.extend(names.map(|it| it.file_name().to_string_lossy().into_owned()));
    }
    assert!(found.iter().any(|name| name == "allowed.txt"));
    assert!(
        !found.iter().any(|name| name.contains("seance-hostile")),
        "{hostile} was saved"
    );

    // Nothing of it stopped the film.
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    within(player.close()).await;
}

#[tokio::test]
async fn a_named_profile_keeps_its_logins_and_serves_one_player_at_a_time() {
    let Some(stage) = Stage::enter().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let options = LaunchOptions {
        headless: true,
        no_sandbox: true,
        profile: Some(folder.path().to_owned()),
        ..LaunchOptions::default()
    };
    let media = Media {
        provider: Provider::Page,
        id: stage.films.url("/page"),
    };
    let mut player = within(BrowserPlayer::launch(options.clone()))
        .await
        .unwrap();
    within(player.load(&media, MediaTime::ZERO)).await.unwrap();
    script(&player, "document.cookie = 'login=yes; max-age=3600'").await;
    let second = within(BrowserPlayer::launch(options.clone()))
        .await
        .map(|_| ());
    assert_eq!(
        second,
        Err(PlayerError::Missing(
            "Chrome is already open with this profile. Close that window and try again.".into()
        ))
    );
    within(player.close()).await;

    let mut player = within(BrowserPlayer::launch(options)).await.unwrap();
    within(player.load(&media, MediaTime::ZERO)).await.unwrap();
    assert_eq!(script(&player, "document.cookie").await, "login=yes");
    within(player.close()).await;
    assert!(folder.path().exists());
}

#[tokio::test]
async fn one_film_follows_another_of_another_kind() {
    let Some((stage, _double, mut player)) = youtube().await else {
        return;
    };
    let video = youtube::media(youtube::PLAIN);
    let film = file(stage.films.url("/film.mp4"));
    for (media, secs) in [(&video, 3), (&film, 6), (&video, 9)] {
        within(player.load(media, MediaTime::from_secs(secs)))
            .await
            .unwrap();
        let told = local_now();
        player.play(told).await.unwrap();
        let playing = until(&mut player, is(Activity::Playing)).await;
        assert!(
            plays_from(&playing, MediaTime::from_secs(secs), told, 1_000),
            "{playing:?}"
        );
    }
    // Nobody told anything of the changes: the first notice is the user's.
    press(&player, "k", "KeyK", 75).await;
    assert!(matches!(
        within(player.notice()).await,
        Notice::UserPaused(_)
    ));
    player.close().await;
}

#[tokio::test]
async fn without_chrome_the_player_says_what_to_install() {
    let options = LaunchOptions {
        chrome: Some("/nowhere/chrome".into()),
        ..LaunchOptions::default()
    };
    let missing = BrowserPlayer::launch(options).await.map(|_| ());
    assert_eq!(
        missing,
        Err(PlayerError::Missing(
            "Chrome was not found. Install Chrome or Chromium, or join from the browser instead."
                .into()
        ))
    );
}

/// A double of YouTube and a player that finds it; `None` with a printed reason.
async fn youtube() -> Option<(Stage, Namesakes, BrowserPlayer)> {
    let stage = Stage::enter().await?;
    let film = Film::made().unwrap();
    let double = youtube::start(film, Film::advert().unwrap()).await;
    let player = launch(double.chrome_args()).await;
    Some((stage, double, player))
}

#[tokio::test]
async fn a_youtube_video_does_as_it_is_told() {
    let Some((_stage, _double, mut player)) = youtube().await else {
        return;
    };
    let start = MediaTime::from_secs(15);
    within(player.load(&youtube::media(youtube::PLAIN), start))
        .await
        .unwrap();
    let ready = player.sample().await.unwrap();
    assert_eq!(ready.activity, Activity::Paused);
    assert!(near(ready.position, start, 1_000), "{ready:?}");

    starts_on_time(&mut player, start).await;

    let (told, far) = (local_now(), MediaTime::from_secs(70));
    player.seek(far).await.unwrap();
    until(&mut player, |sample| plays_from(sample, far, told, 500)).await;
    player.set_rate(1.02).await.unwrap();
    until(&mut player, |sample| sample.rate == 1.02).await;
    let frame = MediaTime::from_secs(72);
    player.pause(frame).await.unwrap();
    let settled = until(&mut player, is(Activity::Paused)).await;
    assert!(near(settled.position, frame, 20), "{settled:?}");
    assert_eq!(script(&player, "double.autonav()").await, "false");

    // Of all that, nothing was told: the first notice is the user's.
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    click(&player, 300.0, 200.0).await;
    assert!(matches!(
        within(player.notice()).await,
        Notice::UserPaused(_)
    ));
    press(&player, "k", "KeyK", 75).await;
    assert_eq!(within(player.notice()).await, Notice::UserPlayed);
    // A seek the page wraps in pause and play is one act.
    until(&mut player, is(Activity::Playing)).await;
    click(&player, 60.0 + 720.0 / 4.0, 420.0).await;
    let Notice::UserSeeked(to) = within(player.notice()).await else {
        panic!("a click on the bar moves the film");
    };
    assert!(near(to, MediaTime::from_secs(30), 2_000), "{to:?}");
    until(&mut player, is(Activity::Playing)).await;
    click(&player, 30.0, 420.0).await;
    assert!(matches!(
        within(player.notice()).await,
        Notice::UserPaused(_)
    ));
    press(&player, ">", "Period", 190).await;
    assert_eq!(within(player.notice()).await, Notice::UserRated(1.25));
    player.close().await;
}

#[tokio::test]
async fn an_advertisement_is_shown_as_such_and_the_film_waits_behind_it() {
    let Some((_stage, _double, mut player)) = youtube().await else {
        return;
    };
    let start = MediaTime::from_secs(40);
    within(player.load(&youtube::media(youtube::PREROLL), start))
        .await
        .unwrap();
    let before = player.sample().await.unwrap();
    assert_eq!(before.activity, Activity::Advert);
    assert!(near(before.position, start, 1), "{before:?}");
    // The film stands at its start when the advertisement is over.
    script(&player, "double.skip()").await;
    let ready = until(&mut player, is(Activity::Paused)).await;
    assert!(near(ready.position, start, 1_000), "{ready:?}");

    // One in the middle: what the room does meanwhile is done after it.
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    script(&player, "double.advert()").await;
    let during = until(&mut player, is(Activity::Advert)).await;
    assert!(near(during.position, start, 3_000), "{during:?}");
    player.pause(MediaTime::from_secs(50)).await.unwrap();
    script(&player, "double.skip()").await;
    let after = until(&mut player, is(Activity::Paused)).await;
    assert!(
        near(after.position, MediaTime::from_secs(50), 1_000),
        "{after:?}"
    );

    // None of it was anybody's act.
    press(&player, "k", "KeyK", 75).await;
    assert_eq!(within(player.notice()).await, Notice::UserPlayed);
    player.close().await;
}

#[tokio::test]
async fn a_video_youtube_does_not_show_says_why() {
    let Some((_stage, _double, mut player)) = youtube().await else {
        return;
    };
    for (id, sentence) in [
        (
            youtube::UNAVAILABLE,
            "This video is not available on YouTube.",
        ),
        (
            youtube::PRIVATE,
            "YouTube wants you to sign in. Sign in in the Séance browser window; the film opens after that.",
        ),
        (
            youtube::AGE,
            "YouTube wants to know your age. Sign in in the Séance browser window; the film opens after that.",
        ),
        (
            youtube::REGION,
            "YouTube does not show this video in your country.",
        ),
        (youtube::NOT_YET, "This video has not begun yet on YouTube."),
        (
            youtube::CONSENT_ABOVE,
            "YouTube asks about cookies. Answer it in the Séance browser window; the film opens after that.",
        ),
        (
            youtube::CONSENT,
            "YouTube asks about cookies. Answer it in the Séance browser window; the film opens after that.",
        ),
    ] {
        let refused = within(player.load(&youtube::media(id), MediaTime::ZERO)).await;
        assert_eq!(refused, Err(PlayerError::Media(sentence.into())), "{id}");
    }
    // The user answers, and the film is there.
    until_page(&player, "document.querySelector('button') !== null").await;
    click(&player, 300.0, 200.0).await;
    until_healed(&mut player).await;
    player.close().await;
}

#[tokio::test]
async fn a_live_stream_on_youtube_is_played_and_paused_at_its_edge() {
    let Some((_stage, _double, mut player)) = youtube().await else {
        return;
    };
    let live = youtube::media(youtube::LIVE);
    within(player.load(&live, MediaTime::ZERO)).await.unwrap();
    let told = local_now();
    player.play(told).await.unwrap();
    let runs = until(&mut player, |sample| {
        sample.activity == Activity::Playing && sample.position > MediaTime::from_secs(1)
    })
    .await;
    assert_eq!(runs.duration, None);
    // The room's line is a clock, which begins with the picture; the film itself went to its edge.
    assert!(plays_from(&runs, MediaTime::ZERO, told, 100), "{runs:?}");
    let later = until(&mut player, |sample| {
        sample.position > MediaTime::from_secs(4)
    })
    .await;
    assert!(
        near(later.position, runs.position + (later.at - runs.at), 500),
        "{runs:?} {later:?}"
    );
    let element = "document.querySelector('.html5-main-video').currentTime";
    assert!(script(&player, element).await.as_f64().unwrap() > 100.0);
    player.close().await;
}

#[tokio::test]
async fn another_video_in_the_same_window_is_told() {
    let Some((_stage, _double, mut player)) = youtube().await else {
        return;
    };
    within(player.load(&youtube::media(youtube::PLAIN), MediaTime::ZERO))
        .await
        .unwrap();
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    script(&player, "double.navigate('otherfilm01')").await;
    let Notice::Failed(why) = within(player.notice()).await else {
        panic!("the film was left");
    };
    assert!(why.starts_with("Chrome left the film on YouTube."), "{why}");
    until_page(
        &player,
        "document.querySelector('.html5-main-video').paused",
    )
    .await;
    // And so is the way back: samples go on.
    script(&player, &format!("double.navigate({:?})", youtube::PLAIN)).await;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while player.sample().await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "it never healed");
        tokio::task::yield_now().await;
    }
    player.close().await;
}

/// The promises every player keeps, asked of real Chromes.
mod promises {
    use super::*;
    use seance::engine::unit::LocalTime;
    use seance::player::contract;

    impl contract::Stage for Stage {
        type Player = BrowserPlayer;
        type Hand = User;

        async fn open(&self) -> (BrowserPlayer, User) {
            let player = self.player().await;
            let user = User::of(&player, "document.querySelector('video').currentTime = @");
            (player, user)
        }

        fn media(&self) -> Media {
            file(self.films.url("/film.mp4"))
        }

        fn length(&self) -> Micros {
            Micros::from_secs(FILM_SECS as i64)
        }

        fn now(&self) -> LocalTime {
            local_now()
        }

        fn slack(&self) -> Micros {
            // A start after a seek takes up to 95 ms, and this machine is busy.
            Micros::from_millis(250)
        }
    }

    #[tokio::test]
    async fn chromium_keeps_every_promise_of_a_player() {
        let Some(stage) = Stage::enter().await else {
            return;
        };
        contract::every_promise(&stage).await;
    }
}
