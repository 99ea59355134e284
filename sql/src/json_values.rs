//! JSON that is made of values: `json_agg(x)`, `json_build_object('a', x)`, `row_to_json(t)`, `to_json(x)`.
//!
//! JSON is text here, without spaces, with exact numbers. The field of what these functions give is marked, so that it stays JSON in an
//! object or a list around it, as `json_agg(json_build_object('a', a))` has it, instead of becoming a string in quotes.
//!
//! | in the statement | becomes |
//! |---|---|
//! | `json_agg(x ORDER BY y)` | `json_of_list(array_agg(to_json(x) ORDER BY y))` |
//! | `json_object_agg(k, v)` | `json_of_members(array_agg(named_struct('key', k, 'value', to_json(v))))` |
//! | `row_to_json(t)`, of `(SELECT a, b …) AS t` | `to_json(json_build_object('a', t.a, 'b', t.b))` |

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Select, SelectItem, SetExpr, TableFactor, Value,
};

use crate::error::QueryError;
use crate::render::value::{append_json, append_string, append_text};
use crate::syntax::{call, change_outside_subqueries};

/// The functions of aggregated values.
const OF_LIST: &str = "json_of_list";
const OF_MEMBERS: &str = "json_of_members";
const TO_JSON: &str = "to_json";
/// Marks a field of JSON.
const MARK: &str = "headwater:json";

/// The function of a list in place of an aggregate; `None` if it is none of these.
pub(crate) fn call_of_list(function: &Function) -> Option<Expr> {
    let name = function.name.to_string().to_lowercase();
    let FunctionArguments::List(list) = &function.args else { return None };
    let argument = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    let arguments = list.args.iter().map(argument).collect::<Option<Vec<_>>>()?;
    let text = |text: &str| Expr::value(Value::SingleQuotedString(text.to_owned()));
    let (outer, inner) = match (name.as_str(), arguments.as_slice()) {
        ("json_agg" | "jsonb_agg", [value]) => (OF_LIST, call(TO_JSON, vec![value.clone()])),
        ("json_object_agg" | "jsonb_object_agg", [key, value]) => {
            let value = call(TO_JSON, vec![value.clone()]);
            (OF_MEMBERS, call("named_struct", vec![text("key"), key.clone(), text("value"), value]))
        }
        _ => return None,
    };
    let mut aggregate = function.clone();
    aggregate.name = ObjectName::from(vec![Ident::new("array_agg")]);
    if let FunctionArguments::List(list) = &mut aggregate.args {
        list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(inner))];
    }
    Some(call(outer, vec![Expr::Function(aggregate)]))
}

/// Functions that take the row of a table.
const OF_ROWS: [&str; 5] = ["row_to_json", "to_json", "to_jsonb", "json_agg", "jsonb_agg"];

/// Puts the columns of a table in place of its name, where a function takes its row. The table has to be a query in FROM that names them.
pub(crate) fn name_fields(select: &mut Select) -> Result<(), QueryError> {
    let mut tables = BTreeMap::new();
    let factors =
        select.from.iter().flat_map(|table| std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)));
    for factor in factors {
        if let Some((name, columns)) = named_columns(factor) {
            tables.insert(name, columns);
        }
    }
    if tables.is_empty() {
        return Ok(());
    }
    let mut refusal = None;
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            change_outside_subqueries(expr, |expr| {
                if let Err(error) = row_of(expr, &tables) {
                    refusal = Some(error);
                }
            });
        }
    }
    refusal.map_or(Ok(()), Err)
}

fn row_of(expr: &mut Expr, tables: &BTreeMap<String, Option<Vec<Ident>>>) -> Result<(), QueryError> {
    let Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) = expr else { return Ok(()) };
    let is_of_rows = OF_ROWS.iter().any(|known| name.to_string().eq_ignore_ascii_case(known));
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(table)))] = list.args.as_mut_slice() else { return Ok(()) };
    let Some(columns) = tables.get(&table.value.to_lowercase()).filter(|_| is_of_rows) else { return Ok(()) };
    let Some(columns) = columns else {
        let refusal = format!(
            "this is not supported: {name}({table}) of all columns of {table}: name them, as in \
             SELECT {name}(r) FROM (SELECT a, b FROM {table}) AS r"
        );
        return Err(QueryError::Statement(refusal));
    };
    let field = |column: &Ident| {
        let shown = if column.quote_style.is_some() { column.value.clone() } else { column.value.to_lowercase() };
        [Expr::value(Value::SingleQuotedString(shown)), Expr::CompoundIdentifier(vec![table.clone(), column.clone()])]
    };
    let row = call("json_build_object", columns.iter().flat_map(field).collect());
    list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(row))];
    Ok(())
}

