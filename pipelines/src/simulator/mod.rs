//! A simulated market and bank, for the demo, the tests and the benches.
//!
//! The simulator is a producer like any other: it makes [`Record`]s, and [`publish`] sends them through a connector. It does not
//! depend on how the pipeline processes them. Equal settings make equal bytes, whatever the steps of [`Simulator::advance`]: one
//! queue of planned tasks (`schedule`) decides the order of everything, and every part has random numbers of its own (`dice`).
//!
//! Of the ordinary events, [`SimulatorSettings::events_per_second`] of them:
//!
//! | part | what | topic |
//! |---|---|---|
//! | 55 % | quotes of twelve US shares in turn, along correlated paths | `market.quotes` |
//! | 10 % | trades at or within the spread | `market.trades` |
//! | 20 % | orders of 4 market makers and 16 others: passive 39 %, aggressive 27 % (market, ioc, fok among them), cancels 30 %, stops, amends, a few that are rejected | `orders` |
//! | 3 % | fills from five other venues, with fees; rarely a bust | `fills` |
//! | 8 % | debits of the payments to merchants, card payments, deposits, withdrawals, transfers, holds with their resolution, reversals | `transactions` |
//! | 3 % | payments to merchants | `payments` |
//! | 1 % | multi-step transfers, accesses to accounts, labels | `transfers`, `access`, `labels` |
//!
//! Of the payments to merchants, the ledger misses one in fifty. Of the transfers, one in eight fails and is reversed, and one in
//! twenty stops after its debit.
//!
//! In addition, at fixed times: an exchange rate every 5 s, the closes at the end of each UTC day (this market has no weekend),
//! and planted misconduct, each a [`PlantedCase`] that names the rules that have to find it:
//!
//! | planted | first | every | what |
//! |---|---|---|---|
//! | large amount | 4 s | 10 s | a wire of 10 001 to 25 000 |
//! | card testing | 5 s | 20 s | 7 small card payments in 3 s, then one of 1 400 or more, half the time above 10 000 |
//! | impossible travel | 8 s | 20 s | a card at home, 2 s later on another continent |
//! | mule | 9 s | 60 s | 6 payers send 300 to 900 each to one account, which wires 95 % of it away 5 s later |
//! | night | 10 s | 15 s | a payment between midnight and six, where its customer lives |
//! | round trip | 11 s | 90 s | 2 000 to 4 000 over three accounts, back to the first in 2 s |
//! | payment burst | 12 s | 30 s | 7 payments in 3 s from a new device |
//! | wash trade | 14 s | 30 s | a sale and a purchase by two accounts of one owner |
//! | account takeover | 16 s | 60 s | at night: 3 failed attempts and a login, a payment and cash, from a new device on another continent |
//! | structuring | 18 s | 60 s | 3 cash deposits just below 10 000 |
//! | spoofing | 22 s | 45 s | 4 layers of sell orders, a purchase, 4 cancels |
//! | stuck transfer | | | debited 890 s before the start, and never credited: stuck 10 s after it |
//!
//! Most of the frauds are labelled 3 to 8 s later. Some limits are so tight that trading breaks them within the first minute. The
//! named customers (`C001` …) are those of the plants; the retail customers (`R00001` …) are honest.
//!
//! Faults on the way to the topics:
//!
//! | fault | how often |
//! |---|---|
//! | the venue `DARK` publishes a fill 2 to 5 s after its time | a fifth of the fills |
//! | a transaction or fill is repeated, with the same bytes | 1 in 100 |
//! | a transaction or fill is contradicted by a second one with its id | after 2 500 to 7 500 records |
//! | a record is followed by a malformed copy | after 1 500 to 4 500 records |

mod bank;
mod cases;
mod dice;
mod faults;
mod market;
mod opening;
mod people;
mod plants;
mod record;
mod schedule;
mod shares;
#[cfg(test)]
mod tests;
mod traders;
mod workload;

use headwater_schemas::EventTime;
use headwater_schemas::events::Event;

