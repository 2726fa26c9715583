//! What every [`Player`] promises, as a suite any player can be put through.
//!
//! A test of a real player builds a [`Stage`] for it and calls
//! [`every_promise`], or each promise as a test of its own. Each opens a fresh
//! player. A broken promise panics with its sentence, as an assertion of a test
//! does; nothing but tests calls this.
//!
//! Waiting is always for a condition with a deadline, except to see that
//! *nothing* happens, which takes [`QUIET`]; on a paused tokio clock that is free.

use std::future::Future;
use std::time::Duration;

use crate::engine::media::Media;
use crate::engine::unit::{LocalTime, MediaTime, Micros};
use crate::player::{Activity, Notice, Player, PlayerError, Sample};

/// So long without a notice counts as none coming.
pub const QUIET: Duration = Duration::from_millis(1_500);
/// A condition that has not come true by then will not.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long somebody waits who gives up before anything can be heard.
const BRIEFLY: Duration = Duration::from_millis(10);
/// Between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A lost player refuses at once, and does not wait for anything.
const AT_ONCE: Duration = Duration::from_secs(5);
/// How many presses one of which falls beside every stall.
const PRESSES_MAX: u32 = 3;
/// How many starts one of which is on time.
const STARTS_MAX: usize = 5;
/// How many stretches of two seconds a rate has to show itself in.
const WINDOWS_MAX: usize = 5;

/// The user's hand on a player under test.
pub trait Hand: Send {
    /// Presses pause.
    fn press_pause(&mut self) -> impl Future<Output = ()> + Send;
    /// Presses play.
    fn press_play(&mut self) -> impl Future<Output = ()> + Send;
    /// Moves the film to this position.
    fn drag_to(&mut self, to: MediaTime) -> impl Future<Output = ()> + Send;
    /// Closes the player's window.
    fn close_window(&mut self) -> impl Future<Output = ()> + Send;
}

/// Where players are put to the test.
pub trait Stage {
    /// The player under test.
    type Player: Player;
    /// Its user.
    type Hand: Hand;

    /// Opens a fresh player, with nothing loaded.
    fn open(&self) -> impl Future<Output = (Self::Player, Self::Hand)>;
    /// A film of at least 60 s that this player can show.
    fn media(&self) -> Media;
    /// How long that film is.
    fn length(&self) -> Micros;
    /// The clock that [`Player::play`] and [`Sample::at`] speak of.
    fn now(&self) -> LocalTime;
    /// How far measured positions may be from the promised ones: the player's own latencies.
    fn slack(&self) -> Micros;

    /// Whether the film may run out of data just when somebody pauses it: then nobody can tell
    /// the page's own pause from theirs, and they press again.
    fn may_stall(&self) -> bool {
        false
    }
}

/// Puts the stage's players through every promise.
pub async fn every_promise(stage: &impl Stage) {
    a_loaded_film_stands_on_its_frame(stage).await;
    a_film_starts_at_its_time_and_not_before(stage).await;
    a_start_in_the_past_is_a_start_at_once(stage).await;
    a_pause_settles_on_its_frame(stage).await;
    a_pause_calls_off_a_start(stage).await;
    a_seek_goes_on_as_it_was(stage).await;
    a_rate_is_played(stage).await;
    a_sample_says_when_it_was_taken(stage).await;
    what_it_is_told_is_never_noticed(stage).await;
    what_its_user_does_is_noticed_once(stage).await;
    a_cancelled_wait_loses_no_notice(stage).await;
    the_end_is_noticed_once(stage).await;
    a_lost_player_says_so_once_and_then_refuses(stage).await;
}

async fn opened<S: Stage>(stage: &S, start: MediaTime) -> (S::Player, S::Hand) {
    let (mut player, hand) = stage.open().await;
    loaded(stage, &mut player, start).await;
    (player, hand)
}

async fn loaded<S: Stage>(stage: &S, player: &mut S::Player, start: MediaTime) {
    let load = async |player: &mut S::Player| {
        tokio::time::timeout(3 * DEADLINE, player.load(&stage.media(), start)).await
    };
    let mut loaded = load(player).await;
    if stage.may_stall() && matches!(loaded, Ok(Err(PlayerError::Late(_)))) {
        loaded = load(player).await; // as its user would
    }
    assert_eq!(loaded, Ok(Ok(())), "the film loads");
}

async fn look(player: &mut impl Player) -> Sample {
    let sampled = tokio::time::timeout(DEADLINE, player.sample()).await;
    match sampled {
        Ok(Ok(sample)) => sample,
        other => panic!("a player can be measured: {other:?}"),
    }
}

