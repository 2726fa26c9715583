//! A real Chromium and people in front of it: pages opened, clicked and typed at as by hand.
//!
//! Input goes in by the debugger's input domain, which pages cannot tell from a
//! mouse and a keyboard. Each [`Visitor`] has a browser context of its own, as
//! if it were another machine: no storage is shared.

#![allow(
    clippy::disallowed_methods,
    reason = "a browser lives in real time; every wait has a deadline"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chromiumoxide::cdp::browser_protocol::emulation::{
    SetDeviceMetricsOverrideParams, SetFocusEmulationEnabledParams,
};
use chromiumoxide::cdp::browser_protocol::input::{
    DispatchKeyEventParams, DispatchKeyEventType, DispatchMouseEventParams, DispatchMouseEventType,
    InsertTextParams, MouseButton,
};
use chromiumoxide::cdp::browser_protocol::log::{EventEntryAdded, LogEntryLevel};
use chromiumoxide::cdp::browser_protocol::page::{
    CaptureScreenshotFormat, CaptureScreenshotParams, NavigateParams, ReloadParams,
};
use chromiumoxide::cdp::browser_protocol::target::{
    CreateBrowserContextParams, CreateTargetParams,
};
use chromiumoxide::cdp::js_protocol::runtime::{
    ConsoleApiCalledType, EvaluateParams, EventConsoleApiCalled, EventExceptionThrown,
};
use chromiumoxide::{Browser, BrowserConfig, Page};
use futures_util::StreamExt as _;
use serde_json::Value;

use super::{DEADLINE, remove_in_the_end};

/// How often a condition in a page is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// A running Chromium with a profile that vanishes with it.
pub struct Chrome {
    browser: Browser,
    // After the browser: it is removed once Chromium is gone.
    _profile: Profile,
}

/// The folder of a profile, gone with its value.
struct Profile(tempfile::TempDir);

impl Drop for Profile {
    fn drop(&mut self) {
        remove_in_the_end(self.0.path());
    }
}

impl Chrome {
    /// Starts one; `more` are flags beside the usual.
    pub async fn start(more: &[String]) -> Self {
        let profile = Profile(tempfile::tempdir().expect("a temporary folder"));
        let mut config = BrowserConfig::builder()
            // Its own are shorter than a start or an answer takes on a busy machine.
            .launch_timeout(DEADLINE)
            .request_timeout(DEADLINE)
            // What a killed one leaves among temporary files goes with its profile.
            .env("TMPDIR", profile.0.path().display().to_string())
            .disable_default_args()
            .new_headless_mode()
            .no_sandbox() // Chromium as root, in containers, demands it
            .respect_https_errors()
            .viewport(None)
            .window_size(1280, 800)
            .user_data_dir(profile.0.path())
            .args([
                "disable-gpu",
                "disable-quic",
                "disable-dev-shm-usage",
                "no-first-run",
                "no-default-browser-check",
                "disable-background-networking",
                "disable-component-update",
                "disable-sync",
                "password-store=basic",
                "autoplay-policy=no-user-gesture-required",
            ])
            // The library puts the dashes before a flag itself.
            .args(more.iter().map(|flag| flag.trim_start_matches('-')));
        if let Some(path) = seance::player::browser::find_chrome() {
            config = config.chrome_executable(path);
        }
        let config = config.build().expect("Chromium is there");
        let (browser, mut handler) = Browser::launch(config).await.expect("Chromium starts");
        tokio::spawn(async move { while handler.next().await.is_some() {} });
        Self {
            browser,
            _profile: profile,
        }
    }

    /// Somebody with a window of 1280 × 800 of their own, on an empty page.
    pub async fn visitor(&self, who: &str) -> Visitor {
        let context = self
            .browser
            .create_browser_context(CreateBrowserContextParams::default())
            .await
            .expect("a browser context");
        let mut target = CreateTargetParams::new("about:blank");
        target.browser_context_id = Some(context);
        let page = self.browser.new_page(target).await.expect("a page");
        let visitor = Visitor {
            who: who.to_owned(),
            troubles: Arc::default(),
            page,
        };
        visitor.collect_troubles().await;
        // Windows without a screen have no focus unless they are told so.
        visitor
            .order(SetFocusEmulationEnabledParams::new(true))
            .await;
        visitor.resize(1280, 800, 1.0).await;
        visitor
    }

    /// Ends it.
    pub async fn close(mut self) {
        // A Chromium that does not answer is killed with its value.
        let _ = tokio::time::timeout(Duration::from_secs(5), async {
            let _ = self.browser.close().await;
            let _ = self.browser.wait().await;
        })
        .await;
    }
}

