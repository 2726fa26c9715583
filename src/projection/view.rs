//! What one member sees of a party, as plain data for any screen.
//!
//! [`View`] is a snapshot to draw from; [`line()`] turns an event into the line
//! people read. Neither is a second truth: both are rebuilt from events.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::engine::clock::offset::Estimate;
use crate::engine::event::{
    Action, Body, Departure, Event, HoldEnd, HoldReason, QueueMode, Repeat, Role, Suspension,
};
use crate::engine::fold::RoomState;
use crate::engine::fold::entrance::OWN_LINK;
use crate::engine::fold::history::{Deed, Remedy};
use crate::engine::fold::unable;
use crate::engine::frame::Knock;
use crate::engine::id::{ItemId, MemberId, Seq};
use crate::engine::media::Media;
use crate::engine::presence::{Activity, Report};
use crate::engine::unit::{LocalTime, MediaTime, Micros, SessionTime};
use crate::net::client::News;
use crate::net::link::JoinLink;
use crate::player::driver::{Film, Goal};

/// How the connection to the room stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Dialling, for the first time or again; the sentence says where.
    Connecting,
    /// At the door: a moderator has to let the viewer in.
    Waiting,
    /// In the room, still catching up.
    CatchingUp,
    /// In the room, nothing missing.
    Live,
    /// The connection is lost and comes back by itself; the film goes on meanwhile.
    Lost(String),
    /// Over for good; the sentence says why and what to do.
    Over(String),
}

/// Everything a screen needs to draw a party. Cheap to clone, cheap to compare by its `Arc`s.
#[derive(Clone, Debug)]
pub struct View {
    /// What is true in the room.
    pub state: Arc<RoomState>,
    /// What was said and done, oldest first.
    pub story: Arc<Vec<Entry>>,
    /// What everybody's players do.
    pub presence: Arc<BTreeMap<MemberId, Report>>,
    /// Who the viewer is; `None` until let in.
    pub me: Option<MemberId>,
    /// How the connection stands.
    pub link: Link,
    /// Session time minus local time, with how wrong it may be; `None` until measured.
    pub clock: Option<(Micros, Micros)>,
    /// The link to share; present for the host, while it opens.
    pub invite: Option<Arc<str>>,
    /// Where the party can be reached too, since it was last said to have moved.
    pub place: Option<Arc<str>>,
    /// How others reach the party, as far as the viewer knows: what their links begin with.
    pub way: Option<JoinLink>,
    /// Links the viewer asked for, by number; 0 is the party's own.
    pub links: Arc<BTreeMap<Seq, Arc<str>>>,
    /// Who is at the door; for moderators.
    pub knocks: Arc<Vec<Knock>>,
    /// What the viewer's own player has to say: nothing, or one sentence.
    pub player: Option<Arc<str>>,
    /// The latest thing that went wrong for this viewer, as one sentence.
    pub trouble: Option<Arc<str>>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            state: Arc::default(),
            story: Arc::default(),
            presence: Arc::default(),
            me: None,
            link: Link::Connecting,
            clock: None,
            invite: None,
            place: None,
            way: None,
            links: Arc::default(),
            knocks: Arc::default(),
            player: None,
            trouble: None,
        }
    }
}

impl View {
    /// Session time at a local time, by the viewer's estimate of the room's clock.
    pub fn session_time(&self, now: LocalTime) -> Option<SessionTime> {
        let (offset, _) = self.clock?;
        Some(SessionTime::ZERO + ((now - LocalTime::ZERO) + offset))
    }

    /// Where the film stands at a local time; where it was last known to stand while the clock is not.
    pub fn position(&self, now: LocalTime) -> MediaTime {
        let now = self.session_time(now).unwrap_or(self.state.at);
        self.state.timeline.position(now)
    }

    /// How many events the room has written.
    pub fn events(&self) -> Seq {
        self.state.seq
    }
}

