//! Gets the real event-generator, the program that Falco's own rules are tested with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::helper_binaries;
use crate::not_run::Reason;

/// The pinned version; its action is described in `tests/event_generator.rs`.
pub const VERSION: &str = "v0.13.0";
const MODULE: &str = "github.com/falcosecurity/event-generator";

/// Path of a static event-generator: `DETECTOR_EVENT_GENERATOR`, the one on PATH, the one that was built before, or
/// one built now by Go. Otherwise why there is none.
pub fn obtain() -> Result<PathBuf, (Reason, String)> {
    if let Some(given) = std::env::var_os("DETECTOR_EVENT_GENERATOR").map(PathBuf::from) {
        let reason = format!("DETECTOR_EVENT_GENERATOR names {}, which is no file", given.display());
        return if given.is_file() { Ok(given) } else { Err((Reason::Missing, reason)) };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) =
        std::env::split_paths(&path).map(|folder| folder.join("event-generator")).find(|file| file.is_file())
    {
        return Ok(found);
    }
    let folder = helper_binaries::target_folder().join("tools").join(format!("event-generator-{VERSION}"));
    let program = folder.join("event-generator");
    if program.is_file() {
        return Ok(program);
    }
    build(&folder)?;
    Ok(program)
}

/// Whether its command `test` takes alerts over HTTP.
#[must_use]
pub fn has_http_server(program: &Path) -> bool {
    let help = Command::new(program).args(["test", "--help"]).output();
    help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("--http-server-address"))
}

/// `go install` into the folder, by way of another one: a half-made file must not be found by the next run.
fn build(folder: &Path) -> Result<(), (Reason, String)> {
    let unfinished = folder.with_extension("unfinished");
    let failed =
        |error: std::io::Error| (Reason::Missing, format!("cannot prepare {}: {error}", folder.display()));
    fs::create_dir_all(&unfinished).map_err(failed)?;
    let output = Command::new("go")
        .args(["install", &format!("{MODULE}@{VERSION}")])
        .env("GOBIN", &unfinished)
        .env("CGO_ENABLED", "0")
        .output()
        .map_err(|error| {
            (Reason::Missing, format!("cannot start go (apt-get install golang-go): {error}"))
        })?;
    if output.status.success() {
        let _ = fs::remove_dir_all(folder);
        return fs::rename(&unfinished, folder).map_err(failed);
    }
    let _ = fs::remove_dir_all(&unfinished);
    let answer = String::from_utf8_lossy(&output.stderr).into_owned();
    Err((class_of(&answer), format!("go install {MODULE}@{VERSION}: {answer}")))
}

/// A module proxy that refuses the module is the network's decision; anything else is something to be mended here.
fn class_of(answer: &str) -> Reason {
    let refused = ["403 Forbidden", "404 Not Found", "410 Gone"].iter().any(|status| answer.contains(status));
    if refused { Reason::Unobtainable } else { Reason::Missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_by_the_proxy_is_unobtainable() {
        let refused =
            "go: m@v1: reading https://proxy/m/@v/v1.info: 403 Forbidden\n\tserver response: not available";
        assert_eq!(class_of(refused), Reason::Unobtainable);
        assert_eq!(class_of("dial tcp: lookup proxy: no such host"), Reason::Missing);
        assert_eq!(class_of("requires go >= 1.99 (running go 1.20)"), Reason::Missing);
    }
}
