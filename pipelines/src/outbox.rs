//! The outbox: what is committed, published as topics, each row exactly once.
//!
//! ```text
//!  commits ─► files of commit n … m ─► records, each with its id ─► one transaction with the progress "m" ─► m + 1
//! ```
//!
//! - It follows the commits, one after the other (several at once where it is behind), and reads their files: what was never committed is never published, and a
//!   restart publishes what is left. It runs beside the dataflow and holds nobody up; brokers that are away are waited for.
//! - Of a state table each change is published that a row came with; of an append table each row.
//! - A record's `id` is a digest of its table and of all that it says, so a consumer knows a record that it sees again.
//! - The progress of an outbox is kept under the id of its data directory, in the file `OUTBOX`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use arrow::array::{Array, AsArray, Int32Array, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::cmp::eq;
use headwater_connectors::parquet::chain::{Chain, Commit, CommitFile};
use headwater_connectors::parquet::commit::{Step, Steps};
use headwater_connectors::parquet::reader::batches;
use headwater_connectors::parquet::record::{FileRole, hex};
use headwater_connectors::parquet::records::Records;
use headwater_connectors::transport::{Outbox, Outgoing, Transport};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::metrics::Metrics;
use crate::wall_clock;

/// A table that is published as the topic of its name, and the column that is a record's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The table and the topic.
    pub name: &'static str,
    /// The column whose value is the key.
    pub key: &'static str,
}

/// Everything that can be published.
pub const PUBLISHED: [Published; 5] = [
    Published { name: "executions", key: "symbol" },
    Published { name: "decisions", key: "subject_id" },
    Published { name: "positions", key: "account_id" },
    Published { name: "alerts", key: "subject" },
    Published { name: "dead_letters", key: "topic" },
];

/// The topic of outboxes' progress, behind the prefix of all topics.
pub const PROGRESS_TOPIC: &str = "headwater.outbox";
/// The file that names a data directory's outbox.
const ID_FILE: &str = "OUTBOX";
/// Records that are enough for a batch, when several commits wait.
const BATCH_RECORDS: usize = 10_000;
/// How soon brokers that are away are tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How long brokers that are away are waited for once a run is over.
const LAST_PATIENCE: Duration = Duration::from_secs(60);

/// What an outbox needs.
pub struct OutboxSettings {
    /// Where the topics are.
    pub transport: Arc<dyn Transport>,
    /// The data directory.
    pub data: PathBuf,
    /// The tables that are published, each with its topic's name outside.
    pub topics: Vec<(Published, String)>,
    /// The name of the topic of progress outside.
    pub progress_topic: String,
    /// The last commit that is there already.
    pub last: u64,
    /// Told of the steps.
    pub steps: Steps,
    /// Told how far it is.
    pub metrics: Arc<Metrics>,
    /// The last commit that is published.
    pub published: Arc<AtomicU64>,
    /// Told of the error that ends the run.
    pub failure: Arc<dyn Fn(&anyhow::Error) + Send + Sync>,
}

impl OutboxSettings {
    fn told(&self, commit_id: u64) {
        self.metrics.published(commit_id);
        self.published.store(commit_id, Ordering::Relaxed);
    }
}

/// How far an outbox is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    commit_id: u64,
    hash: String,
}

/// An outbox at work.
pub struct Running {
    commits: Sender<u64>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Where commits are told that are there.
    pub fn commits(&self) -> Sender<u64> {
        self.commits.clone()
    }

    /// Waits until everything that was committed is published.
    pub fn finish(self) -> anyhow::Result<()> {
        drop(self.commits);
        self.thread.join().map_err(|_| anyhow::anyhow!("the outbox died: please report it"))?
    }
}

/// Starts an outbox on a thread of its own.
pub fn start(settings: OutboxSettings) -> anyhow::Result<Running> {
    let id = id(&settings.data)?;
    let (commits, told) = channel();
    let thread = std::thread::Builder::new().name("outbox".to_owned()).spawn(move || {
        let published = publish_all(&settings, &id, &told);
        published.inspect_err(|error| (settings.failure)(error))
    })?;
    Ok(Running { commits, thread })
}

