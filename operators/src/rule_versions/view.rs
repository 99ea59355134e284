//! The view of versions of rule packs.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_schemas::events::{ErrorCode, Event, RulesetDecision, RulesetEvent, RulesetProposed};
use headwater_schemas::tables::{Moment, RuleVersion, RuleVersionState, TableWriter};
use headwater_schemas::{Clock, Correction, EffectiveTime, EventTime, Id, Place, Placed, Text, Topic};

use crate::admission::dead_letter;
use crate::keyed_fold::{Outbox, States, View};
use crate::rules::{Pack, Subject};

/// View of the versions of rule packs.
#[derive(Clone, Debug)]
pub struct RuleVersions {
    /// Whether packs can be changed; otherwise events are dead letters, and no version takes effect.
    pub is_open: bool,
    /// The grid, at whose points versions take effect.
    pub clock: Clock,
    /// The packs that judge in this run.
    pub packs: Vec<Arc<Pack>>,
    /// When the windows of packs that took effect at the beginning of this run are complete.
    pub counts_from: BTreeMap<Id, EventTime>,
}

/// Rows from which the view is restored.
pub type SavedRuleVersions = Arc<Vec<RuleVersion>>;

/// The versions of a pack.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    all: BTreeMap<Id, RuleVersion>,
    /// The rows of versions that changed, as they were emitted before.
    emitted: BTreeMap<Id, Option<RuleVersion>>,
}

/// Why an event changes nothing: the code of its dead letter, and the message.
type Refusal = (ErrorCode, String);

crate::fold_operator!(RuleVersions);

impl View for RuleVersions {
    type Key = Id;
    type Route = Id;
    type Event = RulesetEvent;
    type Broadcast = ();
    type Context = ();
    type State = Versions;
    type Timer = ();
    type Tables = TableWriter<RuleVersion>;
    /// The time from which an approved version judges.
    type Derived = EffectiveTime;
    type Update = ();

    fn key(&self, event: &RulesetEvent) -> Id {
        event.ruleset().clone()
    }

    fn route(ruleset: &Id) -> Id {
        ruleset.clone()
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), ruleset: &Id, state: &mut Versions, event: Placed<RulesetEvent>, out: &mut Outbox<'_, Self>) {
        let Placed { place, event } = event;
        // An event of the very time of a timer finds the same versions whether the timer has fired, in an earlier run, or not.
        self.take_effect(ruleset, state, place.time);
        let taken = match &event {
            _ if !self.is_open => {
                Err((ErrorCode::Unsupported, "rules.topic is false: set it, or change the packs of the configuration".to_owned()))
            }
            RulesetEvent::Proposed(proposal) => self.propose(state, proposal, place),
            RulesetEvent::RetirementProposed(retirement) => {
                let proposed = row(&retirement.ruleset, &retirement.version, &retirement.actor, place);
                let proposed = RuleVersion { effective_from: retirement.effective_from, ..proposed };
                self.knows(ruleset, state).and_then(|()| state.add(proposed))
            }
            RulesetEvent::Approved(decision) => self.approve(state, decision, place, out),
            RulesetEvent::Rejected(decision) => state.open(decision).cloned().map(|version| {
                state.put(decided(version, decision, RuleVersionState::Rejected, place));
            }),
        };
        match taken {
            Ok(()) => {
                if let Some(lateness) = place.lateness(event.ts()) {
                    out.correct(Correction::Late { topic: Topic::Rules, id: ruleset.clone(), lateness });
                }
            }
            Err((code, message)) => out.refuse(dead_letter(place, &Event::Ruleset(event), code, &message)),
        }
    }

    fn timer(&self, (): &(), ruleset: &Id, state: &mut Versions, (): (), place: Place, _: &mut Outbox<'_, Self>) {
        self.take_effect(ruleset, state, place.time);
    }

    fn emit(&self, (): &(), _: &Id, state: &mut Versions, at: &Moment, table: &TableWriter<RuleVersion>) {
        for (version, before) in std::mem::take(&mut state.emitted) {
            table.replace(at, before, state.all.get(&version).cloned());
        }
    }

    fn restore(&self, saved: &SavedRuleVersions, states: &mut States<'_, Self>) {
        for row in saved.iter() {
            let Some(versions) = states.of(&row.ruleset) else { continue };
            versions.all.insert(row.version.clone(), row.clone());
        }
    }

    fn timers(&self, _: &Id, state: &Versions) -> Vec<(EffectiveTime, ())> {
        let due = state.all.values().filter(|version| version.state == RuleVersionState::Approved);
        due.filter_map(|version| Some((version.effective_from?.effective(), ()))).collect()
    }

    fn is_forgettable(&self, state: &Versions) -> bool {
        state.all.is_empty()
    }
}

