//! Planted frauds and manipulations, at fixed times, which the pipeline has to find.

use headwater_schemas::events::{Channel, Transaction, TransactionType};
use headwater_schemas::{EventTime, Id, Text};

use super::bank::{Bank, label, planned};
use super::market::Market;
use super::people::{Account, CITIES, near};
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
}

/// Timetable: each plant with its first time after the start and its period, in seconds.
pub(super) const TIMETABLE: [(Plant, i64, i64); 8] = [
    (Plant::Large, 4, 10),
    (Plant::CardTesting, 5, 20),
    (Plant::Travel, 8, 20),
    (Plant::Night, 10, 15),
    (Plant::PaymentBurst, 12, 30),
    (Plant::Wash, 14, 30),
    (Plant::Structuring, 18, 60),
    (Plant::Spoof, 22, 45),
];

impl Plant {
    /// Period of the plant, in nanoseconds.
    pub(super) fn period(self) -> i64 {
        TIMETABLE.iter().find(|(plant, ..)| *plant == self).map_or(60, |(.., seconds)| *seconds) * SECOND
    }

    /// Events of the plant at a time.
    pub(super) fn events(self, now: i64, bank: &mut Bank, traders: &mut Traders, market: &Market) -> Vec<Planned> {
        match self {
            Self::Wash => traders.wash_trade(now, market),
            Self::Spoof => traders.spoof(now, market),
            Self::Night => bank.next_victim_at_night(now).map(|account| bank.at_night(&account, now)).unwrap_or_default(),
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
            Self::Night | Self::Wash | Self::Spoof => Vec::new(),
        }
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
        let elsewhere: Vec<_> = CITIES.iter().filter(|city| (city.longitude - account.owner.city.longitude).abs() > 40_000).collect();
        if let Some(city) = self.dice.pick(&elsewhere) {
            away.lat = Some(near(&mut self.dice, city.latitude, 30));
            away.lon = Some(near(&mut self.dice, city.longitude, 30));
            away.country = Some(Text::const_new(city.country));
        }
        self.found_out(vec![home, away])
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
