//! Scoring: applies the rules to one event and the features at its moment.

use headwater_schemas::privacy::{Subject, Tokens};
use headwater_schemas::tables::{DecisionState, Reason, Verdict};
use headwater_schemas::{Id, Statistic, Text};

use super::expression::{Leaf, Scope, Type, Value, decisive, describe, unknowns};
use super::field::{Field, FieldSet};
use super::grouped::{Grouped, Member};
use super::outcome::{Found, Grounds, Outcome, Undecided};
use super::pack::{Rule, Ruleset};
use super::record::Record;
use super::ring::Ring;
use super::running::{Reading, Running};

/// Maximum number of ids that a reason names: the latest ones.
const MAX_IDS: usize = 20;
/// Evidence of a reason with more ids.
const MORE_IDS: Text = Text::const_new(Reason::EARLIER_EVENTS);

/// An event, and the values of the aggregates at its moment.
pub(super) struct Moment<'a> {
    pub(super) grouped: &'a Grouped,
    pub(super) member: &'a Member,
    pub(super) ring: &'a Ring,
    pub(super) running: &'a [Running],
    pub(super) index: usize,
    pub(super) record: &'a Record,
}

impl Scope for Moment<'_> {
    fn field(&self, field: Field) -> Value<'_> {
        self.record.field(field, &self.grouped.kept)
    }

    fn aggregate(&self, number: usize) -> Value<'_> {
        self.running(number).map_or(Value::Unknown, |(reading, running)| running.value(reading, self.record))
    }
}

/// The ids of a reason: the latest, in order, and whether there are more.
struct Ids {
    indices: Vec<usize>,
    is_cut: bool,
}

impl<'a> Moment<'a> {
    /// An aggregate of the pack, by its number.
    fn running(&self, number: usize) -> Option<(Reading<'a>, &'a Running)> {
        let place = self.member.place(number)?;
        let aggregate = self.grouped.aggregates.get(place)?;
        Some((Reading { aggregate, kept: &self.grouped.kept, ring: self.ring }, self.running.get(place)?))
    }

