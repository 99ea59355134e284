//! A week of ordinary customers, Monday to Saturday, with the honest behaviour that resembles crimes.

use super::diary::{DAY, Diary, HOUR, MINUTE, Movement, Purchase, SECOND};
use super::people::{ABROAD, Person, local, near, seconds};

/// Days that are lived.
const DAYS: i64 = 6;
/// Hundredths of a dollar.
const DOLLAR: i64 = 100;

/// Writes a week of this many customers and those who live with them.
pub fn ordinary(diary: &mut Diary, customers: usize) {
    let people: Vec<Person> = (0..customers).map(|_| Person::shopper(diary, "o")).collect();
    people.iter().for_each(|person| week(diary, person));
    // One employer for forty customers, one landlord for fifteen, one shop for ten, and so on.
    for staff in people.chunks(40) {
        payroll(diary, staff);
    }
    for tenants in people.chunks(15) {
        landlord(diary, tenants);
        refund(diary, tenants);
    }
    for friends in people.chunks(10) {
        shop(diary);
        lunch(diary, friends);
        family(diary, friends);
    }
    for some in people.chunks(25) {
        firm(diary);
        newcomer(diary);
        saver(diary);
        car(diary, some);
        some.iter().take(1).for_each(|person| travel(diary, person));
        some.iter().skip(1).take(1).for_each(|person| night_worker(diary, person));
        some.iter().skip(2).take(1).for_each(|person| treats(diary, person));
        some.iter().skip(3).take(1).for_each(|person| commuter(diary, person));
        some.iter().skip(4).take(1).for_each(|person| sweeper(diary, person));
        some.iter().skip(5).take(1).for_each(|person| cash_user(diary, person));
    }
}

/// Shopping, a cash machine now and then, and purchases online.
fn week(diary: &mut Diary, person: &Person) {
    for day in 0..DAYS {
        for _ in 0..diary.between(0, 3) {
            let hour = diary.between(7, 20);
            let at = local(diary, person.city, day, hour);
            person.shop(diary, at);
        }
        if diary.chance(12) {
            let (hour, notes, place) = (diary.between(9, 20), diary.between(2, 20), Some(person.near_home(diary)));
            let at = local(diary, person.city, day, hour);
            let cents = notes * 20 * DOLLAR;
            let (account, kind) = (person.account.as_str(), "withdrawal");
            diary.transact(at, Movement { account, kind, cents, channel: "atm", place, ..Movement::default() });
        }
        if diary.chance(25) {
            let (hour, cents) = (diary.between(8, 22), diary.around(3_500));
            let at = local(diary, person.city, day, hour);
            buy(diary, person, at, cents);
        }
    }
}

fn buy(diary: &mut Diary, person: &Person, at: i64, cents: i64) {
    let place = Some(person.near_home(diary));
    diary.purchase(at, Purchase { customer: &person.customer, cents, device: &person.device, place });
}

/// An employer pays wages on Friday morning, one after the other.
fn payroll(diary: &mut Diary, staff: &[Person]) {
    let employer = Person::known(diary, "employer");
    employer.raise_limits(diary, 1_000_000);
    let mut at = local(diary, employer.city, 4, 10);
    for person in staff {
        let wage = 1_800 * DOLLAR + diary.around(1_400 * DOLLAR);
        employer.send(diary, at, &person.account, wage);
        at += seconds(diary, 1, 20);
    }
}

/// A landlord's tenants pay the rent on Monday, some a day or two late.
fn landlord(diary: &mut Diary, tenants: &[Person]) {
    let landlord = Person::known(diary, "landlord");
    for tenant in tenants {
        let (day, hour) = (if diary.chance(75) { 0 } else { diary.between(1, 3) }, diary.between(6, 18));
        let (at, rent) = (local(diary, tenant.city, day, hour), diary.between(700, 2_200) * DOLLAR);
        tenant.send(diary, at, &landlord.account, rent);
    }
}

