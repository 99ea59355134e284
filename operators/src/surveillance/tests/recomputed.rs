//! Alerts of books, recomputed from the list of all events: slow, without windows, sums or memory.

use std::collections::{BTreeMap, BTreeSet};

use headwater_schemas::events::Side;
use headwater_schemas::tables::AlertState;
use headwater_schemas::{AccountId, EventTime, Id, OwnerId, Quantity};
use proptest::prelude::*;

use super::*;
use crate::matching::{BookEvent, BookMessage, Outcome};
use crate::surveillance::settings::Span;

/// An event of a book.
#[derive(Clone, Debug)]
enum Seen {
    Execution { account: AccountId, side: Side, quantity: Quantity, price: Price, match_id: Id },
    Cancel { account: AccountId, side: Side, quantity: Quantity },
    Message { account: AccountId },
}

/// Sums of a side: cancelled orders, cancelled and executed quantity.
type Sums = (u64, i128, i128);

struct Recomputed<'a> {
    settings: &'a SurveillanceSettings,
    events: Vec<(EventTime, Seen)>,
    /// The end of the current episode of each rule and subject.
    episodes: BTreeMap<(&'static str, String), EventTime>,
    alerts: BTreeSet<String>,
    order_to_trade: BTreeMap<String, AlertState>,
}

fn owner(account: AccountId) -> OwnerId {
    OwnerId::derived(match account.as_str() {
        "b1" | "c1" => "gang",
        "m1" => "max",
        _ => "xia",
    })
}

impl Recomputed<'_> {
    fn fire(&mut self, rule: &'static str, subject: &str, now: EventTime) {
        let until = self.settings.episode.after(now);
        let before = self.episodes.insert((rule, subject.to_owned()), until);
        if before.is_none_or(|before| before < now) {
            self.alerts.insert(Id::shortened(&format!("surveillance:{rule}:{subject}:S:{now}")).to_string());
        }
    }

    /// The events so far that are not older than a window.
    fn within(&self, window: Span) -> impl Iterator<Item = &Seen> {
        let now = self.events.last().map_or(EventTime::BEGINNING, |(ts, _)| *ts);
        self.events.iter().filter(move |(ts, _)| *ts >= window.before(now)).map(|(_, seen)| seen)
    }

    fn sums(&self, of: AccountId, on: Side) -> Sums {
        self.within(self.settings.layering_window).fold((0, 0, 0), |(orders, cancelled, executed), seen| match seen {
            Seen::Cancel { account, side, quantity, .. } if (*account, *side) == (of, on) => {
                (orders + 1, cancelled + quantity.units(), executed)
            }
            Seen::Execution { account, side, quantity, .. } if (*account, *side) == (of, on) => {
                (orders, cancelled, executed + quantity.units())
            }
            _ => (orders, cancelled, executed),
        })
    }

    fn layering(&mut self, account: AccountId, side: Side, now: EventTime) {
        let other = if side == Side::Buy { Side::Sell } else { Side::Buy };
        let ((orders, cancelled, filled), (_, moved, traded)) = (self.sums(account, side), self.sums(account, other));
        // Both ratios are 1 here.
        if orders >= self.settings.layering_orders && traded > 0 && cancelled >= filled && cancelled >= moved {
            self.fire("layering", account.as_str(), now);
        }
    }

    fn wash_trade(&mut self, execution: &Seen, now: EventTime) {
        let Seen::Execution { account, side, quantity, price, match_id } = execution else { return };
        let is_wash = |seen: &Seen| match seen {
            Seen::Execution {
                account: other,
                side: other_side,
                quantity: other_quantity,
                price: other_price,
                match_id: other_match,
                ..
            } => {
                let is_one_match = other_match == match_id;
                let has_equal_terms = (quantity, price) == (other_quantity, other_price);
                owner(*other) == owner(*account) && other_side != side && (is_one_match || (has_equal_terms && other != account))
            }
            _ => false,
        };
        if self.within(self.settings.wash_trade_window).any(is_wash) {
            self.fire("wash_trade", owner(*account).as_str(), now);
        }
    }

    fn quote_stuffing(&mut self, of: AccountId, now: EventTime) {
        let count = |is: fn(&Seen, AccountId) -> bool| self.within(self.settings.stuffing_window).filter(|seen| is(seen, of)).count();
        let messages = count(is_message) as u64;
        // The share is a half here.
        if messages >= self.settings.stuffing_messages && 2 * (count(is_execution) as u64) < messages {
            self.fire("quote_stuffing", of.as_str(), now);
        }
    }

    fn order_to_trade(&mut self, of: AccountId, now: EventTime) {
        let day = now.date();
        let count = |is: fn(&Seen, AccountId) -> bool| self.events.iter().filter(|(ts, seen)| ts.date() == day && is(seen, of)).count();
        let is_excessive = count(is_message) > 3 * count(is_execution).max(1);
        let key = format!("surveillance:order_to_trade:{of}:S:{day}T00:00:00Z");
        match (self.order_to_trade.get(&key).copied(), is_excessive) {
            (None, true) => drop(self.order_to_trade.insert(key, AlertState::Raised)),
            (Some(AlertState::Cleared), true) => drop(self.order_to_trade.insert(key, AlertState::Amended)),
            (Some(AlertState::Raised | AlertState::Amended), false) => drop(self.order_to_trade.insert(key, AlertState::Cleared)),
            _ => {}
        }
    }

    fn see(&mut self, now: EventTime, event: &BookEvent) {
        match event {
            BookEvent::Execution(execution) => {
                let (account, side, quantity, price) = (execution.account_id, execution.side, execution.quantity, execution.price);
                let match_id = execution.match_id.clone();
                let seen = Seen::Execution { account, side, quantity, price, match_id };
                self.events.push((now, seen.clone()));
                self.wash_trade(&seen, now);
                self.layering(account, if side == Side::Buy { Side::Sell } else { Side::Buy }, now);
                self.order_to_trade(account, now);
            }
            BookEvent::Message(BookMessage { account_id, outcome, .. }) => {
                let account = *account_id;
                self.events.push((now, Seen::Message { account }));
                if let Outcome::Cancelled { side, quantity } = *outcome {
                    self.events.push((now, Seen::Cancel { account, side, quantity }));
                    self.layering(account, side, now);
                }
                self.quote_stuffing(account, now);
                self.order_to_trade(account, now);
            }
            BookEvent::Phase(_) => {}
        }
    }
}

