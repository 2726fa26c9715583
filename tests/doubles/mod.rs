//! Local doubles of what a player talks to: film servers and sites.
//!
//! They imitate what is documented in public about the real thing, as
//! faithfully as a test needs, and reach no network. A test asks for a
//! [`Film`] first; machines without ffmpeg get a printed reason and skip.

#![allow(dead_code, reason = "every test file uses another part of the doubles")]

pub mod acme;
pub mod embeds;
pub mod ngrok;
pub mod router;
pub mod sites;
pub mod youtube;
pub mod youtube_embed;

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE,
};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rcgen::PublicKeyData as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What was found, or `None` with the printed reason why a test cannot run here.
///
/// For what a machine may lack, and nothing else: a skipped test is not a failed one.
pub fn or_skip<T>(found: Result<T, impl std::fmt::Display>) -> Option<T> {
    found.map_err(|reason| eprintln!("skipped: {reason}")).ok()
}

/// Lets `RUST_LOG=seance=debug` tell what a player in this process thinks.
pub fn think_aloud() {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_test_writer()
        .try_init();
}

/// What a double answers.
pub type Answer = Response<Full<Bytes>>;

/// How long the film is.
pub const FILM_SECS: u64 = 120;

/// There is no ffmpeg to make films with.
#[derive(Clone, Copy, Debug)]
pub struct NoFfmpeg;

impl std::fmt::Display for NoFfmpeg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no ffmpeg to make films with")
    }
}

/// A generated film: two minutes, a picture that counts, a tone, a key frame each second.
#[derive(Clone, Debug)]
pub struct Film {
    /// Its MP4.
    pub mp4: Bytes,
}

impl Film {
    /// The film, made once and kept between runs.
    pub fn made() -> Result<Self, NoFfmpeg> {
        Self::of("film-2.mp4", "testsrc2=size=320x180:rate=25", FILM_SECS)
    }

    /// An advertisement: four seconds of bars.
    pub fn advert() -> Result<Self, NoFfmpeg> {
        Self::of("advert-1.mp4", "smptebars=size=320x180:rate=25", 4)
    }

    /// A film that is pleasant to look at: 24 minutes of a still evening over hills.
    pub fn landscape() -> Result<Self, NoFfmpeg> {
        // Each colour by the layer a point lies in: sky with its sun, far hills, near hills, foreground.
        // Drawn at twice the size, so that edges are smooth.
        let layers = |sun: u32, sky: &str, far: u32, near: u32, front: u32| {
            format!(
                "if(lt(Y,600+56*sin(X/194)+24*sin(X/62)),if(lt(hypot(X-1280,Y-472),116),{sun},{sky}),\
                 if(lt(Y,770+68*sin(X/280+2)+18*sin(X/94)),{far},if(lt(Y,910+52*sin(X/380+4.1)),{near},{front})))"
            )
        };
        let picture = format!(
            "nullsrc=s=1920x1080:r=2:d=0.5,format=rgb24,geq=r='{}':g='{}':b='{}',\
             scale=960:540:flags=area,loop=-1:1,setpts=N/(2*TB)",
            layers(255, "46+190*pow(Y/660,1.7)", 74, 40, 20),
            layers(226, "34+100*pow(Y/660,2.2)", 48, 28, 14),
            layers(176, "82+24*pow(Y/660,1.2)", 84, 58, 34),
        );
        Self::of("landscape-2.mp4", &picture, 24 * 60)
    }

