//! Stories as text: commands of traders on lines that begin with `>`, and under each the book's reports.
//!
//! ```text
//! > b1 bob buys 8 @ 10 ioc          an order; after the price, in any order: a time in force, `show 2`, `post_only`,
//! > b2 bob/desk sells 5 market      `stop 11`, `until 50`, `decrement` …; `bob/desk` is bob's account, owned by desk
//! > amend b1 bob 5 @ 11             a quantity, a price, or both
//! > cancel b1 bob
//! > phase auction tick 1 reference 10
//! > at 50                           sets the time to 50
//! > band 500 around 9.2             sets the price band of market orders to 500 basis points
//! > book                            shows the book: best prices in the middle, earliest orders first
//!   3 @ 10: b1* buys from s1        a match; a star marks the incoming order
//!   b1 partially_filled, 5 left, 3 done: why
//! ```
//!
//! Every story runs against both books.

use std::fmt::Write;

use headwater_schemas::events::{OrderType, SelfTrade, Side, TimeInForce, TradingPhase};
use headwater_schemas::tables::Liquidity;
use headwater_schemas::value::{AccountId, EventTime, Id, OwnerId, Price, Quantity};

use super::naive::{NaiveBook, NaiveOrder};
use crate::matching::*;

/// An order in a listing of the book.
pub(super) struct Listed {
    pub(super) order_id: Id,
    pub(super) side: Side,
    pub(super) price: Option<Price>,
    /// The trigger price of a waiting stop.
    pub(super) stop: Option<Price>,
    pub(super) leaves: Quantity,
    pub(super) shown: Quantity,
}

/// A book that can run a story.
pub(super) trait Listener {
    fn set_band(&mut self, band: Band);
    fn obey(&mut self, now: EventTime, command: Command, reports: &mut Reports);
    /// All orders, by priority.
    fn listing(&self) -> Vec<Listed>;
}

impl Listener for Book {
    fn set_band(&mut self, band: Band) {
        self.set_band(band);
    }
    fn obey(&mut self, now: EventTime, command: Command, reports: &mut Reports) {
        self.apply(now, command, reports);
    }
    fn listing(&self) -> Vec<Listed> {
        let listed = |order: Order| Listed {
            order_id: order.terms.order_id.clone(),
            side: order.terms.side,
            price: order.standing.price,
            stop: order.terms.stop_price.filter(|_| order.waits()),
            leaves: order.standing.leaves,
            shown: order.standing.shown,
        };
        self.orders().map(listed).collect()
    }
}

impl Listener for NaiveBook {
    fn set_band(&mut self, band: Band) {
        self.band = band;
    }
    fn obey(&mut self, now: EventTime, command: Command, reports: &mut Reports) {
        self.apply(now, command, reports);
    }
    fn listing(&self) -> Vec<Listed> {
        let listed = |order: &NaiveOrder| Listed {
            order_id: order.new.order_id.clone(),
            side: order.new.side,
            price: order.price,
            stop: order.new.stop_price.filter(|_| order.waits),
            leaves: Quantity::from_units(order.leaves),
            shown: Quantity::from_units(order.shown),
        };
        self.orders.iter().map(listed).collect()
    }
}

/// Asserts that both books report what the story says.
#[track_caller]
pub(super) fn tells(story: &str) {
    let lines = || story.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let expected = lines().fold(String::new(), |text, line| text + line + "\n");
    let commands: Vec<&str> = lines().filter_map(|line| line.strip_prefix("> ")).collect();
    let told = told(&commands, Book::default());
    assert_eq!(told, expected, "\n\nthe book says:\n{told}\nthe story is:\n{expected}");
    let naive = self::told(&commands, NaiveBook::new());
    assert_eq!(naive, expected, "\n\nthe naive book says:\n{naive}\nthe story is:\n{expected}");
}

fn told(commands: &[&str], mut book: impl Listener) -> String {
    let (mut text, mut now, mut reports) = (String::new(), EventTime::BEGINNING, Reports::default());
    for line in commands {
        writeln!(text, "> {line}").unwrap();
        let mut words = Words(line.split_whitespace().collect());
        if words.takes("book") {
            text.push_str(&listing(&book.listing()));
        } else if words.takes("band") {
            let bps = words.next().parse().unwrap();
            book.set_band(Band { bps: Some(bps), reference_price: words.takes("around").then(|| words.price()) });
        } else if words.takes("at") {
            now = EventTime::from_nanos(words.next().parse().unwrap());
        } else {
            reports.clear();
            book.obey(now, words.command(), &mut reports);
            write_reports(&reports, &mut text);
        }
    }
    text
}

fn write_reports(reports: &Reports, text: &mut String) {
    for Match { price, quantity, buyer, seller, .. } in &reports.matches {
        let name = |party: &Party| format!("{}{}", party.order_id, if party.liquidity == Liquidity::Taker { "*" } else { "" });
        writeln!(text, "{quantity} @ {price}: {} buys from {}", name(buyer), name(seller)).unwrap();
    }
    for Change { order_id, change, reason, leaves, filled, .. } in &reports.changes {
        write!(text, "{order_id} {change}").unwrap();
        let numbers = [(leaves, "left"), (filled, "done")];
        numbers
            .iter()
            .filter(|(quantity, _)| !quantity.is_zero())
            .for_each(|(quantity, word)| write!(text, ", {quantity} {word}").unwrap());
        reason.iter().for_each(|reason| write!(text, ": {}", reason.code()).unwrap());
        text.push('\n');
    }
}

