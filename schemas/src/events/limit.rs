//! Limits.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::checks::part;
use super::json::event;
use super::{BadRecord, ErrorCode, LimitKind};
use crate::value::{AccountId, CustomerId, Decimal, EventTime, Scope, Symbol, read_text};

event! {
    /// A limit for a scope.
    Limit {
        /// What the limit applies to.
        scope: LimitScope,
        /// The figure that it limits.
        kind: LimitKind,
        /// The limit: money, a quantity or a fraction, by kind.
        value: Decimal,
        /// Fraction of the limit at which to warn; 0.8 if not given.
        warn_at: Option<Decimal>,
        /// Time of the record; a record without one counts as the oldest.
        ts: Option<EventTime>,
    }
}

impl Limit {
    /// Checks that its scope has such figures, that it is not negative, and that it warns before it is reached.
    pub(super) fn check(&self) -> Result<(), BadRecord> {
        if let Some(scopes) = self.scope.unlike(self.kind) {
            let message = format!("{} of {}: nothing has such a limit; set it for {scopes}", self.kind, self.scope);
            return Err(BadRecord::new(ErrorCode::Unsupported, message));
        }
        if self.value.units() < 0 {
            let message = format!("value: a limit of {} forbids everything; send a bound that is not negative", self.value);
            return Err(BadRecord::new(ErrorCode::NegativeNumber, message));
        }
        part("warn_at", self.warn_at)
    }
}

/// The scope of a limit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitScope {
    /// Everything without a limit of its own.
    Default,
    /// One account.
    Account(AccountId),
    /// A node of the book path and all below it.
    Book(Scope),
    /// One symbol.
    Symbol(Symbol),
    /// One customer.
    Customer(CustomerId),
}

impl LimitScope {
    /// The scopes for which a kind of limit can be set, if this is none of them.
    const fn unlike(&self, kind: LimitKind) -> Option<&'static str> {
        match (self, kind) {
            (Self::Symbol(_), LimitKind::GrossExposure | LimitKind::Leverage | LimitKind::Concentration | LimitKind::Var) => {
                Some("an account, a customer, a book or by default")
            }
            (Self::Symbol(_) | Self::Book(_), LimitKind::DailyWithdrawal | LimitKind::DailyTransfer | LimitKind::TransactionAmount) => {
                Some("an account, a customer or by default")
            }
            _ => None,
        }
    }

    /// Its name in tables.
    pub fn name(&self) -> Scope {
        Scope::derived(self.to_string())
    }
}

impl fmt::Display for LimitScope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::Account(id) => write!(out, "account:{id}"),
            Self::Book(path) => write!(out, "book:{path}"),
            Self::Symbol(id) => write!(out, "symbol:{id}"),
            Self::Customer(id) => write!(out, "customer:{id}"),
        }
    }
}

impl FromStr for LimitScope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "default" {
            return Ok(Self::Default);
        }
        let wrong = || format!("[bad_scope] {text:?} is not a scope; write default, account:ID, book:PATH, symbol:S or customer:ID");
        let (word, id) = text.split_once(':').ok_or_else(wrong)?;
        match word {
            "account" => AccountId::new(id).map(Self::Account),
            "book" => Scope::new(id).map(Self::Book),
            "symbol" => Symbol::new(id).map(Self::Symbol),
            "customer" => CustomerId::new(id).map(Self::Customer),
            _ => return Err(wrong()),
        }
        .map_err(|_| wrong())
    }
}

impl Serialize for LimitScope {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LimitScope {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        read_text(input, "a scope (default, account:ID, book:PATH, symbol:S or customer:ID)")
    }
}

impl schemars::JsonSchema for LimitScope {
    fn schema_name() -> Cow<'static, str> {
        "LimitScope".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^(default|(account|book|symbol|customer):[!-~]{1,64})$",
            "description": "what a limit applies to"
        })
    }
}
