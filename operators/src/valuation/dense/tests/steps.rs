//! Random changes at grid points.

use headwater_schemas::events::{AssetClass, Event};
use headwater_schemas::{
    AccountId, Currency, Date, EffectiveTime, EventTime, Factor, Money, Name, Offset, Place, Placed, Price, Quantity, Symbol, Tick, Topic,
};
use proptest::prelude::*;

use super::{CLOCK, Known, worker_number};
use crate::positions::{AverageCost, HoldingSums};
use crate::valuation::Mark;

/// The changes at a grid point.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) tick: Tick,
    pub(super) changes: Vec<Known>,
}

/// The key of a change in its upstream fold.
pub(super) type Key = (u8, &'static str, String);

pub(super) fn key(known: &Known) -> Key {
    match known {
        Known::Instrument { symbol, .. } => (0, symbol.as_str(), String::new()),
        Known::Rate { base, quote, .. } => (1, base.as_str(), quote.to_string()),
        Known::Close { symbol, date, .. } => (2, symbol.as_str(), date.to_string()),
        Known::Mark(mark) => (3, mark.symbol.as_str(), String::new()),
        Known::Account { account_id, .. } => (4, account_id.as_str(), String::new()),
        Known::Cash { account_id, currency, .. } => (5, account_id.as_str(), currency.to_string()),
        Known::Holding(holding) => (6, holding.account_id.as_str(), holding.symbol.to_string()),
        Known::Limit(limit) => (7, "limit", format!("{:020}", limit.place.time)),
        Known::Corrected(..) => (8, "corrected", String::new()),
    }
}

/// The account of a change, if it has one.
pub(super) fn account_of(known: &Known) -> Option<AccountId> {
    match known {
        Known::Account { account_id, .. } | Known::Cash { account_id, .. } => Some(*account_id),
        Known::Holding(holding) => Some(holding.account_id),
        _ => None,
    }
}

pub(super) fn route_of<K>(name: Name<K>, workers: usize) -> usize {
    usize::try_from(worker_number(&name) % workers as u64).expect("a worker")
}

fn name<K>(prefix: &str, number: u8) -> Name<K> {
    Name::derived(format!("{prefix}{number}"))
}

fn currency(number: u8) -> Currency {
    Currency::derived(["USD", "EUR", "GBP"][usize::from(number % 3)])
}

pub(super) fn holding(account: &str, symbol: &str, quantity: i64) -> Known {
    let sums = AverageCost {
        quantity: Quantity::whole(quantity),
        cost: Money::whole(quantity * 3),
        cash_flow: Money::whole(-quantity * 4),
        fees: Money::whole(1),
    };
    Known::Holding(HoldingSums { account_id: AccountId::derived(account), symbol: Symbol::derived(symbol), sums })
}

pub(super) fn opened(account: &str, currency: &str, book: Option<&str>) -> Known {
    Known::Account { account_id: AccountId::derived(account), currency: Currency::derived(currency), book: book.map(Into::into) }
}

fn limit(tick: Tick, value: i64) -> Known {
    let kind = ["position_value", "gross_exposure", "leverage", "var"][usize::try_from(tick.get() % 4).expect("a kind")];
    let scope = ["account:a0", "book:firm", "default", "symbol:S1"][usize::try_from(value % 4).expect("a scope")];
    // A symbol has no other limit.
    let kind = if scope.starts_with("symbol") { "position_value" } else { kind };
    let text = format!(r#"{{"scope":"{scope}","kind":"{kind}","value":{value}}}"#);
    let event = Event::decode(Topic::Limits, None, Some(text.as_bytes())).expect("a limit");
    Known::Limit(Box::new(Placed { place: Place::of_record(CLOCK.start_of(tick), Topic::Limits, 0, Offset::new(tick.get())), event }))
}

fn change(tick: Tick, kind: u8, number: u8, amount: i64) -> Known {
    let odd = u8::try_from(amount.rem_euclid(3)).expect("a number");
    match kind {
        0 => Known::Instrument {
            symbol: name("S", number),
            asset_class: [AssetClass::Equity, AssetClass::Bond, AssetClass::Crypto][usize::from((number + odd) % 3)],
            currency: currency(odd),
            multiplier: Factor::whole(1 + amount.rem_euclid(2)),
        },
        1 => Known::Rate {
            base: currency(number),
            quote: Currency::derived("USD"),
            rate: Factor::from_units(i128::from(amount) * 70_000_000 + 1),
            ts: EventTime::from_effective(EffectiveTime::new(tick.get())),
            is_stale: odd == 0,
        },
        2 | 3 => Known::Close {
            symbol: name("S", number % 2),
            date: Date::from_days(1 + i32::try_from(amount % 6).expect("a date")),
            close: Price::whole(amount),
        },
        4..=6 => Known::Mark(Mark {
            symbol: name("S", number),
            price: (amount > 2).then(|| Price::from_units(i128::from(amount) * 1_100_000_007)),
        }),
        7 => Known::Account {
            account_id: name("a", number),
            currency: currency(odd),
            book: [None, Some("firm/desk1"), Some("firm/desk2/sub")][usize::from((number + odd) % 3)].map(Into::into),
        },
        8 => Known::Cash { account_id: name("a", number), currency: currency(odd), posted: Money::whole(amount - 10) },
        9 => limit(tick, amount),
        _ => holding(&format!("a{number}"), &format!("S{odd}"), amount - 20),
    }
}

/// Grid points with a few changes each, one per key.
pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let changes = proptest::collection::vec((0..14_u8, 0..4_u8, 1..45_i64), 1..6);
    proptest::collection::vec(changes, 1..40).prop_map(|steps| {
        let step = |(number, changes): (u64, Vec<(u8, u8, i64)>)| {
            let tick = Tick::new(number);
            let mut changes: Vec<_> = changes.into_iter().map(|(kind, number, amount)| change(tick, kind, number, amount)).collect();
            changes.sort_by_key(key);
            changes.dedup_by_key(|known| key(known));
            Step { tick, changes }
        };
        (1..).zip(steps).map(step).collect()
    })
}
