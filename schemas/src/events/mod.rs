//! Events: the content of records.
//!
//! [`Event::decode`] turns a record into an event or a [`BadRecord`] with a stable [`ErrorCode`]; it never panics, whatever the
//! bytes. [`Event::encode`] writes it back: decimals and nanoseconds unchanged, fields without a value left out. An unknown field
//! is ignored, and `null` for an optional field is the same as leaving it out.
//!
//! A record is bad if it is invalid whatever came before it: its JSON, its single fields, or their combination. What depends on
//! other events (a known account, an open order) is checked by the views.

mod access;
mod account;
mod budget;
mod checks;
mod close;
mod codes;
mod customer;
mod defaults;
mod fill;
mod fx_rate;
mod instrument;
mod json;
mod label;
mod limit;
mod order;
mod payment;
mod quote;
mod ruleset;
#[cfg(test)]
pub(crate) mod sample;
mod suppression;
#[cfg(test)]
mod tests;
mod trade;
mod transaction;
mod transfer;
mod units;
mod watchlist;
mod words;

use std::borrow::Cow;
use std::hash::Hash;
use std::sync::Arc;

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
pub use ruleset::{RulesetDecision, RulesetEvent, RulesetProposed, RulesetRetirement};
pub use suppression::Suppression;
pub use trade::Trade;
pub use transaction::Transaction;
pub use transfer::{TransferEvent, TransferInitiated, TransferStep};
pub use watchlist::Watch;
pub use words::*;

use crate::Topic;
use crate::value::{AccountId, EventTime, Text};

/// Maximum size of a record that is decoded, in bytes.
pub const MAX_RECORD_BYTES: usize = 1 << 20;

/// The content of a record: one variant per topic, and the deletion of a table's key. Data that several views read is shared, not
/// copied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Event {
    /// `instruments`
    Instrument(Arc<Instrument>),
    /// `customers`
    Customer(Arc<Customer>),
    /// `limits`
    Limit(Arc<Limit>),
    /// `watchlists`
    Watch(Box<Watch>),
    /// `budgets`
    Budget(Box<Budget>),
    /// `accounts`
    Account(AccountEvent),
    /// `market.quotes`
    Quote(Arc<Quote>),
    /// `market.trades`
    Trade(Arc<Trade>),
    /// `market.closes`
    Close(Box<Close>),
    /// `fx.rates`
    FxRate(Box<FxRate>),
    /// `orders`
    Order(OrderEvent),
    /// `fills`
    Fill(FillEvent),
    /// `transactions`
    Transaction(Arc<Transaction>),
    /// `payments`
    Payment(Box<Payment>),
    /// `transfers`
    Transfer(TransferEvent),
    /// `access`
    Access(Box<Access>),
    /// `labels`
    Label(Box<Label>),
    /// `suppressions`
    Suppression(Box<Suppression>),
    /// `rules`
    Ruleset(RulesetEvent),
    /// A tombstone: a key of a table topic is deleted.
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

/// Identity of an event: records of a topic with equal identities are the same event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity<'a> {
    /// The kind of event within the topic.
    pub word: &'static str,
    /// The account that the id belongs to, where accounts choose their ids independently.
    pub account_id: Option<AccountId>,
    /// The id of the event; for an account event, the account.
    pub id: &'a str,
    /// The event's own time, where one id has many events.
    pub ts: Option<EventTime>,
    /// The producer's key, where one id has many events of a kind that producers number: refunds.
    pub key: Option<&'a str>,
}

impl<'a> Identity<'a> {
    const fn of(word: &'static str, id: &'a str) -> Self {
        Self { word, account_id: None, id, ts: None, key: None }
    }

    const fn within(account_id: AccountId, word: &'static str, id: &'a str) -> Self {
        Self { word, account_id: Some(account_id), id, ts: None, key: None }
    }

    const fn at(ts: EventTime, word: &'static str, id: &'a str) -> Self {
        Self { word, account_id: None, id, ts: Some(ts), key: None }
    }

    fn of_payment(payment: &'a Payment) -> Self {
        let key = payment.idempotency_key.as_deref().filter(|_| payment.status == PaymentStatus::Refunded);
        Self { key, ..Self::of(payment.status.as_str(), &payment.payment_id) }
    }
}

impl Event {
    /// Decodes a record.
    ///
    /// ```
    /// use headwater_schemas::Topic;
    /// use headwater_schemas::events::{ErrorCode, Event};
    ///
    /// let trade = br#"{"symbol":"ACME","price":"26.10","size":100,"ts":"2026-01-05T14:30:00Z"}"#;
    /// let Ok(Event::Trade(trade)) = Event::decode(Topic::Trades, None, Some(trade)) else { panic!("a trade") };
    /// assert_eq!((trade.symbol.as_str(), trade.price.to_string()), ("ACME", "26.1".to_owned()));
    ///
    /// let without_size = br#"{"symbol":"ACME","price":"26.10","ts":"2026-01-05T14:30:00Z"}"#;
    /// let bad = Event::decode(Topic::Trades, None, Some(without_size)).expect_err("no size");
    /// assert!(bad.code == ErrorCode::MissingField && bad.message.contains("size"));
    /// ```
    pub fn decode(topic: Topic, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Self, BadRecord> {
        let key = key.map(str::from_utf8).transpose();
        let key = key.map_err(|_| BadRecord::new(ErrorCode::BadKey, "the record's key is not UTF-8: send the event's key field"))?;
        let Some(value) = value else { return Self::tombstone(topic, key) };
        if value.len() > MAX_RECORD_BYTES {
            return Err(BadRecord::too_large(value.len() as u64));
        }
        let text = json::object(value)?;
        let event = Self::read(topic, text).map_err(|bad| json::first_of_all_json(text, bad))?;
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
            None if topic.is_table() => {
                Err(BadRecord::new(ErrorCode::BadKey, "a tombstone without a key deletes nothing: send the key to delete"))
            }
            _ => Err(BadRecord::new(ErrorCode::Tombstone, format!("{topic} is not a table, so nothing can be deleted: send an event"))),
        }
    }

