//! Tests of the view: checks, rows, executions, and restarts.

use std::collections::BTreeMap;

use headwater_schemas::events::{self, Event, OrderEvent as OrderMessage};
use headwater_schemas::tables::{self, Execution, OrderEvent, TopOfBook};
use headwater_schemas::value::{EventTime, Id, Quantity, Size, Symbol};
use headwater_schemas::{EffectiveTime, Offset, Place, Placed, Tick, Topic};

use super::generated::{Market, Stream, stream};
use super::naive::NaiveBook;
use crate::keyed_fold::View;
use crate::matching::*;
use crate::testing::{Emitted, Happening, Happenings, fold, rows_of, run, run_with_restart};

/// Events from records, at the records' times.
fn told(records: &[(Topic, &str)]) -> Happenings<Matching> {
    let happen = |(offset, (topic, value)): (usize, &(Topic, &str))| {
        let event = Event::decode(*topic, None, Some(value.as_bytes())).unwrap_or_else(|bad| panic!("{value}: {bad:?}"));
        let place = Place::of_record(
            event.ts().map_or(EffectiveTime::ZERO, EventTime::effective),
            *topic,
            0,
            Offset::new(u64::try_from(offset).unwrap()),
        );
        let event = match event {
            Event::Order(message) => Happening::Event(message),
            broadcast => Happening::Broadcast(broadcast),
        };
        Placed { place, event }
    };
    records.iter().enumerate().map(happen).collect()
}

fn order_events(emitted: &Emitted<Matching>) -> Vec<OrderEvent> {
    let changes = emitted.tables.order_events.changes();
    assert!(changes.iter().all(|change| !change.gone));
    changes.iter().map(|change| change.row.clone()).collect()
}

fn executions(emitted: &Emitted<Matching>) -> Vec<Placed<Execution>> {
    let execution = |Placed { place, event }: Placed<BookEvent>| Some(Placed { place, event: event.execution()? });
    emitted.derived.iter().cloned().filter_map(execution).collect()
}

const STOCK: (Topic, &str) = (
    Topic::Instruments,
    r#"{"symbol":"S","asset_class":"equity","currency":"USD","tick_size":"0.5","lot_size":"10","multiplier":"2","reference_price":"100","price_band_bps":"1000"}"#,
);
const OPENED: (Topic, &str) = (
    Topic::Accounts,
    r#"{"type":"opened","account_id":"ann","customer_id":"c1","account_type":"investment","currency":"USD","book":"firm/desk","ts":0}"#,
);

