//! The line on which the film runs: one anchor, from which every position follows.
//!
//! The fold keeps [`Anchor`]s, not positions (law 4). A position is computed
//! from an anchor and a session time, by integers alone, so that every player,
//! page and replay reads the same microsecond.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::engine::id::{Generation, ItemId};
use crate::engine::intent::Aim;
use crate::engine::media::Media;
use crate::engine::text::Title;
use crate::engine::unit::{MediaTime, Micros, Rate, SessionTime};

/// At session time `at` the film stands at `position`; from there it runs at `rate` while `playing`.
///
/// `at` may lie in the future: a scheduled start. Until then the film stands
/// still at `position`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// What plays; `ItemId(0)` while nothing was set.
    pub item: ItemId,
    /// Rises with each load and seek; positions of different generations do not compare.
    pub generation: Generation,
    /// When the line passes through `position`.
    pub at: SessionTime,
    /// Where the film stands at `at`.
    pub position: MediaTime,
    /// How fast it runs from there.
    pub rate: Rate,
    /// Whether it runs at all.
    pub playing: bool,
}

impl Anchor {
    /// Where the film stands at `now`, clamped to `[0, duration]`.
    pub fn position(&self, now: SessionTime, duration: Option<Micros>) -> MediaTime {
        let end = duration.map_or(MediaTime::MAX, |length| MediaTime::ZERO + length);
        if !self.playing || now <= self.at {
            return self.position.min(end);
        }
        (self.position + self.rate.film_in(now - self.at)).min(end)
    }

    /// The same line, anchored anew at `now`: what a rate change starts from.
    #[must_use]
    pub fn rebased(&self, now: SessionTime, duration: Option<Micros>) -> Self {
        if self.playing && now < self.at {
            return *self; // the scheduled start still stands
        }
        Self {
            at: now,
            position: self.position(now, duration),
            ..*self
        }
    }
}

/// Something to watch, as this session knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What it is.
    pub media: Media,
    /// What people call it, where known.
    pub title: Option<Title>,
    /// Where it begins.
    pub start: MediaTime,
    /// How long it is, once a player told.
    pub duration: Option<Micros>,
    /// Whether it was on at any time, rather than only queued.
    pub seen: bool,
}

/// How many items a session remembers: more than anybody watches, fewer than fill a memory.
pub const ITEMS_KEPT: usize = 1_000;

impl Item {
    /// What people call it: its title, or the shortest name its address gives.
    pub fn label(&self) -> String {
        self.title
            .as_ref()
            .map_or_else(|| self.media.label(), Title::to_string)
    }
}

/// What plays and where, and everything that was ever set to play.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// The line the film is on now.
    pub anchor: Anchor,
    items: BTreeMap<ItemId, Item>,
    hosts: BTreeSet<String>,
}

impl Timeline {
    /// What is on, if anything is.
    pub fn current(&self) -> Option<(ItemId, &Item)> {
        Some((self.anchor.item, self.items.get(&self.anchor.item)?))
    }

    /// The item of that number.
    pub fn item(&self, item: ItemId) -> Option<&Item> {
        self.items.get(&item)
    }

    /// Everything that was ever set to play, in order.
    pub fn items(&self) -> impl Iterator<Item = (ItemId, &Item)> {
        self.items.iter().map(|(id, item)| (*id, item))
    }

    /// How long the item that is on is, where known.
    pub fn duration(&self) -> Option<Micros> {
        self.current()?.1.duration
    }

    /// Where the film stands at `now`.
    pub fn position(&self, now: SessionTime) -> MediaTime {
        self.anchor.position(now, self.duration())
    }

    /// What an intent meant for now is aimed at.
    pub fn aim(&self) -> Aim {
        Aim {
            item: self.anchor.item,
            generation: self.anchor.generation,
        }
    }

    /// Whether free-form addresses on this host are allowed: its host loaded one there before.
    pub fn allows_host(&self, host: &str) -> bool {
        self.hosts.contains(host)
    }

    /// The number the next new item gets.
    pub fn next_item(&self) -> ItemId {
        self.items
            .last_key_value()
            .map_or(ItemId::new(1), |(last, _)| last.next())
    }

