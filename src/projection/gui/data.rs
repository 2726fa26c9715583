//! What the window holds, in two halves, and every sentence it makes of it.
//!
//! [`App::screen`] is a projection: only the bridge replaces it, whole.
//! [`App::draft`] is what the person typed and chose and nobody else has seen;
//! no new screen ever touches it. All wording and arithmetic of the panes is
//! here, free of widgets, so that it can be tested as plain functions.

use std::sync::Arc;

use druid::{Data, Lens};

use super::leaving::Leaving;
use super::theme::{Theme, Tone};
use super::together::{CHOICES_MAX, Sheet};
use super::{PlayerState, Remembered, Request, Room, Screen, Start, Ways};
use crate::engine::event::{Action, HoldReason, QueueMode, Role, Via};
use crate::engine::fold::entrance::OWN_LINK;
use crate::engine::fold::history::Deed;
use crate::engine::fold::timeline::Anchor;
use crate::engine::id::{ItemId, MemberId, Seq};
use crate::engine::intent::Intent;
use crate::engine::presence::{Activity, Report};
use crate::engine::sequencer::authorise;
use crate::engine::text::Passcode;
use crate::engine::unit::{LocalTime, MediaTime, Micros, Rate};
use crate::os::local_now;
use crate::projection::view::{self, Link, SessionRow, View, Wish};

/// Everything in the window.
#[derive(Clone, Debug, Data, Lens)]
pub struct App {
    /// What is shown; only the bridge writes it.
    pub screen: Arc<Screen>,
    /// What is being typed and chosen; only the person writes it.
    pub draft: Draft,
    /// A passing word of the window itself.
    pub note: Option<Note>,
    /// The trouble that was read and put away, so that it is not shown again.
    pub dismissed: Option<Arc<str>>,
    /// What is offered to be taken back, for a few seconds after it was done.
    #[data(eq)]
    pub offer: Option<Seq>,
    /// About whom a moderator wants to do something.
    #[data(eq)]
    pub chosen: Option<MemberId>,
    /// How many seconds the room waits still, while it does.
    pub waiting_secs: Option<u64>,
    /// How many seconds are counted down to the start, while they are.
    pub starting_secs: Option<u64>,
    /// What is laid over the stage, if something is.
    #[data(eq)]
    pub sheet: Option<Sheet>,
    /// The ready check that this person answered with “Not yet”.
    #[data(eq)]
    pub not_yet: Option<Seq>,
    /// How the person wants to go, while it is asked whether they mean it.
    pub leaving: Option<Leaving>,
    /// Whether it is asked where to put a copy of a past session.
    pub exporting: bool,
    /// Whether a text field took the key that is being handled: then it is no shortcut.
    pub typing: bool,
}

/// What a person typed and chose and has not sent.
#[derive(Clone, Debug, Default, Data, Lens)]
pub struct Draft {
    /// What they want to be called.
    pub name: String,
    /// The party's title.
    pub title: String,
    /// Whether people on this network can join.
    pub lan: bool,
    /// Whether friends elsewhere come in at all, by what is chosen below.
    pub elsewhere: bool,
    /// Whether friends elsewhere come in through ngrok.
    pub ngrok: bool,
    /// Whether it is chosen at which address of ngrok's, and where ngrok is entered.
    pub ngrok_more: bool,
    /// The address of one's own at ngrok.
    pub domain: String,
    /// The word of the region where ngrok is entered; none is the nearest.
    #[data(eq)]
    pub region: Option<&'static str>,
    /// Whether the router is asked to open a port.
    pub port: bool,
    /// Whether friends elsewhere come in by an address of the host's own.
    pub own: bool,
    /// That address.
    pub place: String,
    /// A film to begin with.
    pub film: String,
    /// A party's link.
    pub link: String,
    /// What that party asks newcomers for.
    pub passcode: String,
    /// A chat message.
    pub message: String,
    /// A film's address, in the room.
    pub address: String,
    /// Where to put a copy of a past session.
    pub export: String,
    /// What a poll is to ask.
    pub question: String,
    /// What there is to choose.
    pub choices: [String; CHOICES_MAX],
    /// How long what is allowed or forbidden next is to last; `None` is for good.
    #[data(eq)]
    pub lasts: Option<Micros>,
    /// Which face the window wears.
    pub theme: Theme,
    /// Whether this machine has an mpv to choose.
    pub has_mpv: bool,
    /// Whether it is chosen.
    pub mpv: bool,
}

impl Draft {
    /// Whether a way is chosen by which friends elsewhere come in.
    fn has_way(&self) -> bool {
        self.ngrok || self.port || self.own
    }
}

