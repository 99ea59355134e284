//! The schema `information_schema` as PostgreSQL has it: relations and their columns, with PostgreSQL's names of types.

use std::sync::Arc;

use arrow::datatypes::DataType;

use super::listing::{Cell, Listing, Row, Tables, text};
use super::pg_catalog::{self, OWNER_NAME};
use super::relations::{Described, Relations};
use super::types::{self, PgType};
use crate::session::{CATALOG, SCHEMA};

/// The name of the schema.
pub(super) const NAME: &str = "information_schema";

/// Columns of the tables with rows, as [`listing`](super::listing) declares them.
const FILLED: &[(&str, &str)] = &[
    (
        "columns",
        "table_catalog:t table_schema:t table_name:t column_name:t ordinal_position:i column_default:t is_nullable:t data_type:t \
         character_maximum_length:n character_octet_length:n numeric_precision:n numeric_precision_radix:n numeric_scale:n \
         datetime_precision:n interval_type:t interval_precision:n character_set_catalog:t character_set_schema:t character_set_name:t \
         collation_catalog:t collation_schema:t collation_name:t domain_catalog:t domain_schema:t domain_name:t udt_catalog:t udt_schema:t \
         udt_name:t scope_catalog:t scope_schema:t scope_name:t maximum_cardinality:n dtd_identifier:t is_self_referencing:t is_identity:t \
         identity_generation:t identity_start:t identity_increment:t identity_maximum:t identity_minimum:t identity_cycle:t is_generated:t \
         generation_expression:t is_updatable:t",
    ),
    ("enabled_roles", "role_name:t"),
    ("information_schema_catalog_name", "catalog_name:t"),
    ("role_table_grants", GRANTS),
    (
        "schemata",
        "catalog_name:t schema_name:t schema_owner:t default_character_set_catalog:t default_character_set_schema:t \
         default_character_set_name:t sql_path:t",
    ),
    ("table_privileges", GRANTS),
    (
        "tables",
        "table_catalog:t table_schema:t table_name:t table_type:t self_referencing_column_name:t reference_generation:t \
         user_defined_type_catalog:t user_defined_type_schema:t user_defined_type_name:t is_insertable_into:t is_typed:t commit_action:t",
    ),
    (
        "views",
        "table_catalog:t table_schema:t table_name:t view_definition:t check_option:t is_updatable:t is_insertable_into:t \
         is_trigger_updatable:t is_trigger_deletable:t is_trigger_insertable_into:t",
    ),
];

/// Columns of the privileges on tables.
const GRANTS: &str = "grantor:t grantee:t table_catalog:t table_schema:t table_name:t privilege_type:t is_grantable:t with_hierarchy:t";

/// Columns of the tables without rows.
const EMPTY: &[(&str, &str)] = &[
    ("applicable_roles", "grantee:t role_name:t is_grantable:t"),
    ("check_constraints", "constraint_catalog:t constraint_schema:t constraint_name:t check_clause:t"),
    ("column_privileges", "grantor:t grantee:t table_catalog:t table_schema:t table_name:t column_name:t privilege_type:t is_grantable:t"),
    (
        "constraint_column_usage",
        "table_catalog:t table_schema:t table_name:t column_name:t constraint_catalog:t constraint_schema:t constraint_name:t",
    ),
    ("domains", "domain_catalog:t domain_schema:t domain_name:t data_type:t udt_catalog:t udt_schema:t udt_name:t"),
    (
        "key_column_usage",
        "constraint_catalog:t constraint_schema:t constraint_name:t table_catalog:t table_schema:t table_name:t column_name:t \
         ordinal_position:i position_in_unique_constraint:n",
    ),
    (
        "parameters",
        "specific_catalog:t specific_schema:t specific_name:t ordinal_position:i parameter_mode:t is_result:t parameter_name:t data_type:t \
         udt_name:t",
    ),
    (
        "referential_constraints",
        "constraint_catalog:t constraint_schema:t constraint_name:t unique_constraint_catalog:t unique_constraint_schema:t \
         unique_constraint_name:t match_option:t update_rule:t delete_rule:t",
    ),
    (
        "routines",
        "specific_catalog:t specific_schema:t specific_name:t routine_catalog:t routine_schema:t routine_name:t routine_type:t data_type:t \
         type_udt_name:t routine_body:t routine_definition:t external_language:t",
    ),
    (
        "sequences",
        "sequence_catalog:t sequence_schema:t sequence_name:t data_type:t start_value:t minimum_value:t maximum_value:t increment:t",
    ),
    (
        "table_constraints",
        "constraint_catalog:t constraint_schema:t constraint_name:t table_catalog:t table_schema:t table_name:t constraint_type:t \
         is_deferrable:t initially_deferred:t enforced:t",
    ),
    (
        "triggers",
        "trigger_catalog:t trigger_schema:t trigger_name:t event_manipulation:t event_object_schema:t event_object_table:t action_statement:t",
    ),
    ("view_table_usage", "view_catalog:t view_schema:t view_name:t table_catalog:t table_schema:t table_name:t"),
];

