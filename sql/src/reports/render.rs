//! Formats of a document: JSON, CSV, XML, and a page of HTML.
//!
//! Every rendering has the SHA-256 of itself without the 64 digits of that hash, so anyone can check it:
//! `sed "s/$HASH//" FILE | sha256sum` prints `$HASH`.

mod csv;
mod html;
mod json;
mod xml;

use headwater_schemas::Digest;

use super::document::Document;
use crate::formats::formats;

formats! {
    /// Format of a report.
    #[derive(Default)]
    ReportFormat {
        /// One object.
        #[default]
        Json = "json",
        /// A block of lines for each section.
        Csv = "csv",
        /// One element.
        Xml = "xml",
        /// A page for people, without anything from elsewhere.
        Html = "html",
    }
}

/// A document in a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The text, with its hash.
    pub text: String,
    /// That hash: SHA-256 of the text without it.
    pub sha256: String,
}

impl ReportFormat {
    /// Writes a document, with the hash of what is written.
    pub fn render(self, document: &Document) -> Rendered {
        let write = match self {
            Self::Json => json::write,
            Self::Csv => csv::write,
            Self::Xml => xml::write,
            Self::Html => html::write,
        };
        let sha256 = Digest::sha256(write(document, "")).to_string();
        Rendered { text: write(document, &sha256), sha256 }
    }
}

/// A text with the characters that markup reserves escaped, and those that XML does not allow replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' => escaped.push(letter),
            '\r' => escaped.push_str("&#13;"),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::document::{Column, Finding, Kind, Parameter, Section};
    use super::*;

    fn document() -> Document {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let text = |text: &str| Some(text.to_owned());
        Document {
            report: "sample",
            version: 2,
            title: "A sample",
            commit_id: 7,
            commit_hash: "ab".to_owned(),
            parameters: vec![Parameter { name: "date", value: "2026-01-05".to_owned() }],
            sections: vec![
                Section {
                    name: "figures",
                    title: "Figures".to_owned(),
                    columns: vec![column("id", Kind::Text), column("amount", Kind::Decimal), column("ratio", Kind::Statistic)],
                    rows: vec![
                        vec![text("a<b> & \"c\", d\ne\u{1}"), text("123456789012345678.000000001"), text("NaN")],
                        vec![None, None, text("0.5")],
                    ],
                },
                Section { name: "nothing", title: "Nothing".to_owned(), columns: vec![column("n", Kind::Integer)], rows: vec![] },
            ],
            findings: vec![Finding {
                severity: "error".to_owned(),
                check: "legs",
                key: "t1".to_owned(),
                finding: "it does not balance".to_owned(),
            }],
        }
    }

    const JSON: &str = r#"{
"status":"draft",
"report":"sample",
"version":2,
"title":"A sample",
"sha256":"",
"manifest":{"commit_id":7,"commit_hash":"ab"},
"parameters":{"date":"2026-01-05"},
"sections":[
{"name":"figures","title":"Figures","columns":[{"name":"id","type":"text"},{"name":"amount","type":"decimal"},{"name":"ratio","type":"statistic"}],"rows":[
{"id":"a<b> & \"c\", d\ne\u0001","amount":"123456789012345678.000000001","ratio":null},
{"id":null,"amount":null,"ratio":0.5}
]},
{"name":"nothing","title":"Nothing","columns":[{"name":"n","type":"integer"}],"rows":[]}
],
"validation":[
{"severity":"error","check":"legs","key":"t1","finding":"it does not balance"}
]
}
"#;

    const CSV: &str = "document,value
status,draft
report,sample
version,2
title,A sample
sha256,
commit_id,7
commit_hash,ab
date,2026-01-05

section,figures,Figures
id,amount,ratio
\"a<b> & \"\"c\"\", d\ne\u{1}\",123456789012345678.000000001,NaN
,,0.5

section,nothing,Nothing
n

section,validation,What validation found
severity,check,key,finding
error,legs,t1,it does not balance
";

    const XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<report name="sample" version="2" status="draft" sha256="">
<title>A sample</title>
<manifest commit_id="7" commit_hash="ab"/>
<parameters>
<parameter name="date">2026-01-05</parameter>
</parameters>
<section name="figures" title="Figures">
<column name="id" type="text"/>
<column name="amount" type="decimal"/>
<column name="ratio" type="statistic"/>
<row><value name="id">a&lt;b&gt; &amp; &quot;c&quot;, d
e�</value><value name="amount">123456789012345678.000000001</value><value name="ratio">NaN</value></row>
<row><value name="ratio">0.5</value></row>
</section>
<section name="nothing" title="Nothing">
<column name="n" type="integer"/>
</section>
<validation>
<finding severity="error" check="legs" key="t1">it does not balance</finding>
</validation>
</report>
"#;

    #[test]
    fn every_format_is_written_to_the_letter() {
        for (write, expected) in [(json::write as fn(&Document, &str) -> String, JSON), (csv::write, CSV), (xml::write, XML)] {
            assert_eq!(write(&document(), ""), expected);
        }
        let parsed: serde_json::Value = serde_json::from_str(JSON).unwrap();
        assert_eq!(parsed["sections"][0]["rows"][0]["amount"], "123456789012345678.000000001");
    }

    #[test]
    fn a_page_escapes_data_and_says_draft() {
        let page = html::write(&document(), "");
        assert!(page.starts_with("<!doctype html>") && page.contains("draft"), "{page}");
        assert!(page.contains("a&lt;b&gt; &amp; &quot;c&quot;") && !page.contains("a<b>"), "{page}");
        assert!(page.contains("<td class=\"number\">123456789012345678.000000001</td>"), "{page}");
        assert!(!page.contains("http"), "it loads nothing");
    }

    #[test]
    fn a_rendering_has_the_hash_of_itself_without_the_hash() {
        for format in [ReportFormat::Json, ReportFormat::Csv, ReportFormat::Xml, ReportFormat::Html] {
            let text = format.render(&document()).text;
            let hash = text.split(|letter: char| !letter.is_ascii_hexdigit()).find(|word| word.len() == 64).unwrap();
            assert_eq!(text.matches(hash).count(), 1, "{format}");
            assert_eq!(Digest::sha256(text.replace(hash, "")).to_string(), hash, "{format}");
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!("pdf".parse::<ReportFormat>(), Err("there is no format \"pdf\": give json, csv, xml or html".to_owned()));
    }
}
