//! Views: questions that are asked often, as SQL files in `sql/views`. The comment that opens a file says what is asked.

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
    View { name: "corrections", sql: include_str!("../views/corrections.sql") },
    View { name: "crossed_books", sql: include_str!("../views/crossed_books.sql") },
    View { name: "trial_balance", sql: include_str!("../views/trial_balance.sql") },
    View { name: "unbalanced_legs", sql: include_str!("../views/unbalanced_legs.sql") },
];

impl View {
    /// The question: the first sentence of the comment that opens the file.
    pub fn question(&self) -> &'static str {
        let comment = self.sql.lines().next().unwrap_or_default().trim_start_matches("--").trim();
        comment.find('?').and_then(|end| comment.get(..=end)).unwrap_or(comment)
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Money;

    use super::*;
    use crate::testing::{TestData, at, book, facts, leg, rows, state};

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

    #[test]
    fn a_crossed_book_is_seen() {
        let mut data = TestData::new();
        data.commit(vec![state(&[
            (book("A", 99, Some(100), at(1, 0)), 1),
            (book("B", 99, None, at(1, 0)), 1),
            (book("C", 100, Some(100), at(1, 0)), 1),
        ])]);
        assert_eq!(rows(&data.catalog(), "SELECT symbol FROM crossed_books"), ["C"]);
        data.commit(vec![state(&[(book("C", 98, Some(100), at(1, 1)), 1)])]);
        assert_eq!(rows(&data.catalog(), "SELECT symbol FROM crossed_books").len(), 0);
    }
}
