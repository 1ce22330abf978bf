//! The agent: reads its flags and configuration, runs the pipeline, and says how it ended.

use std::{
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context as _, bail};
use clap::Parser as _;
use detector::{
    afterwards,
    cli::{Cli, Command, Format},
    config,
    doctor::Diagnosis,
    exit_code,
    inspect::{self, Inspection},
    kernel::pins,
    pipeline::{self, Configuration, Read},
    privileges::file_owner::{Trusted, UnsafeFile},
    rules::{OutputStyle, fields::ListFormat, files::rule_schema, resolve::SOURCE},
    selftest,
    settings::{self, Settings},
    telemetry::logging::{self, LogSettings},
};
use log::{info, warn};
use nix::unistd::SysconfVar;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come as errors, too, but are none. A closed pipe is no reason to fail.
            let _ = error.print();
            return if error.use_stderr() { exit_code::FAILURE } else { exit_code::SUCCESS };
        }
    };
    if cli.config_schema {
        let written = writeln!(std::io::stdout(), "{}", settings::config_schema());
        return if written.is_ok() { exit_code::SUCCESS } else { exit_code::FAILURE };
    }
    if cli.rule_schema {
        let written = writeln!(std::io::stdout(), "{}", rule_schema());
        return if written.is_ok() { exit_code::SUCCESS } else { exit_code::FAILURE };
    }
    // Before anything is read or started: it has to have one thread, and its time counts.
    if matches!(cli.command, Some(Command::SelftestSandbox)) {
        return selftest::play_in_sandbox();
    }
    if matches!(cli.command, Some(Command::SelftestKeeper)) {
        return selftest::keep();
    }
    logging::set(LogSettings::default());
    let begun = configuration(&cli).and_then(|(configuration, notes)| {
        logging::set(configuration.settings.log.clone());
        notes.log();
        run_command(cli, configuration)
    });
    match begun {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "Error: {error:#}");
            exit_code::FAILURE
        }
    }
}

/// Configuration, overrides and flags, in this order, and what is worth saying about them.
fn configuration(cli: &Cli) -> anyhow::Result<(Configuration, Notes)> {
    let loaded = match config::load(cli.config.as_deref(), &cli.overrides) {
        Ok(loaded) => loaded,
        Err(error) => bail!("{}", explained(&error, error.place())),
    };
    let settled = match settings::settle(&loaded.tree) {
        Ok(settled) => settled,
        Err(errors) => {
            let texts: Vec<String> = errors.iter().map(|error| explained(error, error.place())).collect();
            bail!("{}", texts.join("\nError: "));
        }
    };
    let notes = Notes { warnings: settled.warnings, ignored: settled.ignored };
    let mut settings = settled.settings;
    if !cli.rules.is_empty() {
        settings.rules.files.clone_from(&cli.rules);
    }
    if let Some(print) = &cli.print {
        if settings.rules.additions.style == OutputStyle::Current {
            warn!(
                "-p is deprecated: use -o append_output[]={{extra_output: ...}}; for -pc and -pk as in 2024, output_style=classic"
            );
        }
        settings.rules.additions.print = Some(print.clone());
    }
    if cli.verbose {
        settings.log.level = settings.log.level.max(log::LevelFilter::Debug);
    }
    if cli.btf.is_some() {
        settings.btf.file.clone_from(&cli.btf);
    }
    if cli.btf_dir.is_some() {
        settings.btf.folder.clone_from(&cli.btf_dir);
    }
    if cli.unbuffered {
        settings.outputs.buffered = false;
    }
    // The file is removed at the end.
    settings.privileges.writable.extend(cli.pid_file.as_deref().and_then(Path::parent).map(Path::to_owned));
    Ok((Configuration { settings, files: loaded.named }, notes))
}

/// What is said about a configuration once the log is as it wants it.
struct Notes {
    warnings: Vec<String>,
    ignored: Vec<String>,
}

impl Notes {
    fn log(&self) {
        for warning in &self.warnings {
            warn!("{warning}");
        }
        if !self.ignored.is_empty() {
            info!("configuration keys that do not concern this agent: {}", self.ignored.join(", "));
        }
    }
}

fn run_command(cli: Cli, configuration: Configuration) -> anyhow::Result<ExitCode> {
    let settings = &configuration.settings;
    if let Some(done) = cli.command.as_ref().and_then(|command| afterwards::run(command, settings)) {
        return done;
    }
    run(cli, configuration).map(|()| exit_code::SUCCESS)
}

/// A mistake with the line that it stands in.
fn explained(mistake: &dyn std::fmt::Display, place: Option<&str>) -> String {
    match place.and_then(config::excerpt) {
        Some(excerpt) => format!("{mistake}\n{excerpt}"),
        None => mistake.to_string(),
    }
}

