//! Simulated bank: everyday transactions, payments to merchants, multi-step transfers, accesses and labels.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_schemas::events::{
    Access, AccessOutcome, AccountType, Channel, Event, Label, Payment, PaymentMethod, PaymentStatus, Transaction, TransactionPhase,
    TransactionType, TransferEvent, TransferInitiated, TransferStep,
};
use headwater_schemas::{EventTime, Id, Text};

use super::SimulatorSettings;
use super::dice::{Dice, Purpose};
use super::opening::{blank, cents_of};
use super::people::{Account, People, near};
use super::schedule::{DOLLAR, MILLISECOND, Planned, SECOND};

/// Number of recent payments of which one may be reversed.
const REMEMBERED: usize = 64;

/// Merchants, with their category codes.
const MERCHANTS: [(&str, &str); 12] = [
    ("Green Basket", "5411"),
    ("Corner Grocer", "5411"),
    ("Harbour Fish", "5812"),
    ("Noodle House", "5812"),
    ("Fuel & Go", "5541"),
    ("City Transit", "4111"),
    ("Bright Electric", "4900"),
    ("Old Town Books", "5942"),
    ("Mill Pharmacy", "5912"),
    ("Gadget Barn", "5732"),
    ("Blue Sky Air", "4511"),
    ("Cinema Royal", "7832"),
];

/// State of the bank.
#[derive(Clone, Debug)]
pub(super) struct Bank {
    pub(super) dice: Dice,
    /// The accounts of everyday money, in turn: one sequence for transactions, one for everything else.
    everyday: Turns,
    others: Turns,
    /// The accounts on which frauds are planted, in turn.
    victims: Vec<Arc<Account>>,
    /// The accounts through which money is laundered, in turn.
    launderers: Vec<Arc<Account>>,
    recent: VecDeque<Transaction>,
    /// Payments whose debits the ledger posts next.
    unposted: VecDeque<Payment>,
    victim: usize,
    launderer: usize,
    transactions: u64,
    payments: u64,
    transfers: u64,
}

/// Round-robin over accounts, so that no account is busier than an honest customer would be.
#[derive(Clone, Debug)]
struct Turns {
    accounts: Vec<Arc<Account>>,
    turn: usize,
}

impl Turns {
    /// The next account and its index. Accounts of sleeping customers are mostly skipped.
    fn next_awake(&mut self, dice: &mut Dice, now: i64) -> Option<(usize, Arc<Account>)> {
        for _ in 0..self.accounts.len() {
            let place = self.turn % self.accounts.len().max(1);
            self.turn += 1;
            let account = self.accounts.get(place)?;
            if !account.owner.city.asleep(now) || dice.one_in(50) {
                return Some((place, account.clone()));
            }
        }
        self.accounts.first().map(|account| (0, account.clone()))
    }
}

impl Bank {
    pub(super) fn new(settings: &SimulatorSettings, people: &People) -> Self {
        let (launderers, victims) = people.named(AccountType::Checking).into_iter().partition(|account| people.invests(account));
        Self {
            dice: Dice::new(settings.seed, Purpose::Bank),
            everyday: Turns { accounts: people.everyday(), turn: 0 },
            others: Turns { accounts: people.everyday(), turn: 0 },
            victims,
            launderers,
            recent: VecDeque::new(),
            unposted: VecDeque::new(),
            victim: 0,
            launderer: 0,
            transactions: 0,
            payments: 0,
            transfers: 0,
        }
    }

    /// The debit of a payment that waits for it, else an everyday transaction; a hold comes with its resolution.
    pub(super) fn transaction(&mut self, now: i64) -> Vec<Planned> {
        if let Some(debit) = self.unposted.pop_front().and_then(|payment| debit_of(payment, now)) {
            return vec![planned(debit)];
        }
        let Some((place, account)) = self.everyday.next_awake(&mut self.dice, now) else { return Vec::new() };
        match self.dice.below(1_000) {
            0..580 => vec![planned(self.card_payment(&account, now))],
            580..740 => vec![planned(self.pay_in(&account, now))],
            740..850 => vec![planned(self.cash_out(&account, now))],
            850..960 => self.send_on(place, &account, now).map(planned).into_iter().collect(),
            960..990 => self.hold(&account, now),
            _ => vec![self.take_back(now).map_or_else(|| planned(self.card_payment(&account, now)), planned)],
        }
    }

