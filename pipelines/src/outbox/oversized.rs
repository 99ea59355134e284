//! Rows that are too large to be published whole.
//!
//! Kafka's producers and brokers take messages of about 1,000,000 bytes by default. A rejected record of that size would be a
//! larger event: its value is published in hexadecimal and as text. An event beyond [`EVENT_BYTES`] is cut, and its `error` or
//! `message`, if it has one, names what is left out. The table keeps the whole row, and the event the `id` of the whole row. The cut depends on
//! the row alone, so every run publishes the same.

use std::sync::Arc;

use anyhow::Context;
use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, ListArray, RecordBatch, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;
use headwater_sql::json_objects;

/// Size of the largest event that is published whole, in bytes of JSON.
const EVENT_BYTES: usize = 512 * 1024;
/// Size that each column of a larger event is cut to, in bytes of JSON.
const COLUMN_BYTES: usize = 64 * 1024;
/// Columns of which the first that a table has names what is left out.
const NOTED_IN: [&str; 2] = ["error", "message"];

/// The rows with those cut that are too large; `None` if none is. `objects` are the rows as JSON.
pub(super) fn cut(table: &str, rows: &RecordBatch, objects: &[String]) -> anyhow::Result<Option<RecordBatch>> {
    if objects.iter().all(|object| object.len() <= EVENT_BYTES) {
        return Ok(None);
    }
    let bounded = objects.iter().enumerate().map(|(row, object)| {
        let whole = rows.slice(row, 1);
        if object.len() > EVENT_BYTES { cut_row(table, &whole) } else { Ok(whole) }
    });
    let bounded = bounded.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Some(concat_batches(&rows.schema(), &bounded)?))
}

