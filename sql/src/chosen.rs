//! Which rows of a view are kept for later questions: all, or those of a few keys.
//!
//! Such a view follows from several tables, and to plan and join them takes longer than to find rows that were computed before. Who asks
//! about a position asks more than one question about it, and who asks for all positions does so ten times. [`crate::kept`] keeps them.

use datafusion::logical_expr::Expr;
use headwater_connectors::parquet::record::FileRole;

use crate::committed::Committed;
use crate::state::chooses;
use crate::tables::table_named;

/// Which rows of a view are kept.
#[derive(Debug)]
pub(crate) struct Keeping {
    pub(crate) view: &'static str,
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    /// All, with which a question begins that does not choose few of them by one of these columns. Few rows are computed faster alone.
    All { few_by: [&'static str; 2] },
    /// Those of a few keys, if they are few.
    OfKeys {
        /// The column by which few rows are chosen.
        by: &'static str,
        /// The columns by which fewer of those are chosen.
        then_by: [&'static str; 2],
        /// The tables whose changes each change rows of many keys.
        spread: [&'static str; 2],
    },
}

const KEPT: [Keeping; 2] = [
    Keeping { view: "positions", rows: Rows::All { few_by: ["account_id", "symbol"] } },
    Keeping {
        view: "positions_history",
        rows: Rows::OfKeys { by: "account_id", then_by: ["symbol", "change"], spread: ["marks", "instrument_terms"] },
    },
];

/// Maximum number of changes that may each change rows of many keys: it bounds what is computed for columns and keys that nobody asks for.
const SPREAD_CHANGES: u64 = 65_536;

/// The rows that a question begins with.
#[derive(Debug)]
pub(crate) enum Asked<'f> {
    /// All rows of the view.
    All,
    /// The rows that these filters choose, if they are few.
    OfKeys(Vec<&'f Expr>),
    /// Those that it computes by itself, unless all rows are kept.
    Few,
    /// Those that it computes by itself.
    Others,
}

impl Keeping {
    /// The rows that a question with filters begins with.
    pub(crate) fn asked<'f>(&self, filters: &'f [Expr], limit: Option<usize>) -> Asked<'f> {
        match &self.rows {
            Rows::All { few_by } => {
                let chooses_few = |filter: &Expr| few_by.iter().any(|column| chooses(filter, column));
                if limit.is_none() && !filters.iter().any(chooses_few) { Asked::All } else { Asked::Few }
            }
            Rows::OfKeys { by, then_by, .. } => {
                if !filters.iter().any(|filter| chooses(filter, by)) {
                    return Asked::Others;
                }
                let is_known = |name: &str| name == *by || then_by.contains(&name);
                let is_of_them =
                    |filter: &&Expr| !filter.is_volatile() && filter.column_refs().iter().all(|column| is_known(column.name()));
                Asked::OfKeys(filters.iter().filter(is_of_them).collect())
            }
        }
    }

    /// Whether a commit has so few changes that rows of a few keys can be computed with every column.
    fn is_bounded(&self, committed: &Committed) -> bool {
        let Rows::OfKeys { spread, .. } = &self.rows else { return true };
        let files = |name: &&str| table_named(name).into_iter().flat_map(|table| committed.files(table, FileRole::History));
        spread.iter().flat_map(files).map(|file| file.rows).sum::<u64>() <= SPREAD_CHANGES
    }
}

/// The names of views of which all rows are kept.
pub(crate) fn kept_whole() -> impl Iterator<Item = &'static str> {
    KEPT.iter().filter(|kept| matches!(kept.rows, Rows::All { .. })).map(|kept| kept.view)
}

/// Which rows of a view are kept at a commit, if any.
pub(crate) fn keeping(view: &str, committed: &Committed) -> Option<&'static Keeping> {
    KEPT.iter().find(|kept| kept.view == view).filter(|kept| kept.is_bounded(committed))
}

#[cfg(test)]
mod tests {
    use headwater_schemas::tables::Holding;

    use crate::catalog::Catalog;
    use crate::questions::ROWS;
    use crate::render::Format;
    use crate::testing::{TestData, at, changes, holding, mark, name, rows, text};

    const CHANGES: &str = "SELECT symbol, quantity, market_value, change, commit_id FROM positions_history";