impl View {
    /// Takes in one piece of news. Returns the line it added to the story, if it added one.
    pub fn take(&mut self, news: &News) -> Option<Entry> {
        match news {
            News::Dialling => {
                if self.me.is_none() {
                    self.link = Link::Connecting;
                }
                None
            }
            News::Welcomed(welcome) => {
                self.me = Some(welcome.member);
                self.link = Link::CatchingUp;
                None
            }
            News::CaughtUp => {
                self.link = Link::Live;
                None
            }
            News::Applied(event) => {
                let entry = line(&self.state, event);
                Arc::make_mut(&mut self.state).apply(event);
                match event.body {
                    Body::Redacted { seq } => self.hide(seq),
                    Body::InviteRevoked { invite } => self.forget_link(invite),
                    _ => {}
                }
                if let Some(entry) = &entry {
                    Arc::make_mut(&mut self.story).push(entry.clone());
                }
                entry
            }
            News::Accepted { .. } => None,
            News::Waiting => {
                self.link = Link::Waiting;
                None
            }
            News::Knocks(knocks) => {
                self.knocks = Arc::new(knocks.clone());
                None
            }
            News::Secret { invite, secret } => {
                if let Some(way) = &self.way {
                    let link: Arc<str> = way.with_secret(secret).to_string().into();
                    let guests = |state: &RoomState| {
                        let made = state.entrance.invites.get(invite);
                        made.is_some_and(|made| made.role == Role::Guest)
                    };
                    // The link to share is one for guests; a host whose own was revoked has another now.
                    if self.invite.is_none() && self.may_host() && guests(&self.state) {
                        self.invite = Some(Arc::clone(&link));
                    }
                    Arc::make_mut(&mut self.links).insert(*invite, link);
                }
                None
            }
            News::Refused(refused) => {
                self.trouble = Some(refused.sentence.as_str().into());
                None
            }
            News::Presence(all) => {
                self.presence = Arc::new(all.iter().map(|one| (one.member, one.report)).collect());
                None
            }
            News::Moved(to) => {
                self.place = Some(to.as_str().into());
                None
            }
            News::Lost(why) => {
                self.link = Link::Lost(why.clone());
                self.presence = Arc::default();
                None
            }
            News::Over(why) => {
                self.link = Link::Over(why.clone());
                None
            }
        }
    }

    /// Why the film stands while the room waits: "Waiting for Lou: loading"; `None` when it does not.
    pub fn waiting(&self) -> Option<String> {
        waiting(&self.state, &self.presence, self.me)
    }

    /// How many seconds are left until the room stops waiting, rounded up; `None` while that is not known.
    pub fn waiting_secs(&self, now: LocalTime) -> Option<u64> {
        let deadline = self.state.hold.as_ref()?.deadline;
        let left = (deadline - self.session_time(now)?).get().max(0);
        Some(left.unsigned_abs().div_ceil(1_000_000))
    }

    /// Whether the viewer may do that here.
    pub fn may(&self, action: Action) -> bool {
        self.me.is_some_and(|me| self.state.may(me, action))
    }

    /// The host is reached by this link from now on; others begin like it.
    pub fn reached_at(&mut self, link: JoinLink) {
        let moved: BTreeMap<Seq, Arc<str>> = (self.links.iter())
            .filter_map(|(invite, known)| {
                let known: JoinLink = known.parse().ok()?;
                let there = link.with_secret(&known.secret).to_string();
                Some((*invite, there.into()))
            })
            .collect();
        let shared = (self.links.iter()).find(|(_, known)| Some(*known) == self.invite.as_ref());
        let shared = shared.map(|(invite, _)| *invite);
        self.invite = match shared.and_then(|invite| moved.get(&invite)) {
            Some(there) => Some(Arc::clone(there)),
            // The party's own link, while it opens.
            None if self.state.entrance.own_revoked => None,
            None => Some(link.to_string().into()),
        };
        self.links = Arc::new(moved);
        self.way = Some(link);
    }

