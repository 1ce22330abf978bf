//! The list of the project's commands.
fn main() {}
