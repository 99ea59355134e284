//! Which tables there are: one line for each row type of the schemas.
//!
//! Every table exists, committed to or not: what a query may name never depends on what has happened so far.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use headwater_connectors::parquet::columns::{CHANGE, COMMIT_ID, REASON, TICK};
use headwater_connectors::parquet::record::FileRole;
use headwater_schemas::tables::{
    AccountTerms, Admitted, Alert, Audit, Balance, BookState, ClosingPrice, DeadLetter, Decision, DrawdownState, Execution, HeldTrade,
    HoldingState, InstrumentTerms, LastPrice, LastRate, LedgerEntry, LimitAlertState, OpenOrder, OrderEvent, Portfolio, Position,
    PostedTransaction, ReferenceRecord, Remap, Risk, ScoredEvent, TableKind, TableRow, TableSpec, TopOfBook,
};

/// The table of the commits themselves.
pub(crate) const COMMITS: &str = "commits";

/// A table that the pipeline commits.
#[derive(Debug)]
pub struct Table {
    /// Its name, kind and key.
    pub spec: TableSpec,
    /// What a row is.
    pub about: &'static str,
    fields: Vec<FieldRef>,
}

static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
    vec![
        table::<Execution>("one side of one match"),
        table::<OrderEvent>("one change of one order"),
        table::<OpenOrder>("an order that rests in the book, or waits for its trigger"),
        table::<TopOfBook>("the best prices of a symbol's book"),
        table::<BookState>("what a symbol's book is besides its orders"),
        table::<Position>("what an account holds of a symbol"),
        table::<HoldingState>("the part of a position that no bust can change any more"),
        table::<HeldTrade>("a trade that a bust may still make fold again"),
        table::<Portfolio>("the sums of an account, or of a node of the book path"),
        table::<DrawdownState>("what the drawdown of a scope depends on besides its portfolio"),
        table::<Risk>("value at risk and expected shortfall of a scope"),
        table::<LimitAlertState>("which measure a standing limit alert belongs to"),
        table::<Balance>("what an account has of a currency"),
        table::<LedgerEntry>("one leg of a transaction"),
        table::<PostedTransaction>("a transaction that a later one may resolve or reverse"),
        table::<Decision>("what a ruleset decided about an event"),
        table::<ScoredEvent>("a transaction within reach of a ruleset's windows"),
        table::<Alert>("something that somebody should look at"),
        table::<LastPrice>("the last prices of a symbol, of which its mark is made"),
        table::<LastRate>("the last rate of a pair of currencies"),
        table::<ClosingPrice>("a closing price"),
        table::<InstrumentTerms>("what an instrument's positions are valued by"),
        table::<AccountTerms>("where an account belongs"),
        table::<ReferenceRecord>("a record of reference data that still counts"),
        table::<Admitted>("an event that was let through, to know it when it comes again"),
        table::<Audit>("a record that was accepted, chained to the one before in its partition"),
        table::<DeadLetter>("a record that was not taken, with the reason"),
        table::<Remap>("where the wall clock decided something"),
    ]
});

/// All tables that the pipeline commits.
pub fn tables() -> &'static [Table] {
    &TABLES
}

/// The table of that name.
pub(crate) fn table_named(name: &str) -> Option<&'static Table> {
    tables().iter().find(|table| table.spec.name == name)
}

fn table<R: TableRow>(about: &'static str) -> Table {
    Table { spec: R::SPEC, about, fields: R::fields().into_iter().map(Arc::new).collect() }
}

impl Table {
    /// The columns of the files of a role.
    pub(crate) fn file_schema(&self, role: FileRole) -> SchemaRef {
        let mut fields = self.fields.clone();
        if role != FileRole::Rows {
            fields.push(Arc::new(Field::new(CHANGE, DataType::Int32, false)));
        }
        if role == FileRole::History {
            fields.push(Arc::new(Field::new(TICK, DataType::Int64, false)));
            fields.push(Arc::new(Field::new(REASON, DataType::Utf8, true)));
        }
        fields.push(Arc::new(Field::new(COMMIT_ID, DataType::Int64, false)));
        Arc::new(Schema::new(fields))
    }

    /// The columns of a state table's current rows: those of its facts, and the commit that last changed the row.
    pub(crate) fn current_schema(&self) -> SchemaRef {
        self.file_schema(FileRole::Rows)
    }

    /// Whether it has current rows.
    pub(crate) const fn is_state(&self) -> bool {
        matches!(self.spec.kind, TableKind::State | TableKind::Checkpoint)
    }

    /// The word for its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self.spec.kind {
            TableKind::Append | TableKind::Journal => "append",
            TableKind::State => "state",
            TableKind::Checkpoint => "checkpoint",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// The schemas' sources declare each table with `State Row = "name" by …`, or `Append`, `Journal` or `Checkpoint`.
    #[test]
    fn every_table_of_the_schemas_is_here() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/src/tables");
        let mut declared = BTreeSet::new();
        for entry in std::fs::read_dir(folder).expect("the schemas' tables") {
            let source = std::fs::read_to_string(entry.expect("an entry").path()).expect("a source");
            let lines = source
                .lines()
                .map(str::trim)
                .filter(|line| ["State ", "Append ", "Journal ", "Checkpoint "].iter().any(|kind| line.starts_with(kind)));
            declared.extend(lines.filter_map(|line| line.split('"').nth(1).map(str::to_owned)));
        }
        let registered: BTreeSet<_> = tables().iter().map(|table| table.spec.name.to_owned()).collect();
        assert_eq!(registered, declared);
    }

    #[test]
    fn keys_are_columns_and_no_column_has_the_name_of_an_added_one() {
        for table in tables() {
            let schema = table.file_schema(if table.is_state() { FileRole::History } else { FileRole::Rows });
            assert!(table.spec.key.iter().all(|key| schema.index_of(key).is_ok()), "{}", table.spec.name);
            let names: BTreeSet<_> = schema.fields().iter().map(|field| field.name()).collect();
            assert_eq!(names.len(), schema.fields().len(), "{}", table.spec.name);
            assert!(schema.field_with_name("ts").is_ok(), "{}: files are pruned by it", table.spec.name);
        }
    }
}
