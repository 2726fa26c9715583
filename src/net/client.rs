//! The way in from elsewhere: dials, resumes, comes back.
//!
//! One task holds a [`MemberEnd`] and whatever socket there is. The machine
//! decides when to dial and what to send; this module only does it. The host's
//! own window comes in this way too, over loopback: there is one path into a
//! room, and everybody tests it.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::engine::clock::offset::Estimate;
use crate::engine::event::{Event, Via};
use crate::engine::frame::{
    self, Form, FrameError, Knock, Refused, Resume, ToMember, ToRoom, Welcome,
};
use crate::engine::id::Seq;
use crate::engine::intent::{Aim, Intent};
use crate::engine::presence::{Presence, Report, Vitals};
use crate::engine::session::member_end::{Effect, Identity, MemberEnd};
use crate::engine::text::{Passcode, Secret};
use crate::net::link::{JoinLink, Place};
use crate::net::tls::Trust;
use crate::net::{self, pump};
use crate::os;

/// How long a TCP connection and the WebSocket handshake may take.
const DIAL_WAIT_MAX: Duration = Duration::from_secs(6);
/// How long one frame may take to leave.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(10);
/// News that may wait for their reader; past it the member reads no further, and the room serves them from the log.
const NEWS_MAX: usize = 1_024;
/// Places tried for one party: the link's, and the latest it moved to. Each gets its share of [`DIAL_WAIT_MAX`].
const WAYS_MAX: usize = 2;
/// Orders that may wait for the member.
const ORDERS_MAX: usize = 64;

/// What to do, from a window, a terminal or a player.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ask the room for something.
    Ask {
        /// By what input.
        via: Via,
        /// What it is aimed at; `None` for what is on now.
        aim: Option<Aim>,
        /// What is wanted.
        intent: Intent,
    },
    /// Tell the others what this member's player does.
    Report(Report),
    /// Tell the room's trace how the player does; round trip and clock error are filled in here.
    Vitals(Vitals),
    /// Go, for good.
    Leave,
}

/// What happened, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// Dialling, for the first time or again.
    Dialling,
    /// Knocked: a moderator has to let this member in.
    Waiting,
    /// Who is at the door, all of them.
    Knocks(Vec<Knock>),
    /// A link this member asked for.
    Secret {
        /// Which; 0 is the party's own.
        invite: Seq,
        /// What opens it.
        secret: Secret,
    },
    /// Let in.
    Welcomed(Welcome),
    /// Everything from before is applied.
    CaughtUp,
    /// This happened.
    Applied(Event),
    /// An intent was accepted.
    Accepted {
        /// Which.
        counter: u64,
        /// Its first event, or the latest one when everything was already so.
        seq: Seq,
    },
    /// An intent was refused.
    Refused(Refused),
    /// What everybody's players do.
    Presence(Vec<Presence>),
    /// The party can be reached there too, from now on; the rest of the link stays as it is.
    Moved(String),
    /// The connection is lost; it comes back by itself.
    Lost(String),
    /// It is over. The last news.
    Over(String),
}

/// A member of a party, as this program's other parts hold them. Dropping it leaves.
#[derive(Debug)]
pub struct Member {
    /// What to do.
    pub orders: mpsc::Sender<Order>,
    /// What happened.
    pub news: mpsc::Receiver<News>,
    /// The room's clock, as last measured.
    pub clock: watch::Receiver<Option<Estimate>>,
}

/// Joins a party; the task ends when told to leave, when the party is over, or when nobody listens.
pub fn join(
    link: &JoinLink,
    name: String,
    client: crate::engine::event::Client,
    resume: Option<Resume>,
) -> Member {
    join_as(link, name, client, resume, None, None)
}

/// The same, for a party that asks for a passcode.
pub fn join_knowing(
    link: &JoinLink,
    name: String,
    client: crate::engine::event::Client,
    resume: Option<Resume>,
    passcode: Option<Passcode>,
) -> Member {
    join_as(link, name, client, resume, passcode, None)
}

/// Like [`join`], believing only those authorities where the link is an `https` one; `None` for
/// those this system trusts.
pub fn join_trusting(
    link: &JoinLink,
    name: String,
    client: crate::engine::event::Client,
    resume: Option<Resume>,
    trust: Option<Trust>,
) -> Member {
    join_as(link, name, client, resume, None, trust)
}

