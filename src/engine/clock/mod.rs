//! Logical and physical time: [`stamp`] orders events, [`offset`] finds the session's clock from afar.

pub mod offset;
pub mod stamp;
