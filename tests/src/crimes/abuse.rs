//! Cases of market abuse, of errors and of broken feeds, after Annex I of the Market Abuse Regulation.

use super::diary::{Diary, MINUTE, SECOND};
use super::people::seconds;
use super::trading::{Market, Order, THROUGH, begin, fill};

/// Plants a case of each rule.
pub fn plant(diary: &mut Diary, market: &mut Market) {
    spoofer(diary, market);
    wash(diary, market);
    marked_close(diary, market);
    flood(diary, market);
    front_runner(diary, market);
    busy_program(diary, market);
    typing_error(diary, market);
    buyer_of_millions(diary, market);
    broken_feed(diary, market);
}

/// Layers of orders that are never meant to trade pretend interest on one side, for a trade on the other.
fn spoofer(diary: &mut Diary, market: &Market) {
    let (account, (session, mut at)) = (diary.trader("spoofer", None), market.time(diary));
    let Some(instrument) = market.any(diary) else { return };
    let (symbol, buys) = (instrument.symbol.as_str(), diary.chance(50));
    let away = |middle: i64, distance: i64| if buys { middle + distance } else { middle - distance };
    let mut layers = Vec::new();
    for layer in 0..diary.between(4, 6) {
        let (quantity, price) = (diary.between(4, 9) * 100, away(instrument.middle(session, at), 12 + 2 * layer));
        layers.push(diary.order(at, Order { account: &account, symbol, buys: !buys, quantity, price, validity: "day" }));
        at += diary.between(100, 900);
    }
    at += seconds(diary, 1, 5);
    let (quantity, price) = (diary.between(60, 150), away(instrument.middle(session, at), THROUGH));
    let mut events = vec![diary.order(at, Order { account: &account, symbol, buys, quantity, price, validity: "ioc" })];
    at += diary.between(300, 4_000);
    for id in &layers {
        diary.cancel(at, &account, symbol, id);
        at += diary.between(20, 600);
    }
    events.extend(layers);
    diary.case("surveillance", "layering", &[&account], &events);
}

/// Two accounts of one owner trade with each other, and pretend that a share is in demand.
fn wash(diary: &mut Diary, market: &Market) {
    let (owner, (session, mut at)) = (diary.name("washer"), market.time(diary));
    let (first, second) = (diary.trader("washer", Some(&owner)), diary.trader("washer", Some(&owner)));
    let Some(instrument) = market.any(diary) else { return };
    let (symbol, mut events) = (instrument.symbol.as_str(), Vec::new());
    for turn in 0..diary.between(3, 6) {
        let (seller, buyer) = if turn % 2 == 0 { (&first, &second) } else { (&second, &first) };
        let (quantity, price) = (diary.between(2, 9) * 50, instrument.middle(session, at));
        for (account, buys, validity) in [(seller, false, "day"), (buyer, true, "ioc")] {
            events.push(diary.order_with(at, Order { account, symbol, buys, quantity, price, validity }, "allow"));
            at += diary.between(30, 400);
        }
        at += seconds(diary, 4, 30);
    }
    diary.case("surveillance", "wash_trade", &[&owner, &first, &second], &events);
}

/// Somebody who holds a share that few trade lifts its closing price.
fn marked_close(diary: &mut Diary, market: &mut Market) {
    let place = usize::try_from(diary.between(0, 1_000)).unwrap_or(0) % market.closes.len().max(1);
    if market.closes.is_empty() {
        return;
    }
    let ((number, session), account) = (market.closes.swap_remove(place), diary.trader("marker", None));
    let Some(instrument) = market.instruments.get(number) else { return };
    let end = begin(session) + market.size.session;
    let (mut at, mut events) = (end - seconds(diary, 100, 130), Vec::new());
    for _ in 0..9 {
        let (quantity, price) = (diary.between(120, 260), instrument.middle(session, at) + THROUGH);
        events.push(diary.order(at, Order { account: &account, symbol: &instrument.symbol, buys: true, quantity, price, validity: "ioc" }));
        at += seconds(diary, 8, 11);
    }
    diary.case("surveillance", "marking_the_close", &[&account], &events);
}

/// A program floods the book with orders and cancels to slow others down.
fn flood(diary: &mut Diary, market: &Market) {
    let (account, (session, mut at)) = (diary.trader("stuffer", None), market.time(diary));
    let Some(instrument) = market.any(diary) else { return };
    let (symbol, mut events) = (instrument.symbol.as_str(), Vec::new());
    for _ in 0..diary.between(70, 200) {
        let price = instrument.middle(session, at) - diary.between(40, 60);
        let id = diary.order(at, Order { account: &account, symbol, buys: true, quantity: 100, price, validity: "day" });
        diary.cancel(at + 2, &account, symbol, &id);
        events.push(id);
        at += diary.between(2, 10);
    }
    diary.case("surveillance", "quote_stuffing", &[&account], &events);
}

