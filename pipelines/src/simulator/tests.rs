//! Tests of the simulator on one simulated minute.

use std::collections::{BTreeMap, BTreeSet};

use headwater_connectors::transport::{Publisher, TransportError};
use headwater_schemas::Topic;
use headwater_schemas::events::{Event, FillEvent, LimitKind, OrderEvent, PaymentStatus, Transaction};

use super::*;

const MINUTE: i64 = 60 * SECOND;

fn settings() -> SimulatorSettings {
    SimulatorSettings { retail_customers: 300, ..SimulatorSettings::default() }.with_seed(7)
}

impl SimulatorSettings {
    fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }
}

fn after(settings: SimulatorSettings, nanos: i64) -> EventTime {
    EventTime::from_nanos(settings.start.nanos() + nanos)
}

fn minute(settings: SimulatorSettings) -> (Simulator, Vec<Record>) {
    let mut simulator = Simulator::new(settings);
    let records = simulator.advance(after(settings, MINUTE));
    (simulator, records)
}

fn decode(record: &Record) -> Result<Event, headwater_schemas::events::BadRecord> {
    Event::decode(record.topic, record.key.as_deref().map(str::as_bytes), Some(&record.value))
}

fn events(records: &[Record]) -> Vec<Event> {
    records.iter().filter_map(|record| decode(record).ok()).collect()
}

fn transactions(events: &[Event]) -> Vec<&Transaction> {
    events.iter().filter_map(|event| if let Event::Transaction(event) = event { Some(&**event) } else { None }).collect()
}

#[test]
fn the_opening_decodes_and_has_everything() {
    let records = Simulator::new(settings()).opening();
    let events: Vec<_> = records.iter().map(|record| decode(record).unwrap()).collect();
    assert!(records.iter().zip(&events).all(|(record, event)| record.key.as_deref() == Some(event.key().as_str())));
    let count = |topic| records.iter().filter(|record| record.topic == topic).count();
    assert_eq!((count(Topic::Instruments), count(Topic::Customers), count(Topic::Closes)), (12, 340, 3_600));
    assert_eq!((count(Topic::Accounts), count(Topic::Transactions)), (370, 370));
    assert!(count(Topic::Limits) >= 10 && count(Topic::FxRates) > 0 && count(Topic::Budgets) > 0 && count(Topic::Watchlists) > 0);
    for kind in [LimitKind::PositionValue, LimitKind::GrossExposure, LimitKind::Leverage, LimitKind::Concentration, LimitKind::Var] {
        assert!(events.iter().any(|event| matches!(event, Event::Limit(limit) if limit.kind == kind)), "{kind}");
    }
    assert!(events.iter().all(|event| event.ts().is_none_or(|ts| ts <= settings().start)));
}

