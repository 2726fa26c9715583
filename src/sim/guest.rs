//! A member's machine: the real [`MemberEnd`], a player, and somebody in front of it.

use crate::engine::event::{Action, Client, Event, Via};
use crate::engine::fold::RoomState;
use crate::engine::frame::{self, Form, Resume, ToMember, ToRoom};
use crate::engine::id::MemberId;
use crate::engine::intent::{Aim, Intent};
use crate::engine::presence::{Activity, Report};
use crate::engine::session::member_end::{Effect, Identity, MemberEnd};
use crate::engine::unit::{LocalTime, MediaTime, Micros, Rate, SessionTime};
use crate::sim::check::{Broken, hold};
use crate::sim::clock::{Clock, MS, SEC, True};
use crate::sim::dice::Dice;
use crate::sim::fault::Kind;
use crate::sim::host::{SECRETS, WALL_ZERO, honest_ppm};
use crate::sim::net::{BUFFER_BYTES, Conn, Far, Parcel, Pipe, Way};
use crate::sim::player::{Player, Says};
use crate::sim::wish::wish;
use crate::sim::world::{Due, SESSION, Stage, World};

/// A player this near to the line counts as in step: what a report to the others says.
pub const IN_STEP: Micros = Micros::from_millis(80);
/// The same for a player that takes no fine rates: it is stepped from 450 ms on.
const COARSE_STEP: Micros = Micros::from_millis(460);
/// And for one that was slow to start and is not any more. A start teaches half a second at the
/// most; of what is then too early, 5 % a second are gone for the three seconds that it ran.
const LATE_STEP: Micros = Micros::from_millis(350);

/// One member's machine, over all runs of the program on it.
#[derive(Debug)]
pub struct Guest {
    number: usize,
    form: Form,
    pub(super) clock: Clock,
    dice: Dice,
    /// The program, while it runs.
    pub(super) end: Option<MemberEnd>,
    /// When it is started again, if it does not run.
    pub(super) reopens: True,
    pub(super) conn: Option<u64>,
    /// Counts dials, so that an answer to an older one is known as such.
    dial: u64,
    pub(super) member: Option<MemberId>,
    pub(super) resume: Option<Resume>,
    /// How often it forgot who it was.
    pub(super) names: u32,
    pub(super) player: Option<Player>,
    film_ppm: i64,
    pub(super) frozen: bool,
    deferred: Vec<Due>,
    pub(super) coarse: bool,
    /// The wake-up that counts; others on the heap are old.
    pub(super) wake: True,
    acts_at: True,
    evening: bool,
    /// Its clock jumped then, and no exchange since has told.
    pub(super) doubt: Option<True>,
    /// Its crystal was beyond what the clock filter promises to bear.
    pub(super) beyond: bool,
    /// When each recent ping left.
    pings: Vec<(LocalTime, True)>,
    been_in: bool,
    /// Whether somebody asked for something that the calm must see done.
    pub(super) probes: Vec<u64>,
    says: Vec<Says>,
}

impl Guest {
    /// A machine whose owner comes by within the first seconds.
    pub fn new(number: usize, seed: u64, evening: bool, dice: &mut Dice) -> Self {
        let comes = match number {
            0 => 5 * MS,
            _ => dice.between(20 * MS, 4 * SEC),
        };
        let mut own = Dice::new(seed, 100 + number as u64);
        Self {
            number,
            form: own.pick(&Form::ALL),
            clock: Clock::new(dice.between(1_000 * SEC, 900_000 * SEC), honest_ppm(dice)),
            end: None,
            reopens: comes,
            conn: None,
            dial: 0,
            member: None,
            resume: None,
            names: 0,
            player: None,
            film_ppm: honest_ppm(&mut own),
            frozen: false,
            deferred: Vec::new(),
            coarse: false,
            wake: comes,
            acts_at: comes + own.between(200 * MS, 2 * SEC),
            evening,
            doubt: None,
            beyond: false,
            pings: Vec::new(),
            been_in: false,
            probes: Vec::new(),
            says: Vec::new(),
            dice: own,
        }
    }

