//! Why an order was refused or ended: stable codes.

use headwater_schemas::Text;

macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident = $code:literal),+ $(,)?) => {
        /// Why an order was refused or ended. The codes are stable: reports and alerts rely on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $reason),+ }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$reason),+];

            /// The code, as it stands in `order_events`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$reason => $code),+ }
            }

            /// The code as a column's value.
            pub const fn text(self) -> Text {
                Text::const_new(self.code())
            }
        }
    };
}

reasons! {
    // Refused before the book, in the order of the checks: of several reasons the first one counts.
    /// Nobody told of the instrument, or it was deleted.
    UnknownInstrument = "unknown_instrument",
    /// No account has such an order in the book: it never was, or it has ended. Cancels are refused for this and the next
    /// reason alone.
    UnknownOrder = "unknown_order",
    /// Other accounts have such an order in the book, and this one does not.
    WrongAccount = "wrong_account",
    /// The price, or the stop price, is not above zero, and the instrument is no future.
    NotPositive = "not_positive",
    /// The price, or the stop price, is no multiple of the tick.
    OffTick = "off_tick",
    /// The quantity, or what is shown of it, is no multiple of the lot.
    OffLot = "off_lot",
    /// The limit is too far from the last price (the reference price while there is none). Of an order without a limit:
    /// what others offer is, and what was left of it is cancelled.
    PriceBand = "price_band",
    /// More than a limit of kind `order_quantity` allows.
    OrderQuantity = "order_quantity",
    /// Worth more than a limit of kind `order_notional` allows.
    OrderNotional = "order_notional",
    /// There is such a limit, and no price to value a market order at.
    NoReferencePrice = "no_reference_price",
    /// A number that no column could hold. The book has such a check as well, after all others.
    Overflow = "overflow",
    /// The account is closed.
    AccountClosed = "account_closed",
    /// The account is frozen.
    AccountFrozen = "account_frozen",
    /// The configuration names the symbol as restricted.
    RestrictedSymbol = "restricted_symbol",

    // Refused by the book, in the order of its checks.
    /// The quantity, or what is shown of it, is not above zero.
    NoQuantity = "no_quantity",
    /// A limit order without its limit.
    MissingPrice = "missing_price",
    /// A stop without its trigger.
    MissingStopPrice = "missing_stop_price",
    /// A `gtd` order without its end.
    MissingExpiresAt = "missing_expires_at",
    /// A `gtd` order that has ended before it came.
    AlreadyExpired = "already_expired",
    /// An order of the account with this name is in the book.
    DuplicateOrder = "duplicate_order",
    /// The phase allows no such thing.
    WrongPhase = "wrong_phase",
    /// An order without a limit cannot get one.
    UnexpectedPrice = "unexpected_price",
    /// It would have traded at once and said that it must not.
    PostOnly = "post_only",

    // Why an accepted order ended or shrank.
    /// Amended to no more than was filled already.
    AmendedAway = "amended_away",
    /// What was left of a market order.
    NoLiquidity = "no_liquidity",
    /// What was left of an `ioc` order.
    ImmediateOrCancel = "immediate_or_cancel",
    /// An `fok` order that could not be filled whole.
    FillOrKill = "fill_or_kill",
    /// It would have met an order of its own owner.
    SelfTrade = "self_trade",
    /// A `day` order when the symbol closed.
    EndOfDay = "end_of_day",
    /// A `gtd` order whose time has come.
    ExpiresAt = "expires_at",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct() {
        let codes: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
    }
}
