//! The Chromium player on the sites whose players it drives: local doubles, under the sites' own names.
//!
//! No site can be reached from a test. What the doubles imitate, and from where it is known, is in
//! docs/sites.md. Without Chromium or ffmpeg the tests say so and skip.
//!
//! The contract runs on several sites at once, beside the other tests: most of it is waiting. On
//! two quiet cores this file takes less than two minutes.

#![cfg(feature = "browser")]

mod doubles;
mod stage;

use doubles::{FILM_SECS, Film, Namesakes, or_skip, sites, think_aloud, youtube};
use seance::engine::media::{Media, Provider};
use seance::engine::unit::{LocalTime, MediaTime, Micros};
use seance::os::local_now;
use seance::player::browser::BrowserPlayer;
use seance::player::contract;
use seance::player::{Activity, Notice, Player, PlayerError};
use stage::{
    User, click, found_chrome, is, launch, near, plays_from, script, space, until, until_healed,
    until_page, within,
};
use tokio::sync::{Mutex, MutexGuard};

static STAGE: Mutex<()> = Mutex::const_new(());

/// The doubles, and one test's turn with them.
struct Town {
    doubles: Namesakes,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Town {
    /// The doubles, when it is this test's turn, or `None` with a printed reason.
    async fn enter() -> Option<Self> {
        let mut town = Self::open().await?;
        town._turn = Some(STAGE.lock().await);
        Some(town)
    }

    /// The doubles at once: the contract has time enough for everybody.
    async fn open() -> Option<Self> {
        think_aloud();
        found_chrome()?;
        let [film, fragments, advert] = [
            or_skip(Film::made())?,
            or_skip(Film::fragmented())?,
            or_skip(Film::advert())?,
        ];
        Some(Self {
            _turn: None,
            doubles: sites::start(film, fragments, advert).await,
        })
    }

    async fn player(&self) -> BrowserPlayer {
        launch(self.doubles.chrome_args()).await
    }

    /// A player with the film of this site, loaded at `start`.
    async fn at(&self, provider: Provider, id: &str, start: MediaTime) -> BrowserPlayer {
        let mut player = self.player().await;
        within(player.load(&sites::media(provider, id), start))
            .await
            .unwrap();
        player
    }

    /// The same, running.
    async fn running(&self, provider: Provider, id: &str, start: MediaTime) -> BrowserPlayer {
        let mut player = self.at(provider, id, start).await;
        player.play(local_now()).await.unwrap();
        until(&mut player, |sample| {
            sample.activity == Activity::Playing
                && sample.position > start + Micros::from_millis(200)
        })
        .await;
        player
    }
}

fn secs(secs: u64) -> MediaTime {
    MediaTime::from_secs(secs)
}

/// No double was handled in a way that breaks the real one.
async fn assert_unbroken(player: &BrowserPlayer) {
    assert_eq!(
        script(player, "double.crashed").await,
        serde_json::Value::Null
    );
}

/// One site as the contract's stage.
struct OneSite {
    args: Vec<String>,
    media: Media,
    length: Micros,
    slack: Micros,
}

impl contract::Stage for OneSite {
    type Player = BrowserPlayer;
    type Hand = User;

    async fn open(&self) -> (BrowserPlayer, User) {
        let player = launch(self.args.clone()).await;
        let user = User::of(&player, "double.drag(@)");
        (player, user)
    }

    fn media(&self) -> Media {
        self.media.clone()
    }

    fn length(&self) -> Micros {
        self.length
    }

    fn now(&self) -> LocalTime {
        local_now()
    }

    fn slack(&self) -> Micros {
        self.slack
    }

