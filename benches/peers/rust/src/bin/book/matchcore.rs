//! The crate `matchcore`. Ids, prices and quantities are 64-bit integers; an order has no account.

use std::hint::black_box;

use anyhow::Result;
use matchcore::{
    CancelCmd, Command, CommandKind, CommandMeta, CommandOutcome, CommandReport, LimitOrder, MarketOrder, NewOrder, OrderBook, OrderFlags,
    OrderId, OrderKind, Price, Quantity, QuantityPolicy, SequenceNumber, Side, SubmitCmd, TimeInForce, Timestamp,
};

use crate::{Level, Sums, Trade};

pub(crate) struct Engine(OrderBook);

impl crate::Engine for Engine {
    type Command = CommandKind;

    fn new() -> Self {
        Self(OrderBook::new("X"))
    }

    /// The id of an order is the index of the command that placed it.
    fn translate(command: crate::Command) -> CommandKind {
        let submit = |order| CommandKind::Submit(SubmitCmd { order });
        match command {
            crate::Command::Limit { buys, price, quantity, .. } => submit(NewOrder::Limit(LimitOrder::new(
                Price(price),
                QuantityPolicy::Standard { quantity: Quantity(quantity) },
                OrderFlags::new(side(buys), false, TimeInForce::Gtc),
            ))),
            crate::Command::Market { buys, quantity, .. } => {
                submit(NewOrder::Market(MarketOrder::new(Quantity(quantity), side(buys), false)))
            }
            crate::Command::Cancel { id } => CommandKind::Cancel(CancelCmd { order_id: OrderId(id), order_kind: OrderKind::Limit }),
        }
    }

    fn apply(&mut self, number: u64, kind: CommandKind, sums: &mut Sums) {
        let outcome = self.0.execute(&command(number, kind));
        trades(&outcome).iter().for_each(|trade| sums.add(trade.quantity().0));
        black_box(&outcome);
    }

    fn trades(&mut self, number: u64, kind: CommandKind, all: &mut Vec<Trade>) -> Result<()> {
        let outcome = self.0.execute(&command(number, kind));
        all.extend(trades(&outcome).iter().map(|trade| Trade {
            taker: number,
            maker: trade.maker_order_id().0,
            price: trade.price().0,
            quantity: trade.quantity().0,
        }));
        Ok(())
    }

    fn levels(&self) -> Result<Vec<Level>> {
        let book = self.0.limit();
        let side = |buys: bool| {
            let prices = if buys { book.bids().keys() } else { book.asks().keys() };
            prices.filter_map(move |price| {
                let level = if buys { book.get_bid_level(*price) } else { book.get_ask_level(*price) };
                level.map(|level| Level { buys, price: price.0, quantity: level.total_quantity().0 })
            })
        };
        Ok(side(false).chain(side(true)).filter(|level| level.quantity > 0).collect())
    }
}

fn side(buys: bool) -> Side {
    if buys { Side::Buy } else { Side::Sell }
}

fn command(number: u64, kind: CommandKind) -> Command {
    Command { meta: CommandMeta { sequence_number: SequenceNumber(number), timestamp: Timestamp(number) }, kind }
}

fn trades(outcome: &CommandOutcome) -> &[matchcore::Trade] {
    match outcome {
        CommandOutcome::Applied(CommandReport::Submit(effects)) => {
            effects.target_order().match_result().map_or(&[][..], |result| result.trades())
        }
        _ => &[],
    }
}
