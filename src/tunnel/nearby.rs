//! Parties on this network, by name: announced and found by mDNS (RFC 6762, DNS-SD RFC 6763).
//!
//! What is announced is what anybody on the network may see: the party's title, its host's name,
//! the session and where it listens. What opens it is *not*: whoever finds a party here asks its
//! host for the link. A party that only this machine reaches is not announced, and one that is
//! unlisted neither.
//!
//! What is found was written by strangers: texts go through the same rules as names and titles in
//! a party, what does not pass is left out, and there is a bound on how much is kept. A found
//! address is shown, and dialled only with a link's secret that somebody gave for it.
//!
//! Deliberately absent: this machine's own name. It is often its owner's, and nobody needs it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use mdns_sd::{IfKind, ResolvedService, ServiceDaemon, ServiceEvent, ServiceInfo};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::engine::id::SessionId;
use crate::engine::text::{Name, Title};
use crate::net::link::{JoinLink, Place};

/// The service's type.
const SERVICE: &str = "_seance._tcp.local.";
/// The version of what is announced; others are left out.
const VERSION: &str = "1";
/// Parties kept at once: more than a network of friends has, less than a flood.
const FOUND_MAX: usize = 64;
/// Addresses kept of one party.
const PLACES_MAX: usize = 8;
/// A TXT string holds 255 bytes with its key; longer texts are cut.
const TEXT_BYTES_MAX: usize = 200;

/// Announcing or looking does not work here.
#[derive(Debug, thiserror::Error)]
#[error("Parties on this network cannot be looked for ({0}). Join by the link instead.")]
pub struct NearbyError(String);

impl From<mdns_sd::Error> for NearbyError {
    fn from(error: mdns_sd::Error) -> Self {
        Self(error.to_string())
    }
}

/// What a network sees of a party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which session.
    pub session: SessionId,
    /// What people call it.
    pub title: String,
    /// Who hosts it.
    pub host: String,
    /// Where it listens.
    pub bound: SocketAddr,
}

/// The daemon: a thread of its own, which ends with this value.
struct Daemon(ServiceDaemon);

impl fmt::Debug for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Daemon")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // An error means that it is gone already.
        let _ = self.0.shutdown();
    }
}

/// A party that is being announced. Dropping it takes the notice back, as far as the network hears it.
#[derive(Debug)]
pub struct Announced {
    daemon: Daemon,
    name: String,
}

impl Announced {
    /// Announces a party; `Ok(None)` where only this machine reaches it.
    ///
    /// # Errors
    /// When this machine has no multicast.
    pub fn start(notice: &Notice) -> Result<Option<Self>, NearbyError> {
        if notice.bound.ip().is_loopback() {
            return Ok(None);
        }
        announce(notice, false).map(Some)
    }
}

fn announce(notice: &Notice, on_loopback: bool) -> Result<Announced, NearbyError> {
    let daemon = ServiceDaemon::new()?;
    let session = notice.session.to_string();
    let properties = [
        ("v", VERSION),
        ("session", &session),
        ("title", short(&notice.title)),
        ("host", short(&notice.host)),
    ];
    // A name of the session's own: it collides with nobody's and says nothing of this machine.
    let machine = format!("seance-{}.local.", &session[..12]);
    let port = notice.bound.port();
    let mut service = if notice.bound.ip().is_unspecified() {
        let service = ServiceInfo::new(SERVICE, &session, &machine, "", port, &properties[..])?;
        service.enable_addr_auto()
    } else {
        ServiceInfo::new(
            SERVICE,
            &session,
            &machine,
            notice.bound.ip(),
            port,
            &properties[..],
        )?
    };
    if !on_loopback {
        daemon.disable_interface([IfKind::LoopbackV4, IfKind::LoopbackV6].to_vec())?;
    }
    // The session's name is random: nobody else has it.
    service.set_requires_probe(false);
    let name = service.get_fullname().to_owned();
    daemon.register(service)?;
    Ok(Announced {
        daemon: Daemon(daemon),
        name,
    })
}

impl Drop for Announced {
    fn drop(&mut self) {
        // An error means that the daemon is gone, and the notice with it. It says goodbye on its
        // own thread, and is told to end only after that.
        let _ = self.daemon.0.unregister(&self.name);
    }
}

/// At most [`TEXT_BYTES_MAX`] of a text, not in the middle of a letter.
fn short(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A party somebody announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which session.
    pub session: SessionId,
    /// What people call it.
    pub title: String,
    /// Who hosts it.
    pub host: String,
    /// Where it is, likeliest first.
    pub places: Vec<Place>,
}

impl Found {
    /// Whether this link leads to it.
    pub fn is_of(&self, link: &JoinLink) -> bool {
        self.session == link.session
    }
}

/// Looks for parties until it is dropped.
#[derive(Debug)]
pub struct Looking {
    found: watch::Receiver<Vec<Found>>,
    _daemon: Daemon,
    task: JoinHandle<()>,
}

