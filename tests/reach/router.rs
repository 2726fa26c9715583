//! The way through one's own router, against doubles of one: what it opens, keeps and gives
//! back, and what is said when it does not. About 3 s together.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use seance::tunnel::mapping::{self, Mapping};
use seance::tunnel::{self, Opened, State};
use tokio::net::TcpListener;

use super::doubles::router::Router;
use super::support::{DEADLINE, Home, Program, host_words, join_words, live};
use super::{first_link, heard};

/// A party's port, and the way to it through a router.
struct Way {
    opened: Opened,
    port: u16,
    _party: TcpListener,
}

impl Way {
    async fn through(router: mapping::Router) -> Self {
        let party = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = party.local_addr().unwrap();
        Self {
            opened: tunnel::open(Box::new(Mapping::new(router)), local),
            port: local.port(),
            _party: party,
        }
    }

    async fn state(&self, what: &str, so: impl FnMut(&State) -> bool) -> State {
        let mut watch = self.opened.watch();
        match tokio::time::timeout(DEADLINE, watch.wait_for(so)).await {
            Ok(state) => state.unwrap().clone(),
            Err(_) => panic!("never {what}: {:?}", self.opened.state()),
        }
    }

    async fn link(&self) -> String {
        let ends = |state: &State| matches!(state, State::Online(_) | State::Failed(_));
        match self.state("online", ends).await {
            State::Online(places) => places[0].to_string(),
            state => panic!("{state:?}"),
        }
    }

    async fn trouble(&self) -> String {
        let failed = |state: &State| matches!(state, State::Failed(_));
        let state = self.state("failed", failed).await;
        state.trouble().unwrap().to_string()
    }
}

fn by_upnp(router: &Router) -> mapping::Router {
    mapping::Router::at(router.search)
}

/// Nobody answers UPnP here.
fn by_pcp(ip: Ipv4Addr) -> mapping::Router {
    mapping::Router {
        gateway: Some(ip),
        patience: Duration::from_millis(50),
        ..mapping::Router::at("127.0.0.1:9".parse().unwrap())
    }
}

#[tokio::test]
async fn a_router_opens_the_port_by_upnp_and_gets_it_back_at_the_end() {
    let router = Router::upnp().await;
    let way = Way::through(by_upnp(&router)).await;
    assert_eq!(way.link().await, format!("http://203.0.113.7:{}", way.port));
    let table = router.wait("opened", |table| !table.open.is_empty()).await;
    let open = &table.open[&way.port];
    assert_eq!(open.to, SocketAddr::from(([127, 0, 0, 1], way.port)));
    assert_eq!(open.lease, 20 * 60);
    way.opened.close().await;
    let table = router.wait("closed", |table| table.open.is_empty()).await;
    assert_eq!(table.given_back, 1);
}

#[tokio::test]
async fn a_port_that_somebody_else_has_is_replaced_by_another() {
    let router = Router::upnp().await;
    let party = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = party.local_addr().unwrap().port();
    router.set(|table| table.taken = BTreeSet::from([port]));
    let opened = tunnel::open(
        Box::new(Mapping::new(by_upnp(&router))),
        party.local_addr().unwrap(),
    );
    let table = router.wait("opened", |table| !table.open.is_empty()).await;
    let (outside, open) = table.open.first_key_value().unwrap();
    assert_ne!(*outside, port);
    assert_eq!(open.to.port(), port);
    let way = Way {
        opened,
        port,
        _party: party,
    };
    assert_eq!(way.link().await, format!("http://203.0.113.7:{outside}"));
    way.opened.close().await;
    router.wait("closed", |table| table.open.is_empty()).await;
}

#[tokio::test]
async fn a_router_that_knows_no_leases_still_gets_its_port_back() {
    let router = Router::upnp().await;
    router.set(|table| table.permanent = true);
    let way = Way::through(by_upnp(&router)).await;
    way.link().await;
    let table = router.wait("opened", |table| !table.open.is_empty()).await;
    assert_eq!(table.open[&way.port].lease, 0);
    way.opened.close().await;
    router.wait("closed", |table| table.open.is_empty()).await;
}

#[tokio::test]
async fn what_a_router_refuses_is_said_with_what_to_do() {
    let router = Router::upnp().await;
    router.set(|table| table.refuses = Some((606, "Action not authorized")));
    let way = Way::through(by_upnp(&router)).await;
    let says = way.trouble().await;
    assert!(
        says.contains("does not let this computer open ports"),
        "{says}"
    );
    assert!(says.contains(&format!("TCP port {}", way.port)), "{says}");
    way.opened.close().await;

    router.set(|table| table.refuses = Some((501, "Action failed")));
    let way = Way::through(by_upnp(&router)).await;
    let says = way.trouble().await;
    assert!(
        says.contains("501") && says.contains("Action failed"),
        "{says}"
    );
    way.opened.close().await;
}

