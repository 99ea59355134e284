//! Reports: documents of figures as of the end of a date, from one commit.
//!
//! A report is a folder of SQL files in `sql/reports`, one for each section, whose first line is the section's title, and one line in
//! [`REPORTS`]. What several sections read is a query in `sql/reports/names`. [`Report::make`] runs them; [`ReportFormat::render`] writes
//! the document. The same commit and parameters give the same bytes.
//!
//! | module | one idea |
//! |---|---|
//! | `as_of` | what `@name` means: tables as of the end of the date |
//! | `document`, `render` | the document, and its formats with their hash |
//! | `reference` | figures and fields that the pipeline does not have, from a file |
//! | `rts22` | transactions with all that an authority asks for, or what they lack |
//! | `amendments` | differences between what was known at two commits |
//! | `losses` | whether rows that a report needs were dropped after its commit |

mod amendments;
mod as_of;
mod document;
mod error;
mod losses;
mod reference;
mod render;
mod rts22;
mod table;

use headwater_connectors::parquet::chain::Commit;
use headwater_connectors::parquet::records::Records;
use headwater_schemas::{Date, EventTime};

pub use document::{Column, Document, Finding, Kind, Parameter, Section};
pub use error::{ReportError, Unfit};
pub use losses::{Loss, Losses};
pub use reference::Reference;
pub use render::{Rendered, ReportFormat};

use crate::catalog::Catalog;
use crate::error::{CatalogError, QueryError};
use crate::render::value;
use as_of::Moment;
use reference::ReferenceKind;

/// A report that can be made.
#[derive(Debug)]
pub struct Report {
    /// Its name.
    pub name: &'static str,
    /// Version of its sections and columns; rises when one is renamed or removed.
    pub version: u32,
    /// Its title.
    pub title: &'static str,
    needs: Needs,
    sections: &'static [SectionQuery],
    checks: &'static [SectionQuery],
}

/// The argument that a report takes besides dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    Account,
    Reference,
    /// A file of fields, which adds to the report and may be left out.
    Fields,
}

#[derive(Debug)]
struct SectionQuery {
    name: &'static str,
    sql: &'static str,
}

macro_rules! reports {
    ($($name:literal $version:literal $needs:ident $title:literal [$($section:literal)+] checks [$($check:literal)*];)+) => {
        /// Every report.
        pub const REPORTS: &[Report] = &[$(Report {
            name: $name,
            version: $version,
            title: $title,
            needs: Needs::$needs,
            sections: &[$(SectionQuery { name: $section, sql: include_str!(concat!("../../reports/", $name, "/", $section, ".sql")) }),+],
            checks: &[$(SectionQuery { name: $check, sql: include_str!(concat!("../../reports/checks/", $check, ".sql")) }),*],
        }),+];
    };
}

reports! {
    "daily-position" 1 Nothing "Positions and portfolios" ["positions" "lots" "portfolios" "late_fills"] checks ["positions" "lots" "marks" "rates" "dead_letters"];
    "risk-metrics" 1 Nothing "Value at risk, exposure and limits" ["risk" "portfolios" "limits"] checks ["positions" "marks" "rates" "dead_letters"];
    "transaction-summary" 1 Nothing "Posted transactions" ["totals" "accounts" "late"] checks ["legs" "balances" "late" "dead_letters"];
    "executions-rts22" 1 Fields "Executions with the fields of RTS 22 that the pipeline knows" ["executions" "transactions"] checks ["identifiers" "dead_letters"];
    "large-cash" 1 Nothing "Candidates for reports of large cash" ["candidates" "transactions"] checks ["legs" "late" "dead_letters"];
    "liquidity" 1 Reference "Liquidity coverage" ["ratio" "assets" "flows"] checks ["classes" "flows" "marks" "balances" "dead_letters"];
    "capital" 1 Reference "Capital ratios" ["ratios" "exposures"] checks ["weights" "own_funds" "marks" "dead_letters"];
    "account-statement" 1 Account "Statement of an account" ["summary" "entries" "holds"] checks ["account" "legs" "balances" "late"];
    "audit-trail" 1 Nothing "Accepted, late and rejected records, and corrections" ["records" "late_records" "rejected" "corrections"] checks ["dead_letters"];
    "access-review" 1 Nothing "Access, its alerts, and who decided on rules" ["attempts" "alerts" "alerted" "rules"] checks ["dead_letters"];
}

