//! Resolution of names in a query: tables, histories, commits, and views.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::empty::EmptyTable;
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::logical_expr::{LogicalPlan, TableType};
use datafusion::prelude::SessionContext;
use headwater_connectors::parquet::record::FileRole;
use headwater_schemas::tables::TableKind;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use crate::chosen::keeping;
use crate::commits_table;
use crate::committed::Committed;
use crate::config::SqlConfig;
use crate::error::QueryError;
use crate::history::HistoryTable;
use crate::kept::KeptView;
use crate::readable::readable;
use crate::restricted::RestrictedTable;
use crate::rights::{BooksAt, Rights, is_list};
use crate::scan::FileTable;
use crate::session::session;
use crate::state::StateTable;
use crate::tables::{COMMITS, Table, table_named, tables};
use crate::views::{VIEWS, View};
use headwater_connectors::parquet::directory::HISTORY_SUFFIX;

/// A relation that may follow FROM.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Relation {
    /// The rows of an append table.
    Facts(&'static Table),
    /// The current rows of a state table.
    Current(&'static Table),
    /// Every change of a state table.
    History(&'static Table),
    /// The commits.
    Commits,
    /// A named query.
    View(&'static View),
}

impl Relation {
    /// All relations by name.
    pub(crate) fn all() -> Vec<(String, Self)> {
        let mut all = vec![(COMMITS.to_owned(), Self::Commits)];
        for table in tables() {
            let name = table.spec.name;
            match table.spec.kind {
                TableKind::Append | TableKind::Journal => all.push((name.to_owned(), Self::Facts(table))),
                TableKind::Checkpoint => all.push((name.to_owned(), Self::Current(table))),
                TableKind::State => {
                    all.push((name.to_owned(), Self::Current(table)));
                    all.push((format!("{name}{HISTORY_SUFFIX}"), Self::History(table)));
                }
            }
        }
        all.extend(VIEWS.iter().map(|view| (view.name.to_owned(), Self::View(view))));
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// The relation with a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if name == COMMITS {
            return Some(Self::Commits);
        }
        if let Some(view) = VIEWS.iter().find(|view| view.name == name) {
            return Some(Self::View(view));
        }
        if let Some(table) = name.strip_suffix(HISTORY_SUFFIX).and_then(table_named) {
            return (table.spec.kind == TableKind::State).then_some(Self::History(table));
        }
        table_named(name).map(|table| match table.spec.kind {
            TableKind::Append | TableKind::Journal => Self::Facts(table),
            TableKind::State | TableKind::Checkpoint => Self::Current(table),
        })
    }
}

/// The relations at one commit.
pub(crate) struct Names {
    committed: Arc<Committed>,
    rights: Rights,
    /// For planning views, which refer to other tables.
    session: Weak<SessionContext>,
    config: SqlConfig,
    /// The session for planning views, where they may read relations that are not to be read by name. Most sessions need none.
    of_views: OnceCell<Arc<SessionContext>>,
    /// The same for views that list rows of several relations.
    of_lists: OnceCell<Arc<SessionContext>>,
    /// Plans of views, made when they are asked for: statements ask for the same ones.
    plans: BTreeMap<&'static str, OnceCell<LogicalPlan>>,
    books: Arc<BooksAt>,
}

impl std::fmt::Debug for Names {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "the names of commit {}", self.committed.commit_id())
    }
}

impl Names {
    pub(crate) fn new(committed: Arc<Committed>, rights: Rights, session: Weak<SessionContext>, config: SqlConfig) -> Self {
        let books = Arc::new(rights.books(&committed));
        let plans = VIEWS.iter().map(|view| (view.name, OnceCell::new())).collect();
        Self { committed, rights, session, config, of_views: OnceCell::new(), of_lists: OnceCell::new(), plans, books }
    }

