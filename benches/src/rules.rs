//! Benchmark of rules: what a transaction costs in packs of different sizes, and what an account's history takes.
//!
//! All packs judge the same simulated transactions through the view of production, with its rows. A pack that has the rules of
//! `banking` among its own must decide by them as `banking` does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use headwater::simulator::{SimulatorSettings, Workload};
use headwater_operators::keyed_fold::Fold;
use headwater_operators::rules::{Happened, Pack, RuleTables, Rules, Subject};
use headwater_schemas::events::{AccountEvent, Event, TransactionPhase};
use headwater_schemas::{AccountId, Clock, CustomerId, EventTime, Id, Nanos, Offset, Place, Placed, Tick};

use crate::measure::{count, median};
use crate::process::resident_mib;

/// Arguments of `rules`.
#[derive(Args)]
pub(crate) struct RulesArguments {
    /// Simulated records; about a tenth of them are transactions.
    #[arg(long, default_value_t = 1_000_000)]
    events: usize,
    /// Customers besides the named ones, each with an account or two; as many as make the rate of transactions ordinary, if omitted.
    #[arg(long)]
    customers: Option<u32>,
    /// Number of rounds.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Only builds the histories of these packs, and prints the memory that they take.
    #[arg(long, hide = true)]
    only_memory: Option<Way>,
}

/// Packs to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// The four rules of `banking`.
    Banking,
    /// These and 26 others, on 15 more windows.
    Thirty,
    /// These and 26 others, on the windows of `banking`.
    Shared,
    /// These and 26 others, each on a window of its own.
    Own,
    /// All built-in packs that judge transactions.
    AllPacks,
}

/// The ways, and what they are called. The first is what the others are compared with.
const WAYS: [(Way, &str); 5] = [
    (Way::Banking, "banking, 4 rules"),
    (Way::Thirty, "30 rules on 20 windows"),
    (Way::Shared, "30 rules on the windows of banking"),
    (Way::Own, "30 rules, 26 with a window of their own"),
    (Way::AllPacks, "banking, aml and compliance"),
];

const BANKING: &str = include_str!("../../operators/packs/banking.toml");
const THIRTY: &str = include_str!("../thirty_rules.toml");
/// Rules that are added to those of `banking`.
const ADDED: u32 = 26;
/// Simulated events a second.
const RATE: u32 = 2_000;
/// Events between two emissions of rows: a tick of a busy bank.
const PER_TICK: usize = 100;

impl Way {
    fn packs(self) -> anyhow::Result<Vec<Arc<Pack>>> {
        let built_in = |name: &str| -> anyhow::Result<Arc<Pack>> { Ok(Pack::built_in(name).with_context(|| format!("no pack {name}"))??) };
        let parse = |text: &str| -> anyhow::Result<Arc<Pack>> { Ok(Pack::parse("banking.toml", text)?) };
        Ok(match self {
            Self::Banking => vec![built_in("banking")?],
            Self::Thirty => vec![parse(&format!("{BANKING}\n{THIRTY}"))?],
            Self::Shared => {
                vec![parse(&with_added(|number| (String::new(), format!("count_10m > {} and amount > {number}", number % 7 + 6))))?]
            }
            Self::Own => vec![parse(&with_added(|number| {
                let feature = format!(
                    "[[feature]]\nname = \"spent_{number}\"\naggregate = \"sum\"\nfield = \"amount\"\nwindow = \"{}m\"\n",
                    10 + number
                );
                (feature, format!("spent_{number} > 50000"))
            }))?],
            Self::AllPacks => vec![built_in("banking")?, built_in("aml")?, built_in("compliance")?],
        })
    }
}

/// The pack `banking` with more rules, each with its feature.
fn with_added(rule: impl Fn(u32) -> (String, String)) -> String {
    let mut text = BANKING.to_owned();
    for number in 0..ADDED {
        let (feature, when) = rule(number);
        let _ = write!(text, "\n{feature}[[rule]]\nname = \"added_{number}\"\nwhen = '{when}'\npoints = 1\n");
    }
    text
}

