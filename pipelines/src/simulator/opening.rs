//! Opening records: instruments, customers, accounts, limits, rates, closes and deposits from before the simulation.

use std::sync::Arc;

use headwater_schemas::events::*;
use headwater_schemas::{AccountId, Amount, Currency, Date, Decimal, EventTime, Factor, Id, Price, Scope, Size, Symbol, Text};

use super::SimulatorSettings;
use super::cases::PlantedCase;
use super::dice::{Dice, Purpose};
use super::market::{TICK, eur_usd, log_returns};
use super::people::{Account, BOOKS, People, Person};
use super::schedule::{DAY, Planned, SECOND};
use super::shares::{SHARES, Share};

/// Days before the start at which accounts are opened and funded: neither new nor dormant when the simulation begins.
const OPENED_DAYS_AGO: i64 = 60;
const FUNDED_DAYS_AGO: i64 = 30;
/// Seconds before the start at which the transfer in flight is debited: ten less than a quarter of an hour.
const DEBITED_SECONDS_AGO: i64 = 890;
/// Seconds after which a transfer without a step is stuck, by default.
const STUCK_SECONDS: i64 = 900;

/// The opening events, in order.
pub(super) fn events(settings: &SimulatorSettings, people: &People) -> Vec<Event> {
    let start = settings.start.nanos();
    let opened = EventTime::from_nanos(start - OPENED_DAYS_AGO * DAY);
    let mut events: Vec<Event> = SHARES.iter().map(|share| Event::Instrument(Arc::new(instrument(share)))).collect();
    events.extend(people.persons.iter().map(|person| Event::Customer(Arc::new(customer(person)))));
    events.extend(limits());
    events.extend(wishes(people));
    events.extend(people.accounts.iter().map(|account| Event::Account(AccountEvent::Opened(Arc::new(opening(account, opened))))));
    events.push(eur_usd(10_850, opened.nanos()));
    events.push(eur_usd(10_850, start));
    events.extend(closes(settings));
    let mut deposits: Vec<_> = people.accounts.iter().map(|account| deposit(account, start)).collect();
    deposits.sort_by_key(|deposit| deposit.ts);
    events.extend(deposits.into_iter().map(|deposit| Event::Transaction(Arc::new(deposit))));
    events.extend(transfer_in_flight(people, start));
    events
}

/// The case of the transfer in flight: it can be found once it is stuck.
pub(super) fn stuck_transfer(settings: &SimulatorSettings, people: &People) -> Option<PlantedCase> {
    let start = settings.start.nanos();
    let planned: Vec<_> = transfer_in_flight(people, start).into_iter().map(|event| Planned::new(start, event)).collect();
    let case = PlantedCase::of("stuck transfer", &["stuck"], &planned)?;
    let complete_at = EventTime::from_nanos(start + (STUCK_SECONDS - DEBITED_SECONDS_AGO) * SECOND);
    Some(PlantedCase { complete_at, ..case })
}

/// A transfer that was debited nearly a quarter of an hour before the start. Its credit does not come, so it is soon stuck.
fn transfer_in_flight(people: &People, start: i64) -> Vec<Event> {
    let accounts = people.everyday();
    let [from, to, ..] = accounts.as_slice() else { return Vec::new() };
    let transfer_id = Id::derived("X00000000");
    let debited = EventTime::from_nanos(start - DEBITED_SECONDS_AGO * SECOND);
    let initiated = TransferInitiated {
        transfer_id: transfer_id.clone(),
        from_account: from.id,
        to_account: to.id,
        amount: Amount::whole(250),
        currency: from.currency,
        ts: EventTime::from_nanos(debited.nanos() - SECOND),
    };
    let steps =
        [TransferEvent::Initiated(Box::new(initiated)), TransferEvent::Debited(Box::new(TransferStep { transfer_id, ts: debited }))];
    steps.into_iter().map(Event::Transfer).collect()
}

fn instrument(share: &Share) -> Instrument {
    Instrument {
        symbol: Symbol::derived(share.symbol),
        asset_class: AssetClass::Equity,
        currency: Currency::derived("USD"),
        tick_size: Factor::from_units(TICK),
        lot_size: Factor::whole(1),
        multiplier: None,
        reference_price: Some(Price::from_units(i128::from(share.close) * TICK)),
        price_band_bps: Some(Factor::whole(1_000)),
        adv: Some(Size::whole(share.volume)),
        isin: Some(Text::const_new(share.isin)),
        ts: None,
    }
}

fn customer(person: &Person) -> Customer {
    Customer {
        customer_id: person.id,
        group_id: person.group,
        home_lat: Some(person.latitude),
        home_lon: Some(person.longitude),
        timezone: Some(Text::const_new(person.city.zone)),
        country: Some(Text::const_new(person.city.country)),
        birth_date: Some(Date::from_days(person.born)),
        ts: None,
    }
}

fn opening(account: &Account, ts: EventTime) -> AccountOpened {
    let savings = account.kind == AccountType::Savings;
    AccountOpened {
        account_id: account.id,
        customer_id: account.owner.id,
        account_type: account.kind,
        currency: account.currency,
        book: account.book.map(Text::const_new),
        interest_rate: savings.then(|| Decimal::from_units(25_000_000)),
        overdraft_limit: (account.kind == AccountType::Checking).then(|| Amount::whole(500)),
        ts,
    }
}

