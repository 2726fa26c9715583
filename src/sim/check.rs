//! The ledger: everything that was ever durable, and the laws it is held against.
//!
//! It believes nobody. It keeps its own copy of each published event and of the
//! state they fold to, and every claim made anywhere in the world (an event
//! shown, an answer given, a digest, a recovered log) is compared with that.

use std::collections::BTreeSet;

use crate::engine::event::{Body, Event, Via};
use crate::engine::fold::{Digest, RoomState};
use crate::engine::frame::{self, ToMember};
use crate::engine::id::{MemberId, Seq};
use crate::engine::intent::{Ask, Intent};
use crate::engine::replay::{Replay, Step};
use crate::engine::snapshot;

/// Digests cost a hash of the whole state: they are compared at every so many events, and at the end.
const DIGEST_EVERY: u64 = 32;

/// A law was broken: a sentence that says which and how.
pub type Broken = String;

/// Breaks off with a sentence unless something holds.
macro_rules! hold {
    ($holds:expr, $($sentence:tt)*) => {
        if !$holds {
            return Err(format!($($sentence)*));
        }
    };
}
pub(super) use hold;

/// Everything that was ever durable.
#[derive(Debug, Default)]
pub struct Ledger {
    events: Vec<Event>,
    state: RoomState,
    digests: Vec<Option<Digest>>,
    /// Intents that reached the room on a connection that speaks for their member.
    heard: BTreeSet<(MemberId, u64)>,
    /// Those whose content moved the film, with what they were aimed at.
    aimed: std::collections::BTreeMap<(MemberId, u64), Ask>,
    /// Intents that became an event.
    done: std::collections::BTreeMap<(MemberId, u64), Seq>,
    /// What could call for events that nobody asked for: comings, goings, restarts, reports of change.
    pub occasions: u64,
    /// Events that no intent stands behind.
    unasked: u64,
}

impl Ledger {
    /// How many events there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// What they fold to.
    pub fn state(&self) -> &RoomState {
        &self.state
    }

    /// An intent reached the room; `speaker` is whom its connection was let in as.
    pub fn heard(&mut self, speaker: MemberId, ask: &Ask) {
        self.heard.insert((speaker, ask.counter));
        if ask.intent.is_control() && ask.aim.is_some() {
            self.aimed
                .entry((speaker, ask.counter))
                .or_insert_with(|| ask.clone());
        }
        self.occasions += 1;
    }

    /// The room shows these to everybody; `durable` events are on the disk by then.
    ///
    /// # Errors
    /// The law that is broken.
    pub fn published(&mut self, events: &[Event], durable: usize) -> Result<(), Broken> {
        for event in events {
            let seq = event.header.seq.get();
            hold!(
                seq <= durable as u64,
                "event {seq} was published before it was durable (the disk holds {durable})"
            );
            self.take(event)?;
        }
        Ok(())
    }

    /// A log was opened again and holds these.
    ///
    /// # Errors
    /// The law that is broken: above all, something acknowledged is gone.
    pub fn recovered(&mut self, events: &[Event]) -> Result<(), Broken> {
        hold!(
            events.len() >= self.events.len(),
            "{} events had been published, {} were recovered",
            self.events.len(),
            events.len()
        );
        events.iter().try_for_each(|event| self.take(event))
    }

    fn take(&mut self, event: &Event) -> Result<(), Broken> {
        let (header, seq) = (&event.header, event.header.seq);
        if let Some(known) = self.events.get((seq.get().max(1) - 1) as usize) {
            hold!(
                known == event,
                "two events stand at {seq}: {known:?} and {event:?}"
            );
            return Ok(());
        }
        let before = &self.state;
        hold!(
            seq == before.tail(),
            "event {seq} follows {}: not dense",
            before.seq
        );
        hold!(
            header.epoch >= before.epoch,
            "event {seq} is of epoch {}, after one of epoch {}",
            header.epoch,
            before.epoch
        );
        if header.epoch > before.epoch && seq > Seq::FIRST {
            let begins = matches!(event.body, Body::EpochStarted { .. });
            hold!(
                begins,
                "epoch {} begins with {:?}",
                header.epoch,
                event.body
            );
        }
        hold!(
            header.at >= before.at,
            "event {seq} lies before the one it follows"
        );
        hold!(
            header.stamp > before.stamp,
            "the stamp of event {seq} does not rise"
        );
        match header.intent_id() {
            Some(id) => self.asked_for(event, (id.member, id.counter))?,
            None => self.unasked += 1,
        }
        self.state.apply(event);
        self.events.push(event.clone());
        Ok(())
    }

    /// One intent, one decision: its first event, and the rest of the same batch.
    fn asked_for(&mut self, event: &Event, id: (MemberId, u64)) -> Result<(), Broken> {
        let seq = event.header.seq;
        hold!(
            self.heard.contains(&id),
            "event {seq} is by member {} for intent {}, who never asked that",
            id.0,
            id.1
        );
        if let Some(first) = self.done.get(&id) {
            let same_batch = event.header.cause == Some(*first)
                && seq.get() - first.get() < 8
                && self.events[(first.get() - 1) as usize..]
                    .iter()
                    .all(|it| it.header.intent_id() == event.header.intent_id());
            hold!(
                same_batch,
                "intent {} of member {} was done at {first} and again at {seq}",
                id.1,
                id.0
            );
            return Ok(());
        }
        if let Some(ask) = self.aimed.get(&id) {
            let stale = ask.aim != Some(self.state.timeline.aim());
            let forgiven = matches!(ask.intent, Intent::Pause { .. });
            hold!(
                !stale || forgiven,
                "event {seq} comes of {ask:?}, aimed at what had passed"
            );
        }
        self.done.insert(id, seq);
        Ok(())
    }

