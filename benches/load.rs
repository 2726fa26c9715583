//! What a room costs its host, and how long its members wait: the real program under load.
//!
//! `scripts/bench load` runs it. `seance host` with its log on a real disk, beside two floors in
//! the same rounds: a server that only hands on bytes, and the same behind `fdatasync`. The
//! members are one thread (`load/crowd.rs`) whose own processor time is told as well, because a
//! generator that is the bottleneck measures itself. The server's processor time is the
//! system's account of that process, not the wall clock.
//!
//! Measured: everybody joins at once; a film is on and nobody acts; talk and control from the
//! sender's write until the last member has it, one at a time and 32 under way; as many events
//! as go through; memory; a member who never reads; a hundred rooms of ten.

#[path = "load/crowd.rs"]
mod crowd;
#[path = "load/raw.rs"]
mod raw;
#[path = "load/servers.rs"]
mod servers;
mod shared;

use anyhow::Result;
use clap::Parser;
use seance::engine::intent::Intent;
use seance::engine::unit::{MediaTime, Micros};
use seance::os;

use crowd::Crowd;
use servers::{Server, Target};
use shared::{Cpu, Figures, memory_kib};

/// What is said: as long as people's lines are.
pub const LINE: &str = "did you see who stood behind the door?";
/// What a newcomer asks for.
pub const CURSOR: u64 = 1;

/// What a floor says when a member is in: a frame of one byte.
const WELCOME: [u8; 3] = [0x82, 1, 0];

/// Lines said one at a time.
const LINES: usize = 60;
/// Seeks one at a time.
const SEEKS: usize = 30;
/// Lines said with [`WINDOW`] of them under way.
const BUSY_LINES: usize = 200;
/// The same where rooms share the host.
const BUSY_LINES_IN_ROOMS: usize = 1_000;
const WINDOW: usize = 32;
/// Lines under way when as many are said as go through.
const SATURATED: usize = 256;
/// Members whose asks, at the rate that a room allows each, fill a processor.
const SATURATING: usize = 1_000;

/// What a room costs its host, and how long its members wait.
#[derive(Debug, Parser)]
struct Args {
    /// How often everything is measured.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Members in the one room.
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000")]
    members: Vec<usize>,
    /// Only what has this in its name: raw, fdatasync, postcard, JSON.
    #[arg(long)]
    only: Option<String>,
    /// Rooms of ten in one process; 0 for none.
    #[arg(long, default_value_t = 100)]
    rooms: usize,
    /// Milliseconds of idling, and of saturation.
    #[arg(long, default_value_t = 2_000)]
    millis: i64,
    /// A profiler and its options to run the program under, such as 'valgrind --tool=dhat'.
    #[arg(long)]
    under: Option<String>,
    /// One JSON object a figure instead of tables.
    #[arg(long)]
    json: bool,
    /// The server's side, started by the bench itself.
    #[arg(long, hide = true)]
    be: Option<String>,
    /// `cargo bench` says so.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(part) = &args.be {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let served = match part.split_once(':') {
            Some((_, rooms)) => runtime.block_on(servers::serve_rooms(rooms.parse()?)),
            None if part == "raw" => runtime.block_on(raw::serve(None)),
            None => {
                let log = std::env::var(seance::log::store::HOME_VARIABLE)?;
                runtime.block_on(raw::serve(Some(std::path::Path::new(&log).join("log"))))
            }
        };
        runtime.shutdown_background();
        return served;
    }
    shared::tell_machine("load", args.json);
    let mut figures = Figures::default();
    let measured = measure(&mut figures, &args);
    // What was measured before something went wrong is no less true.
    figures.tell("load", args.json);
    measured
}

fn measure(figures: &mut Figures, args: &Args) -> Result<()> {
    let wanted = |target: &Target| {
        args.only
            .as_ref()
            .is_none_or(|part| target.name().contains(part.as_str()))
    };
    for _ in 0..args.rounds {
        for &members in &args.members {
            for target in Target::ALL.into_iter().filter(wanted) {
                one_room(figures, target, members, args)?;
            }
        }
        if args.rooms > 0 && wanted(&Target::Postcard) {
            many_rooms(figures, args.rooms, args.millis)?;
        }
    }
    Ok(())
}

