//! Events: what a record says.
//!
//! [`Event::decode`] turns a record into an event or a [`BadRecord`] with a stable [`ErrorCode`]; it never panics,
//! whatever the bytes. [`Event::encode`] writes it back: decimals and nanoseconds as they were, fields that are not given
//! left out. An unknown field is ignored, and `null` for an optional field is the same as leaving it out.

mod access;
mod account;
mod budget;
mod close;
mod codes;
mod customer;
mod fill;
mod fx_rate;
mod instrument;
mod json;
mod label;
mod limit;
mod order;
mod payment;
mod quote;
#[cfg(test)]
mod tests;
mod trade;
mod transaction;
mod transfer;
mod watchlist;
mod words;

use std::hash::Hash;

use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher13};

pub use access::Access;
pub use account::{AccountEvent, AccountOpened, AccountStatus, AccountUpdated};
pub use budget::Budget;
pub use close::Close;
pub use codes::{BadRecord, ErrorCode};
pub use customer::Customer;
pub use fill::{Bust, Fill, FillEvent};
pub use fx_rate::FxRate;
pub use instrument::Instrument;
pub use label::Label;
pub use limit::{Limit, LimitScope};
pub use order::{AmendOrder, CancelOrder, NewOrder, OrderEvent, PhaseChange};
pub use payment::Payment;
pub use quote::Quote;
pub use trade::Trade;
pub use transaction::Transaction;
pub use transfer::{TransferEvent, TransferInitiated, TransferStep};
pub use watchlist::Watch;
pub use words::*;

use crate::value::{Decimal, EventTime, Id, fixed};
use crate::{Text, Topic};

/// The greatest record that is decoded, in bytes.
pub const MAX_RECORD_BYTES: usize = 1 << 20;

/// What a record says: one variant per topic, and the deletion of a table's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Event {
    /// `instruments`
    Instrument(Box<Instrument>),
    /// `customers`
    Customer(Box<Customer>),
    /// `limits`
    Limit(Box<Limit>),
    /// `watchlists`
    Watch(Box<Watch>),
    /// `budgets`
    Budget(Box<Budget>),
    /// `accounts`
    Account(AccountEvent),
    /// `market.quotes`
    Quote(Quote),
    /// `market.trades`
    Trade(Trade),
    /// `market.closes`
    Close(Close),
    /// `fx.rates`
    FxRate(FxRate),
    /// `orders`
    Order(OrderEvent),
    /// `fills`
    Fill(FillEvent),
    /// `transactions`
    Transaction(Box<Transaction>),
    /// `payments`
    Payment(Box<Payment>),
    /// `transfers`
    Transfer(TransferEvent),
    /// `access`
    Access(Box<Access>),
    /// `labels`
    Label(Box<Label>),
    /// A tombstone: the key of a table topic is gone.
    Deleted(Box<Deleted>),
}

/// The key that a tombstone deletes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Deleted {
    /// The rank of the table topic.
    pub rank: u8,
    /// The record's key.
    pub key: Text,
}

/// What makes two records the same event: which kind of event of the topic, and its id.
pub type Identity<'a> = (&'static str, &'a Id);