    fn identity(&self) -> Identity {
        let again = match self.names {
            0 => String::new(),
            more => format!(" again {more}"),
        };
        Identity {
            session: SESSION,
            secret: SECRETS[usize::from(self.number > 0)].into(),
            name: format!(
                "Member {}{again}",
                ["Ana", "Bo", "Cy", "Di", "Eve", "Flo"][self.number % 6]
            ),
            client: match self.form {
                Form::Json => Client::Page,
                Form::Postcard => Client::Window,
            },
            resume: self.resume.clone(),
        }
    }

    fn state(&self) -> Option<&RoomState> {
        self.end.as_ref().map(MemberEnd::state)
    }

    /// Whether it is in the party and holds all of it.
    pub(super) fn is_live(&self) -> bool {
        self.end.as_ref().is_some_and(MemberEnd::is_live)
    }

    /// How long its owner waits before doing something.
    fn pause(&mut self) -> True {
        if self.evening {
            self.dice.between(8 * SEC, 240 * SEC)
        } else {
            self.dice.between(150 * MS, 5 * SEC)
        }
    }
}

impl World {
    fn local(&self, number: usize) -> LocalTime {
        self.guests[number].clock.read(self.now)
    }

    /// While the machine sleeps everything waits; says whether it does.
    fn guest_sleeps(&mut self, number: usize, due: Due) -> bool {
        let guest = &mut self.guests[number];
        if guest.frozen {
            guest.deferred.push(due);
        }
        guest.frozen
    }

    pub(super) fn thaw_guest(&mut self, number: usize) {
        let guest = &mut self.guests[number];
        if std::mem::take(&mut guest.frozen) {
            for due in std::mem::take(&mut guest.deferred) {
                if let Due::Guest(_) = due {
                    self.guests[number].wake = self.now;
                }
                self.at(self.now, due);
            }
        }
    }

    pub(super) fn guest_wakes(&mut self, number: usize, when: True) -> Result<(), Broken> {
        if self.guests[number].wake != when || self.guest_sleeps(number, Due::Guest(number)) {
            return Ok(());
        }
        self.guests[number].wake = True::MAX;
        self.guest_runs(number)
    }

    /// Lets the machine do whatever is due on it.
    pub(super) fn guest_runs(&mut self, number: usize) -> Result<(), Broken> {
        if self.guests[number].end.is_none() && self.guests[number].reopens <= self.now {
            self.boot(number)?;
        }
        let local = self.local(number);
        let guest = &mut self.guests[number];
        if let Some(end) = &mut guest.end
            && end.deadline().is_some_and(|due| due <= local)
        {
            let dice = guest.dice.any();
            let effects = end.tick(local, dice);
            self.effects(number, effects)?;
        }
        if self.guests[number].acts_at <= self.now && self.stage == Stage::Trouble {
            self.somebody_acts(number)?;
        }
        self.drive(number)?;
        self.wake_guest(number);
        Ok(())
    }

    /// Looks when the machine wants to run next.
    pub(super) fn wake_guest(&mut self, number: usize) {
        let now = self.now;
        let guest = &mut self.guests[number];
        let mut when = match &guest.end {
            None => guest.reopens,
            Some(end) => end
                .deadline()
                .map_or(True::MAX, |due| guest.clock.when(due, now)),
        };
        if self.stage == Stage::Trouble {
            when = when.min(guest.acts_at);
        }
        if let (Some(player), Some(_)) = (&guest.player, &guest.end) {
            let (sample, local) = player.due();
            when = when.min(sample);
            if let Some(local) = local {
                when = when.min(guest.clock.when(local, now));
            }
        }
        if when == True::MAX {
            return;
        }
        // Time moves between two wake-ups, whatever a deadline says.
        when = when.max(now + 100);
        if guest.coarse {
            let second = guest.clock.read(when).get().div_ceil(SEC) * SEC;
            when = guest.clock.when(LocalTime::new(second), now + 100);
        }
        if when < guest.wake || guest.wake <= now {
            guest.wake = when;
            self.at(when, Due::Guest(number));
        }
    }

