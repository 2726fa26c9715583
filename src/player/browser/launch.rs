//! Starting Chrome: which one, with which flags, and the wire to it.
//!
//! We spawn the process ourselves instead of letting chromiumoxide do it. Its
//! launcher adds `mute-audio` to headless runs, `enable-automation` (a yellow
//! bar above every film), `disable-popup-blocking` and a profile folder shared
//! by every program that uses it; and only the owner of the process hears of
//! its end (a closed socket leaves chromiumoxide's handler waiting for ever).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use chromiumoxide::handler::HandlerConfig;
use chromiumoxide::{Browser, Handler, Page};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};

use super::Task;
use crate::player::PlayerError;

/// The sentence for people without a Chrome.
const NOT_FOUND: &str =
    "Chrome was not found. Install Chrome or Chromium, or join from the browser instead.";

/// How long Chrome may take from its start to its first window. A cold start
/// from a slow disk takes some seconds; past this something is wrong. A guess.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// How often the start looks whether the first window is there.
const FIRST_PAGE_POLL: Duration = Duration::from_millis(20);

/// The window's content before a film is loaded: an app window must be opened with *some* page.
const EMPTY_PAGE: &str =
    "data:text/html,<title>Seance</title><style>html{background:%23000}</style>";

/// By what that page is told from others.
const MARK: &str = "<title>Seance</title>";

/// Chrome's own refusal comes as an exit code without a word.
const ROOT: &str = "Chrome does not run for the root user. Start Séance as an ordinary user, or join from the browser instead.";

/// Chrome's flag for going without its sandbox.
const NO_SANDBOX: &str = "--no-sandbox";

/// Whether this program runs with every right there is.
fn is_root() -> bool {
    #[cfg(unix)]
    return rustix::process::geteuid().is_root();
    #[cfg(not(unix))]
    return false;
}

/// How Chrome is started.
#[derive(Clone, Debug, Default)]
pub struct LaunchOptions {
    /// The program; `None` looks in `SEANCE_CHROME`, then in the usual places.
    pub chrome: Option<PathBuf>,
    /// Where logins live on from party to party; `None` is a fresh folder, removed at the end.
    pub profile: Option<PathBuf>,
    /// Without a window: for tests and machines without a screen.
    pub headless: bool,
    /// Without Chrome's sandbox. Only for tests in containers, where Chrome as root demands it.
    pub no_sandbox: bool,
    /// Further flags, such as `--host-resolver-rules=…`; for tests.
    pub extra_args: Vec<String>,
}

/// A started Chrome with one page.
pub(super) struct Launched {
    pub child: Child,
    pub browser: Browser,
    pub page: Page,
    /// The task that moves chromiumoxide's messages; ends when told to.
    pub handler: Task,
    /// The folder of its profile.
    pub folder: PathBuf,
    /// The same, when it is to vanish with the player.
    pub profile: Option<TempDir>,
    /// The pipe whose end is Chrome's end.
    pub leash: Option<ChildStdin>,
}

/// Starts Chrome and waits for its first page.
///
/// # Errors
/// [`PlayerError::Missing`] when there is no Chrome or it does not start.
pub(super) async fn launch(options: &LaunchOptions) -> Result<Launched, PlayerError> {
    let chrome = match &options.chrome {
        Some(path) => path.clone(),
        None => find_chrome().ok_or_else(|| PlayerError::Missing(NOT_FOUND.into()))?,
    };
    let (folder, profile) = match &options.profile {
        Some(folder) => (folder.clone(), None),
        None => {
            let temp = tempfile::Builder::new()
                .prefix("seance-chrome-")
                .tempdir()
                .map_err(|error| did_not_start(&error))?;
            (temp.path().to_owned(), Some(temp))
        }
    };
    if !chrome.is_file() {
        return Err(PlayerError::Missing(NOT_FOUND.into()));
    }
    if is_root() && !options.no_sandbox && !options.extra_args.iter().any(|flag| flag == NO_SANDBOX)
    {
        return Err(PlayerError::Missing(ROOT.into()));
    }
    let mut child = command(&chrome)
        .args(arguments(options, &folder))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| did_not_start(&error))?;
    // Taken, because waiting for a child closes its input first.
    let leash = child.stdin.take();
    let connected = async {
        let address = debugger_address(&mut child).await?;
        connect(&address).await
    };
    let (browser, handler, page) = tokio::time::timeout(START_DEADLINE, connected)
        .await
        .map_err(|_| did_not_start(&"it gave no sign of life"))??;
    Ok(Launched {
        child,
        browser,
        page,
        handler,
        folder,
        profile,
        leash,
    })
}

