//! Cases of other engines: commands, and what the other engine made of them.
//!
//! Each file of `cases/` names its source and its licence, and the cases that it leaves out, with the reason. A file is a list of
//! books; a book is a list of steps, divided by `;` or the end of a line; a step is a command, and after each `=` facts that hold then:
//!
//! ```text
//! == TestAddCompleteBid           an empty book
//! == addGtc (start)               a book that begins with the steps of the book `(start)`
//! 4: B +5@102 fok                 order 4 of trader B buys 5 at 102 or better; `-5` sells 5 at market. Without a number it is the
//!                                 one after the last order. Trader N has no other order. Terms are those of `script`, shortened
//! cancel 7; cancel 7 C            order 7 is cancelled by its trader, by C
//! amend 7 5@101                   order 7 is amended to 5 at 101; `5` keeps the limit, `@101` the quantity
//! halted; nothing                 a phase; no command
//! = 5@98/1 2@99/7-6               all trades of the step: 5 at 98 of the order of the command with order 1, which rested; 2 at 99 of
//!                                 order 7, which rested, with order 6. In an auction: of order 7, which bought, with order 6
//! = rest 1:4 6:2                  all orders of the book, with what each has left
//! = asks 4@98 2@99                all that is offered at each price; `bids` likewise
//! = refused wrong_account         the reasons of all refusals of the book so far
//! 0003 4: B +5@102 fok = 1:4 2>4:1    a line with a label is a case of its own. It lists each order that it changes, with what the
//!                                     order has left (0: it is gone) and its place in the queue, after order 2 (`>4:1`: first)
//! = queue 1 2 4                   the queue: the asks, best first, then the bids, as somebody meets them who takes everything
//! ```
//!
//! The queue is checked after each case in continuous trading, unless an order came without a place since it was given whole.

use std::collections::{BTreeMap, BTreeSet};

use headwater_schemas::events::{Side, TradingPhase};
use headwater_schemas::tables::{Liquidity, OrderChange};
use headwater_schemas::value::{EventTime, Price, Quantity};

use super::generated::restarted;
use super::naive::NaiveBook;
use super::script::{Listed, Listener, command};
use crate::matching::*;

/// A book that is saved and restored before each command.
#[derive(Clone, Default)]
struct Restarting(Book);

impl Listener for Restarting {
    fn set_band(&mut self, band: Band) {
        self.0.set_band(band);
    }
    fn obey(&mut self, now: EventTime, command: Command, reports: &mut Reports) {
        self.0 = restarted(&self.0);
        self.0.obey(now, command, reports);
    }
    fn listing(&self) -> Vec<Listed> {
        self.0.listing()
    }
}

/// A book of a file: its header and its lines.
struct Session<'a> {
    header: &'a str,
    lines: Vec<&'a str>,
}

impl<'a> Session<'a> {
    /// The books of a file, each with the lines of the book that it begins with.
    fn all_of(file: &'a str) -> Vec<Self> {
        let mut sessions: Vec<Self> = Vec::new();
        for line in file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.strip_prefix("== ") {
                Some(header) => sessions.push(Self { header, lines: Self::beginning(&sessions, header) }),
                None => sessions.last_mut().unwrap().lines.push(line),
            }
        }
        sessions.retain(|session| !session.header.starts_with('('));
        sessions
    }

    fn beginning(sessions: &[Self], header: &str) -> Vec<&'a str> {
        let Some(at) = header.find(" (") else { return Vec::new() };
        sessions.iter().find(|session| session.header == &header[at + 1..]).unwrap().lines.clone()
    }

    /// The names of its cases: the session's with each label, else all that the header lists.
    fn cases(&self) -> Vec<String> {
        let name = self.header.split(" from ").next().unwrap_or_default();
        let labels = self.lines.iter().filter_map(|line| labelled(line).0);
        let cases: Vec<String> = labels.map(|label| format!("{name}/{label}")).collect();
        if cases.is_empty() { self.header.split(", ").map(str::to_owned).collect() } else { cases }
    }

    /// Gives a book all commands. The error names the first line of which a fact does not hold.
    fn replay(&self, book: impl Listener + Clone) -> Result<(), String> {
        let mut replay = Replay::new(book);
        self.lines.iter().try_for_each(|line| replay.line(line).map_err(|wrong| format!("{}\n    {line}\n    {wrong}\n", self.header)))
    }
}

