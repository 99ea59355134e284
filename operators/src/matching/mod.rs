//! The matching of orders: one book per symbol, price-time priority, trades at the resting order's price.
//!
//! ```text
//!  orders ──► checks ──► Book ──┬─► matches ──► executions    derived events, two per match
//!                ▲              ├─► changes ──► order_events  rows, one per change
//!    Reference ──┘              └─► standing ─► open_orders, top_of_book, book_states   what changed, net per tick
//! ```
//!
//! | file | one idea |
//! |---|---|
//! | `book` | what a book holds, and what it does with each [`Command`]: new, amend, cancel, phase |
//! | `crossing` | continuous trading: an order that came takes from the other side |
//! | `self_trade` | what is left to two orders of one owner that would have met |
//! | `triggers` | stops |
//! | `auction` | the uncrossing at one price |
//! | `band` | how far from the last price an order may trade |
//! | `expiry` | orders that end by themselves |
//! | `order`, `resting` | an order by itself; an order as the book keeps it, in 128 bytes |
//! | `orders` | orders in slots, which never move, found by their ids |
//! | `queue`, `ladder` | the orders at one price; the queues of a side by price |
//! | `command`, `report`, `reason` | what a book is told, what it says, and why |
//! | `checks` | what the firm asks of an order before the book sees it |
//! | `config` | fees, restricted symbols |
//! | `state` | a symbol's state as rows, and back |
//! | `view` | the keyed view around it all |
//!
//! - **Key**: symbol. **Time**: a command's effective time; the book has no other clock. So a `gtd` order ends at the
//!   first event of its symbol at or behind its end, whatever that event is.
//! - **Everything said is a function** of the commands and their times. Ids are `<symbol>-<match's sequence>`, and
//!   have at most 64 characters ([`Id::shortened`](headwater_schemas::Id::shortened)).
//! - **Each accepted order** rests, or ends in exactly one of `filled`, `cancelled` and `expired`. `rejected` of an order
//!   that was accepted before refuses what was asked about it (an amendment, a cancel) and changes nothing.
//! - **In continuous trading** the book is never crossed, and no stop waits that the last price would trigger.
//!
//! Where the rules of trading leave a choice, this is the one that was made:
//!
//! - **Checks** come before the book, the book's own behind them, both in a fixed order, which is the same for new orders
//!   and for amendments: see [`Reason`]. What passes is
//!   `accepted` first, even if it is cancelled at once (`ioc`, `fok`, a market order, self-trade prevention).
//! - **Order of what is said** about a match: the resting order's change, then the one of the order that came; in an
//!   auction the buyer's, then the seller's. What ends several orders at once ends them by priority.
//! - **Market orders** and stops have no limit: a price given with them is not looked at. They never rest; only while
//!   orders gather, market orders wait too. In continuous trading they trade no further than the instrument's price band
//!   around the last price of the moment at which they enter (a stop: the price that triggered it); their own trades do not
//!   move it. What is left is cancelled (`price_band`). An `fok` order that could be filled only beyond it is killed. In an
//!   uncrossing the one price is their limit.
//! - **The owner** of an order is who stood behind its account when it came; a group that is formed later does not reach
//!   orders that rest already.
//! - **While orders gather** (`pre_open`, `auction`), `ioc` and `fok` are refused (`wrong_phase`), and so is a post-only
//!   order that would cross what is there. Whatever gathered uncrosses on the way to `continuous` or `closed`, even if a
//!   halt came in between. In `halted` only cancels are obeyed; in `closed` amendments are refused like new orders.
//! - **A refused amendment** leaves the order as it was. An amended order that loses its place comes as if it were new.
//! - **An amendment's quantity** is the whole, with what was filled. What self-trade prevention took away is no longer a
//!   part of it.

mod auction;
mod band;
mod book;
mod checks;
mod command;
mod config;
mod crossing;
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
pub use order::{Order, Standing, Terms};
pub use reason::Reason;
pub use report::{Change, Match, Party, Reports};
pub use resting::TermsOf;
pub use state::{BookTables, SavedBooks, SymbolBook};
pub use view::Matching;

#[cfg(test)]
mod tests;
