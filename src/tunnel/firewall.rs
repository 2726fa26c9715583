//! What stands between a party and its network, and how to open it.

use std::path::Path;

/// The firewalls people have, by their own program, and what lets a port in.
const KNOWN: &[(&str, &str)] = &[
    ("ufw", "sudo ufw allow {port}/tcp"),
    ("firewall-cmd", "sudo firewall-cmd --add-port={port}/tcp"),
    (
        "nft",
        "sudo nft add rule inet filter input tcp dport {port} accept",
    ),
];

/// What to do so that `port` is let in: a command of the firewall that is installed here, or words.
pub fn advice(port: u16) -> String {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    // A firewall's program lies where a user's PATH does not always lead.
    let folders: Vec<_> = std::env::split_paths(&folders)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .collect();
    advice_in(port, |program| {
        folders
            .iter()
            .any(|folder| folder.join(Path::new(program)).is_file())
    })
}

fn advice_in(port: u16, installed: impl Fn(&str) -> bool) -> String {
    let known = KNOWN.iter().find(|(program, _)| installed(program));
    match known {
        Some((_, command)) => format!(
            "let TCP port {port} in: {}",
            command.replace("{port}", &port.to_string())
        ),
        None if cfg!(target_os = "macos") => {
            "allow Séance under System Settings, Network, Firewall".to_owned()
        }
        None if cfg!(target_os = "windows") => {
            "allow Séance in Windows Security, Firewall, Allow an app".to_owned()
        }
        None => format!("let TCP port {port} in, if this computer has a firewall"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_firewall_that_is_here_is_opened_by_its_own_command() {
        assert_eq!(
            advice_in(7878, |program| program == "ufw"),
            "let TCP port 7878 in: sudo ufw allow 7878/tcp"
        );
        assert_eq!(
            advice_in(80, |program| program != "ufw"),
            "let TCP port 80 in: sudo firewall-cmd --add-port=80/tcp"
        );
    }
}
