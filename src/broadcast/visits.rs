//! How often people may come and go.
//!
//! Coming and going is an event each time, and each event is told to everybody: whoever does only
//! that costs a full house a thousand deliveries a round. Measured (`tests/trust/soak.rs`), fifty
//! of them were most of what the room did. Staying costs nothing, so a party may come all at once;
//! what is counted, by each link and by each member and never by address, is leaving soon.
//! Whoever is refused here was told to nobody.

use std::collections::BTreeMap;

use crate::broadcast::room::ConnectionId;
use crate::engine::id::{MemberId, Seq};
use crate::engine::intent::Refusal;
use crate::engine::session::bucket::Bucket;
use crate::engine::unit::{LocalTime, Micros};

/// A visit shorter than this was brief: a page closed after a look, or noise.
const BRIEF: Micros = Micros::from_secs(60);
/// Brief visits by one link: a few people who look, reload and try another browser; then a few a
/// minute. Its newcomers wait meanwhile, and nobody else.
const BRIEF_BY_LINK: (u32, Micros) = (30, Micros::from_secs(5));
/// Brief visits by all links together.
const BRIEF_IN_PARTY: (u32, Micros) = (90, Micros::from_secs(2));
/// Newcomers by all links, however long they stay: a full house at once, then as fast as people
/// could be asked in.
const NEWCOMERS: (u32, Micros) = (1_024, Micros::from_millis(100));
/// Brief visits of one member: a bad network's evening has such minutes. Their client tries again
/// by itself, later each time.
const BRIEF_OF_MEMBER: (u32, Micros) = (8, Micros::from_secs(8));
/// Brief visits a member has free even while the party's patience is out: it is those who come
/// and go all the time who wait then, not everybody whose tunnel broke once.
const FREE: i64 = 3;
/// Links, and members, whose count is kept; the oldest are forgotten first.
const COUNTED: usize = 4_096;

/// Who came how often lately.
#[derive(Debug)]
pub struct Visits {
    newcomers: Bucket,
    party: Bucket,
    links: BTreeMap<Seq, Bucket>,
    members: BTreeMap<MemberId, Bucket>,
    /// Who is inside: whose connection, by which link if they were new, and since when.
    inside: BTreeMap<ConnectionId, Visit>,
}

#[derive(Clone, Copy, Debug)]
struct Visit {
    member: MemberId,
    link: Option<Seq>,
    since: LocalTime,
}

impl Visits {
    /// Nobody came yet.
    pub fn new(now: LocalTime) -> Self {
        Self {
            newcomers: full(NEWCOMERS, now),
            party: full(BRIEF_IN_PARTY, now),
            links: BTreeMap::new(),
            members: BTreeMap::new(),
            inside: BTreeMap::new(),
        }
    }

    /// Whether a newcomer by this link may come in now.
    ///
    /// # Errors
    /// [`Refusal::TooFast`].
    pub fn may_come(&self, link: Seq, now: LocalTime) -> Result<(), Refusal> {
        let link = self.links.get(&link).and_then(|link| link.wait(now));
        let wait = (self.newcomers.wait(now)).or(self.party.wait(now)).or(link);
        wait.map_or(Ok(()), |_| Err(Refusal::TooFast))
    }

    /// Whether a member may come back now.
    ///
    /// # Errors
    /// [`Refusal::TooFast`].
    pub fn may_come_back(&self, member: MemberId, now: LocalTime) -> Result<(), Refusal> {
        let Some(member) = self.members.get(&member) else {
            return Ok(()); // was never brief
        };
        let (burst, _) = BRIEF_OF_MEMBER;
        let used = i64::from(burst) - member.left(now);
        let out_of_patience = self.party.wait(now).is_some() && used >= FREE;
        if out_of_patience || member.wait(now).is_some() {
            return Err(Refusal::TooFast);
        }
        Ok(())
    }

    /// Somebody came in; by which link, if they were new.
    pub fn came(
        &mut self,
        connection: ConnectionId,
        member: MemberId,
        link: Option<Seq>,
        now: LocalTime,
    ) {
        if link.is_some() {
            self.newcomers.take(now);
        }
        let since = now;
        let visit = Visit {
            member,
            link,
            since,
        };
        self.inside.insert(connection, visit);
    }

