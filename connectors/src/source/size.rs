//! Upper bounds of the memory that decoded events take.
//!
//! A text is no longer than in its record. So an event takes at most its struct, its box, and the record's length for texts that
//! are too long to be stored inline. Nothing is traversed.

use headwater_schemas::Placed;
use headwater_schemas::events::{AccountEvent, BadRecord, Event, FillEvent, OrderEvent, RulesetEvent, TransferEvent};
use headwater_schemas::tables::{Audit, DeadLetter};

/// Bytes of a row of the audit.
pub(super) const OF_AUDIT: u64 = size_of::<Audit>() as u64;

/// Bytes of an event, from the length of its record.
pub(super) fn of_event(event: &Event, record_bytes: usize) -> u64 {
    (size_of::<Placed<Event>>() + boxed(event) + record_bytes) as u64
}

/// Bytes of a dead letter, from the length of its record.
pub(super) fn of_dead_letter(bad: &BadRecord, record_bytes: usize) -> u64 {
    (size_of::<DeadLetter>() + bad.message.len() + record_bytes) as u64
}

/// Bytes of the box that an event is in.
fn boxed(event: &Event) -> usize {
    match event {
        Event::Instrument(event) => size_of_val(&**event),
        Event::Customer(event) => size_of_val(&**event),
        Event::Limit(event) => size_of_val(&**event),
        Event::Watch(event) => size_of_val(&**event),
        Event::Budget(event) => size_of_val(&**event),
        Event::Account(AccountEvent::Opened(event)) => size_of_val(&**event),
        Event::Account(AccountEvent::Updated(event)) => size_of_val(&**event),
        Event::Order(OrderEvent::New(event)) => size_of_val(&**event),
        Event::Order(OrderEvent::Amend(event)) => size_of_val(&**event),
        Event::Fill(FillEvent::Fill(event)) => size_of_val(&**event),
        Event::Transaction(event) => size_of_val(&**event),
        Event::Payment(event) => size_of_val(&**event),
        Event::Transfer(TransferEvent::Initiated(event)) => size_of_val(&**event),
        Event::Access(event) => size_of_val(&**event),
        Event::Label(event) => size_of_val(&**event),
        Event::Suppression(event) => size_of_val(&**event),
        Event::Ruleset(RulesetEvent::Proposed(event)) => size_of_val(&**event),
        Event::Ruleset(RulesetEvent::RetirementProposed(event)) => size_of_val(&**event),
        Event::Ruleset(RulesetEvent::Approved(event) | RulesetEvent::Rejected(event)) => size_of_val(&**event),
        Event::Deleted(event) => size_of_val(&**event),
        Event::Order(OrderEvent::Cancel(event)) => size_of_val(&**event),
        Event::Order(OrderEvent::Phase(event)) => size_of_val(&**event),
        Event::Fill(FillEvent::Bust(event)) => size_of_val(&**event),
        Event::Quote(event) => size_of_val(&**event),
        Event::Trade(event) => size_of_val(&**event),
        Event::Close(event) => size_of_val(&**event),
        Event::FxRate(event) => size_of_val(&**event),
        Event::Transfer(
            TransferEvent::Debited(event)
            | TransferEvent::Credited(event)
            | TransferEvent::Completed(event)
            | TransferEvent::Failed(event)
            | TransferEvent::DebitReversed(event)
            | TransferEvent::CreditReversed(event),
        ) => size_of_val(&**event),
        Event::Account(AccountEvent::Frozen(_) | AccountEvent::Unfrozen(_) | AccountEvent::Closed(_)) => 0,
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Topic;

    use super::*;

    #[test]
    fn an_event_is_counted_with_its_box_and_its_texts() {
        let quote = br#"{"symbol":"A","bid":"1","ask":"2","bid_size":"1","ask_size":"1","ts":1}"#;
        let transaction = br#"{"transaction_id":"T","account_id":"A","type":"deposit","amount":"1","currency":"USD","ts":1}"#;
        let size = |topic, value: &[u8]| Event::decode(topic, None, Some(value)).map(|event| of_event(&event, value.len()));
        let placed = size_of::<Placed<Event>>();
        let boxed = size_of::<headwater_schemas::events::Quote>();
        assert_eq!(size(Topic::Quotes, quote), Ok((placed + boxed + quote.len()) as u64));
        let boxed = size_of::<headwater_schemas::events::Transaction>();
        assert_eq!(size(Topic::Transactions, transaction), Ok((placed + boxed + transaction.len()) as u64));
    }
}
