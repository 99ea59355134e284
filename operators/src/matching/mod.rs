//! Orders.

mod auction;
mod book;
mod checks;
mod command;
mod config;
mod crossing;
mod expiry;
mod ladder;
mod order;
mod orders;
mod reason;
mod report;
mod self_trade;
mod state;
mod triggers;
mod view;

pub use book::{Book, Head, Sequences, Top};
pub use command::{Amendment, Cancellation, Command, NewOrder, PhaseChange};
pub use config::MatchingConfig;
pub use order::{Order, Standing, Terms};
pub use reason::Reason;
pub use report::{Change, Match, Party, Reports};
pub use state::{SavedBooks, SymbolBook};
pub use view::{BookRow, Matching};

#[cfg(test)]
mod tests;