impl Event {
    /// Reads a record.
    pub fn decode(topic: Topic, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Self, BadRecord> {
        let key = key.map(str::from_utf8).transpose();
        let key = key.map_err(|_| BadRecord::new(ErrorCode::BadKey, "the record's key is not UTF-8: send the event's key field"))?;
        let Some(value) = value else { return Self::tombstone(topic, key) };
        if value.len() > MAX_RECORD_BYTES {
            let message = format!("the record has {} bytes, more than {MAX_RECORD_BYTES}: send less in one event", value.len());
            return Err(BadRecord::new(ErrorCode::TooLarge, message));
        }
        must_be_an_object(value)?;
        let event = Self::read(topic, value)?;
        event.check()?;
        match key {
            Some(key) if !event.has_key(key) => {
                let message = format!("the record's key {key:?} is not the event's key {:?}: send them equal", event.key());
                Err(BadRecord::new(ErrorCode::KeyMismatch, message))
            }
            _ => Ok(event),
        }
    }

    fn tombstone(topic: Topic, key: Option<&str>) -> Result<Self, BadRecord> {
        match key {
            Some(key) if topic.is_table() => Ok(Self::Deleted(Box::new(Deleted { rank: topic.rank(), key: Text::new(key) }))),
            None if topic.is_table() => Err(BadRecord::new(ErrorCode::BadKey, "a tombstone without a key deletes nothing: send the key to delete")),
            _ => Err(BadRecord::new(ErrorCode::Tombstone, format!("{topic} is not a table, so nothing can be deleted: send an event"))),
        }
    }

    fn read(topic: Topic, value: &[u8]) -> Result<Self, BadRecord> {
        Ok(match topic {
            Topic::Instruments => Self::Instrument(json::read(value)?),
            Topic::Customers => Self::Customer(json::read(value)?),
            Topic::Limits => Self::Limit(json::read(value)?),
            Topic::Watchlists => Self::Watch(json::read(value)?),
            Topic::Budgets => Self::Budget(json::read(value)?),
            Topic::Accounts => Self::Account(AccountEvent::decode(value)?),
            Topic::Quotes => Self::Quote(json::read(value)?),
            Topic::Trades => Self::Trade(json::read(value)?),
            Topic::Closes => Self::Close(json::read(value)?),
            Topic::FxRates => Self::FxRate(json::read(value)?),
            Topic::Orders => Self::Order(OrderEvent::decode(value)?),
            Topic::Fills => Self::Fill(FillEvent::decode(value)?),
            Topic::Transactions => Self::Transaction(json::read(value)?),
            Topic::Payments => Self::Payment(json::read(value)?),
            Topic::Transfers => Self::Transfer(TransferEvent::decode(value)?),
            Topic::Access => Self::Access(json::read(value)?),
            Topic::Labels => Self::Label(json::read(value)?),
        })
    }

    /// What no single field shows to be wrong.
    fn check(&self) -> Result<(), BadRecord> {
        match self {
            Self::Customer(customer) => coordinates(customer.home_lat, customer.home_lon),
            Self::Transaction(transaction) => coordinates(transaction.lat, transaction.lon),
            Self::Payment(payment) => coordinates(payment.lat, payment.lon),
            Self::Access(access) => coordinates(access.lat, access.lon),
            Self::Close(close) if close.close.units() <= 0 => {
                Err(BadRecord::new(ErrorCode::NotPositive, "close: a closing price must be above zero, because returns divide by it"))
            }
            Self::Order(OrderEvent::New(order)) => order.check(),
            Self::Order(OrderEvent::Amend(amend)) => amend.check(),
            _ => Ok(()),
        }
    }

    /// Writes the event as the value of a record. A deletion is an empty object's opposite: it has no value.
    pub fn encode(&self) -> Option<Vec<u8>> {
        use json::WriteFields;
        let mut out = json::ObjectWriter::new();
        match self {
            Self::Instrument(event) => event.write_fields(&mut out),
            Self::Customer(event) => event.write_fields(&mut out),
            Self::Limit(event) => event.write_fields(&mut out),
            Self::Watch(event) => event.write_fields(&mut out),
            Self::Budget(event) => event.write_fields(&mut out),
            Self::Account(event) => event.write_json(&mut out),
            Self::Quote(event) => event.write_fields(&mut out),
            Self::Trade(event) => event.write_fields(&mut out),
            Self::Close(event) => event.write_fields(&mut out),
            Self::FxRate(event) => event.write_fields(&mut out),
            Self::Order(event) => event.write_json(&mut out),
            Self::Fill(event) => event.write_json(&mut out),
            Self::Transaction(event) => event.write_fields(&mut out),
            Self::Payment(event) => event.write_fields(&mut out),
            Self::Transfer(event) => event.write_json(&mut out),
            Self::Access(event) => event.write_fields(&mut out),
            Self::Label(event) => event.write_fields(&mut out),
            Self::Deleted(_) => return None,
        }
        Some(out.finish())
    }

    /// The topic that the event belongs to.
    pub fn topic(&self) -> Topic {
        match self {
            Self::Instrument(_) => Topic::Instruments,
            Self::Customer(_) => Topic::Customers,
            Self::Limit(_) => Topic::Limits,
            Self::Watch(_) => Topic::Watchlists,
            Self::Budget(_) => Topic::Budgets,
            Self::Account(_) => Topic::Accounts,
            Self::Quote(_) => Topic::Quotes,
            Self::Trade(_) => Topic::Trades,
            Self::Close(_) => Topic::Closes,
            Self::FxRate(_) => Topic::FxRates,
            Self::Order(_) => Topic::Orders,
            Self::Fill(_) => Topic::Fills,
            Self::Transaction(_) => Topic::Transactions,
            Self::Payment(_) => Topic::Payments,
            Self::Transfer(_) => Topic::Transfers,
            Self::Access(_) => Topic::Access,
            Self::Label(_) => Topic::Labels,
            Self::Deleted(deleted) => Topic::from_rank(deleted.rank).unwrap_or(Topic::Instruments),
        }
    }

    /// The key that the event's record has.
    pub fn key(&self) -> Text {
        let (first, separator, second) = self.key_parts();
        match second {
            Some(second) => Text::from(format!("{first}{separator}{second}")),
            None => Text::new(first),
        }
    }

    fn has_key(&self, key: &str) -> bool {
        match self.key_parts() {
            (first, _, None) => key == first,
            _ => self.key().as_str() == key,
        }
    }

    fn key_parts(&self) -> (std::borrow::Cow<'_, str>, &'static str, Option<Text>) {
        use std::borrow::Cow;
        let borrowed: &Id = match self {
            Self::Limit(event) => return (event.scope.to_string().into(), "|", Some(Text::new(event.kind.as_str()))),
            Self::Watch(event) => return (Cow::Borrowed(event.customer_id.as_str()), "|", Some(Text::new(event.symbol.as_str()))),
            Self::Budget(event) => return (Cow::Borrowed(event.customer_id.as_str()), "|", Some(event.category.clone())),
            Self::FxRate(event) => return (Cow::Borrowed(event.base.as_str()), "/", Some(Text::new(event.quote.as_str()))),
            Self::Deleted(event) => return (Cow::Borrowed(event.key.as_str()), "", None),
            Self::Instrument(event) => &event.symbol,
            Self::Customer(event) => &event.customer_id,
            Self::Account(event) => event.account_id(),
            Self::Quote(event) => &event.symbol,
            Self::Trade(event) => &event.symbol,
            Self::Close(event) => &event.symbol,
            Self::Order(event) => event.symbol(),
            Self::Fill(event) => event.account_id(),
            Self::Transaction(event) => &event.account_id,
            Self::Payment(event) => &event.customer_id,
            Self::Transfer(event) => event.transfer_id(),
            Self::Access(event) => &event.actor,
            Self::Label(event) => &event.subject_id,
        };
        (Cow::Borrowed(borrowed.as_str()), "", None)
    }

    /// When it happened; `None` for a table's record that does not say, and for deletions.
    pub fn ts(&self) -> Option<EventTime> {
        match self {
            Self::Instrument(event) => event.ts,
            Self::Customer(event) => event.ts,
            Self::Limit(event) => event.ts,
            Self::Watch(event) => event.ts,
            Self::Budget(event) => event.ts,
            Self::Account(event) => Some(event.ts()),
            Self::Quote(event) => Some(event.ts),
            Self::Trade(event) => Some(event.ts),
            Self::Close(event) => Some(event.date.end()),
            Self::FxRate(event) => Some(event.ts),
            Self::Order(event) => Some(event.ts()),
            Self::Fill(event) => Some(event.ts()),
            Self::Transaction(event) => Some(event.ts),
            Self::Payment(event) => Some(event.ts),
            Self::Transfer(event) => Some(event.ts()),
            Self::Access(event) => Some(event.ts),
            Self::Label(event) => Some(event.ts),
            Self::Deleted(_) => None,
        }
    }

    /// What makes two records of the topic the same event. Amends, cancels, phases, market data and tables have none.
    pub fn identity(&self) -> Option<Identity<'_>> {
        match self {
            Self::Account(event) => Some((event.type_word(), event.account_id())).filter(|(word, _)| matches!(*word, "opened" | "closed")),
            Self::Order(OrderEvent::New(order)) => Some(("new", &order.order_id)),
            Self::Fill(event) => Some((event.type_word(), event.fill_id())),
            Self::Transaction(event) => Some((event.r#type.as_str(), &event.transaction_id)),
            Self::Payment(event) => Some((event.status.as_str(), &event.payment_id)),
            Self::Transfer(event) => Some((event.type_word(), event.transfer_id())),
            _ => None,
        }
    }

    /// A stable digest of what the event says: equal for equal content, whatever the JSON looked like.
    pub fn body_digest(&self) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(0x6865_6164_7761_7465, 0x7265_7665_6e74_7331);
        self.hash(&mut hasher);
        hasher.finish128().as_u128()
    }
}

impl AccountEvent {
    /// The account.
    pub const fn account_id(&self) -> &Id {
        match self {
            Self::Opened(event) => &event.account_id,
            Self::Updated(event) => &event.account_id,
            Self::Frozen(event) | Self::Unfrozen(event) | Self::Closed(event) => &event.account_id,
        }
    }
}

impl OrderEvent {
    /// The instrument.
    pub const fn symbol(&self) -> &Id {
        match self {
            Self::New(event) => &event.symbol,
            Self::Amend(event) => &event.symbol,
            Self::Cancel(event) => &event.symbol,
            Self::Phase(event) => &event.symbol,
        }
    }
}

impl FillEvent {
    /// Whose fill it is.
    pub const fn account_id(&self) -> &Id {
        match self {
            Self::Fill(event) => &event.account_id,
            Self::Bust(event) => &event.account_id,
        }
    }

