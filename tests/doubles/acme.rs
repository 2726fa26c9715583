//! A double of a certificate authority: an ACME directory (RFC 8555) that gives what it signs itself.
//!
//! Faithful: every request is a JWS whose signature, address and nonce are checked, a nonce works
//! once, an account is known by its key, the proof is looked for in earnest by TLS-ALPN-01 (RFC
//! 8737) at the port it was told is “443”, the certificate is made of the request that was sent and
//! of no name that was not proved, refusals are problem documents with the names of RFC 8555. Left
//! out: everything an order for one name does not need. No authority was reached; what is imitated
//! is what the two RFCs say.

#![allow(
    clippy::disallowed_methods,
    reason = "certificates are good for a time of the real clock"
)]

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine as _};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair,
    SanType,
};
use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What the authority does with those who ask.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The port it takes for 443.
    pub port: u16,
    /// What it refuses the next orders with: the name of RFC 8555 and a reason.
    pub refuses: Option<(&'static str, &'static str)>,
    /// How long before now the next certificate began, and how long after now it ends.
    pub life: (Duration, Duration),
}

/// What came.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Each `newAccount` that made one.
    pub accounts: Vec<Value>,
    /// How many orders were taken.
    pub orders: usize,
    /// How many proofs were found good.
    pub proofs: usize,
    /// How many certificates were signed.
    pub certificates: usize,
}

struct Order {
    domain: String,
    token: String,
    thumbprint: String,
    status: &'static str,
    problem: Option<Value>,
    chain: Option<String>,
}

struct Inner {
    rules: Rules,
    seen: Seen,
    nonces: BTreeSet<String>,
    keys: Vec<Value>,
    orders: Vec<Order>,
}

struct Shared {
    base: String,
    issuer: Issuer<'static, KeyPair>,
    authority: String,
    inner: Mutex<Inner>,
}

/// The double. Ends with its value.
pub struct Acme {
    /// Where its directory is.
    pub directory: String,
    /// Its own authority, which signs its certificates and its own door's, in PEM.
    pub authority: String,
    /// The same, for a client in this process.
    pub authority_der: CertificateDer<'static>,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Acme {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Acme {
    /// An authority that looks for proofs at this port of this machine.
    pub async fn start(port: u16) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap();
        let (authority, authority_der) = (root.pem(), root.der().clone());
        let issuer = Issuer::new(params, key);

        let door = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned()];
        let certificate = CertificateParams::new(names)
            .unwrap()
            .signed_by(&door, &issuer)
            .unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(door.serialize_der()).unwrap(),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!(
            "https://localhost:{}",
            listener.local_addr().unwrap().port()
        );
        let shared = Arc::new(Shared {
            base: base.clone(),
            issuer,
            authority: authority.clone(),
            inner: Mutex::new(Inner {
                rules: Rules {
                    port,
                    refuses: None,
                    life: (Duration::from_secs(3_600), Duration::from_secs(90 * 86_400)),
                },
                seen: Seen::default(),
                nonces: BTreeSet::new(),
                keys: Vec::new(),
                orders: Vec::new(),
            }),
        });
        let tls = TlsAcceptor::from(Arc::new(config));
        let task = tokio::spawn(serve(listener, tls, Arc::clone(&shared)));
        Self {
            directory: format!("{base}/directory"),
            authority,
            authority_der,
            shared,
            task,
        }
    }

    /// Changes what it does from now on.
    pub fn rule(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.shared.lock().rules);
    }

    /// What came so far.
    pub fn seen(&self) -> Seen {
        self.shared.lock().seen.clone()
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else {
                return;
            };
            let service = service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(shared.answer(request).await) }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// A refusal: its status, its name in RFC 8555, its reason.