    fn may_host(&self) -> bool {
        self.me
            .is_some_and(|me| self.state.roster.role(me) == Some(Role::Host))
    }

    /// A link that no longer opens is not to be handed out.
    fn forget_link(&mut self, invite: Seq) {
        let known = Arc::make_mut(&mut self.links).remove(&invite);
        if invite == OWN_LINK || (known.is_some() && known == self.invite) {
            self.invite = None;
        }
    }

    /// A line that was taken back is no longer shown.
    fn hide(&mut self, seq: Seq) {
        let story = Arc::make_mut(&mut self.story);
        if let Ok(place) = story.binary_search_by_key(&seq, |entry| entry.seq)
            && story[place].kind == Kind::Talk
        {
            story[place].text = "…".to_owned();
        }
    }

    /// What this member's own player should be doing.
    pub fn goal(&self, clock: Option<Estimate>) -> Goal {
        let timeline = &self.state.timeline;
        Goal {
            film: timeline.current().map(|(item, known)| Film {
                item,
                media: known.media.clone(),
                start: known.start,
            }),
            anchor: timeline.anchor,
            duration: timeline.duration(),
            clock,
        }
    }
}

/// What kind of line an [`Entry`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A member said it.
    Talk,
    /// The room tells what happened.
    System,
}

/// One line of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The event behind it.
    pub seq: Seq,
    /// When it happened.
    pub at: SessionTime,
    /// Where the film stood.
    pub moment: MediaTime,
    /// The same moment in milliseconds since 1970.
    pub wall: u64,
    /// Who did or said it; `None` is the room itself.
    pub by: Option<MemberId>,
    /// What they were called then.
    pub name: String,
    /// Talk or system.
    pub kind: Kind,
    /// For talk, what was said; for a system line, the whole sentence: "Ana paused at 42:10".
    pub text: String,
}

/// The line an event makes, given the state *before* it; `None` for events nobody needs to read.
pub fn line(before: &RoomState, event: &Event) -> Option<Entry> {
    let header = &event.header;
    let by = header.by;
    let named = |member: Option<MemberId>| match member {
        Some(member) => before.roster.name(member).to_owned(),
        None => "The room".to_owned(),
    };
    let mut name = named(by);
    let mut kind = Kind::System;
    let mut moment = before.timeline.position(header.at);
    let text = match &event.body {
        Body::Opened { title, .. } => format!("“{title}” was opened"),
        Body::EpochStarted { gap } if *gap == Micros::ZERO => return None,
        Body::EpochStarted { gap } => format!("The host was away for {}", span(*gap)),
        Body::Joined {
            member,
            name: called,
            ..
        } => {
            name = called.as_str().to_owned();
            let back = before.roster.get(*member).is_some();
            format!("{called} {}", if back { "is back" } else { "joined" })
        }
        Body::Left { member, reason } => {
            name = named(Some(*member));
            match reason {
                Departure::Quit => format!("{name} left"),
                Departure::Lost => format!("{name} lost the connection"),
                Departure::Dropped => format!("{name} was disconnected"),
                Departure::Ended => format!("{name} was there until the end"),
            }
        }
        Body::Renamed { name: called, .. } => format!("{name} is now called {called}"),
        Body::MediaSet {
            media,
            title,
            start,
            ..
        } => {
            moment = *start;
            let what = title
                .as_ref()
                .map_or_else(|| media.label(), ToString::to_string);
            let mut text = format!("{name} loaded {what}");
            if *start > MediaTime::ZERO {
                let _ = write!(text, " from {start}");
            }
            text
        }
        Body::Measured { .. } => return None,
        Body::Played { position, .. } => {
            moment = *position;
            format!("{name} pressed play at {position}")
        }
        Body::Paused { position } => {
            moment = *position;
            match (by, header.cause) {
                (None, Some(_)) => {
                    format!("Paused at {position}, where the host was last seen")
                }
                _ => format!("{name} paused at {position}"),
            }
        }
        Body::Seeked { position, .. } => format!("{name} went from {moment} to {position}"),
        Body::RateSet { rate, .. } => format!("{name} set the speed to {rate}"),
        Body::Said { text, moment: then }
        | Body::Replied {
            text, moment: then, ..
        } => {
            moment = *then;
            kind = Kind::Talk;
            text.as_str().to_owned()
        }
        other => told(before, event, &name, other)?,
    };
    Some(Entry {
        seq: header.seq,
        at: header.at,
        moment,
        wall: header.wall,
        by,
        name,
        kind,
        text,
    })
}

