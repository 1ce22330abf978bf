//! Harness of the real-kernel tests: real containers on one side, the real agent on the other.
//!
//! A case makes a container ([`BareContainer`], without any engine, or [`Docker`]), lets something happen in it, and
//! then looks at the alerts of the [`Agent`]. What the executed file saw of itself comes back as [`Facts`], so the
//! fields of an alert are compared with the kernel's own answer and not with constants.
//!
//! | variable | meaning |
//! |---|---|
//! | `DETECTOR_BIN` | the agent under test; otherwise `target/detector`, which `cargo xtask build` makes |
//! | `DETECTOR_NOT_RUN` | file that lists the cases that could not run; without it such a case fails |
//! | `DETECTOR_EVENT_GENERATOR` | a ready event-generator; otherwise PATH, then `go install` |
//! | `DETECTOR_FALCO_RULES` | folder with Falco's own rule files; without it the cases about them are not run |
//! | `DETECTOR_TEST_HELPERS` | folder with ready static `probe` and `bare-init`; otherwise cargo builds them |
//!
//! Nothing here returns `Result`: a test that fails panics where it fails, with everything that was seen.

pub mod agent;
pub mod alert;
pub mod alert_schema;
pub mod bare_container;
pub mod bpf;
pub mod case;
pub mod cgroup;
pub mod clean_debian;
pub mod containerd;
pub mod docker;
pub mod engine;
pub mod event_generator;
pub mod exec_rules;
pub mod facts;
pub mod helper_binaries;
pub mod host_overlay;
pub mod idmapped;
pub mod image_tree;
pub mod lxc;
pub mod not_run;
pub mod nspawn;
pub mod oci_image;
pub mod pin_place;
pub mod pod;
pub mod podman;
pub mod process;
pub mod program_copy;
pub mod runc;
pub mod statement;
pub mod witness;
pub mod wrong_btf;

pub use agent::Agent;
pub use alert::Alert;
pub use bare_container::BareContainer;
pub use case::{agent_for, marker};
pub use containerd::Containerd;
pub use docker::Docker;
pub use facts::Facts;
pub use lxc::Lxc;
pub use nspawn::Nspawn;
pub use pin_place::PinPlace;
pub use podman::Podman;
pub use runc::Runc;
