//! The command line: one file a subcommand, and the ways of taking part they share.
//!
//! Standard output is for what was asked for, in words or as one JSON object a
//! line; diagnostics go to standard error. Every error is one sentence that says
//! what to do, and exit code 1 (2 for a wrong command line).

pub mod doctor;
pub mod evening;
pub mod hosting;
pub mod library;
pub mod nearby;
pub mod party;
pub mod reach;
mod rewatch;
pub mod screening;
pub mod sim;
pub mod ticket;
mod traced;
pub mod tunnel;
#[cfg(feature = "gui")]
pub mod window;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::projection::terminal::Style;
use party::PlayerChoice;

/// A watch party whose only truth is its log: everyone in step, every session replayable.
#[derive(Debug, Parser)]
#[command(
    name = "seance",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "Examples:\n  seance                                    open the window\n  seance host --media https://youtu.be/YE7VzlLtp-4\n  seance join 'http://192.168.1.7:7878/#…'\n  seance replay 'Film night'\n\nSEANCE_HOME says where sessions are kept; SEANCE_LOG=debug says more on standard error."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Host a party from this terminal.
    #[command(
        after_help = "Examples:\n  seance host --title 'Film night' --name Ana --media https://youtu.be/YE7VzlLtp-4\n  seance host --session 'Film night'      go on with a past session\n  seance host --player mpv --media ~/films/metropolis.mkv\n  seance host --bind 127.0.0.1:0 --player none --json\n  seance host --tunnel ngrok              friends join from anywhere\n  seance host --public https://party.example.org --auto-cert    by your own domain\n\nWhile it runs, type words (help lists them) or, with --json, intents as JSON objects, one a line."
    )]
    Host(HostArgs),
    /// Join a party from this terminal.
    #[command(
        after_help = "Example:\n  seance join 'http://192.168.1.7:7878/#…' --name Bo\n  seance join 'http://192.168.1.7:7878/#…' --player mpv --films ~/films\n\nQuote the link: it has a # in it. SEANCE_PASSCODE holds the passcode for scripts; people are asked for it."
    )]
    Join(JoinArgs),
    /// List past sessions.
    #[command(after_help = "Example:\n  seance sessions --json")]
    Sessions(Output),
    /// Print a past session event by event, or the state at one point of it; or watch it again.
    #[command(
        after_help = "Examples:\n  seance replay 'Film night'\n  seance replay 7m3k --at 120          the state after event 120\n  seance replay 7m3k --at 1:02:03      the state at that session time\n  seance replay 7m3k --watch --speed 4 --from 1:02\n  seance replay 7m3k --why 42          who, by what input, and what called for it\n  seance replay 7m3k --plot Bo         how far Bo's player was off, drawn\n  seance replay 7m3k --svg error.svg   the same of everybody, as a picture"
    )]
    Replay(ReplayArgs),
    /// Check that a session's log is whole: every record, the chain over them, and the fold.
    #[command(after_help = "Example:\n  seance verify 'Film night'")]
    Verify(SessionArgs),
    /// Write a session into one file, to keep or to hand to somebody.
    #[command(after_help = "Example:\n  seance export 'Film night' film-night.seance")]
    Export(ExportArgs),
    /// Add a session from such a file to this machine's past sessions.
    #[command(after_help = "Example:\n  seance import film-night.seance")]
    Import(ImportArgs),
    /// List the parties on this network by name.
    #[command(after_help = "Example:\n  seance nearby --seconds 10 --json")]
    Nearby(nearby::NearbyArgs),
    /// Keep, forget or look for the token of the way through ngrok.
    #[command(subcommand, after_help = "Example:\n  seance tunnel login")]
    Tunnel(tunnel::TunnelCommand),
    /// Check this machine from end to end: disk, clock, display, player, network, tunnel.
    #[command(after_help = "Example:\n  seance doctor")]
    Doctor(Output),
    /// Repeat a simulated party in which things go wrong; the same seed, the same party.
    #[command(
        after_help = "Examples:\n  seance sim --seed 108 --trace        one party, step by step\n  seance sim --runs 2000 --jobs 2      many, until one breaks a law\n  seance sim --seed 5 --minutes 150    a whole evening"
    )]
    Sim(sim::SimArgs),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  seance completions bash > ~/.local/share/bash-completion/completions/seance"
    )]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page.
    #[command(after_help = "Example:\n  seance man > seance.1")]
    Man,
}

