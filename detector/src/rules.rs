//! Events to alerts: the fields that rules can use, the rule files, and their evaluation.

mod additions;
mod catalog;
mod engine;
pub mod fields;
pub mod files;
mod hits;
mod pushdown;
pub mod report;
pub mod resolve;
mod set;

pub use additions::{Appended, OutputAdditions, OutputStyle};
pub use catalog::Catalog;
pub use engine::{Engine, RuleParts};
pub use hits::{RuleHits, SilencerHits};
pub use pushdown::KernelFilter;
pub use set::{RuleChoice, RulesError};
