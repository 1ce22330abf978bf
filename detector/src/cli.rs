//! Flags as typed. What they mean in the end is in `settings`.

use std::path::PathBuf;

use clap::Parser;

/// Sees, in the kernel and at execve, that a container runs a binary that is not part of its image.
#[derive(Debug, Parser)]
#[command(name = "detector", version, max_term_width = 100)]
pub struct Cli {
    /// Read this configuration file; a falco.yaml works as it is
    #[arg(short = 'c', value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Load rules from this file or folder instead of the configured ones; can be given many times
    #[arg(short = 'r', value_name = "PATH")]
    pub rules: Vec<PathBuf>,

    /// Override a setting, for example `-o json_output=true`; can be given many times
    #[arg(short = 'o', value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,

    /// Write each alert at once instead of when buffers are full
    #[arg(short = 'U', long = "unbuffered")]
    pub unbuffered: bool,

    /// Stop after this many seconds
    #[arg(short = 'M', value_name = "SECONDS")]
    pub stop_after_seconds: Option<u64>,
}
