//! Monte Carlo: the P&L of a scope on paths of normally distributed returns. Statistics use binary floating point; P&L is rounded to
//! millionths.
//!
//! The returns of a path are drawn from the multivariate normal distribution with the mean and the covariance (n − 1) of the
//! scenarios. That is the mean, plus the deviations of the n scenarios from it, each times a standard normal number of its own,
//! divided by √(n − 1). P&L is linear in returns, so a scope's P&L on the path is the same sum of its scenario P&L: neither a
//! covariance matrix nor its root is needed, and on every path the P&L of a parent is the sum of that of its children.
//!
//! All scopes have the same paths, which follow from the seed alone.

use super::parametric::{deviations, normal_quantile};

/// The standard normal numbers of the paths, divided by √(n − 1): those of all paths for the first scenario, then for the next.
#[derive(Debug, Default)]
pub(super) struct Draws {
    paths: usize,
    seed: u64,
    scenarios: usize,
    numbers: Vec<f64>,
}

impl Draws {
    /// Draws of a seed; made when they are first needed.
    pub(super) const fn new(paths: usize, seed: u64) -> Self {
        Self { paths, seed, scenarios: 0, numbers: Vec::new() }
    }

    /// The P&L on each path, in millionths, from that in each scenario. `None` with fewer than two scenarios, or where it is out of
    /// range.
    pub(super) fn simulate<T: Copy + Into<i128>>(&mut self, pnl: &[T]) -> Option<Vec<i128>> {
        const GREATEST: f64 = 1e31;
        let (mean, deviations) = deviations(pnl)?;
        self.draw(pnl.len());
        let mut totals = vec![mean; self.paths];
        for (deviation, numbers) in deviations.iter().zip(self.numbers.chunks_exact(self.paths)) {
            totals.iter_mut().zip(numbers).for_each(|(total, number)| *total += deviation * number);
        }
        totals.iter().map(|total| (total.abs() < GREATEST).then(|| whole(*total))).collect()
    }

    fn draw(&mut self, scenarios: usize) {
        if self.scenarios == scenarios {
            return;
        }
        self.scenarios = scenarios;
        let scale = 1.0 / (scenarios.saturating_sub(1) as f64).sqrt();
        let mut state = self.seed;
        let numbers = std::iter::repeat_with(|| scale * normal_quantile(uniform(&mut state)));
        self.numbers = numbers.take(scenarios.saturating_mul(self.paths)).collect();
    }
}

/// The next number of SplitMix64 as one between 0 and 1, neither of them included.
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    ((mixed >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

#[expect(clippy::cast_possible_truncation, reason = "the caller has bounded it")]
const fn whole(number: f64) -> i128 {
    number.round_ties_even() as i128
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATHS: usize = 20_000;

    fn simulated(pnl: &[i64]) -> Vec<i128> {
        Draws::new(PATHS, 1).simulate(pnl).expect("enough scenarios")
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    #[test]
    fn numbers_are_those_of_splitmix64() {
        // The first outputs for the seed 1234567, from the published test vectors: 6457827717110365317, 3203168211198807973.
        let mut state = 1_234_567;
        let expected = [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973].map(|number| number as f64 / 2.0_f64.powi(64));
        for expected in expected {
            assert!((uniform(&mut state) - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn paths_have_the_mean_and_the_covariance_of_the_scenarios() {
        let (a, b) = ([3_000_000, -1_000_000, 4_000_000, -1_500_000, 500_000], [-2_000_000, 1_000_000, -1_000_000, 3_000_000, 0]);
        let float = |values: &[i64]| values.iter().map(|value| *value as f64).collect::<Vec<_>>();
        let covariance = |one: &[f64], other: &[f64]| {
            let (of_one, of_other) = (mean(one), mean(other));
            one.iter().zip(other).map(|(one, other)| (one - of_one) * (other - of_other)).sum::<f64>() / (one.len() - 1) as f64
        };
        let paths = |values: &[i64]| simulated(values).into_iter().map(|value| value as f64).collect::<Vec<_>>();
        for (one, other) in [(a, a), (a, b), (b, b)] {
            let (expected, seen) = (covariance(&float(&one), &float(&other)), covariance(&paths(&one), &paths(&other)));
            // Six standard errors of the greatest of them.
            assert!((seen - expected).abs() < 6.0 * 5e12 * (2.0 / PATHS as f64).sqrt(), "{seen} for {expected}");
            let error = covariance(&float(&one), &float(&one)).sqrt() / (PATHS as f64).sqrt();
            assert!((mean(&paths(&one)) - mean(&float(&one))).abs() < 6.0 * error);
        }
    }

    #[test]
    fn there_is_nothing_to_draw_from_one_scenario() {
        assert_eq!(Draws::new(PATHS, 1).simulate(&[5_i64]), None);
        assert_eq!(Draws::new(PATHS, 1).simulate::<i64>(&[]), None);
    }

    proptest! {
        #[test]
        fn on_every_path_a_parent_has_the_sum_of_its_children(
            children in proptest::collection::vec((-1_000_000_000..1_000_000_000_i64, -1_000_000_000..1_000_000_000_i64), 2..30),
            seed in any::<u64>(),
        ) {
            let mut draws = Draws::new(500, seed);
            let (one, other): (Vec<_>, Vec<_>) = children.iter().copied().unzip();
            let parent: Vec<_> = children.iter().map(|(one, other)| one + other).collect();
            let [one, other, parent] = [one, other, parent].map(|pnl| draws.simulate(&pnl).expect("enough scenarios"));
            // Each is rounded to a millionth.
            prop_assert!(one.iter().zip(&other).zip(&parent).all(|((one, other), parent)| (one + other - parent).abs() <= 1));
        }

        #[test]
        fn the_paths_follow_from_the_seed_alone(pnl in proptest::collection::vec(any::<i32>(), 2..20), before in 2..20_usize) {
            let mut used = Draws::new(100, 7);
            used.simulate(&vec![1_i64; before]);
            prop_assert_eq!(used.simulate(&pnl), Draws::new(100, 7).simulate(&pnl));
            prop_assert_ne!(Draws::new(100, 8).simulate(&[0, 1_000_000]), Draws::new(100, 7).simulate(&[0, 1_000_000]));
        }
    }
}
