//! One connection, as a state machine at each end.
//!
//! Frames, deadlines and dice in; actions out. Neither end reads a clock or a
//! socket, so the same two machines run under tokio, in the simulator and in
//! tests.

pub mod bucket;
pub mod member_end;
pub mod room_end;
