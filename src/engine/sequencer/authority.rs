//! Who may have what: one pure function of (state, author, intent).
//!
//! Every intent goes through [`authorise`] before anything else is asked of it,
//! and nothing else gives rights. Whether the intent makes sense just now is
//! [`super::decide()`]'s to say.

use crate::engine::event::{Action, Role};
use crate::engine::fold::RoomState;
use crate::engine::fold::entrance::OWN_LINK;
use crate::engine::fold::roster::Member;
use crate::engine::id::MemberId;
use crate::engine::intent::{Intent, Refusal};

/// Whether this author may have this at all.
///
/// # Errors
/// [`Refusal::NotHere`] for strangers and the absent; [`Refusal::NotAllowed`]
/// without a grant; [`Refusal::Protected`], [`Refusal::HostOnly`] and
/// [`Refusal::UnknownMember`] for what concerns other members.
pub fn authorise(state: &RoomState, by: MemberId, intent: &Intent) -> Result<(), Refusal> {
    let author = state
        .roster
        .get(by)
        .filter(|member| member.present)
        .ok_or(Refusal::NotHere)?;
    for action in needs(state, by, intent) {
        if !state.may(by, *action) {
            return Err(Refusal::NotAllowed {
                action: action.words().to_owned(),
                role: author.role,
            });
        }
    }
    match intent {
        // A player tells how long the film is; a viewer's is not asked.
        Intent::Measure { .. } if author.role == Role::Viewer => Err(Refusal::NotAllowed {
            action: "measure the film".to_owned(),
            role: author.role,
        }),
        Intent::Grant { member, action, .. } => {
            below(state, author, *member)?;
            // Nobody hands on what they do not have, and only the host makes moderators.
            if author.role == Role::Host {
                Ok(())
            } else if *action == Action::Moderate {
                Err(Refusal::HostOnly)
            } else if state.may(by, *action) {
                Ok(())
            } else {
                Err(Refusal::NotAllowed {
                    action: action.words().to_owned(),
                    role: author.role,
                })
            }
        }
        Intent::Revoke { member, .. }
        | Intent::Kick { member }
        | Intent::Ban { member }
        | Intent::Unban { member } => below(state, author, *member).map(drop),
        Intent::SetRole { member, role } => {
            below(state, author, *member)?;
            match role {
                Role::Guest | Role::Viewer => Ok(()),
                Role::CoHost if author.role == Role::Host => Ok(()),
                Role::CoHost | Role::Host => Err(Refusal::HostOnly),
            }
        }
        Intent::Permit { role, action, .. } => match role {
            Role::Guest | Role::Viewer
                if author.role == Role::Host || *action != Action::Moderate =>
            {
                Ok(())
            }
            Role::CoHost if author.role == Role::Host => Ok(()),
            Role::Host | Role::CoHost | Role::Guest | Role::Viewer => Err(Refusal::HostOnly),
        },
        // Nobody lets in somebody above themselves, and only the host makes co-hosts.
        Intent::Invite { role, .. } => match role {
            Role::Host => Err(Refusal::HostOnly),
            Role::CoHost if author.role != Role::Host => Err(Refusal::HostOnly),
            role if *role < author.role => Err(Refusal::NotAllowed {
                action: Action::Invite.words().to_owned(),
                role: author.role,
            }),
            _ => Ok(()),
        },
        // A link for co-hosts is the host's alone: it gives what only the host gives.
        Intent::ShowInvite { invite }
            if author.role != Role::Host
                && (state.entrance.invites.get(invite))
                    .is_some_and(|made| made.role == Role::CoHost && made.by != Some(by)) =>
        {
            Err(Refusal::HostOnly)
        }
        // Whoever opened the party may always take it back.
        Intent::HandOver { member } => {
            known(state, *member)?;
            if author.role == Role::Host || (state.opener == Some(by) && *member == by) {
                Ok(())
            } else {
                Err(Refusal::HostOnly)
            }
        }
        _ => Ok(()),
    }
}

