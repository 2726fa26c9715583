//! The way through one's own router: a port of it, asked for and given back.
//!
//! Home routers open ports on request, in one of three dialects: PCP and its
//! forerunner NAT-PMP, where the system says who the router is, and UPnP, which
//! finds it by asking the network. The port is leased, asked for again at half
//! time, and given back at the end; after a crash the lease runs out by itself.
//! The router's public address and that port are then the link.
//!
//! It happens only when asked for: an open port is open to everybody, what runs
//! through it is plain http, and this computer's firewall still has its say.
//!
//! Deliberately absent: IPv6, where nothing is mapped and routers rarely let
//! programs open their firewalls; and finding the router for PCP elsewhere than
//! on Linux, where the system does not tell it in a file. UPnP remains there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use crab_nat::{
    InternetProtocol, MappingFailure, PortMapping, PortMappingOptions, PortMappingType,
    TimeoutConfig, natpmp, pcp,
};
use igd_next::aio::Gateway;
use igd_next::aio::tokio::{Tokio, search_gateway};
use igd_next::{
    AddAnyPortError, AddPortError, GetExternalIpError, PortMappingProtocol, SearchOptions,
};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::{Backoff, Ground, Keeping, State, Trouble, Tunnel};
use crate::net::link::Place;

/// Which way it is, as people call it.
pub const NAME: &str = "router";

/// What the lease is for: short, so that a crash leaves no door open for long, and a laptop that
/// slept through it is back soon.
const LEASE: Duration = Duration::from_secs(20 * 60);
/// The soonest a lease is renewed, however short the router makes it.
const RENEW_LEAST: Duration = Duration::from_millis(500);
/// How long a router may take to answer a search: UPnP lets it wait for three seconds first.
const SEARCH_WAIT_MAX: Duration = Duration::from_secs(5);
/// How PCP and NAT-PMP ask again: answered within 2 s, or not at all.
const PATIENCE: TimeoutConfig = TimeoutConfig {
    initial_timeout: Duration::from_millis(250),
    max_retries: 2,
    max_retry_timeout: None,
};
/// How long our own port may take to answer ourselves.
const KNOCK_WAIT_MAX: Duration = Duration::from_secs(1);
/// The waits before a router that was lost is asked again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// What the router's own page calls the mapping; ASCII, because routers are.
const DESCRIPTION: &str = "Seance";
/// Where UPnP's searches go.
const UPNP_GROUP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 255, 255, 250)), 1900);

/// Which router is asked, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Router {
    /// Who is asked by PCP and NAT-PMP; nobody where that is not known.
    pub gateway: Option<Ipv4Addr>,
    /// Where UPnP searches. One router's own address is as good as the group.
    pub search: SocketAddr,
    /// How long UPnP searches.
    pub patience: Duration,
    /// How long the port is asked for at a time.
    pub lease: Duration,
}

impl Router {
    /// This network's router.
    pub fn here() -> Self {
        Self {
            gateway: default_gateway(),
            search: UPNP_GROUP,
            patience: SEARCH_WAIT_MAX,
            lease: LEASE,
        }
    }

    /// The router that answers UPnP's search at this very address.
    pub fn at(search: SocketAddr) -> Self {
        Self {
            gateway: None,
            search,
            ..Self::here()
        }
    }
}

/// How long a router may take to say what its address is: UPnP's search, and one question more.
const LOOK_WAIT_MAX: Duration = Duration::from_secs(8);

/// What a router says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// In which dialect it answered.
    pub by: &'static str,
    /// Its address as the internet knows it.
    pub ip: IpAddr,
}

/// Asks a router for its address, and for no port. `None` when none answers, in eight seconds at
/// the most.
///
/// # Errors
/// What keeps friends elsewhere from a port of it, and what to do: it is offline, it denies, or
/// its own address is none that the internet knows.
pub async fn look(router: &Router) -> Result<Option<Seen>, Trouble> {
    let by_nat_pmp = async {
        let gateway = router.gateway.ok_or(Refusal::Silent)?;
        let asked = natpmp::external_address(gateway.into(), Some(PATIENCE)).await;
        let ip = asked.map_err(|failure| Refusal::from(MappingFailure::from(failure)))?;
        Ok(Seen {
            by: "NAT-PMP",
            ip: ip.into(),
        })
    };
    let by_upnp = async {
        let gateway = search(router).await?;
        let ip = gateway.get_external_ip().await?;
        Ok(Seen { by: "UPnP", ip })
    };
    let both = async { tokio::join!(by_nat_pmp, by_upnp) };
    let found = match timeout(LOOK_WAIT_MAX, both).await {
        // A reason says more than silence.
        Ok((Ok(seen), _) | (Err(_), Ok(seen))) => Ok(seen),
        Ok((Err(Refusal::Silent), Err(why)) | (Err(why), Err(_))) => Err(why),
        Err(_) => Err(Refusal::Silent),
    };
    match found {
        Ok(seen) => match hidden(seen.ip) {
            None => Ok(Some(seen)),
            Some(trouble) => Err(trouble),
        },
        Err(Refusal::Silent) => Ok(None),
        Err(refusal) => Err(refusal.into_trouble()),
    }
}

