//! Hosting: the log, the room and the server of one session, opened and closed together.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::broadcast::door::Door;
use crate::broadcast::hub::Hub;
use crate::broadcast::room::{self, AliveMark, Beginning, KeepTrace, RoomHandle, Tracing};
use crate::cli::reach::Reach;
use crate::engine::event::Role;
use crate::engine::fold::RoomState;
use crate::engine::frame::{self, Closing};
use crate::engine::id::{Seq, SessionId};
use crate::engine::replay::Replay;
use crate::engine::text::Title;
use crate::engine::unit::{LocalTime, Micros};
use crate::log::EventLog;
use crate::log::store::{Alive, Home, Session};
use crate::log::trace::TraceWriter;
use crate::net::link::JoinLink;
use crate::net::server::{self, Names, Page, Site};
use crate::os;
use crate::projection::web::{self, MediaHosts};
use crate::tunnel::addresses;
use crate::tunnel::nearby::{Announced, Notice};

/// The port a party listens on where nothing else was asked for.
pub const PORT: u16 = 7878;

/// The list of sessions may be behind by this much: a thousand who come at once are not a
/// thousand synced files.
const SAVE_EVERY: Micros = Micros::from_secs(1);

/// Events folded at a time when a past session is opened.
const FOLD_STEP: usize = 2_048;

/// What to host.
#[derive(Clone, Debug, Default)]
pub struct HostOptions {
    /// What to call a new party.
    pub title: Option<String>,
    /// Where to listen; `None` for where the session listened before, or everywhere.
    pub bind: Option<SocketAddr>,
    /// A past session to go on with: its id, the beginning of it, or its title.
    pub session: Option<String>,
    /// Whether only this machine may reach a new party, where no address is asked for.
    pub local_only: bool,
}

/// A session on air.
#[derive(Debug)]
pub struct Hosting {
    room: RoomHandle,
    title: String,
    page: JoinLink,
    reach: Reach,
    announced: Option<Announced>,
    own: JoinLink,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    store: Session,
    trace: Option<TraceWriter>,
    /// When the file beside the session was written last.
    saved: Option<LocalTime>,
    /// Whether that changed since.
    is_unsaved: bool,
}

/// Opens a session, new or past, and puts it on air.
pub async fn start(home: &Home, options: HostOptions) -> Result<Hosting> {
    let mut store = match &options.session {
        Some(text) => {
            let session = home.find(text)?;
            home.open_session(session)?
        }
        None => {
            let title = options
                .title
                .clone()
                .unwrap_or_else(|| "Film night".to_owned());
            home.create_session(Title::new(&title)?.as_str(), os::wall_millis())?
        }
    };
    let bind = options
        .bind
        .or_else(|| store.info.bind.as_ref()?.parse().ok());
    let listener = listen(bind, options.local_only)?;
    let bound = listener
        .local_addr()
        .context("the port that was just opened has no address")?;
    store.info.bind = Some(bound.to_string());
    store.info.protocol = frame::VERSION;
    store.save_info()?;

    let log: Arc<dyn EventLog> = Arc::clone(&store.log) as _;
    let beginning = beginning(&store, &log).await?;
    let title = match &beginning {
        Beginning::Open { title, .. } => title.to_string(),
        Beginning::Resume { state, .. } => state
            .title
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    };
    let passcode = store.passcode_file();
    let sealed = passcode.read();
    let keep = Box::new(move |sealed: Option<&str>| passcode.write(sealed));
    let door = Door::new(*store.key.as_bytes()).with_passcode(sealed, keep);
    let session = store.id();
    let mut alive = store.alive_file()?;
    let mark = Box::new(move |mark: AliveMark| {
        if let Err(error) = alive.write(Alive {
            session_time: mark.at,
            wall_millis: mark.wall,
        }) {
            tracing::warn!(%session, %error, "the alive mark could not be written");
        }
    });
    let (traced, trace) = tracing_of(&store);
    let room = room::open_traced(Arc::clone(&log), door.clone(), beginning, mark, traced).await?;

    let hub = Hub::default();
    hub.insert(room.clone());
    let (stop, stopped) = watch::channel(false);
    let names = Names::default();
    let site = GuestPage {
        names: names.clone(),
    };
    let server = tokio::spawn(server::serve(listener, hub, Arc::new(site), stopped));
    let link =
        |address: SocketAddr, role| JoinLink::new(&address.to_string(), session, door.invite(role));
    let share = link(addresses::for_others(bound), Role::Guest);
    Ok(Hosting {
        title,
        announced: None,
        reach: Reach::open(room.clone(), names, bound, share),
        page: link(addresses::for_us(bound), Role::Guest),
        own: link(addresses::for_us(bound), Role::Host),
        room,
        stop,
        server,
        store,
        trace,
        saved: None,
        is_unsaved: false,
    })
}

impl Hosting {
    /// The session's name.
    pub fn session(&self) -> SessionId {
        self.room.session()
    }

    /// What people call it.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The link to share now: through a tunnel where one is open, for it works from everywhere.
    pub fn link(&self) -> JoinLink {
        self.reach.link()
    }

    /// Tells the network that the party is there and who hosts it; its link is not told. A network
    /// without multicast only means that nobody finds the party by name.
    pub fn announce(&mut self, host: &str) {
        let notice = Notice {
            session: self.session(),
            title: self.title.clone(),
            host: host.to_owned(),
            bound: self.reach.bound(),
        };
        match Announced::start(&notice) {
            Ok(announced) => self.announced = announced,
            Err(error) => tracing::warn!(%error, "the party is not announced on this network"),
        }
    }

