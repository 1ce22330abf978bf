//! Rule files: YAML to typed items, each with its place in the file. No item is judged by what other items say;
//! that is `resolve`.

mod exceptions;
mod item;
mod keys;
mod lists_and_macros;
mod read_file;
mod reader;
mod requirements;
mod rule;
mod schema;
mod source;
mod text;
mod version;

pub use item::{
    Entry, Exception, Item, ListItem, MacroItem, PluginRequirement, RuleAction, RuleItem, RuleKeys, Scalar,
    Standing,
};
pub use read_file::{MAX_FILE_BYTES, RuleFile};
pub use reader::{FileItems, read_items};
pub use rule::parse_priority;
pub use schema::rule_schema;
pub use source::{Place, SourceFile};
pub use text::LocatedText;
pub use version::{ENGINE_VERSION, Version};
