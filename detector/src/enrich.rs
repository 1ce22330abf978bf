//! What the record alone does not say. May answer "unknown", never a silent empty.

mod cgroup_name;
mod container_id;
#[cfg(test)]
mod sample;

pub use container_id::{Identifier, identify};
