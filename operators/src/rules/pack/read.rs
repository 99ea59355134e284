//! Reading of packs; collects all problems.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headwater_schemas::tables::{AlertKind, Amendment, Severity};
use headwater_schemas::{EventTime, Text};
use toml::de::DeTable;

use super::aggregate::{Aggregate, AggregateKind};
use super::cases::{self, Case};
use super::problem::{PackError, Problems};
use super::section::{Entry, Section};
use super::{Combine, Followers, Kept, Pack, Rise, Rule, Ruleset, Scoring, Thresholds, UNIT, Window, rank};
use crate::rules::expression::{self, Named, Names, Node, Resolved, Type};
use crate::rules::field::Field;
use crate::rules::span;
use crate::rules::subject::{Grouping, Subject};

/// Maximum length of a name, which is part of ids and messages.
const MAX_NAME: usize = 32;
/// The least quiet time of a rule that does not say, in nanoseconds.
const DAY: i64 = 86_400 * 1_000_000_000;
/// How far back a window reaches that begins after an event and has no length.
const LONGEST_SINCE: Window = Window::Rolling(30 * DAY);

/// Reads a pack.
pub(super) fn pack(file: &str, text: &str) -> Result<Arc<Pack>, PackError> {
    let mut problems = Problems::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        problems.add(error.span().map_or(0, |span| span.start), format!("this is not TOML: {}", error.message()));
    }
    if !problems.is_empty() {
        // Entries that the parser recovered after a syntax error would only be guesses.
        return Err(problems.into_error(file));
    }
    let mut section = Section::new(root.get_ref(), "a pack", 0);
    match Reader::new(&mut problems, &mut section).pack(section) {
        Some((pack, cases)) if problems.is_empty() => {
            let pack = Arc::new(pack);
            cases::check(&pack, &cases, &mut problems);
            if problems.is_empty() { Ok(pack) } else { Err(problems.into_error(file)) }
        }
        _ => Err(problems.into_error(file)),
    }
}

struct Reader<'p, 't> {
    problems: &'p mut Problems<'t>,
    subject: Subject,
    /// Whether the rules add points to a score; else each raises its own alerts.
    has_points: bool,
    features: Features,
    kept: Kept,
}

/// A rule, and what it groups events by.
struct Read {
    grouping: Grouping,
    rule: Rule,
    at: usize,
}

/// The features read so far.
struct Features {
    subject: Subject,
    aggregates: Vec<Aggregate>,
    /// What each aggregate groups events by.
    groupings: Vec<Grouping>,
    values: Vec<Arc<Named>>,
    /// The expression of each value, as written.
    expressions: BTreeMap<Text, Text>,
    /// Names of features with problems: expressions that read them get no problem of their own.
    broken: Vec<String>,
}

impl Features {
    const fn new(subject: Subject) -> Self {
        Self {
            subject,
            aggregates: Vec::new(),
            groupings: Vec::new(),
            values: Vec::new(),
            expressions: BTreeMap::new(),
            broken: Vec::new(),
        }
    }

    /// What the aggregates that a condition reads group events by.
    fn groupings(&self, when: &Node) -> Vec<Grouping> {
        let mut groupings = Vec::new();
        when.aggregates(&mut |number| {
            let new = self.groupings.get(number).filter(|grouping| !groupings.contains(*grouping)).copied();
            groupings.extend(new);
        });
        groupings
    }

    fn has(&self, name: &str) -> bool {
        let mut names = self.aggregates.iter().map(|aggregate| &aggregate.name).chain(self.values.iter().map(|value| &value.name));
        names.any(|known| known.as_str() == name) || self.broken.iter().any(|broken| broken == name)
    }

    /// The longest window that a condition reads, in nanoseconds.
    fn longest_window(&self, when: &Node) -> i64 {
        let mut longest = 0;
        when.aggregates(&mut |number| longest = self.aggregates.get(number).map_or(0, |read| read.window.reach()).max(longest));
        longest
    }

    /// The captures and reversals that a condition applies to.
    fn followers(&self, when: &Node) -> Followers {
        let mut followers = Followers::default();
        when.fields(&mut |field| followers.add(field));
        when.aggregates(&mut |number| self.aggregates.get(number).into_iter().for_each(|read| followers.merge(read.followers)));
        followers
    }

