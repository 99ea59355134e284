//! What users may read of tables: rows of books, columns, alerts about money laundering.

use headwater_schemas::tables::{AccountTerms, Alert, AlertKind, AlertState, DrawdownState, Severity};
use headwater_schemas::{Money, Total};

use super::{code, connect_with, copied, run, serve_with, settings, simple, try_simple};
use crate::testing::{TestData, at, balance, book, changes, corrections, facts, id, leg, name, remembered};
use crate::wire::config::{ServeConfig, UserConfig};
use crate::wire::scram::Secret;

/// Accounts of two desks and of none, with balances, alerts and peaks.
fn desks() -> TestData {
    let account = |account: &str, book: Option<&str>| AccountTerms {
        account_id: name(account),
        currency: Some(name("EUR")),
        currency_ts: None,
        book: book.map(Into::into),
        book_ts: None,
        ts: at(1, 0),
    };
    let alert = |kind: AlertKind, rule: &str, subject: &str| Alert {
        alert_id: id(&format!("{rule}:{subject}")),
        kind,
        rule: rule.into(),
        severity: Severity::High,
        subject: id(subject),
        state: AlertState::Raised,
        message: "".into(),
        evidence: vec![],
        ts: at(1, 0),
    };
    let peak = |scope: &str| DrawdownState {
        scope: name(scope),
        peak: Total::whole(1),
        max_drawdown: Total::ZERO,
        has_traded: true,
        ts: at(1, 0),
    };
    let mut data = TestData::new();
    data.commit(vec![
        remembered(&[
            account("e1", Some("firm/equities/us")),
            account("e2", Some("firm/equities")),
            account("x", None),
            account("r1", Some("firm/equities-research")),
            account("f1", Some("firm/fx")),
        ]),
        changes(&["e1", "e2", "f1", "r1", "x"].map(|account| (balance(account, if account == "f1" { 777 } else { 5 }, at(1, 0)), 1))),
        changes(&[
            (alert(AlertKind::Aml, "fan_in", "e1"), 1),
            (alert(AlertKind::Limit, "var", "account:e1"), 1),
            (alert(AlertKind::Limit, "position_value", "e2|SAP"), 1),
            (alert(AlertKind::Limit, "leverage", "book:firm"), 1),
            (alert(AlertKind::Limit, "leverage", "book:firm/equities"), 1),
            (alert(AlertKind::Aml, "fan_in", "f1"), 1),
        ]),
        remembered(&["account:e1", "account:f1", "book:firm", "book:firm/equities/us"].map(peak)),
        facts(&[leg("t1", 1, "e1", "EUR", Money::whole(5), at(1, 0)), leg("t1", 2, "f1", "EUR", Money::whole(-5), at(1, 0))]),
    ]);
    // The balance of another desk changes, so its history has old rows.
    data.commit(vec![changes(&[(balance("f1", 778, at(1, 1)), 1), (balance("e1", 6, at(1, 1)), 1)])]);
    data
}

fn user(change: impl Fn(&mut UserConfig)) -> UserConfig {
    let mut user = UserConfig { secret: Secret::new("correct horse").unwrap(), tables: None, books: None, masked: Vec::new(), aml: true };
    change(&mut user);
    user
}

/// What a user gets for each query.
fn check(user: UserConfig, cases: &[(&str, &[&str])], refused: &[&str]) {
    check_in(&desks(), user, cases, refused);
}

