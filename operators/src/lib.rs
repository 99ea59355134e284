//! Operators: what becomes of placed events, from admission to alerts. No files, no brokers and no wall clock.
//!
//! An operator is one of two things, and each answers the same question: what do the rows become?
//!
//! - A **keyed fold** ([`keyed_fold`]), where the order of events decides: a book, an average cost, an alert that stands.
//!   Events meet their key's state in the order of their places, once the frontier has passed them.
//! - **Dense** ([`valuation::dense`]), where a change touches much at once: all positions of a symbol, all sums and scenarios of
//!   a scope. It takes the changes of a grid point in one batch and walks its own arrays.
//!
//! In both, rows are a function of what the topics hold: not of arrival, number of workers or tick size. Rows go from the
//! operator to the writers of its tables ([`headwater_schemas::tables::TableSet`]). A fold's state is restored from the rows that
//! it has emitted; what its other tables do not hold anyway it emits as rows of a checkpoint table. `operators/README.md` tells
//! how a view is added.
//!
//! All of them, by the name that metrics show, as the pipeline wires them:
//!
//! | operator | input | key | output rows | state, and for how long |
//! |---|---|---|---|---|
//! | `admission`: [`admission::Admission`] | events with an identity | identity | `admitted`; derives each event once | digests, for the horizon; of transactions for the reversal horizon, of accounts for ever |
//! | `order books`: [`matching::Matching`] | orders; reference data | symbol | `order_events`, `executions`, `open_orders`, `top_of_book`, `book_states`; derives executions | orders until they end; phase, last price, sequences for ever |
//! | `positions`: [`positions::Positions`] | executions, fills; instruments | account | `position_bases`, `position_trades`, `pending_busts`; updates [`positions::HoldingSums`], on the grid | sums per symbol for ever; trades since the first outside fill within the horizon; busts whose fills have not come, for the horizon |
//! | `returns`: [`ledger::Returns`] | transactions with another account, reversals | account | `received_transfers`; derives each transaction with its owner | who sent what, for the reversal horizon |
//! | `postings`: [`ledger::Postings`] | transactions; accounts | account | `ledger_entries`, `posted_transactions`, `waiting_transactions`; derives postings, and what was taken back or restored | holds until they are resolved, then, like posted ones, for the reversal horizon; what came before the transaction that it names, for the horizon |
//! | `balances`: [`ledger::Balances`] | postings, accounts | account | `balances`; updates [`ledger::Cash`] | two sums per currency, for ever |
//! | `fraud`: [`fraud::Fraud`] | transactions, what was taken back; accounts, customers | account | `decisions`, `alerts`, `fraud_events` | events and decisions, for the horizon and the longest window |
//! | `reference records`: [`latest::Latest`] | instruments, customers, limits, accounts | topic, key | `reference_records`, on the grid | the latest record, of accounts each, for ever |
//! | `account terms`: [`latest::Latest`] | accounts | account | `account_terms`, on the grid | the latest record, for ever |
//! | `instrument terms`: [`latest::Latest`] | instruments | symbol | `instrument_terms`, on the grid | the latest record, for ever |
//! | `rates`: [`latest::Latest`] | exchange rates | pair of currencies | `last_rates`, on the grid | the latest record, for ever |
//! | `closes`: [`latest::Latest`] | closes | symbol, date | `closing_prices`, on the grid | the latest record, for ever |
//! | `marks`: [`valuation::Marks`] | quotes, trades, closes | symbol | `marks`; updates [`valuation::Mark`], on the grid | last mid, trade and close, for ever |
//! | `valuer`: [`valuation::dense`] | on the grid: holdings, balances, terms, rates, closes, marks; limits | none: a worker's accounts, all of the market | `holdings`; parts of scopes, values of positions for limits | what is known now; closes within the risk window |
//! | `scopes`: [`valuation::dense`] | parts of scopes; limits | scope | `portfolios`, `portfolio_peaks`, `risk`; figures for limits | sums, weights and scenario P&L as they are now; peak and greatest drawdown, for ever |
//! | `limits`: [`valuation::ExposureLimits`] | measures; limits | scope, kind; symbol for a position | `alerts`, `limit_alerts` | the alert that stands, until it is cleared |
//!
//! [`reference`](mod@reference) is what views look up: instruments, accounts, customers, limits. [`testing`] runs a view on
//! a list of events, without a dataflow.
//!
//! Words:
//!
//! - **Place**: where an event stands among all: effective time, topic, partition, offset. **Effective time**: what the
//!   partition's clock said once the event was read.
//! - **Tick**: effective time over the tick interval. **Frontier**: the first tick that something may still be said about.
//! - **Grid point**: a multiple of the valuation interval in event time. It sees what lies strictly before it, and what is
//!   valued at it belongs to the last tick before it.
//! - **Horizon**: how late an event may be, and how long it can be taken back.
//! - **Correction**: an event that changes what was said before it: a bust, a reversal, a void, what came late. The reason of a
//!   change in a history.
//! - **Fill**: a trade of an account on another venue. **Execution**: one side of a match on our own book. **Bust**: a fill
//!   that is taken back.
//! - **Notional**: price × quantity × multiplier. **Mark**: the price that a position is valued at.
//! - **Scope**: what is added up, `account:ID` or `book:PATH`. **Exposure**: the market values of a scope, gross by
//!   magnitude, net with their signs.
//! - **Scenario**: the returns of one day, put through the positions of now. **VaR**: the loss that is not exceeded with a
//!   confidence.

pub mod admission;
pub mod fraud;
pub mod keyed_fold;
pub mod latest;
pub mod ledger;
pub mod matching;
pub mod positions;
pub mod reference;
mod slab;
mod slot_index;
pub mod testing;
pub mod valuation;
