//! A double of ngrok's service: its agent protocol (TLS, muxado, JSON requests) at one door, its
//! edge, where guests come in by https, at another.
//!
//! It speaks to the real `ngrok` crate through the published `muxado` crate. What it imitates is
//! what that crate's source and ngrok's public pages (docs/errors) say; the service itself was
//! never reached. Faithful: stream types, request and answer shapes, errors as text with their
//! `ERR_NGROK_` line, the token repeated in one of them, proxy headers, cookies and ids on a
//! return, GOAWAY by a closed connection, a session limit. Left out: everything not asked for by
//! an HTTP endpoint.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use muxado::typed::{
    StreamType, Typed, TypedAccept as _, TypedOpenClose as _, TypedSession as _, TypedStream,
};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_rustls::TlsAcceptor;

use super::Certificate;

const AUTH: u32 = 0;
const BIND: u32 = 1;
const UNBIND: u32 = 2;
const PROXY: u32 = 3;
const STOP: u32 = 5;
const STOP_TUNNEL: u32 = 9;
const HEARTBEAT: u32 = u32::MAX;

/// What the service does with those who come.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The tokens it knows.
    pub token: String,
    /// How many sessions the account may have at once.
    pub sessions_max: usize,
    /// The hosts it gives out, the first first; a return to one that is gone is refused.
    pub hosts: Vec<String>,
    /// Whether it answers heartbeats.
    pub beats: bool,
    /// Whether it takes connections at all.
    pub up: bool,
}

/// What a session of an agent looks like from here.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Each `Auth` request, as it came.
    pub auths: Vec<Value>,
    /// Each `Bind` request, as it came.
    pub binds: Vec<Value>,
    /// How many guests were carried.
    pub guests: usize,
}

struct Agent {
    proxy: mpsc::Sender<oneshot::Sender<TypedStream>>,
    control: mpsc::Sender<u32>,
    end: watch::Sender<bool>,
    bound: Option<(String, String)>,
    client: String,
}

struct Shared {
    rules: Mutex<Rules>,
    seen: Mutex<Seen>,
    agents: Mutex<BTreeMap<u64, Agent>>,
}

/// The double. Ends with its value.
pub struct Ngrok {
    /// Where agents dial: `localhost:port`.
    pub server: String,
    /// Where guests come in.
    pub edge: SocketAddr,
    /// The authority of both, in PEM.
    pub authority: String,
    /// The same, for a client in this process.
    pub authority_der: rustls::pki_types::CertificateDer<'static>,
    shared: Arc<Shared>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Ngrok {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.lose_sessions();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Ngrok {
    /// The service, with one account, whose token this is.
    pub async fn start(token: &str) -> Self {
        let certificate = Certificate::of(&["localhost", "127.0.0.1", "film-night.ngrok.test"]);
        let tls = certificate.acceptor;
        let agents = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let guests = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (door, edge) = (agents.local_addr().unwrap(), guests.local_addr().unwrap());
        let shared = Arc::new(Shared {
            rules: Mutex::new(Rules {
                token: token.to_owned(),
                sessions_max: 1,
                hosts: vec![format!("localhost:{}", edge.port())],
                beats: true,
                up: true,
            }),
            seen: Mutex::default(),
            agents: Mutex::default(),
        });
        let tasks = vec![
            tokio::spawn(take_agents(agents, tls.clone(), Arc::clone(&shared))),
            tokio::spawn(take_guests(guests, tls, Arc::clone(&shared))),
        ];
        Self {
            server: format!("localhost:{}", door.port()),
            edge,
            authority: certificate.made.pem(),
            authority_der: certificate.made.der().clone(),
            shared,
            tasks,
        }
    }

    /// Changes what the service does from now on.
    pub fn rule(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut locked(&self.shared.rules));
    }

    /// What it saw so far.
    pub fn seen(&self) -> Seen {
        locked(&self.shared.seen).clone()
    }

    /// How many agents have a session now.
    pub fn sessions(&self) -> usize {
        locked(&self.shared.agents).len()
    }

    /// Ends every session without a word, as a broken network does.
    pub fn lose_sessions(&self) {
        for agent in locked(&self.shared.agents).values() {
            agent.end.send_replace(true);
        }
    }

    /// Asks every agent to stop its session, as the dashboard's button does.
    pub async fn stop_from_dashboard(&self) {
        self.control(STOP).await;
    }

    /// Tells every agent that its endpoint is closed, with a reason.
    pub async fn stop_tunnels(&self) {
        self.control(STOP_TUNNEL).await;
    }

    async fn control(&self, order: u32) {
        let controls: Vec<_> = locked(&self.shared.agents)
            .values()
            .map(|agent| agent.control.clone())
            .collect();
        for control in controls {
            let _ = control.send(order).await;
        }
    }
}

async fn take_agents(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    let mut next = 0;
    while let Ok((socket, _)) = listener.accept().await {
        if !locked(&shared.rules).up {
            continue; // dropped at once
        }
        next += 1;
        let (id, tls, shared) = (next, tls.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(socket).await else {
                return;
            };
            serve_agent(id, stream, &shared).await;
            locked(&shared.agents).remove(&id);
        });
    }
}

