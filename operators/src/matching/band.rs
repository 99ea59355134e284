//! The price band: how far from the last price an order may trade.

use headwater_schemas::events::{Instrument, Side};
use headwater_schemas::value::{Factor, Price, fixed};

/// An instrument's price band. The default has no bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Band {
    /// Half of its width in basis points of the reference; `None`: there is no band.
    pub bps: Option<Factor>,
    /// The reference until there is a last price.
    pub reference_price: Option<Price>,
}

impl Band {
    /// The band that an instrument defines.
    pub const fn of(instrument: &Instrument) -> Self {
        Self { bps: instrument.price_band_bps, reference_price: instrument.reference_price }
    }

    /// Whether a limit is within the band, edges included.
    pub(super) fn holds(self, limit: Price, last_price: Option<Price>) -> bool {
        self.edges(last_price).is_none_or(|(low, high)| (low..=high).contains(&limit))
    }

    /// The worst price at which an order without a limit may trade; `None`: any.
    pub(super) fn worst(self, side: Side, last_price: Option<Price>) -> Option<Price> {
        self.edges(last_price).map(|(low, high)| if side == Side::Buy { high } else { low })
    }

    /// The lowest and the highest price. The band's half width is a fraction of the reference, rounded half to even to nine
    /// digits. A band wider than any price is no band.
    fn edges(self, last_price: Option<Price>) -> Option<(Price, Price)> {
        let (bps, reference) = (self.bps?, last_price.or(self.reference_price)?);
        let half_width = fixed::quotient(reference.units().abs(), bps.units(), 10_000 * fixed::ONE)?;
        let edge = |units: Option<i128>| units.map(Price::from_units);
        edge(reference.units().checked_sub(half_width)).zip(edge(reference.units().checked_add(half_width)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_is_a_fraction_of_the_last_price_else_of_the_reference() {
        let price = |text: &str| text.parse::<Price>().unwrap();
        // (bps, reference, last) → (worst for a seller, worst for a buyer)
        for (bps, reference, last, expected) in [
            (Some(500), Some("9.20"), None, Some(("8.74", "9.66"))),
            (Some(500), Some("9.20"), Some("10"), Some(("9.5", "10.5"))),
            (Some(500), None, Some("-10"), Some(("-10.5", "-9.5"))),
            (Some(500), None, None, None),
            (None, Some("9.20"), None, None),
        ] {
            let band = Band { bps: bps.map(Factor::whole), reference_price: reference.map(price) };
            let edges = [Side::Sell, Side::Buy].map(|side| band.worst(side, last.map(price)));
            assert_eq!(edges, expected.map_or([None; 2], |(low, high)| [low, high].map(|edge| Some(price(edge)))), "{band:?}");
        }
    }

    #[test]
    fn the_edges_are_within_the_band_and_without_one_every_price_is() {
        let band = Band { bps: Some(Factor::whole(1_000)), reference_price: Some(Price::whole(100)) };
        for (limit, expected) in [("90", true), ("110", true), ("89.999999999", false), ("110.000000001", false)] {
            assert_eq!(band.holds(limit.parse().unwrap(), None), expected, "{limit}");
        }
        assert!(Band::default().holds(Price::from_units(fixed::MAX_UNITS), Some(Price::whole(1))));
        // So wide that its width does not fit a column.
        let widest = Band { bps: Some(Factor::from_units(fixed::MAX_UNITS)), reference_price: Some(Price::from_units(fixed::MAX_UNITS)) };
        assert!(widest.holds(Price::ZERO, None));
    }
}