/// What a link's terms add to a sentence: "", " for 2 h 0 min", " for 3 people".
pub fn invite_terms(lasts: Option<Micros>, uses: Option<u32>) -> String {
    let mut text = String::new();
    if let Some(lasts) = lasts {
        let _ = write!(text, ", for {}", span(lasts));
    }
    match uses {
        None => {}
        Some(1) => text.push_str(", for one person"),
        Some(uses) => {
            let _ = write!(text, ", for {uses} people");
        }
    }
    text
}

/// Whom a link lets in.
pub const fn role_people(role: Role) -> &'static str {
    match role {
        Role::Host => "the host",
        Role::CoHost => "co-hosts",
        Role::Guest => "guests",
        Role::Viewer => "viewers",
    }
}

/// The sentence of what is neither talk nor a plain move of the film.
fn told(before: &RoomState, event: &Event, name: &str, body: &Body) -> Option<String> {
    let called = |member: &MemberId| before.roster.name(*member).to_owned();
    let item = |item: &ItemId| {
        before
            .timeline
            .item(*item)
            .map_or_else(|| format!("item {item}"), |known| known.label())
    };
    Some(match body {
        Body::HoldStarted {
            reason, waiting, ..
        } => {
            let whom = people(before, waiting);
            let pressed = event.header.by.is_some() && event.header.cause.is_none();
            let play = if pressed {
                format!("{name} pressed play; waiting for")
            } else {
                "Waiting for".to_owned()
            };
            match reason {
                HoldReason::Load => format!("{play} {whom} to load"),
                HoldReason::Seek => format!("{play} {whom} to get there"),
                HoldReason::Stall => format!("{play} {whom}, who ran out of data"),
                HoldReason::Ad => format!("{play} {whom}, who sees an advertisement"),
                HoldReason::ReadyCheck => format!("{name} asks: is everybody ready?"),
            }
        }
        Body::HoldEnded { how, missing, .. } => match how {
            HoldEnd::Ready => match before.hold.as_ref().map(|hold| hold.reason) {
                Some(HoldReason::ReadyCheck) => "Everybody is ready: 3, 2, 1".to_owned(),
                _ => "Going on".to_owned(),
            },
            HoldEnd::Expired => {
                format!("Not waiting any longer for {}", people(before, missing))
            }
            HoldEnd::Forced if missing.is_empty() => format!("{name} started"),
            HoldEnd::Forced => format!("{name} started without {}", people(before, missing)),
            HoldEnd::Restarted => return None,
        },
        Body::SaidReady {} => format!("{name} is ready"),
        Body::Suspended { member, reason } => {
            let who = called(member);
            match reason {
                Suspension::Ad => format!("{who} sees an advertisement"),
                Suspension::Stall => format!("{who} ran out of data"),
                Suspension::NeedsClick => format!("{who} has to click before the film plays"),
                Suspension::Detached => format!("{who} watches on their own for a while"),
                Suspension::CannotPlay => format!("{who} cannot play this"),
            }
        }
        Body::Unable { why: None, .. } => format!("{name} sees the film now"),
        Body::Unable {
            why: Some(why),
            words,
            ..
        } => format!(
            "{name} cannot see the film: {}",
            unable::reason(*why, words.as_ref())
        ),
        Body::Returned { member } => format!("{} is back in step", called(member)),
        Body::Awaited {
            member,
            awaited: false,
        } => format!("Not waiting for {} for now", called(member)),
        Body::Awaited { member, .. } => format!("Waiting for {} again", called(member)),
        Body::HostGap { gap } => format!("The host's computer stood still for {}", span(*gap)),
        Body::Ruled {
            member,
            action,
            allow,
            until,
        } => {
            let who = called(member);
            let what = action.words();
            let lasts = until.map_or(String::new(), |until| {
                format!(" for {}", span(until - event.header.at))
            });
            match allow {
                Some(true) => format!("{name} let {who} {what}{lasts}"),
                Some(false) if *action == Action::Chat => format!("{name} muted {who}{lasts}"),
                Some(false) => format!("{name} does not let {who} {what}{lasts}"),
                None => format!("What was ruled for {who} is over: {what}"),
            }
        }
        Body::Requested { action } => format!("{name} asks to {}", action.words()),
        Body::RoleSet { member, role } => {
            format!("{name} made {} a {}", called(member), role_word(*role))
        }
        Body::HostChanged { member } if event.header.by.is_none() => {
            format!("{} is the host now", called(member))
        }
        Body::HostChanged { member } => format!("{name} made {} the host", called(member)),
        Body::Kicked { member } => format!("{name} sent {} out", called(member)),
        Body::Banned {
            member,
            banned: true,
        } => format!("{name} shut {} out", called(member)),
        Body::Banned { member, .. } => format!("{name} lets {} in again", called(member)),
        Body::Permitted {
            role,
            action,
            allow,
        } => {
            let may = if *allow { "may" } else { "may not" };
            format!("Every {} {may} {} now", role_word(*role), action.words())
        }
        Body::InviteMade { role, until, uses } => {
            let terms = invite_terms(until.map(|until| until - event.header.at), *uses);
            format!("{name} made a link for {}{terms}", role_people(*role))
        }
        Body::InviteRevoked { invite } if *invite == OWN_LINK => {
            format!("{name} revoked the party's own link")
        }
        Body::InviteRevoked { invite } => format!("{name} revoked link {invite}"),
        // Who came is told already.
        Body::InviteUsed { .. } => return None,
        Body::ApprovalSet { on: true } => "Newcomers knock and wait to be let in".to_owned(),
        Body::ApprovalSet { .. } => "Newcomers come in without knocking".to_owned(),
        Body::PasscodeSet { on: true } => format!("{name} set a passcode for newcomers"),
        Body::PasscodeSet { .. } => "Newcomers need no passcode".to_owned(),
        Body::KnockAnswered { name: who, let_in } => {
            let what = if *let_in { "let" } else { "turned" };
            let way = if *let_in { "in" } else { "away" };
            format!("{name} {what} {who} {way}")
        }
        Body::SlowSet { every } if *every == Micros::ZERO => "Slow mode is off".to_owned(),
        Body::SlowSet { every } => format!("Slow mode: one line every {}", span(*every)),
        Body::WaitSet { reason, wait } => {
            let what = match reason {
                HoldReason::Ad => "advertisements",
                _ => "stalls",
            };
            let not = if *wait { "" } else { "not " };
            format!("The room does {not}wait for {what}")
        }
        Body::Queued { media, title, .. } => {
            let what = title
                .as_ref()
                .map_or_else(|| media.label(), ToString::to_string);
            format!("{name} queued {what}")
        }
        Body::Unqueued { item: which } => format!("{name} took {} off the queue", item(which)),
        Body::Requeued { item: which, .. } => format!("{name} put {} back", item(which)),
        Body::QueueMoved { item: which, place } => {
            format!(
                "{name} moved {} to place {}",
                item(which),
                u64::from(*place) + 1
            )
        }
        Body::Cued { item: which, .. } => format!("Now on: {}", item(which)),
        Body::Shuffled { .. } => format!("{name} shuffled the queue"),
        Body::Reordered { .. } => format!("{name} put the queue back in order"),
        Body::ModeSet { mode } => match mode {
            QueueMode::Manual => "The queue plays as it stands".to_owned(),
            QueueMode::Vote => "The queue plays what has most votes".to_owned(),
            QueueMode::RoundRobin => "Everybody's films take turns".to_owned(),
        },
        Body::RepeatSet { repeat } => match repeat {
            Repeat::Off => "Nothing repeats".to_owned(),
            Repeat::One => "The film repeats".to_owned(),
            Repeat::All => "The queue repeats".to_owned(),
        },
        Body::VoteCast { item: which } => format!("{name} votes for {}", item(which)),
        Body::VoteWithdrawn { item: which } => {
            format!("{name} no longer votes for {}", item(which))
        }
        Body::SkipVoted { .. } => format!("{name} votes to skip"),
        Body::SkipWithdrawn { .. } => format!("{name} no longer votes to skip"),
        Body::SkipShareSet { percent } => {
            format!("More than {percent} % of those present skip a film")
        }
        Body::PollOpened { question, choices } => {
            let labels: Vec<_> = choices.iter().map(|choice| choice.label.as_str()).collect();
            format!("{name} asks: {question} ({})", labels.join(" · "))
        }
        Body::PollAnswered { choice, .. } => {
            let chosen = choice.and_then(|choice| {
                let poll = before.poll.as_ref()?;
                poll.choices.get(usize::from(choice))
            });
            match chosen {
                Some(choice) => format!("{name} chose {}", choice.label),
                None => format!("{name} takes their answer back"),
            }
        }
        Body::PollClosed { winner, .. } => {
            let won = winner.and_then(|winner| {
                let poll = before.poll.as_ref()?;
                poll.choices.get(usize::from(winner))
            });
            match won {
                Some(choice) => format!("The poll is over: {}", choice.label),
                None => "The poll is over; nobody answered".to_owned(),
            }
        }
        Body::Reacted { tallies, .. } => {
            let each: Vec<_> = tallies
                .iter()
                .map(|tally| match tally.count {
                    1 => format!("{} {}", tally.reaction, people(before, &tally.by)),
                    count => format!("{} ×{count}", tally.reaction),
                })
                .collect();
            each.join("  ")
        }
        Body::Redacted { seq } => {
            let author = before.transcript.get(*seq).and_then(|line| line.by);
            match author.filter(|author| Some(*author) != event.header.by) {
                Some(author) => format!("{name} took back a line of {}", called(&author)),
                None => format!("{name} took a line back"),
            }
        }
        // Told above, or of no interest to readers.
        _ => return None,
    })
}

