//! Under which addresses others reach this machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The addresses of this machine that others may reach, likeliest first; loopback is not among them.
pub fn reachable() -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|ip| !ip.is_loopback() && !is_link_local(*ip))
        .collect();
    // Home networks first, then other IPv4, then IPv6; stable within.
    all.sort_by_key(|ip| match ip {
        IpAddr::V4(v4) if v4.is_private() && v4.octets()[0] != 172 => 0, // 172.16/12 is mostly containers
        IpAddr::V4(v4) if v4.is_private() => 1,
        IpAddr::V4(_) => 2,
        IpAddr::V6(_) => 3,
    });
    all
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// The address to put into a link that others follow to a server bound to `bound`.
pub fn for_others(bound: SocketAddr) -> SocketAddr {
    if !bound.ip().is_unspecified() {
        return bound;
    }
    let ip = reachable()
        .into_iter()
        .next()
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    SocketAddr::new(ip, bound.port())
}

/// The addresses under which others reach a server bound to `bound`, likeliest first; none where
/// it listens everywhere and this machine is in no network.
pub fn all_for_others(bound: SocketAddr) -> Vec<SocketAddr> {
    if !bound.ip().is_unspecified() {
        return vec![bound];
    }
    let heard = |ip: &IpAddr| bound.is_ipv6() || ip.is_ipv4();
    reachable()
        .into_iter()
        .filter(heard)
        .map(|ip| SocketAddr::new(ip, bound.port()))
        .collect()
}

/// The address to reach a server bound to `bound` from this machine.
pub fn for_us(bound: SocketAddr) -> SocketAddr {
    if bound.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), bound.port())
    } else {
        bound
    }
}
