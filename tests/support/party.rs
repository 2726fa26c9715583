//! A real room behind a real port, in this process, and guests who speak JSON to it as anybody's
//! own program would.

#![allow(dead_code, reason = "every test file uses another part of the support")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use seance::broadcast::door::Door;
use seance::broadcast::hub::Hub;
use seance::broadcast::room::{self, Beginning, RoomHandle};
use seance::engine::event::{Client, Event, Role, Via};
use seance::engine::fold::RoomState;
use seance::engine::frame::{
    self, Closing, FROM_ROOM_BYTES_MAX, Form, Hello, Knock, Resume, ToMember, ToRoom, VERSION,
    Welcome,
};
use seance::engine::id::{MemberId, Seq, SessionId};
use seance::engine::intent::{Ask, Intent, Refusal};
use seance::engine::sequencer::Way;
use seance::engine::text::{Passcode, Title};
use seance::log::EventLog;
use seance::log::memory::MemoryLog;
use seance::net::server::{self, Page, Site};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub const SESSION: SessionId = SessionId::new(7);
pub const KEY: [u8; 32] = [9; 32];

/// How long anything may take on a busy machine before a test gives up on it.
const DEADLINE: Duration = Duration::from_secs(60);

pub async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    timeout(DEADLINE, work)
        .await
        .unwrap_or_else(|_| panic!("{what} never happened"))
}

struct OnePage;

impl Site for OnePage {
    fn page(&self, path: &str, _: &str) -> Option<Page> {
        (path == "/").then(|| Page {
            content_type: "text/html",
            bytes: bytes::Bytes::from_static(b"<!doctype html>party"),
            headers: Vec::new(),
        })
    }
}

/// A party on air.
pub struct Party {
    pub room: RoomHandle,
    pub log: Arc<dyn EventLog>,
    pub door: Door,
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
}

impl Party {
    pub async fn open() -> Self {
        Self::open_with(Door::new(KEY)).await
    }

