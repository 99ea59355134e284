//! A pack's own tests: events, and what its rules make of them. They run when the pack is loaded, through the ledger and the view
//! that production uses.
//!
//! ```toml
//! [[test]]
//! name = "a third deposit below the limit"
//! reference = [
//!     { topic = "accounts", type = "opened", account_id = "a", customer_id = "c", account_type = "checking", currency = "USD", ts = "2020-01-01T00:00:00Z" },
//! ]
//! events = [
//!     { transaction_id = "t1", account_id = "a", type = "deposit", channel = "cash", amount = "9000", currency = "USD", ts = "2026-01-15T10:00:00Z" },
//! ]
//! fires = []                  # the rules that fire for the last event, or, without points, those whose alerts stand at the end
//! decision = "approve"        # optional: the decision about the last event
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use headwater_schemas::events::{Event, Transaction};
use headwater_schemas::tables::{Alert, AlertState, Decision, Verdict};
use headwater_schemas::{EffectiveTime, EventTime, Id, Nanos, Offset, Place, Placed, Statistic, Topic};
use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Pack;
use super::problem::Problems;
use super::section::Section;
use crate::ledger::{Accepted, Captures, LedgerEvent, Owned, Postings};
use crate::rules::customers::Customers;
use crate::rules::subject::{Happened, Subject};
use crate::rules::view::Rules;
use crate::testing::{Happening, Happenings, rows_of, run};

/// A test of a pack.
pub(super) struct Case {
    at: usize,
    name: String,
    reference: Vec<Event>,
    events: Vec<Event>,
    fires: BTreeSet<String>,
    decision: Option<Verdict>,
}

/// Reads the tests of a pack whose rules have these names.
pub(super) fn read(root: &mut Section<'_>, subject: Subject, rules: &[&str], problems: &mut Problems<'_>) -> Vec<Case> {
    let sections = root.tables("test", "a test", problems);
    sections.into_iter().filter_map(|section| case(section, subject, rules, problems)).collect()
}

fn case(mut section: Section<'_>, subject: Subject, rules: &[&str], problems: &mut Problems<'_>) -> Option<Case> {
    let at = section.at();
    let name = section.text("name", problems);
    let events = events(&mut section, "events", Some(subject.topic()), problems);
    let reference = events_of_any_topic(&mut section, problems);
    let fires = section.optional_texts("fires", problems);
    let decision = section.optional_text("decision", problems);
    section.finish(problems);
    if fires.is_none() {
        problems.add(at, "a test has no `fires`: list the rules that fire, or write []");
    }
    for unknown in fires.iter().flat_map(|fires| &fires.value).filter(|rule| !rules.contains(*rule)) {
        problems.add(at, format!("the test names the rule {unknown:?}, which the pack does not have"));
    }
    let verdict = decision.as_ref().map(|word| (word, Verdict::from_word(word.value)));
    if let Some((word, None)) = verdict {
        problems.add(word.span.start, format!("{:?} is no decision: use approve, review or block", word.value));
    }
    let fires = fires?.value.into_iter().map(str::to_owned).collect();
    Some(Case { at, name: name?.value.to_owned(), reference, events, fires, decision: verdict.and_then(|(_, verdict)| verdict) })
}

fn events_of_any_topic(section: &mut Section<'_>, problems: &mut Problems<'_>) -> Vec<Event> {
    events(section, "reference", None, problems)
}

/// A list of events: of one topic, or each of the one that its `topic` names.
fn events(section: &mut Section<'_>, name: &'static str, topic: Option<Topic>, problems: &mut Problems<'_>) -> Vec<Event> {
    let Some(list) = section.optional(name) else { return Vec::new() };
    let items: Vec<&Spanned<DeValue<'_>>> = list.get_ref().as_array().into_iter().flat_map(|items| items.iter()).collect();
    items.into_iter().filter_map(|item| event(item, topic, problems)).collect()
}

fn event(item: &Spanned<DeValue<'_>>, topic: Option<Topic>, problems: &mut Problems<'_>) -> Option<Event> {
    let at = item.span().start;
    let Json::Object(mut fields) = json(item.get_ref()) else {
        problems.add(at, "an event is a table: write { field = value, … }");
        return None;
    };
    let named = fields.remove("topic").and_then(|topic| Topic::from_word(topic.as_str()?));
    let Some(topic) = topic.or(named) else {
        problems.add(at, "an event of the reference data names its `topic`: accounts, customers, limits or fx.rates");
        return None;
    };
    let text = Json::Object(fields).to_string();
    let event = Event::decode(topic, None, Some(text.as_bytes()));
    event.map_err(|error| problems.add(at, format!("this is no event of {topic}: {error}"))).ok()
}

/// A value of the file as JSON. Numbers with a fraction become texts, which is how events have decimals.
fn json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Integer(number) => number.as_str().parse::<i64>().map_or_else(|_| Json::String(number.as_str().to_owned()), Json::from),
        DeValue::Float(number) => Json::String(number.as_str().to_owned()),
        DeValue::Boolean(value) => Json::Bool(*value),
        DeValue::Datetime(time) => Json::String(time.to_string()),
        DeValue::Array(items) => Json::Array(items.iter().map(|item| json(item.get_ref())).collect()),
        DeValue::Table(table) => object(table),
    }
}

