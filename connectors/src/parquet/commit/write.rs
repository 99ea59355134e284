//! Writing a commit's files, on every worker.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use headwater_schemas::Tick;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::{Scope, StreamVec};
use timely::scheduling::SyncActivator;

use super::pool::Pool;
use super::{Close, CommitError, CommitSettings, Report, Step};
use crate::parquet::buffer::{ClosedTable, Tables};
use crate::parquet::directory::staging_folder;
use crate::parquet::durable;
use crate::parquet::encode::Target;
use crate::parquet::record::{CommittedFile, PartitionProgress};
use crate::parquet::segment::SegmentWriter;
use crate::source::SourceProgress;

/// Result of a job.
type Written = Result<Vec<CommittedFile>, CommitError>;

/// A commit whose files are being written.
struct Writing {
    /// Holds the time of the close until the report is sent.
    capability: Capability<Tick>,
    commit_id: u64,
    partitions: Vec<PartitionProgress>,
    written: Receiver<Written>,
}

/// Writes the files of each close: the worker takes the changes out of its tables, the pool does the rest.
pub(super) fn write<'scope>(
    scope: Scope<'scope, Tick>,
    settings: &CommitSettings,
    tables: Tables,
    progress: SourceProgress,
    closes: StreamVec<'scope, Tick, Close>,
) -> StreamVec<'scope, Tick, Report> {
    let (settings, worker) = (settings.clone(), scope.index());
    let pool = Pool::start("write", &settings.data);
    let pool = pool.map_err(|error| (settings.failure)(error)).ok();
    closes.unary::<CapacityContainerBuilder<_>, _, _, _>(Pipeline, "write commits", move |_, info| {
        let wake = scope.worker().sync_activator_for(info.address.to_vec());
        let mut writing = VecDeque::<Writing>::new();
        move |input, output| {
            input.for_each(|time, closes| {
                for close in closes.drain(..) {
                    let (sender, written) = channel();
                    let job = Job { settings: settings.clone(), worker, close, tables: tables.close(close.end_tick) };
                    let waker = Waker(wake.clone());
                    if let Some(pool) = &pool {
                        pool.run(move || {
                            // Dropped last: the operator wakes when the result is there, or when a panic means that it never will
                            // be.
                            let _waker = waker;
                            let sender = sender;
                            let _ = sender.send(job.write());
                        });
                    }
                    let partitions = progress.at(close.end_tick);
                    writing.push_back(Writing { capability: time.retain(0), commit_id: close.commit_id, partitions, written });
                }
            });
            // In order, because a later commit cannot be published before this one.
            while let Some(result) = writing.front().and_then(Writing::result) {
                let Some(Writing { capability, commit_id, partitions, .. }) = writing.pop_front() else { return };
                match result {
                    Ok(files) => output.session(&capability).give(Report { commit_id, files, partitions }),
                    Err(error) => (settings.failure)(error.unwrap_or_else(|| CommitError::Writing { path: settings.data.clone() })),
                }
            }
        }
    })
}

impl Writing {
    /// The result, once there is one; an error without a reason if the job panicked.
    fn result(&self) -> Option<Result<Vec<CommittedFile>, Option<CommitError>>> {
        match self.written.try_recv() {
            Ok(written) => Some(written.map_err(Some)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(None)),
        }
    }
}

/// Wakes an operator on drop.
struct Waker(SyncActivator);

impl Drop for Waker {
    fn drop(&mut self) {
        // If the worker is gone, nobody needs to wake.
        let _ = self.0.activate();
    }
}

/// The changes of one commit, to be written to files.
struct Job {
    settings: CommitSettings,
    worker: usize,
    close: Close,
    tables: Vec<Box<dyn ClosedTable>>,
}

impl Job {
    /// Writes files to staging, syncs and renames them, and syncs their names. The last commit of a run writes no segment. The
    /// staging folder stays until the commit is published, because its subfolders show where the files were moved. A process apart
    /// only sends its files: process 0 receives them.
    fn write(self) -> Written {
        let Self { settings, worker, close, tables } = self;
        if settings.discards {
            return Ok(Vec::new());
        }
        let data = settings.data.as_path();
        let reached = |step| (settings.steps)(step, close.commit_id);
        let staging = staging_folder(data, close.commit_id, worker);
        fs::create_dir_all(&staging).map_err(CommitError::file("creating", &staging))?;
        let segment = (!close.ends_run).then(|| SegmentWriter::new(close.commit_id, worker));
        let mut target = Target { staging: &staging, commit_id: close.commit_id, worker, segment };
        let mut files = Vec::new();
        for table in tables {
            files.extend(table.stage(&mut target)?);
        }
        target.segment.map_or(Ok(()), |segment| segment.stage(&staging))?;
        // Parts share the path of their segment.
        let paths: BTreeSet<_> = files.iter().map(|file| file.path.as_str()).collect();
        reached(Step::Staged);
        if let Some(remote) = settings.remote.as_ref().filter(|remote| remote.is_apart()) {
            remote.send(&staging, &files)?;
            reached(Step::Uploaded);
            fs::remove_dir_all(&staging).map_err(CommitError::file("removing", &staging))?;
            return Ok(files);
        }
        durable::sync(data, &paths.iter().map(|path| staging.join(path)).collect::<Vec<_>>())?;
        reached(Step::Synced);
        durable::rename_all(data, &staging, paths.into_iter(), || reached(Step::Renamed))?;
        reached(Step::Settled);
        if let Some(remote) = &settings.remote {
            remote.send(data, &files)?;
            reached(Step::Uploaded);
        }
        Ok(files)
    }
}
