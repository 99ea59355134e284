//! PostgreSQL's syntax for what DataFusion has in another one.
//!
//! | in the statement | becomes |
//! |---|---|
//! | `FETCH FIRST 2 ROWS ONLY` | `LIMIT 2` |
//! | `(r).rule` | `r['rule']` |
//! | `x = ANY (ARRAY[1, NULL])`, `x <> ALL (ARRAY[1])` | `x IN (1, NULL)`, which leaves open what NULL does; `x NOT IN (1)` |
//! | `x SIMILAR TO 'a%'` | `x ~ '^(?:a.*)$'` |
//! | `FROM generate_series(1, 3) AS n`, `FROM unnest(l) AS e` | the same with a column `n`, `e` |
//! | `LATERAL unnest(l)`, `generate_series(1, t.n)` of a column | `unnest(l)`, `unnest(generate_series(1, t.n))` |
//! | `unnest(l) WITH ORDINALITY` | `unnest(l, generate_series(1, cardinality(l)))` |
//! | `EXTRACT(SECOND FROM t)`, `date_part('second', t)` | microseconds / 1000000, so that parts of a second count |
//! | `SELECT generate_series(1, 3)` | `SELECT unnest(generate_series(1, 3))`: a row for each |
//! | `localtimestamp`, `localtime`, `current_timestamp(3)` | `now()::timestamp`, `now()::time`, `now()::timestamptz(3)` |
//! | `x COLLATE "C"`, `x COLLATE "default"` | `x`: texts are compared byte by byte |
//! | `mod(x, y)`, `div(x, y)`, `sign(x)`, `timezone(z, t)` | `x % y`, `trunc(x / y)`, `signum(x)`, `t AT TIME ZONE z` |
//! | `array_length(l, 1)`, `array_upper(l, 1)`, `array_lower(l, 1)` | `nullif(array_length(l, 1), 0)`: an empty list has none; 1 if it has one |
//! | `l && m` of lists, `gen_random_uuid()`, `clock_timestamp()` and the like | `array_has_any(l, m)`, `uuid()`, `now()` |
//! | `date_trunc('day', ts, z)` | `date_trunc('day', ts AT TIME ZONE z) AT TIME ZONE z` |
//! | `substring(x FROM 'a+')`, `regexp_substr(x, 'a+')` | `(regexp_match(x, 'a+'))[1]` |
//! | `pg_typeof(1)` | `'integer'`: integers are `bigint` here |
//!
//! Aggregates of sorted values, ties, memberships of rows, JSON, comparisons of rows, `VALUES`, joins with columns in common, times with fewer digits and `ESCAPE` are in modules of their own.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CaseWhen, CastKind, DataType, DateTimeField, Expr, Fetch, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, LimitClause, ObjectName, Query, Select, SelectItem, Statement, Subscript, TableAlias, TableAliasColumnDef,
    TableFactor, TimezoneInfo, TypedString, Value, VisitMut, VisitorMut, visit_expressions,
};

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;

use crate::error::QueryError;
use crate::similar::pattern_of;
use crate::statement::quoted;
use crate::syntax::{call, literal, parsed};
use crate::{
    built_values, exact_numbers, full_joins, json_operators, json_values, like_escapes, ordered_sets, places, precedence, regexps,
    repetitions, rounded_times, row_memberships, rows, ties, value_lists,
};

/// Functions that have one column of rows, and name it like themselves.
const ROW_FUNCTIONS: [&str; 2] = ["generate_series", "range"];
const SERIES: &str = "generate_series";
const UNNEST: &str = "unnest";