    fn card_payment(&mut self, account: &Account, now: i64) -> Transaction {
        let cents = self.everyday_cents();
        let mut payment = self.at_merchant(account, cents, now);
        if self.dice.percent(70) {
            self.at_home(&mut payment, account);
        }
        if self.recent.len() >= REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(payment.clone());
        payment
    }

    /// A card payment without a location.
    pub(super) fn at_merchant(&mut self, account: &Account, cents: i64, now: i64) -> Transaction {
        let (merchant, mcc) = self.dice.pick(&MERCHANTS).copied().unwrap_or_default();
        Transaction {
            channel: Some(Channel::Card),
            merchant: Some(Text::const_new(merchant)),
            mcc: Some(Text::const_new(mcc)),
            country: Some(Text::const_new(account.owner.city.country)),
            ..self.blank(account, TransactionType::Payment, cents, now)
        }
    }

    /// Sets a transaction's location near its customer's home.
    pub(super) fn at_home(&mut self, transaction: &mut Transaction, account: &Account) {
        let city = account.owner.city;
        transaction.lat = Some(near(&mut self.dice, city.latitude, 30));
        transaction.lon = Some(near(&mut self.dice, city.longitude, 30));
    }

    fn pay_in(&mut self, account: &Account, now: i64) -> Transaction {
        let cents = self.dice.between(120 * DOLLAR, 480 * DOLLAR);
        let channel = if self.dice.percent(85) { Channel::Ach } else { Channel::Cash };
        Transaction { channel: Some(channel), ..self.blank(account, TransactionType::Deposit, cents, now) }
    }

    fn cash_out(&mut self, account: &Account, now: i64) -> Transaction {
        let cents = 20 * DOLLAR * self.dice.between(1, 15);
        let mut withdrawal = Transaction { channel: Some(Channel::Atm), ..self.blank(account, TransactionType::Withdrawal, cents, now) };
        self.at_home(&mut withdrawal, account);
        withdrawal
    }

    /// A transfer to one of the next accounts of the same currency, so that small circles do not arise.
    fn send_on(&mut self, place: usize, account: &Account, now: i64) -> Option<Transaction> {
        let payee = self.payee(place, account)?;
        let cents = self.dice.between(30 * DOLLAR, 400 * DOLLAR);
        Some(self.send(account, &payee, cents, now))
    }

    /// A transfer from one account to another.
    pub(super) fn send(&mut self, from: &Account, to: &Account, cents: i64, now: i64) -> Transaction {
        let counterparty_account = Some(to.id);
        let channel = Some(Channel::Online);
        Transaction { counterparty_account, channel, ..self.blank(from, TransactionType::Transfer, cents, now) }
    }

    fn payee(&mut self, place: usize, account: &Account) -> Option<Arc<Account>> {
        let skipped = usize::try_from(self.dice.below(3)).ok()?;
        let accounts = &self.everyday.accounts;
        let others = accounts.iter().cycle().skip(place + 1).take(accounts.len().saturating_sub(1));
        others.filter(|other| other.currency == account.currency).nth(skipped).cloned()
    }

    /// A hold, and seconds later its capture or void.
    fn hold(&mut self, account: &Account, now: i64) -> Vec<Planned> {
        let cents = self.everyday_cents();
        let hold = Transaction { phase: Some(TransactionPhase::Pending), ..self.at_merchant(account, cents, now) };
        let later = now + self.dice.between(1_000, 6_000) * MILLISECOND;
        let phase = if self.dice.percent(80) { TransactionPhase::Posted } else { TransactionPhase::Void };
        let id = self.next_id();
        let mut resolution = Transaction { transaction_id: id, ts: EventTime::from_nanos(later), ..hold.clone() };
        (resolution.phase, resolution.pending_id) = (Some(phase), Some(hold.transaction_id.clone()));
        vec![planned(hold), planned(resolution)]
    }

    /// Reverses an earlier payment.
    fn take_back(&mut self, now: i64) -> Option<Transaction> {
        let original = self.recent.pop_front()?;
        let (transaction_id, ts) = (self.next_id(), EventTime::from_nanos(now));
        Some(Transaction { transaction_id, reverses: Some(original.transaction_id.clone()), ts, ..original })
    }

    fn everyday_cents(&mut self) -> i64 {
        // Mostly small, seldom large: the product of two random numbers.
        150 + self.dice.between(10, 130) * self.dice.between(10, 130)
    }