/// A shop pays in its cash each evening: mostly some thousands, more on Saturdays. A few are large enough to be reported.
fn shop(diary: &mut Diary) {
    let shop = Person::known(diary, "shop");
    let usual = diary.between(1_200, 4_200) * DOLLAR;
    for day in 0..DAYS {
        let (hour, share) = (diary.between(15, 16), diary.between(70, if day == 5 { 190 } else { 130 }));
        let at = local(diary, shop.city, day, hour);
        shop.cash(diary, at, "deposit", usual * share / 100);
    }
}

/// Friends who pay for each other's lunch, mostly on different days.
fn lunch(diary: &mut Diary, friends: &[Person]) {
    let [first, second, ..] = friends else { return };
    let mut at = local(diary, first.city, 1, 12);
    for turn in 0..3 {
        let (payer, payee) = if turn % 2 == 0 { (first, second) } else { (second, first) };
        let cents = diary.around(14 * DOLLAR);
        payer.send(diary, at, &payee.account, cents);
        at += DAY + seconds(diary, 0, 3_600);
    }
}

/// A grandmother gives each grandchild the same on one day.
fn family(diary: &mut Diary, family: &[Person]) {
    let Some((grandmother, children)) = family.split_first() else { return };
    let (gift, count) = (diary.between(2, 10) * 10 * DOLLAR, usize::try_from(diary.between(2, 5)).unwrap_or(2));
    let mut at = local(diary, grandmother.city, 5, 10);
    for child in children.iter().take(count) {
        grandmother.send(diary, at, &child.account, gift);
        at += seconds(diary, 20, 400);
    }
}

/// A seller returns the price by a transfer of its own, where others reverse the payment.
fn refund(diary: &mut Diary, customers: &[Person]) {
    let seller = Person::known(diary, "seller");
    for (buyer, reverses) in customers.iter().zip([false, true, true]) {
        let (day, hour, cents) = (diary.between(1, 3), diary.between(9, 14), diary.around(60 * DOLLAR));
        let at = local(diary, buyer.city, day, hour);
        let paid = buyer.send(diary, at, &seller.account, cents);
        let later = at + diary.between(1, 30) * HOUR;
        if reverses {
            let movement = Movement {
                account: &buyer.account,
                kind: "transfer",
                cents,
                reverses: Some(&paid),
                channel: "online",
                ..Movement::default()
            };
            diary.transact(later, movement);
        } else {
            seller.send(diary, later, &buyer.account, cents);
        }
    }
}

/// A firm pays four suppliers it knows, one of them more than usual, in its hours of business.
fn firm(diary: &mut Diary) {
    let firm = Person::known(diary, "firm");
    firm.raise_limits(diary, 500_000);
    let suppliers: Vec<Person> = (0..4).map(|_| Person::known(diary, "supplier")).collect();
    for week in [-3, -2, -1, 0] {
        for supplier in &suppliers {
            let (day, hour, cents) = (7 * week + diary.between(1, 4), diary.between(10, 15), diary.around(3_000 * DOLLAR));
            let at = local(diary, firm.city, day, hour);
            firm.send(diary, at, &supplier.account, cents);
        }
    }
}

/// A new customer opens an account with a first payment, mostly a small one.
fn newcomer(diary: &mut Diary) {
    let person = Person::new(diary, "newcomer");
    let day = diary.between(0, 4);
    let at = local(diary, person.city, day, 11);
    person.open(diary, "checking", at);
    let first = diary.around(220 * DOLLAR);
    person.cash(diary, at + 20 * MINUTE, "deposit", first);
    let next = local(diary, person.city, day + 1, 12);
    person.shop(diary, next.max(at + HOUR));
}

/// A saver leaves the account alone, and then goes on holiday.
fn saver(diary: &mut Diary) {
    let person = Person::new(diary, "saver");
    person.open(diary, "savings", -500 * DAY);
    let (day, cents) = (diary.between(0, 4), diary.between(300, 1_000) * DOLLAR);
    let at = local(diary, person.city, day, 14);
    person.cash(diary, at, "withdrawal", cents);
}

