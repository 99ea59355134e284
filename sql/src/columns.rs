//! Names for the columns that a statement gives none.
//!
//! DataFusion takes only columns whose names differ, and names a cast like what is cast. So `SELECT ts::date, ts` would fail: here, such
//! a column gets an internal name, which is taken off the rows again. In a subquery it gets the name that PostgreSQL gives it, where no
//! other column has that, so that it can be referred to.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, Ident, OrderBy, OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Statement as Sql, Value, Visit, VisitMut,
    Visitor, VisitorMut,
};

use crate::syntax::visit_outside_subqueries;
use crate::wire::label_of;

/// What separates an internal name's number from the name that is shown.
const SEPARATOR: char = '\u{1}';
/// PostgreSQL's name of what has none.
const NAMELESS: &str = "?column?";

/// Names the columns of every `SELECT` in a statement. Doing it again changes nothing.
pub(crate) fn name_columns(sql: &mut Sql) {
    let _ = VisitMut::visit(sql, &mut Naming { depth: 0, queries: 0 });
}

/// Calls a function with every `SELECT` of a query, other than those of its subqueries, and with what orders the rows of that `SELECT`
/// alone.
pub(crate) fn for_each_select(query: &mut Query, act: &mut impl FnMut(&mut Select, &mut [OrderByExpr])) {
    let order = order_of(&mut query.order_by);
    match query.body.as_mut() {
        SetExpr::Select(select) => act(select, order),
        body => for_each_operand(body, act),
    }
}

/// The expressions that rows are ordered by.
pub(crate) fn order_of(order_by: &mut Option<OrderBy>) -> &mut [OrderByExpr] {
    match order_by {
        Some(OrderBy { kind: OrderByKind::Expressions(order), .. }) => order,
        _ => &mut [],
    }
}

fn for_each_operand(body: &mut SetExpr, act: &mut impl FnMut(&mut Select, &mut [OrderByExpr])) {
    match body {
        SetExpr::Select(select) => act(select, &mut []),
        SetExpr::SetOperation { left, right, .. } => {
            for_each_operand(left, act);
            for_each_operand(right, act);
        }
        _ => {}
    }
}

/// The schema as it is shown; `None` if that is how it is.
pub(crate) fn shown_schema(schema: &Schema) -> Option<SchemaRef> {
    if !schema.fields().iter().any(|field| field.name().starts_with(SEPARATOR)) {
        return None;
    }
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_name(shown_name(field.name())));
    Some(Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())))
}

/// Rows with the names that are shown.
pub(crate) fn shown_rows(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let Some(schema) = shown_schema(&batch.schema()) else { return Ok(batch) };
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema, batch.columns().to_vec(), &options)
}

fn shown_name(name: &str) -> &str {
    match name.strip_prefix(SEPARATOR).and_then(|name| name.split_once(SEPARATOR)) {
        Some((_, shown)) => shown,
        None => name,
    }
}

/// A message without the internal part of names.
pub(crate) fn shown_text(text: &str) -> String {
    // Of a number between two separators, every second part.
    text.split(SEPARATOR).step_by(2).collect()
}

struct Naming {
    depth: usize,
    /// Queries that were begun. Their numbers keep internal names apart that meet in one query by way of `*`.
    queries: usize,
}

impl VisitorMut for Naming {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        // Operands are named as in a subquery: what orders their rows refers to columns by name.
        let is_outermost = self.depth == 0 && matches!(query.body.as_ref(), SetExpr::Select(_));
        let prefix = if self.queries == 0 { String::new() } else { format!("{}.", self.queries) };
        for_each_select(query, &mut |select, order| name_select(select, order, is_outermost, &prefix));
        self.depth = self.depth.saturating_add(1);
        self.queries = self.queries.saturating_add(1);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth = self.depth.saturating_sub(1);
        ControlFlow::Continue(())
    }
}

