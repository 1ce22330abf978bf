//! What the agent knows about itself, as plain data that one part writes and others read: no IO, no clock.

mod selftest;

pub use selftest::{SelftestHealth, SelftestState, Snapshot};