struct Refused(u16, &'static str, String);

/// What is answered: status, body, where what was made is.
struct Answered(u16, Vec<u8>, Option<String>);

impl Answered {
    fn json(status: u16, value: &Value) -> Self {
        Self(status, serde_json::to_vec(value).unwrap(), None)
    }

    fn at(mut self, place: String) -> Self {
        self.2 = Some(place);
        self
    }
}

fn malformed(why: impl Into<String>) -> Refused {
    Refused(400, "malformed", why.into())
}

fn decoded(value: &Value) -> Result<Vec<u8>, Refused> {
    let text = value.as_str().ok_or_else(|| malformed("no text"))?;
    BASE64
        .decode(text)
        .map_err(|error| malformed(error.to_string()))
}

fn problem(kind: &str, detail: &str) -> Value {
    json!({ "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail })
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nonce(&self) -> String {
        let nonce = BASE64.encode(seance::os::random_bytes::<16>());
        self.lock().nonces.insert(nonce.clone());
        nonce
    }

    async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let answered = match self.asked(request).await {
            Ok(answered) => answered,
            Err(Refused(status, kind, why)) => Answered::json(status, &problem(kind, &why)),
        };
        let mut response = Response::builder()
            .status(answered.0)
            .header("replay-nonce", self.nonce());
        if let Some(place) = answered.2 {
            response = response.header("location", place);
        }
        response.body(Full::new(answered.1.into())).unwrap()
    }

    async fn asked(self: &Arc<Self>, request: Request<Incoming>) -> Result<Answered, Refused> {
        let path = request.uri().path().to_owned();
        let base = &self.base;
        if request.method() != Method::POST {
            return match path.as_str() {
                "/directory" => Ok(Answered::json(
                    200,
                    &json!({
                        "newNonce": format!("{base}/nonce"),
                        "newAccount": format!("{base}/account"),
                        "newOrder": format!("{base}/order"),
                        "meta": { "termsOfService": format!("{base}/terms") },
                    }),
                )),
                "/nonce" => Ok(Answered(200, Vec::new(), None)),
                _ => Err(Refused(405, "malformed", path)),
            };
        }
        if request
            .headers()
            .get("content-type")
            .map(|value| value.as_bytes())
            != Some(b"application/jose+json")
        {
            return Err(Refused(
                415,
                "malformed",
                "not application/jose+json".to_owned(),
            ));
        }
        let body = request.into_body().collect().await;
        let body = body
            .map_err(|error| malformed(error.to_string()))?
            .to_bytes();
        let (payload, key) = self.signed(&path, &body)?;
        let (what, number) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
        let number: usize = number.parse().unwrap_or(usize::MAX);
        match what {
            "account" => self.account(&payload, key),
            "order" if number == usize::MAX => self.order(&payload, &key),
            "challenge" => self.challenge(number),
            "finalize" => self.finalize(number, &payload),
            _ => self.look(what, number),
        }
    }

    /// What was sent, and by whose key, once everything about it holds.
    fn signed(&self, path: &str, body: &[u8]) -> Result<(Value, Value), Refused> {
        let jws: Value =
            serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
        let protected: Value = serde_json::from_slice(&decoded(&jws["protected"])?)
            .map_err(|error| malformed(error.to_string()))?;
        if protected["alg"] != "ES256" {
            return Err(Refused(400, "badSignatureAlgorithm", "ES256".to_owned()));
        }
        if protected["url"] != format!("{}{path}", self.base) {
            return Err(Refused(401, "unauthorized", "another address".to_owned()));
        }
        let nonce = protected["nonce"].as_str().unwrap_or_default();
        if !self.lock().nonces.remove(nonce) {
            return Err(Refused(400, "badNonce", "an old nonce".to_owned()));
        }
        let key = if path == "/account" {
            protected["jwk"].clone()
        } else {
            let kid = protected["kid"].as_str().unwrap_or_default();
            let number = kid
                .strip_prefix(&format!("{}/account/", self.base))
                .and_then(|number| number.parse::<usize>().ok());
            let known = number.and_then(|number| self.lock().keys.get(number).cloned());
            known.ok_or_else(|| {
                Refused(
                    400,
                    "accountDoesNotExist",
                    "nobody has that account".to_owned(),
                )
            })?
        };
        let point = [vec![4], decoded(&key["x"])?, decoded(&key["y"])?].concat();
        let message = format!(
            "{}.{}",
            jws["protected"].as_str().unwrap_or_default(),
            jws["payload"].as_str().unwrap_or_default()
        );
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(message.as_bytes(), &decoded(&jws["signature"])?)
            .map_err(|_| Refused(401, "unauthorized", "the signature is wrong".to_owned()))?;
        let payload = decoded(&jws["payload"])?;
        let payload = if payload.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&payload).map_err(|error| malformed(error.to_string()))?
        };
        Ok((payload, key))
    }

    fn account(&self, payload: &Value, key: Value) -> Result<Answered, Refused> {
        if payload["termsOfServiceAgreed"] != true {
            return Err(Refused(
                403,
                "userActionRequired",
                "agree to the terms".to_owned(),
            ));
        }
        let mut inner = self.lock();
        let known = inner.keys.iter().position(|one| *one == key);
        let number = known.unwrap_or_else(|| {
            inner.keys.push(key);
            inner.seen.accounts.push(payload.clone());
            inner.keys.len() - 1
        });
        let status = if known.is_some() { 200 } else { 201 };
        Ok(Answered::json(status, &json!({ "status": "valid" }))
            .at(format!("{}/account/{number}", self.base)))
    }

    fn order(&self, payload: &Value, key: &Value) -> Result<Answered, Refused> {
        let domain = match payload["identifiers"].as_array().map(Vec::as_slice) {
            Some([one]) if one["type"] == "dns" => one["value"].as_str().unwrap_or_default(),
            _ => return Err(malformed("one name an order")),
        };
        let mut inner = self.lock();
        if let Some((kind, why)) = inner.rules.refuses {
            let status = if kind == "rateLimited" { 429 } else { 403 };
            return Err(Refused(status, kind, why.to_owned()));
        }
        // RFC 7638: these members, in this order, without spaces.
        let thumb = format!(
            r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#,
            key["x"], key["y"]
        );
        inner.seen.orders += 1;
        inner.orders.push(Order {
            domain: domain.to_owned(),
            token: BASE64.encode(seance::os::random_bytes::<16>()),
            thumbprint: BASE64.encode(digest(&SHA256, thumb.as_bytes())),
            status: "pending",
            problem: None,
            chain: None,
        });
        let number = inner.orders.len() - 1;
        drop(inner);
        let mut answered = self.look("order", number)?;
        answered.0 = 201;
        Ok(answered.at(format!("{}/order/{number}", self.base)))
    }

    fn look(&self, what: &str, number: usize) -> Result<Answered, Refused> {
        let inner = self.lock();
        let order = inner
            .orders
            .get(number)
            .ok_or_else(|| Refused(404, "malformed", "there is nothing".to_owned()))?;
        let base = &self.base;
        let proof = match order.status {
            "pending" | "invalid" => order.status,
            _ => "valid",
        };
        let mut challenge = json!({
            "type": "tls-alpn-01", "status": proof, "token": order.token,
            "url": format!("{base}/challenge/{number}"),
        });
        if let Some(problem) = &order.problem {
            challenge["error"] = problem.clone();
        }
        let identifier = json!({ "type": "dns", "value": order.domain });
        match what {
            "challenge" => Ok(Answered::json(200, &challenge)),
            "authorization" => Ok(Answered::json(
                200,
                &json!({ "status": proof, "identifier": identifier, "challenges": [
                    { "type": "http-01", "status": proof, "token": order.token, "url": format!("{base}/none") },
                    challenge,
                ]}),
            )),
            "order" => {
                let mut seen = json!({
                    "status": order.status, "identifiers": [identifier],
                    "authorizations": [format!("{base}/authorization/{number}")],
                    "finalize": format!("{base}/finalize/{number}"),
                });
                if order.chain.is_some() {
                    seen["certificate"] = json!(format!("{base}/certificate/{number}"));
                }
                Ok(Answered::json(200, &seen))
            }
            "certificate" => match &order.chain {
                Some(chain) => Ok(Answered(200, chain.clone().into_bytes(), None)),
                None => Err(Refused(403, "orderNotReady", "not yet".to_owned())),
            },
            _ => Err(Refused(404, "malformed", what.to_owned())),
        }
    }

    /// Goes and looks, while whoever asked is told that it does.
    fn challenge(self: &Arc<Self>, number: usize) -> Result<Answered, Refused> {
        let answered = self.look("challenge", number)?;
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let (port, domain, expected) = {
                let inner = shared.lock();
                let order = &inner.orders[number];
                let expected = format!("{}.{}", order.token, order.thumbprint);
                (inner.rules.port, order.domain.clone(), expected)
            };
            let found = validate(port, &domain, expected.as_bytes()).await;
            let mut inner = shared.lock();
            inner.seen.proofs += usize::from(found.is_ok());
            let order = &mut inner.orders[number];
            match found {
                Ok(()) => order.status = "ready",
                Err((kind, why)) => {
                    order.status = "invalid";
                    order.problem = Some(problem(kind, &why));
                }
            }
        });
        Ok(answered)
    }

    fn finalize(&self, number: usize, payload: &Value) -> Result<Answered, Refused> {
        let csr = decoded(&payload["csr"])?;
        let bad = |why: String| Refused(400, "badCSR", why);
        let mut wanted = CertificateSigningRequestParams::from_der(&csr.into())
            .map_err(|error| bad(error.to_string()))?;
        let mut inner = self.lock();
        let life = inner.rules.life;
        let Some(order) = inner.orders.get_mut(number) else {
            return Err(malformed("there is no such order"));
        };
        if order.status != "ready" {
            return Err(Refused(403, "orderNotReady", order.status.to_owned()));
        }
        let names = &wanted.params.subject_alt_names;
        if !matches!(&names[..], [SanType::DnsName(name)] if name.as_str() == order.domain) {
            return Err(bad(format!("{names:?} was not proved")));
        }
        let now = SystemTime::now();
        wanted.params.not_before = (now - life.0).into();
        wanted.params.not_after = (now + life.1).into();
        let certificate = wanted
            .signed_by(&self.issuer)
            .map_err(|error| bad(error.to_string()))?;
        order.chain = Some(format!("{}{}", certificate.pem(), self.authority));
        order.status = "valid";
        inner.seen.certificates += 1;
        drop(inner);
        self.look("order", number)
    }
}

