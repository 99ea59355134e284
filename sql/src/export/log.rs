//! The log of a Delta Lake table, of the parts of its protocol that an export needs (reader version 1, writer version 2):
//! <https://github.com/delta-io/delta/blob/master/PROTOCOL.md>.
//!
//! ```text
//!  TABLE/_delta_log/00000000000000000000.json   version 0: one action a line: protocol, metaData, add, remove, txn, commitInfo
//!  TABLE/_delta_log/00000000000000000001.json   version 1 …
//! ```
//!
//! `txn` is the protocol's own record of how far an application has written: here, the commit that the table is as of. So an export
//! that was killed is repeated without doubled rows. `commitInfo.userMetadata`, which readers show and do not use, has the hash of that
//! commit: `commit 42, hash 9f86…`. So a table is not continued from another history.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, Schema};
use headwater_schemas::Digest;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ExportError;

/// The application of `txn`.
const APPLICATION: &str = "headwater";

/// A Delta table, read from its log.
#[derive(Debug, Default)]
pub(super) struct DeltaLog {
    folder: PathBuf,
    /// The version of the next export.
    pub(super) version: u64,
    /// Identifies the table.
    id: Option<String>,
    schema: Option<String>,
    /// The commit that it is as of; none if it was never exported.
    pub(super) as_of: Option<AsOf>,
    /// The commit that the last `userMetadata` names.
    noted: Option<AsOf>,
    /// The files that hold its rows.
    files: BTreeSet<String>,
}

/// A commit that a table is as of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AsOf {
    pub(super) commit_id: u64,
    /// Its hash; none in tables that were exported before hashes were kept, and for a data directory without commits.
    pub(super) hash: Option<String>,
}

impl AsOf {
    fn to_metadata(&self) -> String {
        let hash = self.hash.as_ref().map_or_else(String::new, |hash| format!(", hash {hash}"));
        format!("commit {}{hash}", self.commit_id)
    }

    fn of_metadata(text: &str) -> Option<Self> {
        let (commit_id, hash) = text.strip_prefix("commit ")?.split_once(", hash ")?;
        Some(Self { commit_id: commit_id.parse().ok()?, hash: Some(hash.to_owned()) })
    }
}

/// A line of the log. Actions that an export need not know have no field.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Action {
    protocol: Option<Protocol>,
    meta_data: Option<MetaData>,
    add: Option<FileAction>,
    remove: Option<FileAction>,
    txn: Option<Transaction>,
    commit_info: Option<CommitInfo>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Protocol {
    min_writer_version: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetaData {
    id: String,
    schema_string: String,
}

/// Other programs write anything here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommitInfo {
    user_metadata: Option<Value>,
}