impl RuleVersions {
    fn propose(&self, state: &mut Versions, proposal: &RulesetProposed, place: Place) -> Result<(), Refusal> {
        let RulesetProposed { ruleset, version, pack, actor, effective_from, .. } = proposal;
        let loaded = load(ruleset, version, pack)?;
        self.agrees(state, version, &loaded)?;
        let proposed = row(ruleset, version, actor, place);
        state.add(RuleVersion { effective_from: *effective_from, pack: Some(pack.clone()), ..proposed })
    }

    fn approve(&self, state: &mut Versions, decision: &RulesetDecision, place: Place, out: &mut Outbox<'_, Self>) -> Result<(), Refusal> {
        let RulesetDecision { ruleset, version, actor, .. } = decision;
        let open = state.open(decision)?.clone();
        if open.proposed_by == *actor {
            let message = format!("{actor} proposed version {version} of {ruleset}: let another person approve it");
            return Err((ErrorCode::MakerIsChecker, message));
        }
        if let Some(pack) = &open.pack {
            // The versions that were approved meanwhile, or the program, may be others than when it was proposed.
            self.agrees(state, version, load(ruleset, version, pack)?.as_ref())?;
        }
        let from = self.effective_from(place.time, open.effective_from);
        let effective_from = Some(EventTime::from_effective(from));
        // Of versions that would judge from the same time on, the one that was approved last does.
        let replaced = state.all.values().find(|other| other.state == RuleVersionState::Approved && other.effective_from == effective_from);
        if let Some(replaced) = replaced.cloned() {
            state.put(RuleVersion { state: RuleVersionState::Superseded, ts: place.event_time(), ..replaced });
        }
        state.put(RuleVersion { effective_from, ..decided(open, decision, RuleVersionState::Approved, place) });
        out.derive(from);
        out.set_timer(from, ());
        Ok(())
    }

    /// The first grid point after the approval that is not before the time that the proposal gives.
    fn effective_from(&self, approved: EffectiveTime, proposed: Option<EventTime>) -> EffectiveTime {
        // A grid point is the first one after the moment before it.
        let least = proposed.map_or(EffectiveTime::ZERO, |from| from.effective().previous());
        self.clock.start_of(self.clock.next_interval_start(self.clock.tick_of(approved.max(least))))
    }

    /// Makes the versions effective that judge at a time.
    fn take_effect(&self, ruleset: &Id, state: &mut Versions, now: EffectiveTime) {
        if !self.is_open {
            return;
        }
        let due = |version: &&RuleVersion| {
            let from = version.effective_from.map(EventTime::effective);
            version.state == RuleVersionState::Approved && from.is_some_and(|from| from <= now)
        };
        let mut due: Vec<_> = state.all.values().filter(due).cloned().collect();
        due.sort_by_key(|version| version.effective_from);
        for version in due {
            let ts = version.effective_from.unwrap_or(version.ts);
            let before = state.all.values().find(|other| other.state == RuleVersionState::Effective).cloned();
            before.into_iter().for_each(|before| state.put(RuleVersion { state: RuleVersionState::Superseded, ts, ..before }));
            let counts_from = self.counts_from.get(ruleset).copied();
            state.put(RuleVersion { state: RuleVersionState::Effective, counts_from, ts, ..version });
        }
    }

