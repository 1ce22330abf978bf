//! Root, when a step needs it: as we are, or through sudo.
use std::io::IsTerminal as _;
use std::process::Command;

use anyhow::{Result, bail};

use crate::command;

/// True when this process runs as root.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The words to put before a command so that it runs as root: none, or sudo and its options.
///
/// sudo may ask for a password only when a person sits at the terminal.
pub(crate) fn root_prefix(why: &str) -> Result<Vec<String>> {
    if is_root() {
        return Ok(Vec::new());
    }
    if command::find("sudo").is_none() {
        bail!("{why} needs root, and there is no sudo here: run the same command as root");
    }
    let without_password = command::ask(command::program("sudo").args(["-n", "true"])).is_ok();
    if !without_password && !std::io::stdin().is_terminal() {
        bail!("{why} needs root, and sudo wants a password: run the same command as root, or in a terminal");
    }
    let mut words = vec!["sudo".to_owned()];
    if without_password {
        words.push("-n".to_owned());
    }
    Ok(words)
}

/// A command that runs `program` as root; `keep` names variables of ours that it must see.
pub(crate) fn as_root(why: &str, program: &str, keep: &[(&str, &str)]) -> Result<Command> {
    let prefix = root_prefix(why)?;
    let Some((sudo, options)) = prefix.split_first() else {
        let mut command = command::program(program);
        command.envs(keep.iter().copied());
        return Ok(command);
    };
    let mut command = command::program(sudo);
    command.args(options);
    if !keep.is_empty() {
        command.arg("env").args(keep.iter().map(|(name, value)| format!("{name}={value}")));
    }
    command.arg(program);
    Ok(command)
}
