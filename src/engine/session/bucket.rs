//! A token bucket: so many at once, so many a second in the long run.

use crate::engine::unit::{LocalTime, Micros};

/// Counts what may still be done, in microseconds of patience.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    micros_left: i64,
    micros_max: i64,
    micros_each: i64,
    filled: LocalTime,
}

impl Bucket {
    /// A full bucket of `burst`, refilled by `per_sec`.
    pub fn new(burst: u32, per_sec: u32, now: LocalTime) -> Self {
        Self::every(burst, Micros::new(1_000_000 / i64::from(per_sec)), now)
    }

    /// A full bucket of `burst`, refilled by one after each `each`.
    pub fn every(burst: u32, each: Micros, now: LocalTime) -> Self {
        let micros_each = each.get();
        let micros_max = micros_each * i64::from(burst);
        Self {
            micros_left: micros_max,
            micros_max,
            micros_each,
            filled: now,
        }
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, now: LocalTime) -> bool {
        let since = (now - self.filled).get().max(0);
        self.filled = self.filled.max(now);
        self.micros_left = self.micros_left.saturating_add(since).min(self.micros_max);
        if self.micros_left < self.micros_each {
            return false;
        }
        self.micros_left -= self.micros_each;
        true
    }

    /// How many there are to take.
    pub fn left(&self, now: LocalTime) -> i64 {
        let since = (now - self.filled).get().max(0);
        let left = self.micros_left.saturating_add(since);
        left.min(self.micros_max) / self.micros_each
    }

    /// How long until there is one to take; `None` if there is one.
    pub fn wait(&self, now: LocalTime) -> Option<Micros> {
        let mut later = *self;
        if later.take(now) {
            return None;
        }
        Some(later.next_at() - now)
    }

    /// When there is one to take again; a past time when there is one already.
    pub fn next_at(&self) -> LocalTime {
        self.filled + Micros::new((self.micros_each - self.micros_left).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_at_once_and_then_the_rate_holds() {
        let mut now = LocalTime::from_secs(5);
        let mut bucket = Bucket::new(3, 2, now);
        assert_eq!((0..9).filter(|_| bucket.take(now)).count(), 3);
        for _ in 0..4 {
            let next = bucket.next_at();
            assert_eq!(next - now, Micros::from_millis(500));
            now = next;
            assert!(bucket.take(now) && !bucket.take(now));
        }
        now = now + Micros::from_secs(3_600);
        assert_eq!(
            (0..9).filter(|_| bucket.take(now)).count(),
            3,
            "patience is not saved up"
        );
    }
}