    /// A transaction with the next id.
    pub(super) fn blank(&mut self, account: &Account, kind: TransactionType, cents: i64, now: i64) -> Transaction {
        let id = self.next_id();
        blank(id.as_str().to_owned(), account, kind, cents, now)
    }

    fn next_id(&mut self) -> Id {
        self.transactions += 1;
        Id::derived(format!("T{:08}", self.transactions))
    }

    /// The next account for a planted fraud.
    pub(super) fn next_victim(&mut self) -> Option<Arc<Account>> {
        self.victim += 1;
        self.victims.get(self.victim % self.victims.len().max(1)).cloned()
    }

    /// The next such account whose local time is at night.
    pub(super) fn next_victim_at_night(&mut self, now: i64) -> Option<Arc<Account>> {
        (0..self.victims.len()).find_map(|_| self.next_victim().filter(|account| account.owner.city.night(now)))
    }

    /// The next account through which money is laundered.
    pub(super) fn next_launderer(&mut self) -> Option<Arc<Account>> {
        self.launderer += 1;
        self.launderers.get(self.launderer % self.launderers.len().max(1)).cloned()
    }

    /// The next three such accounts of one currency.
    pub(super) fn next_ring(&mut self) -> Vec<Arc<Account>> {
        let count = self.launderers.len();
        (0..count).map(|_| self.next_of_one_currency()).find(|ring| ring.len() == 3).unwrap_or_default()
    }

    /// The next such account, and up to two others of its currency.
    fn next_of_one_currency(&mut self) -> Vec<Arc<Account>> {
        let Some(first) = self.next_launderer() else { return Vec::new() };
        let after = self.launderers.iter().cycle().skip(self.launderer + 1).take(self.launderers.len().saturating_sub(1));
        let partners: Vec<_> = after.filter(|account| account.currency == first.currency).take(2).cloned().collect();
        self.launderer += partners.len();
        [vec![first], partners].concat()
    }

    /// So many everyday accounts of an account's currency, from a random one on.
    pub(super) fn payers_of(&mut self, payee: &Account, count: usize) -> Vec<Arc<Account>> {
        let accounts = &self.everyday.accounts;
        let first = usize::try_from(self.dice.below(accounts.len() as u64)).unwrap_or(0);
        let others = accounts.iter().cycle().skip(first).take(accounts.len());
        others.filter(|other| other.currency == payee.currency && other.id != payee.id).take(count).cloned().collect()
    }

    /// A payment to a merchant, sometimes with two statuses. Of those that are completed the ledger misses one in fifty.
    pub(super) fn payment(&mut self, now: i64) -> Vec<Planned> {
        let Some((_, account)) = self.others.next_awake(&mut self.dice, now) else { return Vec::new() };
        let (cents, device) = (self.everyday_cents(), format!("phone-{}", account.owner.id));
        let mut payment = self.blank_payment(&account, cents, device, now);
        match self.dice.below(100) {
            0..10 => {
                let asked = Payment { status: PaymentStatus::Pending, ..payment.clone() };
                payment.ts = EventTime::from_nanos(now + SECOND);
                vec![planned_payment(asked), self.paid(payment)]
            }
            10..13 => vec![planned_payment(Payment { status: PaymentStatus::Failed, ..payment })],
            _ => vec![self.paid(payment)],
        }
    }

    /// A completed payment, which the ledger posts next.
    pub(super) fn paid(&mut self, payment: Payment) -> Planned {
        if !self.dice.one_in(50) {
            self.unposted.push_back(payment.clone());
        }
        planned_payment(payment)
    }

    /// A completed payment from near home.
    pub(super) fn blank_payment(&mut self, account: &Account, cents: i64, device: String, now: i64) -> Payment {
        self.payments += 1;
        let merchant = self.dice.below(MERCHANTS.len() as u64);
        let city = account.owner.city;
        Payment {
            payment_id: Id::derived(format!("P{:08}", self.payments)),
            customer_id: account.owner.id,
            account_id: Some(account.id),
            merchant_id: Id::derived(format!("M{merchant:03}")),
            amount: cents_of(cents),
            currency: account.currency,
            method: if self.dice.percent(60) { PaymentMethod::DebitCard } else { PaymentMethod::CreditCard },
            status: PaymentStatus::Completed,
            idempotency_key: Some(Text::from(format!("K{:08}", self.payments))),
            device_id: Some(Text::from(device)),
            lat: Some(near(&mut self.dice, city.latitude, 30)),
            lon: Some(near(&mut self.dice, city.longitude, 30)),
            ts: EventTime::from_nanos(now),
        }
    }