async fn serve_agent<S>(id: u64, stream: S, shared: &Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (end, mut ended) = watch::channel(false);
    let session = muxado::SessionBuilder::new(stream).server().start();
    let (mut open, mut accept) = Typed::new(session).split_typed();
    let (came_in, mut came) = mpsc::channel(16);
    // In a task of its own, because cancelling it would lose a stream that is half there.
    let accepting = tokio::spawn(async move {
        while let Ok(stream) = accept.accept_typed().await {
            if came_in.send(stream).await.is_err() {
                return;
            }
        }
    });
    let (proxy, mut wanted) = mpsc::channel::<oneshot::Sender<TypedStream>>(16);
    let (control, mut orders) = mpsc::channel(4);
    let mut agent = Some(Agent {
        proxy,
        control,
        end,
        bound: None,
        client: String::new(),
    });
    loop {
        tokio::select! {
            () = over(&mut ended) => break,
            Some(answer) = wanted.recv() => {
                if let Ok(stream) = open.open_typed(StreamType::clamp(PROXY)).await {
                    let _ = answer.send(stream);
                }
            }
            Some(order) = orders.recv() => {
                let Ok(mut stream) = open.open_typed(StreamType::clamp(order)).await else { break };
                let bound = locked(&shared.agents).get(&id).and_then(|agent| agent.bound.clone());
                let request = match order {
                    STOP => json!({}),
                    _ => json!({ "Id": bound.map(|(id, _)| id), "Message": "Your endpoint was closed: bandwidth limit exceeded.", "ErrorCode": "ERR_NGROK_725" }),
                };
                let _ = stream.write_all(request.to_string().as_bytes()).await;
            }
            came = came.recv() => {
                let Some(mut stream) = came else { break };
                match *stream.typ() {
                    HEARTBEAT => {
                        let shared = Arc::clone(shared);
                        tokio::spawn(async move { answer_beats(stream, &shared).await });
                    }
                    AUTH => {
                        let Some(request) = request(&mut stream).await else { break };
                        let answer = authenticate(id, &request, shared, &mut agent);
                        answer_with(stream, &answer).await;
                    }
                    BIND => {
                        let Some(request) = request(&mut stream).await else { break };
                        let answer = bind(id, &request, shared);
                        answer_with(stream, &answer).await;
                    }
                    UNBIND => {
                        let _ = request(&mut stream).await;
                        if let Some(agent) = locked(&shared.agents).get_mut(&id) {
                            agent.bound = None;
                        }
                        answer_with(stream, &json!({})).await;
                    }
                    _ => {}
                }
            }
        }
    }
    accepting.abort();
}

async fn over(ended: &mut watch::Receiver<bool>) {
    let _ = ended.wait_for(|over| *over).await;
}

async fn answer_beats(mut stream: TypedStream, shared: &Shared) {
    let mut beat = [0; 4];
    while stream.read_exact(&mut beat).await.is_ok() {
        if !locked(&shared.rules).beats {
            continue;
        }
        if stream.write_all(&beat).await.is_err() {
            return;
        }
    }
}

/// The request on a stream: JSON, as long as it takes until it reads.
async fn request(stream: &mut TypedStream) -> Option<Value> {
    let mut bytes = Vec::new();
    loop {
        let mut some = [0; 1024];
        let count = stream.read(&mut some).await.ok()?;
        bytes.extend_from_slice(&some[..count]);
        if let Ok(request) = serde_json::from_slice(&bytes) {
            return Some(request);
        }
        if count == 0 {
            return None;
        }
    }
}