    /// The fill.
    pub const fn fill_id(&self) -> &Id {
        match self {
            Self::Fill(event) => &event.fill_id,
            Self::Bust(event) => &event.fill_id,
        }
    }
}

impl TransferEvent {
    /// The transfer.
    pub const fn transfer_id(&self) -> &Id {
        match self {
            Self::Initiated(event) => &event.transfer_id,
            Self::Debited(step) | Self::Credited(step) | Self::Completed(step) => &step.transfer_id,
            Self::Failed(step) | Self::DebitReversed(step) | Self::CreditReversed(step) => &step.transfer_id,
        }
    }
}

/// The reader would take an array for a struct, field by field; an event is an object.
fn must_be_an_object(value: &[u8]) -> Result<(), BadRecord> {
    match value.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
        Some(b'{') => Ok(()),
        _ => match serde_json::from_slice::<serde::de::IgnoredAny>(value) {
            Ok(_) => Err(BadRecord::new(ErrorCode::NotAnObject, "the value is JSON, but not an object: wrap it in {…}")),
            Err(error) => Err(BadRecord::new(ErrorCode::NotJson, format!("the value is not JSON: {error}: mend the producer's serialisation"))),
        },
    }
}

fn coordinates(lat: Option<Decimal>, lon: Option<Decimal>) -> Result<(), BadRecord> {
    let within = |value: Option<Decimal>, bound: i128| value.is_none_or(|value| value.units().abs() <= bound * fixed::ONE);
    if !within(lat, 90) {
        return Err(BadRecord::new(ErrorCode::OutOfRange, "a latitude lies between -90 and 90 degrees: are latitude and longitude swapped?"));
    }
    if !within(lon, 180) {
        return Err(BadRecord::new(ErrorCode::OutOfRange, "a longitude lies between -180 and 180 degrees"));
    }
    Ok(())
}
