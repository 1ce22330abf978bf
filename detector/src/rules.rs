//! Events to alerts: the fields that rules can use, the rule files, and their evaluation.

mod catalog;
mod engine;
pub mod fields;
pub mod files;
mod pushdown;
pub mod report;
pub mod resolve;
mod set;

pub use catalog::Catalog;
pub use engine::{Engine, RuleParts};
pub use pushdown::KernelFilter;
pub use set::{OutputStyle, RuleChoice, RulesError};