/// A passing word of the window itself.
#[derive(Clone, Debug, PartialEq, Eq, Data)]
pub enum Note {
    /// The invite is on the clipboard.
    Copied,
    /// Something is missing or did not work; the sentence says what to do.
    Problem(&'static str),
    /// What was typed as a film is none; the sentence says what to paste.
    Film(Arc<str>),
}

/// The title of a party nobody named.
pub const TITLE_DEFAULT: &str = "Film night";
/// What an empty name is answered with.
pub const NAME_MISSING: &str = "Type your name first, so that the others know who you are.";
/// What an empty link is answered with.
pub const LINK_MISSING: &str = "Paste the link the host sent you first.";
/// What choosing ngrok without a token is answered with.
pub const TOKEN_MISSING: &str =
    "ngrok needs your token first: copy it from its page, then press Paste token.";
/// What letting in friends from elsewhere by no way at all is answered with.
pub const WAY_MISSING: &str =
    "Choose how friends elsewhere come in, or let in only people on this network.";
/// What choosing an own address without one is answered with.
pub const PLACE_MISSING: &str = "Type your own address first, such as https://party.example.org.";
/// What pasting something else than text is answered with.
pub const NOTHING_TO_PASTE: &str = "Nothing is copied. Copy the token from ngrok's page first.";
/// What is said when nobody takes requests.
pub const DEAF: &str = "The program does not answer. Close the window and start it again.";

/// How fast a room can be set to play from the window, in thousandths: what players keep in tune.
pub const RATES: [u16; 5] = [750, 1_000, 1_250, 1_500, 2_000];

impl App {
    /// A window that shows `screen` first.
    pub fn new(screen: Screen, remembered: Remembered) -> Self {
        Self {
            screen: Arc::new(screen),
            draft: Draft {
                name: remembered.name,
                theme: remembered.theme,
                elsewhere: remembered.ways != Ways::default(),
                ngrok: remembered.ways.ngrok,
                ngrok_more: remembered.ways.domain.is_some() || remembered.ways.region.is_some(),
                domain: remembered.ways.domain.unwrap_or_default(),
                region: remembered.ways.region,
                port: remembered.ways.port,
                own: remembered.ways.own.is_some(),
                place: remembered.ways.own.unwrap_or_default(),
                has_mpv: remembered.mpv.is_some(),
                mpv: remembered.mpv.unwrap_or(false),
                lan: true,
                ..Draft::default()
            },
            note: None,
            dismissed: None,
            offer: None,
            chosen: None,
            waiting_secs: None,
            starting_secs: None,
            sheet: None,
            not_yet: None,
            leaving: None,
            exporting: false,
            typing: false,
        }
    }

    /// The start screen, if that is on.
    pub fn start(&self) -> Option<&Start> {
        match &*self.screen {
            Screen::Start(start) => Some(start),
            Screen::Room(_) | Screen::Replay(_) => None,
        }
    }

    /// The room, if one is entered.
    pub fn room(&self) -> Option<&Room> {
        match &*self.screen {
            Screen::Start(_) | Screen::Replay(_) => None,
            Screen::Room(room) => Some(room),
        }
    }

    /// What there is to draw of the room, if one is entered.
    pub fn view(&self) -> Option<&View> {
        match &*self.screen {
            Screen::Start(_) => None,
            Screen::Room(room) => Some(&room.view),
            Screen::Replay(replay) => Some(&replay.view),
        }
    }

    /// How this program's own film player stands.
    pub fn player(&self) -> PlayerState {
        match &*self.screen {
            Screen::Start(_) => PlayerState::Closed,
            Screen::Room(room) => room.player,
            Screen::Replay(replay) => replay.player,
        }
    }

    /// What the desktop's task bar shows.
    pub fn window_title(&self) -> String {
        match self.replay_title().as_deref().or(self.room_title()) {
            Some(title) => format!("{title} · Séance"),
            None => "Séance".to_owned(),
        }
    }

    /// What people call the party.
    pub fn room_title(&self) -> Option<&str> {
        Some(self.view()?.state.title.as_ref()?.as_str())
    }

    /// What is missing or did not work, until it is there.
    pub fn problem(&self) -> Option<&str> {
        let sentence = match &self.note {
            Some(Note::Problem(sentence)) => *sentence,
            Some(Note::Film(sentence)) => return Some(sentence),
            Some(Note::Copied) | None => return None,
        };
        let filled = match sentence {
            NAME_MISSING => !self.draft.name.trim().is_empty(),
            LINK_MISSING => !self.draft.link.trim().is_empty(),
            TOKEN_MISSING => self.has_token() || !(self.draft.elsewhere && self.draft.ngrok),
            PLACE_MISSING => {
                let place = self.draft.place.trim();
                !(self.draft.elsewhere && self.draft.own && place.is_empty())
            }
            WAY_MISSING => !self.draft.elsewhere || self.draft.has_way(),
            _ => false,
        };
        (!filled).then_some(sentence)
    }

