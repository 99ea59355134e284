//! Makes the reports that are due and missing, in the order of their dates. A document whose file was deleted is missing, too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use headwater_connectors::fault::with_causes;
use headwater_schemas::{Date, EffectiveTime};
use headwater_sql::{Catalog, Document, Loss, Losses, ReportFormat, ReportRequest, SqlConfig};

use super::config::Entry;
use super::due::Commits;
use super::manifest::{Findings, Line, Manifest, sync_folder};
use super::{Calendar, read_reference};

/// Extension of a document that is being written.
const DRAFT: &str = "draft";
/// Documents that fail one after the other until the rest is left for later: the cause is then not in the documents.
const MOST_FAILURES: usize = 10;

/// Most dates of a data directory: more than [`Date`] can be written with.
const MOST_DATES: usize = 300_000;

/// A point in making a document, at which a process may die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The document is on disk under the name of a draft.
    Drafted,
    /// The document has its name.
    Placed,
    /// The manifest has its line.
    Listed,
}

impl Point {
    /// All points, in order.
    pub const ALL: [Self; 3] = [Self::Drafted, Self::Placed, Self::Listed];

    /// The name in lower case.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// Called at every point of every document, with its commit.
pub type Reached = Arc<dyn Fn(Point, u64) + Send + Sync>;

/// What happened to a document.
#[derive(Debug)]
pub enum Event<'a> {
    /// It is made.
    Made(&'a Line),
    /// There is none, because nothing happened that its format has room for.
    Empty(&'a Line),
    /// It cannot be made any more, which its line says.
    Lost(&'a Line),
    /// It is not made, and will be tried again.
    Failed {
        /// Its path below the folder of documents.
        path: &'a str,
        /// The cause.
        error: &'a anyhow::Error,
    },
}

/// Numbers of documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Made.
    pub made: usize,
    /// Failed, or lost for ever.
    pub failed: usize,
    /// Whether some were left for later.
    pub stopped: bool,
}

/// Makes reports of a data directory.
pub struct Maker {
    calendar: Calendar,
    data: PathBuf,
    sql: SqlConfig,
    reached: Reached,
    /// The first date that is not done: not due, or not made; `None` before the first rows.
    next: Option<Date>,
    /// The last commit of those without rows.
    without: u64,
}

/// What is open while documents are made.
struct Making<'m, 't> {
    maker: &'m Maker,
    commits: Commits,
    manifest: Manifest,
    /// The documents that the manifest has, and whose files are gone.
    deleted: BTreeMap<String, Date>,
    losses: Losses,
    /// The catalog of the commit that was needed last.
    catalog: Option<Opened>,
    tally: Tally,
    /// Documents that failed since one was made.
    failed_in_a_row: usize,
    goes_on: &'t dyn Fn() -> bool,
    tell: &'t mut dyn FnMut(Event<'_>),
}

struct Opened {
    commit_id: u64,
    hash: String,
    catalog: Catalog,
}

/// A document that is due and missing.
struct Missing<'m> {
    entry: &'m Entry,
    format: ReportFormat,
    from: Date,
    date: Date,
    path: String,
}

/// How the making of a document ended.
#[derive(Clone, Copy)]
enum Outcome {
    Made,
    Empty,
    Lost,
}

/// A report at the commit at which it is due.
enum Made {
    Document(Box<Document>),
    /// The commit has no longer the rows that it had.
    Lost {
        loss: Loss,
        commit_id: u64,
        hash: String,
    },
}

impl Maker {
    /// A maker for a data directory, with limits of queries.
    pub fn new(calendar: Calendar, data: &Path, sql: SqlConfig, reached: Reached) -> Self {
        Self { calendar, data: data.to_owned(), sql, reached, next: None, without: 0 }
    }

    /// The event time from which on something is to be done.
    pub fn due_time(&self) -> EffectiveTime {
        self.next.map_or(EffectiveTime::ZERO, |date| self.calendar.due_time(date))
    }