    fn may_stall(&self) -> bool {
        true // several Chromes at once on two cores
    }
}

/// The promises every player keeps, asked of each site's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_site_keeps_every_promise_of_a_player() {
    let Some(town) = Town::open().await else {
        return;
    };
    let youtube = youtube::start(Film::made().unwrap(), Film::advert().unwrap()).await;
    let film = Micros::from_secs(FILM_SECS as i64);
    // Several Chromes at once on two cores.
    let busy = Micros::from_millis(500);
    let site = |provider, id: &str| OneSite {
        args: town.doubles.chrome_args(),
        media: sites::media(provider, id),
        length: film,
        slack: busy,
    };
    let sites = [
        OneSite {
            args: youtube.chrome_args(),
            media: youtube::media(youtube::PLAIN),
            length: film,
            slack: busy,
        },
        OneSite {
            // Its seeks land up to 2.5 s early.
            slack: Micros::from_millis(2_600),
            ..site(Provider::Netflix, sites::NETFLIX)
        },
        OneSite {
            // Ten of the element's seconds lie before the film.
            length: film - Micros::from_secs(10),
            ..site(Provider::Prime, sites::PRIME)
        },
        site(Provider::Disney, sites::DISNEY),
        site(Provider::Vimeo, sites::VIMEO),
        site(Provider::Dailymotion, sites::DAILYMOTION),
        site(Provider::TwitchVod, sites::TWITCH),
    ];
    let only = std::env::var("SEANCE_SITE").ok();
    let at_once = std::sync::Arc::new(tokio::sync::Semaphore::new(4));
    let mut tasks = Vec::new();
    for site in sites {
        let name = site.media.provider.name();
        if only.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        let at_once = std::sync::Arc::clone(&at_once);
        tasks.push((
            name,
            tokio::spawn(async move {
                let _turn = at_once.acquire().await;
                contract::every_promise(&site).await;
            }),
        ));
    }
    let mut broken = Vec::new();
    for (name, task) in tasks {
        if task.await.is_err() {
            broken.push(name); // its sentence was printed when it panicked
        }
    }
    assert_eq!(broken, [""; 0], "these sites broke a promise");
}

/// What the user of a player did, next.
async fn next_act(player: &mut BrowserPlayer) -> Notice {
    within(player.notice()).await
}

#[tokio::test]
async fn netflix_is_driven_through_its_own_player_alone() {
    let Some(town) = Town::enter().await else {
        return;
    };
    let mut player = town
        .running(Provider::Netflix, sites::NETFLIX, secs(10))
        .await;
    // An advertisement adds to its time; the film's stands still behind it.
    script(&player, "double.advert()").await;
    let during = until(&mut player, is(Activity::Advert)).await;
    let after = until(&mut player, is(Activity::Playing)).await;
    assert!(
        near(after.position, during.position, 1_500),
        "{during:?} {after:?}"
    );
    // And so does a seek after it count the film alone.
    player.seek(secs(40)).await.unwrap();
    until(&mut player, |sample| {
        sample.activity == Activity::Playing && near(sample.position, secs(41), 3_600)
    })
    .await;
    // "Are you still watching?" is answered for the room.
    script(&player, "double.askWhetherThere()").await;
    until_page(
        &player,
        "document.querySelector('[data-uia=interrupt-autoplay-continue]') === null",
    )
    .await;
    until(&mut player, is(Activity::Playing)).await;
    assert_unbroken(&player).await;
    // The first notice of all is about the next episode, which is not the room's film.
    script(&player, "double.next()").await;
    let left = next_act(&mut player).await;
    assert!(
        matches!(&left, Notice::Failed(why) if why.starts_with("Chrome left the film on Netflix.")),
        "{left:?}"
    );
    until_page(
        &player,
        "document.querySelector('.watch-video video').paused",
    )
    .await;
    player.close().await;
}

