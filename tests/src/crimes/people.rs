//! Customers with a past: a home, an account that was opened long ago, and a few transactions of the month before.

use serde_json::json;

use super::diary::{DAY, Diary, HOUR, MINUTE, Millis, Movement, Place, Purchase, SECOND};

/// A city. It keeps winter time throughout the days.
#[derive(Clone, Copy, Debug)]
pub struct City {
    zone: &'static str,
    hours_east: i64,
    centre: Place,
}

/// Where customers live.
pub const CITIES: [City; 4] = [
    City { zone: "America/New_York", hours_east: -5, centre: Place { latitude: 407_100, longitude: -740_100 } },
    City { zone: "America/Chicago", hours_east: -6, centre: Place { latitude: 418_800, longitude: -876_300 } },
    City { zone: "Europe/London", hours_east: 0, centre: Place { latitude: 515_100, longitude: -1_300 } },
    City { zone: "Europe/Berlin", hours_east: 1, centre: Place { latitude: 501_100, longitude: 86_800 } },
];

/// Places where stolen cards turn up, and where people travel to.
pub const ABROAD: [Place; 4] = [
    Place { latitude: 65_200, longitude: 33_800 },
    Place { latitude: -235_500, longitude: -466_300 },
    Place { latitude: 137_500, longitude: 1_005_000 },
    Place { latitude: 444_300, longitude: 261_000 },
];

/// A customer with an account.
#[derive(Clone, Debug)]
pub struct Person {
    /// The customer.
    pub customer: String,
    /// The account.
    pub account: String,
    /// The home.
    pub city: City,
    /// The usual device.
    pub device: String,
}

/// The hour and minute of a day, where somebody lives, with seconds.
pub fn local(diary: &mut Diary, city: City, day: i64, hour: i64) -> Millis {
    day * DAY + (hour - city.hours_east) * HOUR + diary.between(0, 59) * MINUTE + diary.between(0, 59_999)
}

impl Person {
    /// A customer of some years.
    pub fn known(diary: &mut Diary, prefix: &str) -> Self {
        let person = Self::new(diary, prefix);
        let opened = -diary.between(200, 900) * DAY;
        person.open(diary, "checking", opened);
        person.remember(diary);
        person
    }

    /// A customer of some years who buys online now and then.
    pub fn shopper(diary: &mut Diary, prefix: &str) -> Self {
        let person = Self::known(diary, prefix);
        for _ in 0..diary.between(11, 16) {
            let (day, hour) = (-diary.between(2, 27), diary.between(9, 21));
            let (at, cents) = (local(diary, person.city, day, hour), diary.around(3_500));
            let place = Some(person.near_home(diary));
            diary.purchase(at, Purchase { customer: &person.customer, cents, device: &person.device, place });
        }
        person
    }

    /// A customer whose account is not opened yet.
    pub fn new(diary: &mut Diary, prefix: &str) -> Self {
        let city = diary.pick(&CITIES).copied().unwrap_or(CITIES[0]);
        let (customer, account, device) = (diary.name(&format!("{prefix}-c")), diary.name(&format!("{prefix}-a")), diary.name("d"));
        let Place { latitude, longitude } = city.centre;
        let degrees = |number: i64| format!("{}{}.{:04}", if number < 0 { "-" } else { "" }, number.abs() / 10_000, number.abs() % 10_000);
        diary.write_reference(
            "customers",
            &json!({ "customer_id": customer, "home_lat": degrees(latitude), "home_lon": degrees(longitude), "timezone": city.zone }),
        );
        Self { customer, account, city, device }
    }

    /// Opens the account.
    pub fn open(&self, diary: &mut Diary, account_type: &str, at: Millis) {
        self.open_another(diary, &self.account, account_type, at);
    }

    /// Opens another account of the customer.
    pub fn open_another(&self, diary: &mut Diary, account: &str, account_type: &str, at: Millis) {
        let fields = json!({
            "type": "opened", "account_id": account, "customer_id": self.customer, "account_type": account_type, "currency": "USD",
        });
        diary.write(at, "accounts", fields);
    }

    /// Writes some transactions of the month before.
    pub fn remember(&self, diary: &mut Diary) {
        for _ in 0..3 {
            let (day, hour) = (-diary.between(2, 27), diary.between(9, 20));
            let at = local(diary, self.city, day, hour);
            self.shop(diary, at);
        }
    }

    /// Writes a card payment in a shop near home, and returns its id.
    pub fn shop(&self, diary: &mut Diary, at: Millis) -> String {
        let (cents, place) = (diary.around(2_400), Some(self.near_home(diary)));
        let movement = Movement { account: &self.account, kind: "payment", cents, channel: "card", place, ..Movement::default() };
        diary.transact(at, movement)
    }

    /// Writes a transfer to another account, and returns its id.
    pub fn send(&self, diary: &mut Diary, at: Millis, to: &str, cents: i64) -> String {
        let movement =
            Movement { account: &self.account, kind: "transfer", cents, peer: Some(to), channel: "online", ..Movement::default() };
        diary.transact(at, movement)
    }

    /// Writes cash that is paid in or drawn out, and returns its id.
    pub fn cash(&self, diary: &mut Diary, at: Millis, kind: &str, cents: i64) -> String {
        let place = Some(self.near_home(diary));
        diary.transact(at, Movement { account: &self.account, kind, cents, channel: "cash", place, ..Movement::default() })
    }

    /// A place within some kilometres of home.
    pub fn near_home(&self, diary: &mut Diary) -> Place {
        near(diary, self.city.centre)
    }

    /// Raises the limits of the account, as a bank does for firms and for customers who ask.
    pub fn raise_limits(&self, diary: &mut Diary, dollars: i64) {
        for kind in ["transaction_amount", "daily_withdrawal", "daily_transfer"] {
            let scope = format!("account:{}", self.account);
            diary.write_reference("limits", &json!({ "scope": scope, "kind": kind, "value": dollars.to_string() }));
        }
    }
}

/// A place within some kilometres.
pub fn near(diary: &mut Diary, place: Place) -> Place {
    Place { latitude: place.latitude + diary.between(-600, 600), longitude: place.longitude + diary.between(-600, 600) }
}

/// A pause of seconds.
pub fn seconds(diary: &mut Diary, least: i64, most: i64) -> Millis {
    diary.between(least * SECOND, most * SECOND)
}
