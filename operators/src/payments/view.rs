//! The view of payments.

use std::sync::Arc;

use headwater_schemas::events::{ErrorCode, Event, Payment, PaymentStatus};
use headwater_schemas::tables::{
    Alert, AlertKind, DeadLetter, Moment, PaymentPosting, PaymentProgress, PaymentStepTaken, Reconciliation, Severity, StepAlert, StepRule,
};
use headwater_schemas::{Correction, Currency, EffectiveTime, Id, Nanos, Place, Placed, Topic};
use serde::{Deserialize, Serialize};

use super::postings::{LoneDebit, Postings};
use super::reconciliation::{PaymentEvent, reconciled};
use super::saved::{posting_of, posting_row, row_of, step_of};
use super::stage::{Stage, Step};
use crate::admission::dead_letter;
use crate::keyed_fold::{Outbox, States, View};
use crate::steps::{Course, Finding, StepAlerts, Subject, replace_rows, update_rows};

/// View of payments. Lengths are of effective time.
#[derive(Clone, Copy, Debug)]
pub struct Payments {
    /// Time after which an outcome, or the ledger's transaction, is overdue.
    pub stuck_after: Nanos,
    /// How long refunds and the ledger's debits wait for their payment, and how long one is remembered that was not paid and has no
    /// account.
    pub horizon: Nanos,
    /// How long the others are remembered: the time within which one can be refunded, and the ledger's debit reversed.
    pub refund_horizon: Nanos,
}

/// A payment that begins: its first status that is no refund and was taken. For views that judge payments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FirstStatus {
    /// The place of its record.
    pub record: Place,
    /// The event.
    pub payment: Arc<Payment>,
}

/// State of a payment. Nearly all are debits of the ledger that no payment ever names, so those are small.
#[derive(Clone, Debug, Default)]
pub struct PaymentHistory {
    /// A debit with the id of the payment, if nothing else is known.
    debit: Option<LoneDebit>,
    known: Option<Box<KnownPayment>>,
}

/// A payment, and how it was emitted.
#[derive(Clone, Debug, Default)]
struct KnownPayment {
    now: Remembered,
    /// The payment when its rows were emitted, if it was touched since.
    emitted: Option<Box<Remembered>>,
}

/// A payment: its statuses in the order of arrival, the ledger's debits, and its alerts.
#[derive(Clone, Debug, Default)]
struct Remembered {
    steps: Vec<Placed<Step>>,
    postings: Postings,
    alerts: StepAlerts,
}

headwater_schemas::table_set! {
    /// The tables of payments.
    pub struct PaymentTables restored from SavedPayments {
        restored { payment_steps: PaymentStepTaken, payment_postings: PaymentPosting, step_alerts: StepAlert }
        written { payments_state: PaymentProgress, alerts: Alert }
    }
}

crate::fold_operator!(Payments);

impl View for Payments {
    type Key = Id;
    type Route = Id;
    type Event = PaymentEvent;
    type Broadcast = ();
    type Context = ();
    type State = PaymentHistory;
    type Timer = ();
    type Tables = PaymentTables;
    type Derived = FirstStatus;
    type Update = ();

    fn key(&self, event: &PaymentEvent) -> Id {
        event.payment_id().clone()
    }

