//! A double of a home router: UPnP's search and its actions over HTTP, and PCP with NAT-PMP.
//!
//! It imitates the public texts (UPnP Device Architecture 1.0, WANIPConnection:1, RFC 6886,
//! RFC 6887) as far as a port mapping goes, on loopback and without multicast: one action more
//! than the five asked for it does not know. Ports are kept in a table and nothing is forwarded.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the router knows and does.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its address on the other side.
    pub external: Ipv4Addr,
    /// Ports that belong to somebody else.
    pub taken: BTreeSet<u16>,
    /// Whether it answers at all.
    pub silent: bool,
    /// What it answers to every wish for a port: UPnP's error and its words.
    pub refuses: Option<(u16, &'static str)>,
    /// Whether it leases for ever only.
    pub permanent: bool,
    /// Whether it speaks PCP, and not only NAT-PMP.
    pub pcp: bool,
    /// The ports it has opened: the seconds asked for, and how often.
    pub open: BTreeMap<u16, Open>,
    /// How many ports it took back because somebody gave them back.
    pub given_back: usize,
}

/// A port it has opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Where it leads; the address only in UPnP and PCP, which say it.
    pub to: SocketAddr,
    /// For how many seconds.
    pub lease: u32,
    /// How often that was asked for.
    pub asked: usize,
}

/// A router. Goes with its value.
#[derive(Debug)]
pub struct Router {
    /// Where UPnP searches for it.
    pub search: SocketAddr,
    table: Arc<watch::Sender<Table>>,
    _tasks: JoinSet<()>,
}

impl Router {
    /// A router that speaks UPnP.
    pub async fn upnp() -> Self {
        let (router, table) = Self::new();
        let search = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut router = Self {
            search: search.local_addr().unwrap(),
            ..router
        };
        let door = http.local_addr().unwrap();
        router
            ._tasks
            .spawn(answer_search(search, door, table.clone()));
        router._tasks.spawn(async move {
            loop {
                let (stream, _) = http.accept().await.unwrap();
                if !table.borrow().silent {
                    tokio::spawn(serve(stream, table.clone()));
                }
            }
        });
        router
    }

