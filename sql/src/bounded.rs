//! Memory limits for functions whose result may be far larger than their arguments.
//!
//! DataFusion counts the memory of sorting, grouping and joining, but not of function results. One `repeat` could take gigabytes.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::compute::kernels::length::length;
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};
use datafusion::prelude::SessionContext;

/// Size of a function's result per row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Makes {
    /// The first argument, repeated as often as the second says.
    Copies,
    /// As many characters as the second argument says.
    Characters,
    /// As many elements as the argument with this index says.
    Elements(usize),
    /// The integers from the first argument to the second, in steps of the third.
    Range,
}

/// The functions with limits.
const BOUNDED: [(&str, Makes); 7] = [
    ("repeat", Makes::Copies),
    ("lpad", Makes::Characters),
    ("rpad", Makes::Characters),
    ("array_repeat", Makes::Elements(1)),
    ("array_resize", Makes::Elements(1)),
    ("range", Makes::Range),
    ("generate_series", Makes::Range),
];
/// Maximum bytes of a character.
const CHARACTER_BYTES: i64 = 4;
/// Approximate bytes of a list element.
const ELEMENT_BYTES: i64 = 16;
/// The result of one batch may take the memory of all queries divided by this number.
const PART_OF_MEMORY: usize = 4;

/// The most bytes that an expression may make of a batch.
pub(crate) const fn bytes_of_a_batch(memory_bytes: usize) -> usize {
    memory_bytes / PART_OF_MEMORY
}

/// Puts bounds on the functions of a session.
pub(crate) fn bound_functions(session: &SessionContext, memory_bytes: usize) {
    for (name, makes) in BOUNDED {
        let known = session.state().scalar_functions().get(name).cloned();
        if let Some(inner) = known {
            session.register_udf(ScalarUDF::new_from_impl(Bounded { inner, makes, limit: bytes_of_a_batch(memory_bytes) }));
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    makes: Makes,
    limit: usize,
}

impl Bounded {
    fn check(&self, arguments: &ScalarFunctionArgs) -> Result<()> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let rows =
            if arguments.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_))) { 1 } else { arguments.number_rows };
        let bytes = self.makes.bytes(&columns, rows);
        if bytes > i128::try_from(self.limit).unwrap_or(i128::MAX) {
            let name = self.inner.name();
            return Err(DataFusionError::ResourcesExhausted(format!("{name} would make {bytes} bytes, and may make {}", self.limit)));
        }
        Ok(())
    }
}

impl Makes {
    fn bytes(self, columns: &[ArrayRef], rows: usize) -> i128 {
        let integers = |index: usize| columns.get(index).and_then(integers);
        let sum = |of_row: &dyn Fn(usize) -> i128| -> i128 { (0..rows).map(|row| of_row(row).max(0)).sum() };
        let at = |column: &Option<Int64Array>, row: usize| {
            column.as_ref().filter(|column| row < column.len() && column.is_valid(row)).map(|column| i128::from(column.value(row)))
        };
        match self {
            Self::Copies => {
                let (lengths, counts) = (columns.first().and_then(lengths), integers(1));
                sum(&|row| at(&lengths, row).unwrap_or(0) * at(&counts, row).unwrap_or(0))
            }
            Self::Characters => {
                let counts = integers(1);
                sum(&|row| at(&counts, row).unwrap_or(0) * i128::from(CHARACTER_BYTES))
            }
            Self::Elements(index) => {
                let counts = integers(index);
                sum(&|row| at(&counts, row).unwrap_or(0) * i128::from(ELEMENT_BYTES))
            }
            Self::Range => {
                let (first, second, step) = (integers(0), integers(1), integers(2));
                sum(&|row| {
                    let (from, to) = match at(&second, row) {
                        Some(to) => (at(&first, row).unwrap_or(0), to),
                        None => (0, at(&first, row).unwrap_or(0)),
                    };
                    let step = at(&step, row).filter(|step| *step != 0).unwrap_or(1);
                    (to - from) / step * i128::from(ELEMENT_BYTES)
                })
            }
        }
    }
}

/// The column as integers; `None` for other types, like the dates of a series.
fn integers(column: &ArrayRef) -> Option<Int64Array> {
    column
        .data_type()
        .is_integer()
        .then(|| cast(column, &DataType::Int64).ok())
        .flatten()
        .map(|column| column.as_primitive::<Int64Type>().clone())
}

/// The length of each value as text, in bytes.
pub(crate) fn lengths(column: &ArrayRef) -> Option<Int64Array> {
    let is_text = column.data_type().is_string();
    let texts = if is_text { Arc::clone(column) } else { cast(column, &DataType::LargeUtf8).ok()? };
    integers(&length(&texts).ok()?)
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.inner().return_type(types)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.check(&arguments)?;
        self.inner.invoke_with_args(arguments)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message, rows};

    #[test]
    fn what_would_take_too_much_memory_is_refused_before_it_is_made() {
        let catalog = TestData::new().catalog();
        for greedy in [
            "LENGTH(REPEAT('x', 2000000000))",
            "LENGTH(REPEAT(REPEAT('x', 100000), 100000))",
            "LENGTH(LPAD('x', 2000000000, 'y'))",
            "LENGTH(RPAD('x', 2000000000))",
            "CARDINALITY(ARRAY_REPEAT(1, 2000000000))",
            "CARDINALITY(LIST_REPEAT(1, 2000000000))",
            "CARDINALITY(RANGE(2000000000))",
            "CARDINALITY(RANGE(1, 9000000000000, 2))",
            "CARDINALITY(GENERATE_SERIES(1, 2000000000))",
        ] {
            let refused = message(&catalog, &format!("SELECT {greedy}"));
            assert!(refused.starts_with("the query needs more memory than memory_limit_mib allows"), "{greedy}: {refused}");
        }
        let of_rows = "SELECT MAX(LENGTH(REPEAT('x', a.value))) FROM generate_series(1, 100000) AS a";
        let refused = message(&catalog, of_rows);
        assert!(refused.starts_with("the query needs more memory"), "each row is small, a batch is not: {refused}");
        for (modest, expected) in [
            ("REPEAT('ab', 3)", "ababab"),
            ("REPEAT('ab', -1)", "\"\""),
            ("LENGTH(REPEAT('x', 1000000))", "1000000"),
            ("LPAD('x', 3, 'y')", "yyx"),
            ("CARDINALITY(RANGE(1, 1000000))", "999999"),
            ("CARDINALITY(RANGE(10, 0, -1))", "10"),
            ("CARDINALITY(ARRAY_REPEAT('a', 3))", "3"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {modest}")), [expected], "{modest}");
        }
    }
}
