//! Chance, by number: the same seed rolls the same dice on every machine.

/// SplitMix64 (Steele, Lea and Flood, 2014): small, quick, and every seed is a good one.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice for one purpose of one seed; other purposes roll independently, so that
    /// leaving one fault out does not change what the users do.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut dice = Self(seed ^ purpose.wrapping_mul(0xa076_1d64_78bd_642f));
        dice.any();
        dice
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `sides`; 0 for no sides.
    pub fn roll(&mut self, sides: u64) -> u64 {
        ((u128::from(self.any()) * u128::from(sides)) >> 64) as u64
    }

    /// A number of `[from, to)`; `from` when that is empty.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.roll(to.saturating_sub(from))
    }

    /// True so many times in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.roll(1_000) < per_mille
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len() as u64) as usize]
    }
}