/// The name of a table in FROM, and the names of its columns if they are written there and differ from its own.
fn named_columns(factor: &TableFactor) -> Option<(String, Option<Vec<Ident>>)> {
    match factor {
        TableFactor::Derived { subquery, alias: Some(alias), .. } => {
            let columns = match alias.columns.is_empty() {
                false => Some(alias.columns.iter().map(|column| column.name.clone()).collect()),
                true => match subquery.body.as_ref() {
                    SetExpr::Select(select) => select.projection.iter().map(name_of).collect(),
                    _ => None,
                },
            };
            let is_column = |columns: &Vec<Ident>| columns.iter().any(|column| column.value.eq_ignore_ascii_case(&alias.name.value));
            // A column of that name comes first.
            (!columns.as_ref().is_some_and(is_column)).then(|| (alias.name.value.to_lowercase(), columns))
        }
        TableFactor::Table { name, alias, args: None, .. } => {
            let table = name.0.last()?.as_ident()?;
            let name = alias.as_ref().map_or(table, |alias| &alias.name);
            Some((name.value.to_lowercase(), None))
        }
        _ => None,
    }
}

fn name_of(item: &SelectItem) -> Option<Ident> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().cloned(),
        _ => None,
    }
}

/// Every function.
pub(crate) fn functions_of_json() -> [ScalarUDF; 5] {
    let function = |name, made: Made, aliases: &[&str]| {
        let signature = match made {
            Made::Value | Made::List | Made::Members => Signature::any(1, Volatility::Immutable),
            Made::Object | Made::Array => Signature::variadic_any(Volatility::Immutable),
        };
        let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        ScalarUDF::new_from_impl(JsonOf { name, made, signature, aliases })
    };
    [
        function(TO_JSON, Made::Value, &["to_jsonb", "row_to_json", "array_to_json"]),
        function("json_build_object", Made::Object, &["jsonb_build_object"]),
        function("json_build_array", Made::Array, &["jsonb_build_array"]),
        function(OF_LIST, Made::List, &[]),
        function(OF_MEMBERS, Made::Members, &[]),
    ]
}

/// What is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Made {
    /// Of one value.
    Value,
    /// Of names and values in turn.
    Object,
    /// Of values.
    Array,
    /// Of a list of JSON.
    List,
    /// Of a list of structures of a name and JSON.
    Members,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonOf {
    name: &'static str,
    made: Made,
    signature: Signature,
    aliases: Vec<String>,
}

