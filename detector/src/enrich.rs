//! What the record alone does not say. May answer "unknown", never a silent empty.
//!
//! ```text
//! event -> container_id -> enricher -> holder -> event
//!          (cgroup_name)      |  ^
//!                             v  |
//!            workers: disk (monitor), user_names (pin), processes; engines -> cache <- watch, running
//! ```

mod account_files;
mod arrivals;
mod bounded_read;
mod bounds;
mod cache;
mod cgroup_name;
mod container_id;
mod disk;
mod engines;
mod enricher;
mod holder;
mod host_root;
mod monitor;
mod pin;
mod proc_stat;
mod processes;
mod roots;
mod running;
#[cfg(test)]
mod sample;
mod subject;
mod trouble;
mod turns;
mod user_names;
mod user_namespace;
mod watch;
mod workers;
mod writer_container;

pub use container_id::{Identifier, identify};
pub use disk::DiskPlaces;
pub use engines::EngineSockets;
pub use enricher::{EnrichConfig, EnrichStats, Enricher};
pub use roots::{RunningRoot, running_roots};
