//! Ways in from elsewhere: https links, ngrok's tunnel against a double of its service, own
//! addresses, and what is said when they fail.
//!
//! Real programs throughout: `seance host` with the real `ngrok` crate, which dials the double in
//! this process, and `seance join` by the https link it got. Costs about 30 s on two cores.

#![cfg(feature = "server")]

#[path = "reach/acme.rs"]
mod acme;
mod doubles;
#[path = "reach/router.rs"]
mod router;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use seance::tunnel::ngrok::{Ngrok, Options};
use seance::tunnel::token::Token;
use seance::tunnel::{self, State};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use doubles::ngrok::Ngrok as Double;
use support::{DEADLINE, Home, Program, host_words, join_words, live, opened};

/// What must be seen nowhere but in its own file.
const TOKEN: &str = "2canaryCanaryCanary_6canaryCanaryCanary";

/// An evening's folder, its double of ngrok, and the double's authority in a file.
struct Evening {
    home: Home,
    ngrok: Double,
    authority: PathBuf,
}

impl Evening {
    async fn new() -> Self {
        let (home, ngrok) = (Home::new(), Double::start(TOKEN).await);
        let authority = home.path().join("authority.pem");
        std::fs::write(&authority, &ngrok.authority).unwrap();
        Self {
            home,
            ngrok,
            authority,
        }
    }

    fn login(&self, token: &str) {
        let mut login = self.home.start("login", &["tunnel", "login"]);
        login.say(token);
        login.end_input();
        assert!(login.wait_end(), "{}", login.errors());
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.home.command(args);
        command
            .env("SEANCE_NGROK_SERVER", &self.ngrok.server)
            .env("SEANCE_NGROK_CA", &self.authority)
            .env("SSL_CERT_FILE", &self.authority)
            .env("SEANCE_LOG", "trace")
            .env_remove("NGROK_AUTHTOKEN");
        command
    }

    fn host(&self, more: &[&str]) -> Program {
        let mut args = host_words(&["--tunnel", "ngrok"]);
        args.extend(more);
        Program::start("Ana (host)", self.command(&args))
    }

    fn join(&self, name: &str, link: &str) -> Program {
        Program::start(name, self.command(&join_words(link, name)))
    }
}

/// Waits until ngrok's way stands so, from line `from` on.
fn way(host: &Program, from: usize, state: &str) -> Value {
    host.wait_from(from, &format!("that ngrok is {state}"), |line| {
        let way = line.get("way")?;
        (way["name"] == "ngrok" && way["state"] == state).then(|| way.clone())
    })
}