/// The command that runs Chrome for as long as we live.
///
/// A killed program cannot end its children, and a film would play on in a
/// window nobody steers. So a shell stands between: it holds the other end of a
/// pipe (the *leash*) and ends Chrome when that closes, however we died.
#[cfg(unix)]
fn command(chrome: &Path) -> Command {
    const ON_A_LEASH: &str = r#"exec 3<&0
"$@" 3<&- </dev/null & chrome=$!
{ read -r _; kill $chrome; sleep 5; kill -9 $chrome; } <&3 >/dev/null 2>&1 & watch=$!
exec 3<&-
wait $chrome; status=$?
kill $watch 2>/dev/null
exit $status"#;
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", ON_A_LEASH, "seance-chrome"])
        .arg(chrome);
    command
}

/// The command that runs Chrome. Without the shell's help a killed program leaves its window open.
#[cfg(not(unix))]
fn command(chrome: &Path) -> Command {
    Command::new(chrome)
}

/// Connects to a started Chrome and takes hold of its first page.
async fn connect(address: &str) -> Result<(Browser, Task, Page), PlayerError> {
    let config = HandlerConfig {
        // The library's default accepts any certificate.
        ignore_https_errors: false,
        // The library's default squeezes the page into 800 × 600.
        viewport: None,
        ..HandlerConfig::default()
    };
    let (browser, handler) = Browser::connect_with_config(address, config)
        .await
        .map_err(|error| did_not_start(&error))?;
    let handler = Task::spawn(run_handler(handler));
    let mut poll = tokio::time::interval(FIRST_PAGE_POLL);
    loop {
        poll.tick().await;
        let pages = browser
            .pages()
            .await
            .map_err(|error| did_not_start(&error))?;
        for page in pages {
            // A profile may bring windows of its own back; ours is the one we asked for.
            let address = page.url().await.map_err(|error| did_not_start(&error))?;
            if address.is_some_and(|address| address.contains(MARK)) {
                return Ok((browser, handler, page));
            }
        }
    }
}

/// Moves chromiumoxide's messages for as long as there are any.
///
/// A message it cannot read is logged and passed over: breaking off here, as
/// its examples do, would leave every later call waiting.
async fn run_handler(mut handler: Handler) {
    use futures_util::StreamExt as _;
    while let Some(turn) = handler.next().await {
        if let Err(error) = turn {
            tracing::debug!(%error, "chrome sent what could not be read");
        }
    }
}

/// Waits for the line in which Chrome names its debugger's address, and keeps reading after it.
async fn debugger_address(child: &mut Child) -> Result<String, PlayerError> {
    let stderr = child
        .stderr
        .take()
        .expect("stderr was asked for when Chrome was spawned");
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some((_, address)) = line.split_once("DevTools listening on ")
            && address.starts_with("ws://127.0.0.1:")
        {
            let address = address.trim().to_owned();
            tokio::spawn(drain(lines));
            return Ok(address);
        }
    }
    // Chrome hands a profile that is in use over to the Chrome that uses it, and leaves.
    match child.wait().await {
        Ok(status) if status.code() == Some(0) || status.code() == Some(21) => {
            Err(PlayerError::Missing(
                "Chrome is already open with this profile. Close that window and try again.".into(),
            ))
        }
        Ok(status) => Err(did_not_start(&status)),
        Err(error) => Err(did_not_start(&error)),
    }
}

/// Reads Chrome's chatter to its end: a full pipe would stop Chrome.
async fn drain(mut lines: tokio::io::Lines<BufReader<ChildStderr>>) {
    while let Ok(Some(line)) = lines.next_line().await {
        tracing::trace!(line, "chrome");
    }
}

fn did_not_start(why: &dyn std::fmt::Display) -> PlayerError {
    PlayerError::Missing(format!(
        "Chrome did not start ({why}). Try again, or join from the browser instead."
    ))
}

