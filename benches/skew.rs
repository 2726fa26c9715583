//! How far players of one party are apart: real Chromium processes, a real film, one timeline.
//!
//! `scripts/bench skew` runs it. Each world is a party of its own in this
//! process: a room, its server on loopback, and members who each dial it, keep
//! its clock and drive a headless Chromium, exactly as `seance join` does. A
//! script in each film's page notes the media clock at every screen refresh
//! with the page's own time; the pages' clocks are mapped onto this machine's
//! by many short exchanges, whose bounds are intersected (±0.2 ms as a rule).
//!
//! The first world has no room: players started together and left alone. It is
//! the baseline in the same run, because what a busy machine adds, it adds to
//! both. Worlds end by themselves; `--json` prints a line a phase instead.
//!
//! What is simulated: a player whose film runs fast or slow (its rate is
//! multiplied, as a sound card's crystal does) and a network (`Wan`, a proxy
//! that delays and keeps order; a lost packet is a wait for its retransmission,
//! because a proxy of TCP cannot lose bytes). A film that runs out of data comes
//! from a server that sends little more than is played (`slow`), and then
//! nothing to one player for a while.

#[cfg(feature = "browser")]
#[path = "../tests/doubles/mod.rs"]
mod doubles;
#[cfg(feature = "browser")]
#[path = "skew/party.rs"]
mod party;
#[cfg(feature = "browser")]
#[path = "skew/slow.rs"]
mod slow;
#[cfg(feature = "browser")]
#[path = "skew/tell.rs"]
mod tell;
#[cfg(feature = "browser")]
#[path = "skew/track.rs"]
mod track;
#[cfg(feature = "browser")]
#[path = "skew/wan.rs"]
mod wan;

#[cfg(not(feature = "browser"))]
fn main() {
    eprintln!("skipped: built without the Chrome player");
}

#[cfg(feature = "browser")]
fn main() -> anyhow::Result<()> {
    run::main()
}

#[cfg(feature = "browser")]
mod run {
    use std::time::Duration;

    use anyhow::{Context as _, Result, anyhow};
    use clap::Parser;
    use seance::engine::unit::{LocalTime, MediaTime, Micros};
    use seance::os;
    use seance::player::Player as _;

    use super::doubles::{Film, Server};
    use super::party::{Kind, Party, Setting, launch, media_of, start_sampling};
    use super::slow::SlowFilm;
    use super::tell::{Phase, Teller};
    use super::track::{Line, Track};
    use super::wan::Weather;

    /// After a start or a seek, so long until figures count as settled.
    const SETTLING: Micros = Micros::from_secs(3);

    /// How far players of one party are apart.
    #[derive(Debug, Parser)]
    struct Args {
        /// How many players.
        #[arg(long, default_value_t = 2)]
        players: usize,
        /// What the simulated network's dice start from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Seconds of undisturbed playing.
        #[arg(long, default_value_t = 60)]
        rest: u64,
        /// Which worlds: free, room, mpv, mixed (Chrome, a guest page, mpv, in turn), ppm, 300ppm,
        /// fast, wan, uneven [default: all; with --short all but ppm and fast].
        #[arg(long, value_delimiter = ',')]
        worlds: Vec<String>,
        /// Fewer seeks and shorter rests: less than eight minutes in all.
        #[arg(long)]
        short: bool,
        /// At the end, the table of docs/in-step.md.
        #[arg(long, conflicts_with = "json")]
        markdown: bool,
        /// How often each world is run.
        #[arg(long, default_value_t = 1)]
        repeat: usize,
        /// One JSON object a phase instead of a table.
        #[arg(long)]
        json: bool,
        /// Every sample of the error, to this file, as JSON lines.
        #[arg(long)]
        raw: Option<std::path::PathBuf>,
        /// `cargo bench` says so.
        #[arg(long, hide = true)]
        bench: bool,
    }

    pub fn main() -> Result<()> {
        let mut args = Args::parse();
        if args.worlds.is_empty() {
            let all = [
                "free", "room", "mpv", "mixed", "ppm", "300ppm", "fast", "wan", "uneven",
            ];
            let rare = |world: &&str| !(args.short && ["ppm", "fast"].contains(world));
            args.worlds = all
                .iter()
                .filter(|one| rare(one))
                .map(ToString::to_string)
                .collect();
        }
        if args.short {
            args.rest = args.rest.min(30);
        }
        if std::env::var_os("RUST_LOG").is_some() {
            tracing_subscriber::fmt()
                .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
                .with_writer(std::io::stderr)
                .init();
        }
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?
            .block_on(bench(args))
    }

    async fn bench(args: Args) -> Result<()> {
        let film = Film::made().map_err(|why| anyhow!(why))?;
        let slow = SlowFilm::start(film.mp4.clone()).await?;
        let films = Server::films(film).await;
        let url = films.url("/film.mp4");
        let mut teller = Teller::new(args.json, args.markdown, args.raw.as_deref())?;
        teller.machine(args.players)?;
        for round in 0..args.repeat {
            for name in &args.worlds {
                let setting = setting(name, &args, round as u64)?;
                let mpv = setting
                    .as_ref()
                    .is_some_and(|setting| setting.kinds.contains(&Kind::Mpv));
                if mpv && seance::player::mpv::find_mpv().is_none() {
                    eprintln!("skipped: the world {name:?} wants mpv, and there is none");
                    continue;
                }
                let told = match setting {
                    None => free(&args, &url, &mut teller).await,
                    Some(setting) => {
                        let films = (url.as_str(), &slow);
                        world(name, setting, &args, films, &mut teller).await
                    }
                };
                told.with_context(|| format!("the world {name:?} broke down"))?;
            }
        }
        teller.summary();
        Ok(())
    }

