//! `seance replay --watch` and `--why`: an evening again, in a terminal.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use serde_json::json;

use crate::cli::PlayerName;
use crate::cli::evening::{CHROME_PROFILE, read_lines, told_to_stop};
use crate::cli::party::PlayerChoice;
use crate::cli::screening::{Scene, Screening, programme};
use crate::engine::id::Seq;
use crate::engine::projectionist::Pace;
use crate::engine::text::for_terminal;
use crate::engine::unit::{MediaTime, SessionTime};
use crate::log::store::Home;
use crate::os;
use crate::projection::rewatch::{Order, Programme, Reason, Why};
use crate::projection::terminal::{self, Style};
use crate::projection::view::span;

/// How to watch a past session again.
#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// Play it again, in its own time.
    #[arg(long, conflicts_with = "at")]
    watch: bool,
    /// How fast: 0.1 to 64 times.
    #[arg(long, value_name = "TIMES", requires = "watch", value_parser = pace)]
    speed: Option<Pace>,
    /// Where to begin: a session time such as 1:02.
    #[arg(long, value_name = "TIME", requires = "watch", value_parser = moment)]
    from: Option<SessionTime>,
    /// Sit through the stretches in which nothing happened, too.
    #[arg(long, requires = "watch")]
    with_waits: bool,
    /// Let a player follow the film along: a Chrome, or with --player=mpv your mpv.
    #[arg(long, value_enum, value_name = "PLAYER", requires = "watch",
          num_args = 0..=1, require_equals = true, default_missing_value = "browser")]
    player: Option<PlayerName>,
    /// Run that player without a window.
    #[arg(long, requires = "player")]
    headless: bool,
    /// Where your own copies of films lie, for mpv; may be given more than once.
    #[arg(long, value_name = "FOLDER", requires = "player")]
    films: Vec<PathBuf>,
    /// Why this event happened: who, by what input, and what called for it.
    #[arg(long, value_name = "SEQ", conflicts_with_all = ["watch", "at"])]
    why: Option<u64>,
}

fn pace(text: &str) -> Result<Pace, String> {
    Pace::parse(text).ok_or_else(|| format!("“{text}” is no speed between 0.1 and 64, such as 4"))
}

fn moment(text: &str) -> Result<SessionTime, String> {
    let time = MediaTime::parse(text);
    time.map(|time| SessionTime::new(time.get()))
        .ok_or_else(|| format!("“{text}” is no session time, such as 1:02 or 1:02:03"))
}

impl WatchArgs {
    /// Whether any of it was asked for.
    pub(super) const fn asked(&self) -> bool {
        self.watch || self.why.is_some()
    }
}

/// Does what was asked.
pub(super) async fn run(session: &str, args: WatchArgs, style: Style) -> Result<()> {
    let home = Home::open()?;
    let programme = programme(&home, session).await?;
    if let Some(seq) = args.why {
        let asking = tokio::task::spawn_blocking(move || programme.why(Seq::new(seq)));
        let why = asking.await?.map_err(|sentence| anyhow!(sentence))?;
        return Ok(print_why(&why, style)?);
    }
    let choice = match args.player {
        None | Some(PlayerName::None) => PlayerChoice::None,
        Some(PlayerName::Mpv) => PlayerChoice::Mpv {
            headless: args.headless,
            films: args.films,
        },
        Some(PlayerName::Browser) if cfg!(not(feature = "browser")) => {
            bail!(
                "This Séance was built without the Chrome player. Use --player=mpv, or leave --player out."
            )
        }
        Some(PlayerName::Browser) => PlayerChoice::Browser {
            headless: args.headless,
            profile: (!args.headless).then(|| home.root().join(CHROME_PROFILE)),
        },
    };
    greet(&programme, style)?;
    let mut screening = Screening::new(programme, choice, std::sync::Arc::new(os::local_now)).await;
    screening.order(Order::SkipWaits(!args.with_waits)).await;
    screening
        .order(Order::Pace(args.speed.unwrap_or_default()))
        .await;
    if let Some(from) = args.from {
        screening.order(Order::Seek(from)).await;
    }
    if args.player.is_some() {
        screening.open_player();
    }
    screening.order(Order::Play).await;
    let outcome = attend(&mut screening, style).await;
    screening.leave().await;
    outcome
}

fn greet(programme: &Programme, style: Style) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match style {
        Style::Json => writeln!(
            out,
            "{}",
            json!({ "replay": {
            "session": programme.session(), "title": programme.title(), "opened": programme.opened_wall(),
            "events": programme.events(), "end": programme.end(), "shown": programme.shown_length(),
            "digest": programme.digest().to_string(), "damage": programme.damage(),
        } })
        )?,
        Style::Words => {
            writeln!(
                out,
                "Replay of “{}”, {}: {} long. {}.",
                for_terminal(programme.title()),
                super::library::date(programme.opened_wall(), &jiff::tz::TimeZone::system()),
                programme.end(),
                programme.verdict(),
            )?;
            let left_out = programme.waits().total();
            if left_out > crate::engine::unit::Micros::ZERO {
                writeln!(
                    out,
                    "{} in which nothing happened are left out; --with-waits keeps them.",
                    span(left_out)
                )?;
            }
            if let Some(damage) = programme.damage() {
                writeln!(out, "! {}", for_terminal(&damage))?;
            }
        }
    }
    Ok(out.flush()?)
}