    fn of(name: &str, picture: &str, secs: u64) -> Result<Self, NoFfmpeg> {
        Self::kept(name, |part| {
            let mut ffmpeg = Command::new("ffmpeg");
            ffmpeg
                .args(["-v", "error", "-y", "-f", "lavfi", "-i", picture])
                .args(["-f", "lavfi", "-i", "sine=frequency=330"])
                .args(["-t", &secs.to_string()])
                .args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "25"])
                .args(["-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k"])
                .args(["-movflags", "+faststart"])
                .arg(part);
            ffmpeg
        })
    }

    /// The film in fragments, as a page that feeds its element by hand needs it.
    pub fn fragmented() -> Result<Self, NoFfmpeg> {
        Self::made()?;
        Self::kept("film-2-fragments.mp4", |part| {
            let mut ffmpeg = Command::new("ffmpeg");
            ffmpeg
                .args(["-v", "error", "-y", "-i"])
                .arg(kept_films().join("film-2.mp4"))
                .args(["-c", "copy", "-movflags"])
                .arg("frag_keyframe+empty_moov+default_base_moof")
                .arg(part);
            ffmpeg
        })
    }

    /// The film kept under this name; where there is none yet, `making` writes it to the path it is given.
    ///
    /// Fails only where there is no ffmpeg: a film that could not be made for another
    /// reason must not look like a machine that lacks something.
    fn kept(name: &str, making: impl FnOnce(&Path) -> Command) -> Result<Self, NoFfmpeg> {
        // Tests of one program wait for each other, whatever they make: one writes a part, renames
        // it, and the next finds the film. Two programs each make their own; the last one stays.
        static MAKING: Mutex<()> = Mutex::new(());
        let _making = MAKING
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = kept_films().join(name);
        if !path.exists() {
            let part = path.with_extension(format!("{}.part.mp4", std::process::id()));
            let made = match making(&part).stdin(Stdio::null()).output() {
                Ok(made) => made,
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(NoFfmpeg),
                Err(error) => panic!("ffmpeg does not start: {error}"),
            };
            let said = String::from_utf8_lossy(&made.stderr);
            assert!(made.status.success(), "ffmpeg made no {name}: {said}");
            std::fs::rename(&part, &path)
                .unwrap_or_else(|error| panic!("{name} cannot be kept: {error}"));
        }
        let mp4 = std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        Ok(Self { mp4: mp4.into() })
    }

    /// Answers a request for its first eighth, and leaves others waiting for ever.
    pub fn stalling(&self, request: &Request<Incoming>) -> Answer {
        let whole = self.mp4.len();
        let eighth = whole / 8;
        let from = asked_range(request).map_or(0, |(from, _)| from);
        if from >= eighth {
            let mut never = status(StatusCode::OK);
            never.extensions_mut().insert(Never);
            return never;
        }
        Response::builder()
            .status(StatusCode::PARTIAL_CONTENT)
            .header(CONTENT_TYPE, "video/mp4")
            .header(ACCEPT_RANGES, "bytes")
            .header(
                CONTENT_RANGE,
                format!("bytes {from}-{}/{whole}", eighth - 1),
            )
            .body(self.mp4.slice(from..eighth).into())
            .unwrap()
    }

    /// Answers a request for it, whole or in part.
    pub fn answer(&self, request: &Request<Incoming>) -> Answer {
        let whole = self.mp4.len();
        let answer = Response::builder()
            .header(CONTENT_TYPE, "video/mp4")
            .header(ACCEPT_RANGES, "bytes");
        let Some((from, to)) = asked_range(request) else {
            return answer.body(self.mp4.clone().into()).unwrap();
        };
        let to = to.unwrap_or(whole - 1).min(whole - 1);
        if from > to {
            return status(StatusCode::RANGE_NOT_SATISFIABLE);
        }
        answer
            .status(StatusCode::PARTIAL_CONTENT)
            .header(CONTENT_RANGE, format!("bytes {from}-{to}/{whole}"))
            .body(self.mp4.slice(from..=to).into())
            .unwrap()
    }
}

/// Where films are kept between runs.
fn kept_films() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The bytes a request asks for: the first, and the last if it names one.
fn asked_range(request: &Request<Incoming>) -> Option<(usize, Option<usize>)> {
    let range = request.headers().get(RANGE)?.to_str().ok()?;
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    Some((from.parse().ok()?, to.parse().ok()))
}

/// Marks an answer that never comes.
#[derive(Clone, Copy)]
struct Never;

/// An answer of nothing but its status.
pub fn status(status: StatusCode) -> Answer {
    text(status, "text/plain", status.to_string())
}

/// An answer of text.
pub fn text(status: StatusCode, kind: &str, body: impl Into<String>) -> Answer {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, kind)
        .body(Full::new(Bytes::from(body.into())))
        .unwrap()
}

/// A web page.
pub fn html(body: impl Into<String>) -> Answer {
    text(StatusCode::OK, "text/html; charset=utf-8", body)
}

/// The way to somewhere else.
pub fn redirect(to: &str) -> Answer {
    Response::builder()
        .status(StatusCode::FOUND)
        .header(LOCATION, to)
        .body(Full::default())
        .unwrap()
}

