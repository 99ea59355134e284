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
    /// Which cost a closing trade removes from a position.
    LotMethod {
        /// `average`: its part of the position's cost; there are no lots.
        Average = "average",
        /// `fifo`: that of the oldest lots.
        Fifo = "fifo",
        /// `lifo`: that of the newest lots.
        Lifo = "lifo",
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
    /// Whether a suppression of alerts holds.
    SuppressionState {
        /// `active`
        Active = "active",
        /// `expired`
        Expired = "expired",
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
    /// The course of a version of a rule pack.
    RuleVersionState {
        /// `proposed`
        Proposed = "proposed",
        /// `approved`: it will judge from `effective_from` on.
        Approved = "approved",
        /// `effective`: it judges; of a retirement, nothing does.
        Effective = "effective",
        /// `superseded`: a later version has taken its place.
        Superseded = "superseded",
        /// `rejected`
        Rejected = "rejected",
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
        /// `transfer`
        Transfer = "transfer",
        /// `payment`
        Payment = "payment",
        /// `price`
        Price = "price",
        /// `budget`
        Budget = "budget",
        /// `spending`
        Spending = "spending",
        /// `feed`
        Feed = "feed",
    }
}

text_enum! {
    /// A rule of the ledger, whose breach raises an alert.
    LedgerRule {
        /// `insufficient_funds`: a debit left the available balance below zero.
        InsufficientFunds = "insufficient_funds",
        /// `frozen_account`: a frozen account was used.
        FrozenAccount = "frozen_account",
        /// `closed_account`: a closed account was used.
        ClosedAccount = "closed_account",
        /// `balance_mismatch`: the producer reports another balance.
        BalanceMismatch = "balance_mismatch",
        /// `hold_overdue`: a hold was neither captured nor voided in time.
        HoldOverdue = "hold_overdue",
    }
}

text_enum! {
    /// The rule of an alert about a customer's spending.
    SpendingRule {
        /// `spending_spike`
        SpendingSpike = "spending_spike",
        /// `budget_warning`
        BudgetWarning = "budget_warning",
        /// `budget_exceeded`
        BudgetExceeded = "budget_exceeded",
    }
}

text_enum! {
    /// The kind of a notification.
    NotificationKind {
        /// `price`: a watched price was crossed.
        Price = "price",
        /// `budget`
        Budget = "budget",
        /// `spending`
        Spending = "spending",
        /// `fraud`: a transaction or payment was blocked.
        Fraud = "fraud",
        /// `digest`: several notices in quiet hours.
        Digest = "digest",
    }
}

text_enum! {
    /// Where the mark of a symbol is, relative to a watched price.
    WatchPhase {
        /// `unpriced`: the symbol has no mark since the price is watched.
        Unpriced = "unpriced",
        /// `beyond`: the mark was at or beyond the price when it was first watched; it has to come back first.
        Beyond = "beyond",
        /// `armed`: the mark has not reached the price.
        Armed = "armed",
        /// `crossed`: the mark has reached the price, and has not come back far enough to reach it again.
        Crossed = "crossed",
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

text_enum! {
    /// The state of a transfer: its last legal step.
    TransferState {
        /// `initiated`
        Initiated = "initiated",
        /// `debited`
        Debited = "debited",
        /// `credited`
        Credited = "credited",
        /// `completed`
        Completed = "completed",
        /// `failed`
        Failed = "failed",
        /// `credit_reversed`
        CreditReversed = "credit_reversed",
        /// `debit_reversed`
        DebitReversed = "debit_reversed",
    }
}

text_enum! {
    /// Whether the ledger agrees with a payment.
    Reconciliation {
        /// `matched`: the ledger has posted the payment.
        Matched = "matched",
        /// `missing`: the ledger has not posted the payment, or has taken it back.
        Missing = "missing",
        /// `different`: the ledger has posted another account, currency or amount, or a payment that was not made.
        Different = "different",
    }
}

text_enum! {
    /// A rule for transfers and payments.
    StepRule {
        /// `stuck`: a step that must follow has not come.
        Stuck = "stuck",
        /// `out_of_order`: steps are illegal.
        OutOfOrder = "out_of_order",
        /// `not_reversed`: a transfer has failed, and what was done is not reversed.
        NotReversed = "not_reversed",
        /// `unreconciled`: the ledger does not agree with a payment.
        Unreconciled = "unreconciled",
    }
}

text_enum! {
    /// A rule of market surveillance.
    SurveillanceRule {
        /// `layering`: orders on one side are cancelled after an execution on the other.
        Layering = "layering",
        /// `wash_trade`: an owner buys and sells without a change of ownership.
        WashTrade = "wash_trade",
        /// `marking_the_close`: an account dominates the volume before the close.
        MarkingTheClose = "marking_the_close",
        /// `quote_stuffing`: an account floods the book with order messages.
        QuoteStuffing = "quote_stuffing",
        /// `front_running`: a linked account orders just before a large order.
        FrontRunning = "front_running",
        /// `order_to_trade`: an account sends many order messages for each execution of a day.
        OrderToTrade = "order_to_trade",
        /// `fat_finger`: an order is many times as large as the account's usual ones.
        FatFinger = "fat_finger",
        /// `large_trader`: an owner trades a large volume on a day.
        LargeTrader = "large_trader",
        /// `stale_feed`: a symbol has no quotes while others have.
        StaleFeed = "stale_feed",
    }
}

text_enum! {
    /// The kind of an event that surveillance remembers.
    WatchedKind {
        /// `order`: a new order.
        Order = "order",
        /// `cancel`: a cancel by the account.
        Cancel = "cancel",
        /// `execution`: one side of a match.
        Execution = "execution",
    }
}
