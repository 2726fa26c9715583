//! One port: the page by HTTP, the party by WebSocket.
//!
//! Everything a stranger can send is bounded before it is read: connections,
//! header size and time, message size. The `Host` must be an address or one of
//! our names, so that a foreign domain that resolves to us (DNS rebinding) gets
//! nothing; a browser's `Origin` must be the page we served ourselves, so that
//! no other site can open a socket with its visitor's network. A peer's address
//! gives no right: tunnels arrive from loopback.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::broadcast::hub::Hub;
use crate::engine::frame::Form;
use crate::net::pump;

/// Connections at once: a big party with reserve; a stranger's thousand half-open ones end there.
const CONNECTIONS_MAX: usize = 4_096;
/// Connections that may wait to be accepted: a whole party that dials at the same moment, after
/// an invitation or a restart. What does not fit is dialled again by the system, a second later.
const WAITING_MAX: u32 = 1_024;
/// How long a request's headers may take to arrive.
const HEADERS_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a connection may speak HTTP: a page on a slow phone, not somebody who asks for it and
/// never reads, or keeps the line for nothing. What is upgraded lives on.
const HTTP_WAIT_MAX: Duration = Duration::from_secs(30);
/// The longest request head; browsers send one to two thousand bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A file of the page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes.
    pub bytes: Bytes,
    /// Headers that go with it, security policy included.
    pub headers: Vec<(&'static str, String)>,
}

/// Whatever is served beside the WebSocket; the guest page, in the program.
pub trait Site: Send + Sync + 'static {
    /// The file at this path, for a browser that reached us as `host`.
    fn page(&self, path: &str, host: &str) -> Option<Page>;

    /// Whether this name is ours, beside addresses and `.local` names: one that a tunnel or the
    /// host's own domain gave us. `host` is what browsers send: lower case, with the port
    /// where it is not the usual one.
    fn answers_to(&self, _host: &str) -> bool {
        false
    }
}

/// The names under which a party answers to the world, which change as tunnels come and go.
/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Names(Arc<std::sync::RwLock<std::collections::BTreeSet<String>>>);

impl Names {
    /// From now on requests for this host (perhaps with a port) are ours.
    pub fn insert(&self, host: &str) {
        let mut names = self.0.write().expect("nobody panics while holding it");
        names.insert(host.to_ascii_lowercase());
    }

    /// No longer ours. Connections that stand are not asked again.
    pub fn remove(&self, host: &str) {
        let mut names = self.0.write().expect("nobody panics while holding it");
        names.remove(&host.to_ascii_lowercase());
    }

    /// Whether it is ours.
    pub fn contains(&self, host: &str) -> bool {
        let names = self.0.read().expect("nobody panics while holding it");
        names.contains(host)
    }
}