/// The grants an intent needs, all of them.
fn needs(state: &RoomState, by: MemberId, intent: &Intent) -> &'static [Action] {
    match intent {
        // What replaces the film both chooses and plays: neither grant gives the other (OTT#1657).
        Intent::Load { .. } | Intent::Next { .. } | Intent::PlayNow { .. } => {
            &[Action::Play, Action::Queue]
        }
        Intent::Play {} | Intent::Pause { .. } | Intent::ReadyCheck {} => &[Action::Play],
        Intent::Seek { .. } => &[Action::Seek],
        Intent::Rate { .. } => &[Action::Rate],
        Intent::Undo { seq } => {
            let deed = seq.map_or_else(|| state.history.last(), |seq| state.history.get(seq));
            deed.map_or(&[], |deed| deed.remedy.needs())
        }
        Intent::QueueAdd { .. }
        | Intent::QueueRemove { .. }
        | Intent::QueueMove { .. }
        | Intent::Shuffle {}
        | Intent::SetRepeat { .. }
        | Intent::OpenPoll { .. } => &[Action::Queue],
        Intent::Vote { .. }
        | Intent::Unvote { .. }
        | Intent::Skip { .. }
        | Intent::Unskip { .. }
        | Intent::AnswerPoll { .. } => &[Action::Vote],
        Intent::ClosePoll { .. } => {
            let own = state.poll.as_ref().is_some_and(|poll| poll.by == Some(by));
            if own { &[] } else { &[Action::Moderate] }
        }
        Intent::Say { .. } | Intent::Reply { .. } | Intent::React { .. } => &[Action::Chat],
        Intent::Redact { seq } => {
            let line = state.transcript.get(*seq);
            let own = line.is_some_and(|line| line.by == Some(by));
            if own { &[] } else { &[Action::Moderate] }
        }
        Intent::Invite { .. } => &[Action::Invite],
        // The party's own link is everybody's who may invite; others are their maker's.
        Intent::ShowInvite { invite } if *invite == OWN_LINK => &[Action::Invite],
        Intent::ShowInvite { invite } | Intent::RevokeInvite { invite } => {
            let made = state.entrance.invites.get(invite);
            let own = made.is_some_and(|made| made.by == Some(by));
            if own {
                &[Action::Invite]
            } else {
                &[Action::Moderate]
            }
        }
        Intent::Grant { .. }
        | Intent::SetApproval { .. }
        | Intent::SetPasscode { .. }
        | Intent::AnswerKnock { .. }
        | Intent::Revoke { .. }
        | Intent::SetRole { .. }
        | Intent::Kick { .. }
        | Intent::Ban { .. }
        | Intent::Unban { .. }
        | Intent::Permit { .. }
        | Intent::SetSlow { .. }
        | Intent::SetWait { .. }
        | Intent::SetMode { .. }
        | Intent::SetSkipShare { .. } => &[Action::Moderate],
        // About oneself, or checked above, or what players observe.
        Intent::Rename { .. }
        | Intent::Measure { .. }
        | Intent::Ended { .. }
        | Intent::Ready { .. }
        | Intent::SayReady {}
        | Intent::Suspend { .. }
        | Intent::Return {}
        | Intent::Unable { .. }
        | Intent::Request { .. }
        | Intent::HandOver { .. } => &[],
    }
}

fn known(state: &RoomState, member: MemberId) -> Result<&Member, Refusal> {
    state
        .roster
        .get(member)
        .ok_or(Refusal::UnknownMember { member })
}

/// Nobody moderates the host, and only the host moderates co-hosts.
fn below<'a>(
    state: &'a RoomState,
    author: &Member,
    member: MemberId,
) -> Result<&'a Member, Refusal> {
    let other = known(state, member)?;
    match other.role {
        Role::Guest | Role::Viewer => Ok(other),
        Role::CoHost if author.role == Role::Host => Ok(other),
        Role::Host | Role::CoHost => Err(Refusal::Protected {
            name: other.name.as_str().to_owned(),
        }),
    }
}