    fn setting(name: &str, args: &Args, round: u64) -> Result<Option<Setting>> {
        let seed = args.seed.wrapping_mul(1_000).wrapping_add(round);
        let plain = Setting {
            players: args.players,
            kinds: vec![Kind::Chrome],
            seed,
            film_ppm: vec![0.0],
            weather: None,
        };
        Ok(match name {
            "free" => None,
            "room" | "fast" => Some(plain),
            "mpv" => Some(Setting {
                kinds: vec![Kind::Mpv],
                ..plain
            }),
            "mixed" => Some(Setting {
                // One of each at least.
                players: args.players.max(3),
                kinds: vec![Kind::Chrome, Kind::Page, Kind::Mpv],
                ..plain
            }),
            "ppm" => Some(Setting {
                film_ppm: vec![50.0, -50.0],
                ..plain
            }),
            "300ppm" => Some(Setting {
                film_ppm: vec![300.0, 0.0],
                ..plain
            }),
            "wan" => Some(Setting {
                film_ppm: vec![50.0, -50.0],
                weather: Some(Weather::WAN),
                ..plain
            }),
            "uneven" => Some(Setting {
                weather: Some(Weather::UNEVEN),
                ..plain
            }),
            other => return Err(anyhow!("there is no world {other:?}")),
        })
    }

    /// Players started at one moment and left alone: the baseline.
    async fn free(args: &Args, url: &str, teller: &mut Teller) -> Result<()> {
        let mut players = Vec::new();
        let mut pages = Vec::new();
        for _ in 0..args.players {
            let mut player = launch().await?;
            player
                .load(&media_of(url)?, MediaTime::from_secs(5))
                .await?;
            pages.push(player.page().clone());
            players.push(player);
        }
        for page in &pages {
            start_sampling(page).await?;
        }
        let at = os::local_now() + Micros::from_secs(1);
        for player in &mut players {
            player.play(at).await?;
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
        let mut tracks = Vec::new();
        for page in &pages {
            tracks.push(Track::drain(page).await?);
        }
        for player in players {
            player.close().await;
        }
        let line = Line {
            from: at,
            position: MediaTime::from_secs(5),
            rate: 1.0,
        };
        let until = at + Micros::from_secs(18);
        teller.phase(Phase::of(
            "free",
            "left alone",
            &tracks,
            line,
            at + SETTLING,
            until,
        ))
    }

    /// A party: start, pauses, seeks, rest.
    async fn world(
        name: &str,
        setting: Setting,
        args: &Args,
        (url, slow): (&str, &SlowFilm),
        teller: &mut Teller,
    ) -> Result<()> {
        let full = matches!(name, "room" | "mpv" | "mixed" | "wan");
        let places: &[u64] = if args.short {
            &[40, 15]
        } else {
            &[40, 15, 70, 25, 10]
        };
        let mut party = Party::open(setting, url).await?;
        let mut watched = Watched { name, teller };
        let line = party.play().await?;
        watched.look(&mut party, "start", line, 8).await?;
        if full {
            for _ in 0..if args.short { 1 } else { 2 } {
                party.pause().await?;
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                let line = party.play().await?;
                watched.look(&mut party, "pause, play", line, 6).await?;
            }
            for to in places {
                let line = party.seek(MediaTime::from_secs(*to)).await?;
                watched.look(&mut party, "seek", line, 6).await?;
            }
        } else {
            if name == "fast" {
                let line = party.rate(1_250).await?;
                watched.look(&mut party, "rate 1.25", line, 8).await?;
            }
            let line = party.seek(MediaTime::from_secs(10)).await?;
            watched.look(&mut party, "seek", line, 6).await?;
        }
        if name == "room" {
            let from = party.stop_a_chrome(10).await?;
            let line = party.line().from(from);
            watched.look(&mut party, "stopped 10 s", line, 12).await?;
            let line = party.seek(MediaTime::from_secs(10)).await?;
            watched.look(&mut party, "seek", line, 6).await?;
            let from = party.restart_host().await?;
            let line = party.line().from(from);
            watched.look(&mut party, "host restart", line, 12).await?;
        }
        let line = party.line();
        let rest = if full { args.rest } else { args.rest / 2 };
        watched.look(&mut party, "rest", line, rest).await?;
        if name == "room" {
            party.show(&slow.url()).await?;
            let line = party.play().await?;
            watched.look(&mut party, "slow film", line, 5).await?;
            let line = party.stall(slow, 8).await?;
            watched.look(&mut party, "stall", line, 10).await?;
        }
        party.close().await;
        Ok(())
    }

    struct Watched<'a> {
        name: &'a str,
        teller: &'a mut Teller,
    }

    impl Watched<'_> {
        /// Waits `secs` and tells how it went.
        async fn look(
            &mut self,
            party: &mut Party,
            phase: &'static str,
            line: Line,
            secs: u64,
        ) -> Result<()> {
            let rests = phase == "rest";
            let began = os::local_now();
            let until = began.max(line.from) + Micros::from_secs(secs as i64);
            tokio::time::sleep(wait(until)).await;
            let tracks = party.tracks().await?;
            // A room that waits for somebody begins a new line; figures against the old one say little.
            let end = until.get() as f64;
            let moved = (party.line().at(end) - line.at(end)) / 1e3;
            if moved.abs() > 2.0 {
                eprintln!(
                    "the room waited for somebody: its line moved by {moved:.0} ms during the next line's phase"
                );
            }
            let settled = if rests { began } else { line.from + SETTLING };
            let told = Phase::of(self.name, phase, &tracks, line, settled, until);
            self.teller.phase(told)
        }
    }

    fn wait(until: LocalTime) -> Duration {
        Duration::from_micros((until - os::local_now()).get().max(0) as u64)
    }
}