    /// The definitions of the features that a condition reads.
    fn definitions(&self, when: &Node) -> BTreeSet<String> {
        let mut definitions = BTreeSet::new();
        when.aggregates(&mut |number| definitions.extend(self.aggregates.get(number).map(|aggregate| format!("{aggregate:?}"))));
        when.computed(&mut |named| definitions.extend(self.expressions.get(&named.name).map(|text| format!("{} = {text}", named.name))));
        definitions
    }

    fn find(&self, name: &str) -> Option<Resolved> {
        if let Some(number) = self.aggregates.iter().position(|aggregate| aggregate.name.as_str() == name) {
            let aggregate = self.aggregates.get(number)?;
            return Some((Node::Aggregate(number, aggregate.key), aggregate.type_of));
        }
        let value = self.values.iter().find(|value| value.name.as_str() == name)?;
        Some((Node::Named(Arc::clone(value)), value.type_of))
    }
}

/// Names that a filter may read.
struct FieldsOnly(Subject);

impl Names for FieldsOnly {
    fn resolve(&self, name: &str) -> Result<Resolved, Option<String>> {
        let unknown = || format!("the event has no field `{name}`: use one of {} (a filter reads no features)", Field::names(self.0));
        let field = Field::from_name(name, self.0).ok_or_else(|| Some(unknown()))?;
        Ok((Node::Field(field), field.type_of()))
    }
}

/// Names that conditions and values may read.
impl Names for Features {
    fn resolve(&self, name: &str) -> Result<Resolved, Option<String>> {
        if let Some(field) = Field::from_name(name, self.subject) {
            return Ok((Node::Field(field), field.type_of()));
        }
        let fields = || Field::names(self.subject);
        let unknown = || format!("`{name}` is neither a feature declared above nor a field of the event: the fields are {}", fields());
        let is_broken = || self.broken.iter().any(|broken| broken == name);
        self.find(name).ok_or_else(|| (!is_broken()).then(unknown))
    }
}

impl<'p, 't> Reader<'p, 't> {
    fn new(problems: &'p mut Problems<'t>, root: &mut Section<'_>) -> Self {
        let subject = root.text("subject", problems);
        let known = subject.as_ref().map(|subject| (subject, Subject::ALL.into_iter().find(|known| known.word() == subject.value)));
        if let Some((entry, None)) = known {
            let words = Subject::ALL.map(Subject::word).join(", ");
            problems.add(entry.span.start, format!("{:?} can not be judged: the subject is one of {words}", entry.value));
        }
        let subject = known.and_then(|(_, subject)| subject).unwrap_or(Subject::Transaction);
        let has_points = root.optional("thresholds").is_some();
        Self { problems, subject, has_points, features: Features::new(subject), kept: Kept::default() }
    }

    fn pack(mut self, mut root: Section<'_>) -> Option<(Pack, Vec<Case>)> {
        let name = root.text("name", self.problems).and_then(|name| self.name(&name));
        let kind = self.kind_of_alerts(&mut root);
        let scoring = self.scoring(&mut root);
        for section in root.tables("feature", "a feature", self.problems) {
            self.feature(section);
        }
        let mut names = Vec::new();
        let rules = root.tables("rule", "a rule", self.problems).into_iter().filter_map(|section| self.rule(section, &mut names));
        let rules: Vec<Read> = rules.collect();
        if rules.is_empty() && self.problems.is_empty() {
            self.problems.add(0, "a pack without a rule decides nothing: add [[rule]]");
        }
        let cases = cases::read(&mut root, self.subject, &names, self.problems);
        root.finish(self.problems);
        let (name, kind, scoring) = (Text::new(name?), kind?, scoring?);
        self.one_group(&rules);
        let (rulesets, subject, tests) = (self.rulesets(&name, kind, scoring, rules), self.subject, cases.len());
        Some((Pack { name, subject, rulesets, tests }, cases))
    }

    /// A decision joins the points of all rules, so they have to see the same group.
    fn one_group(&mut self, rules: &[Read]) {
        let Some(first) = rules.first().filter(|_| self.has_points) else { return };
        for other in rules.iter().filter(|other| other.grouping != first.grouping) {
            let (this, that) = (other.grouping.name(), first.grouping.name());
            let reason = format!("this rule groups events by {this}, the first one by {that}: one score needs one group for all rules");
            self.problems.add(other.at, reason);
        }
    }

