//! Tests of amounts in the base currency: which rate counts, and that a figure stays as it was when its event was judged.

use headwater_schemas::tables::DecisionState;

use super::*;
use crate::ledger::Adjusted;
use crate::testing::{history_of, run_with_restart};

/// A rule about large amounts, and one about their sum within a day.
const RULES: &str = r#"
[[feature]]
name = "day"
aggregate = "sum"
field = "amount_base"
window = "24h"
[[rule]]
name = "large"
when = "amount_base >= 1000"
points = 10
[[rule]]
name = "much"
when = "day >= 1500"
points = 10
"#;

/// A broadcast of a rate at a time, with the time that it has of its own.
fn rate(at: i64, pair: (&str, &str), rate: &str, ts: i64) -> Step {
    let (base, quote) = pair;
    let text = format!(r#"{{"base":"{base}","quote":"{quote}","rate":"{rate}","ts":{ts}}}"#);
    let event = Event::decode(Topic::FxRates, None, Some(text.as_bytes())).expect("a rate");
    let place = Place::of_record(EventTime::from_nanos(at).effective(), Topic::FxRates, 0, Offset::ZERO);
    Placed { place, event: Happening::Broadcast(event) }
}

/// A transaction in a currency, read at a time.
fn paid(at: i64, id: &str, ts: i64, amount: &str, currency: &str) -> Step {
    let transaction = Transaction { currency: Currency::derived(currency), ..transaction(id, ts, amount) };
    let place = Place::of_record(EventTime::from_nanos(at).effective(), Topic::Transactions, 0, Offset::ZERO);
    Placed { place, event: of_account(Happened::Transaction(Arc::new(transaction))) }
}

fn captured(at: i64, hold: &str, amount: &str, currency: &str) -> Step {
    let currency = Currency::derived(currency);
    let adjusted = Adjusted {
        account_id: AccountId::derived("a"),
        counterparty: AccountId::external(currency),
        currency,
        hold: Id::derived(hold),
        amount: amount.parse().expect("an amount"),
        counter: None,
        capture: Id::derived("c"),
    };
    let place = Place::of_record(EventTime::from_nanos(at).effective(), Topic::Transactions, 0, Offset::ZERO);
    Placed { place: place.derived(1), event: of_account(Happened::Adjusted(Arc::new(adjusted))) }
}

/// What was decided, whole and with a restart before each input.
fn decided(view: &Rules, story: Vec<Step>) -> Emitted<Rules> {
    let whole = run(view.clone(), story.clone());
    for cut in 0..story.len() {
        let resumed = run_with_restart(view.clone(), story.clone(), cut);
        assert_eq!(history_of(&whole.tables.decisions), history_of(&resumed.tables.decisions), "{cut}");
        assert_eq!(history_of(&whole.tables.rule_events), history_of(&resumed.tables.rule_events), "{cut}");
    }
    whole
}

fn usd() -> Rules {
    Rules::new(pack(RULES))
}

/// The figures by which the first rule fired for an event, or that it could not be decided.
fn large(said: &Emitted<Rules>, id: &str) -> String {
    let found = reasons(&decision_on(said, id)).into_iter().find(|reason| reason.starts_with("large"));
    found.unwrap_or_else(|| "below".to_owned())
}

#[test]
fn the_rate_known_when_the_event_is_judged_counts() {
    let eur = ("EUR", "USD");
    for (case, rates, amount, currency, expected) in [
        ("the base currency needs no rate", vec![], "1000", "USD", "large 10: amount_base=1000 t"),
        ("direct", vec![rate(1, eur, "1.25", 1)], "800", "EUR", "large 10: amount_base=1000 t"),
        ("just below", vec![rate(1, eur, "1.25", 1)], "799.99", "EUR", "below"),
        ("inverse", vec![rate(1, ("USD", "JPY"), "150", 1)], "150000", "JPY", "large 10: amount_base=1000 t"),
        (
            "of direct and inverse the newer",
            vec![rate(1, eur, "1.25", 1), rate(2, ("USD", "EUR"), "0.5", 2)],
            "800",
            "EUR",
            "large 10: amount_base=1600 t",
        ),
        (
            "an older rate that comes later",
            vec![rate(1, eur, "2", 1), rate(2, eur, "1.25", 0)],
            "800",
            "EUR",
            "large 10: amount_base=1600 t",
        ),
        // 1000 / 0.0003 is 3333333.333…, half to even at the ninth digit.
        ("rounded once", vec![rate(1, ("USD", "XAF"), "0.0003", 1)], "1000", "XAF", "large 10: amount_base=3333333.333333333 t"),
        ("no rate", vec![rate(1, ("GBP", "USD"), "1.25", 1)], "800", "EUR", "large 0: amount_base=unknown"),
        ("a rate that comes after the event", vec![rate(9, eur, "1.25", 1)], "800", "EUR", "large 0: amount_base=unknown"),
    ] {
        let said = decided(&usd(), rates.into_iter().chain([paid(5, "t", 5, amount, currency)]).collect());
        assert_eq!(large(&said, "t"), expected, "{case}");
    }
}

#[test]
fn another_base_currency_is_reached_over_the_pivot() {
    let base = BaseCurrency { currency: Currency::derived("EUR"), pivot: Currency::derived("USD") };
    let rates = vec![rate(1, ("GBP", "USD"), "1.5", 1), rate(1, ("EUR", "USD"), "1.25", 1)];
    let said = decided(&usd().in_currency(base), rates.into_iter().chain([paid(5, "t", 5, "1000", "GBP")]).collect());
    assert_eq!(large(&said, "t"), "large 10: amount_base=1200 t");
}

#[test]
fn a_figure_stays_as_it_was_judged_and_a_late_event_is_judged_by_the_rates_of_its_arrival() {
    let story = vec![
        rate(1, ("EUR", "USD"), "1", 1),
        paid(2, "first", 2, "800", "EUR"),
        rate(5, ("EUR", "USD"), "2", 5),
        // Its own time is that of the old rate.
        paid(6, "late", 3, "400", "EUR"),
        paid(7, "last", 7, "1", "EUR"),
    ];
    let said = decided(&usd(), story);
    let much = |id: &str| reasons(&decision_on(&said, id)).into_iter().filter(|reason| reason.starts_with("much")).collect::<Vec<_>>();
    // 800 × 1, then 400 × 2, then 1 × 2.
    assert_eq!(large(&said, "first"), "below");
    assert_eq!(much("late"), ["much 10: day=1600 first late"]);
    assert_eq!(much("last"), ["much 10: day=1602 first late last"]);
}

#[test]
fn a_hold_that_is_captured_for_another_amount_has_the_rate_of_its_capture() {
    let story = vec![
        rate(1, ("EUR", "USD"), "1", 1),
        paid(2, "h", 2, "1000", "EUR"),
        rate(3, ("EUR", "USD"), "2", 3),
        captured(4, "h", "300", "EUR"),
    ];
    let said = decided(&usd(), story[..3].to_vec());
    assert_eq!(large(&said, "h"), "large 10: amount_base=1000 h");
    let said = decided(&usd(), story);
    assert_eq!((large(&said, "h").as_str(), decision_on(&said, "h").state), ("below", DecisionState::Amended));
    let fields: Vec<_> = rows_of(&said.tables.rule_events).into_iter().flat_map(|row| row.fields).map(|field| field.to_string()).collect();
    assert_eq!(fields, ["amount_base=600"]);
}

#[test]
fn only_a_pack_that_reads_the_field_needs_rates() {
    assert!(pack(RULES).needs_rates());
    let need_rates = |name: &str| Pack::built_in(name).expect("a pack").expect("its rules").needs_rates();
    let built_in: Vec<_> = pack::BUILT_IN.iter().map(|(name, _)| *name).filter(|name| need_rates(name)).collect();
    assert_eq!(built_in, ["aml"], "large_cash is about all currencies");
}
