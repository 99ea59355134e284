//! Conversion of a remembered event, and of what was found about it, to rows of the checkpoint, and back.

use std::sync::Arc;

use headwater_schemas::tables::{DecisionState, RememberedEvent, RuleOutcome, Verdict};
use headwater_schemas::{Decimal, EventTime, Offset, Text};

use super::cells::{self, Cell};
use super::field::{Field, FieldSet};
use super::grouped::Grouped;
use super::known_cells::KnownCells;
use super::outcome::{Cause, Found, Grounds, Outcome, Outcomes, Undecided};
use super::pack::Ruleset;
use super::record::{Order, Record};
use super::subject::GroupKey;
use crate::alerts::Raised;

/// An event as it is or was saved.
#[derive(Clone, Copy)]
pub(super) struct Saved<'a> {
    pub(super) record: &'a Record,
    pub(super) cells: &'a KnownCells,
    pub(super) outcomes: &'a Outcomes,
    pub(super) is_withdrawn: bool,
}

impl<'a> Saved<'a> {
    /// The event as it is.
    pub(super) fn now(record: &'a Record) -> Self {
        Self { record, cells: &record.cells, outcomes: &record.outcomes, is_withdrawn: record.is_withdrawn }
    }

    /// The row of the event.
    pub(super) fn event(self, grouped: &Grouped, key: &GroupKey) -> RememberedEvent {
        let own = grouped.kept.own().iter().zip(self.cells.first(grouped.kept.own().len()));
        let facts = grouped.kept.facts().iter().zip(self.record.facts.iter().map(Cell::value));
        // Most texts are short enough to be stored without memory of their own.
        let mut text = String::new();
        let known = self.cells.count() + facts.len();
        let mut fields = Vec::with_capacity(known);
        fields.extend(own.chain(facts).filter_map(|(field, value)| cells::written(*field, value, &mut text)));
        RememberedEvent {
            account_id: self.record.account,
            utc_offset: self.record.utc_offset,
            is_withdrawn: self.is_withdrawn,
            fields,
            undecided: self.outcomes.iter().flat_map(|(number, outcome)| undecided(grouped, number, outcome)).collect(),
            ..gone(grouped, key, self.record)
        }
    }

    /// The row of what a ruleset, by its number, found about it.
    pub(super) fn outcome(self, ruleset: &Ruleset, number: usize, key: &GroupKey) -> Option<RuleOutcome> {
        let outcome = self.outcomes.of(number);
        outcome.is_saved_apart().then(|| found(ruleset, key, self.record, outcome))
    }
}

/// The row of an event that is forgotten: its key, and nothing that takes time to write.
pub(super) fn gone(grouped: &Grouped, key: &GroupKey, record: &Record) -> RememberedEvent {
    RememberedEvent {
        subject: Text::new(grouped.subject.word()),
        grouping: Text::new(grouped.grouping.name()),
        group_key: Text::new(key.as_str()),
        ts: EventTime::from_nanos(record.order.ts),
        rank: record.order.rank.into(),
        partition: record.order.partition.into(),
        offset: record.order.offset,
        sequence: record.order.sequence.into(),
        event_id: record.id.clone(),
        account_id: None,
        role: record.role,
        is_mirrored: record.is_mirrored,
        is_withdrawn: record.is_withdrawn,
        utc_offset: None,
        fields: Vec::new(),
        undecided: Vec::new(),
    }
}

fn found(ruleset: &Ruleset, key: &GroupKey, record: &Record, outcome: &Outcome) -> RuleOutcome {
    let (alert, amended_by) = (outcome.alert(), outcome.amended_by());
    RuleOutcome {
        state: outcome.state,
        score: Decimal::from_units(outcome.score.into()),
        decision: outcome.verdict,
        reasons: outcome.reasons(ruleset),
        evidence: outcome.evidence().to_vec(),
        amendment: amended_by.map(|cause| cause.amendment),
        amended_by: amended_by.map(|cause| cause.id.clone()),
        alert_state: alert.map(|alert| alert.state),
        alert_severity: alert.map(|alert| alert.severity),
        alert_ts: alert.map(|alert| alert.ts),
        ..nothing_found(ruleset, key, record)
    }
}

/// The row of what is no longer found: its key, whatever was found.
pub(super) fn nothing_found(ruleset: &Ruleset, key: &GroupKey, record: &Record) -> RuleOutcome {
    RuleOutcome {
        ruleset: ruleset.name.clone(),
        grouping: Text::new(ruleset.grouping.name()),
        group_key: Text::new(key.as_str()),
        ts: EventTime::from_nanos(record.order.ts),
        rank: record.order.rank.into(),
        partition: record.order.partition.into(),
        offset: record.order.offset,
        sequence: record.order.sequence.into(),
        state: DecisionState::Made,
        score: Decimal::default(),
        decision: Verdict::Approve,
        reasons: Vec::new(),
        evidence: Vec::new(),
        amendment: None,
        amended_by: None,
        alert_state: None,
        alert_severity: None,
        alert_ts: None,
    }
}

