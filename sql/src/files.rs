//! Live Parquet files, for programs that read them directly.

use std::path::{Path, PathBuf};

use headwater_connectors::parquet::chain::{Chain, CommitFile};
use headwater_connectors::parquet::directory::HISTORY_SUFFIX;
use headwater_connectors::parquet::record::FileRole;
use headwater_schemas::tables::TableKind;

use crate::catalog::check_directory;
use crate::error::{CatalogError, QueryError};
use crate::names::Relation;
use crate::suggestions::unknown_table;

/// The files of a table, or of all tables, at the newest commit.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LiveFiles {
    /// The Parquet files, in the order of the commits that added them.
    pub paths: Vec<PathBuf>,
    /// Number of rows that are still in segments.
    pub segment_rows: u64,
}

/// The files of a table, of a history, or of all of them, at the newest commit of a data directory.
///
/// The files of an append table and of a history hold its rows. Those of a checkpoint hold changes, of which the newest per key
/// counts. The current rows of a state table follow from its history, so there are no files under its own name.
pub fn live_files(data: &Path, name: Option<&str>) -> Result<LiveFiles, QueryError> {
    check_directory(data)?;
    let chain = Chain::open(data, None).map_err(CatalogError::from)?;
    let dataset = name.map(dataset).transpose()?;
    let is_asked = |file: &&CommitFile| dataset.as_ref().is_none_or(|(table, role)| *file.table == **table && file.role == *role);
    let mut live = LiveFiles::default();
    for file in chain.live().files().iter().map(|file| &**file).filter(is_asked) {
        match file.part {
            Some(_) => live.segment_rows += file.rows,
            None => live.paths.push(data.join(&*file.path)),
        }
    }
    Ok(live)
}

/// The table and role of a name.
fn dataset(name: &str) -> Result<(&'static str, FileRole), QueryError> {
    let none = |why: String| Err(QueryError::Statement(format!("{name} {why}")));
    match Relation::named(name) {
        None => Err(QueryError::Statement(unknown_table(name))),
        Some(Relation::Facts(table)) => Ok((table.spec.name, FileRole::Rows)),
        Some(Relation::History(table)) => Ok((table.spec.name, FileRole::History)),
        Some(Relation::Current(table)) if table.spec.kind == TableKind::Checkpoint => Ok((table.spec.name, FileRole::State)),
        Some(Relation::Current(_)) => {
            none(format!("is computed from its history: ask for the files of {name}{HISTORY_SUFFIX}, or for the rows with `headwater sql`"))
        }
        Some(Relation::Commits) => none("is in no Parquet files: ask for the rows with `headwater sql`".to_owned()),
        Some(Relation::View(_)) => none("is a view, which has no files: ask for the rows with `headwater sql`".to_owned()),
    }
}
