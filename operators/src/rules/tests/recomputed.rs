//! Comparison with a batch computation: all events sorted by their own time, each scored from all earlier ones.

use std::collections::{BTreeMap, BTreeSet};

use headwater_schemas::Nanos;
use headwater_schemas::events::Channel;
use headwater_schemas::tables::{AlertState, Amendment, DecisionState, Verdict};
use headwater_schemas::value::fixed;
use proptest::prelude::*;

use super::*;

/// Parameters of a transaction: minute, amount, longitude, device, channel, account.
pub(super) type Spec = (i64, i64, Option<i64>, Option<u8>, u8, u8);

/// At most `most` transactions over three days.
pub(super) fn specs(most: usize) -> impl Strategy<Value = Vec<Spec>> {
    let spec = (
        // Dense enough that windows hold several events and some times are equal.
        prop_oneof![0..40_i64, 0..(3 * 24 * 60_i64)],
        prop_oneof![Just(5), Just(10_000), Just(10_001), 0..50_000_i64],
        proptest::option::of(-30..30_i64),
        proptest::option::of(0..3_u8),
        0..3_u8,
        0..2_u8,
    );
    proptest::collection::vec(spec, 1..most)
}

fn built(spec: &Spec, n: usize) -> Transaction {
    let (minute, amount, lon, device, channel, account) = spec;
    let mut transaction = transaction(&format!("t{n:03}"), DAY + minute * MINUTE, &amount.to_string());
    transaction.account_id = AccountId::derived(["a", "b"][usize::from(*account)]);
    transaction.device_id = device.map(|device| format!("d{device}").into());
    transaction.channel = [None, Some(Channel::Cash), Some(Channel::Card)][usize::from(*channel)];
    match lon {
        Some(lon) => located(transaction, "0", &lon.to_string()),
        None => transaction,
    }
}

pub(super) fn transactions(specs: &[Spec]) -> Vec<Transaction> {
    specs.iter().enumerate().map(|(n, spec)| built(spec, n)).collect()
}

pub(super) fn happenings(specs: &[Spec]) -> Happenings<Rules> {
    customer(AT_HOME).into_iter().chain(arriving(transactions(specs))).collect()
}

/// The transactions within the horizon, ordered by their own time.
fn in_order(specs: &[Spec], horizon: i64) -> Vec<Transaction> {
    let mut clock = i64::MIN;
    let mut taken = transactions(specs);
    taken.retain(|transaction| {
        clock = clock.max(transaction.ts.nanos());
        clock - transaction.ts.nanos() <= horizon
    });
    // A stable sort: of two with the same time, the one that was read first comes first.
    taken.sort_by_key(|transaction| transaction.ts);
    taken
}

/// The events of the same account before an event and within a window, and the event itself at the end.
fn window(all: &[Transaction], index: usize, window: i64) -> Vec<&Transaction> {
    let this = &all[index];
    let belongs = |other: &&Transaction| other.account_id == this.account_id && this.ts.nanos() - other.ts.nanos() <= window;
    all[..=index].iter().filter(belongs).collect()
}

fn location(transaction: &Transaction) -> Option<geo::Location> {
    geo::Location::new(transaction.lat, transaction.lon)
}

/// Score and undecided rules of `banking`, without incremental windows, packs or expressions.
pub(super) fn banking_by_hand(all: &[Transaction], index: usize) -> (u32, Vec<&'static str>) {
    let this = &all[index];
    let has_home = this.account_id.as_str() == "a";
    let (mut score, mut undecided) = (0, Vec::new());
    if this.amount > Amount::whole(10_000) {
        score += 30;
    }
    if !has_home {
        undecided.push("night");
    } else if (this.ts.nanos() + HOUR) % DAY < 6 * HOUR {
        // In January of 1970 London was an hour ahead of UTC.
        score += 20;
    }
    if window(all, index, 10 * MINUTE).len() > 5 {
        score += 40;
    }
    let earlier = window(all, index, i64::MAX);
    let previous = earlier.iter().rev().skip(1).find_map(|other| Some((location(other)?, other.ts.nanos())));
    let home = geo::Location::new("0".parse().ok(), "1".parse().ok()).filter(|_| has_home);
    let fast = match (previous, location(this)) {
        (None, _) => Some(false),
        (Some((_, ts)), _) if this.ts.nanos() - ts < MINUTE => Some(false),
        (Some(_), None) => None,
        (Some((from, ts)), Some(to)) => {
            let km = from.km_to(to);
            Some(km > 50.0 && km * 3.6e12 > 900.0 * (this.ts.nanos() - ts) as f64)
        }
    };
    let far = home.zip(location(this)).map(|(home, here)| home.km_to(here) > 1609.344);
    match (fast, far) {
        (Some(true), _) | (_, Some(true)) => score += 50,
        (None, _) | (_, None) => undecided.push("impossible_travel"),
        _ => {}
    }
    (score, undecided)
}

