//! Runs other programs: each is printed first, as a line that a person can paste into a shell, and a failure
//! names the program and how it ended.
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Variables that `cargo run` and the rustup proxy set for us and that mean something else to a child cargo.
const SET_BY_OUTER_CARGO: &[&str] = &[
    "CARGO",
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PRIMARY_PACKAGE",
    "OUT_DIR",
    "RUST_RECURSION_COUNT",
];

/// `program` as a child that does not inherit what the outer `cargo xtask` set for this process.
///
/// `RUSTUP_TOOLCHAIN` stays: who calls `cargo +1.95 xtask build` wants the agent built by 1.95.
pub(crate) fn program(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if SET_BY_OUTER_CARGO.contains(&text.as_ref()) || text.starts_with("CARGO_PKG_") {
            command.env_remove(&name);
        }
    }
    // `cargo run` puts the compiler's own libraries first; a compiler of another toolchain must not see them.
    if let Some(paths) = std::env::var_os("LD_LIBRARY_PATH") {
        let kept: Vec<_> = std::env::split_paths(&paths).filter(|path| !is_of_cargo(path)).collect();
        match std::env::join_paths(&kept) {
            Ok(joined) if !kept.is_empty() => command.env("LD_LIBRARY_PATH", joined),
            _ => command.env_remove("LD_LIBRARY_PATH"),
        };
    }
    command
}

/// How much of this computer a child may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// What it gets.
    Full,
    /// What emulated machines leave: one that gets too little of a processor proves nothing.
    Gentle,
}

impl Pace {
    /// The same command at this pace.
    pub(crate) fn of(self, command: Command) -> Command {
        if self == Self::Full {
            return command;
        }
        let mut gentle = Command::new("nice");
        gentle.args(["-n", "15"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => gentle.env(name, value),
                None => gentle.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            gentle.current_dir(folder);
        }
        gentle
    }
}

fn is_of_cargo(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.is_empty()
        || text.contains("/rustlib")
        || text.contains("/toolchains/")
        || path.ends_with("deps")
        || {
            // target/debug and the target/debug/build/CRATE/out folders
            path.ancestors().any(|folder| folder.join("CACHEDIR.TAG").exists())
        }
}

/// Prints the command and runs it with our stdout and stderr; stdin is closed, nothing may ask a question.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    show(command);
    let status = command.stdin(Stdio::null()).status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` failed ({status}): see its output above", name(command));
    }
    Ok(())
}

/// Runs a question to the system without printing it; the answer is stdout, trimmed.
pub(crate) fn ask(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let reason = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
        bail!("`{}` failed ({}): {}", line(command), output.status, reason.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Prints `$ command` to stderr.
pub(crate) fn show(command: &Command) {
    eprintln!("$ {}", line(command));
}

/// The command as a shell line: the variables set for it, the program, the arguments.
pub(crate) fn line(command: &Command) -> String {
    let mut text = String::new();
    for (name, value) in command.get_envs() {
        // What is only cleaned up after the outer cargo is not worth reading.
        if name != "LD_LIBRARY_PATH"
            && let Some(value) = value
        {
            let _ = write!(text, "{}={} ", name.to_string_lossy(), quoted(value));
        }
    }
    text.push_str(&quoted(command.get_program()));
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&quoted(argument));
    }
    text
}

fn name(command: &Command) -> String {
    let first = command.get_args().next().map(OsString::from).unwrap_or_default();
    format!("{} {}", command.get_program().to_string_lossy(), first.to_string_lossy()).trim_end().to_owned()
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`", command.get_program().to_string_lossy())
}

fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The full path of a program on PATH.
pub(crate) fn find(program: &str) -> Option<std::path::PathBuf> {
    // sbin is not on the PATH of every user, but dockerd and iptables live there.
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(std::path::PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_line_can_be_pasted() {
        let mut command = Command::new("cargo");
        command.env("RUSTFLAGS", "-C debuginfo=2").env_remove("CARGO").args(["build", "it's", ""]);
        assert_eq!(line(&command), r"RUSTFLAGS='-C debuginfo=2' cargo build 'it'\''s' ''");
    }

    #[test]
    fn the_outer_cargo_is_forgotten() {
        let kept = program("true");
        // Under `cargo test` CARGO is always set: the child must not see it.
        assert!(kept.get_envs().any(|(name, value)| name == "CARGO" && value.is_none()));
        assert!(is_of_cargo(Path::new("/root/.rustup/toolchains/stable/lib")));
        assert!(!is_of_cargo(Path::new("/opt/vendor/lib")));
    }

    #[test]
    fn a_failure_carries_the_last_line_of_stderr() {
        let error =
            ask(Command::new("sh").args(["-c", "echo first >&2; echo last >&2; exit 3"])).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("last") && text.contains('3') && !text.contains("first\n"), "{text}");
    }
}