/// RFC 8737, section 3: what is at “port 443” of a name.
async fn validate(port: u16, domain: &str, expected: &[u8]) -> Result<(), (&'static str, String)> {
    let wrong = |why: &str| ("unauthorized", why.to_owned());
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Looking))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)))
        .await
        .map_err(|error| ("connection", format!("{domain}: {error}")))?;
    let name = ServerName::try_from(domain.to_owned()).map_err(|_| wrong("no name"))?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| ("tls", error.to_string()))?;
    let (_, session) = stream.get_ref();
    if session.alpn_protocol() != Some(b"acme-tls/1") {
        return Err(wrong("another protocol"));
    }
    let [certificate] = session.peer_certificates().unwrap_or_default() else {
        return Err(wrong("more certificates than one"));
    };
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate)
        .map_err(|error| ("tls", error.to_string()))?;
    certificate
        .verify_signature(None)
        .map_err(|_| wrong("not signed by itself"))?;
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map(|names| names.value.general_names.clone());
    if names != Some(vec![x509_parser::extensions::GeneralName::DNSName(domain)]) {
        return Err(wrong("other names"));
    }
    let proof = certificate
        .extensions()
        .iter()
        .find(|one| one.oid.to_id_string() == "1.3.6.1.5.5.7.1.31")
        .ok_or_else(|| wrong("no acmeIdentifier"))?;
    // An octet string of 32 bytes.
    let value = [&[4, 32], digest(&SHA256, expected).as_ref()].concat();
    if !proof.critical || proof.value != value {
        return Err(wrong("another proof"));
    }
    Ok(())
}

/// Takes any certificate, because what is in it is looked at afterwards.
#[derive(Debug)]
struct Looking;

impl Looking {
    /// That whoever shows the certificate has its key. By hand, because rustls does not read
    /// certificates that hold a proof.
    fn signed(
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let wrong = || rustls::Error::General("another key".to_owned());
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| wrong())?;
        let key = &parsed.public_key().subject_public_key.data;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key)
            .verify(message, signature.signature())
            .map_err(|_| wrong())?;
        Ok(HandshakeSignatureValid::assertion())
    }
}

impl ServerCertVerifier for Looking {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Self::signed(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Self::signed(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