/// The control of the tests around it: the double does break, as the site does, when its element
/// is written to, and all that we ever order does not break it.
#[tokio::test]
async fn netflix_breaks_when_its_element_is_written_to_and_our_orders_never_do_that() {
    let Some(town) = Town::enter().await else {
        return;
    };
    let mut player = town
        .running(Provider::Netflix, sites::NETFLIX, secs(10))
        .await;
    player.set_rate(1.01).await.unwrap();
    player.seek(secs(30)).await.unwrap();
    until(&mut player, |sample| {
        sample.activity == Activity::Playing && near(sample.position, secs(31), 3_600)
    })
    .await;
    player.set_rate(1.0).await.unwrap();
    player.pause(secs(33)).await.unwrap();
    until(&mut player, is(Activity::Paused)).await;
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    assert_unbroken(&player).await;

    script(
        &player,
        "document.querySelector('.watch-video video').currentTime += 1",
    )
    .await;
    until_page(&player, "double.crashed !== null").await;
    let shown = script(
        &player,
        "document.querySelector('[data-uia=error-container]').textContent",
    )
    .await;
    assert_eq!(shown, "M7375");
    let said = loop {
        match next_act(&mut player).await {
            Notice::Failed(why) => break why,
            _ => continue,
        }
    };
    assert!(said.contains("Netflix"), "{said}");
    player.close().await;
}

#[tokio::test]
async fn netflix_says_who_must_do_what_and_opens_after_it() {
    let Some(town) = Town::enter().await else {
        return;
    };
    let mut player = town.player().await;
    for (id, sentence) in [
        (
            sites::NETFLIX_PROTECTED,
            "This browser cannot open Netflix's protected films. Install Google Chrome (it brings Widevine) and start Séance again.",
        ),
        (
            sites::NETFLIX_PROFILE,
            "Netflix asks who is watching. Choose in the Séance browser window; the film opens after that.",
        ),
    ] {
        let refused = within(player.load(&sites::media(Provider::Netflix, id), secs(5))).await;
        assert_eq!(refused, Err(PlayerError::Media(sentence.into())), "{id}");
    }
    click(&player, 300.0, 200.0).await;
    until_healed(&mut player).await;

    let account = sites::media(Provider::Netflix, sites::NETFLIX_ACCOUNT);
    let refused = within(player.load(&account, secs(20))).await;
    let sentence = "Netflix wants you to sign in. Sign in in the Séance browser window; the film opens after that.";
    assert_eq!(refused, Err(PlayerError::Media(sentence.into())));
    // Signed in, the site shows its front page, and Séance the film.
    until_page(&player, "document.querySelector('button') !== null").await;
    click(&player, 300.0, 200.0).await;
    let healed = until_healed(&mut player).await;
    assert!(near(healed.position, secs(20), 100), "{healed:?}");
    assert_unbroken(&player).await;
    player.close().await;
}

#[tokio::test]
async fn prime_video_counts_the_film_and_not_what_lies_before_it() {
    let Some(town) = Town::enter().await else {
        return;
    };
    for id in [sites::PRIME_SCREEN, sites::PRIME_ELEMENT] {
        let mut player = town.running(Provider::Prime, id, secs(5)).await;
        // Far enough to crash the page, were the element sent there at once.
        let told = local_now();
        player.seek(secs(100)).await.unwrap();
        let landed = until(&mut player, |sample| {
            plays_from(sample, secs(100), told, 500)
        })
        .await;
        let element = script(&player, "video.currentTime").await.as_f64().unwrap();
        let since = (local_now() - told).get() as f64 / 1e6;
        assert!(
            (109.0..=111.0 + since).contains(&element),
            "{id}: {element} {landed:?}"
        );
        let told = local_now();
        player.seek(secs(20)).await.unwrap();
        until(&mut player, |sample| {
            plays_from(sample, secs(20), told, 500)
        })
        .await;
        // Four seconds of advertisement: the same film, later on the element.
        script(&player, "double.advert()").await;
        let during = until(&mut player, is(Activity::Advert)).await;
        let after = until(&mut player, is(Activity::Playing)).await;
        assert!(
            near(after.position, during.position, 5_500),
            "{during:?} {after:?}"
        );
        until(&mut player, |sample| {
            near(sample.position, after.position, 5_000)
                && sample.duration.is_some_and(|length| {
                    (length - Micros::from_secs(FILM_SECS as i64 - 14)).abs() < Micros::from_secs(1)
                })
        })
        .await;
        assert_unbroken(&player).await;
        player.close().await;
    }
}

