//! Random choices that a seed repeats, and how many of them a run makes.
//!
//! Tests whose strength is their number run a few cases in the ordinary suite
//! and all that the issue asks for under `SEANCE_PROVE=full`, as `scripts/test`
//! and `scripts/prove` set it. `SEANCE_SEED` moves the seeds, `SEANCE_CASES` says how many.

/// A small generator (SplitMix64, Steele et al. 2014): any seed is a good one.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `[0, end)`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    /// A number in `[0, end)`, to index with.
    pub fn index(&mut self, end: usize) -> usize {
        self.below(end as u64) as usize
    }

    /// Whether something that happens so many times in a hundred happens now.
    pub fn happens(&mut self, in_a_hundred: u64) -> bool {
        self.below(100) < in_a_hundred
    }

    /// Dice of their own, for something that goes on beside.
    pub fn split(&mut self) -> Self {
        Self(self.roll())
    }
}

/// Whether this run is to make as many cases as the issue asks for.
pub fn is_full() -> bool {
    std::env::var("SEANCE_PROVE").is_ok_and(|how| how == "full")
}

/// `few` in the ordinary suite, `full` where it is asked for.
pub fn cases(few: usize, full: usize) -> usize {
    let asked = std::env::var("SEANCE_CASES").ok();
    let asked = asked.and_then(|count| count.parse().ok());
    asked.unwrap_or(if is_full() { full } else { few })
}

/// The first seed of this run; case `n` has seed `base + n`.
pub fn base_seed() -> u64 {
    std::env::var("SEANCE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1)
}
