//! `seance host` and `seance join`: an evening in a terminal.

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::sync::{mpsc, watch};

use crate::cli::hosting::{self, HostOptions, Hosting};
use crate::cli::party::{Happening, Party};
use crate::cli::reach::Way;
use crate::cli::ticket::Ticket;
use crate::cli::tunnel;
use crate::cli::{HostArgs, JoinArgs};
use crate::engine::event::{Client, Via};
use crate::engine::id::{MemberId, Seq};
use crate::engine::intent::{Intent, Refusal};
use crate::engine::text::{Name, Passcode, for_terminal};
use crate::log::store::Home;
use crate::net::client::{self, News};
use crate::net::link::JoinLink;
use crate::os;
use crate::projection::terminal::words::{self, Command};
use crate::projection::terminal::{self, Style};
use crate::tunnel::State;

/// The folder, in the home, of Chrome's own profile for Séance: logins there last.
pub(super) const CHROME_PROFILE: &str = "chrome";

/// How long nobody came before it is said what may be in their way: the time in which friends who
/// got the link try it.
pub(super) const ALONE_FOR: Duration = Duration::from_secs(180);

/// Typed lines that may wait: more than anybody pastes.
const LINES_MAX: usize = 256;

/// Hosts a party until told to stop.
pub(super) async fn host(args: HostArgs) -> Result<()> {
    let home = Home::open()?;
    let style = args.output.style();
    let name = args.name.clone().unwrap_or_else(default_name);
    // A party whose host cannot come in is none: said before anything is opened.
    Name::new(&name)?;
    let choice = args.player.choice(home.root().join(CHROME_PROFILE));
    // What is missing for a tunnel is said before anything is opened.
    let tunnels = args.ways.tunnels(&home)?;
    let mut hosting = hosting::start(
        &home,
        HostOptions {
            title: args.title.clone(),
            bind: args.bind,
            session: args.session.clone(),
            local_only: false,
        },
    )
    .await?;
    greet(&mut hosting, style);
    if !args.unlisted {
        hosting.announce(&name);
    }
    tunnel::open_all(hosting.reach(), tunnels).await;
    let member = client::join(hosting.own_link(), name, Client::Terminal, None);
    let mut party =
        Party::new(member, choice, Some(hosting.link().to_string())).reached_by(&hosting.link());
    if let Some(url) = args.media {
        party.ask(Via::Cli, Intent::Load { url }).await;
    }
    let ending = attend(party, style, &mut read_lines(), None, Some(&mut hosting)).await;
    hosting.stop().await;
    match ending {
        // The key opens without a passcode.
        Ending::Wish | Ending::Passcode => Ok(()),
        Ending::Over(reason) => Err(anyhow::anyhow!(reason)),
    }
}

/// Joins a party until told to leave or until it is over.
pub(super) async fn join(args: JoinArgs) -> Result<()> {
    let style = args.output.style();
    let mut lines = read_lines();
    let typed = match args.link.as_str() {
        // A link on the command line can be read by everybody on this machine while the program runs.
        "-" => lines.recv().await.unwrap_or_default(),
        link => link.to_owned(),
    };
    let link: JoinLink = typed.parse()?;
    let home = Home::open()?;
    let name = args.name.clone().unwrap_or_else(default_name);
    let ticket = Ticket::new(home.root(), link.session, &name);
    let mut passcode = std::env::var(PASSCODE_VARIABLE).ok();
    loop {
        let known = passcode
            .take()
            .map(|typed| Passcode::new(&typed))
            .transpose()
            .map_err(anyhow::Error::msg)?;
        let choice = args.player.choice(home.root().join(CHROME_PROFILE));
        let (name, resume) = (name.clone(), ticket.load());
        let member = client::join_knowing(&link, name, Client::Terminal, resume, known);
        let party = Party::new(member, choice, None).reached_by(&link);
        match attend(party, style, &mut lines, Some(&ticket), None).await {
            Ending::Wish => return Ok(()),
            // Not our own wish: the reason goes where errors go, the exit code says so.
            Ending::Over(reason) => return Err(anyhow::anyhow!(reason)),
            Ending::Passcode => {
                if style == Style::Words {
                    println!("The passcode:");
                }
                passcode = lines.recv().await.map(|line| line.trim().to_owned());
            }
        }
    }
}

/// Holds the passcode for a script that joins; people are asked.
const PASSCODE_VARIABLE: &str = "SEANCE_PASSCODE";

/// How an evening ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ending {
    /// The member left.
    Wish,
    /// For a reason of the room's.
    Over(String),
    /// The room asks for a passcode, or for another.
    Passcode,
}

/// What those are called who give no name.
fn default_name() -> String {
    account_name().unwrap_or_else(|| "Somebody".to_owned())
}