/// What a report is asked for.
#[derive(Clone, Debug)]
pub struct ReportRequest {
    /// The last date.
    pub date: Date,
    /// The first date; the last one if omitted.
    pub from: Option<Date>,
    /// The account, for a report about one.
    pub account: Option<String>,
    /// Reference data, for a report that needs it.
    pub reference: Option<Reference>,
}

/// The report with a name.
pub fn report_named(name: &str) -> Result<&'static Report, ReportError> {
    let known = || REPORTS.iter().map(|report| report.name).collect::<Vec<_>>().join(", ");
    REPORTS.iter().find(|report| report.name == name).ok_or_else(|| ReportError::Unknown { name: name.to_owned(), known: known() })
}

impl Report {
    /// Whether it is about one account.
    pub fn needs_account(&self) -> bool {
        self.needs == Needs::Account
    }

    /// Whether it needs reference data.
    pub fn needs_reference(&self) -> bool {
        self.needs == Needs::Reference
    }

    /// Whether it takes reference data.
    pub fn takes_reference(&self) -> bool {
        self.reference_kind().is_some()
    }

    /// Checks that a reference file is of the kind that the report takes.
    pub fn check_reference(&self, reference: &Reference) -> Result<(), ReportError> {
        match self.reference_kind() {
            Some(kind) if kind == reference.kind() => Ok(()),
            Some(kind) => Err(ReportError::ReferenceKind { report: self.name, header: kind.header(), given: reference.kind().header() }),
            None => Err(self.refused("--reference")),
        }
    }

    fn reference_kind(&self) -> Option<ReferenceKind> {
        match self.needs {
            Needs::Nothing | Needs::Account => None,
            Needs::Reference => Some(ReferenceKind::Figures),
            Needs::Fields => Some(ReferenceKind::Fields),
        }
    }

    fn refused(&self, what: &str) -> ReportError {
        ReportError::Argument(format!("the report {} takes no {what}: leave it out", self.name))
    }

    /// Makes the report from the rows at a catalog's commit. Use a catalog at a given commit for what was known then.
    pub fn make(&'static self, catalog: &Catalog, request: &ReportRequest) -> Result<Document, ReportError> {
        self.check(request)?;
        let commit = commit(catalog)?;
        let from = request.from.unwrap_or(request.date);
        let (account, reference) = (request.account.as_deref(), request.reference.as_ref());
        let moment = Moment { from, date: request.date, clock: commit.clock, account, reference };
        let failed = |section| move |cause| ReportError::Query { report: self.name, section, cause: Box::new(cause) };
        let mut sections = Vec::new();
        for query in self.sections {
            sections.push(query.section(catalog, &moment.expand(query.sql)?).map_err(failed(query.name))?);
        }
        let mut findings = of_the_end(&moment, &commit);
        for query in self.checks {
            let found = query.section(catalog, &moment.expand(query.sql)?).map_err(failed(query.name))?;
            findings.extend(found.rows.into_iter().map(|row| finding(query.name, row)));
        }
        let fields = reference.filter(|_| self.needs == Needs::Fields).map(|reference| rts22::section(&sections, reference));
        let has_fields = fields.is_some();
        sections.extend(fields);
        let mut document = Document {
            report: self.name,
            version: self.version,
            title: self.title,
            commit_id: commit.commit_id,
            commit_hash: commit.hash,
            parameters: parameters(request, from),
            sections,
            findings,
            earlier: None,
        };
        if has_fields {
            let format = ReportFormat::Auth016;
            let found = rts22::findings(&document).map_err(|cause| ReportError::Format { report: self.name, format, cause })?;
            document.findings.extend(found);
        }
        Ok(document)
    }

