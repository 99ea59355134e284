//! Sections of a document, read by the names of their columns.

use super::document::{Document, Section};
use super::error::Unfit;

/// A section, whose values are found by the names of their columns.
pub(super) struct Table<'d>(&'d Section);

/// A row of it.
pub(super) struct Row<'d> {
    section: &'d Section,
    values: &'d [Option<String>],
}

impl<'d> Table<'d> {
    /// The section with a name, if the document has it.
    pub(super) fn find(document: &'d Document, name: &str) -> Option<Self> {
        document.sections.iter().find(|section| section.name == name).map(Self)
    }

    /// The section with a name, which the report has.
    pub(super) fn of(document: &'d Document, name: &'static str) -> Result<Self, Unfit> {
        Self::find(document, name).ok_or(Unfit::Lacks(name))
    }

    /// Its rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'d>> + use<'d> {
        let section = self.0;
        section.rows.iter().map(move |values| Row { section, values })
    }
}

impl<'d> Row<'d> {
    /// The value of a column that is never NULL.
    pub(super) fn text(&self, column: &'static str) -> Result<&'d str, Unfit> {
        self.find(column).ok_or(Unfit::Lacks(column))
    }

    /// The value of a column; none for NULL.
    pub(super) fn find(&self, column: &str) -> Option<&'d str> {
        let mut cells = self.section.columns.iter().zip(self.values);
        cells.find_map(|(found, value)| if found.name == column { value.as_deref() } else { None })
    }
}
