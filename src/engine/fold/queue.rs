//! What comes next, in which order, and what members want of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::engine::event::{QueueMode, Repeat};
use crate::engine::id::{ItemId, MemberId};

/// One item that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which.
    pub item: ItemId,
    /// Who put it there; `None` is the room itself.
    pub by: Option<MemberId>,
    /// Who wants it soon.
    pub votes: BTreeSet<MemberId>,
}

/// The queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// What waits, first first.
    pub entries: Vec<Entry>,
    /// In which order it is played.
    pub mode: QueueMode,
    /// What happens when an item has ended.
    pub repeat: Repeat,
    /// Whose item was on last, for taking turns.
    pub turn: Option<MemberId>,
    /// Who wants what is on to be skipped.
    pub skips: BTreeSet<MemberId>,
}

impl Queue {
    /// The place of an item, if it waits.
    pub fn place(&self, item: ItemId) -> Option<usize> {
        self.entries.iter().position(|entry| entry.item == item)
    }

    /// The entry of an item, if it waits.
    pub fn get(&self, item: ItemId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.item == item)
    }

    /// What comes next, by the queue's mode.
    pub fn upcoming(&self) -> Option<&Entry> {
        match self.mode {
            QueueMode::Manual => self.entries.first(),
            // The first of those with the most votes.
            QueueMode::Vote => self
                .entries
                .iter()
                .rev()
                .max_by_key(|entry| entry.votes.len()),
            // The first item of the next member, by number, behind whose turn it was.
            QueueMode::RoundRobin => {
                let after = self.entries.iter().filter(|entry| entry.by > self.turn);
                let of = |by| self.entries.iter().find(|entry| entry.by == by);
                after
                    .map(|entry| entry.by)
                    .min()
                    .or_else(|| self.entries.iter().map(|entry| entry.by).min())
                    .and_then(of)
            }
        }
    }

    pub(super) fn put(&mut self, item: ItemId, by: Option<MemberId>, place: Option<u32>) {
        self.take(item);
        let place = place.map_or(self.entries.len(), |place| {
            (place as usize).min(self.entries.len())
        });
        let votes = BTreeSet::new();
        self.entries.insert(place, Entry { item, by, votes });
    }

    pub(super) fn take(&mut self, item: ItemId) -> Option<Entry> {
        let place = self.place(item)?;
        Some(self.entries.remove(place))
    }

    pub(super) fn moved(&mut self, item: ItemId, place: u32) {
        if let Some(entry) = self.take(item) {
            let place = (place as usize).min(self.entries.len());
            self.entries.insert(place, entry);
        }
    }

    /// The item is on: it no longer waits, and nobody wants it skipped yet.
    pub(super) fn cued(&mut self, item: ItemId) {
        self.skips.clear();
        if let Some(entry) = self.take(item) {
            self.turn = entry.by;
        }
    }

    pub(super) fn reordered(&mut self, items: &[ItemId]) {
        // What the list does not name goes behind what it names, as it stood.
        let rank = |entry: &Entry| {
            items
                .iter()
                .position(|item| *item == entry.item)
                .unwrap_or(items.len())
        };
        self.entries.sort_by_cached_key(rank);
    }

    /// Fisher and Yates, from the last place down, with a generator that a page computes alike.
    pub(super) fn shuffled(&mut self, seed: u32) {
        let mut random = seed;
        for last in (1..self.entries.len()).rev() {
            random = next_random(random);
            self.entries.swap(last, random as usize % (last + 1));
        }
    }

    pub(super) fn voted(&mut self, item: ItemId, member: MemberId, wants: bool) {
        if let Some(place) = self.place(item) {
            let votes = &mut self.entries[place].votes;
            if wants {
                votes.insert(member);
            } else {
                votes.remove(&member);
            }
        }
    }
}

/// A step of a 32-bit linear congruential generator (Numerical Recipes, §7.1), its good upper half in front.
fn next_random(random: u32) -> u32 {
    random
        .wrapping_mul(1_664_525)
        .wrapping_add(1_013_904_223)
        .rotate_left(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(of: &[(u32, u32, usize)]) -> Queue {
        let entries = of.iter().map(|(item, by, votes)| Entry {
            item: ItemId::new(*item),
            by: Some(MemberId::new(*by)),
            votes: (0..*votes as u32).map(MemberId::new).collect(),
        });
        Queue {
            entries: entries.collect(),
            ..Queue::default()
        }
    }

    fn order(mut queue: Queue) -> Vec<u32> {
        let mut order = Vec::new();
        while let Some(item) = queue.upcoming().map(|entry| entry.item) {
            queue.cued(item);
            order.push(item.get());
        }
        order
    }

    #[test]
    fn each_mode_plays_in_its_own_order() {
        let full = queue(&[(1, 7, 0), (2, 7, 2), (3, 7, 2), (4, 2, 1), (5, 9, 0)]);
        assert_eq!(order(full.clone()), [1, 2, 3, 4, 5]);
        let by_votes = Queue {
            mode: QueueMode::Vote,
            ..full.clone()
        };
        assert_eq!(order(by_votes), [2, 3, 4, 1, 5]);
        let turns = Queue {
            mode: QueueMode::RoundRobin,
            turn: Some(MemberId::new(7)),
            ..full
        };
        assert_eq!(order(turns), [5, 4, 1, 2, 3]);
    }

    #[test]
    fn one_seed_gives_one_order_and_loses_nothing() {
        let mut one = queue(&(1..=20).map(|item| (item, 1, 0)).collect::<Vec<_>>());
        let mut other = one.clone();
        one.shuffled(7);
        other.shuffled(7);
        assert_eq!(one, other);
        other.shuffled(8);
        assert_ne!(one, other);
        let mut items: Vec<_> = one.entries.iter().map(|entry| entry.item.get()).collect();
        items.sort_unstable();
        assert_eq!(items, (1..=20).collect::<Vec<_>>());
    }

    #[test]
    fn what_an_order_does_not_name_goes_behind_what_it_names() {
        let mut queue = queue(&[(1, 1, 0), (2, 1, 0), (3, 1, 0)]);
        queue.reordered(&[ItemId::new(3), ItemId::new(9)]);
        let items: Vec<_> = queue.entries.iter().map(|entry| entry.item.get()).collect();
        assert_eq!(items, [3, 1, 2]);
    }
}
