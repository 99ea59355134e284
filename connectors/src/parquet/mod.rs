//! Commits.
pub mod record;