    fn route(id: &Id) -> Id {
        id.clone()
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), id: &Id, state: &mut PaymentHistory, placed: Placed<PaymentEvent>, out: &mut Outbox<'_, Self>) {
        let placed = match placed {
            Placed { place, event: PaymentEvent::Posted(debit) } if debit.is_lone() && state.is_unknown() => {
                state.debit = Some(LoneDebit::new(&debit, place.time));
                out.set_timer(place.time.saturating_add(self.horizon), ());
                return debit.correction.into_iter().for_each(|correction| out.correct(correction));
            }
            placed => placed,
        };
        let known = state.known(id);
        let due = self.due(&known.now);
        let payment = known.touch();
        self.elapse(id, payment, placed.place, out);
        self.take(id, payment, placed, out);
        let next = self.due(payment);
        if next != due {
            due.into_iter().for_each(|time| out.cancel_timer(time, ()));
            next.into_iter().for_each(|time| out.set_timer(time, ()));
        }
    }

    fn timer(&self, (): &(), id: &Id, state: &mut PaymentHistory, (): (), place: Place, out: &mut Outbox<'_, Self>) {
        let payment = state.known(id).touch();
        self.elapse(id, payment, place, out);
        self.due(payment).into_iter().for_each(|time| out.set_timer(time, ()));
    }

    fn emit(&self, (): &(), id: &Id, state: &mut PaymentHistory, at: &Moment, tables: &PaymentTables) {
        if let Some(debit) = state.debit.as_mut().filter(|debit| debit.is_new) {
            debit.is_new = false;
            tables.payment_postings.insert(at, posting_row(id, &debit.posting(id)));
        }
        let Some(known) = &mut state.known else { return };
        let Some(emitted) = known.emitted.take() else { return };
        let (before, now) = (emitted.as_ref(), &known.now);
        replace_rows(&tables.payment_steps, at, before.step_rows(id), now.step_rows(id));
        let postings = |payment: &Remembered| payment.postings.iter().map(|posting| posting_row(id, posting)).collect();
        replace_rows(&tables.payment_postings, at, postings(before), postings(now));
        replace_rows(&tables.step_alerts, at, before.alerts.saved(subject(id)), now.alerts.saved(subject(id)));
        // The payment stays in these tables once it is forgotten.
        update_rows(&tables.payments_state, at, before.progress(id).as_slice(), now.progress(id));
        update_rows(&tables.alerts, at, &before.alert_rows(id), now.alert_rows(id));
    }

    fn is_forgettable(&self, state: &PaymentHistory) -> bool {
        state.is_empty()
    }

    fn restore(&self, saved: &SavedPayments, states: &mut States<'_, Self>) {
        for row in saved.payment_postings.iter() {
            let Some(state) = states.of(&row.payment_id) else { continue };
            let posting = posting_of(row);
            match LoneDebit::of(&row.payment_id, &posting).filter(|_| state.is_unknown()) {
                Some(debit) => state.debit = Some(debit),
                None => state.known(&row.payment_id).now.postings.restore(posting),
            }
        }
        for row in saved.payment_steps.iter() {
            let Some(state) = states.of(&row.payment_id) else { continue };
            state.known(&row.payment_id).now.steps.push(step_of(row));
        }
        for row in saved.step_alerts.iter().filter(|row| row.kind == AlertKind::Payment) {
            let Some(state) = states.of(&row.subject) else { continue };
            state.known(&row.subject).now.alerts.restore(row);
        }
        for state in states.iter_mut() {
            state.known.iter_mut().for_each(|known| known.now.steps.sort_by_key(|step| step.place));
        }
    }

    fn timers(&self, _: &Id, state: &PaymentHistory) -> Vec<(EffectiveTime, ())> {
        let of_debit = state.debit.map(|debit| debit.time.saturating_add(self.horizon));
        let due = of_debit.or_else(|| self.due(&state.known.as_ref()?.now));
        due.map(|time| (time, ())).into_iter().collect()
    }
}

impl PaymentHistory {
    /// Whether nothing is known, nor was when rows were emitted.
    const fn is_unknown(&self) -> bool {
        self.debit.is_none() && self.known.is_none()
    }

    /// Whether nothing has to be remembered.
    fn is_empty(&self) -> bool {
        self.debit.is_none() && self.known.as_ref().is_none_or(|known| known.now.steps.is_empty() && known.now.postings.is_empty())
    }

    /// All that is known of the payment, to be changed.
    fn known(&mut self, id: &Id) -> &mut KnownPayment {
        let debit = self.debit.take();
        self.known.get_or_insert_with(|| Box::new(debit.map(|debit| KnownPayment::of(id, debit)).unwrap_or_default()))
    }
}

impl KnownPayment {
    fn of(id: &Id, debit: LoneDebit) -> Self {
        // Of a debit that is not emitted yet, nothing was.
        let emitted = debit.is_new.then(Box::default);
        Self { now: Remembered { postings: Postings::of(debit.posting(id)), ..Remembered::default() }, emitted }
    }
}

impl KnownPayment {
    /// The payment, which is about to change.
    fn touch(&mut self) -> &mut Remembered {
        self.emitted.get_or_insert_with(|| Box::new(self.now.clone()));
        &mut self.now
    }
}

