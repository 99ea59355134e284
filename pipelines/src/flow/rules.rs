//! Rules: from transactions, payments and attempts to access something to decisions and alerts.

use std::sync::Arc;

use headwater_operators::customers::Notice;
use headwater_operators::keyed_fold::Pace;
use headwater_operators::latest::{Latest, Upsert};
use headwater_operators::rule_versions::RuleVersions;
use headwater_operators::rules::{BaseCurrency, Happened, Known as Owned, Owners, RuleEvent, Rules, Subject};
use headwater_schemas::events::{Event, FxRate, Label};
use headwater_schemas::tables::{Labelled, LastRate};
use headwater_schemas::{Offset, Place, Placed, Tick, Topic};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::vec::{Broadcast, Filter, Map};
use timely::dataflow::operators::{Concat, Concatenate};

use super::Events;
use super::latest::latest_of;
use super::wiring::{Flow, Reference};

/// What rules know besides the events that they judge.
pub(super) struct Known<'scope> {
    /// `fx.rates`.
    pub(super) rates: Events<'scope>,
    pub(super) reference: Reference<'scope>,
}

/// What the packs found.
pub(super) struct Judgements<'scope> {
    /// What customers are told of blocked events.
    pub(super) notices: StreamVec<'scope, Tick, Placed<Notice>>,
    /// Frontier of decisions.
    pub(super) done: StreamVec<'scope, Tick, ()>,
}

/// Applies every pack to the events that it judges.
pub(super) fn judgements<'scope>(
    flow: &mut Flow<'scope, '_>,
    happened: StreamVec<'scope, Tick, Placed<Happened>>,
    known: Known<'scope>,
) -> anyhow::Result<Judgements<'scope>> {
    let Known { rates, reference } = known;
    let access = flow.take(Topic::Access).flat_map(|Placed { place, event }| match event {
        Event::Access(event) => Some(Placed { place, event: Happened::Access(Arc::new(*event)) }),
        _ => None,
    });
    let happened = happened.concat(access);
    let (packs, config) = (flow.settings.packs.clone(), &flow.settings.config);
    let horizon = config.horizons().fraud;
    let base = BaseCurrency { currency: config.rules.base_currency, pivot: config.valuation.base_currency };
    let (mut notices, mut done) = (Vec::new(), Vec::new());
    for subject in Subject::ALL.into_iter().filter(|subject| packs.iter().any(|pack| pack.subject() == *subject)) {
        let view = Rules::of(subject, &packs, horizon).in_currency(base).with_tokens(flow.settings.tokens.as_ref());
        let view = view.covering(&flow.settings.coverages);
        let spreading = view.clone();
        let mut events = happened
            .clone()
            .flat_map(move |Placed { place, event }| spreading.spread(&event, None).into_iter().map(move |event| Placed { place, event }));
        if packs.iter().any(|pack| pack.subject() == subject && pack.needs_owners()) {
            events = events.concat(of_owners(flow, &view, happened.clone(), reference.clone())?);
        }
        let needs_rates = packs.iter().any(|pack| pack.subject() == subject && pack.needs_rates());
        let known = if needs_rates { with_rates(flow, rates.clone(), &reference)? } else { reference.clone() };
        let judged = flow.fold(&format!("rules {}", subject.word()), view, Pace::Tick, events, known)?;
        notices.push(judged.derived);
        done.push(judged.done);
    }
    Ok(Judgements { notices: flow.scope.concatenate(notices), done: flow.scope.concatenate(done) })
}

/// Reference data and exchange rates, on every worker.
fn with_rates<'scope>(flow: &Flow<'scope, '_>, rates: Events<'scope>, reference: &Reference<'scope>) -> anyhow::Result<Reference<'scope>> {
    let saved = flow.settings.saved.rows::<LastRate>()?;
    let rate = |row: &LastRate| {
        let event = Event::FxRate(Box::new(FxRate { base: row.base, quote: row.quote, rate: row.rate, ts: row.ts }));
        Placed { place: Place::of_record(row.ts.effective(), Topic::FxRates, 0, Offset::ZERO), event }
    };
    let rates = Reference { stream: rates.broadcast(), before: Arc::new(saved.iter().map(rate).collect()) };
    Ok(reference.clone().and(&rates))
}

/// Keeps the versions of rule packs. Returns the ticks at which approved ones take effect, on every worker.
pub(super) fn versions<'scope>(flow: &mut Flow<'scope, '_>) -> anyhow::Result<StreamVec<'scope, Tick, Tick>> {
    let events = flow.take(Topic::Rules).flat_map(|Placed { place, event }| match event {
        Event::Ruleset(event) => Some(Placed { place, event }),
        _ => None,
    });
    let (settings, clock) = (flow.settings, flow.clock());
    let view = RuleVersions {
        is_open: settings.config.rules.topic,
        clock,
        packs: settings.packs.clone(),
        counts_from: settings.counts_from.clone(),
    };
    let broadcasts = flow.no_broadcasts();
    let approved = flow.fold("rule versions", view, Pace::Tick, events, broadcasts)?.derived;
    Ok(approved.map(move |Placed { event, .. }| clock.tick_of(event)).broadcast())
}

/// Keeps the newest label of each subject, apart for verdicts and for spending categories.
pub(super) fn labels<'scope>(flow: &mut Flow<'scope, '_>, labels: Events<'scope>) -> anyhow::Result<()> {
    let labels = latest_of(labels, |_, event| match event {
        Event::Label(label) => {
            let is_category = !label.is_verdict();
            let Label { subject_id, label, ts } = *label;
            Some(Upsert::Put(Labelled { subject_id, is_category, label, ts }))
        }
        _ => None,
    });
    let broadcasts = flow.no_broadcasts();
    flow.fold("labels", Latest::<Labelled>::new(), Pace::Tick, labels, broadcasts)?;
    Ok(())
}

/// What rules count for the owner of an account.
fn of_owners<'scope>(
    flow: &mut Flow<'scope, '_>,
    view: &Rules,
    happened: StreamVec<'scope, Tick, Placed<Happened>>,
    reference: Reference<'scope>,
) -> anyhow::Result<StreamVec<'scope, Tick, Placed<RuleEvent>>> {
    let (asking, spreading) = (view.clone(), view.clone());
    let needed = happened.filter(move |placed| asking.needs_owner(&placed.event));
    let owned = flow.fold("owners", Owners, Pace::Tick, needed, reference)?.derived;
    // The event itself, and no derived one: it keeps its place.
    Ok(owned.flat_map(move |Placed { event: (place, Owned { what, customer }), .. }| {
        spreading.spread_to_owner(&what, customer).into_iter().map(move |event| Placed { place, event })
    }))
}