fn join_as(
    link: &JoinLink,
    name: String,
    client: crate::engine::event::Client,
    resume: Option<Resume>,
    passcode: Option<Passcode>,
    trust: Option<Trust>,
) -> Member {
    let (orders, inbox) = mpsc::channel(ORDERS_MAX);
    let (news_out, news) = mpsc::channel(NEWS_MAX);
    let (clock_out, clock) = watch::channel(None);
    let identity = Identity {
        session: link.session,
        secret: link.secret.clone(),
        name,
        client,
        resume,
    };
    let shell = Shell {
        ways: vec![link.clone()],
        trust,
        // Counters of an earlier run lie below: they began at that run's milliseconds.
        end: MemberEnd::new(identity, os::wall_millis(), os::local_now()).knowing(passcode),
        socket: None,
        news: news_out,
        clock: clock_out,
    };
    tokio::spawn(shell.run(inbox));
    Member {
        orders,
        news,
        clock,
    }
}

/// A way to the host, encrypted or not.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

type Socket = WebSocketStream<Box<dyn Wire>>;

struct Shell {
    /// Where to dial, the likeliest first: the link, and whereto the party moved meanwhile.
    ways: Vec<JoinLink>,
    /// Whom to believe; the system's authorities are read when they are first needed.
    trust: Option<Trust>,
    end: MemberEnd,
    socket: Option<Socket>,
    news: mpsc::Sender<News>,
    clock: watch::Sender<Option<Estimate>>,
}

/// The member's task is over: they left, were turned away, or nobody listens any more.
struct Ended;

enum Woken {
    Order(Option<Order>),
    Read(Option<Result<Message, Error>>),
    Deadline,
}

