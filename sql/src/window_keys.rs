//! Keys of windows that are computed, kept apart from columns.
//!
//! DataFusion 55 moves a filter on `x` below a window with `PARTITION BY x`, and takes a key for a column if their names are the same.
//! A cast has the name of what is cast, so with `PARTITION BY x::date` a filter on a column `x` without a qualifier took rows away before
//! the window counted them. [`ComputedKeys`] gives every computed key a name that no column has.

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

use crate::named_expressions::replace_named;

/// Names the computed keys of windows.
#[derive(Debug)]
pub(crate) struct ComputedKeys;

impl AnalyzerRule for ComputedKeys {
    fn name(&self) -> &'static str {
        "computed_keys"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(with_named_keys).map(|plan| plan.data)
    }
}

fn with_named_keys(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Window(window) = &plan else { return Ok(Transformed::no(plan)) };
    let columns: Vec<String> = window.input.schema().fields().iter().map(|field| field.name().clone()).collect();
    let with_named_keys = |expr: Expr| expr.transform_up(|expr| Ok(with_names(expr, &columns)));
    replace_named(plan, with_named_keys)?.map_data(LogicalPlan::recompute_schema)
}

fn with_names(expr: Expr, columns: &[String]) -> Transformed<Expr> {
    let Expr::WindowFunction(mut window) = expr else { return Transformed::no(expr) };
    let is_named = |key: &Expr| match key {
        Expr::Column(_) => true,
        Expr::Alias(alias) => !columns.contains(&alias.name),
        _ => false,
    };
    if window.params.partition_by.iter().all(is_named) {
        return Transformed::no(Expr::WindowFunction(window));
    }
    let keys = std::mem::take(&mut window.params.partition_by).into_iter();
    window.params.partition_by = keys.map(|key| if is_named(&key) { key } else { named(key, columns) }).collect();
    Transformed::yes(Expr::WindowFunction(window))
}

fn named(key: Expr, columns: &[String]) -> Expr {
    let mut name = key.to_string();
    while columns.contains(&name) {
        name.push('\'');
    }
    key.alias(name)
}

#[cfg(test)]
mod tests {
    use crate::render::Format;
    use crate::testing::{TestData, rows, text};

    /// Two rows of one day and one of the next, with columns that have no qualifier.
    const ROWS: &str = "(SELECT CAST(a AS TIMESTAMP) AS x, b AS y, CAST(c AS DECIMAL(9,1)) AS z FROM (VALUES \
         ('2026-01-01T08:00:00', 1, 1.4), ('2026-01-01T20:00:00', 2, 0.6), ('2026-01-02T08:00:00', 3, 2.0)) AS v(a, b, c))";

    /// The answers follow from the definition: a window sees all rows of its FROM and WHERE.
    #[test]
    fn a_filter_on_a_column_leaves_the_rows_of_windows_over_its_cast_alone() {
        let catalog = TestData::new().catalog();
        let noon = "TIMESTAMP '2026-01-01T12:00:00'";
        let later = format!("WHERE x > {noon}");
        for (window, filter, expected) in [
            ("ROW_NUMBER() OVER (PARTITION BY x::date ORDER BY x)", later.as_str(), ["2,2", "3,1"]),
            ("COUNT(*) OVER (PARTITION BY x::date)", &later, ["2,2", "3,1"]),
            ("SUM(y) OVER (PARTITION BY x::date)", &later, ["2,3", "3,3"]),
            ("SUM(y) OVER (PARTITION BY CAST(x AS DATE))", &later, ["2,3", "3,3"]),
            ("SUM(y) OVER (PARTITION BY TRY_CAST(x AS DATE))", &later, ["2,3", "3,3"]),
            ("SUM(y) OVER (PARTITION BY x::date::timestamp)", &later, ["2,3", "3,3"]),
            ("SUM(y) OVER (PARTITION BY DATE_TRUNC('day', x))", &later, ["2,3", "3,3"]),
            ("LAG(y) OVER (PARTITION BY x::date ORDER BY x)", &later, ["2,1", "3,"]),
            // 1.4 and 0.6 are both rounded to 1.
            ("SUM(y) OVER (PARTITION BY z::int)", "WHERE z < 1 OR z > 1.5", ["2,3", "3,3"]),
            ("SUM(y) OVER (PARTITION BY z::int)", "WHERE z <> 1.4", ["2,3", "3,3"]),
            // A column is a key of its own, of which a filter takes all rows or none.
            ("SUM(y) OVER (PARTITION BY x)", &later, ["2,2", "3,3"]),
            ("SUM(y) OVER (PARTITION BY x, x::date)", &later, ["2,2", "3,3"]),
        ] {
            let sql = format!("SELECT y, n FROM (SELECT x, y, z, {window} AS n FROM {ROWS}) {filter} ORDER BY y");
            assert_eq!(rows(&catalog, &sql), expected, "{sql}");
        }
    }

    #[test]
    fn windows_over_a_column_and_its_cast_stand_beside_each_other() {
        let catalog = TestData::new().catalog();
        let both = format!(
            "SELECT y, n, m FROM (SELECT x, y, COUNT(*) OVER (PARTITION BY x::date) AS n, COUNT(*) OVER (PARTITION BY x) AS m FROM {ROWS}) \
             WHERE x > TIMESTAMP '2026-01-01T12:00:00' ORDER BY y"
        );
        assert_eq!(rows(&catalog, &both), ["2,2,1", "3,1,1"]);
    }

    #[test]
    fn qualify_leaves_the_rows_of_windows_alone() {
        let catalog = TestData::new().catalog();
        let qualified =
            format!("SELECT y FROM {ROWS} QUALIFY x > TIMESTAMP '2026-01-01T12:00:00' AND COUNT(*) OVER (PARTITION BY x::date) = 2");
        assert_eq!(rows(&catalog, &qualified), ["2"]);
    }

    #[test]
    fn a_named_window_is_as_one_in_its_place() {
        let catalog = TestData::new().catalog();
        let named = format!(
            "SELECT y, n FROM (SELECT x, y, SUM(y) OVER w AS n FROM {ROWS} WINDOW w AS (PARTITION BY x::date)) \
             WHERE x > TIMESTAMP '2026-01-01T12:00:00' ORDER BY y"
        );
        assert_eq!(rows(&catalog, &named), ["2,3", "3,3"]);
    }

    #[test]
    fn a_window_with_a_computed_key_keeps_its_name() {
        let catalog = TestData::new().catalog();
        let sql = "SELECT SUM(x) OVER (PARTITION BY x * 2) FROM (SELECT 1 AS x) AS t";
        let frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING";
        assert_eq!(text(&catalog, sql, Format::Csv).unwrap(), format!("sum(t.x) PARTITION BY [t.x * Int64(2)] {frame}\n1\n"));
    }
}
