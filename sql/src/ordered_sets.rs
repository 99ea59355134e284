//! `percentile_disc(0.5) WITHIN GROUP (ORDER BY x)` and `mode() WITHIN GROUP (ORDER BY x)`, which DataFusion does not have.
//!
//! They become functions of the sorted list of the values, `array_agg(x ORDER BY x) FILTER (WHERE x IS NOT NULL)`, so that the answer is
//! one of the values, of its own type.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::compute::{cast, partition, take};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName,
};

use crate::error::QueryError;
use crate::syntax::call;

/// The functions of a sorted list.
const AT_FRACTION: &str = "value_at_fraction";
const MOST_FREQUENT: &str = "most_frequent_value";

/// The call in place of an aggregate of sorted values; `None` if it is none of them.
pub(crate) fn call_of_list(function: &Function) -> Result<Option<Expr>, QueryError> {
    let name = function.name.to_string().to_lowercase();
    if !matches!(name.as_str(), "percentile_disc" | "mode") {
        return Ok(None);
    }
    let [by] = function.within_group.as_slice() else {
        let refusal = format!("{name} needs its values: write {name}(…) WITHIN GROUP (ORDER BY x)");
        return Err(QueryError::Statement(refusal));
    };
    if function.over.is_some() {
        let refusal = format!("this is not supported: {name} with OVER: take it with GROUP BY in a subquery, and JOIN that");
        return Err(QueryError::Statement(refusal));
    }
    let is_value = Expr::IsNotNull(Box::new(Expr::Nested(Box::new(by.expr.clone()))));
    let filter = match &function.filter {
        Some(filter) => {
            let filter = Box::new(Expr::Nested(filter.clone()));
            Expr::BinaryOp { left: filter, op: BinaryOperator::And, right: Box::new(is_value) }
        }
        None => is_value,
    };
    let list = Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("array_agg")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(by.expr.clone()))],
            clauses: vec![FunctionArgumentClause::OrderBy(vec![by.clone()])],
        }),
        filter: Some(Box::new(filter)),
        null_treatment: None,
        over: None,
        within_group: vec![],
    });
    if name == "mode" {
        return Ok(Some(call(MOST_FREQUENT, vec![list])));
    }
    let FunctionArguments::List(arguments) = &function.args else { return Ok(None) };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(fraction))] = arguments.args.as_slice() else { return Ok(None) };
    let at = |fraction: &Expr| call(AT_FRACTION, vec![list.clone(), fraction.clone()]);
    Ok(Some(match fraction {
        Expr::Array(fractions) => call("make_array", fractions.elem.iter().map(at).collect()),
        fraction => at(fraction),
    }))
}

/// Every function.
pub(crate) fn functions_of_lists() -> [ScalarUDF; 2] {
    let function = |name, argument_count, place| {
        ScalarUDF::new_from_impl(OfList { name, place, signature: Signature::any(argument_count, Volatility::Immutable) })
    };
    [function(AT_FRACTION, 2, Place::AtFraction), function(MOST_FREQUENT, 1, Place::MostFrequent)]
}

/// Which of the values it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    AtFraction,
    MostFrequent,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OfList {
    name: &'static str,
    place: Place,
    signature: Signature,
}

impl ScalarUDFImpl for OfList {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.first() {
            Some(DataType::List(item)) => Ok(item.data_type().clone()),
            _ => plan_err!("{} takes a list", self.name),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let Some(lists) = columns.first().and_then(|lists| lists.as_list_opt::<i32>()) else {
            return exec_err!("{} takes a list", self.name);
        };
        let fractions = match columns.get(1) {
            Some(fractions) => Some(cast(fractions, &DataType::Float64)?),
            None => None,
        };
        let fractions = fractions.as_ref().map(|fractions| fractions.as_primitive::<Float64Type>());
        let mut places = Vec::with_capacity(lists.len());
        for row in 0..lists.len() {
            let is_empty = lists.is_null(row) || lists.value_length(row) == 0;
            let within = match self.place {
                _ if is_empty => None,
                Place::MostFrequent => longest_run(&lists.value(row))?,
                Place::AtFraction => match fractions.filter(|fractions| fractions.is_valid(row)) {
                    Some(fractions) => Some(place_at(fractions.value(row), lists.value_length(row))?),
                    None => None,
                },
            };
            let start = lists.value_offsets().get(row).and_then(|start| u64::try_from(*start).ok());
            places.push(start.zip(within).map(|(start, within)| start.saturating_add(within)));
        }
        Ok(ColumnarValue::Array(take(lists.values(), &UInt64Array::from(places), None)? as ArrayRef))
    }
}

