//! Instruments.

use super::AssetClass;
use super::json::event;
use crate::value::{Currency, EventTime, Factor, Price, Size, Symbol, Text};

event! {
    /// A tradable instrument and its conventions.
    Instrument {
        /// The instrument's symbol.
        symbol: Symbol,
        /// The asset class.
        asset_class: AssetClass,
        /// The currency of its prices.
        #[schemars(extend("maxLength" = 12))]
        currency: Currency,
        /// Prices are multiples of this.
        tick_size: Factor,
        /// Quantities are multiples of this.
        lot_size: Factor,
        /// Value of one unit per point of price; 1 if not given.
        multiplier: Option<Factor>,
        /// The price around which price bands are set before the first trade.
        reference_price: Option<Price>,
        /// How far an order's price may be from the reference, in basis points.
        price_band_bps: Option<Factor>,
        /// Average daily volume.
        adv: Option<Size>,
        /// The international identification number.
        isin: Option<Text>,
        /// Time of the record; a record without one counts as the oldest.
        ts: Option<EventTime>,
    }
}