fn name_select(select: &mut Select, order: &mut [OrderByExpr], is_outermost: bool, prefix: &str) {
    let has_wildcard = select.projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    let is_filtered = select.having.is_some() || select.qualify.is_some();
    let naturals: Vec<String> = select.projection.iter().map(natural_name).collect();
    let mut columns_of_name: BTreeMap<&str, usize> = BTreeMap::new();
    for name in &naturals {
        let columns = columns_of_name.entry(name).or_default();
        *columns = columns.saturating_add(1);
    }
    let is_single = |name: &str| name != NAMELESS && columns_of_name.get(name) == Some(&1);
    let casts: BTreeSet<String> =
        select.projection.iter().filter_map(expr_of).filter(|expr| is_cast(expr)).map(ToString::to_string).collect();
    let ordering = columns_in(order.iter().map(|by| &by.expr).filter(|by| !casts.contains(&bare(by).to_string())));
    let within: BTreeSet<String> = order.iter().flat_map(|by| names_within(&by.expr)).collect();
    let (mut seen, mut by_name, mut by_text) = (Seen::default(), BTreeMap::new(), BTreeMap::new());
    for ((number, item), natural) in select.projection.iter_mut().enumerate().zip(&naturals) {
        let internal = || Ident::with_quote('"', format!("{SEPARATOR}{prefix}{number}{SEPARATOR}{natural}"));
        let (expr, alias) = match &*item {
            SelectItem::UnnamedExpr(expr) => {
                let is_cast = is_cast(expr);
                if !(seen.is_again(expr) || is_cast || is_parameter(expr) || is_outermost && has_wildcard) {
                    continue;
                }
                let can_be_referred_to = !is_outermost && !has_wildcard && is_single(natural) && !ordering.contains(natural);
                (expr, if can_be_referred_to { Ident::with_quote('"', natural) } else { internal() })
            }
            // `ORDER BY t.x` cannot be told from a column that is named `x`. HAVING and QUALIFY may refer to that by its name.
            SelectItem::ExprWithAlias { expr, alias }
                if is_outermost && !is_filtered && ordering.contains(natural) && !is_internal(alias) =>
            {
                (expr, internal())
            }
            // Neither can `ORDER BY sum(x)`, in which `x` is a column of the tables, from one of `sum(x) AS x`.
            SelectItem::ExprWithAlias { expr, alias } if is_outermost && !is_internal(alias) && orders_by_own(natural, expr, &within) => {
                (expr, internal())
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                if is_cast(expr) {
                    by_text.entry(expr.to_string()).or_insert_with(|| alias.clone());
                }
                continue;
            }
            _ => continue,
        };
        if is_single(natural) && is_internal(&alias) {
            by_name.insert(natural.clone(), alias.clone());
        }
        if is_cast(expr) {
            by_text.entry(expr.to_string()).or_insert_with(|| alias.clone());
        }
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
    }
    // As in PostgreSQL, a name alone, or the text of a column, is that column.
    let refer = |by: &mut Expr| {
        let column = match bare(by) {
            Expr::Identifier(name) => by_name.get(&natural_of(name)),
            Expr::CompoundIdentifier(_) | Expr::Value(_) => None,
            other => by_text.get(&other.to_string()),
        };
        if let Some(column) = column {
            *by = Expr::Identifier(column.clone());
        }
    };
    order.iter_mut().for_each(|by| refer(&mut by.expr));
    if let Some(Distinct::On(on)) = &mut select.distinct {
        on.iter_mut().for_each(refer);
    }
}

