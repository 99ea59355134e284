//! HTML: a page for people. It loads nothing and runs nothing.

use super::escaped;
use crate::reports::document::{Column, Document, Kind, Section};

const STYLE: &str = "body{font:14px sans-serif;margin:2em}table{border-collapse:collapse;margin-bottom:2em}\
th,td{border-bottom:1px solid #ccc;padding:.2em .6em;text-align:left}.number{text-align:right;font-variant-numeric:tabular-nums}\
.draft{color:#a00;text-transform:uppercase}code{word-break:break-all}";

/// The document as a page.
pub(super) fn write(document: &Document, sha256: &str) -> String {
    let Document { report, version, commit_id, .. } = document;
    let title = escaped(document.title);
    let parameters = document.parameters.iter().map(|parameter| format!("<li>{}: {}</li>\n", parameter.name, escaped(&parameter.value)));
    let parameters: String = parameters.collect();
    let sections: String = document.sections.iter().map(table).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<h1>{title} <span class=\"draft\">draft</span></h1>\n<ul>\n<li>report: {report}, version {version}</li>\n{parameters}\
         <li>commit: {commit_id}, <code>{hash}</code></li>\n<li>SHA-256: <code>{sha256}</code></li>\n</ul>\n{sections}{validation}</body>\n</html>\n",
        hash = escaped(&document.commit_hash),
        validation = table(&validation(document)),
    )
}

/// The findings as a section.
fn validation(document: &Document) -> Section {
    let columns = ["severity", "check", "key", "finding"].map(Column::text).to_vec();
    let row = |finding: &crate::reports::document::Finding| {
        [&*finding.severity, finding.check, &finding.key, &finding.finding].map(|text| Some(text.to_owned())).to_vec()
    };
    Section { name: "validation", title: "What validation found".to_owned(), columns, rows: document.findings.iter().map(row).collect() }
}

fn table(section: &Section) -> String {
    let class = |kind: Kind| if kind.is_number() { " class=\"number\"" } else { "" };
    let head = section.columns.iter().map(|column| format!("<th{}>{}</th>", class(column.kind), escaped(&column.name)));
    let head: String = head.collect();
    let row = |row: &Vec<Option<String>>| {
        let cell = |(column, value): (&Column, &Option<String>)| {
            format!("<td{}>{}</td>", class(column.kind), value.as_deref().map(escaped).unwrap_or_default())
        };
        let cells: String = section.columns.iter().zip(row).map(cell).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = section.rows.iter().map(row).collect();
    let (name, title) = (section.name, escaped(&section.title));
    format!("<h2 id=\"{name}\">{title}</h2>\n<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n")
}
