//! What can be traded.

use super::AssetClass;
use super::json::event;
use crate::value::{Currency, EventTime, Factor, Price, Size, Symbol, Text};

event! {
    /// An instrument and its conventions.
    Instrument {
        /// Its name.
        symbol: Symbol,
        /// What kind of thing it is.
        asset_class: AssetClass,
        /// What it is priced in.
        #[schemars(extend("maxLength" = 12))]
        currency: Currency,
        /// Prices are multiples of this.
        tick_size: Factor,
        /// Quantities are multiples of this.
        lot_size: Factor,
        /// What one unit is worth per point of price; 1 if not given.
        multiplier: Option<Factor>,
        /// The price that bands are around before the first trade.
        reference_price: Option<Price>,
        /// How far an order's price may be from the reference, in hundredths of a percent.
        price_band_bps: Option<Factor>,
        /// Average daily volume.
        adv: Option<Size>,
        /// The international identification number.
        isin: Option<Text>,
        /// When; none means from the beginning.
        ts: Option<EventTime>,
    }
}