    /// The rules by what they group events by.
    fn rulesets(&self, name: &Text, kind: AlertKind, scoring: Option<Scoring>, rules: Vec<Read>) -> Vec<Ruleset> {
        let kept = Arc::new(self.kept.clone());
        let mut rulesets = Vec::<Ruleset>::new();
        for Read { grouping, rule, .. } in rules {
            if let Some(ruleset) = rulesets.iter_mut().find(|ruleset| ruleset.grouping == grouping) {
                ruleset.rules.push(rule);
                continue;
            }
            let (mut aggregates, mut places) = (Vec::new(), Vec::new());
            for (aggregate, of) in self.features.aggregates.iter().zip(&self.features.groupings) {
                places.push((*of == grouping).then_some(aggregates.len()));
                let is_of_party = grouping == Grouping::Party;
                aggregates.extend((*of == grouping).then(|| Aggregate { is_of_party, ..aggregate.clone() }));
            }
            let (name, subject, kept) = (name.clone(), self.subject, Arc::clone(&kept));
            rulesets.push(Ruleset { name, subject, grouping, kind, scoring, aggregates, places, rules: vec![rule], kept });
        }
        rulesets
    }

    /// The kind of the pack's alerts; `fraud` if it does not say.
    fn kind_of_alerts(&mut self, root: &mut Section<'_>) -> Option<AlertKind> {
        let Some(kind) = root.optional_text("kind", self.problems) else { return Some(AlertKind::Fraud) };
        let found = AlertKind::from_word(kind.value);
        if found.is_none() {
            let words: Vec<_> = AlertKind::ALL.iter().map(|kind| kind.as_str()).collect();
            self.problems.add(kind.span.start, format!("{:?} is no kind of alert: use one of {}", kind.value, words.join(", ")));
        }
        found
    }

    fn scoring(&mut self, root: &mut Section<'_>) -> Option<Option<Scoring>> {
        if !self.has_points {
            return Some(None);
        }
        let mut section = root.table("thresholds", "[thresholds]", self.problems)?;
        let combine = match section.optional_text("combine", self.problems) {
            None => Some(Combine::Sum),
            Some(entry) => match entry.value {
                "sum" => Some(Combine::Sum),
                "noisy_or" => Some(Combine::NoisyOr),
                _ => {
                    self.problems.add(entry.span.start, format!("{:?} combines nothing: write \"sum\" or \"noisy_or\"", entry.value));
                    None
                }
            },
        };
        let review = section.points("review", self.problems);
        // From a score on, or beyond it: exactly one of them.
        let (block, above) = (section.optional_points("block", self.problems), section.optional_points("block_above", self.problems));
        let critical = section.optional_points("critical", self.problems);
        if block.is_some() == above.is_some() {
            self.problems.add(section.at(), "[thresholds] has either `block` (from that score on) or `block_above` (beyond it): add one");
        }
        section.finish(self.problems);
        let (review, block, least) = match (review?, block, above) {
            (review, Some(block), None) => (review, i64::from(block.value) * UNIT, block.value),
            (review, None, Some(above)) => (review, i64::from(above.value) * UNIT + 1, above.value),
            _ => return None,
        };
        if review.value > least {
            self.problems.add(review.span.start, format!("`review` ({}) lies above `block` ({least})", review.value));
        }
        if let Some(critical) = critical.as_ref().filter(|critical| critical.value < least) {
            self.problems.add(critical.span.start, format!("`critical` ({}) lies below `block` ({least})", critical.value));
        }
        let units = |points: u32| i64::from(points) * UNIT;
        let thresholds = Thresholds { review: units(review.value), block, critical: critical.map(|critical| units(critical.value)) };
        Some(Some(Scoring { combine: combine?, thresholds }))
    }

    fn name(&mut self, name: &Entry<&str>) -> Option<String> {
        let starts = name.value.starts_with(|c: char| c.is_ascii_lowercase());
        let spelled = name.value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !starts || !spelled || name.value.len() > MAX_NAME {
            let advice = format!("at most {MAX_NAME} of a-z, 0-9 and _, a letter first");
            self.problems.add(name.span.start, format!("{:?} is no name: write {advice}", name.value));
            return None;
        }
        Some(name.value.to_owned())
    }

