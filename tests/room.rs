//! The laws of the living room, on the real room, log and network code.

#![cfg(feature = "server")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use seance::broadcast::door::Door;
use seance::broadcast::feed::Subscription;
use seance::broadcast::hub::Hub;
use seance::broadcast::room::{self, Admission, Beginning, Reply, RoomHandle};
use seance::engine::event::codec;
use seance::engine::event::{Body, Client, Event, Role, Via};
use seance::engine::frame::{self, Form, Hello, ToMember, ToRoom, VERSION};
use seance::engine::id::{Seq, SessionId, Stamp};
use seance::engine::intent::{Ask, Intent, Refusal};
use seance::engine::text::Title;
use seance::log::memory::MemoryLog;
use seance::log::{AppendError, Appending, Edge, EventLog, ReadError};
use seance::net::server::{self, Page, Site};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const SESSION: SessionId = SessionId::new(7);
const KEY: [u8; 32] = [9; 32];
const DEADLINE: Duration = Duration::from_secs(60);

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    timeout(DEADLINE, work)
        .await
        .unwrap_or_else(|_| panic!("{what} never happened"))
}

async fn open(log: Arc<dyn EventLog>) -> RoomHandle {
    let beginning = Beginning::Open {
        session: SESSION,
        title: Title::new("Film night").unwrap(),
    };
    room::open(log, Door::new(KEY), beginning, Box::new(|_| {}))
        .await
        .unwrap()
}

fn hello(name: &str, cursor: u64) -> Hello {
    Hello {
        version: VERSION,
        session: SESSION,
        secret: Door::new(KEY).invite(Role::Guest).into(),
        name: name.into(),
        client: Client::Script,
        resume: None,
        cursor: Seq::new(cursor),
    }
}

fn say(counter: u64, text: &str) -> Ask {
    Ask {
        counter,
        stamp: Stamp::default(),
        via: Via::Script,
        aim: None,
        intent: Intent::Say { text: text.into() },
    }
}

/// A member who speaks to the room directly, without a socket.
struct Guest {
    room: RoomHandle,
    admission: Admission,
    replies: mpsc::Receiver<Box<Reply>>,
}

impl Guest {
    async fn enter(room: &RoomHandle, name: &str) -> Self {
        let (replies_in, replies) = mpsc::channel(64);
        let admission = room.admit(hello(name, 1), replies_in).await.unwrap();
        Self {
            room: room.clone(),
            admission,
            replies,
        }
    }

    async fn ask(&self, ask: Ask) {
        self.room
            .ask(
                self.admission.connection,
                self.admission.welcome.member,
                ask,
            )
            .await;
    }

    async fn answer(&mut self) -> Reply {
        *within("an answer", self.replies.recv()).await.unwrap()
    }
}

async fn collect(subscription: &mut Subscription, until: Seq) -> Vec<Seq> {
    let mut seqs = Vec::new();
    while seqs.last().is_none_or(|last: &Seq| last.next() < until) {
        let batch = within("the next events", subscription.next())
            .await
            .unwrap();
        let events = batch.iter().flat_map(|run| run.events());
        seqs.extend(events.map(|event| event.header.seq));
    }
    seqs
}

/// A log that makes nothing durable until it is let.
#[derive(Debug)]
struct GatedLog {
    inner: Arc<MemoryLog>,
    gate: Arc<Semaphore>,
    broken: AtomicBool,
}

impl GatedLog {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::new(MemoryLog::default()),
            gate: Arc::new(Semaphore::new(0)),
            broken: AtomicBool::new(false),
        })
    }
}

impl EventLog for GatedLog {
    fn append(&self, events: Vec<Event>) -> Appending {
        let (answer, answered) = oneshot::channel();
        let (inner, gate, broken) = (
            Arc::clone(&self.inner),
            Arc::clone(&self.gate),
            self.broken.load(Ordering::SeqCst),
        );
        tokio::spawn(async move {
            gate.acquire().await.unwrap().forget();
            let outcome = if broken {
                Err(AppendError::Full)
            } else {
                inner.append(events).await
            };
            let _ = answer.send(outcome);
        });
        Appending::coming(answered)
    }

    fn edge(&self) -> Edge {
        self.inner.edge()
    }

    fn records(&self, from: Seq, limit: usize) -> Result<Vec<Box<[u8]>>, ReadError> {
        self.inner.records(from, limit)
    }

    fn link_at(&self, seq: Seq) -> Result<Option<seance::engine::event::chain::Link>, ReadError> {
        self.inner.link_at(seq)
    }

    fn recent(&self, from: Seq, limit: usize) -> Option<Vec<Event>> {
        self.inner.recent(from, limit)
    }
}