    /// Whether this item may be forgotten is the caller's to know: the queue's items may not.
    pub(super) fn add(
        &mut self,
        item: ItemId,
        media: &Media,
        title: Option<&Title>,
        start: MediaTime,
        by_host: bool,
    ) {
        if by_host && let Some(host) = media.host() {
            self.hosts.insert(host.to_owned());
        }
        self.items.insert(
            item,
            Item {
                media: media.clone(),
                title: title.cloned(),
                start,
                duration: None,
                seen: false,
            },
        );
    }

    /// Forgets the oldest items past [`ITEMS_KEPT`], except what is on and what `kept` names.
    pub(super) fn forget(&mut self, kept: impl Fn(ItemId) -> bool) {
        while self.items.len() > ITEMS_KEPT {
            let on = self.anchor.item;
            let Some(oldest) = self
                .items
                .keys()
                .copied()
                .find(|item| *item != on && !kept(*item))
            else {
                return;
            };
            self.items.remove(&oldest);
        }
    }

    pub(super) fn cued(&mut self, item: ItemId, position: MediaTime, at: SessionTime) {
        if let Some(known) = self.items.get_mut(&item) {
            known.seen = true;
        }
        self.anchor = Anchor {
            item,
            generation: self.anchor.generation.next(),
            at,
            position,
            rate: self.anchor.rate,
            playing: false,
        };
    }

    pub(super) fn measured(&mut self, item: ItemId, duration: Micros) {
        if let Some(item) = self.items.get_mut(&item) {
            item.duration = Some(duration);
        }
    }

    pub(super) fn played(&mut self, position: MediaTime, start: SessionTime) {
        self.anchor = Anchor {
            at: start,
            position,
            playing: true,
            ..self.anchor
        };
    }

    pub(super) fn paused(&mut self, position: MediaTime, at: SessionTime) {
        self.anchor = Anchor {
            at,
            position,
            playing: false,
            ..self.anchor
        };
    }

    pub(super) fn seeked(&mut self, position: MediaTime, start: SessionTime) {
        self.anchor = Anchor {
            at: start,
            position,
            generation: self.anchor.generation.next(),
            ..self.anchor
        };
    }

    pub(super) fn rate_set(&mut self, rate: Rate, position: MediaTime, at: SessionTime) {
        // A scheduled start that is still ahead stays where it was.
        let at = if self.anchor.playing {
            self.anchor.at.max(at)
        } else {
            at
        };
        self.anchor = Anchor {
            at,
            position,
            rate,
            ..self.anchor
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn playing(at: u64, position: u64, rate: u16) -> Anchor {
        Anchor {
            at: SessionTime::new(at),
            position: MediaTime::new(position),
            rate: Rate::from_millis(rate).unwrap(),
            playing: true,
            ..Anchor::default()
        }
    }

    #[test]
    fn a_film_stands_still_until_its_scheduled_start() {
        let anchor = playing(5_000_000, 60_000_000, 1_000);
        assert_eq!(
            anchor.position(SessionTime::ZERO, None),
            MediaTime::from_secs(60)
        );
        assert_eq!(
            anchor.position(SessionTime::from_secs(7), None),
            MediaTime::from_secs(62)
        );
    }

    #[test]
    fn a_film_stops_at_its_end() {
        let anchor = playing(0, 0, 2_000);
        let length = Some(Micros::from_secs(10));
        assert_eq!(
            anchor.position(SessionTime::from_secs(60), length),
            MediaTime::from_secs(10)
        );
    }

    proptest! {
        #[test]
        fn rebasing_does_not_bend_the_line(at in 0u64..1 << 40, position in 0u64..1 << 40, rate in 250u16..=4_000,
                                           now in 0u64..1 << 41, later in 0i64..1 << 40) {
            let anchor = playing(at, position, rate);
            let now = SessionTime::new(now);
            let then = now + Micros::new(later);
            let (kept, moved) = (anchor.position(then, None), anchor.rebased(now, None).position(then, None));
            // Each rebase rounds down to a microsecond once.
            prop_assert!((kept - moved).abs() <= Micros::new(1));
        }
    }
}
