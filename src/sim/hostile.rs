//! Mallory: a client that was written to do harm.
//!
//! Each kind comes with a valid link (a guest gone bad) or none, plays its
//! trick, and is checked by what the room lets happen: nobody else's name, no
//! event that was not asked for, and an answer or a closed door.

use crate::engine::event::{Client, Via};
use crate::engine::frame::{self, Form, Hello, Resume, ToMember, ToRoom, VERSION};
use crate::engine::id::{Generation, ItemId, MemberId, Seq};
use crate::engine::intent::{Aim, Ask, Intent, Refusal};
use crate::engine::unit::MediaTime;
use crate::sim::check::{Broken, hold};
use crate::sim::clock::{MS, SEC};
use crate::sim::dice::Dice;
use crate::sim::fault::{Fault, Kind};
use crate::sim::host::SECRETS;
use crate::sim::net::{Far, Line, Parcel, Way};
use crate::sim::world::{Due, SESSION, World};

/// Mallory sits in the host's own house.
pub const LINE: Line = Line::good(300);

/// One hostile client.
#[derive(Debug)]
pub struct Mallory {
    kind: Kind,
    conns: Vec<u64>,
    round: u32,
    dice: Dice,
    /// Who they are in the room, if they got in.
    member: Option<MemberId>,
    /// Control of theirs that must be refused.
    must_fail: Vec<u64>,
}

impl World {
    pub(super) fn mallory_comes(&mut self, fault: Fault) {
        if self.on_air().is_none() {
            return;
        }
        let number = self.mallories.len();
        let mut dice = Dice::new(self.plan.seed, 1_000 + fault.at);
        let form = dice.pick(&Form::ALL);
        let count = if fault.kind == Kind::Silent { 3 } else { 1 };
        let conns = (0..count)
            .map(|_| self.new_conn(Far::Mallory(number), form))
            .collect();
        self.mallories.push(Mallory {
            kind: fault.kind,
            conns,
            round: 0,
            dice,
            member: None,
            must_fail: Vec::new(),
        });
        self.tally.hit(fault.kind);
        self.at(self.now + MS, Due::Mallory(number));
    }

    pub(super) fn mallories_go(&mut self) -> Result<(), Broken> {
        for number in 0..self.mallories.len() {
            for conn in self.mallories[number].conns.clone() {
                self.far_side_gone(conn, true);
            }
        }
        Ok(())
    }

    fn says(&mut self, number: usize, frame: &ToRoom) {
        let Some(conn) = self.mallories[number].conns.first().copied() else {
            return;
        };
        let Some(form) = self.conns.get(&conn).map(|conn| conn.form) else {
            return;
        };
        let bytes = match form {
            Form::Postcard => frame::to_postcard(frame),
            Form::Json => frame::to_json(frame).into_bytes(),
        };
        self.ship(conn, Way::Up, Parcel::Frame(bytes.into()));
    }

    fn says_bytes(&mut self, number: usize, bytes: Vec<u8>) {
        if let Some(conn) = self.mallories[number].conns.first().copied() {
            self.ship(conn, Way::Up, Parcel::Frame(bytes.into()));
        }
    }

    fn hello(&mut self, number: usize) {
        let kind = self.mallories[number].kind;
        let tail = self.ledger.state().tail();
        let hello = Hello {
            version: VERSION,
            session: SESSION,
            secret: SECRETS[1].into(),
            name: format!("Mallory {number}"),
            client: Client::Script,
            resume: (kind == Kind::ForgedAuthor).then(|| Resume {
                member: MemberId::new(1),
                token: "let me be Ana".into(),
            }),
            cursor: match kind {
                Kind::FarCursor => Seq::new(tail.get() + 1_000),
                _ => Seq::FIRST,
            },
        };
        self.says(number, &ToRoom::Hello(hello));
    }