    fn feature(&mut self, mut section: Section<'_>) {
        let name = section.text("name", self.problems);
        let valid = name.as_ref().and_then(|name| self.feature_name(name));
        let read = match (section.optional("value").is_some(), section.optional("aggregate").is_some()) {
            (true, false) => self.value(&mut section, valid.as_deref()),
            (false, true) => self.aggregate(&mut section, valid.as_deref()),
            _ => {
                self.problems.add(section.at(), "a feature has either an `aggregate` or a `value`");
                // Its entries cannot be checked.
                self.features.broken.extend(valid);
                return;
            }
        };
        if read.is_none() {
            self.features.broken.extend(name.map(|name| name.value.to_owned()));
        }
        section.finish(self.problems);
    }

    fn feature_name(&mut self, name: &Entry<&str>) -> Option<String> {
        let valid = self.name(name)?;
        if Field::from_name(&valid, self.subject).is_some() || expression::is_reserved(&valid) {
            self.problems.add(name.span.start, format!("`{valid}` means something else already: choose another name"));
            return None;
        }
        if self.features.has(&valid) {
            self.problems.add(name.span.start, format!("there is a feature `{valid}` already: choose another name"));
            return None;
        }
        Some(valid)
    }

    fn value(&mut self, section: &mut Section<'_>, name: Option<&str>) -> Option<()> {
        let text = section.text("value", self.problems)?;
        let (node, type_of) = self.expression(&text, None, true)?;
        let name = Text::new(name?);
        self.features.expressions.insert(name.clone(), Text::new(text.value));
        self.features.values.push(Arc::new(Named { name, type_of, node }));
        Some(())
    }

    fn aggregate(&mut self, section: &mut Section<'_>, name: Option<&str>) -> Option<()> {
        let kind = section.text("aggregate", self.problems);
        let field = section.optional_text("field", self.problems);
        let of = kind.and_then(|kind| self.aggregate_of(&kind, field.as_ref()));
        let window = section.optional_text("window", self.problems).map(|window| self.window(&window));
        let key = section.optional_texts("key", self.problems);
        let key = key.map_or(Some((self.subject.grouping(), None)), |key| self.key(&key));
        let filter = self.filter(section, "filter");
        let (since, from) = (self.filter(section, "since"), self.filter(section, "from"));
        // A window that begins after an event needs no length.
        let window = window.or_else(|| section.optional("since").map(|_| Some(LONGEST_SINCE)));
        let window = window.unwrap_or_else(|| section.text("window", self.problems).and_then(|window| self.window(&window)));
        let ((kind, field, type_of), (grouping, key)) = (of?, key?);
        let (name, window, since, filter) = (Text::new(name?), window?, since?, filter?);
        let from = from?;
        if from.is_some() {
            self.check_from(section, window, since.is_some())?;
        }
        field.into_iter().chain(key).chain(window.begins_at()).for_each(|field| self.kept.add(field));
        let mut followers = Followers::default();
        field.into_iter().chain(key).for_each(|field| followers.add(field));
        filter.iter().chain(&since).chain(&from).for_each(|condition| condition.fields(&mut |field| followers.add(field)));
        let is_of_party = false;
        let aggregate = Aggregate { name, kind, field, key, filter, window, since, from, type_of, followers, is_of_party };
        self.features.aggregates.push(aggregate);
        self.features.groupings.push(grouping);
        Some(())
    }

    /// Whether a window can have `from`: one of a length, without `since`.
    fn check_from(&mut self, section: &mut Section<'_>, window: Window, has_since: bool) -> Option<()> {
        let problem = match window {
            _ if has_since => "a window has `since` or `from`, not both: remove one of them",
            Window::Day | Window::Month => "`from` needs a window of a length, like \"5m\"",
            Window::Rolling(_) => return Some(()),
        };
        let at = section.optional_text("from", self.problems).map(|from| from.span.start);
        at.into_iter().for_each(|at| self.problems.add(at, problem));
        None
    }

    /// The kind, the field and the type of an aggregate.
    fn aggregate_of(&mut self, kind: &Entry<&str>, field: Option<&Entry<&str>>) -> Option<(AggregateKind, Option<Field>, Type)> {
        let found = field.map(|field| self.field(field));
        let kind_at = kind.span.start;
        let kind = self.kind(kind)?;
        let (field_at, field) = match (field, found) {
            (Some(entry), Some(found)) => (entry.span.start, Some(found?)),
            _ => (kind_at, None),
        };
        if kind.needs_field() && field.is_none() {
            self.problems.add(kind_at, "this aggregate needs a `field`");
            return None;
        }
        let Some(type_of) = kind.result(field.map(Field::type_of)) else {
            let found = field.map_or_else(String::new, |field| field.type_of().to_string());
            self.problems.add(field_at, format!("this aggregate takes {}, but the field is {found}", kind.takes()));
            return None;
        };
        Some((kind, field, type_of))
    }

