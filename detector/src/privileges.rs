//! What the agent's rights must not be used for by others, and which of them it gives up.

pub mod file_owner;
