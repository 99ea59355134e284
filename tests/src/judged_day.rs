//! Seeded months of transactions, payments and accesses that rules judge: most of the last days, with events that are late, holds that
//! are captured or voided, and reversals.
//!
//! Times differ by two seconds at least. So a rule with a quiet time of a second has an alert of its own for every event.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::pipeline::write_log;
use crate::prices::Dice;

/// Accounts; each customer owns two.
pub(crate) const ACCOUNTS: i64 = 24;
/// Seconds from the epoch to 2026-02-20T08:00:00Z.
pub(crate) const BEGIN: i64 = 1_771_574_400;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// Places: latitude and longitude in degrees. Two are within a city, two are on another continent.
pub(crate) const PLACES: [(&str, &str); 4] = [("40.7", "-74.0"), ("40.9", "-74.2"), ("51.5", "-0.1"), ("52.5", "13.4")];
/// Time zones of customers, and their hours east of UTC in winter; one is unknown.
pub(crate) const ZONES: [Option<(&str, i64)>; 4] =
    [Some(("America/New_York", -5)), Some(("Europe/London", 0)), None, Some(("Europe/Berlin", 1))];

/// A transaction.
#[derive(Clone, Debug)]
pub struct Deed {
    pub(crate) id: String,
    pub(crate) account: i64,
    pub(crate) kind: &'static str,
    pub(crate) amount: i64,
    pub(crate) other: Option<i64>,
    /// `posted`, `pending`, `void`, `capture` or `reversal`.
    pub(crate) phase: &'static str,
    pub(crate) refers: Option<String>,
    pub(crate) channel: Option<&'static str>,
    pub(crate) place: Option<usize>,
    /// Seconds since the epoch.
    pub(crate) ts: i64,
}

/// A payment.
#[derive(Clone, Debug)]
pub struct Paid {
    pub(crate) id: String,
    pub(crate) customer: i64,
    pub(crate) amount: i64,
    pub(crate) device: Option<i64>,
    pub(crate) place: Option<usize>,
    pub(crate) ts: i64,
}

/// An attempt to access something.
#[derive(Clone, Debug)]
pub struct Accessed {
    pub(crate) actor: i64,
    pub(crate) action: &'static str,
    pub(crate) entity: i64,
    pub(crate) outcome: &'static str,
    pub(crate) ts: i64,
    /// The byte at which its line begins, which is its offset.
    pub(crate) offset: usize,
}

/// All of them, in the order of writing.
#[derive(Clone, Debug)]
pub struct JudgedDay {
    pub(crate) deeds: Vec<Deed>,
    pub(crate) payments: Vec<Paid>,
    pub(crate) accesses: Vec<Accessed>,
}

/// The customer who owns an account.
pub(crate) const fn customer_of(account: i64) -> i64 {
    account % (ACCOUNTS / 2)
}

/// Whether an account is a savings account; the others are checking accounts.
pub(crate) const fn is_savings(account: i64) -> bool {
    account % 3 == 0
}

/// When an account was opened, in seconds since the epoch.
pub(crate) const fn opened(account: i64) -> i64 {
    if account % 6 == 5 { BEGIN - 2 * HOUR } else { BEGIN - 200 * DAY }
}

/// Where a customer lives, as a place.
pub(crate) fn home(customer: i64) -> Option<usize> {
    (customer % 5 != 4).then_some(usize::try_from(customer % 4).unwrap_or(0))
}

/// The zone of a customer: its name and hours east of UTC.
pub(crate) fn zone(customer: i64) -> Option<(&'static str, i64)> {
    ZONES.get(usize::try_from(customer % 4).unwrap_or(0)).copied().flatten()
}

/// A limit that is set for an account, or else for its customer.
pub(crate) fn limit(account: i64, kind: &str) -> Option<i64> {
    match (account, customer_of(account), kind) {
        (4, _, "transaction_amount") => Some(500),
        (7, _, "daily_withdrawal") | (_, 7, "daily_transfer") => Some(900),
        (_, 4, "transaction_amount") => Some(6_000),
        (_, 3, "daily_withdrawal") => Some(20_000),
        _ => None,
    }
}

/// Chooses one of several.
fn one<T: Copy>(dice: &mut Dice, among: &[T], otherwise: T) -> T {
    usize::try_from(dice.below(among.len() as u64)).ok().and_then(|place| among.get(place)).copied().unwrap_or(otherwise)
}

fn below(dice: &mut Dice, bound: i64) -> i64 {
    i64::try_from(dice.below(bound.unsigned_abs())).unwrap_or(0)
}

/// The times of so many events: the first third over the hundred days before, the others minutes apart. None is twice.
fn times(dice: &mut Dice, count: usize) -> Vec<i64> {
    let early = count / 3;
    let mut before: Vec<i64> = (0..early).map(|_| BEGIN - 3 * HOUR - below(dice, 100 * DAY / 4) * 4).collect();
    before.sort_unstable();
    before.dedup();
    let mut now = BEGIN;
    before.extend((early..count).map(|_| {
        now += 4 + 4 * below(dice, 150);
        now
    }));
    before
}

