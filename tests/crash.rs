//! The real program, killed and cut off from power while members write.
//!
//! A host is a `seance host` process; its members are the program's own client,
//! in this process, and write all the time. At a random moment the host gets
//! SIGKILL, or its file system loses power. Then its session is opened, verified
//! from the first event to the last, held against every promise any member ever
//! got ([`judge`]), and hosted again for the next round. Some kills strike while
//! the session is still being opened.
//!
//! The power cut is the kernel's own: an ext4 on a loop device is shut down
//! without flushing its journal (`EXT4_IOC_SHUTDOWN`, what file systems' own
//! power-failure tests use), so what reached the device stays and whatever was
//! dirty in memory is gone. The image is then mounted elsewhere, which replays
//! its journal as after a real cut. `fsfreeze` would not do: freezing writes
//! everything out first. What a disk with a lying cache may lose on top of that
//! is cut from a recorded trace in `tests/images.rs`.

#![cfg(all(feature = "server", target_os = "linux"))]
#![expect(
    clippy::disallowed_methods,
    reason = "other processes live in real time; every wait has a deadline"
)]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use seance::engine::event::{Event, codec};
use seance::engine::id::{Seq, SessionId};
use seance::log::EventLog as _;
use seance::log::store::Home;
use seance::net::link::JoinLink;
use support::dice::{Dice, base_seed, cases};
use support::members::{Guest, Judged, Record, judge};
use support::proxy::Cable;
use support::{Program, pause};
use tokio::runtime::Runtime;

/// How long one step may take on a busy machine.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// Members who write. Enough for commits of several members' lines.
const WRITERS: usize = 3;
/// How many unanswered lines a writer has at once.
const UNANSWERED_MAX: usize = 6;

/// How a host ends.
trait Fate {
    /// The folder of its sessions, for the next host.
    fn home(&self) -> PathBuf;
    /// Ends it, now.
    fn strike(&mut self, host: &mut Program, dice: &mut Dice);
}

/// SIGKILL: nothing of the process goes on, all that it wrote stays.
struct Killed(tempfile::TempDir);

impl Fate for Killed {
    fn home(&self) -> PathBuf {
        self.0.path().to_owned()
    }
    fn strike(&mut self, host: &mut Program, _: &mut Dice) {
        host.kill();
    }
}

/// A power cut under an ext4 image, which then comes up elsewhere.
struct CutOff {
    place: tempfile::TempDir,
    mounted: PathBuf,
    mounts: usize,
}

/// Runs a tool; its complaint when it fails.
fn tool(words: &[&str]) -> Result<(), String> {
    let output = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", words[0]))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {}", words[0], said.trim().replace('\n', " ")))
}

impl CutOff {
    fn new() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("mounting an image needs root".into());
        }
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        let image = place.path().join("disk");
        let file = std::fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(96 << 20).map_err(|error| error.to_string())?;
        tool(&["mkfs.ext4", "-q", "-F", &image.display().to_string()])?;
        let mut made = Self {
            mounted: place.path().join("0"),
            place,
            mounts: 0,
        };
        made.mount()?;
        made.shutdown()?;
        made.unmount();
        made.mount()?;
        Ok(made)
    }

    fn mount(&mut self) -> Result<(), String> {
        self.mounts += 1;
        let to = self.place.path().join(self.mounts.to_string());
        std::fs::create_dir(&to).map_err(|error| error.to_string())?;
        // The kernel's own rare commits must not help: only what is synced counts.
        let image = self.place.path().join("disk").display().to_string();
        let options = "loop,commit=300";
        tool(&[
            "mount",
            "-t",
            "ext4",
            "-o",
            options,
            &image,
            &to.display().to_string(),
        ])?;
        self.mounted = to;
        Ok(())
    }

    /// Power off: `_IOR('X', 125, __u32)` with `EXT4_GOING_FLAGS_NOLOGFLUSH`.
    fn shutdown(&self) -> Result<(), String> {
        const SHUTDOWN: &str = r#"
            open(my $root, "<", $ARGV[0]) or die "$ARGV[0]: $!";
            my $flags = pack("L", 2);
            ioctl($root, 0x8004587D, $flags) or die "EXT4_IOC_SHUTDOWN: $!";
        "#;
        tool(&["perl", "-e", SHUTDOWN, &self.mounted.display().to_string()])
    }

    fn unmount(&self) {
        let at = self.mounted.display().to_string();
        let began = Instant::now();
        // The killed process's last file closes a moment after it is gone.
        while let Err(why) = tool(&["umount", &at]) {
            assert!(began.elapsed() < WAIT_MAX, "{why}");
            pause(Duration::from_millis(20));
        }
    }
}

