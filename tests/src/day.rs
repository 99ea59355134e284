//! A seeded day of transactions, fills, quotes and rates, with irregularities: holds that are voided, payments that are reversed,
//! records that are late, repeated, or conflict under a known id; accounts that move to another book, instruments that become
//! known or are corrected during the day.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use headwater_connectors::transport::partition_of;

use crate::pipeline::write_log;
use crate::prices::Dice;

/// Partitions of each topic.
const PARTITIONS: u16 = 2;
/// 2026-01-05T09:00:00Z
pub(crate) const BEGIN: i64 = 1_767_603_600_000_000_000;
pub(crate) const SECOND: i64 = 1_000_000_000;
/// When all accounts were opened.
pub(crate) const OPENED: i64 = BEGIN - SECOND;
/// Accounts that trade.
const TRADERS: u64 = 7;
/// Accounts that pay, including the traders.
pub(crate) const PAYERS: u64 = 150;
const SYMBOLS: u64 = 4;
/// Accounts that move from one desk to the other, and the second at which they do.
pub(crate) const MOVES: [(u64, i64); 3] = [(1, 100), (3, 300), (5, 500)];
/// The account that is kept in USD; all others are in EUR.
pub(crate) const IN_USD: u64 = 4;
/// Symbols, their currencies and multipliers, and the seconds from which on they are known; `None` from the beginning.
pub(crate) const INSTRUMENTS: [(u64, &str, i64, Option<i64>); 5] =
    [(0, "EUR", 1, None), (2, "USD", 1, None), (3, "EUR", 10, None), (1, "USD", 50, Some(120)), (3, "EUR", 20, Some(200))];
/// Daily returns before the day.
const RETURNS: usize = 20;

/// A transaction, a fill, a bust, a quote or a rate, as it was written.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    /// The topic.
    pub topic: &'static str,
    pub(crate) kind: String,
    pub(crate) id: String,
    /// The account; for a quote the symbol, for a rate its base currency.
    pub(crate) account: String,
    /// The counterparty of a transaction, the symbol of a fill.
    pub(crate) other: Option<String>,
    /// For a transaction: `posted`, `pending`, `void`, or `capture`, which is a posting of a held amount.
    pub(crate) phase: &'static str,
    /// The hold that a transaction voids or captures, or the transaction that it reverses.
    pub(crate) refers: Option<String>,
    /// Hundredths: the amount of a transaction, the signed quantity of a fill.
    pub(crate) amount: i64,
    /// In hundredths: a fill's price, a quote's mid, a rate.
    pub(crate) price: i64,
    /// In hundredths.
    pub(crate) fee: i64,
    pub(crate) ts: i64,
}

impl Raw {
    /// The partition, as Kafka's clients place it.
    pub fn partition(&self) -> u16 {
        partition_of(self.account.as_bytes(), PARTITIONS)
    }

    /// Whether it is a market price.
    fn is_market(&self) -> bool {
        matches!(self.kind.as_str(), "quote" | "rate")
    }

