//! The running kernel: what its structs look like, and the hooks that are attached to it.
pub mod btf;
pub mod offsets;