impl Shell {
    async fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        let begin = self.end.start(os::local_now());
        if self.perform(begin).await.is_err() {
            return;
        }
        loop {
            let deadline = self.end.deadline();
            let woken = tokio::select! {
                // A fast script waits here until earlier intents are answered.
                order = inbox.recv(), if self.end.may_ask() => Woken::Order(order),
                read = read(&mut self.socket) => Woken::Read(read),
                () = net::sleep_until(deadline) => Woken::Deadline,
            };
            let now = os::local_now();
            let effects = match woken {
                Woken::Order(None | Some(Order::Leave)) => {
                    let goodbye = self.end.leave(now);
                    // Whether it arrives or not, we are gone.
                    let _ = self.perform(goodbye).await;
                    self.hang_up().await;
                    let _ = self
                        .news
                        .send(News::Over("You left the party.".to_owned()))
                        .await;
                    return;
                }
                Woken::Order(Some(order)) => self.obey(order),
                Woken::Read(message) => self.hear(message),
                Woken::Deadline => self.end.tick(now, dice()),
            };
            if self.perform(effects).await.is_err() {
                self.hang_up().await;
                return;
            }
            self.publish_clock();
        }
    }

    fn obey(&mut self, order: Order) -> Vec<Effect> {
        let now = os::local_now();
        match order {
            Order::Ask { via, aim, intent } => match self.end.ask(now, via, aim, intent) {
                Ok((_, effects)) => effects,
                Err(refusal) => vec![Effect::Refused(Refused::new(None, refusal))],
            },
            Order::Report(report) => self.end.report(now, report),
            Order::Vitals(vitals) => self.end.vitals(now, vitals),
            Order::Leave => self.end.leave(now),
        }
    }

    fn hear(&mut self, message: Option<Result<Message, Error>>) -> Vec<Effect> {
        let now = os::local_now();
        let frame: Result<ToMember, FrameError> = match message {
            Some(Ok(Message::Binary(bytes))) => frame::from_room(&bytes),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Vec::new(),
            Some(Ok(Message::Close(_))) | None => {
                return self.cut("The host closed the connection.".to_owned());
            }
            Some(Ok(_)) => return self.cut("The host sent something else than events.".to_owned()),
            Some(Err(error)) => return self.cut(broke(&error)),
        };
        match frame {
            Ok(frame) => self.end.frame(now, frame, dice()),
            Err(FrameError::Newer(what)) => self.end.outdated(&what),
            Err(error) => self.cut(format!(
                "The host sent something this program cannot read ({error})."
            )),
        }
    }

    fn cut(&mut self, why: String) -> Vec<Effect> {
        self.socket = None;
        self.end.disconnected(os::local_now(), why, dice())
    }

    /// Does what the machine says, and what follows from that, until nothing is left to do.
    async fn perform(&mut self, effects: Vec<Effect>) -> Result<(), Ended> {
        let mut queue: std::collections::VecDeque<_> = effects.into();
        while let Some(effect) = queue.pop_front() {
            let news = match effect {
                Effect::Dial => {
                    self.tell(News::Dialling).await?;
                    queue.extend(self.dial().await);
                    continue;
                }
                Effect::Send(frame) => {
                    queue.extend(self.send(frame).await);
                    continue;
                }
                Effect::HangUp => {
                    self.hang_up().await;
                    continue;
                }
                Effect::Applied(event) => News::Applied(event),
                Effect::Accepted { counter, seq } => News::Accepted { counter, seq },
                Effect::Refused(refused) => News::Refused(refused),
                Effect::Presence(presence) => News::Presence(presence),
                Effect::Waiting => News::Waiting,
                Effect::Knocks(knocks) => News::Knocks(knocks),
                Effect::Secret { invite, secret } => News::Secret { invite, secret },
                Effect::Moved(to) => {
                    self.note_way(&to);
                    News::Moved(to)
                }
                Effect::Welcomed(welcome) => News::Welcomed(welcome),
                Effect::CaughtUp => News::CaughtUp,
                Effect::Lost(why) => News::Lost(why),
                Effect::Over(why) => {
                    self.tell(News::Over(why)).await?;
                    return Err(Ended);
                }
            };
            self.tell(news).await?;
        }
        Ok(())
    }

    async fn tell(&mut self, news: News) -> Result<(), Ended> {
        self.news.send(news).await.map_err(|_| Ended)
    }

    /// Remembers where else the party is.
    fn note_way(&mut self, to: &str) {
        let Ok(place) = to.parse::<Place>() else {
            tracing::warn!("the host named a place that is none");
            return;
        };
        // Whoever came in encrypted does not send the link's secret in the clear because they were told to.
        if self.ways[0].is_secure() && !place.is_secure() {
            return;
        }
        let way = self.ways[0].at(&place);
        if self.ways[0] == way {
            return;
        }
        self.ways.retain(|known| *known != way);
        // Behind the one that works now, before those that did once.
        self.ways.insert(1, way);
        self.ways.truncate(WAYS_MAX);
    }

    async fn dial(&mut self) -> Vec<Effect> {
        let mut reason = String::new();
        for index in 0..self.ways.len() {
            let link = &self.ways[index];
            let tried = timeout(
                DIAL_WAIT_MAX / self.ways.len() as u32,
                dial(link, &mut self.trust),
            );
            let why = match tried.await {
                Ok(Ok(socket)) => {
                    self.socket = Some(socket);
                    self.ways[..=index].rotate_right(1);
                    return self.end.connected(os::local_now());
                }
                Ok(Err(why)) => why,
                Err(_) => format!("Nobody answers at {}.", link.authority()),
            };
            // The place in the person's own link is the one they can do something about.
            if reason.is_empty() {
                reason = why;
            }
        }
        self.end.disconnected(os::local_now(), reason, dice())
    }

    async fn send(&mut self, frame: ToRoom) -> Vec<Effect> {
        let Some(socket) = &mut self.socket else {
            return Vec::new();
        };
        let message = Message::Binary(frame::to_postcard(&frame).into());
        match timeout(WRITE_WAIT_MAX, socket.send(message)).await {
            Ok(Ok(())) => Vec::new(),
            Ok(Err(error)) => self.cut(broke(&error)),
            Err(_) => self.cut("The connection to the host is stuck.".to_owned()),
        }
    }

    async fn hang_up(&mut self) {
        if let Some(mut socket) = self.socket.take() {
            // A polite close where it works; otherwise the socket just ends.
            let _ = timeout(Duration::from_secs(1), socket.close(None)).await;
        }
    }

    fn publish_clock(&self) {
        let best = self.end.clock().estimate();
        self.clock.send_if_modified(|known| {
            let news = best.is_some() && *known != best;
            if news {
                *known = best;
            }
            news
        });
    }
}

/// How a connection ended, for people.
fn broke(error: &Error) -> String {
    match error {
        // What a killed host, a pulled cable and a network left behind look like.
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | Error::Io(_)
        | Error::ConnectionClosed
        | Error::AlreadyClosed => "The connection to the host broke.".to_owned(),
        other => format!("The connection to the host broke ({other})."),
    }
}

