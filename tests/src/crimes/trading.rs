//! Sessions of a market: quotes, market makers, traders, and the honest behaviour that resembles abuse.

use serde_json::{Value, json};

use super::Size;
use super::diary::{DAY, Diary, HOUR, MINUTE, Millis, SECOND, hundredths};
use super::people::seconds;

/// Symbols that trade every few seconds.
const LIQUID: usize = 4;
/// Symbols that trade once in a minute or two.
const THIN: usize = 4;
/// Half of a market maker's spread, in hundredths.
pub const HALF_SPREAD: i64 = 3;
/// How far beyond the middle an order goes that has to trade, in hundredths.
pub const THROUGH: i64 = 7;

/// A symbol and its middle price at each second of each session.
#[derive(Clone, Debug)]
pub struct Instrument {
    /// The symbol.
    pub symbol: String,
    /// Whether it trades every few seconds.
    pub is_liquid: bool,
    /// Hundredths, by session and second.
    middles: Vec<Vec<i64>>,
}

/// The sessions, their symbols, and what is still free for cases.
#[derive(Clone, Debug)]
pub struct Market {
    /// The size of the sessions.
    pub size: Size,
    /// The symbols.
    pub instruments: Vec<Instrument>,
    /// Thin symbols and sessions whose close is not taken yet: numbers of the instruments.
    pub closes: Vec<(usize, i64)>,
    /// Symbols and sessions whose feed is not interrupted yet.
    pub feeds: Vec<(usize, i64)>,
    quotes: Vec<(Millis, usize)>,
}

/// An order.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The account.
    pub account: &'a str,
    /// The symbol.
    pub symbol: &'a str,
    /// Whether it buys.
    pub buys: bool,
    /// The quantity.
    pub quantity: i64,
    /// The limit, in hundredths.
    pub price: i64,
    /// How long it is valid.
    pub validity: &'a str,
}

/// The begin of a session.
pub fn begin(session: i64) -> Millis {
    session * DAY + 15 * HOUR
}

impl Instrument {
    /// The middle price at a time within a session.
    pub fn middle(&self, session: i64, at: Millis) -> i64 {
        let second = usize::try_from((at - begin(session)) / SECOND).unwrap_or(0);
        let prices = usize::try_from(session).ok().and_then(|session| self.middles.get(session));
        prices.and_then(|prices| prices.get(second).or(prices.last())).copied().unwrap_or(10_000)
    }
}

impl Diary {
    /// Writes an order, and returns its id.
    pub fn order(&mut self, at: Millis, order: Order<'_>) -> String {
        self.order_with(at, order, "cancel_newest")
    }

    /// Writes an order with a mode of self-trade prevention, and returns its id.
    pub fn order_with(&mut self, at: Millis, order: Order<'_>, self_trade: &str) -> String {
        let id = self.name("n");
        let Order { account, symbol, buys, quantity, price, validity } = order;
        let fields = json!({
            "type": "new", "order_id": id, "account_id": account, "symbol": symbol, "side": if buys { "buy" } else { "sell" },
            "order_type": "limit", "time_in_force": validity, "quantity": quantity.to_string(), "price": hundredths(price),
            "self_trade": self_trade,
        });
        self.write(at, "orders", fields);
        id
    }

    /// Writes the cancel of an order.
    pub fn cancel(&mut self, at: Millis, account: &str, symbol: &str, id: &str) {
        self.write(at, "orders", json!({ "type": "cancel", "order_id": id, "account_id": account, "symbol": symbol }));
    }

    /// Opens an investment account of a customer, who may belong to a group, and returns it.
    pub fn trader(&mut self, prefix: &str, group: Option<&str>) -> String {
        let (customer, account) = (self.name(&format!("{prefix}-c")), self.name(&format!("{prefix}-a")));
        let mut fields = json!({ "customer_id": customer });
        if let (Some(fields), Some(group)) = (fields.as_object_mut(), group) {
            fields.insert("group_id".to_owned(), json!(group));
        }
        self.write_reference("customers", &fields);
        let opened: Value =
            json!({ "type": "opened", "account_id": account, "customer_id": customer, "account_type": "investment", "currency": "USD" });
        self.write(-300 * DAY, "accounts", opened);
        account
    }
}