    /// Makes what is due as of the newest commit, as long as `goes_on`. An error is one of the commits or of the manifest.
    pub fn make(&mut self, goes_on: &dyn Fn() -> bool, tell: &mut dyn FnMut(Event<'_>)) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        let mut commits = Commits::of(&self.data)?;
        let (Some(end), Some(first)) = (commits.end()?, self.first(&mut commits)?) else { return Ok(tally) };
        let dates = std::iter::successors(Some(first), |date| Some(date.next())).take(MOST_DATES);
        let due: Vec<Date> = dates.take_while(|date| self.calendar.due_time(*date) <= end).collect();
        let mut next = due.last().map_or(first, |last| last.next());
        let is_any_due = due.iter().any(|date| self.calendar.reports_of(*date).next().is_some());
        if is_any_due || Manifest::exists(&self.calendar.folder) {
            let manifest = Manifest::open(&self.calendar.folder)?;
            let deleted = manifest.deleted();
            // The past of a calendar that begins later stays as it is: its documents may have been moved to another place.
            let made_again = deleted.values().copied().filter(|date| self.calendar.from.is_none_or(|from| from <= *date));
            let dates: BTreeSet<Date> = made_again.chain(due).collect();
            let losses = Losses::default();
            let mut making =
                Making { maker: self, commits, manifest, deleted, losses, catalog: None, tally, failed_in_a_row: 0, goes_on, tell };
            making.check_origin()?;
            for date in dates {
                if !making.date(date) {
                    next = next.min(date);
                }
                if making.tally.stopped {
                    break;
                }
            }
            tally = making.tally;
        }
        self.next = Some(next);
        Ok(tally)
    }

    /// The first date to be looked at.
    fn first(&mut self, commits: &mut Commits) -> anyhow::Result<Option<Date>> {
        if self.next.is_none() {
            let first = commits.first_date(self.without)?;
            self.without = commits.last();
            self.next = first.map(|first| self.calendar.from.map_or(first, |from| from.max(first)));
        }
        Ok(self.next)
    }
}

impl<'m> Making<'m, '_> {
    /// Checks that the documents in the folder are made from the commits of this data directory.
    fn check_origin(&mut self) -> anyhow::Result<()> {
        let Some(last) = self.manifest.last() else { return Ok(()) };
        let (commit_id, hash) = (last.commit_id, last.commit_hash.clone());
        if commit_id <= self.commits.last() && self.commits.read(commit_id)?.hash == hash {
            return Ok(());
        }
        bail!(
            "the reports in {} are made from other commits than those of {} (commit {commit_id} with the hash {hash}): give reports.folder another \
             folder, or move them away",
            self.maker.calendar.folder.display(),
            self.maker.data.display()
        )
    }

    /// Makes the documents of a date; true if it lacks none then.
    fn date(&mut self, date: Date) -> bool {
        let (maker, mut is_done) = (self.maker, true);
        for (entry, from) in maker.calendar.reports_of(date) {
            let missing = self.missing(entry, from, date);
            if missing.is_empty() {
                continue;
            }
            if !(self.goes_on)() || self.failed_in_a_row >= MOST_FAILURES {
                self.tally.stopped = true;
                return false;
            }
            let mut last = None;
            for document in &missing {
                let ended = self.commit_of(document).and_then(|commit_id| {
                    let same = last.take().filter(|(of, _)| *of == commit_id);
                    let (_, made) = last.insert(same.unwrap_or_else(|| (commit_id, self.report(document, commit_id))));
                    match made {
                        Ok(made) => self.write(made, document),
                        Err(error) => Err(anyhow::anyhow!("{error:#}")),
                    }
                });
                is_done &= self.count(document, ended);
            }
        }
        is_done
    }

    /// Counts and tells what happened to a document; false if it is to be made again.
    fn count(&mut self, document: &Missing<'_>, ended: anyhow::Result<(Line, Outcome)>) -> bool {
        match ended {
            Ok((line, Outcome::Lost)) => {
                self.tally.failed += 1;
                (self.tell)(Event::Lost(&line));
                true
            }
            Ok((line, Outcome::Empty)) => {
                (self.tell)(Event::Empty(&line));
                true
            }
            Ok((line, Outcome::Made)) => {
                self.tally.made += 1;
                self.failed_in_a_row = 0;
                (self.tell)(Event::Made(&line));
                true
            }
            Err(error) => {
                self.tally.failed += 1;
                self.failed_in_a_row += 1;
                (self.tell)(Event::Failed { path: &document.path, error: &error });
                false
            }
        }
    }

