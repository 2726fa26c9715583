//! A member's player: a film that misbehaves, and hands that hold it to the room's line.
//!
//! The film runs on true time through its own crystal and does late, wrongly or
//! not at all what it is told. The hands are the real [`Controller`], the real
//! [`drift()`] and the real [`Echo`]; what is played here is only the order in
//! which `player/driver.rs` uses them, which needs a runtime and is tested there.

use crate::engine::clock::offset::Estimate;
use crate::engine::fold::RoomState;
use crate::engine::fold::timeline::Anchor;
use crate::engine::id::{Generation, ItemId};
use crate::engine::presence::Activity;
use crate::engine::sync::controller::{Controller, Disturbance, Footing, Order, Sight};
use crate::engine::sync::drift::drift;
use crate::engine::sync::echo::{Act, Echo, Kinds, Whose};
use crate::engine::unit::{LocalTime, MediaTime, Micros};
use crate::sim::clock::{MS, SEC, True};

/// A start this late is made good by slewing; a later one by seeking first (as `player/driver.rs`).
const LATE_MAX: Micros = Micros::from_millis(250);
/// After its moment a start may take so long before the player counts as having paused by itself.
const START_GRACE: Micros = Micros::from_millis(1_500);
/// Between two corrections of a player that does what it was not told.
const PUT_BACK_EVERY: True = 2 * SEC;
/// Between two reports.
const REPORT_EVERY: True = SEC;

/// How a player misbehaves, for as long as a fault lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// It has no data.
    pub stalled: bool,
    /// The site shows an advertisement.
    pub advert: bool,
    /// Starts and seeks take so much longer.
    pub late: True,
    /// Rates other than whole quarters are rounded.
    pub rounds_rates: bool,
    /// It will not start before somebody clicks.
    pub wants_click: bool,
    /// It cannot tell how long the film is.
    pub unknown_length: bool,
}

/// The film itself.
#[derive(Clone, Debug)]
struct Film {
    item: ItemId,
    length: u64,
    ppm: i64,
    /// The place below was true then.
    at: True,
    place: i128,
    /// In millionths of the film's own speed, as told.
    rate: i64,
    wanted: bool,
    loads: Option<True>,
    starts: Option<True>,
    lands: Option<True>,
    ended: bool,
    manner: Manner,
}

impl Film {
    fn played_rate(&self) -> i64 {
        if self.manner.rounds_rates {
            (self.rate + 125_000).div_euclid(250_000) * 250_000
        } else {
            self.rate
        }
    }

    fn runs(&self) -> bool {
        let Manner {
            stalled,
            advert,
            wants_click,
            ..
        } = self.manner;
        let held = stalled || advert || wants_click;
        let under_way = self.loads.or(self.starts).or(self.lands).is_some();
        self.wanted && !self.ended && !held && !under_way && self.item != ItemId::default()
    }

    fn run_to(&mut self, now: True) {
        if self.runs() {
            let ran = i128::from(now.saturating_sub(self.at));
            let speed = i128::from(self.played_rate()) * i128::from(1_000_000 + self.ppm);
            self.place += ran * speed / 1_000_000_000_000;
            if self.place >= i128::from(self.length) {
                self.place = i128::from(self.length);
                self.ended = true;
            }
        }
        self.at = self.at.max(now);
    }

    fn advance(&mut self, now: True) {
        loop {
            let next = [self.loads, self.starts, self.lands];
            let Some(next) = next.into_iter().flatten().min().filter(|at| *at <= now) else {
                break;
            };
            self.run_to(next);
            for due in [&mut self.loads, &mut self.starts, &mut self.lands] {
                if due.is_some_and(|at| at <= next) {
                    *due = None;
                }
            }
        }
        self.run_to(now);
    }

    fn place(&self) -> MediaTime {
        MediaTime::new(self.place.max(0) as u64)
    }

    fn activity(&self) -> Activity {
        if self.item == ItemId::default() || self.loads.is_some() {
            Activity::Loading
        } else if self.manner.advert {
            Activity::Advert
        } else if self.manner.wants_click && self.wanted {
            Activity::NeedsClick
        } else if self.lands.is_some() {
            Activity::Seeking
        } else if self.ended {
            Activity::Ended
        } else if !self.wanted || self.starts.is_some() {
            Activity::Paused
        } else if self.manner.stalled {
            Activity::Stalled
        } else {
            Activity::Playing
        }
    }

    fn seek(&mut self, now: True, to: MediaTime) {
        self.place = i128::from(to.get().min(self.length));
        self.ended = false;
        self.lands = Some(now + 60 * MS + self.manner.late);
    }
}

