//! A file for sorted rows that wait to be merged. It has no name, so nothing remains of it after a crash.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;

use crate::parquet::CommitError;

/// Name of the file while it is being created.
const NAME: &str = "sorted";
/// Bytes that are written and read at a time.
const BUFFER: usize = 1 << 16;

/// Runs of sorted rows on disk, one after the other in one file.
#[derive(Debug)]
pub(super) struct Spill {
    folder: PathBuf,
    table: &'static str,
    file: Option<Arc<File>>,
}

/// The rows of a run, batch by batch as they were written.
pub(super) type Spilled = StreamReader<BufReader<Section>>;

impl Spill {
    /// Nothing yet; the file is created in `folder` once it is needed.
    pub(super) fn new(folder: &Path, table: &'static str) -> Self {
        Self { folder: folder.to_owned(), table, file: None }
    }

    /// Writes a run, and returns it for reading.
    pub(super) fn write(
        &mut self,
        schema: &Schema,
        batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    ) -> Result<Spilled, CommitError> {
        let file = self.file()?;
        run(file, schema, batches).map_err(|cause| CommitError::Spill { table: self.table, folder: self.folder.clone(), cause })
    }

    fn file(&mut self) -> Result<Arc<File>, CommitError> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let path = self.folder.join(NAME);
        fs::create_dir_all(&self.folder).map_err(CommitError::file("creating", &self.folder))?;
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = Arc::new(file.map_err(CommitError::file("creating", &path))?);
        fs::remove_file(&path).map_err(CommitError::file("removing", &path))?;
        Ok(Arc::clone(self.file.insert(file)))
    }
}

fn run(
    file: Arc<File>,
    schema: &Schema,
    mut batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<Spilled, ArrowError> {
    let begin = (&*file).stream_position()?;
    let mut writer = StreamWriter::try_new(BufWriter::with_capacity(BUFFER, &*file), schema)?;
    batches.try_for_each(|batch| writer.write(&batch?))?;
    writer.into_inner()?.flush()?;
    StreamReader::try_new(BufReader::with_capacity(BUFFER, Section { file, at: begin }), None)
}

/// A file from some place on. Several are read at once, while the file grows.
#[derive(Debug)]
pub(super) struct Section {
    file: Arc<File>,
    at: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