#[tokio::test]
async fn nothing_is_published_or_answered_before_it_is_durable() {
    let log = GatedLog::new();
    log.gate.add_permits(2); // opening, and Bo coming in
    let room = open(log.clone()).await;
    let mut bo = Guest::enter(&room, "Bo").await;
    let mut reader = room.subscribe(bo.admission.welcome.tail);
    bo.ask(say(1, "not yet")).await;
    // The room has taken it in and waits for the log: neither answer nor event may come.
    within("the append", async {
        while log.gate.available_permits() > 0 || log.tail() < Seq::new(4) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert!(
        bo.replies.try_recv().is_err(),
        "answered before it was durable"
    );
    assert!(
        futures_util::FutureExt::now_or_never(reader.next()).is_none(),
        "published before it was durable"
    );
    log.gate.add_permits(1);
    assert_eq!(
        bo.answer().await,
        Reply::Accepted {
            counter: 1,
            seq: Seq::new(4)
        }
    );
    assert_eq!(collect(&mut reader, Seq::new(5)).await, [Seq::new(4)]);
}

#[tokio::test]
async fn a_log_that_fails_makes_the_room_read_only_and_publishes_nothing_it_lost() {
    let log = GatedLog::new();
    log.gate.add_permits(100);
    let room = open(log.clone()).await;
    let mut bo = Guest::enter(&room, "Bo").await;
    let mut reader = room.subscribe(Seq::FIRST);
    bo.ask(say(1, "saved")).await;
    assert!(matches!(bo.answer().await, Reply::Accepted { .. }));
    log.broken.store(true, Ordering::SeqCst);
    for counter in 2..5 {
        bo.ask(say(counter, "lost")).await;
        let answer = bo.answer().await;
        let read_only = Refusal::ReadOnly {
            reason: AppendError::Full.to_string(),
        };
        let refusal = read_only.clone();
        assert_eq!(answer, Reply::Refused { counter, refusal });
    }
    let (replies, _) = mpsc::channel(1);
    assert!(matches!(
        room.admit(hello("Cy", 1), replies).await,
        Err(Refusal::ReadOnly { .. })
    ));
    let everything = collect(&mut reader, Seq::new(5)).await;
    assert_eq!(everything, (1..5).map(Seq::new).collect::<Vec<_>>());
    assert!(
        futures_util::FutureExt::now_or_never(reader.next()).is_none(),
        "what was lost is never shown"
    );
}

#[tokio::test]
async fn a_slow_reader_is_late_never_wrong() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::default());
    let room = open(log).await;
    let mut from_the_start = room.subscribe(Seq::FIRST);
    let mut bo = Guest::enter(&room, "Bo").await;
    // Three times what the feed keeps in memory, while the reader reads nothing.
    for counter in 1..=3_500 {
        bo.ask(say(counter, "on and on")).await;
        assert!(matches!(bo.answer().await, Reply::Accepted { .. }));
    }
    let tail = Seq::new(3 + 3_500 + 1);
    let all: Vec<Seq> = (1..tail.get()).map(Seq::new).collect();
    assert_eq!(collect(&mut from_the_start, tail).await, all);
    let mut from_the_middle = room.subscribe(Seq::new(1_200));
    assert_eq!(collect(&mut from_the_middle, tail).await, all[1_199..]);
}

#[tokio::test]
async fn a_retried_intent_is_answered_alike_and_done_once() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::default());
    let room = open(Arc::clone(&log)).await;
    let mut bo = Guest::enter(&room, "Bo").await;
    bo.ask(say(1, "once")).await;
    let first = bo.answer().await;
    let tail = log.tail();
    bo.ask(say(1, "once")).await;
    assert_eq!(bo.answer().await, first);
    bo.ask(Ask {
        intent: Intent::Play {},
        ..say(2, "")
    })
    .await;
    let refused = bo.answer().await;
    assert!(
        matches!(
            &refused,
            Reply::Refused {
                refusal: Refusal::NothingLoaded,
                ..
            }
        ),
        "{refused:?}"
    );
    bo.ask(Ask {
        intent: Intent::Play {},
        ..say(2, "")
    })
    .await;
    assert_eq!(bo.answer().await, refused);
    assert_eq!(log.tail(), tail, "nothing was done twice");
}

