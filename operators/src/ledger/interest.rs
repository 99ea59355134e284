//! Interest: what a balance earns or is charged by day, and what of it is posted by month.
//!
//! - **Accrued** = closing balance × yearly rate ÷ days of the year, rounded half to even at the ninth digit. The closing balance
//!   is the posted one at the end of the day in UTC, by effective time. Credit and loan accounts are charged on what they owe;
//!   others earn on what they have. A closed account accrues nothing.
//! - **Posted** at the end of a month: what accrued and was not posted yet, rounded half up (away from zero) to the currency's
//!   digits. What rounding leaves is the residue, which is carried on.
//! - **Rates** count from the day of their own time. One that comes late restates the days of the month that is not posted yet.

use std::collections::BTreeMap;

use headwater_schemas::events::{AccountEvent, AccountType};
use headwater_schemas::tables::{InterestAccrual, InterestPoint, InterestState, Moment, TableWriter};
use headwater_schemas::value::{currency, fixed};
use headwater_schemas::{AccountId, Currency, Date, Decimal, EffectiveTime, EventTime, Money, Total};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::balances::BalanceTables;

/// Settings of interest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InterestSettings {
    /// Whether the interest of a month enters the ledger. Default false: the bank's own system sends it as transactions of type
    /// `interest`, and the accruals show what it should be.
    pub post: bool,
    /// The days of a year by type of account.
    pub day_count: DayCount,
}

/// Days of a year, by which yearly rates are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DayCount {
    /// For checking accounts. Default 365.
    pub checking: u16,
    /// For savings accounts. Default 365.
    pub savings: u16,
    /// For credit accounts. Default 365.
    pub credit: u16,
    /// For loans. Default 365.
    pub loan: u16,
    /// For investment accounts. Default 365.
    pub investment: u16,
}

impl Default for DayCount {
    fn default() -> Self {
        Self { checking: 365, savings: 365, credit: 365, loan: 365, investment: 365 }
    }
}

impl DayCount {
    /// The days of a year of a type of account.
    fn of(self, account_type: Option<AccountType>) -> u16 {
        match account_type {
            Some(AccountType::Checking) | None => self.checking,
            Some(AccountType::Savings) => self.savings,
            Some(AccountType::Credit) => self.credit,
            Some(AccountType::Loan) => self.loan,
            Some(AccountType::Investment) => self.investment,
        }
    }
}

impl InterestSettings {
    /// What is wrong with them.
    pub fn problems(&self) -> Vec<String> {
        let DayCount { checking, savings, credit, loan, investment } = self.day_count;
        let counts = [("checking", checking), ("savings", savings), ("credit", credit), ("loan", loan), ("investment", investment)];
        let wrong = counts.into_iter().filter(|(_, days)| !matches!(days, 360 | 365));
        wrong.map(|(name, days)| format!("interest.day_count.{name} is {days}: give 365 or 360")).collect()
    }
}

/// The part of a balance that bears interest.
fn bearing(posted: Total, account_type: Option<AccountType>) -> Total {
    let is_charged = matches!(account_type, Some(AccountType::Credit | AccountType::Loan));
    if is_charged { posted.min(Total::ZERO) } else { posted.max(Total::ZERO) }
}

/// The interest of a day; none if it does not fit an amount.
fn of_day(bearing: Total, rate: Decimal, days_of_year: u16) -> Option<Money> {
    let divisor = i128::from(days_of_year).checked_mul(fixed::ONE)?;
    fixed::quotient(bearing.units(), rate.units(), divisor).map(Money::from_units)
}

/// An amount rounded half up to the digits of its currency, and what rounding leaves.
fn rounded(amount: Money, word: &Currency) -> (Money, Money) {
    let digits = currency::exponent(word).unwrap_or(9);
    let unit = 10_i128.checked_pow(9_u32.saturating_sub(digits)).unwrap_or(1);
    let away = if amount.units() < 0 { -(unit / 2) } else { unit / 2 };
    // Integer division truncates towards zero. Amounts are far from the limits of 128 bits.
    let posted = amount.units().saturating_add(away) / unit * unit;
    (Money::from_units(posted), Money::from_units(amount.units().saturating_sub(posted)))
}

/// A yearly rate, or none, from a time on.
type RateChange = (EventTime, Option<Decimal>);