    fn line(&self) -> String {
        let hundredths = |number: i64| format!("{}.{:02}", number / 100, number % 100);
        let (account, id, ts) = (&self.account, &self.id, self.ts);
        match (self.topic, self.kind.as_str()) {
            ("transactions", kind) => {
                let optional =
                    |name: &str, value: &Option<String>| value.as_ref().map_or(String::new(), |value| format!(r#","{name}":"{value}""#));
                let other = optional("counterparty_account", &self.other);
                let refers = optional(if matches!(self.phase, "void" | "capture") { "pending_id" } else { "reverses" }, &self.refers);
                let (amount, phase) = (hundredths(self.amount), if self.phase == "capture" { "posted" } else { self.phase });
                format!(
                    r#"{{"transaction_id":"{id}","account_id":"{account}","type":"{kind}","phase":"{phase}","amount":"{amount}","currency":"EUR"{other}{refers},"ts":{ts}}}"#
                )
            }
            ("market.quotes", _) => {
                let (bid, ask) = (hundredths(self.price - 1), hundredths(self.price + 1));
                format!(r#"{{"symbol":"{account}","bid":"{bid}","ask":"{ask}","bid_size":1,"ask_size":1,"ts":{ts}}}"#)
            }
            ("fx.rates", _) => format!(r#"{{"base":"{account}","quote":"EUR","rate":"{}","ts":{ts}}}"#, hundredths(self.price)),
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

/// Seeded records in the order of writing.
pub fn day(seed: u64, records: usize) -> Vec<Raw> {
    let mut dice = Dice(seed);
    let mut day: Vec<Raw> = (0..SYMBOLS).map(|symbol| Raw { account: format!("S{symbol}"), ..quote(&mut dice, BEGIN) }).collect();
    day.push(rate(&mut dice, OPENED - SECOND));
    let mut now = BEGIN;
    let mut taken_back = BTreeSet::new();
    for number in 0..records {
        now += i64::try_from(dice.below(900)).unwrap_or(0) * 1_000_000;
        // Most are in time, some a little late, few more than a day.
        let late = match dice.below(100) {
            0..80 => 0,
            80..98 => i64::try_from(dice.below(5_000)).unwrap_or(0) * 1_000_000,
            _ => 25 * 3600 * SECOND,
        };
        let raw = match dice.below(100) {
            0..46 => transaction(&mut dice, number, now - late),
            46..52 => {
                let hold = Raw { phase: "pending", kind: "payment".to_owned(), other: None, ..transaction(&mut dice, number, now - late) };
                // Some are resolved before they are written.
                if dice.below(4) == 0 {
                    taken_back.insert(hold.id.clone());
                    let early = resolution(&mut dice, &hold, format!("e{number}"), now);
                    day.push(early);
                }
                hold
            }
            // Each is reversed at most once: case tables cover several reversals.
            52..60 => match pick(&mut dice, &day, |raw| raw.refers.is_none() && !raw.phase.is_empty() && !taken_back.contains(&raw.id)) {
                Some(known) => {
                    taken_back.insert(known.id.clone());
                    let id = format!("t{number}");
                    if known.phase == "pending" { resolution(&mut dice, &known, id, now) } else { reversal(&mut dice, &known, id, now) }
                }
                None => transaction(&mut dice, number, now),
            },
            60..80 => fill(&mut dice, number, now - late),
            80..87 => quote(&mut dice, now - late),
            87 => rate(&mut dice, now - late),
            // A bust, a repetition or a contradiction of an earlier record.
            88..92 => match pick(&mut dice, &day, |raw| raw.kind == "fill") {
                Some(fill) => Raw { kind: "bust".to_owned(), ts: now, ..fill },
                None => transaction(&mut dice, number, now),
            },
            92..97 => pick(&mut dice, &day, |raw| !raw.is_market()).unwrap_or_else(|| transaction(&mut dice, number, now)),
            _ => match pick(&mut dice, &day, |raw| raw.kind != "bust" && !raw.is_market()) {
                Some(known) => Raw { amount: known.amount * 2, ..known },
                None => transaction(&mut dice, number, now),
            },
        };
        day.push(raw);
    }
    day
}

/// A reversal, full or partial.
fn reversal(dice: &mut Dice, known: &Raw, id: String, ts: i64) -> Raw {
    let amount = if dice.below(2) == 0 { known.amount / 2 + 1 } else { known.amount };
    Raw { id, refers: Some(known.id.clone()), other: None, amount, ts, ..known.clone() }
}

/// The resolution of a hold, or an attempt: a void, or a capture of all, of a part, of too much, or of another type.
fn resolution(dice: &mut Dice, hold: &Raw, id: String, ts: i64) -> Raw {
    let refers = Some(hold.id.clone());
    let resolution = |phase, amount| Raw { id: id.clone(), phase, refers: refers.clone(), other: None, amount, ts, ..hold.clone() };
    match dice.below(6) {
        0 | 1 => resolution("void", hold.amount),
        2 => resolution("capture", hold.amount),
        3 => resolution("capture", hold.amount / 2 + 1),
        4 => resolution("capture", hold.amount + 1),
        _ => Raw { kind: "fee".to_owned(), ..resolution("capture", hold.amount) },
    }
}

/// Records that are all in time, each once.
pub fn orderly_day(seed: u64, records: usize) -> Vec<Raw> {
    let mut dice = Dice(seed);
    let mut now = BEGIN;
    let record = |number: usize| {
        now += i64::try_from(dice.below(900)).unwrap_or(0) * 1_000_000 + 1;
        if dice.below(3) < 2 { transaction(&mut dice, number, now) } else { fill(&mut dice, number, now) }
    };
    (0..records).map(record).collect()
}

/// The same records in disorder: of a hundred, five are up to a hundred places later, and five are repeated.
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

/// Cost and realized P&L of every position at average cost, fill by fill in the order of the records, each id once.
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
    let account = dice.below(PAYERS);
    let other = (kind == "transfer").then(|| format!("a{}", (account + 1 + dice.below(PAYERS - 1)) % PAYERS));
    // A few are large.
    let greatest = if dice.below(20) == 0 { 3_000_000 } else { 100_000 };
    Raw {
        topic: "transactions",
        kind: kind.to_owned(),
        id: format!("t{number}"),
        account: format!("a{account}"),
        other,
        phase: "posted",
        amount: i64::try_from(dice.below(greatest)).unwrap_or(0) + 1,
        ts,
        ..Raw::default()
    }
}

fn quote(dice: &mut Dice, ts: i64) -> Raw {
    let (symbol, price) = (dice.below(SYMBOLS), i64::try_from(dice.below(20_000)).unwrap_or(0) + 2);
    Raw { topic: "market.quotes", kind: "quote".to_owned(), account: format!("S{symbol}"), price, ts, ..Raw::default() }
}

/// Half, one or two, so that conversions are exact both ways.
fn rate(dice: &mut Dice, ts: i64) -> Raw {
    let price = 50 << dice.below(3);
    Raw { topic: "fx.rates", kind: "rate".to_owned(), account: "USD".to_owned(), price, ts, ..Raw::default() }
}

fn fill(dice: &mut Dice, number: usize, ts: i64) -> Raw {
    let quantity = i64::try_from(dice.below(50_000)).unwrap_or(0) + 1;
    Raw {
        topic: "fills",
        kind: "fill".to_owned(),
        id: format!("f{number}"),
        account: format!("a{}", dice.below(TRADERS)),
        other: Some(format!("S{}", dice.below(SYMBOLS))),
        amount: if dice.below(2) == 0 { quantity } else { -quantity },
        price: i64::try_from(dice.below(20_000)).unwrap_or(0) + 1,
        fee: i64::try_from(dice.below(300)).unwrap_or(0),
        ts,
        ..Raw::default()
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

/// Writes reference data of a day: [`INSTRUMENTS`] and accounts, each in a book `firm/desk0` or `firm/desk1`, some of which
/// [move](MOVES); and the closes of the days before, whose returns are +0.5, -0.5 and +1. The last record of instruments and of
/// accounts is older than an earlier one.
pub fn write_terms(log: &Path, seed: u64) -> Result<()> {
    let instrument = |(symbol, currency, multiplier, second): (u64, &str, i64, Option<i64>)| {
        let ts = second.map_or(String::new(), |second| format!(r#","ts":{}"#, BEGIN + second * SECOND));
        let lots = r#""tick_size":"0.01","lot_size":"0.01""#;
        format!(r#"{{"symbol":"S{symbol}","asset_class":"future","currency":"{currency}","multiplier":{multiplier},{lots}{ts}}}"#) + "\n"
    };
    let old = instrument((3, "USD", 7, Some(60)));
    write_log(log, "instruments", 0, &INSTRUMENTS.into_iter().map(instrument).chain([old]).collect::<String>())?;
    let account = |number| {
        let (currency, desk) = (if number == IN_USD { "USD" } else { "EUR" }, number % 2);
        let terms = format!(r#""account_type":"checking","currency":"{currency}","book":"firm/desk{desk}""#);
        format!(r#"{{"type":"opened","account_id":"a{number}","customer_id":"c{number}",{terms},"ts":{OPENED}}}"#) + "\n"
    };
    let moved = |(number, book, second): (u64, String, i64)| {
        let ts = BEGIN + second * SECOND;
        format!(r#"{{"type":"updated","account_id":"a{number}","book":"{book}","ts":{ts}}}"#) + "\n"
    };
    let moves = MOVES.into_iter().map(|(number, second)| (number, format!("firm/desk{}", 1 - number % 2), second));
    let moves = moves.chain([(1, "firm/elsewhere".to_owned(), 50)]).map(moved);
    write_log(log, "accounts", 0, &(0..PAYERS).map(account).chain(moves).collect::<String>())?;
    let mut lines = String::new();
    for (symbol, closes) in closes(seed).iter().enumerate() {
        for (day, close) in (1..).zip(closes) {
            lines += &format!("{{\"symbol\":\"S{symbol}\",\"date\":\"2025-12-{day:02}\",\"close\":\"{close}\"}}\n");
        }
    }
    write_log(log, "market.closes", 0, &lines)
}

/// The closes of each symbol before the day.
pub(crate) fn closes(seed: u64) -> Vec<Vec<i64>> {
    let of_symbol = |returns: Vec<i64>| {
        // At most this many halvings, so that every close is an integer.
        let mut close = 1_i64 << RETURNS;
        let after = |return_in_halves| {
            close += close * return_in_halves / 2;
            close
        };
        std::iter::once(0).chain(returns).map(after).collect()
    };
    returns(seed).into_iter().map(of_symbol).collect()
}

/// The returns of each symbol before the day, in halves.
pub(crate) fn returns(seed: u64) -> Vec<Vec<i64>> {
    let mut dice = Dice(seed + 7);
    let mut one = || [1, -1, 2].get(usize::try_from(dice.below(3)).unwrap_or(0)).copied().unwrap_or(1);
    (0..SYMBOLS).map(|_| (0..RETURNS).map(|_| one()).collect()).collect()
}