    pub(super) fn mallory_acts(&mut self, number: usize) -> Result<(), Broken> {
        let mallory = &mut self.mallories[number];
        let (kind, round) = (mallory.kind, mallory.round);
        mallory.round += 1;
        let early = kind == Kind::Garbage && mallory.dice.chance(500);
        match (kind, round) {
            (Kind::Silent, _) => return Ok(()),
            (_, 0) if !early => self.hello(number),
            (Kind::Garbage, 0..4) => {
                let long = self.mallories[number].dice.roll(300);
                let bytes = (0..long).map(|_| self.mallories[number].dice.any() as u8);
                let bytes = bytes.collect();
                self.says_bytes(number, bytes);
            }
            (Kind::Oversize, 1) => {
                let bytes = vec![b' '; frame::FROM_MEMBER_BYTES_MAX + 1];
                self.says_bytes(number, bytes);
            }
            (Kind::Flood, 1) => {
                for counter in 1..=120 {
                    self.asks(
                        number,
                        counter,
                        Intent::Say {
                            text: format!("buy! {counter}"),
                        },
                    );
                }
            }
            (Kind::ForgedAuthor, 1..4) => {
                let text = "I am Ana".to_owned();
                self.asks(number, u64::from(round), Intent::Say { text });
            }
            (Kind::StaleAim, 1..5) => self.asks_stale(number, u64::from(round)),
            (Kind::ReusedCounter, 1..5) => {
                let text = format!("the {round}. of the same number");
                self.asks(number, 7, Intent::Say { text });
            }
            _ => return Ok(()),
        }
        self.at(self.now + 60 * MS, Due::Mallory(number));
        Ok(())
    }

    fn asks(&mut self, number: usize, counter: u64, intent: Intent) {
        self.says(
            number,
            &ToRoom::Ask(Ask {
                counter,
                stamp: Default::default(),
                via: Via::Script,
                aim: None,
                intent,
            }),
        );
    }

    /// Control aimed at a film that never was.
    fn asks_stale(&mut self, number: usize, counter: u64) {
        let now = self.ledger.state().timeline.aim();
        let aim = Aim {
            item: ItemId::new(now.item.get()),
            generation: Generation::new(now.generation.get() + 50),
        };
        let intent = if counter.is_multiple_of(2) {
            Intent::Play {}
        } else {
            Intent::Seek {
                to: MediaTime::new(counter * SEC),
            }
        };
        self.mallories[number].must_fail.push(counter);
        self.says(
            number,
            &ToRoom::Ask(Ask {
                counter,
                stamp: Default::default(),
                via: Via::Script,
                aim: Some(aim),
                intent,
            }),
        );
    }

    pub(super) fn mallory_hears(
        &mut self,
        number: usize,
        conn: u64,
        frame: Option<ToMember>,
    ) -> Result<(), Broken> {
        let mallory = &mut self.mallories[number];
        match frame {
            Some(ToMember::Welcome(welcome)) => {
                let member = welcome.member;
                let taken = self.guests.iter().any(|it| it.member == Some(member));
                hold!(
                    !taken,
                    "Mallory was let in as member {member}, who is somebody else"
                );
                hold!(
                    mallory.kind != Kind::FarCursor,
                    "somebody who claims events of the future was let in"
                );
                mallory.member = Some(member);
            }
            Some(ToMember::Accepted { counter, .. }) => {
                hold!(
                    !mallory.must_fail.contains(&counter),
                    "control aimed at a film that never was is accepted"
                );
            }
            Some(ToMember::Refused(refused)) if mallory.kind == Kind::FarCursor => {
                let ahead = matches!(refused.refusal, Refusal::Ahead { .. });
                let busy = matches!(
                    refused.refusal,
                    Refusal::ReadOnly { .. } | Refusal::NameTaken { .. }
                );
                hold!(
                    ahead || busy,
                    "a cursor past the tail is refused as {:?}",
                    refused.refusal
                );
            }
            Some(_) => {}
            None => self.far_side_gone(conn, true),
        }
        Ok(())
    }
}