async fn answer_with(mut stream: TypedStream, answer: &Value) {
    let _ = stream.write_all(answer.to_string().as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn refusal(sentence: &str, code: &str) -> Value {
    json!({ "Error": format!("{sentence}\n\n{code}\n"), "Version": "", "ClientId": "", "Id": "", "URL": "", "Proto": "" })
}

fn authenticate(id: u64, request: &Value, shared: &Shared, agent: &mut Option<Agent>) -> Value {
    locked(&shared.seen).auths.push(request.clone());
    let rules = locked(&shared.rules).clone();
    let token = request["Extra"]["AuthToken"].as_str().unwrap_or_default();
    if token.is_empty() {
        return refusal(
            "Usage of ngrok requires a verified account and authtoken.",
            "ERR_NGROK_4018",
        );
    }
    if !token.contains('_') {
        // The real one repeats what it was given.
        return refusal(
            &format!(
                "The authtoken you specified does not look like a proper ngrok authtoken.\nYour authtoken: {token}"
            ),
            "ERR_NGROK_105",
        );
    }
    if token != rules.token {
        return refusal(
            "The authtoken you specified is properly formed, but it is invalid.",
            "ERR_NGROK_107",
        );
    }
    let known = request["ClientId"].as_str().filter(|id| !id.is_empty());
    let mut agents = locked(&shared.agents);
    // Who comes back as themselves takes the place of what is left of them.
    let before = agents
        .iter()
        .find(|(_, agent)| Some(&*agent.client) == known)
        .map(|(id, _)| *id);
    if let Some(ghost) = before.and_then(|before| agents.remove(&before)) {
        ghost.end.send_replace(true);
    }
    if agents.len() >= rules.sessions_max {
        let sentence = format!(
            "Your account is limited to {} simultaneous ngrok agent sessions.",
            rules.sessions_max
        );
        return refusal(&sentence, "ERR_NGROK_108");
    }
    let client = known.map_or_else(|| format!("client-{id}"), str::to_owned);
    if let Some(mut agent) = agent.take() {
        agent.client.clone_from(&client);
        agents.insert(id, agent);
    }
    json!({
        "Version": "3",
        "ClientId": client,
        "Extra": { "Version": "prod", "Region": "eu", "Cookie": "a cookie", "AccountName": "test", "SessionDuration": 0, "PlanName": "Free", "Banner": "" },
    })
}

fn bind(id: u64, request: &Value, shared: &Shared) -> Value {
    locked(&shared.seen).binds.push(request.clone());
    let rules = locked(&shared.rules).clone();
    let asked = request["Opts"]["Domain"]
        .as_str()
        .filter(|domain| !domain.is_empty());
    let host = match asked {
        None => rules.hosts[0].clone(),
        Some(host) if rules.hosts.iter().any(|ours| ours == host) => host.to_owned(),
        Some(host) => {
            let sentence = format!(
                "This domain is reserved for another account. Failed to create an endpoint with the domain {host}."
            );
            return refusal(&sentence, "ERR_NGROK_320");
        }
    };
    let mut agents = locked(&shared.agents);
    let taken = agents.iter().any(|(other, agent)| {
        *other != id
            && agent
                .bound
                .as_ref()
                .is_some_and(|(_, bound)| *bound == host)
    });
    if taken {
        return refusal(
            &format!("The endpoint 'https://{host}' is already online."),
            "ERR_NGROK_334",
        );
    }
    let endpoint = request["Id"]
        .as_str()
        .filter(|id| !id.is_empty())
        .map_or_else(|| format!("ep-{id}"), str::to_owned);
    if let Some(agent) = agents.get_mut(&id) {
        agent.bound = Some((endpoint.clone(), host.clone()));
    }
    let mut options = request["Opts"].clone();
    // So that a return asks for the same again.
    options["Domain"] = host.as_str().into();
    json!({ "Id": endpoint, "URL": format!("https://{host}"), "Proto": "https", "Opts": options, "Extra": { "Token": "endpoint token" } })
}

async fn take_guests(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    while let Ok((socket, peer)) = listener.accept().await {
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            if let Ok(guest) = tls.accept(socket).await {
                carry_guest(guest, peer, &shared).await;
            }
        });
    }
}

async fn carry_guest(
    mut guest: tokio_rustls::server::TlsStream<TcpStream>,
    peer: SocketAddr,
    shared: &Shared,
) {
    let agent = locked(&shared.agents).values().find_map(|agent| {
        Some((
            agent.proxy.clone(),
            agent.end.subscribe(),
            agent.bound.clone()?.0,
        ))
    });
    let Some((proxy, mut ended, endpoint)) = agent else {
        let nobody = "HTTP/1.1 404 Not Found\r\nNgrok-Error-Code: ERR_NGROK_3200\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let _ = guest.write_all(nobody.as_bytes()).await;
        let _ = guest.shutdown().await;
        return;
    };
    let (answer, opened) = oneshot::channel();
    if proxy.send(answer).await.is_err() {
        return;
    }
    let Ok(mut stream) = opened.await else { return };
    locked(&shared.seen).guests += 1;
    let header = json!({ "Id": endpoint, "ClientAddr": peer.to_string(), "Proto": "https", "EdgeType": "3", "PassthroughTLS": false }).to_string();
    let _ = stream.write_all(&(header.len() as i64).to_le_bytes()).await;
    let _ = stream.write_all(header.as_bytes()).await;
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut guest, &mut *stream) => {}
        () = over(&mut ended) => {}
    }
}
