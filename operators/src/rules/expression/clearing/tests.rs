//! Tests of clearings: each form of a condition, and a comparison with trying every value.

use std::sync::Arc;

use headwater_schemas::Text;
use proptest::prelude::*;

use super::*;
use crate::rules::expression::{AggregateMeaning, Glossary, Named, Names, Resolved, Type, compile};
use crate::rules::field::Field;
use crate::rules::subject::Subject;

/// Aggregates by their numbers, and a computed feature that is a condition.
struct Terms;

const AGGREGATES: [AggregateMeaning<'static>; 5] = [
    AggregateMeaning { name: "count", type_of: Type::Number, is_whole: true },
    AggregateMeaning { name: "other", type_of: Type::Number, is_whole: true },
    AggregateMeaning { name: "mean", type_of: Type::Number, is_whole: false },
    AggregateMeaning { name: "deviation", type_of: Type::Estimate, is_whole: false },
    AggregateMeaning { name: "seen", type_of: Type::Time, is_whole: false },
];

impl Glossary for Terms {
    fn aggregate(&self, number: usize) -> Option<AggregateMeaning<'_>> {
        AGGREGATES.get(number).copied()
    }
}

impl Names for Terms {
    fn resolve(&self, name: &str) -> Result<Resolved, Option<String>> {
        if name == "risky" {
            let named = Named { name: Text::new(name), type_of: Type::Bool, node: Node::Bool(true) };
            return Ok((Node::Named(Arc::new(named)), Type::Bool));
        }
        if let Some(number) = AGGREGATES.iter().position(|meaning| meaning.name == name) {
            return Ok((Node::Aggregate(number, None), AGGREGATES[number].type_of));
        }
        let field = Field::from_name(name, Subject::Transaction).ok_or_else(|| Some(format!("no {name}")))?;
        Ok((Node::Field(field), field.type_of()))
    }
}

fn condition(text: &str) -> Node {
    compile(text, &Terms, Some(Type::Bool)).unwrap_or_else(|faults| panic!("{text}: {faults:?}")).0
}

fn cleared(text: &str, texts: &[&str]) -> Vec<Clearing> {
    let condition = condition(text);
    let (figures, count) = LeafValues::read(&condition, &Terms, texts);
    assert_eq!(count, texts.len(), "{text}: the figures are those of the condition");
    clearings(&condition, &figures)
}

fn check(cases: &[(&str, &[&str], &[&str])]) {
    for (text, figures, expected) in cases {
        let changes: Vec<_> = cleared(text, figures).into_iter().map(|clearing| clearing.changes).collect();
        assert_eq!(changes, *expected, "{text}");
    }
}

#[test]
fn a_comparison_is_cleared_at_the_nearest_bound() {
    check(&[
        ("count > 5", &["count=6"], &["count at most 5"]),
        ("count >= 5", &["count=5"], &["count at most 4"]),
        ("count > 5.5", &["count=6"], &["count at most 5"]),
        ("count >= 5.5", &["count=6"], &["count at most 5"]),
        ("count < 5", &["count=4"], &["count at least 5"]),
        ("count <= 5", &["count=5"], &["count at least 6"]),
        ("5 < count", &["count=6"], &["count at most 5"]),
        ("5 >= count", &["count=5"], &["count at least 6"]),
        ("count == 1", &["count=1"], &["count other than 1"]),
        ("count != 1", &["count=3"], &["count equal to 1"]),
        ("hour_local < 6", &["hour_local=2"], &["hour_local at least 6"]),
        ("amount > 10000", &["amount=10000.01"], &["amount at most 10000"]),
        ("amount >= 10000", &["amount=10000"], &["amount below 10000"]),
        ("amount < 10", &["amount=9"], &["amount at least 10"]),
        ("amount <= 10", &["amount=10"], &["amount above 10"]),
        ("amount > 5 * 100", &["amount=700"], &["amount at most 500"]),
        ("amount > mean", &["amount=7", "mean=5"], &["amount at most 5 (mean)"]),
        (
            "amount > mean + 3 * deviation",
            &["amount=700", "mean=100", "deviation=5.0"],
            &["amount at most about 115.0 (mean + 3 * deviation)"],
        ),
    ]);
}

