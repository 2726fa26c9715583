//! Players: projections with hands.
//!
//! A [`Player`] shows one film and does as it is told. It knows nothing of
//! rooms, members or networks; [`driver`] holds the timeline in front of it,
//! measures drift and corrects. Promises every player keeps (and the contract
//! tests hold it to): what it is told to do is never reported back as a
//! [`Notice`]; what its *user* does on it is reported exactly once; a lost
//! player says [`Notice::Lost`] once and then fails every call at once.

#[cfg(feature = "browser")]
pub mod browser;

use std::future::Future;

use crate::engine::event::Inability;
use crate::engine::media::Media;
use crate::engine::sync::controller::{Footing, Habits};
use crate::engine::unit::{LocalTime, MediaTime, Micros};

pub use crate::engine::presence::Activity;

/// The host of films that lie on their viewers' disks and can be had from nowhere else: no
/// resolver ever answers for it (RFC 6761). See `mpv/local.rs`.
pub const ON_A_DISK: &str = "film.invalid";

/// One measurement: where the film stood at a moment of this machine's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was measured, on [`crate::os`]'s monotonic clock.
    pub at: LocalTime,
    /// The film's position then.
    pub position: MediaTime,
    /// The rate the player reports, as a factor.
    pub rate: f64,
    /// What it was doing.
    pub activity: Activity,
    /// How long the film is, where known and finite.
    pub duration: Option<Micros>,
}

/// Something the player did that it was not told to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Its user pressed play.
    UserPlayed,
    /// Its user pressed pause; the film stands at this frame.
    UserPaused(MediaTime),
    /// Its user moved to this position.
    UserSeeked(MediaTime),
    /// Its user chose a rate, as a factor.
    UserRated(f64),
    /// The film reached its end.
    Ended,
    /// The browser refuses to start with sound until somebody clicks.
    NeedsClick,
    /// The media cannot be shown; a sentence for people, such as "This video is private."
    Failed(String),
    /// The media plays, and its viewer should know something about it; a sentence for people.
    Trouble(String),
    /// The player is gone: closed by its user, crashed. The last notice of all.
    Lost(String),
}

/// Why a player did not do as told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlayerError {
    /// The player is gone; only a new one helps.
    #[error("the player is gone: {0}")]
    Lost(String),
    /// It did not answer in time; the next try may work.
    #[error("the player did not answer within {} s", .0.get() / 1_000_000)]
    Late(Micros),
    /// This media cannot be played here; the sentence says why.
    #[error("{0}")]
    Media(String),
    /// No player could be started; the sentence says what to do.
    #[error("{0}")]
    Missing(String),
}

/// A film on a screen that does as it is told.
pub trait Player: Send + 'static {
    /// Opens `media` and makes it ready, paused, at `start`; answers when a frame can be shown.
    fn load(
        &mut self,
        media: &Media,
        start: MediaTime,
    ) -> impl Future<Output = Result<(), PlayerError>> + Send;

    /// Starts at the local time `at`, from where it stands; at once when `at` is past.
    fn play(&mut self, at: LocalTime) -> impl Future<Output = Result<(), PlayerError>> + Send;

    /// Pauses at once and settles on the frame at `position`.
    fn pause(
        &mut self,
        position: MediaTime,
    ) -> impl Future<Output = Result<(), PlayerError>> + Send;

    /// Moves to `position`; goes on playing if it was. Answers when the seek was *asked*, not when it landed.
    fn seek(&mut self, position: MediaTime)
    -> impl Future<Output = Result<(), PlayerError>> + Send;

    /// Sets how fast it plays, as a factor; pitch is kept, but for changes that nobody hears
    /// ([`FINE_MAX`](crate::engine::sync::controller::FINE_MAX)).
    fn set_rate(&mut self, rate: f64) -> impl Future<Output = Result<(), PlayerError>> + Send;

    /// Measures, with the measurement's own time.
    fn sample(&mut self) -> impl Future<Output = Result<Sample, PlayerError>> + Send;

    /// Waits for the next [`Notice`]. Cancelling it loses none. After [`Notice::Lost`] it never answers.
    fn notice(&mut self) -> impl Future<Output = Notice> + Send;

    /// Why the film it last failed to show is not shown, in a word for the room.
    fn inability(&self) -> Inability {
        Inability::Other
    }

    /// What is known of this kind of player before it does anything.
    fn habits(&self) -> Habits {
        Habits::default()
    }

    /// From what the next start begins, as far as is known: a frame it paused on, or one it was moved to.
    fn footing(&self) -> Footing {
        Footing::Sought
    }

    /// Closes the player for good and cleans up after it.
    fn close(self) -> impl Future<Output = ()> + Send;
}

pub mod contract;
pub mod driver;
pub mod goal;
pub mod mock;
#[cfg(unix)]
pub mod mpv;
