//! Rows of `risk_gaps`: symbols that are left out of the scenarios.

use std::collections::BTreeMap;

use headwater_schemas::tables::{Moment, RiskGap, TableWriter};
use headwater_schemas::{Symbol, Text};

use super::handles::{Named, SymbolHandle};
use super::scenarios::Gap;

/// The rows as emitted last.
#[derive(Debug)]
pub(super) struct GapRows {
    table: TableWriter<RiskGap>,
    rows: BTreeMap<Symbol, RiskGap>,
}

impl GapRows {
    /// Restores the rows of the last commit.
    pub(super) fn new(table: TableWriter<RiskGap>, saved: &[RiskGap]) -> Self {
        Self { table, rows: saved.iter().map(|row| (row.symbol, row.clone())).collect() }
    }

    /// Emits the changes.
    pub(super) fn write<S>(&mut self, moment: &Moment, gaps: &[Gap], symbols: &Named<SymbolHandle, S>) {
        let rows = gaps.iter().filter_map(|gap| Some(row(symbols.name(gap.symbol)?, *gap, moment)));
        let mut old_rows = std::mem::take(&mut self.rows);
        for row in rows {
            let old = old_rows.remove(&row.symbol);
            let same = old.filter(|old| *old == RiskGap { ts: old.ts, ..row.clone() });
            if same.is_none() {
                self.table.insert(moment, row.clone());
            }
            self.rows.insert(row.symbol, same.unwrap_or(row));
        }
        old_rows.into_values().for_each(|row| self.table.retract(moment, row));
    }
}

fn row(symbol: Symbol, gap: Gap, moment: &Moment) -> RiskGap {
    let reason =
        if gap.is_too_long { "the last close is further back than risk.max_gap scenario dates" } else { "there is no close before" };
    RiskGap { symbol, from_date: gap.from, to_date: gap.to, reason: Text::new(reason), ts: moment.event_time() }
}
