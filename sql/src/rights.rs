//! What a session may read: which relations, which of their rows, and which columns.
//!
//! | rule | a relation is | its rows are |
//! |---|---|---|
//! | `tables` | readable if it is listed; a listed view also reads what it is made of | all |
//! | `books` | readable if its rows name an account or a scope, or are of the market | those of the accounts and scopes of these books, or below them |
//! | `masked` | readable | all, and these columns are NULL |
//! | `aml` = false | readable unless it is what rules remember | all but the alerts about money laundering |
//!
//! A view is refused if it is computed from a relation that is not readable by its rows. A view that lists rows of several relations, such
//! as `corrections`, has those of the readable ones.
//!
//! Rows and columns are left out where tables are read ([`crate::restricted`]), so whatever is computed from them, views included, cannot
//! know them.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use headwater_schemas::tables::{AccountTerms, TableRow};
use rustc_hash::FxHashSet;
use tokio::sync::OnceCell;

use crate::committed::Committed;
use crate::current::current_rows;
use crate::error::QueryError;
use crate::names::Relation;
use crate::tables::{Table, table_named};

/// Tables of the market: their rows are about no account, and the same for everybody.
const OF_ALL: [&str; 9] = [
    "closing_prices",
    "instrument_terms",
    "last_rates",
    "marks",
    "risk_gaps",
    "rule_versions",
    "surveillance_quotes",
    "surveillance_volumes",
    "top_of_book",
];

/// What rules remember of money laundering.
const OF_LAUNDERING: [&str; 5] = ["round_trip_transfers", "round_trips", "rule_alerts", "rule_events", "rule_outcomes"];
/// Who is not to be alerted of what, money laundering included. Views leave alerts out by it.
const SUPPRESSIONS: &str = "suppressions";
/// Views that list rows of several relations, each by itself. A relation that may not be read adds none.
const LISTS: [&str; 1] = ["corrections"];
/// The kind of alerts about money laundering.
const AML: &str = "aml";

/// What a session may read. The default is everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rights {
    rules: Option<Arc<Rules>>,
    asker: Asker,
}

/// Who names relations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asker {
    /// A statement.
    #[default]
    Statement,
    /// A view, which reads more tables than may be named, but not more of what is in them.
    View,
    /// A view that lists rows of several relations: those that may not be read have none.
    List,
}

/// Rules of what may be read; see the table of the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// The tables and views; `None` for all.
    pub(crate) tables: Option<BTreeSet<String>>,
    /// Paths of books, like `firm/equities`; `None` for all.
    pub(crate) books: Option<Vec<String>>,
    /// Names of columns.
    pub(crate) masked: BTreeSet<String>,
    /// Whether alerts about money laundering may be read.
    pub(crate) aml: bool,
}

impl Rights {
    pub(crate) fn new(rules: Rules) -> Self {
        let is_everything = rules.tables.is_none() && rules.books.is_none() && rules.masked.is_empty() && rules.aml;
        Self { rules: (!is_everything).then(|| Arc::new(rules)), asker: Asker::Statement }
    }

    /// Whether everything may be read.
    pub(crate) const fn are_all(&self) -> bool {
        self.rules.is_none()
    }

    /// Whether rows or columns are left out of tables that may be read.
    pub(crate) fn leave_out_parts(&self) -> bool {
        self.rules.as_ref().is_some_and(|rules| rules.books.is_some() || !rules.masked.is_empty() || !rules.aml)
    }

    /// Whether a relation may be read.
    pub(crate) fn has(&self, name: &str) -> bool {
        let Some(rules) = &self.rules else { return true };
        let by_view = self.asker != Asker::Statement;
        let is_listed = by_view || rules.tables.as_ref().is_none_or(|tables| tables.contains(name));
        is_listed && Relation::named(name).is_none_or(|relation| rules.has_rows_of(relation, by_view))
    }

    /// Whether a relation has no rows, because it may not be read.
    pub(crate) fn leave_out(&self, name: &str) -> bool {
        self.asker == Asker::List && !self.has(name)
    }

    /// What a view may read, if that is not the same: these rows and columns of relations that may not be named.
    pub(crate) fn of_view(&self, name: &str) -> Option<Self> {
        let rules = self.rules.as_ref().filter(|_| self.asker == Asker::Statement)?;
        let asker = if is_list(name) { Asker::List } else { Asker::View };
        let is_same = asker == Asker::View && rules.tables.is_none() && rules.aml;
        (!is_same).then(|| Self { rules: Some(Arc::clone(rules)), asker })
    }

    /// What is left out of a table that may be read, of these columns; `None` if nothing is.
    pub(crate) fn restriction(&self, table: &Table, schema: &Schema) -> Option<Restriction> {
        let rules = self.rules.as_ref()?;
        let mut checks = Vec::new();
        if let (Some(_), Owner::Of(column)) = (&rules.books, Owner::of(table)) {
            checks.push(Check::Owned(column));
        }
        if !rules.aml && is_of_alerts(table) {
            checks.push(Check::NotLaundering);
        }
        let masked: BTreeSet<_> = rules.masked.iter().filter(|column| schema.index_of(column).is_ok()).cloned().collect();
        (!checks.is_empty() || !masked.is_empty()).then_some(Restriction { checks, masked })
    }

    /// The books as of a commit.
    pub(crate) fn books(&self, committed: &Arc<Committed>) -> BooksAt {
        let paths = self.rules.as_ref().and_then(|rules| rules.books.clone()).unwrap_or_default();
        BooksAt { committed: Arc::clone(committed), paths, read: OnceCell::new() }
    }
}

