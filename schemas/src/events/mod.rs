//! Events.
mod words;
pub use words::*;
