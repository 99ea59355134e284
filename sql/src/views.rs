//! Views: frequently asked questions, as SQL files in `sql/views`. The comment that opens a file is the question.

/// A named query.
#[derive(Debug)]
pub struct View {
    /// The name in SQL.
    pub name: &'static str,
    /// The text of its file.
    pub sql: &'static str,
}

/// Every view.
pub const VIEWS: &[View] = &[
    View { name: "alert_subjects", sql: include_str!("../views/alert_subjects.sql") },
    View { name: "cash_flows", sql: include_str!("../views/cash_flows.sql") },
    View { name: "corrections", sql: include_str!("../views/corrections.sql") },
    View { name: "crossed_books", sql: include_str!("../views/crossed_books.sql") },
    View { name: "explanations", sql: include_str!("../views/explanations.sql") },
    View { name: "invariant_balance_after", sql: include_str!("../views/invariant_balance_after.sql") },
    View { name: "invariant_balances", sql: include_str!("../views/invariant_balances.sql") },
    View { name: "invariant_closed_accounts", sql: include_str!("../views/invariant_closed_accounts.sql") },
    View { name: "invariant_entry_ids", sql: include_str!("../views/invariant_entry_ids.sql") },
    View { name: "invariant_history", sql: include_str!("../views/invariant_history.sql") },
    View { name: "invariant_holds", sql: include_str!("../views/invariant_holds.sql") },
    View { name: "invariant_reversals", sql: include_str!("../views/invariant_reversals.sql") },
    View { name: "invariants", sql: include_str!("../views/invariants.sql") },
    View { name: "open_alerts", sql: include_str!("../views/open_alerts.sql") },
    View { name: "portfolio_lives", sql: include_str!("../views/portfolio_lives.sql") },
    View { name: "positions", sql: include_str!("../views/positions.sql") },
    View { name: "positions_history", sql: include_str!("../views/positions_history.sql") },
    View { name: "recurring_purchases", sql: include_str!("../views/recurring_purchases.sql") },
    View { name: "returns", sql: include_str!("../views/returns.sql") },
    View { name: "risk_components", sql: include_str!("../views/risk_components.sql") },
    View { name: "risk_components_history", sql: include_str!("../views/risk_components_history.sql") },
    View { name: "rule_quality", sql: include_str!("../views/rule_quality.sql") },
    View { name: "spending_changes", sql: include_str!("../views/spending_changes.sql") },
    View { name: "suppressed_alerts", sql: include_str!("../views/suppressed_alerts.sql") },
    View { name: "trial_balance", sql: include_str!("../views/trial_balance.sql") },
    View { name: "unbalanced_legs", sql: include_str!("../views/unbalanced_legs.sql") },
    View { name: "var_backtest", sql: include_str!("../views/var_backtest.sql") },
    View { name: "var_backtest_days", sql: include_str!("../views/var_backtest_days.sql") },
];

