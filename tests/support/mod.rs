//! The program under test, as its users run it: processes, their words and what they print.

#![allow(dead_code, reason = "every test file uses another part of the support")]
#![allow(
    clippy::disallowed_methods,
    reason = "deadlines of real processes run on real time"
)]

#[cfg(feature = "browser")]
pub mod chrome;
pub mod dice;
#[cfg(feature = "server")]
pub mod members;
pub mod proxy;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take on a busy machine before a test gives up on it.
///
/// Longer than the minute after which a player that stuttered is slewed again
/// (`engine/sync/controller.rs`): on such a machine one may need that minute to be in step.
pub const DEADLINE: Duration = Duration::from_secs(150);

/// How long a Chrome that nobody steers any more may take to end, and its folder to be removed;
/// the shell that holds its leash kills it after five seconds.
const REMOVAL_MAX: Duration = Duration::from_secs(20);

/// Removes a folder into which somebody who is just ending may still write.
pub fn remove_in_the_end(folder: &Path) {
    let began = Instant::now();
    while std::fs::remove_dir_all(folder).is_err()
        && folder.exists()
        && began.elapsed() < REMOVAL_MAX
    {
        pause(Duration::from_millis(20));
    }
}

/// A home of its own for one test, gone with it.
pub struct Home(tempfile::TempDir);

impl Drop for Home {
    fn drop(&mut self) {
        // A program that was killed leaves its Chrome to the shell that holds the leash, and that
        // writes into its profile until it is gone: what is removed before it comes back.
        let began = Instant::now();
        while !chromes_of(self).is_empty() && began.elapsed() < REMOVAL_MAX {
            pause(Duration::from_millis(20));
        }
        remove_in_the_end(self.path());
    }
}

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A command of the program with this home.
    pub fn command(&self, args: &[&str]) -> Command {
        // Another build of it where speed is measured.
        let program = std::env::var_os("SEANCE_PROGRAM");
        let mut command =
            Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_seance").into()));
        let temp = self.path().join("tmp");
        std::fs::create_dir_all(&temp).expect("a folder for temporary files");
        command
            .args(args)
            .env("SEANCE_HOME", self.path())
            .env("TMPDIR", temp)
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("SEANCE_LOG");
        command
    }

    /// Runs a command of the program to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        let output = self
            .command(args)
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        Ran(output)
    }

    /// Starts a command that goes on.
    pub fn start(&self, who: &str, args: &[&str]) -> Program {
        Program::start(who, self.command(args))
    }
}

/// What a finished command left.
pub struct Ran(Output);

impl Ran {
    pub fn ok(&self) -> bool {
        self.0.status.success()
    }

