//! The desk while an evening is watched again: what the window asks is done to the replay, and
//! nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use super::{Desk, Next, player_shown};
use crate::cli::screening::{self, Screening};
use crate::os;
use crate::projection::gui::{Replay, ReplayAsk, Request, Screen};
use crate::projection::rewatch::{Order, Programme, Why};

/// An evening in the window, and what is said beside it.
pub(super) struct Showing {
    session: String,
    screening: Screening,
    why: Option<Arc<Why>>,
    export_to: Arc<str>,
    exported: Option<Result<Arc<str>, Arc<str>>>,
}

impl Desk {
    /// Reads a past session through.
    pub(super) async fn open_past(&self, session: String) -> Result<Showing> {
        let programme = screening::programme(&self.home, &session).await?;
        let export_to = target(&programme);
        let now = Arc::new(os::local_now);
        Ok(Showing {
            session,
            screening: Screening::new(programme, self.player(), now).await,
            why: None,
            export_to,
            exported: None,
        })
    }

    /// Shows an evening until it is left.
    pub(super) async fn rewatch(
        &mut self,
        mut showing: Showing,
        inbox: &mut mpsc::Receiver<Request>,
    ) -> Next {
        showing.screening.order(Order::Play).await;
        let next = loop {
            self.screen.send_replace(Screen::Replay(showing.shown()));
            tokio::select! {
                _scene = showing.screening.next() => {}
                request = inbox.recv() => match request {
                    None | Some(Request::Quit) => break Next::Close,
                    Some(Request::Replay(ReplayAsk::Leave)) => break Next::Serve,
                    Some(Request::Replay(asked)) => self.ask(&mut showing, asked).await,
                    Some(Request::OpenPlayer) => showing.screening.open_player(),
                    Some(Request::ClosePlayer) => showing.screening.close_player().await,
                    Some(Request::Theme(theme)) => self.remember_theme(theme),
                    // Asked of another screen, a moment too late.
                    Some(_) => {}
                },
            }
        };
        showing.screening.leave().await;
        self.read_sessions();
        self.lobby(None, None);
        next
    }

    async fn ask(&self, showing: &mut Showing, asked: ReplayAsk) {
        match asked {
            ReplayAsk::Order(order) => showing.screening.order(order).await,
            ReplayAsk::Why(seq) => match showing.screening.why(seq).await {
                Ok(why) => showing.why = Some(Arc::new(why)),
                Err(error) => showing.exported = Some(Err(format!("{error:#}").into())),
            },
            ReplayAsk::PutAway => {
                // What was said last goes first.
                if showing.exported.take().is_none() {
                    showing.why = None;
                }
            }
            ReplayAsk::Export(file) => {
                let written = screening::export(&self.home, &showing.session, &file).await;
                showing.exported = Some(match written {
                    Ok(exported) => Ok(told(&file, exported.lost.is_some()).into()),
                    Err(error) => Err(format!("{error:#}").into()),
                });
                showing.export_to = target(showing.screening.programme());
            }
            ReplayAsk::Leave => {}
        }
    }
}

impl Showing {
    fn shown(&self) -> Replay {
        Replay {
            view: self.screening.view(),
            programme: Arc::clone(self.screening.programme()),
            projector: self.screening.projector(),
            player: player_shown(self.screening.player()),
            why: self.why.clone(),
            export_to: Arc::clone(&self.export_to),
            exported: self.exported.clone(),
        }
    }
}

fn told(file: &Path, damaged: bool) -> String {
    let whole = if damaged {
        "what is whole of the session"
    } else {
        "the whole session"
    };
    format!(
        "Written: {}. It holds {whole}; whoever has it can add it with `seance import`.",
        file.display()
    )
}

/// Where a copy is offered to be put: among the downloads, named by the evening and its day.
fn target(programme: &Programme) -> Arc<str> {
    let folders = directories::UserDirs::new();
    let folder = folders
        .as_ref()
        .map(|folders| folders.download_dir().unwrap_or(folders.home_dir()))
        .filter(|folder| folder.is_dir())
        .map_or_else(|| PathBuf::from("."), Path::to_owned);
    let name = file_name(
        programme.title(),
        programme.opened_wall(),
        &TimeZone::system(),
    );
    let free = (1..).map(|copy| {
        folder.join(match copy {
            1 => format!("{name}.seance"),
            copy => format!("{name}-{copy}.seance"),
        })
    });
    let mut free = free.filter(|path| !path.exists());
    let path = free.next().expect("some number is free");
    path.display().to_string().into()
}

/// `film-night-2026-11-12`: letters and digits of any script, and nothing a file system minds.
fn file_name(title: &str, opened_wall: u64, zone: &TimeZone) -> String {
    const LETTERS_MAX: usize = 40;
    let mut name = String::new();
    for letter in title.to_lowercase().chars().take(LETTERS_MAX) {
        if letter.is_alphanumeric() {
            name.push(letter);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_end_matches('-');
    let name = if name.is_empty() { "session" } else { name };
    let day = i64::try_from(opened_wall)
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_zoned(zone.clone());
    format!("{name}-{}", day.strftime("%Y-%m-%d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_named_by_its_evening_and_cannot_leave_its_folder() {
        let name = |title: &str| file_name(title, 1_795_349_700_000, &TimeZone::UTC);
        assert_eq!(name("Film night"), "film-night-2026-11-22");
        assert_eq!(name("../../etc/passwd"), "etc-passwd-2026-11-22");
        assert_eq!(name("  …!  "), "session-2026-11-22");
        assert_eq!(name("Ça, c'était « bien »"), "ça-c-était-bien-2026-11-22");
        assert!(name(&"x".repeat(400)).len() < 60);
    }
}