/// Processor time and clock around something.
struct Lap {
    server: Cpu,
    own: Cpu,
    at: [f64; 2],
}

impl Lap {
    fn new(server: &Server) -> Self {
        let (mut server, mut own) = (Cpu::of(server.pid()), Cpu::of(std::process::id()));
        let at = [server.seconds(), own.seconds()];
        Self { server, own, at }
    }

    /// Seconds of the server's processor, and of our own, since the last call.
    fn lap(&mut self) -> [f64; 2] {
        let now = [self.server.seconds(), self.own.seconds()];
        let passed = [now[0] - self.at[0], now[1] - self.at[1]];
        self.at = now;
        passed
    }
}

fn say(_: u64) -> Intent {
    Intent::Say {
        text: LINE.to_owned(),
    }
}

fn seek(counter: u64) -> Intent {
    Intent::Seek {
        to: MediaTime::from_millis(counter % 500_000),
    }
}

fn seconds(micros: Micros) -> f64 {
    micros.get() as f64 / 1e6
}

/// The value below which that share of `took` lies, in milliseconds.
fn quantile(took: &[Micros], share: f64) -> f64 {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted
        .get(place.clamp(1, sorted.len().max(1)) - 1)
        .map_or(f64::NAN, |at| at.get() as f64 / 1e3)
}

/// Where the figures of one row go.
struct Row<'a> {
    figures: &'a mut Figures,
    name: String,
    /// The row that floors are held against, where there is one.
    floor: Option<String>,
}

impl Row<'_> {
    fn note(&mut self, title: &str, unit: &'static str, value: f64) {
        self.figures.note(title, unit, None, &self.name, value);
    }

    /// The same, with its ratio to the floor of the same round.
    fn beside_floor(&mut self, title: &str, unit: &'static str, value: f64) {
        let floor = self.floor.as_deref();
        self.figures.note(title, unit, floor, &self.name, value);
    }
}

fn one_room(figures: &mut Figures, target: Target, members: usize, args: &Args) -> Result<()> {
    let (server, millis) = (Server::start(target, args.under.as_deref())?, args.millis);
    let mut crowd = Crowd::new(target, server.rooms.clone())?;
    let mut row = Row {
        figures,
        name: format!("{members}: {}", target.name()),
        floor: Some(format!("{members}: raw + fdatasync")),
    };
    let mut lap = Lap::new(&server);

    let before = memory_kib(server.pid(), "VmRSS");
    join(&mut row, &mut crowd, &mut lap, members)?;
    if target.is_ours() {
        idle(&mut row, &mut crowd, &mut lap, members, millis)?;
    }
    row.note(
        "Memory",
        "KiB of the server a member",
        (memory_kib(server.pid(), "VmRSS") - before) / members as f64,
    );

    talk(&mut row, &mut crowd)?;
    if target.is_ours() {
        crowd.ask_all(SEEKS, 1, seek)?;
        let took = quantile(&crowd.took, 0.5);
        row.beside_floor("A seek, one at a time: p50", "ms", took);
    }
    busy_talk(&mut row, &mut crowd, BUSY_LINES)?;

    if members >= SATURATING {
        saturate(&mut row, &mut crowd, &mut lap, millis)?;
        if target.is_ours() {
            crowd.one_goes_deaf()?;
            row.name.push_str(", one never reads");
            saturate(&mut row, &mut crowd, &mut lap, millis)?;
        }
    }
    Ok(())
}

fn many_rooms(figures: &mut Figures, rooms: usize, millis: i64) -> Result<()> {
    const EACH: usize = 10;
    let server = Server::start_rooms(rooms)?;
    let mut crowd = Crowd::new(Target::Postcard, server.rooms.clone())?;
    let mut row = Row {
        figures,
        name: format!("{rooms} rooms of {EACH}: séance, postcard"),
        floor: None,
    };
    let mut lap = Lap::new(&server);
    let before = memory_kib(server.pid(), "VmRSS");
    join(&mut row, &mut crowd, &mut lap, EACH)?;
    let members = rooms * EACH;
    idle(&mut row, &mut crowd, &mut lap, members, millis)?;
    row.note(
        "Memory",
        "KiB of the server a member",
        (memory_kib(server.pid(), "VmRSS") - before) / members as f64,
    );
    talk(&mut row, &mut crowd)?;

    let deliveries = crowd.count.deliveries;
    lap.lap();
    busy_talk(&mut row, &mut crowd, BUSY_LINES_IN_ROOMS)?;
    let [server_cpu, _] = lap.lap();
    let deliveries = (crowd.count.deliveries - deliveries) as f64;
    row.name.push_str(", 32 under way");
    row.note(
        PROCESSOR,
        "s of the server for 100,000 deliveries",
        server_cpu * 1e5 / deliveries,
    );
    Ok(())
}