    /// Makes the report, with a section of the rows that were others, or not there, at an earlier commit.
    pub fn make_amending(&'static self, now: &Catalog, then: &Catalog, request: &ReportRequest) -> Result<Document, ReportError> {
        let earlier = self.make(then, request)?;
        let mut document = self.make(now, request)?;
        if earlier.commit_id > document.commit_id {
            let (then, now) = (earlier.commit_id, document.commit_id);
            return Err(ReportError::Argument(format!("commit {then} is later than commit {now}: amend a report of an earlier commit")));
        }
        let amendments = amendments::between(&earlier, &document);
        document.sections.push(amendments);
        document.parameters.push(Parameter { name: "amends", value: earlier.commit_id.to_string() });
        document.earlier = Some(Box::new(earlier));
        Ok(document)
    }

    fn check(&self, request: &ReportRequest) -> Result<(), ReportError> {
        let argument = match self.needs {
            Needs::Account if request.account.is_none() => Some("--account, the account that it is about"),
            Needs::Reference if request.reference.is_none() => Some("--reference, a CSV file with what the pipeline does not know"),
            _ => None,
        };
        if let Some(argument) = argument {
            return Err(ReportError::Missing { report: self.name, argument });
        }
        if let Some(reference) = &request.reference {
            self.check_reference(reference)?;
        }
        match request.from {
            _ if request.account.is_some() && self.needs != Needs::Account => Err(self.refused("--account")),
            Some(from) if from > request.date => {
                Err(ReportError::Argument(format!("--from {from} is after --date {}: give an earlier one", request.date)))
            }
            _ => Ok(()),
        }
    }
}

impl SectionQuery {
    /// The title: the comment that opens the file.
    fn title(&self) -> &'static str {
        self.sql.lines().next().unwrap_or_default().trim_start_matches("--").trim()
    }

    fn section(&self, catalog: &Catalog, sql: &str) -> Result<Section, QueryError> {
        let result = catalog.query(sql)?;
        let columns = result.schema().fields().iter().map(|field| Column::of(field)).collect();
        let mut rows = Vec::new();
        for batch in result {
            let batch = batch?;
            for row in 0..batch.num_rows() {
                let values = (0..batch.num_columns()).map(|column| value::text(&batch, column, row));
                rows.push(values.collect::<Result<_, _>>()?);
            }
        }
        Ok(Section { name: self.name, title: self.title().to_owned(), columns, rows })
    }
}

/// The record of a catalog's commit.
fn commit(catalog: &Catalog) -> Result<Commit, ReportError> {
    let committed = catalog.snapshot().committed;
    let record = Records::new(committed.data()).read(committed.commit_id()).map_err(CatalogError::from)?;
    record.ok_or(if catalog.is_pinned() { ReportError::CommitZero } else { ReportError::NoCommit })
}

fn parameters(request: &ReportRequest, from: Date) -> Vec<Parameter> {
    let mut parameters =
        vec![Parameter { name: "from", value: from.to_string() }, Parameter { name: "date", value: request.date.to_string() }];
    if let Some(account) = &request.account {
        parameters.push(Parameter { name: "account", value: account.clone() });
    }
    if let Some(reference) = &request.reference {
        parameters.push(Parameter { name: "reference_sha256", value: reference.sha256().to_owned() });
    }
    parameters
}

/// Whether the commit knows the whole date.
fn of_the_end(moment: &Moment<'_>, commit: &Commit) -> Vec<Finding> {
    if commit.end_tick >= moment.end_tick() {
        return Vec::new();
    }
    let until = EventTime::from_effective(commit.clock.start_of(commit.end_tick));
    let finding = format!("the commit ends at {until}, before the end of the date: the figures are those of that moment");
    vec![Finding { severity: "warning".to_owned(), check: "date", key: format!("commit {}", commit.commit_id), finding }]
}

