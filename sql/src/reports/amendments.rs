//! Amendments: rows of a report that were others, or not there, at an earlier commit.

use std::collections::BTreeMap;

use super::document::{Column, Document, Section};

/// Name of the section.
pub(super) const AMENDMENTS: &str = "amendments";

/// The rows that differ, by section: those that were known then, and those that are known now.
pub(super) fn between(then: &Document, now: &Document) -> Section {
    let mut rows = Vec::new();
    for section in &now.sections {
        let earlier = then.sections.iter().find(|earlier| earlier.name == section.name);
        for (row, count) in counted(earlier, section) {
            let known = if count < 0 { "then" } else { "now" };
            let new = || [section.name, known, &row].map(|text| Some(text.to_owned())).to_vec();
            rows.extend((0..count.unsigned_abs()).map(|_| new()));
        }
    }
    let columns = ["section", "known", "row"].map(Column::text).to_vec();
    Section { name: AMENDMENTS, title: "Rows that differ between what was known then and what is known now".to_owned(), columns, rows }
}

/// How many more times each row is in the later section than in the earlier one, without rows that did not change.
fn counted(then: Option<&Section>, now: &Section) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::<_, i64>::new();
    for row in then.iter().flat_map(|section| &section.rows) {
        *counts.entry(text(now, row)).or_default() -= 1;
    }
    for row in &now.rows {
        *counts.entry(text(now, row)).or_default() += 1;
    }
    counts.retain(|_, count| *count != 0);
    counts
}

/// A row as text: `account_id=A, quantity=5`. Columns without a value are left out.
fn text(section: &Section, row: &[Option<String>]) -> String {
    let values = section.columns.iter().zip(row).filter_map(|(column, value)| Some(format!("{}={}", column.name, value.as_ref()?)));
    values.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(rows: &[(&str, Option<&str>)]) -> Document {
        let columns = vec![Column::text("key"), Column::text("value")];
        let rows = rows.iter().map(|(key, value)| vec![Some((*key).to_owned()), value.map(str::to_owned)]).collect();
        let section = Section { name: "s", title: String::new(), columns, rows };
        let (parameters, findings) = (Vec::new(), Vec::new());
        Document {
            report: "r",
            version: 1,
            title: "R",
            commit_id: 1,
            commit_hash: String::new(),
            parameters,
            sections: vec![section],
            findings,
            earlier: None,
        }
    }

    #[test]
    fn rows_that_differ_are_listed_once_for_each_time() {
        let then = document(&[("a", Some("1")), ("b", Some("2")), ("c", None), ("c", None)]);
        let now = document(&[("a", Some("1")), ("b", Some("3")), ("c", None), ("d", Some("4"))]);
        let rows = between(&then, &now).rows;
        let texts: Vec<_> = rows.iter().map(|row| row.iter().flatten().cloned().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(texts, ["s then key=b, value=2", "s now key=b, value=3", "s then key=c", "s now key=d, value=4"]);
        assert!(between(&now, &now).rows.is_empty());
    }
}
