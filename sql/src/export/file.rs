//! Files that appear under their names when they are complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::{ExportError, PlainRows};
use crate::catalog::QueryResult;
use crate::render::Format;

/// Rows of a row group: what the writer keeps in memory.
const GROUP_ROWS: usize = 131_072;

/// A file that is being written, under another name than its own. It is removed unless it is named.
struct NewFile {
    draft: PathBuf,
    out: BufWriter<File>,
    is_named: bool,
}

impl NewFile {
    /// Begins the file that is to be `path`.
    fn create(path: &Path) -> Result<Self, ExportError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // The process's own number: two exports at once do not write into one draft.
        let draft = path.with_file_name(format!(".{name}.{}.partial", std::process::id()));
        let file = File::create(&draft).map_err(ExportError::file("creating", &draft))?;
        Ok(Self { draft, out: BufWriter::new(file), is_named: false })
    }

    /// Makes it durable, and gives it its name. A file of that name is replaced.
    fn name(mut self, path: &Path) -> Result<(), ExportError> {
        self.out.flush().map_err(ExportError::file("writing", &self.draft))?;
        self.out.get_ref().sync_all().map_err(ExportError::file("syncing", &self.draft))?;
        fs::rename(&self.draft, path).map_err(ExportError::file("naming", path))?;
        self.is_named = true;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(ExportError::file("syncing", folder))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_named {
            // If it cannot be removed, a hidden file stays.
            let _ = fs::remove_file(&self.draft);
        }
    }
}

/// Writes a CSV file. Returns the number of rows.
pub(super) fn write_csv(path: &Path, result: QueryResult) -> Result<u64, ExportError> {
    let mut file = NewFile::create(path)?;
    let written = result.write(Format::Csv, &mut file)?;
    file.name(path)?;
    Ok(written.rows as u64)
}

/// Writes a Parquet file, with the rows' commit in its footer. Returns the number of rows.
pub(super) fn write_parquet<I>(path: &Path, rows: PlainRows<I>) -> Result<u64, ExportError>
where
    I: Iterator<Item = Result<RecordBatch, ExportError>>,
{
    let failed = |cause| ExportError::Parquet { path: path.to_owned(), cause };
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_created_by("headwater".to_owned())
        .set_key_value_metadata(Some(vec![KeyValue::new("headwater.commit".to_owned(), rows.commit_id.to_string())]))
        .build();
    let mut writer = ArrowWriter::try_new(NewFile::create(path)?, rows.schema, Some(properties)).map_err(failed)?;
    let count = write_all(rows.batches, |batch| writer.write(batch).map_err(failed))?;
    writer.into_inner().map_err(failed)?.name(path)?;
    Ok(count)
}

/// Writes an Arrow file. Returns the number of rows.
pub(super) fn write_arrow<I>(path: &Path, rows: PlainRows<I>) -> Result<u64, ExportError>
where
    I: Iterator<Item = Result<RecordBatch, ExportError>>,
{
    let failed = |cause| ExportError::Arrow { path: path.to_owned(), cause };
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME)).map_err(failed)?;
    let mut writer = FileWriter::try_new_with_options(NewFile::create(path)?, &rows.schema, options).map_err(failed)?;
    let count = write_all(rows.batches, |batch| writer.write(batch).map_err(failed))?;
    writer.into_inner().map_err(failed)?.name(path)?;
    Ok(count)
}

/// Writes every batch, and counts the rows.
fn write_all(
    batches: impl Iterator<Item = Result<RecordBatch, ExportError>>,
    mut write: impl FnMut(&RecordBatch) -> Result<(), ExportError>,
) -> Result<u64, ExportError> {
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        write(&batch)?;
        rows += batch.num_rows() as u64;
    }
    Ok(rows)
}