/// A person in front of a page.
pub struct Visitor {
    who: String,
    /// The page, for what the methods here do not do.
    pub page: Page,
    troubles: Arc<Mutex<Vec<String>>>,
}

impl Visitor {
    async fn collect_troubles(&self) {
        let listen = |what: &'static str| format!("{} listens for {what}", self.who);
        let mut entries = self
            .page
            .event_listener::<EventEntryAdded>()
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", listen("log entries")));
        let mut thrown = self
            .page
            .event_listener::<EventExceptionThrown>()
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", listen("exceptions")));
        let mut said = self
            .page
            .event_listener::<EventConsoleApiCalled>()
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", listen("console calls")));
        let troubles = Arc::clone(&self.troubles);
        tokio::spawn(async move {
            loop {
                let trouble = tokio::select! {
                    Some(added) = entries.next() => {
                        let entry = &added.entry;
                        matches!(entry.level, LogEntryLevel::Error | LogEntryLevel::Warning).then(|| {
                            format!("{:?}: {} ({})", entry.source, entry.text, entry.url.as_deref().unwrap_or("-"))
                        })
                    }
                    Some(thrown) = thrown.next() => {
                        let details = &thrown.exception_details;
                        let what = details.exception.as_ref().and_then(|thrown| thrown.description.clone());
                        Some(format!("thrown: {}", what.unwrap_or_else(|| details.text.clone())))
                    }
                    Some(call) = said.next() => {
                        let loud = matches!(call.r#type, ConsoleApiCalledType::Error | ConsoleApiCalledType::Warning | ConsoleApiCalledType::Assert);
                        loud.then(|| format!("console: {:?}", call.args.iter().map(|arg| arg.value.clone()).collect::<Vec<_>>()))
                    }
                    else => break,
                };
                troubles.lock().unwrap().extend(trouble);
            }
        });
    }

    /// Everything the console, the log and the security policy complained about so far.
    pub fn troubles(&self) -> Vec<String> {
        self.troubles.lock().unwrap().clone()
    }

    /// Fails if the console, the log or the security policy complained about anything.
    pub fn assert_no_troubles(&self) {
        let troubles = self.troubles();
        assert!(troubles.is_empty(), "{}'s console: {troubles:#?}", self.who);
    }

    async fn order<C: chromiumoxide::Command>(&self, command: C) -> C::Response {
        let name = command.identifier();
        tokio::time::timeout(DEADLINE, self.page.execute(command))
            .await
            .unwrap_or_else(|_| panic!("{}: {name} is not answered", self.who))
            .unwrap_or_else(|error| panic!("{}: {name}: {error}", self.who))
            .result
    }

    /// Gives the window another size; `scale` is how many device pixels a CSS pixel has.
    pub async fn resize(&self, width: i64, height: i64, scale: f64) {
        self.order(SetDeviceMetricsOverrideParams::new(
            width, height, scale, false,
        ))
        .await;
    }

    /// Opens an address and waits until its document is whole.
    pub async fn open(&self, address: &str) {
        let opened = self.order(NavigateParams::new(address)).await;
        assert_eq!(opened.error_text, None, "{} opens {address}", self.who);
        self.until("document.readyState === 'complete' && location.protocol === 'http:'")
            .await;
    }

    /// Loads the page again, as F5 does.
    pub async fn reload(&self) {
        self.eval("window.beforeReload = true").await;
        self.order(ReloadParams::default()).await;
        self.until("!window.beforeReload && document.readyState === 'complete'")
            .await;
    }

    /// The value of an expression in the page; promises are awaited.
    pub async fn eval(&self, expression: &str) -> Value {
        match self.try_eval(expression).await {
            Ok(value) => value,
            Err(why) => panic!("{}: {why}, evaluating {expression:.300}", self.who),
        }
    }

    async fn try_eval(&self, expression: &str) -> Result<Value, String> {
        let mut command = EvaluateParams::new(expression);
        command.return_by_value = Some(true);
        command.await_promise = Some(true);
        let answer = tokio::time::timeout(DEADLINE, self.page.execute(command))
            .await
            .map_err(|_| "no answer".to_owned())?
            .map_err(|error| error.to_string())?
            .result;
        match answer.exception_details {
            Some(thrown) => Err(thrown
                .exception
                .and_then(|thrown| thrown.description)
                .unwrap_or(thrown.text)),
            None => Ok(answer.result.value.unwrap_or(Value::Null)),
        }
    }

    /// Waits until an expression in the page is truthy, and returns its value.
    pub async fn until(&self, expression: &str) -> Value {
        let began = Instant::now();
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            tick.tick().await;
            // A page that is just being replaced answers with an error; the next look finds the new one.
            let answer = self.try_eval(expression).await;
            match &answer {
                Ok(Value::Null | Value::Bool(false)) | Err(_) => {}
                Ok(Value::Number(number)) if number.as_f64() == Some(0.0) => {}
                Ok(Value::String(text)) if text.is_empty() => {}
                Ok(value) => return value.clone(),
            }
            if began.elapsed() > DEADLINE {
                let shows = self
                    .try_eval("JSON.stringify({ status: window.seance?.status, activity: window.seance?.activity, drift: window.seance?.drift, seq: window.seance?.seq, text: document.body.innerText.slice(0, 1500) })")
                    .await;
                panic!(
                    "{} never came to: {expression}\nlast: {answer:?}\nconsole: {:#?}\nthe page: {shows:?}",
                    self.who,
                    self.troubles()
                );
            }
        }
    }

