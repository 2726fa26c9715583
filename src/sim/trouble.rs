//! What each fault does to the world, and how it is undone.

use crate::engine::event::Departure;
use crate::engine::frame::{Closing, ToMember};
use crate::engine::room::Deed;
use crate::sim::check::{Broken, hold};
use crate::sim::clock::{MS, SEC, True};
use crate::sim::disk::Cut;
use crate::sim::fault::{Fault, Kind};
use crate::sim::host::{GOOD_SYNC, Sync};
use crate::sim::net::Line;
use crate::sim::player::Manner;
use crate::sim::world::{Due, Stage, World};

impl World {
    fn fault(&self, index: usize) -> (Fault, usize) {
        let fault = self.plan.faults[index];
        (fault, usize::from(fault.who) % self.guests.len())
    }

    pub(super) fn fault_begins(&mut self, index: usize) -> Result<(), Broken> {
        if self.stage != Stage::Trouble {
            return Ok(());
        }
        let (fault, who) = self.fault(index);
        self.note(|| format!("fault: {}", fault.words()));
        let size = u64::from(fault.size);
        let now = self.now;
        match fault.kind {
            // -- links --
            Kind::Cut => self.cut_line(who, false)?,
            Kind::LateOldFrames => self.cut_line(who, true)?,
            Kind::Loss => self.lines[who].loss = 20 + size / 4,
            Kind::Delay => {
                self.lines[who].delay += size * MS;
                self.tally.hit(fault.kind);
            }
            Kind::Jitter => {
                self.lines[who].jitter += 5 * MS + size * 200;
                self.tally.hit(fault.kind);
            }
            Kind::Duplicate => self.lines[who].doubles = 100 + size / 2,
            Kind::Partition | Kind::PartitionUp | Kind::PartitionDown | Kind::Flapping => {
                self.partition(who, fault.kind);
                if fault.kind == Kind::Flapping {
                    self.at(now + 200 * MS + size * MS, Due::Again(index, 0));
                }
                self.tally.hit(fault.kind);
            }
            Kind::HalfOpen => {
                if let Some(conn) = self.guests[who].conn.take() {
                    self.far_side_gone(conn, false);
                    self.guest_loses(who, "The network is gone.")?;
                    self.tally.hit(fault.kind);
                }
            }
            Kind::SlowLine => {
                // Down to half a kilobyte a second.
                self.lines[who].byte_micros = 50 + size * 2;
                self.tally.hit(fault.kind);
            }
            Kind::NeverReads => {
                self.lines[who].reads = false;
                // Others talk, so that there is something not to read.
                self.at(now + 50 * MS, Due::Again(index, 0));
            }
            // -- clocks --
            Kind::Skew => {
                let ppm = if size < 500 { -55 } else { 55 };
                self.guests[who].clock.set_ppm(now, ppm);
                self.tally.hit(fault.kind);
            }
            Kind::ClockDrift => {
                self.at(now, Due::Again(index, 0));
                self.tally.hit(fault.kind);
            }
            Kind::BadCrystal => {
                let ppm = if size < 500 { -400 } else { 400 };
                self.guests[who].clock.set_ppm(now, ppm);
                self.guests[who].beyond = true;
                self.tally.hit(fault.kind);
            }
            Kind::StepForward | Kind::StepBack => {
                let by = 3 * SEC + size * 5 * MS;
                let by = by as i64;
                let back = fault.kind == Kind::StepBack;
                self.guests[who]
                    .clock
                    .step(now, if back { -by } else { by });
                self.guests[who].doubt = Some(now);
                self.tally.hit(fault.kind);
                // A program looks at its clock again only when it runs.
                self.guests[who].wake = True::MAX;
                self.wake_guest(who);
            }
            Kind::WallForward | Kind::WallBack => {
                let by = (size * size * 10) as i64;
                let back = fault.kind == Kind::WallBack;
                self.machine.wall_moved += if back { -by } else { by };
                self.crash(fault, Cut::Nothing, true)?;
            }
            Kind::Suspend | Kind::GuestPause => {
                self.guests[who].frozen = true;
                self.tally.hit(fault.kind);
            }
            Kind::CoarseTimers => {
                self.guests[who].coarse = true;
                self.tally.hit(fault.kind);
            }
            Kind::HostSuspend => {
                self.machine.frozen = true;
                self.tally.hit(fault.kind);
            }
            // -- disks --
            Kind::SlowSync => {
                self.machine.sync = Sync::Fine {
                    takes: 20 * MS + size * 2 * MS,
                };
                self.tally.hit(fault.kind);
            }
            Kind::FailedSync => self.machine.sync = Sync::Fails,
            Kind::DiskFull => self.machine.sync = Sync::Full,
            Kind::TornTail | Kind::LostSuffix => {
                let cut = match fault.kind {
                    Kind::TornTail => Cut::Torn,
                    _ => Cut::Suffix,
                };
                // Something must be under way for the power to take.
                self.machine.sync = Sync::Fine { takes: 400 * MS };
                self.machine.cut = cut;
                self.at(now + 100 * MS + size * MS, Due::Again(index, 0));
            }
            Kind::BitFlip => {
                self.machine.flips = true;
                self.crash(fault, Cut::Nothing, true)?;
            }
            // -- processes --
            Kind::HostCrash | Kind::HostAway => self.crash(fault, Cut::Nothing, true)?,
            Kind::HostPause => {
                self.machine.frozen = true;
                self.tally.hit(fault.kind);
            }
            Kind::HostReopens => self.host_closes(fault)?,
            Kind::RestartLoop => {
                self.crash(fault, Cut::Nothing, true)?;
                self.at(now + SEC, Due::Again(index, 0));
            }
            Kind::GuestCrash | Kind::GuestForgets => {
                if self.guests[who].end.is_some() {
                    self.tally.hit(fault.kind);
                    if fault.kind == Kind::GuestForgets && who > 0 {
                        self.guests[who].resume = None;
                        self.guests[who].member = None;
                        self.guests[who].names += 1;
                    }
                    self.guest_dies(who, size < 500, fault.lasts);
                }
            }
            Kind::HandOver => self.hand_over(fault)?,
            // -- players --
            Kind::Stall => self.behaves(who, fault.kind, |manner| manner.stalled = true),
            Kind::Ad => self.behaves(who, fault.kind, |manner| manner.advert = true),
            Kind::LateStart => {
                self.behaves(who, fault.kind, |manner| {
                    manner.late = 100 * MS + size * 2 * MS
                });
            }
            Kind::IgnoredRate => self.behaves(who, fault.kind, |it| it.rounds_rates = true),
            Kind::RefusesToPlay => self.behaves(who, fault.kind, |it| it.wants_click = true),
            Kind::UnknownDuration => {
                self.behaves(who, fault.kind, |it| it.unknown_length = true);
            }
            Kind::SpuriousPause => {
                let player = self.guests[who].player.as_mut();
                if player.is_some_and(|player| player.pauses_by_itself(now)) {
                    self.tally.hit(fault.kind);
                }
            }
            Kind::PlayerLost => {
                let guest = &mut self.guests[who];
                if guest.end.is_some() {
                    guest.player = Some(crate::sim::player::Player::new(now, 7));
                    self.tally.hit(fault.kind);
                    self.wake_guest(who);
                }
            }
            Kind::ClickInside => self.somebody_clicks(who)?,
            // -- hostile clients --
            Kind::StaleEpoch => self.stale_epoch(who)?,
            Kind::Garbage
            | Kind::Oversize
            | Kind::Flood
            | Kind::ForgedAuthor
            | Kind::StaleAim
            | Kind::ReusedCounter
            | Kind::FarCursor
            | Kind::Silent => self.mallory_comes(fault),
        }
        Ok(())
    }

