//! Simulated customers: their homes and accounts.

use std::sync::Arc;

use headwater_schemas::events::AccountType;
use headwater_schemas::{AccountId, Currency, CustomerId, Decimal, OwnerId};

use super::SimulatorSettings;
use super::dice::{Dice, Purpose};
use super::schedule::{DOLLAR, SECOND};

/// A city.
#[derive(Clone, Copy, Debug)]
pub(super) struct City {
    pub(super) zone: &'static str,
    pub(super) country: &'static str,
    /// Thousandths of a degree.
    pub(super) latitude: i64,
    /// Thousandths of a degree.
    pub(super) longitude: i64,
    /// Hours ahead of UTC, without daylight saving time.
    pub(super) hours: i64,
    pub(super) currency: &'static str,
}

/// The cities. At any time it is night in one of them: no two neighbours are more than three hours apart.
pub(super) const CITIES: [City; 14] = [
    city("America/New_York", "US", 40_713, -74_006, -5, "USD"),
    city("America/Chicago", "US", 41_878, -87_630, -6, "USD"),
    city("America/Los_Angeles", "US", 34_052, -118_244, -8, "USD"),
    city("Europe/Berlin", "DE", 52_520, 13_405, 1, "EUR"),
    city("Europe/Paris", "FR", 48_857, 2_352, 1, "EUR"),
    city("Europe/London", "GB", 51_507, -128, 0, "USD"),
    city("Asia/Tokyo", "JP", 35_690, 139_692, 9, "USD"),
    city("Pacific/Honolulu", "US", 21_307, -157_858, -10, "USD"),
    city("America/Sao_Paulo", "BR", -23_551, -46_633, -3, "USD"),
    city("Asia/Dubai", "AE", 25_205, 55_271, 4, "USD"),
    city("Asia/Singapore", "SG", 1_352, 103_820, 8, "USD"),
    city("Australia/Sydney", "AU", -33_869, 151_209, 10, "USD"),
    city("Asia/Dhaka", "BD", 23_811, 90_412, 6, "USD"),
    city("Pacific/Auckland", "NZ", -36_848, 174_763, 12, "USD"),
];

const fn city(zone: &'static str, country: &'static str, latitude: i64, longitude: i64, hours: i64, currency: &'static str) -> City {
    City { zone, country, latitude, longitude, hours, currency }
}

impl City {
    /// The local hour, without daylight saving time.
    pub(super) fn hour(&self, now: i64) -> i64 {
        (now.div_euclid(3_600 * SECOND) + self.hours).rem_euclid(24)
    }

    /// Whether most people there are asleep.
    pub(super) fn asleep(&self, now: i64) -> bool {
        self.hour(now) < 6
    }

    /// Whether the local time is between midnight and six, with daylight saving time or without.
    pub(super) fn night(&self, now: i64) -> bool {
        matches!(self.hour(now), 1..=4)
    }
}

/// A customer.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) id: CustomerId,
    pub(super) group: Option<OwnerId>,
    pub(super) city: &'static City,
    pub(super) latitude: Decimal,
    pub(super) longitude: Decimal,
    /// Days since the epoch.
    pub(super) born: i32,
}

/// An account.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) id: AccountId,
    pub(super) owner: Arc<Person>,
    pub(super) kind: AccountType,
    pub(super) currency: Currency,
    pub(super) book: Option<&'static str>,
    /// The deposit before the simulation begins, in cents.
    pub(super) funds: i64,
}

/// All customers and accounts.
#[derive(Clone, Debug, Default)]
pub(super) struct People {
    pub(super) persons: Vec<Arc<Person>>,
    /// All accounts, in the order of their opening.
    pub(super) accounts: Vec<Arc<Account>>,
}

/// The first investor among the named customers: those of lower number have checking and savings accounts.
const FIRST_INVESTOR: u32 = 21;
const LAST_INVESTOR: u32 = 40;
const LAST_SAVER: u32 = 10;

/// The books of the investors, in turn. The first is the market makers'.
pub(super) const BOOKS: [&str; 5] =
    ["firm/making/equities", "firm/equities/us", "firm/equities/tech", "firm/equities/energy", "firm/macro/defensive"];

