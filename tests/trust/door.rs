//! The door: links, the passcode, knocking, bans, tokens.

use seance::broadcast::door::Door;
use seance::engine::event::{Action, Body, Role};
use seance::engine::frame::{Closing, Form, Resume};
use seance::engine::id::{MemberId, Seq};
use seance::engine::intent::{Intent, Refusal};
use seance::engine::text::Passcode;
use std::sync::{Arc, Mutex};

use crate::party::{Card, Guest, Knocker, Party};
use crate::tried;

fn passcode(text: &str) -> Intent {
    Intent::SetPasscode {
        passcode: Some(Passcode::new(text).unwrap()),
    }
}

/// Comes and is refused; says why.
async fn refused(party: &Party, card: Card) -> Refusal {
    match Knocker::come(party, card).await {
        Err(refusal) => refusal,
        Ok(Ok(guest)) => panic!("{} came in", guest.welcome.member),
        Ok(Err(_)) => panic!("they wait at the door"),
    }
}

async fn knocks(party: &Party, card: Card) -> Knocker {
    match Knocker::come(party, card).await {
        Ok(Err(knocker)) => knocker,
        Ok(Ok(guest)) => panic!("{} came in", guest.welcome.member),
        Err(refusal) => panic!("{refusal}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_lets_in_as_made_as_often_as_made_and_until_revoked() {
    let party = Party::open().await;
    let mut host = party.host().await;
    for (role, name) in [
        (Role::CoHost, "Cora"),
        (Role::Guest, "Gus"),
        (Role::Viewer, "Vi"),
    ] {
        let (link, secret) = host.invite(role, Some(1)).await.unwrap();
        assert_eq!(secret, party.secret(link));
        let guest = Guest::enter(&party, &secret, name).await.unwrap();
        assert_eq!(party.state().roster.role(guest.id()), Some(role));
        let late = refused(&party, Card::new(&secret, "Late")).await;
        assert_eq!(late, Refusal::InviteOver, "{role:?}");
        // Who came by it comes back by their token, link or no link.
        let card = Card::new(&secret, "Other").back_as(&guest);
        drop(guest);
        assert!(matches!(Knocker::come(&party, card).await, Ok(Ok(_))));
        let invite = link;
        host.ask(Intent::RevokeInvite { invite }).await.unwrap();
        let never = refused(&party, Card::new(&secret, "Later")).await;
        assert_eq!(never, Refusal::BadInvite, "a revoked link is forgotten");
    }
    let invite = Seq::new(0);
    host.ask(Intent::RevokeInvite { invite }).await.unwrap();
    let own = party.door.invite(Role::Guest);
    let over = refused(&party, Card::new(&own, "Anybody")).await;
    assert_eq!(over, Refusal::InviteOver);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_was_given_opens_nothing() {
    let party = Party::open().await;
    let mut host = party.host().await;
    let (link, secret) = host.invite(Role::Guest, None).await.unwrap();
    let bo = party.guest("Bo").await;
    let mut guesses = vec![
        String::new(),
        "0".repeat(26),
        "z".repeat(26),
        "👻".repeat(7),
        secret[..25].to_owned(),
        format!("{secret}0"),
        format!(" {secret}"),
        secret.replace(&secret[..1], "u"),
        party.secret(Seq::new(link.get() + 1)),
        party.secret(Seq::new(link.get() - 1)),
        bo.welcome.token.reveal().to_owned(),
        Door::new([0; 32]).invite(Role::Host),
        Door::new([0; 32]).invite(Role::Guest),
    ];
    // One bit off, each.
    let bits = seance::engine::id::decode_base32(&secret).unwrap();
    guesses.extend((0..128).map(|bit| seance::engine::id::encode_base32(bits ^ (1 << bit))));
    let tail = party.log.tail();
    for guess in &guesses {
        let no = refused(&party, Card::new(guess, "Eve")).await;
        assert_eq!(no, Refusal::BadInvite, "{guess:?}");
    }
    assert_eq!(party.log.tail(), tail, "no guess left a trace in the log");
    tried("what_nobody_was_given_opens_nothing", guesses.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_good_for_one_member_and_no_other() {
    let party = Party::open().await;
    let (ana, bo) = (party.guest("Ana").await, party.guest("Bo").await);
    let own = party.door.invite(Role::Guest);
    let mut forged = vec![String::new(), "0".repeat(26), own.clone()];
    forged.push(ana.welcome.token.reveal().to_owned());
    let bits = seance::engine::id::decode_base32(bo.welcome.token.reveal()).unwrap();
    forged.extend((0..128).map(|bit| seance::engine::id::encode_base32(bits ^ (1 << bit))));
    for (number, token) in forged.iter().enumerate() {
        let mut card = Card::new("", &format!("Eve {number}"));
        let member = bo.id();
        card.resume = Some(Resume {
            member,
            token: token.as_str().into(),
        });
        assert_eq!(refused(&party, card).await, Refusal::BadInvite, "{token}");
    }
    // With a link that opens, a forged token is no more than none: a newcomer, not Bo.
    let mut card = Card::new(&own, "Eve");
    let (member, token) = (bo.id(), ana.welcome.token.clone());
    card.resume = Some(Resume { member, token });
    let Ok(Ok(eve)) = Knocker::come(&party, card).await else {
        panic!("the link opens");
    };
    assert!(eve.id() != bo.id() && eve.id() != ana.id());
    // Somebody who never was has a token, too, and it is worth nothing.
    let member = MemberId::new(99);
    let token = party.door.token(member).into();
    let mut card = Card::new("", "Nobody");
    card.resume = Some(Resume { member, token });
    assert_eq!(refused(&party, card).await, Refusal::BadInvite);
    tried(
        "a_token_is_good_for_one_member_and_no_other",
        forged.len() + 2,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passcode_is_asked_of_newcomers_counted_per_link_and_kept_as_a_hash() {
    let kept = Arc::new(Mutex::new(None::<String>));
    let keep = {
        let kept = Arc::clone(&kept);
        Box::new(move |sealed: Option<&str>| {
            *kept.lock().unwrap() = sealed.map(str::to_owned);
            Ok(())
        })
    };
    let party = Party::open_with(Door::new(crate::party::KEY).with_passcode(None, keep)).await;
    let mut host = party.host().await;
    let early = party.guest("Early").await;
    let short = host.ask(passcode("abc")).await;
    assert!(matches!(short, Err(Refusal::BadText { .. })), "{short:?}");
    host.ask(passcode("open sesame")).await.unwrap();
    let sealed = kept.lock().unwrap().clone().unwrap();
    assert!(!sealed.contains("sesame"));

    let own = party.door.invite(Role::Guest);
    let card = |name: &str| Card::new(&own, name);
    assert_eq!(refused(&party, card("Bo")).await, Refusal::PasscodeNeeded);
    let bo = Knocker::come(&party, card("Bo").knowing(" open sesame ")).await;
    assert!(matches!(bo, Ok(Ok(_))), "the right one, typed with spaces");
    // Whoever was here before is not asked, nor is the host.
    let back = Knocker::come(&party, card("Early").back_as(&early)).await;
    assert!(matches!(back, Ok(Ok(_))));
    drop(host);
    let mut host = party.host().await;

    let mut wrong = 0;
    let wait = loop {
        match refused(&party, card("Eve").knowing(&format!("guess {wrong}"))).await {
            Refusal::PasscodeWrong => wrong += 1,
            Refusal::PasscodeWait { wait } => break wait,
            other => panic!("{other}"),
        }
        assert!(wrong < 50, "guessing goes on for ever");
    };
    assert_eq!(wrong, 10);
    assert!(wait.get() > 0);
    // The right one is not tried either, by that link; by another it is.
    let right = refused(&party, card("Eve").knowing("open sesame")).await;
    assert!(matches!(right, Refusal::PasscodeWait { .. }), "{right}");
    let (_, other) = host.invite(Role::Guest, None).await.unwrap();
    let card = Card::new(&other, "Gus").knowing("open sesame");
    assert!(matches!(Knocker::come(&party, card).await, Ok(Ok(_))));
    // A stranger without a link is told nothing about passcodes.
    let stranger = refused(&party, Card::new("", "Eve").knowing("open sesame")).await;
    assert_eq!(stranger, Refusal::BadInvite);

    host.ask(Intent::SetPasscode { passcode: None })
        .await
        .unwrap();
    assert_eq!(*kept.lock().unwrap(), None);
    party.guest("Free").await;
    let written = format!("{:?}", party.events());
    assert!(!written.contains("sesame") && !written.contains(&sealed));
    tried(
        "a_passcode_is_asked_of_newcomers_counted_per_link_and_kept_as_a_hash",
        wrong + 4,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_knocks_waits_for_a_moderator_who_sees_their_name() {
    let party = Party::open().await;
    let mut host = party.host().await;
    let mut gus = party.guest("Gus").await;
    host.ask(Intent::SetApproval { on: true }).await.unwrap();
    let own = party.door.invite(Role::Guest);
    let tail = party.log.tail();

    let cy = knocks(&party, Card::new(&own, "Cy")).await;
    let dee = knocks(&party, Card::new(&own, "Dee")).await;
    host.until("two knocks", |host| host.knocks.len() == 2)
        .await;
    let [first, second] = &host.knocks[..] else {
        unreachable!()
    };
    let mut numbers = [
        (first.knock, first.name.to_string()),
        (second.knock, second.name.to_string()),
    ];
    numbers.sort_by_key(|(_, name)| name.clone());
    let [(cys, _), (dees, _)] = numbers;
    assert_eq!(party.log.tail(), tail, "a knock is no event");
    let answer = |knock, let_in| Intent::AnswerKnock { knock, let_in };
    let no = gus.ask(answer(cys, true)).await;
    assert!(matches!(no, Err(Refusal::NotAllowed { .. })), "{no:?}");
    gus.catch_up().await;
    assert!(
        gus.knocks.is_empty(),
        "guests are not told who is at the door"
    );

    let seq = host.ask(answer(cys, true)).await.unwrap();
    let cy = cy.answer().await.unwrap();
    let joined = party
        .events()
        .into_iter()
        .find(|event| matches!(&event.body, Body::Joined { member, .. } if *member == cy.id()));
    assert_eq!(
        joined.unwrap().header.cause,
        Some(seq),
        "it says who let them in"
    );
    host.ask(answer(dees, false)).await.unwrap();
    assert_eq!(dee.answer().await.err(), Some(Refusal::TurnedAway));
    assert_eq!(host.ask(answer(dees, true)).await, Err(Refusal::NoKnock));
    host.until("an empty door", |host| host.knocks.is_empty())
        .await;

    // Who goes away is no longer there.
    let eve = knocks(&party, Card::new(&own, "Eve")).await;
    host.until("Eve", |host| host.knocks.len() == 1).await;
    drop(eve);
    host.until("Eve's going", |host| host.knocks.is_empty())
        .await;
    // A moderator who comes later is told, too; so is one who becomes one.
    let _fay = knocks(&party, Card::new(&own, "Fay")).await;
    host.until("Fay", |host| host.knocks.len() == 1).await;
    let (member, role) = (gus.id(), Role::CoHost);
    host.ask(Intent::SetRole { member, role }).await.unwrap();
    gus.until("Fay", |gus| gus.knocks.len() == 1).await;
    // The link that brought them is revoked while they wait: nobody gets in by it.
    let invite = Seq::new(0);
    host.ask(Intent::RevokeInvite { invite }).await.unwrap();
    let knock = host.knocks[0].knock;
    host.ask(answer(knock, true)).await.unwrap();
    assert_eq!(_fay.answer().await.err(), Some(Refusal::InviteOver));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_knockers_neither_fills_the_log_nor_the_hosts_list() {
    const KNOCKERS: usize = 60;
    let party = Party::open().await;
    let mut host = party.host().await;
    host.ask(Intent::SetApproval { on: true }).await.unwrap();
    let own = party.door.invite(Role::Guest);
    let tail = party.log.tail();
    let (mut at_the_door, mut sent_away) = (Vec::new(), 0);
    for number in 0..KNOCKERS {
        match Knocker::come(&party, Card::new(&own, &format!("Stranger {number}"))).await {
            Ok(Err(knocker)) => at_the_door.push(knocker),
            Err(Refusal::DoorCrowded) => sent_away += 1,
            Ok(Ok(_)) => panic!("{number} came in"),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((at_the_door.len(), sent_away), (32, KNOCKERS - 32));
    assert_eq!(party.log.tail(), tail);
    host.until("the crowd", |host| host.knocks.len() == 32)
        .await;
    drop(at_the_door);
    host.until("nobody", |host| host.knocks.is_empty()).await;
    tried(
        "a_crowd_of_knockers_neither_fills_the_log_nor_the_hosts_list",
        KNOCKERS,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_holds_against_a_token_a_name_and_another_name_by_the_same_link() {
    let party = Party::open().await;
    let mut host = party.host().await;
    let (link, secret) = host.invite(Role::Guest, None).await.unwrap();
    let friend = Guest::enter(&party, &secret, "Friend").await.unwrap();
    let mut troll = Guest::enter(&party, &secret, "Troll").await.unwrap();
    let member = troll.id();
    host.ask(Intent::Ban { member }).await.unwrap();
    troll
        .until("being sent out", |troll| troll.closing.is_some())
        .await;
    assert_eq!(troll.closing, Some(Closing::Kicked));

    let own = party.door.invite(Role::Guest);
    let card = |secret: &str, name: &str| Card::new(secret, name);
    // With their token: by the same link, another link, no link, under any name.
    for secret in [&*secret, &*own, ""] {
        for name in ["Troll", "Saint"] {
            let no = refused(&party, card(secret, name).back_as(&troll)).await;
            assert_eq!(no, Refusal::Banned, "{name} by {secret:?}");
        }
    }
    // Without it, under the name they had or one that looks like it, by any link.
    for name in ["Troll", "TroII", "Тroll", "troll"] {
        for secret in [&*secret, &*own] {
            let no = refused(&party, card(secret, name)).await;
            assert_eq!(no, Refusal::Banned, "{name}");
        }
    }
    // Without it and under another name, by the link they came by: nobody is let in unasked.
    let saint = knocks(&party, card(&secret, "Saint")).await;
    // Whoever was let in before comes and goes as ever.
    let back = Knocker::come(&party, card(&secret, "Friend").back_as(&friend)).await;
    assert!(matches!(back, Ok(Ok(_))));
    host.until("a knock", |host| host.knocks.len() == 1).await;
    assert_eq!(host.knocks[0].invite, link);
    let knock = host.knocks[0].knock;
    let let_in = false;
    host.ask(Intent::AnswerKnock { knock, let_in })
        .await
        .unwrap();
    assert_eq!(saint.answer().await.err(), Some(Refusal::TurnedAway));
    // Another link is nobody's fault.
    party.guest("Gus").await;
    // And if the moderator wishes, the link is gone.
    host.ask(Intent::RevokeInvite { invite: link })
        .await
        .unwrap();
    assert_eq!(
        refused(&party, card(&secret, "Saint")).await,
        Refusal::BadInvite
    );
    host.ask(Intent::Unban { member }).await.unwrap();
    let back = Knocker::come(&party, card("", "Troll").back_as(&troll)).await;
    assert!(matches!(back, Ok(Ok(_))), "forgiven");
    tried(
        "a_ban_holds_against_a_token_a_name_and_another_name_by_the_same_link",
        6 + 8 + 2,
    );
}

/// An intent that was answered before is answered again without being judged: that must not be a way
/// to what its asker may not have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_counter_opens_no_secret() {
    let party = Party::open().await;
    let mut host = party.host().await;
    let (cohosts, _) = host.invite(Role::CoHost, None).await.unwrap();
    let (guests, _) = host.invite(Role::Guest, None).await.unwrap();
    let mut eve = party.guest("Eve").await;
    let text = "hello".to_owned();
    eve.ask_as(7, Intent::Say { text }).await.unwrap();
    for invite in [cohosts, guests] {
        eve.ask_as(7, Intent::ShowInvite { invite }).await.unwrap();
        let fresh = eve.ask(Intent::ShowInvite { invite }).await;
        assert!(fresh.is_err(), "{invite}");
    }
    let role = Role::CoHost;
    let (lasts, uses) = (None, None);
    eve.ask_as(7, Intent::Invite { role, lasts, uses })
        .await
        .unwrap();
    eve.catch_up().await;
    assert_eq!(eve.secrets, [], "{:?}", eve.secrets);
    // A muted inviter whose link stands is told nothing new either.
    let (own, _) = eve.invite(Role::Guest, None).await.unwrap();
    let (member, action, lasts) = (eve.id(), Action::Invite, None);
    host.ask(Intent::Revoke {
        member,
        action,
        lasts,
    })
    .await
    .unwrap();
    let told = eve.secrets.len();
    assert!(eve.ask(Intent::ShowInvite { invite: own }).await.is_err());
    eve.catch_up().await;
    assert_eq!(eve.secrets.len(), told);
    tried("a_replayed_counter_opens_no_secret", 6);
}

/// Secrets go to whoever asked, and to nobody else, by either form.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_s_secret_is_told_to_its_maker_alone() {
    let party = Party::open().await;
    let mut host = party.host().await;
    let own = party.door.invite(Role::Guest);
    let card = |name| Card::new(&own, name);
    let Ok(Ok(mut json)) = Knocker::come_by(&party, card("Jo"), Form::Json).await else {
        panic!("the link opens");
    };
    let Ok(Ok(mut program)) = Knocker::come_by(&party, card("Pia"), Form::Postcard).await else {
        panic!("the link opens");
    };
    let (_, secret) = host.invite(Role::CoHost, None).await.unwrap();
    for guest in [&mut json, &mut program] {
        guest.catch_up().await;
        assert_eq!(guest.secrets, []);
    }
    assert!(!format!("{:?}", party.events()).contains(&secret));
    assert!(
        !serde_json::to_string(&party.state())
            .unwrap()
            .contains(&secret)
    );
}
