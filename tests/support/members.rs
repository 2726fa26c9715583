//! Members who write, remember everything they were told, and are held to it afterwards.
//!
//! They are the program's own client ([`seance::net::client`]), dialling again
//! by itself, so what is judged is what a user would have seen and been promised.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seance::engine::event::{Body, Client, Event, Via, codec};
use seance::engine::fold::RoomState;
use seance::engine::frame::Resume;
use seance::engine::id::{MemberId, Seq};
use seance::engine::intent::Intent;
use seance::net::client::{self, News, Order};
use seance::net::link::JoinLink;
use tokio::sync::{mpsc, watch};

/// Everything one member asked and was told.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub name: String,
    pub me: Option<MemberId>,
    pub resume: Option<Resume>,
    /// What it asked, in order.
    pub asked: Vec<Intent>,
    pub first_counter: Option<u64>,
    /// Each promise of the room: counter and event.
    pub accepted: Vec<(u64, Seq)>,
    /// Everything that was shown, in order.
    pub applied: Vec<Event>,
    pub answers: usize,
    pub read_only: usize,
    /// The sentence of each refusal.
    pub refused: Vec<String>,
    pub welcomes: usize,
    pub over: Option<String>,
}

impl Record {
    /// Counters rise with every intent, so the lowest answered is the first asked once all are.
    fn counted(&mut self, counter: u64) {
        let lowest = self
            .first_counter
            .map_or(counter, |lowest| lowest.min(counter));
        self.first_counter = Some(lowest);
    }

    /// Whether everything that was asked was answered.
    pub fn is_settled(&self) -> bool {
        self.answers >= self.asked.len()
    }

    pub fn tail(&self) -> Seq {
        Seq::new(self.applied.len() as u64 + 1)
    }

    /// Whether it was shown this line.
    pub fn saw(&self, wanted: &str) -> bool {
        self.applied
            .iter()
            .any(|event| matches!(&event.body, Body::Said { text, .. } if text.as_str() == wanted))
    }
}

/// A member at work.
pub struct Guest {
    orders: mpsc::Sender<Order>,
    record: Arc<Mutex<Record>>,
    changed: watch::Receiver<()>,
}

impl Guest {
    /// Comes in as somebody new, or as who they were.
    pub fn join(link: &JoinLink, name: &str, resume: Option<Resume>) -> Self {
        let client::Member {
            orders, mut news, ..
        } = client::join(link, name.to_owned(), Client::Terminal, resume);
        let record = Arc::new(Mutex::new(Record {
            name: name.to_owned(),
            ..Record::default()
        }));
        let (changes, changed) = watch::channel(());
        let kept = Arc::clone(&record);
        tokio::spawn(async move {
            while let Some(news) = news.recv().await {
                note(
                    &mut kept.lock().unwrap_or_else(PoisonError::into_inner),
                    news,
                );
                changes.send_replace(());
            }
        });
        Self {
            orders,
            record,
            changed,
        }
    }

