//! What the agent tells about itself: its log and its health.

pub mod logging;
mod selftest;

pub use selftest::{SelftestHealth, SelftestState, Snapshot};
