//! Tests of expressions: their values, and what is rejected.

use crate::rules::subject::Subject;
use headwater_schemas::value::fixed;
use headwater_schemas::{Nanos, Text};

use super::*;
use crate::rules::field::FieldSet;
use crate::rules::geo::Location;

/// An event with a few fields, all others unknown, and three aggregates.
struct Example;

impl Scope for Example {
    fn field(&self, field: Field) -> Value<'_> {
        match field {
            Field::Amount => Value::Number(100_010_000_000),
            Field::Ts => Value::Time(Nanos::DAY.get().cast_signed()),
            Field::Channel => Value::Word(0),
            Field::Merchant => Value::Text("shop"),
            Field::Home => Location::new("0".parse().ok(), "1".parse().ok()).map_or(Value::Unknown, Value::Location),
            _ => Value::Unknown,
        }
    }

    fn aggregate(&self, number: usize) -> Value<'_> {
        match number {
            0 => Value::Number(6 * fixed::ONE),
            1 => Value::Nothing,
            _ => Value::Estimate(2.5),
        }
    }
}

struct Known;

impl Names for Known {
    fn resolve(&self, name: &str) -> Result<Resolved, Option<String>> {
        let aggregate = |number, type_of| Ok((Node::Aggregate(number, None), type_of));
        match name {
            "count" => aggregate(0, Type::Number),
            "last" => aggregate(1, Type::Number),
            "last_at" => aggregate(1, Type::Time),
            "deviation" => aggregate(2, Type::Estimate),
            _ => Field::from_name(name, Subject::Transaction)
                .map(|field| (Node::Field(field), field.type_of()))
                .ok_or_else(|| Some(format!("no {name}"))),
        }
    }
}

fn evaluated(text: &str) -> String {
    let (node, type_of) = compile(text, &Known, None).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    let mut out = String::new();
    describe(node.evaluate(&Example), type_of, &mut out);
    out
}

fn refused(text: &str) -> String {
    let faults = compile(text, &Known, Some(Type::Bool)).expect_err(text);
    faults.iter().map(|fault| format!("{}: {}", fault.at, fault.reason)).collect::<Vec<_>>().join("; ")
}

#[test]
fn arithmetic_on_numbers_is_exact() {
    for (text, value) in [
        ("amount", "100.01"),
        ("0.1 + 0.2 == 0.3", "true"),
        ("amount * 3 - 300.03", "0"),
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("10 - 4 - 3", "3"),
        ("-amount", "-100.01"),
        ("- (2 - 5)", "3"),
        ("1 / 3", "0.333333333"),
        ("10_000 * 1.5", "15000"),
        ("999999999999999999 > 999999999999999998.999999999", "true"),
        ("deviation * 2", "5.0"),
        ("amount - deviation", "97.5"),
    ] {
        assert_eq!(evaluated(text), value, "{text}");
    }
}

#[test]
fn conditions_follow_the_usual_precedence() {
    for (text, value) in [
        ("amount > 100 and count > 5", true),
        ("amount > 100 and count > 6 or count == 6", true),
        ("count == 6 or amount > 100 and count > 6", true),
        ("(count == 6 or amount > 100) and count > 6", false),
        ("not count > 6 and amount > 100", true),
        ("not (count > 6 or amount > 100)", false),
        ("not not true", true),
        ("amount >= 100.01 and amount <= 100.01 and not amount < 100.01 and not amount > 100.01", true),
        ("amount != 100.010000001", true),
        ("merchant == 'shop' and \"shop\" == merchant and merchant != 'Shop'", true),
        ("channel == \"cash\" and 'card' != channel", true),
        ("channel in ['card', 'cash']", true),
        ("merchant in ['a', 'b']", false),
        ("count in [5, 6, 7]", true),
        ("ts - 1h < ts and ts - (ts - 90m) == 90m", true),
        ("deviation > 2.4 and 2.6 > deviation", true),
    ] {
        assert_eq!(evaluated(text), value.to_string(), "{text}");
    }
}

