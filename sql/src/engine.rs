//! Threads, memory and temporary files for queries.
//!
//! A query uses much processor time and must not block a server's other tasks, so it runs on threads of its own. These have deep
//! stacks: planning and evaluation recurse along a statement's tree, whose depth the user decides, and a stack overflow would end the
//! process.

use std::path::Path;
use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::object_store::local::LocalFileSystem;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;

use crate::config::SqlConfig;
use crate::error::{CatalogError, QueryError};
use crate::scan::STORE;

/// Stack of a thread, in bytes. Only the pages that a query touches take memory.
pub(crate) const STACK_BYTES: usize = 256 * 1024 * 1024;
/// Number of threads that read files.
const READERS_MAX: usize = 16;

/// Resources that all queries on a data directory share.
pub(crate) struct Engine {
    /// The runtime; taken when the engine is dropped.
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
            .map_err(|error| CatalogError::Engine(Arc::new(error)))?;
        let resources = resources(data, config).map_err(|error| CatalogError::Engine(Arc::new(error)))?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime), resources })
    }

    /// Starts a task. It is aborted when the set is dropped.
    pub(crate) fn begin<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinSet<T> {
        let mut tasks = JoinSet::new();
        tasks.spawn_on(work, &self.handle);
        tasks
    }

    /// Runs a task and waits for its result.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, QueryError>> + Send + 'static,
    ) -> Result<T, QueryError> {
        match self.begin(work).join_next().await {
            Some(Ok(result)) => result,
            Some(Err(error)) => Err(error.into()),
            None => Err(QueryError::execution("it did not begin")),
        }
    }

    /// Blocks until a task is done. It fails inside an async runtime.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = Result<T, QueryError>>) -> Result<T, QueryError> {
        if Handle::try_current().is_ok() {
            let advice = "an answer was waited for in async code: use Catalog::snapshot and Answer::next there";
            return Err(QueryError::execution(advice));
        }
        self.handle.block_on(work)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Async code, where a server may drop the engine, must not block, so another thread waits for the threads. They are joined,
        // not detached: a process crashed in glibc 2.36 when it read the record of a detached thread that had just ended, because
        // stacks as deep as these are unmapped with their thread.
        let Some(runtime) = self.runtime.take() else { return };
        let (give, given) = std::sync::mpsc::channel::<Runtime>();
        match std::thread::Builder::new().name("headwater-sql-end".to_owned()).spawn(move || drop(given.recv())) {
            // The thread is there and waits for it.
            Ok(_) => drop(give.send(runtime)),
            Err(_) => runtime.shutdown_background(),
        }
    }
}

fn resources(data: &Path, config: &SqlConfig) -> Result<Arc<RuntimeEnv>, DataFusionError> {
    let resources = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(config.memory_limit_bytes()))).build_arc()?;
    // Rooted in the data directory: no path in a record leads out of it.
    let files = LocalFileSystem::new_with_prefix(data).map_err(|error| DataFusionError::ObjectStore(Box::new(error)))?;
    resources.register_object_store(ObjectStoreUrl::parse(STORE)?.as_ref(), Arc::new(files));
    Ok(resources)
}
