//! What the record alone does not say. May answer "unknown", never a silent empty.

mod container_id;

pub use container_id::identify;