/// The schema, as a session sees it.
#[derive(Debug)]
pub(super) struct InformationSchema {
    relations: Arc<Relations>,
    user: String,
}

impl Listing for InformationSchema {
    const TABLES: Tables = [FILLED, EMPTY];

    fn rows(&self, name: &str) -> Vec<Row> {
        let all = self.relations.iter();
        match name {
            "columns" => all.flat_map(columns).collect(),
            "enabled_roles" => vec![vec![("role_name", text(&self.user))]],
            "information_schema_catalog_name" => vec![vec![("catalog_name", text(CATALOG))]],
            "role_table_grants" | "table_privileges" => all.map(|relation| self.grant(relation)).collect(),
            "schemata" => [NAME, pg_catalog::NAME, SCHEMA].map(schema).to_vec(),
            "tables" => all.map(relation_row).collect(),
            "views" => all.filter_map(view).collect(),
            _ => Vec::new(),
        }
    }
}

impl InformationSchema {
    pub(super) const fn new(relations: Arc<Relations>, user: String) -> Self {
        Self { relations, user }
    }

    /// Reading is all that anybody may.
    fn grant(&self, relation: &Described) -> Row {
        let [no, yes] = ["NO", "YES"].map(text);
        let given = [("privilege_type", text("SELECT")), ("is_grantable", no), ("with_hierarchy", yes)];
        let between = [("grantor", text(OWNER_NAME)), ("grantee", text(&self.user))];
        between.into_iter().chain(named(relation)).chain(given).collect()
    }
}

/// The name of a relation.
fn named(relation: &Described) -> [(&'static str, Cell); 3] {
    [("table_catalog", text(CATALOG)), ("table_schema", text(SCHEMA)), ("table_name", text(&relation.name))]
}

fn schema(name: &str) -> Row {
    vec![("catalog_name", text(CATALOG)), ("schema_name", text(name)), ("schema_owner", text(OWNER_NAME))]
}

fn relation_row(relation: &Described) -> Row {
    let table_type = if relation.definition.is_some() { "VIEW" } else { "BASE TABLE" };
    let more = [("table_type", text(table_type)), ("is_insertable_into", text("NO")), ("is_typed", text("NO"))];
    named(relation).into_iter().chain(more).collect()
}

fn view(relation: &Described) -> Option<Row> {
    let never = ["is_updatable", "is_insertable_into", "is_trigger_updatable", "is_trigger_deletable", "is_trigger_insertable_into"];
    let definition = [("view_definition", text(relation.definition?)), ("check_option", text("NONE"))];
    Some(named(relation).into_iter().chain(definition).chain(never.map(|name| (name, text("NO")))).collect())
}

fn columns(relation: &Described) -> Vec<Row> {
    let row = |(number, field): (i32, &Arc<arrow::datatypes::Field>)| {
        let pg_type = types::of_arrow(field.data_type());
        let column = [
            ("column_name", text(field.name())),
            ("ordinal_position", Cell::Integer(number)),
            ("is_nullable", text(if field.is_nullable() { "YES" } else { "NO" })),
            ("data_type", text(if pg_type.element == 0 { pg_type.sql_name } else { "ARRAY" })),
            ("udt_catalog", text(CATALOG)),
            ("udt_schema", text(pg_catalog::NAME)),
            ("udt_name", text(pg_type.name)),
            ("dtd_identifier", text(number.to_string())),
        ];
        let never = ["is_self_referencing", "is_identity", "identity_cycle", "is_updatable"].map(|name| (name, text("NO")));
        let digits = digits(pg_type, field.data_type()).into_iter().map(|(name, digits)| (name, Cell::Integer(digits)));
        named(relation).into_iter().chain(column).chain(never).chain([("is_generated", text("NEVER"))]).chain(digits).collect()
    };
    (1..).zip(relation.schema.fields()).map(row).collect()
}

/// How many digits a type has, and of which base.
fn digits(pg_type: PgType, data_type: &DataType) -> Vec<(&'static str, i32)> {
    let binary = |digits| vec![("numeric_precision", digits), ("numeric_precision_radix", 2)];
    match (pg_type, data_type) {
        (types::NUMERIC, DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale)) => {
            vec![("numeric_precision", i32::from(*precision)), ("numeric_precision_radix", 10), ("numeric_scale", i32::from(*scale))]
        }
        (types::INT2 | types::INT4 | types::INT8, _) => {
            let mut digits = binary(i32::from(pg_type.size) * 8);
            digits.push(("numeric_scale", 0));
            digits
        }
        (types::FLOAT4, _) => binary(24),
        (types::FLOAT8, _) => binary(53),
        (types::TIME | types::TIMESTAMP | types::TIMESTAMPTZ, _) => vec![("datetime_precision", 6)],
        (types::DATE, _) => vec![("datetime_precision", 0)],
        (types::TEXT, _) => vec![("character_octet_length", 1 << 30)],
        _ => Vec::new(),
    }
}