/// The name of whoever is logged in, where the system tells.
pub(super) fn account_name() -> Option<String> {
    ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|variable| std::env::var(variable).ok())
        .filter(|name| !name.trim().is_empty())
}

fn greet(hosting: &mut Hosting, style: Style) {
    let link = hosting.link().to_string();
    let others = other_links(hosting);
    match style {
        Style::Json => {
            println!(
                "{}",
                json!({ "session": hosting.session(), "link": link, "page": hosting.page(), "others": others })
            );
        }
        Style::Words => {
            println!(
                "“{}” is open. Share this link; it opens in any browser, or with `seance join`:\n",
                for_terminal(hosting.title())
            );
            println!("  {link}\n");
            show_code(&link);
            if !others.is_empty() {
                println!("This computer is in more than one network; if that one does not work:\n");
                for other in others {
                    println!("  {other}");
                }
                println!();
            }
            println!(
                "Type play, pause, seek 1:23, load URL, say Hello … or help. quit ends the party."
            );
        }
    }
}

/// The links by this machine's other addresses, for guests in another of its networks.
fn other_links(hosting: &mut Hosting) -> Vec<String> {
    let reach = hosting.reach();
    let ways = reach.ways();
    let ways = ways.borrow();
    let network = ways.first().map_or(&[][..], |way| way.state.places());
    network
        .iter()
        .skip(1)
        .map(|place| reach.link_at(place).to_string())
        .collect()
}

/// The link as a picture a phone can read, where there is a terminal to show it.
fn show_code(link: &str) {
    if std::io::stdout().is_terminal()
        && let Ok(code) = qrcode::QrCode::new(link.as_bytes())
    {
        println!(
            "{}\n",
            code.render::<qrcode::render::unicode::Dense1x2>()
                .quiet_zone(true)
                .build()
        );
    }
}

/// How a host's ways changed, line by line.
fn tell_ways(hosting: &mut Hosting, told: &mut Vec<Way>, style: Style) {
    let reach = hosting.reach();
    let now = reach.ways().borrow().clone();
    for way in now.iter().filter(|way| !told.contains(way)) {
        let links: Vec<_> = way
            .state
            .places()
            .iter()
            .map(|place| reach.link_at(place).to_string())
            .collect();
        match style {
            Style::Json => println!(
                "{}",
                json!({ "way": {
                    "name": way.name,
                    "state": way.state.word(),
                    "links": links,
                    "code": way.state.trouble().and_then(|trouble| trouble.code.clone()),
                    "trouble": way.state.trouble().map(ToString::to_string),
                } })
            ),
            Style::Words => match (&way.state, links.first()) {
                (State::Online(_), Some(link)) => {
                    println!("By {} the party is at:\n\n  {link}\n", way.name);
                    show_code(link);
                }
                (state, _) => match state.trouble() {
                    Some(trouble) => {
                        println!("! {}: {}", way.name, for_terminal(&trouble.to_string()))
                    }
                    None => println!("{}: {} …", way.name, state.word()),
                },
            },
        }
    }
    *told = now;
}

