//! Conversion of a remembered event to a row of the checkpoint, and back.

use headwater_schemas::tables::ScoredEvent;
use headwater_schemas::{AccountId, EventTime, Text};

use super::field::Field;
use super::geo::Location;
use super::outcome::{Cause, Found, Grounds, Outcome};
use super::pack::Pack;
use super::record::{Order, Record, Whereabouts};
use crate::alerts::Raised;

/// The row of an event and its decision.
pub(super) fn row(pack: &Pack, account: &AccountId, record: &Record, outcome: &Outcome) -> ScoredEvent {
    let text = |field| record.text(field, &pack.kept).cloned();
    let alert = outcome.alert();
    ScoredEvent {
        ruleset: pack.name.clone(),
        account_id: *account,
        ts: EventTime::from_nanos(record.order.ts),
        rank: record.order.rank.into(),
        partition: record.order.partition.into(),
        offset: record.order.offset,
        sequence: record.order.sequence.into(),
        transaction_id: record.id.clone(),
        transaction_type: record.transaction_type,
        phase: record.phase,
        role: record.role,
        channel: record.channel,
        amount: record.amount,
        currency: text(Field::Currency),
        counterparty_account: text(Field::CounterpartyAccount),
        pending_id: text(Field::PendingId),
        reverses: text(Field::Reverses),
        merchant: text(Field::Merchant),
        mcc: text(Field::Mcc),
        device_id: text(Field::DeviceId),
        country: text(Field::Country),
        lat: record.location.map(Location::lat),
        lon: record.location.map(Location::lon),
        home_lat: record.customer.home.map(Location::lat),
        home_lon: record.customer.home.map(Location::lon),
        utc_offset: record.customer.utc_offset,
        state: outcome.state,
        score: outcome.score.into(),
        decision: outcome.verdict,
        reasons: outcome.reasons(pack),
        evidence: outcome.evidence().to_vec(),
        amendment: outcome.amended_by().map(|cause| cause.amendment),
        amended_by: outcome.amended_by().map(|cause| cause.id.clone()),
        alert_state: alert.map(|alert| alert.state),
        alert_severity: alert.map(|alert| alert.severity),
        alert_ts: alert.map(|alert| alert.ts),
    }
}

/// The event of a row, and its decision.
pub(super) fn record(pack: &Pack, row: &ScoredEvent) -> Option<Record> {
    let order = Order {
        ts: row.ts.nanos(),
        rank: row.rank.try_into().ok()?,
        partition: row.partition.try_into().ok()?,
        offset: row.offset,
        sequence: row.sequence.try_into().ok()?,
    };
    Some(Record {
        order,
        id: row.transaction_id.clone(),
        amount: row.amount,
        transaction_type: row.transaction_type,
        phase: row.phase,
        role: row.role,
        channel: row.channel,
        location: Location::new(row.lat, row.lon),
        customer: Whereabouts { home: Location::new(row.home_lat, row.home_lon), utc_offset: row.utc_offset },
        texts: pack.kept.fields().iter().map(|field| text_of(row, *field)).collect(),
        outcome: Outcome { score: row.score.try_into().ok()?, verdict: row.decision, state: row.state, grounds: grounds(row) },
        is_pending: false,
    })
}

fn text_of(row: &ScoredEvent, field: Field) -> Option<Text> {
    match field {
        Field::Currency => row.currency.clone(),
        Field::CounterpartyAccount => row.counterparty_account.clone(),
        Field::PendingId => row.pending_id.clone(),
        Field::Reverses => row.reverses.clone(),
        Field::Merchant => row.merchant.clone(),
        Field::Mcc => row.mcc.clone(),
        Field::DeviceId => row.device_id.clone(),
        Field::Country => row.country.clone(),
        _ => None,
    }
}

/// The grounds as they were written: an undecided outcome is restored as text with the same meaning.
fn grounds(row: &ScoredEvent) -> Grounds {
    let alert = row.alert_state.zip(row.alert_severity).zip(row.alert_ts);
    let alert = alert.map(|((state, severity), ts)| Raised { state, severity, ts });
    if row.reasons.is_empty() && row.amended_by.is_none() && alert.is_none() {
        return Grounds::Nothing;
    }
    Grounds::Found(Box::new(Found {
        reasons: row.reasons.clone(),
        evidence: row.evidence.clone(),
        amended_by: row.amendment.zip(row.amended_by.clone()).map(|(amendment, id)| Cause { amendment, id }),
        alert,
    }))
}