/// An order of ann's at 9; the given fields override the defaults.
fn order(fields: &str) -> String {
    let mut given: BTreeMap<&str, &str> = BTreeMap::from([
        ("order_id", "o1"),
        ("account_id", "ann"),
        ("symbol", "S"),
        ("side", "buy"),
        ("order_type", "limit"),
        ("time_in_force", "gtc"),
        ("quantity", "10"),
        ("price", "100"),
    ]);
    given.extend(fields.split_whitespace().filter_map(|field| field.split_once('=')));
    let fields: Vec<String> =
        given.into_iter().filter(|(_, value)| *value != "none").map(|(field, value)| format!("{field:?}:{value:?}")).collect();
    format!(r#"{{"type":"new",{},"ts":9}}"#, fields.join(","))
}

/// The result of an order: `accepted` or a reason.
fn outcome(records: &[(Topic, &str)], fields: &str, config: MatchingConfig) -> String {
    let order = order(fields);
    let records: Vec<_> = records.iter().copied().chain([(Topic::Orders, order.as_str())]).collect();
    let said = run(Matching::new(config), told(&records));
    let last = order_events(&said).pop().unwrap();
    last.reason.map_or(last.event.to_string(), |reason| reason.to_string())
}

#[test]
fn every_check_before_the_book_has_its_reason() {
    let limit = |scope: &str, kind: &str, value: &str| format!(r#"{{"scope":"{scope}","kind":"{kind}","value":"{value}"}}"#);
    let quantity_30 = limit("default", "order_quantity", "30");
    let symbol_20 = limit("symbol:S", "order_quantity", "20");
    let value_4000 = limit("book:firm", "order_notional", "4000");
    let limits = [(Topic::Limits, quantity_30.as_str()), (Topic::Limits, symbol_20.as_str()), (Topic::Limits, value_4000.as_str())];
    let frozen = (Topic::Accounts, r#"{"type":"frozen","account_id":"ann","ts":1}"#);
    let unfrozen = (Topic::Accounts, r#"{"type":"unfrozen","account_id":"ann","ts":2}"#);
    let closed = (Topic::Accounts, r#"{"type":"closed","account_id":"ann","ts":3}"#);
    let auction = (Topic::Orders, r#"{"type":"phase","symbol":"S","phase":"auction","ts":4}"#);
    let halted = (Topic::Orders, r#"{"type":"phase","symbol":"S","phase":"halted","ts":4}"#);
    for (records, fields, expected) in [
        (&[STOCK, OPENED][..], "", "accepted"),
        (&[OPENED], "", "unknown_instrument"),
        (&[STOCK, OPENED], "symbol=T", "unknown_instrument"),
        (&[STOCK], "account_id=nobody", "accepted"),
        (&[STOCK, OPENED, frozen], "", "account_frozen"),
        (&[STOCK, OPENED, frozen, unfrozen], "", "accepted"),
        (&[STOCK, OPENED, closed], "", "account_closed"),
        (&[STOCK, OPENED], "quantity=15", "off_lot"),
        (&[STOCK, OPENED], "quantity=20 display_quantity=5", "off_lot"),
        (&[STOCK, OPENED], "price=100.25", "off_tick"),
        (&[STOCK, OPENED], "order_type=stop_limit stop_price=100.25", "off_tick"),
        (&[STOCK, OPENED], "order_type=market price=100.25", "no_liquidity"),
        (&[STOCK, OPENED], "price=110", "accepted"),
        (&[STOCK, OPENED], "price=110.5", "price_band"),
        (&[STOCK, OPENED], "price=89.5", "price_band"),
        (&[STOCK, OPENED], "order_type=stop price=none stop_price=200", "accepted"),
        (&[STOCK, OPENED, limits[0]], "quantity=30", "accepted"),
        (&[STOCK, OPENED, limits[0]], "quantity=40", "order_quantity"),
        (&[STOCK, OPENED, limits[0], limits[1]], "quantity=30", "order_quantity"),
        // Twenty at 100, each worth 2: 4000.
        (&[STOCK, OPENED, limits[2]], "quantity=20", "accepted"),
        (&[STOCK, OPENED, limits[2]], "quantity=20 price=100.5", "order_notional"),
        (&[STOCK, OPENED, limits[2]], "quantity=30 order_type=market price=none", "order_notional"),
        (&[STOCK, OPENED, limits[2]], "order_type=stop price=none stop_price=200.5", "order_notional"),
        (&[STOCK, OPENED], "quantity=999999999999999990 price=110", "overflow"),
        (&[STOCK, OPENED, auction], "", "accepted"),
        (&[STOCK, OPENED, auction], "time_in_force=ioc", "wrong_phase"),
        (&[STOCK, OPENED, halted], "", "wrong_phase"),
        // The sequence of the checks: with several faults it is always the same one that counts.
        (&[OPENED, closed], "quantity=15 price=0.3", "unknown_instrument"),
        (&[STOCK, OPENED, frozen, limits[1], halted], "quantity=35 price=0.3", "off_tick"),
        (&[STOCK, OPENED, frozen, limits[1], halted], "quantity=40", "order_quantity"),
        (&[STOCK, OPENED, frozen, halted], "quantity=40", "account_frozen"),
        (&[STOCK, OPENED, limits[1], halted], "quantity=35 price=0.5", "off_lot"),
        (&[STOCK, OPENED, limits[1], halted], "quantity=40 price=0.3", "off_tick"),
        (&[STOCK, OPENED, limits[1], halted], "quantity=40 price=0.5", "price_band"),
        (&[STOCK, OPENED, limits[1], limits[2], halted], "quantity=40", "order_quantity"),
        (&[STOCK, OPENED, limits[2], halted], "quantity=40", "order_notional"),
    ] {
        assert_eq!(outcome(records, fields, MatchingConfig::default()), expected, "{fields} after {records:?}");
    }
}

#[test]
fn a_restricted_symbol_takes_no_orders() {
    let config = MatchingConfig { restricted_symbols: [Symbol::derived("S")].into(), ..MatchingConfig::default() };
    let frozen = (Topic::Accounts, r#"{"type":"frozen","account_id":"ann","ts":1}"#);
    let halted = (Topic::Orders, r#"{"type":"phase","symbol":"S","phase":"halted","ts":4}"#);
    for (records, fields, expected) in [
        (&[STOCK, OPENED, halted][..], "", "restricted_symbol"),
        (&[STOCK, OPENED, frozen, halted], "", "account_frozen"),
        (&[STOCK, OPENED, halted], "quantity=15", "off_lot"),
    ] {
        assert_eq!(outcome(records, fields, config.clone()), expected, "{fields} after {records:?}");
    }
}

#[test]
fn of_several_faults_the_first_of_one_order_counts_for_orders_and_amendments_alike() {
    let limit = |kind: &str, value: &str| format!(r#"{{"scope":"default","kind":"{kind}","value":"{value}"}}"#);
    let (quantity_20, value_4000) = (limit("order_quantity", "20"), limit("order_notional", "4000"));
    let (quantity_20, value_4000) = ((Topic::Limits, quantity_20.as_str()), (Topic::Limits, value_4000.as_str()));
    let frozen = (Topic::Accounts, r#"{"type":"frozen","account_id":"ann","ts":10}"#);
    let halted = (Topic::Orders, r#"{"type":"phase","symbol":"S","phase":"halted","ts":10}"#);
    let rests = order("");
    let rests = [STOCK, OPENED, (Topic::Orders, rests.as_str())];
    // Each has the expected fault, and those that are checked after it.
    for (records, price, quantity, expected) in [
        (&[quantity_20, value_4000, frozen, halted][..], "-0.3", "35", "not_positive"),
        (&[quantity_20, value_4000, frozen, halted], "0.3", "35", "off_tick"),
        (&[quantity_20, value_4000, frozen, halted], "0.5", "35", "off_lot"),
        (&[quantity_20, value_4000, frozen, halted], "0.5", "40", "price_band"),
        (&[quantity_20, value_4000, frozen, halted], "100.5", "40", "order_quantity"),
        (&[value_4000, frozen, halted], "100.5", "40", "order_notional"),
        (&[frozen, halted], "100.5", "40", "account_frozen"),
        (&[halted], "100.5", "40", "wrong_phase"),
    ] {
        let new = order(&format!("order_id=o2 price={price} quantity={quantity}")).replace(r#""ts":9"#, r#""ts":11"#);
        let amend = |id: &str| {
            format!(
                r#"{{"type":"amend","order_id":"{id}","account_id":"ann","symbol":"S","price":"{price}","quantity":"{quantity}","ts":11}}"#
            )
        };
        let last = |before: &[(Topic, &str)], message: String| {
            let records: Vec<_> = before.iter().chain(records).copied().chain([(Topic::Orders, message.as_str())]).collect();
            order_events(&run(Matching::default(), told(&records))).pop().unwrap().reason.map(|reason| reason.to_string())
        };
        assert_eq!(last(&rests, new.clone()).as_deref(), Some(expected), "{new}");
        assert_eq!(last(&rests, amend("o1")).as_deref(), Some(expected), "{}", amend("o1"));
        assert_eq!(last(&rests, amend("o9")).as_deref(), Some("unknown_order"), "{}", amend("o9"));
        let others = amend("o1").replace(r#""account_id":"ann""#, r#""account_id":"eve""#);
        assert_eq!(last(&rests, others).as_deref(), Some("wrong_account"));
        assert_eq!(last(&[OPENED], new).as_deref(), Some("unknown_instrument"));
        assert_eq!(last(&[OPENED], amend("o9")).as_deref(), Some("unknown_instrument"));
    }
}

#[test]
fn prices_at_or_below_zero_are_for_futures_alone() {
    let instrument = |class: &str| format!(r#"{{"symbol":"S","asset_class":"{class}","currency":"USD","tick_size":"1","lot_size":"1"}}"#);
    let limit = |price: &str| format!("price={price}");
    let stop = |price: &str| format!("order_type=stop price=none stop_price={price}");
    for (class, fields, expected) in [
        ("future", limit("-37"), "accepted"),
        ("future", limit("0"), "accepted"),
        ("future", stop("-37"), "accepted"),
        ("equity", limit("1"), "accepted"),
        ("equity", limit("0"), "not_positive"),
        ("equity", stop("0"), "not_positive"),
        ("option", limit("-1"), "not_positive"),
        ("fx", limit("-1"), "not_positive"),
        ("crypto", limit("-1"), "not_positive"),
        ("bond", limit("-1"), "not_positive"),
    ] {
        let instrument = instrument(class);
        assert_eq!(outcome(&[(Topic::Instruments, instrument.as_str())], &fields, MatchingConfig::default()), expected, "{class} {fields}");
    }
}

#[test]
fn a_market_order_cannot_be_valued_without_a_price() {
    let unpriced = (Topic::Instruments, r#"{"symbol":"S","asset_class":"equity","currency":"USD","tick_size":"1","lot_size":"1"}"#);
    let limit = (Topic::Limits, r#"{"scope":"default","kind":"order_notional","value":"1000"}"#);
    assert_eq!(outcome(&[unpriced, limit], "order_type=market price=none", MatchingConfig::default()), "no_reference_price");
    assert_eq!(outcome(&[unpriced], "order_type=market price=none", MatchingConfig::default()), "no_liquidity");
    // Without a reference price there is no band either.
    assert_eq!(outcome(&[unpriced], "price=1000000", MatchingConfig::default()), "accepted");
}

/// The sessions `guarded` and `notional` of `cases/orderbook-commands.txt`: there the book has the cases, here the checks before it.
#[test]
fn another_engines_limits_refuse_the_same_orders_7() {
    let stock = r#"{"symbol":"S","asset_class":"equity","currency":"USD","tick_size":"1","lot_size":"1","reference_price":"100""#;
    let guarded = format!(r#"{stock},"price_band_bps":"1000"}}"#);
    let notional = format!("{stock}}}");
    let limit = |kind: &str, value: u32| format!(r#"{{"scope":"default","kind":"{kind}","value":"{value}"}}"#);
    let (quantity_40, value_5000) = (limit("order_quantity", 40), limit("order_notional", 5_000));
    let guarded = [(Topic::Instruments, guarded.as_str()), (Topic::Limits, quantity_40.as_str())];
    let notional = [(Topic::Instruments, notional.as_str()), (Topic::Limits, value_5000.as_str())];
    for (case, session, fields, expected) in [
        ("guarded/0000", &guarded, "side=sell quantity=5", "accepted"),
        ("guarded/0002", &guarded, "quantity=2 price=150", "price_band"),
        ("guarded/0012", &guarded, "side=sell quantity=100 display_quantity=3", "order_quantity"),
        ("guarded/0014", &guarded, "side=sell quantity=30 display_quantity=1", "accepted"),
        ("guarded/0016", &guarded, "side=sell quantity=40 price=101 display_quantity=5", "accepted"),
        ("guarded/0017", &guarded, "side=sell quantity=41 price=102 display_quantity=5", "order_quantity"),
        ("notional/0000", &notional, "side=sell quantity=9", "accepted"),
        ("notional/0002", &notional, "side=sell quantity=51", "order_notional"),
        ("notional/0003", &notional, "side=sell quantity=60 display_quantity=10", "order_notional"),
        ("notional/0004", &notional, "side=sell quantity=50 display_quantity=3", "accepted"),
        ("notional/0005", &notional, "side=sell quantity=51 display_quantity=3", "order_notional"),
        // There the value overflows 64 bits; here it is a value like any other.
        ("notional/0007", &notional, "side=sell quantity=92233720368547759 display_quantity=10", "order_notional"),
    ] {
        assert_eq!(outcome(session, fields, MatchingConfig::default()), expected, "{case}");
    }
}

#[test]
fn the_band_is_around_the_last_price_once_there_is_one() {
    let (sell, buy) = (order("order_id=s1 account_id=eve side=sell price=110"), order("order_id=b1 price=110"));
    let traded = [STOCK, OPENED, (Topic::Orders, &sell), (Topic::Orders, &buy)];
    assert_eq!(outcome(&traded, "price=121", MatchingConfig::default()), "accepted");
    assert_eq!(outcome(&traded, "price=98.5", MatchingConfig::default()), "price_band");
}

#[test]
fn an_amendment_is_checked_for_what_it_changes() {
    let first = order("quantity=30");
    let limit = (Topic::Limits, r#"{"scope":"default","kind":"order_quantity","value":"20","ts":10}"#);
    let frozen = (Topic::Accounts, r#"{"type":"frozen","account_id":"ann","ts":10}"#);
    let narrow = STOCK.1.replace("\"1000\"}", "\"1\",\"ts\":10}").replace("\"100\"", "\"50\"");
    let narrow = (Topic::Instruments, narrow.as_str());
    let deleted = (Topic::Instruments, r#"{"symbol":"T","asset_class":"equity","currency":"USD","tick_size":"1","lot_size":"1","ts":10}"#);
    for (record, changes, expected) in [
        (deleted, r#""quantity":"20""#, "amended"),
        (limit, r#""quantity":"25""#, "off_lot"),
        (limit, r#""price":"100.1""#, "off_tick"),
        (limit, r#""quantity":"20""#, "amended"),
        (limit, r#""quantity":"40""#, "order_quantity"),
        (limit, r#""price":"101""#, "order_quantity"),
        (narrow, r#""quantity":"20""#, "amended"),
        (narrow, r#""quantity":"50""#, "amended"),
        (narrow, r#""price":"101""#, "price_band"),
        (frozen, r#""quantity":"20""#, "account_frozen"),
    ] {
        let amend = format!(r#"{{"type":"amend","order_id":"o1","account_id":"ann","symbol":"S",{changes},"ts":11}}"#);
        let said = run(Matching::default(), told(&[STOCK, OPENED, (Topic::Orders, &first), record, (Topic::Orders, &amend)]));
        let last = order_events(&said).pop().unwrap();
        assert_eq!(last.reason.map_or(last.event.to_string(), |reason| reason.to_string()), expected, "{changes} after {record:?}");
    }
}

#[test]
fn an_order_amended_to_zero_is_cancelled() {
    let (buy, sell) = (order("quantity=100"), order("order_id=s1 account_id=eve side=sell quantity=30"));
    let amend = (Topic::Orders, r#"{"type":"amend","order_id":"o1","account_id":"ann","symbol":"S","quantity":"0","ts":10}"#);
    let said = run(Matching::default(), told(&[STOCK, OPENED, (Topic::Orders, &buy), (Topic::Orders, &sell), amend]));
    let last = order_events(&said).pop().unwrap();
    assert_eq!((last.event, last.reason.as_deref()), (tables::OrderChange::Cancelled, Some("amended_away")));
    assert_eq!((last.leaves_quantity, last.cumulative_quantity), (Quantity::ZERO, Quantity::whole(30)));
    assert!(rows_of(&said.tables.open_orders).is_empty());
}

#[test]
fn whoever_may_not_trade_may_still_cancel() {
    let first = order("");
    let frozen = (Topic::Accounts, r#"{"type":"frozen","account_id":"ann","ts":10}"#);
    let cancel = (Topic::Orders, r#"{"type":"cancel","order_id":"o1","account_id":"ann","symbol":"S","ts":11}"#);
    let said = run(Matching::default(), told(&[STOCK, OPENED, (Topic::Orders, &first), frozen, cancel, cancel]));
    let events = order_events(&said);
    let shown: Vec<String> =
        events.iter().map(|event| format!("{} {} {:?}", event.sequence, event.event, event.reason.as_deref())).collect();
    assert_eq!(shown, ["1 accepted None", "2 cancelled None", "3 rejected Some(\"unknown_order\")"]);
}

#[test]
fn customers_of_one_group_do_not_trade_with_each_other() {
    let account = |account: &str, customer: &str| {
        format!(
            r#"{{"type":"opened","account_id":"{account}","customer_id":"{customer}","account_type":"investment","currency":"USD","ts":0}}"#
        )
    };
    let customer = |customer: &str, group: &str| format!(r#"{{"customer_id":"{customer}","group_id":"{group}"}}"#);
    let (ann, bob, eve) = (account("ann", "c1"), account("bob", "c2"), account("eve", "c3"));
    let (c1, c2, c3) = (customer("c1", "g"), customer("c2", "g"), customer("c3", "h"));
    let (sell, own, other) = (order("order_id=s1 side=sell"), order("order_id=b1 account_id=bob"), order("order_id=b2 account_id=eve"));
    let accounts = [&ann, &bob, &eve].map(|record| (Topic::Accounts, record.as_str()));
    let customers = [&c1, &c2, &c3].map(|record| (Topic::Customers, record.as_str()));
    let orders = [&sell, &own, &other].map(|record| (Topic::Orders, record.as_str()));
    let records: Vec<_> = [STOCK].into_iter().chain(accounts).chain(customers).chain(orders).collect();
    let said = run(Matching::default(), told(&records));
    let traders: Vec<&str> = executions(&said).iter().map(|execution| execution.event.account_id.as_str()).collect();
    assert_eq!(traders, ["eve", "ann"]);
    assert_eq!(order_events(&said).iter().filter(|event| event.reason.as_deref() == Some("self_trade")).count(), 1);
}

#[test]
fn a_match_is_two_executions_at_the_place_of_the_order_that_came() {
    let config =
        MatchingConfig { maker_fee_bps: "-0.5".parse().unwrap(), taker_fee_bps: "2".parse().unwrap(), ..MatchingConfig::default() };
    let (sell, buy) = (order("order_id=s1 account_id=eve side=sell"), order("order_id=b1 price=101 quantity=20"));
    let records = told(&[STOCK, OPENED, (Topic::Orders, &sell), (Topic::Orders, &buy)]);
    let cause = records.last().unwrap().place;
    let said = run(Matching::new(config), records);
    let shown = |placed: &Placed<Execution>| {
        let Execution { execution_id, match_id, order_id, account_id, side, price, quantity, fee, liquidity, .. } = &placed.event;
        assert_eq!(placed.event.ts, placed.place.event_time());
        format!(
            "{}: {execution_id} of {match_id}: {order_id} {account_id} {side} {quantity} @ {price}, fee {fee}, {liquidity}",
            placed.place.sequence
        )
    };
    // Ten at 100, each worth 2: 2000.
    assert_eq!(
        executions(&said).iter().map(shown).collect::<Vec<_>>(),
        ["1: S-1-b of S-1: b1 ann buy 10 @ 100, fee 0.4, taker", "2: S-1-s of S-1: s1 eve sell 10 @ 100, fee -0.1, maker"]
    );
    assert!(executions(&said).iter().all(|placed| placed.place.derived(0) == cause));
}

#[test]
fn a_message_follows_its_executions_with_its_result() {
    let (sell, buy) = (order("order_id=s1 account_id=eve side=sell quantity=30"), order("order_id=b1 order_type=market price=none"));
    let wrong = order("order_id=b2 quantity=5");
    let cancel = |order_id: &str| format!(r#"{{"type":"cancel","order_id":"{order_id}","account_id":"eve","symbol":"S","ts":9}}"#);
    let amend =
        |quantity: u32| format!(r#"{{"type":"amend","order_id":"s1","account_id":"eve","symbol":"S","quantity":{quantity},"ts":9}}"#);
    let closed = r#"{"type":"phase","symbol":"S","phase":"closed","ts":9}"#;
    let (less, none) = (amend(20), amend(10));
    let results = |orders: &[&str]| {
        let records: Vec<_> = [STOCK, OPENED].into_iter().chain(orders.iter().map(|record| (Topic::Orders, *record))).collect();
        let shown = |placed: &Placed<BookEvent>| match &placed.event {
            BookEvent::Execution(execution) => format!("{} {}", placed.place.sequence, execution.execution_id),
            BookEvent::Message(BookMessage { order_id, outcome, .. }) => format!("{} {order_id} {outcome:?}", placed.place.sequence),
            BookEvent::Phase(PhaseStep { before, now, .. }) => format!("{} {before} {now}", placed.place.sequence),
        };
        run(Matching::default(), told(&records)).derived.iter().map(shown).collect::<Vec<_>>()
    };
    let entered = "1 s1 Accepted { side: Sell, quantity: 30, price: Some(100) }";
    let matched = ["1 S-1-b", "2 S-1-s", "3 b1 Accepted { side: Buy, quantity: 10, price: Some(100) }"];
    for (orders, expected) in [
        (vec![&*wrong], vec!["1 b2 Other"]),
        (vec![&*sell, &*cancel("s1")], vec![entered, "1 s1 Cancelled { side: Sell, quantity: 30 }"]),
        (vec![&*sell, &*cancel("s2")], vec![entered, "1 s2 Other"]),
        (vec![&*sell, &*buy, &*cancel("s1")], [&[entered], &matched[..], &["1 s1 Cancelled { side: Sell, quantity: 20 }"]].concat()),
        (vec![&*sell, &*buy, &*less], [&[entered], &matched[..], &["1 s1 Other"]].concat()),
        (vec![&*sell, &*buy, &*none], [&[entered], &matched[..], &["1 s1 Cancelled { side: Sell, quantity: 20 }"]].concat()),
        (vec![closed, &*sell], vec!["1 continuous closed", "1 s1 Other"]),
    ] {
        assert_eq!(results(&orders), expected, "{orders:?}");
    }
}

#[test]
fn the_executions_of_a_symbol_of_64_characters_have_ids_of_at_most_64() {
    let symbol = "S".repeat(64);
    let of_symbol = |record: &str| record.replace(r#""symbol":"S""#, &format!(r#""symbol":"{symbol}""#));
    let (stock, sell, buy) = (of_symbol(STOCK.1), of_symbol(&order("order_id=s1 account_id=eve side=sell")), of_symbol(&order("")));
    let records = [(Topic::Instruments, stock.as_str()), OPENED, (Topic::Orders, sell.as_str()), (Topic::Orders, buy.as_str())];
    let said = run(Matching::default(), told(&records));
    let executions = executions(&said);
    let ids: Vec<&Id> = executions.iter().flat_map(|placed| [&placed.event.execution_id, &placed.event.match_id]).collect();
    assert_eq!(ids.len(), 4);
    assert!(ids.iter().all(|id| Id::new(id.as_str()).is_ok()), "{ids:?}");
    assert!(ids[0] != ids[2] && ids[1] == ids[3], "{ids:?}");
}

#[test]
fn an_order_that_comes_and_goes_within_a_tick_leaves_no_open_order() {
    let (rests, goes) = (order("order_id=b1 price=99"), order("order_id=b2 price=100"));
    let cancel = (Topic::Orders, r#"{"type":"cancel","order_id":"b2","account_id":"ann","symbol":"S","ts":9}"#);
    let said = run(Matching::default(), told(&[STOCK, OPENED, (Topic::Orders, &rests), (Topic::Orders, &goes), cancel]));
    let BookTables { open_orders, top_of_book, book_states, .. } = &said.tables;
    assert_eq!(open_orders.changes().len(), 1);
    assert_eq!(top_of_book.changes().len(), 1);
    assert_eq!(book_states.changes().len(), 1);
    assert_eq!(order_events(&said).len(), 3);
    assert_eq!(rows_of(open_orders).iter().map(|order| order.order_id.as_str()).collect::<Vec<_>>(), ["b1"]);
    let top = &rows_of(top_of_book)[0];
    assert_eq!(
        (top.bid.map(|price| price.to_string()), top.bid_size.map(|size| size.to_string()), top.ask),
        (Some("99".into()), Some("10".into()), None)
    );
}

#[test]
fn the_top_shows_what_is_shown_and_ends_with_the_book() {
    let iceberg = order("order_id=s1 account_id=eve side=sell quantity=50 display_quantity=10");
    let cancel = (Topic::Orders, r#"{"type":"cancel","order_id":"s1","account_id":"eve","symbol":"S","ts":10}"#);
    let said = run(Matching::default(), told(&[STOCK, (Topic::Orders, &iceberg), cancel]));
    let text = |change: &tables::Change<TopOfBook>| (change.row.ask_size.map(|size| size.to_string()), change.tick, change.gone);
    let tops: Vec<_> = said.tables.top_of_book.changes().iter().map(text).collect();
    assert_eq!(tops, [(Some("10".to_owned()), Tick::new(9), false), (Some("10".to_owned()), Tick::new(10), true)]);
}

/// Generated commands as events, with accounts that belong to the commands' owners.
fn happenings(commands: &Stream) -> Happenings<Matching> {
    let instrument = r#"{"symbol":"S","asset_class":"equity","currency":"USD","tick_size":"1","lot_size":"1","reference_price":"100"}"#;
    let account = |number: usize| {
        let owner = format!("owner{}", number % 3);
        format!(
            r#"{{"type":"opened","account_id":"account{number}","customer_id":"{owner}","account_type":"investment","currency":"USD","ts":0}}"#
        )
    };
    let accounts: Vec<String> = (0..6).map(account).collect();
    let broadcasts =
        std::iter::once((Topic::Instruments, instrument)).chain(accounts.iter().map(|record| (Topic::Accounts, record.as_str())));
    let mut happenings = told(&broadcasts.collect::<Vec<_>>());
    for (offset, (now, command)) in commands.iter().enumerate() {
        let place = Place::of_record(now.effective(), Topic::Orders, 0, Offset::new(u64::try_from(offset).unwrap()));
        happenings.push(Placed { place, event: Happening::Event(message(*now, command.clone())) });
    }
    happenings
}

fn message(ts: EventTime, command: Command) -> OrderMessage {
    let symbol = Symbol::new("S").unwrap();
    match command {
        Command::New(new) => OrderMessage::New(Box::new(events::NewOrder {
            order_id: new.order_id,
            account_id: new.account_id,
            symbol,
            side: new.side,
            order_type: new.order_type,
            time_in_force: new.time_in_force,
            quantity: new.quantity,
            price: new.price,
            stop_price: new.stop_price,
            display_quantity: new.display_quantity,
            post_only: Some(new.post_only),
            expires_at: new.expires_at,
            self_trade: Some(new.self_trade),
            ts,
        })),
        Command::Amend(amend) => OrderMessage::Amend(Box::new(events::AmendOrder {
            order_id: amend.order_id,
            account_id: amend.account_id,
            symbol,
            quantity: amend.quantity.map(|quantity| Size::from_units(quantity.units())),
            price: amend.price,
            ts,
        })),
        Command::Cancel(cancel) => {
            OrderMessage::Cancel(Box::new(events::CancelOrder { order_id: cancel.order_id, account_id: cancel.account_id, symbol, ts }))
        }
        Command::Phase(change) => OrderMessage::Phase(Box::new(events::PhaseChange { symbol, phase: change.phase, ts })),
    }
}

#[test]
fn the_view_says_what_the_naive_book_says() {
    for seed in 0..6 {
        let mut commands = stream(seed, 1_000, Market::Wild);
        for (_, command) in &mut commands {
            if let Command::Phase(change) = command {
                change.tick_size = Some("1".parse().unwrap());
                change.reference_price = Some("100".parse().unwrap());
            }
        }
        let (mut naive, mut reports) = (NaiveBook::new(), Reports::default());
        commands.iter().for_each(|(now, command)| naive.apply(*now, command.clone(), &mut reports));
        let said = run(Matching::default(), happenings(&commands));

        let events = order_events(&said);
        let shown = |event: &OrderEvent| format!("{} {} {} {:?}", event.sequence, event.order_id, event.event, event.reason.as_deref());
        let expected =
            |change: &Change| format!("{} {} {} {:?}", change.sequence, change.order_id, change.change, change.reason.map(Reason::code));
        assert_eq!(events.iter().map(shown).collect::<Vec<_>>(), reports.changes.iter().map(expected).collect::<Vec<_>>(), "seed {seed}");

        let shown = |placed: &Placed<Execution>| {
            format!("{} {} {} {}", placed.event.execution_id, placed.event.order_id, placed.event.quantity, placed.event.price)
        };
        let sides = |found: &Match| {
            let side = |letter: char, party: &Party| {
                format!("S-{}-{letter} {} {} {}", found.sequence, party.order_id, found.quantity, found.price)
            };
            [side('b', &found.buyer), side('s', &found.seller)]
        };
        assert_eq!(
            executions(&said).iter().map(shown).collect::<Vec<_>>(),
            reports.matches.iter().flat_map(sides).collect::<Vec<_>>(),
            "seed {seed}"
        );
        assert_eq!(rows_of(&said.tables.open_orders).len(), naive.orders.len(), "seed {seed}");
    }
}

/// Asserts that a restart would read the same rows.
fn assert_same_rows(tables: &BookTables, others: &BookTables, case: &str) {
    assert_eq!(rows_of(&tables.book_states), rows_of(&others.book_states), "{case}");
    assert_eq!(rows_of(&tables.open_orders), rows_of(&others.open_orders), "{case}");
    assert_eq!(rows_of(&tables.top_of_book), rows_of(&others.top_of_book), "{case}");
}

#[test]
fn a_restart_anywhere_changes_nothing() {
    for (seed, market) in [(1, Market::Wild), (2, Market::Auctions), (3, Market::Wild)] {
        let happenings = happenings(&stream(seed, 600, market));
        let whole = run(Matching::default(), happenings.clone());
        for cut in [0, 7, 50, 123, 200, 321, 400, 555, happenings.len()] {
            let halves = run_with_restart(Matching::default(), happenings.clone(), cut);
            assert_eq!(halves.derived, whole.derived, "seed {seed}, cut at {cut}");
            assert_same_rows(&halves.tables, &whole.tables, &format!("seed {seed}, cut at {cut}"));
            assert_eq!(order_events(&halves), order_events(&whole), "seed {seed}, cut at {cut}");
        }
    }
}

#[test]
fn rows_do_not_depend_on_how_often_they_are_emitted() {
    for seed in 10..14 {
        let mut happenings = happenings(&stream(seed, 500, Market::Wild));
        happenings.sort_by_key(|happening| happening.place);
        let said = run(Matching::default(), happenings.clone());
        let mut fold = fold(Matching::default());
        for Placed { place, event } in happenings {
            match event {
                Happening::Broadcast(event) => fold.learn(Placed { place, event }),
                Happening::Event(event) => fold.apply(Placed { place, event }),
            }
        }
        // Emitted once or after every event, the final rows are the same, times included.
        fold.emit(Tick::ZERO, EffectiveTime::ZERO);
        let once = fold.tables();
        assert!(once.open_orders.changes().iter().all(|change| !change.gone));
        assert_same_rows(once, &said.tables, &format!("seed {seed}"));
    }
}

#[test]
fn a_symbol_that_was_only_halted_for_a_while_is_forgotten() {
    let phase = |phase: &str, ts: u32| format!(r#"{{"type":"phase","symbol":"S","phase":"{phase}","ts":{ts}}}"#);
    let (halted, continuous) = (phase("halted", 1), phase("continuous", 2));
    let said = run(Matching::default(), told(&[(Topic::Orders, &halted), (Topic::Orders, &continuous)]));
    assert_eq!(
        said.tables.book_states.changes().iter().map(|change| (change.tick, change.gone)).collect::<Vec<_>>(),
        [(Tick::new(1), false), (Tick::new(2), true)]
    );
    assert!(Matching::default().is_forgettable(&SymbolBook::default()));
}
