//! PostgreSQL's spellings in DataFusion's: qualified functions and types, `OPERATOR(pg_catalog.~)`, casts to `regclass`.
//!
//! Clients also read tables of `pg_catalog` that never have rows here, in ways that DataFusion does not plan (`ARRAY(SELECT …)`,
//! `oid = ANY (polroles)`). A `SELECT` from such a table has no rows whatever else it says, so it becomes one without rows and without
//! the table. In the same way, `CASE WHEN typtype = 'd' THEN …` loses what it computes of kinds of types that there is none of.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, BinaryOperator, CastKind, DataType as SqlType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, GroupByExpr, Ident, JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, TableFactor,
    TableWithJoins, TimezoneInfo, Value, VisitMut, VisitorMut,
};

use super::arrays;
use super::functions::{FORMAT_TYPE, REGCLASS_NAME, REGCLASS_OID};
use super::relations::Relations;
use super::{information_schema, pg_catalog, types};
use crate::columns::name_columns;
use crate::error::QueryError;
use crate::exact_numbers::exact_number;
use crate::lengths;
use crate::suggestions::unknown_table;
use crate::syntax::{call, literal, sql_of_mut, visit_outside_subqueries};

/// Rewrites a statement.
pub(super) fn rewrite(statement: &mut Parsed, relations: &Relations) -> Result<(), QueryError> {
    let Some(sql) = sql_of_mut(statement) else { return Ok(()) };
    // Before functions and types are replaced: columns are named after what the client wrote.
    name_columns(sql);
    // Afterwards, types of text have no lengths any more.
    lengths::cut(sql)?;
    match VisitMut::visit(sql, &mut Rewriter { relations }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewriter<'a> {
    relations: &'a Relations,
}

impl VisitorMut for Rewriter<'_> {
    type Break = QueryError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<QueryError> {
        if query.with.is_none() && without_rows(query.body.as_mut()) {
            query.order_by = None;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<QueryError> {
        // Functions that give rows of the catalog.
        if let TableFactor::Table { name, args, .. } = table
            && catalog_table(name).is_some()
        {
            *args = None;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<QueryError> {
        if let [ObjectNamePart::Identifier(single)] = name.0.as_slice()
            && pg_catalog::has(&single.value.to_lowercase())
        {
            *name = ObjectName::from(vec![Ident::new(pg_catalog::NAME), single.clone()]);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<QueryError> {
        if let Expr::Case { operand: None, conditions, else_result, .. } = expr {
            conditions.retain(|case| !is_of_no_type(&case.condition));
            if conditions.is_empty() {
                *expr = else_result.take().map_or_else(|| Expr::value(Value::Null), |result| *result);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<QueryError> {
        match expr {
            Expr::Function(function) => {
                unqualify(&mut function.name);
                // The elements of every list are counted from one.
                if function.name.to_string().eq_ignore_ascii_case("array_upper") {
                    function.name = ObjectName::from(vec![Ident::new("array_length")]);
                    *expr = plain_cast(expr.clone(), SqlType::BigInt(None));
                    return ControlFlow::Continue(());
                }
                if let FunctionArguments::Subquery(query) = &function.args {
                    *expr = array_of(query).unwrap_or_else(|| Expr::value(Value::Null));
                } else if is_text_of_nothing(function) {
                    *expr = Expr::value(Value::Null);
                }
            }
            Expr::Subquery(query) if is_without_rows(query) => *expr = Expr::value(Value::Null),
            Expr::Subquery(query) if reads_catalog(query) => aggregate(query, "first_value"),
            Expr::BinaryOp { op, .. } => plain_operator(op),
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
                if let Some(list) = list_of(right) {
                    *expr = in_list(left, list, false);
                }
            }
            Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => {
                if let Some(list) = list_of(right) {
                    *expr = in_list(left, list, true);
                }
            }
            // Grafana asks so for the schemas in which names are looked up.
            Expr::InSubquery { expr: schema, subquery, negated } if reads_search_path(subquery) => {
                *expr = in_list(schema, vec![call("current_schema", vec![])], *negated);
            }
            Expr::Cast { expr: inner, data_type, kind, .. } => {
                let inner = std::mem::replace(inner, Box::new(Expr::value(Value::Null)));
                match self.cast(*inner, data_type, kind) {
                    Ok(cast) => *expr = cast,
                    Err(error) => return ControlFlow::Break(error),
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Rewriter<'_> {
    fn cast(&self, inner: Expr, data_type: &SqlType, kind: &CastKind) -> Result<Expr, QueryError> {
        let plain = |inner: Expr, data_type: SqlType| Expr::Cast {
            kind: kind.clone(),
            expr: Box::new(inner),
            data_type,
            array: false,
            format: None,
        };
        if let SqlType::Array(ArrayElemTypeDef::SquareBracket(of, _)) = data_type
            && let Some(elements) = elements(&inner).filter(|elements| !elements.is_empty())
        {
            let elem = elements.into_iter().map(|element| self.cast(element, of, kind)).collect::<Result<_, _>>()?;
            return Ok(Expr::Array(Array { elem, named: true }));
        }
        if let SqlType::Numeric(ExactNumberInfo::None) | SqlType::Decimal(ExactNumberInfo::None) = data_type
            && let Some(number) = exact_number(&inner)
        {
            return Ok(number);
        }
        Ok(match name_of(data_type).as_deref() {
            Some("regclass") => match literal(&inner).map(str::to_owned) {
                Some(name) if name.parse::<u32>().is_err() => {
                    let oid = self.relations.oid(&name).ok_or_else(|| QueryError::Statement(unknown_table(&name)))?;
                    plain(Expr::value(Value::Number(oid.to_string(), false)), SqlType::IntUnsigned(None))
                }
                _ => call(REGCLASS_NAME, vec![inner]),
            },
            // `'pg_catalog.array_in'::regproc`: functions are in one schema.
            Some("regproc") => match literal(&inner) {
                Some(name) => Expr::value(Value::SingleQuotedString(name.rsplit('.').next().unwrap_or(name).to_owned())),
                None => plain(inner, SqlType::Text),
            },
            Some("regtype") => match literal(&inner).and_then(types::named) {
                Some(pg_type) => plain(Expr::value(Value::Number(pg_type.oid.to_string(), false)), SqlType::IntUnsigned(None)),
                None => call(FORMAT_TYPE, vec![inner, Expr::value(Value::Null)]),
            },
            // `name::regclass::oid` of a name that is computed.
            Some("oid") => match inner {
                Expr::Function(mut function) if function.name.to_string() == REGCLASS_NAME => {
                    function.name = ObjectName::from(vec![Ident::new(REGCLASS_OID)]);
                    plain(Expr::Function(function), SqlType::IntUnsigned(None))
                }
                inner => plain(inner, plain_type(data_type)),
            },
            _ => plain(inner, plain_type(data_type)),
        })
    }
}

fn plain_cast(expr: Expr, data_type: SqlType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

/// Whether a condition asks for a kind of types that there is none of: composite types, domains, enumerations, ranges.
fn is_of_no_type(condition: &Expr) -> bool {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = condition else { return false };
    let column = match left.as_ref() {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(names) => names.last(),
        _ => None,
    };
    column.is_some_and(|name| name.value == "typtype") && matches!(literal(right), Some("c" | "d" | "e" | "m" | "r"))
}

/// The name of a type that the parser does not know, or that is read in another way here.
fn name_of(data_type: &SqlType) -> Option<String> {
    match data_type {
        SqlType::Regclass => Some("regclass".to_owned()),
        SqlType::Custom(name, _) => Some(name.0.last()?.as_ident()?.value.to_lowercase()),
        _ => None,
    }
}

/// The type that DataFusion has for one of PostgreSQL's.
fn plain_type(data_type: &SqlType) -> SqlType {
    let name = match data_type {
        SqlType::JSON | SqlType::JSONB | SqlType::Uuid => return SqlType::Text,
        SqlType::CharacterVarying(_) | SqlType::CharVarying(_) | SqlType::Character(_) | SqlType::Varchar(_) => return SqlType::Text,
        SqlType::Array(ArrayElemTypeDef::SquareBracket(of, length)) => {
            return SqlType::Array(ArrayElemTypeDef::SquareBracket(Box::new(plain_type(of)), *length));
        }
        other => name_of(other),
    };
    match name.as_deref() {
        Some("oid" | "xid" | "cid") => SqlType::IntUnsigned(None),
        Some("int2") => SqlType::SmallInt(None),
        Some("int4") => SqlType::Int(None),
        Some("int8") => SqlType::BigInt(None),
        Some("float4") => SqlType::Real,
        Some("float8") => SqlType::DoublePrecision,
        Some("bool") => SqlType::Boolean,
        Some("timestamptz") => SqlType::Timestamp(None, TimezoneInfo::Tz),
        Some(
            "text" | "name" | "char" | "bpchar" | "varchar" | "regproc" | "regprocedure" | "regnamespace" | "regrole" | "sql_identifier"
            | "character_data" | "cardinal_number" | "yes_or_no" | "cstring" | "aclitem" | "json" | "jsonb" | "uuid",
        ) => SqlType::Text,
        _ => data_type.clone(),
    }
}

/// Whether it is `array_to_string(NULL, …)`, which DataFusion does not take: what an array without rows has become.
fn is_text_of_nothing(function: &Function) -> bool {
    let FunctionArguments::List(list) = &function.args else { return false };
    let is_null = |argument: &FunctionArg| matches!(argument, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) if value.value == Value::Null);
    function.name.to_string() == "array_to_string" && list.args.first().is_some_and(is_null)
}

/// `ARRAY(SELECT x …)` as `(SELECT array_agg(x) …)`. `None` where the query has no rows: no rows of a table that has none, and no elements of
/// a list of `pg_catalog`, which are all NULL.
fn array_of(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let is_list = |from: &TableWithJoins| matches!(&from.relation, TableFactor::Table { args: Some(_), .. } | TableFactor::UNNEST { .. });
    if is_emptied(select) || select.from.iter().any(is_list) {
        return None;
    }
    let mut query = query.clone();
    query.order_by = None;
    aggregate(&mut query, "array_agg");
    Some(Expr::Subquery(Box::new(query)))
}

/// Puts an aggregate around the only column of a query, if it has none: DataFusion plans a correlated subquery only with one.
fn aggregate(query: &mut Query, function: &str) {
    if let SetExpr::Select(select) = query.body.as_mut()
        && let [item] = select.projection.as_mut_slice()
        && !aggregates(item)
        && let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
    {
        *expr = call(function, vec![expr.clone()]);
    }
}

/// Whether a query reads tables of `pg_catalog` alone, by their keys as far as clients do: so it has at most one row.
fn reads_catalog(query: &Query) -> bool {
    let is_catalog = |table: &TableFactor| matches!(table, TableFactor::Table { name, args: None, .. } if catalog_table(name).is_some());
    match query.body.as_ref() {
        SetExpr::Select(select) => {
            let all = |from: &TableWithJoins| is_catalog(&from.relation) && from.joins.iter().all(|join| is_catalog(&join.relation));
            query.limit_clause.is_none() && !select.from.is_empty() && select.from.iter().all(all)
        }
        _ => false,
    }
}

/// The name of a table of `pg_catalog`.
fn catalog_table(name: &ObjectName) -> Option<String> {
    let parts: Vec<String> = name.0.iter().filter_map(ObjectNamePart::as_ident).map(|part| part.value.to_lowercase()).collect();
    match parts.as_slice() {
        [table] => Some(table),
        [schema, table] | [_, schema, table] if schema == pg_catalog::NAME => Some(table),
        _ => None,
    }
    .filter(|table| pg_catalog::has(table))
    .cloned()
}

/// The elements of an array that is written out.
fn elements(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Array(array) => Some(array.elem.clone()),
        Expr::Nested(inner) => elements(inner),
        Expr::Value(_) => {
            let text = |text: Option<String>| Expr::value(text.map_or(Value::Null, Value::SingleQuotedString));
            Some(arrays::of_text(literal(expr)?).ok()?.into_iter().map(text).collect())
        }
        Expr::Cast { kind, expr, data_type: SqlType::Array(ArrayElemTypeDef::SquareBracket(of, _)), .. } => {
            let cast = |element| Expr::Cast {
                kind: kind.clone(),
                expr: Box::new(element),
                data_type: of.as_ref().clone(),
                array: false,
                format: None,
            };
            Some(elements(expr)?.into_iter().map(cast).collect())
        }
        _ => None,
    }
}

/// The elements of an array that is written out; NULL for an array that is NULL, which no value is compared with either.
fn list_of(expr: &Expr) -> Option<Vec<Expr>> {
    elements(expr).or_else(|| is_null(expr).then(|| vec![Expr::value(Value::Null)]))
}

fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => is_null(expr),
        Expr::Value(value) => value.value == Value::Null,
        _ => false,
    }
}

/// `x = ANY(ARRAY[…])` as `x IN (…)`, which is compared exactly and lets files be skipped.
fn in_list(expr: &Expr, list: Vec<Expr>, negated: bool) -> Expr {
    match list.is_empty() {
        true => Expr::value(Value::Boolean(negated)),
        false => Expr::InList { expr: Box::new(expr.clone()), list, negated },
    }
}

/// Whether a query's rows are the parts of the setting `search_path`.
fn reads_search_path(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    let reads = |from: &TableWithJoins| matches!(&from.relation, TableFactor::Table { name, args: Some(_), .. } if name.to_string() == "string_to_array");
    select.from.iter().any(|from| reads(from) && from.to_string().contains("current_setting('search_path')"))
}

/// Removes the schema from the name of a function.
fn unqualify(name: &mut ObjectName) {
    if let [ObjectNamePart::Identifier(schema), function] = name.0.as_slice()
        && matches!(schema.value.to_lowercase().as_str(), pg_catalog::NAME | information_schema::NAME)
    {
        *name = ObjectName(vec![function.clone()]);
    }
}

/// `OPERATOR(pg_catalog.~)` is `~`.
fn plain_operator(op: &mut BinaryOperator) {
    let BinaryOperator::PGCustomBinaryOperator(parts) = op else { return };
    let plain = match parts.last().map(String::as_str) {
        Some("~") => BinaryOperator::PGRegexMatch,
        Some("~*") => BinaryOperator::PGRegexIMatch,
        Some("!~") => BinaryOperator::PGRegexNotMatch,
        Some("!~*") => BinaryOperator::PGRegexNotIMatch,
        Some("=") => BinaryOperator::Eq,
        Some("<>") => BinaryOperator::NotEq,
        Some("<") => BinaryOperator::Lt,
        Some("<=") => BinaryOperator::LtEq,
        Some(">") => BinaryOperator::Gt,
        Some(">=") => BinaryOperator::GtEq,
        Some("+") => BinaryOperator::Plus,
        Some("||") => BinaryOperator::StringConcat,
        _ => return,
    };
    *op = plain;
}

/// Whether a query has no rows, as it was found before its parts were visited.
fn is_without_rows(query: &Query) -> bool {
    match query.body.as_ref() {
        SetExpr::Select(select) => is_emptied(select),
        _ => false,
    }
}

/// What [`empty`] leaves.
fn is_emptied(select: &Select) -> bool {
    select.from.is_empty() && select.selection == Some(Expr::value(Value::Boolean(false)))
}

/// Empties every `SELECT` of a query that reads from a table without rows; true if all of them do.
fn without_rows(body: &mut SetExpr) -> bool {
    match body {
        SetExpr::Select(select) if reads_nothing(select) => {
            empty(select);
            true
        }
        SetExpr::SetOperation { left, right, .. } => {
            let (left, right) = (without_rows(left), without_rows(right));
            left && right
        }
        _ => false,
    }
}

/// Whether a `SELECT` gives no rows because a table that it reads, and does not only add, has none.
fn reads_nothing(select: &Select) -> bool {
    let has_groups = !matches!(&select.group_by, GroupByExpr::Expressions(groups, _) if groups.is_empty());
    let can_be_named = select.projection.iter().all(|item| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }));
    can_be_named && (has_groups || !select.projection.iter().any(aggregates)) && select.from.iter().any(is_empty_join)
}

fn is_empty_join(from: &TableWithJoins) -> bool {
    use JoinOperator::{CrossJoin, Inner, Join, Left, LeftOuter};
    let keeps_the_left =
        from.joins.iter().all(|join| matches!(join.join_operator, Join(_) | Inner(_) | CrossJoin(_) | Left(_) | LeftOuter(_)));
    let has_empty =
        from.joins.iter().any(|join| matches!(join.join_operator, Join(_) | Inner(_) | CrossJoin(_)) && is_empty_table(&join.relation));
    keeps_the_left && (has_empty || is_empty_table(&from.relation))
}

fn is_empty_table(table: &TableFactor) -> bool {
    match table {
        TableFactor::Table { name, args: None, .. } => catalog_table(name).is_some_and(|table| pg_catalog::is_empty(&table)),
        TableFactor::Derived { subquery, .. } => match subquery.body.as_ref() {
            SetExpr::Select(select) => reads_nothing(select),
            _ => false,
        },
        _ => false,
    }
}

/// Whether an item computes something over all rows, and so has a row even of none.
fn aggregates(item: &SelectItem) -> bool {
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { return true };
    const NAMES: [&str; 9] = ["count", "sum", "min", "max", "avg", "array_agg", "string_agg", "bool_and", "bool_or"];
    let is_one = |name: &Ident| NAMES.contains(&name.value.to_lowercase().as_str());
    visit_outside_subqueries(expr, |expr| match expr {
        Expr::Function(Function { name, .. }) if name.0.last().and_then(ObjectNamePart::as_ident).is_some_and(is_one) => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

/// Keeps the names of the columns, and nothing else.
fn empty(select: &mut Select) {
    for (number, item) in select.projection.iter_mut().enumerate() {
        let alias = match &*item {
            SelectItem::ExprWithAlias { alias, .. } => alias.clone(),
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => name.clone(),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().cloned().unwrap_or_else(|| Ident::new("column")),
            _ => Ident::new(format!("column{}", number.saturating_add(1))),
        };
        *item = SelectItem::ExprWithAlias { expr: Expr::value(Value::Null), alias };
    }
    select.from = vec![];
    select.distinct = None;
    select.selection = Some(Expr::value(Value::Boolean(false)));
    select.group_by = GroupByExpr::Expressions(vec![], vec![]);
    select.having = None;
}

#[cfg(test)]
mod tests {
    use super::super::command::{self, Command};
    use super::*;

    fn rewritten(text: &str) -> String {
        let Ok(Some(Command::Rows(mut statement))) = command::parse(text) else { panic!("{text}") };
        rewrite(&mut statement, &Relations::default()).unwrap();
        statement.to_string()
    }

    #[test]
    fn spellings_of_postgresql_become_plain() {
        for (text, expected) in [
            ("SELECT pg_catalog.format_type(1, 2)", "SELECT format_type(1, 2)"),
            ("SELECT a OPERATOR(pg_catalog.~) 'x'", "SELECT a ~ 'x'"),
            ("SELECT * FROM pg_class", "SELECT * FROM pg_catalog.pg_class"),
            ("SELECT * FROM balances", "SELECT * FROM balances"),
            ("SELECT 'pg_class'::regclass::oid", "SELECT 1259::INT UNSIGNED::INT UNSIGNED AS \"\u{1}0\u{1}oid\""),
            ("SELECT c.oid::pg_catalog.regclass", "SELECT regclass_name(c.oid) AS \"\u{1}0\u{1}oid\""),
            ("SELECT a, 1, a", "SELECT a, 1, a AS \"\u{1}2\u{1}a\""),
            ("SELECT c.oid, c.* FROM t c", "SELECT c.oid AS \"\u{1}0\u{1}oid\", c.* FROM t c"),
            ("SELECT a, ARRAY(SELECT b FROM t WHERE c = d)", "SELECT a, (SELECT array_agg(b) FROM t WHERE c = d)"),
            ("SELECT a, array(SELECT b FROM pg_catalog.unnest(c) b)", "SELECT a, NULL"),
            ("SELECT a, array_to_string(ARRAY(SELECT b FROM pg_policy), ',')", "SELECT a, NULL"),
            ("SELECT a, (SELECT b FROM pg_class)", "SELECT a, (SELECT first_value(b) FROM pg_catalog.pg_class)"),
            ("SELECT array_upper(a, 1)", "SELECT CAST(array_length(a, 1) AS BIGINT)"),
            ("SELECT a = 'pg_catalog.array_in'::regproc", "SELECT a = 'array_in' AS \"\u{1}0\u{1}?column?\""),
            ("SELECT CASE WHEN t.typtype = 'd' THEN 1 ELSE 2 END, CASE WHEN typtype = 'c' THEN 1 END AS b", "SELECT 2, NULL AS b"),
            ("SELECT CASE WHEN typtype = 'd' THEN 1 WHEN typtype = 'b' THEN 2 END", "SELECT CASE WHEN typtype = 'b' THEN 2 END"),
            ("SELECT a FROM pg_get_keywords()", "SELECT a FROM pg_catalog.pg_get_keywords"),
            ("SELECT a = ANY('{x}')", "SELECT a IN ('x')"),
            ("SELECT a::name, b::pg_catalog.text", "SELECT a::TEXT AS \"\u{1}0\u{1}a\", b::TEXT AS \"\u{1}1\u{1}b\""),
            (
                "SELECT a::name[], '{1,NULL}'::int[]",
                "SELECT a::TEXT[] AS \"\u{1}0\u{1}a\", ARRAY['1'::INT, NULL::INT] AS \"\u{1}1\u{1}_int4\"",
            ),
            (
                "SELECT a = ANY(ARRAY[1, 2]), b <> ALL ('{x,y}'::text[])",
                "SELECT a IN (1, 2), b NOT IN ('x'::TEXT, 'y'::TEXT) AS \"\u{1}1\u{1}?column?\"",
            ),
            (
                "SELECT a IN (SELECT trim(s[i]) FROM generate_series(1, 2) AS i, string_to_array(current_setting('search_path'), ',') s)",
                "SELECT a IN (current_schema())",
            ),
            ("SELECT a = ANY(ARRAY[]::int[]), b = ANY(c)", "SELECT false AS \"\u{1}0\u{1}?column?\", b = ANY(c)"),
            ("SELECT a = ANY(NULL::int[]), b <> ALL(NULL)", "SELECT a IN (NULL) AS \"\u{1}0\u{1}?column?\", b NOT IN (NULL)"),
            ("SELECT f(-5::numeric, '1E-12'::numeric, b::numeric)", "SELECT f(-5.0, 0.000000000001, b::NUMERIC) AS \"\u{1}0\u{1}f\""),
            ("SELECT a = ANY(ARRAY[1.5, (-2), NULL]::numeric[])", "SELECT a IN (1.5, (-2.0), NULL::NUMERIC) AS \"\u{1}0\u{1}?column?\""),
        ] {
            assert_eq!(rewritten(text), expected, "{text}");
        }
        let Ok(Some(Command::Rows(mut statement))) = command::parse("SELECT 'nothing'::regclass") else { panic!("no rows") };
        assert!(rewrite(&mut statement, &Relations::default()).is_err());
    }

    #[test]
    fn a_select_from_a_table_without_rows_has_none() {
        for (text, expected) in [
            ("SELECT p.a, f(b) AS c FROM pg_policy p ORDER BY p.a", "SELECT NULL AS a, NULL AS c WHERE false"),
            ("SELECT a FROM pg_class JOIN pg_catalog.pg_am ON x", "SELECT NULL AS a WHERE false"),
            ("SELECT x, (SELECT d FROM pg_attrdef)", "SELECT x, NULL"),
            ("SELECT r.a FROM (SELECT b AS a FROM pg_index) r WHERE f(r.a)", "SELECT NULL AS a WHERE false"),
            ("SELECT a, (SELECT max(b) FROM t) FROM pg_policy", "SELECT NULL AS a, NULL AS column2 WHERE false"),
        ] {
            assert_eq!(rewritten(text), expected, "{text}");
        }
        for kept in [
            "SELECT a FROM pg_catalog.pg_class LEFT JOIN pg_catalog.pg_am ON x",
            "SELECT count(*) FROM pg_catalog.pg_am",
            "SELECT * FROM pg_catalog.pg_am",
        ] {
            assert_eq!(rewritten(kept), kept);
        }
    }
}
