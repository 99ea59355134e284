//! Versions of rule packs: proposed by one person, approved by another, and effective from a time.
//!
//! ```text
//!              ┌─► rejected
//!  proposed ───┤
//!              └─► approved ──at effective_from──► effective ──a later version──► superseded
//! ```
//!
//! - **Key**: the pack. A version is proposed with the pack's text, or as the pack's retirement.
//! - A proposal is checked when it comes: the pack is loaded, its own tests run, and its name and subject are those of before. An
//!   approval checks the same again, and that the person is another one. What fails is a dead letter and changes nothing.
//! - **From when it judges**: the first grid point after the approval, and not before the time that the proposal gives. So it does
//!   not depend on the length of a tick. Events of effective times from there on are judged by it.
//! - **Taking effect** is the matter of the run: a view derives the time of each approval, at which the run closes a commit and is
//!   entered again with the packs [in force](in_force()).
//! - **State**: the rows of `rule_versions`, for ever.

mod in_force;
#[cfg(test)]
mod tests;
mod view;

pub use in_force::{due_after, in_force};
pub use view::{RuleVersions, SavedRuleVersions};
