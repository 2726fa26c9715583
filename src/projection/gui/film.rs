//! What was typed as a film, looked at before it is sent: the text stays where it can be mended.
//!
//! The room decides in the end; this only saves the way to it for what can be told here, and knows
//! one thing the room does not: which player this person chose.

use std::path::Path;
use std::sync::Arc;

use super::data::App;
use crate::engine::media;

/// What a path is answered with by those who watch in Chrome and have mpv.
pub const CHOOSE_MPV: &str = "Chrome cannot share a film from your disk. Paste a web link, or leave and choose Watch in mpv on the first screen.";
/// The same on the first screen itself.
pub const CHOOSE_MPV_HERE: &str =
    "Chrome cannot share a film from your disk. Choose Watch in mpv, or paste a web link.";
/// The same for those who have no mpv.
pub const NEED_MPV: &str =
    "Chrome cannot share a film from your disk. Paste a web link, or install mpv for such films.";
/// What a path without a file is answered with.
pub const NO_FILE: &str =
    "There is no such file. Type its whole path, from the first / to the end.";

impl App {
    /// Why that text names nothing to watch, as a sentence that says what to do.
    pub fn not_a_film(&self, typed: &str) -> Option<Arc<str>> {
        if looks_like_a_path(typed) {
            let choice = (self.draft.has_mpv, self.draft.mpv, self.start().is_some());
            return match choice {
                (true, true, _) => (!Path::new(typed).is_file()).then(|| NO_FILE.into()),
                (true, false, true) => Some(CHOOSE_MPV_HERE.into()),
                (true, false, false) => Some(CHOOSE_MPV.into()),
                (false, ..) => Some(NEED_MPV.into()),
            };
        }
        let refused = media::parse(typed).err()?;
        Some(refused.to_string().into())
    }
}

/// Whether somebody who typed that meant a file of theirs.
fn looks_like_a_path(typed: &str) -> bool {
    let mut letters = typed.chars();
    let drive = matches!(
        (letters.next(), letters.next(), letters.next()),
        (Some('a'..='z' | 'A'..='Z'), Some(':'), Some('\\' | '/'))
    );
    let rooted = ["/", "~", "./", "../", "\\\\"];
    let rooted = rooted.iter().any(|start| typed.starts_with(start));
    let scheme = typed.get(..5).map(str::to_ascii_lowercase);
    drive || rooted || scheme.as_deref() == Some("file:")
}

#[cfg(test)]
mod tests {
    use super::super::{Remembered, Screen};
    use super::*;

    fn says(mpv: Option<bool>, typed: &str) -> Option<String> {
        let remembered = Remembered {
            mpv,
            ..Remembered::default()
        };
        let app = App::new(Screen::default(), remembered);
        app.not_a_film(typed).map(|sentence| sentence.to_string())
    }

    #[test]
    fn a_path_is_answered_by_what_the_chosen_player_can_do() {
        let paths = [
            "/home/ana/Stalker.mkv",
            "~/Stalker.mkv",
            "file:///home/ana/Stalker.mkv",
            "FILE:///C:/Stalker.mkv",
            r"C:\films\Stalker.mkv",
            r"\\nas\films\Stalker.mkv",
        ];
        for path in paths {
            assert_eq!(says(None, path).as_deref(), Some(NEED_MPV), "{path}");
            assert_eq!(says(Some(false), path).as_deref(), Some(CHOOSE_MPV_HERE));
            assert_eq!(says(Some(true), path).as_deref(), Some(NO_FILE));
        }
        let here = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(says(Some(true), here.path().to_str().unwrap()), None);
    }

    #[test]
    fn everything_else_is_what_the_engine_says_of_it() {
        for good in [
            "https://youtu.be/YE7VzlLtp-4",
            "films.example/a.mp4",
            "c.example/x.mp4",
        ] {
            assert_eq!(says(None, good), None, "{good}");
        }
        let said = says(None, "this is nonsense").unwrap();
        assert!(said.starts_with("That is not a web address."), "{said}");
        assert!(says(None, "javascript:alert(1)").is_some());
        assert!(says(None, "é").is_some(), "and nothing is cut in a letter");
    }
}
