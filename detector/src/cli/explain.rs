//! `detector explain`.

use std::path::PathBuf;

use clap::Args;

/// What `detector explain` is asked for.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// Files with alerts; `-` is standard input. Without any: the file that the configuration lets alerts be written to.
    /// `--stale` also takes recordings, and what a running agent answers to `/metrics`
    pub files: Vec<PathBuf>,

    /// Explain the last N alerts
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub last: usize,

    /// Name exceptions and items of lists that match nothing, and lists and macros that nothing uses
    #[arg(long, conflicts_with = "last")]
    pub stale: bool,

    /// For programs
    #[arg(long)]
    pub json: bool,
}
