//! FX P&L and stale rates, by hand.

use headwater_schemas::{Money, Price};

use super::*;
use crate::valuation::Mark;

fn rate(base: &str, rate: &str, ts: i64) -> Known {
    let (base, quote) = (Currency::derived(base), Currency::derived("USD"));
    Known::Rate { base, quote, rate: rate.parse().expect("a rate"), ts: EventTime::from_nanos(ts), is_stale: false }
}

/// A rate that has become too old.
fn aged(known: Known) -> Known {
    match known {
        Known::Rate { base, quote, rate, ts, .. } => Known::Rate { base, quote, rate, ts, is_stale: true },
        other => other,
    }
}

fn cash(account: &str, currency: &str, posted: i64) -> Known {
    let (account_id, currency) = (AccountId::derived(account), Currency::derived(currency));
    Known::Cash { account_id, currency, posted: Money::whole(posted) }
}

fn text(row: &Portfolio) -> String {
    let Portfolio { scope, currency, equity, fx_pnl, max_drawdown, unvalued, stale_rates, .. } = row;
    let count = |count: &u64, what: &str| if *count == 0 { String::new() } else { format!(" {what} {count}") };
    let (unvalued, stale) = (count(unvalued, "unvalued"), count(stale_rates, "stale"));
    format!("{scope} {equity} {currency} fx {fx_pnl} drawdown {max_drawdown}{unvalued}{stale}")
}

/// The rows of portfolios, and the number of rows of what was paid in, after each grid point: the same with a restart at any of
/// them, on other workers.
fn followed(steps: &[Vec<Known>]) -> Vec<(Vec<String>, usize)> {
    let run = |workers: usize, cut: Option<usize>| {
        let (mut valuation, mut known, mut rows) = (Workers::new(workers), BTreeMap::new(), Vec::new());
        for (number, changes) in steps.iter().enumerate() {
            let tick = Tick::new(number as u64 + 1);
            if cut == Some(number) {
                valuation = Workers::restored(3 - workers, &known, valuation.now.clone(), tick);
            }
            valuation.advance(tick, changes, false);
            known.extend(changes.iter().map(|known| (key(known), known.clone())));
            let portfolios = &valuation.now.portfolios.0;
            rows.push((portfolios.iter().map(text).collect::<Vec<_>>(), valuation.now.paid_in.0.len()));
        }
        (rows, valuation.now)
    };
    let whole = run(1, None);
    for cut in 0..steps.len() {
        for workers in [1, 2] {
            assert_eq!(run(workers, Some(cut)), whole, "{workers} workers before a restart at {cut}");
        }
    }
    whole.0
}

/// The rows after the grid points, without the number of those of what was paid in.
fn portfolios(steps: &[Vec<Known>]) -> Vec<Vec<String>> {
    followed(steps).into_iter().map(|(rows, _)| rows).collect()
}