fn finding(check: &'static str, row: Vec<Option<String>>) -> Finding {
    let mut texts = row.into_iter().map(Option::unwrap_or_default);
    let mut next = || texts.next().unwrap_or_default();
    Finding { severity: next(), check, key: next(), finding: next() }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Money;

    use super::*;
    use crate::testing::{TestData, at, balance, changes, facts, leg};

    fn request(report: &Report) -> ReportRequest {
        let reference = || Reference::read("kind,id,currency,class,value\nasset,S,,1,0\n").unwrap();
        ReportRequest {
            date: "2026-01-05".parse().unwrap(),
            from: None,
            account: (report.needs == Needs::Account).then(|| "a".to_owned()),
            reference: (report.needs == Needs::Reference).then(reference),
        }
    }

    #[test]
    fn every_report_can_be_made_of_empty_tables_and_orders_its_rows() {
        let mut data = TestData::new();
        assert!(matches!(REPORTS[0].make(&data.catalog(), &request(&REPORTS[0])), Err(ReportError::NoCommit)));
        let at_zero = data.catalog().reopen(Some(0)).unwrap();
        assert!(matches!(REPORTS[0].make(&at_zero, &request(&REPORTS[0])), Err(ReportError::CommitZero)), "commit 0 is asked for");
        data.commit(vec![]);
        for report in REPORTS {
            let document = report.make(&data.catalog(), &request(report)).unwrap_or_else(|error| {
                panic!("{}: {}", report.name, headwater_connectors::fault::with_causes(&error));
            });
            assert!(document.sections.iter().all(|section| section.rows.is_empty() && !section.columns.is_empty()), "{}", report.name);
            let checks: Vec<_> = document.findings.iter().map(|finding| finding.check).collect();
            // The account is not there.
            let expected = if report.needs == Needs::Account { &["date", "account"][..] } else { &["date"] };
            let checks: Vec<_> = checks.into_iter().filter(|check| *check != "classes").collect();
            assert_eq!(checks, expected, "{}", report.name);
            for query in report.sections.iter().chain(report.checks) {
                assert!(query.sql.starts_with("-- ") && !query.title().is_empty(), "{} {}", report.name, query.name);
                assert!(query.sql.contains("\nORDER BY "), "{} {} has no order", report.name, query.name);
            }
        }
    }

    #[test]
    fn a_statement_opens_and_closes_with_the_sums_of_its_legs() {
        let mut data = TestData::new();
        let usd = |transaction, amount, ts| leg(transaction, 1, "a", "USD", Money::whole(amount), ts);
        data.commit(vec![
            facts(&[usd("t1", 100, at(4, 0)), usd("t2", 50, at(5, 43_200)), usd("t3", -30, at(5, 64_800)), usd("t4", 7, at(6, 0))]),
            changes(&[(balance("a", 120, at(5, 64_800)), 1)]),
        ]);
        let report = report_named("account-statement").unwrap();
        let document = report.make(&data.catalog(), &request(report)).unwrap();
        let rows = |place: usize| -> Vec<String> {
            let text = |row: &Vec<Option<String>>| row.iter().map(|value| value.clone().unwrap_or_default()).collect::<Vec<_>>().join(",");
            document.sections[place].rows.iter().map(text).collect()
        };
        // 100 + 50 / 2 - 30 / 4, by hand.
        assert_eq!(rows(0), ["a,USD,100,50,30,120,117.5"]);
        assert_eq!(rows(1).len(), 2);
    }

    #[test]
    fn arguments_that_a_report_lacks_or_does_not_take_are_named() {
        let mut data = TestData::new();
        data.commit(vec![]);
        let message = |name: &str, change: fn(&mut ReportRequest)| {
            let report = report_named(name).unwrap();
            let mut request = request(report);
            change(&mut request);
            report.make(&data.catalog(), &request).unwrap_err().to_string()
        };
        let no_account = message("account-statement", |request| request.account = None);
        assert_eq!(no_account, "the report account-statement needs --account, the account that it is about");
        let account = message("audit-trail", |request| request.account = Some("a".to_owned()));
        assert_eq!(account, "the report audit-trail takes no --account: leave it out");
        let from = message("audit-trail", |request| request.from = Some("2026-01-06".parse().unwrap()));
        assert_eq!(from, "--from 2026-01-06 is after --date 2026-01-05: give an earlier one");
        let unknown = report_named("nothing").unwrap_err().to_string();
        assert!(unknown.starts_with("there is no report \"nothing\": give one of daily-position, risk-metrics"), "{unknown}");
    }
}
