//! A domain of one's own whose certificate comes by itself, from a double of an authority.

#![allow(
    clippy::disallowed_methods,
    reason = "certificates are good for a time of the real clock"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use seance::net::link::Place;
use seance::net::tls::Trust;
use seance::tunnel::acme::{Keeper, Options};
use seance::tunnel::public::{Certificate, Front, Public};
use seance::tunnel::{self, Opened, State};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;

use crate::doubles::acme::Acme;
use crate::support::{DEADLINE, Home, Program};
use crate::{heard, live};

/// A port of this machine that was free a moment ago.
fn free() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// A host at an address of its own, whose authority is the double.
struct Own {
    home: Home,
    acme: Acme,
    bind: SocketAddr,
}

impl Own {
    async fn new() -> Self {
        let (home, bind) = (Home::new(), free());
        let acme = Acme::start(bind.port()).await;
        std::fs::write(home.path().join("authority.pem"), &acme.authority).unwrap();
        Self { home, acme, bind }
    }

    fn place(&self) -> String {
        format!("https://localhost:{}", self.bind.port())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.home.command(args);
        let authority = self.home.path().join("authority.pem");
        command
            .env("SEANCE_ACME_DIRECTORY", &self.acme.directory)
            .env("SEANCE_ACME_CA", &authority)
            .env("SSL_CERT_FILE", &authority);
        command
    }

    fn host(&self, more: &[&str]) -> Program {
        let (place, bind) = (self.place(), self.bind.to_string());
        let mut args = vec![
            "host",
            "--json",
            "--name",
            "Ana",
            "--bind",
            "127.0.0.1:0",
            "--player",
            "none",
            "--public",
            &place,
            "--tls-bind",
            &bind,
            "--auto-cert",
        ];
        args.extend(more);
        Program::start("Ana (host)", self.command(&args))
    }
}

