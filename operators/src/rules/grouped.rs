//! Rulesets of several packs that remember the same events: those with the same subject whose windows group events by the same
//! value.
//!
//! An event is looked up, remembered and saved once, however many packs judge it, and an aggregate that several rules read is kept
//! once. Rulesets of accounts and of parties share what they remember: a party's events are those of its account, and those in
//! which it is the other side.

use std::sync::Arc;

use headwater_schemas::privacy::Tokens;

use super::coverage::{Coverage, Coverages, JudgedBy};
use super::gate::Gate;
use super::pack::{Aggregate, Kept, Pack, Ruleset};
use super::record::Record;
use super::subject::{Grouping, Subject};

/// The rulesets.
#[derive(Clone, Debug)]
pub(super) struct Grouped {
    pub(super) subject: Subject,
    pub(super) grouping: Grouping,
    pub(super) members: Vec<Member>,
    /// The aggregates of all of them, each once.
    pub(super) aggregates: Vec<Aggregate>,
    /// The fields that any of them reads.
    pub(super) kept: Kept,
    /// The greatest age of an event that a window can hold, in nanoseconds.
    pub(super) longest_window: i64,
    /// The events that they can be about.
    pub(super) gate: Gate,
    /// What is written in place of personal values, if that is configured.
    pub(super) tokens: Option<Arc<Tokens>>,
}

/// A ruleset among others.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) ruleset: Ruleset,
    /// The events that its pack judged.
    coverage: Arc<Coverage>,
    /// The place of each aggregate of its pack, by its number, among those of all rulesets.
    places: Vec<Option<usize>>,
}

impl Member {
    /// The place of an aggregate, by its number in the pack.
    pub(super) fn place(&self, number: usize) -> Option<usize> {
        self.places.get(number).copied().flatten()
    }

    /// Whether it judges an event. That of a transfer's other side is only judged by parties, and never decided: a transfer has one
    /// decision, of the account that sends it.
    pub(super) fn sees(&self, record: &Record) -> bool {
        !record.is_mirrored || (self.ruleset.grouping == Grouping::Party && self.ruleset.scoring.is_none())
    }

    /// The version of its pack that judged an event.
    pub(super) fn judged_by(&self, record: &Record) -> JudgedBy {
        self.coverage.judged_by(&record.order)
    }

    /// Whether it judged an event itself, so that it may decide about it again. What an earlier version decided stays.
    pub(super) fn may_change(&self, record: &Record) -> bool {
        self.sees(record) && self.judged_by(record) == JudgedBy::Current
    }

    /// Whether there is a decision about an event, be it of an earlier version of its pack.
    pub(super) fn has_decided(&self, record: &Record) -> bool {
        self.decides(record) && self.judged_by(record) != JudgedBy::Nobody
    }

    /// Whether it makes a decision about an event.
    pub(super) fn decides(&self, record: &Record) -> bool {
        self.ruleset.scoring.is_some() && self.sees(record)
    }
}

impl Grouped {
    /// The rulesets of a subject, by what they remember together.
    pub(super) fn all(subject: Subject, packs: &[Arc<Pack>]) -> Vec<Self> {
        let mut all = Vec::<Self>::new();
        for ruleset in packs.iter().filter(|pack| pack.subject == subject).flat_map(|pack| &pack.rulesets) {
            let grouping = ruleset.grouping.remembered();
            let at = all.iter().position(|grouped| grouped.grouping == grouping).unwrap_or(all.len());
            if at == all.len() {
                all.push(Self::empty(subject, grouping));
            }
            all.get_mut(at).into_iter().for_each(|grouped| grouped.add(ruleset));
        }
        // An owner may not be known, so other groups come first: the first one refuses what is too late.
        all.sort_by_key(Self::needs_owners);
        for grouped in &mut all {
            grouped.gate = Gate::of(subject, &grouped.members, &grouped.aggregates);
        }
        all
    }

    fn empty(subject: Subject, grouping: Grouping) -> Self {
        let (members, aggregates, kept) = (Vec::new(), Vec::new(), Kept::default());
        Self { subject, grouping, members, aggregates, kept, longest_window: 0, gate: Gate::default(), tokens: None }
    }