const WIDE: &str = r#"
[[feature]]
name = "n"
aggregate = "count"
filter = "amount > 5"
window = "1h"
[[feature]]
name = "total"
aggregate = "sum"
field = "amount"
key = ["account_id", "device_id"]
window = "30m"
[[feature]]
name = "usual"
aggregate = "avg"
field = "amount"
window = "6h"
[[feature]]
name = "spread"
aggregate = "stddev"
field = "amount"
window = "6h"
[[feature]]
name = "most"
aggregate = "max"
field = "amount"
window = "20m"
[[feature]]
name = "devices"
aggregate = "distinct"
field = "device_id"
window = "2h"
[[feature]]
name = "device_since"
aggregate = "first_seen"
key = ["account_id", "device_id"]
window = "1d"
[[feature]]
name = "last_channel"
aggregate = "last"
field = "channel"
window = "45m"
[[feature]]
name = "middle"
aggregate = "median"
field = "amount"
window = "3h"
[[feature]]
name = "since_cash"
aggregate = "sum"
field = "amount"
key = ["account_id", "device_id"]
filter = "amount > 5"
since = "channel == 'cash'"
window = "90m"
[[feature]]
name = "day_since_cash"
aggregate = "count"
since = "channel == 'cash'"
window = "day"
[[feature]]
name = "from_cash"
aggregate = "sum"
field = "amount"
from = "channel == 'cash'"
window = "90m"

[[rule]]
name = "n"
when = "n > 3"
points = 1
[[rule]]
name = "total"
when = "total > 20000"
points = 2
[[rule]]
name = "usual"
when = "amount > usual"
points = 4
[[rule]]
name = "spread"
when = "spread > 9000"
points = 8
[[rule]]
name = "most"
when = "amount > most"
points = 16
[[rule]]
name = "devices"
when = "devices >= 2"
points = 32
[[rule]]
name = "device_since"
when = "exists(device_since) and ts - device_since <= 2h"
points = 64
[[rule]]
name = "last_channel"
when = "last_channel == 'cash'"
points = 128
[[rule]]
name = "middle"
when = "amount > middle"
points = 256
[[rule]]
name = "since_cash"
when = "since_cash > 20000"
points = 512
[[rule]]
name = "day_since_cash"
when = "day_since_cash > 3"
points = 1024
[[rule]]
name = "from_cash"
when = "from_cash > 20000"
points = 2048
"#;

/// A pack with every aggregate.
pub(super) fn wide_pack() -> Arc<Pack> {
    pack(WIDE)
}

pub(super) fn wide_by_hand(all: &[Transaction], index: usize) -> (u32, Vec<&'static str>) {
    let this = &all[index];
    let up_to = |length: i64| window(all, index, length);
    let before = |length: i64| {
        let mut events = window(all, index, length);
        events.pop();
        events
    };
    let same_device = |other: &&&Transaction| other.device_id == this.device_id;
    let (mut score, mut undecided) = (0, Vec::new());
    let mut fires = |points: u32, fires: bool| score += if fires { points } else { 0 };

    fires(1, up_to(HOUR).iter().filter(|other| other.amount > Amount::whole(5)).count() > 3);
    let total: i128 = up_to(30 * MINUTE).iter().filter(same_device).map(|other| other.amount.units()).sum();
    fires(2, this.device_id.is_some() && total > 20_000 * fixed::ONE);
    let amounts: Vec<i128> = before(6 * HOUR).iter().map(|other| other.amount.units()).collect();
    let count = i128::try_from(amounts.len()).expect("a count");
    // Integer amounts of at most 60 events: the sum decides exactly, where the rounded average might not.
    fires(4, count > 0 && this.amount.units() > fixed::quotient(amounts.iter().sum(), 1, count).expect("an average"));
    if amounts.len() > 1 {
        let mean = amounts.iter().sum::<i128>() as f64 / count as f64;
        let squares: f64 = amounts.iter().map(|units| (*units as f64 - mean).powi(2)).sum();
        let deviation = (squares / (count as f64 - 1.0)).sqrt() / 1e9;
        // Both ways to compute a root agree to many digits, and no deviation lies close enough to the limit to differ.
        assert!((deviation - 9000.0).abs() > 1e-6);
        fires(8, deviation > 9000.0);
    }
    fires(16, before(20 * MINUTE).iter().map(|other| other.amount).max().is_some_and(|most| this.amount > most));
    fires(32, up_to(2 * HOUR).iter().filter_map(|other| other.device_id.as_ref()).collect::<BTreeSet<_>>().len() >= 2);
    let since = before(DAY).iter().filter(same_device).map(|other| other.ts.nanos()).min();
    fires(64, this.device_id.is_some() && since.is_some_and(|since| this.ts.nanos() - since <= 2 * HOUR));
    let last = before(45 * MINUTE).iter().rev().find_map(|other| other.channel);
    fires(128, last == Some(Channel::Cash));
    let mut amounts: Vec<i128> = before(3 * HOUR).iter().map(|other| other.amount.units()).collect();
    amounts.sort_unstable();
    if let Some(last) = amounts.len().checked_sub(1) {
        let middle_two = amounts[last / 2] + amounts[amounts.len() / 2];
        fires(256, 2 * this.amount.units() > middle_two);
    }
    // The events after the last earlier one in cash.
    let since_cash = |events: Vec<&Transaction>| {
        let (this, earlier) = events.split_last().expect("the event itself");
        let later = earlier.rsplit(|other| other.channel == Some(Channel::Cash)).next().unwrap_or_default();
        later.iter().chain([this]).copied().cloned().collect::<Vec<_>>()
    };
    let later = since_cash(up_to(90 * MINUTE));
    let counted = later.iter().filter(|other| other.device_id == this.device_id && other.amount > Amount::whole(5));
    fires(512, this.device_id.is_some() && counted.map(|other| other.amount.units()).sum::<i128>() > 20_000 * fixed::ONE);
    let day_start = if this.account_id.as_str() == "a" { DAY - HOUR } else { 0 };
    let since_midnight = (this.ts.nanos() - day_start).rem_euclid(DAY);
    fires(1024, since_cash(up_to(since_midnight)).len() > 3);
    // The events from the first earlier one in cash on.
    let events = up_to(90 * MINUTE);
    let (_, earlier) = events.split_last().expect("the event itself");
    let begins = earlier.iter().position(|other| other.channel == Some(Channel::Cash)).unwrap_or(earlier.len());
    fires(2048, events.iter().skip(begins).map(|other| other.amount.units()).sum::<i128>() > 20_000 * fixed::ONE);
    if this.device_id.is_none() {
        undecided.extend(["total", "device_since", "since_cash"]);
    }
    (score, undecided)
}