fn check_in(data: &TestData, user: UserConfig, cases: &[(&str, &[&str])], refused: &[&str]) {
    let server = serve_with(data, ServeConfig { users: [("ann".to_owned(), user)].into(), ..ServeConfig::default() });
    run(async {
        let client = connect_with(settings(&server, "ann").password("correct horse")).await.unwrap();
        for (sql, expected) in cases {
            assert_eq!(simple(&client, sql).await, *expected, "{sql}");
            let prepared = client.query(*sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            assert_eq!(prepared.len(), expected.len(), "extended: {sql}");
            let copy = copied(&client, &format!("COPY ({sql}) TO STDOUT")).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            let copy = String::from_utf8(copy).unwrap().replace('\t', "|").replace("\\N", "NULL");
            assert_eq!(copy.lines().collect::<Vec<_>>(), *expected, "copied: {sql}");
        }
        for sql in refused {
            assert_eq!(code(&try_simple(&client, sql).await.unwrap_err()), "42501", "{sql}");
            assert_eq!(code(&copied(&client, &format!("COPY ({sql}) TO STDOUT")).await.unwrap_err()), "42501", "copied: {sql}");
        }
    });
}

#[test]
fn a_desk_reads_the_rows_of_its_books_and_no_trace_of_others() {
    let desk = user(|user| user.books = Some(vec!["firm/equities".to_owned()]));
    check(
        desk,
        &[
            ("SELECT account_id, posted FROM balances ORDER BY 1", &["e1|6", "e2|5"]),
            ("SELECT COUNT(*) FROM balances", &["2"]),
            ("SELECT COUNT(*) FROM balances_history", &["4"]),
            ("SELECT account_id FROM balances_history WHERE change < 0", &["e1"]),
            ("SELECT account_id FROM balances WHERE posted > 100", &[]),
            ("SELECT account_id FROM balances ORDER BY posted DESC LIMIT 1", &["e1"]),
            (
                "SELECT alert_id FROM alerts ORDER BY 1",
                &["fan_in:e1", "leverage:book:firm/equities", "position_value:e2|SAP", "var:account:e1"],
            ),
            ("SELECT alert_id FROM open_alerts WHERE subject = 'f1' OR subject = 'book:firm'", &[]),
            ("SELECT scope FROM portfolio_peaks ORDER BY 1", &["account:e1", "book:firm/equities/us"]),
            ("SELECT account_id FROM ledger_entries", &["e1"]),
            ("SELECT transaction_id, imbalance FROM unbalanced_legs", &["t1|5"]),
            ("SELECT COUNT(*) FROM positions", &["0"]),
            ("SELECT COUNT(*) FROM marks", &["0"]),
            ("SELECT COUNT(*) FROM commits", &["2"]),
            // Nothing fails on rows that are left out, whatever the order of filters.
            ("SELECT account_id FROM balances WHERE 1 / (CAST(posted AS BIGINT) - 778) = 0 ORDER BY 1", &["e1", "e2"]),
            (
                "SELECT account_id FROM balances WHERE CAST(CASE WHEN account_id = 'f1' THEN 'x' ELSE '1' END AS INT) = 1 ORDER BY 1",
                &["e1", "e2"],
            ),
            ("SELECT b.account_id FROM balances b JOIN ledger_entries l ON l.account_id = b.account_id", &["e1"]),
        ],
        &[
            "SELECT * FROM customer_budgets",
            "SELECT * FROM dead_letters",
            "SELECT * FROM audit",
            "SELECT * FROM transfers_state",
            "SELECT * FROM account_owners a JOIN customer_groups c ON a.customer_id = c.customer_id",
        ],
    );
}

#[test]
fn a_desk_reads_the_corrections_of_its_books_and_of_the_market() {
    let mut data = desks();
    data.commit(vec![
        corrections("reversal of t1", &[(balance("e1", 4, at(1, 2)), 1), (balance("f1", 779, at(1, 2)), 1)]),
        corrections("late", &[(book("SAP", 9, Some(11), at(1, 2)), 1)]),
    ]);
    let desk = user(|user| user.books = Some(vec!["firm/equities".to_owned()]));
    // Those of payments, transfers and customers' spending name no account.
    let of_view = "SELECT relation, key, reason FROM corrections WHERE change = 1 ORDER BY 1, 2";
    let relations = &["balances|e1 EUR|reversal of t1", "top_of_book|SAP|late"];
    check_in(&data, desk, &[(of_view, relations)], &["SELECT * FROM spending_history"]);
    let listed = user(|user| {
        user.books = Some(vec!["firm/equities".to_owned()]);
        user.tables = Some(vec!["corrections".to_owned()]);
    });
    check_in(&data, listed, &[(of_view, relations)], &["SELECT * FROM balances_history"]);
    let all = user(|user| user.masked = vec!["available".to_owned()]);
    let everywhere = &["balances|e1 EUR|reversal of t1", "balances|f1 EUR|reversal of t1", "top_of_book|SAP|late"];
    check_in(&data, all, &[(of_view, everywhere)], &[]);
}

#[test]
fn a_view_of_what_a_desk_may_not_read_is_refused_by_its_name() {
    let desk = user(|user| user.books = Some(vec!["firm/equities".to_owned()]));
    let data = desks();
    let server = serve_with(&data, ServeConfig { users: [("ann".to_owned(), desk)].into(), ..ServeConfig::default() });
    run(async {
        let client = connect_with(settings(&server, "ann").password("correct horse")).await.unwrap();
        let refused = try_simple(&client, "SELECT * FROM rule_quality").await.unwrap_err();
        let refused = refused.as_db_error().unwrap();
        assert_eq!(
            (refused.code().code(), refused.message()),
            (
                "42501",
                "permission denied for view rule_quality: it is computed from labels, and serve.users does not let this user read that"
            )
        );
    });
}

#[test]
fn a_plan_is_not_shown_to_who_may_not_read_whole_tables() {
    let of_desk = user(|user| user.books = Some(vec!["firm/equities".to_owned()]));
    let masked = user(|user| user.masked = vec!["posted".to_owned()]);
    let of_tables = user(|user| user.tables = Some(vec!["balances".to_owned()]));
    for (user, may) in [(of_desk, false), (masked, false), (of_tables, true)] {
        let data = desks();
        let server = serve_with(&data, ServeConfig { users: [("ann".to_owned(), user)].into(), ..ServeConfig::default() });
        run(async {
            let client = connect_with(settings(&server, "ann").password("correct horse")).await.unwrap();
            for sql in
                ["EXPLAIN SELECT * FROM balances", "EXPLAIN VERBOSE SELECT * FROM balances", "EXPLAIN ANALYZE SELECT * FROM balances"]
            {
                let simple = try_simple(&client, sql).await.map(|_| ()).map_err(|error| code(&error));
                let extended = client.query(sql, &[]).await.map(|_| ()).map_err(|error| code(&error));
                let expected = if may { Ok(()) } else { Err("42501".to_owned()) };
                assert_eq!((simple, extended), (expected.clone(), expected), "{sql}");
            }
        });
    }
}

#[test]
fn a_masked_column_is_null_and_nothing_can_be_asked_of_it() {
    let reader = user(|user| user.masked = vec!["account_id".to_owned(), "subject".to_owned()]);
    check(
        reader,
        &[
            ("SELECT account_id, currency, posted FROM balances ORDER BY posted DESC LIMIT 1", &["NULL|EUR|778"]),
            ("SELECT posted FROM balances WHERE account_id = 'f1'", &[]),
            ("SELECT posted FROM balances WHERE account_id LIKE 'f%'", &[]),
            ("SELECT COUNT(*), COUNT(account_id), MIN(account_id) FROM balances", &["5|0|NULL"]),
            ("SELECT COUNT(DISTINCT account_id) FROM balances_history", &["0"]),
            ("SELECT COUNT(subject) FROM open_alerts", &["0"]),
            ("SELECT COUNT(*) FROM balances b JOIN ledger_entries l ON l.account_id = b.account_id", &["0"]),
        ],
        &[],
    );
}

#[test]
fn alerts_about_money_laundering_are_for_those_who_may_know_of_them() {
    let banker = user(|user| user.aml = false);
    check(
        banker,
        &[
            ("SELECT DISTINCT kind FROM alerts", &["limit"]),
            ("SELECT DISTINCT kind FROM alerts_history", &["limit"]),
            ("SELECT DISTINCT kind FROM open_alerts", &["limit"]),
            ("SELECT COUNT(*) FROM alerts WHERE kind = 'aml'", &["0"]),
            ("SELECT DISTINCT kind FROM explanations", &["limit"]),
            ("SELECT COUNT(*) FROM corrections WHERE relation = 'alerts'", &["0"]),
            ("SELECT COUNT(*) FROM balances", &["5"]),
            ("SELECT COUNT(*) FROM pg_class WHERE relname = 'rule_alerts'", &["0"]),
        ],
        &["SELECT * FROM rule_alerts", "SELECT * FROM round_trips", "SELECT * FROM rule_outcomes", "SELECT * FROM suppressions_history"],
    );
}

#[test]
fn a_listed_view_reads_tables_that_are_not_listed() {
    let analyst = user(|user| {
        user.tables = Some(vec!["open_alerts".to_owned(), "positions".to_owned()]);
        user.books = Some(vec!["firm/fx".to_owned()]);
    });
    check(
        analyst,
        &[("SELECT subject FROM open_alerts", &["f1"]), ("SELECT COUNT(*) FROM positions", &["0"])],
        &["SELECT * FROM alerts", "SELECT * FROM suppressions", "SELECT * FROM holdings", "SELECT * FROM balances"],
    );
}
