//! Running a query: from its text to a stream of rows, all at one commit. It is planned and run on the engine's threads; the
//! caller waits at a channel.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{DataFusionError, TableReference};
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as Parsed;
use futures::StreamExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::columns::{shown_rows, shown_schema};
use crate::committed::Committed;
use crate::config::SqlConfig;
use crate::describe;
use crate::engine::Engine;
use crate::error::QueryError;
use crate::explained::shown_plan;
use crate::names::Relation;
use crate::plans::{Plans, means_the_same_each_time};
use crate::readable::readable;
use crate::rights::Rights;
use crate::scan::explain_plan;
use crate::statement::{Statement, parse, plan_only_reads};

/// Number of batches that may wait for the caller.
const BATCHES_AHEAD: usize = 2;

/// All tables at one commit. Repeating a query on it gives the same rows.
#[derive(Clone)]
pub struct Snapshot {
    pub(crate) committed: Arc<Committed>,
    pub(crate) session: Arc<SessionContext>,
    pub(crate) rights: Rights,
    pub(crate) engine: Arc<Engine>,
    pub(crate) config: SqlConfig,
}

/// The rows of a query as a stream. Dropping it cancels the query.
pub struct Answer {
    commit_id: u64,
    schema: SchemaRef,
    batches: Receiver<Result<RecordBatch, QueryError>>,
    task: JoinSet<()>,
    deadline: Deadline,
    pub(crate) engine: Arc<Engine>,
}

impl Snapshot {
    /// The commit that queries see; 0 when there is none yet.
    pub fn commit_id(&self) -> u64 {
        self.committed.commit_id()
    }

    /// The same tables with another time limit of queries.
    pub(crate) fn with_timeout(mut self, seconds: u64) -> Self {
        self.config.timeout_seconds = seconds;
        self
    }

    /// Plans a statement that reads, and starts it. The surrounding Tokio runtime needs timers, for the time limit.
    pub async fn query(&self, sql: &str) -> Result<Answer, QueryError> {
        let sql = sql.to_owned();
        self.run(move || parse(&sql)).await
    }

    /// Plans the statement that a function makes on the engine's threads, and starts it.
    pub(crate) async fn run(&self, make: impl FnOnce() -> Result<Statement, QueryError> + Send + 'static) -> Result<Answer, QueryError> {
        let mut deadline = Deadline::new(&self.config);
        let snapshot = self.clone();
        let planning = self.engine.run(async move { snapshot.plan(make()?).await });
        let stream = deadline.within(planning).await??;
        let schema = Arc::clone(&stream.schema);
        let (sender, batches) = channel(BATCHES_AHEAD);
        let task = self.engine.begin(stream.send_to(sender));
        Ok(Answer { commit_id: self.commit_id(), schema, batches, task, deadline, engine: Arc::clone(&self.engine) })
    }

    /// The columns of a statement, and the types of its parameters as far as they follow from where they are used.
    pub(crate) async fn shape(&self, make: impl FnOnce() -> Result<Statement, QueryError> + Send + 'static) -> Result<Shape, QueryError> {
        let snapshot = self.clone();
        let planning = self.engine.run(async move { snapshot.plan_shape(make()?).await });
        Deadline::new(&self.config).within(planning).await?
    }

    async fn plan_shape(&self, statement: Statement) -> Result<Shape, QueryError> {
        let Statement::Query(statement) = statement else {
            return Ok(Shape { schema: self.plan(statement).await?.schema, parameters: BTreeMap::new() });
        };
        let state = self.session.state();
        let plan = state.statement_to_plan(statement).await.map_err(|error| readable(&error))?;
        plan_only_reads(&plan)?;
        let parameters: BTreeMap<_, _> = plan.get_parameter_types().map_err(|error| readable(&error))?.into_iter().collect();
        // With parameters of unknown type, types of columns cannot follow yet.
        let plan = if parameters.is_empty() { state.optimize(&plan).map_err(|error| readable(&error))? } else { plan };
        let schema = plan.schema().inner();
        Ok(Shape { schema: shown_schema(schema).unwrap_or_else(|| Arc::clone(schema)), parameters })
    }

    async fn plan(&self, statement: Statement) -> Result<Stream, QueryError> {
        match statement {
            Statement::Query(statement) => self.plan_query(statement).await,
            Statement::ShowTables => Ok(Stream::fixed(describe::tables(&self.rights)?)),
            Statement::Describe(name) => {
                let reference = TableReference::from(name);
                let relation = Relation::named(reference.table());
                let provider = self.session.table_provider(reference).await.map_err(|error| readable(&error))?;
                Ok(Stream::fixed(describe::columns(relation, &provider.schema())?))
            }
        }
    }