    /// Whether a query would join histories anew. To ask that is a question like the query itself.
    fn joins(catalog: &Catalog, query: &str) -> bool {
        text(catalog, &format!("EXPLAIN {query}"), Format::Csv).unwrap().contains("JoinExec: ")
    }

    fn of_b(symbol: &str, quantity: i64) -> Holding {
        Holding { account_id: name("b"), ..holding(symbol, quantity, None, at(1, 0)) }
    }

    /// Two symbols of account `a`, one of `b`, and a commit per day with a mark of S.
    fn marked_at(marks: &[i64]) -> TestData {
        let mut data = TestData::new();
        let held = [holding("S", 5, None, at(1, 0)), holding("T", 7, None, at(1, 0)), of_b("S", 1)];
        data.commit(vec![changes(&held.map(|held| (held, 1)))]);
        for (day, price) in (2..).zip(marks) {
            data.commit(vec![changes(&[(mark("S", *price, None, at(day, 0)), 1)])]);
        }
        data
    }

    #[test]
    fn later_questions_about_an_account_find_its_rows_in_memory() {
        let mut data = marked_at(&[10, 11]);
        let catalog = data.catalog();
        let of_a = format!("{CHANGES} WHERE account_id = 'a' AND change = 1 AND symbol = (SELECT MIN(symbol) FROM positions)");
        assert!(!joins(&catalog, &of_a), "the first question ever computes all rows of the account");
        assert_eq!(rows(&catalog, &format!("{of_a} ORDER BY commit_id")), ["S,5,,1,1", "S,5,50,1,2", "S,5,55,1,3"]);
        let gone =
            "SELECT symbol, market_value, commit_id FROM positions_history WHERE 'a' = account_id AND change = -1 ORDER BY commit_id";
        assert!(!joins(&catalog, gone), "whatever else is asked of the account");
        assert_eq!(rows(&catalog, gone), ["S,,2", "S,50,3"]);
        data.commit(vec![changes(&[(mark("S", 12, None, at(4, 0)), 1)])]);
        catalog.refresh().unwrap();
        assert!(joins(&catalog, &of_a), "the first question at a commit computes what it asks");
        assert_eq!(rows(&catalog, &format!("{of_a} ORDER BY commit_id DESC LIMIT 1")), ["S,5,60,1,4"]);
        assert!(!joins(&catalog, &of_a));
        assert_eq!(rows(&data.catalog_at(2), &of_a).len(), 2);
    }

    #[test]
    fn rows_in_memory_are_those_that_would_be_computed() {
        let data = marked_at(&[10, 11]);
        for filter in ["account_id = 'a'", "account_id IN ('b', 'a')", "account_id = 'b' AND symbol = 'S'", "account_id = 'nobody'"] {
            for asked in ["*", "COUNT(*), MIN(ts)", "change, symbol, ts AS again, ts"] {
                let (catalog, query) = (data.catalog(), format!("SELECT {asked} FROM positions_history WHERE"));
                let sorted = |filter: &str| {
                    let mut rows = rows(&catalog, &format!("{query} {filter}"));
                    rows.sort();
                    rows
                };
                // Of what is computed for each row, no keys are chosen.
                let computed = sorted(&filter.replace("account_id", "CONCAT(account_id, '')"));
                assert_eq!(sorted(filter), computed, "{asked} {filter}");
                assert_eq!(sorted(filter), computed, "{asked} {filter}, again");
            }
        }
    }

    #[test]
    fn questions_that_choose_no_account_and_accounts_with_many_rows_are_computed_by_themselves() {
        let mut data = marked_at(&[10]);
        let many: Vec<_> = (0..5000).map(|number| (of_b("U", number + 1), 1)).collect();
        data.commit(vec![changes(&many)]);
        let catalog = data.catalog();
        for (filter, expected) in [("symbol = 'T'", 1), ("account_id <> 'b'", 4), ("account_id = 'b'", 10_000)] {
            let query = format!("{CHANGES} WHERE {filter}");
            assert_eq!(expected > ROWS, filter == "account_id = 'b'");
            assert!(joins(&catalog, &query) && joins(&catalog, &query), "{filter}");
            assert_eq!(rows(&catalog, &query).len(), expected, "{filter}");
        }
        assert_eq!(rows(&catalog, &format!("{CHANGES} WHERE account_id = 'b' AND symbol = 'S'")), ["S,1,,1,1"]);
    }
}