/// The id of a data directory's outbox, made when it is first asked for.
fn id(data: &Path) -> anyhow::Result<String> {
    let path = data.join(ID_FILE);
    match fs::read_to_string(&path) {
        Ok(id) => return Ok(id.trim().to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    }
    // Any name will do that no other directory has.
    let unlike = format!("{} {} {}", data.display(), wall_clock::now(), std::process::id());
    let mut id = hex(&Sha256::digest(unlike));
    id.truncate(16);
    let id = format!("headwater-{id}");
    fs::write(&path, &id).with_context(|| format!("writing {}", path.display()))?;
    Ok(id)
}

/// Publishes commit after commit until nobody tells of more and all are published.
fn publish_all(settings: &OutboxSettings, id: &str, told: &Receiver<u64>) -> anyhow::Result<()> {
    let mut last = settings.last;
    let mut open: Option<(Box<dyn Outbox>, u64)> = None;
    let mut over_since: Option<Instant> = None;
    loop {
        if over_since.is_none() {
            let idle = open.as_ref().is_some_and(|(_, next)| *next > last);
            match told.recv_timeout(if idle { Duration::from_secs(3600) } else { Duration::ZERO }) {
                Ok(commit_id) => last = last.max(commit_id),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => over_since = Some(Instant::now()),
            }
        }
        let result = match open.take() {
            None => begin(settings, id, last),
            Some((outbox, next)) if next > last => {
                if over_since.is_some() {
                    return Ok(());
                }
                Ok((outbox, next))
            }
            Some((mut outbox, next)) => publish_batch(settings, outbox.as_mut(), next, last).map(|next| (outbox, next)),
        };
        match result {
            Ok(standing) => open = Some(standing),
            Err(error) => {
                let may_pass = error.downcast_ref::<headwater_connectors::transport::TransportError>().is_some_and(|error| error.retry);
                if !may_pass || over_since.is_some_and(|since| since.elapsed() > LAST_PATIENCE) {
                    return Err(error.context("the outbox: nothing that is committed is lost, the next run publishes it"));
                }
                tracing::warn!(error = format!("{error:#}"), "the outbox waits");
                std::thread::sleep(TRY_AGAIN);
            }
        }
    }
}

/// Opens the outbox, and finds the commit that comes next.
fn begin(settings: &OutboxSettings, id: &str, last: u64) -> anyhow::Result<(Box<dyn Outbox>, u64)> {
    for (_, topic) in &settings.topics {
        settings.transport.create_topic(topic, 1)?;
    }
    let mut outbox = settings.transport.outbox(id, &settings.progress_topic)?;
    let Some(progress) = outbox.progress()? else { return Ok((outbox, 1)) };
    let Progress { commit_id, hash } = serde_json::from_str(&progress).with_context(|| format!("the progress of {id}: {progress}"))?;
    let data = settings.data.display();
    if commit_id > last {
        bail!(
            "commit {commit_id} of {data} was published, and the last one there is {last}: restore the directory, or remove {data}/{ID_FILE} to publish under another id"
        );
    }
    if commit(&mut Records::new(&settings.data), commit_id)?.hash != hash {
        bail!(
            "what was published as commit {commit_id} is not the one in {data}: restore the directory, or remove {data}/{ID_FILE} to publish under another id"
        );
    }
    settings.told(commit_id);
    Ok((outbox, commit_id + 1))
}

fn commit(records: &mut Records, commit_id: u64) -> anyhow::Result<Commit> {
    records.read(commit_id)?.with_context(|| format!("the record of commit {commit_id} is missing in {}", records.data().display()))
}

/// Publishes the commits from `first` on that are there, as many as make a batch; the commit that comes next.
fn publish_batch(settings: &OutboxSettings, outbox: &mut dyn Outbox, first: u64, last: u64) -> anyhow::Result<u64> {
    let (mut records, mut next, mut hash) = (Vec::new(), first, String::new());
    let mut reader = Records::new(&settings.data);
    while next <= last && records.len() < BATCH_RECORDS {
        let commit = commit(&mut reader, next)?;
        for (published, topic) in &settings.topics {
            add_records(settings, &commit, *published, topic, &mut records)?;
        }
        hash = commit.hash;
        next += 1;
    }
    let reached = |step| (first..next).for_each(|commit_id| (settings.steps)(step, commit_id));
    let progress = serde_json::to_string(&Progress { commit_id: next - 1, hash })?;
    outbox.publish(&records, &progress, &mut || reached(Step::Sent))?;
    reached(Step::Recorded);
    settings.told(next - 1);
    Ok(next)
}

/// The records of one table's rows in a commit.
fn add_records(
    settings: &OutboxSettings,
    commit: &Commit,
    published: Published,
    topic: &str,
    records: &mut Vec<Outgoing>,
) -> anyhow::Result<()> {
    let is_of_table = |file: &&Arc<CommitFile>| *file.table == *published.name && file.role != FileRole::State;
    // Merged files have rows of earlier commits alone.
    let own: Vec<_> = commit.files.iter().filter(is_of_table).filter(|file| file.merged.is_none()).cloned().collect();
    // Of a directory whose past was never published, that past may be in merged files.
    let is_gone = own.iter().any(|file| !settings.data.join(&*file.path).exists());
    let files = if is_gone {
        let live = Chain::open(&settings.data, None)?.live().files().to_vec();
        let holds = |file: &Arc<CommitFile>| file.first_commit() <= commit.commit_id && commit.commit_id <= file.last_commit();
        live.into_iter().filter(|file| is_of_table(&file) && holds(file)).collect()
    } else {
        own
    };
    for file in &files {
        for batch in batches(&settings.data, file)? {
            let batch = of_commit(&batch, commit.commit_id)?;
            let is = is_now(&batch);
            let keys = batch.column_by_name(published.key).map(|column| column.as_string::<i32>().clone());
            let objects = headwater_sql::json_objects(&without_added(&batch)?)?;
            for (row, object) in objects.iter().enumerate().filter(|(row, _)| is.as_ref().is_none_or(|is| is.value(*row) > 0)) {
                let key = keys.as_ref().filter(|keys| keys.is_valid(row)).map_or("", |keys| keys.value(row));
                records.push(Outgoing { topic: topic.to_owned(), key: key.to_owned(), value: with_id(published.name, object) });
            }
        }
    }
    Ok(())
}

/// The rows of one commit.
fn of_commit(batch: &RecordBatch, commit_id: u64) -> anyhow::Result<RecordBatch> {
    let commits = batch.column_by_name("commit_id").context("there is no column commit_id")?;
    let of_commit = eq(commits, &Int64Array::new_scalar(i64::try_from(commit_id)?))?;
    Ok(filter_record_batch(batch, &of_commit)?)
}

/// Of a history, whether each row came (1) or went (-1).
fn is_now(batch: &RecordBatch) -> Option<Int32Array> {
    batch.column_by_name("change").and_then(|column| column.as_any().downcast_ref::<Int32Array>()).cloned()
}

/// The table's own columns.
fn without_added(batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let schema = batch.schema();
    let own = schema.fields().iter().enumerate().filter(|(_, field)| !matches!(field.name().as_str(), "change" | "tick" | "commit_id"));
    Ok(batch.project(&own.map(|(index, _)| index).collect::<Vec<_>>())?)
}

fn with_id(table: &str, object: &str) -> Vec<u8> {
    let mut digest = Sha256::new();
    digest.update(table);
    digest.update([0]);
    digest.update(object);
    let mut id = hex(&digest.finalize());
    id.truncate(32);
    format!("{{\"id\":\"{id}\",{}", object.strip_prefix('{').unwrap_or(object)).into_bytes()
}