/// The yearly rates of accounts, each from its own time on. Of an account, the rates of the current month are kept, and the last
/// one before.
#[derive(Clone, Debug, Default)]
pub struct Rates(FxHashMap<AccountId, Vec<RateChange>>);

impl Rates {
    /// Applies an event of an account, at an effective time. Of two events of one time the one with the later place counts.
    pub(super) fn learn(&mut self, event: &AccountEvent, now: EventTime) {
        let Some(rate) = rate_of(event) else { return };
        if rate.is_none() && !self.0.contains_key(event.account_id()) {
            return;
        }
        let rates = self.0.entry(*event.account_id()).or_default();
        match rates.binary_search_by_key(&event.ts(), |(ts, _)| *ts) {
            Ok(same) => rates.splice(same..=same, [(event.ts(), rate)]).for_each(drop),
            Err(place) => rates.insert(place, (event.ts(), rate)),
        }
        // Days of earlier months are posted.
        let month = now.date().month_start().start();
        let needless = rates.partition_point(|(ts, _)| *ts <= month).saturating_sub(1);
        rates.drain(..needless);
    }

    /// The rate of an account at a time.
    fn at(&self, account: &AccountId, time: EventTime) -> Option<Decimal> {
        let rates = self.0.get(account)?;
        rates.iter().rev().find(|(ts, _)| *ts <= time).and_then(|(_, rate)| *rate)
    }
}

/// The rate that an event sets, if it does: an opening without one sets none.
pub(super) fn rate_of(event: &AccountEvent) -> Option<Option<Decimal>> {
    match event {
        AccountEvent::Opened(opened) => Some(opened.interest_rate),
        AccountEvent::Updated(updated) => updated.interest_rate.map(Some),
        AccountEvent::Frozen(_) | AccountEvent::Unfrozen(_) | AccountEvent::Closed(_) => None,
    }
}

/// What the interest of an account depends on at a moment.
#[derive(Clone, Copy)]
pub(super) struct Bearer<'a> {
    pub(super) account: &'a AccountId,
    pub(super) account_type: Option<AccountType>,
    /// The account's currency; none if it is unknown, or the account is closed.
    pub(super) currency: Option<Currency>,
    /// The posted balance in the currency in which interest accrues.
    pub(super) posted: Total,
    pub(super) rates: &'a Rates,
    pub(super) day_count: DayCount,
}

/// A day from which on the closing balance or its terms are other ones than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Point {
    date: Date,
    balance: Total,
    /// The part that bears interest.
    bearing: Total,
    rate: Option<Decimal>,
    days_of_year: u16,
}

impl Point {
    fn agrees_with(&self, other: &Self) -> bool {
        Self { date: other.date, ..*self } == *other
    }
}

/// The interest of an account.
#[derive(Clone, Debug)]
pub(super) struct Accruals {
    currency: Currency,
    /// The first day that is not posted.
    since: Date,
    /// The residue of the days before.
    carried: Money,
    /// What accrued and is not posted.
    residue: Money,
    /// The last day that accrued.
    accrued_to: Option<Date>,
    /// Closing balances of the days that are not posted.
    points: Vec<Point>,
    /// When the next day closes.
    due: Option<EffectiveTime>,
    /// When it was changed last.
    changed: EffectiveTime,
    /// Whether it was changed since rows were emitted.
    is_touched: bool,
    /// Rows that changed since rows were emitted.
    rows: BTreeMap<Date, InterestAccrual>,
    emitted: Option<InterestState>,
    emitted_points: Vec<InterestPoint>,
}

/// A change of the timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) cancelled: Option<EffectiveTime>,
    pub(super) set: EffectiveTime,
}

impl Accruals {
    /// The interest of an account that has a rate and a currency.
    pub(super) fn of(bearer: Bearer<'_>, now: EventTime) -> Option<Self> {
        bearer.rates.at(bearer.account, now)?;
        Some(Self {
            currency: bearer.currency?,
            since: now.date(),
            carried: Money::ZERO,
            residue: Money::ZERO,
            accrued_to: None,
            points: Vec::new(),
            due: None,
            changed: now.effective(),
            is_touched: true,
            rows: BTreeMap::new(),
            emitted: None,
            emitted_points: Vec::new(),
        })
    }

    pub(super) const fn currency(&self) -> Currency {
        self.currency
    }

