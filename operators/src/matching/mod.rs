//! Orders.

mod auction;
mod book;
mod command;
mod crossing;
mod expiry;
mod ladder;
mod order;
mod orders;
mod reason;
mod report;
mod self_trade;
mod triggers;

pub use book::{Book, Head, Sequences, Top};
pub use command::{Amendment, Cancellation, Command, NewOrder, PhaseChange};
pub use order::{Order, Standing, Terms};
pub use reason::Reason;
pub use report::{Change, Match, Party, Reports};