#[tokio::test]
async fn prime_videos_page_about_a_film_asks_for_a_press() {
    let Some(town) = Town::enter().await else {
        return;
    };
    let mut player = town.player().await;
    let media = sites::media(Provider::Prime, sites::PRIME_PRESS);
    let refused = within(player.load(&media, secs(5))).await;
    let Err(PlayerError::Media(why)) = refused else {
        panic!("nothing plays yet: {refused:?}");
    };
    assert!(
        why.starts_with("Prime Video shows the page about the film. Start it there"),
        "{why}"
    );
    click(&player, 20.0, 10.0).await;
    let healed = until_healed(&mut player).await;
    assert!(near(healed.position, secs(5), 100), "{healed:?}");
    player.close().await;
}

#[tokio::test]
async fn disney_is_driven_through_shadows_and_signs_in_within_one_page() {
    let Some(town) = Town::enter().await else {
        return;
    };
    let mut player = town.player().await;
    let account = sites::media(Provider::Disney, sites::DISNEY_ACCOUNT);
    let refused = within(player.load(&account, secs(30))).await;
    let sentence = "Disney+ wants you to sign in. Sign in in the Séance browser window; the film opens after that.";
    assert_eq!(refused, Err(PlayerError::Media(sentence.into())));
    click(&player, 300.0, 200.0).await;
    let healed = until_healed(&mut player).await;
    assert!(near(healed.position, secs(30), 1_000), "{healed:?}");

    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    // Two seeks at once: the player takes one at a time, and the last one counts.
    let told = local_now();
    player.seek(secs(50)).await.unwrap();
    player.seek(secs(70)).await.unwrap();
    until(&mut player, |sample| {
        plays_from(sample, secs(70), told, 500)
    })
    .await;
    // A pause in the same breath as a seek is not lost.
    player.seek(secs(90)).await.unwrap();
    player.pause(secs(90)).await.unwrap();
    let stands = until(&mut player, |sample| {
        sample.activity == Activity::Paused && near(sample.position, secs(90), 500)
    })
    .await;
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    script(&player, "double.advert()").await;
    until(&mut player, is(Activity::Advert)).await;
    let after = until(&mut player, is(Activity::Playing)).await;
    assert!(near(after.position, stands.position, 3_000), "{after:?}");
    // Nobody wrote to the element's time, and nobody did any of this but us.
    assert_eq!(script(&player, "double.snapped ?? 0").await, 0);
    space(&player).await;
    assert!(matches!(next_act(&mut player).await, Notice::UserPaused(_)));
    player.close().await;
}

#[tokio::test]
async fn a_film_that_ends_is_stopped_before_its_site_shows_the_next() {
    let Some(town) = Town::enter().await else {
        return;
    };
    for (provider, id) in [
        (Provider::Vimeo, sites::VIMEO),
        (Provider::Dailymotion, sites::DAILYMOTION),
    ] {
        let near_end = MediaTime::from_millis(FILM_SECS * 1_000 - 2_000);
        let mut player = town.at(provider, id, near_end).await;
        player.play(local_now()).await.unwrap();
        assert_eq!(next_act(&mut player).await, Notice::Ended);
        let ended = until(&mut player, is(Activity::Ended)).await;
        assert!(
            ended.position > near_end + Micros::from_secs(1),
            "{ended:?}"
        );
        // The room goes back: it plays on as if nothing had been.
        let told = local_now();
        player.seek(secs(3)).await.unwrap();
        player.play(local_now()).await.unwrap();
        until(&mut player, |sample| plays_from(sample, secs(3), told, 500)).await;
        let at = script(&player, "location.pathname").await;
        assert!(at.as_str().unwrap().ends_with(id), "{at}");
        player.close().await;
    }
}

