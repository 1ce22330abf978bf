//! What the agent's exit status says: 0 for success, 1 for every error, as Falco has it; 2 where a comparison was asked
//! for and there is a difference.

use std::process::ExitCode;

/// Done, or asked to stop.
pub const SUCCESS: ExitCode = ExitCode::SUCCESS;
/// Any error; the text is on stderr.
pub const FAILURE: ExitCode = ExitCode::FAILURE;
/// The kernel does not let it (`detector selftest-sandbox`, a process of the agent's own).
pub const NOT_ALLOWED: u8 = 3;
/// There is a difference (`detector test-rules`).
pub const DIFFERENT: u8 = 2;