/// How to print.
#[derive(Clone, Copy, Debug, Args)]
pub struct Output {
    /// One JSON object a line instead of words.
    #[arg(long)]
    json: bool,
}

impl Output {
    /// As the terminal takes it.
    pub fn style(self) -> Style {
        if self.json { Style::Json } else { Style::Words }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PlayerName {
    /// The user's Chrome or Chromium.
    Browser,
    /// The user's mpv: films on this disk, film addresses, and sites that yt-dlp knows.
    Mpv,
    /// None: talk and control only.
    None,
}

#[derive(Debug, Args)]
struct PlayerArgs {
    /// What shows the film here [default: browser, where there is a display].
    #[arg(long, value_enum)]
    player: Option<PlayerName>,
    /// Run the player without a window.
    #[arg(long)]
    headless: bool,
    /// Where your own copies of films lie, for mpv; may be given more than once.
    #[arg(long, value_name = "FOLDER")]
    films: Vec<PathBuf>,
}

impl PlayerArgs {
    fn choice(&self, profile: PathBuf) -> PlayerChoice {
        let wanted = self.player.unwrap_or_else(|| {
            if cfg!(feature = "browser") && (self.headless || doctor::has_display()) {
                PlayerName::Browser
            } else {
                PlayerName::None
            }
        });
        match wanted {
            PlayerName::None => PlayerChoice::None,
            PlayerName::Mpv => PlayerChoice::Mpv {
                headless: self.headless,
                films: self.films.clone(),
            },
            // A player without a window is nobody's own browser: it keeps no logins.
            PlayerName::Browser => PlayerChoice::Browser {
                headless: self.headless,
                profile: (!self.headless).then_some(profile),
            },
        }
    }
}

#[derive(Debug, Args)]
struct HostArgs {
    /// What to call the party.
    #[arg(long)]
    title: Option<String>,
    /// What you are called.
    #[arg(long)]
    name: Option<String>,
    /// Where to listen; port 0 takes any free one [default: all networks, port 7878].
    #[arg(long, value_name = "ADDR:PORT")]
    bind: Option<SocketAddr>,
    /// What to watch first; with mpv also a film on this disk.
    #[arg(long, value_name = "URL|FILE")]
    media: Option<String>,
    /// Go on with a past session: its id, the beginning of it, or its title.
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// Do not announce the party on this network.
    #[arg(long)]
    unlisted: bool,
    #[command(flatten)]
    ways: tunnel::WayArgs,
    #[command(flatten)]
    player: PlayerArgs,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
struct JoinArgs {
    /// The link the host shared, in quotes; `-` reads it from standard input's first line,
    /// so that nobody else on this machine sees it in the list of processes.
    link: String,
    /// What you are called.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    player: PlayerArgs,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
struct SessionArgs {
    /// The session's id, the beginning of it, or its title.
    session: String,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
struct ReplayArgs {
    /// The session's id, the beginning of it, or its title.
    session: String,
    /// Only the state at this point: an event's number, or a session time such as 1:02:03.
    #[arg(long, value_name = "SEQ|TIME")]
    at: Option<String>,
    /// Print what was observed beside the log, of one member or of everybody.
    #[arg(long, value_name = "MEMBER", num_args = 0..=1, default_missing_value = "", conflicts_with = "at")]
    trace: Option<String>,
    /// Draw how far a member's player was off, or everybody's.
    #[arg(long, value_name = "MEMBER", num_args = 0..=1, default_missing_value = "", conflicts_with = "at")]
    plot: Option<String>,
    /// Write that drawing into a new SVG file.
    #[arg(long, value_name = "FILE", conflicts_with = "at")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    watch: rewatch::WatchArgs,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// The session's id, the beginning of it, or its title.
    session: String,
    /// The file to write; it must not exist yet.
    file: PathBuf,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
struct ImportArgs {
    /// The file to read.
    file: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// Reads the command line and does what it says.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    start_log();
    match execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("seance: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error as one sentence: what went wrong, and what went wrong underneath where that is not said yet.
fn sentence(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        // Many an error quotes its cause and names it again as its source.
        if !said.contains(&cause) {
            let colon = if said.is_empty() { "" } else { ": " };
            said = format!("{said}{colon}{cause}");
        }
    }
    said
}

fn execute(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        None => open_window(),
        Some(Command::Host(args)) => in_runtime(evening::host(args)),
        Some(Command::Join(args)) => in_runtime(evening::join(args)),
        Some(Command::Sessions(output)) => library::sessions(output.style()),
        Some(Command::Replay(args)) if args.watch.asked() => in_runtime(async move {
            let style = args.output.style();
            rewatch::run(&args.session, args.watch, style).await
        }),
        Some(Command::Replay(args)) => {
            let wanted = traced::Wanted {
                list: args.trace,
                plot: args.plot,
                svg: args.svg,
            };
            if wanted.is_some() {
                return traced::show(&args.session, &wanted, args.output.style());
            }
            library::replay(&args.session, args.at.as_deref(), args.output.style())
        }
        Some(Command::Verify(args)) => library::verify(&args.session, args.output.style()),
        Some(Command::Export(args)) => {
            library::export(&args.session, &args.file, args.output.style())
        }
        Some(Command::Import(args)) => library::import(&args.file, args.output.style()),
        Some(Command::Nearby(args)) => in_runtime(nearby::run(args)),
        Some(Command::Tunnel(command)) => tunnel::run(command),
        Some(Command::Doctor(output)) => in_runtime(doctor::run(output.style())),
        Some(Command::Sim(args)) => sim::run(&args),
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Cli::command(), "seance", &mut std::io::stdout());
            Ok(())
        }
        Some(Command::Man) => {
            Ok(clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?)
        }
    }
}

#[cfg(feature = "gui")]
fn open_window() -> anyhow::Result<()> {
    if !doctor::has_display() {
        anyhow::bail!(
            "There is no display to open a window on. Host from this terminal with `seance host`, or join with `seance join LINK`."
        );
    }
    window::open()
}

#[cfg(not(feature = "gui"))]
fn open_window() -> anyhow::Result<()> {
    anyhow::bail!(
        "This Séance was built without its window. Host with `seance host`, or join with `seance join LINK`."
    )
}

/// Runs one command on its own runtime, which ends with it.
fn in_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(work);
    // A line of standard input may never come; nothing waits for the thread that reads it.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    outcome
}

fn start_log() {
    use tracing_subscriber::EnvFilter;
    let mut filter = EnvFilter::try_from_env("SEANCE_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,chromiumoxide=off"));
    // These write whole frames at their most talkative, and so links' secrets, tokens and passcodes:
    // a log is for handing to somebody.
    for quiet in [
        "tungstenite=info",
        "tokio_tungstenite=info",
        "ngrok=info",
        "muxado=info",
    ] {
        filter = filter.add_directive(quiet.parse().expect("a directive of our own"));
    }
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Colours are for people at a terminal, not for files.
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(false)
        .init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_cause_that_is_quoted_already_is_not_said_twice() {
        let missing = || std::io::Error::other("no such file");
        let quoting =
            anyhow::Error::new(missing()).context("a.seance cannot be read: no such file");
        assert_eq!(sentence(&quoting), "a.seance cannot be read: no such file");
        let silent = anyhow::Error::new(missing()).context("a.seance cannot be read");
        assert_eq!(sentence(&silent), "a.seance cannot be read: no such file");
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                help.contains("Example"),
                "{} has no example",
                command.get_name()
            );
        }
    }
}
