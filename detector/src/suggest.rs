//! From alerts that were expected to the smallest exceptions that silence them: a rule file in Falco's language, which is
//! held against the alerts before anybody sees it.
//!
//! ```text
//! alert -> trace -> causes (merged while they stay narrow) -> exceptions -> rule file -> verified against the alerts
//! ```

mod cause;
mod exception;
mod gather;
mod index;
mod join;
mod path_pattern;
mod rule_file;
mod sample;
mod verify;

pub use cause::Cause;
pub use exception::{Condition, Exception, Options};
pub use gather::Gathering;
pub use rule_file::{Account, rule_file, rule_file_of};
pub use verify::{Unverified, Verified, verify};

#[cfg(test)]
mod tests;
