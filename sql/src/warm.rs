//! Parquet files that were read before: a query for one key reads a few pages of many files.
//!
//! DataFusion reads a local file on another thread, because a disk may take its time. To wait for that thread takes longer than to copy
//! pages that the system has in memory. [`WarmReader`] copies those at once, and leaves the others to DataFusion.
//!
//! It also keeps the index of a file's pages beside its footer: DataFusion 55 keeps the footer alone, and reads and decodes the index for
//! every query that may skip pages. So a scan of all rows reads the index as well, once.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{CachedParquetFileReaderFactory, ParquetFileReaderFactory};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::FutureExt;
use futures::future::BoxFuture;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use tokio::task::consume_budget;

/// Makes readers of files below a data directory.
#[derive(Debug)]
pub(crate) struct WarmReaders {
    data: PathBuf,
    cold: CachedParquetFileReaderFactory,
}

impl WarmReaders {
    /// Readers of a data directory, and of the same files by DataFusion.
    pub(crate) fn new(data: &Path, cold: CachedParquetFileReaderFactory) -> Self {
        Self { data: data.to_owned(), cold }
    }
}

impl ParquetFileReaderFactory for WarmReaders {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        // A location has no `..` and no slash in front: it does not lead out of the directory.
        let (path, length) = (self.data.join(file.object_meta.location.as_ref()), file.object_meta.size);
        let cold = self.cold.create_reader(partition_index, file, metadata_size_hint, metrics)?;
        let scanned = MetricBuilder::new(metrics).counter("bytes_scanned", partition_index);
        Ok(Box::new(WarmReader { path, length, file: None, cold, scanned }))
    }
}

/// Reader of a file.
struct WarmReader {
    path: PathBuf,
    /// The length of the file by its commit.
    length: u64,
    /// The file, once it was read from.
    file: Option<File>,
    cold: Box<dyn AsyncFileReader + Send>,
    /// Bytes that were read from memory.
    scanned: Count,
}

impl WarmReader {
    /// The bytes of ranges, if the system has all of them in memory.
    async fn in_memory(&mut self, ranges: &[Range<u64>]) -> ParquetResult<Option<Vec<Bytes>>> {
        // What never waits would never let a query be cancelled.
        consume_budget().await;
        if let Some(beyond) = ranges.iter().find(|range| range.end > self.length) {
            let (path, length) = (self.path.display(), self.length);
            return Err(ParquetError::EOF(format!("{path} has {length} bytes, and bytes up to {} were asked for", beyond.end)));
        }
        let bytes = self.copied(ranges);
        self.scanned.add(bytes.iter().flatten().map(Bytes::len).sum());
        Ok(bytes)
    }

    /// Without a file, whatever is wrong with it DataFusion will find, and tell.
    #[cfg(target_os = "linux")]
    fn copied(&mut self, ranges: &[Range<u64>]) -> Option<Vec<Bytes>> {
        let file = match self.file.take() {
            Some(file) => file,
            None => File::open(&self.path).ok()?,
        };
        let bytes = ranges.iter().map(|range| read_from_memory(&file, range)).collect();
        self.file = Some(file);
        bytes
    }

    /// Other systems do not tell what they have in memory.
    #[cfg(not(target_os = "linux"))]
    fn copied(&mut self, _: &[Range<u64>]) -> Option<Vec<Bytes>> {
        None
    }
}

/// The bytes of a range, if the system has them in memory.
#[cfg(target_os = "linux")]
fn read_from_memory(file: &File, range: &Range<u64>) -> Option<Bytes> {
    use std::io::IoSliceMut;

    use rustix::io::{ReadWriteFlags, preadv2};

    let mut bytes = vec![0; usize::try_from(range.end.checked_sub(range.start)?).ok()?];
    let read = preadv2(file, &mut [IoSliceMut::new(&mut bytes)], range.start, ReadWriteFlags::NOWAIT).ok()?;
    (read == bytes.len()).then(|| bytes.into())
}