/// Serves until `shutdown` becomes true, then stops accepting and waits for connections to end.
pub async fn serve(
    listener: TcpListener,
    hub: Hub,
    site: Arc<dyn Site>,
    mut shutdown: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        // A permit before accept: at the limit, newcomers wait in the system's queue.
        let permit = tokio::select! {
            permit = Arc::clone(&permits).acquire_owned() => permit.expect("the semaphore is never closed"),
            () = told_to_stop(&mut shutdown) => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, usually: let some connections end first.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = told_to_stop(&mut shutdown) => break,
        };
        let (hub, site) = (hub.clone(), Arc::clone(&site));
        connections.spawn(async move {
            serve_connection(stream, peer, hub, site).await;
            drop(permit);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    // Rooms were closed before; their connections say goodbye and end by their own deadlines.
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(Duration::from_secs(3), all).await.is_err() {
        connections.shutdown().await;
    }
}

async fn told_to_stop(shutdown: &mut watch::Receiver<bool>) {
    // An error means that whoever could tell us is gone: the same.
    let _ = shutdown.wait_for(|stop| *stop).await;
}

/// Opens the port to serve on.
///
/// # Errors
/// What the system says.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restarted host comes back to its address at once; elsewhere than on Unix this would
    // let two programs share it.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING_MAX)
}

/// One TCP connection: HTTP until it is upgraded, then the party until it ends.
async fn serve_connection(stream: TcpStream, peer: SocketAddr, hub: Hub, site: Arc<dyn Site>) {
    // Small frames must not wait for each other. Fails only on a socket that is gone already.
    let _ = stream.set_nodelay(true);
    // Before anything is set aside to read it: who only connects costs a socket, and a thousand
    // who come at once need no thousand buffers at once, which the allocator would keep.
    if !matches!(
        timeout(HEADERS_WAIT_MAX, stream.readable()).await,
        Ok(Ok(()))
    ) {
        return;
    }
    // In a box, so that an evening's connection does not carry along what its first millisecond needed.
    if let Some((stream, behind, form)) = Box::pin(greet(stream, peer, site)).await {
        pump::run(stream, behind, form, hub).await;
    }
}

/// Answers by HTTP; returns the socket once it was upgraded, with what was read behind the request.
async fn greet(
    stream: TcpStream,
    peer: SocketAddr,
    site: Arc<dyn Site>,
) -> Option<(TcpStream, Bytes, Form)> {
    let (upgraded_out, upgraded) = tokio::sync::oneshot::channel();
    let upgraded_out = std::sync::Mutex::new(Some(upgraded_out));
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(request, &*site, |form, upgrade| {
            let sender = upgraded_out
                .lock()
                .expect("nobody panics while holding it")
                .take();
            if let Some(sender) = sender {
                // An error means the connection is ending.
                let _ = sender.send((form, upgrade));
            }
        });
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WAIT_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    match tokio::time::timeout(HTTP_WAIT_MAX, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, %error, "http ended early"),
        Err(_) => tracing::debug!(%peer, "http took too long"),
    }
    // If no request upgraded, nobody will: waiting for one ends here.
    drop(upgraded_out);
    let (form, upgrade) = upgraded.await.ok()?;
    match upgrade
        .await
        .map(|upgraded| upgraded.downcast::<TokioIo<TcpStream>>())
    {
        Ok(Ok(parts)) => return Some((parts.io.into_inner(), parts.read_buf, form)),
        Ok(Err(_)) => tracing::error!(%peer, "an upgraded connection is not the socket it was"),
        Err(error) => tracing::debug!(%peer, %error, "the upgrade did not finish"),
    }
    None
}

fn answer(
    mut request: Request<Incoming>,
    site: &dyn Site,
    upgrade: impl FnOnce(Form, hyper::upgrade::OnUpgrade),
) -> Response<Full<Bytes>> {
    let ours = |host: &str| site.answers_to(host);
    if request.uri().authority().is_some() {
        // A target with a host of its own is for proxies, and would speak past the `Host` that is checked.
        return refusal(
            StatusCode::MISDIRECTED_REQUEST,
            "Open the party by the address in its link.",
        );
    }
    let Some(host) = trusted_host(request.headers(), ours) else {
        return refusal(
            StatusCode::MISDIRECTED_REQUEST,
            "Open the party by the address in its link.",
        );
    };
    if !same_origin(request.headers(), &host) {
        return refusal(
            StatusCode::FORBIDDEN,
            "Another site may not open this party.",
        );
    }
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/ws") => match handshake(&request) {
            Ok((response, form)) => {
                upgrade(form, hyper::upgrade::on(&mut request));
                response
            }
            Err(no) => no,
        },
        (&Method::GET | &Method::HEAD, path) => match site.page(path, &host) {
            Some(page) => found(page, request.method() == Method::HEAD),
            None => refusal(
                StatusCode::NOT_FOUND,
                "There is nothing here. Open the link the host sent.",
            ),
        },
        _ => refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            "Only GET is understood here.",
        ),
    }
}

/// The `Host` the client asked for, if it can be ours: an address, `localhost`, a `.local` name,
/// or one that was given to us.
///
/// A name that somebody else's DNS resolves to us is not ours, whoever looked it up.
fn trusted_host(headers: &HeaderMap, given: impl Fn(&str) -> bool) -> Option<String> {
    let mut all = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (all.next(), all.next()) else {
        return None;
    };
    let host = host.to_str().ok()?;
    let name = match host.rsplit_once(':') {
        Some((name, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            name
        }
        _ => host,
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(name);
    let ours = bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || (name.to_ascii_lowercase().ends_with(".local")
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)));
    let host = host.to_ascii_lowercase();
    (ours || given(&host)).then_some(host)
}

/// Whether the request comes from a page we served ourselves, or from no page at all.
fn same_origin(headers: &HeaderMap, host: &str) -> bool {
    let mut all = headers.get_all(header::ORIGIN).iter();
    match (all.next(), all.next()) {
        (None, _) => true, // a program, not a page: browsers always send it with a WebSocket
        (Some(origin), None) => origin.to_str().is_ok_and(|origin| {
            origin
                .strip_prefix("http://")
                .or_else(|| origin.strip_prefix("https://"))
                .is_some_and(|rest| rest.eq_ignore_ascii_case(host))
        }),
        (Some(_), Some(_)) => false,
    }
}

