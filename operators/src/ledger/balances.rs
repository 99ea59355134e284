//! Balances: the fold of postings.
//!
//! - **Key**: account and currency. **Rows**: [`Balance`], once per tick. **Updates**: [`Cash`]. **State**: the two sums.
//! - Available = posted − held + the account's overdraft limit, in the account's own currency.

use std::sync::Arc;

use headwater_schemas::events::{AccountEvent, Event};
use headwater_schemas::tables::{Balance, Moment, TableWriter};
use headwater_schemas::{EventTime, Id, Money, Placed};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::Posting;
use crate::keyed_fold::{Outbox, Updates, View, route};

/// The view. Rows are emitted per tick; valuations are told the posted balance on the grid.
#[derive(Clone, Copy, Debug)]
pub struct Balances;

/// What an account has posted of a currency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cash {
    /// The account.
    pub account_id: Id,
    /// The currency.
    pub currency: Id,
    /// The posted balance.
    pub posted: Money,
}

/// The sums of an account in a currency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceState {
    posted: Money,
    held: Money,
    ts: EventTime,
    emitted: Option<Balance>,
    /// The posted balance that valuations know.
    told: Option<Money>,
}

/// Overdraft limits, in the account's own currency.
type Overdrafts = FxHashMap<Id, (Id, Money)>;

crate::fold_operator!(Balances);

impl View for Balances {
    type Key = (Id, Id);
    type Event = Posting;
    type Broadcast = Event;
    type Context = Overdrafts;
    type State = BalanceState;
    type Timer = ();
    type Tables = TableWriter<Balance>;
    type Derived = ();
    type Update = Cash;

    const UPDATES: bool = true;

    fn key(&self, posting: &Posting) -> (Id, Id) {
        (posting.account_id.clone(), posting.currency.clone())
    }

    fn route(&self, (account, _): &(Id, Id)) -> u64 {
        // Where the account's positions are.
        route(account)
    }

    fn learn(&self, overdrafts: &mut Overdrafts, broadcast: Placed<Event>) {
        match broadcast.event {
            Event::Account(AccountEvent::Opened(opened)) => {
                let limit = opened.overdraft_limit.map_or(Money::ZERO, |limit| limit.money());
                overdrafts.insert(opened.account_id.clone(), (opened.currency.clone(), limit));
            }
            Event::Account(AccountEvent::Updated(updated)) => {
                if let Some((currency, limit)) = overdrafts.get_mut(&updated.account_id) {
                    updated.currency.iter().for_each(|new| currency.clone_from(new));
                    updated.overdraft_limit.iter().for_each(|new| *limit = new.money());
                }
            }
            _ => {}
        }
    }

    fn apply(&self, _: &Overdrafts, _: &(Id, Id), state: &mut BalanceState, placed: Placed<Posting>, out: &mut Outbox<'_, Self>) {
        let posting = placed.event;
        posting.correction.into_iter().for_each(|correction| out.correct(*correction));
        // A sum beyond what a column holds stays at what it can show; amounts have 18 digits, so this takes ten full ones.
        state.posted = state.posted.checked_add(posting.posted).unwrap_or(state.posted);
        state.held = state.held.checked_add(posting.held).unwrap_or(state.held);
        state.ts = state.ts.max(posting.ts);
    }

    fn emit(
        &self,
        overdrafts: &Overdrafts,
        (account, currency): &(Id, Id),
        state: &mut BalanceState,
        at: &Moment,
        table: &TableWriter<Balance>,
    ) {
        let row = state.row(overdrafts, account, currency);
        table.replace(at, state.emitted.take(), Some(row.clone()));
        state.emitted = Some(row);
    }

    fn update(&self, _: &Overdrafts, (account, currency): &(Id, Id), state: &mut BalanceState, at: &Moment, updates: &mut Updates<Cash>) {
        if state.told != Some(state.posted) {
            updates.push(at, Cash { account_id: account.clone(), currency: currency.clone(), posted: state.posted });
            state.told = Some(state.posted);
        }
    }

