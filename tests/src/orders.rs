//! Limit orders and cancels of a few symbols, and a naive book: a batch computation in the given order.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use headwater_connectors::transport::partition_of;

use crate::pipeline::write_log;
use crate::prices::Dice;

const SYMBOLS: u64 = 3;
const PARTITIONS: u16 = 2;
/// 2026-01-05T14:30:00Z
const BEGIN: i64 = 1_767_623_400_000_000_000;

/// A limit order, or the cancel of one.
#[derive(Clone, Debug)]
pub struct RawOrder {
    symbol: String,
    id: String,
    account: String,
    /// Terms of the order: whether it buys, the price in hundredths, the quantity. `None` for a cancel.
    terms: Option<(bool, u64, u64)>,
    ts: i64,
}

impl RawOrder {
    fn line(&self) -> String {
        let Self { symbol, id, account, ts, .. } = self;
        match self.terms {
            Some((buys, price, quantity)) => format!(
                r#"{{"type":"new","order_id":"{id}","account_id":"{account}","symbol":"{symbol}","side":"{}","order_type":"limit","time_in_force":"gtc","quantity":{quantity},"price":"{}.{:02}","ts":{ts}}}"#,
                if buys { "buy" } else { "sell" },
                price / 100,
                price % 100
            ),
            None => format!(r#"{{"type":"cancel","order_id":"{id}","account_id":"{account}","symbol":"{symbol}","ts":{ts}}}"#),
        }
    }
}

/// Seeded orders and cancels, by time. A buyer never sells, so there are no self-trades.
pub fn orders(seed: u64, count: usize) -> Vec<RawOrder> {
    let mut dice = Dice(seed);
    let mut ts = BEGIN;
    let mut all: Vec<RawOrder> = Vec::new();
    for number in 0..count {
        ts += i64::try_from(dice.below(500)).unwrap_or(0) * 1_000_000 + 1;
        let known = all.iter().rev().take(60).filter(|order| order.terms.is_some()).nth(usize::try_from(dice.below(50)).unwrap_or(0));
        let order = match known {
            Some(known) if dice.below(6) == 0 => RawOrder { terms: None, ts, ..known.clone() },
            _ => {
                let buys = dice.below(2) == 0;
                let account = format!("{}{}", if buys { "buyer" } else { "seller" }, dice.below(5));
                let terms = Some((buys, 9_900 + dice.below(200), 1 + dice.below(50)));
                RawOrder { symbol: format!("S{}", dice.below(SYMBOLS)), id: format!("o{number}"), account, terms, ts }
            }
        };
        all.push(order);
    }
    all
}

/// Writes instruments and orders into a log, each symbol's into one partition.
pub fn write(log: &Path, orders: &[RawOrder]) -> Result<()> {
    let instrument =
        |number| format!(r#"{{"symbol":"S{number}","asset_class":"equity","currency":"USD","tick_size":"0.01","lot_size":"1"}}"#) + "\n";
    write_log(log, "instruments", 0, &(0..SYMBOLS).map(instrument).collect::<String>())?;
    let mut files = BTreeMap::<u16, String>::new();
    for order in orders {
        *files.entry(partition_of(order.symbol.as_bytes(), PARTITIONS)).or_default() += &(order.line() + "\n");
    }
    files.iter().try_for_each(|(partition, lines)| write_log(log, "orders", *partition, lines))
}

/// Resting orders, in order of arrival.
type Resting = Vec<(String, bool, u64, u64)>;

/// Executions (`symbol,order,liquidity,price,quantity`) and the final resting orders (`symbol,order,quantity`), by scanning a
/// list for every order in the given order; each id counts once. Sorted.
pub fn matched(orders: &[RawOrder]) -> [Vec<String>; 2] {
    let mut known = BTreeSet::new();
    let mut books = BTreeMap::<&str, Resting>::new();
    let mut executions = Vec::new();
    for order in orders {
        let book = books.entry(&order.symbol).or_default();
        let Some((buys, limit, mut leaves)) = order.terms else {
            book.retain(|(id, ..)| *id != order.id);
            continue;
        };
        if !known.insert(&order.id) {
            continue;
        }
        let crosses = |price: u64| if buys { price <= limit } else { price >= limit };
        while leaves > 0 {
            // The first order at the best price.
            let others = book.iter_mut().filter(|(_, theirs, price, _)| *theirs != buys && crosses(*price));
            let Some(best) = others.min_by_key(|(_, _, price, _)| if buys { *price } else { u64::MAX - *price }) else { break };
            let quantity = leaves.min(best.3);
            let (symbol, price) = (&order.symbol, hundredths(best.2));
            executions.push(format!("{symbol},{},maker,{price},{quantity}", best.0));
            executions.push(format!("{symbol},{},taker,{price},{quantity}", order.id));
            leaves -= quantity;
            best.3 -= quantity;
            book.retain(|(.., leaves)| *leaves > 0);
        }
        if leaves > 0 {
            book.push((order.id.clone(), buys, limit, leaves));
        }
    }
    let rests = books.iter().flat_map(|(symbol, book)| book.iter().map(move |(id, _, _, leaves)| format!("{symbol},{id},{leaves}")));
    let mut resting: Vec<_> = rests.collect();
    executions.sort_unstable();
    resting.sort_unstable();
    [executions, resting]
}

/// A number of hundredths as SQL shows it.
fn hundredths(number: u64) -> String {
    let text = format!("{}.{:02}", number / 100, number % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
