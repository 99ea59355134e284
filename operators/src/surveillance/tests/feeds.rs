//! Stories of feeds.

use headwater_schemas::events::TradingPhase;
use headwater_schemas::{Correction, Corrections, EventTime, Id, Symbol};

use super::*;
use crate::matching::PhaseStep;

/// Events from `SECONDS SYMBOL`, a last quote of that time; `SECONDS SYMBOL SECONDS`, one with an earlier time of its own, which
/// came late; and `SECONDS SYMBOL PHASE`.
fn happenings(lines: &[&str]) -> Happenings<StaleFeeds> {
    let happening = |(number, line): (u64, &&str)| {
        let words: Vec<&str> = line.split(' ').collect();
        let (at, symbol) = (time(words[0]), Symbol::derived(words[1]));
        let ts = EventTime::from_effective(at);
        let event = match words.get(2) {
            None => FeedEvent::Quoted { symbol, ts, why: Corrections::new() },
            Some(word) => match TradingPhase::from_word(word) {
                Some(now) => FeedEvent::Phase(PhaseStep { symbol, before: TradingPhase::Continuous, now }),
                None => {
                    let ts = EventTime::from_effective(time(word));
                    let late = Correction::Late { topic: Topic::Quotes, id: Id::derived("S"), lateness: Nanos::new(1_000_000_000) };
                    FeedEvent::Quoted { symbol, ts, why: [late].into_iter().collect() }
                }
            },
        };
        Placed { place: Place::of_record(at, Topic::Quotes, 0, Offset::new(number)), event: Happening::Event(event) }
    };
    reference().into_iter().chain((100..).zip(lines).map(happening)).collect()
}

fn found(lines: &[&str], text: &str) -> Vec<String> {
    let view = || StaleFeeds { settings: Arc::new(settings(text)) };
    let whole = run(view(), happenings(lines)).tables;
    for cut in REFERENCE.len()..=REFERENCE.len() + lines.len() {
        let halves = run_with_restart(view(), happenings(lines), cut).tables;
        let case = format!("{lines:?}, cut at {cut}");
        same(&whole.alerts, &halves.alerts, &case);
        assert_eq!(rows_of(&whole.quotes), rows_of(&halves.quotes), "{case}");
        assert_eq!(rows_of(&whole.saved_alerts), rows_of(&halves.saved_alerts), "{case}");
    }
    shown(&whole.alerts)
}

#[test]
fn a_feed_is_stale_if_others_have_had_quotes_for_five_seconds() {
    for (name, story, expected) in [
        ("more than five seconds", vec!["0 S", "1 T", "5.000000001 T"], vec!["5.000000001 stale_feed S raised"]),
        ("five seconds", vec!["0 S", "1 T", "5 T"], vec![]),
        ("all have stopped", vec!["0 S", "1 T", "100 T", "101 S"], vec!["100 stale_feed S raised", "101 stale_feed S cleared"]),
        ("a symbol that never had a quote", vec!["1 T", "100 T"], vec![]),
        ("another market", vec!["0 S", "1 BTC", "100 BTC"], vec![]),
        (
            "the next quote clears, and the next gap is another alert",
            vec!["0 S", "6 T", "7 S", "8 T", "12.5 T"],
            vec!["6 stale_feed S raised", "7 stale_feed S cleared", "12.5 stale_feed S raised"],
        ),
        (
            "a late quote within the gap: there was none",
            vec!["0 S", "6 T", "6.5 S 4"],
            vec!["6 stale_feed S raised", "6.5 stale_feed S withdrawn"],
        ),
        (
            "a late quote that leaves another gap",
            vec!["0 S", "11 T", "11.5 S 4"],
            vec!["11 stale_feed S raised", "11.5 stale_feed S raised", "11.5 stale_feed S withdrawn"],
        ),
        ("a halted symbol", vec!["0 S", "1 S halted", "6 T", "7 T"], vec![]),
        ("a close clears", vec!["0 S", "6 T", "7 S closed", "20 T"], vec!["6 stale_feed S raised", "7 stale_feed S cleared"]),
        (
            "watched again after a halt",
            vec!["0 S", "1 S halted", "6 T", "7 S continuous", "12 T", "12.1 T"],
            vec!["12.1 stale_feed S raised"],
        ),
        ("a quote during a halt", vec!["0 S", "1 S halted", "2 S", "10 T", "11 S continuous", "12 S", "13 T"], vec![]),
    ] {
        let mut sorted = found(&story, "");
        sorted.sort_by_key(|line| (time(line.split(' ').next().unwrap_or_default()), line.clone()));
        assert_eq!(sorted, expected, "{name}");
    }
    assert_eq!(found(&["0 S", "1 T", "9 T"], "[symbols.S]\nstale_after = '8s'"), ["9 stale_feed S raised"]);
    assert_eq!(found(&["0 S", "1 T", "8 T"], "[asset_classes.equity]\nstale_after = '8s'"), Vec::<String>::new());
}

#[test]
fn a_late_quote_is_the_reason_of_a_withdrawal() {
    let alerts = run(StaleFeeds { settings: Arc::default() }, happenings(&["0 S", "6 T", "6.5 S 4"])).tables.alerts;
    let reasons: Vec<_> = alerts.changes().iter().map(|change| change.why.to_string()).collect();
    assert_eq!(reasons, ["", "S of market.quotes came 1.000 s late"]);
}
