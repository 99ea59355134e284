//! Spending categories: of a merchant's category code, else of the words of its name.
//!
//! Both lists are data: `operators/data/merchant_categories.csv` has ranges of codes (ISO 18245), `merchant_names.csv` words of
//! names. The configuration adds words, which go before those of the file.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use headwater_schemas::Text;
use headwater_schemas::events::{Transaction, TransactionType};

/// The category of what no rule knows.
pub(super) const OTHER: Text = Text::const_new("other");
/// The category of withdrawals that no rule knows.
pub(super) const CASH: Text = Text::const_new("cash");

const CODES: &str = include_str!("../../data/merchant_categories.csv");
const NAMES: &str = include_str!("../../data/merchant_names.csv");

/// The fields of a data file's lines; comments begin with `#`.
fn lines(file: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| line.split(',').collect())
}

/// A range of category codes, both ends included.
#[derive(Clone, Copy, Debug)]
struct Codes {
    first: u16,
    last: u16,
    category: &'static str,
}

fn codes() -> impl Iterator<Item = Option<Codes>> {
    lines(CODES).map(|fields| match *fields {
        [first, last, category] => Some(Codes { first: first.parse().ok()?, last: last.parse().ok()?, category }),
        _ => None,
    })
}

/// The ranges, sorted. A test proves that every line of the file is one.
static BY_CODE: LazyLock<Vec<Codes>> = LazyLock::new(|| codes().flatten().collect());

/// Words of merchants' names, and their categories.
#[derive(Debug, Default)]
struct Names {
    by_words: BTreeMap<String, Text>,
    /// The number of words of the rule that has most.
    most_words: usize,
}

impl Names {
    fn new(rules: impl Iterator<Item = (String, Text)>) -> Self {
        let by_words: BTreeMap<_, _> = rules.collect();
        let most_words = by_words.keys().map(|words| words.split(' ').count()).max().unwrap_or(0);
        Self { by_words, most_words }
    }

    /// The category of the longest rule whose words are next to each other in a name; of equally long ones, the first.
    fn category(&self, name: &[String]) -> Option<&Text> {
        let runs = (1..=self.most_words).flat_map(|length| name.windows(length)).map(|run| run.join(" "));
        let known = runs.filter_map(|run| self.by_words.get_key_value(&run));
        let (_, category) = known.max_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| b.cmp(a)))?;
        Some(category)
    }
}

fn names() -> impl Iterator<Item = Option<(String, Text)>> {
    lines(NAMES).map(|fields| match *fields {
        [words, category] => Some((words.to_owned(), Text::new(category))),
        _ => None,
    })
}

/// Rules that give a purchase its category.
#[derive(Clone, Debug)]
pub struct Categories {
    /// Words of names from the configuration.
    own: Arc<Names>,
    built_in: Arc<Names>,
}

impl Categories {
    /// The rules, with words of merchants' names that go before the built-in ones.
    pub fn new(merchants: &BTreeMap<String, Text>) -> Self {
        let own = merchants.iter().map(|(words, category)| (words_of(words).join(" "), category.clone()));
        Self { own: Arc::new(Names::new(own)), built_in: Arc::new(Names::new(names().flatten())) }
    }

    /// The category of a purchase.
    pub(super) fn of(&self, purchase: &Transaction) -> Text {
        let by_code = purchase.mcc.as_ref().and_then(|code| by_code(code)).map(Text::new);
        let by_name = || self.by_name(purchase.merchant.as_ref()?);
        let unknown = || if purchase.r#type == TransactionType::Withdrawal { CASH } else { OTHER };
        by_code.or_else(by_name).unwrap_or_else(unknown)
    }

    fn by_name(&self, merchant: &str) -> Option<Text> {
        let words = words_of(merchant);
        self.own.category(&words).or_else(|| self.built_in.category(&words)).cloned()
    }
}

/// The category of a code; none if it is not a number or in no range.
fn by_code(code: &str) -> Option<&'static str> {
    let code: u16 = code.parse().ok()?;
    let after = BY_CODE.partition_point(|codes| codes.first <= code);
    let codes = BY_CODE.get(after.checked_sub(1)?)?;
    (code <= codes.last).then_some(codes.category)
}

/// Most words of a name that are read.
const MOST_WORDS: usize = 16;

fn words_of(name: &str) -> Vec<String> {
    let words = name.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.take(MOST_WORDS).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Topic;
    use headwater_schemas::events::Event;

    use super::*;

    #[test]
    fn the_ranges_of_codes_are_in_order_and_do_not_overlap() {
        let all: Option<Vec<Codes>> = codes().collect();
        let all = all.expect("every line is a range");
        assert!(all.iter().all(|codes| codes.first <= codes.last));
        assert!(all.is_sorted_by(|a, b| a.last < b.first));
    }

    #[test]
    fn the_words_of_names_are_sorted_and_lower_case() {
        let all: Option<Vec<(String, Text)>> = names().collect();
        let all = all.expect("every line is a rule");
        assert!(all.is_sorted_by(|a, b| a.0 < b.0), "{all:?}");
        assert!(all.iter().all(|(words, _)| words_of(words).join(" ") == *words));
    }

    #[test]
    fn the_code_goes_before_the_name() {
        let categories = Categories::new(&BTreeMap::from([("Mill Hotel".to_owned(), Text::new("events"))]));
        // Codes of ISO 18245: 5411 grocery stores, 5812 restaurants, 4511 airlines, 6011 cash dispensers, 5912 drug stores.
        for (fields, expected) in [
            (r#""type":"payment","mcc":"5411""#, "groceries"),
            (r#""type":"payment","mcc":"5812","merchant":"Harbour Pharmacy""#, "dining"),
            (r#""type":"payment","mcc":"4511""#, "travel"),
            (r#""type":"payment","mcc":"5912""#, "health"),
            (r#""type":"withdrawal","mcc":"6011""#, "cash"),
            (r#""type":"withdrawal""#, "cash"),
            (r#""type":"payment""#, "other"),
            (r#""type":"payment","mcc":"0001""#, "other"),
            (r#""type":"payment","mcc":"grocer""#, "other"),
            (r#""type":"payment","mcc":"99999","merchant":"Old TAXI, Co.""#, "transport"),
            (r#""type":"payment","merchant":"City Gas-Station""#, "transport"),
            (r#""type":"payment","merchant":"Hotel Bar""#, "travel"),
            (r#""type":"payment","merchant":"The Mill Hotel""#, "events"),
            (r#""type":"payment","merchant":"Barn""#, "other"),
            (r#""type":"payment","merchant":"""#, "other"),
        ] {
            let json = format!(r#"{{"transaction_id":"t","account_id":"a","amount":"1","currency":"USD",{fields},"ts":1}}"#);
            let Ok(Event::Transaction(purchase)) = Event::decode(Topic::Transactions, None, Some(json.as_bytes())) else {
                panic!("{json}")
            };
            assert_eq!(categories.of(&purchase).as_str(), expected, "{fields}");
        }
    }
}
