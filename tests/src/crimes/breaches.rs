//! Cases of broken limits, hours and duties: by customers, by thieves, and by a bank's own staff.

use super::diary::{Attempt, DAY, Diary, HOUR, MINUTE, Movement};
use super::people::{Person, local, seconds};

const DOLLAR: i64 = 100;

/// Plants a case of each rule.
pub fn plant(diary: &mut Diary) {
    over_the_counter(diary);
    emptied_at_machines(diary);
    talked_into_it(diary);
    on_a_weekend(diary);
    guessing(diary);
    snooping(diary);
    own_approval(diary);
}

fn weekday(diary: &mut Diary, person: &Person, from: i64, to: i64) -> i64 {
    let (day, hour) = (diary.between(0, 4), diary.between(from, to));
    local(diary, person.city, day, hour)
}

/// A clerk lets a friend draw more than the account allows.
fn over_the_counter(diary: &mut Diary) {
    let friend = Person::known(diary, "friend");
    let (at, cents) = (weekday(diary, &friend, 9, 15), diary.between(2_700, 4_900) * DOLLAR);
    let (account, kind) = (friend.account.as_str(), "withdrawal");
    let events = [diary.transact(at, Movement { account, kind, cents, channel: "branch", ..Movement::default() })];
    diary.case("compliance", "transaction_limit", &[&friend.account, &friend.customer], &events);
}

/// A stolen card empties an account at several machines within hours, each time below the limit of one withdrawal.
fn emptied_at_machines(diary: &mut Diary) {
    let victim = Person::known(diary, "victim");
    let (mut at, mut left, mut events) = (weekday(diary, &victim, 8, 12), diary.between(5_600, 9_500) * DOLLAR, Vec::new());
    while left > 0 {
        let (cents, place) = ((diary.between(30, 110) * 20 * DOLLAR).min(left), Some(victim.near_home(diary)));
        let (account, kind) = (victim.account.as_str(), "withdrawal");
        events.push(diary.transact(at, Movement { account, kind, cents, channel: "atm", place, ..Movement::default() }));
        left -= cents;
        at += seconds(diary, 240, 2_400);
    }
    diary.case("compliance", "daily_withdrawal", &[&victim.account, &victim.customer], &events);
}

/// A customer is talked into sending all of the savings to a "safe account", in parts that the bank allows.
fn talked_into_it(diary: &mut Diary) {
    let (victim, crook) = (Person::known(diary, "victim"), Person::known(diary, "crook"));
    let (mut at, mut left, mut events) = (weekday(diary, &victim, 9, 13), diary.between(11_000, 21_000) * DOLLAR, Vec::new());
    while left > 0 {
        let cents = (diary.between(1_700, 2_500) * DOLLAR).min(left);
        events.push(victim.send(diary, at, &crook.account, cents));
        left -= cents;
        at += seconds(diary, 200, 2_000);
    }
    diary.case("compliance", "daily_transfer", &[&victim.account, &victim.customer, &crook.account], &events);
}

/// An employee sends a firm's money abroad while the office is empty.
fn on_a_weekend(diary: &mut Diary) {
    let (firm, employee) = (Person::known(diary, "robbed-firm"), Person::known(diary, "employee"));
    firm.raise_limits(diary, 500_000);
    let at = if diary.chance(50) { local(diary, firm.city, 5, 14) } else { weekday(diary, &firm, 19, 22) };
    let cents = diary.between(12_000, 80_000) * DOLLAR;
    let events = [firm.send(diary, at, &employee.account, cents)];
    diary.case("compliance", "business_hours", &[&firm.account, &employee.account], &events);
}

/// Somebody guesses a password.
fn guessing(diary: &mut Diary) {
    let actor = diary.name("guessed");
    let mut at = diary.between(0, 4) * DAY + diary.between(8 * HOUR, 18 * HOUR);
    for _ in 0..diary.between(5, 20) {
        diary.attempt(at, Attempt { actor: &actor, action: "login", entity: "workstation", outcome: "denied" });
        at += seconds(diary, 2, 60);
    }
    diary.case("access", "access_denied", &[&actor], &[]);
}

/// An employee reads customers' files at night.
fn snooping(diary: &mut Diary) {
    let actor = diary.name("snoop");
    let mut at = diary.between(0, 4) * DAY + diary.between(HOUR, 4 * HOUR);
    for _ in 0..diary.between(6, 30) {
        let entity = format!("customer-{}", diary.between(1, 400));
        diary.attempt(at, Attempt { actor: &actor, action: "view", entity: &entity, outcome: "success" });
        at += seconds(diary, 5, 90);
    }
    diary.case("access", "access_hours", &[&actor], &[]);
}

/// An employee approves what the same employee entered.
fn own_approval(diary: &mut Diary) {
    let (actor, entity) = (diary.name("embezzler"), diary.name("order-"));
    let at = diary.between(0, 4) * DAY + diary.between(9 * HOUR, 16 * HOUR);
    let after = diary.between(1, 90) * MINUTE;
    for (at, action) in [(at, "create"), (at + after, "approve")] {
        diary.attempt(at, Attempt { actor: &actor, action, entity: &entity, outcome: "success" });
    }
    diary.case("access", "maker_is_checker", &[&actor, &entity], &[]);
}