    fn restore(&self, saved: &Arc<Vec<Balance>>, is_mine: &dyn Fn(&(Id, Id)) -> bool) -> Vec<((Id, Id), BalanceState)> {
        let state = |row: &Balance| {
            let key = (row.account_id.clone(), row.currency.clone());
            let Balance { posted, pending: held, ts, .. } = *row;
            is_mine(&key).then(|| (key, BalanceState { posted, held, ts, emitted: Some(row.clone()), told: Some(posted) }))
        };
        saved.iter().filter_map(state).collect()
    }
}

impl BalanceState {
    fn row(&self, overdrafts: &Overdrafts, account: &Id, currency: &Id) -> Balance {
        let overdraft = overdrafts.get(account).filter(|(own, _)| own == currency).map_or(Money::ZERO, |(_, limit)| *limit);
        let available = self.posted.checked_sub(self.held).and_then(|free| free.checked_add(overdraft));
        Balance {
            account_id: account.clone(),
            currency: currency.clone(),
            posted: self.posted,
            pending: self.held,
            available: available.unwrap_or(self.posted),
            ts: self.ts,
        }
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::{Place, Topic};
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::{LedgerEvent, Postings};
    use crate::testing::{Emitted, Happening, Happenings, history_of, rows_of, run, run_with_restart};

    /// So short that some of what a property test makes is forgotten.
    const FORGETFUL: Postings = Postings { reversal_horizon: 12 };
    const POSTINGS: Postings = Postings { reversal_horizon: u64::MAX };

    fn transactions(fields: &[&str]) -> Happenings<Postings> {
        let happening = |(fields, time): (&&str, u64)| {
            let text = format!(r#"{{"account_id":"a","currency":"USD","ts":{time},{fields}}}"#);
            let Ok(Event::Transaction(transaction)) = Event::decode(Topic::Transactions, None, Some(text.as_bytes())) else {
                panic!("{text}")
            };
            Placed { place: Place::of_record(time, Topic::Transactions, 0, time), event: Happening::Event(transaction) }
        };
        fields.iter().zip(1..).map(happening).collect()
    }

    /// The balances that come of transactions, as `account posted held available`, and the codes of what was refused.
    fn outcome(said: &Emitted<Postings>) -> (Vec<String>, Vec<String>) {
        let postings = to_balances(&said.derived);
        let balances = rows_of(&run(Balances, postings).tables);
        let text = |row: &Balance| format!("{} {} {} {}", row.account_id, row.posted, row.pending, row.available);
        (balances.iter().map(text).collect(), said.dead_letters.iter().map(|letter| letter.code.to_string()).collect())
    }

    #[test]
    fn cases() {
        let deposit = r#""transaction_id":"t1","type":"deposit","amount":"100""#;
        let hold = r#""transaction_id":"t2","type":"payment","amount":"60","phase":"pending""#;
        type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str]);
        let cases: &[Case<'_>] = &[
            ("a deposit comes from outside", &[deposit], &["a 100 0 100", "external:USD -100 0 -100"], &[]),
            (
                "a transfer has two legs of ours",
                &[deposit, r#""transaction_id":"t2","type":"transfer","amount":"30","counterparty_account":"b""#],
                &["a 70 0 70", "b 30 0 30", "external:USD -100 0 -100"],
                &[],
            ),
            ("a hold takes from what is available", &[deposit, hold], &["a 100 60 40", "external:USD -100 0 -100"], &[]),
            (
                "posting less releases the rest",
                &[deposit, hold, r#""transaction_id":"t3","type":"payment","amount":"45","pending_id":"t2""#],
                &["a 55 0 55", "external:USD -55 0 -55"],
                &[],
            ),
            (
                "a void releases, once",
                &[
                    deposit,
                    hold,
                    r#""transaction_id":"t3","type":"payment","amount":"60","phase":"void","pending_id":"t2""#,
                    r#""transaction_id":"t4","type":"payment","amount":"60","phase":"void","pending_id":"t2""#,
                ],
                &["a 100 0 100", "external:USD -100 0 -100"],
                &["refused"],
            ),
            (
                "reversals give back at most the original",
                &[
                    deposit,
                    r#""transaction_id":"t2","type":"payment","amount":"50""#,
                    r#""transaction_id":"t3","type":"payment","amount":"20","reverses":"t2""#,
                    r#""transaction_id":"t4","type":"payment","amount":"31","reverses":"t2""#,
                    r#""transaction_id":"t5","type":"payment","amount":"30","reverses":"t2""#,
                ],
                &["a 100 0 100", "external:USD -100 0 -100"],
                &["refused"],
            ),
            (
                "what names nothing is refused",
                &[
                    r#""transaction_id":"t1","type":"payment","amount":"1","reverses":"t0""#,
                    r#""transaction_id":"t2","type":"payment","amount":"1","pending_id":"t0""#,
                    r#""transaction_id":"t3","type":"payment","amount":"1","phase":"void""#,
                ],
                &[],
                &["unknown_reference", "unknown_reference", "missing_field"],
            ),
        ];
        for (name, fields, balances, refused) in cases {
            let said = run(POSTINGS, transactions(fields));
            assert_eq!(
                outcome(&said),
                (balances.iter().map(ToString::to_string).collect(), refused.iter().map(ToString::to_string).collect()),
                "{name}"
            );
        }
    }

    fn to_balances(said: &[Placed<LedgerEvent>]) -> Happenings<Balances> {
        let posting = |said: &Placed<LedgerEvent>| match &said.event {
            LedgerEvent::Posting(posting) => Some(Placed { place: said.place, event: Happening::Event(posting.clone()) }),
            LedgerEvent::TakenBack(_) => None,
        };
        said.iter().filter_map(posting).collect()
    }

    fn arbitrary() -> impl Strategy<Value = Vec<String>> {
        let one = (0..6_u8, 0..12_u8, 1..100_u32, 0..3_u8);
        proptest::collection::vec(one, 1..40).prop_map(|steps| {
            let text = |((kind, target, amount, other), id): ((u8, u8, u32, u8), usize)| {
                let id = format!(r#""transaction_id":"t{id}","amount":"{amount}.5""#);
                let counterparty = if other == 0 { r#","counterparty_account":"b""# } else { "" };
                match kind {
                    0 => format!(r#"{id},"type":"deposit""#),
                    1 => format!(r#"{id},"type":"payment","phase":"pending"{counterparty}"#),
                    2 => format!(r#"{id},"type":"payment","pending_id":"t{target}""#),
                    3 => format!(r#"{id},"type":"payment","phase":"void","pending_id":"t{target}""#),
                    4 => format!(r#"{id},"type":"payment","reverses":"t{target}""#),
                    _ => format!(r#"{id},"type":"transfer"{counterparty}"#),
                }
            };
            steps.into_iter().zip(0..).map(text).collect()
        })
    }

    proptest! {
        #[test]
        fn legs_always_sum_to_zero_and_holds_are_never_negative(texts in arbitrary()) {
            let texts: Vec<_> = texts.iter().map(String::as_str).collect();
            let said = run(POSTINGS, transactions(&texts));
            let total: i128 = said.derived.iter().filter_map(|said| match &said.event {
                LedgerEvent::Posting(posting) => Some(posting.posted.units()),
                LedgerEvent::TakenBack(_) => None,
            }).sum();
            prop_assert_eq!(total, 0);
            let moved: i128 = rows_of(&said.tables.ledger_entries).iter().map(|entry| entry.amount.units()).sum();
            prop_assert_eq!(moved, 0);
            let postings = to_balances(&said.derived);
            prop_assert!(rows_of(&run(Balances, postings).tables).iter().all(|row| row.pending.units() >= 0));
        }

        #[test]
        fn a_restart_in_the_middle_changes_nothing(texts in arbitrary(), cut in 0..40_usize) {
            let texts: Vec<_> = texts.iter().map(String::as_str).collect();
            let whole = run(FORGETFUL, transactions(&texts));
            let cut_postings = run_with_restart(FORGETFUL, transactions(&texts), cut);
            prop_assert_eq!(history_of(&whole.tables.ledger_entries), history_of(&cut_postings.tables.ledger_entries));
            prop_assert_eq!(history_of(&whole.tables.posted_transactions), history_of(&cut_postings.tables.posted_transactions));
            prop_assert_eq!(&whole.dead_letters, &cut_postings.dead_letters);
            let happenings: Happenings<Balances> = to_balances(&whole.derived);
            let (whole, cut) = (run(Balances, happenings.clone()), run_with_restart(Balances, happenings, cut));
            prop_assert_eq!(history_of(&whole.tables), history_of(&cut.tables));
            prop_assert_eq!(whole.updates.last(), cut.updates.last());
        }
    }
}
