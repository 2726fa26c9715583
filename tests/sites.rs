//! The Chromium player on the sites whose players it drives: local doubles, under the sites' own names.
//!
//! No site can be reached from a test. What the doubles imitate, and from where it is known, is in
//! docs/sites.md. Without Chromium or ffmpeg the tests say so and skip.
//!
//! The contract runs on several sites at once: most of it is waiting. On two quiet cores this
//! file takes about two minutes.

#![cfg(feature = "browser")]

mod doubles;
mod stage;

use doubles::sites::{self, SiteDoubles};
use doubles::youtube::{self, YoutubeDouble};
use doubles::{FILM_SECS, Film};
use seance::engine::media::{Media, Provider};
use seance::engine::unit::{LocalTime, MediaTime, Micros};
use seance::os::local_now;
use seance::player::browser::{BrowserPlayer, find_chrome};
use seance::player::contract;
use seance::player::{Activity, Notice, Player, PlayerError};
use stage::{
    User, click, is, launch, near, script, space, until, until_healed, until_page, within,
};
use tokio::sync::{Mutex, MutexGuard};

static STAGE: Mutex<()> = Mutex::const_new(());

/// One test's hold of the machine, and the doubles.
struct Town {
    doubles: SiteDoubles,
    _alone: MutexGuard<'static, ()>,
}

impl Town {
    /// The doubles, or `None` with a printed reason.
    async fn enter() -> Option<Self> {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        if find_chrome().is_none() {
            eprintln!("skipped: no Chromium (set SEANCE_CHROME)");
            return None;
        }
        let films = || Ok::<_, String>((Film::made()?, Film::fragmented()?, Film::advert()?));
        match films() {
            Err(why) => {
                eprintln!("skipped: {why}");
                None
            }
            Ok((film, fragments, advert)) => Some(Self {
                _alone: STAGE.lock().await,
                doubles: SiteDoubles::start(film, fragments, advert).await,
            }),
        }
    }

    async fn player(&self) -> BrowserPlayer {
        launch(self.doubles.chrome_args()).await
    }

    /// A player with the film of this site, loaded at `start`.
    async fn at(&self, provider: Provider, id: &str, start: MediaTime) -> BrowserPlayer {
        let mut player = self.player().await;
        within(player.load(&SiteDoubles::media(provider, id), start))
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
}

/// The promises every player keeps, asked of each site's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_site_keeps_every_promise_of_a_player() {
    let Some(town) = Town::enter().await else {
        return;
    };
    let youtube = YoutubeDouble::start(Film::made().unwrap(), Film::advert().unwrap()).await;
    let film = Micros::from_secs(FILM_SECS as i64);
    // Several Chromes at once on two cores.
    let busy = Micros::from_millis(500);
    let site = |provider, id: &str| OneSite {
        args: town.doubles.chrome_args(),
        media: SiteDoubles::media(provider, id),
        length: film,
        slack: busy,
    };
    let sites = [
        OneSite {
            args: youtube.chrome_args(),
            media: YoutubeDouble::media(youtube::PLAIN),
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
