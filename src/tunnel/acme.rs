//! Certificates from an authority that gives them by itself: ACME, RFC 8555.
//!
//! Somebody's own domain gets a certificate without another program: this file
//! makes an account with the authority, orders, proves on the very port that
//! guests come in by that the domain leads here (TLS-ALPN-01, RFC 8737), and keeps
//! what it gets. Account key and certificates lie in the home, for their owner
//! alone. After two thirds of a certificate's life the next one is asked for;
//! guests who are inside notice nothing, because only new handshakes meet it.
//!
//! An authority that is away, or that refuses, ends nothing: a certificate that is
//! still good is served on, and the party's other ways never depended on it.
//!
//! Deliberately absent: the other proofs. One by http wants port 80 as well, one
//! by DNS the keys of somebody's DNS provider. And revoking: a certificate of a
//! film night that fell into wrong hands ends by itself within its months.

mod https;
mod obstacle;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, Problem, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use self::https::Https;
use self::obstacle::{Obstacle, Pace};
use super::public::Desk;
use super::{Backoff, Report, State, Trouble};
use crate::log::files;
use crate::net::link::Place;
use crate::net::tls::{self, Trust};
use crate::os;

/// Who is asked where nobody else is named: Let's Encrypt, which asks for no money.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// The protocol in which an authority asks for the proof; RFC 8737.
pub(super) const PROOF_PROTOCOL: &[u8] = b"acme-tls/1";

/// The folder in the home; one folder below for each authority.
const FOLDER: &str = "acme";
/// The account there.
const ACCOUNT: &str = "account.json";
/// How long an authority may look at a proof, and then sign: seconds, usually.
const PATIENCE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_secs(90));
/// The longest sleep towards a renewal: the wall clock may be set, or the machine suspended.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What can be chosen about certificates.
#[derive(Clone, Debug)]
pub struct Options {
    /// The authority's directory.
    pub directory: String,
    /// By whom the directory is believed, in PEM; those this system trusts where none is given.
    pub authority: Option<Vec<u8>>,
    /// Where the authority may write to, an e-mail address; goes with the account when it is made.
    pub contact: Option<String>,
    /// Whether the person agreed to the authority's terms. Only asked for where no account is kept.
    pub agreed: bool,
    /// The wait after the first failure to reach the authority; later ones double, up to an hour.
    pub retry_min: Duration,
    /// The wait after the authority refused: its own limits count failures by the hour.
    pub refused_wait: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            directory: LETS_ENCRYPT.to_owned(),
            authority: None,
            contact: None,
            agreed: false,
            retry_min: Duration::from_secs(30),
            // Let's Encrypt lets a name fail five times an hour.
            refused_wait: Duration::from_secs(15 * 60),
        }
    }
}

/// The certificates of one name, from one authority.
#[derive(Clone)]
pub struct Keeper {
    domain: String,
    folder: PathBuf,
    options: Options,
}

/// The options may hold an address that is nobody's business.
impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("domain", &self.domain)
            .field("folder", &self.folder)
            .field("directory", &self.options.directory)
            .finish_non_exhaustive()
    }
}

/// A certificate that is kept.
struct Kept {
    config: Arc<ServerConfig>,
    /// When the next one is asked for, in milliseconds of the wall clock.
    due: u64,
    /// When it is good no more.
    end: u64,
}

impl Keeper {
    /// Keeps certificates for the name of `place` in the home at `root`.
    ///
    /// # Errors
    /// When the place is none that an authority gives a certificate for, or its terms are not
    /// agreed to; as a sentence that says what to do.
    pub fn new(root: &Path, place: &Place, options: Options) -> Result<Self, Trouble> {
        let authority = place.authority();
        let domain = authority
            .rsplit_once(':')
            .map_or(authority, |(name, _)| name)
            .trim_end_matches('.');
        let is_name = !domain.is_empty()
            && !domain.starts_with('[')
            && domain.parse::<std::net::IpAddr>().is_err();
        if !place.is_secure() || !is_name {
            return Err(Trouble::new(
                format!("{place} can have no certificate of its own."),
                "Certificates are given to names: use --public with https and a domain that leads here, such as https://party.example.org.",
            ));
        }
        let keeper = Self {
            domain: domain.to_owned(),
            folder: root.join(FOLDER).join(named_after(&options.directory)),
            options,
        };
        if !keeper.options.agreed && !keeper.account_file().exists() {
            return Err(keeper.terms());
        }
        Ok(keeper)
    }

    /// Who gives the certificates, as people call them.
    fn authority(&self) -> String {
        if self.options.directory == LETS_ENCRYPT {
            return "Let's Encrypt".to_owned();
        }
        let url = url::Url::parse(&self.options.directory).ok();
        let host = url.and_then(|url| url.host_str().map(str::to_owned));
        host.unwrap_or_else(|| "The authority".to_owned())
    }

