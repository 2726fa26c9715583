//! The way by a name of one's own: a domain, with a certificate for it.
//!
//! Three cases. With a certificate and its key this file listens on a port of its
//! own, speaks TLS there and carries what is inside to the party; the files are
//! read again when they change, as whatever renews them does every few weeks.
//! Where an authority is to give the certificate, the same port is where it looks
//! for the proof, and [`acme`] does the rest. Without either somebody else does
//! that, a reverse proxy of the user's, and all there is to do is to answer to
//! the name.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::server::{Acceptor, ClientHello};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;

use super::acme::{self, Keeper};
use super::{Ground, Keeping, Report, State, Trouble, Tunnel, carry};
use crate::net::link::Place;
use crate::net::tls::{self, CertificateError};

/// How long a guest's TLS handshake may take: a phone on a slow network, not a squatter.
const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(10);
/// Guests at once: as many as the party's own port takes.
const GUESTS_MAX: usize = 4_096;
/// How often the certificate's files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// A certificate in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// The certificate and those that vouch for it, in PEM.
    pub chain: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
}

/// Where a certificate comes from.
#[derive(Clone, Debug)]
pub enum Certificate {
    /// Files, which somebody else renews.
    Files(Certified),
    /// An authority, asked by this program.
    Authority(Keeper),
}

/// Who speaks TLS at a name of one's own.
#[derive(Clone, Debug)]
pub enum Front {
    /// Somebody else, who passes requests on with the `Host` they were sent to.
    Proxy,
    /// This program.
    Ours {
        /// Where to listen.
        bind: SocketAddr,
        /// By what it is believed.
        certificate: Certificate,
    },
}

/// A name of one's own.
#[derive(Clone, Debug)]
pub struct Public {
    place: Place,
    front: Front,
}

impl Public {
    /// The way by `place`.
    pub const fn new(place: Place, front: Front) -> Self {
        Self { place, front }
    }
}

impl Tunnel for Public {
    fn name(&self) -> &'static str {
        "own address"
    }

    fn keep(self: Box<Self>, mut ground: Ground) -> Keeping {
        Box::pin(async move {
            match &self.front {
                Front::Proxy => ground.report.say(State::Online(vec![self.place.clone()])),
                Front::Ours { bind, certificate } => {
                    let local = ground.local;
                    let report = ground.report.clone();
                    tokio::select! {
                        () = ground.stopped() => return,
                        trouble = serve(*bind, certificate, &self.place, local, &report) => {
                            report.say(State::Failed(trouble));
                        }
                    }
                }
            }
            ground.stopped().await;
        })
    }
}

/// What handshakes are answered with, from now on; those that were are not touched.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk(Arc<Mutex<Shown>>);

#[derive(Debug, Default)]
struct Shown {
    certificate: Option<Arc<ServerConfig>>,
    proof: Option<Arc<ServerConfig>>,
}

impl Desk {
    /// Shows guests this certificate, or hangs up on them.
    pub(super) fn show(&self, certificate: Option<Arc<ServerConfig>>) {
        self.shown().certificate = certificate;
    }

    /// Shows an authority that asks for it this proof.
    pub(super) fn prove(&self, proof: Option<Arc<ServerConfig>>) {
        self.shown().proof = proof;
    }