#[tokio::test]
async fn an_advertisement_in_an_element_of_its_own_is_no_pause() {
    let Some(town) = Town::enter().await else {
        return;
    };
    let preroll = sites::DAILYMOTION_PREROLL;
    let mut player = town.at(Provider::Dailymotion, preroll, secs(10)).await;
    until(&mut player, is(Activity::Advert)).await;
    script(&player, "double.skip()").await;
    let ready = until(&mut player, is(Activity::Paused)).await;
    assert!(near(ready.position, secs(10), 100), "{ready:?}");
    player.play(local_now()).await.unwrap();
    until(&mut player, is(Activity::Playing)).await;
    script(&player, "double.advert()").await;
    until(&mut player, is(Activity::Advert)).await;
    until(&mut player, is(Activity::Playing)).await;
    // The first notice of all is the user's.
    space(&player).await;
    assert!(matches!(next_act(&mut player).await, Notice::UserPaused(_)));
    player.close().await;
}

#[tokio::test]
async fn twitch_plays_recordings_clips_and_the_edge_of_what_is_live() {
    let Some(town) = Town::enter().await else {
        return;
    };
    let mut player = town.player().await;
    let gate = sites::media(Provider::TwitchVod, sites::TWITCH_GATE);
    let refused = within(player.load(&gate, secs(5))).await;
    assert!(
        matches!(&refused, Err(PlayerError::Media(why)) if why.starts_with("Twitch asks something before it plays.")),
        "{refused:?}"
    );
    click(&player, 300.0, 200.0).await;
    until_healed(&mut player).await;

    // A clip's own host leads on to the channel's; it is the same film.
    let clip = sites::media(Provider::TwitchClip, sites::TWITCH_CLIP);
    within(player.load(&clip, secs(3))).await.unwrap();

    // A channel has no timeline: the room's line is followed by a clock, its seeks lead to the edge.
    let live = sites::media(Provider::TwitchLive, sites::TWITCH_LIVE);
    within(player.load(&live, MediaTime::ZERO)).await.unwrap();
    let told = local_now();
    player.play(told).await.unwrap();
    let runs = until(&mut player, |sample| {
        sample.activity == Activity::Playing && sample.position > secs(1)
    })
    .await;
    assert_eq!(runs.duration, None);
    // Not before it was told to; how soon after is up to the page and its machine.
    assert!(plays_from(&runs, MediaTime::ZERO, told, 100), "{runs:?}");
    let later = until(&mut player, |sample| sample.position > secs(4)).await;
    assert!(
        near(later.position, runs.position + (later.at - runs.at), 500),
        "{runs:?} {later:?}"
    );
    let told = local_now();
    player.seek(secs(3_000)).await.unwrap();
    let sought = player.sample().await.unwrap();
    assert!(plays_from(&sought, secs(3_000), told, 100), "{sought:?}");
    player.pause(secs(3_001)).await.unwrap();
    let stands = until(&mut player, is(Activity::Paused)).await;
    assert!(near(stands.position, secs(3_001), 50), "{stands:?}");
    player.play(local_now()).await.unwrap();
    until(&mut player, |sample| {
        sample.activity == Activity::Playing && sample.position > secs(3_001)
    })
    .await;
    // It went back to its edge; the user's hand is still the user's.
    let element = script(&player, "video.currentTime").await.as_f64().unwrap();
    assert!(element > 100.0, "{element}");
    space(&player).await;
    assert!(matches!(next_act(&mut player).await, Notice::UserPaused(_)));
    player.close().await;
}