    pub(super) const fn due(&self) -> Option<EffectiveTime> {
        self.due
    }

    /// The state of the balance at the end of a day.
    fn point(&self, bearer: Bearer<'_>, date: Date) -> Point {
        let is_of_account = bearer.currency == Some(self.currency);
        let bearing = if is_of_account { bearing(bearer.posted, bearer.account_type) } else { Total::ZERO };
        let rate = bearer.rates.at(bearer.account, date.end());
        Point { date, balance: bearer.posted, bearing, rate, days_of_year: bearer.day_count.of(bearer.account_type) }
    }

    fn touch(&mut self, now: EffectiveTime) {
        (self.changed, self.is_touched) = (now, true);
    }

    /// Sees to it that the day closes if it accrues, and the month if a day of it has accrued.
    pub(super) fn schedule(&mut self, bearer: Bearer<'_>, date: Date, now: EffectiveTime) -> Option<Due> {
        let point = self.point(bearer, date);
        let is_unposted = self.accrued_to.is_some_and(|last| last >= self.since);
        let day = (point.bearing != Total::ZERO && point.rate.is_some()).then_some(date);
        let month = is_unposted.then(|| date.month_end());
        let wanted = day.or(month)?.end().effective();
        if self.due.is_some_and(|due| due <= wanted) {
            return None;
        }
        self.touch(now);
        Some(Due { cancelled: self.due.replace(wanted), set: wanted })
    }

    /// Closes the day that is due. Returns the amount to be posted, and its month, at the end of a month.
    pub(super) fn close(&mut self, bearer: Bearer<'_>, now: EffectiveTime) -> Option<(Date, Money)> {
        let date = EventTime::from_effective(self.due.take()?).date();
        self.touch(now);
        self.skip_months(date);
        let point = self.point(bearer, date);
        if self.points.last().is_none_or(|last| !last.agrees_with(&point)) {
            self.points.push(point);
        }
        self.accrued_to = Some(date);
        let (mut row, residue) = self.day(bearer.account, point, date, self.residue);
        self.residue = residue;
        let posted = (date == date.month_end()).then(|| rounded(self.residue, &self.currency));
        if let Some((posted, rest)) = posted {
            if !posted.is_zero() && row.is_none() {
                row = Some(self.row(bearer.account, point, date, (Some(Money::ZERO), rest)));
            }
            row = row.map(|row| InterestAccrual { posted, residue: rest, ..row });
            self.begin_month(date, rest, bearer);
        }
        self.rows.extend(row.map(|row| (date, row)));
        posted.map(|(posted, _)| (date, posted)).filter(|(_, posted)| !posted.is_zero())
    }

    /// Months in which nothing accrued have nothing to post.
    fn skip_months(&mut self, date: Date) {
        if self.since.month_end() < date {
            (self.since, self.carried) = (date, self.residue);
            self.points.drain(..self.points.len().saturating_sub(1));
        }
    }

    fn begin_month(&mut self, posted_to: Date, rest: Money, bearer: Bearer<'_>) {
        (self.since, self.carried, self.residue) = (posted_to.next(), rest, rest);
        self.points.drain(..self.points.len().saturating_sub(1));
        if let Some(currency) = bearer.currency.filter(|currency| *currency != self.currency) {
            // What rounding left in the former currency is less than its smallest unit.
            (self.currency, self.carried, self.residue) = (currency, Money::ZERO, Money::ZERO);
            self.points.clear();
        }
    }

    /// Computes the days that are not posted again, because a rate came late. Returns whether one of them changed.
    pub(super) fn restate(&mut self, bearer: Bearer<'_>, now: EffectiveTime) -> bool {
        let before = self.days(bearer.account);
        let mut points = Vec::<Point>::new();
        for date in self.dates() {
            let Some(old) = self.points.iter().rev().find(|point| point.date <= date) else { continue };
            let point = Point { date, rate: bearer.rates.at(bearer.account, date.end()), ..*old };
            if points.last().is_none_or(|last| !last.agrees_with(&point)) {
                points.push(point);
            }
        }
        if points.is_empty() || points == self.points {
            return false;
        }
        self.points = points;
        self.touch(now);
        let after = self.days(bearer.account);
        self.residue = after.last().map_or(self.carried, |(_, _, residue)| *residue);
        let mut is_changed = false;
        for ((date, old, _), (_, new, residue)) in before.into_iter().zip(after) {
            // A day whose rate is taken back accrued nothing.
            let nothing =
                |row: &InterestAccrual| InterestAccrual { rate: Decimal::ZERO, accrued: Some(Money::ZERO), residue, ..row.clone() };
            let new = new.or_else(|| old.as_ref().map(nothing));
            if old != new {
                is_changed = true;
                self.rows.extend(new.map(|row| (date, row)));
            }
        }
        is_changed
    }

