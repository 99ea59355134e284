//! The stored fields of an event.

use headwater_schemas::events::{Access, AccountType, Payment, Transaction, TransactionPhase};
use headwater_schemas::value::fixed;
use headwater_schemas::{AccountId, Amount, Currency, Decimal, EventTime, Id, Text};

use super::customers::Facts;
use super::expression::{Type, Value, describe};
use super::field::{Direction, Field};
use super::geo::Location;
use crate::ledger::legs::is_debit;

/// A stored value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Cell {
    /// Missing from the event or the reference data.
    #[default]
    Unknown,
    /// In billionths.
    Number(i64),
    /// A number that does not fit.
    Large(Box<i128>),
    Text(Text),
    Word(u8),
    /// In nanoseconds since the epoch.
    Time(i64),
    Location(Location),
}

impl Cell {
    /// A number in billionths.
    pub(super) fn number(units: i128) -> Self {
        i64::try_from(units).map_or_else(|_| Self::Large(Box::new(units)), Self::Number)
    }

    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Unknown => Value::Unknown,
            Self::Number(units) => Value::Number(i128::from(*units)),
            Self::Large(units) => Value::Number(**units),
            Self::Text(text) => Value::Text(text),
            Self::Word(code) => Value::Word(*code),
            Self::Time(nanos) => Value::Time(*nanos),
            Self::Location(place) => Value::Location(*place),
        }
    }

    /// The value of a field from its text.
    pub(super) fn read(field: Field, text: &str) -> Option<Self> {
        Some(match field.type_of() {
            Type::Number => Self::number(fixed::parse(text).ok()?),
            Type::Word(words) => Self::Word(words.code(text)?),
            Type::Time => Self::Time(text.parse().ok()?),
            Type::Location => {
                let (lat, lon) = text.split_once(',')?;
                Self::Location(Location::new(lat.parse().ok(), lon.parse().ok())?)
            }
            _ => Self::Text(Text::new(text)),
        })
    }
}

/// `name=value`, put together in `text`; none for what is unknown.
pub(super) fn written(field: Field, value: Value<'_>, text: &mut String) -> Option<Text> {
    if matches!(value, Value::Unknown) {
        return None;
    }
    text.clear();
    text.extend([field.name(), "="]);
    match value {
        // A number is written and read many times faster than a date.
        Value::Time(nanos) => text.push_str(&nanos.to_string()),
        _ => describe(value, field.type_of(), text),
    }
    Some(Text::new(text))
}

fn location(lat: Option<Decimal>, lon: Option<Decimal>) -> Cell {
    Location::new(lat, lon).map_or(Cell::Unknown, Cell::Location)
}

/// What the reference data says about the account and its customer.
pub(super) fn fact(facts: &Facts, field: Field) -> Cell {
    let time = |ts: Option<EventTime>| ts.map_or(Cell::Unknown, |ts| Cell::Time(ts.nanos()));
    let number = |units: Option<i128>| units.map_or(Cell::Unknown, Cell::number);
    match field {
        Field::Home => facts.home.map_or(Cell::Unknown, Cell::Location),
        Field::CustomerId => facts.customer.map_or(Cell::Unknown, |customer| Cell::Text(Text::new(customer.as_str()))),
        Field::AccountType => facts.account_type.map_or(Cell::Unknown, |word| Cell::Word(word as u8)),
        Field::OpenedAt => time(facts.opened_at),
        Field::DayStart => time(facts.day_start),
        Field::MonthStart => time(facts.month_start),
        Field::TransactionLimit => number(facts.limits.transaction),
        Field::DailyWithdrawalLimit => number(facts.limits.daily_withdrawal),
        Field::DailyTransferLimit => number(facts.limits.daily_transfer),
        _ => Cell::Unknown,
    }
}

/// The amount in the base currency, as it was when the event was judged; unknown where there was no rate.
pub(super) fn amount_base(units: Option<i128>) -> Cell {
    units.map_or(Cell::Unknown, Cell::number)
}