use self::bank::Bank;
pub use self::cases::PlantedCase;
use self::cases::PlantedCases;
use self::dice::{Dice, Purpose};
use self::faults::{Fault, Faults};
use self::market::Market;
use self::people::People;
use self::plants::TIMETABLE;
pub use self::record::{Record, publish};
use self::schedule::{DAY, Planned, SECOND, Schedule, Task};
use self::traders::Traders;
pub use self::workload::{Workload, workload};

/// Seconds from one exchange rate to the next.
const FX_PERIOD: i64 = 5 * SECOND;

/// Everyday customers per event a second: an honest account then stays below five transactions in ten minutes.
const CUSTOMERS_PER_RATE: u32 = 15;

/// Settings of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulatorSettings {
    /// Seed of all random numbers: the same seed makes the same bytes.
    pub seed: u64,
    /// Ordinary events per second of event time. Planted misconduct and faults add a few per second.
    pub events_per_second: u32,
    /// Start of the simulation; the opening records describe the time before.
    pub start: EventTime,
    /// Speed of intraday price moves relative to reality, so that a short demo shows moves: at 25, half a minute moves prices
    /// like twelve minutes of trading. From one close to the next they move as real shares do.
    pub market_speed: u32,
    /// Number of trading days before the start that have closes.
    pub history_days: u32,
    /// Number of customers besides the forty named ones. If zero, the named ones make the everyday payments, too.
    pub retail_customers: u32,
}

impl Default for SimulatorSettings {
    /// Defaults: 200 events a second from Monday, 5 January 2026, 14:30 UTC: the opening bell in New York.
    fn default() -> Self {
        Self {
            seed: 1,
            events_per_second: 200,
            start: EventTime::from_nanos(1_767_623_400 * SECOND),
            market_speed: 25,
            history_days: 300,
            retail_customers: 200 * CUSTOMERS_PER_RATE,
        }
    }
}

impl SimulatorSettings {
    /// The same at another rate, with enough customers for that many transactions to look honest (at most 100 000).
    pub fn at_rate(self, events_per_second: u32) -> Self {
        let retail_customers = events_per_second.saturating_mul(CUSTOMERS_PER_RATE).clamp(50, 100_000);
        Self { events_per_second, retail_customers, ..self }
    }
}

/// Counts of irregular records so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Irregularities {
    /// Planted cases.
    pub plants: u64,
    /// Records that were published later than their event's time.
    pub late: u64,
    /// Repeated records.
    pub repeated: u64,
    /// Records that contradict an earlier one.
    pub conflicting: u64,
    /// Malformed records.
    pub malformed: u64,
}

/// A simulated market and bank.
#[derive(Clone, Debug)]
pub struct Simulator {
    settings: SimulatorSettings,
    people: People,
    schedule: Schedule,
    dice: Dice,
    /// Number of ordinary events planned.
    ordinary: i64,
    market: Market,
    traders: Traders,
    bank: Bank,
    faults: Faults,
    irregularities: Irregularities,
    cases: PlantedCases,
    ready: Vec<Record>,
}

impl Simulator {
    /// A simulation at its start.
    pub fn new(settings: SimulatorSettings) -> Self {
        let people = People::new(&settings);
        let mut simulator = Self {
            settings,
            schedule: Schedule::default(),
            dice: Dice::new(settings.seed, Purpose::Schedule),
            ordinary: 0,
            market: Market::new(&settings),
            traders: Traders::new(&settings, &people),
            bank: Bank::new(&settings, &people),
            faults: Faults::new(&settings),
            irregularities: Irregularities::default(),
            cases: PlantedCases::default(),
            ready: Vec::new(),
            people,
        };
        simulator.plan_beginning();
        simulator
    }

    fn plan_beginning(&mut self) {
        let start = self.settings.start;
        for planting in &TIMETABLE {
            self.schedule.plan(start.nanos() + planting.first * SECOND, Task::Plant(planting));
        }
        self.cases.extend(opening::stuck_transfer(&self.settings, &self.people));
        self.schedule.plan(start.nanos() + FX_PERIOD, Task::FxRate);
        self.schedule.plan(start.date().end().nanos(), Task::DayEnd);
        self.plan_ordinary();
    }

    /// Records that describe the time before the simulation: to be published before all others.
    pub fn opening(&mut self) -> Vec<Record> {
        opening::events(&self.settings, &self.people).iter().filter_map(Record::of).collect()
    }

