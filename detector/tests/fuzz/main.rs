//! Bounded fuzzing on stable Rust: mutations of valid inputs that know their structure, and a corpus that grows by
//! every input which behaves in a way not seen before. `cargo test` makes a fixed number of runs from a fixed seed;
//!
//! ```text
//! DETECTOR_FUZZ_RUNS=1000000 DETECTOR_FUZZ_SEED=7 cargo test -p detector --test fuzz
//! ```
//!
//! makes more of them. A failing input is made small and printed.

mod explorer;
mod mutation;
mod planted;
mod records;
mod rule_files;
#[path = "../synthetic/mod.rs"]
#[expect(dead_code, reason = "whole events are for other tests")]
mod synthetic;