impl ScalarUDFImpl for JsonOf {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        if self.made == Made::Object && types.len() % 2 == 1 {
            return plan_err!("{} takes names and values in turn: {} arguments are given", self.name, types.len());
        }
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<_> = arguments.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let mark = [(MARK.to_owned(), String::new())].into();
        Ok(Arc::new(Field::new(self.name, self.return_type(&types)?, true).with_metadata(mark)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let is_json = arguments.arg_fields.iter().map(|field| field.metadata().contains_key(MARK)).collect::<Vec<_>>();
        let columns: Vec<Column<'_>> = columns.iter().zip(is_json).map(|(values, is_json)| Column { values, is_json }).collect();
        let row_count = columns.first().map_or(arguments.number_rows, |column| column.values.len());
        let mut texts = StringBuilder::new();
        let mut text = String::new();
        for row in 0..row_count {
            text.clear();
            match self.append(&columns, row, &mut text)? {
                Some(()) => texts.append_value(&text),
                None => texts.append_null(),
            }
        }
        Ok(ColumnarValue::Array(Arc::new(texts.finish()) as ArrayRef))
    }
}

impl JsonOf {
    /// Appends the JSON of a row; `None` if it is NULL.
    fn append(&self, columns: &[Column<'_>], row: usize, out: &mut String) -> Result<Option<()>> {
        match (self.made, columns) {
            (Made::Value | Made::List | Made::Members, [column]) if column.is_null(row) => return Ok(None),
            (Made::Value, [column]) => column.append(row, out)?,
            (Made::Array, columns) => {
                in_brackets(out, ('[', ']'), columns.iter(), |column, out| column.append(row, out))?;
            }
            (Made::Object, columns) => in_brackets(out, ('{', '}'), columns.chunks_exact(2), |member, out| match member {
                [key, value] => append_member(key.values, value, row, out),
                _ => Ok(()),
            })?,
            (Made::List, [lists]) => {
                let Some(lists) = lists.values.as_list_opt::<i32>() else { return exec_err!("{} takes a list", self.name) };
                let items = lists.value(row);
                let items = Column { values: &items, is_json: true };
                in_brackets(out, ('[', ']'), 0..items.values.len(), |item, out| items.append(item, out))?;
            }
            (Made::Members, [lists]) => {
                let Some(lists) = lists.values.as_list_opt::<i32>() else { return exec_err!("{} takes a list", self.name) };
                let members = lists.value(row);
                let Some([keys, values]) = members.as_struct_opt().map(|members| members.columns()) else {
                    return exec_err!("{} takes a list of names and values", self.name);
                };
                let values = Column { values, is_json: true };
                in_brackets(out, ('{', '}'), 0..keys.len(), |member, out| append_member(keys, &values, member, out))?;
            }
            _ => return exec_err!("{} takes one argument", self.name),
        }
        Ok(Some(()))
    }
}

/// Appends what has commas between.
fn in_brackets<T>(
    out: &mut String,
    (open, close): (char, char),
    items: impl Iterator<Item = T>,
    mut append: impl FnMut(T, &mut String) -> Result<()>,
) -> Result<()> {
    out.push(open);
    for (place, item) in items.enumerate() {
        if place > 0 {
            out.push(',');
        }
        append(item, out)?;
    }
    out.push(close);
    Ok(())
}

fn append_member(keys: &ArrayRef, value: &Column<'_>, row: usize, out: &mut String) -> Result<()> {
    if is_null(keys, row) {
        return exec_err!("null value not allowed for object key");
    }
    let mut key = String::new();
    append_text(keys, row, &mut key)?;
    append_string(&key, out);
    out.push(':');
    value.append(row, out)
}

/// Values, and whether they are JSON already.
struct Column<'a> {
    values: &'a ArrayRef,
    is_json: bool,
}

impl Column<'_> {
    fn is_null(&self, row: usize) -> bool {
        is_null(self.values, row)
    }

    fn append(&self, row: usize, out: &mut String) -> Result<()> {
        match self.is_json && !self.is_null(row) {
            true => append_text(self.values, row, out)?,
            false => append_value(self.values, row, out)?,
        }
        Ok(())
    }
}

fn is_null(values: &ArrayRef, row: usize) -> bool {
    values.is_null(row) || *values.data_type() == DataType::Null
}

