//! Séance: a watch party whose only truth is its log.
//!
//! ```text
//!  intent ──► room ──► log ──► publish ──► cursor ──► fold ──► projections
//!  (asked)   decides   sled    after it    catch up,  RoomState   window · driven Chromium
//!            seq+stamp durable is durable  follow                 guest page · terminal · replay
//! ```
//!
//! A member's action is an **intent** ([`engine::intent`]). The session's one
//! **sequencer** ([`engine::sequencer`]) accepts it as an **event**, numbered,
//! stamped and dated, or answers a **refusal**. Events are appended durably
//! ([`log`]) and only then published ([`broadcast`]). A reader is a **cursor**
//! ([`engine::reader`]): it catches up from the log, follows what is published,
//! and falls back to the log when it lags, so that joining late, coming back and
//! replaying are one mechanism. Everything anyone sees is a **projection**
//! ([`projection`]): a [`fold`](engine::fold) of events, droppable and rebuilt at
//! will. **Players** ([`player`]) are projections with hands: they measure their
//! drift from the timeline and correct themselves, each on its own machine.
//!
//! # The arrow
//!
//! ```text
//!  engine ← os ← log, player ← broadcast ← net ← projection, tunnel ← cli ← main
//! ```
//!
//! Each ring knows those left of it and none to its right; rings between the
//! same two arrows do not know each other. [`sim`] stands beside `broadcast`: the
//! same machines in a simulated world. Three locks keep it: the features
//! (`--no-default-features` builds the engine alone, `--features sim` the
//! simulator and what the log has without a disk, `--features server`
//! everything but window and driven Chromium), `tests/architecture.rs`, which
//! reads the sources for paths that point outward and for words the engine may
//! not say, and `clippy.toml`, which bans calls and gives each ban its reason.
//!
//! # The laws
//!
//! 1. **Append, then publish.** What a restart could forget, nobody has seen.
//! 2. **A subscriber is a cursor.** Channels only make reading the log faster; a slow reader is late, never wrong.
//! 3. **Time stands inside the event.** The fold reads no clock, uses no float, iterates no hash map: same events, same bytes, here and in the page.
//! 4. **Anchors, not positions.** Where the film stands follows from an anchor and a session time.
//! 5. **Corrections are not events.** The log holds what members meant and the room decided; what players do to stay in step is presence, and passes.
//! 6. **Every event says who, by what input, and why**, so that "why did it pause?" has an answer.
//! 7. **Inner code compiles without outer code**, and the build proves it.
//!
//! # Where does a new … go?
//!
//! | new | goes |
//! |---|---|
//! | thing to ask for | a last variant of [`engine::intent::Intent`], decided in [`engine::sequencer`]; words for it in [`projection::terminal::words`], a button in each of the others |
//! | thing that happens | a last variant of [`engine::event::Body`] and its arm in [`engine::fold`]; its sentence in [`projection::view`]; the page's half in `projection/web/assets/fold.js` and `story.js` |
//! | reason to say no | a last variant of [`engine::intent::Refusal`], with its sentence |
//! | way into a party | [`engine::sequencer::gate`] (what it is worth), [`broadcast::door`] (what opens it); an attack on it in `tests/trust/`, counted in `docs/trust.md` |
//! | frame between member and room | [`engine::frame`], answered in [`engine::session`]; `docs/protocol.md` |
//! | site whose addresses are understood | a file in `engine/media/`, a last [`engine::media::Provider`] |
//! | site whose player is driven | a file in `player/browser/sites/`; in the guest page a wire of `framed.js` in `projection/web/assets/player/` |
//! | player | an implementation of [`player::Player`] that passes the suite in `player/contract.rs`; a choice in [`cli::party`] |
//! | storage backend | an implementation of [`log::EventLog`] that passes the suite in `log/contract.rs` |
//! | way of seeing a party | a folder in [`projection`], drawn from [`projection::view::View`] |
//! | thing to ask of a past evening | [`projection::rewatch`], over [`engine::projectionist`]; shown by [`cli`]'s `screening` |
//! | part of the window | a file in `projection/gui/pane/` or `widget/` |
//! | feature of the guest page | a module in `projection/web/assets/`, listed in [`projection::web`] |
//! | way in from elsewhere | a file in [`tunnel`] that implements [`tunnel::Tunnel`], opened in [`cli`] |
//! | subcommand | a file in [`cli`], a variant of its `Command`, with an example in its help |
//! | way for things to go wrong | a last [`sim::fault::Kind`], and its arm in `sim/trouble.rs` |
//! | law to hold at every step | [`sim::check`] |
//! | check of this machine | a finding in [`cli::doctor`] |
//! | clock or entropy | [`os`], and nowhere else |
//! | dependency | its ring's part of `Cargo.toml`, with what it is for |
#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations)]

#[cfg(feature = "server")]
pub mod broadcast;
#[cfg(feature = "server")]
pub mod cli;
pub mod engine;
#[cfg(feature = "sim")]
pub mod log;
#[cfg(feature = "server")]
pub mod net;
#[cfg(feature = "server")]
pub mod os;
#[cfg(feature = "server")]
pub mod player;
#[cfg(feature = "server")]
pub mod projection;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "server")]
pub mod tunnel;