/// Judges a WebSocket handshake (RFC 6455 §4.2).
#[expect(
    clippy::result_large_err,
    reason = "once a connection, and both sides are answers to send"
)]
fn handshake(
    request: &Request<Incoming>,
) -> Result<(Response<Full<Bytes>>, Form), Response<Full<Bytes>>> {
    let headers = request.headers();
    let names = |name: HeaderName, wanted: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(wanted))
    };
    let bad = |text| Err(refusal(StatusCode::BAD_REQUEST, text));
    if request.version() != Version::HTTP_11
        || !names(header::CONNECTION, "upgrade")
        || !names(header::UPGRADE, "websocket")
    {
        return bad("This address speaks WebSocket only.");
    }
    if headers
        .get(header::SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != "13")
    {
        return bad("Only WebSocket version 13 is spoken here.");
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else {
        return bad("The WebSocket key is missing.");
    };
    let Some(form) = Form::ALL
        .into_iter()
        .find(|form| names(header::SEC_WEBSOCKET_PROTOCOL, form.subprotocol()))
    else {
        return bad("Ask for the subprotocol seance.v1.json or seance.v1.postcard.");
    };
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let out = response.headers_mut();
    out.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    out.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    out.insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(form.subprotocol()),
    );
    let accept = derive_accept_key(key.as_bytes());
    out.insert(
        header::SEC_WEBSOCKET_ACCEPT,
        HeaderValue::from_str(&accept).expect("base 64 is a header value"),
    );
    Ok((response, form))
}

fn found(page: Page, head_only: bool) -> Response<Full<Bytes>> {
    let length = page.bytes.len();
    let mut response = Response::new(Full::new(if head_only { Bytes::new() } else { page.bytes }));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(page.content_type),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    for (name, value) in page.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(&value),
        ) {
            headers.insert(name, value);
        }
    }
    response
}

fn refusal(status: StatusCode, sentence: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(sentence.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_addresses_and_our_own_names_are_hosts() {
        let check = |host, ours: bool| {
            assert_eq!(
                trusted_host(&headers(&[(header::HOST, host)]), |_| false).is_some(),
                ours,
                "{host}"
            )
        };
        for host in [
            "127.0.0.1:7878",
            "192.168.1.7:7878",
            "localhost",
            "LOCALHOST:80",
            "[::1]:7878",
            "anas-laptop.local:7878",
        ] {
            check(host, true);
        }
        for host in [
            "evil.example",
            "evil.example:7878",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
            ":7878",
            "a/b.local",
        ] {
            check(host, false);
        }
        assert_eq!(trusted_host(&HeaderMap::new(), |_| true), None);
    }

    #[test]
    fn a_tunnels_name_is_a_host_while_the_tunnel_has_it() {
        let names = Names::default();
        let check = |host, ours: bool| {
            let headers = headers(&[(header::HOST, host)]);
            let found = trusted_host(&headers, |host| names.contains(host));
            assert_eq!(found.is_some(), ours, "{host}");
        };
        check("Abc.ngrok.app", false);
        names.insert("abc.ngrok.app");
        names.insert("party.example:8443");
        check("Abc.ngrok.app", true);
        check("abc.ngrok.app:443", false); // browsers leave the usual port out
        check("def.ngrok.app", false);
        check("abc.ngrok.app.evil.example", false);
        check("party.example:8443", true);
        check("party.example", false);
        names.remove("ABC.ngrok.app");
        check("abc.ngrok.app", false);
    }

    #[test]
    fn a_page_may_only_talk_to_where_it_came_from() {
        let check = |origin, fine| {
            assert_eq!(
                same_origin(&headers(&[(header::ORIGIN, origin)]), "192.168.1.7:7878"),
                fine,
                "{origin}"
            );
        };
        check("http://192.168.1.7:7878", true);
        check("http://192.168.1.7:7879", false);
        check("http://evil.example", false);
        check("null", false);
        check("", false);
        assert!(
            same_origin(&HeaderMap::new(), "192.168.1.7:7878"),
            "programs send none"
        );
        assert!(!same_origin(&headers(&[(header::ORIGIN, "null")]), "null"));
    }
}
