//! Files that appear under their names when they are complete.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::ExportError;

/// Rows of a row group: what the writer keeps in memory.
const GROUP_ROWS: usize = 131_072;

/// A file that is being written, under another name than its own. It is removed unless it is named.
pub(super) struct NewFile {
    draft: PathBuf,
    file: File,
    is_named: bool,
}

impl NewFile {
    /// Begins the file that is to be `path`.
    pub(super) fn create(path: &Path) -> Result<Self, ExportError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // The process's own number: two exports at once do not write into one draft.
        let draft = path.with_file_name(format!(".{name}.{}.partial", std::process::id()));
        let file = File::create(&draft).map_err(ExportError::file("creating", &draft))?;
        Ok(Self { draft, file, is_named: false })
    }

    /// A writer to its end.
    pub(super) fn out(&self) -> impl Write + Send + '_ {
        BufWriter::new(&self.file)
    }

    /// Makes it durable, and gives it its name. A file of that name is replaced.
    pub(super) fn name(mut self, path: &Path) -> Result<(), ExportError> {
        self.file.sync_all().map_err(ExportError::file("syncing", &self.draft))?;
        fs::rename(&self.draft, path).map_err(ExportError::file("naming", path))?;
        self.is_named = true;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(ExportError::file("syncing", folder))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_named {
            // It has no meaning without its name; a failure leaves a hidden file behind.
            let _ = fs::remove_file(&self.draft);
        }
    }
}

/// Writes a Parquet file, with facts about it in its footer. Returns the number of rows.
pub(super) fn write_parquet(
    file: NewFile,
    path: &Path,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ExportError>>,
    facts: &[(&str, String)],
) -> Result<u64, ExportError> {
    let failed = |cause| ExportError::Parquet { path: path.to_owned(), cause };
    let facts = facts.iter().map(|(name, value)| KeyValue::new((*name).to_owned(), value.clone())).collect();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_created_by("headwater".to_owned())
        .set_key_value_metadata(Some(facts))
        .build();
    let mut rows = 0;
    let mut writer = ArrowWriter::try_new(file.out(), SchemaRef::clone(schema), Some(properties)).map_err(failed)?;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(&batch).map_err(failed)?;
    }
    let mut out = writer.into_inner().map_err(failed)?;
    out.flush().map_err(ExportError::file("writing", path))?;
    drop(out);
    file.name(path)?;
    Ok(rows)
}

/// Writes an Arrow file. Returns the number of rows.
pub(super) fn write_arrow(
    file: NewFile,
    path: &Path,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ExportError>>,
) -> Result<u64, ExportError> {
    let failed = |cause| ExportError::Arrow { path: path.to_owned(), cause };
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME)).map_err(failed)?;
    let mut rows = 0;
    let mut writer = FileWriter::try_new_with_options(file.out(), schema, options).map_err(failed)?;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(&batch).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    writer.flush().map_err(failed)?;
    drop(writer);
    file.name(path)?;
    Ok(rows)
}