async fn dial(link: &JoinLink, trust: &mut Option<Trust>) -> Result<Socket, String> {
    let stream = TcpStream::connect(link.host_port())
        .await
        .map_err(|error| {
            format!(
                "Nobody answers at {} ({}).",
                link.authority(),
                plain(&error)
            )
        })?;
    // Small frames must not wait for each other.
    let _ = stream.set_nodelay(true);
    let stream: Box<dyn Wire> = if link.is_secure() {
        encrypt(link, stream, trust).await?
    } else {
        Box::new(stream)
    };
    let mut request = link
        .socket()
        .into_client_request()
        .map_err(|error| error.to_string())?;
    let protocol = HeaderValue::from_static(Form::Postcard.subprotocol());
    request
        .headers_mut()
        .insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    let limits = pump::config(frame::FROM_ROOM_BYTES_MAX);
    match tokio_tungstenite::client_async_with_config(request, stream, Some(limits)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) if response.status() == StatusCode::MISDIRECTED_REQUEST => Err(
            "The host does not answer to that name. Use the address it shows in its own link."
                .to_owned(),
        ),
        // ngrok itself answers, for nobody is behind it.
        Err(Error::Http(response)) if response.headers().contains_key("ngrok-error-code") => {
            Err(format!(
                "No party is open at {} now. Ask the host whether it runs, and for its link as it is now.",
                link.authority()
            ))
        }
        // A tunnel or a proxy that stands, and nothing behind it.
        Err(Error::Http(response)) if response.status().is_server_error() => Err(format!(
            "The way to {} stands, but the party behind it does not answer. Ask the host whether it runs.",
            link.authority()
        )),
        Err(_) => Err(format!(
            "Something else than a party answers at {}. If this network wants you to sign in, do that in a browser first.",
            link.authority()
        )),
    }
}

/// TLS on the way to a link's host, whose name must be what its certificate says.
async fn encrypt(
    link: &JoinLink,
    stream: TcpStream,
    trust: &mut Option<Trust>,
) -> Result<Box<dyn Wire>, String> {
    let trust = match trust {
        Some(trust) => trust,
        None => {
            // Reads files, some hundred of them on some systems.
            let system = tokio::task::spawn_blocking(Trust::system);
            trust.insert(system.await.map_err(|error| error.to_string())?)
        }
    };
    let name = ServerName::try_from(link.host())
        .map_err(|_| format!("{} is no name a certificate could have.", link.host()))?;
    let connector = tokio_rustls::TlsConnector::from(trust.config());
    match connector.connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(distrusted(link, &error)),
    }
}

/// Why TLS did not come about, as a sentence that says what to do.
fn distrusted(link: &JoinLink, error: &std::io::Error) -> String {
    use rustls::{CertificateError as Bad, Error as Tls};
    let place = link.authority();
    let reason = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Tls>());
    match reason {
        Some(Tls::InvalidCertificate(Bad::UnknownIssuer)) => format!(
            "Nobody this computer trusts vouches for {place}. If its host has an authority of their own, name its certificate in SSL_CERT_FILE."
        ),
        Some(Tls::InvalidCertificate(
            Bad::NotValidForName | Bad::NotValidForNameContext { .. },
        )) => format!(
            "The certificate at {place} is for another name. Use the address the host shows in their link."
        ),
        Some(Tls::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. })) => {
            format!(
                "The certificate at {place} has expired. Tell the host, and check this computer's date."
            )
        }
        Some(Tls::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. })) => {
            format!("The certificate at {place} is not valid yet. Check this computer's date.")
        }
        Some(Tls::InvalidMessage(_)) => format!(
            "What answers at {place} is not encrypted. Try the link with http instead of https."
        ),
        _ => format!("No encrypted connection to {place} came about ({error})."),
    }
}

/// The operating system's reason without its number.
fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => {
            "nothing listens there; is the host running?".to_owned()
        }
        std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable => {
            "there is no way to that network from here".to_owned()
        }
        _ => error.to_string(),
    }
}

async fn read(socket: &mut Option<Socket>) -> Option<Result<Message, Error>> {
    match socket {
        Some(socket) => socket.next().await,
        None => std::future::pending().await,
    }
}

fn dice() -> u64 {
    u64::from_ne_bytes(os::random_bytes())
}