#[test]
fn the_history_ends_where_the_market_begins_and_varies_as_shares_do() {
    let events = events(&Simulator::new(settings()).opening());
    let closes = |symbol: &str| -> Vec<f64> {
        let of = |event: &Event| if let Event::Close(close) = event { Some(close.clone()) } else { None };
        let closes = events.iter().filter_map(of).filter(|close| close.symbol.as_str() == symbol);
        closes.map(|close| close.close.to_statistic()).collect()
    };
    let returns = |closes: &[f64]| -> Vec<f64> { closes.windows(2).map(|pair| (pair[1] / pair[0]).ln()).collect() };
    let deviation = |returns: &[f64]| (returns.iter().map(|value| value * value).sum::<f64>() / returns.len() as f64).sqrt();
    let (apple, johnson) = (returns(&closes("AAPL")), returns(&closes("JNJ")));
    assert_eq!(closes("AAPL").last().map(|close| format!("{close:.2}")), Some("125.67".into()));
    assert!((0.022..0.034).contains(&deviation(&apple)), "{}", deviation(&apple));
    assert!((0.010..0.017).contains(&deviation(&johnson)), "{}", deviation(&johnson));
    let together: f64 = apple.iter().zip(&johnson).map(|(a, b)| a * b).sum::<f64>() / apple.len() as f64;
    assert!(together / deviation(&apple) / deviation(&johnson) > 0.1, "shares move together");
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_another_does_not() {
    let (first, second, other) = (minute(settings()).1, minute(settings()).1, minute(settings().with_seed(8)).1);
    assert_eq!(first, second);
    assert_ne!(first, other);
}

#[test]
fn how_far_it_goes_at_a_time_makes_no_difference() {
    let (_, whole) = minute(settings());
    for step in [10 * schedule::MILLISECOND, SECOND, 7_777_777_777] {
        let mut simulator = Simulator::new(settings());
        let mut pieces = Vec::new();
        let mut passed = 0;
        while passed < MINUTE {
            passed = (passed + step).min(MINUTE);
            pieces.extend(simulator.advance(after(settings(), passed)));
        }
        assert_eq!(pieces, whole, "in steps of {step} ns");
    }
}

#[test]
fn all_but_what_was_garbled_decodes_under_its_own_key() {
    let (simulator, records) = minute(settings());
    let bad = records.iter().filter(|record| decode(record).is_err()).count();
    assert_eq!(bad as u64, simulator.irregularities().malformed);
    for record in &records {
        if let Ok(event) = decode(record) {
            assert_eq!(record.key.as_deref(), Some(event.key().as_str()));
        }
    }
}

#[test]
fn every_way_to_garble_makes_a_bad_record() {
    let (_, records) = minute(settings());
    let with_time = |record: &&Record| record.topic != Topic::Closes && decode(record).is_ok();
    for record in records.iter().filter(with_time).take(2_000) {
        for way in 0..5 {
            let garbled = Record { value: faults::garbled(&record.value, way), ..record.clone() };
            assert!(decode(&garbled).is_err(), "way {way}: {}", String::from_utf8_lossy(&garbled.value));
        }
    }
}

#[test]
fn the_mix_is_what_was_promised() {
    let (_, records) = minute(settings());
    assert!((12_000..12_500).contains(&records.len()), "{}", records.len());
    let mut counts: BTreeMap<Topic, usize> = BTreeMap::new();
    for record in &records {
        *counts.entry(record.topic).or_default() += 1;
    }
    let percent = |topic: Topic| counts.get(&topic).copied().unwrap_or(0) as f64 * 100.0 / records.len() as f64;
    let expected = [
        (Topic::Quotes, 55.0),
        (Topic::Trades, 10.0),
        (Topic::Orders, 20.0),
        (Topic::Fills, 3.0),
        (Topic::Transactions, 8.0),
        (Topic::Payments, 3.0),
    ];
    for (topic, part) in expected {
        assert!((percent(topic) - part).abs() < 1.5, "{topic}: {:.1} %", percent(topic));
    }
    for topic in [Topic::Transfers, Topic::Access, Topic::Labels, Topic::FxRates] {
        assert!(percent(topic) > 0.0, "{topic}");
    }
    let events = events(&records);
    let orders: Vec<_> = events.iter().filter(|event| matches!(event, Event::Order(_))).collect();
    let cancels = orders.iter().filter(|event| matches!(event, Event::Order(OrderEvent::Cancel(_)))).count();
    assert!((25..35).contains(&(cancels * 100 / orders.len())));
}

#[test]
fn a_minute_has_late_repeated_conflicting_and_malformed_records() {
    let (simulator, records) = minute(settings());
    let seen = simulator.irregularities();
    assert!(seen.late > 10 && seen.repeated > 3 && seen.conflicting > 0 && seen.malformed > 0, "{seen:?}");
    let mut bodies: BTreeMap<String, BTreeSet<u128>> = BTreeMap::new();
    let mut repeats = 0;
    for event in events(&records) {
        let Some(identity) = event.identity() else { continue };
        let known = bodies.entry(format!("{} {identity:?}", event.topic())).or_default();
        repeats += u64::from(!known.insert(event.body_digest()));
    }
    assert_eq!(repeats, seen.repeated);
    assert_eq!(bodies.values().filter(|bodies| bodies.len() > 1).count() as u64, seen.conflicting);
}

#[test]
fn one_venue_is_late_by_seconds_and_the_others_are_not() {
    let mut simulator = Simulator::new(settings());
    let mut delays: BTreeMap<String, i64> = BTreeMap::new();
    for hundredths in 1..=6_000 {
        let now = after(settings(), hundredths * SECOND / 100);
        for event in events(&simulator.advance(now)) {
            let Event::Fill(FillEvent::Fill(fill)) = event else { continue };
            let delay = delays.entry(fill.venue.unwrap_or_default().to_string()).or_default();
            *delay = (*delay).max(now.nanos() - fill.ts.nanos());
        }
    }
    assert!(
        delays.iter().all(|(venue, delay)| if venue == "DARK" { (2 * SECOND..7 * SECOND).contains(delay) } else { *delay < 2 * SECOND }),
        "{delays:?}"
    );
    assert_eq!(delays.len(), 5);
}

#[test]
fn the_frauds_are_there() {
    let events = events(&minute(settings()).1);
    let transactions = transactions(&events);
    let mut by_account: BTreeMap<&str, Vec<&Transaction>> = BTreeMap::new();
    for transaction in &transactions {
        by_account.entry(transaction.account_id.as_str()).or_default().push(transaction);
    }
    let ten_thousand = 10_000 * 1_000_000_000;
    assert!(transactions.iter().filter(|transaction| transaction.amount.units() > ten_thousand).count() >= 5, "large amounts");
    assert!(by_account.values().filter(|all| all.len() > 5).count() >= 2, "card testing");
    let far = |pair: &[&Transaction]| match (pair[0].lon, pair[1].lon) {
        (Some(one), Some(two)) => (one.units() - two.units()).abs() > 30 * 1_000_000_000,
        _ => false,
    };
    assert!(by_account.values().filter(|all| all.windows(2).any(far)).count() >= 2, "impossible travel");
    let night = |transaction: &&&Transaction| {
        let id = transaction.account_id.as_str().trim_start_matches("CHK-");
        let people = People::new(&settings());
        people.persons.iter().any(|person| person.id.as_str() == id && person.city.night(transaction.ts.nanos()))
    };
    assert!(transactions.iter().filter(|transaction| transaction.account_id.starts_with("CHK-C")).filter(night).count() >= 3, "night");
    assert!(events.iter().any(|event| matches!(event, Event::Label(label) if &*label.label == "fraud")), "labels");
}

#[test]
fn half_a_minute_has_a_whole_case_of_every_kind() {
    for seed in 1..=5 {
        let settings = settings().with_seed(seed);
        let mut simulator = Simulator::new(settings);
        let end = after(settings, 30 * SECOND);
        simulator.advance(end);
        let whole: BTreeSet<_> =
            simulator.planted_cases().into_iter().filter(|case| case.complete_at <= end).map(|case| case.name).collect();
        let expected = TIMETABLE.iter().map(|planting| planting.name).chain(["stuck transfer"]);
        assert_eq!(whole, expected.collect(), "seed {seed}");
    }
}

#[test]
fn only_the_newest_cases_of_a_kind_are_kept() {
    let mut simulator = Simulator::new(settings());
    simulator.advance(after(settings(), 2 * MINUTE));
    let large: Vec<_> = simulator.planted_cases().into_iter().filter(|case| case.name == "large amount").collect();
    let times: Vec<_> = [94, 104, 114].into_iter().map(|seconds| after(settings(), seconds * SECOND)).collect();
    assert_eq!(large.iter().map(|case| case.at).collect::<Vec<_>>(), times);
    assert!(simulator.irregularities().plants > 40);
}

/// The newest case of a name after half a minute, and its transactions.
fn case_of(name: &str) -> (PlantedCase, Vec<Transaction>) {
    let mut simulator = Simulator::new(settings());
    let events = events(&simulator.advance(after(settings(), 30 * SECOND)));
    let case = simulator.planted_cases().into_iter().rfind(|case| case.name == name).unwrap();
    let mut seen = BTreeSet::new();
    let of_case =
        |transaction: &&Transaction| case.ids.contains(&transaction.transaction_id) && seen.insert(transaction.transaction_id.clone());
    let transactions = transactions(&events).into_iter().filter(of_case).cloned().collect();
    (case, transactions)
}

#[test]
fn a_mule_is_paid_by_six_and_wires_nine_tenths_of_it_away() {
    let (case, mut transactions) = case_of("mule");
    assert_eq!((case.rules, transactions.len()), (["fan_in", "in_and_out"].as_slice(), 7));
    let wire = transactions.pop().unwrap();
    let payers: BTreeSet<_> = transactions.iter().map(|transfer| transfer.account_id.as_str()).collect();
    assert!(payers.len() == 6 && transactions.iter().all(|transfer| transfer.counterparty_account == Some(wire.account_id)));
    let came: i128 = transactions.iter().map(|transfer| transfer.amount.units()).sum();
    assert!(wire.amount.units() * 10 >= came * 9 && wire.amount.units() <= came);
}

#[test]
fn a_round_trip_comes_back_to_its_payer_with_four_fifths_at_each_hop() {
    let (_, transactions) = case_of("round trip");
    let hops: Vec<_> = transactions.iter().map(|hop| (hop.account_id, hop.counterparty_account.unwrap())).collect();
    assert_eq!(hops.len(), 3);
    for (place, (_, to)) in hops.iter().enumerate() {
        assert_eq!(*to, hops[(place + 1) % 3].0);
    }
    assert!(transactions.windows(2).all(|pair| pair[1].amount.units() * 5 >= pair[0].amount.units() * 4));
}

#[test]
fn a_takeover_is_at_night_and_far_from_home() {
    let (case, transactions) = case_of("account takeover");
    let people = People::new(&settings());
    let [cash] = transactions.as_slice() else { panic!("{transactions:?}") };
    let account = people.accounts.iter().find(|account| account.id == cash.account_id).unwrap();
    assert!(account.owner.city.night(cash.ts.nanos()));
    assert!((cash.lon.unwrap().units() - account.owner.longitude.units()).abs() > 30 * 1_000_000_000);
    assert!(case.ids.iter().any(|id| id.as_str() == account.owner.id.as_str()), "the attempts to log in");
}

#[test]
fn the_ledger_posts_nearly_every_payment_under_its_id() {
    let events = events(&minute(settings()).1);
    // The first one: a contradiction comes later.
    let mut debits: BTreeMap<&str, &Transaction> = BTreeMap::new();
    for transaction in transactions(&events) {
        debits.entry(transaction.transaction_id.as_str()).or_insert(transaction);
    }
    let (mut posted, mut missing) = (0, 0);
    for event in &events {
        let Event::Payment(payment) = event else { continue };
        match debits.get(payment.payment_id.as_str()).filter(|_| payment.status == PaymentStatus::Completed) {
            Some(debit) => {
                assert_eq!((debit.account_id, debit.amount), (payment.account_id.expect("an account"), payment.amount));
                posted += 1;
            }
            None if payment.status == PaymentStatus::Completed => missing += 1,
            None => {}
        }
    }
    assert!(missing > 0 && posted > 20 * missing, "{posted} posted, {missing} missing");
}

#[test]
fn a_transfer_is_in_flight_at_the_start() {
    let opening = events(&Simulator::new(settings()).opening());
    let steps: Vec<_> = opening.iter().filter(|event| event.topic() == Topic::Transfers).collect();
    assert_eq!(steps.len(), 2);
    assert!(steps.iter().all(|step| step.ts().is_some_and(|ts| ts < settings().start)));
}

#[test]
fn honest_accounts_stay_below_the_velocity_rule() {
    let settings = SimulatorSettings::default().at_rate(20);
    let mut simulator = Simulator::new(settings);
    let events = events(&simulator.advance(after(settings, 10 * MINUTE)));
    let mut counts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for transaction in transactions(&events) {
        counts.entry(transaction.account_id.as_str()).or_default().insert(transaction.transaction_id.as_str());
    }
    let busy = counts.iter().filter(|(account, ids)| account.starts_with("CHK-R") && ids.len() > 5).count();
    let crowd = counts.keys().filter(|account| account.starts_with("CHK-R")).count();
    assert!(busy * 20 <= crowd, "{busy} of {crowd} honest accounts look like card testing");
}

#[test]
fn a_day_ends_with_its_closes() {
    let mut settings = SimulatorSettings { events_per_second: 5, ..settings() };
    settings.start = EventTime::from_nanos(settings.start.date().end().nanos() - 2 * SECOND);
    let mut simulator = Simulator::new(settings);
    let events = events(&simulator.advance(after(settings, 5 * SECOND)));
    let closes: Vec<_> = events.iter().filter_map(|event| if let Event::Close(close) = event { Some(close) } else { None }).collect();
    assert_eq!(closes.len(), 12);
    assert!(closes.iter().all(|close| close.date == settings.start.date()));
}

#[test]
fn a_price_moves_visibly_within_half_a_minute() {
    let mut simulator = Simulator::new(settings());
    let events = events(&simulator.advance(after(settings(), 30 * SECOND)));
    let bids: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Quote(quote) if quote.symbol.as_str() == "AAPL" => Some((quote.bid.to_statistic(), quote.ask.to_statistic())),
            _ => None,
        })
        .collect();
    assert!(bids.iter().all(|(bid, ask)| bid < ask));
    let (low, high) = bids.iter().fold((f64::MAX, f64::MIN), |(low, high), (bid, _)| (low.min(*bid), high.max(*bid)));
    assert!((0.10..5.0).contains(&(high - low)), "{low} to {high}");
}