fn online(host: &Program, from: usize) -> String {
    way(host, from, "online")["links"][0]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Waits for the link of the way of this name.
fn first_link(host: &Program, name: &str) -> String {
    host.wait(&format!("the link of the {name}"), |line| {
        let way = line.get("way")?;
        (way["name"] == name).then(|| way["links"][0].as_str().map(str::to_owned))?
    })
}

/// What one says, the other reads.
fn heard(from: &mut Program, by: &Program, text: &str) {
    let mark = by.mark();
    from.say(&format!("say {text}"));
    by.wait_from(mark, text, |line| {
        (line["event"]["body"]["said"]["text"] == text).then_some(())
    });
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            files_below(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|some| some == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_comes_in_by_https_and_the_token_is_seen_nowhere() {
    let evening = Evening::new().await;
    evening.login(TOKEN);
    let mut host = evening.host(&[]);
    let link = online(&host, 0);
    assert!(
        link.starts_with(&format!(
            "https://localhost:{}/#",
            evening.ngrok.edge.port()
        )),
        "{link}"
    );
    let mut bo = evening.join("Bo", &link);
    live(&bo);
    heard(&mut bo, &host, "by https");
    heard(&mut host, &bo, "welcome");

    let seen = evening.ngrok.seen();
    assert!(seen.guests >= 1);
    assert_eq!(seen.auths[0]["Extra"]["AuthToken"], TOKEN);
    assert_eq!(
        seen.binds[0]["ForwardsTo"], "Séance",
        "nothing of this machine is told"
    );

    let arguments = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    for words in arguments {
        assert!(!holds(&words, TOKEN), "in the arguments of a program");
    }
    let export = evening.home.path().join("evening.seance");
    bo.say("quit");
    host.say("quit");
    assert!(host.wait_end() && bo.wait_end());
    let session = host.lines()[0]["session"].as_str().unwrap().to_owned();
    assert!(
        evening
            .home
            .run(&["export", &session, export.to_str().unwrap()])
            .ok()
    );
    let mut files = Vec::new();
    files_below(evening.home.path(), &mut files);
    let with: Vec<_> = files
        .iter()
        .filter(|file| holds(&std::fs::read(file).unwrap(), TOKEN))
        .collect();
    assert_eq!(with, [&evening.home.path().join("ngrok-token")]);
    for program in [&host, &bo] {
        // As much was logged as the program lets anybody ask for.
        assert!(!program.errors().is_empty());
        assert!(!holds(program.errors().as_bytes(), TOKEN), "in a log");
        let printed = program
            .lines()
            .iter()
            .map(Value::to_string)
            .collect::<String>();
        assert!(
            !printed.contains(TOKEN),
            "in what a program prints, which is every frame it got"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ngrok_refuses_is_said_with_its_reason_and_what_to_do() {
    let evening = Evening::new().await;
    let without = evening
        .command(&["host", "--tunnel", "ngrok"])
        .output()
        .unwrap();
    let says = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(
        !without.status.success() && says.contains("seance tunnel login"),
        "{says}"
    );

    let check = |token: &str, code: &str, todo: &str| {
        evening.login(token);
        let mut host = evening.host(&[]);
        let failed = way(&host, 0, "failed");
        let trouble = failed["trouble"].as_str().unwrap();
        assert_eq!(failed["code"], code, "{trouble}");
        assert!(trouble.starts_with("ngrok says: "), "{trouble}");
        assert!(
            trouble.contains(todo) && !trouble.contains(token),
            "{trouble}"
        );
        // The party goes on without it.
        live(&host);
        host.say("quit");
        assert!(host.wait_end());
    };
    check(
        "anotherTokenWithoutAnything",
        "ERR_NGROK_105",
        "get-started/your-authtoken",
    );
    check(
        "another_token_that_was_revoked",
        "ERR_NGROK_107",
        "get-started/your-authtoken",
    );
    evening.ngrok.rule(|rules| rules.sessions_max = 0);
    check(TOKEN, "ERR_NGROK_108", "https://dashboard.ngrok.com/agents");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_of_somebody_else_is_refused_and_ones_own_is_asked_for() {
    let evening = Evening::new().await;
    evening.login(TOKEN);
    evening
        .ngrok
        .rule(|rules| rules.hosts.push("film-night.ngrok.test".to_owned()));
    let other = evening.host(&["--ngrok-domain", "theirs.ngrok.test"]);
    let failed = way(&other, 0, "failed");
    assert_eq!(failed["code"], "ERR_NGROK_320");
    assert!(
        failed["trouble"]
            .as_str()
            .unwrap()
            .contains("https://dashboard.ngrok.com/domains")
    );
    drop(other);

    let host = evening.host(&["--ngrok-domain", "film-night.ngrok.test"]);
    assert!(online(&host, 0).starts_with("https://film-night.ngrok.test/#"));
    // The server answers to the name its tunnel gave it, and to no other.
    let ask = async |host: &str| {
        let trust = seance::net::tls::Trust::of([evening.ngrok.authority_der.clone()]);
        let connector = tokio_rustls::TlsConnector::from(trust.config());
        let stream = TcpStream::connect(evening.ngrok.edge).await.unwrap();
        let mut stream = connector
            .connect("film-night.ngrok.test".try_into().unwrap(), stream)
            .await
            .unwrap();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {host}\r\nOrigin: https://{host}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The other side may end without TLS's own goodbye.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(ask("film-night.ngrok.test").await, "HTTP/1.1 200 OK");
    assert_eq!(
        ask("theirs.ngrok.test").await,
        "HTTP/1.1 421 Misdirected Request"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_session_comes_back_at_its_address_and_guests_with_it() {
    let evening = Evening::new().await;
    evening.login(TOKEN);
    let mut host = evening.host(&[]);
    let link = online(&host, 0);
    let mut bo = evening.join("Bo", &link);
    live(&bo);
    let mark = host.mark();
    evening.ngrok.lose_sessions();
    let lost = way(&host, mark, "reconnecting");
    assert!(
        lost["trouble"]
            .as_str()
            .unwrap()
            .contains("tried again by itself"),
        "{lost}"
    );
    assert_eq!(online(&host, mark), link);
    heard(&mut bo, &host, "back by myself");
    let seen = evening.ngrok.seen();
    assert_eq!(
        seen.auths[1]["ClientId"], "client-1",
        "it came back as itself"
    );
    assert_eq!(seen.auths[1]["Extra"]["Cookie"], "a cookie");
    host.say("quit");
    assert!(host.wait_end());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_address_is_told_to_those_inside_and_the_session_goes_on() {
    let evening = Evening::new().await;
    evening.login(TOKEN);
    let mut host = evening.host(&[]);
    let first = online(&host, 0);
    // Lou is at home with the host; Bo comes by the tunnel.
    let (_, lan) = opened(&host);
    let lou = evening.join("Lou", &lan);
    let mut bo = evening.join("Bo", &first);
    live(&lou);
    live(&bo);
    let (host_mark, lou_mark) = (host.mark(), lou.mark());
    let port = evening.ngrok.edge.port();
    evening
        .ngrok
        .rule(|rules| rules.hosts = vec![format!("127.0.0.1:{port}")]);
    evening.ngrok.lose_sessions();
    let second = online(&host, host_mark);
    assert_eq!(
        second,
        first.replace("localhost", "127.0.0.1"),
        "the same session, elsewhere"
    );
    // The first address may be told late as well.
    let there = format!("https://127.0.0.1:{port}");
    lou.wait_from(lou_mark, "that the party moved there", |line| {
        (line["moved"]["to"] == there.as_str()).then_some(())
    });
    let mut mia = evening.join("Mia", &second);
    live(&mia);
    heard(&mut mia, &lou, "found it");
    heard(&mut bo, &host, "me too");
    host.say("quit");
    assert!(host.wait_end());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_dashboard_stops_stays_stopped_and_says_so() {
    let evening = Evening::new().await;
    evening.login(TOKEN);
    let mut host = evening.host(&[]);
    online(&host, 0);
    evening.ngrok.stop_from_dashboard().await;
    let failed = way(&host, 0, "failed");
    assert!(
        failed["trouble"]
            .as_str()
            .unwrap()
            .contains("stopped in ngrok's dashboard"),
        "{failed}"
    );
    host.say("quit");
    assert!(host.wait_end());

    let host = evening.host(&[]);
    online(&host, 0);
    evening.ngrok.stop_tunnels().await;
    let failed = way(&host, 0, "failed");
    assert_eq!(failed["code"], "ERR_NGROK_725");
    assert!(
        failed["trouble"]
            .as_str()
            .unwrap()
            .contains("bandwidth limit exceeded"),
        "{failed}"
    );
}

/// A tunnel in this process that notices quickly, to whatever listens at `local`.
fn quick(double: &Double, local: std::net::SocketAddr) -> tunnel::Opened {
    let options = Options {
        server: Some(double.server.clone()),
        authority: Some(double.authority.clone().into_bytes()),
        beat: Duration::from_millis(50),
        silence_max: Duration::from_millis(200),
        retry_min: Duration::from_millis(20),
        retry_max: Duration::from_millis(100),
        ..Options::default()
    };
    tunnel::open(
        Box::new(Ngrok::new(Token::read(TOKEN).unwrap(), options)),
        local,
    )
}

async fn until(opened: &tunnel::Opened, what: &str, is: impl Fn(&State) -> bool) -> State {
    let mut watch = opened.watch();
    let state = tokio::time::timeout(DEADLINE, watch.wait_for(|state| is(state)))
        .await
        .unwrap_or_else(|_| panic!("never {what}, but {:?}", opened.state()));
    state.unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_falls_silent_is_left_and_found_again() {
    let double = Double::start(TOKEN).await;
    let opened = quick(&double, "127.0.0.1:9".parse().unwrap());
    let first = until(&opened, "online", |state| !state.places().is_empty()).await;
    double.rule(|rules| rules.beats = false);
    let lost = until(&opened, "lost", |state| state.trouble().is_some()).await;
    assert!(
        matches!(lost, State::Reconnecting { ref places, .. } if places == first.places()),
        "{lost:?}"
    );
    double.rule(|rules| rules.beats = true);
    let again = until(&opened, "online again", |state| !state.places().is_empty()).await;
    assert_eq!(again, first);
    opened.close().await;
    tokio::time::timeout(DEADLINE, async {
        while double.sessions() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the service heard the goodbye");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_away_is_asked_again_until_it_is_back() {
    let double = Double::start(TOKEN).await;
    double.rule(|rules| rules.up = false);
    let opened = quick(&double, "127.0.0.1:9".parse().unwrap());
    let away = until(&opened, "waiting", |state| state.trouble().is_some()).await;
    assert!(
        matches!(away, State::Reconnecting { ref places, .. } if places.is_empty()),
        "{away:?}"
    );
    assert!(
        away.trouble().unwrap().todo.contains("by itself"),
        "{away:?}"
    );
    double.rule(|rules| rules.up = true);
    until(&opened, "online", |state| !state.places().is_empty()).await;
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_not_ngroks_is_not_believed() {
    let (double, other) = (Double::start(TOKEN).await, Double::start(TOKEN).await);
    let options = Options {
        server: Some(double.server.clone()),
        authority: Some(other.authority.clone().into_bytes()),
        ..Options::default()
    };
    let opened = tunnel::open(
        Box::new(Ngrok::new(Token::read(TOKEN).unwrap(), options)),
        "127.0.0.1:9".parse().unwrap(),
    );
    let state = until(&opened, "distrusting", |state| state.trouble().is_some()).await;
    assert!(
        state
            .trouble()
            .unwrap()
            .what
            .contains("opens encrypted connections"),
        "{state:?}"
    );
    assert!(double.seen().auths.is_empty(), "the token was not sent");
    opened.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_https_link_that_cannot_be_believed_says_why() {
    let evening = Evening::new().await;
    let behind = "/#00000000000000000000000001.00000000000000000000000001";
    let port = evening.ngrok.edge.port();
    let refused = |link: String, believe: bool| {
        let mut command = evening.command(&["join", "--player", "none", &link]);
        if !believe {
            let nobody = evening.home.path().join("nobody.pem");
            std::fs::write(&nobody, "").unwrap();
            command
                .env("SSL_CERT_FILE", nobody)
                .env("SSL_CERT_DIR", evening.home.path().join("tmp"));
        }
        command
            .env_remove("SEANCE_LOG")
            .stdin(std::process::Stdio::null());
        let output = command.output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let says = refused(format!("https://localhost:{port}{behind}"), false);
    assert!(
        says.contains("Nobody this computer trusts vouches for localhost"),
        "{says}"
    );
    let says = refused(format!("https://[::ffff:127.0.0.1]:{port}{behind}"), true);
    assert!(says.contains("for another name"), "{says}");
    // Nobody has a tunnel there.
    let says = refused(format!("https://localhost:{port}{behind}"), true);
    assert!(says.contains("No party is open at localhost"), "{says}");
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let says = refused(format!("https://{address}{behind}"), true);
    assert!(says.contains("with http instead of https"), "{says}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_at_its_own_address_serves_its_own_certificate() {
    let home = Home::new();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (home.path().join("chain.pem"), home.path().join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let place = format!("https://localhost:{port}");
    let bind = format!("127.0.0.1:{port}");
    let mut host = home.start(
        "Ana (host)",
        &host_words(&[
            "--public",
            &place,
            "--cert",
            chain.to_str().unwrap(),
            "--key",
            key.to_str().unwrap(),
            "--tls-bind",
            &bind,
        ]),
    );
    let link = first_link(&host, "own address");
    assert!(link.starts_with(&place), "{link}");
    let mut command = home.command(&join_words(&link, "Bo"));
    command.env("SSL_CERT_FILE", &chain);
    let mut bo = Program::start("Bo", command);
    live(&bo);
    heard(&mut bo, &host, "by the front door");
    host.say("quit");
    assert!(host.wait_end());
}

/// What the page's server at `at` answers to whoever calls it by `name`.
async fn asked(at: std::net::SocketAddr, name: &str) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Where a proxy's program is; `None` when it is not.
fn installed(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&folders).collect();
    folders.push("/usr/sbin".into());
    folders
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// Ends with its value.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Politely: its workers go with it.
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}

/// A certificate for a proxy, and the ports of it and of the party behind it.
struct Front {
    home: Home,
    front: u16,
    back: u16,
}

impl Front {
    fn new() -> Self {
        let home = Home::new();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(home.path().join("chain.pem"), made.cert.pem()).unwrap();
        std::fs::write(
            home.path().join("key.pem"),
            made.signing_key.serialize_pem(),
        )
        .unwrap();
        let free = || {
            std::net::TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port()
        };
        let (front, back) = (free(), free());
        Self { home, front, back }
    }

    /// What the documentation shows for this proxy, with this front's ports and names.
    fn shown(&self, language: &str) -> String {
        let shown = include_str!("../docs/hosting.md");
        let (_, shown) = shown
            .split_once(&format!("```{language}\n"))
            .expect("docs/hosting.md shows the proxy's part");
        let (shown, _) = shown.split_once("```").expect("it ends");
        shown.replace("127.0.0.1:7878", &format!("127.0.0.1:{}", self.back))
    }

    /// Hosts behind the proxy that `proxy` starts; a guest comes through it, and both hear
    /// each other.
    async fn evening(&self, mut proxy: Command) {
        let Self { home, front, back } = self;
        let place = format!("https://localhost:{front}");
        let bind = format!("127.0.0.1:{back}");
        let mut host = home.start(
            "Ana (host)",
            &host_words(&["--bind", &bind, "--public", &place]),
        );
        live(&host);
        let log = home.path().join("proxy.log");
        proxy.stderr(std::fs::File::create(&log).unwrap());
        let _proxy = Running(proxy.spawn().expect("the proxy starts"));
        let link = first_link(&host, "own address");
        tokio::time::timeout(DEADLINE, async {
            while TcpStream::connect(("127.0.0.1", *front)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .unwrap_or_else(|_| {
            panic!(
                "the proxy does not listen: {:?}",
                std::fs::read_to_string(&log)
            )
        });
        let mut command = home.command(&join_words(&link, "Bo"));
        command.env("SSL_CERT_FILE", home.path().join("chain.pem"));
        let mut bo = Program::start("Bo", command);
        live(&bo);
        heard(&mut bo, &host, "through the proxy");
        heard(&mut host, &bo, "and back");
        host.say("quit");
        assert!(host.wait_end());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_behind_nginx_as_the_documentation_sets_it_up() {
    let Some(nginx) = installed("nginx") else {
        return eprintln!("skipped: no nginx");
    };
    let front = Front::new();
    let path = front.home.path().display();
    // What the documentation shows, between what only a test needs.
    let shown = front
        .shown("nginx")
        .replace(
            "listen 443 ssl",
            &format!("listen 127.0.0.1:{} ssl", front.front),
        )
        .replace("party.example.org", "localhost")
        .replace("/etc/ssl/party/", &format!("{path}/"));
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|part| format!("{part}_temp_path {path}/{part};\n"))
        .concat();
    let config = format!(
        "daemon off;\npid {path}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{shown}}}\n"
    );
    let file = front.home.path().join("nginx.conf");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(nginx);
    command
        .arg("-c")
        .arg(&file)
        .args(["-e", "stderr", "-p"])
        .arg(front.home.path());
    front.evening(command).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_behind_caddy_as_the_documentation_sets_it_up() {
    let Some(caddy) = installed("caddy") else {
        return eprintln!("skipped: no caddy");
    };
    let front = Front::new();
    let path = front.home.path().display();
    // Another port and a certificate that is there: the authority is not asked from a test.
    let shown = front.shown("caddy").replace(
        "party.example.org {",
        &format!(
            "https://localhost:{} {{\n    bind 127.0.0.1\n    tls {path}/chain.pem {path}/key.pem",
            front.front
        ),
    );
    let config = format!("{{\n    admin off\n    auto_https disable_redirects\n}}\n{shown}");
    let file = front.home.path().join("Caddyfile");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(caddy);
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(&file)
        .env("HOME", front.home.path())
        .env("XDG_DATA_HOME", front.home.path())
        .env("XDG_CONFIG_HOME", front.home.path());
    front.evening(command).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_shows_the_token_to_ngrok_and_says_what_it_answers() {
    let evening = Evening::new().await;
    let tunnel = |evening: &Evening| {
        let output = evening
            .command(&["doctor", "--json"])
            .env("SEANCE_CHROME", "/nowhere/chrome")
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!printed.contains(TOKEN));
        let lines: Vec<Value> = printed
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let find = |check: &str| lines.iter().find(|line| line["check"] == check).cloned();
        (find("token").unwrap(), find("tunnel"))
    };
    let (token, none) = tunnel(&evening);
    assert!(
        none.is_none()
            && token["says"]
                .as_str()
                .unwrap()
                .contains("seance tunnel login"),
        "{token}"
    );
    assert!(
        evening.ngrok.seen().auths.is_empty(),
        "ngrok was left alone"
    );
    evening.login(TOKEN);
    let (token, found) = tunnel(&evening);
    assert_eq!(
        (&token["fine"], &found.unwrap()["fine"]),
        (&Value::Bool(true), &Value::Bool(true))
    );
    evening.login("another_token_that_was_revoked");
    let refused = tunnel(&evening).1.unwrap();
    assert_eq!(refused["fine"], false);
    assert!(
        refused["says"].as_str().unwrap().contains("ERR_NGROK_107"),
        "{refused}"
    );
}