    pub fn code(&self) -> Option<i32> {
        self.0.status.code()
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// Each printed line as JSON.
    pub fn json(&self) -> Vec<Value> {
        assert!(self.ok(), "the command failed: {}", self.stderr());
        let stdout = self.stdout();
        stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line of JSON"))
            .collect()
    }

    /// The one sentence a failed command says.
    pub fn refusal(&self) -> String {
        let stderr = self.stderr();
        assert!(
            !self.ok(),
            "it should have failed; it printed: {}",
            self.stdout()
        );
        assert!(!stderr.contains("panicked"), "{stderr}");
        stderr.trim().to_owned()
    }
}

#[derive(Default)]
struct Heard {
    lines: Vec<Value>,
    ended: bool,
}

/// A running program and everything it printed so far.
pub struct Program {
    who: String,
    child: Child,
    stdin: Option<ChildStdin>,
    heard: Arc<(Mutex<Heard>, Condvar)>,
    errors: Arc<Mutex<String>>,
}

impl Program {
    pub fn start(who: &str, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let heard = Arc::new((Mutex::new(Heard::default()), Condvar::new()));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let shared = Arc::clone(&heard);
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let Ok(line) = line else { break };
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                let lock = || {
                    shared
                        .0
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                };
                lock().lines.push(value);
                shared.1.notify_all();
            }
            let mut heard = shared
                .0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            heard.ended = true;
            drop(heard);
            shared.1.notify_all();
        });
        let errors = Arc::new(Mutex::new(String::new()));
        let (mut stderr, shared) = (child.stderr.take().unwrap(), Arc::clone(&errors));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut buffer) {
                shared
                    .lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        let stdin = child.stdin.take();
        Self {
            who: who.to_owned(),
            child,
            stdin,
            heard,
            errors,
        }
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Types a line.
    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("its input is open");
        writeln!(stdin, "{line}").expect("it reads its input");
    }

    /// Ends its input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Everything it printed so far.
    pub fn lines(&self) -> Vec<Value> {
        self.heard.0.lock().unwrap().lines.clone()
    }

    /// Waits until what it printed, from line `from` on, gives an answer.
    pub fn wait_from<T>(&self, from: usize, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        let began = Instant::now();
        let mut heard = self.heard.0.lock().unwrap();
        loop {
            if let Some(found) = heard.lines.iter().skip(from).find_map(&find) {
                return found;
            }
            let left = DEADLINE.saturating_sub(began.elapsed());
            assert!(
                !heard.ended,
                "{} ended while waiting for {what}:\n{}",
                self.who,
                self.tail(&heard)
            );
            assert!(
                !left.is_zero(),
                "{} never printed {what}; it printed:\n{}",
                self.who,
                self.tail(&heard)
            );
            heard = self.heard.1.wait_timeout(heard, left).unwrap().0;
        }
    }

    /// Waits for so long at most whether what it prints, from line `from` on, gives an answer.
    pub fn wait_briefly<T>(
        &self,
        length: Duration,
        from: usize,
        find: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let began = Instant::now();
        let mut heard = self.heard.0.lock().unwrap();
        loop {
            if let Some(found) = heard.lines.iter().skip(from).find_map(&find) {
                return Some(found);
            }
            let left = length.saturating_sub(began.elapsed());
            if left.is_zero() || heard.ended {
                return None;
            }
            heard = self.heard.1.wait_timeout(heard, left).unwrap().0;
        }
    }

    /// Waits until it printed something that gives an answer.
    pub fn wait<T>(&self, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        self.wait_from(0, what, find)
    }

    /// Waits for an event with a body of this kind, from line `from` on, and returns it.
    pub fn wait_event(&self, from: usize, kind: &str) -> Value {
        self.wait_from(from, &format!("an event {kind}"), |line| {
            line.get("event")
                .filter(|event| !event["body"][kind].is_null())
                .cloned()
        })
    }

    /// How many lines it printed so far: where to look from for what comes next.
    pub fn mark(&self) -> usize {
        self.heard.0.lock().unwrap().lines.len()
    }

    /// Asks for its folded state and waits until it includes event `seq`.
    pub fn state_at_least(&mut self, seq: u64) -> Value {
        self.wait(&format!("event {seq}"), |line| {
            (line["event"]["seq"].as_u64()? >= seq).then_some(())
        });
        let from = self.mark();
        self.say(r#"{"state":{}}"#);
        self.wait_from(from, "its state", |line| {
            line.get("state").map(|_| line.clone())
        })
    }

    /// Every event it printed, in order.
    pub fn events(&self) -> Vec<Value> {
        self.lines()
            .iter()
            .filter_map(|line| line.get("event").cloned())
            .collect()
    }

    /// Waits until it ends by itself; returns whether it called that a success.
    pub fn wait_end(&mut self) -> bool {
        let began = Instant::now();
        let mut heard = self.heard.0.lock().unwrap();
        while !heard.ended {
            let left = DEADLINE.saturating_sub(began.elapsed());
            assert!(
                !left.is_zero(),
                "{} does not end:\n{}",
                self.who,
                self.tail(&heard)
            );
            heard = self.heard.1.wait_timeout(heard, left).unwrap().0;
        }
        drop(heard);
        self.child.wait().expect("it ends").success()
    }

    /// Ends it as a crash would: at once, without a word.
    pub fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Asks it to end, as the system does.
    pub fn terminate(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it can be told");
    }

    /// What it wrote to standard error.
    pub fn errors(&self) -> String {
        self.errors.lock().unwrap().clone()
    }

    fn tail(&self, heard: &Heard) -> String {
        let skip = heard.lines.len().saturating_sub(25);
        let lines: Vec<_> = heard
            .lines
            .iter()
            .skip(skip)
            .map(Value::to_string)
            .collect();
        format!(
            "{}\n--- standard error:\n{}",
            lines.join("\n"),
            self.errors()
        )
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let heard = self
                .heard
                .0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            eprintln!("--- {} printed last:\n{}", self.who, self.tail(&heard));
        }
        // Whatever state it is in, it must not outlive its test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The words that start a host called Ana, without a player, on a free port of this machine alone;
/// `more` may say otherwise.
pub fn host_words<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["host", "--json"];
    for usual in [
        ["--name", "Ana"],
        ["--bind", "127.0.0.1:0"],
        ["--player", "none"],
    ] {
        if !more.contains(&usual[0]) {
            words.extend(usual);
        }
    }
    words.extend(more);
    words
}

