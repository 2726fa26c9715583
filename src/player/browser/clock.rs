//! The page's clock as this machine's clock.
//!
//! A page counts milliseconds since its own beginning (`performance.now()`).
//! Each question to it is an exchange: asked at a local time, answered with
//! the page's time, heard at a local time. The page's time belongs somewhere
//! between the two, most likely to the middle, and the shortest exchange says
//! so most exactly (the minimum-delay filter of RFC 5905 §10). The page's
//! clock stops while a machine is suspended and ours does not, so an exchange
//! that contradicts the estimate throws it away.

use crate::engine::unit::{LocalTime, Micros};

/// How many exchanges are kept. At some samples a second that is several seconds' worth.
const KEPT: usize = 16;

/// How fast an old exchange loses trust, in parts per million: two clocks of one
/// machine run off the same crystal, and this is far above what slewing does to one of them.
const AGE_PPM: i64 = 100;

/// What an exchange may contradict the best one's bounds before the estimate is
/// thrown away: pages see their clock in steps of 0.1 ms.
const SLACK: Micros = Micros::new(500);

/// One question to the page and its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    /// When it was asked.
    pub asked: LocalTime,
    /// What the page's clock said, in milliseconds.
    pub page_millis: f64,
    /// When the answer was heard.
    pub heard: LocalTime,
}

impl Exchange {
    fn delay(&self) -> Micros {
        self.heard - self.asked
    }

    /// Local time of the page's zero, if the page answered in the middle.
    fn zero(&self) -> i64 {
        let middle = self.asked.get() as i64 + self.delay().get() / 2;
        middle - (self.page_millis * 1_000.0).round() as i64
    }
}

/// Which local time a page's time is.
#[derive(Debug, Default)]
pub(super) struct PageClock {
    exchanges: Vec<Exchange>,
}

impl PageClock {
    /// Learns from one exchange.
    pub fn learn(&mut self, exchange: Exchange) {
        if let Some(best) = self.best()
            && let Some(at) = self.local(exchange.page_millis)
            && let slack = SLACK + Micros::new(best.delay().get() / 2)
            && (at + slack < exchange.asked || exchange.heard + slack < at)
        {
            tracing::debug!("the page's clock jumped; learning it anew");
            self.exchanges.clear();
        }
        if self.exchanges.len() == KEPT {
            self.exchanges.remove(0);
        }
        self.exchanges.push(exchange);
    }

    /// The local time at which the page's clock shows `page_millis`; `None` before the first exchange.
    pub fn local(&self, page_millis: f64) -> Option<LocalTime> {
        let micros = self.zero()? + (page_millis * 1_000.0).round() as i64;
        Some(LocalTime::new(micros.max(0) as u64))
    }

    /// What the page's clock shows at `local`, in milliseconds; may lie before the page's beginning.
    pub fn page_millis(&self, local: LocalTime) -> Option<f64> {
        Some((local.get() as i64 - self.zero()?) as f64 / 1_000.0)
    }

    fn zero(&self) -> Option<i64> {
        self.best().map(Exchange::zero)
    }

    /// The exchange with the smallest error bound: half its delay, and its age.
    fn best(&self) -> Option<&Exchange> {
        let newest = self.exchanges.last()?.heard;
        self.exchanges.iter().min_by_key(|kept| {
            let age = (newest - kept.heard).get();
            kept.delay().get() / 2 + age / 1_000_000 * AGE_PPM
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(asked: u64, page_millis: f64, heard: u64) -> Exchange {
        Exchange {
            asked: LocalTime::new(asked),
            page_millis,
            heard: LocalTime::new(heard),
        }
    }

    #[test]
    fn the_shortest_exchange_is_believed() {
        let mut clock = PageClock::default();
        assert_eq!(clock.local(1.0), None);
        clock.learn(exchange(1_000_000, 2.0, 1_020_000)); // zero at 1_008_000, ±10 ms
        clock.learn(exchange(1_030_000, 28.5, 1_031_000)); // zero at 1_002_000, ±0.5 ms
        clock.learn(exchange(1_040_000, 50.0, 1_060_000));
        assert_eq!(clock.local(100.0), Some(LocalTime::new(1_102_000)));
        assert_eq!(clock.page_millis(LocalTime::new(1_102_000)), Some(100.0));
    }

    #[test]
    fn a_clock_that_stood_still_in_suspend_is_learnt_anew() {
        let mut clock = PageClock::default();
        clock.learn(exchange(1_000_000, 100.0, 1_001_000));
        // An hour later the page has seen two seconds pass.
        clock.learn(exchange(3_601_000_000, 2_100.0, 3_601_010_000));
        assert_eq!(
            clock.local(2_100.0),
            Some(LocalTime::new(3_601_005_000)),
            "the long exchange after the jump beats the short one before it"
        );
    }
}