    fn kind(&mut self, kind: &Entry<&str>) -> Option<AggregateKind> {
        let found = AggregateKind::ALL.iter().find(|(word, _)| *word == kind.value);
        if found.is_none() {
            let known = AggregateKind::ALL.map(|(word, _)| word).join(", ");
            self.problems.add(kind.span.start, format!("there is no aggregate {:?}: use one of {known}", kind.value));
        }
        found.map(|(_, kind)| *kind)
    }

    fn field(&mut self, name: &Entry<&str>) -> Option<Field> {
        let field = Field::from_name(name.value, self.subject);
        if field.is_none() {
            let fields = Field::names(self.subject);
            self.problems.add(name.span.start, format!("the event has no field {:?}: use one of {fields}", name.value));
        }
        field
    }

    /// A condition on single events, if there is one.
    fn filter(&mut self, section: &mut Section<'_>, name: &'static str) -> Option<Option<Node>> {
        let Some(text) = section.optional_text(name, self.problems) else { return Some(None) };
        self.expression(&text, Some(Type::Bool), false).map(|(node, _)| Some(node))
    }

    fn window(&mut self, window: &Entry<&str>) -> Option<Window> {
        let problem = match window.value {
            "day" => return Some(Window::Day),
            "month" => return Some(Window::Month),
            text => match span::parse(text) {
                Ok(0) => format!("{text:?} is no window: it has no length; write 1s or more"),
                Ok(nanos) => return Some(Window::Rolling(nanos)),
                Err(reason) => format!("{reason}; or write \"day\" or \"month\" for those of the calendar"),
            },
        };
        self.problems.add(window.span.start, problem);
        None
    }

    /// What an aggregate groups events by, and the field whose value it distinguishes within a group.
    fn key(&mut self, key: &Entry<Vec<&str>>) -> Option<(Grouping, Option<Field>)> {
        let (group, field) = match key.value.as_slice() {
            [group] => (*group, None),
            [group, field] => (*group, Some(*field)),
            _ => {
                self.problems.add(key.span.start, "a key is [GROUP], or [GROUP, FIELD] for the events of a group with the same FIELD");
                return None;
            }
        };
        let Some(grouping) = Grouping::from_name(group, self.subject) else {
            let known = Grouping::names(self.subject);
            self.problems.add(key.span.start, format!("events are not grouped by {group:?}: the first of a key is one of {known}"));
            return None;
        };
        let Some(name) = field else { return Some((grouping, None)) };
        let field = self.field(&Entry { value: name, span: key.span.clone() })?;
        let fits = matches!(field.type_of(), Type::Text | Type::Word(_) | Type::Number);
        if !fits {
            self.problems.add(key.span.start, format!("`{name}` is {}: a key is a text or a number", field.type_of()));
        }
        fits.then_some((grouping, Some(field)))
    }

