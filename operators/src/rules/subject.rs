//! What rules judge, and how its events are grouped.

use std::sync::Arc;

use headwater_schemas::events::{Access, Event, Payment, Transaction};
use headwater_schemas::tables::SubjectType;
use headwater_schemas::{AccountId, Amount, Currency, CustomerId, Id, Text, Topic};
use serde::{Deserialize, Serialize};

use super::cells;
use super::field::Field;
use super::grouped::Grouped;
use crate::ledger::{Adjusted, TakenBack};

/// What the rules of a pack judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A transaction that the ledger accepted.
    Transaction,
    /// A payment, once: in the status in which it is first seen.
    Payment,
    /// An attempt to access something.
    Access,
}

impl Subject {
    /// Every subject.
    pub const ALL: [Self; 3] = [Self::Transaction, Self::Payment, Self::Access];

    /// The word in packs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::Payment => "payment",
            Self::Access => "access",
        }
    }

    /// The topic of its events.
    pub(super) const fn topic(self) -> Topic {
        match self {
            Self::Transaction => Topic::Transactions,
            Self::Payment => Topic::Payments,
            Self::Access => Topic::Access,
        }
    }

    /// The subject of decisions; an access gets none.
    pub(super) const fn decided(self) -> Option<SubjectType> {
        match self {
            Self::Transaction => Some(SubjectType::Transaction),
            Self::Payment => Some(SubjectType::Payment),
            Self::Access => None,
        }
    }

    /// How its events are grouped where a pack does not say.
    pub(super) const fn grouping(self) -> Grouping {
        match self {
            Self::Transaction => Grouping::Account,
            Self::Payment => Grouping::Customer,
            Self::Access => Grouping::Field(Field::Actor),
        }
    }
}

/// What events are grouped by: a window counts those of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grouping {
    /// The account that the event names.
    Account,
    /// Each account that a transaction moves money of: it is counted for the sender, and for the receiver.
    Party,
    /// The customer.
    Customer,
    /// The value of a text of the event.
    Field(Field),
}

impl Grouping {
    /// The name in packs.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Account => "account_id",
            Self::Party => "party",
            Self::Customer => "customer_id",
            Self::Field(field) => field.name(),
        }
    }

    /// The grouping with which it shares what is remembered.
    pub(super) const fn remembered(self) -> Self {
        match self {
            Self::Party => Self::Account,
            _ => self,
        }
    }

    /// The noun of a group, in messages.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Account | Self::Party => "account",
            Self::Customer => "customer",
            Self::Field(field) => field.name(),
        }
    }

    /// The grouping of a subject with a name. The ledger names the accounts of a transaction that it takes back, nothing else, so
    /// transactions are grouped by those and their customers.
    pub(super) fn from_name(name: &str, subject: Subject) -> Option<Self> {
        match (name, subject) {
            ("account_id", Subject::Transaction | Subject::Payment) => Some(Self::Account),
            ("party", Subject::Transaction) => Some(Self::Party),
            ("customer_id", Subject::Transaction | Subject::Payment) => Some(Self::Customer),
            (_, Subject::Transaction) => None,
            _ => {
                let field = Field::from_name(name, subject)?;
                (field.type_of() == super::expression::Type::Text).then_some(Self::Field(field))
            }
        }
    }

    /// The names that a subject can be grouped by, for messages.
    pub(super) fn names(subject: Subject) -> String {
        let names = ["party"].into_iter().chain(Field::ALL.iter().map(|field| field.name()));
        names.filter(|name| Self::from_name(name, subject).is_some()).collect::<Vec<_>>().join(", ")
    }
}

/// The value that the events of a group share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GroupKey {
    /// An account.
    Account(AccountId),
    /// A customer.
    Customer(CustomerId),
    /// The value of another field.
    Text(Text),
}