    /// The days that accrued and are not posted.
    fn dates(&self) -> impl Iterator<Item = Date> + use<> {
        let last = self.accrued_to;
        std::iter::successors(Some(self.since), |date| Some(date.next())).take_while(move |date| last.is_some_and(|last| *date <= last))
    }

    /// The rows of the days that are not posted, and the residue after each.
    fn days(&self, account: &AccountId) -> Vec<(Date, Option<InterestAccrual>, Money)> {
        let mut residue = self.carried;
        let mut days = Vec::new();
        for date in self.dates() {
            let point = self.points.iter().rev().find(|point| point.date <= date);
            let row = point.and_then(|point| {
                let (row, after) = self.day(account, *point, date, residue);
                residue = after;
                row
            });
            days.push((date, row, residue));
        }
        days
    }

    /// The row of a day, if it bears interest, and the residue after it.
    fn day(&self, account: &AccountId, point: Point, date: Date, residue: Money) -> (Option<InterestAccrual>, Money) {
        let Some(rate) = point.rate.filter(|_| point.bearing != Total::ZERO) else { return (None, residue) };
        let accrued = of_day(point.bearing, rate, point.days_of_year);
        let sum = accrued.and_then(|accrued| residue.checked_add(accrued));
        let (accrued, residue) = sum.map_or((None, residue), |sum| (accrued, sum));
        (Some(self.row(account, point, date, (accrued, residue))), residue)
    }

    fn row(&self, account: &AccountId, point: Point, date: Date, (accrued, residue): (Option<Money>, Money)) -> InterestAccrual {
        InterestAccrual {
            account_id: *account,
            date,
            currency: self.currency,
            rate: point.rate.unwrap_or_default(),
            balance: point.balance,
            accrued,
            posted: Money::ZERO,
            residue,
            ts: date.end(),
        }
    }

    pub(super) fn emit(&mut self, account: &AccountId, at: &Moment, tables: &BalanceTables) {
        if !std::mem::take(&mut self.is_touched) {
            return;
        }
        for row in std::mem::take(&mut self.rows).into_values() {
            tables.interest_accruals.insert(at, row);
        }
        let state = InterestState {
            account_id: *account,
            currency: self.currency,
            since: self.since,
            carried: self.carried,
            accrued_to: self.accrued_to,
            due: self.due.map(EventTime::from_effective),
            ts: EventTime::from_effective(self.changed),
        };
        tables.interest_states.replace(at, self.emitted.replace(state.clone()), Some(state));
        let points: Vec<_> = self.points.iter().map(|point| point.row(account)).collect();
        let before = std::mem::replace(&mut self.emitted_points, points);
        replace_points(&tables.interest_points, at, before, &self.emitted_points);
    }

    /// Restores the interest of an account. Its points come in the order of their dates.
    pub(super) fn restore(row: &InterestState, points: &[&InterestPoint]) -> Self {
        let point = |row: &&InterestPoint| Point {
            date: row.date,
            balance: row.balance,
            bearing: row.bearing,
            rate: row.rate,
            days_of_year: u16::try_from(row.days_of_year).unwrap_or(365),
        };
        let mut restored = Self {
            currency: row.currency,
            since: row.since,
            carried: row.carried,
            residue: row.carried,
            accrued_to: row.accrued_to,
            points: points.iter().map(point).collect(),
            due: row.due.map(EventTime::effective),
            changed: row.ts.effective(),
            is_touched: false,
            rows: BTreeMap::new(),
            emitted: Some(row.clone()),
            emitted_points: points.iter().map(|row| (*row).clone()).collect(),
        };
        restored.residue = restored.days(&row.account_id).last().map_or(row.carried, |(_, _, residue)| *residue);
        restored
    }
}

