//! The parts of a reason's evidence: figures, then ids of events.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, ListBuilder, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use headwater_schemas::tables::Reason;

/// The type of evidence in all tables.
fn texts() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))
}

/// `reason_figures(evidence)`: the figures as one text; NULL if there are none.
pub(crate) fn reason_figures() -> ScalarUDF {
    of("reason_figures", DataType::Utf8, |column| {
        let figures = |evidence: Vec<&str>| {
            let (figures, _) = evidence.split_at_checked(Reason::figure_count(evidence.iter().copied()))?;
            (!figures.is_empty()).then(|| figures.join(", "))
        };
        Arc::new((0..column.len()).map(|row| evidence(column, row).and_then(figures)).collect::<StringArray>())
    })
}

/// `reason_events(evidence)`: the ids of the events.
pub(crate) fn reason_events() -> ScalarUDF {
    of("reason_events", texts(), |column| {
        let mut events = ListBuilder::new(StringBuilder::new());
        for row in 0..column.len() {
            let evidence = evidence(column, row);
            let is_known = evidence.is_some();
            let evidence = evidence.unwrap_or_default();
            let figures = Reason::figure_count(evidence.iter().copied());
            evidence
                .into_iter()
                .skip(figures)
                .filter(|text| *text != Reason::EARLIER_EVENTS)
                .for_each(|id| events.values().append_value(id));
            events.append(is_known);
        }
        Arc::new(events.finish())
    })
}

/// The evidence in a row.
fn evidence(column: &ListArray, row: usize) -> Option<Vec<&str>> {
    if column.is_null(row) {
        return None;
    }
    let texts = column.values().as_string_opt::<i32>()?;
    let (begin, length) = (usize::try_from(*column.value_offsets().get(row)?).ok()?, usize::try_from(column.value_length(row)).ok()?);
    Some((begin..begin.saturating_add(length)).map(|place| texts.value(place)).collect())
}

fn of(name: &str, result: DataType, function: fn(&ListArray) -> ArrayRef) -> ScalarUDF {
    let of_columns = move |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let column = columns.first().and_then(|column| column.as_list_opt::<i32>());
        let column = column.ok_or_else(|| DataFusionError::Internal("evidence was promised".to_owned()))?;
        Ok(ColumnarValue::Array(function(column)))
    };
    create_udf(name, vec![texts()], result, Volatility::Immutable, Arc::new(of_columns))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    #[test]
    fn evidence_is_figures_and_events() {
        let catalog = TestData::new().catalog();
        for (evidence, expected) in [
            ("['count_10m=6', 'amount=7', 't1', 't2']", "\"count_10m=6, amount=7\",\"[\"\"t1\"\",\"\"t2\"\"]\""),
            ("['amount=7', '(and earlier events)', 't9']", "amount=7,\"[\"\"t9\"\"]\""),
            ("['location=unknown']", "location=unknown,[]"),
            ("['t3']", ",\"[\"\"t3\"\"]\""),
        ] {
            let sql = format!("SELECT reason_figures({evidence}), reason_events({evidence})");
            assert_eq!(rows(&catalog, &sql), [expected], "{sql}");
        }
    }
}
