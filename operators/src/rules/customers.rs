//! What is known about an account, its customer, and the rates of its money when an event arrives.

use std::collections::BTreeSet;

use headwater_schemas::events::{AccountType, Event, LimitKind};
use headwater_schemas::{AccountId, Amount, Currency, CustomerId, EventTime, Money};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use rustc_hash::FxHashMap;

use super::field::Field;
use super::geo::Location;
use super::pack::Kept;
use crate::reference::{Account, Reference};
use crate::valuation::rates::Rates;
use crate::zones::{CustomerZones, utc_offset};

/// Accounts and customers, with their time zones, and exchange rates.
#[derive(Clone, Debug, Default)]
pub struct Customers {
    reference: Reference,
    /// The customers who owned an account before its present one, for the few accounts that changed hands.
    former: FxHashMap<AccountId, BTreeSet<CustomerId>>,
    zones: CustomerZones,
    /// None, unless some rule reads amounts in the base currency.
    rates: Rates,
}

/// The currency into which rules convert amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseCurrency {
    /// The currency.
    pub currency: Currency,
    /// The currency over which amounts are converted that have no rate of their own.
    pub pivot: Currency,
}

impl Default for BaseCurrency {
    fn default() -> Self {
        let dollar = Currency::derived("USD");
        Self { currency: dollar, pivot: dollar }
    }
}

/// What is known when an event arrives. It stays with the event: a customer who moves house does not change earlier decisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) customer: Option<CustomerId>,
    /// The amount of the event in the base currency, in billionths.
    pub(super) amount_base: Option<i128>,
    pub(super) home: Option<Location>,
    /// Seconds east of UTC.
    pub(super) utc_offset: Option<i32>,
    pub(super) account_type: Option<AccountType>,
    pub(super) opened_at: Option<EventTime>,
    pub(super) limits: SetLimits,
    /// When the day and the month began where the customer lives; in UTC where that is unknown.
    pub(super) day_start: Option<EventTime>,
    pub(super) month_start: Option<EventTime>,
}

/// Limits that are set for an account or its customer, in billionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SetLimits {
    pub(super) transaction: Option<i128>,
    pub(super) daily_withdrawal: Option<i128>,
    pub(super) daily_transfer: Option<i128>,
}

impl Customers {
    /// Learns from a broadcast of an account, a customer, a limit or a rate; ignores others.
    pub(super) fn learn(&mut self, event: &Event) {
        if let Event::FxRate(rate) = event {
            return self.rates.set(rate.base, rate.quote, rate.rate, rate.ts);
        }
        self.zones.learn(event);
        if matches!(event, Event::Customer(_) | Event::Account(_) | Event::Limit(_) | Event::Deleted(_)) {
            let before = self.owner_of(event);
            self.reference.learn(event);
            self.note_former(before, event);
        }
    }

    /// The account of an event about one, and the customer who owns it.
    fn owner_of(&self, event: &Event) -> Option<(AccountId, CustomerId)> {
        let Event::Account(event) = event else { return None };
        let account = *event.account_id();
        Some((account, self.owner(&account)?))
    }

    /// Notes the owner whom an account had before an event.
    fn note_former(&mut self, before: Option<(AccountId, CustomerId)>, event: &Event) {
        if let Some((account, owner)) = before.filter(|before| self.owner_of(event) != Some(*before)) {
            self.former.entry(account).or_default().insert(owner);
        }
    }

    /// The customers who are known to have owned an account before its present one.
    pub(super) fn former_owners(&self, account: &AccountId) -> impl Iterator<Item = CustomerId> + use<'_> {
        self.former.get(account).into_iter().flatten().copied()
    }

    /// The customer who owns an account.
    pub(super) fn owner(&self, account: &AccountId) -> Option<CustomerId> {
        self.reference.customer_of(account)
    }

    /// An amount in the base currency, in billionths, by the rates known now.
    pub(super) fn in_base(&self, base: &BaseCurrency, amount: Amount, currency: &Currency) -> Option<i128> {
        let path = self.rates.path(currency, &base.currency, &base.pivot)?;
        path.convert(Money::from_units(amount.units())).map(Money::units)
    }

    /// What is known about an account and a customer at a time. The customer is that of the account, where none is given.
    pub(super) fn facts(&self, account: Option<&AccountId>, customer: Option<CustomerId>, ts: EventTime, kept: &Kept) -> Facts {
        let known = account.and_then(|account| self.reference.account(account));
        let customer_id = customer.or_else(|| known.and_then(Account::customer_id));
        let customer = customer_id.and_then(|customer| self.reference.customer(&customer));
        let zone = customer_id.and_then(|customer| self.zones.of(&customer));
        Facts {
            customer: customer_id,
            amount_base: None,
            home: customer.and_then(|customer| Location::new(customer.home_lat, customer.home_lon)),
            utc_offset: zone.and_then(|zone| utc_offset(zone, ts)),
            account_type: known.and_then(Account::account_type),
            opened_at: known.and_then(Account::opened_at),
            limits: account.map_or_else(SetLimits::default, |account| self.limits(account, kept)),
            day_start: kept.slot(Field::DayStart).and_then(|_| day_start(&local(zone, ts)?)),
            month_start: kept.slot(Field::MonthStart).and_then(|_| day_start(&local(zone, ts)?.first_of_month().ok()?)),
        }
    }

    fn limits(&self, account: &AccountId, kept: &Kept) -> SetLimits {
        let set = |field, kind| {
            let limit = kept.slot(field).and_then(|_| self.reference.account_limit(kind, account))?;
            Some(limit.value.units())
        };
        SetLimits {
            transaction: set(Field::TransactionLimit, LimitKind::TransactionAmount),
            daily_withdrawal: set(Field::DailyWithdrawalLimit, LimitKind::DailyWithdrawal),
            daily_transfer: set(Field::DailyTransferLimit, LimitKind::DailyTransfer),
        }
    }
}

/// A time where the customer lives; in UTC where that is unknown.
fn local(zone: Option<&TimeZone>, ts: EventTime) -> Option<Zoned> {
    let moment = Timestamp::from_nanosecond(i128::from(ts.nanos())).ok()?;
    Some(moment.to_zoned(zone.cloned().unwrap_or(TimeZone::UTC)))
}

fn day_start(local: &Zoned) -> Option<EventTime> {
    let nanos = local.start_of_day().ok()?.timestamp().as_nanosecond();
    i64::try_from(nanos).ok().map(EventTime::from_nanos)
}