#[test]
fn nothing_is_false_in_comparisons_and_unknown_is_neither() {
    for (text, value) in [
        ("last", "none"),
        ("last > 0", "false"),
        ("last != 0", "false"),
        ("not last > 0", "true"),
        ("last + amount", "none"),
        ("amount / (count - 6)", "none"),
        ("exists(last)", "false"),
        ("exists(amount)", "true"),
        ("exists(device_id)", "false"),
        ("not exists(reverses)", "true"),
        ("exists(home)", "true"),
        ("exists(location)", "false"),
        ("exists(km(home, location))", "unknown"),
        ("known(device_id)", "false"),
        ("known(last)", "true"),
        ("device_id == 'd'", "unknown"),
        ("device_id != 'd'", "unknown"),
        ("not device_id == 'd'", "unknown"),
        ("device_id == 'd' and count > 6", "false"),
        ("device_id == 'd' and count > 5", "unknown"),
        ("device_id == 'd' or count > 5", "true"),
        ("device_id == 'd' or count > 6", "unknown"),
        ("device_id in ['d', 'e']", "unknown"),
        ("hour_local + last", "none"),
        ("hour_local < last", "false"),
        ("km(home, location)", "unknown"),
        ("miles(home, home) < 1", "true"),
        ("speed_kmh(home, location, ts - last_at) > 900", "false"),
        ("amount * 999999999999999999 * 999999999999999999 > 1", "unknown"),
    ] {
        assert_eq!(evaluated(text), value, "{text}");
    }
}

#[test]
fn what_would_have_decided_is_named_and_nothing_else() {
    for (text, fields) in [
        ("amount > 1", ""),
        ("device_id == 'd'", "device_id"),
        ("device_id == 'd' or hour_local < 6", "device_id hour_local"),
        ("device_id == 'd' and amount > 1000 or hour_local < 6", "hour_local"),
        ("device_id == 'd' or count > 5", ""),
        ("not km(home, location) > 5", "location"),
        ("amount * 999999999999999999 * 999999999999999999 > 1", "result"),
        ("exists(country)", ""),
        ("exists(km(home, location))", "location"),
        ("device_id in ['d']", "device_id"),
    ] {
        let (node, _) = compile(text, &Known, None).expect(text);
        let mut found = FieldSet::default();
        unknowns(&node, &Example, &mut found);
        assert_eq!(found.names().collect::<Vec<_>>().join(" "), fields, "{text}");
    }
}

