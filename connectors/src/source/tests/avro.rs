//! Topics that carry Avro: the same places as JSON, and the wait for a schema.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use headwater_schemas::avro::Schema;
use headwater_schemas::events::{BadRecord, ErrorCode};

use super::super::AvroTopics;
use super::harness::Harness;
use super::*;
use crate::registry::{Found, WriterSchemas};

/// A registry whose answers a test gives by hand.
#[derive(Default)]
struct ByHand(Mutex<BTreeMap<u32, Found>>);

impl ByHand {
    fn answer(&self, id: u32, found: Found) {
        self.0.lock().expect("no test has panicked").insert(id, found);
    }
}

impl WriterSchemas for ByHand {
    fn find(&self, id: u32) -> Found {
        self.0.lock().expect("no test has panicked").get(&id).cloned().unwrap_or(Found::Pending)
    }

    fn wait(&self, id: u32) -> Found {
        self.find(id)
    }
}

/// The schema of labels: an id, and a time in milliseconds.
const LABEL: &str = r#"{"type": "record", "name": "Label", "fields": [
    {"name": "subject_id", "type": "string"}, {"name": "label", "type": "string"},
    {"name": "ts", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}"#;

fn known() -> Found {
    Found::Known(Arc::new(Schema::parse(LABEL, &[]).expect("a schema")))
}

/// A label of `t1` with a time of at most 1,048,575 ms, framed.
fn label(id: u8, ms: u32) -> Vec<u8> {
    let zigzag = ms * 2;
    let part = |shift: u32| u8::try_from(zigzag >> shift & 0x7f).expect("seven bits");
    let ts = [part(0) | 0x80, part(7) | 0x80, part(14)];
    [&[0, 0, 0, 0, id, 4][..], b"t1", &[2], b"x", &ts].concat()
}

fn settings(log: &MemoryLog, schemas: &Arc<ByHand>) -> Result<SourceSettings, TransportError> {
    let schemas: Arc<dyn WriterSchemas> = Arc::clone(schemas) as Arc<dyn WriterSchemas>;
    let avro = AvroTopics { topics: Arc::new([Topic::Labels].into()), schemas };
    Ok(SourceSettings { avro: Some(avro), grid_lead: 3, ..unbounded(log)? })
}

#[test]
fn a_partition_waits_before_a_record_without_a_schema_and_others_read_on() -> TestResult {
    for workers in 1..=3 {
        let log = quotes(&[&[1_000, 2_000, 3_000, 4_000, 5_000]]);
        for (id, ms) in [(1, 1_500), (2, 2_500), (1, 3_500)] {
            log.append(Topic::Labels.as_str(), 0, label(id, ms));
        }
        let schemas = Arc::<ByHand>::default();
        schemas.answer(1, known());
        let harness = Harness::new(workers, settings(&log, &schemas)?);
        // The second label waits at the clock of the first, and the quotes pause at their bound.
        assert_eq!(harness.done(Some(0)), ["labels/0 @0: 0", "market.quotes/0 @0: 0 1 2 3", "frontier 150"]);
        assert_eq!(harness.done(Some(150)), ["frontier 150"]);
        schemas.answer(2, known());
        assert_eq!(harness.done(Some(150)), ["labels/0 @150: 1 2", "end 3500 ms", "frontier 400"]);
        assert_eq!(harness.done(Some(400)), ["market.quotes/0 @400: 4", "end 5000 ms", "frontier none"]);
    }
    Ok(())
}

#[test]
fn a_live_run_that_waits_for_a_schema_is_not_at_its_end() -> TestResult {
    let log = MemoryLog::default();
    log.append(Topic::Labels.as_str(), 0, label(1, 1_000));
    let (schemas, stop, wall) = (Arc::<ByHand>::default(), Arc::<AtomicBool>::default(), Arc::new(AtomicU64::new(5_000)));
    let (abandoned, clock) = (Arc::<AtomicBool>::default(), Arc::clone(&wall));
    let mode = Mode::Live {
        wall: Arc::new(move || EffectiveTime::new(clock.load(Ordering::Relaxed) * MS)),
        idle_allowance: Nanos::new(50 * MS),
        stop: Arc::clone(&stop),
    };
    let harness = Harness::new(1, SourceSettings { mode, abandoned: Arc::clone(&abandoned), ..settings(&log, &schemas)? });
    assert_eq!(harness.done(Some(0)), ["frontier 0"], "the wall clock does not pass it");
    schemas.answer(1, known());
    assert_eq!(harness.done(Some(0)), ["labels/0 @0: 0", "frontier 495"]);
    log.append(Topic::Labels.as_str(), 0, label(2, 1_000));
    assert_eq!(harness.done(Some(0)), ["frontier 495"]);
    stop.store(true, Ordering::Relaxed);
    harness.done(Some(0));
    assert!(abandoned.load(Ordering::Relaxed), "stopped with a record that is not read");
    Ok(())
}

#[test]
fn wrong_records_are_dead_letters_and_reading_continues() -> TestResult {
    let log = MemoryLog::default();
    let cut_off = label(1, 1_000)[..9].to_vec();
    let without_schema = label(3, 1_000);
    for value in [br#"{"subject_id":"t1","label":"x","ts":1}"#.to_vec(), cut_off, without_schema, label(1, 2_000)] {
        log.append(Topic::Labels.as_str(), 0, value);
    }
    let schemas = Arc::<ByHand>::default();
    schemas.answer(1, known());
    schemas.answer(3, Found::Unusable(Arc::new(BadRecord::new(ErrorCode::UnknownSchema, "no schema of id 3"))));
    let settings = settings(&log, &schemas)?;
    let counters = Arc::clone(&settings.counters);
    let harness = Harness::new(1, settings);
    assert_eq!(harness.done(Some(0)), ["labels/0 @0: 3", "end 2000 ms", "frontier none"]);
    assert_eq!(counters.records(), 4);
    Ok(())
}

#[test]
fn a_registry_that_refuses_ends_the_run() -> TestResult {
    let log = MemoryLog::default();
    log.append(Topic::Labels.as_str(), 0, label(1, 1_000));
    let schemas = Arc::<ByHand>::default();
    schemas.answer(1, Found::Refused("check registry.user".into()));
    let said = Arc::<Mutex<Option<String>>>::default();
    let told = Arc::clone(&said);
    let failure: super::super::Failure =
        Arc::new(move |error| *told.lock().expect("no test has panicked") = Some(crate::fault::with_causes(&error)));
    Harness::new(1, SourceSettings { failure, ..settings(&log, &schemas)? }).done(Some(0));
    let said = said.lock().expect("no test has panicked").clone().unwrap_or_default();
    assert!(said.contains("labels/0 at offset 0, which has the schema of id 1") && said.contains("check registry.user"), "{said}");
    Ok(())
}