    /// Whether the program is busy with something that must end before the next.
    pub fn busy(&self) -> bool {
        self.start().is_some_and(|start| start.busy.is_some())
    }

    /// Whether something is loaded.
    pub fn loaded(&self) -> bool {
        self.view()
            .is_some_and(|view| view.state.timeline.current().is_some())
    }

    /// Whether the film runs, or is about to.
    pub fn playing(&self) -> bool {
        let runs = self.replay().is_none() || self.replaying(local_now());
        let playing = |view: &View| view.state.timeline.anchor.playing;
        runs && self.view().is_some_and(playing)
    }

    /// Whether what this person does can reach the room.
    pub fn connected(&self) -> bool {
        self.view()
            .is_some_and(|view| matches!(view.link, Link::Live | Link::CatchingUp))
    }

    /// Whether the room would let this person do that now.
    pub fn may(&self, action: Action) -> bool {
        self.connected() && self.view().is_some_and(|view| view.may(action))
    }

    /// Whether what this button of the transport does can be done.
    pub fn controllable(&self, action: Action) -> bool {
        self.loaded() && self.may(action)
    }

    /// Whether this person may put another film on.
    pub fn may_load(&self) -> bool {
        self.may(Action::Play) && self.may(Action::Queue)
    }

    /// Where the film stands at `now`.
    pub fn position(&self, now: LocalTime) -> MediaTime {
        self.view().map_or(MediaTime::ZERO, |view| {
            if self.replay().is_some() {
                view.state.timeline.position(self.moment(now))
            } else {
                view.position(now)
            }
        })
    }

    /// How long the film is, where known.
    pub fn duration(&self) -> Option<Micros> {
        self.view()?.state.timeline.duration()
    }

    /// How fast the room plays.
    pub fn rate(&self) -> Rate {
        self.view()
            .map_or(Rate::NORMAL, |view| view.state.timeline.anchor.rate)
    }

    /// The line the film is on.
    pub fn anchor(&self) -> Anchor {
        self.view()
            .map_or_else(Anchor::default, |view| view.state.timeline.anchor)
    }

    /// `at`, held inside the film.
    pub fn inside(&self, at: MediaTime) -> MediaTime {
        self.duration()
            .map_or(at, |length| at.min(MediaTime::ZERO + length))
    }

    /// What hosting with this draft asks, or what is missing.
    ///
    /// # Errors
    /// The sentence to show when the draft is not complete.
    pub fn host(&self) -> Result<Request, &'static str> {
        let filled = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Ok(Request::Host {
            name: filled(&self.draft.name).ok_or(NAME_MISSING)?,
            title: filled(&self.draft.title).unwrap_or_else(|| TITLE_DEFAULT.to_owned()),
            lan: self.draft.lan,
            media: filled(&self.draft.film),
            ways: self.ways()?,
        })
    }