/// Writes the sessions.
pub fn ordinary(diary: &mut Diary, size: Size) -> Market {
    let instruments: Vec<Instrument> = (0..LIQUID + THIN).map(|number| instrument(diary, size, number < LIQUID)).collect();
    let places = |only_thin: bool| {
        let numbers = instruments.iter().enumerate().filter(move |(_, instrument)| !only_thin || !instrument.is_liquid);
        numbers.flat_map(|(number, _)| (0..size.sessions).map(move |session| (number, session))).collect::<Vec<_>>()
    };
    let (closes, feeds) = (places(true), places(false));
    let traders: Vec<String> = (0..30).map(|_| diary.trader("trader", None)).collect();
    let mut market = Market { size, instruments: instruments.clone(), closes, feeds, quotes: Vec::new() };
    for session in 0..size.sessions {
        let (begin, end) = (begin(session), begin(session) + size.session);
        for (number, instrument) in instruments.iter().enumerate() {
            phase(diary, instrument, begin - SECOND, "continuous");
            phase(diary, instrument, end, "closed");
            make(diary, instrument, session, begin..end);
            trade(diary, instrument, session, begin..end, &traders);
            tape(diary, instrument, session, begin..end);
            quotes(diary, &mut market.quotes, instrument, number, begin..end);
        }
        close(diary, &instruments, session, end);
        friends(diary, &instruments, session);
        institutions(diary, &instruments, session);
    }
    market
}

fn instrument(diary: &mut Diary, size: Size, is_liquid: bool) -> Instrument {
    let symbol = diary.name(if is_liquid { "L" } else { "T" });
    let terms = json!({ "symbol": symbol, "asset_class": "equity", "currency": "USD", "tick_size": "0.01", "lot_size": "1" });
    diary.write_reference("instruments", &terms);
    let mut price = diary.between(8_000, 12_000);
    let length = size.session / SECOND + 2;
    let mut walk = |diary: &mut Diary| {
        price += diary.between(-1, 1);
        price
    };
    let middles = (0..size.sessions).map(|_| (0..length).map(|_| walk(diary)).collect()).collect();
    Instrument { symbol, is_liquid, middles }
}

fn phase(diary: &mut Diary, instrument: &Instrument, at: Millis, phase: &str) {
    diary.write(at, "orders", json!({ "type": "phase", "symbol": instrument.symbol, "phase": phase }));
}

/// A market maker replaces both quotes every few seconds, and many times within a second when there is news.
fn make(diary: &mut Diary, instrument: &Instrument, session: i64, time: std::ops::Range<Millis>) {
    let (account, symbol) = (diary.trader("maker", None), instrument.symbol.as_str());
    let mut standing: Vec<String> = Vec::new();
    let news = diary.between(time.start, time.end - MINUTE);
    let mut at = time.start;
    while at < time.end - SECOND {
        for id in standing.drain(..) {
            diary.cancel(at, &account, symbol, &id);
        }
        let (middle, is_news) = (instrument.middle(session, at), at > news && at < news + 2 * SECOND);
        for buys in [true, false] {
            let (quantity, price) = (diary.between(3, 8) * 100, middle + if buys { -HALF_SPREAD } else { HALF_SPREAD });
            standing.push(diary.order(at, Order { account: &account, symbol, buys, quantity, price, validity: "day" }));
        }
        at += match (is_news, instrument.is_liquid) {
            (true, _) => diary.between(120, 300),
            (false, true) => diary.between(2_000, 4_000),
            (false, false) => diary.between(5_000, 10_000),
        };
    }
}

/// Traders buy and sell at the maker's prices.
fn trade(diary: &mut Diary, instrument: &Instrument, session: i64, time: std::ops::Range<Millis>, traders: &[String]) {
    let (least, most) = if instrument.is_liquid { (2, 8) } else { (40, 110) };
    let mut at = time.start + seconds(diary, least, most);
    while at < time.end - SECOND {
        let (buys, quantity, middle) = (diary.chance(50), diary.around(40), instrument.middle(session, at));
        let price = middle + if buys { THROUGH } else { -THROUGH };
        if let Some(account) = diary.pick(traders) {
            diary.order(at, Order { account, symbol: &instrument.symbol, buys, quantity, price, validity: "ioc" });
        }
        at += seconds(diary, least, most);
    }
}

/// Trades on other venues.
fn tape(diary: &mut Diary, instrument: &Instrument, session: i64, time: std::ops::Range<Millis>) {
    let (least, most) = if instrument.is_liquid { (1, 6) } else { (60, 180) };
    let mut at = time.start + seconds(diary, least, most);
    while at < time.end {
        let (price, size) = (hundredths(instrument.middle(session, at)), diary.around(90).to_string());
        diary.write(at, "market.trades", json!({ "symbol": instrument.symbol, "price": price, "size": size }));
        at += seconds(diary, least, most);
    }
}

/// Times of quotes: a feed repeats its quote after three seconds at the latest.
fn quotes(diary: &mut Diary, quotes: &mut Vec<(Millis, usize)>, instrument: &Instrument, number: usize, time: std::ops::Range<Millis>) {
    let median = if instrument.is_liquid { 500 } else { 1_100 };
    let mut at = time.start + diary.between(0, 500);
    while at < time.end {
        quotes.push((at, number));
        at += diary.around(median).min(3 * SECOND);
    }
}

