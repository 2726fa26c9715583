//! A party over a network that loses packets, is narrow, and goes away: network namespaces.
//!
//! Host and guests are real processes on two ends of a virtual cable. The kernel
//! loses and delays packets where it has `netem`; where it has only a token
//! bucket, the cable is narrow and its short queue drops what does not fit,
//! which is how most packets are lost anyway. In between the cable is unplugged,
//! so that no end learns of it but by silence.

#![cfg(all(feature = "server", target_os = "linux"))]

mod support;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::{Home, Program, host_words, join_words, opened, pause};

/// Lines each guest says; a few of them while the cable is unplugged.
const LINES: usize = 30;

/// Two namespaces and the cable between them, gone with it.
struct Net {
    host: String,
    guests: String,
    /// How the cable loses packets.
    how: &'static str,
}

fn tool(words: &str) -> Result<(), String> {
    let mut split = words.split(' ');
    let output = Command::new(split.next().expect("a program"))
        .args(split)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{words}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{words}: {}", said.trim().replace('\n', " ")))
}

impl Net {
    fn new() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("network namespaces need root".into());
        }
        let id = std::process::id();
        let mut net = Self {
            host: format!("seance-{id}-h"),
            guests: format!("seance-{id}-g"),
            how: "",
        };
        let (host, guests) = (net.host.clone(), net.guests.clone());
        tool(&format!("ip netns add {host}"))?;
        tool(&format!("ip netns add {guests}"))?;
        tool(&format!(
            "ip -n {host} link add v0 type veth peer name v0 netns {guests}"
        ))?;
        for (space, last) in [(&host, 1), (&guests, 2)] {
            tool(&format!("ip -n {space} addr add 10.77.0.{last}/24 dev v0"))?;
            tool(&format!("ip -n {space} link set lo up"))?;
            tool(&format!("ip -n {space} link set v0 up"))?;
            // Offloads would hand 64 KiB through the bucket as one packet, and none would fit.
            let netem = format!(
                "tc -n {space} qdisc add dev v0 root netem loss 3% delay 40ms 20ms rate 512kbit"
            );
            let bucket = format!(
                "tc -n {space} qdisc add dev v0 root tbf rate 512kbit burst 3kb limit 6kb mtu 70000"
            );
            net.how = if tool(&netem).is_ok() {
                "3 % of packets lost, 40 ms late, 512 kbit/s"
            } else {
                tool(&bucket)?;
                "512 kbit/s with a queue of four packets (no netem in this kernel)"
            };
        }
        Ok(net)
    }

    /// A command of the program in one of the namespaces.
    fn start(&self, space: &str, who: &str, home: &Home, args: &[&str]) -> Program {
        let inner = home.command(args);
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", space])
            .arg(inner.get_program())
            .args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Program::start(who, command)
    }

    fn plug(&self, up: bool) {
        let state = if up { "up" } else { "down" };
        tool(&format!("ip -n {} link set v0 {state}", self.guests)).expect("it could before");
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for space in [&self.host, &self.guests] {
            let _ = tool(&format!("ip netns del {space}"));
        }
    }
}

fn lines_of(program: &Program) -> Vec<String> {
    let said = |event: &Value| event["body"]["said"]["text"].as_str().map(str::to_owned);
    program.events().iter().filter_map(said).collect()
}

#[test]
fn a_party_over_a_bad_network_loses_nothing_and_doubles_nothing() {
    let net = match Net::new() {
        Ok(net) => net,
        Err(reason) => {
            println!("skipped: no network of our own: {reason}");
            return;
        }
    };
    let (home, away) = (Home::new(), Home::new());
    let bind = "10.77.0.1:7878";
    let mut host = net.start(
        &net.host,
        "the host",
        &home,
        &host_words(&["--title", "Far", "--bind", bind]),
    );
    let (_, link) = opened(&host);
    let mut guests: Vec<Program> = ["Bo", "Cy"]
        .iter()
        .map(|name| {
            let guest = net.start(&net.guests, name, &away, &join_words(&link, name));
            guest.wait_event(0, "joined");
            guest
        })
        .collect();
    for line in 0..LINES {
        for (number, guest) in guests.iter_mut().enumerate() {
            guest.say(&format!("say line {line} of guest {number}"));
        }
        match line {
            10 => net.plug(false),
            // Long enough for TCP to have begun waiting longer each time.
            16 => {
                pause(Duration::from_secs(3));
                net.plug(true);
            }
            _ => pause(Duration::from_millis(30)),
        }
    }
    let wanted: BTreeSet<String> = (0..LINES)
        .flat_map(|line| (0..2).map(move |number| format!("line {line} of guest {number}")))
        .collect();
    let everybody = guests.iter().chain([&host]);
    for member in everybody {
        for line in &wanted {
            member.wait(line, |shown| {
                (shown["event"]["body"]["said"]["text"] == line.as_str()).then_some(())
            });
        }
        let shown = lines_of(member);
        assert_eq!(shown.len(), wanted.len(), "a line came twice: {shown:?}");
    }
    let of = |program: &Program| {
        program
            .events()
            .into_iter()
            .map(|event| event.to_string())
            .collect::<Vec<_>>()
    };
    let truth = of(&host);
    for guest in &guests {
        let shown = of(guest);
        let common = shown.len().min(truth.len());
        assert_eq!(shown[..common], truth[..common]);
    }
    host.kill();
    let verified = home.run(&["verify", "Far"]);
    assert!(verified.ok(), "{}", verified.stderr());
    println!(
        "proved: a party of 3 over a bad network ({}), unplugged for 3 s: {} lines, each once, for everybody",
        net.how,
        wanted.len()
    );
}
