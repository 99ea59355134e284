//! Conversion of payments to rows of checkpoints, and back.

use headwater_schemas::events::Event;
use headwater_schemas::tables::{PaymentPosting, PaymentStepTaken};
use headwater_schemas::{EventTime, Id, Place, Placed, Text, Topic};

use super::postings::Posting;
use super::stage::Step;

/// The row of a status.
pub(super) fn row_of(id: &Id, Placed { place, event }: &Placed<Step>) -> PaymentStepTaken {
    let text = event.event.as_ref().and_then(|payment| Event::Payment(payment.clone()).encode());
    PaymentStepTaken {
        payment_id: id.clone(),
        partition: place.partition.into(),
        offset: place.offset,
        status: event.status,
        written: event.written,
        customer_id: event.customer_id,
        account_id: event.account_id,
        amount: event.amount,
        currency: event.currency,
        idempotency_key: event.idempotency_key.clone(),
        event: text.map(|text| Text::new(String::from_utf8_lossy(&text))),
        ts: place.event_time(),
    }
}

/// The status of a row.
pub(super) fn step_of(row: &PaymentStepTaken) -> Placed<Step> {
    let decoded = row.event.as_ref().and_then(|text| Event::decode(Topic::Payments, None, Some(text.as_bytes())).ok());
    let event = decoded.and_then(|event| if let Event::Payment(payment) = event { Some(payment) } else { None });
    let partition = u16::try_from(row.partition).unwrap_or(u16::MAX);
    Placed {
        place: Place::of_record(EventTime::effective(row.ts), Topic::Payments, partition, row.offset),
        event: Step {
            status: row.status,
            written: row.written,
            customer_id: row.customer_id,
            account_id: row.account_id,
            amount: row.amount,
            currency: row.currency,
            idempotency_key: row.idempotency_key.clone(),
            event,
        },
    }
}

/// The row of a debit.
pub(super) fn posting_row(id: &Id, posting: &Posting) -> PaymentPosting {
    PaymentPosting {
        payment_id: id.clone(),
        transaction_id: posting.transaction_id.clone(),
        account_id: posting.account_id,
        amount: posting.amount,
        currency: posting.currency,
        taken_back: posting.taken_back.map(EventTime::from_effective),
        ts: EventTime::from_effective(posting.time),
    }
}

/// The debit of a row.
pub(super) fn posting_of(row: &PaymentPosting) -> Posting {
    Posting {
        transaction_id: row.transaction_id.clone(),
        account_id: row.account_id,
        amount: row.amount,
        currency: row.currency,
        time: row.ts.effective(),
        taken_back: row.taken_back.map(EventTime::effective),
    }
}
