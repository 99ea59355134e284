//! CSV: a block for the document, one for each section, and one for validation, with an empty line between.
//!
//! A section's block begins with `section`, its name and its title; then come the header and the rows. NULL is empty, and an empty
//! text is `""`.

use crate::render::csv::quoted;
use crate::reports::document::Document;

/// The document as blocks of lines.
pub(super) fn write(document: &Document, sha256: &str) -> String {
    let (version, commit_id) = (document.version.to_string(), document.commit_id.to_string());
    let fixed = [
        ("document", "value"),
        ("status", "draft"),
        ("report", document.report),
        ("version", &version),
        ("title", document.title),
        ("sha256", sha256),
        ("commit_id", &commit_id),
        ("commit_hash", &document.commit_hash),
    ];
    let mut text = String::new();
    for (name, value) in fixed.into_iter().chain(document.parameters.iter().map(|parameter| (parameter.name, &*parameter.value))) {
        // The hash that is not known yet is no text.
        line(&mut text, [Some(name), Some(value).filter(|value| !value.is_empty())]);
    }
    for section in &document.sections {
        begin(&mut text, section.name, &section.title);
        line(&mut text, section.columns.iter().map(|column| Some(&*column.name)));
        section.rows.iter().for_each(|row| line(&mut text, row.iter().map(Option::as_deref)));
    }
    begin(&mut text, "validation", "What validation found");
    line(&mut text, ["severity", "check", "key", "finding"].map(Some));
    for finding in &document.findings {
        line(&mut text, [&*finding.severity, finding.check, &finding.key, &finding.finding].map(Some));
    }
    text
}

fn begin(text: &mut String, name: &str, title: &str) {
    text.push('\n');
    line(text, ["section", name, title].map(Some));
}

fn line<'v>(text: &mut String, values: impl IntoIterator<Item = Option<&'v str>>) {
    let values: Vec<_> = values.into_iter().map(|value| value.map(quoted).unwrap_or_default()).collect();
    text.push_str(&values.join(","));
    text.push('\n');
}
