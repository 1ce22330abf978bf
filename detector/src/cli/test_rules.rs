//! `detector test-rules`.

use std::path::PathBuf;

use clap::Args;

/// What `detector test-rules` is asked for. The rules come from `-r`.
#[derive(Clone, Debug, Args)]
pub struct TestRulesArgs {
    /// Files with alerts or recordings; `-` is standard input
    #[arg(long = "alerts", value_name = "FILE", required = true, num_args = 1..)]
    pub alerts: Vec<PathBuf>,

    /// Compare with what these rules say, instead of with the rules that the alerts name (recordings: the built-in rules)
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub against: Vec<PathBuf>,

    /// For programs
    #[arg(long)]
    pub json: bool,
}
