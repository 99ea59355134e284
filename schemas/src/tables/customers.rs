//! Tables of customers' views.

use super::{AlertState, NotificationKind, Severity, SpendingRule, WatchPhase, tables};
use crate::Offset;
use crate::events::Direction;
use crate::value::{AccountId, Amount, Currency, CustomerId, Date, Decimal, EventTime, Id, Price, Symbol, Text, Total};

tables! {
    /// What a customer spent in a month and category. Captures, voids and reversals change the month of the purchase.
    State Spending = "spending" by (customer_id, month, category, currency) {
        /// The customer.
        customer_id: CustomerId,
        /// The month in the customer's time zone, `YYYY-MM`.
        month: Text,
        /// The category: of the purchase's label, else of the merchant's code, else of the merchant's name, else `other`.
        category: Text,
        /// The currency of the purchases.
        currency: Currency,
        /// The sum of the purchases, less what was reversed.
        amount: Total,
        /// The number of purchases that were not reversed in full.
        count: i64,
        /// The effective time of the last change.
        ts: EventTime,
    }

    /// What a customer spent on a day in a category, for the comparison of months. State of the spending.
    Checkpoint SpendingDay = "spending_days" by (customer_id, category, currency, date) {
        /// The customer.
        customer_id: CustomerId,
        /// The category.
        category: Text,
        /// The currency of the purchases.
        currency: Currency,
        /// The date in the customer's time zone.
        date: Date,
        /// The sum of the purchases, less what was reversed.
        amount: Total,
        /// The end of the date.
        ts: EventTime,
    }

    /// A customer's monthly budget in a category. State of the spending.
    Checkpoint CustomerBudget = "customer_budgets" by (customer_id, category) {
        /// The customer.
        customer_id: CustomerId,
        /// The category.
        category: Text,
        /// Amount per month.
        amount: Amount,
        /// The currency of the amount.
        currency: Currency,
        /// The part of the amount at which to warn, if the record gives one.
        threshold: Option<Decimal>,
        /// The record's own time, if it has one.
        written: Option<EventTime>,
        /// The effective time of the record.
        ts: EventTime,
    }

    /// An alert about a customer's month that was raised. State of the spending.
    Checkpoint SpendingAlert = "spending_alerts" by (customer_id, rule, month, category, currency) {
        /// The customer.
        customer_id: CustomerId,
        /// The rule.
        rule: SpendingRule,
        /// The month in the customer's time zone, `YYYY-MM`.
        month: Text,
        /// The category.
        category: Text,
        /// The currency of the purchases.
        currency: Currency,
        /// The state of the alert.
        alert_state: AlertState,
        /// The severity of the alert.
        severity: Severity,
        /// The budget with which the month was compared last.
        budget: Option<Amount>,
        /// The part of that budget at which to warn.
        threshold: Option<Decimal>,
        /// Time of the last change of the alert.
        ts: EventTime,
    }

    /// A purchase and its label; of a label that came first, the label alone. State of the labelled purchases.
    Checkpoint LabelledPurchase = "labelled_purchases" by (transaction_id) {
        /// The transaction.
        transaction_id: Id,
        /// The customer.
        customer_id: Option<CustomerId>,
        /// The date in the customer's time zone.
        date: Option<Date>,
        /// The category by the rules.
        category: Option<Text>,
        /// The currency.
        currency: Option<Currency>,
        /// The amount that counts.
        amount: Option<Amount>,
        /// Whether it is a hold that is not resolved yet.
        is_held: bool,
        /// The newest label.
        label: Option<Text>,
        /// The label's own time.
        label_ts: Option<EventTime>,
        /// Partition of the label's record.
        label_partition: Option<i32>,
        /// Offset of the label's record.
        label_offset: Option<Offset>,
        /// The effective time of the purchase, or of the last change of what counts; without a purchase, that of the label.
        ts: EventTime,
    }

    /// A purchase of an account that is not opened yet. State of the purchases.
    Checkpoint WaitingPurchase = "waiting_purchases" by (account_id, transaction_id) {
        /// The account.
        account_id: AccountId,
        /// The transaction.
        transaction_id: Id,
        /// The category by the rules.
        category: Text,
        /// The currency.
        currency: Currency,
        /// The amount that counts.
        amount: Amount,
        /// Whether it is a hold that is not resolved yet.
        is_held: bool,
        /// The account that receives it.
        counterparty_account: Option<AccountId>,
        /// The transaction's own time.
        written: EventTime,
        /// Partition of its record.
        partition: i32,
        /// Offset of its record.
        offset: Offset,
        /// Whether it is late.
        is_late: bool,
        /// The effective time of its record.
        ts: EventTime,
    }

    /// A sentence for a customer.
    State Notification = "notifications" by (notification_id) published by customer_id {
        /// Derived from the rule, the customer, the subject and the day; of notices in quiet hours, from the customer and their end.
        notification_id: Id,
        /// The customer.
        customer_id: CustomerId,
        /// The kind; `digest` if it lists several notices.
        kind: NotificationKind,
        /// What it is about; of a digest, the customer.
        subject: Id,
        /// The sentence, or the list.
        message: Text,
        /// When to deliver it: at once, or at the end of the customer's quiet hours.
        deliver_at: EventTime,
        /// The effective time of its last notice.
        ts: EventTime,
    }

    /// A notice of the current day, or one that waits for the end of quiet hours. State of the notifications.
    Checkpoint CustomerNotice = "customer_notices" by (customer_id, rule, subject, date) {
        /// The customer.
        customer_id: CustomerId,
        /// The rule.
        rule: Text,
        /// What it is about.
        subject: Id,
        /// The kind.
        kind: NotificationKind,
        /// The sentence.
        message: Text,
        /// The date in the customer's time zone.
        date: Date,
        /// When it is delivered.
        deliver_at: EventTime,
        /// Whether it waits for the end of quiet hours.
        is_quiet: bool,
        /// The number of notices before it in its digest.
        number: i64,
        /// Its effective time.
        ts: EventTime,
    }

    /// A watched price, and whether the symbol's mark has reached it. State of price alerts.
    Checkpoint PriceWatch = "price_watches" by (customer_id, symbol) {
        /// The customer.
        customer_id: CustomerId,
        /// The symbol.
        symbol: Symbol,
        /// The direction from which the price is reached.
        direction: Direction,
        /// The watched price.
        price: Price,
        /// The record's own time, if it has one.
        written: Option<EventTime>,
        /// Where the mark is, relative to the price.
        phase: WatchPhase,
        /// The standing alert.
        alert_id: Option<Id>,
        /// The effective time of the last change.
        ts: EventTime,
    }
}
