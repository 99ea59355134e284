//! Casts with names of their own.
//!
//! DataFusion leaves casts out of names, so the names of `sum(x)` and `sum(x::float8)` are one, and it refuses to compute both. It also
//! finds by name which groups and orders follow from keys: it took `GROUP BY x::date` for `GROUP BY x`, where `x` is a key, and grouped by
//! the columns that belong to the key, too; it left `y` out of `ORDER BY x::date, y`; and it showed the date for an `x` that no group has.
//! The casts of such a statement get a function around them, whose name differs. Planning takes it off again, and the name stays.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::sql::sqlparser::ast::{
    CastKind, Distinct, Expr as Sql, GroupByExpr, NamedWindowDefinition, NamedWindowExpr, OrderByExpr, PipeOperator, Query, Select,
    SelectItem, SetExpr, Statement, Value, VisitMut, VisitorMut, visit_expressions_mut,
};

use crate::columns::{for_each_select, is_cast, order_of};
use crate::spellings::one_spelling;
use crate::syntax::{call, change_outside_subqueries, visit_outside_subqueries};

/// The function around a cast.
const NAME: &str = "told_apart";
/// What is before the type of a cast that gives NULL where it fails.
const TRY: &str = "TRY ";

/// Marks the casts of every `SELECT` that groups or orders by one, or in which aggregates or groups differ only by casts, and those that
/// order the rows of other queries.
pub(crate) fn mark_casts(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Selects);
}

struct Selects;

impl VisitorMut for Selects {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        for_each_select(query, &mut |select, order| {
            if groups_or_orders_by_casts(select, order) || has_casts_alone_between(select, order) {
                // All of them, so that what a group and a column have in common stays the same.
                for expr in computed(select, order) {
                    change_outside_subqueries(expr, mark);
                }
            }
        });
        for by in order_of_results(query) {
            change_outside_subqueries(&mut by.expr, mark);
        }
        ControlFlow::Continue(())
    }
}

/// What orders rows by columns of the result alone: rows of `UNION`, of a query in parentheses, or of what is before `|>`.
fn order_of_results(query: &mut Query) -> impl Iterator<Item = &mut OrderByExpr> {
    let order: &mut [OrderByExpr] = match query.body.as_ref() {
        SetExpr::Select(_) => &mut [],
        _ => order_of(&mut query.order_by),
    };
    let piped = query.pipe_operators.iter_mut().filter_map(|operator| match operator {
        PipeOperator::OrderBy { exprs } => Some(exprs),
        _ => None,
    });
    order.iter_mut().chain(piped.flatten())
}

/// What a `SELECT` computes of the rows that its condition leaves.
fn computed<'a>(select: &'a mut Select, order: &'a mut [OrderByExpr]) -> Vec<&'a mut Sql> {
    let mut all: Vec<&mut Sql> = Vec::new();
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            all.push(expr);
        }
    }
    if let GroupByExpr::Expressions(groups, _) = &mut select.group_by {
        all.extend(groups);
    }
    if let Some(Distinct::On(on)) = &mut select.distinct {
        all.extend(on);
    }
    for NamedWindowDefinition(_, window) in &mut select.named_window {
        if let NamedWindowExpr::WindowSpec(window) = window {
            all.extend(&mut window.partition_by);
            all.extend(window.order_by.iter_mut().map(|by| &mut by.expr));
        }
    }
    all.extend(&mut select.having);
    all.extend(&mut select.qualify);
    all.extend(order.iter_mut().map(|by| &mut by.expr));
    all
}

/// Whether the name of a cast would be taken for a column.
fn groups_or_orders_by_casts(select: &Select, order: &[OrderByExpr]) -> bool {
    let on = match &select.distinct {
        Some(Distinct::On(on)) => on.as_slice(),
        _ => &[],
    };
    groups_of(select).iter().chain(on).chain(order.iter().map(|by| &by.expr)).any(is_cast)
}

