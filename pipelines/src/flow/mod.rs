//! The whole flow, from topics to committed tables.
//!
//! ```text
//!  source ─► admission ─┬─► trading: order book ─► executions ─┐
//!     │      (each once)├─► fills ────────────────────────────┴─► positions ─┐
//!     │                 ├─► ledger: legs ─► balances ────────────────────────┼─► valuation ─► portfolios, risk, alerts
//!     │                 │      └─ what was taken back ─┐                     │
//!     │                 └─► fraud: scores ─────────────┴─► decisions, alerts │
//!     ├─► market data: marks, rates, closes ────────────────────────────────┘
//!     ├─► reference: instruments, customers, limits, accounts (to every worker)
//!     └─► dead letters, remap
//!
//!  every row ─► tables ─► commit (one tick closes all tables)
//! ```
//!
//! What was corrected (a bust, a reversal, what came late) goes along beside the rows that it changes, and is their reason in
//! histories.
//!
//! One file per part, each a function from streams to streams. What a part commits goes into [`sinks::Sinks`].

mod admission;
pub mod eager;
mod fraud;
mod grid;
mod latest;
mod ledger;
mod limits;
mod market;
mod reference;
mod sinks;
mod trading;
mod valuation;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use headwater_connectors::parquet::commit::{CommitSettings, commit};
use headwater_connectors::source::{SourceProgress, SourceSettings, source};
use headwater_operators::fraud::Pack;
use headwater_operators::keyed_fold::{Before, Persistent, Share};
use headwater_operators::matching::MatchingConfig;
use headwater_operators::valuation::{GridChange, LimitDefaults, RiskSettings};
use headwater_schemas::events::Event;
use headwater_schemas::{Id, Placed, Topic};
use timely::dataflow::operators::core::feedback::{ConnectLoop, Feedback};
use timely::dataflow::operators::vec::Filter;
use timely::dataflow::operators::vec::{Broadcast, Map};
use timely::dataflow::{Scope, StreamVec};

use crate::horizons::Horizons;
use crate::remembered::Remembered;
use sinks::Sinks;

/// Events of a topic on their way.
type Events<'scope> = StreamVec<'scope, u64, Placed<Event>>;

/// Changes at grid points on their way.
type Grid<'scope, D> = StreamVec<'scope, u64, GridChange<D>>;

/// What the flow needs to know.
#[derive(Clone)]
pub struct FlowSettings {
    /// Where events come from.
    pub source: SourceSettings,
    /// How they are committed.
    pub commit: CommitSettings,
    /// How late events may be.
    pub horizons: Horizons,
    /// How much later than it happened an event may count without being called late, in nanoseconds.
    pub late_after: u64,
    /// How long a posted transaction can be reversed, in nanoseconds.
    pub reversal_horizon: u64,
    /// The currency that books are valued in.
    pub base_currency: Id,
    /// How risk is estimated.
    pub risk: RiskSettings,
    /// Limits for what has none of its own.
    pub limits: LimitDefaults,
    /// How orders are matched.
    pub matching: MatchingConfig,
    /// The rules that transactions are scored by.
    pub fraud: Arc<Pack>,
    /// Counts events that came again.
    pub duplicates: Arc<AtomicU64>,
    /// What is published before its commit, if anything is.
    pub eager: Option<eager::EagerSettings>,
    /// What was remembered at the last commit.
    pub remembered: Arc<Remembered>,
}

impl FlowSettings {
    const fn tick_interval(&self) -> u64 {
        self.source.tick_interval
    }

    /// Ticks between grid points.
    const fn grid_ticks(&self) -> u64 {
        self.source.grid_ticks
    }

    /// A worker's share of what was remembered.
    fn share(&self, scope: Scope<'_, u64>) -> Share {
        let not_before = self.source.start_tick.saturating_mul(self.source.tick_interval);
        Share { worker: scope.index(), workers: scope.peers(), not_before }
    }

    /// Where a view goes on that has no broadcasts.
    fn before<V: Persistent<Broadcast = ()>>(&self, scope: Scope<'_, u64>, view: &V, saved: &V::Saved) -> Before<V>
    where
        V::Saved: Clone,
    {
        Before::of(view, saved.clone(), Vec::new(), self.share(scope))
    }

    /// Where a view goes on that reference data is broadcast to.
    fn before_with_reference<V: Persistent<Broadcast = Event>>(&self, scope: Scope<'_, u64>, view: &V, saved: &V::Saved) -> Before<V>
    where
        V::Saved: Clone,
    {
        Before::of(view, saved.clone(), self.remembered.reference_events.clone(), self.share(scope))
    }
}

/// The streams of all topics.
struct Topics<'scope> {
    scope: Scope<'scope, u64>,
    streams: BTreeMap<Topic, Events<'scope>>,
}

impl<'scope> Topics<'scope> {
    /// The events of a topic. A topic is taken once; what several parts read is shared by them.
    fn take(&mut self, topic: Topic) -> Events<'scope> {
        self.streams.remove(&topic).unwrap_or_else(|| timely::dataflow::operators::generic::operator::empty(self.scope))
    }
}

/// Builds the flow of one worker.
pub fn build(scope: Scope<'_, u64>, settings: &FlowSettings) {
    let (frontier_handle, frontier) = scope.feedback::<Vec<()>>(0);
    let progress = SourceProgress::default();
    let source = source(scope, settings.source.clone(), frontier, progress.clone());
    let ends = end_of_time(source.ends.broadcast(), settings);
    let mut topics = Topics { scope, streams: source.events };
    let remap = source.remap.clone();
    let mut sinks = Sinks::new(source.dead_letters, source.remap, source.audit, Arc::clone(&settings.source.counters));

    let admitted = admission::admit(&mut topics, ends.clone(), settings, &mut sinks);
    let reference = reference::reference(&mut topics, admitted.accounts.clone(), ends.clone(), settings, &mut sinks);
    let executions = trading::matching(admitted.orders, reference.clone(), ends.clone(), settings, &mut sinks);
    let holdings = trading::positions(executions.clone(), admitted.fills, reference.clone(), ends.clone(), settings, &mut sinks);
    let posted = ledger::postings(admitted.transactions.clone(), ends.clone(), settings, &mut sinks);
    let balances = ledger::balances(posted.postings, reference.clone(), ends.clone(), settings, &mut sinks);
    let scores = fraud::scores(admitted.transactions, posted.taken_back, reference.clone(), ends.clone(), settings, &mut sinks);
    if let Some(settings) = settings.eager.clone() {
        eager::eager(executions, scores, remap, progress.clone(), settings);
    }
    let market = valuation::Market { holdings, balances, accounts: admitted.accounts, reference };
    valuation::valuation(&mut topics, market, ends.clone(), settings, &mut sinks);

    let (tables, done) = sinks.finish(scope);
    done.clone().filter(|_| false).map(|_| ()).connect_loop(frontier_handle);
    commit(scope, settings.commit.clone(), tables, progress, done, ends);
}

/// Time ends at the grid point behind the greatest clock: what is due before it, still happens. So nothing below the end of
/// the last commit is left to a later run.
fn end_of_time<'scope>(ends: StreamVec<'scope, u64, u64>, settings: &FlowSettings) -> StreamVec<'scope, u64, u64> {
    let interval = settings.grid_ticks().saturating_mul(settings.tick_interval());
    ends.map(move |clock| (clock / interval + 1).saturating_mul(interval) - 1)
}
