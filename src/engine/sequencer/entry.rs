//! Who comes in, by which way, and what they must bring: pure, given the state and the time.
//!
//! What is *not* known here: secrets, passcodes and tokens. The door compares those and tells which
//! way somebody came; what that way is worth by now is decided here, out of the log alone.
//!
//! A ban holds against whoever comes back as the member they were, and against their name. Somebody
//! who throws away what proves who they are is a stranger, and no program can tell them from one. So
//! the link they came by lets nobody new in unasked from then on: newcomers by it knock, and a
//! moderator who does not know them says no, or revokes the link.

use std::collections::BTreeMap;

use crate::engine::event::{Body, Role};
use crate::engine::fold::RoomState;
use crate::engine::fold::entrance::OWN_LINK;
use crate::engine::id::Seq;
use crate::engine::intent::Refusal;
use crate::engine::sequencer::Decision;
use crate::engine::text::Name;
use crate::engine::unit::SessionTime;

/// Who may wait at the door at once: more faces than a host looks through.
pub const KNOCKS_MAX: usize = 32;

/// The way a newcomer found: what their secret opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The key of whoever opened the session.
    Key,
    /// A link, by its number; 0 is the party's own.
    Link(Seq),
}

/// What a way is worth: as what it lets a newcomer in, and what they must do for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// What they come in as.
    pub role: Role,
    /// Whether they must know the passcode.
    pub passcode: bool,
    /// Whether they knock, and a moderator lets them in.
    pub knock: bool,
}

/// What that way asks of a newcomer now.
///
/// # Errors
/// [`Refusal::InviteOver`] when it no longer opens.
pub fn gate(state: &RoomState, way: Way, now: SessionTime) -> Result<Gate, Refusal> {
    let entrance = &state.entrance;
    let (link, role) = match way {
        Way::Key => {
            return Ok(Gate {
                role: Role::Host,
                passcode: false,
                knock: false,
            });
        }
        Way::Link(OWN_LINK) if entrance.own_revoked => return Err(Refusal::InviteOver),
        Way::Link(OWN_LINK) => (OWN_LINK, Role::Guest),
        Way::Link(link) => match entrance.invites.get(&link) {
            Some(invite) if invite.opens(now) => (link, invite.role),
            _ => return Err(Refusal::InviteOver),
        },
    };
    let was_abused = || {
        let mut all = state.roster.iter();
        all.any(|(id, member)| member.banned && entrance.link_of(id) == link)
    };
    Ok(Gate {
        role,
        passcode: entrance.passcode,
        // Whoever is trusted with the door does not wait at it.
        knock: role > Role::CoHost && (entrance.approval || was_abused()),
    })
}

/// A moderator's answer to a knock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnockAnswer {
    /// Which knock.
    pub knock: u64,
    /// In, or away.
    pub let_in: bool,
    /// The event that says so.
    pub seq: Seq,
}

/// Who is at the door. Observed, not folded: strangers write nothing into the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Knocks {
    next: u64,
    waiting: BTreeMap<u64, Name>,
    answers: Vec<KnockAnswer>,
}

impl Knocks {
    pub fn arrive(&mut self, name: Name) -> Result<u64, Refusal> {
        if self.waiting.len() >= KNOCKS_MAX {
            return Err(Refusal::DoorCrowded);
        }
        self.next += 1;
        self.waiting.insert(self.next, name);
        Ok(self.next)
    }

    pub fn go(&mut self, knock: u64) {
        self.waiting.remove(&knock);
    }

    /// What answering becomes; [`Knocks::answered`] follows once it is written.
    pub fn answer(&self, knock: u64, let_in: bool) -> Result<Decision, Refusal> {
        let name = self.waiting.get(&knock).ok_or(Refusal::NoKnock)?.clone();
        Ok(vec![Body::KnockAnswered { name, let_in }].into())
    }

    pub fn answered(&mut self, knock: u64, let_in: bool, seq: Seq) {
        self.waiting.remove(&knock);
        self.answers.push(KnockAnswer { knock, let_in, seq });
    }