    /// The session for planning a view.
    async fn of_view(&self, view: &View) -> Result<Arc<SessionContext>> {
        let own = self.session.upgrade().ok_or_else(|| DataFusionError::Internal("the session has ended".to_owned()))?;
        let Some(rights) = self.rights.of_view(view.name) else { return Ok(own) };
        let made = || async { session(&self.committed, &rights, &self.config, &own.runtime_env()) };
        let kept = if is_list(view.name) { &self.of_lists } else { &self.of_views };
        kept.get_or_try_init(made).await.cloned()
    }

    /// What computes a view.
    async fn plan(&self, view: &View) -> Result<LogicalPlan> {
        let planned = || async { self.of_view(view).await?.state().create_logical_plan(view.sql).await };
        match self.plans.get(view.name) {
            Some(plan) => plan.get_or_try_init(planned).await.cloned(),
            None => planned().await,
        }
    }

    async fn view(&self, view: &View) -> Result<Arc<dyn TableProvider>> {
        let plan = self.plan(view).await.map_err(|error| denied(view, error))?;
        let (computed, committed) = (ViewTable::new(plan, Some(view.sql.to_owned())), Arc::clone(&self.committed));
        // What others may read of it differs.
        if !self.rights.are_all() {
            return Ok(Arc::new(computed));
        }
        Ok(match keeping(view.name, &committed) {
            Some(keeping) => Arc::new(KeptView::new(keeping, computed, committed)),
            None => Arc::new(computed),
        })
    }

    /// A table, without what the session may not read of it.
    fn restricted(&self, table: &Table, rows: Arc<dyn TableProvider>) -> Arc<dyn TableProvider> {
        match self.rights.restriction(table, &rows.schema()) {
            Some(restriction) => Arc::new(RestrictedTable::new(rows, restriction, Arc::clone(&self.books))),
            None => rows,
        }
    }
}

/// The error of a view, by the name that the statement has.
fn denied(view: &View, error: DataFusionError) -> DataFusionError {
    match readable(&error) {
        QueryError::Denied(table) | QueryError::DeniedView { table, .. } => {
            DataFusionError::External(Box::new(QueryError::DeniedView { view: view.name, table }))
        }
        _ => error,
    }
}

/// The table of commits, read from their records.
async fn commits(committed: &Committed) -> Result<MemTable> {
    let (data, last) = (committed.data().to_owned(), committed.commit_id());
    let reading = spawn_blocking(move || commits_table::batch(&data, last)).await;
    let read = reading.map_err(QueryError::from).flatten();
    let batch = read.map_err(|error| DataFusionError::External(Box::new(error)))?;
    MemTable::try_new(commits_table::schema(), vec![vec![batch]])
}

#[async_trait]
impl SchemaProvider for Names {
    fn table_names(&self) -> Vec<String> {
        Relation::all().into_iter().map(|(name, _)| name).filter(|name| self.rights.has(name)).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let committed = Arc::clone(&self.committed);
        let Some(relation) = Relation::named(name) else { return Ok(None) };
        let is_left_out = self.rights.leave_out(name);
        if !is_left_out && !self.rights.has(name) {
            return Err(DataFusionError::External(Box::new(QueryError::Denied(name.to_owned()))));
        }
        let provider = match relation {
            Relation::Facts(table) => self.restricted(table, Arc::new(FileTable::new(committed, table, FileRole::Rows))),
            Relation::History(table) => self.restricted(table, Arc::new(HistoryTable::new(committed, table))),
            Relation::Current(table) => self.restricted(table, Arc::new(StateTable::new(committed, table))),
            Relation::Commits => Arc::new(commits(&committed).await?) as Arc<dyn TableProvider>,
            Relation::View(view) => self.view(view).await?,
        };
        Ok(Some(if is_left_out { Arc::new(EmptyTable::new(provider.schema())) } else { provider }))
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(Relation::named(name).map(|relation| match relation {
            Relation::View(_) => TableType::View,
            _ => TableType::Base,
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        Relation::named(name).is_some()
    }
}
