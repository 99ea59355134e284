//! The topics: their names, their keys and their rank in the order of events.

use crate::value::text_enum;

text_enum! {
    /// A topic that the pipeline reads. The variants are in rank order: table topics, then accounts, then the rest.
    Topic {
        /// What can be traded, and its conventions. A table: a tombstone deletes.
        Instruments = "instruments",
        /// Who owns accounts, where they live, and with whom they are linked. A table.
        Customers = "customers",
        /// What may not be exceeded, by scope and kind. A table.
        Limits = "limits",
        /// Prices that a customer wants to hear of. A table.
        Watchlists = "watchlists",
        /// What a customer means to spend a month. A table.
        Budgets = "budgets",
        /// Accounts opened, updated, frozen, unfrozen, closed.
        Accounts = "accounts",
        /// Best bid and ask.
        Quotes = "market.quotes",
        /// Prints of the market.
        Trades = "market.trades",
        /// Closing prices.
        Closes = "market.closes",
        /// Exchange rates.
        FxRates = "fx.rates",
        /// Orders, amends, cancels and phases for our own book.
        Orders = "orders",
        /// Fills from other venues, and their busts.
        Fills = "fills",
        /// Postings to accounts.
        Transactions = "transactions",
        /// Payments to merchants.
        Payments = "payments",
        /// Transfers in their steps.
        Transfers = "transfers",
        /// Who looked at or changed what.
        Access = "access",
        /// Corrections by people: fraud or not, which category.
        Labels = "labels",
    }
}

impl Topic {
    /// How many topics there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The place among topics at the same effective time.
    pub const fn rank(self) -> u8 {
        self as u8
    }

    /// The topic of a rank.
    pub fn from_rank(rank: u8) -> Option<Self> {
        Self::ALL.get(usize::from(rank)).copied()
    }

    /// Whether the newest record of a key replaces the earlier ones, and a tombstone deletes it. `ts` is optional there.
    pub const fn is_table(self) -> bool {
        matches!(self, Self::Instruments | Self::Customers | Self::Limits | Self::Watchlists | Self::Budgets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_topics_come_first_then_accounts() {
        let ranks: Vec<_> = Topic::ALL.iter().map(|topic| topic.rank()).collect();
        assert_eq!(ranks, (0..17).collect::<Vec<u8>>());
        assert!(Topic::ALL.iter().filter(|topic| topic.is_table()).all(|topic| topic.rank() < Topic::Accounts.rank()));
        assert!(Topic::ALL.iter().all(|topic| Topic::from_rank(topic.rank()) == Some(*topic)));
    }
}
