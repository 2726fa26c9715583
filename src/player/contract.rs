//! What every [`Player`](super::Player) promises, as a suite any player can be put through.
