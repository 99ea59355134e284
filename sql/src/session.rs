//! A DataFusion session with exact money and without writes.

use std::sync::Arc;

use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider};
use datafusion::common::Result;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::functions::core::coalesce;
use datafusion::functions_aggregate::bool_and_or::bool_and_udaf;
use datafusion::functions_aggregate::variance::var_samp_udaf;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::optimizer::{Analyzer, AnalyzerRule};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::ages::functions_of_ages;
use crate::averages::exact_average;
use crate::beside_aggregates::ConstantsBesideAggregates;
use crate::bounded::{bound_functions, bytes_of_a_batch};
use crate::committed::Committed;
use crate::conditions::ConditionsInOrder;
use crate::config::SqlConfig;
use crate::correlated::CorrelatedKeys;
use crate::decimals::{RULE_OF_NARROW_SUMS, WideDecimals, wide_sum};
use crate::derived::DerivedTables;
use crate::epochs::epoch_of;
use crate::evidence::{reason_events, reason_figures};
use crate::exact_numbers::as_numeric;
use crate::floats::FloatsBesideDecimals;
use crate::functions::functions;
use crate::hashes::md5_of_text;
use crate::identifiers::identifier_functions;
use crate::integers::{CheckedIntegers, SignedIntegers};
use crate::intervals::{ComparedIntervals, IntervalArithmetic, WindowsOfIntervals};
use crate::joined::JoinedTexts;
use crate::json_values::functions_of_json;
use crate::lateral::LateralConditions;
use crate::lateral_columns::LateralColumns;
use crate::lateral_lists::LateralLists;
use crate::layers::RepeatedLayers;
use crate::lengths::first_of_each;
use crate::like_escapes::like_pattern;
use crate::limited::LimitedSubqueries;
use crate::memberships::Memberships;
use crate::names::Names;
use crate::negation::negation;
use crate::number_patterns::number_to_char;
use crate::one_row::OneRow;
use crate::ordered_sets::functions_of_lists;
use crate::plans::Plans;
use crate::quantified::QuantifiedComparisons;
use crate::regexps::functions_of_patterns;
use crate::repetitions::{Repetitions, every_column};
use crate::rights::Rights;
use crate::rounded_times::rounded_time;
use crate::rounding::rounding_functions;
use crate::text_format::format_function;
use crate::time_texts::TimeTexts;
use crate::told_apart::told_apart;
use crate::type_names::pg_typeof;
use crate::window_keys::ComputedKeys;
use crate::yielding::YieldingJoins;
use crate::zones::at_time_zone;

/// The name of the catalog in `information_schema`.
pub(crate) const CATALOG: &str = "headwater";
/// The name of the schema that all tables are in.
pub(crate) const SCHEMA: &str = "public";

/// A session in which every name that may be read refers to its table at one commit.
pub(crate) fn session(
    committed: &Arc<Committed>,
    rights: &Rights,
    config: &SqlConfig,
    resources: &Arc<RuntimeEnv>,
) -> Result<Arc<SessionContext>> {
    let catalog = Arc::new(MemoryCatalogProvider::new());
    let mut state = SessionStateBuilder::new()
        .with_config(session_config(config))
        .with_runtime_env(Arc::clone(resources))
        .with_default_features()
        .with_analyzer_rules(rules_of_types())
        .with_physical_optimizer_rule(Arc::new(YieldingJoins))
        .build();
    state.register_expr_planner(Arc::new(WideDecimals))?;
    state.register_expr_planner(Arc::new(SignedIntegers))?;
    state.register_expr_planner(Arc::new(IntervalArithmetic))?;
    state.register_expr_planner(Arc::new(JoinedTexts::new(bytes_of_a_batch(config.memory_limit_bytes()))))?;
    state.catalog_list().register_catalog(CATALOG.to_owned(), Arc::clone(&catalog) as Arc<dyn CatalogProvider>);
    let session = Arc::new(SessionContext::new_with_state(state));
    functions().into_iter().for_each(|function| session.register_udf(function));
    identifier_functions().into_iter().for_each(|function| session.register_udf(function));
    session.register_udf(at_time_zone());
    session.register_udf(told_apart());
    session.register_udf(negation());
    session.register_udf(pg_typeof());
    session.register_udf(md5_of_text());
    session.register_udf(every_column());
    session.register_udf(as_numeric());
    session.register_udf(epoch_of());
    session.register_udf(rounded_time());
    session.register_udf(like_pattern());
    session.register_udf(format_function());
    session.register_udf(number_to_char());
    rounding_functions().into_iter().for_each(|function| session.register_udf(function));
    session.register_udf(first_of_each());
    functions_of_lists().into_iter().for_each(|function| session.register_udf(function));
    functions_of_ages().into_iter().for_each(|function| session.register_udf(function));
    functions_of_json().into_iter().for_each(|function| session.register_udf(function));
    functions_of_patterns().into_iter().for_each(|function| session.register_udf(function));
    // Those of DataFusion convert decimals to binary numbers.
    session.register_udf(coalesce().as_ref().clone().with_aliases(["ifnull", "nvl"]));
    session.register_udf(reason_figures());
    session.register_udf(reason_events());
    session.register_udaf(wide_sum());
    session.register_udaf(exact_average());
    // Names of PostgreSQL.
    session.register_udaf(var_samp_udaf().as_ref().clone().with_aliases(["variance"]));
    session.register_udaf(bool_and_udaf().as_ref().clone().with_aliases(["every"]));
    session.remove_optimizer_rule(RULE_OF_NARROW_SUMS);
    session.add_analyzer_rule(Arc::new(Repetitions));
    session.add_analyzer_rule(Arc::new(TimeTexts));
    session.add_analyzer_rule(Arc::new(ComparedIntervals));
    session.add_analyzer_rule(Arc::new(LimitedSubqueries));
    session.add_analyzer_rule(Arc::new(OneRow));
    session.add_analyzer_rule(Arc::new(QuantifiedComparisons));
    session.add_analyzer_rule(Arc::new(Memberships));
    session.add_analyzer_rule(Arc::new(LateralConditions));
    session.add_analyzer_rule(Arc::new(LateralLists));
    session.add_analyzer_rule(Arc::new(LateralColumns));
    session.add_analyzer_rule(Arc::new(ConstantsBesideAggregates));
    session.add_analyzer_rule(Arc::new(DerivedTables));
    session.add_analyzer_rule(Arc::new(CorrelatedKeys));
    session.add_analyzer_rule(Arc::new(CheckedIntegers));
    session.add_analyzer_rule(Arc::new(ComputedKeys));
    session.add_analyzer_rule(Arc::new(RepeatedLayers));
    session.add_analyzer_rule(Arc::new(ConditionsInOrder));
    bound_functions(&session, config.memory_limit_bytes());
    let names = Names::new(Arc::clone(committed), rights.clone(), Arc::downgrade(&session), config.clone());
    catalog.register_schema(SCHEMA, Arc::new(names))?;
    Ok(session)
}

