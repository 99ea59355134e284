//! Accounts with thousands of counterparties.

use super::*;

/// A transfer of 100 from one account to another, by numbers.
fn pays(minute: u64, number: u64, payer: &str, payee: &str) -> Placed<Happening<(), Movement>> {
    let (id, payer, payee) = (format!("t{number}"), payer.to_owned(), payee.to_owned());
    let place = Place::of_record(EffectiveTime::new(minute * MINUTE), Topic::Transactions, 0, Offset::new(number));
    let event = Pays(minute, &id, &payer, &payee, 100).event().expect("a transfer between two accounts");
    Placed { place, event: Happening::Event(event) }
}

#[test]
fn a_payroll_of_ten_thousand_raises_one_alert_for_each_that_pays_it_back() {
    let mut events = Vec::new();
    for payee in 0..10_000 {
        events.push(pays(1, payee, "payroll", &format!("e{payee}")));
        events.push(pays(2, 10_000 + payee, &format!("e{payee}"), &format!("shop{}", payee % 10)));
    }
    for refund in 0..10 {
        events.push(pays(3, 20_000 + refund, &format!("e{}", refund * 1_000), "payroll"));
    }
    let emitted = run(VIEW, events);
    assert_eq!(rows_of(&emitted.tables.alerts).len(), 10);
    assert_eq!(rows_of(&emitted.tables.round_trips).iter().map(|row| row.transactions.len()).max(), Some(2));
}

/// Layers of accounts, each paying all of the next layer, again and again, and none paying back.
#[test]
fn the_search_is_bounded_where_every_account_has_many_counterparties() {
    const WIDTH: u64 = 6;
    let mut events = Vec::new();
    for (number, turn) in (0..5 * 5 * WIDTH * WIDTH).enumerate() {
        let (payee, payer, layer) = (turn % WIDTH, turn / WIDTH % WIDTH, turn / (WIDTH * WIDTH) % 5);
        let minute = turn / (WIDTH * WIDTH);
        events.push(pays(minute, number as u64, &format!("l{layer}-{payer}"), &format!("l{}-{payee}", layer + 1)));
    }
    let emitted = run(VIEW, events);
    assert_eq!(rows_of(&emitted.tables.round_trip_transfers).len(), 900);
    assert_eq!(rows_of(&emitted.tables.alerts).len(), 0);
}

#[test]
fn money_is_followed_through_a_hub_as_long_as_it_is_among_the_latest() {
    // How many others pay the hub meanwhile, and whether a trip over two more accounts, or over the hub alone, is found.
    for (others, is_far_found) in [(18, true), (19, false)] {
        let mut events = vec![pays(1, 0, "a", "x"), pays(1, 1, "x", "hub"), pays(1, 2, "b", "hub")];
        events.extend((10..10 + others).map(|other| pays(2, other, &format!("o{other}"), "hub")));
        events.extend([pays(3, 90, "hub", "b"), pays(4, 91, "b", "a")]);
        let mut expected = vec!["raised b: t2 t90"];
        expected.extend(is_far_found.then_some("raised a: t0 t1 t90 t91"));
        assert_eq!(alerts(&run(VIEW, events)), expected, "{others}");
    }
}