    fn account_file(&self) -> PathBuf {
        self.folder.join(ACCOUNT)
    }

    /// The certificates and their key, in one file, so that they are replaced together.
    fn certificate_file(&self) -> PathBuf {
        self.folder.join(format!("{}.pem", self.domain))
    }

    fn terms(&self) -> Trouble {
        let (authority, at) = (self.authority(), &self.options.directory);
        let terms = if at == LETS_ENCRYPT {
            "https://letsencrypt.org/repository/"
        } else {
            at
        };
        Trouble::new(
            format!("{authority} gives certificates to those who agree to its terms."),
            format!("Read them ({terms}), then add --agree-to-terms once."),
        )
    }

    /// Serves a good certificate as long as one can be had. Ends with what nobody but a person
    /// can change.
    pub(super) async fn keep(&self, place: &Place, desk: &Desk, report: &Report) -> Trouble {
        let mut waits = Backoff::new(
            self.options.retry_min,
            Duration::from_secs(3_600).max(self.options.retry_min),
        );
        let mut held = self.kept().await;
        loop {
            let now = os::wall_millis();
            let good = held.as_ref().filter(|kept| now < kept.end);
            desk.show(good.map(|kept| Arc::clone(&kept.config)));
            if let Some(kept) = good {
                report.say(State::Online(vec![place.clone()]));
                if now < kept.due {
                    let left = Duration::from_millis(kept.due - now);
                    tokio::time::sleep(left.min(LOOK_EVERY)).await;
                    continue;
                }
            }
            let wait = match self.obtain(desk).await {
                Ok(kept) => {
                    tracing::info!(domain = self.domain, "there is a new certificate");
                    desk.show(Some(Arc::clone(&kept.config)));
                    report.say(State::Online(vec![place.clone()]));
                    // One that is due at once, as by an authority with another clock, is no
                    // reason to order without end: then the waits go on growing.
                    if os::wall_millis() < kept.due {
                        waits.reset();
                    }
                    held = Some(kept);
                    waits.next()
                }
                Err(obstacle) => {
                    let pace = obstacle.pace();
                    let trouble = self.trouble(&obstacle);
                    let is_good = held
                        .as_ref()
                        .is_some_and(|kept| os::wall_millis() < kept.end);
                    if is_good {
                        tracing::warn!(%trouble, "the certificate is not renewed yet");
                    } else if pace == Pace::Never {
                        desk.show(None);
                        return trouble;
                    } else {
                        report.say(State::Reconnecting {
                            places: Vec::new(),
                            trouble,
                        });
                    }
                    match pace {
                        Pace::Soon => waits.next(),
                        Pace::Later | Pace::Never => self.options.refused_wait,
                    }
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// The certificate on disk, where there is one that can be used.
    async fn kept(&self) -> Option<Kept> {
        let file = self.certificate_file();
        let read = tokio::task::spawn_blocking(move || std::fs::read(file).ok());
        let pem = read.await.ok().flatten()?;
        match Kept::read(&pem) {
            Ok(kept) => Some(kept),
            Err(why) => {
                tracing::warn!(
                    why,
                    "the kept certificate cannot be used; another is asked for"
                );
                None
            }
        }
    }

    /// Orders a certificate, proves whose domain it is, and keeps what it gets.
    async fn obtain(&self, desk: &Desk) -> Result<Kept, Obstacle> {
        let account = self.account().await?;
        let name = [Identifier::Dns(self.domain.clone())];
        let mut order = account.new_order(&NewOrder::new(&name)).await?;
        if order.state().status == OrderStatus::Pending {
            let proved = self.prove(&mut order, desk).await;
            // Whoever asks for a proof from now on is not who was told to.
            desk.prove(None);
            proved?;
        }
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&PATIENCE).await?;
        let pem = format!("{}\n{}", key.trim_end(), chain);
        let kept = Kept::read(pem.as_bytes()).map_err(Obstacle::Useless)?;
        self.write(self.certificate_file(), pem.into_bytes())
            .await?;
        Ok(kept)
    }

    /// Shows the authority on our own port that the name leads here.
    async fn prove(&self, order: &mut Order, desk: &Desk) -> Result<(), Obstacle> {
        let mut all = order.authorizations();
        while let Some(authorization) = all.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue; // proved a while ago, and remembered
            }
            let mut challenge = authorization
                .challenge(ChallengeType::TlsAlpn01)
                .ok_or(Obstacle::NoSuchProof)?;
            let digest = challenge.key_authorization().digest();
            desk.prove(Some(self.proof(digest.as_ref())?));
            challenge.set_ready().await?;
        }
        let ended = order.poll_ready(&PATIENCE).await;
        if let Ok(OrderStatus::Ready | OrderStatus::Valid) = ended {
            return Ok(());
        }
        // Why is told with the proof, not always with the order.
        match refusal(order).await {
            Some(problem) => Err(Obstacle::Refused(problem)),
            None => match ended {
                Err(error) => Err(error.into()),
                Ok(_) => Err(Obstacle::Useless("the order became invalid".to_owned())),
            },
        }
    }

    /// The certificate that nobody believes and the authority looks for.
    fn proof(&self, digest: &[u8]) -> Result<Arc<ServerConfig>, Obstacle> {
        let made = || -> Result<_, rcgen::Error> {
            let mut params = CertificateParams::new([self.domain.clone()])?;
            params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
            let key = KeyPair::generate()?;
            Ok((params.self_signed(&key)?.der().clone(), key.serialize_der()))
        };
        let useless = |error: &dyn fmt::Display| Obstacle::Useless(error.to_string());
        let (certificate, key) = made().map_err(|error| useless(&error))?;
        let key = PrivateKeyDer::try_from(key).map_err(|error| useless(&error))?;
        let config = tls::showing(certificate, key, PROOF_PROTOCOL);
        Ok(Arc::new(config.map_err(|error| useless(&error))?))
    }

    /// The account that is kept, or a new one.
    async fn account(&self) -> Result<Account, Obstacle> {
        let trust = match &self.options.authority {
            Some(pem) => {
                let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
                Trust::of(all.map_err(|error| Obstacle::Useless(error.to_string()))?)
            }
            None => Trust::system(),
        };
        let builder = Account::builder_with_http(Box::new(Https::new(trust)));
        let file = self.account_file();
        let read = tokio::task::spawn_blocking(move || std::fs::read(file));
        match read.await.expect("reading a file does not panic") {
            Ok(bytes) => {
                let credentials = serde_json::from_slice(&bytes)
                    .map_err(|error| Obstacle::Disk(self.account_file(), error.to_string()))?;
                return Ok(builder.from_credentials(credentials).await?);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Obstacle::Disk(self.account_file(), error.to_string())),
        }
        let contact = self
            .options
            .contact
            .as_ref()
            .map(|mail| format!("mailto:{mail}"));
        let contact: Vec<&str> = contact.as_deref().into_iter().collect();
        let wish = NewAccount {
            contact: &contact,
            terms_of_service_agreed: self.options.agreed,
            only_return_existing: false,
        };
        let directory = self.options.directory.clone();
        let (account, credentials) = builder.create(&wish, directory, None).await?;
        let bytes = serde_json::to_vec(&credentials)
            .map_err(|error| Obstacle::Disk(self.account_file(), error.to_string()))?;
        self.write(self.account_file(), bytes).await?;
        Ok(account)
    }

    async fn write(&self, file: PathBuf, bytes: Vec<u8>) -> Result<(), Obstacle> {
        let (folder, named) = (self.folder.clone(), file.clone());
        let writing = tokio::task::spawn_blocking(move || {
            files::create_dir(&folder)?;
            files::replace_private(&file, &bytes)
        });
        let written = writing.await.expect("writing a file does not panic");
        written.map_err(|error| Obstacle::Disk(named, error.to_string()))
    }
}

/// What an authority found wrong with a proof.
async fn refusal(order: &mut Order) -> Option<Problem> {
    let mut all = order.authorizations();
    while let Some(Ok(mut authorization)) = all.next().await {
        let fresh = authorization.refresh().await.ok()?;
        let told = fresh
            .challenges
            .iter()
            .find_map(|challenge| challenge.error.clone());
        if told.is_some() {
            return told;
        }
    }
    None
}

impl Kept {
    /// Reads certificates and key out of one PEM text.
    fn read(pem: &[u8]) -> Result<Self, String> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| error.to_string())?;
        let first = certificates.first().ok_or("no certificate is in it")?;
        let (_, parsed) =
            x509_parser::parse_x509_certificate(first).map_err(|error| error.to_string())?;
        let millis = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000);
        let begin = millis(parsed.validity().not_before.timestamp());
        let end = millis(parsed.validity().not_after.timestamp());
        let config = tls::serving_as(certificates, key).map_err(|error| error.to_string())?;
        Ok(Self {
            config: Arc::new(config),
            // What Let's Encrypt asks for, and leaves a month for mending where it lasts three.
            due: begin + end.saturating_sub(begin) / 3 * 2,
            end,
        })
    }
}

/// A folder's name that says whose directory it is.
fn named_after(directory: &str) -> String {
    let bare = directory.trim_start_matches("https://");
    bare.chars()
        .map(|char| match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' => char,
            _ => '-',
        })
        .collect()
}