#[tokio::test]
async fn the_same_member_from_elsewhere_takes_the_place_of_the_old_connection() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::default());
    let room = open(Arc::clone(&log)).await;
    let mut old = Guest::enter(&room, "Bo").await;
    let tail = log.tail();
    let (replies_in, _replies) = mpsc::channel(64);
    let welcome = old.admission.welcome.clone();
    let resume = frame::Resume {
        member: welcome.member,
        token: welcome.token.clone(),
    };
    let again = room
        .admit(
            Hello {
                resume: Some(resume),
                ..hello("Bo", 1)
            },
            replies_in,
        )
        .await
        .unwrap();
    assert_eq!(again.welcome.member, old.admission.welcome.member);
    assert_eq!(log.tail(), tail, "nobody left and nobody came");
    assert!(matches!(
        old.answer().await,
        Reply::Close(frame::Closing::Replaced)
    ));
    // What the old connection still says does not count.
    old.ask(say(9, "a ghost")).await;
    room.leave(
        old.admission.connection,
        welcome.member,
        seance::engine::event::Departure::Lost,
    )
    .await;
    room.close(frame::Closing::HostLeft).await;
    let events = log.read(tail, 100).unwrap();
    assert!(
        events
            .iter()
            .all(|event| !matches!(event.body, Body::Said { .. }))
    );
}

struct NoPages;

impl Site for NoPages {
    fn page(&self, _: &str, _: &str) -> Option<Page> {
        None
    }
}

