//! What a line of chat holds besides words: who is meant, and where it leads.
//!
//! Nothing of it is stored: it is found in the text again by whoever shows it,
//! as byte ranges. A link is plain data until a person follows it; only `http`
//! and `https` are links at all.

use std::ops::Range;

use crate::engine::fold::roster::Roster;
use crate::engine::id::MemberId;

/// A piece of a line that means more than its letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// `@Ana`: this member.
    Mention(Range<usize>, MemberId),
    /// `https://…`: an address.
    Link(Range<usize>),
}

/// What a line holds, in order; pieces do not overlap.
pub fn pieces(text: &str, roster: &Roster) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find(['@', 'h', 'H']).map(|at| from + at) {
        let begins = text[..start]
            .chars()
            .next_back()
            .is_none_or(|before| !before.is_alphanumeric());
        let piece = begins.then(|| piece_at(text, start, roster)).flatten();
        from = match &piece {
            Some(Piece::Mention(range, _) | Piece::Link(range)) => range.end,
            None => start + 1,
        };
        found.extend(piece);
    }
    found
}

fn piece_at(text: &str, start: usize, roster: &Roster) -> Option<Piece> {
    let rest = &text[start..];
    match rest.strip_prefix('@') {
        Some(called) => {
            let (id, length) = mentioned(called, roster)?;
            Some(Piece::Mention(start..start + 1 + length, id))
        }
        None => link(rest).map(|length| Piece::Link(start..start + length)),
    }
}

/// The member with the longest name that the text begins with, and that name's length in it.
fn mentioned(text: &str, roster: &Roster) -> Option<(MemberId, usize)> {
    roster
        .iter()
        .filter_map(|(id, member)| {
            let name = member.name.as_str();
            let head = text.get(..name.len())?;
            let ends = text[name.len()..]
                .chars()
                .next()
                .is_none_or(|after| !after.is_alphanumeric());
            (ends && head.to_lowercase() == name.to_lowercase()).then_some((id, name.len()))
        })
        .max_by_key(|(id, length)| (*length, std::cmp::Reverse(*id)))
}

/// How many bytes of the text are an address, without what a sentence puts behind one.
fn link(text: &str) -> Option<usize> {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| {
        text.get(..scheme.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    })?;
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let address =
        text[..end].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '"', '”', '\'']);
    (address.len() > scheme.len() && url::Url::parse(address).is_ok()).then_some(address.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::{Body, Client, Event, Header, Role};
    use crate::engine::fold::RoomState;
    use crate::engine::id::Seq;
    use proptest::prelude::*;

    fn room(names: &[&str]) -> RoomState {
        let mut state = RoomState::default();
        for (number, name) in (1..).zip(names) {
            let header = Header {
                seq: Seq::new(u64::from(number)),
                epoch: Default::default(),
                stamp: Default::default(),
                at: Default::default(),
                wall: 0,
                by: None,
                via: Default::default(),
                cause: None,
                intent: None,
            };
            let body = Body::Joined {
                member: MemberId::new(number),
                name: name.parse().unwrap(),
                role: Role::Guest,
                client: Client::Page,
            };
            state.apply(&Event { header, body });
        }
        state
    }

    #[test]
    fn mentions_and_links_are_found_where_they_stand() {
        let state = room(&["Ana", "Ana Maria", "Éva"]);
        let text =
            "@ana maria, see (https://a.example/x?y=1). @Éva! mail@Ana @Anabel http:// https:";
        let found: Vec<_> = pieces(text, &state.roster)
            .into_iter()
            .map(|piece| match piece {
                Piece::Mention(range, member) => (text[range].to_owned(), member.get()),
                Piece::Link(range) => (text[range].to_owned(), 0),
            })
            .collect();
        let wanted = [
            ("@ana maria", 2),
            ("https://a.example/x?y=1", 0),
            ("@Éva", 3),
        ];
        let wanted = wanted.map(|(text, member)| (text.to_owned(), member));
        assert_eq!(found, wanted);
    }

    proptest! {
        #[test]
        fn any_line_is_read_and_pieces_never_overlap(text in "[@hA-Za-zé🎉:/. ]{0,80}|.{0,80}") {
            let state = room(&["Ana", "é", "h"]);
            let mut end = 0;
            for piece in pieces(&text, &state.roster) {
                let (Piece::Mention(range, _) | Piece::Link(range)) = piece;
                prop_assert!(range.start >= end && text.is_char_boundary(range.start) && text.is_char_boundary(range.end));
                end = range.end;
            }
        }
    }
}