/// The sentence of the room's wait: for whom, as far as their players tell, and why.
///
/// The fold knows who was not ready as the wait began; who still is not, presence tells. Where that
/// is nobody, because it is late, all of them are named.
pub fn waiting(
    state: &RoomState,
    presence: &BTreeMap<MemberId, Report>,
    me: Option<MemberId>,
) -> Option<String> {
    let hold = state.hold.as_ref()?;
    let on_the_way = |activity| {
        matches!(
            activity,
            Activity::Loading | Activity::Seeking | Activity::Stalled | Activity::Advert
        )
    };
    let (why, late): (_, &dyn Fn(Activity) -> bool) = match hold.reason {
        HoldReason::Load => (": loading", &on_the_way),
        HoldReason::Seek => (": seeking", &on_the_way),
        HoldReason::Stall => (": loading", &|activity| activity == Activity::Stalled),
        HoldReason::Ad => (": in an ad", &|activity| activity == Activity::Advert),
        HoldReason::ReadyCheck => ("", &|_| true),
    };
    let here = hold.waiting.iter().copied().filter(|member| {
        let known = state.roster.get(*member);
        known.is_some_and(|known| known.present)
    });
    let here: Vec<MemberId> = here.collect();
    let not_ready = here.iter().copied().filter(|member| {
        let activity = presence.get(member).and_then(|report| report.activity);
        activity.is_none_or(late)
    });
    let not_ready: Vec<MemberId> = not_ready.collect();
    let mut whom = if not_ready.is_empty() {
        here
    } else {
        not_ready
    };
    // The viewer first: that is whom they can do something about.
    whom.sort_by_key(|member| (Some(*member) != me, *member));
    let whom = people_as(&whom, |member| {
        if Some(member) == me {
            "you"
        } else {
            state.roster.name(member)
        }
    });
    Some(match hold.reason {
        HoldReason::ReadyCheck => format!("Is everybody ready? Waiting for {whom}"),
        _ => format!("Waiting for {whom}{why}"),
    })
}