impl Payments {
    /// Takes an event.
    fn take(&self, id: &Id, payment: &mut Remembered, Placed { place, event }: Placed<PaymentEvent>, out: &mut Outbox<'_, Self>) {
        let before = self.findings(id, payment, place.time);
        let correction = match event {
            PaymentEvent::Status(status) => {
                let late = |lateness| Correction::Late { topic: Topic::Payments, id: id.clone(), lateness };
                let correction = place.lateness(status.ts).map(late);
                let first = payment.is_begun_by(&status).then(|| Arc::new(Payment::clone(&status)));
                if let Err(letter) = payment.take_status(Placed { place, event: Step::of(status) }) {
                    return out.refuse(*letter);
                }
                first.into_iter().for_each(|payment| out.derive(FirstStatus { record: place, payment }));
                correction
            }
            PaymentEvent::Posted(debit) => payment.postings.take(*debit, place.time),
            PaymentEvent::TakenBack { transaction_id, is_restored, correction, .. } => {
                payment.postings.take_back(id, &transaction_id, is_restored, place.time).then_some(*correction)
            }
        };
        correction.into_iter().for_each(|correction| out.correct(correction));
        let now = self.findings(id, payment, place.time);
        payment.alerts.follow(&before, &now, place.event_time());
    }

    /// Does what is due until a place. Called before each event, so that an event of the very time of a timer finds the same state
    /// whether the timer has fired, in an earlier run, or not.
    fn elapse(&self, id: &Id, payment: &mut Remembered, place: Place, out: &mut Outbox<'_, Self>) {
        let findings = self.findings(id, payment, place.time);
        payment.alerts.follow(&findings, &findings, place.event_time());
        let is_over = |time: EffectiveTime| time.saturating_add(self.horizon) <= place.time;
        if payment.course().reached.status.is_none() {
            if payment.postings.latest().is_some_and(is_over) {
                payment.postings = Postings::default();
            }
            let unknown: Vec<_> = payment.steps.extract_if(.., |step| is_over(step.place.time)).collect();
            unknown.into_iter().filter_map(|step| unknown_reference(step, place.time)).for_each(|letter| out.refuse(letter));
        } else if self.forgotten_at(payment).is_some_and(|time| time <= place.time) {
            *payment = Remembered::default();
        }
    }

    /// The next time at which something is due.
    fn due(&self, payment: &Remembered) -> Option<EffectiveTime> {
        if payment.course().reached.status.is_none() {
            let waiting = payment.steps.iter().map(|step| step.place.time);
            let times = waiting.chain(payment.postings.latest());
            return times.min().map(|time| time.saturating_add(self.horizon));
        }
        let awaited = payment.awaited_since().filter(|(rule, _)| !payment.alerts.stands(*rule));
        let overdue = awaited.map(|(_, since)| since.saturating_add(self.stuck_after));
        overdue.into_iter().chain(self.forgotten_at(payment)).min()
    }

    /// When a payment that is over is forgotten.
    fn forgotten_at(&self, payment: &Remembered) -> Option<EffectiveTime> {
        let stage = payment.course().reached;
        let last = payment.steps.iter().map(|step| step.place.time).max().filter(|_| !stage.is_open())?;
        // The ledger may post or reverse its debit as late as a refund may come. Without an account there is nothing to compare.
        let is_compared = stage.is_paid() || stage.account_id.is_some();
        Some(last.saturating_add(if is_compared { self.refund_horizon } else { self.horizon }))
    }

    /// The findings at an effective time.
    fn findings(&self, id: &Id, payment: &Remembered, time: EffectiveTime) -> Vec<Finding> {
        let overdue = payment.awaited_since().filter(|(_, since)| since.saturating_add(self.stuck_after) <= time);
        payment.findings(id, overdue.map(|(rule, _)| rule))
    }
}