#[tokio::test]
async fn behind_two_routers_the_port_is_given_back_and_the_reason_said() {
    let router = Router::upnp().await;
    router.set(|table| table.external = Ipv4Addr::new(100, 64, 3, 9));
    let way = Way::through(by_upnp(&router)).await;
    let says = way.trouble().await;
    assert!(
        says.contains("100.64.3.9, is not a public one") && says.contains("carrier-grade"),
        "{says}"
    );
    let closed = |table: &super::doubles::router::Table| table.given_back == 1;
    router.wait("closed", closed).await;
    router.set(|table| table.external = Ipv4Addr::UNSPECIFIED);
    way.opened.close().await;
    let way = Way::through(by_upnp(&router)).await;
    let says = way.trouble().await;
    assert!(says.contains("not connected to the internet"), "{says}");
    way.opened.close().await;
}

#[tokio::test]
async fn where_no_router_answers_the_other_ways_are_named() {
    let router = Router::upnp().await;
    router.set(|table| table.silent = true);
    let way = Way::through(mapping::Router {
        patience: Duration::from_millis(200),
        ..by_upnp(&router)
    })
    .await;
    let says = way.trouble().await;
    assert!(says.starts_with("No router answered"), "{says}");
    assert!(says.contains("--tunnel ngrok"), "{says}");
    way.opened.close().await;
}

#[tokio::test]
async fn a_party_that_does_not_listen_there_asks_for_nothing() {
    let router = Router::upnp().await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let local = free.local_addr().unwrap();
    drop(free);
    let opened = tunnel::open(Box::new(Mapping::new(by_upnp(&router))), local);
    let mut watch = opened.watch();
    let state = watch.wait_for(|state| *state != State::Connecting);
    let says = state.await.unwrap().trouble().unwrap().to_string();
    assert!(
        says.contains("does not listen") && says.contains("--bind 0.0.0.0"),
        "{says}"
    );
    assert!(router.wait("there", |_| true).await.open.is_empty());
    opened.close().await;
}

#[tokio::test]
async fn a_lease_is_renewed_and_a_router_that_was_restarted_opens_the_port_again() {
    let router = Router::upnp().await;
    let way = Way::through(mapping::Router {
        lease: Duration::from_secs(1),
        patience: Duration::from_millis(200),
        ..by_upnp(&router)
    })
    .await;
    let first = way.link().await;
    let port = way.port;
    let renewed = router
        .wait("asked again", |table| {
            table.open.get(&port).is_some_and(|open| open.asked >= 2)
        })
        .await;
    assert_eq!(renewed.open.len(), 1);
    // It goes, forgets everything, and comes back under another address.
    router.set(|table| {
        table.silent = true;
        table.open.clear();
    });
    let lost = way
        .state("lost", |state| matches!(state, State::Reconnecting { .. }))
        .await;
    let State::Reconnecting { places, trouble } = lost else {
        unreachable!("as waited for")
    };
    assert_eq!(places[0].to_string(), first, "somebody may be on the way");
    assert!(trouble.what.contains("No router answered"), "{trouble}");
    router.set(|table| {
        table.silent = false;
        table.external = Ipv4Addr::new(198, 51, 100, 4);
    });
    let second = format!("http://198.51.100.4:{port}");
    way.state("back", |state| {
        state
            .places()
            .first()
            .is_some_and(|place| place.to_string() == second)
    })
    .await;
    way.opened.close().await;
    router.wait("closed", |table| table.open.is_empty()).await;
}

