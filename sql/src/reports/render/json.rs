//! JSON: decimals are strings, so that they stay exact.

use crate::render::value::append_string;
use crate::reports::document::{Column, Document, Kind, Section};

/// The document as one object.
pub(super) fn write(document: &Document, sha256: &str) -> String {
    let Document { report, version, title, commit_id, commit_hash, .. } = document;
    let parameters = document.parameters.iter().map(|parameter| member(parameter.name, &parameter.value));
    let sections = document.sections.iter().map(section).collect();
    let findings = document.findings.iter().map(|finding| {
        let members = [("severity", &*finding.severity), ("check", finding.check), ("key", &finding.key), ("finding", &finding.finding)];
        format!("{{{}}}", members.map(|(name, text)| member(name, text)).join(","))
    });
    let lines = [
        member("status", "draft"),
        member("report", report),
        format!("\"version\":{version}"),
        member("title", title),
        member("sha256", sha256),
        format!("\"manifest\":{{\"commit_id\":{commit_id},{}}}", member("commit_hash", commit_hash)),
        format!("\"parameters\":{{{}}}", parameters.collect::<Vec<_>>().join(",")),
        format!("\"sections\":{}", list(sections)),
        format!("\"validation\":{}", list(findings.collect())),
    ];
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

fn section(section: &Section) -> String {
    let column = |column: &Column| format!("{{{},{}}}", member("name", &column.name), member("type", column.kind.as_str()));
    let columns = section.columns.iter().map(column).collect::<Vec<_>>().join(",");
    let row = |row: &Vec<Option<String>>| {
        let values = section.columns.iter().zip(row).map(|(column, value)| format!("{}:{}", string(&column.name), of(column.kind, value)));
        format!("{{{}}}", values.collect::<Vec<_>>().join(","))
    };
    let rows = list(section.rows.iter().map(row).collect());
    format!("{{{},{},\"columns\":[{columns}],\"rows\":{rows}}}", member("name", section.name), member("title", &section.title))
}

/// A value: NULL, and a statistic that is no number, are `null`.
fn of(kind: Kind, value: &Option<String>) -> String {
    let Some(text) = value else { return "null".to_owned() };
    match kind {
        Kind::Integer | Kind::Boolean => text.clone(),
        Kind::Statistic if text.parse::<f64>().is_ok_and(f64::is_finite) => text.clone(),
        Kind::Statistic => "null".to_owned(),
        Kind::Text | Kind::Decimal | Kind::Time => string(text),
    }
}

fn member(name: &str, text: &str) -> String {
    format!("{}:{}", string(name), string(text))
}

fn string(text: &str) -> String {
    let mut string = String::new();
    append_string(text, &mut string);
    string
}

/// A list with an item on each line.
fn list(items: Vec<String>) -> String {
    if items.is_empty() { "[]".to_owned() } else { format!("[\n{}\n]", items.join(",\n")) }
}