impl View {
    /// The question: the first sentence of the comment that opens the file.
    pub fn question(&self) -> &'static str {
        let comment = self.sql.lines().next().unwrap_or_default().trim_start_matches("--").trim();
        comment.find('?').and_then(|end| comment.get(..=end)).unwrap_or(comment)
    }

    /// Description of a column that no table describes: of the comments that open the file, the one that begins with its name.
    pub(crate) fn column_about(&self, column: &str) -> Option<&'static str> {
        let comments = self.sql.lines().map_while(|line| line.strip_prefix("-- "));
        comments.skip(1).find_map(|comment| comment.strip_prefix(column)?.strip_prefix(": "))
    }

    /// The names that it mentions, relations among them.
    pub(crate) fn reads(&self) -> impl Iterator<Item = &'static str> {
        self.sql
            .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .map(|name| name.strip_suffix("_history").unwrap_or(name))
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::events::{AssetClass, TransactionPhase, TransactionType};
    use headwater_schemas::tables::{
        AccountOwner, Alert, AlertKind, AlertState, AlertSuppression, Balance, CustomerGroup, Decision, DecisionState, InstrumentTerms,
        LabelledPurchase, LedgerEntry, Portfolio, PostedTransaction, Reason, Risk, RiskMethod, Severity, Spending, SubjectType,
        SuppressionState, Verdict,
    };
    use headwater_schemas::{Amount, EventTime, Factor, Money, Scope, Statistic, Text, Total};

    use super::*;
    use crate::testing::{TestData, at, balance, book, changes, changes_at, facts, holding, id, leg, mark, name, rows};

    #[test]
    fn every_view_opens_with_the_question_asked() {
        for view in VIEWS {
            assert!(view.sql.starts_with("-- ") && view.question().ends_with('?'), "{}", view.name);
        }
    }

    #[test]
    fn a_ledger_that_does_not_balance_is_seen() {
        let mut data = TestData::new();
        let eur = |transaction, number, account, amount| leg(transaction, number, account, "EUR", Money::whole(amount), at(1, 0));
        data.commit(vec![facts(&[eur("t1", 1, "a", 5), eur("t1", 2, "b", -5)])]);
        let catalog = data.catalog();
        assert_eq!(rows(&catalog, "SELECT * FROM unbalanced_legs").len(), 0);
        assert_eq!(rows(&catalog, "SELECT * FROM trial_balance"), ["EUR,5,5,0,2"]);
        let dollars = leg("t2", 2, "b", "USD", Money::whole(-3), at(1, 0));
        data.commit(vec![facts(&[eur("t2", 1, "a", 3), dollars])]);
        catalog.refresh().unwrap();
        let unbalanced = "SELECT transaction_id, currency, imbalance, legs FROM unbalanced_legs ORDER BY currency";
        assert_eq!(rows(&catalog, unbalanced), ["t2,EUR,3,1", "t2,USD,-3,1"]);
        assert_eq!(rows(&catalog, "SELECT * FROM trial_balance ORDER BY currency"), ["EUR,8,5,3,3", "USD,0,3,-3,1"]);
    }

    /// A transaction of account `a` as the postings remember it: a hold, or a posting of which `left` is not reversed.
    fn remembered(transaction: &str, amount: i64, left: i64, pending: bool) -> PostedTransaction {
        PostedTransaction {
            account_id: name("a"),
            transaction_id: id(transaction),
            currency: name("EUR"),
            counterparty: name("external:EUR"),
            transaction_type: TransactionType::Payment,
            amount: Money::whole(amount),
            counter_currency: None,
            counter_amount: None,
            pending,
            resolved: false,
            left: Money::whole(left),
            counter_left: None,
            captured: None,
            reverses: None,
            captures: None,
            ts: at(1, 0),
        }
    }

    fn ledger_alert(alert_id: &str, rule: &str, state: AlertState) -> Alert {
        Alert {
            alert_id: id(alert_id),
            kind: AlertKind::Ledger,
            rule: rule.into(),
            severity: Severity::High,
            subject: id("a"),
            state,
            message: "".into(),
            evidence: vec![],
            ts: at(1, 0),
        }
    }

    /// An alert of the kind `aml`, raised in an hour of the first day.
    fn found(rule: &str, subject: &str, severity: Severity, hour: i64) -> Alert {
        let alert = ledger_alert(&format!("{rule}:{subject}"), rule, AlertState::Raised);
        Alert { kind: AlertKind::Aml, severity, subject: id(subject), ts: at(1, hour * 3600), ..alert }
    }

    fn suppression(rule: &str, subject: &str, state: SuppressionState, until: u32) -> AlertSuppression {
        AlertSuppression {
            rule: rule.into(),
            subject: subject.into(),
            state,
            author: "ann".into(),
            justification: format!("until {until}").into(),
            since: at(1, 0),
            expires_at: at(until, 0),
            written: None,
            ts: at(1, 0),
        }
    }

    #[test]
    fn an_alert_is_open_while_it_stands_and_is_not_suppressed() {
        let mut data = TestData::new();
        let over = Alert { state: AlertState::Cleared, ..found("fan_in", "over", Severity::Low, 1) };
        let alerts = [
            found("fan_out", "a", Severity::Low, 1),
            found("fan_out", "b", Severity::Low, 1),
            found("fan_in", "a", Severity::Low, 1),
            found("fan_in", "b", Severity::Low, 1),
            over,
        ];
        let open = "SELECT rule, subject FROM open_alerts ORDER BY 1, 2";
        let suppressed = "SELECT rule, subject, author, reason, expires_at FROM suppressed_alerts ORDER BY 1, 2";
        data.commit(vec![changes(&alerts.map(|alert| (alert, 1)))]);
        let catalog = data.catalog();
        assert_eq!(rows(&catalog, open), ["fan_in,a", "fan_in,b", "fan_out,a", "fan_out,b"]);
        assert_eq!(rows(&catalog, suppressed), Vec::<String>::new());
        data.commit(vec![changes(&[
            (suppression("fan_out", "a", SuppressionState::Active, 5), 1),
            (suppression("fan_out", "b", SuppressionState::Expired, 5), 1),
            (suppression("fan_in", "a", SuppressionState::Active, 3), 1),
            (suppression("fan_in", "*", SuppressionState::Active, 4), 1),
        ])]);
        catalog.refresh().unwrap();
        assert_eq!(rows(&catalog, open), ["fan_out,b"]);
        let longest = |rule: &str, subject: &str, until: u32| format!("{rule},{subject},ann,until {until},{}", at(until, 0));
        assert_eq!(rows(&catalog, suppressed), [longest("fan_in", "a", 4), longest("fan_in", "b", 4), longest("fan_out", "a", 5)]);
    }

    #[test]
    fn alerts_about_one_person_are_together() {
        let mut data = TestData::new();
        let owner =
            |account: &str, customer: &str| (AccountOwner { account_id: name(account), customer_id: name(customer), ts: at(1, 0) }, 1);
        let group = |customer: &str, group: Option<&str>| {
            (CustomerGroup { customer_id: name(customer), group_id: group.map(name), ts: at(1, 0) }, 1)
        };
        let alerts = [
            found("fan_out", "a1", Severity::Low, 1),
            found("fan_out", "a2", Severity::High, 2),
            Alert { kind: AlertKind::Limit, ..found("var", "account:a1", Severity::Medium, 3) },
            Alert { kind: AlertKind::Price, ..found("price_crossed", "d|SAP", Severity::Low, 4) },
            found("large_cash", "c", Severity::Medium, 5),
            found("fan_out", "alone", Severity::Critical, 6),
            Alert { state: AlertState::Withdrawn, ..found("fan_in", "alone", Severity::Low, 7) },
            found("fan_out", "quiet", Severity::Critical, 8),
        ];
        data.commit(vec![
            changes(&alerts.map(|alert| (alert, 1))),
            changes(&[owner("a1", "c"), owner("a2", "d")]),
            // Two customers with one beneficial owner.
            changes(&[group("c", Some("g")), group("d", Some("g")), group("e", None)]),
            changes(&[(suppression("fan_out", "quiet", SuppressionState::Active, 5), 1)]),
        ]);
        let subjects = "SELECT owner, alerts, severity, kinds, rules, subjects, first_ts, last_ts FROM alert_subjects ORDER BY owner";
        let time = |hour: i64| at(1, hour * 3600);
        let expected = [
            format!(r#"alone,1,critical,aml 1,fan_out,alone,{},{}"#, time(6), time(6)),
            format!(
                r#"g,5,high,"aml 3, limit 1, price 1","fan_out, large_cash, price_crossed, var","a1, a2, account:a1, c, d|SAP",{},{}"#,
                time(1),
                time(5)
            ),
        ];
        assert_eq!(rows(&data.catalog(), subjects), expected);
    }

    #[test]
    fn each_broken_invariant_of_the_ledger_is_seen() {
        let eur = |transaction, number, account, amount| leg(transaction, number, account, "EUR", Money::whole(amount), at(1, 0));
        let whole = vec![eur("t", 1, "a", -5), eur("t", 2, "external:EUR", 5)];
        let holding = |pending: i64| Balance { pending: Total::whole(pending), ..balance("a", -5, at(1, 0)) };
        let balances = |pending: i64| changes(&[(holding(pending), 1), (balance("external:EUR", 5, at(1, 0)), 1)]);
        let posted = |rows: &[PostedTransaction]| changes(&rows.iter().map(|row| (row.clone(), 1)).collect::<Vec<_>>());
        let healthy = [remembered("t", -5, 5, false), remembered("h", -7, 7, true)];
        let over = [remembered("t", -5, 6, false), remembered("h", -7, 7, true)];
        let alert = |rule, state| changes(&[(ledger_alert("l", rule, state), 1)]);
        let mut twice = whole.clone();
        twice.extend([eur("t", 1, "a", 0), eur("t", 2, "external:EUR", 0)]);
        let unequal = vec![eur("t", 1, "a", -5), eur("t", 2, "external:EUR", 4)];
        for (legs, others, expected) in [
            (&whole, vec![balances(7), posted(&healthy)], &[][..]),
            (&whole, vec![balances(8), posted(&healthy)], &["holds,a EUR"]),
            (&whole, vec![balances(7), posted(&over)], &["reversals,a t"]),
            (&twice, vec![balances(7), posted(&healthy)], &["entry_ids,t-posted-1", "entry_ids,t-posted-2"]),
            (&unequal, vec![balances(7), posted(&healthy)], &["balances,external:EUR EUR", "legs,t EUR", "trial_balance,EUR"]),
            (&whole, vec![balances(7), posted(&healthy), alert("closed_account", AlertState::Raised)], &["closed_accounts,a"]),
            (&whole, vec![balances(7), posted(&healthy), alert("balance_mismatch", AlertState::Amended)], &["balance_after,a"]),
            (&whole, vec![balances(7), posted(&healthy), alert("balance_mismatch", AlertState::Cleared)], &[]),
        ] {
            let mut data = TestData::new();
            data.commit(std::iter::once(facts(legs)).chain(others).collect());
            assert_eq!(rows(&data.catalog(), "SELECT invariant, key FROM invariants ORDER BY 1, 2"), expected);
        }
    }

    /// A portfolio with the P&L that is unrealized; what was paid in is its equity less that.
    fn portfolio(equity: i64, pnl: i64, ts: EventTime) -> (Portfolio, i32) {
        let row = Portfolio {
            scope: Scope::derived("account:a"),
            currency: name("EUR"),
            net_value: Total::ZERO,
            gross_exposure: Total::ZERO,
            net_exposure: Total::ZERO,
            cash: Total::ZERO,
            equity: Total::whole(equity),
            leverage: None,
            hhi: None,
            max_weight: None,
            realized_pnl: Total::ZERO,
            unrealized_pnl: Total::whole(pnl),
            fx_pnl: Total::ZERO,
            max_drawdown: Total::ZERO,
            unvalued: 0,
            stale_rates: 0,
            ts,
        };
        (row, 1)
    }

    #[test]
    fn cash_flows_add_what_was_posted_by_account_and_month() {
        let mut data = TestData::new();
        let usd = |transaction, number, account, amount, ts| leg(transaction, number, account, "USD", Money::whole(amount), ts);
        let held = LedgerEntry { phase: TransactionPhase::Pending, ..usd("t4", 1, "a", -9, at(5, 0)) };
        data.commit(vec![facts(&[
            usd("t1", 1, "a", 100, at(5, 0)),
            usd("t1", 2, "external:USD", -100, at(5, 0)),
            usd("t2", 1, "a", -30, at(6, 0)),
            usd("t3", 1, "a", 5, "2026-02-09T00:00:00Z".parse().unwrap()),
            held,
        ])]);
        let flows = rows(&data.catalog(), "SELECT * FROM cash_flows ORDER BY account_id, month");
        assert_eq!(flows, ["a,2026-01,USD,100,30,70", "a,2026-02,USD,5,0,5"]);
    }

    fn spent(month: &str, category: &str, amount: i64) -> Spending {
        Spending {
            customer_id: name("c"),
            month: Text::new(month),
            category: Text::new(category),
            currency: name("USD"),
            amount: Total::whole(amount),
            count: 1,
            ts: at(1, 0),
        }
    }

    #[test]
    fn changes_of_spending_are_from_the_month_before_and_the_largest_is_first() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[
            (spent("2025-12", "groceries", 300), 1),
            (spent("2025-12", "travel", 800), 1),
            (spent("2026-01", "groceries", 350), 1),
            (spent("2026-01", "dining", 20), 1),
            (spent("2026-03", "dining", 90), 1),
        ])]);
        let found = rows(&data.catalog(), "SELECT * FROM spending_changes ORDER BY month, place");
        assert_eq!(found, ["c,2026-01,travel,USD,0,800,-800,1", "c,2026-01,groceries,USD,350,300,50,2", "c,2026-01,dining,USD,20,0,20,3"]);
    }

    fn bought(transaction: &str, date: &str, category: &str, amount: i64) -> LabelledPurchase {
        LabelledPurchase {
            transaction_id: id(transaction),
            customer_id: Some(name("c")),
            date: date.parse().ok(),
            category: Some(Text::new(category)),
            currency: Some(name("USD")),
            amount: Some(Amount::whole(amount)),
            is_held: false,
            label: None,
            label_ts: None,
            label_partition: None,
            label_offset: None,
            ts: at(1, 0),
        }
    }

    #[test]
    fn recurring_purchases_are_three_of_about_the_same_amount_a_month_apart() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[
            (bought("s1", "2026-01-10", "streaming", 20), 1),
            (bought("s2", "2026-02-10", "streaming", 20), 1),
            (bought("s3", "2026-03-10", "streaming", 21), 1),
            (bought("s4", "2026-04-09", "streaming", 21), 1),
            // Another one of the category, at no interval.
            (bought("s5", "2026-04-20", "streaming", 21), 1),
            // Only two.
            (bought("g1", "2026-01-05", "gym", 50), 1),
            (bought("g2", "2026-02-05", "gym", 50), 1),
            // The price rose by more than 5 %.
            (bought("n1", "2026-01-05", "news", 10), 1),
            (bought("n2", "2026-02-05", "news", 10), 1),
            (bought("n3", "2026-03-05", "news", 11), 1),
        ])]);
        let found =
            rows(&data.catalog(), "SELECT category, amount, transaction_id, third_last, second_last, last FROM recurring_purchases");
        assert_eq!(found, ["streaming,21,s4,2026-02-10,2026-03-10,2026-04-09"]);
    }

    /// The returns of portfolios, rounded to millionths.
    fn returns(portfolios: &[(Portfolio, i32)]) -> Vec<String> {
        let mut data = TestData::new();
        data.commit(vec![changes(portfolios)]);
        let rounded = "ROUND(modified_dietz, 6), ROUND(time_weighted, 6)";
        rows(&data.catalog(), &format!("SELECT date, {rounded} FROM returns ORDER BY date"))
    }

    #[test]
    fn returns_weight_what_was_paid_by_the_rest_of_its_day_and_are_linked() {
        let noon = 43_200;
        let days = [
            // 100 / 1000, paid in at the beginning of the day. The grid point of midnight is of the day before it.
            portfolio(1000, 0, EventTime::from_nanos(at(5, 0).nanos() + 1)),
            portfolio(1100, 100, at(6, 0)),
            // 130 / (1100 + 500 / 2)
            portfolio(1600, 100, at(6, noon)),
            portfolio(1730, 230, at(6, noon + 1)),
            // -30 / (1730 - 200 / 4)
            portfolio(1530, 230, at(7, 64_800)),
            portfolio(1500, 200, at(7, 64_801)),
        ];
        // 1.1 × (1 + 130 / 1350) × (1 - 30 / 1680) - 1, by hand.
        assert_eq!(returns(&days), ["2026-01-05,0.1,0.1", "2026-01-06,0.096296,0.205926", "2026-01-07,-0.017857,0.184392"]);
    }

    #[test]
    fn what_was_paid_in_before_a_portfolio_begins_is_capital_of_the_whole_day() {
        // An account without a book has 1,000 since the day before, buys an hour before midnight, and gains 10.
        let days = [portfolio(1000, 0, at(6, 82_801)), portfolio(1010, 10, at(6, 84_600))];
        assert_eq!(returns(&days), ["2026-01-06,0.01,0.01"]);
    }

    #[test]
    fn what_exchange_rates_do_to_cash_is_a_return_and_no_payment() {
        // 1,000 are there when the day begins. Cash in a foreign currency loses 50, then 950 / 2 are paid in at noon, and nothing moves.
        let with_fx = |(row, change): (Portfolio, i32)| (Portfolio { fx_pnl: Total::whole(-50), ..row }, change);
        let days = [portfolio(1000, 0, at(6, 60)), with_fx(portfolio(950, 0, at(6, 43_100))), with_fx(portfolio(1425, 0, at(6, 43_200)))];
        // -50 / (1000 + 475 / 2), by hand.
        assert_eq!(returns(&days), ["2026-01-06,-0.040404,-0.040404"]);
    }

    #[test]
    fn a_portfolio_in_another_currency_and_one_that_was_empty_begin_again() {
        let at_tick = |tick: i64, (row, change): (Portfolio, i32)| (row, tick, change);
        let euro = |equity, pnl, ts| portfolio(equity, pnl, ts).0;
        let dollar = |equity, pnl, ts| Portfolio { currency: name("USD"), ..euro(equity, pnl, ts) };
        let returns = |rows_in: &[(Portfolio, i64, i32)]| {
            let mut data = TestData::new();
            data.commit(vec![changes_at(rows_in)]);
            let rounded = "ROUND(modified_dietz, 6), ROUND(time_weighted, 6)";
            rows(&data.catalog(), &format!("SELECT currency, date, {rounded} FROM returns ORDER BY date, currency"))
        };
        // From EUR to USD within the second day and back within the fourth, in which nothing moves until the evening.
        let (first, second, third) = (euro(1100, 100, at(5, 60)), dollar(1100, 100, at(6, 60)), dollar(550, -450, at(7, 60)));
        let (fourth, fifth) = (euro(550, -450, at(8, 60)), euro(561, -439, at(8, 80_000)));
        let story = [(euro(1000, 0, at(5, 30)), 1, 1), (first, 2, 1), (second, 3, 1), (third, 4, 1), (fourth, 5, 1), (fifth, 6, 1)];
        let expected = ["EUR,2026-01-05,0.1,0.1", "USD,2026-01-06,0.0,0.0", "USD,2026-01-07,-0.5,-0.5", "EUR,2026-01-08,0.02,0.02"];
        assert_eq!(returns(&story), expected);
        // It is left on the second day, and another account enters on the fourth.
        let left = [
            at_tick(1, portfolio(1000, 0, at(5, 30))),
            at_tick(2, portfolio(1100, 100, at(5, 60))),
            (euro(1100, 100, at(5, 60)), 3, -1),
            at_tick(4, portfolio(500, 0, at(8, 43_200))),
            at_tick(5, portfolio(505, 5, at(8, 43_260))),
        ];
        assert_eq!(returns(&left), ["EUR,2026-01-05,0.1,0.1", "EUR,2026-01-08,0.01,0.01"]);
    }

    #[test]
    fn a_return_without_capital_is_unknown_and_one_after_a_total_loss_is_not_linked() {
        let days = [
            portfolio(0, 0, at(5, 60)),
            portfolio(100, 0, at(6, 43_200)),
            portfolio(0, -100, at(7, 60)),
            portfolio(100, -100, at(8, 43_200)),
            portfolio(105, -95, at(8, 43_201)),
        ];
        assert_eq!(returns(&days), ["2026-01-05,,", "2026-01-06,0.0,0.0", "2026-01-07,-1.0,", "2026-01-08,0.1,"]);
    }

    #[test]
    fn what_rounding_leaves_is_no_capital() {
        // An account in EUR bought futures in USD and paid nothing in. At 1.27 the fee of 1.25 USD is -0.984251969 EUR, the loss of 10.24 USD
        // -8.062992126 EUR, and the value of 443.76 USD less the 455.25 USD paid is 349.417322835 - 358.464566929: 10^-9 more than the P&L.
        let row = |equity, realized, unrealized, ts| {
            let (row, change) = portfolio(0, 0, ts);
            let [equity, realized_pnl, unrealized_pnl] = [equity, realized, unrealized].map(Total::from_units);
            (Portfolio { equity, realized_pnl, unrealized_pnl, gross_exposure: Total::whole(349), ..row }, change)
        };
        let bought = row(-9_047_244_094, -984_251_969, -8_062_992_126, at(5, 50_881));
        assert_eq!(returns(&[portfolio(0, 0, at(5, 60)), bought]), ["2026-01-05,,"]);
        // Nor is it capital of the next day, when the futures are sold.
        let even = row(1, -984_251_969, 984_251_970, at(5, 60_000));
        let (closed, change) = row(-984_251_969, -984_251_969, 0, at(6, 60));
        let days = [portfolio(0, 0, at(5, 60)), even, (Portfolio { gross_exposure: Total::ZERO, ..closed }, change)];
        assert_eq!(returns(&days), ["2026-01-05,,", "2026-01-06,,"]);
    }

    /// The 99 % VaR of account `a`.
    fn var(var: i64, ts: EventTime) -> Risk {
        Risk {
            scope: Scope::derived("account:a"),
            method: RiskMethod::Historical,
            confidence: Statistic::new(0.99).unwrap_or_default(),
            window: 252,
            observations: 252,
            var: Total::whole(var),
            expected_shortfall: Total::whole(var),
            left_out: 0,
            filled: 0,
            components: Vec::new(),
            ts,
        }
    }

    /// Midnight after `day` days of 2026, at which the rows of that day end.
    fn end_of(day: i64) -> EventTime {
        EventTime::from_nanos(at(1, 0).nanos() + day * 86_400_000_000_000)
    }

    #[test]
    fn a_var_is_held_against_the_next_day_and_only_a_greater_loss_is_an_exception() {
        let mut data = TestData::new();
        let pnl = |tick: i64, total: i64| {
            let (row, change) = portfolio(0, total, end_of(tick));
            (row, tick, change)
        };
        // P&L by day: -10 of a VaR of 10, -11 of 10, -15 of 20; flat at the end of the fifth day, so there is none for the sixth.
        let portfolios = [pnl(1, 0), pnl(2, -10), pnl(3, -21), pnl(4, -36), pnl(5, -100), pnl(6, -200)];
        let (ten, twenty) = (var(10, end_of(1)), var(20, end_of(3)));
        let risk = [(ten, 1, 1), (twenty.clone(), 3, 1), (twenty, 5, -1)];
        data.commit(vec![changes_at(&portfolios), changes_at(&risk)]);
        let catalog = data.catalog();
        let days = rows(&catalog, "SELECT method, confidence, date, var, pnl, is_exception FROM var_backtest_days ORDER BY date");
        let expected = [
            "historical,0.99,2026-01-02,10,-10,false",
            "historical,0.99,2026-01-03,10,-11,true",
            "historical,0.99,2026-01-04,20,-15,false",
            "historical,0.99,2026-01-05,20,-64,true",
        ];
        assert_eq!(days, expected);
        let counted = "SELECT days, first_date, last_date, exceptions, ROUND(expected, 6), zone FROM var_backtest";
        assert_eq!(rows(&catalog, counted), ["4,2026-01-02,2026-01-05,2,0.04,green"]);
    }

    #[test]
    fn no_var_is_held_against_another_life_of_a_portfolio() {
        let mut data = TestData::new();
        let row = |total: i64, day: i64| portfolio(0, total, end_of(day)).0;
        // It has a VaR of 100, gains 500, is left on the third day, and another account enters on the tenth.
        let portfolios = [(row(0, 1), 1, 1), (row(500, 2), 2, 1), (row(500, 2), 3, -1), (row(0, 10), 10, 1), (row(-9, 11), 11, 1)];
        let (first, second) = (var(100, end_of(1)), var(5, end_of(10)));
        data.commit(vec![changes_at(&portfolios), changes_at(&[(first.clone(), 1, 1), (first, 3, -1), (second, 10, 1)])]);
        let days = rows(&data.catalog(), "SELECT date, var, pnl, is_exception FROM var_backtest_days ORDER BY date");
        assert_eq!(days, ["2026-01-02,100,500,false", "2026-01-11,5,-9,true"]);
    }

    #[test]
    fn a_backtest_tests_the_number_and_the_succession_of_the_exceptions_of_250_days() {
        // Ratios by hand, from the formulas of Kupiec (1995) and Christoffersen (1998): (days with exceptions of 260, expected).
        let clustered = [3, 5, 30, 31, 32, 60, 90, 120, 150, 180, 210, 240];
        for (exceptions, expected) in [
            (&clustered[..], "250,10,2.5,12.955491,3.800683,red"),
            (&clustered[8..], "250,4,2.5,0.769138,0.130618,green"),
            (&[], "250,0,2.5,5.025168,0.0,green"),
        ] {
            let mut data = TestData::new();
            let (mut total, mut portfolios) = (0, vec![(portfolio(0, 0, end_of(1)).0, 1, 1)]);
            for day in 0..260 {
                total -= if exceptions.contains(&day) { 11 } else { 1 };
                portfolios.push((portfolio(0, total, end_of(day + 2)).0, day + 2, 1));
            }
            data.commit(vec![changes_at(&portfolios), changes_at(&[(var(10, end_of(1)), 1, 1)])]);
            let figures = "days, exceptions, ROUND(expected, 6), ROUND(kupiec, 6), ROUND(christoffersen, 6), zone";
            assert_eq!(rows(&data.catalog(), &format!("SELECT {figures} FROM var_backtest")), [expected], "{exceptions:?}");
        }
    }

    #[test]
    fn every_reason_of_a_decision_is_a_row() {
        let reason = |rule: &str, points: f64, evidence: &[&str]| Reason {
            rule: rule.into(),
            points: Statistic::new(points).unwrap_or_default(),
            evidence: evidence.iter().map(|text| (*text).into()).collect(),
        };
        let decision = |subject: &str, reasons| Decision {
            decision_id: id(&format!("banking:transaction:{subject}")),
            state: DecisionState::Amended,
            subject_type: SubjectType::Transaction,
            subject_id: id(subject),
            account_id: None,
            ruleset: "banking".into(),
            score: Statistic::new(70.0).unwrap_or_default(),
            decision: Verdict::Block,
            reasons,
            ts: at(1, 0),
        };
        let fired = vec![
            reason("velocity", 40.0, &["count_10m=25", "(and earlier events)", "t1", "t2"]),
            reason("night", 0.0, &["hour_local=unknown"]),
            reason("late_event", 0.0, &["t1"]),
        ];
        let mut data = TestData::new();
        let alert = ledger_alert("l", "hold_overdue", AlertState::Raised);
        let alert = Alert { message: "h is overdue".into(), evidence: vec![id("h")], ..alert };
        data.commit(vec![changes(&[(decision("t2", fired), 1), (decision("t3", vec![]), 1)]), changes(&[(alert, 1)])]);
        let query =
            "SELECT id, kind, subject, rule, points, figures, events, has_earlier_events, state FROM explanations ORDER BY id, rule";
        let expected = [
            "banking:transaction:t2,decision,t2,late_event,0.0,,\"[\"\"t1\"\"]\",false,amended",
            "banking:transaction:t2,decision,t2,night,0.0,hour_local=unknown,[],false,amended",
            "banking:transaction:t2,decision,t2,velocity,40.0,count_10m=25,\"[\"\"t1\"\",\"\"t2\"\"]\",true,amended",
            "l,ledger,a,hold_overdue,,h is overdue,\"[\"\"h\"\"]\",false,raised",
        ];
        assert_eq!(rows(&data.catalog(), query), expected);
    }

    #[test]
    fn a_crossed_book_is_seen() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[
            (book("A", 99, Some(100), at(1, 0)), 1),
            (book("B", 99, None, at(1, 0)), 1),
            (book("C", 100, Some(100), at(1, 0)), 1),
        ])]);
        assert_eq!(rows(&data.catalog(), "SELECT symbol FROM crossed_books"), ["C"]);
        data.commit(vec![changes(&[(book("C", 98, Some(100), at(1, 1)), 1)])]);
        assert_eq!(rows(&data.catalog(), "SELECT symbol FROM crossed_books").len(), 0);
    }

    #[test]
    fn positions_are_holdings_at_the_marks_of_the_commit() {
        let mut data = TestData::new();
        let terms = InstrumentTerms {
            symbol: name("F"),
            asset_class: AssetClass::Future,
            currency: name("EUR"),
            multiplier: Factor::whole(50),
            written: at(1, 0),
            ts: at(1, 0),
        };
        data.commit(vec![
            changes(&[(holding("S", 10, None, at(1, 1)), 1), (holding("F", 2, Some(10), at(1, 1)), 1)]),
            changes(&[(terms, 1)]),
        ]);
        let query = "SELECT symbol, currency, quantity, average_price, mark_price, market_value, unrealized_pnl, ts, commit_id FROM positions ORDER BY symbol";
        let unmarked = ["F,EUR,2,9,,,,2026-01-01T00:00:01Z,1", "S,,10,9,,,,2026-01-01T00:00:01Z,1"];
        assert_eq!(rows(&data.catalog(), query), unmarked);
        data.commit(vec![changes(&[(mark("S", 11, None, at(1, 2)), 1), (mark("F", 10, None, at(1, 2)), 1)])]);
        let marked = ["F,EUR,2,9,10,1000,100,2026-01-01T00:00:02Z,2", "S,,10,9,11,110,20,2026-01-01T00:00:02Z,2"];
        assert_eq!(rows(&data.catalog(), query), marked);
        assert_eq!(rows(&data.catalog_at(1), query), unmarked);
    }

    #[test]
    fn the_history_of_positions_has_every_move_of_a_mark() {
        let mut data = TestData::new();
        // The first tick has the mark, the second one moves it, in the third only a trade is printed.
        let marks =
            changes(&[(mark("S", 10, None, at(1, 0)), 1), (mark("S", 12, None, at(1, 1)), 1), (mark("S", 12, Some(7), at(1, 1)), 1)]);
        data.commit(vec![changes(&[(holding("S", 5, Some(10), at(1, 0)), 1)]), marks]);
        let query = "SELECT tick, quantity, mark_price, market_value, unrealized_pnl, change, commit_id FROM positions_history ORDER BY tick, change";
        assert_eq!(rows(&data.catalog(), query), ["0,5,10,50,5,1,1", "1,5,10,50,5,-1,1", "1,5,12,60,15,1,1"]);
    }
}
