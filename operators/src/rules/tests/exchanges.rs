//! Tests of exchanges: the account on the other side sees what it gets, in its own currency.

use headwater_schemas::events::TransactionPhase;

use super::*;
use crate::ledger::{Adjusted, CounterAmount};
use crate::testing::run_with_restart;

/// Rules about what an account receives.
const RECEIVED: &str = "name = \"p\"\nsubject = \"transaction\"\nkind = \"aml\"\n\
    [[feature]]\nname = \"came\"\naggregate = \"sum\"\nfield = \"amount\"\nkey = [\"party\"]\n\
    filter = 'direction == \"in\"'\nwindow = \"1h\"\n\
    [[rule]]\nname = \"much\"\nwhen = 'direction == \"in\" and currency == \"EUR\" and came > 80'\nseverity = \"low\"\n\
    [[rule]]\nname = \"much_in_base\"\nwhen = 'direction == \"in\" and came > 0 and amount_base > 80'\nseverity = \"low\"\n";

/// `a` gives 1,000 JPY for euros of `b`, as a hold.
fn exchange(euros: &str) -> Happened {
    let held = transaction("x", DAY, "1000");
    Happened::Transaction(Arc::new(Transaction {
        r#type: TransactionType::Transfer,
        currency: Currency::derived("JPY"),
        counterparty_account: Some(AccountId::derived("b")),
        counter_amount: euros.parse().ok(),
        counter_currency: Some(Currency::derived("EUR")),
        phase: Some(TransactionPhase::Pending),
        ..held
    }))
}

fn captured(euros: &str) -> Happened {
    let counter = CounterAmount { amount: euros.parse().expect("an amount"), currency: Currency::derived("EUR") };
    Happened::Adjusted(Arc::new(Adjusted {
        account_id: AccountId::derived("a"),
        counterparty: AccountId::derived("b"),
        currency: Currency::derived("JPY"),
        hold: Id::derived("x"),
        amount: "900".parse().expect("an amount"),
        counter: Some(counter),
        capture: Id::derived("c"),
    }))
}

/// `id state` of each alert, whole and with a restart before each event.
fn states(story: Vec<Happened>) -> Vec<String> {
    let pack = Pack::parse("p.toml", RECEIVED).unwrap_or_else(|error| panic!("{error}"));
    let view = Rules::new(pack).in_currency(BaseCurrency { currency: Currency::derived("EUR"), pivot: Currency::derived("USD") });
    let mut happenings = Happenings::<Rules>::new();
    for (what, offset) in story.into_iter().zip(0..) {
        let place = Place::of_record(EffectiveTime::new(DAY.unsigned_abs() + offset), Topic::Transactions, 0, Offset::new(offset));
        let events = view.spread(&what, None).into_iter();
        happenings.extend(events.map(|event| Placed { place, event: Happening::Event(event) }));
    }
    let whole = run(view.clone(), happenings.clone());
    for cut in 0..happenings.len() {
        assert_eq!(alerts(&whole), alerts(&run_with_restart(view.clone(), happenings.clone(), cut)), "{cut}");
    }
    alerts(&whole).iter().map(|alert| format!("{} {}", alert.alert_id, alert.state)).collect()
}

#[test]
fn the_receiver_of_an_exchange_gets_the_counter_amount() {
    assert_eq!(states(vec![exchange("90")]), ["p:much:b:x raised", "p:much_in_base:b:x raised"]);
    assert_eq!(states(vec![exchange("70")]), [""; 0], "the 1,000 are those of the sender");
}

#[test]
fn a_captured_exchange_has_the_captured_amount_on_each_side() {
    assert_eq!(states(vec![exchange("90"), captured("70")]), ["p:much:b:x withdrawn", "p:much_in_base:b:x withdrawn"]);
    assert_eq!(states(vec![exchange("90"), captured("85")]), ["p:much:b:x amended", "p:much_in_base:b:x amended"]);
}