    pub(super) fn fault_ends(&mut self, index: usize) -> Result<(), Broken> {
        if self.stage != Stage::Trouble {
            return Ok(());
        }
        let (fault, who) = self.fault(index);
        self.heal(fault.kind, who)
    }

    /// Undoes what a kind of fault did to this member or to the host.
    fn heal(&mut self, kind: Kind, who: usize) -> Result<(), Broken> {
        let now = self.now;
        match kind {
            Kind::Loss
            | Kind::Delay
            | Kind::Jitter
            | Kind::Duplicate
            | Kind::Partition
            | Kind::PartitionUp
            | Kind::PartitionDown
            | Kind::Flapping
            | Kind::SlowLine
            | Kind::NeverReads => self.line_heals(who),
            Kind::Skew | Kind::ClockDrift | Kind::BadCrystal => {
                self.guests[who].clock.set_ppm(now, 10);
            }
            Kind::Suspend | Kind::GuestPause => self.thaw_guest(who),
            Kind::CoarseTimers => {
                self.guests[who].coarse = false;
                self.wake_guest(who);
            }
            Kind::HostSuspend | Kind::HostPause => self.thaw_host(),
            Kind::SlowSync => self.machine.sync = GOOD_SYNC,
            Kind::FailedSync | Kind::DiskFull | Kind::TornTail | Kind::LostSuffix => {
                self.machine.sync = GOOD_SYNC;
                self.restart_if_read_only(kind)?;
            }
            Kind::HandOver => self.zombies_die()?,
            Kind::Stall
            | Kind::Ad
            | Kind::LateStart
            | Kind::IgnoredRate
            | Kind::RefusesToPlay
            | Kind::UnknownDuration => {
                if let Some(player) = &mut self.guests[who].player {
                    player.behave(now, |manner| *manner = Manner::default());
                }
                self.wake_guest(who);
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn fault_again(&mut self, index: usize, round: u32) -> Result<(), Broken> {
        if index == usize::MAX {
            return self.probe_half(round);
        }
        let (fault, who) = self.fault(index);
        if self.stage != Stage::Trouble || self.now > fault.at + fault.lasts.max(2 * SEC) {
            return Ok(());
        }
        let again = Due::Again(index, round + 1);
        match fault.kind {
            Kind::Flapping => {
                if round.is_multiple_of(2) {
                    self.line_heals(who);
                } else {
                    self.partition(who, fault.kind);
                }
                self.at(self.now + 150 * MS + u64::from(fault.size) * MS, again);
            }
            Kind::ClockDrift => {
                let wave = [-55, -20, 15, 50, 20, -30];
                let ppm = wave[round as usize % wave.len()];
                self.guests[who].clock.set_ppm(self.now, ppm);
                self.at(self.now + SEC, again);
            }
            Kind::NeverReads => {
                // Presence by presence its socket fills.
                let conn = self.guests[who].conn;
                if let Some(conn) = conn {
                    for _ in 0..40 {
                        let words = "x".repeat(2_000);
                        self.send(conn, &ToMember::Refused(words_only(words)));
                    }
                    self.feed(conn)?;
                }
            }
            Kind::RestartLoop if round < 3 => {
                self.crash(fault, Cut::Nothing, round == 1)?;
                self.at(self.now + 700 * MS, again);
            }
            Kind::TornTail | Kind::LostSuffix => {
                let cut = self.machine.cut;
                self.crash(fault, cut, false)?;
            }
            _ => {}
        }
        Ok(())
    }

    // -- links ----------------------------------------------------------------

    /// The connection breaks. What was under way on it is lost, or arrives late.
    fn cut_line(&mut self, who: usize, late: bool) -> Result<(), Broken> {
        let Some(id) = self.guests[who].conn.take() else {
            return Ok(());
        };
        if late {
            let was_under_way = self.conns.get_mut(&id).is_some_and(|conn| {
                conn.up.hold_back(1_500 * MS);
                !conn.up.flight.is_empty()
            });
            self.far_side_gone(id, true);
            self.tally.hit(Kind::LateOldFrames);
            let _ = was_under_way;
        } else {
            self.far_side_gone(id, false);
            self.room_end_gone(id, Departure::Lost)?;
            self.tally.hit(Kind::Cut);
        }
        self.guest_loses(who, "The connection was cut.")
    }

    fn partition(&mut self, who: usize, kind: Kind) {
        let line = &mut self.lines[who];
        line.cut_up |= kind != Kind::PartitionDown;
        line.cut_down |= kind != Kind::PartitionUp;
    }

    fn line_heals(&mut self, who: usize) {
        let delay = self.lines[who].delay.min(60 * MS);
        let line = Line::good(delay);
        let of_guest: Vec<_> = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.far == crate::sim::net::Far::Guest(who))
            .map(|(id, _)| *id)
            .collect();
        for id in &of_guest {
            self.quicken(*id, &line);
        }
        self.lines[who] = line;
        for id in of_guest {
            self.unpark(id);
        }
    }

    // -- the host -------------------------------------------------------------

    /// The host's program dies and comes again.
    fn crash(&mut self, fault: Fault, cut: Cut, told: bool) -> Result<(), Broken> {
        if self.on_air().is_none() {
            return Ok(());
        }
        if !matches!(cut, Cut::Torn | Cut::Suffix) && fault.kind != Kind::BitFlip {
            self.tally.hit(fault.kind);
        }
        self.thaw_host();
        let life = self.machine.life;
        self.note(|| format!("host {life} dies"));
        self.host_dies(life, told)?;
        self.zombies_die()?;
        self.machine.cut = cut;
        let size = u64::from(fault.size);
        let away = match fault.kind {
            // Past what leaves a playing room playing.
            Kind::HostAway => 25 * SEC + size * 15 * MS,
            Kind::RestartLoop => 300 * MS,
            _ => 100 * MS + size * 4 * MS,
        };
        self.at(self.now + away, Due::HostUp);
        Ok(())
    }

    /// The party closes politely and opens again.
    fn host_closes(&mut self, fault: Fault) -> Result<(), Broken> {
        let life = self.machine.life;
        let now = self.machine.now(self.now);
        let Some(host) = self.hosts.get_mut(&life) else {
            return Ok(());
        };
        if host.is_saving() || self.machine.frozen || host.mind.read_only().is_some() {
            return Ok(());
        }
        self.ledger.occasions += 10;
        let Some(host) = self.hosts.get_mut(&life) else {
            return Ok(());
        };
        host.mind.close(now);
        for deed in host.mind.turn() {
            let Deed::Append(events) = deed else { continue };
            // It waits for the disk before it goes.
            let written = self.machine.disk.write(&events);
            let saved = written.map_err(|error| error.to_string());
            if saved.is_ok() {
                self.machine.disk.sync();
            }
            let Some(host) = self.hosts.get_mut(&life) else {
                return Ok(());
            };
            let deeds = host.mind.saved(saved, now);
            self.perform(life, deeds)?;
        }
        for conn in self.conns_of(life) {
            self.send(conn, &ToMember::Closing(Closing::HostLeft));
        }
        self.tally.hit(fault.kind);
        self.host_dies(life, true)?;
        let away = 200 * MS + u64::from(fault.size) * 5 * MS;
        self.at(self.now + away, Due::HostUp);
        Ok(())
    }

    /// Another process opens the same log, while the one before lives on and believes itself the host.
    fn hand_over(&mut self, fault: Fault) -> Result<(), Broken> {
        if self.on_air().is_none() || self.machine.frozen || self.hosts.len() > 1 {
            return Ok(());
        }
        self.tally.hit(fault.kind);
        self.tally.hand_overs += 1;
        let count = self.machine.disk.reopen();
        self.take_the_log(count)
    }

    /// Hosts that were replaced are switched off.
    fn zombies_die(&mut self) -> Result<(), Broken> {
        let current = self.machine.life;
        let old: Vec<_> = self
            .hosts
            .keys()
            .copied()
            .filter(|it| *it != current)
            .collect();
        old.into_iter()
            .try_for_each(|life| self.host_dies(life, true))
    }

    /// A host whose disk failed is started again on a good one.
    fn restart_if_read_only(&mut self, kind: Kind) -> Result<(), Broken> {
        let failed = self
            .on_air()
            .is_some_and(|host| host.mind.read_only().is_some());
        if failed {
            let life = self.machine.life;
            self.host_dies(life, true)?;
            self.machine.cut = match kind {
                Kind::FailedSync => Cut::Torn,
                _ => Cut::Nothing,
            };
            self.at(self.now + 300 * MS, Due::HostUp);
        }
        Ok(())
    }

    // -- the rest -------------------------------------------------------------

    fn behaves(&mut self, who: usize, kind: Kind, change: impl FnOnce(&mut Manner)) {
        let now = self.now;
        if let Some(player) = &mut self.guests[who].player {
            player.behave(now, change);
            self.tally.hit(kind);
            self.wake_guest(who);
        }
    }

    /// Events of an epoch that is over: the log must not take one, nor a member.
    fn stale_epoch(&mut self, who: usize) -> Result<(), Broken> {
        let Some(stale) = self.ledger.stale() else {
            return Ok(());
        };
        hold!(
            !self.machine.disk.would_take(std::slice::from_ref(&stale)),
            "the log would take {stale:?}, of an epoch that is over"
        );
        self.tally.hit(Kind::StaleEpoch);
        if let Some(conn) = self.guests[who].conn {
            // It must stand where the member's next event does, or it would be taken for an echo.
            let next = self.guests[who].end.as_ref().map(|end| end.state().tail());
            if next == Some(stale.header.seq) {
                self.send(conn, &ToMember::Event(stale));
            }
        }
        Ok(())
    }

    /// All faults are over: everything works from here on.
    pub(super) fn calm(&mut self) -> Result<(), Broken> {
        self.note(|| "calm".to_owned());
        self.stage = Stage::Returning(self.now);
        self.thaw_host();
        self.machine.sync = GOOD_SYNC;
        self.machine.flips = false;
        self.zombies_die()?;
        self.mallories_go()?;
        for who in 0..self.guests.len() {
            self.line_heals(who);
            self.thaw_guest(who);
            for kind in [Kind::Skew, Kind::CoarseTimers, Kind::Stall] {
                self.heal(kind, who)?;
            }
            let guest = &mut self.guests[who];
            guest.reopens = guest.reopens.min(self.now + 200 * MS);
            self.wake_guest(who);
        }
        self.restart_if_read_only(Kind::DiskFull)?;
        if self.on_air().is_none() {
            self.at(self.now, Due::HostUp);
        }
        Ok(())
    }
}

/// A frame that says nothing, at length.
fn words_only(words: String) -> crate::engine::frame::Refused {
    crate::engine::frame::Refused {
        counter: Some(0),
        refusal: crate::engine::intent::Refusal::TooOld,
        sentence: words,
    }
}
