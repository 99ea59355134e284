//! Conversion of a remembered event to a row of the checkpoint, and back.

use headwater_schemas::tables::RememberedEvent;
use headwater_schemas::{Decimal, EventTime, Text};

use super::cells::Cell;
use super::field::Field;
use super::outcome::{Cause, Found, Grounds, Outcome};
use super::pack::Ruleset;
use super::record::{Order, Record};
use super::subject::GroupKey;
use crate::alerts::Raised;

/// The row of an event and its outcome.
pub(super) fn row(ruleset: &Ruleset, key: &GroupKey, record: &Record, cells: &[Cell], outcome: &Outcome) -> RememberedEvent {
    let alert = outcome.alert();
    let fields = ruleset.kept.fields().iter().zip(cells).filter_map(|(field, cell)| cell.written(*field));
    RememberedEvent {
        account_id: record.account,
        utc_offset: record.utc_offset,
        fields: fields.collect(),
        reasons: outcome.reasons(ruleset),
        evidence: outcome.evidence().to_vec(),
        amendment: outcome.amended_by().map(|cause| cause.amendment),
        amended_by: outcome.amended_by().map(|cause| cause.id.clone()),
        alert_state: alert.map(|alert| alert.state),
        alert_severity: alert.map(|alert| alert.severity),
        alert_ts: alert.map(|alert| alert.ts),
        ..gone(ruleset, key, record, outcome)
    }
}

/// The row of an event that is forgotten: its key, and nothing that takes time to write.
pub(super) fn gone(ruleset: &Ruleset, key: &GroupKey, record: &Record, outcome: &Outcome) -> RememberedEvent {
    RememberedEvent {
        ruleset: ruleset.name.clone(),
        grouping: Text::new(ruleset.grouping.name()),
        group_key: Text::new(key.as_str()),
        ts: EventTime::from_nanos(record.order.ts),
        rank: record.order.rank.into(),
        partition: record.order.partition.into(),
        offset: record.order.offset,
        sequence: record.order.sequence.into(),
        event_id: record.id.clone(),
        account_id: None,
        role: record.role,
        utc_offset: None,
        fields: Vec::new(),
        state: outcome.state,
        score: Decimal::from_units(outcome.score.into()),
        decision: outcome.verdict,
        reasons: Vec::new(),
        evidence: Vec::new(),
        amendment: None,
        amended_by: None,
        alert_state: None,
        alert_severity: None,
        alert_ts: None,
    }
}

/// The event of a row, and its outcome.
pub(super) fn record(ruleset: &Ruleset, row: &RememberedEvent) -> Option<Record> {
    let order = Order {
        ts: row.ts.nanos(),
        rank: row.rank.try_into().ok()?,
        partition: row.partition.try_into().ok()?,
        offset: row.offset,
        sequence: row.sequence.try_into().ok()?,
    };
    let score = row.score.units().try_into().ok()?;
    Some(Record {
        order,
        id: row.event_id.clone(),
        account: row.account_id,
        utc_offset: row.utc_offset,
        role: row.role,
        is_pending: false,
        cells: ruleset.kept.fields().iter().map(|field| cell(row, *field)).collect(),
        outcome: Outcome { score, verdict: row.decision, state: row.state, grounds: grounds(row) },
    })
}

/// A field of a row; unknown if the pack of then did not read it.
fn cell(row: &RememberedEvent, field: Field) -> Cell {
    let texts = row.fields.iter().filter_map(|text| text.split_once('='));
    let value = texts.into_iter().find(|(name, _)| *name == field.name()).map(|(_, value)| value);
    value.and_then(|value| Cell::read(field, value)).unwrap_or_default()
}

/// The grounds as they were written: an undecided outcome is restored as text with the same meaning.
fn grounds(row: &RememberedEvent) -> Grounds {
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
