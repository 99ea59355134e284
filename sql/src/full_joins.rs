//! Columns that `RIGHT JOIN` and `FULL JOIN` have in common: `l FULL JOIN r USING (id)`.
//!
//! In PostgreSQL, `id` is the value of the side that has one. DataFusion 55 takes that of the left side, which is NULL for rows that only
//! the right side has. Here `id` becomes `coalesce(l.id, r.id)`, wherever it is written without a table, and in `*`.

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, OrderByExpr, Query, ReplaceSelectElement, ReplaceSelectItem,
    Select, SelectItem, TableFactor, TableWithJoins, WildcardAdditionalOptions,
};

use crate::columns::for_each_select;
use crate::error::QueryError;
use crate::syntax::{call, change_outside_subqueries};

/// Puts the values of both sides for the columns that joins of a query have in common.
pub(crate) fn merge_columns(query: &mut Query) -> Result<(), QueryError> {
    let mut result = Ok(());
    for_each_select(query, &mut |select, order| match merged_columns(select) {
        Ok(columns) if columns.is_empty() => {}
        Ok(columns) => replace(select, order, &columns),
        Err(error) => result = Err(error),
    });
    result
}

/// A column that both sides of a join have, and its value.
struct Merged {
    name: Ident,
    value: Expr,
}

fn merged_columns(select: &Select) -> Result<Vec<Merged>, QueryError> {
    let mut merged = Vec::new();
    for TableWithJoins { relation, joins } in &select.from {
        let Some(place) = joins.iter().position(keeps_the_right_side) else { continue };
        // Which table of several on the left has a column is not known here, nor which one a later join would mean.
        let (Some(join), [], true) =
            (joins.get(place), joins.get(..place).unwrap_or_default(), !joins.iter().skip(place + 1).any(has_common))
        else {
            return Err(refused());
        };
        let (Some(JoinConstraint::Using(names)), Some(left), Some(right)) =
            (constraint(&join.join_operator), name_of(relation), name_of(&join.relation))
        else {
            return Err(refused());
        };
        for name in names {
            let Some(name) = name.0.last().and_then(|part| part.as_ident()) else { return Err(refused()) };
            let side = |table: &[Ident]| Expr::CompoundIdentifier(table.iter().chain([name]).cloned().collect());
            merged.push(Merged { name: name.clone(), value: call("coalesce", vec![side(&left), side(&right)]) });
        }
    }
    Ok(merged)
}

fn refused() -> QueryError {
    QueryError::Statement(
        "this is not supported: RIGHT or FULL JOIN with columns in common (NATURAL, or USING) beside other joins: write ON l.id = r.id, and \
         coalesce(l.id, r.id) for the column"
            .to_owned(),
    )
}

fn keeps_the_right_side(join: &Join) -> bool {
    use JoinOperator::{FullOuter, Right, RightOuter};
    matches!(&join.join_operator, Right(_) | RightOuter(_) | FullOuter(_)) && has_common(join)
}

fn has_common(join: &Join) -> bool {
    matches!(constraint(&join.join_operator), Some(JoinConstraint::Using(_) | JoinConstraint::Natural))
}

const fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    use JoinOperator::{FullOuter, Inner, Join, Left, LeftOuter, Right, RightOuter};
    match operator {
        Join(constraint)
        | Inner(constraint)
        | Left(constraint)
        | LeftOuter(constraint)
        | Right(constraint)
        | RightOuter(constraint)
        | FullOuter(constraint) => Some(constraint),
        _ => None,
    }
}

/// The name by which columns of a table are qualified.
fn name_of(table: &TableFactor) -> Option<Vec<Ident>> {
    match table {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => Some(vec![alias.name.clone()]),
        TableFactor::Table { name: ObjectName(parts), alias: None, .. } => Some(vec![parts.last()?.as_ident()?.clone()]),
        _ => None,
    }
}