type ByHand = fn(&[Transaction], usize) -> (u32, Vec<&'static str>);

/// The undecided rules, without the causes that changed the decision.
pub(super) fn undecided_by_rules(decision: &Decision) -> Vec<String> {
    let rules = undecided(decision).into_iter().filter(|rule| Amendment::from_word(rule).is_none());
    rules.map(str::to_owned).collect()
}

fn matches_batch(view: Rules, specs: &[Spec], by_hand: ByHand) -> Result<(), TestCaseError> {
    let said = run(view, happenings(specs));
    let found: BTreeMap<_, _> = decisions(&said)
        .into_iter()
        .map(|decision| (decision.subject_id.to_string(), (decision.score.value(), undecided_by_rules(&decision))))
        .collect();
    let ordered = in_order(specs, DAY);
    let expected: BTreeMap<_, _> = (0..ordered.len())
        .map(|index| {
            let (score, undecided) = by_hand(&ordered, index);
            (ordered[index].transaction_id.to_string(), (f64::from(score), undecided.into_iter().map(str::to_owned).collect::<Vec<_>>()))
        })
        .collect();
    prop_assert_eq!(found, expected);
    prop_assert_eq!(said.dead_letters.len(), specs.len() - ordered.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn banking_is_what_a_batch_makes_of_it(specs in specs(60)) {
        matches_batch(banking(), &specs, banking_by_hand)?;
    }

    #[test]
    fn every_aggregate_is_what_a_batch_makes_of_it(specs in specs(60)) {
        matches_batch(Rules::with_horizon(wide_pack(), Nanos::DAY), &specs, wide_by_hand)?;
    }

    /// In the order of their own times no event is late, so none is amended. In any order the decisions and their evidence are
    /// the same, except for the state and the late events that are named.
    #[test]
    fn the_order_of_arrival_decides_nothing_but_the_state((ordered, shuffled) in shuffled_specs()) {
        for pack in [wide_pack(), banking_pack()] {
            let substance = |transactions: &[Transaction]| {
                let steps = customer(AT_HOME).into_iter().chain(arriving(transactions.iter().cloned())).collect();
                let said = run(Rules::with_horizon(Arc::clone(&pack), Nanos::MAX), steps);
                let mut found = decisions(&said);
                let amended = found.iter().any(|decision| decision.state == DecisionState::Amended);
                for decision in &mut found {
                    decision.state = DecisionState::Made;
                    decision.reasons.retain(|reason| reason.rule.as_str() != "late_event");
                }
                let blocked = found.iter().filter(|decision| decision.decision == Verdict::Block).count();
                assert_eq!(alerts(&said).iter().filter(|alert| alert.state != AlertState::Withdrawn).count(), blocked);
                (amended, found)
            };
            let (amended, in_order) = substance(&ordered);
            prop_assert!(!amended);
            prop_assert_eq!(substance(&shuffled).1, in_order);
        }
    }
}

/// Transactions at different times, in order and shuffled.
fn shuffled_specs() -> impl Strategy<Value = (Vec<Transaction>, Vec<Transaction>)> {
    let ordered = specs(40).prop_map(|mut specs| {
        specs.sort_by_key(|spec| spec.0);
        specs.dedup_by_key(|spec| spec.0);
        transactions(&specs)
    });
    ordered.prop_flat_map(|ordered| (Just(ordered.clone()), Just(ordered).prop_shuffle()))
}
