//! Lines to the outside. Outputs know bytes only.

mod file;
mod stdout;

pub use file::FileOutput;
pub use stdout::Stdout;
