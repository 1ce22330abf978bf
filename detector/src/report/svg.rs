//! Pictures: the timeline and the gauge of the risk. Colours come from the page's style.

use super::{
    document::Moment,
    html::{escape, push},
    timeline::MAPPED,
};
use crate::incident::{Risk, time_words};

const WIDTH: f64 = 920.0;
/// Where the line is.
const AXIS: f64 = 62.0;
/// Room left and right, for half a label.
const MARGIN: f64 = 70.0;
/// Two labels side by side need this much.
const LEAST: f64 = 116.0;
/// More moments than this do not fit; the list below the picture has all.
const MOST: usize = 7;

/// Points in time from left to right. Distances grow with the logarithm of the time between them.
pub(super) fn timeline(moments: &[Moment]) -> String {
    let shown = pick(moments);
    let places = places(&shown);
    let mut out = format!("<svg viewBox=\"0 0 {WIDTH} 128\" role=\"img\" aria-label=\"");
    let told: Vec<String> =
        shown.iter().map(|moment| format!("{} {}", moment.label, time_words::moment(moment.ns))).collect();
    out.push_str(&escape(&format!("Timeline: {}", told.join(", "))));
    out.push_str("\">\n");
    let (first, last) = (places.first().copied().unwrap_or(0.0), places.last().copied().unwrap_or(0.0));
    push(
        &mut out,
        format_args!(
            "<line class=\"axis\" x1=\"{first:.0}\" y1=\"{AXIS}\" x2=\"{last:.0}\" y2=\"{AXIS}\"/>\n"
        ),
    );
    let mut day = String::new();
    for (index, (moment, x)) in shown.iter().zip(&places).enumerate() {
        if let (Some(before), Some(left)) =
            (index.checked_sub(1).map(|at| shown[at]), index.checked_sub(1).map(|at| places[at]))
        {
            let middle = f64::midpoint(left, *x);
            let gap = time_words::span(moment.ns - before.ns);
            push(
                &mut out,
                format_args!("<text class=\"gap\" x=\"{middle:.0}\" y=\"{:.0}\">{gap}</text>\n", AXIS - 9.0),
            );
        }
        let now = moment.label == "executed" || moment.label == MAPPED;
        let (class, radius) = if now { ("dot now", 7) } else { ("dot", 5) };
        push(
            &mut out,
            format_args!("<circle class=\"{class}\" cx=\"{x:.0}\" cy=\"{AXIS}\" r=\"{radius}\"/>\n"),
        );
        push(
            &mut out,
            format_args!(
                "<text class=\"what\" x=\"{x:.0}\" y=\"{:.0}\">{}</text>\n",
                AXIS - 32.0,
                escape(moment.label)
            ),
        );
        push(
            &mut out,
            format_args!(
                "<text class=\"when\" x=\"{x:.0}\" y=\"{:.0}\">{}</text>\n",
                AXIS + 28.0,
                time_words::clock(moment.ns)
            ),
        );
        let date = time_words::moment(moment.ns).chars().take(10).collect::<String>();
        if date != day {
            push(
                &mut out,
                format_args!("<text class=\"when\" x=\"{x:.0}\" y=\"{:.0}\">{date}</text>\n", AXIS + 46.0),
            );
            day = date;
        }
    }
    out.push_str("</svg>\n");
    out
}

/// The first, the last and what lies nearest before the last.
fn pick(moments: &[Moment]) -> Vec<&Moment> {
    let skipped = moments.len().saturating_sub(MOST);
    moments
        .iter()
        .enumerate()
        .filter(|(index, _)| *index == 0 || *index > skipped)
        .map(|(_, moment)| moment)
        .collect()
}

fn places(moments: &[&Moment]) -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a picture's coordinates")]
    let weights: Vec<f64> =
        moments.windows(2).map(|pair| ((pair[1].ns - pair[0].ns) as f64 / 1e6 + 1.0).log10() + 0.2).collect();
    let total: f64 = weights.iter().sum();
    let least = LEAST * f64::from(u32::try_from(weights.len()).unwrap_or(u32::MAX));
    let spare = (WIDTH - 2.0 * MARGIN - least).max(0.0);
    let mut x = MARGIN;
    let mut places = vec![x];
    for weight in weights {
        x += LEAST + spare * weight / total;
        places.push(x);
    }
    places
}

/// A bar from 0 to 100: the score, and behind it what it could be.
pub(super) fn gauge(risk: &Risk) -> String {
    format!(
        "<svg viewBox=\"0 0 400 12\" role=\"img\" aria-label=\"Risk {} of 100, at most {}\">\n\
         <rect class=\"rail\" x=\"0\" y=\"2\" width=\"400\" height=\"8\" rx=\"4\"/>\n\
         <rect class=\"open\" x=\"0\" y=\"2\" width=\"{}\" height=\"8\" rx=\"4\"/>\n\
         <rect class=\"known\" x=\"0\" y=\"2\" width=\"{}\" height=\"8\" rx=\"4\"/>\n</svg>\n",
        risk.score,
        risk.at_most,
        risk.at_most * 4,
        risk.score * 4
    )
}
