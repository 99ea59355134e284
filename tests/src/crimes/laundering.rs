//! Cases of money laundering, after the typologies of the Financial Action Task Force: smurfs, mules, shell accounts.

use super::diary::{DAY, Diary, HOUR, MINUTE, SECOND};
use super::people::{Person, local, seconds};

const DOLLAR: i64 = 100;

/// Plants a case of each rule.
pub fn plant(diary: &mut Diary) {
    smurf(diary);
    collector(diary);
    distributor(diary);
    sleeper(diary);
    straw_man(diary);
    forged_invoice(diary);
    pass_through(diary);
    dealer(diary);
    carousel(diary);
    cash_business(diary);
}

/// A weekday's hour of business where somebody lives.
fn weekday(diary: &mut Diary, person: &Person) -> i64 {
    let (day, hour) = (diary.between(0, 3), diary.between(9, 13));
    local(diary, person.city, day, hour)
}

/// Splits a large sum into deposits that nobody has to report, at several counters over some days, with a few smaller ones.
fn smurf(diary: &mut Diary) {
    let smurf = Person::known(diary, "smurf");
    let (mut left, mut at, mut events) = (diary.between(31_000, 62_000) * DOLLAR, weekday(diary, &smurf) - DAY, Vec::new());
    while left > 3_000 * DOLLAR {
        let share = if diary.chance(15) { diary.between(30, 75) } else { diary.between(82, 99) };
        let part = (share * 100 * DOLLAR - diary.between(0, 60) * DOLLAR).min(left);
        events.push(smurf.cash(diary, at, "deposit", part));
        left -= part;
        at += diary.between(3, 22) * HOUR;
    }
    diary.case("aml", "structuring", &[&smurf.account, &smurf.customer], &events);
}

/// A mule collects what victims of one fraud were talked into paying.
fn collector(diary: &mut Diary) {
    let mule = Person::known(diary, "mule");
    let (begin, mut events) = (weekday(diary, &mule), Vec::new());
    for _ in 0..diary.between(6, 14) {
        let victim = Person::known(diary, "victim");
        let (after, cents) = (diary.between(0, 15 * HOUR), diary.around(480 * DOLLAR));
        events.push(victim.send(diary, begin + after, &mule.account, cents));
    }
    diary.case("aml", "fan_in", &[&mule.account, &mule.customer], &events);
}

/// A mule passes a sum on to many accomplices.
fn distributor(diary: &mut Diary) {
    let (mule, source) = (Person::known(diary, "mule"), Person::known(diary, "source"));
    let (mut at, count) = (weekday(diary, &mule), diary.between(6, 12));
    let mut events = vec![source.send(diary, at, &mule.account, count * 700 * DOLLAR)];
    for _ in 0..count {
        let accomplice = Person::known(diary, "accomplice");
        at += seconds(diary, 240, 2_000);
        let cents = diary.between(400, 690) * DOLLAR;
        events.push(mule.send(diary, at, &accomplice.account, cents));
    }
    diary.case("aml", "fan_out", &[&mule.account, &mule.customer], &events);
}

/// An account that was bought from its owner wakes up after months.
fn sleeper(diary: &mut Diary) {
    let (sleeper, source) = (Person::new(diary, "sleeper"), Person::known(diary, "source"));
    let opened = -diary.between(250, 700) * DAY;
    sleeper.open(diary, "checking", opened);
    let (at, cents) = (weekday(diary, &sleeper), diary.between(1_600, 22_000) * DOLLAR);
    let later = at + diary.between(1, 40) * HOUR;
    let events = [source.send(diary, at, &sleeper.account, cents), sleeper.cash(diary, later, "withdrawal", cents * 9 / 10)];
    diary.case("aml", "dormant_account", &[&sleeper.account, &sleeper.customer], &events);
}

