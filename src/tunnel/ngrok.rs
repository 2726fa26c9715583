//! The way through ngrok's service: an https address that works from behind any router.
//!
//! ngrok ends the guests' TLS and hands us their connections over one encrypted
//! session that we opened. The `ngrok` crate speaks its protocol and, after a
//! loss, asks for the same address again; that much is left to it. Three things
//! it does not do, and this file does:
//!
//! - It notices a dead way only when the system does, a quarter of an hour later:
//!   an unanswered heartbeat is told to a handler and ends nothing. Here it ends
//!   the connection.
//! - It waits 50 ms, 2.5 s, 125 s, 6250 s between attempts, and swallows why they
//!   fail. Here the waits are ours, and the reason is shown with what to do.
//! - When the same address cannot be had again it would ask for it for ever. Here
//!   a new session begins, and a new address is news for everybody inside.
//!
//! ngrok is told nothing but the token and that this is Séance: not the machine's
//! name, nor the program's path, which the crate sends where nothing else is said.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt as _;
use ngrok::config::TunnelBuilder as _;
use ngrok::session::{ConnectError, IoStream, RpcError, Stop};
use ngrok::tunnel::{AcceptError, EndpointInfo as _, HttpTunnel, TunnelCloser as _};
use ngrok::{Error as _, Session};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::token::Token;
use super::{Backoff, Ground, Keeping, Report, State, Trouble, Tunnel, carry};
use crate::net::link::Place;
use crate::net::tls;

/// How long TCP and TLS to the service may take.
const DIAL_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long the service may take to let us in, and to give us an address.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(20);
/// How long the service may take to hear a goodbye.
const GOODBYE_WAIT_MAX: Duration = Duration::from_secs(2);
/// The longest of the service's reasons that is shown: three lines of a terminal.
const REASON_CHARS_MAX: usize = 240;
/// Beats after a return before it counts: the first is sent before the service has let us in again.
const BEATS_TO_TRUST: u32 = 2;

/// Where the token is found.
#[cfg(test)]
const TOKEN_PAGE: &str = "https://dashboard.ngrok.com/get-started/your-authtoken";

/// Where in the world ngrok is entered; nearer is quicker. The service chooses where none is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Region {
    /// United States.
    Us,
    /// Europe.
    Eu,
    /// Asia and the Pacific.
    Ap,
    /// Australia.
    Au,
    /// South America.
    Sa,
    /// Japan.
    Jp,
    /// India.
    In,
}

impl Region {
    const fn server(self) -> &'static str {
        match self {
            Self::Us => "connect.us.ngrok-agent.com:443",
            Self::Eu => "connect.eu.ngrok-agent.com:443",
            Self::Ap => "connect.ap.ngrok-agent.com:443",
            Self::Au => "connect.au.ngrok-agent.com:443",
            Self::Sa => "connect.sa.ngrok-agent.com:443",
            Self::Jp => "connect.jp.ngrok-agent.com:443",
            Self::In => "connect.in.ngrok-agent.com:443",
        }
    }
}

/// What can be chosen about the tunnel.
#[derive(Clone, Debug)]
pub struct Options {
    /// An address of one's own at ngrok; without one ngrok gives the account's, or any.
    pub domain: Option<String>,
    /// Where ngrok is entered.
    pub region: Option<Region>,
    /// Another server than ngrok's usual ones: `host:port` of a custom agent ingress.
    pub server: Option<String>,
    /// The authority that server is believed by, in PEM; ngrok's own where none is given.
    pub authority: Option<Vec<u8>>,
    /// How often the service is asked whether it is still there.
    pub beat: Duration,
    /// How long past a beat it may stay silent before the way counts as lost.
    pub silence_max: Duration,
    /// The wait after the first failure; later ones double, up to `retry_max`.
    pub retry_min: Duration,
    /// The longest wait between two attempts.
    pub retry_max: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            domain: None,
            region: None,
            server: None,
            authority: None,
            // A dead way is noticed within 15 s: guests dial again for longer than that.
            beat: Duration::from_secs(5),
            silence_max: Duration::from_secs(10),
            retry_min: Duration::from_millis(500),
            retry_max: Duration::from_secs(30),
        }
    }
}

