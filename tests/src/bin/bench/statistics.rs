//! Medians, quantiles and ratios with confidence intervals.
//!
//! Samples of one round are not independent (one slow neighbour meets them all), rounds nearly are: the bootstrap draws
//! whole rounds, and for a ratio the same rounds of both variants. Intervals hold 95 of 100 draws.

use serde::Serialize;

/// Draws per interval.
const DRAWS: usize = 400;

/// A value and its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Estimate {
    /// Counted, not estimated.
    pub(crate) fn exact(value: f64) -> Self {
        Self { value, low: value, high: value }
    }
}

/// The samples of one variant, by round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    rounds: Vec<Vec<f64>>,
}

impl Series {
    pub(crate) fn push(&mut self, round: Vec<f64>) {
        if !round.is_empty() {
            self.rounds.push(round);
        }
    }

    /// One value per round.
    pub(crate) fn push_one(&mut self, value: f64) {
        self.rounds.push(vec![value]);
    }

    /// Neighbouring samples of one long run, `length` to a round.
    pub(crate) fn from_run(samples: &[f64], length: usize) -> Self {
        Self { rounds: samples.chunks(length.max(1)).map(<[f64]>::to_vec).collect() }
    }

    pub(crate) fn rounds(&self) -> usize {
        self.rounds.len()
    }

    pub(crate) fn samples(&self) -> usize {
        self.rounds.iter().map(Vec::len).sum()
    }

    pub(crate) fn max(&self) -> f64 {
        self.rounds.iter().flatten().copied().fold(f64::NAN, f64::max)
    }

    /// The quantile of all samples together.
    pub(crate) fn quantile(&self, q: f64) -> Estimate {
        bootstrap(self.rounds(), |rounds| quantile(&mut self.pooled(rounds), q))
    }

    /// How many times `base` this is: the median over rounds of the quotient of the round's medians. What drifts slower
    /// than a round cancels out.
    pub(crate) fn ratio_to(&self, base: &Self) -> Estimate {
        let medians = |series: &Self| -> Vec<f64> {
            series.rounds.iter().map(|round| quantile(&mut round.clone(), 0.5)).collect()
        };
        let quotients: Vec<f64> =
            medians(self).iter().zip(medians(base)).map(|(ours, base)| ours / base).collect();
        bootstrap(quotients.len(), |rounds| {
            quantile(&mut rounds.iter().map(|round| quotients[*round]).collect::<Vec<_>>(), 0.5)
        })
    }

    fn pooled(&self, rounds: &[usize]) -> Vec<f64> {
        rounds.iter().flat_map(|round| self.rounds[*round].iter().copied()).collect()
    }
}

/// A count as a value.
#[expect(clippy::cast_precision_loss, reason = "what is counted here stays far below 2^53")]
pub(crate) fn counted(count: usize) -> f64 {
    count as f64
}

/// The value at `q` of the way from the smallest to the largest (nearest rank); NaN of nothing.
fn quantile(samples: &mut [f64], q: f64) -> f64 {
    if samples.is_empty() {
        return f64::NAN;
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "q is between 0 and 1, so the rank is an index"
    )]
    let rank = ((samples.len() - 1) as f64 * q).round() as usize;
    *samples.select_nth_unstable_by(rank, f64::total_cmp).1
}

/// `of` all rounds, and the interval that it takes over draws of rounds with replacement.
fn bootstrap(rounds: usize, of: impl Fn(&[usize]) -> f64) -> Estimate {
    let all: Vec<usize> = (0..rounds).collect();
    let value = of(&all);
    if rounds < 2 {
        return Estimate { value, low: f64::NAN, high: f64::NAN };
    }
    let mut random = Random(0x5eed);
    let mut drawn: Vec<f64> =
        (0..DRAWS).map(|_| of(&all.iter().map(|_| random.below(rounds)).collect::<Vec<_>>())).collect();
    Estimate { value, low: quantile(&mut drawn, 0.025), high: quantile(&mut drawn, 0.975) }
}

/// Splitmix64, with a fixed seed: the same samples give the same interval.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(rounds: &[&[f64]]) -> Series {
        Series { rounds: rounds.iter().map(|round| round.to_vec()).collect() }
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        let mut samples: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        for (q, wanted) in [(0.0, 0.0), (0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
            assert!((quantile(&mut samples, q) - wanted).abs() < f64::EPSILON, "at {q}");
        }
        assert!(quantile(&mut [], 0.5).is_nan());
    }

    #[test]
    fn the_interval_holds_the_value_and_narrows_with_more_rounds() {
        let noisy = |rounds: u32| {
            let mut series = Series::default();
            let mut random = Random(1);
            (0..rounds).for_each(|_| series.push((0..20).map(|_| counted(random.below(1000))).collect()));
            series.quantile(0.5)
        };
        let (few, many) = (noisy(5), noisy(500));
        for estimate in [few, many] {
            assert!(estimate.low <= estimate.value && estimate.value <= estimate.high, "{estimate:?}");
        }
        assert!(many.high - many.low < (few.high - few.low) / 2.0, "{few:?} {many:?}");
    }

    #[test]
    fn a_ratio_is_taken_within_rounds() {
        // The machine became ten times slower on the way; within each round the variant costs double.
        let base = series(&[&[1.0, 1.0, 1.0], &[10.0, 10.0, 10.0], &[10.0, 11.0, 9.0]]);
        let double = series(&[&[2.0, 2.0, 2.0], &[20.0, 20.0, 20.0], &[20.0, 18.0, 22.0]]);
        assert_eq!(double.ratio_to(&base), Estimate { value: 2.0, low: 2.0, high: 2.0 });
    }

    #[test]
    fn one_round_has_no_interval() {
        let one = series(&[&[3.0, 4.0, 5.0]]).quantile(0.5);
        assert!((one.value - 4.0).abs() < f64::EPSILON && one.low.is_nan());
    }
}
