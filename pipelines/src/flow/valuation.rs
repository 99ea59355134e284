//! Valuation: from positions and balances to portfolios, risk and limit alerts, on the event-time grid.

use headwater_operators::keyed_fold::{ByAccount, Pace, Updated};
use headwater_operators::ledger::Cash;
use headwater_operators::positions::HoldingSums;
use headwater_operators::valuation::dense::{
    HoldingTables, ScopeTables, ValuationBefore, ValuationInput, ValuationSettings, valuation as value,
};
use headwater_operators::valuation::{CorrectedPart, ExposureLimits, Known, Mark};
use headwater_schemas::events::{AccountEvent, Event};
use headwater_schemas::tables::{
    AccountTerms, Balance, ClosingPrice, Holding, InstrumentTerms, LastRate, MarkPrice, PaidIn, RiskGap, TableSet,
};
use headwater_schemas::{AccountId, Tick, Topic};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Concatenate;
use timely::dataflow::operators::vec::{Broadcast, Filter};

use super::Events;
use super::market::{
    PriceData, account_known, account_terms, close_known, instrument_known, known, known_corrected, market_data, rate_known,
};
use super::wiring::{Flow, Reference};

/// Inputs of the valuation.
pub(super) struct Market<'scope> {
    pub(super) holdings: ByAccount<StreamVec<'scope, Tick, Updated<HoldingSums>>>,
    pub(super) cash: ByAccount<StreamVec<'scope, Tick, Updated<Cash>>>,
    pub(super) accounts: Events<'scope>,
    pub(super) prices: PriceData<'scope>,
    /// `fx.rates`.
    pub(super) rates: Events<'scope>,
    pub(super) reference: Reference<'scope>,
}

/// Values positions, sums scopes, estimates risk, and compares figures with limits.
pub(super) fn valuation<'scope>(flow: &mut Flow<'scope, '_>, market: Market<'scope>) -> anyhow::Result<()> {
    let scope = flow.scope;
    let holdings = market.holdings.stream();
    let cash = market.cash.stream().filter(|(cash, ..)| !cash.account_id.is_contra());
    // The inputs of each worker: its own accounts, and the whole market.
    let known = scope.concatenate([
        known(holdings.clone(), Known::Holding),
        known_corrected(holdings, |holding| CorrectedPart::Holding(holding.account_id, holding.symbol)),
        known(cash.clone(), cash_known),
        known_corrected(cash, |cash| CorrectedPart::Cash(cash.account_id)),
        known(account_terms(flow, market.accounts)?.stream(), account_known),
        market_data(flow, market.reference.stream.clone(), market.prices, market.rates)?.broadcast(),
    ]);
    let limits = market.reference.stream.clone().filter(|event| is_limit(&event.event) || may_change_customer(&event.event));
    let config = &flow.settings.config;
    let settings = ValuationSettings {
        base_currency: config.valuation.base_currency,
        risk: config.risk.clone(),
        limits: config.limits.clone(),
        clock: flow.clock(),
        start_tick: flow.clock().tick_of(flow.settings.source.start_clock),
        bust_horizon: config.horizons().busts,
    };
    let input = ValuationInput { known, limits, before: before(flow, &market.reference)? };
    let tables = (flow.register::<HoldingTables>(), flow.register::<ScopeTables>());
    let valued = value(scope, input, &settings, &tables);
    flow.done(valued.done);
    flow.fold("limits", ExposureLimits { defaults: settings.limits }, Pace::Tick, valued.measures, market.reference)?;
    Ok(())
}

/// The inputs at the last commit.
fn before<'scope>(flow: &Flow<'scope, '_>, reference: &Reference<'scope>) -> anyhow::Result<ValuationBefore> {
    let (saved, share) = (&flow.settings.saved, flow.share());
    let mine = |account: &AccountId| share.has(account) && !account.is_contra();
    let mut known = Vec::new();
    known.extend(saved.rows::<InstrumentTerms>()?.iter().cloned().map(instrument_known));
    known.extend(saved.rows::<LastRate>()?.iter().cloned().map(rate_known));
    known.extend(saved.rows::<ClosingPrice>()?.iter().cloned().map(close_known));
    known.extend(saved.rows::<MarkPrice>()?.iter().map(Mark::of).map(Known::Mark));
    known.extend(saved.rows::<AccountTerms>()?.iter().filter(|row| mine(&row.account_id)).cloned().filter_map(account_known));
    let cash = |row: &Balance| Known::Cash { account_id: row.account_id, currency: row.currency, posted: row.posted.money() };
    known.extend(saved.rows::<Balance>()?.iter().filter(|row| mine(&row.account_id)).map(cash));
    let holdings = saved.rows::<Holding>()?;
    known.extend(holdings.iter().filter(|row| mine(&row.account_id)).map(|row| Known::Holding(HoldingSums::of(row))));
    let limits = reference.before.iter().filter(|event| is_limit(&event.event)).cloned().collect();
    let paid_in = saved.rows::<PaidIn>()?.iter().filter(|row| mine(&row.account_id)).cloned().collect();
    Ok(ValuationBefore { known, paid_in, limits, scopes: ScopeTables::read(&mut &**saved)?, gaps: saved.rows::<RiskGap>()? })
}

fn cash_known(Cash { account_id, currency, posted }: Cash) -> Known {
    Known::Cash { account_id, currency, posted }
}

/// Whether other limits may apply to an account, because its customer is told.
fn may_change_customer(event: &Event) -> bool {
    match event {
        Event::Account(AccountEvent::Opened(_)) => true,
        Event::Account(AccountEvent::Updated(updated)) => updated.customer_id.is_some(),
        _ => false,
    }
}

fn is_limit(event: &Event) -> bool {
    match event {
        Event::Limit(_) => true,
        Event::Deleted(deleted) => deleted.rank == Topic::Limits.rank(),
        _ => false,
    }
}