impl People {
    pub(super) fn new(settings: &SimulatorSettings) -> Self {
        let mut dice = Dice::new(settings.seed, Purpose::People);
        let mut people = Self::default();
        for number in 1..=LAST_INVESTOR {
            let person = people.settle(&mut dice, format!("C{number:03}"), number, group(number));
            people.open_named(&mut dice, number, &person);
        }
        for number in 1..=settings.retail_customers {
            let person = people.settle(&mut dice, format!("R{number:05}"), number, None);
            let funds = dice.between(2_000 * DOLLAR, 9_000 * DOLLAR);
            people.open("CHK", &person, AccountType::Checking, None, funds);
        }
        people
    }

    fn settle(&mut self, dice: &mut Dice, id: String, number: u32, group: Option<&str>) -> Arc<Person> {
        let city = CITIES.get(usize::try_from(number).unwrap_or(0) % CITIES.len()).unwrap_or(&CITIES[0]);
        let person = Arc::new(Person {
            id: CustomerId::derived(id),
            group: group.map(OwnerId::derived),
            city,
            latitude: near(dice, city.latitude, 50),
            longitude: near(dice, city.longitude, 50),
            born: i32::try_from(dice.between(-7_300, 13_000)).unwrap_or(0),
        });
        self.persons.push(person.clone());
        person
    }

    fn open_named(&mut self, dice: &mut Dice, number: u32, person: &Arc<Person>) {
        if number < FIRST_INVESTOR {
            let funds = dice.between(30_000 * DOLLAR, 60_000 * DOLLAR);
            self.open("CHK", person, AccountType::Checking, None, funds);
            if number <= LAST_SAVER {
                let funds = dice.between(5_000 * DOLLAR, 80_000 * DOLLAR);
                self.open("SAV", person, AccountType::Savings, None, funds);
            }
        } else {
            let funds = dice.between(5_000 * DOLLAR, 20_000 * DOLLAR);
            self.open("CHK", person, AccountType::Checking, None, funds);
            let place = usize::try_from(number - FIRST_INVESTOR).unwrap_or(0) % BOOKS.len();
            // One in five is thinly funded, and will soon exceed its leverage limit.
            let funds = if number % 5 == 3 { 20_000 * DOLLAR } else { dice.between(150_000 * DOLLAR, 900_000 * DOLLAR) };
            self.open("INV", person, AccountType::Investment, BOOKS.get(place).copied(), funds);
        }
    }

    fn open(&mut self, prefix: &str, owner: &Arc<Person>, kind: AccountType, book: Option<&'static str>, funds: i64) {
        let id = AccountId::derived(format!("{prefix}-{}", owner.id));
        let currency = Currency::derived(owner.city.currency);
        self.accounts.push(Arc::new(Account { id, owner: owner.clone(), kind, currency, book, funds }));
    }

    /// The accounts of a type of the named customers, without retail customers.
    pub(super) fn named(&self, kind: AccountType) -> Vec<Arc<Account>> {
        self.accounts.iter().filter(|account| account.kind == kind && account.owner.id.starts_with('C')).cloned().collect()
    }

    /// Whether an account's customer has an investment account, too.
    pub(super) fn invests(&self, account: &Account) -> bool {
        self.accounts.iter().any(|other| other.kind == AccountType::Investment && other.owner.id == account.owner.id)
    }

    /// The accounts of everyday money: those of retail customers or, if there are none, of the named customers.
    pub(super) fn everyday(&self) -> Vec<Arc<Account>> {
        let crowd: Vec<_> = self.accounts.iter().filter(|account| account.owner.id.starts_with('R')).cloned().collect();
        if crowd.is_empty() { self.named(AccountType::Checking) } else { crowd }
    }
}

/// The beneficial owner of a customer, if several customers share one.
fn group(number: u32) -> Option<&'static str> {
    match number {
        3 | 4 => Some("G-HOME"),
        22 | 27 => Some("G-ALDER"),
        28 | 33 | 38 => Some("G-BIRCH"),
        _ => None,
    }
}

/// A random coordinate within `spread` thousandths of a degree of another.
pub(super) fn near(dice: &mut Dice, thousandths: i64, spread: i64) -> Decimal {
    let millionths = thousandths * 1_000 + dice.between(-spread * 1_000, spread * 1_000);
    Decimal::from_units(i128::from(millionths) * 1_000)
}