    pub async fn open_with(door: Door) -> Self {
        let log: Arc<dyn EventLog> = Arc::new(MemoryLog::default());
        let beginning = Beginning::Open {
            session: SESSION,
            title: Title::new("Film night").unwrap(),
        };
        let room = room::open(Arc::clone(&log), door.clone(), beginning, Box::new(|_| {}))
            .await
            .unwrap();
        let hub = Hub::default();
        hub.insert(room.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(server::serve(listener, hub, Arc::new(OnePage), stopped));
        Self {
            room,
            log,
            door,
            address,
            stop,
        }
    }

    /// Whoever opened the party.
    pub async fn host(&self) -> Guest {
        let secret = self.door.invite(Role::Host);
        Guest::enter(self, &secret, "Host").await.unwrap()
    }

    /// A guest by the party's own link.
    pub async fn guest(&self, name: &str) -> Guest {
        let secret = self.door.invite(Role::Guest);
        Guest::enter(self, &secret, name).await.unwrap()
    }

    /// The secret of a link that was made.
    pub fn secret(&self, link: Seq) -> String {
        self.door.secret(Way::Link(link))
    }

    /// What is in the log, folded.
    pub fn state(&self) -> RoomState {
        let mut state = RoomState::default();
        for event in self.events() {
            state.apply(&event);
        }
        state
    }

    pub fn events(&self) -> Vec<Event> {
        self.log.read(Seq::FIRST, 1_000_000).unwrap()
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// How somebody introduces themselves.
#[derive(Clone, Debug, Default)]
pub struct Card {
    pub secret: String,
    pub name: String,
    pub resume: Option<Resume>,
    pub passcode: Option<String>,
}

impl Card {
    pub fn new(secret: &str, name: &str) -> Self {
        Self {
            secret: secret.to_owned(),
            name: name.to_owned(),
            ..Self::default()
        }
    }

    pub fn knowing(mut self, passcode: &str) -> Self {
        self.passcode = Some(passcode.to_owned());
        self
    }

    pub fn back_as(mut self, guest: &Guest) -> Self {
        let Welcome { member, token, .. } = guest.welcome.clone();
        self.resume = Some(Resume { member, token });
        self
    }
}

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connection that was made and has said nothing.
pub async fn dial(address: SocketAddr, form: Form) -> Socket {
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    let protocol = form.subprotocol().parse().unwrap();
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let connected = tokio_tungstenite::connect_async(request);
    within("a connection", connected).await.unwrap().0
}

pub async fn send(socket: &mut Socket, form: Form, frame: &ToRoom) {
    let message = match form {
        Form::Postcard => Message::Binary(frame::to_postcard(frame).into()),
        Form::Json => Message::Text(frame::to_json(frame).into()),
    };
    // An error shows in what is read next.
    let _ = socket.send(message).await;
}

/// The next frame; `None` once the connection ended.
pub async fn next(socket: &mut Socket) -> Option<ToMember> {
    loop {
        return match within("a frame", socket.next()).await? {
            Ok(Message::Binary(bytes)) => {
                Some(frame::from_postcard(&bytes, FROM_ROOM_BYTES_MAX).unwrap())
            }
            Ok(Message::Text(text)) => Some(frame::from_json(&text, FROM_ROOM_BYTES_MAX).unwrap()),
            Ok(Message::Ping(_) | Message::Pong(_)) => continue,
            Ok(_) | Err(_) => None,
        };
    }
}

/// Somebody at the door.
pub struct Knocker {
    socket: Socket,
    form: Form,
}

impl Knocker {
    /// Says hello and waits for the first answer: in, refused, or at the door.
    pub async fn come(party: &Party, card: Card) -> Result<Result<Guest, Self>, Refusal> {
        Self::come_by(party, card, Form::Json).await
    }

    pub async fn come_by(
        party: &Party,
        card: Card,
        form: Form,
    ) -> Result<Result<Guest, Self>, Refusal> {
        let mut socket = dial(party.address, form).await;
        if let Some(passcode) = &card.passcode {
            let passcode = Passcode::new(passcode).unwrap();
            send(&mut socket, form, &ToRoom::Passcode { passcode }).await;
        }
        let hello = Hello {
            version: VERSION,
            session: SESSION,
            secret: card.secret.into(),
            name: card.name,
            client: Client::Script,
            resume: card.resume,
            cursor: Seq::FIRST,
        };
        send(&mut socket, form, &ToRoom::Hello(hello)).await;
        let mut knocker = Self { socket, form };
        match next(&mut knocker.socket).await {
            Some(ToMember::Waiting {}) => Ok(Err(knocker)),
            Some(ToMember::Welcome(welcome)) => Ok(Ok(Guest::new(knocker, welcome))),
            Some(ToMember::Refused(no)) => Err(no.refusal),
            other => panic!("an unexpected answer: {other:?}"),
        }
    }

    /// Waits for the moderator's answer.
    pub async fn answer(mut self) -> Result<Guest, Refusal> {
        match next(&mut self.socket).await {
            Some(ToMember::Welcome(welcome)) => Ok(Guest::new(self, welcome)),
            Some(ToMember::Refused(no)) => Err(no.refusal),
            other => panic!("an unexpected answer: {other:?}"),
        }
    }
}

static BASE: AtomicU64 = AtomicU64::new(1);

/// A member with a connection of their own.
pub struct Guest {
    pub socket: Socket,
    pub form: Form,
    pub welcome: Welcome,
    pub state: RoomState,
    /// Secrets they were told.
    pub secrets: Vec<(Seq, String)>,
    /// Who is at the door, as they were told last.
    pub knocks: Vec<Knock>,
    pub closing: Option<Closing>,
    answers: VecDeque<(u64, Result<Seq, Refusal>)>,
    counter: u64,
}

impl Guest {
    fn new(knocker: Knocker, welcome: Welcome) -> Self {
        Self {
            socket: knocker.socket,
            form: knocker.form,
            welcome,
            state: RoomState::default(),
            secrets: Vec::new(),
            knocks: Vec::new(),
            closing: None,
            answers: VecDeque::new(),
            // Above what the same member asked on an earlier connection.
            counter: 1_000 * BASE.fetch_add(1, Ordering::Relaxed),
        }
    }

    pub async fn enter(party: &Party, secret: &str, name: &str) -> Result<Self, Refusal> {
        match Knocker::come(party, Card::new(secret, name)).await? {
            Ok(guest) => Ok(guest),
            Err(_) => panic!("{name} has to wait at the door"),
        }
    }

    pub fn id(&self) -> MemberId {
        self.welcome.member
    }

    /// Reads one frame; false once the connection ended.
    pub async fn read(&mut self) -> bool {
        match next(&mut self.socket).await {
            None => return false,
            Some(ToMember::Event(event)) => self.state.apply(&event),
            Some(ToMember::Accepted { counter, seq }) => {
                self.answers.push_back((counter, Ok(seq)));
            }
            Some(ToMember::Refused(no)) => {
                let counter = no.counter.unwrap_or(0);
                self.answers.push_back((counter, Err(no.refusal)));
            }
            Some(ToMember::Secret { invite, secret }) => {
                self.secrets.push((invite, secret.reveal().to_owned()))
            }
            Some(ToMember::Knocks(knocks)) => self.knocks = knocks,
            Some(ToMember::Closing(why)) => self.closing = Some(why),
            Some(_) => {}
        }
        true
    }

    /// Reads until that holds.
    pub async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            assert!(self.read().await, "the connection ended before {what}");
        }
    }

    pub async fn say_ask(&mut self, counter: u64, intent: Intent) {
        let ask = Ask {
            counter,
            stamp: Default::default(),
            via: Via::Script,
            aim: None,
            intent,
        };
        send(&mut self.socket, self.form, &ToRoom::Ask(ask)).await;
    }

    /// Asks under a counter of its own and waits for the answer.
    pub async fn ask(&mut self, intent: Intent) -> Result<Seq, Refusal> {
        self.counter += 1;
        self.ask_as(self.counter, intent).await
    }

    pub async fn ask_as(&mut self, counter: u64, intent: Intent) -> Result<Seq, Refusal> {
        self.say_ask(counter, intent).await;
        loop {
            if let Some(place) = self.answers.iter().position(|(of, _)| *of == counter) {
                return self.answers.remove(place).unwrap().1;
            }
            assert!(self.read().await, "no answer came");
        }
    }

    /// Makes a link and waits for its secret.
    pub async fn invite(
        &mut self,
        role: Role,
        uses: Option<u32>,
    ) -> Result<(Seq, String), Refusal> {
        let lasts = None;
        let link = self.ask(Intent::Invite { role, lasts, uses }).await?;
        let told = |this: &Self| this.secrets.iter().any(|(of, _)| *of == link);
        self.until("its secret", told).await;
        let secret = self.secrets.iter().find(|(of, _)| *of == link);
        Ok((link, secret.unwrap().1.clone()))
    }

    /// How many refusals came that answer no ask.
    pub fn refused_unasked(&self) -> usize {
        self.answers.iter().filter(|(of, _)| *of == 0).count()
    }

    pub fn forget_refusals(&mut self) {
        self.answers.retain(|(of, _)| *of != 0);
    }

    /// Reads until every event before `tail` is folded in.
    pub async fn catch_up_to(&mut self, tail: Seq) {
        self.until("its tail", |this| this.state.tail() >= tail)
            .await;
    }

    /// Reads what has come, without waiting for more.
    pub async fn drain(&mut self) {
        while timeout(Duration::from_millis(1), next(&mut self.socket))
            .await
            .is_ok_and(|frame| frame.is_some())
        {}
    }

    /// Everything the room had to say so far: asks something harmless and reads up to the answer.
    pub async fn catch_up(&mut self) {
        let _ = self.ask(Intent::Return {}).await;
    }
}
