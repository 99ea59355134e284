//! The view of transfers.

use headwater_schemas::events::{ErrorCode, Event, TransferEvent};
use headwater_schemas::tables::{
    Alert, AlertKind, DeadLetter, Moment, Severity, StepAlert, StepRule, TransferProgress, TransferState, TransferStepTaken,
};
use headwater_schemas::{Correction, EffectiveTime, EventTime, Id, Nanos, Place, Placed, Topic};

use super::saga::{Saga, Step, Terms};
use crate::admission::dead_letter;
use crate::keyed_fold::{Outbox, States, View};
use crate::steps::{Course, Finding, StepAlerts, Subject, replace_rows, update_rows};

/// View of transfers. Lengths are of effective time.
#[derive(Clone, Copy, Debug)]
pub struct Transfers {
    /// Time after which an awaited step is overdue.
    pub stuck_after: Nanos,
    /// How long steps wait for their transfer, and how long a transfer that is over is remembered.
    pub horizon: Nanos,
}

/// State of a transfer.
#[derive(Clone, Debug, Default)]
pub struct TransferHistory {
    now: Transfer,
    /// The transfer when its rows were emitted, if it was touched since.
    emitted: Option<Box<Transfer>>,
}

/// A transfer: its steps in the order of arrival, and its alerts.
#[derive(Clone, Debug, Default)]
struct Transfer {
    steps: Vec<Placed<Step>>,
    alerts: StepAlerts,
}

headwater_schemas::table_set! {
    /// The tables of transfers.
    pub struct TransferTables restored from SavedTransfers {
        restored { transfer_steps: TransferStepTaken, step_alerts: StepAlert }
        written { transfers_state: TransferProgress, alerts: Alert }
    }
}

crate::fold_operator!(Transfers);

impl View for Transfers {
    type Key = Id;
    type Route = Id;
    type Event = TransferEvent;
    type Broadcast = ();
    type Context = ();
    type State = TransferHistory;
    type Timer = ();
    type Tables = TransferTables;
    type Derived = ();
    type Update = ();

    fn key(&self, event: &TransferEvent) -> Id {
        event.transfer_id().clone()
    }

    fn route(id: &Id) -> Id {
        id.clone()
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), id: &Id, state: &mut TransferHistory, placed: Placed<TransferEvent>, out: &mut Outbox<'_, Self>) {
        let due = self.due(&state.now);
        let transfer = state.touch();
        self.elapse(id, transfer, placed.place, out);
        match transfer.repeated(&placed) {
            Some(letter) => out.refuse(letter),
            None => self.take(id, transfer, placed, out),
        }
        let next = self.due(transfer);
        if next != due {
            due.into_iter().for_each(|time| out.cancel_timer(time, ()));
            next.into_iter().for_each(|time| out.set_timer(time, ()));
        }
    }

    fn timer(&self, (): &(), id: &Id, state: &mut TransferHistory, (): (), place: Place, out: &mut Outbox<'_, Self>) {
        let transfer = state.touch();
        self.elapse(id, transfer, place, out);
        self.due(transfer).into_iter().for_each(|time| out.set_timer(time, ()));
    }

    fn emit(&self, (): &(), id: &Id, state: &mut TransferHistory, at: &Moment, tables: &TransferTables) {
        let Some(emitted) = state.emitted.take() else { return };
        let (before, now) = (emitted.as_ref(), &state.now);
        replace_rows(&tables.transfer_steps, at, before.step_rows(id), now.step_rows(id));
        replace_rows(&tables.step_alerts, at, before.alerts.saved(subject(id)), now.alerts.saved(subject(id)));
        // The transfer stays in these tables once it is forgotten.
        update_rows(&tables.transfers_state, at, before.progress(id).as_slice(), now.progress(id));
        update_rows(&tables.alerts, at, &before.alert_rows(id), now.alert_rows(id));
    }

    fn is_forgettable(&self, state: &TransferHistory) -> bool {
        state.now.steps.is_empty()
    }

    fn restore(&self, saved: &SavedTransfers, states: &mut States<'_, Self>) {
        for row in saved.transfer_steps.iter() {
            states.of(&row.transfer_id).into_iter().for_each(|transfer| transfer.now.steps.push(step_of(row)));
        }
        for row in saved.step_alerts.iter().filter(|row| row.kind == AlertKind::Transfer) {
            states.of(&row.subject).into_iter().for_each(|transfer| transfer.now.alerts.restore(row));
        }
        states.iter_mut().for_each(|transfer| transfer.now.steps.sort_by_key(|step| step.place));
    }

    fn timers(&self, _: &Id, state: &TransferHistory) -> Vec<(EffectiveTime, ())> {
        self.due(&state.now).map(|time| (time, ())).into_iter().collect()
    }
}

