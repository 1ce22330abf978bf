//! What the agent tells about itself: its log, its health, its figures, and the web server that shows them.

mod exposition;
mod figures;
pub mod logging;
pub mod metric_names;
mod selftest;
pub mod web;

pub use figures::{Figures, OutputFigures, ProcessFigures, RuleFigures, SilencedFigures};
pub use selftest::{SelftestHealth, SelftestState, Snapshot};