/// An event's own time: now, or up to three hours before, at seconds that no event in time has.
fn own_time(dice: &mut Dice, now: i64, number: usize) -> i64 {
    // Late ones lie between those in time, and differ from each other by their number.
    if now < BEGIN || dice.below(100) >= 15 {
        return now;
    }
    let number = i64::try_from(number).unwrap_or(0);
    (now - below(dice, 3 * HOUR) - 8_000) / 8_000 * 8_000 + 2 + 4 * (number % 2_000)
}

impl JudgedDay {
    /// Seeded events.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice(seed ^ 0x00ad_4e55);
        let deeds = deeds(&mut dice);
        let payments = times(&mut dice, 260).into_iter().enumerate().map(|(number, now)| payment(&mut dice, number, now)).collect();
        let mut accesses: Vec<_> =
            times(&mut dice, 400).into_iter().enumerate().map(|(number, now)| access(&mut dice, number, now)).collect();
        let mut offset = 0;
        for access in &mut accesses {
            access.offset = offset;
            offset += access.line().len() + 1;
        }
        Self { deeds, payments, accesses }
    }

    /// Writes records and reference data into a log.
    pub fn write(&self, log: &Path) -> Result<()> {
        let lines = |lines: Vec<String>| lines.join("\n") + "\n";
        write_log(log, "transactions", 0, &lines(self.deeds.iter().map(Deed::line).collect()))?;
        write_log(log, "payments", 0, &lines(self.payments.iter().map(Paid::line).collect()))?;
        write_log(log, "access", 0, &lines(self.accesses.iter().map(Accessed::line).collect()))?;
        let mut accounts: Vec<i64> = (0..ACCOUNTS).collect();
        accounts.sort_by_key(|account| opened(*account));
        write_log(log, "accounts", 0, &lines(accounts.into_iter().map(account_line).collect()))?;
        write_log(log, "customers", 0, &lines((0..ACCOUNTS / 2).map(customer_line).collect()))?;
        write_log(log, "limits", 0, &lines(limit_lines()))
    }
}

fn account_line(account: i64) -> String {
    let (customer, kind) = (format!("c{}", customer_of(account)), if is_savings(account) { "savings" } else { "checking" });
    let ts = opened(account) * 1_000_000_000;
    json!({ "type": "opened", "account_id": format!("a{account}"), "customer_id": customer, "account_type": kind, "currency": "USD", "ts": ts })
        .to_string()
}

fn customer_line(customer: i64) -> String {
    let mut fields = json!({ "customer_id": format!("c{customer}") });
    let home = home(customer).and_then(|place| PLACES.get(place));
    let zone = zone(customer).map(|(name, _)| name);
    add(&mut fields, [("home_lat", home.map(|home| home.0)), ("home_lon", home.map(|home| home.1)), ("timezone", zone)]);
    fields.to_string()
}

fn limit_lines() -> Vec<String> {
    let limits = [
        ("account:a4", "transaction_amount", "500"),
        ("account:a7", "daily_withdrawal", "900"),
        ("customer:c7", "daily_transfer", "900"),
        ("customer:c4", "transaction_amount", "6000"),
        ("customer:c3", "daily_withdrawal", "20000"),
    ];
    limits.map(|(scope, kind, value)| json!({ "scope": scope, "kind": kind, "value": value }).to_string()).to_vec()
}

/// Adds the fields that are given.
fn add<const COUNT: usize>(fields: &mut Value, given: [(&str, Option<&str>); COUNT]) {
    let mut more: Map<String, Value> = given.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text?)))).collect();
    fields.as_object_mut().into_iter().for_each(|fields| fields.append(&mut more));
}

fn degrees(place: Option<usize>) -> [(&'static str, Option<&'static str>); 2] {
    let place = place.and_then(|place| PLACES.get(place));
    [("lat", place.map(|place| place.0)), ("lon", place.map(|place| place.1))]
}

impl Deed {
    fn line(&self) -> String {
        let phase = match self.phase {
            "pending" | "void" => self.phase,
            _ => "posted",
        };
        let mut fields = json!({
            "transaction_id": self.id, "account_id": format!("a{}", self.account), "type": self.kind, "amount": self.amount.to_string(),
            "currency": "USD", "phase": phase, "ts": self.ts * 1_000_000_000,
        });
        let other = self.other.map(|other| format!("a{other}"));
        let refers = self.refers.as_deref();
        let (pending, reverses) = if self.phase == "reversal" { (None, refers) } else { (refers, None) };
        add(
            &mut fields,
            [("counterparty_account", other.as_deref()), ("pending_id", pending), ("reverses", reverses), ("channel", self.channel)],
        );
        add(&mut fields, degrees(self.place));
        fields.to_string()
    }
}

impl Paid {
    fn line(&self) -> String {
        let mut fields = json!({
            "payment_id": self.id, "customer_id": format!("c{}", self.customer), "merchant_id": "m", "amount": self.amount.to_string(),
            "currency": "USD", "method": "debit_card", "status": "pending", "ts": self.ts * 1_000_000_000,
        });
        let device = self.device.map(|device| format!("d{device}"));
        add(&mut fields, [("device_id", device.as_deref())]);
        add(&mut fields, degrees(self.place));
        fields.to_string()
    }
}

