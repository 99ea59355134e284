//! Arbitrary values of every type of event, for property tests: from a seed, so that a failure names the one number that
//! reproduces it.

use std::sync::Arc;

use super::*;
use crate::value::{Amount, Date, Decimal, Factor, Id, Money, Name, Price, Quantity, Size};

/// A source of arbitrary bits (splitmix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.bits() % bound as u64).unwrap()
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Billionths of any magnitude that a record may have; small and round numbers are as likely as long ones.
    fn magnitude(&mut self) -> i128 {
        let digits = u32::try_from(self.below(28)).unwrap();
        let any = (i128::from(self.bits()) << 64 | i128::from(self.bits())) & i128::MAX;
        let round = 10_i128.pow(u32::try_from(self.below(usize::try_from(digits).unwrap() + 1)).unwrap());
        any % 10_i128.pow(digits) / round * round
    }
}

/// A type with arbitrary values.
pub(super) trait Sample {
    fn sample(chance: &mut Chance) -> Self;
}

impl<T: Sample> Sample for Option<T> {
    fn sample(chance: &mut Chance) -> Self {
        (chance.below(2) == 0).then(|| T::sample(chance))
    }
}

impl<T: Sample> Sample for Box<T> {
    fn sample(chance: &mut Chance) -> Self {
        Box::new(T::sample(chance))
    }
}

impl<T: Sample> Sample for Arc<T> {
    fn sample(chance: &mut Chance) -> Self {
        Arc::new(T::sample(chance))
    }
}

impl Sample for bool {
    fn sample(chance: &mut Chance) -> Self {
        chance.below(2) == 0
    }
}

macro_rules! sample_numbers {
    ($($name:ident: $least:expr),+) => {$(
        impl Sample for $name {
            fn sample(chance: &mut Chance) -> Self {
                let units = chance.magnitude();
                let least: Option<i128> = $least;
                $name::from_units(match least {
                    Some(least) => units.max(least),
                    None if chance.below(2) == 0 => -units,
                    None => units,
                })
            }
        }
    )+};
}
sample_numbers!(Price: None, Money: None, Decimal: None, Size: Some(0), Amount: Some(0), Quantity: Some(1), Factor: Some(1));

macro_rules! sample_words {
    ($($name:ident)+) => {$(
        impl Sample for $name {
            fn sample(chance: &mut Chance) -> Self { chance.one_of($name::ALL) }
        }
    )+};
}
sample_words!(AssetClass Side OrderType TimeInForce SelfTrade TradingPhase AccountType TransactionType TransactionPhase Channel);
sample_words!(PaymentMethod PaymentStatus AccessOutcome LimitKind Direction);

impl Sample for Id {
    fn sample(chance: &mut Chance) -> Self {
        let length = 1 + chance.one_of(&[3, 12, 64]).min(chance.below(64));
        let text: String = (0..length).map(|_| char::from(b'!' + u8::try_from(chance.below(94)).unwrap())).collect();
        Id::new(&text).unwrap()
    }
}

impl<K> Sample for Name<K> {
    fn sample(chance: &mut Chance) -> Self {
        Name::derived(Id::sample(chance).as_str())
    }
}

impl Sample for Text {
    fn sample(chance: &mut Chance) -> Self {
        let length = chance.one_of(&[0, 5, 30, Text::MAX_LENGTH]);
        let any = |chance: &mut Chance| char::from_u32(u32::try_from(chance.below(0x11_0000)).unwrap()).unwrap_or('\u{fffd}');
        let odd = ['"', '\\', '\0', '\n', '\u{1f}', '\u{7f}', '\u{2028}', 'é', '|', '/'];
        Text::from((0..length).map(|_| if chance.below(2) == 0 { any(chance) } else { chance.one_of(&odd) }).collect::<String>())
    }
}

impl Sample for EventTime {
    fn sample(chance: &mut Chance) -> Self {
        let any = chance.bits().cast_signed();
        EventTime::from_nanos(chance.one_of(&[0, -1, i64::MIN, i64::MAX, any, any]))
    }
}

impl Sample for Date {
    fn sample(chance: &mut Chance) -> Self {
        // From 1678-01-01 to 2261-12-31.
        Date::from_days(i32::try_from(chance.below(213_300)).unwrap() - 106_650)
    }
}

impl Sample for LimitScope {
    fn sample(chance: &mut Chance) -> Self {
        match chance.below(5) {
            0 => Self::Default,
            1 => Self::Account(Name::sample(chance)),
            2 => Self::Book(Name::sample(chance)),
            3 => Self::Symbol(Name::sample(chance)),
            _ => Self::Customer(Name::sample(chance)),
        }
    }
}

/// An arbitrary valid event of a topic.
pub(crate) fn event(topic: Topic, seed: u64) -> Event {
    let chance = &mut Chance::new(seed);
    let mut any = || match topic {
        Topic::Instruments => Event::Instrument(Sample::sample(chance)),
        Topic::Customers => Event::Customer(Sample::sample(chance)),
        Topic::Limits => Event::Limit(Sample::sample(chance)),
        Topic::Watchlists => Event::Watch(Sample::sample(chance)),
        Topic::Budgets => Event::Budget(Sample::sample(chance)),
        Topic::Suppressions => Event::Suppression(Box::new(Suppression { rule: "structuring".into(), ..Sample::sample(chance) })),
        Topic::Accounts => Event::Account(Sample::sample(chance)),
        Topic::Quotes => Event::Quote(Sample::sample(chance)),
        Topic::Trades => Event::Trade(Sample::sample(chance)),
        Topic::Closes => Event::Close(Sample::sample(chance)),
        Topic::FxRates => Event::FxRate(Sample::sample(chance)),
        Topic::Orders => Event::Order(Sample::sample(chance)),
        Topic::Fills => Event::Fill(Sample::sample(chance)),
        Topic::Transactions => Event::Transaction(Sample::sample(chance)),
        Topic::Payments => Event::Payment(Sample::sample(chance)),
        Topic::Transfers => Event::Transfer(Sample::sample(chance)),
        Topic::Access => Event::Access(Sample::sample(chance)),
        Topic::Labels => Event::Label(Sample::sample(chance)),
        Topic::Rules => Event::Ruleset(Sample::sample(chance)),
    };
    std::iter::repeat_with(&mut any).take(10_000).find(|event| event.check().is_ok()).unwrap()
}