fn way(host: &Program, state: &str) -> Value {
    host.wait(&format!("that its address is {state}"), |line| {
        let way = line.get("way")?;
        (way["name"] == "own address" && way["state"] == state).then(|| way.clone())
    })
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_gets_the_certificate_of_its_address_by_itself() {
    let own = Own::new().await;
    // Nobody agrees to anything by being silent.
    let place = own.place();
    let silent = own
        .command(&["host", "--public", &place, "--auto-cert"])
        .output()
        .unwrap();
    let says = String::from_utf8_lossy(&silent.stderr).into_owned();
    assert!(
        !silent.status.success() && says.contains("--agree-to-terms"),
        "{says}"
    );
    assert!(own.acme.seen().accounts.is_empty());

    let mut host = own.host(&["--agree-to-terms", "--cert-contact", "ana@example.org"]);
    let link = way(&host, "online")["links"][0]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(link.starts_with(&own.place()), "{link}");
    let join = ["join", "--json", "--name", "Bo", "--player", "none", &link];
    let mut bo = Program::start("Bo", own.command(&join));
    live(&bo);
    heard(&mut bo, &host, "by the front door");
    heard(&mut host, &bo, "welcome");
    let seen = own.acme.seen();
    assert_eq!((seen.orders, seen.proofs, seen.certificates), (1, 1, 1));
    assert_eq!(seen.accounts[0]["contact"][0], "mailto:ana@example.org");

    #[cfg(unix)]
    {
        let folder = own.home.path().join("acme");
        let authority = std::fs::read_dir(&folder).unwrap().next().unwrap();
        let authority = authority.unwrap().path();
        assert_eq!((mode(&folder), mode(&authority)), (0o700, 0o700));
        let mut files: Vec<_> = std::fs::read_dir(&authority)
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
        assert_eq!(
            files,
            ["account.json", "localhost.pem"].map(|name| authority.join(name))
        );
        for file in files {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    }
    bo.say("quit");
    host.say("quit");
    assert!(host.wait_end() && bo.wait_end());

    // The next evening has it already, and was agreed to.
    let mut host = own.host(&[]);
    way(&host, "online");
    assert_eq!(own.acme.seen().orders, 1);
    host.say("quit");
    assert!(host.wait_end());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_that_refuses_keeps_nobody_on_this_network_out() {
    let own = Own::new().await;
    own.acme.rule(|rules| {
        rules.refuses = Some((
            "rateLimited",
            "too many certificates for localhost, retry after Tuesday",
        ));
    });
    let mut host = own.host(&["--agree-to-terms"]);
    let trouble = way(&host, "reconnecting")["trouble"].to_string();
    for part in [
        "retry after Tuesday",
        "rateLimited",
        "--cert",
        "asked again",
    ] {
        assert!(trouble.contains(part), "{part}: {trouble}");
    }
    let link = host.wait("its link", |line| Some(line["link"].as_str()?.to_owned()));
    let mut bo = own.home.start(
        "Bo",
        &["join", "--json", "--name", "Bo", "--player", "none", &link],
    );
    live(&bo);
    heard(&mut bo, &host, "I am here all the same");
    host.say("quit");
    assert!(host.wait_end());
}

/// The way alone, in this process, with waits that a test can wait for.
struct Alone {
    own: Own,
    party: TcpListener,
    options: Options,
}

impl Alone {
    async fn new() -> Self {
        let own = Own::new().await;
        let options = Options {
            directory: own.acme.directory.clone(),
            authority: Some(own.acme.authority.clone().into_bytes()),
            agreed: true,
            retry_min: Duration::from_millis(50),
            refused_wait: Duration::from_millis(50),
            ..Options::default()
        };
        let party = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            own,
            party,
            options,
        }
    }

    fn open(&self) -> Opened {
        let place: Place = self.own.place().parse().unwrap();
        let keeper = Keeper::new(self.own.home.path(), &place, self.options.clone()).unwrap();
        let front = Front::Ours {
            bind: self.own.bind,
            certificate: Certificate::Authority(keeper),
        };
        let local = self.party.local_addr().unwrap();
        tunnel::open(Box::new(Public::new(place, front)), local)
    }

    /// A guest's connection, and the certificate it was shown.
    async fn guest(&self) -> (TlsStream<TcpStream>, CertificateDer<'static>) {
        let trust = Trust::of([self.own.acme.authority_der.clone()]);
        let stream = TcpStream::connect(self.own.bind).await.unwrap();
        let stream = tokio_rustls::TlsConnector::from(trust.config())
            .connect("localhost".try_into().unwrap(), stream)
            .await
            .unwrap();
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
        (stream, shown.into_owned())
    }
}

async fn until(opened: &Opened, is: impl FnMut(&State) -> bool) -> State {
    let mut watch = opened.watch();
    let state = tokio::time::timeout(DEADLINE, watch.wait_for(is)).await;
    state.expect("it stands so in time").unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_meets_new_guests_and_cuts_nobody() {
    let alone = Alone::new().await;
    let hour = Duration::from_secs(3_600);
    // Two thirds of its life are over when it is given.
    alone.own.acme.rule(|rules| rules.life = (hour * 3, hour));
    let opened = alone.open();
    until(&opened, |state| !state.places().is_empty()).await;
    alone
        .own
        .acme
        .rule(|rules| rules.refuses = Some(("serverInternal", "later")));
    let (mut guest, first) = alone.guest().await;
    guest.write_all(b"before").await.unwrap();
    let (mut arrived, _) = alone.party.accept().await.unwrap();
    let mut text = [0; 6];
    arrived.read_exact(&mut text).await.unwrap();
    assert_eq!(&text, b"before");

    alone.own.acme.rule(|rules| {
        rules.refuses = None;
        rules.life = (hour, hour * 24 * 90);
    });
    let renewed = async {
        loop {
            let (_, shown) = alone.guest().await;
            if alone.party.accept().await.is_ok() && shown != first {
                let (_, parsed) = x509_parser::parse_x509_certificate(&shown).unwrap();
                if parsed.validity().time_to_expiration().unwrap().whole_days() > 80 {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, renewed)
        .await
        .expect("another certificate is shown");
    guest.write_all(b"behind").await.unwrap();
    arrived.read_exact(&mut text).await.unwrap();
    assert_eq!(&text, b"behind", "who was inside stays inside");
    assert_eq!(opened.state().word(), "online");
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_keeps_a_certificate_away_is_said_with_what_to_do() {
    let mut alone = Alone::new().await;
    let says = async |alone: &Alone| {
        let opened = alone.open();
        let state = until(&opened, |state| state.trouble().is_some()).await;
        let says = state.trouble().unwrap().to_string();
        opened.close().await;
        (state.word(), says)
    };

    // Port 443 of the domain leads to nobody.
    alone.own.acme.rule(|rules| rules.port = free().port());
    let (word, text) = says(&alone).await;
    assert_eq!(word, "reconnecting");
    assert!(
        text.contains("did not get through to localhost") && text.contains("router"),
        "{text}"
    );

    // It leads to somebody else, who does not know of the question.
    let other = tokio_rustls::TlsAcceptor::from(Arc::new({
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = made.signing_key.serialize_der().try_into().unwrap();
        seance::net::tls::serving_as(vec![made.cert.der().clone()], key).unwrap()
    }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = other.accept(stream).await;
        }
    });
    alone.own.acme.rule(|rules| rules.port = port);
    let (word, text) = says(&alone).await;
    assert_eq!(word, "reconnecting");
    assert!(
        text.contains("Somebody else answers at localhost"),
        "{text}"
    );

    // The domain's owner forbids it: nothing to wait for.
    alone
        .own
        .acme
        .rule(|rules| rules.refuses = Some(("caa", "CAA record for localhost")));
    let (word, text) = says(&alone).await;
    assert_eq!(word, "failed");
    assert!(text.contains("CAA record forbids"), "{text}");

    // The port is somebody else's.
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bind = std::mem::replace(&mut alone.own.bind, taken.local_addr().unwrap());
    let (word, text) = says(&alone).await;
    assert_eq!(word, "failed");
    assert!(text.contains("--tls-bind"), "{text}");
    alone.own.bind = bind;

    // Whoever answers is not believed; nobody answers.
    alone.options.authority = None;
    std::fs::remove_dir_all(alone.own.home.path().join("acme")).unwrap();
    let (word, text) = says(&alone).await;
    assert_eq!(word, "reconnecting");
    assert!(
        text.contains("localhost cannot be reached") && text.contains("again by itself"),
        "{text}"
    );
    alone.options.directory = format!("https://localhost:{}/directory", free().port());
    let (word, text) = says(&alone).await;
    assert_eq!(word, "reconnecting");
    assert!(text.contains("refused"), "{text}");
    assert_eq!(alone.own.acme.seen().certificates, 0);
}

#[test]
fn addresses_without_a_name_get_no_certificate() {
    let agreed = Options {
        agreed: true,
        ..Options::default()
    };
    for place in [
        "http://party.example.org",
        "https://192.0.2.7",
        "https://[2001:db8::7]:8443",
    ] {
        let place: Place = place.parse().unwrap();
        let refused = Keeper::new(Path::new("/nowhere"), &place, agreed.clone());
        let says = refused.unwrap_err().to_string();
        assert!(says.contains("given to names"), "{says}");
    }
}
