//! What customers are told of transactions that were blocked.

use super::*;
use crate::testing::run_with_restart;

const RULES: &str = r#"
[[feature]]
name = "count_1h"
aggregate = "count"
window = "1h"
[[rule]]
name = "many"
when = "count_1h > 2"
points = 20
"#;

/// `customer kind subject` of each notice.
fn notices(said: &Emitted<Rules>) -> Vec<String> {
    let text = |notice: &crate::customers::Notice| format!("{} {} {}", notice.customer_id, notice.kind, notice.subject);
    said.derived.iter().map(|placed| text(&placed.event)).collect()
}

fn three() -> Vec<Transaction> {
    (1..=3).map(|number| transaction(&format!("t{number}"), number * MINUTE, "10")).collect()
}

#[test]
fn the_customer_is_told_of_a_transaction_that_is_blocked_and_of_no_other() {
    let said = run_as(Rules::new(pack(RULES)), "", three());
    assert_eq!(notices(&said), ["c fraud t3"]);
}

#[test]
fn the_sentence_names_no_rule() {
    let said = run_as(Rules::new(pack(RULES)), "", three());
    let texts: Vec<_> = said.derived.iter().map(|placed| format!("{} {}", placed.event.rule, placed.event.message)).collect();
    assert_eq!(texts, ["blocked the transaction t3 was stopped for your security: if it is yours, please confirm it"]);
}

#[test]
fn a_late_transaction_for_which_a_decision_becomes_a_block_is_told_once() {
    let [first, second, third] = <[Transaction; 3]>::try_from(three()).unwrap();
    let later = transaction("t4", 4 * MINUTE, "10");
    let said = run_as(Rules::new(pack(RULES)), "", [first, third.clone(), second, later]);
    assert_eq!(notices(&said), ["c fraud t3", "c fraud t4"]);
}

#[test]
fn packs_about_something_else_than_fraud_tell_nobody() {
    let text = format!("name = \"p\"\nsubject = \"transaction\"\nkind = \"aml\"\n[thresholds]\nreview = 10\nblock = 20\n{RULES}");
    let aml = Pack::parse("p.toml", &text).unwrap_or_else(|error| panic!("{error}"));
    let said = run_as(Rules::new(aml), "", three());
    assert_eq!(decision_on(&said, "t3").decision, headwater_schemas::tables::Verdict::Block);
    assert!(said.derived.is_empty());
}

#[test]
fn an_account_whose_customer_is_not_known_tells_nobody() {
    let said = run(Rules::new(pack(RULES)), arriving(three()));
    assert_eq!(decision_on(&said, "t3").decision, headwater_schemas::tables::Verdict::Block);
    assert!(said.derived.is_empty());
}

#[test]
fn a_restart_repeats_no_notice() {
    let happenings = || -> Happenings<Rules> { customer("").into_iter().chain(arriving(three())).collect() };
    let whole = notices(&run(Rules::new(pack(RULES)), happenings()));
    for cut in 0..=happenings().len() {
        assert_eq!(notices(&run_with_restart(Rules::new(pack(RULES)), happenings(), cut)), whole, "cut at {cut}");
    }
}