    /// A transfer in its steps. One in eight fails and is reversed; one in twenty stops after the debit.
    pub(super) fn transfer(&mut self, now: i64) -> Vec<Planned> {
        let Some((place, from)) = self.others.next_awake(&mut self.dice, now) else { return Vec::new() };
        let Some(to) = self.payee(place, &from) else { return Vec::new() };
        self.transfers += 1;
        let transfer_id = Id::derived(format!("X{:08}", self.transfers));
        let initiated = TransferInitiated {
            transfer_id: transfer_id.clone(),
            from_account: from.id,
            to_account: to.id,
            amount: cents_of(self.dice.between(20 * DOLLAR, 900 * DOLLAR)),
            currency: from.currency,
            ts: EventTime::from_nanos(now),
        };
        let steps: &[fn(Box<TransferStep>) -> TransferEvent] = if self.dice.one_in(20) {
            &[TransferEvent::Debited]
        } else if self.dice.one_in(8) {
            &[TransferEvent::Debited, TransferEvent::Failed, TransferEvent::DebitReversed]
        } else {
            &[TransferEvent::Debited, TransferEvent::Credited, TransferEvent::Completed]
        };
        let mut planned = vec![Planned::new(now, Event::Transfer(TransferEvent::Initiated(Box::new(initiated))))];
        let mut at = now;
        for step in steps {
            at += self.dice.between(100, 800) * MILLISECOND;
            let event = step(Box::new(TransferStep { transfer_id: transfer_id.clone(), ts: EventTime::from_nanos(at) }));
            planned.push(Planned::new(at, Event::Transfer(event)));
        }
        planned
    }

    /// An access to an account.
    pub(super) fn access(&mut self, now: i64) -> Option<Planned> {
        let clerk = self.dice.between(1, 9);
        let account = self.dice.pick(&self.everyday.accounts)?;
        let access = Access {
            actor: Id::derived(format!("clerk-{clerk}")),
            action: Text::const_new("view_account"),
            entity_type: Some(Text::const_new("account")),
            entity_id: Some(Text::new(account.id.as_str())),
            outcome: if self.dice.one_in(20) { AccessOutcome::Denied } else { AccessOutcome::Success },
            device_id: None,
            ip: Some(Text::from(format!("10.0.0.{clerk}"))),
            lat: None,
            lon: None,
            ts: EventTime::from_nanos(now),
        };
        Some(Planned::new(now, Event::Access(Box::new(access))))
    }

    /// A label for an earlier payment: legitimate, or another category.
    pub(super) fn label(&mut self, now: i64) -> Option<Planned> {
        let subject = self.recent.back()?.transaction_id.clone();
        let word = if self.dice.percent(50) { "legitimate" } else { "groceries" };
        Some(label(subject, word, now))
    }
}

/// The debit by which the ledger posts a payment: it carries the payment's id.
fn debit_of(payment: Payment, now: i64) -> Option<Transaction> {
    Some(Transaction {
        transaction_id: payment.payment_id,
        account_id: payment.account_id?,
        r#type: TransactionType::Payment,
        amount: payment.amount,
        currency: payment.currency,
        counterparty_account: None,
        phase: None,
        pending_id: None,
        reverses: None,
        channel: Some(Channel::Card),
        merchant: None,
        mcc: None,
        description: None,
        device_id: payment.device_id,
        lat: payment.lat,
        lon: payment.lon,
        country: None,
        counter_amount: None,
        counter_currency: None,
        balance_after: None,
        ts: EventTime::from_nanos(now),
    })
}

/// A label of a subject.
pub(super) fn label(subject_id: Id, word: &'static str, at: i64) -> Planned {
    let label = Label { subject_id, label: Text::const_new(word), ts: EventTime::from_nanos(at) };
    Planned::new(at, Event::Label(Box::new(label)))
}

/// A transaction, published at its own time.
pub(super) fn planned(transaction: Transaction) -> Planned {
    Planned::new(transaction.ts.nanos(), Event::Transaction(Arc::new(transaction)))
}

/// A payment, published at its own time.
pub(super) fn planned_payment(payment: Payment) -> Planned {
    Planned::new(payment.ts.nanos(), Event::Payment(Box::new(payment)))
}