    async fn plan_query(&self, statement: Parsed) -> Result<Stream, QueryError> {
        let state = self.session.state();
        let optimized = self.optimized(&state, statement).await?;
        let is_plan = matches!(optimized, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_));
        let planning = state.query_planner().create_physical_plan(&optimized, &state);
        let plan = planning.await.map_err(|error| readable(&error))?;
        let rows = execute_stream(Arc::clone(&plan), state.task_ctx()).map_err(|error| readable(&error))?;
        let source = Some(Source { plan, committed: Arc::clone(&self.committed) });
        let schema = rows.schema();
        Ok(Stream { schema: shown_schema(&schema).unwrap_or(schema), rows, source, is_plan })
    }

    /// The optimized plan of a statement: the one that is kept, if it was asked before.
    async fn optimized(&self, state: &SessionState, statement: Parsed) -> Result<LogicalPlan, QueryError> {
        let plans = state.config().get_extension::<Plans>();
        if let Some(known) = plans.as_ref().and_then(|plans| plans.find(&statement)) {
            return Ok(known);
        }
        let plan = state.statement_to_plan(statement.clone()).await.map_err(|error| readable(&error))?;
        plan_only_reads(&plan)?;
        if matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)) && self.rights.leave_out_parts() {
            return Err(QueryError::ExplainDenied);
        }
        let optimized = state.optimize(&plan).map_err(|error| readable(&error))?;
        if let Some(plans) = plans.filter(|_| means_the_same_each_time(&plan).unwrap_or(false)) {
            plans.keep(statement, optimized.clone());
        }
        Ok(optimized)
    }
}

/// What is known of a statement before it runs.
pub(crate) struct Shape {
    pub(crate) schema: SchemaRef,
    /// By name, such as `$1`.
    pub(crate) parameters: BTreeMap<String, Option<DataType>>,
}

impl Answer {
    /// The commit that all rows are from.
    pub fn commit_id(&self) -> u64 {
        self.commit_id
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next rows; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, QueryError>> {
        match self.deadline.within(self.batches.recv()).await {
            Ok(Some(batch)) => Some(batch),
            // End of the stream, if the task succeeded.
            Ok(None) => match self.task.join_next().await {
                Some(Err(error)) => Some(Err(error.into())),
                _ => None,
            },
            Err(error) => Some(Err(error)),
        }
    }
}

/// Rows that DataFusion computes on demand.
struct Stream {
    schema: SchemaRef,
    rows: SendableRecordBatchStream,
    /// For the error message when a file turns out to be damaged.
    source: Option<Source>,
    /// Whether the rows are a plan, in words of DataFusion.
    is_plan: bool,
}

impl Stream {
    fn fixed(batch: RecordBatch) -> Self {
        let schema = batch.schema();
        let rows = RecordBatchStreamAdapter::new(Arc::clone(&schema), futures::stream::iter([Ok(batch)]));
        Self { schema, rows: Box::pin(rows), source: None, is_plan: false }
    }

    async fn send_to(mut self, answer: Sender<Result<RecordBatch, QueryError>>) {
        while let Some(batch) = self.rows.next().await {
            let shown = |batch| if self.is_plan { shown_plan(&batch) } else { shown_rows(batch) };
            let batch = batch.map_err(|error| self.explain(&error)).and_then(|batch| Ok(shown(batch)?));
            let failed = batch.is_err();
            // The receiver is gone, or the query failed.
            if answer.send(batch).await.is_err() || failed {
                return;
            }
        }
    }

    fn explain(&self, error: &DataFusionError) -> QueryError {
        match &self.source {
            Some(source) => explain_plan(error, &source.plan, &source.committed),
            None => readable(error),
        }
    }
}

/// The plan of a query, and what it reads.
struct Source {
    plan: Arc<dyn ExecutionPlan>,
    committed: Arc<Committed>,
}

/// Time limit of a query's work: waiting for the caller to read does not count.
#[derive(Clone, Copy)]
struct Deadline {
    left: Option<Duration>,
    seconds: u64,
}

impl Deadline {
    fn new(config: &SqlConfig) -> Self {
        let seconds = config.timeout_seconds;
        Self { left: (seconds > 0).then(|| Duration::from_secs(seconds)), seconds }
    }

    async fn within<T>(&mut self, work: impl Future<Output = T>) -> Result<T, QueryError> {
        let Some(left) = self.left else { return Ok(work.await) };
        let began = Instant::now();
        let done = timeout(left, work).await.map_err(|_| QueryError::Timeout(self.seconds));
        self.left = Some(left.saturating_sub(began.elapsed()));
        done
    }
}