    /// By what friends elsewhere are to come in, or what is missing.
    fn ways(&self) -> Result<Ways, &'static str> {
        if !self.draft.elsewhere {
            return Ok(Ways::default());
        }
        if !self.draft.has_way() {
            return Err(WAY_MISSING);
        }
        if self.draft.ngrok && !self.has_token() {
            return Err(TOKEN_MISSING);
        }
        let place = self.draft.place.trim();
        let more = self.draft.ngrok && self.draft.ngrok_more;
        let domain = Some(self.draft.domain.trim()).filter(|domain| more && !domain.is_empty());
        Ok(Ways {
            ngrok: self.draft.ngrok,
            domain: domain.map(str::to_owned),
            region: self.draft.region.filter(|_| more),
            port: self.draft.port,
            own: match (self.draft.own, place) {
                (false, _) => None,
                (true, "") => return Err(PLACE_MISSING),
                (true, place) => Some(place.to_owned()),
            },
        })
    }

    /// Whether a token for ngrok is kept.
    pub fn has_token(&self) -> bool {
        self.start().is_some_and(|start| start.token)
    }

    /// The banner about the ways from elsewhere: what does not stand, or what may be in the way of
    /// those who try.
    pub fn ways_banner(&self) -> Option<(Tone, String)> {
        let room = self.room()?;
        let troubled = room.ways.iter().find_map(|way| {
            let trouble = way.trouble.as_ref()?;
            let tone = if way.failed { Tone::Bad } else { Tone::Warn };
            // ngrok's own reasons begin with its name.
            let named = trouble.starts_with(way.name);
            let name = if named {
                String::new()
            } else {
                format!("{}: ", way.name)
            };
            Some((tone, format!("{name}{trouble}")))
        });
        let opening = || {
            let way = room.ways.iter().find(|way| way.state == "connecting")?;
            Some((Tone::Info, format!("Opening the way by {} …", way.name)))
        };
        let hint = || Some((Tone::Info, room.hint.as_ref()?.to_string()));
        troubled.or_else(opening).or_else(hint)
    }

    /// Whether another token could help a way that failed.
    pub fn may_paste_token(&self) -> bool {
        self.room().is_some_and(|room| {
            room.ways
                .iter()
                .any(|way| way.failed && way.name == "ngrok")
        })
    }

    /// Whether a way failed, so that opening it again is for a person to decide.
    pub fn may_retry_ways(&self) -> bool {
        self.room()
            .is_some_and(|room| room.ways.iter().any(|way| way.failed))
    }

    /// What joining with this draft asks, or what is missing.
    ///
    /// # Errors
    /// The sentence to show when the draft is not complete.
    pub fn join(&self) -> Result<Request, &'static str> {
        let name = self.draft.name.trim();
        let link = self.draft.link.trim();
        match (name, link) {
            ("", _) => Err(NAME_MISSING),
            (_, "") => Err(LINK_MISSING),
            _ => Ok(Request::Join {
                link: link.to_owned(),
                name: name.to_owned(),
                passcode: match self.draft.passcode.trim() {
                    "" => None,
                    typed => Some(Passcode::new(typed)?),
                },
            }),
        }
    }

    /// What opening that session again asks, or what is missing.
    ///
    /// # Errors
    /// The sentence to show when the draft is not complete.
    pub fn reopen(&self, session: &str) -> Result<Request, &'static str> {
        match self.draft.name.trim() {
            "" => Err(NAME_MISSING),
            name => Ok(Request::Reopen {
                session: session.to_owned(),
                name: name.to_owned(),
            }),
        }
    }

    /// Play when the film stands, pause at the frame on the screen when it runs.
    pub fn toggle(&self, now: LocalTime) -> Option<Intent> {
        self.controllable(Action::Play).then(|| {
            if self.playing() {
                Intent::Pause {
                    at: Some(self.position(now)),
                }
            } else {
                Intent::Play {}
            }
        })
    }

    /// A move by so many seconds from where the film stands, held inside it.
    pub fn skip(&self, seconds: f64, now: LocalTime) -> Option<Intent> {
        let by = Micros::new((seconds * 1e6) as i64);
        self.controllable(Action::Seek).then(|| Intent::Seek {
            to: self.inside(self.position(now) + by),
        })
    }

    /// Going on to what comes next, if something does.
    pub fn next(&self) -> Option<Intent> {
        let state = &self.view()?.state;
        let next = state.queue.upcoming().filter(|_| self.may_load())?.item;
        Some(match state.timeline.current() {
            Some((item, _)) => Intent::Next { item },
            None => Intent::PlayNow { item: next },
        })
    }

    /// Taking back what is offered to be; without an offer, whatever was done last.
    pub fn undo(&self) -> Option<Intent> {
        let seq = self.offered().map(|deed| deed.seq);
        self.connected().then_some(Intent::Undo { seq })
    }

    fn offered(&self) -> Option<&Deed> {
        view::undo_of(&self.view()?.state, self.offer?)
    }

    /// What somebody did a moment ago, and whether this person may take it back.
    pub fn undo_line(&self) -> Option<(String, bool)> {
        let deed = self.offered()?;
        let story = &self.view()?.story;
        let place = story.binary_search_by_key(&deed.seq, |entry| entry.seq);
        let sentence = story[place.ok()?].text.clone();
        let may = deed.remedy.needs().iter().all(|action| self.may(*action));
        Some((sentence, may))
    }

    /// Why the film stands, while the room waits: "Waiting for Lou: loading (3 s)".
    pub fn hold_line(&self) -> Option<String> {
        let view = self.view().filter(|view| view.link == Link::Live)?;
        let hold = view.state.hold.as_ref();
        // A ready check has a bar of its own.
        hold.filter(|hold| hold.reason != HoldReason::ReadyCheck)?;
        let line = view.waiting()?;
        Some(match self.waiting_secs {
            Some(secs) => format!("{line} ({secs}\u{a0}s)"),
            None => line,
        })
    }

    /// What waits in the queue, first first.
    pub fn queue(&self) -> Vec<Queued> {
        let Some(view) = self.view() else {
            return Vec::new();
        };
        let queue = &view.state.queue;
        let next = queue.upcoming().map(|entry| entry.item);
        let queued = queue.entries.iter().map(|entry| Queued {
            item: entry.item,
            title: match view.state.timeline.item(entry.item) {
                Some(known) => known.label(),
                None => format!("item {}", entry.item),
            },
            by: match entry.by {
                Some(by) if Some(by) == view.me => "you".to_owned(),
                Some(by) => view.state.roster.name(by).to_owned(),
                None => String::new(),
            },
            next: Some(entry.item) == next,
            playable: self.may_load(),
            removable: self.may(Action::Queue)
                && (entry.by == view.me || self.may(Action::Moderate)),
            votes: (queue.mode == QueueMode::Vote).then_some(entry.votes.len()),
            voted: view.me.is_some_and(|me| entry.votes.contains(&me)),
            votable: self.may(Action::Vote),
        });
        queued.collect()
    }

    /// What this person may do about a member; nothing about most, for most.
    pub fn deeds(&self, member: MemberId) -> Vec<(&'static str, Intent)> {
        let Some((view, me)) = self.view().and_then(|view| Some((view, view.me?))) else {
            return Vec::new();
        };
        let state = &view.state;
        let role = |role| Intent::SetRole { member, role };
        let (action, lasts) = (Action::Chat, None);
        let mute = if state.may(member, Action::Chat) {
            let deed = Intent::Revoke {
                member,
                action,
                lasts,
            };
            ("Mute", deed)
        } else {
            let deed = Intent::Grant {
                member,
                action,
                lasts,
            };
            ("Unmute", deed)
        };
        let here = state.roster.get(member).filter(|known| known.present);
        let host = if member == me {
            "Be the host again"
        } else {
            "Make host"
        };
        let deeds = [
            ("Make co-host", role(Role::CoHost)),
            ("Make guest", role(Role::Guest)),
            ("Make viewer", role(Role::Viewer)),
            mute,
            (host, Intent::HandOver { member }),
            ("Send out", Intent::Kick { member }),
            ("Shut out", Intent::Ban { member }),
        ];
        let sensible = |deed: &Intent| match (deed, here) {
            (_, None) => false,
            (Intent::HandOver { .. }, Some(known)) => known.role != Role::Host,
            // About themselves only what is theirs: to be the host again.
            _ if member == me => false,
            (Intent::SetRole { role, .. }, Some(known)) => known.role != *role,
            _ => true,
        };
        // The room's own rule, asked in advance.
        deeds
            .into_iter()
            .filter(|(_, deed)| {
                self.connected() && sensible(deed) && authorise(state, me, deed).is_ok()
            })
            .collect()
    }

    /// The member a moderator chose, and what may be done about them.
    pub fn chosen_deeds(&self) -> Vec<(&'static str, Intent)> {
        self.chosen
            .map_or_else(Vec::new, |member| self.deeds(member))
    }

    /// The banner under the header: how the connection stands when it is not simply live.
    pub fn banner(&self) -> Option<(Tone, String)> {
        let view = self.view()?;
        let with = |sentence: &str, reason: &str| match reason {
            "" => format!("{sentence}."),
            reason => format!("{sentence}. {reason}"),
        };
        match &view.link {
            Link::Live => None,
            Link::Connecting => Some((Tone::Info, "Connecting to the party…".to_owned())),
            Link::Waiting => Some((
                Tone::Info,
                "You knocked. Waiting for the host to let you in.".to_owned(),
            )),
            Link::CatchingUp => Some((Tone::Info, "Catching up with the party…".to_owned())),
            Link::Lost(reason) if self.playing() => {
                Some((Tone::Warn, with("Host offline, still playing", reason)))
            }
            Link::Lost(reason) => Some((Tone::Warn, with("Host offline, trying again", reason))),
            Link::Over(reason) => Some((Tone::Bad, with("This party is over", reason))),
        }
    }

    /// Who knocks, for those who may let them in: the first, and how many more.
    pub fn knock(&self) -> Option<(u64, String)> {
        let view = self.view().filter(|view| view.may(Action::Moderate))?;
        let first = view.knocks.first()?;
        let more = match view.knocks.len() - 1 {
            0 => String::new(),
            1 => " One more waits behind them.".to_owned(),
            more => format!(" {more} more wait behind them."),
        };
        Some((
            first.knock,
            format!("{} wants to come in.{more}", first.name),
        ))
    }

    /// The number of the link that is shown to be shared: the party's own, unless another is.
    pub fn shared_link(&self) -> Option<Seq> {
        let view = self.view()?;
        let shared = view.invite.as_ref()?;
        let made = view.links.iter().find(|(_, link)| *link == shared);
        Some(made.map_or(OWN_LINK, |(invite, _)| *invite))
    }

    /// What went wrong for this member last and was not put away yet.
    pub fn trouble(&self) -> Option<&Arc<str>> {
        let trouble = self.view()?.trouble.as_ref()?;
        let read = self
            .dismissed
            .as_ref()
            .is_some_and(|read| Arc::ptr_eq(read, trouble));
        (!read).then_some(trouble)
    }

    /// The name of what plays.
    pub fn film(&self) -> Option<String> {
        let view = self.view()?;
        view.state.timeline.current().map(|(_, item)| item.label())
    }

    /// Where it is shown, or how to get it shown.
    pub fn shown_where(&self) -> String {
        let Some(view) = self.view() else {
            return String::new();
        };
        match (&view.player, self.player()) {
            (Some(sentence), _) => sentence.to_string(),
            (None, PlayerState::Opening) => "Opening the player…".to_owned(),
            (None, PlayerState::Open) => "Playing in its own window.".to_owned(),
            (None, PlayerState::Closed) => "No player is open on this computer.".to_owned(),
        }
    }

    /// Whom the others wait for or miss, in one sentence; empty when nobody.
    pub fn waiting(&self) -> String {
        let Some(view) = self.view().filter(|_| self.loaded()) else {
            return String::new();
        };
        // While the room waits, that is said elsewhere, with the seconds.
        if view.state.hold.is_some() {
            return String::new();
        }
        let late: Vec<String> = view
            .state
            .roster
            .present()
            .filter(|(id, _)| Some(*id) != view.me)
            .filter_map(|(id, member)| {
                if let Some(trouble) = view.state.unable.get(id) {
                    let (name, reason) = (&member.name, trouble.reason());
                    return Some(format!("\u{200E}{name} cannot see it: {reason}"));
                }
                let activity = view.presence.get(&id)?.activity?;
                let what = match activity {
                    Activity::Loading => "is loading",
                    Activity::Stalled => "waits for data",
                    Activity::Advert => "is in an ad",
                    Activity::NeedsClick => "must click to start",
                    _ => return None,
                };
                // Begun from the left (U+200E), so that a name from right to left does not turn the
                // sentence; Pango takes its direction from the first letter, isolated or not.
                Some(format!("\u{200E}{} {what}", member.name))
            })
            .collect();
        match late.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [one, two] => format!("{one} · {two}"),
            [one, rest @ ..] => format!("{one} · {} more are not ready", rest.len()),
        }
    }

    /// Everybody who is here, as the list shows them: the viewer first, then by order of joining.
    pub fn people(&self) -> Vec<Person> {
        let Some(view) = self.view() else {
            return Vec::new();
        };
        let mut people: Vec<Person> = view
            .state
            .roster
            .present()
            .map(|(id, member)| {
                let (presence, tone) = match view.presence.get(&id) {
                    _ if view.state.unable.contains(id) => ("cannot see it".to_owned(), Tone::Warn),
                    Some(report) => presence(report),
                    None => (String::new(), Tone::Muted),
                };
                let role =
                    Some(view::role_word(member.role)).filter(|_| member.role != Role::Guest);
                let muted = !view.state.may(id, Action::Chat);
                let tags = [
                    (Some(id) == view.me).then_some("you"),
                    role,
                    muted.then_some("muted"),
                    (!member.awaited).then_some("not waited for"),
                ];
                let tags: Vec<&str> = tags.into_iter().flatten().collect();
                Person {
                    id,
                    name: member.name.as_str().to_owned(),
                    role: tags.join(", "),
                    presence,
                    tone,
                    chosen: self.chosen == Some(id),
                    governable: self.has_menu(id),
                }
            })
            .collect();
        people.sort_by_key(|person| (Some(person.id) != view.me, person.id));
        people
    }

    /// The line at the foot of the room: `live · clock ±2 ms · 812 events, saved`.
    pub fn status(&self) -> (Tone, String) {
        let Some(view) = self.view() else {
            return (Tone::Muted, String::new());
        };
        let (tone, link) = match &view.link {
            Link::Live => (Tone::Good, "live"),
            Link::Connecting => (Tone::Info, "connecting"),
            Link::Waiting => (Tone::Info, "at the door"),
            Link::CatchingUp => (Tone::Info, "catching up"),
            Link::Lost(_) => (Tone::Warn, "offline"),
            Link::Over(_) => (Tone::Bad, "over"),
        };
        let clock = match view.clock {
            // Rounded up: a bound that reads smaller than it is would be no bound.
            Some((_, bound)) => format!("clock ±{} ms", (bound.get() + 999) / 1_000),
            None => "clock not measured yet".to_owned(),
        };
        let events = view.events().get();
        let plural = if events == 1 { "" } else { "s" };
        let kept = if self.room().is_some_and(|room| room.hosting) {
            ", saved"
        } else {
            ""
        };
        (
            tone,
            format!(
                "{link} · {clock} · {} event{plural}{kept}{}",
                grouped(events),
                self.ways_words()
            ),
        )
    }

    /// The ways from elsewhere, a word each: " · ngrok online".
    fn ways_words(&self) -> String {
        let ways = self
            .room()
            .map(|room| room.ways.iter())
            .into_iter()
            .flatten();
        ways.map(|way| format!(" · {} {}", way.name, way.state))
            .collect()
    }

    /// A control intent from the window's own buttons.
    pub fn ask(intent: Intent, via: Via) -> Request {
        Request::Wish(Wish::Ask(intent, via))
    }
}