/// Only Linux gives every address of 127/8 to this machine; the port is the protocol's own.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn routers_that_speak_pcp_or_nat_pmp_open_renew_and_get_back_the_port() {
    for (ip, pcp) in [([127, 7, 8, 1], true), ([127, 7, 8, 2], false)] {
        let ip = Ipv4Addr::from(ip);
        let router = Router::pcp(ip).await;
        let party = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = party.local_addr().unwrap().port();
        router.set(|table| {
            table.pcp = pcp;
            table.taken = BTreeSet::from([port]);
        });
        let way = Way {
            opened: tunnel::open(
                Box::new(Mapping::new(mapping::Router {
                    lease: Duration::from_secs(1),
                    ..by_pcp(ip)
                })),
                SocketAddr::from(([127, 0, 0, 1], port)),
            ),
            port,
            _party: party,
        };
        assert_eq!(way.link().await, "http://203.0.113.7:50000", "pcp: {pcp}");
        let again = |table: &super::doubles::router::Table| {
            table.open.get(&50_000).is_some_and(|open| open.asked >= 2)
        };
        let table = router.wait("asked again", again).await;
        assert_eq!(table.open[&50_000].to.port(), way.port);
        way.opened.close().await;
        router.wait("closed", |table| table.given_back == 1).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_pcp_and_nat_pmp_refuse_is_not_hidden_by_the_silence_of_upnp() {
    for (ip, pcp) in [([127, 7, 8, 3], true), ([127, 7, 8, 4], false)] {
        let router = Router::pcp(Ipv4Addr::from(ip)).await;
        router.set(|table| {
            table.pcp = pcp;
            table.refuses = Some((2, "not authorized"));
        });
        let way = Way::through(by_pcp(Ipv4Addr::from(ip))).await;
        let says = way.trouble().await;
        assert!(
            says.contains("does not let this computer open ports"),
            "{says}"
        );
        way.opened.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_opens_a_port_shares_its_link_and_closes_it_when_it_ends() {
    let (home, router) = (Home::new(), Router::upnp().await);
    let mut command = home.command(&host_words(&["--unlisted", "--open-port"]));
    command.env("SEANCE_ROUTER", router.search.to_string());
    let mut host = Program::start("Ana (host)", command);
    let link = first_link(&host, "router");
    let table = router.wait("opened", |table| !table.open.is_empty()).await;
    let (port, open) = table.open.first_key_value().unwrap();
    let outside = format!("203.0.113.7:{port}");
    assert!(link.starts_with(&format!("http://{outside}/")), "{link}");
    // The party answers to the name friends will come by; the double forwards nothing.
    // (It answers to every bare address, since no website can take one for its own name.)
    let answer = super::asked(open.to, &outside).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = super::asked(open.to, "party.example").await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    let inside = link.replace(&outside, &open.to.to_string());
    let mut bo = home.start("Bo", &join_words(&inside, "Bo"));
    live(&bo);
    heard(&mut bo, &host, "through the wall");
    host.say("quit");
    assert!(host.wait_end());
    router.wait("closed", |table| table.open.is_empty()).await;
}

#[tokio::test]
async fn a_router_that_is_only_looked_at_says_its_address_and_opens_nothing() {
    let router = Router::upnp().await;
    let seen = mapping::look(&by_upnp(&router)).await.unwrap().unwrap();
    assert_eq!(
        (seen.by, seen.ip.to_string().as_str()),
        ("UPnP", "203.0.113.7")
    );
    router.set(|table| table.external = Ipv4Addr::new(100, 99, 1, 2));
    let says = mapping::look(&by_upnp(&router))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        says.contains("carrier-grade") && says.contains("--tunnel ngrok"),
        "{says}"
    );
    assert!(router.wait("there", |_| true).await.open.is_empty());

    let ip = Ipv4Addr::new(127, 0, 0, 45);
    let other = Router::pcp(ip).await;
    let seen = mapping::look(&by_pcp(ip)).await.unwrap().unwrap();
    assert_eq!(
        (seen.by, seen.ip.to_string().as_str()),
        ("NAT-PMP", "203.0.113.7")
    );
    other.set(|table| table.silent = true);
    assert_eq!(mapping::look(&by_pcp(ip)).await, Ok(None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_says_what_a_router_is_good_for() {
    let (home, router) = (Home::new(), Router::upnp().await);
    let asked = || {
        let output = home
            .command(&["doctor", "--json"])
            .env("SEANCE_ROUTER", router.search.to_string())
            .env("SEANCE_CHROME", "/nowhere/chrome")
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut lines = printed
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let found = lines.find(|line| line["check"] == "router").unwrap();
        (
            found["fine"] == true,
            found["says"].as_str().unwrap().to_owned(),
        )
    };
    let (fine, says) = asked();
    assert!(
        fine && says.contains("203.0.113.7") && says.contains("--open-port"),
        "{says}"
    );
    router.set(|table| table.external = Ipv4Addr::new(10, 0, 0, 2));
    let (fine, says) = asked();
    assert!(
        !fine && says.contains("10.0.0.2") && says.contains("--tunnel ngrok"),
        "{says}"
    );
    router.set(|table| table.silent = true);
    let (fine, says) = asked();
    assert!(fine && says.contains("none answers"), "{says}");
    assert!(router.wait("there", |_| true).await.open.is_empty());
}