impl GroupKey {
    /// The value.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Account(account) => account.as_str(),
            Self::Customer(customer) => customer.as_str(),
            Self::Text(text) => text,
        }
    }

    /// The key of a grouping with a value.
    pub(super) fn read(grouping: Grouping, value: &str) -> Self {
        match grouping {
            Grouping::Account | Grouping::Party => Self::Account(AccountId::derived(value)),
            Grouping::Customer => Self::Customer(CustomerId::derived(value)),
            Grouping::Field(_) => Self::Text(Text::new(value)),
        }
    }

    /// The subject of the group's alerts.
    pub(super) fn subject(&self) -> Id {
        match self {
            Self::Account(account) => account.to_id(),
            Self::Customer(customer) => customer.to_id(),
            Self::Text(text) => Id::shortened(text),
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happened {
    /// A transaction that the ledger accepted.
    Transaction(Arc<Transaction>),
    /// A transaction that no longer counts, or of which something counts again.
    TakenBack(Arc<TakenBack>),
    /// A hold that was captured for another amount than was held.
    Adjusted(Arc<Adjusted>),
    /// A status of a payment.
    Payment(Arc<Payment>),
    /// An attempt to access something.
    Access(Arc<Access>),
}

impl Happened {
    /// The accounts of a transaction: its own, and that of the other side, unless that is the outside, by name or not.
    fn accounts(&self) -> Option<(AccountId, Option<AccountId>)> {
        let inside = |account: AccountId| (!account.is_contra()).then_some(account);
        match self {
            Self::Transaction(event) => Some((event.account_id, event.counterparty_account.and_then(inside))),
            Self::TakenBack(taken) => Some((taken.account_id, inside(taken.counterparty))),
            Self::Adjusted(adjusted) => Some((adjusted.account_id, inside(adjusted.counterparty))),
            Self::Payment(event) => event.account_id.map(|account| (account, None)),
            Self::Access(_) => None,
        }
    }

    /// Whether it changes a transaction that happened before.
    pub(super) const fn is_about_an_earlier_one(&self) -> bool {
        matches!(self, Self::TakenBack(_) | Self::Adjusted(_))
    }

    /// The account that it names.
    pub fn account(&self) -> Option<AccountId> {
        self.accounts().map(|(account, _)| account)
    }

    /// The account of whose group it is: its own, or that of the other side.
    pub(super) fn party(&self, is_mirrored: bool) -> Option<AccountId> {
        let (own, other) = self.accounts()?;
        if is_mirrored { other } else { Some(own) }
    }

    /// The amount that it is about, with its currency: of an exchange, that of its own account or of the other side.
    pub(super) fn money(&self, is_mirrored: bool) -> Option<(Amount, Currency)> {
        match self {
            Self::Transaction(event) => Some(cells::money_of(event, is_mirrored)),
            Self::Adjusted(adjusted) => Some(adjusted.money(is_mirrored)),
            Self::Payment(event) => Some((event.amount, event.currency)),
            Self::TakenBack(_) | Self::Access(_) => None,
        }
    }

    /// Whether it is an event, or a change of one, that rules of a subject judge.
    pub fn is_of(&self, subject: Subject) -> bool {
        match self {
            Self::Transaction(_) | Self::TakenBack(_) | Self::Adjusted(_) => subject == Subject::Transaction,
            Self::Payment(_) => subject == Subject::Payment,
            Self::Access(_) => subject == Subject::Access,
        }
    }

    /// The group to which it belongs. `customer` owns its account, where that is known.
    fn group(&self, grouping: Grouping, customer: Option<CustomerId>) -> Option<GroupKey> {
        match grouping {
            Grouping::Account | Grouping::Party => self.account().map(GroupKey::Account),
            Grouping::Customer => self.customer().or(customer).map(GroupKey::Customer),
            Grouping::Field(field) => self.text(field).map(GroupKey::Text),
        }
    }

    /// The account of the other side, if that is another one.
    fn other_side(&self) -> Option<GroupKey> {
        let (own, other) = self.accounts()?;
        other.filter(|other| *other != own).map(GroupKey::Account)
    }

    /// The event as its producer sent it; none for what the ledger derived.
    pub(super) fn event(&self) -> Option<Event> {
        match self {
            Self::Transaction(event) => Some(Event::Transaction(Arc::clone(event))),
            Self::Payment(event) => Some(Event::Payment(Box::new(event.as_ref().clone()))),
            Self::Access(event) => Some(Event::Access(Box::new(event.as_ref().clone()))),
            Self::TakenBack(_) | Self::Adjusted(_) => None,
        }
    }

    /// The customer that it names.
    pub(super) fn customer(&self) -> Option<CustomerId> {
        match self {
            Self::Payment(event) => Some(event.customer_id),
            _ => None,
        }
    }

    /// A text of the event.
    fn text(&self, field: Field) -> Option<Text> {
        match self {
            Self::Transaction(event) => cells::text_of_transaction(event, field),
            Self::Payment(event) => cells::text_of_payment(event, field),
            Self::Access(event) => cells::text_of_access(event, field),
            Self::TakenBack(_) | Self::Adjusted(_) => None,
        }
    }
}

/// An event of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleEvent {
    /// The number of the rulesets that remember it together, in the view.
    pub grouped: u8,
    /// The group.
    pub key: GroupKey,
    /// Whether the group is that of the other side, which sees the money move the other way.
    pub is_mirrored: bool,
    /// What happened.
    pub what: Happened,
}

impl Grouped {
    /// The events of groups that follow from what happened, for rulesets with this number. `customer` owns its account, where that
    /// is known.
    pub(super) fn spread(&self, grouped: u8, what: &Happened, customer: Option<CustomerId>) -> impl Iterator<Item = RuleEvent> + use<> {
        let own = what.group(self.grouping, customer);
        let other = own.as_ref().filter(|_| self.has_parties()).and_then(|_| what.other_side());
        let event = move |what: &Happened, key, is_mirrored| RuleEvent { grouped, key, is_mirrored, what: what.clone() };
        let own = own.map(|key| event(what, key, false));
        own.into_iter().chain(other.map(|key| event(what, key, true)))
    }
}
