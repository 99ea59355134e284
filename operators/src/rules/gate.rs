//! Which events rules without points can be about at all, told from words of the event itself, before anything is looked up.
//!
//! A rule about cash needs no card payment: neither its condition nor the filters of its windows can be true of one.

use super::cells;
use super::expression::{Comparison, Node, Type};
use super::field::{Field, Words};
use super::grouped::Member;
use super::pack::Aggregate;
use super::subject::{Happened, Subject};

/// Every word of a field.
const ALL: u64 = u64::MAX;

/// The words, as bits by their codes, of which fields must have one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gate(Vec<(Field, u64)>);

impl Gate {
    /// The gate of rulesets and their aggregates. A ruleset with points decides about every event.
    pub(super) fn of(subject: Subject, members: &[Member], aggregates: &[Aggregate]) -> Self {
        if members.iter().any(|member| member.ruleset.scoring.is_some()) {
            return Self::default();
        }
        let conditions = members.iter().flat_map(|member| member.ruleset.rules.iter().map(|rule| Some(&rule.when)));
        let filters = aggregates.iter().map(|aggregate| aggregate.filter.as_ref());
        let bounds = aggregates.iter().flat_map(|aggregate| aggregate.since.iter().chain(&aggregate.from)).map(Some);
        let conditions: Vec<_> = conditions.chain(filters).chain(bounds).collect();
        let words = |field: Field| conditions.iter().fold(0, |words, condition| words | condition.map_or(ALL, |node| allowed(node, field)));
        let fields = Field::ALL.iter().copied().filter(|field| field.is_of(subject) && is_own_word(*field));
        Self(fields.map(|field| (field, words(field))).filter(|(_, words)| *words != ALL).collect())
    }

    /// Whether rules can be about an event. What the ledger takes back or adjusts is known by its id alone, so it always passes.
    pub(super) fn admits(&self, what: &Happened) -> bool {
        self.0.iter().all(|(field, words)| {
            let cell = match what {
                Happened::Transaction(event) => cells::of_transaction(event, None, false, *field),
                Happened::Payment(event) => cells::of_payment(event, *field),
                Happened::Access(event) => cells::of_access(event, *field),
                Happened::TakenBack(_) | Happened::Adjusted(_) => return true,
            };
            matches!(cell, cells::Cell::Word(code) if words & bit(code) != 0)
        })
    }
}

/// Whether a field is a word of the event itself. The direction follows from the account's type.
fn is_own_word(field: Field) -> bool {
    matches!(field.type_of(), Type::Word(words) if !matches!(words, Words::Direction | Words::AccountType))
}

fn bit(code: u8) -> u64 {
    1_u64.checked_shl(code.into()).unwrap_or(0)
}

/// The words of a field for which a condition can be true.
fn allowed(condition: &Node, field: Field) -> u64 {
    match condition {
        Node::And(parts) => parts.iter().fold(ALL, |words, part| words & allowed(part, field)),
        Node::Or(parts) => parts.iter().fold(0, |words, part| words | allowed(part, field)),
        Node::Named(named) => allowed(&named.node, field),
        Node::Compare(Comparison::Equal, sides) => match &**sides {
            [Node::Field(read), Node::Word(_, code)] | [Node::Word(_, code), Node::Field(read)] if *read == field => bit(*code),
            _ => ALL,
        },
        Node::Among(value, words) if **value == Node::Field(field) => {
            words.iter().fold(0, |all, word| all | if let Node::Word(_, code) = word { bit(*code) } else { ALL })
        }
        _ => ALL,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use headwater_schemas::Topic;
    use headwater_schemas::events::Event;

    use super::*;
    use crate::rules::grouped::Grouped;
    use crate::rules::pack::Pack;

    fn gate(features: &str, when: &str) -> Gate {
        let text =
            format!("name = \"p\"\nsubject = \"transaction\"\n{features}[[rule]]\nname = \"r\"\nwhen = '{when}'\nseverity = \"low\"\n");
        let pack = Pack::parse("p.toml", &text).unwrap_or_else(|error| panic!("{error}"));
        let grouped = Grouped::all(Subject::Transaction, &[pack]);
        grouped.into_iter().next().map(|grouped| grouped.gate).unwrap_or_default()
    }

    fn transaction(fields: &str) -> Happened {
        let text = format!(r#"{{"transaction_id":"t","account_id":"a","amount":"1","currency":"USD","ts":1767592440000000000,{fields}}}"#);
        match Event::decode(Topic::Transactions, None, Some(text.as_bytes())) {
            Ok(Event::Transaction(event)) => Happened::Transaction(event),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn an_event_passes_if_a_condition_or_a_filter_can_be_true_of_it() {
        const CASH_SUM: &str = "[[feature]]\nname = \"n\"\naggregate = \"count\"\nwindow = \"1d\"\nfilter = 'channel == \"cash\"'\n";
        const ALL_SUM: &str = "[[feature]]\nname = \"n\"\naggregate = \"count\"\nwindow = \"1d\"\n";
        const SINCE_CARD: &str =
            "[[feature]]\nname = \"n\"\naggregate = \"count\"\nsince = 'channel == \"card\"'\nfilter = 'channel == \"cash\"'\n";
        let (cash, card) = (r#""type":"deposit","channel":"cash""#, r#""type":"payment","channel":"card""#);
        let unknown = r#""type":"deposit""#;
        for (case, features, when, admitted) in [
            ("a word", "", r#"channel == "cash""#, [true, false, false]),
            ("a word, the other way around", "", r#""cash" == channel"#, [true, false, false]),
            ("one of several", "", r#"channel in ["cash", "atm"] and amount > 1"#, [true, false, false]),
            ("either of two", "", r#"channel == "cash" or type == "payment""#, [true, true, true]),
            ("both of two", "", r#"channel == "cash" and type == "payment""#, [false, false, false]),
            ("what is not a word", "", "amount > 1", [true, true, true]),
            ("not a word", "", r#"not (channel == "cash")"#, [true, true, true]),
            ("another word", "", r#"channel != "cash""#, [true, true, true]),
            ("what the account decides", "", r#"direction == "out""#, [true, true, true]),
            ("a condition and a window of cash", CASH_SUM, r#"channel == "cash" and n > 1"#, [true, false, false]),
            ("a condition of cards and a window of cash", CASH_SUM, r#"channel == "card" and n > 1"#, [true, true, false]),
            ("a window that begins after a card payment", SINCE_CARD, r#"channel == "cash" and n > 1"#, [true, true, false]),
            ("a window of everything", ALL_SUM, r#"channel == "cash" and n > 1"#, [true, true, true]),
        ] {
            let gate = gate(features, when);
            assert_eq!([cash, card, unknown].map(|fields| gate.admits(&transaction(fields))), admitted, "{case}");
        }
    }

    #[test]
    fn a_pack_with_points_decides_about_every_event() {
        let pack = Pack::built_in("banking").expect("the pack").expect("its rules");
        let grouped = Grouped::all(Subject::Transaction, &[Arc::clone(&pack)]);
        assert!(grouped.iter().all(|grouped| grouped.gate == Gate::default()));
    }
}