    const fn ruleset(&self) -> &'a Ruleset {
        &self.member.ruleset
    }

    /// The rules that apply to the event, with their indices.
    fn rules(&self) -> impl Iterator<Item = (&'a Rule, u16)> {
        let (role, ts) = (self.record.role, self.record.order.ts);
        self.ruleset().rules.iter().zip(0_u16..).filter(move |(rule, _)| rule.applies(role, ts))
    }

    /// Applies the rules.
    pub(super) fn score(&self) -> Outcome {
        let mut points = Vec::new();
        let mut undecided = Vec::new();
        for (rule, number) in self.rules() {
            match rule.when.evaluate(self) {
                Value::Bool(true) => points.push(self.points(rule)),
                // Without points nobody is told what could not be decided.
                Value::Unknown if self.ruleset().scoring.is_some() => {
                    let mut fields = FieldSet::default();
                    unknowns(&rule.when, self, &mut fields);
                    undecided.push(Undecided { rule: number, fields });
                }
                _ => {}
            }
        }
        let grounds = match (!points.is_empty(), undecided.is_empty()) {
            (true, _) => Grounds::Found(Box::new(self.found(&undecided))),
            (false, false) => Grounds::Undecided(undecided.into()),
            (false, true) => Grounds::Nothing,
        };
        let (score, verdict) = match self.ruleset().scoring {
            Some(scoring) => {
                let score = scoring.combine.score(points.into_iter());
                (score, scoring.thresholds.verdict(score))
            }
            None => (0, Verdict::Approve),
        };
        Outcome { score, verdict, state: DecisionState::Made, grounds }
    }

    /// The points of a rule that fires.
    fn points(&self, rule: &Rule) -> u32 {
        rule.rise.as_ref().filter(|rise| rise.when.evaluate(self).is_true()).map_or(rule.points, |rise| rise.points)
    }

    /// The reasons, in the order of the rules.
    fn found(&self, undecided: &[Undecided]) -> Found {
        let mut found = Found::default();
        for (rule, number) in self.rules() {
            if let Some(undecided) = undecided.iter().find(|undecided| undecided.rule == number) {
                found.reasons.extend(undecided.reason(self.ruleset()));
            } else if rule.when.evaluate(self).is_true() {
                let (reason, ids) = self.reason(rule);
                found.reasons.push(reason);
                let new = ids.into_iter().filter(|id| !found.evidence.contains(id)).collect::<Vec<_>>();
                found.evidence.extend(new);
            }
        }
        found
    }

    /// Why a rule fired: the values that decided it, then the ids of the events that they were computed from.
    fn reason(&self, rule: &Rule) -> (Reason, Vec<Id>) {
        let mut leaves = Vec::new();
        decisive(&rule.when, self, &mut leaves);
        let mut evidence: Vec<Text> = leaves.iter().filter_map(|leaf| self.figure(leaf)).collect();
        let ids = self.ids(&leaves);
        if ids.is_cut {
            evidence.push(MORE_IDS);
        }
        let ids: Vec<Id> = ids.indices.iter().filter_map(|index| self.ring.get(*index)).map(|record| record.id.clone()).collect();
        evidence.extend(ids.iter().map(|id| Text::new(id.as_str())));
        let points = Statistic::new(f64::from(self.points(rule))).unwrap_or_default();
        (Reason { rule: rule.name.clone(), points, evidence }, ids)
    }

    /// `name=value`
    fn figure(&self, leaf: &Leaf) -> Option<Text> {
        let (name, type_of, value): (&str, Type, Value<'_>) = match leaf {
            Leaf::Field(field) => (field.name(), field.type_of(), self.field(*field)),
            Leaf::Aggregate(number) => {
                let (_, aggregate) = self.ruleset().aggregate(*number)?;
                (&aggregate.name, aggregate.type_of, self.aggregate(*number))
            }
            Leaf::Named(named) => (&named.name, named.type_of, named.node.evaluate(self)),
        };
        let mut said = String::new();
        describe(value, type_of, &mut said);
        let tokens = self.grouped.tokens.as_deref().filter(|tokens| is_replaced(leaf, value, tokens));
        let token = tokens.map(|tokens| tokens.token(self.record.account.as_deref().map(Subject::Account), name, &said));
        Some(Text::from([name, "=", token.as_deref().unwrap_or(&said)].concat()))
    }

    /// The events that the leaves were computed from: those of the aggregates, and the scored one.
    fn ids(&self, leaves: &[Leaf]) -> Ids {
        let mut ids = Ids { indices: vec![self.index], is_cut: false };
        for leaf in leaves {
            match leaf {
                Leaf::Field(_) => {}
                Leaf::Aggregate(number) => self.witnesses(*number, &mut ids),
                Leaf::Named(named) => named.node.aggregates(&mut |number| self.witnesses(number, &mut ids)),
            }
        }
        ids.indices.sort_unstable();
        ids.indices.dedup();
        let surplus = ids.indices.len().saturating_sub(MAX_IDS);
        ids.is_cut |= surplus > 0;
        ids.indices.drain(..surplus);
        ids
    }

    /// The events that determined an aggregate: a single one where one did, else all of the window, from the latest.
    fn witnesses(&self, number: usize, ids: &mut Ids) {
        let Some((reading, running)) = self.running(number) else { return };
        if let Some(witness) = running.witness(reading, self.record) {
            return ids.indices.push(witness);
        }
        let (first, _) = reading.first(self.record, self.index);
        let key = |record: &'a Record| reading.aggregate.key.map(|key| record.field(key, &self.grouped.kept));
        let mine = reading.aggregate.key.map(|key| self.record.field(key, &self.grouped.kept));
        let belongs =
            |index: &usize| self.ring.get(*index).is_some_and(|record| key(record) == mine && reading.contribution(record).is_some());
        let mut matching = (first..self.index).rev().filter(belongs);
        ids.indices.extend(matching.by_ref().take(MAX_IDS));
        ids.is_cut |= matching.next().is_some();
    }
}

/// Whether a token replaces the value of a leaf: that of a field by its name, any other text or location, since it may be a field's.
fn is_replaced(leaf: &Leaf, value: Value<'_>, tokens: &Tokens) -> bool {
    let is_of_field = match leaf {
        Leaf::Field(field) => field.sources().iter().any(|name| tokens.replaces(name)),
        Leaf::Aggregate(_) | Leaf::Named(_) => true,
    };
    is_of_field && matches!(value, Value::Text(_) | Value::Location(_))
}