/// A server on a free port of the loopback; ends with its value.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it was asked for, oldest first: `GET /film.mp4`.
    pub asked: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Serves what `answer` says, over plain HTTP or under `tls`.
    pub async fn start(
        tls: Option<TlsAcceptor>,
        answer: impl Fn(&Request<Incoming>) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(answer);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            loop {
                let Ok((socket, _)) = listener.accept().await else {
                    continue;
                };
                let (answer, log, tls) = (Arc::clone(&answer), Arc::clone(&log), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => converse(socket, answer, log).await,
                        Some(tls) => {
                            if let Ok(socket) = tls.accept(socket).await {
                                converse(socket, answer, log).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            asked,
            task,
        }
    }

    /// The address of a path on it, over plain HTTP.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A film server with the ways such servers behave and misbehave.
    pub async fn films(film: Film) -> Self {
        Self::start(None, move |request| match request.uri().path() {
            "/film.mp4" | "/other.mp4" => film.answer(request),
            "/download" => {
                let mut answer = film.answer(request);
                let headers = answer.headers_mut();
                headers.insert(CONTENT_TYPE, "application/octet-stream".parse().unwrap());
                headers.insert(
                    CONTENT_DISPOSITION,
                    "attachment; filename=film.mp4".parse().unwrap(),
                );
                answer
            }
            "/stalls.mp4" => film.stalling(request),
            "/moved.mp4" => redirect("/film.mp4"),
            "/torn.mp4" => text(StatusCode::OK, "video/mp4", "not a film at all"),
            "/readme.txt" => text(StatusCode::OK, "text/plain", "not a film"),
            "/secret.mp4" => status(StatusCode::FORBIDDEN),
            "/page" => html(PAGE),
            "/swap" => html(SWAP),
            "/empty" => html("<!doctype html><title>empty</title>"),
            _ => status(StatusCode::NOT_FOUND),
        })
        .await
    }
}

/// Sites of a test's own, all on one port, under the names of those they double.
#[derive(Debug)]
pub struct Namesakes {
    hosts: &'static [&'static str],
    server: Server,
    fingerprint: String,
}

impl Namesakes {
    /// Serves, as `hosts` and by https, what `answer` says.
    pub async fn start(
        hosts: &'static [&'static str],
        answer: impl Fn(&Request<Incoming>) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let certificate = Certificate::of(hosts);
        Self {
            hosts,
            server: Server::start(Some(certificate.acceptor), answer).await,
            fingerprint: certificate.fingerprint,
        }
    }

    /// The flags by which Chrome looks for them on our port and accepts our certificate.
    pub fn chrome_args(&self) -> Vec<String> {
        let port = self.server.address.port();
        let rules: Vec<String> = self
            .hosts
            .iter()
            .map(|host| format!("MAP {host} 127.0.0.1:{port}"))
            .collect();
        vec![
            format!("--host-resolver-rules={}", rules.join(",")),
            format!("--ignore-certificate-errors-spki-list={}", self.fingerprint),
        ]
    }
}

/// A request's header; empty where it has none.
pub fn header<'a>(request: &'a Request<Incoming>, name: &str) -> &'a str {
    let value = request.headers().get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// An ordinary page with a film on it: a hidden preview first, then the film.
const PAGE: &str = r#"<!doctype html><title>a page</title>
<video id=preview src=/other.mp4 style="display:none"></video>
<h1>A film</h1>
<video id=film src=/film.mp4 controls style="width:640px;height:360px"></video>
<video id=small src=/other.mp4 style="width:80px;height:45px"></video>"#;

/// A page that throws its element away and puts another in its place.
const SWAP: &str = r#"<!doctype html><title>a page</title>
<div id=room><video src=/film.mp4 style="width:640px;height:360px"></video></div>
<script>function swap() {
  room.innerHTML = '<video src="/film.mp4" autoplay style="width:640px;height:360px"></video>';
}</script>"#;

async fn converse<S>(
    socket: S,
    answer: Arc<impl Fn(&Request<Incoming>) -> Answer + Send + Sync + 'static>,
    log: Arc<Mutex<Vec<String>>>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        log.lock()
            .unwrap()
            .push(format!("{} {}", request.method(), request.uri()));
        let answer = answer(&request);
        async move {
            if answer.extensions().get::<Never>().is_some() {
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(answer)
        }
    });
    // A browser breaks connections off as it likes.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

/// A certificate nobody signed, and the flag by which Chrome accepts just this one.
pub struct Certificate {
    /// What the server needs.
    pub acceptor: TlsAcceptor,
    /// The SHA-256 of its public key, in base64.
    pub fingerprint: String,
    /// Itself, for whoever is told to trust it.
    pub made: rcgen::Certificate,
}

impl Certificate {
    /// Makes one for `names`.
    pub fn of(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let fingerprint = provider
            .cipher_suites
            .iter()
            .find_map(|suite| match suite.suite() {
                rustls::CipherSuite::TLS13_AES_128_GCM_SHA256 => {
                    let sha256 = suite.tls13()?.common.hash_provider;
                    Some(base64(
                        sha256
                            .hash(&made.signing_key.subject_public_key_info())
                            .as_ref(),
                    ))
                }
                _ => None,
            })
            .unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![made.cert.der().clone()],
                rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der())
                    .unwrap(),
            )
            .unwrap();
        Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            fingerprint,
            made: made.cert,
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|three| {
            let bits = (0..3).fold(0usize, |bits, n| {
                bits << 8 | usize::from(three.get(n).copied().unwrap_or(0))
            });
            (0..4).map(move |place| {
                if place <= three.len() {
                    char::from(ALPHABET[bits >> (18 - 6 * place) & 63])
                } else {
                    '='
                }
            })
        })
        .collect()
}
