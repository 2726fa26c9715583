//! One session as one file.
