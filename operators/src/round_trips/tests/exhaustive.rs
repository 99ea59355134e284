//! Trips against an exhaustive search over all transfers.

use std::collections::BTreeMap;

use headwater_schemas::tables::AlertState;
use proptest::prelude::*;

use super::*;

/// A transfer of the search: its minute, its number, payer, payee, amount.
#[derive(Clone, Debug)]
struct Hop {
    minute: u64,
    number: usize,
    payer: String,
    payee: String,
    amount: u32,
}

/// Every path that is a trip and begins with `path`.
fn trips_from(all: &[Hop], path: &[Hop], into: &mut Vec<Vec<Hop>>) {
    let (first, last) = (&path[0], &path[path.len() - 1]);
    if last.payee == first.payer {
        let is_turned = first.minute == last.minute && path.iter().any(|hop| hop.number > last.number);
        return if !is_turned {
            into.push(path.to_vec())
        };
    }
    for next in all.iter().filter(|next| path.len() < 5 && next.payer == last.payee) {
        let is_later = next.minute >= last.minute && next.minute <= first.minute + DAY;
        let is_new = path.iter().all(|hop| hop.payee != next.payee);
        if is_later && is_new && next.amount * 10 >= last.amount * 8 {
            trips_from(all, &[path, std::slice::from_ref(next)].concat(), into);
        }
    }
}

/// The trips: of each last hop the shortest; of several, the one whose hops are the latest from the end.
fn exhaustive(all: &[Hop]) -> Vec<String> {
    let mut trips = Vec::new();
    all.iter().for_each(|hop| trips_from(all, std::slice::from_ref(hop), &mut trips));
    let rank = |trip: &Vec<Hop>| {
        let from_the_end = trip.iter().rev().map(|hop| (hop.minute, hop.number)).collect::<Vec<_>>();
        (std::cmp::Reverse(trip.len()), from_the_end)
    };
    let mut best = BTreeMap::<usize, Vec<Hop>>::new();
    for trip in trips {
        let end = trip[trip.len() - 1].number;
        if best.get(&end).is_none_or(|known| rank(known) < rank(&trip)) {
            best.insert(end, trip);
        }
    }
    let mut texts: Vec<_> =
        best.into_values().map(|trip| trip.iter().map(|hop| format!("t{}", hop.number)).collect::<Vec<_>>().join(" ")).collect();
    texts.sort();
    texts
}

/// The paths of the alerts that stand.
fn standing(emitted: &Emitted<RoundTrips>) -> Vec<String> {
    let rows = rows_of(&emitted.tables.alerts);
    let stands = rows.iter().filter(|row| matches!(row.state, AlertState::Raised | AlertState::Amended));
    let mut texts: Vec<_> = stands.map(|row| row.evidence.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" ")).collect();
    texts.sort();
    texts
}

/// A generated step among a few accounts.
#[derive(Clone, Debug)]
struct Step {
    /// Minutes since the step before.
    pause: u64,
    /// Minutes by which a transfer is late.
    late: u64,
    kind: u8,
    payer: u8,
    payee: u8,
    amount: u32,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let late = prop_oneof![3 => Just(0_u64), 1 => 0..1_000_u64];
    let step = (0..100_u64, late, 0..14_u8, 0..5_u8, 0..5_u8, 80..120_u32);
    let step = step.prop_map(|(pause, late, kind, payer, payee, amount)| Step { pause, late, kind, payer, payee, amount });
    proptest::collection::vec(step, 1..24)
}

/// The events of steps, and the transfers that count in the end. Some transfers are taken back, some of those count again, and some
/// are captured for another amount.
fn input(steps: &[Step]) -> (Happenings<RoundTrips>, Vec<Hop>) {
    let (mut now, mut clock) = (2 * DAY, 0);
    let (mut happenings, mut hops, mut out) = (Vec::new(), Vec::<Hop>::new(), Vec::<Hop>::new());
    for (number, step) in steps.iter().enumerate() {
        now += step.pause;
        // Steps choose an earlier transfer by their amount.
        let choice = step.amount as usize;
        let (id, payer, payee) = (format!("t{number}"), format!("a{}", step.payer), format!("a{}", step.payee));
        let (minute, event) = match step.kind {
            0 if !hops.is_empty() => {
                let hop = hops.remove(choice % hops.len());
                let event = Back(now, &format!("t{}", hop.number), "r").event();
                out.push(hop);
                (now, event)
            }
            1 if !out.is_empty() => {
                let hop = out.remove(choice % out.len());
                let event = Again(now, &format!("t{}", hop.number), "r").event();
                hops.push(hop);
                (now, event)
            }
            2 if !hops.is_empty() => {
                let (index, amount) = (choice % hops.len(), step.amount + 20);
                hops[index].amount = amount;
                (now, Captured(now, &format!("t{}", hops[index].number), amount).event())
            }
            _ => {
                let minute = now - step.late;
                let event = Pays(minute, &id, &payer, &payee, step.amount).event();
                if event.is_some() {
                    hops.push(Hop { minute, number, payer, payee, amount: step.amount });
                }
                (minute, event)
            }
        };
        clock = minute.max(clock);
        let ts = EventTime::from_effective(EffectiveTime::new(minute * MINUTE));
        let place = Place::of_record(EffectiveTime::new(clock * MINUTE), Topic::Transactions, 0, Offset::new(number as u64));
        happenings.extend(event.map(|event| Placed { place: place.of_event_at(ts, Nanos::ZERO), event: Happening::Event(event) }));
    }
    (happenings, hops)
}

proptest! {
    #[test]
    fn trips_are_those_of_an_exhaustive_search(steps in steps()) {
        let (happenings, hops) = input(&steps);
        prop_assert_eq!(standing(&run(VIEW, happenings)), exhaustive(&hops));
    }

    #[test]
    fn a_restart_changes_nothing(steps in steps(), cut in 0..24_usize, window in 1..2_000_u64) {
        let bounds = Bounds { window: Nanos::new(window * MINUTE), ..VIEW.bounds };
        let view = RoundTrips { bounds, horizon: Nanos::new(1_000 * MINUTE) };
        let (happenings, _) = input(&steps);
        let (whole, resumed) = (run(view, happenings.clone()), run_with_restart(view, happenings, cut));
        prop_assert_eq!(history_of(&whole.tables.alerts), history_of(&resumed.tables.alerts));
        prop_assert_eq!(history_of(&whole.tables.round_trips), history_of(&resumed.tables.round_trips));
        prop_assert_eq!(history_of(&whole.tables.round_trip_transfers), history_of(&resumed.tables.round_trip_transfers));
    }
}
