//! The items of all files to one set of rules: what redefinitions, overrides and exceptions make together, compiled,
//! with the rules that no exec event can match left out.

mod additions;
mod definitions;
mod details;
mod event_types;
mod exceptions;
mod load;
mod names;
mod selection;
mod sources;

pub use additions::{AppendOutput, ExtraField, ExtraTemplate, LoadOptions};
pub use definitions::{Definitions, ListDefinition, MacroDefinition, Named, RuleDefinition, SOURCE};
pub use details::{RuleDetails, condition_details};
pub use event_types::{EventTypes, NoExec, event_names};
pub use load::{LoadReport, LoadedRule, SkipReason, SkippedRule, load};
pub use selection::{Selection, Which, runs};
