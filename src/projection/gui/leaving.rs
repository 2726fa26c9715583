//! Leaving one's own party, which ends it for everybody in it: asked about once, while anybody is.

use druid::Data;

use super::data::App;
use super::theme::Tone;
use crate::engine::fold::roster::Member;
use crate::projection::view::{Link, View};

/// How the person wants to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Data)]
pub enum Leaving {
    /// Back to the start.
    ToStart,
    /// Out of the program.
    CloseWindow,
}

impl App {
    /// Whether going now would end the party for others, so that it is asked first.
    pub fn ends_it_for_others(&self) -> bool {
        self.room().is_some_and(|room| {
            let is_on = !matches!(room.view.link, Link::Over(_));
            room.hosting && is_on && others(&room.view).next().is_some()
        })
    }

    /// What is asked before going, once somebody wants to.
    pub fn leaving_line(&self) -> Option<(Tone, String)> {
        self.leaving.filter(|_| self.ends_it_for_others())?;
        let mut others = others(self.view()?);
        let first = others.next()?;
        let who = match others.count() {
            // Begun from the left (U+200E), whatever the name is written in.
            0 => format!("\u{200E}{} is still here.", first.name),
            more => format!("{} others are still here.", more + 1),
        };
        Some((
            Tone::Warn,
            format!(
                "{who} When you go, the party ends for everybody. You can reopen it later, under Past sessions."
            ),
        ))
    }
}

/// Who is here besides the person at this window.
fn others(view: &View) -> impl Iterator<Item = &Member> {
    let present = view.state.roster.present();
    present.filter_map(|(id, member)| (Some(id) != view.me).then_some(member))
}