fn object(table: &DeTable<'_>) -> Json {
    Json::Object(table.iter().map(|(name, value)| (name.get_ref().to_string(), json(value.get_ref()))).collect())
}

/// Runs the tests, and adds a problem for each that fails.
pub(super) fn check(pack: &Arc<Pack>, cases: &[Case], problems: &mut Problems<'_>) {
    for case in cases {
        let outcome = outcome(pack, case);
        if outcome.fires != case.fires {
            let names = |rules: &BTreeSet<String>| if rules.is_empty() { "nothing".to_owned() } else { list(rules) };
            let reason = format!("the test {:?} expects that {} fires, and {} does", case.name, names(&case.fires), names(&outcome.fires));
            problems.add(case.at, reason);
        }
        if let Some(expected) = case.decision.filter(|expected| outcome.decision != Some(*expected)) {
            let found = outcome.decision.map_or("there is no decision".to_owned(), |found| format!("the decision is {found}"));
            problems.add(case.at, format!("the test {:?} expects {expected}, and {found}", case.name));
        }
    }
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

struct Outcome {
    fires: BTreeSet<String>,
    decision: Option<Verdict>,
}

fn outcome(pack: &Arc<Pack>, case: &Case) -> Outcome {
    let mut customers = Customers::default();
    case.reference.iter().for_each(|event| customers.learn(event));
    let view = Rules::with_horizon(Arc::clone(pack), Nanos::MAX);
    let events = happened(case).into_iter().flat_map(|Placed { place, event }| {
        let owner = event.account().and_then(|account| customers.owner(&account));
        view.spread(&event, owner).into_iter().map(move |event| Placed { place, event: Happening::Event(event) })
    });
    let happenings: Happenings<Rules> = reference(case).chain(events).collect();
    let tables = run(view.clone(), happenings).tables;
    let last = case.events.iter().rev().find_map(event_id);
    let decisions = rows_of::<Decision>(&tables.decisions);
    let decision = decisions.iter().find(|decision| Some(&decision.subject_id) == last.as_ref());
    let of_decision = decision.into_iter().flat_map(|decision| &decision.reasons);
    let fired = of_decision.filter(|reason| reason.points != Statistic::default()).map(|reason| reason.rule.to_string());
    let stands = |alert: &Alert| matches!(alert.state, AlertState::Raised | AlertState::Amended);
    let own = rows_of::<Alert>(&tables.alerts).into_iter().filter(|alert| stands(alert) && alert.rule.as_str() != pack.name());
    let fires = fired.chain(own.map(|alert| alert.rule.to_string())).collect();
    Outcome { fires, decision: decision.map(|decision| decision.decision) }
}

fn event_id(event: &Event) -> Option<Id> {
    match event {
        Event::Transaction(event) => Some(event.transaction_id.clone()),
        Event::Payment(event) => Some(event.payment_id.clone()),
        _ => None,
    }
}

fn reference<E>(case: &Case) -> impl Iterator<Item = Placed<Happening<Event, E>>> {
    let place = |event: &Event| Place::of_record(EffectiveTime::ZERO, event.topic(), 0, Offset::ZERO);
    case.reference.iter().map(move |event| Placed { place: place(event), event: Happening::Broadcast(event.clone()) })
}

/// The events in the order of the list, each at the greatest time so far; transactions as the ledger takes them.
fn happened(case: &Case) -> Vec<Placed<Happened>> {
    let mut clock = EffectiveTime::ZERO;
    let (mut transactions, mut others) = (Vec::new(), Vec::new());
    for (event, offset) in case.events.iter().zip(0..) {
        clock = clock.max(event.ts().map_or(EffectiveTime::ZERO, EventTime::effective));
        let place = Place::of_record(clock, event.topic(), 0, Offset::new(offset));
        match event {
            Event::Transaction(event) => transactions.push(Placed { place, event: Arc::clone(event) }),
            Event::Payment(event) => others.push(Placed { place, event: Happened::Payment(Arc::new(event.as_ref().clone())) }),
            Event::Access(event) => others.push(Placed { place, event: Happened::Access(Arc::new(event.as_ref().clone())) }),
            _ => {}
        }
    }
    others.extend(through_the_ledger(case, transactions));
    others
}

fn through_the_ledger(case: &Case, transactions: Vec<Placed<Arc<Transaction>>>) -> Vec<Placed<Happened>> {
    let ledger = Postings {
        reversal_horizon: Nanos::MAX,
        waiting_horizon: Nanos::MAX,
        hold_expiry: None,
        captures: Captures { over: false, partial: false },
        enforces: false,
    };
    let events = transactions.into_iter().map(|Placed { place, event }| Placed { place, event: Happening::Event(Owned::from(event)) });
    let derived = run(ledger, reference(case).chain(events).collect()).derived;
    let happened = derived.into_iter().filter_map(|Placed { place, event }| match event {
        LedgerEvent::Posting(_) | LedgerEvent::Remains(_) => None,
        LedgerEvent::Accepted(Accepted { record, transaction, .. }) => Some((record, Happened::Transaction(transaction))),
        LedgerEvent::TakenBack(taken) => Some((place, Happened::TakenBack(taken))),
        LedgerEvent::Adjusted(adjusted) => Some((place, Happened::Adjusted(adjusted))),
    });
    happened.map(|(place, event)| Placed { place, event }).collect()
}