/// A value with exact numbers: unlike the formats of rows, which have decimals in quotes, as PostgreSQL has them.
fn append_value(values: &ArrayRef, row: usize, out: &mut String) -> Result<()> {
    match values.data_type() {
        _ if is_null(values, row) => out.push_str("null"),
        data_type if data_type.is_decimal() => append_text(values, row, out)?,
        DataType::List(_) => {
            let items = values.as_list::<i32>().value(row);
            in_brackets(out, ('[', ']'), 0..items.len(), |item, out| append_value(&items, item, out))?;
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(values.as_struct().columns());
            in_brackets(out, ('{', '}'), columns, |(field, column), out| {
                append_string(field.name(), out);
                out.push(':');
                Column { values: column, is_json: field.metadata().contains_key(MARK) }.append(row, out)
            })?;
        }
        _ => append_json(values, row, out)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Catalog;
    use crate::testing::{TestData, at, balance, changes, message, rows};

    /// Rows of one column, without the quotes of CSV.
    fn rows_of_text(catalog: &Catalog, sql: &str) -> Vec<String> {
        let plain = |row: String| match row.strip_prefix('"').and_then(|row| row.strip_suffix('"')) {
            Some(quoted) => quoted.replace("\"\"", "\""),
            None => row,
        };
        rows(catalog, sql).into_iter().map(plain).collect()
    }

    /// The answers are those of PostgreSQL 15, without the spaces that it writes.
    #[test]
    fn json_is_made_of_values() {
        let catalog = TestData::new().catalog();
        for (sql, expected) in [
            ("SELECT json_agg(x ORDER BY x DESC) FROM (VALUES (1), (2), (NULL)) AS v(x)", "[null,2,1]"),
            ("SELECT json_agg(x) FROM (VALUES (1)) AS v(x) WHERE x > 1", ""),
            (
                "SELECT jsonb_agg(x ORDER BY x) FILTER (WHERE x > 1) FROM (VALUES (1.5), (0.1), (12345678901234567890.123456789)) AS v(x)",
                "[1.5,12345678901234567890.123456789]",
            ),
            ("SELECT json_agg(t ORDER BY x) FROM (VALUES (1, 'a'), (2, 'b')) AS t(x, y)", r#"[{"x":1,"y":"a"},{"x":2,"y":"b"}]"#),
            ("SELECT json_object_agg(x, y) FROM (VALUES ('a', 1)) AS t(x, y)", r#"{"a":1}"#),
            ("SELECT json_object_agg(x, y ORDER BY y DESC) FROM (VALUES ('a', 1.5), ('b', 2.5)) AS t(x, y)", r#"{"b":2.5,"a":1.5}"#),
            ("SELECT json_build_object('a', 1, 'b', x, 'c', NULL) FROM (VALUES ('q\"x')) AS v(x)", r#"{"a":1,"b":"q\"x","c":null}"#),
            (
                "SELECT json_build_object('a', json_build_array(1, 'x', NULL, 1.5, true), 'd', date '2026-01-01')",
                r#"{"a":[1,"x",null,1.5,true],"d":"2026-01-01"}"#,
            ),
            (
                "SELECT json_agg(json_build_object('k', k, 's', s) ORDER BY k) FROM (SELECT k, SUM(x) AS s FROM (VALUES ('a', 1), ('a', 2), ('b', 5)) AS v(k, x) GROUP BY k) AS t",
                r#"[{"k":"a","s":3},{"k":"b","s":5}]"#,
            ),
            (
                "SELECT json_build_object('items', json_agg(x ORDER BY x), 'count', COUNT(*)) FROM (VALUES (1), (2)) AS v(x)",
                r#"{"items":[1,2],"count":2}"#,
            ),
            ("SELECT json_build_object('l', l) FROM (SELECT json_build_array(1) AS l) AS t", r#"{"l":[1]}"#),
            ("SELECT row_to_json(t) FROM (SELECT 1 AS a, 'x' AS \"B\", 1.25 AS c) AS t", r#"{"a":1,"B":"x","c":1.25}"#),
            ("SELECT to_json(1.5)", "1.5"),
            ("SELECT to_json('a\"b'::text)", r#""a\"b""#),
            ("SELECT to_json(NULL::int)", ""),
            ("SELECT array_to_json(ARRAY[1.5, 2])", "[1.5,2]"),
            ("SELECT row_to_json(t) FROM (SELECT json_build_array(1) AS a, 'x' AS b) AS t", r#"{"a":[1],"b":"x"}"#),
            ("SELECT to_json(named_struct('a', 1.5, 'b', 'x'))", r#"{"a":1.5,"b":"x"}"#),
            ("SELECT json_build_object('a', 'y') ->> 'a'", "y"),
        ] {
            assert_eq!(rows_of_text(&catalog, sql), [expected], "{sql}");
        }
        for (sql, expected) in [
            ("SELECT json_build_object('a', 1, 'b')", "takes names and values in turn"),
            ("SELECT json_build_object(NULL, 1)", "null value not allowed for object key"),
        ] {
            let refused = message(&catalog, sql);
            assert!(refused.contains(expected), "{sql}: {refused}");
        }
    }

    #[test]
    fn the_columns_of_a_table_are_named_for_its_rows() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("a", 12, at(2, 0)), 1)])]);
        let catalog = data.catalog();
        let refused = message(&catalog, "SELECT row_to_json(b) FROM balances AS b");
        assert!(
            refused.starts_with("this is not supported: row_to_json(b) of all columns of b: name them, as in SELECT row_to_json(r) FROM"),
            "{refused}"
        );
        let named = "SELECT row_to_json(r) FROM (SELECT b.account_id, posted FROM balances AS b) AS r";
        assert_eq!(rows_of_text(&catalog, named), [r#"{"account_id":"a","posted":12}"#]);
    }
}