/// The last thing somebody did to the film or the queue, if it is worth offering to take it back:
/// not where the room itself went on, at the end of a film.
pub fn undoable(state: &RoomState) -> Option<&Deed> {
    let deed = state.history.last().filter(|deed| deed.by.is_some())?;
    let went_on = match &deed.remedy {
        Remedy::Cue { item, position, .. } => {
            let length = state.timeline.item(*item).and_then(|item| item.duration);
            length.is_some_and(|length| (MediaTime::ZERO + length) - *position <= END_SHOWN)
        }
        _ => false,
    };
    (!went_on).then_some(deed)
}

/// The deed of that event, while it can be taken back: not once another item is on.
pub fn undo_of(state: &RoomState, seq: Seq) -> Option<&Deed> {
    state
        .history
        .get(seq)
        .filter(|deed| !deed.remedy.is_of_the_film() || deed.item == state.timeline.anchor.item)
}

/// A film left nearer to its end than this ended, for those who watched it: as the room has it.
const END_SHOWN: Micros = Micros::from_secs(3);

/// `Ana`, `Ana and Bob`, `Ana, Bob and 3 others`.
fn people(state: &RoomState, members: &[MemberId]) -> String {
    people_as(members, |member| state.roster.name(member))
}

fn people_as<'a>(members: &[MemberId], called: impl Fn(MemberId) -> &'a str) -> String {
    let name = |place: usize| members.get(place).map_or("", |it| called(*it));
    match members.len() {
        0 => "nobody".to_owned(),
        1 => name(0).to_owned(),
        2 => format!("{} and {}", name(0), name(1)),
        3 => format!("{}, {} and {}", name(0), name(1), name(2)),
        more => format!("{}, {} and {} others", name(0), name(1), more - 2),
    }
}