#[test]
fn words_and_missing_values_are_cleared_by_others() {
    check(&[
        ("channel == 'cash'", &["channel=cash"], &["channel other than \"cash\""]),
        ("channel in ['atm', 'cash']", &["channel=cash"], &["channel other than \"atm\", \"cash\""]),
        ("not channel in ['atm', 'card']", &["channel=cash"], &["channel equal to \"atm\" or \"card\""]),
        ("merchant != 'shop'", &["merchant=a=b"], &["merchant equal to \"shop\""]),
        ("exists(peer)", &["peer=B"], &["no peer"]),
        ("not exists(seen)", &["seen=none"], &["seen given"]),
        ("known(home)", &["home=0,1"], &["home unknown"]),
        ("not known(home)", &["home=unknown"], &["home known"]),
        ("risky", &["risky=true"], &["risky false"]),
        ("not risky", &["risky=false"], &["risky true"]),
    ]);
}

#[test]
fn one_part_of_an_and_clears_it_and_all_parts_of_an_or_do() {
    check(&[
        // 500 of 8,500, 1,500 of 8,500, 1 of 3.
        (
            "amount >= 8000 and amount <= 10000 and count >= 3",
            &["amount=8500", "count=3"],
            &["amount below 8000", "amount above 10000", "count at most 2"],
        ),
        ("channel == 'cash' and count > 5", &["channel=cash", "count=60"], &["count at most 5", "channel other than \"cash\""]),
        ("count > 5 or count > 8", &["count=9"], &["count at most 5"]),
        ("count > 5 or count >= 6", &["count=9"], &["count at most 5"]),
        ("amount > 5 or amount >= 5", &["amount=9"], &["amount below 5"]),
        ("count > 5 or amount > 100", &["count=6", "amount=200"], &["count at most 5 and amount at most 100"]),
        // Only the true part of an `or` is among the figures.
        ("count > 5 or amount > 100", &["count=6"], &["count at most 5"]),
        ("not count < 3", &["count=3"], &["count at most 2"]),
        ("not (count < 3 and amount < 5)", &["count=3", "amount=9"], &["count at most 2 and amount below 5"]),
        ("not (count < 3 or amount < 5)", &["count=3", "amount=9"], &["count at most 2", "amount below 5"]),
        ("not not count > 5", &["count=6"], &["count at most 5"]),
    ]);
}

#[test]
fn a_change_that_makes_another_part_true_clears_nothing() {
    check(&[
        ("amount >= 8000 and amount <= 10000 or amount > 10000", &["amount=8500"], &["amount below 8000"]),
        ("count > 5 or count < 6", &["count=6"], &[]),
        ("true", &[], &[]),
        ("true or count > 5", &["count=6"], &[]),
        ("true and count > 5", &["count=6"], &["count at most 5"]),
        ("1 < 2 and count > 5", &["count=6"], &["count at most 5"]),
    ]);
}

#[test]
fn what_several_figures_decide_has_no_single_one() {
    let (times, days) = (["ts=2026-01-05T10:00:00Z", "seen=2026-01-05T09:00:00Z"], "ts - seen < 1d");
    for (text, figures, changes, is_single) in [
        (days, &times[..], "ts - seen at least 1d", false),
        ("count > 5 or amount > 100", &["count=6", "amount=200"], "count at most 5 and amount at most 100", false),
        ("count > 5", &["count=6"], "count at most 5", true),
    ] {
        assert_eq!(cleared(text, figures), [Clearing { changes: changes.to_owned(), is_single }]);
    }
}

#[test]
fn unknown_and_rounded_figures_have_bounds_all_the_same() {
    check(&[
        ("amount > mean", &["amount=7"], &["amount at most mean"]),
        ("amount > 5 and count > 5", &[], &["amount at most 5", "count at most 5"]),
        // It was more than 2.5 by less than the digits that are shown.
        ("deviation > 2.5 and count > 1", &["deviation=2.5", "count=2"], &["deviation at most 2.5", "count at most 1"]),
        ("deviation > 2.5 or count > 5", &["deviation=2.5"], &["deviation at most 2.5"]),
    ]);
}