fn expr_of(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

/// The name that PostgreSQL gives a column; for those of a wildcard, one that no column has.
fn natural_name(item: &SelectItem) -> String {
    match item {
        SelectItem::UnnamedExpr(expr) => label_of(expr),
        SelectItem::ExprWithAlias { alias, .. } => shown_name(&natural_of(alias)).to_owned(),
        _ => String::new(),
    }
}

fn natural_of(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

fn is_internal(name: &Ident) -> bool {
    name.value.starts_with(SEPARATOR)
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

/// A parameter's value, and so its name, is not known yet.
fn is_parameter(expr: &Expr) -> bool {
    matches!(bare(expr), Expr::Value(value) if matches!(value.value, Value::Placeholder(_)))
}

/// The names of all columns with a qualifier.
fn columns_in<'a>(exprs: impl Iterator<Item = &'a Expr>) -> BTreeSet<String> {
    struct Qualified(BTreeSet<String>);
    impl Visitor for Qualified {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if let Expr::CompoundIdentifier(names) = expr {
                self.0.extend(names.last().map(natural_of));
            }
            ControlFlow::Continue(())
        }
    }
    let mut qualified = Qualified(BTreeSet::new());
    for expr in exprs {
        let _ = expr.visit(&mut qualified);
    }
    qualified.0
}

/// Whether rows are ordered by something computed from what a column is computed from, and is named like.
fn orders_by_own(name: &str, expr: &Expr, within: &BTreeSet<String>) -> bool {
    within.contains(name) && names_within(expr).contains(name)
}

/// The columns without a qualifier from which an expression is computed. A column itself is not computed.
fn names_within(expr: &Expr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if !matches!(bare(expr), Expr::Identifier(_)) {
        let _ = visit_outside_subqueries(expr, |expr| {
            if let Expr::Identifier(name) = expr {
                names.insert(natural_of(name));
            }
            ControlFlow::Continue(())
        });
    }
    names
}

/// Whether DataFusion's name of an expression is not its own: a cast is left out, and `EXISTS` is planned as something else.
pub(crate) fn is_cast(expr: &Expr) -> bool {
    let is_one = |expr: &Expr| match expr {
        Expr::Cast { .. } | Expr::Exists { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    visit_outside_subqueries(expr, is_one).is_break()
}

/// The columns before one in a list.
#[derive(Default)]
struct Seen {
    texts: BTreeSet<String>,
    /// Names of columns, with and without a qualifier.
    names: BTreeSet<String>,
    unqualified: BTreeSet<String>,
}

impl Seen {
    /// Whether DataFusion may give an expression the name of one before.
    fn is_again(&mut self, expr: &Expr) -> bool {
        let expr = bare(expr);
        let text = expr.to_string();
        // What is in quotes keeps its case.
        let text = if text.contains(['\'', '"']) { text } else { text.to_lowercase() };
        let is_new = self.texts.insert(text);
        match expr {
            Expr::Identifier(name) => {
                let name = natural_of(name);
                self.unqualified.insert(name.clone());
                !self.names.insert(name) || !is_new
            }
            Expr::CompoundIdentifier(names) => {
                let name = names.last().map(natural_of).unwrap_or_default();
                let is_unqualified = self.unqualified.contains(&name);
                self.names.insert(name);
                is_unqualified || !is_new
            }
            _ => !is_new,
        }
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Money;

    use super::*;
    use crate::Format;
    use crate::statement::{Statement, parse};
    use crate::testing::{TestData, at, balance, changes, facts, leg, rows, text};

    fn named(sql: &str) -> String {
        let Ok(Statement::Query(mut statement)) = parse(sql) else { panic!("{sql}") };
        let once = statement.to_string();
        name_columns(crate::syntax::sql_of_mut(&mut statement).unwrap());
        assert_eq!(statement.to_string(), once, "naming again changes nothing");
        once.replace(SEPARATOR, "|")
    }

    #[test]
    fn columns_whose_names_would_meet_get_internal_names() {
        for (sql, expected) in [
            ("SELECT a, b FROM t ORDER BY a", "SELECT a, b FROM t ORDER BY a"),
            ("SELECT a, 1, a", "SELECT a, 1, a AS \"|2|a\""),
            ("SELECT a, t.a FROM t", "SELECT a, t.a AS \"|1|a\" FROM t"),
            ("SELECT t.a, u.a FROM t, u", "SELECT t.a, u.a FROM t, u"),
            ("SELECT 'x', 'X', f(1), F(1)", "SELECT 'x', 'X', f(1), F(1) AS \"|3|f\""),
            ("SELECT a, t.* FROM t", "SELECT a AS \"|0|a\", t.* FROM t"),
            ("SELECT a::DATE FROM t ORDER BY a", "SELECT a::DATE AS \"|0|a\" FROM t ORDER BY \"|0|a\""),
            ("SELECT a::DATE, a FROM t ORDER BY a", "SELECT a::DATE AS \"|0|a\", a FROM t ORDER BY a"),
            ("SELECT a::DATE FROM t ORDER BY t.a, a + 1", "SELECT a::DATE AS \"|0|a\" FROM t ORDER BY t.a, a + 1"),
            ("SELECT DISTINCT a::DATE FROM t ORDER BY a::DATE", "SELECT DISTINCT a::DATE AS \"|0|a\" FROM t ORDER BY \"|0|a\""),
            (
                "SELECT DISTINCT ON (a) a::DATE FROM t ORDER BY a",
                "SELECT DISTINCT ON (\"|0|a\") a::DATE AS \"|0|a\" FROM t ORDER BY \"|0|a\"",
            ),
            ("SELECT t.a::DATE AS a FROM t ORDER BY t.a", "SELECT t.a::DATE AS \"|0|a\" FROM t ORDER BY t.a"),
            ("SELECT t.a::DATE AS a FROM t ORDER BY a", "SELECT t.a::DATE AS a FROM t ORDER BY a"),
            ("SELECT sum(t.a) AS a FROM t HAVING a > 1 ORDER BY sum(t.a)", "SELECT sum(t.a) AS a FROM t HAVING a > 1 ORDER BY sum(t.a)"),
        ] {
            assert_eq!(named(sql), expected, "{sql}");
        }
    }

    #[test]
    fn columns_of_subqueries_have_the_names_of_postgresql() {
        for (sql, expected) in [
            ("SELECT a FROM (SELECT a::DATE FROM t) AS u", "SELECT a FROM (SELECT a::DATE AS \"a\" FROM t) AS u"),
            ("SELECT a FROM (SELECT a::DATE, a FROM t) AS u", "SELECT a FROM (SELECT a::DATE AS \"|1.0|a\", a FROM t) AS u"),
            ("SELECT * FROM (SELECT *, a::DATE FROM t) AS u", "SELECT * FROM (SELECT *, a::DATE AS \"|1.1|a\" FROM t) AS u"),
            (
                "WITH u AS (SELECT max(a)::INT FROM t) SELECT max FROM u",
                "WITH u AS (SELECT max(a)::INT AS \"max\" FROM t) SELECT max FROM u",
            ),
            ("SELECT a::DATE FROM t UNION SELECT b FROM t ORDER BY a", "SELECT a::DATE AS \"a\" FROM t UNION SELECT b FROM t ORDER BY a"),
            ("SELECT * FROM (SELECT (a + 1)::INT FROM t) AS u", "SELECT * FROM (SELECT (a + 1)::INT AS \"int4\" FROM t) AS u"),
        ] {
            assert_eq!(named(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_column_is_read_beside_its_cast() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("a", 12, at(2, 60)), 1), (balance("b", 5, at(1, 0)), 1)])]);
        let catalog = data.catalog();
        for (sql, expected) in [
            ("SELECT ts::date, ts FROM balances ORDER BY ts", "ts,ts\n2026-01-01,2026-01-01T00:00:00Z\n2026-01-02,2026-01-02T00:01:00Z\n"),
            ("SELECT ts::date FROM balances ORDER BY ts", "ts\n2026-01-01\n2026-01-02\n"),
            ("SELECT ts::date FROM balances ORDER BY balances.ts DESC", "ts\n2026-01-02\n2026-01-01\n"),
            ("SELECT posted::numeric(20,2) FROM balances ORDER BY posted DESC", "posted\n12\n5\n"),
            // As in PostgreSQL, the column is what is ordered by: text.
            ("SELECT posted::int::text FROM balances ORDER BY posted", "posted\n12\n5\n"),
            ("SELECT DISTINCT ts::date FROM balances ORDER BY ts::date", "ts\n2026-01-01\n2026-01-02\n"),
            ("SELECT cast(balances.ts AS date) AS ts FROM balances ORDER BY balances.ts", "ts\n2026-01-01\n2026-01-02\n"),
            ("SELECT count(*)::int, count(*) FROM balances", "count,count(*)\n2,2\n"),
            ("SELECT 1, 1", "Int64(1),?column?\n1,1\n"),
            (
                "SELECT currency, max(posted) AS posted FROM balances GROUP BY currency HAVING max(posted) > 1 ORDER BY max(posted)",
                "currency,posted\nEUR,12\n",
            ),
            ("SELECT account_id, -posted AS posted FROM balances ORDER BY abs(posted), posted", "account_id,posted\nb,-5\na,-12\n"),
            ("SELECT ts FROM (SELECT ts::date FROM balances) t ORDER BY ts", "ts\n2026-01-01\n2026-01-02\n"),
            ("WITH t AS (SELECT ts::date, ts FROM balances) SELECT count(*) AS n FROM t", "n\n2\n"),
            ("SELECT * FROM (SELECT posted::int, posted FROM balances) t ORDER BY 1", "posted,posted\n5,5\n12,12\n"),
            ("SELECT ts::date, count(*) AS n FROM balances GROUP BY ts::date ORDER BY ts::date", "ts,n\n2026-01-01,1\n2026-01-02,1\n"),
            ("SELECT ts::date, count(*) AS n FROM balances GROUP BY 1 ORDER BY 1", "ts,n\n2026-01-01,1\n2026-01-02,1\n"),
        ] {
            assert_eq!(text(&catalog, sql, Format::Csv).unwrap_or_else(|error| panic!("{sql}: {error}")), expected, "{sql}");
        }
    }

    #[test]
    fn internal_names_are_in_no_message() {
        assert_eq!(shown_text("no field \u{1}0\u{1}a, but \u{1}1.0\u{1}b"), "no field a, but b");
        assert_eq!(shown_text("no field"), "no field");
    }

    #[test]
    fn internal_names_are_in_no_format() {
        let mut data = TestData::new();
        data.commit(vec![facts(&[leg("t", 1, "a", "EUR", Money::from_units(1_000_000_000), at(1, 0))])]);
        let catalog = data.catalog();
        let sql = "SELECT currency::text, amount::int FROM ledger_entries";
        assert_eq!(text(&catalog, sql, Format::Json).unwrap(), "[\n{\"currency\":\"EUR\",\"amount\":1}\n]\n");
        assert_eq!(text(&catalog, sql, Format::Csv).unwrap(), "currency,amount\nEUR,1\n");
        assert_eq!(rows(&catalog, &format!("{sql} WHERE false")), Vec::<String>::new());
    }
}