impl AsyncFileReader for WarmReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        let read = async move {
            let bytes = self.in_memory(std::slice::from_ref(&range)).await?;
            match bytes.and_then(|mut bytes| bytes.pop()) {
                Some(bytes) => Ok(bytes),
                None => self.cold.get_bytes(range).await,
            }
        };
        read.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        let read = async move {
            match self.in_memory(&ranges).await? {
                Some(bytes) => Ok(bytes),
                None => self.cold.get_byte_ranges(ranges).await,
            }
        };
        read.boxed()
    }

    fn get_metadata<'a>(&'a mut self, options: Option<&'a ArrowReaderOptions>) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        let options = options.cloned().unwrap_or_default().with_page_index_policy(PageIndexPolicy::Optional);
        let read = async move {
            consume_budget().await;
            self.cold.get_metadata(Some(&options)).await
        };
        read.boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Cursor;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::testing::{TestData, at, balance, changes, rows};

    #[test]
    fn bytes_from_memory_are_those_of_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let content: Vec<u8> = (0..100_000_u32).map(|number| number.to_le_bytes()[1]).collect();
        fs::write(file.path(), &content).unwrap();
        let opened = File::open(file.path()).unwrap();
        for (start, end) in [(0, 0), (0, 1), (0, 100_000), (4_095, 4_097), (99_999, 100_000), (100_000, 100_000)] {
            // A file system may have no way to tell what is in memory.
            let read = read_from_memory(&opened, &(start..end));
            let expected = &content[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()];
            assert!(read.is_none_or(|bytes| bytes == expected), "{start} to {end}");
        }
        for (start, end) in [(0, 100_001), (99_999, 100_001), (200_000, 200_001), (7, 6)] {
            assert_eq!(read_from_memory(&opened, &(start..end)), None, "{start} to {end}");
        }
    }

    /// A reader of a file with this content, and the file.
    fn reader(content: &[u8]) -> (WarmReader, tempfile::NamedTempFile) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), content).unwrap();
        let cold = Box::new(Cursor::new(content.to_vec()));
        let (path, length) = (file.path().to_owned(), u64::try_from(content.len()).unwrap());
        (WarmReader { path, length, file: None, cold, scanned: Count::new() }, file)
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn bytes_beyond_the_file_are_an_error_that_names_it() {
        let (mut reader, file) = reader(b"0123456789");
        assert_eq!(run(reader.get_bytes(2..10)).unwrap(), "23456789");
        assert_eq!(run(reader.get_byte_ranges(vec![0..1, 9..10])).unwrap(), ["0", "9"]);
        let expected = format!("EOF: {} has 10 bytes, and bytes up to 11 were asked for", file.path().display());
        assert_eq!(run(reader.get_bytes(9..11)).unwrap_err().to_string(), expected);
        assert_eq!(run(reader.get_byte_ranges(vec![0..1, 0..11])).unwrap_err().to_string(), expected);
        // As a damaged footer may say: refused before memory is taken for it.
        assert!(run(reader.get_bytes(0..u64::MAX)).is_err());
    }

    #[test]
    fn reading_from_memory_lets_others_have_their_turn() {
        let (mut reader, _file) = reader(b"0123456789");
        let turns = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&turns);
        run(async move {
            let other = tokio::spawn(async move {
                loop {
                    counted.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            });
            let reading = async move {
                for _ in 0..10_000 {
                    reader.get_bytes(0..10).await.unwrap();
                }
            };
            tokio::spawn(reading).await.unwrap();
            other.abort();
        });
        let turns = turns.load(Ordering::Relaxed);
        assert!(turns > 10, "{turns} turns during ten thousand reads: a query could hardly be cancelled");
    }

    #[test]
    fn the_index_of_pages_is_kept_with_the_footer() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("a", 1, at(1, 0)), 1), (balance("b", 2, at(1, 0)), 1)])]);
        let catalog = data.catalog();
        let query = "SELECT posted FROM balances_history WHERE account_id = 'b'";
        assert_eq!(rows(&catalog, query), ["2"]);
        let kept = catalog.snapshot().engine.resources.cache_manager.get_file_metadata_cache().list_entries();
        let information: Vec<_> = kept.values().map(|entry| entry.value.file_metadata.extra_info()).collect();
        let indexed: Vec<_> = information.iter().map(|told| told.get("page_index").map(String::as_str)).collect();
        assert_eq!(indexed, [Some("true")]);
        assert_eq!(rows(&catalog, query), ["2"]);
    }
}