impl TransferHistory {
    /// The transfer, which is about to change.
    fn touch(&mut self) -> &mut Transfer {
        self.emitted.get_or_insert_with(|| Box::new(self.now.clone()));
        &mut self.now
    }
}

impl Transfers {
    /// Takes a step.
    fn take(&self, id: &Id, transfer: &mut Transfer, placed: Placed<TransferEvent>, out: &mut Outbox<'_, Self>) {
        let Placed { place, event } = placed;
        let before = self.findings(id, transfer, place.time);
        if let Some(lateness) = place.lateness(event.ts()) {
            out.correct(Correction::Late { topic: Topic::Transfers, id: id.clone(), lateness });
        }
        transfer.steps.push(Placed { place, event: Step::of(&event) });
        let now = self.findings(id, transfer, place.time);
        transfer.alerts.follow(&before, &now, place.event_time());
    }

    /// Does what is due until a place. Called before each event, so that an event of the very time of a timer finds the same state
    /// whether the timer has fired, in an earlier run, or not.
    fn elapse(&self, id: &Id, transfer: &mut Transfer, place: Place, out: &mut Outbox<'_, Self>) {
        let findings = self.findings(id, transfer, place.time);
        transfer.alerts.follow(&findings, &findings, place.event_time());
        if transfer.course().reached.state.is_none() {
            let is_over = |step: &mut Placed<Step>| step.place.time.saturating_add(self.horizon) <= place.time;
            let unknown: Vec<_> = transfer.steps.extract_if(.., is_over).collect();
            unknown.into_iter().filter_map(|step| unknown_reference(id, &step, place.time)).for_each(|letter| out.refuse(letter));
        } else if self.forgotten_at(transfer).is_some_and(|time| time <= place.time) {
            *transfer = Transfer::default();
        }
    }

    /// The next time at which something is due.
    fn due(&self, transfer: &Transfer) -> Option<EffectiveTime> {
        let course = transfer.course();
        match (course.reached.state, course.awaited_since()) {
            (None, _) => transfer.steps.iter().map(|step| step.place.time.saturating_add(self.horizon)).min(),
            (Some(_), None) => self.forgotten_at(transfer),
            (Some(_), Some((rule, since))) => (!transfer.alerts.stands(rule)).then(|| since.saturating_add(self.stuck_after)),
        }
    }

    /// When a transfer that is over is forgotten.
    fn forgotten_at(&self, transfer: &Transfer) -> Option<EffectiveTime> {
        let is_over = transfer.course().reached.awaits().is_none();
        let last = transfer.steps.iter().map(|step| step.place.time).max().filter(|_| is_over)?;
        Some(last.saturating_add(self.horizon))
    }

    /// The findings at an effective time.
    fn findings(&self, id: &Id, transfer: &Transfer, time: EffectiveTime) -> Vec<Finding> {
        let course = transfer.course();
        let overdue = course.awaited_since().filter(|(_, since)| since.saturating_add(self.stuck_after) <= time);
        findings(id, &course, overdue.map(|(rule, _)| rule))
    }
}