/// Waits until a host's ways changed; for ever for those who are no host.
async fn changed(ways: &mut Option<watch::Receiver<Vec<Way>>>) {
    if let Some(ways) = ways
        && ways.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// Takes part until the end.
async fn attend(
    mut party: Party,
    style: Style,
    lines: &mut mpsc::Receiver<String>,
    ticket: Option<&Ticket>,
    mut hosting: Option<&mut Hosting>,
) -> Ending {
    let mut stop = std::pin::pin!(told_to_stop());
    let mut ending = Ending::Wish;
    let mut ways = hosting.as_mut().map(|hosting| hosting.reach().ways());
    // What the greeting showed already.
    let mut told = ways
        .as_mut()
        .map(|ways| ways.borrow_and_update()[..1].to_vec())
        .unwrap_or_default();
    if let Some(ways) = &mut ways {
        ways.mark_changed();
    }
    let mut alone = std::pin::pin!(tokio::time::sleep(ALONE_FOR));
    loop {
        tokio::select! {
            () = changed(&mut ways) => if let Some(hosting) = &mut hosting {
                tell_ways(hosting, &mut told, style);
                party.share(&hosting.link().to_string());
            },
            () = &mut alone, if !alone.is_elapsed() => if let Some(hosting) = &mut hosting {
                let people = party.view().state.roster.iter().count();
                if let (Some(hint), Style::Words) = (hosting.reach().hint(people), style) {
                    println!("! {hint}");
                }
            },
            happening = party.next() => match happening {
                None => break,
                Some(Happening::Clock) => {}
                Some(Happening::Player(sentence)) => match style {
                    Style::Json => println!("{}", json!({ "player": sentence })),
                    Style::Words => println!("! {}", for_terminal(&sentence)),
                },
                Some(Happening::News(news, entry)) => {
                    if let (News::Welcomed(welcome), Some(ticket)) = (&news, ticket) {
                        ticket.save(welcome);
                    }
                    if let Some(hosting) = &mut hosting {
                        hosting.remember(&party.view().state);
                    }
                    let line = match style {
                        Style::Json => terminal::news_json(&news),
                        Style::Words => entry.as_ref().map(terminal::entry).or_else(|| terminal::news_words(&news)),
                    };
                    if let Some(line) = line {
                        println!("{line}");
                    }
                    match news {
                        News::Secret { invite, .. } => print_link(&party, style, invite),
                        News::Refused(refused)
                            if matches!(refused.refusal, Refusal::PasscodeNeeded | Refusal::PasscodeWrong) =>
                        {
                            ending = Ending::Passcode;
                            break;
                        }
                        News::Over(reason) => {
                            ending = Ending::Over(reason);
                            break;
                        }
                        _ => {}
                    }
                }
            },
            Some(line) = lines.recv() => {
                if line.trim().is_empty() {
                    continue;
                }
                if obey(&mut party, style, &line).await == Next::Leave {
                    break;
                }
            }
            () = &mut stop => break,
        }
    }
    party.leave().await;
    ending
}

fn print_link(party: &Party, style: Style, invite: Seq) {
    let view = party.view();
    if let Some(link) = view.links.get(&invite) {
        match style {
            Style::Json => println!("{}", terminal::link_json(invite, link)),
            Style::Words => println!("{}", terminal::link_words(&view.state, invite, link)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Stay,
    Leave,
}

async fn obey(party: &mut Party, style: Style, line: &str) -> Next {
    let position = party.view().position(os::local_now());
    let is_json = style == Style::Json && line.trim_start().starts_with('{');
    let (parsed, via) = if is_json {
        (words::parse_json(line), Via::Script)
    } else {
        (words::parse(line, position, &party.view().state), Via::Cli)
    };
    match parsed {
        Ok(Command::Ask(intent)) => party.ask(via, intent).await,
        Ok(Command::State) => match style {
            Style::Json => println!("{}", terminal::state_json(&party.view().state)),
            Style::Words => println!("{}", terminal::state_words(&party.view().state)),
        },
        Ok(Command::Who) => who(party, style),
        Ok(Command::Invites) => match style {
            Style::Json => println!(
                "{}",
                terminal::object("entrance", &party.view().state.entrance)
            ),
            Style::Words => println!("{}", terminal::invites_words(&party.view().state)),
        },
        Ok(Command::Player) => party.open_player(),
        Ok(Command::Help) => println!("{}", words::HELP),
        Ok(Command::Quit) => return Next::Leave,
        Err(sentence) => match style {
            Style::Json => println!(
                "{}",
                json!({ "refused": { "counter": null, "refusal": { "not_understood": { "reason": sentence } }, "sentence": sentence } })
            ),
            Style::Words => println!("! {}", for_terminal(&sentence)),
        },
    }
    Next::Stay
}

fn who(party: &Party, style: Style) {
    let view = party.view();
    let report = |id: MemberId| view.presence.get(&id).copied();
    for (id, member) in view.state.roster.present() {
        match style {
            Style::Json => println!(
                "{}",
                json!({ "who": { "member": id, "name": member.name, "role": member.role, "report": report(id), "unable": view.state.unable.get(id) } })
            ),
            Style::Words => {
                let doing = match (view.state.unable.get(id), report(id)) {
                    (Some(trouble), _) => {
                        format!("cannot see the film: {}", for_terminal(trouble.reason()))
                    }
                    (None, Some(report)) => terminal::report_words(&report),
                    (None, None) => String::new(),
                };
                let me = if view.me == Some(id) { " (you)" } else { "" };
                println!("  {}{me}  {doing}", for_terminal(member.name.as_str()));
            }
        }
    }
}

/// Standard input, line by line, from a thread of its own: reading it blocks, and its end ends nothing.
pub(super) fn read_lines() -> mpsc::Receiver<String> {
    let (out, lines) = mpsc::channel(LINES_MAX);
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            for line in std::io::stdin().lines() {
                let Ok(line) = line else { break };
                if out.blocking_send(line).is_err() {
                    return;
                }
            }
            // The sender goes with this thread only when nobody receives any more: the end of input
            // must not look like the end of the party.
            std::thread::park();
        })
        .expect("the system starts a thread");
    lines
}

/// Completes when the system asks the program to end.
pub(super) async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut term), Ok(mut hangup)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::hangup()),
        ) else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = term.recv() => {}
            _ = hangup.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
