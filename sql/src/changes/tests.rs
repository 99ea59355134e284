use std::collections::BTreeMap;

use headwater_schemas::Money;

use super::*;
use crate::testing::{TestData, at, balance, changes, facts, leg};
use crate::wire::Access;
use crate::{ServeConfig, SqlConfig};

/// Balances of three accounts over seven commits: new rows, updates, retractions, a commit without changes, one with several ticks.
fn balances() -> TestData {
    let mut data = TestData::new();
    let row = |account: &str, posted: i64, change: i32| (balance(account, posted, at(1, posted)), change);
    data.commit(vec![changes(&[row("a", 1, 1), row("b", 1, 1)])]);
    data.commit(vec![changes(&[row("a", 2, 1)])]);
    data.commit(vec![]);
    data.commit(vec![changes(&[row("a", 3, 1), row("a", 4, 1), row("c", 4, 1)])]);
    data.commit(vec![changes(&[row("b", 1, -1)])]);
    data.commit(vec![changes(&[row("b", 6, 1), row("c", 4, -1), row("c", 6, 1)])]);
    data.commit(vec![changes(&[row("a", 4, -1), row("c", 7, 1)])]);
    data
}

fn access(data: &TestData) -> Access {
    Access::open(data.path(), ServeConfig::default(), SqlConfig::default()).expect("access")
}

fn request(table: &str, from: &str) -> ChangesRequest {
    ChangesRequest { table: table.to_owned(), from: Some(from.parse().expect("a place")), filter: None, columns: None }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(work)
}

/// All events from a place on; `forgetful` releases what is kept after each.
async fn events(access: &Access, request: ChangesRequest, forgetful: bool) -> Result<Vec<ChangeEvent>, Problem> {
    let mut following = Changes::begin(access.anybody().expect("no users"), request).await?;
    let mut all = Vec::new();
    while let Some(event) = following.next_event().await? {
        all.push(event);
        if forgetful {
            following.release();
        }
    }
    Ok(all)
}

fn refused(access: &Access, request: ChangesRequest) -> String {
    run(events(access, request, false)).expect_err("a refusal").to_string()
}

/// The rows that are left when all changes are added up, by the text of the row.
fn sum(events: &[ChangeEvent]) -> Vec<String> {
    let mut counts = BTreeMap::<String, i64>::new();
    for row in events.iter().flat_map(|event| &event.rows) {
        let mut row: serde_json::Value = serde_json::from_str(row).expect("JSON");
        let fields = row.as_object_mut().expect("an object");
        let diff = fields.remove("diff").and_then(|diff| diff.as_i64()).expect("a diff");
        *counts.entry(row.to_string()).or_default() += diff;
    }
    assert!(counts.values().all(|count| matches!(count, 0 | 1)), "{counts:?}");
    counts.into_iter().filter(|(_, count)| *count > 0).map(|(row, _)| row).collect()
}

fn of_account(from: &str) -> ChangesRequest {
    let columns = Some(["account_id", "posted"].map(str::to_owned).to_vec());
    ChangesRequest { columns, ..request("balances", from) }
}

