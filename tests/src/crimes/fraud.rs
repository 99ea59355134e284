//! Cases of fraud on accounts and in payments: stolen cards, telephones and credentials.

use super::diary::{Diary, HOUR, MINUTE, Movement, Purchase, SECOND};
use super::people::{ABROAD, Person, local, near, seconds};

const DOLLAR: i64 = 100;

/// Plants a case of each rule.
pub fn plant(diary: &mut Diary) {
    forged_wire(diary);
    stolen_telephone(diary);
    tested_card(diary);
    cloned_card(diary);
    tested_at_merchants(diary);
    card_abroad(diary);
    one_large_purchase(diary);
    taken_over(diary);
    spree(diary);
}

fn weekday(diary: &mut Diary, person: &Person, from: i64, to: i64) -> i64 {
    let (day, hour) = (diary.between(0, 4), diary.between(from, to));
    local(diary, person.city, day, hour)
}

/// A wire with a forged signature empties an account.
fn forged_wire(diary: &mut Diary) {
    let (victim, forger) = (Person::known(diary, "victim"), Person::known(diary, "forger"));
    let (at, cents) = (weekday(diary, &victim, 9, 15), diary.between(11_000, 90_000) * DOLLAR);
    let movement =
        Movement { account: &victim.account, kind: "transfer", cents, peer: Some(&forger.account), channel: "wire", ..Movement::default() };
    let events = [diary.transact(at, movement)];
    diary.case("banking", "large_amount", &[&forger.account], &events);
}

/// A thief uses a stolen telephone while its owner sleeps.
fn stolen_telephone(diary: &mut Diary) {
    let (victim, thief) = (Person::known(diary, "victim"), Person::known(diary, "thief"));
    let (mut at, mut events) = (weekday(diary, &victim, 1, 3), Vec::new());
    for _ in 0..diary.between(2, 5) {
        let cents = diary.around(600 * DOLLAR);
        events.push(victim.send(diary, at, &thief.account, cents));
        at += seconds(diary, 100, 1_500);
    }
    diary.case("banking", "night", &[&thief.account], &events);
}

/// A stolen card number is tried with tiny amounts, and then used.
fn tested_card(diary: &mut Diary) {
    let victim = Person::known(diary, "victim");
    let (mut at, mut events) = (weekday(diary, &victim, 9, 21), Vec::new());
    let tries = diary.between(7, 16);
    for number in 0..=tries {
        let cents = if number == tries { diary.around(700 * DOLLAR) } else { diary.between(50, 400) };
        let movement = Movement { account: &victim.account, kind: "payment", cents, channel: "online", ..Movement::default() };
        events.push(diary.transact(at, movement));
        at += seconds(diary, 3, 55);
    }
    diary.case("banking", "velocity", &[], &events);
}

/// A cloned card is used abroad while its owner pays at home.
fn cloned_card(diary: &mut Diary) {
    let victim = Person::known(diary, "victim");
    let at = weekday(diary, &victim, 9, 18);
    victim.shop(diary, at);
    let abroad = diary.pick(&ABROAD).copied().unwrap_or(ABROAD[0]);
    let (mut later, mut events) = (at + seconds(diary, 600, 5_400), Vec::new());
    for _ in 0..diary.between(1, 4) {
        let (cents, place) = (diary.around(350 * DOLLAR), Some(near(diary, abroad)));
        let movement = Movement { account: &victim.account, kind: "payment", cents, channel: "card", place, ..Movement::default() };
        events.push(diary.transact(later, movement));
        later += seconds(diary, 120, 1_800);
    }
    diary.case("banking", "impossible_travel", &[], &events);
}

/// Writes a purchase on a customer's usual device near home.
fn buy(diary: &mut Diary, person: &Person, at: i64, cents: i64) -> String {
    let place = Some(person.near_home(diary));
    diary.purchase(at, Purchase { customer: &person.customer, cents, device: &person.device, place })
}

/// Malware on the customer's own device buys vouchers.
fn tested_at_merchants(diary: &mut Diary) {
    let victim = Person::shopper(diary, "victim");
    let (mut at, mut events) = (weekday(diary, &victim, 9, 20), Vec::new());
    for _ in 0..diary.between(6, 14) {
        let cents = diary.around(25 * DOLLAR);
        events.push(buy(diary, &victim, at, cents));
        at += seconds(diary, 20, 300);
    }
    diary.case("payments", "velocity", &[], &events);
}

/// A stolen card is used on another continent.
fn card_abroad(diary: &mut Diary) {
    let victim = Person::shopper(diary, "victim");
    let (at, abroad) = (weekday(diary, &victim, 0, 22), diary.pick(&ABROAD).copied().unwrap_or(ABROAD[0]));
    let mut events = Vec::new();
    for number in 0..diary.between(1, 3) {
        let (cents, place) = (diary.around(150 * DOLLAR), Some(near(diary, abroad)));
        let purchase = Purchase { customer: &victim.customer, cents, device: &victim.device, place };
        events.push(diary.purchase(at + number * 40 * MINUTE, purchase));
    }
    diary.case("payments", "far_from_home", &[], &events);
}

/// Somebody who pays for groceries buys what can be sold again.
fn one_large_purchase(diary: &mut Diary) {
    let victim = Person::shopper(diary, "victim");
    let (at, cents) = (weekday(diary, &victim, 9, 20), diary.between(900, 4_000) * DOLLAR);
    let events = [buy(diary, &victim, at, cents)];
    diary.case("payments", "unusual_amount", &[], &events);
}

/// Stolen credentials are used on the thief's device.
fn taken_over(diary: &mut Diary) {
    let victim = Person::shopper(diary, "victim");
    let (at, device, mut events) = (weekday(diary, &victim, 8, 22), diary.name("thief-d"), Vec::new());
    for number in 0..diary.between(1, 3) {
        let (cents, place) = (diary.around(90 * DOLLAR), Some(victim.near_home(diary)));
        let purchase = Purchase { customer: &victim.customer, cents, device: &device, place };
        events.push(diary.purchase(at + number * 25 * MINUTE, purchase));
    }
    diary.case("payments", "new_device", &[], &events);
}

/// A day of purchases with a stolen credit card, in the hours of the shops.
fn spree(diary: &mut Diary) {
    let victim = Person::shopper(diary, "victim");
    let (mut at, mut left, mut events) = (weekday(diary, &victim, 9, 10), diary.between(12_000, 26_000) * DOLLAR, Vec::new());
    let end = at + 9 * HOUR;
    while left > 0 && at < end {
        let cents = (diary.between(1_500, 4_500) * DOLLAR).min(left);
        events.push(buy(diary, &victim, at, cents));
        left -= cents;
        at += seconds(diary, 600, 1_900).max(SECOND);
    }
    diary.case("payments", "daily_sum", &[], &events);
}
