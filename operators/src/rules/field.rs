//! Fields of events and of their accounts and customers that rules can read.

use headwater_schemas::events::{AccessOutcome, AccountType, Channel, PaymentMethod, PaymentStatus, TransactionPhase, TransactionType};

use super::expression::Type;
use super::subject::Subject;

macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident = $name:literal: $type_of:expr, $($subject:ident)+;)+) => {
        /// A field.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub(super) enum Field { $($(#[$doc])* $field),+ }

        impl Field {
            /// Every field, in order.
            pub(super) const ALL: &'static [Self] = &[$(Self::$field),+];

            /// The name in packs.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$field => $name),+ }
            }

            /// The type of its values.
            pub(super) const fn type_of(self) -> Type {
                match self { $(Self::$field => $type_of),+ }
            }

            /// Whether events of a subject have it.
            pub(super) fn is_of(self, subject: Subject) -> bool {
                match self { $(Self::$field => [$(Subject::$subject),+].contains(&subject)),+ }
            }
        }
    };
}

fields! {
    /// The amount.
    Amount = "amount": Type::Number, Transaction Payment;
    /// The event's own time.
    Ts = "ts": Type::Time, Transaction Payment Access;
    /// The transaction type.
    Type = "type": Type::Word(Words::Type), Transaction;
    /// The phase: `posted` or `pending`.
    Phase = "phase": Type::Word(Words::Phase), Transaction;
    /// The channel by which it was initiated.
    Channel = "channel": Type::Word(Words::Channel), Transaction;
    /// The currency of the amount.
    Currency = "currency": Type::Text, Transaction Payment;
    /// The account.
    AccountId = "account_id": Type::Text, Transaction Payment;
    /// The account on the other side.
    CounterpartyAccount = "counterparty_account": Type::Text, Transaction;
    /// Whether the money comes to the party, goes from it, or stays within it.
    Direction = "direction": Type::Word(Words::Direction), Transaction;
    /// The account on the other side of the party; none for the outside.
    Peer = "peer": Type::Text, Transaction;
    /// The hold that it captures or voids.
    PendingId = "pending_id": Type::Text, Transaction;
    /// The transaction that it reverses.
    Reverses = "reverses": Type::Text, Transaction;
    /// The merchant.
    Merchant = "merchant": Type::Text, Transaction Payment;
    /// The merchant's category code.
    Mcc = "mcc": Type::Text, Transaction;
    /// The payment method.
    Method = "method": Type::Word(Words::Method), Payment;
    /// The status in which the payment was first seen.
    Status = "status": Type::Word(Words::Status), Payment;
    /// The device id.
    DeviceId = "device_id": Type::Text, Transaction Payment Access;
    /// The country.
    Country = "country": Type::Text, Transaction;
    /// Who accessed something.
    Actor = "actor": Type::Text, Access;
    /// What was attempted.
    Action = "action": Type::Text, Access;
    /// The type of what was accessed.
    EntityType = "entity_type": Type::Text, Access;
    /// What was accessed.
    EntityId = "entity_id": Type::Text, Access;
    /// What was accessed, with its type: `TYPE:ID`, or the id alone if no type is given.
    Entity = "entity": Type::Text, Access;
    /// The outcome of the attempt.
    Outcome = "outcome": Type::Word(Words::Outcome), Access;
    /// The address from which it came.
    Ip = "ip": Type::Text, Access;
    /// Location of the event: latitude and longitude.
    Location = "location": Type::Location, Transaction Payment Access;
    /// Home location of the customer.
    Home = "home": Type::Location, Transaction Payment;
    /// The customer.
    CustomerId = "customer_id": Type::Text, Transaction Payment;
    /// The type of the account.
    AccountType = "account_type": Type::Word(Words::AccountType), Transaction Payment;
    /// When the account was opened.
    OpenedAt = "opened_at": Type::Time, Transaction Payment;
    /// The limit of one transaction that is set for the account or its customer.
    TransactionLimit = "transaction_limit": Type::Number, Transaction;
    /// The limit of a day's withdrawals that is set for the account or its customer.
    DailyWithdrawalLimit = "daily_withdrawal_limit": Type::Number, Transaction;
    /// The limit of a day's transfers that is set for the account or its customer.
    DailyTransferLimit = "daily_transfer_limit": Type::Number, Transaction;
    /// When the event's day began where the customer lives; in UTC where that is unknown.
    DayStart = "day_start": Type::Time, Transaction Payment Access;
    /// When the event's month began, likewise.
    MonthStart = "month_start": Type::Time, Transaction Payment Access;
    /// Hour in the customer's time zone, 0 to 23; of an access in UTC.
    HourLocal = "hour_local": Type::Number, Transaction Payment Access;
    /// Weekday in the customer's time zone: 1 is Monday, 7 is Sunday.
    WeekdayLocal = "weekday_local": Type::Number, Transaction Payment Access;
    /// The amount in the base currency, by the rates known when the event was judged.
    AmountBase = "amount_base": Type::Number, Transaction Payment;
}

