//! A remembered transaction.

use headwater_schemas::events::{Channel, Transaction, TransactionPhase, TransactionType};
use headwater_schemas::tables::TransactionRole;
use headwater_schemas::{Amount, EventTime, Id, Place, Text};

use super::expression::{Scope, Value};
use super::field::Field;
use super::geo::Location;
use super::outcome::Outcome;
use super::pack::Kept;

/// Order of an account's events: by their own time, then by their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    pub(super) ts: i64,
    pub(super) rank: u8,
    pub(super) partition: u16,
    pub(super) offset: u64,
    pub(super) sequence: u32,
}

impl Order {
    pub(super) const fn new(ts: EventTime, place: Place) -> Self {
        Self { ts: ts.nanos(), rank: place.rank, partition: place.partition, offset: place.offset, sequence: place.sequence }
    }
}

/// Location and UTC offset of the customer when the event arrived. They stay with the event: a customer who moves house does not
/// change earlier decisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Whereabouts {
    pub(super) home: Option<Location>,
    /// Seconds east of UTC.
    pub(super) utc_offset: Option<i32>,
}

/// A transaction within reach of the windows, and its decision.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) order: Order,
    pub(super) id: Id,
    pub(super) amount: Amount,
    pub(super) transaction_type: TransactionType,
    pub(super) phase: TransactionPhase,
    pub(super) role: TransactionRole,
    pub(super) channel: Option<Channel>,
    pub(super) location: Option<Location>,
    pub(super) customer: Whereabouts,
    /// The texts that the pack reads, in the order of [`Kept`].
    pub(super) texts: Box<[Option<Text>]>,
    pub(super) outcome: Outcome,
    /// Whether the outcome changed since it was emitted last.
    pub(super) is_pending: bool,
}

impl Record {
    pub(super) fn new(place: Place, event: &Transaction, customer: Whereabouts, kept: &Kept) -> Self {
        Self {
            order: Order::new(event.ts, place),
            id: event.transaction_id.clone(),
            amount: event.amount,
            transaction_type: event.r#type,
            phase: event.phase.unwrap_or(TransactionPhase::Posted),
            role: role_of(event),
            channel: event.channel,
            location: Location::new(event.lat, event.lon),
            customer,
            texts: kept.fields().iter().map(|field| text_of(event, *field)).collect(),
            outcome: Outcome::default(),
            is_pending: false,
        }
    }

    /// The value of a field, for the pack that chose which texts are kept.
    pub(super) fn field(&self, field: Field, kept: &Kept) -> Value<'_> {
        match field {
            Field::Amount => Value::Number(self.amount.units()),
            Field::Ts => Value::Time(self.order.ts),
            Field::Type => Value::Word(self.transaction_type as u8),
            Field::Phase => Value::Word(self.phase as u8),
            Field::Channel => self.channel.map_or(Value::Unknown, |channel| Value::Word(channel as u8)),
            Field::Location => self.location.map_or(Value::Unknown, Value::Location),
            Field::Home => self.customer.home.map_or(Value::Unknown, Value::Location),
            Field::HourLocal => self.local_seconds().map_or(Value::Unknown, |local| whole(local.div_euclid(3_600).rem_euclid(24))),
            // The epoch was a Thursday.
            Field::WeekdayLocal => {
                self.local_seconds().map_or(Value::Unknown, |local| whole((local.div_euclid(86_400) + 3).rem_euclid(7) + 1))
            }
            _ => self.text(field, kept).map_or(Value::Unknown, |text| Value::Text(text)),
        }
    }

    pub(super) fn text(&self, field: Field, kept: &Kept) -> Option<&Text> {
        self.texts.get(kept.slot(field)?)?.as_ref()
    }

    fn local_seconds(&self) -> Option<i64> {
        Some(self.order.ts.div_euclid(1_000_000_000) + i64::from(self.customer.utc_offset?))
    }
}

fn whole<'a>(number: i64) -> Value<'a> {
    Value::Number(headwater_schemas::Decimal::whole(number).units())
}

const fn role_of(event: &Transaction) -> TransactionRole {
    match (&event.pending_id, &event.reverses) {
        (Some(_), _) => TransactionRole::Capture,
        (None, Some(_)) => TransactionRole::Reversal,
        (None, None) => TransactionRole::Original,
    }
}

fn text_of(event: &Transaction, field: Field) -> Option<Text> {
    let id = |id: &Option<Id>| id.as_ref().map(|id| Text::new(id.as_str()));
    match field {
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

/// A record without features, which is all that a filter sees.
pub(super) struct Alone<'a> {
    pub(super) record: &'a Record,
    pub(super) kept: &'a Kept,
}

impl Scope for Alone<'_> {
    fn field(&self, field: Field) -> Value<'_> {
        self.record.field(field, self.kept)
    }

    fn aggregate(&self, _: usize) -> Value<'_> {
        Value::Unknown
    }
}