/// A line's label, of four digits, and the rest of the line.
fn labelled(line: &str) -> (Option<&str>, &str) {
    match line.split_once(' ') {
        Some((label, rest)) if label.len() == 4 && label.bytes().all(|byte| byte.is_ascii_digit()) => (Some(label), rest),
        _ => (None, line),
    }
}

/// A session under way: the book, and what the facts so far say of it.
struct Replay<L> {
    book: L,
    /// Reports of the step's command.
    reports: Reports,
    phase: TradingPhase,
    /// Number of the next order.
    next: u64,
    /// Accounts by the numbers of their orders.
    accounts: BTreeMap<String, String>,
    /// Order of the step's command.
    subject: String,
    rest: BTreeMap<String, Quantity>,
    queue: Option<Vec<String>>,
    refused: Vec<&'static str>,
}

impl<L: Listener + Clone> Replay<L> {
    fn new(book: L) -> Self {
        Self {
            book,
            reports: Reports::default(),
            phase: TradingPhase::Continuous,
            next: 1,
            accounts: BTreeMap::new(),
            subject: String::new(),
            rest: BTreeMap::new(),
            queue: Some(Vec::new()),
            refused: Vec::new(),
        }
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let (label, steps) = labelled(line);
        for step in steps.split(';').map(str::trim).filter(|step| !step.is_empty()) {
            let (command, facts) = step.split_once('=').unwrap_or((step, ""));
            self.command(command);
            self.facts(facts)?;
        }
        if label.is_some() {
            holds("rest", &listed(&self.rest), &listed(&leaves(&self.book)))?;
            return self.queue_holds();
        }
        // A line without a label sets the stage for cases.
        (self.rest, self.queue) = (leaves(&self.book), None);
        Ok(())
    }

    fn command(&mut self, text: &str) {
        self.reports.clear();
        if let Some(line) = self.spelled_out(text) {
            self.book.obey(EventTime::BEGINNING, command(&line), &mut self.reports);
        }
        let refused = self.reports.changes.iter().filter(|change| change.change == OrderChange::Rejected);
        self.refused.extend(refused.filter_map(|change| change.reason).map(Reason::code));
    }