impl Field {
    /// The field of a subject with a name.
    pub(super) fn from_name(name: &str, subject: Subject) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.name() == name && field.is_of(subject))
    }

    /// The fields of records that its values come from, for those that can hold personal data.
    pub(super) const fn sources(self) -> &'static [&'static str] {
        match self {
            Self::Merchant => &["merchant"],
            Self::DeviceId => &["device_id"],
            Self::Country => &["country"],
            Self::Ip => &["ip"],
            Self::Location => &["lat", "lon"],
            Self::Home => &["home_lat", "home_lon"],
            _ => &[],
        }
    }

    /// Whether its values are stored with an event. The others follow from its time.
    pub(super) const fn is_stored(self) -> bool {
        !matches!(self, Self::Ts | Self::HourLocal | Self::WeekdayLocal)
    }

    /// Whether it is known of the account and its customer, and so mostly the same for several events of a group.
    pub(super) const fn is_fact(self) -> bool {
        matches!(
            self,
            Self::Home
                | Self::CustomerId
                | Self::AccountType
                | Self::OpenedAt
                | Self::TransactionLimit
                | Self::DailyWithdrawalLimit
                | Self::DailyTransferLimit
                | Self::DayStart
                | Self::MonthStart
        )
    }

    /// The names of all fields of a subject, for messages.
    pub(super) fn names(subject: Subject) -> String {
        Self::ALL.iter().filter(|field| field.is_of(subject)).map(|field| field.name()).collect::<Vec<_>>().join(", ")
    }
}

/// The name of a result that does not fit.
const OVERFLOW: &str = "result";

/// A set of fields and other causes that keep a rule from being decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSet(u64);

impl FieldSet {
    const OVERFLOW: u64 = 1 << 63;

    /// Adds a field.
    pub(super) const fn add(&mut self, field: Field) {
        self.0 |= 1 << field as u64;
    }

    /// Adds the cause that a result was too large for a number.
    pub(super) const fn add_overflow(&mut self) {
        self.0 |= Self::OVERFLOW;
    }

    /// Adds another set.
    pub(super) const fn merge(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether the set is empty.
    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set of members with these names; none if one is unknown.
    pub(super) fn read<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<Self> {
        names.try_fold(Self::default(), |mut set, name| {
            match Field::ALL.iter().find(|field| field.name() == name) {
                Some(field) => set.add(*field),
                None if name == OVERFLOW => set.add_overflow(),
                None => return None,
            }
            Some(set)
        })
    }

    /// The names of its members, in the order of the fields.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        let fields = Field::ALL.iter().filter(move |field| self.0 & (1 << **field as u64) != 0).map(|field| field.name());
        fields.chain((self.0 & Self::OVERFLOW != 0).then_some(OVERFLOW))
    }
}

/// The direction of money, as a party sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
    /// The account is on both sides.
    Within,
}

impl Direction {
    const ALL: [&'static str; 3] = ["in", "out", "within"];

    pub(super) const fn turned(self) -> Self {
        match self {
            Self::In => Self::Out,
            Self::Out => Self::In,
            Self::Within => Self::Within,
        }
    }
}

/// The list of words that a field chooses from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Words {
    /// [`TransactionType`].
    Type,
    /// [`TransactionPhase`].
    Phase,
    /// [`Channel`].
    Channel,
    /// [`Direction`].
    Direction,
    /// [`PaymentMethod`].
    Method,
    /// [`PaymentStatus`].
    Status,
    /// [`AccessOutcome`].
    Outcome,
    /// [`AccountType`].
    AccountType,
}

