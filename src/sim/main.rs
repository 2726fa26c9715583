//! The simulator alone, without the rest of the program: what `scripts/test` builds in seconds.
//!
//! `seance sim` does the same from the whole program.

use std::process::ExitCode;
use std::time::Instant;

use seance::sim::campaign::Campaign;
use seance::sim::{Tally, minimise, plan, run};

const USAGE: &str =
    "usage: seance-sim [--seed N] [--runs N] [--minutes N] [--jobs N] [--evenings N] [--trace]";

fn main() -> ExitCode {
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
        let number = words.next().and_then(|number| number.parse::<u64>().ok());
        let known = numbers.iter_mut().find(|(name, _)| *name == word);
        let (Some((_, place)), Some(number)) = (known, number) else {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        };
        *place = number;
    }
    let [seed, runs, minutes, jobs, evenings] = numbers.map(|(_, number)| number);
    if trace {
        return show(seed, minutes);
    }
    let begun = Instant::now();
    let jobs = usize::try_from(jobs).unwrap_or(1);
    let mut all = Tally::default();
    // Two hours and a half each, where whole evenings are wanted besides.
    for (runs, minutes) in [(runs, minutes), (evenings, 150)] {
        match (Campaign {
            seed,
            runs,
            minutes,
            jobs,
        })
        .go(|_| {})
        {
            Ok(tally) => all.add(&tally),
            Err(failure) => {
                print!("{failure}");
                return ExitCode::FAILURE;
            }
        }
    }
    let took = begun.elapsed().as_secs_f64();
    print!("{all}");
    println!("real time        {took:>12.1} s, {jobs} threads");
    println!(
        "simulated ÷ real {:>12.0}",
        all.simulated as f64 / 1e6 / took
    );
    match all.gates() {
        Ok(()) => ExitCode::SUCCESS,
        Err(vacuous) if all.seeds >= 400 => {
            println!("this proved too little: {vacuous}");
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::SUCCESS,
    }
}

fn show(seed: u64, minutes: u64) -> ExitCode {
    let plan = plan(seed, minutes);
    let ending = run(plan.clone(), true);
    print!("{}", ending.trace.unwrap_or_default());
    match ending.broken {
        None => ExitCode::SUCCESS,
        Some((_, broken)) => {
            print!("{}", minimise(plan, broken));
            ExitCode::FAILURE
        }
    }
}