    pub fn take_answers(&mut self) -> Vec<KnockAnswer> {
        std::mem::take(&mut self.answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::{Action, Client};
    use crate::engine::id::MemberId;
    use crate::engine::intent::Intent;
    use crate::engine::sequencer::Entrant;
    use crate::engine::sequencer::tests::{HOST, Party};
    use crate::engine::unit::Micros;

    fn make(party: &mut Party, by: MemberId, role: Role) -> Result<Seq, Refusal> {
        let (lasts, uses) = (None, None);
        party.ask(by, Intent::Invite { role, lasts, uses })?;
        Ok(*party.state().entrance.invites.keys().last().unwrap())
    }

    fn come(party: &mut Party, name: &str, link: Seq) -> Result<MemberId, Refusal> {
        let gate = gate(party.state(), Way::Link(link), party.now.at)?;
        let entrant = Entrant {
            member: None,
            name: Name::new(name).unwrap(),
            role: gate.role,
            client: Client::Page,
        };
        let (member, events) = party.room.join_by(entrant, link, None, party.now)?;
        party.log.extend(events);
        Ok(member)
    }

    fn role_by(party: &Party, link: Seq) -> Result<Role, Refusal> {
        gate(party.state(), Way::Link(link), party.now.at).map(|gate| gate.role)
    }

    #[test]
    fn a_link_lets_in_as_what_it_was_made_for() {
        let mut party = Party::of(1);
        for role in [Role::CoHost, Role::Guest, Role::Viewer] {
            let link = make(&mut party, HOST, role).unwrap();
            let member = come(&mut party, &format!("As {role:?}"), link).unwrap();
            assert_eq!(party.state().roster.role(member), Some(role));
            assert_eq!(party.state().entrance.link_of(member), link);
        }
        assert_eq!(role_by(&party, OWN_LINK), Ok(Role::Guest));
        let key = gate(party.state(), Way::Key, party.now.at).unwrap();
        assert_eq!(key.role, Role::Host);
    }

    #[test]
    fn nobody_makes_a_link_for_more_than_they_are() {
        let mut party = Party::of(0);
        let cohost = party.join("Cohost", Role::CoHost);
        let guest = party.join("Guest", Role::Guest);
        let viewer = party.join("Viewer", Role::Viewer);
        assert_eq!(make(&mut party, HOST, Role::Host), Err(Refusal::HostOnly));
        assert_eq!(
            make(&mut party, cohost, Role::CoHost),
            Err(Refusal::HostOnly)
        );
        make(&mut party, cohost, Role::Guest).unwrap();
        assert_eq!(
            make(&mut party, guest, Role::CoHost),
            Err(Refusal::HostOnly)
        );
        make(&mut party, guest, Role::Guest).unwrap();
        let refused = make(&mut party, viewer, Role::Viewer);
        assert!(
            matches!(refused, Err(Refusal::NotAllowed { .. })),
            "viewers have no such grant"
        );
        let grant = Intent::Grant {
            member: viewer,
            action: Action::Invite,
            lasts: None,
        };
        party.ask(HOST, grant).unwrap();
        let refused = make(&mut party, viewer, Role::Guest);
        assert!(
            matches!(refused, Err(Refusal::NotAllowed { .. })),
            "a viewer lets in viewers"
        );
        make(&mut party, viewer, Role::Viewer).unwrap();
        let revoke = Intent::Revoke {
            member: guest,
            action: Action::Invite,
            lasts: None,
        };
        party.ask(HOST, revoke).unwrap();
        assert!(make(&mut party, guest, Role::Viewer).is_err());
    }

    #[test]
    fn a_link_ends_by_time_by_use_and_by_being_revoked() {
        let mut party = Party::of(1);
        let made = |party: &mut Party, lasts, uses| {
            let role = Role::Guest;
            party
                .ask(HOST, Intent::Invite { role, lasts, uses })
                .unwrap();
            *party.state().entrance.invites.keys().last().unwrap()
        };
        let hour = made(&mut party, Some(Micros::from_secs(3_600)), None);
        let two = made(&mut party, None, Some(2));
        let plain = made(&mut party, None, None);
        come(&mut party, "One", two).unwrap();
        let second = come(&mut party, "Two", two).unwrap();
        assert_eq!(come(&mut party, "Three", two), Err(Refusal::InviteOver));
        party.back(second).unwrap();
        assert_eq!(
            party.state().entrance.invites[&two].used,
            2,
            "coming back is no use"
        );
        party.later(3_599_000);
        assert_eq!(role_by(&party, hour), Ok(Role::Guest));
        party.later(1_000);
        assert_eq!(role_by(&party, hour), Err(Refusal::InviteOver));
        for link in [plain, OWN_LINK] {
            assert_eq!(role_by(&party, link), Ok(Role::Guest));
            party
                .ask(HOST, Intent::RevokeInvite { invite: link })
                .unwrap();
            assert_eq!(role_by(&party, link), Err(Refusal::InviteOver));
        }
        let again = party.ask(HOST, Intent::ShowInvite { invite: plain });
        assert_eq!(again, Err(Refusal::UnknownInvite { invite: plain }));
    }

    #[test]
    fn one_guest_cannot_fill_the_list_and_what_is_over_makes_room() {
        let mut party = Party::of(1);
        let guest = MemberId::new(2);
        let short = Intent::Invite {
            role: Role::Guest,
            lasts: Some(Micros::from_secs(60)),
            uses: None,
        };
        for _ in 0..4 {
            party.ask(guest, short.clone()).unwrap();
        }
        let full = Err(Refusal::TooManyInvites { max: 4 });
        assert_eq!(party.ask(guest, short.clone()).map(drop), full);
        for _ in 4..64 {
            party.ask(HOST, short.clone()).unwrap();
        }
        let full = Err(Refusal::TooManyInvites { max: 64 });
        assert_eq!(party.ask(HOST, short.clone()).map(drop), full);
        party.later(60_000);
        party.ask(guest, short).unwrap();
        assert_eq!(party.state().entrance.invites.len(), 1);
    }

    #[test]
    fn after_a_ban_newcomers_by_that_link_knock_until_it_is_forgiven() {
        let mut party = Party::of(1);
        let link = make(&mut party, HOST, Role::Guest).unwrap();
        let other = make(&mut party, HOST, Role::Guest).unwrap();
        let cohosts = make(&mut party, HOST, Role::CoHost).unwrap();
        let troll = come(&mut party, "Troll", link).unwrap();
        let knocks = |party: &Party, link| {
            let gate = gate(party.state(), Way::Link(link), party.now.at);
            gate.unwrap().knock
        };
        assert!(!knocks(&party, link));
        party.ask(HOST, Intent::Ban { member: troll }).unwrap();
        assert!(knocks(&party, link));
        assert!(!knocks(&party, other) && !knocks(&party, OWN_LINK));
        party.ask(HOST, Intent::Unban { member: troll }).unwrap();
        assert!(!knocks(&party, link));
        party.ask(HOST, Intent::SetApproval { on: true }).unwrap();
        assert!(knocks(&party, link) && knocks(&party, OWN_LINK));
        assert!(
            !knocks(&party, cohosts),
            "whoever minds the door does not wait at it"
        );
    }

    #[test]
    fn a_knock_is_answered_once_by_a_moderator_and_says_by_whom() {
        let mut party = Party::of(1);
        let (guest, name) = (MemberId::new(2), Name::new("Cy").unwrap());
        let knock = party.room.knock(name.clone()).unwrap();
        let answer = |let_in| Intent::AnswerKnock { knock, let_in };
        assert!(matches!(
            party.ask(guest, answer(true)),
            Err(Refusal::NotAllowed { .. })
        ));
        party.ask(HOST, answer(true)).unwrap();
        let event = party.log.last().unwrap();
        assert_eq!(event.body, Body::KnockAnswered { name, let_in: true });
        assert_eq!(event.header.by, Some(HOST));
        let answered = party.room.knocks_answered();
        let seq = event.header.seq;
        let let_in = true;
        assert_eq!(answered, [KnockAnswer { knock, let_in, seq }]);
        assert_eq!(party.room.knocks_answered(), []);
        assert_eq!(
            party.ask(HOST, answer(false)).map(drop),
            Err(Refusal::NoKnock)
        );
    }

    #[test]
    fn a_crowd_at_the_door_is_bounded() {
        let mut party = Party::of(1);
        let mut come = |number: usize| {
            let name = Name::new(&format!("Stranger {number}")).unwrap();
            party.room.knock(name)
        };
        let first = come(0).unwrap();
        assert!((1..KNOCKS_MAX).all(|number| come(number).is_ok()));
        assert_eq!(come(99), Err(Refusal::DoorCrowded));
        party.room.unknock(first);
        let name = Name::new("Late").unwrap();
        party.room.knock(name).unwrap();
    }
}
