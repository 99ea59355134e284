//! Export as a Delta Lake table, which grows from export to export.

use std::path::Path;
use std::time::UNIX_EPOCH;

use arrow::datatypes::SchemaRef;

use super::file::write_parquet;
use super::log::{Added, DeltaLog, schema_string};
use super::plain::Plain;
use super::{ExportError, Exported, plain_rows, rows};
use crate::catalog::Catalog;
use crate::error::QueryError;
use crate::names::Relation;

/// Exports a relation into the table in `folder`. Facts and histories only grow, so only what is new is written; of other relations,
/// all rows are.
pub(super) fn export(catalog: &Catalog, name: &str, relation: Relation, folder: &Path) -> Result<Exported, ExportError> {
    std::fs::create_dir_all(folder).map_err(ExportError::file("creating", folder))?;
    let log = DeltaLog::read(folder)?;
    let grows = matches!(relation, Relation::Facts(_) | Relation::History(_));
    let commit_id = catalog.commit_id();
    match log.commit_id {
        Some(there) if there == commit_id => return Ok(Exported { path: folder.to_owned(), commit_id, rows: 0 }),
        Some(there) if there > commit_id => {
            let why = format!("it is as of commit {there}, later than {commit_id}: export an earlier commit into an empty folder");
            return Err(ExportError::Delta { path: folder.to_owned(), why });
        }
        _ => {}
    }
    let after = log.commit_id.filter(|_| grows);
    let result = catalog.query(&rows::query(catalog, name, relation, after)?)?;
    if result.commit_id() != commit_id {
        return Err(QueryError::execution("a newer commit was read than was asked for").into());
    }
    // The names of two exports differ, so none overwrites a file that the log names.
    let file_name = format!("{:020}-commit-{commit_id}.parquet", log.version);
    let path = folder.join(&file_name);
    let plain = plain_rows(name, result, Plain::Delta);
    let schema = SchemaRef::clone(&plain.schema);
    // Before a file is written, which no version would name.
    schema_string(name, &schema)?;
    let rows = write_parquet(&path, plain)?;
    let written = std::fs::metadata(&path).map_err(ExportError::file("reading", &path))?;
    // The file system's time: tables of Delta Lake know when their versions were made.
    let since_1970 = written.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let now = since_1970.and_then(|time| u64::try_from(time.as_millis()).ok()).unwrap_or(0);
    let is_kept = rows > 0;
    if !is_kept {
        std::fs::remove_file(&path).map_err(ExportError::file("removing", &path))?;
    }
    let added = Added { name: file_name, rows, bytes: written.len() };
    log.write(name, &schema, commit_id, is_kept.then_some(&added), !grows, now)?;
    Ok(Exported { path: folder.to_owned(), commit_id, rows })
}
