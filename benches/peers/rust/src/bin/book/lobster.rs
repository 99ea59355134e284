//! The crate `lobster`. Ids are 128-bit integers, prices and quantities 64-bit ones; only limit and market orders and cancels.

use std::hint::black_box;

use anyhow::Result;
use lobster::{FillMetadata, OrderBook, OrderEvent, OrderType, Side};

use crate::{Level, Sums, Trade};

/// More prices than the stream has; `depth` reserves this many.
const LEVELS: usize = 1_000;

pub(crate) struct Engine(OrderBook);

impl crate::Engine for Engine {
    type Command = OrderType;

    fn new() -> Self {
        Self(OrderBook::default())
    }

    fn translate(command: crate::Command) -> OrderType {
        match command {
            crate::Command::Limit { id, buys, price, quantity } => {
                OrderType::Limit { id: id.into(), side: side(buys), qty: quantity, price }
            }
            crate::Command::Market { id, buys, quantity } => OrderType::Market { id: id.into(), side: side(buys), qty: quantity },
            crate::Command::Cancel { id } => OrderType::Cancel { id: id.into() },
        }
    }

    fn apply(&mut self, _: u64, command: OrderType, sums: &mut Sums) {
        let event = self.0.execute(command);
        fills(&event).iter().for_each(|fill| sums.add(fill.qty));
        black_box(&event);
    }

    fn trades(&mut self, number: u64, command: OrderType, trades: &mut Vec<Trade>) -> Result<()> {
        let event = self.0.execute(command);
        trades.extend(fills(&event).iter().map(|fill| Trade {
            taker: number,
            maker: fill.order_2 as u64,
            price: fill.price,
            quantity: fill.qty,
        }));
        Ok(())
    }

    fn levels(&self) -> Result<Vec<Level>> {
        let depth = self.0.depth(LEVELS);
        let side = |buys, levels: Vec<lobster::BookLevel>| {
            levels.into_iter().map(move |level| Level { buys, price: level.price, quantity: level.qty })
        };
        Ok(side(false, depth.asks).chain(side(true, depth.bids)).collect())
    }
}

fn side(buys: bool) -> Side {
    if buys { Side::Bid } else { Side::Ask }
}

fn fills(event: &OrderEvent) -> &[FillMetadata] {
    match event {
        OrderEvent::PartiallyFilled { fills, .. } | OrderEvent::Filled { fills, .. } => fills,
        _ => &[],
    }
}
