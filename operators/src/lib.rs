//! Operators: compute tables from placed events, from admission to alerts. They use no files, no brokers and no wall clock.
//!
//! There are two kinds:
//!
//! - A **keyed fold** ([`keyed_fold`]), where the order of events matters: a book, an average cost, a standing alert. Events are
//!   applied to their key's state in the order of their places, once the frontier has passed them.
//! - **Dense** ([`valuation::dense`]), where a change affects much at once: all positions of a symbol, all sums and scenarios of
//!   a scope. It takes the changes of a grid point in one batch and iterates over its own arrays.
//!
//! In both, rows are a function of the topics alone: not of arrival order, number of workers or tick size. Operators pass rows to
//! the writers of their tables ([`headwater_schemas::tables::TableSet`]). A fold's state is restored from the rows that it has
//! emitted; state that no other table holds is emitted as rows of a checkpoint table. `operators/README.md` explains how to add a
//! view.
//!
//! All operators, by their name in metrics, in the order in which the pipeline connects them:
//!
//! | operator | input | key | output rows | state, and for how long |
//! |---|---|---|---|---|
//! | `admission`: [`admission::Admission`] | events with an identity | identity | `admitted`; derives each event once | digests, for the horizon; those of transactions for the reversal horizon, those of accounts for ever |
//! | `order books`: [`matching::Matching`] | orders; reference data | symbol | `order_events`, `executions`, `open_orders`, `top_of_book`, `book_states`; derives executions, messages with their results, phases | orders until they end; phase, last price, sequences for ever |
//! | `positions`: [`positions::Positions`] | executions, fills; instruments | account | `lots`, `position_bases`, `position_trades`, `pending_busts`; derives counted and busted fills; updates [`positions::HoldingSums`], on the grid | sums per symbol for ever, with lots each open one; trades since the first outside fill within the horizon; busts whose fills have not arrived, for the horizon |
//! | `returns`: [`ledger::Returns`] | transactions with another account, reversals | account | `received_transfers`; derives each transaction with its owner | senders of received transfers, and captures that name no counterparty, for the reversal horizon |
//! | `postings`: [`ledger::Postings`] | transactions; accounts; with enforcement customers and limits, too | account; none with enforcement | `ledger_entries`, `posted_transactions`, `waiting_transactions`, `limited_debits`, `alerts`; derives postings, and transactions taken back or restored | holds until they are resolved, then, like posted ones, for the reversal horizon; transactions that arrived before the one that they refer to, for the horizon |
//! | `balances`: [`ledger::Balances`] | postings, accounts | account | `balances`, `alerts`, `ledger_alerts`, `interest_accruals`, `interest_states`, `interest_points`, `ledger_entries`; updates [`ledger::Cash`], derives legs of interest | two sums per currency, for ever; alerts while they stand; days of interest until they are posted |
//! | `owners`: [`rules::Owners`] | accepted transactions; accounts | account | derives each with its customer; of changes of earlier ones, with every customer who owned the account | former owners, for ever; customers whose groups remembered events at the last restart |
//! | `rules SUBJECT`: [`rules::Rules`] | accepted transactions, those taken back; payments, accesses; accounts, customers, limits | what the packs group by | `decisions`, `alerts`, `rule_events`, `rule_outcomes`, `rule_alerts`; derives notices of what is blocked | events, decisions and alerts, for the horizon and the longest window |
//! | `retention`: [`retention::Retention`] | accounts | account | `alerts`, `account_retentions` | whether an account is closed, for ever |
//! | `suppressions`: [`suppressions::Suppressions`] | suppressions | rule and subject | `suppressions` | the newest record, until it is deleted |
//! | `rule versions`: [`rule_versions::RuleVersions`] | proposals of rule packs and decisions about them | pack | `rule_versions`; derives when an approved version takes effect | versions, for ever |
//! | `round trips`: [`round_trips::RoundTrips`] | accepted transactions between two accounts, those taken back | currency | `alerts`, `round_trip_transfers`, `round_trips` | transfers and trips, for the horizon and the window of a trip |
//! | `surveillance of books`: [`surveillance::BookSurveillance`] | what books derive; trades of the market; counted and busted fills; accounts, customers, instruments | symbol | `surveillance_events`, `surveillance_counts`, `surveillance_volumes`, `surveillance_fills`, `surveillance_alerts`, `alerts`, on the grid; derives accepted orders and trades | events and sums within the windows, counts of the day, what the fills of each account count as while they can be busted, alerts while they can change |
//! | `surveillance of traders`: [`surveillance::TraderSurveillance`] | accepted orders and trades | account or owner | `surveillance_order_values`, `surveillance_traded`, `surveillance_alerts`, `alerts`, on the grid | the last 50 orders of an account, for ever; sums of a day while a fill of it can be busted |
//! | `stale feeds`: [`surveillance::StaleFeeds`] | times of quotes, on the grid; phases; instruments | none | `surveillance_quotes`, `surveillance_alerts`, `alerts` | the last quote's time of each symbol, for ever |
//! | `transfers`: [`transfers::Transfers`] | transfers | transfer | `transfers_state`, `alerts`, `transfer_steps`, `step_alerts` | steps and alerts of a transfer until it is over, then for the horizon |
//! | `payments`: [`payments::Payments`] | payments; what the ledger posted or took back | payment | `payments_state`, `alerts`, `payment_steps`, `payment_postings`, `step_alerts`; derives the first status of each payment | statuses and alerts of a payment until it is over, then for the horizon, of a completed one for the reversal horizon; debits of the ledger without a payment, for the horizon |
//! | `reference records`: [`latest::Latest`] | instruments, customers, limits, accounts | topic, key | `reference_records`, on the grid | the latest record, for accounts every record, for ever |
//! | `account owners`, `customer groups`: [`latest::Latest`] | accounts; customers | account; customer | `account_owners`; `customer_groups` | the latest record, for ever |
//! | `account terms`: [`latest::Latest`] | accounts | account | `account_terms`, on the grid | the latest record, for ever |
//! | `instrument terms`: [`latest::Latest`] | instruments | symbol | `instrument_terms`, on the grid | the latest record, for ever |
//! | `rates`: [`valuation::RateAges`] | exchange rates | pair of currencies | `last_rates`, on the grid | the latest record, for ever |
//! | `closes`: [`latest::Latest`] | closes | symbol, date | `closing_prices`, on the grid | the latest record, for ever |
//! | `marks`: [`valuation::Marks`] | quotes, trades, closes; watched symbols | symbol | `marks`; updates [`valuation::MarkUpdate`], on the grid; derives each change of a watched mark | last mid, trade and close, for ever |
//! | `valuer`: [`valuation::dense`] | on the grid: holdings, balances, terms, rates, closes, marks; limits | none: a worker's accounts, the whole market | `holdings`, `paid_in`; parts of scopes, values of positions for limits | current inputs; closes within the risk window; what was paid in in foreign currencies |
//! | `scopes`: [`valuation::dense`] | parts of scopes; limits | scope | `portfolios`, `portfolio_peaks`, `risk`; figures for limits | current sums, weights and scenario P&L; peak and maximum drawdown, for ever |
//! | `limits`: [`valuation::ExposureLimits`] | figures; limits | scope, kind; symbol for a position | `alerts`, `limit_alerts` | the standing alert, until it is cleared |
//! | `purchases`: [`customers::Purchases`] | accepted payments and withdrawals, what remains of them; accounts, customers | account | `waiting_purchases`; derives purchases | purchases of accounts that are not opened yet, for the reversal horizon |
//! | `labelled purchases`: [`customers::LabelledPurchases`] | purchases, labels | transaction | `labelled_purchases`; derives changes of spending | purchases, for the reversal horizon, also while they wait for their accounts; open holds until they are resolved |
//! | `spending`: [`customers::Spending`] | changes of spending, budgets; customers | customer | `spending`, `spending_days`, `customer_budgets`, `spending_alerts`, `alerts`; derives notices | sums of months, for ever; days of three months; alerts, for the reversal horizon |
//! | `notifications`: [`customers::Notifications`] | notices; customers, suppressions | customer | `notifications`, `customer_notices` | notices of the day, and those that wait for the end of quiet hours |
//! | `price alerts`: [`customers::PriceAlerts`] | changes of marks, watched prices | symbol | `alerts`, `price_watches`; derives notices | watched prices, until they are deleted |
//!
//! [`alerts`] has the lifecycle of alerts, and [`reference`](mod@reference) the data that views look up: instruments, accounts, customers, limits. [`testing`] runs a
//! view on a list of events, without a dataflow.
//!
//! Terms:
//!
//! - **Place**: the position of an event among all: effective time, topic, partition, offset. **Effective time**: the partition's
//!   clock after the event was read.
//! - **Tick**: effective time divided by the tick interval. **Frontier**: the first tick for which events may still arrive.
//! - **Grid point**: a multiple of the valuation interval in event time. It reflects the events strictly before it, and its rows
//!   belong to the last tick before it.
//! - **Horizon**: how late an event may be, and how long it can be taken back.
//! - **Correction**: an event that changes earlier results: a bust, a reversal, a void, a late event. It is the reason of a
//!   change in a history.
//! - **Fill**: a trade of an account on another venue. **Execution**: one side of a match on our own book. **Bust**: the
//!   cancellation of a fill.
//! - **Notional**: price × quantity × multiplier. **Mark**: the price at which a position is valued.
//! - **Scope**: what is aggregated, `account:ID` or `book:PATH`. **Exposure**: the market values of a scope, gross by magnitude,
//!   net with their signs.
//! - **Scenario**: the returns of one day, applied to the current positions. **VaR**: the loss that is not exceeded with a given
//!   confidence.

pub mod admission;
pub mod alerts;
pub mod customers;
pub mod keyed_fold;
pub mod latest;
pub mod ledger;
pub mod matching;
mod newest;
pub mod payments;
pub mod positions;
pub mod reference;
pub mod retention;
pub mod round_trips;
pub mod rule_versions;
pub mod rules;
mod slab;
mod slot_index;
mod small_map;
mod steps;
pub mod suppressions;
pub mod surveillance;
pub mod testing;
mod touched;
pub mod transfers;
pub mod valuation;
mod zones;