/// Chrome's command line. Each flag is here for a reason.
fn arguments(options: &LaunchOptions, profile: &Path) -> Vec<String> {
    let mut args: Vec<String> = [
        // The wire. Port 0 lets the system choose; Chrome listens on loopback only
        // and refuses sockets opened by web pages.
        "--remote-debugging-port=0",
        // A film must start when the room does, not when somebody clicks.
        "--autoplay-policy=no-user-gesture-required",
        // A film behind another window goes on, and so do the timers that start it.
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
        // Questions are answered "no" instead of covering the film.
        "--deny-permission-prompts",
        "--noerrdialogs",
        "--hide-crash-restore-bubble",
        "--no-first-run",
        "--no-default-browser-check",
        // Neither phone home nor fetch things while a film plays.
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-breakpad",
        "--disable-sync",
        "--metrics-recording-only",
        // Translate and the media router put bubbles over the film; occlusion tracking
        // on Windows would freeze a covered one.
        "--disable-features=Translate,MediaRouter,CalculateNativeWinOcclusion",
        // Extensions may move the film behind our back.
        "--disable-extensions",
    ]
    .map(String::from)
    .into();
    args.push(format!("--user-data-dir={}", profile.display()));
    if options.profile.is_none() {
        // A profile that vanishes needs no keyring, and must not ask for its password.
        args.push("--password-store=basic".into());
        args.push("--use-mock-keychain".into());
    }
    if options.no_sandbox {
        args.push(NO_SANDBOX.into());
    }
    if options.headless {
        args.push("--headless=new".into());
        args.push("--disable-gpu".into());
        args.push("--disable-quic".into());
        args.push("--disable-dev-shm-usage".into());
    }
    args.extend(options.extra_args.iter().cloned());
    // An app window: no tabs and no address bar to leave the film by.
    args.push(if options.headless {
        EMPTY_PAGE.into()
    } else {
        format!("--app={EMPTY_PAGE}")
    });
    args
}

/// Finds the user's Chrome: `SEANCE_CHROME` first, then the usual names on the
/// `PATH`, then the usual places.
pub fn find_chrome() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("SEANCE_CHROME") {
        // A wrong name is an answer too: falling back would start a Chrome nobody asked for.
        return Some(PathBuf::from(named)).filter(|path| path.is_file());
    }
    let folders: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default();
    let on_path = NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    on_path.chain(usual_places()).find(|path| path.is_file())
}

#[cfg(not(windows))]
const NAMES: &[&str] = &[
    "google-chrome",
    "google-chrome-stable",
    "chromium",
    "chromium-browser",
    "chrome",
    "microsoft-edge",
    "brave-browser",
];
#[cfg(windows)]
const NAMES: &[&str] = &["chrome.exe", "msedge.exe"];

#[cfg(windows)]
fn usual_places() -> Vec<PathBuf> {
    const BELOW: &[&str] = &[
        r"Google\Chrome\Application\chrome.exe",
        r"Chromium\Application\chrome.exe",
        r"Microsoft\Edge\Application\msedge.exe",
    ];
    ["ProgramFiles", "ProgramFiles(x86)", "LocalAppData"]
        .iter()
        .filter_map(std::env::var_os)
        .flat_map(|root| BELOW.iter().map(move |below| Path::new(&root).join(below)))
        .collect()
}

#[cfg(target_os = "macos")]
fn usual_places() -> Vec<PathBuf> {
    const APPS: &[&str] = &[
        "Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "Applications/Chromium.app/Contents/MacOS/Chromium",
        "Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
        "Applications/Brave Browser.app/Contents/MacOS/Brave Browser",
    ];
    let home = std::env::var_os("HOME").map(PathBuf::from);
    std::iter::once(PathBuf::from("/"))
        .chain(home)
        .flat_map(|root| APPS.iter().map(move |app| root.join(app)))
        .collect()
}

#[cfg(not(any(windows, target_os = "macos")))]
fn usual_places() -> Vec<PathBuf> {
    [
        "/opt/google/chrome/chrome",
        "/usr/lib/chromium/chromium",
        "/snap/bin/chromium",
        "/var/lib/flatpak/exports/bin/com.google.Chrome",
        "/var/lib/flatpak/exports/bin/org.chromium.Chromium",
    ]
    .map(PathBuf::from)
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_sees_a_plain_window_with_sound_and_a_sandbox() {
        let args = arguments(&LaunchOptions::default(), Path::new("/profile"));
        assert!(args.contains(&"--user-data-dir=/profile".into()));
        assert!(args.iter().any(|arg| arg.starts_with("--app=")));
        for unwanted in ["headless", "mute-audio", "enable-automation", "no-sandbox"] {
            let found = args.iter().find(|arg| arg.contains(unwanted));
            assert_eq!(found, None, "{unwanted}");
        }
    }

    #[tokio::test]
    async fn a_missing_chrome_says_what_to_do() {
        let options = LaunchOptions {
            chrome: Some("/nowhere/chrome".into()),
            ..LaunchOptions::default()
        };
        let missing = launch(&options).await.map(|_| ()).unwrap_err();
        assert_eq!(missing, PlayerError::Missing(NOT_FOUND.into()));
    }
}