/// One row of the people list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who; chooses the colour.
    pub id: MemberId,
    /// What they are called.
    pub name: String,
    /// What they are here, and whether they are the viewer.
    pub role: String,
    /// What their player does.
    pub presence: String,
    /// How that is coloured.
    pub tone: Tone,
    /// Whether what can be done about them is shown.
    pub chosen: bool,
    /// Whether the viewer may do anything about them.
    pub governable: bool,
}

/// One row of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Data)]
pub struct Queued {
    /// Which item.
    #[data(eq)]
    pub item: ItemId,
    /// What it is called.
    pub title: String,
    /// Who put it there.
    pub by: String,
    /// Whether it comes next.
    pub next: bool,
    /// Whether the viewer may play it at once.
    pub playable: bool,
    /// Whether the viewer may take it out.
    pub removable: bool,
    /// How many want it soon, where votes say what comes next.
    pub votes: Option<usize>,
    /// Whether the viewer is one of them.
    pub voted: bool,
    /// Whether the viewer may be one.
    pub votable: bool,
}

/// Beyond this drift eyes and ears notice that two people talk about different frames: a guess
/// between the 40 ms at which lips look wrong and the second at which players are stepped.
const DRIFT_SEEN: Micros = Micros::from_millis(80);

/// What a player does, in a word, and how that is coloured.
pub fn presence(report: &Report) -> (String, Tone) {
    let word = |word: &str, tone| (word.to_owned(), tone);
    match (report.activity, report.drift) {
        (None, _) => word("no player", Tone::Muted),
        (Some(Activity::Loading), _) => word("loading", Tone::Warn),
        (Some(Activity::Seeking), _) => word("seeking", Tone::Warn),
        (Some(Activity::Stalled), _) => word("waiting for data", Tone::Warn),
        (Some(Activity::Advert), _) => word("in an ad", Tone::Warn),
        (Some(Activity::NeedsClick), _) => word("needs a click", Tone::Warn),
        (Some(Activity::Ended), _) => word("at the end", Tone::Muted),
        (Some(Activity::Paused), _) => word("paused", Tone::Muted),
        (Some(Activity::Playing), None) => word("playing", Tone::Muted),
        (Some(Activity::Playing), Some(drift)) if drift.abs() <= DRIFT_SEEN => {
            (view::drift(drift), Tone::Muted)
        }
        (Some(Activity::Playing), Some(drift)) => (view::drift(drift), Tone::Warn),
    }
}

