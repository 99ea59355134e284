//! Tests of several packs at once: what they remember together changes nothing of what each of them finds.

use std::sync::Arc;

use headwater_schemas::events::{Channel, TransactionType};
use headwater_schemas::tables::{TableRow, TableWriter};
use headwater_schemas::{CustomerId, Nanos};
use proptest::prelude::*;

use super::recomputed::wide_pack;
use super::*;
use crate::testing::{history_of, run_with_restart};

/// Parameters of a transaction: minute, amount, account, account on the other side, type, channel, the number of one that it takes
/// back.
type Spec = (i64, i64, usize, Option<usize>, usize, u8, Option<usize>);

const ACCOUNTS: [&str; 3] = ["a", "b", "c"];

fn specs() -> impl Strategy<Value = Vec<Spec>> {
    let spec = (
        prop_oneof![0..40_i64, 0..(3 * 24 * 60_i64)],
        prop_oneof![Just(900), Just(9_000), Just(10_001), 0..50_000_i64],
        0..3_usize,
        proptest::option::of(0..3_usize),
        0..3_usize,
        0..3_u8,
        proptest::option::weighted(0.1, 0..20_usize),
    );
    proptest::collection::vec(spec, 1..40)
}

fn packs() -> Vec<Arc<Pack>> {
    let built_in = ["banking", "aml", "compliance"].map(|name| Pack::built_in(name).expect("the pack").expect("its rules"));
    built_in.into_iter().chain([wide_pack()]).collect()
}

/// What happens by these parameters, as one partition brings it.
fn happened(specs: &[Spec]) -> Vec<Placed<Happened>> {
    let mut clock = EffectiveTime::ZERO;
    let mut all = Vec::new();
    for (n, (minute, amount, account, other, kind, channel, takes_back)) in specs.iter().enumerate() {
        let mut event = transaction(&format!("t{n:03}"), DAY + minute * MINUTE, &amount.to_string());
        event.account_id = AccountId::derived(ACCOUNTS[*account]);
        event.counterparty_account = other.map(|other| AccountId::derived(ACCOUNTS[other]));
        event.r#type = [TransactionType::Payment, TransactionType::Deposit, TransactionType::Transfer][*kind];
        event.channel = [None, Some(Channel::Cash), Some(Channel::Card)][usize::from(*channel)];
        clock = clock.max(event.ts.effective());
        let place = Place::of_record(clock, Topic::Transactions, 0, Offset::new(n as u64));
        all.push(Placed { place, event: Happened::Transaction(Arc::new(event)) });
        let Some((_, _, account, other, ..)) = takes_back.filter(|other| *other < n).and_then(|other| specs.get(other)) else { continue };
        let original = Id::derived(format!("t{:03}", takes_back.unwrap_or_default()));
        let taken = TakenBack {
            account_id: AccountId::derived(ACCOUNTS[*account]),
            counterparty: other.map_or_else(|| AccountId::derived("external:USD"), |other| AccountId::derived(ACCOUNTS[other])),
            transaction_id: original.clone(),
            currency: Currency::derived("USD"),
            captures: None,
            is_restored: n % 3 == 0,
            correction: Correction::Reversal { transaction_id: Id::derived(format!("t{n:03}")), original },
        };
        all.push(Placed { place: place.derived(1), event: Happened::TakenBack(Arc::new(taken)) });
    }
    all
}

fn happenings(view: &Rules, specs: &[Spec]) -> Happenings<Rules> {
    let customer_of = |what: &Happened| what.account().filter(|account| account.as_str() == "a").map(|_| CustomerId::derived("c"));
    let events = happened(specs).into_iter().flat_map(|Placed { place, event }| {
        view.spread(&event, customer_of(&event)).into_iter().map(move |event| Placed { place, event: Happening::Event(event) })
    });
    customer(AT_HOME).into_iter().chain(events).collect()
}

/// The rows of one ruleset, in an order that does not depend on when they were emitted within a tick.
fn of_ruleset<R: TableRow + std::fmt::Debug>(written: &TableWriter<R>, is_its: impl Fn(&R) -> bool) -> Vec<String> {
    let mut rows: Vec<_> = rows_of(written).into_iter().filter(is_its).map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn packs_find_together_what_each_finds_alone(specs in specs(), cuts in proptest::collection::vec(0..60_usize, 2)) {
        // Nothing is forgotten: what one pack remembers longer can be taken back longer for all.
        let horizon = Nanos::new((10 * DAY).unsigned_abs());
        let view = Rules::of(Subject::Transaction, &packs(), horizon);
        let together = run(view.clone(), happenings(&view, &specs));
        for pack in packs() {
            let alone = Rules::with_horizon(Arc::clone(&pack), horizon);
            let alone = run(alone.clone(), happenings(&alone, &specs));
            let decided = |decision: &Decision| decision.ruleset.as_str() == pack.name();
            prop_assert_eq!(of_ruleset(&together.tables.decisions, decided), of_ruleset(&alone.tables.decisions, |_| true));
            let names: Vec<String> = alerts(&alone).into_iter().map(|alert| alert.alert_id.to_string()).collect();
            let raised = |alert: &Alert| names.contains(&alert.alert_id.to_string());
            prop_assert_eq!(of_ruleset(&together.tables.alerts, raised), of_ruleset(&alone.tables.alerts, |_| true));
        }
        for cut in cuts {
            let resumed = run_with_restart(view.clone(), happenings(&view, &specs), cut);
            prop_assert_eq!(history_of(&together.tables.decisions), history_of(&resumed.tables.decisions));
            prop_assert_eq!(history_of(&together.tables.alerts), history_of(&resumed.tables.alerts));
            prop_assert_eq!(history_of(&together.tables.rule_events), history_of(&resumed.tables.rule_events));
            prop_assert_eq!(history_of(&together.tables.rule_outcomes), history_of(&resumed.tables.rule_outcomes));
            prop_assert_eq!(history_of(&together.tables.rule_alerts), history_of(&resumed.tables.rule_alerts));
        }
    }
}