/// What people call a role.
pub const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Host => "host",
        Role::CoHost => "co-host",
        Role::Guest => "guest",
        Role::Viewer => "viewer",
    }
}

/// A length of time as people say it: `4 s`, `12 min`, `3 h 5 min`.
pub fn span(length: Micros) -> String {
    let secs = length.abs().get() / 1_000_000;
    match secs {
        0..=89 => format!("{secs} s"),
        90..=5_399 => format!("{} min", secs / 60),
        _ => format!("{} h {} min", secs / 3_600, secs / 60 % 60),
    }
}

/// A drift as people read it: `+12 ms`, `-1.4 s`, `in step`.
pub fn drift(drift: Micros) -> String {
    let micros = drift.get();
    match micros.abs() {
        0..=999 => "in step".to_owned(),
        1_000..=999_999 => format!("{:+} ms", micros / 1_000),
        _ => format!("{:+.1} s", micros as f64 / 1e6),
    }
}

/// What to do next, from any screen, by a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Something the room decides on.
    Ask(crate::engine::intent::Intent, crate::engine::event::Via),
    /// Leave the party.
    Leave,
}

/// One past or present session, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// The session's name.
    pub id: String,
    /// What people called it.
    pub title: String,
    /// When it was opened, in milliseconds since 1970.
    pub opened_wall: u64,
    /// How long it lasted.
    pub length: Micros,
    /// What was watched, in order.
    pub watched: Vec<Media>,
    /// How many people took part.
    pub people: usize,
    /// How many events it holds.
    pub events: u64,
    /// Why it cannot be read, if it cannot; one sentence.
    pub trouble: Option<String>,
}