impl Transfer {
    fn course(&self) -> Course<'_, Saga> {
        Course::of(&self.steps)
    }

    /// The dead letter of a step that was taken before. Admission recognizes repetitions within the horizon.
    fn repeated(&self, placed: &Placed<TransferEvent>) -> Option<DeadLetter> {
        let state = Step::of(&placed.event).state;
        let id = placed.event.transfer_id();
        self.steps.iter().any(|step| step.event.state == state).then(|| {
            let error = format!("transfer {id} is {state} once: the first one counts; use a new transfer_id");
            dead_letter(placed.place, &Event::Transfer(placed.event.clone()), ErrorCode::ConflictingDuplicate, &error)
        })
    }

    /// The finding's rule that an alert of an overdue step stands for.
    fn standing_overdue(&self) -> Option<StepRule> {
        [StepRule::Stuck, StepRule::NotReversed].into_iter().find(|rule| self.alerts.stands(*rule))
    }

    fn alert_rows(&self, id: &Id) -> Vec<Alert> {
        self.alerts.rows(subject(id), &findings(id, &self.course(), self.standing_overdue()))
    }

    fn step_rows(&self, id: &Id) -> Vec<TransferStepTaken> {
        self.steps.iter().map(|step| row_of(id, step)).collect()
    }

    fn progress(&self, id: &Id) -> Option<TransferProgress> {
        let course = self.course();
        let Terms { from_account, to_account, amount, currency } = *terms(&course)?;
        let at = |state| course.time_of(state);
        Some(TransferProgress {
            transfer_id: id.clone(),
            state: course.reached.state?,
            from_account,
            to_account,
            amount,
            currency,
            stuck: self.standing_overdue().is_some(),
            awaits: course.reached.awaits(),
            initiated_at: at(TransferState::Initiated)?,
            debited_at: at(TransferState::Debited),
            credited_at: at(TransferState::Credited),
            completed_at: at(TransferState::Completed),
            failed_at: at(TransferState::Failed),
            credit_reversed_at: at(TransferState::CreditReversed),
            debit_reversed_at: at(TransferState::DebitReversed),
            ts: course.legal.last()?.event.written,
        })
    }
}

fn subject(id: &Id) -> Subject<'_> {
    Subject { kind: AlertKind::Transfer, id }
}

fn terms<'a>(course: &Course<'a, Saga>) -> Option<&'a Terms> {
    course.legal.first().and_then(|initiation| initiation.event.terms.as_deref())
}

/// The findings about a transfer, of which a step may be overdue. Nothing is found before the initiation.
fn findings(id: &Id, course: &Course<'_, Saga>, overdue: Option<StepRule>) -> Vec<Finding> {
    let Some(Terms { from_account, to_account, amount, currency }) = terms(course) else { return Vec::new() };
    let transfer = format!("transfer {id} of {amount} {currency} from {from_account} to {to_account}");
    let finding = |rule, severity, what: String| Finding { rule, severity, message: format!("{transfer} {what}"), evidence: Vec::new() };
    let word = |state: Option<TransferState>| state.map_or("", TransferState::as_str);
    let (state, awaits) = (word(course.reached.state), word(course.reached.awaits()));
    let overdue = overdue.map(|rule| match rule {
        StepRule::NotReversed => finding(rule, Severity::High, format!("has failed, and {awaits} has not come")),
        _ if course.reached.is_in_flight() => finding(rule, Severity::High, format!("is {state}, and {awaits} has not come")),
        _ => finding(rule, Severity::Medium, format!("is {state}, and {awaits} has not come")),
    });
    let illegal: Vec<_> = course.illegal.iter().map(|step| step.event.state.as_str()).collect();
    let out_of_order = (!illegal.is_empty())
        .then(|| finding(StepRule::OutOfOrder, Severity::Medium, format!("has steps that were not legal: {}", illegal.join(", "))));
    overdue.into_iter().chain(out_of_order).collect()
}

/// The dead letter of a step that has waited for an initiation in vain.
fn unknown_reference(id: &Id, step: &Placed<Step>, time: EffectiveTime) -> Option<DeadLetter> {
    let event = Event::Transfer(step.event.event(id)?);
    let error = format!("transfer {id} is not known: no initiation came within the horizon, or it was over before; check transfer_id");
    Some(dead_letter(Place { time, ..step.place }, &event, ErrorCode::UnknownReference, &error))
}

fn row_of(id: &Id, Placed { place, event }: &Placed<Step>) -> TransferStepTaken {
    let terms = event.terms.as_deref();
    TransferStepTaken {
        transfer_id: id.clone(),
        step: event.state,
        written: event.written,
        partition: place.partition.into(),
        offset: place.offset,
        from_account: terms.map(|terms| terms.from_account),
        to_account: terms.map(|terms| terms.to_account),
        amount: terms.map(|terms| terms.amount),
        currency: terms.map(|terms| terms.currency),
        ts: place.event_time(),
    }
}

fn step_of(row: &TransferStepTaken) -> Placed<Step> {
    let partition = u16::try_from(row.partition).unwrap_or(u16::MAX);
    let parties = row.from_account.zip(row.to_account).zip(row.amount.zip(row.currency));
    let terms = parties.map(|((from_account, to_account), (amount, currency))| Terms { from_account, to_account, amount, currency });
    Placed {
        place: Place::of_record(EventTime::effective(row.ts), Topic::Transfers, partition, row.offset),
        event: Step { state: row.step, written: row.written, terms: terms.map(Box::new) },
    }
}
