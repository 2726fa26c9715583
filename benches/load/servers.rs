//! The servers under test, each a process of its own, ended with the bench.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use seance::cli::hosting::{self, HostOptions};
use seance::engine::id::SessionId;
use seance::log::store::{HOME_VARIABLE, Home};
use seance::net::link::JoinLink;
use serde_json::Value;

/// How many milliseconds a server may take to say where it listens; a hundred rooms are a hundred
/// databases.
const START_WAIT_MAX: u64 = 120_000;

/// What is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Bytes handed on.
    Raw,
    /// The same behind `fdatasync`.
    RawSync,
    /// `seance host`, its members speaking postcard.
    Postcard,
    /// The same in JSON, as pages speak.
    Json,
}

impl Target {
    pub const ALL: [Self; 4] = [Self::Raw, Self::RawSync, Self::Postcard, Self::Json];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::RawSync => "raw + fdatasync",
            Self::Postcard => "séance, postcard",
            Self::Json => "séance, JSON",
        }
    }

    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Postcard | Self::Json)
    }
}

/// Where one room is.
#[derive(Clone, Debug)]
pub struct Place {
    pub address: SocketAddr,
    pub session: SessionId,
    pub secret: String,
}

/// A running server. Its files vanish with it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub rooms: Vec<Place>,
    _home: tempfile::TempDir,
}

impl Server {
    /// The real program with one room, or a floor.
    pub fn start(target: Target, under: Option<&str>) -> Result<Self> {
        let mut command = if target.is_ours() {
            let mut words = under.into_iter().flat_map(str::split_whitespace);
            let program = env!("CARGO_BIN_EXE_seance");
            let mut command = Command::new(words.next().unwrap_or(program));
            if under.is_some() {
                command.args(words).arg(program);
            }
            command.args([
                "host",
                "--player",
                "none",
                "--json",
                "--bind",
                "127.0.0.1:0",
                "--name",
                "Ana",
            ]);
            command
        } else {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg(if target == Target::Raw {
                "--be=raw"
            } else {
                "--be=raw-sync"
            });
            command
        };
        Self::launch(&mut command)
    }

    /// One process with many rooms, by the program's own parts: it has no command for that.
    pub fn start_rooms(rooms: usize) -> Result<Self> {
        Self::launch(Command::new(std::env::current_exe()?).arg(format!("--be=rooms:{rooms}")))
    }

    fn launch(command: &mut Command) -> Result<Self> {
        // On the disk the program was built on, not on a /tmp that may be memory.
        let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let said = home.path().join("said");
        // Into a file, so that nobody has to keep reading what it prints.
        let child = command
            .env(HOME_VARIABLE, home.path())
            .stdin(Stdio::piped())
            .stdout(File::create(&said)?)
            .stderr(Stdio::inherit())
            .spawn()
            .context("the server did not start")?;
        let mut server = Self {
            child,
            rooms: Vec::new(),
            _home: home,
        };
        let first = server.first_line(&said)?;
        let first: Value = serde_json::from_str(&first)?;
        let links = match (&first["link"], &first["links"]) {
            (Value::String(link), _) => vec![link.clone()],
            (_, Value::Array(links)) => links
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => bail!("the server said {first}"),
        };
        server.rooms = links
            .iter()
            .map(|link| place(link))
            .collect::<Result<_>>()?;
        Ok(server)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a file does not tell when it grows; the tries are counted"
    )]
    fn first_line(&mut self, said: &Path) -> Result<String> {
        for _ in 0..START_WAIT_MAX / 10 {
            let mut line = String::new();
            BufReader::new(File::open(said)?).read_line(&mut line)?;
            if line.ends_with('\n') {
                return Ok(line);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended as it began: {status}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(anyhow!("the server does not say where it listens"))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Asked to end by its closed input a server would first say goodbye to a thousand members.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn place(link: &str) -> Result<Place> {
    match link.parse::<JoinLink>() {
        Ok(link) => Ok(Place {
            address: link.authority().replace("localhost", "127.0.0.1").parse()?,
            session: link.session,
            secret: link.secret.reveal().to_owned(),
        }),
        // A floor's link names no party.
        Err(_) => Ok(Place {
            address: link
                .trim_start_matches("http://")
                .trim_end_matches('/')
                .parse()?,
            session: SessionId::new(0),
            secret: String::new(),
        }),
    }
}

/// Hosts many sessions until standard input is closed.
pub async fn serve_rooms(rooms: usize) -> Result<()> {
    let home = Home::open()?;
    let mut hostings = Vec::new();
    for _ in 0..rooms {
        let options = HostOptions {
            bind: Some("127.0.0.1:0".parse()?),
            ..HostOptions::default()
        };
        hostings.push(hosting::start(&home, options).await?);
    }
    let links: Vec<String> = hostings
        .iter()
        .map(|hosting| hosting.link().to_string())
        .collect();
    println!("{}", serde_json::json!({ "links": links }));
    tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await?;
    Ok(())
}