/// A broker buys for its own account just before it enters a client's large order.
fn front_runner(diary: &mut Diary, market: &Market) {
    let (group, (session, at)) = (diary.name("broker"), market.time(diary));
    let (own, client) = (diary.trader("broker-own", Some(&group)), diary.trader("broker-client", Some(&group)));
    let Some(instrument) = market.any(diary) else { return };
    let (symbol, buys, quantity) = (instrument.symbol.as_str(), diary.chance(50), diary.between(15, 40));
    let (after, times) = (diary.between(200, 1_700), diary.between(14, 60));
    let price = instrument.middle(session, at) + if buys { THROUGH } else { -THROUGH };
    let events = [
        diary.order(at, Order { account: &own, symbol, buys, quantity, price, validity: "ioc" }),
        diary.order(at + after, Order { account: &client, symbol, buys, quantity: quantity * times, price, validity: "ioc" }),
    ];
    diary.case("surveillance", "front_running", &[&own], &events);
}

/// A program that is out of control enters and cancels for minutes, and hardly ever trades.
fn busy_program(diary: &mut Diary, market: &Market) {
    let (account, (session, mut at)) = (diary.trader("program", None), market.time(diary));
    let Some(instrument) = market.any(diary) else { return };
    let (symbol, mut events) = (instrument.symbol.as_str(), Vec::new());
    for _ in 0..diary.between(70, 160) {
        let (buys, distance) = (diary.chance(50), diary.between(15, 40));
        let price = instrument.middle(session, at) + if buys { -distance } else { distance };
        let id = diary.order(at, Order { account: &account, symbol, buys, quantity: 50, price, validity: "day" });
        at += diary.between(300, 1_200);
        diary.cancel(at, &account, symbol, &id);
        events.push(id);
        at += diary.between(100, 800);
    }
    diary.case("surveillance", "order_to_trade", &[&account], &events);
}

/// A trader types one or two zeros too many.
fn typing_error(diary: &mut Diary, market: &Market) {
    let account = diary.trader("typist", None);
    let (Some(instrument), session) = (market.any(diary), diary.between(0, market.size.sessions - 1)) else { return };
    let (symbol, count) = (instrument.symbol.as_str(), diary.between(13, 20));
    let mut at = begin(session) + seconds(diary, 20, 60);
    let (mut events, zeros) = (Vec::new(), if diary.chance(70) { 100 } else { 10 });
    for number in 0..=count {
        let (buys, usual) = (diary.chance(50), diary.around(30));
        // A zero too many on an order of more than the usual size.
        let quantity = if number == count { usual.max(60) * zeros } else { usual };
        let price = instrument.middle(session, at) + if buys { THROUGH } else { -THROUGH };
        let id = diary.order(at, Order { account: &account, symbol, buys, quantity, price, validity: "ioc" });
        events.extend((number == count).then_some(id));
        at += seconds(diary, 5, 20);
    }
    diary.case("surveillance", "fat_finger", &[], &events);
}

/// An owner buys for tens of millions in a day, on other venues and through two accounts, and has to register.
fn buyer_of_millions(diary: &mut Diary, market: &Market) {
    let (owner, (session, mut at)) = (diary.name("whale"), market.time(diary));
    let accounts = [diary.trader("whale", Some(&owner)), diary.trader("whale", Some(&owner))];
    let Some(instrument) = market.any(diary) else { return };
    let mut events = Vec::new();
    for _ in 0..diary.between(20, 40) {
        let (quantity, price) = (diary.between(12_000, 25_000), instrument.middle(session, at));
        let Some(account) = diary.pick(&accounts).cloned() else { continue };
        events.push(fill(diary, at, &account, &instrument.symbol, quantity, price));
        at += seconds(diary, 1, 6);
    }
    diary.case("surveillance", "large_trader", &[&owner], &events);
}

/// The quotes of one symbol stop while others go on.
fn broken_feed(diary: &mut Diary, market: &mut Market) {
    let place = usize::try_from(diary.between(0, 1_000)).unwrap_or(0) % market.feeds.len().max(1);
    if market.feeds.is_empty() {
        return;
    }
    let (number, session) = market.feeds.swap_remove(place);
    let from = begin(session) + diary.between(MINUTE, market.size.session - 3 * MINUTE);
    let length = seconds(diary, 12, 90).max(SECOND);
    market.silence(number, from..from + length);
    let Some(instrument) = market.instruments.get(number) else { return };
    let symbol = instrument.symbol.clone();
    diary.case_during("surveillance", "stale_feed", &symbol, (from, from + length + 10 * SECOND));
}