    /// The command in the words of [`script`](super::script).
    fn spelled_out(&mut self, text: &str) -> Option<String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            [] | ["nothing"] => None,
            ["cancel" | "amend", order, rest @ ..] => Some(self.about(words[0], order, rest)),
            [phase] => {
                self.phase = TradingPhase::from_word(phase).unwrap();
                Some(format!("phase {phase} tick 1"))
            }
            _ => Some(self.order(&words)),
        }
    }

    /// A cancel or an amendment.
    fn about(&mut self, what: &str, order: &str, words: &[&str]) -> String {
        self.subject = order.to_owned();
        let (trader, change) = match words {
            [trader, change @ ..] if trader.starts_with(|first: char| first.is_ascii_alphabetic()) => (*trader, change),
            change => (self.accounts.get(order).map_or("nobody", String::as_str), change),
        };
        format!("{what} {order} {trader} {}", change.concat().replace('@', " @ "))
    }

    fn order(&mut self, words: &[&str]) -> String {
        let number = words[0].strip_suffix(':').map(|number| number.parse().unwrap());
        let [trader, asked, terms @ ..] = &words[usize::from(number.is_some())..] else { panic!("{words:?} is no order") };
        let number = number.unwrap_or(self.next);
        self.next = number + 1;
        self.subject = number.to_string();
        let account = if *trader == "N" { format!("N{number}") } else { (*trader).to_owned() };
        let (side, asked) = asked.split_at(1);
        let side = if side == "+" { "buys" } else { "sells" };
        let asked = asked.split_once('@').map_or(format!("{asked} market"), |(quantity, limit)| format!("{quantity} @ {limit}"));
        let terms: Vec<&str> = terms.iter().map(|term| spelled_out(term)).collect();
        let line = format!("{number} {account} {side} {asked} {}", terms.join(" "));
        self.accounts.insert(self.subject.clone(), account);
        line
    }

    fn facts(&mut self, facts: &str) -> Result<(), String> {
        let mut trades = Vec::new();
        for fact in facts.split('=').map(str::trim) {
            let (kind, values) = fact.split_once(' ').unwrap_or((fact, ""));
            match kind {
                "rest" => holds(kind, values, &listed(&leaves(&self.book)))?,
                "asks" => holds(kind, values, &levels(&self.book, Side::Sell))?,
                "bids" => holds(kind, values, &levels(&self.book, Side::Buy))?,
                "refused" => holds(kind, values, &self.refused.join(" "))?,
                "queue" => self.queue = Some(values.split(' ').map(str::to_owned).collect()),
                _ => fact.split_whitespace().for_each(|word| match word.split_once(':') {
                    Some((order, left)) => self.change(order, left),
                    None => trades.push(word),
                }),
            }
        }
        let traded: Vec<String> = self.reports.matches.iter().map(|found| trade(found, &self.subject)).collect();
        holds("trades", &trades.join(" "), &traded.join(" "))
    }

    /// Applies a change of an order to what should rest: `1:4`, or `2>4:1`.
    fn change(&mut self, order: &str, left: &str) {
        let (place, order) = order.split_once('>').map_or((None, order), |(place, order)| (Some(place), order));
        let left: Quantity = left.parse().unwrap();
        let before = if left.is_zero() { self.rest.remove(order) } else { self.rest.insert(order.to_owned(), left) };
        let Some(queue) = &mut self.queue else { return };
        if place.is_some() || left.is_zero() {
            queue.retain(|queued| queued != order);
        }
        match place {
            Some(place) => {
                let at = queue.iter().position(|queued| queued == place).map_or(0, |at| at + 1);
                queue.insert(at, order.to_owned());
            }
            None if before.is_none() => self.queue = None,
            None => {}
        }
    }

    /// Lets somebody take everything from a copy of the book, and compares whom they meet with the queue.
    fn queue_holds(&self) -> Result<(), String> {
        let Some(queue) = self.queue.as_ref().filter(|_| self.phase == TradingPhase::Continuous) else { return Ok(()) };
        let (mut book, mut reports) = (self.book.clone(), Reports::default());
        for (side, taken) in [("buys", Side::Sell), ("sells", Side::Buy)] {
            let there = Quantity::from_units(resting(&book, taken).map(|order| order.leaves.units()).sum());
            if !there.is_zero() {
                book.obey(EventTime::BEGINNING, command(&format!("all everybody {side} {there} market ioc")), &mut reports);
            }
        }
        let mut seen = BTreeSet::new();
        let makers = reports.matches.iter().map(|found| parties(found).0.order_id.to_string());
        let met: Vec<String> = makers.filter(|maker| seen.insert(maker.clone())).collect();
        holds("queue", &queue.join(" "), &met.join(" "))
    }
}

fn holds(what: &str, expected: &str, is: &str) -> Result<(), String> {
    if expected == is { Ok(()) } else { Err(format!("{what} should be [{expected}], but is [{is}]")) }
}

/// A term in the words of [`script`](super::script).
fn spelled_out(term: &str) -> &str {
    match term {
        "post" => "post_only",
        "oldest" => "cancel_oldest",
        "both" => "cancel_both",
        _ => term,
    }
}

/// The orders of a side that rest, without stops.
fn resting(book: &impl Listener, side: Side) -> impl Iterator<Item = Listed> {
    book.listing().into_iter().filter(move |order| order.side == side && order.stop.is_none())
}

/// What each order has left.
fn leaves(book: &impl Listener) -> BTreeMap<String, Quantity> {
    book.listing().into_iter().map(|order| (order.order_id.to_string(), order.leaves)).collect()
}

/// What orders have left, by their numbers.
fn listed(rest: &BTreeMap<String, Quantity>) -> String {
    let mut rest: Vec<(u64, &Quantity)> = rest.iter().map(|(order, left)| (order.parse().unwrap(), left)).collect();
    rest.sort_by_key(|(order, _)| *order);
    rest.into_iter().map(|(order, left)| format!("{order}:{left}")).collect::<Vec<_>>().join(" ")
}

/// What a side offers at each price, the lowest first.
fn levels(book: &impl Listener, side: Side) -> String {
    let mut levels = BTreeMap::<Price, i128>::new();
    for order in resting(book, side) {
        *levels.entry(order.price.unwrap()).or_default() += order.leaves.units();
    }
    let shown = |(price, left): (Price, i128)| format!("{}@{price}", Quantity::from_units(left));
    levels.into_iter().map(shown).collect::<Vec<_>>().join(" ")
}

