//! PostgreSQL's syntax for what DataFusion has in another one.
//!
//! | in the statement | becomes |
//! |---|---|
//! | `FETCH FIRST 2 ROWS ONLY` | `LIMIT 2` |
//! | `(r).rule` | `r['rule']` |
//! | `x = ANY (ARRAY[1, NULL])`, `x <> ALL (ARRAY[1])` | `x IN (1, NULL)`, which leaves open what NULL does; `x NOT IN (1)` |
//! | `x SIMILAR TO 'a%'` | `x ~ '^(?:a.*)$'` |
//! | `FROM generate_series(1, 3) AS n`, `FROM unnest(l) AS e` | the same with a column `n`, `e` |
//! | `LATERAL unnest(l)` | `unnest(l)` |
//! | `EXTRACT(SECOND FROM t)`, `date_part('second', t)` | microseconds / 1000000, so that parts of a second count |
//! | `SELECT generate_series(1, 3)` | `SELECT unnest(generate_series(1, 3))`: a row for each |

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, DateTimeField, Expr, Fetch, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, LimitClause,
    ObjectName, Query, Select, SelectItem, Statement, Subscript, TableAlias, TableAliasColumnDef, TableFactor, Value, VisitMut, VisitorMut,
    visit_expressions,
};

use crate::error::QueryError;
use crate::similar::pattern_of;
use crate::syntax::call;

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
        limit(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<QueryError> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                series_as_rows(expr);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<QueryError> {
        plain_unnest(table);
        name_column(table, self.names_value);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<QueryError> {
        match expr {
            Expr::CompoundFieldAccess { root, access_chain } if matches!(root.as_ref(), Expr::Nested(_)) => {
                access_chain.iter_mut().for_each(field_by_name);
            }
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => replace_by(expr_of_list(left, right, false), expr),
            Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => replace_by(expr_of_list(left, right, true), expr),
            Expr::Extract { field: field @ (DateTimeField::Second | DateTimeField::Seconds), .. } => {
                *field = DateTimeField::Microsecond;
                *expr = seconds(expr.clone());
            }
            Expr::Function(function) if is_named(&function.name, "date_part") => replace_by(seconds_of(function), expr),
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
            ("SELECT k FROM generate_series(1, 5, 2) AS n(k)", &["1", "3", "5"]),
            ("SELECT n.value FROM generate_series(1, 2) AS n", &["1", "2"]),
            ("SELECT e FROM unnest(ARRAY['a', 'b']) AS e", &["a", "b"]),
            ("SELECT unnest FROM unnest(ARRAY['a', 'b'])", &["a", "b"]),
            ("SELECT generate_series(1, 2)", &["1", "2"]),
            ("SELECT generate_series(1, 2)::text || 'x' AS t", &["1x", "2x"]),
            ("SELECT e FROM (SELECT 1 AS x) AS t CROSS JOIN LATERAL unnest(ARRAY[5, 6]) AS u(e) ORDER BY e", &["5", "6"]),
        ] {
            assert_eq!(rows(&catalog, sql), expected, "{sql}");
        }
        let refused = message(&catalog, "SELECT e FROM (SELECT ARRAY[5, 6] AS l) AS t CROSS JOIN LATERAL unnest(t.l) AS u(e)");
        assert!(refused.contains("unnest of its columns is planned in a list of columns"), "{refused}");
        let refused = message(&catalog, "SELECT x FROM (VALUES (1)) AS v(x) ORDER BY x FETCH FIRST 1 ROW WITH TIES");
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
