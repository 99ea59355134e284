//! Alerts of packs without points: one for each episode of a rule in a group.
//!
//! A rule that fires for several events in a row says one thing, not several. Its events are an episode as long as each follows
//! the one before within the rule's quiet time; the episode's alert is raised at its first event, is amended with each further
//! one, and is withdrawn if late events or reversals leave none. Episodes are a function of the remembered events; one whose first
//! events are forgotten goes on.
//!
//! What an earlier version of the pack found keeps its severity and stays in its episode, whatever severity and quiet time the rule
//! has now. An alert has the greatest severity of its events, each by the version that judged it. What a version with points found is in
//! no episode: it has a decision, and maybe an alert of that.

use std::collections::BTreeMap;

use headwater_schemas::tables::{Alert, AlertState, Moment, Reason, RuleAlert, Severity, TableWriter};
use headwater_schemas::{EventTime, Id, Statistic, Text};

use super::coverage::JudgedBy;
use super::grouped::Member;
use super::pack::{Rule, Ruleset, ranked};
use super::record::{Order, Record};
use super::ring::Ring;
use super::subject::GroupKey;
use crate::alerts::Raised;
use crate::small_map::SmallMap;

/// Maximum number of ids that an alert names: the latest ones.
const MAX_IDS: usize = 50;

/// The end of the message of an alert that was withdrawn.
pub(super) const OVER: &str = ": what it was about no longer counts";

/// The rule of an episode, by its number, and the place of its first event.
type EpisodeKey = (usize, Order);

/// The alerts of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct Episodes {
    known: SmallMap<EpisodeKey, Episode>,
    /// Those that changed since rows were emitted last, as they were then; none for a new one.
    touched: Vec<(EpisodeKey, Option<Episode>)>,
    /// Those that were forgotten since then.
    gone: Vec<(EpisodeKey, Episode)>,
}

/// An alert. Its rows follow from it.
#[derive(Clone, Debug)]
struct Episode {
    found: Found,
    raised: Raised,
}

/// What the events of an episode say.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    last_ts: i64,
    /// The first event, then the latest ones.
    ids: Vec<Id>,
    /// Those of the last event.
    figures: Text,
    /// The greatest severity of an event.
    severity: Severity,
}

/// What an event says for which a rule fired.
struct Fired {
    figures: Text,
    ids: Vec<Id>,
    severity: Severity,
    /// Whether an earlier version of the pack found it.
    is_settled: bool,
}

impl Found {
    fn add(&mut self, ts: i64, Fired { figures, ids, severity, .. }: Fired) {
        self.last_ts = ts;
        self.figures = figures;
        self.severity = self.severity.max(severity);
        for id in ids.into_iter().filter(|id| !self.ids.contains(id)).collect::<Vec<_>>() {
            if self.ids.len() >= MAX_IDS {
                // The first one began it, so it stays.
                self.ids.remove(1);
            }
            self.ids.push(id);
        }
    }
}

impl Episodes {
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Compares the alerts with the events, and raises, amends and withdraws what differs. `of` is the ruleset's number, `now`
    /// the effective time.
    pub(super) fn follow(&mut self, of: usize, member: &Member, ring: &Ring, now: EventTime) {
        let begins = ring.get(ring.start()).map(|record| record.order);
        for (number, rule) in member.ruleset.rules.iter().enumerate() {
            let found = self.found(number, |record| fired(record, (of, member), rule), rule.quiet, ring);
            let gone = self.of(number).filter(|key| !found.contains_key(key) && begins.is_some_and(|begins| key.1 >= begins));
            for key in gone.collect::<Vec<_>>() {
                self.change(key, None, now);
            }
            for (first, found) in found {
                self.change(first, Some(found), now);
            }
        }
    }