impl Accessed {
    fn line(&self) -> String {
        let (actor, entity) = (format!("u{}", self.actor), format!("e{}", self.entity));
        let (action, outcome, ts) = (self.action, self.outcome, self.ts * 1_000_000_000);
        json!({ "actor": actor, "action": action, "entity_id": entity, "outcome": outcome, "ts": ts }).to_string()
    }
}

/// Transactions. A tenth resolves a hold or reverses a posting of the last hours, each once; a few resolutions come before their hold.
fn deeds(dice: &mut Dice) -> Vec<Deed> {
    let mut deeds: Vec<Deed> = Vec::new();
    let mut open: BTreeMap<String, Deed> = BTreeMap::new();
    for (number, now) in times(dice, 700).into_iter().enumerate() {
        let recent: Vec<Deed> = open.values().filter(|deed| now - deed.ts < 15 * HOUR).cloned().collect();
        if dice.below(100) < 18
            && now > BEGIN
            && let Some(known) = recent.get(usize::try_from(dice.below(recent.len() as u64)).unwrap_or(0))
        {
            open.remove(&known.id);
            deeds.push(resolution(dice, known, format!("t{number}"), now));
            continue;
        }
        let ts = own_time(dice, now, number);
        let mut deed = deed(dice, format!("t{number}"), ts);
        if deed.other.is_none() && deed.kind == "payment" && dice.below(3) == 0 {
            deed.phase = "pending";
            if dice.below(6) == 0 && ts == now {
                deeds.push(resolution(dice, &deed, format!("early{number}"), now));
                deeds.push(deed);
                continue;
            }
        }
        open.insert(deed.id.clone(), deed.clone());
        deeds.push(deed);
    }
    deeds
}

fn deed(dice: &mut Dice, id: String, ts: i64) -> Deed {
    let kind = one(dice, &["deposit", "deposit", "withdrawal", "transfer", "transfer", "transfer", "payment", "payment", "fee"], "fee");
    // Before an account is opened, another one is used.
    let usable = |account: i64| if ts < opened(account) { account - 1 } else { account };
    // A few accounts are busy, so that windows fill.
    let account = usable(if dice.below(2) == 0 { below(dice, 6) } else { below(dice, ACCOUNTS) });
    let has_other = kind == "transfer" || kind == "deposit" && dice.below(5) == 0;
    let other = has_other.then(|| usable((account + 1 + below(dice, ACCOUNTS - 1)) % ACCOUNTS)).filter(|other| *other != account);
    let common = one(dice, &[100, 250, 250, 900, 1_000, 2_500, 2_600, 5_000, 8_000, 8_500, 9_900, 10_000, 10_001, 12_000], 100);
    let amount = if dice.below(3) == 0 { 1 + below(dice, 3_000) } else { common };
    let channel = match kind {
        "deposit" | "withdrawal" => one(dice, &[Some("cash"), Some("cash"), Some("atm"), None], None),
        "transfer" => Some("online"),
        _ => Some("card"),
    };
    let place = (dice.below(2) == 0).then(|| usize::try_from(dice.below(4)).unwrap_or(0));
    Deed { id, account, kind, amount, other, phase: "posted", refers: None, channel, place, ts }
}

/// A void, or a capture of all or of a half; a reversal of all or of a half.
fn resolution(dice: &mut Dice, known: &Deed, id: String, ts: i64) -> Deed {
    let phase = match (known.phase, dice.below(2)) {
        ("pending", 0) => "void",
        ("pending", _) => "capture",
        _ => "reversal",
    };
    let amount = if phase != "void" && dice.below(2) == 0 { known.amount / 2 + 1 } else { known.amount };
    Deed { id, phase, refers: Some(known.id.clone()), other: None, amount, channel: None, place: None, ts, ..known.clone() }
}

fn payment(dice: &mut Dice, number: usize, now: i64) -> Paid {
    let customer = if dice.below(3) == 0 { below(dice, ACCOUNTS / 2) } else { below(dice, 3) };
    let amount = if dice.below(15) == 0 { 2_000 + below(dice, 4_000) } else { 20 + below(dice, 200) };
    let device = (dice.below(4) > 0).then(|| customer * 10 + below(dice, 3));
    let place = (dice.below(2) == 0).then(|| usize::try_from(dice.below(4)).unwrap_or(0));
    Paid { id: format!("p{number}"), customer, amount, device, place, ts: own_time(dice, now, number) }
}

fn access(dice: &mut Dice, number: usize, now: i64) -> Accessed {
    let action = one(dice, &["view", "view", "login", "create", "submit", "approve", "release"], "view");
    let (actor, entity) = (if dice.below(2) == 0 { below(dice, 2) } else { below(dice, 8) }, below(dice, 12));
    let outcome = one(dice, &["success", "success", "denied", "failure"], "success");
    Accessed { actor, action, entity, outcome, ts: own_time(dice, now, number), offset: 0 }
}