/// A fund buys at the close of a symbol that many trade; a saver buys a little of one that few trade.
fn close(diary: &mut Diary, instruments: &[Instrument], session: i64, end: Millis) {
    let (fund, saver) = (diary.trader("fund", None), diary.trader("saver", None));
    if let Some(liquid) = instruments.first() {
        for piece in 0..8 {
            let (at, quantity) = (end - 150 * SECOND + piece * 15 * SECOND, diary.between(60, 130));
            let price = liquid.middle(session, at) + THROUGH;
            diary.order(at, Order { account: &fund, symbol: &liquid.symbol, buys: true, quantity, price, validity: "ioc" });
        }
    }
    if let Some(thin) = instruments.last() {
        let (at, quantity) = (end - 60 * SECOND, diary.between(150, 400));
        let price = thin.middle(session, at) + THROUGH;
        diary.order(at, Order { account: &saver, symbol: &thin.symbol, buys: true, quantity, price, validity: "ioc" });
    }
}

/// Linked accounts buy the same share minutes apart, and trade in opposite directions in different amounts.
fn friends(diary: &mut Diary, instruments: &[Instrument], session: i64) {
    let group = diary.name("family");
    let (first, second) = (diary.trader("wife", Some(&group)), diary.trader("husband", Some(&group)));
    let Some(instrument) = diary.pick(instruments).cloned() else { return };
    let at = begin(session) + seconds(diary, 60, 200);
    for (account, buys, quantity, after) in
        [(&first, true, 20, 0), (&second, true, 90, 75), (&first, false, 35, 110), (&second, true, 60, 130)]
    {
        let at = at + after * SECOND;
        let price = instrument.middle(session, at) + if buys { THROUGH } else { -THROUGH };
        diary.order(at, Order { account, symbol: &instrument.symbol, buys, quantity, price, validity: "ioc" });
    }
}

/// An institution trades a large amount, less than what makes a large trader, and one trades five times its usual size.
fn institutions(diary: &mut Diary, instruments: &[Instrument], session: i64) {
    let (account, growing) = (diary.trader("pension", None), diary.trader("growing", None));
    let (Some(liquid), Some(other)) = (instruments.first(), instruments.get(1)) else { return };
    for piece in 0..6 {
        let (at, quantity) = (begin(session) + 2 * MINUTE + piece * 20 * SECOND, diary.between(9_000, 22_000));
        fill(diary, at, &account, &liquid.symbol, quantity, liquid.middle(session, at));
    }
    for number in 0..14 {
        let at = begin(session) + MINUTE + number * 25 * SECOND;
        let (quantity, price) = (if number == 13 { 180 } else { diary.between(25, 45) }, other.middle(session, at) + THROUGH);
        diary.order(at, Order { account: &growing, symbol: &other.symbol, buys: number % 2 == 0, quantity, price, validity: "ioc" });
    }
}

/// Writes a fill of another venue, and returns its id.
pub fn fill(diary: &mut Diary, at: Millis, account: &str, symbol: &str, quantity: i64, price: i64) -> String {
    let id = diary.name("f");
    let fields = json!({
        "type": "fill", "fill_id": id, "account_id": account, "symbol": symbol, "side": "buy", "quantity": quantity.to_string(),
        "price": hundredths(price),
    });
    diary.write(at, "fills", fields);
    id
}

impl Market {
    /// A session, and a time in its middle part.
    pub fn time(&self, diary: &mut Diary) -> (i64, Millis) {
        let session = diary.between(0, self.size.sessions - 1);
        (session, begin(session) + diary.between(MINUTE, self.size.session - 5 * MINUTE))
    }

    /// A symbol.
    pub fn any(&self, diary: &mut Diary) -> Option<Instrument> {
        diary.pick(&self.instruments).cloned()
    }

    /// Removes the quotes of a symbol within some time.
    pub fn silence(&mut self, instrument: usize, time: std::ops::Range<Millis>) {
        self.quotes.retain(|(at, number)| *number != instrument || !time.contains(at));
    }

    /// Writes the quotes.
    pub fn publish_quotes(&self, diary: &mut Diary) {
        for (at, number) in &self.quotes {
            let Some(instrument) = self.instruments.get(*number) else { continue };
            let middle = instrument.middle(at / DAY, *at);
            let (bid, ask) = (hundredths(middle - HALF_SPREAD), hundredths(middle + HALF_SPREAD));
            let quote = json!({ "symbol": instrument.symbol, "bid": bid, "ask": ask, "bid_size": "300", "ask_size": "300" });
            diary.write(*at, "market.quotes", quote);
        }
    }
}
