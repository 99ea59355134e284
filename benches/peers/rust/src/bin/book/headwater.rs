//! Headwater's book. Ids are texts, an order has an account, and changed orders are drained after each command.

use std::collections::BTreeMap;
use std::hint::black_box;

use anyhow::{Context, Result};
use headwater_operators::matching::{Book, Cancellation, Command, Match, NewOrder, Reports};
use headwater_schemas::events::{OrderType, SelfTrade, Side, TimeInForce};
use headwater_schemas::tables::Liquidity;
use headwater_schemas::{AccountId, EffectiveTime, EventTime, Id, OwnerId, Price, Quantity};

use crate::{Level, Sums, Trade};

/// Number of accounts, used in turn.
const ACCOUNTS: u64 = 1_000;

pub(crate) struct Engine {
    book: Book,
    reports: Reports,
}

impl crate::Engine for Engine {
    type Command = Command;

    fn new() -> Self {
        Self { book: Book::default(), reports: Reports::default() }
    }

    fn translate(command: crate::Command) -> Command {
        match command {
            crate::Command::Limit { id, buys, price, quantity } => new_order(id, buys, Some(price), quantity),
            crate::Command::Market { id, buys, quantity } => new_order(id, buys, None, quantity),
            crate::Command::Cancel { id } => Command::Cancel(Cancellation { order_id: order_id(id), account_id: AccountId::derived(account(id)) }),
        }
    }

    fn apply(&mut self, number: u64, command: Command, sums: &mut Sums) {
        self.book.apply(EventTime::from_effective(EffectiveTime::new(number)), command, &mut self.reports);
        self.reports.matches.iter().for_each(|found| sums.add(whole(found.quantity.units())));
        black_box(&self.reports);
        self.reports.clear();
        self.book.drain_changes(|terms, old, new| {
            black_box((terms.order_id(), terms.account_id(), old, new));
        });
    }

    fn trades(&mut self, number: u64, command: Command, trades: &mut Vec<Trade>) -> Result<()> {
        self.book.apply(EventTime::from_effective(EffectiveTime::new(number)), command, &mut self.reports);
        for found in &self.reports.matches {
            trades.push(trade(found)?);
        }
        self.reports.clear();
        self.book.drain_changes(|_, _, _| {});
        Ok(())
    }

    fn levels(&self) -> Result<Vec<Level>> {
        let mut levels = BTreeMap::<(bool, u64), u64>::new();
        for order in self.book.orders() {
            let price = order.standing.price.context("an order without a price rests")?;
            let level = (order.terms.side == Side::Buy, whole(price.units()));
            *levels.entry(level).or_default() += whole(order.standing.leaves.units());
        }
        Ok(levels.into_iter().map(|((buys, price), quantity)| Level { buys, price, quantity }).collect())
    }
}

fn new_order(id: u64, buys: bool, price: Option<u64>, quantity: u64) -> Command {
    Command::New(NewOrder {
        order_id: order_id(id),
        account_id: AccountId::derived(account(id)),
        owner_id: OwnerId::derived(account(id)),
        side: if buys { Side::Buy } else { Side::Sell },
        order_type: if price.is_some() { OrderType::Limit } else { OrderType::Market },
        time_in_force: if price.is_some() { TimeInForce::Gtc } else { TimeInForce::Ioc },
        quantity: Quantity::whole(quantity as i64),
        price: price.map(|price| Price::whole(price as i64)),
        stop_price: None,
        display_quantity: None,
        post_only: false,
        expires_at: None,
        // The other books have no accounts, so self-trades are allowed.
        self_trade: SelfTrade::Allow,
    })
}

fn trade(found: &Match) -> Result<Trade> {
    let buyer_took = found.buyer.liquidity == Liquidity::Taker;
    let (taker, maker) = if buyer_took { (&found.buyer, &found.seller) } else { (&found.seller, &found.buyer) };
    Ok(Trade {
        taker: order_number(&taker.order_id)?,
        maker: order_number(&maker.order_id)?,
        price: whole(found.price.units()),
        quantity: whole(found.quantity.units()),
    })
}

fn order_id(order: u64) -> Id {
    Id::derived(format!("O{order}"))
}

fn order_number(id: &Id) -> Result<u64> {
    let number = id.strip_prefix('O').and_then(|digits| digits.parse().ok());
    number.with_context(|| format!("{id} is no order of the stream"))
}

fn account(order: u64) -> String {
    format!("A{}", order % ACCOUNTS)
}

/// Whole units of billionths.
fn whole(units: i128) -> u64 {
    (units / 1_000_000_000) as u64
}
