//! A machine's monotonic clock: true time, seen through a crystal.

use crate::engine::unit::LocalTime;

/// True time: microseconds since the world began. Nobody in it can read this.
pub type True = u64;

/// One second of true time.
pub const SEC: True = 1_000_000;
/// One millisecond of true time.
pub const MS: True = 1_000;

/// A clock that runs straight between its last change and its next.
#[derive(Clone, Debug)]
pub struct Clock {
    since: True,
    /// What it read at `since`.
    local: i128,
    /// How much too fast it runs, in millionths.
    ppm: i64,
}

impl Clock {
    /// A clock that reads `local` microseconds as the world begins.
    pub fn new(local: u64, ppm: i64) -> Self {
        Self {
            since: 0,
            local: i128::from(local),
            ppm,
        }
    }

    /// What it reads at `now`, which lies behind its last change.
    pub fn read(&self, now: True) -> LocalTime {
        let ran = i128::from(now.saturating_sub(self.since));
        let local = self.local + ran * i128::from(1_000_000 + self.ppm) / 1_000_000;
        LocalTime::new(local.max(0) as u64)
    }

    /// When it will have reached `local`; never before `now`.
    pub fn when(&self, local: LocalTime, now: True) -> True {
        let ahead = i128::from(local.get()) - self.local;
        let rate = i128::from(1_000_000 + self.ppm);
        // Rounded up, and one more: at that moment it reads `local` or later.
        let ran = (ahead * 1_000_000 + rate - 1).div_euclid(rate) + 1;
        let at = i128::from(self.since) + ran;
        (at.max(0) as u64).max(now)
    }

    /// It runs at another speed from `now` on.
    pub fn set_ppm(&mut self, now: True, ppm: i64) {
        self.rebase(now);
        self.ppm = ppm;
    }

    /// It jumps.
    pub fn step(&mut self, now: True, micros: i64) {
        self.rebase(now);
        self.local = (self.local + i128::from(micros)).max(0);
    }

    fn rebase(&mut self, now: True) {
        self.local = i128::from(self.read(now).get());
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_found_is_reached_and_not_long_before() {
        for ppm in [-300, -50, 0, 7, 300] {
            let mut clock = Clock::new(5 * SEC, ppm);
            clock.step(3 * SEC, -1_234);
            for local in [9_000_001, 77_777_777, 9_000_000_000] {
                let local = LocalTime::new(local);
                let at = clock.when(local, 3 * SEC);
                assert!(clock.read(at) >= local && clock.read(at - 3) <= local);
            }
        }
    }
}
