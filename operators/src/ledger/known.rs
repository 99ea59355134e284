//! How an account's transactions are stored. Nearly all are plain postings, of which little has to be known.

use headwater_schemas::events::TransactionType;
use headwater_schemas::{AccountId, Currency, EffectiveTime, Id, Money};
use rustc_hash::FxHashMap;

use super::transactions::{Kind, Left, Origin, Remembered};

/// The stored transactions.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(FxHashMap<Id, Kept>);

/// A stored transaction.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Plain(Box<Plain>),
    Other(Box<Remembered>),
}

/// A posting in one currency that refers to no other one, and of which nothing is reversed.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    amount: Money,
    counterparty: AccountId,
    currency: Currency,
    time: EffectiveTime,
    transaction_type: TransactionType,
}

impl Known {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn reserve(&mut self, more: usize) {
        self.0.reserve(more);
    }

    pub(super) fn has(&self, id: &Id) -> bool {
        self.0.contains_key(id)
    }

    /// The transaction as it is stored.
    pub(super) fn kept(&self, id: &Id) -> Option<&Kept> {
        self.0.get(id)
    }

    pub(super) fn get(&self, id: &Id) -> Option<Remembered> {
        self.0.get(id).map(Kept::remembered)
    }

    /// Stores a transaction in place of what was stored of it.
    pub(super) fn insert(&mut self, id: Id, remembered: Remembered) {
        self.0.insert(id, Kept::of(remembered));
    }

    pub(super) fn remove(&mut self, id: &Id) -> Option<Remembered> {
        self.0.remove(id).map(|kept| kept.remembered())
    }
}

impl Kept {
    fn of(remembered: Remembered) -> Self {
        match remembered {
            Remembered { transaction_type, counterparty, amount, currency, exchange: None, kind, time } if kind == whole(amount) => {
                Self::Plain(Box::new(Plain { amount, counterparty, currency, time, transaction_type }))
            }
            remembered => Self::Other(Box::new(remembered)),
        }
    }

    /// All that is known of the transaction.
    pub(super) fn remembered(&self) -> Remembered {
        match self {
            Self::Plain(plain) => {
                let Plain { amount, counterparty, currency, time, transaction_type } = **plain;
                Remembered { transaction_type, counterparty, amount, currency, exchange: None, kind: whole(amount), time }
            }
            Self::Other(remembered) => (**remembered).clone(),
        }
    }
}

/// A posting of an amount in one currency, of which nothing is reversed.
const fn whole(amount: Money) -> Kind {
    Kind::Posting { left: Left { amount: amount.magnitude(), counter: Money::ZERO }, origin: Origin::Itself }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::events::TransactionType;

    use super::*;
    use crate::ledger::legs::Exchanged;

    #[test]
    fn a_plain_posting_is_small() {
        assert!(size_of::<Plain>() <= 48, "{}", size_of::<Plain>());
        assert_eq!(size_of::<Kept>(), 16);
    }

    #[test]
    fn what_is_stored_is_read_back_and_plain_only_where_nothing_else_is_known() {
        let posting = |left: i64, counter: i64, origin: Origin| {
            let left = Left { amount: Money::whole(left), counter: Money::whole(counter) };
            Kind::Posting { left, origin }
        };
        let exchange = Some(Exchanged { currency: Currency::derived("EUR"), amount: Money::whole(-9) });
        let id = Id::derived("t0");
        let cases = [
            ("a posting", -10, None, posting(10, 0, Origin::Itself), true),
            ("of nothing", 0, None, posting(0, 0, Origin::Itself), true),
            ("partly reversed", -10, None, posting(4, 0, Origin::Itself), false),
            ("reversed", 10, None, posting(0, 0, Origin::Itself), false),
            ("an exchange", -10, exchange, posting(10, 9, Origin::Itself), false),
            ("an exchange, of which one side is reversed", -10, exchange, posting(10, 0, Origin::Itself), false),
            ("a capture", -10, None, posting(10, 0, Origin::Hold(id.clone())), false),
            ("a reversal", 10, None, posting(10, 0, Origin::Reversed(id.clone())), false),
        ];
        let mut known = Known::default();
        for (name, amount, exchange, kind, is_plain) in cases {
            let remembered = Remembered {
                transaction_type: TransactionType::Payment,
                counterparty: AccountId::derived("b"),
                amount: Money::whole(amount),
                currency: Currency::derived("USD"),
                exchange,
                kind,
                time: EffectiveTime::new(7),
            };
            known.insert(id.clone(), remembered.clone());
            assert_eq!(known.get(&id).as_ref(), Some(&remembered), "{name}");
            assert_eq!(matches!(known.kept(&id), Some(Kept::Plain(_))), is_plain, "{name}");
            assert_eq!(known.remove(&id), Some(remembered), "{name}");
        }
    }
}
