//! `EXISTS` as a value.
//!
//! DataFusion plans `EXISTS` only as a condition on rows. In a list of columns it becomes a subquery that counts rows.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, LimitClause, Query, Select, SelectItem, SetExpr, Statement, TableFactor, Value, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::syntax::change_outside_subqueries;

/// A query that counts the rows of another, which replaces its inner one.
const COUNTING: &str = "SELECT count(*) > 0 FROM (SELECT 1) AS found";

/// Replaces every `EXISTS` in a list of columns. Conditions stay as they are: as joins they are fast.
pub(crate) fn count(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Lists);
}

struct Lists;

impl VisitorMut for Lists {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                change_outside_subqueries(expr, count_in_place);
            }
        }
        ControlFlow::Continue(())
    }
}

fn count_in_place(expr: &mut Expr) {
    if let Expr::Exists { subquery, negated } = expr
        && let Some(counting) = counting(subquery, *negated)
    {
        *expr = Expr::Subquery(Box::new(counting));
    }
}

/// A query whose one value is whether another one has rows, or none. `None` for a query that is no list of rows.
fn counting(query: &Query, negated: bool) -> Option<Query> {
    let mut counting = *Parser::new(&GenericDialect {}).try_with_sql(COUNTING).ok()?.parse_query().ok()?;
    let SetExpr::Select(outer) = counting.body.as_mut() else { return None };
    if negated && let [SelectItem::UnnamedExpr(Expr::BinaryOp { op, .. })] = outer.projection.as_mut_slice() {
        *op = BinaryOperator::Eq;
    }
    let mut query = query.clone();
    if let SetExpr::Select(inner) = query.body.as_mut()
        && is_plain(inner)
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.pipe_operators.is_empty()
    {
        // No column is looked at, and their names may meet.
        query.order_by = None;
        if inner.selection.is_some() {
            // The condition may be about rows of the outer query, which DataFusion does not find from a table within the subquery.
            inner.projection = std::mem::take(&mut outer.projection);
            return Some(query);
        }
        inner.projection = vec![SelectItem::UnnamedExpr(Expr::value(Value::Number("1".to_owned(), false)))];
    }
    if query.limit_clause.is_none() && query.fetch.is_none() {
        let one = Expr::value(Value::Number("1".to_owned(), false));
        query.limit_clause = Some(LimitClause::LimitOffset { limit: Some(one), offset: None, limit_by: vec![] });
    }
    let TableFactor::Derived { subquery, .. } = &mut outer.from.first_mut()?.relation else { return None };
    **subquery = query;
    Some(counting)
}

/// Whether a `SELECT` has as many rows as its tables together and its condition leave.
fn is_plain(select: &Select) -> bool {
    // Anything else may be computed over all rows, or have several rows.
    let is_of_one_row = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            matches!(expr, Expr::Value(_) | Expr::Identifier(_) | Expr::CompoundIdentifier(_))
        }
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => true,
        SelectItem::ExprWithAliases { .. } => false,
    };
    let has_groups = !matches!(&select.group_by, GroupByExpr::Expressions(groups, modifiers) if groups.is_empty() && modifiers.is_empty());
    !has_groups
        && select.having.is_none()
        && select.qualify.is_none()
        && select.distinct.is_none()
        && select.top.is_none()
        && select.into.is_none()
        && select.lateral_views.is_empty()
        && select.projection.iter().all(is_of_one_row)
}

#[cfg(test)]
mod tests {
    use crate::Format;
    use crate::statement::{Statement, parse};
    use crate::testing::{TestData, at, balance, changes, text};

    #[test]
    fn existence_in_a_list_of_columns_becomes_a_count() {
        for (sql, expected) in [
            ("SELECT EXISTS (SELECT a FROM t) AS e", "SELECT (SELECT count(*) > 0 FROM (SELECT 1 FROM t LIMIT 1) AS found) AS e"),
            (
                "SELECT NOT EXISTS (SELECT * FROM t WHERE t.a = u.a ORDER BY b) AS e FROM u",
                "SELECT NOT (SELECT count(*) > 0 FROM t WHERE t.a = u.a) AS e FROM u",
            ),
            (
                "SELECT CASE WHEN EXISTS (SELECT max(a) FROM t WHERE b) THEN 1 END AS e",
                "SELECT CASE WHEN (SELECT count(*) > 0 FROM (SELECT max(a) FROM t WHERE b LIMIT 1) AS found) THEN 1 END AS e",
            ),
            ("SELECT EXISTS (SELECT a FROM t LIMIT 0) AS e", "SELECT (SELECT count(*) > 0 FROM (SELECT a FROM t LIMIT 0) AS found) AS e"),
            (
                "SELECT EXISTS (SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a)) AS e",
                "SELECT (SELECT count(*) > 0 FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a)) AS e",
            ),
            ("SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u)", "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u)"),
        ] {
            let Ok(Statement::Query(statement)) = parse(sql) else { panic!("{sql}") };
            // `NOT EXISTS` may be parsed as one expression or as two, which say the same.
            let written = statement.to_string();
            let negated = expected.replace("NOT (SELECT count(*) > 0", "(SELECT count(*) = 0");
            assert!(written == expected || written == negated, "{sql}: {written}");
        }
    }

    #[test]
    fn existence_is_a_value() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("a", 12, at(2, 0)), 1), (balance("b", 5, at(1, 0)), 1)])]);
        let catalog = data.catalog();
        for (sql, expected) in [
            ("SELECT EXISTS(SELECT 1 FROM balances)", "exists\ntrue\n"),
            ("SELECT EXISTS(SELECT * FROM balances WHERE posted > 100) AS e", "e\nfalse\n"),
            ("SELECT NOT EXISTS(SELECT * FROM balances WHERE posted > 100) AS e", "e\ntrue\n"),
            ("SELECT EXISTS(SELECT max(posted) FROM balances WHERE posted > 100) AS e", "e\ntrue\n"),
            ("SELECT EXISTS(SELECT * FROM balances JOIN positions ON true) AS e", "e\nfalse\n"),
            ("SELECT CASE WHEN EXISTS(SELECT 1 FROM balances WHERE posted > 10) THEN 'some' ELSE 'none' END", "case\nsome\n"),
            (
                "SELECT account_id, EXISTS(SELECT 1 FROM balances o WHERE o.account_id = b.account_id) AS e FROM balances b ORDER BY 1",
                "account_id,e\na,true\nb,true\n",
            ),
            ("SELECT account_id FROM balances b WHERE EXISTS(SELECT 1 FROM positions)", "account_id\n"),
        ] {
            assert_eq!(text(&catalog, sql, Format::Csv).unwrap_or_else(|error| panic!("{sql}: {error}")), expected, "{sql}");
        }
    }
}
