//! `seance doctor`: what works on this machine, and what to do where it does not.

use anyhow::Result;
use serde_json::json;

use crate::cli::hosting::PORT;
use crate::engine::text::for_terminal;
use crate::log::store::Home;
use crate::projection::terminal::Style;
use crate::tunnel::addresses;

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    fine: bool,
    says: String,
}

/// Whether there is a screen to open windows on.
pub fn has_display() -> bool {
    if cfg!(any(target_os = "macos", target_os = "windows")) {
        return true;
    }
    ["WAYLAND_DISPLAY", "DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Looks at everything a party needs.
pub(super) async fn run(style: Style) -> Result<()> {
    let findings = [data_folder(), display(), chrome(), network(), port().await];
    for finding in &findings {
        match style {
            Style::Json => println!(
                "{}",
                json!({ "check": finding.what, "fine": finding.fine, "says": finding.says })
            ),
            Style::Words => {
                let mark = if finding.fine { "fine" } else { "TO DO" };
                println!(
                    "{mark:>6}  {}: {}",
                    finding.what,
                    for_terminal(&finding.says)
                );
            }
        }
    }
    Ok(())
}

fn data_folder() -> Finding {
    let (fine, says) = match Home::open() {
        Ok(home) => match home.list() {
            Ok(all) => (
                true,
                format!("{} sessions in {}", all.len(), home.root().display()),
            ),
            Err(error) => (false, error.to_string()),
        },
        Err(error) => (false, error.to_string()),
    };
    Finding {
        what: "data folder",
        fine,
        says,
    }
}

fn display() -> Finding {
    let fine = has_display();
    let says = if fine {
        "there is one"
    } else {
        "none; use `seance host` and `seance join` in the terminal"
    };
    Finding {
        what: "display",
        fine,
        says: says.to_owned(),
    }
}

#[cfg(feature = "browser")]
fn chrome() -> Finding {
    let found = crate::player::browser::find_chrome();
    let says = found.as_ref().map_or_else(
        || "not found. Install Chrome or Chromium, or watch in the guest page instead".to_owned(),
        |path| path.display().to_string(),
    );
    Finding {
        what: "Chrome",
        fine: found.is_some(),
        says,
    }
}

#[cfg(not(feature = "browser"))]
fn chrome() -> Finding {
    Finding {
        what: "Chrome",
        fine: true,
        says: "this Séance was built without the Chrome player".to_owned(),
    }
}

fn network() -> Finding {
    let all = addresses::reachable();
    let fine = !all.is_empty();
    let says = if fine {
        let all: Vec<_> = all.iter().map(ToString::to_string).collect();
        format!(
            "others on your network reach this machine at {}",
            all.join(", ")
        )
    } else {
        "no network: only this machine can join".to_owned()
    };
    Finding {
        what: "network",
        fine,
        says,
    }
}

async fn port() -> Finding {
    let (fine, says) = match tokio::net::TcpListener::bind(("0.0.0.0", PORT)).await {
        Ok(_) => (true, format!("{PORT} is free")),
        Err(_) => (
            true,
            format!("{PORT} is taken; the next party takes another one by itself"),
        ),
    };
    Finding {
        what: "port",
        fine,
        says,
    }
}
