//! The configuration file and what overrides it: YAML and `-o key=value` to one tree. What the keys mean is in
//! `settings`; here they are only found, merged and expanded.

mod environment;
mod excerpt;
mod file;
mod key_path;
mod tree;

pub use excerpt::excerpt;
pub use file::{ConfigError, Loaded, load};
pub use key_path::PathError;
pub use tree::{Kind, Tree};
