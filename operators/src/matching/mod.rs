//! Order matching: one book per symbol, price-time priority, trades at the resting order's price.
//!
//! ```text
//!  orders ──► checks ──► Book ──┬─► matches ──► executions    derived events, two per match
//!                ▲              ├─► changes ──► order_events  rows, one per change; the message's result as a derived event
//!    Reference ──┘              └─► standing ─► open_orders, top_of_book, book_states   what changed, net per tick
//! ```
//!
//! | file | one idea |
//! |---|---|
//! | `book` | the state of a book, and its handling of each [`Command`]: new, amend, cancel, phase |
//! | `crossing` | continuous trading: matching of an incoming order |
//! | `self_trade` | self-trade prevention between two orders of one owner |
//! | `triggers` | triggers of stop orders |
//! | `auction` | uncrossing at one price |
//! | `band` | price band around the last price |
//! | `expiry` | expiry of orders |
//! | `order`, `resting` | an order outside the book; an order as the book stores it, in 128 bytes |
//! | `orders` | orders in slots, which never move, found by their ids |
//! | `queue`, `ladder` | the orders at one price; the queues of a side by price |
//! | `command`, `report`, `reason` | commands of a book, its reports, and the reasons in them |
//! | `event` | events for views that follow the book |
//! | `checks` | the firm's checks before the book |
//! | `config` | fees, restricted symbols |
//! | `state` | a symbol's state as rows, and back |
//! | `view` | the keyed view that connects them |
//!
//! - **Key**: symbol. **Time**: a command's effective time; the book has no other clock. So a `gtd` order ends at the first event
//!   of its symbol at or after its expiry, whatever that event is.
//! - **All reports are a function** of the commands and their times. Ids are `<symbol>-<match's sequence>`, and have at most 64
//!   characters ([`Id::shortened`](headwater_schemas::Id::shortened)).
//! - **Each accepted order** rests, or ends in exactly one of `filled`, `cancelled` and `expired`. `rejected` for an order that
//!   was accepted before rejects an amendment or a cancel and changes nothing.
//! - **In continuous trading** the book is never crossed, and no waiting stop would be triggered by the last price.
//!
//! Where trading rules leave a choice, these apply:
//!
//! - **Checks** of the firm come first, then the book's own, both in a fixed sequence, which is the same for new orders and for
//!   amendments: see [`Reason`]. An order that passes is `accepted` first, even if it is cancelled at once (`ioc`, `fok`, a
//!   market order, self-trade prevention).
//! - **Sequence of reports** of a match: the resting order's change, then the incoming order's; in an auction the buyer's, then
//!   the seller's. Orders that end together do so by priority.
//! - **Market orders** and stops have no limit: a price given with them is ignored. They never rest, except that market orders
//!   wait while orders accumulate. They trade no further than the instrument's price band around the last price at the moment of
//!   entry (for a stop: the price that triggered it; in an uncrossing: the last price before it); their own trades do not move the
//!   band. The remainder is cancelled (`price_band`). An `fok` order that could be filled only beyond the band is cancelled whole.
//! - **The owner** of an order is the owner of its account at entry; a group that is formed later does not affect resting orders.
//! - **While orders accumulate** (`pre_open`, `auction`), `ioc` and `fok` are rejected (`wrong_phase`), and so is a post-only
//!   order that would cross the book. Accumulated orders uncross on the transition to `continuous` or `closed`, even if a halt
//!   came in between. In `halted` only cancels are accepted; in `closed` amendments are rejected like new orders.
//! - **A rejected amendment** leaves the order unchanged. An amended order that loses its priority enters like a new one.
//! - **An amendment's quantity** is the total, including what is filled. Quantity that self-trade prevention removed is no longer
//!   part of it.

mod auction;
mod band;
mod book;
mod checks;
mod command;
mod config;
mod crossing;
mod event;
mod expiry;
mod ladder;
mod order;
mod orders;
mod queue;
mod reason;
mod report;
mod resting;
mod self_trade;
mod state;
mod triggers;
mod view;

pub use band::Band;
pub use book::{Book, Head, Sequences, Top};
pub use command::{Amendment, Cancellation, Command, NewOrder, PhaseChange};
pub use config::MatchingConfig;
pub use event::{BookEvent, BookMessage, Outcome, PhaseStep};
pub use order::{Order, Standing, Terms};
pub use reason::Reason;
pub use report::{Change, Match, Party, Reports};
pub use resting::TermsOf;
pub use state::{BookTables, SavedBooks, SymbolBook};
pub use view::Matching;

#[cfg(test)]
mod tests;
