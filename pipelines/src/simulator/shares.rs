//! Shares of the simulated market, and parameters of their moves.

/// A share, and the parameters of its daily returns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) symbol: &'static str,
    pub(super) isin: &'static str,
    /// The last close before the simulation, in cents.
    pub(super) close: i64,
    /// Average daily volume, in shares.
    pub(super) volume: i64,
    /// Its loading on the common factor's daily return.
    pub(super) beta: f64,
    /// Standard deviation of the rest of its daily return.
    pub(super) own: f64,
    /// Mean of its daily log return.
    pub(super) drift: f64,
}

/// Standard deviation of the common factor's daily log return.
///
/// This and the table below were calibrated on the daily closes of twenty large US shares, 1990–2022: the factor is their mean
/// return, a share's `beta` is its regression on the factor, and `own` is the deviation of the residual.
pub(super) const FACTOR: f64 = 0.01194;

/// The shares, in alphabetical order.
pub(super) const SHARES: [Share; 12] = [
    share("AAPL", "US0378331005", 12_567, 90_000_000, 1.1805, 0.02400, 0.000_742),
    share("AMD", "US0079031078", 6_257, 80_000_000, 1.6954, 0.03328, 0.000_327),
    share("BAC", "US0605051046", 3_230, 45_000_000, 1.4410, 0.01957, 0.000_235),
    share("CVX", "US1667641005", 17_373, 9_000_000, 0.8545, 0.01312, 0.000_427),
    share("GE", "US3696043013", 6_388, 7_000_000, 1.1031, 0.01416, 0.000_179),
    share("JNJ", "US4781601046", 17_409, 7_000_000, 0.6506, 0.01089, 0.000_472),
    share("JPM", "US46625H1005", 12_958, 11_000_000, 1.3653, 0.01690, 0.000_438),
    share("KO", "US1912161007", 6_261, 13_000_000, 0.6637, 0.01157, 0.000_401),
    share("MSFT", "US5949181045", 23_343, 30_000_000, 1.0535, 0.01565, 0.000_771),
    share("PG", "US7427181091", 14_913, 7_000_000, 0.6241, 0.01198, 0.000_440),
    share("WMT", "US9311421039", 14_018, 8_000_000, 0.7402, 0.01364, 0.000_439),
    share("XOM", "US30231G1022", 10_663, 18_000_000, 0.8106, 0.01240, 0.000_393),
];

const fn share(symbol: &'static str, isin: &'static str, close: i64, volume: i64, beta: f64, own: f64, drift: f64) -> Share {
    Share { symbol, isin, close, volume, beta, own, drift }
}