/// Somebody buys a car from a dealer; the bank has raised the limits for it.
fn car(diary: &mut Diary, customers: &[Person]) {
    let (Some(buyer), dealer) = (customers.last(), Person::known(diary, "dealer")) else { return };
    buyer.raise_limits(diary, 50_000);
    let (day, price) = (diary.between(1, 3), diary.between(4_000, 19_000) * DOLLAR);
    let at = local(diary, buyer.city, day, 13);
    buyer.send(diary, at, &dealer.account, price);
}

/// A traveller pays at home in the morning, and on another continent the day after.
fn travel(diary: &mut Diary, person: &Person) {
    let (morning, abroad) = (local(diary, person.city, 1, 7), diary.pick(&ABROAD).copied().unwrap_or(ABROAD[0]));
    person.shop(diary, morning);
    for stay in 0..5 {
        let (at, cents, place) = (morning + 23 * HOUR + stay * 9 * HOUR, diary.around(40 * DOLLAR), Some(near(diary, abroad)));
        let (account, kind) = (person.account.as_str(), "payment");
        diary.transact(at, Movement { account, kind, cents, channel: "card", place, ..Movement::default() });
        if stay == 2 {
            diary.purchase(at + HOUR, Purchase { customer: &person.customer, cents, device: &person.device, place });
        }
    }
}

/// A night worker eats and refuels at night.
fn night_worker(diary: &mut Diary, person: &Person) {
    for day in 0..DAYS {
        let hour = diary.between(0, 5);
        let at = local(diary, person.city, day, hour);
        person.shop(diary, at);
    }
}

/// Five small purchases in an evening, a new telephone, and then a refrigerator.
fn treats(diary: &mut Diary, person: &Person) {
    let evening = local(diary, person.city, 2, 19);
    for number in 0..diary.between(3, 5) {
        let (at, cents) = (evening + number * 13 * MINUTE, diary.around(5 * DOLLAR));
        buy(diary, person, at, cents);
    }
    let (device, place, noon) = (diary.name("d"), Some(person.near_home(diary)), local(diary, person.city, 4, 12));
    let cents = diary.between(500, 1_100) * DOLLAR;
    diary.purchase(noon, Purchase { customer: &person.customer, cents, device: &device, place });
}

/// A commuter pays the same fare two to four times a day, and some coffees at a market.
fn commuter(diary: &mut Diary, person: &Person) {
    for day in 0..DAYS - 1 {
        for hour in [7, 12, 13, 17].into_iter().take(usize::try_from(diary.between(2, 4)).unwrap_or(2)) {
            let (at, place) = (local(diary, person.city, day, hour), Some(person.near_home(diary)));
            let (account, kind, cents) = (person.account.as_str(), "payment", 290);
            diary.transact(at, Movement { account, kind, cents, channel: "card", place, ..Movement::default() });
        }
    }
    let mut at = local(diary, person.city, 5, 11);
    for _ in 0..diary.between(3, 5) {
        person.shop(diary, at);
        at += seconds(diary, 40, 200);
    }
}

/// Money that comes in is partly put aside at once.
fn sweeper(diary: &mut Diary, person: &Person) {
    let (savings, payer) = (diary.name("savings-a"), Person::known(diary, "payer"));
    person.open_another(diary, &savings, "savings", -400 * DAY);
    let (at, cents) = (local(diary, person.city, 3, 9), diary.between(400, 1_800) * DOLLAR);
    payer.send(diary, at, &person.account, cents);
    let share = diary.between(10, 80);
    person.send(diary, at + 90 * SECOND, &savings, cents * share / 100);
}

/// Cash comes in and goes out on one day, each below what has to be reported.
fn cash_user(diary: &mut Diary, person: &Person) {
    person.raise_limits(diary, 20_000);
    let at = local(diary, person.city, 2, 10);
    let (first, second) = (diary.between(3_000, 7_000) * DOLLAR, diary.between(3_000, 7_000) * DOLLAR);
    person.cash(diary, at, "deposit", first);
    person.cash(diary, at + 4 * HOUR, "withdrawal", second);
}