impl Fate for CutOff {
    fn home(&self) -> PathBuf {
        self.mounted.join("home")
    }
    fn strike(&mut self, host: &mut Program, dice: &mut Dice) {
        self.shutdown().expect("it could before");
        // What a host without a disk says in the meantime must be the truth too.
        pause(Duration::from_millis(dice.below(60)));
        host.kill();
        self.unmount();
        self.mount().expect("an ext4 mounts after a power cut");
    }
}

impl Drop for CutOff {
    fn drop(&mut self) {
        // A test that failed leaves no mount behind.
        let _ = tool(&["umount", "-l", &self.mounted.display().to_string()]);
    }
}

fn host(home: &Path, session: Option<SessionId>) -> Program {
    std::fs::create_dir_all(home.join("tmp")).expect("a folder for temporary files");
    let mut command = Command::new(env!("CARGO_BIN_EXE_seance"));
    command
        .args(["host", "--json", "--player", "none", "--name", "Host"])
        .args(["--bind", "127.0.0.1:0"])
        .env("SEANCE_HOME", home)
        .env("TMPDIR", home.join("tmp"))
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("SEANCE_LOG");
    match session {
        Some(session) => command.args(["--session", &session.to_string()]),
        None => command.args(["--title", "Crash"]),
    };
    Program::start("the host", command)
}

/// What `host --json` prints first.
fn link_of(host: &Program) -> JoinLink {
    host.wait("its link", |line| line["link"].as_str()?.parse().ok())
}

fn address_of(link: &JoinLink) -> std::net::SocketAddr {
    link.authority().parse().expect("an address and a port")
}

/// One session, struck again and again.
struct Evening {
    fate: Box<dyn Fate + Send>,
    dice: Dice,
    runtime: Arc<Runtime>,
    session: SessionId,
    cable: Cable,
    guests: Vec<Arc<Guest>>,
    writing: Arc<AtomicBool>,
    /// The log as it was after the last strike.
    truth: Vec<Event>,
    judged: Judged,
    while_opening: usize,
}

impl Evening {
    fn begin(fate: Box<dyn Fate + Send>, seed: u64, runtime: Arc<Runtime>) -> (Self, Program) {
        let host = host(&fate.home(), None);
        let link = link_of(&host);
        let cable = runtime.block_on(Cable::to(address_of(&link)));
        let through = JoinLink::new(
            &cable.address().to_string(),
            link.session,
            link.secret.clone(),
        );
        let writing = Arc::new(AtomicBool::new(true));
        let guests: Vec<Arc<Guest>> = (0..WRITERS)
            .map(|number| {
                let _inside = runtime.enter();
                let guest = Arc::new(Guest::join(&through, &format!("Guest {number}"), None));
                tokio::spawn(write(Arc::clone(&guest), number, Arc::clone(&writing)));
                guest
            })
            .collect();
        for guest in &guests {
            let came_in = runtime.block_on(guest.until(WAIT_MAX, |record| record.answers > 0));
            assert!(came_in, "nobody let {} in", guest.record().name);
        }
        let evening = Self {
            fate,
            dice: Dice::new(seed),
            runtime,
            session: link.session,
            cable,
            guests,
            writing,
            truth: Vec::new(),
            judged: Judged::default(),
            while_opening: 0,
        };
        (evening, host)
    }

    /// Lets a host live for a random while, usually until members write again, and strikes.
    fn round(&mut self, mut host: Program, is_open: bool) {
        if !is_open && self.dice.happens(25) {
            self.while_opening += 1;
            pause(Duration::from_millis(self.dice.below(120)));
        } else {
            let before: Vec<usize> = self.promises();
            self.cable.reroute(address_of(&link_of(&host)));
            let some = self.dice.index(WRITERS);
            let wanted = before[some] + 1 + self.dice.index(12);
            let guest = Arc::clone(&self.guests[some]);
            let writes = guest.until(WAIT_MAX, |record| record.accepted.len() >= wanted);
            assert!(
                self.runtime.block_on(writes),
                "{} could not go on: {:?}",
                guest.record().name,
                guest.record().over
            );
            pause(Duration::from_micros(self.dice.below(40_000)));
        }
        self.fate.strike(&mut host, &mut self.dice);
        self.check();
    }

    fn promises(&self) -> Vec<usize> {
        let of = |guest: &Arc<Guest>| guest.with(|record| record.accepted.len());
        self.guests.iter().map(of).collect()
    }

    fn records(&self) -> Vec<Record> {
        self.guests.iter().map(|guest| guest.record()).collect()
    }