/// What the player asks of the room, or tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// It stands where the room does.
    Ready(ItemId, Generation),
    /// The film is this long.
    Length(ItemId, Micros),
    /// The film is over.
    Ended(ItemId),
    /// Somebody clicked inside: it should run, or stand.
    Clicked(bool, MediaTime),
    /// What it does, how far off it is, and where it stood when that was measured.
    Report(Activity, Option<Micros>, MediaTime),
}

/// Where a film stands in truth, for the checks: nobody in the world reads this.
#[derive(Clone, Copy, Debug)]
pub struct Truth {
    /// Its place.
    pub place: MediaTime,
    /// What it does.
    pub activity: Activity,
}

/// The player with its hands.
#[derive(Clone, Debug)]
pub struct Player {
    film: Film,
    controller: Controller,
    echo: Echo,
    /// The line being followed.
    line: Option<(Anchor, bool)>,
    sample_at: True,
    put_back_from: True,
    ready_said: Option<(ItemId, Generation)>,
    length_said: Option<ItemId>,
    ended_said: Option<(ItemId, Generation)>,
    reported: Option<(True, Activity)>,
    /// How many clicks people made inside it.
    pub clicks: u32,
    /// It was late once, and its controller may have learned to start it early.
    was_late: bool,
}

impl Player {
    /// Opened at `now`; its crystal is `ppm` too fast.
    pub fn new(now: True, ppm: i64) -> Self {
        Self {
            film: Film {
                item: ItemId::default(),
                length: 0,
                ppm,
                at: now,
                place: 0,
                rate: 1_000_000,
                wanted: false,
                loads: None,
                starts: None,
                lands: None,
                ended: false,
                manner: Manner::default(),
            },
            controller: Controller::default(),
            echo: Echo::new(Micros::from_millis(100)),
            line: None,
            sample_at: now,
            put_back_from: now,
            ready_said: None,
            length_said: None,
            ended_said: None,
            reported: None,
            clicks: 0,
            was_late: false,
        }
    }

    /// How it misbehaves from now on.
    pub fn behave(&mut self, now: True, change: impl FnOnce(&mut Manner)) {
        self.film.advance(now);
        change(&mut self.film.manner);
        self.was_late |= self.film.manner.late > 0;
        self.sample_at = self.sample_at.min(now + 20 * MS);
    }

    /// It pauses by itself. Says whether it ran.
    pub fn pauses_by_itself(&mut self, now: True) -> bool {
        self.film.advance(now);
        let ran = self.film.runs();
        if ran {
            self.film.wanted = false;
            // Nobody touched it: never the user's doing.
            assert_ne!(
                self.echo.observed(Act::Playing(false)),
                Whose::Users,
                "an echo was taken for a hand"
            );
        }
        ran
    }

    /// Somebody clicks inside it.
    pub fn clicked(&mut self, now: True) -> Option<Says> {
        self.film.advance(now);
        if self.film.item == ItemId::default() || self.film.loads.is_some() {
            return None;
        }
        let play = !self.film.wanted;
        self.clicks += 1;
        self.echo.input(Kinds {
            playing: true,
            ..Kinds::default()
        });
        self.film.wanted = play;
        self.film.starts = None;
        let whose = self.echo.observed(Act::Playing(play));
        // The room decides; until then the hand rests.
        self.put_back_from = now + PUT_BACK_EVERY;
        (whose == Whose::Users).then(|| Says::Clicked(play, self.film.place()))
    }

    /// The connection stands anew: what the room knew of players it may have forgotten.
    pub fn came_back(&mut self, now: True) {
        self.ready_said = None;
        self.reported = None;
        self.sample_at = self.sample_at.min(now);
    }

    /// Where the film stands in truth.
    pub fn truth(&mut self, now: True) -> Truth {
        self.film.advance(now);
        Truth {
            place: self.film.place(),
            activity: self.film.activity(),
        }
    }

    /// Whether it gave up stepping, or does without fine rates: then it is only held to a coarser line.
    pub fn is_coarse(&self) -> bool {
        self.controller.is_slewless() || self.film.manner.rounds_rates
    }

    /// Whether it was late before: its controller starts it early for that, and unlearns it by
    /// halves, one start after the other.
    pub const fn was_late(&self) -> bool {
        self.was_late
    }

    /// When it wants to be driven again; a local deadline is the caller's to convert.
    pub fn due(&self) -> (True, Option<LocalTime>) {
        (self.sample_at, self.controller.deadline())
    }

