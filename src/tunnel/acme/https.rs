//! How an authority is asked: one https connection a question, on this program's own TLS.
//!
//! An order is a dozen questions every two months, so that nothing is kept open between them.
//! Whom it believes is given; time and the length of an answer are bounded.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{CONNECTION, HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::net::tls::Trust;

/// How long an answer may take, with everything before it.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);
/// The longest answer: a chain of certificates is some kilobytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Asks over https, believing those it was given.
pub(super) struct Https(Arc<ClientConfig>);

impl Https {
    pub(super) fn new(trust: Trust) -> Self {
        Self(trust.config())
    }
}

impl HttpClient for Https {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let config = Arc::clone(&self.0);
        Box::pin(async move {
            match timeout(ANSWER_WAIT_MAX, ask(config, request)).await {
                Ok(answer) => answer
                    .map(BytesResponse::from)
                    .map_err(|error| Error::Other(Box::new(error))),
                Err(_) => Err(Error::Other(Box::new(io::Error::from(
                    io::ErrorKind::TimedOut,
                )))),
            }
        })
    }
}

async fn ask(
    config: Arc<ClientConfig>,
    mut request: Request<BodyWrapper<Bytes>>,
) -> io::Result<Response<Full<Bytes>>> {
    let uri = request.uri().clone();
    let bad = |why: &'static str| io::Error::new(io::ErrorKind::InvalidInput, why);
    let (Some("https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(bad("an address does not begin with https"));
    };
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    let stream = TcpStream::connect((host.as_str(), authority.port_u16().unwrap_or(443))).await?;
    let name = ServerName::try_from(host).map_err(|_| bad("that is no host's name"))?;
    let stream = TlsConnector::from(config).connect(name, stream).await?;

    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = Uri::try_from(path).map_err(io::Error::other)?;
    let host = HeaderValue::from_str(authority.as_str()).map_err(io::Error::other)?;
    request.headers_mut().insert(HOST, host);
    request
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));

    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let mut exchange = pin!(async move {
        let answer = sender.send_request(request).await;
        let (head, body) = answer.map_err(io::Error::other)?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let bytes = body.map_err(io::Error::other)?.to_bytes();
        Ok(Response::from_parts(head, Full::new(bytes)))
    });
    let mut connection = pin!(connection);
    tokio::select! {
        answer = &mut exchange => answer,
        // What was read is still to be taken; how the other side said goodbye does not matter.
        _ = &mut connection => exchange.await,
    }
}