#[tokio::test]
async fn a_locked_video_asks_for_its_password() {
    let Some(town) = Town::enter().await else {
        return;
    };
    let mut player = town.player().await;
    let media = sites::media(Provider::Vimeo, sites::VIMEO_PRIVATE);
    // Whether a form comes before a film is known once the page had its time.
    let refused = within(player.load(&media, secs(5))).await;
    assert!(
        matches!(&refused, Err(PlayerError::Media(why)) if why.starts_with("Vimeo wants you to sign in.")),
        "{refused:?}"
    );
    player.close().await;
}

/// Whose doing it was is told by identity, never by time, against players that do everything at the wrong moment.
#[tokio::test]
async fn only_the_users_hand_is_the_users_hand() {
    let Some(town) = Town::enter().await else {
        return;
    };
    // Its double wraps each seek in pause and play, and answers it late.
    let mut player = town
        .running(Provider::TwitchVod, sites::TWITCH, secs(5))
        .await;
    // A click, and in the same moment the room seeks: the wrapping pause falls into the click's shadow.
    for to in [20, 40, 60] {
        script(&player, "document.activeElement.blur()").await;
        // A key that the page does nothing with is a trusted input all the same.
        stage::press(&player, "x", "KeyX", 88).await;
        player.seek(secs(to)).await.unwrap();
        until(&mut player, |sample| {
            sample.activity == Activity::Playing
                && sample.position > secs(to) + Micros::from_millis(400)
        })
        .await;
    }
    // The page pauses by itself while data stays away, right after a touch.
    stage::press(&player, "x", "KeyX", 88).await;
    script(
        &player,
        "video.dispatchEvent(new Event('waiting')); setTimeout(() => video.pause(), 50); 0",
    )
    .await;
    until(&mut player, is(Activity::Paused)).await;
    script(&player, "video.play(), 0").await;
    until(&mut player, is(Activity::Playing)).await;
    // One press is one pause, though the page starts again by itself at once.
    script(
        &player,
        "video.addEventListener('pause', () => setTimeout(() => core.play(), 450), { once: true }); 0",
    )
    .await;
    space(&player).await;
    assert!(matches!(next_act(&mut player).await, Notice::UserPaused(_)));
    until(&mut player, is(Activity::Playing)).await;

    player.play(local_now()).await.unwrap();
    // A correction is under way (a step back), and the user drags elsewhere meanwhile: theirs.
    player.seek(secs(30)).await.unwrap();
    let mut user = User::of(&player, "double.drag(@)");
    contract::Hand::drag_to(&mut user, secs(80)).await;
    let act = next_act(&mut player).await;
    assert!(
        matches!(act, Notice::UserSeeked(to) if near(to, secs(80), 1_500)),
        "{act:?}"
    );
    // While a slew is under way, a press is a press.
    player.set_rate(1.03).await.unwrap();
    space(&player).await;
    assert!(matches!(next_act(&mut player).await, Notice::UserPaused(_)));
    player.set_rate(1.0).await.unwrap();
    space(&player).await;
    assert_eq!(next_act(&mut player).await, Notice::UserPlayed);
    player.close().await;
}

#[tokio::test]
async fn a_player_of_a_site_that_chrome_holds_back_asks_for_a_click() {
    let Some(town) = Town::enter().await else {
        return;
    };
    let mut args = town.doubles.chrome_args();
    args.push("--autoplay-policy=document-user-activation-required".into());
    let mut player = launch(args).await;
    let media = sites::media(Provider::Netflix, sites::NETFLIX);
    within(player.load(&media, secs(5))).await.unwrap();
    player.play(local_now()).await.unwrap();
    assert_eq!(next_act(&mut player).await, Notice::NeedsClick);
    let sign = "document.documentElement.lastElementChild.textContent";
    assert_eq!(script(&player, sign).await, "Click to join with sound");
    click(&player, 300.0, 200.0).await;
    until(&mut player, is(Activity::Playing)).await;
    until_page(&player, &format!("{sign} !== 'Click to join with sound'")).await;
    assert_unbroken(&player).await;
    player.close().await;
}
