//! The words that fields choose from.

use crate::value::text_enum;

text_enum! {
    /// What kind of thing an instrument is.
    AssetClass {
        /// `equity`
        Equity = "equity",
        /// `option`
        Option = "option",
        /// `future`
        Future = "future",
        /// `fx`
        Fx = "fx",
        /// `crypto`
        Crypto = "crypto",
        /// `bond`
        Bond = "bond",
    }
}

text_enum! {
    /// Which way an order, a fill or an execution goes.
    Side {
        /// `buy`
        Buy = "buy",
        /// `sell`
        Sell = "sell",
    }
}

text_enum! {
    /// How an order names its price.
    OrderType {
        /// `market`
        Market = "market",
        /// `limit`
        Limit = "limit",
        /// `stop`
        Stop = "stop",
        /// `stop_limit`
        StopLimit = "stop_limit",
    }
}

text_enum! {
    /// How long an order stays.
    TimeInForce {
        /// `day`
        Day = "day",
        /// `gtc`
        Gtc = "gtc",
        /// `gtd`
        Gtd = "gtd",
        /// `ioc`
        Ioc = "ioc",
        /// `fok`
        Fok = "fok",
    }
}

text_enum! {
    /// What happens when an order would meet one of its own owner's.
    SelfTrade {
        /// `cancel_newest`
        CancelNewest = "cancel_newest",
        /// `cancel_oldest`
        CancelOldest = "cancel_oldest",
        /// `cancel_both`
        CancelBoth = "cancel_both",
        /// `decrement`
        Decrement = "decrement",
        /// `allow`
        Allow = "allow",
    }
}

text_enum! {
    /// What a symbol's book does with orders.
    TradingPhase {
        /// `pre_open`
        PreOpen = "pre_open",
        /// `continuous`
        Continuous = "continuous",
        /// `auction`
        Auction = "auction",
        /// `halted`
        Halted = "halted",
        /// `closed`
        Closed = "closed",
    }
}

text_enum! {
    /// What an account is for.
    AccountType {
        /// `checking`
        Checking = "checking",
        /// `savings`
        Savings = "savings",
        /// `credit`
        Credit = "credit",
        /// `loan`
        Loan = "loan",
        /// `investment`
        Investment = "investment",
    }
}

text_enum! {
    /// Why money moved.
    TransactionType {
        /// `deposit`
        Deposit = "deposit",
        /// `withdrawal`
        Withdrawal = "withdrawal",
        /// `transfer`
        Transfer = "transfer",
        /// `payment`
        Payment = "payment",
        /// `interest`
        Interest = "interest",
        /// `fee`
        Fee = "fee",
    }
}

text_enum! {
    /// Whether a transaction is final.
    TransactionPhase {
        /// `posted`
        Posted = "posted",
        /// `pending`
        Pending = "pending",
        /// `void`
        Void = "void",
    }
}

text_enum! {
    /// The way a transaction came in.
    Channel {
        /// `cash`
        Cash = "cash",
        /// `card`
        Card = "card",
        /// `ach`
        Ach = "ach",
        /// `wire`
        Wire = "wire",
        /// `crypto`
        Crypto = "crypto",
        /// `online`
        Online = "online",
        /// `atm`
        Atm = "atm",
        /// `branch`
        Branch = "branch",
    }
}

text_enum! {
    /// What a payment was made with.
    PaymentMethod {
        /// `credit_card`
        CreditCard = "credit_card",
        /// `debit_card`
        DebitCard = "debit_card",
        /// `ach`
        Ach = "ach",
        /// `wire`
        Wire = "wire",
        /// `crypto`
        Crypto = "crypto",
    }
}

text_enum! {
    /// How far a payment has come.
    PaymentStatus {
        /// `pending`
        Pending = "pending",
        /// `processing`
        Processing = "processing",
        /// `completed`
        Completed = "completed",
        /// `failed`
        Failed = "failed",
        /// `cancelled`
        Cancelled = "cancelled",
        /// `refunded`
        Refunded = "refunded",
    }
}

text_enum! {
    /// How an attempt at access ended.
    AccessOutcome {
        /// `success`
        Success = "success",
        /// `denied`
        Denied = "denied",
        /// `failure`
        Failure = "failure",
    }
}

text_enum! {
    /// What a limit bounds.
    LimitKind {
        /// `position_value`
        PositionValue = "position_value",
        /// `gross_exposure`
        GrossExposure = "gross_exposure",
        /// `leverage`
        Leverage = "leverage",
        /// `concentration`
        Concentration = "concentration",
        /// `var`
        Var = "var",
        /// `order_quantity`
        OrderQuantity = "order_quantity",
        /// `order_notional`
        OrderNotional = "order_notional",
        /// `daily_withdrawal`
        DailyWithdrawal = "daily_withdrawal",
        /// `daily_transfer`
        DailyTransfer = "daily_transfer",
        /// `transaction_amount`
        TransactionAmount = "transaction_amount",
    }
}

text_enum! {
    /// The side of a price that a watch waits for.
    Direction {
        /// `above`
        Above = "above",
        /// `below`
        Below = "below",
    }
}
