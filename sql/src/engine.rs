//! Where queries run: threads of their own, with memory and temporary files of their own.
//!
//! A query is work for the processor, and must not hold up whoever waits for the answers of a server. Its threads have
//! deep stacks, because planner and expressions walk a statement's tree by recursion, and how deep that tree is, is up
//! to whoever asks; a stack that overflows would end the process.

use std::path::Path;
use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::object_store::local::LocalFileSystem;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinError, JoinSet};

use crate::config::SqlConfig;
use crate::error::{CatalogError, QueryError};
use crate::scan::STORE;

/// The stack of a thread. Only what a query touches becomes memory.
const STACK_BYTES: usize = 256 * 1024 * 1024;
/// How many threads read files.
const READERS_MAX: usize = 16;

/// What all queries on a data directory share.
pub(crate) struct Engine {
    /// Taken when the engine ends.
    runtime: Option<Runtime>,
    handle: Handle,
    /// Memory, temporary files, the data directory, the footers of files read before.
    pub(crate) resources: Arc<RuntimeEnv>,
}

impl Engine {
    pub(crate) fn start(data: &Path, config: &SqlConfig) -> Result<Self, CatalogError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(config.thread_count())
            .max_blocking_threads(READERS_MAX)
            .thread_stack_size(STACK_BYTES)
            .thread_name("headwater-sql")
            .enable_time()
            .build()
            .map_err(|error| CatalogError::Engine(error.to_string()))?;
        let resources = resources(data, config).map_err(|error| CatalogError::Engine(error.to_string()))?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime), resources })
    }

    /// Begins work; it ends when the set is dropped.
    pub(crate) fn begin<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinSet<T> {
        let mut tasks = JoinSet::new();
        tasks.spawn_on(work, &self.handle);
        tasks
    }

    /// Does work to its end.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, QueryError>> + Send + 'static,
    ) -> Result<T, QueryError> {
        match self.begin(work).join_next().await {
            Some(Ok(result)) => result,
            Some(Err(error)) => Err(broke_off(&error)),
            None => Err(QueryError::Execution("it did not begin".to_owned())),
        }
    }

    /// Waits for work, outside of any runtime.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = Result<T, QueryError>>) -> Result<T, QueryError> {
        if Handle::try_current().is_ok() {
            let advice = "an answer was waited for in async code: use Catalog::snapshot and Answer::next there";
            return Err(QueryError::Execution(advice.to_owned()));
        }
        self.handle.block_on(work)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Waiting for the threads is forbidden in async code, where a server may drop us, so another thread waits. They are
        // joined, not detached: a process died in glibc 2.36 of reading a thread of ours that had just ended. Stacks as deep as
        // these are unmapped with their thread.
        let Some(runtime) = self.runtime.take() else { return };
        let (give, given) = std::sync::mpsc::channel::<Runtime>();
        match std::thread::Builder::new().name("headwater-sql-end".to_owned()).spawn(move || drop(given.recv())) {
            // The thread is there and waits for it.
            Ok(_) => drop(give.send(runtime)),
            Err(_) => runtime.shutdown_background(),
        }
    }
}

/// A task that ended without a result: the engine panicked, or it is shutting down.
pub(crate) fn broke_off(error: &JoinError) -> QueryError {
    QueryError::Execution(format!("the engine broke off, which is a bug: {error}"))
}

fn resources(data: &Path, config: &SqlConfig) -> Result<Arc<RuntimeEnv>, DataFusionError> {
    let resources = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(config.memory_limit_bytes()))).build_arc()?;
    // Rooted in the data directory: no path in a record leads out of it.
    let files = LocalFileSystem::new_with_prefix(data).map_err(|error| DataFusionError::ObjectStore(Box::new(error)))?;
    resources.register_object_store(ObjectStoreUrl::parse(STORE)?.as_ref(), Arc::new(files));
    Ok(resources)
}
