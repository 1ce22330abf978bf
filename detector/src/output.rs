//! Lines to the outside. Outputs know bytes only.

mod stdout;

pub use stdout::Stdout;
