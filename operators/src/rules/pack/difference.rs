//! Differences between two packs, and whether the remembered events suffice for the new one.

use super::{Pack, Rule, Ruleset, Scoring};
use crate::rules::field::Field;
use crate::rules::span;

/// The difference of a pack from the previous one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Changes of the name, of thresholds, and each rule that was added, removed, or changed.
    pub changes: Vec<String>,
    /// What the new pack needs and the remembered events do not have. Decisions based on them would be wrong.
    pub missing: Vec<String>,
}

impl Pack {
    /// The difference from the previous pack.
    pub fn difference(&self, before: &Self) -> Difference {
        let mut difference = Difference::default();
        if self.name != before.name {
            difference.changes.push(format!("pack {} renamed to {}", before.name, self.name));
            difference.missing.push(format!("what is remembered was scored by {}", before.name));
        }
        if self.scoring() != before.scoring() {
            difference.changes.push("thresholds changed".to_owned());
        }
        if self.subject != before.subject {
            difference.missing.push(format!("what is remembered are {}s", before.subject.word()));
        }
        difference.changes.extend(self.changed_rules(before));
        let (reach, remembered) = (self.longest_window(), before.longest_window());
        if reach > remembered {
            let (reach, remembered) = (length(reach), length(remembered));
            difference.missing.push(format!("windows reach back {reach}, and events are remembered for windows of {remembered}"));
        }
        let remembered: Vec<Field> = before.fields().collect();
        let new = self.fields().filter(|field| !remembered.contains(field));
        difference.missing.extend(new.map(|field| format!("the rules read {}, which is not remembered", field.name())));
        let is_new = |ruleset: &&Ruleset| before.rulesets.iter().all(|known| known.grouping != ruleset.grouping);
        let new = self.rulesets.iter().filter(is_new).map(|ruleset| ruleset.grouping.name());
        difference.missing.extend(new.map(|grouping| format!("events are grouped by {grouping}, by which none is remembered")));
        difference
    }

    fn scoring(&self) -> Vec<Option<Scoring>> {
        self.rulesets.iter().map(|ruleset| ruleset.scoring).collect()
    }

    fn fields(&self) -> impl Iterator<Item = Field> {
        self.rulesets.first().into_iter().flat_map(|ruleset| ruleset.kept.fields())
    }

    fn rules(&self) -> impl Iterator<Item = &Rule> + Clone {
        self.rulesets.iter().flat_map(|ruleset| &ruleset.rules)
    }

    fn changed_rules<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = String> + 'a {
        let now = self.rules().filter_map(|rule| match before.rules().find(|known| known.name == rule.name) {
            None => Some(format!("rule {} added", rule.name)),
            Some(known) if known.meaning != rule.meaning => Some(format!("rule {} changed", rule.name)),
            Some(_) => None,
        });
        let gone = before.rules().filter(|known| self.rules().all(|rule| rule.name != known.name));
        now.chain(gone.map(|known| format!("rule {} removed", known.name)))
    }
}

fn length(nanos: i64) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = span::write(nanos, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const FEATURES: &str = "[[feature]]\nname = \"n\"\naggregate = \"count\"\nwindow = \"10m\"\n[[feature]]\nname = \"day\"\naggregate = \"count\"\nwindow = \"1d\"\n[[feature]]\nname = \"part\"\nvalue = \"n / day\"\n";
    const RULES: &str =
        "[[rule]]\nname = \"many\"\nwhen = \"n > 5\"\npoints = 1\n[[rule]]\nname = \"share\"\nwhen = \"part > 0.5\"\npoints = 2\n";

    fn pack(name: &str, text: &str) -> Arc<Pack> {
        let head = format!("name = \"{name}\"\nsubject = \"transaction\"\n[thresholds]\nreview = 1\nblock = 2\n");
        Pack::parse("p.toml", &format!("{head}{text}")).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_difference_names_the_rules_that_mean_something_else_and_what_is_not_remembered() {
        let text = format!("{FEATURES}{RULES}");
        let before = pack("p", &text);
        let after = |from: &str, to: &str| pack("p", &text.replace(from, to)).difference(&before);
        let more = format!("{text}[[rule]]\nname = \"device\"\nwhen = \"device_id == 'x'\"\npoints = 1\n");
        for (case, found, changes, missing) in [
            ("nothing", after("", ""), vec![], vec![]),
            ("a comment", pack("p", &format!("{text}# more\n")).difference(&before), vec![], vec![]),
            ("points", after("points = 2", "points = 3"), vec!["rule share changed"], vec![]),
            ("a condition", after("n > 5", "n > 6"), vec!["rule many changed"], vec![]),
            ("a window within the longest", after("10m", "1h"), vec!["rule many changed", "rule share changed"], vec![]),
            (
                "the longest window",
                after("1d", "2d"),
                vec!["rule share changed"],
                vec!["windows reach back 2d, and events are remembered for windows of 1d"],
            ),
            ("a shorter window", after("1d", "2h"), vec!["rule share changed"], vec![]),
            ("a computed feature", after("n / day", "day / n"), vec!["rule share changed"], vec![]),
            ("a name", after("\"many\"", "\"several\""), vec!["rule several added", "rule many removed"], vec![]),
            (
                "a text that was not read",
                pack("p", &more).difference(&before),
                vec!["rule device added"],
                vec!["the rules read device_id, which is not remembered"],
            ),
            ("another pack", pack("q", &text).difference(&before), vec!["pack p renamed to q"], vec!["what is remembered was scored by p"]),
        ] {
            let strings = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(found, Difference { changes: strings(changes), missing: strings(missing) }, "{case}");
        }
    }
}
