//! The agent as a library, so that every stage can be tested without a kernel.
//!
//! ```text
//! kernel hook -> record -> decode -> enrich -> rules -> format -> output
//!    (ebpf)     (common)   (event)                     (alert)   (line)
//! ```
//!
//! Each room knows only what lies before it; `pipeline` alone knows them all. See ARCHITECTURE.md.

pub mod afterwards;
pub mod alert;
pub mod cli;
pub mod config;
pub mod decode;
pub mod doctor;
pub mod enrich;
pub mod event;
pub mod examine;
pub mod exit_code;
pub mod format;
pub mod incident;
pub mod inspect;
pub mod kernel;
pub mod output;
pub mod pipeline;
pub mod preflight;
pub mod privileges;
pub mod recording;
pub mod report;
pub mod retrial;
pub mod rules;
pub mod selftest;
pub mod service_manager;
pub mod settings;
pub mod suggest;
pub mod telemetry;
pub mod throttle;
pub mod version;
pub mod yaml;
