//! Events to alerts.

mod drop_and_execute;
mod engine;
pub mod fields;
pub mod files;
mod output;
pub mod report;
pub mod resolve;

pub use engine::Engine;
pub use output::OutputError;
