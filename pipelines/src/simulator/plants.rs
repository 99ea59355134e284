//! Planted frauds and manipulations, at fixed times, which the pipeline has to find.

use headwater_schemas::events::{Access, AccessOutcome, Channel, Event, Transaction, TransactionType};
use headwater_schemas::{Decimal, EventTime, Id, Text};

use super::bank::{Bank, label, planned, planned_payment};
use super::market::Market;
use super::people::{Account, CITIES, City, near};
use super::schedule::{DOLLAR, MILLISECOND, Planned, SECOND};
use super::traders::Traders;

/// A planted event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plant {
    /// Seven small card payments in three seconds, then a large one.
    CardTesting,
    /// A wire of more than 10 000.
    Large,
    /// A card payment at home, and one in another part of the world two seconds later.
    Travel,
    /// A payment at night where the customer lives.
    Night,
    /// Seven payments to merchants in three seconds, from a device that is new.
    PaymentBurst,
    /// Three cash deposits just below 10 000.
    Structuring,
    /// A trade between two accounts of one owner.
    Wash,
    /// Layers of sell orders that are cancelled after a buy.
    Spoof,
    /// Six payers send money to a mule, which passes it on seconds later.
    Mule,
    /// Money that comes back to its payer over two other accounts.
    RoundTrip,
    /// At night, after failed attempts, somebody spends a customer's money from a new device on another continent.
    Takeover,
}

/// A plant, when it happens, and what has to find it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planting {
    pub(super) plant: Plant,
    /// Name of its cases.
    pub(super) name: &'static str,
    /// Seconds from the start to the first case.
    pub(super) first: i64,
    /// Seconds from one case to the next.
    pub(super) period: i64,
    /// Rules that have to find each case.
    pub(super) rules: &'static [&'static str],
}