    fn boot(&mut self, number: usize) -> Result<(), Broken> {
        let local = self.local(number);
        let guest = &mut self.guests[number];
        // The wall clock's milliseconds, as `net/client.rs` has it.
        let counter = WALL_ZERO + self.now / 1_000;
        let mut end = MemberEnd::new(guest.identity(), counter, local);
        guest.player = Some(Player::new(self.now, guest.film_ppm));
        guest.pings.clear();
        let effects = end.start(local);
        guest.end = Some(end);
        self.effects(number, effects)
    }

    /// The program on this machine is gone, and what it knew with it.
    pub(super) fn guest_dies(&mut self, number: usize, told: bool, away: True) {
        let guest = &mut self.guests[number];
        guest.end = None;
        guest.player = None;
        guest.reopens = self.now + away;
        guest.dial += 1;
        guest.doubt = None;
        guest.probes.clear();
        if let Some(conn) = guest.conn.take() {
            self.far_side_gone(conn, told);
        }
        self.wake_guest(number);
    }

    /// The member's end of a connection is gone; `told` says whether the room hears of it.
    pub(super) fn far_side_gone(&mut self, id: u64, told: bool) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        conn.far_open = false;
        conn.down = Pipe::default();
        if told {
            self.ship(id, Way::Up, Parcel::Fin);
        } else {
            conn.up.flight.clear();
        }
        self.forget_if_dead(id);
    }

    /// The connection ended under the program.
    pub(super) fn guest_loses(&mut self, number: usize, why: &str) -> Result<(), Broken> {
        let local = self.local(number);
        let guest = &mut self.guests[number];
        guest.conn = None;
        let dice = guest.dice.any();
        let Some(end) = &mut guest.end else {
            return Ok(());
        };
        let effects = end.disconnected(local, why.to_owned(), dice);
        self.effects(number, effects)?;
        self.wake_guest(number);
        Ok(())
    }

    fn dial(&mut self, number: usize) {
        let line = &self.lines[number];
        let guest = &mut self.guests[number];
        guest.dial += 1;
        let dial = guest.dial;
        let there = self.now + 2 * line.delay + 100;
        if !line.cut_up && !line.cut_down {
            let due = match self.hosts.contains_key(&self.machine.life) {
                true => Due::Stands(number, dial),
                false => Due::Nobody(number, dial),
            };
            self.at(there, due);
        }
        // Else nobody ever answers, and the program gives up by itself.
    }

    pub(super) fn nobody_there(&mut self, number: usize, dial: u64) -> Result<(), Broken> {
        if self.guests[number].dial != dial || self.guest_sleeps(number, Due::Nobody(number, dial))
        {
            return Ok(());
        }
        self.guest_loses(number, "There is no host at that address.")
    }

    pub(super) fn conn_stands(&mut self, number: usize, dial: u64) -> Result<(), Broken> {
        if self.guests[number].dial != dial || self.guest_sleeps(number, Due::Stands(number, dial))
        {
            return Ok(());
        }
        if self.on_air().is_none() {
            return self.guest_loses(number, "There is no host at that address.");
        }
        let local = self.local(number);
        if self.guests[number].conn.is_some() {
            return Ok(());
        }
        let id = self.new_conn(Far::Guest(number), self.guests[number].form);
        let guest = &mut self.guests[number];
        guest.conn = Some(id);
        let Some(end) = &mut guest.end else {
            return Ok(());
        };
        let effects = end.connected(local);
        self.effects(number, effects)?;
        self.wake_guest(number);
        Ok(())
    }

    /// A connection to the program that hosts now.
    pub(super) fn new_conn(&mut self, far: Far, form: Form) -> u64 {
        self.next_conn += 1;
        let id = self.next_conn;
        let conn = Conn {
            far,
            life: self.machine.life,
            form,
            end: self.room_end(),
            room_open: true,
            far_open: true,
            up: Pipe::default(),
            down: Pipe::default(),
            inside: None,
            feed: None,
            stuck: None,
            from: None,
            told: 0,
            wake: 0,
        };
        self.conns.insert(id, conn);
        self.wake_end(id);
        id
    }

    // -- what comes in --------------------------------------------------------

    pub(super) fn arrives_down(&mut self, id: u64) -> Result<(), Broken> {
        let Some(conn) = self.conns.get(&id).filter(|conn| conn.far_open) else {
            return Ok(());
        };
        let (far, form) = (conn.far, conn.form);
        if let Far::Guest(number) = far
            && self.guest_sleeps(number, Due::Down(id))
        {
            return Ok(());
        }
        let Some(parcel) = self.unship(id, Way::Down) else {
            return Ok(());
        };
        self.unstick(id)?;
        let frame = match parcel {
            Parcel::Fin => None,
            Parcel::Frame(bytes) => Some(read(form, &bytes)?),
        };
        match (far, frame) {
            (Far::Guest(number), Some(frame)) => self.guest_hears(number, id, frame),
            (Far::Guest(number), None) => {
                if let Some(conn) = self.conns.get_mut(&id) {
                    conn.far_open = false;
                }
                self.forget_if_dead(id);
                if self.guests[number].conn == Some(id) {
                    self.guest_loses(number, "The connection ended.")?;
                }
                Ok(())
            }
            (Far::Mallory(index), frame) => self.mallory_hears(index, id, frame),
        }
    }

    /// A writer that waited goes on once half of what it waited for is read.
    fn unstick(&mut self, id: u64) -> Result<(), Broken> {
        let Some(conn) = self.conns.get_mut(&id) else {
            return Ok(());
        };
        if conn.stuck.is_some() && conn.down.bytes <= BUFFER_BYTES / 2 {
            conn.stuck = None;
            self.unpark(id);
            self.feed(id)?;
        }
        Ok(())
    }

    fn guest_hears(&mut self, number: usize, id: u64, frame: ToMember) -> Result<(), Broken> {
        if self.guests[number].conn != Some(id) {
            return Ok(());
        }
        if let ToMember::Event(event) = &frame
            && let Some(conn) = self.conns.get_mut(&id)
            && let Some(from) = conn.from.take()
        {
            hold!(
                event.header.seq.get() == from,
                "a member who came with cursor {from} was first sent event {}",
                event.header.seq
            );
        }
        let local = self.local(number);
        let guest = &mut self.guests[number];
        let told = match &frame {
            ToMember::Pong { t0, .. } => guest.pings.iter().find(|(sent, _)| sent == t0).copied(),
            _ => None,
        };
        let moves = matches!(frame, ToMember::Event(_) | ToMember::Welcome(_));
        let dice = guest.dice.any();
        let Some(end) = &mut guest.end else {
            return Ok(());
        };
        let effects = end.frame(local, frame, dice);
        // A heartbeat's answer teaches nothing; one that was asked for after the jump does, and
        // two jumps may take each other back. Who goes on believing what is false stays in doubt,
        // and is not back in time.
        if let Some((_, sent)) = told
            && self.guests[number].doubt.is_some_and(|since| sent >= since)
            && self.knows_the_time(number)
        {
            self.guests[number].doubt = None;
        }
        self.effects(number, effects)?;
        self.watch_clock(number)?;
        if moves {
            self.drive(number)?;
        }
        self.wake_guest(number);
        Ok(())
    }

    pub(super) fn effects(&mut self, number: usize, effects: Vec<Effect>) -> Result<(), Broken> {
        for effect in effects {
            match effect {
                Effect::Dial => self.dial(number),
                Effect::Send(frame) => self.guest_sends(number, &frame),
                Effect::HangUp => {
                    if let Some(conn) = self.guests[number].conn.take() {
                        self.far_side_gone(conn, true);
                    }
                }
                Effect::Applied(event) => self.applied(number, &event)?,
                Effect::Accepted { counter, seq } => {
                    if let Some(member) = self.guests[number].member {
                        self.ledger.accepted(member, counter, seq)?;
                    }
                }
                Effect::Welcomed(welcome) => {
                    let guest = &mut self.guests[number];
                    if std::mem::replace(&mut guest.been_in, true) {
                        self.tally.rejoins += 1;
                    }
                    guest.member = Some(welcome.member);
                    guest.resume = Some(Resume {
                        member: welcome.member,
                        token: welcome.token,
                    });
                    self.note(|| format!("member {number} is in as {}", welcome.member));
                }
                Effect::CaughtUp => {
                    let now = self.now;
                    if let Some(player) = &mut self.guests[number].player {
                        player.came_back(now);
                    }
                }
                Effect::Over(why) => {
                    self.note(|| format!("for member {number} it is over: {why}"));
                    // A person looks at it, and opens the link again.
                    let away = self.guests[number].dice.between(SEC, 3 * SEC);
                    let away = match self.stage {
                        Stage::Trouble => away,
                        _ => 200 * MS,
                    };
                    self.guest_dies(number, true, away);
                    return Ok(());
                }
                Effect::Lost(why) => self.note(|| format!("member {number} lost it: {why}")),
                Effect::Refused(refused) => {
                    self.note(|| format!("member {number} is refused: {}", refused.sentence));
                }
                // There is one way to this host, it does not move, and its door stands open.
                Effect::Presence(_)
                | Effect::Moved(_)
                | Effect::Waiting
                | Effect::Knocks(_)
                | Effect::Secret { .. } => {}
            }
        }
        Ok(())
    }

    fn applied(&mut self, number: usize, event: &Event) -> Result<(), Broken> {
        self.tally.applied += 1;
        let Some(state) = self.guests[number].state() else {
            return Ok(());
        };
        self.ledger.applied(event, state)
    }

    fn guest_sends(&mut self, number: usize, frame: &ToRoom) {
        let guest = &mut self.guests[number];
        if let ToRoom::Ping { t0 } = frame {
            guest.pings.push((*t0, self.now));
            if guest.pings.len() > 32 {
                guest.pings.remove(0);
            }
        }
        let bytes = match guest.form {
            Form::Postcard => frame::to_postcard(frame),
            Form::Json => frame::to_json(frame).into_bytes(),
        };
        if let Some(conn) = guest.conn {
            self.ship(conn, Way::Up, Parcel::Frame(bytes.into()));
        }
    }

    // -- the player and the person --------------------------------------------

    /// Lets the hands hold the film to the line, and passes on what they say.
    fn drive(&mut self, number: usize) -> Result<(), Broken> {
        let (now, local) = (self.now, self.local(number));
        let guest = &mut self.guests[number];
        let (Some(end), Some(player)) = (&guest.end, &mut guest.player) else {
            return Ok(());
        };
        let mut says = std::mem::take(&mut guest.says);
        player.drive(now, local, end.state(), end.clock().estimate(), &mut says);
        for it in says.drain(..) {
            self.player_says(number, it)?;
        }
        self.guests[number].says = says;
        Ok(())
    }

    pub(super) fn player_says(&mut self, number: usize, says: Says) -> Result<(), Broken> {
        let aim = self.guests[number]
            .state()
            .map(|state| state.timeline.aim());
        match says {
            Says::Ready(item, generation) => {
                self.ask(number, Via::Auto, None, Intent::Ready { item, generation })
            }
            Says::Length(item, duration) => {
                self.ask(number, Via::Auto, None, Intent::Measure { item, duration })
            }
            Says::Ended(item) => self.ask(number, Via::Auto, None, Intent::Ended { item }),
            Says::Clicked(true, _) => self.ask(number, Via::Player, aim, Intent::Play {}),
            Says::Clicked(false, at) => {
                self.ask(number, Via::Player, aim, Intent::Pause { at: Some(at) })
            }
            Says::Report(activity, drift, place) => {
                self.watch_claim(number, drift, place)?;
                self.reports(number, activity, drift)
            }
        }
    }

    fn reports(
        &mut self,
        number: usize,
        activity: Activity,
        drift: Option<Micros>,
    ) -> Result<(), Broken> {
        self.note(|| format!("player {number}: {activity:?} {drift:?}"));
        let local = self.local(number);
        let Some(end) = &mut self.guests[number].end else {
            return Ok(());
        };
        let report = Report {
            activity: Some(activity),
            drift,
            round_trip: None,
        };
        let effects = end.report(local, report);
        self.effects(number, effects)
    }

    pub(super) fn ask(
        &mut self,
        number: usize,
        via: Via,
        aim: Option<Aim>,
        intent: Intent,
    ) -> Result<(), Broken> {
        self.ask_counted(number, via, aim, intent).map(drop)
    }

    pub(super) fn ask_counted(
        &mut self,
        number: usize,
        via: Via,
        aim: Option<Aim>,
        intent: Intent,
    ) -> Result<Option<u64>, Broken> {
        let local = self.local(number);
        let Some(end) = &mut self.guests[number].end else {
            return Ok(None);
        };
        let Ok((counter, effects)) = end.ask(local, via, aim, intent) else {
            return Ok(None);
        };
        self.effects(number, effects)?;
        Ok(Some(counter))
    }

    fn somebody_acts(&mut self, number: usize) -> Result<(), Broken> {
        let guest = &mut self.guests[number];
        guest.acts_at = self.now + guest.pause();
        let Some(end) = &guest.end else {
            return Ok(());
        };
        // Who sees that the line is down mostly waits.
        if !end.is_live() && guest.dice.chance(700) {
            return Ok(());
        }
        let others: Vec<_> = self.guests.iter().filter_map(|it| it.member).collect();
        let guest = &mut self.guests[number];
        let Some(end) = &guest.end else {
            return Ok(());
        };
        let intent = wish(&mut guest.dice, end.state(), &others);
        self.tally.asked += 1;
        self.ask(number, Via::Key, None, intent)
    }

    // -- what is watched ------------------------------------------------------

    /// The session's clock in truth, if this member speaks to the program that keeps it.
    fn session_truth(&self, number: usize) -> Option<SessionTime> {
        let guest = &self.guests[number];
        let conn = self.conns.get(&guest.conn?)?;
        if conn.life != self.machine.life || !guest.is_live() {
            return None;
        }
        let clock = self.on_air()?.mind.clock();
        Some(clock.at(self.machine.clock.read(self.now)))
    }

    /// What a member takes the session's clock for, how far that may be off, and what it is.
    fn readings(&self, number: usize) -> Option<(SessionTime, Micros, SessionTime)> {
        let truth = self.session_truth(number)?;
        let clock = self.guests[number].end.as_ref()?.clock();
        let (read, bound) = clock.session_time(self.local(number))?;
        Some((read, bound, truth))
    }

    fn knows_the_time(&self, number: usize) -> bool {
        self.readings(number)
            .is_some_and(|(read, bound, truth)| (read - truth).abs() <= bound)
    }

    /// The truth lies within the bound that the clock filter gives.
    fn watch_clock(&mut self, number: usize) -> Result<(), Broken> {
        let guest = &self.guests[number];
        if guest.doubt.is_some() || guest.beyond {
            return Ok(());
        }
        if let Some((read, bound, truth)) = self.readings(number) {
            hold!(
                (read - truth).abs() <= bound,
                "member {number} takes the session's clock for {read:?} ± {bound:?}; it is {truth:?}"
            );
        }
        Ok(())
    }

    /// Nobody says that they are in step, or how far off, unless it is so.
    fn watch_claim(
        &mut self,
        number: usize,
        drift: Option<Micros>,
        place: MediaTime,
    ) -> Result<(), Broken> {
        let (Some(said), Some(truth)) = (drift, self.session_truth(number)) else {
            return Ok(());
        };
        let local = self.local(number);
        let guest = &self.guests[number];
        let Some(end) = &guest.end else {
            return Ok(());
        };
        let Some(clock) = end.clock().estimate() else {
            return Err(format!("member {number} says {said:?} without a clock"));
        };
        if guest.doubt.is_some() {
            return Ok(());
        }
        let state = end.state();
        let anchor = state.timeline.anchor;
        let line = anchor.position(truth, state.timeline.duration());
        let off = place - line;
        let doubt = clock.bound(local).get() * i64::from(anchor.rate.get()) / 1_000 + 1_000;
        let doubt = doubt + if guest.beyond { 60_000 } else { 0 };
        self.tally.claims += u64::from(said.abs() <= IN_STEP);
        hold!(
            (off - said).abs().get() <= doubt,
            "member {number} says it is {said:?} off, within {doubt} µs; it is {off:?} off"
        );
        Ok(())
    }

    // -- the end --------------------------------------------------------------

    /// Whether everybody is in the party and holds all of it.
    pub(super) fn all_back(&self) -> bool {
        let Some(host) = self.on_air() else {
            return false;
        };
        // Not what they believe, but what is so: a host that died in silence leaves believers behind.
        let speaks = |guest: &Guest| {
            let conn = guest.conn.and_then(|conn| self.conns.get(&conn));
            conn.is_some_and(|conn| {
                conn.life == self.machine.life && conn.room_open && conn.inside.is_some()
            })
        };
        // What a slow line took in is under way until it is there, whatever the line is by then.
        let is_clear = |guest: &Guest| {
            let conn = guest.conn.and_then(|conn| self.conns.get(&conn));
            let line = &self.lines[guest.number];
            conn.is_some_and(|conn| {
                !conn.up.is_behind(self.now, line) && !conn.down.is_behind(self.now, line)
            })
        };
        // A clock that jumped is wrong until the next exchange tells.
        let in_it = |guest: &Guest| {
            guest.is_live() && guest.doubt.is_none() && speaks(guest) && is_clear(guest)
        };
        let works = host.mind.read_only().is_none() && !host.is_saving();
        // Whoever went without a word is there until the room has heard nothing for long enough.
        let ghosts = self
            .conns
            .values()
            .filter(|it| it.room_open && it.inside.is_some());
        works && ghosts.count() == self.guests.len() && self.guests.iter().all(in_it)
    }

    /// Who is not, and why.
    pub(super) fn away(&self) -> Vec<String> {
        let host = match self.on_air() {
            None => "the host".to_owned(),
            Some(host) => match host.mind.read_only() {
                Some(reason) => format!("the host ({reason})"),
                None => String::new(),
            },
        };
        let guests = self.guests.iter().filter(|guest| !guest.is_live());
        std::iter::once(host)
            .filter(|it| !it.is_empty())
            .chain(guests.map(|it| format!("member {} ({:?})", it.number, it.end)))
            .collect()
    }

    /// All are back, and what waited to be asked is asked: a new film, from the start, and a word.
    fn probe(&mut self) -> Result<(), Broken> {
        let Some(number) = self.prober() else {
            return Ok(());
        };
        let url = format!("https://films.example/the-end-{}.mp4", self.now);
        let hello = Intent::Say {
            text: "is everybody here?".to_owned(),
        };
        for intent in [Intent::Load { url }, hello] {
            let counter = self.ask_counted(number, Via::Key, None, intent)?;
            self.guests[number].probes.extend(counter);
        }
        Ok(())
    }

    /// Who may do what the probe asks: the host, or after one who forgot who they were somebody else.
    fn prober(&self) -> Option<usize> {
        let state = self.ledger.state();
        let host = state.roster.host().map(|(id, _)| id);
        let is_host = |guest: &Guest| host.is_some() && guest.member == host;
        let needed = [Action::Play, Action::Queue, Action::Rate, Action::Chat];
        let may = |guest: &Guest| {
            let member = guest.member;
            member.is_some_and(|member| needed.iter().all(|it| state.may(member, *it)))
        };
        let guests = &self.guests;
        guests
            .iter()
            .position(is_host)
            .or_else(|| guests.iter().position(may))
    }

    /// In two halves, because what is aimed at a film must know it.
    pub(super) fn probe_half(&mut self, half: u32) -> Result<(), Broken> {
        if half == 0 {
            self.at(self.now + 600 * MS, Due::Again(usize::MAX, 1));
            return self.probe();
        }
        self.prober()
            .map_or(Ok(()), |number| self.probe_runs(number))
    }

    /// The second half of the probe, once the new film is known: let it run.
    fn probe_runs(&mut self, number: usize) -> Result<(), Broken> {
        for intent in [Intent::Rate { rate: Rate::NORMAL }, Intent::Play {}] {
            let counter = self.ask_counted(number, Via::Key, None, intent)?;
            self.guests[number].probes.extend(counter);
        }
        Ok(())
    }

    /// Five seconds after the last one came back: one state, one film, in step.
    pub(super) fn must_be_together(&mut self, since: True) -> Result<(), Broken> {
        let want = self.ledger.state().clone();
        for number in 0..self.guests.len() {
            let guest = &self.guests[number];
            let Some(state) = guest.state() else {
                return Err(format!("member {number} is gone again"));
            };
            hold!(
                state.seq == want.seq && *state == want,
                "member {number} stands at event {} and another state, the room at {}",
                state.seq,
                want.seq
            );
            for counter in &guest.probes {
                let Some(member) = guest.member else { continue };
                let done = self.ledger.is_done(member, *counter);
                let needless =
                    want.timeline.anchor.playing && want.timeline.anchor.rate == Rate::NORMAL;
                hold!(
                    done || needless,
                    "intent {counter} of member {member} was never done"
                );
            }
        }
        if self.guests.iter().all(|guest| guest.probes.is_empty()) {
            return Ok(()); // nobody is left who may let a film run
        }
        let anchor = want.timeline.anchor;
        hold!(
            anchor.playing,
            "nobody's film runs, though the host pressed play: {:?} {anchor:?}",
            want.hold
        );
        self.must_be_in_step(since)
    }

    fn must_be_in_step(&mut self, since: True) -> Result<(), Broken> {
        let now = self.now;
        let mut worst = 0;
        for number in 0..self.guests.len() {
            let Some(truth) = self.session_truth(number) else {
                return Err(format!("member {number} is not in the room"));
            };
            let guest = &mut self.guests[number];
            let (Some(end), Some(player)) = (&guest.end, &mut guest.player) else {
                continue;
            };
            let state = end.state();
            let line = state
                .timeline
                .anchor
                .position(truth, state.timeline.duration());
            let seen = player.truth(now);
            let off = (seen.place - line).abs();
            hold!(
                seen.activity == Activity::Playing,
                "the player of member {number} is {:?}, the line runs",
                seen.activity
            );
            worst = worst.max(off.get().unsigned_abs());
            // Nobody can be nearer to the line than their clock knows the session's.
            let local = guest.clock.read(now);
            let known = end.clock().session_time(local);
            let doubt = known.map_or(Micros::ZERO, |(_, bound)| bound);
            let most = if player.is_coarse() || guest.beyond {
                COARSE_STEP
            } else if player.was_late() {
                LATE_STEP
            } else {
                IN_STEP
            } + doubt;
            hold!(
                off <= most,
                "the player of member {number} is {off:?} off, after {} s",
                (now - since) / SEC
            );
        }
        self.tally.off_max = self.tally.off_max.max(worst);
        Ok(())
    }
}

/// Reads what a room sent; an honest room sends nothing that does not read.
fn read(form: Form, bytes: &[u8]) -> Result<ToMember, Broken> {
    let most = frame::FROM_ROOM_BYTES_MAX;
    let read = match form {
        Form::Postcard => frame::from_postcard(bytes, most),
        Form::Json => match std::str::from_utf8(bytes) {
            Ok(text) => frame::from_json(text, most),
            Err(error) => return Err(format!("the room sent a text that is none: {error}")),
        },
    };
    read.map_err(|error| format!("the room sent what does not read: {error}"))
}

impl World {
    /// A click inside the player, on what people see there.
    pub(super) fn somebody_clicks(&mut self, number: usize) -> Result<(), Broken> {
        let now = self.now;
        let guest = &mut self.guests[number];
        let Some(says) = guest.player.as_mut().and_then(|player| player.clicked(now)) else {
            return Ok(());
        };
        self.tally.hit(Kind::ClickInside);
        self.tally.asked += 1;
        self.player_says(number, says)?;
        self.wake_guest(number);
        Ok(())
    }
}