/// A port of the router.
#[derive(Clone, Debug)]
pub struct Mapping {
    router: Router,
}

impl Mapping {
    /// The way through this router.
    pub const fn new(router: Router) -> Self {
        Self { router }
    }
}

impl Tunnel for Mapping {
    fn name(&self) -> &'static str {
        NAME
    }

    fn keep(self: Box<Self>, mut ground: Ground) -> Keeping {
        Box::pin(async move {
            let mut held = None;
            if let Err(trouble) = keep(&self.router, &mut held, &mut ground).await {
                ground.report.say(State::Failed(trouble));
            }
            if let Some(held) = held.take() {
                held.give_back().await;
            }
            ground.stopped().await;
        })
    }
}

/// Keeps the port until told to stop, or until somebody has to do something. What is in `held`
/// then is to be given back.
async fn keep(
    router: &Router,
    held: &mut Option<Held>,
    ground: &mut Ground,
) -> Result<(), Trouble> {
    let mut places = Vec::new();
    let mut backoff = Backoff::new(RETRY.0, RETRY.1);
    let port = NonZeroU16::new(ground.local.port()).expect("a port that is listened at");
    loop {
        let asked = tokio::select! {
            // What a router gives in this very moment runs out with its lease.
            () = ground.stopped() => return Ok(()),
            asked = ask(router, held, port) => asked,
        };
        let wait = match asked {
            Ok(()) => {
                let held = held.as_ref().expect("what was asked for is held");
                if let Some(trouble) = hidden(held.external.ip()) {
                    return Err(trouble);
                }
                places = vec![place(held.external)];
                ground.report.say(State::Online(places.clone()));
                backoff.reset();
                (held.lease / 2).max(RENEW_LEAST)
            }
            // Whoever asked for the port has to know at once that there is none.
            Err(refusal) if places.is_empty() => return Err(refusal.trouble(port)),
            Err(refusal) => {
                ground.report.say(State::Reconnecting {
                    places: places.clone(),
                    trouble: refusal.trouble(port),
                });
                backoff.next()
            }
        };
        tokio::select! {
            () = ground.stopped() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Renews what is held, or asks anew: a router that was restarted knows nothing of it.
async fn ask(router: &Router, held: &mut Option<Held>, port: NonZeroU16) -> Result<(), Refusal> {
    if let Some(held) = held {
        match held.renew(router.lease).await {
            Ok(()) => return Ok(()),
            Err(refusal) => tracing::debug!(?refusal, "the router does not renew the port"),
        }
    }
    *held = Some(Held::ask(router, port).await?);
    Ok(())
}

/// A port that is ours for a while.
#[derive(Debug)]
struct Held {
    by: Dialect,
    /// Where the world finds it.
    external: SocketAddr,
    /// How long it is ours from now.
    lease: Duration,
}

/// In which dialect it was given, and what that needs to go on.
#[derive(Debug)]
enum Dialect {
    /// PCP or NAT-PMP.
    Pcp(PortMapping),
    /// UPnP.
    Upnp {
        gateway: Gateway<Tokio>,
        local: SocketAddr,
    },
}

impl Held {
    /// Asks in every dialect. A router that answers "no" in one may say yes in another.
    async fn ask(router: &Router, port: NonZeroU16) -> Result<Self, Refusal> {
        let mut first = None;
        if let Some(gateway) = router.gateway {
            match Self::by_pcp(gateway, port, router.lease).await {
                Ok(held) => return Ok(held),
                Err(refusal) => first = Some(refusal),
            }
        }
        Self::by_upnp(router, port)
            .await
            .map_err(|second| match first {
                // A reason says more than silence.
                Some(first) if matches!(second, Refusal::Silent) => first,
                _ => second,
            })
    }

    async fn by_pcp(gateway: Ipv4Addr, port: NonZeroU16, lease: Duration) -> Result<Self, Refusal> {
        let local = ours_towards((gateway, crab_nat::GATEWAY_PORT).into(), port).await?;
        let options = PortMappingOptions {
            external_port: Some(port),
            lifetime_seconds: Some(seconds(lease)),
            timeout_config: Some(PATIENCE),
        };
        let mapping = PortMapping::new(
            gateway.into(),
            local.ip(),
            InternetProtocol::Tcp,
            port,
            options,
        )
        .await?;
        Self::of(mapping).await
    }

    async fn of(mapping: PortMapping) -> Result<Self, Refusal> {
        let ip = match mapping.mapping_type() {
            PortMappingType::Pcp { external_ip, .. } => external_ip.to_canonical(),
            PortMappingType::NatPmp => {
                match natpmp::external_address(mapping.gateway(), Some(PATIENCE)).await {
                    Ok(ip) => IpAddr::V4(ip),
                    Err(error) => {
                        // A port nobody can name is of no use.
                        let _ = mapping.try_drop().await;
                        return Err(MappingFailure::from(error).into());
                    }
                }
            }
        };
        Ok(Self {
            external: SocketAddr::new(ip, mapping.external_port().get()),
            lease: Duration::from_secs(mapping.lifetime().into()),
            by: Dialect::Pcp(mapping),
        })
    }

    async fn by_upnp(router: &Router, port: NonZeroU16) -> Result<Self, Refusal> {
        let gateway = search(router).await?;
        let local = ours_towards(gateway.addr, port).await?;
        // Asked first: where there is no address, nothing has to be given back.
        let ip = gateway.get_external_ip().await?;
        let port = lease_by_upnp(&gateway, port.get(), local, router.lease).await?;
        Ok(Self {
            external: SocketAddr::new(ip, port),
            lease: router.lease,
            by: Dialect::Upnp { gateway, local },
        })
    }

    /// Asks for the same again. On an error what was held is still held, until its lease ends.
    async fn renew(&mut self, lease: Duration) -> Result<(), Refusal> {
        match &mut self.by {
            Dialect::Pcp(mapping) => {
                mapping.renew().await?;
                *self = Self::of(mapping.clone()).await?;
            }
            Dialect::Upnp { gateway, local } => {
                let ip = gateway.get_external_ip().await?;
                let port = lease_by_upnp(gateway, self.external.port(), *local, lease).await?;
                self.external = SocketAddr::new(ip, port);
            }
        }
        Ok(())
    }

    /// Gives the port back. Whether the router hears of it or not, there is nothing more to do.
    async fn give_back(self) {
        let given = match self.by {
            Dialect::Pcp(mapping) => mapping
                .try_drop()
                .await
                .map_err(|(error, _)| error.to_string()),
            Dialect::Upnp { gateway, .. } => gateway
                .remove_port(PortMappingProtocol::TCP, self.external.port())
                .await
                .map_err(|error| error.to_string()),
        };
        if let Err(error) = given {
            tracing::warn!(port = self.external.port(), %error, "the router did not take its port back");
        }
    }
}

/// Finds the router by UPnP.
async fn search(router: &Router) -> Result<Gateway<Tokio>, Refusal> {
    let mut options = SearchOptions::default();
    options.broadcast_address = router.search;
    options.timeout = Some(router.patience);
    options.single_search_timeout = Some(router.patience);
    if !router.search.ip().is_multicast() {
        options.allowed_gateway_ips = vec![router.search.ip()];
    }
    search_gateway(options).await.map_err(|error| {
        tracing::debug!(%error, "no router by UPnP");
        Refusal::Silent
    })
}

/// Leases `port` of the router, or any where that one is taken.
async fn lease_by_upnp(
    gateway: &Gateway<Tokio>,
    port: u16,
    local: SocketAddr,
    lease: Duration,
) -> Result<u16, Refusal> {
    let tcp = PortMappingProtocol::TCP;
    // Some know no leases: it is theirs until given back, which is what happens at the end.
    for lease in [seconds(lease), 0] {
        let given = match gateway.add_port(tcp, port, local, lease, DESCRIPTION).await {
            Ok(()) => Ok(port),
            Err(AddPortError::PortInUse) => gateway
                .add_any_port(tcp, local, lease, DESCRIPTION)
                .await
                .map_err(Refusal::from),
            Err(error) => Err(error.into()),
        };
        match given {
            Err(Refusal::LeasesUnknown) => {}
            given => return given,
        }
    }
    Err(Refusal::LeasesUnknown)
}

fn seconds(lease: Duration) -> u32 {
    u32::try_from(lease.as_secs()).unwrap_or(u32::MAX).max(1)
}

/// Where the router has to send friends: this machine's address as the router sees it, at which
/// the party must be listening.
async fn ours_towards(router: SocketAddr, port: NonZeroU16) -> Result<SocketAddr, Refusal> {
    let towards = async {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        socket.connect(router).await?; // sends nothing; the system chooses the interface
        socket.local_addr()
    };
    // No interface leads there: as good as nobody there.
    let ip = towards.await.map_err(|_| Refusal::Silent)?.ip();
    let ours = SocketAddr::new(ip, port.get());
    match timeout(KNOCK_WAIT_MAX, TcpStream::connect(ours)).await {
        Ok(Ok(_)) => Ok(ours),
        _ => Err(Refusal::NotListening(ours)),
    }
}

/// The link's place. Ports that are usual are not written.
fn place(external: SocketAddr) -> Place {
    format!("http://{external}")
        .parse()
        .expect("an address and a port are a place")
}

/// Why an address of a router is none that the internet knows; `None` where it is one.
fn hidden(ip: IpAddr) -> Option<Trouble> {
    let IpAddr::V4(v4) = ip else {
        return None;
    };
    if v4.is_unspecified() {
        return Some(Refusal::Offline.into_trouble());
    }
    let [a, b, ..] = v4.octets();
    let why = if a == 100 && (64..128).contains(&b) {
        // RFC 6598
        "the provider shares one address among many (carrier-grade NAT)"
    } else if v4.is_private() || v4.is_link_local() || v4.is_loopback() {
        "another router, or the provider's, stands before it"
    } else {
        return None;
    };
    Some(Trouble::new(
        format!("The router's own address, {ip}, is not a public one: {why}."),
        "A port of it helps nobody outside. Use `seance host --tunnel ngrok`, or ask the provider for a public address.",
    ))
}

/// Why there is no port.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// Nobody answered.
    Silent,
    /// The router does not want to.
    Denied,
    /// The port belongs to somebody else, and there is no other.
    InUse,
    /// It has none left.
    Full,
    /// It has no connection itself.
    Offline,
    /// It knows only ports for ever.
    LeasesUnknown,
    /// The party does not listen where the router would send friends.
    NotListening(SocketAddr),
    /// Anything else, in the router's words or its library's.
    Other(String),
}

impl Refusal {
    fn trouble(self, port: NonZeroU16) -> Trouble {
        let by_hand = format!("forward TCP port {port} to this computer there by hand");
        match self {
            Self::Silent => Trouble::new(
                "No router answered to UPnP, PCP or NAT-PMP.",
                format!(
                    "Turn one of them on in the router's settings, or {by_hand}; or use `seance host --tunnel ngrok`."
                ),
            ),
            Self::Denied => Trouble::new(
                "The router does not let this computer open ports.",
                format!("Allow it in the router's settings, or {by_hand}."),
            ),
            Self::InUse | Self::Full | Self::LeasesUnknown => Trouble::new(
                "The router has no port left for this party.",
                format!("Remove some in the router's settings, or {by_hand}."),
            ),
            Self::Offline => Trouble::new(
                "The router is not connected to the internet.",
                "Connect it, then open the way again.",
            ),
            Self::NotListening(ours) => Trouble::new(
                format!(
                    "The router would send friends to {ours}, where the party does not listen."
                ),
                format!("Host with --bind 0.0.0.0:{port}."),
            ),
            Self::Other(why) => Trouble::new(
                format!(
                    "The router did not open the port ({}).",
                    why.trim_end_matches('.')
                ),
                format!("Open the way again, or {by_hand}."),
            ),
        }
    }

    /// For those that name no port.
    fn into_trouble(self) -> Trouble {
        self.trouble(NonZeroU16::MIN)
    }

    fn other(error: impl fmt::Display) -> Self {
        // A router's whole answer may be in it.
        Self::Other(error.to_string().chars().take(200).collect())
    }
}

impl From<MappingFailure> for Refusal {
    fn from(failure: MappingFailure) -> Self {
        use natpmp::Failure as Nat;
        use pcp::Failure as Pcp;
        match failure {
            MappingFailure::NatPmp(failure) => match failure {
                Nat::Socket(_) | Nat::Timeout => Self::Silent,
                Nat::NotAuthorized => Self::Denied,
                Nat::NetworkFailure => Self::Offline,
                Nat::OutOfResources => Self::Full,
                failure => Self::other(failure),
            },
            MappingFailure::Pcp(failure) => match failure {
                Pcp::Socket(_) | Pcp::Timeout => Self::Silent,
                Pcp::NotAuthorized(_) => Self::Denied,
                Pcp::NetworkFailure(_) => Self::Offline,
                Pcp::NoResources(_) | Pcp::UserExceededQuota(_) => Self::Full,
                failure => Self::other(failure),
            },
        }
    }
}

impl From<GetExternalIpError> for Refusal {
    fn from(error: GetExternalIpError) -> Self {
        match error {
            GetExternalIpError::ActionNotAuthorized => Self::Denied,
            GetExternalIpError::RequestError(error) => Self::other(error),
        }
    }
}

impl From<AddPortError> for Refusal {
    fn from(error: AddPortError) -> Self {
        match error {
            AddPortError::ActionNotAuthorized => Self::Denied,
            AddPortError::OnlyPermanentLeasesSupported => Self::LeasesUnknown,
            AddPortError::PortInUse => Self::InUse,
            error => Self::other(error),
        }
    }
}

impl From<AddAnyPortError> for Refusal {
    fn from(error: AddAnyPortError) -> Self {
        match error {
            AddAnyPortError::ActionNotAuthorized => Self::Denied,
            AddAnyPortError::OnlyPermanentLeasesSupported => Self::LeasesUnknown,
            AddAnyPortError::ExternalPortInUse => Self::InUse,
            AddAnyPortError::NoPortsAvailable => Self::Full,
            error => Self::other(error),
        }
    }
}

/// The router of this machine, where the system tells.
fn default_gateway() -> Option<Ipv4Addr> {
    if cfg!(target_os = "linux") {
        gateway_in(&std::fs::read_to_string("/proc/net/route").ok()?)
    } else {
        None
    }
}

/// The gateway of the default route that goes first, in Linux's table of routes.
fn gateway_in(table: &str) -> Option<Ipv4Addr> {
    const TO_A_GATEWAY: u32 = 0x3; // RTF_UP and RTF_GATEWAY
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let cells: Vec<_> = line.split_whitespace().collect();
            let [_, "00000000", gateway, flags, _, _, metric, "00000000", ..] = cells[..] else {
                return None;
            };
            let flags = u32::from_str_radix(flags, 16).ok()?;
            let gateway = u32::from_str_radix(gateway, 16).ok()?;
            // The table shows the bytes as the processor's number.
            let gateway = Ipv4Addr::from(gateway.to_ne_bytes());
            (flags & TO_A_GATEWAY == TO_A_GATEWAY).then_some((metric.parse::<u32>().ok()?, gateway))
        })
        .min()
        .map(|(_, gateway)| gateway)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_router_is_the_gateway_of_the_default_route_that_goes_first() {
        let table =
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
wlan0\t00000000\t0100A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\tFE01A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
";
        if cfg!(target_endian = "little") {
            assert_eq!(gateway_in(table), Some(Ipv4Addr::new(192, 168, 1, 254)));
        }
        assert_eq!(gateway_in("Iface\nnonsense"), None);
        assert_eq!(gateway_in(""), None);
    }

    #[test]
    fn an_address_that_the_internet_does_not_know_is_no_way_in() {
        for ip in [
            "10.1.2.3",
            "172.20.0.1",
            "192.168.0.9",
            "100.64.0.1",
            "100.127.255.254",
            "169.254.1.1",
            "127.0.0.1",
        ] {
            let says = hidden(ip.parse().unwrap()).unwrap().to_string();
            assert!(says.contains(ip) && says.contains("ngrok"), "{says}");
        }
        let shared = hidden(Ipv4Addr::new(100, 64, 0, 1).into()).unwrap();
        assert!(shared.what.contains("carrier-grade"), "{shared}");
        let says = hidden(Ipv4Addr::UNSPECIFIED.into()).unwrap();
        assert!(says.what.contains("not connected"), "{says}");
        for ip in ["203.0.113.7", "100.63.0.1", "100.128.0.1", "172.32.0.1"] {
            assert_eq!(hidden(ip.parse().unwrap()), None, "{ip}");
        }
    }

    #[test]
    fn a_usual_port_is_not_written_because_browsers_do_not_name_it() {
        assert_eq!(
            place("203.0.113.7:80".parse().unwrap()),
            Place::plain("203.0.113.7")
        );
        assert_eq!(
            place("203.0.113.7:7878".parse().unwrap()),
            Place::plain("203.0.113.7:7878")
        );
    }
}