/// A place in a film with as many digits as its end has, so that the width stays: `0:07:10`.
pub fn clock_face(at: MediaTime, end: Option<MediaTime>) -> String {
    let secs = at.get() / 1_000_000;
    let hours = end.unwrap_or(at).max(at) >= MediaTime::from_secs(3_600);
    if hours {
        format!("{}:{:02}:{:02}", secs / 3_600, secs / 60 % 60, secs % 60)
    } else {
        format!("{}:{:02}", secs / 60, secs % 60)
    }
}

/// `12,345`: digits in threes.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The day of a moment, as people write it: `Sat 21 Nov`, with the year when it is not this one.
///
/// `zone` is the reader's; both moments are in milliseconds since 1970.
pub fn day(wall: u64, now: u64, zone: &jiff::tz::TimeZone) -> String {
    let at = |millis: u64| {
        let stamp = jiff::Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok()?;
        Some(stamp.to_zoned(zone.clone()))
    };
    let (Some(wall), Some(now)) = (at(wall), at(now)) else {
        return "unknown day".to_owned();
    };
    let pattern = if wall.date() == now.date() {
        "Today %H:%M"
    } else if wall.year() == now.year() {
        "%a %-d %b"
    } else {
        "%a %-d %b %Y"
    };
    wall.strftime(pattern).to_string()
}