    /// The episodes of a rule, by what the remembered events say.
    fn found(&self, number: usize, fired: impl Fn(&Record) -> Option<Fired>, quiet: i64, ring: &Ring) -> BTreeMap<EpisodeKey, Found> {
        let begins = ring.get(ring.start()).map(|record| record.order);
        // An episode that began before the remembered events goes on. If its alert was withdrawn, its other events have one of
        // their own by now.
        let goes_on = |key: &EpisodeKey| begins.is_none_or(|begins| key.1 < begins) && self.stands(key);
        let before = self.of(number).filter(goes_on);
        let mut open = before.last().and_then(|key| Some((key, self.known.get(&key)?.found.clone())));
        let mut all = BTreeMap::<EpisodeKey, Found>::new();
        for record in (ring.start()..ring.end()).filter_map(|index| ring.get(index)) {
            let Some(fired) = fired(record) else { continue };
            let ts = record.order.ts;
            let settled = fired.is_settled.then(|| self.settled(number, record)).flatten();
            // An event of the version in force may have begun an episode within one of an earlier version.
            let home = settled.and_then(|began| all.range_mut(began..).next());
            if let Some((_, found)) = home {
                found.add(ts, fired);
                continue;
            }
            let goes_on = |first: &EpisodeKey, found: &Found| match settled {
                Some(began) => began <= *first,
                None => ts.saturating_sub(found.last_ts) <= quiet,
            };
            match &mut open {
                Some((first, found)) if goes_on(first, found) => found.add(ts, fired),
                _ => {
                    let (ids, severity) = (vec![record.id.clone()], fired.severity);
                    let mut found = Found { last_ts: ts, ids, figures: Text::default(), severity };
                    found.add(ts, fired);
                    all.extend(open.replace(((number, record.order), found)));
                }
            }
        }
        all.extend(open);
        all
    }

    /// The alert of a rule that stands about an event: the one that names it, else the latest within whose time it is.
    fn settled(&self, number: usize, record: &Record) -> Option<EpisodeKey> {
        let order = record.order;
        let is_about = |(rule, first): &EpisodeKey, episode: &Episode| {
            *rule == number && *first <= order && order.ts <= episode.found.last_ts && episode.raised.stands()
        };
        let about = self.known.iter().filter(|(key, episode)| is_about(key, episode));
        about.max_by_key(|(key, episode)| (episode.found.ids.contains(&record.id), **key)).map(|(key, _)| *key)
    }

    fn of(&self, number: usize) -> impl Iterator<Item = EpisodeKey> + '_ {
        self.known.iter().map(|(key, _)| *key).filter(move |(rule, _)| *rule == number)
    }

    /// Whether an alert is known and was not withdrawn.
    fn stands(&self, key: &EpisodeKey) -> bool {
        self.known.get(key).is_some_and(|episode| episode.raised.stands())
    }

    fn change(&mut self, key: EpisodeKey, found: Option<Found>, now: EventTime) {
        let standing = self.known.get(&key);
        let next = match (standing, found) {
            (None, Some(found)) => Episode { raised: Raised::new(found.severity, now), found },
            (Some(standing), Some(found)) if standing.found != found || !standing.raised.stands() => {
                Episode { raised: Raised { state: AlertState::Amended, severity: found.severity, ts: now }, found }
            }
            (Some(standing), None) if standing.raised.stands() => {
                let raised = Raised { state: AlertState::Withdrawn, ts: now, ..standing.raised };
                Episode { raised, found: standing.found.clone() }
            }
            _ => return,
        };
        let before = self.known.insert(key, next);
        if !self.is_touched(&key) {
            self.touched.push((key, before));
        }
    }

    fn is_touched(&self, key: &EpisodeKey) -> bool {
        self.touched.iter().any(|(touched, _)| touched == key)
    }

    /// Forgets the alerts that no event since `oldest` belongs to. Their rows of `alerts` stay.
    pub(super) fn forget(&mut self, oldest: i64) {
        let over = self.known.iter().filter(|(_, episode)| episode.found.last_ts < oldest).map(|(key, _)| *key);
        for key in over.filter(|key| !self.is_touched(key)).collect::<Vec<_>>() {
            let gone = self.known.remove(&key);
            self.gone.extend(gone.map(|episode| (key, episode)));
        }
    }

    pub(super) fn emit(
        &mut self,
        ruleset: &Ruleset,
        key: &GroupKey,
        at: &Moment,
        alerts: &TableWriter<Alert>,
        saved: &TableWriter<RuleAlert>,
    ) {
        let row = |(place, episode): (EpisodeKey, &Episode)| row(ruleset, key, place, episode);
        for (place, before) in std::mem::take(&mut self.touched) {
            let now = self.known.get(&place).and_then(|episode| row((place, episode)));
            let before = before.and_then(|episode| row((place, &episode)));
            let alert = |row: &Option<RuleAlert>| row.as_ref().map(|row| alert(ruleset, key, row));
            alerts.replace(at, alert(&before), alert(&now));
            saved.replace(at, before, now);
        }
        let gone = self.gone.drain(..).filter_map(|(place, episode)| row((place, &episode)));
        gone.for_each(|row| saved.retract(at, row));
    }

    /// Restores an alert. One of a rule that is no longer in the pack is over.
    pub(super) fn restore(&mut self, ruleset: &Ruleset, row: &RuleAlert) {
        let Some(number) = ruleset.rules.iter().position(|rule| rule.name == row.rule) else { return };
        let place = (row.rank.try_into(), row.partition.try_into(), row.sequence.try_into());
        let (Ok(rank), Ok(partition), Ok(sequence)) = place else { return };
        let order = Order { ts: row.ts.nanos(), rank, partition, offset: row.offset, sequence };
        let found = Found { last_ts: row.last_ts.nanos(), ids: row.evidence.clone(), figures: row.figures.clone(), severity: row.severity };
        let raised = Raised { state: row.state, severity: row.severity, ts: row.changed_at };
        self.known.insert((number, order), Episode { found, raised });
    }
}