/// The order that rested and the one that came; in an auction, the one that bought and the one that sold.
fn parties(found: &Match) -> (&Party, &Party) {
    if found.buyer.liquidity == Liquidity::Taker { (&found.seller, &found.buyer) } else { (&found.buyer, &found.seller) }
}

/// A match as the files write it, after a command about an order.
fn trade(found: &Match, subject: &str) -> String {
    let Match { price, quantity, .. } = found;
    let (first, second) = parties(found);
    let is_implied = second.liquidity == Liquidity::Taker && second.order_id.as_str() == subject;
    let second = if is_implied { String::new() } else { format!("-{}", second.order_id) };
    format!("{quantity}@{price}/{}{second}", first.order_id)
}

/// Checks that the book, the book that restarts before each command, and the naive book do as a file says.
#[track_caller]
fn hold(file: &str, cases: usize) {
    let sessions = Session::all_of(file);
    let names: BTreeSet<String> = sessions.iter().flat_map(Session::cases).collect();
    assert_eq!(names.len(), cases, "cases of the file");
    let wrong =
        |replay: &dyn Fn(&Session<'_>) -> Result<(), String>| sessions.iter().filter_map(|told| replay(told).err()).collect::<String>();
    for (book, wrong) in [
        ("the book", wrong(&|session| session.replay(Book::default()))),
        ("the book with restarts", wrong(&|session| session.replay(Restarting::default()))),
        ("the naive book", wrong(&|session| session.replay(NaiveBook::new()))),
    ] {
        assert!(wrong.is_empty(), "{book} departs from:\n{wrong}");
    }
}

#[test]
fn commands_of_orderbook_hold_1113() {
    hold(include_str!("cases/orderbook-commands.txt"), 1113);
}

#[test]
fn books_of_orderbook_hold_99() {
    hold(include_str!("cases/orderbook-books.txt"), 99);
}

#[test]
fn tests_of_liquibook_hold_82() {
    hold(include_str!("cases/liquibook.txt"), 82);
}

#[test]
fn tests_of_exchange_core_hold_36() {
    hold(include_str!("cases/exchange-core.txt"), 36);
}

/// 1,000 orders of 1 rest, each at a better price than the last; 2,001 orders come from the other side, each at a worse price than the
/// last and as large as the price squared. Each of the last 1,000 takes the best of those that rest, which is at its limit.
#[track_caller]
fn sequential(mut book: impl Listener, comes: Side) {
    let (verbs, step) = if comes == Side::Sell { (["buys", "sells"], 1) } else { (["sells", "buys"], -1) };
    let price = |offset: i64| 81_600 + step * offset;
    let mut reports = Reports::default();
    for offset in -1_000..0 {
        let line = format!("{} A {} 1 @ {}", offset + 1_100, verbs[0], price(offset));
        book.obey(EventTime::BEGINNING, command(&line), &mut reports);
    }
    for offset in (-1_000..=1_000).rev() {
        let line = format!("{} B {} {} @ {}", 2_100 - offset, verbs[1], price(offset).pow(2), price(offset));
        book.obey(EventTime::BEGINNING, command(&line), &mut reports);
    }
    let traded: Vec<String> = reports.matches.iter().map(|found| trade(found, "")).collect();
    let expected: Vec<String> =
        (-1_000..0).rev().map(|offset| format!("1@{}/{}-{}", price(offset), offset + 1_100, 2_100 - offset)).collect();
    assert_eq!(traded, expected);
    let left = |offset: i64| format!("{}@{}", price(offset).pow(2) - i64::from(offset < 0), price(offset));
    let mut expected: Vec<String> = (-1_000..=1_000).map(left).collect();
    expected.sort_by_key(|level| level.rsplit('@').next().map(str::to_owned));
    assert_eq!(levels(&book, comes), expected.join(" "));
    assert_eq!(book.listing().len(), expected.len());
}

#[test]
fn sequential_tests_of_exchange_core_hold_2() {
    for comes in [Side::Sell, Side::Buy] {
        sequential(Book::default(), comes);
        sequential(NaiveBook::new(), comes);
    }
}