const fn planting(plant: Plant, name: &'static str, first: i64, period: i64, rules: &'static [&'static str]) -> Planting {
    Planting { plant, name, first, period, rules }
}

/// All plants.
pub(super) static TIMETABLE: [Planting; 11] = [
    planting(Plant::Large, "large amount", 4, 10, &["large_amount"]),
    planting(Plant::CardTesting, "card testing", 5, 20, &["velocity"]),
    planting(Plant::Travel, "impossible travel", 8, 20, &["impossible_travel"]),
    planting(Plant::Mule, "mule", 9, 60, &["fan_in", "in_and_out"]),
    planting(Plant::Night, "night", 10, 15, &["night"]),
    planting(Plant::RoundTrip, "round trip", 11, 90, &["round_trip"]),
    planting(Plant::PaymentBurst, "payment burst", 12, 30, &["new_device", "velocity"]),
    planting(Plant::Wash, "wash trade", 14, 30, &["wash_trade"]),
    planting(Plant::Takeover, "account takeover", 16, 60, &["access_denied", "new_device", "far_from_home", "night", "impossible_travel"]),
    planting(Plant::Structuring, "structuring", 18, 60, &["structuring"]),
    planting(Plant::Spoof, "spoofing", 22, 45, &["layering"]),
];

impl Planting {
    /// Time from one case to the next, in nanoseconds.
    pub(super) const fn period(&self) -> i64 {
        self.period * SECOND
    }
}

impl Plant {
    /// Events of the plant at a time.
    pub(super) fn events(self, now: i64, bank: &mut Bank, traders: &mut Traders, market: &Market) -> Vec<Planned> {
        match self {
            Self::Wash => traders.wash_trade(now, market),
            Self::Spoof => traders.spoof(now, market),
            Self::Mule => bank.mule(now),
            Self::RoundTrip => bank.round_trip(now),
            Self::Night => bank.next_victim_at_night(now).map(|account| bank.at_night(&account, now)).unwrap_or_default(),
            Self::Takeover => bank.next_victim_at_night(now).map(|account| bank.takeover(&account, now)).unwrap_or_default(),
            _ => bank.next_victim().map(|account| self.on_account(&account, bank, now)).unwrap_or_default(),
        }
    }

    fn on_account(self, account: &Account, bank: &mut Bank, now: i64) -> Vec<Planned> {
        match self {
            Self::CardTesting => bank.card_testing(account, now),
            Self::Large => bank.large(account, now),
            Self::Travel => bank.travel(account, now),
            Self::PaymentBurst => bank.payment_burst(account, now),
            Self::Structuring => bank.structuring(account, now),
            Self::Night | Self::Wash | Self::Spoof | Self::Mule | Self::RoundTrip | Self::Takeover => Vec::new(),
        }
    }
}

/// Where somebody is.
struct Place {
    latitude: Decimal,
    longitude: Decimal,
    country: &'static str,
}

/// An attempt to log in as an account's customer.
fn log_in(account: &Account, outcome: AccessOutcome, device: &str, place: &Place, at: i64) -> Access {
    Access {
        actor: account.owner.id.to_id(),
        action: Text::const_new("log_in"),
        entity_type: Some(Text::const_new("account")),
        entity_id: Some(Text::new(account.id.as_str())),
        outcome,
        device_id: Some(Text::from(device)),
        ip: Some(Text::const_new("203.0.113.7")),
        lat: Some(place.latitude),
        lon: Some(place.longitude),
        ts: EventTime::from_nanos(at),
    }
}

impl Bank {
    fn card_testing(&mut self, account: &Account, now: i64) -> Vec<Planned> {
        let device = Text::from(format!("unknown-{}", now.div_euclid(SECOND)));
        let mut transactions = Vec::new();
        for number in 0..8 {
            let last = number == 7;
            let large = if self.dice.percent(50) { 10_500 * DOLLAR } else { 1_400 * DOLLAR };
            let cents = if last { large + self.dice.between(0, 99_999) } else { self.dice.between(DOLLAR, 499) };
            let payment = self.at_merchant(account, cents, now + number * 400 * MILLISECOND);
            transactions.push(Transaction { device_id: Some(device.clone()), ..payment });
        }
        self.found_out(transactions)
    }

    fn large(&mut self, account: &Account, now: i64) -> Vec<Planned> {
        let kind = if self.dice.percent(50) { TransactionType::Deposit } else { TransactionType::Withdrawal };
        let cents = self.dice.between(10_001 * DOLLAR, 25_000 * DOLLAR);
        let wire = self.blank(account, kind, cents, now);
        vec![planned(Transaction { channel: Some(Channel::Wire), ..wire })]
    }

    fn travel(&mut self, account: &Account, now: i64) -> Vec<Planned> {
        let (near_home, far_away) = (self.dice.between(5 * DOLLAR, 80 * DOLLAR), self.dice.between(200 * DOLLAR, 900 * DOLLAR));
        let mut home = self.at_merchant(account, near_home, now);
        self.at_home(&mut home, account);
        let mut away = self.at_merchant(account, far_away, now + 2 * SECOND);
        if let Some(place) = self.elsewhere(account) {
            (away.lat, away.lon, away.country) = (Some(place.latitude), Some(place.longitude), Some(Text::const_new(place.country)));
        }
        self.found_out(vec![home, away])
    }

    /// A place on another continent than an account's customer.
    fn elsewhere(&mut self, account: &Account) -> Option<Place> {
        let far = |city: &&City| (city.longitude - account.owner.city.longitude).abs() > 40_000;
        let elsewhere: Vec<&City> = CITIES.iter().filter(far).collect();
        let city = *self.dice.pick(&elsewhere)?;
        let (latitude, longitude) = (near(&mut self.dice, city.latitude, 30), near(&mut self.dice, city.longitude, 30));
        Some(Place { latitude, longitude, country: city.country })
    }

    fn at_night(&mut self, account: &Account, now: i64) -> Vec<Planned> {
        let cents = self.dice.between(300 * DOLLAR, 1_900 * DOLLAR);
        let mut payment = self.at_merchant(account, cents, now);
        self.at_home(&mut payment, account);
        vec![planned(payment)]
    }

    fn structuring(&mut self, account: &Account, now: i64) -> Vec<Planned> {
        let mut deposits = Vec::new();
        for number in 0..3 {
            let cents = self.dice.between(8_500 * DOLLAR, 9_900 * DOLLAR);
            let deposit = self.blank(account, TransactionType::Deposit, cents, now + number * SECOND);
            deposits.push(planned(Transaction { channel: Some(Channel::Cash), ..deposit }));
        }
        deposits
    }

    fn mule(&mut self, now: i64) -> Vec<Planned> {
        let Some(mule) = self.next_launderer() else { return Vec::new() };
        let mut sum = 0;
        let mut transactions = Vec::new();
        for (payer, number) in self.payers_of(&mule, 6).into_iter().zip(0..) {
            let cents = self.dice.between(300 * DOLLAR, 900 * DOLLAR);
            sum += cents;
            transactions.push(planned(self.send(&payer, &mule, cents, now + number * 400 * MILLISECOND)));
        }
        let wire = self.blank(&mule, TransactionType::Withdrawal, sum * 95 / 100, now + 5 * SECOND);
        transactions.push(planned(Transaction { channel: Some(Channel::Wire), ..wire }));
        transactions
    }

    fn round_trip(&mut self, now: i64) -> Vec<Planned> {
        let ring = self.next_ring();
        let mut cents = self.dice.between(2_000 * DOLLAR, 4_000 * DOLLAR);
        let mut transactions = Vec::new();
        for ((from, to), number) in ring.iter().zip(ring.iter().cycle().skip(1)).zip(0..) {
            transactions.push(planned(self.send(from, to, cents, now + number * SECOND)));
            cents = cents * self.dice.between(90, 98) / 100;
        }
        transactions
    }

    fn takeover(&mut self, account: &Account, now: i64) -> Vec<Planned> {
        let device = format!("stolen-{}", now.div_euclid(SECOND));
        let Some(place) = self.elsewhere(account) else { return Vec::new() };
        let mut planned = Vec::new();
        for number in 0..4 {
            let outcome = if number < 3 { AccessOutcome::Denied } else { AccessOutcome::Success };
            let access = log_in(account, outcome, &device, &place, now + number * 300 * MILLISECOND);
            planned.push(Planned::new(access.ts.nanos(), Event::Access(Box::new(access))));
        }
        let cents = self.dice.between(700 * DOLLAR, 1_900 * DOLLAR);
        let mut payment = self.blank_payment(account, cents, device.clone(), now + 2 * SECOND);
        (payment.lat, payment.lon) = (Some(place.latitude), Some(place.longitude));
        planned.push(planned_payment(payment));
        let cents = 20 * DOLLAR * self.dice.between(30, 60);
        let mut cash = self.blank(account, TransactionType::Withdrawal, cents, now + 3 * SECOND);
        (cash.channel, cash.device_id, cash.country) = (Some(Channel::Atm), Some(Text::from(device)), Some(Text::const_new(place.country)));
        (cash.lat, cash.lon) = (Some(place.latitude), Some(place.longitude));
        planned.extend(self.found_out(vec![cash]));
        planned
    }

    fn payment_burst(&mut self, account: &Account, now: i64) -> Vec<Planned> {
        let device = format!("unknown-{}", now.div_euclid(SECOND));
        let mut planned = Vec::new();
        for number in 0..7 {
            let cents = self.dice.between(40 * DOLLAR, 400 * DOLLAR);
            let payment = self.blank_payment(account, cents, device.clone(), now + number * 450 * MILLISECOND);
            planned.push(self.paid(payment));
        }
        planned
    }

    /// Transactions, the last of which a person usually finds to be fraud after a while.
    fn found_out(&mut self, transactions: Vec<Transaction>) -> Vec<Planned> {
        let last: Option<(Id, EventTime)> = transactions.last().map(|last| (last.transaction_id.clone(), last.ts));
        let mut events: Vec<_> = transactions.into_iter().map(planned).collect();
        if let Some((id, ts)) = last.filter(|_| self.dice.percent(70)) {
            events.push(label(id, "fraud", ts.nanos() + self.dice.between(3_000, 8_000) * MILLISECOND));
        }
        events
    }
}
