//! The diary: seeded choices, records in the order of their times, and the cases that were planted.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::prices::Dice;

/// Milliseconds since Monday, 2026-03-02T00:00:00Z. The past is negative.
pub type Millis = i64;
/// A second.
pub const SECOND: Millis = 1_000;
/// A minute.
pub const MINUTE: Millis = 60 * SECOND;
/// An hour.
pub const HOUR: Millis = 60 * MINUTE;
/// A day.
pub const DAY: Millis = 24 * HOUR;
/// 2026-03-02T00:00:00Z, in milliseconds since the epoch.
const MONDAY: i64 = 1_772_409_600_000;

/// A record.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its time; none for reference data that counts from the beginning.
    at: Option<Millis>,
    /// The topic.
    pub topic: &'static str,
    /// The JSON.
    pub text: String,
}

/// A planted case of a rule.
#[derive(Clone, Debug)]
pub struct Case {
    /// The pack or view.
    pub pack: &'static str,
    /// The rule that has to find it.
    pub rule: &'static str,
    /// Those who are in it and do nothing else: accounts, customers, owners, actors, a symbol.
    pub parties: BTreeSet<String>,
    /// The ids of its records, where they have one.
    pub events: BTreeSet<String>,
    /// When it happens, if its party does other things at other times.
    pub during: Option<(Millis, Millis)>,
}

/// A place, in ten thousandths of a degree.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Latitude.
    pub latitude: i64,
    /// Longitude.
    pub longitude: i64,
}

/// A transaction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Movement<'a> {
    /// The account.
    pub account: &'a str,
    /// The type.
    pub kind: &'a str,
    /// The amount, in hundredths.
    pub cents: i64,
    /// The account of the other side.
    pub peer: Option<&'a str>,
    /// The channel.
    pub channel: &'a str,
    /// Where it was made.
    pub place: Option<Place>,
    /// The transaction that it reverses.
    pub reverses: Option<&'a str>,
}

/// A payment to a merchant.
#[derive(Clone, Copy, Debug)]
pub struct Purchase<'a> {
    /// Who pays.
    pub customer: &'a str,
    /// The amount, in hundredths.
    pub cents: i64,
    /// The device.
    pub device: &'a str,
    /// Where it was made.
    pub place: Option<Place>,
}

/// A record of access.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Who.
    pub actor: &'a str,
    /// What.
    pub action: &'a str,
    /// On what.
    pub entity: &'a str,
    /// The outcome.
    pub outcome: &'a str,
}

/// Seeded choices, records and cases.
pub struct Diary {
    dice: Dice,
    entries: Vec<Entry>,
    cases: Vec<Case>,
    next: u64,
}

/// Quantiles of a skewed distribution around its median, in percent: most amounts are small, a few are large.
const SKEWED: [i64; 12] = [25, 38, 50, 62, 74, 88, 105, 125, 152, 190, 260, 420];

/// A number of hundredths as text.
pub fn hundredths(number: i64) -> String {
    format!("{}.{:02}", number / 100, number % 100)
}

fn degrees(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}.{:04}", number.abs() / 10_000, number.abs() % 10_000)
}

/// The time of nanoseconds since the epoch.
pub fn time_of(nanos: i64) -> Millis {
    nanos / 1_000_000 - MONDAY
}

/// A time as nanoseconds since the epoch.
fn nanos(at: Millis) -> i64 {
    (MONDAY + at) * 1_000_000
}

impl Diary {
    /// An empty diary.
    pub fn new(seed: u64) -> Self {
        Self { dice: Dice(seed ^ 0x5eed_c01d), entries: Vec::new(), cases: Vec::new(), next: 0 }
    }

