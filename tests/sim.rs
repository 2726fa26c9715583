//! The simulator in the ordinary tests: a few seeds of everything, the seeds that once failed, and
//! that a seed means the same party each time. `scripts/test` runs 20,000 more, and whole evenings, in release.

use seance::sim::campaign::Campaign;
use seance::sim::fault::Kind;
use seance::sim::{Tally, plan, run};

/// Seeds that broke a law before what they found was mended, and how long their evenings were.
const REGRESSIONS: &[(u64, u64)] = &[
    // A member who came back to a restarted host went on by the clock of the one before.
    (1, 0),
    (2, 0),
    (3, 0),
    // A burst of pings that met a line standing still left a doubt of 400 ms for ten seconds.
    (495, 0),
    // A line that had been slow left a clock in doubt by 300 ms, and a film started by that.
    (2_468, 0),
    (4_056, 0),
    (5_877, 0),
    // Two jumps of one clock that took each other back.
    (2_663, 0),
    (4_202, 0),
    // A line that was quick again went on bringing what it held at its old pace.
    (7_858, 0),
    // A player that had been slow to start starts too early afterwards, by what that taught.
    (22_321, 0),
    (23_155, 0),
    (24_260, 0),
];

#[test]
fn seeds_that_once_failed_pass() {
    for (seed, minutes) in REGRESSIONS {
        let ending = run(plan(*seed, *minutes), false);
        assert_eq!(
            ending.broken, None,
            "seance sim --seed {seed} --minutes {minutes} --trace"
        );
    }
}

#[test]
fn a_seed_is_the_same_party_each_time_byte_for_byte() {
    for seed in [7, 2_026, 77_777] {
        let (once, again) = (run(plan(seed, 0), true), run(plan(seed, 0), true));
        assert_eq!(once.print, again.print);
        assert_eq!(once.trace, again.trace);
        assert!(once.trace.is_some_and(|trace| trace.lines().count() > 50));
        let other = run(plan(seed + 1, 0), false);
        assert_ne!(once.print, other.print, "another seed is another party");
    }
}

#[test]
fn a_few_parties_break_no_law() {
    let campaign = Campaign {
        seed: 1_000,
        runs: 60,
        minutes: 0,
        jobs: 1,
    };
    match campaign.go(|_| {}) {
        Ok(tally) => {
            println!("{tally}");
            assert_eq!(tally.gates(), Ok(()));
        }
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn an_evening_breaks_no_law() {
    let ending = run(plan(11, 30), false);
    assert_eq!(
        ending.broken, None,
        "seance sim --seed 11 --minutes 30 --trace"
    );
    assert!(ending.tally.events > 40, "{}", ending.tally);
}

#[test]
fn a_run_in_which_nothing_happens_proves_nothing() {
    let mut tally = Tally::default();
    for seed in 1..=8 {
        let mut plan = plan(seed, 0);
        plan.faults.clear();
        let ending = run(plan, false);
        assert_eq!(ending.broken, None);
        tally.add(&ending.tally);
    }
    // People keep asking, coming and going; no log is ever opened again.
    assert_eq!(tally.recoveries, 0);
    assert!(tally.gates().is_err(), "no fault, no proof");
    assert!(Kind::ALL.len() >= 30);
}
