//! Admission: deduplicates events, and rejects late ones.
//!
//! An event has an identity: its topic and [`Event::identity`]. The first event of an identity is derived. A repetition with the
//! same content is only counted; one with other content is a dead letter (`conflicting_duplicate`).
//!
//! An identity is remembered for the horizon of its topic, or longer where later events can still refer to it: transactions for
//! as long as they can be reversed. A new event that is late by more than the horizon cannot be distinguished from a repetition
//! of a forgotten one, and is a dead letter (`too_late`). Accounts are the exception: their identities are remembered for ever,
//! and they are never too late.
//!
//! - **Key**: the identity, as a 128-bit digest. **State**: the body's digest and when it was seen. **Derived**: the event.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_schemas::events::{ErrorCode, Event};
use headwater_schemas::tables::{Admitted, DeadLetter, Moment, TableWriter};
use headwater_schemas::{Digest, EffectiveTime, EventTime, Nanos, Place, Placed, Text, Topic};
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::keyed_fold::{Outbox, States, View};

/// View that lets each event through once.
#[derive(Clone, Debug)]
pub struct Admission {
    /// How late an event may be, in nanoseconds.
    pub horizon: Nanos,
    /// Horizons of topics that have their own, in nanoseconds.
    pub horizons: BTreeMap<Topic, Nanos>,
    /// How long identities of topics are remembered, where that is longer than their horizon, in nanoseconds.
    pub remembered: BTreeMap<Topic, Nanos>,
    /// Counts deduplicated events.
    pub duplicates: Arc<AtomicU64>,
}

/// What is remembered of an identity.
///
/// Kept small, because there is one for each event within the horizon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    known: Option<Known>,
    /// Whether its row was emitted.
    emitted: bool,
    /// The row to be retracted.
    gone: Option<Box<Known>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    body: Digest<16>,
    since: EffectiveTime,
    /// The effective time at which it is forgotten; [`NEVER`] for accounts.
    until: EffectiveTime,
}

/// For identities that are remembered for ever.
const NEVER: EffectiveTime = EffectiveTime::MAX;

fn row(identity: Digest<16>, known: Known) -> Admitted {
    let until = (known.until != NEVER).then(|| EventTime::from_effective(known.until));
    Admitted { identity, body: known.body, until, ts: EventTime::from_effective(known.since) }
}

impl Admission {
    /// Horizon of a topic in nanoseconds; `None` for accounts, which are never too late.
    fn horizon_of(&self, topic: Topic) -> Option<Nanos> {
        (topic != Topic::Accounts).then(|| self.horizons.get(&topic).copied().unwrap_or(self.horizon))
    }

    /// The effective time at which an identity that was seen at `time` is forgotten.
    fn end_of(&self, topic: Topic, time: EffectiveTime) -> EffectiveTime {
        let longer = self.remembered.get(&topic).copied().unwrap_or_default();
        self.horizon_of(topic).map_or(NEVER, |horizon| time.saturating_add(horizon.max(longer)))
    }

    /// The error of an event that is late by more than its horizon.
    fn lateness(&self, place: Place, event: &Event) -> Option<String> {
        let horizon = self.horizon_of(event.topic())?;
        let behind = place.time.later_than(event.ts()?);
        (behind > i128::from(horizon.get())).then(|| {
            format!(
                "the event is {} s behind its effective time, more than the horizon of {} s: correct its ts, publish its file sorted by time, or widen time.horizon",
                behind / 1_000_000_000,
                horizon.get() / 1_000_000_000
            )
        })
    }
}

/// The dead letter of an event that was decoded and then rejected, with the event encoded again. The bytes of the record replace
/// that value if the record can be read again.
pub fn dead_letter(place: Place, event: &Event, code: ErrorCode, error: &str) -> DeadLetter {
    DeadLetter {
        topic: Text::new(event.topic().as_str()),
        partition: i32::from(place.partition),
        offset: place.offset,
        ts: place.event_time(),
        key: Some(event.key()),
        value: None,
        text: None,
        code: Text::new(code.as_str()),
        error: Text::new(error),
    }
    .with_record(None, event.encode().as_deref())
}

