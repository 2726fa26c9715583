//! `seance tunnel`, and the options of `seance host` that open ways from elsewhere.

use std::io::{IsTerminal as _, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::cli::Output;
use crate::cli::reach::Reach;
use crate::log::store::Home;
use crate::net::link::Place;
use crate::projection::terminal::Style;
use crate::tunnel::Tunnel;
use crate::tunnel::acme::{self, Keeper};
use crate::tunnel::mapping::{Mapping, Router};
use crate::tunnel::ngrok::{self, Ngrok, Region};
use crate::tunnel::public::{Certificate, Certified, Front, Public};
use crate::tunnel::token::{Source, Token, TokenStore, VARIABLE};

/// Another server than ngrok's own, `host:port`: for accounts with a custom agent ingress, and for tests.
pub const SERVER_VARIABLE: &str = "SEANCE_NGROK_SERVER";
/// A PEM file of the authority that server is believed by.
pub const AUTHORITY_VARIABLE: &str = "SEANCE_NGROK_CA";

/// Another authority for certificates than Let's Encrypt: the address of its ACME directory.
pub const DIRECTORY_VARIABLE: &str = "SEANCE_ACME_DIRECTORY";
/// A PEM file of the authority that directory is believed by.
pub const DIRECTORY_AUTHORITY_VARIABLE: &str = "SEANCE_ACME_CA";

/// Where UPnP looks for the router, `address:port`, in place of asking the whole network: for networks
/// that carry no multicast, and for tests.
pub const ROUTER_VARIABLE: &str = "SEANCE_ROUTER";

/// The most that is read for a token: any is far shorter.
const TYPED_BYTES_MAX: u64 = 4_096;

/// A service that gives a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Service {
    /// ngrok: an https address that works from behind any router.
    Ngrok,
}

/// Ways from elsewhere, as given on the command line.
#[derive(Clone, Debug, Default, Args)]
pub struct WayArgs {
    /// Open the party to the internet through this service; `seance tunnel login` comes first.
    #[arg(long, value_enum, value_name = "SERVICE")]
    tunnel: Option<Service>,
    /// An address of your own at ngrok, such as film-night.ngrok.app.
    #[arg(long, value_name = "DOMAIN", requires = "tunnel")]
    ngrok_domain: Option<String>,
    /// Where ngrok is entered [default: nearest].
    #[arg(long, value_enum, value_name = "REGION", requires = "tunnel")]
    ngrok_region: Option<Region>,
    /// Ask your router to open a port to the party, by UPnP, PCP or NAT-PMP; it is closed at the end.
    #[arg(long)]
    open_port: bool,
    /// An address of your own that leads here, such as `https://party.example.org`.
    #[arg(long, value_name = "URL")]
    public: Option<Place>,
    /// The certificate of that address, in PEM; without one, your own reverse proxy has it.
    #[arg(long, value_name = "FILE", group = "certificate", requires_all = ["public", "key"])]
    cert: Option<PathBuf>,
    /// The certificate's key, in PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Get that address's certificate by itself, from Let's Encrypt; its port 443 must lead here.
    #[arg(long, group = "certificate", requires = "public")]
    auto_cert: bool,
    /// You agree to the terms of who gives the certificate; needed the first time.
    #[arg(long, requires = "auto_cert")]
    agree_to_terms: bool,
    /// Where they may write to you about it [default: nowhere].
    #[arg(long, value_name = "MAIL", requires = "auto_cert")]
    cert_contact: Option<String>,
    /// Where to listen for that address [default: all networks, the address's port].
    #[arg(long, value_name = "ADDR:PORT", requires = "certificate")]
    tls_bind: Option<SocketAddr>,
}

impl WayArgs {
    /// The tunnels asked for.
    ///
    /// # Errors
    /// What is missing, as a sentence that says what to do.
    pub(super) fn tunnels(&self, home: &Home) -> Result<Vec<Box<dyn Tunnel>>> {
        let mut all: Vec<Box<dyn Tunnel>> = Vec::new();
        if self.tunnel.is_some() {
            let options = NgrokChoice {
                domain: self.ngrok_domain.clone(),
                region: self.ngrok_region,
            };
            all.push(Box::new(ngrok_of(home.root(), options)?));
        }
        if self.open_port {
            all.push(Box::new(Mapping::new(router()?)));
        }
        if let Some(place) = &self.public {
            all.push(Box::new(Public::new(
                place.clone(),
                self.front(home.root(), place)?,
            )));
        }
        Ok(all)
    }

    /// Who speaks TLS at an address of one's own.
    fn front(&self, root: &Path, place: &Place) -> Result<Front> {
        let certificate = match (&self.cert, &self.key) {
            (Some(_), _) if !place.is_secure() => {
                bail!("With a certificate the address begins with https.")
            }
            (Some(chain), Some(key)) => Certificate::Files(Certified {
                chain: chain.clone(),
                key: key.clone(),
            }),
            _ if self.auto_cert => {
                let options = acme::Options {
                    directory: filled(DIRECTORY_VARIABLE)
                        .unwrap_or_else(|| acme::LETS_ENCRYPT.to_owned()),
                    authority: pem_of(DIRECTORY_AUTHORITY_VARIABLE)?,
                    contact: self.cert_contact.clone(),
                    agreed: self.agree_to_terms,
                    ..acme::Options::default()
                };
                let keeper = Keeper::new(root, place, options);
                Certificate::Authority(keeper.map_err(|trouble| anyhow!("{trouble}"))?)
            }
            _ => return Ok(Front::Proxy),
        };
        Ok(Front::Ours {
            bind: self.tls_bind.unwrap_or_else(|| usual_bind(place)),
            certificate,
        })
    }
}