#[derive(Deserialize)]
struct FileAction {
    path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transaction {
    app_id: String,
    version: u64,
}

/// A file that an export adds.
#[derive(Debug)]
pub(super) struct Added {
    /// Its name in the table's folder.
    pub(super) name: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl DeltaLog {
    /// Reads the log of a table; empty if there is none.
    pub(super) fn read(table: &Path) -> Result<Self, ExportError> {
        let mut log = Self { folder: table.join("_delta_log"), ..Self::default() };
        loop {
            let path = log.path(log.version);
            match fs::read_to_string(&path) {
                Ok(text) => text.lines().filter(|line| !line.trim().is_empty()).try_for_each(|line| log.take(&path, line))?,
                Err(error) if error.kind() == ErrorKind::NotFound => break,
                Err(error) => return Err(ExportError::file("reading", &path)(error)),
            }
            log.version += 1;
        }
        log.check_complete()?;
        Ok(log)
    }

    fn path(&self, version: u64) -> PathBuf {
        self.folder.join(format!("{version:020}.json"))
    }

    fn take(&mut self, path: &Path, line: &str) -> Result<(), ExportError> {
        let broken = |error: serde_json::Error| ExportError::Delta {
            path: path.to_owned(),
            why: format!("a line is no action of Delta Lake ({error}): export into an empty folder"),
        };
        let action: Action = serde_json::from_str(line).map_err(broken)?;
        if let Some(version) = action.protocol.map(|protocol| protocol.min_writer_version).filter(|version| *version > 2) {
            let why =
                format!("another program has set its writer version to {version}, and 2 is written here: export into an empty folder");
            return Err(ExportError::Delta { path: path.to_owned(), why });
        }
        if let Some(MetaData { id, schema_string }) = action.meta_data {
            (self.id, self.schema) = (Some(id), Some(schema_string));
        }
        if let Some(removed) = action.remove {
            self.files.remove(&removed.path);
        }
        self.files.extend(action.add.map(|added| added.path));
        if let Some(Value::String(text)) = action.commit_info.and_then(|info| info.user_metadata) {
            self.noted = AsOf::of_metadata(&text);
        }
        if let Some(written) = action.txn.filter(|txn| txn.app_id == APPLICATION) {
            // A version of an earlier program has no hash, and the one before it has that of another commit.
            let noted = self.noted.take().filter(|noted| noted.commit_id == written.version);
            self.as_of = Some(noted.unwrap_or(AsOf { commit_id: written.version, hash: None }));
        }
        Ok(())
    }

    /// A log whose beginning was cleaned up after a checkpoint cannot be read from its versions alone.
    fn check_complete(&self) -> Result<(), ExportError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(ExportError::file("listing", &self.folder)(error)),
        };
        for entry in entries {
            let name = entry.map_err(ExportError::file("listing", &self.folder))?.file_name();
            let name = name.to_string_lossy();
            let version = name.strip_suffix(".json").and_then(|digits| digits.parse::<u64>().ok());
            if version.is_some_and(|version| version >= self.version) {
                let why = format!(
                    "version {} of its log is missing, which another program has removed after a checkpoint: export into an empty folder",
                    self.version
                );
                return Err(ExportError::Delta { path: self.folder.clone(), why });
            }
        }
        if self.version > 0 && self.as_of.is_none() {
            let why = "it was not exported by headwater: export into an empty folder".to_owned();
            return Err(ExportError::Delta { path: self.folder.clone(), why });
        }
        Ok(())
    }

    /// Adds a version: the file, or none if there are no new rows, and the commit that the table is as of. `replaces` is whether the
    /// file stands for all rows. `now` is the time of the export, in milliseconds since 1970.
    pub(super) fn write(
        &self,
        table: &str,
        schema: &Schema,
        as_of: &AsOf,
        file: Option<&Added>,
        replaces: bool,
        now: u64,
    ) -> Result<(), ExportError> {
        let mut actions = vec![json!({"commitInfo": {"timestamp": now, "operation": "WRITE", "engineInfo": "headwater",
            "operationParameters": {"mode": if replaces { "Overwrite" } else { "Append" }}, "userMetadata": as_of.to_metadata()}})];
        let schema = schema_string(table, schema)?;
        if self.version == 0 {
            actions.push(json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}));
        }
        if self.schema.as_ref() != Some(&schema) {
            let id = self.id.clone().unwrap_or_else(|| self.new_id(table, now));
            actions.push(json!({"metaData": {"id": id, "name": table, "format": {"provider": "parquet", "options": {}},
                "schemaString": schema, "partitionColumns": [], "configuration": {}, "createdTime": now}}));
        }
        actions.push(json!({"txn": {"appId": APPLICATION, "version": as_of.commit_id, "lastUpdated": now}}));
        if replaces {
            actions.extend(self.files.iter().map(|path| json!({"remove": {"path": path, "deletionTimestamp": now, "dataChange": true}})));
        }
        actions.extend(file.map(|Added { name, rows, bytes }| {
            json!({"add": {"path": name, "partitionValues": {}, "size": bytes, "modificationTime": now, "dataChange": true,
                "stats": json!({"numRecords": rows}).to_string()}})
        }));
        self.publish(&actions)
    }

    /// Publishes a version; fails if another export has published it meanwhile.
    fn publish(&self, actions: &[Value]) -> Result<(), ExportError> {
        fs::create_dir_all(&self.folder).map_err(ExportError::file("creating", &self.folder))?;
        let (path, draft) = (self.path(self.version), self.folder.join(format!(".{:020}.{}.partial", self.version, std::process::id())));
        let text: String = actions.iter().map(|action| format!("{action}\n")).collect();
        let written = File::create(&draft).and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
        written.map_err(ExportError::file("writing", &draft))?;
        // A hard link, unlike a rename, fails if the target exists.
        let linked = fs::hard_link(&draft, &path);
        fs::remove_file(&draft).map_err(ExportError::file("removing", &draft))?;
        linked.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                ExportError::Delta { path: path.clone(), why: "another export has written this version meanwhile: export again".to_owned() }
            }
            _ => ExportError::file("publishing", &path)(error),
        })?;
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(ExportError::file("syncing", &self.folder))
    }

    /// A number in the form of a UUID, as the protocol demands, for a table that begins.
    fn new_id(&self, table: &str, now: u64) -> String {
        let hex = Digest::sha256(format!("{table} {} {now}", self.folder.display())).to_string();
        let part = |from, to| hex.get(from..to).unwrap_or_default();
        // Version 8, variant 1: a UUID of an application's own making.
        format!("{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
    }
}