fn replace(select: &mut Select, order: &mut [OrderByExpr], columns: &[Merged]) {
    let merged = |name: &Ident| columns.iter().find(|column| is_same(&column.name, name));
    for item in &mut select.projection {
        match item {
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => {
                if let Some(column) = merged(name) {
                    *item = SelectItem::ExprWithAlias { expr: column.value.clone(), alias: name.clone() };
                }
            }
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => put_values(expr, columns),
            SelectItem::Wildcard(options) => put_values_in_wildcard(options, columns),
            _ => {}
        }
    }
    select.selection.iter_mut().chain(&mut select.having).chain(&mut select.qualify).for_each(|expr| put_values(expr, columns));
    if let GroupByExpr::Expressions(groups, _) = &mut select.group_by {
        groups.iter_mut().for_each(|expr| put_values(expr, columns));
    }
    // A column of the result is meant by its name.
    let is_shown = |expr: &Expr| match expr {
        Expr::Identifier(name) => select.projection.iter().any(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => is_same(alias, name),
            SelectItem::Wildcard(_) => true,
            _ => false,
        }),
        _ => false,
    };
    order.iter_mut().filter(|by| !is_shown(&by.expr)).for_each(|by| put_values(&mut by.expr, columns));
}

fn put_values(expr: &mut Expr, columns: &[Merged]) {
    change_outside_subqueries(expr, |expr| {
        if let Expr::Identifier(name) = expr
            && let Some(column) = columns.iter().find(|column| is_same(&column.name, name))
        {
            *expr = column.value.clone();
        }
    });
}

fn put_values_in_wildcard(options: &mut WildcardAdditionalOptions, columns: &[Merged]) {
    let items = &mut options.opt_replace.get_or_insert_with(|| ReplaceSelectItem { items: vec![] }).items;
    for Merged { name, value } in columns {
        if !items.iter().any(|item| is_same(&item.column_name, name)) {
            items.push(Box::new(ReplaceSelectElement { expr: value.clone(), column_name: name.clone(), as_keyword: true }));
        }
    }
}

fn is_same(one: &Ident, other: &Ident) -> bool {
    match (one.quote_style, other.quote_style) {
        (None, None) => one.value.eq_ignore_ascii_case(&other.value),
        (None, Some(_)) => one.value.to_lowercase() == other.value,
        (Some(_), None) => one.value == other.value.to_lowercase(),
        (Some(_), Some(_)) => one.value == other.value,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_column_in_common_has_the_value_of_the_side_that_has_one() {
        let catalog = TestData::new().catalog();
        let tables = "WITH l AS (SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(id, v)), \
             r AS (SELECT * FROM (VALUES (2, 'x'), (3, 'y')) AS v(id, w))";
        for (query, expected) in [
            ("SELECT id, v, w FROM l FULL JOIN r USING (id) ORDER BY id", ["1,a,", "2,b,x", "3,,y"].as_slice()),
            ("SELECT * FROM l FULL JOIN r USING (id) ORDER BY id DESC", &["3,,y", "2,b,x", "1,a,"]),
            ("SELECT id, v, w FROM l RIGHT JOIN r USING (id) ORDER BY w", &["2,b,x", "3,,y"]),
            ("SELECT * FROM l RIGHT OUTER JOIN r USING (id) ORDER BY w", &["2,b,x", "3,,y"]),
            ("SELECT l.id, id AS i, r.id AS j FROM l FULL JOIN r USING (id) ORDER BY i", &["1,1,", "2,2,2", ",3,3"]),
            ("SELECT w FROM l FULL JOIN r USING (id) WHERE id > 1 ORDER BY id + 0", &["x", "y"]),
            ("SELECT id % 2 AS odd, COUNT(*) FROM l FULL JOIN r USING (id) GROUP BY id % 2 ORDER BY 1", &["0,1", "1,2"]),
            ("SELECT id, COUNT(*) FROM l FULL JOIN r USING (id) GROUP BY id ORDER BY id", &["1,1", "2,1", "3,1"]),
            ("SELECT MAX(id) FROM (SELECT id FROM l AS a FULL JOIN r AS b USING (id)) AS t", &["3"]),
            ("SELECT id, v, w FROM l LEFT JOIN r USING (id) ORDER BY id", &["1,a,", "2,b,x"]),
            ("SELECT COUNT(*) FROM l FULL JOIN r USING (id)", &["3"]),
        ] {
            assert_eq!(rows(&catalog, &format!("{tables} {query}")), expected, "{query}");
        }
        for joined in ["l NATURAL FULL JOIN r", "l JOIN l AS k USING (id) RIGHT JOIN r USING (id)"] {
            let refused = message(&catalog, &format!("{tables} SELECT id FROM {joined}"));
            assert!(refused.starts_with("this is not supported: RIGHT or FULL JOIN with columns in common"), "{joined}: {refused}");
        }
    }
}