    /// The ways by which friends come in.
    pub fn reach(&mut self) -> &mut Reach {
        &mut self.reach
    }

    /// The guest page's address on this very machine.
    pub fn page(&self) -> String {
        self.page.to_string()
    }

    /// The link that makes its bearer the host; never shown.
    pub fn own_link(&self) -> &JoinLink {
        &self.own
    }

    /// Takes the session off air: everybody is told, nothing is lost, and it can be opened again.
    pub async fn stop(mut self) {
        self.announced = None;
        self.save();
        self.room.close(Closing::HostLeft).await;
        self.reach.close().await;
        self.stop.send_replace(true);
        // A task that panicked has nothing left to close.
        let _ = (&mut self.server).await;
        if let Some(trace) = self.trace.take() {
            // The room held its sink and is gone; what is left is some kilobytes for the disk.
            let _ = tokio::task::spawn_blocking(|| trace.finish()).await;
        }
    }

    /// Writes beside the session what a list of sessions shows of it, when that changed.
    ///
    /// Done as it changes and not at the end, because an end is not promised.
    pub fn remember(&mut self, state: &RoomState) {
        let people = state.roster.iter().count();
        let watched: Vec<_> = state
            .timeline
            .items()
            .filter(|(_, item)| item.seen)
            .map(|(_, item)| item.media.clone())
            .collect();
        let info = &mut self.store.info;
        if (info.people, &info.watched) != (people, &watched) {
            (info.people, info.watched) = (people, watched);
            self.is_unsaved = true;
        }
        let now = os::local_now();
        // The next news, the next tick of the clock, or the end comes here again.
        if self.is_unsaved && self.saved.is_none_or(|saved| now - saved >= SAVE_EVERY) {
            self.saved = Some(now);
            self.save();
        }
    }

    fn save(&mut self) {
        if std::mem::take(&mut self.is_unsaved)
            && let Err(error) = self.store.save_info()
        {
            tracing::warn!(%error, "the list of sessions will show less of this one");
        }
    }
}

/// The trace so far and where it goes on. A session without its trace is whole, so that nothing
/// about it keeps one from opening.
fn tracing_of(store: &Session) -> (Tracing, Option<TraceWriter>) {
    let earlier = store.trace();
    let writer = store
        .trace_writer()
        .inspect_err(|error| tracing::warn!(%error, "this session will not be traced"))
        .ok();
    let keep = writer
        .as_ref()
        .map(|writer| Box::new(writer.sink()) as KeepTrace);
    (Tracing { earlier, keep }, writer)
}

/// Opens the port asked for; without one, the usual port, or any if that is taken.
fn listen(bind: Option<SocketAddr>, local_only: bool) -> Result<TcpListener> {
    let everywhere = if local_only {
        Ipv4Addr::LOCALHOST
    } else {
        Ipv4Addr::UNSPECIFIED
    };
    match bind {
        Some(address) => match server::listen(address) {
            Ok(listener) => Ok(listener),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                bail!(
                    "Port {} is in use by another program. Choose another with --bind, such as --bind {}:0.",
                    address.port(),
                    address.ip()
                )
            }
            Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => {
                bail!(
                    "{} is no address of this machine. Choose one with --bind; `seance doctor` lists them.",
                    address.ip()
                )
            }
            Err(error) => bail!(
                "Listening on {address} failed ({error}). Choose another address with --bind."
            ),
        },
        None => match server::listen((everywhere, PORT).into()) {
            Ok(listener) => Ok(listener),
            Err(_) => server::listen((everywhere, 0).into())
                .context("no port could be opened on this machine"),
        },
    }
}

/// A new session begins; a past one is folded to its tail first.
async fn beginning(store: &Session, log: &Arc<dyn EventLog>) -> Result<Beginning> {
    if log.tail() == Seq::FIRST {
        return Ok(Beginning::Open {
            session: store.id(),
            title: Title::new(&store.info.title)?,
        });
    }
    let state = fold_all(log).await?.into_state();
    let alive = store.last_alive().map(|alive| AliveMark {
        at: alive.session_time,
        wall: alive.wall_millis,
    });
    Ok(Beginning::Resume {
        state: Box::new(state),
        alive,
    })
}

/// Folds a whole log, reading the next events while it folds the last.
pub async fn fold_all(log: &Arc<dyn EventLog>) -> Result<Replay> {
    let read = |from: Seq| {
        let log = Arc::clone(log);
        tokio::spawn(async move { crate::log::read(&log, from, FOLD_STEP).await })
    };
    let (mut replay, mut coming) = (Replay::new(), read(Seq::FIRST));
    loop {
        let events = coming.await??;
        let Some(last) = events.last() else {
            return Ok(replay);
        };
        coming = read(last.header.seq.next());
        replay.take_all(&events)?;
    }
}

/// The guest page, as the server asks for it, under the names tunnels gave us.
struct GuestPage {
    names: Names,
}

impl Site for GuestPage {
    fn page(&self, path: &str, host: &str) -> Option<Page> {
        let asset = web::asset(path)?;
        Some(Page {
            content_type: asset.content_type,
            bytes: asset.bytes.into(),
            headers: web::headers(host, MediaHosts::Any),
        })
    }

    fn answers_to(&self, host: &str) -> bool {
        self.names.contains(host)
    }
}