    /// Opens what the strike left, and holds it against everything that was promised.
    fn check(&mut self) {
        let home = Home::at(&self.fate.home()).expect("the folder is there");
        let opened = home
            .open_session(self.session)
            .unwrap_or_else(|no| panic!("the session does not open any more: {no}"));
        let edge = opened.log.verify_all().expect("every record and the chain");
        let log = opened
            .log
            .read(Seq::FIRST, usize::MAX)
            .expect("every event");
        assert_eq!(edge.tail.get(), log.len() as u64 + 1);
        let goes_on = self.truth.len() <= log.len()
            && self
                .truth
                .iter()
                .zip(&log)
                .all(|(was, is)| codec::encode(was) == codec::encode(is));
        assert!(
            goes_on,
            "the log is not what it was after the strike before"
        );
        // Only now: whatever the log holds was asked before.
        let records = self.records();
        self.judged = judge(&log, &records).unwrap_or_else(|broken| panic!("{broken}"));
        self.truth = log;
    }

    /// The last host stays; everybody comes to rest and has seen the same.
    fn end(mut self, host: Program) -> (Judged, usize) {
        self.cable.reroute(address_of(&link_of(&host)));
        self.writing.store(false, Ordering::SeqCst);
        for guest in &self.guests {
            let rests = guest.until(WAIT_MAX, Record::is_settled);
            assert!(
                self.runtime.block_on(rests),
                "{} waits for answers",
                guest.record().name
            );
        }
        drop(host); // killed once more
        self.check();
        (self.judged, self.while_opening)
    }
}

/// Writes lines for as long as it is let, a few unanswered at once.
async fn write(guest: Arc<Guest>, number: usize, writing: Arc<AtomicBool>) {
    for line in 0.. {
        let room = |record: &Record| {
            record.over.is_some() || record.answers + UNANSWERED_MAX > record.asked.len()
        };
        while !guest.until(WAIT_MAX, room).await {}
        if !writing.load(Ordering::SeqCst) || guest.with(|record| record.over.is_some()) {
            return;
        }
        guest.say(&format!("line {line} of guest {number}")).await;
    }
}

/// Strikes so many sessions so often each; returns what was held against them.
fn strike(
    sessions: usize,
    rounds: usize,
    seed: u64,
    fate: impl Fn() -> Box<dyn Fate + Send> + Sync,
) -> (Judged, usize) {
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    let evening = |number: usize| {
        let (mut evening, mut running) =
            Evening::begin(fate(), seed + number as u64, Arc::clone(&runtime));
        for round in 0..rounds {
            evening.round(running, round == 0);
            running = host(&evening.fate.home(), Some(evening.session));
        }
        evening.end(running)
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..sessions)
            .map(|number| scope.spawn(move || evening(number)))
            .collect();
        let mut sum = (Judged::default(), 0);
        for one in running {
            let (judged, while_opening) = one
                .join()
                .unwrap_or_else(|failed| std::panic::resume_unwind(failed));
            sum.0.events += judged.events;
            sum.0.acknowledged += judged.acknowledged;
            sum.1 += while_opening;
        }
        sum
    })
}

#[test]
fn a_host_killed_at_any_moment_loses_nothing_it_acknowledged() {
    let (sessions, rounds) = (8, cases(2, 25));
    let (seed, began) = (base_seed(), Instant::now());
    let (judged, while_opening) = strike(sessions, rounds, seed, || {
        Box::new(Killed(tempfile::tempdir().expect("a temporary folder")))
    });
    println!(
        "proved: {} SIGKILLs ({while_opening} of them while opening) from seed {seed} in {:.0} s: \
         {} events, {} acknowledged, 0 lost, 0 logs that do not open",
        sessions * rounds,
        began.elapsed().as_secs_f64(),
        judged.events,
        judged.acknowledged,
    );
    assert!(judged.acknowledged > sessions * rounds / 2);
}

#[test]
fn a_host_whose_power_is_cut_loses_nothing_it_acknowledged() {
    if let Err(reason) = CutOff::new() {
        println!("skipped: no disk of our own to cut off: {reason}");
        return;
    }
    let (sessions, rounds) = (3, cases(1, 10));
    let (seed, began) = (base_seed(), Instant::now());
    let (judged, while_opening) = strike(sessions, rounds, seed, || {
        Box::new(CutOff::new().expect("it could before"))
    });
    println!(
        "proved: {} power cuts ({while_opening} of them while opening) from seed {seed} in {:.0} s: \
         {} events, {} acknowledged, 0 lost, 0 logs that do not open",
        sessions * rounds,
        began.elapsed().as_secs_f64(),
        judged.events,
        judged.acknowledged,
    );
    assert!(judged.acknowledged > sessions * rounds / 2);
}
