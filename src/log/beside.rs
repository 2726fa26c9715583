//! Work on many things that do not wait for one another, on all of the machine's cores.
//!
//! The chain is a chain, and yet its commits can be proven beside each other: each claims the
//! link it ends in, and that claim is what the next one is held against. What is proven so is
//! as strict as one by one, because a commit counts only when the one before it, which made
//! the claim, counted.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Fewer are done here: starting a thread costs as much as some commits.
const WORTH_A_THREAD: usize = 16;

/// More threads than this wait for the disk's bytes, not for a core.
const THREADS_MAX: usize = 8;

/// What `work` says to each of `items`, in their order.
///
/// Returns when all is done. A thread that the system does not give is done without.
///
/// # Panics
/// When `work` does.
pub(super) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = cores.min(THREADS_MAX).min(items.len() / WORTH_A_THREAD);
    if threads < 2 {
        return items.iter().map(work).collect();
    }
    // Handed out one by one: a core that is busy with something else takes fewer.
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::with_capacity(items.len() / threads);
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                return done;
            };
            done.push((index, work(item)));
        }
    };
    let mut all = thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, take).ok())
            .collect();
        let mut all = take();
        for other in others {
            all.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        all
    });
    all.sort_unstable_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_asked_however_many_there_are() {
        for count in [0, 1, WORTH_A_THREAD * 2, 1_000] {
            let items: Vec<usize> = (0..count).collect();
            let squares: Vec<usize> = items.iter().map(|item| item * item).collect();
            assert_eq!(map(&items, |item| item * item), squares);
        }
    }

    #[test]
    #[should_panic(expected = "item 700")]
    fn a_panic_is_not_swallowed() {
        let items: Vec<usize> = (0..1_000).collect();
        map(&items, |item| assert_ne!(*item, 700, "item 700"));
    }
}