    /// A number from `least` to `most`.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        let range = u64::try_from(most - least + 1).unwrap_or(1);
        least + i64::try_from(self.dice.below(range)).unwrap_or(0)
    }

    /// Whether something of so many percent happens.
    pub fn chance(&mut self, percent: i64) -> bool {
        self.between(0, 99) < percent
    }

    /// One of several; none of none.
    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        among.get(usize::try_from(self.dice.below(among.len() as u64)).ok()?)
    }

    /// A skewed number with this median, from a quarter of it to four times as much.
    pub fn around(&mut self, median: i64) -> i64 {
        let place = usize::try_from(self.between(0, 10)).unwrap_or(0);
        let quantile = |place: usize| SKEWED.get(place).copied().unwrap_or(100);
        let percent = self.between(quantile(place), quantile(place + 1));
        (median * percent / 100).max(1)
    }

    /// A new name.
    pub fn name(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}{}", self.next)
    }

    /// Writes a record.
    pub fn write(&mut self, at: Millis, topic: &'static str, mut fields: Value) {
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("ts".to_owned(), json!(nanos(at)));
        }
        self.entries.push(Entry { at: Some(at), topic, text: fields.to_string() });
    }

    /// Writes reference data that counts from the beginning.
    pub fn write_reference(&mut self, topic: &'static str, fields: &Value) {
        self.entries.push(Entry { at: None, topic, text: fields.to_string() });
    }

    /// Writes a transaction, and returns its id.
    pub fn transact(&mut self, at: Millis, movement: Movement<'_>) -> String {
        let id = self.name("t");
        let Movement { account, kind, cents, peer, channel, place, reverses } = movement;
        let mut fields = json!({
            "transaction_id": id, "account_id": account, "type": kind, "amount": hundredths(cents), "currency": "USD", "channel": channel,
        });
        add(&mut fields, place, [("counterparty_account", peer), ("reverses", reverses)]);
        self.write(at, "transactions", fields);
        id
    }

    /// Writes a payment that is completed soon after, and returns its id.
    pub fn purchase(&mut self, at: Millis, purchase: Purchase<'_>) -> String {
        let (id, merchant) = (self.name("p"), self.between(1, 60));
        let Purchase { customer, cents, device, place } = purchase;
        for (status, after) in [("pending", 0), ("completed", 2 * SECOND)] {
            let mut fields = json!({
                "payment_id": id, "customer_id": customer, "merchant_id": format!("m{merchant}"), "amount": hundredths(cents), "currency": "USD",
                "method": "debit_card", "status": status, "device_id": device,
            });
            add(&mut fields, place, []);
            self.write(at + after, "payments", fields);
        }
        id
    }

    /// Writes an attempt to access something.
    pub fn attempt(&mut self, at: Millis, attempt: Attempt<'_>) {
        let Attempt { actor, action, entity, outcome } = attempt;
        self.write(at, "access", json!({ "actor": actor, "action": action, "entity_id": entity, "outcome": outcome }));
    }

    /// Notes a case.
    pub fn case(&mut self, pack: &'static str, rule: &'static str, parties: &[&str], events: &[String]) {
        let parties = parties.iter().map(|party| (*party).to_owned()).collect();
        self.cases.push(Case { pack, rule, parties, events: events.iter().cloned().collect(), during: None });
    }

    /// Notes a case of a party that does other things at other times.
    pub fn case_during(&mut self, pack: &'static str, rule: &'static str, party: &str, during: (Millis, Millis)) {
        let parties = [party.to_owned()].into();
        self.cases.push(Case { pack, rule, parties, events: BTreeSet::new(), during: Some(during) });
    }

    /// The records in the order of their times, and the cases.
    pub fn closed(mut self) -> (Vec<Entry>, Vec<Case>) {
        self.entries.sort_by_key(|entry| entry.at);
        (self.entries, self.cases)
    }
}

/// Adds what is given to the fields of a record.
fn add<const COUNT: usize>(fields: &mut Value, place: Option<Place>, texts: [(&str, Option<&str>); COUNT]) {
    let mut more = Map::new();
    for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text?))) {
        more.insert(name.to_owned(), json!(text));
    }
    if let Some(Place { latitude, longitude }) = place {
        more.insert("lat".to_owned(), json!(degrees(latitude)));
        more.insert("lon".to_owned(), json!(degrees(longitude)));
    }
    if let Some(fields) = fields.as_object_mut() {
        fields.append(&mut more);
    }
}