    fn add(&mut self, ruleset: &Ruleset) {
        ruleset.kept.fields().for_each(|field| self.kept.add(field));
        self.longest_window = self.longest_window.max(ruleset.longest_window());
        let places = ruleset.places.iter().map(|place| Some(self.place_for(ruleset.aggregates.get((*place)?)?))).collect();
        self.members.push(Member { ruleset: ruleset.clone(), coverage: Arc::default(), places });
    }

    /// The same, where packs judged not all events.
    pub(super) fn covering(mut self, coverages: &Coverages) -> Self {
        for member in &mut self.members {
            if let Some(coverage) = coverages.get(member.ruleset.name.as_str()) {
                member.coverage = Arc::clone(coverage);
            }
        }
        self
    }

    /// The place of the aggregate that counts the same; it is added if there is none.
    fn place_for(&mut self, aggregate: &Aggregate) -> usize {
        let known = self.aggregates.iter().position(|known| known.counts_as(aggregate));
        known.unwrap_or_else(|| {
            self.aggregates.push(aggregate.clone());
            self.aggregates.len() - 1
        })
    }

    /// Whether the owner of an account has to be known before its events can be grouped.
    pub(super) fn needs_owners(&self) -> bool {
        self.subject == Subject::Transaction && self.grouping == Grouping::Customer
    }

    /// Whether some ruleset counts the events of the other side.
    pub(super) fn has_parties(&self) -> bool {
        self.members.iter().any(|member| member.ruleset.grouping == Grouping::Party)
    }

    /// The number of the ruleset of a pack with a grouping.
    pub(super) fn number(&self, pack: &str, grouping: &str) -> Option<usize> {
        let is_it = |member: &Member| member.ruleset.name.as_str() == pack && member.ruleset.grouping.name() == grouping;
        self.members.iter().position(is_it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::pack::PackError;

    fn pack(name: &str, features: &[&str], rules: &str) -> Result<Arc<Pack>, PackError> {
        let feature = |text: &&str| format!("[[feature]]\n{text}\n");
        let features: String = features.iter().map(feature).collect();
        Pack::parse(name, &format!("name = \"{name}\"\nsubject = \"transaction\"\n{features}{rules}"))
    }

    #[test]
    fn packs_share_what_they_group_by_the_same_value_and_aggregates_that_count_the_same() -> Result<(), PackError> {
        const COUNT: &str = "aggregate = \"count\"\nwindow = \"1h\"";
        let first = pack(
            "first",
            &[&format!("name = \"n\"\n{COUNT}"), &format!("name = \"of_customer\"\nkey = [\"customer_id\"]\n{COUNT}")],
            "[[rule]]\nname = \"a\"\nwhen = \"n > 1 and amount > 1\"\nseverity = \"low\"\n\
             [[rule]]\nname = \"b\"\nwhen = \"of_customer > 1\"\nseverity = \"low\"\n",
        )?;
        let second = pack(
            "second",
            &[
                &format!("name = \"hourly\"\n{COUNT}"),
                &format!("name = \"cash\"\nfilter = 'channel == \"cash\"'\n{COUNT}"),
                &format!("name = \"of_party\"\nkey = [\"party\"]\n{COUNT}"),
            ],
            "[[rule]]\nname = \"c\"\nwhen = \"hourly > 1 or cash > 1\"\nseverity = \"low\"\n\
             [[rule]]\nname = \"d\"\nwhen = \"of_party > 1\"\nseverity = \"low\"\n",
        )?;
        let all = Grouped::all(Subject::Transaction, &[first, second]);
        let found: Vec<_> = all
            .iter()
            .map(|grouped| {
                let places = grouped.members.iter().map(|member| (0..3).map(|number| member.place(number)).collect::<Vec<_>>()).collect();
                (grouped.grouping.name(), grouped.aggregates.len(), places)
            })
            .collect();
        let of_accounts = vec![vec![Some(0), None, None], vec![Some(0), Some(1), None], vec![None, None, Some(2)]];
        assert_eq!(found, [("account_id", 3, of_accounts), ("customer_id", 1, vec![vec![None, Some(0), None]])]);
        Ok(())
    }
}
