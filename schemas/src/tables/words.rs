//! Enumerations of table columns.

use crate::value::text_enum;

text_enum! {
    /// Role of an execution's order in the match.
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
    /// The kind of change of an order.
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
    /// The method of a risk estimate.
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
    /// The type of a decision's subject.
    SubjectType {
        /// `transaction`
        Transaction = "transaction",
        /// `payment`
        Payment = "payment",
    }
}

text_enum! {
    /// Whether a decision is unchanged.
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
    /// Why another event changed or withdrew a decision.
    Amendment {
        /// `late_event`: the event arrived late and precedes it.
        LateEvent = "late_event",
        /// `taken_back`: the event reversed or voided this transaction, or an earlier one.
        TakenBack = "taken_back",
        /// `captured`: the event captured a hold for another amount than was held.
        Captured = "captured",
    }
}

text_enum! {
    /// The relation of a scored event to another one.
    EventRole {
        /// `original`: it refers to no other event.
        Original = "original",
        /// `capture`: it captures a hold.
        Capture = "capture",
        /// `reversal`: it reverses a posting.
        Reversal = "reversal",
    }
}

text_enum! {
    /// The verdict of a ruleset.
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
        /// `aml`
        Aml = "aml",
        /// `compliance`
        Compliance = "compliance",
        /// `surveillance`
        Surveillance = "surveillance",
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
    /// The severity of an alert.
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
    /// The state of an alert.
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
