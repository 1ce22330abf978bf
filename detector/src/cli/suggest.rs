//! `detector suggest`.

use std::path::PathBuf;

use clap::Args;

/// What `detector suggest` is asked for.
#[derive(Clone, Debug, Args)]
pub struct SuggestArgs {
    /// Files with alerts that were expected; `-` is standard input. Without any: the file that the configuration lets
    /// alerts be written to
    pub files: Vec<PathBuf>,

    /// Leave alone what came less often than this
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub least: u64,

    /// Only fields that Falco knows, for rule files that Falco loads as well
    #[arg(long)]
    pub falco: bool,

    /// Name images by digest: an exception ends with the next version of its image
    #[arg(long)]
    pub pin_digests: bool,

    /// Write the rule file here instead of to standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
