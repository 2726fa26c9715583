//! Many seeds in a row, on as many threads as there are, until one breaks a law.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::sim::{Failure, Tally, minimise, plan, run};

/// Which seeds to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// The first seed.
    pub seed: u64,
    /// How many.
    pub runs: u64,
    /// How long each evening is; 0 for short parties of about a minute.
    pub minutes: u64,
    /// How many threads share them.
    pub jobs: usize,
}

impl Campaign {
    /// Runs all, or until one breaks a law, which is then minimised. `ran` hears of each seed.
    ///
    /// # Errors
    /// The first failure.
    pub fn go(self, ran: impl Fn(u64) + Sync) -> Result<Tally, Box<Failure>> {
        let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        let shared = Mutex::new((Tally::default(), None));
        let work = || {
            let mut tally = Tally::default();
            let mut failure: Option<Failure> = None;
            while !stop.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= self.runs {
                    break;
                }
                let plan = plan(self.seed.wrapping_add(number), self.minutes);
                let ending = run(plan.clone(), false);
                tally.add(&ending.tally);
                ran(number);
                if let Some((_, broken)) = ending.broken {
                    stop.store(true, Ordering::Relaxed);
                    failure = Some(minimise(plan, broken));
                }
            }
            let mut shared = shared.lock().expect("no run panics outside its own net");
            shared.0.add(&tally);
            // Of two at once the lower seed is told, so that both threads' luck is the same.
            let lower = |known: &Failure| failure.as_ref().is_some_and(|it| it.seed < known.seed);
            if shared.1.as_ref().is_none_or(lower) {
                shared.1 = failure.or(shared.1.take());
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.jobs {
                scope.spawn(work);
            }
            work();
        });
        let (tally, failure) = shared
            .into_inner()
            .expect("no run panics outside its own net");
        match failure {
            Some(failure) => Err(Box::new(failure)),
            None => Ok(tally),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} broke a law: {}", self.seed, self.broken)?;
        let minutes = match self.minutes {
            0 => String::new(),
            some => format!(" --minutes {some}"),
        };
        writeln!(
            f,
            "repeat it: seance sim --seed {}{minutes} --trace",
            self.seed
        )?;
        if self.faults.is_empty() {
            writeln!(f, "it needs no fault at all: {}", self.least_broken)?;
        } else {
            writeln!(f, "these of its faults are enough: {}", self.least_broken)?;
        }
        self.faults
            .iter()
            .try_for_each(|fault| writeln!(f, "{}", fault.words()))
    }
}