impl Looking {
    /// Starts looking. `except` is a session of our own, which is no news.
    ///
    /// # Errors
    /// When this machine has no multicast.
    pub fn start(except: Option<SessionId>) -> Result<Self, NearbyError> {
        let daemon = ServiceDaemon::new()?;
        let events = daemon.browse(SERVICE)?;
        let (found_in, found) = watch::channel(Vec::new());
        let task = tokio::spawn(async move {
            let mut known: BTreeMap<String, Found> = BTreeMap::new();
            while let Ok(event) = events.recv_async().await {
                match event {
                    ServiceEvent::ServiceResolved(service) => {
                        let room = known.len() < FOUND_MAX || known.contains_key(&service.fullname);
                        let found = read(&service).filter(|found| Some(found.session) != except);
                        match found {
                            Some(found) if room => {
                                drop(known.insert(service.fullname.clone(), found))
                            }
                            _ => continue,
                        }
                    }
                    ServiceEvent::ServiceRemoved(_, name) => drop(known.remove(&name)),
                    _ => continue,
                }
                let mut all: Vec<_> = known.values().cloned().collect();
                all.sort_by(|a, b| (&a.title, a.session).cmp(&(&b.title, b.session)));
                found_in.send_replace(all);
            }
        });
        Ok(Self {
            found,
            _daemon: Daemon(daemon),
            task,
        })
    }

    /// What there is; the receiver follows changes.
    pub fn found(&self) -> watch::Receiver<Vec<Found>> {
        self.found.clone()
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A notice as it came, if it is one of ours and says nothing that could not be said in a party.
fn read(service: &ResolvedService) -> Option<Found> {
    let text = |key| service.txt_properties.get_property_val_str(key);
    if text("v")? != VERSION {
        return None;
    }
    let session: SessionId = text("session")?.parse().ok()?;
    let title = Title::new(text("title")?).ok()?.to_string();
    let host = Name::new(text("host")?).ok()?.as_str().to_owned();
    let mut addresses: Vec<IpAddr> = service
        .addresses
        .iter()
        .map(mdns_sd::ScopedIp::to_ip_addr)
        // One that needs an interface to mean something fits into no link.
        .filter(|ip| !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()))
        .collect();
    addresses.sort_by_key(|ip| (ip.is_ipv6(), *ip));
    addresses.truncate(PLACES_MAX);
    let place = |ip| Place::plain(SocketAddr::new(ip, service.port).to_string());
    let places: Vec<_> = addresses.into_iter().map(place).collect();
    (!places.is_empty()).then_some(Found {
        session,
        title,
        host,
        places,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn notice(title: &str) -> Notice {
        Notice {
            session: SessionId::new(u128::from_be_bytes(crate::os::random_bytes())),
            title: title.to_owned(),
            host: "Ana".to_owned(),
            bound: "127.0.0.1:7878".parse().unwrap(),
        }
    }

    fn resolved(title: &str, session: &str, ip: &str) -> ResolvedService {
        let properties = [
            ("v", "1"),
            ("session", session),
            ("title", title),
            ("host", "Ana"),
        ];
        ServiceInfo::new(SERVICE, "x", "x.local.", ip, 7878, &properties[..])
            .unwrap()
            .as_resolved_service()
    }

    #[test]
    fn what_strangers_announce_is_read_by_a_partys_own_rules() {
        let session = SessionId::new(7).to_string();
        let fine = read(&resolved("Film night", &session, "192.168.1.7")).unwrap();
        assert_eq!((&*fine.title, &*fine.host), ("Film night", "Ana"));
        assert_eq!(fine.places, [Place::plain("192.168.1.7:7878")]);
        for (title, session, ip) in [
            ("", &*session, "192.168.1.7"),
            ("\u{202e}night", &session, "192.168.1.7"),
            ("Film night", "no session", "192.168.1.7"),
            ("Film night", &session, "fe80::1"),
        ] {
            assert_eq!(
                read(&resolved(title, session, ip)),
                None,
                "{title:?} {session} {ip}"
            );
        }
    }

    #[test]
    fn a_party_of_this_machine_alone_is_not_announced() {
        assert!(Announced::start(&notice("Alone")).unwrap().is_none());
    }

    #[test]
    fn a_long_title_is_cut_between_letters() {
        let title = "é".repeat(150);
        assert_eq!(short(&title).len(), 200);
        assert_eq!(short(&format!("a{title}")).len(), 199);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_party_is_found_by_name_and_gone_when_it_ends() {
        let notice = notice("Film night, nearby");
        let looking = match Looking::start(None) {
            Ok(looking) => looking,
            Err(error) => {
                eprintln!("skipped: no multicast here ({error})");
                return;
            }
        };
        let announced = announce(&notice, true).unwrap();
        let mut found = looking.found();
        let is = |found: &Vec<Found>| found.iter().any(|found| found.session == notice.session);
        let came = tokio::time::timeout(Duration::from_secs(20), found.wait_for(is)).await;
        let Ok(came) = came.map(|came| came.unwrap().clone()) else {
            eprintln!("skipped: no multicast on this machine's loopback");
            return;
        };
        let ours = came
            .iter()
            .find(|found| found.session == notice.session)
            .unwrap();
        assert_eq!((&*ours.title, &*ours.host), ("Film night, nearby", "Ana"));
        assert_eq!(ours.places, [Place::plain("127.0.0.1:7878")]);
        drop(announced);
        let gone =
            tokio::time::timeout(Duration::from_secs(20), found.wait_for(|all| !is(all))).await;
        assert!(gone.is_ok(), "the notice was taken back");
    }
}
