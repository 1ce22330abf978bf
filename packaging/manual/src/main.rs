//! Man pages and shell completions, made from the command line that the agent parses: they cannot tell of a flag that
//! it does not have. A program of its own, so that the agent does not carry what only packages need.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use detector::cli::Cli;

/// Commands of administrators.
const SECTION: &str = "8";
/// What the command line does not know about itself.
const MORE: &str = include_str!("more.roff");

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.context("usage: detector-manual FOLDER")?;
    man_pages(&folder.join("man"))?;
    completions(&folder.join("completions"))
}

fn man_pages(folder: &Path) -> Result<()> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    write(&folder.join(format!("detector.{SECTION}")), &page(&command, MORE)?)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let name = sub.get_display_name().unwrap_or_else(|| sub.get_name());
        write(&folder.join(format!("{name}.{SECTION}")), &page(sub, "")?)?;
    }
    Ok(())
}

fn page(command: &Command, more: &str) -> Result<Vec<u8>> {
    let man =
        Man::new(command.clone()).section(SECTION).source(concat!("detector ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    man.render(&mut text).with_context(|| format!("cannot write about `{}`", command.get_name()))?;
    text.extend_from_slice(more.as_bytes());
    Ok(text)
}

fn completions(folder: &Path) -> Result<()> {
    for (shell, name) in
        [(Shell::Bash, "detector.bash"), (Shell::Zsh, "_detector"), (Shell::Fish, "detector.fish")]
    {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "detector", &mut text);
        write(&folder.join(name), &text)?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(path, bytes)).with_context(|| format!("cannot write {}", path.display()))
}