/// The first value whose place among all is at least the fraction.
fn place_at(fraction: f64, length: i32) -> Result<u64> {
    if !(0.0..=1.0).contains(&fraction) {
        return exec_err!("percentile value {fraction} is not between 0 and 1");
    }
    let rank = (fraction * f64::from(length)).ceil();
    // A whole number from 0 to the length.
    let rank = (0..=length).find(|candidate| f64::from(*candidate) >= rank).unwrap_or(length);
    Ok(u64::try_from(rank.saturating_sub(1)).unwrap_or_default())
}

/// Where the longest run of equal values begins, the first of several.
fn longest_run(values: &ArrayRef) -> Result<Option<u64>> {
    let runs = partition(&[Arc::clone(values)])?.ranges();
    let longest = runs.into_iter().reduce(|longest, run| if run.len() > longest.len() { run } else { longest });
    Ok(longest.and_then(|run| u64::try_from(run.start).ok()))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_percentile_and_a_mode_are_values_of_the_group() {
        let catalog = TestData::new().catalog();
        for (aggregate, values, expected) in [
            ("percentile_disc(0.5) WITHIN GROUP (ORDER BY x)", "(1), (2), (3), (4)", "2"),
            ("percentile_disc(0.51) WITHIN GROUP (ORDER BY x)", "(1), (2), (3), (4)", "3"),
            ("percentile_disc(0) WITHIN GROUP (ORDER BY x)", "(3), (2), (NULL)", "2"),
            ("percentile_disc(1) WITHIN GROUP (ORDER BY x)", "(3), (2), (NULL)", "3"),
            ("percentile_disc(0.9) WITHIN GROUP (ORDER BY x DESC)", "(1.5), (2.5), (3), (4)", "1.5"),
            ("percentile_disc(0.5) WITHIN GROUP (ORDER BY x)", "('b'), ('c'), ('a')", "b"),
            ("percentile_disc(0.5) WITHIN GROUP (ORDER BY x) FILTER (WHERE x > 2)", "(1), (2), (3), (4)", "3"),
            ("percentile_disc(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY x)", "(1), (2), (3), (4)", "\"[1,3]\""),
            ("percentile_disc(0.5) WITHIN GROUP (ORDER BY x)", "(NULL::int)", ""),
            ("mode() WITHIN GROUP (ORDER BY x)", "(1), (3), (2), (3)", "3"),
            ("mode() WITHIN GROUP (ORDER BY x)", "('b'), ('a'), ('b'), ('a'), (NULL), (NULL), (NULL)", "a"),
            ("mode() WITHIN GROUP (ORDER BY x DESC)", "('b'), ('a'), ('b'), ('a')", "b"),
        ] {
            let sql = format!("SELECT {aggregate} AS p FROM (VALUES {values}) AS v(x)");
            assert_eq!(rows(&catalog, &sql), [expected], "{sql}");
        }
        let grouped = "SELECT g, percentile_disc(0.5) WITHIN GROUP (ORDER BY x), mode() WITHIN GROUP (ORDER BY x) \
             FROM (VALUES ('a', 1), ('a', 2), ('a', 2), ('b', 7), ('c', NULL)) AS v(g, x) GROUP BY g ORDER BY g";
        assert_eq!(rows(&catalog, grouped), ["a,2,2", "b,7,7", "c,,"]);
        for (aggregate, expected) in [
            ("percentile_disc(1.5) WITHIN GROUP (ORDER BY x)", "is not between 0 and 1"),
            ("mode()", "write mode(…) WITHIN GROUP (ORDER BY x)"),
            ("mode() WITHIN GROUP (ORDER BY x) OVER ()", "GROUP BY in a subquery"),
        ] {
            let refused = message(&catalog, &format!("SELECT {aggregate} FROM (VALUES (1)) AS v(x)"));
            assert!(refused.contains(expected), "{aggregate}: {refused}");
        }
    }
}
