//! Enumerations of event fields.

use crate::value::text_enum;

text_enum! {
    /// The asset class of an instrument.
    AssetClass {
        /// A share.
        Equity = "equity",
        /// A right to buy or sell.
        Option = "option",
        /// An obligation to buy or sell later.
        Future = "future",
        /// A pair of currencies.
        Fx = "fx",
        /// A coin or token.
        Crypto = "crypto",
        /// A debt that pays interest.
        Bond = "bond",
    }
}

text_enum! {
    /// The direction of an order, a fill or an execution.
    Side {
        /// Buys the instrument.
        Buy = "buy",
        /// Sells the instrument.
        Sell = "sell",
    }
}

text_enum! {
    /// The type of an order.
    OrderType {
        /// At any price; the quantity that cannot trade at once is cancelled.
        Market = "market",
        /// At its limit or a better price.
        Limit = "limit",
        /// A market order, once the last price reaches the trigger.
        Stop = "stop",
        /// A limit order, once the last price reaches the trigger.
        StopLimit = "stop_limit",
    }
}

text_enum! {
    /// How long an order is valid.
    TimeInForce {
        /// Until the symbol's trading day closes.
        Day = "day",
        /// Until it is cancelled.
        Gtc = "gtc",
        /// Until its `expires_at`.
        Gtd = "gtd",
        /// Immediate or cancel: trades what it can at once; the rest is cancelled.
        Ioc = "ioc",
        /// Fill or kill: trades completely at once, or is cancelled.
        Fok = "fok",
    }
}

text_enum! {
    /// Self-trade prevention: what happens if an order would trade with one of the same owner.
    SelfTrade {
        /// The newer order is cancelled.
        CancelNewest = "cancel_newest",
        /// The older order is cancelled.
        CancelOldest = "cancel_oldest",
        /// Both are cancelled.
        CancelBoth = "cancel_both",
        /// The smaller is cancelled, and the larger is reduced by its quantity.
        Decrement = "decrement",
        /// They trade.
        Allow = "allow",
    }
}

text_enum! {
    /// The trading phase of a symbol.
    TradingPhase {
        /// Orders accumulate before the day's trading.
        PreOpen = "pre_open",
        /// Continuous trading: orders trade as they arrive.
        Continuous = "continuous",
        /// Orders accumulate for an uncrossing at one price.
        Auction = "auction",
        /// Only cancels are accepted.
        Halted = "halted",
        /// The trading day is over.
        Closed = "closed",
    }
}

text_enum! {
    /// The type of an account.
    AccountType {
        /// For daily use.
        Checking = "checking",
        /// For savings, with narrower limits.
        Savings = "savings",
        /// A credit line, which is charged interest.
        Credit = "credit",
        /// A loan, which is charged interest.
        Loan = "loan",
        /// Holds positions.
        Investment = "investment",
    }
}

text_enum! {
    /// The type of a transaction.
    TransactionType {
        /// Money enters the account from outside.
        Deposit = "deposit",
        /// Money leaves the account to the outside.
        Withdrawal = "withdrawal",
        /// Money moves from one account to another.
        Transfer = "transfer",
        /// Money is paid to a merchant.
        Payment = "payment",
        /// Interest is paid to the account, or charged to a credit or loan account.
        Interest = "interest",
        /// A fee is charged.
        Fee = "fee",
    }
}

text_enum! {
    /// The phase of a transaction.
    TransactionPhase {
        /// Final: the balance changes.
        Posted = "posted",
        /// A hold: the available balance falls, the posted balance does not.
        Pending = "pending",
        /// The release of a hold.
        Void = "void",
    }
}

text_enum! {
    /// The channel by which a transaction was initiated.
    Channel {
        /// Notes and coins.
        Cash = "cash",
        /// A card.
        Card = "card",
        /// A batch clearing house.
        Ach = "ach",
        /// A wire transfer.
        Wire = "wire",
        /// A blockchain.
        Crypto = "crypto",
        /// Online banking.
        Online = "online",
        /// A cash machine.
        Atm = "atm",
        /// A counter.
        Branch = "branch",
    }
}

text_enum! {
    /// The method of a payment.
    PaymentMethod {
        /// A credit card.
        CreditCard = "credit_card",
        /// A debit card.
        DebitCard = "debit_card",
        /// A batch clearing house.
        Ach = "ach",
        /// A wire transfer.
        Wire = "wire",
        /// A blockchain.
        Crypto = "crypto",
    }
}

text_enum! {
    /// The status of a payment.
    PaymentStatus {
        /// Requested.
        Pending = "pending",
        /// In progress.
        Processing = "processing",
        /// Paid.
        Completed = "completed",
        /// Failed.
        Failed = "failed",
        /// Cancelled.
        Cancelled = "cancelled",
        /// Refunded.
        Refunded = "refunded",
    }
}

text_enum! {
    /// The outcome of an attempt at access.
    AccessOutcome {
        /// It was allowed, and succeeded.
        Success = "success",
        /// It was not allowed.
        Denied = "denied",
        /// It was allowed, and failed.
        Failure = "failure",
    }
}

text_enum! {
    /// The figure that a limit applies to.
    LimitKind {
        /// The value of one position.
        PositionValue = "position_value",
        /// The sum of the positions' magnitudes.
        GrossExposure = "gross_exposure",
        /// Gross exposure over equity.
        Leverage = "leverage",
        /// One position's share of gross exposure.
        Concentration = "concentration",
        /// Value at risk.
        Var = "var",
        /// One order's quantity.
        OrderQuantity = "order_quantity",
        /// One order's price × quantity.
        OrderNotional = "order_notional",
        /// Withdrawals from an account per day.
        DailyWithdrawal = "daily_withdrawal",
        /// Transfers out of an account per day.
        DailyTransfer = "daily_transfer",
        /// One transaction's amount.
        TransactionAmount = "transaction_amount",
    }
}

text_enum! {
    /// The direction from which a watched price is reached.
    Direction {
        /// The price rises to it.
        Above = "above",
        /// The price falls to it.
        Below = "below",
    }
}
