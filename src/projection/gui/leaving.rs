//! Leaving one's own party, which ends it for everybody in it: asked about once, while anybody is.

use druid::Data;

use super::data::App;
use super::theme::Tone;
use crate::projection::view::Link;

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
            room.hosting && !matches!(room.view.link, Link::Over(_)) && self.others() > 0
        })
    }

    /// How many others are here.
    fn others(&self) -> usize {
        let Some(view) = self.view() else { return 0 };
        let others = view.state.roster.present();
        others.filter(|(id, _)| Some(*id) != view.me).count()
    }

    /// What is asked before going, once somebody wants to.
    pub fn leaving_line(&self) -> Option<(Tone, String)> {
        self.leaving.filter(|_| self.ends_it_for_others())?;
        let view = self.view()?;
        let mut others = view.state.roster.present();
        let first = others.find(|(id, _)| Some(*id) != view.me)?.1;
        let who = match self.others() {
            // Begun from the left (U+200E), whatever the name is written in.
            1 => format!("\u{200E}{} is still here.", first.name),
            many => format!("{many} others are still here."),
        };
        Some((
            Tone::Warn,
            format!(
                "{who} When you go, the party ends for everybody. You can reopen it later, under Past sessions."
            ),
        ))
    }
}