    /// A router at this address that speaks NAT-PMP or PCP; UPnP is turned off.
    pub async fn pcp(ip: Ipv4Addr) -> Self {
        let (mut router, table) = Self::new();
        let socket = UdpSocket::bind((ip, 5351)).await.unwrap();
        router._tasks.spawn(async move {
            let mut bytes = [0; 1100];
            loop {
                // An error is the last guest's port, closed before our answer came.
                let Ok((count, from)) = socket.recv_from(&mut bytes).await else {
                    continue;
                };
                if !table.borrow().silent {
                    let answer = table.answer(&bytes[..count]);
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        router
    }

    fn new() -> (Self, Arc<watch::Sender<Table>>) {
        let table = Arc::new(watch::Sender::new(Table {
            external: Ipv4Addr::new(203, 0, 113, 7),
            taken: BTreeSet::new(),
            silent: false,
            refuses: None,
            permanent: false,
            pcp: true,
            open: BTreeMap::new(),
            given_back: 0,
        }));
        let router = Self {
            // Where nobody listens: the discard port.
            search: "127.0.0.1:9".parse().unwrap(),
            table: Arc::clone(&table),
            _tasks: JoinSet::new(),
        };
        (router, table)
    }

    /// Changes what it knows or does.
    pub fn set(&self, change: impl FnOnce(&mut Table)) {
        self.table.send_modify(change);
    }

    /// Waits until what it knows is so.
    pub async fn wait(&self, what: &str, so: impl FnMut(&Table) -> bool) -> Table {
        let mut table = self.table.subscribe();
        let found = tokio::time::timeout(DEADLINE, table.wait_for(so)).await;
        match found {
            Ok(found) => found.unwrap().clone(),
            Err(_) => panic!("no router {what}: {:?}", self.table.borrow()),
        }
    }
}

trait Answers {
    fn open(&self, wish: u16, to: SocketAddr, lease: u32) -> bool;
    fn give_back(&self, port: u16) -> bool;
    fn lease(&self, wish: u16, to: SocketAddr, lease: u32) -> u16;
    fn answer(&self, asked: &[u8]) -> Vec<u8>;
}

impl Answers for watch::Sender<Table> {
    /// Whether the port is the asker's now.
    fn open(&self, wish: u16, to: SocketAddr, lease: u32) -> bool {
        let mut done = false;
        self.send_modify(|table| {
            let other = table.open.get(&wish).is_some_and(|open| open.to != to);
            if table.taken.contains(&wish) || other {
                return;
            }
            let asked = table.open.get(&wish).map_or(0, |open| open.asked) + 1;
            table.open.insert(wish, Open { to, lease, asked });
            done = true;
        });
        done
    }

    fn give_back(&self, port: u16) -> bool {
        let mut done = false;
        self.send_modify(|table| {
            done = table.open.remove(&port).is_some();
            table.given_back += usize::from(done);
        });
        done
    }

    /// The port that is the asker's now: another, where the one wished for is taken. With no
    /// lease, all that lead there are given back.
    fn lease(&self, wish: u16, to: SocketAddr, lease: u32) -> u16 {
        if lease == 0 {
            let open = self.borrow().open.clone();
            for (port, _) in open.into_iter().filter(|(_, open)| open.to == to) {
                self.give_back(port);
            }
            return 0;
        }
        let ports = std::iter::once(wish).chain(50_000..);
        ports
            .into_iter()
            .find(|port| self.open(*port, to, lease))
            .expect("some port is free")
    }

    /// NAT-PMP and PCP, which begin alike: version, operation.
    fn answer(&self, asked: &[u8]) -> Vec<u8> {
        let number = |at: usize| u16::from_be_bytes([asked[at], asked[at + 1]]);
        let seconds = |at: usize| {
            u32::from_be_bytes([asked[at], asked[at + 1], asked[at + 2], asked[at + 3]])
        };
        let table = self.borrow().clone();
        let epoch = 1_000_u32.to_be_bytes();
        match asked {
            [2, ..] if !table.pcp => [&[0, 0x80, 0, 1][..], &epoch, &[0; 4]].concat(),
            [2, 1, ..] => {
                let (lease, inside, wish) = (seconds(4), number(40), number(42));
                let to = SocketAddr::new(Ipv4Addr::from(seconds(20)).into(), inside);
                let head = |result: u8, lease: u32| {
                    [
                        &[2, 0x81, 0, result][..],
                        &lease.to_be_bytes(),
                        &epoch,
                        &[0; 12],
                    ]
                    .concat()
                };
                if table.refuses.is_some() {
                    return [&head(2, 60)[..], &asked[24..60]].concat();
                }
                let port = self.lease(wish, to, lease);
                let outside = table.external.to_ipv6_mapped().octets();
                [
                    &head(0, lease)[..],
                    &asked[24..42],
                    &port.to_be_bytes(),
                    &outside,
                ]
                .concat()
            }
            [0, 0] => [&[0, 0x80, 0, 0][..], &epoch, &table.external.octets()].concat(),
            [0, 2, ..] => {
                let (inside, wish, lease) = (number(4), number(6), seconds(8));
                if table.refuses.is_some() {
                    return [&[0, 0x82, 0, 2][..], &epoch, &[0; 8]].concat();
                }
                let to = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), inside);
                let port = self.lease(wish, to, lease);
                [
                    &[0, 0x82, 0, 0][..],
                    &epoch,
                    &inside.to_be_bytes(),
                    &port.to_be_bytes(),
                    &lease.to_be_bytes(),
                ]
                .concat()
            }
            _ => Vec::new(),
        }
    }
}

async fn answer_search(socket: UdpSocket, door: SocketAddr, table: Arc<watch::Sender<Table>>) {
    let mut bytes = [0; 2048];
    loop {
        let Ok((count, from)) = socket.recv_from(&mut bytes).await else {
            continue;
        };
        let asked = String::from_utf8_lossy(&bytes[..count]).into_owned();
        if table.borrow().silent || !asked.starts_with("M-SEARCH * HTTP/1.1\r\n") {
            continue;
        }
        let answer = format!(
            "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nEXT:\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nUSN: uuid:double::urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLOCATION: http://{door}/root.xml\r\n\r\n"
        );
        let _ = socket.send_to(answer.as_bytes(), from).await;
    }
}

/// How long a test waits for what the router should be told.
const DEADLINE: Duration = Duration::from_secs(60);
const WAN: &str = "urn:schemas-upnp-org:service:WANIPConnection:1";

/// Answers one request, and closes.
async fn serve(mut stream: TcpStream, table: Arc<watch::Sender<Table>>) {
    let mut asked = Vec::new();
    let (head, body) = loop {
        let mut some = [0; 4096];
        match stream.read(&mut some).await {
            Ok(count) if count > 0 => asked.extend(&some[..count]),
            _ => return,
        }
        let text = String::from_utf8_lossy(&asked).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .to_ascii_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
            .unwrap_or(0);
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    let (status, text) = match head.split(' ').nth(1) {
        Some("/root.xml") => (200, root()),
        Some("/wan.xml") => (200, actions()),
        Some("/control") => act(&body, &table),
        _ => (404, String::new()),
    };
    let answer = format!(
        "HTTP/1.1 {status} Answer\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn root() -> String {
    format!(
        r#"<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType>
<serviceList><service><serviceType>{WAN}</serviceType>
<SCPDURL>/wan.xml</SCPDURL><controlURL>/control</controlURL></service></serviceList>
</device></deviceList></device></deviceList></device></root>"#
    )
}

fn actions() -> String {
    let action = |name: &str, arguments: &[&str]| {
        let arguments: String = arguments
            .iter()
            .map(|name| {
                format!("<argument><name>{name}</name><direction>in</direction></argument>")
            })
            .collect();
        format!("<action><name>{name}</name><argumentList>{arguments}</argumentList></action>")
    };
    let port = ["NewRemoteHost", "NewExternalPort", "NewProtocol"];
    let mapping = [
        &port[..],
        &[
            "NewInternalPort",
            "NewInternalClient",
            "NewEnabled",
            "NewPortMappingDescription",
            "NewLeaseDuration",
        ],
    ]
    .concat();
    format!(
        r#"<?xml version="1.0"?><scpd xmlns="urn:schemas-upnp-org:service-1-0"><actionList>{}{}</actionList></scpd>"#,
        action("AddPortMapping", &mapping),
        action("DeletePortMapping", &port)
    )
}

/// What stands between `<name>` and its end.
fn value<'a>(body: &'a str, name: &str) -> &'a str {
    let (_, rest) = body.split_once(&format!("<{name}>")).unwrap_or_default();
    rest.split('<').next().unwrap_or_default()
}

fn act(body: &str, table: &watch::Sender<Table>) -> (u16, String) {
    let now = table.borrow().clone();
    let external = || value(body, "NewExternalPort").parse::<u16>().unwrap();
    let done = if body.contains("GetExternalIPAddress") {
        Ok((
            "GetExternalIPAddress",
            format!(
                "<NewExternalIPAddress>{}</NewExternalIPAddress>",
                now.external
            ),
        ))
    } else if body.contains("AddPortMapping") {
        let inside = value(body, "NewInternalPort").parse().unwrap();
        let client = value(body, "NewInternalClient").parse().unwrap();
        let lease = value(body, "NewLeaseDuration").parse().unwrap();
        assert_eq!(value(body, "NewProtocol"), "TCP");
        if let Some(refusal) = now.refuses {
            Err(refusal)
        } else if now.permanent && lease != 0 {
            Err((725, "OnlyPermanentLeasesSupported"))
        } else if table.open(external(), SocketAddr::new(client, inside), lease) {
            Ok(("AddPortMapping", String::new()))
        } else {
            Err((718, "ConflictInMappingEntry"))
        }
    } else if body.contains("DeletePortMapping") {
        if table.give_back(external()) {
            Ok(("DeletePortMapping", String::new()))
        } else {
            Err((714, "NoSuchEntryInArray"))
        }
    } else {
        Err((401, "Invalid Action"))
    };
    let (status, inner) = match done {
        Ok((action, inner)) => (
            200,
            format!(r#"<u:{action}Response xmlns:u="{WAN}">{inner}</u:{action}Response>"#),
        ),
        Err((code, words)) => (
            500,
            format!(
                r#"<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>{code}</errorCode><errorDescription>{words}</errorDescription></UPnPError></detail></s:Fault>"#
            ),
        ),
    };
    let text = format!(
        r#"<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>{inner}</s:Body></s:Envelope>"#
    );
    (status, text)
}
