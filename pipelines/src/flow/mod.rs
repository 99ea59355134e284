//! The complete dataflow, from topics to committed tables.
//!
//! ```text
//!  source ─► admission ─┬─► trading: order book ─► executions ─┐
//!     │      (each once)├─► fills ────────────────────────────┴─► positions ─┐
//!     │                 ├─► ledger: legs ─► balances ────────────────────────┼─► valuation ─► portfolios, risk, alerts
//!     │                 │      └─ what was posted, ─────┐                     │
//!     │                 ├─► payments, access ──┐└─► or taken back ─► rules ─► decisions, alerts
//!     │                 └─► transfers, payments ◄──┴─► their states, alerts
//!     │                 │     labels, budgets ─► customers: purchases ─► spending, alerts, notifications
//!     ├─► market data: marks, rates, closes ────────────────────────────────┘
//!     │      └─ each change of a mark, watched prices ─► customers: price alerts, notifications
//!     │      └─ trades, quotes; events of order books; fills ─► surveillance ─► alerts
//!     ├─► versions of rule packs ─► when the rules change
//!     ├─► reference: instruments, customers, limits, accounts (to every worker)
//!     ├─► suppressions (to notifications; the outbox reads their table)
//!     └─► dead letters, remap
//!
//!  every row ─► tables ─► commit (one tick closes all tables)
//! ```
//!
//! Corrections (a bust, a reversal, a late event) accompany the rows that they change, and are their reason in histories.
//!
//! One file per part, each a function from streams to streams. [`wiring::Flow::fold`] turns a view into an operator, with its
//! tables, its restored state and its dead letters.

mod admission;
mod bank;
mod customers;
pub mod eager;
mod latest;
mod ledger;
mod market;
mod reference;
mod rules;
mod suppressions;
mod surveillance;
mod trading;
mod valuation;
mod wiring;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use headwater_connectors::parquet::commit::{CommitSettings, commit};
use headwater_connectors::source::{SourceProgress, SourceSettings, source};
use headwater_operators::rules::{Coverages, Pack};
use headwater_operators::valuation::GridChange;
use headwater_schemas::events::Event;
use headwater_schemas::privacy::Tokens;
use headwater_schemas::tables::Remap;
use headwater_schemas::{EventTime, Id, Placed, Tick, Topic};
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::core::feedback::{ConnectLoop, Feedback};
use timely::dataflow::operators::generic::operator::empty;
use timely::dataflow::operators::vec::Filter;
use timely::dataflow::operators::vec::{Broadcast, Map};
use timely::dataflow::{Scope, StreamVec};

use crate::config::Config;
use crate::saved::SavedTables;
use wiring::Flow;

/// Stream of a topic's events.
type Events<'scope> = StreamVec<'scope, Tick, Placed<Event>>;

/// Stream of changes at grid points.
type Grid<'scope, D> = StreamVec<'scope, Tick, GridChange<D>>;

/// Settings of the dataflow.
#[derive(Clone)]
pub struct FlowSettings {
    /// Settings of the source.
    pub source: SourceSettings,
    /// Settings of commits.
    pub commit: CommitSettings,
    /// The configuration: each view reads its own part.
    pub config: Arc<Config>,
    /// The rules.
    pub packs: Vec<Arc<Pack>>,
    /// The events that packs judged, where these are not all.
    pub coverages: Coverages,
    /// What is written in place of personal values.
    pub tokens: Option<Arc<Tokens>>,
    /// When the windows of packs that take effect at the beginning are complete.
    pub counts_from: BTreeMap<Id, EventTime>,
    /// Counts deduplicated events.
    pub duplicates: Arc<AtomicU64>,
    /// Settings of early publication, if any table is published early.
    pub eager: Option<eager::EagerSettings>,
    /// The state at the last commit.
    pub saved: Arc<SavedTables>,
}

