//! Flags as typed. What they mean in the end is in `settings`.

pub mod explain;
pub mod report;
pub mod suggest;
pub mod test_rules;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Sees, in the kernel and at execve, that a container runs a binary that is not part of its image.
///
/// Without a command it runs the agent. Flags have the meaning that they have in Falco.
#[derive(Debug, Parser)]
#[command(name = "detector", disable_version_flag = true, max_term_width = 100)]
pub struct Cli {
    /// Do something else than run the agent
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Read this configuration file; a falco.yaml works as it is
    #[arg(short = 'c', value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// Load rules from this file or folder instead of the configured ones; can be given many times
    #[arg(short = 'r', value_name = "PATH", global = true)]
    pub rules: Vec<PathBuf>,

    /// Override a setting, for example `-o json_output=true`; can be given many times
    #[arg(short = 'o', value_name = "KEY=VALUE", global = true)]
    pub overrides: Vec<String>,

    /// Add this to every output; in the style of 2024 `-pc` and `-pk` add the container and the pod
    #[arg(short = 'p', long = "print", value_name = "FORMAT", global = true)]
    pub print: Option<String>,

    /// Read the kernel's types from this file of BTF instead of /sys/kernel/btf/vmlinux
    #[arg(long = "btf", value_name = "FILE", global = true)]
    pub btf: Option<PathBuf>,

    /// When the kernel shows no BTF, look for its file in this folder, laid out as
    /// DISTRIBUTION/VERSION/ARCHITECTURE/RELEASE.btf or .btf.tar.xz
    #[arg(long = "btf-dir", value_name = "FOLDER", global = true)]
    pub btf_dir: Option<PathBuf>,

    /// Write each alert at once instead of when buffers are full
    #[arg(short = 'U', long = "unbuffered")]
    pub unbuffered: bool,

    /// Stop after this many seconds
    #[arg(short = 'M', value_name = "SECONDS")]
    pub stop_after_seconds: Option<u64>,

    /// Write the process id to this file
    #[arg(short = 'P', value_name = "FILE")]
    pub pid_file: Option<PathBuf>,

    /// Check this rule file and exit: 0 when all given ones are valid, 1 otherwise; can be given many times
    #[arg(short = 'V', long = "validate", value_name = "FILE")]
    pub validate: Vec<PathBuf>,

    /// Describe all rules, with those that are skipped and why, and exit
    #[arg(short = 'L')]
    pub describe_all: bool,

    /// Describe this rule and exit
    #[arg(short = 'l', value_name = "RULE")]
    pub describe_one: Option<String>,

    /// List the fields that rules can use and exit
    #[arg(long = "list", value_name = "SOURCE", num_args = 0..=1, default_missing_value = "")]
    pub list: Option<String>,

    /// List the events with their parameters and exit
    #[arg(long = "list-events")]
    pub list_events: bool,

    /// With --list: only the names
    #[arg(short = 'N', requires = "list")]
    pub names_only: bool,

    /// With --list and --list-events: the layout
    #[arg(long = "format", value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// The old way to say `--format markdown`
    #[arg(long = "markdown", hide = true, conflicts_with = "format")]
    pub markdown: bool,

    /// List the events that are not looked at and exit
    #[arg(short = 'i')]
    pub ignored_events: bool,

    /// Print what to send along with a question, as JSON, and exit
    #[arg(long = "support")]
    pub support: bool,

    /// Print the size of a memory page and exit
    #[arg(long = "page-size", hide = true)]
    pub page_size: bool,

    /// List the plugins, of which there are none, and exit
    #[arg(long = "list-plugins", hide = true)]
    pub list_plugins: bool,

    /// Describe this plugin and exit; there is none, so this fails
    #[arg(long = "plugin-info", value_name = "NAME", hide = true)]
    pub plugin_info: Option<String>,

    /// Look only at events of this source; there is one, `syscall`
    #[arg(long = "enable-source", value_name = "SOURCE", hide = true, conflicts_with = "disable_sources")]
    pub enable_sources: Vec<String>,