impl Point {
    fn row(&self, account: &AccountId) -> InterestPoint {
        InterestPoint {
            account_id: *account,
            date: self.date,
            balance: self.balance,
            bearing: self.bearing,
            rate: self.rate,
            days_of_year: i32::from(self.days_of_year),
            ts: self.date.end(),
        }
    }
}

/// The row of a day that is posted: its key alone, whatever it said last.
fn gone(row: &InterestPoint) -> InterestPoint {
    InterestPoint { balance: Total::ZERO, bearing: Total::ZERO, rate: None, days_of_year: 0, ..row.clone() }
}

fn replace_points(table: &TableWriter<InterestPoint>, at: &Moment, before: Vec<InterestPoint>, now: &[InterestPoint]) {
    for row in &before {
        if !now.iter().any(|point| point.date == row.date) {
            table.retract(at, gone(row));
        }
    }
    for row in now.iter().filter(|row| !before.contains(row)) {
        table.insert(at, row.clone());
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::events::Event;
    use headwater_schemas::{Nanos, Topic};

    use super::*;

    /// A change of account `a`'s rate.
    fn updated(rate: &str, ts: EventTime) -> AccountEvent {
        let text = format!(r#"{{"type":"updated","account_id":"a","interest_rate":"{rate}","ts":{}}}"#, ts.nanos());
        match Event::decode(Topic::Accounts, None, Some(text.as_bytes())) {
            Ok(Event::Account(event)) => event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rates_of_earlier_months_are_forgotten_but_the_last_one() {
        let account = AccountId::derived("a");
        let day = |text: &str| text.parse::<Date>().unwrap();
        let mut rates = Rates::default();
        for (ts, rate) in [("2026-01-05", "0.01"), ("2026-01-20", "0.02"), ("2026-02-03", "0.03"), ("2026-02-04", "0.04")] {
            rates.learn(&updated(rate, day(ts).start()), day(ts).start());
        }
        let kept: Vec<_> = rates.0[&account].iter().map(|(ts, _)| ts.date().to_string()).collect();
        assert_eq!(kept, ["2026-01-20", "2026-02-03", "2026-02-04"]);
        assert_eq!(rates.at(&account, day("2026-02-01").end()), Some("0.02".parse().unwrap()));
        // Twelve years of daily changes need no more memory than a month of them.
        let mut now = day("2030-01-01").start().effective();
        for _ in 0..4_383 {
            now = now.saturating_add(Nanos::DAY);
            let ts = EventTime::from_effective(now);
            rates.learn(&updated("0.05", ts), ts);
            assert!(rates.0[&account].len() <= 32);
        }
    }

    #[test]
    fn a_day_is_rounded_half_to_even_at_the_ninth_digit() {
        for (balance, rate, days, expected) in [
            ("1000", "0.0365", 365, Some("0.1")),
            // 0.136986301369…
            ("1000", "0.05", 365, Some("0.136986301")),
            ("-1000", "0.05", 360, Some("-0.138888889")),
            ("1000", "-0.0365", 365, Some("-0.1")),
            // 0.0000000005 and 0.0000000015
            ("0.0000005", "0.365", 365, Some("0")),
            ("0.0000015", "0.365", 365, Some("0.000000002")),
        ] {
            let balance = Total::from_units(fixed::parse(balance).unwrap());
            let interest = of_day(balance, rate.parse().unwrap(), days);
            assert_eq!(interest, expected.map(|text| text.parse().unwrap()), "{balance} {rate} {days}");
        }
        assert_eq!(of_day(Total::from_units(10_i128.pow(38) - 1), Decimal::whole(1_000_000), 365), None);
    }

    #[test]
    fn a_month_is_rounded_half_up_to_the_digits_of_its_currency() {
        for (amount, currency, posted, residue) in [
            ("4.2449", "USD", "4.24", "0.0049"),
            ("4.245", "USD", "4.25", "-0.005"),
            ("-4.245", "USD", "-4.25", "0.005"),
            ("-4.2449", "USD", "-4.24", "-0.0049"),
            ("0.5", "JPY", "1", "-0.5"),
            ("0.0005", "KWD", "0.001", "-0.0005"),
            ("0.000000001", "BTC", "0.000000001", "0"),
        ] {
            let expected = (posted.parse().unwrap(), residue.parse().unwrap());
            assert_eq!(rounded(amount.parse().unwrap(), &Currency::derived(currency)), expected, "{amount} {currency}");
        }
    }
}
