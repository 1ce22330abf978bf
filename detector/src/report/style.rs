//! How the HTML report looks: one column of text with a quiet table of contents beside it; light, dark and on paper.

/// The style sheet.
pub(super) const SHEET: &str = include_str!("report.css");