/// What a session was, in one line: `Sat 21 Nov · 2 h 41 min · 5 people`.
pub fn session_line(row: &SessionRow, now: u64, zone: &jiff::tz::TimeZone) -> String {
    let people = match row.people {
        1 => "1 person".to_owned(),
        people => format!("{people} people"),
    };
    format!(
        "{} · {} · {people}",
        day(row.opened_wall, now, zone),
        view::span(row.length)
    )
}

/// What was watched in a session, or why it cannot be read.
pub fn session_films(row: &SessionRow) -> String {
    if let Some(trouble) = &row.trouble {
        return trouble.clone();
    }
    match row.watched.as_slice() {
        [] => "Nothing was watched".to_owned(),
        [only] => only.label(),
        [first, second] => format!("{}, {}", first.label(), second.label()),
        [first, second, rest @ ..] => format!(
            "{}, {} and {} more",
            first.label(),
            second.label(),
            rest.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_face_has_the_width_of_its_end() {
        let end = Some(MediaTime::from_secs(9_663));
        assert_eq!(clock_face(MediaTime::from_secs(430), end), "0:07:10");
        assert_eq!(clock_face(MediaTime::from_secs(9_663), end), "2:41:03");
        assert_eq!(clock_face(MediaTime::from_secs(430), None), "7:10");
        assert_eq!(clock_face(MediaTime::from_secs(3_600), None), "1:00:00");
    }

    #[test]
    fn a_late_evening_belongs_to_the_reader_s_own_day() {
        // 2026-11-22 03:30 UTC is still Saturday evening in New York.
        let wall = 1_795_318_200_000;
        let new_york = jiff::tz::TimeZone::fixed(jiff::tz::offset(-5));
        let day_later = wall + 86_400_000;
        assert_eq!(day(wall, day_later, &new_york), "Sat 21 Nov");
        assert_eq!(day(wall, day_later, &jiff::tz::TimeZone::UTC), "Sun 22 Nov");
        assert_eq!(day(wall, wall + 1, &new_york), "Today 22:30");
        assert_eq!(
            day(wall, wall + 400 * 86_400_000, &new_york),
            "Sat 21 Nov 2026"
        );
        assert_eq!(day(u64::MAX, 0, &new_york), "unknown day");
    }

    #[test]
    fn a_drift_nobody_sees_is_not_a_warning() {
        let report = |drift| Report {
            activity: Some(Activity::Playing),
            drift: Some(Micros::from_millis(drift)),
            round_trip: None,
        };
        assert_eq!(presence(&report(3)), ("+3 ms".to_owned(), Tone::Muted));
        assert_eq!(presence(&report(-400)), ("-400 ms".to_owned(), Tone::Warn));
    }

    #[test]
    fn a_way_that_does_not_stand_is_told_before_a_hint() {
        let way = |state, trouble: Option<&str>, failed| super::super::WayRow {
            name: "ngrok",
            state,
            trouble: trouble.map(str::to_owned),
            failed,
        };
        let app = |ways| {
            let room = Room {
                hint: Some("Nobody has come in yet.".into()),
                ways: Arc::new(ways),
                ..Room::default()
            };
            App::new(Screen::Room(room), Remembered::default())
        };
        let said = |ways| app(ways).ways_banner().unwrap();
        assert_eq!(
            said(vec![]),
            (Tone::Info, "Nobody has come in yet.".to_owned())
        );
        let online = vec![way("online", None, false)];
        assert!(app(online).status().1.ends_with(" · ngrok online"));
        let failed = vec![way("failed", Some("Enter the token again."), true)];
        assert!(app(failed.clone()).may_retry_ways());
        assert_eq!(
            said(failed),
            (Tone::Bad, "ngrok: Enter the token again.".to_owned())
        );
        let lost = vec![way(
            "reconnecting",
            Some("It is tried again by itself."),
            false,
        )];
        assert!(!app(lost.clone()).may_retry_ways());
        assert_eq!(said(lost).0, Tone::Warn);
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(grouped(812), "812");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn hosting_needs_a_name_and_nothing_else() {
        let mut app = App::new(Screen::default(), Remembered::default());
        assert_eq!(app.host(), Err(NAME_MISSING));
        app.draft.name = "  Ana ".to_owned();
        assert_eq!(
            app.host(),
            Ok(Request::Host {
                title: TITLE_DEFAULT.to_owned(),
                name: "Ana".to_owned(),
                lan: true,
                media: None,
                ways: Ways::default(),
            })
        );
        app.draft.elsewhere = true;
        assert_eq!(app.host(), Err(WAY_MISSING));
        app.draft.ngrok = true;
        assert_eq!(app.host(), Err(TOKEN_MISSING));
        app.screen = Arc::new(Screen::Start(Start {
            token: true,
            ..Start::default()
        }));
        app.draft.own = true;
        assert_eq!(app.host(), Err(PLACE_MISSING));
        app.draft.place = " https://party.example.org ".to_owned();
        let Ok(Request::Host { ways, .. }) = app.host() else {
            panic!("everything is there");
        };
        assert_eq!(ways.own.as_deref(), Some("https://party.example.org"));
        assert!(ways.ngrok);
        app.draft.elsewhere = false;
        let Ok(Request::Host { ways, .. }) = app.host() else {
            panic!("everything is there");
        };
        assert_eq!(ways, Ways::default(), "one box closes all ways");
        assert_eq!(app.join(), Err(LINK_MISSING));
    }
}
