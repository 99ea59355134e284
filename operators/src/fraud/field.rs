//! Fields of a transaction and of its customer that rules can read.

use headwater_schemas::events::{Channel, TransactionPhase, TransactionType};

use super::expression::Type;

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(super) enum Field {
    /// The amount.
    Amount,
    /// The event's own time.
    Ts,
    /// The transaction type.
    Type,
    /// The phase: `posted` or `pending`.
    Phase,
    /// The channel by which it was initiated.
    Channel,
    /// The currency of the amount.
    Currency,
    /// The account on the other side.
    CounterpartyAccount,
    /// The hold that it captures or voids.
    PendingId,
    /// The transaction that it reverses.
    Reverses,
    /// The merchant.
    Merchant,
    /// The merchant's category code.
    Mcc,
    /// The device id.
    DeviceId,
    /// The country.
    Country,
    /// Location of the transaction: latitude and longitude.
    Location,
    /// Home location of the customer.
    Home,
    /// Hour in the customer's time zone, 0 to 23.
    HourLocal,
    /// Weekday in the customer's time zone: 1 is Monday, 7 is Sunday.
    WeekdayLocal,
}

impl Field {
    /// Every field, in order.
    pub(super) const ALL: [Self; 17] = [
        Self::Amount,
        Self::Ts,
        Self::Type,
        Self::Phase,
        Self::Channel,
        Self::Currency,
        Self::CounterpartyAccount,
        Self::PendingId,
        Self::Reverses,
        Self::Merchant,
        Self::Mcc,
        Self::DeviceId,
        Self::Country,
        Self::Location,
        Self::Home,
        Self::HourLocal,
        Self::WeekdayLocal,
    ];

    /// The name in packs.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Amount => "amount",
            Self::Ts => "ts",
            Self::Type => "type",
            Self::Phase => "phase",
            Self::Channel => "channel",
            Self::Currency => "currency",
            Self::CounterpartyAccount => "counterparty_account",
            Self::PendingId => "pending_id",
            Self::Reverses => "reverses",
            Self::Merchant => "merchant",
            Self::Mcc => "mcc",
            Self::DeviceId => "device_id",
            Self::Country => "country",
            Self::Location => "location",
            Self::Home => "home",
            Self::HourLocal => "hour_local",
            Self::WeekdayLocal => "weekday_local",
        }
    }

    /// The field with a name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// The type of its values.
    pub(super) const fn type_of(self) -> Type {
        match self {
            Self::Amount | Self::HourLocal | Self::WeekdayLocal => Type::Number,
            Self::Ts => Type::Time,
            Self::Type => Type::Word(Words::Type),
            Self::Phase => Type::Word(Words::Phase),
            Self::Channel => Type::Word(Words::Channel),
            Self::Location | Self::Home => Type::Location,
            _ => Type::Text,
        }
    }

    /// The names of all fields, for messages.
    pub(super) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

/// A set of fields and other causes that keep a rule from being decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSet(u32);

impl FieldSet {
    const OVERFLOW: u32 = 1 << 31;

    /// Adds a field.
    pub(super) const fn add(&mut self, field: Field) {
        self.0 |= 1 << field as u32;
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

    /// The names of its members, in the order of the fields.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        let fields = Field::ALL.into_iter().filter(move |field| self.0 & (1 << *field as u32) != 0).map(Field::name);
        fields.chain((self.0 & Self::OVERFLOW != 0).then_some("result"))
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
}

impl Words {
    /// The words, in order: a word's code is its index.
    pub(super) fn all(self) -> Vec<&'static str> {
        match self {
            Self::Type => TransactionType::ALL.iter().map(|word| word.as_str()).collect(),
            Self::Phase => TransactionPhase::ALL.iter().map(|word| word.as_str()).collect(),
            Self::Channel => Channel::ALL.iter().map(|word| word.as_str()).collect(),
        }
    }

    /// The code of a word.
    pub(super) fn code(self, word: &str) -> Option<u8> {
        self.all().iter().position(|known| *known == word).and_then(|code| u8::try_from(code).ok())
    }

    /// The word with a code.
    pub(super) fn word(self, code: u8) -> Option<&'static str> {
        self.all().get(usize::from(code)).copied()
    }

    /// The noun for one of the words, in messages.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Phase => "phase",
            Self::Channel => "channel",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_go_both_ways() {
        for (place, field) in Field::ALL.into_iter().enumerate() {
            assert_eq!(Field::from_name(field.name()), Some(field));
            assert_eq!(place, field as usize);
        }
        // A record stores the enumeration itself: its discriminant has to be the word's code.
        assert!(Channel::ALL.iter().all(|word| Words::Channel.code(word.as_str()) == Some(*word as u8)));
        assert!(TransactionType::ALL.iter().all(|word| Words::Type.code(word.as_str()) == Some(*word as u8)));
        assert!(TransactionPhase::ALL.iter().all(|word| Words::Phase.code(word.as_str()) == Some(*word as u8)));
        assert_eq!(Words::Channel.word(0), Some("cash"));
    }

    #[test]
    fn a_set_names_what_is_in_it() {
        let mut set = FieldSet::default();
        assert!(set.is_empty());
        set.add(Field::Home);
        set.add(Field::Location);
        set.add_overflow();
        assert_eq!(set.names().collect::<Vec<_>>(), ["location", "home", "result"]);
    }
}
