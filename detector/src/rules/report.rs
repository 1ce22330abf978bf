//! What loading the rule files found, as values and as text.

mod code;
mod describe;
mod diagnostic;
mod falco;
mod text;

pub use code::Code;
pub use describe::{describe_json, describe_text};
pub use diagnostic::{Diagnostic, Within, did_you_mean};
pub use falco::{FileResult, falco_json, falco_text, falco_warnings, file_results};
pub use text::render_text;