/// What a `SELECT` groups by, with the columns that are meant by their numbers and names.
fn groups_of(select: &Select) -> Vec<Sql> {
    let GroupByExpr::Expressions(exprs, _) = &select.group_by else {
        return select.projection.iter().filter_map(item_expr).cloned().collect();
    };
    let meant = exprs.iter().filter_map(|group| match group {
        Sql::Identifier(name) => select.projection.iter().find_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } if alias.value.eq_ignore_ascii_case(&name.value) => Some(expr.clone()),
            _ => None,
        }),
        group => item_expr(select.projection.get(position(group)?.checked_sub(1)?)?).cloned(),
    });
    exprs.iter().cloned().chain(meant).collect()
}

fn item_expr(item: &SelectItem) -> Option<&Sql> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

fn has_casts_alone_between(select: &mut Select, order: &mut [OrderByExpr]) -> bool {
    if !computed(select, order).into_iter().any(|expr| is_cast(expr)) {
        return false;
    }
    let mut calls = Calls::default();
    computed(select, order).into_iter().any(|expr| calls.has_one_like_before(expr))
}

fn position(expr: &Sql) -> Option<usize> {
    match expr {
        Sql::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// Finds calls of functions that differ only by casts.
#[derive(Default)]
struct Calls {
    /// By what they are without casts.
    texts: BTreeMap<String, String>,
}

impl Calls {
    fn differs_from_one_before(&mut self, expr: &Sql) -> bool {
        let text = expr.to_string();
        let mut plain = expr.clone();
        let _ = visit_expressions_mut(&mut plain, |expr| {
            if let Sql::Cast { expr: inner, .. } | Sql::Nested(inner) = expr {
                *expr = std::mem::replace(inner.as_mut(), Sql::value(Value::Null));
            }
            ControlFlow::<()>::Continue(())
        });
        let before = self.texts.entry(plain.to_string()).or_insert_with(|| text.clone());
        *before != text
    }

    /// Whether an expression has a call that differs only by casts from one before.
    fn has_one_like_before(&mut self, expr: &Sql) -> bool {
        let is_one = |expr: &Sql| match expr {
            Sql::Function(_) if self.differs_from_one_before(expr) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        visit_outside_subqueries(expr, is_one).is_break()
    }
}

fn mark(expr: &mut Sql) {
    if let Sql::Cast { kind, expr: inner, data_type, .. } = expr
        // Some functions take only values as arguments.
        && !is_value(inner)
    {
        let may_fail = if matches!(kind, CastKind::TryCast | CastKind::SafeCast) { TRY } else { "" };
        let to = Sql::value(Value::SingleQuotedString(format!("{may_fail}{}", one_spelling(data_type))));
        *expr = call(NAME, vec![expr.clone(), to]);
    }
}

fn is_value(expr: &Sql) -> bool {
    match expr {
        Sql::Value(_) => true,
        Sql::Cast { expr, .. } | Sql::Nested(expr) | Sql::UnaryOp { expr, .. } => is_value(expr),
        _ => false,
    }
}

/// The function of a value and the type that it was cast to, which is the value.
pub(crate) fn told_apart() -> ScalarUDF {
    ScalarUDF::new_from_impl(ToldApart { signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ToldApart {
    signature: Signature,
}

impl ScalarUDFImpl for ToldApart {
    fn name(&self) -> &str {
        NAME
    }

    /// That of a cast, as it is in error messages.
    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        let [value, to] = arguments else { return plan_err!("{NAME} needs a value and a type") };
        let to = match to {
            Expr::Literal(to, _) => to.try_as_str().flatten().unwrap_or_default(),
            _ => "",
        };
        Ok(match to.strip_prefix(TRY) {
            Some(to) => format!("TRY_CAST({} AS {to})", value.schema_name()),
            None => format!("CAST({} AS {to})", value.schema_name()),
        })
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let Some(data_type) = types.first() else { return plan_err!("{NAME} needs a value") };
        Ok(data_type.clone())
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        let Some(field) = arguments.arg_fields.first() else { return plan_err!("{NAME} needs a value") };
        Ok(Arc::clone(field))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(value) = arguments.args.into_iter().next() else { return plan_err!("{NAME} needs a value") };
        Ok(value)
    }

    fn simplify(&self, arguments: Vec<Expr>, _: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let Some(value) = arguments.into_iter().next() else { return plan_err!("{NAME} needs a value") };
        Ok(ExprSimplifyResult::Simplified(value))
    }
}

#[cfg(test)]
mod tests {
    use crate::statement::{Statement, parse};
    use crate::testing::{TestData, at, balance, changes, message, rows};

    #[test]
    fn casts_are_marked_where_only_they_differ() {
        for (sql, expected) in [
            ("SELECT sum(a) AS x, sum(b::INT) AS y", "SELECT sum(a) AS x, sum(b::INT) AS y"),
            (
                "SELECT sum(a::INT) AS x, sum((a::INT)) AS y",
                "SELECT sum(told_apart(a::INT, 'INT')) AS x, sum((told_apart(a::INT, 'INT'))) AS y",
            ),
            ("SELECT sum(a) AS x, sum(a::INT) AS y", "SELECT sum(a) AS x, sum(told_apart(a::INT, 'INT')) AS y"),
            ("SELECT a::DATE AS x, sum(b) FROM t WHERE a::DATE > b", "SELECT a::DATE AS x, sum(b) FROM t WHERE a::DATE > b"),
            // Else DataFusion would take `a` for the group.
            (
                "SELECT a::DATE AS x, a FROM t GROUP BY a::DATE, b",
                "SELECT told_apart(a::DATE, 'DATE') AS x, a FROM t GROUP BY told_apart(a::DATE, 'DATE'), b",
            ),
            ("SELECT a::DATE AS x FROM t GROUP BY x", "SELECT told_apart(a::DATE, 'DATE') AS x FROM t GROUP BY x"),
            ("SELECT b FROM t ORDER BY a::DATE, b", "SELECT b FROM t ORDER BY told_apart(a::DATE, 'DATE'), b"),
            (
                "SELECT sum(a) OVER w AS x, sum(a::INT) OVER w AS y FROM t WINDOW w AS (PARTITION BY b::DATE)",
                "SELECT sum(a) OVER w AS x, sum(told_apart(a::INT, 'INT')) OVER w AS y FROM t \
                 WINDOW w AS (PARTITION BY told_apart(b::DATE, 'DATE'))",
            ),
            (
                "SELECT a::DATE AS x, a FROM t WHERE b::INT > 0 GROUP BY a::DATE, a",
                "SELECT told_apart(a::DATE, 'DATE') AS x, a FROM t WHERE b::INT > 0 GROUP BY told_apart(a::DATE, 'DATE'), a",
            ),
            ("SELECT a::DATE AS x, a FROM t GROUP BY 1, 2", "SELECT told_apart(a::DATE, 'DATE') AS x, a FROM t GROUP BY 1, 2"),
            (
                "SELECT a::INTEGER AS x FROM t GROUP BY CAST(a AS INT4)",
                "SELECT told_apart(a::INTEGER, 'INT') AS x FROM t GROUP BY told_apart(CAST(a AS INT4), 'INT')",
            ),
            ("(SELECT a FROM t) ORDER BY a::DATE, a", "(SELECT a FROM t) ORDER BY told_apart(a::DATE, 'DATE'), a"),
            (
                "SELECT a FROM t UNION SELECT a FROM u ORDER BY a::DATE, a",
                "SELECT a FROM t UNION SELECT a FROM u ORDER BY told_apart(a::DATE, 'DATE'), a",
            ),
            ("SELECT a FROM t |> ORDER BY a::DATE, a", "SELECT a FROM t |> ORDER BY told_apart(a::DATE, 'DATE'), a"),
            (
                "SELECT sum(a) AS x FROM (SELECT sum(a::INT) AS a FROM t) AS u",
                "SELECT sum(a) AS x FROM (SELECT sum(a::INT) AS a FROM t) AS u",
            ),
        ] {
            let Ok(Statement::Query(statement)) = parse(sql) else { panic!("{sql}") };
            assert_eq!(statement.to_string(), expected, "{sql}");
        }
    }

    #[test]
    fn aggregates_and_groups_may_differ_by_a_cast_alone() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("a", 12, at(2, 60)), 1), (balance("b", 5, at(2, 0)), 1)])]);
        let catalog = data.catalog();
        for (sql, expected) in [
            ("SELECT sum(posted), sum(posted::float8) FROM balances", vec!["17,17.0"]),
            ("SELECT sum(posted), sum(posted)::numeric(20,2), sum(posted::int)::text FROM balances", vec!["17,17,17"]),
            ("SELECT max(ts::date), max(ts) FROM balances", vec!["2026-01-02,2026-01-02T00:01:00Z"]),
            (
                "SELECT ts::date, ts, count(*) FROM balances GROUP BY ts::date, ts ORDER BY ts::date, ts",
                vec!["2026-01-02,2026-01-02T00:00:00Z,1", "2026-01-02,2026-01-02T00:01:00Z,1"],
            ),
            (
                "SELECT ts::date, ts, count(*) FROM balances GROUP BY 1, 2 ORDER BY 2",
                vec!["2026-01-02,2026-01-02T00:00:00Z,1", "2026-01-02,2026-01-02T00:01:00Z,1"],
            ),
            ("SELECT sum(posted) OVER (), sum(posted::float8) OVER () FROM balances LIMIT 1", vec!["17,17.0"]),
            ("SELECT sum(CAST(posted AS INT)), sum(TRY_CAST(posted AS INT)) FROM balances", vec!["17,17"]),
            (
                "SELECT CAST(posted AS INT), TRY_CAST(posted AS INT), count(*) FROM balances GROUP BY 1, 2 ORDER BY 1",
                vec!["5,5,1", "12,12,1"],
            ),
            ("SELECT count(*) FROM (SELECT sum(posted), sum(posted::float8) FROM balances GROUP BY account_id) t", vec!["2"]),
            ("SELECT arrow_typeof(sum(posted::float8)), arrow_typeof(sum(posted::int)) FROM balances", vec!["Float64,Int64"]),
        ] {
            assert_eq!(rows(&catalog, sql), expected, "{sql}");
        }
    }

    /// Three times on two days, each with a sum: keys of groups, whose columns follow from them.
    const SUMS: &str = "(SELECT x, SUM(y) AS s FROM (SELECT CAST(a AS TIMESTAMP) AS x, b AS y FROM (VALUES ('2026-01-01T08:00:00', 1), \
         ('2026-01-01T20:00:00', 2), ('2026-01-02T08:00:00', 3)) AS v(a, b)) GROUP BY x)";

    /// The answers follow from the definitions of SQL: rows of one date are one group, and those that are equal in a key of an order are
    /// ordered by the next.
    #[test]
    fn a_cast_of_a_key_is_not_the_key() {
        let catalog = TestData::new().catalog();
        for (sql, expected) in [
            (
                format!("SELECT x::date AS d, COUNT(*) AS n, SUM(s) AS t FROM {SUMS} GROUP BY x::date ORDER BY d"),
                ["2026-01-01,2,3", "2026-01-02,1,3"].as_slice(),
            ),
            (format!("SELECT x::date AS d, COUNT(*) AS n FROM {SUMS} GROUP BY 1 ORDER BY 1"), &["2026-01-01,2", "2026-01-02,1"]),
            (format!("SELECT x::date AS d, COUNT(*) AS n FROM {SUMS} GROUP BY d ORDER BY d"), &["2026-01-01,2", "2026-01-02,1"]),
            (
                format!("SELECT x::date AS d, COUNT(*) AS n FROM {SUMS} AS k GROUP BY k.x::date ORDER BY d"),
                &["2026-01-01,2", "2026-01-02,1"],
            ),
            (format!("SELECT x::date AS d, SUM(s) AS t FROM {SUMS} GROUP BY x::date HAVING COUNT(*) > 1"), &["2026-01-01,3"]),
            (format!("SELECT x::date AS d FROM {SUMS} GROUP BY x::date HAVING x::date > DATE '2026-01-01'"), &["2026-01-02"]),
            (format!("SELECT COUNT(*) FROM (SELECT x::date AS d, COUNT(*) AS n FROM {SUMS} GROUP BY x::date, s)"), &["3"]),
            (format!("SELECT COUNT(*) FROM (SELECT DISTINCT x::date FROM {SUMS})"), &["2"]),
            (format!("SELECT s FROM {SUMS} ORDER BY x::date, s DESC"), &["2", "1", "3"]),
            (format!("SELECT s FROM {SUMS} AS k ORDER BY k.x::date DESC, k.s DESC"), &["3", "2", "1"]),
            (format!("SELECT s FROM (SELECT DISTINCT ON (x::date) x, s FROM {SUMS} ORDER BY x::date, s DESC) ORDER BY s"), &["2", "3"]),
            (
                format!(
                    "SELECT s FROM (SELECT DISTINCT ON (x::date) x, s FROM {SUMS} ORDER BY x::date, s DESC) \
                     WHERE x < TIMESTAMP '2026-01-01T12:00:00'"
                ),
                &[],
            ),
        ] {
            assert_eq!(rows(&catalog, &sql), expected, "{sql}");
        }
        // So it is with the key of a table: each balance has an account and a currency of its own, and 011 is 11 as a number.
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("011", 12, at(2, 60)), 1), (balance("11", 5, at(2, 0)), 1)])]);
        let by_cast = "SELECT account_id::int AS n, currency, COUNT(*) AS m FROM balances GROUP BY account_id::int, currency";
        assert_eq!(rows(&data.catalog(), by_cast), ["11,EUR,2"]);
        let ordered = "SELECT posted FROM balances ORDER BY account_id::int, currency, posted";
        assert_eq!(rows(&data.catalog(), ordered), ["5", "12"]);
    }

    /// The accounts 011 and 11 are equal as numbers and in the currency, so the next key is what orders them.
    #[test]
    fn a_result_ordered_by_the_cast_of_a_key_is_ordered_by_what_is_next() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("011", 12, at(2, 60)), 1), (balance("11", 5, at(2, 0)), 1)])]);
        let catalog = data.catalog();
        let balances = "SELECT posted, account_id, currency FROM balances";
        for result in [format!("({balances})"), format!("(({balances}))"), format!("{balances} |>")] {
            for (next, expected) in [("posted", ["5,11,EUR", "12,011,EUR"]), ("posted DESC", ["12,011,EUR", "5,11,EUR"])] {
                let sql = format!("{result} ORDER BY account_id::int, currency, {next}");
                assert_eq!(rows(&catalog, &sql), expected, "{sql}");
            }
        }
        let all = rows(&catalog, "(SELECT * FROM balances) ORDER BY account_id::int, currency, posted");
        let accounts: Vec<_> = all.iter().filter_map(|row| row.split(',').next()).collect();
        assert_eq!(accounts, ["11", "011"]);
    }

    /// The rows are 011, 11 and 2, of which two are equal as numbers, so the next key is what orders them.
    #[test]
    fn rows_of_set_operations_are_ordered_by_what_is_next_to_a_cast() {
        let catalog = TestData::new().catalog();
        for operation in [
            "SELECT x FROM (VALUES ('011'), ('2')) AS t(x) UNION SELECT x FROM (VALUES ('11'), ('2')) AS t(x)",
            "SELECT x FROM (VALUES ('011'), ('2')) AS t(x) UNION ALL SELECT x FROM (VALUES ('11')) AS t(x)",
            "SELECT x FROM (VALUES ('011'), ('11'), ('2'), ('3')) AS t(x) INTERSECT SELECT x FROM (VALUES ('2'), ('11'), ('011')) AS t(x)",
            "SELECT x FROM (VALUES ('011'), ('11'), ('2'), ('3')) AS t(x) EXCEPT SELECT x FROM (VALUES ('3')) AS t(x)",
        ] {
            for (order, expected) in [
                ("x::int DESC, x", ["011", "11", "2"]),
                ("x::int DESC, x DESC", ["11", "011", "2"]),
                ("CAST(x AS INTEGER), x", ["2", "011", "11"]),
                ("CAST(x AS INTEGER), x DESC", ["2", "11", "011"]),
            ] {
                let sql = format!("{operation} ORDER BY {order}");
                assert_eq!(rows(&catalog, &sql), expected, "{sql}");
            }
        }
    }

    #[test]
    fn casts_to_spellings_of_one_type_are_one_group() {
        let (numbers, truths) = ("('1'), ('1'), ('2')", "('true'), ('true'), ('false')");
        let times = "('2026-01-01T08:00:00'), ('2026-01-01T08:00:00'), ('2026-01-02T08:00:00')";
        let catalog = TestData::new().catalog();
        for (one, other, values) in [
            ("int", "integer", numbers),
            ("integer", "int4", numbers),
            ("bigint", "int8", numbers),
            ("smallint", "int2", numbers),
            ("text", "varchar", numbers),
            ("varchar(1)", "character varying(1)", numbers),
            ("float8", "double precision", numbers),
            ("real", "float4", numbers),
            ("numeric(20,2)", "decimal(20,2)", numbers),
            ("numeric(20)", "decimal(20,0)", numbers),
            ("boolean", "bool", truths),
            ("timestamp", "timestamp without time zone", times),
            ("timestamptz", "timestamp with time zone", times),
        ] {
            for (cast, group) in [(one, other), (other, one)] {
                let groups =
                    format!("SELECT CAST(x AS {cast}) AS y, COUNT(*) AS n FROM (VALUES {values}) AS t(x) GROUP BY CAST(x AS {group})");
                let sql = format!("SELECT COUNT(*), SUM(n) FROM ({groups})");
                assert_eq!(rows(&catalog, &sql), ["2,3"], "{sql}");
            }
        }
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("a", 12, at(2, 60)), 1), (balance("b", 5, at(2, 0)), 1)])]);
        let catalog = data.catalog();
        for (sql, expected) in [
            ("SELECT posted::int, COUNT(*) FROM balances GROUP BY CAST(posted AS INTEGER) ORDER BY 1", ["5,1", "12,1"]),
            ("SELECT SUM(posted) AS s FROM balances GROUP BY posted::int ORDER BY CAST(posted AS INTEGER)", ["5", "12"]),
            ("SELECT posted::int AS p FROM balances GROUP BY posted::int4 HAVING posted::integer > 0 ORDER BY p", ["5", "12"]),
        ] {
            assert_eq!(rows(&catalog, sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_column_beside_a_group_of_its_cast_is_refused() {
        let catalog = TestData::new().catalog();
        for sql in [
            format!("SELECT x FROM {SUMS} GROUP BY x::date"),
            format!("SELECT x::date AS d, x::text AS t FROM {SUMS} GROUP BY x::date"),
            format!("SELECT COUNT(*) FROM {SUMS} GROUP BY x::date HAVING x > TIMESTAMP '2026-01-01T12:00:00'"),
        ] {
            let refused = message(&catalog, &sql);
            assert!(refused.contains("must be in GROUP BY") && !refused.contains("told_apart"), "{sql}: {refused}");
        }
    }
}