/// What is judged, and what is known about its accounts.
struct Bank {
    reference: Vec<Placed<Event>>,
    owners: BTreeMap<AccountId, CustomerId>,
    transactions: Vec<Placed<Happened>>,
}

/// Costs of a transaction in each way, with the decisions compared; then memory.
pub(crate) fn rules(arguments: &RulesArguments) -> anyhow::Result<()> {
    let bank = bank(arguments);
    if let Some(way) = arguments.only_memory {
        let before = resident_mib().0;
        let judged = judge(&bank, &Rules::of(Subject::Transaction, &way.packs()?, Nanos::DAY), |_| ());
        println!("{}", resident_mib().0.saturating_sub(before));
        black_box(judged.fold.states().count());
        return Ok(());
    }
    let views: Vec<Rules> =
        WAYS.iter().map(|(way, _)| Ok(Rules::of(Subject::Transaction, &way.packs()?, Nanos::DAY))).collect::<anyhow::Result<_>>()?;
    equal_decisions(&bank, &views)?;

    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); WAYS.len()];
    for _ in 0..arguments.rounds.max(1) {
        for (view, times) in views.iter().zip(&mut times) {
            let began = Instant::now();
            black_box(judge(&bank, view, |tables| drop(black_box(tables.decisions.take_below(Tick::MAX)))).rows);
            times.push(began.elapsed());
        }
    }
    let transactions = bank.transactions.len();
    let costs: Vec<f64> = times.iter_mut().map(|times| median(times).as_secs_f64() * 1e9 / count(transactions)).collect();
    let banking = costs.first().copied().unwrap_or(f64::NAN);
    println!("{transactions} transactions of {} accounts; decisions by the rules of banking are equal in all packs", bank.owners.len());
    for ((way, name), cost) in WAYS.iter().zip(&costs) {
        let rate = 1e6 / cost;
        let added = (*cost - banking) / f64::from(ADDED);
        let one_more =
            if matches!(way, Way::Banking | Way::AllPacks) { String::new() } else { format!(", {added:.0} ns for one more rule") };
        println!("{name:<42} {cost:>6.0} ns/transaction ({rate:.0} thousand/s/core), {:.2} times banking{one_more}", cost / banking);
    }
    memory(arguments, bank.owners.len())
}

/// What is remembered of an account, in a process of its own for each way, so that none uses what another one freed.
fn memory(arguments: &RulesArguments, accounts: usize) -> anyhow::Result<()> {
    for (way, name) in WAYS {
        let value = way.to_possible_value().context("a name")?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["rules", "--events", &arguments.events.to_string(), "--only-memory", value.get_name()]);
        command.args(arguments.customers.iter().flat_map(|customers| ["--customers".to_owned(), customers.to_string()]));
        let output = command.output()?;
        ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        let mebibytes: u32 = text.lines().last().unwrap_or_default().trim().parse()?;
        println!("{name:<42} {:>6.0} bytes an account ({mebibytes} MiB)", f64::from(mebibytes) * 1024.0 * 1024.0 / count(accounts));
    }
    Ok(())
}

/// The settings of the simulation.
fn with_customers(customers: Option<u32>) -> SimulatorSettings {
    let settings = SimulatorSettings::default().at_rate(RATE);
    SimulatorSettings { retail_customers: customers.unwrap_or(settings.retail_customers), ..settings }
}

