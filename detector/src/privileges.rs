//! What the agent's rights must not be used for by others, and which of them it gives up once its hooks are armed.

mod capabilities;
pub mod file_owner;
mod give_up;
mod system_calls;
mod writable;

pub use capabilities::parse_capability;
pub use give_up::{GivenUp, PrivilegeError, Restrictions, give_up};