    /// Holds the film to what the room wants.
    pub fn drive(
        &mut self,
        now: True,
        local: LocalTime,
        room: &RoomState,
        clock: Option<Estimate>,
        says: &mut Vec<Says>,
    ) {
        self.film.advance(now);
        let anchor = room.timeline.anchor;
        if anchor.item != self.film.item {
            self.load(now, local, room, clock);
        }
        if self.film.loads.is_none() && self.line != Some((anchor, clock.is_some())) {
            let fresh = self.line.map(|(line, _)| line);
            self.line = Some((anchor, clock.is_some()));
            if fresh != Some(anchor) || clock.is_some() {
                self.take_line(now, local, anchor, fresh, clock);
            }
        }
        if self.controller.deadline().is_some_and(|due| local >= due) {
            let order = self.controller.tick(local);
            self.obey(now, local, order, anchor, clock);
        }
        if now >= self.sample_at {
            self.sample(now, local, room, clock, says);
        }
    }

    fn load(&mut self, now: True, local: LocalTime, room: &RoomState, clock: Option<Estimate>) {
        let anchor = room.timeline.anchor;
        let film = &mut self.film;
        film.item = anchor.item;
        // Minutes long, each item another length, so that evenings see films end.
        film.length = 200 * SEC + u64::from(anchor.item.get() % 7) * 300 * SEC;
        let place = clock.map_or(anchor.position, |clock| {
            anchor.position(clock.session(local), None)
        });
        film.place = i128::from(place.get().min(film.length));
        film.wanted = false;
        film.ended = false;
        film.rate = 1_000_000;
        (film.starts, film.lands) = (None, None);
        film.loads = (anchor.item != ItemId::default()).then_some(now + 80 * MS + film.manner.late);
        self.line = None;
        self.controller.new_film(local, anchor.rate);
        self.echo = Echo::new(Micros::from_millis(100));
        self.sample_at = self.film.loads.unwrap_or(now);
    }

    fn take_line(
        &mut self,
        now: True,
        local: LocalTime,
        anchor: Anchor,
        before: Option<Anchor>,
        clock: Option<Estimate>,
    ) {
        self.sample_at = now;
        let rate = i64::from(anchor.rate.get()) * 1_000;
        let was_running = self.film.wanted && self.film.starts.is_none();
        let Some(clock) = clock.filter(|_| anchor.playing) else {
            if !anchor.playing {
                self.controller
                    .disturbed(local, Disturbance::Other, anchor.rate);
                self.told_to_run(false);
                self.film.starts = None;
                if self.film.place() != anchor.position {
                    self.film.seek(now, anchor.position);
                }
                self.film.rate = rate;
            }
            return;
        };
        let session = clock.session(local);
        let late = session - anchor.at;
        if late <= LATE_MAX {
            let moved = (self.film.place() - anchor.position).abs() > Micros::from_millis(1);
            let from = if moved {
                self.film.seek(now, anchor.position);
                Footing::Sought
            } else {
                Footing::Still
            };
            self.controller
                .disturbed(local, Disturbance::Start(from), anchor.rate);
            let ahead = (-late - self.controller.start_latency(from)).get().max(0) as u64;
            self.film.rate = rate;
            self.told_to_run(true);
            self.film.starts = Some(now + ahead + 30 * MS + self.film.manner.late);
        } else if was_running && before.is_some_and(|it| it.generation == anchor.generation) {
            self.controller
                .disturbed(local, Disturbance::Other, anchor.rate);
            self.film.rate = rate;
        } else if was_running {
            self.controller
                .disturbed(local, Disturbance::Seek, anchor.rate);
            let there = anchor.position(session + self.controller.seek_latency(), None);
            self.film.rate = rate;
            self.film.seek(now, there);
        } else {
            self.late_start(now, local, anchor, session);
        }
    }

    /// Seeks ahead of the line and starts when it comes by.
    fn late_start(
        &mut self,
        now: True,
        local: LocalTime,
        anchor: Anchor,
        session: crate::engine::unit::SessionTime,
    ) {
        let prime = self.controller.prime_latency();
        self.controller
            .disturbed(local, Disturbance::LateStart, anchor.rate);
        self.film.seek(now, anchor.position(session + prime, None));
        self.film.rate = i64::from(anchor.rate.get()) * 1_000;
        self.told_to_run(true);
        self.film.starts = Some(now + prime.get() as u64 + self.film.manner.late);
    }