#[test]
fn what_was_compared_has_its_figures() {
    for (text, texts, expected) in [
        ("count > 5 or amount > 100", &["count=6"][..], &["count=6 > 5"][..]),
        ("count > 5 and amount > 100", &["count=6", "amount=101"], &["count=6 > 5", "amount=101 > 100"]),
        (
            "amount > mean + 3 * deviation",
            &["amount=700", "mean=100", "deviation=5.0"],
            &["amount=700 > mean=100 + 3 * deviation=5.0 (mean + 3 * deviation is 115.0)"],
        ),
        ("not exists(seen)", &["seen=none"], &["not exists(seen=none)"]),
        ("channel in ['atm', 'cash']", &["channel=cash"], &["channel=cash in [\"atm\", \"cash\"]"]),
        ("not (count < 3 or amount * (2 + 3) < 5)", &["count=3", "amount=9"], &["not (count=3 < 3 or amount=9 * (2 + 3) < 5)"]),
    ] {
        let condition = condition(text);
        let (figures, _) = LeafValues::read(&condition, &Terms, texts);
        assert_eq!(compared(&condition, &figures), expected, "{text}");
    }
}

#[test]
fn ids_end_the_figures() {
    let condition = condition("count > 5 and amount > 1");
    for (texts, count) in
        [(&["count=6", "amount=7", "t1"][..], 2), (&["count=6", "count=7"], 1), (&["count=6", "merchant=7"], 1), (&["t1", "count=6"], 0)]
    {
        assert_eq!(LeafValues::read(&condition, &Terms, texts).1, count, "{texts:?}");
    }
}

/// Conditions that are true for large counts.
fn rising() -> impl Strategy<Value = String> {
    let comparison = (prop_oneof![Just("count"), Just("other")], prop_oneof![Just(">"), Just(">=")], 1_u8..10);
    let leaf = comparison.prop_map(|(name, comparison, bound)| format!("{name} {comparison} {bound}"));
    leaf.prop_recursive(3, 12, 3, |inner| {
        (prop::collection::vec(inner, 2..=3), prop_oneof![Just(" and "), Just(" or ")])
            .prop_map(|(parts, between)| format!("({})", parts.join(between)))
    })
}

/// The smallest relative change of one of two counts for which a condition is false, by trying all.
fn tried(condition: &Node, values: [u8; 2]) -> Option<f64> {
    let is_true = |values: [u8; 2]| {
        let texts = [format!("count={}", values[0]), format!("other={}", values[1])];
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        // A condition may read one of them only.
        let figures = [&texts[..], &texts[1..]].map(|texts| LeafValues::read(condition, &Terms, texts).0);
        figures.iter().any(|figures| condition.evaluate(figures).is_true())
    };
    let changes = (0..2).flat_map(|which| (0..=12_u8).map(move |value| (which, value)));
    let clears = changes.filter(|(which, value)| {
        let mut changed = values;
        changed[*which] = *value;
        !is_true(changed)
    });
    let sizes = clears.map(|(which, value)| f64::from(values[which].abs_diff(value)) / f64::from(values[which]));
    sizes.min_by(f64::total_cmp)
}

proptest! {
    #[test]
    fn the_smallest_change_is_the_one_that_trying_finds(text in rising(), count in 1_u8..=12, other in 1_u8..=12) {
        let condition = condition(&text);
        let texts = [format!("count={count}"), format!("other={other}")];
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let figures = [&texts[..], &texts[1..]].map(|texts| LeafValues::read(&condition, &Terms, texts));
        let (figures, _) = figures.iter().max_by_key(|(_, count)| *count).expect("two");
        prop_assume!(condition.evaluate(figures).is_true());
        let clearings = clearings(&condition, figures);
        let single = clearings.first().filter(|clearing| clearing.is_single).map(|clearing| {
            let (name, bound) = clearing.changes.split_once(" at most ").expect("a bound from above");
            let (was, bound) = (if name == "count" { count } else { other }, bound.parse::<u8>().expect("a count"));
            f64::from(was.abs_diff(bound)) / f64::from(was)
        });
        prop_assert_eq!(single, tried(&condition, [count, other]), "{}", text);
    }
}