/// The deposit that funds an account: on a working day, at noon local time.
fn deposit(account: &Account, start: i64) -> Transaction {
    let mut day = (start - FUNDED_DAYS_AGO * DAY).div_euclid(DAY);
    while !working(day) {
        day -= 1;
    }
    let noon = day * DAY + (12 - account.owner.city.hours) * 3_600 * SECOND;
    Transaction {
        channel: Some(Channel::Wire),
        description: Some(Text::const_new("opening deposit")),
        ..blank(format!("D-{}", account.id), account, TransactionType::Deposit, account.funds, noon)
    }
}

/// A transaction with the required fields.
pub(super) fn blank(id: String, account: &Account, r#type: TransactionType, cents: i64, ts: i64) -> Transaction {
    Transaction {
        transaction_id: Id::derived(id),
        account_id: account.id,
        r#type,
        amount: cents_of(cents),
        currency: account.currency,
        counterparty_account: None,
        phase: None,
        pending_id: None,
        reverses: None,
        channel: None,
        merchant: None,
        mcc: None,
        description: None,
        device_id: None,
        lat: None,
        lon: None,
        country: None,
        counter_amount: None,
        counter_currency: None,
        balance_after: None,
        ts: EventTime::from_nanos(ts),
    }
}

/// An amount in cents.
pub(super) fn cents_of(cents: i64) -> Amount {
    Amount::from_units(i128::from(cents.max(0)) * 10_000_000)
}

/// The limits: defaults for everybody, and some that trading will soon exceed.
fn limits() -> impl Iterator<Item = Event> {
    use LimitKind::{Concentration, GrossExposure, Leverage, OrderNotional, PositionValue, Var};
    let everybody = [
        (LimitScope::Default, PositionValue, 1_000_000_000),
        (LimitScope::Default, Var, 50_000_000),
        (LimitScope::Default, Leverage, 3_000),
        (LimitScope::Default, OrderNotional, 500_000_000),
    ];
    let account = |name: &str| LimitScope::Account(AccountId::derived(name));
    let tight = [
        (account("INV-C022"), PositionValue, 15_000_000),
        (account("INV-C023"), PositionValue, 25_000_000),
        (account("INV-C024"), GrossExposure, 30_000_000),
        (account("INV-C025"), Concentration, 400),
        (account("INV-C028"), Var, 500_000),
        (account("INV-C023"), Leverage, 1_500),
        (LimitScope::Book(Scope::derived("firm/equities/tech")), GrossExposure, 100_000_000),
        (LimitScope::Book(Scope::derived("firm/equities")), Var, 4_000_000),
        (LimitScope::Book(Scope::derived("firm")), GrossExposure, 2_000_000_000),
    ];
    everybody.into_iter().chain(tight).map(|(scope, kind, thousandths): (_, _, i128)| {
        Event::Limit(Arc::new(Limit { scope, kind, value: Decimal::from_units(thousandths * 1_000_000), warn_at: None, ts: None }))
    })
}

/// Watchlists and budgets of customers: prices a little away from the close, and budgets that some will exceed.
fn wishes(people: &People) -> Vec<Event> {
    let mut events = Vec::new();
    let sides = [(Direction::Above, 1_003), (Direction::Below, 997)];
    for (person, (share, (direction, per_mille))) in people.persons.iter().zip(SHARES.iter().zip(sides.into_iter().cycle())) {
        let price = Price::from_units(i128::from(share.close * per_mille / 1_000) * TICK);
        let (customer_id, symbol) = (person.id, Symbol::derived(share.symbol));
        events.push(Event::Watch(Box::new(Watch { customer_id, symbol, direction, price, ts: None })));
    }
    for account in people.everyday().iter().take(20) {
        let (customer_id, currency) = (account.owner.id, account.currency);
        let (category, amount) = (Text::const_new("groceries"), Amount::whole(50));
        events.push(Event::Budget(Box::new(Budget { customer_id, category, amount, currency, threshold: None, ts: None })));
    }
    events
}

/// The closes of the trading days before the start, oldest first. They are computed backwards from the last one, so that the
/// history ends where the market begins.
fn closes(settings: &SimulatorSettings) -> Vec<Event> {
    let mut dice = Dice::new(settings.seed, Purpose::History);
    let mut logs: Vec<f64> = SHARES.iter().map(|_| 0.0).collect();
    let mut days = Vec::new();
    let mut day = i64::from(settings.start.date().days());
    for _ in 0..settings.history_days {
        day -= 1;
        while !working(day) {
            day -= 1;
        }
        days.push(day_closes(day, &logs));
        for ((log, share), moved) in logs.iter_mut().zip(&SHARES).zip(log_returns(&mut dice)) {
            *log -= share.drift + moved;
        }
    }
    days.into_iter().rev().flatten().collect()
}

fn day_closes(day: i64, logs: &[f64]) -> Vec<Event> {
    let date = Date::from_days(i32::try_from(day).unwrap_or(0));
    SHARES.iter().zip(logs).map(|(share, log)| super::market::close(share, super::market::moved(share.close, *log), date)).collect()
}

/// Whether a day since the epoch (a Thursday) is from Monday to Friday.
fn working(day: i64) -> bool {
    (day + 3).rem_euclid(7) < 5
}

/// The book of the market makers.
pub(super) fn makers_book() -> Option<&'static str> {
    BOOKS.first().copied()
}