/// Waits until a sample satisfies `condition`.
async fn until(
    player: &mut impl Player,
    what: &str,
    condition: impl Fn(&Sample) -> bool,
) -> Sample {
    let mut last = None;
    let waited = tokio::time::timeout(DEADLINE, async {
        loop {
            let sample = look(player).await;
            if condition(&sample) {
                return sample;
            }
            last = Some(sample);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
    .await;
    waited.unwrap_or_else(|_| panic!("{what}; at last {last:?}"))
}

/// Everything noticed until it has been quiet for a while.
async fn noticed(player: &mut impl Player) -> Vec<Notice> {
    let mut heard = Vec::new();
    while let Ok(notice) = tokio::time::timeout(QUIET, player.notice()).await {
        heard.push(notice);
        assert!(heard.len() < 20, "it does not stop: {heard:?}");
    }
    heard
}

/// The first thing noticed, however late a busy machine tells it, and all until it is quiet again.
async fn noticed_in_time(player: &mut impl Player, what: &str) -> Vec<Notice> {
    let first = tokio::time::timeout(DEADLINE, player.notice()).await;
    let mut heard = vec![first.unwrap_or_else(|_| panic!("{what} is not noticed"))];
    heard.extend(noticed(player).await);
    heard
}

/// Presses pause while the film plays; what is noticed first.
async fn pause_pressed<S: Stage>(stage: &S, player: &mut S::Player, hand: &mut S::Hand) -> Notice {
    let tries = if stage.may_stall() { PRESSES_MAX } else { 1 };
    for _ in 0..tries {
        hand.press_pause().await;
        // A wait that is given up before anything can be heard loses nothing.
        let listened = tokio::time::timeout(DEADLINE / tries, async {
            loop {
                if let Ok(first) = tokio::time::timeout(BRIEFLY, player.notice()).await {
                    return first;
                }
            }
        });
        if let Ok(first) = listened.await {
            return first;
        }
        // The stall's then; the room puts it back.
        told(player.play(stage.now())).await;
        until(player, "it is put back", |sample| {
            sample.activity == Activity::Playing
        })
        .await;
    }
    panic!("a pressed pause is not noticed");
}

async fn told(done: impl Future<Output = Result<(), PlayerError>>) {
    let done = tokio::time::timeout(DEADLINE, done).await;
    assert_eq!(done, Ok(Ok(())), "it does as told");
}

async fn running<S: Stage>(stage: &S, start: MediaTime) -> (S::Player, S::Hand) {
    let (mut player, hand) = opened(stage, start).await;
    told(player.play(stage.now())).await;
    until(&mut player, "it plays", |sample| {
        sample.activity == Activity::Playing && sample.position > start
    })
    .await;
    (player, hand)
}

async fn closed(player: impl Player) {
    let closed = tokio::time::timeout(3 * DEADLINE, player.close()).await;
    assert_eq!(closed, Ok(()), "it closes");
}

/// After loading, the film stands ready on the frame asked for.
pub async fn a_loaded_film_stands_on_its_frame(stage: &impl Stage) {
    let start = MediaTime::from_secs(10);
    let (mut player, _hand) = opened(stage, start).await;
    for _ in 0..2 {
        let sample = look(&mut player).await;
        assert_eq!(sample.activity, Activity::Paused);
        assert!(
            (sample.position - start).abs() <= stage.slack(),
            "{sample:?}"
        );
        tokio::time::sleep(QUIET).await;
    }
    let known = until(&mut player, "its length is known", |sample| {
        sample.duration.is_some()
    })
    .await;
    let length = known.duration.unwrap_or_default();
    assert!(
        (length - stage.length()).abs() <= Micros::from_secs(1),
        "{length:?}"
    );
    closed(player).await;
}

/// A start lies in the future until it comes.
pub async fn a_film_starts_at_its_time_and_not_before(stage: &impl Stage) {
    let start = MediaTime::from_secs(5);
    let (mut player, _hand) = opened(stage, start).await;
    // A busy machine may miss a start, though never begin before it; it does not miss all of them.
    let mut misses = Vec::new();
    while misses.len() < STARTS_MAX {
        let at = stage.now() + Micros::from_secs(1);
        told(player.play(at)).await;
        let runs = until(&mut player, "it starts", |sample| {
            if sample.at < at {
                let moved = (sample.position - start).abs();
                assert!(
                    moved <= Micros::from_millis(5),
                    "moved before its time: {sample:?}"
                );
            }
            sample.at >= at + Micros::from_millis(500) && sample.activity == Activity::Playing
        })
        .await;
        let miss = runs.position - (start + (runs.at - at));
        if miss.abs() <= stage.slack() {
            return closed(player).await;
        }
        misses.push(miss);
        loaded(stage, &mut player, start).await;
    }
    panic!("never at its time: {misses:?}");
}

/// `play` with a time that is past starts at once.
pub async fn a_start_in_the_past_is_a_start_at_once(stage: &impl Stage) {
    let (mut player, _hand) = opened(stage, MediaTime::from_secs(5)).await;
    told(player.play(stage.now() - Micros::from_secs(30))).await;
    let runs = until(&mut player, "it plays", |sample| {
        sample.position >= MediaTime::from_millis(5_300)
    })
    .await;
    assert!(
        runs.position < MediaTime::from_secs(15),
        "from where it stood: {runs:?}"
    );
    closed(player).await;
}

/// `pause` stops the film on the frame it names.
pub async fn a_pause_settles_on_its_frame(stage: &impl Stage) {
    let (mut player, _hand) = running(stage, MediaTime::from_secs(5)).await;
    let frame = MediaTime::from_secs(20);
    told(player.pause(frame)).await;
    let on_frame = |sample: &Sample| {
        sample.activity == Activity::Paused && (sample.position - frame).abs() <= stage.slack()
    };
    until(&mut player, "it settles on the frame", on_frame).await;
    tokio::time::sleep(QUIET).await;
    let later = look(&mut player).await;
    assert!(on_frame(&later), "it stays there: {later:?}");
    closed(player).await;
}

/// A start that was arranged does not happen after a pause.
pub async fn a_pause_calls_off_a_start(stage: &impl Stage) {
    let frame = MediaTime::from_secs(5);
    let (mut player, _hand) = opened(stage, frame).await;
    told(player.play(stage.now() + Micros::from_millis(700))).await;
    told(player.pause(frame)).await;
    tokio::time::sleep(QUIET).await;
    let sample = look(&mut player).await;
    assert_eq!(sample.activity, Activity::Paused);
    assert!(
        (sample.position - frame).abs() <= stage.slack(),
        "{sample:?}"
    );
    closed(player).await;
}

/// A seek moves a running film and a standing one, and neither stops nor starts it.
pub async fn a_seek_goes_on_as_it_was(stage: &impl Stage) {
    let (mut player, _hand) = running(stage, MediaTime::from_secs(5)).await;
    let to = MediaTime::from_secs(25);
    told(player.seek(to)).await;
    until(&mut player, "it plays on from there", |sample| {
        sample.activity == Activity::Playing && sample.position > to + Micros::from_millis(300)
    })
    .await;
    told(player.pause(to)).await;
    let back = MediaTime::from_secs(8);
    told(player.seek(back)).await;
    let lands = until(&mut player, "it stands there", |sample| {
        sample.activity == Activity::Paused && (sample.position - back).abs() <= stage.slack()
    })
    .await;
    tokio::time::sleep(QUIET).await;
    assert_eq!(look(&mut player).await.position, lands.position);
    closed(player).await;
}

/// A whole rate is played and read back.
pub async fn a_rate_is_played(stage: &impl Stage) {
    let (mut player, _hand) = running(stage, MediaTime::from_secs(5)).await;
    told(player.set_rate(1.5)).await;
    let mut from = until(&mut player, "the rate is read back", |sample| {
        (sample.rate - 1.5).abs() < 0.001 && sample.activity == Activity::Playing
    })
    .await;
    // A busy machine may drop a beat; one that plays the rate does so for two seconds soon.
    let mut windows = Vec::new();
    for _ in 0..WINDOWS_MAX {
        let to = until(&mut player, "it plays on", |sample| {
            sample.at - from.at >= Micros::from_secs(2)
        })
        .await;
        let film = (to.position - from.position).get() as f64;
        let due = (to.at - from.at).get() as f64 * 1.5;
        windows.push((film, due));
        if (film - due).abs() <= stage.slack().get() as f64 {
            break;
        }
        from = to;
    }
    let (film, due) = windows[windows.len() - 1];
    assert!(
        (film - due).abs() <= stage.slack().get() as f64,
        "never {due} µs of film: {windows:?}"
    );
    closed(player).await;
}

/// A sample's time lies between asking and being answered.
pub async fn a_sample_says_when_it_was_taken(stage: &impl Stage) {
    let (mut player, _hand) = running(stage, MediaTime::from_secs(5)).await;
    for _ in 0..5 {
        let asked = stage.now();
        let sample = look(&mut player).await;
        let answered = stage.now();
        // A player in another process maps its clock to ours, to about a millisecond.
        let (low, high) = (
            asked - Micros::from_millis(5),
            answered + Micros::from_millis(5),
        );
        assert!(
            (low..=high).contains(&sample.at),
            "{asked:?} {sample:?} {answered:?}"
        );
    }
    closed(player).await;
}

/// Nothing the program does comes back as somebody's doing.
pub async fn what_it_is_told_is_never_noticed(stage: &impl Stage) {
    let (mut player, _hand) = running(stage, MediaTime::from_secs(5)).await;
    told(player.seek(MediaTime::from_secs(30))).await;
    told(player.set_rate(1.03)).await;
    told(player.pause(MediaTime::from_secs(31))).await;
    told(player.play(stage.now())).await;
    told(player.pause(MediaTime::from_secs(12))).await;
    told(player.set_rate(1.0)).await;
    told(player.play(stage.now() + Micros::from_millis(200))).await;
    assert_eq!(noticed(&mut player).await, [], "told, not done by the user");
    closed(player).await;
}

/// Each act of the user is one notice, and moves the film.
pub async fn what_its_user_does_is_noticed_once(stage: &impl Stage) {
    let (mut player, mut hand) = running(stage, MediaTime::from_secs(5)).await;
    let mut heard = vec![pause_pressed(stage, &mut player, &mut hand).await];
    heard.extend(noticed(&mut player).await);
    let [Notice::UserPaused(at)] = heard[..] else {
        panic!("one pause: {heard:?}")
    };
    let sample = look(&mut player).await;
    assert_eq!(sample.activity, Activity::Paused);
    assert!(
        (sample.position - at).abs() <= stage.slack(),
        "{at:?} {sample:?}"
    );

    hand.press_play().await;
    let heard = noticed_in_time(&mut player, "a pressed play").await;
    assert_eq!(heard, [Notice::UserPlayed]);
    assert_eq!(look(&mut player).await.activity, Activity::Playing);

    let to = MediaTime::from_secs(40);
    hand.drag_to(to).await;
    let heard = noticed_in_time(&mut player, "a drag").await;
    let [Notice::UserSeeked(at)] = heard[..] else {
        panic!("one seek: {heard:?}")
    };
    assert!((at - to).abs() <= Micros::from_secs(1), "{at:?}");
    closed(player).await;
}

/// Notices wait for whoever asks next.
pub async fn a_cancelled_wait_loses_no_notice(stage: &impl Stage) {
    let (mut player, mut hand) = running(stage, MediaTime::from_secs(5)).await;
    let mut heard = vec![pause_pressed(stage, &mut player, &mut hand).await];
    heard.extend(noticed(&mut player).await);
    assert!(matches!(heard[..], [Notice::UserPaused(_)]), "{heard:?}");
    closed(player).await;
}

/// The film's end is noticed, once.
pub async fn the_end_is_noticed_once(stage: &impl Stage) {
    let near = MediaTime::ZERO + stage.length() - Micros::from_secs(1);
    let (mut player, _hand) = opened(stage, near).await;
    told(player.play(stage.now())).await;
    let ended = tokio::time::timeout(DEADLINE, player.notice()).await;
    assert_eq!(ended, Ok(Notice::Ended));
    assert_eq!(noticed(&mut player).await, []);
    assert_eq!(look(&mut player).await.activity, Activity::Ended);
    closed(player).await;
}

/// A closed window is one last notice; every call after it fails at once.
pub async fn a_lost_player_says_so_once_and_then_refuses(stage: &impl Stage) {
    let (mut player, mut hand) = running(stage, MediaTime::from_secs(5)).await;
    hand.close_window().await;
    let last = tokio::time::timeout(DEADLINE, player.notice()).await;
    assert!(
        matches!(&last, Ok(Notice::Lost(why)) if !why.is_empty()),
        "{last:?}"
    );
    assert_eq!(noticed(&mut player).await, [], "the last notice of all");
    let frame = MediaTime::from_secs(1);
    let media = stage.media();
    let refused = [
        (
            "load",
            tokio::time::timeout(AT_ONCE, player.load(&media, frame)).await,
        ),
        (
            "play",
            tokio::time::timeout(AT_ONCE, player.play(stage.now())).await,
        ),
        (
            "pause",
            tokio::time::timeout(AT_ONCE, player.pause(frame)).await,
        ),
        (
            "seek",
            tokio::time::timeout(AT_ONCE, player.seek(frame)).await,
        ),
        (
            "set_rate",
            tokio::time::timeout(AT_ONCE, player.set_rate(1.0)).await,
        ),
        (
            "sample",
            tokio::time::timeout(AT_ONCE, player.sample())
                .await
                .map(|done| done.map(|_| ())),
        ),
    ];
    for (call, answer) in refused {
        assert!(
            matches!(answer, Ok(Err(PlayerError::Lost(_)))),
            "{call}: {answer:?}"
        );
    }
    closed(player).await;
}