impl Words {
    /// The words, in order: a word's code is its index.
    pub(super) fn all(self) -> Vec<&'static str> {
        (0..=u8::MAX).map_while(|code| self.word(code)).collect()
    }

    /// The code of a word.
    pub(super) fn code(self, word: &str) -> Option<u8> {
        (0..=u8::MAX).find(|code| self.word(*code) == Some(word))
    }

    /// The word with a code.
    pub(super) fn word(self, code: u8) -> Option<&'static str> {
        let code = usize::from(code);
        match self {
            Self::Type => TransactionType::ALL.get(code).map(|word| word.as_str()),
            Self::Phase => TransactionPhase::ALL.get(code).map(|word| word.as_str()),
            Self::Channel => Channel::ALL.get(code).map(|word| word.as_str()),
            Self::Direction => Direction::ALL.get(code).copied(),
            Self::Method => PaymentMethod::ALL.get(code).map(|word| word.as_str()),
            Self::Status => PaymentStatus::ALL.get(code).map(|word| word.as_str()),
            Self::Outcome => AccessOutcome::ALL.get(code).map(|word| word.as_str()),
            Self::AccountType => AccountType::ALL.get(code).map(|word| word.as_str()),
        }
    }

    /// The noun for one of the words, in messages.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Phase => "phase",
            Self::Channel => "channel",
            Self::Direction => "direction",
            Self::Method => "method",
            Self::Status => "status",
            Self::Outcome => "outcome",
            Self::AccountType => "account type",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_go_both_ways() {
        for (place, field) in Field::ALL.iter().copied().enumerate() {
            let subject = Subject::ALL.into_iter().find(|subject| field.is_of(*subject));
            assert_eq!(subject.and_then(|subject| Field::from_name(field.name(), subject)), Some(field));
            assert_eq!(place, field as usize);
        }
        assert!(Field::ALL.len() < 63, "a set of fields has a bit for each");
        // A record stores the enumeration itself: its discriminant has to be the word's code.
        assert!(Channel::ALL.iter().all(|word| Words::Channel.code(word.as_str()) == Some(*word as u8)));
        assert!(TransactionType::ALL.iter().all(|word| Words::Type.code(word.as_str()) == Some(*word as u8)));
        assert!(TransactionPhase::ALL.iter().all(|word| Words::Phase.code(word.as_str()) == Some(*word as u8)));
        assert!(PaymentMethod::ALL.iter().all(|word| Words::Method.code(word.as_str()) == Some(*word as u8)));
        assert!(PaymentStatus::ALL.iter().all(|word| Words::Status.code(word.as_str()) == Some(*word as u8)));
        assert!(AccessOutcome::ALL.iter().all(|word| Words::Outcome.code(word.as_str()) == Some(*word as u8)));
        assert!(AccountType::ALL.iter().all(|word| Words::AccountType.code(word.as_str()) == Some(*word as u8)));
        assert_eq!(
            [Direction::In, Direction::Out, Direction::Within].map(|way| Words::Direction.word(way as u8)),
            ["in", "out", "within"].map(Some)
        );
        assert_eq!(Words::Channel.word(0), Some("cash"));
    }

    #[test]
    fn a_subject_has_its_own_fields() {
        assert_eq!(Field::from_name("actor", Subject::Transaction), None);
        assert_eq!(Field::from_name("amount", Subject::Access), None);
        assert_eq!(Field::from_name("amount", Subject::Payment), Some(Field::Amount));
    }

    #[test]
    fn a_set_names_what_is_in_it() {
        let mut set = FieldSet::default();
        assert!(set.is_empty());
        set.add(Field::Home);
        set.add(Field::Location);
        set.add_overflow();
        assert_eq!(set.names().collect::<Vec<_>>(), ["location", "home", "result"]);
        assert_eq!(FieldSet::read(set.names()), Some(set));
        assert_eq!(FieldSet::read(["location", "nothing"].into_iter()), None);
    }
}
