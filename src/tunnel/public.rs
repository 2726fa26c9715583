//! The way by a name of one's own: a domain, with a certificate for it.
//!
//! Two cases. With a certificate and its key this file listens on a port of its
//! own, speaks TLS there and carries what is inside to the party; the files are
//! read again when they change, as whatever renews them does every few weeks.
//! Without them somebody else does that, a reverse proxy of the user's, and all
//! there is to do is to answer to the name.
//!
//! Deliberately absent: getting a certificate. Whoever has a domain and a machine
//! that is reached by it has a tool for that already (certbot, Caddy, their
//! provider), and one that asks an authority from inside a film night would have
//! to hold port 80 or 443 for it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::{Ground, Keeping, State, Trouble, Tunnel, carry};
use crate::net::link::Place;
use crate::net::tls::{self, CertificateError};

/// How long a guest's TLS handshake may take: a phone on a slow network, not a squatter.
const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(10);
/// Guests at once: as many as the party's own port takes.
const GUESTS_MAX: usize = 4_096;
/// How often the certificate's files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// A certificate in files, and where to serve it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// Where to listen.
    pub bind: SocketAddr,
    /// The certificate and those that vouch for it, in PEM.
    pub chain: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
}

/// A name of one's own.
#[derive(Clone, Debug)]
pub struct Public {
    place: Place,
    certified: Option<Certified>,
}

impl Public {
    /// The way by `place`. Without a certificate, somebody else speaks TLS there and passes
    /// requests on, with the `Host` they were sent to.
    pub const fn new(place: Place, certified: Option<Certified>) -> Self {
        Self { place, certified }
    }
}

impl Tunnel for Public {
    fn name(&self) -> &'static str {
        "own address"
    }

    fn keep(self: Box<Self>, mut ground: Ground) -> Keeping {
        Box::pin(async move {
            if let Some(certified) = &self.certified {
                if let Err(trouble) = serve(certified, &self.place, &mut ground).await {
                    ground.report.say(State::Failed(trouble));
                    ground.stopped().await;
                }
            } else {
                ground.report.say(State::Online(vec![self.place.clone()]));
                ground.stopped().await;
            }
        })
    }
}

/// Serves TLS until told to stop.
async fn serve(certified: &Certified, place: &Place, ground: &mut Ground) -> Result<(), Trouble> {
    let again = "Then open the way again.";
    let mut files = Files::read(certified)
        .await
        .map_err(|error| Trouble::new(error.to_string(), again))?;
    let listener = TcpListener::bind(certified.bind).await.map_err(|error| {
        Trouble::new(
            format!("Listening on {} failed ({error}).", certified.bind),
            "Choose another port with --tls-bind; those below 1024 need the right to use them.",
        )
    })?;
    ground.report.say(State::Online(vec![place.clone()]));
    let permits = Arc::new(Semaphore::new(GUESTS_MAX));
    let mut guests = JoinSet::new();
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        let accepted = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (
                listener.accept().await,
                permit.expect("the semaphore is never closed"),
            )
        };
        let (stream, permit) = tokio::select! {
            () = ground.stopped() => return Ok(()),
            _ = look.tick() => {
                files.renew(certified).await;
                continue;
            }
            (accepted, permit) = accepted => match accepted {
                Ok((stream, _)) => (stream, permit),
                Err(error) => {
                    // Out of descriptors, usually: let some guests go first.
                    tracing::warn!(%error, "a guest could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let (acceptor, local) = (files.acceptor.clone(), ground.local);
        guests.spawn(async move {
            receive(stream, acceptor, local).await;
            drop(permit);
        });
        while guests.try_join_next().is_some() {}
    }
}

async fn receive(stream: TcpStream, acceptor: TlsAcceptor, local: SocketAddr) {
    let _ = stream.set_nodelay(true);
    match timeout(HANDSHAKE_WAIT_MAX, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => carry(stream, local).await,
        Ok(Err(error)) => tracing::debug!(%error, "a guest's TLS did not come about"),
        Err(_) => tracing::debug!("a guest did not finish their TLS handshake"),
    }
}

/// The certificate as it was last read.
struct Files {
    acceptor: TlsAcceptor,
    changed: Option<SystemTime>,
}

impl Files {
    async fn read(certified: &Certified) -> Result<Self, CertificateError> {
        let certified = certified.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let changed = changed(&certified.chain);
            let config = tls::serving(&certified.chain, &certified.key)?;
            Ok(Self {
                acceptor: TlsAcceptor::from(Arc::new(config)),
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

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
            bind: free,
            chain: chain.clone(),
            key: key.clone(),
        };
        let party = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = party.local_addr().unwrap();
        let place: Place = "https://party.example".parse().unwrap();
        let opened = super::super::open(
            Box::new(Public::new(place.clone(), Some(certified.clone()))),
            local,
        );
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
        let before = files.acceptor.config().clone();
        files.renew(&certified).await;
        assert!(
            Arc::ptr_eq(&before, files.acceptor.config()),
            "nothing changed"
        );
        issue();
        files.changed = None;
        files.renew(&certified).await;
        assert!(!Arc::ptr_eq(&before, files.acceptor.config()));
    }

    #[tokio::test]
    async fn a_missing_certificate_says_which_file() {
        let certified = Certified {
            bind: "127.0.0.1:0".parse().unwrap(),
            chain: "/nowhere/chain.pem".into(),
            key: "/nowhere/key.pem".into(),
        };
        let place: Place = "https://party.example".parse().unwrap();
        let opened = super::super::open(
            Box::new(Public::new(place, Some(certified))),
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
