//! The query for a table's rows, in an order that follows from the rows alone.

use arrow::datatypes::SchemaRef;

use super::ExportError;
use crate::catalog::Catalog;
use crate::names::Relation;
use crate::statement::double_quoted;

/// The rows of a relation; of facts and histories, if `after` is given, only those of later commits.
pub(super) fn query(catalog: &Catalog, name: &str, relation: Relation, after: Option<u64>) -> Result<String, ExportError> {
    let none = catalog.query(&format!("SELECT * FROM {} LIMIT 0", double_quoted(name)))?;
    let order: Vec<String> = order(relation, none.schema()).iter().map(|column| double_quoted(column)).collect();
    let later = after.map_or_else(String::new, |commit_id| format!(" WHERE commit_id > {commit_id}"));
    Ok(format!("SELECT * FROM {}{later} ORDER BY {}", double_quoted(name), order.join(", ")))
}

/// Facts by their time and histories by theirs, then by key; the rest tells rows of equal keys apart.
fn order(relation: Relation, schema: &SchemaRef) -> Vec<String> {
    let first: Vec<&str> = match relation {
        Relation::Facts(table) => [&["ts"], table.spec.key].concat(),
        Relation::History(table) => [&["commit_id", "tick"], table.spec.key].concat(),
        Relation::Current(table) => table.spec.key.to_vec(),
        Relation::Commits | Relation::View(_) => Vec::new(),
    };
    let sorts = |column: &&str| schema.field_with_name(column).is_ok_and(|field| !field.data_type().is_nested());
    let rest = schema.fields().iter().map(|field| field.name().as_str()).filter(|name| !first.contains(name));
    let mut order: Vec<String> = Vec::with_capacity(schema.fields().len());
    for column in first.iter().copied().chain(rest).filter(sorts) {
        if !order.iter().any(|known| known == column) {
            order.push(column.to_owned());
        }
    }
    order
}
