//! Results as a person reads them.

use std::fmt::Write as _;

use crate::results::{FigureResult, Row};
use crate::statistics::Estimate;

/// One figure as a table.
pub(crate) fn figure(figure: &FigureResult) -> String {
    let mut text = format!("\n== {}: {}\n", figure.name, figure.title);
    let header = ["", "median", "p99", "max", "ratio", "samples", "goal"].map(str::to_owned);
    let mut lines = vec![header];
    lines.extend(figure.rows.iter().map(cells));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    if !figure.rows.is_empty() {
        for line in &lines {
            let padded = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 | 6 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            let _ = writeln!(text, "  {}", padded.collect::<Vec<_>>().join("  ").trim_end());
        }
    }
    for note in &figure.notes {
        let _ = writeln!(text, "  {note}");
    }
    if let Some(error) = &figure.error {
        let _ = writeln!(text, "  NOT MEASURED: {error}");
    }
    let _ = writeln!(text, "  ({:.0} s; {})", figure.seconds, figure.load);
    text
}

fn cells(row: &Row) -> [String; 7] {
    let p99 = row.p99.map(interval).unwrap_or_default();
    let ratio = row.ratio.as_ref();
    let ratio = ratio.map(|ratio| format!("{} x {}", ratio_text(ratio.times), ratio.to)).unwrap_or_default();
    let goal = |goal: &crate::results::Goal| {
        let met = match goal.met {
            Some(true) => "met",
            Some(false) => "NOT MET",
            None => "too noisy to tell",
        };
        format!("{}: {met}", goal.wanted)
    };
    [
        row.what.clone(),
        format!("{} {}", interval(row.value), row.unit).trim_end().to_owned(),
        p99,
        row.max.map(number).unwrap_or_default(),
        ratio,
        if row.samples > 1 { row.samples.to_string() } else { String::new() },
        row.goals.iter().map(goal).collect::<Vec<_>>().join("; "),
    ]
}

/// `value [low, high]`, without the interval when there is none.
fn interval(Estimate { value, low, high }: Estimate) -> String {
    if low.is_nan() || (high - low).abs() < f64::EPSILON {
        number(value)
    } else {
        format!("{} [{}, {}]", number(value), number(low), number(high))
    }
}

fn ratio_text(times: Estimate) -> String {
    if times.low.is_nan() {
        return format!("{:.3}", times.value);
    }
    format!("{:.3} [{:.3}, {:.3}]", times.value, times.low, times.high)
}

/// Four digits are all that such measurements are good for; whole numbers stay whole.
fn number(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 1000.0 {
        format!("{value:.0}")
    } else if value.abs() >= 100.0 {
        format!("{value:.1}")
    } else if value.abs() >= 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_more_digits_than_they_mean() {
        assert_eq!(
            [0.1234, 12.345, 123.45, 1234.5, 200_000.0].map(number),
            ["0.123", "12.35", "123.5", "1234", "200000"]
        );
    }

    #[test]
    fn an_exact_value_shows_no_interval() {
        assert_eq!(interval(Estimate::exact(3.0)), "3");
        assert_eq!(interval(Estimate { value: 2.0, low: 1.5, high: 2.5 }), "2 [1.50, 2.50]");
    }
}
