//! A simulated market and bank, for the demo, the tests and the benches.
//!
//! The simulator is a producer like any other: it makes [`Record`]s, and [`publish`] sends them through a connector. It
//! knows nothing of what the pipeline makes of them. The same settings make the same bytes, however far [`Simulator::advance`]
//! goes at a time: one queue of planned tasks (`schedule`) decides the order of everything, and every part throws dice of
//! its own (`dice`).
//!
//! Of the ordinary events, [`SimulatorSettings::events_per_second`] of them:
//!
//! | part | what | topic |
//! |---|---|---|
//! | 55 % | quotes of twelve US shares in turn, along correlated paths | `market.quotes` |
//! | 10 % | prints at or within the spread | `market.trades` |
//! | 20 % | orders of 4 market makers and 16 others: passive 39 %, aggressive 27 % (market, ioc, fok among them), cancels 30 %, stops, amends, a few that are refused | `orders` |
//! | 3 % | fills from five other venues, with fees; rarely a bust | `fills` |
//! | 8 % | card payments, deposits, withdrawals, transfers, holds with their resolution, reversals | `transactions` |
//! | 3 % | payments to merchants | `payments` |
//! | 1 % | transfers in their steps, looks at accounts, labels | `transfers`, `access`, `labels` |
//!
//! Beside them, by the clock: an exchange rate every 5 s, the closes at the end of each UTC day (this market knows no
//! weekend), and what is planted:
//!
//! | planted | first | every | what |
//! |---|---|---|---|
//! | large amount | 4 s | 10 s | a wire of 10 001 to 25 000 |
//! | card testing | 5 s | 20 s | 7 small card payments in 3 s, then one of 1 400 or more, half the time above 10 000 |
//! | impossible travel | 8 s | 20 s | a card at home, 2 s later on another continent |
//! | night | 10 s | 15 s | a payment between midnight and six, where its customer lives |
//! | payment burst | 12 s | 30 s | 7 payments in 3 s from a new device |
//! | wash trade | 14 s | 30 s | a sale and a purchase by two accounts of one owner |
//! | structuring | 18 s | 60 s | 3 cash deposits just below 10 000 |
//! | spoofing | 22 s | 45 s | 4 layers of sell orders, a purchase, 4 cancels |
//!
//! People find most of the frauds out and label them 3 to 8 s later. Some limits are so tight that trading breaks them
//! within the first minute. The named customers (`C001` …) are those of the plants; the crowd (`R00001` …) is honest.
//!
//! On the way, things go wrong:
//!
//! | fault | how often |
//! |---|---|
//! | the venue `DARK` tells of a fill 2 to 5 s after its time | a fifth of the fills |
//! | a transaction or fill is sent twice, with the same bytes | 1 in 100 |
//! | a transaction or fill is contradicted by a second one with its id | after 2 500 to 7 500 records |
//! | a record is followed by a copy that is not an event any more | after 1 500 to 4 500 records |

mod bank;
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

/// Everyday customers for each event a second: an honest account then stays below five transactions in ten minutes.
const CUSTOMERS_PER_RATE: u32 = 15;

/// What a simulation is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulatorSettings {
    /// Where chance comes from: the same seed, the same bytes.
    pub seed: u64,
    /// Ordinary events a second of event time. What is planted or goes wrong comes on top: a few a second.
    pub events_per_second: u32,
    /// When the simulation begins; the opening records say what was before.
    pub start: EventTime,
    /// How much faster than in reality prices move within a day, so that a short demo sees them move: at 25, half a minute
    /// moves them like twelve minutes of trading. From one close to the next they move as real shares do.
    pub market_speed: u32,
    /// How many trading days before the start have closes.
    pub history_days: u32,
    /// How many customers there are beside the forty named ones. With none, the named ones do the everyday payments too.
    pub retail_customers: u32,
}

impl Default for SimulatorSettings {
    /// 200 events a second from Monday, 5 January 2026, 14:30 UTC: the opening bell in New York.
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
    /// The same at another rate, with as many customers as that many transactions need to look honest (at most 100 000).
    pub fn at_rate(self, events_per_second: u32) -> Self {
        let retail_customers = events_per_second.saturating_mul(CUSTOMERS_PER_RATE).clamp(50, 100_000);
        Self { events_per_second, retail_customers, ..self }
    }
}

/// What a simulator has done beyond the ordinary, so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Irregularities {
    /// Misdeeds that were planted.
    pub plants: u64,
    /// Records that came later than their event's time.
    pub late: u64,
    /// Records that were sent a second time.
    pub repeated: u64,
    /// Records that contradict an earlier one.
    pub conflicting: u64,
    /// Records that are not events.
    pub malformed: u64,
}

/// A simulated market and bank.
#[derive(Clone, Debug)]
pub struct Simulator {
    settings: SimulatorSettings,
    people: People,
    schedule: Schedule,
    dice: Dice,
    /// How many ordinary events were planned.
    ordinary: i64,
    market: Market,
    traders: Traders,
    bank: Bank,
    faults: Faults,
    irregularities: Irregularities,
    ready: Vec<Record>,
}

impl Simulator {
    /// A simulation at its beginning.
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
            ready: Vec::new(),
            people,
        };
        simulator.plan_beginning();
        simulator
    }

    fn plan_beginning(&mut self) {
        let start = self.settings.start;
        for (plant, first, _) in TIMETABLE {
            self.schedule.plan(start.nanos() + first * SECOND, Task::Plant(plant));
        }
        self.schedule.plan(start.nanos() + FX_PERIOD, Task::FxRate);
        self.schedule.plan(start.date().end().nanos(), Task::DayEnd);
        self.plan_ordinary();
    }

    /// What is known before the simulation begins: to be published before anything else.
    pub fn opening(&mut self) -> Vec<Record> {
        opening::events(&self.settings, &self.people).iter().filter_map(Record::of).collect()
    }

    /// Everything that is published after the last time and by this one, in order.
    pub fn advance(&mut self, until: EventTime) -> Vec<Record> {
        while let Some((now, task)) = self.schedule.due(until.nanos()) {
            self.run(now, task);
        }
        std::mem::take(&mut self.ready)
    }

    /// What was beyond the ordinary, so far.
    pub fn irregularities(&self) -> Irregularities {
        self.irregularities
    }

    /// Ordinary events are evenly spread, each at a random time within its part of the second.
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
            Task::Plant(plant) => {
                self.irregularities.plants += 1;
                self.schedule.plan(now + plant.period(), task);
                self.market.move_to(now);
                let planned = plant.events(now, &mut self.bank, &mut self.traders, &self.market);
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

    /// Publishes what is due now, and keeps what is not.
    fn take(&mut self, now: i64, planned: Vec<Planned>) {
        for Planned { at, event } in planned {
            if at <= now {
                self.publish(now, &event);
            } else {
                self.schedule.plan(at, Task::Publish(event));
            }
        }
    }

    /// Publishes an event, and lets things go wrong after it.
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