    /// The text of an element.
    pub async fn text(&self, selector: &str) -> String {
        let text = self
            .eval(&format!(
                "document.querySelector({})?.textContent",
                Value::from(selector)
            ))
            .await;
        text.as_str()
            .unwrap_or_else(|| panic!("{} sees no {selector}", self.who))
            .to_owned()
    }

    /// Clicks at a point of the window.
    pub async fn click_at(&self, x: f64, y: f64) {
        for kind in [
            DispatchMouseEventType::MouseMoved,
            DispatchMouseEventType::MousePressed,
            DispatchMouseEventType::MouseReleased,
        ] {
            let mut event = DispatchMouseEventParams::new(kind.clone(), x, y);
            if kind != DispatchMouseEventType::MouseMoved {
                event.button = Some(MouseButton::Left);
                event.click_count = Some(1);
            }
            self.order(event).await;
        }
    }

    /// Clicks on an element at a part of its width, half its height, once nothing covers it there.
    pub async fn click_across(&self, selector: &str, part: f64) {
        let point = self
            .until(&format!(
                "(() => {{
                    const element = document.querySelector({});
                    if (!element || element.disabled) return null;
                    const box = element.getBoundingClientRect();
                    if (box.width === 0) return null;
                    const [x, y] = [box.left + box.width * {part}, box.top + box.height / 2];
                    const there = document.elementFromPoint(x, y);
                    return there && (element.contains(there) || there.contains(element)) ? [x, y] : null;
                }})()",
                Value::from(selector)
            ))
            .await;
        self.click_at(point[0].as_f64().unwrap(), point[1].as_f64().unwrap())
            .await;
    }

    /// Clicks on the middle of an element.
    pub async fn click(&self, selector: &str) {
        self.click_across(selector, 0.5).await;
    }

    /// Types text where the keyboard's focus is.
    pub async fn write(&self, text: &str) {
        self.order(InsertTextParams::new(text)).await;
    }

    /// Presses and releases a key: `Enter`, `ArrowLeft`, ` `, `k`.
    pub async fn press(&self, key: &str) {
        let (code, number, text) = match key {
            "Enter" => ("Enter", 13, Some("\r")),
            " " => ("Space", 32, Some(" ")),
            "ArrowLeft" => ("ArrowLeft", 37, None),
            "ArrowRight" => ("ArrowRight", 39, None),
            "ArrowUp" => ("ArrowUp", 38, None),
            "Escape" => ("Escape", 27, None),
            letter => (
                "",
                i64::from(letter.as_bytes()[0].to_ascii_uppercase()),
                Some(letter),
            ),
        };
        for kind in [DispatchKeyEventType::KeyDown, DispatchKeyEventType::KeyUp] {
            let mut event = DispatchKeyEventParams::new(kind.clone());
            event.key = Some(key.to_owned());
            event.code = Some(code.to_owned());
            event.windows_virtual_key_code = Some(number);
            if kind == DispatchKeyEventType::KeyDown {
                event.text = text.map(str::to_owned);
            }
            self.order(event).await;
        }
    }

    /// What the window shows, as PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        let command = CaptureScreenshotParams {
            format: Some(CaptureScreenshotFormat::Png),
            ..CaptureScreenshotParams::default()
        };
        let shot = self.order(command).await;
        base64_decode(shot.data.as_ref())
    }
}

/// The bytes of base 64 text, as Chromium sends pictures.
fn base64_decode(text: &[u8]) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let letters: Vec<u8> = text
        .iter()
        .copied()
        .filter(|&letter| letter != b'=')
        .collect();
    letters
        .chunks(4)
        .flat_map(|four| {
            let bits = (0..4).fold(0u32, |bits, n| {
                bits << 6 | four.get(n).map_or(0, |&letter| u32::from(value(letter)))
            });
            let bytes = bits.to_be_bytes();
            bytes[1..]
                .iter()
                .copied()
                .take(four.len() - 1)
                .collect::<Vec<_>>()
        })
        .collect()
}