    fn read(topic: Topic, value: &str) -> Result<Self, BadRecord> {
        Ok(match topic {
            Topic::Instruments => Self::Instrument(json::read(value)?),
            Topic::Customers => Self::Customer(json::read(value)?),
            Topic::Limits => Self::Limit(json::read(value)?),
            Topic::Watchlists => Self::Watch(json::read(value)?),
            Topic::Budgets => Self::Budget(json::read(value)?),
            Topic::Suppressions => Self::Suppression(json::read(value)?),
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
            Topic::Rules => Self::Ruleset(RulesetEvent::decode(value)?),
        })
    }

    /// Encodes the event as the value of a record; `None` for a deletion, whose record has a key and no value.
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
            Self::Suppression(event) => event.write_fields(&mut out),
            Self::Ruleset(event) => event.write_json(&mut out),
            Self::Deleted(_) => return None,
        }
        Some(out.finish())
    }

    /// The topic of the event.
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
            Self::Suppression(_) => Topic::Suppressions,
            Self::Ruleset(_) => Topic::Rules,
            Self::Deleted(deleted) => Topic::from_rank(deleted.rank).unwrap_or(Topic::Instruments),
        }
    }

    /// The key of the event's record.
    pub fn key(&self) -> Text {
        let (first, separator, second) = self.key_parts();
        match second {
            Some(second) => Text::from(format!("{first}{separator}{second}")),
            None => Text::new(first),
        }
    }

    fn has_key(&self, key: &str) -> bool {
        let (first, separator, second) = self.key_parts();
        match second {
            Some(second) => key.strip_prefix(&*first).and_then(|rest| rest.strip_prefix(separator)) == Some(second),
            None => key == first,
        }
    }

    /// The one or two fields of the key, and the separator between them.
    fn key_parts(&self) -> (Cow<'_, str>, &'static str, Option<&str>) {
        let field: &str = match self {
            Self::Limit(event) => return (event.scope.to_string().into(), "|", Some(event.kind.as_str())),
            Self::Watch(event) => return (Cow::Borrowed(&event.customer_id), "|", Some(&event.symbol)),
            Self::Budget(event) => return (Cow::Borrowed(&event.customer_id), "|", Some(&event.category)),
            Self::FxRate(event) => return (Cow::Borrowed(&event.base), "/", Some(&event.quote)),
            Self::Suppression(event) => return (Cow::Borrowed(&event.rule), "|", event.subject.as_deref()),
            Self::Deleted(event) => &event.key,
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
            Self::Ruleset(event) => event.ruleset(),
        };
        (Cow::Borrowed(field), "", None)
    }

    /// The event's own time; `None` for a table's record without one, and for deletions.
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
            Self::Suppression(event) => event.ts,
            Self::Ruleset(event) => Some(event.ts()),
            Self::Deleted(_) => None,
        }
    }

    /// Identity of the event. Amends, cancels, phases, market data and table records have none.
    ///
    /// New orders and fills are identified by account and id. Transactions are identified by their id alone, whatever their type,
    /// because later events refer to them by it. An account has many events of each kind, so its time distinguishes them. A payment
    /// may have several refunds, which their idempotency keys distinguish.
    pub fn identity(&self) -> Option<Identity<'_>> {
        match self {
            Self::Account(event) => Some(Identity::at(event.ts(), event.type_word(), event.account_id())),
            Self::Order(OrderEvent::New(order)) => Some(Identity::within(order.account_id, "new", &order.order_id)),
            Self::Fill(event) => Some(Identity::within(*event.account_id(), event.type_word(), event.fill_id())),
            Self::Transaction(event) => Some(Identity::of("transaction", &event.transaction_id)),
            Self::Payment(event) => Some(Identity::of_payment(event)),
            Self::Transfer(event) => Some(Identity::of(event.type_word(), event.transfer_id())),
            _ => None,
        }
    }

    /// A stable digest of the event's content: equal for equal content, whatever the JSON looked like. An explicit default is the
    /// same content as one that is left out. Digests are stored in tables, so the order of fields and variants is part of their
    /// definition; a test fixes some of them.
    pub fn body_digest(&self) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(0x6865_6164_7761_7465, 0x7265_7665_6e74_7331);
        match self.without_defaults() {
            Some(event) => event.hash(&mut hasher),
            None => self.hash(&mut hasher),
        }
        hasher.finish128().as_u128()
    }
}
