//! The words that fields choose from.

use crate::value::text_enum;

text_enum! {
    /// What kind of thing an instrument is.
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
    /// Which way an order, a fill or an execution goes.
    Side {
        /// Takes the instrument for money.
        Buy = "buy",
        /// Gives the instrument for money.
        Sell = "sell",
    }
}

text_enum! {
    /// How an order names its price.
    OrderType {
        /// At any price; what cannot trade at once is cancelled.
        Market = "market",
        /// At its price or a better one.
        Limit = "limit",
        /// A market order, once the last price reaches the trigger.
        Stop = "stop",
        /// A limit order, once the last price reaches the trigger.
        StopLimit = "stop_limit",
    }
}

text_enum! {
    /// How long an order stays.
    TimeInForce {
        /// Until the symbol's trading day closes.
        Day = "day",
        /// Until it is cancelled.
        Gtc = "gtc",
        /// Until its `expires_at`.
        Gtd = "gtd",
        /// What can trade at once; the rest is cancelled.
        Ioc = "ioc",
        /// All of it at once, or nothing.
        Fok = "fok",
    }
}

text_enum! {
    /// What happens when an order would meet one of its own owner's.
    SelfTrade {
        /// The order that came last goes.
        CancelNewest = "cancel_newest",
        /// The order that rested goes.
        CancelOldest = "cancel_oldest",
        /// Both go.
        CancelBoth = "cancel_both",
        /// The smaller goes, and the larger is reduced by it.
        Decrement = "decrement",
        /// They trade.
        Allow = "allow",
    }
}

text_enum! {
    /// What a symbol's book does with orders.
    TradingPhase {
        /// Orders are collected before the day's trading.
        PreOpen = "pre_open",
        /// Orders trade as they come.
        Continuous = "continuous",
        /// Orders are collected for one price.
        Auction = "auction",
        /// Only cancels are taken.
        Halted = "halted",
        /// The trading day is over.
        Closed = "closed",
    }
}

text_enum! {
    /// What an account is for.
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
    /// Why money moved.
    TransactionType {
        /// Money comes in.
        Deposit = "deposit",
        /// Money goes out.
        Withdrawal = "withdrawal",
        /// Money goes from one account to another.
        Transfer = "transfer",
        /// Money goes to a merchant.
        Payment = "payment",
        /// Interest paid or charged.
        Interest = "interest",
        /// A charge.
        Fee = "fee",
    }
}

text_enum! {
    /// Whether a transaction is final.
    TransactionPhase {
        /// Final: the balance changes.
        Posted = "posted",
        /// A hold: what is available falls, the balance does not.
        Pending = "pending",
        /// The hold is released.
        Void = "void",
    }
}

text_enum! {
    /// The way a transaction came in.
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
    /// What a payment was made with.
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
    /// How far a payment has come.
    PaymentStatus {
        /// Asked for.
        Pending = "pending",
        /// Under way.
        Processing = "processing",
        /// Paid.
        Completed = "completed",
        /// Could not be paid.
        Failed = "failed",
        /// Called off.
        Cancelled = "cancelled",
        /// Paid back.
        Refunded = "refunded",
    }
}

text_enum! {
    /// How an attempt at access ended.
    AccessOutcome {
        /// It was done.
        Success = "success",
        /// It was not allowed.
        Denied = "denied",
        /// It was allowed, and went wrong.
        Failure = "failure",
    }
}

text_enum! {
    /// What a limit bounds.
    LimitKind {
        /// The value of one position.
        PositionValue = "position_value",
        /// The sum of positions' magnitudes.
        GrossExposure = "gross_exposure",
        /// Gross exposure over equity.
        Leverage = "leverage",
        /// One position's part of gross exposure.
        Concentration = "concentration",
        /// Value at risk.
        Var = "var",
        /// One order's quantity.
        OrderQuantity = "order_quantity",
        /// One order's price times quantity.
        OrderNotional = "order_notional",
        /// What leaves an account by withdrawal in a day.
        DailyWithdrawal = "daily_withdrawal",
        /// What leaves an account by transfer in a day.
        DailyTransfer = "daily_transfer",
        /// One transaction's amount.
        TransactionAmount = "transaction_amount",
    }
}

text_enum! {
    /// The side of a price that a watch waits for.
    Direction {
        /// The price rises to it.
        Above = "above",
        /// The price falls to it.
        Below = "below",
    }
}
