//! The agent as a library: tests use its stages without a kernel.
pub mod kernel;
