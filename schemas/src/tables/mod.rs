//! Tables: one row type each, from which the Arrow schema, the writer and the reader are derived.
//!
//! | table | row | kind |
//! |---|---|---|
//! | `executions` | [`Execution`] | append |
//! | `order_events` | [`OrderEvent`] | append |
//! | `open_orders` | [`OpenOrder`] | state |
//! | `top_of_book` | [`TopOfBook`] | state |
//! | `book_states` | [`BookState`] | checkpoint |
//! | `holdings` | [`Holding`] | state |
//! | `lots` | [`OpenLot`] | state |
//! | `position_bases` | [`HoldingState`] | checkpoint |
//! | `position_trades` | [`HeldTrade`] | checkpoint |
//! | `pending_busts` | [`PendingBust`] | checkpoint |
//! | `portfolios` | [`Portfolio`] | state |
//! | `paid_in` | [`PaidIn`] | checkpoint |
//! | `portfolio_peaks` | [`DrawdownState`] | checkpoint |
//! | `risk` | [`Risk`] | state |
//! | `risk_gaps` | [`RiskGap`] | checkpoint |
//! | `stress` | [`StressResult`] | state |
//! | `limit_alerts` | [`LimitAlertState`] | checkpoint |
//! | `balances` | [`Balance`] | state |
//! | `ledger_entries` | [`LedgerEntry`] | append |
//! | `posted_transactions` | [`PostedTransaction`] | checkpoint |
//! | `received_transfers` | [`ReceivedTransfer`] | checkpoint |
//! | `waiting_transactions` | [`WaitingTransaction`] | checkpoint |
//! | `limited_debits` | [`LimitedDebit`] | checkpoint |
//! | `interest_accruals` | [`InterestAccrual`] | state |
//! | `interest_states` | [`InterestState`] | checkpoint |
//! | `interest_points` | [`InterestPoint`] | checkpoint |
//! | `ledger_alerts` | [`LedgerAlertState`] | checkpoint |
//! | `transfers_state` | [`TransferProgress`] | state |
//! | `payments_state` | [`PaymentProgress`] | state |
//! | `transfer_steps` | [`TransferStepTaken`] | checkpoint |
//! | `payment_steps` | [`PaymentStepTaken`] | checkpoint |
//! | `payment_postings` | [`PaymentPosting`] | checkpoint |
//! | `step_alerts` | [`StepAlert`] | checkpoint |
//! | `decisions` | [`Decision`] | state |
//! | `labels` | [`Labelled`] | state |
//! | `rule_versions` | [`RuleVersion`] | state |
//! | `rule_events` | [`RememberedEvent`] | checkpoint |
//! | `rule_outcomes` | [`RuleOutcome`] | checkpoint |
//! | `rule_alerts` | [`RuleAlert`] | checkpoint |
//! | `round_trip_transfers` | [`RoundTripTransfer`] | checkpoint |
//! | `round_trips` | [`RoundTrip`] | checkpoint |
//! | `alerts` | [`Alert`] | state |
//! | `suppressions` | [`AlertSuppression`] | state |
//! | `account_retentions` | [`AccountRetention`] | checkpoint |
//! | `surveillance_events` | [`WatchedEvent`] | checkpoint |
//! | `surveillance_counts` | [`OrderCounts`] | checkpoint |
//! | `surveillance_volumes` | [`MarketVolume`] | checkpoint |
//! | `surveillance_order_values` | [`OrderValue`] | checkpoint |
//! | `surveillance_traded` | [`TradedVolume`] | checkpoint |
//! | `surveillance_fills` | [`CountedFill`] | checkpoint |
//! | `surveillance_quotes` | [`LastQuote`] | checkpoint |
//! | `surveillance_alerts` | [`SurveillanceAlert`] | checkpoint |
//! | `spending` | [`Spending`] | state |
//! | `spending_days` | [`SpendingDay`] | checkpoint |
//! | `customer_budgets` | [`CustomerBudget`] | checkpoint |
//! | `spending_alerts` | [`SpendingAlert`] | checkpoint |
//! | `labelled_purchases` | [`LabelledPurchase`] | checkpoint |
//! | `waiting_purchases` | [`WaitingPurchase`] | checkpoint |
//! | `notifications` | [`Notification`] | state |
//! | `customer_notices` | [`CustomerNotice`] | checkpoint |
//! | `price_watches` | [`PriceWatch`] | checkpoint |
//! | `marks` | [`MarkPrice`] | state |
//! | `last_rates` | [`LastRate`] | checkpoint |
//! | `closing_prices` | [`ClosingPrice`] | checkpoint |
//! | `instrument_terms` | [`InstrumentTerms`] | state |
//! | `account_terms` | [`AccountTerms`] | checkpoint |
//! | `account_owners` | [`AccountOwner`] | state |
//! | `customer_groups` | [`CustomerGroup`] | state |
//! | `reference_records` | [`ReferenceRecord`] | checkpoint |
//! | `admitted` | [`Admitted`] | checkpoint |
//! | `audit` | [`Audit`] | journal |
//! | `dead_letters` | [`DeadLetter`] | append |
//! | `remap` | [`Remap`] | append |
//!
//! A commit adds `commit_id` to every row, and `change`, `tick` and `reason` to the rows of histories. `commits` itself is not
//! written as Parquet: the catalog reads it from the commit records.

mod catalog;
pub(crate) mod cell;
mod change;
mod changes;
mod customers;
mod decisions;
mod event_schema;
mod ledger;
mod market;
mod owners;
mod positions;
mod retention;
mod risk;
mod row;
mod rules;
mod set;
mod steps;
mod suppressions;
mod surveillance;
mod system;
mod trading;
mod words;

pub use catalog::*;
pub use cell::{Cell, CellError, Column, Room};
pub use change::{Change, Moment, TableWriter};
pub use changes::Changes;
pub(crate) use event_schema::ID_DOC;
pub use event_schema::{EventSchemaError, event_schema};
pub(crate) use row::tables;
pub use row::{Declaration, TableKind, TableRow, TableSpec};
pub use set::{TableReader, TableRegistry, TableSet};
pub use words::*;