fn identity_digest(event: &Event) -> Digest<16> {
    let mut hasher = SipHasher13::new_with_keys(0x6865_6164_7761_7465, 0x6964_656e_7469_7479);
    event.topic().rank().hash(&mut hasher);
    event.identity().hash(&mut hasher);
    Digest(hasher.finish128().as_u128().to_be_bytes())
}

crate::fold_operator!(Admission);

impl View for Admission {
    type Key = Digest<16>;
    type Route = Digest<16>;
    type Event = Event;
    type Broadcast = ();
    type Context = ();
    type State = Seen;
    type Timer = ();
    type Tables = TableWriter<Admitted>;
    type Derived = Event;
    type Update = ();

    fn key(&self, event: &Event) -> Digest<16> {
        identity_digest(event)
    }

    fn route(identity: &Digest<16>) -> Digest<16> {
        *identity
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), _: &Digest<16>, seen: &mut Seen, placed: Placed<Event>, out: &mut Outbox<'_, Self>) {
        let Placed { place, event } = placed;
        let body = Digest(event.body_digest().to_be_bytes());
        match seen.known {
            Some(known) if known.body == body => {
                self.duplicates.fetch_add(1, Ordering::Relaxed);
            }
            Some(_) => {
                let (word, id) = event.identity().map_or(("", ""), |identity| (identity.word, identity.id));
                let error = format!(
                    "{word} {id} was taken before with other content: the first one counts; send a correction under an id of its own"
                );
                out.refuse(dead_letter(place, &event, ErrorCode::ConflictingDuplicate, &error));
            }
            None => match self.lateness(place, &event) {
                Some(error) => out.refuse(dead_letter(place, &event, ErrorCode::TooLate, &error)),
                None => {
                    let until = self.end_of(event.topic(), place.time);
                    (seen.known, seen.emitted) = (Some(Known { body, since: place.time, until }), false);
                    if until != NEVER {
                        out.set_timer(until, ());
                    }
                    out.derive(event);
                }
            },
        }
    }

    fn timer(&self, (): &(), _: &Digest<16>, seen: &mut Seen, (): (), place: Place, _: &mut Outbox<'_, Self>) {
        if let Some(known) = seen.known.take_if(|known| known.until <= place.time) {
            if seen.emitted {
                seen.gone = Some(Box::new(known));
            }
            seen.emitted = false;
        }
    }

    fn emit(&self, (): &(), identity: &Digest<16>, seen: &mut Seen, at: &Moment, table: &TableWriter<Admitted>) {
        let gone = seen.gone.take();
        match seen.known.filter(|_| !seen.emitted) {
            Some(known) => table.insert(at, row(*identity, known)),
            None => gone.into_iter().for_each(|known| table.retract(at, row(*identity, *known))),
        }
        seen.emitted = seen.known.is_some();
    }

    fn is_forgettable(&self, seen: &Seen) -> bool {
        seen.known.is_none()
    }

    fn restore(&self, saved: &Arc<Vec<Admitted>>, states: &mut States<'_, Self>) {
        for row in saved.iter() {
            let Some(seen) = states.of(&row.identity) else { continue };
            let until = row.until.map_or(NEVER, EventTime::effective);
            let known = Known { body: row.body, since: row.ts.effective(), until };
            *seen = Seen { known: Some(known), emitted: true, gone: None };
        }
    }

    fn timers(&self, _: &Digest<16>, seen: &Seen) -> Vec<(EffectiveTime, ())> {
        seen.known.filter(|known| known.until != NEVER).map(|known| (known.until, ())).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::events::{FillEvent, OrderEvent};
    use headwater_schemas::{AccountId, Offset};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Emitted, Happening, Happenings, history_of, run, run_with_restart};

    const HORIZON: u64 = 1000;

    fn admission() -> Admission {
        Admission {
            horizon: Nanos::new(HORIZON),
            horizons: BTreeMap::from([(Topic::Orders, Nanos::new(50))]),
            remembered: BTreeMap::from([(Topic::Transactions, Nanos::new(5 * HORIZON))]),
            duplicates: Arc::default(),
        }
    }

    fn fill(time: u64, ts: u64, id: &str, quantity: u32) -> Placed<Happening<(), Event>> {
        let text = format!(
            r#"{{"type":"fill","fill_id":"{id}","account_id":"a","symbol":"S","side":"buy","quantity":{quantity},"price":1,"ts":{ts}}}"#
        );
        let event = Event::decode(Topic::Fills, None, Some(text.as_bytes())).expect("a fill");
        Placed { place: Place::of_record(EffectiveTime::new(time), Topic::Fills, 0, Offset::new(time)), event: Happening::Event(event) }
    }

    fn order(time: u64, ts: u64, id: &str) -> Placed<Happening<(), Event>> {
        let text = format!(
            r#"{{"type":"new","order_id":"{id}","account_id":"a","symbol":"S","side":"buy","order_type":"limit","time_in_force":"day","quantity":1,"price":1,"ts":{ts}}}"#
        );
        let event = Event::decode(Topic::Orders, None, Some(text.as_bytes())).expect("an order");
        Placed { place: Place::of_record(EffectiveTime::new(time), Topic::Orders, 0, Offset::new(time)), event: Happening::Event(event) }
    }

    fn record(time: u64, topic: Topic, text: &str) -> Placed<Happening<(), Event>> {
        let event = Event::decode(topic, None, Some(text.as_bytes())).expect("an event");
        Placed { place: Place::of_record(EffectiveTime::new(time), topic, 0, Offset::new(time)), event: Happening::Event(event) }
    }

    fn transaction(time: u64, ts: u64, fields: &str) -> Placed<Happening<(), Event>> {
        let text = format!(r#"{{"transaction_id":"t1","account_id":"a","currency":"USD","ts":{ts},{fields}}}"#);
        record(time, Topic::Transactions, &text)
    }

    fn account(time: u64, ts: u64, fields: &str) -> Placed<Happening<(), Event>> {
        record(time, Topic::Accounts, &format!(r#"{{"account_id":"a","ts":{ts},{fields}}}"#))
    }

    fn summary(emitted: &Emitted<Admission>) -> (Vec<u64>, Vec<String>) {
        let admitted = emitted.derived.iter().map(|event| event.place.time.get()).collect();
        (admitted, emitted.dead_letters.iter().map(|letter| format!("{} {}", letter.offset, letter.code)).collect())
    }

    #[test]
    fn each_identity_goes_on_once_within_the_horizon() {
        let happenings = vec![
            fill(1, 1, "f1", 10),
            fill(2, 2, "f2", 10),
            fill(3, 1, "f1", 10),       // a repetition
            fill(4, 1, "f1", 11),       // another body
            fill(1500, 400, "f3", 10),  // late by 1100
            fill(1501, 501, "f4", 10),  // exactly at the horizon
            fill(2000, 2000, "f1", 12), // f1 was forgotten at 1001
        ];
        let view = admission();
        let (admitted, refused) = summary(&run(view.clone(), happenings));
        assert_eq!(admitted, [1, 2, 1501, 2000]);
        assert_eq!(refused, ["4 conflicting_duplicate", "1500 too_late"]);
        assert_eq!(view.duplicates.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_topic_may_have_a_horizon_of_its_own() {
        let happenings = vec![
            order(100, 50, "o1"),  // exactly at the horizon
            order(110, 59, "o2"),  // late by 51
            order(120, 120, "o1"), // another body
            order(151, 120, "o1"), // o1 was forgotten at 150
            fill(160, 60, "f1", 1),
        ];
        let (admitted, refused) = summary(&run(admission(), happenings));
        assert_eq!(admitted, [100, 151, 160]);
        assert_eq!(refused, ["110 too_late", "120 conflicting_duplicate"]);
    }

    #[test]
    fn two_accounts_may_use_one_id() {
        let of = |account: &str, mut happening: Placed<Happening<(), Event>>| {
            if let Happening::Event(Event::Fill(FillEvent::Fill(fill))) = &mut happening.event {
                fill.account_id = AccountId::new(account).expect("an id");
            }
            if let Happening::Event(Event::Order(OrderEvent::New(order))) = &mut happening.event {
                order.account_id = AccountId::new(account).expect("an id");
            }
            happening
        };
        let happenings = vec![
            of("a", fill(1, 1, "1", 10)),
            of("b", fill(2, 1, "1", 20)),
            of("a", fill(3, 1, "1", 20)),
            of("a", order(4, 4, "1")),
            of("b", order(5, 5, "1")),
            of("a", order(6, 5, "1")),
        ];
        let (admitted, refused) = summary(&run(admission(), happenings));
        assert_eq!(admitted, [1, 2, 4, 5]);
        assert_eq!(refused, ["3 conflicting_duplicate", "6 conflicting_duplicate"]);
    }

    #[test]
    fn a_transaction_id_means_one_transaction_whatever_its_type() {
        let (payment, fee) = (r#""type":"payment","amount":"15000""#, r#""type":"fee","amount":"1.50""#);
        let (admitted, refused) = summary(&run(admission(), vec![transaction(1, 1, payment), transaction(2, 2, fee)]));
        assert_eq!((admitted, refused), (vec![1], vec!["2 conflicting_duplicate".to_owned()]));
    }

    #[test]
    fn a_transaction_is_remembered_as_long_as_it_can_be_reversed() {
        let payment = r#""type":"payment","amount":"5""#;
        let view = admission();
        let happenings = vec![
            transaction(1, 1, payment),
            transaction(1500, 1499, payment), // another ts
            transaction(4000, 1, payment),    // a repetition, however late
            transaction(5002, 5002, payment), // t1 was forgotten at 5001
        ];
        let (admitted, refused) = summary(&run(view.clone(), happenings));
        assert_eq!((admitted, refused), (vec![1, 5002], vec!["1500 conflicting_duplicate".to_owned()]));
        assert_eq!(view.duplicates.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn an_account_event_is_known_by_its_type_and_time() {
        let opened = r#""type":"opened","customer_id":"c","account_type":"checking","currency":"USD""#;
        let (frozen, unfrozen, closed) = (r#""type":"frozen""#, r#""type":"unfrozen""#, r#""type":"closed""#);
        let happenings = vec![
            account(1, 1, opened),
            account(2, 2, frozen),
            account(3, 3, unfrozen),
            account(4, 2, frozen), // a repetition
            account(5, 5, closed),
            account(6, 6, opened), // once more
            account(9000, 7, r#""type":"updated","currency":"EUR""#),
            account(9001, 7, r#""type":"updated","currency":"JPY""#),
        ];
        let (admitted, refused) = summary(&run(admission(), happenings));
        assert_eq!(admitted, [1, 2, 3, 5, 6, 9000]);
        assert_eq!(refused, ["9001 conflicting_duplicate"]);
    }

    proptest! {
        #[test]
        fn a_restart_in_the_middle_changes_nothing(events in proptest::collection::vec((0..40_u64, 0..8_u8, 1..3_u32), 1..60), cut in 0..60_usize) {
            let mut time = 0;
            let happenings: Happenings<Admission> = events.iter().map(|(step, id, quantity)| {
                time += step * 10 + 1;
                fill(time, time, &format!("f{id}"), *quantity)
            }).collect();
            let whole = run(admission(), happenings.clone());
            let cut = run_with_restart(admission(), happenings, cut);
            prop_assert_eq!(summary(&whole), summary(&cut));
            prop_assert_eq!(history_of(&whole.tables), history_of(&cut.tables));
        }
    }
}