/// What an event adds to the alerts of a rule, of the ruleset with this number. None if the rule did not fire for it, if the event no
/// longer counts, or if a version with points judged it: its points are no ranks of severities.
fn fired(record: &Record, (number, member): (usize, &Member), rule: &Rule) -> Option<Fired> {
    let outcome = Some(record).filter(|record| !record.is_withdrawn)?.outcomes.of(number);
    let outcome = Some(outcome).filter(|outcome| !outcome.is_scored())?;
    let fired = |reason: &&Reason| reason.rule == rule.name && reason.points != Statistic::default();
    let reason = outcome.found()?.reasons.iter().find(fired)?;
    // The figures come first, then the ids.
    let is_id = |text: &&Text| outcome.evidence().iter().any(|id| id.as_str() == text.as_str());
    let ids = reason.evidence.iter().rev().take_while(is_id).count();
    let (figures, ids) = reason.evidence.split_at(reason.evidence.len().saturating_sub(ids));
    let figures = Text::from(figures.iter().map(Text::as_str).collect::<Vec<_>>().join(", "));
    let ids = ids.iter().map(|id| Id::derived(id.as_str())).collect();
    let severity = ranked(reason.points.value());
    Some(Fired { figures, ids, severity, is_settled: member.judged_by(record) != JudgedBy::Current })
}

fn row(ruleset: &Ruleset, key: &GroupKey, (number, first): EpisodeKey, episode: &Episode) -> Option<RuleAlert> {
    let rule = ruleset.rules.get(number)?;
    let Episode { found, raised, .. } = episode;
    let first_id = found.ids.first().map_or("", |id| id.as_str());
    Some(RuleAlert {
        alert_id: Id::shortened(&[&*ruleset.name, ":", &*rule.name, ":", key.as_str(), ":", first_id].concat()),
        ruleset: ruleset.name.clone(),
        grouping: Text::new(ruleset.grouping.name()),
        group_key: Text::new(key.as_str()),
        rule: rule.name.clone(),
        ts: EventTime::from_nanos(first.ts),
        rank: first.rank.into(),
        partition: first.partition.into(),
        offset: first.offset,
        sequence: first.sequence.into(),
        last_ts: EventTime::from_nanos(found.last_ts),
        state: raised.state,
        severity: raised.severity,
        figures: found.figures.clone(),
        evidence: found.ids.clone(),
        changed_at: raised.ts,
    })
}

fn alert(ruleset: &Ruleset, key: &GroupKey, row: &RuleAlert) -> Alert {
    let over = if row.state == AlertState::Withdrawn { OVER } else { "" };
    let message = format!("{} of {} {}: {}{over}", row.rule, ruleset.grouping.noun(), key.as_str(), row.figures);
    Alert {
        alert_id: row.alert_id.clone(),
        kind: ruleset.kind,
        rule: row.rule.clone(),
        severity: row.severity,
        subject: key.subject(),
        state: row.state,
        message: Text::from(message),
        evidence: row.evidence.clone(),
        ts: row.changed_at,
    }
}