/// Builds the dataflow of one worker. Fails if the state at the last commit cannot be restored.
pub fn build(scope: Scope<'_, Tick>, settings: &FlowSettings) -> anyhow::Result<()> {
    let (frontier_handle, frontier) = scope.feedback::<Vec<()>>(0);
    let progress = SourceProgress::default();
    let source = source(scope, settings.source.clone(), frontier, progress.clone());
    let ends = source.ends.broadcast();
    let mut flow = Flow::new(scope, settings, source.events, ends);
    let remap = source.remap.clone();
    flow.write(source.remap);
    flow.write(source.audit);
    let reject = flow.reject();
    flow.write_with("write dead letters", source.dead_letters, move |at, letter| reject(at, letter));
    let (cuts, versions) = match rules::versions(&mut flow) {
        Ok(cuts) => (cuts, Ok(())),
        Err(error) => (empty(scope), Err(error)),
    };
    let views = versions.and_then(|()| views(&mut flow, remap, cuts.clone(), &progress));

    // Also for a dataflow whose construction failed: timely drops only dataflows with all their operators.
    let ends = flow.ends.clone();
    let (tables, done, restores) = flow.finish();
    done.clone().filter(|_| false).map(|_| ()).connect_loop(frontier_handle);
    commit(scope, settings.commit.clone(), tables, progress, done, ends, cuts);
    settings.saved.all_requested();
    let restored = views.and_then(|()| restores.restore(&settings.saved));
    settings.saved.all_taken();
    restored
}

/// Adds every view; each reads streams of earlier ones.
fn views<'scope>(
    flow: &mut Flow<'scope, '_>,
    remap: StreamVec<'scope, Tick, (Remap, Tick, isize)>,
    cuts: StreamVec<'scope, Tick, Tick>,
    progress: &SourceProgress,
) -> anyhow::Result<()> {
    let admitted = admission::admit(flow)?;
    let reference = reference::reference(flow, admitted.accounts.clone())?;
    let books = trading::matching(flow, admitted.orders, reference.clone())?;
    let executions = trading::executions(books.derived.clone());
    let held = trading::positions(flow, executions.clone(), admitted.fills)?;
    let watchlists = flow.take(Topic::Watchlists);
    let prices = market::prices(flow, executions, watchlists.clone())?;
    let watched = surveillance::Watched {
        books: books.derived,
        trades: prices.trades,
        fills: held.fills,
        marks: prices.data.marks.clone(),
        reference: reference.clone(),
    };
    surveillance::surveillance(flow, watched)?;
    let posted = ledger::postings(flow, admitted.transactions, admitted.returnable, reference.clone())?;
    let cash = ledger::balances(flow, posted.postings, admitted.accounts.clone(), reference.clone())?;
    bank::transfers(flow, admitted.transfers)?;
    let paid = bank::payments(flow, admitted.payments, posted.settled)?;
    bank::round_trips(flow, posted.happened.clone())?;
    bank::retention(flow, admitted.accounts.clone())?;
    let labels = flow.take(Topic::Labels);
    rules::labels(flow, labels.clone())?;
    let rates = flow.take(Topic::FxRates);
    let known = rules::Known { rates: rates.clone(), reference: reference.clone() };
    let judgements = rules::judgements(flow, posted.happened.concat(paid), known)?;
    let (accounts, people) = (admitted.accounts.clone(), reference.clone());
    if let Some(settings) = flow.settings.eager.clone() {
        eager::eager(flow, eager::Signals { done: [books.done, judgements.done], remap, cuts }, progress.clone(), settings);
    }
    let market = valuation::Market { holdings: held.holdings, cash, accounts: admitted.accounts, prices: prices.data, rates, reference };
    valuation::valuation(flow, market)?;
    let price_notices = customers::price_alerts(flow, prices.watched, watchlists)?;
    let notices = customers::spending(flow, posted.spent, accounts, labels, people.clone())?;
    let notices = notices.concat(price_notices).concat(judgements.notices);
    let suppressed = suppressions::suppressions(flow)?;
    customers::notifications(flow, notices, people.and(&suppressed))
}