    /// A connection ended, or did not come about.
    pub fn went(&mut self, connection: ConnectionId, now: LocalTime) {
        let Some(visit) = self.inside.remove(&connection) else {
            return;
        };
        if now - visit.since >= BRIEF {
            return;
        }
        self.party.take(now);
        counted(&mut self.members, visit.member, BRIEF_OF_MEMBER, now).take(now);
        if let Some(link) = visit.link {
            counted(&mut self.links, link, BRIEF_BY_LINK, now).take(now);
        }
    }
}

fn full((burst, each): (u32, Micros), now: LocalTime) -> Bucket {
    Bucket::every(burst, each, now)
}

fn counted<K: Ord + Copy>(
    buckets: &mut BTreeMap<K, Bucket>,
    key: K,
    patience: (u32, Micros),
    now: LocalTime,
) -> &mut Bucket {
    if buckets.len() >= COUNTED && !buckets.contains_key(&key) {
        buckets.pop_first();
    }
    buckets.entry(key).or_insert_with(|| full(patience, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::{Client, Role};
    use crate::engine::room::{Beginning, Now, Room};
    use crate::engine::sequencer::Entrant;
    use crate::engine::text::{Name, Title};

    const START: LocalTime = LocalTime::from_secs(9);
    const LINK: Seq = Seq::new(4);

    /// Connections, which only a room gives.
    fn connections(count: u64) -> Vec<ConnectionId> {
        let local = START;
        let now = Now { local, wall: 0 };
        let title = Title::new("Film night").unwrap();
        let session = crate::engine::id::SessionId::new(1);
        let mut room = Room::begin(Beginning::Open { session, title }, now);
        let enter = |number| {
            let entrant = Entrant {
                member: None,
                name: Name::new(&format!("Guest number {number}")).unwrap(),
                role: Role::Guest,
                client: Client::Script,
            };
            room.enter(entrant, now).unwrap().1
        };
        (0..count).map(enter).collect()
    }

    #[test]
    fn a_full_house_comes_at_once_and_stays() {
        let mut visits = Visits::new(START);
        for (number, connection) in (1..).zip(connections(500)) {
            assert_eq!(visits.may_come(LINK, START), Ok(()));
            visits.came(connection, MemberId::new(number), Some(LINK), START);
        }
    }

    #[test]
    fn who_only_comes_and_goes_shuts_their_link_for_newcomers_and_no_other() {
        let mut visits = Visits::new(START);
        let brief = connections(200).into_iter().zip(1..);
        let came = brief
            .take_while(|(connection, number)| {
                let may = visits.may_come(LINK, START).is_ok();
                if may {
                    visits.came(*connection, MemberId::new(*number), Some(LINK), START);
                    visits.went(*connection, START);
                }
                may
            })
            .count();
        assert_eq!(came, BRIEF_BY_LINK.0 as usize);
        assert_eq!(visits.may_come(Seq::new(5), START), Ok(()));
        assert_eq!(visits.may_come_back(MemberId::new(1), START), Ok(()));
        assert_eq!(visits.may_come(LINK, START + BRIEF_BY_LINK.1), Ok(()));
    }

    #[test]
    fn a_token_that_comes_and_goes_waits_and_a_broken_tunnel_lets_all_back() {
        let mut visits = Visits::new(START);
        let all = connections(500);
        for (number, connection) in (1..).zip(&all) {
            visits.came(*connection, MemberId::new(number), Some(LINK), START);
        }
        for connection in &all {
            visits.went(*connection, START);
        }
        assert!(visits.may_come(LINK, START).is_err());
        for number in 1..=500 {
            let back = visits.may_come_back(MemberId::new(number), START);
            assert_eq!(back, Ok(()), "one loss is nobody's fault");
        }
        let noisy = MemberId::new(7);
        let times = (0..100).take_while(|_| {
            let may = visits.may_come_back(noisy, START).is_ok();
            visits.came(all[7], noisy, None, START);
            visits.went(all[7], START);
            may
        });
        assert_eq!(times.count(), FREE as usize - 1);
        let later = START + Micros::from_secs(600);
        assert_eq!(visits.may_come_back(noisy, later), Ok(()));
    }

    #[test]
    fn who_stays_a_while_is_not_counted() {
        let mut visits = Visits::new(START);
        for connection in connections(300) {
            visits.came(connection, MemberId::new(2), Some(LINK), START);
            visits.went(connection, START + BRIEF);
        }
        assert_eq!(visits.may_come(LINK, START + BRIEF), Ok(()));
        assert_eq!(
            visits.may_come_back(MemberId::new(2), START + BRIEF),
            Ok(())
        );
    }
}
