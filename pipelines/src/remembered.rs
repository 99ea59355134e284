//! What operators remembered at the last commit: their tables, read back.
//!
//! State is tables. Every operator commits all that decides a later answer, as rows of state tables and checkpoints; a
//! restart reads the current rows and goes on, however long the history behind them is. [`crate::flow`] hands each worker
//! its share.

use std::collections::BTreeMap;

use anyhow::Context;
use headwater_connectors::parquet::chain::Chain;
use headwater_connectors::parquet::file::FileError;
use headwater_connectors::parquet::reader::current_rows;
use headwater_operators::matching::SavedBooks;
use headwater_schemas::events::Event;
use headwater_schemas::tables::{
    AccountTerms, Admitted, Alert, Balance, ClosingPrice, DrawdownState, HeldTrade, HoldingState, InstrumentTerms, LastPrice, LastRate,
    LimitAlertState, Portfolio, Position, PostedTransaction, ReferenceRecord, Risk, ScoredEvent, TableRow,
};
use headwater_schemas::{Place, Placed, Topic};

/// The current rows of every table that an operator goes on from, of all workers.
#[derive(Debug, Default)]
pub struct Remembered {
    /// Identities that are known.
    pub admitted: Vec<Admitted>,
    /// Order books.
    pub books: SavedBooks,
    /// What positions are made of.
    pub positions: (Vec<HoldingState>, Vec<HeldTrade>),
    /// Positions as they were valued.
    pub valued: Vec<Position>,
    /// Balances.
    pub balances: Vec<Balance>,
    /// Transactions that can be resolved or reversed.
    pub posted: Vec<PostedTransaction>,
    /// Transactions within the windows of the fraud rules.
    pub fraud: Vec<ScoredEvent>,
    /// Portfolios and the peaks of their equity.
    pub portfolios: (Vec<Portfolio>, Vec<DrawdownState>),
    /// Risk.
    pub risk: Vec<Risk>,
    /// Limit alerts that stand.
    pub limits: Vec<(LimitAlertState, Alert)>,
    /// Last prices.
    pub prices: Vec<LastPrice>,
    /// Exchange rates.
    pub rates: Vec<LastRate>,
    /// Closing prices.
    pub closes: Vec<ClosingPrice>,
    /// What positions are valued by.
    pub instruments: Vec<InstrumentTerms>,
    /// Where accounts belong.
    pub accounts: Vec<AccountTerms>,
    /// Records of reference data.
    pub reference: Vec<ReferenceRecord>,
    /// The same as events, in their order.
    pub reference_events: Vec<Placed<Event>>,
}

impl Remembered {
    /// Reads everything at the end of a chain, a few tables at a time.
    pub fn read(chain: &Chain) -> anyhow::Result<Self> {
        let mut all = Self::default();
        let mut alerts: Vec<Alert> = Vec::new();
        let mut standing: Vec<LimitAlertState> = Vec::new();
        std::thread::scope(|scope| {
            let mut readers: Vec<Reading<'_>> = vec![
                reading(scope, chain, &mut all.admitted),
                reading(scope, chain, &mut all.books.books),
                reading(scope, chain, &mut all.books.orders),
                reading(scope, chain, &mut all.books.tops),
                reading(scope, chain, &mut all.positions.0),
                reading(scope, chain, &mut all.positions.1),
                reading(scope, chain, &mut all.valued),
                reading(scope, chain, &mut all.balances),
                reading(scope, chain, &mut all.posted),
                reading(scope, chain, &mut all.fraud),
                reading(scope, chain, &mut all.portfolios.0),
                reading(scope, chain, &mut all.portfolios.1),
                reading(scope, chain, &mut all.risk),
                reading(scope, chain, &mut standing),
                reading(scope, chain, &mut alerts),
                reading(scope, chain, &mut all.prices),
                reading(scope, chain, &mut all.rates),
                reading(scope, chain, &mut all.closes),
                reading(scope, chain, &mut all.instruments),
                reading(scope, chain, &mut all.accounts),
                reading(scope, chain, &mut all.reference),
            ];
            readers.drain(..).try_for_each(|reader| match reader.join() {
                Ok(read) => read.map_err(anyhow::Error::from),
                Err(_) => anyhow::bail!("reading a table back ended in a panic: please report it with the data directory"),
            })
        })?;
        all.limits = with_alerts(standing, alerts)?;
        all.reference_events = events(&all.reference)?;
        Ok(all)
    }
}

type Reading<'scope> = std::thread::ScopedJoinHandle<'scope, Result<(), FileError>>;

fn reading<'scope, 'env, R: TableRow>(
    scope: &'scope std::thread::Scope<'scope, 'env>,
    chain: &'env Chain,
    into: &'env mut Vec<R>,
) -> Reading<'scope> {
    scope.spawn(move || {
        *into = current_rows(chain)?;
        Ok(())
    })
}

fn with_alerts(standing: Vec<LimitAlertState>, alerts: Vec<Alert>) -> anyhow::Result<Vec<(LimitAlertState, Alert)>> {
    let mut alerts: BTreeMap<_, _> = alerts.into_iter().map(|alert| (alert.alert_id.clone(), alert)).collect();
    let with_alert = |state: LimitAlertState| {
        let alert = alerts.remove(&state.alert_id);
        let alert = alert.with_context(|| format!("table alerts has no row {} that limit_alerts names", state.alert_id))?;
        Ok((state, alert))
    };
    standing.into_iter().map(with_alert).collect()
}

/// The records as the events that they were, in the order in which they came.
fn events(records: &[ReferenceRecord]) -> anyhow::Result<Vec<Placed<Event>>> {
    let event = |record: &ReferenceRecord| {
        let topic = Topic::from_word(&record.topic).with_context(|| format!("reference_records: {:?} is no topic", record.topic))?;
        let event = Event::decode(topic, Some(record.key.as_bytes()), Some(record.value.as_bytes()))
            .map_err(|bad| anyhow::anyhow!("reference_records: {} {}: {}", record.topic, record.key, bad.message))?;
        let partition = u16::try_from(record.partition).unwrap_or(u16::MAX);
        Ok(Placed { place: Place::of_record(record.ts.effective(), topic, partition, record.offset), event })
    };
    let mut events = records.iter().map(event).collect::<anyhow::Result<Vec<_>>>()?;
    events.sort_by_key(|event| event.place);
    Ok(events)
}