/// An account is opened with a straw man's papers; money comes in and is drawn out on the same day.
fn straw_man(diary: &mut Diary) {
    let (straw, source) = (Person::new(diary, "straw"), Person::known(diary, "source"));
    let at = weekday(diary, &straw);
    straw.open(diary, "checking", at);
    let (after, cents) = (at + diary.between(20, 7 * 60) * MINUTE, diary.between(1_800, 14_000) * DOLLAR);
    let later = after + diary.between(10, 200) * MINUTE;
    let events = [source.send(diary, after, &straw.account, cents), straw.cash(diary, later, "withdrawal", cents * 9 / 10)];
    diary.case("aml", "young_account", &[&straw.account, &straw.customer], &events);
}

/// A firm pays a forged invoice to an account that it has never paid.
fn forged_invoice(diary: &mut Diary) {
    let (firm, forger) = (Person::known(diary, "deceived"), Person::known(diary, "forger"));
    firm.raise_limits(diary, 500_000);
    let (at, cents) = (weekday(diary, &firm), diary.between(6_500, 70_000) * DOLLAR);
    let events = [firm.send(diary, at, &forger.account, cents)];
    diary.case("aml", "new_payee", &[&forger.account, &forger.customer], &events);
}

/// Money leaves minutes after it came, less what the mule keeps.
fn pass_through(diary: &mut Diary) {
    let [source, mule, sink] = [(); 3].map(|()| Person::known(diary, "passing"));
    let (at, cents, kept) = (weekday(diary, &mule), diary.between(900, 9_500) * DOLLAR, diary.between(1, 8));
    let after = seconds(diary, 15, 240);
    let events = [source.send(diary, at, &mule.account, cents), mule.send(diary, at + after, &sink.account, cents * (100 - kept) / 100)];
    diary.case("aml", "in_and_out", &[&mule.account, &mule.customer], &events);
}

/// Buyers of one forbidden thing pay its price into an account, all day.
fn dealer(diary: &mut Diary) {
    let dealer = Person::known(diary, "seller-of-drugs");
    let (begin, price, mut events) = (weekday(diary, &dealer), diary.between(8, 30) * 10 * DOLLAR, Vec::new());
    let buyers: Vec<Person> = (0..4).map(|_| Person::known(diary, "buyer")).collect();
    for _ in 0..diary.between(7, 13) {
        let (after, Some(buyer)) = (diary.between(0, 14 * HOUR), diary.pick(&buyers)) else { continue };
        events.push(buyer.send(diary, begin + after, &dealer.account, price));
    }
    diary.case("aml", "repeated_amount", &[&dealer.account, &dealer.customer], &events);
}

/// Shell accounts send a sum in a circle, and each keeps a little.
fn carousel(diary: &mut Diary) {
    let count = diary.between(3, 5);
    let shells: Vec<Person> = (0..count).map(|_| Person::known(diary, "shell")).collect();
    let Some(first) = shells.first() else { return };
    let (mut at, mut cents, mut events) = (weekday(diary, first), diary.between(4_000, 40_000) * DOLLAR, Vec::new());
    for (from, to) in shells.iter().zip(shells.iter().cycle().skip(1)) {
        events.push(from.send(diary, at, &to.account, cents));
        at += seconds(diary, 600, 4 * 3_600);
        cents = cents * diary.between(95, 99) / 100;
    }
    let parties: Vec<&str> = shells.iter().map(|shell| shell.account.as_str()).collect();
    diary.case("aml", "round_trip", &parties, &events);
}

/// Cash of a day that has to be reported, in parts over two accounts.
fn cash_business(diary: &mut Diary) {
    let owner = Person::known(diary, "cash-business");
    let second = Person { account: diary.name("cash-business-a"), ..owner.clone() };
    second.open(diary, "checking", -300 * DAY);
    second.remember(diary);
    let (mut left, mut at, mut events) = (diary.between(11_500, 38_000) * DOLLAR, weekday(diary, &owner), Vec::new());
    while left > 0 {
        let part = (diary.between(2_500, 9_000) * DOLLAR).min(left);
        let through = if diary.chance(50) { &owner } else { &second };
        events.push(through.cash(diary, at, "deposit", part));
        left -= part;
        at += diary.between(30 * SECOND, 40 * MINUTE);
    }
    diary.case("aml", "large_cash", &[&owner.account, &second.account, &owner.customer], &events);
}