/// DataFusion's rules, after those that come before it makes types the same.
fn rules_of_types() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let first: [Arc<dyn AnalyzerRule + Send + Sync>; 2] = [Arc::new(FloatsBesideDecimals), Arc::new(WindowsOfIntervals)];
    first.into_iter().chain(Analyzer::new().rules).collect()
}

fn session_config(config: &SqlConfig) -> SessionConfig {
    let mut session = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true)
        .with_extension(Arc::new(Plans::default()))
        .with_target_partitions(config.thread_count());
    let options = session.options_mut();
    // `0.1` is a decimal, so that `price * 1.1` is exact.
    options.sql_parser.parse_float_as_decimal = true;
    // One type of text everywhere: that of the tables.
    options.sql_parser.map_string_types_to_utf8view = false;
    options.execution.parquet.schema_force_view_types = false;
    // What a filter leaves out is not put together: of a million changes, an account has a few hundred.
    options.execution.parquet.pushdown_filters = true;
    options.execution.time_zone = Some("UTC".to_owned());
    session
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Money;
    use headwater_schemas::value::fixed;

    use crate::testing::{TestData, at, facts, leg, rows};

    #[test]
    fn literals_are_decimals_so_that_money_stays_exact() {
        let catalog = TestData::new().catalog();
        for (sql, expected) in [
            ("SELECT 0.1 + 0.2", "0.3"),
            ("SELECT 0.1 + 0.2 = 0.3", "true"),
            ("SELECT 1234567890.123456789 * 2", "2469135780.246913578"),
            ("SELECT NVL(1234567890.123456789, 0) - 0.000000001", "1234567890.123456788"),
            ("SELECT IFNULL(NULL, 1234567890.123456789) * 10", "12345678901.23456789"),
            ("SELECT NULLIF(1234567890.123456789, 0) + 0", "1234567890.123456789"),
            ("SELECT GREATEST(1234567890.123456789, 0) + LEAST(0, 0.000000001)", "1234567890.123456789"),
            ("SELECT NVL2(1, 1234567890.123456789, 0) + 0", "1234567890.123456789"),
            ("SELECT ABS(-1234567890.123456789) + ROUND(0.000000001, 9)", "1234567890.12345679"),
            ("SELECT ARROW_TYPEOF('text')", "Utf8"),
            ("SELECT CAST('2026-01-31T10:30:00+01:00' AS TIMESTAMPTZ)", "2026-01-31T09:30:00Z"),
        ] {
            assert_eq!(rows(&catalog, sql), [expected], "{sql}");
        }
    }

    /// DataFusion adds decimals without a check for overflow. The sum of a column of 28 digits could only wrap after i128::MAX / 10^28
    /// rows of the greatest amount there is; those with more digits are added in 256 bits ([`crate::decimals`]).
    #[test]
    fn a_sum_of_money_cannot_overflow_in_practice() {
        let rows_until_overflow = i128::MAX / fixed::MAX_UNITS;
        assert!(rows_until_overflow > 10_i128.pow(10));

        let mut data = TestData::new();
        let greatest = Money::from_units(fixed::MAX_UNITS);
        let legs: Vec<_> = (0..1000).map(|number| leg("t", number, "a", "EUR", greatest, at(1, 0))).collect();
        data.commit(vec![facts(&legs)]);
        let catalog = data.catalog();
        assert_eq!(rows(&catalog, "SELECT SUM(amount) FROM ledger_entries"), [thousand_times_the_greatest()]);
        assert_eq!(rows(&catalog, "SELECT ARROW_TYPEOF(SUM(amount)) FROM ledger_entries"), ["\"Decimal128(38, 9)\""]);
    }

    /// A thousand times the greatest amount: (10^28 − 1) × 1000 billionths.
    fn thousand_times_the_greatest() -> String {
        let units = fixed::MAX_UNITS * 1000;
        let mut text = String::new();
        fixed::write(units, &mut text).unwrap();
        text
    }
}