/// The asks from the highest down, the bids below them, and the stops.
fn listing(orders: &[Listed]) -> String {
    let resting = |side| orders.iter().filter(move |order| order.stop.is_none() && order.side == side);
    let waiting = orders.iter().filter(|order| order.stop.is_some());
    let mut text = String::new();
    for (side, name) in [(Side::Sell, "ask"), (Side::Buy, "bid")] {
        let mut prices: Vec<Option<Price>> = resting(side).map(|order| order.price).collect();
        // A market order is nearest to the other side.
        let height = |price: &Option<Price>| price.map_or(if side == Side::Sell { i128::MIN } else { i128::MAX }, Price::units);
        prices.sort_by_key(|price| std::cmp::Reverse(height(price)));
        prices.dedup();
        for price in prices {
            let queue: Vec<String> = resting(side).filter(|order| order.price == price).map(shown).collect();
            let price = price.map_or("market".to_owned(), |price| price.to_string());
            writeln!(text, "{name} {price}: {}", queue.join(", ")).unwrap();
        }
    }
    for order in waiting {
        let limit = order.price.map_or(String::new(), |price| format!(" @ {price}"));
        writeln!(text, "{} {} waits for {}{limit}", order.order_id, order.leaves, order.stop.unwrap()).unwrap();
    }
    if text.is_empty() { "empty\n".to_owned() } else { text }
}

fn shown(order: &Listed) -> String {
    let hidden = if order.shown == order.leaves { String::new() } else { format!(" of {}", order.leaves) };
    format!("{} {}{hidden}", order.order_id, order.shown)
}

/// The command of a line.
pub(super) fn command(line: &str) -> Command {
    Words(line.split_whitespace().collect()).command()
}

/// The remaining words of a line.
struct Words<'a>(std::collections::VecDeque<&'a str>);

impl<'a> Words<'a> {
    fn next(&mut self) -> &'a str {
        self.0.pop_front().expect("the line ends too early")
    }

    fn takes(&mut self, word: &str) -> bool {
        self.0.pop_front_if(|first| *first == word).is_some()
    }

    fn id(&mut self) -> Id {
        Id::new(self.next()).unwrap()
    }

    fn account(&mut self) -> AccountId {
        AccountId::new(self.next()).unwrap()
    }

    fn price(&mut self) -> Price {
        self.next().parse().unwrap()
    }

    fn command(&mut self) -> Command {
        let first = self.next();
        let command = match first {
            "cancel" => Command::Cancel(Cancellation { order_id: self.id(), account_id: self.account() }),
            "amend" => self.amend(),
            "phase" => self.phase(),
            name => self.new_order(Id::new(name).unwrap()),
        };
        assert!(self.0.is_empty(), "not understood: {:?}", self.0);
        command
    }

    fn amend(&mut self) -> Command {
        let (order_id, account_id) = (self.id(), self.account());
        let quantity = self.0.pop_front_if(|word| *word != "@").map(|word| word.parse().unwrap());
        let price = self.takes("@").then(|| self.price());
        Command::Amend(Amendment { order_id, account_id, quantity, price })
    }

    fn phase(&mut self) -> Command {
        let phase = TradingPhase::from_word(self.next()).unwrap();
        let tick_size = self.takes("tick").then(|| self.price());
        let reference_price = self.takes("reference").then(|| self.price());
        Command::Phase(PhaseChange { phase, tick_size, reference_price })
    }

    fn new_order(&mut self, order_id: Id) -> Command {
        let trader = self.next();
        let (account, owner) = trader.split_once('/').unwrap_or((trader, trader));
        let side = if self.next() == "buys" { Side::Buy } else { Side::Sell };
        let mut new = NewOrder {
            order_id,
            account_id: AccountId::new(account).unwrap(),
            owner_id: OwnerId::new(owner).unwrap(),
            side,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            quantity: self.next().parse().unwrap(),
            price: None,
            stop_price: None,
            display_quantity: None,
            post_only: false,
            expires_at: None,
            self_trade: SelfTrade::CancelNewest,
        };
        while !self.0.is_empty() {
            self.detail(&mut new);
        }
        new.order_type = match (new.price, new.stop_price) {
            (Some(_), None) => OrderType::Limit,
            (Some(_), Some(_)) => OrderType::StopLimit,
            (None, Some(_)) => OrderType::Stop,
            (None, None) => new.order_type,
        };
        Command::New(new)
    }

    fn detail(&mut self, new: &mut NewOrder) {
        match self.next() {
            "@" => new.price = Some(self.price()),
            "market" => new.order_type = OrderType::Market,
            "stop" => new.stop_price = Some(self.price()),
            "show" => new.display_quantity = Some(self.next().parse().unwrap()),
            "until" => {
                new.time_in_force = TimeInForce::Gtd;
                new.expires_at = Some(EventTime::from_nanos(self.next().parse().unwrap()));
            }
            "post_only" => new.post_only = true,
            word => match (TimeInForce::from_word(word), SelfTrade::from_word(word)) {
                (Some(time_in_force), _) => new.time_in_force = time_in_force,
                (_, Some(self_trade)) => new.self_trade = self_trade,
                _ => panic!("{word:?} is not understood"),
            },
        }
    }
}