/// Simulated transactions that are postings or holds, none late and none twice.
fn bank(arguments: &RulesArguments) -> Bank {
    let (mut reference, mut owners, mut transactions) = (Vec::new(), BTreeMap::new(), Vec::new());
    for (number, record) in Workload::new(with_customers(arguments.customers), arguments.events).enumerate() {
        let Ok(event) = Event::decode(record.topic, None, Some(&record.value)) else { continue };
        let ts = event.ts().unwrap_or(EventTime::BEGINNING);
        let place = Place::of_record(ts.effective(), record.topic, 0, Offset::new(number as u64));
        match event {
            Event::Transaction(event) if event.phase != Some(TransactionPhase::Void) && event.reverses.is_none() => {
                transactions.push(Placed { place, event: Happened::Transaction(event) });
            }
            event @ (Event::Account(_) | Event::Customer(_)) => {
                if let Event::Account(AccountEvent::Opened(opened)) = &event {
                    owners.insert(opened.account_id, opened.customer_id);
                }
                reference.push(Placed { place, event });
            }
            _ => {}
        }
    }
    transactions.sort_by_key(|transaction| transaction.place);
    let mut known = BTreeSet::new();
    transactions.retain(|placed| matches!(&placed.event, Happened::Transaction(event) if known.insert(event.transaction_id.clone())));
    Bank { reference, owners, transactions }
}

/// The view after all transactions.
struct Judged {
    fold: Fold<Rules>,
    rows: usize,
}

/// Judges all transactions, with their rows every hundred events.
fn judge(bank: &Bank, view: &Rules, mut each_tick: impl FnMut(&RuleTables)) -> Judged {
    let tables = RuleTables::default();
    let clock = Clock::new(Nanos::new(10_000_000), Nanos::new(1_000_000_000));
    let mut fold = Fold::new(view.clone(), tables.clone(), clock);
    bank.reference.iter().cloned().for_each(|event| fold.learn(event));
    let mut rows = 0;
    let mut emit = |fold: &mut Fold<Rules>, placed: &Placed<Happened>| {
        fold.emit(clock.tick_of(placed.place.time), placed.place.time);
        each_tick(&tables);
        rows += tables.rule_events.take_below(Tick::MAX).len() + tables.rule_outcomes.take_below(Tick::MAX).len();
        rows += tables.rule_alerts.take_below(Tick::MAX).len() + tables.alerts.take_below(Tick::MAX).len();
        rows += tables.decisions.take_below(Tick::MAX).len();
    };
    for (number, placed) in bank.transactions.iter().enumerate() {
        while fold.next_timer().is_some_and(|timer| timer < placed.place.time) {
            fold.fire();
        }
        let owner = placed.event.account().and_then(|account| bank.owners.get(&account)).copied();
        let events = view.spread(&placed.event, None);
        let of_owner = owner.map(|owner| view.spread_to_owner(&placed.event, owner)).unwrap_or_default();
        for event in events.into_iter().chain(of_owner) {
            fold.apply(Placed { place: placed.place, event });
        }
        if number % PER_TICK == PER_TICK - 1 {
            emit(&mut fold, placed);
        }
    }
    bank.transactions.last().into_iter().for_each(|placed| emit(&mut fold, placed));
    Judged { fold, rows }
}

/// Fails if a pack's reasons by the rules of `banking` differ from those of `banking` itself.
fn equal_decisions(bank: &Bank, views: &[Rules]) -> anyhow::Result<()> {
    let mut expected: Option<BTreeMap<Id, Vec<String>>> = None;
    for (view, (_, name)) in views.iter().zip(WAYS) {
        let mut decided = BTreeMap::new();
        judge(bank, view, |tables| {
            for change in tables.decisions.take_below(Tick::MAX).into_iter().filter(|change| !change.gone) {
                let of_banking = |rule: &str| ["large_amount", "night", "velocity", "impossible_travel"].contains(&rule);
                let reasons = change.row.reasons.iter().filter(|reason| of_banking(&reason.rule));
                decided.insert(change.row.subject_id.clone(), reasons.map(|reason| format!("{reason:?}")).collect());
            }
        });
        ensure!(decided.len() == bank.transactions.len(), "{name}: {} decisions", decided.len());
        match &expected {
            None => expected = Some(decided),
            Some(expected) => ensure!(*expected == decided, "{name} decides otherwise than banking by its rules"),
        }
    }
    Ok(())
}
