//! Reasons why an order was rejected or ended: stable codes.

use headwater_schemas::Text;

macro_rules! reasons {
    ($($(#[$doc:meta])* $reason:ident = $code:literal),+ $(,)?) => {
        /// Reason why an order was rejected or ended. The codes are stable: reports and alerts rely on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $reason),+ }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$reason),+];

            /// The code, as in the column `reason` of `order_events`.
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
    // Rejected before the book, in the order of the checks: of several reasons the first one counts.
    /// The instrument is not known, or was deleted.
    UnknownInstrument = "unknown_instrument",
    /// No account has an order of this id in the book: there never was one, or it has ended. A cancel can be rejected only for this
    /// reason and the next.
    UnknownOrder = "unknown_order",
    /// An order of this id is in the book, but not of this account.
    WrongAccount = "wrong_account",
    /// The price, or the stop price, is not above zero, and the instrument is no future.
    NotPositive = "not_positive",
    /// The price, or the stop price, is no multiple of the tick.
    OffTick = "off_tick",
    /// The quantity, or the displayed quantity, is no multiple of the lot.
    OffLot = "off_lot",
    /// The limit is outside the price band around the last price (the reference price while there is none). For an order without a
    /// limit: the next offer is outside the band, and the rest of the order is cancelled.
    PriceBand = "price_band",
    /// More than a limit of kind `order_quantity` allows.
    OrderQuantity = "order_quantity",
    /// Worth more than a limit of kind `order_notional` allows.
    OrderNotional = "order_notional",
    /// A limit of kind `order_notional` applies, and there is no price to value a market order at.
    NoReferencePrice = "no_reference_price",
    /// A result does not fit a column. The book checks the same, after all its other checks.
    Overflow = "overflow",
    /// The account is closed.
    AccountClosed = "account_closed",
    /// The account is frozen.
    AccountFrozen = "account_frozen",
    /// The configuration names the symbol as restricted.
    RestrictedSymbol = "restricted_symbol",

    // Rejected by the book, in the order of its checks.
    /// The quantity, or the displayed quantity, is not above zero.
    NoQuantity = "no_quantity",
    /// A limit order has no price.
    MissingPrice = "missing_price",
    /// A stop has no stop price.
    MissingStopPrice = "missing_stop_price",
    /// A `gtd` order has no `expires_at`.
    MissingExpiresAt = "missing_expires_at",
    /// A `gtd` order came at or after its `expires_at`.
    AlreadyExpired = "already_expired",
    /// The account already has an order of this id in the book.
    DuplicateOrder = "duplicate_order",
    /// The trading phase does not allow it.
    WrongPhase = "wrong_phase",
    /// An amendment gives a price to an order without a limit.
    UnexpectedPrice = "unexpected_price",
    /// A post-only order would have traded at once.
    PostOnly = "post_only",

    // Why an accepted order ended or shrank.
    /// The amended quantity is no more than what was filled.
    AmendedAway = "amended_away",
    /// The rest of a market order, for want of offers.
    NoLiquidity = "no_liquidity",
    /// The rest of an `ioc` order.
    ImmediateOrCancel = "immediate_or_cancel",
    /// An `fok` order that could not be filled whole.
    FillOrKill = "fill_or_kill",
    /// It would have traded with an order of the same owner.
    SelfTrade = "self_trade",
    /// A `day` order ended when the symbol closed.
    EndOfDay = "end_of_day",
    /// A `gtd` order reached its `expires_at`.
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