fn run(cli: Cli, configuration: Configuration) -> anyhow::Result<()> {
    let settings = &configuration.settings;
    if cli.page_size {
        let bytes = nix::unistd::sysconf(SysconfVar::PAGE_SIZE)?.context("the kernel does not tell it")?;
        info!("Your system page size is: {bytes} bytes");
        return Ok(());
    }
    check_sources(&cli)?;
    if let Some(inspection) = inspected(&cli, settings) {
        let mut out = std::io::stdout().lock();
        out.write_all(inspection.text.as_bytes())?;
        if !inspection.text.is_empty() && !inspection.text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        return inspection.failure.map_or(Ok(()), |failure| bail!("{failure}"));
    }
    if let Some(Command::Replay { file }) = &cli.command {
        let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
        return Ok(pipeline::replay(file, settings, &mut out)?);
    }
    if let Some(Command::Doctor { json }) = &cli.command {
        return diagnose(settings, *json);
    }
    if let Some(Command::Cleanup { force }) = &cli.command {
        return clean_up(&settings.pins.folder, *force);
    }
    if matches!(cli.command, Some(Command::Selftest)) {
        return prove(settings);
    }
    trust(&configuration)?;
    if cli.dry_run {
        pipeline::check(settings)?;
        return Ok(());
    }
    let _pid_file = cli.pid_file.as_deref().map(PidFile::write).transpose()?;
    // One thread: the work is small, and a second one would cost memory and wake-ups.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stop_after_seconds = cli.stop_after_seconds;
    let read: Arc<Read> = Arc::new(move || {
        let (configuration, notes) = self::configuration(&cli).map_err(|error| format!("{error:#}"))?;
        notes.log();
        trust(&configuration).map_err(|error| error.to_string())?;
        Ok(configuration)
    });
    Ok(runtime.block_on(pipeline::run(configuration, read, stop_after_seconds))?)
}

/// Whoever can write these files steers the agent.
fn trust(configuration: &Configuration) -> Result<(), UnsafeFile> {
    let Settings { rules, btf, .. } = &configuration.settings;
    let files = configuration.files.iter().chain(&rules.files).chain(&btf.file).chain(&btf.folder);
    Trusted::find().map_or(Ok(()), |trusted| trusted.check(files.map(PathBuf::as_path)))
}

fn diagnose(settings: &Settings, json: bool) -> anyhow::Result<()> {
    let diagnosis = Diagnosis::make(settings);
    let text = if json { diagnosis.json() } else { diagnosis.text() };
    writeln!(std::io::stdout(), "{text}")?;
    if diagnosis.can_run { Ok(()) } else { bail!("the agent cannot run on this host as it is") }
}

fn prove(settings: &Settings) -> anyhow::Result<()> {
    let report = selftest::run(&settings.btf)?;
    writeln!(std::io::stdout(), "{}", report.text())?;
    if report.passed() { Ok(()) } else { bail!("{}", report.faults().join("\nError: ")) }
}

fn clean_up(folder: &Path, force: bool) -> anyhow::Result<()> {
    let removed = pins::cleanup(folder, force)?;
    let folder = folder.display();
    if removed.folder {
        writeln!(std::io::stdout(), "removed {removed} below {folder}")?;
    } else {
        writeln!(std::io::stdout(), "nothing is pinned below {folder}")?;
    }
    Ok(())
}

/// There is one source of events: it can be asked for, and not be switched off.
fn check_sources(cli: &Cli) -> anyhow::Result<()> {
    if let Some(unknown) = cli.enable_sources.iter().chain(&cli.disable_sources).find(|name| *name != SOURCE)
    {
        bail!("no event source has the name `{unknown}`; the only one is `{SOURCE}`");
    }
    if !cli.disable_sources.is_empty() {
        bail!("`{SOURCE}` is the only event source; without it nothing would be seen");
    }
    Ok(())
}

/// What flags that only look ask for.
fn inspected(cli: &Cli, settings: &Settings) -> Option<Inspection> {
    if cli.version {
        return Some(inspect::version(settings));
    }
    if cli.support {
        return Some(inspect::support(settings, &std::env::args().collect::<Vec<_>>()));
    }
    if cli.ignored_events {
        return Some(inspect::ignored_events());
    }
    if cli.list_plugins {
        return Some(Inspection { text: "0 Plugins Loaded:\n".to_owned(), failure: None });
    }
    if !cli.validate.is_empty() {
        return Some(inspect::validate(&cli.validate, settings, cli.describe_all));
    }
    if cli.describe_all || cli.describe_one.is_some() {
        return Some(inspect::describe_rules(settings, cli.describe_one.as_deref()));
    }
    if let Some(name) = &cli.plugin_info {
        let failure = format!("can't find plugin and print its info: {name} (detector has no plugins)");
        return Some(Inspection { text: String::new(), failure: Some(failure) });
    }
    let format = match cli.format {
        _ if cli.markdown => ListFormat::Markdown,
        Format::Text => ListFormat::Text,
        Format::Markdown => ListFormat::Markdown,
        Format::Json => ListFormat::Json,
    };
    if cli.list_events {
        return Some(inspect::list_events(format));
    }
    Some(inspect::list_fields(cli.list.as_ref()?, format, cli.names_only))
}

/// The file with the process id, removed at the end.
struct PidFile(PathBuf);

impl PidFile {
    fn write(path: &Path) -> anyhow::Result<Self> {
        std::fs::write(path, format!("{}\n", std::process::id()))
            .with_context(|| format!("cannot write the process id to {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // It may be gone already, and there is nobody left to tell.
        let _ = std::fs::remove_file(&self.0);
    }
}
