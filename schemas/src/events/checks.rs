//! Checks of whole events: fields that are out of range or contradict each other.
//!
//! Only what is wrong whatever other events say is checked here. Whether an account exists, a price is on the tick grid or a hold
//! is open is known only to the views.

use jiff::tz::TimeZone;

use super::{AccountEvent, BadRecord, ErrorCode, Event, OrderEvent, Transaction, TransferEvent};
use crate::value::{AccountId, Amount, Currency, Decimal, Text, currency as currencies, fixed};

/// Maximum length of a currency, in characters: `USD`, `USDT`, `1000SATS`.
const MAX_CURRENCY_LENGTH: usize = 12;

type Checked = Result<(), BadRecord>;

impl Event {
    /// Rejects an event that is invalid by itself.
    pub(super) fn check(&self) -> Checked {
        match self {
            Self::Instrument(event) => currency("currency", &event.currency),
            Self::Customer(event) => {
                coordinates(("home_lat", event.home_lat), ("home_lon", event.home_lon)).and_then(|()| time_zone(event.timezone.as_ref()))
            }
            Self::Limit(event) => event.check(),
            Self::Budget(event) => {
                filled("category", &event.category)?;
                part("threshold", event.threshold).and_then(|()| amount_in(event.amount, &event.currency))
            }
            Self::Label(event) => filled("label", &event.label),
            Self::Account(event) => event.check(),
            Self::FxRate(event) => event.check(),
            Self::Suppression(event) => event.check(),
            Self::Order(OrderEvent::New(event)) => event.check(),
            Self::Order(OrderEvent::Amend(event)) => event.check(),
            Self::Transaction(event) => event.check(),
            Self::Payment(event) => {
                coordinates(("lat", event.lat), ("lon", event.lon)).and_then(|()| amount_in(event.amount, &event.currency))
            }
            Self::Transfer(TransferEvent::Initiated(event)) => amount_in(event.amount, &event.currency),
            Self::Access(event) => coordinates(("lat", event.lat), ("lon", event.lon)),
            _ => Ok(()),
        }
    }
}

impl AccountEvent {
    fn check(&self) -> Checked {
        customers_own("account_id", self.account_id())?;
        match self {
            Self::Opened(event) => currency("currency", &event.currency).and_then(|()| book_path(event.book.as_deref())),
            Self::Updated(event) => {
                event.currency.as_ref().map_or(Ok(()), |word| currency("currency", word))?;
                book_path(event.book.as_deref())
            }
            _ => Ok(()),
        }
    }
}

impl Transaction {
    fn check(&self) -> Checked {
        coordinates(("lat", self.lat), ("lon", self.lon))?;
        amount_in(self.amount, &self.currency)?;
        self.check_exchange()?;
        customers_own("account_id", &self.account_id)?;
        self.check_counterparty()
    }

    /// Money from or to the outside goes against the outside in its own currency. What resolves a hold or reverses a posting is compared
    /// with that, by the ledger.
    fn check_counterparty(&self) -> Checked {
        let refers = self.pending_id.is_some() || self.reverses.is_some();
        let Some(other) = self.counterparty_account.filter(|other| other.is_contra() && !refers) else { return Ok(()) };
        let outside = AccountId::external(self.counter_currency.unwrap_or(self.currency));
        if other == outside {
            return Ok(());
        }
        let message =
            format!("counterparty_account: {other:?} is an account of the ledger's own; send {outside}, or none, for the outside");
        Err(BadRecord::new(ErrorCode::Inconsistent, message))
    }

    fn check_exchange(&self) -> Checked {
        match (self.counter_amount, &self.counter_currency) {
            (None, None) => Ok(()),
            (Some(_), Some(counter)) if *counter == self.currency => {
                let message = format!("counter_currency: an exchange has two currencies; send that of the other account, not {counter}");
                Err(BadRecord::new(ErrorCode::Inconsistent, message))
            }
            (Some(amount), Some(_)) if self.amount.is_zero() && !amount.is_zero() => {
                let message = "counter_amount: nothing is exchanged for it; send amount, too, or no counter_amount";
                Err(BadRecord::new(ErrorCode::Inconsistent, message))
            }
            (Some(amount), Some(counter)) => currency("counter_currency", counter).and_then(|()| digits("counter_amount", amount, counter)),
            _ => {
                let message = "counter_amount and counter_currency belong together: send both for an exchange, else none";
                Err(BadRecord::new(ErrorCode::Inconsistent, message))
            }
        }
    }
}