impl Remembered {
    fn course(&self) -> Course<'_, Stage> {
        Course::of(&self.steps)
    }

    /// Whether a status is the first of the payment. A refund that came before it is none.
    fn is_begun_by(&self, status: &Payment) -> bool {
        let is_refund = |status| status == PaymentStatus::Refunded;
        !is_refund(status.status) && self.steps.iter().all(|step| is_refund(step.event.status))
    }

    /// Takes a status, unless it contradicts the first one or was taken before.
    fn take_status(&mut self, step: Placed<Step>) -> Result<(), Box<DeadLetter>> {
        if let Some((code, error)) = self.contradiction(&step.event) {
            let letter = step.event.event.map(|payment| dead_letter(step.place, &Event::Payment(payment), code, &error));
            return letter.map_or(Ok(()), |letter| Err(Box::new(letter)));
        }
        self.steps.push(step);
        if self.course().reached.status.is_some() {
            self.steps.iter_mut().for_each(|step| step.event.event = None);
        }
        Ok(())
    }

    /// Why a status cannot be taken. Admission recognizes repetitions within the horizon.
    fn contradiction(&self, step: &Step) -> Option<(ErrorCode, String)> {
        let first = &self.steps.first()?.event;
        let Step { customer_id, currency, .. } = first;
        if step.customer_id != *customer_id || step.currency != *currency {
            let error = format!("the payment is one of customer {customer_id} in {currency}: send the same, or use a new payment_id");
            return Some((ErrorCode::Inconsistent, error));
        }
        self.steps.iter().any(|taken| taken.event.is_repeated_by(step)).then(|| {
            let error = match step.status {
                PaymentStatus::Refunded => {
                    "a refund with this idempotency_key was taken before: give each refund a key of its own".to_owned()
                }
                status => format!("the payment was {status} before: the first one counts; use a new payment_id"),
            };
            (ErrorCode::ConflictingDuplicate, error)
        })
    }

    fn ledger(&self) -> Option<Reconciliation> {
        reconciled(&self.course().reached, self.currency()?, &self.postings)
    }

    fn currency(&self) -> Option<Currency> {
        self.steps.first().map(|step| step.event.currency)
    }

    /// The rule that the payment breaks if nothing happens, and the effective time from which it is awaited.
    fn awaited_since(&self) -> Option<(StepRule, EffectiveTime)> {
        let course = self.course();
        if course.reached.is_open() {
            return Some((StepRule::Stuck, course.moved_at()?));
        }
        let differs = |ledger: &Reconciliation| *ledger != Reconciliation::Matched;
        self.ledger().filter(differs)?;
        // What was not paid differs only once it is posted.
        let changed = if course.reached.is_paid() { self.postings.taken_back() } else { self.postings.stand_since() };
        Some((StepRule::Unreconciled, course.outcome_at().max(changed)?))
    }

    /// The findings, of which one may be overdue. Nothing is found before the payment is known.
    fn findings(&self, id: &Id, overdue: Option<StepRule>) -> Vec<Finding> {
        let course = self.course();
        let Some((status, currency)) = course.reached.status.zip(self.currency()) else { return Vec::new() };
        let (amount, customer) = (course.reached.amount, self.steps.first().map(|step| step.event.customer_id).unwrap_or_default());
        let payment = format!("payment {id} of {amount} {currency} by customer {customer}");
        let finding = |rule, severity, what: String| Finding { rule, severity, message: format!("{payment} {what}"), evidence: Vec::new() };
        let overdue = overdue.map(|rule| match rule {
            StepRule::Unreconciled => {
                let difference = self.postings.described(currency);
                let evidence = self.postings.transactions().into_iter().filter(|other| other != id).collect();
                Finding { evidence, ..finding(rule, Severity::High, format!("is {status}, and {difference}")) }
            }
            _ => finding(rule, Severity::Medium, format!("is {status}, and has no outcome")),
        });
        let word = |step: &&Placed<Step>| match step.event.status {
            PaymentStatus::Refunded => format!("refunded {}", step.event.amount),
            status => status.to_string(),
        };
        let illegal: Vec<_> = course.illegal.iter().map(word).collect();
        let out_of_order = (!illegal.is_empty())
            .then(|| finding(StepRule::OutOfOrder, Severity::Medium, format!("has statuses that were not legal: {}", illegal.join(", "))));
        overdue.into_iter().chain(out_of_order).collect()
    }

    fn alert_rows(&self, id: &Id) -> Vec<Alert> {
        let standing = [StepRule::Stuck, StepRule::Unreconciled].into_iter().find(|rule| self.alerts.stands(*rule));
        self.alerts.rows(subject(id), &self.findings(id, standing))
    }

    fn step_rows(&self, id: &Id) -> Vec<PaymentStepTaken> {
        self.steps.iter().map(|step| row_of(id, step)).collect()
    }

    fn progress(&self, id: &Id) -> Option<PaymentProgress> {
        let course = self.course();
        let Stage { status, amount, refunded, account_id } = course.reached;
        Some(PaymentProgress {
            payment_id: id.clone(),
            customer_id: self.steps.first()?.event.customer_id,
            status: status?,
            amount,
            refunded,
            currency: self.currency()?,
            account_id,
            ledger: self.ledger(),
            stuck: self.alerts.stands(StepRule::Stuck),
            ts: course.legal.last()?.event.written,
        })
    }
}

fn subject(id: &Id) -> Subject<'_> {
    Subject { kind: AlertKind::Payment, id }
}

/// The dead letter of a refund that has waited for its payment in vain.
fn unknown_reference(step: Placed<Step>, time: EffectiveTime) -> Option<DeadLetter> {
    let event = Event::Payment(step.event.event?);
    let error = "no completed payment with this payment_id came within the horizon, or its refunds have ended; check payment_id";
    Some(dead_letter(Place { time, ..step.place }, &event, ErrorCode::UnknownReference, error))
}