/// A tunnel of ngrok's.
#[derive(Debug)]
pub struct Ngrok {
    token: Token,
    options: Options,
}

impl Ngrok {
    /// A tunnel for the account whose token this is.
    pub const fn new(token: Token, options: Options) -> Self {
        Self { token, options }
    }
}

impl Ngrok {
    /// Whether the service is there and takes the token: a session, without an address, for a moment.
    ///
    /// # Errors
    /// What stands in the way, and what to do.
    pub async fn check(&self) -> Result<(), Trouble> {
        let (state, _) = watch::channel(State::default());
        let report = Report {
            name: self.name(),
            state,
        };
        let line = Arc::new(Line::new(report, &self.options));
        let number = line.begin();
        let outcome = match self.builder(&line, number) {
            Ok(builder) => match timeout(ANSWER_WAIT_MAX, builder.connect()).await {
                Ok(Ok(session)) => {
                    *line.session.lock().expect(UNPOISONED) = Some(session);
                    Ok(())
                }
                Ok(Err(error)) => Err(self.refused(&error).trouble),
                Err(_) => Err(silent()),
            },
            Err(refused) => Err(refused.trouble),
        };
        line.end().await;
        outcome
    }
}

impl Tunnel for Ngrok {
    fn name(&self) -> &'static str {
        "ngrok"
    }

    fn keep(self: Box<Self>, mut ground: Ground) -> Keeping {
        Box::pin(async move {
            let line = Arc::new(Line::new(ground.report.clone(), &self.options));
            let working = self.work(Arc::clone(&line), ground.local);
            tokio::select! {
                trouble = working => {
                    ground.report.say(State::Failed(trouble));
                    ground.stopped().await;
                }
                () = ground.stopped() => line.end().await,
            }
        })
    }
}