    /// What it knows now.
    pub fn with<T>(&self, look: impl FnOnce(&Record) -> T) -> T {
        look(&self.record.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for something; waits while too much of what it asked is unanswered.
    pub async fn ask(&self, intent: Intent) {
        let order = Order::Ask {
            via: Via::Script,
            aim: None,
            intent: intent.clone(),
        };
        let Ok(permit) = self.orders.reserve().await else {
            return; // it is over for this one
        };
        // Noted first: the answer may be there before this function returns.
        self.record
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .asked
            .push(intent);
        permit.send(order);
    }

    pub async fn say(&self, text: &str) {
        self.ask(Intent::Say { text: text.into() }).await;
    }

    /// As [`Guest::ask`], unless that would have to wait.
    pub fn try_ask(&self, intent: Intent) -> bool {
        let order = Order::Ask {
            via: Via::Script,
            aim: None,
            intent: intent.clone(),
        };
        let Ok(permit) = self.orders.try_reserve() else {
            return false;
        };
        self.record
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .asked
            .push(intent);
        permit.send(order);
        true
    }

    /// Waits until its record is as wanted; false if that never was.
    pub async fn until(&self, wait_max: Duration, wanted: impl Fn(&Record) -> bool) -> bool {
        let mut changed = self.changed.clone();
        let seen = async {
            while !self.with(&wanted) {
                if changed.changed().await.is_err() {
                    return self.with(&wanted);
                }
            }
            true
        };
        tokio::time::timeout(wait_max, seen).await.unwrap_or(false)
    }

    /// A copy of all it knows. Dropping the guest leaves the party.
    pub fn record(&self) -> Record {
        self.with(Record::clone)
    }
}

fn note(record: &mut Record, news: News) {
    match news {
        News::Welcomed(welcome) => {
            record.welcomes += 1;
            record.me = Some(welcome.member);
            record.resume = Some(Resume {
                member: welcome.member,
                token: welcome.token,
            });
        }
        News::Applied(event) => record.applied.push(event),
        News::Accepted { counter, seq } => {
            record.counted(counter);
            record.accepted.push((counter, seq));
            record.answers += 1;
        }
        News::Refused(refused) => {
            if let Some(counter) = refused.counter {
                record.counted(counter);
                record.answers += 1;
            }
            record.refused.push(refused.sentence.clone());
            record.read_only += usize::from(matches!(
                refused.refusal,
                seance::engine::intent::Refusal::ReadOnly { .. }
            ));
        }
        News::Over(why) => record.over = Some(why),
        News::Dialling
        | News::CaughtUp
        | News::Presence(_)
        | News::Moved(_)
        | News::Waiting
        | News::Knocks(_)
        | News::Secret { .. }
        | News::Lost(_) => {}
    }
}

/// What a judged history held.
#[derive(Clone, Copy, Debug, Default)]
pub struct Judged {
    pub events: usize,
    /// Promises that were checked.
    pub acknowledged: usize,
    /// Folds that were compared at equal seq.
    pub digests: usize,
}

/// Holds a log, and what members saw and were promised, against each other.
///
/// # Errors
/// The first broken promise, as a sentence.
pub fn judge(log: &[Event], members: &[Record]) -> Result<Judged, String> {
    let mut judged = Judged {
        events: log.len(),
        ..Judged::default()
    };
    let mut epoch = seance::engine::id::Epoch::new(0);
    let mut at = seance::engine::unit::SessionTime::ZERO;
    for (event, place) in log.iter().zip(1..) {
        let header = &event.header;
        if header.seq.get() != place {
            return Err(format!("event {place} of the log is {}", header.seq));
        }
        if header.epoch < epoch || header.at < at {
            return Err(format!("epoch or time runs backwards at event {place}"));
        }
        (epoch, at) = (header.epoch, header.at);
    }
    // One intent, one event, whatever was lost and asked again.
    let mut lines = BTreeMap::new();
    let mut intents = BTreeSet::new();
    for event in log {
        if let Body::Said { text, .. } = &event.body {
            if let Some(first) = lines.insert(text.as_str().to_owned(), event.header.seq) {
                return Err(format!(
                    "“{text}” stands in the log twice, at {first} and {}",
                    event.header.seq
                ));
            }
            if !intents.insert((event.header.by, event.header.intent)) {
                return Err(format!(
                    "one intent became two lines, at {}",
                    event.header.seq
                ));
            }
        }
    }
    let asked: BTreeSet<&str> = members
        .iter()
        .flat_map(|member| &member.asked)
        .filter_map(|intent| match intent {
            Intent::Say { text } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    if let Some(line) = lines.keys().find(|line| !asked.contains(line.as_str())) {
        return Err(format!("nobody ever said “{line}”"));
    }
    // Digests of the log's own fold, at the places where members stand.
    let mut wanted: BTreeMap<usize, Option<_>> = members
        .iter()
        .map(|member| (member.applied.len(), None))
        .collect();
    let mut truth = RoomState::default();
    for count in 0..=log.len() {
        if let Some(digest) = wanted.get_mut(&count) {
            *digest = Some(truth.digest());
        }
        if let Some(event) = log.get(count) {
            truth.apply(event);
        }
    }
    for member in members {
        let name = &member.name;
        if member.applied.len() > log.len() {
            return Err(format!(
                "{name} was shown {} events, the log has {}",
                member.applied.len(),
                log.len()
            ));
        }
        let mut own = RoomState::default();
        for (shown, truth) in member.applied.iter().zip(log) {
            if codec::encode(shown) != codec::encode(truth) {
                return Err(format!(
                    "{name} was shown another event {}",
                    truth.header.seq
                ));
            }
            own.apply(shown);
        }
        if wanted[&member.applied.len()] != Some(own.digest()) {
            return Err(format!("{name} folds to something else"));
        }
        judged.digests += 1;
        for (counter, seq) in &member.accepted {
            let Some(event) = log.get(seq.get() as usize - 1) else {
                return Err(format!("{name} was promised event {seq}; it is lost"));
            };
            judged.acknowledged += 1;
            if !member.is_settled() {
                continue; // which intent had which counter is known only when all were answered
            }
            let place = counter - member.first_counter.unwrap_or(*counter);
            let Some(intent) = member.asked.get(place as usize) else {
                return Err(format!(
                    "{name} was answered intent {counter}, which it never asked"
                ));
            };
            if let Intent::Say { text } = intent {
                let is_it = event.header.by == member.me
                    && event.header.intent == Some(*counter)
                    && matches!(&event.body, Body::Said { text: said, .. } if said.as_str() == text);
                if !is_it {
                    return Err(format!(
                        "{name} was promised “{text}” as event {seq}; there stands {event:?}"
                    ));
                }
            }
        }
    }
    Ok(judged)
}
