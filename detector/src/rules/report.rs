//! What loading the rule files found, as values and as text.

mod code;
mod diagnostic;

pub use code::Code;
pub use diagnostic::{Diagnostic, Within, did_you_mean};