    /// Checks that a pack judges what the versions of its name judge that are in force or approved.
    fn agrees(&self, state: &Versions, version: &Id, pack: &Pack) -> Result<(), Refusal> {
        let of_run = self.packs.iter().find(|known| known.name() == pack.name()).map(|known| known.subject());
        let approved = state.all.values().filter(|known| matches!(known.state, RuleVersionState::Approved | RuleVersionState::Effective));
        let approved = approved.filter_map(|known| Some(load(&known.ruleset, &known.version, known.pack.as_ref()?).ok()?.subject()));
        let other = of_run.into_iter().chain(approved).find(|subject| *subject != pack.subject());
        let Some(other) = other.map(Subject::word) else { return Ok(()) };
        let (name, subject) = (pack.name(), pack.subject().word());
        let message =
            format!("version {version} of {name} judges each {subject}, and {name} judges each {other}: give the pack another name");
        Err((ErrorCode::Inconsistent, message))
    }

    /// Checks that there is something to retire.
    fn knows(&self, ruleset: &Id, state: &Versions) -> Result<(), Refusal> {
        let is_known = state.all.values().any(|version| version.pack.is_some()) || self.packs.iter().any(|pack| pack.name() == &**ruleset);
        let message = || format!("there is no pack {ruleset} to retire: check ruleset");
        is_known.then_some(()).ok_or_else(|| (ErrorCode::UnknownReference, message()))
    }
}

impl Versions {
    /// Adds a proposal.
    fn add(&mut self, proposed: RuleVersion) -> Result<(), Refusal> {
        let RuleVersion { ruleset, version, .. } = &proposed;
        if self.all.contains_key(version) {
            let message = format!("version {version} of {ruleset} was proposed before: the first proposal counts; use another version");
            return Err((ErrorCode::ConflictingDuplicate, message));
        }
        self.put(proposed);
        Ok(())
    }

    /// The proposal that a decision is about, if it is not decided yet.
    fn open(&self, RulesetDecision { ruleset, version, .. }: &RulesetDecision) -> Result<&RuleVersion, Refusal> {
        let unknown = || (ErrorCode::UnknownReference, format!("{ruleset} has no version {version}: propose it first, or correct version"));
        let known = self.all.get(version).ok_or_else(unknown)?;
        match &known.decided_by {
            None => Ok(known),
            Some(before) => {
                let how = if known.state == RuleVersionState::Rejected { "rejected" } else { "approved" };
                let message = format!("version {version} of {ruleset} was {how} by {before}: propose another version");
                Err((ErrorCode::AlreadyDecided, message))
            }
        }
    }

    fn put(&mut self, version: RuleVersion) {
        let id = version.version.clone();
        let before = self.all.insert(id.clone(), version);
        self.emitted.entry(id).or_insert(before);
    }
}

/// Loads the pack of a version.
fn load(ruleset: &Id, version: &Id, pack: &Text) -> Result<Arc<Pack>, Refusal> {
    let loaded = Pack::parse(&format!("{ruleset}/{version}"), pack);
    let loaded = loaded.map_err(|error| (ErrorCode::BadRules, format!("{error}\npropose it as another version once it is mended")))?;
    if loaded.name() == &**ruleset {
        return Ok(loaded);
    }
    let message = format!("ruleset is {ruleset}, and the pack's name is {}: give both the same name", loaded.name());
    Err((ErrorCode::Inconsistent, message))
}

/// A proposal without a pack.
fn row(ruleset: &Id, version: &Id, actor: &Id, place: Place) -> RuleVersion {
    RuleVersion {
        ruleset: ruleset.clone(),
        version: version.clone(),
        state: RuleVersionState::Proposed,
        proposed_by: actor.clone(),
        decided_by: None,
        effective_from: None,
        counts_from: None,
        pack: None,
        ts: place.event_time(),
    }
}

fn decided(version: RuleVersion, decision: &RulesetDecision, state: RuleVersionState, place: Place) -> RuleVersion {
    RuleVersion { state, decided_by: Some(decision.actor.clone()), ts: place.event_time(), ..version }
}