/// A room behind a real port.
async fn serve(room: &RoomHandle) -> (std::net::SocketAddr, watch::Sender<bool>) {
    let hub = Hub::default();
    hub.insert(room.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(server::serve(listener, hub, Arc::new(NoPages), stopped));
    (address, stop)
}

type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn dial(address: std::net::SocketAddr, form: Form) -> Socket {
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    request.headers_mut().insert(
        "sec-websocket-protocol",
        form.subprotocol().parse().unwrap(),
    );
    within("a connection", tokio_tungstenite::connect_async(request))
        .await
        .unwrap()
        .0
}

async fn send(socket: &mut Socket, form: Form, frame: &ToRoom) {
    let message = match form {
        Form::Postcard => Message::Binary(frame::to_postcard(frame).into()),
        Form::Json => Message::Text(frame::to_json(frame).into()),
    };
    socket.send(message).await.unwrap();
}

async fn next_event(socket: &mut Socket) -> Event {
    loop {
        let frame = match within("a frame", socket.next()).await.unwrap().unwrap() {
            Message::Binary(bytes) => {
                frame::from_postcard(&bytes, frame::FROM_ROOM_BYTES_MAX).unwrap()
            }
            Message::Text(text) => frame::from_json(&text, frame::FROM_ROOM_BYTES_MAX).unwrap(),
            other => panic!("{other:?}"),
        };
        if let ToMember::Event(event) = frame {
            return event;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_forms_carry_the_same_events() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::default());
    let room = open(log).await;
    let (address, _stop) = serve(&room).await;
    let mut received = Vec::new();
    for (form, name) in [(Form::Postcard, "Ana"), (Form::Json, "Bo")] {
        let mut socket = dial(address, form).await;
        send(&mut socket, form, &ToRoom::Hello(hello(name, 1))).await;
        send(&mut socket, form, &ToRoom::Ask(say(1, "grüß dich 👋"))).await;
        let mut events = Vec::new();
        while events.last().is_none_or(|last: &Event| {
            !matches!(last.body, Body::Said { .. })
                || last
                    .header
                    .by
                    .is_some_and(|by| by.get() < received.len() as u32 + 1)
        }) {
            events.push(next_event(&mut socket).await);
        }
        received.push(events);
    }
    let bytes = |events: &[Event]| events.iter().map(codec::encode).collect::<Vec<_>>();
    let both = received[0].len();
    assert!(both >= 4);
    assert_eq!(bytes(&received[0]), bytes(&received[1][..both]));
}

#[tokio::test]
async fn whoever_knocks_as_the_room_ends_is_told_so_and_may_come_back() {
    // Found by tests/chaos.rs, seed 152: they were told that there is no such party, and gave up.
    let room = open(Arc::new(MemoryLog::default())).await;
    let (address, _stop) = serve(&room).await;
    room.close(frame::Closing::HostLeft).await;
    let mut late = dial(address, Form::Postcard).await;
    send(&mut late, Form::Postcard, &ToRoom::Hello(hello("Late", 1))).await;
    let Message::Binary(bytes) = within("a frame", late.next()).await.unwrap().unwrap() else {
        panic!("an answer is a frame");
    };
    let answer: ToMember = frame::from_postcard(&bytes, frame::FROM_ROOM_BYTES_MAX).unwrap();
    assert_eq!(answer, ToMember::Closing(frame::Closing::HostLeft));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_breaks_leaves_nobody_in_it() {
    let is_broken = Arc::new(AtomicBool::new(false));
    let breaks = Arc::clone(&is_broken);
    let title = Title::new("Film night").unwrap();
    let session = SESSION;
    let room = room::open(
        Arc::new(MemoryLog::default()),
        Door::new(KEY),
        Beginning::Open { session, title },
        Box::new(move |_| assert!(!breaks.load(Ordering::SeqCst), "a bug of the room's")),
    );
    let room = room.await.unwrap();
    let (address, _stop) = serve(&room).await;
    let mut bo = dial(address, Form::Postcard).await;
    send(&mut bo, Form::Postcard, &ToRoom::Hello(hello("Bo", 1))).await;
    while !matches!(next_event(&mut bo).await.body, Body::Joined { .. }) {}
    is_broken.store(true, Ordering::SeqCst);
    // Well before their silence would end it: whoever goes on pinging is no better off.
    let Message::Binary(bytes) = within("a word", bo.next()).await.unwrap().unwrap() else {
        panic!("a goodbye is a frame");
    };
    let told: ToMember = frame::from_postcard(&bytes, frame::FROM_ROOM_BYTES_MAX).unwrap();
    assert_eq!(told, ToMember::Closing(frame::Closing::HostLeft));
}

#[tokio::test]
async fn answers_that_nobody_takes_end_the_connection_and_none_is_lost_in_the_middle() {
    let room = open(Arc::new(MemoryLog::default())).await;
    let (replies_in, mut replies) = mpsc::channel(2);
    let admission = room.admit(hello("Bo", 1), replies_in).await.unwrap();
    let (connection, member) = (admission.connection, admission.welcome.member);
    for counter in 1..=4 {
        room.ask(connection, member, say(counter, "on and on"))
            .await;
    }
    room.trace().await; // the room took all of them in
    let mut heard = Vec::new();
    while let Some(reply) = within("the end", replies.recv()).await {
        let Reply::Accepted { counter, .. } = *reply else {
            panic!("{reply:?}");
        };
        heard.push(counter);
    }
    assert_eq!(heard, [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_who_never_reads_delays_nobody() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::default());
    let room = open(log).await;
    let (address, _stop) = serve(&room).await;
    let mut deaf = dial(address, Form::Json).await;
    send(&mut deaf, Form::Json, &ToRoom::Hello(hello("Deaf", 1))).await;
    let mut quick = dial(address, Form::Postcard).await;
    send(
        &mut quick,
        Form::Postcard,
        &ToRoom::Hello(hello("Quick", 1)),
    )
    .await;
    let mut bo = Guest::enter(&room, "Bo").await;
    // More than all buffers between the room and the deaf member hold.
    const LINES: u64 = 8_000;
    let text = "x".repeat(480);
    let feeder = tokio::spawn(async move {
        for counter in 1..=LINES {
            bo.ask(say(counter, &text)).await;
            assert!(matches!(bo.answer().await, Reply::Accepted { .. }));
        }
    });
    let mut said = 0;
    while said < LINES {
        if said % 500 == 0 {
            let t0 = seance::os::local_now();
            send(&mut quick, Form::Postcard, &ToRoom::Ping { t0 }).await;
        }
        if matches!(next_event(&mut quick).await.body, Body::Said { .. }) {
            said += 1;
        }
    }
    within("the last answer", feeder).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_oversize_and_early_words_end_a_connection_and_nothing_else() {
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::default());
    let room = open(Arc::clone(&log)).await;
    let (address, _stop) = serve(&room).await;
    let tail = log.tail();
    let big = "x".repeat(frame::FROM_MEMBER_BYTES_MAX + 1);
    let deep = format!("{}{}", "[".repeat(8_000), "]".repeat(8_000));
    let early = frame::to_json(&ToRoom::Ask(say(1, "before hello")));
    for text in ["{", "null", "{\"hello\":{}}", &deep, &early, &big] {
        let mut socket = dial(address, Form::Json).await;
        let _ = socket.send(Message::Text(text.into())).await;
        let ended = async { while socket.next().await.is_some_and(|read| read.is_ok()) {} };
        within("the end of the connection", ended).await;
    }
    let mut binary = dial(address, Form::Json).await;
    binary
        .send(Message::Binary(vec![0; 10].into()))
        .await
        .unwrap();
    within("the end of the connection", async {
        while binary.next().await.is_some_and(|read| read.is_ok()) {}
    })
    .await;
    assert_eq!(log.tail(), tail, "no stranger left a trace");
    let mut bo = Guest::enter(&room, "Bo").await;
    bo.ask(say(1, "and the room goes on")).await;
    assert!(matches!(bo.answer().await, Reply::Accepted { .. }));
}