    fn rule<'s>(&mut self, mut section: Section<'s>, names: &mut Vec<&'s str>) -> Option<Read> {
        let name = section.text("name", self.problems);
        let valid = name.as_ref().and_then(|name| self.name(name));
        if let Some(name) = name {
            if Amendment::from_word(name.value).is_some() {
                self.problems.add(name.span.start, format!("`{}` is what amended decisions name: choose another name", name.value));
            }
            if names.contains(&name.value) {
                self.problems.add(name.span.start, format!("there is a rule `{}` already: choose another name", name.value));
            }
            names.push(name.value);
        }
        let when = section.text("when", self.problems);
        let condition = when.as_ref().and_then(|when| self.expression(when, Some(Type::Bool), true));
        let consequence = self.consequence(&mut section);
        let rise = section.optional_table("rise", "a rise", self.problems).map(|rise| self.rise(rise));
        let quiet = section.optional_text("quiet", self.problems).map(|quiet| self.quiet(&quiet));
        let effective_from = section.optional_text("effective_from", self.problems).map(|time| self.time(&time));
        // For people; they change nothing.
        for note in ["owner", "regulation", "description"] {
            section.optional_text(note, self.problems);
        }
        let at = section.at();
        section.finish(self.problems);
        let (text, (when, _), (points, severity)) = (when?.value, condition?, consequence?);
        let (rise_text, rise) = rise.map_or(Some((None, None)), |rise| rise.map(|(text, rise)| (Some(text), Some(rise))))?;
        let mut groupings = self.features.groupings(&when);
        let of_rise = rise.iter().flat_map(|rise| self.features.groupings(&rise.when));
        groupings.extend(of_rise.filter(|grouping| !groupings.contains(grouping)).collect::<Vec<_>>());
        let grouping = match groupings.as_slice() {
            [] => self.subject.grouping(),
            [grouping] => *grouping,
            [first, second, ..] => {
                let reason = format!("this rule reads windows of two groups, {} and {}: split it", first.name(), second.name());
                self.problems.add(at, reason);
                return None;
            }
        };
        let followers = self.features.followers(&when);
        let quiet = quiet.unwrap_or_else(|| Some(self.features.longest_window(&when).max(DAY)))?;
        let effective_from = effective_from.map_or(Some(None), |time| time.map(Some))?;
        let features = self.features.definitions(&when);
        let meaning = Text::from(format!("{points} {severity} {quiet} {effective_from:?} {text} {rise_text:?} {features:?}"));
        let (name, condition) = (Text::new(valid?), Text::new(text));
        let rule = Rule { name, when, condition, points, rise, quiet, effective_from, followers, meaning };
        Some(Read { grouping, rule, at })
    }

    /// The points that a rule adds, or the severity of its own alerts.
    fn consequence(&mut self, section: &mut Section<'_>) -> Option<(u32, Severity)> {
        if self.has_points {
            return section.points("points", self.problems).map(|points| (points.value, Severity::High));
        }
        if section.optional("points").is_some() {
            self.problems.add(section.at(), "`points` need [thresholds]: add them, or give the rule a `severity`");
            return None;
        }
        let entry = section.text("severity", self.problems)?;
        let severity = Severity::from_word(entry.value);
        if severity.is_none() {
            let known = Severity::ALL.iter().map(|severity| severity.as_str()).collect::<Vec<_>>().join(", ");
            self.problems.add(entry.span.start, format!("{:?} is no severity: use one of {known}", entry.value));
        }
        severity.map(|severity| (rank(severity), severity))
    }

    /// A further condition, as written and compiled, with its own points or severity.
    fn rise(&mut self, mut section: Section<'_>) -> Option<(String, Rise)> {
        let when = section.text("when", self.problems);
        let condition = when.as_ref().and_then(|when| self.expression(when, Some(Type::Bool), true));
        let consequence = self.consequence(&mut section);
        section.finish(self.problems);
        let (text, (when, _), (points, severity)) = (when?.value, condition?, consequence?);
        Some((format!("{text} {points} {severity}"), Rise { when, condition: Text::new(text), points, severity }))
    }

    fn quiet(&mut self, entry: &Entry<&str>) -> Option<i64> {
        span::parse(entry.value).map_err(|reason| self.problems.add(entry.span.start, reason)).ok()
    }

    fn time(&mut self, entry: &Entry<&str>) -> Option<i64> {
        let read = entry.value.parse::<EventTime>();
        let reason = |_| format!("{:?} is no time: write one like 2026-01-31T00:00:00Z", entry.value);
        read.map(EventTime::nanos).map_err(|error| self.problems.add(entry.span.start, reason(error))).ok()
    }

    /// Compiles an expression; its problems are located in the file.
    fn expression(&mut self, text: &Entry<&str>, expected: Option<Type>, features: bool) -> Option<Resolved> {
        let names: &dyn Names = if features { &self.features } else { &FieldsOnly(self.subject) };
        match expression::compile(text.value, names, expected) {
            Ok((node, type_of)) => {
                node.fields(&mut |field| self.kept.add(field));
                Some((node, type_of))
            }
            Err(faults) => {
                // In a TOML text with escapes, offsets do not correspond to the file: problems are then at the text's beginning.
                let inside = self.problems.source(text.span.clone()).find(text.value);
                for fault in faults {
                    self.problems.add(text.span.start + inside.map_or(0, |inside| inside + fault.at), fault.reason);
                }
                None
            }
        }
    }
}
