//! `FETCH FIRST 3 ROWS WITH TIES`: the rows whose rank is at most 3.

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, Fetch, LimitClause, OrderBy, OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::QueryError;
use crate::places::place_of;
use crate::syntax::parsed;

/// A query around one whose rows have no expressions that could be ranked.
const AROUND: &str = "SELECT * FROM (SELECT 1) AS tied";

/// Filters by rank in place of the clause.
pub(crate) fn rank(query: &mut Query) -> Result<(), QueryError> {
    let Some(Fetch { with_ties: true, percent: false, quantity }) = &query.fetch else { return Ok(()) };
    let Some(OrderBy { kind: OrderByKind::Expressions(orders), .. }) = &query.order_by else {
        return Err(QueryError::Statement("WITH TIES cannot be specified without ORDER BY clause".to_owned()));
    };
    let count = quantity.as_ref().map_or_else(|| "1".to_owned(), |count| format!("({count})"));
    let last = match &query.limit_clause {
        None | Some(LimitClause::LimitOffset { limit: None, offset: None, .. }) => count,
        Some(LimitClause::LimitOffset { limit: None, offset: Some(offset), .. }) => format!("{count} + ({})", offset.value),
        Some(_) => return Err(refused()),
    };
    let is_plain = |select: &Select| !matches!(select.distinct, Some(Distinct::Distinct | Distinct::On(_))) && select.qualify.is_none();
    let ranked = match query.body.as_ref() {
        SetExpr::Select(select) if is_plain(select) => orders.iter().map(|by| with_expression(by, &select.projection)).collect(),
        _ => orders.clone(),
    };
    let is_number = |by: &OrderByExpr| place_of(&by.expr).is_some();
    if ranked.iter().any(is_number) {
        return Err(refused());
    }
    let ranked = ranked.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let condition = parsed(&format!("rank() OVER (ORDER BY {ranked}) <= {last}")).ok_or_else(refused)?;
    if !matches!(query.body.as_ref(), SetExpr::Select(select) if is_plain(select)) {
        let around = Parser::new(&GenericDialect {}).try_with_sql(AROUND).and_then(|mut parser| parser.parse_query());
        let mut around = around.map_err(|_| refused())?;
        std::mem::swap(&mut query.body, &mut around.body);
        put_in(query, around)?;
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return Err(refused()) };
    select.qualify = Some(condition);
    query.fetch = None;
    Ok(())
}

fn refused() -> QueryError {
    QueryError::Statement("this is not supported: WITH TIES here: write WHERE r <= 3 around rank() OVER (ORDER BY …) AS r".to_owned())
}

/// Puts a query's rows in place of those in [`AROUND`].
fn put_in(query: &mut Query, inner: Box<Query>) -> Result<(), QueryError> {
    use datafusion::sql::sqlparser::ast::TableFactor::Derived;
    let SetExpr::Select(select) = query.body.as_mut() else { return Err(refused()) };
    let Some(Derived { subquery, .. }) = select.from.first_mut().map(|table| &mut table.relation) else { return Err(refused()) };
    *subquery = inner;
    Ok(())
}

/// The expression that a position or a name in the list of columns stands for.
fn with_expression(by: &OrderByExpr, columns: &[SelectItem]) -> OrderByExpr {
    let of_item = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr.clone()),
        _ => None,
    };
    let is_named = |item: &&SelectItem| match (item, &by.expr) {
        (SelectItem::ExprWithAlias { alias, .. }, Expr::Identifier(name)) => alias.value.eq_ignore_ascii_case(&name.value),
        _ => false,
    };
    let expr = match place_of(&by.expr) {
        Some(place) => place.checked_sub(1).and_then(|place| columns.get(place)).and_then(of_item),
        None => columns.iter().find(is_named).and_then(of_item),
    };
    OrderByExpr { expr: expr.unwrap_or_else(|| by.expr.clone()), ..by.clone() }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn rows_that_are_as_high_as_the_last_one_are_there_too() {
        let catalog = TestData::new().catalog();
        let t = "(VALUES (1, 'a'), (2, 'b'), (2, 'c'), (3, 'd')) AS t(x, y)";
        for (sql, expected) in [
            (format!("SELECT x, y FROM {t} ORDER BY x FETCH FIRST 2 ROWS WITH TIES"), ["1,a", "2,b", "2,c"].as_slice()),
            (format!("SELECT x, y FROM {t} ORDER BY x FETCH FIRST ROW WITH TIES"), &["1,a"]),
            (format!("SELECT y AS x FROM {t} ORDER BY t.x DESC OFFSET 1 ROW FETCH NEXT 1 ROW WITH TIES"), &["b", "c"]),
            (format!("SELECT x + 1 AS z FROM {t} ORDER BY z FETCH FIRST 2 ROWS WITH TIES"), &["2", "3", "3"]),
            (format!("SELECT -x AS z, y FROM {t} ORDER BY 1 DESC FETCH FIRST 2 ROWS WITH TIES"), &["-1,a", "-2,b", "-2,c"]),
            (format!("SELECT x, COUNT(*) FROM {t} GROUP BY x ORDER BY COUNT(*) DESC FETCH FIRST 1 ROW WITH TIES"), &["2,2"]),
            (format!("SELECT DISTINCT x FROM {t} ORDER BY x FETCH FIRST 2 ROWS WITH TIES"), &["1", "2"]),
            (format!("SELECT x FROM {t} UNION ALL SELECT 1 ORDER BY x FETCH FIRST 1 ROW WITH TIES"), &["1", "1"]),
        ] {
            let mut found = rows(&catalog, &sql);
            found.sort_by(|a, b| a.trim_start_matches('-').cmp(b.trim_start_matches('-')));
            assert_eq!(found, expected, "{sql}");
        }
        let refused = message(&catalog, &format!("SELECT x FROM {t} FETCH FIRST 2 ROWS WITH TIES"));
        assert_eq!(refused, "WITH TIES cannot be specified without ORDER BY clause");
    }
}
