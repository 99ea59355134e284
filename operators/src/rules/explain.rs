//! Explanations: why a rule of a pack fired, and what would have cleared it, from the reasons and messages that it left.

use headwater_schemas::Decimal;
use headwater_schemas::tables::{AlertKind, Reason, Verdict};

use super::episodes::OVER;
use super::expression::{AggregateMeaning, Glossary, LeafValues, clearings, compared, leaf_names};
use super::pack::{Pack, Rule, Ruleset, UNIT};

/// Why a rule fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleExplanation {
    /// The condition as written.
    pub condition: String,
    /// What the rule weighs more, and when.
    pub rise: Option<String>,
    /// The comparisons that made it fire, each with the figures and what they were compared with: `count_10m=6 > 5`.
    pub compared: Vec<String>,
    /// The changes of figures for which it would not have fired, smallest first: `count_10m at most 5`.
    pub clearings: Vec<String>,
    /// Whether the first of these changes a single figure.
    pub is_single: bool,
    /// The number of texts of the evidence that are figures; ids of events follow them.
    pub figures: usize,
}

/// A verdict that a score reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The verdict.
    pub verdict: Verdict,
    /// The fewest rules without which the score would not have reached it: alternatives if one rule is enough.
    pub without: Vec<Without>,
}

/// Rules that fired, and the score without them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Without {
    /// The rules, by their places among those that fired.
    pub rules: Vec<usize>,
    /// The score of the others.
    pub score: Decimal,
}

impl Glossary for Ruleset {
    fn aggregate(&self, number: usize) -> Option<AggregateMeaning<'_>> {
        let (_, aggregate) = Self::aggregate(self, number)?;
        Some(AggregateMeaning { name: &aggregate.name, type_of: aggregate.type_of, is_whole: aggregate.kind.is_whole() })
    }
}

impl Pack {
    /// Explains a rule that fired, from the evidence of its reason: figures, then ids. None if the pack has no such rule.
    pub fn explain(&self, rule: &str, evidence: &[&str]) -> Option<RuleExplanation> {
        let (ruleset, rule) = self.find(rule)?;
        let (figures, count) = LeafValues::read(&rule.when, ruleset, evidence);
        let ways = clearings(&rule.when, &figures);
        Some(RuleExplanation {
            condition: one_line(&rule.condition),
            rise: rise(ruleset, rule),
            compared: compared(&rule.when, &figures),
            is_single: ways.first().is_some_and(|way| way.is_single),
            clearings: ways.into_iter().map(|way| way.changes).collect(),
            figures: count,
        })
    }

    /// The figures in the message of an alert of a rule: `structuring of party A: deposits=3, amount=9000`.
    pub fn figures_in<'m>(&self, rule: &str, message: &'m str) -> Vec<&'m str> {
        let Some((ruleset, rule)) = self.find(rule) else { return Vec::new() };
        let names = leaf_names(&rule.when, ruleset);
        let is_figure = |text: &str| text.split_once('=').is_some_and(|(name, _)| names.iter().any(|known| known == name));
        let begin = message.match_indices(": ").map(|(at, _)| at + 2).find(|at| message.get(*at..).is_some_and(is_figure));
        let Some(text) = begin.and_then(|at| message.get(at..)) else { return Vec::new() };
        let text = text.strip_suffix(OVER).unwrap_or(text);
        let text = text.strip_suffix(Reason::EARLIER_EVENTS).map_or(text, |text| text.trim_end_matches([',', ' ']));
        // A comma within a text is followed by no name of a figure.
        let commas = text.match_indices(", ").map(|(at, _)| at).filter(|at| text.get(at + 2..).is_some_and(is_figure));
        let mut figures = Vec::new();
        let mut begin = 0;
        for end in commas.chain([text.len()]) {
            figures.extend(text.get(begin..end));
            begin = end + 2;
        }
        figures
    }

    /// Whether the alerts of a rule are of this pack: it has no points, and a rule of that name.
    pub fn raises(&self, kind: AlertKind, rule: &str) -> bool {
        self.find(rule).is_some_and(|(ruleset, _)| ruleset.scoring.is_none() && ruleset.kind == kind)
    }

    /// The scores from which verdicts are given: `review from 40, block from 70`. None without points.
    pub fn verdicts(&self) -> Option<String> {
        let [block, review] = self.rulesets.first()?.scoring?.thresholds.all().map(|(verdict, least)| {
            // `block_above` is a billionth more than a whole number of points.
            let (points, word) = (least / UNIT, if least % UNIT == 0 { "from" } else { "above" });
            format!("{verdict} {word} {points}")
        });
        Some(format!("{review}, {block}"))
    }

    /// The verdicts that rules with these points reach together, the gravest first, and the fewest of them without which they would
    /// not. Empty without points.
    pub fn reached(&self, points: &[u32]) -> Vec<Reached> {
        let Some(scoring) = self.rulesets.first().and_then(|ruleset| ruleset.scoring) else { return Vec::new() };
        let without = |left_out: &[usize]| {
            let rest = points.iter().enumerate().filter(|(place, _)| !left_out.contains(place)).map(|(_, points)| *points);
            scoring.combine.score(rest)
        };
        let reached = scoring.thresholds.all().into_iter().filter(|(_, least)| without(&[]) >= *least);
        reached
            .map(|(verdict, least)| Reached {
                verdict,
                without: fewest(points, |rules| Some(without(rules)).filter(|score| *score < least)),
            })
            .collect()
    }

    fn find(&self, rule: &str) -> Option<(&Ruleset, &Rule)> {
        self.rulesets.iter().find_map(|ruleset| Some((ruleset, ruleset.rules.iter().find(|known| known.name.as_str() == rule)?)))
    }
}

/// The fewest rules without which a score is below a threshold: each that is enough alone, else those with the most points. More
/// points never leave a higher score, so no smaller set is enough if those with the most points are not.
fn fewest(points: &[u32], below: impl Fn(&[usize]) -> Option<i64>) -> Vec<Without> {
    let way = |rules: Vec<usize>| below(&rules).map(|score| Without { rules, score: Decimal::from_units(score.into()) });
    let alone: Vec<Without> = (0..points.len()).filter_map(|place| way(vec![place])).collect();
    if !alone.is_empty() {
        return alone;
    }
    let mut by_points: Vec<usize> = (0..points.len()).collect();
    by_points.sort_by_key(|place| std::cmp::Reverse(points.get(*place)));
    let mut several = (2..=points.len()).filter_map(|count| way(by_points.iter().copied().take(count).collect()));
    several.next().into_iter().collect()
}

/// What a rule weighs more, and when.
fn rise(ruleset: &Ruleset, rule: &Rule) -> Option<String> {
    let rise = rule.rise.as_ref()?;
    let condition = one_line(&rise.condition);
    Some(match ruleset.scoring {
        Some(_) => format!("{} points if {condition}", rise.points),
        None => format!("{} if {condition}", rise.severity),
    })
}

/// A condition that is written on several lines.
fn one_line(condition: &str) -> String {
    condition.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
