//! Interest: days, months, rates that change, and restarts.

use headwater_schemas::Date;
use headwater_schemas::tables::{InterestAccrual, LedgerEntry};

use super::*;
use crate::ledger::interest::DayCount;

const DAY: u64 = 86_400_000_000_000;
const HOUR: u64 = 3_600_000_000_000;

const POSTED: Balances = Balances {
    interest: InterestSettings { post: true, day_count: DayCount { checking: 365, savings: 365, credit: 365, loan: 360, investment: 365 } },
    of: BalancesOf::All,
};

/// A record at an hour of a day of January 1970, counted on: the 32nd is the first of February.
fn on(day: u64, hour: u64, fields: &str) -> String {
    format!("@{} {fields}", (day - 1) * DAY + hour * HOUR)
}

fn opened(account_type: &str, rate: &str) -> String {
    format!(r#""type":"opened","customer_id":"c","account_type":"{account_type}","currency":"USD","interest_rate":"{rate}""#)
}

fn transaction(id: &str, kind: &str, amount: &str) -> String {
    format!(r#""transaction_id":"{id}","type":"{kind}","amount":"{amount}""#)
}

fn emitted(view: Balances, records: &[String]) -> Emitted<Balances> {
    let events = events(&records.iter().map(String::as_str).collect::<Vec<_>>());
    let posted = run(POSTINGS, to_postings(POSTINGS, &events));
    run(view, to_balances(&events, &posted.derived))
}

/// The days that accrued, as `date rate balance accrued posted residue`.
fn days(view: Balances, records: &[String]) -> Vec<String> {
    let rows = rows_of(&emitted(view, records).tables.interest_accruals).into_iter();
    let text = |row: Option<Money>| row.map_or("none".to_owned(), |amount| amount.to_string());
    rows.map(|row| format!("{} {} {} {} {} {}", row.date, row.rate, row.balance, text(row.accrued), row.posted, row.residue)).collect()
}

#[test]
fn interest_accrues_by_day_and_is_posted_by_month() {
    let records = [
        on(30, 1, &opened("savings", "0.0365")),
        on(30, 12, &transaction("d", "deposit", "1000.04")),
        on(31, 23, &transaction("w", "withdrawal", "0.04")),
        on(33, 12, &transaction("e", "deposit", "1")),
        on(34, 12, &transaction("f", "deposit", "1")),
    ];
    // 1000.04 × 0.0365 / 365 = 0.100004, 1000 × 0.0365 / 365 = 0.1
    let expected = [
        "1970-01-30 0.0365 1000.04 0.100004 0 0.100004",
        "1970-01-31 0.0365 1000 0.1 0.2 0.000004",
        "1970-02-01 0.0365 1000 0.1 0 0.100004",
        "1970-02-02 0.0365 1001 0.1001 0 0.200104",
    ];
    assert_eq!(days(Balances::default(), &records), expected);

    let expected = [
        "1970-01-30 0.0365 1000.04 0.100004 0 0.100004",
        "1970-01-31 0.0365 1000 0.1 0.2 0.000004",
        "1970-02-01 0.0365 1000.2 0.10002 0 0.100024",
        "1970-02-02 0.0365 1001.2 0.10012 0 0.200144",
    ];
    assert_eq!(days(POSTED, &records), expected, "what is posted bears interest");
    let emitted = emitted(POSTED, &records);
    let text = |leg: &LedgerEntry| format!("{} {} {} {}", leg.entry_id, leg.transaction_id, leg.account_id, leg.amount);
    let legs: Vec<_> = rows_of(&emitted.tables.ledger_entries).iter().map(text).collect();
    let expected = ["interest-a-1970-01-1 interest-a-1970-01 a 0.2", "interest-a-1970-01-2 interest-a-1970-01 external:USD -0.2"];
    assert_eq!(legs, expected);
    let derived: Vec<_> = emitted.derived.iter().map(|posting| (posting.event.account_id, posting.event.posted)).collect();
    assert_eq!(derived, [(AccountId::external(Currency::derived("USD")), "-0.2".parse().unwrap())]);
}

#[test]
fn credit_and_loans_are_charged_and_others_paid() {
    let of = |account_type: &str, kind: &str| {
        let records =
            [on(10, 1, &opened(account_type, "0.36")), on(10, 2, &transaction("t", kind, "1000")), on(11, 2, &transaction("l", kind, "0"))];
        days(POSTED, &records)
    };
    for (account_type, kind, expected) in [
        ("savings", "deposit", &["1970-01-10 0.36 1000 0.98630137 0 0.98630137"][..]),
        ("savings", "payment", &[]),
        ("credit", "payment", &["1970-01-10 0.36 -1000 -0.98630137 0 -0.98630137"]),
        ("credit", "deposit", &[]),
        // 360 days
        ("loan", "payment", &["1970-01-10 0.36 -1000 -1 0 -1"]),
        ("loan", "deposit", &[]),
    ] {
        assert_eq!(of(account_type, kind), expected, "{account_type} {kind}");
    }
}

#[test]
fn a_rate_counts_from_the_day_of_its_own_time() {
    let updated = |rate: &str, day: u64| format!(r#""type":"updated","interest_rate":"{rate}","ts":{}"#, (day - 1) * DAY + HOUR);
    let begin = [on(10, 1, &opened("savings", "0.0365")), on(10, 2, &transaction("d", "deposit", "1000"))];
    let end = on(14, 1, &transaction("l", "deposit", "1"));
    let days_with = |more: &[String]| days(Balances::default(), &[&begin[..], more, std::slice::from_ref(&end)].concat());
    let (first, second) = ("1970-01-10 0.0365 1000 0.1 0 0.1", "1970-01-11 0.0365 1000 0.1 0 0.2");
    let expected = [first, second, "1970-01-12 0.073 1000 0.2 0 0.4", "1970-01-13 0.073 1000 0.2 0 0.6"];
    assert_eq!(days_with(&[on(12, 2, &updated("0.073", 12))]), expected, "in time");
    assert_eq!(days_with(&[on(13, 2, &updated("0.073", 12))]), expected, "a day late");
    let newer = [on(13, 2, &updated("0.073", 13)), on(13, 3, &updated("0.365", 12))];
    let expected = [first, second, "1970-01-12 0.365 1000 1 0 1.2", "1970-01-13 0.073 1000 0.2 0 1.4"];
    assert_eq!(days_with(&newer), expected, "an older one counts until the newer one");
    // The month that is posted does not change.
    let records = [begin[0].clone(), begin[1].clone(), on(33, 1, &updated("0.073", 31)), on(34, 1, &transaction("l", "deposit", "1"))];
    let all = days(Balances::default(), &records);
    let expected = ["1970-01-31 0.0365 1000 0.1 2.2 0", "1970-02-01 0.073 1000 0.2 0 0.2", "1970-02-02 0.073 1000 0.2 0 0.4"];
    assert_eq!(all[all.len() - 3..], expected);
}

#[test]
fn what_bears_no_interest_has_no_rows() {
    let closed = r#""type":"closed""#.to_owned();
    let cases: &[(&str, Vec<String>, &[&str])] = &[
        (
            "an account without a rate",
            vec![on(10, 1, &transaction("d", "deposit", "1000")), on(12, 1, &transaction("e", "deposit", "1"))],
            &[],
        ),
        (
            "an empty day, and a closed account",
            vec![
                on(10, 1, &opened("savings", "0.0365")),
                on(12, 1, &transaction("d", "deposit", "1000")),
                on(13, 1, &transaction("w", "withdrawal", "1000")),
                on(15, 1, &transaction("e", "deposit", "2000")),
                on(16, 1, &closed),
                on(40, 1, &transaction("f", "deposit", "1")),
            ],
            &["1970-01-12 0.0365 1000 0.1 0 0.1", "1970-01-15 0.0365 2000 0.2 0 0.3", "1970-01-31 0.0365 2000 0 0.3 0"],
        ),
    ];
    for (name, records, expected) in cases {
        assert_eq!(days(Balances::default(), records), *expected, "{name}");
    }
}

#[test]
fn what_a_closed_account_is_owed_is_posted_with_an_alert() {
    let records = [
        on(10, 1, &opened("savings", "0.0365")),
        on(15, 1, &transaction("d", "deposit", "2000")),
        on(16, 1, r#""type":"closed""#),
        on(40, 1, &transaction("e", "deposit", "0")),
    ];
    let emitted = emitted(POSTED, &records);
    let legs: Vec<_> = rows_of(&emitted.tables.ledger_entries).iter().map(|leg| format!("{} {}", leg.entry_id, leg.amount)).collect();
    assert_eq!(legs, ["interest-a-1970-01-1 0.2", "interest-a-1970-01-2 -0.2"]);
    let alerts: Vec<_> = rows_of(&emitted.tables.alerts).iter().map(|alert| alert.message.to_string()).collect();
    assert_eq!(alerts, ["account a is closed, and was used by transaction interest-a-1970-01"]);
}

#[test]
fn a_quiet_account_costs_no_rows() {
    let records = [
        on(10, 1, &opened("savings", "0.0365")),
        on(10, 2, &transaction("d", "deposit", "1000.5")),
        on(11, 1, &transaction("w", "withdrawal", "1000.5")),
        // 0.10005 has accrued and 0.1 is posted. What is left waits without a timer.
        on(400, 1, &transaction("z", "deposit", "0")),
    ];
    let emitted = emitted(Balances::default(), &records);
    let states: Vec<_> = history_of(&emitted.tables.interest_states).iter().map(|(_, row, _)| row.ts.to_string()).collect();
    let expected = [
        "1970-01-10T01:00:00Z",
        "1970-01-10T02:00:00Z",
        "1970-01-10T23:59:59.999999999Z",
        "1970-01-11T23:59:59.999999999Z",
        "1970-01-31T23:59:59.999999999Z",
    ];
    assert_eq!(states, expected);
}

/// What changes the interest of an account.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// An amount into the account, in whole units.
    Money(i64),
    /// A yearly rate in hundredths, from a time on.
    Rate(u64, u32),
}

/// The interest of each closed day on which something accrued or was posted, computed from all changes: `date accrued posted
/// residue`. Each change has its effective time. The last one is the end of time.
fn recomputed(changes: &[(u64, Change)], is_charged: bool) -> Vec<String> {
    let (mut residue, mut days) = (0_i128, Vec::new());
    let end = changes.last().map_or(0, |(time, _)| *time);
    let mut date = Date::from_days(0);
    while date.end().effective() < EffectiveTime::new(end) {
        let (close, month) = (date.end().effective().get(), date.month_end().end().effective().get());
        let money = changes.iter().filter(|(time, _)| *time <= close).map(|(_, change)| match change {
            Change::Money(amount) => *amount,
            Change::Rate(..) => 0,
        });
        let balance = i128::from(money.sum::<i64>());
        let bearing = if is_charged { balance.min(0) } else { balance.max(0) };
        let known = changes.iter().filter(|(time, _)| *time <= month).filter_map(|(_, change)| match change {
            Change::Rate(ts, rate) if *ts <= close => Some((*ts, *rate)),
            _ => None,
        });
        let rate = known.reduce(|newest, rate| if newest.0 <= rate.0 { rate } else { newest }).map_or(0, |(_, rate)| rate);
        // Billionths of a hundredth, divided by 365: never halfway between two.
        let exact = bearing * i128::from(rate) * 10_000_000;
        let accrued = (exact + exact.signum() * 182) / 365;
        residue += accrued;
        let cents = if date == date.month_end() { (residue + residue.signum() * 5_000_000) / 10_000_000 } else { 0 };
        let posted = cents * 10_000_000;
        residue -= posted;
        if accrued != 0 || posted != 0 {
            days.push(format!("{date} {} {} {}", Money::from_units(accrued), Money::from_units(posted), Money::from_units(residue)));
        }
        date = date.next();
    }
    days
}

proptest! {
    #[test]
    fn interest_is_what_a_recomputation_of_all_days_gives(
        steps in proptest::collection::vec((0..12_u64, 0..4_u8, 0..2000_u32, 0..40_u64), 1..40),
        loan in any::<bool>(),
        cut in 0..80_usize,
    ) {
        let start = 19 * DAY + HOUR;
        let mut hour = 20 * 24;
        let mut records = vec![on(20, 1, &opened(if loan { "loan" } else { "savings" }, "0.05"))];
        let mut changes = vec![(start, Change::Rate(start, 5))];
        for (number, (hours, kind, amount, late)) in steps.iter().enumerate() {
            hour += hours * 7;
            // Not at the very start, when the account was opened.
            let time = hour * HOUR + 60_000_000_000;
            let (fields, change) = match kind {
                0 => {
                    let (ts, rate) = ((time - late * HOUR).max(start + 1), amount % 10);
                    (format!(r#""type":"updated","interest_rate":"0.0{rate}","ts":{ts}"#), Change::Rate(ts, rate))
                }
                1 => (transaction(&format!("t{number}"), "payment", &amount.to_string()), Change::Money(-i64::from(*amount))),
                _ => (transaction(&format!("t{number}"), "deposit", &amount.to_string()), Change::Money(i64::from(*amount))),
            };
            records.push(format!("@{} {fields}", time + number as u64));
            changes.push((time + number as u64, change));
        }
        let events = events(&records.iter().map(String::as_str).collect::<Vec<_>>());
        let posted = run(POSTINGS, to_postings(POSTINGS, &events));
        let view = Balances { interest: InterestSettings::default(), of: BalancesOf::All };
        let emitted = run_with_restart(view, to_balances(&events, &posted.derived), cut);
        let is_something = |row: &&InterestAccrual| !row.accrued.unwrap_or_default().is_zero() || !row.posted.is_zero();
        let text = |row: &InterestAccrual| {
            format!("{} {} {} {}", row.date, row.accrued.unwrap_or_default(), row.posted, row.residue)
        };
        let found: Vec<_> = rows_of(&emitted.tables.interest_accruals).iter().filter(is_something).map(text).collect();
        prop_assert_eq!(found, recomputed(&changes, loan));
    }

    #[test]
    fn a_restart_in_the_middle_changes_no_interest(
        steps in proptest::collection::vec((0..9_u64, 0..4_u8, 0..2000_u32), 1..30),
        cut in 0..60_usize,
        loan in any::<bool>(),
    ) {
        let mut hour = 0;
        let mut records = vec![on(20, 1, &opened(if loan { "loan" } else { "savings" }, "0.05"))];
        for (number, (hours, kind, amount)) in steps.iter().enumerate() {
            hour += hours * 7;
            let fields = match kind {
                0 => format!(r#""type":"updated","interest_rate":"0.0{}","ts":{}"#, amount % 10, 19 * DAY + hour.saturating_sub(30) * HOUR),
                1 => transaction(&format!("t{number}"), "payment", &amount.to_string()),
                _ => transaction(&format!("t{number}"), "deposit", &amount.to_string()),
            };
            records.push(on(20, 2 + hour, &fields));
        }
        let events = events(&records.iter().map(String::as_str).collect::<Vec<_>>());
        let posted = run(POSTINGS, to_postings(POSTINGS, &events));
        let happenings = to_balances(&events, &posted.derived);
        let (whole, resumed) = (run(POSTED, happenings.clone()), run_with_restart(POSTED, happenings, cut));
        prop_assert_eq!(history_of(&whole.tables.interest_accruals), history_of(&resumed.tables.interest_accruals));
        prop_assert_eq!(history_of(&whole.tables.interest_states), history_of(&resumed.tables.interest_states));
        prop_assert_eq!(history_of(&whole.tables.interest_points), history_of(&resumed.tables.interest_points));
        prop_assert_eq!(history_of(&whole.tables.balances), history_of(&resumed.tables.balances));
        prop_assert_eq!(&whole.derived, &resumed.derived);

        // The residue is what accrued and was not posted, and is less than half a cent after each posting.
        let rows = rows_of(&whole.tables.interest_accruals);
        let sum = |amounts: &mut dyn Iterator<Item = i128>| amounts.sum::<i128>();
        let accrued = sum(&mut rows.iter().filter_map(|row| row.accrued).map(Money::units));
        let paid = sum(&mut rows.iter().map(|row| row.posted.units()));
        prop_assert_eq!(rows.last().map_or(0, |row| row.residue.units()), accrued - paid);
        let after = rows.iter().filter(|row| !row.posted.is_zero());
        prop_assert!(after.into_iter().all(|row| row.residue.units().abs() <= 5_000_000));
    }
}