/// Replaces all of them in a statement.
pub(crate) fn replace(statement: &mut Statement) -> Result<(), QueryError> {
    let mut syntax = Syntax { names_value: names_value(statement) };
    match VisitMut::visit(statement, &mut syntax) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Syntax {
    /// Whether the statement has a column `value`: DataFusion's name of what functions in `FROM` give, which stays for it.
    names_value: bool,
}

fn names_value(statement: &Statement) -> bool {
    visit_expressions(statement, |expr| {
        let name = match expr {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(names) => names.last(),
            _ => None,
        };
        if name.is_some_and(|name| name.value.eq_ignore_ascii_case("value")) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .is_break()
}

impl VisitorMut for Syntax {
    type Break = QueryError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<QueryError> {
        places::name(query);
        if let Err(error) = repetitions::number(&mut query.body).and_then(|()| ties::rank(query)) {
            return ControlFlow::Break(error);
        }
        limit(query);
        value_lists::cast_literals(&mut query.body);
        match full_joins::merge_columns(query) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<QueryError> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                series_as_rows(expr);
            }
        }
        match row_memberships::replace(select).and_then(|()| json_values::name_fields(select)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<QueryError> {
        plain_unnest(table);
        series_of_texts(table);
        lateral_series(table);
        name_column(table, self.names_value);
        number_elements(table);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<QueryError> {
        precedence::regroup(expr);
        match json_operators::call_function(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<QueryError> {
        if let Err(error) = rows::compare(expr) {
            return ControlFlow::Break(error);
        }
        like_escapes::call_function(expr);
        replace_by(time_of_now(expr), expr);
        rounded_times::call_function(expr);
        match expr {
            Expr::Collate { expr: text, collation } => match is_bytewise(collation) {
                true => *expr = text.as_ref().clone(),
                false => return ControlFlow::Break(collated(collation)),
            },
            Expr::CompoundFieldAccess { root, access_chain } if matches!(root.as_ref(), Expr::Nested(_)) => {
                access_chain.iter_mut().for_each(field_by_name);
            }
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => replace_by(expr_of_list(left, right, false), expr),
            Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => replace_by(expr_of_list(left, right, true), expr),
            Expr::BinaryOp { left, op: BinaryOperator::PGOverlap, right } => {
                *expr = call("array_has_any", vec![left.as_ref().clone(), right.as_ref().clone()]);
            }
            Expr::Extract { field: field @ (DateTimeField::Second | DateTimeField::Seconds), .. } => {
                *field = DateTimeField::Microsecond;
                *expr = seconds(expr.clone());
            }
            Expr::Substring { expr: text, substring_from: Some(pattern), substring_for: None, .. } if literal(pattern).is_some() => {
                replace_by(literal(pattern).map(|pattern| first_match(text, pattern)), expr);
            }
            Expr::Function(function) if is_named(&function.name, "date_part") => replace_by(seconds_of(function), expr),
            Expr::Function(function) => match of_other_functions(function) {
                Ok(other) => replace_by(other, expr),
                Err(error) => return ControlFlow::Break(error),
            },
            Expr::SimilarTo { negated, expr: text, pattern, escape_char } => match pattern_of(pattern, escape_char.as_ref()) {
                Ok(regex) => {
                    let op = if *negated { BinaryOperator::PGRegexNotMatch } else { BinaryOperator::PGRegexMatch };
                    *expr = Expr::BinaryOp { left: text.clone(), op, right: Box::new(Expr::value(regex)) };
                }
                Err(error) => return ControlFlow::Break(error),
            },
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn limit(query: &mut Query) {
    if !matches!(query.fetch, Some(Fetch { with_ties: false, percent: false, .. })) {
        return;
    }
    let number = |quantity: Option<Expr>| quantity.unwrap_or_else(|| Expr::value(Value::Number("1".to_owned(), false)));
    match &mut query.limit_clause {
        None => {
            let limit = query.fetch.take().map(|fetch| number(fetch.quantity));
            query.limit_clause = Some(LimitClause::LimitOffset { limit, offset: None, limit_by: vec![] });
        }
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = query.fetch.take().map(|fetch| number(fetch.quantity)),
        Some(_) => {}
    }
}

/// A series in a list of columns, alone or as a part of a computation, has a row for each value.
fn series_as_rows(expr: &mut Expr) {
    match expr {
        Expr::Function(function) if is_named(&function.name, SERIES) => *expr = call(UNNEST, vec![expr.clone()]),
        Expr::Cast { expr, .. } | Expr::Nested(expr) => series_as_rows(expr),
        Expr::BinaryOp { left, right, .. } => {
            series_as_rows(left);
            series_as_rows(right);
        }
        _ => {}
    }
}

/// Collations that compare texts byte by byte, as DataFusion does.
const BYTEWISE: [&str; 4] = ["C", "POSIX", "default", "ucs_basic"];

fn is_bytewise(collation: &ObjectName) -> bool {
    let name = collation.0.last().and_then(|part| part.as_ident());
    name.is_some_and(|name| BYTEWISE.iter().any(|known| name.value.eq_ignore_ascii_case(known)))
}

fn collated(collation: &ObjectName) -> QueryError {
    QueryError::Statement(format!(
        "this is not supported: COLLATE {collation}: texts are compared byte by byte, as with COLLATE \"C\"; lower(x) puts capital letters \
         beside small ones"
    ))
}

/// `localtimestamp` and the like, also with a number of digits.
fn time_of_now(expr: &Expr) -> Option<Expr> {
    let (name, digits) = match expr {
        Expr::Identifier(name) if name.quote_style.is_none() => (name.value.to_lowercase(), None),
        Expr::Function(function) => match arguments_of(function)?.as_slice() {
            [] => (function.name.to_string().to_lowercase(), None),
            [digits] => (function.name.to_string().to_lowercase(), Some(integer(digits)?)),
            _ => return None,
        },
        _ => return None,
    };
    let data_type = match (name.as_str(), digits) {
        ("localtimestamp", digits) => DataType::Timestamp(digits, TimezoneInfo::None),
        ("current_timestamp", digits @ Some(_)) => DataType::Timestamp(digits, TimezoneInfo::Tz),
        ("localtime", None) => DataType::Time(None, TimezoneInfo::None),
        _ => return None,
    };
    let now = Box::new(call("now", vec![]));
    Some(Expr::Cast { kind: CastKind::Cast, expr: now, data_type, array: false, format: None })
}

fn integer(expr: &Expr) -> Option<u64> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// The arguments of a plain call: not of an aggregate or a window with more than these.
fn arguments_of(function: &Function) -> Option<Vec<Expr>> {
    let list = match &function.args {
        FunctionArguments::None => return Some(vec![]),
        FunctionArguments::List(list) => list,
        FunctionArguments::Subquery(_) => return None,
    };
    let argument = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    list.args.iter().map(argument).collect()
}

/// What a function is computed by, if it is not one itself.
fn of_other_functions(function: &Function) -> Result<Option<Expr>, QueryError> {
    if let Some(other) = ordered_sets::call_of_list(function)? {
        return Ok(Some(other));
    }
    if let Some(other) = built_values::computation(function)? {
        return Ok(Some(other));
    }
    Ok(json_values::call_of_list(function).or_else(|| regexps::rows_of_list(function)).or_else(|| by_another_name(function)))
}

/// Functions that are operators, or have another name.
fn by_another_name(function: &Function) -> Option<Expr> {
    let arguments = arguments_of(function)?;
    let operation = |left: &Expr, op: BinaryOperator, right: &Expr| {
        let nested = |expr: &Expr| Box::new(Expr::Nested(Box::new(expr.clone())));
        Expr::Nested(Box::new(Expr::BinaryOp { left: nested(left), op, right: nested(right) }))
    };
    Some(match (function.name.to_string().to_lowercase().as_str(), arguments.as_slice()) {
        ("mod", [left, right]) => operation(left, BinaryOperator::Modulo, right),
        ("div", [left, right]) => {
            let quotient = operation(left, BinaryOperator::Divide, right);
            call("trunc", vec![call(exact_numbers::NAME, vec![quotient])])
        }
        ("sign", [number]) => call("signum", vec![number.clone()]),
        ("gen_random_uuid", []) => call("uuid", vec![]),
        ("clock_timestamp" | "statement_timestamp" | "transaction_timestamp", []) => call("now", vec![]),
        ("timezone", [zone, time]) => at_zone(time, zone),
        ("date_trunc", [part, time, zone]) => {
            let local = at_zone(time, zone);
            at_zone(&call("date_trunc", vec![part.clone(), local]), zone)
        }
        ("array_length", [list, dimension]) => call("nullif", vec![length_of(list, dimension), number(0)]),
        ("array_upper", [list, dimension]) => unless_empty(list, dimension, length_of(list, dimension)),
        ("array_lower", [list, dimension]) => unless_empty(list, dimension, number(1)),
        ("regexp_substr", [text, pattern]) => first_match(text, &format!("({})", literal(pattern)?)),
        ("pg_typeof", [number]) if integer(number).is_some_and(|number| i32::try_from(number).is_ok()) => {
            Expr::value(Value::SingleQuotedString("integer".to_owned()))
        }
        _ => return None,
    })
}

fn length_of(list: &Expr, dimension: &Expr) -> Expr {
    call("array_length", vec![list.clone(), dimension.clone()])
}

/// A value of a list, which an empty one does not have.
fn unless_empty(list: &Expr, dimension: &Expr, result: Expr) -> Expr {
    let condition = Expr::BinaryOp { left: Box::new(length_of(list, dimension)), op: BinaryOperator::Gt, right: Box::new(number(0)) };
    let (conditions, token) = (vec![CaseWhen { condition, result }], AttachedToken::empty());
    Expr::Case { case_token: token.clone(), end_token: token, operand: None, conditions, else_result: None }
}

fn number(number: i64) -> Expr {
    Expr::value(Value::Number(number.to_string(), false))
}

fn at_zone(time: &Expr, zone: &Expr) -> Expr {
    Expr::AtTimeZone { timestamp: Box::new(Expr::Nested(Box::new(time.clone()))), time_zone: Box::new(zone.clone()) }
}

/// The first group of a regular expression, or all of it if it has none.
fn first_match(text: &Expr, pattern: &str) -> Expr {
    let pattern = Expr::value(Value::SingleQuotedString(pattern.to_owned()));
    let matches = Expr::Nested(Box::new(call("regexp_match", vec![text.clone(), pattern])));
    let first = AccessExpr::Subscript(Subscript::Index { index: Expr::value(Value::Number("1".to_owned(), false)) });
    Expr::CompoundFieldAccess { root: Box::new(matches), access_chain: vec![first] }
}

fn is_named(name: &ObjectName, known: &str) -> bool {
    name.to_string().eq_ignore_ascii_case(known)
}

fn plain_unnest(table: &mut TableFactor) {
    let TableFactor::Function { name, args, alias, with_ordinality, .. } = table else { return };
    if !is_named(name, UNNEST) {
        return;
    }
    let expr = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    if let Some(array_exprs) = args.iter().map(expr).collect::<Option<Vec<_>>>() {
        let (alias, with_ordinality) = (alias.take(), *with_ordinality);
        *table = TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_offset_alias: None, with_ordinality };
    }
}

/// The ends and the step of a series of times may be texts, as in `generate_series(date '2026-01-01', '2026-03-01', '1 month')`.
fn series_of_texts(table: &mut TableFactor) {
    let (name, arguments) = match table {
        TableFactor::Table { name, args: Some(arguments), .. } => (name, &mut arguments.args),
        TableFactor::Function { name, args, .. } => (name, args),
        _ => return,
    };
    let [first, last, step] = arguments.as_mut_slice() else { return };
    let Some(data_type) = [&*first, &*last].into_iter().find_map(time_type_of).filter(|_| is_named(name, SERIES)) else { return };
    for end in [first, last] {
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(end)) = end
            && literal(end).is_some()
        {
            let expr = Box::new(end.clone());
            *end = Expr::Cast { kind: CastKind::Cast, expr, data_type: data_type.clone(), array: false, format: None };
        }
    }
    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(step)) = step
        && let Some(interval) = literal(step).and_then(|text| parsed(&format!("interval {}", quoted(text))))
    {
        *step = interval;
    }
}

/// The type of a time that is written with it.
fn time_type_of(argument: &FunctionArg) -> Option<DataType> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument else { return None };
    let (Expr::Cast { data_type, .. } | Expr::TypedString(TypedString { data_type, .. })) = expr else { return None };
    matches!(data_type, DataType::Date | DataType::Timestamp(..)).then(|| data_type.clone())
}

/// A series of columns of the tables before it is a list of each row, and one of times is a list, too: DataFusion's series of times needs
/// their seconds.
fn lateral_series(table: &mut TableFactor) {
    let (name, arguments, alias, with_ordinality) = match table {
        TableFactor::Table { name, args: Some(arguments), alias, with_ordinality, .. } => (name, &arguments.args, alias, *with_ordinality),
        TableFactor::Function { name, args, alias, with_ordinality, .. } => (name, &*args, alias, *with_ordinality),
        _ => return,
    };
    let argument = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    let Some(arguments) = arguments.iter().map(argument).collect::<Option<Vec<_>>>() else { return };
    let is_list = |expr: &Expr| {
        visit_expressions(expr, |expr| match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Subquery(_) => ControlFlow::Break(()),
            Expr::TypedString(TypedString { data_type: DataType::Timestamp(..), .. }) => ControlFlow::Break(()),
            Expr::Cast { data_type: DataType::Timestamp(..), .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
        .is_break()
    };
    if is_named(name, SERIES) && (with_ordinality || arguments.iter().any(is_list)) {
        name_by_alias(alias, SERIES);
        let (alias, array_exprs) = (alias.take(), vec![call(SERIES, arguments)]);
        *table = TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_offset_alias: None, with_ordinality };
    }
}

/// The places of elements are a second list.
fn number_elements(table: &mut TableFactor) {
    let TableFactor::UNNEST { alias, array_exprs, with_ordinality: with_ordinality @ true, .. } = table else { return };
    let [list] = array_exprs.as_slice() else { return };
    let one = Expr::value(Value::Number("1".to_owned(), false));
    let places = call(SERIES, vec![one, call("cardinality", vec![list.clone()])]);
    array_exprs.push(places);
    *with_ordinality = false;
    name_by_alias(alias, UNNEST);
    if let Some(TableAlias { columns, .. }) = alias
        && columns.len() == 1
    {
        columns.push(TableAliasColumnDef { name: Ident::new("ordinality"), data_type: None });
    }
}

/// As in PostgreSQL, the only column of a function has the name of its alias, or else of the function.
fn name_column(table: &mut TableFactor, names_value: bool) {
    match table {
        TableFactor::Table { name, args: Some(_), alias, .. } if !names_value => {
            if let Some(function) = ROW_FUNCTIONS.iter().find(|function| is_named(name, function)) {
                name_by_alias(alias, function);
            }
        }
        TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_ordinality: false, .. } if array_exprs.len() == 1 => {
            name_by_alias(alias, UNNEST);
        }
        _ => {}
    }
}

fn name_by_alias(alias: &mut Option<TableAlias>, function: &str) {
    let alias = alias.get_or_insert_with(|| TableAlias { explicit: true, name: Ident::new(function), columns: vec![], at: None });
    if alias.columns.is_empty() {
        alias.columns.push(TableAliasColumnDef { name: alias.name.clone(), data_type: None });
    }
}

/// Microseconds as seconds.
fn seconds(microseconds: Expr) -> Expr {
    let million = Expr::value(Value::Number("1000000.0".to_owned(), false));
    Expr::Nested(Box::new(Expr::BinaryOp { left: Box::new(microseconds), op: BinaryOperator::Divide, right: Box::new(million) }))
}

/// What `date_part` gives if it is asked for the seconds of a time.
fn seconds_of(function: &mut Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &mut function.args else { return None };
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(part)))) = list.args.first_mut() else { return None };
    match &mut part.value {
        Value::SingleQuotedString(text) if matches!(text.to_lowercase().as_str(), "second" | "seconds") => {
            "microsecond".clone_into(text);
        }
        _ => return None,
    }
    Some(seconds(Expr::Function(function.clone())))
}

fn field_by_name(access: &mut AccessExpr) {
    if let AccessExpr::Dot(Expr::Identifier(name)) = access {
        let name = if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() };
        *access = AccessExpr::Subscript(Subscript::Index { index: Expr::value(Value::SingleQuotedString(name)) });
    }
}

/// A comparison with a written list, which is the same as `IN`. An empty list has no type, and no member.
fn expr_of_list(left: &Expr, right: &Expr, negated: bool) -> Option<Expr> {
    let array = match right {
        Expr::Nested(inner) => return expr_of_list(left, inner, negated),
        Expr::Array(array) => array,
        _ => return None,
    };
    Some(match array.elem.is_empty() {
        true => Expr::value(Value::Boolean(negated)),
        false => Expr::InList { expr: Box::new(left.clone()), list: array.elem.clone(), negated },
    })
}

fn replace_by(other: Option<Expr>, expr: &mut Expr) {
    if let Some(other) = other {
        *expr = other;
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, at, changes, holding, message, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn what_postgresql_writes_otherwise_is_understood() {
        let catalog = TestData::new().catalog();
        for (sql, expected) in [
            ("SELECT x FROM (VALUES (1), (2), (3)) AS v(x) ORDER BY x FETCH FIRST 2 ROWS ONLY", ["1", "2"].as_slice()),
            ("SELECT x FROM (VALUES (1), (2), (3)) AS v(x) ORDER BY x OFFSET 1 ROW FETCH NEXT ROW ONLY", &["2"]),
            ("SELECT (r).rule FROM (SELECT named_struct('rule', 'night') AS r) AS t", &["night"]),
            ("SELECT 1 = ANY (ARRAY[2, NULL]) IS NULL, 1 <> ALL (ARRAY[2, NULL]) IS NULL", &["true,true"]),
            ("SELECT 1 = ANY (ARRAY[1, NULL]), 1 <> ALL (ARRAY[2, 3]), 1 = ANY (ARRAY[2])", &["true,true,false"]),
            (
                "SELECT EXTRACT(SECOND FROM t) AS a, date_part('second', t) AS b FROM (SELECT timestamp '2026-05-06 10:11:12.5' AS t) AS v",
                &["12.5,12.5"],
            ),
            (
                "SELECT EXTRACT(SECOND FROM t) AS s, COUNT(*) FROM (SELECT time '10:11:12' AS t) AS v GROUP BY EXTRACT(SECOND FROM t)",
                &["12,1"],
            ),
            ("SELECT EVERY(x > 0), VARIANCE(x) FROM (VALUES (1), (3)) AS v(x)", &["true,2.0"]),
            ("SELECT generate_series FROM generate_series(1, 2)", &["1", "2"]),
            ("SELECT n * 2, n.n FROM generate_series(1, 2) AS n", &["2,1", "4,2"]),
            (
                "SELECT d::date FROM generate_series(date '2026-01-01', date '2026-01-02', interval '1 day') AS d",
                &["2026-01-01", "2026-01-02"],
            ),
            ("SELECT d::date FROM generate_series('2026-01-31'::date, '2026-03-01', '1 month') AS d", &["2026-01-31", "2026-02-28"]),
            (
                "SELECT d FROM generate_series(timestamp '2026-01-01 00:00', '2026-01-01 12:00', '12 hours') AS d",
                &["2026-01-01T00:00:00", "2026-01-01T12:00:00"],
            ),
            ("SELECT k FROM generate_series(1, 5, 2) AS n(k)", &["1", "3", "5"]),
            ("SELECT n.value FROM generate_series(1, 2) AS n", &["1", "2"]),
            ("SELECT e FROM unnest(ARRAY['a', 'b']) AS e", &["a", "b"]),
            ("SELECT unnest FROM unnest(ARRAY['a', 'b'])", &["a", "b"]),
            ("SELECT generate_series(1, 2)", &["1", "2"]),
            ("SELECT generate_series(1, 2)::text || 'x' AS t", &["1x", "2x"]),
            ("SELECT e FROM (SELECT 1 AS x) AS t CROSS JOIN LATERAL unnest(ARRAY[5, 6]) AS u(e) ORDER BY e", &["5", "6"]),
            ("SELECT e FROM (SELECT ARRAY[5, 6] AS l) AS t CROSS JOIN LATERAL unnest(t.l) AS u(e) ORDER BY e", &["5", "6"]),
            ("SELECT localtimestamp <= now()::timestamp, localtime IS NOT NULL", &["true,true"]),
            ("SELECT x FROM (VALUES ('b'), ('A')) AS v(x) ORDER BY x COLLATE \"C\"", &["A", "b"]),
            ("SELECT 'a' ~ 'a' COLLATE pg_catalog.default AS c", &["true"]),
            ("SELECT mod(-7, 3), mod(7.5, 2) AS m, div(7, 2), div(-7.5, 2), sign(-3), 1 + mod(5 + 1, 4) AS n", &["-1,1.5,3,-3,-1.0,3"]),
            ("SELECT timezone('Asia/Tokyo', timestamptz '2026-01-05T14:30:00Z') AS t", &["2026-01-05T23:30:00"]),
            ("SELECT date_trunc('day', timestamptz '2026-01-05T23:30:00Z', 'Asia/Tokyo') AS t", &["2026-01-05T15:00:00Z"]),
            (
                "SELECT substring('INV-123' FROM '[0-9]+') AS a, substring('INV-123' FROM '([A-Z])[A-Z]+') AS b, substring('x' FROM '[0-9]') AS c",
                &["123,I,"],
            ),
            ("SELECT regexp_substr('abc123', '[0-9]+') AS a, substring('abcdef' FROM 2 FOR 3) AS b", &["123,bcd"]),
            (
                "SELECT array_length(l, 1), array_upper(l, 1), array_lower(l, 1), cardinality(l) FROM (VALUES (ARRAY[]::int[]), (ARRAY[5, 6])) AS v(l) \
                 ORDER BY 4",
                &[",,,0", "2,2,1,2"],
            ),
            ("SELECT array_length(ARRAY[1, 2], 2) AS n", &[""]),
            ("SELECT ARRAY[1, 2] && ARRAY[2, 3] AS a, ARRAY[1] && ARRAY[3] AS b", &["true,false"]),
            ("SELECT length(gen_random_uuid()::text) AS n, clock_timestamp() IS NOT NULL AS b", &["36,true"]),
            ("SELECT pg_typeof(1), pg_typeof(9999999999), pg_typeof(1.5), pg_typeof(1::bigint)", &["integer,bigint,numeric,bigint"]),
        ] {
            assert_eq!(rows(&catalog, sql), expected, "{sql}");
        }
        let refused = message(&catalog, "SELECT x COLLATE \"en_US\" AS x FROM (VALUES ('a')) AS v(x)");
        assert!(refused.starts_with("this is not supported: COLLATE \"en_US\": texts are compared byte by byte"), "{refused}");
        for (sql, way_out) in [
            (
                "SELECT SUM(x) OVER (ORDER BY x ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW) FROM (VALUES (1)) AS v(x)",
                "write sum(x) OVER (…) - x",
            ),
            ("SELECT 1 WHERE 2 BETWEEN SYMMETRIC 3 AND 1", "write x BETWEEN least(a, b) AND greatest(a, b)"),
        ] {
            let refused = message(&catalog, sql);
            assert!(refused.contains(way_out), "{sql}: {refused}");
        }
        let refused = message(&catalog, "SELECT x FROM (VALUES (1)) AS v(x) ORDER BY x FETCH FIRST 1 PERCENT ROWS ONLY");
        assert!(refused.starts_with("this is not supported: FETCH"), "{refused}");
    }

    #[test]
    fn a_field_named_by_a_dot_is_that_of_a_structure() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(holding("S", 5, None, at(1, 0)), 1)])]);
        let sql = "SELECT (h).symbol FROM (SELECT named_struct('symbol', symbol) AS h FROM holdings) AS t WHERE (h).symbol LIKE 'S%'";
        assert_eq!(rows(&data.catalog(), sql), ["S"]);
    }
}