/// The columns in Delta Lake's form. Fails for a type that it does not have.
pub(super) fn schema_string(table: &str, schema: &Schema) -> Result<String, ExportError> {
    let fields = schema.fields().iter().map(|field| {
        let unknown = |is: DataType| ExportError::Type { table: table.to_owned(), column: field.name().clone(), is };
        Ok(field_of(field.name(), type_of(field.data_type()).map_err(unknown)?, field.is_nullable()))
    });
    let fields = fields.collect::<Result<Vec<_>, ExportError>>()?;
    Ok(json!({"type": "struct", "fields": fields}).to_string())
}

fn field_of(name: &str, data_type: Value, is_nullable: bool) -> Value {
    json!({"name": name, "type": data_type, "nullable": is_nullable, "metadata": {}})
}

/// A type in Delta Lake's form, or the type that it does not have.
fn type_of(data_type: &DataType) -> Result<Value, DataType> {
    let simple = match data_type {
        DataType::Boolean => "boolean",
        DataType::Int8 => "byte",
        DataType::Int16 => "short",
        DataType::Int32 => "integer",
        DataType::Int64 => "long",
        DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Utf8 => "string",
        DataType::Date32 => "date",
        DataType::Timestamp(_, Some(_)) => "timestamp",
        DataType::Binary => "binary",
        DataType::Decimal128(digits, scale) => return Ok(json!(format!("decimal({digits},{scale})"))),
        DataType::List(item) => {
            let element = type_of(item.data_type())?;
            return Ok(json!({"type": "array", "elementType": element, "containsNull": item.is_nullable()}));
        }
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| Ok(field_of(field.name(), type_of(field.data_type())?, field.is_nullable())));
            return Ok(json!({"type": "struct", "fields": fields.collect::<Result<Vec<_>, DataType>>()?}));
        }
        other => return Err(other.clone()),
    };
    Ok(json!(simple))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, TimeUnit};

    use super::*;

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("account_id", DataType::Utf8, false),
            Field::new("amount", DataType::Decimal128(28, 9), true),
            Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        ])
    }

    fn as_of(commit_id: u64) -> AsOf {
        AsOf { commit_id, hash: Some(format!("hash of {commit_id}")) }
    }

    fn added(name: &str) -> Added {
        Added { name: name.to_owned(), rows: 3, bytes: 99 }
    }

    #[test]
    fn a_log_says_what_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let read = || DeltaLog::read(folder.path()).expect("a log");
        assert_eq!((read().version, read().as_of), (0, None));
        read().write("t", &schema(), &as_of(7), Some(&added("a.parquet")), false, 1).expect("version 0");
        let first = read();
        assert_eq!((first.version, &first.as_of), (1, &Some(as_of(7))));
        // No new rows: only the commit moves.
        first.write("t", &schema(), &as_of(8), None, false, 2).expect("version 1");
        assert_eq!(read().files, BTreeSet::from(["a.parquet".to_owned()]));
        read().write("t", &schema(), &as_of(9), Some(&added("b.parquet")), true, 3).expect("version 2");
        let last = read();
        assert_eq!((last.version, &last.as_of), (3, &Some(as_of(9))));
        assert_eq!(last.files, BTreeSet::from(["b.parquet".to_owned()]));
        assert_eq!(last.id, first.id, "the table stays the same one");
        // Who has read an older state cannot write its version again.
        let again = first.write("t", &schema(), &as_of(9), None, false, 4).expect_err("it is there");
        assert!(again.to_string().contains("another export has written this version meanwhile"), "{again}");
    }

    #[test]
    fn the_hash_is_that_of_the_commit_of_the_same_version() {
        let version = |metadata: &str, commit_id: u64| {
            format!("{{\"commitInfo\":{{{metadata}}}}}\n{{\"txn\":{{\"appId\":\"headwater\",\"version\":{commit_id}}}}}\n")
        };
        let noted = |text: &str| format!("\"userMetadata\":{text}");
        let with_hash = version(&noted("\"commit 7, hash ab\""), 7);
        for (case, versions, expected) in [
            ("a hash", vec![with_hash.clone()], Some("ab")),
            ("a later hash", vec![with_hash.clone(), version(&noted("\"commit 8, hash cd\""), 8)], Some("cd")),
            ("an earlier program", vec![version(&noted("\"commit 7\""), 7)], None),
            ("an earlier program after this one", vec![with_hash.clone(), version(&noted("\"commit 8\""), 8)], None),
            ("no metadata after a hash", vec![with_hash, version("", 8)], None),
            ("another commit", vec![version(&noted("\"commit 6, hash ab\""), 7)], None),
            ("no number", vec![version(&noted("\"commit x, hash ab\""), 7)], None),
            ("no text", vec![version(&noted("{\"a\":1}"), 7)], None),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            fs::create_dir(folder.path().join("_delta_log")).expect("a folder");
            for (number, text) in versions.iter().enumerate() {
                fs::write(folder.path().join(format!("_delta_log/{number:020}.json")), text).expect("a file");
            }
            let as_of = DeltaLog::read(folder.path()).expect("a log").as_of.expect("a commit");
            assert_eq!(as_of.hash.as_deref(), expected, "{case}");
        }
    }

    #[test]
    fn a_log_that_cannot_be_continued_is_refused_with_the_way_out() {
        for (name, file, content, expected) in [
            ("no JSON", 0, "{", "is no action of Delta Lake"),
            ("another program's", 0, "{\"commitInfo\":{}}", "it was not exported by headwater"),
            ("a beginning that was cleaned up", 3, "{\"commitInfo\":{}}", "version 0 of its log is missing"),
            ("a newer protocol", 0, "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7}}", "has set its writer version to 7"),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            fs::create_dir(folder.path().join("_delta_log")).expect("a folder");
            fs::write(folder.path().join(format!("_delta_log/{file:020}.json")), content).expect("a file");
            let error = DeltaLog::read(folder.path()).expect_err(name).to_string();
            assert!(error.contains(expected) && error.contains("export into an empty folder"), "{name}: {error}");
        }
    }

    #[test]
    fn a_type_that_delta_lake_lacks_is_named() {
        let schema = Schema::new(vec![Field::new("length", DataType::Duration(TimeUnit::Second), true)]);
        let error = schema_string("t", &schema).expect_err("no such type");
        assert_eq!(error.to_string(), "t.length is of type Duration(s), which Delta Lake does not have: export it as parquet or csv");
    }
}
