//! `seance nearby`: the parties on this network, by name.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::cli::Output;
use crate::engine::text::for_terminal;
use crate::projection::terminal::Style;
use crate::tunnel::nearby::Looking;

/// How long and how.
#[derive(Clone, Copy, Debug, Args)]
pub struct NearbyArgs {
    /// For how many seconds to look.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    #[command(flatten)]
    output: Output,
}

/// Looks, and prints what answered.
pub(super) async fn run(args: NearbyArgs) -> Result<()> {
    let looking = Looking::start(None)?;
    tokio::time::sleep(Duration::from_secs(args.seconds)).await;
    let found = looking.found();
    let found = found.borrow();
    for party in found.iter() {
        let places: Vec<_> = party.places.iter().map(ToString::to_string).collect();
        match args.output.style() {
            Style::Json => println!(
                "{}",
                json!({ "nearby": { "session": party.session, "title": party.title, "host": party.host, "places": places } })
            ),
            Style::Words => println!(
                "{} · {}   {}",
                for_terminal(&party.title),
                for_terminal(&party.host),
                places.join(" ")
            ),
        }
    }
    if args.output.style() == Style::Words {
        if found.is_empty() {
            println!(
                "No party answers on this network. One that runs may be unlisted, or this network may carry no multicast; its link works all the same."
            );
        } else {
            println!("\nTo join one, ask its host for the link.");
        }
    }
    Ok(())
}