/// Everybody joins at once, `each` in every room.
fn join(row: &mut Row, crowd: &mut Crowd, lap: &mut Lap, each: usize) -> Result<()> {
    let began = os::local_now();
    crowd.join(each)?;
    let joined = os::local_now() - began;
    crowd.settle()?;
    let [server_cpu, _] = lap.lap();
    let title = "Everybody joins at once";
    row.note(title, "s until the last is in", seconds(joined));
    let title = "Everybody joins at once: processor";
    row.note(title, "s of the server", server_cpu);
    row.note(
        "Everybody joins at once: traffic",
        "MB from the server",
        crowd.count.bytes as f64 / 1e6,
    );
    Ok(())
}

/// A film is on in every room, and nobody acts.
fn idle(
    row: &mut Row,
    crowd: &mut Crowd,
    lap: &mut Lap,
    members: usize,
    millis: i64,
) -> Result<()> {
    crowd.just_ask(&Intent::Load {
        url: "https://youtu.be/YE7VzlLtp-4".to_owned(),
    })?;
    crowd.just_ask(&Intent::Play {})?;
    crowd.reporting = true;
    crowd.pass(Micros::from_millis(millis / 2 + 1_000))?;
    lap.lap();
    let (bytes, idle) = (crowd.count.bytes, Micros::from_millis(millis));
    crowd.pass(idle)?;
    let [server_cpu, _] = lap.lap();
    let client_seconds = members as f64 * seconds(idle);
    row.note(
        "The film is on, nobody acts: processor",
        "µs of the server a client and second",
        server_cpu * 1e6 / client_seconds,
    );
    row.note(
        "The film is on, nobody acts: traffic",
        "bytes from the server a client and second",
        (crowd.count.bytes - bytes) as f64 / client_seconds,
    );
    crowd.reporting = false;
    crowd.settle()
}

/// Lines said one at a time.
fn talk(row: &mut Row, crowd: &mut Crowd) -> Result<()> {
    crowd.ask_all(LINES, 1, say)?;
    row.beside_floor(
        "A line, one at a time: p50",
        "ms until the last member has it",
        quantile(&crowd.took, 0.5),
    );
    let slow = quantile(&crowd.took, 0.99);
    row.beside_floor("A line, one at a time: p99", "ms", slow);
    Ok(())
}

/// Lines said with [`WINDOW`] of them under way.
fn busy_talk(row: &mut Row, crowd: &mut Crowd, lines: usize) -> Result<()> {
    crowd.ask_all(lines, WINDOW, say)?;
    for (title, share) in [
        ("A line, 32 under way: p50", 0.5),
        ("A line, 32 under way: p99", 0.99),
        ("A line, 32 under way: max", 1.0),
    ] {
        row.beside_floor(title, "ms", quantile(&crowd.took, share));
    }
    Ok(())
}

const PROCESSOR: &str = "As many lines as go through: processor";

fn saturate(row: &mut Row, crowd: &mut Crowd, lap: &mut Lap, millis: i64) -> Result<()> {
    let deliveries = crowd.count.deliveries;
    lap.lap();
    let took = crowd.saturate(Micros::from_millis(millis), SATURATED, say)?;
    let [server, own] = lap.lap();
    let deliveries = (crowd.count.deliveries - deliveries) as f64;
    row.beside_floor(
        "As many lines as go through",
        "deliveries a second",
        deliveries / seconds(took),
    );
    row.beside_floor(
        PROCESSOR,
        "s of the server for 100,000 deliveries",
        server * 1e5 / deliveries,
    );
    row.note(
        "As many lines as go through: the generator's own processor",
        "s for 100,000 deliveries",
        own * 1e5 / deliveries,
    );
    Ok(())
}