    /// All records after the previous time and up to this one, in order.
    pub fn advance(&mut self, until: EventTime) -> Vec<Record> {
        while let Some((now, task)) = self.schedule.due(until.nanos()) {
            self.run(now, task);
        }
        std::mem::take(&mut self.ready)
    }

    /// Counts of irregular records so far.
    pub fn irregularities(&self) -> Irregularities {
        Irregularities { plants: self.cases.count(), ..self.irregularities }
    }

    /// The newest planted cases of each name, by time. A case of which events are still to come is among them.
    pub fn planted_cases(&self) -> Vec<PlantedCase> {
        self.cases.newest()
    }

    /// Plans the next ordinary event: events are evenly spaced, each at a random time within its interval.
    fn plan_ordinary(&mut self) {
        let rate = i64::from(self.settings.events_per_second.max(1));
        let (whole, part) = (self.ordinary.div_euclid(rate), self.ordinary.rem_euclid(rate));
        let since = whole * SECOND + part * SECOND / rate + self.dice.between(1, SECOND / rate);
        self.ordinary += 1;
        self.schedule.plan(self.settings.start.nanos() + since, Task::Ordinary);
    }

    fn run(&mut self, now: i64, task: Task) {
        match task {
            Task::Ordinary => {
                self.plan_ordinary();
                let planned = self.ordinary_events(now);
                self.take(now, planned);
            }
            Task::Publish(event) => self.publish(now, &event),
            Task::Send(fault, record) => self.send(fault, record),
            Task::Plant(planting) => {
                self.schedule.plan(now + planting.period(), task);
                self.market.move_to(now);
                let planned = planting.plant.events(now, &mut self.bank, &mut self.traders, &self.market);
                self.cases.extend(PlantedCase::of(planting.name, planting.rules, &planned));
                self.take(now, planned);
            }
            Task::FxRate => {
                self.schedule.plan(now + FX_PERIOD, Task::FxRate);
                let rate = self.market.fx_rate(now);
                self.publish(now, &rate);
            }
            Task::DayEnd => self.end_day(now),
        }
    }

    fn ordinary_events(&mut self, now: i64) -> Vec<Planned> {
        self.market.move_to(now);
        let one = |planned: Option<Planned>| planned.into_iter().collect();
        match self.dice.below(1_000) {
            0..550 => one(self.market.quote(now)),
            550..650 => one(self.market.trade(now)),
            650..850 => one(self.traders.order(now, &self.market)),
            850..880 => self.traders.fill(now, &self.market),
            880..960 => self.bank.transaction(now),
            960..990 => self.bank.payment(now),
            990..994 => self.bank.transfer(now),
            994..998 => one(self.bank.access(now)),
            _ => one(self.bank.label(now)),
        }
    }

    fn end_day(&mut self, now: i64) {
        self.schedule.plan(now + DAY, Task::DayEnd);
        self.market.move_to(now);
        let closes = self.market.end_day(EventTime::from_nanos(now).date());
        self.ready.extend(closes.iter().filter_map(Record::of));
    }

    /// Publishes what is due now, and schedules the rest.
    fn take(&mut self, now: i64, planned: Vec<Planned>) {
        for Planned { at, event } in planned {
            if at <= now {
                self.publish(now, &event);
            } else {
                self.schedule.plan(at, Task::Publish(event));
            }
        }
    }

    /// Publishes an event, and plans faults after it.
    fn publish(&mut self, now: i64, event: &Event) {
        let Some(record) = Record::of(event) else { return };
        self.irregularities.late += u64::from(event.ts().is_some_and(|ts| ts.nanos() < now));
        let wrong = self.faults.after(now, event, &record);
        self.ready.push(record);
        for (at, fault, record) in wrong {
            self.schedule.plan(at, Task::Send(fault, record));
        }
    }

    fn send(&mut self, fault: Fault, record: Record) {
        let count = match fault {
            Fault::Repeated => &mut self.irregularities.repeated,
            Fault::Conflicting => &mut self.irregularities.conflicting,
            Fault::Malformed => &mut self.irregularities.malformed,
        };
        *count += 1;
        self.ready.push(record);
    }
}
