//! XML: element names are fixed; names of sections and columns are attributes. NULL has no element.

use std::fmt::Write;

use super::escaped;
use crate::reports::document::{Document, Section};

/// The document as one element.
pub(super) fn write(document: &Document, sha256: &str) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail.
    let _ = write_document(document, sha256, &mut text);
    text
}

fn write_document(document: &Document, sha256: &str, out: &mut String) -> std::fmt::Result {
    writeln!(out, "<report{}>", attributes(document, sha256))?;
    write_manifest(document, out)?;
    document.sections.iter().try_for_each(|section| write_section(section, out))?;
    write_findings(document, out)?;
    writeln!(out, "</report>")
}

/// What no element of a message of ISO 20022 is for, as its supplementary data: draft, commit, hash, parameters and validation.
pub(super) fn write_supplement(document: &Document, sha256: &str, out: &mut String) -> std::fmt::Result {
    writeln!(out, "<SplmtryData><Envlp>\n<report xmlns=\"urn:headwater:report\"{}>", attributes(document, sha256))?;
    write_manifest(document, out)?;
    write_findings(document, out)?;
    writeln!(out, "</report>\n</Envlp></SplmtryData>")
}

/// Attributes of the document's element.
fn attributes(Document { report, version, .. }: &Document, sha256: &str) -> String {
    format!(" name=\"{report}\" version=\"{version}\" status=\"draft\" sha256=\"{sha256}\"")
}

/// The title, the commit and the parameters.
fn write_manifest(document: &Document, out: &mut String) -> std::fmt::Result {
    writeln!(out, "<title>{}</title>", escaped(document.title))?;
    writeln!(out, "<manifest commit_id=\"{}\" commit_hash=\"{}\"/>", document.commit_id, escaped(&document.commit_hash))?;
    writeln!(out, "<parameters>")?;
    for parameter in &document.parameters {
        writeln!(out, "<parameter name=\"{}\">{}</parameter>", parameter.name, escaped(&parameter.value))?;
    }
    writeln!(out, "</parameters>")
}

/// What validation found.
fn write_findings(document: &Document, out: &mut String) -> std::fmt::Result {
    writeln!(out, "<validation>")?;
    for finding in &document.findings {
        let (severity, key) = (escaped(&finding.severity), escaped(&finding.key));
        let check = finding.check;
        writeln!(out, "<finding severity=\"{severity}\" check=\"{check}\" key=\"{key}\">{}</finding>", escaped(&finding.finding))?;
    }
    writeln!(out, "</validation>")
}

fn write_section(section: &Section, out: &mut String) -> std::fmt::Result {
    writeln!(out, "<section name=\"{}\" title=\"{}\">", section.name, escaped(&section.title))?;
    for column in &section.columns {
        writeln!(out, "<column name=\"{}\" type=\"{}\"/>", escaped(&column.name), column.kind.as_str())?;
    }
    for row in &section.rows {
        write!(out, "<row>")?;
        for (column, value) in section.columns.iter().zip(row) {
            if let Some(value) = value {
                write!(out, "<value name=\"{}\">{}</value>", escaped(&column.name), escaped(value))?;
            }
        }
        writeln!(out, "</row>")?;
    }
    writeln!(out, "</section>")
}
