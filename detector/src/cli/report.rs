//! `detector report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Layout of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For documents and issue trackers
    Markdown,
    /// One file for a browser or a printer
    Html,
    /// For programs
    Json,
    /// For a terminal
    Text,
}

/// What `detector report` is asked for.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// Files with alerts of this agent or of Falco, as JSON or text; `-` is standard input. Without any: the file that
    /// the configuration lets alerts be written to
    pub files: Vec<PathBuf>,

    /// Only the last N alerts
    #[arg(long, value_name = "N")]
    pub last: Option<usize>,

    /// Only alerts of this container (name, or beginning of its id) or pod
    #[arg(long, value_name = "NAME")]
    pub container: Option<String>,

    /// Layout; without it the name of the output decides, and text where there is none
    #[arg(long = "format", value_enum, value_name = "FORMAT")]
    pub layout: Option<ReportFormat>,

    /// Write the report to this file
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Add what this host knows about the container now
    #[arg(long)]
    pub live: bool,

    /// The engine that runs the container, where alerts do not say: docker, podman, crictl, ctr, nerdctl, lxc, machinectl
    #[arg(long, value_name = "NAME")]
    pub runtime: Option<String>,
}
