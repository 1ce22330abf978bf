//! What the agent's exit status says: 0 for success, 1 for every error, as Falco has it.

use std::process::ExitCode;

/// Done, or asked to stop.
pub const SUCCESS: ExitCode = ExitCode::SUCCESS;
/// Any error; the text is on stderr.
pub const FAILURE: ExitCode = ExitCode::FAILURE;