    /// Do not look at events of this source
    #[arg(long = "disable-source", value_name = "SOURCE", hide = true)]
    pub disable_sources: Vec<String>,

    /// Log more
    #[arg(short = 'v')]
    pub verbose: bool,

    /// Print the JSON schema of the configuration and exit
    #[arg(long = "config-schema")]
    pub config_schema: bool,

    /// Print the JSON schema of rule files and exit
    #[arg(long = "rule-schema")]
    pub rule_schema: bool,

    /// Print the version and exit
    // -V validates, as in Falco, so the flag that clap makes cannot be used.
    #[arg(long = "version")]
    pub version: bool,

    /// Load configuration and rules, then exit instead of running
    #[arg(long = "dry-run")]
    pub dry_run: bool,
}

/// What the agent's program can do besides running the agent.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the alerts of recorded records, without a kernel and without root
    ///
    /// Records are written by an agent that runs with `-o record_to=FILE`.
    Replay {
        /// The recording
        file: PathBuf,
    },
    /// Say what this host allows, what follows, and what would enable the rest; 0 when the agent can run
    Doctor {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Prove on a private overlay that files are seen and judged right on this kernel; 0 when they are
    Selftest,
    /// Make an incident report of alerts: what happened, what is known, what to do next
    Report(report::ReportArgs),
    /// Propose the smallest exceptions that would silence alerts that were expected, as a rule file
    Suggest(suggest::SuggestArgs),
    /// Tell, comparison by comparison, why a rule fires for an alert or does not, and which exceptions match
    Explain(explain::ExplainArgs),
    /// Tell what other rules would change about past alerts or a recording; 0: nothing, 2: something, 1: an error
    TestRules(test_rules::TestRulesArgs),
    /// Remove the hooks and maps that an agent with `pin.enabled` left in the kernel; 0 when nothing of it is left
    Cleanup {
        /// Also while an agent runs: its hooks then end with it
        #[arg(long)]
        force: bool,
    },
    /// The other process of the self-test
    #[command(hide = true)]
    SelftestSandbox,
    /// Keeps the rights that the self-test of a running agent takes
    #[command(hide = true)]
    SelftestKeeper,
}

/// Layout of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal
    Text,
    /// For a document
    Markdown,
    /// For programs
    Json,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{Cli, Command};

    #[test]
    fn the_flags_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn falcos_way_of_calling_works() {
        let cli = Cli::try_parse_from([
            "detector",
            "-c",
            "c.yaml",
            "-r",
            "a",
            "-r",
            "b",
            "-o",
            "json_output=true",
            "-U",
            "-M",
            "5",
            "-P",
            "pid",
        ])
        .unwrap();
        assert_eq!((cli.rules.len(), cli.stop_after_seconds, cli.unbuffered), (2, Some(5), true));
        let cli = Cli::try_parse_from(["detector", "-V", "a", "-V", "b", "-L"]).unwrap();
        assert_eq!((cli.validate.len(), cli.describe_all), (2, true));
        assert_eq!(Cli::try_parse_from(["detector", "--list"]).unwrap().list.as_deref(), Some(""));
        let cli = Cli::try_parse_from(["detector", "--list=syscall", "--markdown"]).unwrap();
        assert_eq!((cli.list.as_deref(), cli.markdown), (Some("syscall"), true));
        assert!(Cli::try_parse_from(["detector", "--list", "--markdown", "--format", "json"]).is_err());
    }

    #[test]
    fn replay_takes_rules_and_overrides() {
        let cli = Cli::try_parse_from(["detector", "replay", "x", "-r", "a", "-o", "k=v"]).unwrap();
        assert!(matches!(cli.command, Some(Command::Replay { .. })));
        assert_eq!((cli.rules.len(), cli.overrides.len()), (1, 1));
        let cli = Cli::try_parse_from(["detector", "replay", "x", "-pc"]).unwrap();
        assert_eq!(cli.print.as_deref(), Some("c"));
    }
}