/// Shows the evening until its end, or until told to stop.
async fn attend(screening: &mut Screening, style: Style) -> Result<()> {
    let mut lines = read_lines();
    let mut stop = std::pin::pin!(told_to_stop());
    loop {
        tokio::select! {
            scene = screening.next() => match scene {
                Scene::Ran(from, to) => {
                    let programme = std::sync::Arc::clone(screening.programme());
                    let text = tokio::task::spawn_blocking(move || ran(&programme, from, to, style));
                    print(&text.await??)?;
                }
                Scene::Player(None) => {}
                Scene::Following(report) => if style == Style::Json {
                    print(&format!("{}\n", terminal::object("following", &report)))?;
                },
                Scene::Player(Some(sentence)) => print(&match style {
                    Style::Json => format!("{}\n", json!({ "player": sentence })),
                    Style::Words => format!("! {}\n", for_terminal(&sentence)),
                })?,
                Scene::End => {
                    let programme = screening.programme();
                    return print(&match style {
                        Style::Json => format!("{}\n", json!({ "replay": { "ended": programme.events(), "digest": programme.digest().to_string() } })),
                        Style::Words => format!("\nThe end.\n  digest {}\n", programme.digest()),
                    });
                }
            },
            Some(line) = lines.recv() => match obey(screening, line.trim(), style).await {
                Ok(Next::Stay) => {}
                Ok(Next::Leave) => return Ok(()),
                Err(error) => print(&match style {
                    Style::Json => format!("{}\n", json!({ "refused": { "sentence": format!("{error:#}") } })),
                    Style::Words => format!("! {}\n", for_terminal(&format!("{error:#}"))),
                })?,
            },
            () = &mut stop => return Ok(()),
        }
        if let Some(trouble) = screening.view().trouble {
            bail!("{trouble}");
        }
    }
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// What happened, as one prints it.
fn ran(programme: &Programme, from: Seq, to: Seq, style: Style) -> Result<String> {
    let mut text = String::new();
    match style {
        Style::Json => {
            for event in programme
                .events_in(from, to)
                .map_err(|sentence| anyhow!(sentence))?
            {
                text.push_str(&terminal::event_json(&event));
                text.push('\n');
            }
        }
        Style::Words => {
            for entry in programme.entries_in(from, to) {
                text.push_str(&terminal::entry(entry));
                text.push('\n');
            }
        }
    }
    Ok(text)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Stay,
    Leave,
}

/// What a line typed during a replay asks for.
const HELP: &str = "play · pause · seek 1:02:03 · next · previous · speed 4 · why 12 · quit";

async fn obey(screening: &mut Screening, line: &str, style: Style) -> Result<Next> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let order = match word {
        "" => return Ok(Next::Stay),
        "play" => Order::Play,
        "pause" => Order::Pause,
        "next" => Order::Next,
        "previous" => Order::Previous,
        "seek" => Order::Seek(moment(rest.trim()).map_err(|sentence| anyhow!(sentence))?),
        "speed" => Order::Pace(pace(rest).map_err(|sentence| anyhow!(sentence))?),
        "why" => {
            let seq = rest
                .trim()
                .parse()
                .context("Give the number of an event, such as `why 12`")?;
            print_why(&screening.why(Seq::new(seq)).await?, style)?;
            return Ok(Next::Stay);
        }
        "help" => {
            print(&format!("{HELP}\n"))?;
            return Ok(Next::Stay);
        }
        "quit" => return Ok(Next::Leave),
        _ => bail!("“{word}” means nothing here. There are: {HELP}"),
    };
    screening.order(order).await;
    Ok(Next::Stay)
}

fn print_why(why: &Why, style: Style) -> Result<(), std::io::Error> {
    let mut out = std::io::stdout().lock();
    match style {
        Style::Json => {
            let told = |reason: &Reason| json!({ "event": reason.event, "sentence": reason.sentence, "by": reason.by, "input": reason.input });
            writeln!(
                out,
                "{}",
                json!({ "why": {
                "chain": why.chain.iter().map(told).collect::<Vec<_>>(), "digest": why.digest.to_string(),
            } })
            )
        }
        Style::Words => {
            for (depth, reason) in why.chain.iter().enumerate() {
                let header = &reason.event.header;
                let because = if depth == 0 { "" } else { "because: " };
                let indent = "  ".repeat(depth);
                writeln!(out, "{indent}{because}{}", for_terminal(&reason.sentence))?;
                writeln!(
                    out,
                    "{indent}  event {}, session time {}; {}, {}; epoch {}, stamp {}",
                    header.seq,
                    header.at,
                    for_terminal(&reason.by),
                    reason.input,
                    header.epoch,
                    header.stamp
                )?;
            }
            writeln!(out, "  digest then {}", why.digest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_and_a_moment_are_refused_with_an_example() {
        assert_eq!(pace("4"), Ok(Pace::times(4)));
        assert!(pace("fast").unwrap_err().contains("such as 4"));
        assert_eq!(moment("1:02"), Ok(SessionTime::from_secs(62)));
        assert!(moment("x").unwrap_err().contains("such as 1:02"));
    }
}