/// The amount of a transaction with its currency, as its own account sees it, or as that of the other side: of an exchange, that has
/// another amount in another currency.
pub(super) fn money_of(event: &Transaction, is_mirrored: bool) -> (Amount, Currency) {
    let counter = event.counter_amount.zip(event.counter_currency).filter(|_| is_mirrored);
    counter.unwrap_or((event.amount, event.currency))
}

/// Which way the money of a transaction goes, as its own account sees it.
fn direction(event: &Transaction, account_type: Option<AccountType>) -> Direction {
    if event.counterparty_account == Some(event.account_id) {
        Direction::Within
    } else if is_debit(event, account_type) {
        Direction::Out
    } else {
        Direction::In
    }
}

/// A field of a transaction, as its own account sees it, or as that of the other side.
pub(super) fn of_transaction(event: &Transaction, account_type: Option<AccountType>, is_mirrored: bool, field: Field) -> Cell {
    match field {
        Field::Amount => Cell::number(money_of(event, is_mirrored).0.units()),
        Field::Currency => Cell::Text(Text::new(money_of(event, is_mirrored).1.as_str())),
        Field::Type => Cell::Word(event.r#type as u8),
        Field::Phase => Cell::Word(event.phase.unwrap_or(TransactionPhase::Posted) as u8),
        Field::Channel => event.channel.map_or(Cell::Unknown, |channel| Cell::Word(channel as u8)),
        Field::Location => location(event.lat, event.lon),
        Field::Direction => {
            let own = direction(event, account_type);
            Cell::Word(if is_mirrored { own.turned() } else { own } as u8)
        }
        Field::Peer => {
            let peer = if is_mirrored { Some(event.account_id) } else { event.counterparty_account };
            // Neither the outside, whether it is named or left out, nor the account itself is another one.
            let is_other = |peer: &AccountId| !peer.is_contra() && (is_mirrored || *peer != event.account_id);
            peer.filter(is_other).map_or(Cell::Unknown, |peer| Cell::Text(Text::new(peer.as_str())))
        }
        _ => text_of_transaction(event, field).map_or(Cell::Unknown, Cell::Text),
    }
}

/// A text of a transaction.
pub(super) fn text_of_transaction(event: &Transaction, field: Field) -> Option<Text> {
    let id = |id: &Option<Id>| id.as_ref().map(|id| Text::new(id.as_str()));
    match field {
        Field::AccountId => Some(Text::new(event.account_id.as_str())),
        Field::Currency => Some(Text::new(event.currency.as_str())),
        Field::CounterpartyAccount => event.counterparty_account.map(|account| Text::new(account.as_str())),
        Field::PendingId => id(&event.pending_id),
        Field::Reverses => id(&event.reverses),
        Field::Merchant => event.merchant.clone(),
        Field::Mcc => event.mcc.clone(),
        Field::DeviceId => event.device_id.clone(),
        Field::Country => event.country.clone(),
        _ => None,
    }
}

/// A field of a payment.
pub(super) fn of_payment(event: &Payment, field: Field) -> Cell {
    match field {
        Field::Amount => Cell::number(event.amount.units()),
        Field::Method => Cell::Word(event.method as u8),
        Field::Status => Cell::Word(event.status as u8),
        Field::Location => location(event.lat, event.lon),
        _ => text_of_payment(event, field).map_or(Cell::Unknown, Cell::Text),
    }
}

/// A text of a payment.
pub(super) fn text_of_payment(event: &Payment, field: Field) -> Option<Text> {
    match field {
        Field::AccountId => event.account_id.map(|account| Text::new(account.as_str())),
        Field::CustomerId => Some(Text::new(event.customer_id.as_str())),
        Field::Currency => Some(Text::new(event.currency.as_str())),
        Field::Merchant => Some(Text::new(event.merchant_id.as_str())),
        Field::DeviceId => event.device_id.clone(),
        _ => None,
    }
}

/// A field of an attempt to access something.
pub(super) fn of_access(event: &Access, field: Field) -> Cell {
    match field {
        Field::Outcome => Cell::Word(event.outcome as u8),
        Field::Location => location(event.lat, event.lon),
        _ => text_of_access(event, field).map_or(Cell::Unknown, Cell::Text),
    }
}

/// A text of an attempt to access something.
pub(super) fn text_of_access(event: &Access, field: Field) -> Option<Text> {
    match field {
        Field::Actor => Some(Text::new(event.actor.as_str())),
        Field::Action => Some(event.action.clone()),
        Field::EntityType => event.entity_type.clone(),
        Field::EntityId => event.entity_id.clone(),
        Field::Entity => entity(event),
        Field::DeviceId => event.device_id.clone(),
        Field::Ip => event.ip.clone(),
        _ => None,
    }
}

/// `TYPE:ID`, or the id alone: things of different types may have the same id.
///
/// Two things never have the same text: `:` and `\` in the type follow a `\`, and an id without a type begins with `:` if it has one
/// in it. An empty type is no type.
fn entity(event: &Access) -> Option<Text> {
    let id = event.entity_id.as_ref()?;
    let of_type = event.entity_type.as_deref().filter(|of_type| !of_type.is_empty());
    Some(match of_type {
        Some(of_type) => Text::from([of_type.replace('\\', r"\\").replace(':', r"\:").as_str(), ":", id.as_str()].concat()),
        None if id.contains(':') => Text::from([":", id.as_str()].concat()),
        None => id.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use headwater_schemas::events::AccessOutcome;

    use super::*;

    #[test]
    fn things_of_other_types_or_ids_are_other_entities() {
        let cases = [
            (None, "1", "1"),
            (None, r"a\b", r"a\b"),
            (None, "a:1", ":a:1"),
            (None, ":a:1", "::a:1"),
            (None, "a:b:c", ":a:b:c"),
            (Some("a"), "1", "a:1"),
            (Some("a"), "b:c", "a:b:c"),
            (Some("a"), r"\:c", r"a:\:c"),
            (Some("a:b"), "c", r"a\:b:c"),
            (Some(r"a\"), "b:c", r"a\\:b:c"),
            (Some(r"a\:b"), "c", r"a\\\:b:c"),
            (Some(":"), "1", r"\::1"),
        ];
        let mut found = BTreeSet::new();
        for (of_type, id, expected) in cases {
            let access = access(of_type, id);
            let entity = entity(&access).unwrap_or_default();
            assert_eq!(entity.as_str(), expected, "{of_type:?} {id}");
            found.insert(entity);
        }
        assert_eq!(found.len(), cases.len());
        assert_eq!(entity(&access(Some(""), "1")).as_deref(), Some("1"), "an empty type is no type");
    }

    fn access(of_type: Option<&str>, id: &str) -> Access {
        Access {
            actor: Id::derived("ann"),
            action: Text::const_new("view"),
            entity_type: of_type.map(Text::new),
            entity_id: Some(Text::new(id)),
            outcome: AccessOutcome::Success,
            device_id: None,
            ip: None,
            lat: None,
            lon: None,
            ts: EventTime::from_nanos(0),
        }
    }

    #[test]
    fn a_cell_is_read_back_as_it_was_written() {
        assert!(size_of::<Cell>() <= 24, "{}", size_of::<Cell>());
        let place = Location::new("40.5".parse().ok(), "-74".parse().ok()).map_or(Cell::Unknown, Cell::Location);
        for (field, cell, text) in [
            (Field::Amount, Cell::number(12_500_000_000), "amount=12.5"),
            (Field::Amount, Cell::number(10_i128.pow(27) - 1), "amount=999999999999999999.999999999"),
            (Field::Channel, Cell::Word(0), "channel=cash"),
            (Field::Merchant, Cell::Text("A=B, c".into()), "merchant=A=B, c"),
            (Field::OpenedAt, Cell::Time(1), "opened_at=1"),
            (Field::Location, place, "location=40.5,-74"),
        ] {
            let written = written(field, cell.value(), &mut String::new()).unwrap_or_default();
            assert_eq!(written.as_str(), text);
            assert_eq!(written.split_once('=').and_then(|(_, value)| Cell::read(field, value)), Some(cell));
        }
        assert_eq!(written(Field::Amount, Value::Unknown, &mut String::new()), None);
    }
}