    /// A member's machine applied this and holds that state now.
    ///
    /// # Errors
    /// The law that is broken.
    pub fn applied(&mut self, event: &Event, state: &RoomState) -> Result<(), Broken> {
        let seq = event.header.seq;
        let known = self.events.get((seq.get().max(1) - 1) as usize);
        hold!(
            known == Some(event),
            "a member applied {event:?}; published was {known:?}"
        );
        hold!(
            state.seq == seq,
            "a member applied event {seq} and stands at {}",
            state.seq
        );
        if seq.get().is_multiple_of(DIGEST_EVERY) {
            self.same_digest(seq, || state.digest())?;
        }
        Ok(())
    }

    fn same_digest(&mut self, seq: Seq, digest: impl Fn() -> Digest) -> Result<(), Broken> {
        let place = (seq.get() / DIGEST_EVERY) as usize;
        if self.digests.len() <= place {
            self.digests.resize(place + 1, None);
        }
        let digest = digest();
        let known = *self.digests[place].get_or_insert(digest);
        hold!(
            known == digest,
            "two folds differ at event {seq}: {known} and {digest}"
        );
        Ok(())
    }

    /// A member was told that their intent is done.
    ///
    /// # Errors
    /// When it is not.
    pub fn accepted(&self, member: MemberId, counter: u64, seq: Seq) -> Result<(), Broken> {
        hold!(
            seq.get() <= self.events.len() as u64,
            "intent {counter} of member {member} was acknowledged at event {seq}, which is not there"
        );
        if let Some(first) = self.done.get(&(member, counter)) {
            hold!(
                *first == seq,
                "intent {counter} of member {member} is event {first} and was acknowledged as {seq}"
            );
        }
        Ok(())
    }

    /// Whether an intent became an event.
    pub fn is_done(&self, member: MemberId, counter: u64) -> bool {
        self.done.contains_key(&(member, counter))
    }

    /// The folds that cost the whole log: from zero with each event twice, by the page's JSON, and
    /// from a snapshot; all against the live one.
    ///
    /// # Errors
    /// The law that is broken.
    pub fn fold_every_way(&mut self, snapshot_at: usize) -> Result<(), Broken> {
        let mut zero = Replay::new();
        let mut page = Replay::new();
        let mut live = RoomState::default();
        let mut tail: Option<Replay> = None;
        for (index, event) in self.events.iter().enumerate() {
            live.apply(event);
            let step = zero.take(event).map_err(|broken| broken.to_string())?;
            let again = zero.take(event).map_err(|broken| broken.to_string())?;
            hold!(
                (step, again) == (Step::Applied, Step::Duplicate),
                "event {} was folded as {step:?}, then as {again:?}",
                event.header.seq
            );
            let text = frame::to_json(&ToMember::Event(event.clone()));
            let read = frame::from_json(&text, frame::FROM_ROOM_BYTES_MAX);
            let Ok(ToMember::Event(read)) = read else {
                return Err(format!("{text} does not read back: {read:?}"));
            };
            page.take(&read).map_err(|broken| broken.to_string())?;
            if let Some(tail) = &mut tail {
                tail.take(event).map_err(|broken| broken.to_string())?;
            }
            if index == snapshot_at {
                let read = snapshot::decode(&snapshot::encode(&live));
                let state = read.map_err(|bad| format!("a snapshot: {bad}"))?;
                hold!(
                    state == live,
                    "a snapshot at event {} lost something",
                    index + 1
                );
                tail = Some(Replay::from_state(state));
            }
        }
        let want = self.state.digest();
        let folds = [
            ("from zero", Some(zero.state())),
            ("as the page's JSON", Some(page.state())),
            ("from a snapshot", tail.as_ref().map(Replay::state)),
        ];
        for (how, state) in folds {
            let Some(state) = state else { continue };
            let same = state.digest() == want && *state == self.state;
            hold!(same, "folded {how} the log gives another state");
        }
        Ok(())
    }

    /// What the room wrote by itself follows from something; nothing feeds on itself.
    ///
    /// # Errors
    /// When more was written than anything called for.
    pub fn nothing_amplified(&self) -> Result<(), Broken> {
        let called_for = 40 + 3 * self.occasions;
        hold!(
            self.unasked <= called_for,
            "{} events that nobody asked for, where {} things happened",
            self.unasked,
            self.occasions
        );
        let by_players = self.events.iter();
        let by_players = by_players.filter(|it| it.header.via == Via::Player).count();
        hold!(
            by_players as u64 <= self.occasions,
            "players wrote {by_players} events"
        );
        Ok(())
    }

    /// An event of an epoch that is over, numbered as the next one.
    pub fn stale(&self) -> Option<Event> {
        let mut event = self.events.last()?.clone();
        let epoch = event
            .header
            .epoch
            .get()
            .checked_sub(1)
            .filter(|it| *it > 0)?;
        event.header.seq = self.state.tail();
        event.header.epoch = crate::engine::id::Epoch::new(epoch);
        event.header.stamp = self.state.stamp.next();
        event.header.intent = None;
        Some(event)
    }

    /// The events themselves, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }
}
