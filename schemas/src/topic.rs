//! Topics: their names, their keys and their ranks in the order of events.

use crate::value::text_enum;

text_enum! {
    /// A topic that the pipeline reads. The variants are in rank order: table topics, then accounts, then the rest.
    Topic {
        /// Tradable instruments and their conventions. A table: a tombstone deletes a key.
        Instruments = "instruments",
        /// Customers: their homes, time zones and groups. A table.
        Customers = "customers",
        /// Limits by scope and kind. A table.
        Limits = "limits",
        /// Prices of which customers want to be notified. A table.
        Watchlists = "watchlists",
        /// Customers' monthly budgets. A table.
        Budgets = "budgets",
        /// Alerts that people do not want to see for some time. A table.
        Suppressions = "suppressions",
        /// Accounts opened, updated, frozen, unfrozen, closed.
        Accounts = "accounts",
        /// Best bid and ask.
        Quotes = "market.quotes",
        /// Trades of the market.
        Trades = "market.trades",
        /// Closing prices.
        Closes = "market.closes",
        /// Exchange rates.
        FxRates = "fx.rates",
        /// Orders, amends, cancels and phases for our own book.
        Orders = "orders",
        /// Fills from other venues, and their busts.
        Fills = "fills",
        /// Transactions: postings to accounts, and holds.
        Transactions = "transactions",
        /// Payments to merchants.
        Payments = "payments",
        /// Multi-step transfers.
        Transfers = "transfers",
        /// Attempts to access or change something.
        Access = "access",
        /// Labels by people: fraud or not, spending category.
        Labels = "labels",
        /// Rule packs: proposed by one person, approved by another.
        Rules = "rules",
    }
}

impl Topic {
    /// The number of topics.
    pub const COUNT: usize = Self::ALL.len();

    /// The topic's rank in the order of events with equal effective times.
    pub const fn rank(self) -> u8 {
        self as u8
    }

    /// The topic with a rank.
    pub fn from_rank(rank: u8) -> Option<Self> {
        Self::ALL.get(usize::from(rank)).copied()
    }

    /// Whether the newest record of a key replaces the earlier ones, and a tombstone deletes it. `ts` is optional there.
    pub const fn is_table(self) -> bool {
        matches!(self, Self::Instruments | Self::Customers | Self::Limits | Self::Watchlists | Self::Budgets | Self::Suppressions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_topics_come_first_then_accounts() {
        let ranks: Vec<_> = Topic::ALL.iter().map(|topic| topic.rank()).collect();
        assert_eq!(ranks, (0..19).collect::<Vec<u8>>());
        assert!(Topic::ALL.iter().filter(|topic| topic.is_table()).all(|topic| topic.rank() < Topic::Accounts.rank()));
        assert!(Topic::ALL.iter().all(|topic| Topic::from_rank(topic.rank()) == Some(*topic)));
    }
}
