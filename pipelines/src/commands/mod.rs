//! Subcommands of the binary, one file each, except `run`.

pub mod backtest;
pub mod demo;
pub mod erase;
pub mod explain;
pub mod export;
pub mod files;
pub mod keys;
pub mod mirror;
mod planted;
pub mod publish;
pub mod replay;
pub mod report;
pub mod rules;
pub mod schema;
pub mod serve;
pub mod sql;
pub mod topics;
pub mod verify;
