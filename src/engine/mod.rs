//! The pure core: what was asked, what happened, what is true now.

pub mod fold {
    pub mod timeline;
}
pub mod id;
pub mod media;
pub mod text;
pub mod unit;