#[test]
fn strange_settings_do_no_harm() {
    let start = EventTime::from_nanos(3 * SECOND);
    let settings = SimulatorSettings { seed: u64::MAX, events_per_second: 0, start, market_speed: 0, history_days: 0, retail_customers: 0 };
    let mut simulator = Simulator::new(settings);
    assert!(!simulator.opening().is_empty());
    assert!(!simulator.advance(after(settings, 30 * SECOND)).is_empty());
    assert!(simulator.advance(after(settings, -SECOND)).is_empty());
}

#[test]
fn a_workload_is_the_opening_and_so_many_more() {
    let settings = SimulatorSettings { history_days: 5, ..settings() };
    let opening = Simulator::new(settings).opening();
    let all: Vec<_> = Workload::new(settings, 2_500).collect();
    assert_eq!(all.len(), opening.len() + 2_500);
    assert!(all.starts_with(&opening));
    assert_eq!(workload(3, 10).last(), workload(3, 10).last());
}

#[test]
fn publishing_sends_every_record_to_its_topic() -> Result<(), TransportError> {
    #[derive(Default)]
    struct Sent(Vec<(String, Option<String>, Vec<u8>)>);
    impl Publisher for Sent {
        fn send(&mut self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), TransportError> {
            let key = key.map(|key| String::from_utf8_lossy(key).into_owned());
            self.0.push((topic.to_owned(), key, value.unwrap_or_default().to_vec()));
            Ok(())
        }
        fn flush(&mut self) -> Result<(), TransportError> {
            Ok(())
        }
    }
    let (_, records) = minute(settings());
    let mut sent = Sent::default();
    assert_eq!(publish(records.clone(), &mut sent, |topic| format!("test.{topic}"))?, records.len());
    let expected = |record: &Record| (format!("test.{}", record.topic), record.key.clone(), record.value.clone());
    assert!(sent.0.into_iter().eq(records.iter().map(expected)));
    Ok(())
}