/// A book has a name at each level; an empty path is no book.
fn book_path(path: Option<&str>) -> Checked {
    let path = path.unwrap_or_default();
    if !path.is_empty() && path.split('/').any(str::is_empty) {
        let message = format!("book: a part of {path:?} is empty; send names with one slash between them, as in firm/desk/book");
        return Err(BadRecord::new(ErrorCode::Inconsistent, message));
    }
    Ok(())
}

fn filled(field: &str, name: &str) -> Checked {
    if name.trim().is_empty() {
        return Err(BadRecord::new(ErrorCode::Inconsistent, format!("{field}: it is empty; send a name")));
    }
    Ok(())
}

/// An amount has at most the fraction digits of its currency.
fn amount_in(amount: Amount, word: &Currency) -> Checked {
    currency("currency", word)?;
    digits("amount", amount, word)
}

fn digits(field: &str, amount: Amount, word: &Currency) -> Checked {
    if !currencies::has_exponent(amount.units(), word) {
        let digits = currencies::exponent(word).unwrap_or_default();
        let message = format!("{field}: {amount} has more than the {digits} fraction digits of {word}; round it where it is made");
        return Err(BadRecord::new(ErrorCode::Inconsistent, message));
    }
    Ok(())
}

/// The accounts of the outside and of positions in currencies are the ledger's: nobody opens them, or sends from them.
fn customers_own(field: &str, account: &AccountId) -> Checked {
    if account.is_contra() {
        let message = format!("{field}: {account:?} is an account of the ledger's own; send that of a customer");
        return Err(BadRecord::new(ErrorCode::Inconsistent, message));
    }
    Ok(())
}

/// A currency is an identifier of at most 12 characters, without lower-case letters.
pub(super) fn currency(field: &str, word: &Currency) -> Checked {
    if word.len() > MAX_CURRENCY_LENGTH {
        let message = format!("{field}: {word:?} has more than {MAX_CURRENCY_LENGTH} characters; send a code like USD");
        return Err(BadRecord::new(ErrorCode::BadId, message));
    }
    if word.bytes().any(|byte| byte.is_ascii_lowercase()) {
        let message = format!("{field}: {word:?} has lower-case letters; send {}", word.to_ascii_uppercase());
        return Err(BadRecord::new(ErrorCode::Inconsistent, message));
    }
    Ok(())
}

/// A threshold is a fraction from 0 to 1.
pub(super) fn part(field: &str, value: Option<Decimal>) -> Checked {
    match value {
        Some(value) if value.units() < 0 => {
            Err(BadRecord::new(ErrorCode::NegativeNumber, format!("{field}: a part must not be negative; send a fraction from 0 to 1")))
        }
        Some(value) if value.units() > fixed::ONE => {
            Err(BadRecord::new(ErrorCode::OutOfRange, format!("{field}: {value} is more than the whole; send 0.8 for 80 %")))
        }
        _ => Ok(()),
    }
}

/// A time zone is one of the IANA database, which defines the customer's local days.
fn time_zone(name: Option<&Text>) -> Checked {
    match name {
        Some(name) if TimeZone::get(name).is_err() => {
            let message = format!("timezone: {name:?} is not in the IANA database; send a name like America/New_York");
            Err(BadRecord::new(ErrorCode::UnknownValue, message))
        }
        _ => Ok(()),
    }
}

fn coordinates(lat: (&str, Option<Decimal>), lon: (&str, Option<Decimal>)) -> Checked {
    let within = |value: Option<Decimal>, degrees: i128| value.is_none_or(|value| value.units().abs() <= degrees * fixed::ONE);
    if !within(lat.1, 90) {
        let message = format!("{}: a latitude lies between -90 and 90 degrees; are latitude and longitude swapped?", lat.0);
        return Err(BadRecord::new(ErrorCode::OutOfRange, message));
    }
    if !within(lon.1, 180) {
        return Err(BadRecord::new(ErrorCode::OutOfRange, format!("{}: a longitude lies between -180 and 180 degrees", lon.0)));
    }
    Ok(())
}
