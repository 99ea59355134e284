//! Risk under a normal distribution with the deviation of the scenarios. Statistics use binary floating point; results are
//! rounded to millionths. P&L is in millionths, oldest scenario first.

use headwater_schemas::Total;

use super::money;

/// VaR and expected shortfall of a normal distribution with the scenarios' mean and deviation (n − 1): −(mean + z·sd) with
/// z = Φ⁻¹(1−c), and −mean + sd·φ(z)/(1−c). `None` with fewer than two scenarios.
pub fn parametric<T: Copy + Into<i128>>(pnl: &[T], confidence: f64) -> Option<(Total, Total)> {
    let (mean, deviation) = deviation(pnl)?;
    normal(mean, deviation, confidence)
}

/// The same with a mean of zero and the exponentially weighted deviation, in which the newest scenario has the greatest weight.
pub fn ewma<T: Copy + Into<i128>>(pnl: &[T], confidence: f64) -> Option<(Total, Total)> {
    normal(0.0, ewma_deviation(pnl)?, confidence)
}

fn normal(mean: f64, deviation: f64, confidence: f64) -> Option<(Total, Total)> {
    let z = normal_quantile(1.0 - confidence);
    let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    Some((rounded(-(mean + z * deviation))?, rounded(-mean + deviation * density / (1.0 - confidence))?))
}

/// Millionths as money; `None` if not finite or out of range.
#[expect(clippy::cast_possible_truncation, reason = "the bound is checked")]
fn rounded(millionths: f64) -> Option<Total> {
    (millionths.abs() < 1e31).then(|| money(millionths.round_ties_even() as i128))
}

fn float(pnl: impl Into<i128>) -> f64 {
    let pnl: i128 = pnl.into();
    pnl as f64
}

/// The mean, and the standard deviation with n − 1.
fn deviation<T: Copy + Into<i128>>(pnl: &[T]) -> Option<(f64, f64)> {
    let (mean, deviations) = deviations(pnl)?;
    let squares = deviations.iter().map(|deviation| deviation.powi(2)).sum::<f64>();
    Some((mean, (squares / (pnl.len() as f64 - 1.0)).sqrt()))
}

/// The mean, and how each scenario differs from it. `None` with fewer than two scenarios.
pub(super) fn deviations<T: Copy + Into<i128>>(pnl: &[T]) -> Option<(f64, Vec<f64>)> {
    if pnl.len() < 2 {
        return None;
    }
    let mean = pnl.iter().map(|value| float(*value)).sum::<f64>() / pnl.len() as f64;
    Some((mean, pnl.iter().map(|value| float(*value) - mean).collect()))
}

/// The exponentially weighted deviation (λ 0.94, zero mean), seeded with the first squared P&L.
fn ewma_deviation<T: Copy + Into<i128>>(pnl: &[T]) -> Option<f64> {
    const LAMBDA: f64 = 0.94;
    let (first, rest) = pnl.split_first()?;
    let square = |value: &T| (float(*value)).powi(2);
    let variance = rest.iter().fold(square(first), |variance, value| LAMBDA * variance + (1.0 - LAMBDA) * square(value));
    Some(variance.sqrt())
}

/// The quantile of the standard normal distribution: Wichura's algorithm AS 241 (PPND16), about 16 digits.
pub(super) fn normal_quantile(p: f64) -> f64 {
    let horner = |coefficients: &[f64], x: f64| coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient);
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180625 - q * q;
        return q * horner(&CENTRAL.0, r) / horner(&CENTRAL.1, r);
    }
    let r = (-(if q < 0.0 { p } else { 1.0 - p }).ln()).sqrt();
    let tail =
        if r <= 5.0 { horner(&MIDDLE.0, r - 1.6) / horner(&MIDDLE.1, r - 1.6) } else { horner(&FAR.0, r - 5.0) / horner(&FAR.1, r - 5.0) };
    if q < 0.0 { -tail } else { tail }
}

type Rational = ([f64; 8], [f64; 8]);

#[rustfmt::skip]
#[expect(clippy::excessive_precision, reason = "the published coefficients, digit by digit")]
const CENTRAL: Rational = (
    [3.3871328727963666080, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3],
    [1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3],
);
#[rustfmt::skip]
#[expect(clippy::excessive_precision, reason = "the published coefficients, digit by digit")]
const MIDDLE: Rational = (
    [1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504, 1.27045825245236838258, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4],
    [1.0, 2.05319162663775882187, 1.67638483018380384940, 6.89767334985100004550e-1, 1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9],
);
#[rustfmt::skip]
#[expect(clippy::excessive_precision, reason = "the published coefficients, digit by digit")]
const FAR: Rational = (
    [6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7],
    [1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15],
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_the_normal_distribution() {
        for (p, z) in [
            (0.5, 0.0),
            (0.95, 1.6448536269514722),
            (0.975, 1.959963984540054),
            (0.99, 2.3263478740408408),
            (0.01, -2.3263478740408408),
            (1e-12, -7.034483825301132),
        ] {
            assert!((normal_quantile(p) - z).abs() < 1e-13, "{p}: {}", normal_quantile(p));
        }
    }
}
