//! Changes of rule packs while the pipeline runs.

use serde::{Deserialize, Deserializer};

use super::json::{event, typed_events};
use crate::value::{EventTime, Id, Text};

typed_events! {
    /// A step of a change of a rule pack: whoever proposes it, another person approves it.
    RulesetEvent {
        /// A version of the pack is proposed.
        "proposed" => Proposed(Box<RulesetProposed>),
        /// It is proposed that the pack judges no more.
        "retirement_proposed" => RetirementProposed(Box<RulesetRetirement>),
        /// A proposal is approved.
        "approved" => Approved(Box<RulesetDecision>),
        /// A proposal is rejected.
        "rejected" => Rejected(Box<RulesetDecision>),
    }
}

event! {
    /// The proposal of a version of a rule pack.
    RulesetProposed {
        /// The pack's name.
        ruleset: Id,
        /// The proposal's id, which its approval refers to.
        version: Id,
        /// The pack, as TOML.
        #[serde(deserialize_with = "text_of_any_length")]
        #[schemars(with = "String")]
        pack: Text,
        /// Who proposes it.
        actor: Id,
        /// From when it is to judge. Default: once it is approved.
        effective_from: Option<EventTime>,
        /// Time of the proposal.
        ts: EventTime,
    }
}

event! {
    /// The proposal that a rule pack judges no more.
    RulesetRetirement {
        /// The pack's name.
        ruleset: Id,
        /// The proposal's id, which its approval refers to.
        version: Id,
        /// Who proposes it.
        actor: Id,
        /// From when it is not to judge. Default: once it is approved.
        effective_from: Option<EventTime>,
        /// Time of the proposal.
        ts: EventTime,
    }
}

event! {
    /// The approval or rejection of a proposal.
    RulesetDecision {
        /// The pack's name.
        ruleset: Id,
        /// The proposal.
        version: Id,
        /// Who approves or rejects it. An approval by the person who proposed it is refused.
        actor: Id,
        /// Time of the decision.
        ts: EventTime,
    }
}

impl RulesetEvent {
    /// The pack's name.
    pub const fn ruleset(&self) -> &Id {
        match self {
            Self::Proposed(event) => &event.ruleset,
            Self::RetirementProposed(event) => &event.ruleset,
            Self::Approved(event) | Self::Rejected(event) => &event.ruleset,
        }
    }
}

/// A text that only the size of its record bounds.
fn text_of_any_length<'de, D: Deserializer<'de>>(input: D) -> Result<Text, D::Error> {
    String::deserialize(input).map(Text::from)
}
