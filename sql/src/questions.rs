//! What is known of the questions that were asked last.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::TryStreamExt;
use tokio::sync::Mutex as AsyncMutex;

/// Maximum number of questions.
const QUESTIONS: usize = 16;
/// Maximum rows of an answer that are kept.
pub(crate) const ROWS: usize = 8192;

/// The questions asked last about rows that filters choose, each with what is known of it. It is locked while it is found out, so that of
/// two simultaneous questions one reads files and the other uses the result.
#[derive(Debug)]
pub(crate) struct Questions<K> {
    asked: Mutex<VecDeque<Asked<K>>>,
}

#[derive(Debug)]
struct Asked<K> {
    /// The table or view.
    relation: &'static str,
    filters: Vec<Expr>,
    known: Arc<AsyncMutex<K>>,
}

impl<K> Asked<K> {
    fn is_about(&self, relation: &str, filters: &[&Expr]) -> bool {
        self.relation == relation && self.filters.iter().eq(filters.iter().copied())
    }
}

impl<K: Default> Questions<K> {
    pub(crate) const fn new() -> Self {
        Self { asked: Mutex::new(VecDeque::new()) }
    }

    /// What is known of the rows of a relation that filters choose; if nobody asked before, nothing.
    pub(crate) fn of(&self, relation: &'static str, filters: &[&Expr]) -> Arc<AsyncMutex<K>> {
        // Each change leaves it valid.
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let place = asked.iter().position(|other| other.is_about(relation, filters));
        let new = || Asked { relation, filters: filters.iter().copied().cloned().collect(), known: Arc::default() };
        let last = place.and_then(|place| asked.remove(place)).unwrap_or_else(new);
        let known = Arc::clone(&last.known);
        asked.push_back(last);
        if asked.len() > QUESTIONS {
            asked.pop_front();
        }
        known
    }
}

/// The rows of a plan, if they are few enough to keep.
pub(crate) async fn few_rows(plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<Option<Vec<RecordBatch>>> {
    let mut stream = execute_stream(plan, context)?;
    let (mut batches, mut rows) = (Vec::new(), 0);
    while let Some(batch) = stream.try_next().await? {
        rows += batch.num_rows();
        if rows > ROWS {
            return Ok(None);
        }
        batches.push(batch);
    }
    Ok(Some(batches))
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    #[test]
    fn the_questions_asked_last_are_known() {
        let questions = Questions::<usize>::new();
        let about = |question: usize| {
            let account = col("account_id").eq(lit(question.to_string()));
            questions.of("positions", &[&account, &col("symbol").eq(lit("S"))])
        };
        let known = |question: usize| *about(question).try_lock().unwrap();
        for question in 0..QUESTIONS {
            *about(question).try_lock().unwrap() = 100 + question;
        }
        assert_eq!(known(0), 100);
        assert_eq!(known(QUESTIONS), 0, "a new question takes the place of the one that was asked longest ago");
        assert_eq!((known(0), known(2), known(1)), (100, 102, 0));
    }
}
