//! Processes of several steps, like transfers and payments: which steps are legal, and the alerts about those that are not, or
//! that do not come.
//!
//! - [`Course`]: the legal steps in their order, and the illegal ones.
//! - [`StepAlerts`]: the alerts of a process, one per rule.

mod alerts;
mod course;
mod rows;

pub(crate) use alerts::{Finding, StepAlerts, Subject};
pub(crate) use course::{Course, Process};
pub(crate) use rows::{replace_rows, update_rows};