/// `ruleset.rule=fields` of each rule that could not be decided.
fn undecided(grouped: &Grouped, number: usize, outcome: &Outcome) -> Vec<Text> {
    let (Grounds::Undecided(rules), Some(member)) = (&outcome.grounds, grouped.members.get(number)) else { return Vec::new() };
    let ruleset = &member.ruleset;
    let text = |undecided: &Undecided| {
        let rule = ruleset.rules.get(usize::from(undecided.rule))?;
        let fields = undecided.fields.names().collect::<Vec<_>>().join(",");
        Some(Text::from([&*ruleset.name, ".", &*rule.name, "=", &fields].concat()))
    };
    rules.iter().filter_map(text).collect()
}

/// The events of rows. Of one account and customer, they share what is known of them.
pub(super) fn records(grouped: &Grouped, rows: &[RememberedEvent]) -> Vec<Record> {
    let (mut records, mut facts) = (Vec::<Record>::with_capacity(rows.len()), Vec::new());
    for row in rows {
        facts.extend(grouped.kept.facts().iter().map(|field| cell(row, *field)));
        let known = records.last().map(|last| &last.facts).filter(|known| ***known == *facts);
        let known = known.map_or_else(|| facts.as_slice().into(), Arc::clone);
        facts.clear();
        records.extend(record(grouped, row, known));
    }
    records
}

/// The event of a row, without what was found about it, other than that rules could not be decided. A rule that is no longer in a
/// pack is left out.
fn record(grouped: &Grouped, row: &RememberedEvent, facts: Arc<[Cell]>) -> Option<Record> {
    let mut record = Record {
        order: order(row.ts, (row.rank, row.partition, row.sequence), row.offset)?,
        id: row.event_id.clone(),
        account: row.account_id,
        utc_offset: row.utc_offset,
        role: row.role,
        is_mirrored: row.is_mirrored,
        is_withdrawn: row.is_withdrawn,
        is_pending: false,
        cells: grouped.kept.own().iter().map(|field| cell(row, *field)).collect(),
        facts,
        outcomes: Outcomes::default(),
    };
    for (number, member) in grouped.members.iter().enumerate().filter(|(_, member)| member.ruleset.scoring.is_some()) {
        let undecided: Box<[_]> = row.undecided.iter().filter_map(|text| read_undecided(&member.ruleset, text)).collect();
        if !undecided.is_empty() {
            record.outcomes.set(number, Outcome { grounds: Grounds::Undecided(undecided), ..Outcome::default() });
        }
    }
    Some(record)
}

fn read_undecided(ruleset: &Ruleset, text: &str) -> Option<Undecided> {
    let (rule, fields) = text.strip_prefix(&*ruleset.name)?.strip_prefix('.')?.rsplit_once('=')?;
    let rule = ruleset.rules.iter().position(|known| known.name.as_str() == rule)?;
    Some(Undecided { rule: rule.try_into().ok()?, fields: FieldSet::read(fields.split(','))? })
}

/// The place of the event of an outcome's row.
pub(super) fn order_of(row: &RuleOutcome) -> Option<Order> {
    order(row.ts, (row.rank, row.partition, row.sequence), row.offset)
}

fn order(ts: EventTime, (rank, partition, sequence): (i32, i32, i64), offset: Offset) -> Option<Order> {
    Some(Order {
        ts: ts.nanos(),
        rank: rank.try_into().ok()?,
        partition: partition.try_into().ok()?,
        offset,
        sequence: sequence.try_into().ok()?,
    })
}

/// What a row says that was found.
pub(super) fn outcome(row: &RuleOutcome) -> Option<Outcome> {
    let alert = row.alert_state.zip(row.alert_severity).zip(row.alert_ts);
    let found = Found {
        reasons: row.reasons.clone(),
        evidence: row.evidence.clone(),
        amended_by: row.amendment.zip(row.amended_by.clone()).map(|(amendment, id)| Cause { amendment, id }),
        alert: alert.map(|((state, severity), ts)| Raised { state, severity, ts }),
    };
    let score = row.score.units().try_into().ok()?;
    Some(Outcome { score, verdict: row.decision, state: row.state, grounds: Grounds::Found(Box::new(found)) })
}

/// A field of a row; unknown if the packs of then did not read it.
fn cell(row: &RememberedEvent, field: Field) -> Cell {
    let value = |text: &Text| Cell::read(field, text.as_str().strip_prefix(field.name())?.strip_prefix('=')?);
    row.fields.iter().find_map(value).unwrap_or_default()
}