/// The words by which somebody joins in a terminal, without a player.
pub fn join_words<'a>(link: &'a str, name: &'a str) -> [&'a str; 7] {
    ["join", "--json", link, "--name", name, "--player", "none"]
}

/// What `host --json` prints first: session and link.
pub fn opened(host: &Program) -> (String, String) {
    host.wait("its link", |line| {
        Some((
            line["session"].as_str()?.to_owned(),
            line["link"].as_str()?.to_owned(),
        ))
    })
}

/// Where the host of a link listens.
pub fn address_of(link: &str) -> String {
    link.trim_start_matches("http://")
        .split('/')
        .next()
        .expect("a link has an address")
        .to_owned()
}

/// Waits until a program is in the party.
pub fn live(program: &Program) {
    live_from(program, 0);
}

/// Waits until a program is in the party again, from line `from` on.
pub fn live_from(program: &Program, from: usize) {
    program.wait_from(from, "that it is live", |line| {
        (line["connection"]["state"] == "live").then_some(())
    });
}

/// A process of a Chrome that a program with some home started.
struct ChromeProcess {
    number: i32,
    /// The first of them, which ends the others.
    first: bool,
}

/// Every process of every Chrome of programs with this home; none where processes are not files.
fn chromes_of(home: &Home) -> Vec<ChromeProcess> {
    let home = home.path().display().to_string();
    let read = |process: &std::fs::DirEntry, what: &str| {
        let bytes = std::fs::read(process.path().join(what)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let ours = |process: std::fs::DirEntry| {
        let number = process.file_name().to_str()?.parse().ok()?;
        let words = read(&process, "cmdline");
        let program = words.split('\0').next().unwrap_or_default();
        // Some of them are not told where the profile is, and inherit the home all the same.
        let is_ours = program.contains("chrom")
            && !program.contains("crashpad")
            && (words.contains(&home) || read(&process, "environ").contains(&home));
        is_ours.then(|| ChromeProcess {
            number,
            first: !words.contains("--type="),
        })
    };
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(ours)
        .collect()
}

/// Ends every Chrome of programs with this home, as its user closing it would; returns how many.
pub fn close_chrome_of(home: &Home) -> usize {
    let first = chromes_of(home).into_iter().filter(|chrome| chrome.first);
    let closed = first.filter(|chrome| {
        let number = rustix::process::Pid::from_raw(chrome.number).expect("a process has a number");
        rustix::process::kill_process(number, rustix::process::Signal::TERM).is_ok()
    });
    closed.count()
}

/// Lets another program work before it is asked again; conditions have deadlines, this is only their pace.
pub fn pause(length: Duration) {
    std::thread::sleep(length);
}

/// Whether tests with a browser can run here, and why not.
pub fn found_chrome() -> Result<(), &'static str> {
    // The program's own search, so that both agree.
    #[cfg(feature = "browser")]
    let found = seance::player::browser::find_chrome().is_some();
    #[cfg(not(feature = "browser"))]
    let found = false;
    found
        .then_some(())
        .ok_or("no Chrome or Chromium that this program would drive")
}