impl Ngrok {
    /// Opens sessions, one after the other, until something stands in the way that only a person
    /// can put right.
    async fn work(&self, line: Arc<Line>, local: SocketAddr) -> Trouble {
        let mut backoff = line.backoff;
        loop {
            let (trouble, lasting) = match self.session(&line, local).await {
                Err(refused) => (refused.trouble, refused.lasting),
                Ok(ended) => {
                    backoff.reset();
                    (ended.trouble, ended.lasting)
                }
            };
            let was_online = !line.places().is_empty();
            match lasting {
                Lasting::Yes => return trouble,
                Lasting::UntilOthersGo if !was_online => return trouble,
                // Our own session from before counts until the service has noticed its end.
                Lasting::UntilOthersGo | Lasting::No => line.lost(trouble),
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    /// One session, from the first word to its end; says why it ended.
    async fn session(&self, line: &Arc<Line>, local: SocketAddr) -> Result<Refused, Refused> {
        let number = line.begin();
        let ended = self.converse(line, number, local).await;
        line.end().await;
        ended
    }

    async fn converse(
        &self,
        line: &Arc<Line>,
        number: u32,
        local: SocketAddr,
    ) -> Result<Refused, Refused> {
        let builder = self.builder(line, number)?;
        let session = timeout(ANSWER_WAIT_MAX, builder.connect())
            .await
            .map_err(|_| Refused::passing(silent()))?
            .map_err(|error| self.refused(&error))?;
        let mut endpoint = session.http_endpoint();
        endpoint.forwards_to("Séance");
        if let Some(domain) = &self.options.domain {
            endpoint.domain(domain.as_str());
        }
        let mut tunnel = timeout(ANSWER_WAIT_MAX, endpoint.listen())
            .await
            .map_err(|_| Refused::passing(silent()))?
            .map_err(|error| self.refused_rpc(&error))?;
        let place: Place = tunnel.url().parse().map_err(|_| {
            Refused::passing(Trouble::new(
                "ngrok gave an address that is none.",
                "It is tried again by itself.",
            ))
        })?;
        line.stands(session, place);
        Ok(self.accept(line, &mut tunnel, local).await)
    }

    /// Carries guests until the session ends; says why it did.
    async fn accept(&self, line: &Line, tunnel: &mut HttpTunnel, local: SocketAddr) -> Refused {
        let mut guests = JoinSet::new();
        loop {
            let came = tokio::select! {
                came = tunnel.next() => came,
                () = line.stopped.notified() => {
                    // The service has its answer already; this only tidies up.
                    let _ = timeout(GOODBYE_WAIT_MAX, tunnel.close()).await;
                    return Refused::lasting(Trouble::new(
                        "The tunnel was stopped in ngrok's dashboard.",
                        "Open it again here when you want it.",
                    ));
                }
            };
            match came {
                Some(Ok(guest)) => {
                    line.alive();
                    guests.spawn(carry(guest, local));
                    while guests.try_join_next().is_some() {}
                }
                Some(Err(AcceptError::ListenerClosed {
                    message,
                    error_code,
                })) => {
                    let lasting = match &error_code {
                        Some(code) => advice(Some(code)).1,
                        None => Lasting::Yes,
                    };
                    return Refused {
                        trouble: self.trouble(&message, error_code),
                        lasting,
                    };
                }
                Some(Err(_)) | None => {
                    return Refused::passing(line.last_trouble().unwrap_or_else(lost));
                }
            }
        }
    }

    fn builder(
        &self,
        line: &Arc<Line>,
        number: u32,
    ) -> Result<ngrok::session::SessionBuilder, Refused> {
        // The crate asks rustls for the process's provider.
        tls::provider();
        let mut builder = Session::builder();
        builder.authtoken(self.token.expose()).client_info(
            "seance",
            env!("CARGO_PKG_VERSION"),
            None::<String>,
        );
        let server = self.options.server.as_deref();
        if let Some(server) = server.or_else(|| self.options.region.map(Region::server)) {
            builder.server_addr(server).map_err(|_| {
                Refused::lasting(Trouble::new(
                    format!("{server} is no address of a server."),
                    "Give it as host:port.",
                ))
            })?;
        }
        if let Some(authority) = &self.options.authority {
            builder.ca_cert(authority.clone().into());
        }
        let usable = "a few seconds fit in 292 years";
        builder
            .heartbeat_interval(self.options.beat)
            .expect(usable)
            .heartbeat_tolerance(self.options.silence_max)
            .expect(usable);
        let heart = Arc::clone(line);
        builder.handle_heartbeat(move |beat: Option<Duration>| {
            match beat {
                Some(_) => heart.beat(),
                None => heart.cut(),
            }
            async { Ok(()) }
        });
        let stop = Arc::clone(line);
        builder.handle_stop_command(move |_: Stop| {
            stop.stopped.notify_one();
            async { Ok(()) }
        });
        let dialler = Arc::clone(line);
        builder.connector(
            move |host: String,
                  port: u16,
                  tls: Arc<rustls::ClientConfig>,
                  lost: Option<AcceptError>| {
                let line = Arc::clone(&dialler);
                async move {
                    if !line.is_current(number) {
                        return Err(ConnectError::Canceled);
                    }
                    match lost {
                        None => line.dial(&host, port, tls).await,
                        // What stands in the way of the old address is not the way there: begin anew.
                        Some(AcceptError::Reconnect(why)) => {
                            line.note(&why);
                            Err(ConnectError::Canceled)
                        }
                        Some(_) => line.dial_again(number, &host, port, tls).await,
                    }
                }
            },
        );
        Ok(builder)
    }

    fn refused(&self, error: &ConnectError) -> Refused {
        match error {
            ConnectError::Auth(rpc) | ConnectError::Rebind(rpc) => self.refused_rpc(rpc),
            _ => Refused::passing(unreachable(error)),
        }
    }

    fn refused_rpc(&self, error: &RpcError) -> Refused {
        match error {
            RpcError::Response(_) => {
                let code = error.error_code().map(str::to_owned);
                Refused {
                    lasting: advice(code.as_deref()).1,
                    trouble: self.trouble(&error.msg(), code),
                }
            }
            _ => Refused::passing(Trouble::new("The connection to ngrok broke.", AGAIN)),
        }
    }

    /// ngrok's own words, on one line, without the token it likes to repeat, and what to do.
    fn trouble(&self, message: &str, code: Option<String>) -> Trouble {
        let (todo, _) = advice(code.as_deref());
        let reason = self.token.cut_from(message);
        let mut words: Vec<&str> = reason
            .split(|c: char| c.is_whitespace() || c.is_control())
            .collect();
        words.retain(|word| !word.is_empty());
        let mut reason = words.join(" ");
        if reason.chars().count() > REASON_CHARS_MAX {
            reason = reason.chars().take(REASON_CHARS_MAX).collect::<String>() + "…";
        }
        let dot = if reason.ends_with(['.', '…', '!', '?']) {
            ""
        } else {
            "."
        };
        let todo = match (&code, todo) {
            (_, Some(todo)) => todo.to_owned(),
            (Some(code), None) => format!(
                "What to do stands at https://ngrok.com/docs/errors/{}.",
                code.to_ascii_lowercase()
            ),
            (None, None) => AGAIN.to_owned(),
        };
        Trouble {
            what: format!("ngrok says: {reason}{dot}"),
            todo,
            code,
        }
    }
}

/// What is said where nothing needs to be done.
const AGAIN: &str = "It is tried again by itself.";

fn silent() -> Trouble {
    Trouble::new(
        "ngrok does not answer.",
        "It is tried again by itself; https://status.ngrok.com says whether ngrok has trouble.",
    )
}

fn lost() -> Trouble {
    Trouble::new("The connection to ngrok is lost.", AGAIN)
}

/// Whether what stands in the way goes away by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lasting {
    No,
    /// When another session ends; ours, if we had one a moment ago.
    UntilOthersGo,
    Yes,
}

/// Why there is no session, or no longer.
#[derive(Debug)]
struct Refused {
    trouble: Trouble,
    lasting: Lasting,
}

impl Refused {
    fn passing(trouble: Trouble) -> Self {
        Self {
            trouble,
            lasting: Lasting::No,
        }
    }

    fn lasting(trouble: Trouble) -> Self {
        Self {
            trouble,
            lasting: Lasting::Yes,
        }
    }
}

/// What to do about one of ngrok's errors (<https://ngrok.com/docs/errors/reference>); `None` for
/// those that page explains better.
fn advice(code: Option<&str>) -> (Option<&'static str>, Lasting) {
    let number = code.and_then(|code| code.strip_prefix("ERR_NGROK_")?.parse::<u32>().ok());
    match number {
        Some(105..=107 | 4018) => (
            Some(
                "Enter the token again, as it stands at https://dashboard.ngrok.com/get-started/your-authtoken.",
            ),
            Lasting::Yes,
        ),
        Some(102 | 103) => (
            Some("Look after the account at https://dashboard.ngrok.com."),
            Lasting::Yes,
        ),
        Some(108) => (
            Some(
                "Stop the account's other tunnel at https://dashboard.ngrok.com/agents, then open this one again.",
            ),
            Lasting::UntilOthersGo,
        ),
        Some(115 | 116) => (
            Some(
                "Open the tunnel from another network, or allow this one at https://dashboard.ngrok.com/ip-restrictions.",
            ),
            Lasting::Yes,
        ),
        Some(119..=121) => (Some("Update Séance."), Lasting::Yes),
        Some(324 | 334) => (
            Some(
                "Stop what else uses that address at https://dashboard.ngrok.com/endpoints, or choose another domain.",
            ),
            Lasting::UntilOthersGo,
        ),
        Some(320 | 7117 | 7118) => (
            Some(
                "Choose a domain of this account: https://dashboard.ngrok.com/domains lists them.",
            ),
            Lasting::Yes,
        ),
        Some(702) => (
            Some("Too many guests came at once for this account; wait a minute."),
            Lasting::No,
        ),
        // A reason with a name that is not in this list needs a person, most likely.
        Some(_) => (None, Lasting::Yes),
        None => (None, Lasting::No),
    }
}

/// Why the way to the service did not come about.
fn unreachable(error: &ConnectError) -> Trouble {
    let io = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    match (error, io) {
        (ConnectError::Tls(_), Some(io)) if is_certificate(io) => Trouble::new(
            "Something between here and ngrok opens encrypted connections.",
            "A firewall or a virus scanner, most likely: ask whoever runs it, or use another network.",
        ),
        (_, Some(io)) => Trouble::new(
            format!("ngrok cannot be reached ({io})."),
            "Check this computer's internet connection; it is tried again by itself.",
        ),
        (_, None) => Trouble::new("The connection to ngrok broke.", AGAIN),
    }
}

fn is_certificate(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

/// What the session's parts share: the crate calls them from tasks of its own.
struct Line {
    report: Report,
    backoff: Backoff,
    /// Which session is the current one. The crate's tasks outlive the handles on them: closed
    /// while it looks away, a session of its would dial again and hold the address for good.
    current: AtomicU32,
    /// The session, to be closed with a word; and where guests come in by it.
    session: Mutex<Option<Session>>,
    places: Mutex<Vec<Place>>,
    /// Ends the connection that is in use.
    cutter: Mutex<Option<oneshot::Sender<()>>>,
    /// Beats since the connection in use was made.
    beats: AtomicU32,
    /// What stood in the way last.
    last: Mutex<Option<Trouble>>,
    stopped: Notify,
}

const UNPOISONED: &str = "nobody panics while holding it";

impl Line {
    fn new(report: Report, options: &Options) -> Self {
        Self {
            report,
            backoff: Backoff::new(options.retry_min, options.retry_max),
            current: AtomicU32::new(0),
            session: Mutex::default(),
            places: Mutex::default(),
            cutter: Mutex::default(),
            beats: AtomicU32::new(0),
            last: Mutex::default(),
            stopped: Notify::new(),
        }
    }

    fn places(&self) -> Vec<Place> {
        self.places.lock().expect(UNPOISONED).clone()
    }

    /// The service gave us this address.
    fn stands(&self, session: Session, place: Place) {
        *self.session.lock().expect(UNPOISONED) = Some(session);
        *self.places.lock().expect(UNPOISONED) = vec![place];
        self.last.lock().expect(UNPOISONED).take();
        self.report.say(State::Online(self.places()));
    }

    fn lost(&self, trouble: Trouble) {
        self.report.say(State::Reconnecting {
            places: self.places(),
            trouble,
        });
    }

    /// The service answered a beat.
    fn beat(&self) {
        if self.beats.fetch_add(1, Ordering::Relaxed) + 1 >= BEATS_TO_TRUST {
            self.alive();
        }
    }

    /// The session came back by itself, at the address it had.
    fn alive(&self) {
        let stands = self.session.lock().expect(UNPOISONED).is_some();
        if stands && matches!(self.report.last(), State::Reconnecting { .. }) {
            self.report.say(State::Online(self.places()));
        }
    }

    /// Ends the connection in use; a session that is current notices and dials again.
    fn cut(&self) {
        // An error means that it ended already.
        let _ = self
            .cutter
            .lock()
            .expect(UNPOISONED)
            .take()
            .map(|cut| cut.send(()));
    }

    fn note(&self, why: &ConnectError) {
        let trouble = match why {
            ConnectError::Auth(_) | ConnectError::Rebind(_) => return,
            _ => unreachable(why),
        };
        *self.last.lock().expect(UNPOISONED) = Some(trouble);
    }

    fn last_trouble(&self) -> Option<Trouble> {
        self.last.lock().expect(UNPOISONED).take()
    }

    /// A new session begins; whatever is left of earlier ones dials no more.
    fn begin(&self) -> u32 {
        self.current.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn is_current(&self, number: u32) -> bool {
        self.current.load(Ordering::SeqCst) == number
    }

    /// Ends the session, with a word if there is somebody to hear it.
    async fn end(&self) {
        self.current.fetch_add(1, Ordering::SeqCst);
        let session = self.session.lock().expect(UNPOISONED).take();
        if let Some(mut session) = session {
            // A service that does not hear it notices our silence.
            let _ = timeout(GOODBYE_WAIT_MAX, session.close()).await;
        }
        self.cut();
    }

    /// Dials once.
    async fn dial(
        &self,
        host: &str,
        port: u16,
        tls: Arc<rustls::ClientConfig>,
    ) -> Result<Box<dyn IoStream>, ConnectError> {
        let dialled = ngrok::session::default_connect(host.to_owned(), port, tls, None);
        let stream = match timeout(DIAL_WAIT_MAX, dialled).await {
            Ok(dialled) => dialled?,
            Err(_) => return Err(ConnectError::Tcp(io::ErrorKind::TimedOut.into())),
        };
        let (cut, cutter) = oneshot::channel();
        // The one from before, if it still stands, ends with its sender.
        *self.cutter.lock().expect(UNPOISONED) = Some(cut);
        self.beats.store(0, Ordering::Relaxed);
        Ok(Box::new(Cuttable {
            stream: Some(stream),
            cutter,
        }))
    }

    /// Dials until somebody answers, for a session that is to go on.
    async fn dial_again(
        &self,
        number: u32,
        host: &str,
        port: u16,
        tls: Arc<rustls::ClientConfig>,
    ) -> Result<Box<dyn IoStream>, ConnectError> {
        let mut backoff = self.backoff;
        let mut trouble = lost();
        while self.is_current(number) {
            self.report.say(State::Reconnecting {
                places: self.places(),
                trouble,
            });
            match self.dial(host, port, Arc::clone(&tls)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => trouble = unreachable(&error),
            }
            tokio::time::sleep(backoff.next()).await;
        }
        Err(ConnectError::Canceled)
    }
}

/// A connection that can be ended from elsewhere: once its sender spoke or is gone it is closed,
/// and everything asked of it fails.
struct Cuttable {
    /// `None` once it was cut.
    stream: Option<Box<dyn IoStream>>,
    cutter: oneshot::Receiver<()>,
}

impl Cuttable {
    /// The connection, while it stands; wakes the reader when it is cut.
    fn stands(&mut self, context: &mut Context<'_>) -> io::Result<Pin<&mut Box<dyn IoStream>>> {
        // Asked again after it answered it would panic; there is no stream to ask for then.
        if self.stream.is_some() && Pin::new(&mut self.cutter).poll(context).is_ready() {
            self.stream = None;
        }
        self.running()
    }

    /// The same for writers, whose waking would take the reader's.
    fn running(&mut self) -> io::Result<Pin<&mut Box<dyn IoStream>>> {
        let stream = self.stream.as_mut().map(Pin::new);
        stream.ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stands(context)?.poll_read(context, buffer)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.running()?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.running()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.running()?.poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tunnel() -> Ngrok {
        Ngrok::new(
            Token::read("a_token_for_tests").unwrap(),
            Options::default(),
        )
    }

    #[test]
    fn ngroks_reason_is_shown_on_one_line_without_the_token_and_with_what_to_do() {
        let message = "The authtoken you specified does not look like a proper ngrok authtoken.\nYour authtoken: a_token_for_tests\n\u{1b}[31m";
        let trouble = tunnel()
            .trouble(message, Some("ERR_NGROK_105".to_owned()))
            .to_string();
        assert!(!trouble.contains("a_token_for_tests"), "{trouble}");
        assert!(!trouble.contains(['\n', '\u{1b}']), "{trouble}");
        assert!(
            trouble.starts_with("ngrok says: The authtoken you specified does not look like"),
            "{trouble}"
        );
        assert!(
            trouble.contains("ERR_NGROK_105") && trouble.contains(TOKEN_PAGE),
            "{trouble}"
        );
    }

    #[test]
    fn an_error_nobody_foresaw_leads_to_the_page_that_explains_it() {
        let trouble = tunnel().trouble("Something new", Some("ERR_NGROK_9999".to_owned()));
        assert!(
            trouble
                .todo
                .contains("https://ngrok.com/docs/errors/err_ngrok_9999"),
            "{trouble}"
        );
        let endless = tunnel().trouble(&"word ".repeat(400), None).what;
        assert!(endless.chars().count() < REASON_CHARS_MAX + 40, "{endless}");
    }
}
