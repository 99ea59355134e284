//! Real daily closes, and seeded trading on them.

use std::fmt::Write;

const CLOSES: &str = include_str!("../data/sp500_daily_closes.csv");

/// Closes by day: the date, and a price for each of [`symbols`].
pub fn days() -> Vec<(&'static str, Vec<&'static str>)> {
    let row = |line: &'static str| {
        let mut fields = line.split(',');
        (fields.next().unwrap_or_default(), fields.collect())
    };
    CLOSES.lines().skip(1).map(row).collect()
}

/// The shares.
pub fn symbols() -> Vec<&'static str> {
    CLOSES.lines().next().unwrap_or_default().split(',').skip(1).collect()
}

/// The last `count` days as records of `market.closes`.
pub fn closes(count: usize) -> String {
    let days = days();
    let mut records = String::new();
    for (date, prices) in days.iter().skip(days.len().saturating_sub(count)) {
        for (symbol, close) in symbols().iter().zip(prices) {
            let _ = writeln!(records, r#"{{"symbol":"{symbol}","date":"{date}","close":"{close}"}}"#);
        }
    }
    records
}

/// The shares as records of `instruments`.
pub fn instruments() -> String {
    let record = |symbol: &&str| {
        format!("{{\"symbol\":\"{symbol}\",\"asset_class\":\"equity\",\"currency\":\"USD\",\"tick_size\":\"0.001\",\"lot_size\":\"1\"}}\n")
    };
    symbols().iter().map(record).collect()
}

/// A small deterministic generator (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// The next number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}

/// A fill as a record, and as the fields that a recomputation needs.
#[derive(Clone, Debug)]
pub struct Fill {
    /// Index of the account.
    pub account: usize,
    /// The symbol.
    pub symbol: &'static str,
    /// Signed quantity: positive bought, negative sold.
    pub quantity: i64,
    /// The price, in thousandths.
    pub price_thousandths: i64,
    /// The fee, in hundredths.
    pub fee_cents: i64,
    /// The record.
    pub record: String,
}

/// Seeded fills at the closes of the last `count` days.
pub fn fills(count: usize, per_day: usize, accounts: usize, seed: u64) -> Vec<Fill> {
    let (days, symbols, mut dice) = (days(), symbols(), Dice(seed));
    let mut fills = Vec::new();
    for (date, prices) in days.iter().skip(days.len().saturating_sub(count)) {
        for minute in 0..per_day {
            let share = usize::try_from(dice.below(symbols.len() as u64)).unwrap_or(0);
            let (Some(symbol), Some(price)) = (symbols.get(share), prices.get(share)) else { continue };
            let account = usize::try_from(dice.below(accounts as u64)).unwrap_or(0);
            let quantity = i64::try_from(dice.below(500)).unwrap_or(0) + 1;
            let buys = dice.below(2) == 0;
            let fee_cents = i64::try_from(dice.below(300)).unwrap_or(0);
            let (whole, part) = price.split_once('.').unwrap_or((price, "0"));
            let thousandths = format!("{whole}{part:0<3}").parse().unwrap_or(0);
            let side = if buys { "buy" } else { "sell" };
            let record = format!(
                r#"{{"type":"fill","fill_id":"f{}","account_id":"a{account}","symbol":"{symbol}","side":"{side}","quantity":{quantity},"price":"{price}","fee":"{}.{:02}","ts":"{date}T15:{:02}:{:02}Z"}}"#,
                fills.len(),
                fee_cents / 100,
                fee_cents % 100,
                minute / 60,
                minute % 60
            );
            let signed = if buys { quantity } else { -quantity };
            fills.push(Fill { account, symbol, quantity: signed, price_thousandths: thousandths, fee_cents, record });
        }
    }
    fills
}

/// Accounts as records of `accounts`, in three books.
pub fn accounts(count: usize) -> String {
    let book = |account: usize| ["firm/equities/us", "firm/equities/tech", "firm/macro"].get(account % 3).copied().unwrap_or("firm");
    let record = |account: usize| {
        format!(
            "{{\"type\":\"opened\",\"account_id\":\"a{account}\",\"customer_id\":\"c{account}\",\"account_type\":\"investment\",\"currency\":\"USD\",\"book\":\"{}\",\"ts\":\"1989-01-01T00:00:00Z\"}}\n",
            book(account)
        )
    };
    (0..count).map(record).collect()
}