    fn answer(&self, hello: &ClientHello<'_>) -> (Option<Arc<ServerConfig>>, bool) {
        // RFC 8737: the validator offers this protocol and no other.
        let mut offered = hello.alpn().into_iter().flatten();
        let is_proof = offered.next() == Some(acme::PROOF_PROTOCOL) && offered.next().is_none();
        let shown = self.shown();
        let config = if is_proof {
            &shown.proof
        } else {
            &shown.certificate
        };
        (config.clone(), is_proof)
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        // Two options are whole whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves TLS until dropped. Ends with what keeps it from it.
async fn serve(
    bind: SocketAddr,
    certificate: &Certificate,
    place: &Place,
    local: SocketAddr,
    report: &Report,
) -> Trouble {
    let listener = match TcpListener::bind(bind).await {
        Ok(listener) => listener,
        Err(error) => {
            return Trouble::new(
                format!("Listening on {bind} failed ({error})."),
                "Choose another port with --tls-bind; those below 1024 need the right to use them.",
            );
        }
    };
    let desk = Desk::default();
    let renewing = async {
        match certificate {
            Certificate::Files(certified) => serve_files(certified, place, &desk, report).await,
            Certificate::Authority(keeper) => keeper.keep(place, &desk, report).await,
        }
    };
    tokio::select! {
        trouble = renewing => trouble,
        never = receive_all(listener, &desk, local) => match never {},
    }
}

/// Lets guests in, as many as fit.
async fn receive_all(
    listener: TcpListener,
    desk: &Desk,
    local: SocketAddr,
) -> std::convert::Infallible {
    let permits = Arc::new(Semaphore::new(GUESTS_MAX));
    let mut guests = JoinSet::new();
    loop {
        let permit = Arc::clone(&permits).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                let desk = desk.clone();
                guests.spawn(async move {
                    receive(stream, &desk, local).await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of descriptors, usually: let some guests go first.
                tracing::warn!(%error, "a guest could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        while guests.try_join_next().is_some() {}
    }
}

async fn receive(stream: TcpStream, desk: &Desk, local: SocketAddr) {
    let _ = stream.set_nodelay(true);
    let handshake = async {
        let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let (config, is_proof) = desk.answer(&begun.client_hello());
        let config = config.ok_or(std::io::ErrorKind::NotConnected)?;
        Ok::<_, std::io::Error>((begun.into_stream(config).await?, is_proof))
    };
    match timeout(HANDSHAKE_WAIT_MAX, handshake).await {
        Ok(Ok((mut stream, true))) => {
            // The handshake was all there is to see.
            let _ = timeout(HANDSHAKE_WAIT_MAX, stream.shutdown()).await;
        }
        Ok(Ok((stream, false))) => carry(stream, local).await,
        Ok(Err(error)) => tracing::debug!(%error, "a guest's TLS did not come about"),
        Err(_) => tracing::debug!("a guest did not finish their TLS handshake"),
    }
}

/// Shows the certificate in files, as they are now. Ends when they cannot be used from the start.
async fn serve_files(
    certified: &Certified,
    place: &Place,
    desk: &Desk,
    report: &Report,
) -> Trouble {
    let mut files = match Files::read(certified).await {
        Ok(files) => files,
        Err(error) => return Trouble::new(error.to_string(), "Then open the way again."),
    };
    desk.show(Some(Arc::clone(&files.config)));
    report.say(State::Online(vec![place.clone()]));
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        look.tick().await;
        files.renew(certified).await;
        desk.show(Some(Arc::clone(&files.config)));
    }
}

/// The certificate as it was last read.
struct Files {
    config: Arc<ServerConfig>,
    changed: Option<SystemTime>,
}

impl Files {
    async fn read(certified: &Certified) -> Result<Self, CertificateError> {
        let certified = certified.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let changed = changed(&certified.chain);
            let config = tls::serving(&certified.chain, &certified.key)?;
            Ok(Self {
                config: Arc::new(config),
                changed,
            })
        });
        reading.await.expect("reading two files does not panic")
    }

    /// Reads the files again if they changed. What does not read is tried again later: whoever
    /// renews them writes two files, one after the other.
    async fn renew(&mut self, certified: &Certified) {
        let chain = certified.chain.clone();
        let now = tokio::task::spawn_blocking(move || changed(&chain)).await;
        if now.ok().flatten() == self.changed {
            return;
        }
        match Self::read(certified).await {
            Ok(fresh) => *self = fresh,
            Err(error) => tracing::warn!(%error, "the certificate stays the old one"),
        }
    }
}

fn changed(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).ok()?.modified().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tls::Trust;
    use rustls::pki_types::ServerName;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn what_comes_by_tls_reaches_the_party_and_a_renewed_certificate_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let (chain, key) = (
            folder.path().join("chain.pem"),
            folder.path().join("key.pem"),
        );
        let issue = || {
            let made = rcgen::generate_simple_self_signed(["party.example".to_owned()]).unwrap();
            std::fs::write(&chain, made.cert.pem()).unwrap();
            std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
            made.cert.der().clone()
        };
        let first = issue();
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let certified = Certified {
            chain: chain.clone(),
            key: key.clone(),
        };
        let front = Front::Ours {
            bind: free,
            certificate: Certificate::Files(certified.clone()),
        };
        let party = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = party.local_addr().unwrap();
        let place: Place = "https://party.example".parse().unwrap();
        let opened = super::super::open(Box::new(Public::new(place.clone(), front)), local);
        let state = opened.settled().await;
        assert_eq!(state, State::Online(vec![place]));

        let connector = tokio_rustls::TlsConnector::from(Trust::of([first]).config());
        let name = ServerName::try_from("party.example").unwrap();
        let mut guest = connector
            .connect(name, TcpStream::connect(free).await.unwrap())
            .await
            .unwrap();
        guest.write_all(b"hello").await.unwrap();
        let (mut arrived, _) = party.accept().await.unwrap();
        let mut heard = [0; 5];
        arrived.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
        opened.close().await;

        let mut files = Files::read(&certified).await.unwrap();
        let before = Arc::clone(&files.config);
        files.renew(&certified).await;
        assert!(Arc::ptr_eq(&before, &files.config), "nothing changed");
        issue();
        files.changed = None;
        files.renew(&certified).await;
        assert!(!Arc::ptr_eq(&before, &files.config));
    }

    #[tokio::test]
    async fn a_missing_certificate_says_which_file() {
        let front = Front::Ours {
            bind: "127.0.0.1:0".parse().unwrap(),
            certificate: Certificate::Files(Certified {
                chain: "/nowhere/chain.pem".into(),
                key: "/nowhere/key.pem".into(),
            }),
        };
        let place: Place = "https://party.example".parse().unwrap();
        let opened = super::super::open(
            Box::new(Public::new(place, front)),
            "127.0.0.1:1".parse().unwrap(),
        );
        let state = opened.settled().await;
        let says = state.trouble().unwrap().to_string();
        assert!(
            matches!(state, State::Failed(_)) && says.contains("/nowhere/chain.pem"),
            "{says}"
        );
        opened.close().await;
    }
}
