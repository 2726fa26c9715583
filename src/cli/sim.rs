//! `seance sim`: repeats simulated parties by their seeds, and says what broke.

use clap::Args;

use crate::sim::campaign::Campaign;
use crate::sim::{self, Ending};

/// Which parties.
#[derive(Debug, Args)]
pub struct SimArgs {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds from there on.
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// How long each evening is, in minutes; 0 is a party of about a minute.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=1_440))]
    minutes: u64,
    /// How many threads share the seeds.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Print what happens in the first seed, step by step.
    #[arg(long)]
    trace: bool,
}

/// Runs them; prints the counts, or the failure with the least schedule that shows it.
///
/// # Errors
/// When a law was broken; standard output says which, and how to repeat it.
pub fn run(args: &SimArgs) -> anyhow::Result<()> {
    if args.trace {
        return show(args);
    }
    let campaign = Campaign {
        seed: args.seed,
        runs: args.runs,
        minutes: args.minutes,
        jobs: args.jobs,
    };
    match campaign.go(|_| {}) {
        Ok(tally) => {
            print!("{tally}");
            Ok(())
        }
        Err(failure) => {
            print!("{failure}");
            anyhow::bail!("A law was broken. Keep the seed: it is a test that is not yet written.")
        }
    }
}

fn show(args: &SimArgs) -> anyhow::Result<()> {
    let plan = sim::plan(args.seed, args.minutes);
    let Ending { trace, broken, .. } = sim::run(plan.clone(), true);
    print!("{}", trace.unwrap_or_default());
    let Some((_, broken)) = broken else {
        return Ok(());
    };
    print!("{}", sim::minimise(plan, broken));
    anyhow::bail!("A law was broken.")
}
