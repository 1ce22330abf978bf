//! Events to alerts.

mod drop_and_execute;
mod engine;
pub mod fields;
mod output;

pub use engine::Engine;
pub use output::OutputError;
