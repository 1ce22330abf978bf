//! What the run leaves: figures, each a list of rows, as they are written to JSON.

use serde::Serialize;

use crate::Outcome;
use crate::figures::Figure;
use crate::machine::{Load, Machine};
use crate::statistics::{Estimate, Series};

/// With more noise than this, a ratio of 1 says nothing.
const MOST_NOISE: f64 = 0.05;

/// The whole run.
#[derive(Serialize)]
pub(crate) struct Results {
    machine: Machine,
    /// A smoke run: it shows that all figures can be taken, not what they are.
    quick: bool,
    pub(crate) figures: Vec<FigureResult>,
}

impl Results {
    pub(crate) fn new(machine: Machine, quick: bool) -> Self {
        Self { machine, quick, figures: Vec::new() }
    }
}

/// One figure.
#[derive(Serialize)]
pub(crate) struct FigureResult {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) seconds: f64,
    pub(crate) load: Load,
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<String>,
    /// Why it could not be taken.
    pub(crate) error: Option<String>,
}

impl FigureResult {
    pub(crate) fn new(figure: &Figure, outcome: Outcome<Report>, before: &Load) -> Self {
        let (report, error) = match outcome {
            Ok(report) => (report, None),
            Err(error) => (Report::default(), Some(error.to_string())),
        };
        let load = before.until_now();
        Self {
            name: figure.name,
            title: figure.title,
            seconds: load.seconds,
            load,
            rows: report.rows,
            notes: report.notes,
            error,
        }
    }
}

/// What a figure's function hands back.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<String>,
}

/// One measured thing.
#[derive(Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) samples: usize,
    /// The median, or the one value of what is counted.
    pub(crate) value: Estimate,
    pub(crate) p99: Option<Estimate>,
    pub(crate) max: Option<f64>,
    pub(crate) ratio: Option<Ratio>,
    pub(crate) goals: Vec<Goal>,
}

/// How many times the baseline of the same run.
#[derive(Clone, Serialize)]
pub(crate) struct Ratio {
    pub(crate) to: String,
    pub(crate) times: Estimate,
}

/// What was wanted.
#[derive(Clone, Serialize)]
pub(crate) struct Goal {
    pub(crate) wanted: String,
    /// Nothing where this run was too noisy to tell.
    pub(crate) met: Option<bool>,
}

impl Row {
    /// Median, 99th percentile and maximum of a series.
    pub(crate) fn of(what: impl Into<String>, unit: &'static str, series: &Series) -> Self {
        Self { p99: Some(series.quantile(0.99)), max: Some(series.max()), ..Self::median(what, unit, series) }
    }

    /// Only the median: of a series too short for more.
    pub(crate) fn median(what: impl Into<String>, unit: &'static str, series: &Series) -> Self {
        let value = series.quantile(0.5);
        Self { samples: series.samples(), value, ..Self::counted(what, unit, f64::NAN) }
    }

    /// Something that is counted or read once.
    pub(crate) fn counted(what: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self {
            what: what.into(),
            unit,
            samples: 1,
            value: Estimate::exact(value),
            p99: None,
            max: None,
            ratio: None,
            goals: Vec::new(),
        }
    }

    /// The ratio of `ours` to `base`.
    pub(crate) fn against(mut self, to: &str, ours: &Series, base: &Series) -> Self {
        self.ratio = Some(Ratio { to: to.to_owned(), times: ours.ratio_to(base) });
        self
    }

    /// The value shall not be higher.
    pub(crate) fn at_most(self, bound: f64) -> Self {
        let met = self.value.value <= bound;
        self.goal(format!("at most {bound}"), met)
    }

    /// The value shall not be lower.
    pub(crate) fn at_least(self, bound: f64) -> Self {
        let met = self.value.value >= bound;
        self.goal(format!("at least {bound}"), met)
    }

    /// The 99th percentile shall not be higher.
    pub(crate) fn p99_at_most(self, bound: f64) -> Self {
        let met = self.p99.is_some_and(|p99| p99.value <= bound);
        self.goal(format!("p99 at most {bound}"), met)
    }

    /// The ratio shall not be higher.
    pub(crate) fn ratio_at_most(self, bound: f64) -> Self {
        let met = self.ratio.as_ref().is_some_and(|ratio| ratio.times.value <= bound);
        self.goal(format!("ratio at most {bound}"), met)
    }

    /// The ratio shall be 1, as far as this run can tell: its interval reaches down to what `control`, the baseline
    /// measured twice, shows between two things that are the same.
    pub(crate) fn ratio_is_one(mut self, control: &Self) -> Self {
        let noise = control
            .ratio
            .as_ref()
            .map_or(0.0, |ratio| (ratio.times.high - 1.0).max(1.0 - ratio.times.low).max(0.0));
        let met = self.ratio.as_ref().is_some_and(|ratio| ratio.times.low <= 1.0 + noise);
        let wanted = format!("ratio 1.00 within noise ({:.1} %)", noise * 100.0);
        self.goals.push(Goal { wanted, met: (noise <= MOST_NOISE).then_some(met) });
        self
    }

    /// The value shall be exactly this.
    pub(crate) fn exactly(self, wanted: f64) -> Self {
        let met = (self.value.value - wanted).abs() < f64::EPSILON;
        self.goal(format!("exactly {wanted}"), met)
    }

    fn goal(mut self, wanted: String, met: bool) -> Self {
        self.goals.push(Goal { wanted, met: Some(met) });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_ratio(low: f64, value: f64, high: f64) -> Row {
        let times = Estimate { value, low, high };
        Row {
            ratio: Some(Ratio { to: "agent off".to_owned(), times }),
            ..Row::counted("agent on", "us", 1.0)
        }
    }

    #[test]
    fn one_within_noise_is_measured_by_the_control() {
        let control = with_ratio(0.99, 1.0, 1.02);
        let met = |row: Row, control: &Row| row.ratio_is_one(control).goals[0].met;
        assert_eq!(met(with_ratio(1.01, 1.03, 1.05), &control), Some(true));
        assert_eq!(met(with_ratio(1.04, 1.05, 1.06), &control), Some(false));
        let noisy = with_ratio(0.7, 1.0, 1.3);
        assert_eq!(met(with_ratio(1.04, 1.05, 1.06), &noisy), None, "nobody can tell");
    }

    #[test]
    fn goals_can_be_missed() {
        let row = Row::counted("rss", "MiB", 16.0).at_most(15.0).at_most(16.0).exactly(0.0);
        assert_eq!(
            row.goals.iter().map(|goal| goal.met).collect::<Vec<_>>(),
            [Some(false), Some(true), Some(false)]
        );
    }
}
