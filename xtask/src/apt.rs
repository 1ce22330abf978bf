//! Debian and Ubuntu packages: what is absent is installed, and said; nothing is ever removed.
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};

use crate::{command, privilege};

/// One `apt-get update` per run is enough.
static UPDATED: AtomicBool = AtomicBool::new(false);

/// Installs those of `packages` that are absent; `why` completes the sentence "needed to ...".
pub(crate) fn ensure(packages: &[&str], why: &str) -> Result<()> {
    let missing: Vec<_> = packages.iter().copied().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !is_here() {
        bail!("no apt-get on this machine: install the equivalent of `{list}` by hand (needed to {why})");
    }
    if missing.iter().any(|package| !is_known(package)) {
        update()?;
        if let Some(unknown) = missing.iter().find(|package| !is_known(package)) {
            bail!("apt has no package `{unknown}` (needed to {why})");
        }
    }
    eprintln!("Installing {list} (needed to {why})");
    if install(&missing).is_ok() {
        return Ok(());
    }
    // Old lists name versions that the archive no longer has.
    update()?;
    install(&missing).with_context(|| format!("cannot install what is needed to {why}"))
}

/// True when this machine has apt.
pub(crate) fn is_here() -> bool {
    command::find("apt-get").is_some() && command::find("dpkg-query").is_some()
}

/// True when apt could install `package`, after asking the archive if the local lists do not know it.
pub(crate) fn has(package: &str) -> bool {
    is_here() && (is_installed(package) || is_known(package) || (update().is_ok() && is_known(package)))
}

fn is_installed(package: &str) -> bool {
    command::ask(command::program("dpkg-query").args(["-W", "-f=${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}

fn is_known(package: &str) -> bool {
    command::ask(command::program("apt-cache").env("LC_ALL", "C").args(["policy", package]))
        .is_ok_and(|policy| policy.contains("Candidate: ") && !policy.contains("Candidate: (none)"))
}

fn update() -> Result<()> {
    if UPDATED.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    let mut update = privilege::as_root("`apt-get update`", "apt-get", &[])?;
    command::run(update.args(["update", "-qq"]))
}

fn install(packages: &[&str]) -> Result<()> {
    let mut install = privilege::as_root(
        &format!("installing {}", packages.join(" ")),
        "apt-get",
        &[("DEBIAN_FRONTEND", "noninteractive")],
    )?;
    // --no-remove: a package that conflicts with one that the owner of the machine chose is our problem, not theirs.
    install.args(["install", "-y", "-qq", "--no-install-recommends", "--no-remove"]);
    command::run(install.args(["-o", "DPkg::Lock::Timeout=120"]).args(packages))
}