#[test]
fn rates_move_what_is_there_and_payments_count_at_their_own_rates() {
    let rows = followed(&[
        vec![steps::opened("a", "USD", Some("firm")), rate("EUR", "1.10", 1), cash("a", "EUR", 100), cash("a", "USD", 7)],
        vec![rate("EUR", "1.20", 2)],
        // 50 are paid out at 1.20: of 110 that were paid in 50 remain, worth 60.
        vec![cash("a", "EUR", 50)],
        // 45 less 50. The peak was 10.
        vec![rate("EUR", "0.90", 4)],
        // All is paid out, at 0.90: 5 were paid in that never came back.
        vec![cash("a", "EUR", 0)],
        vec![rate("EUR", "2", 6)],
    ]);
    let of_both = |rest: &str| (vec![format!("account:a {rest}"), format!("book:firm {rest}")], 1);
    let expected = [
        of_both("117 USD fx 0 drawdown 0"),
        of_both("127 USD fx 10 drawdown 0"),
        of_both("67 USD fx 10 drawdown 0"),
        of_both("52 USD fx -5 drawdown 15"),
        of_both("7 USD fx -5 drawdown 15"),
        of_both("7 USD fx -5 drawdown 15"),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_balance_in_the_currency_of_the_account_is_foreign_to_books_of_another() {
    let rows = followed(&[
        vec![steps::opened("a", "EUR", Some("firm")), rate("EUR", "1.10", 1), cash("a", "EUR", 100)],
        vec![rate("EUR", "1.20", 2)],
        vec![rate("EUR", "1", 3)],
    ]);
    let rows_of = |book: &str| (vec!["account:a 100 EUR fx 0 drawdown 0".to_owned(), format!("book:firm {book}")], 1);
    let expected = [rows_of("110 USD fx 0 drawdown 0"), rows_of("120 USD fx 10 drawdown 0"), rows_of("100 USD fx -10 drawdown 20")];
    assert_eq!(rows, expected);
}

#[test]
fn a_third_currency_has_a_result_in_that_of_the_account_and_in_that_of_its_books() {
    let rows = followed(&[
        vec![steps::opened("a", "EUR", Some("firm")), rate("EUR", "1.25", 1), rate("GBP", "1.5", 1), cash("a", "GBP", 100)],
        // From 150 / 1.25 to 200 / 1.25 euros.
        vec![rate("GBP", "2", 2)],
        // To 200 / 2 euros.
        vec![rate("EUR", "2", 3)],
    ]);
    let expected = [
        (vec!["account:a 120 EUR fx 0 drawdown 0".to_owned(), "book:firm 150 USD fx 0 drawdown 0".to_owned()], 2),
        (vec!["account:a 160 EUR fx 40 drawdown 0".to_owned(), "book:firm 200 USD fx 50 drawdown 0".to_owned()], 2),
        (vec!["account:a 100 EUR fx -20 drawdown 60".to_owned(), "book:firm 200 USD fx 50 drawdown 0".to_owned()], 2),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_payment_without_a_rate_counts_at_the_first_rate() {
    let rows = followed(&[
        vec![steps::opened("a", "USD", Some("firm")), cash("a", "EUR", 60)],
        vec![cash("a", "EUR", 100)],
        vec![rate("EUR", "1.10", 3)],
        vec![rate("EUR", "1.20", 4)],
    ]);
    let of_both = |rest: &str, count| (vec![format!("account:a {rest}"), format!("book:firm {rest}")], count);
    let expected = [
        of_both("0 USD fx 0 drawdown 0 unvalued 1", 0),
        of_both("0 USD fx 0 drawdown 0 unvalued 1", 0),
        of_both("110 USD fx 0 drawdown 0", 1),
        of_both("120 USD fx 10 drawdown 0", 1),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn an_account_takes_its_result_to_another_book_and_begins_anew_in_another_currency() {
    let rows = followed(&[
        vec![steps::opened("a", "USD", Some("firm/x")), rate("EUR", "1.10", 1), rate("GBP", "2", 1), cash("a", "EUR", 100)],
        vec![rate("EUR", "1.20", 2)],
        vec![steps::opened("a", "USD", Some("firm/y"))],
        // 120 / 2 pounds. Its books have the same currency as before.
        vec![steps::opened("a", "GBP", Some("firm/y"))],
        // To 90 / 2 pounds.
        vec![rate("EUR", "0.90", 5)],
        // In dollars it is known what was paid in.
        vec![steps::opened("a", "USD", Some("firm/y"))],
        // With neither a book nor a position it has no portfolio, and begins anew when it has one.
        vec![steps::opened("a", "USD", None)],
        vec![steps::opened("a", "USD", Some("firm/y"))],
    ]);
    let of_all = |account: &str, books: [&str; 2], count| {
        let [path, rest] = books;
        (vec![format!("account:a {account}"), format!("book:firm {rest}"), format!("book:firm/{path} {rest}")], count)
    };
    let [begun, risen] = ["110 USD fx 0 drawdown 0", "120 USD fx 10 drawdown 0"];
    let expected = [
        of_all(begun, ["x", begun], 1),
        of_all(risen, ["x", risen], 1),
        of_all(risen, ["y", risen], 1),
        of_all("60 GBP fx 0 drawdown 0", ["y", risen], 2),
        of_all("45 GBP fx -15 drawdown 15", ["y", "90 USD fx -20 drawdown 30"], 2),
        of_all("90 USD fx -20 drawdown 20", ["y", "90 USD fx -20 drawdown 30"], 1),
        (vec![], 0),
        of_all("90 USD fx 0 drawdown 0", ["y", "90 USD fx 0 drawdown 0"], 1),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn positions_and_balances_at_a_stale_rate_are_counted_until_it_is_renewed() {
    let symbol = Symbol::derived("S");
    let (currency, multiplier) = (Currency::derived("EUR"), headwater_schemas::Factor::whole(1));
    let instrument = Known::Instrument { symbol, asset_class: AssetClass::Equity, currency, multiplier };
    let old = rate("EUR", "1.10", 1);
    let rows = portfolios(&[
        // Two pieces that cost 9 with the fee are worth 20, in euros.
        vec![
            instrument,
            Known::Mark(Mark { symbol, price: Some(Price::whole(10)) }),
            steps::opened("a", "USD", Some("firm")),
            steps::opened("j", "JPY", None),
            steps::holding("a", "S", 2),
            steps::holding("j", "S", 2),
            old.clone(),
            rate("JPY", "0.01", 1),
            cash("a", "EUR", 100),
            cash("a", "USD", 1),
        ],
        vec![aged(old)],
        vec![rate("EUR", "1.10", 3)],
        // Over the pivot the older of both counts.
        vec![aged(rate("JPY", "0.01", 1))],
        vec![aged(rate("EUR", "1.10", 3))],
        vec![rate("JPY", "0.01", 6)],
    ]);
    let stale = |count: u64| if count == 0 { String::new() } else { format!(" stale {count}") };
    let rows_with = |of_a: u64, of_j: u64| {
        let in_dollars = format!("123.1 USD fx 0 drawdown 0{}", stale(of_a));
        vec![
            format!("account:a {in_dollars}"),
            format!("account:j 1210 JPY fx 0 drawdown 0{}", stale(of_j)),
            format!("book:firm {in_dollars}"),
        ]
    };
    assert_eq!(rows, [(0, 0), (2, 1), (0, 0), (0, 1), (2, 1), (2, 1)].map(|(of_a, of_j)| rows_with(of_a, of_j)));
}
