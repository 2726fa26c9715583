//! What becomes of a player's word that it does not show the film: told once, of oneself, about what is on.

use super::decide::{Scene, line};
use crate::engine::event::{Action, Body, Inability};
use crate::engine::id::{ItemId, MemberId};
use crate::engine::intent::Refusal;
use crate::engine::unit::Micros;

impl Scene<'_> {
    /// A member's own player does not show what is on, or does again; the same again is no news.
    pub(super) fn unable(
        &self,
        by: MemberId,
        item: ItemId,
        why: Option<Inability>,
        words: Option<&str>,
    ) -> Result<Vec<Body>, Refusal> {
        let Self { state, .. } = *self;
        self.item(item)?;
        let known = state.unable.get(by).map(|trouble| trouble.why);
        if item != state.timeline.anchor.item || known == why {
            return Ok(Vec::new());
        }
        let Some(why) = why else {
            return Ok(vec![seen(item)]);
        };
        // Words are talk: of whoever may not talk, or not as often, the reason is told alone.
        let slowed = state.rules.slow > Micros::ZERO;
        let heard = state.may(by, Action::Chat) && (!slowed || state.may(by, Action::Moderate));
        let words = words.filter(|_| heard && why == Inability::Other);
        // What cannot be shown is left out; the reason counts.
        let words = words.and_then(|words| line(words).ok());
        Ok(vec![Body::Unable {
            item,
            why: Some(why),
            words,
        }])
    }
}

/// Its author's player shows the item after all.
pub(super) fn seen(item: ItemId) -> Body {
    Body::Unable {
        item,
        why: None,
        words: None,
    }
}
