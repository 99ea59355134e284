//! The ledger: from transactions to legs, from legs to balances.

use headwater_operators::customers::{AccountPurchase, is_purchase};
use headwater_operators::keyed_fold::{ByAccount, Pace, Updated};
use headwater_operators::ledger::{
    Accepted, BalanceEvent, Balances, BalancesOf, Captures, Cash, LedgerEvent, Owned, Posting, Postings, Returnable, Returns,
};
use headwater_operators::payments::PaymentEvent;
use headwater_operators::rules::Happened;
use headwater_schemas::events::Event;
use headwater_schemas::{Placed, Tick, Topic};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::core::OkErr;
use timely::dataflow::operators::vec::{Filter, Map};

use super::Events;
use super::wiring::{Flow, Reference};
use crate::config::Span;

/// Events that the ledger derives.
pub(super) struct Posted<'scope> {
    pub(super) postings: StreamVec<'scope, Tick, Placed<Posting>>,
    /// What was posted or taken back, for payments.
    pub(super) settled: StreamVec<'scope, Tick, Placed<PaymentEvent>>,
    /// Transactions for rules, and changes of them.
    pub(super) happened: StreamVec<'scope, Tick, Placed<Happened>>,
    /// Purchases, and changes of what remains of them.
    pub(super) spent: StreamVec<'scope, Tick, Placed<AccountPurchase>>,
}

/// Posts transactions: derives their legs and writes `ledger_entries`.
#[expect(clippy::result_large_err, reason = "the stream is split in two, and neither part is an error")]
pub(super) fn postings<'scope>(
    flow: &mut Flow<'scope, '_>,
    transactions: Events<'scope>,
    returnable: Events<'scope>,
    reference: Reference<'scope>,
) -> anyhow::Result<Posted<'scope>> {
    let transactions = transactions.flat_map(|Placed { place, event }| match event {
        Event::Transaction(event) => Some(Placed { place, event: Owned::from(event) }),
        _ => None,
    });
    let owned = owned(flow, returnable)?;
    let ledger = &flow.settings.config.ledger;
    let view = Postings {
        reversal_horizon: ledger.reversal_horizon.into(),
        waiting_horizon: flow.settings.config.horizons().of(Topic::Transactions),
        hold_expiry: ledger.hold_expiry.map(|Span(expiry)| expiry.into()),
        captures: Captures { over: ledger.overcapture, partial: ledger.partial_captures },
        enforces: ledger.enforce,
    };
    let derived = flow.fold("postings", view, Pace::Tick, transactions.concat(owned), reference)?.derived;
    let (postings, reports) = derived.ok_err(|Placed { place, event }| match event {
        LedgerEvent::Posting(event) => Ok(Placed { place, event }),
        event => Err(Placed { place, event }),
    });
    let settled = reports.clone().flat_map(PaymentEvent::of_ledger);
    let spent = reports.clone().flat_map(|Placed { place, event }| match event {
        LedgerEvent::Accepted(Accepted { record, transaction, .. }) if is_purchase(&transaction) => {
            Some(Placed { place: record, event: AccountPurchase::Accepted(transaction) })
        }
        LedgerEvent::Remains(remains) => Some(Placed { place, event: AccountPurchase::Remains(remains) }),
        _ => None,
    });
    let happened = reports.flat_map(|Placed { place, event }| match event {
        LedgerEvent::Accepted(Accepted { record, transaction, .. }) => {
            Some(Placed { place: record, event: Happened::Transaction(transaction) })
        }
        LedgerEvent::TakenBack(taken) => Some(Placed { place, event: Happened::TakenBack(taken) }),
        LedgerEvent::Adjusted(adjusted) => Some(Placed { place, event: Happened::Adjusted(adjusted) }),
        LedgerEvent::Posting(_) | LedgerEvent::Remains(_) => None,
    });
    Ok(Posted { postings, settled, happened, spent })
}

/// The owner of each transaction: the sender of the original for a return, else the account that it names.
fn owned<'scope>(flow: &mut Flow<'scope, '_>, returnable: Events<'scope>) -> anyhow::Result<StreamVec<'scope, Tick, Placed<Owned>>> {
    let returnable = returnable.flat_map(|Placed { place, event }| {
        let transaction = if let Event::Transaction(event) = event { Some(event) } else { None };
        transaction.into_iter().flat_map(|event| Returnable::all(&event)).map(move |event| Placed { place, event })
    });
    let view = Returns {
        reversal_horizon: flow.settings.config.ledger.reversal_horizon.into(),
        waiting_horizon: flow.settings.config.horizons().of(Topic::Transactions),
    };
    let broadcasts = flow.no_broadcasts();
    let owned = flow.fold("returns", view, Pace::Tick, returnable, broadcasts)?.derived;
    // A transaction keeps its record's place, because it is not a derived event. Reversals that waited for it follow.
    Ok(owned.map(|Placed { place, event }| Placed { place: place.derived(place.sequence.saturating_sub(1)), event }))
}

/// Balances: rows once per tick, and updates for valuations once per grid point. They follow the accounts' opening and terms.
pub(super) fn balances<'scope>(
    flow: &mut Flow<'scope, '_>,
    postings: StreamVec<'scope, Tick, Placed<Posting>>,
    accounts: Events<'scope>,
    reference: Reference<'scope>,
) -> anyhow::Result<ByAccount<StreamVec<'scope, Tick, Updated<Cash>>>> {
    let postings = postings.map(|posting| posting.map(BalanceEvent::Posting));
    let accounts = accounts.flat_map(|Placed { place, event }| match event {
        Event::Account(event) => Some(Placed { place, event: BalanceEvent::Account(event) }),
        _ => None,
    });
    let interest = flow.settings.config.interest;
    if !interest.post {
        let view = Balances { interest, of: BalancesOf::All };
        return Ok(ByAccount::updates(flow.fold("balances", view, Pace::Tick, postings.concat(accounts), reference)?));
    }
    // Interest is posted against the outside, whose balances a second view sums: no posting goes back to where it came from.
    let is_contra =
        |placed: &Placed<BalanceEvent>| matches!(&placed.event, BalanceEvent::Posting(posting) if posting.account_id.is_contra());
    let own = postings.clone().filter(move |placed| !is_contra(placed));
    let contra = postings.filter(is_contra);
    let view = Balances { interest, of: BalancesOf::Customers };
    let balances = flow.fold("balances", view, Pace::Tick, own.concat(accounts), reference.clone())?;
    let outside = balances.derived.clone().map(|posting| posting.map(BalanceEvent::Posting));
    let view = Balances { interest, of: BalancesOf::Contra };
    flow.fold("contra balances", view, Pace::Tick, contra.concat(outside), reference)?;
    Ok(ByAccount::updates(balances))
}