    fn told_to_run(&mut self, run: bool) {
        if self.film.wanted != run {
            let ticket = self.echo.wrote(Act::Playing(run));
            self.film.wanted = run;
            // What is told is seen: an echo, and never the user's doing.
            assert_eq!(self.echo.observed(Act::Playing(run)), Whose::Ours);
            self.echo.answered(ticket);
        }
    }

    fn obey(
        &mut self,
        now: True,
        local: LocalTime,
        order: Order,
        anchor: Anchor,
        clock: Option<Estimate>,
    ) {
        match order {
            Order::Hold | Order::GiveUp => {}
            Order::Slew { .. } | Order::Rest => {
                self.film.rate = (self.controller.rate() * 1e6).round() as i64;
            }
            Order::Step { lead } => {
                if let Some(clock) = clock {
                    let there = anchor.position(clock.session(local) + lead, None);
                    self.film.rate = i64::from(anchor.rate.get()) * 1_000;
                    self.film.seek(now, there);
                }
            }
        }
    }

    fn sample(
        &mut self,
        now: True,
        local: LocalTime,
        room: &RoomState,
        clock: Option<Estimate>,
        says: &mut Vec<Says>,
    ) {
        let anchor = room.timeline.anchor;
        let (activity, place) = (self.film.activity(), self.film.place());
        let off =
            clock.and_then(|clock| drift(&anchor, room.timeline.duration(), &clock, local, place));
        let runs_by_now = anchor.playing
            && clock.is_some_and(|clock| clock.session(local) >= anchor.at + START_GRACE);
        let sight = match (activity, off) {
            (Activity::Playing, Some(drift)) => Sight::Running {
                drift,
                rate: self.film.played_rate() as f64 / 1e6,
            },
            (Activity::Stalled, _) => Sight::Stalled,
            (Activity::Advert | Activity::NeedsClick | Activity::Ended, _) => Sight::Away,
            _ => Sight::Busy,
        };
        let stands = activity == Activity::Paused && self.film.starts.is_none();
        let wrong = (stands && runs_by_now) || (activity == Activity::Playing && !anchor.playing);
        if wrong && now >= self.put_back_from && self.line.is_some() {
            self.put_back_from = now + PUT_BACK_EVERY;
            match clock.filter(|_| anchor.playing) {
                Some(clock) => self.late_start(now, local, anchor, clock.session(local)),
                None => {
                    self.told_to_run(false);
                    self.film.seek(now, anchor.position);
                }
            }
        }
        let order = self.controller.observe(local, sight);
        self.obey(now, local, order, anchor, clock);
        self.tell(now, room, activity, off.map(|off| (off, place)), says);
        let waits = room.hold.is_some() || self.ready_said != Some(pair(&anchor));
        let next = match activity {
            Activity::Playing => self.controller.cadence().get() as u64,
            _ if waits => 100 * MS,
            _ => 500 * MS,
        };
        self.sample_at = now + next;
    }

    fn tell(
        &mut self,
        now: True,
        room: &RoomState,
        activity: Activity,
        off: Option<(Micros, MediaTime)>,
        says: &mut Vec<Says>,
    ) {
        let anchor = room.timeline.anchor;
        let film = &self.film;
        let stands = film.lands.is_none() && film.loads.is_none() && self.line.is_some();
        let empty = film.item == ItemId::default();
        if (stands || empty) && self.ready_said != Some(pair(&anchor)) {
            self.ready_said = Some(pair(&anchor));
            says.push(Says::Ready(anchor.item, anchor.generation));
        }
        let unknown = room.timeline.duration().is_none() && !empty && film.loads.is_none();
        if unknown && !film.manner.unknown_length && self.length_said != Some(film.item) {
            self.length_said = Some(film.item);
            says.push(Says::Length(film.item, Micros::new(film.length as i64)));
        }
        if film.ended && self.ended_said != Some(pair(&anchor)) && film.item == anchor.item {
            self.ended_said = Some(pair(&anchor));
            says.push(Says::Ended(film.item));
        }
        let due = self
            .reported
            .is_none_or(|(at, told)| now >= at + REPORT_EVERY || told != activity);
        if due {
            self.reported = Some((now, activity));
            let place = off.map_or(MediaTime::ZERO, |(_, place)| place);
            let off = off
                .filter(|_| activity == Activity::Playing)
                .map(|(off, _)| off);
            says.push(Says::Report(activity, off, place));
        }
    }
}

fn pair(anchor: &Anchor) -> (ItemId, Generation) {
    (anchor.item, anchor.generation)
}
