//! A seeded day of transactions and fills, with what goes wrong in one: records that come late, twice, or with another
//! content under an id that is known; and its recomputation in SQL over the raw records.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray};
use datafusion::prelude::SessionContext;
use headwater_connectors::transport::partition_of;
use headwater_sql::Format;

use crate::pipeline::write_log;
use crate::prices::Dice;

/// Partitions of each topic.
const PARTITIONS: u16 = 2;
/// 2026-01-05T09:00:00Z
const BEGIN: i64 = 1_767_603_600_000_000_000;
const SECOND: i64 = 1_000_000_000;
const ACCOUNTS: u64 = 7;

/// A transaction, a fill or a bust, as it was written.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The topic.
    pub topic: &'static str,
    kind: String,
    id: String,
    account: String,
    /// The counterparty of a transaction, the symbol of a fill.
    other: Option<String>,
    /// Hundredths: the amount of a transaction, the signed quantity of a fill.
    amount: i64,
    /// Hundredths.
    price: i64,
    /// Hundredths.
    fee: i64,
    ts: i64,
}

impl Raw {
    /// The partition, as Kafka's clients place it.
    pub fn partition(&self) -> u16 {
        partition_of(self.account.as_bytes(), PARTITIONS)
    }

    fn line(&self) -> String {
        let hundredths = |number: i64| format!("{}.{:02}", number / 100, number % 100);
        let (account, id, ts) = (&self.account, &self.id, self.ts);
        match (self.topic, self.kind.as_str()) {
            ("transactions", kind) => {
                let other = self.other.as_ref().map_or(String::new(), |other| format!(r#","counterparty_account":"{other}""#));
                let amount = hundredths(self.amount);
                format!(
                    r#"{{"transaction_id":"{id}","account_id":"{account}","type":"{kind}","amount":"{amount}","currency":"EUR"{other},"ts":{ts}}}"#
                )
            }
            (_, "bust") => format!(r#"{{"type":"bust","fill_id":"{id}","account_id":"{account}","ts":{ts}}}"#),
            _ => {
                let (side, symbol) = (if self.amount < 0 { "sell" } else { "buy" }, self.other.as_deref().unwrap_or_default());
                let (quantity, price, fee) = (hundredths(self.amount.abs()), hundredths(self.price), hundredths(self.fee));
                format!(
                    r#"{{"type":"fill","fill_id":"{id}","account_id":"{account}","symbol":"{symbol}","side":"{side}","quantity":"{quantity}","price":"{price}","fee":"{fee}","ts":{ts}}}"#
                )
            }
        }
    }
}

/// Seeded records in the order in which they are written.
pub fn day(seed: u64, records: usize) -> Vec<Raw> {
    let mut dice = Dice(seed);
    let mut day: Vec<Raw> = Vec::new();
    let mut now = BEGIN;
    for number in 0..records {
        now += i64::try_from(dice.below(900)).unwrap_or(0) * 1_000_000;
        // Most come in time, some a little late, few more than a day.
        let late = match dice.below(100) {
            0..80 => 0,
            80..98 => i64::try_from(dice.below(5_000)).unwrap_or(0) * 1_000_000,
            _ => 25 * 3600 * SECOND,
        };
        let raw = match dice.below(100) {
            0..60 => transaction(&mut dice, number, now - late),
            60..88 => fill(&mut dice, number, now - late),
            // A bust, a repeat or a contradiction of something that came before.
            88..92 => match pick(&mut dice, &day, |raw| raw.kind == "fill") {
                Some(fill) => Raw { kind: "bust".to_owned(), ts: now, ..fill },
                None => transaction(&mut dice, number, now),
            },
            92..97 => pick(&mut dice, &day, |_| true).unwrap_or_else(|| transaction(&mut dice, number, now)),
            _ => match pick(&mut dice, &day, |raw| raw.kind != "bust") {
                Some(known) => Raw { amount: known.amount * 2, ..known },
                None => transaction(&mut dice, number, now),
            },
        };
        day.push(raw);
    }
    day
}

/// Records that all come in time and once.
pub fn orderly_day(seed: u64, records: usize) -> Vec<Raw> {
    let mut dice = Dice(seed);
    let mut now = BEGIN;
    let record = |number: usize| {
        now += i64::try_from(dice.below(900)).unwrap_or(0) * 1_000_000 + 1;
        if dice.below(3) < 2 { transaction(&mut dice, number, now) } else { fill(&mut dice, number, now) }
    };
    (0..records).map(record).collect()
}

/// The same records in disorder: of a hundred, five come up to a hundred places later, and five come twice.
pub fn disordered<R: Clone>(day: &[R], seed: u64) -> Vec<R> {
    let mut dice = Dice(seed);
    let mut placed: Vec<(u64, usize, R)> = Vec::new();
    for (place, raw) in (0..).zip(day) {
        let later = |dice: &mut Dice| place + 1 + dice.below(100);
        match dice.below(100) {
            0..5 => placed.push((later(&mut dice), placed.len(), raw.clone())),
            5..10 => {
                placed.push((place, placed.len(), raw.clone()));
                placed.push((later(&mut dice), placed.len(), raw.clone()));
            }
            _ => placed.push((place, placed.len(), raw.clone())),
        }
    }
    placed.sort_by_key(|(place, number, _)| (*place, *number));
    placed.into_iter().map(|(_, _, raw)| raw).collect()
}

/// Cost and realized P&L of every position by average cost, fill by fill in the order of the records, each id once.
pub fn average_costs(day: &[Raw]) -> Vec<String> {
    let mut known = BTreeSet::new();
    let mut positions = BTreeMap::<(&str, &str), (i128, i128, i128)>::new();
    for fill in day.iter().filter(|raw| raw.kind == "fill" && known.insert(&raw.id)) {
        let position = positions.entry((&fill.account, fill.other.as_deref().unwrap_or_default())).or_default();
        let (quantity, cost, realized) = position;
        // Quantities in hundredths, prices in 10^-7, so that money is in 10^-9.
        let (traded, price) = (i128::from(fill.amount), i128::from(fill.price) * 100_000);
        let closing = if quantity.signum() * traded.signum() < 0 { traded.abs().min(quantity.abs()) * traded.signum() } else { 0 };
        let removed = if closing == 0 { 0 } else { half_even(*cost * closing.abs(), quantity.abs()) };
        *realized += -closing * price - removed - i128::from(fill.fee) * 10_000_000;
        *cost += (traded - closing) * price - removed;
        *quantity += traded;
    }
    let money = headwater_schemas::Money::from_units;
    positions
        .iter()
        .map(|((account, symbol), (_, cost, realized))| format!("{account},{symbol},{},{}", money(*cost), money(*realized)))
        .collect()
}

/// A quotient, rounded half to even.
pub fn half_even(numerator: i128, divisor: i128) -> i128 {
    let (quotient, remainder) = (numerator.div_euclid(divisor), numerator.rem_euclid(divisor));
    match (remainder * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient.rem_euclid(2),
    }
}

fn pick(dice: &mut Dice, day: &[Raw], fits: impl Fn(&Raw) -> bool) -> Option<Raw> {
    let among: Vec<_> = day.iter().rev().take(200).filter(|raw| fits(raw)).collect();
    among.get(usize::try_from(dice.below(among.len() as u64)).ok()?).map(|raw| (*raw).clone())
}

fn transaction(dice: &mut Dice, number: usize, ts: i64) -> Raw {
    let kinds = ["deposit", "withdrawal", "transfer", "payment", "interest", "fee"];
    let kind = kinds.get(usize::try_from(dice.below(6)).unwrap_or(0)).copied().unwrap_or("deposit");
    let account = dice.below(ACCOUNTS);
    let other = (kind == "transfer").then(|| format!("a{}", (account + 1 + dice.below(ACCOUNTS - 1)) % ACCOUNTS));
    Raw {
        topic: "transactions",
        kind: kind.to_owned(),
        id: format!("t{number}"),
        account: format!("a{account}"),
        other,
        amount: i64::try_from(dice.below(100_000)).unwrap_or(0) + 1,
        price: 0,
        fee: 0,
        ts,
    }
}

fn fill(dice: &mut Dice, number: usize, ts: i64) -> Raw {
    let quantity = i64::try_from(dice.below(50_000)).unwrap_or(0) + 1;
    Raw {
        topic: "fills",
        kind: "fill".to_owned(),
        id: format!("f{number}"),
        account: format!("a{}", dice.below(ACCOUNTS)),
        other: Some(format!("S{}", dice.below(4))),
        amount: if dice.below(2) == 0 { quantity } else { -quantity },
        price: i64::try_from(dice.below(20_000)).unwrap_or(0) + 1,
        fee: i64::try_from(dice.below(300)).unwrap_or(0),
        ts,
    }
}

/// Writes records into a log, each into its partition.
pub fn write(log: &Path, day: &[Raw]) -> Result<()> {
    let mut files = BTreeMap::<(&str, u16), String>::new();
    for raw in day {
        *files.entry((raw.topic, raw.partition())).or_default() += &(raw.line() + "\n");
    }
    files.iter().try_for_each(|((topic, partition), lines)| write_log(log, topic, *partition, lines))
}

/// The records as SQL sees them: one table, with each record's place in its partition.
fn table(day: &[Raw]) -> Result<RecordBatch> {
    let mut counts = BTreeMap::<(&str, u16), i64>::new();
    let mut places = Vec::new();
    for raw in day {
        let count = counts.entry((raw.topic, raw.partition())).or_default();
        *count += 1;
        places.push(*count);
    }
    let text = |of: &dyn Fn(&Raw) -> Option<String>| Arc::new(day.iter().map(of).collect::<StringArray>()) as ArrayRef;
    let number = |of: &dyn Fn(&Raw) -> i64| Arc::new(Int64Array::from_iter_values(day.iter().map(of))) as ArrayRef;
    let money = |of: &dyn Fn(&Raw) -> i64| -> Result<ArrayRef> {
        let hundredths = Decimal128Array::from_iter_values(day.iter().map(|raw| i128::from(of(raw))));
        Ok(Arc::new(hundredths.with_precision_and_scale(18, 2)?))
    };
    Ok(RecordBatch::try_from_iter([
        ("topic", text(&|raw| Some(raw.topic.to_owned()))),
        ("part", number(&|raw| raw.partition().into())),
        ("place", Arc::new(Int64Array::from(places)) as ArrayRef),
        ("kind", text(&|raw| Some(raw.kind.clone()))),
        ("id", text(&|raw| Some(raw.id.clone()))),
        ("account", text(&|raw| Some(raw.account.clone()))),
        ("other", text(&|raw| raw.other.clone())),
        ("amount", money(&|raw| raw.amount)?),
        ("price", money(&|raw| raw.price)?),
        ("fee", money(&|raw| raw.fee)?),
        ("ts", number(&|raw| raw.ts)),
    ])?)
}

/// What is accepted of the records that are effective before a time: each with its clock, not more than a day behind it,
/// and the first of its identity.
const ACCEPTED: &str = "
WITH placed AS (SELECT *, MAX(ts) OVER (PARTITION BY topic, part ORDER BY place) AS effective FROM raw),
     in_time AS (SELECT * FROM placed WHERE effective < {end} AND effective - ts <= 86400000000000),
     numbered AS (SELECT *, ROW_NUMBER() OVER (PARTITION BY topic, kind, id ORDER BY effective, part, place) AS n FROM in_time),
     accepted AS (SELECT * FROM numbered WHERE n = 1)";

/// The posted balances: every transaction moves its amount between two accounts.
const BALANCES: &str = ",
     signed AS (SELECT account, other, CASE WHEN kind IN ('deposit', 'interest') THEN amount ELSE -amount END AS amount
                FROM accepted WHERE topic = 'transactions'),
     legs AS (SELECT account, amount FROM signed UNION ALL SELECT COALESCE(other, 'external:EUR'), -amount FROM signed)
SELECT account, SUM(amount) FROM legs GROUP BY account ORDER BY account";

/// Quantity and cash flow of every position: all fills that were not busted.
const POSITIONS: &str = ",
     busted AS (SELECT id FROM accepted WHERE kind = 'bust'),
     fills AS (SELECT account, other, CASE WHEN busted.id IS NULL THEN 1 ELSE 0 END AS counts, amount, price, fee
               FROM accepted LEFT JOIN busted ON busted.id = accepted.id WHERE kind = 'fill')
SELECT account, other, CAST(SUM(counts * amount) AS DECIMAL(38, 9)), CAST(SUM(counts * (-amount * price - fee)) AS DECIMAL(38, 9))
FROM fills GROUP BY account, other ORDER BY account, other";

/// Balances (account, posted) and positions (account, symbol, quantity, cash flow) of everything that is effective before a
/// time, by SQL over the raw records.
pub fn recomputed(day: &[Raw], end: u64) -> Result<[Vec<String>; 2]> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let context = SessionContext::new();
    context.register_batch("raw", table(day)?)?;
    let answer = |query: &str| -> Result<Vec<String>> {
        let query = format!("{}{query}", ACCEPTED.replace("{end}", &end.to_string()));
        let batches = runtime.block_on(async { context.sql(&query).await?.collect().await })?;
        let Some(first) = batches.first() else { return Ok(Vec::new()) };
        let (mut renderer, mut text) = (Format::Csv.renderer(&first.schema()), Vec::new());
        batches.iter().try_for_each(|batch| renderer.batch(batch, &mut text))?;
        renderer.finish(&mut text)?;
        Ok(String::from_utf8(text)?.lines().skip(1).map(str::to_owned).collect())
    };
    Ok([answer(BALANCES)?, answer(POSITIONS)?])
}