#[test]
fn each_commit_with_changes_is_an_event_and_old_rows_come_before_new_ones() {
    let data = balances();
    let events = run(events(&access(&data), of_account("0"), false)).unwrap();
    let shown: Vec<_> = events.iter().map(|event| format!("{}: {}", event.place, event.rows.join(" "))).collect();
    let row = |diff: i32, account: &str, posted: i64| format!(r#"{{"diff":{diff},"account_id":"{account}","posted":"{posted}"}}"#);
    let line = |place: &str, rows: &[String]| format!("{place}: {}", rows.join(" "));
    assert_eq!(
        shown,
        [
            line("1", &[row(1, "a", 1), row(1, "b", 1)]),
            line("2", &[row(-1, "a", 1), row(1, "a", 2)]),
            line("4", &[row(-1, "a", 2), row(1, "a", 3), row(-1, "a", 3), row(1, "a", 4), row(1, "c", 4)]),
            line("5", &[row(-1, "b", 1)]),
            line("6", &[row(1, "b", 6), row(-1, "c", 4), row(1, "c", 6)]),
            line("7", &[row(-1, "a", 4), row(-1, "c", 6), row(1, "c", 7)]),
        ]
    );
}

#[test]
fn from_every_place_the_same_changes_follow_and_they_add_up_to_the_table() {
    let data = balances();
    let access = access(&data);
    let whole = run(events(&access, of_account("0"), false)).unwrap();
    let expected = [r#"{"account_id":"b","posted":"6"}"#, r#"{"account_id":"c","posted":"7"}"#];
    assert_eq!(sum(&whole), expected);
    let rows: Vec<_> = whole.iter().flat_map(|event| event.rows.iter().map(|row| (event.commit_id, row.clone()))).collect();
    for (done, (commit_id, _)) in rows.iter().enumerate() {
        // After each row, as if an event had ended there.
        let of_commit = rows.iter().take(done + 1).filter(|(other, _)| other == commit_id).count();
        for forgetful in [false, true] {
            let rest = run(events(&access, of_account(&format!("{commit_id}:{of_commit}")), forgetful)).unwrap();
            let rest: Vec<_> = rest.iter().flat_map(|event| event.rows.iter().map(|row| (event.commit_id, row.clone()))).collect();
            assert_eq!(rest, rows[done + 1..], "after row {done}");
        }
    }
    for commit_id in 0..=7 {
        let rest = run(events(&access, of_account(&commit_id.to_string()), false)).unwrap();
        let expected: Vec<_> = whole.iter().filter(|event| event.commit_id > commit_id).cloned().collect();
        assert_eq!(rest, expected, "after commit {commit_id}");
    }
}

#[test]
fn a_client_that_waits_gets_the_commits_that_come() {
    let mut data = balances();
    let access = access(&data);
    run(async {
        let mut following = Changes::begin(access.anybody().unwrap(), ChangesRequest { from: None, ..of_account("0") }).await.unwrap();
        assert_eq!(following.place().to_string(), "7");
        assert_eq!(following.next_event().await.unwrap(), None);
        for posted in 8..12 {
            data.commit(vec![changes(&[(balance("c", posted, at(1, posted)), 1)])]);
            let event = following.next_event().await.unwrap().expect("an event");
            let rows = [posted - 1, posted].map(|posted| format!(r#""account_id":"c","posted":"{posted}"}}"#));
            assert!(event.rows.len() == 2 && event.rows.iter().zip(&rows).all(|(row, end)| row.ends_with(end)), "{event:?}");
            assert_eq!(following.next_event().await.unwrap(), None);
            if posted % 2 == 0 {
                following.release();
            }
        }
    });
}

#[test]
fn large_commits_are_split_and_their_parts_can_be_resumed() {
    let mut data = TestData::new();
    let legs: Vec<_> = (0..1234).map(|number| leg(&format!("t{number:04}"), 1, "a", "EUR", Money::whole(1), at(1, 0))).collect();
    data.commit(vec![facts(&legs)]);
    data.commit(vec![facts(&legs[..1])]);
    let access = access(&data);
    let columns = Some(vec!["transaction_id".to_owned()]);
    let request = |from: &str| ChangesRequest { columns: columns.clone(), ..request("ledger_entries", from) };
    let whole = run(events(&access, request("0"), false)).unwrap();
    let places: Vec<_> = whole.iter().map(|event| event.place.to_string()).collect();
    assert_eq!(places, ["1:500", "1:1000", "1", "2"]);
    assert_eq!(whole[0].rows[0], r#"{"diff":1,"transaction_id":"t0000"}"#);
    let rest = run(events(&access, request("1:1000"), false)).unwrap();
    assert_eq!(rest, whole[2..]);
    let shifted = run(events(&access, request("1:700"), false)).unwrap();
    assert_eq!(shifted[0].place.to_string(), "1:1200");
    assert_eq!(shifted[0].rows[0], r#"{"diff":1,"transaction_id":"t0700"}"#);
}

#[test]
fn a_place_beyond_its_commit_is_refused_and_skips_no_later_commit() {
    let mut data = TestData::new();
    let legs: Vec<_> = (0..6).map(|number| leg(&format!("t{number}"), 1, "a", "EUR", Money::whole(1), at(1, 0))).collect();
    data.commit(vec![facts(&legs[..3])]);
    data.commit(vec![]);
    data.commit(vec![facts(&legs[3..])]);
    let access = access(&data);
    let refusal = |place: &str, commit_id: u64, there: u64| {
        format!(
            "there is no place {place}: commit {commit_id} has {there} changes of ledger_entries that pass this filter; give the filter that the place comes from, or follow from {} to get the commit again",
            commit_id - 1
        )
    };
    // The case, the place, the filter, and how many changes follow; none if the place is refused.
    for (case, place, filter, expected) in [
        ("within the commit", "1:2", None, Ok(4)),
        ("at its end", "1:3", None, Ok(3)),
        ("beyond it", "1:4", None, Err(refusal("1:4", 1, 3))),
        ("as far as the next changes", "1:6", None, Err(refusal("1:6", 1, 3))),
        ("beyond all changes", "1:99", None, Err(refusal("1:99", 1, 3))),
        ("a commit without changes", "2:1", None, Err(refusal("2:1", 2, 0))),
        ("beyond the last commit", "3:4", None, Err(refusal("3:4", 3, 3))),
        ("of another filter", "1:2", Some("transaction_id = 't0' OR transaction_id > 't2'"), Err(refusal("1:2", 1, 1))),
        ("of this filter", "1:1", Some("transaction_id = 't0' OR transaction_id > 't2'"), Ok(3)),
    ] {
        let request = ChangesRequest { filter: filter.map(str::to_owned), ..request("ledger_entries", place) };
        let found = run(events(&access, request, false));
        let found = found.map(|events| events.iter().map(|event| event.rows.len()).sum::<usize>());
        assert_eq!(found.map_err(|problem| problem.to_string()), expected, "{case}");
    }
}

#[test]
fn a_filter_is_about_the_row() {
    let data = balances();
    let access = access(&data);
    let filtered = |filter: &str| {
        let events = run(events(&access, ChangesRequest { filter: Some(filter.to_owned()), ..of_account("0") }, false)).unwrap();
        events.iter().map(|event| (event.commit_id, event.rows.len())).collect::<Vec<_>>()
    };
    assert_eq!(filtered("account_id = 'b'"), [(1, 1), (5, 1), (6, 1)]);
    assert_eq!(filtered("account_id = 'b' OR posted >= 7"), [(1, 1), (5, 1), (6, 1), (7, 1)]);
    assert_eq!(filtered("change > 0 AND posted IN (2, 7)"), [(2, 1), (7, 1)]);
    assert!(filtered("account_id LIKE '%--%' -- nothing").is_empty());
}

#[test]
fn a_filter_reaches_no_other_table() {
    let data = balances();
    let access = access(&data);
    for (filter, expected) in [
        ("account_id IN (SELECT account_id FROM alerts)", "where has a query in it"),
        ("EXISTS (SELECT 1 FROM dead_letters)", "where has a query in it"),
        ("posted > (SELECT 1)", "where has a query in it"),
        ("posted > ALL (SELECT 1)", "where has a query in it"),
        ("CASE WHEN true THEN (SELECT true FROM alerts) END", "where has a query in it"),
        ("array_length(ARRAY(SELECT 1)) = 1", "where"),
        ("true) UNION SELECT 1, '', 0, 0 FROM alerts --", "where is more than one expression: ) is left at Line: 1, Column: 5"),
        ("true; SELECT 1", "where is more than one expression: ; is left"),
        ("true ORDER BY posted", "where is more than one expression: ORDER is left"),
        ("true /*", "where is no expression"),
        ("", "where is no expression"),
        ("SUM(posted) > 1", ""),
        ("ROW_NUMBER() OVER () = 1", ""),
        ("alerts.message = 'x'", "No field named alerts.message"),
        ("nothing = 1", "No field named nothing"),
        ("posted", ""),
    ] {
        let message = refused(&access, ChangesRequest { filter: Some(filter.to_owned()), ..request("balances", "0") });
        assert!(message.to_lowercase().contains(&expected.to_lowercase()), "{filter}: {message}");
    }
}

#[test]
fn what_cannot_be_followed_is_named() {
    let data = balances();
    let access = access(&data);
    for (table, expected) in [
        ("blances", "there is no table blances: did you mean balances?"),
        ("positions", "positions cannot be followed: it is a view"),
        ("commits", "commits cannot be followed: commits have a stream of their own"),
        ("rule_events", "rule_events cannot be followed: it has no history"),
        ("balances; DROP", "there is no table"),
    ] {
        let message = refused(&access, request(table, "0"));
        assert!(message.starts_with(expected), "{table}: {message}");
    }
    assert_eq!(refused(&access, request("balances", "8")), "there is no commit 8 yet: the newest is 7");
    let columns = |names: &[&str]| ChangesRequest {
        columns: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..request("balances", "0")
    };
    let unknown = refused(&access, columns(&["posted", "po\"sted"]));
    assert!(unknown.starts_with("balances has no column \"po\\\"sted\": it has account_id, currency, posted"), "{unknown}");
    assert_eq!(refused(&access, columns(&["posted", "posted"])), "the column \"posted\" is given twice: give it once");
}

#[test]
fn places_are_read_as_they_are_written() {
    for text in ["0", "42", "42:1", "42:500"] {
        assert_eq!(text.parse::<Place>().map(|place| place.to_string()), Ok(text.to_owned()));
    }
    for text in ["", "x", "-1", "+1", "42:", ":1", "0:1", "42:1:2", "4 2", "99999999999999999999"] {
        assert!(text.parse::<Place>().is_err(), "{text}");
    }
}
