use headwater_schemas::{events::*, Topic, EventTime};
fn main() {
    println!("Event {} Order {} Quote {} Amend {} Cancel {} Fill {} Bust {} Fx {} Account {} Transfer {} Trade {}", size_of::<Event>(), size_of::<OrderEvent>(), size_of::<Quote>(), size_of::<AmendOrder>(), size_of::<CancelOrder>(), size_of::<FillEvent>(), size_of::<Bust>(), size_of::<FxRate>(), size_of::<AccountEvent>(), size_of::<TransferEvent>(), size_of::<Trade>());
    for t in ["2026-01-05T14:30+01:00","2026-01-05T14:30:00,5Z","2026-01-05T14:30:00+01","2016-12-31T23:59:60Z","2026-01-05t14:30:00z","2026-01-05T14:30:00+01:00:30", "2026-01-05T14:30:00-00:00"] { println!("{t} {:?}", t.parse::<EventTime>()); }
    let probe = |topic, v: &[u8]| println!("{} -> {:?}", String::from_utf8_lossy(&v[..v.len().min(120)]), Event::decode(topic, None, Some(v)));
    probe(Topic::Labels, b"{\"subject_id\":\"t\",\"label\":\"x\",\"ts\":1,\"z\":\"\xff\"}");
    probe(Topic::Watchlists, br#"{"customer_id":"c1","symbol":"AAPL","direction":{"above":null},"price":"200"}"#);
    probe(Topic::Watchlists, br#"{"customer_id":"c1","symbol":"AAPL","direction":7,"price":"200"}"#);
    probe(Topic::Labels, br#"{"subject_id":"t","label":"x","ts":1e999}"#);
    probe(Topic::Labels, br#"{"subject_id":"t","label":null,"ts":1}"#);
    probe(Topic::Labels, br#"{"subject_id":"t at line 3","label":"x","ts":1}"#);
    probe(Topic::Labels, br#"{"subject_id":"t","label":"x","ts":{"a":1}}"#);
    probe(Topic::Orders, br#"{"type":"new","type":"amend"}"#);
    probe(Topic::Trades, br#"{"symbol":"S","price":null,"size":1,"ts":1}"#);
    for (topic, text) in [(Topic::Quotes, r#"{"symbol":"AAPL","bid":"149.99","ask":"150.01","bid_size":"100","ask_size":"200","ts":"2026-01-05T14:30:00.123456789Z"}"#), (Topic::Quotes, r#"{"symbol":"AAPL","bid":"149.99","ask":"150.01","bid_size":"100","ask_size":"200","ts":1767623400123456789}"#), (Topic::Orders, r#"{"type":"new","order_id":"o1","account_id":"a1","symbol":"AAPL","side":"buy","order_type":"limit","time_in_force":"gtc","quantity":"10","price":"150","ts":4}"#), (Topic::Transactions, r#"{"transaction_id":"t1","account_id":"a1","type":"payment","amount":"12.5","currency":"USD","channel":"card","merchant":"Cafe","lat":"40.7","lon":"-74","ts":"2026-01-05T14:30:00.123Z"}"#), (Topic::Closes, r#"{"symbol":"AAPL","date":"2026-01-05","close":"150.123456789"}"#)] {
        let n = 300_000;
        let start = std::time::Instant::now();
        for _ in 0..n { std::hint::black_box(Event::decode(topic, Some(std::hint::black_box(if topic == Topic::Transactions {b"a1"} else {b"AAPL"})), Some(text.as_bytes())).unwrap()); }
        let e = Event::decode(topic, None, Some(text.as_bytes())).unwrap();
        let d = start.elapsed() / n;
        let start = std::time::Instant::now();
        for _ in 0..n { std::hint::black_box(e.encode()); }
        let w = start.elapsed() / n;
        let start = std::time::Instant::now();
        for _ in 0..n { std::hint::black_box(e.body_digest()); }
        println!("{topic} decode {d:?} encode {w:?} digest {:?}", start.elapsed() / n);
    }
}
