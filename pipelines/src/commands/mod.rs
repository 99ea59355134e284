//! What the binary can do besides running the pipeline.

pub mod demo;
pub mod files;
pub mod publish;
pub mod replay;
pub mod sql;
pub mod topics;
pub mod verify;