impl Rules {
    /// Whether the rules say which rows of a relation may be read.
    fn has_rows_of(&self, relation: Relation, by_view: bool) -> bool {
        let table = match relation {
            Relation::Facts(table) | Relation::Current(table) | Relation::History(table) => table,
            // A view has the rows that follow from those that may be read.
            Relation::View(_) | Relation::Commits => return true,
        };
        let name = table.spec.name;
        let tells_of_laundering = OF_LAUNDERING.contains(&name) || name == SUPPRESSIONS && !by_view;
        (self.aml || !tells_of_laundering) && (self.books.is_none() || Owner::of(table) != Owner::Unknown)
    }
}

/// Whether a view lists rows of several relations, each by itself.
pub(crate) fn is_list(view: &str) -> bool {
    LISTS.contains(&view)
}

/// Alerts have a kind, and rules that raised them.
fn is_of_alerts(table: &Table) -> bool {
    ["alert_id", "kind", "rule"].iter().all(|column| table.has_column(column))
}

/// What is left out of a table.
#[derive(Clone, Debug)]
pub(crate) struct Restriction {
    pub(crate) checks: Vec<Check>,
    /// Columns that are NULL.
    pub(crate) masked: BTreeSet<String>,
}

impl Restriction {
    /// Whether rows are left out by their books.
    pub(crate) fn is_of_books(&self) -> bool {
        self.checks.iter().any(|check| matches!(check, Check::Owned(_)))
    }
}

/// Which rows may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Those of the books.
    Owned(OwnedBy),
    /// Those that are not about money laundering.
    NotLaundering,
}

/// Whose the rows of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// Everybody's.
    Everybody,
    /// Those of the account or scope in a column.
    Of(OwnedBy),
    /// They do not tell.
    Unknown,
}

impl Owner {
    fn of(table: &Table) -> Self {
        if OF_ALL.contains(&table.spec.name) {
            return Self::Everybody;
        }
        OwnedBy::ALL.into_iter().find(|owned| table.has_column(owned.column())).map_or(Self::Unknown, Self::Of)
    }
}

/// The column that tells whose row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnedBy {
    /// `account_id`.
    Account,
    /// `scope`: `account:ID` or `book:PATH`.
    Scope,
    /// `subject`: an account, a scope, or one of them and a symbol behind `|`.
    Subject,
}

impl OwnedBy {
    const ALL: [Self; 3] = [Self::Account, Self::Scope, Self::Subject];

    const fn column(self) -> &'static str {
        match self {
            Self::Account => "account_id",
            Self::Scope => "scope",
            Self::Subject => "subject",
        }
    }
}

impl Check {
    /// The column that it reads.
    pub(crate) const fn column(self) -> &'static str {
        match self {
            Self::Owned(owned) => owned.column(),
            Self::NotLaundering => "kind",
        }
    }

    /// Which rows may be read, by that column.
    pub(crate) fn rows(self, column: &dyn arrow::array::Array, books: &Books) -> arrow::error::Result<BooleanArray> {
        let texts = cast(column, &DataType::Utf8)?;
        let may_be_read = |text: Option<&str>| match self {
            Self::Owned(owned) => text.is_some_and(|text| books.have(owned, text)),
            Self::NotLaundering => text != Some(AML),
        };
        Ok(texts.as_string::<i32>().iter().map(|text| Some(may_be_read(text))).collect())
    }
}

/// The books of a session at a commit. Which accounts are in them is read once, by the first table that is restricted to them.
#[derive(Debug)]
pub(crate) struct BooksAt {
    committed: Arc<Committed>,
    paths: Vec<String>,
    read: OnceCell<Arc<Books>>,
}

impl BooksAt {
    pub(crate) async fn get(&self) -> Result<Arc<Books>, QueryError> {
        let read = || async { Books::read(&self.committed, self.paths.clone()).await.map(Arc::new) };
        self.read.get_or_try_init(read).await.cloned()
    }
}

/// Books, and the accounts in them as of a commit.
#[derive(Debug, Default)]
pub(crate) struct Books {
    paths: Vec<String>,
    accounts: FxHashSet<String>,
}

impl Books {
    /// Reads which accounts are in the books, or below them.
    async fn read(committed: &Committed, paths: Vec<String>) -> Result<Self, QueryError> {
        let mut books = Self { paths, accounts: FxHashSet::default() };
        let table = table_named(AccountTerms::SPEC.name).ok_or_else(|| QueryError::execution("there is no table of accounts' terms"))?;
        for batch in &current_rows(committed, table).await?.batches {
            let text = |name: &str| batch.column_by_name(name).map(|column| cast(column, &DataType::Utf8)).transpose();
            let (Some(accounts), Some(paths)) = (text("account_id")?, text("book")?) else { continue };
            for (account, path) in accounts.as_string::<i32>().iter().zip(paths.as_string::<i32>()) {
                if path.is_some_and(|path| books.have_path(path)) {
                    books.accounts.extend(account.map(str::to_owned));
                }
            }
        }
        Ok(books)
    }

    fn have_path(&self, path: &str) -> bool {
        self.paths.iter().any(|book| path.strip_prefix(book.as_str()).is_some_and(|below| below.is_empty() || below.starts_with('/')))
    }

    fn have_scope(&self, scope: &str) -> bool {
        match scope.split_once(':') {
            Some(("account", account)) => self.accounts.contains(account),
            Some(("book", path)) => self.have_path(path),
            _ => false,
        }
    }

    fn have(&self, owned: OwnedBy, text: &str) -> bool {
        match owned {
            OwnedBy::Account => self.accounts.contains(text),
            OwnedBy::Scope => self.have_scope(text),
            OwnedBy::Subject => {
                let whose = text.split_once('|').map_or(text, |(whose, _)| whose);
                self.accounts.contains(whose) || self.have_scope(whose)
            }
        }
    }
}
