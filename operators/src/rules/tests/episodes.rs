//! Tests of alerts about episodes: which events are one, whatever is forgotten or withdrawn.

use headwater_schemas::Nanos;

use super::*;
use crate::testing::run_with_restart;

/// A rule without points about what an account spends within a day.
const MUCH: &str = "name = \"p\"\nsubject = \"transaction\"\nkind = \"aml\"\n\
    [[feature]]\nname = \"spent\"\naggregate = \"sum\"\nfield = \"amount\"\nwindow = \"1d\"\n\
    [[rule]]\nname = \"much\"\nwhen = \"spent > 10\"\nseverity = \"low\"\n";

/// `id state` of each alert, whole and with a restart before each event. Events are late by a day at most.
fn states(transactions: Vec<Transaction>) -> Vec<String> {
    let pack = Pack::parse("p.toml", MUCH).unwrap_or_else(|error| panic!("{error}"));
    let view = Rules::with_horizon(pack, Nanos::DAY);
    let happenings: Happenings<Rules> = customer("").into_iter().chain(arriving(transactions)).collect();
    let whole = run(view.clone(), happenings.clone());
    for cut in 0..happenings.len() {
        let resumed = run_with_restart(view.clone(), happenings.clone(), cut);
        assert_eq!(alerts(&whole), alerts(&resumed), "{cut}");
    }
    alerts(&whole).iter().map(|alert| format!("{} {}", alert.alert_id, alert.state)).collect()
}

#[test]
fn a_withdrawn_alert_is_not_raised_again_when_the_events_before_it_are_forgotten() {
    let late = transaction("late", HOUR, "5");
    let mut story = vec![transaction("t1", 0, "8"), transaction("t2", 2 * HOUR, "5"), transaction("t3", 22 * HOUR, "1"), late];
    let begun_earlier = ["p:much:a:late raised", "p:much:a:t2 withdrawn"];
    assert_eq!(states(story.clone()), begun_earlier, "the late event begins the episode, with an alert of its own");
    // At 60 hours, events of before 12 hours are forgotten: those that began both alerts.
    story.extend([transaction("t4", 44 * HOUR, "12"), transaction("t5", 60 * HOUR, "12")]);
    assert_eq!(states(story), ["p:much:a:late amended", "p:much:a:t2 withdrawn"]);
}
