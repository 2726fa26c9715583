//! The simulator alone, without the rest of the program: what `scripts/test` builds in seconds.
//!
//! `seance sim` does the same from the whole program.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use seance::sim::campaign::Campaign;
use seance::sim::fault::Kind;
use seance::sim::{Tally, minimise, plan, run};

const USAGE: &str =
    "usage: seance-sim [--seed N] [--runs N] [--minutes N] [--jobs N] [--evenings N] [--trace]";

/// How long each of `--evenings` is.
const EVENING_MINUTES: u64 = 150;
/// Fewer seeds than this may leave out a kind of fault without proving too little.
const JUDGED_SEEDS: u64 = 400;

fn main() -> ExitCode {
    match told(&mut io::stdout().lock()) {
        Ok(code) => code,
        Err(error) => {
            // Whoever read it has gone; there may be somebody at the other end.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// What is asked for, and whether to show the first seed step by step.
fn asked() -> Option<([u64; 5], bool)> {
    let mut numbers = [
        ("--seed", 1),
        ("--runs", 1),
        ("--minutes", 0),
        ("--jobs", 1),
        ("--evenings", 0),
    ];
    let mut trace = false;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--trace" {
            trace = true;
            continue;
        }
        let (_, place) = numbers.iter_mut().find(|(name, _)| *name == word)?;
        *place = words.next()?.parse().ok()?;
    }
    Some((numbers.map(|(_, number)| number), trace))
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long it took is printed, and nothing follows from it"
)]
fn told(out: &mut impl Write) -> io::Result<ExitCode> {
    let Some(([seed, runs, minutes, jobs, evenings], trace)) = asked() else {
        writeln!(io::stderr(), "{USAGE}")?;
        return Ok(ExitCode::from(2));
    };
    if trace {
        return show(out, seed, minutes);
    }
    let begun = Instant::now();
    let jobs = usize::try_from(jobs).unwrap_or(1);
    let mut all = Tally::default();
    for (runs, minutes) in [(runs, minutes), (evenings, EVENING_MINUTES)] {
        let campaign = Campaign {
            seed,
            runs,
            minutes,
            jobs,
        };
        match campaign.go(|_| {}) {
            Ok(tally) => all.add(&tally),
            Err(failure) => {
                write!(out, "{failure}")?;
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    let took = begun.elapsed().as_secs_f64();
    write!(out, "{all}")?;
    if let Err(vacuous) = all.gates()
        && all.seeds >= JUDGED_SEEDS
    {
        writeln!(out, "this proved too little: {vacuous}")?;
        return Ok(ExitCode::FAILURE);
    }
    writeln!(
        out,
        "proved: {} seeds, {:.0} party-hours, simulated ÷ real {:.0}, from seed {seed} in {took:.0} s: \
         {} events, {} rejoins, {} recoveries, {} hand-overs, {} claims to be in step, \
         {} faults of {} kinds, 0 laws broken",
        all.seeds,
        all.simulated as f64 / 3.6e9,
        all.simulated as f64 / 1e6 / took,
        all.events,
        all.rejoins,
        all.recoveries,
        all.hand_overs,
        all.claims,
        all.faults.iter().sum::<u64>(),
        Kind::ALL.len(),
    )?;
    Ok(ExitCode::SUCCESS)
}

fn show(out: &mut impl Write, seed: u64, minutes: u64) -> io::Result<ExitCode> {
    let plan = plan(seed, minutes);
    let ending = run(plan.clone(), true);
    write!(out, "{}", ending.trace.unwrap_or_default())?;
    let Some((_, broken)) = ending.broken else {
        return Ok(ExitCode::SUCCESS);
    };
    write!(out, "{}", minimise(plan, broken))?;
    Ok(ExitCode::FAILURE)
}
