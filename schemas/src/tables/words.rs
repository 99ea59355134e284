//! The words that tables choose from.

use crate::value::text_enum;

text_enum! {
    /// What an execution's side did to the book.
    Liquidity {
        /// `maker`
        Maker = "maker",
        /// `taker`
        Taker = "taker",
        /// `auction`
        Auction = "auction",
    }
}

text_enum! {
    /// What happened to an order.
    OrderChange {
        /// `accepted`
        Accepted = "accepted",
        /// `rejected`
        Rejected = "rejected",
        /// `partially_filled`
        PartiallyFilled = "partially_filled",
        /// `filled`
        Filled = "filled",
        /// `amended`
        Amended = "amended",
        /// `cancelled`
        Cancelled = "cancelled",
        /// `expired`
        Expired = "expired",
        /// `triggered`
        Triggered = "triggered",
    }
}

text_enum! {
    /// How a risk figure was estimated.
    RiskMethod {
        /// `historical`
        Historical = "historical",
        /// `parametric`
        Parametric = "parametric",
        /// `ewma`
        Ewma = "ewma",
        /// `monte_carlo`
        MonteCarlo = "monte_carlo",
    }
}

text_enum! {
    /// What a decision is about.
    SubjectType {
        /// `transaction`
        Transaction = "transaction",
        /// `payment`
        Payment = "payment",
    }
}

text_enum! {
    /// Whether a decision still stands as it was made.
    DecisionState {
        /// `made`
        Made = "made",
        /// `amended`
        Amended = "amended",
        /// `withdrawn`
        Withdrawn = "withdrawn",
    }
}

text_enum! {
    /// Why a decision was changed or withdrawn, by another event.
    Amendment {
        /// `late_event`: the event came late and stands before it.
        LateEvent = "late_event",
        /// `taken_back`: the event reversed or voided this one, or one before it.
        TakenBack = "taken_back",
        /// `captured`: the event captured a hold for another amount than was held.
        Captured = "captured",
    }
}

text_enum! {
    /// What a scored transaction is to another one.
    TransactionRole {
        /// `original`: it stands for itself.
        Original = "original",
        /// `capture`: it posts what a hold held.
        Capture = "capture",
        /// `reversal`: it turns back a posting.
        Reversal = "reversal",
    }
}

text_enum! {
    /// What a ruleset decides.
    Verdict {
        /// `approve`
        Approve = "approve",
        /// `review`
        Review = "review",
        /// `block`
        Block = "block",
    }
}

text_enum! {
    /// The family of an alert.
    AlertKind {
        /// `risk`
        Risk = "risk",
        /// `limit`
        Limit = "limit",
        /// `fraud`
        Fraud = "fraud",
        /// `compliance`
        Compliance = "compliance",
        /// `ledger`
        Ledger = "ledger",
        /// `price`
        Price = "price",
        /// `budget`
        Budget = "budget",
        /// `feed`
        Feed = "feed",
    }
}

text_enum! {
    /// How much an alert matters.
    Severity {
        /// `low`
        Low = "low",
        /// `medium`
        Medium = "medium",
        /// `high`
        High = "high",
        /// `critical`
        Critical = "critical",
    }
}

text_enum! {
    /// Whether an alert still stands as it was raised.
    AlertState {
        /// `raised`
        Raised = "raised",
        /// `amended`
        Amended = "amended",
        /// `cleared`
        Cleared = "cleared",
        /// `withdrawn`
        Withdrawn = "withdrawn",
    }
}