#[test]
fn what_decided_is_named_and_nothing_else() {
    for (text, expected) in [
        ("amount > 1 or count > 7", vec![Leaf::Field(Field::Amount)]),
        ("amount > 1 or count > 1", vec![Leaf::Field(Field::Amount), Leaf::Aggregate(0)]),
        ("count > 1 and count < 9 and not merchant == 'x'", vec![Leaf::Aggregate(0), Leaf::Field(Field::Merchant)]),
    ] {
        let (node, _) = compile(text, &Known, None).expect(text);
        let mut leaves = Vec::new();
        decisive(&node, &Example, &mut leaves);
        assert_eq!(leaves, expected, "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, reason) in [
        ("", "0: expected a value, found the end"),
        ("amount >", "8: expected a value, found the end"),
        ("amount > 1)", "10: `)` can not follow here"),
        ("(amount > 1", "11: expected `)`, found the end"),
        ("amount = 1", "7: `=` is written `==` here"),
        ("amount > 1 && true", "11: `&&` is written `and` here"),
        ("!true", "0: `!` is written `not` here"),
        ("amount <> 1", "7: `<>` is written `!=` here"),
        ("amount > 1 # big", "11: `#` means nothing here"),
        ("1 < amount < 5", "11: comparisons can not be chained: join two with `and`"),
        ("amount > 01", "9: 01 is not a decimal number; write digits like \"123.45\""),
        ("amount > 1.0000000001", "9: 1.0000000001 has more than 9 fraction digits; it is refused, not rounded"),
        ("ts - ts > 10w", "10: \"10w\" is no length of time: write a whole number and one of s, m, h, d, like 10m"),
        ("merchant == 'shop", "12: the text has no end: close it with '"),
        ("amonut > 1", "0: no amonut"),
        ("amount", "0: this is a number, but a condition is needed here"),
        ("amount > 'x'", "0: a number can not be compared with a text"),
        ("merchant > 'x'", "0: texts have no order here: compare them with == or !="),
        ("deviation == 1", "0: an estimate is never exactly equal to anything: compare it with < or >"),
        ("ts - ts > 10", "0: a length of time is compared with a length of time: give the number its unit, like 10m"),
        ("home == location", "0: a location can not be compared"),
        ("ts + ts > ts", "0: a time and a time can not be added"),
        ("merchant * 2 > 1", "0: a text and a number can not be multiplied"),
        ("-merchant == 'x'", "1: this is a text, which has no opposite"),
        ("channel == 'crad'", "11: \"crad\" is no channel: use one of cash, card, ach, wire, crypto, online, atm, branch"),
        ("channel in ['cash', 'crad']", "20: \"crad\" is no channel: use one of cash, card, ach, wire, crypto, online, atm, branch"),
        ("channel in []", "0: the list is empty: nothing is in it"),
        ("channel in [1]", "12: a channel can not be compared with a number"),
        ("abs(amount) > 1", "0: there is no function `abs`: use one of exists, known, km, miles, speed_kmh"),
        ("km(home) > 1", "0: write km(location, location)"),
        ("km(amount, ts) > 1", "3: this is a number, but a location is needed here; 11: this is a time, but a location is needed here"),
        ("amonut > 1 and cuont > 2", "0: no amonut; 15: no cuont"),
        ("not amount", "4: this is a number, but a condition is needed here"),
        ("and", "0: expected a value, found `and`"),
        ("channel in 'cash'", "11: expected `[`, found \"cash\""),
        ("é > 1", "0: `é` means nothing here"),
        ("amount / 0 > 1", "9: this is zero, and nothing can be divided by it"),
        ("amount / (2 - 2.0) > 1", "10: this is zero, and nothing can be divided by it"),
        ("hour_local > 25", "0: `hour_local` is from 0 to 23: this is never true"),
        ("hour_local > 23", "0: `hour_local` is from 0 to 23: this is never true"),
        ("24 > hour_local", "0: `hour_local` is from 0 to 23: this is always true"),
        ("hour_local == 5.5", "0: `hour_local` is from 0 to 23: this is never true"),
        ("hour_local in [22, 24]", "19: `hour_local` is from 0 to 23: this is never true"),
        ("weekday_local == 0", "0: `weekday_local` is from 1 to 7: this is never true"),
        ("weekday_local >= 1", "0: `weekday_local` is from 1 to 7: this is always true"),
        ("amount < 0", "0: `amount` is never below 0: this is never true"),
    ] {
        assert_eq!(refused(text), reason, "{text}");
    }
}

#[test]
fn a_comparison_that_some_value_decides_is_taken() {
    for text in [
        "hour_local < 1",
        "hour_local >= 23",
        "hour_local != 23",
        "22.5 < hour_local",
        "weekday_local in [1, 7]",
        "amount > 0",
        "amount <= 0",
    ] {
        assert!(compile(text, &Known, Some(Type::Bool)).is_ok(), "{text}");
    }
}

#[test]
fn depth_is_bounded() {
    let deep = |depth: usize| format!("{}true{}", "(".repeat(depth), ")".repeat(depth));
    assert!(compile(&deep(30), &Known, None).is_ok());
    assert!(refused(&deep(100_000)).ends_with("more than 40 levels deep: split it into features"));
    assert!(refused(&"not ".repeat(100_000)).contains("levels deep"));
    assert!(refused(&"-".repeat(100_000)).contains("levels deep"));
    assert!(refused(&format!("{}1 > 1", "1 + ".repeat(100_000))).contains("more than 40 terms"));
}

#[test]
fn a_named_value_is_shown_by_its_name_and_knows_its_aggregates() {
    let (node, type_of) = compile("count + 1", &Known, None).expect("an expression");
    let named = Node::Named(Arc::new(Named { name: Text::new("more"), type_of, node }));
    let mut aggregates = Vec::new();
    named.aggregates(&mut |number| aggregates.push(number));
    assert_eq!(aggregates, [0]);
    let condition = Node::Compare(Comparison::Greater, Box::new([named, Node::Number(0)]));
    let mut leaves = Vec::new();
    decisive(&condition, &Example, &mut leaves);
    assert!(matches!(leaves.as_slice(), [Leaf::Named(named)] if named.name.as_str() == "more"));
}