/// The one row of a batch with every column cut.
fn cut_row(table: &str, row: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let schema = row.schema();
    let (mut columns, mut left_out) = (Vec::new(), Vec::new());
    for (field, column) in schema.fields().iter().zip(row.columns()) {
        let Shortened { column, left_out: part } = shortened(column)?;
        columns.push(column);
        left_out.extend(part.map(|part| format!("{part} of {}", field.name())));
    }
    let note = format!("(this event leaves out {}: the row in the table {table} is whole)", left_out.join(", "));
    if let Some((noted_in, _)) = NOTED_IN.iter().find_map(|name| schema.column_with_name(name)) {
        let column = columns.get_mut(noted_in).context("a schema has more columns than its rows")?;
        let text = column.as_string::<i32>();
        let text = if text.is_valid(0) { text.value(0) } else { "" };
        *column = Arc::new(StringArray::from(vec![format!("{text} {note}")]));
    }
    tracing::debug!(table, note, "an event is too large to be published whole");
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// The value of a column that was cut, and what is left out of it.
struct Shortened {
    column: ArrayRef,
    left_out: Option<String>,
}

/// Cuts the one value of a column: a text after a whole character, bytes after a whole byte, a list after a whole item.
fn shortened(column: &ArrayRef) -> anyhow::Result<Shortened> {
    let whole = Shortened { column: Arc::clone(column), left_out: None };
    if column.is_null(0) {
        return Ok(whole);
    }
    let (length, kept, column): (usize, usize, ArrayRef) = match column.data_type() {
        DataType::Utf8 => {
            let text = column.as_string::<i32>().value(0);
            let kept = beginning(text);
            (text.len(), kept.len(), Arc::new(StringArray::from(vec![kept])))
        }
        DataType::Binary => {
            let bytes = column.as_binary::<i32>().value(0);
            // A byte is two digits.
            let kept = bytes.get(..COLUMN_BYTES / 2).unwrap_or(bytes);
            (bytes.len(), kept.len(), Arc::new(BinaryArray::from_vec(vec![kept])))
        }
        DataType::List(_) => return shortened_list(column),
        _ => return Ok(whole),
    };
    let left_out = length.checked_sub(kept).filter(|bytes| *bytes > 0).map(|bytes| format!("{bytes} bytes"));
    Ok(Shortened { column, left_out })
}

/// Cuts the one list of a column.
fn shortened_list(column: &ArrayRef) -> anyhow::Result<Shortened> {
    let list = column.as_list::<i32>();
    let items = list.value(0);
    let as_rows = RecordBatch::try_from_iter_with_nullable([("item", Arc::clone(&items), true)])?;
    let sizes = json_objects(&as_rows)?.into_iter().map(|object| object.len());
    let sums = sizes.scan(0_usize, |sum, size| {
        *sum = sum.saturating_add(size);
        Some(*sum)
    });
    let kept = sums.take_while(|sum| *sum <= COLUMN_BYTES).count();
    let DataType::List(field) = list.data_type() else { return Ok(Shortened { column: Arc::clone(column), left_out: None }) };
    let cut = ListArray::try_new(Arc::clone(field), OffsetBuffer::from_lengths([kept]), items.slice(0, kept), None)?;
    let left_out = items.len().checked_sub(kept).filter(|items| *items > 0).map(|items| format!("{items} items"));
    Ok(Shortened { column: Arc::new(cut), left_out })
}

/// The longest beginning of a text that is at most [`COLUMN_BYTES`] long in JSON.
fn beginning(text: &str) -> &str {
    let mut bytes = 0;
    let end = text.char_indices().find_map(|(at, character)| {
        bytes += json_bytes(character);
        (bytes > COLUMN_BYTES).then_some(at)
    });
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// The length of a character in a JSON string.
const fn json_bytes(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => character.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::tables::{
        Alert, AlertKind, AlertState, DeadLetter, Decision, DecisionState, Notification, NotificationKind, Reason, Severity, SubjectType,
        TableRow, Verdict, declarations,
    };
    use headwater_schemas::{EventTime, Id, Name, Offset, Statistic, Text};

    use super::*;

    /// A message that every producer and broker takes by default, with room for its key and headers.
    const MESSAGE_BYTES: usize = 900_000;

    fn letter(key: Option<&str>, value: &str) -> RecordBatch {
        let letter = DeadLetter {
            topic: "orders".into(),
            partition: 0,
            offset: Offset::new(7),
            ts: EventTime::from_nanos(0),
            key: None,
            value: None,
            text: None,
            code: "not_json".into(),
            error: "the value is not JSON".into(),
        };
        DeadLetter::batch(&[letter.with_record(key.map(str::as_bytes), Some(value.as_bytes()))]).unwrap()
    }

    fn alert(message: &str, evidence: usize) -> RecordBatch {
        let alert = Alert {
            alert_id: Id::derived("a"),
            kind: AlertKind::Fraud,
            rule: "velocity".into(),
            severity: Severity::High,
            subject: Id::derived("A1"),
            state: AlertState::Raised,
            message: message.into(),
            evidence: (0..evidence).map(|number| Id::derived(format!("transaction-{number}"))).collect(),
            ts: EventTime::from_nanos(0),
        };
        Alert::batch(&[alert]).unwrap()
    }

    fn decision(reasons: usize) -> RecordBatch {
        let reason = |number: usize| Reason {
            rule: format!("rule-{number}").into(),
            points: Statistic::default(),
            evidence: vec![Text::new("n=1"); 50],
        };
        let decision = Decision {
            decision_id: Id::derived("d"),
            state: DecisionState::Made,
            subject_type: SubjectType::Payment,
            subject_id: Id::derived("p"),
            account_id: None,
            ruleset: "r".into(),
            score: Statistic::default(),
            decision: Verdict::Block,
            reasons: (0..reasons).map(reason).collect(),
            ts: EventTime::from_nanos(0),
        };
        Decision::batch(&[decision]).unwrap()
    }

    fn notification(message: &str) -> RecordBatch {
        let notification = Notification {
            notification_id: Id::derived("n"),
            customer_id: Name::derived("c"),
            kind: NotificationKind::Digest,
            subject: Id::derived("c"),
            message: message.into(),
            deliver_at: EventTime::from_nanos(0),
            ts: EventTime::from_nanos(0),
        };
        Notification::batch(&[notification]).unwrap()
    }

    fn bounded(table: &str, rows: &RecordBatch) -> String {
        let objects = json_objects(rows).unwrap();
        let cut = cut(table, rows, &objects).unwrap();
        cut.map_or(objects, |rows| json_objects(&rows).unwrap()).remove(0)
    }

    #[test]
    fn no_event_is_larger_than_brokers_take_and_it_names_what_is_left_out() {
        let (million, controls, cyrillic) = ("x".repeat(1_000_000), "\u{1}".repeat(1_000_000), "ж".repeat(500_000));
        let cases = [
            ("a record of a megabyte", "dead_letters", letter(None, &million), "967232 bytes of value, 934464 bytes of text"),
            ("control characters", "dead_letters", letter(None, &controls), "989078 bytes of text"),
            ("characters of two bytes", "dead_letters", letter(None, &cyrillic), "934464 bytes of text"),
            ("a large key", "dead_letters", letter(Some(&million), "{"), "934464 bytes of key"),
            ("everything is large", "dead_letters", letter(Some(&controls), &controls), "989078 bytes of key, 967232 bytes of value"),
            ("a long message", "alerts", alert(&million, 1), "934464 bytes of message"),
            ("much evidence", "alerts", alert("six", 100_000), "items of evidence"),
            ("a long digest", "notifications", notification(&million), "934464 bytes of message"),
        ];
        for (case, table, rows, expected) in cases {
            let event = bounded(table, &rows);
            assert!(event.len() < MESSAGE_BYTES, "{case}: {} bytes", event.len());
            let event: serde_json::Value = serde_json::from_str(&event).expect(case);
            let noted = event.get("error").or_else(|| event.get("message")).and_then(serde_json::Value::as_str).unwrap_or_default();
            let whole = format!(": the row in the table {table} is whole)");
            assert!(noted.contains(expected) && noted.ends_with(&whole), "{case}: {}", noted.get(noted.len() - 200..).unwrap_or(noted));
        }
        // A decision has no text that could name it.
        let event = bounded("decisions", &decision(10_000));
        assert!(event.len() < MESSAGE_BYTES && event.contains("\"rule-0\""), "{} bytes", event.len());
    }

    #[test]
    fn an_event_that_is_not_too_large_is_published_whole_also_beside_one_that_is() {
        let (small, large) = (letter(None, "{"), letter(None, &"x".repeat(400_000)));
        assert_eq!(cut("dead_letters", &small, &json_objects(&small).unwrap()).unwrap(), None);
        let both = concat_batches(&small.schema(), [&small, &large]).unwrap();
        let cut = cut("dead_letters", &both, &json_objects(&both).unwrap()).unwrap().expect("a row that is too large");
        assert_eq!(cut.slice(0, 1), small);
        assert_eq!(cut.num_rows(), 2);
    }

    #[test]
    fn a_text_is_cut_after_a_whole_character() {
        for (case, character, kept) in [
            ("one byte", "x", COLUMN_BYTES),
            ("two bytes", "ж", COLUMN_BYTES / 2),
            ("three bytes", "€", COLUMN_BYTES / 3),
            ("four bytes", "🂡", COLUMN_BYTES / 4),
            ("escaped with two", "\n", COLUMN_BYTES / 2),
            ("escaped with six", "\u{1}", COLUMN_BYTES / 6),
        ] {
            let text = character.repeat(COLUMN_BYTES + 1);
            assert_eq!(beginning(&text).chars().count(), kept, "{case}");
            let json = serde_json::to_string(beginning(&text)).unwrap();
            assert!(json.len() <= COLUMN_BYTES + 2, "{case}: {}", json.len());
            assert_eq!(beginning(character), character, "{case}: a short text");
        }
    }

    #[test]
    fn the_columns_of_every_published_table_fit_a_message() {
        for declaration in declarations().into_iter().filter(|declaration| declaration.spec.topic().is_some()) {
            let is_long = |data_type: &DataType| matches!(data_type, DataType::Utf8 | DataType::Binary | DataType::List(_));
            let unbounded = declaration.fields.iter().filter(|field| is_long(field.data_type())).count();
            assert!(unbounded * COLUMN_BYTES < MESSAGE_BYTES, "{}: {unbounded} columns", declaration.spec.name);
        }
    }
}