    /// The documents of an entry and a date that the manifest or the folder lacks.
    fn missing(&self, entry: &'m Entry, from: Date, date: Date) -> Vec<Missing<'m>> {
        let document = |format: &ReportFormat| {
            let path = format!("{date}/{}.{}", entry.stem(), format.extension());
            Missing { entry, format: *format, from, date, path }
        };
        entry.formats.iter().map(document).filter(|document| self.is_missing(&document.path)).collect()
    }

    fn is_missing(&self, path: &str) -> bool {
        !self.manifest.has(path) || self.deleted.contains_key(path)
    }

    /// The commit from which a document is made: of one that was deleted the same as before, whatever the calendar says by now.
    fn commit_of(&mut self, document: &Missing<'_>) -> anyhow::Result<u64> {
        if let Some(commit_id) = self.manifest.commit(&document.path) {
            return Ok(commit_id);
        }
        let due = self.commits.first_until(self.maker.calendar.due_time(document.date))?;
        due.with_context(|| format!("no commit has the whole of {}", document.date))
    }

    /// The report of a document, from a commit.
    fn report(&mut self, document: &Missing<'_>, commit_id: u64) -> anyhow::Result<Made> {
        let Missing { entry, from, date, .. } = *document;
        let opened = match self.catalog.take().filter(|opened| opened.commit_id == commit_id) {
            Some(opened) => opened,
            None => Opened {
                commit_id,
                hash: self.commits.read(commit_id)?.hash,
                catalog: Catalog::open_with(&self.maker.data, Some(commit_id), self.maker.sql.clone())?,
            },
        };
        if let Some(loss) = self.losses.of(entry.report, &opened.catalog)? {
            let made = Made::Lost { loss, commit_id, hash: opened.hash.clone() };
            self.catalog = Some(opened);
            return Ok(made);
        }
        let reference = entry.reference.as_deref().map(read_reference).transpose()?;
        let request = ReportRequest { date, from: Some(from), account: entry.account.clone(), reference };
        let made = entry.report.make(&opened.catalog, &request)?;
        // After an error it is opened anew: its files may have been merged into others.
        self.catalog = Some(opened);
        Ok(Made::Document(Box::new(made)))
    }

    /// Writes a document and its line in the manifest.
    fn write(&mut self, made: &Made, document: &Missing<'_>) -> anyhow::Result<(Line, Outcome)> {
        let Missing { entry, format, from, date, path } = document;
        let mut line = Line {
            report: entry.report.name.to_owned(),
            version: entry.report.version,
            date: *date,
            from: *from,
            account: entry.account.clone(),
            format: format.to_string(),
            path: path.clone(),
            commit_id: 0,
            commit_hash: String::new(),
            sha256: None,
            findings: Findings::default(),
            missing: None,
        };
        let mut outcome = Outcome::Lost;
        match made {
            Made::Document(document) => {
                (line.commit_id, line.commit_hash) = (document.commit_id, document.commit_hash.clone());
                line.findings = findings(document);
                let listed = self.manifest.hash(path);
                match format.render(document) {
                    Ok(rendered) if listed.is_some_and(|hash| hash != rendered.sha256) => {
                        line.missing = Some(format!(
                            "it was deleted, and would not be the document that manifest.jsonl has (sha256 {}): the program, the reference \
                             data or the holidays are others by now; restore the file from a copy",
                            listed.unwrap_or_default()
                        ));
                    }
                    Ok(rendered) => {
                        line.sha256 = Some(rendered.sha256);
                        outcome = Outcome::Made;
                        place(&self.maker.calendar.folder, path, &rendered.text, &|point| (self.maker.reached)(point, document.commit_id))?;
                    }
                    // It follows from the commit, so trying again would not help.
                    Err(error) => {
                        line.missing = Some(with_causes(&error));
                        if error.is_nothing_to_report() {
                            outcome = Outcome::Empty;
                        }
                    }
                }
            }
            Made::Lost { loss, commit_id, hash } => {
                (line.commit_id, line.commit_hash) = (*commit_id, hash.clone());
                line.missing = Some(format!(
                    "commit {} dropped rows of {} that commit {commit_id} had (upkeep.retention), so the report cannot be made as it was due",
                    loss.commit_id, loss.data_set
                ));
            }
        }
        // One that was deleted has its line, which stays true of a copy that is restored.
        if !self.manifest.has(path) {
            self.manifest.append(line.clone())?;
        }
        (self.maker.reached)(Point::Listed, line.commit_id);
        Ok((line, outcome))
    }
}

fn findings(document: &Document) -> Findings {
    let count = |severity: &str| document.findings.iter().filter(|finding| finding.severity == severity).count();
    Findings { error: count("error"), warning: count("warning"), information: count("information") }
}

/// Writes a document under its name, atomically and durably. One that is there with these bytes stays; one with others is an error.
fn place(folder: &Path, path: &str, text: &str, reached: &dyn Fn(Point)) -> anyhow::Result<()> {
    let path = folder.join(path);
    match fs::read(&path) {
        Ok(there) if there == text.as_bytes() => return Ok(()),
        Ok(_) => bail!("{} is there and is not the document that its commit gives: move it away", path.display()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    }
    let below = path.parent().unwrap_or(folder);
    let mut draft = path.clone().into_os_string();
    draft.push(format!(".{DRAFT}"));
    let draft = PathBuf::from(draft);
    fs::create_dir_all(below).with_context(|| format!("creating {}", below.display()))?;
    let written = File::create(&draft).and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.with_context(|| format!("writing {}: make room, or let the folder be written", draft.display()))?;
    reached(Point::Drafted);
    fs::rename(&draft, &path).with_context(|| format!("renaming {}", draft.display()))?;
    sync_folder(below)?;
    sync_folder(folder)?;
    reached(Point::Placed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_placed_once_and_never_changed() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = "2026-01-05/daily-position.json";
        // What a process left that was killed.
        fs::create_dir_all(folder.path().join("2026-01-05"))?;
        fs::write(folder.path().join("2026-01-05/daily-position.json.draft"), "ha")?;
        for _ in 0..2 {
            place(folder.path(), path, "half", &|_| ())?;
            assert_eq!(fs::read_to_string(folder.path().join(path))?, "half");
            assert_eq!(fs::read_dir(folder.path().join("2026-01-05"))?.count(), 1);
        }
        let refused = place(folder.path(), path, "other", &|_| ()).expect_err("it is there").to_string();
        assert!(refused.contains("daily-position.json is there and is not the document"), "{refused}");
        assert_eq!(fs::read_to_string(folder.path().join(path))?, "half");
        Ok(())
    }
}
