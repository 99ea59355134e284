use crate::matching;
use crate::matching::{Book, Cancellation, Command, Matching, Reports};
use headwater_schemas::events::*;
use headwater_schemas::value::{EventTime, Id, Price, Quantity};
use std::time::Instant;
struct R(u64);
impl R {
    fn n(&mut self, k: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % k
    }
}
fn cpu() -> u64 {
    std::fs::read_to_string("/proc/self/schedstat").unwrap().split(' ').next().unwrap().parse().unwrap()
}
#[test]
#[ignore]
fn speed() {
    for depth in [100u64, 10_000, 300_000] {
        for said in [false, true] {
            let count = 2_000_000usize;
            let mut r = R(42);
            let accounts: Vec<Id> = (0..1000).map(|i| Id::derived(format!("acct-{i:06}"))).collect();
            let mut commands = Vec::with_capacity(count);
            let mut live: Vec<(Id, Id)> = vec![];
            for i in 0..count {
                let k = r.n(100);
                let cancel = if (live.len() as u64) < depth { 20 } else { 60 };
                if k < cancel && !live.is_empty() {
                    let j = r.n(live.len() as u64) as usize;
                    let (order_id, account_id) = live.swap_remove(j);
                    commands.push(Command::Cancel(Cancellation { order_id, account_id }));
                } else {
                    let a = accounts[r.n(1000) as usize].clone();
                    let id = Id::derived(format!("order-{i:09}"));
                    let side = if r.n(2) == 0 { Side::Buy } else { Side::Sell };
                    // mostly passive, one in five crosses
                    let off = r.n(200) as i64;
                    let px = if side == Side::Buy { 10_000 - 1 - off } else { 10_000 + off };
                    let agg = r.n(5) == 0;
                    let px = if agg { if side == Side::Buy { 10_010 } else { 9_990 } } else { px };
                    commands.push(Command::New(matching::NewOrder {
                        order_id: id.clone(),
                        account_id: a.clone(),
                        owner_id: a.clone(),
                        side,
                        order_type: OrderType::Limit,
                        time_in_force: if agg { TimeInForce::Ioc } else { TimeInForce::Gtc },
                        quantity: Quantity::whole(1 + r.n(100) as i64),
                        price: Some(Price::from_units(px as i128 * 10_000_000)),
                        stop_price: None,
                        display_quantity: None,
                        post_only: false,
                        expires_at: None,
                        self_trade: SelfTrade::CancelNewest,
                    }));
                    if !agg {
                        live.push((id, a));
                    }
                }
            }
            let mut book = Book::default();
            let mut reports = Reports::default();
            let mut matches = 0usize;
            let mut changes = 0usize;
            let mut rows = 0usize;
            let t = Instant::now();
            let c0 = cpu();
            for (i, c) in commands.into_iter().enumerate() {
                reports.clear();
                book.apply(EventTime::from_nanos(i as i64), c, &mut reports);
                matches += reports.matches.len();
                changes += reports.changes.len();
                if said && i % 1000 == 0 {
                    book.drain_changes(|_, _, _| rows += 1);
                }
            }
            let e = t.elapsed();
            let cpu = cpu() - c0;
            println!(
                "depth {depth} said {said}: cpu {} wall {} ns/command, {matches} matches {changes} changes {rows} rows, {} resting",
                cpu as u128 / count as u128,
                e.as_nanos() / count as u128,
                book.len()
            );
        }
    }
    view();
}
fn view() {
    use crate::keyed_fold::Fold;
    use headwater_schemas::{Place, Placed, Topic};
    let instr = br#"{"symbol":"S","asset_class":"equity","currency":"USD","tick_size":"0.01","lot_size":"1","reference_price":"100","price_band_bps":"2000"}"#;
    let mut fold = Fold::new(Matching::default());
    let at = |i: u64, t: Topic| Place::of_record(i, t, 0, i);
    fold.learn(Placed { place: at(0, Topic::Instruments), event: Event::decode(Topic::Instruments, None, Some(instr)).unwrap() });
    let accounts: Vec<Id> = (0..1000).map(|i| Id::derived(format!("acct-{i:06}"))).collect();
    for a in &accounts {
        let r = format!(
            r#"{{"type":"opened","account_id":"{a}","customer_id":"c-{a}","account_type":"investment","currency":"USD","book":"firm/desk","ts":0}}"#
        );
        fold.learn(Placed { place: at(0, Topic::Accounts), event: Event::decode(Topic::Accounts, None, Some(r.as_bytes())).unwrap() });
    }
    let mut r = R(7);
    let count = 1_000_000u64;
    let mut live: Vec<(Id, Id)> = vec![];
    let mut events = Vec::new();
    let symbol = Id::derived("S");
    for i in 0..count {
        if r.n(100) < 45 && !live.is_empty() {
            let j = r.n(live.len() as u64) as usize;
            let (order_id, account_id) = live.swap_remove(j);
            events.push(OrderEvent::Cancel(CancelOrder {
                order_id,
                account_id,
                symbol: symbol.clone(),
                ts: EventTime::from_nanos(i as i64),
            }));
        } else {
            let a = accounts[r.n(1000) as usize].clone();
            let id = Id::derived(format!("order-{i:09}"));
            let side = if r.n(2) == 0 { Side::Buy } else { Side::Sell };
            let off = r.n(200) as i64;
            let agg = r.n(5) == 0;
            let px = match (side, agg) {
                (Side::Buy, false) => 10_000 - 1 - off,
                (Side::Sell, false) => 10_000 + off,
                (Side::Buy, true) => 10_010,
                _ => 9_990,
            };
            if !agg {
                live.push((id.clone(), a.clone()));
            }
            events.push(OrderEvent::New(Box::new(NewOrder {
                order_id: id,
                account_id: a,
                symbol: symbol.clone(),
                side,
                order_type: OrderType::Limit,
                time_in_force: if agg { TimeInForce::Ioc } else { TimeInForce::Gtc },
                quantity: Quantity::whole(1 + r.n(100) as i64),
                price: Some(Price::from_units(px as i128 * 10_000_000)),
                stop_price: None,
                display_quantity: None,
                post_only: None,
                expires_at: None,
                self_trade: None,
                ts: EventTime::from_nanos(i as i64),
            })));
        }
    }
    let (mut rows, mut ex) = (0usize, 0usize);
    let c0 = cpu();
    let t = Instant::now();
    for (i, e) in events.into_iter().enumerate() {
        fold.apply(Placed { place: at(i as u64, Topic::Orders), event: e });
        ex += fold.take_derived().count();
        if i % 1000 == 999 {
            rows += fold.settle(None).count();
        }
    }
    println!("view: cpu {} wall {} ns/event, {rows} rows {ex} executions", (cpu() - c0) / count, t.elapsed().as_nanos() as u64 / count);
}