fn is_message(seen: &Seen, of: AccountId) -> bool {
    matches!(seen, Seen::Message { account, .. } if *account == of)
}

fn is_execution(seen: &Seen, of: AccountId) -> bool {
    matches!(seen, Seen::Execution { account, .. } if *account == of)
}

/// Low thresholds, so that short stories reach them.
const LOW: &str = "layering_orders = 2\nlayering_ratio = 1\nlayering_one_sided = 1\nstuffing_messages = 4\nstuffing_window = '20s'\n\
                   stuffing_filled = '0.5'\norder_to_trade = 3\nepisode = '30s'\nlayering_window = '40s'\nwash_trade_window = '25s'\n\
                   close_window = '50s'";

/// A line of a story: seconds since the line before, the account, and what it does.
fn story(steps: &[(u32, usize, u32, u32, bool)]) -> Vec<String> {
    let mut now = 0;
    let mut orders = Vec::<(&str, usize)>::new();
    let mut story = Vec::new();
    for (number, (pause, account, action, price, allows)) in steps.iter().enumerate() {
        // Rarely half a day passes.
        now += if *pause == 39 { 40_000 } else { *pause };
        let account = ["b1", "c1", "m1", "x1"][*account];
        let own = orders.iter().rev().filter(|(of, _)| *of == account).nth(usize::try_from(*price).unwrap_or_default() % 3);
        match (own, action) {
            (Some((_, order)), 0..4) => story.push(format!("{now} cancel {account} o{order}")),
            _ => {
                let side = if action.is_multiple_of(2) { "buy" } else { "sell" };
                let more = if *allows { " self_trade=allow" } else { "" };
                let quantity = 100 * (1 + action % 2);
                story.push(format!("{now} new {account} o{number} {side} {quantity} @ 10.0{price}{more}"));
                orders.push((account, number));
            }
        }
    }
    story
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn alerts_are_those_of_a_recomputation_over_all_events(
        steps in proptest::collection::vec((0..40_u32, 0..4_usize, 0..10_u32, 0..4_u32, any::<bool>()), 1..80),
        cut in 0..200_usize,
    ) {
        let settings = settings(LOW);
        let happenings = watched(&story(&steps));
        let mut recomputed = Recomputed {
            settings: &settings,
            events: Vec::new(),
            episodes: BTreeMap::new(),
            alerts: BTreeSet::new(),
            order_to_trade: BTreeMap::new(),
        };
        let mut ordered = happenings.clone();
        ordered.sort_by_key(|happening| happening.place);
        for happening in &ordered {
            if let Happening::Event(WatchEvent::Book(event)) = &happening.event {
                recomputed.see(happening.place.event_time(), event);
            }
        }
        let whole = run(books(&settings), happenings.clone()).tables;
        let rows = rows_of(&whole.alerts);
        let rules = ["layering", "wash_trade", "quote_stuffing"];
        let found: BTreeSet<String> =
            rows.iter().filter(|row| rules.contains(&row.rule.as_str())).map(|row| row.alert_id.to_string()).collect();
        prop_assert_eq!(&found, &recomputed.alerts);
        let of_days = rows.iter().filter(|row| row.rule.as_str() == "order_to_trade");
        let of_days: BTreeMap<String, AlertState> = of_days.map(|row| (row.alert_id.to_string(), row.state)).collect();
        prop_assert_eq!(&of_days, &recomputed.order_to_trade);
        let halves = run_with_restart(books(&settings), happenings, REFERENCE.len() + cut).tables;
        prop_assert_eq!(history_of(&whole.alerts), history_of(&halves.alerts));
        prop_assert_eq!(rows_of(&whole.events), rows_of(&halves.events));
        prop_assert_eq!(rows_of(&whole.counts), rows_of(&halves.counts));
    }
}