/// What a person chooses about ngrok.
#[derive(Clone, Debug, Default)]
pub(super) struct NgrokChoice {
    pub(super) domain: Option<String>,
    pub(super) region: Option<Region>,
}

/// ngrok's tunnel with the token that is kept, or a sentence that says how to enter one.
pub(super) fn ngrok_of(root: &Path, choice: NgrokChoice) -> Result<Ngrok> {
    let Some((token, _)) = TokenStore::new(root).load()? else {
        bail!(
            "ngrok needs to know whose tunnel it is. Copy the token from https://dashboard.ngrok.com/get-started/your-authtoken and enter it by `seance tunnel login`, or in the window."
        );
    };
    let options = ngrok::Options {
        domain: choice.domain,
        region: choice.region,
        server: filled(SERVER_VARIABLE),
        authority: pem_of(AUTHORITY_VARIABLE)?,
        ..ngrok::Options::default()
    };
    Ok(Ngrok::new(token, options))
}

/// This network's router, or the one the environment names.
pub(super) fn router() -> Result<Router> {
    let Some(named) = filled(ROUTER_VARIABLE) else {
        return Ok(Router::here());
    };
    let search = named.parse().with_context(|| {
        format!("{ROUTER_VARIABLE} is not an address and a port, such as 192.168.1.1:1900")
    })?;
    Ok(Router::at(search))
}

/// What the file that a variable names holds.
fn pem_of(variable: &str) -> Result<Option<Vec<u8>>> {
    filled(variable)
        .map(|file| std::fs::read(&file).with_context(|| format!("{file} cannot be read")))
        .transpose()
}

/// A variable that holds something.
fn filled(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn usual_bind(place: &Place) -> SocketAddr {
    let port = place.authority().rsplit_once(':');
    let port = port.and_then(|(_, port)| port.parse().ok()).unwrap_or(443);
    SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)
}

/// What `seance tunnel` does.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum TunnelCommand {
    /// Keep ngrok's token for this user: typed (nothing is shown) or piped in, never an argument.
    #[command(
        after_help = "Examples:\n  seance tunnel login\n  pass show ngrok | seance tunnel login"
    )]
    Login(Output),
    /// Forget the token.
    #[command(after_help = "Example:\n  seance tunnel logout")]
    Logout(Output),
    /// Say whether a token is kept, and where.
    #[command(after_help = "Example:\n  seance tunnel status --json")]
    Status(Output),
}

/// Does it.
pub(super) fn run(command: TunnelCommand) -> Result<()> {
    let home = Home::open()?;
    let store = TokenStore::new(home.root());
    match command {
        TunnelCommand::Login(output) => {
            let token = Token::read(&typed()?)?;
            store.save(&token)?;
            said(
                output.style(),
                json!({ "token": "kept", "file": store.path() }),
                &format!(
                    "The token is kept in {}, for you alone. `seance host --tunnel ngrok` uses it.",
                    store.path().display()
                ),
            );
            if std::env::var_os(VARIABLE).is_some() && output.style() == Style::Words {
                println!("{VARIABLE} is set too, and goes first.");
            }
        }
        TunnelCommand::Logout(output) => {
            let words = if store.forget()? {
                "The token is forgotten here. To end it everywhere, revoke it at https://dashboard.ngrok.com/authtokens."
            } else {
                "There was none."
            };
            said(output.style(), json!({ "token": "forgotten" }), words);
        }
        TunnelCommand::Status(output) => {
            let (word, words) = match store.load()? {
                Some((_, Source::Environment)) => {
                    ("environment", format!("{VARIABLE} holds a token."))
                }
                Some((_, Source::File)) => (
                    "file",
                    format!("A token is kept in {}.", store.path().display()),
                ),
                None => (
                    "none",
                    "No token is kept. `seance tunnel login` keeps one.".to_owned(),
                ),
            };
            said(output.style(), json!({ "token": word }), &words);
        }
    }
    Ok(())
}

fn said(style: Style, object: serde_json::Value, words: &str) {
    match style {
        Style::Json => println!("{object}"),
        Style::Words => println!("{words}"),
    }
}

/// What was typed without being shown, or piped in.
fn typed() -> Result<String> {
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password(
            "Token from https://dashboard.ngrok.com/get-started/your-authtoken (nothing is shown): ",
        )
        .context("the terminal gave no line");
    }
    let mut text = String::new();
    std::io::stdin()
        .take(TYPED_BYTES_MAX)
        .read_to_string(&mut text)
        .context("standard input is no text")?;
    Ok(text)
}

/// Opens what was asked for.
pub(super) async fn open_all(reach: &mut Reach, tunnels: Vec<Box<dyn Tunnel>>) {
    for tunnel in tunnels {
        reach.add(tunnel).await;
    }
}
